package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"drp/models"
	"drp/server/events"
	"drp/server/objects"
)

// waits is who waits just now, at POST /wait or by a long poll for the next version of an object,
// which waits for any change since the one that it has. It is kept here rather than with the predicates: of
// those that are equal only one is evaluated, and it does not matter there who asks.
type waits struct {
	mu   sync.Mutex
	list map[string]*models.Waiting
}

// enter notes that the caller waits; what it returns is to be called when that is over.
func (s *waits) enter(a *API, r *request, w *models.Wait) (leave func()) {
	job := objects.JobOf(a.forJob(r.ctx, r.who.Name, r.GetHeader(jobHeader))) // of a GET it is not known yet
	one := &models.Waiting{Id: models.NewUUID(), Since: a.Now().UTC(), Who: r.actor.Name, Job: job, Wait: *w}
	one.Machine, _ = strings.CutPrefix(r.actor.Name, "machine:")
	if one.Machine == one.Who {
		one.Machine = ""
	}
	if job, ok := objects.Get[*models.Job](a.Objects.View(), one.Job); ok {
		one.Machine = job.Machine
	}
	s.mu.Lock()
	if s.list == nil {
		s.list = map[string]*models.Waiting{}
	}
	s.list[one.Id] = one
	s.mu.Unlock()
	a.tellWait("create", one)
	return func() {
		s.mu.Lock()
		delete(s.list, one.Id)
		s.mu.Unlock()
		a.tellWait("delete", one)
	}
}

// tellWait tells that somebody begins or ends to wait, but not who: that stands in GET /waits only,
// which shows each caller what that one may see.
func (a *API) tellWait(action string, w *models.Waiting) {
	if a.Events.Subscribers() == 0 {
		return
	}
	e := models.Event{Time: a.Now().UTC(), Type: "waits", Action: action, Key: w.Id}
	a.Events.Publish(&events.Message{Event: e, Scope: w.Wait.For.Kind})
}

// listWaits is GET /waits, those who have waited longest first.
func (a *API) listWaits(r *request) (int, any, error) {
	a.waits.mu.Lock()
	list := make([]models.Waiting, 0, len(a.waits.list))
	for _, w := range a.waits.list {
		list = append(list, *w)
	}
	a.waits.mu.Unlock()
	list = slices.DeleteFunc(list, func(w models.Waiting) bool { return !a.seesWait(r, &w) })
	slices.SortFunc(list, func(x, y models.Waiting) int {
		return cmp.Or(x.Since.Compare(y.Since), cmp.Compare(x.Id, y.Id))
	})
	now, cancel := context.WithDeadline(r.ctx, time.Unix(0, 0))
	defer cancel()
	for i := range list {
		if o, err := a.Objects.Wait(now, &list[i].Wait); err == nil { // else it is just over
			list[i].Reason = o.Reason
		}
	}
	return http.StatusOK, list, nil
}

// seesWait tells whether the caller may see all that a wait is about, and who waits.
func (a *API) seesWait(r *request, w *models.Waiting) bool {
	if r.actor.Unlimited() {
		return true
	}
	for _, p := range append([]models.Predicate{w.Wait.For}, w.Wait.Unless...) {
		if !a.seesPart(r, p) {
			return false
		}
	}
	return w.Machine == "" || a.seesObject(r, "machines", w.Machine)
}

func (a *API) seesPart(r *request, p models.Predicate) bool {
	if p.Key == "" {
		return len(r.actor.Tenants) == 0 && r.actor.May(p.Kind, "get", "")
	}
	return a.seesObject(r, p.Kind, p.Key)
}

func (a *API) seesObject(r *request, kind, key string) bool {
	e, ok := a.Objects.View().Find(kind, key)
	return ok && r.actor.Visible(e.Object)
}
