package app

import (
	"context"
	"net/http"

	"drp/server/metrics"
	"drp/server/store"
	"drp/server/traces"
)

// quiet are the routes that have no spans: what monitors ask for all the time, and connections
// that last for hours.
var quiet = []string{"/healthz", "/readyz", "/metrics", "/api/v3/ws"}

// observe makes what watches the server: readiness, metrics and, if somebody wants them, traces.
// It comes before the service is started, and the metrics are read only once all rooms are there.
func (a *App) observe(ctx context.Context, engine store.Engine) error {
	a.ready.free = func() (uint64, error) { return freeBytes(a.cfg.BaseRoot) }
	a.ready.probe = func(context.Context) error { return nil } // without it, wait for the next change
	if p, ok := engine.(interface{ Probe(context.Context) error }); ok {
		a.ready.probe = p.Probe
	}
	service := a.objects
	service.Observe(a.ready.batch)

	src := metrics.Sources{
		Version: Version, Objects: service, Ready: a.ready.still,
		Subscribers: func() int { return a.api.Events.Subscribers() },
		Events:      func() metrics.Events { return metrics.Events(a.api.Events.Counts()) },
		Logins:      func() map[string]uint64 { return a.auth.Logins() },
		Refused:     func() map[string]uint64 { return a.auth.Refused() },
	}
	if s, ok := engine.(interface{ Sizes() (int64, int64, error) }); ok {
		src.Store = func() (database, log int64) {
			database, log, err := s.Sizes()
			if err != nil {
				a.log.Warn("the sizes of the store", "error", err)
			}
			return database, log
		}
	}
	a.metrics = metrics.New(src, a.ready.now)
	service.Observe(a.metrics.Batch)

	if !traces.Wanted(a.cfg.OTLPEndpoint) {
		return nil
	}
	var err error
	a.traces, err = traces.New(ctx, traces.Config{Endpoint: a.cfg.OTLPEndpoint, Version: Version, Quiet: quiet, Log: a.log})
	if err == nil {
		service.Observe(a.traces.Batch)
	}
	return err
}

// rendering observes the rendering of a task's templates.
func (a *App) rendering(ctx context.Context, task string) func(error) {
	counted := a.metrics.Render(ctx, task)
	if a.traces == nil {
		return counted
	}
	traced := a.traces.Render(ctx, task)
	return func(err error) {
		counted(err)
		traced(err)
	}
}

// handler is the API, within traces if there are any.
func (a *App) handler() http.Handler {
	if a.traces == nil {
		return a.api.Handler()
	}
	return a.traces.Handler(a.api.Handler())
}
