// Package api is the door: it turns requests into calls of the rooms and their answers into
// responses. It is the only place that knows HTTP statuses.
package api

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"drp/models"
	"drp/server/auth"
	"drp/server/content"
	"drp/server/events"
	"drp/server/files"
	"drp/server/joblog"
	"drp/server/logs"
	"drp/server/objects"
	"drp/server/params"
	"drp/server/plugins"
	"drp/server/prefs"
	"drp/server/render"
	"drp/server/workflow"

	"github.com/gin-gonic/gin"
)

// API is what the routes work on. All fields are required.
type API struct {
	Objects *objects.Service
	Auth    *auth.Auth
	Prefs   *prefs.Service
	Jobs    *workflow.Jobs
	Pools   *workflow.Pools
	Logs    *joblog.Logs
	Render  *render.Renderer
	Content *content.Service
	Files   *files.Store
	Trees   *files.Trees
	Static  http.Handler // of the file ports; nil: there are none
	UI      fs.FS        // the web UI as it was built; nil: it was not
	Params  *params.Vault
	Plugins *plugins.Service
	Events  *events.Hub
	Guard   *Guard
	Version string // of the server
	Info    func(local net.Addr) models.Info
	Now     func() time.Time
	Log     *slog.Logger
	Lines   func() []models.LogLine // the newest of Log
	Purge   func() models.Purge     // which jobs go by themselves
	// Interfaces are the network interfaces of the host, by name.
	Interfaces func() ([]*models.Interface, error)

	Meter       Meter
	Metrics     http.Handler // what Meter and others have counted
	MetricsOpen bool         // to everybody, not only to those whose token allows it
	// Ready tells why the server cannot do its work, if so, in words for everybody.
	Ready func(context.Context) []string

	Cert, StaticCert *auth.KeyPair // of the API, and of the file port

	profiling sync.Mutex // held while a profile is taken over some time
	waits     waits
}

// request is one request whose sender is known.
type request struct {
	*gin.Context
	ctx   context.Context // carries the actor
	actor objects.Actor
	who   auth.Principal
	query url.Values
}

// handler answers a request: a status, a value to encode (nil: no body), or an error.
type handler func(*request) (int, any, error)

// BodyLimit is the largest request body of a route that names no other, in bytes. An object is
// at most 1 MiB; patches of it carry both its old and its new values.
const BodyLimit = 4 << 20

// id is the object a route is about. Names of params hold slashes.
func (r *request) id() string { return strings.TrimPrefix(r.Param("id"), "/") }

func (r *request) key() string { return strings.TrimPrefix(r.Param("key"), "/") }

func (r *request) flag(name string) bool { return r.query.Get(name) == "true" }

// body reads the whole body.
func (r *request) body() ([]byte, error) {
	b, err := io.ReadAll(r.Request.Body)
	if err != nil {
		return nil, bodyError(err)
	}
	return b, nil
}

// local is the address of this server that the client has reached.
func (r *request) local() net.Addr {
	a, _ := r.Request.Context().Value(http.LocalAddrContextKey).(net.Addr)
	return a
}

// open wraps a route for those whose token or password is good.
func (a *API) open(h handler) gin.HandlerFunc { return a.limited(BodyLimit, h) }

// wide refuses the tokens of profiles: those are for one profile, and see nothing of the server
// at large.
func wide(h handler) handler {
	return func(r *request) (int, any, error) {
		if r.narrow() {
			return 0, nil, models.Problem(models.Forbidden, "", "", "the token is for one profile only").Typed("AUTH")
		}
		return h(r)
	}
}

// once lets clients name their request in the header Idempotency-Key: one that is sent again,
// because its answer was lost, is carried out once and answered as before.
func once(h handler) handler {
	return func(r *request) (int, any, error) {
		name := r.GetHeader("Idempotency-Key")
		if len(name) > maxName {
			return 0, nil, models.Problem(models.BadRequest, "", "", "Idempotency-Key is longer than 128 bytes")
		}
		r.ctx = objects.WithOnce(r.ctx, name)
		return h(r)
	}
}

