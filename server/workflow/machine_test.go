package workflow

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"drp/models"
	"drp/server/objects"
)

func show(m *models.Machine) string {
	return fmt.Sprintf("wf=%s stage=%s env=%s at=%d/%d run=%t done=%t ctx=%s", m.Workflow, m.Stage, m.BootEnv,
		m.CurrentTask, len(m.Tasks), m.Runnable, m.WorkflowComplete, m.Context)
}

func TestNewMachinesGetWhatTheyWereNotGiven(t *testing.T) {
	w := newWorld(t)
	w.tasks("t1", "pre", "t2: pre")
	w.create(&models.BootEnv{Name: "sledgehammer"})
	w.stage("s1", "t1")
	w.stage("booted", "t2", "bootenv=sledgehammer")
	w.workflow("wf", "booted", "s1")
	for given, want := range map[string]string{
		`{}`:                           "wf= stage=none env=local at=0/0 run=true done=true ctx=",
		`{"BootEnv":"sledgehammer"}`:   "wf= stage=none env=sledgehammer at=0/0 run=true done=true ctx=",
		`{"Stage":"s1"}`:               "wf= stage=s1 env=local at=-1/1 run=true done=false ctx=",
		`{"Stage":"booted"}`:           "wf= stage=booted env=sledgehammer at=-1/2 run=true done=false ctx=",
		`{"Workflow":"wf"}`:            "wf=wf stage=booted env=sledgehammer at=-1/6 run=true done=false ctx=",
		`{"Tasks":["t1"]}`:             "wf= stage=none env=local at=-1/1 run=true done=false ctx=",
		`{"Meta":{"BaseContext":"c"}}`: "wf= stage=none env=local at=0/0 run=true done=true ctx=c",
		`{"Context":"d","Stage":"s1"}`: "wf= stage=s1 env=local at=-1/1 run=true done=false ctx=d",
		`{"CurrentTask":7,"Locked":true,"CurrentJob":"x","PoolAllocated":true,"WorkflowComplete":false}`: "wf= stage=none env=local at=0/0 run=true done=true ctx=",
	} {
		m := w.machine(given)
		same(t, given, show(m), want)
		if m.CurrentJob != "" || m.PoolAllocated || m.Meta["feature-flags"] != "change-stage-v2" || len(m.Secret) != 16 || !m.Available {
			t.Errorf("%s: %+v", given, m)
		}
		if m.Locked {
			w.edit(`{"Locked":false}`)
		}
		w.delete("machines", machineID)
	}
}

func TestPreferencesSupplyTheDefaultsOfMachines(t *testing.T) {
	w := newWorld(t)
	w.tasks("t1")
	w.create(&models.BootEnv{Name: "sledgehammer"})
	w.stage("s1", "t1")
	w.stage("s2")
	w.workflow("wf", "s1")
	w.create(&models.Pref{Name: "defaultBootEnv", Val: "sledgehammer"}, &models.Pref{Name: "defaultStage", Val: "s2"})
	same(t, "stage and bootenv", show(w.machine(`{}`)), "wf= stage=s2 env=sledgehammer at=0/0 run=true done=true ctx=")
	w.delete("machines", machineID)
	w.create(&models.Pref{Name: "defaultWorkflow", Val: "wf"})
	same(t, "workflow", show(w.machine(`{}`)), "wf=wf stage=s1 env=sledgehammer at=-1/2 run=true done=false ctx=")
	w.delete("machines", machineID)
	same(t, "a plan of its own", show(w.machine(`{"Stage":"s1"}`)), "wf= stage=s1 env=sledgehammer at=-1/1 run=true done=false ctx=")
	for key, text := range map[string]string{"stages/s2": "Stage s2 is the active defaultStage, cannot remove it",
		"bootenvs/sledgehammer": "BootEnv sledgehammer is the active defaultBootEnv, cannot remove it",
		"workflows/wf":          "Workflow wf is the active defaultWorkflow, cannot remove it"} {
		kind, name, _ := strings.Cut(key, "/")
		_, err := w.Delete(w.operator(), kind, name)
		same(t, key, err, "StillInUseError: "+key+": "+text)
	}
}

