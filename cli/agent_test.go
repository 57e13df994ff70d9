package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"drp/cli/runner"
)

const machineID = "3e7031fe-3062-45f1-835c-92541bc9cbd3"

// host is one on which an agent can be a service, with a systemctl that notes its calls.
type host struct {
	call
	calls []string
	fault error // of systemctl
	state string
}

func newHost(t *testing.T) *host {
	h := &host{state: "active"}
	h.call = call{env: map[string]string{}, deps: Deps{
		Root: true, StateDir: filepath.Join(t.TempDir(), "state"),
		Service: runner.Service{Dir: t.TempDir(), Command: []string{"/opt/drp"}, Control: h.systemctl},
	}}
	return h
}

func (h *host) systemctl(_ context.Context, args ...string) (string, error) {
	if args[0] == "is-active" {
		return h.state + "\n", nil
	}
	h.calls = append(h.calls, strings.Join(args, " "))
	return "", h.fault
}

func (h *host) config(t *testing.T) *runner.AgentConfig {
	t.Helper()
	c, err := runner.ReadAgentConfig(filepath.Join(h.deps.StateDir, runner.ConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (h *host) unit() string {
	raw, err := os.ReadFile(filepath.Join(h.deps.Service.Dir, "drp-agent.service"))
	if err != nil {
		return ""
	}
	return string(raw)
}

// files are the names in the state dir and the unit dir.
func (h *host) files(t *testing.T) (names []string) {
	t.Helper()
	for _, dir := range []string{h.deps.StateDir, h.deps.Service.Dir} {
		list, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		for _, f := range list {
			names = append(names, f.Name())
		}
	}
	return names
}

func TestAgentLivesAsAService(t *testing.T) {
	h := newHost(t)
	r := h.drp(t, "agent", "install", "--machine-id", machineID, "--endpoints", "https://127.0.0.1:1,https://127.0.0.1:2",
		"--token", "secret", "--context", "c", "--skip-runnable", "--skip-power", "--temp-dir", "/t")
	if r.status != 0 || !strings.Contains(r.out, "drpcli agent restart") {
		t.Fatalf("install: %+v", r)
	}
	want(t, "config", *h.config(t), runner.AgentConfig{
		Endpoints: "https://127.0.0.1:1,https://127.0.0.1:2", Token: "secret", MachineID: machineID, Context: "c", SkipRunnable: true,
	})
	info, err := os.Stat(filepath.Join(h.deps.StateDir, runner.ConfigFile))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("config file: %v, %v; want mode 0600", info.Mode(), err)
	}
	start := `ExecStart="/opt/drp" "agent" "run" "--state-dir" "` + h.deps.StateDir + `" "--temp-dir" "/t" "--skip-power"`
	if !strings.Contains(h.unit(), start+"\n") || strings.Contains(h.unit(), "secret") {
		t.Errorf("unit:\n%s\nwant %s", h.unit(), start)
	}
	for verb, state := range map[string]string{"start": "active", "stop": "inactive", "restart": "activating", "status": "failed"} {
		h.calls, h.state = nil, state
		want(t, verb, h.drp(t, "agent", verb), result{state + "\n", "", 0})
		if want := verb + " drp-agent"; verb != "status" && !slices.Contains(h.calls, want) {
			t.Errorf("%s: systemctl got %q, want %q", verb, h.calls, want)
		}
	}
	want(t, "uninstall", h.drp(t, "agent", "uninstall").status, 0)
	want(t, "status", h.drp(t, "agent", "status").out, "not installed\n")
	want(t, "files", h.files(t), []string{runner.ConfigFile})
}

func TestInstallAsksTheServerForWhatItIsNotTold(t *testing.T) {
	s := newServer(t, map[string]string{
		"GET machines/Name:web1":               `{"Uuid":"` + machineID + `","Name":"web1"}`,
		"GET machines/" + machineID:            `{"Uuid":"` + machineID + `","Name":"web1"}`,
		"GET machines/" + machineID + "/token": `{"Token":"of the machine"}`,
	})
	for args, endpoints := range map[string]string{
		"--machine-id Name:web1 -E " + s.URL:                                 s.URL,
		"--machine-id " + machineID + " -E " + s.URL:                         s.URL,
		"--machine-id Name:web1 --endpoints https://127.0.0.1:1," + s.URL:    "https://127.0.0.1:1," + s.URL,
		"--machine-id Name:web1 --endpoints https://127.0.0.1:1 -E " + s.URL: "https://127.0.0.1:1",
	} {
		h := newHost(t)
		h.env["RS_TOKEN"] = "operator"
		if r := h.drp(t, append([]string{"agent", "install"}, strings.Fields(args)...)...); r.status != 0 {
			t.Errorf("%s: %s", args, r.err)
			continue
		}
		want(t, args, *h.config(t), runner.AgentConfig{Endpoints: endpoints, Token: "of the machine", MachineID: machineID})
		asked := s.requests()
		want(t, args+": last request", asked[len(asked)-1], "GET machines/"+machineID+"/token?ttl=3y")
	}
	h := newHost(t)
	h.env["RS_ENDPOINT"], h.env["RS_UUID"], h.env["RS_CONTEXT"] = s.URL, machineID, "c"
	want(t, "from the environment", h.drp(t, "agent", "install", "-T", "given").status, 0)
	want(t, "from the environment", *h.config(t), runner.AgentConfig{Endpoints: s.URL, Token: "given", MachineID: machineID, Context: "c"})
	want(t, "requests", s.requests(), []string{})
}

func TestInstallHandsOnWhomToTrust(t *testing.T) {
	h := newHost(t)
	h.env["RS_TLS_VERIFY"] = "true"
	t.Chdir(t.TempDir())
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	want(t, "status", h.drp(t, "agent", "install", "--machine-id", machineID, "-T", "x", "--ca", "ca.pem").status, 0)
	c := h.config(t)
	want(t, "trust", []any{c.CA, c.Verify}, []any{filepath.Join(dir, "ca.pem"), true})
}

func TestInstallKeepsAConfigUnlessToldAnother(t *testing.T) {
	h := newHost(t)
	file := filepath.Join(h.deps.StateDir, runner.ConfigFile)
	if err := os.MkdirAll(h.deps.StateDir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := "Endpoints: https://127.0.0.1:1\nToken: first\nMachineID: " + machineID + "\nContext: c\n"
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	want(t, "kept", h.drp(t, "agent", "install").status, 0)
	raw, err := os.ReadFile(file)
	want(t, "kept", []any{string(raw), err}, []any{text, nil})
	if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("a config that all can read stays so: %v", info.Mode())
	}
	want(t, "another", h.drp(t, "agent", "install", "--machine-id", machineID, "--token", "second").status, 0)
	want(t, "another", *h.config(t), runner.AgentConfig{Endpoints: "https://127.0.0.1:8092", Token: "second", MachineID: machineID})
	if err := os.WriteFile(file, []byte("Token: x"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := h.drp(t, "agent", "install")
	if r.status != 1 || !strings.Contains(r.err, file) || !strings.Contains(r.err, "no Endpoints") {
		t.Errorf("a broken config: %+v", r)
	}
}

func TestServiceThatCannotBeManagedSaysWhyAndIsLeftAlone(t *testing.T) {
	verbs := []string{"install --machine-id " + machineID + " -T x", "uninstall", "start", "stop", "restart"}
	for _, c := range []struct {
		name  string
		spoil func(*host)
		want  string
	}{
		{"no systemd", func(h *host) { h.fault, h.deps.Root = runner.ErrNoSystemd, false },
			"systemd does not run this host, and services need it: have this host call drpcli agent run at its boot in another way"},
		{"not root", func(h *host) { h.deps.Root = false }, "only root may manage the service of the agent"},
		{"broken", func(h *host) { h.fault = errors.New("no bus") }, "ask systemd: no bus: "},
	} {
		for _, v := range verbs {
			h := newHost(t)
			c.spoil(h)
			want(t, c.name+": "+v, h.drp(t, append([]string{"agent"}, strings.Fields(v)...)...), result{"", "Error: " + c.want + "\n", 1})
			want(t, c.name+": files", h.files(t), []string{})
			want(t, c.name+": calls", h.calls, []string{"show --property=Version"})
		}
	}
	for _, v := range verbs[1:] {
		h := newHost(t)
		want(t, v, h.drp(t, "agent", v), result{"", "Error: the agent is not installed as a service: see drpcli agent install --help\n", 1})
	}
}

func TestInstallThatFailsWritesNothing(t *testing.T) {
	s := newServer(t, nil) // knows no machine
	for args, reason := range map[string]string{
		"":                      "which machine? There is no ",
		"--machine-id Name:web": "ask for machine Name:web: ",
		"--machine-id " + machineID + " -T x --endpoints ,": "no Endpoints",
	} {
		h := newHost(t)
		h.env["RS_ENDPOINT"], h.env["RS_TOKEN"] = s.URL, "operator"
		r := h.drp(t, append([]string{"agent", "install"}, strings.Fields(args)...)...)
		if r.status != 1 || !strings.Contains(r.err, reason) {
			t.Errorf("%q: %+v; want an error with %q", args, r, reason)
		}
		want(t, args+": files", h.files(t), []string{})
	}
}

func TestAgentRunsFromItsConfigOrForTheMachineNamed(t *testing.T) {
	h := newHost(t)
	var road string
	var got runner.Options
	note := func(name string) func(context.Context, runner.Options) error {
		return func(_ context.Context, o runner.Options) error {
			road, got = name, o
			return nil
		}
	}
	h.run, h.deps.Agent = note("flags"), note("config")
	dir := h.deps.StateDir
	for _, agent := range []string{"agent", "agent run"} {
		try := func(args string) result {
			road = ""
			return h.drp(t, append(strings.Fields(agent), strings.Fields(args)...)...)
		}
		r := try("")
		want(t, "no machine", strings.SplitN(r.err, "\n", 2)[0], "Error: which machine? There is no "+filepath.Join(dir, "agent-cfg.yml")+": give the machine's ID, or set RS_UUID")
		want(t, "no machine", road, "")
		if r := try("instal"); r.status != 1 || !strings.Contains(r.err, `unknown command "instal"`) {
			t.Errorf("a word that is no machine: %+v", r)
		}
		h.env["RS_UUID"], h.env["RS_CONTEXT"] = "u1", "c"
		want(t, "environment", try("--temp-dir /t --skip-power").status, 0)
		want(t, "environment", []any{road, got.Machine, got.Context, got.Service, got.TempDir, got.SkipPower, got.StateDir},
			[]any{"flags", "u1", "c", true, "/t", true, dir})
		h.env = map[string]string{}

		cfg := runner.AgentConfig{Endpoints: "https://127.0.0.1:1", Token: "x", MachineID: machineID}
		other := filepath.Join(t.TempDir(), "other")
		if err := cfg.Write(filepath.Join(other, runner.ConfigFile)); err != nil {
			t.Fatal(err)
		}
		at := " --state-dir " + other
		want(t, "config", try("--skip-power"+at).status, 0)
		want(t, "config", []any{road, got.StateDir, got.SkipPower, got.Stdout != nil}, []any{"config", other, true, true})
		want(t, "named", try("Name:x"+at).status, 0)
		want(t, "named", []any{road, got.Machine, got.Service, got.Client != nil}, []any{"flags", "Name:x", true, true})
		for _, flag := range []string{"-E x", "-T x", "-U x", "-P x", "--ca x", "--context x"} {
			r := try(flag + at)
			if r.status != 1 || road != "" || !strings.Contains(r.err, other) {
				t.Errorf("%s beside a config: %+v, ran from %q", flag, r, road)
			}
		}
		if err := os.WriteFile(filepath.Join(other, runner.ConfigFile), []byte("Token: x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if r := try(at); r.status != 1 || road != "" || !strings.Contains(r.err, "no Endpoints") {
			t.Errorf("a broken config: %+v, ran from %q", r, road)
		}
	}
}
