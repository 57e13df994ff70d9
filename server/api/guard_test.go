package api

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"drp/models"
	"drp/server/auth"
)

// users are who may log in; nobody has a machine.
type users map[string]*models.User

func (u users) Plugin(string) bool                    { return false }
func (u users) User(name string) (*models.User, bool) { v, ok := u[name]; return v, ok }
func (users) Ended([32]byte) bool                     { return false }
func (users) Role(string) (*models.Role, bool)        { return nil, false }
func (users) Machine(string) (*models.Machine, bool)  { return nil, false }
func (users) Job(string) (*models.Job, bool)          { return nil, false }
func (users) Tenant(string) string                    { return "" }
func (users) Pref(string) string                      { return strings.Repeat("s", 32) }

func from(addr string) *http.Request { return &http.Request{RemoteAddr: addr} }

// login is a guard of one user, ann, who takes two wrong passwords at once, and of a clock that
// stands still.
func login(t *testing.T, l Limits) (*Guard, *auth.Auth) {
	t.Helper()
	hash, err := auth.Hash("right")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	clock := func() time.Time { return now }
	a := auth.New(users{"ann": {Name: "ann", PasswordHash: hash, Secret: "x"}}, clock)
	return NewGuard(l, clock), a
}

// TestGuessingDoesNotLockTheUserOut: wherever the guesses come from, the user is let in from
// everywhere else, after a pause.
func TestGuessingDoesNotLockTheUserOut(t *testing.T) {
	g, a := login(t, Limits{LoginRate: 0.1})
	paused := 0
	g.pause = func(context.Context) error { paused++; return nil }
	for i := range 6 {
		_, err := g.password(from(fmt.Sprintf("10.0.0.%d:1", i)), a, "ann", "wrong")
		if models.ClassOf(err) != models.Unauthorized {
			t.Fatalf("guess %d from an address of its own: got %v, want Unauthorized", i, err)
		}
	}
	if paused != 4 {
		t.Errorf("%d of 6 guesses had to pause, want all after the first two", paused)
	}
	if p, err := g.password(from("10.1.1.1:1"), a, "ann", "right"); err != nil || p.Name != "user:ann" || paused != 5 {
		t.Errorf("ann: got %v, %v after %d pauses, want to be let in after one of her own", p, err, paused-4)
	}
	if _, err := g.password(from("10.0.0.1:1"), a, "ann", "right"); err != nil || paused != 5 {
		t.Errorf("what was right a moment ago: got %v after %d pauses, want neither", err, paused-5)
	}
}

// TestAnAddressThatGuessesWaits: it is told how long, and no password of its is looked at
// meanwhile; addresses that one sender has at will are one.
func TestAnAddressThatGuessesWaits(t *testing.T) {
	for _, twins := range [][2]string{{"10.0.0.1:1", "10.0.0.1:2"}, {"[2001:db8::1]:1", "[2001:db8::ffff:1]:1"}, {"[::ffff:10.0.0.1]:1", "10.0.0.1:5"}} {
		g, a := login(t, Limits{LoginRate: 0.1})
		g.pause = func(context.Context) error { return nil }
		for i := range 2 {
			if _, err := g.password(from(twins[i]), a, fmt.Sprint(i), "wrong"); models.ClassOf(err) != models.Unauthorized {
				t.Fatalf("%s: got %v, want Unauthorized", twins[i], err)
			}
		}
		for _, addr := range twins {
			_, err := g.password(from(addr), a, "ann", "right")
			if models.ClassOf(err) != models.TooOften || err.(*models.Error).RetryAfter != 10*time.Second {
				t.Errorf("%s: got %v, want TooOften for 10 s", addr, err)
			}
		}
		if _, err := g.password(from("10.9.9.9:1"), a, "ann", "right"); err != nil {
			t.Errorf("another address than %v: %v", twins, err)
		}
	}
}

// TestOnlySoManyWaitToGuess: each holds a connection.
func TestOnlySoManyWaitToGuess(t *testing.T) {
	g, a := login(t, Limits{LoginRate: 0.05})
	if _, err := g.password(from("10.0.0.1:1"), a, "ann", "wrong"); models.ClassOf(err) != models.Unauthorized {
		t.Fatal(err)
	}
	entered, release := make(chan struct{}, 100), make(chan struct{})
	g.pause = func(context.Context) error { entered <- struct{}{}; <-release; return context.Canceled }
	var all sync.WaitGroup
	for i := range maxGuesses {
		all.Go(func() { g.password(from(fmt.Sprintf("10.0.1.%d:1", i)), a, "ann", "wrong") })
		<-entered
	}
	if _, err := g.password(from("10.0.2.1:1"), a, "ann", "wrong"); models.ClassOf(err) != models.TooOften {
		t.Errorf("one more: got %v, want TooOften", err)
	}
	close(release)
	all.Wait()
	g.pause = func(context.Context) error { return nil }
	if _, err := g.password(from("10.0.2.2:1"), a, "ann", "right"); err != nil {
		t.Errorf("when they have gone: %v", err)
	}
}

