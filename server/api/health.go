package api

import (
	"net/http"
	"net/http/pprof"
	profiles "runtime/pprof"
	"strconv"

	"drp/models"

	"github.com/gin-gonic/gin"
)

// public is a route for everybody: it must tell nothing that is not for everybody.
func (a *API) public(h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		status, value, err := h(&request{Context: c, ctx: c.Request.Context()})
		if err != nil {
			a.fail(c, err)
			return
		}
		a.answer(c, status, value)
	}
}

// healthz answers: the process is alive.
func (a *API) healthz(*request) (int, any, error) {
	return http.StatusOK, map[string]string{"Status": "alive"}, nil
}

// readyz tells whether the server can do its work: new requests should go elsewhere while the
// status is 503. The messages say why.
func (a *API) readyz(r *request) (int, any, error) {
	if reasons := a.Ready(r.ctx); len(reasons) > 0 {
		return 0, nil, models.Problem(models.Busy, "", "", reasons...).Typed("NotReady")
	}
	return http.StatusOK, map[string]string{"Status": "ready"}, nil
}

// metrics is for Prometheus.
func (a *API) metrics(r *request) (int, any, error) {
	if !a.MetricsOpen {
		if err := r.actor.Require("metrics", "get", ""); err != nil {
			return 0, nil, err
		}
	}
	a.Metrics.ServeHTTP(r.Writer, r.Request)
	return http.StatusOK, nil, nil
}

// showMetrics needs a token unless the operator has opened the metrics to everybody.
func (a *API) showMetrics() gin.HandlerFunc {
	if a.MetricsOpen {
		return a.public(a.metrics)
	}
	return a.open(wide(a.metrics))
}

// timed are the profiles that are taken over some time, one at once.
var timed = map[string]http.HandlerFunc{"profile": pprof.Profile, "trace": pprof.Trace}

// longest is how many seconds a profile may take.
const longest = 600

// profile shows what the process is made of and busy with: /debug/pprof/NAME, which is also
// /api/v3/debug/NAME, for every profile
// of the runtime, profile?seconds=N for the processor's, trace?seconds=N for an execution trace.
// The command line is left out, since a password may stand there.
func (a *API) profile(r *request) (int, any, error) {
	if err := r.actor.Require("system", "debug", ""); err != nil {
		return 0, nil, err
	}
	if s := r.query.Get("seconds"); s != "" {
		if n, err := strconv.Atoi(s); err != nil || n < 1 || n > longest {
			return 0, nil, models.Problem(models.BadRequest, "", "", "seconds must be a whole number from 1 to "+strconv.Itoa(longest))
		}
	}
	serve, takesTime := timed[r.key()]
	switch {
	case takesTime && !a.profiling.TryLock():
		return 0, nil, models.Problem(models.Conflict, "", "", "another profile is being taken; try again when it is done")
	case takesTime:
		defer a.profiling.Unlock()
	case r.key() != "" && profiles.Lookup(r.key()) == nil:
		return 0, nil, models.Problem(models.NotFound, "", r.Request.URL.Path, "No such profile")
	case r.key() != "":
		serve = pprof.Handler(r.key()).ServeHTTP
	default:
		serve = pprof.Index
	}
	serve(r.Writer, r.Request)
	return http.StatusOK, nil, nil
}
