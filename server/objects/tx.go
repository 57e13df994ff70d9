package objects

import (
	"bytes"
	"context"
	"iter"
	"slices"
	"strings"
	"time"

	"drp/models"
	"drp/models/patch"
	"drp/server/store"
)

// Op is what a change does to an object.
type Op string

const (
	Create Op = "create"
	Update Op = "update" // asked for by a caller
	Save   Op = "save"   // stored for another reason: a side effect, a sub-resource, a re-check
	Delete Op = "delete"
)

// Change is one object's part in an atomic change, as Rules see it.
type Change struct {
	Op  Op
	Old models.Object // nil for a creation; never modify
	// New is nil for a deletion. A Rule may modify it, but shares the map of params with others:
	// to change one, it puts another map in its place.
	New models.Object
	// Derived is true when a Rule asked for it rather than the caller.
	Derived bool
}

// Object is the object concerned: the new one, or for a deletion the old one.
func (c *Change) Object() models.Object {
	if c.New != nil {
		return c.New
	}
	return c.Old
}

// Rule is behaviour that belongs to a kind. It runs inside the change, after the object was
// edited, normalised and found valid by itself: it may veto with an error, alter c.New, or
// derive further changes through tx. It must depend on nothing but tx and c, and have no
// effect outside: it runs again when other writers came first.
type Rule func(tx *Tx, c *Change) error

// Tx is the state that one atomic change sees and makes. It lives in one goroutine.
type Tx struct {
	Ctx   context.Context
	Actor Actor
	Force bool      // the caller asked to relax checks
	Now   time.Time // when the change is made, UTC
	Job   string    // the job whose script or runner asks, for history; or ""

	service *Service
	state   *View // what the change is computed from
	reads   []read
	scans   []string // kinds that were listed or searched
	order   []*write
	byKey   map[store.Key]*write // of order, once it is long
	undoes  string               // what the change takes back
	derived int                  // depth of Rules deriving changes
}

type write struct {
	key   store.Key
	op    Op
	old   *Entry      // nil: there was none
	entry *Entry      // nil: deleted
	part  models.Part // in which old and entry differ
	patch []byte
}

// read is an object that was looked at, and what was found.
type read struct {
	key   store.Key
	entry *Entry
}

// fewWrites are searched one by one.
const fewWrites = 16

// write is what is staged for an object; nil: nothing.
func (tx *Tx) write(k store.Key) *write {
	if len(tx.order) > fewWrites {
		if tx.byKey == nil {
			tx.byKey = make(map[store.Key]*write, 4*fewWrites)
			for _, w := range tx.order {
				tx.byKey[w.key] = w
			}
		}
		return tx.byKey[k]
	}
	for _, w := range tx.order {
		if w.key == k {
			return w
		}
	}
	return nil
}

func (tx *Tx) scan(kind string) {
	if !slices.Contains(tx.scans, kind) {
		tx.scans = append(tx.scans, kind)
	}
}

func (tx *Tx) Get(kind, key string) (*Entry, bool) {
	k := store.Key{Kind: kind, ID: key}
	if w := tx.write(k); w != nil {
		e := tx.shown(w)
		return e, e != nil
	}
	e, ok := tx.state.Get(kind, key)
	tx.reads = append(tx.reads, read{k, e})
	return e, ok
}

// shown is what a staged write leaves: behind a deleted object what comes with the server shows.
func (tx *Tx) shown(w *write) *Entry {
	if w.entry == nil {
		return tx.state.base(w.key.Kind, w.key.ID)
	}
	return w.entry
}

func (tx *Tx) Find(kind, id string) (*Entry, bool) {
	if e, ok := tx.state.Find(kind, id); ok {
		return tx.Get(kind, e.Object.Key())
	}
	tx.scan(kind)
	for _, w := range tx.order {
		if w.key.Kind == kind && w.entry != nil && w.old == nil && hasID(infoOf(tx.state, w.entry.Object), w.entry.Object, id) {
			return w.entry, true
		}
	}
	return nil, false
}

