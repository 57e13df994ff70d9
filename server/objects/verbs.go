package objects

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"drp/models"
	"drp/models/patch"
)

// Get finds an object that the caller may see, by key or "Index:Value".
func (s *Service) Get(ctx context.Context, kind, id string) (*Entry, error) {
	e, ok := s.View().Find(kind, id)
	if !ok || !ActorOf(ctx).Visible(e.Object) {
		return nil, models.MissingError(kind, id)
	}
	return e, nil
}

// List yields the objects that the caller may see and the query selects, in its order, and how
// many there are regardless of limit and offset.
func (s *Service) List(ctx context.Context, kind string, q models.Query) ([]*Entry, int, error) {
	return s.ListIn(ctx, s.View(), kind, q)
}

// ListIn is List in another state, such as an earlier one.
func (s *Service) ListIn(ctx context.Context, v *View, kind string, q models.Query) ([]*Entry, int, error) {
	k, ok := v.KindOf(kind)
	if !ok {
		return nil, 0, models.MissingError(kind, "")
	}
	actor := ActorOf(ctx)
	all := actor.lists(kind)
	if all && !actor.Limited(kind) && len(q.Filters) == 0 && q.Sort == "" {
		return v.page(kind, q), v.Len(kind), nil
	}
	found := []*Entry{}
	for e := range v.All(kind) {
		if actor.sees(all, e.Object) && s.matches(v, e.Object, q.Filters) {
			found = append(found, e)
		}
	}
	found, n := s.arrange(v, k, found, q)
	return found, n, nil
}

// ListOf is List among objects that are not stored, in the order of their keys.
func (s *Service) ListOf(ctx context.Context, k *models.KindInfo, list []models.Object, q models.Query) ([]*Entry, int, error) {
	actor := ActorOf(ctx)
	all := actor.lists(k.Name)
	found := []*Entry{}
	for _, o := range list {
		if !actor.sees(all, o) || !s.matches(s.View(), o, q.Filters) {
			continue
		}
		e, err := transient(o)
		if err != nil {
			return nil, 0, err
		}
		found = append(found, e)
	}
	found, n := s.arrange(s.View(), k, found, q)
	return found, n, nil
}

// transient is the entry of an object that is not stored, and so has no revision.
func transient(o models.Object) (*Entry, error) {
	raw, err := models.Marshal(o)
	return &Entry{Object: o, Raw: raw, stored: raw}, err
}

// arrange orders what was found and cuts it to the page that is asked for; n counts all of it.
func (s *Service) arrange(r Reader, k *models.KindInfo, found []*Entry, q models.Query) (page []*Entry, n int) {
	if by, err := k.About(q.Sort); q.Sort != "" && err == nil {
		values := make(map[*Entry][]any, len(found))
		for _, e := range found {
			values[e] = by.Values(e.Object, s.effective(r, e.Object))
		}
		slices.SortStableFunc(found, func(a, b *Entry) int { return models.CompareValues(values[a], values[b]) })
	}
	if q.Reverse {
		slices.Reverse(found)
	}
	n = len(found)
	found = found[min(q.Offset, n):]
	if q.Limit >= 0 {
		found = found[:min(q.Limit, len(found))]
	}
	return found, n
}

func (s *Service) matches(r Reader, o models.Object, filters []models.Filter) bool {
	for i := range filters {
		if !filters[i].Match(o, s.effective(r, o)) {
			return false
		}
	}
	return true
}

// effective looks up the params of an object that filters and orders are about.
func (s *Service) effective(r Reader, o models.Object) func(name string) (json.RawMessage, bool) {
	return func(name string) (json.RawMessage, bool) { return s.EffectiveParam(r, o, name) }
}

// Create stores a new object. An invisible one of the same key is a Conflict all the same.
func (s *Service) Create(ctx context.Context, o models.Object, force bool) (*Entry, error) {
	return s.entry(ctx, force, func(tx *Tx) (string, string, error) {
		n := models.Copy(o)
		if !tx.Actor.May(n.Kind(), "create", "") {
			if err := tx.Actor.Require(n.Kind(), "create", AuthKey(n)); err != nil {
				return "", "", err
			}
		}
		err := tx.Create(n) // before the key is read: it may be generated
		return n.Kind(), n.Key(), err
	})
}

