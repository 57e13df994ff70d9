package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/cli/lint"
	packs "drp/content"
)

func TestShippedPacksAreInstalledByName(t *testing.T) {
	for _, name := range packs.Names() {
		s := newServer(t, map[string]string{"GET contents": `[{"meta":{"Name":"BasicStore"}}]`, "POST contents": `201 {"meta":{"Name":"` + name + `"}}`})
		want(t, name, s.call(t, "contents", "install", name).status, 0)
		asked := s.requests()
		want(t, "requests", len(asked), 2)
		if !strings.HasPrefix(asked[1], "POST contents") || !strings.Contains(asked[1], `"Name":"`+name+`"`) || !strings.Contains(asked[1], `"sections":{"`) {
			t.Errorf("sent: %.200s", asked[1])
		}
		want(t, "list", strings.Contains(call{}.drp(t, "contents", "shipped", "-F", "text").out, name), true)
	}
	r := call{}.drp(t, "contents", "install", "gone")
	want(t, "unknown", r, result{"", "Error: install: no pack \"gone\" is shipped with drp; drp contents shipped lists those that are\n", 1})
}

func TestLintTellsByTheExitStatus(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "tasks", "x.yaml")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"._Name.meta": "mine", "._Version.meta": "v1", file: "Name: xx\nPrerequisites: [xx]\n"} {
		if !filepath.IsAbs(name) {
			name = filepath.Join(dir, name)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := call{}.drp(t, "contents", "lint", dir)
	want(t, "status", r.status, 1)
	want(t, "stderr", r.err, "Error: 1 error in the pack\n")
	want(t, "findings", r.out, filepath.Join(dir, "._Description.meta")+":1: warning: the pack has no Description\n"+
		file+":1: warning: task xx has no Description\n"+file+":2: error: task xx depends on itself: xx -> xx\n")
	data := call{}.drp(t, "contents", "lint", dir, "-F", "json")
	var found []lint.Finding
	if err := json.Unmarshal([]byte(data.out), &found); err != nil || len(found) != 3 || data.status != 1 {
		t.Errorf("as data: %v %+v", err, data)
	}
	if err := os.WriteFile(file, []byte("Name: xx\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, "warnings alone", call{}.drp(t, "contents", "lint", dir).status, 0)
	want(t, "no path", call{}.drp(t, "contents", "lint", filepath.Join(dir, "gone")).status, 1)
}
