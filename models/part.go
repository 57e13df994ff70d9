package models

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unsafe"
)

// An object is known in two forms, as a struct and as canonical JSON, and most changes touch one
// or two of its members. What stands in this file carries a change from one form to the other at
// the cost of the members that it touches, and not of the whole object.

// shape is what the canonical JSON of a kind looks like: its members in order.
type shape struct {
	members []memberShape
	byName  map[string]int
}

type memberShape struct {
	name  string
	label string // `"Name":`
	index []int  // of the field
	sort  sort
	omit  bool // left out while it is empty
}

// sort is how the value of a member is handled.
type sort int

const (
	whole  sort = iota // by encoding/json
	text               // string
	flag               // bool
	number             // int
	list               // []string
	texts              // map[string]string
	params             // Params
)

func shapeOf(t reflect.Type) *shape {
	s := &shape{byName: map[string]int{}}
	for _, f := range reflect.VisibleFields(t) {
		if f.Anonymous || !f.IsExported() || len(f.Index) > 1 && t.Field(f.Index[0]).Tag.Get("json") == "-" {
			continue
		}
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" {
			name = f.Name
		}
		m := memberShape{name: name, label: `"` + name + `":`, index: f.Index, sort: sortOf(f.Type), omit: options == "omitempty"}
		s.byName[name] = len(s.members)
		s.members = append(s.members, m)
	}
	return s
}

func sortOf(t reflect.Type) sort {
	switch t {
	case reflect.TypeFor[[]string]():
		return list
	case reflect.TypeFor[map[string]string]():
		return texts
	case reflect.TypeFor[Params]():
		return params
	}
	switch t.Kind() {
	case reflect.String:
		return text
	case reflect.Bool:
		return flag
	case reflect.Int:
		return number
	}
	return whole
}

// mapped: single keys of the member can be told apart.
func (m *memberShape) mapped() bool { return m.sort == texts || m.sort == params }

func (m *memberShape) of(o reflect.Value) reflect.Value { return o.FieldByIndex(m.index) }

// absent: the member does not stand in the JSON of the object.
func (m *memberShape) absent(f reflect.Value) bool {
	if !m.omit {
		return false
	}
	switch f.Kind() {
	case reflect.Map, reflect.Slice:
		return f.Len() == 0
	}
	return f.IsZero()
}

// Part is some of the members of an object: whole ones, and single keys of Params and Meta.
type Part struct {
	shape *shape
	picks []pick // in the order of the members
	free  bool   // of a Custom object, whose members have no order: all of it may differ
}

// pick is one member: all of it, or the keys of a map, sorted.
type pick struct {
	member int
	whole  bool
	keys   []string
}

// PartAt is the part that holds all that the paths lead to, each given as the reference tokens of
// a JSON pointer. It is false when a path leads to the object as a whole or beside what its kind
// has.
func PartAt(kind string, paths ...[]string) (Part, bool) {
	k, ok := KindOf(kind)
	if !ok {
		return Part{}, false
	}
	p := Part{shape: k.shape}
	for _, path := range paths {
		if len(path) == 0 {
			return Part{}, false
		}
		i, ok := k.shape.byName[path[0]]
		if !ok {
			return Part{}, false
		}
		at := p.at(i)
		if len(path) == 1 || !k.shape.members[i].mapped() {
			at.whole, at.keys = true, nil
		}
		if !at.whole {
			if j, found := slices.BinarySearch(at.keys, path[1]); !found {
				at.keys = slices.Insert(at.keys, j, path[1])
			}
		}
	}
	return p, true
}

// at is the pick of a member, which is made where there is none.
func (p *Part) at(member int) *pick {
	i, found := slices.BinarySearchFunc(p.picks, member, func(k pick, m int) int { return k.member - m })
	if !found {
		p.picks = slices.Insert(p.picks, i, pick{member: member})
	}
	return &p.picks[i]
}

