package objects

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"drp/models"
)

// BenchmarkWaiters measures what 10,000 who wait cost: memory for each, and the time from a
// commit that decides to the last of them having its answer.
func BenchmarkWaiters(b *testing.B) {
	const n = 10_000
	for _, c := range []struct {
		name string
		of   func(i int) models.Predicate
		add  int // objects beside
	}{
		{"same object and predicate", func(int) models.Predicate {
			return one("profiles", "pp", test("test", "/Params/nn", "1"))
		}, 0},
		{"same object, own predicates", func(i int) models.Predicate {
			return one("profiles", "pp", test("test", "/Params/nn", "1"), not(test("test", "/Params/who", fmt.Sprint(i))))
		}, 0},
		{"same list of 10000", func(int) models.Predicate {
			return models.Predicate{Kind: "profiles", Filter: "nn=1"}
		}, n},
		{"hundred lists of 10000", func(i int) models.Predicate {
			return models.Predicate{Kind: "profiles", Filter: fmt.Sprintf("nn=1&Name=Ne(x%d)", i%100)}
		}, n},
	} {
		b.Run(c.name, func(b *testing.B) {
			s, err := New(newMemory(), nil, now, discard)
			if err != nil {
				b.Fatal(err)
			}
			withParams(s)
			if err := s.Start(b.Context()); err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			ctx := WithActor(b.Context(), System)
			mustCreate(b, s, profile("pp", "nn", "0"))
			for i := range c.add {
				mustCreate(b, s, profile(fmt.Sprintf("p%05d", i), "nn", "0"))
			}
			var bytes, last time.Duration
			rounds := 0
			for b.Loop() {
				rounds++
				set(b, s, "pp", "nn", "0")
				before := heap()
				var done sync.WaitGroup
				for i := range n {
					done.Go(func() {
						ctx, cancel := context.WithTimeout(ctx, time.Hour)
						defer cancel()
						if o, err := s.Wait(ctx, &models.Wait{For: c.of(i)}); err != nil || o.Result != models.WaitHolds {
							b.Errorf("got %+v, %v", o, err)
						}
					})
				}
				for s.links() < n {
					time.Sleep(time.Millisecond)
				}
				bytes += time.Duration(heap() - before)
				set(b, s, "pp", "nn", "1")
				start := time.Now()
				done.Wait()
				last += time.Since(start)
			}
			b.ReportMetric(float64(bytes)/float64(rounds*n), "bytes/waiter")
			b.ReportMetric(float64(last.Microseconds())/1000/float64(rounds), "ms/last-informed")
		})
	}
}

// heap is the memory in use, stacks included.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}

// links is how many have joined.
func (s *Service) links() (n int) {
	s.board.mu.Lock()
	defer s.board.mu.Unlock()
	if len(s.board.starting) > 0 {
		return -1
	}
	for _, q := range s.board.questions {
		n += len(q.links)
	}
	return n
}
