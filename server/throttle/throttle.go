// Package throttle bounds how often somebody does something, and how much at the same time.
package throttle

import (
	"hash/maphash"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// Rates gives each key a budget: a burst at once, and then so many a second. It is safe for
// concurrent use, keys do not wait for each other, and what it holds is bounded: a key that has
// its whole budget again may be forgotten, and is the first to be. A nil *Rates limits nothing.
type Rates[K comparable] struct {
	perSecond rate.Limit
	burst     int
	now       func() time.Time
	seed      maphash.Seed
	shards    [shards]shard[K]
}

type shard[K comparable] struct {
	mu  sync.RWMutex
	per map[K]*rate.Limiter
}

const (
	shards = 16
	// maxKeys is how many keys a shard knows, at about 200 bytes each: 65,536 in all.
	maxKeys = 4096
)

// NewRates makes the budgets; none (nil) when perSecond is 0.
func NewRates[K comparable](perSecond float64, burst int, now func() time.Time) *Rates[K] {
	if perSecond <= 0 {
		return nil
	}
	r := &Rates[K]{perSecond: rate.Limit(perSecond), burst: max(1, burst), now: now, seed: maphash.MakeSeed()}
	for i := range r.shards {
		r.shards[i].per = map[K]*rate.Limiter{}
	}
	return r
}

// Take takes one from the budget of a key and returns 0, or, when there is none, takes nothing
// and returns how long it is until there is.
func (r *Rates[K]) Take(key K) time.Duration {
	if r == nil {
		return 0
	}
	l, now := r.limiter(key), r.now()
	if l.AllowN(now, 1) {
		return 0
	}
	return r.until(l, now)
}

// Wait is what Take would return; it takes nothing.
func (r *Rates[K]) Wait(key K) time.Duration {
	if r == nil {
		return 0
	}
	s := r.shard(key)
	s.mu.RLock()
	l := s.per[key]
	s.mu.RUnlock()
	if l == nil {
		return 0
	}
	return r.until(l, r.now())
}

// until is how long it is until there is a whole one.
func (r *Rates[K]) until(l *rate.Limiter, now time.Time) time.Duration {
	lacking := 1 - l.TokensAt(now)
	if lacking <= 0 {
		return 0
	}
	return time.Duration(lacking / float64(r.perSecond) * float64(time.Second))
}

func (r *Rates[K]) shard(key K) *shard[K] {
	return &r.shards[maphash.Comparable(r.seed, key)%shards]
}

func (r *Rates[K]) limiter(key K) *rate.Limiter {
	s := r.shard(key)
	s.mu.RLock()
	l := s.per[key]
	s.mu.RUnlock()
	if l != nil {
		return l
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if l = s.per[key]; l != nil {
		return l
	}
	if len(s.per) >= maxKeys {
		s.makeRoom(r.now(), r.burst)
	}
	l = rate.NewLimiter(r.perSecond, r.burst)
	s.per[key] = l
	return l
}

// makeRoom looks at some keys, in the random order of a map, and forgets those with their whole
// budget, and else one that has not: to look at all each time would let a flood of new keys eat
// the processor.
func (s *shard[K]) makeRoom(now time.Time, burst int) {
	looked := 0
	for key, l := range s.per {
		if l.TokensAt(now) >= float64(burst) {
			delete(s.per, key)
		}
		if looked++; looked == 16 {
			break
		}
	}
	for key := range s.per {
		if len(s.per) < maxKeys {
			return
		}
		delete(s.per, key)
	}
}

// Seats counts how much a key holds at the same time. It is safe for concurrent use.
type Seats[K comparable] struct {
	mu    sync.Mutex
	taken map[K]int
}

// NewSeats makes an empty count.
func NewSeats[K comparable]() *Seats[K] { return &Seats[K]{taken: map[K]int{}} }

// Take takes a seat for a key, unless it has most of them already; 0 is any number. Who was given
// one gives it back with Leave.
func (s *Seats[K]) Take(key K, most int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if most > 0 && s.taken[key] >= most {
		return false
	}
	s.taken[key]++
	return true
}

// Leave gives a seat back.
func (s *Seats[K]) Leave(key K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[key]--; s.taken[key] <= 0 {
		delete(s.taken, key)
	}
}
