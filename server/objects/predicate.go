package objects

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"drp/models"
	"drp/models/patch"
	"drp/server/store"

	"github.com/tidwall/btree"
)

// A judge evaluates one predicate. Its methods are called by one goroutine at a time.
type judge interface {
	// topic is what the predicate depends on from the start: an object, or with no ID a kind.
	topic() store.Key
	// look evaluates the predicate in the state that r shows. Moved are the objects of the topic,
	// or read before, that may have changed since it last looked; the first time there are none.
	look(r *recorder, moved []store.Key) *verdict
}

// verdict is what a judge found. It never changes.
type verdict struct {
	rev     uint64
	holds   bool
	single  bool   // the predicate is about one object,
	entry   *Entry // this one; nil: there is none
	count   *int
	of      *int
	keys    []string
	missing []models.Missing
	short   string // what the count is, in words; "" when it is as wanted
	err     error  // the predicate could not be evaluated
}

// recorder is a view that takes down what was read of it.
type recorder struct {
	*View
	known map[store.Key]struct{} // read before
	fresh []store.Key            // read now for the first time; without an ID the whole kind
}

func (r *recorder) note(k store.Key) {
	if _, ok := r.known[k]; !ok {
		r.known[k] = struct{}{}
		r.fresh = append(r.fresh, k)
	}
}

func (r *recorder) Get(kind, key string) (*Entry, bool) {
	r.note(store.Key{Kind: kind, ID: key})
	return r.View.Get(kind, key)
}

func (r *recorder) Find(kind, id string) (*Entry, bool) {
	r.note(store.Key{Kind: kind})
	return r.View.Find(kind, id)
}

func (r *recorder) All(kind string) iter.Seq[*Entry] {
	r.note(store.Key{Kind: kind})
	return r.View.All(kind)
}

// bounds are how many there are to be.
type bounds struct{ least, most, exactly *int }

func (b bounds) hold(n int) bool {
	return (b.least == nil || n >= *b.least) && (b.most == nil || n <= *b.most) && (b.exactly == nil || n == *b.exactly)
}

func (b bounds) String() string {
	var l []string
	for _, x := range []struct {
		word string
		n    *int
	}{{"at least", b.least}, {"at most", b.most}, {"exactly", b.exactly}} {
		if x.n != nil {
			l = append(l, fmt.Sprint(x.word, " ", *x.n))
		}
	}
	return strings.Join(l, " and ")
}

// judgeOf compiles a predicate for a caller. What makes no sense is an error that says so.
func (s *Service) judgeOf(p *models.Predicate, actor Actor) (judge, error) {
	k, ok := s.View().KindOf(p.Kind)
	if !ok || k.Internal || p.Kind == "preferences" { // those have no routes either
		return nil, models.Problem(models.NotFound, p.Kind, "", "no such kind of object")
	}
	b := bounds{p.AtLeast, p.AtMost, p.Exactly}
	for _, n := range []*int{b.least, b.most, b.exactly} {
		if n != nil && *n < 0 {
			return nil, senseless(p, "a count cannot be negative")
		}
	}
	if b == (bounds{}) || p.All && b.least == nil && b.exactly == nil {
		b.least = new(1)
	}
	filters, err := filtersOf(k, p.Filter)
	if err != nil {
		return nil, err
	}
	if p.Key != "" {
		return s.objectJudge(k, p, b, filters, actor)
	}
	return s.listJudge(k, p, b, filters, actor)
}

// senseless is a predicate that cannot be meant.
func senseless(p *models.Predicate, format string, args ...any) error {
	return models.Problem(models.BadRequest, p.Kind, p.Key, fmt.Sprintf(format, args...))
}

// filtersOf reads filters as a list request has them.
func filtersOf(k *models.KindInfo, text string) ([]models.Filter, error) {
	values, err := url.ParseQuery(text)
	if err != nil {
		return nil, models.Problem(models.NotAcceptable, k.Name, "", "the filter is no query: "+err.Error())
	}
	q, err := models.ParseQuery(k, values)
	if err != nil {
		return nil, err
	}
	n := 0
	for _, v := range values {
		n += len(v)
	}
	if len(q.Filters) != n {
		return nil, models.Problem(models.NotAcceptable, k.Name, "", "only filters have a meaning in a wait, not how a list is shown: "+text)
	}
	return q.Filters, nil
}

