package models

import "strings"

// Task is a set of templates that a machine's agent renders, writes and runs.
type Task struct {
	Common
	Name           string
	Description    string
	Documentation  string
	Templates      []TemplateInfo
	RequiredParams []string
	OptionalParams []string
	Prerequisites  []string // tasks that must have run before, in the same boot environment
	// ExtraRoles and ExtraClaims widen the token that a job of this task gets.
	ExtraRoles  []string `json:",omitempty"`
	ExtraClaims []Claim  `json:",omitempty"`
}

// FeatureFlags is the key in Meta that holds a comma list of features.
const FeatureFlags = "feature-flags"

func (*Task) Kind() string  { return "tasks" }
func (t *Task) Key() string { return t.Name }

func (t *Task) Normalize() {
	t.normalize()
	normalizeTemplates(&t.Templates)
	fill(&t.RequiredParams)
	fill(&t.OptionalParams)
	fill(&t.Prerequisites)
	if len(t.ExtraRoles) == 0 {
		t.ExtraRoles = nil
	}
	if len(t.ExtraClaims) == 0 {
		t.ExtraClaims = nil
	}
}

func (t *Task) Validate() []string {
	var p problems
	p.name(nameGeneral, "Name", t.Name)
	p.names(nameParam, "Required Param", t.RequiredParams)
	p.names(nameParam, "Optional Param", t.OptionalParams)
	p.names(nameGeneral, "Task", t.Prerequisites)
	p.templates(t.Templates, false)
	p.templateOS(t.Templates)
	return p
}

// templateOS are the values of a template's Meta "OS".
var templateOS = []string{"any", "darwin", "esxi", "freebsd", "linux", "netbsd", "openbsd", "solaris", "windows"}

// templateOS demands that all templates of a task name their operating systems, or none does.
func (p *problems) templateOS(list []TemplateInfo) {
	with := 0
	for i, t := range list {
		if t.Meta["OS"] == "" {
			continue
		}
		with++
		for _, os := range strings.Split(t.Meta["OS"], ",") {
			if !contains(templateOS, strings.TrimSpace(os)) {
				p.addf("Template[%d]: Invalid OS value %s", i, strings.TrimSpace(os))
				p.addf("Valid values are: %s", strings.Join(templateOS, ","))
			}
		}
	}
	if with == 0 || with == len(list) {
		return
	}
	p.addf("Cannot mix templates with OS metadata and templates without OS metadata")
	for i, t := range list {
		if t.Meta["OS"] == "" {
			p.addf("Template[%d] %s is missing OS metadata", i, t.Name)
		} else {
			p.addf("Template[%d] %s has OS metadata %s", i, t.Name, t.Meta["OS"])
		}
	}
}
