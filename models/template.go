package models

// Template is text in Go's text/template language that others include by its ID.
type Template struct {
	Common
	ID          string
	Description string
	Contents    string
}

func (*Template) Kind() string  { return "templates" }
func (t *Template) Key() string { return t.ID }
func (t *Template) Normalize()  { t.normalize() }

func (t *Template) Validate() []string {
	var p problems
	p.name(nameMachine, "ID", t.ID)
	return p
}

// TemplateInfo is a template that belongs to a task, stage or boot environment.
type TemplateInfo struct {
	Name     string            // unique within its owner
	Path     string            // template of the file's path; "" on a task: a script to run
	Link     string            // template; another file to serve at Path instead
	ID       string            // the Template to expand,
	Contents string            // or the text itself
	Meta     map[string]string // "OS": comma list of systems it is for; "Interpreter"
}

func normalizeTemplates(list *[]TemplateInfo) {
	fill(list)
	for i := range *list {
		if (*list)[i].Meta == nil {
			(*list)[i].Meta = map[string]string{}
		}
	}
}

func (p *problems) templates(list []TemplateInfo, needPath bool) {
	at := map[string]int{}
	for i, t := range list {
		if t.Name == "" {
			p.addf("Template[%d] is missing a Name", i)
		}
		if j, ok := at[t.Name]; ok && t.Name != "" {
			p.addf("Template %d and %d have the same name %s", j, i, t.Name)
		}
		at[t.Name] = i
		switch {
		case t.ID != "" && t.Contents != "":
			p.addf("Template[%d] has both an ID and Contents", i)
		case t.ID == "" && t.Contents == "" && t.Link == "":
			p.addf("Template[%d] must have either an ID, a Link, or Contents set", i)
		}
		if t.Path == "" && (needPath || t.Link != "") {
			p.addf("Template[%d] is missing a Path", i)
		}
	}
}

// TemplatesOf are the templates that belong to an object: those of a task, stage or boot
// environment, and none of any other kind.
func TemplatesOf(o Object) []TemplateInfo {
	switch o := o.(type) {
	case *BootEnv:
		return o.Templates
	case *Stage:
		return o.Templates
	case *Task:
		return o.Templates
	}
	return nil
}
