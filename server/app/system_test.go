package app

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"drp/models"

	"github.com/coder/websocket"
)

// listen opens the event stream of path and registers for what filter selects.
func (c client) listen(path, filter string) *websocket.Conn {
	c.t.Helper()
	conn, _, err := websocket.Dial(c.t.Context(), c.url+path, &websocket.DialOptions{
		HTTPClient: &http.Client{Transport: transport}, HTTPHeader: http.Header{"Authorization": {"Bearer " + c.token}},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.CloseNow() })
	if err := conn.Write(c.t.Context(), websocket.MessageText, []byte("register "+filter)); err != nil {
		c.t.Fatal(err)
	}
	if e := c.event(conn); e.Type != "websocket" {
		c.t.Fatalf("got %+v, want the acknowledgement", e)
	}
	return conn
}

func (c client) event(conn *websocket.Conn) (e models.Event) {
	c.t.Helper()
	_, text, err := conn.Read(c.t.Context())
	if err != nil {
		c.t.Fatal(err)
	}
	if err := json.Unmarshal(text, &e); err != nil {
		c.t.Fatalf("%v in %s", err, text)
	}
	return e
}

func TestTheLogCanBeReadAndWatched(t *testing.T) {
	_, admin, _ := start(t, config(t))
	conn := admin.listen("/api/v3/ws", "log.*.*")
	login := client{t, admin.url, "rocketskates:r0cketsk8ts"}
	login.must("GET", "/users/rocketskates/token", nil, nil)
	e := admin.event(conn)
	if e.Type != "log" || e.Action != "audit" || e.Key != "frontend" {
		t.Errorf("got the event %s.%s.%s, want log.audit.frontend", e.Type, e.Action, e.Key)
	}
	var told models.LogLine
	if err := json.Unmarshal(e.Object, &told); err != nil || told.Message != "Authenticated user rocketskates from 127.0.0.1" {
		t.Errorf("got %s, %v", e.Object, err)
	}
	var lines []models.LogLine
	admin.must("GET", "/logs", nil, &lines)
	last := lines[len(lines)-1]
	if last.Message != told.Message || last.Level != "audit" || last.Principal != "user:rocketskates" || last.File == "" || last.Line == 0 {
		t.Errorf("got the line %+v", last)
	}
	if text, _ := json.Marshal(lines); strings.Contains(string(text), "r0cketsk8ts") {
		t.Error("the password stands in the log")
	}

	admin.must("POST", "/roles", models.Role{Name: "plain", Claims: models.Claims{{Scope: "events", Action: "post", Specific: "*"}}}, nil)
	admin.must("POST", "/users", models.User{Name: "mere", Roles: []string{"plain"}}, nil)
	var token models.UserToken
	admin.must("GET", "/users/mere/token", nil, &token)
	mere := client{t, admin.url, token.Token}
	if a := mere.do("GET", "/logs", nil); a.status != http.StatusForbidden {
		t.Errorf("without the claim: %d %s", a.status, a.body)
	}
	deaf := mere.listen("/api/v3/ws", "*.*.*")
	login.must("GET", "/users/rocketskates/token", nil, nil)
	mere.must("POST", "/events", models.Event{Type: "mark", Action: "a", Key: "k"}, nil)
	if e := mere.event(deaf); e.Type != "mark" {
		t.Errorf("who may not read the log got the event %s.%s.%s", e.Type, e.Action, e.Key)
	}
}

func TestARequestIsLoggedWhenItsSenderWantsThat(t *testing.T) {
	cfg := config(t)
	cfg.LogLevel = "info"
	_, admin, _ := start(t, cfg)
	admin.do("GET", "/info", nil, "X-Log-Request", "debug", "X-Log-Token", "needle")
	(client{t, admin.url, ""}).do("GET", "/info", nil, "X-Log-Request", "error", "X-Log-Token", "stranger")
	var lines []models.LogLine
	admin.must("GET", "/logs", nil, &lines)
	text, _ := json.Marshal(lines)
	for _, want := range []string{`"Message":"request"`, "path=/api/v3/info", "token=needle"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is not in %s", want, text)
		}
	}
	if strings.Contains(string(text), "stranger") {
		t.Error("somebody who was not let in has written into the log")
	}
}

func TestTheLevelOfTheLogFollowsThePreference(t *testing.T) {
	a, admin, _ := start(t, config(t))
	for _, name := range []string{"debug", "info", "warn", "error"} {
		admin.must("POST", "/prefs", map[string]string{"logLevel": name}, nil)
		if got := a.level.Level(); got != logLevels[name] {
			t.Errorf("with logLevel %s the level is %v", name, got)
		}
	}
}

