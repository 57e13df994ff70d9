package app

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"drp/models"

	"github.com/coder/websocket"
)

// TestJobsKeepTheContract is §10.1 row by row, and §10.2.
func TestJobsKeepTheContract(t *testing.T) {
	_, admin, _ := start(t, config(t))
	for _, o := range [][2]string{
		{"tasks", `{"Name":"t1","Templates":[{"Name":"script","Contents":"#!/bin/sh\necho {{.Machine.Name}}\n"},{"Name":"file","Path":"/tmp/{{.Machine.Name}}","Contents":"x"}]}`},
		{"tasks", `{"Name":"t2"}`}, {"tasks", `{"Name":"oses","Templates":[{"Name":"l","Contents":"x","Meta":{"OS":"linux"}},{"Name":"w","Contents":"y","Meta":{"OS":"windows,darwin"}},{"Name":"a","Contents":"z","Meta":{"OS":"any"}}]}`},
		{"roles", `{"Name":"reader","Claims":[{"scope":"profiles","action":"get","specific":"*"}]}`},
		{"tasks", `{"Name":"more","ExtraRoles":["reader"],"ExtraClaims":[{"scope":"params","action":"get","specific":"*"}]}`},
		{"bootenvs", `{"Name":"sledge"}`}, {"stages", `{"Name":"s1","Tasks":["t1"]}`}, {"stages", `{"Name":"s2","BootEnv":"sledge","Tasks":["t2"]}`},
		{"workflows", `{"Name":"wf","Stages":["s1","s2"]}`}, {"contexts", `{"Name":"ctx"}`},
	} {
		admin.must("POST", "/"+o[0], o[1], nil)
	}
	kept := map[string]string{"zero": models.ZeroUUID, "U": "3e7031fe-3062-45f1-835c-92541bc9cbd3"}
	machine := func(members string) string { return zero("machines", members) }
	next := func(members string) string { return zero("jobs", `{"Machine":"{U}"`+members+`}`) }
	state := func(was, is string) string {
		return fmt.Sprintf(`[{"op":"test","path":"/State","from":"","value":%q},{"op":"replace","path":"/State","from":"","value":%q}]`, was, is)
	}
	busy := refusal(409, "Conflict", "", "", "Machine {U} already has running or created job")
	admin.holds(kept, []statement{
		{says: "row 1: unknown machine", call: "POST /jobs", body: next(""), status: 422},
		{says: "row 2", call: "POST /machines", body: machine(`{"Name":"bob","Uuid":"{U}","Workflow":"wf"}`), status: 201},
		{says: "row 2", call: "PATCH /machines/{U}", body: `[{"op":"replace","path":"/Runnable","from":"","value":false}]`, status: 200},
		{says: "row 2: not runnable", call: "POST /jobs", body: next(""), status: 409},
		{says: "row 2", call: "PATCH /machines/{U}", body: `[{"op":"replace","path":"/Runnable","from":"","value":true}]`, status: 200},
		{says: "row 3: another context", call: "POST /jobs", body: next(`,"Context":"ctx"`), status: 204, want: "-"},
		{says: "row 6, 8 and 10: the stage is entered already", call: "POST /jobs", body: next(""), status: 201, want: `{"Machine":"{U}","Task":"t1","State":"created","Previous":"{zero}","Stage":"s1","Workflow":"wf","BootEnv":"local","Context":"","Current":true,"CurrentIndex":1,"NextIndex":2,"ExitState":"","Archived":false,"EndTime":"0001-01-01T00:00:00Z"}`, keep: "J=Uuid"},
		{says: "row 10: the machine", call: "GET /machines/{U}", status: 200, want: `{"CurrentJob":"{J}","CurrentTask":1}`},
		{says: "row 4: busy", call: "POST /jobs", body: next(""), status: 409, want: busy},
		{says: "10.1 no such state", call: "PATCH /jobs/{J}", body: state("created", "fred"), status: 422, want: refusal(422, "ValidationError", "jobs", "{J}", "{J}: Invalid State `fred`")},
		{says: "3.12 not deletable", call: "DELETE /jobs/{J}", status: 422, want: refusal(422, "ValidationError", "jobs", "{J}", "Jobs {J} is not in a deletable state: created")},
		{says: "10.1 running", call: "PATCH /jobs/{J}", body: state("created", "running"), status: 200, want: `{"State":"running"}`},
		{says: "10.1 a test that fails", call: "PATCH /jobs/{J}", body: state("created", "running"), status: 409},
		{says: "row 4: busy", call: "POST /jobs", body: next(""), status: 409, want: busy},
		{says: "10.1 incomplete", call: "PATCH /jobs/{J}", body: state("running", "incomplete"), status: 200, want: `{"State":"incomplete"}`},
		{says: "row 5: again", call: "POST /jobs", body: next(""), status: 202, want: `{"Uuid":"{J}","State":"incomplete"}`},
		{says: "10.1 running", call: "PATCH /jobs/{J}", body: state("incomplete", "running"), status: 200},
		{says: "10.1 failed", call: "PATCH /jobs/{J}", body: `[{"op":"test","path":"/State","from":"","value":"running"},{"op":"replace","path":"/State","from":"","value":"failed"},{"op":"test","path":"/ExitState","from":"","value":""},{"op":"replace","path":"/ExitState","from":"","value":"failed"}]`, status: 200, want: `{"State":"failed","ExitState":"failed"}`},
		{says: "10.1 for good", call: "PATCH /jobs/{J}", body: state("failed", "running"), status: 422},
		{says: "row 7", call: "PATCH /machines/{U}", body: `[{"op":"replace","path":"/Runnable","from":"","value":true}]`, status: 200},
		{says: "row 7: the same again", call: "POST /jobs", body: next(""), status: 201, want: `{"Task":"t1","State":"created","Previous":"{J}","CurrentIndex":1}`, keep: "K=Uuid"},
		{says: "3.12 no longer current", call: "GET /jobs/{J}", status: 200, want: `{"Current":false}`},
		{says: "10.1 finished", call: "PATCH /jobs/{K}", body: state("created", "finished"), status: 200, want: `{"State":"finished"}`},
		{says: "row 8: the next stage", call: "POST /jobs", body: next(""), status: 204, want: "-"},
		{says: "row 8: the machine", call: "GET /machines/{U}", status: 200, want: `{"Stage":"s2","BootEnv":"sledge","CurrentTask":3,"Runnable":false}`, keep: "L=CurrentJob"},
		{says: "row 8: the job that tells", call: "GET /jobs/{L}", status: 200, want: `{"Task":"bootenv:sledge","State":"finished","ExitState":"complete","CurrentIndex":3,"NextIndex":4,"Stage":"s2","BootEnv":"sledge","Previous":"{K}","Current":true}`},
		{says: "10.3 the agent comes back", call: "PATCH /machines/{U}", body: `[{"op":"replace","path":"/Runnable","from":"","value":true}]`, status: 200},
		{says: "row 10", call: "POST /jobs", body: next(""), status: 201, want: `{"Task":"t2","Stage":"s2","BootEnv":"sledge","Previous":"{L}"}`, keep: "M=Uuid"},
		{says: "10.1 the last", call: "PATCH /jobs/{M}", body: state("created", "finished"), status: 200},
		{says: "row 3: nothing is left", call: "POST /jobs", body: next(""), status: 204, want: "-"},
		{says: "10.1 the end", call: "GET /machines/{U}", status: 200, want: `{"CurrentTask":5,"WorkflowComplete":true,"Runnable":true,"RetryTaskAttempt":0}`},
		{says: "10.1 unset", call: "PATCH /machines/{U}", body: `[{"op":"replace","path":"/Workflow","from":"","value":""},{"op":"replace","path":"/Tasks","from":"","value":["more","oses","t2"]}]`, status: 200, want: `{"Tasks":["more","oses","t2"],"CurrentTask":-1}`},
		{says: "2.8 more rights", call: "POST /jobs", body: next(""), status: 201, want: `{"Task":"more","ExtraClaims":[{"scope":"profiles","action":"get","specific":"*"},{"scope":"params","action":"get","specific":"*"}]}`, keep: "N=Uuid"},
		{says: "10.2 no templates", call: "GET /jobs/{N}/actions?os=linux", status: 200, want: `[]`},
		{says: "row 4: the leftover", call: "PATCH /machines/{U}", body: `[{"op":"replace","path":"/CurrentTask","from":"","value":-1}]`, status: 200, want: `{"CurrentTask":-1}`},
		{says: "row 4: the leftover", call: "POST /jobs", body: next(""), status: 201, want: `{"Task":"more","CurrentIndex":0,"Previous":"{N}"}`, keep: "O=Uuid"},
		{says: "row 4: the leftover", call: "GET /jobs/{N}", status: 200, want: `{"State":"failed"}`},
		{says: "10.1 done", call: "PATCH /jobs/{O}", body: state("created", "finished"), status: 200},
		{says: "10.2 systems", call: "POST /jobs", body: next(""), status: 201, want: `{"Task":"oses"}`, keep: "P=Uuid"},
		{says: "10.2 os", call: "GET /jobs/{P}/actions?os=linux", status: 200, want: `[{"Name":"l","Path":"","Content":"x","Meta":{"OS":"linux"}},{"Name":"a","Path":"","Content":"z","Meta":{"OS":"any"}}]`},
		{says: "10.2 os", call: "GET /jobs/Key:{P}/actions?os=darwin", status: 200, want: `[{"Name":"w","Path":"","Content":"y","Meta":{"OS":"windows,darwin"}},{"Name":"a","Path":"","Content":"z","Meta":{"OS":"any"}}]`},
		{says: "4.2 all systems", call: "GET /jobs/{P}/actions?os=", status: 200, want: `[{"Name":"l","Path":"","Content":"x","Meta":{"OS":"linux"}},{"Name":"w","Path":"","Content":"y","Meta":{"OS":"windows,darwin"}},{"Name":"a","Path":"","Content":"z","Meta":{"OS":"any"}}]`},
		{says: "10.2 unknown", call: "GET /jobs/john/actions", status: 422, want: refusal(422, "ValidationError", "", "", "Job john does not exist")},
		{says: "10.2 unknown", call: "GET /jobs/john/log", status: 422, want: refusal(422, "ValidationError", "", "", "Job john does not exist")},
		{says: "B unknown", call: "GET /jobs/john", status: 404, want: refusal(404, "GET", "jobs", "john", "Not Found")},
		{says: "10.1 failed", call: "PATCH /jobs/{P}", body: state("created", "failed"), status: 200},
		{says: "10.2 after the end", call: "PUT /jobs/{P}/log", body: "late\n", status: 204, want: "-", with: "Content-Type: application/octet-stream"},
		{says: "10.2 by Uuid:", call: "PUT /jobs/Uuid:{P}/log", body: "later\n", status: 204, want: "-", with: "Content-Type: application/octet-stream"},
		{says: "10.2 the machine goes", call: "DELETE /machines/{U}", status: 200},
		{says: "10.2 its jobs stay", call: "GET /jobs/{P}", status: 200, want: `{"State":"failed","Machine":"{U}"}`},
		{says: "10.2 without a machine", call: "GET /jobs/{P}/actions", status: 422, want: refusal(422, "ValidationError", "", "", "Machine {U} does not exist")},
		{says: "3.12 deletion", call: "DELETE /jobs/{P}", status: 200, want: `{"Uuid":"{P}"}`},
		{says: "3.12 deletion", call: "DELETE /jobs/{P}", status: 404, want: refusal(404, "DELETE", "jobs", "{P}", "Not Found")},
		{says: "row 1: a Uuid may be given", call: "POST /machines", body: machine(`{"Name":"bob","Uuid":"{U}","Stage":"s1","Tasks":["action:foo"]}`), status: 201},
		{says: "row 9: an action that fails", call: "POST /jobs", body: next(""), status: 204, want: "-"},
		{says: "row 9: the machine", call: "GET /machines/{U}", status: 200, want: `{"Runnable":false,"CurrentTask":0}`, keep: "Q=CurrentJob"},
		{says: "row 9: a failed job", call: "GET /jobs/{Q}", status: 200, want: `{"Task":"action:foo","State":"failed"}`},
	})
	if log := string(admin.do("GET", "/jobs/"+kept["M"]+"/log", nil).body); log != "Log for Job: "+kept["M"]+"\n" {
		t.Errorf("10.2 a log begins with %q", log)
	}
	var log answer
	admin.must("POST", "/machines", machine(`{"Name":"bill","Tasks":["t1"]}`), nil)
	var m models.Machine
	admin.must("GET", "/machines/Name:bill", nil, &m)
	var j models.Job
	admin.must("POST", "/jobs", zero("jobs", `{"Machine":"`+m.Uuid+`","Uuid":"3e7031fe-3062-45f1-835c-92541bc9cbdd"}`), &j)
	if j.Uuid != "3e7031fe-3062-45f1-835c-92541bc9cbdd" {
		t.Errorf("3.12 a Uuid that was given: %s", j.Uuid)
	}
	for _, part := range []string{"one\n", "", "two\n"} {
		if got := admin.do("PUT", "/jobs/"+j.Uuid+"/log", part, "Content-Type", "application/octet-stream"); got.status != 204 || !strings.HasPrefix(got.header.Get("Content-Type"), "application/json") {
			t.Errorf("10.2 PUT of a log: %d %v", got.status, got.header)
		}
	}
	if log = admin.do("GET", "/jobs/"+j.Uuid+"/log", nil, "Accept", "application/octet-stream"); string(log.body) != "Log for Job: "+j.Uuid+"\none\ntwo\n" {
		t.Errorf("10.2 logs are appended to: %q", log.body)
	}
}

