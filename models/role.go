package models

// Superuser is the built-in role that may do everything.
const Superuser = "superuser"

// Role is a named list of claims that users hold.
type Role struct {
	Common
	Name          string
	Description   string
	Documentation string
	Claims        []Claim
}

func (*Role) Kind() string  { return "roles" }
func (r *Role) Key() string { return r.Name }

func (r *Role) Normalize() {
	r.normalize()
	fill(&r.Claims)
}

func (r *Role) Validate() []string {
	return r.ValidateAmong(func(string) bool { return false })
}

// ValidateAmong is Validate where claims may also name the kinds that plugin providers define.
func (r *Role) ValidateAmong(custom func(kind string) bool) []string {
	var p problems
	p.name(nameGeneral, "Name", r.Name)
	for _, c := range r.Claims {
		p = append(p, c.validate(custom)...)
	}
	return p
}
