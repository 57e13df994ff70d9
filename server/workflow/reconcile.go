package workflow

import (
	"context"
	"errors"
	"fmt"
	"time"

	"drp/models"
	"drp/server/objects"
)

// interval is how often jobs are looked over when nothing calls for it earlier.
const interval = 10 * time.Second

// silence is how many promised signs of life a runner may owe before its job counts as failed.
const silence = 3

// Alive notes that the runner of a job has been heard of.
func (j *Jobs) Alive(uuid string) {
	job, ok := objects.Get[*models.Job](j.objects.View(), uuid)
	if !ok || job.State.Final() {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.alive[uuid] = j.now()
}

// watch follows commits: a job that has ended has its log made durable, that of a deleted job
// is removed, and one that is to be tried again may be due before the next round.
func (j *Jobs) watch(c *objects.Commit) {
	for i := range c.Changes {
		w := &c.Changes[i]
		if w.Kind != "jobs" {
			continue
		}
		j.mu.Lock()
		switch {
		case w.New == nil:
			j.gone = append(j.gone, w.Key)
			delete(j.alive, w.Key)
		case w.New.Object.(*models.Job).State.Final():
			j.ended = append(j.ended, w.Key)
			delete(j.alive, w.Key)
		}
		j.mu.Unlock()
		if w.New == nil || w.New.Object.Base().Meta[retryAt] != "" {
			j.wake()
		}
	}
}

func (j *Jobs) wake() {
	select {
	case j.kick <- struct{}{}:
	default:
	}
}

// Run looks the jobs over now and again until ctx ends.
func (j *Jobs) Run(ctx context.Context) {
	for {
		wait, err := j.Reconcile(ctx)
		if err != nil && ctx.Err() == nil {
			j.log.Error("looking over the jobs", "error", err)
		}
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-j.kick:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			j.keepLogs()
			return
		}
	}
}

// Reconcile ends the jobs that nobody will end any more, and lets machines go on whose time to
// try again has come. It may run at any time and any number of times. It returns when it is to
// run next.
func (j *Jobs) Reconcile(ctx context.Context) (time.Duration, error) {
	ctx = objects.WithActor(ctx, objects.System)
	v, wait := j.objects.View(), interval
	var errs []error
	for job := range objects.All[*models.Job](v) {
		if ctx.Err() != nil {
			break
		}
		if due, ok := retryTime(job); ok {
			if left := due.Sub(j.now()); left > 0 {
				wait = min(wait, left)
			} else {
				errs = append(errs, j.retry(ctx, job))
			}
		}
		if job.State.Final() {
			continue
		}
		if reason := orphaned(v, job); reason != "" {
			errs = append(errs, j.fail(ctx, job.Uuid, reason, false, func(r objects.Reader, job *models.Job) bool {
				return orphaned(r, job) != ""
			}))
		} else if j.abandoned(job) {
			errs = append(errs, j.fail(ctx, job.Uuid, "the server has ended while the action ran; whether it was carried out is not known", true,
				func(_ objects.Reader, job *models.Job) bool { return j.abandoned(job) }))
		} else if silent, ok := j.silent(job); ok {
			reason := fmt.Sprintf("the runner on %s gave no sign of life for %d s", machineName(v, job), int(silent.Seconds()))
			errs = append(errs, j.fail(ctx, job.Uuid, reason, false, func(_ objects.Reader, job *models.Job) bool {
				_, still := j.silent(job)
				return still
			}))
		}
	}
	j.keepLogs()
	return wait, errors.Join(errs...)
}

// orphaned is why nobody will ever end a job, or "".
func orphaned(r objects.Reader, job *models.Job) string {
	m, ok := objects.Get[*models.Machine](r, job.Machine)
	switch {
	case !ok:
		return "the machine " + job.Machine + " is gone"
	case m.CurrentJob != job.Uuid:
		return "the machine " + m.Name + " has gone on without this job"
	}
	return ""
}

// silent is how long the runner of a running job has not been heard of, when that is too long
// for what it has promised. A runner that has promised nothing is never silent. After a start
// of the server the time begins anew.
func (j *Jobs) silent(job *models.Job) (time.Duration, bool) {
	promise, ok := heartbeat(job)
	if !ok || job.State != models.Running {
		return 0, false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	last, ok := j.alive[job.Uuid]
	if !ok {
		j.alive[job.Uuid] = j.now()
		return 0, false
	}
	quiet := j.now().Sub(last)
	return quiet, quiet > silence*promise
}

func machineName(r objects.Reader, job *models.Job) string {
	if m, ok := objects.Get[*models.Machine](r, job.Machine); ok {
		return m.Name
	}
	return job.Machine
}

// retryTime is when a failed job is to be tried again.
func retryTime(job *models.Job) (time.Time, bool) {
	text := job.Meta[retryAt]
	if text == "" || job.State != models.Failed || !job.Current {
		return time.Time{}, false
	}
	due, err := time.Parse(time.RFC3339Nano, text)
	return due, err == nil
}

// retry makes the machine of a failed job runnable, once.
func (j *Jobs) retry(ctx context.Context, job *models.Job) error {
	_, err := j.objects.Do(objects.AsServer(ctx), false, func(tx *objects.Tx) error {
		e, ok := tx.Get("jobs", job.Uuid)
		if !ok {
			return nil
		}
		job := e.Clone().(*models.Job)
		if _, ok := retryTime(job); !ok {
			return nil
		}
		delete(job.Meta, retryAt)
		if err := tx.Update(job); err != nil {
			return err
		}
		m, ok := current(tx, job)
		if !ok || m.CurrentTask != job.CurrentIndex {
			return nil
		}
		m.Runnable = true
		return tx.Update(m)
	})
	if err != nil {
		return fmt.Errorf("retry job %s: %w", job.Uuid, err)
	}
	return nil
}

// keepLogs makes the logs of ended jobs durable, and removes those of deleted ones. It runs
// some time after the end of a job, when the tail of its log has arrived.
func (j *Jobs) keepLogs() {
	j.mu.Lock()
	ended, gone := j.ended, j.gone
	j.ended, j.gone = nil, nil
	j.mu.Unlock()
	for _, list := range []struct {
		jobs []string
		do   func(string) error
	}{{ended, j.logs.Sync}, {gone, j.logs.Remove}} {
		for _, job := range list.jobs {
			if err := list.do(job); err != nil {
				j.log.Error("job log", "job", job, "error", err)
			}
		}
	}
}
