package patch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	jsonpatch "github.com/evanphx/json-patch/v5"
	"pgregory.net/rapid"
)

// vocabulary is what random documents are made of. Few keys, so that two documents
// have much in common; the tame one leaves out what the reference library gets wrong.
type vocabulary struct{ keys, scalars, spaces []string }

var (
	tame = vocabulary{
		keys:    []string{`"a"`, `"b"`, `"c"`, `"d/e"`, `"~f"`, `"0"`, `"é"`},
		scalars: []string{`null`, `true`, `false`, `0`, `1`, `-1`, `1.10`, `12345678901234567890123`, `""`, `"x"`, `"<&>"`},
		spaces:  []string{""},
	}
	wild = vocabulary{
		keys:    append([]string{`""`, `"\u0061"`, `"\u003ck\u003e"`, `"k\"\\\/"`, `"-"`, `"01"`, `"~1"`}, tame.keys...),
		scalars: append([]string{`1.0`, `1e0`, `-0`, `1e999999999`, `"\u0078"`, `"\ud83d\ude00"`, `"😀"`, `"\ud800"`, "\"\u2028\""}, tame.scalars...),
		spaces:  []string{"", "", "", " ", "\n\t", "\r"},
	}
)

func (v vocabulary) value(t *rapid.T, depth int) string {
	sep := func() string { return rapid.SampledFrom(v.spaces).Draw(t, "space") }
	kind := rapid.IntRange(0, 5).Draw(t, "kind")
	if depth == 0 || kind < 2 {
		return rapid.SampledFrom(v.scalars).Draw(t, "scalar")
	}
	n := rapid.IntRange(0, 4).Draw(t, "size")
	parts := make([]string, n)
	if kind == 2 {
		for i := range parts {
			parts[i] = sep() + v.value(t, depth-1) + sep()
		}
		return "[" + sep() + strings.Join(parts, ",") + "]"
	}
	keys := rapid.SliceOfNDistinct(rapid.SampledFrom(v.keys), n, n, rapid.ID[string]).Draw(t, "keys")
	for i, key := range keys {
		parts[i] = sep() + key + sep() + ":" + sep() + v.value(t, depth-1) + sep()
	}
	return "{" + sep() + strings.Join(parts, ",") + "}"
}

func (v vocabulary) object(t *rapid.T) string {
	keys := rapid.SliceOfNDistinct(rapid.SampledFrom(v.keys), 1, 5, rapid.ID[string]).Draw(t, "keys")
	for i, key := range keys {
		keys[i] = key + ":" + v.value(t, 3)
	}
	return "{" + strings.Join(keys, ",") + "}"
}

// places returns the pointers of every value in doc, and some that lead nowhere.
func places(doc string) []string {
	root, err := parse([]byte(doc), 0)
	if err != nil {
		panic(err)
	}
	var all []string
	var walk func(string, *node)
	walk = func(path string, n *node) {
		all = append(all, path)
		in := n.open()
		if in == nil {
			return
		}
		for i := range in.members {
			token := fmt.Sprint(i)
			if !in.list {
				token = Escape(in.members[i].name())
			}
			walk(path+"/"+token, &in.members[i].node)
		}
		if in.list {
			all = append(all, path+"/-", fmt.Sprint(path, "/", len(in.members)), fmt.Sprint(path, "/", len(in.members)+1))
		} else {
			all = append(all, path+"/new", path+"/a/b")
		}
	}
	walk("", &root)
	return all
}

// patch returns operations that mostly make sense on doc. Tests are of what is
// there half of the time.
func (v vocabulary) patch(t *rapid.T, doc string, root bool) Patch {
	all := places(doc)
	if !root {
		all = slices.DeleteFunc(all, func(p string) bool { return p == "" })
	}
	place := rapid.SampledFrom(all)
	p := make(Patch, rapid.IntRange(1, 5).Draw(t, "ops"))
	for i := range p {
		op := Op{
			Op:    rapid.SampledFrom([]string{opAdd, opRemove, opReplace, opMove, opCopy, opTest}).Draw(t, "op"),
			Path:  place.Draw(t, "path"),
			Value: []byte(v.value(t, 2)),
		}
		if verbs[op.Op].from {
			op.From = place.Draw(t, "from")
		}
		if op.Op == opTest && rapid.Bool().Draw(t, "true") {
			if e := (&editor{root: must(parse([]byte(doc), 0))}); true {
				keys := must(Split(op.Path))
				if n, err := e.get(keys); err == nil {
					op.Value = n.bytes()
				}
			}
		}
		p[i] = op
	}
	return p
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestApplyOfDiffIsNew(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, new := []byte(wild.value(t, 4)), []byte(wild.value(t, 4))
		for _, mode := range []Mode{Plain, Tests} {
			lawOfDiff(t, old, new, mode)
		}
	})
}

func TestApplyOfDiffIsNewForLikeObjects(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old := []byte(wild.object(t))
		new, err := wild.patch(t, string(old), false).Apply(old)
		if err != nil {
			t.Skip()
		}
		lawOfDiff(t, old, new, Plain)
		lawOfDiff(t, old, new, Tests)
	})
}

