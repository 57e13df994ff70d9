package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"drp/server/store"
	"drp/server/store/storetest"
)

const (
	crashRounds  = 20
	crashBatch   = 3  // changes in each batch
	crashRecords = 5  // records that every change writes
	crashKept    = 90 // revisions of history that compaction leaves
)

// crashChange writes all records, and makes and deletes one besides; its size varies so that
// pages split and overflow.
func crashChange(rev uint64) store.Change {
	c := store.Change{Rev: rev, Time: time.Unix(int64(rev), 0).UTC(), Who: "user:crash"}
	pad := make([]byte, rev*7919%6000)
	for i := range crashRecords {
		c.Writes = append(c.Writes, store.Write{
			Key: key(strconv.Itoa(i)), Prev: rev - 1, Action: "save",
			Raw: append([]byte(strconv.FormatUint(rev, 10)+" "), pad...),
		})
	}
	c.Writes = append(c.Writes, store.Write{Key: key(fmt.Sprint("new ", rev)), Action: "create", Raw: []byte("new")})
	if rev > 1 {
		c.Writes = append(c.Writes, store.Write{Key: key(fmt.Sprint("new ", rev-1)), Prev: rev - 1, Action: "delete"})
	}
	for i := range c.Writes {
		c.Writes[i].Patch = storetest.Patch(strconv.FormatUint(rev, 10), c.Writes[i].Raw)
	}
	return c
}

// writeUntilKilled commits and compacts for ever, and prints each revision once it is
// acknowledged.
func writeUntilKilled(path string) error {
	ctx := context.Background()
	e, err := Open(ctx, path, storetest.Advance)
	if err != nil {
		return err
	}
	for rev := e.newest.Load(); ; {
		var batch []store.Change
		for range crashBatch {
			rev++
			batch = append(batch, crashChange(rev))
		}
		if err := e.Commit(ctx, batch); err != nil {
			return err
		}
		if _, err := fmt.Fprintln(os.Stdout, rev); err != nil {
			return err
		}
		if rev%(crashBatch*10) == 0 && rev > crashKept {
			if err := e.Compact(ctx, rev-crashKept); err != nil {
				return err
			}
		}
	}
}