// objectJudge judges one object.
type objectJudge struct {
	s         *Service
	kind      *models.KindInfo
	id        string
	conds     []cond
	filters   []models.Filter
	texts     []string // of the filters
	aggregate bool
	changed   bool // the revision must not be since; 0: that of what is not there
	orGone    bool // what is not there has changed too
	since     uint64
	path      string // where bounds apply; "": nowhere
	bounds    bounds
	actor     Actor    // for whom it may not exist
	last      *verdict // for an object that is found by its name
}

// cond is one test, or with not the contrary of one.
type cond struct {
	test  models.Test
	not   bool
	keys  []string // of its path
	shown *models.Test
}

func (s *Service) objectJudge(k *models.KindInfo, p *models.Predicate, b bounds, filters []models.Filter, actor Actor) (judge, error) {
	if p.All || p.Of != "" {
		return nil, senseless(p, "All and Of are for predicates without a Key")
	}
	if p.Path == "" && (p.AtLeast != nil || p.AtMost != nil || p.Exactly != nil) {
		return nil, senseless(p, "AtLeast, AtMost and Exactly count what is at Path, or objects where there is no Key")
	}
	j := &objectJudge{s: s, kind: k, id: canonicalID(k, p.Key), filters: filters, aggregate: p.Aggregate, path: p.Path, bounds: b, actor: actor}
	for i := range p.Tests {
		c, err := condsOf(&p.Tests[i])
		if err != nil {
			return nil, senseless(p, "test %d: %v", i, err)
		}
		j.conds = append(j.conds, c...)
	}
	counted, err := patch.Split(p.Path)
	if err != nil {
		return nil, senseless(p, "Path: %v", err)
	}
	if p.Aggregate {
		if err := j.aggregates(p, counted); err != nil {
			return nil, err
		}
	}
	if p.Since != "" {
		rev, err := strconv.ParseUint(strings.Trim(p.Since, `"`), 10, 64)
		if err != nil {
			return nil, senseless(p, "Since is no ETag of this server: %s", p.Since)
		}
		j.changed, j.since = true, rev
	}
	values, _ := url.ParseQuery(p.Filter) // was read before
	for _, f := range filters {
		v := values[f.Name]
		j.texts, values[f.Name] = append(j.texts, f.Name+"="+v[0]), v[1:]
	}
	return j, nil
}

// aggregates checks that params in force are asked for one by one.
func (j *objectJudge) aggregates(p *models.Predicate, counted []string) error {
	if _, ok := j.kind.New().(models.ParamHolder); !ok {
		return senseless(p, "Aggregate: %s have no params", j.kind.Name)
	}
	for _, keys := range append([][]string{counted}, pathsOf(j.conds)...) {
		if len(keys) == 1 && keys[0] == "Params" {
			return senseless(p, "with Aggregate a path leads to one param, such as /Params/my~1ready")
		}
	}
	return nil
}

func pathsOf(conds []cond) [][]string {
	var list [][]string
	for _, c := range conds {
		list = append(list, c.keys)
	}
	return list
}

// canonicalID is the key where an id is one.
func canonicalID(k *models.KindInfo, id string) string {
	field, value, ok := strings.Cut(id, ":")
	switch {
	case ok && (field == "Key" || field == k.KeyField):
		id = value
	case ok && slices.Contains(k.Unique, field):
		return id
	}
	return k.CanonicalKey(id)
}

// condsOf turns a test into plain ones: not has one for each it forbids.
func condsOf(t *models.Test) ([]cond, error) {
	if t.Op != "not" {
		c, err := condOf(t)
		return []cond{c}, err
	}
	if len(t.Apply) == 0 || t.Value != nil || t.Path != "" {
		return nil, errors.New("not takes apply, a list of tests, and nothing else")
	}
	var list []cond
	for i := range t.Apply {
		c, err := condOf(&t.Apply[i])
		if err != nil {
			return nil, err
		}
		c.not, c.shown = true, &models.Test{Op: "not", Apply: t.Apply[i : i+1]}
		list = append(list, c)
	}
	return list, nil
}

func condOf(t *models.Test) (cond, error) {
	c := cond{test: *t, shown: t}
	if _, known := tests[t.Op]; !known {
		return c, fmt.Errorf("unknown op %q: there are test, defined, undefined, less, more and not", t.Op)
	}
	valued := t.Op != "defined" && t.Op != "undefined"
	switch {
	case len(t.Apply) > 0:
		return c, fmt.Errorf("%s takes no apply", t.Op)
	case valued && !json.Valid(t.Value):
		return c, fmt.Errorf("%s needs a value", t.Op)
	case !valued && t.Value != nil:
		return c, fmt.Errorf("%s takes no value", t.Op)
	}
	var err error
	c.keys, err = patch.Split(t.Path)
	return c, err
}

