package app

import (
	"net/http"
	"strings"
	"testing"
)

// TestGenericVerbsKeepTheContract is §1.3 to §1.5 and §4.1 to §4.8, on kinds of every sort of key.
func TestGenericVerbsKeepTheContract(t *testing.T) {
	_, admin, _ := start(t, config(t))
	kept := map[string]string{"zero": "00000000-0000-0000-0000-000000000000"}
	const patchText = `Patch: [\n  {\n    \"op\": \"test\",\n    \"path\": \"/OS/Name\",\n    \"from\": \"\",\n    \"value\": \"ffred\"\n  },\n  {\n    \"op\": \"replace\",\n    \"path\": \"/OS/Name\",\n    \"from\": \"\",\n    \"value\": \"qfred\"\n  }\n]`
	admin.holds(kept, []statement{
		{says: "4.5 a creation answers 201 with the stored object", call: "POST /bootenvs", body: zero("bootenvs", `{"Name":"fred","OS":{"Name":"fred"}}`), status: 201, want: `{"Name":"fred","Validated":true,"Errors":[],"Available":true,"ReadOnly":false,"Bundle":"","Endpoint":"","Initrds":[],"Loaders":{},"Templates":[]}`},
		{says: "4.5 a second one is refused", call: "POST /bootenvs", body: `{"Name":"fred"}`, status: 409, want: refusal(409, "CREATE", "bootenvs", "fred", "already exists")},
		{says: "4.5 without a key", call: "POST /tasks", body: zero("tasks", `{"Name":""}`), status: 409, want: refusal(409, "CREATE", "tasks", "", "Empty key not allowed")},
		{says: "4.5 a machine needs none", call: "POST /machines", body: zero("machines", `{"Name":"bob","Params":{"aa":1},"Description":"d"}`), status: 201, keep: "U=Uuid"},
		{says: "4.5 unique names", call: "POST /machines", body: zero("machines", `{"Name":"bob"}`), status: 409, want: `{"Type":"CREATE","Code":409,"Model":"machines"}`},
		{says: "4.5 read-only members are not taken", call: "POST /profiles", body: `{"Name":"pp","ReadOnly":true,"Bundle":"x","Endpoint":"y","Available":false,"Validated":false,"Errors":["z"],"Nonsense":1}`, status: 201, want: `{"ReadOnly":false,"Bundle":"","Endpoint":"","Available":true,"Validated":true,"Errors":[]}`},
		{says: "1.3 names in any letter case", call: "POST /profiles", body: `{"name":"lower","PARAMS":{"k/k":1},"meta":{"Icon":"x"}}`, status: 201, want: `{"Name":"lower","Params":{"k/k":1},"Meta":{"Icon":"x"}}`},
		{says: "1.3 a list is never null", call: "GET /tenants", status: 200, want: `[]`},
		{says: "1.4 no JSON", call: "POST /profiles", body: `{"Name":`, status: 400, want: `{"Type":"POST","Code":400}`},
		{says: "1.4 no patch", call: "PATCH /profiles/pp", body: `{"op":"test"}`, status: 400, want: `{"Type":"PATCH","Code":400}`},
		{says: "1.4 wrong content type", call: "POST /profiles", body: `{"Name":"typed"}`, status: 400, want: refusal(400, "POST", "", "", "Invalid content type: text/plain"), with: "Content-Type: text/plain"},
		{says: "1.4 wrong content type", call: "PATCH /profiles/pp", body: `[]`, status: 400, want: refusal(400, "PATCH", "", "", "Invalid content type: text/plain"), with: "Content-Type: text/plain"},
		{says: "1.3 a charset does no harm", call: "PATCH /profiles/pp", body: `[]`, status: 200, with: "Content-Type: application/json; charset=utf-8"},
		{says: "1.4 the content type of patches", call: "PATCH /profiles/pp", body: `[]`, status: 200, with: "Content-Type: application/json-patch+json"},
		{says: "1.4 a null patch", call: "PATCH /profiles/pp", body: `null`, status: 400},
		{says: "1.5 no route", call: "GET /freds/john", status: 404, want: refusal(404, "GET", "", "/api/v3/freds/john", "No route")},
		{says: "1.5 no route", call: "POST /freds", body: `{}`, status: 404, want: refusal(404, "POST", "", "/api/v3/freds", "No route")},
		{says: "1.1.1 a patch without key", call: "PATCH /machines", body: `[]`, status: 404},
		{says: "1.1.1 two slashes", call: "GET /machines//", status: 404},
		{says: "1.1.1 two slashes", call: "GET //machines", status: 404},
		{says: "1.5 not found", call: "GET /bootenvs/frabjulous", status: 404, want: refusal(404, "GET", "bootenvs", "frabjulous", "Not Found")},
		{says: "A no unique index", call: "GET /bootenvs/OnlyUnknown:true", status: 404, want: refusal(404, "GET", "bootenvs", "OnlyUnknown:true", "Not Found")},
		{says: "A a lease by hex", call: "GET /leases/192.168.1.1", status: 404, want: refusal(404, "GET", "leases", "C0A80101", "Not Found")},
		{says: "A a lease that is none", call: "GET /leases/false", status: 404, want: refusal(404, "GET", "leases", "false", "Not Found")},
		{says: "A interface", call: "GET /interfaces/missing", status: 404, want: refusal(404, "GET", "interfaces", "missing", "No interface")},
		{says: "A content", call: "GET /contents/BarkingStore", status: 404, want: refusal(404, "GET", "contents", "BarkingStore", "No such content store")},
		{says: "A content", call: "DELETE /contents/BarkingStore", status: 404, want: refusal(404, "DELETE", "contents", "BarkingStore", "No such content store")},
		{says: "A file", call: "GET /files/foo", status: 404, want: refusal(404, "GET", "files", "/foo", "Not a regular file")},
		{says: "A iso", call: "GET /isos/foo", status: 404, want: refusal(404, "GET", "isos", "/foo", "Not a regular file")},
		{says: "A iso", call: "DELETE /isos/foo", status: 404, want: refusal(404, "DELETE", "isos", "/foo", "Unable to delete")},
		{says: "B a user's password", call: "PUT /users/jill/password", body: `{"Password":"x"}`, status: 404, want: refusal(404, "PUT", "users", "jill", "Not Found")},
		{says: "B a param of a missing object", call: "POST /machines/fred/params/x", body: `1`, status: 404, want: refusal(404, "POST", "machines", "fred", "Not Found")},
		{says: "B a missing param", call: "DELETE /profiles/pp/params/newparam", status: 404, want: refusal(404, "DELETE", "params", "newparam", "Not Found")},
		{says: "4.9 actions of a missing object", call: "GET /machines/john/actions", status: 404, want: refusal(404, "GET", "machines", "john", "Not Found")},
		{says: "4.9 actions", call: "GET /machines/Name:bob/actions", status: 200, want: `[]`},
		{says: "4.9 a missing action", call: "GET /machines/Name:bob/actions/command", status: 404, want: refusal(404, "GET", "machines", "{U}", "command: Not Found")},
		{says: "4.9 a missing action", call: "POST /machines/Name:bob/actions/command", body: `{}`, status: 404, want: refusal(404, "INVOKE", "machines", "{U}", "Action command on machines: Not Found")},
		{says: "4.9 run on what is not there", call: "POST /machines/john/actions/command", body: `{}`, status: 404, want: refusal(404, "POST", "machines", "john", "Not Found")},
		{says: "4.9 of jobs", call: "GET /jobs/john/plugin_actions", status: 404, want: refusal(404, "GET", "jobs", "john", "Not Found")},

		// PATCH: what the client sends (4.6) and what the server does (4.7).
		{says: "4.7 a test that fails", call: "PATCH /bootenvs/Name:fred", body: `[{"op":"test","path":"/OS/Name","from":"","value":"ffred"},{"op":"replace","path":"/OS/Name","from":"","value":"qfred"}]`, status: 409, want: `{"Model":"bootenvs","Key":"fred","Type":"PATCH","Code":409}`},
		{says: "4.7 the empty patch", call: "PATCH /bootenvs/fred", body: `[]`, status: 200, want: `{"Name":"fred"}`},
		{says: "4.6 add of a key", call: "PATCH /machines/{U}", body: `[{"op":"add","path":"/Params/bb","from":"","value":2},{"op":"test","path":"/Description","from":"","value":"d"},{"op":"replace","path":"/Description","from":"","value":"x"}]`, status: 200, want: `{"Description":"x","Params":{"aa":1,"bb":2}}`},
		{says: "4.6 lists are replaced whole", call: "PATCH /machines/{U}", body: `[{"op":"test","path":"/Profiles","from":"","value":[]},{"op":"replace","path":"/Profiles","from":"","value":["pp"]}]`, status: 200, want: `{"Profiles":["pp"]}`},
		{says: "4.6 remove of a key", call: "PATCH /machines/{U}", body: `[{"op":"test","path":"/Params/bb","from":"","value":2},{"op":"remove","path":"/Params/bb","from":"","value":null}]`, status: 200, want: `{"Params":{"aa":1}}`},
		{says: "4.6 the user's own patch", call: "PATCH /machines/Name:bob", body: `[{"op":"replace","path":"/Runnable","from":"","value":false}]`, status: 200, want: `{"Runnable":false}`},
		{says: "4.7 numbers by value", call: "PATCH /machines/{U}", body: `[{"op":"test","path":"/Params/aa","from":"","value":1.0}]`, status: 200},
		{says: "4.7 what is missing is not null", call: "PATCH /machines/{U}", body: `[{"op":"test","path":"/Params/zz","from":"","value":null}]`, status: 409},
		{says: "4.7 all or nothing", call: "PATCH /machines/{U}", body: `[{"op":"replace","path":"/Description","from":"","value":"y"},{"op":"test","path":"/Name","from":"","value":"z"}]`, status: 409},
		{says: "4.7 all or nothing", call: "GET /machines/{U}", status: 200, want: `{"Description":"x"}`},
		{says: "4.7 unknown members are dropped", call: "PATCH /machines/{U}", body: `[{"op":"add","path":"/Nonsense","from":"","value":1}]`, status: 200},
		{says: "4.7 move and copy", call: "PATCH /machines/{U}", body: `[{"op":"copy","path":"/Params/cc","from":"/Params/aa","value":null},{"op":"move","path":"/Params/dd","from":"/Params/cc","value":null}]`, status: 200, want: `{"Params":{"aa":1,"dd":1}}`},
		{says: "4.7 read-only members are restored", call: "PATCH /machines/{U}", body: `[{"op":"replace","path":"/Bundle","from":"","value":"x"},{"op":"replace","path":"/Available","from":"","value":false},{"op":"replace","path":"/Validated","from":"","value":false},{"op":"replace","path":"/ReadOnly","from":"","value":true},{"op":"replace","path":"/Errors","from":"","value":["x"]},{"op":"replace","path":"/Endpoint","from":"","value":"x"}]`, status: 200, want: `{"Bundle":"","Available":true,"Validated":true,"ReadOnly":false,"Errors":[],"Endpoint":""}`},
		{says: "4.7 remove of what is missing", call: "PATCH /profiles/pp", body: `[{"op":"remove","path":"/Params/foo","from":"","value":null}]`, status: 409},
		{says: "4.7 replace of what is missing", call: "PATCH /profiles/pp", body: `[{"op":"replace","path":"/Params/foo","from":"","value":null}]`, status: 409},
		{says: "1.4 unknown op", call: "PATCH /profiles/pp", body: `[{"op":"bogus","path":"/Params/foo","from":"","value":null}]`, status: 400, want: refusal(400, "PATCH", "profiles", "pp", "Malformed patch at line 0: Invalid op bogus")},
		{says: "4.7 a list index out of bounds", call: "PATCH /machines/{U}", body: `[{"op":"replace","path":"/Profiles/7","from":"","value":"x"}]`, status: 409},
		{says: "4.7 the key cannot change", call: "PATCH /profiles/pp", body: `[{"op":"replace","path":"/Name","from":"","value":"qq"}]`, status: 422},
		{says: "4.6 a REF without a key", call: "PATCH /machines/{U}", body: `[{"op":"test","path":"","from":"","value":{"Name":"bob"}},{"op":"replace","path":"/Description","from":"","value":"q"}]`, status: 409},

		// The forms of an id.
		{says: "4.1 Key:", call: "GET /profiles/Key:pp", status: 200, want: `{"Name":"pp"}`},
		{says: "4.1 Name:", call: "GET /profiles/Name:pp", status: 200, want: `{"Name":"pp"}`},
		{says: "4.1 Uuid:", call: "GET /machines/Uuid:{U}", status: 200, want: `{"Name":"bob"}`},
		{says: "4.1 Key: of a machine", call: "GET /machines/Key:{U}", status: 200, want: `{"Name":"bob"}`},
		{says: "4.1 HEAD", call: "HEAD /machines/Name:bob", status: 200},
		{says: "4.1 HEAD of what is missing", call: "HEAD /machines/Name:bobby", status: 404},
		{says: "4.1 params", call: "GET /machines/Name:bob/params", status: 200, want: `{"aa":1,"dd":1}`},
		{says: "4.1 one param", call: "GET /machines/Key:{U}/params/aa", status: 200, want: `1`},
		{says: "4.1 set a param", call: "POST /machines/Name:bob/params/e/e", body: `3`, status: 200, want: `3`},
		{says: "4.1 delete a param", call: "DELETE /machines/Name:bob/params/e/e", status: 200, want: `3`},
		{says: "4.1 patch params", call: "PATCH /machines/Name:bob/params", body: `[{"op":"remove","path":"/dd","from":"","value":null}]`, status: 200, want: `{"aa":1}`},
		{says: "4.1 pubkey", call: "GET /machines/Name:bob/pubkey", status: 200},
		{says: "4.1 meta", call: "GET /meta/machines/Name:bob", status: 200, want: `{"feature-flags":"change-stage-v2"}`},
		{says: "4.1 meta", call: "PATCH /meta/machines/Name:bob", body: `[{"op":"add","path":"/icon","from":"","value":"x"}]`, status: 200, want: `{"icon":"x"}`},
		{says: "4.1 token", call: "GET /machines/Name:bob/token?ttl=1h", status: 200},
		{says: "4.1 token of a user", call: "GET /users/Name:rocketskates/token", status: 200},
		{says: "4.1 password of a user", call: "POST /users", body: zero("users", `{"Name":"ann"}`), status: 201},
		{says: "4.1 password of a user", call: "PUT /users/Key:ann/password", body: `{"Password":"x"}`, status: 200, want: `{"Name":"ann"}`},
		{says: "4.1 put", call: "PUT /profiles/Name:pp", body: `{"Name":"pp","Description":"z"}`, status: 200, want: `{"Name":"pp","Description":"z"}`},
		{says: "4.1 params with slashes", call: "POST /params", body: zero("params", `{"Name":"s/t/u","Schema":{"type":"string"}}`), status: 201},
		{says: "4.1 params with slashes", call: "GET /params/s/t/u", status: 200, want: `{"Name":"s/t/u"}`},
		{says: "4.1 params with slashes", call: "GET /params/Name:s/t/u", status: 200, want: `{"Name":"s/t/u"}`},
		{says: "4.1 params with slashes", call: "PATCH /params/Key:s/t/u", body: `[{"op":"replace","path":"/Description","from":"","value":"q"}]`, status: 200, want: `{"Description":"q"}`},
		{says: "4.1 meta of params with slashes", call: "PATCH /meta/params/s/t/u", body: `[{"op":"add","path":"/icon","from":"","value":"x"}]`, status: 200, want: `{"icon":"x"}`},
		{says: "B missing params", call: "GET /params/john2", status: 404, want: refusal(404, "GET", "params", "john2", "Not Found")},
		{says: "4.1 delete answers with the object", call: "DELETE /params/Name:s/t/u", status: 200, want: `{"Name":"s/t/u","Description":"q"}`},

		// Whole objects.
		{says: "4.8 PUT answers with the object", call: "PUT /templates/x", body: `{}`, status: 404},
		{says: "4.8 PUT", call: "POST /templates", body: zero("templates", `{"ID":"tt","Contents":"a"}`), status: 201},
		{says: "4.8 PUT", call: "PUT /templates/tt", body: zero("templates", `{"ID":"tt","Contents":"b"}`), status: 200, want: `{"ID":"tt","Contents":"b","Meta":{},"Errors":[]}`},
		{says: "4.8 PUT replaces params", call: "PUT /profiles/lower", body: zero("profiles", `{"Name":"lower","Params":{"nn":1}}`), status: 200, want: `{"Params":{"nn":1},"Meta":{}}`},

		// Flags.
		{says: "4.2 slim", call: "GET /machines/{U}?slim=Params,Meta", status: 200, want: `{"Params":{},"Meta":{},"Partial":true}`},
		{says: "4.2 params=", call: "GET /machines/{U}?params=aa,none", status: 200, want: `{"Params":{"aa":1},"Partial":true}`},
		{says: "4.2 neither", call: "GET /machines/{U}", status: 200, want: `{"Params":{"aa":1},"Partial":false}`},

		// Read-only objects.
		{says: "9.3 deletion", call: "DELETE /bootenvs/ignore", status: 409, want: refusal(409, "StillInUseError", "bootenvs", "ignore", "BootEnv ignore is the active unknownBootEnv, cannot remove it")},
		{says: "3.9 in use", call: "DELETE /bootenvs/local", status: 409},

		// DELETE.
		{says: "4.1 delete answers with the object", call: "DELETE /machines/Name:bob", status: 200, want: `{"Name":"bob","Uuid":"{U}"}`},
		{says: "4.1 it is gone", call: "GET /machines/{U}", status: 404, want: refusal(404, "GET", "machines", "{U}", "Not Found")},
		{says: "4.1 it is gone", call: "DELETE /machines/{U}", status: 404, want: refusal(404, "DELETE", "machines", "{U}", "Not Found")},
	})
	got := admin.do("PATCH", "/bootenvs/fred", `[{"op":"test","path":"/OS/Name","from":"","value":"ffred"},{"op":"replace","path":"/OS/Name","from":"","value":"qfred"}]`)
	if !strings.Contains(string(got.body), `"Messages":["Patch error at line 0: Test op failed.","`+patchText+`"`) {
		t.Errorf("4.7 the texts of a failed test: %s", got.body)
	}
}

