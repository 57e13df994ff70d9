package auth

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"pgregory.net/rapid"

	"drp/models"
)

// grants is every way to come by a token, with the secrets whose rotation has to end it. The
// base secret ends all.
var grants = map[string]struct {
	make func(t testing.TB, a *Auth) string
	ends []string
}{
	"user by himself": {func(t testing.TB, a *Auth) string {
		return must(t)(a.UserToken(login(t, a, "alice"), "alice", Request{}))
	}, []string{"alice"}},
	"user by another": {func(t testing.TB, a *Auth) string {
		return must(t)(a.UserToken(login(t, a, "admin"), "alice", Request{}))
	}, []string{"alice", "admin"}},
	"user by another, refreshed": {func(t testing.TB, a *Auth) string {
		first := must(t)(a.UserToken(login(t, a, "admin"), "alice", Request{}))
		return must(t)(a.UserToken(holder(t, a, first), "alice", Request{}))
	}, []string{"alice", "admin"}},
	"user by himself, narrowed": {func(t testing.TB, a *Auth) string {
		return must(t)(a.UserToken(login(t, a, "alice"), "alice", Request{Scope: "machines", Roles: []string{"reader"}}))
	}, []string{"alice"}},
	"user by the system": {func(t testing.TB, a *Auth) string {
		return must(t)(a.UserToken(System(), "alice", Request{}))
	}, []string{"alice", systemSecretPref}},
	"machine by the system": {func(t testing.TB, a *Auth) string {
		return must(t)(a.MachineToken(System(), machine1, 0))
	}, []string{machine1, systemSecretPref}},
	"machine by the system, refreshed": {func(t testing.TB, a *Auth) string {
		first := must(t)(a.MachineToken(System(), machine1, 0))
		return must(t)(a.MachineToken(holder(t, a, first), machine1, 0))
	}, []string{machine1, systemSecretPref}},
	"machine by a user": {func(t testing.TB, a *Auth) string {
		return must(t)(a.MachineToken(login(t, a, "admin"), machine1, 0))
	}, []string{machine1, "admin"}},
	"machine by a user, refreshed": {func(t testing.TB, a *Auth) string {
		first := must(t)(a.MachineToken(login(t, a, "admin"), machine1, 0))
		return must(t)(a.MachineToken(holder(t, a, first), machine1, 0))
	}, []string{machine1, "admin"}},
	"job": {func(t testing.TB, a *Auth) string {
		j, _ := a.src.Job(job1)
		return must(t)(a.JobToken(j))
	}, []string{machine1, systemSecretPref}},
	"user by a job": {func(t testing.TB, a *Auth) string {
		j, _ := a.src.Job(job1)
		return must(t)(a.UserToken(holder(t, a, must(t)(a.JobToken(j))), "alice", Request{}))
	}, []string{machine1, "alice", systemSecretPref}},
	"profile": {func(t testing.TB, a *Auth) string {
		return must(t)(a.ProfileToken("cluster-1", 0))
	}, []string{systemSecretPref}},
	"unknown": {func(t testing.TB, a *Auth) string {
		return must(t)(a.UnknownToken(0))
	}, []string{systemSecretPref}},
}

func (w *world) rotate(secret string) {
	switch {
	case w.prefs[secret] != "":
		w.change(func() { w.prefs[secret] = models.NewSecret(32) })
	case w.users[secret] != nil:
		replace(w, w.users, secret, func(u *models.User) { u.Secret = models.NewSecret(16) })
	default:
		replace(w, w.machines, secret, func(m *models.Machine) { m.Secret = models.NewSecret(16) })
	}
}

