package workflow

import (
	"context"
	"strings"
	"testing"
	"time"

	"drp/models"
)

func TestJobsOfMachinesThatAreGoneAreFailed(t *testing.T) {
	for _, s := range states {
		w := plant(t)
		j := bring(w, s)
		w.delete("machines", machineID)
		w.reconcile()
		is := w.job(j.Uuid)
		if s.Final() {
			same(t, string(s), is.State, s)
			continue
		}
		same(t, string(s), is.State, models.Failed)
		if !strings.HasSuffix(w.logs.of(j.Uuid), "\nthe machine "+machineID+" is gone\n") {
			t.Errorf("%s: log %q", s, w.logs.of(j.Uuid))
		}
		rev := w.View().Rev
		w.reconcile()
		same(t, "changes by another round", w.View().Rev, rev)
	}
}

func TestJobsOfAMachineMadeAnewAreFailed(t *testing.T) {
	w := plant(t)
	j := bring(w, models.Running)
	w.delete("machines", machineID)
	w.machine(`{"Stage":"plain"}`)
	other := w.next(Made)
	w.reconcile()
	same(t, "old job", w.job(j.Uuid).State, models.Failed)
	same(t, "new job", w.job(other.Uuid).State, models.Created)
	if !strings.Contains(w.logs.of(j.Uuid), "the machine m1 has gone on without this job") {
		t.Errorf("log %q", w.logs.of(j.Uuid))
	}
}

// promised is a running job whose runner has promised to report every five seconds.
func promised(t *testing.T) (*world, *models.Job) {
	w := plant(t)
	w.machine(`{"Stage":"plain"}`)
	j := w.next(Made)
	if err := w.merge(w.agent(), "jobs", j.Uuid, `{"State":"running","Meta":{"heartbeat":"5"}}`, false); err != nil {
		t.Fatal(err)
	}
	w.jobs.Alive(j.Uuid)
	return w, j
}

func TestARunnerThatFallsSilentLosesItsJob(t *testing.T) {
	w, j := promised(t)
	for range 10 {
		w.wait(15 * time.Second)
		w.reconcile()
		same(t, "while it reports", w.job(j.Uuid).State, models.Running)
		w.jobs.Alive(j.Uuid)
	}
	w.wait(15*time.Second + 1)
	w.reconcile()
	same(t, "silent", w.job(j.Uuid).State, models.Failed)
	same(t, "log", w.logs.of(j.Uuid), "Log for Job: "+j.Uuid+"\nthe runner on m1 gave no sign of life for 15 s\n")
	same(t, "runnable", w.m().Runnable, true)
	w.do("t1")
}

func TestAfterAStartOfTheServerTheClockBeginsAnew(t *testing.T) {
	w, j := promised(t)
	clear(w.jobs.alive)
	w.wait(time.Hour)
	w.reconcile()
	same(t, "first round", w.job(j.Uuid).State, models.Running)
	w.wait(15 * time.Second)
	w.reconcile()
	same(t, "within the promise", w.job(j.Uuid).State, models.Running)
	w.wait(1)
	w.reconcile()
	same(t, "silent", w.job(j.Uuid).State, models.Failed)
}

func TestRunnersThatPromiseNothingAreLeftAlone(t *testing.T) {
	for _, meta := range []string{`{}`, `{"heartbeat":""}`, `{"heartbeat":"0"}`, `{"heartbeat":"-5"}`, `{"heartbeat":"often"}`} {
		w := plant(t)
		j := bring(w, models.Running)
		if err := w.merge(w.agent(), "jobs", j.Uuid, `{"Meta":`+meta+`}`, false); err != nil {
			t.Fatal(err)
		}
		w.jobs.Alive(j.Uuid)
		w.wait(1000 * time.Hour)
		w.reconcile()
		same(t, meta, w.job(j.Uuid).State, models.Running)
	}
}

func TestAPromiseBindsOnlyWhileTheJobRuns(t *testing.T) {
	w, j := promised(t)
	w.end(j, models.Incomplete)
	w.wait(time.Hour)
	w.reconcile()
	same(t, "incomplete", w.job(j.Uuid).State, models.Incomplete)
}

func TestSignsOfLifeAreForgottenWithTheJob(t *testing.T) {
	w, j := promised(t)
	w.end(j, models.Finished)
	w.jobs.Alive(j.Uuid)
	w.jobs.Alive(models.ZeroUUID)
	same(t, "remembered", len(w.jobs.alive), 0)
}

func TestLogsOfEndedJobsAreMadeDurable(t *testing.T) {
	w := plant(t)
	j := bring(w, models.Finished)
	w.reconcile()
	w.logs.Lock()
	defer w.logs.Unlock()
	if w.logs.sync[j.Uuid] == 0 {
		t.Error("the log was not synced")
	}
}

func TestRunWakesForRetriesAndEndsWithItsContext(t *testing.T) {
	w := plant(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { defer close(ended); w.jobs.Run(ctx) }()
	w.machine(`{"Tasks":["t1"],"Params":{"task-retry":{"t1":1}}}`)
	j := w.next(Made)
	w.end(j, models.Running)
	w.wait(-time.Hour) // the retry is planned for the past of the clock below
	w.end(j, models.Failed)
	e, _ := w.View().Get("machines", machineID)
	w.wait(time.Hour)
	w.jobs.wake()
	for !w.m().Runnable {
		if _, err := w.Await(t.Context(), "machines", machineID, e.Rev); err != nil {
			t.Fatal(err)
		}
		e, _ = w.View().Get("machines", machineID)
	}
	cancel()
	<-ended
}
