package workflow

import (
	"testing"

	"drp/models"
	"drp/server/objects"
)

// fataler is what *testing.T and *rapid.T have in common here.
type fataler interface {
	Helper()
	Errorf(string, ...any)
}

var _ fataler = (*testing.T)(nil)

// invariants are what holds of machines and jobs at every revision, but for jobs whose machine
// has gone: those are ended when the jobs are looked over.
func invariants(t fataler, v *objects.View) {
	t.Helper()
	current, unfinished := map[string]string{}, map[string]int{}
	for j := range objects.All[*models.Job](v) {
		if j.State.Final() == j.EndTime.IsZero() {
			t.Errorf("job %s is %s and ended at %v", j.Uuid, j.State, j.EndTime)
		}
		if _, ok := v.Get("machines", j.Machine); !ok {
			continue
		}
		if j.Current {
			if current[j.Machine] != "" {
				t.Errorf("machine %s has two current jobs", j.Machine)
			}
			current[j.Machine] = j.Uuid
		}
		if !j.State.Final() {
			if unfinished[j.Machine]++; unfinished[j.Machine] > 1 {
				t.Errorf("machine %s has two unfinished jobs", j.Machine)
			}
			if !j.Current {
				t.Errorf("job %s is %s and not current", j.Uuid, j.State)
			}
		}
	}
	for m := range objects.All[*models.Machine](v) {
		if m.CurrentTask < -1 || m.CurrentTask > len(m.Tasks) {
			t.Errorf("machine is at %d of %d", m.CurrentTask, len(m.Tasks))
		}
		if m.WorkflowComplete != (m.CurrentTask >= len(m.Tasks)) {
			t.Errorf("machine is at %d of %d, complete: %t", m.CurrentTask, len(m.Tasks), m.WorkflowComplete)
		}
		if m.CurrentJob != current[m.Uuid] {
			t.Errorf("machine's job is %q, the current one is %q", m.CurrentJob, current[m.Uuid])
		}
		if m.Available != (len(m.Errors) == 0) {
			t.Errorf("machine is available: %t, errors %v", m.Available, m.Errors)
		}
		if len(m.TaskErrorStacks) > 1 {
			t.Errorf("machine has %d lists put aside", len(m.TaskErrorStacks))
		}
	}
}
