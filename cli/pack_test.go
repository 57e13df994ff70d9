package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	packs "drp/content"
	"drp/models"

	"pgregory.net/rapid"
)

// drawPack makes any pack whose keys give different file names.
func drawPack(t *rapid.T) *models.Content {
	c := packs.New()
	name := rapid.StringMatching(`[a-z][a-zA-Z0-9_-]{0,8}(/[a-z]{1,3})?`)
	text := rapid.StringMatching(`[ -~\n]{0,40}`)
	word := rapid.StringMatching(`[!-~]([ -~]{0,10}[!-~])?`)
	for _, f := range packs.Fields() {
		if rapid.Bool().Draw(t, f) {
			packs.SetField(&c.Meta, f, word.Draw(t, "value"))
		}
	}
	for _, section := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"profiles", "tasks", "templates", "params", "spells"}), rapid.ID[string]).Draw(t, "sections") {
		objects := map[string]json.RawMessage{}
		for _, key := range rapid.SliceOfNDistinct(name, 1, 4, rapid.ID[string]).Draw(t, "keys") {
			switch section {
			case "templates":
				objects[key] = must(document{"ID": key, "Contents": text.Draw(t, "contents")})
				if strings.Contains(key, "/") { // such an ID cannot be the name of a bare file
					objects[key] = must(document{"ID": key, "Contents": "x", "Description": word.Draw(t, "description")})
				}
			default:
				objects[key] = must(document{"Name": key, "Description": text.Draw(t, "description"), "Params": document{"n": json.Number("1.50")}})
			}
		}
		c.Sections[section] = objects
	}
	return c
}

func TestUnbundledPackBundlesToItself(t *testing.T) {
	for _, ext := range []string{".json", ".yaml"} {
		rapid.Check(t, func(t *rapid.T) {
			dir, err := os.MkdirTemp("", "pack")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			c := drawPack(t)
			if err := packs.Write(dir, c, ext); err != nil {
				t.Fatal(err)
			}
			got, err := packs.Read(os.DirFS(dir))
			if err != nil {
				t.Fatal(err)
			}
			if ext == ".yaml" { // numbers are written shorter there
				for _, objects := range c.Sections {
					for key, raw := range objects {
						objects[key] = json.RawMessage(strings.ReplaceAll(string(raw), "1.50", "1.5"))
					}
				}
			}
			if a, b := string(must(got)), string(must(c)); a != b {
				t.Errorf("%s:\n got %s\nwant %s", ext, a, b)
			}
		})
	}
}

func TestFilesBecomeAPack(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"._Name.meta": "from-file\n", "._Description.meta": " d ", "profiles/other-name.yaml": "name: p1\nparams: {a: 1}\nAvailable: true\n",
		"tasks/t.json": `{"Name":"t1",}`, "templates/x.sh.tmpl": "#!/bin/sh\n", ".git/config": "x", "profiles/deep/p.yaml": "Name: deep", "profiles/.hidden.yaml": "Name: h",
	} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := filepath.Join(t.TempDir(), "out.yaml")
	r := call{}.drp(t, "contents", "bundle", out, "Name=from-args", "Version=v1.2.3", "--directory", dir)
	want(t, "bundle", r, result{"", "", 0})
	raw, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := toJSON(raw)
	if err != nil {
		t.Fatal(err)
	}
	var c models.Content
	if err := json.Unmarshal(compact, &c); err != nil {
		t.Fatal(err)
	}
	want(t, "meta", []string{c.Meta.Name, c.Meta.Version, c.Meta.Description, c.Meta.Type}, []string{"from-file", "v1.2.3", "d", "dynamic"})
	want(t, "sections", string(must(c.Sections)), `{"profiles":{"p1":{"name":"p1","params":{"a":1}}},"tasks":{"t1":{"Name":"t1"}},"templates":{"x.sh.tmpl":{"Contents":"#!/bin/sh\n","ID":"x.sh.tmpl"}}}`)

	page := call{}.drp(t, "contents", "document", out)
	if !strings.HasPrefix(page.out, "from-file\n=========\n\nd\n\n") || !strings.Contains(page.out, "p1\n~~\n") {
		t.Errorf("document: %v", page)
	}
	page = call{}.drp(t, "contents", "document-md", dir)
	if !strings.HasPrefix(page.out, "# from-file\n\nd\n\n") || !strings.Contains(page.out, "### p1\n\n") {
		t.Errorf("document-md: %v", page)
	}
}

