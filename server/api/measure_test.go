package api

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"drp/server/metrics"

	"github.com/gin-gonic/gin"
)

// rig is a router with routes like those of the API, and with its requests counted or not.
func rig(count bool) *gin.Engine {
	gin.SetMode(gin.ReleaseMode)
	a := &API{Now: time.Now, Meter: metrics.New(metrics.Sources{}, time.Now).Route}
	g, gauges := gin.New(), map[routeKey]gauge{}
	if count {
		g.Use(a.measured(gauges))
	}
	for _, path := range []string{"/machines", "/machines/:id", "/machines/:id/params/*key"} {
		g.GET(path, func(c *gin.Context) { c.Status(http.StatusNoContent) })
	}
	a.gauges(g.Routes(), gauges)
	return g
}

// silent is a response nobody reads.
type silent struct{ header http.Header }

func (s silent) Header() http.Header         { return s.header }
func (s silent) Write(b []byte) (int, error) { return len(b), nil }
func (s silent) WriteHeader(int)             {}

var counted = []string{"/machines", "/machines/a", "/machines/a/params/b/c", "/nowhere"}

// TestCountingTakesNoMemory compares the router with itself.
func TestCountingTakesNoMemory(t *testing.T) {
	plain, counting := rig(false), rig(true)
	for _, path := range counted {
		allocs := func(g *gin.Engine) float64 {
			// One context for all: the pool of the router forgets under the race detector.
			c := gin.CreateTestContextOnly(silent{http.Header{}}, g)
			c.Request = httptest.NewRequest("GET", path, nil)
			return testing.AllocsPerRun(200, func() { g.HandleContext(c) })
		}
		if without, with := allocs(plain), allocs(counting); with != without {
			t.Errorf("%s: %v allocations with counting, %v without", path, with, without)
		}
	}
}

func BenchmarkCounting(b *testing.B) {
	for name, count := range map[string]bool{"off": false, "on": true} {
		b.Run(name, func(b *testing.B) {
			g := rig(count)
			r, w := httptest.NewRequest("GET", "/machines/a/params/b/c", nil), silent{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				g.ServeHTTP(w, r)
			}
		})
	}
}
