package objects

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"drp/models"
	"drp/models/patch"
)

// What a param that is secure, or once was, has been in clear before that is not shown any more:
// not in history, not in an event that tells of the past, not in an object as it was. Values that
// are sealed are shown as they are: they tell nothing.

// conceals tells whether the value of a param is not to be shown.
func conceals(r Reader, param string, value json.RawMessage) bool {
	_, secret := r.Get("secure_names", param)
	return secret && !models.IsSecureData(value)
}

// Conceal is an entry of the past as it may be shown now; nil is nil.
func (v *View) Conceal(e *Entry) *Entry {
	if e == nil || v.Len("secure_names") == 0 {
		return e
	}
	h, ok := e.Object.(models.ParamHolder)
	if !ok {
		return e
	}
	masked := models.Params{}
	for name, value := range *h.ParamMap() {
		if conceals(v, name, value) {
			masked[name] = jsonOf(models.Hidden)
		}
	}
	if len(masked) == 0 {
		return e
	}
	h = models.Copy(h)
	for name, value := range masked {
		(*h.ParamMap())[name] = value
	}
	shown, _, err := newEntry(h, nil)
	if err != nil { // cannot be: it was encoded before
		panic("objects: " + err.Error())
	}
	shown.Rev = e.Rev
	return shown
}

// ConcealFailure is an error of a patch of params without what must not be shown.
func ConcealFailure(r Reader, err error) error { return concealFailure(r, err, "/Params") }

// conceal is a patch of the part of an object at prefix.
func conceal(r Reader, p patch.Patch, prefix string) patch.Patch {
	p = slices.Clone(p)
	for i := range p {
		if op := &p[i]; op.Value != nil {
			op.Value = concealAt(r, prefix+op.Path, op.Value)
		}
	}
	return p
}

// concealAt is a value that stands, or is to stand, at a pointer of an object.
func concealAt(r Reader, pointer string, value json.RawMessage) json.RawMessage {
	keys, err := patch.Split(pointer)
	switch {
	case err != nil:
		return jsonOf(models.Hidden)
	case len(keys) == 0:
		return concealMembers(value, func(name string, v json.RawMessage) json.RawMessage {
			return concealAt(r, patch.Pointer(name), v)
		})
	case !strings.EqualFold(keys[0], "Params"): // names match in any letter case
		return value
	case len(keys) == 1:
		return concealMembers(value, func(name string, v json.RawMessage) json.RawMessage {
			return concealAt(r, patch.Pointer("Params", name), v)
		})
	case len(keys) > 2:
		if _, secret := r.Get("secure_names", keys[1]); !secret {
			return value
		}
	case !conceals(r, keys[1], value):
		return value
	}
	return jsonOf(models.Hidden)
}

// concealMembers is a JSON object with each member concealed; other values have none.
func concealMembers(value json.RawMessage, each func(string, json.RawMessage) json.RawMessage) json.RawMessage {
	var m map[string]json.RawMessage
	if json.Unmarshal(value, &m) != nil || m == nil {
		return value
	}
	changed := false
	for name, v := range m {
		shown := each(name, v)
		changed = changed || string(shown) != string(v)
		m[name] = shown
	}
	if !changed {
		return value
	}
	raw, err := models.Marshal(m)
	if err != nil {
		return jsonOf(models.Hidden)
	}
	return raw
}

// concealFailure is an error of a patch: who sent it may have put a secret into it, and errors are
// kept in logs.
func concealFailure(r Reader, err error, prefix string) error {
	var f *patch.FailedError
	if !errors.As(err, &f) {
		return err
	}
	shown := *f
	shown.Op = conceal(r, patch.Patch{f.Op}, prefix)[0]
	if f.Want != nil {
		shown.Want = concealAt(r, prefix+f.Op.Path, f.Want)
	}
	if f.Have != nil {
		shown.Have = concealAt(r, prefix+f.Op.Path, f.Have)
	}
	return &shown
}
