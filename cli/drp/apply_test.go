package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// write puts a file below dir.
func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestFilesAreAppliedAndCompared(t *testing.T) {
	drp, server := programs(t)
	c := serve(t, server, drp)
	site := t.TempDir()
	write(t, site, "profiles/web.yaml", "Name: web\nDescription: the web tier\nParams:\n  web/port: 80\n")
	write(t, site, "params/web-port.yaml", "Name: web/port\nSchema: {type: integer}\n")
	write(t, site, "templates/motd.tmpl", "Welcome to {{.Machine.Name}}\n")
	write(t, site, "more.yaml", "Kind: stages\nName: prepare\nTasks: [prepare]\n---\nKind: task\nName: prepare\n---\n# nothing\n---\nKind: machines\nName: m1\nProfiles: [web]\n")
	is := func(want, path string) {
		t.Helper()
		if got := strings.TrimSpace(c.must(strings.Fields(path)...)); got != want {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	out := c.must("apply", "-f", site, "--dry-run")
	if strings.Count(out, "would be created") != 6 {
		t.Errorf("a dry run says:\n%s", out)
	}
	is("0", "machines count Name=m1")
	if _, _, status := c.run("diff", "-f", site); status != 1 {
		t.Errorf("diff ends with %d, want 1", status)
	}
	out = c.must("apply", "-f", site)
	if strings.Count(out, " created\n") != 6 {
		t.Errorf("apply says:\n%s", out)
	}
	is(`["web"]`, "machines show Name:m1 --jq .Profiles|tojson")
	if out := c.must("apply", "-f", site); strings.Count(out, "as it should be") != 6 {
		t.Errorf("the second time apply says:\n%s", out)
	}
	if out, errs, status := c.run("diff", site); status != 0 || out+errs != "" {
		t.Errorf("then diff ends with %d: %s%s", status, out, errs)
	}

	// What a file does not name stays; a null removes.
	c.must("profiles", "set", "web", "param", "other", "to", "1")
	c.must("profiles", "set", "web", "param", "gone", "to", "2")
	write(t, site, "profiles/web.yaml", "Name: web\nDescription: the web tier, new\nParams:\n  web/port: 8080\n  gone: null\n")
	out, _, status := c.run("diff", site)
	want := "profiles/web\n  ~ /Description: \"the web tier\" -> \"the web tier, new\"\n  - /Params/gone: 2\n  ~ /Params/web~1port: 80 -> 8080\n"
	if status != 1 || out != want {
		t.Errorf("diff ends with %d:\n%swant\n%s", status, out, want)
	}
	c.must("apply", site)
	is(`{"other":1,"web/port":8080}`, "profiles show web --jq .Params|tojson")

	// A field left empty is no wish to empty it.
	write(t, site, "profiles/web.yaml", "Name: web\nDescription:\nParams:\n")
	c.must("apply", site)
	is(`{"other":1,"web/port":8080}`, "profiles show web --jq .Params|tojson")
	is(`the web tier, new`, "profiles show web --jq .Description")

	// One failure does not keep the rest from being done.
	write(t, site, "profiles/web.yaml", "Name: web\nParams:\n  web/port: many\n")
	write(t, site, "profiles/db.yaml", "Name: db\n")
	out, errs, status := c.run("apply", site)
	if status != 1 || !strings.Contains(out, "profiles/db created") || !strings.Contains(errs, "web.yaml: ") || !strings.Contains(errs, "1 of 7 objects failed") {
		t.Errorf("apply ends with %d:\n%s%s", status, out, errs)
	}
	for _, bad := range []string{"Kind: cows\nName: x\n", "Name: x\n", "Kind: profiles\n", "Kind: [\n", "sections: {cows: {a: {Name: a}}}\n"} {
		if _, errs, status := c.run("apply", write(t, t.TempDir(), "bad.yaml", bad)); status != 1 || !strings.Contains(errs, "bad.yaml:1: ") {
			t.Errorf("%q: %d %s", bad, status, errs)
		}
	}
}

func TestAnObjectIsEdited(t *testing.T) {
	drp, server := programs(t)
	c := serve(t, server, drp)
	c.must("profiles", "create", `{"Name":"web","Description":"old","Params":{"aa":1}}`)
	dir := t.TempDir()
	edit := func(script string) (out, errs string, status int) {
		t.Helper()
		editor := write(t, dir, "editor", "#!/bin/sh\n"+script)
		e := c
		e.env = append(append([]string{}, c.env...), "EDITOR="+editor, "COUNT="+filepath.Join(dir, "count"), "DRP="+drp)
		return e.run("edit", "profiles", "web")
	}
	description := func() string {
		t.Helper()
		return strings.TrimSpace(c.must("profiles", "show", "web", "--jq", ".Description"))
	}
	if out, errs, status := edit("sed -i 's/^Description: .*/Description: new/' \"$1\"\n"); status != 0 || description() != "new" {
		t.Errorf("edit ends with %d: %s%s", status, out, errs)
	}
	if out, _, status := edit("exit 0\n"); status != 0 || !strings.Contains(out, "stays as it was") {
		t.Errorf("no change: %d %s", status, out)
	}
	if _, errs, status := edit("exit 3\n"); status != 1 || !strings.Contains(errs, "set EDITOR to another") {
		t.Errorf("an editor that fails: %d %s", status, errs)
	}
	// What is refused comes back with the reason, and can be mended.
	out, errs, status := edit(`if grep -q 'It was refused' "$1"; then sed -i 's/^Name: .*/Name: web/' "$1"; grep 'Name' "$1" > /dev/null; echo again >> "$COUNT"
else sed -i 's/^Description: .*/Description: mended/; s/^Params:.*/Params: 5/; /^  aa/d' "$1"; fi
sed -i '/It was refused/,$ s/^Params: 5/Params: {aa: 2}/' "$1"
`)
	if status != 0 || description() != "mended" {
		t.Errorf("mended: %d %s%s", status, out, errs)
	}
	if count, err := os.ReadFile(filepath.Join(dir, "count")); err != nil || string(count) != "again\n" {
		t.Errorf("the editor came back %q, %v", count, err)
	}
	// Who loses against somebody else hears so, and may give up.
	_, errs, status = edit(`grep -q 'It was refused' "$1" && exit 0
"$DRP" profiles update web '{"Description":"theirs"}' > /dev/null
sed -i 's/^Description: .*/Description: mine/' "$1"
`)
	if status != 1 || !strings.Contains(errs, `expected "mended" at /Description, found "theirs"`) || description() != "theirs" {
		t.Errorf("the loser: %d %s; it is %s", status, errs, description())
	}
}
