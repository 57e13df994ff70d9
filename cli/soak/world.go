package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"drp/cli/spawn"
	"drp/models"
)

// work is one kind of load together with what must hold of it.
type work interface {
	name() string
	// setup makes what the work needs, before anything is killed.
	setup(ctx context.Context, c *caller) error
	// clients is how many there are; client is the i-th of them, in one round: it works until
	// c.enough. An error ends the soak as a violation.
	clients() int
	client(ctx context.Context, c *caller, i int) error
	// check looks at what the round has left, while nobody else asks for anything.
	check(ctx context.Context, c *caller) error
}

// world is the server, the load and what is found out.
type world struct {
	*options
	out    io.Writer
	root   string
	temp   bool
	began  time.Time
	server *server
	died   chan *spawn.Process
	http   *http.Client
	token  string
	works  []work

	ending  atomic.Bool  // the round comes to its end
	asked   atomic.Int64 // requests
	lost    atomic.Int64 // answers
	checked atomic.Int64 // operations whose answers were held against something
	journal journal
	tale    *tale
	tellers []*follower
	faults  []fault // of the round

	mu         sync.Mutex
	violations []string
	shown      map[string]int // by their form
}

func newWorld(o *options, out io.Writer) (*world, error) {
	w := &world{options: o, out: out, root: o.dir, temp: o.dir == "", began: time.Now(), shown: map[string]int{}, died: make(chan *spawn.Process, 1)}
	var err error
	if w.temp {
		w.root, err = os.MkdirTemp("", "drp-soak-")
	} else if w.root, err = filepath.Abs(o.dir); err == nil {
		err = os.MkdirAll(w.root, 0o700)
	}
	if err != nil {
		return nil, err
	}
	w.server = newServer(o.bin, w.root, w.died, w.now)
	w.server.alarm = func(line string) { w.violate("the server broke: %s; see %s", line, w.server.proc.Log) }
	w.http = &http.Client{Transport: &http.Transport{
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 64, // the server's certificate is its own
	}}
	w.tale = newTale(w)
	w.works = []work{&profiles{}, &packs{}, &bank{}, &elections{}, &plans{}, &claims{}, &ledger{}}
	return w, nil
}

// now is the clock of all histories: nanoseconds, never going back.
func (w *world) now() int64 { return int64(time.Since(w.began)) }

// enough tells clients that they should come to an end.
func (w *world) enough() bool { return w.ending.Load() }

func (w *world) count(l *life) {
	w.asked.Add(1)
	l.note()
}

// violate notes that a promise was broken. The round comes to its end, and is the last.
func (w *world) violate(format string, args ...any) {
	w.ending.Store(true)
	w.mu.Lock()
	defer w.mu.Unlock()
	v := fmt.Sprintf(format, args...)
	w.violations = append(w.violations, v)
	if w.shown[format]++; w.shown[format] <= maxShown {
		fmt.Fprintln(w.out, "VIOLATION:", v)
	}
}

// maxShown is how many violations of one form are printed; all are counted.
const maxShown = 5

func (w *world) broken() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.violations)
}

func (w *world) say(format string, args ...any) { fmt.Fprintf(w.out, format+"\n", args...) }

// caller makes a client whose choices depend on the seed.
func (w *world) caller(round, id int) *caller {
	return &caller{world: w, id: id, dice: rand.New(rand.NewPCG(w.seed, uint64(round)<<20|uint64(id)))}
}

// soak runs rounds until the time is up or something is wrong.
func soak(ctx context.Context, o *options, out io.Writer) error {
	w, err := newWorld(o, out)
	if err != nil {
		return err
	}
	w.say("soak: seed %d, %d s, data in %s", w.seed, w.seconds, w.root)
	err = w.rounds(ctx)
	if ctx.Err() != nil {
		return errors.Join(errors.New("interrupted"), w.close(false))
	}
	if err != nil {
		w.violate("%v", err)
		w.server.proc.Tail(out, 20)
	}
	w.server.kill()
	if err := w.inspect(ctx); err != nil {
		w.violate("after the last crash: %v", err)
	}
	if err := w.close(w.broken() > 0); err != nil {
		w.violate("%v", err)
	}
	if w.broken() > 0 {
		w.say("soak: in the last round it was killed %v", w.faults)
		w.say("soak: data, log and histories are in %s", w.root)
	}
	w.say("soak: %d s, seed %d: %d crashes survived, %d operations checked, %d violations",
		int(time.Since(w.began).Seconds()), w.seed, w.server.survived(), w.checked.Load(), w.broken())
	if n := w.broken(); n > 0 {
		return fmt.Errorf("%d violations", n)
	}
	return nil
}

var errDied = errors.New("the server has ended by itself")

func (w *world) rounds(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	watching := make(chan struct{})
	defer func() { cancel(nil); <-watching }()
	go func() {
		defer close(watching)
		select {
		case <-w.died:
			cancel(errDied)
		case <-ctx.Done():
		}
	}()
	if err := w.start(ctx); err != nil {
		return err
	}
	defer func() {
		cancel(nil)
		for _, f := range w.tellers {
			<-f.ended
		}
	}()
	dice := rand.New(rand.NewPCG(w.seed, 0))
	for round := 1; ; round++ {
		if err := w.round(ctx, round, dice); err != nil {
			return err
		}
		if w.broken() > 0 || time.Since(w.began) >= time.Duration(w.seconds)*time.Second {
			return nil
		}
	}
}