func TestMachinesCannotBeMadeOfWhatIsNotThere(t *testing.T) {
	w := newWorld(t)
	w.workflow("broken", "nowhere")
	w.create(&models.Profile{Name: "p1"})
	for _, c := range []struct {
		m    models.Machine
		want string
	}{
		{models.Machine{Stage: "baz"}, "Stage baz does not exist"},
		{models.Machine{BootEnv: "bar"}, "Bootenv bar does not exist"},
		{models.Machine{BootEnv: "ignore"}, "BootEnv ignore does not allow Machine assignments, it has the OnlyUnknown flag."},
		{models.Machine{Workflow: "broken"}, "Machine " + machineID + " wants Workflow broken, which is not available"},
		{models.Machine{Workflow: "none"}, "Machine " + machineID + " wants Workflow none, which is not available"},
		{models.Machine{Profiles: []string{"p1", "foo"}}, machineID + ": Profile foo (at 1) does not exist"},
		{models.Machine{Tasks: []string{"foo"}}, machineID + ": Task foo (at 0) does not exist"},
		{models.Machine{Tasks: []string{"stage:foo"}}, "Stage foo does not exist"},
	} {
		c.m.Uuid, c.m.Name = machineID, "m1"
		_, err := w.Create(w.operator(), &c.m, false)
		same(t, c.want, err, "ValidationError: machines/"+machineID+": "+c.want)
		if models.ClassOf(err) != models.Invalid {
			t.Errorf("%s: class %d", c.want, models.ClassOf(err))
		}
	}
}

// plant is a world with two boot environments, stages of each and workflows of those.
func plant(t *testing.T) *world {
	w := openWorld(t, memory{})
	t.Cleanup(w.Close)
	w.tasks("pre", "t1", "t2: pre", "t3", "t4")
	w.create(&models.BootEnv{Name: "one"}, &models.BootEnv{Name: "two"})
	w.stage("plain", "t1", "t2")
	w.stage("empty")
	w.stage("s1", "t1", "t2", "bootenv=one")
	w.stage("s2", "t3", "t4", "bootenv=two")
	w.workflow("wf1", "plain", "empty")
	w.workflow("wf12", "s1", "s2")
	w.workflow("bad", "nowhere")
	w.workflow("nothing")
	return w
}

