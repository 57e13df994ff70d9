package storetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"drp/server/store"
)

// testRivals lets many writers fight for every revision.
func testRivals(t *testing.T, open Open) {
	e := start(t, open)
	const rivals, rounds = 8, 20
	for rev := uint64(1); rev <= rounds; rev++ {
		errs := make([]error, rivals)
		var wg sync.WaitGroup
		for i := range rivals {
			wg.Go(func() {
				errs[i] = e.Commit(t.Context(), []store.Change{change(rev, put("seat", rev-1, fmt.Sprint(i)))})
			})
		}
		wg.Wait()
		winner := -1
		for i, err := range errs {
			var conflict *store.ConflictError
			switch {
			case err == nil && winner < 0:
				winner = i
			case err == nil:
				t.Fatalf("revision %d: both %d and %d have won", rev, winner, i)
			case !errors.As(err, &conflict):
				t.Fatalf("revision %d: got %v, want a conflict", rev, err)
			}
		}
		if winner < 0 {
			t.Fatalf("revision %d: nobody has won: %v", rev, errs)
		}
		equal(t, "seat", load(t, e), state{rev, []store.Record{{Key: key("seat"), Rev: rev, Raw: []byte(fmt.Sprint(winner))}}})
	}
}

// writeAll commits changes that each write all of n records, until stop is closed or a commit
// fails, with as many changes to a batch. It returns the revision reached.
func writeAll(e store.Engine, rev uint64, n, batch int, stop <-chan struct{}) (uint64, error) {
	for {
		select {
		case <-stop:
			return rev, nil
		default:
		}
		var changes []store.Change
		for i := range uint64(batch) {
			c := change(rev + i + 1)
			for j := range n {
				c.Writes = append(c.Writes, put(fmt.Sprint(j), rev+i, fmt.Sprint(c.Rev)))
			}
			changes = append(changes, c)
		}
		if err := e.Commit(context.Background(), changes); err != nil {
			return rev, err
		}
		rev += uint64(batch)
	}
}

// testSnapshot reads while all records move together: in a snapshot all are at its revision.
func testSnapshot(t *testing.T, open Open) {
	e := start(t, open)
	const records, batch = 20, 3
	stop, wrote := make(chan struct{}), make(chan error, 1)
	go func() {
		_, err := writeAll(e, 0, records, batch, stop)
		wrote <- err
	}()
	var last uint64
	for moved := 0; moved < 20 && len(wrote) == 0; {
		var s state
		rev, err := e.Load(t.Context(), func(r store.Record) error { s.Records = append(s.Records, r); return nil })
		if err != nil {
			t.Errorf("load: got %v, want nil", err)
			break
		}
		if !whole(t, s.Records, rev, records, batch) || rev < last {
			t.Errorf("load: got revision %d after %d", rev, last)
			break
		}
		told, err := follow(e, last)
		if err != nil || len(told) < int(rev-last) {
			t.Errorf("history above %d after a load at %d: got %d changes and %v", last, rev, len(told), err)
			break
		}
		if rev > last {
			moved++
		}
		last = rev
	}
	close(stop)
	if err := <-wrote; err != nil {
		t.Errorf("commit: got %v, want nil", err)
	}
}

// whole reports whether the records are those that writeAll leaves at a revision.
func whole(t *testing.T, records []store.Record, rev uint64, n, batch int) bool {
	t.Helper()
	ok := rev%uint64(batch) == 0 && (len(records) == n || rev == 0 && len(records) == 0)
	for _, r := range records {
		ok = ok && r.Rev == rev && string(r.Raw) == fmt.Sprint(rev)
	}
	if !ok {
		t.Errorf("snapshot at %d is torn: %d records: %v", rev, len(records), records)
	}
	return ok
}

// testHistorySnapshot writes and compacts from within the loop.
func testHistorySnapshot(t *testing.T, open Open) {
	e := start(t, open)
	for rev := uint64(1); rev <= 50; rev++ {
		commit(t, e, change(rev, put("a", rev-1, `{}`)))
	}
	all, none := e.History(t.Context(), 0), e.History(t.Context(), 50) // to be read when all is over
	var last uint64
	for c, err := range e.History(t.Context(), 0) {
		if err != nil {
			t.Fatalf("history after %d: got %v, want nil", last, err)
		}
		equal(t, "revision", c.Rev, last+1)
		last = c.Rev
		commit(t, e, change(50+last, put("a", 49+last, `{}`)))
		if err := e.Compact(t.Context(), last+10); err != nil {
			t.Fatalf("compact: got %v, want nil", err)
		}
	}
	equal(t, "last change", last, 50)
	if err := e.Compact(t.Context(), 70); err != nil {
		t.Fatalf("compact: got %v, want nil", err)
	}
	if told, err := gather(all); !errors.Is(err, store.ErrCompacted) || len(told) > 0 {
		t.Errorf("history that was asked for before: got %d changes and %v, want %v alone", len(told), err, store.ErrCompacted)
	}
	if told, err := gather(none); err != nil || len(told) > 0 {
		t.Errorf("history above the newest revision at the time of the call: got %d changes and %v, want none", len(told), err)
	}
}

