package api

import "drp/models"

// custom serves a request about a kind that a plugin provider defines; as long as none does, there
// is no such route.
func (a *API) custom(h func(*models.KindInfo) handler) handler {
	return func(r *request) (int, any, error) {
		k, ok := a.Objects.View().KindOf(r.Param("kind"))
		if !ok || !k.Custom {
			return 0, nil, a.Guard.refuse(r.Request, models.Problem(models.NotFound, "", r.Request.URL.Path, "No route"))
		}
		return h(k)(r)
	}
}
