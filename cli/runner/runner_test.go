//go:build linux

package runner

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/cli/client"
	"drp/models"

	"github.com/google/go-cmp/cmp"
)

// options are those of a runner for the fake's machine.
func options(t *testing.T, f *fake) Options {
	t.Helper()
	return Options{
		Client: client.New(client.Config{Endpoint: f.url(), Token: "secret"}), Machine: machineID,
		StateDir: t.TempDir(), TempDir: t.TempDir(), Grace: time.Second,
		Stdout: &lines{t: t}, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Power: func(context.Context, string) error { t.Error("power was used"); return nil },
	}
}

// lines shows progress in the test's log.
type lines struct {
	t  *testing.T
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.t.Log(strings.TrimSpace(string(p)))
	return l.b.Write(p)
}

func (l *lines) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// begin runs a runner aside; end stops it and returns its error.
func begin(t *testing.T, o Options) (end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- Run(ctx, o) }()
	end = sync.OnceValue(func() error { cancel(); return <-done })
	t.Cleanup(func() { end() })
	return end
}

// once runs a runner until it ends by itself.
func once(t *testing.T, o Options) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	return Run(ctx, o)
}

func wantRequests(t *testing.T, f *fake, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, f.requests()); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}

// jobRequests are those of one job of a task, with the end that is given.
func jobRequests(j, task, from string, end ...string) []string {
	return append([]string{
		"GET tasks/" + task + " 200",
		"PATCH jobs/" + j + " 200 test State=" + from + " replace State=running add Meta/heartbeat=15",
		"GET jobs/" + j + "/actions 200",
	}, end...)
}

func ended(j, state, exit string) string {
	return fmt.Sprintf("PATCH jobs/%s 200 test State=running replace State=%s replace ExitState=%s", j, state, exit)
}

const held = "PATCH machines/M 200 test Runnable=true replace Runnable=false"

func TestTwoTasksSucceed(t *testing.T) {
	f := newFake(t, "stage:s1", "task1", "task2")
	f.script("task1", "echo one")
	f.script("task2", "echo two")
	o := options(t, f)
	o.OneShot = true
	if err := once(t, o); err != nil {
		t.Fatal(err)
	}
	want := []string{"POST jobs 201"}
	want = append(want, jobRequests("J1", "task1", "created", ended("J1", "finished", "complete"))...)
	want = append(want, "POST jobs 201")
	want = append(want, jobRequests("J2", "task2", "created", ended("J2", "finished", "complete"))...)
	want = append(want, "POST jobs 204", "POST jobs 204")
	wantRequests(t, f, want...)
	if !f.machine.WorkflowComplete {
		t.Error("the workflow is not complete")
	}
	for _, dir := range []string{o.TempDir} {
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("left in %s: %v", dir, left)
		}
	}
}

func TestFailedTaskHoldsTheMachineAndGetsANewJob(t *testing.T) {
	f := newFake(t, "task1")
	f.script("task1", `test -e "$RS_RUNNER_DIR/../fixed" || exit 3`)
	o := options(t, f)
	end := begin(t, o)
	f.until("the job fails", func() bool { return f.newest("task1").State == models.Failed })
	want := append([]string{"POST jobs 201"}, jobRequests("J1", "task1", "created", held, ended("J1", "failed", "failed"))...)
	wantRequests(t, f, want...)
	if err := os.WriteFile(filepath.Join(o.TempDir, "fixed"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.edit(func(m *models.Machine) { m.Runnable = true })
	f.until("the second job succeeds", func() bool { return f.machine.WorkflowComplete })
	if len(f.order) != 2 || f.newest("task1").State != models.Finished {
		t.Errorf("jobs: %d, the last %s; want 2, finished", len(f.order), f.newest("task1").State)
	}
	if err := end(); err != nil {
		t.Error(err)
	}
}

func TestIncompleteJobRunsAgainFromItsFirstAction(t *testing.T) {
	f := newFake(t, "task1")
	f.script("task1", `echo first >>"$RS_RUNNER_DIR/../ran"`, `test -e "$RS_RUNNER_DIR/../again" || { : >"$RS_RUNNER_DIR/../again"; exit 128; }`)
	o := options(t, f)
	begin(t, o)
	f.until("the job is incomplete", func() bool { return f.newest("task1").State == models.Incomplete })
	f.edit(func(m *models.Machine) { m.Runnable = true })
	f.until("the job finishes", func() bool { return f.machine.WorkflowComplete })
	want := append([]string{"POST jobs 201"}, jobRequests("J1", "task1", "created", held, ended("J1", "incomplete", "complete"))...)
	want = append(want, "POST jobs 202")
	want = append(want, jobRequests("J1", "task1", "incomplete", ended("J1", "finished", "complete"))...)
	if diff := cmp.Diff(want, f.requests()[:len(want)]); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
	if got := read1(t, filepath.Join(o.TempDir, "ran")); got != "first\nfirst\n" {
		t.Errorf("first action ran %q", got)
	}
}

func TestPowerAfterTheReport(t *testing.T) {
	for _, c := range []struct {
		code        int
		state, exit string
	}{
		{64, "finished", "reboot"}, {192, "incomplete", "reboot"}, {32, "finished", "poweroff"}, {160, "incomplete", "poweroff"},
	} {
		for _, skip := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d skip=%v", c.code, skip), func(t *testing.T) {
				f := newFake(t, "task1")
				f.script("task1", fmt.Sprintf("exit %d", c.code))
				o := options(t, f)
				o.SkipPower = skip
				var did []string
				o.Power = func(_ context.Context, verb string) error { did = append(did, verb); return nil }
				if err := once(t, o); err != nil {
					t.Fatal(err)
				}
				want := append([]string{"POST jobs 201"}, jobRequests("J1", "task1", "created", held, ended("J1", c.state, c.exit))...)
				var power []string
				if !skip {
					if power = []string{c.exit}; c.exit == "reboot" {
						want = append(want, "GET info 200")
					}
					want = append(want, "PATCH machines/M 200 test Context= replace Runnable=false")
				}
				wantRequests(t, f, want...)
				if !slices.Equal(did, power) {
					t.Errorf("power: got %q, want %q", did, power)
				}
			})
		}
	}
}

