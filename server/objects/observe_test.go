package objects

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"drp/models"
)

// TestEveryBatchIsObserved: what is told of the batches adds up to what was asked for.
func TestEveryBatchIsObserved(t *testing.T) {
	const n = 20
	m := newMemory()
	var seen []Batch // belongs to the writer until it has answered
	callers := map[any]int{}
	type caller struct{}
	s, ctx := open(t, m, func(s *Service) {
		s.Observe(func(b *Batch) {
			seen = append(seen, *b)
			for ctx := range b.Callers() {
				callers[ctx.Value(caller{})]++
			}
		})
	})
	if _, err := s.Create(ctx, &models.Template{ID: "shared"}, false); err != nil {
		t.Fatal(err)
	}
	m.gate, m.entered = make(chan struct{}), make(chan struct{}, 10)
	patch := func(i int) error {
		text := fmt.Sprintf(`[{"op":"replace","path":"/Contents","value":"%d"}]`, i)
		return errOf(s.Patch(context.WithValue(ctx, caller{}, i), "templates", "shared", decodePatch(t, text), false))
	}
	var wg sync.WaitGroup
	ask := func(i int) {
		wg.Go(func() {
			if err := patch(i); err != nil {
				t.Error(err)
			}
		})
	}
	ask(1)
	<-m.entered
	for i := range n {
		ask(i + 2)
	}
	for len(s.queue) < n {
		time.Sleep(time.Millisecond)
	}
	close(m.gate)
	wg.Wait()

	if len(seen) != 3 || seen[0].Changes != 1 || seen[1].Changes != 1 || seen[2].Changes != n {
		t.Fatalf("batches of %+v; want 1, 1 and %d changes", seen, n)
	}
	if seen[0].Recomputed != 0 || seen[2].Recomputed != n {
		t.Errorf("computed again: %d and %d; want 0 and %d, since one came first", seen[0].Recomputed, seen[2].Recomputed, n)
	}
	changes := 0
	for _, b := range seen {
		if changes += b.Changes; b.Rev != uint64(changes) || b.Err != nil {
			t.Errorf("after %d changes: revision %d, error %v", changes, b.Rev, b.Err)
		}
	}
	for i := range n + 1 {
		if callers[i+1] != 1 {
			t.Errorf("caller %d is in %d batches, want 1", i+1, callers[i+1])
		}
	}
}

func TestAFailedBatchIsObservedWithItsError(t *testing.T) {
	m := newMemory()
	var seen []Batch
	s, ctx := open(t, m, func(s *Service) { s.Observe(func(b *Batch) { seen = append(seen, *b) }) })
	m.fail = errors.New("disk full")
	class(t, errOf(s.Create(ctx, sample(t, "profiles", "pp"), false)), models.Internal)
	if len(seen) != 1 || !errors.Is(seen[0].Err, m.fail) || seen[0].Changes != 1 || seen[0].Rev != 0 {
		t.Errorf("got %+v; want one batch of one change that failed", seen)
	}
}

func TestWaitersAreCounted(t *testing.T) {
	s, ctx := open(t, newMemory())
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() { _, _ = s.Await(ctx, "profiles", fmt.Sprintf("p%d", i%2), 0) })
	}
	for s.Waiters() < 3 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	wg.Wait()
	if n := s.Waiters(); n != 0 {
		t.Errorf("%d wait, want none", n)
	}
}
