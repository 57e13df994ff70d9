package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"drp/cli/spawn"
)

// programs is the folder of drp-server.
var programs string

func TestMain(m *testing.M) {
	os.Exit(withServer(m.Run))
}

func withServer(tests func() int) int {
	dir, err := os.MkdirTemp("", "drp-soak-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := spawn.Build(context.Background(), dir, "drp/server/drp-server"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	programs = dir
	return tests()
}

var summary = regexp.MustCompile(`^soak: \d+ s, seed (\d+): (\d+) crashes survived, (\d+) operations checked, (\d+) violations$`)

// last reads the line that sums a run up.
func last(t *testing.T, out string) (crashes, operations, violations int) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	m := summary.FindStringSubmatch(lines[len(lines)-1])
	if m == nil {
		t.Fatalf("last line %q", lines[len(lines)-1])
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+2])
	}
	return n[0], n[1], n[2]
}

// TestNothingAcknowledgedIsLost is a short soak; make soak is a long one.
func TestNothingAcknowledgedIsLost(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	seed := rand.Uint64N(1_000_000) + 1
	t.Logf("seed %d", seed)
	var out strings.Builder
	if err := run(t.Context(), []string{"--bin", programs, "--seconds", "3", "--kills", "3", "--seed", fmt.Sprint(seed)}, &out); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if crashes, operations, violations := last(t, out.String()); crashes < 3 || operations < 100 || violations != 0 {
		t.Errorf("%d crashes, %d operations, %d violations\n%s", crashes, operations, violations, out.String())
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// TestAServerThatForgetsIsCaught puts a server under the same load whose disk, at its last crash,
// falls back to what it was at the first. Its seed is fixed: there is much to forget then.
func TestAServerThatForgetsIsCaught(t *testing.T) {
	dir, crash := t.TempDir(), 0
	kept := filepath.Join(dir, "kept")
	o := &options{seconds: 1, kills: 1, seed: 19, bin: programs, dir: dir, sabotage: func(data string) error {
		if crash++; crash == 1 {
			return os.CopyFS(kept, os.DirFS(data))
		}
		if err := os.RemoveAll(data); err != nil {
			return err
		}
		return os.CopyFS(data, os.DirFS(kept))
	}}
	var out strings.Builder
	err := soak(t.Context(), o, &out)
	if _, _, violations := last(t, out.String()); err == nil || violations == 0 {
		t.Errorf("%d violations, %v", violations, err)
	}
	for _, want := range []string{"is not linearizable", "is lost", "has forgotten what it told"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("nothing %s", want)
		}
	}
	for _, pattern := range []string{"data/drp.db", "server.log", "profiles-soak-?.html", "profiles-soak-?.txt"} {
		if kept, err := filepath.Glob(filepath.Join(dir, pattern)); err != nil || len(kept) == 0 {
			t.Errorf("%s is not kept", pattern)
		}
	}
	if t.Failed() {
		t.Log(out.String())
	}
}

// TestDamageIsFoundAtTheEnd: a record that no client asks for any more is looked at all the same.
func TestDamageIsFoundAtTheEnd(t *testing.T) {
	w, err := newWorld(&options{bin: programs, dir: t.TempDir()}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	l, err := w.server.begin()
	if err != nil {
		t.Fatal(err)
	}
	if err := l.ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := w.close(true); err != nil { // so that all is in the database itself
		t.Fatal(err)
	}
	if err := w.inspect(t.Context()); err != nil {
		t.Fatalf("sound data: %v", err)
	}
	file := filepath.Join(w.server.data, "drp.db")
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	spoiled := bytes.ReplaceAll(raw, []byte("rocketskates"), []byte("rocketskatez"))
	spoiled = bytes.Replace(spoiled, []byte("rocketskatez"), []byte("rocketskates"), 1)
	if err := os.WriteFile(file, spoiled, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := w.inspect(t.Context()); err == nil {
		t.Error("damage goes unnoticed")
	}
}

func TestAnInterruptLeavesNothingBehind(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	ctx, interrupt := context.WithCancel(t.Context())
	out := &tripwire{fn: interrupt}
	if err := run(ctx, []string{"--bin", programs, "--kills", "1"}, out); err == nil || err.Error() != "interrupted" {
		t.Errorf("%v\n%s", err, out.text.String())
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("%v is left, %v", left, err)
	}
}

// tripwire is an output that calls fn at the end of the first round.
type tripwire struct {
	text strings.Builder
	fn   func()
}

func (w *tripwire) Write(p []byte) (int, error) {
	w.text.Write(p)
	if strings.Contains(string(p), "round 1") {
		w.fn()
	}
	return len(p), nil
}