func TestStopEndsTheRunner(t *testing.T) {
	f := newFake(t, "task1", "task2")
	f.script("task1", "exit 16")
	if err := once(t, options(t, f)); err != nil {
		t.Fatal(err)
	}
	wantRequests(t, f, append([]string{"POST jobs 201"}, jobRequests("J1", "task1", "created", held, ended("J1", "finished", "stop"))...)...)
}

func TestBootEnvChangeReboots(t *testing.T) {
	for _, c := range []struct {
		name, from, context string
		skip                bool
		power               []string
	}{
		{name: "reboots", from: "sledgehammer", power: []string{"reboot"}},
		{name: "an installer just ends", from: "debian-install"},
		{name: "power is others' business", from: "sledgehammer", skip: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t, "stage:s2", "bootenv:local")
			f.machine.BootEnv = c.from
			o := options(t, f)
			o.SkipPower = c.skip
			var did []string
			o.Power = func(_ context.Context, verb string) error { did = append(did, verb); return nil }
			if err := once(t, o); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(did, c.power) {
				t.Errorf("power: got %q, want %q", did, c.power)
			}
			if f.machine.Runnable {
				t.Error("the machine is runnable before it has booted")
			}
			if c.skip { // the next start counts as the boot
				o.Service, o.OneShot = true, true
				if err := once(t, o); err != nil || !f.machine.WorkflowComplete {
					t.Errorf("after the boot: %v, complete: %v", err, f.machine.WorkflowComplete)
				}
			}
		})
	}
}

func TestRenderFailureIsLeftToTheServer(t *testing.T) {
	f := newFake(t, "task1")
	f.script("task1", "exit 0").broken = true
	begin(t, options(t, f))
	f.until("the job fails", func() bool { return f.newest("task1").State == models.Failed })
	f.edit(func(m *models.Machine) { m.Runnable = true })
	f.until("it was tried again", func() bool { return len(f.order) == 2 && f.newest("task1").State == models.Failed })
	for _, r := range f.requests() {
		if strings.HasPrefix(r, "PATCH machines") || strings.Contains(r, "State=failed") {
			t.Errorf("the runner did the server's part: %s", r)
		}
	}
}

func TestRenderFailureIsReportedToAServerThatDoesNotCare(t *testing.T) {
	f := newFake(t, "task1")
	f.kind = true
	f.script("task1", "exit 0").broken = true
	o := options(t, f)
	o.OneShot = true
	if err := once(t, o); err != nil {
		t.Fatal(err)
	}
	if j := f.newest("task1"); j.State != models.Failed || j.ExitState != "failed" || f.machine.Runnable {
		t.Errorf("job is %s (%s), runnable: %v", j.State, j.ExitState, f.machine.Runnable)
	}
	if log := f.logOf(f.order[0]); !strings.Contains(log, "cannot render") {
		t.Errorf("the log does not say why:\n%s", log)
	}
}

