package throttle

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// clock is a time that a test moves.
type clock struct{ ns atomic.Int64 }

func (c *clock) now() time.Time       { return time.Unix(1e9, c.ns.Load()) }
func (c *clock) pass(d time.Duration) { c.ns.Add(int64(d)) }

// TestABudgetIsItsBurstAndThenItsRate: over any stretch of time a key takes no more than its burst
// and its rate allow, however it asks; and when it is refused and waits as long as it is told, it
// is given one.
func TestABudgetIsItsBurstAndThenItsRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := &clock{}
		perSecond := rapid.Float64Range(0.1, 5000).Draw(t, "a second")
		burst := rapid.IntRange(1, 50).Draw(t, "burst")
		r := NewRates[string](perSecond, burst, c.now)
		taken := map[string]int{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			key := rapid.SampledFrom([]string{"a", "b"}).Draw(t, "key")
			c.pass(time.Duration(rapid.Int64Range(0, int64(2*time.Second)).Draw(t, "pass")))
			told := r.Wait(key)
			wait := r.Take(key)
			if told != wait {
				t.Fatalf("Wait says %v and Take %v", told, wait)
			}
			if wait > 0 {
				c.pass(wait + time.Microsecond)
				if again := r.Take(key); again > 0 {
					t.Fatalf("after the %v it was told to wait: told to wait %v more", wait, again)
				}
			}
			taken[key]++
			if most := float64(burst) + perSecond*time.Duration(c.ns.Load()).Seconds() + 0.01; float64(taken[key]) > most {
				t.Fatalf("%s has taken %d in %v; want at most %.1f", key, taken[key], time.Duration(c.ns.Load()), most)
			}
		}
	})
}

func TestNobodyIsLimitedWithoutARate(t *testing.T) {
	r := NewRates[int](0, 0, time.Now)
	for range 10_000 {
		if r.Take(1) != 0 || r.Wait(1) != 0 {
			t.Fatal("limited")
		}
	}
}

// TestAFloodOfKeysIsForgotten: what is held stays bounded, and who is out of budget mostly stays so
// while others come and go.
func TestAFloodOfKeysIsForgotten(t *testing.T) {
	c := &clock{}
	r := NewRates[string](1, 1, c.now)
	for i := range 4 * shards * maxKeys {
		if i%1000 == 0 {
			c.pass(time.Second) // those before have their budgets again
		}
		r.Take(fmt.Sprint(i))
	}
	for i := range r.shards {
		if n := len(r.shards[i].per); n > maxKeys {
			t.Errorf("shard %d holds %d keys, want at most %d", i, n, maxKeys)
		}
	}
}

func TestConcurrentTakersShareOneBudget(t *testing.T) {
	c := &clock{}
	r := NewRates[string](1, 100, c.now)
	var given atomic.Int32
	var all sync.WaitGroup
	for range 50 {
		all.Go(func() {
			for range 10 {
				if r.Take("k") == 0 {
					given.Add(1)
				}
			}
		})
	}
	all.Wait()
	if got := given.Load(); got != 100 {
		t.Errorf("got %d, want 100", got)
	}
}

func TestSeatsAreGivenUpToTheMostAndAgainWhenLeft(t *testing.T) {
	s := NewSeats[string]()
	for range 3 {
		if !s.Take("a", 3) {
			t.Fatal("no seat, want three")
		}
	}
	if s.Take("a", 3) {
		t.Error("a fourth seat of three")
	}
	if !s.Take("b", 3) || !s.Take("c", 0) {
		t.Error("one key takes the seats of others")
	}
	s.Leave("a")
	if !s.Take("a", 3) {
		t.Error("a seat that was left is not given again")
	}
	for range 3 {
		s.Leave("a")
	}
	s.Leave("b")
	s.Leave("c")
	if len(s.taken) != 0 {
		t.Errorf("%d keys are remembered, want none", len(s.taken))
	}
}

// TestTheHotPathAllocatesNothing: every request of a machine takes one.
func TestTheHotPathAllocatesNothing(t *testing.T) {
	r := NewRates[string](1e9, 1e9, time.Now)
	r.Take("machine:1")
	if n := testing.AllocsPerRun(1000, func() { r.Take("machine:1") }); n > 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkTake(b *testing.B) {
	r := NewRates[string](1e9, 1e9, time.Now)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			r.Take("user:rocketskates")
		}
	})
}
