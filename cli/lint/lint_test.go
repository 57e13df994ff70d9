package lint

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	packs "drp/content"
	"drp/models"

	"github.com/google/go-cmp/cmp"
)

// sound is a pack that nothing is wrong with.
var sound = map[string]string{
	"._Name.meta": "sound", "._Version.meta": "v1.2.3", "._Description.meta": "A pack", "._Prerequisites.meta": "drp-core: >=1.0.0, BasicStore",
	"params/color.yaml":     "Name: color\nDescription: d\nSchema:\n  type: object\n  default:\n    a: red\n  additionalProperties:\n    type: string\n",
	"params/size.json":      "{\n\t\"Name\": \"size\",\n\t\"Description\": \"d\",\n\t\"Schema\": {\"type\": \"integer\"}\n}\n",
	"params/word.yaml":      "Name: word\nDescription: d\nSecure: yes\nSchema: {type: string}\n",
	"templates/lib.sh.tmpl": "{{define \"helper\"}}{{.Param \"size\"}}{{end}}\n{{template \"helper\" .}}\n",
	"templates/other.yaml":  "ID: other.tmpl\nDescription: d\nContents: |\n  {{template \"lib.sh.tmpl\" .}}\n",
	"profiles/base.yaml":    "Name: base\nDescription: d\nParams:\n  size: 4\n  word: {Key: a, Nonce: b, Payload: c}\n",
	"profiles/top.yaml":     "# a comment\nname: top\nDESCRIPTION: d\nProfiles: [base, global]\nParams:\n  color:\n    a: red\n    b: blue\n",
	"tasks/first.yaml":      "Name: first\nDescription: d\nTemplates:\n- Name: a\n  Path: \"\"\n  Contents: |\n    {{template \"setup.tmpl\" .}}\n    {{if .ParamExists \"color\"}}{{.Param \"color\" | toJson | quote}}{{end}}\n    {{range $i, $e := .ParamExpand \"cluster/machines\"}}{{printf \"%d %s\" $i $e}}{{break}}{{else}}none{{end}}\n",
	"tasks/second.yaml":     "Name: second\nDescription: d\nPrerequisites: [first]\nRequiredParams: [size]\nTemplates:\n- {Name: a, ID: other.tmpl}\n",
	"bootenvs/env.yaml":     "Name: env\nDescription: d\nOS: {Name: env}\nBootParams: \"x={{.Param \\\"size\\\"}}\"\nTemplates:\n- Name: ipxe\n  Path: '{{.Machine.Address}}.ipxe'\n  Contents: \"#!ipxe\\nexit\\n\"\n",
	"stages/idle.yaml":      "Name: idle\nDescription: d\nRequiredParams:\nTasks: null\n",
	"stages/work.yaml":      "Name: work\nDescription: d\nBootEnv: env\nProfiles: [top]\nTasks:\n- first\n- cluster-join\n- bootenv:local\n- \"action:some:thing\"\n- second\n",
	"workflows/all.yaml":    "Name: all\nDescription: d\nStages:\n  - work\n  - none\n  - cluster-done\n",
	".git/config":           "x", "README.md": "x",
}

func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func check(t *testing.T, dir string, with ...*models.Content) []Finding {
	t.Helper()
	found, err := Check(dir, with...)
	if err != nil {
		t.Fatal(err)
	}
	for i := range found {
		if rel, err := filepath.Rel(dir, found[i].File); err == nil {
			found[i].File = filepath.ToSlash(rel)
		}
	}
	return found
}

func TestASoundPackHasNoFindings(t *testing.T) {
	for _, f := range check(t, folder(t, sound)) {
		t.Error(f)
	}
}

