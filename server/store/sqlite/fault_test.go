package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"sync"
	"testing"

	"drp/server/store"
	"drp/server/store/sqlite/faultvfs"
	"drp/server/store/storetest"
)

// An operation on the disk fails once, or all from one on do: whatever the engine was
// asked to do then has failed as a whole or is done as a whole, and once the disk works again
// the same engine does what it is asked.

// faults are the ways in which an operation fails.
var faults = []faultvfs.Fault{{}, {Short: true}, {Evict: true}, {Full: true}, {Full: true, Short: true}}

// errand is a small piece of work on a disk, step by step.
type errand struct {
	disk *faultvfs.Disk
	dir  string
	e    *Engine

	states []map[store.Key]string // by revision
	next   *store.Change          // what is being committed
}

func (r *errand) path(name string) string { return filepath.Join(r.dir, name) }

func (r *errand) open() error {
	e, err := open(context.Background(), r.path("drp.db"), storetest.Advance, r.disk)
	if err == nil {
		r.e = e
	}
	return err
}

func (r *errand) close() error {
	e := r.e
	r.e = nil
	return e.Close()
}

// put commits a change that writes records, or deletes those with nil.
func (r *errand) put(raw map[string][]byte) func() error {
	return func() error {
		rev := uint64(len(r.states))
		_, have, err := contents(r.e)
		if err != nil {
			return err
		}
		c := store.Change{Rev: rev}
		after := map[store.Key]string{}
		for k, old := range have {
			after[k] = string(old.Raw)
		}
		for id, b := range raw {
			k := key(id)
			c.Writes = append(c.Writes, store.Write{Key: k, Prev: have[k].Rev, Raw: b, Action: "save", Patch: storetest.Patch("[]", b)})
			after[k] = string(b)
			if b == nil {
				delete(after, k)
			}
		}
		r.next = &c
		if err := r.e.Commit(context.Background(), []store.Change{c}); err != nil {
			return err
		}
		r.states = append(r.states, after)
		return nil
	}
}

// backup makes a copy. Where neither the folder can be synced nor the copy removed, it is there
// without having been acknowledged; but it is whole.
func (r *errand) backup() error {
	err := r.e.Backup(context.Background(), r.path("copy"))
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	e, err := open(context.Background(), r.path("copy"), storetest.Advance, r.disk)
	if err != nil {
		return fmt.Errorf("a backup that failed left this: %w", err)
	}
	return errors.Join(r.is(e, false), e.Close())
}

// steps is the errand. It meets every operation that the engine makes.
func (r *errand) steps() []func() error {
	large := bytes.Repeat([]byte("large "), 5000)
	checkpoint := func(mode string) func() error {
		return func() error { // it reports trouble in a row, so that it has to be asked for
			if err := r.e.acquire(context.Background()); err != nil {
				return err
			}
			defer r.e.release()
			return r.e.checkpoint(mode)
		}
	}
	return []func() error{
		r.open,
		r.put(map[string][]byte{"a": []byte("1"), "b": []byte("1")}),
		r.put(map[string][]byte{"a": large}),
		checkpoint("PASSIVE"),
		r.put(map[string][]byte{"b": nil, "c": large}),
		func() error { return r.e.Compact(context.Background(), 1) },
		r.backup,
		checkpoint("TRUNCATE"),
		r.put(map[string][]byte{"a": []byte("2")}),
		r.close,
		r.open,
		r.put(map[string][]byte{"d": large[:9000]}),
		r.close,
	}
}

func newErrand(t *testing.T) *errand {
	dir := t.TempDir()
	return &errand{disk: faultvfs.Watch(t, dir, 7), dir: dir, states: []map[store.Key]string{{}}}
}

// is checks an open store against what the errand has committed.
func (r *errand) is(e *Engine, maybe bool) error {
	rev, have, err := contents(e)
	if err != nil {
		return err
	}
	got := map[store.Key]string{}
	for k, v := range have {
		got[k] = string(v.Raw)
	}
	newest := uint64(len(r.states) - 1)
	if maybe && rev == newest+1 {
		want := map[store.Key]string{}
		for k, v := range r.states[newest] {
			want[k] = v
		}
		for _, w := range r.next.Writes {
			want[w.Key] = string(w.Raw)
			if w.Raw == nil {
				delete(want, w.Key)
			}
		}
		if reflect.DeepEqual(got, want) {
			return nil
		}
	}
	if rev != newest || !reflect.DeepEqual(got, r.states[newest]) {
		return fmt.Errorf("got %d records at revision %d, want %d at %d", len(got), rev, len(r.states[newest]), newest)
	}
	last := uint64(0)
	for c, err := range e.History(context.Background(), min(1, newest)) {
		if err != nil {
			return err
		}
		last = c.Rev
	}
	if newest > 1 && last != newest {
		return fmt.Errorf("history ends at %d, want %d", last, newest)
	}
	return nil
}

