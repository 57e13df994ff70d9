package runner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"drp/models"
)

// report tells the server how the job has ended, and does what the outcome asks for.
func (w *run) report(ctx context.Context) (end bool, err error) {
	o := *w.rec.Outcome
	if err := w.log.close(ctx); err != nil && ctx.Err() == nil {
		w.say("job %s: %v", w.job.Uuid, err) // the outcome matters more than the log
	}
	if err := w.tell(ctx, o); err != nil {
		if ctx.Err() != nil {
			return true, ctx.Err() // the next runner finds the outcome on record
		}
		return w.given(o, err)
	}
	w.say("job %s: %s is %s (%s)", w.job.Uuid, w.job.Task, o.State, o.ExitState)
	w.pause = backoff{}
	return w.after(ctx, o)
}

// tell holds the machine, if the outcome asks for it, before the job is no longer in the way.
func (w *run) tell(ctx context.Context, o outcome) error {
	if o.holds() {
		if err := w.hold(ctx); err != nil {
			return err
		}
	}
	return w.setEnded(ctx, o)
}

// hold makes the machine not runnable; that it is so already is fine.
func (r *runner) hold(ctx context.Context) error {
	_, err := r.send(ctx, http.MethodPatch, "machines/"+r.Machine, ops{}.test("/Runnable", true).replace("/Runnable", false), nil)
	if err != nil && models.ClassOf(err) != models.Conflict {
		return fmt.Errorf("hold machine %s: %w", r.Machine, err)
	}
	return nil
}

// setEnded gives the job its final state, once.
func (w *run) setEnded(ctx context.Context, o outcome) error {
	p := ops{}.test("/State", models.Running).replace("/State", o.State).replace("/ExitState", o.ExitState)
	_, err := w.send(ctx, http.MethodPatch, "jobs/"+w.job.Uuid, p, nil)
	if models.ClassOf(err) != models.Conflict {
		return err
	}
	now := &models.Job{}
	if err := w.get(ctx, "jobs/"+w.job.Uuid, now); err != nil {
		return err
	}
	if now.State != o.State || now.ExitState != o.ExitState {
		return fmt.Errorf("%w: it is %s", errLost, now.State)
	}
	return nil // an earlier try had arrived
}

// given deals with an outcome that the server will not take.
func (w *run) given(o outcome, err error) (bool, error) {
	w.say("job %s: %s, but the server does not take it: %v", w.job.Uuid, o.State, err)
	if errors.Is(err, errLost) || models.ClassOf(err) == models.NotFound {
		return false, w.drop()
	}
	return true, fmt.Errorf("report job %s: %w", w.job.Uuid, err) // it stays on record, for a runner with more rights
}

// after does what the outcome asks of this host.
func (w *run) after(ctx context.Context, o outcome) (end bool, err error) {
	if verb := o.down(); verb != "" && w.Context == "" && !w.SkipPower {
		// The record stays until the host is down, so that a crash now does not forget it.
		return true, w.powerDown(ctx, verb)
	}
	if err := w.drop(); err != nil {
		return true, err
	}
	if o.State == models.Failed && w.ExitOnFailure {
		return true, fmt.Errorf("job %s: task %s failed", w.job.Uuid, w.job.Task)
	}
	return o.down() != "" || o.ExitState == "stop", nil
}

// lose deals with a job that cannot be brought to an outcome.
func (w *run) lose(ctx context.Context, cause error) (end bool, err error) {
	w.say("job %s: %v", w.job.Uuid, cause)
	if errors.Is(cause, errLost) {
		return false, errors.Join(w.log.close(ctx), w.drop())
	}
	now := &models.Job{}
	if err := w.get(ctx, "jobs/"+w.job.Uuid, now); err != nil {
		return true, errors.Join(cause, err, w.log.close(ctx))
	}
	if now.State == models.Running {
		w.log.note("%v", cause)
		if err := w.end(failed); err != nil {
			return true, errors.Join(err, w.log.close(ctx))
		}
		return w.report(ctx)
	}
	if err := w.log.close(ctx); err != nil {
		w.say("job %s: %v", w.job.Uuid, err)
	}
	if err := w.drop(); err != nil {
		return true, err
	}
	if w.ExitOnFailure || !now.State.Final() {
		return true, fmt.Errorf("job %s: task %s: %w", w.job.Uuid, w.job.Task, cause)
	}
	return false, w.pause.wait(ctx) // a server may fail the job but not hold the machine
}