// TestEffectsOfEdits: each line is what a machine is made of, the edits that follow, and what
// it is in the end.
func TestEffectsOfEdits(t *testing.T) {
	for _, c := range []struct{ given, edits, want string }{
		{`{}`, `{"Stage":"plain"}`, "wf= stage=plain env=local at=-1/3 run=true done=false ctx="},
		{`{}`, `{"Stage":"empty"}`, "wf= stage=empty env=local at=0/0 run=true done=true ctx="},
		{`{}`, `{"Stage":"s1"}`, "wf= stage=s1 env=one at=-1/3 run=false done=false ctx="},
		{`{"BootEnv":"one"}`, `{"Stage":"s1"}`, "wf= stage=s1 env=one at=-1/3 run=true done=false ctx="},
		{`{"Meta":{"BaseContext":"b"},"Context":"c"}`, `{"Stage":"plain"}`, "wf= stage=plain env=local at=-1/3 run=true done=false ctx=b"},
		{`{}`, `{"Workflow":"wf1"}`, "wf=wf1 stage=plain env=local at=-1/5 run=true done=false ctx="},
		{`{}`, `{"Workflow":"wf12"}`, "wf=wf12 stage=s1 env=one at=-1/9 run=false done=false ctx="},
		{`{"BootEnv":"one"}`, `{"Workflow":"wf12"}`, "wf=wf12 stage=s1 env=one at=-1/9 run=true done=false ctx="},
		{`{"Context":"c"}`, `{"Workflow":"wf1"}`, "wf=wf1 stage=plain env=local at=-1/5 run=true done=false ctx="},
		{`{}`, `{"Workflow":"nothing"}`, "wf=nothing stage=none env=local at=0/0 run=true done=true ctx="},
		{`{}`, `{"Workflow":"wf12"} {"Workflow":"wf1"}`, "wf=wf1 stage=plain env=one at=-1/5 run=false done=false ctx="},
		{`{"Workflow":"wf12"}`, `{"Workflow":""}`, "wf= stage=none env=one at=0/0 run=true done=true ctx="},
		{`{"Workflow":"wf12"}`, `{"Runnable":false} {"Workflow":""}`, "wf= stage=none env=one at=0/0 run=false done=true ctx="},
		{`{"Workflow":"wf12"}`, `{"Workflow":"","Stage":"plain"}`, "wf= stage=plain env=one at=-1/3 run=true done=false ctx="},
		{`{"Workflow":"wf12"}`, `{"Workflow":"","Stage":"none"}`, "wf= stage=none env=one at=0/0 run=true done=true ctx="},
		{`{"Workflow":"wf12"}`, `{"Workflow":"","BootEnv":"local"}`, "wf= stage=none env=local at=0/0 run=true done=true ctx="},
		{`{"Workflow":"wf12"}`, `{"Workflow":"","Tasks":["t1"]}`, "wf= stage=none env=one at=-1/1 run=true done=false ctx="},
		{`{"Stage":"plain"}`, `{"Tasks":[]}`, "wf= stage=plain env=local at=0/0 run=true done=true ctx="},
		{`{"Stage":"plain"}`, `{"Tasks":[]} {"Tasks":["t3"]}`, "wf= stage=plain env=local at=-1/1 run=true done=false ctx="},
		{`{"Stage":"plain"}`, `{"Tasks":[]} {"Stage":""}`, "wf= stage=none env=local at=0/0 run=true done=true ctx="},
		{`{}`, `{"BootEnv":"two"}`, "wf= stage=none env=two at=0/0 run=true done=true ctx="},
		{`{}`, `{"Runnable":false} {"Runnable":true}`, "wf= stage=none env=local at=0/0 run=true done=true ctx="},
		{`{}`, `{"Meta":{"BaseContext":"c"}}`, "wf= stage=none env=local at=0/0 run=true done=true ctx="},
		{`{}`, `{"Meta":{"BaseContext":"c"}} {"Stage":"plain"}`, "wf= stage=plain env=local at=-1/3 run=true done=false ctx=c"},
		{`{}`, `{"WorkflowComplete":false,"CurrentJob":"` + machineID + `","RetryTaskAttempt":3,"PoolAllocated":true}`, "wf= stage=none env=local at=0/0 run=true done=true ctx="},
	} {
		w := plant(t)
		w.machine(c.given)
		for _, e := range strings.Split(c.edits, "} {") {
			e = "{" + strings.TrimPrefix(e, "{")
			if strings.Count(e, "}") < strings.Count(e, "{") {
				e += "}"
			}
			w.edit(e)
		}
		m := w.m()
		same(t, c.given+" then "+c.edits, show(m), c.want)
		if m.CurrentJob != "" || m.RetryTaskAttempt != 0 || m.PoolAllocated {
			t.Errorf("%s: fields of the server were set: %+v", c.edits, m)
		}
	}
}

func TestRefusedEditsSayWhyAndChangeNothing(t *testing.T) {
	for _, c := range []struct{ given, edit, want string }{
		{`{}`, `{"Stage":"john2"}`, "Stage john2 does not exist"},
		{`{}`, `{"BootEnv":"john2"}`, "Bootenv john2 does not exist"},
		{`{}`, `{"BootEnv":"ignore"}`, "BootEnv ignore does not allow Machine assignments, it has the OnlyUnknown flag."},
		{`{}`, `{"Workflow":"bad"}`, "Machine " + machineID + " wants Workflow bad, which is not available"},
		{`{}`, `{"Workflow":"absent"}`, "Machine " + machineID + " wants Workflow absent, which is not available"},
		{`{}`, `{"Profiles":["pp"]}`, machineID + ": Profile pp (at 0) does not exist"},
		{`{"Stage":"plain"}`, `{"Stage":"empty"}`, "Can not change stages with pending tasks unless forced"},
		{`{"Workflow":"wf1"}`, `{"Stage":"empty"}`, "Cannot change Stage while Workflow wf1 is set"},
		{`{"Workflow":"wf1"}`, `{"BootEnv":"two"}`, "Cannot change BootEnv while Workflow wf1 is set"},
		{`{"Stage":"plain"}`, `{"CurrentTask":0}`, "Cannot advance CurrentTask from -1 to 0 without running jobs"},
		{`{}`, `{"Tasks":["absent"]}`, machineID + ": Task absent (at 0) does not exist"},
		{`{}`, `{"Tasks":["t1","t2"]}`, "Task t2 missing prerequisite pre"},
		{`{}`, `{"Tasks":["pre","bootenv:one","t2"]}`, "Task t2 missing prerequisite pre"},
		{`{}`, `{"Tasks":["bootenv:absent"]}`, "BootEnv absent does not exist"},
		{`{}`, `{"Uuid":"00000000-0000-0000-0000-000000000001"}`, "the key cannot change from " + machineID + " to 00000000-0000-0000-0000-000000000001"},
	} {
		w := plant(t)
		w.machine(c.given)
		w.refuse(c.edit, ": "+c.want)
	}
}