type fataler interface {
	Helper()
	Fatalf(string, ...any)
	Errorf(string, ...any)
}

func lawOfDiff(t fataler, old, new []byte, mode Mode) {
	t.Helper()
	p, err := Diff(old, new, mode)
	if err != nil {
		t.Fatalf("diff: %v", err)
	}
	wire, err := p.AppendJSON(nil)
	if err != nil {
		t.Fatalf("write %v: %v", p, err)
	}
	if p, err = Decode(wire); err != nil {
		t.Fatalf("decode %s: %v", wire, err)
	}
	got, err := p.Apply(old)
	if err != nil {
		t.Fatalf("apply %s to %s: %v", wire, old, err)
	}
	if equal, err := Equal(got, new); err != nil || !equal {
		t.Fatalf("old %s\nnew %s\ngot %s (%v)\nby %s", old, new, got, err, wire)
	}
	if equal := must(Equal(old, new)); equal != (len(p) == 0) {
		t.Errorf("old and new equal: %v, patch %s", equal, wire)
	}
	if again := must(Diff(old, new, mode)); string(must(again.AppendJSON(nil))) != string(wire) {
		t.Errorf("second diff differs: %v, first %s", again, wire)
	}
	if mode == Tests {
		lawOfInvert(t, old, got, p)
	}
}

func lawOfInvert(t fataler, old, new []byte, p Patch) {
	t.Helper()
	back, err := p.Invert()
	if err != nil {
		t.Fatalf("invert %v: %v", p, err)
	}
	got, err := back.Apply(new)
	if err != nil {
		t.Fatalf("take back %v from %s: %v", p, new, err)
	}
	if equal, err := Equal(got, old); err != nil || !equal {
		t.Fatalf("old %s\ngot %s (%v)\nafter %v\nand   %v", old, got, err, p, back)
	}
}

// Every patch made with tests refuses a document in which what it overwrites has
// changed meanwhile: the law compare-and-set stands on.
func TestDiffWithTestsRefusesAnotherDocument(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		old, new, other := []byte(wild.object(t)), []byte(wild.object(t)), []byte(wild.object(t))
		p := must(Diff(old, new, Tests))
		_, err := p.Apply(other)
		for i, op := range p {
			if op.Op != opTest {
				continue
			}
			found, missing := (&editor{root: must(parse(other, 0))}).get(must(Split(op.Path)))
			holds := missing == nil && must(Equal(found.bytes(), op.Value))
			if !holds && err == nil {
				t.Fatalf("test %d of %v does not hold in %s, but the patch applied", i, p, other)
			}
		}
	})
}

func TestFailureLeavesNothingBehind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := wild.value(t, 4)
		p := wild.patch(t, doc, true)
		wire := string(must(p.AppendJSON(nil)))
		given := []byte(doc)
		got, err := p.Apply(given)
		if string(given) != doc {
			t.Fatalf("document changed\nfrom %s\nto   %s", doc, given)
		}
		if string(must(p.AppendJSON(nil))) != wire {
			t.Fatalf("patch changed from %s to %v", wire, p)
		}
		if err != nil && got != nil {
			t.Fatalf("got %s and %v", got, err)
		}
		failed, isFailed := errors.AsType[*FailedError](err)
		_, isMalformed := errors.AsType[*MalformedError](err)
		if err != nil && !isFailed && !isMalformed {
			t.Fatalf("got an error of another kind: %v", err)
		}
		if isFailed {
			everythingBefore(t, p, doc, failed)
		}
		clear(given)
		if err == nil && !json.Valid(got) {
			t.Fatalf("result shares memory with the document, or is no JSON: %q", got)
		}
	})
}

// everythingBefore checks the blame: what stands before the failed operation applies.
func everythingBefore(t *rapid.T, p Patch, doc string, failed *FailedError) {
	if _, err := p[:failed.Index].Apply([]byte(doc)); err != nil {
		t.Fatalf("blamed %d, but %v", failed.Index, err)
	}
	if _, err := p[:failed.Index+1].Apply([]byte(doc)); err == nil {
		t.Fatalf("blamed %d, which applies", failed.Index)
	}
	if strings.ContainsAny(failed.Detail(), "\n\r") {
		t.Fatalf("detail is more than a line: %q", failed.Detail())
	}
}

// A member whose pointer neither leads to, nor lies below, nor lies above a changed
// one keeps every byte, and the members keep their order.
func TestUntouchedMembersAreByteIdentical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := wild.object(t)
		p := wild.patch(t, doc, false)
		got, err := p.Apply([]byte(doc))
		if err != nil {
			t.Skip()
		}
		touched := map[string]bool{}
		for _, pointer := range Pointers(p) {
			touched[must(Split(pointer))[0]] = true
		}
		if want, have := untouched(doc, touched), untouched(string(got), touched); want != have {
			t.Fatalf("untouched members\nwere %s\nare  %s\nafter %v", want, have, p)
		}
	})
}

func untouched(doc string, touched map[string]bool) string {
	root := must(parse([]byte(doc), 0))
	var b strings.Builder
	for i := range root.in.members {
		if m := &root.in.members[i]; !touched[m.name()] {
			fmt.Fprintf(&b, "%s:%s,", m.key, m.raw)
		}
	}
	return b.String()
}