// farewell is how long a runner that was told to end may take to say so.
const farewell = 10 * time.Second

// abandon ends a job whose runner was told to end: it is failed, but the machine stays runnable,
// so that the next runner does it again.
func (w *run) abandon(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if w.rec.Outcome == nil {
		w.log.note("the runner was told to end")
	}
	err := w.log.close(ctx)
	if w.rec.Outcome != nil {
		err = errors.Join(err, w.tell(ctx, *w.rec.Outcome))
	} else {
		err = errors.Join(err, w.orphan(ctx))
	}
	if err != nil {
		return fmt.Errorf("give up job %s: %w", w.job.Uuid, err)
	}
	w.say("job %s: given up", w.job.Uuid)
	return w.drop()
}

// orphan fails a job that nobody works on. That is not the task's fault, so a machine that was
// runnable stays so.
func (w *run) orphan(ctx context.Context) error {
	m, err := w.machine(ctx)
	if err != nil {
		return err
	}
	p := ops{}.test("/State", w.job.State).replace("/State", models.Failed).replace("/ExitState", "failed")
	if _, err := w.send(ctx, http.MethodPatch, "jobs/"+w.job.Uuid, p, nil); err != nil {
		if models.ClassOf(err) == models.Conflict {
			return nil // it has ended otherwise
		}
		return err
	}
	if !m.Runnable {
		return nil
	}
	again := ops{}.test("/Runnable", false).test("/CurrentJob", w.job.Uuid).replace("/Runnable", true)
	if _, err := w.send(ctx, http.MethodPatch, "machines/"+w.Machine, again, nil); err != nil && models.ClassOf(err) != models.Conflict {
		return fmt.Errorf("leave machine %s runnable: %w", w.Machine, err)
	}
	return nil
}

// resume takes up what an earlier runner has left. It returns true when the runner is to end.
func (r *runner) resume(ctx context.Context) (end bool, err error) {
	m, err := r.machine(ctx)
	if err != nil {
		return true, err
	}
	j, err := r.current(ctx, m)
	if err != nil {
		return true, err
	}
	rec := r.state.Work
	ours := j != nil && j.Context == r.Context && j.State == models.Running
	switch known := rec != nil && j != nil && rec.Job == j.Uuid; {
	case ours && known && r.usable(rec):
		return r.perform(ctx, j, rec)
	case ours && known:
		return false, r.bury(ctx, j, rec)
	case ours:
		return false, r.bury(ctx, j, nil)
	case known && rec.Outcome != nil && rec.Outcome.down() != "" && rec.Boot == r.state.Boot:
		w := &run{runner: r, job: j, rec: rec}
		return w.after(ctx, *rec.Outcome)
	case rec != nil:
		r.clear(rec)
	}
	return false, r.drop()
}

// usable tells whether a job can go on where its runner has left it.
func (r *runner) usable(rec *record) bool {
	if rec.Outcome != nil {
		return true
	}
	_, err := os.Stat(rec.Dir)
	return err == nil && rec.Boot == r.state.Boot && !rec.Stopped && rec.Script.fate() != vanished
}

// clear ends what is left of a job's script.
func (r *runner) clear(rec *record) {
	if rec.Script != nil && rec.Boot == r.state.Boot {
		endLeftovers(rec.Script)
	}
}

// bury ends a job whose runner is gone, with all that is left of it.
func (r *runner) bury(ctx context.Context, j *models.Job, rec *record) error {
	resumed := rec != nil
	if resumed {
		r.clear(rec)
	} else {
		var err error
		if rec, err = r.begin(j); err != nil {
			return err
		}
	}
	w := &run{runner: r, job: j, rec: rec}
	var err error
	if w.log, err = r.openLog(ctx, rec, resumed); err != nil {
		return err
	}
	w.log.note("the runner of this job ended before its task did; the task will be run again")
	r.say("job %s: %s was left by a runner that ended", j.Uuid, j.Task)
	if err := w.log.close(ctx); err != nil && ctx.Err() == nil {
		r.say("job %s: %v", j.Uuid, err)
	}
	if err := w.orphan(ctx); err != nil {
		return fmt.Errorf("end job %s: %w", j.Uuid, err)
	}
	return r.drop()
}
