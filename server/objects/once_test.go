package objects

import (
	"fmt"
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
