package patch

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

const (
	// MaxCopied is how many bytes the copy operations of one patch may copy; without
	// it ten of them make a thousandfold of a document.
	MaxCopied = 8 << 20

	// MaxHandled is how many bytes one patch may move about: the values that move and
	// copy carry, and each list as often as an operation edits its elements.
	MaxHandled = 64 << 20
)

const testFailed = "Test op failed."

// verb tells what an operation needs and does.
type verb struct {
	value, from bool
	run         func(*editor, Op) error
}

var verbs = map[string]verb{
	opAdd:     {value: true, run: (*editor).add},
	opRemove:  {run: (*editor).remove},
	opReplace: {value: true, run: (*editor).replace},
	opMove:    {from: true, run: (*editor).move},
	opCopy:    {from: true, run: (*editor).copy},
	opTest:    {value: true, run: (*editor).test},
}

// Apply returns doc with all operations of p done to it, in memory of its own; doc
// is only read. An operation that does not apply gives a *FailedError, one that is
// no operation or goes beyond a limit a *MalformedError, and a doc that is not JSON
// an error of its own. An empty doc is null: what is not there yet, or no longer.
func (p Patch) Apply(doc []byte) ([]byte, error) {
	root, err := parse(doc, 0)
	if err != nil {
		return nil, fmt.Errorf("read document to patch: %w", err)
	}
	e := &editor{root: root}
	for i, op := range p {
		if err := e.apply(op); err != nil {
			return nil, blame(err, i, op)
		}
	}
	return e.root.appendTo(make([]byte, 0, len(doc)+256)), nil
}

// blame puts the operation into the error it caused.
func blame(err error, index int, op Op) error {
	if failed, ok := errors.AsType[*FailedError](err); ok {
		failed.Index, failed.Op = index, op
		return failed
	}
	if malformed, ok := errors.AsType[*MalformedError](err); ok {
		malformed.Index = index
		return malformed
	}
	return &MalformedError{Index: index, Reason: err.Error()}
}

func fail(format string, args ...any) error {
	return &FailedError{Reason: fmt.Sprintf(format, args...)}
}

// editor is a document while operations run on it.
type editor struct {
	root            node
	copied, handled int
}

func (e *editor) apply(op Op) error {
	verb, known := verbs[op.Op]
	if !known {
		return invalidOp(op.Op)
	}
	return verb.run(e, op)
}

func (e *editor) test(op Op) error {
	keys, err := Split(op.Path)
	if err != nil {
		return err
	}
	want, err := parse(op.Value, 0)
	if err != nil {
		return fmt.Errorf("value: %w", err)
	}
	have, err := e.get(keys)
	if failed, ok := errors.AsType[*FailedError](err); ok {
		failed.Want = want.bytes()
		return failed
	}
	if !equal(have, &want) {
		return &FailedError{Reason: testFailed, Want: want.bytes(), Have: have.bytes()}
	}
	return nil
}

func (e *editor) add(op Op) error {
	keys, err := Split(op.Path)
	if err != nil {
		return err
	}
	return e.put(keys, op.Value)
}

func (e *editor) replace(op Op) error {
	keys, err := Split(op.Path)
	if err != nil {
		return err
	}
	to, err := parse(op.Value, len(keys))
	if err != nil {
		return fmt.Errorf("value: %w", err)
	}
	if len(keys) == 0 {
		e.root = to
		return nil
	}
	parent, last, err := e.parent(keys)
	if err != nil {
		return err
	}
	if parent.child(last) == nil {
		if parent.in.list {
			return missing(parent, keys)
		}
		return fail("%s does not refer to an existing location", op.Path)
	}
	if parent.in.list {
		return e.editList(parent, opReplace, last, to)
	}
	parent.in.set(last, to)
	return nil
}

func (e *editor) remove(op Op) error {
	keys, err := Split(op.Path)
	if err != nil {
		return err
	}
	return e.drop(keys)
}

