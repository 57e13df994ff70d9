package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"drp/migrations"
	"drp/server/store"
	"drp/server/store/storetest"
)

func TestEngineKeepsThePromisesOfTheStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, dir string) store.Engine { return must(t, dir) })
}

func TestFilesArePrivate(t *testing.T) {
	dir := t.TempDir()
	e := must(t, dir)
	three(t, e)
	if _, err := e.Load(t.Context(), func(store.Record) error { return nil }); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		if seen[f.Name()] = true; info.Mode().Perm() != 0o600 {
			t.Errorf("%s: got mode %v, want 0600", f.Name(), info.Mode())
		}
	}
	if want := map[string]bool{"drp.db": true, "drp.db-wal": true, "drp.db-shm": true, "drp.db.lock": true}; !reflect.DeepEqual(seen, want) {
		t.Errorf("files: got %v, want %v", seen, want)
	}
}

// TestCommitsWaitForTheDisk checks the settings that durability rests on, on each connection.
func TestCommitsWaitForTheDisk(t *testing.T) {
	e := must(t, t.TempDir())
	if err := e.writer.durable(t.Context()); err != nil {
		t.Error(err)
	}
	if _, err := e.writer.conn.ExecContext(t.Context(), "PRAGMA synchronous = NORMAL"); err != nil {
		t.Fatal(err)
	}
	if err := e.writer.durable(t.Context()); err == nil {
		t.Error("settings that lose commits are not noticed")
	}
}

// TestAwkwardPathsWork names the database with what has a meaning in URLs and to SQLite.
func TestAwkwardPathsWork(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a b?mode=memory&x=#1%41é'\"")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	e := must(t, dir)
	three(t, e)
	if err := e.Backup(t.Context(), filepath.Join(dir, "copy?.db")); err != nil {
		t.Fatal(err)
	}
	e.Close()
	for _, name := range []string{"drp.db", "copy?.db"} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir) // and by a relative path
	e, err := Open(t.Context(), "drp.db", storetest.Advance)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := holds(e, 3, map[string]string{"a": "{}"}); err != nil {
		t.Error(err)
	}
}

// TestBackupIsTheWholeStore copies while others write, and opens the copy.
func TestBackupIsTheWholeStore(t *testing.T) {
	e := must(t, t.TempDir())
	three(t, e)
	if err := e.Compact(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	stop, wrote := make(chan struct{}), make(chan error, 1)
	go func() {
		for rev := uint64(4); ; rev++ {
			select {
			case <-stop:
				wrote <- nil
				return
			default:
			}
			if err := e.Commit(context.Background(), []store.Change{save(rev, "a", rev-1, big[:rev*100%20000])}); err != nil {
				wrote <- err
				return
			}
		}
	}()
	dir := t.TempDir()
	err := e.Backup(t.Context(), filepath.Join(dir, "drp.db"))
	close(stop)
	if err := errors.Join(err, <-wrote); err != nil {
		t.Fatal(err)
	}
	c := must(t, dir)
	rev, all := records(t, c)
	if rev < 3 || len(all) != 1 || all[key("a")].Rev != rev {
		t.Errorf("the copy is at %d with %v, want one record at that revision", rev, all)
	}
	told := history(t, e, 1)
	if copied := history(t, c, 1); !reflect.DeepEqual(copied, told[:rev-1]) {
		t.Errorf("history of the copy: got %d changes, want the first %d of %d", len(copied), rev-1, len(told))
	}
	for _, err := range c.History(t.Context(), 0) {
		if !errors.Is(err, store.ErrCompacted) {
			t.Errorf("history that the original has forgotten: got %v, want %v", err, store.ErrCompacted)
		}
	}
	if err := c.Commit(t.Context(), []store.Change{save(rev+1, "a", rev, []byte("{}"))}); err != nil {
		t.Errorf("commit to the copy: got %v, want nil", err)
	}
}

// TestWaitingCommitCanBeCalledOff ends the context of a commit that waits for another.
func TestWaitingCommitCanBeCalledOff(t *testing.T) {
	e := must(t, t.TempDir())
	e.turn <- struct{}{} // as a commit under way does
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- e.Commit(ctx, []store.Change{save(1, "a", 0, []byte("{}"))}) }()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	e.release()
	if rev, _ := records(t, e); rev != 0 {
		t.Errorf("got revision %d, want 0", rev)
	}
}

// asked counts how often a context is asked whether it has ended.
type asked struct {
	context.Context
	times atomic.Int64
}

func (a *asked) Done() <-chan struct{} { a.times.Add(1); return a.Context.Done() }
func (a *asked) Err() error            { a.times.Add(1); return a.Context.Err() }

