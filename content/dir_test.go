package packs

import (
	"encoding/json"
	"maps"
	"os"
	"strings"
	"testing"
	"testing/fstest"

	"drp/models"
)

func TestAFolderIsAPack(t *testing.T) {
	file := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	dir := fstest.MapFS{
		"._Name.meta": file(" demo\n"), "._Version.meta": file("v1.0.0\n"), ".git/HEAD": file("x"),
		"templates/a.sh.tmpl":   file("echo {{.Param \"x\"}}\n"),
		"templates/b.yaml":      file("ID: b.tmpl\nContents: bb\n"),
		"params/any.name.json":  file(`{"Name":"a/b","ReadOnly":true}`),
		"profiles/deep/no.yaml": file("Name: ignored\n"),
		"README.md":             file("not content"),
	}
	pack, err := Read(dir, "Name=given", "License=none")
	if err != nil {
		t.Fatal(err)
	}
	want := &models.Content{Meta: models.ContentMeta{Name: "demo", Version: "v1.0.0", Type: "dynamic", License: "none"}, Sections: map[string]map[string]json.RawMessage{
		"templates": {"a.sh.tmpl": []byte(`{"Contents":"echo {{.Param \"x\"}}\n","ID":"a.sh.tmpl"}`), "b.tmpl": []byte(`{"Contents":"bb","ID":"b.tmpl"}`)},
		"params":    {"a/b": []byte(`{"Name":"a/b"}`)},
	}}
	if got := text(t, pack); got != text(t, want) {
		t.Errorf("got  %s\nwant %s", got, text(t, want))
	}
	for name, f := range map[string]*fstest.MapFile{
		"tasks/t.txt": file("Name: tt\n"), "tasks/none.yaml": file("Description: nameless\n"), "tasks/bad.yaml": file("{"),
	} {
		broken := maps.Clone(dir)
		broken[name] = f
		if _, err := Read(broken); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	raw, err := models.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

func TestWhatIsNotShippedIsSaid(t *testing.T) {
	for _, name := range []string{"gone", "", ".", "..", "drp-core/..", "embed.go"} {
		if c, err := Shipped(name); err == nil {
			t.Errorf("%q: %+v", name, c.Meta)
		}
	}
	if names := Names(); len(names) < 2 {
		t.Errorf("shipped: %v", names)
	}
}

// A pack is the same after it was a folder: those that we ship, and one whose keys are much alike.
func TestAPackIsTheSameAfterItWasAFolder(t *testing.T) {
	alike := New()
	for _, key := range []string{"a/b", "a.b", `a\b`, "a.b-2", "x"} {
		if err := Add(alike, "params", must(t, map[string]any{"Name": key, "Description": key})); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"t/u", "t.u", "t.u-2", "plain.tmpl", "object.yaml", ".hidden"} {
		if err := Add(alike, "templates", must(t, map[string]any{"ID": id, "Contents": "of " + id})); err != nil {
			t.Fatal(err)
		}
	}
	list := []*models.Content{alike}
	for _, name := range Names() {
		c, err := Shipped(name)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, c)
	}
	for _, c := range list {
		for _, ext := range []string{".json", ".yaml"} {
			dir := t.TempDir()
			if err := Write(dir, c, ext); err != nil {
				t.Fatal(err)
			}
			got, err := Read(os.DirFS(dir))
			if err != nil {
				t.Fatalf("%s: %v", c.Meta.Name, err)
			}
			if text(t, got) != text(t, c) {
				t.Errorf("%s as %s:\n got %s\nwant %s", c.Meta.Name, ext, text(t, got), text(t, c))
			}
		}
	}
}

func must(t *testing.T, v any) []byte {
	t.Helper()
	return []byte(text(t, v))
}
