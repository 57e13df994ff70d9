package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/maphash"
	"net/http"
	"slices"
	"sync"

	"drp/models"
)

// tale is what the event stream has told: every change, in order. It is what all answers are held
// against.
type tale struct {
	w *world

	mu       sync.Mutex
	rev      uint64
	base     uint64 // rev at the beginning of the round
	now      map[place]json.RawMessage
	versions map[place][]version // of the round, and the last one before
	jobs     map[string]map[string]*models.Job
}

// place is where an object is.
type place struct{ kind, key string }

func (p place) String() string { return p.kind + "/" + p.key }

// version is an object after one change.
type version struct {
	rev  uint64
	sum  uint64 // of its bytes
	gone bool
}

// told is one event.
type told struct {
	models.Event
	sum uint64 // of its text
}

func digest(b []byte) uint64 { return maphash.Bytes(seed, b) }

func newTale(w *world) *tale {
	return &tale{w: w, now: map[place]json.RawMessage{}, versions: map[place][]version{}, jobs: map[string]map[string]*models.Job{}}
}

func (t *tale) newest() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.rev
}

// add takes in one change, and holds it against those before.
func (t *tale) add(change []told) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.rev = change[0].Rev
	touched := map[string]bool{}
	for i := range change {
		e := &change[i]
		at := place{e.Type, e.Key}
		was, had := t.now[at]
		if fault := continues(e, was, had); fault != "" {
			t.w.violate("revision %d: %s of %s: %s", e.Rev, e.Action, at, fault)
		}
		gone := e.Action == "delete"
		t.versions[at] = append(t.versions[at], version{e.Rev, digest(e.Object), gone})
		if delete(t.now, at); !gone {
			t.now[at] = e.Object
		}
		if err := t.note(e, gone, touched); err != nil {
			t.w.violate("revision %d: %s of %s: %v", e.Rev, e.Action, at, err)
		}
	}
	for uuid := range touched {
		if err := t.coherent(uuid); err != nil {
			t.w.violate("revision %d: machine %s: %v", t.rev, uuid, err)
		}
	}
}

// continues tells what is wrong with an event about an object that was as told before, or "".
func continues(e *told, was json.RawMessage, had bool) string {
	original := string(e.Original) != "null" && len(e.Original) > 0
	switch {
	case e.Action == "create" && had:
		return "there is one already"
	case e.Action == "create" && original:
		return "it had an original"
	case e.Action == "create":
		return ""
	case e.Action == "delete" && had && !bytes.Equal(e.Object, was):
		return "what was deleted is not what was there"
	case e.Action != "delete" && had && !bytes.Equal(e.Original, was):
		return "its original is not what was there"
	}
	return ""
}

// note keeps the jobs of each machine, and tells what is wrong with an object by itself.
func (t *tale) note(e *told, gone bool, touched map[string]bool) error {
	switch e.Type {
	case "machines":
		touched[e.Key] = true
		var m, was models.Machine
		if err := json.Unmarshal(e.Object, &m); err != nil {
			return err
		}
		if len(e.Original) > 0 && json.Unmarshal(e.Original, &was) == nil && was.BootEnv != "" && was.BootEnv != m.BootEnv && m.Runnable {
			return fmt.Errorf("it is to boot %s instead of %s, and yet runnable", m.BootEnv, was.BootEnv)
		}
		return planned(&m)
	case "jobs":
		j := &models.Job{}
		if err := json.Unmarshal(e.Object, j); err != nil {
			return err
		}
		touched[j.Machine] = true
		if t.jobs[j.Machine] == nil {
			t.jobs[j.Machine] = map[string]*models.Job{}
		}
		if t.jobs[j.Machine][j.Uuid] = j; gone {
			delete(t.jobs[j.Machine], j.Uuid)
		}
	case "profiles":
		var p models.Profile
		if err := json.Unmarshal(e.Object, &p); err != nil {
			return err
		}
		return balanced(&p)
	}
	return nil
}

// coherent tells how a machine and its jobs contradict each other after a change.
func (t *tale) coherent(uuid string) error {
	raw, ok := t.now[place{"machines", uuid}]
	if !ok {
		return nil
	}
	var m models.Machine
	if err := json.Unmarshal(raw, &m); err != nil {
		return err
	}
	jobs := make([]models.Job, 0, len(t.jobs[uuid]))
	for _, j := range t.jobs[uuid] {
		jobs = append(jobs, *j)
	}
	return coherent(&m, jobs)
}

// check holds everything that clients were told in the round against the tale, and the tale
// against what the server has now and what it tells again.
func (t *tale) check(ctx context.Context, c *caller) error {
	last, err := t.mark(ctx, c)
	if err != nil {
		return err
	}
	w := t.w
	for _, f := range w.tellers {
		if err := f.reach(ctx, last); err != nil {
			return err
		}
	}
	all, some := w.tellers[0].take(), w.tellers[1].take()
	w.compare("the stream of "+w.tellers[1].filter, some, func(e *line) bool { return e.kind == "profiles" || e.kind == "machines" }, all)
	again := &follower{world: w, filter: everything, from: t.base, rev: t.base, moved: make(chan struct{}), quiet: true}
	if err := again.replay(ctx, last); err != nil {
		return fmt.Errorf("history from revision %d: %w", t.base, err)
	}
	w.compare("history", again.take(), func(*line) bool { return true }, all)
	if err := t.state(ctx, c); err != nil {
		return err
	}
	records := w.journal.take()
	for _, fault := range t.hold(records) {
		w.violate("%s", fault)
	}
	w.checked.Store(w.asked.Load())
	t.forget()
	return nil
}

const marker = "soak-marker"

