package workflow

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"

	"drp/models"
	"drp/server/objects"
	"drp/server/prefs"
)

// noStage is the stage of machines that are in none.
const noStage = "none"

// stoppedAt is the key in a machine's Meta that names the index the param task-stop-at has
// stopped it at, so that it goes on from there once it is made runnable.
const stoppedAt = "task-stopped-at"

// machine is the Rule of machines.
func (r rules) machine(tx *objects.Tx, c *objects.Change) error {
	if c.New == nil {
		return deleted(tx, c)
	}
	m := c.New.(*models.Machine)
	if c.Old == nil {
		if err := create(tx, m); err != nil {
			return err
		}
	} else if byCaller(tx, c) {
		old := c.Old.(*models.Machine)
		if err := mayEdit(tx, c.Op, old, m); err != nil {
			return err
		}
		if c.Op == objects.Update {
			if err := (&edit{tx: tx, old: old, m: m}).apply(); err != nil {
				return err
			}
		}
	}
	m.WorkflowComplete = m.Done()
	return inPool(tx, m)
}

// deleted lets a machine go that is not locked. Its jobs stay, but none is the newest job of a
// machine any more, should another be made under the same UUID.
func deleted(tx *objects.Tx, c *objects.Change) error {
	m := c.Old.(*models.Machine)
	if m.Locked && !c.Derived {
		return lockedError(m)
	}
	e, ok := tx.Get("jobs", m.CurrentJob)
	if !ok {
		return nil
	}
	j := e.Clone().(*models.Job)
	j.Current = false
	return tx.Update(j)
}

// mayEdit refuses edits of a locked machine, except the one that unlocks it and those of its
// own runner.
func mayEdit(tx *objects.Tx, op objects.Op, old, m *models.Machine) error {
	if !old.Locked || !m.Locked || isRunner(tx.Actor.Name, old.Uuid) {
		return nil
	}
	if op == objects.Save && reflect.DeepEqual(old.Params, m.Params) && maps.Equal(old.Meta, m.Meta) {
		return nil // a re-check, not an edit
	}
	return lockedError(old)
}

func lockedError(m models.Object) error {
	return models.Errorf(models.Forbidden, m, "Locked")
}

// isRunner tells whether the actor is the machine's agent, a script of one of its jobs, or the
// server itself.
func isRunner(actor, machine string) bool {
	return actor == objects.System.Name || actor == "machine:"+machine || strings.HasPrefix(actor, "job:")
}

// create fills in what a new machine was not given, and enters its workflow or stage. A new
// machine is always runnable.
func create(tx *objects.Tx, m *models.Machine) error {
	tasks, context := m.Tasks, m.Context
	m.CurrentJob, m.PoolStatus, m.Runnable = "", models.PoolFree, true
	if m.Meta[models.FeatureFlags] == "" {
		m.Meta[models.FeatureFlags] = "change-stage-v2"
	}
	// The default workflow is for machines that bring no plan of their own.
	if m.Workflow == "" && m.Stage == "" && len(tasks) == 0 {
		m.Workflow = prefs.Get(tx, prefs.DefaultWorkflow)
	}
	if m.Stage == "" {
		m.Stage = prefs.Get(tx, prefs.DefaultStage)
	}
	if m.BootEnv == "" {
		m.BootEnv = prefs.Get(tx, prefs.DefaultBootEnv)
	}
	e := &edit{tx: tx, old: &models.Machine{}, m: m}
	if m.Workflow != "" {
		if err := e.enterWorkflow(); err != nil {
			return err
		}
	} else if err := e.enterStage(); err != nil {
		return err
	} else if len(tasks) > 0 {
		m.Tasks = tasks
		restart(m)
		if err := e.checkTasks(0); err != nil {
			return err
		}
	}
	if context != "" {
		m.Context = context
	}
	if err := e.checkBootEnv(); err != nil {
		return err
	}
	return e.profiles()
}

