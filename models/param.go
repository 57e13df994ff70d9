package models

import "encoding/json"

// Param gives a parameter name a meaning: a JSON Schema that every value must satisfy.
type Param struct {
	Common
	Name          string // may contain slashes
	Description   string
	Documentation string
	Secure        bool            // values are sealed for the object that holds them
	Schema        json.RawMessage // JSON Schema or null; "default" in it supplies the default
}

func (*Param) Kind() string  { return "params" }
func (p *Param) Key() string { return p.Name }

func (p *Param) Normalize() {
	p.normalize()
	if p.Schema == nil {
		p.Schema = json.RawMessage("null")
	}
}

func (p *Param) Validate() []string {
	var bad problems
	bad.name(nameParam, "Name", p.Name)
	return bad
}

// Default is the value the schema supplies where a param is not set; false when it has none.
func (p *Param) Default() (json.RawMessage, bool) {
	var s struct {
		Default json.RawMessage `json:"default"`
	}
	if json.Unmarshal(p.Schema, &s) != nil || s.Default == nil {
		return nil, false
	}
	return s.Default, true
}
