package metrics

import (
	"context"
	"errors"
	"iter"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"drp/models"
	"drp/server/objects"
	"drp/server/store"
)

// nothing is an engine that holds nothing.
type nothing struct{ store.Engine }

func (nothing) Load(context.Context, func(store.Record) error) (uint64, error) { return 0, nil }
func (nothing) Commit(context.Context, []store.Change) error                   { return nil }
func (nothing) History(context.Context, uint64) iter.Seq2[store.Change, error] {
	return func(func(store.Change, error) bool) {}
}

// sources are those of an empty server.
func sources(t testing.TB) Sources {
	t.Helper()
	s, err := objects.New(nothing{}, nil, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	one := func(word string) func() map[string]uint64 {
		return func() map[string]uint64 { return map[string]uint64{word: 1} }
	}
	return Sources{
		Version: "v0", Objects: s, Subscribers: func() int { return 1 }, Ready: func() bool { return true },
		Events: func() Events { return Events{1, 2, 3, 4} }, Logins: one("ok"), Refused: one("expired"),
		Store: func() (int64, int64) { return 1, 2 },
	}
}

// used is the metrics of a server where everything has happened.
func used(t testing.TB) *Metrics {
	t.Helper()
	m := New(sources(t), time.Now)
	begin, end := m.Route("GET", "/x/:id")
	begin()
	end(200, time.Millisecond)
	m.Batch(&objects.Batch{Changes: 3, Recomputed: 1})
	m.Batch(&objects.Batch{Changes: 3, Err: errors.New("full")})
	m.Render(t.Context(), "task")(nil)
	return m
}

// TestMetricsKeepTheConventions: each has a help text and a name as Prometheus wants it, and says
// whose it is.
func TestMetricsKeepTheConventions(t *testing.T) {
	m := used(t)
	problems, err := testutil.GatherAndLint(m.registry)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families, err := m.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	ours := 0
	for _, f := range families {
		family, _, _ := strings.Cut(f.GetName(), "_")
		switch family {
		case "drp":
			ours++
		case "go", "process":
		default:
			t.Errorf("%s has a name that is neither ours nor that of a collector", f.GetName())
		}
		if f.GetHelp() == "" {
			t.Errorf("%s has no help", f.GetName())
		}
	}
	if ours < 25 {
		t.Errorf("%d metrics of our own, want all of them", ours)
	}
}

// TestWhatIsGatheredIsDescribed: a pedantic registry refuses what was not announced.
func TestWhatIsGatheredIsDescribed(t *testing.T) {
	r := prometheus.NewPedanticRegistry()
	if err := r.Register(newGathered(sources(t))); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Gather(); err != nil {
		t.Error(err)
	}
}

func TestOutcomesOfRenderingsAreToldApart(t *testing.T) {
	m := New(sources(t), time.Now)
	for _, err := range []error{nil, nil, nil, models.Problem(models.Invalid, "", ""), errors.New("x"), models.Problem(models.Busy, "", "")} {
		m.Render(t.Context(), "task")(err)
	}
	for result, want := range map[string]float64{rendered: 3, broken: 2, givenUp: 1} {
		if got := testutil.ToFloat64(m.renders.WithLabelValues(result)); got != want {
			t.Errorf("%s: %v, want %v", result, got, want)
		}
	}
}

// TestStatusesAreCountedApart from many goroutines at once.
func TestStatusesAreCountedApart(t *testing.T) {
	m := New(sources(t), time.Now)
	begin, end := m.Route("GET", "/x")
	statuses := []int{200, 204, 304, 401, 404, 409, 500}
	done := make(chan bool)
	const each = 100
	for range 4 {
		go func() {
			for range each {
				for _, s := range statuses {
					begin()
					end(s, -1)
				}
			}
			done <- true
		}()
	}
	for range 4 {
		<-done
	}
	for _, s := range []string{"200", "204", "304", "401", "404", "409", "500"} {
		if got := testutil.ToFloat64(m.requests.WithLabelValues("/x", "GET", s)); got != 4*each {
			t.Errorf("%s: %v, want %d", s, got, 4*each)
		}
	}
	if got := testutil.ToFloat64(m.inFlight); got != 0 {
		t.Errorf("%v requests are under way, want none", got)
	}
	if n := testutil.CollectAndCount(m.duration); n != 0 {
		t.Error("a request whose time the client chose was measured")
	}
}
