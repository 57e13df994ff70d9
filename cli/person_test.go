package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/models"
)

func TestOutputGoesThroughAFilter(t *testing.T) {
	s := newServer(t, map[string]string{"GET profiles": `[{"Name":"a","Params":{"n":12345678901234567890}},{"Name":"b","Params":{}}]`})
	for filter, out := range map[string]string{
		".[].Name":                "a\nb\n",
		"map(.Name)":              "[\n  \"a\",\n  \"b\"\n]\n",
		".[0].Params.n":           "12345678901234567890\n",
		".[] | select(false)":     "",
		"length, null, true, 1.5": "2\nnull\ntrue\n1.5\n",
	} {
		r := call{}.drp(t, "-E", s.URL, "-T", "t", "profiles", "list", "--jq", filter)
		want(t, filter, r.out+r.err, out)
	}
	r := call{}.drp(t, "-E", s.URL, "-T", "t", "profiles", "list", "--jq", ".[].Name.x")
	if r.status != 1 || !strings.HasPrefix(r.err, "Error: --jq: ") {
		t.Errorf("got %+v", r)
	}
	s.requests()
	r = call{}.drp(t, "-E", s.URL, "-T", "t", "profiles", "destroy", "a", "--jq", ".[")
	if r.status != 1 || !strings.HasPrefix(r.err, "Error: --jq: ") || len(s.requests()) > 0 {
		t.Errorf("a filter that is none: %+v", r)
	}
}

func TestEveryKindAndFieldIsExplained(t *testing.T) {
	for _, k := range models.Kinds {
		if k.Internal {
			continue
		}
		r := call{}.drp(t, "explain", k.Name)
		if r.status != 0 || !strings.Contains(r.out, "  Meta  map of strings") {
			t.Errorf("%s: %+v", k.Name, r)
		}
		for _, path := range explainable(k.Name + ".") {
			if r := (call{}).drp(t, "explain", path); r.status != 0 || !strings.HasPrefix(r.out, path+"  ") {
				t.Errorf("%s: %+v", path, r)
			}
		}
	}
	for path, text := range map[string]string{
		"cows": "there is no kind cows", "machines.Cow": "machines has no field Cow; it has ", "machines.Name.x": "machines.Name is a string",
	} {
		if r := (call{}).drp(t, "explain", path); r.status != 1 || !strings.Contains(r.err, text) {
			t.Errorf("%s: %+v", path, r)
		}
	}
	r := call{}.drp(t, "explain", "task.templates.meta")
	want(t, "letter case", strings.SplitN(r.out, "\n", 2)[0], "tasks.Templates.Meta  map of strings")
}

func TestServersAreKeptUnderNames(t *testing.T) {
	north := newServer(t, map[string]string{"GET info": `{"id":"north"}`})
	south := newServer(t, map[string]string{"GET info": `{"id":"south"}`})
	c := call{home: t.TempDir(), env: map[string]string{}}
	must := func(args ...string) string {
		t.Helper()
		r := c.drp(t, args...)
		if r.status != 0 {
			t.Fatalf("%v: %+v", args, r)
		}
		return r.out
	}
	who := func(args ...string) string {
		t.Helper()
		return strings.TrimSpace(must(append([]string{"info", "get", "--jq", ".id"}, args...)...))
	}
	must("servers", "add", "n", north.URL, "--secret-token", "t1")
	must("servers", "add", "s", south.URL, "--secret-token", "t2")
	want(t, "the first is the current one", who(), "north")
	want(t, "another for one call", who("--server", "s"), "south")
	must("servers", "use", "s")
	want(t, "switched", who(), "south")
	want(t, "a flag wins", who("-E", north.URL, "-T", "x"), "north")
	c.env["RS_ENDPOINT"], c.env["RS_TOKEN"] = north.URL, "y"
	want(t, "the environment wins", who(), "north")
	want(t, "a name wins over the environment", who("--server", "s"), "south")
	c.env = map[string]string{"DRP_SERVER": "n"}
	want(t, "named in the environment", who(), "north")
	c.env = map[string]string{}
	if out := must("servers", "list"); strings.Contains(out, "t1") || strings.Contains(out, "t2") || !strings.Contains(out, south.URL) {
		t.Errorf("list shows %s", out)
	}
	st, err := os.Stat(filepath.Join(c.home, ".config", "drp", "servers.yaml"))
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v", st.Mode(), err)
	}
	must("servers", "remove", "s")
	for _, args := range [][]string{{"servers", "use", "s"}, {"servers", "remove", "s"}, {"info", "get", "--server", "s"}, {"servers", "add", "x", "nowhere"}} {
		if r := c.drp(t, args...); r.status != 1 {
			t.Errorf("%v: %+v", args, r)
		}
	}
}

func TestColoursOnlyAdd(t *testing.T) {
	for _, text := range []string{`{"a": [1, -2.5e10, "x \" y: ", true, false, null], "b:": {}}`, `"only"`, ``} {
		coloured := string(palette{}.colourJSON([]byte(text)))
		want(t, text, bare(coloured), text)
		if text != "" && coloured == text {
			t.Errorf("%s has no colours", text)
		}
	}
	want(t, "failed", marked("State", "failed"), red+"failed"+plain)
	want(t, "any other column", marked("Name", "failed"), "failed")
	s := newServer(t, map[string]string{"GET jobs": `[{"State":"failed"}]`})
	for _, format := range []string{"json", "table"} {
		if r := (call{}).drp(t, "-E", s.URL, "-T", "t", "jobs", "list", "-F", format); strings.Contains(r.out, "\x1b") {
			t.Errorf("%s: colours where there is no terminal: %q", format, r.out)
		}
	}
}

// bare is a text without colours.
func bare(s string) string {
	return strings.NewReplacer(plain, "", red, "", green, "", yellow, "", blue, "", cyan, "", faint, "").Replace(s)
}
