package api

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"strings"
	"time"

	"drp/models"
	"drp/server/auth"
	"drp/server/events"
	"drp/server/logs"
	"drp/server/objects"

	"github.com/gin-gonic/gin"
)

func (r *request) ttl() (time.Duration, error) {
	return auth.ParseTTL(r.query.Get("ttl"))
}

func (a *API) userToken(r *request) (int, any, error) {
	if err := r.actor.Require("users", "token", r.id()); err != nil {
		return 0, nil, err
	}
	if _, ok := a.Objects.View().Get("users", r.id()); !ok {
		return 0, nil, models.MissingError("users", r.id())
	}
	ttl, err := r.ttl()
	if err != nil {
		return 0, nil, named(err, "users", r.id())
	}
	ask := auth.Request{TTL: ttl, Scope: r.query.Get("scope"), Action: r.query.Get("action"), Specific: r.query.Get("specific")}
	if roles := r.query.Get("roles"); roles != "" {
		ask.Roles = strings.Split(roles, ",")
	}
	token, err := a.Auth.UserToken(r.who, r.id(), ask)
	if _, _, password := r.Request.BasicAuth(); password && err == nil {
		host, _, _ := net.SplitHostPort(r.Request.RemoteAddr)
		a.Log.Log(r.ctx, logs.Audit, "Authenticated user "+r.id()+" from "+host, logs.ServiceKey, "frontend", logs.PrincipalKey, r.actor.Name)
	}
	return a.tokenAnswer(r, token, err)
}

// named says which object an error from below is about.
func named(err error, kind, key string) error {
	var e *models.Error
	if !errors.As(err, &e) || e.Model != "" {
		return err
	}
	out := *e
	out.Model, out.Key = kind, key
	return &out
}

func (a *API) machineToken(r *request) (int, any, error) {
	e, err := a.Objects.Get(r.ctx, "machines", r.id())
	if err != nil {
		return 0, nil, err
	}
	if err := r.actor.Require("machines", "token", e.Object.Key()); err != nil {
		return 0, nil, err
	}
	ttl, err := r.ttl()
	if err != nil {
		return 0, nil, named(err, "machines", r.id())
	}
	token, err := a.Auth.MachineToken(r.who, e.Object.Key(), ttl)
	return a.tokenAnswer(r, token, err)
}

func (a *API) tokenAnswer(r *request, token string, err error) (int, any, error) {
	if err != nil {
		return 0, nil, err
	}
	info, err := models.Marshal(a.Info(r.local()))
	return http.StatusOK, models.UserToken{Token: token, Info: info}, err
}

// setPassword also ends the tokens the user has: whoever knew the old password is out.
func (a *API) setPassword(r *request) (int, any, error) {
	body, err := r.json()
	if err != nil {
		return 0, nil, err
	}
	var ask struct{ Password string }
	if err := json.Unmarshal(body, &ask); err != nil {
		return 0, nil, models.Problem(models.BadRequest, "users", r.id(), "the body must be {\"Password\": \"...\"}")
	}
	if ask.Password == "" {
		return 0, nil, models.Problem(models.Invalid, "users", r.id(), "the password is empty").Typed("ValidationError")
	}
	if e, ok := a.Objects.View().Get("users", r.id()); !ok || !r.actor.May("users", "password", r.id()) && !r.actor.Visible(e.Object) {
		return 0, nil, models.MissingError("users", r.id())
	}
	if err := r.actor.Require("users", "password", r.id()); err != nil {
		return 0, nil, err
	}
	hash, err := a.Auth.Hash(r.ctx, ask.Password)
	if err != nil {
		return 0, nil, err
	}
	secret := models.NewSecret(16)
	var after *objects.Entry
	_, err = a.Objects.Do(r.ctx, false, func(tx *objects.Tx) error {
		e, ok := tx.Get("users", r.id())
		if !ok {
			return models.MissingError("users", r.id())
		}
		u := e.Clone().(*models.User)
		u.PasswordHash, u.Secret = hash, secret
		if err := tx.Update(u); err != nil {
			return err
		}
		after, _ = tx.Get("users", r.id())
		return nil
	})
	return http.StatusOK, after, err
}

// socket upgrades to the event websocket. Browsers cannot set headers there, so a token may
// stand in the query, in any letter case.
func (a *API) socket(c *gin.Context) {
	if c.GetHeader("Authorization") == "" {
		for name, values := range c.Request.URL.Query() {
			if strings.EqualFold(name, "token") {
				c.Request.Header.Set("Authorization", "Bearer "+values[0])
				if user, password, ok := strings.Cut(values[0], ":"); ok {
					c.Request.SetBasicAuth(user, password)
				}
			}
		}
	}
	who, err := a.identify(c)
	if err != nil {
		a.fail(c, err)
		return
	}
	if endpoint := c.Param("endpoint"); endpoint != "" && !a.self(endpoint) {
		a.fail(c, notForwarded(endpoint))
		return
	}
	if strings.HasPrefix(who.Name, "profile:") {
		a.fail(c, models.Problem(models.Forbidden, "", "", "the token is for one profile only").Typed("AUTH"))
		return
	}
	c.Set(principalKey, who.Name)
	if err := a.Guard.stream(who.Name); err != nil {
		a.fail(c, err)
		return
	}
	defer a.Guard.sockets.Leave(who.Name)
	may := who.Claims.Allow
	if token, ok := strings.CutPrefix(c.GetHeader("Authorization"), "Bearer "); ok {
		// A connection lives long: what it may see ends with the token's secrets and roles.
		may = func(scope, action, specific string) bool {
			now, err := a.Auth.Token(token)
			return err == nil && now.Claims.Allow(scope, action, specific)
		}
	}
	a.Events.Serve(c.Writer, c.Request, may, who.Expires)
}

func (a *API) post(e models.Event) { a.Events.Publish(&events.Message{Event: e, AuthKey: e.Key}) }
