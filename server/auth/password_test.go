package auth

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/scrypt"

	"drp/models"
)

func TestHashMatchesItsPasswordOnly(t *testing.T) {
	one, err := Hash(DefaultPassword)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Hash(DefaultPassword)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(one, two) {
		t.Errorf("got %s twice, want a new salt each time", one)
	}
	for password, want := range map[string]bool{DefaultPassword: true, "": false, DefaultPassword + " ": false, strings.ToUpper(DefaultPassword): false} {
		if got := Verify(one, password); got != want {
			t.Errorf("%q: got %v, want %v", password, got, want)
		}
	}
}

func TestUselessPasswordsAreInvalid(t *testing.T) {
	for _, password := range []string{"", strings.Repeat("x", maxPassword+1)} {
		if _, err := Hash(password); models.ClassOf(err) != models.Invalid {
			t.Errorf("%d bytes: got %v, want Invalid", len(password), err)
		}
	}
}

func TestHashesOfOthersMatch(t *testing.T) {
	key, err := scrypt.Key([]byte("secret"), []byte("0123456789abcdef"), 16384, 8, 1, 32)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ password, hash string }{
		// The reference implementation's own test.
		{"password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"},
		// RFC 7914, section 12.
		{"pleaseletmein", "16384$8$1$" + hex.EncodeToString([]byte("SodiumChloride")) + "$7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"},
		{"secret", fmt.Sprintf("16384$8$1$%x$%x", "0123456789abcdef", key)},
	} {
		if !Verify([]byte(c.hash), c.password) {
			t.Errorf("%s: got no match for %s", c.hash, c.password)
		}
		if Verify([]byte(c.hash), c.password+"x") {
			t.Errorf("%s: got a match for another password", c.hash)
		}
	}
}

// hostileHashes ask for too much, or are none.
var hostileHashes = []string{
	"", "$", "$$$$", "$$$$$", "!", "secret",
	"$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	"$argon2id$v=19$m=19456,t=4294967295,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	"$argon2id$v=19$m=19456,t=2,p=255$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	"$argon2id$v=19$m=0,t=0,p=0$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	"$argon2id$v=16$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	"$argon2id$v=19$m=19456,t=2,p=1$$",
	"$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$",
	"$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
	"1073741824$8$1$30313233343536373839$3031323334353637",
	"16384$1048576$1$30313233343536373839$3031323334353637",
	"16384$8$1048576$30313233343536373839$3031323334353637",
	"16383$8$1$30313233343536373839$3031323334353637",
	"0$0$0$30313233343536373839$3031323334353637",
	"-16384$8$1$30313233343536373839$3031323334353637",
	"16384$8$1$30313233343536373839$",
	"16384$8$1$zz$zz",
}

func TestHashesThatAskForTooMuchMatchNothing(t *testing.T) {
	for _, hash := range hostileHashes {
		if _, _, ok := rehash(hash, "secret"); ok || Verify([]byte(hash), "secret") {
			t.Errorf("%q: got work done, want none", hash)
		}
	}
}

func FuzzStrangeHashMatchesNothing(f *testing.F) {
	for _, hash := range hostileHashes {
		f.Add(hash)
	}
	f.Fuzz(func(t *testing.T, hash string) {
		if Verify([]byte(hash), "secret") {
			t.Errorf("%q: got a match", hash)
		}
	})
}

// counted makes an Auth that counts how often it verifies a password.
func counted(w *world) (*Auth, *atomic.Int32) {
	a, n := open(w), new(atomic.Int32)
	verify := a.verify
	a.verify = func(hash []byte, password string) bool { n.Add(1); return verify(hash, password) }
	return a, n
}

func TestUnknownUserAndWrongPasswordFailAlike(t *testing.T) {
	w := newWorld()
	w.user("disabled")
	replace(w, w.users, "disabled", func(u *models.User) { u.PasswordHash = nil })
	hash, err := Hash("secret")
	if err != nil {
		t.Fatal(err)
	}
	replace(w, w.users, "alice", func(u *models.User) { u.PasswordHash = hash })
	a := open(w)
	var costs []string
	a.verify = func(hash []byte, password string) bool {
		costs = append(costs, string(hash[:bytes.LastIndexByte(hash[:len(hash)-60], '$')]))
		return Verify(hash, password)
	}
	var errs []error
	for _, user := range []string{"alice", "greg", "disabled", ""} {
		p, err := a.Password(t.Context(), user, "wrong")
		if models.ClassOf(err) != models.Unauthorized || p.Name != "" {
			t.Errorf("%s: got %v, %v, want Unauthorized", user, p, err)
		}
		errs = append(errs, err)
	}
	for i := range errs {
		if !reflect.DeepEqual(errs[i], errs[0]) {
			t.Errorf("got %v and %v, want the same", errs[i], errs[0])
		}
	}
	if len(costs) != len(errs) {
		t.Fatalf("got %d passwords verified, want %d", len(costs), len(errs))
	}
	for _, c := range costs {
		if c != costs[0] || !strings.HasPrefix(c, "$argon2id$") {
			t.Errorf("got hashes of cost %s and %s, want the same", c, costs[0])
		}
	}
}