func TestAServerAnswersUnderItsOwnNameOnly(t *testing.T) {
	cfg := config(t)
	cfg.ID = "north"
	_, admin, _ := start(t, cfg)
	other := admin
	other.url = admin.url + "/south"
	for _, path := range []string{"/info", "/profiles", "/profiles/global", "/machines?limit=1"} {
		if a := other.do("GET", path, nil); a.status != http.StatusNotFound || !strings.Contains(string(a.body), "forwards to no other") {
			t.Errorf("south%s: %d %s", path, a.status, a.body)
		}
	}
	same := admin
	same.url = admin.url + "/north"
	var global models.Profile
	same.must("GET", "/profiles/global", nil, &global)
	same.must("PATCH", "/profiles/global", `[{"op":"replace","path":"/Description","value":"x"}]`, &global)
	if global.Description != "x" {
		t.Errorf("got %+v", global)
	}
	if a := (client{t, same.url, ""}).do("GET", "/profiles/global", nil); a.status != http.StatusUnauthorized {
		t.Errorf("without a token: %d", a.status)
	}
	conn := admin.listen("/api/v3/ws/north", "profiles.*.*")
	same.must("POST", "/profiles/global/params/aa", "1", nil)
	if e := admin.event(conn); e.Key != "global" {
		t.Errorf("got %+v", e)
	}
	if a := admin.do("GET", "/ws/south", nil); a.status != http.StatusNotFound {
		t.Errorf("the stream of south: %d %s", a.status, a.body)
	}
}

func TestAServerThatStandsAloneSaysSo(t *testing.T) {
	_, admin, _ := start(t, config(t))
	for _, route := range []string{"POST /system/passive", "POST /system/consensus/enroll", "POST /system/consensus/failOverSafe?waitFor=1s",
		"DELETE /system/consensus/node/x", "POST /system/upgrade"} {
		method, path, _ := strings.Cut(route, " ")
		if a := admin.do(method, path, nil); a.status != http.StatusConflict || !strings.Contains(string(a.body), "this server") {
			t.Errorf("%s: %d %s", route, a.status, a.body)
		}
	}
	var id, leader string
	var peers []any
	admin.must("GET", "/system/consensus/id", nil, &id)
	admin.must("GET", "/system/consensus/leader", nil, &leader)
	admin.must("GET", "/system/consensus/peers", nil, &peers)
	if id == "" || id != leader || len(peers) != 0 {
		t.Errorf("id %q, leader %q, peers %v", id, leader, peers)
	}
	for _, what := range []string{"state", "fullstate", "introduction"} {
		var state models.ClusterState
		admin.must("GET", "/system/consensus/"+what, nil, &state)
	}
	admin.must("POST", "/system/active", nil, nil)
	if a := admin.do("GET", "/system/consensus/cows", nil); a.status != http.StatusNotFound {
		t.Errorf("cows: %d", a.status)
	}
}

func TestTokensEndWithTheSecretTheServerIsStartedWith(t *testing.T) {
	cfg := config(t)
	cfg.BaseTokenSecret, cfg.SystemGrantorSecret = strings.Repeat("a", 32), "grantor"
	_, admin, stop := start(t, cfg)
	var all map[string]string
	admin.must("GET", "/prefs", nil, &all)
	if all["baseTokenSecret"] != cfg.BaseTokenSecret || all["systemGrantorSecret"] != "grantor" {
		t.Errorf("got %v", all)
	}
	var token models.UserToken
	admin.must("GET", "/users/rocketskates/token", nil, &token)
	stop()
	for _, tt := range []struct {
		secret string
		status int
	}{{"", 200}, {cfg.BaseTokenSecret, 200}, {strings.Repeat("b", 32), 403}} {
		cfg.BaseTokenSecret = tt.secret
		_, again, stop := start(t, cfg)
		if a := (client{t, again.url, token.Token}).do("GET", "/info", nil); a.status != tt.status {
			t.Errorf("started with %q the old token gets %d, want %d", tt.secret, a.status, tt.status)
		}
		stop()
	}
}

func TestOldJobsArePurged(t *testing.T) {
	_, admin, _ := start(t, config(t))
	admin.must("POST", "/tasks", models.Task{Name: "tt"}, nil)
	var m models.Machine
	admin.must("POST", "/machines", `{"Name":"mm","Tasks":["tt","tt","tt","tt"]}`, &m)
	for range 4 {
		var j models.Job
		admin.must("POST", "/jobs", map[string]string{"Machine": m.Uuid}, &j)
		for _, state := range []string{"running", "finished"} {
			admin.must("PATCH", "/jobs/"+j.Uuid, `[{"op":"replace","path":"/State","value":"`+state+`"}]`, nil)
		}
	}
	purge := func(query string) (p models.Purged) {
		t.Helper()
		admin.must("DELETE", "/jobs"+query, nil, &p)
		return p
	}
	for _, tt := range []struct {
		query        string
		purged, kept int
	}{
		{"", 0, 4}, {"?completeJobsPurgedAfter=1d", 0, 4}, {"?failedJobsPurgedAfter=1ns", 0, 4},
		{"?jobsToKeep=1&dryrun=true", 2, 2}, {"?jobsToKeep=1&machine=Name:mm", 2, 2}, {"?jobsToKeep=1", 0, 2},
	} {
		if p := purge(tt.query); p.Purged != tt.purged || p.Kept != tt.kept || len(p.Jobs) != tt.purged {
			t.Errorf("%s: got %+v, want %d purged and %d kept", tt.query, p, tt.purged, tt.kept)
		}
	}
	var left []models.Job
	admin.must("GET", "/jobs", nil, &left)
	if len(left) != 2 {
		t.Errorf("%d jobs are left, want 2", len(left))
	}
	for query, status := range map[string]int{"?jobsToKeep=x": 400, "?jobsToKeep=-1": 400, "?failedJobsPurgedAfter=cow": 400, "?machine=nobody": 404} {
		if a := admin.do("DELETE", "/jobs"+query, nil); a.status != status {
			t.Errorf("%s: %d %s", query, a.status, a.body)
		}
	}
}
