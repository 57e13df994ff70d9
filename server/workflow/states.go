package workflow

import (
	"slices"
	"strconv"
	"time"

	"drp/models"
	"drp/server/objects"
)

// next are the states a job may go to from each state. Finished and failed are for good.
var next = map[models.State][]models.State{
	models.Created:    {models.Running, models.Incomplete, models.Finished, models.Failed},
	models.Running:    {models.Incomplete, models.Finished, models.Failed},
	models.Incomplete: {models.Running, models.Finished, models.Failed},
	models.Finished:   {},
	models.Failed:     {},
}

// retryAt is the key in a failed job's Meta that says when its machine is to try again.
const retryAt = "retry-at"

// cancelled is the key in the Meta of a job that somebody has ended on purpose: it is not repeated,
// and no error handlers run. The value says why.
const cancelled = "cancelled"

// firstRetry is how long the first repetition of a failed task waits; each further one waits
// twice as long.
const firstRetry = 2 * time.Second

// job is the Rule of jobs. Only the server makes them, as the next step of a machine; of a job
// that is there, callers change State, ExitState and Meta. A job that is set failed by another than
// its runner stops its machine; runners do that themselves, or leave it runnable on purpose.
func (r rules) job(tx *objects.Tx, c *objects.Change) error {
	if c.New == nil {
		return removed(tx, c.Old.(*models.Job))
	}
	j := c.New.(*models.Job)
	j.Token = ""
	if c.Old == nil {
		if byCaller(tx, c) {
			return models.Errorf(models.Invalid, j, "jobs are made as the next step of a machine").Typed("ValidationError")
		}
		return nil
	}
	old := c.Old.(*models.Job)
	if byCaller(tx, c) {
		keepJob(j, old)
	}
	if j.State == old.State {
		return nil
	}
	if !slices.Contains(next[old.State], j.State) {
		return models.Errorf(models.Invalid, j, "Cannot change State from %s to %s", old.State, j.State).Typed("ValidationError")
	}
	switch {
	case j.State == models.Running && old.State == models.Created:
		j.StartTime = tx.Now
	case j.State.Final():
		j.EndTime = tx.Now
	}
	if j.State == models.Failed && byCaller(tx, c) && !isRunner(tx.Actor.Name, j.Machine) && tx.Job != j.Uuid {
		if err := hold(tx, j); err != nil {
			return err
		}
	}
	return r.ended(tx, j)
}

// hold stops the machine whose newest job this is.
func hold(tx *objects.Tx, j *models.Job) error {
	m, ok := current(tx, j)
	if !ok || !m.Runnable {
		return nil
	}
	m.Runnable = false
	return tx.Update(m)
}

// keepJob restores what only the server sets.
func keepJob(j, old *models.Job) {
	set := *old
	set.Common, set.State, set.ExitState = j.Common, j.State, j.ExitState
	*j = set
}

// removed is what the deletion of a job does: the machine forgets it. If it had failed, its
// entry is still to be done, and the machine steps back in front of it.
func removed(tx *objects.Tx, j *models.Job) error {
	if !j.State.Final() {
		return models.Errorf(models.Invalid, j, "Jobs %s is not in a deletable state: %s", j.Uuid, j.State).Typed("ValidationError")
	}
	m, ok := current(tx, j)
	if !ok {
		return nil
	}
	m.CurrentJob = ""
	if j.State == models.Failed && m.CurrentTask == j.CurrentIndex && m.CurrentTask >= 0 {
		m.CurrentTask--
	}
	return tx.Update(m)
}

// current is a copy of the machine whose newest job this is; false when it has gone on or is
// gone.
func current(tx *objects.Tx, j *models.Job) (*models.Machine, bool) {
	e, ok := tx.Get("machines", j.Machine)
	if !ok || e.Object.(*models.Machine).CurrentJob != j.Uuid {
		return nil, false
	}
	return e.Clone().(*models.Machine), true
}

// ended is what the end of a machine's current job does to the machine, as the params
// task-single-step, task-retry and task-error-handlers demand.
func (r rules) ended(tx *objects.Tx, j *models.Job) error {
	m, ok := current(tx, j)
	if !ok || !j.State.Final() || m.CurrentTask != j.CurrentIndex || m.EntryAt(m.CurrentTask) != j.Task {
		return nil // the machine was given another list, or place in it, meanwhile
	}
	switch {
	case j.State == models.Finished, j.Meta[cancelled] != "":
		m.RetryTaskAttempt = 0
	case !r.retry(tx, j, m):
		r.handle(tx, j, m)
	}
	single := false
	if r.param(tx, m, "task-single-step", &single); single {
		m.Runnable = false
	}
	return tx.Update(m)
}

// retry plans the repetition of a failed task; false when none is left.
func (r rules) retry(tx *objects.Tx, j *models.Job, m *models.Machine) bool {
	var times map[string]int
	r.param(tx, m, "task-retry", &times)
	if m.RetryTaskAttempt >= times[j.Task] {
		return false
	}
	wait := firstRetry << min(m.RetryTaskAttempt, 32)
	m.RetryTaskAttempt++
	m.Runnable = false
	j.Meta[retryAt] = tx.Now.Add(wait).Format(time.RFC3339Nano)
	return true
}

// handle puts the list aside and runs the error handlers of a failed task in its place. A
// handler that fails is not handled again.
func (r rules) handle(tx *objects.Tx, j *models.Job, m *models.Machine) {
	var handlers map[string][]string
	r.param(tx, m, "task-error-handlers", &handlers)
	if len(handlers[j.Task]) == 0 || len(m.TaskErrorStacks) > 0 {
		return
	}
	list, err := Place(tx, handlers[j.Task])
	if err != nil {
		j.Meta["task-error-handlers"] = err.Error()
		return
	}
	m.TaskErrorStacks = []models.TaskStack{{CurrentTask: m.CurrentTask, TaskList: m.Tasks}}
	m.Tasks, m.CurrentTask, m.RetryTaskAttempt, m.Runnable = list, -1, 0, true
}

// heartbeat is how often a job's runner has promised to report; false when it has not.
func heartbeat(j *models.Job) (time.Duration, bool) {
	n, err := strconv.Atoi(j.Meta["heartbeat"])
	return time.Duration(n) * time.Second, err == nil && n > 0
}
