//go:build linux

package runner

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"drp/models"
)

func TestAgentFollowsItsConfig(t *testing.T) {
	f := newFake(t, "task1")
	f.machine.Runnable = false
	f.script("task1", "exit 16")
	o := options(t, f)
	o.Client, o.Machine = nil, ""
	cfg := AgentConfig{Endpoints: "https://127.0.0.1:1," + f.url(), Token: "secret", MachineID: machineID}
	if err := cfg.Write(filepath.Join(o.StateDir, ConfigFile)); err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithCancel(context.Background())
	defer cancel()
	if err := Agent(short, o); err != nil {
		t.Fatal(err)
	}
	if j := f.newest("task1"); j.State != models.Finished || j.ExitState != "stop" {
		t.Errorf("job is %s (%s)", j.State, j.ExitState)
	}
	if _, err := os.Stat(filepath.Join(o.StateDir, "agent.sock")); err == nil {
		t.Error("the socket was left")
	}
}

func TestAgentTriesAgain(t *testing.T) {
	f := newFake(t, "task1")
	f.script("task1", "exit 16")
	o := options(t, f)
	refusals := 2
	f.machine.Uuid = "11111111-1111-1111-1111-111111111111" // another machine: Not Found
	f.fault = func(string, string) fault {
		if refusals--; refusals == 0 {
			f.machine.Uuid = machineID
		}
		return none
	}
	cfg := AgentConfig{Endpoints: f.url(), Token: "secret", MachineID: machineID}
	if err := cfg.Write(filepath.Join(o.StateDir, ConfigFile)); err != nil {
		t.Fatal(err)
	}
	if err := Agent(context.Background(), o); err != nil {
		t.Fatal(err)
	}
}

func TestAgentConfigIsChecked(t *testing.T) {
	file := filepath.Join(t.TempDir(), ConfigFile)
	for text, want := range map[string]string{
		"Endpoints: https://x:8092\nToken: t\nMachineID: " + machineID + "\nSkipRunnable: true\n": "",
		"Token: t\nMachineID: " + machineID:      "Endpoints",
		"Endpoints: x\nMachineID: " + machineID:  "Token",
		"Endpoints: x\nToken: t\nMachineID: bob": "MachineID",
		"Endpoints: [":                           "agent-cfg.yml",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := ReadAgentConfig(file)
		if want == "" && (err != nil || !c.SkipRunnable) {
			t.Errorf("%q: %v", text, err)
		}
		if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: got %v, want an error about %s", text, err, want)
		}
	}
}

func TestServiceUnit(t *testing.T) {
	ctx := context.Background()
	var calls []string
	active := "inactive\n"
	s := Service{Dir: t.TempDir(), Command: []string{"/opt/my tools/drp", "agent", "run", "100%"}, Control: func(_ context.Context, args ...string) (string, error) {
		calls = append(calls, strings.Join(args, " "))
		if args[0] == "is-active" {
			return active, errors.New("exit status 3")
		}
		return "", nil
	}}
	if got, err := s.Status(ctx); got != "not installed" || err != nil {
		t.Errorf("status: %q, %v", got, err)
	}
	for _, step := range []func(context.Context) error{s.Check, s.Install, s.Start, s.Restart, s.Stop} {
		if err := step(ctx); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := s.Status(ctx); got != "inactive" || err != nil {
		t.Errorf("status: %q, %v", got, err)
	}
	text := read1(t, filepath.Join(s.Dir, "drp-agent.service"))
	if !strings.Contains(text, `ExecStart="/opt/my tools/drp" "agent" "run" "100%%"`+"\n") {
		t.Errorf("unit:\n%s", text)
	}
	if err := s.Uninstall(ctx); err != nil {
		t.Fatal(err)
	}
	want := []string{"show --property=Version", "daemon-reload", "enable drp-agent", "start drp-agent", "restart drp-agent", "stop drp-agent", "is-active drp-agent",
		"disable --now drp-agent", "daemon-reload"}
	if !slices.Equal(calls, want) {
		t.Errorf("calls:\n got %q\nwant %q", calls, want)
	}
	if got, _ := s.Status(ctx); got != "not installed" {
		t.Errorf("status: %q", got)
	}
	if err := (Service{Dir: s.Dir, Command: []string{"drp"}}).Install(ctx); err == nil {
		t.Error("a relative program was accepted")
	}
}

func TestCheckTellsWhatIsWrong(t *testing.T) {
	for _, c := range []struct {
		out  string
		err  error
		want string
	}{
		{"", nil, ""},
		{"", ErrNoSystemd, ErrNoSystemd.Error()},
		{"Access denied\n", errors.New("exit status 1"), "ask systemd: exit status 1: Access denied"},
	} {
		got := ""
		s := Service{Control: func(context.Context, ...string) (string, error) { return c.out, c.err }}
		if err := s.Check(context.Background()); err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestAgentTrustsWhomItsConfigSays(t *testing.T) {
	file := filepath.Join(t.TempDir(), ConfigFile)
	missing := filepath.Join(t.TempDir(), "no.pem")
	cfg := AgentConfig{Endpoints: "https://127.0.0.1:1", Token: "secret", MachineID: machineID, CA: missing}
	if err := cfg.Write(file); err != nil {
		t.Fatal(err)
	}
	c, err := ReadAgentConfig(file)
	if err != nil {
		t.Fatal(err)
	}
	cl, err := c.connect(t.Context())
	if err == nil {
		err = cl.Do(t.Context(), "GET", "info", nil, nil)
	}
	if err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("got %v, want an error about %s", err, missing)
	}
}
