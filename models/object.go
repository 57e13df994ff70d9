// Package models is the contract of drp: every kind of object, its fields as they stand on the
// wire, its defaults and the checks it can make by itself. It uses the standard library only,
// so that servers, clients and tools of others can import it.
package models

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Object is a stored object of any kind.
type Object interface {
	// Kind is the prefix of the kind on the wire, such as "machines". It may be called on a
	// nil pointer.
	Kind() string
	// Key names the object within its kind.
	Key() string
	// Base is the part that all kinds share.
	Base() *Common
	// Normalize brings the object to its canonical form: no null list, no null map, and the
	// constants of the kind.
	Normalize()
	// Validate returns what is wrong with the object by itself, a line each; none: valid.
	Validate() []string
}

// Common is what every kind has. All but Meta is set by the server; what a caller sends for
// the rest is ignored.
type Common struct {
	Validated bool              // the object is sound; others are never stored
	Available bool              // the object can be used now: all it refers to is there
	Errors    []string          // why it is not available
	ReadOnly  bool              // it comes from a content pack, not from the writable layer
	Meta      map[string]string // hints for people and UIs, such as "icon" and "color"
	Endpoint  string            // the owning server in a multi-site manager; "" here
	Bundle    string            // the content pack it comes from; "" in the writable layer
}

// Base makes any struct that embeds Common half an Object.
func (c *Common) Base() *Common { return c }

func (c *Common) normalize() {
	fill(&c.Errors)
	if c.Meta == nil {
		c.Meta = map[string]string{}
	}
}

// Params are the parameters of an object by name, each as the JSON text it was given in, so
// that a number keeps its digits.
type Params map[string]json.RawMessage

// ParamHolder is an object that carries params.
type ParamHolder interface {
	Object
	ParamMap() *Params
}

// ProfileHolder is an object that refers to profiles, in order of precedence.
type ProfileHolder interface {
	Object
	ProfileNames() []string
}

// Hider is an object with fields that are stored but never shown, such as a password's hash.
type Hider interface {
	Object
	// Hide clears the hidden fields.
	Hide()
	// Hidden are the JSON pointers of the hidden fields.
	Hidden() []string
	// Keep takes over the hidden fields that are empty from the version before.
	Keep(old Object)
}

// Marshal returns the canonical JSON of a value: compact, map keys sorted, nothing escaped
// that JSON does not demand.
func Marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Unmarshal decodes the JSON of an object of a kind into its canonical form. Unknown members
// are dropped and names match in any letter case. A kind that is not among Kinds is taken for one
// that a plugin provider defines.
func Unmarshal(kind string, raw []byte) (Object, error) {
	var o Object = &Custom{Type: kind}
	if k, ok := KindOf(kind); ok {
		o = k.New()
	}
	if err := json.Unmarshal(raw, o); err != nil {
		return nil, err
	}
	o.Normalize()
	return o, nil
}

// Clone copies an object deeply.
func Clone[T Object](o T) T {
	raw, err := Marshal(o)
	if err != nil {
		panic(fmt.Sprintf("models: %s/%s does not marshal: %v", o.Kind(), o.Key(), err))
	}
	c, err := Unmarshal(o.Kind(), raw)
	if err != nil {
		panic(fmt.Sprintf("models: %s/%s does not unmarshal: %v", o.Kind(), o.Key(), err))
	}
	return c.(T)
}

func fill[T any](l *[]T) {
	if *l == nil {
		*l = []T{}
	}
}

func fillMap(p *Params) {
	if *p == nil {
		*p = Params{}
	}
	for k, v := range *p {
		if v == nil {
			(*p)[k] = json.RawMessage("null")
		}
	}
}

// Generator is an object with fields that are random unless they were given at its creation.
type Generator interface {
	Object
	Generate()
}
