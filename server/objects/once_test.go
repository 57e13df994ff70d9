package objects

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"drp/models"
)

// TestTwinsThatMeetOnTheWayAreOne: who hangs up and asks again at once, while the first request
// is still being carried out, must not be told that its compare-and-set has failed.
func TestTwinsThatMeetOnTheWayAreOne(t *testing.T) {
	s, ctx := open(t, newMemory())
	if _, err := s.Create(ctx, &models.Profile{Name: "lock", Description: "0"}, false); err != nil {
		t.Fatal(err)
	}
	for i := range 3000 {
		swap := decodePatch(t, fmt.Sprintf(`[{"op":"test","path":"/Description","value":"%d"},{"op":"replace","path":"/Description","value":"%d"}]`, i, i+1))
		named := WithOnce(ctx, fmt.Sprint("swap ", i))
		var twins sync.WaitGroup
		for range 4 {
			twins.Go(func() {
				e, err := s.Patch(named, "profiles", "lock", swap, false)
				if err != nil {
					t.Errorf("swap %d: %v", i, err)
				} else if got := e.Object.(*models.Profile).Description; got != fmt.Sprint(i+1) {
					t.Errorf("swap %d: shows %s", i, got)
				}
			})
		}
		twins.Wait()
		if t.Failed() {
			return
		}
	}
}

// TestWhoWasRefusedIsNotCarriedOutLater: the first sending of a request may come after the second,
// which was refused; what its client was told holds.
func TestWhoWasRefusedIsNotCarriedOutLater(t *testing.T) {
	s, ctx := open(t, newMemory())
	if _, err := s.Create(ctx, &models.Profile{Name: "lock", Description: "taken"}, false); err != nil {
		t.Fatal(err)
	}
	named := WithOnce(ctx, "mine")
	swap := func(ctx context.Context, from, to string) error {
		p := decodePatch(t, fmt.Sprintf(`[{"op":"test","path":"/Description","value":%q},{"op":"replace","path":"/Description","value":%q}]`, from, to))
		return errOf(s.Patch(ctx, "profiles", "lock", p, false))
	}
	class(t, swap(named, "free", "mine"), models.Conflict)
	if err := swap(ctx, "taken", "free"); err != nil {
		t.Fatal(err)
	}
	class(t, swap(named, "free", "mine"), models.Conflict)
	if err := swap(WithOnce(ctx, "another"), "free", "theirs"); err != nil {
		t.Errorf("another request: %v", err)
	}
	err := swap(named, "free", "mine")
	if class(t, err, models.Conflict); !strings.Contains(err.Error(), `found "theirs"`) {
		t.Errorf("the loser is not told what is there: %v", err)
	}
}

// TestARequestThatHadNothingToDoDoesNothingLater: it was answered with success, and the world has
// moved on since.
func TestARequestThatHadNothingToDoDoesNothingLater(t *testing.T) {
	s, ctx := open(t, newMemory())
	if _, err := s.Create(ctx, &models.Profile{Name: "door", Description: "open"}, false); err != nil {
		t.Fatal(err)
	}
	named := WithOnce(ctx, "open it")
	put := func(ctx context.Context, state string) error {
		return errOf(s.Replace(ctx, "profiles", "door", fmt.Appendf(nil, `{"Name":"door","Description":%q}`, state), false))
	}
	for range 2 {
		if err := put(named, "open"); err != nil {
			t.Fatal(err)
		}
	}
	if err := put(ctx, "shut"); err != nil {
		t.Fatal(err)
	}
	class(t, put(named, "open"), models.Conflict)
}

// TestARequestWithoutAnAnswerMayBeTriedAgain: what was given up before it was carried out says
// nothing of its name.
func TestARequestWithoutAnAnswerMayBeTriedAgain(t *testing.T) {
	m := newMemory()
	s, ctx := open(t, m)
	named := WithOnce(ctx, "try")
	gone, hangUp := context.WithCancel(named)
	hangUp()
	if err := errOf(s.Create(gone, &models.Profile{Name: "patient"}, false)); !errors.Is(err, context.Canceled) {
		t.Fatalf("given up: %v", err)
	}
	m.mu.Lock()
	m.fail = errors.New("disk full")
	m.mu.Unlock()
	class(t, errOf(s.Create(named, &models.Profile{Name: "patient"}, false)), models.Internal)
	m.mu.Lock()
	m.fail = nil
	m.mu.Unlock()
	for range 2 {
		if e, err := s.Create(named, &models.Profile{Name: "patient"}, false); err != nil || e.Object.Key() != "patient" {
			t.Errorf("tried again: %v, %v", e, err)
		}
	}
}

// TestATwinWaitsForTheOther: while one is on its way to the disk, nobody can say of the other
// that it has failed.
func TestATwinWaitsForTheOther(t *testing.T) {
	m := newMemory()
	var twins sync.WaitGroup
	s := together(t, m, 2, func(s *Service, ctx context.Context, i int) error {
		if i == 1 {
			return errOf(s.Create(ctx, &models.Profile{Name: "other"}, false))
		}
		named := WithOnce(ctx, "twin")
		twins.Go(func() {
			if e, err := s.Create(named, &models.Profile{Name: "twin"}, false); err != nil || e.Object.Key() != "twin" {
				t.Errorf("the twin: %v, %v", e, err)
			}
		})
		return errOf(s.Create(named, &models.Profile{Name: "twin"}, false))
	})
	twins.Wait()
	if len(s.names.open) > 0 || m.rev() != 3 {
		t.Errorf("%d names are open, %d changes; want 0 and 3", len(s.names.open), m.rev())
	}
}
