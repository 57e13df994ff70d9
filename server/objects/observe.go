package objects

import (
	"context"
	"iter"
	"time"
)

// Batch is what the writer did with the changes that waited together.
type Batch struct {
	Start      time.Time     // when the writer began with it
	Took       time.Duration // until it was durable and readable, or failed
	Commit     time.Duration // of it, what the engine took
	Rev        uint64        // the newest that it made; 0: none
	Changes    int           // that became durable together; with Err: that did not
	Recomputed int           // that were computed again, because others had come first
	Err        error         // of the engine: why nothing became durable
	requests   []*request
}

// Callers yields the contexts of those whose changes were in the batch.
func (b *Batch) Callers() iter.Seq[context.Context] {
	return func(yield func(context.Context) bool) {
		for _, r := range b.requests {
			if !yield(r.ctx) {
				return
			}
		}
	}
}

// Observe makes fn see every batch, before its callers are answered. It must be quick, must not
// write, and must not keep the batch.
func (s *Service) Observe(fn func(*Batch)) { s.observe = append(s.observe, fn) }

// observed ends a batch for those who observe it.
func (s *Service) observed(b *Batch) {
	b.Took = s.now().Sub(b.Start)
	for _, fn := range s.observe {
		fn(b)
	}
}
