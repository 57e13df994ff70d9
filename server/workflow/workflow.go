// Package workflow moves machines through their task lists: it expands workflows and stages
// into lists, keeps the fields of a machine that follow from each other in step, gives out
// jobs one at a time, and clears up after runners that vanish. What it does to objects happens
// inside the change that causes it; logs are written after that change is durable.
package workflow

import (
	"encoding/json"

	"drp/models"
	"drp/server/objects"
)

// Register adds the Rules of machines, jobs and of all that machines refer to. Rules that make
// an object unavailable for reasons of their own must be added before.
func Register(s *objects.Service) {
	r := rules{s}
	s.AddRule("machines", r.machine)
	s.AddRule("jobs", r.job)
	s.AddRule("tasks", task)
	for _, kind := range []string{"bootenvs", "machines", "pools", "profiles", "stages", "tasks", "templates", "workflows"} {
		s.AddRule(kind, refer)
	}
	for kind := range holders {
		s.AddRule(kind, inUse)
	}
}

// rules are those that look at params.
type rules struct{ service *objects.Service }

// param decodes the value of a param that a machine has or inherits into v; without one, or
// with one of another shape, v stays as it is.
func (r rules) param(tx *objects.Tx, m *models.Machine, name string, v any) {
	if raw, ok := r.service.EffectiveParam(tx, m, name); ok {
		_ = json.Unmarshal(raw, v) // a param of the wrong shape controls nothing
	}
}

// byCaller tells whether a change is an edit that somebody asked for.
func byCaller(tx *objects.Tx, c *objects.Change) bool {
	return !c.Derived && !tx.ByServer()
}
