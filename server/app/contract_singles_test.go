package app

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"drp/models"
)

// TestSingletonsKeepTheContract is §2.3, §8.1, §8.2 and §8.4 to §8.6.
func TestSingletonsKeepTheContract(t *testing.T) {
	_, admin, _ := start(t, config(t))
	kept := map[string]string{}
	const pref32 = "abcdefghijklmnopqrstuvwxyz012345"
	admin.holds(kept, []statement{
		{says: "2.3 the reply", call: "GET /users/rocketskates/token", status: 200, want: `{"Info":{"ha_is_active":true}}`, keep: "T=Token"},
		{says: "2.3 ttl in seconds", call: "GET /users/rocketskates/token?ttl=7200", status: 200},
		{says: "2.3 ttl with a unit", call: "GET /users/rocketskates/token?ttl=3y", status: 200},
		{says: "2.3 ttl never", call: "GET /users/rocketskates/token?ttl=never", status: 200},
		{says: "2.3 unknown user", call: "GET /users/greg/token", status: 404, want: refusal(404, "GET", "users", "greg", "Not Found")},
		{says: "2.3 bad ttl", call: "GET /users/rocketskates/token?ttl=cow", status: 400, want: refusal(400, "GET", "users", "rocketskates", `strconv.ParseInt: parsing "cow": invalid syntax`)},
		{says: "2.3 narrow tokens", call: "GET /users/rocketskates/token?scope=machines&action=list,get", status: 200, keep: "N=Token"},
		{says: "2.3 what it grants", call: "GET /machines", status: 200, want: `[]`, with: "Authorization: Bearer {N}"},
		{says: "2.6 what it does not", call: "POST /machines", body: `{"Name":"no"}`, status: 403, want: `{"Model":"","Key":"","Type":"AUTH","Code":403}`, with: "Authorization: Bearer {N}"},
		{says: "2.6 lists of what it does not", call: "GET /roles", status: 200, want: `[]`, with: "Authorization: Bearer {N}"},
		{says: "2.6 objects of what it does not", call: "GET /roles/superuser", status: 404, want: refusal(404, "GET", "roles", "superuser", "Not Found"), with: "Authorization: Bearer {N}"},
		{says: "2.6 creation over what it does not see", call: "POST /roles", body: `{"Name":"superuser"}`, status: 403, with: "Authorization: Bearer {N}"},
		{says: "2.6 special actions on what is visible", call: "GET /machines?decode=true", status: 403, want: refusal(403, "AUTH", "", "", "Cannot access /api/v3/machines?decode=true", "Requires: machines getSecure "), with: "Authorization: Bearer {N}"},
		{says: "2.3 roles that exceed", call: "GET /users/rocketskates/token?roles=nobody", status: 200, keep: "R=Token"},
		{says: "2.3 roles that exceed", call: "GET /prefs", status: 403, with: "Authorization: Bearer {R}"},
		{says: "3.16 neither hash nor secret of the password", call: "GET /users/rocketskates", status: 200, want: `{"Name":"rocketskates","Roles":["superuser"]}`},
		{says: "2.1 the role of the first user", call: "GET /roles/superuser", status: 200, want: `{"ReadOnly":true,"Bundle":"BasicStore","Claims":[{"scope":"*","action":"*","specific":"*"}]}`},
		{says: "8.4 the map", call: "GET /prefs", status: 200, want: `{"defaultBootEnv":"local","unknownBootEnv":"ignore","defaultStage":"none","defaultWorkflow":"","knownTokenTimeout":"3600","unknownTokenTimeout":"600","debugBootEnv":"warn","debugDhcp":"warn","debugFrontend":"warn","debugPlugins":"warn","debugRenderer":"warn","logLevel":"warn","manager":"false"}`, keep: "B=baseTokenSecret"},
		{says: "8.4 unknown", call: "POST /prefs", body: `{"greg":"x","manager":"true"}`, status: 422, want: refusal(422, "POST", "prefs", "", "Unknown Preference greg")},
		{says: "8.4 all or nothing", call: "POST /prefs", body: `{"knownTokenTimeout":"illegal","debugDhcp":"debug"}`, status: 422, want: refusal(422, "POST", "prefs", "", `knownTokenTimeout: strconv.Atoi: parsing "illegal": invalid syntax`)},
		{says: "8.4 all or nothing", call: "GET /prefs", status: 200, want: `{"knownTokenTimeout":"3600","debugDhcp":"warn","manager":"false"}`},
		{says: "8.4", call: "POST /prefs", body: `{"unknownTokenTimeout":"illegal"}`, status: 422, want: refusal(422, "POST", "prefs", "", `unknownTokenTimeout: strconv.Atoi: parsing "illegal": invalid syntax`)},
		{says: "8.4", call: "POST /prefs", body: `{"defaultBootEnv":"illegal"}`, status: 422, want: refusal(422, "POST", "prefs", "", "defaultBootEnv: Bootenv illegal does not exist")},
		{says: "8.4", call: "POST /prefs", body: `{"defaultWorkflow":"foo"}`, status: 422, want: refusal(422, "POST", "prefs", "", "defaultWorkflow: Workflow foo does not exist")},
		{says: "8.4", call: "POST /prefs", body: `{"baseTokenSecret":"x"}`, status: 422, want: refusal(422, "POST", "prefs", "", "baseTokenSecret: Must be 32 bytes long")},
		{says: "8.4", call: "POST /prefs", body: `{"unknownBootEnv":"local"}`, status: 422},
		{says: "8.4 levels by number", call: "POST /prefs", body: `{"debugDhcp":"0","debugBootEnv":"1","debugRenderer":"2"}`, status: 201, want: `{"debugDhcp":"warn","debugBootEnv":"info","debugRenderer":"debug","unknownBootEnv":"ignore"}`},
		{says: "8.4 an empty workflow", call: "POST /prefs", body: `{"defaultWorkflow":""}`, status: 201, want: `{"defaultWorkflow":""}`},
		{says: "8.4 no strings", call: "POST /prefs", body: `{"knownTokenTimeout":5}`, status: 400, want: `{"Model":"prefs"}`},
		{says: "8.4 no map", call: "POST /prefs", body: `"fred"`, status: 400},
		{says: "8.6 without plugins", call: "GET /system/actions", status: 200, want: `[]`},
		{says: "4.9", call: "GET /system/actions/command", status: 404, want: refusal(404, "GET", "profiles", "global", "command: Not Found")},
		{says: "4.9", call: "POST /system/actions/command", body: `{}`, status: 404, want: refusal(404, "INVOKE", "system", "global", "Action command on system: Not Found")},
		{says: "2.4 the secret of the server", call: "POST /prefs", body: `{"baseTokenSecret":"` + pref32 + `"}`, status: 201},
	})
	if got := admin.do("GET", "/info", nil); got.status != 403 {
		t.Errorf("2.4 a token from before: %d %s, want 403", got.status, got.body)
	}
	for says, c := range map[string]client{"2.4 a token cut short": {t, admin.url, kept["T"][:9]}, "2.1 no token": {t, admin.url, ""}} {
		if got := c.do("GET", "/info", nil); got.status != map[string]int{"": 401}[c.token] && got.status != 403 {
			t.Errorf("%s: %d %s", says, got.status, got.body)
		} else {
			envelope(t, got)
		}
	}
	if got := (client{t, admin.url, "rocketskates:wrong"}).do("GET", "/users/rocketskates/token", nil); got.status != 401 {
		t.Errorf("2.6 a wrong password: %d %s", got.status, got.body)
	}
	admin.token = "rocketskates:r0cketsk8ts"
	var token models.UserToken
	admin.must("GET", "/users/rocketskates/token", nil, &token)
	if got := admin.do("GET", "/info", nil, "Authorization", "Bearer "+token.Token+" \n"[:1]); got.status != 200 {
		t.Errorf("2.1 Basic and Bearer: %d", got.status)
	}

	var info map[string]json.RawMessage
	got := admin.do("GET", "/info", nil)
	if err := json.Unmarshal(got.body, &info); err != nil {
		t.Fatal(err)
	}
	for name, kind := range map[string]string{
		"arch": `"`, "os": `"`, "version": `"v`, "id": `"`, "local_id": `"`, "ha_id": `"`, "api_port": "0-9", "file_port": "0-9", "secure_file_port": "0-9", "dhcp_port": "0-9", "binl_port": "0-9", "tftp_port": "0-9",
		"tftp_enabled": "tf", "dhcp_enabled": "tf", "binl_enabled": "tf", "prov_enabled": "tf", "secure_prov_enabled": "tf", "address": `"`, "server_hostname": `"`, "manager": "tf",
		"stats": "[", "features": "[", "scopes": "{", "License": "{", "errors": "[", "ha_enabled": "false", "ha_is_active": "true", "ha_virtual_address": `""`, "ha_status": `"Up"`, "ha_active_id": `"`, "ha_passive_state": "[]", "ClusterState": "{",
	} {
		text := string(info[name])
		if kind == "0-9" && (text == "" || strings.Trim(text, "0123456789") != "") || kind == "tf" && text != "true" && text != "false" || len(kind) != 2 && kind != "0-9" && !strings.HasPrefix(text, kind) {
			t.Errorf("8.1 %s is %s", name, text)
		}
	}
	var stats []struct {
		Name  string `json:"name"`
		Count int    `json:"count"`
	}
	json.Unmarshal(info["stats"], &stats)
	names := []string{}
	for _, s := range stats {
		names = append(names, s.Name)
	}
	for _, name := range []string{"machines.count", "subnets.count", "contexts.count"} {
		if !slices.Contains(names, name) {
			t.Errorf("8.1 stats lack %s: %s", name, info["stats"])
		}
	}
	for _, feature := range strings.Fields("api-v3 sane-exit-codes common-blob-size change-stage-map job-exit-states package-repository-handling profileless-machine threaded-log-levels plugin-v2 fsm-runner plugin-v2-safe-config workflows default-workflow http-range-header roles tenants secure-params separate-meta-api slim-objects secure-param-upgrade sprig multiarch actions-in-task-list bundle-objects secure-params-in-content-packs task-prerequisites content-prerequisite-version-checking stage-paramer auto-boot-target selective-job-purge") {
		if !strings.Contains(string(info["features"]), `"`+feature+`"`) {
			t.Errorf("8.2 no feature %s", feature)
		}
	}
	var license map[string]json.RawMessage
	json.Unmarshal(info["License"], &license)
	for _, name := range strings.Fields("Contact ContactEmail ContactId Owner OwnerEmail OwnerId Grantor GrantorEmail Version GenerationVersion MaxDrpVersion Licenses") {
		if text := string(license[name]); text == "" || text == "null" {
			t.Errorf("8.3 License has %s = %s", name, text)
		}
	}
	var scopes map[string]map[string]struct{}
	json.Unmarshal(info["scopes"], &scopes)
	for scope, actions := range map[string]string{
		"machines": "list get create delete actions update action getSecure updateSecure updateTaskList token whoami", "users": "token password", "jobs": "log", "profiles": "getSecure updateSecure",
		"preferences": "list post", "contents": "list get create update delete", "files": "list get post delete", "info": "get", "objects": "list", "system": "upgrade replicate active passive",
	} {
		for action := range strings.FieldsSeq(actions) {
			if _, ok := scopes[scope][action]; !ok {
				t.Errorf("2.5 no action %s of %s in scopes", action, scope)
			}
		}
	}
	var lines []map[string]any
	admin.must("GET", "/logs", nil, &lines)
	audited := slices.ContainsFunc(lines, func(l map[string]any) bool {
		return l["Level"] == "audit" && l["Service"] == "frontend" && l["Message"] == "Authenticated user rocketskates from 127.0.0.1"
	})
	if !audited || len(lines[0]) != 11 {
		t.Errorf("8.5 no line about the login, or other members: %v", lines)
	}
}

