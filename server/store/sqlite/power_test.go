package sqlite

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"drp/server/store"
	"drp/server/store/sqlite/faultvfs"
	"drp/server/store/storetest"
)

// The power fails at random moments of random work. What the disk may then hold is rebuilt from
// what was written and synced, and opened: every change that was acknowledged is there, in the
// records and in history, and nothing that was not is half there.

// powerCuts is how often the power fails in TestPowerCutLosesNothingAcknowledged;
// DRP_TEST_POWER_CUTS asks for more.
const powerCuts = 42

// cutsPerRun is how many moments of one run of the work are tried.
const cutsPerRun = 6

// work is a store at work, and what must be true of it.
type work struct {
	t      *testing.T
	random *rand.Rand
	dir    string
	disk   *faultvfs.Disk
	start  int // the first moment of this disk
	e      *Engine

	states  []map[store.Key]store.Record // by revision
	changes []store.Change               // that of revision 1 first, as History yields it
	whole   map[uint64]bool              // revisions that end a batch
	acked   []moment                     // commits
	forgot  []moment                     // compactions that were acknowledged
	tried   uint64                       // the most that a compaction was asked to forget
	ghosts  []ghost
	copies  []*backup
	made    int // backups on all disks
}

// backup is a copy that was asked for; at is -1 while it was not acknowledged.
type backup struct {
	moment
	name string
}

// moment says that something was so at a revision and from a point of the disk's log on.
type moment struct {
	at  int
	rev uint64
}

// ghost is a batch whose commit failed. It may come to light after a loss of power, as a whole, as
// long as nothing was committed in its place.
type ghost struct {
	base    uint64
	states  []map[store.Key]store.Record
	changes []store.Change
}

func newWork(t *testing.T, random *rand.Rand) *work {
	w := &work{t: t, random: random, states: []map[store.Key]store.Record{{}}, whole: map[uint64]bool{0: true}}
	w.on(t.TempDir())
	return w
}

// on goes to another disk with the same content.
func (w *work) on(dir string) {
	if w.disk != nil {
		w.disk.End()
	}
	w.dir, w.disk = dir, faultvfs.Watch(w.t, dir, w.random.Uint64())
	w.start = w.disk.Now()
	w.acked = []moment{{w.start, w.newest()}}
}

func (w *work) newest() uint64 { return uint64(len(w.changes)) }

// open opens the store; it may fail when the disk does.
func (w *work) open() error {
	e, err := open(context.Background(), filepath.Join(w.dir, "drp.db"), chained, w.disk)
	if err != nil {
		return err
	}
	w.e = e
	w.t.Cleanup(func() { e.Close() })
	w.disk.Fail(nil)
	rev, all, err := w.now()
	if err != nil || rev == w.newest() {
		return err
	}
	for _, g := range w.ghosts { // a batch that failed may be found again when the store is opened
		if g.base == w.newest() && rev == g.base+uint64(len(g.changes)) && reflect.DeepEqual(all, g.states[len(g.states)-1]) {
			w.states, w.changes = append(w.states, g.states...), append(w.changes, g.changes...)
			w.whole[rev] = true
			return nil
		}
	}
	w.t.Fatalf("the store is opened at revision %d, want %d", rev, w.newest())
	return nil
}

