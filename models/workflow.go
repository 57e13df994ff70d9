package models

// Workflow is an ordered list of stages that a machine goes through.
type Workflow struct {
	Common
	Name          string
	Description   string
	Documentation string
	Stages        []string
}

func (*Workflow) Kind() string  { return "workflows" }
func (w *Workflow) Key() string { return w.Name }

func (w *Workflow) Normalize() {
	w.normalize()
	fill(&w.Stages)
}

func (w *Workflow) Validate() []string {
	var p problems
	p.name(nameGeneral, "Name", w.Name)
	p.names(nameGeneral, "Stage", w.Stages)
	return p
}
