package cli

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/cli/runner"
)

func TestMistakesAreToldAsDrpcliTellsThem(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"params create", "drpcli params create [json] [flags] requires 1 argument"},
		{"params create a b", "drpcli params create [json] [flags] requires 1 argument"},
		{"stages show", "drpcli stages show [id] [flags] requires 1 argument"},
		{"users exists a b", "drpcli users exists [id] [flags] requires 1 argument"},
		{"tasks update a", "drpcli tasks update [id] [json] [flags] requires 2 arguments"},
		{"roles destroy", "drpcli roles destroy [id] [flags] requires 1 argument"},
		{"jobs create", "drpcli jobs create [json] [flags] requires 1 argument"},
		{"jobs log", "drpcli jobs log [id] [- or string] [flags] requires at least 1 argument"},
		{"jobs log a b c", "drpcli jobs log [id] [- or string] [flags] requires at most 2 arguments"},
		{"jobs actions", "drpcli jobs actions [id] [flags] requires 1 argument"},
		{"profiles get", "drpcli profiles get [id] param [key] [flags] requires 2 arguments"},
		{"profiles add a b", "drpcli profiles add [id] param [key] to [json blob] [flags] requires 5 arguments"},
		{"profiles set", "drpcli profiles set [id] param [key] to [json blob] [flags] requires 5 arguments"},
		{"profiles set a b c d e", `drpcli profiles set [id] param [key] to [json blob] [flags] expects "param" where "b" stands`},
		{"profiles remove", "drpcli profiles remove [id] param [key] [flags] requires 2 arguments"},
		{"stages params", "drpcli stages params [id] [json] [flags] requires 1 or 2 arguments"},
		{"templates upload", "drpcli templates upload [file] as [id] [flags]: expected 3 argument"},
		{"users password one", "drpcli users password [id] [password] [flags] needs 2 args"},
		{"users passwordhash", "drpcli users passwordhash [password] [flags] needs 1 arg"},
		{"users token", "drpcli users token [id] [ttl [ttl]] [scope [scope]] [action [action]] [specific [specific]] [flags] needs at least 1 arg"},
		{"users token a b", "drpcli users token [id] [ttl [ttl]] [scope [scope]] [action [action]] [specific [specific]] [flags] needs at least 1 and pairs arg"},
		{"users token a ttl", "drpcli users token [id] [ttl [ttl]] [scope [scope]] [action [action]] [specific [specific]] [flags] needs at least 1 and pairs arg"},
		{"users token a b c", "drpcli users token [id] [ttl [ttl]] [scope [scope]] [action [action]] [specific [specific]] [flags] does not support b"},
		{"prefs set", "prefs set either takes a single argument or a multiple of two, not 0"},
		{"prefs set a b c", "prefs set either takes a single argument or a multiple of two, not 3"},
		{"prefs set a", "Invalid prefs: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go value of type map[string]string"},
		{"events post", "drpcli events post [- | JSON or YAML Event] [flags] requires 1 argument"},
		{"events post {a", "Invalid event: error converting YAML to JSON: yaml: line 1: did not find expected ',' or '}'"},
		{`events post "e1"`, "Invalid event: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal string into Go value of type models.Event"},
		{"contents list Cow", "drpcli contents list [flags] does not support filtering"},
		{"contents create {a", "Error parsing layer: error converting YAML to JSON: yaml: line 1: did not find expected ',' or '}'"},
		{"contents create [a]", "Error parsing layer: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type models.Content"},
		{`contents update a {"meta":{"Name":"b"}}`, "Passed ID a does not match layer ID b"},
		{"contents bundlize", "Must provide a file"},
		{"contents bundlize f greg", "Meta fields must have '=' in them.  Objects must have a :."},
		{"contents bundlize f Name=greg", "No object specified"},
		{"contents convert", "Must provide a file or stdin"},
		{"contents convert gg.yaml", "Failed to open store gg.yaml: open gg.yaml: no such file or directory"},
		{"info get john", `unknown command "john" for "drpcli info get"`},
		{"contents list --limit=1", "unknown flag: --limit"},
		{"frob", `unknown command "frob" for "drpcli"`},
		{"profiles frob", `unknown command "frob" for "drpcli profiles"`},
		{"-F cow version", "Unknown pretty format cow"},
		{"catalog items", "which catalog? Name its file or URL with -c (--catalog) or RS_CATALOG; drp comes with none"},
		{"catalog item show x", "which catalog? Name its file or URL with -c (--catalog) or RS_CATALOG; drp comes with none"},
		{"-C cow version", "--colors: \"cow\" is no colour: write PLACE=NUMBER,... such as 4=34,1; places are 0 to 8"},
		{"extended list", "objects of which kind? Name it with -l; drp objects list shows the kinds"},
		{"proxy", "No location for the local proxy socket"},
		{"system runaction", "runaction either takes two arguments or one plus a multiple of two, not 0"},
		{"roles create foo", "Unable to create a new role by name"},
		{"templates create foo", "Unable to create a new template by name"},
		{"workflows create {foo", "Unable to create a new workflow by name"},
		{"templates upload nowhere as x", "CLIENT_ERROR: templates/x: Unable to import template nowhere"},
		{"jobs create nowhere", "Unable to create new Job: Invalid machine nowhere"},
		{"profiles exists nowhere", "profiles:nowhere does not exist"},
		{"contents exists nowhere", "content:nowhere does not exist"},
		{"machines list Cow", "Cow is no filter: write FIELD=VALUE or FIELD OP VALUE"},
		{"machines list Name like x", "Name is no filter: write FIELD=VALUE or FIELD OP VALUE"},
		{"machines processjobs", "which machine? Give its ID, or set RS_UUID"},
		{"completion csh", "completion is there for bash, zsh, fish and powershell"},
		{"machines wait x", "drpcli machines wait [id] [field] [value] [timeout] [flags] requires 3 or 4 arguments"},
		{"machines wait x f v soon", "soon is no timeout: write seconds, or a number with a unit such as 5m"},
	} {
		s := newServer(t, nil)
		r := s.call(t, strings.Fields(c.args)...)
		want(t, c.args, strings.SplitN(r.err, "\n", 2)[0], "Error: "+c.want)
		want(t, c.args+": status", r.status, 1)
		want(t, c.args+": stdout", r.out, "")
	}
}

