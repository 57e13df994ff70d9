//go:build linux

package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/cli/client"
	"drp/models"
)

// TestMain is also the runner that tests kill, and the tools that scripts call.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "drpcli":
		os.Exit(drpcli(os.Args[1:]))
	case "drpjq":
		os.Exit(drpjq())
	}
	if os.Getenv("TEST_RUNNER") == "" {
		os.Exit(m.Run())
	}
	err := Run(context.Background(), Options{
		Client:   client.New(client.Config{Endpoint: os.Getenv("TEST_RUNNER"), Token: "secret"}),
		Machine:  machineID,
		StateDir: os.Getenv("TEST_STATE"), TempDir: os.Getenv("TEST_TEMP"), OneShot: true, SkipPower: true,
		Stdout: os.Stdout, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(0)
}

// child is a runner in a process of its own.
type child struct {
	t          *testing.T
	url        string
	state, tmp string
}

func newChild(t *testing.T, f *fake) *child {
	t.Helper()
	return &child{t: t, url: f.url(), state: t.TempDir(), tmp: t.TempDir()}
}

// start starts the runner; the channel yields when it has ended.
func (c *child) start() (*exec.Cmd, <-chan error) {
	c.t.Helper()
	self, err := os.Executable()
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "TEST_RUNNER="+c.url, "TEST_STATE="+c.state, "TEST_TEMP="+c.tmp)
	out := &lines{t: c.t}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	c.t.Cleanup(func() { cmd.Process.Kill() })
	return cmd, done
}

