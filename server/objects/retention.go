package objects

import (
	"context"
	"errors"
	"fmt"
	"time"

	"drp/server/store"
)

// Keep says how much history is kept; 0: any.
type Keep struct {
	Age   time.Duration // what is older goes
	Bytes int64         // when history takes more, the oldest goes
}

const (
	// pruneStep is how many revisions are removed before others have a turn.
	pruneStep = 1024
	// prunePause is how long that turn is.
	prunePause = 20 * time.Millisecond
)

// Retain removes history that is not to be kept, now and after each interval, until ctx ends.
func (s *Service) Retain(ctx context.Context, interval time.Duration, keep func() Keep) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := s.Prune(ctx, keep()); err != nil && ctx.Err() == nil {
			s.log.Error("old history could not be removed", "error", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

// Prune removes history that is not to be kept, in small steps with pauses between them. What
// requests that are sent again may still need stays in any case: the last 50 000 changes of the
// last quarter of an hour.
func (s *Service) Prune(ctx context.Context, keep Keep) error {
	newest := s.View().Rev
	most, err := s.madeBy(ctx, s.now().Add(-namesKeptFor))
	if err != nil {
		return err
	}
	if newest > namesKept {
		most = max(most, newest-namesKept)
	}
	oldest, err := s.oldest(ctx)
	if err != nil {
		return err
	}
	began := oldest
	if keep.Age > 0 {
		aged, err := s.madeBy(ctx, s.now().Add(-keep.Age))
		if err != nil {
			return err
		}
		if oldest, err = s.forget(ctx, oldest, min(aged, most)); err != nil {
			return err
		}
	}
	for keep.Bytes > 0 && oldest <= most {
		size, err := s.historySize(ctx)
		if err != nil {
			return err
		}
		if size <= keep.Bytes {
			break
		}
		part := max(pruneStep, (newest-oldest)/64)
		if oldest, err = s.forget(ctx, oldest, min(oldest+part-1, most)); err != nil {
			return err
		}
	}
	if oldest > began {
		s.log.Info("old history is removed", "revisions", oldest-began, "oldest", oldest)
	}
	return nil
}

// madeBy is the newest revision made before a time, or at it; 0: none that is kept.
func (s *Service) madeBy(ctx context.Context, t time.Time) (uint64, error) {
	rev, err := s.RevAt(ctx, t)
	if errors.Is(err, store.ErrCompacted) {
		return 0, nil
	}
	return rev, err
}

// oldest is the oldest revision that is kept.
func (s *Service) oldest(ctx context.Context) (uint64, error) {
	for c, err := range s.engine.Search(ctx, store.Query{Oldest: true}) {
		return c.Rev, err
	}
	return s.View().Rev + 1, nil
}

// forget removes the history up to a revision, and returns the oldest that is kept then.
func (s *Service) forget(ctx context.Context, oldest, to uint64) (uint64, error) {
	for oldest <= to {
		next := min(oldest+pruneStep-1, to)
		if err := s.engine.Compact(ctx, next); err != nil {
			return oldest, fmt.Errorf("remove history up to revision %d: %w", next, err)
		}
		if oldest = next + 1; oldest > to {
			break
		}
		select {
		case <-time.After(prunePause):
		case <-ctx.Done():
			return oldest, ctx.Err()
		}
	}
	return oldest, nil
}

// historySize is about what history takes of the store, in bytes: what the objects do not.
func (s *Service) historySize(ctx context.Context) (int64, error) {
	size, err := s.engine.Size(ctx)
	if err != nil {
		return 0, err
	}
	v := s.View()
	for _, kind := range v.kinds.names() {
		for e := range v.All(kind) {
			if e.Rev > 0 {
				size -= int64(len(e.stored))
			}
		}
	}
	return size, nil
}
