package app

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/models"
	"drp/server/store"
)

// faulty is a store whose disk can be made to fail.
type faulty struct {
	store.Engine
	mu   sync.Mutex
	fail error
}

func (f *faulty) set(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fail = err
}

func (f *faulty) broken() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fail
}

func (f *faulty) Commit(ctx context.Context, batch []store.Change) error {
	if err := f.broken(); err != nil {
		return err
	}
	return f.Engine.Commit(ctx, batch)
}

func (f *faulty) Probe(context.Context) error { return f.broken() }

// clock is one that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) read() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// notReady wants the status 503 with a message, and that it tells nothing else.
func notReady(t *testing.T, c client, want string) {
	t.Helper()
	got := c.do("GET", "/readyz", nil)
	envelope(t, got)
	if got.status != http.StatusServiceUnavailable || !strings.Contains(string(got.body), want) {
		t.Errorf("got %d %s, want 503 and %q", got.status, got.body, want)
	}
	if strings.Contains(string(got.body), "secret") {
		t.Errorf("the answer tells strangers why: %s", got.body)
	}
}

func ready(t *testing.T, c client) {
	t.Helper()
	if got := c.do("GET", "/readyz", nil); got.status != http.StatusOK {
		t.Errorf("got %d %s, want 200", got.status, got.body)
	}
}

func TestAServerWhoseStoreFailsIsAliveAndNotReady(t *testing.T) {
	f := &faulty{}
	c := &clock{now: time.Unix(1e9, 0)}
	a, err := open(t.Context(), config(t), func(ctx context.Context, path string) (store.Engine, error) {
		e, err := openSQLite(ctx, path)
		f.Engine = e
		return f, err
	})
	if err != nil {
		t.Fatal(err)
	}
	a.ready.now = c.read
	_, admin, _ := run(t, a)
	stranger := client{t, admin.url, ""}
	write := func(status int) {
		t.Helper()
		if got := admin.do("POST", "/profiles", map[string]string{"Name": "p" + models.NewUUID()}); got.status != status {
			t.Errorf("got %d %s, want %d", got.status, got.body, status)
		}
	}
	ready(t, stranger)

	f.set(errors.New("write /secret/place: no space left"))
	write(http.StatusInternalServerError)
	const lost = "the newest changes could not be made durable"
	notReady(t, stranger, lost)
	if got := stranger.do("GET", "/healthz", nil); got.status != http.StatusOK {
		t.Errorf("not alive: %d %s", got.status, got.body)
	}
	if got := value(scrape(t, admin), "drp_ready"); got != 0 {
		t.Errorf("drp_ready is %v, want 0", got)
	}
	c.pass(probeEvery)
	notReady(t, stranger, lost) // tried, and failed

	f.set(nil)
	notReady(t, stranger, lost) // not tried again so soon
	c.pass(probeEvery)
	ready(t, stranger)

	f.set(errors.New("again"))
	write(http.StatusInternalServerError)
	notReady(t, stranger, lost)
	f.set(nil)
	write(http.StatusCreated) // a change that holds is as good as a probe
	ready(t, stranger)

	f.set(&store.ConflictError{Key: store.Key{Kind: "profiles", ID: "x"}})
	write(http.StatusServiceUnavailable)
	ready(t, stranger) // another server was faster: nothing is wrong with this one
	if got := value(scrape(t, admin), "drp_commit_failures_total"); got != 3 {
		t.Errorf("%v batches failed, want 3", got)
	}
}

func TestAServerWithoutRoomIsNotReady(t *testing.T) {
	a, err := New(t.Context(), config(t))
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	free, failure := uint64(leastFree), error(nil)
	a.ready.free = func() (uint64, error) {
		mu.Lock()
		defer mu.Unlock()
		return free, failure
	}
	set := func(bytes uint64, err error) {
		mu.Lock()
		defer mu.Unlock()
		free, failure = bytes, err
	}
	_, admin, _ := run(t, a)
	ready(t, admin)
	set(leastFree-1, nil)
	notReady(t, admin, "less than 64 MiB are left")
	set(0, errors.New("stat /secret"))
	notReady(t, admin, "does not tell")
	set(leastFree, nil)
	ready(t, admin)
	if bytes, err := freeBytes(t.TempDir()); err != nil || bytes == 0 {
		t.Errorf("room in a folder: %d, %v", bytes, err)
	}
}

// TestAStoppingServerSaysSoBeforeItCloses: until the drain delay is over it works as before.
func TestAStoppingServerSaysSoBeforeItCloses(t *testing.T) {
	cfg := config(t)
	cfg.DrainDelay = time.Minute
	a, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	asked, over := make(chan time.Duration, 1), make(chan time.Time)
	a.after = func(d time.Duration) <-chan time.Time { asked <- d; return over }
	_, admin, stop := run(t, a)
	ready(t, admin)
	ended := make(chan struct{})
	go func() { defer close(ended); stop() }()
	if d := <-asked; d != cfg.DrainDelay {
		t.Errorf("waits %v, want %v", d, cfg.DrainDelay)
	}
	notReady(t, admin, "the server is stopping")
	admin.must("POST", "/profiles", `{"Name":"late"}`, nil)
	close(over)
	<-ended
	if _, err := transport.RoundTrip(mustRequest(t, admin.url+"/healthz")); err == nil {
		t.Error("the server still answers")
	}
}

func mustRequest(t *testing.T, url string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
