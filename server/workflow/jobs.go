package workflow

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"drp/models"
	"drp/server/objects"
)

// Logs keeps the logs of jobs.
type Logs interface {
	// Create starts a job's log with a line; one that has begun stays as it is.
	Create(job, header string) error
	Append(job string, r io.Reader) (int64, error)
	// Sync makes what was appended survive the loss of power.
	Sync(job string) error
	Remove(job string) error
}

// Jobs gives out the jobs of machines, and clears up after their runners.
type Jobs struct {
	objects *objects.Service
	logs    Logs
	now     func() time.Time
	log     *slog.Logger
	// Actions, if set, carries out the actions in task lists; without it they fail.
	Actions Actions
	kick    chan struct{} // there is something to do before the next round

	mu    sync.Mutex
	under map[string]bool      // jobs whose actions are being carried out
	alive map[string]time.Time // running job -> last sign of life of its runner
	ended []string             // jobs whose logs are to be synced
	gone  []string             // jobs whose logs are to be removed
}

// New makes it; it must be called before the service is started.
func New(s *objects.Service, logs Logs, now func() time.Time, log *slog.Logger) *Jobs {
	j := &Jobs{objects: s, logs: logs, now: now, log: log, kick: make(chan struct{}, 1), alive: map[string]time.Time{}, under: map[string]bool{}}
	s.Follow(j.watch)
	return j
}

// Status tells what a request for the next job has led to, as the number the wire knows it by.
type Status int

const (
	Made    Status = 201 // a new job
	Again   Status = 202 // the job that was left incomplete
	Nothing Status = 204 // no job: nothing is left to do, or the machine had to change first
)

// Next decides what a machine is to do next, in one atomic change: it carries out what the
// server does by itself, and gives the caller the job for the next task, or the one that was
// left incomplete. Of want, only Machine, Context and Uuid count. The job is the caller's own
// copy, with the claims its task asks for; it is nil when the status is Nothing.
func (j *Jobs) Next(ctx context.Context, want *models.Job) (Status, *models.Job, error) {
	uuid := want.Uuid
	if uuid == "" || uuid == models.ZeroUUID {
		uuid = models.NewUUID()
	}
	j.acting(uuid) // before others can see the job
	acts := false
	defer func() {
		if !acts {
			j.acted(uuid)
		}
	}()
	var d *decision
	_, err := j.objects.Do(objects.AsServer(ctx), false, func(tx *objects.Tx) error {
		d = &decision{tx: tx, rules: rules{j.objects}, uuid: uuid, status: Nothing}
		return d.run(want)
	})
	if err != nil {
		return 0, nil, err
	}
	for _, e := range d.lines {
		j.write(e.job, e.text)
	}
	if d.status == Nothing {
		return Nothing, nil, nil
	}
	job := models.Clone(d.job)
	if d.acts {
		acts = true
		return j.act(ctx, job)
	}
	job.ExtraClaims = d.claims
	return d.status, job, nil
}

// decision is one run of the decision table, and its outcome.
type decision struct {
	tx    *objects.Tx
	rules rules
	uuid  string // of a new job
	m     *models.Machine
	cur   *models.Job // the machine's newest job, or nil

	status Status
	job    *models.Job
	claims []models.Claim
	lines  []line
	acts   bool // the job is for an action, which is to be carried out now
}

// line is something to be written to a job's log once the change is durable.
type line struct{ job, text string }

func (d *decision) run(want *models.Job) error {
	if err := d.find(want.Machine); err != nil {
		return err
	}
	m := d.m
	if !m.Runnable {
		return conflictf("Machine %s is not runnable", m.Uuid)
	}
	if !m.Available {
		return conflictf("Machine %s is not available", m.Uuid)
	}
	if m.Done() || m.Context != want.Context {
		return nil
	}
	if d.cur != nil && !d.cur.State.Final() {
		switch moved := m.CurrentTask < 0 || isServerEntry(m.EntryAt(m.CurrentTask)); {
		case d.cur.State == models.Incomplete && !moved && m.CurrentTask == d.cur.CurrentIndex:
			return d.again()
		case d.cur.State != models.Incomplete && !moved:
			return conflictf("Machine %s already has running or created job", m.Uuid)
		}
		if err := d.abandon(); err != nil {
			return err
		}
	}
	return d.advance(d.candidate())
}

func conflictf(format string, args ...any) error {
	return models.Errorf(models.Conflict, nil, format, args...).Typed("Conflict")
}

