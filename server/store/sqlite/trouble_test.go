package sqlite

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"drp/server/store"
	"drp/server/store/storetest"
)

// big is a record that needs more room than a starved store has.
var big = bytes.Repeat([]byte("big "), 50_000)

// refill is a batch that replaces, deletes and creates, and is too big for a starved store.
func refill(rev uint64) []store.Change {
	return []store.Change{
		save(rev, "a", 1, []byte("new")),
		{Rev: rev + 1, Writes: []store.Write{{Key: key("b"), Prev: 1, Action: "delete"}, {Key: key("c"), Raw: big, Action: "create", Patch: storetest.Patch("", big)}}},
		save(rev+2, "a", rev, big),
	}
}

// starvation commits more than there is room for, again and again, and then with room. Starve and
// feed take the room away and give it back; says is part of the error meanwhile.
func starvation(e *Engine, starve, feed func() error, says string) error {
	ctx := context.Background()
	first := save(1, "a", 0, []byte("old"))
	first.Writes = append(first.Writes, store.Write{Key: key("b"), Raw: []byte("old"), Action: "create", Patch: storetest.Patch("", []byte("old"))})
	if err := e.Commit(ctx, []store.Change{first}); err != nil {
		return err
	}
	if err := starve(); err != nil {
		return err
	}
	for range 3 {
		if err := e.Commit(ctx, refill(2)); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), e.path) {
			return fmt.Errorf("commit without room: got %v, want %q and the name of the file", err, says)
		}
		if err := holds(e, 1, map[string]string{"a": "old", "b": "old"}); err != nil {
			return fmt.Errorf("after a commit without room: %w", err)
		}
		// Expectations are still checked against what is on disk.
		var conflict *store.ConflictError
		if err := e.Commit(ctx, []store.Change{save(2, "a", 2, nil)}); !errors.As(err, &conflict) || conflict.Have != 1 {
			return fmt.Errorf("wrong expectation after a commit without room: got %v, want a conflict with 1", err)
		}
	}
	if err := feed(); err != nil {
		return err
	}
	if err := e.Commit(ctx, refill(2)); err != nil {
		return fmt.Errorf("commit with room again: %w", err)
	}
	return holds(e, 4, map[string]string{"a": string(big), "c": string(big)})
}

// holds checks the whole content of a store, and that its history leads there.
func holds(e *Engine, rev uint64, want map[string]string) error {
	got := map[string]string{}
	at, err := e.Load(context.Background(), func(r store.Record) error { got[r.ID] = string(r.Raw); return nil })
	if err != nil {
		return err
	}
	if at != rev || !reflect.DeepEqual(got, want) {
		return fmt.Errorf("got %d records at revision %d, want %d at %d", len(got), at, len(want), rev)
	}
	last := uint64(0)
	for c, err := range e.History(context.Background(), 0) {
		if err != nil {
			return err
		}
		last = c.Rev
	}
	if last != rev {
		return fmt.Errorf("history ends at %d, want %d", last, rev)
	}
	return nil
}

// TestFullDatabaseRecovers fills the database: statements within the transaction fail.
func TestFullDatabaseRecovers(t *testing.T) {
	dir := t.TempDir()
	e := must(t, dir)
	limit := func(pages string) func() error {
		return func() error {
			var n int
			return e.writer.conn.QueryRowContext(t.Context(), "PRAGMA max_page_count = "+pages).Scan(&n)
		}
	}
	if err := starvation(e, limit("1"), limit("1000000"), store.ErrFull.Error()); err != nil { // never below what it has
		t.Fatal(err)
	}
	healthy(t, e)
	e.Close()
	if err := holds(must(t, dir), 4, map[string]string{"a": string(big), "c": string(big)}); err != nil {
		t.Errorf("opened again: %v", err)
	}
}

