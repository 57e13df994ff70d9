// Package objects is the road that every object of every kind travels between the wire and the
// disk. A write is computed in the goroutine that asks for it, against the newest state; the
// one writer checks that the state has not moved, computes it again where it has, and makes all
// that wait durable as one batch. Reads use an immutable view and never wait.
package objects

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"drp/models"
	"drp/server/store"
)

// Service owns the objects of a server.
type Service struct {
	engine store.Engine
	now    func() time.Time
	log    *slog.Logger
	rules  map[string][]Rule
	follow []func(*Commit)

	observe []func(*Batch)

	// EffectiveParam yields the value of a param that filters compare: the object's own, or
	// what it inherits, or the default. It is set while wiring.
	EffectiveParam func(r Reader, o models.Object, name string) (raw []byte, ok bool)

	view    atomic.Pointer[View]
	queue   chan *request
	quit    chan struct{}
	ended   chan struct{}
	started bool
	hurry   chan struct{} // closed: nobody waits for changes any more
	scans   chan struct{} // holds a value while history is searched row by row

	board   *board // where those who wait find out
	tenants atomic.Pointer[tenantIndex]

	mu    sync.Mutex
	names names
}

// Commit is one atomic change that has become durable.
type Commit struct {
	Rev     uint64
	Time    time.Time
	Who     string
	Changes []Committed
}

// Committed is one object's part in a Commit.
type Committed struct {
	Kind, Key string
	Op        Op
	Old, New  *Entry // nil: there was none, there is none
}

// maxBatch bounds how many waiting changes become one durable transaction.
const maxBatch = 512

// New makes a service on an engine. Base are the objects that come with the server: read-only,
// and overridden by a stored object of the same key. Add Rules and followers, then Start it.
func New(engine store.Engine, base []models.Object, now func() time.Time, log *slog.Logger) (*Service, error) {
	s := &Service{
		engine: engine, now: now, log: log, rules: map[string][]Rule{},
		queue: make(chan *request, maxBatch), quit: make(chan struct{}), ended: make(chan struct{}), hurry: make(chan struct{}),
		scans:          make(chan struct{}, maxScans),
		EffectiveParam: func(Reader, models.Object, string) ([]byte, bool) { return nil, false },
	}
	s.board = newBoard(s.View)
	v := newView()
	for _, o := range base {
		o.Normalize()
		b := o.Base()
		b.Validated, b.Available, b.ReadOnly = true, true, true
		if err := validate(v, o); err != nil {
			return nil, fmt.Errorf("object that comes with the server: %w", err)
		}
		e, _, err := newEntry(o, nil)
		if err != nil {
			return nil, err
		}
		v.table(o.Kind()).base[o.Key()] = e
		v.put(o.Kind(), o.Key(), e)
	}
	s.view.Store(v)
	return s, nil
}

// AddRule makes a Rule run for every change of a kind. Rules run in the order they were added.
func (s *Service) AddRule(kind string, r Rule) { s.rules[kind] = append(s.rules[kind], r) }

// Follow makes fn see every commit, in the order of revisions, after it is durable and
// readable and before its caller is answered. It must be quick and must not write.
func (s *Service) Follow(fn func(*Commit)) { s.follow = append(s.follow, fn) }

// Start loads the store and takes writes from then on.
func (s *Service) Start(ctx context.Context) error {
	v := s.view.Load()
	rev, err := s.engine.Load(ctx, func(r store.Record) error {
		if _, ok := v.kinds.of(r.Kind); !ok && !isCustom(r.Kind, r.Raw) {
			return nil // of a kind a later server knows; kept, not shown
		}
		e, err := readEntry(r.Kind, r.Raw, r.Rev)
		if err != nil {
			return fmt.Errorf("load %s/%s: %w", r.Kind, r.ID, err)
		}
		v.put(r.Kind, r.ID, e)
		return nil
	})
	if err != nil {
		return err
	}
	v.Rev = rev
	if err := s.remember(ctx, rev); err != nil {
		return fmt.Errorf("load history: %w", err)
	}
	s.started = true
	s.view.Store(v.publish(newView()))
	s.board.start()
	go s.write(v)
	return nil
}

