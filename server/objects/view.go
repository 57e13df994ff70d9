package objects

import (
	"bytes"
	"iter"
	"slices"
	"strings"

	"drp/models"

	"github.com/tidwall/btree"
)

// Entry is one version of one object. It never changes: to alter the object, Clone it.
type Entry struct {
	Object models.Object
	Raw    []byte // canonical JSON as the wire shows it
	Rev    uint64 // revision that wrote it; 0 for an object that comes with the server
	stored []byte // canonical JSON as the store keeps it; shares Raw where nothing is hidden
	// older: stored is in the form of an earlier version of drp, which lacks members that the kind
	// has got since. Raw has them.
	older bool
}

// Clone copies the object, hidden fields included.
func (e *Entry) Clone() models.Object { return models.Copy(e.Object) }

// newEntry is the entry of an object that takes the place of old (nil: of none), and the part in
// which the two differ. What they have in common is not encoded again.
func newEntry(o models.Object, old *Entry) (*Entry, models.Part, error) {
	stored, part, err := encode(o, old)
	if err != nil {
		return nil, part, err
	}
	if old != nil && part.Empty() {
		return &Entry{Object: o, Raw: old.Raw, stored: stored, older: old.older}, part, nil
	}
	e := &Entry{Object: o, Raw: stored, stored: stored}
	return e, part, e.hide()
}

// encode is the canonical JSON of an object.
func encode(o models.Object, old *Entry) (raw []byte, part models.Part, err error) {
	if old != nil {
		if part = models.Changed(old.Object, o); part.Empty() {
			return old.stored, part, nil
		}
		if raw, err := part.Splice(old.stored, o); err == nil && !old.older {
			models.Settle(o, raw)
			return raw, part, nil
		}
	}
	if raw, err = models.Marshal(o); err == nil {
		models.Settle(o, raw)
	}
	return raw, part, err
}

// readEntry is the entry of an object as the store keeps it.
func readEntry(kind string, raw []byte, rev uint64) (*Entry, error) {
	if o, ok := models.Read(kind, raw); ok && !bytes.Contains(raw, partial) {
		o.Normalize()
		e := &Entry{Object: o, Raw: raw, Rev: rev, stored: raw}
		return e, e.hide()
	}
	o, err := models.Unmarshal(kind, raw)
	if err != nil {
		return nil, err
	}
	e, _, err := newEntry(o, nil)
	if err == nil {
		// History leads to and from the very bytes that are stored.
		e.Rev, e.older, e.stored = rev, !bytes.Equal(e.stored, raw), raw
	}
	return e, err
}

// partial was stored by earlier versions when a caller sent it.
var partial = []byte(`"Partial":true`)

// hide makes Raw what the wire shows.
func (e *Entry) hide() (err error) {
	if _, ok := e.Object.(models.Hider); ok {
		shown := e.Clone().(models.Hider)
		shown.Hide()
		e.Raw, err = models.Marshal(shown)
	}
	return err
}

// Reader is a consistent state of all objects.
type Reader interface {
	// Get finds an object by its key.
	Get(kind, key string) (*Entry, bool)
	// Find finds an object by what stands in a URL: its key, "Key:K", or "Index:Value" for any
	// unique index.
	Find(kind, id string) (*Entry, bool)
	// All yields the objects of a kind in the order of their keys.
	All(kind string) iter.Seq[*Entry]
}

// Get finds an object by key and type.
func Get[T models.Object](r Reader, key string) (T, bool) {
	var zero T
	e, ok := r.Get(zero.Kind(), key)
	if !ok {
		return zero, false
	}
	return e.Object.(T), true
}

// All yields the objects of a type in the order of their keys. They must not be modified.
func All[T models.Object](r Reader) iter.Seq[T] {
	var zero T
	return func(yield func(T) bool) {
		for e := range r.All(zero.Kind()) {
			if !yield(e.Object.(T)) {
				return
			}
		}
	}
}

// View is the state of all objects at one revision. It never changes, but for the one that the
// writer is at work on.
type View struct {
	Rev   uint64
	kinds tables
	own   map[string]bool // tables that no other view has; nil: none

	custom map[string]*models.KindInfo // that plugin providers define; never changed in place
}

// table is the objects of one kind: those of the store laid over those that come with the
// server.
type table struct {
	byKey  btree.Map[string, *Entry]
	unique map[string]*btree.Map[string, string] // unique field -> value -> key
	base   map[string]*Entry
	moved  uint64 // counts the changes to the kind
}