func TestRotatingASecretEndsExactlyItsTokens(t *testing.T) {
	for name, g := range grants {
		for secret := range newWorld().secrets() {
			w := newWorld()
			a := open(w)
			token := g.make(t, a)
			holder(t, a, token) // is in the cache now
			w.rotate(secret)
			_, err := a.Token(token)
			ends := secret == baseSecretPref || slices.Contains(g.ends, secret)
			if (err != nil) != ends {
				t.Errorf("%s: a new secret of %s: got error %v, want one: %v", name, secret, err, ends)
			}
			if _, cold := New(w, w.now).Token(token); (cold == nil) != (err == nil) {
				t.Errorf("%s: a new secret of %s: got %v without a cache, and %v with one", name, secret, cold, err)
			}
		}
	}
}

func TestTokenEndsWhenItsTimeIsOver(t *testing.T) {
	for name, g := range grants {
		w := newWorld()
		a := open(w)
		token := g.make(t, a)
		p := holder(t, a, token)
		w.pass(p.Expires.Sub(w.now()) - 1)
		holder(t, a, token)
		w.pass(1)
		wantInvalid(t, name, a, token, "expired")
		wantInvalid(t, name, New(w, w.now), token, "expired")
	}
}

func TestTokenLivesAsLongAsAsked(t *testing.T) {
	w := newWorld()
	a := open(w)
	for ttl, want := range map[time.Duration]time.Duration{
		0: DefaultTTL, -1: DefaultTTL, 1: 1, time.Minute: time.Minute, never: never,
	} {
		p := holder(t, a, must(t)(a.UnknownToken(ttl)))
		if got := p.Expires.Sub(w.now()); got < want || got >= want+time.Second {
			t.Errorf("ttl %v: got %v, want %v and less than a second more", ttl, got, want)
		}
	}
}

func TestTokenOutlivesNoneOfItsSubjects(t *testing.T) {
	w := newWorld()
	a := open(w)
	tokens := map[string]string{}
	for name, g := range grants {
		tokens[name] = g.make(t, a)
		holder(t, a, tokens[name])
	}
	w.change(func() { clear(w.users); clear(w.machines); clear(w.jobs) })
	for name, token := range tokens {
		if name != "profile" && name != "unknown" {
			wantInvalid(t, name, a, token, "revoked")
		}
	}
}

func TestJobTokenIsValidOnlyDuringTheJob(t *testing.T) {
	for name, c := range map[string]struct {
		edit func(*models.Job)
		live bool
	}{
		"created":                      {func(j *models.Job) { j.State = models.Created }, true},
		"running":                      {func(j *models.Job) {}, true},
		"incomplete":                   {func(j *models.Job) { j.State = models.Incomplete }, true},
		"finished":                     {func(j *models.Job) { j.State = models.Finished }, false},
		"failed":                       {func(j *models.Job) { j.State = models.Failed }, false},
		"not its turn":                 {func(j *models.Job) { j.Current = false }, false},
		"not running and not its turn": {func(j *models.Job) { j.Current, j.State = false, models.Incomplete }, false},
	} {
		w := newWorld()
		a := open(w)
		token := grants["job"].make(t, a)
		p := holder(t, a, token)
		allows(t, p, true, "profiles", "get", "any")
		allows(t, p, true, "machines", "update:/Params/x", machine1)
		allows(t, p, false, "profiles", "update", "any")
		replace(w, w.jobs, job1, c.edit)
		if _, err := a.Token(token); (err == nil) != c.live {
			t.Errorf("%s: got %v, want valid: %v", name, err, c.live)
		}
	}
}

func TestMachineTokenGrantedByItsJobOutlivesTheJob(t *testing.T) {
	w := newWorld()
	a := open(w)
	job := holder(t, a, grants["job"].make(t, a))
	own := must(t)(a.MachineToken(job, machine1, 0))
	other := must(t)(a.MachineToken(job, machine2, 0))
	if p := holder(t, a, own); !p.Claims.Contain(MachineClaims(&models.Machine{Uuid: machine1})) || p.Claims.Allow("profiles", "get", "any") {
		t.Errorf("got %v, want what a machine may", p.Claims)
	}
	allows(t, holder(t, a, other), false, "machines", "get", machine2)
	replace(w, w.jobs, job1, func(j *models.Job) { j.State = models.Finished })
	holder(t, a, own)
	wantInvalid(t, "other machine", a, other, "revoked")
}

