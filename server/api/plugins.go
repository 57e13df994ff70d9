package api

import (
	"encoding/json"
	"net/http"
	"strings"

	"drp/models"
	"drp/server/objects"
	"drp/server/plugins"
)

// on is what an action is about: an object that the caller may see.
func (a *API) on(r *request, k *models.KindInfo, claim string) (plugins.On, error) {
	e, err := a.Objects.Get(r.ctx, k.Name, r.id())
	if err != nil {
		return plugins.On{}, err
	}
	return plugins.On{Kind: k.Name, Entry: e}, r.actor.Require(k.Name, claim, objects.AuthKey(e.Object))
}

func (a *API) actions(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		on, err := a.on(r, k, "actions")
		if err != nil {
			return 0, nil, err
		}
		return http.StatusOK, a.Plugins.Actions(on, r.query.Get("plugin")), nil
	}
}

func (a *API) action(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		on, err := a.on(r, k, "actions")
		if err != nil {
			return 0, nil, err
		}
		action, err := a.Plugins.Action(on, r.Param("action"), r.query.Get("plugin"))
		return http.StatusOK, action, err
	}
}

func (a *API) runAction(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		on, err := a.on(r, k, "action:"+r.Param("action"))
		if err != nil {
			return 0, nil, err
		}
		return a.invoke(r, on)
	}
}

// theSystem is what an action is about that concerns the server as a whole.
func (a *API) theSystem(r *request, claim string) (plugins.On, error) {
	return plugins.On{Kind: models.System}, r.actor.Require(models.System, claim, "")
}

func (a *API) systemActions(r *request) (int, any, error) {
	on, err := a.theSystem(r, "actions")
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, a.Plugins.Actions(on, r.query.Get("plugin")), nil
}

func (a *API) systemAction(r *request) (int, any, error) {
	on, err := a.theSystem(r, "actions")
	if err != nil {
		return 0, nil, err
	}
	action, err := a.Plugins.Action(on, r.Param("action"), r.query.Get("plugin"))
	return http.StatusOK, action, err
}

func (a *API) runSystemAction(r *request) (int, any, error) {
	on, err := a.theSystem(r, "action:"+r.Param("action"))
	if err != nil {
		return 0, nil, err
	}
	return a.invoke(r, on)
}

// invoke has a plugin act, with the params in the body if there is one.
func (a *API) invoke(r *request, on plugins.On) (int, any, error) {
	body, err := r.body()
	if err != nil {
		return 0, nil, err
	}
	var given models.Params
	if len(strings.TrimSpace(string(body))) > 0 {
		if tooDeep(body) {
			return 0, nil, models.Problem(models.BadRequest, on.Kind, r.id(), deep)
		}
		if err := json.Unmarshal(body, &given); err != nil {
			return 0, nil, models.Problem(models.BadRequest, on.Kind, r.id(), "the body must be a JSON object of params")
		}
	}
	answer, err := a.Plugins.Invoke(r.ctx, on, r.Param("action"), r.query.Get("plugin"), given)
	return http.StatusOK, rawJSON(answer), err
}

// uploadProvider takes the program of a plugin provider: the body as it is, or the part "file" of a
// form.
func (a *API) uploadProvider(r *request) (int, any, error) {
	program, err := r.upload()
	if err != nil {
		return 0, nil, err
	}
	done, err := a.Plugins.Upload(r.ctx, r.id(), program, r.flag("replaceWritable"))
	return http.StatusCreated, done, err
}

func (a *API) removeProvider(r *request) (int, any, error) {
	e, err := a.Plugins.Remove(r.ctx, r.id())
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, rawJSON(e.Raw), nil
}

func (a *API) providerProgram(r *request) (int, any, error) {
	f, err := a.Plugins.Program(r.ctx, r.id())
	if err != nil {
		return 0, nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return 0, nil, err
	}
	r.Context.DataFromReader(http.StatusOK, st.Size(), "application/octet-stream", f, nil)
	return http.StatusOK, nil, nil
}