// step does one random thing. An error is one of the disk's, or a defect.
func (w *work) step() error {
	ctx := context.Background()
	if w.e == nil {
		return w.open()
	}
	switch n := w.random.IntN(100); {
	case n < 75:
		return w.commit()
	case n < 80: // a reader dwells, so that the log cannot be reused
		first := true
		_, err := w.e.Load(ctx, func(store.Record) error {
			if first = !first; first {
				return nil
			}
			return w.commit()
		})
		return err
	case n < 88:
		mode := []string{"PASSIVE", "FULL", "RESTART", "TRUNCATE"}[w.random.IntN(4)]
		if err := w.e.acquire(ctx); err != nil {
			return err
		}
		defer w.e.release()
		return w.e.checkpoint(mode)
	case n < 92:
		rev := uint64(w.random.IntN(int(w.newest()) + 1))
		w.tried = max(w.tried, rev)
		err := w.e.Compact(ctx, rev)
		if err == nil {
			w.forgot = append(w.forgot, moment{w.disk.Now(), rev})
		}
		return err
	case n < 95:
		w.made++
		b := &backup{moment{-1, w.newest()}, fmt.Sprint("copy", w.made)}
		w.copies = append(w.copies, b)
		err := w.e.Backup(ctx, filepath.Join(w.dir, b.name))
		if err == nil {
			b.at = w.disk.Now()
		}
		return err
	}
	e := w.e
	w.e = nil
	return e.Close()
}

// commit makes a random batch.
func (w *work) commit() error {
	base := w.newest()
	state := maps.Clone(w.states[base])
	var batch, kept []store.Change
	var states []map[store.Key]store.Record
	for rev := base + 1; rev <= base+1+uint64(w.random.IntN(4)); rev++ {
		c := w.change(rev, state)
		batch = append(batch, c)
		states = append(states, maps.Clone(state))
		c.Writes = slices.Clone(c.Writes)
		for i := range c.Writes {
			c.Writes[i].Raw = nil // history does not keep it
		}
		kept = append(kept, c)
	}
	if err := w.e.Commit(context.Background(), batch); err != nil {
		w.ghosts = append(w.ghosts, ghost{base, states, kept})
		if at, _, err2 := w.now(); err2 == nil && at != base {
			w.t.Fatalf("commit after revision %d failed (%v), yet the store is at %d", base, err, at)
		}
		return err
	}
	w.states, w.changes = append(w.states, states...), append(w.changes, kept...)
	w.whole[w.newest()] = true
	w.acked = append(w.acked, moment{w.disk.Now(), w.newest()})
	return nil
}

// change makes, replaces and deletes some of a few records of any size.
func (w *work) change(rev uint64, state map[store.Key]store.Record) store.Change {
	c := store.Change{Rev: rev, Time: time.Unix(int64(rev), 0).UTC(), Who: "user:power", Once: strconv.Itoa(w.random.IntN(9))}
	for _, id := range w.random.Perm(12)[:1+w.random.IntN(3)] {
		k := key(strconv.Itoa(id))
		old, there := state[k]
		wr := store.Write{Key: k, Prev: old.Rev, Action: "save"}
		if there && w.random.IntN(4) == 0 {
			wr.Action = "delete"
			delete(state, k)
		} else {
			wr.Raw = make([]byte, []int{10, 500, 6000, 30_000}[w.random.IntN(4)])
			for i := range wr.Raw {
				wr.Raw[i] = byte('a' + w.random.IntN(26))
			}
			state[k] = store.Record{Key: k, Rev: rev, Raw: wr.Raw}
		}
		wr.Patch = storetest.Patch(link(old.Raw), wr.Raw)
		c.Writes = append(c.Writes, wr)
	}
	return c
}

// link names the version of a record that a patch leads on from.
func link(raw []byte) string {
	h := fnv.New64()
	h.Write(raw)
	return strconv.FormatUint(h.Sum64(), 16)
}

// chained applies patches, each of which leads on from what the one before has made.
func chained(kind string, raw []byte, patches [][]byte) (_ []byte, err error) {
	for _, p := range patches {
		if from, _, _ := strings.Cut(string(p), "="); from != link(raw) {
			return nil, fmt.Errorf("the patch leads on from %s, the record is %s", from, link(raw))
		}
		if raw, err = storetest.Advance(kind, raw, [][]byte{p}); err != nil {
			return nil, err
		}
	}
	return raw, nil
}

func (w *work) now() (uint64, map[store.Key]store.Record, error) { return contents(w.e) }

