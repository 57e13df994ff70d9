package patch

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
)

// node is one value of a document, opened only when something asks for its inside.
type node struct {
	raw []byte  // as written; nil after a change below, in tells then
	in  *inside // nil: not opened, or neither object nor list
}

// inside holds the members of an object or the elements of a list.
type inside struct {
	list    bool
	members []member
	index   map[string]int // the last member of each name; built when it pays
	twice   bool           // the index has met a name more than once
	lookups int
}

type member struct {
	key     []byte // quoted, as written; empty in a list
	escaped bool   // key has a backslash
	dead    bool   // removed: the order of the others stays
	node
}

// indexAfter is the number of searches in one object that pay for an index.
const indexAfter = 8

func newInside(raw []byte) *inside {
	guess := min(4+len(raw)/128, 256)
	return &inside{list: raw[0] == '[', members: make([]member, 0, guess)}
}

// open returns the inside of n, nil if it has none. What n holds has been checked.
func (n *node) open() *inside { return n.openLike(nil) }

// openLike is open, faster when n has the members of like.
func (n *node) openLike(like *inside) *inside {
	if n.in == nil && (n.raw[0] == '{' || n.raw[0] == '[') {
		n.in = newInside(n.raw)
		if _, bad := container(n.raw, 0, aboveValues, n.in, like); bad != none {
			panic("patch: value was checked and does not open: " + string(bad))
		}
	}
	return n.in
}

// class is the same for values that may be equal: '{', '[', '"', 't', 'f', 'n', '0'.
func (n *node) class() byte {
	if n.raw == nil {
		if n.in.list {
			return '['
		}
		return '{'
	}
	if c := n.raw[0]; c != '-' && !digit(c) {
		return c
	}
	return '0'
}

// child returns the member or element that token names, nil if there is none.
func (n *node) child(token string) *node {
	in := n.open()
	if in == nil {
		return nil
	}
	i := -1
	if in.list {
		i = position(token, len(in.members))
	} else {
		i = in.find(token)
	}
	if i < 0 {
		return nil
	}
	return &in.members[i].node
}

// dump stands for an object in an error as Digital Rebar writes it, in Go's syntax, but keeps the
// members to itself: errors are seen by those who may not read them all.
func (n *node) dump() string {
	if in := n.open(); in != nil && slices.ContainsFunc(in.members, func(m member) bool { return !m.dead }) {
		return "map[string]interface {}{…}"
	}
	return "map[string]interface {}{}"
}

// position returns the index that token is in a list of length n, -1 if it is none.
func position(token string, n int) int {
	if token == "" || len(token) > 1 && token[0] == '0' {
		return -1
	}
	for i := range len(token) {
		if !digit(token[i]) {
			return -1
		}
	}
	i, err := strconv.Atoi(token)
	if err != nil || i >= n {
		return -1
	}
	return i
}

// find returns the place of the member that counts under name, -1 if there is none.
func (in *inside) find(name string) int {
	if in.lookups++; in.lookups > indexAfter {
		if i, found := in.byName()[name]; found {
			return i
		}
		return -1
	}
	for i := len(in.members) - 1; i >= 0; i-- {
		if m := &in.members[i]; !m.dead && m.named(name) {
			return i
		}
	}
	return -1
}

func (in *inside) byName() map[string]int {
	if in.index == nil {
		in.index = make(map[string]int, len(in.members))
		for i := range in.members {
			m := &in.members[i]
			if m.dead {
				continue
			}
			name := m.name()
			if _, found := in.index[name]; found {
				in.twice = true
			}
			in.index[name] = i
		}
	}
	return in.index
}

func (m *member) name() string {
	if m.escaped {
		return unquote(m.key)
	}
	return string(m.key[1 : len(m.key)-1])
}

func (m *member) named(name string) bool {
	if m.escaped {
		return unquote(m.key) == name
	}
	return string(m.key[1:len(m.key)-1]) == name
}

// set gives the object the member name, in its old place if it had one.
func (in *inside) set(name string, to node) {
	if i := in.find(name); i >= 0 {
		in.members[i].node = to
		return
	}
	key := quote(name)
	in.members = append(in.members, member{key: key, escaped: bytes.IndexByte(key, '\\') >= 0, node: to})
	if in.index != nil {
		in.index[name] = len(in.members) - 1
	}
}

// drop removes the member name, which is there, and its duplicates: they would come
// to light.
func (in *inside) drop(name string) {
	if in.index != nil && !in.twice {
		m := &in.members[in.index[name]]
		m.dead, m.node = true, node{}
		delete(in.index, name)
		return
	}
	for i := range in.members {
		if m := &in.members[i]; !m.dead && m.named(name) {
			m.dead, m.node = true, node{}
		}
	}
	delete(in.index, name)
}

func quote(name string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(name); err != nil {
		panic("patch: string does not encode: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// appendTo appends the value as JSON, what was not touched as it was written.
func (n *node) appendTo(b []byte) []byte {
	if n.raw != nil {
		return append(b, n.raw...)
	}
	opening, closing := byte('{'), byte('}')
	if n.in.list {
		opening, closing = '[', ']'
	}
	b = append(b, opening)
	first := true
	for i := range n.in.members {
		m := &n.in.members[i]
		if m.dead {
			continue
		}
		if !first {
			b = append(b, ',')
		}
		first = false
		if len(m.key) > 0 {
			b = append(append(b, m.key...), ':')
		}
		b = m.appendTo(b)
	}
	return append(b, closing)
}

// bytes returns the value as JSON in memory of its own.
func (n *node) bytes() []byte {
	return n.appendTo(make([]byte, 0, len(n.raw)))
}