// TestAnswersWithoutABodySayWhatTheyAre: the client refuses an empty answer that is not said to be
// JSON (§1.3).
func TestAnswersWithoutABodySayWhatTheyAre(t *testing.T) {
	_, admin, _ := start(t, config(t))
	ids := populate(t, admin)
	for _, call := range []string{"PUT /jobs/" + ids["jobs"] + "/log", "POST /events", "DELETE /files/empty", "POST /jobs"} {
		method, path, _ := strings.Cut(call, " ")
		body := ""
		switch call {
		case "POST /events":
			body = `{"Time":"0001-01-01T00:00:00Z","Type":"a","Action":"b","Key":"c","Principal":"","Object":null,"Original":null}`
		case "DELETE /files/empty":
			admin.must("POST", "/files/empty", "x", nil)
		case "POST /jobs":
			var m struct{ Uuid string }
			admin.must("POST", "/machines", `{"Name":"idle"}`, &m)
			body = zero("jobs", `{"Machine":"`+m.Uuid+`"}`)
		}
		got := admin.do(method, path, body)
		if got.status != http.StatusNoContent || !strings.HasPrefix(got.header.Get("Content-Type"), "application/json") || len(got.body) > 0 {
			t.Errorf("%s: %d %v %s", call, got.status, got.header, got.body)
		}
	}
}
