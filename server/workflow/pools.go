package workflow

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"drp/models"
	"drp/server/objects"
)

// Pools moves machines between pools, and into and out of use in them.
type Pools struct{ objects *objects.Service }

// NewPools makes it.
func NewPools(s *objects.Service) *Pools { return &Pools{s} }

// verb is one way to move machines.
type verb struct {
	from  string // the status of those that can be moved
	field string // of a machine that it is about, for claims
	start func(t passage, v *Move, r *models.PoolRequest) error
}

var verbs = map[string]verb{
	"addMachines":      {models.PoolFree, "/Pool", passage.add},
	"removeMachines":   {models.PoolFree, "/Pool", passage.remove},
	"allocateMachines": {models.PoolFree, "/PoolStatus", passage.allocate},
	"releaseMachines":  {models.PoolInUse, "/PoolStatus", passage.release},
}

// PoolVerbs are the ways to move machines, by the names they have on the wire.
func PoolVerbs() []string {
	return []string{"addMachines", "removeMachines", "allocateMachines", "releaseMachines"}
}

// Move is what is asked of a pool.
type Move struct {
	Verb   string
	Pool   string
	Source string // of machines that are added; "": the parent of the pool
	Force  bool   // whatever the status of the machines
}

// Run moves the machines that the request selects, in one atomic change, or none if fewer than its
// minimum can be moved: of two who ask at the same time, no two get the same machine. When there
// are too few it waits until limit ends for others to come, and then until then for the workflows of
// those that it has moved to end; a limit that has ended already means not to wait. That the caller
// may change the machines is looked after here; that it may use the pool, by who calls.
func (p *Pools) Run(ctx, limit context.Context, mv Move, r *models.PoolRequest) ([]models.PoolResult, error) {
	if lines := r.Validate(); len(lines) > 0 {
		return nil, models.Problem(models.Invalid, "pools", mv.Pool, lines...).Typed("ValidationError")
	}
	filters, err := filtersOf(mv.Pool, r.Filter)
	if err != nil {
		return nil, err
	}
	for {
		moved, err := p.try(ctx, &mv, r, filters)
		var few *tooFew
		if !errors.As(err, &few) {
			if err == nil {
				err = p.settle(limit, moved)
			}
			return p.results(moved), err
		}
		if limit.Err() != nil {
			return nil, few.problem
		}
		switch o, err := p.objects.Wait(limit, &models.Wait{For: few.enough}); {
		case err != nil:
			return nil, err
		case o.Result == models.WaitTimeout:
			return nil, few.problem
		case o.Result != models.WaitHolds:
			return nil, objects.ErrStopping
		}
	}
}

// settle waits until none of the machines is on its way any more, or limit ends.
func (p *Pools) settle(limit context.Context, uuids []string) error {
	if len(uuids) == 0 || limit.Err() != nil {
		return nil
	}
	q := url.Values{"Uuid": {list("In", uuids)}, "PoolStatus": {list("In", []string{models.PoolJoining, models.PoolBuilding, models.PoolDestroying, models.PoolLeaving})}}
	_, err := p.objects.Wait(limit, &models.Wait{For: models.Predicate{Kind: "machines", Filter: q.Encode(), AtMost: new(int)}})
	return err
}

// results is how the machines are now; those that are gone meanwhile are left out.
func (p *Pools) results(uuids []string) []models.PoolResult {
	v, l := p.objects.View(), []models.PoolResult{}
	for _, id := range uuids {
		if m, ok := objects.Get[*models.Machine](v, id); ok {
			l = append(l, resultOf(m))
		}
	}
	return l
}

func resultOf(m *models.Machine) models.PoolResult {
	return models.PoolResult{Name: m.Name, Uuid: m.Uuid, Allocated: m.PoolAllocated, Status: m.PoolStatus}
}

// filtersOf reads filters as they are given on a command line.
func filtersOf(pool string, texts []string) (url.Values, error) {
	values := url.Values{}
	for _, t := range texts {
		name, value, ok := strings.Cut(t, "=")
		if !ok || name == "" {
			return nil, models.Problem(models.Invalid, "pools", pool, "pool/filter: "+t+" is not of the form NAME=VALUE or NAME=FN(VALUE)").Typed("ValidationError")
		}
		values.Add(name, value)
	}
	return values, nil
}

func list(op string, values []string) string { return op + "(" + strings.Join(values, ",") + ")" }

// tooFew says that there are not enough machines, and what to wait for.
type tooFew struct {
	problem error
	enough  models.Predicate
}

func (*tooFew) Error() string { return "too few machines" }

// try moves machines if there are enough.
func (p *Pools) try(ctx context.Context, mv *Move, r *models.PoolRequest, filters url.Values) (moved []string, err error) {
	_, err = p.objects.Do(objects.AsServer(ctx), false, func(tx *objects.Tx) error {
		moved = nil
		s, err := p.selection(tx, mv, r, filters)
		if err != nil {
			return err
		}
		chosen, err := s.choose()
		if err != nil {
			return err
		}
		for _, e := range chosen {
			if err := mv.start(tx, e, r); err != nil {
				return err
			}
			moved = append(moved, e.Object.Key())
		}
		return nil
	})
	return moved, err
}

