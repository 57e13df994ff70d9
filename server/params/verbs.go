package params

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	"drp/models"
	"drp/models/patch"
	"drp/server/objects"
)

// Patch applies an RFC 6902 patch to the params of an object, all of it or nothing, and returns
// the params as they then are. Where the object does not set a param that has a default, test
// and replace see the default; a default that was only tested is not stored. A test of the whole
// document sees what is stored. A patch that does not apply is a Conflict.
func Patch(ctx context.Context, s *objects.Service, kind, id string, p patch.Patch) (models.Params, error) {
	return change(ctx, s, kind, id, func(tx *objects.Tx, h models.ParamHolder) (models.Params, error) {
		stored := *h.ParamMap()
		keys, some := touched(p)
		if some {
			stored = subset(stored, keys)
		}
		doc, err := models.Marshal(stored)
		if err != nil {
			return nil, err
		}
		if doc, err = apply(tx, p, doc, stored); err != nil {
			return nil, PatchError(h, objects.ConcealFailure(tx, err))
		}
		is, err := decode(h, doc)
		if err == nil && some {
			is = laidOver(*h.ParamMap(), keys, is)
		}
		return is, err
	})
}

// touched are the params that a patch names. It is false when that may be all of them.
func touched(p patch.Patch) (keys []string, some bool) {
	for _, op := range p {
		for _, ptr := range [...]string{op.Path, op.From} {
			key, _ := split(ptr)
			if ptr == "" && (op.Path == "" || op.Op == "move" || op.Op == "copy") || ptr != "" && key == "" {
				return nil, false
			}
			if ptr != "" && !slices.Contains(keys, key) {
				keys = append(keys, key)
			}
		}
		if len(keys) > maxTouched {
			return nil, false
		}
	}
	return keys, true
}

// maxTouched is the number of params from which on a patch may as well be applied to all of them.
const maxTouched = 64

func subset(m models.Params, keys []string) models.Params {
	some := make(models.Params, len(keys))
	for _, k := range keys {
		if v, ok := m[k]; ok {
			some[k] = v
		}
	}
	return some
}

// laidOver is a map in which the keys are as in another.
func laidOver(m models.Params, keys []string, now models.Params) models.Params {
	m = maps.Clone(m)
	for _, k := range keys {
		if v, ok := now[k]; ok {
			m[k] = v
		} else {
			delete(m, k)
		}
	}
	return m
}

// Replace stores a whole map of params in the place of another.
func Replace(ctx context.Context, s *objects.Service, kind, id string, m models.Params) (models.Params, error) {
	return change(ctx, s, kind, id, func(*objects.Tx, models.ParamHolder) (models.Params, error) {
		return maps.Clone(m), nil
	})
}

// Set stores one value, whatever was there, and returns it as it is stored.
func Set(ctx context.Context, s *objects.Service, kind, id, key string, value json.RawMessage) (json.RawMessage, error) {
	is, err := change(ctx, s, kind, id, func(_ *objects.Tx, h models.ParamHolder) (models.Params, error) {
		if !json.Valid(value) {
			return nil, models.Errorf(models.BadRequest, h, "the value of %s is not JSON", key)
		}
		m := maps.Clone(*h.ParamMap())
		m[key] = value
		return m, nil
	})
	if value = is[key]; err == nil && value == nil {
		value = json.RawMessage("null") // asked again: it is gone already
	}
	return value, err
}

// Remove removes one value and returns it. One that the object does not set is Not Found, even
// if it inherits it.
func Remove(ctx context.Context, s *objects.Service, kind, id, key string) (json.RawMessage, error) {
	var was json.RawMessage
	_, err := change(ctx, s, kind, id, func(_ *objects.Tx, h models.ParamHolder) (models.Params, error) {
		var ok bool
		if was, ok = (*h.ParamMap())[key]; !ok {
			return nil, models.MissingError("params", key)
		}
		m := maps.Clone(*h.ParamMap())
		delete(m, key)
		return m, nil
	})
	if err != nil {
		return nil, err
	}
	if was == nil {
		was = json.RawMessage("null") // asked again: it is gone already
	}
	return was, nil
}