// find reads the machine, when the actor may make jobs for it, and its newest job.
func (d *decision) find(machine string) error {
	e, ok := d.tx.Find("machines", machine)
	if !ok || !d.tx.Actor.Exists(e.Object) {
		return models.Problem(models.Invalid, "", "", "Machine "+machine+" does not exist").Typed("ValidationError")
	}
	key := e.Object.Key()
	if !d.tx.Actor.May("jobs", "create", "") {
		if err := d.tx.Actor.Require("jobs", "create", key); err != nil {
			return err
		}
	}
	d.m = e.Clone().(*models.Machine)
	if e, ok := d.tx.Get("jobs", d.m.CurrentJob); ok {
		d.cur = e.Clone().(*models.Job)
	}
	return nil
}

// again hands out the incomplete job once more.
func (d *decision) again() error {
	d.status, d.job = Again, d.cur
	if t, ok := objects.Get[*models.Task](d.tx, d.cur.Task); ok {
		d.claims = extraClaims(d.tx, t)
	}
	return nil
}

// abandon fails the newest job: its machine was given something else to do.
func (d *decision) abandon() error {
	d.note(d.cur, "The machine has been given something else to do; this job counts as failed")
	d.cur.State, d.cur.ExitState = models.Failed, string(models.Failed)
	err := d.tx.Update(d.cur)
	d.cur = models.Clone(d.cur) // with what its Rule has set
	return err
}

// candidate is the index of the entry to look at first.
func (d *decision) candidate() int {
	if d.cur != nil && d.cur.State == models.Failed && d.m.CurrentTask >= 0 {
		return d.m.CurrentTask
	}
	return d.m.CurrentTask + 1
}

// advance carries out the entries that are the server's from an index on, and then either ends
// the list or makes the job for the entry it has come to. When the machine has changed on the
// way, that is recorded as a job of its own, and the caller looks at the machine afresh.
func (d *decision) advance(i int) error {
	m := d.m
	changed := []string{}
	for {
		if i >= len(m.Tasks) && len(changed) == 0 && len(m.TaskErrorStacks) > 0 {
			i = d.unstack()
			continue
		}
		if i >= len(m.Tasks) || !isServerEntry(m.Tasks[i]) {
			break
		}
		text, err := d.enter(m.Tasks[i])
		if err != nil && len(changed) == 0 {
			return d.fail(i, err.Error())
		}
		if err != nil {
			break // after this change, the next request comes here first
		}
		if i++; text == "" {
			continue
		}
		if changed = append(changed, text); !m.Runnable {
			break // it has to boot first
		}
	}
	switch {
	case len(changed) > 0:
		return d.record(i-1, changed)
	case i >= len(m.Tasks):
		m.CurrentTask = len(m.Tasks)
		return d.tx.Update(m)
	}
	return d.start(i)
}

// unstack takes back the list that error handlers were run instead of, and returns the index
// of the task that they were run for.
func (d *decision) unstack() int {
	top := d.m.TaskErrorStacks[len(d.m.TaskErrorStacks)-1]
	d.m.TaskErrorStacks = d.m.TaskErrorStacks[:len(d.m.TaskErrorStacks)-1]
	d.m.Tasks, d.m.CurrentTask, d.m.RetryTaskAttempt = top.TaskList, top.CurrentTask, 0
	return top.CurrentTask
}

// enter carries out a stage:, bootenv: or context: entry. It returns what has changed, or "".
func (d *decision) enter(entry string) (string, error) {
	verb, arg := models.SplitEntry(entry)
	check := &missing{r: d.tx}
	switch verb {
	case "stage":
		check.ref("Stage "+arg, "stages", arg)
	case "bootenv":
		check.ref("BootEnv "+arg, "bootenvs", arg)
	}
	if len(check.lines) > 0 {
		return "", problem(check.lines[0])
	}
	field := map[string]*string{"stage": &d.m.Stage, "bootenv": &d.m.BootEnv, "context": &d.m.Context}[verb]
	was := *field
	if was == arg {
		return "", nil
	}
	*field = arg
	if verb == "bootenv" {
		d.m.Runnable = false
	}
	return fmt.Sprintf("Machine %s changing from %s %s to %s", d.m.Uuid, verb, was, arg), nil
}

// record stores a finished job for entries that have changed the machine.
func (d *decision) record(i int, changed []string) error {
	j := d.newJob(i)
	j.State, j.ExitState, j.EndTime = models.Finished, "complete", d.tx.Now
	for _, text := range changed {
		d.note(j, text)
	}
	return d.commit(j)
}

// fail stores a failed job for an entry that could not be carried out, and stops the machine.
func (d *decision) fail(i int, reason string) error {
	d.m.Runnable = false
	j := d.newJob(i)
	j.State, j.ExitState, j.EndTime = models.Failed, string(models.Failed), d.tx.Now
	d.note(j, reason)
	return d.commit(j)
}

