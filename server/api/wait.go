package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"drp/models"
	"drp/server/auth"
	"drp/server/objects"
)

// maxWait bounds how long a request may wait; who wants longer asks again.
const maxWait = 10 * time.Minute

// wait answers when a predicate holds, or when there is no point in waiting any longer. What the
// token no longer allows by then is not told.
func (a *API) wait(r *request) (int, any, error) {
	w, limit, err := r.question()
	if err != nil {
		return 0, nil, err
	}
	for _, p := range append([]models.Predicate{w.For}, w.Unless...) {
		if r.narrow() && !r.own(p) {
			return 0, nil, models.Problem(models.Forbidden, "", "", "the token is for one profile only").Typed("AUTH")
		}
	}
	ctx, cancel := r.until(limit)
	defer cancel()
	if limit > 0 {
		defer a.waits.enter(a, r, w)()
	}
	o, err := a.Objects.Wait(ctx, w)
	if err != nil {
		return 0, nil, err
	}
	same, err := a.still(r)
	if err != nil {
		return 0, nil, err
	}
	if !same {
		o = &models.Outcome{Result: models.WaitAgain, Reason: "what the token allows has changed; ask again"}
	}
	return http.StatusOK, o, nil
}

// question reads a wait and how long it may take.
func (r *request) question() (*models.Wait, time.Duration, error) {
	body, err := r.json()
	if err != nil {
		return nil, 0, err
	}
	var w models.Wait
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields() // a condition that is misspelt would hold at once
	if err := d.Decode(&w); err != nil {
		return nil, 0, models.Problem(models.BadRequest, "", "", "the body must be a wait, such as {\"For\": {\"Kind\": \"profiles\", \"Key\": \"cluster\"}}: "+err.Error())
	}
	if d.More() {
		return nil, 0, models.Problem(models.BadRequest, "", "", "there is more than one value in the body")
	}
	if w.For.Kind == "" {
		return nil, 0, models.Problem(models.BadRequest, "", "", "the body must say what to wait for: For.Kind is missing")
	}
	if len(w.Unless) > maxUnless {
		return nil, 0, models.Problem(models.BadRequest, "", "", "there are more than 16 predicates in Unless")
	}
	limit := maxWait
	if w.Timeout != "" {
		if limit, err = auth.ParseTTL(w.Timeout); err != nil {
			return nil, 0, named(err, "wait", "Timeout")
		}
	}
	return &w, min(limit, maxWait), nil
}

const maxUnless = 16

// own tells whether a predicate is about the one profile that a narrow token is for.
func (r *request) own(p models.Predicate) bool {
	key := p.Key
	for _, field := range []string{"Key:", "Name:"} {
		if name, ok := strings.CutPrefix(p.Key, field); ok {
			key = name
		}
	}
	return p.Kind == "profiles" && key != "" && r.actor.May("profiles", "get", key)
}

// until bounds a wait by a limit and by the end of the token.
func (r *request) until(limit time.Duration) (context.Context, context.CancelFunc) {
	end := time.Now().Add(limit)
	if t := r.who.Expires; !t.IsZero() && t.Before(end) {
		end = t
	}
	return context.WithDeadline(r.ctx, end)
}

// still looks at the token again, after a wait: whether it allows the same as before. The error
// says that it is no longer good.
func (a *API) still(r *request) (same bool, err error) {
	if r.who.Expires.IsZero() { // a password, which ends no request under way
		return true, nil
	}
	now, err := a.recognize(r.Context)
	return slices.Equal(now.Claims, r.who.Claims) && slices.Equal(now.Tenants, r.who.Tenants), err
}

// changed waits as long as the client's "Prefer: wait=DURATION" says for a version after e;
// without one it is nil.
func (a *API) changed(r *request, k *models.KindInfo, e *objects.Entry) (*objects.Entry, error) {
	text, ok := preferredWait(r.Request.Header)
	if !ok {
		return nil, nil
	}
	wait, err := auth.ParseTTL(text)
	if err != nil {
		return nil, models.Problem(models.BadRequest, k.Name, r.id(), "Prefer: wait: "+err.Error())
	}
	ctx, cancel := r.until(min(wait, maxWait))
	defer cancel()
	if wait > 0 {
		next := models.Predicate{Kind: k.Name, Key: e.Object.Key(), Since: etag(e)}
		defer a.waits.enter(a, r, &models.Wait{For: next, Timeout: text})()
	}
	n, err := a.Objects.Await(ctx, k.Name, e.Object.Key(), e.Rev)
	if r.ctx.Err() != nil {
		return nil, r.ctx.Err()
	}
	if same, gone := a.still(r); gone != nil || !same {
		return nil, gone // or no change: the next request is judged by the new rights
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, objects.ErrStopping):
		return nil, nil // no change; who is told so by a server that stops asks the next one
	case err != nil:
		return nil, err
	case n == nil || !r.actor.Visible(n.Object):
		return nil, models.MissingError(k.Name, r.id())
	}
	return n, nil
}

// preferredWait is the preference wait of RFC 7240, in whatever company it comes.
func preferredWait(h http.Header) (string, bool) {
	for _, line := range h.Values("Prefer") {
		for one := range strings.FieldsFuncSeq(line, func(c rune) bool { return c == ',' || c == ';' }) {
			name, value, _ := strings.Cut(one, "=")
			if strings.EqualFold(strings.TrimSpace(name), "wait") {
				return strings.Trim(strings.TrimSpace(value), `"`), true
			}
		}
	}
	return "", false
}

// unchanged tells whether one of the versions that the client has is this one.
func unchanged(h http.Header, tag string) bool {
	for _, line := range h.Values("If-None-Match") {
		for one := range strings.SplitSeq(line, ",") {
			one = strings.TrimPrefix(strings.TrimSpace(one), "W/")
			if one == tag || one == "*" {
				return true
			}
		}
	}
	return false
}
