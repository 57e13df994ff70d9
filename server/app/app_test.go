package app

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"drp/models"
	"drp/server/auth"
	"drp/server/backup"
	"drp/server/objects"

	"github.com/coder/websocket"
)

// client is one who talks to a server under test.
type client struct {
	t     *testing.T
	url   string
	token string // "": none; "user:password": Basic
}

var transport = &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, MaxIdleConnsPerHost: 64}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (c client) do(method, path string, body any, header ...string) answer {
	c.t.Helper()
	var text []byte
	switch b := body.(type) {
	case nil:
	case string:
		text = []byte(b)
	default:
		var err error
		if text, err = json.Marshal(b); err != nil {
			c.t.Fatal(err)
		}
	}
	req, err := http.NewRequestWithContext(c.t.Context(), method, c.url+full(path), bytes.NewReader(text))
	if err != nil {
		c.t.Fatal(err)
	}
	if user, password, ok := strings.Cut(c.token, ":"); ok {
		req.SetBasicAuth(user, password)
	} else if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			req.Host = header[i+1]
		}
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	return answer{res.StatusCode, res.Header, got}
}

// outside is what does not lie below /api/v3.
var outside = []string{"/healthz", "/readyz", "/metrics", "/debug/pprof/", "/swagger", "/ui"}

// everybodys are the routes that need no token.
var everybodys = []string{"/healthz", "/readyz", "/swagger.json", "/swagger-ui", "/swagger-ui/:key", "/swagger-ui/page.css", "/", "/ui", "/ui/*key", "/ui/"}

func full(path string) string {
	if path == "/" || slices.ContainsFunc(outside, func(p string) bool { return strings.HasPrefix(path, p) }) {
		return path
	}
	return "/api/v3" + path
}

// must fails the test unless the status is a success, and decodes the body.
func (c client) must(method, path string, body any, out any) {
	c.t.Helper()
	a := c.do(method, path, body)
	if a.status >= 300 {
		c.t.Fatalf("%s %s: %d %s", method, path, a.status, a.body)
	}
	if out != nil {
		if err := json.Unmarshal(a.body, out); err != nil {
			c.t.Fatalf("%s %s: %v in %s", method, path, err, a.body)
		}
	}
}

func config(t *testing.T) Config {
	return Config{BaseRoot: t.TempDir(), LogLevel: "error", LogFormat: "text", PluginUploads: true}
}

// start runs a server until the test ends, or until stop is called.
func start(t *testing.T, cfg Config) (a *App, admin client, stop func()) {
	t.Helper()
	a, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, a)
}

func run(t *testing.T, a *App) (_ *App, admin client, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
			sound(t, a.cfg.BaseRoot)
			transport.CloseIdleConnections()
		})
	}
	t.Cleanup(stop)
	admin = client{t, a.Endpoint(), auth.BootstrapUser + ":" + auth.DefaultPassword}
	var token models.UserToken
	admin.must("GET", "/users/rocketskates/token", nil, &token)
	admin.token = token.Token
	return a, admin, stop
}

// sound fails the test if what a server has left on the disk has any damage.
func sound(t *testing.T, root string) {
	t.Helper()
	report, err := backup.CheckRoot(context.Background(), root, nil)
	if err != nil {
		t.Error(err)
	} else if len(report.Problems) > 0 {
		t.Errorf("the data of the server: %v", report.Problems)
	}
}

// routes are the method and path of every route, with ids of existing objects filled in.
func routes(t *testing.T, a *App, ids map[string]string) [][2]string {
	t.Helper()
	var list [][2]string
	for _, r := range a.api.Router().Routes() {
		path := strings.TrimPrefix(r.Path, "/api/v3")
		path = strings.Replace(path, ":kind", "cows", 1) // that a plugin provider defines
		path = strings.Replace(path, "/ui/*key", "/ui/", 1)
		kind := strings.Split(strings.TrimPrefix(strings.TrimPrefix(path, "/meta"), "/"), "/")[0]
		id := ids[kind]
		if id == "" {
			id = "nothing"
		}
		path = strings.NewReplacer(":id", id, "*id", id, "*key", "my/leader", ":key", "page.css", ":action", "reboot", ":type", "machines").Replace(path)
		list = append(list, [2]string{r.Method, path})
	}
	if len(list) < 150 {
		t.Fatalf("the router has %d routes; want all of them", len(list))
	}
	return list
}