// TestKilledProcessLosesNothingAcknowledged kills a writer again and again, at any moment from its
// start on. This shows that a commit is in the hands of the system when it is acknowledged, and
// whole; that it is on the disk then is what the settings that Open demands are for.
func TestKilledProcessLosesNothingAcknowledged(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("DRP_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("DRP_TEST_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	var newest uint64
	for round := range crashRounds {
		acked := max(newest, crashOnce(t, filepath.Join(dir, "drp.db"), random))
		e := must(t, dir)
		newest = e.newest.Load()
		if newest < acked {
			t.Fatalf("round %d: revision %d was acknowledged, %d is the newest after the crash", round, acked, newest)
		}
		whole(t, e, newest)
		if err := e.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if newest < crashKept {
		t.Fatalf("only %d revisions in %d rounds: nothing was tested", newest, crashRounds)
	}
	t.Logf("%d revisions survived", newest)
}

// crashOnce lets a writer live for some acknowledgements and a moment, kills it, and returns the
// last revision it acknowledged, or 0.
func crashOnce(t *testing.T, path string, random *rand.Rand) (acked uint64) {
	t.Helper()
	a := spawn(t, "writer", path)
	read := func(lines *bufio.Scanner) bool {
		if !lines.Scan() {
			return false
		}
		rev, err := strconv.ParseUint(lines.Text(), 10, 64)
		if err != nil {
			t.Fatalf("the writer says %q", lines.Text())
		}
		acked = rev
		return true
	}
	for range random.IntN(60) {
		if !read(a.lines) {
			t.Fatal("the writer has ended by itself")
		}
	}
	time.Sleep(time.Duration(random.IntN(3000)) * time.Microsecond) // not to wait, but to hit any moment
	_ = a.Process.Kill()
	for read(a.lines) { // what was acknowledged before the end counts as well
	}
	a.kill()
	return acked
}

// whole checks that the store is just what the changes up to rev leave.
func whole(t *testing.T, e *Engine, rev uint64) {
	t.Helper()
	if rev%crashBatch != 0 {
		t.Fatalf("revision %d is in the middle of a batch", rev)
	}
	at, all := records(t, e)
	want := crashRecords + 1
	if rev == 0 {
		want = 0
	}
	if at != rev || len(all) != want {
		t.Fatalf("got %d records at revision %d, want %d at %d", len(all), at, want, rev)
	}
	if rev == 0 {
		return
	}
	for _, w := range crashChange(rev).Writes {
		if r := all[w.Key]; w.Raw != nil && (r.Rev != rev || string(r.Raw) != string(w.Raw)) {
			t.Fatalf("record %s: got revision %d with %d bytes, want %d with %d", w.ID, r.Rev, len(r.Raw), rev, len(w.Raw))
		}
	}
	from := uint64(0)
	if rev > crashKept {
		from = rev - crashKept
	}
	for _, c := range history(t, e, from) {
		from++
		if made := crashChange(from); c.Rev != from || !c.Time.Equal(made.Time) || len(c.Writes) != len(made.Writes) {
			t.Fatalf("history: got revision %d with %d writes, want %d with %d", c.Rev, len(c.Writes), from, len(made.Writes))
		}
	}
	if from != rev {
		t.Fatalf("history ends at %d, want %d", from, rev)
	}
	healthy(t, e)
}

// healthy fails the test unless SQLite finds the database sound.
func healthy(t *testing.T, e *Engine) {
	t.Helper()
	if err := sound(e); err != nil {
		t.Fatal(err)
	}
}

// sound lets SQLite check the database.
func sound(e *Engine) error {
	var verdict string
	if err := e.readers.QueryRow("PRAGMA integrity_check").Scan(&verdict); err != nil || verdict != "ok" {
		return fmt.Errorf("integrity check: got %q and %v, want ok", verdict, err)
	}
	return nil
}

// holder opens the database, says so, and holds it until its input ends.
func holder(path string) error {
	e, err := Open(context.Background(), path, storetest.Advance)
	if err != nil {
		return err
	}
	defer e.Close()
	fmt.Println("open")
	_, err = bufio.NewReader(os.Stdin).ReadByte()
	fmt.Println("done")
	_ = err // the end of the input is what it waits for
	return nil
}

// TestSecondProcessIsRefused until the first has ended, however that ends.
func TestSecondProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "drp.db")
	link := filepath.Join(t.TempDir(), "link.db")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	for name, end := range map[string]func(*actor){
		"killed": (*actor).kill,
		"closed": func(a *actor) {
			a.in.Close()
			if got := a.line(t); got != "done" {
				t.Fatalf("the holder says %q", got)
			}
			if err := a.Wait(); err != nil {
				t.Fatal(err)
			}
		},
	} {
		first := spawn(t, "holder", path)
		if got := first.line(t); got != "open" {
			t.Fatalf("%s: the holder says %q, want open", name, got)
		}
		for _, p := range []string{path, link} {
			if _, err := Open(t.Context(), p, storetest.Advance); !errors.Is(err, store.ErrLocked) {
				t.Fatalf("%s: open %s meanwhile: got %v, want %v", name, p, err, store.ErrLocked)
			}
		}
		second := spawn(t, "holder", path)
		want := fmt.Sprintf("error: open store %s: %v, which holds %s.lock", path, store.ErrLocked, path)
		if got := second.line(t); got != want {
			t.Fatalf("%s: the second process says %q, want %q", name, got, want)
		}
		end(first)
		if err := must(t, dir).Close(); err != nil {
			t.Fatalf("%s: open afterwards: %v", name, err)
		}
	}
}

func TestSecondEngineOfOneProcessIsRefused(t *testing.T) {
	dir := t.TempDir()
	e := must(t, dir)
	if _, err := Open(t.Context(), filepath.Join(dir, "drp.db"), storetest.Advance); !errors.Is(err, store.ErrLocked) {
		t.Errorf("got %v, want %v", err, store.ErrLocked)
	}
	if err := e.Commit(t.Context(), []store.Change{save(1, "a", 0, []byte("{}"))}); err != nil {
		t.Errorf("commit after the refusal: got %v, want nil", err)
	}
}