// start moves one machine.
func (mv *Move) start(tx *objects.Tx, e *objects.Entry, r *models.PoolRequest) error {
	for _, ptr := range append([]string{verbs[mv.Verb].field}, touched(r)...) {
		if err := tx.Actor.Require("machines", "update:"+ptr, e.Object.Key()); err != nil {
			return err
		}
	}
	m := e.Clone().(*models.Machine)
	for _, key := range []string{nextPool, nextWorkflow, poolProblem} { // of a move that is cut short
		delete(m.Meta, key)
	}
	if err := verbs[mv.Verb].start(passage{tx: tx, old: e.Object.(*models.Machine), m: m}, mv, r); err != nil {
		return err
	}
	return tx.Update(m)
}

// touched are the JSON pointers of what a request itself changes of a machine.
func touched(r *models.PoolRequest) (l []string) {
	if r.Workflow != "" {
		l = append(l, "/Workflow")
	}
	if len(r.AddProfiles)+len(r.RemoveProfiles) > 0 {
		l = append(l, "/Profiles")
	}
	escape := strings.NewReplacer("~", "~0", "/", "~1")
	for k := range r.AddParameters {
		l = append(l, "/Params/"+escape.Replace(k))
	}
	for _, k := range r.RemoveParameters {
		l = append(l, "/Params/"+escape.Replace(k))
	}
	return l
}

// add takes the machine out of its pool and then into another. What the request adds and removes
// is done at once, its workflow is run on entry.
func (t passage) add(mv *Move, r *models.PoolRequest) error {
	now := r.Actions()
	now.Workflow = ""
	return t.leave(mv.Pool, r.Workflow, now)
}

// remove takes the machine out of its pool and then into the parent of that. The workflow of the
// request is run before it leaves.
func (t passage) remove(mv *Move, r *models.PoolRequest) error {
	return t.leave(parentOf(t.tx, mv.Pool), "", r.Actions())
}

func (t passage) leave(to, workflow string, also *models.PoolActions) error {
	t.m.Meta[nextPool] = to
	if workflow != "" {
		t.m.Meta[nextWorkflow] = workflow
	}
	return t.begin(models.PoolLeaving, poolOf(t.tx, t.m.Pool).ExitActions, also)
}

func (t passage) allocate(mv *Move, r *models.PoolRequest) error {
	return t.begin(models.PoolBuilding, poolOf(t.tx, mv.Pool).AllocateActions, r.Actions())
}

func (t passage) release(mv *Move, r *models.PoolRequest) error {
	return t.begin(models.PoolDestroying, poolOf(t.tx, mv.Pool).ReleaseActions, r.Actions())
}

// selection is which machines a request is about.
type selection struct {
	*Pools
	tx      *objects.Tx
	mv      *Move
	r       *models.PoolRequest
	pool    string     // they are in
	filters url.Values // and match
	query   models.Query
	count   int // at most; -1: all
	minimum int
}

func (p *Pools) selection(tx *objects.Tx, mv *Move, r *models.PoolRequest, filters url.Values) (*selection, error) {
	s := &selection{Pools: p, tx: tx, mv: mv, r: r, pool: mv.Pool, filters: url.Values{}, count: -1, minimum: r.Minimum}
	if mv.Verb == "addMachines" {
		if s.pool = mv.Source; s.pool == "" {
			s.pool = parentOf(tx, mv.Pool)
		}
		if s.pool == mv.Pool {
			return nil, models.Problem(models.Invalid, "pools", mv.Pool, "machines cannot be added to the pool that they are in; name another with source-pool").Typed("ValidationError")
		}
	}
	if mv.Verb == "removeMachines" && parentOf(tx, mv.Pool) == mv.Pool {
		return nil, models.Problem(models.Invalid, "pools", mv.Pool, "machines cannot be removed from the pool "+mv.Pool+", which is the root of all; add them to another").Typed("ValidationError")
	}
	for name, v := range filters {
		s.filters[name] = slices.Clone(v)
	}
	s.filters.Add("Pool", "Eq("+s.pool+")")
	s.filters.Add("Locked", "Eq(false)")
	if !mv.Force {
		s.filters.Add("PoolStatus", "Eq("+verbs[mv.Verb].from+")")
	}
	switch {
	case len(r.List) > 0:
		if s.minimum == 0 {
			s.minimum = len(r.List)
		}
	case !r.All:
		s.count = max(r.Count, 1)
		if s.minimum == 0 {
			s.minimum = s.count
		}
		fallthrough
	default:
		if !mv.Force { // one that is named may be mended by what is done to it
			s.filters.Add("Available", "Eq(true)")
		}
	}
	k, _ := models.KindOf("machines")
	q, err := models.ParseQuery(k, s.filters)
	if err != nil {
		return nil, models.Problem(models.NotAcceptable, "pools", mv.Pool, "pool/filter: "+strings.Join(messagesOf(err), "; "))
	}
	n := 0
	for _, v := range s.filters {
		n += len(v)
	}
	if len(q.Filters) != n {
		return nil, models.Problem(models.NotAcceptable, "pools", mv.Pool, "pool/filter: only filters have a meaning here")
	}
	s.query = q
	return s, nil
}

