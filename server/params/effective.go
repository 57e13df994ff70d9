// Package params knows what the params of an object are worth: which level a value comes from,
// what its Param demands of it, and how it is changed on its own.
//
// A machine sees, and the first level that has the key wins: its own params; its profiles in
// order, each followed depth first by the profiles it names; the params and then the profiles of
// its stage; the profile "global" and the profiles that names; and last the default in the
// schema of the Param object. Profiles and stages see their own params, their profiles, and the
// default. A profile that is reached twice counts where it is reached first.
package params

import (
	"bytes"
	"encoding/json"
	"fmt"
	"iter"
	"slices"

	"drp/models"
	"drp/server/objects"
)

// Origin is the object that supplies a value: a holder of params, or for a default the Param
// itself (Kind "params").
type Origin struct{ Kind, Key string }

// level is one object's params.
type level struct {
	origin Origin
	via    []string // good until the next level; see models.ParamOrigin
	params models.Params
}

// Effective is the value that holds for an object, and where it comes from; false when the param
// is set nowhere and has no default. A value of null counts as set. The value must not be
// modified.
func Effective(r objects.Reader, o models.Object, key string) (json.RawMessage, Origin, bool) {
	h, ok := o.(models.ParamHolder)
	if !ok {
		return nil, Origin{}, false
	}
	for l := range levels(r, h) {
		if v, ok := l.params[key]; ok {
			return reveal(r, l.origin, key, v), l.origin, true
		}
	}
	if p, ok := objects.Get[*models.Param](r, key); ok {
		if v, ok := p.Default(); ok {
			return v, Origin{Kind: p.Kind(), Key: key}, true
		}
	}
	return nil, Origin{}, false
}

// EffectiveRaw is Effective in the form that filters take.
func EffectiveRaw(r objects.Reader, o models.Object, key string) ([]byte, bool) {
	v, _, ok := Effective(r, o, key)
	return v, ok
}

// Aggregate is all params that hold for an object. Defaults take no part.
func Aggregate(r objects.Reader, o models.Object) models.Params {
	all := models.Params{}
	h, ok := o.(models.ParamHolder)
	if !ok {
		return all
	}
	for l := range levels(r, h) {
		for k, v := range l.params {
			if _, ok := all[k]; !ok {
				all[k] = reveal(r, l.origin, k, v)
			}
		}
	}
	return all
}

// Compose merges the values of all levels: lists follow each other from the first level to the
// last; of maps the first level that has a member wins it. The default counts only where no
// level has the key, and nil is returned when there is none. A param without a Param object of
// type array or object cannot be composed.
func Compose(r objects.Reader, o models.Object, key string) (json.RawMessage, error) {
	h, ok := o.(models.ParamHolder)
	if !ok {
		return nil, models.Errorf(models.Invalid, o, "has no params")
	}
	p, ok := objects.Get[*models.Param](r, key)
	if !ok {
		return nil, freeform(o, key)
	}
	merge, ok := composers[schemaType(p)]
	if !ok {
		return nil, freeform(o, key)
	}
	var values []json.RawMessage
	for l := range levels(r, h) {
		if v, ok := l.params[key]; ok {
			if v = reveal(r, l.origin, key, v); string(v) != "null" {
				values = append(values, v)
			}
		}
	}
	if len(values) == 0 {
		v, _, _ := Effective(r, o, key)
		return v, nil
	}
	if slices.ContainsFunc(values, unreadable) {
		return values[0], nil // what is sealed cannot be merged
	}
	v, err := merge(values)
	if err != nil {
		return nil, models.Errorf(models.Invalid, o, "Cannot compose param %s: %v", key, err)
	}
	return v, nil
}

func freeform(o models.Object, key string) error {
	return models.Errorf(models.Invalid, o, "Cannot compose freeform param %s", key)
}

var composers = map[string]func([]json.RawMessage) (json.RawMessage, error){"array": joinLists, "object": joinMaps}

func joinLists(values []json.RawMessage) (json.RawMessage, error) {
	all := []json.RawMessage{}
	for _, v := range values {
		var l []json.RawMessage
		if err := json.Unmarshal(v, &l); err != nil {
			return nil, fmt.Errorf("a value is no list: %w", err)
		}
		all = append(all, l...)
	}
	return models.Marshal(all)
}

func joinMaps(values []json.RawMessage) (json.RawMessage, error) {
	all := map[string]json.RawMessage{}
	for _, v := range values {
		var m map[string]json.RawMessage
		if err := json.Unmarshal(v, &m); err != nil {
			return nil, fmt.Errorf("a value is no map: %w", err)
		}
		for k, member := range m {
			if _, ok := all[k]; !ok {
				all[k] = member
			}
		}
	}
	return models.Marshal(all)
}

// schemaType is the one type a Param allows, or "" when it allows any or several.
func schemaType(p *models.Param) string {
	var s struct {
		Type json.RawMessage `json:"type"`
	}
	if json.Unmarshal(p.Schema, &s) != nil {
		return ""
	}
	return string(bytes.Trim(s.Type, `"`))
}

// levels yields what an object sees, the most specific first, without the defaults.
func levels(r objects.Reader, h models.ParamHolder) iter.Seq[level] {
	return func(yield func(level) bool) {
		w := walk{r: r, root: h, seen: map[string]bool{}, yield: yield}
		if !w.holder(h) {
			return
		}
		m, ok := h.(*models.Machine)
		if !ok {
			return
		}
		if s, ok := objects.Get[*models.Stage](r, m.Stage); ok && !w.holder(s) {
			return
		}
		w.profiles([]string{models.GlobalProfile})
	}
}

// walk visits each profile once, so that profiles may name each other in circles.
type walk struct {
	r     objects.Reader
	root  models.ParamHolder
	seen  map[string]bool
	yield func(level) bool
	trail []string
}

// holder visits an object's own params, then its profiles; false when the visitor has enough.
func (w *walk) holder(h models.ParamHolder) bool {
	if h.Kind() == "profiles" {
		w.seen[h.Key()] = true
	}
	if !w.yield(level{Origin{h.Kind(), h.Key()}, w.trail, *h.ParamMap()}) {
		return false
	}
	p, ok := h.(models.ProfileHolder)
	if !ok || len(p.ProfileNames()) == 0 {
		return true
	}
	if h != w.root {
		w.trail = append(w.trail, h.Kind()+"/"+h.Key())
		defer func() { w.trail = w.trail[:len(w.trail)-1] }()
	}
	return w.profiles(p.ProfileNames())
}

func (w *walk) profiles(names []string) bool {
	for _, name := range names {
		if w.seen[name] {
			continue
		}
		if p, ok := objects.Get[*models.Profile](w.r, name); ok && !w.holder(p) {
			return false
		}
	}
	return true
}
