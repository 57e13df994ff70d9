package models

import "strings"

// Pref is one preference of the server. On the wire /prefs shows them as one map of strings.
type Pref struct {
	Common
	Name string
	Val  string
}

func (*Pref) Kind() string  { return "preferences" }
func (p *Pref) Key() string { return p.Name }
func (p *Pref) Normalize()  { p.normalize() }

// Secret tells whether the value signs tokens: it is shown to those who may list preferences,
// and nowhere else.
func (p *Pref) Secret() bool { return strings.HasSuffix(p.Name, "Secret") }

func (p *Pref) Hide() {
	if p.Secret() {
		p.Val = ""
	}
}

func (p *Pref) Hidden() []string {
	if p.Secret() {
		return []string{"/Val"}
	}
	return nil
}

// Keep keeps nothing: nobody stores a preference as it was shown to him.
func (p *Pref) Keep(Object) {}

func (p *Pref) Validate() []string {
	var bad problems
	bad.name(nameGeneral, "Name", p.Name)
	return bad
}
