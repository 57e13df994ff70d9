package auth

import (
	"context"
	"maps"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"drp/models"
)

// TestEveryRefusalIsCountedUnderItsReason: and nothing else is.
func TestEveryRefusalIsCountedUnderItsReason(t *testing.T) {
	w := newWorld()
	a := open(w)
	good := must(t)(a.UserToken(login(t, a, "alice"), "alice", Request{}))
	k, err := a.current()
	if err != nil {
		t.Fatal(err)
	}
	sign := func(p payload) string {
		return must(t)(jwt.NewWithClaims(jwt.SigningMethodHS256, p).SignedString(k.signing(false)))
	}
	later, soon := jwt.NewNumericDate(w.now().Add(never)), jwt.NewNumericDate(w.now().Add(DefaultTTL))
	tokens := map[string]string{
		"revoked":       sign(payload{RegisteredClaims: jwt.RegisteredClaims{ExpiresAt: soon}}),
		"expired":       sign(payload{RegisteredClaims: jwt.RegisteredClaims{ExpiresAt: jwt.NewNumericDate(w.now().Add(-DefaultTTL))}}),
		"not_valid_yet": sign(payload{RegisteredClaims: jwt.RegisteredClaims{ExpiresAt: later, NotBefore: soon}}),
		"signature":     must(t)(open(newWorld()).UnknownToken(0)),
		"malformed":     "nonsense",
		"invalid":       sign(payload{}), // without an end
	}
	if len(tokens) != len(refusals) {
		t.Fatalf("%d sorts of bad tokens, want one for each of the %d reasons", len(tokens), len(refusals))
	}
	want := a.Refused()
	for word, token := range tokens {
		if _, err := a.Token(token); err == nil {
			t.Errorf("%s: the token is good", word)
		}
		if _, err := a.Token(good); err != nil {
			t.Fatal(err)
		}
		want[word]++
		if got := a.Refused(); !maps.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", word, got, want)
		}
	}
	if _, err := a.Token(string(make([]byte, maxToken+1)) + "x"); err == nil || a.Refused()["malformed"] != 2 {
		t.Errorf("a token that is too long: %v, %v", err, a.Refused())
	}
}

func TestEveryLoginIsCountedOnce(t *testing.T) {
	a := open(newWorld())
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	for range cap(a.slots) {
		a.slots <- struct{}{}
	}
	if _, err := a.Password(gone, "alice", "secret"); models.ClassOf(err) != models.Busy {
		t.Fatalf("no turn: got %v, want Busy", err)
	}
	for range cap(a.slots) {
		<-a.slots
	}
	for range 3 { // the first is checked, the others are remembered
		login(t, a, "alice")
	}
	for _, user := range []string{"alice", "greg"} {
		if _, err := a.Password(t.Context(), user, "wrong"); err == nil {
			t.Errorf("%s logs in with a wrong password", user)
		}
	}
	if got, want := a.Logins(), (map[string]uint64{"ok": 3, "failed": 2, "busy": 1}); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