func TestJobTokenNeedsNoStoredJob(t *testing.T) {
	w := newWorld()
	a := open(w)
	j := *w.jobs[job1]
	j.Uuid = models.NewUUID()
	token := must(t)(a.JobToken(&j))
	wantInvalid(t, "before the job is stored", a, token, "revoked")
	w.change(func() { w.jobs[j.Uuid] = &j })
	if p := holder(t, a, token); p.Name != "job:"+j.Uuid {
		t.Errorf("got %s, want job:%s", p.Name, j.Uuid)
	}
}

// TestTokenNeverAllowsWhatItsGrantorDoesNot walks random chains of grants over random roles,
// then changes the roles and looks again.
func TestTokenNeverAllowsWhatItsGrantorDoesNot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorld()
		a := open(w)
		roles, users := []string{"r1", "r2", "r3"}, []string{"alice", "bob", "admin"}
		setRoles := func() {
			for _, r := range roles {
				w.role(r, claims().Draw(t, r)...)
			}
		}
		setRoles()
		for _, u := range users {
			w.user(u, rapid.SliceOfDistinct(rapid.SampledFrom(append(roles, "superuser", "none")), rapid.ID).Draw(t, u)...)
		}
		first, err := a.Password(t.Context(), rapid.SampledFrom(users).Draw(t, "login"), "secret")
		if err != nil {
			t.Fatal(err)
		}
		var chain []string
		grantor := first
		for range rapid.IntRange(1, 4).Draw(t, "length") {
			token, err := randomGrant(t, a, grantor, users, roles)
			if err != nil {
				t.Fatal(err)
			}
			p, err := a.Token(token)
			if err != nil {
				t.Fatal(err)
			}
			notMore(t, p, grantor)
			chain, grantor = append(chain, token), p
		}
		setRoles()
		grantor, err = a.Password(t.Context(), strings.TrimPrefix(first.Name, "user:"), "secret")
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range chain {
			p, err := a.Token(token)
			if err != nil {
				t.Fatal(err)
			}
			notMore(t, p, grantor)
			grantor = p
		}
	})
}

func randomGrant(t *rapid.T, a *Auth, grantor Principal, users, roles []string) (string, error) {
	if rapid.IntRange(0, 4).Draw(t, "kind") == 0 {
		return a.MachineToken(grantor, rapid.SampledFrom([]string{machine1, machine2}).Draw(t, "machine"), 0)
	}
	var r Request
	if rapid.Bool().Draw(t, "narrow") {
		r.Scope, r.Action, r.Specific = list(someScopes).Draw(t, "scope"), list(someActions).Draw(t, "action"), list(someSpecifics).Draw(t, "specific")
	}
	if rapid.Bool().Draw(t, "limit roles") {
		r.Roles = rapid.SliceOf(rapid.SampledFrom(append(roles, "superuser", "none"))).Draw(t, "roles")
	}
	return a.UserToken(grantor, rapid.SampledFrom(users).Draw(t, "user"), r)
}

func notMore(t *rapid.T, p, grantor Principal) {
	everyRequest(func(scope, action, specific string) {
		if p.Claims.Allow(scope, action, specific) && !grantor.Claims.Allow(scope, action, specific) {
			t.Fatalf("%s may %s %s %q, its grantor %s may not: %v, %v", p.Name, scope, action, specific, grantor.Name, p.Claims, grantor.Claims)
		}
	})
}

func TestPlainTokenAllowsAllThatTheUserMay(t *testing.T) {
	a := open(newWorld())
	for _, user := range []string{"alice", "admin"} {
		p := login(t, a, user)
		q := holder(t, a, must(t)(a.UserToken(p, user, Request{})))
		if q.Name != p.Name || !q.Claims.Contain(p.Claims) || !p.Claims.Contain(q.Claims) {
			t.Errorf("got %s %v, want %s %v", q.Name, q.Claims, p.Name, p.Claims)
		}
	}
}

