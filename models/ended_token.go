package models

import "time"

// EndedToken is a token that its holder has ended before its time. It is forgotten once the token
// would have expired.
type EndedToken struct {
	Common
	Sum     string // SHA-256 of the token, in hexadecimal digits
	Expires time.Time
}

func (*EndedToken) Kind() string  { return "ended_tokens" }
func (e *EndedToken) Key() string { return e.Sum }
func (e *EndedToken) Normalize()  { e.normalize() }

func (e *EndedToken) Validate() []string {
	if e.Sum == "" || e.Expires.IsZero() {
		return []string{"it names no token"}
	}
	return nil
}
