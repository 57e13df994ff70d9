package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/nacl/box"

	"crypto/rand"
)

const machine = `{"Name":"m1","Uuid":"3e70","Description":"","Workflow":"","Stage":"none","Runnable":true,"Params":{"a":1.50},"Profiles":[],"Tasks":["t1","t2","t3"],"CurrentTask":0,"CurrentJob":"j1"}`

// changed is the patch that most verbs of the transcripts send.
func changed(field, old, new string) string {
	return `[{"from":"","op":"test","path":"/` + field + `","value":` + old + `},{"from":"","op":"replace","path":"/` + field + `","value":` + new + `}]`
}

func TestRequestsAreThoseOfDrpcli(t *testing.T) {
	answers := map[string]string{
		"GET machines/Name:m1": machine, "PATCH machines/3e70": machine, "PATCH machines/Name:m1": machine,
		"GET params/k": `{"Name":"k","Secure":false}`, "GET profiles/X/params": `{"a":1}`, "POST profiles/X/params": `{}`,
		"PATCH profiles/X/params": `{"rest":1}`, "POST profiles/X/params/k": `2`, "DELETE profiles/X/params/k": `1`,
		"GET profiles/X/params/k": `1`, "GET meta/profiles/X": `{"a":"b"}`, "PATCH meta/profiles/X": `{}`,
		"POST machines": `201 {"Name":"m1"}`, "POST jobs": `201 {"Uuid":"j1"}`, "PATCH jobs/j1": `{}`,
		"GET jobs/j1": `{"Uuid":"j1","State":"created"}`, "GET stages/s": `{"Name":"s","BootEnv":"","Tasks":[]}`, "PATCH stages/s": `{}`,
		"GET templates/t": `{"ID":"t","Contents":"old"}`, "PUT templates/t": `{}`, "POST templates": `{}`,
		"GET contents": `[{"meta":{"Name":"there"}}]`, "PUT contents/there": `{}`, "POST contents": `{}`, "GET users/u/token": `{}`,
		"PUT users/u/password": `{}`, "GET machines": `[]`, "DELETE machines/Name:m1": machine, "POST profiles/X/actions/go": `1`,
		"GET jobs?Machine=3e70": `[{"Uuid":"j1"},{"Uuid":"j2"}]`, "DELETE jobs/j1": `{}`, "DELETE jobs/j2": `{}`, "POST prefs": `{}`, "PUT jobs/j1/log": `204 `,
		"POST events": `204 `,
	}
	get := "GET machines/Name:m1"
	for _, c := range []struct {
		args string // separated by blanks; ~ stands for a blank
		want []string
		out  string // "": not looked at
	}{
		{`machines update Name:m1 {"Description":"x","Params":{"b":2}}`, []string{get,
			`PATCH machines/3e70 [{"from":"","op":"test","path":"/Description","value":""},{"from":"","op":"replace","path":"/Description","value":"x"},{"from":"","op":"add","path":"/Params/b","value":2}]`}, ""},
		{`machines update Name:m1 {"Params":{"a":null}}`, []string{get, `PATCH machines/3e70 []`}, ""},
		{`machines update Name:m1 {"description":"x"} -f`, []string{get, `PATCH machines/3e70?force=true ` + changed("Description", `""`, `"x"`)}, ""},
		{`machines update Name:m1 {"Description":"q"} -r ` + machine, []string{
			`PATCH machines/3e70 [{"from":"","op":"test","path":"","value":` + machine + `},{"from":"","op":"replace","path":"/Description","value":"q"}]`}, ""},
		{`machines update Name:m1 {} -r ` + machine, []string{`PATCH machines/3e70 [{"from":"","op":"test","path":"","value":` + machine + `}]`}, ""},
		{`machines workflow Name:m1 wf`, []string{get, `PATCH machines/3e70 ` + changed("Workflow", `""`, `"wf"`)}, ""},
		{`machines workflow Name:m1 wf -r ` + machine, []string{`PATCH machines/3e70 ` + changed("Workflow", `""`, `"wf"`)}, ""},
		{`machines stage Name:m1 s -f`, []string{get, `PATCH machines/3e70?force=true ` + changed("Stage", `"none"`, `"s"`)}, ""},
		{`machines pause Name:m1`, []string{get, `PATCH machines/3e70 ` + changed("Runnable", `true`, `false`)}, ""},
		{`machines run Name:m1`, []string{get, `PATCH machines/3e70 []`}, ""},
		{`machines addprofile Name:m1 p1`, []string{get, `PATCH machines/3e70 ` + changed("Profiles", `[]`, `["p1"]`)}, ""},
		{`machines removeprofile Name:m1 p1`, []string{get, `PATCH machines/3e70 []`}, ""},
		{`machines addprofile Name:m1 p1 -r ` + machine, []string{
			`PATCH machines/3e70 [{"from":"","op":"test","path":"","value":` + machine + `},{"from":"","op":"replace","path":"/Profiles","value":["p1"]}]`}, ""},
		{`machines addtask Name:m1 t4`, []string{get, `PATCH machines/3e70 ` + changed("Tasks", `["t1","t2","t3"]`, `["t1","t2","t3","t4"]`)}, ""},
		{`machines removetask Name:m1 t1 t3`, []string{get, `PATCH machines/3e70 ` + changed("Tasks", `["t1","t2","t3"]`, `["t1","t2"]`)}, ""},
		{`machines inserttask Name:m1 t4`, []string{get, `PATCH machines/3e70 ` + changed("Tasks", `["t1","t2","t3"]`, `["t1","t4","t2","t3"]`)}, ""},
		{`machines inserttask Name:m1 t4 2`, []string{get, `PATCH machines/3e70 ` + changed("Tasks", `["t1","t2","t3"]`, `["t1","t2","t3","t4"]`)}, ""},
		{`machines tasks add Name:m1 at 1 t4 t5`, []string{get, `PATCH machines/3e70 ` + changed("Tasks", `["t1","t2","t3"]`, `["t1","t2","t4","t5","t3"]`)}, ""},
		{`machines tasks add Name:m1 t4`, []string{get, `PATCH machines/3e70 ` + changed("Tasks", `["t1","t2","t3"]`, `["t1","t2","t3","t4"]`)}, ""},
		{`machines tasks del Name:m1 t2`, []string{get, `PATCH machines/3e70 ` + changed("Tasks", `["t1","t2","t3"]`, `["t1","t3"]`)}, ""},
		{`machines patch Name:m1 [{"op":"replace","path":"/Runnable","value":false}]`, []string{
			`PATCH machines/Name:m1 [{"from":"","op":"replace","path":"/Runnable","value":false}]`}, ""},
		{`machines create m1`, []string{`POST machines {"Name":"m1"}`}, ""},
		{`machines create {"Name":"m1"} -f`, []string{`POST machines?force=true {"Name":"m1"}`}, ""},
		{`machines destroy Name:m1`, []string{`DELETE machines/Name:m1`}, "Deleted machine Name:m1\n"},
		{`machines list Runnable=true`, []string{`GET machines?Runnable=true`}, "[]\n"},
		{`machines list Runnable Eq true`, []string{`GET machines?Runnable=Eq%28true%29`}, ""},
		{`machines list cluster/manager eq false Name re ^a sort Name --limit 2 --offset=-1 --reverse --slim Params --params a,b --decode`, []string{
			`GET machines?Name=Re%28%5Ea%29&cluster%2Fmanager=Eq%28false%29&decode=true&limit=2&offset=-1&params=a%2Cb&reverse=true&slim=Params&sort=Name`}, ""},
		{`machines jobs create Name:m1`, []string{get, `POST jobs {"Context":"","Machine":"3e70"}`}, ""},
		{`machines jobs state Name:m1 to failed`, []string{get, `GET jobs/j1`, `PATCH jobs/j1 ` + changed("State", `"created"`, `"failed"`)}, ""},
		{`machines jobs current Name:m1`, []string{get, `GET jobs/j1`}, ""},
		{`machines deletejobs Name:m1`, []string{get, `GET jobs?Machine=3e70`, `DELETE jobs/j1`, `DELETE jobs/j2`}, "Deleted Job j1\nDeleted Job j2\n"},
		{`jobs create m1`, []string{`GET machines/m1`, get, `POST jobs {"Context":"","Machine":"3e70"}`}, ""},
		{`jobs log j1 Fred`, []string{`PUT jobs/j1/log Fred`}, ""},
		{`stages addtask s t1`, []string{`GET stages/s`, `PATCH stages/s ` + changed("Tasks", `[]`, `["t1"]`)}, ""},
		{`stages bootenv s b`, []string{`GET stages/s`, `PATCH stages/s ` + changed("BootEnv", `""`, `"b"`)}, ""},
		{`profiles set X param k to 2`, []string{`GET params/k`, `POST profiles/X/params/k 2`}, "2\n"},
		{`profiles set X param k to`, nil, ""},
		{`profiles set X param k to 2 -r none`, []string{`GET params/k`,
			`PATCH profiles/X/params [{"from":"","op":"test","path":"/k","value":"none"},{"from":"","op":"replace","path":"/k","value":2}]`}, "2\n"},
		{`profiles set X param my/k to {"a":[1]} -r 5`, []string{`GET params/my/k`,
			`PATCH profiles/X/params [{"from":"","op":"test","path":"/my~1k","value":5},{"from":"","op":"replace","path":"/my~1k","value":{"a":[1]}}]`}, ""},
		{`profiles add X param k to v`, []string{`GET params/k`, `GET profiles/X/params`,
			`PATCH profiles/X/params [{"from":"","op":"test","path":"","value":{"a":1}},{"from":"","op":"add","path":"/k","value":"v"}]`}, "\"v\"\n"},
		{`profiles add X param a to v`, []string{`GET params/a`, `GET profiles/X/params`}, ""},
		{`profiles add X param k to v -r {"z":1}`, []string{`GET params/k`,
			`PATCH profiles/X/params [{"from":"","op":"test","path":"","value":{"z":1}},{"from":"","op":"add","path":"/k","value":"v"}]`}, ""},
		{`profiles remove X param k`, []string{`DELETE profiles/X/params/k`}, "1\n"},
		{`profiles remove X param k -r 1`, []string{
			`PATCH profiles/X/params [{"from":"","op":"test","path":"/k","value":1},{"from":"","op":"remove","path":"/k","value":null}]`}, "{\n  \"rest\": 1\n}\n"},
		{`profiles params X`, []string{`GET profiles/X/params`}, ""},
		{`profiles params X --aggregate --decode`, []string{`GET profiles/X/params?aggregate=true&decode=true`}, ""},
		{`profiles params X --origins --decode`, []string{`GET profiles/X/params?decode=true&origins=true`}, ""},
		{`profiles params X {"j":3}`, []string{`POST profiles/X/params {"j":3}`}, ""},
		{`profiles params X {"j":3} -r {"i":1,"j":2}`, []string{
			`PATCH profiles/X/params [{"from":"","op":"test","path":"","value":{"i":1,"j":2}},{"from":"","op":"remove","path":"/i","value":null},{"from":"","op":"replace","path":"/j","value":3}]`}, ""},
		{`profiles get X param k --aggregate --compose --decode`, []string{`GET profiles/X/params/k?aggregate=true&compose=true&decode=true`}, "1\n"},
		{`profiles meta X`, []string{`GET meta/profiles/X`}, ""},
		{`profiles meta get X key a`, []string{`GET meta/profiles/X`}, "\"b\"\n"},
		{`profiles meta get X key z`, []string{`GET meta/profiles/X`}, "null\n"},
		{`profiles meta add X key K val V`, []string{`GET meta/profiles/X`,
			`PATCH meta/profiles/X [{"from":"","op":"test","path":"","value":{"a":"b"}},{"from":"","op":"add","path":"/K","value":"V"}]`}, "\"V\"\n"},
		{`profiles meta add X key a val V`, []string{`GET meta/profiles/X`}, ""},
		{`profiles meta set X key a to 5`, []string{`GET meta/profiles/X`,
			`PATCH meta/profiles/X [{"from":"","op":"test","path":"/a","value":"b"},{"from":"","op":"add","path":"/a","value":"5"}]`}, ""},
		{`profiles meta set X key n val v`, []string{`GET meta/profiles/X`,
			`PATCH meta/profiles/X [{"from":"","op":"test","path":"","value":{"a":"b"}},{"from":"","op":"add","path":"/n","value":"v"}]`}, ""},
		{`profiles meta set X key a to v -r old`, []string{
			`PATCH meta/profiles/X [{"from":"","op":"test","path":"/a","value":"old"},{"from":"","op":"add","path":"/a","value":"v"}]`}, ""},
		{`profiles meta remove X key a`, []string{`PATCH meta/profiles/X [{"from":"","op":"remove","path":"/a","value":null}]`}, ""},
		{`profiles meta remove X key a -r b`, []string{
			`PATCH meta/profiles/X [{"from":"","op":"test","path":"/a","value":"b"},{"from":"","op":"remove","path":"/a","value":null}]`}, ""},
		{`profiles runaction X go a 1 b two --plugin p`, []string{`POST profiles/X/actions/go?plugin=p {"a":1,"b":"two"}`}, "1\n"},
		{`templates upload FILE as t`, []string{`GET templates/t`, `PUT templates/t {"Contents":"from~a~file","ID":"t"}`}, ""},
		{`templates upload FILE as new`, []string{`GET templates/new`, `POST templates {"Contents":"from~a~file","ID":"new"}`}, ""},
		{`contents upload {"meta":{"Name":"there"}}`, []string{`GET contents`, `PUT contents/there {"meta":{"Name":"there"}}`}, ""},
		{`contents upload {"meta":{"Name":"new"}} --replace-writable`, []string{`GET contents`, `POST contents?replaceWritable=true {"meta":{"Name":"new"}}`}, ""},
		{`contents create {"meta":{"Name":"new"}}`, []string{`POST contents {"meta":{"Name":"new"}}`}, ""},
		{`contents update there {"meta":{"Name":"there"}}`, []string{`PUT contents/there {"meta":{"Name":"there"}}`}, ""},
		{`users token u ttl 1h scope all roles a,b`, []string{`GET users/u/token?roles=a%2Cb&scope=all&ttl=1h`}, ""},
		{`users password u p`, []string{`PUT users/u/password {"Password":"p"}`}, ""},
		{`prefs set a 1 b two`, []string{`POST prefs {"a":"1","b":"two"}`}, ""},
		{`prefs set {"a":"1"}`, []string{`POST prefs {"a":"1"}`}, ""},
		{`events post {"Type":"a","Action":"b","Key":"c"}`, []string{`POST events {"Action":"b","Key":"c","Object":null,"Original":null,"Principal":"","Time":"0001-01-01T00:00:00Z","Type":"a"}`}, ""},
	} {
		file := filepath.Join(t.TempDir(), "file")
		if err := os.WriteFile(file, []byte("from a file"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := newServer(t, answers)
		args := strings.Fields(c.args)
		for i := range args {
			args[i] = strings.ReplaceAll(strings.ReplaceAll(args[i], "FILE", file), "~", " ")
		}
		r := s.call(t, args...)
		wanted := strings.ReplaceAll(strings.ReplaceAll(strings.Join(c.want, "\n"), "my~1k", "my\x00k"), "~", " ")
		wanted = strings.ReplaceAll(wanted, "my\x00k", "my~1k")
		want(t, c.args, compacted(t, s.requests()), compacted(t, strings.Split(wanted, "\n")))
		if c.out != "" {
			want(t, c.args+": stdout", r.out, c.out)
		}
	}
}

func TestNumbersKeepTheirDigitsInPatches(t *testing.T) {
	s := newServer(t, map[string]string{"GET machines/m": `{"Uuid":"3e70","Params":{"n":12345678901234567890,"x":1.50}}`, "PATCH machines/3e70": `{}`})
	s.call(t, "machines", "update", "m", `{"Params":{"n":1,"x":2.50}}`)
	asked := s.requests()
	for _, text := range []string{`"value":12345678901234567890}`, `"value":1.50}`, `"value":2.50}`} {
		if !strings.Contains(asked[len(asked)-1], text) {
			t.Errorf("%s is not in %s", text, asked[len(asked)-1])
		}
	}
}

func TestPartialReferenceIsRefusedHere(t *testing.T) {
	s := newServer(t, nil)
	r := s.call(t, "machines", "update", "m", `{"Description":"x"}`, "-r", `{"Name":"m"}`)
	want(t, "status", r.status, 1)
	want(t, "requests", s.requests(), []string{})
}

func TestEmptyReferenceIsNone(t *testing.T) {
	s := newServer(t, map[string]string{"GET machines/m": machine, "PATCH machines/3e70": machine})
	s.call(t, "machines", "update", "m", `{"Description":"x"}`, "-r", "")
	want(t, "first request", s.requests()[0], "GET machines/m")
}

func TestSecureParamsLeaveSealed(t *testing.T) {
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, map[string]string{
		"GET params/k": `{"Name":"k","Secure":true}`, "GET profiles/X/pubkey": string(must(public[:])), "POST profiles/X/params/k": `{}`,
	})
	r := s.call(t, "profiles", "set", "X", "param", "k", "to", "hush")
	want(t, "status", r.status, 0)
	asked := s.requests()
	last := strings.TrimPrefix(asked[len(asked)-1], "POST profiles/X/params/k ")
	var v sealedValue
	if err := json.Unmarshal([]byte(last), &v); err != nil {
		t.Fatal(err)
	}
	open, ok := box.Open(nil, v.Payload, (*[24]byte)(v.Nonce), (*[32]byte)(v.Key), private)
	want(t, "opened", string(open), `"hush"`)
	if !ok || strings.Contains(r.out+last, "hush") {
		t.Errorf("opens: %v; the value is in %s", ok, r.out+last)
	}
}

func TestMissingRightToReadTheParamDoesNotKeepFromSettingIt(t *testing.T) {
	s := newServer(t, map[string]string{"GET params/k": `403 {"Type":"AUTH","Messages":[],"Code":403}`, "POST profiles/X/params/k": `1`})
	want(t, "status", s.call(t, "profiles", "set", "X", "param", "k", "to", "1").status, 0)
}

func TestLongPollNamesTheVersionItKnows(t *testing.T) {
	s := newServer(t, map[string]string{"HEAD profiles/x": `200 `, "GET profiles/x": `304 `})
	s.headers["ETag"] = `"7"`
	r := s.call(t, "profiles", "show", "x", "--wait", "10s")
	want(t, "show", r, result{"Timeout: no change\n", "", 0})
	want(t, "requests", s.requests(), []string{"HEAD profiles/x", "GET profiles/x"})
	want(t, "etag", s.call(t, "profiles", "etag", "x").out, "\"7\"\n")
}

func TestCountIsTakenFromTheHeader(t *testing.T) {
	s := newServer(t, map[string]string{"HEAD machines": `200 `})
	want(t, "without it", s.call(t, "machines", "count").status, 1)
	s.headers["X-DRP-LIST-FILTER-COUNT"] = "12"
	s.requests()
	want(t, "with it", s.call(t, "machines", "count", "Runnable=true").out, "12\n")
	want(t, "requests", s.requests(), []string{"HEAD machines?Runnable=true"})
}

func TestNothingToDoIsAJobWithoutState(t *testing.T) {
	s := newServer(t, map[string]string{"POST jobs": `204 `})
	r := s.call(t, "jobs", "create", `{"Machine":"3e70"}`, "-F", "text", "-H", "-J", "Machine,State")
	want(t, "output", r.out, "3e70\t\n")
}