func messagesOf(err error) []string {
	var e *models.Error
	if errors.As(err, &e) {
		return e.Messages
	}
	return []string{err.Error()}
}

// choose finds the machines to be moved; too few is a *tooFew.
func (s *selection) choose() ([]*objects.Entry, error) {
	if len(s.r.List) > 0 {
		return s.named()
	}
	var found []*objects.Entry
	for e := range s.tx.All("machines") {
		if s.count >= 0 && len(found) == s.count {
			break
		}
		if s.tx.Actor.Visible(e.Object) && s.matches(e.Object) == nil {
			found = append(found, e)
		}
	}
	if len(found) < s.minimum {
		return nil, s.few(nil, fmt.Sprintf("%d machines of the pool %s are needed, and %d can be moved: those that are %s, available, not locked, and match the filters",
			s.minimum, s.pool, len(found), verbs[s.mv.Verb].from))
	}
	return found, nil
}

// named finds the machines that the request lists.
func (s *selection) named() ([]*objects.Entry, error) {
	var found []*objects.Entry
	var uuids, reasons []string
	for _, id := range s.r.List {
		e, err := s.tx.Visible("machines", id)
		if err != nil {
			return nil, models.Problem(models.Invalid, "pools", s.mv.Pool, "Machine "+id+" does not exist").Typed("ValidationError")
		}
		m := e.Object.(*models.Machine)
		if slices.Contains(uuids, m.Uuid) {
			return nil, models.Problem(models.Invalid, "pools", s.mv.Pool, "Machine "+id+" is listed twice").Typed("ValidationError")
		}
		uuids = append(uuids, m.Uuid)
		if f := s.matches(m); f != nil {
			reasons = append(reasons, s.reason(m, f))
			continue
		}
		found = append(found, e)
	}
	if len(found) < s.minimum {
		return nil, s.few(uuids, reasons...)
	}
	return found, nil
}

// matches is nil for a machine that can be moved, or else the filter that it does not match.
func (s *selection) matches(o models.Object) *models.Filter {
	for i := range s.query.Filters {
		f := &s.query.Filters[i]
		if !f.Match(o, func(name string) (json.RawMessage, bool) { return s.objects.EffectiveParam(s.tx, o, name) }) {
			return f
		}
	}
	return nil
}

func (s *selection) reason(m *models.Machine, f *models.Filter) string {
	what := "Machine " + m.Name
	switch f.Name {
	case "Pool":
		return what + " is in the pool " + m.Pool + ", not in " + s.pool
	case "PoolStatus":
		return what + " is " + m.PoolStatus + ", not " + verbs[s.mv.Verb].from
	case "Locked":
		return what + " is Locked"
	}
	return what + " does not match the filter on " + f.Name
}

// few is the error that there are not enough machines, of some when uuids are given.
func (s *selection) few(uuids []string, reasons ...string) error {
	q := url.Values{}
	for name, v := range s.filters {
		q[name] = slices.Clone(v)
	}
	if len(uuids) > 0 {
		q.Add("Uuid", list("In", uuids))
	}
	return &tooFew{
		models.Problem(models.Conflict, "pools", s.mv.Pool, reasons...),
		models.Predicate{Kind: "machines", Filter: q.Encode(), AtLeast: &s.minimum},
	}
}

// Status is the machines of a pool that the caller may see, by their status.
func (p *Pools) Status(ctx context.Context, pool string) (map[string][]models.PoolResult, error) {
	actor := objects.ActorOf(ctx)
	if !actor.Visible(&models.Pool{Id: pool}) {
		return nil, models.MissingError("pools", pool)
	}
	found := map[string][]models.PoolResult{}
	for m := range objects.All[*models.Machine](p.objects.View()) {
		if m.Pool == pool && actor.Visible(m) {
			found[m.PoolStatus] = append(found[m.PoolStatus], resultOf(m))
		}
	}
	return found, nil
}

// Active is the pools that have machines, as far as the caller may see both.
func (p *Pools) Active(ctx context.Context) []string {
	actor, names := objects.ActorOf(ctx), []string{}
	for m := range objects.All[*models.Machine](p.objects.View()) {
		if !slices.Contains(names, m.Pool) && actor.Visible(&models.Pool{Id: m.Pool}) && actor.Visible(m) {
			names = append(names, m.Pool)
		}
	}
	slices.Sort(names)
	return names
}