func TestContextHandOver(t *testing.T) {
	f := newFake(t, "task1", "context:foo", "task2", "context:", "task3")
	for _, n := range []string{"task1", "task2", "task3"} {
		f.script(n, `echo "context=$RS_CONTEXT."`)
	}
	a, b := options(t, f), options(t, f)
	b.Context, b.StateDir = "foo", a.StateDir
	begin(t, a)
	begin(t, b)
	f.until("all is done", func() bool { return f.machine.WorkflowComplete })
	for task, want := range map[string]string{"task1": "context=.", "task2": "context=foo.", "task3": "context=."} {
		if log := f.logOf(f.newest(task).Uuid); !strings.Contains(log, want) {
			t.Errorf("%s: no %q in\n%s", task, want, log)
		}
	}
}

func TestServiceMakesTheMachineRunnable(t *testing.T) {
	for _, c := range []struct {
		name  string
		set   func(o *Options, m *models.Machine)
		wants bool
	}{
		{"service", func(o *Options, _ *models.Machine) { o.Service = true }, true},
		{"not asked to", func(*Options, *models.Machine) {}, false},
		{"asked not to", func(o *Options, _ *models.Machine) { o.Service, o.SkipRunnable = true, true }, false},
		{"other context", func(o *Options, _ *models.Machine) { o.Service, o.Context = true, "foo" }, false},
		{"old stages", func(_ *Options, m *models.Machine) { m.Meta = map[string]string{} }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFake(t)
			f.machine.Runnable = false
			o := options(t, f)
			o.OneShot = true
			c.set(&o, f.machine)
			if err := once(t, o); err != nil {
				t.Fatal(err)
			}
			if f.machine.Runnable != c.wants {
				t.Errorf("runnable: got %v, want %v", f.machine.Runnable, c.wants)
			}
		})
	}
}

func TestFailureIsAnErrorWhereItIsAskedFor(t *testing.T) {
	f := newFake(t, "task1")
	f.script("task1", "exit 1")
	o := options(t, f)
	o.OneShot, o.ExitOnFailure = true, true
	if err := once(t, o); err == nil || !strings.Contains(err.Error(), "task1 failed") {
		t.Errorf("got %v", err)
	}
}

func TestSecondRunnerIsRefused(t *testing.T) {
	f := newFake(t)
	o := options(t, f)
	begin(t, o)
	f.until("the first runs", func() bool { return f.upgrades == 1 })
	if err := once(t, o); err == nil || !strings.Contains(err.Error(), "another runner") {
		t.Errorf("got %v", err)
	}
}

func TestUnknownMachineIsAnError(t *testing.T) {
	f := newFake(t)
	o := options(t, f)
	o.Machine = "Name:nobody"
	if err := once(t, o); models.ClassOf(err) != models.NotFound {
		t.Errorf("got %v, want NotFound", err)
	}
}

func TestRunnerThatIsToldToEndEndsItsScript(t *testing.T) {
	f := newFake(t, "task1")
	f.script("task1", `sleep 1000 & echo $! >"$RS_RUNNER_DIR/../pid"; echo up; trap '' TERM; wait`)
	o := options(t, f)
	o.Heartbeat = 20 * time.Millisecond
	o.Grace = 100 * time.Millisecond
	end := begin(t, o)
	f.until("the script is up", func() bool { return strings.Contains(f.logs[f.machine.CurrentJob], "\nup\n") })
	if err := end(); err != nil {
		t.Error(err)
	}
	if j := f.newest("task1"); j.State != models.Failed || !f.machine.Runnable {
		t.Errorf("job is %s, runnable: %v; want failed and true", j.State, f.machine.Runnable)
	}
	wantGone(t, filepath.Join(o.TempDir, "pid"))
	f.script("task1", "exit 0")
	o.OneShot = true
	if err := once(t, o); err != nil || !f.machine.WorkflowComplete {
		t.Errorf("the next runner: %v, complete: %v", err, f.machine.WorkflowComplete)
	}
}

// wantGone checks that the process whose pid is in a file has ended.
func wantGone(t *testing.T, file string) {
	t.Helper()
	var pid int
	if _, err := fmt.Sscan(read1(t, file), &pid); err != nil {
		t.Fatal(err)
	}
	if s, err := statOf(pid); err == nil && !s.dead() {
		t.Errorf("process %d still lives (%s)", pid, s.state)
	}
}

func TestChildrenLeftOverAreEndedButDaemonsAreNot(t *testing.T) {
	f := newFake(t, "task1")
	f.script("task1", `sleep 1000 & echo $! >"$RS_RUNNER_DIR/../child"
setsid sleep 1000 & echo $! >"$RS_RUNNER_DIR/../daemon"
until [ "$(ps -o sid= -p $! | tr -d ' ')" = $! ]; do :; done`)
	o := options(t, f)
	o.OneShot = true
	if err := once(t, o); err != nil || !f.machine.WorkflowComplete {
		t.Fatalf("%v, complete: %v", err, f.machine.WorkflowComplete)
	}
	wantGone(t, filepath.Join(o.TempDir, "child"))
	var pid int
	fmt.Sscan(read1(t, filepath.Join(o.TempDir, "daemon")), &pid)
	s, err := statOf(pid)
	if err != nil || s.dead() {
		t.Fatalf("the daemon %d is gone: %v", pid, err)
	}
	p, _ := os.FindProcess(pid)
	p.Kill()
}