func TestErrorsOfTheServerAreShownAsTheyAre(t *testing.T) {
	s := newServer(t, map[string]string{
		"GET machines/one": `404 {"Model":"machines","Key":"one","Type":"GET","Messages":["Not Found"],"Code":404}`,
		"GET machines/two": `422 {"Model":"machines","Key":"two","Type":"ValidationError","Messages":["a","b"],"Code":422}`,
		"GET jobs/j/log":   `422 {"Model":"","Key":"","Type":"ValidationError","Messages":["Job j does not exist"],"Code":422}`,
	})
	want(t, "one message", s.call(t, "machines", "show", "one"), result{"", "Error: GET: machines/one: Not Found\n", 1})
	want(t, "two messages", s.call(t, "machines", "show", "two"), result{"", "Error: ValidationError: machines/two\n  a\n  b\n", 1})
	want(t, "no model", s.call(t, "jobs", "log", "j"), result{"", "Error: ValidationError: Job j does not exist\n", 1})
}

func TestWrongPasswordIsToldAsDrpcliTellsIt(t *testing.T) {
	s := newServer(t, map[string]string{"GET users/john/token": `401 {"Type":"AUTH","Messages":["Wrong"],"Code":401}`})
	r := call{}.drp(t, "-E", s.URL, "-U", "john", "-P", "jack", "-T", "", "users", "list")
	want(t, "result", r, result{"", "Error: Error creating session: CLIENT_ERROR\n  log in as john: AUTH: Wrong\n", 1})
}

