package app

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"drp/models"

	"github.com/coder/websocket"
)

// TestEventsKeepTheContract is §6: what each change tells, and to whom.
func TestEventsKeepTheContract(t *testing.T) {
	_, admin, _ := start(t, config(t))
	var m models.Machine
	admin.must("POST", "/tasks", `{"Name":"t1"}`, nil)
	admin.must("POST", "/machines", `{"Name":"m1","Tasks":["t1"]}`, &m)
	conn := admin.listen("/api/v3/ws", "profiles,users,stages,bootenvs.*.*")
	admin.tells(conn, "register machines.update,save."+m.Uuid)
	admin.tells(conn, "register jobs.*.*")
	admin.tells(conn, "register marker.*.*")
	admin.tells(conn, `register odd.*.a\1b\2c\3`)
	var job models.Job
	for _, s := range []struct{ method, path, body, want string }{
		{"POST", "/profiles", `{"Name":"pp"}`, "profiles create pp"},
		{"PATCH", "/profiles/Name:pp", `[{"op":"replace","path":"/Description","value":"x"}]`, "profiles update pp"},
		{"PUT", "/profiles/pp", `{"Name":"pp"}`, "profiles update pp"},
		{"PATCH", "/profiles/pp", `[]`, ""},
		{"POST", "/profiles/pp/params/aa", `1`, "profiles save pp"},
		{"PATCH", "/profiles/pp/params", `[{"op":"replace","path":"/aa","value":2}]`, "profiles save pp"},
		{"DELETE", "/profiles/pp/params/aa", ``, "profiles save pp"},
		{"PATCH", "/meta/profiles/pp", `[{"op":"add","path":"/icon","value":"x"}]`, "profiles save pp"},
		{"DELETE", "/profiles/pp", ``, "profiles delete pp"},
		{"POST", "/users", `{"Name":"ann"}`, "users create ann"},
		{"DELETE", "/users/ann", ``, "users delete ann"},
		{"POST", "/stages", `{"Name":"st","BootEnv":"env"}`, "stages create st"},
		{"POST", "/bootenvs", `{"Name":"env"}`, "bootenvs create env, stages save st"},
		{"PATCH", "/machines/" + m.Uuid, `[{"op":"replace","path":"/Description","value":"x"}]`, "machines update " + m.Uuid},
		{"POST", "/machines/Name:m1/params/aa", `1`, "machines save " + m.Uuid},
		{"POST", "/jobs", `{"Machine":"` + m.Uuid + `"}`, "jobs create JOB, machines update " + m.Uuid},
		{"PATCH", "/jobs/JOB", `[{"op":"replace","path":"/State","value":"running"}]`, "jobs update JOB"},
		{"PATCH", "/jobs/JOB", `[{"op":"replace","path":"/State","value":"finished"}]`, "jobs update JOB"},
		{"POST", "/events", `{"Time":"0001-01-01T00:00:00Z","Type":"odd","Action":"what","Key":"a.b,c*","Principal":"","Object":{"x":1},"Original":null}`, "odd what a.b,c*"},
	} {
		got := admin.do(s.method, strings.ReplaceAll(s.path, "JOB", job.Uuid), s.body)
		if got.status >= 300 {
			t.Fatalf("%s %s: %d %s", s.method, s.path, got.status, got.body)
		}
		if s.path == "/jobs" {
			json.Unmarshal(got.body, &job)
		}
		var told []string
		want := strings.ReplaceAll(s.want, "JOB", job.Uuid)
		admin.must("POST", "/events", `{"Type":"marker","Action":"end"}`, nil)
		for e := admin.event(conn); e.Type != "marker"; e = admin.event(conn) {
			told = append(told, e.Type+" "+e.Action+" "+e.Key)
			changed := e.Action == "update" || e.Action == "save"
			if hasOriginal := string(e.Original) != "null"; hasOriginal != changed {
				t.Errorf("%s %s: the original is %s", e.Type, e.Action, e.Original)
			}
			if e.Principal != "user:rocketskates" || e.Time.IsZero() || string(e.Object) == "null" || strings.Contains(string(e.Object), "PasswordHash") {
				t.Errorf("%s %s: %+v %s", s.method, s.path, e, e.Object)
			}
			if e.Type == strings.Split(strings.TrimPrefix(s.path, "/"), "/")[0] && e.Action == "delete" && string(e.Object) != string(got.body) {
				t.Errorf("deleted %s, told %s", got.body, e.Object)
			}
		}
		if strings.Join(told, ", ") != want {
			t.Errorf("%s %s: told %q, want %q", s.method, s.path, told, want)
		}
	}
	// One acknowledgement a message, also of one that changes nothing, and none unasked.
	const times = 4
	for range times {
		conn.Write(t.Context(), websocket.MessageText, []byte("register odd.*.*"))
		conn.Write(t.Context(), websocket.MessageText, []byte("deregister odd.*.*"))
	}
	conn.Write(t.Context(), websocket.MessageText, []byte("deregister never.was.*"))
	admin.must("POST", "/profiles", `{"Name":"end"}`, nil)
	acks, ended := 0, false
	for acks < 2*times+1 || !ended {
		e := admin.event(conn)
		switch {
		case e.Type == "websocket" && (e.Action == "register" || e.Action == "deregister"):
			acks++
		case e.Type == "profiles" && e.Key == "end":
			ended = true
		default:
			t.Fatalf("told %+v", e)
		}
	}
	admin.tells(conn, "deregister profiles,users,stages,bootenvs.*.*")
	admin.must("DELETE", "/profiles/end", nil, nil)
	admin.must("POST", "/events", `{"Type":"odd","Action":"what","Key":"a.b,c*"}`, nil)
	if e := admin.event(conn); e.Type != "odd" || e.Time.IsZero() || string(e.Object) != "null" || string(e.Original) != "null" {
		t.Errorf("after the deregistration: %+v", e)
	}
	for _, bad := range []string{`"fred"`, `{`, `{"Key":"x"}`} {
		if got := admin.do("POST", "/events", bad); got.status != 400 && got.status != 422 {
			t.Errorf("an event %s: %d %s", bad, got.status, got.body)
		}
	}
}

