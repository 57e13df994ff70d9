package models

import "encoding/json"

// Endpoint is another server, as a manager of several keeps it: how it is reached, what it is to
// hold and what it holds. This server keeps it for such a manager, and acts on none of it.
type Endpoint struct {
	Common
	Id               string
	Description      string                     `json:",omitempty"`
	Documentation    string                     `json:",omitempty"`
	Params           Params                     `json:",omitempty"`
	ConnectionStatus string                     `json:",omitempty"`
	VersionSet       string                     `json:",omitempty"` // deprecated
	VersionSets      []string                   `json:",omitempty"`
	Apply            bool                       `json:",omitempty"`
	HaId             string                     `json:",omitempty"`
	Arch             string                     `json:",omitempty"`
	Os               string                     `json:",omitempty"`
	DRPVersion       string                     `json:",omitempty"`
	DRPUXVersion     string                     `json:",omitempty"`
	Components       []Element                  `json:",omitempty"`
	Plugins          []Plugin                   `json:",omitempty"`
	Prefs            map[string]string          `json:",omitempty"`
	Global           map[string]json.RawMessage `json:",omitempty"`
	Actions          []ElementAction            `json:",omitempty"`
}

// Element is a part of a server, such as a content pack, and its version.
type Element struct {
	Type          string
	Version       string
	Name          string
	ActualVersion string
}

// ElementAction is what is to be done to a part: Set, AddOrUpdate or Delete.
type ElementAction struct {
	Element
	Action string
	Value  json.RawMessage
}

func (*Endpoint) Kind() string        { return "endpoints" }
func (e *Endpoint) Key() string       { return e.Id }
func (e *Endpoint) ParamMap() *Params { return &e.Params }

func (e *Endpoint) Normalize() {
	e.normalize()
	fillMap(&e.Params)
	fillPlugins(e.Plugins)
	fillRaw(e.Global)
	for i := range e.Actions {
		if e.Actions[i].Value == nil {
			e.Actions[i].Value = json.RawMessage("null")
		}
	}
}

func (e *Endpoint) Validate() []string {
	var p problems
	p.name(nameEndpoint, "Id", e.Id)
	p.params(e.Params)
	return p
}

func fillPlugins(list []Plugin) {
	for i := range list {
		list[i].Normalize()
	}
}