func TestNarrowedTokenAllowsWhatWasAskedAndTheGrantorMay(t *testing.T) {
	w := newWorld()
	w.role("mixed", claim("machines", "get", "*"), claim("roles", "get", "*"))
	a := open(w)
	for _, c := range []struct {
		request                 Request
		scope, action, specific string
		want                    bool
	}{
		{Request{Scope: "machines", Action: "get", Specific: machine1}, "machines", "get", machine1, true},
		{Request{Scope: "machines", Action: "get", Specific: machine1}, "machines", "get", machine2, false},
		{Request{Scope: "machines", Action: "get", Specific: machine1}, "machines", "update", machine1, false},
		{Request{Scope: "machines", Action: "get", Specific: machine1}, "users", "password", "alice", false},
		{Request{Scope: "machines"}, "machines", "get", machine1, true},
		{Request{Scope: "machines"}, "machines", "delete", machine1, false},
		{Request{Action: "get"}, "machines", "get", machine1, true},
		{Request{Action: "get"}, "users", "get", "alice", true},
		{Request{Action: "get"}, "users", "get", "admin", false},
		{Request{Action: "get"}, "machines", "list", "", false},
		{Request{Scope: "roles"}, "roles", "get", "reader", false},
		{Request{Scope: "roles"}, "users", "get", "alice", false},
		{Request{Scope: "*", Action: "*", Specific: "*"}, "machines", "list", "", true},
		{Request{Roles: []string{"reader"}}, "machines", "get", machine1, true},
		{Request{Roles: []string{"reader"}}, "machines", "update", machine1, false},
		{Request{Roles: []string{"reader"}}, "users", "token", "alice", true},
		{Request{Roles: []string{"reader"}}, "users", "password", "alice", false},
		{Request{Roles: []string{"superuser"}}, "machines", "get", machine1, false},
		{Request{Roles: []string{"superuser", "reader"}}, "machines", "get", machine1, true},
		{Request{Roles: []string{"mixed"}}, "machines", "get", machine1, false}, // left out as a whole
		{Request{Roles: []string{"nonesuch"}}, "machines", "get", machine1, false},
	} {
		p := holder(t, a, must(t)(a.UserToken(login(t, a, "alice"), "alice", c.request)))
		t.Run(fmt.Sprintf("%+v", c.request), func(t *testing.T) { allows(t, p, c.want, c.scope, c.action, c.specific) })
	}
}

func TestChangedRoleTakesEffectAtOnce(t *testing.T) {
	w := newWorld()
	a := open(w)
	token := grants["user by himself"].make(t, a)
	allows(t, holder(t, a, token), true, "machines", "update", machine1)
	w.role("operator", claim("machines", "get", "*"))
	allows(t, holder(t, a, token), false, "machines", "update", machine1)
	w.change(func() { delete(w.roles, "operator") })
	allows(t, holder(t, a, token), false, "machines", "get", machine1)
	w.role("operator", claim("machines", "*", "*"))
	allows(t, holder(t, a, token), true, "machines", "delete", machine1)
	replace(w, w.users, "alice", func(u *models.User) { u.Roles = nil })
	allows(t, holder(t, a, token), false, "machines", "get", machine1)
	allows(t, holder(t, a, token), true, "users", "password", "alice")
}

func TestVerdictIsReachedOnceWhileNothingChanges(t *testing.T) {
	w := newWorld()
	a := open(w)
	k, err := a.current()
	if err != nil {
		t.Fatal(err)
	}
	cached := func(token string) *verdict {
		holder(t, a, token)
		for _, e := range a.tokens.entries {
			if e.value.holds(k) {
				return e.value
			}
		}
		return nil
	}
	token := grants["machine by the system"].make(t, a)
	first := cached(token)
	replace(w, w.machines, machine1, func(m *models.Machine) { m.Description = "changed" })
	if second := cached(token + "\n"); first == nil || first != second {
		t.Errorf("got another verdict (%p, %p), want the same: a changed machine with the same secret is no reason", first, second)
	}
}

