package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"drp/models"
	"drp/server/auth"
	"drp/server/objects"
	"drp/server/prefs"
)

// whoami tells a host which machine it most resembles, and gives it the token of that machine.
func (a *API) whoami(r *request) (int, any, error) {
	if err := r.actor.Require("machines", "whoami", ""); err != nil {
		return 0, nil, err
	}
	body, err := r.json()
	if err != nil {
		return 0, nil, err
	}
	w := &models.Whoami{}
	if err := json.Unmarshal(body, w); err != nil {
		return 0, nil, models.Problem(models.BadRequest, "whoami", "", "the body must be what a host knows of itself: "+err.Error())
	}
	w.Normalize()
	w.Result = models.WhoamiResult{}
	host := w.Likeness()
	for m := range objects.All[*models.Machine](a.Objects.View()) {
		if score := host.Score(m); score > w.Result.Score && r.actor.Exists(m) {
			w.Result.Score, w.Result.Uuid = score, m.Uuid
		}
	}
	if w.Result.Uuid == "" {
		return http.StatusOK, w, nil
	}
	w.Result.Token, err = a.tokenOfHost(r, w.Result.Uuid)
	return http.StatusOK, w, err
}

// tokenOfHost is the token of the machine that a host is. A host that nothing was known of gets it
// from the server, as by a template that is rendered for the machine; all others hand on no more
// than they have.
func (a *API) tokenOfHost(r *request, uuid string) (string, error) {
	grantor := r.who
	if r.actor.Name == "unknown" {
		grantor = auth.System()
	}
	seconds, _ := strconv.Atoi(prefs.Get(a.Objects.View(), prefs.KnownTokenTimeout)) // checked when it was set
	return a.Auth.MachineToken(grantor, uuid, time.Duration(seconds)*time.Second)
}