// TestBegunCommitIsCarriedThrough shows that a transaction no longer looks at its context: one
// with two hundred statements asks a few times before it begins, and not for each.
func TestBegunCommitIsCarriedThrough(t *testing.T) {
	e := must(t, t.TempDir())
	within, cancel := context.WithCancel(t.Context())
	defer cancel()
	var batch []store.Change
	for rev := uint64(1); rev <= 100; rev++ {
		batch = append(batch, save(rev, fmt.Sprint(rev), 0, []byte("{}")))
	}
	ctx := &asked{Context: within}
	if err := e.Commit(ctx, batch); err != nil {
		t.Fatal(err)
	}
	if got := ctx.times.Load(); got == 0 || got >= 100 {
		t.Errorf("the context was asked %d times, want a few", got)
	}
}

// TestCommitWaitsForAnAdministrator lets sqlite3 hold the database for a while.
func TestCommitWaitsForAnAdministrator(t *testing.T) {
	e := must(t, t.TempDir())
	other, err := e.readers.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	done := make(chan error)
	go func() { done <- e.Commit(t.Context(), []store.Change{save(1, "a", 0, []byte("{}"))}) }()
	for len(e.turn) == 0 {
		runtime.Gosched()
	}
	if _, err := other.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Errorf("got %v, want nil", err)
	}
}

// TestCloseWaitsForTheCommitUnderWay closes while the writer is in use.
func TestCloseWaitsForTheCommitUnderWay(t *testing.T) {
	dir := t.TempDir()
	e := must(t, dir)
	if err := e.acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- e.Close() }()
	<-e.closing.Done()
	if err := e.writer.commit(t.Context(), []store.Change{save(1, "a", 0, []byte("{}"))}); err != nil {
		t.Errorf("commit under way: got %v, want nil", err)
	}
	e.release()
	if err := <-closed; err != nil {
		t.Fatal(err)
	}
	if rev, _ := records(t, must(t, dir)); rev != 1 {
		t.Errorf("got revision %d, want 1", rev)
	}
}

// TestWhatIsLoadedIsInHistory looks between the flush of a commit and its return.
func TestWhatIsLoadedIsInHistory(t *testing.T) {
	e := must(t, t.TempDir())
	if err := e.writer.commit(t.Context(), []store.Change{save(1, "a", 0, []byte("{}"))}); err != nil {
		t.Fatal(err)
	}
	if rev, _ := records(t, e); rev != 1 {
		t.Fatalf("load: got revision %d, want 1", rev)
	}
	if told := history(t, e, 0); len(told) != 1 {
		t.Errorf("history: got %d changes, want the one that was loaded", len(told))
	}
}

// TestInterruptedCompactionIsFinishedByTheNext stops between forgetting and freeing.
func TestInterruptedCompactionIsFinishedByTheNext(t *testing.T) {
	e := must(t, t.TempDir())
	const revs = 3*compactStep + 7
	var batch []store.Change
	for rev := uint64(1); rev <= revs; rev++ {
		batch = append(batch, save(rev, "a", rev-1, []byte("{}")))
	}
	if err := e.Commit(t.Context(), batch); err != nil {
		t.Fatal(err)
	}
	if _, err := e.exec(t.Context(), `UPDATE retention SET compacted = ?`, revs-5); err != nil {
		t.Fatal(err)
	}
	for _, err := range e.History(t.Context(), revs-6) {
		if !errors.Is(err, store.ErrCompacted) {
			t.Errorf("half compacted history: got %v, want %v", err, store.ErrCompacted)
		}
	}
	if err := e.Compact(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	var rows int
	if err := e.readers.QueryRow(`SELECT count(*) FROM history`).Scan(&rows); err != nil || rows != 5 {
		t.Errorf("rows of history: got %d and %v, want 5", rows, err)
	}
}

// TestHistoryOfAnOlderDatabaseIsKept opens what the first version of drp has left.
func TestHistoryOfAnOlderDatabaseIsKept(t *testing.T) {
	dir := t.TempDir()
	db, err := connect(filepath.Join(dir, "drp.db"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, migrations.FS)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	for _, stmt := range []string{
		`INSERT INTO history VALUES (1, 0, '2026-11-21T12:00:00.000000000Z', 'user:ann', 'n1', 'machines', 'a', 'create', 0, x'5b5d')`,
		`INSERT INTO records VALUES (1, 'machines', 'a', 1, x'31')`,
	} {
		if _, err := db.Exec(stmt); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	e := must(t, dir)
	want := store.Change{Rev: 1, Time: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), Who: "user:ann", Once: "n1",
		Writes: []store.Write{{Key: key("a"), Action: "create", Patch: []byte("[]")}}}
	if got := history(t, e, 0); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("history: got %+v, want %+v", got, want)
	}
	if err := e.Commit(t.Context(), []store.Change{save(2, "a", 1, []byte("2"))}); err != nil {
		t.Error(err)
	}
}