// TestParamsKeepTheContract is §5.1 to §5.4 with the calls of drpcli.
func TestParamsKeepTheContract(t *testing.T) {
	_, admin, _ := start(t, config(t))
	kept := map[string]string{}
	for _, o := range [][2]string{
		{"params", zero("params", `{"Name":"goodDefault","Schema":{"type":"string","default":"dd"}}`)},
		{"params", zero("params", `{"Name":"a/map","Schema":{"type":"object"}}`)}, {"params", zero("params", `{"Name":"a/list","Schema":{"type":"array"}}`)},
		{"profiles", `{"Name":"deep","Params":{"from":"deep","deepest":1,"a/map":{"d":1,"k":"deep"},"a/list":["d"]}}`},
		{"profiles", `{"Name":"first","Profiles":["deep"],"Params":{"from":"first","a/map":{"f":1,"k":"first"},"a/list":["f"]}}`},
		{"profiles", `{"Name":"second","Params":{"from":"second","second":2}}`},
		{"profiles", `{"Name":"of-stage","Params":{"from":"of-stage","staged":3}}`},
		{"stages", `{"Name":"stage","Profiles":["of-stage"],"Params":{"from":"stage","in-stage":4}}`},
		{"profiles", `{"Name":"john"}`},
	} {
		admin.must("POST", "/"+o[0], o[1], nil)
	}
	admin.must("PATCH", "/profiles/global", `[{"op":"add","path":"/Params","value":{"from":"global","everywhere":5}}]`, nil)
	const failed = "Patch failed to apply at line 0"
	admin.holds(kept, []statement{
		{says: "", call: "POST /machines", body: zero("machines", `{"Name":"bob","Stage":"stage","Profiles":["first","second"],"Params":{"from":"bob","own":0}}`), status: 201, keep: "U=Uuid"},
		{says: "5.3 the object's own", call: "GET /machines/{U}/params", status: 200, want: `{"from":"bob","own":0}`},
		{says: "5.1 params=", call: "GET /machines/{U}/params?params=own,none", status: 200, want: `{"own":0}`},
		{says: "5.3 aggregate", call: "GET /machines/{U}/params?aggregate=true", status: 200, want: `{"from":"bob","own":0,"second":2,"deepest":1,"staged":3,"in-stage":4,"everywhere":5}`},
		{says: "5.3 without defaults", call: "GET /machines/{U}/params?aggregate=true&params=goodDefault", status: 200, want: `{}`},
		{says: "5.3 one with its default", call: "GET /machines/{U}/params/goodDefault?aggregate=true", status: 200, want: `"dd"`},
		{says: "5.3 one, its own", call: "GET /machines/{U}/params/goodDefault", status: 200, want: `null`},
		{says: "5.3 compose", call: "GET /machines/{U}/params/a/map?aggregate=true&compose=true", status: 200, want: `{"d":1,"f":1,"k":"first"}`},
		{says: "5.3 nobody has it", call: "GET /machines/{U}/params/runner-tmpdir?aggregate=true", status: 200, want: `null`},
		{says: "5.3 nested profiles", call: "GET /profiles/first/params?aggregate=true", status: 200, want: `{"from":"first","deepest":1}`},
		{says: "4.2 aggregate of a machine", call: "GET /machines/{U}?aggregate=true", status: 200, want: `{"Params":{"second":2,"everywhere":5}}`},
		{says: "5.4 the schema", call: "POST /profiles/john/params/goodDefault", body: `[5]`, status: 422, want: refusal(422, "POST", "profiles", "john", "Key 'goodDefault': invalid val '[5]': : (root): Invalid type. Expected: string, given: array")},
		{says: "5.4 the schema, the key as typed", call: "POST /machines/Name:bob/params/goodDefault", body: `[5]`, status: 422, want: refusal(422, "POST", "machines", "Name:bob", "Key 'goodDefault': invalid val '[5]': : (root): Invalid type. Expected: string, given: array")},
		{says: "5.1 a bare value", call: "POST /profiles/john/params/john", body: `3`, status: 200, want: `3`},
		{says: "5.1 null is stored", call: "POST /profiles/john/params/john2", body: `null`, status: 200, want: `null`},
		{says: "5.1 null is shown", call: "GET /profiles/john/params", status: 200, want: `{"john":3,"john2":null}`},
		{says: "5.1 a slash", call: "POST /profiles/john/params/a/b/c", body: `"x"`, status: 200, want: `"x"`},
		{says: "5.1 a slash", call: "PATCH /profiles/john/params", body: `[{"op":"test","path":"/a~1b~1c","from":"","value":"x"},{"op":"replace","path":"/a~1b~1c","from":"","value":"y"}]`, status: 200, want: `{"a/b/c":"y"}`},
		{says: "5.1 delete", call: "DELETE /profiles/john/params/a/b/c", status: 200, want: `"y"`},
		{says: "5.1 delete what is missing", call: "DELETE /profiles/john/params/a/b/c", status: 404, want: refusal(404, "DELETE", "params", "a/b/c", "Not Found")},
		{says: "5.2 set -r", call: "PATCH /profiles/john/params", body: `[{"op":"test","path":"/john","from":"","value":3},{"op":"replace","path":"/john","from":"","value":4}]`, status: 200, want: `{"john":4,"john2":null}`},
		{says: "5.2 the losers", call: "PATCH /profiles/john/params", body: `[{"op":"test","path":"/john","from":"","value":3},{"op":"replace","path":"/john","from":"","value":5}]`, status: 409, want: `{"Model":"profiles","Key":"john","Type":"PATCH","Code":409}`},
		{says: "5.2 add", call: "PATCH /profiles/john/params", body: `[{"op":"test","path":"","from":"","value":{"john":4,"john2":null}},{"op":"add","path":"/added","from":"","value":{"x":[]}}]`, status: 200, want: `{"john":4,"john2":null,"added":{"x":[]}}`},
		{says: "5.2 add to another map", call: "PATCH /profiles/john/params", body: `[{"op":"test","path":"","from":"","value":{}},{"op":"add","path":"/more","from":"","value":1}]`, status: 409},
		{says: "5.2 remove -r", call: "PATCH /profiles/john/params", body: `[{"op":"test","path":"/john","from":"","value":4},{"op":"remove","path":"/john","from":"","value":null}]`, status: 200, want: `{"john2":null,"added":{"x":[]}}`},
		{says: "4.7 remove of what is missing", call: "PATCH /profiles/john/params", body: `[{"op":"remove","path":"/foo","from":"","value":null}]`, status: 409, want: refusal(409, "PATCH", "profiles", "john", failed, "`/foo` does not point to an existing location")},
		{says: "5.2 params MAP", call: "POST /profiles/john/params", body: `{"jj":1}`, status: 200, want: `{"jj":1}`},
		{says: "5.2 params MAP replaces", call: "GET /profiles/john/params", status: 200, want: `{"jj":1}`},
		{says: "5.2 params MAP null", call: "GET /profiles/john/params/john2", status: 200, want: `null`},
		{says: "5.1 meta", call: "GET /meta/profiles/bob", status: 404, want: refusal(404, "GET", "profiles", "bob", "Not Found")},
		{says: "5.2 meta add", call: "PATCH /meta/profiles/john", body: `[{"op":"test","path":"","from":"","value":{}},{"op":"add","path":"/kk","from":"","value":"v"}]`, status: 200, want: `{"kk":"v"}`},
		{says: "5.2 meta set", call: "PATCH /meta/profiles/john", body: `[{"op":"test","path":"/kk","from":"","value":"v"},{"op":"add","path":"/kk","from":"","value":"w"}]`, status: 200, want: `{"kk":"w"}`},
		{says: "5.2 meta set, lost", call: "PATCH /meta/profiles/john", body: `[{"op":"test","path":"/kk","from":"","value":"v"},{"op":"add","path":"/kk","from":"","value":"w"}]`, status: 409, want: `{"Model":"profiles","Key":"john","Type":"PATCH"}`},
		{says: "5.2 meta remove", call: "PATCH /meta/profiles/john", body: `[{"op":"remove","path":"/kk","from":"","value":null}]`, status: 200, want: `{}`},
		{says: "5.4 names", call: "POST /profiles/john/params/[x]", body: `1`, status: 422, want: `{"Model":"profiles","Key":"john"}`},
		{says: "5.1 of a missing object", call: "GET /profiles/nobody/params", status: 404, want: refusal(404, "GET", "profiles", "nobody", "Not Found")},
		{says: "5.1 of a missing object", call: "GET /profiles/nobody/pubkey", status: 404, want: refusal(404, "GET", "profiles", "nobody", "Not Found")},
	})
	var key []byte
	admin.must("GET", "/profiles/john/pubkey", nil, &key)
	if len(key) != 32 {
		t.Errorf("5.1 the key has %d bytes", len(key))
	}
}

