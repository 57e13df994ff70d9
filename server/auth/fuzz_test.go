package auth

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"drp/models"
)

// FuzzToken: of all texts only the tokens that were granted are taken, byte for byte; and a text
// that is signed with our key, whatever it says, gives nobody more than the right it names now.
func FuzzToken(f *testing.F) {
	w := newWorld()
	a := open(w)
	granted := map[string]string{}
	for _, user := range []string{"admin", "alice"} {
		for _, r := range []Request{{}, {Scope: "machines", Action: "get"}, {Roles: []string{"reader"}}, {TTL: InfiniteTTL}} {
			token, err := a.UserToken(login(f, a, user), user, r)
			if err != nil {
				f.Fatal(err)
			}
			granted[token] = "user:" + user
		}
	}
	machine, err := a.MachineToken(System(), machine1, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	granted[machine] = "machine:" + machine1
	for token := range granted {
		f.Add(token, "")
		f.Add(token[:len(token)-1], "")
		payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		f.Add(strings.Split(token, ".")[0], string(payload))
	}
	f.Add("eyJhbGciOiJub25lIn0.e30.", `{"sub":"user:admin","exp":99999999999,"sys":true,"lim":[]}`)
	f.Add("..", `{"sub":"user:admin","exp":99999999999,"lim":[{"o":"only","c":[{"scope":"*","action":"*","specific":"*"}]}]}`)
	f.Add("", `{"exp":1e400,"lim":[{"o":"job:x"},{"o":":"},{"o":"roles:admin","r":["superuser"]}]}`)
	k, err := a.current()
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text, payload string) {
		p, err := a.Token(text)
		want, ours := granted[strings.TrimSpace(text)]
		switch {
		case err == nil && (!ours || p.Name != want):
			t.Fatalf("%q is taken for %s", text, p.Name)
		case err != nil && (ours || models.ClassOf(err) != models.Forbidden || len(p.Claims) > 0 || p.Name != ""):
			t.Fatalf("%q: got %v, %v", text, p, err)
		}
		// What follows is what an attacker cannot make, unless he has the key. Even so nothing
		// fails, nothing is valid for ever, and a limit is never dropped.
		signed := signedBy(k.byUser, payload)
		p, err = a.Token(signed)
		if err != nil {
			if models.ClassOf(err) != models.Forbidden || len(p.Claims) > 0 {
				t.Fatalf("%s: got %v, %v", payload, p, err)
			}
			return
		}
		if !p.Expires.After(w.now()) {
			t.Fatalf("%s is taken after its end at %v", payload, p.Expires)
		}
		for _, l := range p.right.Limits {
			sort, name, _ := strings.Cut(l.Of, ":")
			s, ok := subjects[sort](w, name, l)
			if !ok {
				t.Fatalf("%s is taken, without a subject %s", payload, l.Of)
			}
			everyRequest(func(scope, action, specific string) {
				if p.Claims.Allow(scope, action, specific) && !s.claims.Allow(scope, action, specific) {
					t.Fatalf("%s allows %s %s %s, which %s does not", payload, scope, action, specific, l.Of)
				}
			})
		}
	})
}

func signedBy(key []byte, payload string) string {
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	sig, err := jwt.SigningMethodHS256.Sign(text, key)
	if err != nil {
		panic(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// FuzzNarrow: a token for whatever is asked, in whatever words, allows nothing that the grantor may
// not, or that was not asked for.
func FuzzNarrow(f *testing.F) {
	f.Add("machines", "get", "*", "reader")
	f.Add("*", "*", "*", "superuser,operator")
	f.Add("", "update:/Meta,,*", " a", "")
	f.Add("*,machines", "\x00", "\xff", ",")
	w := newWorld()
	a := open(w)
	alice := login(f, a, "alice")
	f.Fuzz(func(t *testing.T, scope, action, specific, roles string) {
		r := Request{Scope: scope, Action: action, Specific: specific}
		if roles != "" {
			r.Roles = strings.Split(roles, ",")
		}
		token, err := a.UserToken(alice, "admin", r)
		if err != nil {
			if c := models.ClassOf(err); c != models.BadRequest && c != models.Forbidden {
				t.Fatal(err)
			}
			return
		}
		p, err := a.Token(token)
		if err != nil {
			if len(token) <= maxToken {
				t.Fatalf("our own token %s: %v", token, err)
			}
			return
		}
		asked := models.Claims{r.claim()}
		if raw, _ := json.Marshal(asked); len(scope+action+specific) == 0 || strings.Contains(string(raw), "\\ufffd") {
			asked = everything() // nothing, or what JSON does not carry
		}
		everyRequest(func(s, act, sp string) {
			if p.Claims.Allow(s, act, sp) && !(alice.Claims.Allow(s, act, sp) && asked.Allow(s, act, sp)) {
				t.Fatalf("%q %q %q of %q: allows %q %q %q", scope, action, specific, roles, s, act, sp)
			}
		})
	})
}
