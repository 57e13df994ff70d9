package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"drp/models"
	"drp/server/auth"

	"github.com/gin-gonic/gin"
)

// lines are the newest lines of the server's log. They tell of everybody's doings, so that they
// have a claim of their own.
func (a *API) lines(r *request) (int, any, error) {
	if err := r.actor.Require("logs", "get", ""); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, a.Lines(), nil
}

// purgeJobs deletes old jobs (api.md 10.2): by the query, or by the preferences if it says nothing.
func (a *API) purgeJobs(r *request) (int, any, error) {
	p := a.Purge()
	p.Machine, p.DryRun = r.query.Get("machine"), r.flag("dryrun")
	if id := p.Machine; id != "" {
		e, ok := a.Objects.View().Find("machines", id)
		if !ok || !r.actor.Visible(e.Object) {
			return 0, nil, models.MissingError("machines", id)
		}
		p.Machine = e.Object.Key()
	}
	if r.query.Has("jobsToKeep") || r.query.Has("failedJobsPurgedAfter") || r.query.Has("completeJobsPurgedAfter") {
		p.Keep, p.Failed, p.Complete = 0, 0, 0
		if text := r.query.Get("jobsToKeep"); text != "" {
			if _, err := fmt.Sscanf(text+"\n", "%d\n", &p.Keep); err != nil || p.Keep < 0 {
				return 0, nil, models.Problem(models.BadRequest, "jobs", "", "jobsToKeep must be a number of jobs, not "+text)
			}
		}
		for name, to := range map[string]*int{"failedJobsPurgedAfter": &p.Failed, "completeJobsPurgedAfter": &p.Complete} {
			if text := r.query.Get(name); text != "" {
				d, err := auth.ParseTTL(text)
				if err != nil || d < 0 {
					return 0, nil, models.Problem(models.BadRequest, "jobs", "", name+" must be a duration such as 30d, or a number of seconds, not "+text)
				}
				*to = int(d / time.Second)
			}
		}
	}
	if err := r.actor.Require("jobs", "delete", p.Machine); err != nil {
		return 0, nil, err
	}
	done, err := a.Jobs.Purge(r.ctx, p)
	return http.StatusOK, done, err
}

// consensus answers for a server that stands alone (api.md 8.6).
func (a *API) consensus(r *request) (int, any, error) {
	if err := r.actor.Require("system", "replicate", ""); err != nil {
		return 0, nil, err
	}
	info := a.Info(r.local())
	switch what := r.key(); what {
	case "id", "leader", "active":
		return http.StatusOK, info.HaId, nil
	case "peers":
		return http.StatusOK, []struct{}{}, nil
	case "state", "fullstate", "introduction":
		return http.StatusOK, info.ClusterState, nil
	default:
		return 0, nil, models.Problem(models.NotFound, "", r.Request.URL.Path, "No route")
	}
}

// alone refuses what only several servers together can do, and says why.
func (a *API) alone(action, why string) handler {
	return func(r *request) (int, any, error) {
		if err := r.actor.Require("system", action, ""); err != nil {
			return 0, nil, err
		}
		return 0, nil, models.Problem(models.Conflict, "system", "", why)
	}
}

// activate makes this server the one that works, which it is already.
func (a *API) activate(r *request) (int, any, error) {
	if err := r.actor.Require("system", "active", ""); err != nil {
		return 0, nil, err
	}
	body, err := r.body()
	if text := strings.TrimSpace(string(body)); err == nil && text != "" && text != "{}" && text != "null" {
		err = models.Problem(models.BadRequest, "system", "", "active takes no body")
	}
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, a.Info(r.local()).ClusterState, nil
}

const (
	standsAlone = "this server stands alone: there is no other to hand over to, and none can join"
	noUpgrade   = "this server does not replace itself: put the new drp-server in the place of the old one and restart it; " +
		"its data is brought up to date at the start (drp-server backup before is wise)"
)

// tables tells how many objects of each kind there are, and their indexes: what upstream's
// debugging aid shows.
func (a *API) tables(r *request) (int, any, error) {
	if err := r.actor.Require("system", "debug", ""); err != nil {
		return 0, nil, err
	}
	type table struct {
		Count   int
		Rev     uint64
		Indexes map[string]models.Index
	}
	v, all := a.Objects.View(), map[string]table{}
	for _, k := range models.Kinds {
		if !k.Internal {
			all[k.Name] = table{v.Len(k.Name), v.Rev, k.Indexes()}
		}
	}
	if of := r.Param("type"); of != "" {
		one, ok := all[of]
		if !ok {
			return 0, nil, models.Problem(models.NotFound, "", r.Request.URL.Path, "No such kind")
		}
		return http.StatusOK, one, nil
	}
	return http.StatusOK, all, nil
}

// forwarded splits the path of a request to another server through this one,
// /ENDPOINT/api/v3/…, as a manager of several servers takes it.
func forwarded(path string) (endpoint, rest string, ok bool) {
	endpoint, rest, ok = strings.Cut(strings.TrimPrefix(path, "/"), "/")
	rest = "/" + rest
	return endpoint, rest, ok && endpoint != "" && endpoint != "api" && (rest == "/api/v3" || strings.HasPrefix(rest, "/api/v3/"))
}

// self tells whether this server goes by the name.
func (a *API) self(endpoint string) bool {
	info := a.Info(nil)
	return slices.Contains([]string{info.Id, info.LocalId, info.HaId}, endpoint)
}

func notForwarded(endpoint string) error {
	return models.Problem(models.NotFound, "endpoints", endpoint,
		fmt.Sprintf("this server forwards to no other, and is not called %s (see id in GET /info); ask %s itself, or leave the prefix out", endpoint, endpoint))
}

// elsewhere answers what no route is for: a request to this server under its own name is taken
// without it, one for another server is refused with the reason. What is outside the API is looked
// for among what the file ports serve, which is for everybody: the scripts by which machines join
// fetch drpcli from the port that they have been told of, which is this one.
func (a *API) elsewhere(serve http.Handler) gin.HandlerFunc {
	return func(c *gin.Context) {
		path := c.Request.URL.Path
		endpoint, rest, ok := forwarded(path)
		switch {
		case ok && a.self(endpoint):
			c.Request.URL.Path, c.Request.URL.RawPath = rest, ""
			serve.ServeHTTP(c.Writer, c.Request)
		case ok:
			a.fail(c, a.Guard.refuse(c.Request, notForwarded(endpoint)))
		case a.Static != nil && !strings.HasPrefix(path, "/api/") && a.serveStatic(c):
		default:
			a.fail(c, a.Guard.refuse(c.Request, models.Problem(models.NotFound, "", path, "No route")))
		}
	}
}
