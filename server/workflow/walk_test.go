package workflow

import (
	"fmt"
	"testing"
	"time"

	"drp/models"
	"drp/server/objects"

	"pgregory.net/rapid"
)

// TestNoWalkBreaksTheInvariants lets an operator, an agent and time do anything to a machine in
// any order, allowed or not.
func TestNoWalkBreaksTheInvariants(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		w := openWorld(t, memory{})
		defer w.Close()
		k := &walker{world: w, r: r}
		k.build()
		k.machine(`{"Params":` + rapid.SampledFrom(controls).Draw(r, "params") + `}`)
		r.Repeat(map[string]func(*rapid.T){
			"":          func(r *rapid.T) { invariants(r, w.View()) },
			"set":       k.set,
			"post":      k.ask,
			"patch job": k.patchJob,
			"fail job":  k.failJob,
			"delete":    k.drop,
			"reconcile": k.round,
			"library":   k.library,
			"agent":     k.agentStep,
		})
	})
}

var controls = []string{`{}`, `{"task-single-step":true}`, `{"task-retry":{"t1":2,"t3":1}}`, `{"task-stop-at":["t3","t4"]}`,
	`{"task-retry":{"t1":1},"task-error-handlers":{"t1":["t3","stage:s2"],"t4":["t2"]}}`}

type walker struct {
	*world
	r *rapid.T
}

func (k *walker) build() {
	k.tasks("pre", "t1", "t2: pre", "t3", "t4")
	k.create(&models.BootEnv{Name: "one"}, &models.BootEnv{Name: "two"})
	k.stage("plain", "t1", "t2")
	k.stage("s1", "t1", "t2", "bootenv=one")
	k.stage("s2", "t3", "context:cc", "t4", "context:", "bootenv=two")
	k.workflow("wf1", "plain", "s2")
	k.workflow("wf12", "s1", "s2")
	k.workflow("bad", "nowhere")
}

var edits = []string{
	`"Workflow":""`, `"Workflow":"wf1"`, `"Workflow":"wf12"`, `"Workflow":"bad"`, `"Stage":"plain"`, `"Stage":"s1"`, `"Stage":""`, `"BootEnv":"two"`,
	`"Runnable":true`, `"Runnable":true`, `"Runnable":false`, `"Tasks":[]`, `"Tasks":["t1","t3"]`, `"Tasks":["t1","t3","t4","stage:s2","t3"]`,
	`"Tasks":["action:x","t1"]`, `"CurrentTask":-1`, `"CurrentTask":0`, `"CurrentTask":1`, `"CurrentTask":5`, `"CurrentTask":99`, `"CurrentTask":-7`,
	`"Context":""`, `"Context":"cc"`, `"Locked":true`, `"Locked":false`, `"Meta":{}`, `"Meta":{"BaseContext":"cc"}`,
	`"CurrentJob":""`, `"WorkflowComplete":true`, `"Arch":"arm64"`,
}

func (k *walker) set(r *rapid.T) {
	pick := rapid.SliceOfNDistinct(rapid.SampledFrom(edits), 1, 3, rapid.ID).Draw(r, "edits")
	members := ""
	for _, e := range pick {
		members += "," + e
	}
	ctx := k.operator()
	if rapid.Bool().Draw(r, "by the agent") {
		ctx = k.agent()
	}
	k.soft(k.merge(ctx, "machines", machineID, "{"+members[1:]+"}", rapid.Bool().Draw(r, "force")))
}

// soft allows refusals, but not defects.
func (k *walker) soft(err error) {
	if err != nil && models.ClassOf(err) == models.Internal {
		k.r.Fatalf("defect: %v", err)
	}
}

func (k *walker) here() bool {
	_, ok := k.View().Get("machines", machineID)
	return ok
}

func (k *walker) ask(r *rapid.T) {
	_, _, err := k.post(rapid.SampledFrom([]string{"", "", "cc"}).Draw(r, "context"))
	k.soft(err)
}

// agentStep is a step of an agent that keeps to the rules.
func (k *walker) agentStep(r *rapid.T) {
	if !k.here() {
		k.machine(`{}`)
	}
	s, j, err := k.post(k.m().Context)
	k.soft(err)
	if err != nil || s == Nothing {
		return
	}
	for _, state := range []models.State{models.Running, rapid.SampledFrom([]models.State{models.Finished, models.Finished, models.Failed, models.Incomplete}).Draw(r, "ends")} {
		k.soft(k.merge(k.agent(), "jobs", j.Uuid, fmt.Sprintf(`{"State":%q}`, state), false))
	}
}

func (k *walker) anyJob(r *rapid.T) string {
	list := []string{models.ZeroUUID}
	for j := range objects.All[*models.Job](k.View()) {
		list = append(list, j.Uuid)
	}
	return list[rapid.IntRange(0, len(list)-1).Draw(r, "job")]
}

func (k *walker) patchJob(r *rapid.T) {
	members := fmt.Sprintf(`{"State":%q,"Current":true,"Meta":{"heartbeat":"5"}}`, rapid.SampledFrom(states).Draw(r, "state"))
	k.soft(k.merge(k.agent(), "jobs", k.anyJob(r), members, false))
}

func (k *walker) failJob(r *rapid.T) {
	k.soft(k.jobs.FailJob(k.agent(), k.anyJob(r), "failed", rapid.Bool().Draw(r, "stop")))
}

func (k *walker) drop(r *rapid.T) {
	if rapid.IntRange(0, 9).Draw(r, "what") > 0 {
		_, err := k.Delete(k.operator(), "jobs", k.anyJob(r))
		k.soft(err)
		return
	}
	_, err := k.Delete(k.operator(), "machines", machineID)
	k.soft(err)
	if !k.here() {
		k.machine(`{}`)
		k.reconcile()
	}
}

func (k *walker) round(r *rapid.T) {
	k.wait(time.Duration(rapid.IntRange(0, 20).Draw(r, "seconds")) * time.Second)
	k.reconcile()
}

// library takes stages and tasks away and brings them back.
func (k *walker) library(r *rapid.T) {
	for _, o := range []models.Object{&models.Stage{Name: "s2", Tasks: []string{"t3", "t4"}}, &models.Task{Name: "t4"}, &models.BootEnv{Name: "two"}} {
		if !rapid.Bool().Draw(r, o.Key()) {
			continue
		}
		if _, ok := k.View().Get(o.Kind(), o.Key()); ok {
			_, err := k.Delete(k.operator(), o.Kind(), o.Key())
			k.soft(err)
		} else {
			k.create(o)
		}
	}
}