// Replace stores a whole object in the place of another.
func (s *Service) Replace(ctx context.Context, kind, id string, body []byte, force bool) (*Entry, error) {
	return s.entry(ctx, force, func(tx *Tx) (string, string, error) {
		e, err := tx.visible(kind, id)
		if err != nil {
			return "", "", err
		}
		o, err := decode(e, body)
		if err != nil {
			return "", "", cmp.Or(tx.mayUpdate(e.Object), err)
		}
		if err := tx.mayChange(e, o); err != nil {
			return "", "", err
		}
		return kind, o.Key(), tx.Update(o)
	})
}

// Patch applies an RFC 6902 patch to an object, all of it or nothing.
func (s *Service) Patch(ctx context.Context, kind, id string, p patch.Patch, force bool) (*Entry, error) {
	return s.entry(ctx, force, func(tx *Tx) (string, string, error) {
		e, err := tx.visible(kind, id)
		if err != nil {
			return "", "", err
		}
		o, err := patched(tx, e, p)
		if err != nil {
			return "", "", err
		}
		if err := tx.mayChange(e, o); err != nil {
			return "", "", err
		}
		return kind, o.Key(), tx.Update(o)
	})
}

// patched is the object after a patch; r tells what an error must not show.
func patched(r Reader, e *Entry, p patch.Patch) (models.Object, error) {
	if o, done, err := patchedPart(r, e, p); done {
		return o, err
	}
	raw, err := p.Apply(e.Raw)
	if err != nil {
		return nil, patchError(r, e.Object, p, err)
	}
	return decode(e, raw)
}

// patchedPart is patched at the cost of the members that the patch names. It is not done when it
// cannot tell, or when there is more to say than that a patch does not apply.
func patchedPart(r Reader, e *Entry, p patch.Patch) (o models.Object, done bool, err error) {
	if _, ok := e.Object.(models.Hider); ok {
		return nil, false, nil // a patch sees what the wire shows
	}
	part, ok, err := partOf(e.Object.Kind(), p)
	if !ok || err != nil {
		return nil, false, nil
	}
	doc, err := part.Marshal(e.Object)
	if err != nil {
		return nil, false, nil
	}
	if doc, err = p.Apply(doc); err != nil {
		var failed *patch.FailedError
		// What is missing is told with a look at what is there, of which a part is not all.
		return nil, errors.As(err, &failed) && !strings.HasPrefix(failed.Reason, "Selector "), patchError(r, e.Object, p, err)
	}
	o = models.CopyButParams(e.Object)
	if part.Set(o, doc) != nil {
		return nil, false, nil
	}
	if !part.Keyed() {
		o.Normalize()
	}
	return o, o.Key() == e.Object.Key(), nil
}

// Delete removes an object and returns it as it was.
func (s *Service) Delete(ctx context.Context, kind, id string) (*Entry, error) {
	var was *Entry
	_, err := s.Do(ctx, false, func(tx *Tx) error {
		e, err := tx.visible(kind, id)
		if err != nil {
			return err
		}
		if err := tx.Actor.Require(kind, "delete", AuthKey(e.Object)); err != nil {
			return err
		}
		was = e
		return tx.Delete(kind, e.Object.Key())
	})
	var r *Repeated
	if errors.As(err, &r) {
		return s.deleted(ctx, r)
	}
	return was, err
}

// entry carries out a change that ends in one object, and returns that object as it then is.
func (s *Service) entry(ctx context.Context, force bool, fn func(*Tx) (kind, key string, err error)) (*Entry, error) {
	var before, after *Entry
	_, err := s.Do(ctx, force, func(tx *Tx) error {
		kind, key, err := fn(tx)
		if err != nil {
			return err
		}
		before, _ = tx.state.Get(kind, key) // now: in the writer the state moves on
		after, _ = tx.Get(kind, key)
		return nil
	})
	if e, ok := s.again(err); ok {
		return e, nil
	}
	if err != nil {
		return nil, err
	}
	if after != nil && after.Rev == 0 && before != nil {
		return before, nil // nothing changed: the staged twin was dropped. A later version might fail the caller's tests.
	}
	return after, nil
}

