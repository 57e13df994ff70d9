package workflow

import (
	"maps"
	"slices"

	"drp/models"
	"drp/server/objects"
)

// phase is what a machine goes through in its pool while a workflow runs: hold takes the place of
// during while a task has failed, and to is where it comes to in the end ("": the next pool).
type phase struct{ during, hold, to string }

var phases = func() map[string]phase {
	m := map[string]phase{}
	for _, p := range []phase{
		{models.PoolJoining, models.PoolHoldJoin, models.PoolFree},
		{models.PoolBuilding, models.PoolHoldBuild, models.PoolInUse},
		{models.PoolDestroying, models.PoolHoldDestroy, models.PoolFree},
		{models.PoolLeaving, models.PoolHoldLeave, ""},
	} {
		m[p.during], m[p.hold] = p, p
	}
	return m
}()

// Keys in the Meta of a machine that is on its way to another pool, and of one that was stopped on
// the way because what its pool demands cannot be done.
const (
	nextPool     = "pool-next"
	nextWorkflow = "pool-next-workflow"
	poolProblem  = "pool-problem"
)

// inPool is the part of the Rule of machines that keeps the state in the pool in step with the
// workflow.
func inPool(tx *objects.Tx, m *models.Machine) error {
	p, moving := phases[m.PoolStatus]
	switch {
	case !moving || m.Meta[poolProblem] != "":
	case !m.Done() && stuck(tx, m):
		m.PoolStatus = p.hold
	case !m.Done():
		m.PoolStatus = p.during
	case p.to == "":
		return enterNext(tx, m)
	default:
		m.PoolStatus = p.to
	}
	m.PoolAllocated = models.PoolAllocated(m.PoolStatus)
	return nil
}

// stuck tells whether a machine has stopped at a task that failed.
func stuck(tx *objects.Tx, m *models.Machine) bool {
	j, ok := objects.Get[*models.Job](tx, m.CurrentJob)
	return ok && !m.Runnable && j.State == models.Failed && j.Meta[retryAt] == "" &&
		j.CurrentIndex == m.CurrentTask && j.Task == m.EntryAt(m.CurrentTask)
}

// enterNext takes a machine that has left its pool into the next. It must not fail, since the job
// that comes to its end here has nothing to do with it: what cannot be done is told in the Meta,
// and the machine is held until somebody gives it something to do.
func enterNext(tx *objects.Tx, m *models.Machine) error {
	n := models.Copy(m)
	t := passage{tx: tx, old: m, m: n}
	err := t.end()
	if err == nil {
		err = tx.Update(n)
	}
	if err == nil {
		return nil
	}
	n = models.Copy(m)
	n.Pool, n.PoolStatus, n.Meta[poolProblem] = destination(m), models.PoolHoldJoin, err.Error()
	delete(n.Meta, nextPool)
	delete(n.Meta, nextWorkflow)
	return tx.Update(n)
}

func destination(m *models.Machine) string {
	if p := m.Meta[nextPool]; p != "" {
		return p
	}
	return models.DefaultPool
}

// passage moves a machine through the states of its pool.
type passage struct {
	tx     *objects.Tx
	old, m *models.Machine
}

// begin puts the machine into a state that moves and does the actions, the later ones of which
// come on top. With a workflow it stays there until that is done.
func (t passage) begin(status string, actions ...*models.PoolActions) error {
	workflow := ""
	for _, a := range actions {
		if a == nil {
			continue
		}
		t.act(a)
		if a.Workflow != "" {
			workflow = a.Workflow
		}
	}
	t.m.PoolStatus = status
	e := &edit{tx: t.tx, old: t.old, m: t.m}
	if err := e.profiles(); err != nil {
		return err
	}
	if workflow != "" {
		t.m.Workflow, t.m.Runnable = workflow, true
		if err := e.enterWorkflow(); err != nil {
			return err
		}
		if !t.m.Done() {
			return nil
		}
	}
	return t.end()
}

// end takes the machine on from a state that moves.
func (t passage) end() error {
	m := t.m
	if to := phases[m.PoolStatus].to; to != "" {
		m.PoolStatus = to
		return nil
	}
	m.Pool = destination(m)
	workflow := m.Meta[nextWorkflow]
	delete(m.Meta, nextPool)
	delete(m.Meta, nextWorkflow)
	return t.begin(models.PoolJoining, poolOf(t.tx, m.Pool).EnterActions, &models.PoolActions{Workflow: workflow})
}

// act changes the machine's profiles and params.
func (t passage) act(a *models.PoolActions) {
	m := t.m
	m.Profiles = slices.DeleteFunc(slices.Clone(m.Profiles), func(p string) bool { return slices.Contains(a.RemoveProfiles, p) })
	for _, p := range a.AddProfiles {
		if !slices.Contains(m.Profiles, p) {
			m.Profiles = append(m.Profiles, p)
		}
	}
	m.Params = maps.Clone(m.Params)
	for _, k := range a.RemoveParameters {
		delete(m.Params, k)
	}
	maps.Copy(m.Params, a.AddParameters)
}

// poolOf is a pool; one that nobody has described does nothing.
func poolOf(r objects.Reader, id string) *models.Pool {
	if p, ok := objects.Get[*models.Pool](r, id); ok {
		return p
	}
	return &models.Pool{Id: id}
}

// parentOf is where the machines of a pool come from and go to.
func parentOf(r objects.Reader, id string) string {
	if p := poolOf(r, id).ParentPool; p != "" {
		return p
	}
	return models.DefaultPool
}