func TestTokensAreNotKeptWithoutBound(t *testing.T) {
	w := newWorld()
	a := open(w)
	a.tokens = newCache[*verdict](16)
	for i := range 100 {
		holder(t, a, must(t)(a.UnknownToken(time.Duration(i+1)*time.Second)))
		if n := len(a.tokens.entries); n > 16 {
			t.Fatalf("got %d entries, want at most 16", n)
		}
	}
}

func TestRefreshingDoesNotGrowAToken(t *testing.T) {
	a := open(newWorld())
	for name, g := range grants {
		token := g.make(t, a)
		p := holder(t, a, token)
		kind, subject, _ := strings.Cut(p.Name, ":")
		for range 2 * maxLimits {
			switch kind {
			case "user":
				p = holder(t, a, must(t)(a.UserToken(p, subject, Request{})))
			case "machine":
				p = holder(t, a, must(t)(a.MachineToken(p, subject, 0)))
			}
		}
		if want := holder(t, a, token); !reflect.DeepEqual(p.right, want.right) {
			t.Errorf("%s: got %+v, want %+v", name, p.right, want.right)
		}
	}
}

func TestChainsOfGrantorsAreBounded(t *testing.T) {
	w := newWorld()
	a := open(w)
	p := login(t, a, "admin")
	for i := range 2 * maxLimits {
		user := fmt.Sprintf("user%d", i)
		w.user(user, "superuser")
		token, err := a.UserToken(p, user, Request{})
		if err != nil {
			if models.ClassOf(err) != models.Forbidden || i < maxLimits-1 {
				t.Errorf("after %d: got %v, want Forbidden after %d", i, err, maxLimits-1)
			}
			return
		}
		p = holder(t, a, token)
	}
	t.Errorf("got a chain of %d grantors, want an end at %d", 2*maxLimits, maxLimits)
}

func TestGrantsToWhatIsNotThereAreRefused(t *testing.T) {
	w := newWorld()
	a := open(w)
	admin := login(t, a, "admin")
	ghost := &models.Job{Uuid: job1, Machine: models.NewUUID()}
	for name, c := range map[string]struct {
		grant func() (string, error)
		class models.Class
	}{
		"user":         {func() (string, error) { return a.UserToken(admin, "greg", Request{}) }, models.NotFound},
		"machine":      {func() (string, error) { return a.MachineToken(admin, models.ZeroUUID, 0) }, models.NotFound},
		"job":          {func() (string, error) { return a.JobToken(ghost) }, models.NotFound},
		"all profiles": {func() (string, error) { return a.ProfileToken("*", 0) }, models.Invalid},
		"two profiles": {func() (string, error) { return a.ProfileToken("aa,bb", 0) }, models.Invalid},
		"no profile":   {func() (string, error) { return a.ProfileToken("", 0) }, models.Invalid},
		"long narrowing": {func() (string, error) {
			return a.UserToken(admin, "alice", Request{Scope: strings.Repeat("a,", maxNarrow)})
		}, models.BadRequest},
		"no grantor": {func() (string, error) {
			return a.UserToken(Principal{Name: "user:admin", Claims: everything()}, "alice", Request{})
		}, models.Internal},
	} {
		if token, err := c.grant(); err == nil || token != "" || models.ClassOf(err) != c.class {
			t.Errorf("%s: got %q, %v, want class %v", name, token, err, c.class)
		}
	}
}

func TestServerWithoutASecretGrantsAndAcceptsNothing(t *testing.T) {
	w := newWorld()
	a := open(w)
	token := grants["unknown"].make(t, a)
	for _, bad := range []string{"", "short", strings.Repeat("x", 33)} {
		w.change(func() { w.prefs[baseSecretPref] = bad })
		if _, err := a.Token(token); err == nil {
			t.Errorf("secret of %d bytes: got no error from Token", len(bad))
		}
		if _, err := a.UnknownToken(0); err == nil {
			t.Errorf("secret of %d bytes: got no error from UnknownToken", len(bad))
		}
	}
}

