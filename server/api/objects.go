package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"drp/models"
	"drp/models/patch"
	"drp/server/objects"
	"drp/server/params"
)

// etag is opaque to clients; it changes with every stored change of the object.
func etag(e *objects.Entry) string { return `"` + strconv.FormatUint(e.Rev, 10) + `"` }

func (a *API) list(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		view := a.Objects.View()
		if rev, past, err := a.at(r); err != nil {
			return 0, nil, err
		} else if past && r.narrow() { // at great cost, to find one
			return 0, nil, models.Problem(models.Forbidden, "", "", "the token is for one profile only").Typed("AUTH")
		} else if past {
			if view, err = a.Objects.ViewAt(r.ctx, rev); err != nil {
				return 0, nil, err
			}
		}
		found, err := a.search(r, k, view)
		if err != nil {
			return 0, nil, err
		}
		return a.show(r, found)
	}
}

// show answers with a list.
func (a *API) show(r *request, list []*objects.Entry) (int, any, error) {
	var b bytes.Buffer
	b.WriteByte('[')
	for i, e := range list {
		if i > 0 {
			b.WriteByte(',')
		}
		raw, err := a.shape(r, e)
		if err != nil {
			return 0, nil, err
		}
		b.Write(raw)
	}
	b.WriteByte(']')
	return http.StatusOK, rawJSON(b.Bytes()), nil
}

func (a *API) count(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		if r.query.Get("at") != "" {
			return 0, nil, models.Problem(models.BadRequest, k.Name, "", "a count is that of the present: list with at instead")
		}
		if _, err := a.search(r, k, a.Objects.View()); err != nil {
			return 0, nil, err
		}
		r.Header("X-DRP-LIST-TOTAL-COUNT", strconv.Itoa(a.Objects.Count(r.actor, k.Name)))
		return http.StatusOK, nil, nil
	}
}

// search finds what a list request asks for, and says in the headers how much that is.
func (a *API) search(r *request, k *models.KindInfo, v *objects.View) ([]*objects.Entry, error) {
	if _, holder := k.New().(models.ParamHolder); holder && r.flag("decode") {
		if err := r.actor.Require(k.Name, "getSecure", ""); err != nil {
			return nil, err
		}
	}
	q, err := models.ParseQuery(k, r.query)
	if err != nil {
		return nil, err
	}
	return r.counted(a.Objects.ListIn(r.ctx, v, k.Name, q))
}

// counted says in the headers how much a list request has found.
func (r *request) counted(found []*objects.Entry, n int, err error) ([]*objects.Entry, error) {
	r.Header("X-DRP-LIST-FILTER-COUNT", strconv.Itoa(n))
	r.Header("X-DRP-LIST-COUNT", strconv.Itoa(len(found)))
	return found, err
}

// shape is the object as the query wants it: slim, with some params only, or with the effective
// ones.
func (a *API) shape(r *request, e *objects.Entry) ([]byte, error) {
	slim, only := r.query.Get("slim"), r.query.Get("params")
	h, holder := e.Object.(models.ParamHolder)
	aggregate, decode := holder && r.flag("aggregate"), holder && r.flag("decode")
	if slim == "" && only == "" && !aggregate && !decode {
		return e.Raw, nil
	}
	values, partial := map[string]json.RawMessage{}, false
	if holder && (aggregate || decode || only != "") {
		m := params.Own(a.reader(r), h)
		if aggregate {
			m = params.Aggregate(a.reader(r), h)
		}
		if only != "" {
			m, partial = pick(m, strings.Split(only, ",")), true
		}
		var err error
		if values["Params"], err = models.Marshal(m); err != nil {
			return nil, err
		}
	}
	for name := range strings.SplitSeq(slim, ",") {
		for _, field := range []string{"Meta", "Params"} {
			if strings.EqualFold(name, field) {
				values[field], partial = json.RawMessage("{}"), true
			}
		}
	}
	if partial {
		values["Partial"] = json.RawMessage("true")
	}
	return models.With(e.Raw, values)
}

func pick[V any](m map[string]V, names []string) map[string]V {
	out := map[string]V{}
	for k, v := range m {
		if slices.Contains(names, k) {
			out[k] = v
		}
	}
	return out
}

func (a *API) create(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		body, err := r.json()
		if err != nil {
			return 0, nil, err
		}
		o, err := decodeNew(k, body)
		if err != nil {
			return 0, nil, err
		}
		e, err := a.Objects.Create(r.ctx, o, r.flag("force"))
		return http.StatusCreated, e, err
	}
}