func TestFilesAndActionsOfOtherSystems(t *testing.T) {
	f := newFake(t, "task1")
	f.tasks["task1"] = &fakeTask{flags: "sane-exit-codes", actions: []models.JobAction{
		{Name: "list", Path: "etc/list", Content: "a b", Meta: map[string]string{"OS": "linux,darwin,freebsd"}},
		{Name: "other", Content: "#!/bin/sh\nexit 1\n", Meta: map[string]string{"OS": "windows"}},
		{Name: "show", Content: "#!/bin/sh\necho got $(cat etc/list)\n", Meta: map[string]string{"OS": "any"}},
		{Name: "by", Content: "this is no script\n", Meta: map[string]string{"OS": "any", "Interpreter": "/bin/sh -c", "x": "y"}},
	}}
	f.tasks["task1"].actions[3].Meta["Interpreter"] = "cat"
	o := options(t, f)
	o.OneShot = true
	if err := once(t, o); err != nil {
		t.Fatal(err)
	}
	log := f.logOf(f.order[0])
	for _, want := range []string{"got a b\n", "this is no script\n"} {
		if !strings.Contains(log, want) {
			t.Errorf("no %q in\n%s", want, log)
		}
	}
	if j := f.newest("task1"); j.State != models.Finished {
		t.Errorf("job is %s", j.State)
	}
}

func TestWhatGoesWrongOnTheHostIsInTheLog(t *testing.T) {
	for name, a := range map[string]models.JobAction{
		"leads out":        {Name: "a", Path: "../../x", Content: "y"},
		"nothere":          {Name: "a", Content: "#!/bin/sh\n", Meta: map[string]string{"Interpreter": "/nothere"}},
		"exits with 77":    {Name: "a", Content: "#!/bin/sh\nexit 77\n"},
		"the script was k": {Name: "a", Content: "#!/bin/sh\nkill -9 $PPID\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t, "task1")
			f.tasks["task1"] = &fakeTask{flags: "sane-exit-codes", actions: []models.JobAction{a}}
			o := options(t, f)
			o.OneShot = true
			if err := once(t, o); err != nil {
				t.Fatal(err)
			}
			if j := f.newest("task1"); j.State != models.Failed || f.machine.Runnable {
				t.Errorf("job is %s, runnable: %v", j.State, f.machine.Runnable)
			}
			if log := f.logOf(f.order[0]); !strings.Contains(log, name) {
				t.Errorf("no %q in\n%s", name, log)
			}
		})
	}
}

func TestSilentScriptShowsLife(t *testing.T) {
	f := newFake(t, "task1")
	f.script("task1", `until [ -e "$RS_RUNNER_DIR/../go" ]; do sleep 0.01; done`)
	o := options(t, f)
	o.Heartbeat = 10 * time.Millisecond
	begin(t, o)
	f.until("five signs of life", func() bool {
		n := 0
		for _, s := range f.seen {
			if strings.HasSuffix(s, "/log 204 empty") {
				n++
			}
		}
		return n >= 5
	})
	if err := os.WriteFile(filepath.Join(o.TempDir, "go"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	f.until("all is done", func() bool { return f.machine.WorkflowComplete })
}

func read1(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// numbered returns the numbers of the lines "line N" in a log.
func numbered(log string) (got []int) {
	s := bufio.NewScanner(strings.NewReader(log))
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		var n int
		if _, err := fmt.Sscanf(s.Text(), "line %d", &n); err == nil {
			got = append(got, n)
		}
	}
	return got
}

// wantLines checks that a log has the lines 1 to n, each once and in order.
func wantLines(t *testing.T, log string, n int) {
	t.Helper()
	got := numbered(log)
	for i, v := range got {
		if v != i+1 {
			t.Fatalf("line %d follows line %d", v, i)
		}
	}
	if len(got) != n {
		t.Fatalf("got %d lines, want %d", len(got), n)
	}
}

func TestUselessConfigurationIsAnErrorAtOnce(t *testing.T) {
	f := newFake(t)
	for _, cfg := range []client.Config{{Endpoint: "ftp://x", Token: "secret"}, {Endpoint: f.url(), Token: "secret", Verify: true}, {Endpoint: f.url(), Token: "wrong"}} {
		o := options(t, f)
		o.Client = client.New(cfg)
		if err := once(t, o); err == nil || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%+v: got %v", cfg, err)
		}
	}
}