// populate creates an object of each kind that a caller can create, and returns their keys.
func populate(t *testing.T, admin client) map[string]string {
	t.Helper()
	ids := map[string]string{"users": "rocketskates", "contents": "BasicStore"}
	for _, o := range []struct{ kind, body, key string }{
		{"params", `{"Name":"my/leader","Schema":{"type":"string","default":"none"}}`, "my/leader"},
		{"profiles", `{"Name":"other"}`, "other"},
		{"profiles", `{"Name":"cluster","Params":{"cluster-profile":"cluster"}}`, ""},
		{"tasks", `{"Name":"task1","Templates":[{"Name":"t1","Contents":"#!/bin/sh\necho hello\n"}]}`, "task1"},
		{"stages", `{"Name":"stage1","Tasks":["task1"]}`, "stage1"},
		{"workflows", `{"Name":"wf","Stages":["stage1"]}`, "wf"},
		{"templates", `{"ID":"tt","Contents":"x"}`, "tt"},
		{"bootenvs", `{"Name":"env","OS":{"Name":"env"}}`, "env"},
		{"roles", `{"Name":"reader","Claims":[{"scope":"machines","action":"list,get","specific":"*"}]}`, "reader"},
		{"users", `{"Name":"ann","Roles":["reader"]}`, ""},
		{"tenants", `{"Name":"acme","Members":{"profiles":[]}}`, "acme"},
		{"subnets", `{"Name":"lan","Subnet":"192.168.124.0/24","OnlyReservations":true}`, "lan"},
		{"reservations", `{"Addr":"192.168.124.5","Token":"52:54:00:12:34:56","Scoped":true}`, "C0A87C05"},
		{"leases", `{"Addr":"192.168.124.6","Token":"52:54:00:12:34:57","State":"FAKE"}`, "C0A87C06"},
	} {
		admin.must("POST", "/"+o.kind, o.body, nil)
		if o.key != "" {
			ids[o.kind] = o.key
		}
	}
	var m models.Machine
	admin.must("POST", "/machines", `{"Name":"m1","Workflow":"wf","Profiles":["cluster"]}`, &m)
	ids["machines"] = m.Uuid
	var j models.Job
	admin.must("POST", "/jobs", map[string]any{"Machine": m.Uuid}, &j)
	ids["jobs"] = j.Uuid
	return ids
}

// envelope checks that an error has exactly the five members clients expect.
func envelope(t *testing.T, a answer) {
	t.Helper()
	var e map[string]any
	if err := json.Unmarshal(a.body, &e); err != nil || len(e) != 5 || e["Code"] != float64(a.status) || e["Messages"] == nil || e["Type"] == "" {
		t.Errorf("status %d with body %s; want the error envelope", a.status, a.body)
	}
	if ct := a.header.Get("Content-Type"); !strings.HasPrefix(ct, "application/json") {
		t.Errorf("status %d has content type %q", a.status, ct)
	}
}