const maxName = 128

func (r *request) narrow() bool { return strings.HasPrefix(r.actor.Name, "profile:") }

// limited is open with another bound on the body.
func (a *API) limited(bytes int64, h handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		who, err := a.identify(c)
		if err != nil {
			a.fail(c, err)
			return
		}
		c.Set(principalKey, who.Name)
		c.Request.Body = http.MaxBytesReader(c.Writer, c.Request.Body, bytes)
		actor := a.actor(who)
		r := &request{Context: c, actor: actor, who: who, query: c.Request.URL.Query()}
		r.ctx = objects.WithActor(c.Request.Context(), actor)
		if c.Request.Method != http.MethodGet {
			r.ctx = a.forJob(r.ctx, who.Name, c.GetHeader(jobHeader))
		}
		status, value, err := h(r)
		if err != nil {
			a.fail(c, err)
			return
		}
		a.answer(c, status, value)
	}
}

func (a *API) actor(who auth.Principal) objects.Actor {
	return a.Objects.Actor(who.Name, who.Claims, who.Tenants)
}

const principalKey = "principal"

// identify finds out who asks, and whether it may ask so often.
func (a *API) identify(c *gin.Context) (auth.Principal, error) {
	who, err := a.recognize(c)
	if err != nil {
		return who, a.Guard.refuse(c.Request, err)
	}
	return who, a.Guard.admit(c.Request, who.Name)
}

func (a *API) recognize(c *gin.Context) (auth.Principal, error) {
	scheme, cred, _ := strings.Cut(strings.TrimSpace(c.GetHeader("Authorization")), " ")
	cred = strings.TrimSpace(cred)
	switch strings.ToLower(scheme) {
	case "bearer":
		return a.Auth.Token(cred)
	case "basic":
		user, password, ok := c.Request.BasicAuth()
		if !ok {
			return auth.Principal{}, unauthorized("the Basic credentials cannot be read")
		}
		return a.Guard.password(c.Request, a.Auth, user, password)
	case "":
		return auth.Principal{}, unauthorized("a token or a password is needed")
	}
	return auth.Principal{}, unauthorized("unknown kind of credentials; use Bearer or Basic")
}

func unauthorized(message string) error {
	return models.Problem(models.Unauthorized, "", "", message).Typed("AUTH")
}

// answer writes a success. Every answer but HEAD's says it is JSON, an empty one included: the
// clients of Digital Rebar refuse others.
func (a *API) answer(c *gin.Context, status int, value any) {
	if c.Writer.Written() { // streamed by the handler itself
		return
	}
	if status == http.StatusNotModified {
		c.Status(status)
		c.Writer.WriteHeaderNow()
		return
	}
	var body []byte
	switch v := value.(type) {
	case nil:
	case *objects.Entry:
		c.Header("ETag", etag(v))
		body = v.Raw
	case rawJSON:
		body = v
	default:
		var err error
		if body, err = models.Marshal(v); err != nil {
			a.fail(c, err)
			return
		}
	}
	c.Data(status, "application/json", body)
}

// rawJSON is a value that is JSON already.
type rawJSON []byte

// statuses is the one table between classes of errors and HTTP.
var statuses = map[models.Class]int{
	models.Internal:      http.StatusInternalServerError,
	models.BadRequest:    http.StatusBadRequest,
	models.Unauthorized:  http.StatusUnauthorized,
	models.Forbidden:     http.StatusForbidden,
	models.NotFound:      http.StatusNotFound,
	models.NotAcceptable: http.StatusNotAcceptable,
	models.Conflict:      http.StatusConflict,
	models.Invalid:       http.StatusUnprocessableEntity,
	models.TooLarge:      http.StatusRequestEntityTooLarge,
	models.Busy:          http.StatusServiceUnavailable,
	models.TooOften:      http.StatusTooManyRequests,
	models.TooSlow:       http.StatusRequestTimeout,
	models.LongURL:       http.StatusRequestURITooLong,
	models.LongHeader:    http.StatusRequestHeaderFieldsTooLarge,
	models.Full:          http.StatusInsufficientStorage,
	models.Gone:          http.StatusGone,
	models.OutOfRange:    http.StatusRequestedRangeNotSatisfiable,
}

