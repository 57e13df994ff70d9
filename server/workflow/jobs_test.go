package workflow

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"drp/models"
	"drp/server/objects"
)

func TestAWorkflowIsRunTaskByTask(t *testing.T) {
	w := plant(t)
	w.machine(`{"Workflow":"wf12","BootEnv":"one"}`) // stage:s1 bootenv:one t1 pre t2 stage:s2 bootenv:two t3 t4
	first := w.next(Made)
	if first.Previous != models.ZeroUUID || first.CurrentIndex != 2 || first.NextIndex != 3 || first.Stage != "s1" ||
		first.Workflow != "wf12" || first.BootEnv != "one" || first.State != models.Created || !first.Current || first.ExitState != "" {
		t.Errorf("first job is %+v", first)
	}
	same(t, "machine", show(w.m())+" "+w.m().CurrentJob, "wf=wf12 stage=s1 env=one at=2/9 run=true done=false ctx= "+first.Uuid)
	same(t, "log", w.logs.of(first.Uuid), "Log for Job: "+first.Uuid+"\n")
	w.end(first, models.Finished)
	second := w.do("pre")
	same(t, "previous", second.Previous, first.Uuid)
	same(t, "only one is current", fmt.Sprint(w.job(first.Uuid).Current, second.Current), "false true")
	w.do("t2")
	w.next(Nothing)
	same(t, "between the stages", show(w.m()), "wf=wf12 stage=s2 env=two at=6/9 run=false done=false ctx=")
	moved := w.job(w.m().CurrentJob)
	same(t, "its job", fmt.Sprintln(moved.Task, moved.State, moved.ExitState, moved.CurrentIndex, moved.NextIndex), "bootenv:two finished complete 6 7\n")
	same(t, "its log", w.logs.of(moved.Uuid), "Log for Job: "+moved.Uuid+"\nMachine "+machineID+" changing from stage s1 to s2\nMachine "+machineID+" changing from bootenv one to two\n")
	w.edit(`{"Runnable":true}`)
	w.do("t3")
	last := w.do("t4")
	same(t, "before the end is seen", show(w.m()), "wf=wf12 stage=s2 env=two at=8/9 run=true done=false ctx=")
	w.next(Nothing)
	same(t, "at the end", show(w.m())+" "+w.m().CurrentJob, "wf=wf12 stage=s2 env=two at=9/9 run=true done=true ctx= "+last.Uuid)
	rev := w.View().Rev
	w.next(Nothing)
	same(t, "changes after the end", w.View().Rev, rev)
}

// TestWorkflowSwitchedInTheMiddle is what the real server was seen to do.
func TestWorkflowSwitchedInTheMiddle(t *testing.T) {
	w := newWorld(t)
	w.tasks("task1", "task2", "task3", "task4")
	w.stage("stage1", "task1", "task2", "task3")
	w.stage("stage3", "task3", "task2", "task1")
	w.workflow("wf1", "stage1")
	w.workflow("wf2", "stage3")
	w.machine(`{"Workflow":"wf1"}`)
	w.do("task1")
	j := w.next(Made)
	w.end(j, models.Running)
	same(t, "switched", show(w.edit(`{"Workflow":"wf2"}`)), "wf=wf2 stage=stage3 env=local at=-1/4 run=true done=false ctx=")
	same(t, "the running job", w.job(j.Uuid).State, models.Running)
	w.end(j, models.Finished)
	same(t, "still current", w.m().CurrentJob, j.Uuid)
	same(t, "nothing moved", w.m().CurrentTask, -1)
	next := w.do("task3")
	same(t, "next", fmt.Sprintln(next.CurrentIndex, next.Workflow, next.Previous == j.Uuid), "1 wf2 true\n")
}

