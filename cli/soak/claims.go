package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"

	"drp/models"
)

// claims is machines with several runners each, who race for the next job. Each job goes to one
// of them, and each entry of the list is finished once.
type claims struct{}

// runners is how many race for the jobs of one machine.
const runners = 3

func (*claims) name() string { return "claims" }
func (*claims) clients() int { return 2 }

func (*claims) setup(context.Context, *caller) error { return nil } // done by plans
func (*claims) check(context.Context, *caller) error { return nil }
func (w *claims) client(ctx context.Context, c *caller, _ int) error {
	for !c.enough() {
		if err := w.machine(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// given is the jobs that were given out.
type given struct {
	mu   sync.Mutex
	jobs map[string]string // job -> its task
}

func (g *given) add(job, task string) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, twice := g.jobs[job]; twice {
		return fmt.Errorf("job %s was given out twice", job)
	}
	g.jobs[job] = task
	return nil
}

// machine lets one machine go through its workflow.
func (w *claims) machine(ctx context.Context, c *caller) error {
	m := &models.Machine{Uuid: models.NewUUID(), Workflow: "soak-flow"}
	m.Name = "soak-" + m.Uuid
	if _, err := c.must(ctx, http.MethodPost, "machines", m, http.StatusCreated); err != nil {
		return err
	}
	g, errs := &given{jobs: map[string]string{}}, make([]error, runners)
	var all sync.WaitGroup
	for i := range runners {
		one := &caller{world: c.world, id: c.id, dice: rand.New(rand.NewPCG(c.dice.Uint64(), 0))}
		all.Go(func() { errs[i] = one.work(ctx, m.Uuid, g) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if c.broken() > 0 {
		return nil
	}
	return w.close(ctx, c, m.Uuid, g)
}

// close checks what the runners have left, and removes it.
func (w *claims) close(ctx context.Context, c *caller, uuid string, g *given) error {
	a, err := c.must(ctx, http.MethodGet, "jobs?Machine="+uuid, nil, http.StatusOK)
	if err != nil {
		return err
	}
	var jobs []models.Job
	if err := json.Unmarshal(a.body, &jobs); err != nil {
		return err
	}
	a, err = c.must(ctx, http.MethodGet, "machines/"+uuid, nil, http.StatusOK)
	if err != nil {
		return err
	}
	var m models.Machine
	if err := json.Unmarshal(a.body, &m); err != nil {
		return err
	}
	if err := settled(&m, jobs, g.jobs); err != nil {
		return fmt.Errorf("machine %s: %w", uuid, err)
	}
	if _, err := c.must(ctx, http.MethodDelete, "machines/"+uuid, nil, http.StatusOK); err != nil {
		return err
	}
	for _, j := range jobs {
		if _, err := c.must(ctx, http.MethodDelete, "jobs/"+j.Uuid, nil, http.StatusOK); err != nil {
			return err
		}
	}
	return nil
}

// work is one runner: it takes jobs until nothing is left. Where a promise was broken there may be
// no end: a job that is open again was finished by its runner long ago.
func (c *caller) work(ctx context.Context, machine string, g *given) error {
	for c.broken() == 0 {
		job := models.NewUUID() // chosen here, so that a lost answer can be looked up
		a, err := c.ask(ctx, once, http.MethodPost, "jobs", map[string]string{"Machine": machine, "Uuid": job})
		if err != nil {
			return err
		}
		if a.lost {
			a, err = c.must(ctx, http.MethodGet, "jobs/"+job, nil, http.StatusOK, http.StatusNotFound)
			if err != nil {
				return err
			}
		}
		switch a.status {
		case http.StatusCreated, http.StatusOK:
			if err := c.take(ctx, job, a.body, g); err != nil {
				return err
			}
		case http.StatusNotFound: // it was lost before it arrived
		case http.StatusConflict:
			if err := c.breathe(ctx); err != nil { // somebody is at work
				return err
			}
		case http.StatusNoContent:
			m, err := c.must(ctx, http.MethodGet, "machines/"+machine, nil, http.StatusOK)
			if err != nil {
				return err
			}
			var is models.Machine
			if err := json.Unmarshal(m.body, &is); err != nil || is.WorkflowComplete {
				return err
			}
		default:
			return fmt.Errorf("next job of %s: status %d: %s", machine, a.status, a.body)
		}
	}
	return nil
}

// take carries out a job: first it runs, then it is finished. A job that stage: entries have made
// is finished as it is given out.
func (c *caller) take(ctx context.Context, uuid string, body []byte, g *given) error {
	var j models.Job
	if err := json.Unmarshal(body, &j); err != nil {
		return err
	}
	if j.Uuid != uuid {
		return fmt.Errorf("job %s was given out as %s", uuid, j.Uuid)
	}
	if j.State == models.Finished {
		return nil // by the server itself
	}
	if j.State != models.Created {
		return fmt.Errorf("job %s is %s before anybody had it", uuid, j.State)
	}
	if err := g.add(uuid, j.Task); err != nil {
		return err
	}
	for _, next := range []models.State{models.Running, models.Finished} {
		ops := []op{{"test", "/State", j.State}, {"replace", "/State", next}}
		a, err := c.must(ctx, http.MethodPatch, "jobs/"+uuid, ops, http.StatusOK)
		if err != nil {
			return err
		}
		c.witness(cas, place{"jobs", uuid}, &a, outcome{verdict: done, rev: a.etag, shown: true})
		j.State = next
	}
	return nil
}

// coherent tells how a machine and its jobs contradict each other, at any time.
func coherent(m *models.Machine, jobs []models.Job) error {
	open, newest := "", ""
	for _, j := range jobs {
		switch {
		case !j.State.Final() && open != "":
			return fmt.Errorf("jobs %s and %s are open", open, j.Uuid)
		case j.Current && newest != "":
			return fmt.Errorf("jobs %s and %s are both the newest", newest, j.Uuid)
		case j.Current && j.Uuid != m.CurrentJob:
			return fmt.Errorf("job %s is the newest, but the machine says it is %q", j.Uuid, m.CurrentJob)
		}
		if !j.State.Final() {
			open = j.Uuid
		}
		if j.Current {
			newest = j.Uuid
		}
	}
	if m.CurrentJob != "" && newest == "" {
		return fmt.Errorf("the machine says that job %s is its newest, which it is not", m.CurrentJob)
	}
	return nil
}

// settled tells what is wrong with a machine that has gone through its workflow, its jobs, and
// what the runners were given.
func settled(m *models.Machine, jobs []models.Job, given map[string]string) error {
	if err := coherent(m, jobs); err != nil {
		return err
	}
	finished := make([]int, len(m.Tasks))
	for _, j := range jobs {
		verb, _ := models.SplitEntry(j.Task)
		task, taken := given[j.Uuid]
		switch {
		case j.State != models.Finished:
			return fmt.Errorf("job %s is %s", j.Uuid, j.State)
		case verb == "" && !taken:
			return fmt.Errorf("job %s for %s was given to nobody", j.Uuid, j.Task)
		case taken && task != j.Task:
			return fmt.Errorf("job %s was for %s and is for %s", j.Uuid, task, j.Task)
		}
		finished[j.CurrentIndex]++
	}
	for i, task := range m.Tasks {
		if verb, _ := models.SplitEntry(task); verb == "" && finished[i] != 1 {
			return fmt.Errorf("entry %d, %s, was finished %d times", i, task, finished[i])
		}
	}
	for job := range given {
		if !slices.ContainsFunc(jobs, func(j models.Job) bool { return j.Uuid == job }) {
			return fmt.Errorf("job %s was given out and is lost", job)
		}
	}
	return nil
}