// TestProfileTokenReachesOneProfileOnly tries every route with the token of a profile, on every
// object but that one.
func TestProfileTokenReachesOneProfileOnly(t *testing.T) {
	a, admin, _ := start(t, config(t))
	ids := populate(t, admin)
	token, err := a.auth.ProfileToken("cluster", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c := client{t, admin.url, token}
	before := a.objects.View().Rev
	refused := 0
	for _, r := range routes(t, a, ids) {
		if slices.Contains(everybodys, r[1]) {
			continue
		}
		if r[1] == "/params/my/leader" && (r[0] == "GET" || r[0] == "HEAD") || r[1] == "/meta/params/my/leader" && r[0] == "GET" {
			if got := c.do(r[0], r[1], nil); got.status != http.StatusOK {
				t.Errorf("%s %s: got %d, want 200: the client asks whether the param is secure", r[0], r[1], got.status)
			}
			continue
		}
		if kind := r[1][1:]; (r[0] == "GET" || r[0] == "HEAD") && (slices.Contains(routed(), kind) || kind == "contents" || kind == "interfaces") {
			continue // TestListsAreOpenToEverybody
		}
		got := c.do(r[0], r[1], sensible(r))
		if got.status != http.StatusForbidden && got.status != http.StatusNotFound {
			t.Errorf("%s %s: got %d %s, want 403 or 404", r[0], r[1], got.status, got.body)
		}
		refused++
	}
	if after := a.objects.View().Rev; after != before {
		t.Errorf("something was written: revision %d, was %d", after, before)
	}
	t.Logf("%d routes refused", refused)

	for _, r := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/profiles/cluster", "", 200},
		{"HEAD", "/profiles/cluster", "", 200},
		{"GET", "/profiles/cluster/params", "", 200},
		{"GET", "/profiles/cluster/params/my/leader", "", 200},
		{"GET", "/profiles/cluster/params/my/leader?decode=true", "", 200},
		{"PATCH", "/profiles/cluster/params", `[{"op":"test","path":"/my~1leader","value":"none"},{"op":"replace","path":"/my~1leader","value":"me"}]`, 200},
		{"POST", "/profiles/cluster/params/a/b", `{"c":1}`, 200},
		{"DELETE", "/profiles/cluster/params/a/b", "", 200},
		{"DELETE", "/profiles/cluster", "", 403},
	} {
		if got := c.do(r.method, r.path, r.body); got.status != r.status {
			t.Errorf("%s %s: got %d %s, want %d", r.method, r.path, got.status, got.body, r.status)
		}
	}
}

// sensible is a body that a route would take from somebody who may.
func sensible(r [2]string) string {
	switch {
	case r[0] == "PATCH" && strings.HasSuffix(r[1], "/params"):
		return `[{"op":"add","path":"/my~1leader","value":"x"}]`
	case r[0] == "PATCH" && strings.HasPrefix(r[1], "/meta"):
		return `[{"op":"add","path":"/color","value":"red"}]`
	case r[0] == "PATCH":
		return `[{"op":"replace","path":"/Description","value":"x"}]`
	case r[1] == "/wait":
		return `{"For":{"Kind":"profiles","Key":"other"},"Timeout":"0"}`
	case strings.HasSuffix(r[1], "/preview"):
		return `{"Templates":[{"Name":"t","Contents":"{{.Machine.Name}}"}]}`
	case strings.HasSuffix(r[1], "/password"):
		return `{"Password":"x"}`
	case r[0] == "POST" && r[1] == "/events":
		return `{"Type":"a","Action":"b","Key":"c"}`
	case r[0] == "PUT" && r[1] == "/contents/BasicStore":
		return `{"meta":{"Name":"BasicStore"},"sections":{}}`
	case r[0] == "POST" && r[1] == "/contents":
		return `{"meta":{"Name":"pack"},"sections":{}}`
	case r[1] == "/whoami":
		return `{"Fingerprint":{},"MacAddrs":[]}`
	case r[1] == "/undo":
		return `{"Rev":1}`
	case r[0] == "POST" && r[1] == "/prefs":
		return `{"logLevel":"debug"}`
	case strings.Contains(r[1], "/params/my/leader") && r[0] != "GET":
		return `"x"`
	}
	return `{"Name":"newone","ID":"newone"}`
}