// TestSocketsTakeTokensInQueries: of either form, in either letter case (§2.1).
func TestSocketsTakeTokensInQueries(t *testing.T) {
	_, admin, _ := start(t, config(t))
	for _, query := range []string{"?token=" + admin.token, "?Token=" + admin.token, "?token=rocketskates:r0cketsk8ts"} {
		conn, _, err := websocket.Dial(t.Context(), admin.url+"/api/v3/ws"+query, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
		if err != nil {
			t.Errorf("%.9s: %v", query, err)
			continue
		}
		admin.tells(conn, "register *.*.*")
		conn.Close(websocket.StatusNormalClosure, "")
	}
	if _, res, err := websocket.Dial(t.Context(), admin.url+"/api/v3/ws?token=wrong", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}}); err == nil || res == nil || res.StatusCode != 403 {
		t.Errorf("a wrong token: %v", err)
	}
}

// TestSocketsTakeTokensAsSubprotocols: what a browser can do without writing them into an address. The
// answer names the other subprotocol, never the token.
func TestSocketsTakeTokensAsSubprotocols(t *testing.T) {
	_, admin, _ := start(t, config(t))
	dial := func(offers ...string) (*websocket.Conn, *http.Response, error) {
		return websocket.Dial(t.Context(), admin.url+"/api/v3/ws", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}, Subprotocols: offers})
	}
	for _, offers := range [][]string{{"drp.events", "bearer." + admin.token}, {"bearer." + admin.token, "drp.events"}} {
		conn, res, err := dial(offers...)
		if err != nil {
			t.Fatal(err)
		}
		if got := res.Header.Get("Sec-WebSocket-Protocol"); got != "drp.events" || conn.Subprotocol() != got {
			t.Errorf("the server chose %q", got)
		}
		admin.tells(conn, "register *.*.*")
		conn.Close(websocket.StatusNormalClosure, "")
	}
	for offer, want := range map[string]int{"bearer.wrong": 403, "bearer.": 403, "drp.events": 401, "basic.rocketskates:r0cketsk8ts": 401} {
		if _, res, err := dial("drp.events", offer); err == nil || res == nil || res.StatusCode != want {
			t.Errorf("%s: %v, want %d", offer, err, want)
		}
	}
}
