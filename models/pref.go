package models

// Pref is one preference of the server. On the wire /prefs shows them as one map of strings.
type Pref struct {
	Common
	Name string
	Val  string
}

func (*Pref) Kind() string  { return "preferences" }
func (p *Pref) Key() string { return p.Name }
func (p *Pref) Normalize()  { p.normalize() }

func (p *Pref) Validate() []string {
	var bad problems
	bad.name(nameGeneral, "Name", p.Name)
	return bad
}
