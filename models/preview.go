package models

// Preview asks what a machine would get of templates, without making a job.
type Preview struct {
	// Kind and Key name what has the templates: one of tasks, stages or bootenvs. Without Kind it is
	// Templates alone that are rendered.
	Kind string
	Key  string
	// Templates stand in for those of the object, as when they are being edited.
	Templates []TemplateInfo
	OS        string // only templates for this operating system; "": all
}

// Previewed is one template as the machine would get it, or why it would not.
type Previewed struct {
	Name    string
	Path    string // of the file to write; "": it is a script to run
	Link    string // of a template of a stage or boot environment that leads on to another file
	Content string
	Meta    map[string]string
	Error   *PreviewError `json:",omitempty"` // none: it can be rendered
}

// PreviewError is what is wrong with a template, and where.
type PreviewError struct {
	Kind   string // of the object that the faulty text stands in; "" if it stands in none, as a text in a param
	Key    string // of that object, or what the text is
	Part   string // of that object: the name of one of its templates, with " (path)" or " (link)" if it is not about its contents
	Line   int    // 1 is the first; 0: unknown
	Column int    // of that line, in characters; 1 is the first; 0: unknown
	Why    string
	Full   string // all that the template engine says
	Source string // the faulty text as it was rendered; "" if the caller may not see it
}
