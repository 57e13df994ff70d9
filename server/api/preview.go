package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"

	"drp/models"
	"drp/server/objects"
	"drp/server/render"
)

// previewed are the kinds that have templates of their own.
var previewed = []string{"tasks", "stages", "bootenvs"}

// preview renders what a machine would get. Who may see both may ask; of a text that stands nowhere
// yet, only what he may see is rendered into it.
func (a *API) preview(r *request) (int, any, error) {
	m, err := a.Objects.Get(r.ctx, "machines", r.id())
	if err != nil {
		return 0, nil, err
	}
	if err := r.mayDecode(m.Object); err != nil {
		return 0, nil, err
	}
	p, err := r.whatToPreview()
	if err != nil {
		return 0, nil, err
	}
	sees := func(o models.Object) bool {
		return r.actor.Visible(o) && r.actor.May(o.Kind(), "get", objects.AuthKey(o))
	}
	ask := render.Ask{Machine: m, Templates: p.Templates, OS: p.OS, Addr: host(r.local()), Clear: r.flag("decode")}
	if p.Kind != "" {
		owner, err := a.Objects.Get(r.ctx, p.Kind, p.Key)
		if err != nil {
			return 0, nil, err
		}
		ask.Owner = owner.Object
	}
	if p.Templates != nil {
		ask.Sees = sees
	}
	v := a.Objects.View()
	list, err := a.Render.Preview(r.ctx, v, ask)
	for i := range list {
		if e := list[i].Error; e != nil && e.Kind == "templates" {
			if t, ok := v.Get(e.Kind, e.Key); !ok || !sees(t.Object) {
				e.Source = ""
			}
		}
	}
	return http.StatusOK, list, err
}

// whatToPreview reads the body.
func (r *request) whatToPreview() (*models.Preview, error) {
	body, err := r.json()
	if err != nil {
		return nil, err
	}
	refuse := func(text string) (*models.Preview, error) {
		return nil, models.Problem(models.BadRequest, "", "", text)
	}
	var p models.Preview
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	if err := d.Decode(&p); err != nil {
		return refuse(`the body must say what to preview, such as {"Kind": "tasks", "Key": "greet"}: ` + err.Error())
	}
	switch {
	case p.Kind == "" && p.Templates == nil:
		return refuse("the body must have Kind and Key, or Templates")
	case p.Kind != "" && !slices.Contains(previewed, p.Kind):
		return refuse("Kind is tasks, stages or bootenvs, not " + p.Kind + "; the text of a template goes into Templates")
	case p.Kind == "" && p.Key != "":
		return refuse("Kind is missing")
	}
	return &p, nil
}
