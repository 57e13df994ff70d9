package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"drp/models"
	"drp/server/objects"
)

// Actions carries out the actions of plugins that stand in task lists. It may take long.
type Actions interface {
	RunTask(ctx context.Context, machine *objects.Entry, plugin, action string) (json.RawMessage, error)
}

// isAction tells whether an entry of a task list is an action of a plugin.
func isAction(entry string) bool {
	verb, _ := models.SplitEntry(entry)
	return verb == "action"
}

// splitAction splits "PLUGIN:ACTION", where the plugin may be left out.
func splitAction(arg string) (plugin, action string) {
	if p, a, ok := strings.Cut(arg, ":"); ok {
		return p, a
	}
	return "", arg
}

// act carries out the action that a running job was made for, and ends the job. Who asked may have
// gone away meanwhile: the machine is not to wait for that.
func (j *Jobs) act(ctx context.Context, job *models.Job) (Status, *models.Job, error) {
	defer j.acted(job.Uuid)
	ctx = context.WithoutCancel(ctx)
	_, arg := models.SplitEntry(job.Task)
	plugin, action := splitAction(arg)
	answer, err := j.perform(ctx, job, plugin, action)
	server := objects.WithActor(ctx, objects.System)
	if err != nil {
		if err := j.FailJob(server, job.Uuid, fmt.Sprintf("Action %s validation failed: %v", arg, err), true); err != nil {
			return 0, nil, err
		}
		return Nothing, nil, nil
	}
	j.write(job.Uuid, "Results from plugin invoke:\n"+string(answer)+"\nEnd of results")
	var after *models.Job
	_, err = j.objects.Do(objects.AsServer(server), false, func(tx *objects.Tx) error {
		e, ok := tx.Get("jobs", job.Uuid)
		if !ok {
			return models.MissingError("jobs", job.Uuid)
		}
		after = e.Clone().(*models.Job)
		if after.State.Final() { // somebody has ended it
			return nil
		}
		after.State, after.ExitState = models.Finished, "complete"
		if err := tx.Update(after); err != nil {
			return err
		}
		e, _ = tx.Get("jobs", job.Uuid)
		after = e.Clone().(*models.Job)
		return nil
	})
	return Made, after, err
}

func (j *Jobs) perform(ctx context.Context, job *models.Job, plugin, action string) (json.RawMessage, error) {
	e, ok := j.objects.View().Get("machines", job.Machine)
	if !ok {
		return nil, models.MissingError("machines", job.Machine)
	}
	if j.Actions == nil {
		return nil, errors.New("no plugin provides it")
	}
	return j.Actions.RunTask(ctx, e, plugin, action)
}

// acting notes that the action of a job is about to be carried out, and acted that it was. A job
// of an action that runs and is not noted was left behind by a server that has ended.
func (j *Jobs) acting(job string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.under[job] = true
}

func (j *Jobs) acted(job string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.under, job)
}

// abandoned tells whether nobody carries out the action of a job any more.
func (j *Jobs) abandoned(job *models.Job) bool {
	if !isAction(job.Task) || job.State != models.Running {
		return false
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return !j.under[job.Uuid]
}