// mark makes a last change and returns its revision.
func (t *tale) mark(ctx context.Context, c *caller) (uint64, error) {
	p := &models.Profile{Name: marker, Description: models.NewUUID()}
	a, err := c.must(ctx, http.MethodPut, "profiles/"+marker, p, http.StatusOK, http.StatusNotFound)
	if err == nil && a.status == http.StatusNotFound {
		a, err = c.must(ctx, http.MethodPost, "profiles", p, http.StatusCreated)
	}
	return a.etag, err
}

// compare holds a tale against those events of another that belong into it.
func (w *world) compare(what string, got []line, belongs func(*line) bool, all []line) {
	i := 0
	for _, want := range all {
		if !belongs(&want) {
			continue
		}
		if i == len(got) || got[i] != want {
			w.violate("%s differs at revision %d, %s: %s", what, want.rev, want.at, here(got, i))
			return
		}
		i++
	}
	if i < len(got) {
		w.violate("%s has more: %s", what, here(got, i))
	}
}

func here(list []line, i int) string {
	if i >= len(list) {
		return "it ends before"
	}
	return fmt.Sprintf("it tells %s of %s at revision %d there", list[i].action, list[i].at, list[i].rev)
}

// state holds what the server has now against what was told.
func (t *tale) state(ctx context.Context, c *caller) error {
	for _, k := range models.Kinds {
		if k.Internal || k.Name == "preferences" {
			continue
		}
		a, err := c.must(ctx, http.MethodGet, k.Name, nil, http.StatusOK)
		if err != nil {
			return err
		}
		if err := t.same(k.Name, a.body); err != nil {
			return err
		}
	}
	return nil
}

// same holds the list of one kind against what was told.
func (t *tale) same(kind string, body []byte) error {
	var list []json.RawMessage
	if err := json.Unmarshal(body, &list); err != nil {
		return fmt.Errorf("list of %s: %w", kind, err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	found := map[place]bool{}
	for _, raw := range list {
		o, err := models.Unmarshal(kind, raw)
		if err != nil {
			return fmt.Errorf("list of %s: %w", kind, err)
		}
		at := place{kind, o.Key()}
		was, known := t.now[at]
		found[at] = true
		switch {
		case known && !bytes.Equal(raw, was):
			t.w.violate("%s is not what its last event has told:\n  is   %s\n  told %s", at, raw, was)
		case !known && !o.Base().ReadOnly: // what comes with the server has no event
			t.w.violate("%s is there, and no event has told of it: %s", at, raw)
		}
	}
	for at := range t.now {
		if at.kind == kind && !found[at] {
			t.w.violate("%s is gone, and no event has told of that", at)
		}
	}
	return nil
}

// forget drops what the next round does not need.
func (t *tale) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.base = t.rev
	for at, list := range t.versions {
		if last := list[len(list)-1]; last.gone {
			delete(t.versions, at)
		} else {
			t.versions[at] = []version{last}
		}
	}
	for uuid, jobs := range t.jobs {
		if len(jobs) == 0 {
			delete(t.jobs, uuid)
		}
	}
}

// record is what a client was told about one object.
type record struct {
	call, ret int64
	at        place
	rev       uint64 // 0: that there is none
	sum       uint64 // of its bytes; 0: they were not shown
	write     bool   // this request has made the revision
}

// journal is what all clients were told.
type journal struct {
	mu   sync.Mutex
	list []record
}

func (j *journal) add(r record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.list = append(j.list, r)
}

func (j *journal) take() []record {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := j.list
	j.list = nil
	return list
}

// hold tells what is wrong with the records. Each revision that somebody has seen must be in the
// tale, with the same bytes; and the order of revisions must be that of time, across all objects:
// who asks after somebody has learned of a revision sees a state that is no older.
func (t *tale) hold(records []record) (faults []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ended := slices.Clone(records)
	slices.SortFunc(ended, func(a, b record) int { return int(a.ret - b.ret) })
	slices.SortFunc(records, func(a, b record) int { return int(a.call - b.call) })
	known := t.base
	for _, r := range records {
		for len(ended) > 0 && ended[0].ret < r.call {
			known = max(known, ended[0].rev)
			ended = ended[1:]
		}
		if fault := r.against(t.versions[r.at], known); fault != "" {
			faults = append(faults, fmt.Sprintf("%s: %s", r.at, fault))
		}
	}
	return faults
}

// against tells what is wrong with a record, or "". Versions are those of its object; known is a
// revision that somebody knew of before the request was sent.
func (r *record) against(versions []version, known uint64) string {
	then := version{gone: true} // what was there at the revision known
	for _, v := range versions {
		if v.rev <= known {
			then = v
		}
	}
	if r.rev == 0 {
		gone := slices.ContainsFunc(versions, func(v version) bool { return v.rev > known && v.gone })
		if !then.gone && !gone {
			return fmt.Sprintf("said to be absent, but it is there since revision %d, and revision %d was known", then.rev, known)
		}
		return ""
	}
	i := slices.IndexFunc(versions, func(v version) bool { return v.rev == r.rev })
	switch {
	case i < 0:
		return fmt.Sprintf("answered with revision %d, which no event tells of", r.rev)
	case r.sum != 0 && versions[i].sum != r.sum:
		return fmt.Sprintf("at revision %d the answer shows another object than the event", r.rev)
	case r.write && r.rev <= known:
		return fmt.Sprintf("changed at revision %d, but revision %d was known before it was asked for", r.rev, known)
	case r.rev < then.rev:
		return fmt.Sprintf("shown at revision %d, but it is at %d since, and revision %d was known", r.rev, then.rev, known)
	}
	return ""
}