func (tx *Tx) All(kind string) iter.Seq[*Entry] {
	tx.scan(kind)
	return func(yield func(*Entry) bool) {
		for e := range tx.state.All(kind) {
			if w := tx.write(store.Key{Kind: kind, ID: e.Object.Key()}); w != nil {
				if e = tx.shown(w); e == nil {
					continue
				}
			}
			if !yield(e) {
				return
			}
		}
		for _, w := range tx.order {
			if _, old := tx.state.Get(kind, w.key.ID); w.key.Kind == kind && !old && w.entry != nil && !yield(w.entry) {
				return
			}
		}
	}
}

// Create adds an object. One that exists is a CREATE Conflict.
func (tx *Tx) Create(o models.Object) error { return tx.create(o, true) }

// Install puts an object of a content pack in place as it stands: ReadOnly and Bundle are
// kept. What has the key already is replaced; whether it may be, the caller has decided.
func (tx *Tx) Install(o models.Object) error {
	o.Normalize()
	old, ok := tx.Get(o.Kind(), o.Key())
	if !ok || tx.service.overridable(old) {
		return tx.create(o, false)
	}
	return tx.change(&Change{Op: Update, Old: old.Object, New: o}, old)
}

func (tx *Tx) create(o models.Object, writable bool) error {
	if writable {
		b := o.Base()
		b.ReadOnly, b.Bundle, b.Endpoint = false, "", ""
	}
	if g, ok := o.(models.Generator); ok {
		g.Generate()
	}
	o.Normalize()
	if o.Key() == "" {
		return models.Problem(models.Conflict, o.Kind(), "", "Empty key not allowed").Typed("CREATE")
	}
	old, exists := tx.Get(o.Kind(), o.Key())
	if exists && !tx.service.overridable(old) {
		return models.Problem(models.Conflict, o.Kind(), o.Key(), "already exists").Typed("CREATE")
	}
	return tx.change(&Change{Op: Create, New: o}, nil)
}

// Update replaces an object on behalf of the caller. What only the server sets is kept.
func (tx *Tx) Update(o models.Object) error { return tx.replace(Update, o) }

// Save replaces an object as a side effect of something else.
func (tx *Tx) Save(o models.Object) error { return tx.replace(Save, o) }

func (tx *Tx) replace(op Op, o models.Object) error {
	o.Normalize()
	old, ok := tx.Get(o.Kind(), o.Key())
	if !ok {
		return models.MissingError(o.Kind(), o.Key())
	}
	if old.Object.Base().ReadOnly {
		return readOnlyError(old.Object)
	}
	keepServerFields(o, old.Object)
	return tx.change(&Change{Op: op, Old: old.Object, New: o}, old)
}

// Delete removes an object.
func (tx *Tx) Delete(kind, key string) error {
	old, ok := tx.Get(kind, key)
	if !ok {
		return models.MissingError(kind, key)
	}
	if err := tx.change(&Change{Op: Delete, Old: old.Object}, old); err != nil {
		return err // that it is in use says more than that it is read-only
	}
	if old.Object.Base().ReadOnly {
		return readOnlyError(old.Object)
	}
	return nil
}

// Uninstall removes an object that came with a content pack.
func (tx *Tx) Uninstall(kind, key string) error {
	old, ok := tx.Get(kind, key)
	if !ok {
		return models.MissingError(kind, key)
	}
	return tx.change(&Change{Op: Delete, Old: old.Object}, old)
}

// Recheck stores an object again when its Rules now find it changed, for example available
// where it was not.
func (tx *Tx) Recheck(kind, key string) error {
	old, ok := tx.Get(kind, key)
	if !ok {
		return nil
	}
	return tx.change(&Change{Op: Save, Old: old.Object, New: old.Clone()}, old)
}

// Builtin tells whether an entry is what the server comes with, and not one of the store.
func (tx *Tx) Builtin(e *Entry) bool {
	return tx.state.base(e.Object.Kind(), e.Object.Key()) == e
}

