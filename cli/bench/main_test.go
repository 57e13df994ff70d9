package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// programs makes a folder in which everything to be measured seems to be.
func programs(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestParse(t *testing.T) {
	dir := programs(t, "drp-server", "bench-etcd", "bench-etcd-load", "bench-pocketbase")
	o, err := parse([]string{"--bin", dir, "--only", "b,a", "--peers", "etcd", "--quick", "--rounds", "9"}, &strings.Builder{})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(o.only, o.peers, o.rounds) != "[b a] [etcd] 9" || o.length >= time.Second || o.home != dir {
		t.Errorf("got %+v", o)
	}
	if o, err = parse([]string{"--bin", dir}, &strings.Builder{}); err != nil || len(o.only) != len(groups) || len(o.peers) != 2 || o.rounds != 5 {
		t.Errorf("without flags: got %+v, %v; want everything", o, err)
	}
	for _, bad := range [][]string{{"--only", "a,z"}, {"--peers", "mongodb"}, {"--rounds", "-1"}, {"--length", "-1s"}, {"a"}, {"--bin", t.TempDir()}} {
		if _, err := parse(append([]string{"--bin", dir}, bad...), &strings.Builder{}); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
	if _, err := parse([]string{"--bin", programs(t, "drp-server"), "--peers", ""}, &strings.Builder{}); err != nil {
		t.Errorf("without peers: %v", err)
	}
	var help strings.Builder
	if _, err := parse([]string{"--help"}, &help); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("--help: got %v", err)
	}
	for _, g := range groups {
		if !strings.Contains(help.String(), "  "+g.name+"  "+g.title) {
			t.Errorf("--help does not tell of group %s", g.name)
		}
	}
}

// TestARowComparesInTurns: every contender has its rounds, nobody is first in all of them, and the
// ratios are those of the figures.
func TestARowComparesInTurns(t *testing.T) {
	var out strings.Builder
	b := &bench{options: options{rounds: 4, length: time.Millisecond}, out: &out, err: &strings.Builder{}}
	var order []string
	server := func(name string, perSecond int, last int) contender {
		return contender{name, func(time.Duration) (sample, error) {
			order = append(order, name)
			return sample{Ops: perSecond, Seconds: 1, Micros: []int{1000, last}}, nil
		}}
	}
	list := []contender{server("drp", 3000, 4000), server("slow", 1000, 6000), server("fast", 6000, 2000)}
	if err := b.row("x", "things", 7, list...); err != nil {
		t.Fatal(err)
	}
	if err := b.race("x", "once", 7, list...); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"3.00x", "0.50x", "1.50x"} {
		if strings.Count(out.String(), want) < 1 {
			t.Errorf("no %s in\n%s", want, out.String())
		}
	}
	firsts := map[string]int{}
	for i := 3; i < 15; i += 3 { // after those that warm up
		firsts[order[i]]++
	}
	if len(order) != 2*3*5 || len(firsts) != 3 {
		t.Errorf("the order was %v", order)
	}
	if len(b.results) != 6 || len(b.results[0].Rounds) != 4 {
		t.Errorf("got %d results", len(b.results))
	}
	wrong := errors.New("a wrong answer")
	err := b.row("x", "failing", 1, contender{"drp", func(time.Duration) (sample, error) { return sample{}, wrong }})
	if !errors.Is(err, wrong) {
		t.Errorf("got %v; want the failure", err)
	}
}

func TestDriveEndsAtTheFirstError(t *testing.T) {
	wrong := errors.New("a wrong answer")
	s, err := drive(4, time.Hour, func(client, i int) error {
		if client == 2 && i == 3 {
			return wrong
		}
		return nil
	})
	if !errors.Is(err, wrong) || s.Ops < 3 {
		t.Errorf("got %d operations and %v; want the error, and what was done before", s.Ops, err)
	}
}

// TestTellAllWantsEveryChangeOnce of every listener.
func TestTellAllWantsEveryChangeOnce(t *testing.T) {
	const listeners, changes = 5, 7
	told := func(which func(i, k int) int) error {
		var mu sync.Mutex
		made := 0
		more := sync.NewCond(&mu)
		change := func() error {
			mu.Lock()
			defer mu.Unlock()
			made++
			more.Broadcast()
			return nil
		}
		s, err := tellAll(changes, change, listeners, func(i, k int) (int, error) {
			mu.Lock()
			defer mu.Unlock()
			for made < changes {
				more.Wait()
			}
			return which(i, k), nil
		})
		if err == nil && (s.Ops != listeners*changes || s.Seconds <= 0) {
			t.Errorf("got %d in %v s", s.Ops, s.Seconds)
		}
		return err
	}
	if err := told(func(_, k int) int { return changes - 1 - k }); err != nil {
		t.Errorf("in another order: %v", err)
	}
	for name, which := range map[string]func(i, k int) int{
		"twice":  func(i, k int) int { return max(k, 1) },
		"early":  func(i, k int) int { return k - 1 },
		"beyond": func(i, k int) int { return k + 1 },
	} {
		if err := told(which); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
}

func TestFillerHasTheSizeAskedFor(t *testing.T) {
	for n := 0; n < 3000; n += 7 {
		size := 0
		for k, v := range filler(n) {
			size += len(`,"":""`) + len(k) + len(v)
		}
		if size > n || size < n-30 {
			t.Errorf("asked for %d bytes, got %d", n, size)
		}
	}
}
