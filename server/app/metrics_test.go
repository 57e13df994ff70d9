package app

import (
	"bytes"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/models"
	"drp/server/auth"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
)

// scrape reads the metrics as Prometheus does.
func scrape(t *testing.T, c client) map[string]*dto.MetricFamily {
	t.Helper()
	got := c.do("GET", "/metrics", nil)
	if got.status != http.StatusOK {
		t.Fatalf("GET /metrics: %d %s", got.status, got.body)
	}
	p := expfmt.NewTextParser(model.LegacyValidation)
	families, err := p.TextToMetricFamilies(bytes.NewReader(got.body))
	if err != nil {
		t.Fatal(err)
	}
	return families
}

// value is that of the one series with the labels, given as name, value, …; 0 where there is none.
func value(families map[string]*dto.MetricFamily, name string, labels ...string) float64 {
	for _, m := range families[name].GetMetric() {
		match := len(m.GetLabel()) == len(labels)/2
		for _, l := range m.GetLabel() {
			i := slices.Index(labels, l.GetName())
			match = match && i >= 0 && labels[i+1] == l.GetValue()
		}
		switch {
		case !match:
		case m.Histogram != nil:
			return float64(m.Histogram.GetSampleCount())
		default:
			return m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return 0
}

var anyUUID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-`)

// TestEveryRouteIsCountedUnderItsPattern: and no label tells which object it was about.
func TestEveryRouteIsCountedUnderItsPattern(t *testing.T) {
	a, admin, _ := start(t, config(t))
	ids := populate(t, admin)
	stranger := client{t, admin.url, ""}
	for _, r := range routes(t, a, ids) {
		stranger.do(r[0], r[1], `{}`)
		if r[0] == "GET" && r[1] != "/ws" {
			admin.do(r[0], r[1], nil)
		}
	}
	for _, method := range []string{"GET", "BREW", "SUMMON"} {
		for _, path := range []string{"/nowhere/" + ids["machines"] + "/nothing", "/machines/" + ids["machines"] + "/nothing"} {
			admin.do(method, path, nil)
		}
	}
	families := scrape(t, admin)
	for _, r := range a.api.Router().Routes() {
		status := "401"
		if slices.Contains(everybodys, r.Path) {
			status = "200"
		}
		if r.Path == "/" || r.Path == "/ui" {
			status = "302"
		}
		if value(families, "drp_http_requests_total", "route", r.Path, "method", r.Method, "status", status) < 1 {
			t.Errorf("%s %s: no request of status %s is counted", r.Method, r.Path, status)
		}
		if value(families, "drp_http_request_duration_seconds", "route", r.Path, "method", r.Method) < 1 {
			t.Errorf("%s %s: no time is measured", r.Method, r.Path)
		}
	}
	for method, want := range map[string]float64{"GET": 2, "unknown": 4} {
		if got := value(families, "drp_http_requests_total", "route", "unknown", "method", method, "status", "404"); got != want {
			t.Errorf("unknown routes by %s: %v requests are counted, want %v", method, got, want)
		}
	}
	labels := 0
	for name, f := range families {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				labels++
				v := l.GetValue()
				if anyUUID.MatchString(v) {
					t.Errorf("%s{%s=%q} names an object", name, l.GetName(), v)
				}
				for _, id := range ids {
					if l.GetName() == "route" && slices.Contains(strings.Split(v, "/"), id) || v == id {
						t.Errorf("%s{%s=%q} names an object", name, l.GetName(), v)
					}
				}
			}
		}
	}
	if labels < 1000 {
		t.Errorf("only %d labels were looked at", labels)
	}
}

// TestMetricsAgreeWithWhatThereIs counts by other means.
func TestMetricsAgreeWithWhatThereIs(t *testing.T) {
	a, admin, _ := start(t, config(t))
	ids := populate(t, admin)
	for i := range 5 {
		admin.must("POST", "/machines", fmt.Sprintf(`{"Name":"n%d","Workflow":"wf"}`, i), nil)
		if i < 2 {
			admin.must("PATCH", fmt.Sprintf("/machines/Name:n%d", i), `[{"op":"replace","path":"/Runnable","value":false}]`, nil)
		}
	}
	admin.do("GET", "/jobs/"+ids["jobs"]+"/actions", nil)
	client{t, admin.url, "rocketskates:wrong"}.do("GET", "/info", nil)
	client{t, admin.url, "nonsense"}.do("GET", "/info", nil)
	admin.must("POST", "/events", `{"Type":"a","Action":"b","Key":"c"}`, nil)

	families := scrape(t, admin)
	v := a.objects.View()
	for _, k := range models.Kinds {
		if got := value(families, "drp_objects", "kind", k.Name); got != float64(v.Len(k.Name)) {
			t.Errorf("%s: %v, want %d", k.Name, got, v.Len(k.Name))
		}
	}
	var machines []models.Machine
	admin.must("GET", "/machines", nil, &machines)
	want := map[string]float64{}
	for _, m := range machines {
		want[fmt.Sprint(m.Runnable, m.Available)]++
	}
	if len(want) < 2 {
		t.Fatalf("the machines are too much alike: %v", want)
	}
	for _, runnable := range []string{"true", "false"} {
		for _, available := range []string{"true", "false"} {
			if got := value(families, "drp_machines", "runnable", runnable, "available", available); got != want[runnable+" "+available] {
				t.Errorf("machines runnable=%s available=%s: %v, want %v", runnable, available, got, want)
			}
		}
	}
	for name, c := range map[string]struct {
		labels []string
		want   float64
	}{
		"drp_revision":   {nil, float64(v.Rev)},
		"drp_jobs":       {[]string{"state", "created"}, 1},
		"drp_ready":      {nil, 1},
		"drp_build_info": {nil, 0}, // has labels
		// One is posted, and the login is a line of the log.
		"drp_events_published_total":  {nil, float64(changed(t, a)) + 2},
		"drp_logins_total":            {[]string{"result", "failed"}, 1},
		"drp_tokens_refused_total":    {[]string{"reason", "malformed"}, 1},
		"drp_template_renders_total":  {[]string{"result", "ok"}, 1},
		"drp_http_requests_in_flight": {nil, 1}, // the one that asks
		"drp_commit_failures_total":   {nil, 0},
		"drp_http_requests_total":     {[]string{"route", "/api/v3/machines", "method", "POST", "status", "201"}, 6},
	} {
		if families[name] == nil {
			t.Errorf("%s is missing", name)
		}
		if got := value(families, name, c.labels...); got != c.want {
			t.Errorf("%s%v: %v, want %v", name, c.labels, got, c.want)
		}
	}
	batches := families["drp_commit_batch_changes"].GetMetric()[0].GetHistogram()
	if batches.GetSampleSum() != float64(v.Rev) || batches.GetSampleCount() == 0 {
		t.Errorf("%v changes became durable in batches, want %d", batches.GetSampleSum(), v.Rev)
	}
	if wal := value(families, "drp_store_wal_bytes"); wal == 0 {
		t.Error("the store's log has no size")
	}
	for _, family := range []string{"go_goroutines", "process_open_fds"} {
		if value(families, family) == 0 {
			t.Errorf("%s is missing", family)
		}
	}
}

// changed is how many events the history of a server makes. The first start comes before the hub
// is asked anything, but its events are handed over like all others.
func changed(t *testing.T, a *App) (n int) {
	t.Helper()
	commits, err := a.objects.Commits(t.Context(), 0, a.objects.View().Rev)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range commits {
		n += len(c.Changes)
	}
	return n
}

// tokensOf are tokens of every sort, and users with and without claims.
func tokensOf(t *testing.T, a *App, admin client, ids map[string]string) map[string]string {
	t.Helper()
	must := func(token string, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	for name, claims := range map[string]string{
		"metrics": `{"scope":"metrics","action":"get","specific":"*"}`,
		"debug":   `{"scope":"system","action":"debug","specific":"*"}`,
		"info":    `{"scope":"info","action":"get","specific":"*"}`,
	} {
		admin.must("POST", "/roles", fmt.Sprintf(`{"Name":"the-%s","Claims":[%s]}`, name, claims), nil)
		admin.must("POST", "/users", fmt.Sprintf(`{"Name":"u-%s","Roles":["the-%s"]}`, name, name), nil)
	}
	user := func(name string, r auth.Request) string { return must(a.auth.UserToken(auth.System(), name, r)) }
	e, _ := a.objects.View().Get("jobs", ids["jobs"])
	return map[string]string{
		"nobody":             "",
		"nonsense":           "abc",
		"profile":            must(a.auth.ProfileToken("cluster", time.Hour)),
		"machine":            must(a.auth.MachineToken(auth.System(), ids["machines"], time.Hour)),
		"job":                must(a.auth.JobToken(e.Object.(*models.Job))),
		"unknown":            must(a.auth.UnknownToken(time.Hour)),
		"user without roles": user("ann", auth.Request{}),
		"user of info":       user("u-info", auth.Request{}),
		"user of metrics":    user("u-metrics", auth.Request{}),
		"user of debug":      user("u-debug", auth.Request{}),
		"admin":              admin.token,
		"admin, for metrics": user("rocketskates", auth.Request{Scope: "metrics", Action: "get"}),
	}
}

// TestOnlyWhoMayReadsMetricsAndProfiles: all others learn nothing, whatever else they may.
func TestOnlyWhoMayReadsMetricsAndProfiles(t *testing.T) {
	a, admin, _ := start(t, config(t))
	tokens := tokensOf(t, a, admin, populate(t, admin))
	for path, may := range map[string][]string{
		"/metrics":           {"admin", "user of metrics", "admin, for metrics"},
		"/debug/pprof/":      {"admin", "user of debug"},
		"/debug/pprof/heap":  {"admin", "user of debug"},
		"/debug/pprof/trace": {}, // none that takes time is begun
	} {
		for name, token := range tokens {
			if path == "/debug/pprof/trace" && (name == "admin" || name == "user of debug") {
				continue
			}
			got := client{t, admin.url, token}.do("GET", path, nil)
			if ok := got.status == http.StatusOK; ok != slices.Contains(may, name) || !ok && got.status != 401 && got.status != 403 {
				t.Errorf("%s by %s: got %d %.100s", path, name, got.status, got.body)
			}
		}
	}
}

func TestOpenMetricsNeedNoToken(t *testing.T) {
	cfg := config(t)
	cfg.MetricsOpen = true
	_, admin, _ := start(t, cfg)
	stranger := client{t, admin.url, ""}
	scrape(t, stranger)
	for _, path := range []string{"/debug/pprof/heap", "/info", "/machines"} {
		if got := stranger.do("GET", path, nil); got.status != http.StatusUnauthorized {
			t.Errorf("%s: got %d, want 401: only the metrics are open", path, got.status)
		}
	}
}

func TestProfiles(t *testing.T) {
	_, admin, _ := start(t, config(t))
	for _, path := range []string{"heap", "goroutine", "profile?seconds=1", "trace?seconds=1"} {
		if got := admin.do("GET", "/debug/pprof/"+path, nil); got.status != http.StatusOK || len(got.body) == 0 {
			t.Errorf("%s: got %d with %d bytes", path, got.status, len(got.body))
		}
	}
	for path, status := range map[string]int{
		"cmdline": 404, "symbol": 404, "nothing": 404, "a/b": 404,
		"profile?seconds=0": 400, "profile?seconds=long": 400, "trace?seconds=601": 400, "heap?seconds=-1": 400,
	} {
		got := admin.do("GET", "/debug/pprof/"+path, nil)
		if envelope(t, got); got.status != status {
			t.Errorf("%s: got %d %s, want %d", path, got.status, got.body, status)
		}
	}
}
