package models

// GlobalProfile is the profile whose params every machine sees, after all of its own.
const GlobalProfile = "global"

// Profile is a named set of params that machines, stages and other profiles share.
type Profile struct {
	Common
	Partial       bool
	Name          string
	Description   string
	Documentation string
	Params        Params
	Profiles      []string // searched after this profile's own params
}

func (*Profile) Kind() string             { return "profiles" }
func (p *Profile) Key() string            { return p.Name }
func (p *Profile) ParamMap() *Params      { return &p.Params }
func (p *Profile) ProfileNames() []string { return p.Profiles }

func (p *Profile) Normalize() {
	p.normalize()
	p.Partial = false // objects are kept whole
	fillMap(&p.Params)
	fill(&p.Profiles)
}

func (p *Profile) Validate() []string {
	var bad problems
	bad.name(nameGeneral, "Name", p.Name)
	bad.params(p.Params)
	bad.names(nameGeneral, "Profile", p.Profiles)
	bad.unique("profile", p.Profiles)
	return bad
}
