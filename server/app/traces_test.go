package app

import (
	"bytes"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"testing"

	"drp/models"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	tracing "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// receiver takes spans as an OpenTelemetry collector does.
type receiver struct {
	url   string
	mu    sync.Mutex
	spans []*tracing.Span
	about []*common.KeyValue // the service that sent them
	raw   bytes.Buffer       // all that was sent
}

func receive(t *testing.T) *receiver {
	t.Helper()
	r := &receiver{}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		var sent collector.ExportTraceServiceRequest
		if err != nil || req.URL.Path != "/v1/traces" || proto.Unmarshal(body, &sent) != nil {
			t.Errorf("%s %s: %v, %d bytes", req.Method, req.URL.Path, err, len(body))
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		r.raw.Write(body)
		for _, rs := range sent.ResourceSpans {
			r.about = rs.Resource.Attributes
			for _, ss := range rs.ScopeSpans {
				r.spans = append(r.spans, ss.Spans...)
			}
		}
	}))
	t.Cleanup(srv.Close)
	r.url = srv.URL
	return r
}

// named is the spans of a name.
func (r *receiver) named(name string) (list []*tracing.Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, s := range r.spans {
		if s.Name == name {
			list = append(list, s)
		}
	}
	return list
}

func attr(list []*common.KeyValue, key string) string {
	for _, kv := range list {
		if kv.Key == key {
			return kv.Value.GetStringValue()
		}
	}
	return ""
}

// goroutines is what all goroutines are doing.
func goroutines(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	if err := pprof.Lookup("goroutine").WriteTo(&b, 2); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const ofTraces = "go.opentelemetry.io/"

// TestRequestsBatchesAndRenderingsLeaveSpans: those of one request hang together, and none of
// them holds a secret.
func TestRequestsBatchesAndRenderingsLeaveSpans(t *testing.T) {
	rec := receive(t)
	cfg := config(t)
	cfg.OTLPEndpoint = rec.url
	_, admin, stop := start(t, cfg)
	ids := populate(t, admin)
	const private = "my-private-value"
	admin.must("POST", "/profiles/cluster/params/my/leader", `"`+private+`"`, nil)
	admin.must("PUT", "/users/ann/password", `{"Password":"`+private+`"}`, nil)
	admin.must("GET", "/jobs/"+ids["jobs"]+"/actions?os=linux&token="+admin.token, nil, nil)
	admin.do("GET", "/nowhere/at/all/here", nil)
	for _, path := range quiet {
		admin.do("GET", strings.TrimPrefix(path, "/api/v3"), nil)
	}
	if !strings.Contains(goroutines(t), ofTraces) {
		t.Error("nothing runs that could send spans: the test for servers without traces shows nothing")
	}
	stop()

	if got := attr(rec.about, "service.name") + " " + attr(rec.about, "service.version"); got != "drp-server "+Version {
		t.Errorf("the service is called %q", got)
	}
	for _, secret := range []string{private, admin.token, "r0cketsk8ts"} {
		if bytes.Contains(rec.raw.Bytes(), []byte(secret)) {
			t.Errorf("the spans hold the secret %.20q", secret)
		}
	}
	only := func(name string) *tracing.Span {
		t.Helper()
		list := rec.named(name)
		if len(list) != 1 {
			t.Fatalf("%d spans are called %q, want one", len(list), name)
		}
		return list[0]
	}
	asked := only("GET /api/v3/jobs/:id/actions")
	if got := attr(asked.Attributes, "http.route"); got != "/api/v3/jobs/:id/actions" {
		t.Errorf("the route is %q", got)
	}
	render := only("render")
	if !bytes.Equal(render.TraceId, asked.TraceId) || !bytes.Equal(render.ParentSpanId, asked.SpanId) || attr(render.Attributes, "drp.task") != "task1" {
		t.Errorf("the rendering is not part of its request: %v in %v", render, asked)
	}
	password := only("PUT /api/v3/users/:id/password")
	linked := slices.ContainsFunc(rec.named("commit batch"), func(s *tracing.Span) bool {
		return len(s.Links) == 1 && bytes.Equal(s.Links[0].SpanId, password.SpanId)
	})
	if !linked {
		t.Errorf("no batch links to the request %s", hex.EncodeToString(password.SpanId))
	}
	if len(rec.named("GET")) != 1 {
		t.Errorf("%d spans of unknown routes, want one", len(rec.named("GET")))
	}
	for _, path := range quiet {
		if list := rec.named("GET " + path); len(list) != 0 {
			t.Errorf("%d spans of %s, want none", len(list), path)
		}
	}
}

// TestTheEnvironmentNamesTheCollector as it does for all programs that make traces.
func TestTheEnvironmentNamesTheCollector(t *testing.T) {
	rec := receive(t)
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", rec.url)
	t.Setenv("OTEL_SERVICE_NAME", "site-7")
	_, admin, stop := start(t, config(t))
	admin.must("GET", "/info", nil, &models.Info{})
	stop()
	if len(rec.named("GET /api/v3/info")) != 1 || attr(rec.about, "service.name") != "site-7" {
		t.Errorf("%d spans of %q", len(rec.named("GET /api/v3/info")), attr(rec.about, "service.name"))
	}
	for name, value := range map[string]string{
		"OTEL_EXPORTER_OTLP_PROTOCOL":        "grpc",
		"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "collector:4318",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, value)
			if a, err := New(t.Context(), config(t)); err == nil || !strings.Contains(err.Error(), name) {
				t.Errorf("%s=%s: got %v, want an error that names it", name, value, err)
				if err == nil {
					a.Close()
				}
			}
		})
	}
}

// TestWithoutACollectorNothingOfTracesRuns: not even when the standard variables turn it off.
func TestWithoutACollectorNothingOfTracesRuns(t *testing.T) {
	for name, environ := range map[string][2]string{
		"unnamed": {"OTEL_SERVICE_NAME", "x"}, "disabled": {"OTEL_SDK_DISABLED", "true"}, "no exporter": {"OTEL_TRACES_EXPORTER", "none"},
	} {
		t.Run(name, func(t *testing.T) {
			rec, cfg := receive(t), config(t)
			if name != "unnamed" {
				cfg.OTLPEndpoint = rec.url
			}
			t.Setenv(environ[0], environ[1])
			a, admin, stop := start(t, cfg)
			populate(t, admin)
			if a.traces != nil || strings.Contains(goroutines(t), ofTraces) {
				t.Error("traces are made though nobody wants them")
			}
			stop()
			if len(rec.spans) != 0 {
				t.Errorf("%d spans were sent", len(rec.spans))
			}
		})
	}
}

// TestALostCollectorHoldsNothingUp: the server answers, and ends.
func TestALostCollectorHoldsNothingUp(t *testing.T) {
	cfg := config(t)
	gone := httptest.NewServer(http.NotFoundHandler())
	cfg.OTLPEndpoint = gone.URL
	gone.Close()
	_, admin, stop := start(t, cfg)
	populate(t, admin)
	stop()
}
