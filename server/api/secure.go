package api

import (
	"net/http"

	"drp/models"
	"drp/server/objects"
)

// reader is the state that an answer is made from: secure params stand in it in clear when the query
// asks for that. That the caller may see them must have been made sure of.
func (a *API) reader(r *request) objects.Reader {
	if r.flag("decode") {
		return a.Params.Reader(a.Objects.View())
	}
	return a.Objects.View()
}

// mayDecode checks that the caller may see the secure params of an object, if he asks for them.
func (r *request) mayDecode(o models.Object) error {
	if _, holder := o.(models.ParamHolder); !holder || !r.flag("decode") {
		return nil
	}
	return r.mayOpen("getSecure", o)
}

// mayOpen checks for a claim on the secure params of an object; the error names it as the URL does.
func (r *request) mayOpen(action string, o models.Object) error {
	if r.actor.May(o.Kind(), action, objects.AuthKey(o)) {
		return nil
	}
	return models.Problem(models.Forbidden, "", "", "Requires: "+o.Kind()+" "+action+" "+r.id()).Typed("AUTH")
}

// pubkey is what values of secure params of the object are sealed with.
func (a *API) pubkey(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		e, err := a.Objects.Get(r.ctx, k.Name, r.id())
		if err != nil {
			return 0, nil, err
		}
		if err := r.mayOpen("updateSecure", e.Object); err != nil {
			return 0, nil, err
		}
		key, err := a.Params.PublicKey(r.ctx, e.Object.(models.ParamHolder))
		return http.StatusOK, key, err
	}
}