// start starts the server, logs in, and makes what the works need.
func (w *world) start(ctx context.Context) error {
	l, err := w.server.begin()
	if err != nil {
		return err
	}
	if err := l.ready(ctx); err != nil {
		return err
	}
	if err := w.login(ctx, l); err != nil {
		return err
	}
	for _, filter := range []string{everything, "profiles,machines.*.*"} {
		f := &follower{world: w, filter: filter, ended: make(chan struct{}), moved: make(chan struct{})}
		w.tellers = append(w.tellers, f)
		go f.run(ctx)
	}
	for i, work := range w.works {
		if err := work.setup(ctx, w.caller(0, i)); err != nil {
			return fmt.Errorf("%s: %w", work.name(), err)
		}
	}
	return nil
}

func (w *world) login(ctx context.Context, l *life) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.url+"/api/v3/users/rocketskates/token?ttl=7d", nil)
	if err != nil {
		return err
	}
	req.SetBasicAuth("rocketskates", "r0cketsk8ts") // the default; the server takes it on loopback only
	res, err := w.http.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	var t models.UserToken
	if err := json.NewDecoder(res.Body).Decode(&t); err != nil || t.Token == "" {
		return fmt.Errorf("log in: status %d, %w", res.StatusCode, err)
	}
	w.token = t.Token
	return nil
}

// round is load with kills, then one more kill when all clients have ended, right behind the last
// acknowledgement, and then the checks.
func (w *world) round(ctx context.Context, round int, dice *rand.Rand) error {
	w.ending.Store(false)
	w.faults = nil
	ended := w.load(ctx, round)
	err := w.strikes(ctx, dice)
	w.ending.Store(true)
	select {
	case <-ended:
	case <-time.After(drainLimit):
		return fmt.Errorf("round %d: the clients do not come to an end", round)
	}
	if err != nil || ctx.Err() != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	w.server.kill()
	if err := w.again(ctx); err != nil {
		return err
	}
	if err := w.verify(ctx, round); err != nil {
		return fmt.Errorf("round %d: %w", round, err)
	}
	w.say("soak: %4d s: round %d, %d crashes, %d operations, %d answers lost, revision %d, %d violations",
		int(time.Since(w.began).Seconds()), round, w.server.survived(), w.checked.Load(), w.lost.Load(), w.tale.newest(), w.broken())
	return nil
}

// drainLimit is how long the clients may take to end what they are at.
const drainLimit = 90 * time.Second

// load starts all clients. What it returns is closed when they have ended.
func (w *world) load(ctx context.Context, round int) <-chan struct{} {
	var clients sync.WaitGroup
	id := len(w.works)
	for _, work := range w.works {
		for i := range work.clients() {
			c := w.caller(round, id)
			id++
			clients.Go(func() {
				if err := work.client(ctx, c, i); err != nil && ctx.Err() == nil {
					w.violate("%s: %v", work.name(), err)
				}
			})
		}
	}
	ended := make(chan struct{})
	go func() {
		clients.Wait()
		close(ended)
	}()
	return ended
}

// strikes kills the server again and again and leaves it running, under load for a while.
func (w *world) strikes(ctx context.Context, dice *rand.Rand) error {
	for range w.kills {
		f := draw(dice)
		w.faults = append(w.faults, f)
		if err := f.strike(ctx, w.server); err != nil {
			return err
		}
		if err := w.again(ctx); err != nil {
			return fmt.Errorf("killed %s: %w", f, err)
		}
		if w.broken() > 0 {
			return nil
		}
	}
	return pause(ctx, time.Duration(dice.Float64()*float64(maxWait)))
}

// again starts the server after its death.
func (w *world) again(ctx context.Context) error {
	if w.sabotage != nil {
		if err := w.sabotage(w.server.data); err != nil {
			return err
		}
	}
	l, err := w.server.begin()
	if err != nil {
		return err
	}
	return l.ready(ctx)
}

// verify checks everything that a round has left.
func (w *world) verify(ctx context.Context, round int) error {
	c := w.caller(round, len(w.works))
	for i, work := range w.works {
		c := w.caller(round, i)
		if err := work.check(ctx, c); err != nil {
			return fmt.Errorf("%s: %w", work.name(), err)
		}
	}
	return w.tale.check(ctx, c)
}

// inspect has the data that a crash has left looked over by drp-server check: every object, and the
// whole history from the first change on.
func (w *world) inspect(ctx context.Context) error {
	check := exec.CommandContext(ctx, w.server.proc.Argv[0], "check", "--base-root", w.server.data)
	if out, err := check.CombinedOutput(); err != nil {
		return fmt.Errorf("drp-server check: %w\n%s", err, bytes.TrimSpace(out))
	}
	return nil
}

// grace is how long the server may take to stop.
const grace = 30 * time.Second

// close ends the server and removes what is ours, unless it is to be kept.
func (w *world) close(keep bool) error {
	err := w.server.proc.Stop(grace)
	w.http.CloseIdleConnections()
	if w.temp && !keep {
		err = errors.Join(err, os.RemoveAll(w.root))
	}
	return err
}

// save keeps something for whoever looks into a violation, and returns the file.
func (w *world) save(name string, write func(io.Writer) error) string {
	path := filepath.Join(w.root, strings.NewReplacer("/", "-", " ", "-").Replace(name))
	f, err := os.Create(path)
	if err == nil {
		err = errors.Join(write(f), f.Close())
	}
	if err != nil {
		return fmt.Sprintf("(cannot be kept: %v)", err)
	}
	return path
}