// Rewrite stores another version of an object, which may be read-only, as a side effect of something
// else: the object means the same as before.
func (tx *Tx) Rewrite(o models.Object) error {
	old, ok := tx.Get(o.Kind(), o.Key())
	if !ok {
		return models.MissingError(o.Kind(), o.Key())
	}
	return tx.change(&Change{Op: Save, Old: old.Object, New: o}, old)
}

// maxDerived bounds how deep Rules may derive changes from changes.
const maxDerived = 32

// change runs one object through validation and Rules and stages the result.
func (tx *Tx) change(c *Change, old *Entry) error {
	if tx.derived++; tx.derived > maxDerived {
		return models.Problem(models.Internal, c.Object().Kind(), c.Object().Key(), "changes keep deriving changes")
	}
	defer func() { tx.derived-- }()
	c.Derived = tx.derived > 1
	if c.New != nil {
		if err := validate(tx.state, c.New); err != nil {
			return err
		}
		if err := tx.checkUnique(c); err != nil {
			return err
		}
		b := c.New.Base()
		b.Validated, b.Available, b.Errors = true, true, []string{}
	}
	// Staged before the Rules run, so that what they derive sees it; staged again after.
	w := tx.stage(c, old)
	for _, r := range tx.service.rulesOf(c.Object().Kind()) {
		if err := r(tx, c); err != nil {
			return err
		}
	}
	if err := tx.keepTenants(c); err != nil || c.New == nil {
		return err
	}
	c.New.Normalize()
	if w.entry != nil && w.entry.Object != c.New {
		return nil // a derived change of the same object came later and holds
	}
	return w.seal()
}

// stage puts the object into the change. The entry has no bytes before it is sealed.
func (tx *Tx) stage(c *Change, old *Entry) *write {
	o := c.Object()
	key := store.Key{Kind: o.Kind(), ID: o.Key()}
	w := tx.write(key)
	if w == nil {
		w = &write{key: key, op: c.Op, old: old}
		tx.order = append(tx.order, w)
		if tx.byKey != nil {
			tx.byKey[key] = w
		}
	} else if c.Op == Delete || w.entry == nil {
		w.op = c.Op
	}
	w.entry = nil
	if c.New != nil {
		w.entry = &Entry{Object: c.New}
	}
	return w
}

// seal fixes the bytes of a staged object.
func (w *write) seal() error {
	e, part, err := newEntry(w.entry.Object, w.old)
	if err != nil {
		return models.Problem(models.Invalid, w.key.Kind, w.key.ID, err.Error()).Typed("ValidationError")
	}
	if len(e.stored) > store.MaxRecord {
		return models.Problem(models.TooLarge, w.key.Kind, w.key.ID, "the object would be larger than 1 MiB")
	}
	*w.entry, w.part = *e, part
	return nil
}

// finish drops what changes nothing and writes the patches for history.
func (tx *Tx) finish() error {
	kept := tx.order[:0]
	for _, w := range tx.order {
		var was, is []byte
		if w.old != nil {
			was = w.old.stored
		}
		if w.entry != nil {
			is = w.entry.stored
		}
		if bytes.Equal(was, is) {
			tx.reads = append(tx.reads, read{w.key, w.old})
			continue
		}
		if w.old == nil && w.op != Delete {
			w.op = Create
		}
		if err := w.describe(was, is); err != nil { // nested too deep, or not UTF-8
			return models.Problem(models.Invalid, w.key.Kind, w.key.ID, err.Error()).Typed("ValidationError")
		}
		kept = append(kept, w)
	}
	tx.order, tx.byKey = kept, nil
	return nil
}

// describe writes the patch for history.
func (w *write) describe(was, is []byte) error {
	p, err := w.steps(was, is)
	if err != nil {
		return err
	}
	w.patch, err = p.AppendJSON(make([]byte, 0, 256))
	return err
}

