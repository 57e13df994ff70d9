package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"drp/models"
	"drp/models/patch"
)

// profiles is everything that can be done to one object, by several clients to a few objects. The
// history of each must be linearizable.
type profiles struct {
	*histories
}

const (
	contested = 5 // objects
	theParam  = "soak/p"
)

func (*profiles) name() string { return "profiles" }
func (*profiles) clients() int { return 7 }

func (w *profiles) setup(context.Context, *caller) error {
	w.histories = newHistories("profiles")
	return nil
}

// verbs are drawn by their weights.
var verbs = []struct {
	verb   verb
	weight int
}{{create, 14}, {cas, 24}, {probe, 4}, {add, 7}, {drop, 6}, {put, 6}, {del, 6}, {set, 4}, {unset, 3}, {get, 16}, {head, 4}, {list, 6}, {fresh, 4}}

func (c *caller) verb() verb {
	total := 0
	for _, v := range verbs {
		total += v.weight
	}
	n := c.dice.IntN(total)
	for _, v := range verbs {
		if n -= v.weight; n < 0 {
			return v.verb
		}
	}
	panic("soak: no verb drawn")
}

// value is one that nobody else makes up.
func (c *caller) value() string {
	c.n++
	return fmt.Sprintf("v%d.%d.%d", c.id, c.n, c.now())
}

func (c *caller) manner() manner {
	return []manner{once, once, once, named, named, jittery}[c.dice.IntN(6)]
}

// memory is what a client has seen of an object last.
type memory struct {
	desc string
	rev  uint64
}

func (w *profiles) client(ctx context.Context, c *caller, _ int) error {
	seen := map[string]*memory{}
	for !c.enough() {
		key := fmt.Sprintf("soak-%d", c.dice.IntN(contested))
		if seen[key] == nil {
			seen[key] = &memory{}
		}
		if err := w.one(ctx, c, key, c.verb(), seen[key]); err != nil {
			return err
		}
	}
	return nil
}

// check ends each history with a get.
func (w *profiles) check(ctx context.Context, c *caller) error {
	for i := range contested {
		if err := w.one(ctx, c, fmt.Sprintf("soak-%d", i), get, &memory{}); err != nil {
			return err
		}
	}
	w.histories.check(c.world)
	return nil
}

// one carries out one operation.
func (w *profiles) one(ctx context.Context, c *caller, key string, v verb, m *memory) error {
	o := operation{verb: v}
	switch v {
	case create, put:
		o.desc = c.value()
		if c.dice.IntN(2) == 0 {
			o.param = c.value()
		}
	case cas:
		o.want, o.desc = m.desc, c.value()
	case probe:
		o.want = m.desc
	case add, set:
		o.param = c.value()
	}
	a, err := c.operate(ctx, key, o, m.rev)
	if err != nil {
		return err
	}
	out, err := read(o, key, &a, m.rev)
	if err != nil {
		return err
	}
	w.note(c, key, o, &a, out)
	c.remember(o, place{"profiles", key}, &a, out, m)
	return nil
}

// operate sends the request of an operation.
func (c *caller) operate(ctx context.Context, key string, o operation, rev uint64) (answer, error) {
	path := "profiles/" + key
	param := path + "/params/" + theParam
	pointer := "/Params" + patch.Pointer(theParam)
	switch o.verb {
	case create:
		return c.ask(ctx, c.manner(), http.MethodPost, "profiles", o.profile(key))
	case put:
		return c.ask(ctx, c.manner(), http.MethodPut, path, o.profile(key))
	case cas:
		return c.ask(ctx, c.manner(), http.MethodPatch, path, []op{{"test", "/Description", o.want}, {"replace", "/Description", o.desc}})
	case probe:
		return c.ask(ctx, c.manner(), http.MethodPatch, path, []op{{"test", "/Description", o.want}})
	case add:
		return c.ask(ctx, c.manner(), http.MethodPatch, path, []op{{"add", pointer, o.param}})
	case drop:
		return c.ask(ctx, c.manner(), http.MethodPatch, path, `[{"op":"remove","path":"`+pointer+`"}]`)
	case del:
		return c.ask(ctx, c.manner(), http.MethodDelete, path, nil)
	case set:
		return c.ask(ctx, c.manner(), http.MethodPost, param, json.RawMessage(strconv.Quote(o.param)))
	case unset:
		return c.ask(ctx, c.manner(), http.MethodDelete, param, nil)
	case head:
		return c.ask(ctx, named, http.MethodHead, path, nil)
	case list:
		return c.ask(ctx, named, http.MethodGet, "profiles?Name="+url.QueryEscape("Eq("+key+")"), nil)
	case fresh:
		return c.askWith(ctx, named, http.MethodGet, path, nil, http.Header{"If-None-Match": {`"` + strconv.FormatUint(rev, 10) + `"`}})
	}
	return c.ask(ctx, named, http.MethodGet, path, nil)
}