// visible finds an object; one that the actor may not see is not there.
func (tx *Tx) visible(kind, id string) (*Entry, error) {
	e, ok := tx.Find(kind, id)
	if !ok || !tx.Actor.Visible(e.Object) {
		return nil, models.MissingError(kind, id)
	}
	return e, nil
}

// Visible finds an object by id; one that the actor may not see is Not Found.
func (tx *Tx) Visible(kind, id string) (*Entry, error) { return tx.visible(kind, id) }

func (tx *Tx) mayUpdate(o models.Object) error {
	return tx.Actor.Require(o.Kind(), "update", AuthKey(o))
}

// mayChange checks the claims for each member that would change, unless all may.
func (tx *Tx) mayChange(old *Entry, o models.Object) error {
	if tx.mayUpdate(old.Object) == nil {
		return nil
	}
	b, was := o.Base(), old.Object.Base() // what only the server sets is no change of the caller's
	b.Validated, b.Available, b.Errors = was.Validated, was.Available, was.Errors
	b.ReadOnly, b.Bundle, b.Endpoint = was.ReadOnly, was.Bundle, was.Endpoint
	now, _, err := newEntry(o, old)
	if err != nil {
		return err
	}
	return tx.MayChange(old.Object, old.Raw, now.Raw, "")
}

// MayChange checks that the actor may make every change between two versions of a part of an
// object; prefix is the JSON pointer of the part.
func (tx *Tx) MayChange(o models.Object, was, is []byte, prefix string) error {
	if tx.mayUpdate(o) == nil {
		return nil
	}
	p, err := patch.Diff(was, is, patch.Plain)
	if err != nil {
		return err
	}
	if len(p) == 0 && prefix == "" {
		return tx.mayUpdate(o)
	}
	for _, ptr := range patch.Pointers(p) {
		if tx.mayArrange(o, prefix+ptr) {
			continue
		}
		if err := tx.Actor.Require(o.Kind(), "update:"+prefix+ptr, AuthKey(o)); err != nil {
			return err
		}
	}
	return nil
}

// mayArrange tells whether a change is one of a machine's task list by somebody who may do just that.
func (tx *Tx) mayArrange(o models.Object, ptr string) bool {
	list := ptr == "/Tasks" || strings.HasPrefix(ptr, "/Tasks/") || ptr == "/CurrentTask"
	return o.Kind() == "machines" && list && tx.Actor.May("machines", "updateTaskList", AuthKey(o))
}

// decode reads a new version of an object; its key cannot change. A machine's body without the
// key is laid over the machine as it is: scripts set a workflow so.
func decode(e *Entry, raw []byte) (models.Object, error) {
	old := e.Object
	if strings.TrimSpace(string(raw)) == "null" {
		return nil, models.Problem(models.BadRequest, old.Kind(), old.Key(), "the body is null, not an object")
	}
	o, err := models.Unmarshal(old.Kind(), raw)
	if err == nil && o.Key() == "" && old.Kind() == "machines" {
		o = e.Clone()
		err = json.Unmarshal(raw, o)
	}
	if err != nil {
		return nil, DecodeError(old.Kind(), old.Key(), err)
	}
	if o.Key() != old.Key() {
		return nil, models.Invalidf(old, "the key cannot change from "+old.Key()+" to "+o.Key())
	}
	return o, nil
}

// DecodeError is what a body that does not decode answers with: BadRequest when it is no JSON,
// Invalid when a member has the wrong type.
func DecodeError(kind, key string, err error) error {
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) {
		return models.Problem(models.Invalid, kind, key, err.Error()).Typed("ValidationError")
	}
	return models.Problem(models.BadRequest, kind, key, err.Error())
}

// patchError is the Conflict that a failed patch of an object answers with.
func patchError(r Reader, o models.Object, p patch.Patch, err error) error {
	p, err = conceal(r, p, ""), concealFailure(r, err, "")
	var f *patch.FailedError
	if !errors.As(err, &f) {
		return models.Problem(models.BadRequest, o.Kind(), o.Key(), err.Error())
	}
	text, _ := json.MarshalIndent(p, "", "  ")
	e := models.Problem(models.Conflict, o.Kind(), o.Key(), f.Error(), "Patch: "+string(text))
	if f.Op.Op == "test" { // else the first message names the path
		e.Messages = append(e.Messages, f.Detail())
	}
	return e
}