func TestForgedTokensAreRefused(t *testing.T) {
	w := newWorld()
	a, foreign := open(w), open(newWorld())
	k, err := a.current()
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := func() payload {
		u, _ := w.User("admin")
		return payload{
			RegisteredClaims: jwt.RegisteredClaims{Subject: "user:admin", ExpiresAt: jwt.NewNumericDate(w.now().Add(time.Hour))},
			Limits:           []limit{k.bind("user:admin", u.Secret)},
		}
	}
	with := func(edit func(*payload)) payload { p := good(); edit(&p); return p }
	signed := func(m jwt.SigningMethod, key any, p payload) string {
		t.Helper()
		return must(t)(jwt.NewWithClaims(m, p).SignedString(key))
	}
	hs := jwt.SigningMethodHS256
	holder(t, a, signed(hs, k.byUser, good())) // so that each of the following fails for its own reason
	genuine := signed(hs, k.byUser, good())
	parts := strings.Split(genuine, ".")
	narrow := strings.Split(must(t)(a.UserToken(login(t, a, "alice"), "alice", Request{Scope: "machines"})), ".")

	forged := map[string]string{
		"nothing":                   "",
		"a word":                    "cow",
		"three words":               "a.b.c",
		"a password":                "admin:secret",
		"no algorithm":              signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, good()),
		"no signature":              parts[0] + "." + parts[1] + ".",
		"two parts":                 parts[0] + "." + parts[1],
		"four parts":                genuine + ".x",
		"other payload":             parts[0] + "." + narrow[1] + "." + parts[2],
		"padded":                    genuine + "=",
		"empty key":                 signed(hs, []byte{}, good()),
		"the secret itself as key":  signed(hs, []byte(w.prefs[baseSecretPref]), good()),
		"key of system tokens":      signed(hs, k.bySystem, good()),
		"key of stamps":             signed(hs, k.stamps, good()),
		"claims to be the system's": signed(hs, k.byUser, with(func(p *payload) { p.System = true })),
		"HS384":                     signed(jwt.SigningMethodHS384, k.byUser, good()),
		"HS512":                     signed(jwt.SigningMethodHS512, k.byUser, good()),
		"RS256":                     signed(jwt.SigningMethodRS256, rsaKey, good()),
		"PS256":                     signed(jwt.SigningMethodPS256, rsaKey, good()),
		"ES256":                     signed(jwt.SigningMethodES256, ecKey, good()),
		"of another server":         grants["user by himself"].make(t, foreign),
		"expired":                   signed(hs, k.byUser, with(func(p *payload) { p.ExpiresAt = jwt.NewNumericDate(w.now().Add(-time.Second)) })),
		"without an end":            signed(hs, k.byUser, with(func(p *payload) { p.ExpiresAt = nil })),
		"not valid yet":             signed(hs, k.byUser, with(func(p *payload) { p.NotBefore = jwt.NewNumericDate(w.now().Add(time.Minute)) })),
		"without limits":            signed(hs, k.byUser, with(func(p *payload) { p.Limits = nil })),
		"of a strange sort":         signed(hs, k.byUser, with(func(p *payload) { p.Limits[0].Of = "cow:admin" })),
		"with another's stamp":      signed(hs, k.byUser, with(func(p *payload) { p.Limits[0].Of = "user:alice" })),
		"without a stamp":           signed(hs, k.byUser, with(func(p *payload) { p.Limits[0].Secret = "" })),
		"huge":                      signed(hs, k.byUser, with(func(p *payload) { p.Audience = jwt.ClaimStrings{strings.Repeat("x", maxToken)} })),
	}
	for i := range len(genuine) - 1 {
		forged[fmt.Sprintf("broken at %d", i)] = genuine[:i+1] + "\n" + strings.Repeat("\r", i%2) + genuine[i+1:]
		forged[fmt.Sprintf("cut at %d", i)] = genuine[:i]
		forged[fmt.Sprintf("changed at %d", i)] = genuine[:i] + other(genuine[i]) + genuine[i+1:]
	}
	for name, token := range forged {
		wantInvalid(t, name, a, token, "")
	}
}