func TestStageOfAMissingPrerequisiteIsRefusedByItsName(t *testing.T) {
	w := plant(t)
	w.machine(`{}`)
	w.delete("tasks", "pre")
	w.refuse(`{"Stage":"s1"}`, "ValidationError: machines/"+machineID+": Task t2 missing prerequisite pre")
	same(t, "task", errorsOf(w.View(), "tasks", "t2"), "[t2: Task t2 missing prerequisite pre]")
}

func TestForceChangesStagesWithPendingTasks(t *testing.T) {
	w := plant(t)
	w.machine(`{"Stage":"plain"}`)
	for edit, want := range map[string]string{`{"Stage":"s2"}`: "s2", `{"Stage":""}`: "none"} {
		if err := w.merge(w.operator(), "machines", machineID, edit, true); err != nil {
			t.Fatal(err)
		}
		same(t, edit, w.m().Stage, want)
	}
}

func TestWhatHasRunCannotBeChanged(t *testing.T) {
	const run, gone = "Cannot change tasks that have already executed or are executing", "Cannot remove tasks that have already executed or are already executing"
	w := plant(t)
	w.machine(`{"Tasks":["t1","t3","t4"]}`)
	w.do("t1")
	w.refuse(`{"Tasks":[]}`, gone)
	w.refuse(`{"Tasks":["t3","t4"]}`, run)
	w.refuse(`{"Tasks":["t3","t1","t3","t4"]}`, run)
	same(t, "tasks", w.edit(`{"Tasks":["t1","pre","t4"]}`).Tasks, "[t1 pre t4]")
	w.do("pre")
	w.do("t4")
	w.next(Nothing)
	w.refuse(`{"Tasks":["t1","pre"]}`, gone)
	w.refuse(`{"CurrentTask":4}`, "Cannot advance CurrentTask from 3 to 4 without running jobs")
	same(t, "after more tasks", show(w.edit(`{"Tasks":["t1","pre","t4","t2","t3"]}`)), "wf= stage=none env=local at=2/5 run=true done=false ctx=")
	w.do("t2")
	same(t, "another list", show(w.edit(`{"Tasks":["t4"],"CurrentTask":-1}`)), "wf= stage=none env=local at=-1/1 run=true done=false ctx=")
	w.do("t4")
}

func TestTasksOfLaterStagesAreFrozenUnlessForced(t *testing.T) {
	w := plant(t)
	w.machine(`{"Workflow":"wf12"}`) // stage:s1 bootenv:one t1 pre t2 stage:s2 bootenv:two t3 t4
	w.do("t1")
	const added = `{"Tasks":["stage:s1","bootenv:one","t1","t3","pre","t2","stage:s2","bootenv:two","t3","t4"]}`
	same(t, "in this stage", len(w.edit(added).Tasks), 10)
	const later = `{"Tasks":["stage:s1","bootenv:one","t1","t3","pre","t2","stage:empty","stage:s2","bootenv:two","t4"]}`
	w.refuse(later, "Cannot change the tasks of later stages unless forced")
	if err := w.merge(w.operator(), "machines", machineID, later, true); err != nil {
		t.Fatal(err)
	}
}