// TestBudgetsAreOfThoseWhoAsk: a machine has one wherever it is, a profile's token one at each
// address, and users none unless they are given one.
func TestBudgetsAreOfThoseWhoAsk(t *testing.T) {
	now := time.Now()
	g := NewGuard(Limits{MachineRate: 1}, func() time.Time { return now })
	for _, c := range []struct {
		who, addr string
		admitted  bool
	}{
		{"machine:1", "10.0.0.1:1", true}, {"machine:1", "10.0.0.2:1", true}, {"machine:1", "10.0.0.3:1", false}, {"machine:2", "10.0.0.1:1", true},
		{"profile:p", "10.0.0.1:1", true}, {"profile:p", "10.0.0.1:2", true}, {"profile:p", "10.0.0.1:3", false}, {"profile:p", "10.0.0.2:1", true},
		{"unknown", "10.0.0.1:1", true}, {"unknown", "10.0.0.2:1", true}, {"unknown", "10.0.0.1:1", true}, {"unknown", "10.0.0.1:1", false},
		{"user:a", "10.0.0.1:1", true}, {"user:a", "10.0.0.1:1", true}, {"user:a", "10.0.0.1:1", true},
	} {
		err := g.admit(from(c.addr), c.who)
		if (err == nil) != c.admitted || err != nil && models.ClassOf(err) != models.TooOften {
			t.Errorf("%s from %s: got %v, want admitted %v", c.who, c.addr, err, c.admitted)
		}
	}
}

// TestAdmissionAllocatesNothing: it is on the way of every request.
func TestAdmissionAllocatesNothing(t *testing.T) {
	g := NewGuard(Limits{MachineRate: 1e9, UserRate: 1e9}, time.Now)
	r := from("10.0.0.1:1234")
	for _, who := range []string{"user:a", "machine:1", "profile:p"} {
		g.admit(r, who)
		if n := testing.AllocsPerRun(100, func() { g.admit(r, who) }); n > 0 {
			t.Errorf("%s: %v allocations, want none", who, n)
		}
	}
}

// TestABodyMustKeepComing: the deadline moves with what arrives, and is gone at the end.
func TestABodyMustKeepComing(t *testing.T) {
	var set atomic.Pointer[time.Time]
	w := deadlines{set: func(d time.Time) { set.Store(&d) }}
	begun := time.Now()
	b := newBody(w, http.NoBody, time.Minute)
	if d := *set.Load(); d.Before(begun.Add(time.Minute)) || d.After(time.Now().Add(time.Minute)) {
		t.Errorf("at first: %v from now, want a minute", d.Sub(begun))
	}
	nb := b.(*body)
	nb.ReadCloser, nb.begun = reader{n: 1024}, begun.Add(-59*time.Second)
	for range 10 { // 10 KiB after 59 s: due 70 s after its begin, 11 s from now
		if _, err := b.Read(make([]byte, 1024)); err != nil {
			t.Fatal(err)
		}
	}
	if d := set.Load().Sub(begun); d < 9*time.Second || d > 12*time.Second {
		t.Errorf("a trickle has %v left, want 10 s", d)
	}
	nb.begun = begun
	if _, err := b.Read(make([]byte, 1024)); err != nil {
		t.Fatal(err)
	}
	if d := set.Load().Sub(begun); d < time.Minute || d > 2*time.Minute {
		t.Errorf("what keeps coming has %v left, want a minute", d)
	}
	nb.ReadCloser = http.NoBody
	b.Read(make([]byte, 1))
	if !set.Load().IsZero() {
		t.Errorf("at the end: %v, want none", set.Load())
	}
}

// deadlines is a ResponseWriter that notes them.
type deadlines struct {
	http.ResponseWriter
	set func(time.Time)
}

func (d deadlines) SetReadDeadline(t time.Time) error { d.set(t); return nil }

type reader struct{ n int }

func (r reader) Read(p []byte) (int, error) { return r.n, nil }
func (reader) Close() error                 { return nil }