// start makes the job for an entry that is not the server's own.
func (d *decision) start(i int) error {
	entry := d.m.Tasks[i]
	if d.stopsAt(i, entry) {
		return d.tx.Update(d.m)
	}
	switch verb, _ := models.SplitEntry(entry); verb {
	case "action":
		j := d.newJob(i)
		j.State, d.status, d.acts = models.Running, Made, true
		return d.commit(j)
	case "":
		t, ok := objects.Get[*models.Task](d.tx, entry)
		if !ok {
			return d.fail(i, "Task "+entry+" does not exist")
		}
		d.claims = extraClaims(d.tx, t)
	}
	j := d.newJob(i)
	j.State = models.Created
	d.status = Made
	return d.commit(j)
}

// stopsAt tells whether the param task-stop-at stops the machine in front of an entry. Where
// it has stopped once, it goes on when it is runnable again, and nothing stops a repetition.
func (d *decision) stopsAt(i int, entry string) bool {
	at := strconv.Itoa(i)
	if d.m.Meta[stoppedAt] == at || d.m.CurrentTask == i {
		return false
	}
	var stops []string
	if d.rules.param(d.tx, d.m, "task-stop-at", &stops); !slices.Contains(stops, entry) {
		return false
	}
	d.m.Meta[stoppedAt], d.m.Runnable = at, false
	return true
}

// newJob is a job for an entry; the machine moves to it.
func (d *decision) newJob(i int) *models.Job {
	m := d.m
	j := &models.Job{
		Uuid: d.uuid, Machine: m.Uuid, Previous: models.ZeroUUID, Task: m.Tasks[i], CurrentIndex: i, NextIndex: i + 1,
		Stage: m.Stage, Workflow: m.Workflow, BootEnv: m.BootEnv, Context: m.Context, StartTime: d.tx.Now, Current: true,
	}
	if d.cur != nil {
		j.Previous = d.cur.Uuid
	}
	if i != m.CurrentTask {
		m.RetryTaskAttempt = 0
	}
	m.CurrentTask, m.CurrentJob = i, j.Uuid
	delete(m.Meta, stoppedAt)
	return j
}

// commit stages the new job, the machine, and the job that is no longer the newest.
func (d *decision) commit(j *models.Job) error {
	d.job, d.tx.Job = j, j.Uuid
	if d.cur != nil {
		d.cur.Current = false
		if err := d.tx.Update(d.cur); err != nil {
			return err
		}
	}
	if err := d.tx.Create(j); err != nil {
		return err
	}
	d.lines = append([]line{{j.Uuid, ""}}, d.lines...)
	return d.tx.Update(d.m)
}

func (d *decision) note(j *models.Job, text string) { d.lines = append(d.lines, line{j.Uuid, text}) }

// extraClaims are the claims that a task's jobs have beside those of the machine: those of its
// roles, then its own.
func extraClaims(r objects.Reader, t *models.Task) []models.Claim {
	var claims []models.Claim
	for _, name := range t.ExtraRoles {
		if role, ok := objects.Get[*models.Role](r, name); ok {
			claims = append(claims, role.Claims...)
		}
	}
	return append(claims, t.ExtraClaims...)
}

// FailJob ends a job that cannot go on, with the reason in its log. ClearRunnable stops the
// machine too, when the job is its newest. A job that has ended is left as it is.
func (j *Jobs) FailJob(ctx context.Context, uuid, reason string, clearRunnable bool) error {
	return j.fail(ctx, uuid, reason, clearRunnable, func(objects.Reader, *models.Job) bool { return true })
}

// fail is FailJob for a job that, inside the change, still meets a condition.
func (j *Jobs) fail(ctx context.Context, uuid, reason string, clearRunnable bool, still func(objects.Reader, *models.Job) bool) error {
	failed := false
	_, err := j.objects.Do(objects.AsServer(ctx), false, func(tx *objects.Tx) error {
		failed = false
		e, ok := tx.Get("jobs", uuid)
		if !ok {
			return models.MissingError("jobs", uuid)
		}
		job := e.Clone().(*models.Job)
		if job.State.Final() || !still(tx, job) {
			return nil
		}
		failed = true
		// The machine first, as agents do: what handles the failure may let it run on.
		if clearRunnable {
			if err := hold(tx, job); err != nil {
				return err
			}
		}
		job.State, job.ExitState = models.Failed, string(models.Failed)
		return tx.Update(job)
	})
	if err != nil {
		return fmt.Errorf("fail job %s: %w", uuid, err)
	}
	if failed {
		j.write(uuid, reason)
	}
	return nil
}

// write adds a line to a job's log, below its header. A log that cannot be written does not
// undo what was decided.
func (j *Jobs) write(job, text string) {
	err := j.logs.Create(job, "Log for Job: "+job)
	if err == nil && text != "" {
		_, err = j.logs.Append(job, strings.NewReader(strings.TrimSuffix(text, "\n")+"\n"))
	}
	if err != nil {
		j.log.Error("job log", "job", job, "error", err)
	}
}
