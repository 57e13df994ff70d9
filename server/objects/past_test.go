package objects

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/models"
	"drp/models/patch"
	"drp/server/store"
)

// dice is a source of chance that prints its seed when the test fails.
func dice(t *testing.T) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	})
	return rand.New(rand.NewPCG(seed, 0))
}

// play makes random changes of every kind but those left out, and returns what all objects were
// at each revision. Some change several objects at once.
func play(t *testing.T, s *Service, ctx context.Context, r *rand.Rand, n int, without ...string) []map[store.Key]string {
	t.Helper()
	some := kinds(s)
	states := make([]map[store.Key]string, s.View().Rev+1)
	states[s.View().Rev] = everything(s.View())
	for len(states) <= n {
		_, err := s.Do(ctx, false, func(tx *Tx) error {
			for range 1 + r.IntN(3) {
				k := some[r.IntN(len(some))]
				if k.Hidden || slices.Contains(without, k.Name) {
					continue
				}
				if err := disturb(t, tx, k.Name, r); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if rev := s.View().Rev; rev == uint64(len(states)) {
			states = append(states, everything(s.View()))
		}
	}
	return states
}

// disturb makes, alters or deletes one of a few objects of a kind.
func disturb(t *testing.T, tx *Tx, kind string, r *rand.Rand) error {
	name := fmt.Sprintf("object%d", r.IntN(3))
	key := sample(t, kind, name).Key()
	if key == "" { // made at its creation
		key = fmt.Sprintf("3e7031fe-3062-45f1-835c-92541bc9cbd%s", name[len(name)-1:])
	}
	e, there := tx.Get(kind, key)
	switch {
	case there && r.IntN(5) == 0:
		return tx.Delete(kind, key)
	case !there:
		o := sample(t, kind, name)
		switch o := o.(type) {
		case *models.Machine:
			o.Uuid, o.Secret = key, "same"
		case *models.Job:
			o.Uuid = key
		case *models.User:
			o.PasswordHash, o.Secret = []byte("hash"), "same" // else some changes were never taken back
		}
		return tx.Create(o)
	}
	o := e.Clone()
	o.Base().Meta[fmt.Sprintf("k%d/~", r.IntN(4))] = fmt.Sprint("<", r.IntN(3), ">")
	if r.IntN(3) == 0 {
		clear(o.Base().Meta)
	}
	if h, ok := o.(models.ParamHolder); ok {
		values := []string{`1`, `"none"`, `{"a":[1,{"b":null}]}`, `null`, `[]`, `12345678901234567890.10`}
		(*h.ParamMap())[fmt.Sprintf("my/p%d", r.IntN(3))] = json.RawMessage(values[r.IntN(len(values))])
	}
	if c, ok := o.(*models.Custom); ok {
		values := []string{`1`, `1.0`, `{"b":1,"a":[]}`, `{"a":[],"b":1}`, `null`}
		c.Fields[fmt.Sprint("F", r.IntN(3))] = json.RawMessage(values[r.IntN(len(values))])
		if r.IntN(3) == 0 {
			delete(c.Fields, "Tree")
		}
	}
	return tx.Update(o)
}

// everything is each object as it is stored, with its revision.
func everything(v *View) map[store.Key]string {
	all := map[store.Key]string{}
	for _, kind := range v.kinds.names() {
		for e := range v.All(kind) {
			all[store.Key{Kind: kind, ID: e.Object.Key()}] = fmt.Sprint(e.Rev, string(e.Raw), string(e.stored))
		}
	}
	return all
}

// TestEveryRevisionCanBeSeenAgain: each object, and all of them, as they were recorded then; also
// when older history is no longer kept.
func TestEveryRevisionCanBeSeenAgain(t *testing.T) {
	m := newMemory()
	s, ctx := open(t, m)
	states := play(t, s, ctx, dice(t), 120)
	keys := map[store.Key]bool{}
	for _, st := range states {
		for k := range st {
			keys[k] = true
		}
	}
	check := func(kept uint64) {
		t.Helper()
		for rev, want := range states {
			v, err := s.ViewAt(ctx, uint64(rev))
			if uint64(rev) < kept {
				if class(t, err, models.Gone); !strings.Contains(err.Error(), fmt.Sprint("kept is ", kept+1)) {
					t.Fatalf("revision %d: %v does not name the oldest, %d", rev, err, kept+1)
				}
			} else if err != nil {
				t.Fatal(err)
			} else if got := everything(v); !maps.Equal(got, want) || v.Rev != uint64(rev) {
				for k := range keys {
					if got[k] != want[k] {
						t.Errorf("%v at revision %d:\n%s\nwant\n%s", k, rev, got[k], want[k])
					}
				}
				t.Fatalf("%d objects at revision %d; want %d", len(got), v.Rev, len(want))
			}
			for k := range keys {
				e, err := s.At(ctx, k.Kind, k.ID, uint64(rev))
				if uint64(rev) < kept && models.ClassOf(err) == models.Gone {
					continue
				}
				got := ""
				if err == nil {
					got = fmt.Sprint(e.Rev, string(e.Raw), string(e.stored))
				} else {
					class(t, err, models.NotFound)
				}
				if got != want[k] {
					t.Fatalf("%v at revision %d:\n%s\nwant\n%s", k, rev, got, want[k])
				}
			}
		}
	}
	check(0)
	if err := s.engine.Compact(ctx, 90); err != nil {
		t.Fatal(err)
	}
	check(90)
	class(t, errOf(s.At(ctx, "profiles", "object0", uint64(len(states)))), models.BadRequest)
	class(t, errOf(s.ViewAt(ctx, uint64(len(states)))), models.BadRequest)
}

// TestHistoryIsWhatWasDone: pages put together are the whole, in both orders; filters select from
// it; and the patches lead from each version to the next.
func TestHistoryIsWhatWasDone(t *testing.T) {
	m := newMemory()
	s, ctx := open(t, m)
	r := dice(t)
	job := models.NewUUID()
	for i := range 6 {
		who := WithActor(ctx, Actor{Name: fmt.Sprint("user:u", i%3), Claims: System.Claims})
		if i%2 == 0 {
			who = WithJob(who, job)
		}
		play(t, s, who, r, 60*(i+1))
	}
	whole, next, err := s.History(ctx, HistoryQuery{Limit: 1 << 20})
	if err != nil || next != 0 || len(whole) < 360 {
		t.Fatalf("%d entries, next %d, %v", len(whole), next, err)
	}
	selected := func(q HistoryQuery) []models.HistoryEntry {
		list := []models.HistoryEntry{}
		for _, e := range whole {
			if (q.Kind == "" || q.Kind == e.Kind) && (q.Key == "" || q.Key == e.Key) && (q.Who == "" || q.Who == e.Who) &&
				(q.Job == "" || q.Job == e.Job) && e.Rev >= q.From && (q.To == 0 || e.Rev <= q.To) {
				list = append(list, e)
			}
		}
		return list
	}
	sorted := func(list []models.HistoryEntry) string {
		lines := []string{}
		for _, e := range list {
			lines = append(lines, fmt.Sprintf("%09d %+v", e.Rev, e))
		}
		slices.Sort(lines)
		return strings.Join(lines, "\n")
	}
	for range 100 {
		q := HistoryQuery{Oldest: r.IntN(2) == 0, Limit: 1 + r.IntN(40)}
		if r.IntN(2) == 0 {
			q.Who = fmt.Sprint("user:u", r.IntN(4))
		}
		if r.IntN(2) == 0 {
			q.Job = job
		}
		if r.IntN(2) == 0 {
			q.From, q.To = r.Uint64N(370), r.Uint64N(370)
		}
		if r.IntN(2) == 0 {
			q.Kind = "profiles"
			if r.IntN(2) == 0 {
				q.Key = "object1"
			}
		}
		want := selected(q)
		var got []models.HistoryEntry
		for page, last := q, uint64(0); ; {
			list, next, err := s.History(ctx, page)
			if err != nil {
				t.Fatalf("%+v: %v", page, err)
			}
			for _, e := range list {
				if last != 0 && (e.Rev < last) != !q.Oldest && e.Rev != last {
					t.Fatalf("%+v: %d comes after %d", page, e.Rev, last)
				}
				last = e.Rev
			}
			got = append(got, list...)
			if next == 0 {
				break
			}
			if page.To = next; q.Oldest {
				page.From, page.To = next, q.To
			}
		}
		if sorted(got) != sorted(want) {
			t.Fatalf("%+v:\n%s\nwant\n%s", q, sorted(got), sorted(want))
		}
	}
	docs := map[store.Key][]byte{}
	for _, e := range slices.Backward(selected(HistoryQuery{})) {
		if e.Kind == "users" || e.Kind == "preferences" {
			continue // something is left out
		}
		k := store.Key{Kind: e.Kind, ID: e.Key}
		p, err := patch.Decode(e.Patch)
		if err != nil {
			t.Fatal(err)
		}
		if docs[k], err = p.Apply(docs[k]); err != nil {
			t.Fatalf("%v at revision %d: %v", k, e.Rev, err)
		}
	}
	for k, doc := range docs {
		e, _ := s.View().Get(k.Kind, k.ID)
		if e == nil {
			e = &Entry{Raw: []byte("null")}
		}
		if p, err := patch.Diff(doc, e.Raw, patch.Plain); err != nil || len(p) > 0 {
			t.Errorf("%v: the patches of history lead to %s, it is %s", k, doc, e.Raw)
		}
	}
}

// TestWhatIsHiddenStaysHidden in every answer that history gives, for every kind that hides
// something.
func TestWhatIsHiddenStaysHidden(t *testing.T) {
	m := newMemory()
	s, ctx := open(t, m)
	const first, second = "Zmlyc3Qtc2VjcmV0LXZhbHVl", "c2Vjb25kLXNlY3JldC12YWx1" // base64 too
	hiders := 0
	for _, k := range models.Kinds {
		h, ok := k.New().(models.Hider)
		if !ok {
			continue
		}
		hiders++
		name := "someSecret"
		var body map[string]any
		if err := json.Unmarshal([]byte(`{"`+k.KeyField+`":"`+name+`"}`), &body); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(jsonOf(map[string]string{k.KeyField: name}), h); err != nil {
			t.Fatal(err)
		}
		if len(h.Hidden()) == 0 {
			t.Errorf("%s hides nothing", k.Name)
		}
		with := func(value string) models.Object {
			for _, p := range h.Hidden() {
				body[strings.TrimPrefix(p, "/")] = value
			}
			raw, err := models.Marshal(body)
			if err != nil {
				t.Fatal(err)
			}
			o, err := models.Unmarshal(k.Name, raw)
			if err != nil {
				t.Fatal(err)
			}
			return o
		}
		shown := []any{}
		show := func(v any, err error) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
			shown = append(shown, v)
		}
		made, err := s.Create(ctx, with(first), false)
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Do(ctx, false, func(tx *Tx) error { return tx.Update(with(second)) })
		if err != nil {
			t.Fatal(err)
		}
		if e, _ := s.View().Get(k.Name, name); !bytes.Contains(e.stored, []byte(second)) {
			t.Fatalf("%s: %s does not hold the secret of this test", k.Name, e.stored)
		}
		if _, err := s.Delete(ctx, k.Name, name); err != nil {
			t.Fatal(err)
		}
		for rev := made.Rev; rev <= s.View().Rev; rev++ {
			e, err := s.At(ctx, k.Name, name, rev)
			if rev < s.View().Rev {
				show(e.Raw, err)
			}
			v, err := s.ViewAt(ctx, rev)
			list, _, err2 := s.ListIn(ctx, v, k.Name, models.Query{Limit: -1})
			for _, e := range list {
				show(e.Raw, errors.Join(err, err2))
			}
			if done, err := s.Undo(ctx, models.Undo{Rev: rev, DryRun: true}, false); err == nil {
				show(done, nil)
			} else {
				show(err.Error(), nil)
			}
		}
		list, _, err := s.History(ctx, HistoryQuery{Limit: 100})
		show(list, err)
		if all, err := models.Marshal(list); err != nil || !bytes.Contains(all, jsonOf(models.Hidden)) {
			t.Errorf("%s: history does not say that there was something: %s", k.Name, all)
		}
		list, _, err = s.ObjectHistory(ctx, k.Name, name, HistoryQuery{Limit: 100})
		show(list, err)
		commits, err := s.Commits(ctx, 0, s.View().Rev)
		for _, c := range commits {
			for _, w := range c.Changes {
				for _, e := range []*Entry{w.Old, w.New} {
					if e != nil {
						show(e.Raw, err)
					}
				}
			}
		}
		for _, v := range shown {
			text, ok := v.([]byte)
			if !ok {
				if text, err = models.Marshal(v); err != nil {
					t.Fatal(err)
				}
			}
			if bytes.Contains(text, []byte(first)) || bytes.Contains(text, []byte(second)) {
				t.Errorf("%s shows what is hidden: %s", k.Name, text)
			}
		}
	}
	if hiders < 2 {
		t.Errorf("%d kinds hide something; want users and preferences at least", hiders)
	}
}

// TestInvisibleHistoryIsNotThere: what one may not see has no past either.
func TestInvisibleHistoryIsNotThere(t *testing.T) {
	s, ctx := open(t, newMemory())
	job := sample(t, "jobs", "j").(*models.Job)
	for _, name := range []string{"mine", "theirs", "gone"} {
		if _, err := s.Create(ctx, &models.Profile{Name: name}, false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Create(ctx, job, false); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Delete(ctx, "profiles", "gone"); err != nil {
		t.Fatal(err)
	}
	own := WithActor(ctx, Actor{Name: "user:ann", Claims: models.Claims{{Scope: "profiles", Action: "get", Specific: "mine"}}})
	rev := s.View().Rev
	list, _, err := s.History(own, HistoryQuery{Limit: 100})
	if err != nil || len(list) != 1 || list[0].Key != "mine" {
		t.Errorf("history: %v %v", list, err)
	}
	for _, name := range []string{"theirs", "gone", "never"} {
		class(t, errOf(s.At(own, "profiles", name, rev-1)), models.NotFound)
		_, _, err := s.ObjectHistory(own, "profiles", name, HistoryQuery{Limit: 1})
		class(t, err, models.NotFound)
	}
	for rev := range uint64(rev) {
		if _, err := s.Undo(own, models.Undo{Rev: rev + 1, DryRun: true}, false); rev != 0 {
			class(t, err, models.NotFound)
		} else if class(t, err, models.Forbidden); err == nil {
			t.Error("what may not be deleted was")
		}
	}
	if e, err := s.At(own, "profiles", "mine", 1); err != nil || e.Rev != 1 {
		t.Errorf("one's own: %v", err)
	}
	machine := WithActor(ctx, Actor{Name: "machine:xj", Claims: models.Claims{{Scope: "jobs", Action: "get", Specific: "xj"}}})
	if list, _, err := s.ObjectHistory(machine, "jobs", job.Uuid, HistoryQuery{Limit: 9}); err != nil || len(list) != 1 {
		t.Errorf("the job of one's own machine: %v %v", list, err)
	}
	if list, _, err := s.History(machine, HistoryQuery{Limit: 9}); err != nil || len(list) != 1 || list[0].Kind != "jobs" {
		t.Errorf("history for a machine: %v %v", list, err)
	}
}

// hands is a clock that is turned by hand.
type hands struct{ now time.Time }

func (h *hands) Now() time.Time { return h.now }

// TestMomentsAreRevisions: for every time the newest revision at it or before it.
func TestMomentsAreRevisions(t *testing.T) {
	clock := &hands{time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}
	s, err := New(newMemory(), nil, clock.Now, discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := WithActor(t.Context(), System)
	began := clock.now
	for i := range 50 {
		if clock.now = clock.now.Add(time.Minute); i%5 == 0 {
			clock.now = clock.now.Add(-time.Minute) // two at one time
		}
		if _, err := s.Create(ctx, &models.Profile{Name: fmt.Sprint("p", i)}, false); err != nil {
			t.Fatal(err)
		}
	}
	end := clock.now
	check := func(oldest uint64) {
		t.Helper()
		for at := began.Add(-time.Minute); !at.After(end); at = at.Add(30 * time.Second) {
			want := uint64(0)
			for _, c := range s.engine.(*memory).history {
				if !c.Time.After(at) {
					want = c.Rev
				}
			}
			got, err := s.Moment(ctx, at.Format(time.RFC3339))
			if want == 0 && oldest > 1 {
				class(t, err, models.Gone)
			} else if err != nil || got != want {
				t.Fatalf("at %s: got %d and %v, want %d", at, got, err, want)
			}
			since, err := s.Since(ctx, at.Format(time.RFC3339))
			if wantSince := want + 1; err != nil || since != wantSince && !(want == 0 && since <= 1) {
				t.Fatalf("since %s: got %d and %v, want %d", at, since, err, wantSince)
			}
			ago, err := s.Moment(ctx, end.Sub(at).String())
			if want != 0 && (err != nil || ago != want) {
				t.Fatalf("%s ago: got %d and %v, want %d", end.Sub(at), ago, err, want)
			}
		}
	}
	check(1)
	if err := s.engine.Compact(ctx, 20); err != nil {
		t.Fatal(err)
	}
	check(21)
	for _, bad := range []string{"", "soon", "-1h", "99", end.Add(time.Hour).Format(time.RFC3339), "2026-11-21"} {
		_, err := s.Moment(ctx, bad)
		class(t, err, models.BadRequest)
	}
	if rev, err := s.Moment(ctx, "2d"); models.ClassOf(err) != models.Gone {
		t.Errorf("two days ago: %d %v", rev, err)
	}
}