// restart puts a machine before the first entry of its list.
func restart(m *models.Machine) {
	m.CurrentTask = -1
	if len(m.Tasks) == 0 {
		m.CurrentTask = 0
	}
	m.RetryTaskAttempt, m.TaskErrorStacks = 0, []models.TaskStack{}
	m.Context = m.Meta[models.BaseContext]
	delete(m.Meta, stoppedAt)
	delete(m.Meta, poolProblem)
}

// edit is a caller's edit of a machine, and what follows from it.
type edit struct {
	tx       *objects.Tx
	old, m   *models.Machine
	left     bool // the workflow was taken away
	replaced bool // the task list is that of a workflow or stage now
}

func (e *edit) apply() error {
	old, m := e.old, e.m
	m.CurrentJob, m.PoolStatus = old.CurrentJob, old.PoolStatus
	m.RetryTaskAttempt, m.TaskErrorStacks = old.RetryTaskAttempt, old.TaskErrorStacks
	if m.Stage == "" {
		m.Stage = noStage
	}
	if m.BootEnv == "" {
		m.BootEnv = old.BootEnv
	}
	for _, step := range []func() error{e.pool, e.workflow, e.stage, e.bootEnv, e.tasks, e.profiles} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// both is what is wrong with a stage and, if anything, with the boot environment.
func (e *edit) both(stage, bootEnv error) error {
	var one, other *models.Error
	if errors.As(stage, &one) && errors.As(bootEnv, &other) {
		return models.Invalidf(e.m, append(one.Messages, other.Messages...)...)
	}
	return stage
}

func (e *edit) refuse(format string, args ...any) error {
	err := models.Errorf(models.Invalid, e.m, format, args...)
	return err.Typed("ValidationError")
}

// pool lets a machine that nobody uses be put into another pool, without the actions of pools.
func (e *edit) pool() error {
	if e.m.Pool == e.old.Pool {
		return nil
	}
	if e.old.PoolStatus != models.PoolFree && !e.tx.Force {
		return e.refuse("Cannot change Pool while PoolStatus is %s unless forced; release or remove the machine", e.old.PoolStatus)
	}
	e.m.PoolStatus = models.PoolFree
	return nil
}

func (e *edit) workflow() error {
	old, m := e.old, e.m
	switch {
	case m.Workflow == old.Workflow && m.Workflow == "":
		return nil
	case m.Workflow == old.Workflow && m.Stage != old.Stage:
		return e.refuse("Cannot change Stage while Workflow %s is set", m.Workflow)
	case m.Workflow == old.Workflow && m.BootEnv != old.BootEnv:
		return e.refuse("Cannot change BootEnv while Workflow %s is set", m.Workflow)
	case m.Workflow == old.Workflow:
		return nil
	case m.Workflow == "":
		e.leaveWorkflow()
		return nil
	}
	return e.enterWorkflow()
}

// leaveWorkflow takes the machine out of its stage too, unless the edit names another, and
// empties its list, unless the edit brings another. BootEnv and Runnable stay.
func (e *edit) leaveWorkflow() {
	e.left = true
	if e.m.Stage == e.old.Stage {
		e.m.Stage = noStage
	}
	if slices.Equal(e.m.Tasks, e.old.Tasks) {
		e.m.Tasks, e.replaced = []string{}, true
	}
	restart(e.m)
}

// enterWorkflow replaces the list and puts the machine into the workflow's first stage.
func (e *edit) enterWorkflow() error {
	m := e.m
	w, ok := objects.Get[*models.Workflow](e.tx, m.Workflow)
	if !ok || !w.Available {
		return e.refuse("Machine %s wants Workflow %s, which is not available", m.Uuid, m.Workflow)
	}
	list, err := Expand(e.tx, w)
	if err != nil {
		return e.refuse("%s", err)
	}
	m.Tasks, e.replaced = list, true
	restart(m)
	if len(w.Stages) == 0 {
		m.Stage = noStage
		return nil
	}
	m.Stage = w.Stages[0]
	s, _ := objects.Get[*models.Stage](e.tx, m.Stage)
	return e.follow(s)
}

func (e *edit) stage() error {
	if e.m.Workflow != "" || e.m.Stage == e.old.Stage || e.left && e.m.Stage == noStage {
		return nil
	}
	if !e.left && !e.old.Done() && !e.tx.Force {
		return e.refuse("Can not change stages with pending tasks unless forced")
	}
	return e.enterStage()
}

func (e *edit) enterStage() error {
	m := e.m
	s, ok := objects.Get[*models.Stage](e.tx, m.Stage)
	if !ok {
		return e.both(e.refuse("Stage %s does not exist", m.Stage), e.bootEnv())
	}
	list, err := Place(e.tx, s.Tasks)
	if err != nil {
		return e.refuse("%s", err)
	}
	if !s.Available {
		return e.refuse("Stage %s is not available", m.Stage)
	}
	m.Tasks, e.replaced = list, true
	restart(m)
	return e.follow(s)
}

// follow makes the machine boot what the stage it enters demands. When that is something else
// than before, the machine must boot before its tasks may run.
func (e *edit) follow(s *models.Stage) error {
	isNew := e.old.BootEnv == ""
	if s.BootEnv != "" {
		e.m.BootEnv = s.BootEnv
	} else if e.m.Workflow != "" && !isNew {
		e.m.BootEnv = e.old.BootEnv
	}
	if s.BootEnv != "" && !isNew && e.old.BootEnv != s.BootEnv {
		e.m.Runnable = false
	}
	return nil
}

func (e *edit) bootEnv() error {
	if e.m.BootEnv == e.old.BootEnv {
		return nil
	}
	return e.checkBootEnv()
}

func (e *edit) checkBootEnv() error {
	b, ok := objects.Get[*models.BootEnv](e.tx, e.m.BootEnv)
	switch {
	case !ok:
		return e.refuse("Bootenv %s does not exist", e.m.BootEnv)
	case b.OnlyUnknown:
		return e.refuse("BootEnv %s does not allow Machine assignments, it has the OnlyUnknown flag.", b.Name)
	case !b.Available:
		return e.refuse("BootEnv %s is not available", b.Name)
	}
	return nil
}

// tasks checks an edit of the list and of the position in it.
func (e *edit) tasks() error {
	old, m := e.old, e.m
	if e.replaced {
		return nil
	}
	same := slices.Equal(m.Tasks, old.Tasks)
	if e.left || !same && m.CurrentTask == -1 && old.CurrentTask != -1 { // another list, from its beginning
		restart(m)
		return e.checkTasks(0)
	}
	from := old.CurrentTask
	if !same {
		if err := e.frozen(); err != nil {
			return err
		}
		if err := e.checkTasks(min(old.CurrentTask+1, len(old.Tasks))); err != nil {
			return err
		}
		// A machine that was done goes on with the first of the new entries.
		if from = min(old.CurrentTask, len(old.Tasks)-1); len(m.Tasks) == 0 {
			from = 0
		}
		if m.CurrentTask == old.CurrentTask {
			m.CurrentTask = from
		}
	}
	return e.position(from)
}

// frozen refuses changes of what has run, and unless forced of what comes after the stage that
// the machine is in.
func (e *edit) frozen() error {
	old, m := e.old.Tasks, e.m.Tasks
	past := min(e.old.CurrentTask+1, len(old))
	if len(m) < past {
		return e.refuse("Cannot remove tasks that have already executed or are already executing")
	}
	if !slices.Equal(m[:past], old[:past]) {
		return e.refuse("Cannot change tasks that have already executed or are executing")
	}
	if past == 0 || e.tx.Force {
		return nil
	}
	next := slices.IndexFunc(old[past:], func(s string) bool { return strings.HasPrefix(s, "stage:") })
	if next < 0 {
		return nil
	}
	future := old[past+next:]
	if len(m)-past < len(future) || !slices.Equal(m[len(m)-len(future):], future) {
		return e.refuse("Cannot change the tasks of later stages unless forced")
	}
	return nil
}

// checkTasks refuses entries from an index on that name what is not there or not available,
// and tasks whose prerequisites do not stand before them.
func (e *edit) checkTasks(from int) error {
	check := &missing{r: e.tx}
	lines := []string{}
	for i := from; i < len(e.m.Tasks); i++ {
		if slices.Contains(e.old.Tasks, e.m.Tasks[i]) {
			continue // what dangles already does not get in the way of other edits
		}
		check.lines = nil
		check.entry(i, e.m.Tasks[i])
		if strings.Contains(e.m.Tasks[i], ":") {
			lines = append(lines, check.lines...)
			continue
		}
		for _, line := range check.lines {
			lines = append(lines, e.m.Key()+": "+line)
		}
	}
	if len(lines) > 0 {
		return models.Invalidf(e.m, lines...)
	}
	if task, prerequisite := CheckPlaced(e.tx, e.m.Tasks, from); task != "" {
		return e.refuse("Task %s missing prerequisite %s", task, prerequisite)
	}
	return nil
}

// position checks a move within the list, and replays what the entries up to there have set.
// Only jobs move a machine forward, and with a workflow nothing moves it back to where it would
// have to boot something else: -1 means the earliest place it may go to.
func (e *edit) position(from int) error {
	m := e.m
	if len(m.Tasks) == 0 {
		m.CurrentTask = 0
		return nil
	}
	if m.CurrentTask == from {
		return nil
	}
	if m.CurrentTask > from {
		return e.refuse("Cannot advance CurrentTask from %d to %d without running jobs", e.old.CurrentTask, m.CurrentTask)
	}
	floor := -1
	if m.Workflow != "" {
		floor = earliest(m.Tasks, from, m.BootEnv)
	}
	if m.CurrentTask == -1 {
		m.CurrentTask = floor
	}
	if m.CurrentTask < floor {
		return e.refuse("Cannot change CurrentTask from %d to %d past %d", e.old.CurrentTask, m.CurrentTask, floor)
	}
	m.RetryTaskAttempt = 0
	delete(m.Meta, stoppedAt)
	before := m.Tasks[:min(m.CurrentTask+1, len(m.Tasks))]
	if m.Context == e.old.Context {
		m.Context = last(before, "context", m.Meta[models.BaseContext])
	}
	m.Stage = last(before, "stage", m.Stage)
	return nil
}

// earliest is the stage: entry of the stage that has set the boot environment in force at an
// index, or -1 when none has.
func earliest(list []string, from int, env string) int {
	from = min(from, len(list)-1)
	for end := from; end >= 0 && end < len(list) && isServerEntry(list[end]); end++ {
		if list[end] == "bootenv:"+env {
			from = end // the entries here are taken together
		}
	}
	for i := from; i >= 0; i-- {
		if !strings.HasPrefix(list[i], "bootenv:") {
			continue
		}
		for ; i >= 0; i-- {
			if strings.HasPrefix(list[i], "stage:") {
				return i
			}
		}
	}
	return -1
}

// last is the argument of the last entry with the verb; without one it is what it was.
func last(list []string, verb, was string) string {
	for _, s := range slices.Backward(list) {
		if v, arg := models.SplitEntry(s); v == verb {
			return arg
		}
	}
	return was
}

// isServerEntry tells whether the server carries out an entry while it looks for the next job.
func isServerEntry(entry string) bool {
	verb, _ := models.SplitEntry(entry)
	return verb == "stage" || verb == "bootenv" || verb == "context"
}

// profiles refuses the addition of profiles that are not there.
func (e *edit) profiles() error {
	check := &missing{r: e.tx}
	for i, name := range e.m.Profiles {
		if !slices.Contains(e.old.Profiles, name) {
			check.profile(i, name)
		}
	}
	for i, line := range check.lines {
		check.lines[i] = e.m.Key() + ": " + line
	}
	if len(check.lines) > 0 {
		return models.Invalidf(e.m, check.lines...)
	}
	return nil
}