func TestBadPackFilesAreRefused(t *testing.T) {
	for name, text := range map[string]string{
		"profiles/x.txt": "x", "profiles/x.yaml": "Description: no name", "profiles/y.yaml": "{", "tasks/z.yaml": "Name: z\nTemplates: 5",
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := (call{}).drp(t, "contents", "bundle", filepath.Join(dir, "out.json"), "--directory", dir); r.status != 1 || !strings.Contains(r.err, filepath.Base(name)) {
			t.Errorf("%s: got %v, want an error that names the file", name, r)
		}
	}
	want(t, "meta", call{}.drp(t, "contents", "bundle", "x.json", "Colour=red").err, "Error: bundle: a content pack has no meta field Colour\n")
	want(t, "extension", call{}.drp(t, "contents", "bundle", "x.txt", "--directory", t.TempDir()).status, 1)
}

func TestPackCannotLeaveItsFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "in")
	for _, c := range []struct {
		pack string
		ok   bool
	}{
		{`{"meta":{"Name":"x"},"sections":{"profiles":{"../../evil":{"Name":"../../evil"}}}}`, true},
		{`{"meta":{"Name":"x"},"sections":{"templates":{"../../evil":{"ID":"../../evil","Contents":"x"}}}}`, true},
		{`{"meta":{"Name":"x"},"sections":{"../evil":{"a":{"Name":"a"}}}}`, false},
		{`{"meta":{"Name":"x"},"sections":{"..":{"a":{"Name":"a"}}}}`, false},
	} {
		r := call{stdin: c.pack}.drp(t, "contents", "unbundle", "-", "--directory", dir)
		want(t, c.pack+r.err, r.status == 0, c.ok)
		entries, err := os.ReadDir(filepath.Dir(dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() != "in" {
				t.Errorf("%s: %s was written outside", c.pack, e.Name())
			}
		}
	}
}

func TestObjectsOfTheServerBecomeAPack(t *testing.T) {
	s := newServer(t, map[string]string{
		"GET profiles/web?decode=true":           `{"Name":"web","Params":{"a":1},"Available":true,"Errors":[],"Bundle":"","ReadOnly":false}`,
		"GET profiles?Description=x&decode=true": `[{"Name":"more"},{"Name":"most"}]`, "GET params?Secure=true": `[]`,
		"DELETE profiles/web": `{}`, "GET contents": `[]`, "POST contents?replaceWritable=true": `{"Counts":{"profiles":1}}`,
	})
	file := filepath.Join(t.TempDir(), "p.json")
	r := s.call(t, "contents", "bundlize", file, "Name=mine", "profiles:web", "--delete", "--reload")
	want(t, "status", r, result{"{\n  \"Counts\": {\n    \"profiles\": 1\n  }\n}\n", "", 0})
	asked := s.requests()
	want(t, "number of requests", len(asked), 4)
	want(t, "order", asked[:3], []string{"GET profiles/web?decode=true", "GET params?Secure=true", "GET contents"})
	if !strings.Contains(asked[3], `"sections":{"profiles":{"web":{"Name":"web","Params":{"a":1}}}}`) || !strings.Contains(asked[3], `"Name":"mine"`) {
		t.Errorf("uploaded: %s", asked[3])
	}
	want(t, "removed", s.call(t, "contents", "bundlize", file, "profiles:web", "--delete").status, 0)
	want(t, "requests", s.requests(), []string{"GET profiles/web?decode=true", "GET params?Secure=true", "DELETE profiles/web"})
	want(t, "many", s.call(t, "contents", "bundlize", file, "profiles:Description=x").status, 0)
	raw, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(raw), `"more"`) || !strings.Contains(string(raw), `"most"`) {
		t.Errorf("%v: %s", err, raw)
	}
	missing := s.call(t, "contents", "bundlize", file, "profiles:gone")
	if missing.status != 1 || !strings.HasPrefix(missing.err, "Error: Failed to get: gone: ") {
		t.Errorf("a missing object: %v", missing)
	}
}

