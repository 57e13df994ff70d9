package objects

import (
	"iter"
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
}

// Clone copies the object deeply, hidden fields included.
func (e *Entry) Clone() models.Object {
	if e.stored == nil { // staged, not sealed yet
		return models.Clone(e.Object)
	}
	o, err := models.Unmarshal(e.Object.Kind(), e.stored)
	if err != nil {
		panic("objects: stored " + e.Object.Kind() + "/" + e.Object.Key() + ": " + err.Error())
	}
	return o
}

func newEntry(o models.Object) (*Entry, error) {
	stored, err := models.Marshal(o)
	if err != nil {
		return nil, err
	}
	e := &Entry{Object: o, Raw: stored, stored: stored}
	if _, ok := o.(models.Hider); ok {
		shown := e.Clone().(models.Hider)
		shown.Hide()
		if e.Raw, err = models.Marshal(shown); err != nil {
			return nil, err
		}
	}
	return e, nil
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

// View is the state of all objects at one revision. It never changes.
type View struct {
	Rev   uint64
	kinds map[string]*table
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
	v := &View{kinds: map[string]*table{}}
	for _, k := range models.Kinds {
		t := &table{unique: map[string]*btree.Map[string, string]{}, base: map[string]*Entry{}}
		for _, u := range k.Unique {
			t.unique[u] = &btree.Map[string, string]{}
		}
		v.kinds[k.Name] = t
	}
	return v
}

// copy makes a view that can be moved forward; it costs the same however many objects there are.
func (v *View) copy() *View {
	c := &View{Rev: v.Rev, kinds: make(map[string]*table, len(v.kinds))}
	for name, t := range v.kinds {
		n := &table{byKey: *t.byKey.Copy(), unique: map[string]*btree.Map[string, string]{}, base: t.base, moved: t.moved}
		for u, m := range t.unique {
			n.unique[u] = m.Copy()
		}
		c.kinds[name] = n
	}
	return c
}

// put lays an entry into the view; a nil entry removes the object, and what the server brings
// under that key shows again.
func (v *View) put(kind, key string, e *Entry) {
	t := v.kinds[kind]
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
	t, ok := v.kinds[kind]
	if !ok {
		return nil, false
	}
	return t.byKey.Get(key)
}

func (v *View) Find(kind, id string) (*Entry, bool) {
	k, ok := models.KindOf(kind)
	if !ok {
		return nil, false
	}
	if e, ok := v.Get(kind, canonicalKey(k, id)); ok {
		return e, true
	}
	field, value, ok := strings.Cut(id, ":")
	if !ok {
		return nil, false
	}
	if field == "Key" || field == k.KeyField {
		return v.Get(kind, canonicalKey(k, value))
	}
	if m, ok := v.kinds[kind].unique[field]; ok {
		if key, ok := m.Get(value); ok {
			return v.Get(kind, key)
		}
	}
	return nil, false
}

// canonicalKey: UUIDs are known in lower case whatever case they are asked for in.
func canonicalKey(k *models.KindInfo, id string) string {
	if k.Types[k.KeyField] == models.IndexUUID {
		return strings.ToLower(id)
	}
	return id
}

func (v *View) All(kind string) iter.Seq[*Entry] {
	return func(yield func(*Entry) bool) {
		t, ok := v.kinds[kind]
		if !ok {
			return
		}
		t.byKey.Scan(func(_ string, e *Entry) bool { return yield(e) })
	}
}

// Len is the number of objects of a kind.
func (v *View) Len(kind string) int {
	if t, ok := v.kinds[kind]; ok {
		return t.byKey.Len()
	}
	return 0
}