// TestDecisions goes through the rows of the table that decides what a machine does next. Each
// case brings a machine into a state; ask is the context of the request.
func TestDecisions(t *testing.T) {
	running := func(w *world) *models.Job { j := w.next(Made); w.end(j, models.Running); return j }
	for _, c := range []struct {
		name, given, ask string
		before           func(w *world)
		want             string // status, task@index, or the error
		after            string // the machine
	}{
		{"not runnable", `{"Stage":"plain"}`, "", func(w *world) { w.edit(`{"Runnable":false}`) }, "Conflict: Machine M is not runnable", ""},
		{"nothing to do", `{}`, "", nil, "204", "wf= stage=none env=local at=0/0 run=true done=true ctx="},
		{"of another context", `{"Stage":"plain","Context":"c"}`, "", nil, "204", "wf= stage=plain env=local at=-1/3 run=true done=false ctx=c"},
		{"of this context", `{"Stage":"plain","Context":"c"}`, "c", nil, "201 t1@0", ""},
		{"from the beginning", `{"Stage":"plain"}`, "", nil, "201 t1@0", "wf= stage=plain env=local at=0/3 run=true done=false ctx="},
		{"created job", `{"Stage":"plain"}`, "", func(w *world) { w.next(Made) }, "Conflict: Machine M already has running or created job", ""},
		{"running job", `{"Stage":"plain"}`, "", func(w *world) { running(w) }, "Conflict: Machine M already has running or created job", ""},
		{"left job at the beginning", `{"Workflow":"wf1"}`, "", func(w *world) {
			w.next(Made)
			w.edit(`{"Workflow":"wf12","Runnable":true}`)
			w.edit(`{"Runnable":true}`)
		}, "201 t1@2", ""},
		{"left job at an entry of the server", `{"Workflow":"wf12"}`, "", func(w *world) { running(w); w.edit(`{"CurrentTask":-1}`) }, "201 t1@2", ""},
		{"incomplete", `{"Stage":"plain"}`, "", func(w *world) { w.end(running(w), models.Incomplete) }, "202 t1@0", ""},
		{"incomplete and begun again", `{"Stage":"plain"}`, "", func(w *world) { w.end(running(w), models.Incomplete); w.edit(`{"CurrentTask":-1}`) }, "201 t1@0", ""},
		{"incomplete and moved back", `{"Workflow":"wf12"}`, "", func(w *world) { w.do("t1"); w.end(running(w), models.Incomplete); w.edit(`{"CurrentTask":-1}`) }, "201 t1@2", ""},
		{"finished", `{"Stage":"plain"}`, "", func(w *world) { w.do("t1") }, "201 pre@1", ""},
		{"failed", `{"Stage":"plain"}`, "", func(w *world) { w.do("t1"); w.end(w.next(Made), models.Failed) }, "201 pre@1", ""},
		{"failed at the beginning", `{"Stage":"plain"}`, "", func(w *world) { w.end(w.next(Made), models.Failed); w.edit(`{"CurrentTask":-1}`) }, "201 t1@0", ""},
		{"deleted finished job", `{"Stage":"plain"}`, "", func(w *world) { w.delete("jobs", w.do("t1").Uuid) }, "201 pre@1", ""},
		{"deleted failed job", `{"Stage":"plain"}`, "", func(w *world) { j := w.next(Made); w.end(j, models.Failed); w.delete("jobs", j.Uuid) }, "201 t1@0", ""},
		{"entries that change nothing", `{"Workflow":"wf12"}`, "", nil, "201 t1@2", ""},
		{"entries that change something", `{"Tasks":["stage:s2","context:","t1"]}`, "", nil, "204", "wf= stage=s2 env=local at=1/3 run=true done=false ctx="},
		{"another bootenv", `{"Tasks":["bootenv:two","stage:s2","t1"]}`, "", nil, "204", "wf= stage=none env=two at=0/3 run=false done=false ctx="},
		{"another context", `{"Tasks":["context:c","t1"]}`, "", nil, "204", "wf= stage=none env=local at=0/2 run=true done=false ctx=c"},
		{"only entries", `{"Tasks":["stage:s2"]}`, "", nil, "204", "wf= stage=s2 env=local at=0/1 run=true done=false ctx="},
		{"only entries that change nothing", `{"Tasks":["stage:none"]}`, "", nil, "204", "wf= stage=none env=local at=1/1 run=true done=true ctx="},
		{"a stage that went", `{"Tasks":["stage:s2","t1"]}`, "", func(w *world) { w.delete("stages", "s2") }, "204", "wf= stage=none env=local at=0/2 run=false done=false ctx="},
		{"an action", `{"Tasks":["action:explode","t1"]}`, "", nil, "204", "wf= stage=none env=local at=0/2 run=false done=false ctx="},
		{"a chroot", `{"Tasks":["chroot:/mnt","t1"]}`, "", nil, "201 chroot:/mnt@0", ""},
		{"past the end", `{"Tasks":["t1"]}`, "", func(w *world) { w.do("t1") }, "204", "wf= stage=none env=local at=1/1 run=true done=true ctx="},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := plant(t)
			if strings.Contains(c.given, "wf12") {
				c.given = strings.TrimSuffix(c.given, "}") + `,"BootEnv":"one"}`
			}
			w.machine(c.given)
			if c.before != nil {
				c.before(w)
			}
			s, j, err := w.post(c.ask)
			got := fmt.Sprint(int(s))
			switch {
			case err != nil:
				got = strings.ReplaceAll(err.Error(), machineID, "M")
				if models.ClassOf(err) != models.Conflict {
					t.Errorf("class %d", models.ClassOf(err))
				}
			case j != nil:
				got += fmt.Sprintf(" %s@%d", j.Task, j.CurrentIndex)
			}
			same(t, "answer", got, c.want)
			if c.after != "" {
				same(t, "machine", show(w.m()), c.after)
			}
			invariants(t, w.View())
		})
	}
}