func testContext(t *testing.T, open Open) {
	e := start(t, open)
	commit(t, e, change(1, put("a", 0, `1`), put("b", 0, `1`)), change(2, put("a", 1, `2`)))
	before := load(t, e)
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v, want %v", what, err, context.Canceled)
		}
	}
	_, err := e.Load(ended, func(store.Record) error { t.Error("load with an ended context yields"); return nil })
	refused("load", err)
	refused("commit", e.Commit(ended, []store.Change{change(3, put("a", 2, `3`))}))
	refused("compact", e.Compact(ended, 1))
	copied := filepath.Join(t.TempDir(), "copy")
	refused("backup", e.Backup(ended, copied))
	if _, err := os.Stat(copied); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("backup with an ended context leaves a file: got %v, want %v", err, os.ErrNotExist)
	}
	yields := 0
	for _, err := range e.History(ended, 0) {
		refused("history", err)
		yields++
	}
	for _, err := range e.Search(ended, store.Query{}) {
		refused("search", err)
		yields++
	}
	equal(t, "yields of history and search with an ended context", yields, 2)
	_, err = e.Size(ended)
	refused("size", err)
	equal(t, "store after all that", load(t, e), before)

	commit(t, e, change(3, put("a", 2, `3`)), change(4, put("a", 3, `4`)))
	within, cancel := context.WithCancel(t.Context())
	defer cancel()
	var seen []uint64
	for c, err := range e.History(within, 0) {
		if err != nil {
			refused("history whose context ends within", err)
			break
		}
		seen = append(seen, c.Rev)
		cancel()
	}
	equal(t, "changes before the context ended", seen, []uint64{1})
	within, cancel = context.WithCancel(t.Context())
	defer cancel()
	loaded := 0
	_, err = e.Load(within, func(store.Record) error { loaded++; cancel(); return nil })
	refused("load whose context ends within", err)
	equal(t, "records before the context ended", loaded, 1)
}

func testClosed(t *testing.T, open Open) {
	dir := t.TempDir()
	e := open(t, dir)
	commit(t, e, change(1, put("a", 0, `1`), put("b", 0, `1`)), change(2, put("a", 1, `2`)))
	// One that writes finds the end between two batches, never within one.
	reached, ended := uint64(0), make(chan error, 1)
	begun := make(chan struct{})
	go func() {
		close(begun)
		rev, err := writeOne(e, 2)
		reached = rev
		ended <- err
	}()
	<-begun
	var err error
	for _, err = range e.History(t.Context(), 0) { // closing does not wait for those who read
		if err != nil {
			break
		}
		if err := e.Close(); err != nil {
			t.Fatalf("close: got %v, want nil", err)
		}
	}
	refused := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, store.ErrClosed) {
			t.Errorf("%s: got %v, want %v", what, err, store.ErrClosed)
		}
	}
	refused("history within which the engine closes", err)
	e.Close() // if the loop never came to it, the one that writes would go on for ever
	refused("commit while the engine closes", <-ended)
	_, err = e.Load(t.Context(), func(store.Record) error { t.Error("a closed engine yields"); return nil })
	refused("load", err)
	refused("commit", e.Commit(t.Context(), []store.Change{change(3, put("c", 0, `3`))}))
	refused("compact", e.Compact(t.Context(), 1))
	refused("backup", e.Backup(t.Context(), filepath.Join(t.TempDir(), "copy")))
	_, err = follow(e, 0)
	refused("history", err)
	_, err = gather(e.Search(t.Context(), store.Query{}))
	refused("search", err)
	_, err = e.Size(t.Context())
	refused("size", err)
	if err := e.Close(); err != nil {
		t.Errorf("second close: got %v, want nil", err)
	}
	e = open(t, dir)
	defer e.Close()
	equal(t, "revision after opening again", load(t, e).Rev, reached)
}

// writeOne replaces record b of revision 1 until that fails.
func writeOne(e store.Engine, rev uint64) (uint64, error) {
	for prev := uint64(1); ; prev = rev {
		if err := e.Commit(context.Background(), []store.Change{change(rev+1, put("b", prev, `{}`))}); err != nil {
			return rev, err
		}
		rev++
	}
}

func testBackup(t *testing.T, open Open) {
	e := start(t, open)
	commit(t, e, change(1, put("a", 0, `1`)))
	path := filepath.Join(t.TempDir(), "copy")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := e.Backup(t.Context(), path); !errors.Is(err, os.ErrExist) {
		t.Errorf("backup over a file: got %v, want %v", err, os.ErrExist)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "precious" {
		t.Errorf("the file that was there: got %q and %v, want it untouched", got, err)
	}
	if err := e.Backup(t.Context(), filepath.Join(t.TempDir(), "none", "copy")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("backup into a directory that is not there: got %v, want %v", err, os.ErrNotExist)
	}
	if err := e.Backup(t.Context(), path+"2"); err != nil {
		t.Fatalf("backup: got %v, want nil", err)
	}
	info, err := os.Stat(path + "2")
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() == 0 {
		t.Errorf("backup: got %v and %v, want a file of mode 0600", info, err)
	}
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 2 {
		t.Errorf("files after the backup: got %v and %v, want the two that were asked for", files, err)
	}
}