// Changed is the part in which two versions of an object differ, or may differ.
func Changed(old, new Object) Part {
	if _, ok := new.(*Custom); ok {
		return Part{free: true}
	}
	k, _ := KindOf(new.Kind())
	p := Part{shape: k.shape}
	a, b := reflect.ValueOf(old).Elem(), reflect.ValueOf(new).Elem()
	for i := range k.shape.members {
		m := &k.shape.members[i]
		was, is := m.of(a), m.of(b)
		switch same, keys := m.compare(was, is); {
		case same:
		case keys == nil, m.absent(was) != m.absent(is): // it comes or goes as a whole
			p.picks = append(p.picks, pick{member: i, whole: true})
		default:
			p.picks = append(p.picks, pick{member: i, keys: keys})
		}
	}
	return p
}

// compare tells whether two values are the same, and of maps the keys in which they differ.
func (m *memberShape) compare(a, b reflect.Value) (same bool, keys []string) {
	switch m.sort {
	case text:
		return a.String() == b.String(), nil
	case flag:
		return a.Bool() == b.Bool(), nil
	case number:
		return a.Int() == b.Int(), nil
	case list:
		return slices.Equal(*a.Addr().Interface().(*[]string), *b.Addr().Interface().(*[]string)), nil
	case texts:
		keys = differing(*a.Addr().Interface().(*map[string]string), *b.Addr().Interface().(*map[string]string), func(x, y string) bool { return x == y })
		return len(keys) == 0, keys
	case params:
		keys = changedParams(*a.Addr().Interface().(*Params), *b.Addr().Interface().(*Params))
		return len(keys) == 0, keys
	}
	return reflect.DeepEqual(a.Interface(), b.Interface()), nil
}

// ChangedParams are the names of the params that new has and old has not, or not with the same
// text; sorted.
func ChangedParams(old, new Params) []string {
	keys := changedParams(old, new)
	return slices.DeleteFunc(keys, func(k string) bool { _, ok := new[k]; return !ok })
}

// changedParams is quick where both are the same map.
func changedParams(a, b Params) []string {
	if reflect.ValueOf(a).UnsafePointer() == reflect.ValueOf(b).UnsafePointer() {
		return nil
	}
	return differing(a, b, sameBytes)
}

// sameBytes is quick where both are the same memory, as the values that a change leaves alone are.
func sameBytes(a, b json.RawMessage) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0] || bytes.Equal(a, b))
}

func differing[V any](a, b map[string]V, equal func(V, V) bool) []string {
	var keys []string
	found := 0
	for k, is := range b {
		was, ok := a[k]
		if ok {
			found++
		}
		if !ok || !equal(was, is) {
			keys = append(keys, k)
		}
	}
	if found < len(a) {
		for k := range a {
			if _, ok := b[k]; !ok {
				keys = append(keys, k)
			}
		}
	}
	slices.Sort(keys)
	return keys
}

// Keyed: there is nothing in the part but single keys of maps, so that what Set leaves is in its
// canonical form if the object was.
func (p Part) Keyed() bool {
	return !p.free && !slices.ContainsFunc(p.picks, func(k pick) bool { return k.whole })
}

// Empty: there is nothing in the part.
func (p Part) Empty() bool { return len(p.picks) == 0 && !p.free }