func newView() *View {
	v := &View{own: map[string]bool{}}
	for _, k := range models.Kinds {
		t := newTable()
		for _, u := range k.Unique {
			t.unique[u] = &btree.Map[string, string]{}
		}
		v.kinds.set(k.Name, t)
		v.own[k.Name] = true
	}
	return v
}

// next makes a view that can be moved forward; it costs the same however many objects there are.
func (v *View) next() *View {
	return &View{Rev: v.Rev, kinds: slices.Clone(v.kinds), own: map[string]bool{}, custom: v.custom}
}

// table is that of a kind for the writer to change.
func (v *View) table(kind string) *table {
	t, ok := v.kinds.of(kind)
	if v.own[kind] {
		return t
	}
	if !ok { // the first of a kind that a plugin provider defines
		t = newTable()
	}
	n := t.copy()
	v.kinds.set(kind, n)
	v.own[kind] = true
	return n
}

func (t *table) copy() *table {
	n := &table{byKey: *t.byKey.Copy(), unique: make(map[string]*btree.Map[string, string], len(t.unique)), base: t.base, moved: t.moved}
	for u, m := range t.unique {
		n.unique[u] = m.Copy()
	}
	return n
}

// publish is the view as others may see it. The tables that were changed are copied once more:
// their trees are marked as shared when the next view is made from them, and readers must not be
// looking on then.
func (v *View) publish(before *View) *View {
	p := &View{Rev: v.Rev, kinds: slices.Clone(before.kinds), custom: v.custom}
	for kind := range v.own {
		t, _ := v.kinds.of(kind)
		p.kinds.set(kind, t.copy())
	}
	return p
}

// put lays an entry into the view; a nil entry removes the object, and what the server brings
// under that key shows again.
func (v *View) put(kind, key string, e *Entry) {
	v.lay(kind, key, e)
	if kind == "plugin_providers" {
		v.custom = v.defined()
	}
}

func (v *View) lay(kind, key string, e *Entry) {
	t := v.table(kind)
	t.moved++
	if old, ok := t.byKey.Get(key); ok {
		t.unindex(old)
	}
	if e == nil {
		e = t.base[key]
	}
	if e == nil {
		t.byKey.Delete(key)
		return
	}
	t.byKey.Set(key, e)
	for field, m := range t.unique {
		m.Set(uniqueValue(e.Object, field), key)
	}
}

func (t *table) unindex(e *Entry) {
	for field, m := range t.unique {
		if k, _ := m.Get(uniqueValue(e.Object, field)); k == e.Object.Key() {
			m.Delete(uniqueValue(e.Object, field))
		}
	}
}

func uniqueValue(o models.Object, field string) string {
	k, _ := models.KindOf(o.Kind())
	return k.Indexes()[field].Text(o)
}

func (v *View) Get(kind, key string) (*Entry, bool) {
	t, ok := v.kinds.of(kind)
	if !ok {
		return nil, false
	}
	return t.byKey.Get(key)
}

func (v *View) Find(kind, id string) (*Entry, bool) {
	k, ok := v.KindOf(kind)
	if !ok {
		return nil, false
	}
	if e, ok := v.Get(kind, k.CanonicalKey(id)); ok {
		return e, true
	}
	field, value, ok := strings.Cut(id, ":")
	if !ok {
		return nil, false
	}
	if field == "Key" || field == k.KeyField {
		return v.Get(kind, k.CanonicalKey(value))
	}
	t, ok := v.kinds.of(kind)
	if !ok {
		return nil, false
	}
	if m, ok := t.unique[field]; ok {
		if key, ok := m.Get(value); ok {
			return v.Get(kind, key)
		}
	}
	return nil, false
}

func (v *View) All(kind string) iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		t, ok := v.kinds.of(kind)
		if !ok {
			return
		}
		t.byKey.Scan(func(_ string, e *Entry) bool { return yield(e) })
	}
}

// page is what a query selects that has no filters and asks for no other order.
func (v *View) page(kind string, q models.Query) []*Entry {
	t, ok := v.kinds.of(kind)
	if !ok {
		return []*Entry{}
	}
	n := t.byKey.Len()
	from := min(q.Offset, n)
	to := n
	if q.Limit >= 0 {
		to = from + min(q.Limit, n-from)
	}
	found := make([]*Entry, 0, to-from)
	for i := from; i < to; i++ {
		at := i
		if q.Reverse {
			at = n - 1 - i
		}
		_, e, _ := t.byKey.GetAt(at)
		found = append(found, e)
	}
	return found
}

// Len is the number of objects of a kind.
func (v *View) Len(kind string) int {
	if t, ok := v.kinds.of(kind); ok {
		return t.byKey.Len()
	}
	return 0
}
