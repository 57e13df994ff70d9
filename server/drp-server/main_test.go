package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/server/app"
)

// serve makes data, and serves it until the function it returns is called.
func serve(t *testing.T, root string) (stop func()) {
	t.Helper()
	a, err := app.New(t.Context(), app.Config{BaseRoot: root, LogLevel: "error", LogFormat: "text"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// TestCommandsDoWhatTheySay goes the way of an operator: check and back up a running server, stop
// it, restore, look again.
func TestCommandsDoWhatTheySay(t *testing.T) {
	dir := t.TempDir()
	root, file, other := filepath.Join(dir, "data"), filepath.Join(dir, "backup.tar"), filepath.Join(dir, "other")
	stop := serve(t, root)
	for _, c := range []struct {
		args string
		says string // part of the error; "": none
	}{
		{"check --base-root " + root, ""},
		{"backup " + file + " --base-root " + root, ""},
		{"backup " + file + " --base-root " + root, "exists"},
		{"check " + file, ""},
		{"restore " + file + " --base-root " + root, "--force"},
		{"restore " + file + " --force --base-root " + root, "stop the server first"},
		{"restore " + file + " --base-root " + other, ""},
		{"check --base-root " + other, ""},
		{"check " + filepath.Join(other, "drp.db"), ""},
		{"check --base-root " + dir, "no such file"},
		{"check " + filepath.Join(dir, "none"), "no such file"},
		{"check " + filepath.Join(other, "server.crt"), "no backup"},
		{"backup", "name a file"},
		{"restore", "name a file"},
		{"backup a b", "unexpected argument"},
		{"check --loud", "unknown flag"},
		{"restor", "unknown command"},
		{"backup --help", ""},
		{"restore --help", ""},
		{"check --help", ""},
		{"rotate-key --help", ""},
		{"rotate-key --base-root " + root, ""},
		{"rotate-key --base-root " + dir, "there is no key"},
		{"rotate-key --secret-key " + filepath.Join(other, "secret.key"), ""},
		{"rotate-key now", "unexpected argument"},
		{"backup " + file + ".2 --without-key --base-root " + root, ""},
		{"restore " + file + ".2 --base-root " + filepath.Join(dir, "keyless"), ""},
		{"--help", ""},
		{"--version", ""},
	} {
		err := run(strings.Fields(c.args))
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("drp-server %s: got %v, want %q", c.args, err, c.says)
		}
	}
	stop()
	if err := run([]string{"restore", file, "--force", "--base-root", root}); err != nil {
		t.Errorf("restore with force: %v", err)
	}
	serve(t, root)()
	serve(t, other)()
}

// TestBaseRootOfCommandsIsThatOfTheServer: the environment and the configuration file count too.
func TestBaseRootOfCommandsIsThatOfTheServer(t *testing.T) {
	root, config := filepath.Join(t.TempDir(), "data"), filepath.Join(t.TempDir(), "drp.yaml")
	serve(t, root)()
	if err := os.WriteFile(config, []byte("base-root: "+root+"\napi-port: 1234\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := run([]string{"check", "--config", config}); err != nil {
		t.Errorf("by the configuration file: %v", err)
	}
	t.Setenv("RS_BASE_ROOT", root)
	if err := run([]string{"check"}); err != nil {
		t.Errorf("by the environment: %v", err)
	}
}

// TestHelpShowsExamples of each command, and the text of the server names them all.
func TestHelpShowsExamples(t *testing.T) {
	for name, c := range commands {
		if !strings.Contains(c.help, "Examples:\n  drp-server "+name) {
			t.Errorf("the help of %s has no example", name)
		}
		if !strings.Contains(help, "drp-server "+name+" ") {
			t.Errorf("the help of drp-server does not name %s", name)
		}
	}
}
