package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"drp/models"
	"drp/server/objects"
)

// jobHeader is where the drp of a task's script says which job it works for.
const jobHeader = "X-DRP-Job"

// forJob notes in the context of a write for which job it is made: the one that the token is for,
// or the one that the header names. History is not to be told fairy tales: a job that is not
// there, has ended, or is not that of the machine whose token it is, is not noted.
func (a *API) forJob(ctx context.Context, who, header string) context.Context {
	if uuid, ok := strings.CutPrefix(who, "job:"); ok {
		return objects.WithJob(ctx, uuid)
	}
	if header == "" {
		return ctx
	}
	job, ok := objects.Get[*models.Job](a.Objects.View(), strings.ToLower(header))
	if !ok || !job.Current || job.State.Final() {
		return ctx
	}
	if machine, ok := strings.CutPrefix(who, "machine:"); ok && machine != job.Machine {
		return ctx
	}
	return objects.WithJob(ctx, job.Uuid)
}

// forAgent is the context of an agent's report of the job that a request is about.
func (a *API) forAgent(r *request) context.Context {
	if strings.HasPrefix(r.actor.Name, "machine:") {
		return a.forJob(r.ctx, r.actor.Name, r.id())
	}
	return r.ctx
}

// moreHistory is the header that says where to go on when there may be more history: the value
// for to, or for from when the oldest come first.
const moreHistory = "X-DRP-HISTORY-NEXT"

// How many entries an answer has that is not told, and at most.
const (
	usualEntries = 100
	mostEntries  = 10_000
)

// historyQuery reads what stands in the query; others are the names that may stand there besides.
// It is false when nothing can be selected.
func (a *API) historyQuery(r *request, others ...string) (q objects.HistoryQuery, some bool, err error) {
	bad := func(text string, args ...any) (objects.HistoryQuery, bool, error) {
		return q, false, models.Problem(models.BadRequest, "history", "", fmt.Sprintf(text, args...))
	}
	for name, values := range r.query {
		if !slices.Contains(append(others, "who", "job", "from", "since", "to", "limit", "oldest"), name) {
			return bad("history knows no %q", name)
		}
		if len(values) > 1 {
			return bad("%q is given %d times", name, len(values))
		}
	}
	q = objects.HistoryQuery{
		Kind: r.query.Get("kind"), Key: r.query.Get("key"), Limit: usualEntries, Oldest: r.flag("oldest"),
		Who: objects.Principal(r.query.Get("who")), Job: strings.ToLower(r.query.Get("job")),
	}
	if text := r.query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > mostEntries {
			return bad("limit must be a number from 1 to %d, not %s", mostEntries, text)
		}
		q.Limit = n
	}
	from := r.query.Get("from")
	if since := r.query.Get("since"); since != "" && from != "" {
		return bad("from and since mean the same: give one of them")
	} else if from == "" {
		from = since
	}
	if from != "" {
		if q.From, err = a.Objects.Since(r.ctx, from); err != nil {
			return q, false, err
		}
	}
	if text := r.query.Get("to"); text != "" {
		if q.To, err = a.Objects.Moment(r.ctx, text); err != nil || q.To == 0 {
			return q, false, err
		}
	}
	return q, true, nil
}

// history is GET /history.
func (a *API) history(r *request) (int, any, error) {
	q, some, err := a.historyQuery(r, "kind", "key")
	if err != nil || !some {
		return http.StatusOK, []models.HistoryEntry{}, err
	}
	if _, known := a.Objects.View().KindOf(q.Kind); q.Kind != "" && !known {
		return 0, nil, models.Problem(models.BadRequest, "history", "", "there is no kind "+q.Kind)
	}
	if q.Key != "" && q.Kind == "" {
		return 0, nil, models.Problem(models.BadRequest, "history", "", "key needs kind")
	}
	if q.Key != "" {
		return a.entries(r, q, func() ([]models.HistoryEntry, uint64, error) {
			return a.Objects.ObjectHistory(r.ctx, q.Kind, q.Key, q)
		})
	}
	return a.entries(r, q, func() ([]models.HistoryEntry, uint64, error) { return a.Objects.History(r.ctx, q) })
}

// historyOf is GET /KIND/ID/history.
func (a *API) historyOf(k *models.KindInfo) handler {
	return func(r *request) (int, any, error) {
		if _, err := a.Objects.Get(r.ctx, k.Name, r.id()); err != nil && r.narrow() {
			return 0, nil, err // before the query is looked at, as for all others who may not
		}
		q, some, err := a.historyQuery(r)
		if err != nil || !some {
			return http.StatusOK, []models.HistoryEntry{}, err
		}
		return a.entries(r, q, func() ([]models.HistoryEntry, uint64, error) {
			return a.Objects.ObjectHistory(r.ctx, k.Name, r.id(), q)
		})
	}
}

func (a *API) entries(r *request, q objects.HistoryQuery, find func() ([]models.HistoryEntry, uint64, error)) (int, any, error) {
	list, next, err := find()
	if err != nil {
		return 0, nil, err
	}
	if next > 0 {
		r.Header(moreHistory, strconv.FormatUint(next, 10))
	}
	return http.StatusOK, list, nil
}

// at is the revision that the query asks for; false when it asks for the present.
func (a *API) at(r *request) (rev uint64, past bool, err error) {
	text := r.query.Get("at")
	if text == "" {
		return 0, false, nil
	}
	if r.flag("aggregate") || r.flag("decode") {
		return 0, true, models.Problem(models.BadRequest, "", "", "at shows what was stored: it does not go with aggregate or decode")
	}
	rev, err = a.Objects.Moment(r.ctx, text)
	return rev, true, err
}

// getAt is an object as it was.
func (a *API) getAt(r *request, k *models.KindInfo, rev uint64) (int, any, error) {
	e, err := a.Objects.At(r.ctx, k.Name, r.id(), rev)
	if err != nil {
		return 0, nil, err
	}
	raw, err := a.shape(r, e)
	r.Header("ETag", etag(e))
	return http.StatusOK, rawJSON(raw), err
}

// undo is POST /undo.
func (a *API) undo(r *request) (int, any, error) {
	body, err := r.body()
	if err != nil {
		return 0, nil, err
	}
	var ask models.Undo
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields() // what is misspelt would take back more than is meant
	if err := d.Decode(&ask); err != nil {
		return 0, nil, models.Problem(models.BadRequest, "undo", "", "the body must be a JSON object with Rev, Job or Who: "+err.Error())
	}
	ask.Job = strings.ToLower(ask.Job)
	done, err := a.Objects.Undo(r.ctx, ask, r.flag("force"))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, done, nil
}