// The reference is the library on the whole document. It agrees to the byte where
// it is right: tame documents, no path "", no move onto or into itself, no null in a test.
func TestApplyAgreesWithTheReference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := tame.object(t)
		p := tame.patch(t, doc, false)
		for _, op := range p {
			if misread(op) {
				t.Skip()
			}
		}
		agrees(t, []byte(doc), p)
	})
}

// misread reports whether the library does otherwise than the RFC says: it moves a
// member that moves onto itself to the end and an element of a list into the one
// behind it, lets null pass for absent, and panics when it compares null in lists.
func misread(op Op) bool {
	return op.Op == opMove && strings.HasPrefix(op.Path, op.From) || op.Op == opTest && bytes.Contains(op.Value, []byte("null"))
}

func agrees(t fataler, doc []byte, p Patch) {
	t.Helper()
	got, err := p.Apply(doc)
	want, panicked, refusal := reference(doc, p)
	if panicked {
		return // so it has nothing to say
	}
	if (err == nil) != (refusal == nil) {
		t.Fatalf("doc %s\npatch %s\ngot %s, %v\nreference %s, %v", doc, must(p.AppendJSON(nil)), got, err, want, refusal)
	}
	if !bytes.Equal(got, unescapeHTML(want)) {
		t.Fatalf("doc %s\npatch %s\ngot       %s\nreference %s", doc, must(p.AppendJSON(nil)), got, want)
	}
}

// unescapeHTML takes back what the library does below a list it has compared, in
// spite of its option. Tame documents have no escapes of their own.
func unescapeHTML(doc []byte) []byte {
	for _, c := range []string{"<", ">", "&"} {
		doc = bytes.ReplaceAll(doc, fmt.Appendf(nil, `\u%04x`, c[0]), []byte(c))
	}
	return doc
}

func reference(doc []byte, p Patch) (after []byte, panicked bool, err error) {
	defer func() { panicked = recover() != nil }()
	options := jsonpatch.NewApplyOptions()
	options.SupportNegativeIndices = false
	options.EscapeHTML = false
	theirs, err := jsonpatch.DecodePatch(must(p.AppendJSON(nil)))
	if err != nil {
		return nil, false, err
	}
	after, err = theirs.ApplyWithOptions(doc, options)
	return after, false, err
}

// A small change to a wide object, so that the index of its members is in play.
func TestWideObjectsAreEditedLikeNarrowOnes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var doc strings.Builder
		n := rapid.IntRange(1, 40).Draw(t, "members")
		for i := range n {
			fmt.Fprintf(&doc, `,"k%d":%d`, i%30, i) // beyond 30 they are duplicates
		}
		model := map[string]int{}
		for i := range n {
			model[fmt.Sprint("k", i%30)] = i
		}
		var p Patch
		for i := range rapid.IntRange(1, 60).Draw(t, "ops") {
			key := fmt.Sprint("k", rapid.IntRange(0, 35).Draw(t, "key"))
			if _, there := model[key]; there && rapid.Bool().Draw(t, "remove") {
				delete(model, key)
				p = append(p, Op{Op: opRemove, Path: "/" + key})
			} else {
				model[key] = 1000 + i
				p = append(p, Op{Op: opAdd, Path: "/" + key, Value: fmt.Append(nil, 1000+i)})
			}
		}
		got, err := p.Apply([]byte("{" + doc.String()[1:] + "}"))
		if err != nil {
			t.Fatal(err)
		}
		if want := must(json.Marshal(model)); !must(Equal(got, want)) {
			t.Fatalf("got %s, want %s", got, want)
		}
	})
}

func TestPointerAndSplitAreInverse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOf(rapid.OneOf(rapid.String(), rapid.StringOf(rapid.SampledFrom([]rune("~/01a"))))).Draw(t, "keys")
		got, err := Split(Pointer(keys...))
		if err != nil || !slices.Equal(got, keys) {
			t.Fatalf("got %q, %v, want %q", got, err, keys)
		}
	})
}

func TestScannerTakesWhatTheStandardLibraryTakes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		doc := []byte(wild.value(t, 4))
		if rapid.Bool().Draw(t, "break") {
			at := rapid.IntRange(0, len(doc)-1).Draw(t, "at")
			doc[at] = rapid.SampledFrom([]byte(`{}[]",:0-.eE+\ untf`)).Draw(t, "with")
		}
		lawOfScanner(t, doc)
	})
}

func lawOfScanner(t fataler, doc []byte) {
	t.Helper()
	if len(bytes.Trim(doc, " \t\r\n")) == 0 || !bytes.Equal(doc, bytes.ToValidUTF8(doc, nil)) || bytes.Count(doc, []byte("["))+bytes.Count(doc, []byte("{")) > MaxDepth {
		return // what we say otherwise, and promise so
	}
	_, err := parse(doc, 0)
	if want := json.Valid(doc); (err == nil) != want {
		t.Fatalf("%q: got %v, valid %v", doc, err, want)
	}
}
