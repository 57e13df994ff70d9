package patch

import (
	"bytes"
	"encoding/json"
	"testing"
)

var fuzzDocs = []string{
	``, `null`, `7`, `{}`, `[]`, `{"a":1,"b":[1,2,{"c":null}],"d/e":{"~f":1.10}}`, `{"":{"":[]},"\u0061":"<&>","a":2}`,
	`[[[1e999999999]],"\ud800",-0,true]`, ` { "a" : [ 1 , 2 ] } `, `{"k":"\u2028"}`,
}

var fuzzPatches = []string{
	`[]`, `null`, `[{"op":"add","path":"/b/0","value":1},{"op":"remove","path":"/b/-"}]`,
	`[{"op":"test","path":"/a","from":"","value":1},{"op":"replace","path":"/a","from":"","value":2}]`,
	`[{"op":"move","from":"/b/2/c","path":"/a"},{"op":"copy","from":"","path":"/z"}]`,
	`[{"op":"remove","path":""},{"op":"add","path":"","value":[]},{"op":"add","path":"/-","value":{"x":"<"}}]`,
	`[{"op":"replace","path":"//","value":{}},{"op":"test","path":"/d~1e/~0f","value":1.1}]`,
	`[{"op":"add","path":"/b/01","value":1}]`, `[{"op":"test","path":"/a"}]`, `[{"op":"frob","path":"/a","value":1}]`,
}

// FuzzApply: nothing panics, the arguments stay, a failure returns nothing, and where
// the reference library is right, it agrees.
func FuzzApply(f *testing.F) {
	for _, doc := range fuzzDocs {
		for _, p := range fuzzPatches {
			f.Add([]byte(doc), []byte(p))
		}
	}
	f.Fuzz(func(t *testing.T, doc, wire []byte) {
		p, err := Decode(wire)
		if err != nil {
			t.Skip()
		}
		given := bytes.Clone(doc)
		got, err := p.Apply(doc)
		if !bytes.Equal(doc, given) {
			t.Fatalf("document changed from %s to %s", given, doc)
		}
		if err != nil && got != nil || err == nil && !json.Valid(got) {
			t.Fatalf("got %q, %v", got, err)
		}
		if isTame(doc, p) {
			agrees(t, doc, p)
		}
	})
}

// isTame reports whether the reference library is right about p on doc: see
// TestApplyAgreesWithTheReference, and besides no numbers of two spellings, no
// duplicate keys, no escapes, no white space, no limits.
func isTame(doc []byte, p Patch) bool {
	if !isTameValue(doc) || doc[0] != '{' || len(p) > 50 || len(doc) > 10_000 {
		return false
	}
	for _, op := range p {
		value := op.Value
		if value == nil {
			value = []byte("null")
		}
		if !isTamePath(op.Path) || verbs[op.Op].from && !isTamePath(op.From) || !isTameValue(value) {
			return false
		}
		if misread(op) {
			return false
		}
	}
	return true
}

// isTamePath leaves out the keys the library takes for something else: "" for the
// object itself, 01, -1 and +1 for indexes.
func isTamePath(path string) bool {
	keys, err := Split(path)
	if err != nil || len(keys) == 0 {
		return false
	}
	for _, key := range keys {
		if key == "" || key[0] == '+' || key[0] == '0' && key != "0" || key[0] == '-' && key != "-" || len(key) > 9 {
			return false
		}
	}
	return true
}

func isTameValue(raw []byte) bool {
	if bytes.ContainsAny(raw, "\\.eE\r\n\t ") || bytes.Contains(raw, []byte("-0")) {
		return false
	}
	n, err := parse(raw, 0)
	return err == nil && len(n.raw) == len(raw) && !hasDuplicates(&n)
}

func hasDuplicates(n *node) bool {
	in := n.open()
	if in == nil {
		return false
	}
	if !in.list && len(in.byName()) != len(in.members) {
		return true
	}
	for i := range in.members {
		if hasDuplicates(&in.members[i].node) {
			return true
		}
	}
	return false
}

// FuzzDiff: the laws hold for any two documents, and the scanner takes what the
// standard library takes.
func FuzzDiff(f *testing.F) {
	for _, old := range fuzzDocs {
		for _, new := range fuzzDocs {
			f.Add([]byte(old), []byte(new))
		}
	}
	f.Fuzz(func(t *testing.T, old, new []byte) {
		lawOfScanner(t, old)
		lawOfScanner(t, new)
		if _, err := parse(old, 0); err != nil {
			t.Skip()
		}
		if _, err := parse(new, 0); err != nil {
			t.Skip()
		}
		lawOfDiff(t, old, new, Plain)
		lawOfDiff(t, old, new, Tests)
	})
}

// FuzzDecode: nothing panics, and what was taken is written so that it is taken again.
func FuzzDecode(f *testing.F) {
	for _, p := range fuzzPatches {
		f.Add([]byte(p))
	}
	f.Fuzz(func(t *testing.T, wire []byte) {
		p, err := Decode(wire)
		if err != nil {
			t.Skip()
		}
		first, err := p.AppendJSON(nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Decode(first)
		if err != nil {
			t.Fatalf("decode %s, written from %s: %v", first, wire, err)
		}
		second, err := again.AppendJSON(nil)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("got %s, %v, want %s", second, err, first)
		}
	})
}