func contents(e *Engine) (uint64, map[store.Key]store.Record, error) {
	all := map[store.Key]store.Record{}
	rev, err := e.Load(context.Background(), func(r store.Record) error { all[r.Key] = r; return nil })
	return rev, all, err
}

// at is the newest revision acknowledged when the power failed.
func (w *work) at(cut int) (rev uint64) {
	for _, m := range w.acked {
		if m.at <= cut {
			rev = max(rev, m.rev)
		}
	}
	return rev
}

// verify opens what a cut has left and says what is wrong with it. It returns the revision found.
func (w *work) verify(dir string, cut int) (uint64, error) {
	disk := faultvfs.Watch(w.t, dir, 0)
	defer disk.End()
	e, err := open(context.Background(), filepath.Join(dir, "drp.db"), chained, disk)
	if err != nil {
		return 0, err
	}
	defer e.Close()
	rev, all, err := contents(e)
	if err != nil {
		return 0, err
	}
	if acked := w.at(cut); rev < acked {
		return 0, fmt.Errorf("revision %d was acknowledged, %d is the newest found", acked, rev)
	}
	compacted, err := w.compacted(e, cut)
	if err != nil {
		return 0, err
	}
	var found []store.Change
	for c, err := range e.History(context.Background(), compacted) {
		if err != nil {
			return 0, err
		}
		found = append(found, c)
	}
	if err := w.is(rev, all, found, compacted, cut); err != nil {
		return 0, err
	}
	if err := sound(e); err != nil {
		return 0, err
	}
	if err := w.verifyCopies(dir, cut); err != nil {
		return 0, err
	}
	return rev, e.Close()
}

// compacted is up to where history is gone, as it may be.
func (w *work) compacted(e *Engine, cut int) (uint64, error) {
	var rev, compacted uint64
	if err := e.readers.QueryRow(newestSQL).Scan(&rev, &compacted); err != nil {
		return 0, err
	}
	least := uint64(0)
	for _, m := range w.forgot {
		if m.at <= cut {
			least = max(least, m.rev)
		}
	}
	if compacted < least || compacted > w.tried {
		return 0, fmt.Errorf("history is gone up to %d, want from %d to %d", compacted, least, w.tried)
	}
	return compacted, nil
}

// is compares what was found with what may be there: a prefix of what was committed, or that and a
// batch whose commit had failed.
func (w *work) is(rev uint64, all map[store.Key]store.Record, found []store.Change, compacted uint64, cut int) error {
	if rev <= w.newest() && w.whole[rev] && reflect.DeepEqual(all, w.states[rev]) && equalChanges(found, w.changes[compacted:rev]) {
		return nil
	}
	for _, g := range w.ghosts {
		line := append(slices.Clone(w.changes[:min(g.base, w.newest())]), g.changes...)
		if w.at(cut) <= g.base && rev == uint64(len(line)) && reflect.DeepEqual(all, g.states[len(g.states)-1]) && equalChanges(found, line[compacted:]) {
			return nil
		}
	}
	return fmt.Errorf("revision %d with %d records and %d changes of history is no state that was ever committed", rev, len(all), len(found))
}

func equalChanges(got, want []store.Change) bool {
	return len(got) == len(want) && (len(got) == 0 || reflect.DeepEqual(got, want))
}

// verifyCopies opens the backups. One that was acknowledged is whole; another is so or not there.
func (w *work) verifyCopies(dir string, cut int) error {
	for _, m := range w.copies {
		path := filepath.Join(dir, m.name)
		acked := m.at >= 0 && m.at <= cut
		if _, err := os.Stat(path); err != nil {
			if acked {
				return fmt.Errorf("a backup that was acknowledged is gone: %v", err)
			}
			continue
		}
		e, err := Open(context.Background(), path, chained)
		if err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		rev, all, err := contents(e)
		if err := errors.Join(err, e.Close()); err != nil {
			return fmt.Errorf("backup: %w", err)
		}
		if rev != m.rev || !reflect.DeepEqual(all, w.states[rev]) {
			return fmt.Errorf("backup of revision %d holds %d records at %d", m.rev, len(all), rev)
		}
	}
	return nil
}