func TestEveryAnswerIsJSONAndEveryErrorAnEnvelope(t *testing.T) {
	a, admin, _ := start(t, config(t))
	ids := populate(t, admin)
	for _, r := range routes(t, a, ids) {
		if r[1] == "/ws" || strings.HasSuffix(r[1], "/password") || r[0] == "DELETE" {
			continue
		}
		for _, body := range []string{"", "{", "null", "[]", "5", `{"a":`, sensible(r)} {
			got := admin.do(r[0], r[1], body)
			switch {
			case got.status >= 500:
				t.Errorf("%s %s with body %q: %d %s", r[0], r[1], body, got.status, got.body)
			case r[0] == "HEAD":
			case got.status >= 400:
				envelope(t, got)
			case strings.HasSuffix(r[1], "/log") && r[0] == "GET", r[1] == "/metrics", r[1] == "/", strings.HasPrefix(r[1], "/ui"), strings.HasPrefix(r[1], "/swagger-ui"):
			case !strings.HasPrefix(got.header.Get("Content-Type"), "application/json"):
				t.Errorf("%s %s: content type %q with status %d", r[0], r[1], got.header.Get("Content-Type"), got.status)
			case got.status != http.StatusNoContent && !json.Valid(got.body):
				t.Errorf("%s %s: no JSON: %s", r[0], r[1], got.body)
			}
		}
	}
	if got := admin.do("GET", "/freds/john", nil); got.status != 404 || !strings.Contains(string(got.body), `"Messages":["No route"]`) {
		t.Errorf("an unknown route: %d %s", got.status, got.body)
	}
}

// TestARaceOverHTTPHasOneWinner: once with the param set, once with its default only.
func TestARaceOverHTTPHasOneWinner(t *testing.T) {
	_, admin, _ := start(t, config(t))
	admin.must("POST", "/params", `{"Name":"my/leader","Schema":{"type":"string","default":"none"}}`, nil)
	for name, profile := range map[string]string{"as set": `{"Name":"set","Params":{"my/leader":"none"}}`, "as default": `{"Name":"default"}`} {
		t.Run(name, func(t *testing.T) {
			var p models.Profile
			admin.must("POST", "/profiles", profile, &p)
			var won atomic.Int32
			var winner atomic.Value
			var wg sync.WaitGroup
			for i := range 100 {
				wg.Go(func() {
					patch := fmt.Sprintf(`[{"op":"test","path":"/my~1leader","from":"","value":"none"},{"op":"replace","path":"/my~1leader","from":"","value":"m%d"}]`, i)
					got := admin.do("PATCH", "/profiles/"+p.Name+"/params", patch)
					switch {
					case got.status == 200:
						won.Add(1)
						winner.Store(fmt.Sprintf(`"m%d"`, i))
					case got.status != 409 || !strings.Contains(string(got.body), `expected \"none\" at /my~1leader`):
						t.Errorf("a loser got %d %s", got.status, got.body)
					}
				})
			}
			wg.Wait()
			if got := admin.do("GET", "/profiles/"+p.Name+"/params/my/leader", nil); won.Load() != 1 || string(got.body) != winner.Load() {
				t.Errorf("%d winners; stored %s, winner %v", won.Load(), got.body, winner.Load())
			}
		})
	}
}

