package api

import (
	"encoding/json"
	"net"
	"net/http"

	"drp/models"
	"drp/server/objects"
)

// nextJob is POST /jobs: the next thing to do for a machine.
func (a *API) nextJob(r *request) (int, any, error) {
	body, err := r.json()
	if err != nil {
		return 0, nil, err
	}
	k, _ := models.KindOf("jobs")
	o, err := decodeNew(k, body)
	if err != nil {
		return 0, nil, err
	}
	status, job, err := a.Jobs.Next(r.ctx, o.(*models.Job))
	if err != nil || job == nil {
		return http.StatusNoContent, nil, err
	}
	if len(job.ExtraClaims) > 0 {
		if job.Token, err = a.Auth.JobToken(job); err != nil {
			return 0, nil, err
		}
	}
	return int(status), job, nil
}

// job finds the job of a sub-resource; what is missing is a ValidationError here.
func (a *API) job(r *request, action string) (*models.Job, error) {
	e, ok := a.Objects.View().Find("jobs", r.id())
	if !ok || !r.actor.Exists(e.Object) || !r.actor.May("jobs", action, objects.AuthKey(e.Object)) && !r.actor.Visible(e.Object) {
		return nil, models.Problem(models.Invalid, "", "", "Job "+r.id()+" does not exist").Typed("ValidationError")
	}
	if !r.actor.May("jobs", action, objects.AuthKey(e.Object)) && !r.actor.May("jobs", "update", objects.AuthKey(e.Object)) {
		return nil, r.actor.Require("jobs", action, objects.AuthKey(e.Object))
	}
	return e.Object.(*models.Job), nil
}

// jobActions renders the job's templates, now. What cannot be rendered fails the job.
func (a *API) jobActions(r *request) (int, any, error) {
	job, err := a.job(r, "actions")
	if err != nil {
		return 0, nil, err
	}
	a.Jobs.Alive(job.Uuid)
	actions, err := a.Render.Job(r.ctx, a.Objects.View(), job, r.query.Get("os"), host(r.local()))
	if err == nil {
		if actions == nil {
			actions = []models.JobAction{}
		}
		return http.StatusOK, actions, nil
	}
	if !job.State.Final() && models.ClassOf(err) == models.Invalid && r.actor.May("jobs", "update", job.Machine) {
		if ferr := a.Jobs.FailJob(objects.WithActor(r.ctx, objects.System), job.Uuid, err.Error(), true); ferr != nil {
			a.Log.Error("a job that cannot be rendered could not be failed", "job", job.Uuid, "error", ferr)
		}
	}
	return 0, nil, err
}

func host(a net.Addr) string {
	if t, ok := a.(*net.TCPAddr); ok {
		return t.IP.String()
	}
	return "127.0.0.1"
}

// appendJobLog appends, in any state: the tail of a log arrives after its job has ended.
func (a *API) appendJobLog(r *request) (int, any, error) {
	job, err := a.job(r, "log")
	if err != nil {
		return 0, nil, err
	}
	if err := r.actor.Require("jobs", "update", job.Machine); err != nil {
		return 0, nil, err
	}
	a.Jobs.Alive(job.Uuid)
	n, err := a.Logs.Append(job.Uuid, r.Request.Body)
	if err != nil {
		return 0, nil, err
	}
	if job.State.Final() {
		if err := a.Logs.Sync(job.Uuid); err != nil {
			return 0, nil, err
		}
	}
	if n > 0 {
		a.Log.Debug("job log", "job", job.Uuid, "bytes", n)
	}
	return http.StatusNoContent, nil, nil
}

// postEvent hands what somebody posts to all subscribers.
func (a *API) postEvent(r *request) (int, any, error) {
	if err := r.actor.Require("events", "post", ""); err != nil {
		return 0, nil, err
	}
	body, err := r.json()
	if err != nil {
		return 0, nil, err
	}
	var e models.Event
	if err := json.Unmarshal(body, &e); err != nil {
		return 0, nil, models.Problem(models.BadRequest, "events", "", err.Error())
	}
	if e.Type == "" || e.Action == "" || e.Type == "websocket" {
		return 0, nil, models.Problem(models.Invalid, "events", e.Key, "an event needs a Type, other than websocket, and an Action").Typed("ValidationError")
	}
	if e.Time.IsZero() {
		e.Time = a.Now().UTC()
	}
	e.Rev, e.Principal = 0, r.actor.Name
	a.post(e)
	return http.StatusNoContent, nil, nil
}