func TestOneValueHasFourForms(t *testing.T) {
	list := `[{"Name":"b","Roles":["x"],"Description":"has a\ttab and is so long that it does not fit"},{"Name":"a","Roles":[],"Description":""}]`
	s := newServer(t, map[string]string{"GET users": list, "GET info": `{"z":1.50,"a":{"y":"<&>","x":12345678901234567890}}`, "GET objects": `["a","b"]`})
	for _, c := range []struct{ args, want string }{
		{"info get", "{\n  \"a\": {\n    \"x\": 12345678901234567890,\n    \"y\": \"<&>\"\n  },\n  \"z\": 1.50\n}\n"},
		{"info get -F yaml", "a:\n  x: 12345678901234567890\n  \"y\": <&>\nz: 1.5\n"},
		{"info get -F text -H", "a\t{\"x\":12345678901234567890,\"y\":\"<&>\"}\nz\t1.50\n"},
		{"users list -F text", "Name\tRoles\tDescription\nb\t[\"x\"]\thas a tab and is so long that it does n…\na\t[]\t\n"},
		{"users list -F text -H -J Description,Name -j 5", "has …\tb\n\ta\n"},
		{"users list -F text -H -J name", "b\na\n"},
		{"objects list -F text", "a\nb\n"},
		{"users list -F table -J Name", "┌──────┐\n│ Name │\n├──────┤\n│ b    │\n│ a    │\n└──────┘\n"},
	} {
		want(t, c.args, s.call(t, strings.Fields(c.args)...), result{c.want, "", 0})
	}
}

func TestFaultyObjectFailsOnRequest(t *testing.T) {
	s := newServer(t, map[string]string{"GET stages/x": `{"Name":"x","Errors":["BootEnv y does not exist"]}`})
	want(t, "as a rule", s.call(t, "stages", "show", "x").status, 0)
	r := s.call(t, "stages", "show", "x", "-X")
	want(t, "with -X", r.status, 1)
	want(t, "with -X", r.err, "Error: BootEnv y does not exist\n")
}

func TestArgumentIsFileURLStdinOrText(t *testing.T) {
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/yes" {
			io.WriteString(w, "from: web\n")
			return
		}
		http.NotFound(w, r)
	}))
	t.Cleanup(web.Close)
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("from: file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newServer(t, map[string]string{"POST profiles/x/params/k": `{}`})
	for _, c := range []struct{ arg, want string }{
		{file, `{"from":"file"}`}, {web.URL + "/yes", `{"from":"web"}`}, {"-", `{"from":"stdin"}`}, {"from: text", `{"from":"text"}`},
		{"5", `5`}, {"none", `"none"`}, {"true", `true`}, {"1.50", `1.50`}, {`"a"`, `"a"`}, {"", `null`}, {"null", `null`}, {"[a, 1]", `["a",1]`},
		{t.TempDir(), ""},
	} {
		if c.want == "" { // a directory is no file
			c.want = string(must(c.arg))
		}
		r := s.feed(t, "from: stdin\n", "profiles", "set", "x", "param", "k", "to", c.arg)
		asked := s.requests()
		want(t, c.arg+": "+r.err, asked[len(asked)-1], "POST profiles/x/params/k "+c.want)
	}
	want(t, "a URL that is not there", s.call(t, "profiles", "set", "x", "param", "k", "to", web.URL+"/no").status, 1)
	want(t, "requests", s.requests(), []string{})
}

func TestBareNameCreates(t *testing.T) {
	s := newServer(t, map[string]string{"POST profiles": `{}`, "POST machines": `{}`, "POST users": `{}`})
	for _, c := range []struct{ kind, arg, want string }{
		{"profiles", "foo", `POST profiles {"Name":"foo"}`},
		{"profiles", "[a", `POST profiles {"Name":"[a"}`},
		{"profiles", "[a]", `POST profiles {"Name":"[a]"}`},
		{"machines", "m1", `POST machines {"Name":"m1"}`},
		{"users", "Name: bob", `POST users {"Name":"bob"}`},
		{"users", "{a}", `POST users {"a":null}`},
	} {
		s.call(t, c.kind, "create", c.arg)
		want(t, c.arg, s.requests(), []string{c.want})
	}
}

