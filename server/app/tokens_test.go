package app

import (
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/models"
	"drp/server/auth"
)

// otherKeys is a server with the same objects and other secrets.
type otherKeys struct{ source }

func (o otherKeys) Pref(name string) string {
	if strings.HasSuffix(name, "Secret") {
		return strings.Repeat("x", 32)
	}
	return o.source.Pref(name)
}

func b64(v any) string {
	raw, ok := v.([]byte)
	if !ok {
		raw, _ = json.Marshal(v)
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

func hs256(key []byte, text string) string {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return text + "." + b64(h.Sum(nil))
}

// badTokens are tokens that must not be taken, by what is wrong with them: made by others, or ours
// and altered, or ours and over.
func badTokens(t *testing.T, a *App, admin client) map[string]string {
	t.Helper()
	grant := func(by *auth.Auth) string {
		token, err := by.UserToken(auth.System(), auth.BootstrapUser, auth.Request{})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	good := grant(a.auth)
	part := strings.Split(good, ".")
	head, payload := part[0], part[1]
	claims, err := base64.RawURLEncoding.DecodeString(payload)
	if err != nil {
		t.Fatal(err)
	}
	yesterday := func() time.Time { return time.Now().Add(-24 * time.Hour) }
	cert, err := os.ReadFile(filepath.Join(a.cfg.BaseRoot, "server.crt"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rs := b64(map[string]string{"alg": "RS256", "typ": "JWT"}) + "." + payload
	sum := sha256.Sum256([]byte(rs))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	none := b64(map[string]string{"alg": "none", "typ": "JWT"})
	edit := func(old, new string) string {
		if !strings.Contains(string(claims), old) {
			t.Fatalf("the token says %s, nothing of %s", claims, old)
		}
		return head + "." + b64([]byte(strings.Replace(string(claims), old, new, 1))) + "." + part[2]
	}
	var asMachine, noEnd map[string]any
	for _, m := range []*map[string]any{&asMachine, &noEnd} {
		if err := json.Unmarshal(claims, m); err != nil {
			t.Fatal(err)
		}
	}
	delete(noEnd, "exp")
	return map[string]string{
		"none at all":                     "",
		"nonsense":                        "abc",
		"three empty parts":               "..",
		"long":                            strings.Repeat("a", 50_000),
		"expired":                         grant(auth.New(source{a.objects}, yesterday)),
		"another server's":                grant(auth.New(otherKeys{source{a.objects}}, time.Now)),
		"of no algorithm":                 none + "." + payload + ".",
		"of no algorithm, signed":         none + "." + payload + "." + part[2],
		"of no algorithm in capitals":     b64(map[string]string{"alg": "NONE"}) + "." + payload + ".",
		"without a signature":             head + "." + payload + ".",
		"signed by another RSA key":       rs + "." + b64(sig),
		"said to be RSA":                  rs + "." + part[2],
		"signed with our certificate":     hs256(cert, head+"."+payload),
		"signed with nothing":             hs256(nil, head+"."+payload),
		"that brings its key":             hs256([]byte("k"), b64(map[string]any{"alg": "HS256", "jwk": map[string]string{"kty": "oct", "k": b64([]byte("k"))}, "kid": "../../dev/null"})+"."+payload),
		"of another subject":              edit("user:rocketskates", "user:someoneelse"),
		"of the system":                   edit(`"lim"`, `"sys":true,"lim"`),
		"of a longer life":                edit(`"exp":`, `"exp":9`),
		"with a signature cut short":      good[:len(good)-4],
		"with a signature made longer":    good + "AAAA",
		"of another's head":               b64(map[string]string{"alg": "HS512", "typ": "JWT"}) + "." + payload + "." + part[2],
		"without an end, unsigned":        hs256(nil, head+"."+b64(noEnd)),
		"of a user whose secret changed":  revoked(t, a, admin, func(u string) { admin.must("PUT", "/users/"+u+"/password", `{"Password":"new"}`, nil) }),
		"of a user who is deleted":        revoked(t, a, admin, func(u string) { admin.must("DELETE", "/users/"+u, nil, nil) }),
		"of a machine that is deleted":    revokedMachine(t, admin),
		"granted by a user since deleted": grantedBy(t, a, admin),
	}
}

// revoked is a token of an almighty user that was good until something was done.
func revoked(t *testing.T, a *App, admin client, end func(user string)) string {
	t.Helper()
	name := "gone" + models.NewUUID()[:8]
	admin.must("POST", "/users", map[string]any{"Name": name, "Roles": []string{models.Superuser}}, nil)
	token, err := a.auth.UserToken(auth.System(), name, auth.Request{})
	if err != nil {
		t.Fatal(err)
	}
	client{t, admin.url, token}.must("GET", "/users", nil, nil)
	end(name)
	return token
}

func revokedMachine(t *testing.T, admin client) string {
	t.Helper()
	var m models.Machine
	var token models.UserToken
	admin.must("POST", "/machines", `{"Name":"gone"}`, &m)
	admin.must("GET", "/machines/"+m.Uuid+"/token", nil, &token)
	client{t, admin.url, token.Token}.must("GET", "/machines/"+m.Uuid, nil, nil)
	admin.must("DELETE", "/machines/"+m.Uuid, nil, nil)
	return token.Token
}

// grantedBy is a good user's token, by way of one who is no more.
func grantedBy(t *testing.T, a *App, admin client) string {
	t.Helper()
	var second models.UserToken
	revoked(t, a, admin, func(u string) {
		first, err := a.auth.UserToken(auth.System(), u, auth.Request{})
		if err != nil {
			t.Fatal(err)
		}
		client{t, admin.url, first}.must("GET", "/users/rocketskates/token", nil, &second)
		client{t, admin.url, second.Token}.must("GET", "/users", nil, nil)
		admin.must("DELETE", "/users/"+u, nil, nil)
	})
	return second.Token
}

// TestNoRouteAnswersWithoutAGoodToken: every route of the router, with every bad token there is.
func TestNoRouteAnswersWithoutAGoodToken(t *testing.T) {
	a, admin, _ := start(t, config(t))
	ids := populate(t, admin)
	bad := badTokens(t, a, admin)
	list, rev, refused := routes(t, a, ids), a.objects.View().Rev, 0
	for name, token := range bad {
		for _, r := range list {
			if slices.Contains(everybodys, r[1]) {
				continue
			}
			got := client{t, admin.url, token}.do(r[0], r[1], sensible(r))
			if got.status != http.StatusUnauthorized && got.status != http.StatusForbidden {
				t.Errorf("%s %s with a token %s: got %d, want 401 or 403", r[0], r[1], name, got.status)
			}
			if r[0] != "HEAD" {
				envelope(t, got)
			}
			refused++
		}
		if len(token) > 32<<10 {
			continue // as a URL it is refused for its length
		}
		if got := (client{t, admin.url, ""}).do("GET", "/ws?token="+token, nil); got.status != http.StatusUnauthorized && got.status != http.StatusForbidden {
			t.Errorf("a websocket with a token %s: got %d, want 401 or 403", name, got.status)
		}
		refused++
	}
	for i, r := range list {
		if i%20 == 0 && !slices.Contains(everybodys, r[1]) { // a password costs as much as a hundred tokens
			if got := (client{t, admin.url, "rocketskates:wrong"}).do(r[0], r[1], sensible(r)); got.status != http.StatusUnauthorized {
				t.Errorf("%s %s with a wrong password: got %d, want 401", r[0], r[1], got.status)
			}
			refused++
		}
	}
	if now := a.objects.View().Rev; now != rev {
		t.Errorf("something was written: revision %d, was %d", now, rev)
	}
	admin.must("GET", "/users", nil, nil) // nothing of all that has ended a good one
	t.Logf("%d routes, %d kinds of bad tokens: %d requests refused", len(list), len(bad)+1, refused)
}

// TestTooNarrowTokensOpenNothingElse: every route of the router, with tokens that are good, but for
// something else.
func TestTooNarrowTokensOpenNothingElse(t *testing.T) {
	a, admin, _ := start(t, config(t))
	ids := populate(t, admin)
	admin.must("POST", "/roles", `{"Name":"nothing","Claims":[]}`, nil)
	narrow := map[string]auth.Request{
		"another scope":  {Scope: "isos", Action: "list"},
		"another object": {Scope: "profiles", Action: "get", Specific: "someone-elses"},
		"another action": {Scope: "machines", Action: "token", Specific: "x"},
		"an empty role":  {Roles: []string{"nothing"}},
		"an odd list":    {Scope: ",", Action: "*,", Specific: "**"},
	}
	// What the server tells anybody it knows.
	public := []string{"/info", "/objects", "/indexes", "/indexes/machines", "/indexes/machines/my/leader", "/ws"}
	// A user may see itself, whatever it was narrowed to: a list of roles leaves that in.
	self := func(name, path string) bool {
		path = strings.TrimPrefix(path, "/meta")
		return name == "an empty role" && (path == "/users" || path == "/history" || strings.HasPrefix(path, "/users/rocketskates"))
	}
	rev, refused := a.objects.View().Rev, 0
	for name, ask := range narrow {
		token, err := a.auth.UserToken(auth.System(), auth.BootstrapUser, ask)
		if err != nil {
			t.Fatal(err)
		}
		c := client{t, admin.url, token}
		for _, r := range routes(t, a, ids) {
			if r[0] == "GET" && slices.Contains(public, r[1]) || slices.Contains(everybodys, r[1]) || self(name, r[1]) || name == "another scope" && r[1] == "/isos" || r == [2]string{"DELETE", "/users/rocketskates/token"} {
				continue
			}
			got := c.do(r[0], r[1], sensible(r))
			_, isKind := models.KindOf(strings.TrimPrefix(r[1], "/"))
			isKind = isKind || r[1] == "/interfaces"
			switch {
			case got.status == http.StatusForbidden, got.status == http.StatusNotFound, got.status == http.StatusUnprocessableEntity && strings.HasPrefix(r[1], "/jobs"):
				refused++
			case r[0] == "GET" && (isKind || r[1] == "/pools-active" || r[1] == "/contents" || r[1] == "/history" || r[1] == "/waits") && string(got.body) == "[]", r[0] == "HEAD" && isKind && got.header.Get("X-DRP-LIST-COUNT") == "0":
				refused++ // a list of all that may be seen
			case r[1] == "/wait" && strings.Contains(string(got.body), `"never"`) && strings.Contains(string(got.body), "does not exist"):
				refused++
			default:
				t.Errorf("%s %s with a token for %s: got %d %.200s, want 403 or 404", r[0], r[1], name, got.status, got.body)
			}
		}
	}
	if now := a.objects.View().Rev; now != rev {
		commits, _ := a.objects.Commits(t.Context(), rev, now)
		t.Errorf("something was written: %v", slices.Collect(func(yield func(string) bool) {
			for _, c := range commits {
				yield(c.Who + show(c))
			}
		}))
	}
	t.Logf("%d requests refused", refused)
}
