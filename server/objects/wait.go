package objects

import (
	"context"

	"drp/server/store"
)

// wake tells those who wait for an object that it has changed.
func (s *Service) wake(commits []*Commit) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.waiters) == 0 {
		return
	}
	for _, c := range commits {
		for _, w := range c.Changes {
			for ch := range s.waiters[store.Key{Kind: w.Kind, ID: w.Key}] {
				select {
				case ch <- struct{}{}:
				default:
				}
			}
		}
	}
}

// Await returns when the object is no longer at the revision (0: absent), with its entry or
// nil when it is gone; or when ctx ends, with its error and the entry as it then is.
func (s *Service) Await(ctx context.Context, kind, key string, rev uint64) (*Entry, error) {
	k, ch := store.Key{Kind: kind, ID: key}, make(chan struct{}, 1)
	s.mu.Lock()
	if s.waiters[k] == nil {
		s.waiters[k] = map[chan struct{}]bool{}
	}
	s.waiters[k][ch] = true
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		if delete(s.waiters[k], ch); len(s.waiters[k]) == 0 {
			delete(s.waiters, k)
		}
	}()
	for {
		e, ok := s.View().Get(kind, key)
		if !ok && rev != 0 || ok && e.Rev != rev {
			return e, nil
		}
		select {
		case <-ch:
		case <-ctx.Done():
			return e, ctx.Err()
		case <-s.hurry:
			return e, ErrStopping
		}
	}
}

// EndWaits makes every Await return, those to come too, so that the server can stop.
func (s *Service) EndWaits() { close(s.hurry) }