func TestActionsFailAsLongAsNoPluginProvidesThem(t *testing.T) {
	w := newWorld(t)
	w.machine(`{"Tasks":["action:explode"]}`)
	w.next(Nothing)
	j := w.job(w.m().CurrentJob)
	same(t, "job", fmt.Sprintln(j.State, j.ExitState, j.Task), "failed failed action:explode\n")
	same(t, "log", w.logs.of(j.Uuid), "Log for Job: "+j.Uuid+"\nAction explode validation failed: no plugin provides it\n")
	w.edit(`{"Runnable":true}`)
	w.next(Nothing)
	if again := w.job(w.m().CurrentJob); again.Uuid == j.Uuid || again.CurrentIndex != 0 {
		t.Errorf("the second try is %+v", again)
	}
}

func TestJobsAreForKnownMachinesAndWhoMayMakeThem(t *testing.T) {
	w := plant(t)
	w.machine(`{"Stage":"plain"}`)
	ask := func(c models.Claims, machine string) error {
		_, _, err := w.jobs.Next(objects.WithActor(t.Context(), objects.Actor{Name: "x", Claims: c}), &models.Job{Machine: machine})
		return err
	}
	same(t, "unknown", ask(all, "john"), "ValidationError: Machine john does not exist")
	other := models.Claims{{Scope: "jobs", Action: "create", Specific: "00000000-0000-0000-0000-000000000001"}}
	for _, c := range []models.Claims{nil, other, {{Scope: "machines", Action: "*", Specific: "*"}}} {
		if err := ask(c, machineID); models.ClassOf(err) != models.Forbidden {
			t.Errorf("with %v: %v", c, err)
		}
	}
	if err := ask(models.Claims{{Scope: "jobs", Action: "create", Specific: machineID}}, machineID); err != nil {
		t.Error(err)
	}
}

func TestTheGivenUuidIsTheNewJobs(t *testing.T) {
	w := plant(t)
	w.machine(`{"Stage":"plain"}`)
	ids := []string{"00000000-0000-0000-0000-000000000001", "00000000-0000-0000-0000-000000000002"}
	ask := func(id string) (Status, *models.Job, error) {
		return w.jobs.Next(w.agent(), &models.Job{Uuid: id, Machine: machineID})
	}
	_, j, err := ask(ids[0])
	if err != nil || j.Uuid != ids[0] {
		t.Fatal(j, err)
	}
	w.end(j, models.Incomplete)
	if s, j, err := ask(ids[1]); s != Again || j.Uuid != ids[0] || err != nil {
		t.Errorf("incomplete: %d %v %v", s, j, err)
	}
	w.end(j, models.Finished)
	if _, _, err := ask(ids[0]); models.ClassOf(err) != models.Conflict || err.Error() != "CREATE: jobs/"+ids[0]+": already exists" {
		t.Errorf("a second time: %v", err)
	}
	if _, _, err := ask("fred"); models.ClassOf(err) != models.Invalid {
		t.Errorf("no UUID: %v", err)
	}
	same(t, "machine after refusals", w.m().CurrentJob, ids[0])
	if _, j, err = ask(models.ZeroUUID); err != nil || j.Uuid == models.ZeroUUID {
		t.Errorf("the zero UUID: %v %v", j, err)
	}
}