// starve lets the system refuse to make files larger, as a full disk does: the flush fails.
func starve(path string) error {
	e, err := Open(context.Background(), path, storetest.Advance)
	if err != nil {
		return err
	}
	defer e.Close()
	signal.Ignore(syscall.SIGXFSZ)
	var free syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &free); err != nil {
		return err
	}
	limit := func(to syscall.Rlimit) func() error {
		return func() error { return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &to) }
	}
	log, err := os.Stat(path + "-wal")
	if err != nil {
		return err
	}
	if err := starvation(e, limit(syscall.Rlimit{Cur: uint64(log.Size()) + 32<<10, Max: free.Max}), limit(free), "disk I/O error"); err != nil {
		return err
	}
	fmt.Println("recovered")
	return nil
}

// TestFullDiskRecovers fills the disk of another process: the flush of its transaction fails.
func TestFullDiskRecovers(t *testing.T) {
	dir := t.TempDir()
	a := spawn(t, "starving", filepath.Join(dir, "drp.db"))
	if got := a.line(t); got != "recovered" {
		t.Fatalf("the starved process says %q", got)
	}
	if err := a.Wait(); err != nil {
		t.Fatal(err)
	}
	e := must(t, dir)
	if err := holds(e, 4, map[string]string{"a": string(big), "c": string(big)}); err != nil {
		t.Errorf("opened again: %v", err)
	}
	healthy(t, e)
}

// TestDoubtIsSettledByTheDisk lets a commit fail over rows that the engine knows nothing of, as if
// an earlier commit had come through in spite of its error. The disk is right.
func TestDoubtIsSettledByTheDisk(t *testing.T) {
	e := must(t, t.TempDir())
	behind(t, e, `INSERT INTO history VALUES (1, 0, '2026-11-21T12:00:00.000000000Z', '', '', '', '', 'machines', 'a', 'create', 0, NULL)`)
	behind(t, e, `INSERT INTO records VALUES (1, 'machines', 'a', 1, x'31')`)
	if err := e.Commit(t.Context(), []store.Change{save(1, "b", 0, []byte("1"))}); err == nil {
		t.Fatal("a revision that is taken was written again")
	}
	var conflict *store.ConflictError
	if err := e.Commit(t.Context(), []store.Change{save(1, "b", 0, []byte("1"))}); !errors.As(err, &conflict) || conflict.Have != 2 {
		t.Fatalf("the same again: got %v, want a conflict with revision 2", err)
	}
	if err := e.Commit(t.Context(), []store.Change{save(2, "a", 1, []byte("2"))}); err != nil {
		t.Fatalf("commit on what is on disk: got %v, want nil", err)
	}
	if err := holds(e, 2, map[string]string{"a": "2"}); err != nil {
		t.Error(err)
	}
}

// TestFailedTransactionIsTakenBack fails in a way that SQLite does not roll back by itself.
func TestFailedTransactionIsTakenBack(t *testing.T) {
	e := must(t, t.TempDir())
	for rev, id := range []string{"a", "b"} {
		if err := e.Commit(t.Context(), []store.Change{save(uint64(rev)+1, id, 0, []byte("old"))}); err != nil {
			t.Fatal(err)
		}
	}
	if err := holds(e, 2, map[string]string{"a": "old", "b": "old"}); err != nil { // none is late now
		t.Fatal(err)
	}
	behind(t, e, `UPDATE records SET row = 99 WHERE id = 'b'`)
	if err := e.Commit(t.Context(), []store.Change{save(3, "a", 1, []byte("new")), save(4, "b", 2, []byte("new"))}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := e.Load(t.Context(), func(store.Record) error { return nil }); err == nil || !strings.Contains(err.Error(), "damaged") {
			t.Fatalf("replace a row that has vanished: got %v, want that the store is damaged", err)
		}
		var n int
		if err := e.readers.QueryRow(`SELECT count(*) FROM records WHERE rev > 2`).Scan(&n); err != nil || n != 0 {
			t.Fatalf("records of the failed transaction: got %d and %v, want none", n, err)
		}
		e.writer.torn = false // or the disk would be asked where the row is
	}
	behind(t, e, `UPDATE records SET row = 2 WHERE id = 'b'`)
	if err := holds(e, 4, map[string]string{"a": "new", "b": "new"}); err != nil {
		t.Error(err)
	}
}

// behind changes an open store as nobody may.
func behind(t *testing.T, e *Engine, stmt string) {
	t.Helper()
	if _, err := e.readers.Exec(stmt); err != nil {
		t.Fatal(err)
	}
}

