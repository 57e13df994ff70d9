package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"

	"drp/models"
	"drp/server/auth"
	"drp/server/objects"
	"drp/server/workflow"
)

// A pool is there as long as a machine names it, so these routes ask for no object.

func (a *API) poolStatus(r *request) (int, any, error) {
	status, err := a.Pools.Status(r.ctx, poolID(r.id()))
	return http.StatusOK, status, err
}

func (a *API) activePools(r *request) (int, any, error) {
	return http.StatusOK, a.Pools.Active(r.ctx), nil
}

func (a *API) movePool(verb string) handler {
	return func(r *request) (int, any, error) {
		pool := poolID(r.id())
		if !r.actor.Exists(&models.Pool{Id: pool}) {
			return 0, nil, models.MissingError("pools", pool)
		}
		if err := r.actor.Require("pools", "action:"+verb, pool); err != nil {
			return 0, nil, err
		}
		return a.move(r, workflow.Move{Verb: verb, Pool: pool, Source: r.query.Get("source-pool"), Force: r.flag("force")})
	}
}

// releaseToPool gives a machine back to its pool.
func (a *API) releaseToPool(r *request) (int, any, error) {
	e, err := a.Objects.Get(r.ctx, "machines", r.id())
	if err != nil {
		return 0, nil, err
	}
	m := e.Object.(*models.Machine)
	if err := r.actor.Require("machines", "update:/PoolStatus", m.Uuid); err != nil {
		return 0, nil, err
	}
	return a.move(r, workflow.Move{Verb: "releaseMachines", Pool: m.Pool, Force: r.flag("force")}, m.Uuid)
}

// move has machines moved: those that are given, or else those that the body selects.
func (a *API) move(r *request, mv workflow.Move, uuids ...string) (int, any, error) {
	body, err := r.json()
	if err != nil {
		return 0, nil, err
	}
	var ask models.PoolRequest
	if len(bytes.TrimSpace(body)) > 0 {
		d := json.NewDecoder(bytes.NewReader(body))
		d.DisallowUnknownFields() // a condition that is misspelt would choose other machines
		if err := d.Decode(&ask); err != nil {
			return 0, nil, objects.DecodeError("pools", mv.Pool, err)
		}
		if d.More() {
			return 0, nil, models.Problem(models.BadRequest, "pools", mv.Pool, "there is more than one value in the body")
		}
	}
	if len(uuids) > 0 {
		ask.List, ask.All, ask.Count, ask.Minimum = uuids, false, 0, 0
	}
	var limit time.Duration
	if ask.WaitTimeout != "" {
		if limit, err = auth.ParseTTL(ask.WaitTimeout); err != nil {
			return 0, nil, named(err, "pools", "pool/wait-timeout")
		}
	}
	ctx, cancel := r.until(min(limit, maxPoolWait))
	defer cancel()
	if limit <= 0 {
		cancel()
	}
	moved, err := a.Pools.Run(r.ctx, objects.WithActor(ctx, r.actor), mv, &ask)
	return http.StatusOK, moved, err
}

// maxPoolWait bounds how long a request waits for machines and their workflows: installing an
// operating system takes its time, and clients do not ask again.
const maxPoolWait = 24 * time.Hour

// poolID is the key of a pool, which may be written as that of an object.
func poolID(id string) string {
	for _, prefix := range []string{"Key:", "Id:"} {
		if len(id) > len(prefix) && id[:len(prefix)] == prefix {
			return id[len(prefix):]
		}
	}
	return id
}