func TestPackConvertsToSingleObjects(t *testing.T) {
	s := newServer(t, map[string]string{"POST stages": `{}`, "POST tasks": `{}`, "POST templates": `{}`})
	r := s.feed(t, `{"sections":{"stages":{"s":{"Name":"s"}},"tasks":{"t":{"Name":"t"}},"templates":{"x":{"ID":"x"}},"spells":{"z":{"Id":"z"}}}}`, "contents", "convert", "-")
	want(t, "order", s.requests(), []string{`POST templates {"ID":"x"}`, `POST tasks {"Name":"t"}`, `POST stages {"Name":"s"}`, `POST spells {"Id":"z"}`})
	want(t, "what the server does not know is told", r.status, 1)
}

// What is secure leaves the server sealed, and only the key brings it back in clear.
func TestSecureParamsOfAPackNeedItsKey(t *testing.T) {
	shown := `{"meta":{"Name":"mine"},"sections":{"params":{"pw":{"Name":"pw","Secure":true}},"profiles":{"a":{"Name":"a","Params":{"pw":"Fred","other":1}}}}}`
	s := newServer(t, map[string]string{"GET contents/mine": shown, "GET params?Secure=true": `[]`, "POST contents": `{}`,
		"GET profiles/a?decode=true": `{"Name":"a","Params":{"pw":"Fred"}}`, "GET params/pw?decode=true": `{"Name":"pw","Secure":true}`})
	no := "Error: Content has secure parameters, but cannot save key!  Use --key=path/to/keyfile.json\n"
	want(t, "no key", s.call(t, "contents", "show", "mine"), result{"", no, 1})
	file, key := filepath.Join(t.TempDir(), "p.yaml"), filepath.Join(t.TempDir(), "key.json")
	want(t, "no key", s.call(t, "contents", "bundlize", file, "profiles:a", "params:pw"), result{"", no, 1})
	want(t, "bundlize", s.call(t, "contents", "bundlize", file, "profiles:a", "params:pw", "--key", key).status, 0)
	r := s.call(t, "contents", "show", "mine", "--key", key)
	if r.status != 0 || strings.Contains(r.out, "Fred") || !strings.Contains(r.out, "Payload") {
		t.Errorf("shown: %+v", r)
	}
	s.requests()
	want(t, "create", s.feed(t, r.out, "contents", "create", "-", "--key", key).status, 0)
	if asked := s.requests(); len(asked) != 1 || !strings.Contains(asked[0], `"pw":"Fred"`) || !strings.Contains(asked[0], `"other":1`) {
		t.Errorf("created: %v", asked)
	}
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v %v", info, err)
	}
	want(t, "the key stays", s.call(t, "contents", "create", file, "--key", key).status, 0)
	other := filepath.Join(t.TempDir(), "other.json")
	want(t, "another key", s.call(t, "contents", "show", "mine", "--key", other).status, 0)
	want(t, "another key", s.call(t, "contents", "create", file, "--key", other).err, "Error: profiles/a: --key "+other+": it does not open the param pw\n")
	want(t, "no key in it", strings.Contains(s.call(t, "contents", "create", file, "--key", file).err, "it holds no key of a pack"), true)
	want(t, "gone", s.call(t, "contents", "create", file, "--key", key+".gone").status, 1)
}