func TestMachinesGoBackOnlyWithinABootEnv(t *testing.T) {
	w := plant(t)
	w.machine(`{"Workflow":"wf12"}`) // stage:s1 bootenv:one t1 pre t2 stage:s2 bootenv:two t3 t4
	for _, task := range []string{"t1", "pre", "t2"} {
		w.do(task)
	}
	w.next(Nothing) // enters s2 and two
	w.edit(`{"Runnable":true}`)
	w.do("t3")
	w.refuse(`{"CurrentTask":0}`, "Cannot change CurrentTask from 7 to 0 past 5")
	w.refuse(`{"CurrentTask":-2}`, "Cannot change CurrentTask from 7 to -2 past 5")
	same(t, "-1", show(w.edit(`{"CurrentTask":-1,"Runnable":true}`)), "wf=wf12 stage=s2 env=two at=5/9 run=true done=false ctx=")
	same(t, "-1 again", w.edit(`{"CurrentTask":-1}`).CurrentTask, 5)
	w.do("t3")
	w.do("t4")
	w.next(Nothing)
	same(t, "at the end", w.m().CurrentTask, 9)
	w.refuse(`{"CurrentTask":4}`, "Cannot change CurrentTask from 9 to 4 past 5")
	same(t, "-1 from the end", w.edit(`{"CurrentTask":-1}`).CurrentTask, 5)
}

func TestGoingBackRestoresStageAndContext(t *testing.T) {
	w := plant(t)
	w.machine(`{"Tasks":["t1","context:c","t3","stage:empty","context:","t4"],"Meta":{"BaseContext":"b"}}`)
	w.do("t1")
	w.next(Nothing)
	w.do("t3")
	w.next(Nothing)
	same(t, "stage and own context", show(w.m()), "wf= stage=empty env=local at=4/6 run=true done=false ctx=")
	w.do("t4")
	same(t, "to t3", show(w.edit(`{"CurrentTask":2}`)), "wf= stage=empty env=local at=2/6 run=true done=false ctx=c")
	same(t, "to the beginning", show(w.edit(`{"CurrentTask":-1}`)), "wf= stage=empty env=local at=-1/6 run=true done=false ctx=b")
}

func TestLockedMachinesAreChangedOnlyByTheirRunner(t *testing.T) {
	w := plant(t)
	w.machine(`{"Stage":"plain"}`)
	j := w.next(Made)
	w.edit(`{"Locked":true}`)
	for _, edit := range []string{`{}`, `{"Description":"x"}`, `{"Locked":true}`} {
		err := w.merge(w.operator(), "machines", machineID, edit, true)
		same(t, edit, err, "machines/"+machineID+": Locked")
	}
	if _, err := w.Delete(w.operator(), "machines", machineID); err == nil || err.Error() != "machines/"+machineID+": Locked" {
		t.Errorf("delete: %v", err)
	}
	if err := setParam(w, w.operator(), "x"); err == nil {
		t.Error("a user set a param of a locked machine")
	}
	for name, ctx := range map[string]context.Context{
		"agent": w.agent(), "script": objects.WithActor(t.Context(), objects.Actor{Name: "job:" + j.Uuid, Claims: all}),
	} {
		if err := w.merge(ctx, "machines", machineID, fmt.Sprintf(`{"Description":%q}`, name), false); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := setParam(w, ctx, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := objects.WithActor(t.Context(), objects.Actor{Name: "machine:00000000-0000-0000-0000-000000000001", Claims: all})
	if err := w.merge(other, "machines", machineID, `{"Description":"x"}`, false); err == nil {
		t.Error("another machine changed a locked one")
	}
	w.end(j, models.Running)
	w.end(j, models.Finished)
	w.next(Made)
	w.edit(`{"Locked":false,"Description":"y"}`)
	w.edit(`{"Description":"z"}`)
}

func setParam(w *world, ctx context.Context, value string) error {
	_, err := w.Do(ctx, false, func(tx *objects.Tx) error {
		e, err := tx.Visible("machines", machineID)
		if err != nil {
			return err
		}
		m := e.Clone().(*models.Machine)
		m.Params["pp"] = []byte(fmt.Sprintf("%q", value))
		return tx.Save(m)
	})
	return err
}
