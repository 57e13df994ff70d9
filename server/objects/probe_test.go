package objects

import (
	"strings"
	"sync"
	"testing"

	"drp/models"
)

// TestAnAnswerPassesTheTestsOfItsPatch: a patch that only tests is answered with the object that it
// has tested, and not with what another has made of it since.
func TestAnAnswerPassesTheTestsOfItsPatch(t *testing.T) {
	s, ctx := open(t, newMemory())
	if _, err := s.Create(ctx, &models.Profile{Name: "pp", Description: "a"}, false); err != nil {
		t.Fatal(err)
	}
	flip := map[string]string{"a": "b", "b": "a"}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(done)
		for range 100 {
			for from, to := range flip {
				p := decodePatch(t, `[{"op":"test","path":"/Description","value":"`+from+`"},{"op":"replace","path":"/Description","value":"`+to+`"}]`)
				_, _ = s.Patch(ctx, "profiles", "pp", p, false)
			}
		}
	})
	for _, value := range []string{"a", "b"} {
		p := decodePatch(t, `[{"op":"test","path":"/Description","value":"`+value+`"}]`)
		for range 2 {
			wg.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					e, err := s.Patch(ctx, "profiles", "pp", p, false)
					if err != nil {
						if !strings.Contains(err.Error(), "Test op failed") {
							t.Error(err)
							return
						}
						continue
					}
					if got := e.Object.(*models.Profile).Description; got != value {
						t.Errorf("a patch that tests for %s was answered with %s at revision %d", value, got, e.Rev)
						return
					}
				}
			})
		}
	}
	wg.Wait()
}