func TestConditionalReadsAndLongPolls(t *testing.T) {
	_, admin, _ := start(t, config(t))
	admin.must("POST", "/profiles", `{"Name":"pp"}`, nil)
	first := admin.do("GET", "/profiles/pp", nil)
	etag := first.header.Get("ETag")
	if etag == "" {
		t.Fatal("no ETag")
	}
	if got := admin.do("HEAD", "/profiles/pp", nil); got.header.Get("ETag") != etag || len(got.body) != 0 {
		t.Errorf("HEAD: %v", got)
	}
	if got := admin.do("GET", "/profiles/pp", nil, "If-None-Match", etag); got.status != 304 {
		t.Errorf("unchanged: got %d, want 304", got.status)
	}
	if got := admin.do("GET", "/profiles/pp", nil, "If-None-Match", etag, "Prefer", "wait=20ms"); got.status != 304 {
		t.Errorf("unchanged for 20 ms: got %d, want 304", got.status)
	}
	answers := make(chan answer)
	poll := func(etag string) {
		answers <- admin.do("GET", "/profiles/pp", nil, "If-None-Match", etag, "Prefer", "wait=5m")
	}
	go poll(etag)
	admin.must("PATCH", "/profiles/pp", `[{"op":"replace","path":"/Description","value":"x"}]`, nil)
	got := <-answers
	if got.status != 200 || got.header.Get("ETag") == etag || !strings.Contains(string(got.body), `"Description":"x"`) {
		t.Errorf("after a change: %d %s", got.status, got.body)
	}
	go poll(got.header.Get("ETag"))
	admin.must("DELETE", "/profiles/pp", nil, nil)
	if got := <-answers; got.status != 404 {
		t.Errorf("after the deletion: got %d, want 404", got.status)
	}
}

func TestEverythingIsThereAfterARestart(t *testing.T) {
	cfg := config(t)
	_, admin, stop := start(t, cfg)
	ids := populate(t, admin)
	admin.do("PUT", "/jobs/"+ids["jobs"]+"/log", "hello log\n", "Content-Type", "application/octet-stream")
	paths := []string{"/info", "/jobs/" + ids["jobs"] + "/log"}
	before := map[string]string{}
	for _, k := range models.Kinds {
		if !k.Internal && k.Name != "preferences" {
			paths = append(paths, "/"+k.Name)
		}
	}
	for _, p := range paths[1:] {
		before[p] = string(admin.do("GET", p, nil).body)
	}
	stop()
	_, again, _ := start(t, cfg)
	again.token = admin.token // tokens outlive a restart
	for p, want := range before {
		if got := string(again.do("GET", p, nil).body); got != want {
			t.Errorf("%s after a restart:\n%s\nwant\n%s", p, got, want)
		}
	}
	if !strings.Contains(before[paths[1]], "hello log") {
		t.Errorf("the log: %s", before[paths[1]])
	}
}

func TestTwoServersDoNotShareAFolder(t *testing.T) {
	cfg := config(t)
	start(t, cfg)
	if a, err := New(t.Context(), cfg); err == nil {
		a.Close()
		t.Fatal("a second server opened the same folder")
	} else if !strings.Contains(err.Error(), cfg.BaseRoot) {
		t.Errorf("the error does not name the folder: %v", err)
	}
}

func TestDefaultPasswordKeepsTheServerOnLoopback(t *testing.T) {
	cfg := config(t)
	a, admin, stop := start(t, cfg)
	if !a.loopback || !strings.HasPrefix(a.listeners[0].Addr().String(), "127.0.0.1:") {
		t.Errorf("listens on %s", a.listeners[0].Addr())
	}
	admin.must("PUT", "/users/rocketskates/password", `{"Password":"better"}`, nil)
	if got := admin.do("GET", "/info", nil); got.status != 403 {
		t.Errorf("a token from before the change of password: got %d, want 403", got.status)
	}
	if got := (client{t, admin.url, "rocketskates:r0cketsk8ts"}).do("GET", "/info", nil); got.status != 401 {
		t.Errorf("the old password: got %d, want 401", got.status)
	}
	if got := (client{t, admin.url, "rocketskates:better"}).do("GET", "/info", nil); got.status != 200 {
		t.Errorf("the new password: got %d, want 200", got.status)
	}
	stop()
	cfg.Listen = "127.0.0.1" // a test does not open itself to the network
	b, err := New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if b.loopback {
		t.Error("with a password of its own the server still keeps to itself")
	}
}