// source is chance that can be repeated.
func source(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("TEST_SEED"); s != "" {
		fmt.Sscan(s, &seed)
	}
	t.Logf("TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// counting is a script that leaves a line in a file each time it has run to success.
func counting(file string) string {
	return fmt.Sprintf(`for ((i = 1; i <= 50; i++)); do echo "line $i"; done
sleep 0.0$((RANDOM %% 5))
for ((i = 51; i <= 100; i++)); do echo "line $i"; done
echo ran >>%q`, file)
}

// TestKilledRunnerRunsNoTaskTwice kills the runner again and again. Every script runs to success
// once, no job fails, and the logs are whole.
func TestKilledRunnerRunsNoTaskTwice(t *testing.T) {
	chance := source(t)
	names := []string{"task1", "task2", "task3", "task4", "task5", "task6"}
	f := newFake(t, names...)
	c := newChild(t, f)
	counts := t.TempDir()
	for _, n := range names {
		f.script(n, counting(filepath.Join(counts, n+".1")), counting(filepath.Join(counts, n+".2")))
	}
	kills := 0
	for complete := false; !complete; {
		cmd, done := c.start()
		select {
		case <-done:
		case <-time.After(time.Duration(chance.IntN(150+10*kills)) * time.Millisecond): // a slow host gets there too
			cmd.Process.Kill()
			<-done
			kills++
		}
		f.mu.Lock()
		complete = f.machine.WorkflowComplete
		f.mu.Unlock()
	}
	t.Logf("%d kills", kills)
	if kills == 0 {
		t.Error("it was never killed")
	}
	for i, n := range names {
		for _, part := range []string{".1", ".2"} {
			if got := read1(t, filepath.Join(counts, n+part)); got != "ran\n" {
				t.Errorf("%s%s ran to success %d times", n, part, strings.Count(got, "\n"))
			}
		}
		if len(f.order) != len(names) || f.jobs[f.order[i]].State != models.Finished {
			t.Fatalf("%d jobs for %d tasks; %s is %s", len(f.order), len(names), n, f.jobs[f.order[i]].State)
		}
		wantTwice(t, f.logOf(f.order[i]))
	}
}

// wantTwice checks the log of two counting scripts.
func wantTwice(t *testing.T, log string) {
	t.Helper()
	got := numbered(log)
	for i, v := range got {
		if v != i%100+1 {
			t.Fatalf("line %d is in place %d\n%s", v, i, log)
		}
	}
	if len(got) != 200 {
		t.Fatalf("got %d lines, want 200\n%s", len(got), log)
	}
}

// TestScriptThatDiesWithItsRunnerIsRunAgain kills all that belongs to a job, but for a child of the
// script, which the next runner ends.
func TestScriptThatDiesWithItsRunnerIsRunAgain(t *testing.T) {
	f := newFake(t, "task1")
	c := newChild(t, f)
	f.script("task1", `echo up
[ -e "$RS_RUNNER_DIR/../again" ] && exit 0
: >"$RS_RUNNER_DIR/../again"
sleep 1000 & echo $! >"$RS_RUNNER_DIR/../child"
echo $PPID $$ >"$RS_RUNNER_DIR/../pids"
echo ready
wait`)
	cmd, done := c.start()
	f.until("the script is up", func() bool { return strings.Contains(f.logs[f.machine.CurrentJob], "\nready\n") })
	var keeper, script int
	fmt.Sscan(read1(t, filepath.Join(c.tmp, "pids")), &keeper, &script)
	cmd.Process.Kill()
	<-done
	for _, pid := range []int{keeper, script} {
		p, _ := os.FindProcess(pid)
		p.Kill()
	}
	for alive := true; alive; {
		s, err := statOf(keeper)
		alive = err == nil && !s.dead()
	}
	_, done = c.start()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	wantGone(t, filepath.Join(c.tmp, "child"))
	if !f.machine.WorkflowComplete || len(f.order) != 2 {
		t.Fatalf("complete: %v, %d jobs", f.machine.WorkflowComplete, len(f.order))
	}
	if first := f.jobs[f.order[0]]; first.State != models.Failed {
		t.Errorf("the first job is %s", first.State)
	}
	if log := f.logOf(f.order[0]); !strings.Contains(log, "the runner of this job ended") {
		t.Errorf("the log does not tell:\n%s", log)
	}
}

// TestRecycledPidIsNotTouched gives a record the pid of a process that is not the script's.
func TestRecycledPidIsNotTouched(t *testing.T) {
	other := exec.Command("sleep", "1000")
	if err := other.Start(); err != nil {
		t.Fatal(err)
	}
	defer other.Wait()
	defer other.Process.Kill()
	dir := t.TempDir()
	exit := filepath.Join(dir, "exit")
	if err := os.WriteFile(exit, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p := &process{Pid: other.Process.Pid, Start: "1", Exit: exit, Mark: "RS_TASK_DIR=" + dir}
	if got := p.fate(); got != vanished {
		t.Errorf("fate: got %d, want vanished", got)
	}
	if attach(p) {
		t.Error("attached to a stranger")
	}
	endLeftovers(p)
	if s, err := statOf(other.Process.Pid); err != nil || s.dead() {
		t.Errorf("the stranger was killed: %v", err)
	}
}

// TestHeldScriptNeverStartsWithoutItsRunner: until the pid is on record nothing runs.
func TestHeldScriptNeverStartsWithoutItsRunner(t *testing.T) {
	dir := t.TempDir()
	out, err := os.Create(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	p, err := start(command{argv: []string{"/bin/touch", filepath.Join(dir, "ran")}, dir: dir, out: out, exit: filepath.Join(dir, "exit")})
	if err != nil {
		t.Fatal(err)
	}
	p.hold.Close() // as the runner's death does
	if code := <-p.ended; code != 125 {
		t.Errorf("exit code %d, want 125", code)
	}
	if _, err := os.Stat(filepath.Join(dir, "ran")); err == nil {
		t.Error("the script ran")
	}
	if got := p.fate(); got != unstarted {
		t.Errorf("fate: got %d, want unstarted", got)
	}
}

// TestLostAnswers loses requests and answers of all kinds at random: all goes on as if it had not
// been so.
func TestLostAnswers(t *testing.T) {
	chance := source(t)
	names := []string{"task1", "task2", "task3"}
	f := newFake(t, names...)
	counts := t.TempDir()
	for _, n := range names {
		f.script(n, counting(filepath.Join(counts, n)))
	}
	last := map[string]bool{} // never twice in a row, lest the back-off grow long
	f.fault = func(method, path string) fault {
		key := method + path
		if last[key] {
			last[key] = false
			return none
		}
		if method == "GET" { // the client repeats these by itself, after a second
			return none
		}
		last[key] = true
		return []fault{dropped, unanswered, refused}[chance.IntN(3)]
	}
	o := options(t, f)
	begin(t, o)
	f.until("all is done", func() bool { return f.machine.WorkflowComplete })
	for i, n := range names {
		if got := read1(t, filepath.Join(counts, n)); got != "ran\n" {
			t.Errorf("%s ran to success %d times", n, strings.Count(got, "\n"))
		}
		if len(f.order) != len(names) || f.jobs[f.order[i]].State != models.Finished {
			t.Fatalf("%d jobs for %d tasks; %s is %s", len(f.order), len(names), n, f.jobs[f.order[i]].State)
		}
		wantLines(t, f.logOf(f.order[i]), 100)
	}
}

// TestKilledServer kills the server at random moments, and starts it again.
func TestKilledServer(t *testing.T) {
	chance := source(t)
	names := []string{"task1", "task2", "task3", "task4"}
	f := newFake(t, names...)
	for _, n := range names {
		f.script(n, `for ((i = 1; i <= 20000; i++)); do echo "line $i"; done`)
	}
	begin(t, options(t, f))
	f.until("the runner listens", func() bool { return f.upgrades > 0 })
	for range 4 {
		f.mu.Lock()
		goal := len(f.seen) + chance.IntN(8)
		f.mu.Unlock()
		f.until("some requests", func() bool { return len(f.seen) >= goal || f.machine.WorkflowComplete })
		f.kill()
		f.start()
	}
	f.until("all is done", func() bool { return f.machine.WorkflowComplete })
	for i := range names {
		wantLines(t, f.logOf(f.order[i]), 20000)
	}
	if len(f.order) != len(names) {
		t.Errorf("%d jobs for %d tasks", len(f.order), len(names))
	}
}

// TestBrokenStreamIsReplaced changes the machine while the runner cannot be told.
func TestBrokenStreamIsReplaced(t *testing.T) {
	f := newFake(t, "task1")
	f.script("task1", "exit 0")
	f.machine.Runnable = false
	begin(t, options(t, f))
	f.until("the runner listens", func() bool { return len(f.sockets) == 1 })
	f.kill()
	f.until("the stream is broken", func() bool { return len(f.sockets) == 0 })
	f.edit(func(m *models.Machine) { m.Runnable = true })
	f.start()
	f.until("all is done", func() bool { return f.machine.WorkflowComplete })
}

// TestBurst writes more than 1 MiB at once while the server is away, and does not wait for it.
func TestBurst(t *testing.T) {
	const count = 60000
	f := newFake(t, "task1")
	f.script("task1", fmt.Sprintf(`until [ -e "$RS_RUNNER_DIR/../go" ]; do sleep 0.01; done
for ((i = 1; i <= %d; i++)); do echo "line $i of a burst to fill it up"; done
: >"$RS_RUNNER_DIR/../written"
until [ -e "$RS_RUNNER_DIR/../end" ]; do sleep 0.01; done`, count))
	o := options(t, f)
	begin(t, o)
	f.until("the script runs", func() bool { return strings.Contains(f.logs[f.machine.CurrentJob], "part1.sh: run") })
	f.kill()
	touch(t, filepath.Join(o.TempDir, "go"))
	waitFile(t, filepath.Join(o.TempDir, "written"))
	f.start()
	touch(t, filepath.Join(o.TempDir, "end"))
	f.until("all is done", func() bool { return f.machine.WorkflowComplete })
	wantLines(t, f.logOf(f.order[0]), count)
}

func touch(t *testing.T, file string) {
	t.Helper()
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
}

// waitFile waits until a file is there.
func waitFile(t *testing.T, file string) {
	t.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for end := time.After(time.Minute); ; {
		if _, err := os.Stat(file); err == nil {
			return
		}
		select {
		case <-look.C:
		case <-end:
			t.Fatalf("%s never came", file)
		}
	}
}

// TestOutcomeOnRecordIsReported stops a runner whose server is away when the script ends: the
// next one reports, and runs nothing.
func TestOutcomeOnRecordIsReported(t *testing.T) {
	for _, c := range []struct{ code, state string }{{"0", "finished"}, {"3", "failed"}, {"128", "incomplete"}, {"16", "finished"}} {
		t.Run(c.code, func(t *testing.T) {
			f := newFake(t, "task1")
			o := options(t, f)
			ran := filepath.Join(o.TempDir, "ran")
			f.script("task1", fmt.Sprintf("echo ran >>%q\nexit %s", ran, c.code))
			ctx, cancel := context.WithCancel(context.Background())
			f.fault = func(method, path string) fault {
				if method == "PUT" || method == "PATCH" && f.newest("task1").State == models.Running {
					if _, err := os.Stat(ran); err == nil {
						cancel()
						return dropped
					}
				}
				return none
			}
			if err := Run(ctx, o); err != nil {
				t.Error(err)
			}
			f.mu.Lock()
			f.fault = func(string, string) fault { return none }
			f.mu.Unlock()
			o.OneShot = true
			if err := once(t, o); err != nil {
				t.Fatal(err)
			}
			if j := f.newest("task1"); string(j.State) != c.state || len(f.order) != 1 {
				t.Errorf("job is %s (%d jobs), want %s", j.State, len(f.order), c.state)
			}
			if got := read1(t, ran); got != "ran\n" {
				t.Errorf("ran %q", got)
			}
		})
	}
}

// TestPowerIsNotForgotten kills the runner between the report and the reboot.
func TestPowerIsNotForgotten(t *testing.T) {
	f := newFake(t, "task1")
	f.script("task1", "exit 64")
	o := options(t, f)
	o.Power = func(context.Context, string) error { return errors.New("no reboot today") }
	if err := once(t, o); err == nil || !strings.Contains(err.Error(), "no reboot today") {
		t.Fatalf("got %v", err)
	}
	did := ""
	o.Power = func(_ context.Context, verb string) error { did = verb; return nil }
	if err := once(t, o); err != nil {
		t.Fatal(err)
	}
	if did != "reboot" || len(f.order) != 1 {
		t.Errorf("did %q, %d jobs", did, len(f.order))
	}
}

// TestJobEndedByOthersIsGivenUp fails a job while its script runs.
func TestJobEndedByOthersIsGivenUp(t *testing.T) {
	f := newFake(t, "task1", "task2")
	f.script("task1", `until [ -e "$RS_RUNNER_DIR/../end" ]; do sleep 0.01; done`)
	f.script("task2", "exit 0")
	o := options(t, f)
	begin(t, o)
	f.until("the script runs", func() bool { return strings.Contains(f.logs[f.machine.CurrentJob], "part1.sh: run") })
	f.edit(func(*models.Machine) { f.newest("task1").State = models.Failed })
	f.script("task1", "exit 0")
	touch(t, filepath.Join(o.TempDir, "end"))
	f.until("all is done", func() bool { return f.machine.WorkflowComplete })
	if first := f.jobs[f.order[0]]; first.State != models.Failed || len(f.order) != 3 {
		t.Errorf("the first job is %s, %d jobs", first.State, len(f.order))
	}
}

// TestScriptOutlivesItsRunner replaces the runner, twice, while a script runs.
func TestScriptOutlivesItsRunner(t *testing.T) {
	f := newFake(t, "task1")
	f.script("task1", `echo "line 1"
until [ -e "$RS_RUNNER_DIR/../end" ]; do sleep 0.01; done
echo "line 2"
drpcli machines get "$RS_UUID" param p --aggregate
exit 64`)
	f.params["p"] = `"through the new runner's proxy"`
	c := newChild(t, f)
	for range 2 {
		f.mu.Lock()
		goal := f.upgrades + 1
		f.mu.Unlock()
		cmd, done := c.start()
		f.until("the runner and its script run", func() bool {
			return f.upgrades >= goal && strings.Contains(f.logs[f.machine.CurrentJob], "line 1")
		})
		cmd.Process.Kill()
		<-done
	}
	touch(t, filepath.Join(c.tmp, "end"))
	_, done := c.start()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if j := f.newest("task1"); j.State != models.Finished || j.ExitState != "reboot" || len(f.order) != 1 {
		t.Errorf("job is %s (%s), %d jobs", j.State, j.ExitState, len(f.order))
	}
	log := f.logOf(f.order[0])
	wantLines(t, log, 2)
	wantInLog(t, log, `"through the new runner's proxy"`)
}

// TestJobOfAnotherRunnerIsWaitedFor: the other's end of its job tells nothing about the machine.
func TestJobOfAnotherRunnerIsWaitedFor(t *testing.T) {
	f := newFake(t, "task1", "task2")
	f.script("task1", "exit 0")
	f.script("task2", "exit 0")
	f.machine.CurrentTask, f.machine.Context = 0, "foo"
	theirs := f.newJob("task1", models.Running)
	f.machine.Context = ""
	begin(t, options(t, f))
	f.until("the runner has asked", func() bool { return slices.Contains(f.seen, "POST jobs 409") })
	f.mu.Lock()
	theirs.State = models.Finished
	f.mu.Unlock()
	f.until("all is done", func() bool { return f.machine.WorkflowComplete })
	if theirs.State != models.Finished || len(f.order) != 2 {
		t.Errorf("their job is %s, %d jobs", theirs.State, len(f.order))
	}
}

// TestFinder writes a log in parts of all sizes.
func TestFinder(t *testing.T) {
	chance := source(t)
	for range 200 {
		before := strings.Repeat("needle of another\n", chance.IntN(600))
		after := strings.Repeat("x\n", chance.IntN(6000))
		text := before + "the needle\n" + after
		f := &finder{needle: []byte("the needle\n"), at: -1}
		for rest := text; rest != ""; {
			n := min(len(rest), 1+chance.IntN(1<<chance.IntN(14)))
			f.Write([]byte(rest[:n]))
			rest = rest[n:]
		}
		if f.at != int64(len(before)) || f.total != int64(len(text)) || !strings.HasSuffix(text, string(f.tail)) || len(f.tail) != min(len(text), tailSize) {
			t.Fatalf("at %d of %d, tail %d; want %d of %d", f.at, f.total, len(f.tail), len(before), len(text))
		}
	}
}

// TestDeletedMachineEndsTheRunner waits on a machine that is then no more.
func TestDeletedMachineEndsTheRunner(t *testing.T) {
	f := newFake(t)
	f.machine.Runnable = false
	o := options(t, f)
	done := make(chan error, 1)
	go func() { done <- Run(context.Background(), o) }()
	f.until("the runner listens", func() bool { return len(f.sockets) == 1 })
	f.edit(func(m *models.Machine) { m.Uuid = "11111111-1111-1111-1111-111111111111" })
	if err := <-done; models.ClassOf(err) != models.NotFound {
		t.Errorf("got %v", err)
	}
}

// TestOutcomeIsKeptForARunnerWithMoreRights takes the runner's rights away while the script runs.
func TestOutcomeIsKeptForARunnerWithMoreRights(t *testing.T) {
	f := newFake(t, "task1")
	o := options(t, f)
	ran := filepath.Join(o.TempDir, "ran")
	f.script("task1", fmt.Sprintf("echo ran >>%q", ran))
	f.fault = func(method, path string) fault {
		if method == "PATCH" && f.newest("task1").State == models.Running {
			return forbidden
		}
		return none
	}
	if err := once(t, o); models.ClassOf(err) != models.Forbidden {
		t.Fatalf("got %v, want Forbidden", err)
	}
	f.fault = func(string, string) fault { return none }
	o.OneShot = true
	if err := once(t, o); err != nil {
		t.Fatal(err)
	}
	if j := f.newest("task1"); j.State != models.Finished || len(f.order) != 1 || read1(t, ran) != "ran\n" {
		t.Errorf("job is %s, %d jobs, ran %q", j.State, len(f.order), read1(t, ran))
	}
}
