package auth

import (
	"encoding/hex"
	"maps"
	"sync"
	"testing"
	"time"

	"drp/models"
)

const (
	machine1 = "11111111-1111-4111-8111-111111111111"
	machine2 = "22222222-2222-4222-8222-222222222222"
	job1     = "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
)

// world is a Source whose objects a test exchanges.
type world struct {
	mu       sync.Mutex
	users    map[string]*models.User
	roles    map[string]*models.Role
	machines map[string]*models.Machine
	jobs     map[string]*models.Job
	prefs    map[string]string
	tenants  map[string]string
	plugins  map[string]bool
	ended    map[string]bool
	clock    time.Time
}

func newWorld() *world {
	w := &world{
		users: map[string]*models.User{}, roles: map[string]*models.Role{},
		machines: map[string]*models.Machine{}, jobs: map[string]*models.Job{}, tenants: map[string]string{}, plugins: map[string]bool{"callback": true}, ended: map[string]bool{},
		prefs: map[string]string{baseSecretPref: models.NewSecret(32), systemSecretPref: models.NewSecret(32)},
		clock: time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC),
	}
	w.role("superuser", claim("*", "*", "*"))
	w.role("operator", claim("machines", "get,list,update,token", "*"), claim("users", "token", "*"))
	w.role("reader", claim("machines", "get", "*"))
	w.user("admin", "superuser")
	w.user("alice", "operator")
	for _, uuid := range []string{machine1, machine2} {
		w.machines[uuid] = &models.Machine{Uuid: uuid, Secret: models.NewSecret(16)}
	}
	w.jobs[job1] = &models.Job{
		Uuid: job1, Machine: machine1, Current: true, State: models.Running,
		ExtraClaims: []models.Claim{claim("profiles", "get", "*")},
	}
	return w
}

func (w *world) user(name string, roles ...string) {
	w.change(func() {
		w.users[name] = &models.User{Name: name, Roles: roles, Secret: models.NewSecret(16), PasswordHash: []byte("hash of " + name)}
	})
}

func (w *world) role(name string, claims ...models.Claim) {
	w.change(func() { w.roles[name] = &models.Role{Name: name, Claims: claims} })
}

func (w *world) pass(d time.Duration) { w.change(func() { w.clock = w.clock.Add(d) }) }

func (w *world) change(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

// replace exchanges an object for a changed copy.
func replace[V any](w *world, m map[string]*V, key string, edit func(*V)) {
	w.change(func() {
		c := *m[key]
		edit(&c)
		m[key] = &c
	})
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func find[V any](w *world, m map[string]V, key string) (V, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	v, ok := m[key]
	return v, ok
}

func (w *world) User(name string) (*models.User, bool)       { return find(w, w.users, name) }
func (w *world) Role(name string) (*models.Role, bool)       { return find(w, w.roles, name) }
func (w *world) Machine(uuid string) (*models.Machine, bool) { return find(w, w.machines, uuid) }
func (w *world) Job(uuid string) (*models.Job, bool)         { return find(w, w.jobs, uuid) }
func (w *world) Plugin(name string) bool                     { _, ok := find(w, w.plugins, name); return ok }
func (w *world) Ended(sum [32]byte) bool {
	b, _ := find(w, w.ended, hex.EncodeToString(sum[:]))
	return b
}
func (w *world) Tenant(user string) string { s, _ := find(w, w.tenants, user); return s }
func (w *world) Pref(name string) string   { s, _ := find(w, w.prefs, name); return s }

// secrets is every secret there is, by what rotates it.
func (w *world) secrets() map[string]string {
	w.mu.Lock()
	defer w.mu.Unlock()
	s := maps.Clone(w.prefs)
	for name, u := range w.users {
		s[name] = u.Secret
	}
	for uuid, m := range w.machines {
		s[uuid] = m.Secret
	}
	return s
}

// open makes an Auth that takes "secret" for everybody's password.
func open(w *world) *Auth {
	a := New(w, w.now)
	a.verify = func(hash []byte, password string) bool { return password == "secret" }
	return a
}

func login(t testing.TB, a *Auth, user string) Principal {
	t.Helper()
	p, err := a.Password(t.Context(), user, "secret")
	if err != nil {
		t.Fatalf("log in as %s: %v", user, err)
	}
	return p
}

// must returns the token of a grant that has to succeed.
func must(t testing.TB) func(token string, err error) string {
	return func(token string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatalf("grant: %v", err)
		}
		return token
	}
}

func holder(t testing.TB, a *Auth, token string) Principal {
	t.Helper()
	p, err := a.Token(token)
	if err != nil {
		t.Fatalf("token: %v", err)
	}
	return p
}

func allows(t *testing.T, p Principal, want bool, scope, action, specific string) {
	t.Helper()
	if got := p.Claims.Allow(scope, action, specific); got != want {
		t.Errorf("%s: %s %s %q: got %v, want %v (claims %v)", p.Name, scope, action, specific, got, want, p.Claims)
	}
}
