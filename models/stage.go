package models

// Stage is a named step of a workflow: tasks to run, and what machines see while in it.
type Stage struct {
	Common
	Partial        bool
	Name           string
	Description    string
	Documentation  string
	Templates      []TemplateInfo
	RequiredParams []string
	OptionalParams []string
	Params         Params
	BootEnv        string // "": keep the machine's
	Tasks          []string
	Profiles       []string
	Reboot         bool // deprecated
	RunnerWait     bool // deprecated; always true
}

func (*Stage) Kind() string             { return "stages" }
func (s *Stage) Key() string            { return s.Name }
func (s *Stage) ParamMap() *Params      { return &s.Params }
func (s *Stage) ProfileNames() []string { return s.Profiles }

func (s *Stage) Normalize() {
	s.normalize()
	s.Partial = false // objects are kept whole
	normalizeTemplates(&s.Templates)
	fill(&s.RequiredParams)
	fill(&s.OptionalParams)
	fillMap(&s.Params)
	fill(&s.Tasks)
	fill(&s.Profiles)
	s.RunnerWait = true
}

func (s *Stage) Validate() []string {
	var p problems
	p.name(nameGeneral, "Name", s.Name)
	p.optional("BootEnv", s.BootEnv)
	p.names(nameParam, "Required Param", s.RequiredParams)
	p.names(nameParam, "Optional Param", s.OptionalParams)
	p.params(s.Params)
	p.names(nameGeneral, "Profile", s.Profiles)
	p.unique("profile", s.Profiles)
	p.tasks(s.Tasks, false)
	p.templates(s.Templates, true)
	return p
}