// move is remove and add by definition, and nothing when it leads to where it starts.
func (e *editor) move(op Op) error {
	from, to, err := splitBoth(op)
	if err != nil {
		return err
	}
	if strings.HasPrefix(op.Path, op.From+"/") {
		return fmt.Errorf("move from %q into itself at %q", op.From, op.Path)
	}
	found, err := e.get(from)
	if err != nil || op.From == op.Path {
		return err
	}
	carried := found.bytes()
	if err := e.handle(len(carried)); err != nil {
		return err
	}
	if err := e.drop(from); err != nil {
		return err
	}
	return e.put(to, carried)
}

func (e *editor) copy(op Op) error {
	from, to, err := splitBoth(op)
	if err != nil {
		return err
	}
	found, err := e.get(from)
	if err != nil {
		return err
	}
	carried := found.bytes()
	if e.copied += len(carried); e.copied > MaxCopied {
		return fmt.Errorf("patch copies more than %d bytes", MaxCopied)
	}
	if err := e.handle(len(carried)); err != nil {
		return err
	}
	return e.put(to, carried)
}

func splitBoth(op Op) (from, to []string, err error) {
	if from, err = Split(op.From); err != nil {
		return nil, nil, err
	}
	to, err = Split(op.Path)
	return from, to, err
}

// put is add: a new or changed member, a new element, or a new document.
func (e *editor) put(keys []string, raw []byte) error {
	to, err := parse(raw, len(keys))
	if err != nil {
		return fmt.Errorf("value: %w", err)
	}
	if len(keys) == 0 {
		e.root = to
		return nil
	}
	parent, last, err := e.parent(keys)
	if err != nil {
		return err
	}
	if !parent.in.list {
		parent.in.set(last, to)
		return nil
	}
	if n := len(parent.in.members); last != "-" && position(last, n+1) < 0 {
		return missing(parent, keys)
	}
	return e.editList(parent, opAdd, last, to)
}

func (e *editor) drop(keys []string) error {
	if len(keys) == 0 {
		e.root = node{raw: []byte("null")}
		return nil
	}
	parent, last, err := e.parent(keys)
	if err != nil {
		return err
	}
	if parent.child(last) == nil {
		if parent.in.list {
			return missing(parent, keys)
		}
		return fail("`%s` does not point to an existing location", Pointer(keys...))
	}
	if parent.in.list {
		return e.editList(parent, opRemove, last, node{raw: []byte("null")})
	}
	parent.in.drop(last)
	return nil
}

// get returns the value keys lead to; it is good until the next change.
func (e *editor) get(keys []string) (*node, error) {
	at := &e.root
	for i, key := range keys {
		next := at.child(key)
		if next == nil {
			return nil, missing(at, keys[:i+1])
		}
		at = next
	}
	return at, nil
}

// parent returns the open object or list that the last of keys is to change, and
// that last key. It leaves the way there without its text, which the change makes
// stale; if the change then fails the document is given up anyway.
func (e *editor) parent(keys []string) (*node, string, error) {
	last := len(keys) - 1
	at := &e.root
	for i, key := range keys {
		if at.open() == nil {
			return nil, "", missing(at, keys[:i+1])
		}
		at.raw = nil
		if i == last {
			break
		}
		next := at.child(key)
		if next == nil {
			return nil, "", missing(at, keys[:i+1])
		}
		at = next
	}
	return at, keys[last], nil
}

// missing says that parent has nothing under the last of keys.
func missing(parent *node, keys []string) error {
	above, last := Pointer(keys[:len(keys)-1]...), keys[len(keys)-1]
	if parent.class() == '[' && (last == "-" || isIndex(last)) {
		return fail("Index out of bounds: %s of %s", last, above)
	}
	if above == "" {
		above = parent.dump()
	}
	return fail("Selector %s not a member of %s", last, above)
}

// isIndex reports whether token could be an index of some list.
func isIndex(token string) bool {
	return position(token, int(^uint(0)>>1)) >= 0 || len(token) > 18 && bytes.Trim([]byte(token), "0123456789") == nil
}

// handle counts the bytes an operation carries against MaxHandled.
func (e *editor) handle(n int) error {
	if e.handled += n; e.handled > MaxHandled {
		return fmt.Errorf("patch handles more than %d bytes", MaxHandled)
	}
	return nil
}