// tests tell by op whether what was found, nil for nothing, passes.
var tests = map[string]func(found, value json.RawMessage) bool{
	"test": func(found, value json.RawMessage) bool {
		same, err := patch.Equal(found, value)
		return found != nil && err == nil && same
	},
	"defined":   func(found, _ json.RawMessage) bool { return found != nil },
	"undefined": func(found, _ json.RawMessage) bool { return found == nil },
	"less":      func(found, value json.RawMessage) bool { o, ok := order(found, value); return ok && o < 0 },
	"more":      func(found, value json.RawMessage) bool { o, ok := order(found, value); return ok && o > 0 },
}

// order compares two numbers or two strings; false when they are not.
func order(a, b json.RawMessage) (int, bool) {
	var x, y string
	if json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && string(a) != "null" && string(b) != "null" {
		return cmp.Compare(x, y), true
	}
	p, _, perr := big.ParseFloat(string(a), 10, 256, big.ToNearestEven)
	q, _, qerr := big.ParseFloat(string(b), 10, 256, big.ToNearestEven)
	if perr != nil || qerr != nil {
		return 0, false
	}
	return p.Cmp(q), true
}

// topic is the whole kind when the object is found by its name: another may bear it tomorrow.
func (j *objectJudge) topic() store.Key {
	if field, _, ok := strings.Cut(j.id, ":"); ok && slices.Contains(j.kind.Unique, field) {
		return store.Key{Kind: j.kind.Name}
	}
	return store.Key{Kind: j.kind.Name, ID: j.id}
}

func (j *objectJudge) look(r *recorder, _ []store.Key) *verdict {
	e, ok := r.View.Find(j.kind.Name, j.id)
	if !ok || !j.actor.from(r).Exists(e.Object) {
		e = nil
	}
	if j.last != nil && j.last.entry == e && len(r.known) == 1 {
		return j.last // another object of the kind has changed, and nothing else was read
	}
	v := &verdict{rev: r.Rev, single: true, entry: e}
	j.last = v
	if e == nil {
		v.holds = j.orGone && j.since != 0
		return v
	}
	if j.changed && e.Rev == j.since {
		v.missing = append(v.missing, models.Missing{Since: fmt.Sprintf(`"%d"`, j.since)})
	}
	for _, c := range j.conds {
		found := j.find(r, e, c.keys)
		if tests[c.test.Op](found, c.test.Value) == c.not {
			v.missing = append(v.missing, models.Missing{Test: c.shown, Found: found})
		}
	}
	for i := range j.filters {
		if !j.s.matches(r, e.Object, j.filters[i:i+1]) {
			v.missing = append(v.missing, models.Missing{Filter: j.texts[i], Found: j.filtered(r, e, &j.filters[i])})
		}
	}
	v.holds = len(v.missing) == 0
	if j.path != "" {
		keys, _ := patch.Split(j.path) // was read before
		n := members(j.find(r, e, keys))
		v.count = &n
		if !j.bounds.hold(n) {
			v.holds, v.short = false, fmt.Sprintf("%s has %d, and is to have %s", j.path, n, j.bounds)
		}
	}
	return v
}

// find is what the object has at a path, nil for nothing. Params are taken from where they are
// decoded already, or with aggregate from wherever they are in force.
func (j *objectJudge) find(r Reader, e *Entry, keys []string) json.RawMessage {
	h, ok := e.Object.(models.ParamHolder)
	if !ok || len(keys) < 2 || keys[0] != "Params" {
		return lookup(e.Raw, keys)
	}
	var value json.RawMessage
	if j.aggregate {
		value, ok = j.s.EffectiveParam(r, e.Object, keys[1])
	} else {
		value, ok = (*h.ParamMap())[keys[1]]
	}
	if !ok {
		return nil
	}
	return lookup(value, keys[2:])
}

// filtered is what a filter has compared, as far as it is one value.
func (j *objectJudge) filtered(r Reader, e *Entry, f *models.Filter) json.RawMessage {
	if f.Param {
		v, _ := j.s.EffectiveParam(r, e.Object, f.Name)
		return v
	}
	if field, ok := strings.CutPrefix(f.Name, "Meta."); ok {
		return lookup(e.Raw, []string{"Meta", field})
	}
	return lookup(e.Raw, []string{f.Name})
}