// Each of these files makes one finding and no other, at the line of the mark «, which is taken out.
func TestEachDefectIsFoundAtItsLine(t *testing.T) {
	cases := []struct {
		file, text string
		severity   Severity
		want       string
	}{
		{"tasks/first.yaml", "Name: first\nDescription: d\nTemplates:\n- «Name: a\n bad\n", Error, "did not find expected key"},
		{"tasks/second.yaml", "«", Error, "the file is empty"},
		{"profiles/x.json", "{\n  \"Name\": \"pp\",\n  \"Description\": \"d\"\n«", Error, "unexpected end of JSON input"},
		{"profiles/x.yaml", "«- Name: pp\n", Error, "an object is a mapping of its fields, not a list"},
		{"profiles/x.yaml", "«Nme: pp\nDescription: d\n", Error, "Name is missing (is it Nme?)"},
		{"profiles/x.yaml", "Name: xx\nDescription: d\nParams:\n  size: 1\n  «size: 2\n", Warning, "size is there twice, and this one counts: see line 4"},
		{"profiles/x.yaml", "Name: xx\nDescription: d\n«description: e\n", Error, "description is the same field as Description"},
		{"profiles/x.yaml", "Name: xx\nDescription: d\n«Parms:\n  size: 1\n", Warning, "a profile has no field Parms, and the server drops it; did you mean Params?"},
		{"stages/x.yaml", "Name: xx\nDescription: d\n«Zzzzzzzz: 1\n", Warning, "a stage has no field Zzzzzzzz, and the server drops it"},
		{"tasks/x.yaml", "Name: xx\nDescription: d\nTemplates:\n- Name: a\n  Contents: b\n  «Contnts: a\n", Warning, "a task's Template has no field Contnts, and the server drops it; did you mean Contents?"},
		{"tasks/x.yaml", "Name: xx\nDescription: d\nTemplates:\n  «Name: a\n", Error, "a mapping stands where a list must"},
		{"tasks/x.yaml", "Name: xx\nDescription: «5\n", Warning, "5 is a number here, where a text must stand: put it in quotes"},
		{"tasks/x.json", "{\n\"Name\": \"xx\",\n\"Description\": «5\n}\n", Error, "a number stands where a text must"},
		{"tasks/x.yaml", "Name: xx\nDescription: «yes\n", Warning, "yes is true or false here, where a text must stand: put it in quotes"},
		{"params/x.yaml", "Name: xx\nDescription: d\nSecure: «sure\n", Error, "a text stands where true or false must"},
		{"tasks/x.yaml", "Name: xx\nDescription: d\nTemplates:\n- Name: a\n  ID: lib.sh.tmpl\n- «Name: b\n", Error, "Template[1] must have either an ID"},
		{"tasks/x.yaml", "«Name: 'x y!'\nDescription: d\n", Error, "Invalid Name"},
		{"tasks/x.yaml", "«Name: xx\n", Warning, "task xx has no Description"},
		{"tasks/x.txt", "«x", Error, "only templates may be other than .json, .yaml and .yml"},
		{"tasks/deep/x.yaml", "x", Warning, "no part of the pack"},
		{"taks/x.yaml", "Name: xx", Error, "packs have no section taks; did you mean tasks?"},
		{"machines/x.yaml", "Name: xx", Error, "packs have no section machines"},
		{"tasks/third.yaml", "«Name: second\nDescription: d\n", Warning, "task second is there twice, and this one counts: see "},
		{"tasks/third.yaml", "«Name: cluster-join\nDescription: d\n", Error, "also in the pack drp-core"},
		{"stages/x.yaml", "Name: xx\nDescription: d\nTasks:\n- first\n- «secnd\n", Error, "task secnd does not exist; did you mean second?"},
		{"stages/x.yaml", "Name: xx\nDescription: d\nTasks:\n- first\n- «stage:wrk\n", Error, "stage wrk does not exist; did you mean work?"},
		{"stages/x.yaml", "Name: xx\nDescription: d\nBootEnv: «nowhere\n", Error, "bootenv nowhere does not exist"},
		{"stages/x.yaml", "Name: xx\nDescription: d\nProfiles: [\n  base,\n  «bsae]\n", Error, "profile bsae does not exist; did you mean base?"},
		{"workflows/x.yaml", "Name: xx\nDescription: d\nStages:\n- work\n- «gone-stage\n", Error, "stage gone-stage does not exist"},
		{"tasks/x.yaml", "Name: xx\nDescription: d\nPrerequisites: [first, «gone-task]\n", Error, "task gone-task does not exist"},
		{"tasks/x.yaml", "Name: xx\nDescription: d\nOptionalParams:\n- «siz\n", Warning, "param siz does not exist; did you mean size?"},
		{"tasks/x.yaml", "Name: xx\nDescription: d\nTemplates:\n- Name: a\n  ID: «gone.tmpl\n", Error, "template gone.tmpl does not exist"},
		{"tasks/first.yaml", "Name: first\nDescription: d\nPrerequisites:\n- second\n", Error, "task first depends on itself: first -> second -> first"},
		{"profiles/base.yaml", "Name: base\nDescription: d\nProfiles:\n- global\n- top\n", Error, "profile base depends on itself: base -> top -> base"},
		{"tasks/x.yaml", "Name: xx\nDescription: d\nTemplates:\n- Name: a\n  Contents: |\n    one\n    {{if .ParamExists \"size\"}}\n    «{{end}\n    four\n", Error, `task xx: template: bad character`},
		{"tasks/x.yaml", "Name: xx\nDescription: d\nTemplates:\n- Name: a\n  Contents: «\"one\\n{{if\"\n", Error, "task xx: template: unclosed action"},
		{"tasks/x.yaml", "Name: xx\nDescription: d\nTemplates:\n- Name: a\n  Contents: |-\n\n    one\n    «{{.Param \"size\" | toJsn}}\n", Error, `function "toJsn" is not defined; did you mean toJson?`},
		{"tasks/x.yaml", "Name: xx\nDescription: d\nTemplates:\n- Name: a\n  Path: «'{{env \"HOME\"}}'\n  Contents: a\n", Error, `function "env" is not defined`},
		{"templates/x.tmpl", "one\ntwo {{/* of\nmany lines */}}\n\n«{{template \"lib.sh\" .}}\n", Error, "template lib.sh does not exist"},
		{"templates/x.tmpl", "one\n«{{if eq 1 2}}x{{else}}{{template \"of-another-pack\" .}}{{end}}\n", Warning, "template of-another-pack does not exist"},
		{"templates/x.tmpl", "one\n{{range .Tasks}}x{{else}}\n«{{$x := $.CallTemplate \"stup.tmpl\" .}}{{$x}}{{end}}\n", Warning, "template stup.tmpl does not exist; did you mean setup.tmpl?"},
		{"templates/x.tmpl", "one\n\n«{{.Param \"cluster/machine\"}}\n", Error, "param cluster/machine is used and not declared; did you mean cluster/machines?"},
		{"templates/x.tmpl", "one\n{{if eq 1 2}}{{else}}\n{{len («$.ComposeParam \"undeclared-thing\")}}{{end}}\n", Warning, "param undeclared-thing is used and not declared"},
		{"templates/x.tmpl", "one\n«{{if .ParamExists \"undeclared-thing\"}}{{.Param \"undeclared-thing\"}}{{end}}\n", Warning, "param undeclared-thing is used and not declared"},
		{"bootenvs/x.yaml", "Name: xx\nDescription: d\nOS: {Name: xx}\nBootParams: «'{{.Param \"undeclared-thing\"}}'\n", Warning, "param undeclared-thing"},
		{"profiles/x.yaml", "Name: xx\nDescription: d\nParams:\n  size: 1\n  «undeclared-thing: 1\n", Warning, "param undeclared-thing is used and not declared"},
		{"profiles/x.yaml", "Name: xx\nDescription: d\nParams:\n  size: «four\n", Error, "the value of size: Invalid type. Expected: integer, given: string"},
		{"profiles/x.yaml", "Name: xx\nDescription: d\nParams:\n  color:\n    a: red\n    b: «5\n", Error, "the value of color at b: Invalid type"},
		{"profiles/x.yaml", "Name: xx\nDescription: d\nParams:\n  «word: open\n", Warning, "the value of the secure param word stands in clear text"},
		{"params/color.yaml", "Name: color\nDescription: d\nSchema:\n  type: object\n  additionalProperties:\n    type: string\n  default:\n    a: red\n    c:\n      «x: y\n", Error, "the default of color at c: Invalid type"},
		{"params/x.yaml", "Name: xx\nDescription: d\nSchema:\n  «type: strnig\n", Error, "param xx: the schema is none"},
		{"._Name.meta", "", Error, "the pack has no Name"},
		{"._Name.meta", "a/b", Error, "Invalid Name"},
		{"._Version.meta", "1.2.foo", Error, "invalid version 1.2.foo"},
		{"._Version.meta", "", Warning, "the pack has no Version"},
		{"._Description.meta", "\n", Warning, "the pack has no Description"},
		{"._Colour.meta", "red", Error, "a content pack has no meta field Colour; did you mean Color?"},
		{"._Prerequisites.meta", "drp-core: >=99", Error, "prerequisite test on drp-core failed"},
		{"._Prerequisites.meta", "drp-core: >=1.x.foo", Error, "is no constraint of a version"},
		{"._Prerequisites.meta", "drp-core, : >=1", Error, "names no pack"},
		{"._Prerequisites.meta", "drp-core >=1, drp-core", Error, "is not NAME or NAME: CONSTRAINT"},
		{"._Prerequisites.meta", "drp-core,", Warning, "a comma with no prerequisite"},
		{"._Prerequisites.meta", "drp-core, sound", Error, "a prerequisite of itself"},
	}
	for _, c := range cases {
		t.Run(c.file+" "+c.want, func(t *testing.T) {
			files := maps.Clone(sound)
			before, _, marked := strings.Cut(c.text, "«")
			files[c.file] = strings.Replace(c.text, "«", "", 1)
			found := check(t, folder(t, files))
			if len(found) != 1 {
				t.Fatalf("%d findings; want one: %q\n%v", len(found), c.want, found)
			}
			f := found[0]
			if f.Severity != c.severity || !strings.Contains(f.Text, c.want) {
				t.Errorf("got  %v\nwant %s: %s", f, c.severity, c.want)
			}
			if line := 1 + strings.Count(before, "\n"); marked && (f.File != c.file || f.Line != line) {
				t.Errorf("at %s:%d, want %s:%d: %s", f.File, f.Line, c.file, line, f.Text)
			}
		})
	}
}

