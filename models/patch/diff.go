package patch

import (
	"bytes"
	"fmt"
	"slices"
)

// Mode tells Diff which tests to write.
type Mode int

const (
	Plain Mode = iota // no tests: what the document is now is lost
	Tests             // a test before every operation that loses a value
)

// Diff returns the patch that leads from old to new: Apply(old, Diff(old, new)) is
// new, whatever the mode. It is made the way Digital Rebar's client makes it:
// objects are compared member by member and to any depth; a scalar, a list or
// another type is replaced whole; a key that went is removed, a new one is added.
// With Tests, each replace and remove stands behind a test of the old value.
//
// Members are in the order of their keys, so equal documents give equal patches;
// documents that are equal by the rules of test give an empty one, never nil. An
// empty or null document is one that does not exist: from it leads a single add of
// "", to it a single remove of "". A difference of more than MaxOps operations is
// written as the replacement of the whole. The patch shares no memory with old and
// new; the error says which of them is not JSON.
func Diff(old, new []byte, mode Mode) (Patch, error) {
	a, err := parse(old, 0)
	if err != nil {
		return nil, fmt.Errorf("compare: old: %w", err)
	}
	b, err := parseLike(new, 0, a.object())
	if err != nil {
		return nil, fmt.Errorf("compare: new: %w", err)
	}
	d := differ{mode: mode, patch: Patch{}}
	switch born, gone := a.class() == 'n', b.class() == 'n'; {
	case born && gone:
	case born:
		d.add("", &b)
	case gone:
		d.remove("", &a)
	default:
		d.compare("", &a, &b)
	}
	if len(d.patch) > MaxOps {
		d.patch = Patch{}
		d.replace("", &a, &b)
	}
	return d.patch, nil
}

// object returns the members of an open object, nil for anything else.
func (n *node) object() *inside {
	if n.in == nil || n.in.list {
		return nil
	}
	return n.in
}

type differ struct {
	mode  Mode
	patch Patch
}

func (d *differ) compare(path string, old, new *node) {
	if bytes.Equal(old.raw, new.raw) {
		return
	}
	if old.class() != '{' || new.class() != '{' {
		if !equal(old, new) {
			d.replace(path, old, new)
		}
		return
	}
	a := old.open()
	b := new.openLike(a)
	for _, name := range suspects(a.members, b.members) {
		d.member(path+"/"+Escape(name), a.at(name), b.at(name))
	}
}

func (d *differ) member(path string, old, new *node) {
	switch {
	case old == nil:
		d.add(path, new)
	case new == nil:
		d.remove(path, old)
	default:
		d.compare(path, old, new)
	}
}

func (d *differ) add(path string, new *node) {
	d.patch = append(d.patch, Op{Op: opAdd, Path: path, Value: new.bytes()})
}

func (d *differ) replace(path string, old, new *node) {
	d.test(path, old)
	d.patch = append(d.patch, Op{Op: opReplace, Path: path, Value: new.bytes()})
}

func (d *differ) remove(path string, old *node) {
	d.test(path, old)
	d.patch = append(d.patch, Op{Op: opRemove, Path: path})
}

func (d *differ) test(path string, old *node) {
	if d.mode == Tests {
		d.patch = append(d.patch, Op{Op: opTest, Path: path, Value: old.bytes()})
	}
}

// suspects returns the sorted names of the members that a and b may differ in: all
// but those that can be paired off in order, byte for byte. A member whose
// duplicates are all paired is equal in both, so the last one, which counts, is too.
func suspects(a, b []member) []string {
	var names []string
	i, j := 0, 0
	for i < len(a) && j < len(b) {
		switch {
		case bytes.Equal(a[i].key, b[j].key):
			if !bytes.Equal(a[i].raw, b[j].raw) {
				names = append(names, a[i].name())
			}
			i, j = i+1, j+1
		case j+1 < len(b) && bytes.Equal(a[i].key, b[j+1].key):
			names = append(names, b[j].name())
			j++
		case i+1 < len(a) && bytes.Equal(a[i+1].key, b[j].key):
			names = append(names, a[i].name())
			i++
		default:
			names = append(names, a[i].name(), b[j].name())
			i, j = i+1, j+1
		}
	}
	for ; i < len(a); i++ {
		names = append(names, a[i].name())
	}
	for ; j < len(b); j++ {
		names = append(names, b[j].name())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// at returns the member that counts under name, nil if there is none.
func (in *inside) at(name string) *node {
	if i := in.find(name); i >= 0 {
		return &in.members[i].node
	}
	return nil
}

// Append appends to p what leads from old to new at a pointer, tests included; nil is a value that
// is not there. Unlike Diff, it leads to new byte for byte: where operations on the members of an
// object would leave other bytes, equal only by meaning, the value is replaced whole.
func Append(p Patch, path string, old, new []byte) (Patch, error) {
	switch {
	case bytes.Equal(old, new):
		return p, nil
	case old == nil:
		return append(p, Op{Op: opAdd, Path: path, Value: new}), nil
	case new == nil:
		return append(p, Op{Op: opTest, Path: path, Value: old}, Op{Op: opRemove, Path: path}), nil
	case old[0] == '{' && new[0] == '{':
		inner, err := Diff(old, new, Tests)
		if err != nil {
			return nil, err
		}
		if after, err := inner.Apply(old); err == nil && bytes.Equal(after, new) {
			for _, op := range inner {
				op.Path = path + op.Path
				p = append(p, op)
			}
			return p, nil
		}
	}
	return append(p, Op{Op: opTest, Path: path, Value: old}, Op{Op: opReplace, Path: path, Value: new}), nil
}

// Invert returns the patch that takes back p, which Diff made with Tests: for every
// old it applies to, Apply(Apply(old, p), p.Invert()) is old again. It carries tests
// too, so it fails where p was overwritten since. Operations that do not tell what
// was there before (a replace or remove without its test, a move, a copy) are an
// error.
func (p Patch) Invert() (Patch, error) {
	inverse := make(Patch, 0, len(p))
	for i := len(p) - 1; i >= 0; i-- {
		op := p[i]
		if op.Op == opAdd {
			inverse = append(inverse, Op{Op: opTest, Path: op.Path, Value: op.Value}, Op{Op: opRemove, Path: op.Path})
			continue
		}
		if op.Op != opReplace && op.Op != opRemove || i == 0 || p[i-1].Op != opTest || p[i-1].Path != op.Path {
			return nil, fmt.Errorf("invert patch: operation %d, %s %q, does not tell what was there before", i, op.Op, op.Path)
		}
		i--
		was := p[i].Value
		if op.Op == opRemove {
			inverse = append(inverse, Op{Op: opAdd, Path: op.Path, Value: was})
			continue
		}
		inverse = append(inverse, Op{Op: opTest, Path: op.Path, Value: op.Value}, Op{Op: opReplace, Path: op.Path, Value: was})
	}
	return inverse, nil
}
