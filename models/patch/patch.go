package patch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// MaxOps is how many operations Decode takes in one patch, and how many Diff makes.
const MaxOps = 10_000

const (
	opAdd     = "add"
	opRemove  = "remove"
	opReplace = "replace"
	opMove    = "move"
	opCopy    = "copy"
	opTest    = "test"
)

// Op is one operation. All four members are written out, as Digital Rebar's client
// does; those an operation has no use for are "" and null.
type Op struct {
	Op    string          `json:"op"`    // add, remove, replace, move, copy or test
	Path  string          `json:"path"`  // pointer to what is changed or tested
	From  string          `json:"from"`  // pointer to what move takes and copy reads
	Value json.RawMessage `json:"value"` // what add, replace and test give; nil is null
}

// Patch is a list of operations, applied in order, all or none.
type Patch []Op

// Decode reads a patch as it came over the wire, strictly: b must be one JSON list,
// and each element an object with a known op, with a pointer in path, with value
// where the operation needs one ("value":null is a value, no "value" is none) and
// with a pointer in from for move and copy. Members an operation has no use for are
// ignored, whatever they are. The list may be empty; null is no list. The error is a
// *MalformedError. The patch shares no memory with b.
func Decode(b []byte) (Patch, error) {
	root, err := decodeRoot(b)
	if err != nil {
		return nil, &MalformedError{Index: -1, Reason: err.Error()}
	}
	ops := root.open().members
	if len(ops) > MaxOps {
		return nil, &MalformedError{Index: -1, Reason: fmt.Sprintf("%d operations, at most %d are taken", len(ops), MaxOps)}
	}
	p := make(Patch, len(ops))
	for i := range ops {
		if p[i], err = decodeOp(&ops[i].node); err != nil {
			return nil, blame(err, i, p[i])
		}
	}
	return p, nil
}

// aboveValues makes up for the list and the operation a value lies in, so that every
// document a value may be can also be written in a patch.
const aboveValues = -2

// decodeRoot returns a list of its own memory and without white space, so that the
// values of the operations have none either.
func decodeRoot(b []byte) (node, error) {
	if len(bytes.TrimSpace(b)) == 0 {
		return node{}, fmt.Errorf("no JSON")
	}
	root, err := parse(b, aboveValues)
	if err != nil {
		return node{}, err
	}
	if root.class() != '[' {
		return node{}, fmt.Errorf("not a list of operations")
	}
	var compact bytes.Buffer
	compact.Grow(len(b))
	if err := json.Compact(&compact, b); err != nil {
		return node{}, err
	}
	return parse(compact.Bytes(), aboveValues)
}

func decodeOp(n *node) (Op, error) {
	if n.class() != '{' {
		return Op{}, fmt.Errorf("operation is not an object")
	}
	var op Op
	var err error
	if op.Op, err = n.text("op"); err != nil {
		return Op{}, err
	}
	verb, known := verbs[op.Op]
	if !known {
		return Op{}, invalidOp(op.Op)
	}
	if op.Path, err = n.pointer("path"); err != nil {
		return Op{}, err
	}
	if verb.from {
		if op.From, err = n.pointer("from"); err != nil {
			return Op{}, err
		}
	} else if from := n.child("from"); from != nil && len(from.raw) > len(`""`) {
		op.From, _ = n.pointer("from") // kept where it is one, as other members without a use are not
	}
	if value := n.child("value"); value != nil {
		op.Value = value.raw
	} else if verb.value {
		return Op{}, fmt.Errorf("%s has no value", op.Op)
	}
	return op, nil
}

func (n *node) text(name string) (string, error) {
	member := n.child(name)
	if member == nil {
		return "", fmt.Errorf("operation has no %s", name)
	}
	if member.class() != '"' {
		return "", fmt.Errorf("%s is not a string", name)
	}
	return unquote(member.raw), nil
}

func (n *node) pointer(name string) (string, error) {
	text, err := n.text(name)
	if err != nil {
		return "", err
	}
	if _, err := Split(text); err != nil {
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return text, nil
}

// AppendJSON appends the patch as JSON to b: every operation with its four members,
// nothing escaped for HTML, a nil patch as []. Values that are not JSON are an error.
func (p Patch) AppendJSON(b []byte) ([]byte, error) {
	b = append(b, '[')
	for i, op := range p {
		if i > 0 {
			b = append(b, ',')
		}
		value, err := parse(op.Value, 0)
		if err != nil {
			return nil, fmt.Errorf("write operation %d: value: %w", i, err)
		}
		b = append(b, `{"op":`...)
		b = appendString(b, op.Op)
		b = append(b, `,"path":`...)
		b = appendString(b, op.Path)
		b = append(b, `,"from":`...)
		b = appendString(b, op.From)
		b = append(b, `,"value":`...)
		b = value.appendTo(b)
		b = append(b, '}')
	}
	return append(b, ']'), nil
}

// MarshalJSON is AppendJSON, so that a nil patch is never written as null, which
// Decode would refuse.
func (p Patch) MarshalJSON() ([]byte, error) { return p.AppendJSON(nil) }

// UnmarshalJSON is Decode, but leaves p as it is when b is null: that is how a
// member of another document says that there is no patch.
func (p *Patch) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	decoded, err := Decode(b)
	if err != nil {
		return err
	}
	*p = decoded
	return nil
}

// appendString is quote without its cost for the text that nearly all pointers are.
func appendString(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return append(b, quote(s)...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
