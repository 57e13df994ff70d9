package sqlite

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"drp/server/store"
	"drp/server/store/storetest"
)

// roleEnv makes the test binary play a part of its own instead of running tests, so that there is
// a second process to kill, to starve and to compete with.
const roleEnv = "DRP_TEST_SQLITE_ROLE"

func TestMain(m *testing.M) {
	usual = slack{revisions: 7, bytes: 40_000, step: 2} // so that records are late, and written, all the time
	play, ok := map[string]func(path string) error{
		"holder": holder, "writer": writeUntilKilled, "starving": starve, "stranger": visit, "probing": probing,
	}[os.Getenv(roleEnv)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := play(os.Args[1]); err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
}

// actor is a process that plays a role on a database.
type actor struct {
	*exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner // what it prints
}

// spawn starts an actor. It is killed with the test at the latest.
func spawn(t *testing.T, role, path string) *actor {
	t.Helper()
	a := &actor{Cmd: exec.Command(os.Args[0], path)}
	a.Env = append(os.Environ(), roleEnv+"="+role)
	a.Stderr = os.Stderr
	out, err := a.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if a.in, err = a.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	a.lines = bufio.NewScanner(out)
	t.Cleanup(func() { a.kill() })
	return a
}

// kill ends the actor as kill -9 does. What it had printed can be read until then only.
func (a *actor) kill() {
	_ = a.Process.Kill() // fails where it has ended already
	_ = a.Wait()         // says that it was killed
}

// line is the next line the actor prints.
func (a *actor) line(t *testing.T) string {
	t.Helper()
	if !a.lines.Scan() {
		t.Fatalf("the other process printed nothing more: %v", a.lines.Err())
	}
	return a.lines.Text()
}

// must opens the store of a directory.
func must(t testing.TB, dir string) *Engine {
	t.Helper()
	e, err := Open(context.Background(), filepath.Join(dir, "drp.db"), storetest.Advance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

func records(t testing.TB, e *Engine) (uint64, map[store.Key]store.Record) {
	t.Helper()
	all := map[store.Key]store.Record{}
	rev, err := e.Load(context.Background(), func(r store.Record) error { all[r.Key] = r; return nil })
	if err != nil {
		t.Fatal(err)
	}
	return rev, all
}

func history(t testing.TB, e *Engine, from uint64) []store.Change {
	t.Helper()
	var all []store.Change
	for c, err := range e.History(context.Background(), from) {
		if err != nil {
			t.Fatalf("history above %d: %v", from, err)
		}
		all = append(all, c)
	}
	return all
}

func key(id string) store.Key { return store.Key{Kind: "machines", ID: id} }

// save is a change that writes one record.
func save(rev uint64, id string, prev uint64, raw []byte) store.Change {
	return store.Change{Rev: rev, Time: time.Unix(0, int64(rev)).UTC(), Who: "user:test", Writes: []store.Write{
		{Key: key(id), Prev: prev, Raw: raw, Action: "save", Patch: storetest.Patch("[]", raw)},
	}}
}