// Marshal is the object's canonical JSON with nothing in it but the part. Of a map, keys that the
// object does not have are left out.
func (p Part) Marshal(o Object) ([]byte, error) {
	v := reflect.ValueOf(o).Elem()
	b := make([]byte, 1, 256)
	b[0] = '{'
	for i := range p.picks {
		m := &p.shape.members[p.picks[i].member]
		f := m.of(v)
		if m.absent(f) {
			continue
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(b, m.label...)
		var err error
		if b, err = p.picks[i].append(b, m, f); err != nil {
			return nil, err
		}
	}
	return append(b, '}'), nil
}

func (k *pick) append(b []byte, m *memberShape, f reflect.Value) ([]byte, error) {
	if k.whole {
		return m.append(b, f)
	}
	b = append(b, '{')
	open := len(b)
	for _, key := range k.keys {
		value, ok, err := m.entry(f, key)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if len(b) > open {
			b = append(b, ',')
		}
		b = append(appendText(b, key), ':')
		b = append(b, value...)
	}
	return append(b, '}'), nil
}

// entry is the JSON under one key of a map.
func (m *memberShape) entry(f reflect.Value, key string) (value []byte, ok bool, err error) {
	if m.sort == texts {
		s, ok := (*f.Addr().Interface().(*map[string]string))[key]
		if !ok {
			return nil, false, nil
		}
		return appendText(nil, s), true, nil
	}
	raw, ok := (*f.Addr().Interface().(*Params))[key]
	if !ok {
		return nil, false, nil
	}
	value, err = Marshal(raw)
	return value, true, err
}

// append appends the JSON of a member's value.
func (m *memberShape) append(b []byte, f reflect.Value) ([]byte, error) {
	switch m.sort {
	case text:
		return appendText(b, f.String()), nil
	case flag:
		return strconv.AppendBool(b, f.Bool()), nil
	case number:
		return strconv.AppendInt(b, f.Int(), 10), nil
	case list:
		if f.IsNil() {
			return append(b, "null"...), nil
		}
		b = append(b, '[')
		for i, s := range *f.Addr().Interface().(*[]string) {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendText(b, s)
		}
		return append(b, ']'), nil
	}
	raw, err := Marshal(f.Interface())
	return append(b, raw...), err
}

// appendText appends a string as Marshal writes it, quicker for the text that most are.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x80 {
			raw, err := Marshal(s)
			if err != nil {
				panic("models: a string does not marshal: " + err.Error())
			}
			return append(b, raw...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}

var errShape = errors.New("not the canonical JSON of its kind")

// Set gives the object the part as it stands in doc: a compact JSON object whose members are of
// the part. What doc lacks becomes empty, a key that it lacks goes. The error is that of
// decoding; the object is spoilt then. Params that the object shares with others stay theirs.
func (p Part) Set(o Object, doc []byte) error {
	v := reflect.ValueOf(o).Elem()
	got := make([][]byte, len(p.picks))
	err := eachMember(doc, func(key, value []byte) error {
		name, err := unquote(key)
		if err != nil {
			return err
		}
		i, ok := p.shape.byName[name]
		if !ok {
			return errShape
		}
		j, ok := slices.BinarySearchFunc(p.picks, i, func(k pick, m int) int { return k.member - m })
		if !ok {
			return errShape
		}
		got[j] = value
		return nil
	})
	if err != nil {
		return err
	}
	for i := range p.picks {
		k := &p.picks[i]
		m := &p.shape.members[k.member]
		if err := k.set(m, m.of(v), got[i]); err != nil {
			return err
		}
	}
	return nil
}

func (k *pick) set(m *memberShape, f reflect.Value, raw []byte) error {
	if k.whole {
		f.SetZero()
		if raw == nil {
			return nil
		}
		return json.Unmarshal(raw, f.Addr().Interface())
	}
	if raw == nil { // left out, since it is empty
		raw = []byte("{}")
	}
	if m.sort == texts {
		return setKeys(f.Addr().Interface().(*map[string]string), k.keys, raw)
	}
	return setKeys((*map[string]json.RawMessage)(f.Addr().Interface().(*Params)), k.keys, raw)
}

func setKeys[V any](to *map[string]V, keys []string, raw []byte) error {
	next := maps.Clone(*to)
	if next == nil {
		next = map[string]V{}
	}
	for _, key := range keys {
		delete(next, key)
	}
	err := eachMember(raw, func(key, value []byte) error {
		name, err := unquote(key)
		if err != nil {
			return err
		}
		var v V
		if err := json.Unmarshal(value, &v); err != nil {
			return err
		}
		next[name] = v
		return nil
	})
	*to = next
	return err
}

// Value is one value that two versions of an object may differ in.
type Value struct {
	Path    []string // reference tokens of its JSON pointer: a member, or a member and a key
	Was, Is []byte   // JSON; nil: there is none
}

// Values are those of the part that are not the same in two versions of an object.
func (p Part) Values(old, new Object) ([]Value, error) {
	if p.free {
		return new.(*Custom).values(old.(*Custom))
	}
	a, b := reflect.ValueOf(old).Elem(), reflect.ValueOf(new).Elem()
	values := make([]Value, 0, len(p.picks))
	for i := range p.picks {
		k := &p.picks[i]
		m := &p.shape.members[k.member]
		was, is := m.of(a), m.of(b)
		if k.whole {
			v := Value{Path: []string{m.name}}
			var err, err2 error
			if !m.absent(was) {
				v.Was, err = m.append(nil, was)
			}
			if !m.absent(is) {
				v.Is, err2 = m.append(nil, is)
			}
			if err = errors.Join(err, err2); err != nil {
				return nil, err
			}
			if !bytes.Equal(v.Was, v.Is) {
				values = append(values, v)
			}
			continue
		}
		for _, key := range k.keys {
			v := Value{Path: []string{m.name, key}}
			var err, err2 error
			v.Was, _, err = m.entry(was, key)
			v.Is, _, err2 = m.entry(is, key)
			if err = errors.Join(err, err2); err != nil {
				return nil, err
			}
			if !bytes.Equal(v.Was, v.Is) {
				values = append(values, v)
			}
		}
	}
	return values, nil
}

// Splice is the canonical JSON of an object that differs from an earlier version, whose canonical
// JSON is raw, in the part and nowhere else.
func (p Part) Splice(raw []byte, o Object) ([]byte, error) {
	if p.free {
		return Marshal(o)
	}
	v := reflect.ValueOf(o).Elem()
	b := make([]byte, 0, len(raw)+64)
	kept, at := 0, 1 // raw up to kept is copied; a member begins at raw[at]
	for i := range p.picks {
		k := &p.picks[i]
		m := &p.shape.members[k.member]
		f := m.of(v)
		if m.omit { // it may come or go
			return Marshal(o)
		}
		start, end := find(raw, at, m.label)
		if start < 0 {
			return nil, errShape
		}
		b = append(b, raw[kept:start]...)
		var err error
		if k.whole {
			b, err = m.append(b, f)
		} else {
			b, err = k.splice(b, raw[start:end], m, f)
		}
		if err != nil {
			return nil, err
		}
		kept, at = end, end+1
	}
	return append(b, raw[kept:]...), nil
}

// find returns where the value of a labelled member begins and ends, when the members from
// raw[at] on are gone through; -1 when there is none.
func find(raw []byte, at int, label string) (start, end int) {
	for at < len(raw) && raw[at] == '"' {
		if bytes.HasPrefix(raw[at:], []byte(label)) {
			start := at + len(label)
			return start, skip(raw, start)
		}
		if at = skipText(raw, at); at < 0 {
			return -1, -1
		}
		if at = skip(raw, at+1); at < 0 {
			return -1, -1
		}
		at++
	}
	return -1, -1
}

// splice appends the JSON of a map whose JSON was raw before some keys changed.
func (k *pick) splice(b, raw []byte, m *memberShape, f reflect.Value) ([]byte, error) {
	if len(raw) < 2 || raw[0] != '{' {
		return nil, errShape
	}
	open := len(b) + 1
	put := func(key string) error {
		value, ok, err := m.entry(f, key)
		if err != nil || !ok {
			return err
		}
		if len(b) > open {
			b = append(b, ',')
		}
		b = append(append(appendText(b, key), ':'), value...)
		return nil
	}
	keys := k.keys
	b = append(b, '{')
	at, kept := 1, 1 // members from raw[kept] to raw[at] stay
	keep := func(to int) {
		if part := bytes.TrimSuffix(raw[kept:to], []byte(",")); len(part) > 0 {
			if len(b) > open {
				b = append(b, ',')
			}
			b = append(b, part...)
		}
	}
	for at < len(raw) && raw[at] == '"' && len(keys) > 0 {
		colon := skipText(raw, at)
		if colon < 0 {
			return nil, errShape
		}
		end := skip(raw, colon+1)
		if end < 0 || end == len(raw) {
			return nil, errShape
		}
		name := raw[at+1 : colon-1]
		if bytes.IndexByte(name, '\\') >= 0 {
			s, err := unquote(raw[at:colon])
			if err != nil {
				return nil, err
			}
			name = []byte(s)
		}
		if raw[end] == ',' {
			end++
		}
		if keys[0] <= string(name) {
			keep(at)
			kept = at
			for len(keys) > 0 && keys[0] <= string(name) {
				if keys[0] == string(name) {
					kept = end
				}
				if err := put(keys[0]); err != nil {
					return nil, err
				}
				keys = keys[1:]
			}
		}
		at = end
	}
	if len(keys) > 0 {
		keep(at)
		kept = len(raw) - 1
		for _, key := range keys {
			if err := put(key); err != nil {
				return nil, err
			}
		}
	}
	keep(len(raw) - 1)
	return append(b, '}'), nil
}

// With is the canonical JSON of an object with other values for some of its members; one that it
// does not have is left out.
func With(raw []byte, values map[string]json.RawMessage) ([]byte, error) {
	b := append(make([]byte, 0, len(raw)/2), '{')
	err := eachMember(raw, func(key, value []byte) error {
		if v, ok := values[string(key[1:len(key)-1])]; ok {
			value = v
		}
		if len(b) > 1 {
			b = append(b, ',')
		}
		b = append(append(b, key...), ':')
		b = append(b, value...)
		return nil
	})
	return append(b, '}'), err
}

// Read decodes what Marshal wrote, much quicker than Unmarshal; the object shares memory with
// raw, which must not change any more; Normalize it for what is left out while it is empty. It is
// false when raw is not of that form, for example
// since a later version of drp has added a member.
func Read(kind string, raw []byte) (Object, bool) {
	k, ok := KindOf(kind)
	if !ok {
		return nil, false
	}
	o := k.New()
	v, next := reflect.ValueOf(o).Elem(), 0
	err := eachMember(raw, func(key, value []byte) error {
		for ; next < len(k.shape.members); next++ {
			m := &k.shape.members[next]
			if len(key) == len(m.label)-1 && string(key) == m.label[:len(m.label)-1] {
				next++
				return m.read(m.of(v), value)
			}
			if !m.omit {
				break
			}
		}
		return errShape
	})
	for ; next < len(k.shape.members); next++ {
		if !k.shape.members[next].omit {
			return nil, false
		}
	}
	if d, ok := o.(interface{ derive() }); ok {
		d.derive()
	}
	return o, err == nil
}

// read decodes the value of a member.
func (m *memberShape) read(f reflect.Value, raw []byte) error {
	switch m.sort {
	case text:
		s, err := unquote(raw)
		f.SetString(s)
		return err
	case flag:
		f.SetBool(len(raw) == 4)
		return nil
	case number:
		n, err := strconv.ParseInt(string(raw), 10, 64)
		f.SetInt(n)
		return err
	case list:
		if len(raw) == 2 {
			f.Set(reflect.ValueOf([]string{}))
			return nil
		}
	case texts:
		to := map[string]string{}
		f.Set(reflect.ValueOf(to))
		return eachMember(raw, func(key, value []byte) error {
			k, err := unquote(key)
			if err != nil {
				return err
			}
			to[k], err = unquote(value)
			return err
		})
	case params:
		p, err := readParams(raw, members(raw))
		f.Set(reflect.ValueOf(p))
		return err
	}
	return json.Unmarshal(raw, f.Addr().Interface())
}

// readParams decodes about n params, whose names and values share memory with raw.
func readParams(raw []byte, n int) (Params, error) {
	p := make(Params, n)
	return p, eachMember(raw, func(key, value []byte) error {
		if name := key[1 : len(key)-1]; bytes.IndexByte(name, '\\') < 0 && len(name) > 0 {
			p[unsafe.String(&name[0], len(name))] = value
			return nil
		}
		k, err := unquote(key)
		p[k] = value
		return err
	})
}

// members is how many members an object has.
func members(raw []byte) (n int) {
	_ = eachMember(raw, func(_, _ []byte) error { n++; return nil }) // who reads them meets the error
	return n
}

// Settle makes the params of an object share memory with its canonical JSON, which must not change
// any more, so that they are not kept twice, nor an earlier version for their sake.
func Settle(o Object, raw []byte) {
	h, ok := o.(ParamHolder)
	if !ok || len(*h.ParamMap()) == 0 {
		return
	}
	start, end := find(raw, 1, `"Params":`)
	if start < 0 || end < 0 {
		return
	}
	if p, err := readParams(raw[start:end], len(*h.ParamMap())); err == nil {
		*h.ParamMap() = p
	}
}

// eachMember calls fn for every member of a compact JSON object, with its key in quotes.
func eachMember(raw []byte, fn func(key, value []byte) error) error {
	if len(raw) < 2 || raw[0] != '{' || raw[len(raw)-1] != '}' {
		return errShape
	}
	if len(raw) == 2 {
		return nil
	}
	for at := 1; ; at++ {
		if at >= len(raw) || raw[at] != '"' {
			return errShape
		}
		colon := skipText(raw, at)
		if colon < 0 || colon >= len(raw) || raw[colon] != ':' {
			return errShape
		}
		end := skip(raw, colon+1)
		if end < 0 || end >= len(raw) || end == colon+1 {
			return errShape
		}
		if err := fn(raw[at:colon], raw[colon+1:end:end]); err != nil {
			return err
		}
		at = end
		switch {
		case raw[at] == '}' && at == len(raw)-1:
			return nil
		case raw[at] != ',':
			return errShape
		}
	}
}

// skip returns the end of the value at raw[i], in compact JSON; -1 when it has none.
func skip(raw []byte, i int) int {
	if i >= len(raw) {
		return -1
	}
	switch raw[i] {
	case '"':
		return skipText(raw, i)
	case '{', '[':
	default:
		for i < len(raw) && raw[i] != ',' && raw[i] != '}' && raw[i] != ']' {
			i++
		}
		return i
	}
	for depth := 0; i < len(raw); {
		switch raw[i] {
		case '"':
			if i = skipText(raw, i); i < 0 {
				return -1
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
		i++
	}
	return -1
}

// skipText returns the end of the string at raw[i]; -1 when it has none.
func skipText(raw []byte, i int) int {
	for from := i + 1; ; {
		n := bytes.IndexByte(raw[from:], '"')
		if n < 0 {
			return -1
		}
		end := from + n
		slashes := end
		for slashes > i+1 && raw[slashes-1] == '\\' {
			slashes--
		}
		if (end-slashes)%2 == 0 {
			return end + 1
		}
		from = end + 1
	}
}

// unquote decodes a JSON string.
func unquote(raw []byte) (string, error) {
	if len(raw) >= 2 && raw[0] == '"' && bytes.IndexByte(raw, '\\') < 0 {
		return string(raw[1 : len(raw)-1]), nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
}

// Copy copies an object deeply, but for the text of JSON values, which is never changed in place.
func Copy[T Object](o T) T {
	c := CopyButParams(o)
	if h, ok := any(c).(ParamHolder); ok {
		p := h.ParamMap()
		*p = maps.Clone(*p)
	}
	return c
}

// CopyButParams is Copy, quicker by the map of params, which the copy shares: to change one of
// them, put another map in its place.
func CopyButParams[T Object](o T) T {
	if c, ok := any(o).(*Custom); ok {
		return any(c.copyButParams()).(T)
	}
	v := reflect.ValueOf(o).Elem()
	c := reflect.New(v.Type())
	c.Elem().Set(v)
	k, _ := KindOf(o.Kind())
	for i := range k.shape.members {
		m := &k.shape.members[i]
		switch m.sort {
		case list:
			f := m.of(c.Elem()).Addr().Interface().(*[]string)
			*f = slices.Clone(*f)
		case texts:
			f := m.of(c.Elem()).Addr().Interface().(*map[string]string)
			*f = maps.Clone(*f)
		case whole:
			f := m.of(c.Elem())
			f.Set(deep(f))
		}
	}
	if d, ok := c.Interface().(interface{ derive() }); ok {
		d.derive()
	}
	return c.Interface().(T)
}

// deep copies a value and what it holds, but not the text of JSON.
func deep(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Slice:
		if v.IsNil() || v.Type() == reflect.TypeFor[json.RawMessage]() {
			return v
		}
		c := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			c.Index(i).Set(deep(v.Index(i)))
		}
		return c
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		c := reflect.MakeMapWithSize(v.Type(), v.Len())
		for it := v.MapRange(); it.Next(); {
			c.SetMapIndex(it.Key(), deep(it.Value()))
		}
		return c
	case reflect.Struct:
		c := reflect.New(v.Type()).Elem()
		c.Set(v)
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				c.Field(i).Set(deep(v.Field(i)))
			}
		}
		return c
	case reflect.Pointer:
		if v.IsNil() {
			return v
		}
		c := reflect.New(v.Type().Elem())
		c.Elem().Set(deep(v.Elem()))
		return c
	}
	return v
}
