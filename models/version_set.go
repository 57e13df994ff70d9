package models

import (
	"encoding/json"
	"strings"
)

// VersionSet is what servers of a manager are to hold. This server keeps it for such a manager.
type VersionSet struct {
	Common
	Id            string
	Documentation string
	Description   string
	Apply         bool
	DRPVersion    string
	DRPUXVersion  string
	Components    []Element
	Plugins       []Plugin
	Prefs         map[string]string
	Files         []FileData
	Global        map[string]json.RawMessage
}

// FileData is a file that a server is to have.
type FileData struct {
	Path      string // with its name, such as "files/raid/tool"
	Sha256Sum string
	Source    string // a URL; self://path is a file of the manager
	Explode   bool
}

func (*VersionSet) Kind() string  { return "version_sets" }
func (v *VersionSet) Key() string { return v.Id }

func (v *VersionSet) Normalize() {
	v.normalize()
	fill(&v.Components)
	fill(&v.Plugins)
	fill(&v.Files)
	if v.Prefs == nil {
		v.Prefs = map[string]string{}
	}
	if v.Global == nil {
		v.Global = map[string]json.RawMessage{}
	}
	fillPlugins(v.Plugins)
	fillRaw(v.Global)
}

func (v *VersionSet) Validate() []string {
	var p problems
	p.id(v.Id)
	return p
}

// id checks a key that follows no grammar; but it must stand in a URL.
func (p *problems) id(s string) {
	if s == "" || strings.ContainsAny(s, "/?#%\x00") || s == "." || s == ".." {
		p.addf("Invalid Id `%s`", s)
	}
}