// op is one operation of a patch.
type op struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

func (o operation) profile(key string) *models.Profile {
	p := &models.Profile{Name: key, Description: o.desc, Params: models.Params{}}
	if o.param != "" {
		p.Params[theParam] = json.RawMessage(strconv.Quote(o.param))
	}
	return p
}

// read tells what an answer says. One that no server should give to this operation is an error.
func read(o operation, key string, a *answer, rev uint64) (outcome, error) {
	if a.lost {
		return outcome{verdict: lost}, nil
	}
	out := outcome{verdict: done, rev: a.etag}
	if o.verb == fresh && a.status == http.StatusNotModified {
		out.rev = rev
		return out, nil
	}
	if o.verb == head && a.status == http.StatusNotFound {
		return outcome{verdict: missing}, nil
	}
	switch a.status {
	case http.StatusOK, http.StatusCreated:
		return out, out.show(o, key, a.body)
	case http.StatusNotFound:
		if a.problem().Model == "params" {
			return outcome{verdict: nopath}, nil
		}
		return outcome{verdict: missing}, nil
	case http.StatusConflict:
		switch {
		case a.repeated():
			return outcome{verdict: before}, nil
		case a.refused():
			return outcome{verdict: never}, nil
		case o.verb == create:
			return outcome{verdict: exists}, nil
		case o.verb == drop:
			return outcome{verdict: nopath}, nil
		case o.verb == cas || o.verb == probe:
			return outcome{verdict: failed, found: a.found()}, nil
		}
	}
	return out, fmt.Errorf("%s of %s: status %d: %s", o.verb, key, a.status, a.body)
}

// show reads the object that an answer shows.
func (out *outcome) show(o operation, key string, body []byte) error {
	var p models.Profile
	switch o.verb {
	case head:
		return nil
	case set, unset:
		out.value = true
		return json.Unmarshal(body, &out.param)
	case list:
		var all []models.Profile
		if err := json.Unmarshal(body, &all); err != nil || len(all) == 0 {
			return err
		}
		if len(all) > 1 {
			return fmt.Errorf("list of %s: there are %d", key, len(all))
		}
		p = all[0]
	default:
		if err := json.Unmarshal(body, &p); err != nil {
			return err
		}
	}
	if p.Name != key {
		return fmt.Errorf("%s of %s: the answer shows %s", o.verb, key, p.Name)
	}
	out.shown, out.desc = true, p.Description
	if raw, ok := p.Params[theParam]; ok {
		return json.Unmarshal(raw, &out.param)
	}
	return nil
}

// remember keeps what was seen, for the next operations of this client and for the journal.
func (c *caller) remember(o operation, at place, a *answer, out outcome, m *memory) {
	if out.shown && o.verb != del {
		m.desc = out.desc
	}
	if out.rev != 0 {
		m.rev = out.rev
	}
	c.witness(o.verb, at, a, out)
}

// witness notes in the journal what an answer tells of an object's revision.
func (c *caller) witness(v verb, at place, a *answer, out outcome) {
	o := operation{verb: v}
	r := record{call: a.last, ret: a.ret, at: at, rev: out.rev, write: o.writes() && !a.again}
	switch {
	case out.verdict == missing:
	case out.verdict != done || out.rev == 0:
		return
	case out.shown && v != del:
		r.sum = digest(a.body)
	}
	c.journal.add(r)
}