// resume goes on with a disk that a cut has left, from the revision found there.
func (w *work) resume(dir string, rev uint64) bool {
	if rev > w.newest() || !w.whole[rev] {
		return false // a ghost is no part of the line
	}
	for _, g := range w.ghosts {
		if g.base+uint64(len(g.changes)) == rev {
			return false // it may be one
		}
	}
	w.states, w.changes, w.ghosts, w.copies, w.e = w.states[:rev+1], w.changes[:rev], nil, nil, nil
	for r := range w.whole {
		if r > rev {
			delete(w.whole, r)
		}
	}
	w.forgot = nil
	w.tried = min(w.tried, rev)
	w.on(dir)
	return true
}

// cutPower works and cuts, and returns how often the power failed and what was found wrong. Spoil
// may break the disk and the store before each step; then the first loss ends it.
func cutPower(t *testing.T, random *rand.Rand, cuts int, flaky bool, spoil func(*work)) (done int, wrong []error) {
	w := newWork(t, random)
	for done < cuts && (spoil == nil || len(wrong) == 0) {
		for range 10 + random.IntN(40) {
			w.disk.Fail(nil)
			if flaky {
				w.disk.Fail(flaw(random))
			}
			if spoil != nil {
				spoil(w)
			}
			if err := w.step(); err != nil && !flaky {
				t.Fatal(err)
			}
		}
		w.disk.Fail(nil)
		if w.e != nil && random.IntN(2) == 0 {
			if err := w.e.Close(); err != nil && !flaky {
				t.Fatal(err)
			}
		}
		end := w.disk.Now()
		next, from := "", uint64(0)
		for range cutsPerRun {
			dir, cut := t.TempDir(), w.start+random.IntN(end-w.start+1)
			if err := w.disk.Cut(cut, random, dir); err != nil {
				t.Fatal(err)
			}
			twin := t.TempDir() // verify writes; the next run starts from what the cut left
			if err := os.CopyFS(twin, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			done++
			rev, err := w.verify(dir, cut)
			if err != nil {
				wrong = append(wrong, fmt.Errorf("power cut %d, at operation %d of %d: %w", done, cut, end, err))
				if spoil != nil {
					break // one is enough; to find that a database is broken takes SQLite's patience
				}
				continue
			}
			next, from = twin, rev
		}
		if w.e != nil {
			w.e.Close()
		}
		if spoil != nil || next == "" || len(w.changes) > 300 || !w.resume(next, from) {
			w.disk.End()
			w = newWork(t, random)
		}
	}
	return done, wrong
}

// flaw lets some operations fail, syncs above all.
func flaw(random *rand.Rand) func(faultvfs.Op) *faultvfs.Fault {
	// One step draws once, so that SQLite's own order of operations does not matter.
	seed, often := random.Uint64(), random.IntN(3) == 0
	mine := rand.New(rand.NewPCG(seed, 0))
	return func(o faultvfs.Op) *faultvfs.Fault {
		chance := 0.005
		if o.Kind == faultvfs.Sync {
			chance = 0.2
		}
		if !often || mine.Float64() > chance {
			return nil
		}
		return &faultvfs.Fault{Full: mine.IntN(2) == 0, Short: mine.IntN(2) == 0, Evict: mine.IntN(2) == 0}
	}
}

// chosenSeed is DRP_TEST_SEED, or one of this moment.
func chosenSeed(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("DRP_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("DRP_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

func wantedCuts(t *testing.T) int {
	t.Helper()
	n := powerCuts
	if s := os.Getenv("DRP_TEST_POWER_CUTS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	return n
}

func TestPowerCutLosesNothingAcknowledged(t *testing.T) {
	for name, flaky := range map[string]bool{"sound disk": false, "failing syncs": true} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			done, wrong := cutPower(t, chosenSeed(t), wantedCuts(t), flaky, nil)
			for _, err := range wrong {
				t.Error(err)
			}
			t.Logf("%d power cuts, %d losses, %v", done, len(wrong), time.Since(start).Round(time.Millisecond))
		})
	}
}

// TestPowerCutFindsLosses shows that the test above would notice a store that does not sync, and a
// disk that does not.
func TestPowerCutFindsLosses(t *testing.T) {
	for name, spoil := range map[string]func(*work){
		"synchronous=OFF": func(w *work) {
			if w.e != nil {
				if _, err := w.e.exec(context.Background(), "PRAGMA synchronous = OFF"); err != nil {
					w.t.Fatal(err)
				}
			}
		},
		"synchronous=NORMAL": func(w *work) {
			if w.e != nil {
				if _, err := w.e.exec(context.Background(), "PRAGMA synchronous = NORMAL"); err != nil {
					w.t.Fatal(err)
				}
			}
		},
		"no file is synced": func(w *work) {
			w.disk.Ignore(func(k faultvfs.Kind, _ string) bool { return k == faultvfs.Sync })
		},
		"the log is not synced": func(w *work) {
			w.disk.Ignore(func(_ faultvfs.Kind, name string) bool { return name == "drp.db-wal" })
		},
		"the database is not synced": func(w *work) {
			w.disk.Ignore(func(_ faultvfs.Kind, name string) bool { return name == "drp.db" })
		},
		"the folder is not synced": func(w *work) {
			w.disk.Ignore(func(k faultvfs.Kind, _ string) bool { return k == faultvfs.SyncDir })
		},
	} {
		t.Run(name, func(t *testing.T) {
			done, wrong := cutPower(t, chosenSeed(t), 300, false, spoil)
			if len(wrong) == 0 {
				t.Fatalf("got no loss in %d power cuts", done)
			}
			t.Logf("found a loss: %v", wrong[0])
		})
	}
}

// TestWhatWasNotSyncedIsNotBuiltUpon: what a failed sync has left in the log can be read when the
// store is opened again, though it may not be on the disk. Whenever the power fails then, what was
// acknowledged before is there, and what is committed later as well.
func TestWhatWasNotSyncedIsNotBuiltUpon(t *testing.T) {
	for seed := range uint64(30) {
		dir, random := t.TempDir(), rand.New(rand.NewPCG(seed, 0))
		disk := faultvfs.Watch(t, dir, seed)
		e, err := open(t.Context(), filepath.Join(dir, "drp.db"), storetest.Advance, disk)
		if err != nil {
			t.Fatal(err)
		}
		const acked = 12
		for rev := range uint64(acked) {
			if err := e.Commit(t.Context(), []store.Change{save(rev+1, fmt.Sprint(rev), 0, make([]byte, 9000))}); err != nil {
				t.Fatal(err)
			}
		}
		if err := errors.Join(second(contents(e)), e.acquire(t.Context()), e.checkpoint("TRUNCATE")); err != nil {
			t.Fatal(err) // of what comes now, only the log tells
		}
		e.release()
		for rev := range uint64(acked) {
			if err := e.Commit(t.Context(), []store.Change{save(acked+rev+1, fmt.Sprint(rev), rev+1, make([]byte, 13_000))}); err != nil {
				t.Fatal(err)
			}
		}
		disk.Fail(func(o faultvfs.Op) *faultvfs.Fault {
			if o.Kind == faultvfs.Sync && o.Name == "drp.db-wal" {
				return &faultvfs.Fault{}
			}
			return nil
		})
		if err := e.Commit(t.Context(), []store.Change{save(2*acked+1, "0", acked+1, make([]byte, 30_000))}); err == nil {
			t.Fatal("a commit without a sync is acknowledged")
		}
		_ = e.Close() // as much as it can: the late records get no further than the log
		disk.Fail(nil)
		start := disk.Now()
		if e, err = open(t.Context(), filepath.Join(dir, "drp.db"), storetest.Advance, disk); err != nil {
			t.Fatal(err)
		}
		rev, _, err := contents(e)
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Commit(t.Context(), []store.Change{save(rev+1, "last", 0, []byte("3"))}); err != nil {
			t.Fatal(err)
		}
		end := disk.Now()
		e.Close()
		for n := range 8 {
			at, want, cut := start+random.IntN(end-start), uint64(2*acked), t.TempDir()
			if n == 0 {
				at, want = end, rev+1
			}
			if err := disk.Cut(at, random, cut); err != nil {
				t.Fatal(err)
			}
			e, err := open(t.Context(), filepath.Join(cut, "drp.db"), storetest.Advance, faultvfs.Watch(t, cut, 0))
			if err != nil {
				t.Errorf("seed %d, operation %d from %d to %d: %v", seed, at, start, end, err)
				continue
			}
			got, all, err := contents(e)
			if err = errors.Join(err, sound(e), e.Close()); err != nil || got < want || len(all) < acked {
				t.Errorf("seed %d, operation %d from %d to %d: got revision %d with %d records and %v, want %d", seed, at, start, end, got, len(all), err, want)
			}
		}
	}
}

func second(_ uint64, _ map[store.Key]store.Record, err error) error { return err }

// TestFailedCheckpointIsMadeAgainFromTheLog: a reader lets only a part of the log be written to the
// database; the next sync of the database fails, all later ones succeed. What has been acknowledged
// survives a loss of power after the log was given up.
func TestFailedCheckpointIsMadeAgainFromTheLog(t *testing.T) {
	for seed := range uint64(20) {
		dir := t.TempDir()
		disk := faultvfs.Watch(t, dir, seed)
		e, err := open(t.Context(), filepath.Join(dir, "drp.db"), storetest.Advance, disk)
		if err != nil {
			t.Fatal(err)
		}
		rev := uint64(0)
		put := func(id string) {
			rev++
			if err := e.Commit(t.Context(), []store.Change{save(rev, id, 0, make([]byte, 20_000))}); err != nil {
				t.Fatal(err)
			}
		}
		checkpoint := func(mode string) error {
			if err := e.acquire(t.Context()); err != nil {
				t.Fatal(err)
			}
			defer e.release()
			return e.checkpoint(mode)
		}
		fail := func(o faultvfs.Op) *faultvfs.Fault {
			if o.Kind != faultvfs.Sync || o.Name != "drp.db" {
				return nil
			}
			return &faultvfs.Fault{Evict: seed%2 == 0}
		}
		put("a")
		put("b")
		read := 0
		if _, err := e.Load(t.Context(), func(store.Record) error {
			if read++; read > 1 {
				return nil
			}
			put("c")
			put("d")
			if seed%3 == 0 { // already the sync of the part fails
				disk.Fail(fail)
				defer disk.Fail(nil)
			}
			if err := checkpoint("PASSIVE"); (err == nil) == (seed%3 == 0) {
				t.Errorf("checkpoint beside a reader: got %v", err)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		disk.Fail(fail)
		if checkpoint("PASSIVE") == nil {
			t.Error("a checkpoint without a sync succeeds")
		}
		disk.Fail(nil)
		put("e")
		if err := checkpoint("TRUNCATE"); err != nil {
			t.Fatal(err)
		}
		put("f")
		cut := t.TempDir()
		if err := disk.Cut(disk.Now(), rand.New(rand.NewPCG(seed, 0)), cut); err != nil {
			t.Fatal(err)
		}
		e.Close()
		e = must(t, cut)
		if got, all, err := contents(e); err != nil || got != rev || len(all) != 6 {
			t.Errorf("seed %d: got revision %d with %d records and %v, want %d with 6", seed, got, len(all), err, rev)
		}
		if err := errors.Join(sound(e), e.Close()); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}