// decodeNew reads a new object.
func decodeNew(k *models.KindInfo, body []byte) (models.Object, error) {
	if t := bytes.TrimSpace(body); len(t) == 0 || t[0] != '{' && json.Valid(t) {
		return nil, models.Problem(models.BadRequest, k.Name, "", "the body must be a JSON object")
	}
	o, err := models.Unmarshal(k.Name, body)
	if err != nil {
		return nil, objects.DecodeError(k.Name, "", err)
	}
	return o, nil
}

func (a *API) get(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		if rev, past, err := a.at(r); err != nil {
			return 0, nil, err
		} else if past {
			return a.getAt(r, k, rev)
		}
		e, err := a.Objects.Get(r.ctx, k.Name, r.id())
		if err != nil {
			return 0, nil, err
		}
		if err := r.mayDecode(e.Object); err != nil {
			return 0, nil, err
		}
		if unchanged(r.Request.Header, etag(e)) {
			after, err := a.changed(r, k, e)
			if err != nil {
				return 0, nil, err
			}
			if after == nil {
				r.Header("ETag", etag(e))
				return http.StatusNotModified, nil, nil
			}
			e = after
		}
		raw, err := a.shape(r, e)
		r.Header("ETag", etag(e))
		return http.StatusOK, rawJSON(raw), err
	}
}

func (a *API) put(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		body, err := r.json()
		if err != nil {
			return 0, nil, err
		}
		e, err := a.Objects.Replace(r.ctx, k.Name, r.id(), body, r.flag("force"))
		return http.StatusOK, e, err
	}
}

func (a *API) patch(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		p, err := r.patch(k.Name)
		if err != nil {
			return 0, nil, err
		}
		if k.Name == "jobs" { // by its agent, which need not say so
			r.ctx = a.forAgent(r)
		}
		e, err := a.Objects.Patch(r.ctx, k.Name, r.id(), p, r.flag("force"))
		if err == nil && k.Name == "jobs" {
			a.Jobs.Alive(e.Object.Key())
		}
		return http.StatusOK, e, err
	}
}

// patch reads an RFC 6902 patch.
func (r *request) patch(kind string) (patch.Patch, error) {
	if err := r.isJSON(); err != nil {
		return nil, err
	}
	body, err := r.body()
	if err != nil {
		return nil, err
	}
	p, err := patch.Decode(body)
	if err != nil {
		return nil, models.Problem(models.BadRequest, kind, r.id(), err.Error())
	}
	return p, nil
}

func (a *API) remove(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		e, err := a.Objects.Delete(r.ctx, k.Name, r.id())
		if err != nil {
			return 0, nil, err
		}
		if k.Name == "jobs" {
			if err := a.Logs.Remove(e.Object.Key()); err != nil {
				a.Log.Warn("log of a deleted job stays", "job", e.Object.Key(), "error", err)
			}
		}
		return http.StatusOK, rawJSON(e.Raw), nil
	}
}

func (a *API) getMeta(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		e, err := a.Objects.Get(r.ctx, k.Name, r.id())
		if err != nil {
			return 0, nil, err
		}
		return http.StatusOK, e.Object.Base().Meta, nil
	}
}

func (a *API) patchMeta(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		p, err := r.patch(k.Name)
		if err != nil {
			return 0, nil, err
		}
		var meta map[string]string
		_, err = a.Objects.Do(r.ctx, false, func(tx *objects.Tx) error {
			e, err := tx.Visible(k.Name, r.id())
			if err != nil {
				return err
			}
			was, err := models.Marshal(e.Object.Base().Meta)
			if err != nil {
				return err
			}
			is, err := p.Apply(was)
			if err != nil {
				return params.PatchError(e.Object, err)
			}
			if err := tx.MayChange(e.Object, was, is, "/Meta"); err != nil {
				return err
			}
			o := e.Clone()
			meta = map[string]string{}
			if err := json.Unmarshal(is, &meta); err != nil {
				return objects.DecodeError(k.Name, o.Key(), err)
			}
			o.Base().Meta = meta
			return tx.Save(o)
		})
		var again *objects.Repeated
		if errors.As(err, &again) {
			if e, ok := a.Objects.View().Get(again.Kind, again.Key); ok {
				return http.StatusOK, e.Object.Base().Meta, nil
			}
		}
		return http.StatusOK, meta, err
	}
}
