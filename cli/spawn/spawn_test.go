package spawn

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestAProcessThatEndsByItselfIsNoticed(t *testing.T) {
	died := make(chan *Process, 1)
	p := &Process{Name: "short", Argv: []string{"/bin/sh", "-c", "echo hello"}, Log: filepath.Join(t.TempDir(), "log"), Died: died}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	if got := <-died; got != p || p.PID() != 0 {
		t.Errorf("died: %v, pid %d", got, p.PID())
	}
	var out strings.Builder
	if p.Tail(&out, 5); !strings.Contains(out.String(), "hello") {
		t.Errorf("log: %q", out.String())
	}
}

func TestStopKillsWhoDoesNotListen(t *testing.T) {
	dir := t.TempDir()
	ready := filepath.Join(dir, "ready")
	if err := syscall.Mkfifo(ready, 0o600); err != nil {
		t.Fatal(err)
	}
	p := &Process{Name: "deaf", Argv: []string{"/bin/sh", "-c", `trap "" TERM; echo > "$0"; while :; do sleep 1; done`, ready}, Log: filepath.Join(dir, "log")}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.ReadFile(ready); err != nil { // returns when the trap is set
		t.Fatal(err)
	}
	pid := p.PID()
	if err := p.Stop(1); err == nil {
		t.Error("nobody says that it was killed")
	}
	if err := syscall.Kill(pid, 0); !errors.Is(err, syscall.ESRCH) || p.PID() != 0 {
		t.Errorf("it still runs: %v", err)
	}
}

func TestLinesAreSeenBeforeTheEndIsTold(t *testing.T) {
	var lines []string
	p := &Process{
		Name: "talker", Argv: []string{"/bin/sh", "-c", "echo one; echo two >&2; printf three"}, Log: filepath.Join(t.TempDir(), "log"),
		Line: func(line []byte) { lines = append(lines, string(line)) },
	}
	for range 2 {
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		<-p.Ended()
	}
	want := []string{"one\n", "two\n", "three", "one\n", "two\n", "three"}
	if !slices.Equal(lines, want) {
		t.Errorf("lines %q; want %q", lines, want)
	}
	log, err := os.ReadFile(p.Log)
	if err != nil || string(log) != strings.Join(want, "") {
		t.Errorf("log %q, %v", log, err)
	}
}

func TestFindWantsAllOfThem(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"drp", "drp-server"} {
		if got, err := Find(dir, "drp", "drp-server"); err == nil {
			t.Errorf("without %s: found %s", name, got)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := Find(dir, "drp", "drp-server"); err != nil || got != dir {
		t.Errorf("found %q, %v", got, err)
	}
}
