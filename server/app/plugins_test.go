package app

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/models"
	"drp/server/objects"
)

// herdProgram is a plugin provider: two lines that call the test binary as one.
func herdProgram(t testing.TB) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return "#!/bin/sh\nexec '" + self + "' -provider \"$@\"\n"
}

const herdContent = `
meta: {Name: herd, Version: v1.0.0}
sections:
  params:
    cow/size: {Name: cow/size, Schema: {type: string}}
  typed-cows:
    bessie: {Spotted: true, Weight: 512.5}
`

func provide(args []string) {
	switch args[0] {
	case "define":
		_ = json.NewEncoder(os.Stdout).Encode(models.PluginProvider{
			Name: "herd", Version: "v1.0.0", PluginVersion: 4, AutoStart: true, Content: herdContent,
			AvailableActions: []models.AvailableAction{
				{Model: "machines", Command: "moo", OptionalParams: []string{"cow/size"}}, {Model: "machines", Command: "kick"},
				{Model: "jobs", Command: "look"}, {Command: "count"}, {Model: "cows", Command: "milk"},
			},
			StoreObjects: map[string]json.RawMessage{
				"cows": nil, "typed-cows": json.RawMessage(`{"Spotted":{"type":"boolean","isrequired":true},"Weight":{"type":"number"}}`),
			},
		})
	case "unpack":
		_ = os.WriteFile(filepath.Join(args[1], "testFile"), []byte("ImaFile"), 0o644)
	case "listen":
		mux := http.NewServeMux()
		mux.HandleFunc("/api-plugin/v4/", func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"Code":200}`) })
		mux.HandleFunc("/api-plugin/v4/stop", func(http.ResponseWriter, *http.Request) { os.Exit(0) })
		mux.HandleFunc("/api-plugin/v4/action", func(w http.ResponseWriter, r *http.Request) {
			var a models.Action
			raw, _ := io.ReadAll(r.Body)
			_ = json.Unmarshal(raw, &a)
			if a.Command == "kick" {
				w.WriteHeader(http.StatusConflict)
				fmt.Fprint(w, `{"Type":"plugin","Code":409,"Messages":["it kicks back"]}`)
				return
			}
			_ = json.NewEncoder(w).Encode(a.Command + " " + string(a.Params["cow/size"]))
		})
		l, err := net.Listen("unix", args[1])
		if err != nil {
			panic(err)
		}
		fmt.Println("READY!")
		_ = http.Serve(l, mux)
	}
}

// herd uploads the provider and waits until its plugin runs.
func herd(t *testing.T, admin client) {
	t.Helper()
	var done models.PluginProviderUpload
	program := herdProgram(t)
	admin.must("POST", "/plugin_providers/herd", program, &done)
	if done.Path != "herd" || done.Size != int64(len(program)) {
		t.Errorf("the upload says %+v", done)
	}
	herding(t, admin)
}

func herding(t *testing.T, admin client) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); admin.do("POST", "/system/actions/count", `{}`).status != 200; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal(string(admin.do("POST", "/system/actions/count", `{}`).body))
		}
	}
}

// TestAProvidersKindsAreLikeTheServersOwn, and stay with their objects when it goes.
func TestAProvidersKindsAreLikeTheServersOwn(t *testing.T) {
	cfg := config(t)
	a, admin, stop := start(t, cfg)
	expect := func(method, path, body string, status int, text string) []byte {
		t.Helper()
		got := admin.do(method, path, body)
		if got.status != status || !strings.Contains(string(got.body), text) {
			t.Errorf("%s %s %s: got %d %s, want %d and %s", method, path, body, got.status, got.body, status, text)
		}
		return got.body
	}
	expect("GET", "/cows", "", 404, `"Messages":["No route"]`)
	expect("GET", "/indexes/cows", "", 200, `"Available"`)
	herd(t, admin)

	expect("GET", "/objects", "", 200, `"cows"`)
	expect("GET", "/indexes/typed-cows", "", 200, `"Weight":{"Type":"number"`)
	expect("GET", "/contents", "", 200, `"Type":"plugin"`)
	expect("GET", "/contents/herd", "", 200, `"cow/size"`)
	expect("DELETE", "/contents/herd", "", 403, "plugin provider herd")
	expect("GET", "/params/cow/size", "", 200, `"Bundle":"herd"`)
	expect("GET", "/typed-cows/bessie", "", 200, `"ReadOnly":true`)
	expect("GET", "/typed-cows?Weight=Gt(512)", "", 200, `"bessie"`)
	expect("GET", "/typed-cows?Weight=Gt(513)", "", 200, `[]`)
	expect("GET", "/typed-cows?Weight=x", "", 406, `Weight must be a number`)
	expect("DELETE", "/typed-cows/bessie", "", 403, "readonly: bessie")
	expect("POST", "/typed-cows", `{"Id":"fred1"}`, 422, `"Error in value: Spotted: Spotted is required"`)
	expect("POST", "/typed-cows", `{"Id":"fred1","Spotted":"true"}`, 422, `"Error in value: Spotted: Invalid type. Expected: boolean, given: string"`)
	expect("POST", "/typed-cows", `{"Id":"fred1","Spotted":true}`, 201, `"Spotted":true`)
	expect("POST", "/cows", `{"Id":"fred1","Tree":{"b":1.0,"a":null}}`, 201, `"Tree":{"b":1.0,"a":null},"Type":"cows"`)
	expect("POST", "/cows", `{"Id":"fred2","Type":"freds"}`, 400, "the Type is freds, and should be cows")
	expect("POST", "/cows", `{"Id":"fred1"}`, 409, "already exists")
	expect("POST", "/cows", `{"Id":""}`, 409, "Empty key not allowed")
	expect("PATCH", "/cows/fred1", `[{"op":"test","path":"/Tree/b","value":1},{"op":"add","path":"/Size","value":3}]`, 200, `"Size":3`)
	expect("POST", "/cows/fred1/params/cow/size", `5`, 422, "Invalid type. Expected: string, given: number")
	expect("POST", "/cows/fred1/params/cow/size", `"big"`, 200, `"big"`)
	expect("PATCH", "/meta/cows/fred1", `[{"op":"add","path":"/color","value":"red"}]`, 200, "red")
	expect("GET", "/cows/fred1/actions", "", 200, `"Command":"milk"`)
	expect("GET", "/cows/fred1/history", "", 200, `"create"`)
	expect("POST", "/cows/fred1/actions/milk", "", 200, `milk`)
	expect("HEAD", "/cows/Id:fred1", "", 200, "")
	expect("GET", "/cows/Key:fred1", "", 200, `"fred1"`)
	expect("POST", "/roles", `{"Name":"cowboy","Claims":[{"scope":"cows","action":"get,action:milk","specific":"fred1"}]}`, 201, "cowboy")
	expect("POST", "/undo", fmt.Sprintf(`{"Rev":%d}`, a.objects.View().Rev-1), 200, "") // the color
	cow := expect("GET", "/cows/fred1", "", 200, `"cow/size":"big"`)
	expect("GET", "/cows/fred1?slim=Params,Meta", "", 200, `"Params":{}`)

	stop()
	_, admin, stop = start(t, cfg)
	herding(t, admin)
	if again := expect("GET", "/cows/fred1", "", 200, ""); string(again) != string(cow) {
		t.Errorf("after a restart: %s\nwas %s", again, cow)
	}
	expect("DELETE", "/plugin_providers/herd", "", 200, `"Name":"herd"`)
	expect("GET", "/cows/fred1", "", 404, "No route")
	expect("GET", "/objects", "", 200, `"contexts"`)
	expect("GET", "/history?kind=cows", "", 400, "no kind")
	expect("GET", "/params/cow/size", "", 404, "Not Found")
	expect("GET", "/plugins/herd", "", 200, "Provider herd does not exist")
	stop()
	_, admin, _ = start(t, cfg)
	herd(t, admin)
	if again := expect("GET", "/cows/fred1", "", 200, ""); string(again) != string(cow) {
		t.Errorf("with its provider: %s\nwas %s", again, cow)
	}
	expect("GET", "/typed-cows/fred1", "", 200, "Spotted")
}

// TestProvidersOverHTTP: programs come as they are or in a form, and go back as they came.
func TestProvidersOverHTTP(t *testing.T) {
	a, admin, _ := start(t, config(t))
	program := herdProgram(t)
	form := "--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"herd\"\r\n\r\n" + program + "\r\n--xx--\r\n"
	if got := admin.do("POST", "/plugin_providers/herd", form, "Content-Type", "multipart/form-data; boundary=xx"); got.status != 201 {
		t.Fatalf("a form: %d %s", got.status, got.body)
	}
	if got := admin.do("GET", "/plugin_providers/herd/binary", nil); string(got.body) != program {
		t.Errorf("the program comes back as %s", got.body)
	}
	for path, want := range map[string]string{
		"/plugin_providers": `"AutoStart":true`, "/plugin_providers/herd": `"PluginVersion":4`, "/meta/plugin_providers/herd": `{}`,
	} {
		if got := admin.do("GET", path, nil); got.status != 200 || !strings.Contains(string(got.body), want) {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	if b, err := os.ReadFile(filepath.Join(a.cfg.BaseRoot, "tftpboot", "files", "plugin_providers", "herd", "testFile")); err != nil || string(b) != "ImaFile" {
		t.Errorf("its files: %s %v", b, err)
	}
	if st, err := os.Stat(filepath.Join(a.cfg.BaseRoot, "plugins")); err != nil || st.Mode().Perm() != 0o700 {
		t.Errorf("the folder of the programs: %v %v", st.Mode(), err)
	}
	if got := admin.do("POST", "/plugin_providers/herd", "#!/bin/sh\nexit 1\n"); got.status != 422 {
		t.Errorf("a program that says nothing: %d %s", got.status, got.body)
	}
	admin.must("POST", "/roles", `{"Name":"almost","Claims":[{"scope":"plugin_providers,plugins,contents","action":"*","specific":"*"}]}`, nil)
	admin.must("POST", "/users", `{"Name":"ann","Roles":["almost"]}`, nil)
	var token models.UserToken
	admin.must("GET", "/users/ann/token", nil, &token)
	if got := (client{t, admin.url, token.Token}).do("POST", "/plugin_providers/herd", program); got.status != 403 {
		t.Errorf("somebody who may not do everything uploads: %d %s", got.status, got.body)
	}
	// The token of a plugin is as good as its plugin lives.
	plugin, err := a.auth.PluginToken("herd")
	if err != nil {
		t.Fatal(err)
	}
	p := client{t, admin.url, plugin}
	p.must("GET", "/users", nil, nil)
	admin.must("DELETE", "/plugins/herd", nil, nil)
	if got := p.do("GET", "/users", nil); got.status != 403 {
		t.Errorf("the token of a plugin that is gone: %d", got.status)
	}
	cfg := config(t)
	cfg.PluginUploads = false
	_, admin, _ = start(t, cfg)
	if got := admin.do("POST", "/plugin_providers/herd", program); got.status != 403 || !strings.Contains(string(got.body), "--plugin-uploads") {
		t.Errorf("uploads are switched off: %d %s", got.status, got.body)
	}
}

// TestActionsInTaskLists run in their turn, without a runner.
func TestActionsInTaskLists(t *testing.T) {
	a, admin, _ := start(t, config(t))
	herd(t, admin)
	admin.must("POST", "/tasks", `{"Name":"task1"}`, nil)
	var m models.Machine
	admin.must("POST", "/machines", `{"Name":"m1","Params":{"cow/size":"tall"},"Tasks":["action:moo","action:herd:moo","task1","action:kick","task1"]}`, &m)
	next := func(status int, state models.State, task string) models.Job {
		t.Helper()
		var j models.Job
		got := admin.do("POST", "/jobs", fmt.Sprintf(`{"Machine":%q}`, m.Uuid))
		_ = json.Unmarshal(got.body, &j)
		if got.status != status || j.State != state || j.Task != task {
			t.Fatalf("got %d %s, want %d, a job of %s that is %s", got.status, got.body, status, task, state)
		}
		return j
	}
	j := next(201, models.Finished, "action:moo")
	if log := admin.do("GET", "/jobs/"+j.Uuid+"/log", nil); string(log.body) != "Log for Job: "+j.Uuid+"\nResults from plugin invoke:\n\"moo \\\"tall\\\"\"\nEnd of results\n" {
		t.Errorf("its log: %s", log.body)
	}
	next(201, models.Finished, "action:herd:moo")
	j = next(201, models.Created, "task1")
	admin.must("PATCH", "/jobs/"+j.Uuid, `[{"op":"replace","path":"/State","value":"finished"}]`, nil)
	next(204, "", "")
	now, _ := objects.Get[*models.Machine](a.objects.View(), m.Uuid)
	failed, _ := objects.Get[*models.Job](a.objects.View(), now.CurrentJob)
	log := string(admin.do("GET", "/jobs/"+failed.Uuid+"/log", nil).body)
	if now.Runnable || failed.State != models.Failed || failed.Task != "action:kick" || !strings.Contains(log, "Action kick validation failed: plugin: it kicks back") {
		t.Errorf("after a failed action: runnable %v, %+v\n%s", now.Runnable, failed, log)
	}
	for path, want := range map[string]string{
		"/machines/" + m.Uuid + "/actions":                `"Command":"kick"`,
		"/machines/Name:m1/actions?plugin=herd":           `"Command":"moo"`,
		"/machines/Name:m1/actions/moo":                   `"Provider":"herd"`,
		"/jobs/" + failed.Uuid + "/plugin_actions":        `"look"`,
		"/jobs/" + failed.Uuid + "/plugin_actions/look":   `"look"`,
		"/system/actions":                                 `"count"`,
		"/profiles/global/actions":                        `[]`,
		"/machines/Name:m1/actions?plugin=somebody-elses": `[]`,
	} {
		if got := admin.do("GET", path, nil); got.status != 200 || !strings.Contains(string(got.body), want) {
			t.Errorf("%s: %d %s, want %s", path, got.status, got.body, want)
		}
	}
	var token models.UserToken
	admin.must("GET", "/machines/"+m.Uuid+"/token", nil, &token)
	mc := client{t, admin.url, token.Token}
	if got := mc.do("POST", "/machines/"+m.Uuid+"/actions/moo", `{}`); got.status != 200 {
		t.Errorf("a machine acts on itself: %d %s", got.status, got.body)
	}
	if got := mc.do("POST", "/system/actions/count", `{}`); got.status != 403 {
		t.Errorf("a machine acts on the system: %d %s", got.status, got.body)
	}
}