func TestMachineTokenDrivesItsOwnMachineOnly(t *testing.T) {
	_, admin, _ := start(t, config(t))
	ids := populate(t, admin)
	var other models.Machine
	admin.must("POST", "/machines", `{"Name":"m2","Workflow":"wf"}`, &other)
	var token models.UserToken
	admin.must("GET", "/machines/"+ids["machines"]+"/token", nil, &token)
	c := client{t, admin.url, token.Token}
	for _, r := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/machines/" + ids["machines"], "", 200},
		{"GET", "/machines/" + other.Uuid, "", 404},
		{"PATCH", "/machines/" + ids["machines"], `[{"op":"replace","path":"/Description","value":"x"}]`, 200},
		{"PATCH", "/machines/" + other.Uuid, `[{"op":"replace","path":"/Description","value":"x"}]`, 404},
		{"POST", "/jobs", fmt.Sprintf(`{"Machine":%q}`, other.Uuid), 403},
		{"GET", "/jobs/" + ids["jobs"] + "/actions?os=linux", "", 200},
		{"PUT", "/jobs/" + ids["jobs"] + "/log", "x", 204},
		{"GET", "/tasks/task1", "", 200},
		{"GET", "/profiles/cluster", "", 404},
		{"GET", "/users", "", 200},
		{"GET", "/users/rocketskates", "", 404},
		{"DELETE", "/machines/" + ids["machines"], "", 403},
		{"GET", "/prefs", "", 403},
		{"GET", "/info", "", 200},
	} {
		if got := c.do(r.method, r.path, r.body); got.status != r.status {
			t.Errorf("%s %s: got %d %s, want %d", r.method, r.path, got.status, got.body, r.status)
		}
	}
	if got := c.do("GET", "/users", nil); string(got.body) != "[]" {
		t.Errorf("users: %s", got.body)
	}
}

func TestARenderErrorFailsTheJobAndStopsTheMachine(t *testing.T) {
	_, admin, _ := start(t, config(t))
	admin.must("POST", "/tasks", `{"Name":"broken","Templates":[{"Name":"script.sh","Contents":"#!/bin/sh\n\necho {{.Param \"no/such\"}}\n"}]}`, nil)
	var m models.Machine
	admin.must("POST", "/machines", `{"Name":"m1","Tasks":["broken"]}`, &m)
	var j models.Job
	admin.must("POST", "/jobs", map[string]any{"Machine": m.Uuid}, &j)
	got := admin.do("GET", "/jobs/"+j.Uuid+"/actions?os=linux", nil)
	for _, want := range []string{"script.sh", "no/such", "3"} {
		if got.status != 422 || !strings.Contains(string(got.body), want) {
			t.Errorf("got %d %s, want 422 that names %s", got.status, got.body, want)
		}
	}
	admin.must("GET", "/jobs/"+j.Uuid, nil, &j)
	admin.must("GET", "/machines/"+m.Uuid, nil, &m)
	if j.State != models.Failed || m.Runnable {
		t.Errorf("job %s, runnable %v; want failed, false", j.State, m.Runnable)
	}
	if log := string(admin.do("GET", "/jobs/"+j.Uuid+"/log", nil).body); !strings.Contains(log, "no/such") {
		t.Errorf("the log does not tell: %s", log)
	}
}

func TestHistoryNamesWhoWrote(t *testing.T) {
	a, admin, _ := start(t, config(t))
	admin.must("POST", "/profiles", `{"Name":"pp"}`, nil)
	commits, err := a.objects.Commits(t.Context(), 0, a.objects.View().Rev)
	if err != nil {
		t.Fatal(err)
	}
	last := commits[len(commits)-1]
	if last.Who != "user:rocketskates" || last.Changes[0].Op != objects.Create || last.Changes[0].Key != "pp" {
		t.Errorf("got %s %s", last.Who, show(last))
	}
	if commits[0].Who != "system" {
		t.Errorf("the first change is by %s", commits[0].Who)
	}
}