func TestJobsCarryTheClaimsTheirTaskAsksFor(t *testing.T) {
	w := newWorld(t)
	claim := func(scope string) models.Claim { return models.Claim{Scope: scope, Action: "get", Specific: "*"} }
	w.create(&models.Role{Name: "helper", Claims: []models.Claim{claim("files"), claim("isos")}},
		&models.Task{Name: "elevated", ExtraRoles: []string{"helper", "absent"}, ExtraClaims: []models.Claim{claim("machines")}})
	w.tasks("humble")
	w.machine(`{"Tasks":["elevated","humble"]}`)
	want := []models.Claim{claim("files"), claim("isos"), claim("machines")}
	j := w.next(Made)
	same(t, "claims", j.ExtraClaims, want)
	w.end(j, models.Incomplete)
	same(t, "claims again", w.next(Again).ExtraClaims, want)
	w.end(j, models.Finished)
	same(t, "claims of another", len(w.next(Made).ExtraClaims), 0)
}

func TestOneOfManyAskersGetsTheJob(t *testing.T) {
	w := plant(t)
	w.machine(`{"Stage":"plain"}`)
	var wg sync.WaitGroup
	var mu sync.Mutex
	got := map[string]int{}
	for range 20 {
		wg.Go(func() {
			s, _, err := w.post("")
			mu.Lock()
			defer mu.Unlock()
			got[fmt.Sprint(s, models.ClassOf(err) == models.Conflict)]++
		})
	}
	wg.Wait()
	same(t, "answers", got, map[string]int{"201 false": 1, "0 true": 19})
	same(t, "jobs", w.View().Len("jobs"), 1)
}

var states = []models.State{models.Created, models.Running, models.Incomplete, models.Finished, models.Failed}

// bring makes a job of a fresh machine and brings it into a state.
func bring(w *world, s models.State) *models.Job {
	w.t.Helper()
	w.machine(`{"Stage":"plain"}`)
	j := w.next(Made)
	if s != models.Created {
		w.end(j, s)
	}
	return w.job(j.Uuid)
}

func TestEveryPairOfStates(t *testing.T) {
	if len(next) != len(states) {
		t.Fatalf("the table knows %d states, there are %d", len(next), len(states))
	}
	for _, from := range states {
		for _, to := range states {
			w := plant(t)
			j := bring(w, from)
			w.wait(1)
			err := w.merge(w.agent(), "jobs", j.Uuid, fmt.Sprintf(`{"State":%q}`, to), false)
			legal := from == to || slices.Contains(next[from], to)
			if legal != (err == nil) || err != nil && (models.ClassOf(err) != models.Invalid || !strings.Contains(err.Error(), "Cannot change State from")) {
				t.Errorf("%s to %s: %v", from, to, err)
			}
			is := w.job(j.Uuid)
			if want := map[bool]models.State{true: to, false: from}[legal]; is.State != want {
				t.Errorf("%s to %s: is %s", from, to, is.State)
			}
			if is.EndTime.IsZero() == is.State.Final() {
				t.Errorf("%s to %s: ended %v", from, to, is.EndTime)
			}
			if from.Final() && !is.EndTime.Equal(j.EndTime) {
				t.Errorf("%s to %s: ended at %v, before it was %v", from, to, is.EndTime, j.EndTime)
			}
			if started := from == models.Created && is.State == models.Running; started == is.StartTime.Equal(j.StartTime) {
				t.Errorf("%s to %s: started at %v, before it was %v", from, to, is.StartTime, j.StartTime)
			}
			if !w.m().Runnable {
				t.Errorf("%s to %s: the machine was stopped", from, to)
			}
		}
	}
}

func TestOnlyJobsThatHaveEndedCanBeDeleted(t *testing.T) {
	for _, s := range states {
		w := plant(t)
		j := bring(w, s)
		_, err := w.Delete(w.operator(), "jobs", j.Uuid)
		if s.Final() != (err == nil) {
			t.Errorf("%s: %v", s, err)
		}
		if err != nil {
			same(t, string(s), err, "ValidationError: jobs/"+j.Uuid+": Jobs "+j.Uuid+" is not in a deletable state: "+string(s))
			continue
		}
		same(t, "machine", w.m().CurrentJob, "")
		if _, err := w.jobs.Reconcile(t.Context()); err != nil {
			t.Error(err)
		}
		same(t, "log", w.logs.of(j.Uuid), "")
	}
}

