//go:build linux

package runner

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"drp/models"
)

// TestCancelledJobEndsItsScript ends a job while its script runs: the script and its child end, what it
// says at its end is in the log, nothing of the job runs on, and the next try runs.
func TestCancelledJobEndsItsScript(t *testing.T) {
	for _, why := range []string{"by ann", ""} {
		f := newFake(t, "task1", "task2")
		o := options(t, f)
		again := filepath.Join(t.TempDir(), "again")
		f.script("task1", fmt.Sprintf(`[ -e %q ] && exit 0
: >%q
trap 'echo leaving; exit 0' TERM
sleep 1000 & echo $! >"$RS_RUNNER_DIR/../child"
echo ready
wait`, again, again), "echo never the second part")
		f.script("task2", "exit 0")
		begin(t, o)
		f.until("the script is up", func() bool { return strings.Contains(f.logs[f.machine.CurrentJob], "\nready\n") })
		f.mu.Lock()
		id := f.machine.CurrentJob
		f.mu.Unlock()
		f.setFailed(id, why)
		f.until("the log has its tail", func() bool { return strings.Contains(f.logs[id], "\nleaving\n") })
		wantGone(t, filepath.Join(o.TempDir, "child"))
		log, reason := f.logOf(id), "it was cancelled: by ann"
		if why == "" {
			reason = "it was set failed"
		}
		if !strings.Contains(log, reason) || strings.Contains(log, "never the second") {
			t.Errorf("log:\n%s", log)
		}
		f.edit(func(m *models.Machine) { m.Runnable = true })
		f.until("all is done", func() bool { return f.machine.WorkflowComplete })
		if j := f.jobs[id]; j.State != models.Failed || len(f.order) != 3 {
			t.Errorf("the job is %s, %d jobs", j.State, len(f.order))
		}
		for _, line := range f.requests() {
			if strings.Contains(line, "replace Runnable=false") {
				t.Errorf("the runner stops the machine: %s", line)
			}
		}
	}
}

// TestJobCancelledWhileNobodyListens is cancelled while the events do not come: the runner looks when
// they come again.
func TestJobCancelledWhileNobodyListens(t *testing.T) {
	f := newFake(t, "task1")
	f.script("task1", "echo ready\nsleep 1000")
	begin(t, options(t, f))
	f.until("the script is up", func() bool { return strings.Contains(f.logs[f.machine.CurrentJob], "\nready\n") })
	f.mu.Lock()
	id := f.machine.CurrentJob
	f.mu.Unlock()
	f.kill()
	f.until("the stream is broken", func() bool { return len(f.sockets) == 0 })
	f.setFailed(id, "unheard")
	f.start()
	f.until("the script is ended", func() bool { return strings.Contains(f.logs[id], "it was cancelled: unheard") })
}

// TestCancelledAtAnyMoment cancels somewhere in the life of a job: whatever has happened, nothing of
// it runs in the end, and the job stays as it was set.
func TestCancelledAtAnyMoment(t *testing.T) {
	chance := source(t)
	for range 4 {
		f := newFake(t, "task1")
		f.script("task1", "echo part", "for i in 1 2 3 4; do echo $i; done", "sleep 1000")
		o := options(t, f)
		end := begin(t, o)
		at := 1 + chance.IntN(5)
		f.until("it has come so far", func() bool { return len(f.seen) > at && len(f.order) > 0 })
		f.mu.Lock()
		id := f.order[0]
		f.mu.Unlock()
		f.setFailed(id, "by chance")
		f.until("it is given up", func() bool {
			return strings.Contains(o.Stdout.(*lines).text(), "no longer ours")
		})
		if err := end(); err != nil {
			t.Error(err)
		}
		if left, _ := filepath.Glob(filepath.Join(o.TempDir, "*", "task1-*")); len(left) > 0 {
			t.Errorf("left: %s", left)
		}
		if f.jobs[id].State != models.Failed || f.jobs[id].Meta["cancelled"] != "by chance" {
			t.Errorf("the job is %s", f.jobs[id].State)
		}
	}
}
