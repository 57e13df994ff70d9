package api

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"

	"drp/models"
	"drp/server/content"
)

func (a *API) info(r *request) (int, any, error) { return http.StatusOK, a.infoFor(r), nil }

// infoFor is what the server says of itself to a caller: of the objects that exist for him.
func (a *API) infoFor(r *request) models.Info {
	info := a.Info(r.local())
	for i, s := range info.Stats {
		if kind, ok := strings.CutSuffix(s.Name, ".count"); ok && r.actor.Limited(kind) {
			info.Stats[i].Count = a.Objects.Count(r.actor, kind)
		}
	}
	return info
}

// objectTypes lists the kinds that can be asked for.
func (a *API) objectTypes(r *request) (int, any, error) {
	names := []string{}
	for _, k := range a.Objects.View().Kinds() {
		if !k.Internal && !k.Given {
			names = append(names, k.Name)
		}
	}
	slices.Sort(names)
	return http.StatusOK, names, nil
}

func (a *API) indexes(r *request) (int, any, error) {
	all := map[string]map[string]models.Index{}
	for _, k := range a.Objects.View().Kinds() {
		if !k.Internal {
			all[k.Name] = k.Indexes()
		}
	}
	all[models.InterfaceKind.Name] = models.InterfaceKind.Indexes()
	return http.StatusOK, all, nil
}

// baseIndexes are those of a kind that is not known.
func baseIndexes() map[string]models.Index {
	k, _ := models.KindOf("profiles")
	base := maps.Clone(k.Indexes())
	for name := range base {
		if !slices.Contains([]string{"Key", "Valid", "Available", "ReadOnly", "Bundle"}, name) {
			delete(base, name)
		}
	}
	return base
}

func (a *API) indexesOf(r *request) (int, any, error) {
	return http.StatusOK, a.indexesFor(r.Param("type")), nil
}

func (a *API) indexesFor(kind string) map[string]models.Index {
	if k, ok := a.Objects.View().KindOf(kind); ok {
		return k.Indexes()
	}
	if kind == models.InterfaceKind.Name {
		return models.InterfaceKind.Indexes()
	}
	return baseIndexes()
}

func (a *API) index(r *request) (int, any, error) {
	return http.StatusOK, a.indexesFor(r.Param("type"))[r.key()], nil
}

func (a *API) getPrefs(r *request) (int, any, error) {
	if err := r.actor.Require("preferences", "list", ""); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, a.prefsOf(r), nil
}

// prefsOf are the preferences that exist for the caller.
func (a *API) prefsOf(r *request) map[string]string {
	all := a.Prefs.All(r.actor)
	maps.DeleteFunc(all, func(name, _ string) bool { return !r.actor.Within("preferences", name, name) })
	return all
}

func (a *API) setPrefs(r *request) (int, any, error) {
	if err := r.actor.Require("preferences", "post", ""); err != nil {
		return 0, nil, err
	}
	body, err := r.json()
	if err != nil {
		return 0, nil, err
	}
	var set map[string]string
	if err := json.Unmarshal(body, &set); err != nil {
		return 0, nil, models.Problem(models.BadRequest, "prefs", "", "the body must be a JSON object of strings: "+err.Error())
	}
	for name := range set {
		if !r.actor.Within("preferences", name, name) {
			return 0, nil, models.Problem(models.Invalid, "prefs", "", "Unknown Preference "+name)
		}
	}
	if err := a.Prefs.Set(r.ctx, set); err != nil {
		return 0, nil, err
	}
	return http.StatusCreated, a.prefsOf(r), nil
}

func (a *API) listContents(r *request) (int, any, error) {
	list, err := a.Content.List(r.ctx)
	return http.StatusOK, list, err
}

func (a *API) getContent(r *request) (int, any, error) {
	pack, err := a.Content.Show(r.ctx, r.id())
	return http.StatusOK, pack, err
}

func (a *API) createContent(r *request) (int, any, error) {
	pack, err := r.pack()
	if err != nil {
		return 0, nil, err
	}
	sum, err := a.Content.Create(r.ctx, pack, r.flag("replaceWritable"))
	return http.StatusCreated, sum, err
}

func (a *API) putContent(r *request) (int, any, error) {
	pack, err := r.pack()
	if err != nil {
		return 0, nil, err
	}
	sum, err := a.Content.Replace(r.ctx, r.id(), pack, r.flag("replaceWritable"))
	return http.StatusOK, sum, err
}

func (a *API) removeContent(r *request) (int, any, error) {
	return http.StatusNoContent, nil, a.Content.Destroy(r.ctx, r.id())
}

// pack reads a content pack, as JSON or YAML.
func (r *request) pack() (*models.Content, error) {
	body, err := r.body()
	if err != nil {
		return nil, err
	}
	pack, err := content.Parse(body)
	if err != nil {
		return nil, err
	}
	for kind, section := range pack.Sections {
		for key, raw := range section {
			if tooDeep(raw) {
				return nil, models.Problem(models.BadRequest, "contents", pack.Meta.Name, kind+" "+key+": "+deep)
			}
		}
	}
	return pack, nil
}
