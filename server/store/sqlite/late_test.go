package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/server/store"
	"drp/server/store/storetest"
)

// TestRecordsAreLateAndBounded: commits do not write the records they change, but none is later than
// the slack allows.
func TestRecordsAreLateAndBounded(t *testing.T) {
	e := must(t, t.TempDir())
	prev := map[int]uint64{}
	late := false
	for rev := uint64(1); rev <= 200; rev++ {
		i := int(rev*rev) % 13
		if err := e.Commit(t.Context(), []store.Change{save(rev, fmt.Sprint(i), prev[i], fmt.Append(nil, rev))}); err != nil {
			t.Fatal(err)
		}
		prev[i] = rev
		if err := e.acquire(t.Context()); err != nil {
			t.Fatal(err)
		}
		var upTo uint64
		err := e.writer.conn.QueryRowContext(t.Context(), `SELECT up_to FROM lag`).Scan(&upTo)
		e.release()
		if err != nil {
			t.Fatal(err)
		}
		late = late || upTo < rev
		if upTo+usual.revisions < rev {
			t.Fatalf("at revision %d records have seen those up to %d only, more than %d behind", rev, upTo, usual.revisions)
		}
	}
	if !late {
		t.Error("no record was ever late: the test proves nothing")
	}
}

// crashed copies what is on the disk now, as a process that is killed would leave it, and opens it.
func crashed(t *testing.T, dir string, advance Advance) (*Engine, error) {
	t.Helper()
	to := t.TempDir()
	for _, name := range []string{"drp.db", "drp.db-wal"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	e, err := Open(context.Background(), filepath.Join(to, "drp.db"), advance)
	if err == nil {
		t.Cleanup(func() { e.Close() })
	}
	return e, err
}

func TestLateRecordsAreMadeAgainFromHistory(t *testing.T) {
	dir := t.TempDir()
	e := must(t, dir)
	var asked [][][]byte
	advance := func(kind string, raw []byte, patches [][]byte) ([]byte, error) {
		asked = append(asked, patches)
		return storetest.Advance(kind, raw, patches)
	}
	for _, c := range []store.Change{
		save(1, "a", 0, []byte("1")), save(2, "b", 0, []byte("2")), save(3, "a", 1, []byte("3")), save(4, "b", 2, nil), save(5, "b", 0, []byte("5")), save(6, "c", 0, []byte("6")), save(7, "c", 6, nil),
	} {
		if err := e.Commit(t.Context(), []store.Change{c}); err != nil {
			t.Fatal(err)
		}
	}
	again, err := crashed(t, dir, advance)
	if err != nil {
		t.Fatal(err)
	}
	if err := holds(again, 7, map[string]string{"a": "3", "b": "5"}); err != nil {
		t.Error(err)
	}
	if len(asked) == 0 {
		t.Error("nothing was made again: the test proves nothing")
	}
}

// TestHistoryThatDoesNotLeadOnIsNamed: the store is not opened on guesses.
func TestHistoryThatDoesNotLeadOnIsNamed(t *testing.T) {
	dir := t.TempDir()
	e := must(t, dir)
	for _, c := range []store.Change{save(1, "a", 0, []byte("1")), save(2, "a", 1, []byte("2"))} {
		if err := e.Commit(t.Context(), []store.Change{c}); err != nil {
			t.Fatal(err)
		}
	}
	no := errors.New("this patch is of another record")
	if _, err := crashed(t, dir, func(string, []byte, [][]byte) ([]byte, error) { return nil, no }); !errors.Is(err, no) || !strings.Contains(err.Error(), "machines/a") {
		t.Errorf("a patch that does not apply: got %v, want the record named, and why", err)
	}
	behind(t, e, `UPDATE history SET prev = 7 WHERE rev = 2`)
	if _, err := crashed(t, dir, storetest.Advance); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("a revision that follows another one: got %v, want that the store is damaged", err)
	}
}