func TestFlagsBeatEnvironmentBeatsFile(t *testing.T) {
	s := newServer(t, map[string]string{"GET info": `{"a":1}`, "GET users/fred/token": `{"Token":"t"}`})
	seen := map[string]string{}
	s.handle["objects"] = func(w http.ResponseWriter, r *http.Request) {
		seen["auth"] = r.Header.Get("Authorization")
		seen["trace"] = r.Header.Get("X-Log-Request") + " " + r.Header.Get("X-Log-Token")
		io.WriteString(w, `["x"]`)
	}
	home := t.TempDir()
	rc := "# comment\nexport RS_ENDPOINT=" + s.URL + "\nRS_TOKEN = 'fromfile'\nRS_FORMAT=yaml\n"
	if err := os.WriteFile(filepath.Join(home, ".drpclirc"), []byte(rc), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		env  map[string]string
		args string
		auth string
		out  string
	}{
		{nil, "", "Bearer fromfile", "- x\n"},
		{map[string]string{"RS_TOKEN": "fromenv", "RS_FORMAT": "text"}, "", "Bearer fromenv", "x\n"},
		{map[string]string{"RS_TOKEN": "fromenv"}, "-T fromflag -F json", "Bearer fromflag", "[\n  \"x\"\n]\n"},
		{map[string]string{"RS_KEY": "fred:pw"}, "-x --token= -F text", "Basic ZnJlZDpwdw==", "x\n"},
		{map[string]string{"RS_KEY": "fred:pw"}, "-x -U me -P my -F text", "Basic bWU6bXk=", "x\n"},
		{map[string]string{"RS_ENDPOINT": "", "RS_ENDPOINTS": "https://127.0.0.1:1 " + s.URL, "RS_FORMAT": "text"}, "--noToken --token= -t debug --traceToken word", "Basic cm9ja2V0c2thdGVzOnIwY2tldHNrOHRz", "x\n"},
	} {
		r := call{env: c.env, home: home}.drp(t, append(strings.Fields(c.args), "objects", "list")...)
		want(t, c.args+": "+r.err, r.out, c.out)
		want(t, c.args+": Authorization", seen["auth"], c.auth)
	}
	want(t, "trace", seen["trace"], "debug word")
}

func TestMissingRouteIsExplained(t *testing.T) {
	s := newServer(t, map[string]string{"GET jobs/j/log": `404 {"Type":"GET","Key":"/api/v3/jobs/j/log","Messages":["No route"],"Code":404}`})
	r := s.call(t, "jobs", "log", "j")
	want(t, "stderr", r.err, "Error: the server does not offer this: GET: /api/v3/jobs/j/log: No route\n")
	want(t, "status", r.status, 1)
	want(t, "stdout", r.out, "")
}

func TestFirstReachableEndpointIsTaken(t *testing.T) {
	s := newServer(t, nil)
	want(t, "second", reachable("https://127.0.0.1:1 "+s.URL), s.URL)
	want(t, "none", reachable("https://127.0.0.1:1 https://127.0.0.1:2"), "https://127.0.0.1:1")
	want(t, "empty", reachable(""), "")
}

func TestRunnerGetsWhatWasAskedFor(t *testing.T) {
	var got runner.Options
	c := call{env: map[string]string{"RS_UUID": "u1"}, run: func(_ context.Context, o runner.Options) error {
		got = o
		return nil
	}}
	want(t, "status", c.drp(t, "machines", "processjobs", "Name:x", "--oneshot", "--exit-on-failure", "--skip-power", "--context", "c", "--stateDir", "/s").status, 0)
	want(t, "options", []any{got.Machine, got.OneShot, got.ExitOnFailure, got.SkipPower, got.Context, got.StateDir, got.Service, got.Client != nil},
		[]any{"Name:x", true, true, true, "c", "/s", false, true})
	c.env["RS_CONTEXT"], c.deps.StateDir = "d", "/var/s"
	want(t, "status", c.drp(t, "machines", "processjobs", "--temp-dir", "/t").status, 0)
	want(t, "options", []any{got.Machine, got.Context, got.StateDir, got.TempDir, got.OneShot}, []any{"u1", "d", "/var/s", "/t", false})
	c.run = func(context.Context, runner.Options) error { return errors.New("no disk") }
	want(t, "failure", c.drp(t, "machines", "processjobs"), result{"", "Error: no disk\n", 1})
}