// TestFailedBackupLeavesNoFile fails after the file has been made.
func TestFailedBackupLeavesNoFile(t *testing.T) {
	e := must(t, t.TempDir())
	three(t, e)
	if err := e.readers.Close(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := e.Backup(t.Context(), filepath.Join(dir, "copy")); err == nil {
		t.Error("a backup without a connection succeeds")
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("files after a failed backup: got %v and %v, want none", files, err)
	}
}

// visit opens the database without the rights of root and prints what comes of it.
func visit(path string) error {
	if os.Geteuid() == 0 {
		if err := syscall.Setuid(65534); err != nil {
			return err
		}
	}
	_, err := Open(context.Background(), path, storetest.Advance)
	return err
}

// TestWhatCannotBeWrittenIsNamed opens what the process has no right to write.
func TestWhatCannotBeWrittenIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		protect func(dir, path string) error
		says    string // the file it names
	}{
		"directory": {func(dir, path string) error { return os.Chmod(dir, 0o555) }, "drp.db.lock: permission denied"},
		"database": {func(dir, path string) error {
			// The lock is free for all, so that the database itself is what fails.
			return errors.Join(os.Chmod(dir, 0o777), os.Chmod(path+".lock", 0o666), os.Chmod(path, 0o444))
		}, "drp.db: permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "data")
			if err := errors.Join(os.Mkdir(dir, 0o755), os.Chmod(filepath.Dir(filepath.Dir(dir)), 0o755)); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(dir, "drp.db")
			if name == "database" {
				if err := must(t, dir).Close(); err != nil {
					t.Fatal(err)
				}
			}
			if err := c.protect(dir, path); err != nil {
				t.Fatal(err)
			}
			defer os.Chmod(dir, 0o755)
			got := spawn(t, "stranger", path).line(t)
			if !strings.HasPrefix(got, "error: open store "+path+": ") || !strings.HasSuffix(got, c.says) {
				t.Errorf("got %q, want it to end in %q", got, c.says)
			}
		})
	}
}

// TestForeignFilesAreRefused opens what is no database of drp's, or one it does not understand.
func TestForeignFilesAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(path string) error
		says  string
	}{
		"text": {func(path string) error {
			return os.WriteFile(path, bytes.Repeat([]byte("no database\n"), 1000), 0o600)
		}, "not a database"},
		"newer": {alter(`INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`), "newer drp"},
		"torn":  {alter(`UPDATE records SET rev = 7`), "damaged: machines/a is at revision 7, the store at 3"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			e := must(t, dir)
			three(t, e)
			e.Close()
			path := filepath.Join(dir, "drp.db")
			if err := c.spoil(path); err != nil {
				t.Fatal(err)
			}
			for range 2 { // the refusal gives the lock back
				_, err := Open(t.Context(), path, storetest.Advance)
				if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("got %v, want %s and %q", err, path, c.says)
				}
			}
		})
	}
}

// TestDamagedHistoryIsNotPassedOff removes rows behind the engine's back.
func TestDamagedHistoryIsNotPassedOff(t *testing.T) {
	for _, missing := range []string{"1", "2", "3"} {
		e := must(t, t.TempDir())
		three(t, e)
		behind(t, e, `DELETE FROM history WHERE rev = `+missing)
		var last error
		for _, err := range e.History(t.Context(), 0) {
			last = err
		}
		if last == nil || !strings.Contains(last.Error(), "revision "+missing+" is missing") {
			t.Errorf("history without revision %s ends with %v", missing, last)
		}
	}
}

// three commits three changes of one record.
func three(t *testing.T, e *Engine) {
	t.Helper()
	for rev := uint64(1); rev <= 3; rev++ {
		if err := e.Commit(t.Context(), []store.Change{save(rev, "a", rev-1, []byte("{}"))}); err != nil {
			t.Fatal(err)
		}
	}
}

// alter changes a closed database as sqlite3 would.
func alter(stmt string) func(path string) error {
	return func(path string) error {
		db, err := connect(path)
		if err != nil {
			return err
		}
		_, err = db.Exec(stmt)
		return errors.Join(err, db.Close())
	}
}