// TestTheAgentsTranscript plays §10.3 as drpcli v4.8 does, with the token of the machine and the
// Host that its agents send.
func TestTheAgentsTranscript(t *testing.T) {
	_, admin, _ := start(t, config(t))
	admin.must("POST", "/tasks", `{"Name":"t1","Templates":[{"Name":"script","Contents":"#!/bin/sh\necho {{.Machine.Name}} {{.ApiURL}}\n"}],"Meta":{"feature-flags":"sane-exit-codes"}}`, nil)
	var m models.Machine
	admin.must("POST", "/machines", zero("machines", `{"Name":"agent","Tasks":["t1"]}`), &m)
	var token models.UserToken
	admin.must("GET", "/machines/"+m.Uuid+"/token?ttl=3y", nil, &token)
	agent := client{t, admin.url, token.Token}
	kept := map[string]string{"U": m.Uuid}
	const usual = "Host: unix\nAccept: application/json\nContent-Type: application/json\nCache-Control: no-store\n"
	waits := func() {
		t.Helper()
		conn := agent.listen("/api/v3/ws", "machines.update."+m.Uuid)
		agent.tells(conn, "register machines.save."+m.Uuid)
		agent.holds(kept, []statement{{says: "wait", call: "GET /machines/{U}", status: 200, want: `{"Available":true,"Runnable":true,"Context":""}`, with: usual}})
		agent.tells(conn, "deregister machines.update."+m.Uuid)
		agent.tells(conn, "deregister machines.save."+m.Uuid)
		conn.Close(websocket.StatusNormalClosure, "")
	}
	agent.holds(kept, []statement{
		{says: "begin", call: "GET /machines/{U}", status: 200, want: `{"Meta":{"feature-flags":"change-stage-v2"}}`, with: usual},
		{says: "begin", call: "GET /machines/{U}/params/runner-tmpdir?aggregate=true", status: 200, want: `null`, with: usual},
		{says: "service start", call: "PATCH /machines/{U}", body: `[{"op":"replace","path":"/Runnable","from":"","value":true}]`, status: 200, with: usual},
	})
	waits()
	agent.holds(kept, []statement{
		{says: "next", call: "POST /jobs", body: zero("jobs", `{"Machine":"{U}","Context":""}`), status: 201, want: `{"State":"created","Task":"t1","Machine":"{U}"}`, keep: "J=Uuid", with: usual},
		{says: "next", call: "GET /tasks/t1", status: 200, want: `{"Meta":{"feature-flags":"sane-exit-codes"}}`, with: usual},
		{says: "run", call: "PATCH /jobs/{J}", body: `[{"op":"test","path":"/State","from":"","value":"created"},{"op":"replace","path":"/State","from":"","value":"running"}]`, status: 200, want: `{"State":"running"}`, with: usual},
		{says: "run", call: "GET /jobs/{J}/actions?os=linux", status: 200, with: usual},
		{says: "a script", call: "GET /params/some/param", status: 404, with: usual},
		{says: "a script", call: "POST /machines/{U}/params/some/param", body: `{"a":1}`, status: 200, want: `{"a":1}`, with: usual},
		{says: "end", call: "PATCH /jobs/{J}", body: `[{"op":"test","path":"/State","from":"","value":"running"},{"op":"replace","path":"/State","from":"","value":"finished"},{"op":"test","path":"/ExitState","from":"","value":""},{"op":"replace","path":"/ExitState","from":"","value":"complete"}]`, status: 200, want: `{"State":"finished","ExitState":"complete"}`, with: usual},
		{says: "the last part of the log", call: "PUT /jobs/{J}/log", body: "agent\n", status: 204, want: "-", with: "Host: unix\nAccept: application/json\nContent-Type: application/octet-stream\n"},
	})
	waits()
	agent.holds(kept, []statement{
		{says: "nothing more", call: "POST /jobs", body: zero("jobs", `{"Machine":"{U}","Context":""}`), status: 204, want: "-", with: usual},
		{says: "no workflow", call: "GET /machines/{U}/params/change-stage/map?aggregate=true", status: 200, want: `null`, with: usual},
		{says: "at the start of an agent", call: "GET /jobs/{J}", status: 200, want: `{"State":"finished"}`, with: usual},
		{says: "kexec", call: "GET /machines/{U}/params/kexec-ok?aggregate=true", status: 200, with: usual},
		{says: "reboot", call: "GET /machines/{U}/actions/nextbootpxe", status: 404, with: usual},
		{says: "before a reboot", call: "PATCH /machines/{U}", body: `[{"op":"test","path":"/Context","from":"","value":""},{"op":"replace","path":"/Runnable","from":"","value":false}]`, status: 200, want: `{"Runnable":false}`, with: usual},
		{says: "refresh", call: "GET /machines/{U}/token?ttl=600", status: 200, with: usual},
		{says: "the probe", call: "GET /info", status: 200, with: usual},
	})
	var actions []models.JobAction
	admin.must("GET", "/jobs/"+kept["J"]+"/actions?os=linux", nil, &actions)
	if len(actions) != 1 || strings.Contains(actions[0].Content, "unix") || !strings.Contains(actions[0].Content, "echo agent https://127.0.0.1:") {
		t.Errorf("the script: %+v", actions)
	}
	if log := string(admin.do("GET", "/jobs/"+kept["J"]+"/log", nil).body); log != "Log for Job: "+kept["J"]+"\nagent\n" {
		t.Errorf("the log: %q", log)
	}
}

// tells sends a message on a websocket and waits for the one acknowledgement.
func (c client) tells(conn *websocket.Conn, message string) {
	c.t.Helper()
	if err := conn.Write(c.t.Context(), websocket.MessageText, []byte(message)); err != nil {
		c.t.Fatal(err)
	}
	for e := c.event(conn); e.Type != "websocket"; e = c.event(conn) {
		var o struct{ Uuid string }
		if err := json.Unmarshal(e.Object, &o); err != nil || e.Key != o.Uuid {
			c.t.Errorf("an event of %s %s about %s", e.Type, e.Key, e.Object)
		}
	}
}
