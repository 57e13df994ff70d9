package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"drp/models"
	"drp/server/objects"
	"drp/server/params"
)

// holder finds the object whose params a route is about.
func (a *API) holder(r *request, k *models.KindInfo) (models.ParamHolder, error) {
	e, err := a.Objects.Get(r.ctx, k.Name, r.id())
	if err != nil {
		return nil, err
	}
	return e.Object.(models.ParamHolder), r.mayDecode(e.Object)
}

func (a *API) getParams(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		h, err := a.holder(r, k)
		if err != nil {
			return 0, nil, err
		}
		if r.flag("origins") {
			all := params.Origins(a.reader(r), h)
			if only := r.query.Get("params"); only != "" {
				all = pick(all, strings.Split(only, ","))
			}
			for k, p := range all {
				all[k] = a.visible(r, p)
			}
			return http.StatusOK, all, nil
		}
		m := params.Own(a.reader(r), h)
		if r.flag("aggregate") {
			m = params.Aggregate(a.reader(r), h)
		}
		if only := r.query.Get("params"); only != "" {
			m = pick(m, strings.Split(only, ","))
		}
		return http.StatusOK, m, nil
	}
}

// visible leaves out what is overridden in objects that the caller may not see, or whose secrets he
// may not see if he asks for those.
func (a *API) visible(r *request, p models.EffectiveParam) models.EffectiveParam {
	p.Overrides = slices.DeleteFunc(p.Overrides, func(o models.ParamOrigin) bool {
		e, err := a.Objects.Get(r.ctx, o.Kind, o.Key)
		return err != nil || r.flag("decode") && !r.actor.May(o.Kind, "getSecure", objects.AuthKey(e.Object))
	})
	return p
}

// getParam answers null, not 404, for a param that is not set.
func (a *API) getParam(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		h, err := a.holder(r, k)
		if err != nil {
			return 0, nil, err
		}
		v := a.reader(r)
		if r.flag("origins") {
			if p, ok := params.OriginsOf(v, h, r.key()); ok {
				return http.StatusOK, a.visible(r, p), nil
			}
			return http.StatusOK, rawJSON("null"), nil
		}
		value, ok := params.OwnValue(v, h, r.key())
		switch {
		case r.flag("compose"):
			value, err = params.Compose(v, h, r.key())
			ok = err == nil
		case r.flag("aggregate"):
			value, _, ok = params.Effective(v, h, r.key())
		}
		if err != nil {
			return 0, nil, err
		}
		if !ok || value == nil {
			value = json.RawMessage("null")
		}
		return http.StatusOK, rawJSON(value), nil
	}
}

func (a *API) setParams(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		body, err := r.json()
		if err != nil {
			return 0, nil, err
		}
		var m models.Params
		if err := json.Unmarshal(body, &m); err != nil || m == nil {
			return 0, nil, models.Problem(models.BadRequest, k.Name, r.id(), "the body must be a JSON object of params")
		}
		m, err = params.Replace(r.ctx, a.Objects, k.Name, r.id(), m)
		return http.StatusOK, m, err
	}
}

func (a *API) patchParams(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		p, err := r.patch(k.Name)
		if err != nil {
			return 0, nil, err
		}
		m, err := params.Patch(r.ctx, a.Objects, k.Name, r.id(), p)
		return http.StatusOK, m, err
	}
}

func (a *API) setParam(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		body, err := r.json()
		if err != nil {
			return 0, nil, err
		}
		if !json.Valid(body) {
			return 0, nil, models.Problem(models.BadRequest, k.Name, r.id(), "the body must be a JSON value")
		}
		var value bytes.Buffer
		if err := json.Compact(&value, body); err != nil {
			return 0, nil, err
		}
		stored, err := params.Set(r.ctx, a.Objects, k.Name, r.id(), r.key(), value.Bytes())
		return http.StatusOK, rawJSON(stored), err
	}
}

func (a *API) removeParam(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		was, err := params.Remove(r.ctx, a.Objects, k.Name, r.id(), r.key())
		return http.StatusOK, rawJSON(was), err
	}
}