func show(c *objects.Commit) string {
	s := ""
	for _, w := range c.Changes {
		s += fmt.Sprintf(" %s %s/%s", w.Op, w.Kind, w.Key)
	}
	return s
}

// TestStoppingDoesNotWaitForThoseWhoWait: a long poll is told "no change" when the server stops,
// and a websocket is closed.
func TestStoppingDoesNotWaitForThoseWhoWait(t *testing.T) {
	a, admin, stop := start(t, config(t))
	admin.must("POST", "/profiles", `{"Name":"pp"}`, nil)
	etag := admin.do("GET", "/profiles/pp", nil).header.Get("ETag")
	polled := make(chan answer, 1)
	go func() {
		defer close(polled)
		polled <- admin.do("GET", "/profiles/pp", nil, "If-None-Match", etag, "Prefer", "wait=10m")
	}()
	c, _, err := websocket.Dial(t.Context(), "wss"+strings.TrimPrefix(admin.url, "https")+"/api/v3/ws?token="+admin.token,
		&websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	for a.hub.Subscribers() == 0 || a.objects.Waiters() == 0 {
		time.Sleep(time.Millisecond)
	}
	go stop()
	if got := <-polled; got.status != http.StatusNotModified {
		t.Errorf("the long poll: got %d %s, want 304", got.status, got.body)
	}
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) == -1 {
		t.Errorf("the websocket: %v, want a close frame", err)
	}
	stop()
}

// TestStoppingUnderLoadBreaksNothing: changes that are under way when the server stops are carried
// out and answered, or refused; those that come later find nobody.
func TestStoppingUnderLoadBreaksNothing(t *testing.T) {
	_, admin, stop := start(t, config(t))
	const writers = 16
	var busy, ended sync.WaitGroup
	busy.Add(writers)
	for i := range writers {
		path := fmt.Sprintf("/profiles/busy-%d", i)
		admin.must("POST", "/profiles", fmt.Sprintf(`{"Name":"busy-%d"}`, i), nil)
		ended.Go(func() {
			started := sync.OnceFunc(busy.Done)
			defer started()
			for n := 0; ; n++ {
				body := fmt.Sprintf(`[{"op":"add","path":"/Description","value":"%d"}]`, n)
				req, err := http.NewRequestWithContext(t.Context(), "PATCH", admin.url+"/api/v3"+path, strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer "+admin.token)
				res, err := transport.RoundTrip(req)
				if err != nil {
					return
				}
				_, err = io.Copy(io.Discard, res.Body)
				res.Body.Close()
				if err != nil || res.StatusCode != http.StatusOK && res.StatusCode != http.StatusServiceUnavailable {
					t.Errorf("status %d, %v", res.StatusCode, err)
				}
				started()
			}
		})
	}
	busy.Wait()
	stop()
	ended.Wait()
}

// TestAServerThatCannotStartSaysWhy: and leaves nothing behind that would keep the next from it.
func TestAServerThatCannotStartSaysWhy(t *testing.T) {
	cfg := config(t)
	other, _, _ := start(t, config(t))
	for want, change := range map[string]func(*Config){
		fmt.Sprintf("--api-port %d", other.ports.api): func(c *Config) { c.APIPort = other.ports.api },
		"--base-root": func(c *Config) { c.BaseRoot = "/dev/null/data" },
		"nowhere.pem": func(c *Config) { c.TLSCert, c.TLSKey = c.BaseRoot+"/nowhere.pem", "/dev/null" },
	} {
		bad := cfg
		change(&bad)
		a, err := New(t.Context(), bad)
		if err == nil {
			a.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error that names %s", err, want)
		}
	}
	if err := os.WriteFile(filepath.Join(cfg.BaseRoot, "drp.db"), []byte(strings.Repeat("this is no database ", 500)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "drp.db") {
		t.Errorf("a damaged database: got %v, want an error that names it", err)
	}
}
