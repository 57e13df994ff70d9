package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"drp/models"
	"drp/server/objects"
)

// acting is a plugin that answers when the test lets it.
type acting struct {
	asked  chan string
	answer chan error
}

func (a acting) RunTask(_ context.Context, m *objects.Entry, plugin, action string) (json.RawMessage, error) {
	a.asked <- fmt.Sprint(m.Object.Key(), " ", plugin, " ", action)
	return json.RawMessage(`"done"`), <-a.answer
}

// TestAnActionHoldsNobodyElseUp: while it runs its job does, others are served, and nobody gets the
// machine's next job; then the job ends as the action did.
func TestAnActionHoldsNobodyElseUp(t *testing.T) {
	for outcome, want := range map[string]string{"": "finished complete", "no such cow": "failed failed"} {
		w := newWorld(t)
		a := acting{make(chan string), make(chan error)}
		w.jobs.Actions = a
		w.machine(`{"Tasks":["action:herd:moo"]}`)
		ctx := objects.WithActor(t.Context(), objects.System)
		type reply struct {
			status Status
			err    error
		}
		got := make(chan reply)
		go func() {
			status, _, err := w.jobs.Next(ctx, &models.Job{Machine: w.m().Uuid})
			got <- reply{status, err}
		}()
		same(t, "the plugin is asked", <-a.asked, w.m().Uuid+" herd moo")
		j := w.job(w.m().CurrentJob)
		same(t, "job", string(j.State), "running")
		if _, _, err := w.jobs.Next(ctx, &models.Job{Machine: w.m().Uuid}); models.ClassOf(err) != models.Conflict {
			t.Errorf("another asks for a job meanwhile: %v", err)
		}
		if _, err := w.jobs.Reconcile(t.Context()); err != nil {
			t.Fatal(err)
		}
		same(t, "job, when it was looked over", string(w.job(j.Uuid).State), "running")
		var err error
		if outcome != "" {
			err = errors.New(outcome)
		}
		a.answer <- err
		r := <-got
		j = w.job(j.Uuid)
		same(t, "job", fmt.Sprintln(j.State, j.ExitState), want+"\n")
		if (r.status == Made) != (outcome == "") || r.err != nil || w.m().Runnable != (outcome == "") {
			t.Errorf("%q: status %d, %v, runnable %v", outcome, r.status, r.err, w.m().Runnable)
		}
		if log := w.logs.of(j.Uuid); !strings.Contains(log, outcome) || (outcome == "") != strings.Contains(log, "Results from plugin invoke:\n\"done\"\nEnd of results\n") {
			t.Errorf("%q: log %s", outcome, log)
		}
	}
}

// TestAnActionThatTheServerDidNotSurviveHasFailed: whether it was carried out nobody knows.
func TestAnActionThatTheServerDidNotSurviveHasFailed(t *testing.T) {
	w := newWorld(t)
	a := acting{make(chan string), make(chan error)}
	w.jobs.Actions = a
	w.machine(`{"Tasks":["action:moo"]}`)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_, _, _ = w.jobs.Next(objects.WithActor(t.Context(), objects.System), &models.Job{Machine: w.m().Uuid})
	}()
	<-a.asked
	after := New(w.Service, w.logs, w.now, slog.New(slog.DiscardHandler)) // what the next server knows
	if _, err := after.Reconcile(t.Context()); err != nil {
		t.Fatal(err)
	}
	j := w.job(w.m().CurrentJob)
	if j.State != models.Failed || w.m().Runnable || !strings.Contains(w.logs.of(j.Uuid), "the server has ended while the action ran") {
		t.Errorf("job %+v, runnable %v, log %s", j, w.m().Runnable, w.logs.of(j.Uuid))
	}
	a.answer <- nil
	<-ended
	same(t, "job, when the answer comes after all", string(w.job(j.Uuid).State), "failed")
}
