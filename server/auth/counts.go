package auth

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/golang-jwt/jwt/v5"

	"drp/models"
)

// refusals is why tokens are refused: the error, the word it is counted under, and what the
// holder is told. Only who holds a genuine one learns more than that it is none. The last row
// is for all other errors.
var refusals = [...]struct {
	err       error
	word, why string
}{
	{errRevoked, "revoked", "revoked"},
	{jwt.ErrTokenExpired, "expired", "expired"},
	{jwt.ErrTokenNotValidYet, "not_valid_yet", "not valid yet"},
	{jwt.ErrTokenSignatureInvalid, "signature", "No valid key specified"},
	{jwt.ErrTokenMalformed, "malformed", "No valid key specified"},
	{nil, "invalid", "No valid key specified"},
}

// refusalOf is the row of refusals for an error.
func refusalOf(err error) int {
	for i := range refusals {
		if errors.Is(err, refusals[i].err) {
			return i
		}
	}
	return len(refusals) - 1
}

// How a login can end.
const (
	loginOK = iota
	loginFailed
	loginBusy // it was not its turn in time
	logins
)

var loginWords = [logins]string{"ok", "failed", "busy"}

// counts is what was judged since the server started.
type counts struct {
	logins  [logins]atomic.Uint64
	refused [len(refusals)]atomic.Uint64
}

// login counts how a login ended.
func (c *counts) login(err error) {
	switch {
	case err == nil:
		c.logins[loginOK].Add(1)
	case models.ClassOf(err) == models.Busy, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		c.logins[loginBusy].Add(1)
	default:
		c.logins[loginFailed].Add(1)
	}
}

// refuse counts a token and words why it is not valid.
func (a *Auth) refuse(err error) error {
	a.counts.refused[refusalOf(err)].Add(1)
	return refusal(err)
}

// Logins is how many logins with a password ended "ok", "failed" or "busy" since the server
// started.
func (a *Auth) Logins() map[string]uint64 {
	m := map[string]uint64{}
	for i := range a.counts.logins {
		m[loginWords[i]] = a.counts.logins[i].Load()
	}
	return m
}

// Refused is how many tokens were refused since the server started, by reason.
func (a *Auth) Refused() map[string]uint64 {
	m := map[string]uint64{}
	for i := range a.counts.refused {
		m[refusals[i].word] = a.counts.refused[i].Load()
	}
	return m
}
