package models

// User is someone, or something, that logs in with a password.
type User struct {
	Common
	Name         string
	Description  string
	PasswordHash []byte `json:",omitempty"` // never shown
	Secret       string // part of every token of this user: a new one ends them all
	Roles        []string
}

func (*User) Kind() string  { return "users" }
func (u *User) Key() string { return u.Name }
func (u *User) Hide()       { u.PasswordHash = nil }

func (*User) Hidden() []string { return []string{"/PasswordHash"} }

func (u *User) Keep(old Object) {
	if len(u.PasswordHash) == 0 {
		u.PasswordHash = old.(*User).PasswordHash
	}
}

func (u *User) Normalize() {
	u.normalize()
	fill(&u.Roles)
}

func (u *User) Validate() []string {
	var p problems
	p.name(nameUser, "Name", u.Name)
	return p
}

// Generate fills in the secret.
func (u *User) Generate() {
	if u.Secret == "" {
		u.Secret = NewSecret(16)
	}
}
