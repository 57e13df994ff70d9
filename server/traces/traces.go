// Package traces sends spans of requests, commit batches and renderings to an OpenTelemetry
// collector (OTLP over HTTP). A server that names no collector does not make a Traces, and pays
// nothing. Spans name routes and tasks; they hold neither bodies nor queries nor headers, where
// secrets may stand.
package traces

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"drp/models"
	"drp/server/objects"
)

// Config is what traces are made with.
type Config struct {
	// Endpoint is the URL of the collector, "/v1/traces" left out; "": the one that the
	// environment names.
	Endpoint string
	Version  string // of the server
	// Quiet are the patterns of routes that have no spans: what monitors ask for all the time, and
	// connections that last for hours.
	Quiet []string
	Log   *slog.Logger
}

// Wanted tells whether traces are to be made: a collector is named, by endpoint or in the
// standard variables of OpenTelemetry, and these do not turn traces off.
func Wanted(endpoint string) bool {
	named := endpoint != "" || os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
	return named && os.Getenv("OTEL_SDK_DISABLED") != "true" && os.Getenv("OTEL_TRACES_EXPORTER") != "none"
}

// Traces makes spans, and sends them in the background until it is closed.
type Traces struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
	quiet    []string
}

// New begins to make traces. What the configuration leaves open, such as headers, certificates,
// the sampler and the name of the service, the standard variables of OpenTelemetry tell.
func New(ctx context.Context, cfg Config) (*Traces, error) {
	options, err := options(cfg.Endpoint)
	if err != nil {
		return nil, err
	}
	exporter, err := otlptracehttp.New(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("exporter of traces: %w", err)
	}
	// Later ones win: the environment may name the service anew.
	about, err := resource.New(ctx, resource.WithTelemetrySDK(), resource.WithHost(), resource.WithAttributes(
		attribute.String("service.name", "drp-server"), attribute.String("service.version", cfg.Version),
	), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("resource of traces: %w", err)
	}
	t := &Traces{quiet: cfg.Quiet}
	t.provider = sdk.NewTracerProvider(sdk.WithBatcher(&loud{SpanExporter: exporter, log: cfg.Log}), sdk.WithResource(about))
	t.tracer = t.provider.Tracer("drp")
	return t, nil
}

// options refuses what the exporter would take in silence and then not work with.
func options(endpoint string) ([]otlptracehttp.Option, error) {
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"} {
		if p := os.Getenv(name); p != "" && p != "http/protobuf" {
			return nil, fmt.Errorf("%s is %q: traces are sent as http/protobuf only", name, p)
		}
	}
	named := map[string]string{"the endpoint of traces": endpoint}
	if endpoint == "" {
		for _, name := range []string{"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"} {
			named[name] = os.Getenv(name)
		}
	}
	for name, value := range named {
		if u, err := url.Parse(value); value != "" && (err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https") {
			return nil, fmt.Errorf("%s must be a URL such as http://127.0.0.1:4318, not %q", name, value)
		}
	}
	if endpoint == "" {
		return nil, nil
	}
	u, err := url.JoinPath(endpoint, "v1/traces")
	if err != nil {
		return nil, fmt.Errorf("the endpoint of traces: %w", err)
	}
	return []otlptracehttp.Option{otlptracehttp.WithEndpointURL(u)}, nil
}

// farewell is how long the last spans may take to be sent.
const farewell = 5 * time.Second

// Close sends what is left, and ends the sending.
func (t *Traces) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), farewell)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		return fmt.Errorf("send the last traces: %w", err)
	}
	return nil
}

// loud logs why spans are lost: once when it begins, not each time.
type loud struct {
	sdk.SpanExporter
	log    *slog.Logger
	mu     sync.Mutex
	failed bool
}

func (l *loud) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := l.SpanExporter.ExportSpans(ctx, spans)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil && !l.failed:
		l.log.Warn("traces are lost: the collector does not take them", "error", err)
	case err == nil && l.failed:
		l.log.Info("the collector takes traces again")
	}
	l.failed = err != nil
	return nil // logged; the SDK would print it
}

// Handler makes a span for each request that next answers. Next sets the request's Pattern to
// that of the route; until then the span goes by the method.
func (t *Traces) Handler(next http.Handler) http.Handler {
	routed := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r)
		if r.Pattern != "" {
			trace.SpanFromContext(r.Context()).SetAttributes(attribute.String("http.route", r.Pattern))
		}
	})
	return otelhttp.NewHandler(routed, "request",
		otelhttp.WithTracerProvider(t.provider),
		otelhttp.WithMeterProvider(noop.NewMeterProvider()), // /metrics has them
		otelhttp.WithPropagators(propagation.TraceContext{}),
		otelhttp.WithFilter(func(r *http.Request) bool { return !slices.Contains(t.quiet, r.URL.Path) }),
	)
}

// Batch makes a span for a batch that the writer made durable. It links to the requests whose
// changes were in it.
func (t *Traces) Batch(b *objects.Batch) {
	if b.Changes == 0 {
		return
	}
	var links []trace.Link
	for ctx := range b.Callers() {
		if s := trace.SpanContextFromContext(ctx); s.IsSampled() {
			links = append(links, trace.Link{SpanContext: s})
		}
	}
	_, span := t.tracer.Start(context.Background(), "commit batch", trace.WithTimestamp(b.Start), trace.WithLinks(links...), trace.WithAttributes(
		attribute.Int("drp.changes", b.Changes),
		attribute.Int("drp.recomputed", b.Recomputed),
		attribute.Int64("drp.revision", int64(b.Rev)),
		attribute.Int64("drp.store.microseconds", b.Commit.Microseconds()),
	))
	if b.Err != nil {
		span.SetStatus(codes.Error, "the store refused the batch")
	}
	span.End(trace.WithTimestamp(b.Start.Add(b.Took)))
}

// Render makes a span for a rendering that begins; what it returns is to be called with the
// outcome. Why a template failed is for those who may see the job, so it is not told.
func (t *Traces) Render(ctx context.Context, task string) func(error) {
	_, span := t.tracer.Start(ctx, "render", trace.WithAttributes(attribute.String("drp.task", task)))
	return func(err error) {
		var e *models.Error
		switch {
		case errors.As(err, &e) && e.Class == models.Busy:
			span.SetStatus(codes.Error, "given up")
		case err != nil:
			span.SetStatus(codes.Error, "a template failed")
		}
		span.End()
	}
}