// fail writes the error envelope.
func (a *API) fail(c *gin.Context, err error) {
	var e *models.Error
	if !errors.As(err, &e) {
		e = models.Problem(models.Internal, "", "", err.Error())
		var again *objects.Repeated
		if errors.As(err, &again) {
			e = models.Problem(models.Conflict, again.Kind, again.Key, "a request with this Idempotency-Key has been carried out before; look at the outcome")
		}
		if errors.Is(err, syscall.ENOSPC) {
			e.Class = models.Full
		}
		if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			e.Class = models.Busy
		}
		var large *http.MaxBytesError
		if errors.As(err, &large) || errors.Is(err, os.ErrDeadlineExceeded) {
			e = bodyError(err) // read by another than r.body
		}
	}
	out := *e
	out.Code = statuses[e.Class]
	if out.Type == "" {
		out.Type = c.Request.Method
	}
	if out.Type == "AUTH" && out.Class == models.Forbidden {
		out.Messages = append([]string{"Cannot access " + c.Request.URL.RequestURI()}, out.Messages...)
	}
	if out.Messages == nil {
		out.Messages = []string{}
	}
	if out.Code == http.StatusInternalServerError {
		a.Log.Error("request failed", "method", c.Request.Method, "path", c.Request.URL.Path, "error", err)
	}
	switch out.Class {
	case models.Unauthorized:
		// Basic works too, but is not named: a browser would ask for a password, keep it, and lend
		// it to the pages of other sites.
		c.Header("WWW-Authenticate", `Bearer realm="drp"`)
	case models.Busy:
		c.Header("Retry-After", "1")
	case models.TooOften:
		c.Header("Retry-After", retryAfter(out.RetryAfter))
	case models.TooSlow:
		c.Header("Connection", "close") // the rest of the body may come yet
	}
	body, _ := models.Marshal(out) // strings and numbers only
	c.Data(out.Code, "application/json", body)
}

// wanted is the level of the line about a request: debug, unless somebody who is let in wants to
// find it in the log (X-Log-Request, api.md 1.2).
func wanted(c *gin.Context) slog.Level {
	text := c.GetHeader("X-Log-Request")
	if text == "" || c.GetString(principalKey) == "" {
		return slog.LevelDebug
	}
	if level, ok := logs.Level(text); ok {
		return max(level, slog.LevelInfo)
	}
	return slog.LevelDebug
}

// logged writes one line a request: what, who, how it ended. The query is left out, since it
// may hold a token.
func (a *API) logged(c *gin.Context) {
	start := a.Now()
	defer func() {
		if p := recover(); p != nil {
			a.fail(c, models.Problem(models.Internal, "", c.Request.URL.Path, "internal error; the server's log has more"))
			a.Log.Error("panic in a request", "method", c.Request.Method, "path", c.Request.URL.Path, "panic", p, "stack", stack())
		}
		if ctx, level := c.Request.Context(), wanted(c); a.Log.Enabled(ctx, level) { // what is not logged costs nothing
			a.Log.Log(ctx, level, "request", "method", c.Request.Method, "path", c.Request.URL.Path, "status", c.Writer.Status(),
				"bytes", c.Writer.Size(), logs.PrincipalKey, c.GetString(principalKey), "from", c.Request.RemoteAddr, "took", a.Now().Sub(start))
		}
		if token := c.GetHeader("X-Log-Token"); token != "" && c.GetString(principalKey) != "" {
			a.Log.Error("log token", "token", token[:min(len(token), 200)], logs.PrincipalKey, c.GetString(principalKey))
		}
	}()
	c.Next()
}
