package models

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
)

// Custom is an object of a kind that a plugin provider defines: beside the members that such
// objects have in common it may have any others.
type Custom struct {
	Common
	Id            string
	Type          string // the kind
	Description   string
	Documentation string
	Params        Params
	Fields        map[string]json.RawMessage // its other members
}

func (c *Custom) Kind() string {
	if c == nil {
		return ""
	}
	return c.Type
}

func (c *Custom) Key() string       { return c.Id }
func (c *Custom) ParamMap() *Params { return &c.Params }

func (c *Custom) Normalize() {
	c.normalize()
	fillMap(&c.Params)
	if c.Fields == nil {
		c.Fields = map[string]json.RawMessage{}
	}
}

func (c *Custom) Validate() []string {
	var bad problems
	bad.name(nameMachine, "Id", c.Id)
	bad.params(c.Params)
	return bad
}

// customShape is what all objects of custom kinds have.
var customShape = func() *shape {
	s := shapeOf(reflect.TypeFor[Custom]())
	s.members = slices.DeleteFunc(s.members, func(m memberShape) bool { return m.name == "Fields" })
	return s
}()

// MarshalJSON writes the members in the order of their names.
func (c *Custom) MarshalJSON() ([]byte, error) {
	all := maps.Clone(c.Fields)
	if all == nil {
		all = map[string]json.RawMessage{}
	}
	v := reflect.ValueOf(c).Elem()
	for i := range customShape.members {
		m := &customShape.members[i]
		raw, err := m.append(nil, m.of(v))
		if err != nil {
			return nil, err
		}
		all[m.name] = raw
	}
	return Marshal(all)
}

// UnmarshalJSON reads the common members under their names in any letter case, and keeps all
// others as they stand. The type that the object has already stays.
func (c *Custom) UnmarshalJSON(raw []byte) error {
	var all map[string]json.RawMessage
	if err := json.Unmarshal(raw, &all); err != nil {
		return err
	}
	known := map[string]*memberShape{}
	for i := range customShape.members {
		known[strings.ToLower(customShape.members[i].name)] = &customShape.members[i]
	}
	kind, v := c.Type, reflect.ValueOf(c).Elem()
	for _, name := range sortedKeys(all) {
		m := known[strings.ToLower(name)]
		if m == nil {
			var text bytes.Buffer
			if err := json.Compact(&text, all[name]); err != nil {
				return err
			}
			if c.Fields == nil {
				c.Fields = map[string]json.RawMessage{}
			}
			c.Fields[name] = text.Bytes()
			continue
		}
		if err := json.Unmarshal(all[name], m.of(v).Addr().Interface()); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
	}
	if kind != "" && c.Type != "" && c.Type != kind {
		return fmt.Errorf("the Type is %s, and should be %s", c.Type, kind)
	}
	if kind != "" {
		c.Type = kind
	}
	return nil
}

// copyButParams is what CopyButParams makes of it.
func (c *Custom) copyButParams() *Custom {
	n := *c
	n.Errors, n.Meta, n.Fields = slices.Clone(c.Errors), maps.Clone(c.Meta), maps.Clone(c.Fields)
	return &n
}

// values are the members that differ between two versions of an object, and the keys that do
// in Params and Meta.
func (c *Custom) values(old *Custom) ([]Value, error) {
	was, is := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	for o, m := range map[*Custom]*map[string]json.RawMessage{old: &was, c: &is} {
		raw, err := Marshal(o)
		if err == nil {
			err = json.Unmarshal(raw, m)
		}
		if err != nil {
			return nil, err
		}
	}
	var list []Value
	for _, name := range differing(was, is, sameBytes) {
		if name != "Params" && name != "Meta" {
			list = append(list, Value{Path: []string{name}, Was: was[name], Is: is[name]})
			continue
		}
		var a, b map[string]json.RawMessage
		if err := json.Unmarshal(was[name], &a); err != nil {
			return nil, err
		}
		if err := json.Unmarshal(is[name], &b); err != nil {
			return nil, err
		}
		for _, key := range differing(a, b, sameBytes) {
			list = append(list, Value{Path: []string{name, key}, Was: a[key], Is: b[key]})
		}
	}
	return list, nil
}

// reserved are the first parts of paths that are no kind's.
var reserved = map[string]bool{
	"contents": true, "debug": true, "drp_debug": true, "events": true, "files": true, "history": true, "indexes": true, "info": true,
	"interfaces": true, "isos": true, "logs": true, "meta": true, "metrics": true, "objects": true, "preferences": true, "prefs": true,
	"pools-active": true, "static": true, "system": true, "undo": true, "wait": true, "whoami": true, "ws": true,
}

var customName = regexp.MustCompile(`^[a-z][a-z0-9_-]{1,63}$`)

// CustomKind describes a kind that a plugin provider defines. Schema is its entry in StoreObjects;
// its properties become indexes.
func CustomKind(name string, schema json.RawMessage) *KindInfo {
	k := &KindInfo{Name: name, KeyField: "Id", Custom: true, New: func() Object { return &Custom{Type: name} }, Schema: schema}
	k.buildIndexes()
	properties, err := customProperties(schema)
	if err != nil { // refused when the provider was loaded
		return k
	}
	for _, p := range sortedKeys(properties) {
		t, ok := propertyIndex[properties[p].Type]
		if _, taken := k.indexes[p]; ok && !taken {
			k.indexes[p] = Index{Type: t, Regex: t == IndexString, member: p}
		}
	}
	return k
}

var propertyIndex = map[string]IndexType{"boolean": IndexBool, "integer": IndexInt, "string": IndexString, "number": IndexNumber}

// property is what is to be known of a member of a custom kind; the rest is for JSON Schema.
type property struct {
	Type     string
	Required bool
}

// customProperties reads an entry of StoreObjects: the schemas of members by name.
func customProperties(schema json.RawMessage) (map[string]property, error) {
	var raw map[string]struct {
		Type     any  `json:"type"`
		Required bool `json:"isrequired"`
	}
	if err := json.Unmarshal(schema, &raw); err != nil {
		return nil, err
	}
	out := map[string]property{}
	for name, p := range raw {
		t, _ := p.Type.(string) // of several types none is an index
		out[name] = property{t, p.Required}
	}
	return out, nil
}

// JSONSchema is the JSON Schema of the objects of a custom kind, or nil when any form will do.
func (k *KindInfo) JSONSchema() (json.RawMessage, error) {
	properties, err := customProperties(k.Schema)
	if err != nil || len(properties) == 0 {
		return nil, err
	}
	required := []string{}
	for _, name := range sortedKeys(properties) {
		if properties[name].Required {
			required = append(required, name)
		}
	}
	return Marshal(map[string]any{"type": "object", "properties": k.Schema, "required": required})
}
