package metrics

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Unknown is the route of requests that no route matches.
const Unknown = "unknown"

// route counts the requests of one route. What it counts with is found once; from then on a
// request costs no look-up by labels and no memory.
type route struct {
	m               *Metrics
	method, pattern string
	took            func() prometheus.Observer

	mu     sync.Mutex
	counts atomic.Pointer[[]count] // grows by being replaced
}

// count is the counter of one status. A route has but a few.
type count struct {
	status  int
	counter prometheus.Counter
}

// Route returns what counts the requests of a route: begin when one comes, end when it is
// answered. A negative time is not measured.
func (m *Metrics) Route(method, pattern string) (begin func(), end func(status int, took time.Duration)) {
	if pattern == "" {
		pattern = Unknown
	}
	r := &route{m: m, method: method, pattern: pattern}
	r.took = sync.OnceValue(func() prometheus.Observer { return m.duration.WithLabelValues(pattern, method) })
	r.counts.Store(&[]count{})
	return m.inFlight.Inc, r.end
}

func (r *route) end(status int, took time.Duration) {
	r.m.inFlight.Dec()
	r.counter(status).Inc()
	if took >= 0 {
		r.took().Observe(took.Seconds())
	}
}

func (r *route) counter(status int) prometheus.Counter {
	if c := find(*r.counts.Load(), status); c != nil {
		return c
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	have := *r.counts.Load()
	if c := find(have, status); c != nil {
		return c
	}
	c := r.m.requests.WithLabelValues(r.pattern, r.method, strconv.Itoa(status))
	more := append(have[:len(have):len(have)], count{status, c})
	r.counts.Store(&more)
	return c
}

func find(list []count, status int) prometheus.Counter {
	for i := range list {
		if list[i].status == status {
			return list[i].counter
		}
	}
	return nil
}
