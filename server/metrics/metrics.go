// Package metrics counts what a server does, for Prometheus. It is told of requests, batches and
// renderings as they happen, and asks the other rooms for the rest when it is asked itself.
package metrics

import (
	"context"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"drp/models"
	"drp/server/objects"
)

// Metrics is a registry of its own: nothing of it is global.
type Metrics struct {
	registry *prometheus.Registry
	now      func() time.Time

	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
	inFlight prometheus.Gauge

	batchChanges prometheus.Histogram
	commit       prometheus.Histogram
	batch        prometheus.Histogram
	recomputed   prometheus.Counter
	failed       prometheus.Counter

	renders *prometheus.CounterVec
	render  prometheus.Histogram
}

// Outcomes of a rendering.
const (
	rendered = "ok"
	broken   = "failed"   // the templates' doing
	givenUp  = "given_up" // nobody waited any more, or there was no room in time
)

// New makes the metrics of a server; now is their clock.
func New(src Sources, now func() time.Time) *Metrics {
	m := &Metrics{registry: prometheus.NewRegistry(), now: now}
	m.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "drp_http_requests_total",
		Help: "Requests answered, by the pattern of their route (\"unknown\": there is none), method and status.",
	}, []string{"route", "method", "status"})
	m.duration = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "drp_http_request_duration_seconds",
		Help:    "Time to answer a request, by the pattern of its route and method; without websockets and without requests that ask to wait (Prefer: wait).",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10},
	}, []string{"route", "method"})
	m.inFlight = prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "drp_http_requests_in_flight", Help: "Requests under way, websockets and those that wait among them.",
	})
	m.batchChanges = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "drp_commit_batch_changes", Help: "Changes that became durable in one transaction.",
		Buckets: prometheus.ExponentialBuckets(1, 2, 10),
	})
	m.commit = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "drp_commit_duration_seconds", Help: "Time of one transaction of the store, the wait for the disk included.",
		Buckets: prometheus.ExponentialBuckets(.00025, 2, 16),
	})
	m.batch = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "drp_commit_batch_duration_seconds", Help: "Time from the beginning of a batch until its changes can be read.",
		Buckets: prometheus.ExponentialBuckets(.00025, 2, 16),
	})
	m.recomputed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "drp_commit_recomputed_changes_total", Help: "Changes that were computed again, because others had come first.",
	})
	m.failed = prometheus.NewCounter(prometheus.CounterOpts{
		Name: "drp_commit_failures_total", Help: "Batches that the store refused: nothing of them became durable.",
	})
	m.renders = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "drp_template_renders_total", Help: "Renderings of the templates of a job, by outcome: ok, failed or given_up.",
	}, []string{"result"})
	m.render = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "drp_template_render_duration_seconds", Help: "Time to render the templates of a job.",
		Buckets: prometheus.ExponentialBuckets(.0001, 4, 10),
	})
	for _, result := range []string{rendered, broken, givenUp} {
		m.renders.WithLabelValues(result) // shown from the start
	}
	m.registry.MustRegister(
		m.requests, m.duration, m.inFlight, m.batchChanges, m.commit, m.batch, m.recomputed, m.failed, m.renders, m.render,
		newGathered(src), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// scrapes bounds how many are answered at once.
const scrapes = 4

// Handler answers with all metrics, in the formats that Prometheus reads.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{Registry: m.registry, MaxRequestsInFlight: scrapes})
}

// Batch counts what the writer made durable.
func (m *Metrics) Batch(b *objects.Batch) {
	m.recomputed.Add(float64(b.Recomputed))
	switch {
	case b.Err != nil:
		m.failed.Inc()
	case b.Changes > 0:
		m.batchChanges.Observe(float64(b.Changes))
		m.commit.Observe(b.Commit.Seconds())
		m.batch.Observe(b.Took.Seconds())
	}
}

// Render counts a rendering that begins; what it returns is to be called with the outcome.
func (m *Metrics) Render(context.Context, string) func(error) {
	start := m.now()
	return func(err error) {
		m.render.Observe(m.now().Sub(start).Seconds())
		result := rendered
		switch {
		case err != nil && models.ClassOf(err) == models.Busy:
			result = givenUp
		case err != nil:
			result = broken
		}
		m.renders.WithLabelValues(result).Inc()
	}
}