// other is a character of the same alphabet that differs in the lowest bit of its value, which
// in the last place may be one that carries nothing.
func other(c byte) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	if i := strings.IndexByte(alphabet, c); i >= 0 {
		return alphabet[i^1 : i^1+1]
	}
	return "_"
}

func TestTokensAndRefusalsTellNoSecret(t *testing.T) {
	w := newWorld()
	a := open(w)
	for name, g := range grants {
		token := g.make(t, a)
		body, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
		if err != nil || !json.Valid(body) {
			t.Fatalf("%s: got %q, %v, want JSON", name, body, err)
		}
		_, refusal := a.Token(token + "x")
		for of, secret := range w.secrets() {
			if strings.Contains(string(body), secret) || strings.Contains(refusal.Error(), secret) {
				t.Errorf("%s: got the secret of %s in %s or in %v", name, of, body, refusal)
			}
		}
	}
}

func TestPrincipalIsNamedForItsSubject(t *testing.T) {
	a := open(newWorld())
	got := map[string]string{}
	for name, g := range grants {
		got[name] = holder(t, a, g.make(t, a)).Name
	}
	want := map[string]string{}
	for name := range grants {
		subject, _, _ := strings.Cut(name, " by")
		want[name] = map[string]string{
			"user": "user:alice", "machine": "machine:" + machine1, "job": "job:" + job1,
			"profile": "profile:cluster-1", "unknown": "unknown",
		}[subject]
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// wantInvalid wants the token refused, for a reason unless that is "".
func wantInvalid(t *testing.T, name string, a *Auth, token, why string) {
	t.Helper()
	p, err := a.Token(token)
	e, ok := err.(*models.Error)
	if !ok || e.Class != models.Forbidden || e.Type != "system" || !strings.HasPrefix(e.Messages[0], "Invalid token: "+why) {
		t.Errorf("%s: got %v, %v, want a Forbidden system error: Invalid token: %s", name, p, err, why)
	}
	if p.Name != "" || p.Claims != nil {
		t.Errorf("%s: got %v with the error, want nobody", name, p)
	}
}

// TestTokenOfAPluginEndsWithIt and allows everything as long as it is there.
func TestTokenOfAPluginEndsWithIt(t *testing.T) {
	w := newWorld()
	a := open(w)
	token, err := a.PluginToken("callback")
	if err != nil {
		t.Fatal(err)
	}
	p := holder(t, a, token)
	allows(t, p, true, "users", "delete", "*")
	if p.Name != "plugin:callback" {
		t.Errorf("the token is that of %s", p.Name)
	}
	w.change(func() { w.plugins = map[string]bool{} })
	if _, err := a.Token(token); models.ClassOf(err) != models.Forbidden {
		t.Errorf("the plugin is gone, and its token says %v", err)
	}
	if _, err := a.PluginToken("callback"); models.ClassOf(err) != models.NotFound {
		t.Errorf("a token for a plugin that is not there: %v", err)
	}
}

// TestAnEndedTokenIsRefusedAndNoOther: not even one that was granted to the same user in the same moment
// for the same.
func TestAnEndedTokenIsRefusedAndNoOther(t *testing.T) {
	w := newWorld()
	a := open(w)
	for name, g := range grants {
		one, twin := g.make(t, a), g.make(t, a)
		holder(t, a, one)
		if one == twin {
			t.Errorf("%s: two tokens are the same", name)
		}
		w.change(func() { w.ended[Sum(one)] = true })
		wantInvalid(t, name, a, one, "revoked")
		wantInvalid(t, name, a, " "+one+"\n", "revoked")
		holder(t, a, twin)
		holder(t, a, g.make(t, a))
		w.change(func() { delete(w.ended, Sum(one)) })
		holder(t, a, one)
	}
}
