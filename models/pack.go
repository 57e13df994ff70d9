package models

// Pack is the record of an uploaded content pack: what describes it. Its objects are records
// of their own, which name the pack in Bundle.
type Pack struct {
	Common
	ContentMeta
}

func (*Pack) Kind() string  { return "contents" }
func (p *Pack) Key() string { return p.Name }
func (p *Pack) Normalize()  { p.normalize() }

func (p *Pack) Validate() []string {
	var bad problems
	bad.name(nameMachine, "Name", p.Name)
	return bad
}
