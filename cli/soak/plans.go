package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"drp/models"
)

// plans is machines whose workflow or stage changes all the time. One edit of Workflow or Stage
// derives Tasks, CurrentTask, BootEnv and Runnable: whoever looks sees all of it or nothing.
type plans struct{}

// plan is what a machine in a workflow and stage must have.
type plan struct {
	workflow, stage, bootEnv string // bootEnv "": any
	tasks                    []string
}

const otherBootEnv = "soak-env"

// allPlans is every place that the edits lead to. Other machines than these are left out.
var allPlans = []plan{
	{"", "none", "", nil},
	{"", "soak-two", "", []string{"soak-a", "soak-b"}},
	{"", "soak-one", "", []string{"soak-c"}},
	{"", "soak-local", "local", []string{"soak-a"}},
	{"", "soak-other", otherBootEnv, []string{"soak-b", "soak-c"}},
	{"soak-flow", "soak-two", "", []string{"stage:soak-two", "soak-a", "soak-b", "stage:soak-one", "soak-c"}},
	{"soak-boots", "soak-local", "local", []string{"stage:soak-local", "bootenv:local", "soak-a", "stage:soak-other", "bootenv:" + otherBootEnv, "soak-b", "soak-c"}},
}

// planMachines are the UUIDs of the machines.
var planMachines = []string{"5a0c0000-0000-4000-8000-000000000001", "5a0c0000-0000-4000-8000-000000000002"}

func (*plans) name() string { return "plans" }
func (*plans) clients() int { return 3 }

// setup makes the tasks, stages and workflows, which the work claims uses too.
func (*plans) setup(ctx context.Context, c *caller) error {
	type made struct {
		kind   string
		object models.Object
	}
	list := []made{{"bootenvs", &models.BootEnv{Name: otherBootEnv}}}
	for _, name := range []string{"soak-a", "soak-b", "soak-c"} {
		list = append(list, made{"tasks", &models.Task{Name: name}})
	}
	for _, p := range allPlans {
		if p.workflow == "" && p.stage != "none" {
			list = append(list, made{"stages", &models.Stage{Name: p.stage, BootEnv: p.bootEnv, Tasks: p.tasks}})
		}
	}
	list = append(list,
		made{"workflows", &models.Workflow{Name: "soak-flow", Stages: []string{"soak-two", "soak-one"}}},
		made{"workflows", &models.Workflow{Name: "soak-boots", Stages: []string{"soak-local", "soak-other"}}})
	for i, uuid := range planMachines {
		list = append(list, made{"machines", &models.Machine{Uuid: uuid, Name: fmt.Sprintf("soak-plan-%d", i), Stage: "soak-one"}})
	}
	for _, m := range list {
		if _, err := c.must(ctx, http.MethodPost, m.kind, m.object, http.StatusCreated); err != nil {
			return err
		}
	}
	return nil
}

func (w *plans) client(ctx context.Context, c *caller, i int) error {
	for !c.enough() {
		uuid := planMachines[c.dice.IntN(len(planMachines))]
		if err := w.look(ctx, c, uuid); err != nil {
			return err
		}
		var err error
		if i == 0 { // this one only looks
			err = c.breathe(ctx)
		} else {
			err = w.edit(ctx, c, uuid)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *plans) check(ctx context.Context, c *caller) error {
	for _, uuid := range planMachines {
		if err := w.look(ctx, c, uuid); err != nil {
			return err
		}
	}
	return nil
}

// edit sends the machine somewhere else.
func (w *plans) edit(ctx context.Context, c *caller, uuid string) error {
	p := allPlans[c.dice.IntN(len(allPlans))]
	ops := []op{{"replace", "/Workflow", p.workflow}, {"replace", "/Runnable", true}}
	if p.workflow == "" {
		ops = append(ops, op{"replace", "/Stage", p.stage})
	}
	a, err := c.ask(ctx, c.manner(), http.MethodPatch, "machines/"+uuid+"?force=true", ops)
	switch {
	case err != nil:
		return err
	case a.lost, a.refused():
		return nil
	case a.status == http.StatusOK: // seen, not made: where it is already there is no change
		return w.seen(c, &a, a.body)
	}
	return fmt.Errorf("to %s/%s: status %d: %s", p.workflow, p.stage, a.status, a.body)
}

func (w *plans) look(ctx context.Context, c *caller, uuid string) error {
	if c.dice.IntN(3) == 0 {
		a, err := c.must(ctx, http.MethodGet, "machines?Uuid="+uuid, nil, http.StatusOK)
		if err != nil {
			return err
		}
		var list []json.RawMessage
		if err := json.Unmarshal(a.body, &list); err != nil || len(list) != 1 {
			return fmt.Errorf("list of machine %s: %s", uuid, a.body)
		}
		return w.seen(c, &a, list[0])
	}
	a, err := c.must(ctx, http.MethodGet, "machines/"+uuid, nil, http.StatusOK)
	if err != nil {
		return err
	}
	return w.seen(c, &a, a.body)
}

func (w *plans) seen(c *caller, a *answer, body []byte) error {
	var m models.Machine
	if err := json.Unmarshal(body, &m); err != nil {
		return err
	}
	c.witness(get, place{"machines", m.Uuid}, a, outcome{verdict: done, rev: a.etag, shown: true})
	return planned(&m)
}

// planned tells what is wrong with a machine by itself.
func planned(m *models.Machine) error {
	if m.WorkflowComplete != m.Done() || m.CurrentTask < -1 || m.CurrentTask > len(m.Tasks) {
		return fmt.Errorf("at entry %d of %d, workflow complete: %v", m.CurrentTask, len(m.Tasks), m.WorkflowComplete)
	}
	if !slices.Contains(planMachines, m.Uuid) {
		return nil
	}
	for _, p := range allPlans {
		if p.workflow != m.Workflow || p.stage != m.Stage {
			continue
		}
		first := -1
		if len(p.tasks) == 0 {
			first = 0
		}
		if !slices.Equal(m.Tasks, p.tasks) || m.CurrentTask != first || p.bootEnv != "" && m.BootEnv != p.bootEnv {
			return fmt.Errorf("half of a change: workflow %q, stage %s, BootEnv %s, entry %d of %v", m.Workflow, m.Stage, m.BootEnv, m.CurrentTask, m.Tasks)
		}
		return nil
	}
	return fmt.Errorf("workflow %q with stage %s: nobody has asked for that", m.Workflow, m.Stage)
}