// steps is the patch between two versions. It leads to the very bytes of the new one: in the value
// of a param the order of members and the digits of numbers are kept, which a comparison by
// meaning would pass over.
func (w *write) steps(was, is []byte) (patch.Patch, error) {
	if was == nil || is == nil {
		return patch.Diff(was, is, patch.Tests)
	}
	if w.old.older { // members come in where they belong, which no patch of members can say
		return patch.Patch{{Op: "test", Value: was}, {Op: "replace", Value: is}}, nil
	}
	values, err := w.part.Values(w.old.Object, w.entry.Object)
	if err != nil {
		return nil, err
	}
	p := make(patch.Patch, 0, 2*len(values))
	for _, v := range values {
		if p, err = patch.Append(p, patch.Pointer(v.Path...), v.Was, v.Is); err != nil {
			return nil, err
		}
	}
	if len(p) > patch.MaxOps {
		return patch.Patch{{Op: "test", Value: was}, {Op: "replace", Value: is}}, nil
	}
	return p, nil
}

// holds tells whether what the change was computed from is still so in the given state.
func (tx *Tx) holds(now *View) bool {
	if now == tx.state {
		return true
	}
	for _, r := range tx.reads {
		if cur, _ := now.Get(r.key.Kind, r.key.ID); cur != r.entry {
			return false
		}
	}
	for _, w := range tx.order {
		if cur, _ := now.Get(w.key.Kind, w.key.ID); cur != w.old {
			return false
		}
	}
	for _, kind := range tx.scans {
		if now.moved(kind) != tx.state.moved(kind) {
			return false
		}
	}
	return true
}

// conditions are the revisions of what the change was computed from and does not write itself:
// an engine that other servers write to as well must find them so.
func (tx *Tx) conditions() []store.Cond {
	var list []store.Cond
	for i, r := range tx.reads {
		again := slices.ContainsFunc(tx.reads[:min(i, 64)], func(q read) bool { return q.key == r.key })
		if again || tx.write(r.key) != nil {
			continue
		}
		c := store.Cond{Key: r.key} // 0: absent, or only what comes with the server
		if r.entry != nil {
			c.Rev = r.entry.Rev
		}
		list = append(list, c)
	}
	return list
}

func validate(v *View, o models.Object) error {
	msgs := problemsOf(o, func(kind string) bool { return v.custom[kind] != nil })
	if len(msgs) == 0 {
		return nil
	}
	for i := range msgs {
		msgs[i] = o.Key() + ": " + msgs[i]
	}
	return models.Invalidf(o, msgs...)
}

// checkUnique refuses a second object with the same unique value, such as a machine's name.
func (tx *Tx) checkUnique(c *Change) error {
	o := c.New
	k := infoOf(tx.state, o)
	for _, field := range k.Unique {
		value := k.Indexes()[field].Text(o)
		if c.Old != nil && k.Indexes()[field].Text(c.Old) == value {
			continue
		}
		if other, ok := tx.Find(o.Kind(), field+":"+value); ok && other.Object.Key() != o.Key() {
			e := models.Problem(models.Conflict, o.Kind(), o.Key(), "already exists").Typed("CREATE")
			if tx.Actor.Exists(other.Object) {
				e.Messages = append(e.Messages, field+" "+value+" is that of "+o.Kind()+"/"+other.Object.Key())
			}
			return e
		}
	}
	return nil
}

func hasID(k *models.KindInfo, o models.Object, id string) bool {
	if o.Key() == k.CanonicalKey(id) {
		return true
	}
	field, value, _ := strings.Cut(id, ":")
	if field == "Key" || field == k.KeyField {
		return o.Key() == k.CanonicalKey(value)
	}
	return slices.Contains(k.Unique, field) && k.Indexes()[field].Text(o) == value
}

// keepServerFields restores what a caller cannot set.
func keepServerFields(o, old models.Object) {
	b, was := o.Base(), old.Base()
	b.ReadOnly, b.Bundle, b.Endpoint = was.ReadOnly, was.Bundle, was.Endpoint
	if h, ok := o.(models.Hider); ok {
		h.Keep(old)
	}
}

// readOnlyError ends in the words of Digital Rebar, which names no object in the other members
// (api.md 9.3).
func readOnlyError(o models.Object) error {
	return models.Problem(models.Forbidden, "", "",
		o.Kind()+"/"+o.Key()+" comes from the content pack "+o.Base().Bundle+": readonly: "+o.Key())
}
