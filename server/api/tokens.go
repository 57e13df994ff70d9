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
	user, err := a.mayAsUser(r, "token")
	if err != nil {
		return 0, nil, err
	}
	ttl, err := r.ttl()
	if err != nil {
		return 0, nil, named(err, "users", r.id())
	}
	ask := auth.Request{TTL: ttl, Scope: r.query.Get("scope"), Action: r.query.Get("action"), Specific: r.query.Get("specific")}
	if roles := r.query.Get("roles"); roles != "" {
		ask.Roles = strings.Split(roles, ",")
	}
	token, err := a.Auth.UserToken(r.who, user, ask)
	if _, _, password := r.Request.BasicAuth(); password && err == nil {
		host, _, _ := net.SplitHostPort(r.Request.RemoteAddr)
		a.Log.Log(r.ctx, logs.Audit, "Authenticated user "+user+" from "+host, logs.ServiceKey, "frontend", logs.PrincipalKey, r.actor.Name)
	}
	return a.tokenAnswer(r, token, err)
}

// mayAsUser names the user that a route is about, when the caller may do something with it. One
// that it neither may do that with nor see is not there.
func (a *API) mayAsUser(r *request, action string) (name string, err error) {
	e, ok := a.Objects.View().Find("users", r.id())
	if !ok || !r.actor.Exists(e.Object) || !r.actor.May("users", action, e.Object.Key()) && !r.actor.Visible(e.Object) {
		return "", models.MissingError("users", r.id())
	}
	return e.Object.Key(), r.actor.Require("users", action, e.Object.Key())
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
	info, err := models.Marshal(a.infoFor(r))
	return http.StatusOK, models.UserToken{Token: token, Info: info}, err
}

// endToken ends the token that the request carries, for good: no route takes it from now on, and the
// event streams that were opened with it are cut. Whoever has a token may end it, whatever else it
// allows. Other tokens live on, those that were granted with it too.
func (a *API) endToken(r *request) (int, any, error) {
	e, ok := a.Objects.View().Find("users", r.id())
	holder := ok && r.who.Name == "user:"+e.Object.Key()
	switch {
	case !ok, !holder && !r.actor.Visible(e.Object):
		return 0, nil, models.MissingError("users", r.id())
	case !holder:
		return 0, nil, models.Problem(models.Forbidden, "users", r.id(), "a token is ended by who holds it; this request carries one of "+r.who.Name).Typed("AUTH")
	}
	scheme, token, _ := strings.Cut(strings.TrimSpace(r.GetHeader("Authorization")), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return 0, nil, models.Problem(models.BadRequest, "users", r.id(), "the request carries a password; only a token can be ended")
	}
	sum := auth.Sum(token)
	_, err := a.Objects.Do(objects.WithActor(r.ctx, objects.System), false, func(tx *objects.Tx) error {
		return a.noteEnded(tx, &models.EndedToken{Sum: sum, Expires: r.who.Expires.UTC()})
	})
	if err != nil {
		return 0, nil, err
	}
	a.Events.End(sum)
	host, _, _ := net.SplitHostPort(r.Request.RemoteAddr)
	a.Log.Log(r.ctx, logs.Audit, "Signed out user "+e.Object.Key()+" from "+host, logs.ServiceKey, "frontend", logs.PrincipalKey, r.actor.Name)
	return http.StatusNoContent, nil, nil
}

// noteEnded notes a token that was ended, and forgets those that have expired since.
func (a *API) noteEnded(tx *objects.Tx, token *models.EndedToken) error {
	now, over := a.Now(), []string{}
	for e := range tx.All("ended_tokens") {
		if t := e.Object.(*models.EndedToken); t.Expires.Before(now) {
			over = append(over, t.Sum)
		}
	}
	for _, sum := range over {
		if err := tx.Delete("ended_tokens", sum); err != nil {
			return err
		}
	}
	if _, again := tx.Get("ended_tokens", token.Sum); again {
		return nil
	}
	return tx.Create(token)
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
	user, err := a.mayAsUser(r, "password")
	if err != nil {
		return 0, nil, err
	}
	hash, err := a.Auth.Hash(r.ctx, ask.Password)
	if err != nil {
		return 0, nil, err
	}
	secret := models.NewSecret(16)
	var after *objects.Entry
	_, err = a.Objects.Do(r.ctx, false, func(tx *objects.Tx) error {
		e, ok := tx.Get("users", user)
		if !ok {
			return models.MissingError("users", r.id())
		}
		u := e.Clone().(*models.User)
		u.PasswordHash, u.Secret = hash, secret
		if err := tx.Update(u); err != nil {
			return err
		}
		after, _ = tx.Get("users", user)
		return nil
	})
	return http.StatusOK, after, err
}

// socket upgrades to the event websocket. Browsers cannot set headers there, so a token may
// stand among the subprotocols, where no log and no history of addresses sees it, or in the query,
// in any letter case.
func (a *API) socket(c *gin.Context) {
	if token, ok := events.TokenOf(c.Request); ok && c.GetHeader("Authorization") == "" {
		c.Request.Header.Set("Authorization", "Bearer "+token)
	}
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
	// A connection lives long: what it may see ends with the secrets, the roles and the tenant. With
	// a password they are followed by way of a token, which is told to nobody.
	scheme, token, _ := strings.Cut(strings.TrimSpace(c.GetHeader("Authorization")), " ")
	if user, named := strings.CutPrefix(who.Name, "user:"); named && !strings.EqualFold(scheme, "bearer") {
		if token, err = a.Auth.UserToken(who, user, auth.Request{TTL: auth.InfiniteTTL}); err != nil {
			a.fail(c, err)
			return
		}
	}
	sees := func(m *events.Message) bool {
		now, err := a.Auth.Token(token)
		return err == nil && a.sees(a.actor(now), m)
	}
	good := func() bool { _, err := a.Auth.Token(token); return err == nil }
	a.Events.Serve(c.Writer, c.Request, events.Viewer{Sees: sees, Expires: who.Expires, Token: auth.Sum(token), Good: good})
}

// sees: events about objects are for those who may get the object; posted ones are for all who
// may post, within what their tenants let them see.
func (a *API) sees(actor objects.Actor, m *events.Message) bool {
	e := &m.Event
	if m.Scope != "" {
		return actor.May(m.Scope, "get", "")
	}
	may := actor.May("events", "post", "") || actor.May("events", "post", e.Key)
	if e.Rev > 0 {
		may = actor.May(e.Type, "get", m.AuthKey)
	}
	return may && (actor.Within(e.Type, e.Key, m.AuthKey) || actor.In(m.Left))
}

func (a *API) post(e models.Event) { a.Events.Publish(&events.Message{Event: e, AuthKey: e.Key}) }