func TestALineOfABundleIsThatOfItsFile(t *testing.T) {
	text := `meta:
  Name: bundle
  Version: v1.0.0
  Prerequisites: BasicStore
  Description: d
  «Colour: red
sections:
  tasks:
    one:
      Description: d
      Templates:
        - Name: a
          Contents: |
            first
            «{{nothing}}
    two:
      «Name: three
      Description: d
  «gadgets: {}
  stages:
    work: {Name: work, Description: d,
      Tasks: [one,
        «gone-task]}
«more: 1
`
	file := filepath.Join(t.TempDir(), "bundle.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "«", "")), 0o600); err != nil {
		t.Fatal(err)
	}
	found, err := Check(file)
	if err != nil {
		t.Fatal(err)
	}
	var want, got []int
	for i, line := range strings.Split(text, "\n") {
		if strings.Contains(line, "«") {
			want = append(want, i+1)
		}
	}
	for _, f := range found {
		if f.Severity == Error {
			got = append(got, f.Line)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s%v", diff, found)
	}
}

// What may come with a pack that nobody has given is no error, and what is given is looked into.
func TestPacksThatAreGivenAreLookedInto(t *testing.T) {
	files := maps.Clone(sound)
	files["._Prerequisites.meta"] = "drp-core, elsewhere: >=2"
	files["stages/x.yaml"] = "Name: xx\nDescription: d\nTasks: [their-task]\n"
	dir := folder(t, files)
	found := check(t, dir)
	if len(found) != 1 || found[0].Severity != Warning || !strings.Contains(found[0].Text, "if it comes with elsewhere") {
		t.Errorf("not given: %v", found)
	}
	other := packs.New()
	other.Meta.Name, other.Meta.Version = "elsewhere", "v2.0.0"
	if found := check(t, dir, other); len(found) != 1 || found[0].Severity != Error {
		t.Errorf("given, without the task: %v", found)
	}
	if err := packs.Add(other, "tasks", []byte(`{"Name":"their-task"}`)); err != nil {
		t.Fatal(err)
	}
	if found := check(t, dir, other); len(found) != 0 {
		t.Errorf("given: %v", found)
	}
	other.Meta.Version = packs.New().Meta.Version
	if found := check(t, dir, other); len(found) != 0 {
		t.Errorf("given, with no version yet: %v", found)
	}
	other.Meta.Prerequisites = "sound"
	if found := check(t, dir, other); len(found) != 1 || !strings.Contains(found[0].Text, "sound -> elsewhere -> sound") {
		t.Errorf("a cycle of packs: %v", found)
	}
}

// A pack that names no prerequisites may still rest on others: so do public ones.
func TestWhatMayComeWithAnyPackIsNoError(t *testing.T) {
	files := map[string]string{"._Name.meta": "lone", "._Version.meta": "v1", "._Description.meta": "d",
		"stages/x.yaml": "Name: xx\nDescription: d\nTasks: [their-task]\n", "templates/x.tmpl": "{{template \"their-own\" .}}"}
	found := check(t, folder(t, files))
	for _, f := range found {
		if f.Severity != Warning || !strings.Contains(f.Text, "is not in this pack, which has no Prerequisites") {
			t.Error(f)
		}
	}
	if len(found) != 2 {
		t.Errorf("%d findings, want two: %v", len(found), found)
	}
}

// What comes with drp is clean, as a folder and as a bundle.
func TestShippedPacksAreClean(t *testing.T) {
	for _, name := range packs.Names() {
		c, err := packs.Shipped(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, ext := range []string{".json", ".yaml"} {
			dir := t.TempDir()
			if err := packs.Write(dir, c, ext); err != nil {
				t.Fatal(err)
			}
			for _, f := range check(t, dir) {
				t.Error(f)
			}
		}
	}
}

func TestWhatCannotBeReadIsAnError(t *testing.T) {
	if _, err := Check(filepath.Join(t.TempDir(), "gone")); err == nil {
		t.Error("a path that is not there has no error")
	}
}

func TestHintsAreNear(t *testing.T) {
	for word, want := range map[string]string{"Parms": "Params", "params": "Params", "Descr": "", "": ""} {
		if got := hint(word, []string{"Name", "Params", "Description"}); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
	if n := distance("kitten", "sitting"); n != 3 {
		t.Errorf("kitten and sitting are %d apart", n)
	}
}