func TestCallersSetOnlyTheStateAndMetaOfJobs(t *testing.T) {
	w := plant(t)
	j := bring(w, models.Running)
	err := w.merge(w.agent(), "jobs", j.Uuid, `{"Task":"other","Machine":"00000000-0000-0000-0000-000000000001","Current":false,"CurrentIndex":9,
		"Previous":"00000000-0000-0000-0000-000000000001","StartTime":"2001-01-01T00:00:00Z","Archived":true,"Token":"x","Stage":"none",
		"ExtraClaims":[{"scope":"*","action":"*","specific":"*"}],"Meta":{"a":"b"},"ExitState":"reboot"}`, false)
	if err != nil {
		t.Fatal(err)
	}
	is := models.Clone(w.job(j.Uuid))
	same(t, "what may be set", fmt.Sprintln(is.Meta, is.ExitState), "map[a:b] reboot\n")
	is.Meta, is.ExitState = j.Meta, j.ExitState
	same(t, "the rest", fmt.Sprint(*is), fmt.Sprint(*j))
	stray := &models.Job{Machine: machineID, State: models.Created}
	if _, err := w.Create(w.operator(), stray, false); models.ClassOf(err) != models.Invalid {
		t.Errorf("a job that is no step of its machine: %v", err)
	}
}

func TestFailJobStopsTheMachineOnlyWhenToldTo(t *testing.T) {
	for _, stop := range []bool{false, true} {
		w := plant(t)
		j := bring(w, models.Running)
		if err := w.jobs.FailJob(w.agent(), j.Uuid, "cannot render", stop); err != nil {
			t.Fatal(err)
		}
		is := w.job(j.Uuid)
		same(t, "job", fmt.Sprintln(is.State, is.ExitState, is.EndTime.Equal(w.now())), "failed failed true\n")
		same(t, "runnable", w.m().Runnable, !stop)
		same(t, "log", w.logs.of(j.Uuid), "Log for Job: "+j.Uuid+"\ncannot render\n")
		if err := w.jobs.FailJob(w.agent(), j.Uuid, "again", true); err != nil {
			t.Fatal(err)
		}
		same(t, "runnable after the second time", w.m().Runnable, !stop)
		same(t, "log after the second time", w.logs.of(j.Uuid), "Log for Job: "+j.Uuid+"\ncannot render\n")
	}
	w := plant(t)
	if err := w.jobs.FailJob(w.agent(), models.ZeroUUID, "x", true); models.ClassOf(err) != models.NotFound {
		t.Errorf("a job that is not there: %v", err)
	}
}

func TestAJobOfThePastDoesNotStopItsMachine(t *testing.T) {
	w := plant(t)
	j := bring(w, models.Running)
	w.edit(`{"Workflow":"wf1"}`)
	w.next(Made) // the running job counts as failed now
	same(t, "the job before", w.job(j.Uuid).State, models.Failed)
	if !strings.Contains(w.logs.of(j.Uuid), "given something else to do") {
		t.Errorf("its log: %q", w.logs.of(j.Uuid))
	}
	if err := w.jobs.FailJob(context.WithoutCancel(w.agent()), j.Uuid, "late", true); err != nil {
		t.Fatal(err)
	}
	same(t, "runnable", w.m().Runnable, true)
}

func TestAMachineGoesOnAfterTheServerWasRestarted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "drp.db")
	w, end := storedWorld(t, path)
	w.tasks("t1", "t2", "t3")
	w.machine(`{"Tasks":["t1","t2","t3"]}`)
	w.do("t1")
	j := w.next(Made)
	w.end(j, models.Running)
	end()
	w, end = storedWorld(t, path)
	defer end()
	same(t, "machine", show(w.m()), "wf= stage=none env=local at=1/3 run=true done=false ctx=")
	w.end(j, models.Finished)
	w.do("t3")
	w.next(Nothing)
	invariants(t, w.View())
}
