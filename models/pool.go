package models

import (
	"encoding/json"
	"slices"
)

// DefaultPool is the pool of machines that are in no other, and the root of all pools.
const DefaultPool = "default"

// Pool says what happens to machines that enter or leave a group, or are taken into use there and
// given back. A group needs no Pool: it is there as long as a machine names it.
type Pool struct {
	Common
	Id              string
	Description     string       `json:",omitempty"`
	Documentation   string       `json:",omitempty"`
	ParentPool      string       `json:",omitempty"` // where machines come from and go to; "": the default pool
	EnterActions    *PoolActions `json:",omitempty"`
	ExitActions     *PoolActions `json:",omitempty"`
	AllocateActions *PoolActions `json:",omitempty"`
	ReleaseActions  *PoolActions `json:",omitempty"`
	AutoFill        *AutoFill    `json:",omitempty"` // kept for others; nothing here fills pools
}

// PoolActions are done to a machine when it moves. What is to be added may be there already, and
// what is to go need not be.
type PoolActions struct {
	Workflow         string                     `json:",omitempty"`
	AddProfiles      []string                   `json:",omitempty"`
	AddParameters    map[string]json.RawMessage `json:",omitempty"`
	RemoveProfiles   []string                   `json:",omitempty"`
	RemoveParameters []string                   `json:",omitempty"`
}

// AutoFill are wishes for the size of a pool.
type AutoFill struct {
	UseAutoFill      bool                       `json:",omitempty"`
	MinFree          int                        `json:",omitempty"`
	MaxFree          int                        `json:",omitempty"`
	CreateParameters map[string]json.RawMessage `json:",omitempty"`
	AcquirePool      string                     `json:",omitempty"`
	ReturnPool       string                     `json:",omitempty"`
}

// The states of a machine in its pool. In one of the four that move, a workflow runs; the state
// that holds takes its place while a task of it has failed.
const (
	PoolJoining     = "Joining"
	PoolHoldJoin    = "HoldJoin"
	PoolFree        = "Free" // may be allocated
	PoolBuilding    = "Building"
	PoolHoldBuild   = "HoldBuild"
	PoolInUse       = "InUse" // may be released
	PoolDestroying  = "Destroying"
	PoolHoldDestroy = "HoldDestroy"
	PoolLeaving     = "Leaving"
	PoolHoldLeave   = "HoldLeave"
)

// PoolResult is what became of a machine that was asked to move.
type PoolResult struct {
	Name      string
	Uuid      string
	Allocated bool
	Status    string
}

// PoolRequest asks to move machines: those of List, or else All that can move, or Count of them.
type PoolRequest struct {
	All     bool     `json:"pool/all-machines"`
	Count   int      `json:"pool/count"`
	Minimum int      `json:"pool/minimum"` // how many must be found; 0: all that are asked for
	List    []string `json:"pool/machine-list,omitempty"`
	Filter  []string `json:"pool/filter,omitempty"` // such as "Arch=Eq(arm64)"; all must hold
	// WaitTimeout is how long to wait, first for enough machines and then for their workflows to
	// end; "": not at all.
	WaitTimeout string `json:"pool/wait-timeout"`
	// What follows is done beside what the Pool says; the workflow is run in place of its.
	Workflow         string                     `json:"pool/workflow"`
	AddProfiles      []string                   `json:"pool/add-profiles,omitempty"`
	RemoveProfiles   []string                   `json:"pool/remove-profiles,omitempty"`
	AddParameters    map[string]json.RawMessage `json:"pool/add-parameters,omitempty"`
	RemoveParameters []string                   `json:"pool/remove-parameters,omitempty"`
}

// Actions are those of the request alone.
func (r *PoolRequest) Actions() *PoolActions {
	return &PoolActions{Workflow: r.Workflow, AddProfiles: r.AddProfiles, AddParameters: r.AddParameters,
		RemoveProfiles: r.RemoveProfiles, RemoveParameters: r.RemoveParameters}
}

func (*Pool) Kind() string  { return "pools" }
func (p *Pool) Key() string { return p.Id }

func (p *Pool) Normalize() {
	p.normalize()
	for _, a := range p.actions() {
		if *a.of != nil {
			fillRaw((*a.of).AddParameters)
		}
	}
	if p.AutoFill != nil {
		fillRaw(p.AutoFill.CreateParameters)
	}
}

type namedActions struct {
	name string
	of   **PoolActions
}

func (p *Pool) actions() []namedActions {
	return []namedActions{
		{"EnterActions", &p.EnterActions}, {"ExitActions", &p.ExitActions},
		{"AllocateActions", &p.AllocateActions}, {"ReleaseActions", &p.ReleaseActions},
	}
}

// EachActions calls fn for all actions that the pool has, with the names of their fields.
func (p *Pool) EachActions(fn func(field string, a *PoolActions)) {
	for _, a := range p.actions() {
		if *a.of != nil {
			fn(a.name, *a.of)
		}
	}
}

func (p *Pool) Validate() []string {
	var bad problems
	bad.name(nameGeneral, "Id", p.Id)
	bad.optional("ParentPool", p.ParentPool)
	if p.ParentPool == p.Id && p.Id != "" {
		bad.addf("Pool %s cannot be its own ParentPool", p.Id)
	}
	p.EachActions(func(field string, a *PoolActions) { bad.actions(field+" ", a) })
	return bad
}

// Validate returns what is wrong with a request by itself, a line each.
func (r *PoolRequest) Validate() []string {
	var bad problems
	bad.actions("", r.Actions())
	switch {
	case r.Count < 0 || r.Minimum < 0:
		bad.addf("pool/count and pool/minimum cannot be negative")
	case r.All && r.Count > 0:
		bad.addf("Must choose pool/count or pool/all-machines, but not both")
	case len(r.List) > 0 && (r.Count > 0 || r.All):
		bad.addf("pool/machine-list must not be specified with pool/count or pool/all-machines")
	case r.Count > 0 && r.Minimum > r.Count:
		bad.addf("pool/count must not be less than pool/minimum")
	}
	return bad
}

func (p *problems) actions(prefix string, a *PoolActions) {
	p.optional(prefix+"Workflow", a.Workflow)
	p.names(nameGeneral, prefix+"Add Profile", a.AddProfiles)
	p.names(nameGeneral, prefix+"Remove Profile", a.RemoveProfiles)
	p.names(nameParam, prefix+"Add Parameter", sortedKeys(a.AddParameters))
	p.names(nameParam, prefix+"Remove Parameter", a.RemoveParameters)
}

// PoolAllocated tells whether a machine of the status is somebody's.
func PoolAllocated(status string) bool {
	return slices.Contains([]string{PoolBuilding, PoolHoldBuild, PoolInUse}, status)
}

func fillRaw(m map[string]json.RawMessage) {
	for k, v := range m {
		if v == nil {
			m[k] = json.RawMessage("null")
		}
	}
}
