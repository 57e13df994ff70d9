package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"drp/cli/spawn"
	"drp/models"
)

// programs is the folder of the programs that the demonstration runs.
var programs string

func TestMain(m *testing.M) {
	os.Exit(withPrograms(m.Run))
}

func withPrograms(tests func() int) int {
	dir, err := os.MkdirTemp("", "drp-demo-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := spawn.Build(context.Background(), dir, "drp/cli/drp", "drp/server/drp-server"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	programs = dir
	return tests()
}

var summary = regexp.MustCompile(`^leader: [0-9a-f-]{36}  machines: 3  jobs: \d+ finished, \d+ failed  elections won: 1$`)

func TestTheDemonstrationHoldsThroughCrashes(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	for _, workflow := range []string{documented, fromCore} {
		var out strings.Builder
		root := filepath.Join(t.TempDir(), "world")
		err := run(t.Context(), []string{"--bin", programs, "--dir", root, "--machines", "3", "--workflow", workflow,
			"--chaos-server", "1", "--chaos-runner", "2", "--seed", fmt.Sprint(seed)}, &out)
		if err != nil {
			t.Fatalf("%s: %v\n%s", workflow, err, out.String())
		}
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if last := lines[len(lines)-1]; !summary.MatchString(last) {
			t.Errorf("last line %q", last)
		}
		if n := strings.Count(out.String(), "kill -9"); n != 3 {
			t.Errorf("%d kills; want 3", n)
		}
	}
}

// tripwire is an output that calls fn when a text appears in it.
type tripwire struct {
	mu   sync.Mutex
	text strings.Builder
	when string
	fn   func()
}

func (w *tripwire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text.Write(p)
	if w.fn != nil && strings.Contains(w.text.String(), w.when) {
		w.fn()
		w.fn = nil
	}
	return len(p), nil
}

func TestAnInterruptLeavesNothingBehind(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	for _, when := range []string{"server ", "machines ", "runners ", "running"} {
		ctx, interrupt := context.WithCancel(t.Context())
		out := &tripwire{when: when, fn: interrupt}
		if err := run(ctx, []string{"--bin", programs, "--machines", "3"}, out); err == nil || err.Error() != "interrupted" {
			t.Errorf("interrupted at %q: %v", when, err)
		}
		interrupt()
		left, err := os.ReadDir(tmp)
		if err != nil || len(left) > 0 {
			t.Errorf("interrupted at %q: %v is left, %v", when, left, err)
		}
		if pids := runningIn(t, programs); len(pids) > 0 {
			t.Errorf("interrupted at %q: processes %v are left", when, pids)
		}
	}
}

// runningIn lists the processes whose program is in a folder.
func runningIn(t *testing.T, dir string) []string {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	var pids []string
	for _, l := range links {
		if exe, err := os.Readlink(l); err == nil && strings.HasPrefix(exe, dir) {
			pids = append(pids, l)
		}
	}
	return pids
}

// outcome is what a run has left.
type outcome struct {
	*world
	profile  *models.Profile
	machines []models.Machine
	jobs     []models.Job
}

// sound is what a run without a fault leaves.
func sound() *outcome {
	o := &outcome{world: &world{options: &options{machines: 2, workflow: documented}}, profile: &models.Profile{Params: models.Params{}}}
	var uuids []string
	for i := range 2 {
		m := models.Machine{Name: fmt.Sprintf("node-%d", i), Uuid: fmt.Sprintf("00000000-0000-4000-8000-00000000000%d", i), WorkflowComplete: true,
			Tasks: []string{"stage:s", "one", "two"}, CurrentTask: 3, Params: models.Params{"cluster-demo/won": json.RawMessage("false")}}
		m.Meta = map[string]string{"icon": "server", "color": "green"}
		for at, task := range m.Tasks {
			o.jobs = append(o.jobs, models.Job{Uuid: models.NewUUID(), Machine: m.Uuid, Task: task, CurrentIndex: at, State: models.Finished})
		}
		o.members = append(o.members, &member{name: m.Name, uuid: m.Uuid})
		o.machines, uuids = append(o.machines, m), append(uuids, m.Uuid)
	}
	o.machines[0].Meta = map[string]string{"icon": "anchor", "color": "purple"}
	o.machines[0].Params["cluster-demo/won"] = json.RawMessage("true")
	o.lists(uuids[0], uuids[1])
	o.profile.Params["my/leader"] = quoted(uuids[0])
	return o
}

// lists sets who joined, worked and finished.
func (o *outcome) lists(uuids ...string) {
	raw, _ := json.Marshal(uuids)
	for _, key := range []string{"cluster/machines", "cluster-demo/order", "cluster/finished"} {
		o.profile.Params[key] = raw
	}
}

func (o *outcome) job(task string, index int, state models.State) {
	o.jobs = append(o.jobs, models.Job{Uuid: models.NewUUID(), Machine: o.machines[0].Uuid, Task: task, CurrentIndex: index, State: state})
}

func (o *outcome) check() *report {
	r := &report{}
	o.checkLeader(o.profile, o.machines, r)
	o.checkOrder(o.profile, r)
	o.checkJobs(o.machines, o.jobs, r)
	return r
}

// Every fault that a run may leave must be found; a run without one must pass.
func TestEveryFaultIsFound(t *testing.T) {
	faults := map[string]func(o *outcome){
		"no leader":        func(o *outcome) { o.profile.Params["my/leader"] = quoted("none") },
		"other leader":     func(o *outcome) { o.profile.Params["my/leader"] = quoted(o.machines[1].Uuid) },
		"two winners":      func(o *outcome) { o.machines[1].Params["cluster-demo/won"] = json.RawMessage("true") },
		"no winner":        func(o *outcome) { delete(o.machines[0].Params, "cluster-demo/won") },
		"no anchor":        func(o *outcome) { o.machines[0].Meta["icon"] = "server" },
		"two anchors":      func(o *outcome) { o.machines[1].Meta = o.machines[0].Meta },
		"not done":         func(o *outcome) { o.machines[1].WorkflowComplete = false },
		"one did not join": func(o *outcome) { o.lists(o.machines[0].Uuid) },
		"one joined twice": func(o *outcome) { o.lists(o.machines[0].Uuid, o.machines[0].Uuid) },
		"a stranger":       func(o *outcome) { o.lists(o.machines[0].Uuid, models.NewUUID()) },
		"out of order": func(o *outcome) {
			o.profile.Params["cluster-demo/order"] = json.RawMessage(`["` + o.machines[1].Uuid + `","` + o.machines[0].Uuid + `"]`)
		},
		"finished twice":        func(o *outcome) { o.job("one", 1, models.Finished) },
		"never finished":        func(o *outcome) { o.jobs = o.jobs[:len(o.jobs)-1] },
		"left running":          func(o *outcome) { o.job("three", 9, models.Running) },
		"failed without a kill": func(o *outcome) { o.job("one", 1, models.Failed) },
		"a machine too many":    func(o *outcome) { o.machines = append(o.machines, models.Machine{WorkflowComplete: true}) },
	}
	if r := sound().check(); len(r.wrong) > 0 || r.finished != 6 || r.won != 1 || r.print(&strings.Builder{}) != nil {
		t.Fatalf("a sound run: %+v", r)
	}
	for name, fault := range faults {
		o := sound()
		fault(o)
		if r := o.check(); len(r.wrong) == 0 || r.print(&strings.Builder{}) == nil {
			t.Errorf("%s goes unnoticed", name)
		}
	}
	killed := sound()
	killed.members[0].kills = 1
	killed.job("one", 1, models.Failed)
	if r := killed.check(); len(r.wrong) > 0 || r.failed != 1 {
		t.Errorf("a job that failed with its killed runner: %+v", r)
	}
}

func TestTheSeedDecidesTheKills(t *testing.T) {
	plan := func(seed uint64) string {
		o := sound()
		o.chaosServer, o.chaosRunner, o.seed = 3, 3, seed
		x := &watch{world: o.world, rows: map[string]*row{}}
		for _, m := range o.machines {
			x.row(m.Uuid).machine = m
		}
		for _, k := range x.plan() {
			if k.at < 1 || k.at > 3 {
				t.Errorf("seed %d: a kill after %d of 4 jobs", seed, k.at)
			}
		}
		return fmt.Sprint(x.plan())
	}
	if first, again := plan(7), plan(7); first != again {
		t.Error("the same seed makes different plans")
	}
	if plan(7) == plan(8) && plan(8) == plan(9) {
		t.Error("the seed does not matter")
	}
}
