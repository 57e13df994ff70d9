package workflow

import (
	"context"
	"fmt"
	"testing"
	"time"

	"drp/models"
	"drp/server/objects"
)

func (w *world) fail(task string) *models.Job {
	w.t.Helper()
	j := w.next(Made)
	if j.Task != task {
		w.t.Fatalf("next is %s, want %s", j.Task, task)
	}
	w.end(j, models.Running)
	w.edit(`{"Runnable":false}`) // as agents do
	w.end(j, models.Failed)
	return j
}

func (w *world) reconcile() time.Duration {
	w.t.Helper()
	wait, err := w.jobs.Reconcile(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	return wait
}

func TestSingleStepStopsAfterEachTask(t *testing.T) {
	w := plant(t)
	w.machine(`{"Tasks":["t1","t3"],"Params":{"task-single-step":true}}`)
	w.do("t1")
	same(t, "runnable", w.m().Runnable, false)
	w.edit(`{"Runnable":true}`)
	w.do("t3")
	same(t, "runnable", w.m().Runnable, false)
}

func TestStopAtStopsOnceInFrontOfATask(t *testing.T) {
	w := plant(t)
	w.machine(`{"Tasks":["t1","t3","action:explode","t4"],"Params":{"task-stop-at":["t3","action:explode"]}}`)
	w.do("t1")
	w.next(Nothing)
	same(t, "in front of t3", show(w.m()), "wf= stage=none env=local at=0/4 run=false done=false ctx=")
	w.edit(`{"Runnable":true}`)
	w.fail("t3")
	w.edit(`{"Runnable":true}`)
	w.do("t3") // the repetition is not stopped
	w.next(Nothing)
	same(t, "in front of the action", show(w.m()), "wf= stage=none env=local at=1/4 run=false done=false ctx=")
	same(t, "again from the beginning", show(w.edit(`{"CurrentTask":-1,"Runnable":true}`)), "wf= stage=none env=local at=-1/4 run=true done=false ctx=")
	w.do("t1")
	w.next(Nothing)
	same(t, "in front of t3 again", show(w.m()), "wf= stage=none env=local at=0/4 run=false done=false ctx=")
	same(t, "marks left", w.edit(`{"CurrentTask":-1}`).Meta[stoppedAt], "")
}

func TestFailedTasksAreTriedAgainAfterEverLongerWaits(t *testing.T) {
	w := plant(t)
	w.machine(`{"Tasks":["t1","t3"],"Params":{"task-retry":{"t1":3}}}`)
	for i, wait := range []time.Duration{2 * time.Second, 4 * time.Second, 8 * time.Second} {
		w.fail("t1")
		same(t, "attempt", w.m().RetryTaskAttempt, i+1)
		same(t, "due in", w.reconcile(), wait)
		w.wait(wait - 1)
		same(t, "due in", w.reconcile(), time.Duration(1))
		same(t, "runnable too early", w.m().Runnable, false)
		w.wait(1)
		w.reconcile()
		same(t, "runnable in time", w.m().Runnable, true)
		rev := w.View().Rev
		w.reconcile()
		same(t, "changes by another round", w.View().Rev, rev)
	}
	w.fail("t1")
	w.wait(time.Hour)
	w.reconcile()
	same(t, "runnable after the last attempt", w.m().Runnable, false)
	w.edit(`{"Runnable":true}`)
	w.do("t1")
	same(t, "attempts after success", w.m().RetryTaskAttempt, 0)
}

func TestAnOperatorWhoIsFasterThanTheRetryIsNotDisturbed(t *testing.T) {
	w := plant(t)
	w.machine(`{"Tasks":["t1","t3"],"Params":{"task-retry":{"t1":3}}}`)
	w.fail("t1")
	w.edit(`{"Runnable":true}`)
	w.do("t1")
	w.edit(`{"Runnable":false}`)
	w.wait(time.Hour)
	w.reconcile()
	same(t, "runnable", w.m().Runnable, false)
}

func TestErrorHandlersRunInPlaceOfTheListAndThenTheTaskAgain(t *testing.T) {
	w := plant(t)
	w.machine(`{"Tasks":["t3","t1","t4"],"Params":{"task-retry":{"t1":1},"task-error-handlers":{"t1":["t2","stage:empty"]}}}`)
	w.do("t3")
	w.fail("t1")
	w.wait(2 * time.Second)
	w.reconcile()
	failed := w.fail("t1") // retries are used up
	same(t, "handling", show(w.m()), "wf= stage=none env=local at=-1/3 run=true done=false ctx=")
	same(t, "handlers", w.m().Tasks, "[pre t2 stage:empty]")
	same(t, "put aside", w.m().TaskErrorStacks, "[{1 [t3 t1 t4]}]")
	invariants(t, w.View())
	w.do("pre")
	w.fail("t2") // a handler is not handled
	same(t, "failed handler", show(w.m()), "wf= stage=none env=local at=1/3 run=false done=false ctx=")
	w.edit(`{"Runnable":true}`)
	w.do("t2")
	w.next(Nothing) // stage:empty
	again := w.next(Made)
	if again.Task != "t1" || again.CurrentIndex != 1 || again.Uuid == failed.Uuid {
		t.Errorf("after the handlers: %+v", again)
	}
	same(t, "the list is back", show(w.m()), "wf= stage=empty env=local at=1/3 run=true done=false ctx=")
	same(t, "nothing is put aside, no attempt counted", len(w.m().TaskErrorStacks)+w.m().RetryTaskAttempt, 0)
	w.end(again, models.Finished)
	w.do("t4")
	w.next(Nothing)
	same(t, "done", w.m().WorkflowComplete, true)
}

func TestHandlersThatCannotRunLeaveTheMachineFailed(t *testing.T) {
	w := plant(t)
	w.machine(`{"Tasks":["t1"],"Params":{"task-error-handlers":{"t1":["absent"]},"task-retry":"not a map"}}`)
	j := w.fail("t1")
	same(t, "machine", show(w.m()), "wf= stage=none env=local at=0/1 run=false done=false ctx=")
	same(t, "why", w.job(j.Uuid).Meta["task-error-handlers"], "Task absent (at 0) does not exist")
}

func TestANewWorkflowForgetsHandlersAndAttempts(t *testing.T) {
	w := plant(t)
	w.machine(`{"Tasks":["t1"],"Params":{"task-retry":{"t1":1},"task-error-handlers":{"t1":["t3"]}}}`)
	w.fail("t1")
	w.wait(2 * time.Second)
	w.reconcile()
	w.fail("t1")
	m := w.edit(`{"Workflow":"wf1"}`)
	same(t, "put aside", len(m.TaskErrorStacks)+m.RetryTaskAttempt, 0)
	w.do("t1")
}

func TestRenderErrorsOfHandledTasksAreHandledToo(t *testing.T) {
	w := plant(t)
	w.machine(`{"Tasks":["t1"],"Params":{"task-error-handlers":{"t1":["t3"]}}}`)
	if err := w.jobs.FailJob(w.agent(), w.next(Made).Uuid, "cannot render", true); err != nil {
		t.Fatal(err)
	}
	w.do("t3")
	w.do("t1")
}

func TestControlParamsMayBeInherited(t *testing.T) {
	w := plant(t)
	p := &models.Profile{Name: "careful", Params: models.Params{"task-single-step": []byte("true")}}
	w.create(p)
	w.machine(`{"Tasks":["t1","t3"],"Profiles":["careful"]}`)
	w.do("t1")
	same(t, "runnable", w.m().Runnable, false)
}

// TestWhoeverSetsAJobFailed: its runner leaves the machine as it is, anybody else stops it; and what
// was cancelled is neither repeated nor handled.
func TestWhoeverSetsAJobFailed(t *testing.T) {
	const params = `,"Params":{"task-retry":{"t1":1},"task-error-handlers":{"t3":["t4"]}}}`
	for _, c := range []struct {
		says, task string
		ctx        func(*world) context.Context
		meta       string
		runnable   bool
		attempts   int
		tasks      string
	}{
		{"the runner", "t4", (*world).agent, `{}`, true, 0, "[t4]"},
		{"the runner, with a user's token", "t4", func(w *world) context.Context { return objects.WithJob(w.operator(), w.m().CurrentJob) }, `{}`, true, 0, "[t4]"},
		{"a user", "t4", (*world).operator, `{}`, false, 0, "[t4]"},
		{"a user, of a task that is repeated", "t1", (*world).operator, `{}`, false, 1, "[t1]"},
		{"a user, of a task that is handled", "t3", (*world).operator, `{}`, true, 0, "[t4]"},
		{"a user who cancels", "t4", (*world).operator, `{"cancelled":"x"}`, false, 0, "[t4]"},
		{"a user who cancels what is repeated", "t1", (*world).operator, `{"cancelled":"x"}`, false, 0, "[t1]"},
		{"a user who cancels what is handled", "t3", (*world).operator, `{"cancelled":"x"}`, false, 0, "[t3]"},
	} {
		for _, from := range []models.State{models.Created, models.Running, models.Incomplete} {
			w := plant(t)
			w.machine(`{"Tasks":["` + c.task + `"]` + params)
			j := w.next(Made)
			if from != models.Created {
				w.end(j, from)
			}
			if err := w.merge(c.ctx(w), "jobs", j.Uuid, `{"State":"failed","Meta":`+c.meta+`}`, false); err != nil {
				t.Fatal(err)
			}
			m := w.m()
			same(t, c.says+" from "+string(from), fmt.Sprintf("%v %d %v", m.Runnable, m.RetryTaskAttempt, m.Tasks), fmt.Sprintf("%v %d %v", c.runnable, c.attempts, c.tasks))
			w.wait(time.Hour)
			w.reconcile()
			same(t, c.says+", later", w.m().Runnable, c.runnable || c.attempts > 0)
			w.edit(`{"Runnable":true}`)
			if again := w.next(Made); again.Uuid == j.Uuid || again.Task != w.m().Tasks[0] {
				t.Errorf("%s, once runnable: %s", c.says, again.Task)
			}
		}
	}
}