// lookup is what a document has at a path, nil for nothing.
func lookup(doc json.RawMessage, keys []string) json.RawMessage {
	if len(keys) == 0 {
		return doc
	}
	null := json.RawMessage("null")
	_, err := patch.Patch{{Op: "test", Path: patch.Pointer(keys...), Value: null}}.Apply(doc)
	var other *patch.FailedError
	switch {
	case err == nil:
		return null
	case errors.As(err, &other):
		return other.Have
	}
	return nil
}

// members is how many elements or members a value has.
func members(v json.RawMessage) int {
	var list []json.RawMessage
	if json.Unmarshal(v, &list) == nil {
		return len(list)
	}
	var object map[string]json.RawMessage
	if json.Unmarshal(v, &object) == nil {
		return len(object)
	}
	return 0
}

// listJudge counts objects. It knows which match, so that a change costs as much as the objects
// it concerns, unless it is of something that params are inherited from.
type listJudge struct {
	s       *Service
	kind    string
	of      []models.Filter
	filters []models.Filter
	all     bool
	bounds  bounds
	actor   Actor
	lists   bool
	begun   bool
	match   btree.Set[string]
	lack    btree.Set[string] // with all: those that are to match and do not
}

func (s *Service) listJudge(k *models.KindInfo, p *models.Predicate, b bounds, filters []models.Filter, actor Actor) (judge, error) {
	switch {
	case len(p.Tests) > 0 || p.Since != "" || p.Path != "" || p.MayAppear || p.Aggregate:
		return nil, senseless(p, "Tests, Since, Path, MayAppear and Aggregate are for predicates with a Key; filters see params as they are in force anyway")
	case p.Of != "" && !p.All:
		return nil, senseless(p, "Of has a meaning with All only")
	}
	of, err := filtersOf(k, p.Of)
	if err != nil {
		return nil, err
	}
	j := &listJudge{s: s, kind: k.Name, of: of, filters: filters, all: p.All, bounds: b, actor: actor, lists: actor.lists(k.Name)}
	return j, nil
}

func (j *listJudge) topic() store.Key { return store.Key{Kind: j.kind} }

func (j *listJudge) look(r *recorder, moved []store.Key) *verdict {
	if j.begun && !slices.ContainsFunc(moved, func(k store.Key) bool { return j.wide(r, k) }) {
		for _, k := range moved {
			j.sort(r, k.ID)
		}
	} else {
		j.begun = true
		j.match.Clear()
		j.lack.Clear()
		for e := range r.View.All(j.kind) {
			j.sort(r, e.Object.Key())
		}
	}
	n := j.match.Len()
	v := &verdict{rev: r.Rev, count: &n, holds: j.bounds.hold(n), keys: first(&j.match)}
	if !v.holds {
		v.short = fmt.Sprintf("%d %s match, and there are to be %s", n, j.kind, j.bounds)
	}
	if j.all {
		of := n + j.lack.Len()
		v.of, v.holds, v.keys = &of, v.holds && of == n, first(&j.lack)
		if of > n {
			v.short = fmt.Sprintf("%d of %d %s match; these do not: %s", n, of, j.kind, strings.Join(v.keys, ", "))
			if of-n > len(v.keys) {
				v.short += ", …"
			}
		}
	}
	return v
}

// wide tells whether a change may concern objects other than the one changed.
func (j *listJudge) wide(r *recorder, k store.Key) bool {
	if k.Kind != j.kind {
		return true
	}
	_, read := r.known[k]
	return read
}

// sort puts an object where it belongs now.
func (j *listJudge) sort(r *recorder, key string) {
	j.match.Delete(key)
	j.lack.Delete(key)
	e, ok := r.View.Get(j.kind, key)
	switch {
	case !ok || !j.actor.from(r).sees(j.lists, e.Object) || !j.s.matches(r, e.Object, j.of):
	case j.s.matches(r, e.Object, j.filters):
		j.match.Insert(key)
	case j.all:
		j.lack.Insert(key)
	}
}

// named is how many keys an answer names.
const named = 10

func first(set *btree.Set[string]) []string {
	keys := make([]string, 0, min(named, set.Len()))
	set.Scan(func(key string) bool {
		keys = append(keys, key)
		return len(keys) < named
	})
	return keys
}
