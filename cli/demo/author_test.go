package main

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"drp/cli/client"
	"drp/models"
)

// script is the first block of shell below a heading of the README.
func script(t *testing.T, heading string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, below, found := strings.Cut(string(raw), "\n## "+heading+"\n")
	_, below, begun := strings.Cut(below, "\n```sh\n")
	block, _, ended := strings.Cut(below, "\n```\n")
	if !found || !begun || !ended {
		t.Fatalf("the README has no block of shell below %q", heading)
	}
	return block
}

// What the README tells authors of packs is run to the letter: a pack is unbundled, edited, checked,
// mended, bundled and uploaded, and its workflow runs on two machines.
func TestTheAuthorsSessionOfTheREADME(t *testing.T) {
	w, err := newWorld(&options{bin: programs, dir: t.TempDir()}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := w.close(); err != nil {
			t.Error(err)
		}
	}()
	if err := w.startServer(t.Context()); err != nil {
		t.Fatal(err)
	}
	cli := filepath.Join(w.root, "bin")
	if err := os.Mkdir(cli, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"drp", "drpcli", "drpjq", "jq"} {
		if err := os.Symlink(filepath.Join(programs, "drp"), filepath.Join(cli, name)); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-e", "-o", "pipefail")
	cmd.Stdin = strings.NewReader(script(t, "Write a content pack"))
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), w.env("RS_KEY="+user+":"+password, "PATH="+cli+":"+os.Getenv("PATH"), "TMPDIR="+t.TempDir())...)
	raw, err := cmd.CombinedOutput()
	out := string(raw)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"\ngreeting/tasks/greet.yaml:8: error: param greeting/wrd is used and not declared; did you mean greeting/word?\n",
		"\nError: 1 error in the pack\nto be mended\n", `"Version": "v0.2.0"`, "\nHello, m1\n", "\nHello, m2\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("it does not say %q:\n%s", want, out)
		}
	}
	machines, err := client.Get[[]models.Machine](t.Context(), w.client, "machines")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range machines {
		if !m.WorkflowComplete {
			t.Errorf("%s has not completed its workflow", m.Name)
		}
	}
	page, err := os.ReadFile(filepath.Join(cmd.Dir, "greeting.md"))
	if err != nil || len(machines) != 2 || !strings.Contains(string(page), "### greeting/word\n\nWhat to say\n") {
		t.Errorf("%d machines; %v, page:\n%s", len(machines), err, page)
	}
}