// TestLongPollsKeepTheContract is §4.4, HEAD too.
func TestLongPollsKeepTheContract(t *testing.T) {
	a, admin, _ := start(t, config(t))
	for _, method := range []string{"GET", "HEAD"} {
		admin.must("POST", "/profiles", `{"Name":"pp"}`, nil)
		etag := admin.do(method, "/profiles/pp", nil).header.Get("ETag")
		if got := admin.do(method, "/profiles/pp", nil, "If-None-Match", etag, "Cache-Control", "no-store"); got.status != 304 || got.header.Get("ETag") != etag {
			t.Errorf("%s unchanged: %d %v", method, got.status, got.header)
		}
		if got := admin.do(method, "/profiles/Name:pp", nil, "If-None-Match", `"other"`, "Prefer", "wait=5m"); got.status != 200 {
			t.Errorf("%s changed before: %d", method, got.status)
		}
		answers := make(chan answer)
		go func() { answers <- admin.do(method, "/profiles/pp", nil, "If-None-Match", etag, "Prefer", "wait=5m") }()
		waiters(a, 1)
		admin.must("POST", "/profiles/pp/params/aa", `1`, nil)
		got := <-answers
		if got.status != 200 || got.header.Get("ETag") == etag {
			t.Errorf("%s after a change: %d %v", method, got.status, got.header)
		}
		go func() {
			answers <- admin.do(method, "/profiles/pp", nil, "If-None-Match", got.header.Get("ETag"), "Prefer", "wait=5m")
		}()
		waiters(a, 1)
		admin.must("DELETE", "/profiles/pp", nil, nil)
		if got := <-answers; got.status != 404 {
			t.Errorf("%s after the deletion: %d", method, got.status)
		}
	}
}
