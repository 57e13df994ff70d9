package objects

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"drp/models"
	"drp/server/store"
)

// watched notes how history is removed.
type watched struct {
	*memory
	asked []uint64 // what Compact was asked for
}

func (w *watched) Compact(ctx context.Context, rev uint64) error {
	w.asked = append(w.asked, rev)
	return w.memory.Compact(ctx, rev)
}

func (w *watched) kept() []store.Change {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.history // replaced, never altered
}

// aging runs a test with a clock of its own on a service that has a profile.
func aging(t *testing.T, test func(t *testing.T, s *Service, ctx context.Context, w *watched)) {
	synctest.Test(t, func(t *testing.T) {
		w := &watched{memory: newMemory()}
		s, err := New(w, nil, time.Now, discard)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		ctx := WithActor(t.Context(), System)
		if _, err := s.Create(ctx, &models.Profile{Name: "pp"}, false); err != nil {
			t.Fatal(err)
		}
		test(t, s, ctx, w)
	})
}

// touch changes the profile n times.
func touch(t *testing.T, s *Service, ctx context.Context, n int) {
	t.Helper()
	for range n {
		p := fmt.Sprintf(`[{"op":"replace","path":"/Description","value":"%d"}]`, s.View().Rev)
		if _, err := s.Patch(ctx, "profiles", "pp", decodePatch(t, p), false); err != nil {
			t.Fatal(err)
		}
	}
}

// TestHistoryGoesWhenItIsOld, exactly what is too old, at the next interval; whoever asks for it is
// told so, and all else is as it was.
func TestHistoryGoesWhenItIsOld(t *testing.T) {
	aging(t, func(t *testing.T, s *Service, ctx context.Context, w *watched) {
		work, stop := context.WithCancel(ctx)
		defer stop()
		const age = 30 * 24 * time.Hour
		go s.Retain(work, time.Hour, func() Keep { return Keep{Age: age} })
		began := time.Now()
		for range 50 { // two a day
			time.Sleep(12*time.Hour - time.Minute)
			touch(t, s, ctx, 1)
			time.Sleep(time.Minute)
		}
		gone := uint64(0)
		for range 700 {
			time.Sleep(3 * time.Hour)
			synctest.Wait()
			oldest, err := s.oldest(ctx)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range w.kept() {
				if age := time.Since(c.Time); age >= 30*24*time.Hour && c.Rev != s.View().Rev { // memory keeps the newest
					t.Fatalf("after %s revision %d is still there, %s old", time.Since(began), c.Rev, age)
				}
			}
			if oldest == gone+1 {
				continue
			}
			if gone = oldest - 1; gone > 0 {
				class(t, errOf(s.At(ctx, "profiles", "pp", oldest-2)), models.Gone)
				_, err := s.Commits(ctx, oldest-2, s.View().Rev)
				if !errors.Is(err, store.ErrCompacted) {
					t.Fatalf("events from before the oldest: %v, want %v", err, store.ErrCompacted)
				}
			}
			for rev := oldest; rev <= s.View().Rev; rev++ {
				if e, err := s.At(ctx, "profiles", "pp", rev); err != nil || e.Rev != rev {
					t.Fatalf("revision %d, the oldest is %d: %v", rev, oldest, err)
				}
				if commits, err := s.Commits(ctx, rev-1, rev); err != nil || len(commits) != 1 {
					t.Fatalf("events of revision %d, the oldest is %d: %v", rev, oldest, err)
				}
			}
		}
		if oldest, _ := s.oldest(ctx); oldest != s.View().Rev || gone != 50 {
			t.Errorf("in the end the oldest is %d of %d", oldest, s.View().Rev)
		}
	})
}

// TestHistoryGoesWhenItIsLarge: no more of it than needed, and in small steps.
func TestHistoryGoesWhenItIsLarge(t *testing.T) {
	aging(t, func(t *testing.T, s *Service, ctx context.Context, w *watched) {
		touch(t, s, ctx, 3500)
		time.Sleep(time.Hour)
		size := func() int64 {
			n, err := s.historySize(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		whole := size()
		for _, bytes := range []int64{2 * whole, whole, whole * 2 / 3, whole / 3, 1} {
			before, was := len(w.kept()), size()
			if err := s.Prune(ctx, Keep{Bytes: bytes}); err != nil {
				t.Fatal(err)
			}
			if now := size(); now > bytes && len(w.kept()) > 1 || was <= bytes && len(w.kept()) != before {
				t.Errorf("at most %d bytes: %d of %d changes and %d of %d bytes are left", bytes, len(w.kept()), before, now, was)
			} else if one := whole / 3500; was > bytes && bytes > 1 && now < bytes-one*(pruneStep+2) {
				t.Errorf("at most %d bytes: %d are left, more has gone than needed", bytes, now)
			}
		}
		last := uint64(0)
		for _, rev := range w.asked {
			if rev-last > pruneStep {
				t.Errorf("%d revisions are removed at once, at most %d are to be", rev-last, pruneStep)
			}
			last = rev
		}
		if len(w.asked) < 4 {
			t.Errorf("removed in %d steps", len(w.asked))
		}
	})
}

// TestRequestsAreRememberedWhateverIsKept: a repeated request is known after a restart, though as
// little history as possible is kept.
func TestRequestsAreRememberedWhateverIsKept(t *testing.T) {
	aging(t, func(t *testing.T, s *Service, ctx context.Context, w *watched) {
		time.Sleep(time.Hour)
		if _, err := s.Create(WithOnce(ctx, "n1"), &models.Profile{Name: "once"}, false); err != nil {
			t.Fatal(err)
		}
		touch(t, s, ctx, 100)
		time.Sleep(namesKeptFor - time.Second)
		if err := s.Prune(ctx, Keep{Age: time.Nanosecond, Bytes: 1}); err != nil {
			t.Fatal(err)
		}
		if oldest, _ := s.oldest(ctx); oldest != 2 {
			t.Errorf("the oldest is %d; want 2, the first of the last quarter of an hour", oldest)
		}
		again, err := New(w, nil, time.Now, discard)
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Start(ctx); err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		e, err := again.Create(WithOnce(ctx, "n1"), &models.Profile{Name: "once"}, false)
		if err != nil || e.Rev != 2 || again.View().Rev != s.View().Rev {
			t.Errorf("the repeated request: %v, revision %d", err, again.View().Rev)
		}
		time.Sleep(2 * time.Second)
		if err := s.Prune(ctx, Keep{Age: time.Nanosecond}); err != nil {
			t.Fatal(err)
		}
		if n := len(w.kept()); n != 1 {
			t.Errorf("a quarter of an hour later %d changes are left", n)
		}
	})
}

// TestPruningEndsWithItsContext, between two steps.
func TestPruningEndsWithItsContext(t *testing.T) {
	aging(t, func(t *testing.T, s *Service, ctx context.Context, w *watched) {
		touch(t, s, ctx, 2*pruneStep)
		time.Sleep(time.Hour)
		within, cancel := context.WithTimeout(ctx, prunePause/2)
		defer cancel()
		if err := s.Prune(within, Keep{Age: time.Minute}); !errors.Is(err, context.DeadlineExceeded) || len(w.asked) != 1 {
			t.Errorf("got %v after %d steps, want %v after one", err, len(w.asked), context.DeadlineExceeded)
		}
	})
}