// No password is right for a user without a hash, not even one that matches the decoy.
func TestUserWithoutAHashNeverLogsIn(t *testing.T) {
	w := newWorld()
	a := open(w)
	replace(w, w.users, "alice", func(u *models.User) { u.PasswordHash = nil })
	for _, user := range []string{"alice", "greg"} {
		if p, err := a.Password(t.Context(), user, "secret"); models.ClassOf(err) != models.Unauthorized {
			t.Errorf("%s: got %v, %v, want Unauthorized", user, p, err)
		}
	}
}

func TestRightPasswordIsHashedOnceAMinute(t *testing.T) {
	w := newWorld()
	a, n := counted(w)
	expect := func(want int32) {
		t.Helper()
		if got := n.Load(); got != want {
			t.Errorf("got %d passwords verified, want %d", got, want)
		}
	}
	for range 10 {
		login(t, a, "alice")
	}
	expect(1)
	login(t, a, "admin")
	expect(2)
	w.pass(loginTTL - 1)
	login(t, a, "alice")
	expect(2)
	w.pass(1)
	login(t, a, "alice")
	expect(3)
}

func TestWrongPasswordIsNeverRemembered(t *testing.T) {
	w := newWorld()
	a, n := counted(w)
	login(t, a, "alice")
	for range 3 {
		if _, err := a.Password(t.Context(), "alice", "wrong"); err == nil {
			t.Error("got in with a wrong password")
		}
	}
	if got := n.Load(); got != 4 {
		t.Errorf("got %d passwords verified, want 4", got)
	}
}

func TestOldPasswordFailsAtOnce(t *testing.T) {
	w := newWorld()
	a := open(w)
	login(t, a, "alice")
	a.verify = func(hash []byte, password string) bool { return string(hash) == "new" && password == "new" }
	replace(w, w.users, "alice", func(u *models.User) { u.PasswordHash = []byte("new") })
	if _, err := a.Password(t.Context(), "alice", "secret"); models.ClassOf(err) != models.Unauthorized {
		t.Errorf("old password: got %v, want Unauthorized", err)
	}
	if _, err := a.Password(t.Context(), "alice", "new"); err != nil {
		t.Errorf("new password: %v", err)
	}
	w.change(func() { delete(w.users, "alice") })
	if _, err := a.Password(t.Context(), "alice", "new"); models.ClassOf(err) != models.Unauthorized {
		t.Errorf("removed user: got %v, want Unauthorized", err)
	}
}

func TestUsersWithTheSameHashDoNotShareALogin(t *testing.T) {
	w := newWorld()
	a := open(w)
	for _, user := range []string{"alice", "admin"} {
		replace(w, w.users, user, func(u *models.User) { u.PasswordHash = []byte("same") })
	}
	if p := login(t, a, "alice"); p.Name != "user:alice" {
		t.Errorf("got %s, want user:alice", p.Name)
	}
	if p := login(t, a, "admin"); p.Name != "user:admin" {
		t.Errorf("got %s, want user:admin", p.Name)
	}
}

func TestFewPasswordsAreVerifiedAtATime(t *testing.T) {
	w := newWorld()
	a := open(w)
	slots := cap(a.slots)
	if slots < 1 || slots > 4 || slots > max(1, runtime.NumCPU()/2) {
		t.Errorf("got %d slots, want 1 to 4, and no more than half of the CPUs", slots)
	}
	entered, release := make(chan struct{}, 100), make(chan struct{})
	var inside, most atomic.Int32
	a.verify = func([]byte, string) bool {
		now := inside.Add(1)
		defer inside.Add(-1)
		for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
		}
		entered <- struct{}{}
		<-release
		return false
	}
	var all sync.WaitGroup
	attempt := func(ctx context.Context, i int, want models.Class) {
		if _, err := a.Password(ctx, "alice", fmt.Sprint(i)); models.ClassOf(err) != want {
			t.Errorf("attempt %d: got %v, want class %v", i, err, want)
		}
	}
	for i := range slots {
		all.Go(func() { attempt(t.Context(), i, models.Unauthorized) })
	}
	for range slots {
		<-entered
	}
	impatient, cancel := context.WithCancel(t.Context())
	var gone sync.WaitGroup
	for i := range 10 {
		gone.Go(func() { attempt(impatient, 100+i, models.Busy) })
	}
	cancel()
	gone.Wait()
	for i := range 50 {
		all.Go(func() { attempt(t.Context(), 200+i, models.Unauthorized) })
	}
	close(release)
	all.Wait()
	if got := int(most.Load()); got != slots {
		t.Errorf("got %d passwords verified at once, want %d", got, slots)
	}
	if got := len(entered); got != 50 {
		t.Errorf("got %d more passwords verified, want 50", got)
	}
}

