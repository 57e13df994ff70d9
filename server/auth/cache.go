package auth

import (
	"sync"
	"time"
)

// cache keeps up to max values, each until it expires, under a hash of what it was made from.
type cache[V any] struct {
	max     int
	mu      sync.RWMutex
	entries map[[32]byte]cached[V]
}

type cached[V any] struct {
	value   V
	expires time.Time
}

func newCache[V any](max int) *cache[V] {
	return &cache[V]{max: max, entries: map[[32]byte]cached[V]{}}
}

func (c *cache[V]) get(key [32]byte, now time.Time) (v V, ok bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	e, ok := c.entries[key]
	if !ok || !now.Before(e.expires) {
		return v, false
	}
	return e.value, true
}

func (c *cache[V]) put(key [32]byte, v V, expires, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, known := c.entries[key]; !known && len(c.entries) >= c.max {
		c.makeRoom(now)
	}
	c.entries[key] = cached[V]{v, expires}
}

// makeRoom looks at a few entries, in the random order of a map, and drops those that have
// expired, and else any: a sweep over all at each put would let a flood of new tokens eat the
// processor.
func (c *cache[V]) makeRoom(now time.Time) {
	looked := 0
	for key, e := range c.entries {
		if looked++; looked > 8 {
			break
		}
		if !now.Before(e.expires) {
			delete(c.entries, key)
		}
	}
	for key := range c.entries {
		if len(c.entries) < c.max {
			return
		}
		delete(c.entries, key)
	}
}