// run does the errand while the disk fails as decide says. A step that fails is repeated once the
// disk works; when lasting, it is repeated once before that too.
func (r *errand) run(t *testing.T, decide func(faultvfs.Op) *faultvfs.Fault, lasting bool) error {
	r.disk.Fail(decide)
	for i, step := range r.steps() {
		err := step()
		if err == nil {
			continue
		}
		if lasting && r.e != nil {
			err = step()
			if err == nil {
				continue // it can do without what fails
			}
		}
		if err := r.pull(t); err != nil {
			return fmt.Errorf("step %d, after its failure and a loss of power: %w", i, err)
		}
		r.disk.Fail(nil)
		if r.e == nil && i != 0 && i != 10 { // Close has failed: the store is to be opened again
			if err := r.open(); err != nil {
				return fmt.Errorf("step %d, opened after a failing Close: %w", i, err)
			}
			if err := r.is(r.e, false); err != nil {
				return fmt.Errorf("step %d, after a failing Close: %w", i, err)
			}
			if err := r.close(); err != nil {
				return fmt.Errorf("step %d, closed again: %w", i, err)
			}
			continue
		}
		if r.e != nil {
			if err2 := r.is(r.e, false); err2 != nil {
				return fmt.Errorf("step %d failed (%v), then: %w", i, err, err2)
			}
		}
		if err2 := step(); err2 != nil {
			return fmt.Errorf("step %d failed (%v) and does so with a working disk: %w", i, err, err2)
		}
	}
	r.disk.Fail(nil)
	if err := r.open(); err != nil {
		return err
	}
	if err := r.is(r.e, false); err != nil {
		return fmt.Errorf("in the end: %w", err)
	}
	if err := sound(r.e); err != nil {
		return err
	}
	return r.close()
}

// pull cuts the power after a failure: what failed is there as a whole or not at all.
func (r *errand) pull(t *testing.T) error {
	dir, random := t.TempDir(), rand.New(rand.NewPCG(uint64(r.disk.Ops()), 3))
	if err := r.disk.Cut(r.disk.Now(), random, dir); err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	e, err := open(context.Background(), filepath.Join(dir, "drp.db"), storetest.Advance, faultvfs.Watch(t, dir, 0))
	if err != nil {
		return err
	}
	return errors.Join(r.is(e, r.next != nil), e.Close())
}

// faultsTried is how many failures TestAnyOperationMayFail tries; with DRP_TEST_FAULTS=all it is
// every operation in every way.
const faultsTried = 100

// TestAnyOperationMayFail lets the operations of an errand fail, one by one.
func TestAnyOperationMayFail(t *testing.T) {
	whole := newErrand(t)
	if err := whole.run(t, nil, false); err != nil {
		t.Fatal(err)
	}
	type failure struct {
		n       int
		fault   faultvfs.Fault
		lasting bool
	}
	var all []failure
	for n := range whole.disk.Ops() {
		for _, f := range faults {
			all = append(all, failure{n, f, false}, failure{n, f, true})
		}
	}
	if os.Getenv("DRP_TEST_FAULTS") != "all" {
		chosenSeed(t).Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		all = all[:faultsTried]
	}
	var running sync.WaitGroup
	turns := make(chan struct{}, 16) // goose waits a second before it tries again to begin
	for _, f := range all {
		turns <- struct{}{}
		running.Go(func() {
			defer func() { <-turns }()
			failOne(t, f.n, f.fault, f.lasting)
		})
	}
	running.Wait()
	t.Logf("%d failures in %d operations", len(all), whole.disk.Ops())
}

// failOne does the errand while the nth operation fails, or all from that on.
func failOne(t *testing.T, n int, fault faultvfs.Fault, lasting bool) {
	var hit faultvfs.Op
	r := newErrand(t)
	err := r.run(t, func(o faultvfs.Op) *faultvfs.Fault {
		if o.N < n || !lasting && o.N > n {
			return nil
		}
		if o.N == n {
			hit = o
		}
		if lasting && fault.Full && stillWorks[o.Kind] {
			return nil
		}
		return &fault
	}, lasting)
	if r.e != nil {
		r.e.Close()
	}
	os.RemoveAll(r.dir)
	if err != nil {
		t.Errorf("%s, %+v, lasting %v: %v", hit, fault, lasting, err)
	}
}

// stillWorks is what can be done on a full disk.
var stillWorks = map[faultvfs.Kind]bool{faultvfs.Read: true, faultvfs.Size: true, faultvfs.Open: true, faultvfs.Delete: true, faultvfs.Rename: true}