func TestPasswordIsNeverAFile(t *testing.T) {
	s := newServer(t, map[string]string{"PUT users/u/password": `{}`})
	t.Chdir(t.TempDir())
	if err := os.WriteFile("word", []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.call(t, "users", "password", "u", "word")
	s.feed(t, "from stdin\n", "users", "password", "u", "-")
	want(t, "requests", s.requests(), []string{`PUT users/u/password {"Password":"word"}`, `PUT users/u/password {"Password":"from stdin"}`})
}

func TestATokenIsEndedByItself(t *testing.T) {
	s := newServer(t, nil)
	asked := ""
	s.handle["users/u/token"] = func(w http.ResponseWriter, r *http.Request) {
		asked = r.Method + " " + r.Header.Get("Authorization")
		w.WriteHeader(http.StatusNoContent)
	}
	want(t, "printed", s.call(t, "-T", "lost", "users", "revoketoken", "u"), result{})
	want(t, "request", asked, "DELETE Bearer lost")
	want(t, "without a name", s.call(t, "users", "revoketoken").status, 1)
}

func TestJobLogGoesBothWays(t *testing.T) {
	s := newServer(t, map[string]string{"GET jobs/j/log": "Log for Job: j\nFred", "PUT jobs/j/log": "204 "})
	want(t, "printed", s.call(t, "jobs", "log", "j").out, "Log for Job: j\nFred")
	s.requests()
	s.feed(t, "a line", "jobs", "log", "j", "-")
	want(t, "requests", s.requests(), []string{"PUT jobs/j/log a line"})
}

func TestKeysComplete(t *testing.T) {
	s := newServer(t, map[string]string{"GET profiles": `[{"Name":"alpha"},{"Name":"beta"},{"Name":"alto"}]`})
	r := s.call(t, "__complete", "profiles", "show", "al")
	want(t, "offered", strings.SplitN(r.out, ":", 2)[0], "alpha\nalto\n")
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		r := s.call(t, "completion", shell)
		if r.status != 0 || !strings.Contains(r.out, "drpcli") {
			t.Errorf("%s: %v", shell, r)
		}
	}
}

func TestStatusAsksTheStaticServer(t *testing.T) {
	web := httptest.NewServer(http.NotFoundHandler())
	_, port, _ := strings.Cut(strings.TrimPrefix(web.URL, "http://"), ":")
	s := newServer(t, map[string]string{"GET info": `{"api_port":1,"prov_enabled":true,"file_port":` + port + `}`})
	alive := func() any {
		r := s.call(t, "info", "status")
		var v map[string]map[string]any
		if err := json.Unmarshal([]byte(r.out), &v); err != nil {
			t.Fatal(err, r.err)
		}
		return v["Static"]["Alive"]
	}
	want(t, "while it runs", alive(), true)
	web.Close()
	want(t, "when it is gone", alive(), false)
}

func TestMergeChangesWhatItNames(t *testing.T) {
	for _, c := range []struct{ old, changes, want string }{
		{`{"a":1,"b":2}`, `{"b":3}`, `{"a":1,"b":3}`},
		{`{"a":1}`, `{"a":null,"b":null}`, `{"a":1}`},
		{`{"A":{"x":1,"y":{"z":1}}}`, `{"a":{"y":{"q":2},"w":null}}`, `{"A":{"x":1,"y":{"q":2,"z":1}}}`},
		{`{"l":[1,2]}`, `{"l":[3]}`, `{"l":[3]}`},
		{`{"a":{"x":1}}`, `{"a":5}`, `{"a":5}`},
		{`{"a":5}`, `{"a":{"x":1}}`, `{"a":{"x":1}}`},
	} {
		old, err := toDocument(json.RawMessage(c.old))
		if err != nil {
			t.Fatal(err)
		}
		changes, err := toDocument(json.RawMessage(c.changes))
		if err != nil {
			t.Fatal(err)
		}
		merge(old, changes, keep)
		want(t, c.old+" + "+c.changes, string(must(old)), c.want)
	}
}