func TestManyWithTheSamePasswordShareTheWork(t *testing.T) {
	a, n := counted(newWorld())
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			if _, err := a.Password(context.Background(), "alice", "secret"); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if got := int(n.Load()); got > cap(a.slots) {
		t.Errorf("got %d passwords verified, want at most %d", got, cap(a.slots))
	}
}

func TestLoginsAreNotKeptWithoutBound(t *testing.T) {
	w := newWorld()
	a := open(w)
	a.logins = newCache[struct{}](8)
	for i := range 50 {
		user := fmt.Sprintf("user%d", i)
		w.user(user)
		w.pass(time.Second)
		login(t, a, user)
		if n := len(a.logins.entries); n > 8 {
			t.Fatalf("got %d entries, want at most 8", n)
		}
	}
}

func TestDefaultPasswordIsNoticed(t *testing.T) {
	w := newWorld()
	a := New(w, w.now)
	runs := 0
	a.verify = func(hash []byte, password string) bool { runs++; return Verify(hash, password) }
	expect := func(want bool, wantRuns int) {
		t.Helper()
		for range 3 {
			if got := a.DefaultPasswordInUse(); got != want {
				t.Errorf("got %v, want %v", got, want)
			}
		}
		if runs != wantRuns {
			t.Errorf("got %d passwords verified, want %d", runs, wantRuns)
		}
	}
	keep := func(hash []byte, err error) {
		if err != nil {
			t.Fatal(err)
		}
		w.user(BootstrapUser, "superuser")
		replace(w, w.users, BootstrapUser, func(u *models.User) { u.PasswordHash = hash })
	}
	set := func(password string) { keep(Hash(password)) }
	logIn := func(password string) {
		t.Helper()
		if _, err := a.Password(t.Context(), BootstrapUser, password); err != nil {
			t.Error(err)
		}
	}
	expect(false, 0)
	set(DefaultPassword)
	expect(true, 1)
	logIn(DefaultPassword) // was just found right
	expect(true, 1)
	set("a better one")
	expect(false, 2)
	set(DefaultPassword)
	expect(true, 3)
	keep(a.Hash(t.Context(), DefaultPassword)) // what makes a hash knows what it is of
	expect(true, 3)
	logIn(DefaultPassword)
	expect(true, 3)
	keep(a.Hash(t.Context(), "a better one"))
	logIn("a better one")
	expect(false, 4)
	if _, err := a.Password(t.Context(), BootstrapUser, DefaultPassword); err == nil {
		t.Error("an earlier password still logs in")
	}
	replace(w, w.users, BootstrapUser, func(u *models.User) { u.PasswordHash = nil })
	expect(false, 5)
}

// TestAFloodOfLoginsIsNotLetInLine: so many different passwords may wait and no more; many with the
// same are one of them; and when the flood is over there is room again.
func TestAFloodOfLoginsIsNotLetInLine(t *testing.T) {
	a := open(newWorld())
	release := make(chan struct{})
	a.verify = func(_ []byte, password string) bool { <-release; return password == "secret" }
	var all sync.WaitGroup
	for i := range maxPending {
		all.Go(func() {
			if _, err := a.Password(t.Context(), "alice", fmt.Sprint(i)); models.ClassOf(err) != models.Unauthorized {
				t.Errorf("attempt %d: got %v, want Unauthorized", i, err)
			}
		})
	}
	waiting := func() int {
		a.pending.mu.Lock()
		defer a.pending.mu.Unlock()
		return len(a.pending.waiting)
	}
	for waiting() < maxPending {
		runtime.Gosched()
	}
	if _, err := a.Password(t.Context(), "alice", "one more"); models.ClassOf(err) != models.Busy {
		t.Errorf("one more: got %v, want Busy", err)
	}
	all.Go(func() {
		if _, err := a.Password(t.Context(), "alice", "0"); models.ClassOf(err) != models.Unauthorized {
			t.Errorf("the same password again: got %v, want Unauthorized", err)
		}
	})
	close(release)
	all.Wait()
	if n := waiting(); n != 0 {
		t.Errorf("%d wait after all were answered", n)
	}
	login(t, a, "alice")
}