// Close ends the writer. Changes that wait are carried out; later ones are refused.
func (s *Service) Close() {
	close(s.quit)
	if s.started {
		<-s.ended
		s.board.close()
	}
}

// View is the newest state.
func (s *Service) View() *View { return s.view.Load() }

// Engine is the engine below, for history and backups.
func (s *Service) Engine() store.Engine { return s.engine }

type request struct {
	ctx   context.Context
	force bool
	fn    func(*Tx) error
	tx    *Tx
	err   error
	done  chan struct{}

	answered bool // its name was: it may not change anything any more
}

// Do carries out fn as one atomic change: all it stages on tx becomes durable, or nothing. It
// runs in the caller's goroutine and, when other writers came first, again in the writer; so it
// must depend on tx alone. Do returns the revision at which the outcome holds. When the request
// of ctx has a name (see WithOnce) and was carried out before, fn does not run and the error is a
// *Repeated.
func (s *Service) Do(ctx context.Context, force bool, fn func(*Tx) error) (uint64, error) {
	r := &request{ctx: ctx, force: force, fn: fn, done: make(chan struct{})}
	if err := s.enter(r); err != nil {
		return s.View().Rev, err
	}
	rev, err := s.carryOut(r)
	s.leave(r, err)
	return rev, err
}

func (s *Service) carryOut(r *request) (uint64, error) {
	ctx, v := r.ctx, s.View()
	if err := s.compute(r, v); err != nil {
		return v.Rev, err
	}
	if len(r.tx.order) == 0 {
		return v.Rev, nil
	}
	if r.answered {
		return v.Rev, errAnswered
	}
	select {
	case s.queue <- r:
	case <-s.quit:
		return v.Rev, ErrStopping
	case <-ctx.Done():
		return v.Rev, ctx.Err()
	}
	select {
	case <-r.done:
		return r.tx.state.Rev, r.err
	case <-s.ended:
		select {
		case <-r.done:
			return r.tx.state.Rev, r.err
		default:
			return v.Rev, ErrStopping
		}
	}
}

// ErrStopping is what those get who ask too late.
var ErrStopping = models.Problem(models.Busy, "", "", "the server is stopping")

// compute runs the request's fn against a state.
func (s *Service) compute(r *request, state *View) (err error) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("panic in a change", "panic", p, "stack", string(debug.Stack()))
			err = models.Problem(models.Internal, "", "", fmt.Sprint("panic: ", p))
		}
	}()
	r.tx = &Tx{
		Ctx: r.ctx, Force: r.force, Now: s.now().UTC(), Job: JobOf(r.ctx), service: s, state: state,
	}
	r.tx.Actor = ActorOf(r.ctx).from(r.tx)
	if err := r.fn(r.tx); err != nil {
		return err
	}
	return r.tx.finish()
}

// write is the one writer. Clean is the state on disk; it belongs to this goroutine.
func (s *Service) write(clean *View) {
	defer close(s.ended)
	for {
		select {
		case r := <-s.queue:
			clean = s.batch(clean, s.drain(r))
		case <-s.quit:
			select {
			case r := <-s.queue:
				clean = s.batch(clean, s.drain(r))
				continue
			default:
				return
			}
		}
	}
}

// drain takes all that wait. A flush of the disk costs the same for one change as for many, so those
// who are about to ask, and only wait for a processor, are let go first; nobody is waited for who
// does anything else.
func (s *Service) drain(first *request) []*request {
	b := []*request{first}
	for len(b) < maxBatch {
		if runtime.Gosched(); len(s.queue) == 0 {
			break
		}
		for len(b) < maxBatch && len(s.queue) > 0 {
			b = append(b, <-s.queue)
		}
	}
	return b
}