// change edits the params of an object as one atomic change. Edit must leave what it is given as
// it is.
func change(ctx context.Context, s *objects.Service, kind, id string, edit func(*objects.Tx, models.ParamHolder) (models.Params, error)) (models.Params, error) {
	var is models.Params
	_, err := s.Do(ctx, false, func(tx *objects.Tx) error {
		e, err := tx.Visible(kind, id)
		if err != nil {
			return err
		}
		h, ok := e.Object.(models.ParamHolder)
		if !ok {
			return models.Errorf(models.NotFound, e.Object, "%s have no params", kind)
		}
		if is, err = edit(tx, h); err != nil {
			return err
		}
		if err := mayChange(tx, h, is); err != nil {
			return err
		}
		if h.Base().ReadOnly {
			return models.Problem(models.Forbidden, h.Kind(), h.Key(), h.Key())
		}
		o := models.CopyButParams(e.Object).(models.ParamHolder)
		*o.ParamMap() = is
		if err := tx.Save(o); err != nil {
			return asked(err, h, id)
		}
		is = *o.ParamMap()
		return nil
	})
	if h, ok := repeated(s, kind, id, err); ok {
		return *h.ParamMap(), nil
	}
	if err != nil {
		return nil, err
	}
	return is, nil
}

// asked is a refusal of an object's new params in the words of the contract: of the request, for the
// object by the name that the caller has for it.
func asked(err error, h models.ParamHolder, id string) error {
	var e *models.Error
	if !errors.As(err, &e) || e.Class != models.Invalid || e.Model != h.Kind() || e.Key != h.Key() {
		return err
	}
	out := *e
	out.Type, out.Key = "", id
	return &out
}

// repeated finds the object of a request that has been carried out before: who asks again because
// the answer was lost must not hear that the compare-and-set it won has failed.
func repeated(s *objects.Service, kind, id string, err error) (models.ParamHolder, bool) {
	var again *objects.Repeated
	if !errors.As(err, &again) {
		return nil, false
	}
	e, ok := s.View().Find(kind, id)
	if !ok || again.Kind != kind || again.Key != e.Object.Key() {
		return nil, false // the name was that of another request
	}
	h, ok := e.Object.(models.ParamHolder)
	return h, ok
}

// mayChange checks that the actor may change the params that differ.
func mayChange(tx *objects.Tx, h models.ParamHolder, is models.Params) error {
	if tx.Actor.May(h.Kind(), "update", objects.AuthKey(h)) {
		return nil
	}
	was, err := models.Marshal(*h.ParamMap())
	if err != nil {
		return err
	}
	now, err := models.Marshal(is)
	if err != nil {
		return err
	}
	return tx.MayChange(h, was, now, "/Params")
}

// PatchError is what a patch that failed on params or Meta of an object answers with: a
// Conflict that tells the operation, the reason, and what was expected and found.
func PatchError(o models.Object, err error) error {
	var f *patch.FailedError
	if !errors.As(err, &f) {
		return models.Problem(models.BadRequest, o.Kind(), o.Key(), err.Error())
	}
	reason := f.Reason
	switch { // the reason is whole: programs look for it
	case f.Op.Op != "test": // it names the path
	case f.Have == nil:
		reason += ": " + f.Detail()
	default:
		reason = f.Detail() + ": " + reason
	}
	return models.Problem(models.Conflict, o.Kind(), o.Key(), fmt.Sprintf("Patch failed to apply at line %d", f.Index), reason)
}

func decode(h models.ParamHolder, doc []byte) (models.Params, error) {
	var m models.Params
	if err := json.Unmarshal(doc, &m); err != nil || m == nil {
		return nil, models.Errorf(models.BadRequest, h, "the patch leaves no JSON object of params")
	}
	return m, nil
}
