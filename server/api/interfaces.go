package api

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"drp/models"
	"drp/server/objects"
)

// The network interfaces of the host are asked of it anew for each request: nobody can change them
// here, and nothing tells when they change.

// hostInterfaces are all interfaces.
func (a *API) hostInterfaces(r *request) ([]models.Object, error) {
	if r.query.Get("at") != "" {
		return nil, models.Problem(models.BadRequest, models.InterfaceKind.Name, "", "interfaces are those the host has now: there is no history of them")
	}
	all, err := a.Interfaces()
	list := make([]models.Object, len(all))
	for i := range all {
		list[i] = all[i]
	}
	return list, err
}

// searchInterfaces finds what a list request asks for among all of them.
func (a *API) searchInterfaces(r *request, all []models.Object) ([]*objects.Entry, error) {
	q, err := models.ParseQuery(models.InterfaceKind, r.query)
	if err != nil {
		return nil, err
	}
	return r.counted(a.Objects.ListOf(r.ctx, models.InterfaceKind, all, q))
}

func (a *API) listInterfaces(r *request) (int, any, error) {
	all, err := a.hostInterfaces(r)
	if err != nil {
		return 0, nil, err
	}
	found, err := a.searchInterfaces(r, all)
	if err != nil {
		return 0, nil, err
	}
	return a.show(r, found)
}

func (a *API) countInterfaces(r *request) (int, any, error) {
	all, err := a.hostInterfaces(r)
	if err != nil {
		return 0, nil, err
	}
	if _, err := a.searchInterfaces(r, all); err != nil {
		return 0, nil, err
	}
	_, total, err := a.Objects.ListOf(r.ctx, models.InterfaceKind, all, models.Query{})
	r.Header("X-DRP-LIST-TOTAL-COUNT", strconv.Itoa(total))
	return http.StatusOK, nil, err
}

// getInterface shows one; its ETag is made of what is shown. A request that waits for a change is
// answered at once.
func (a *API) getInterface(r *request) (int, any, error) {
	list, err := a.hostInterfaces(r)
	if err != nil {
		return 0, nil, err
	}
	name := r.id()
	if field, value, ok := strings.Cut(name, ":"); ok && (field == "Key" || field == "Name") {
		name = value
	}
	i := slices.IndexFunc(list, func(o models.Object) bool { return o.Key() == name })
	if i < 0 || !r.actor.Visible(list[i]) {
		return 0, nil, models.Problem(models.NotFound, models.InterfaceKind.Name, r.id(), "No interface")
	}
	raw, err := models.Marshal(list[i])
	tag := fmt.Sprintf(`"%x"`, sha256.Sum256(raw))
	r.Header("ETag", tag)
	if unchanged(r.Request.Header, tag) {
		return http.StatusNotModified, nil, err
	}
	return http.StatusOK, rawJSON(raw), err
}