// batch makes the requests durable together, and returns the state that is then on disk. One
// that fails by itself does not hold up the rest; but all answers wait for the disk, since even
// a refusal may rest on a change of the same batch.
func (s *Service) batch(clean *View, reqs []*request) *View {
	work := clean.next()
	seen := &Batch{Start: s.now(), requests: reqs}
	commits, changes := make([]*Commit, 0, len(reqs)), make([]store.Change, 0, len(reqs))
	for _, r := range reqs {
		if r.err = r.ctx.Err(); r.err != nil {
			continue
		}
		if !r.tx.holds(work) {
			seen.Recomputed++
			if r.err = s.compute(r, work); r.err != nil {
				continue
			}
		}
		if len(r.tx.order) > 0 {
			c, stored := work.apply(r.tx)
			commits, changes = append(commits, c), append(changes, stored)
		}
	}
	if err := s.commit(changes, seen); err != nil {
		s.observed(seen)
		for _, r := range reqs {
			r.err = err
			close(r.done)
		}
		return clean
	}
	if len(changes) > 0 {
		s.view.Store(work.publish(s.View()))
		s.noteAll(changes)
		for _, c := range commits {
			for _, fn := range s.follow {
				fn(c)
			}
		}
		s.wake(commits)
	}
	s.observed(seen)
	for _, r := range reqs {
		if r.tx.state == clean || r.tx.state.Rev < work.Rev {
			r.tx.state = work
		}
		close(r.done)
	}
	return work
}

func (s *Service) commit(changes []store.Change, seen *Batch) error {
	if len(changes) == 0 {
		return nil
	}
	start := s.now()
	err := s.engine.Commit(context.Background(), changes)
	seen.Commit, seen.Changes, seen.Err = s.now().Sub(start), len(changes), err
	if err == nil {
		seen.Rev = changes[len(changes)-1].Rev
		return nil
	}
	s.log.Error("store refuses a batch", "changes", len(changes), "error", err)
	var conflict *store.ConflictError
	if errors.As(err, &conflict) {
		return models.Problem(models.Busy, conflict.Key.Kind, conflict.Key.ID, "another server wrote first; try again")
	}
	if errors.Is(err, store.ErrFull) {
		return models.Problem(models.Full, "", "", "the disk of the server is full: nothing was changed")
	}
	return models.Problem(models.Internal, "", "", "the change could not be made durable: "+err.Error())
}

// apply moves the view forward by a change.
func (v *View) apply(tx *Tx) (*Commit, store.Change) {
	v.Rev++
	c := &Commit{Rev: v.Rev, Time: tx.Now, Who: tx.Actor.Name}
	sc := store.Change{Rev: v.Rev, Time: tx.Now, Who: tx.Actor.Name, Once: onceOf(tx.Ctx), Job: tx.Job, Undoes: tx.undoes, Reads: tx.conditions()}
	for _, w := range tx.order {
		sw := store.Write{Key: w.key, Action: string(w.op), Patch: w.patch}
		if w.old != nil {
			sw.Prev = w.old.Rev
		}
		if w.entry != nil {
			w.entry.Rev = v.Rev
			sw.Raw = w.entry.stored
		}
		v.put(w.key.Kind, w.key.ID, w.entry)
		sc.Writes = append(sc.Writes, sw)
		c.Changes = append(c.Changes, Committed{Kind: w.key.Kind, Key: w.key.ID, Op: w.op, Old: w.old, New: w.entry})
	}
	return c, sc
}

// overridable: what comes with the server gives way to a stored object, but for roles, whose
// meaning nobody is to change unseen.
func (s *Service) overridable(e *Entry) bool {
	return e.Rev == 0 && e.Object.Base().ReadOnly && e.Object.Kind() != "roles"
}
