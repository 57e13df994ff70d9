package models

import "encoding/json"

// Plugin is a running instance of a plugin provider, with the params it is configured with.
type Plugin struct {
	Common
	Partial       bool // true when an answer left fields out on request
	Name          string
	Description   string
	Documentation string
	Params        Params
	Provider      string   // name of the plugin provider
	PluginErrors  []string // what keeps its process from running; set by the server
}

func (*Plugin) Kind() string        { return "plugins" }
func (p *Plugin) Key() string       { return p.Name }
func (p *Plugin) ParamMap() *Params { return &p.Params }

func (p *Plugin) Normalize() {
	p.normalize()
	p.Partial = false // objects are kept whole
	fillMap(&p.Params)
	fill(&p.PluginErrors)
}

func (p *Plugin) Validate() []string {
	var bad problems
	bad.name(nameGeneral, "Name", p.Name)
	bad.name(nameGeneral, "Provider", p.Provider)
	bad.params(p.Params)
	return bad
}

// PluginProvider is what the executable behind plugins says of itself. It comes and goes with the
// executable, so nobody edits it.
type PluginProvider struct {
	Common           `json:"-"` // worked out, and not on the wire
	Meta             map[string]string
	Name             string
	Version          string
	PluginVersion    int  // of the protocol it speaks; 4 is the newest
	AutoStart        bool // a plugin of the provider's name is made when there is none of the provider
	HasPublish       bool // its plugins are told of events
	AvailableActions []AvailableAction
	RequiredParams   []string // that each of its plugins must have
	OptionalParams   []string
	// StoreObjects are the kinds of objects that it defines: by prefix, the JSON Schemas of their
	// members, in which "isrequired" may be true. {} is a kind of any form.
	StoreObjects  map[string]json.RawMessage
	Documentation string
	Content       string // a content pack as YAML, loaded as long as the provider is there; or ""
}

// AvailableAction is something that a plugin can do to an object.
type AvailableAction struct {
	Provider       string
	Model          string // the kind of object; "" or "system": the server as a whole
	Command        string
	RequiredParams []string // of the call, or in force for the object or for the plugin
	OptionalParams []string
}

// System stands for the server as a whole, where an action is not about an object.
const System = "system"

// Normal is the action with the empty lists that the wire shows.
func (a AvailableAction) Normal() AvailableAction {
	fill(&a.RequiredParams)
	fill(&a.OptionalParams)
	return a
}

// Action is one call of an action, as a plugin is told of it.
type Action struct {
	Model      json.RawMessage // the object
	Plugin     string          // that is to act
	Command    string
	CommandSet string
	Params     Params // of the call, and those in force that the action asks for
}

// PluginProviderUpload is the answer to an upload of a plugin provider.
type PluginProviderUpload struct {
	Path string `json:"path"`
	Size int64  `json:"size"`
}

func (*PluginProvider) Kind() string  { return "plugin_providers" }
func (p *PluginProvider) Key() string { return p.Name }

func (p *PluginProvider) Normalize() {
	if p.Meta == nil {
		p.Meta = map[string]string{}
	}
	fill(&p.AvailableActions)
	for i := range p.AvailableActions {
		p.AvailableActions[i] = p.AvailableActions[i].Normal()
		p.AvailableActions[i].Provider = p.Name
	}
	fill(&p.RequiredParams)
	fill(&p.OptionalParams)
	if p.StoreObjects == nil {
		p.StoreObjects = map[string]json.RawMessage{}
	}
	for k, v := range p.StoreObjects {
		if v == nil || string(v) == "null" {
			p.StoreObjects[k] = json.RawMessage("{}")
		}
	}
	p.derive()
}

func (p *PluginProvider) derive() {
	p.Common = Common{Validated: true, Available: true, ReadOnly: true, Bundle: p.Name, Errors: []string{}, Meta: p.Meta}
}

func (p *PluginProvider) Validate() []string {
	var bad problems
	bad.name(nameGeneral, "Name", p.Name)
	for _, a := range p.AvailableActions {
		bad.name(nameGeneral, "Action", a.Command)
		bad.names(nameParam, "Required Param", a.RequiredParams)
		bad.names(nameParam, "Optional Param", a.OptionalParams)
	}
	bad.names(nameParam, "Required Param", p.RequiredParams)
	bad.names(nameParam, "Optional Param", p.OptionalParams)
	for _, prefix := range sortedKeys(p.StoreObjects) {
		if _, taken := KindOf(prefix); taken || reserved[prefix] || !customName.MatchString(prefix) {
			bad.addf("Invalid StoreObject `%s`", prefix)
		} else if _, err := customProperties(p.StoreObjects[prefix]); err != nil {
			bad.addf("Invalid schema of StoreObject %s: %v", prefix, err)
		}
	}
	return bad
}
