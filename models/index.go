package models

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// IndexType is how the values of an index are read and ordered.
type IndexType string

const (
	IndexString IndexType = "string"
	IndexBool   IndexType = "boolean"
	IndexInt    IndexType = "integer"
	IndexNumber IndexType = "number"
	IndexTime   IndexType = "dateTime"
	IndexUUID   IndexType = "UUID string"
	IndexIP     IndexType = "IP Address"
	IndexCIDR   IndexType = "CIDR Address"
	IndexStamp  IndexType = "Date/Time string" // a time too; what is none is refused in other words
)

// Index describes a field that lists can be filtered and sorted by.
type Index struct {
	Type      IndexType
	Unique    bool
	Unordered bool // a list: any of its elements may match
	Regex     bool
	field     []int
	member    string             // of a Custom object, where it is none of its fields
	computed  func(Object) []any // instead of the field
	badIP     string
}

// unindexed are fields that must not be probed by filters, unless their kind gives them a type.
var unindexed = map[string]bool{"Secret": true, "PasswordHash": true, "Token": true, "Fingerprint": true}

// Indexes is every index of the kind by name: Key, Valid, and each field that is a scalar or a
// list of strings.
func (k *KindInfo) Indexes() map[string]Index { return k.indexes }

// buildIndexes reads the indexes off the struct of a kind.
func (k *KindInfo) buildIndexes() {
	k.indexes = map[string]Index{}
	for _, f := range reflect.VisibleFields(reflect.TypeOf(k.New()).Elem()) {
		t, list, ok := indexTypeOf(f.Type)
		over, given := k.Types[f.Name]
		if !ok || unindexed[f.Name] && !given {
			continue
		}
		if given {
			t = over
		}
		ix := Index{Type: t, Unordered: list, Regex: t == IndexString, field: f.Index, badIP: k.BadIP}
		ix.Unique = f.Name == k.KeyField || contains(k.Unique, f.Name)
		switch f.Name {
		case "Validated":
			k.indexes["Valid"] = ix
		case k.KeyField:
			k.indexes["Key"] = ix
			if t != IndexString {
				k.indexes["Key"] = Index{Type: IndexString, Unique: true, Regex: true, computed: func(o Object) []any { return []any{o.Key()} }}
			}
		}
		k.indexes[f.Name] = ix
	}
	for name, path := range k.Inner {
		t, ix := reflect.TypeOf(k.New()).Elem(), Index{Type: IndexString, Regex: true}
		for _, field := range path {
			f, ok := t.FieldByName(field)
			if !ok {
				panic("models: index " + name + " of " + k.Name + ": no field " + field)
			}
			t, ix.field = f.Type, append(ix.field, f.Index...)
		}
		k.indexes[name] = ix
	}
	for name, ix := range k.Computed {
		ix.badIP = k.BadIP
		k.indexes[name] = ix
	}
}

func indexTypeOf(t reflect.Type) (it IndexType, list, ok bool) {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return IndexTime, false, true
	case t == reflect.TypeFor[[]string]():
		return IndexString, true, true
	}
	switch t.Kind() {
	case reflect.String:
		return IndexString, false, true
	case reflect.Bool:
		return IndexBool, false, true
	case reflect.Int, reflect.Int32:
		return IndexInt, false, true
	}
	return "", false, false
}

// values are the object's values under an index: one, or any number for a list.
func (ix Index) values(o Object) []any {
	if ix.member != "" {
		return ix.memberValues(o)
	}
	if ix.computed != nil {
		return ix.computed(o)
	}
	v := reflect.ValueOf(o).Elem().FieldByIndex(ix.field)
	if ix.Unordered {
		l := make([]any, v.Len())
		for i := range l {
			l[i] = v.Index(i).String()
		}
		return l
	}
	switch ix.Type {
	case IndexBool:
		return []any{v.Bool()}
	case IndexInt:
		return []any{v.Int()}
	case IndexTime, IndexStamp:
		return []any{v.Interface()}
	case IndexIP:
		a, _ := netip.ParseAddr(v.String())
		return []any{a}
	case IndexCIDR:
		p, _ := netip.ParsePrefix(v.String())
		return []any{p.Masked()}
	}
	return []any{v.String()}
}

// memberValues is the value of a member that only some objects have.
func (ix Index) memberValues(o Object) []any {
	c, ok := o.(*Custom)
	if !ok {
		return nil
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(c.Fields[ix.member]))
	d.UseNumber()
	if d.Decode(&v) != nil {
		return nil
	}
	n, numeric := v.(json.Number)
	switch {
	case numeric && ix.Type == IndexInt:
		if i, err := n.Int64(); err == nil {
			return []any{i}
		}
		return nil
	case numeric:
		f, err := n.Float64()
		if err != nil {
			return nil
		}
		return []any{f}
	}
	return []any{v}
}

// parse reads a value to compare with, as it stands in a query.
func (ix Index) parse(name, s string) (any, error) {
	switch ix.Type {
	case IndexBool:
		if s != "true" && s != "false" {
			return nil, fmt.Errorf("%s must be true or false", name)
		}
		return s == "true", nil
	case IndexInt:
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s must be a number, not %s", name, s)
		}
		return n, nil
	case IndexNumber:
		f, err := strconv.ParseFloat(s, 64)
		if err != nil {
			return nil, fmt.Errorf("%s must be a number, not %s", name, s)
		}
		return f, nil
	case IndexTime:
		return parseTime(s)
	case IndexStamp:
		t, err := parseTime(s)
		if err != nil {
			return nil, fmt.Errorf("%s is not valid: %w", name, err)
		}
		return t, nil
	case IndexUUID:
		if s != "" && !IsUUID(strings.ToLower(s)) {
			return nil, fmt.Errorf("Invalid UUID: %s", s) //nolint:staticcheck // text of the contract
		}
		return strings.ToLower(s), nil
	case IndexIP:
		if s == "" {
			return netip.Addr{}, nil
		}
		a, err := netip.ParseAddr(s)
		if err != nil {
			return nil, fmt.Errorf(cmp.Or(ix.badIP, "Invalid address: %[2]s"), name, s)
		}
		return a.Unmap(), nil
	case IndexCIDR:
		if s == "" {
			return netip.Prefix{}, nil
		}
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, fmt.Errorf("Invalid subnet CIDR: %s", s) //nolint:staticcheck // text of the contract
		}
		return p.Masked(), nil
	}
	return s, nil
}

func parseTime(s string) (any, error) {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// Text is the object's value under an index of a single text.
func (ix Index) Text(o Object) string {
	v := ix.values(o)
	if len(v) == 0 {
		return ""
	}
	s, _ := v[0].(string)
	return s
}
