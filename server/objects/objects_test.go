package objects

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"drp/models"
	"drp/models/patch"
	"drp/server/store"
)

func open(t *testing.T, m *memory, rules ...func(*Service)) (*Service, context.Context) {
	t.Helper()
	s, err := New(m, []models.Object{herd()}, now, discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rules {
		r(s)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, WithActor(t.Context(), System)
}

// herd is a plugin provider that defines kinds of its own.
func herd() *models.PluginProvider {
	return &models.PluginProvider{Name: "herd", StoreObjects: map[string]json.RawMessage{
		"cows": nil, "typed-cows": json.RawMessage(`{"Spotted":{"type":"boolean","isrequired":true},"Weight":{"type":"number"},"Age":{"type":"integer"}}`),
	}}
}

// kinds are all that somebody may write, those of the herd included.
func kinds(s *Service) []*models.KindInfo {
	return slices.DeleteFunc(s.View().Kinds(), func(k *models.KindInfo) bool { return k.Given })
}

// samples is a valid object of each kind; a kind without one fails the tests that loop over all.
func sample(t *testing.T, kind, name string) models.Object {
	t.Helper()
	bodies := map[string]string{
		"machines": `{"Name":"NAME","Uuid":""}`, "jobs": `{"State":"created","Machine":"xNAME"}`,
		"plugins": `{"Name":"NAME","Provider":"herd"}`,
		"cows":    `{"Id":"NAME","Tree":{"b":[1.0,{"c":null}],"a":"<>"},"A":null}`, "typed-cows": `{"Id":"NAME","Spotted":true}`,
		"leases": `{"Addr":"ADDR","State":"FAKE","Token":"t"}`, "reservations": `{"Addr":"ADDR","Token":"t"}`,
		"subnets":      `{"Name":"NAME","Subnet":"ADDR/32","OnlyReservations":true}`,
		"ended_tokens": `{"Sum":"NAME","Expires":"2026-01-02T03:04:05Z"}`,
		"key_pairs":    `{"Name":"NAME","Public":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","Private":"AAAA","Seal":"s"}`,
	}
	body, ok := bodies[kind]
	if !ok {
		k, _ := models.KindOf(kind)
		body = `{"` + k.KeyField + `":"NAME"}`
	}
	h := fnv.New32()
	h.Write([]byte(name))
	addr := netip.AddrFrom4([4]byte(append([]byte{10}, h.Sum(nil)[:3]...)))
	o, err := models.Unmarshal(kind, []byte(strings.NewReplacer("NAME", name, "ADDR", addr.String()).Replace(body)))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func class(t *testing.T, err error, want models.Class) *models.Error {
	t.Helper()
	var e *models.Error
	if !errors.As(err, &e) || e.Class != want {
		t.Fatalf("got error %v, want class %v", err, want)
	}
	return e
}

func decodePatch(t testing.TB, s string) patch.Patch {
	t.Helper()
	p, err := patch.Decode([]byte(s))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEveryKindTravelsTheRoad(t *testing.T) {
	m := newMemory()
	s, ctx := open(t, m)
	for _, k := range kinds(s) {
		t.Run(k.Name, func(t *testing.T) {
			e, err := s.Create(ctx, sample(t, k.Name, "first"), false)
			if err != nil {
				t.Fatal(err)
			}
			key := e.Object.Key()
			if bytes.Contains(e.Raw, []byte("null")) && k.Name != "params" && k.Name != "cows" {
				t.Errorf("null on the wire: %s", e.Raw)
			}
			for _, id := range []string{key, "Key:" + key, k.KeyField + ":" + key} {
				if got, err := s.Get(ctx, k.Name, id); err != nil || got.Object.Key() != key {
					t.Errorf("Get(%s): %v", id, err)
				}
			}
			if o := sample(t, k.Name, "first"); o.Key() != "" {
				class(t, errOf(s.Create(ctx, o, false)), models.Conflict)
			}
			p := `[{"op":"test","path":"/Meta","value":{}},{"op":"add","path":"/Meta/color","value":"blue <&>"}]`
			after, err := s.Patch(ctx, k.Name, key, decodePatch(t, p), false)
			if err != nil {
				t.Fatal(err)
			}
			if after.Rev <= e.Rev || after.Object.Base().Meta["color"] != "blue <&>" {
				t.Errorf("after the patch: rev %d, %s", after.Rev, after.Raw)
			}
			again, err := s.Patch(ctx, k.Name, key, decodePatch(t, p), false)
			if f := class(t, err, models.Conflict); again != nil || !strings.Contains(strings.Join(f.Messages, "\n"), "/Meta") {
				t.Errorf("a second patch: %v", f)
			}
			if same, err := s.Patch(ctx, k.Name, key, patch.Patch{}, false); err != nil || same.Rev != after.Rev {
				t.Errorf("an empty patch made a new version: %v", err)
			}
			list, n, err := s.List(ctx, k.Name, models.Query{Limit: -1})
			if err != nil || n != len(list) || n < 1 {
				t.Errorf("List: %d of %d, %v", len(list), n, err)
			}
			gone, err := s.Delete(ctx, k.Name, key)
			if err != nil || gone.Object.Key() != key {
				t.Fatal(err)
			}
			class(t, errOf(s.Get(ctx, k.Name, key)), models.NotFound)
			class(t, errOf(s.Delete(ctx, k.Name, key)), models.NotFound)
		})
	}
}

func errOf[T any](_ T, err error) error { return err }

func TestARaceHasOneWinner(t *testing.T) {
	s, ctx := open(t, newMemory())
	if _, err := s.Create(ctx, &models.Profile{Name: "cluster", Params: models.Params{"my/leader": json.RawMessage(`"none"`)}}, false); err != nil {
		t.Fatal(err)
	}
	const racers = 200
	var won atomic.Int32
	var winner atomic.Value
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() {
			p := fmt.Sprintf(`[{"op":"test","path":"/Params/my~1leader","value":"none"},{"op":"replace","path":"/Params/my~1leader","value":"m%d"}]`, i)
			_, err := s.Patch(ctx, "profiles", "cluster", decodePatch(t, p), false)
			if err == nil {
				won.Add(1)
				winner.Store(fmt.Sprintf(`"m%d"`, i))
			} else if models.ClassOf(err) != models.Conflict {
				t.Errorf("racer %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	e, _ := s.Get(ctx, "profiles", "cluster")
	got := string(e.Object.(*models.Profile).Params["my/leader"])
	if won.Load() != 1 || got != winner.Load() {
		t.Fatalf("%d racers won, want 1; stored %s, winner %v", won.Load(), got, winner.Load())
	}
}

// TestCountersLoseNoIncrement: read-modify-write through Do is serialisable.
func TestCountersLoseNoIncrement(t *testing.T) {
	m := newMemory()
	s, ctx := open(t, m)
	if _, err := s.Create(ctx, &models.Profile{Name: "counter", Description: "0"}, false); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for range 50 {
				_, err := s.Do(ctx, false, func(tx *Tx) error {
					e, _ := tx.Get("profiles", "counter")
					p := e.Clone().(*models.Profile)
					var n int
					fmt.Sscan(p.Description, &n)
					p.Description = fmt.Sprint(n + 1)
					return tx.Save(p)
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	e, _ := s.Get(ctx, "profiles", "counter")
	if got := e.Object.(*models.Profile).Description; got != "800" {
		t.Errorf("got %s, want 800", got)
	}
}

func TestAFailedFlushLosesNothingAndShowsNothing(t *testing.T) {
	m := newMemory()
	s, ctx := open(t, m)
	if _, err := s.Create(ctx, sample(t, "profiles", "before"), false); err != nil {
		t.Fatal(err)
	}
	m.mu.Lock()
	m.fail = errors.New("disk full")
	m.mu.Unlock()
	class(t, errOf(s.Create(ctx, sample(t, "profiles", "during"), false)), models.Internal)
	class(t, errOf(s.Get(ctx, "profiles", "during")), models.NotFound)
	if _, err := s.Get(ctx, "profiles", "before"); err != nil {
		t.Errorf("what was there before: %v", err)
	}
	m.mu.Lock()
	m.fail = nil
	m.mu.Unlock()
	e, err := s.Create(ctx, sample(t, "profiles", "after"), false)
	if err != nil || e.Rev != 2 {
		t.Errorf("after the disk has space: rev %v, %v; want 2", e, err)
	}
}

// together makes one batch of what n calls of fn ask for: the writer is held up by another change
// until all of them wait.
func together(t *testing.T, m *memory, n int, fn func(s *Service, ctx context.Context, i int) error) *Service {
	t.Helper()
	m.gate, m.entered = make(chan struct{}), make(chan struct{}, 10)
	s, ctx := open(t, m)
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := s.Create(ctx, &models.Template{ID: "first"}, false); err != nil {
			t.Error(err)
		}
	})
	<-m.entered
	for i := range n {
		wg.Go(func() {
			if err := fn(s, ctx, i); err != nil {
				t.Error(err)
			}
		})
	}
	for len(s.queue) < n {
		time.Sleep(time.Millisecond)
	}
	close(m.gate)
	wg.Wait()
	return s
}

func TestWaitingChangesShareOneTransaction(t *testing.T) {
	m := newMemory()
	together(t, m, 50, func(s *Service, ctx context.Context, i int) error {
		return errOf(s.Create(ctx, sample(t, "profiles", fmt.Sprintf("p%d", i)), false))
	})
	if len(m.batches) != 2 || m.batches[1] != 50 {
		t.Errorf("the transactions hold %v changes, want 1 and 50", m.batches)
	}
}

func TestARuleVetoesDerivesAndSeesItsOwnChange(t *testing.T) {
	m := newMemory()
	s, ctx := open(t, m, func(s *Service) {
		s.AddRule("tasks", func(tx *Tx, c *Change) error {
			if c.New == nil {
				return nil
			}
			task := c.New.(*models.Task)
			if task.Description == "veto" {
				return models.Invalidf(task, "vetoed")
			}
			task.Documentation = "ruled"
			return tx.Create(&models.Template{ID: "of-" + task.Name})
		})
	})
	if _, err := s.Create(ctx, &models.Task{Name: "good"}, false); err != nil {
		t.Fatal(err)
	}
	if e, err := s.Get(ctx, "templates", "of-good"); err != nil || e.Rev != 1 {
		t.Errorf("the derived object: %v %v", e, err)
	}
	if e, _ := s.Get(ctx, "tasks", "good"); e.Object.(*models.Task).Documentation != "ruled" {
		t.Error("the Rule's own edit is lost")
	}
	class(t, errOf(s.Create(ctx, &models.Task{Name: "bad", Description: "veto"}, false)), models.Invalid)
	if s.View().Len("templates") != 1 || s.View().Len("tasks") != 1 {
		t.Error("a vetoed change left something behind")
	}
}

func TestHistoryLeadsBackToEveryState(t *testing.T) {
	m := newMemory()
	s, ctx := open(t, m)
	var seen []*Commit
	s.Follow(func(c *Commit) { seen = append(seen, c) })
	if _, err := s.Create(ctx, &models.User{Name: "ann", PasswordHash: []byte("hash")}, false); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		p := fmt.Sprintf(`[{"op":"replace","path":"/Description","value":"d%d"},{"op":"add","path":"/Meta/k%d","value":"<v>"}]`, i, i)
		if _, err := s.Patch(ctx, "users", "ann", decodePatch(t, p), false); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.Delete(ctx, "users", "ann"); err != nil {
		t.Fatal(err)
	}
	for from := range uint64(8) {
		got, err := s.Commits(ctx, from, 7)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != len(seen)-int(from) {
			t.Fatalf("after %d: %d commits, want %d", from, len(got), len(seen)-int(from))
		}
		for i, c := range got {
			want := seen[int(from)+i]
			if a, b := show(c), show(want); a != b {
				t.Errorf("revision %d from history:\n%s\nas followed:\n%s", c.Rev, a, b)
			}
		}
	}
}

func show(c *Commit) string {
	s := fmt.Sprint(c.Rev, c.Time.UTC(), c.Who)
	for _, w := range c.Changes {
		s += fmt.Sprintf("\n%s %s/%s", w.Op, w.Kind, w.Key)
		for _, e := range []*Entry{w.Old, w.New} {
			if e != nil {
				s += fmt.Sprintf("\n  %d %s %s", e.Rev, e.Raw, e.stored)
			}
		}
	}
	return s
}

func TestHiddenFieldsAreKeptAndNotShown(t *testing.T) {
	m := newMemory()
	s, ctx := open(t, m)
	if _, err := s.Create(ctx, &models.User{Name: "ann", PasswordHash: []byte("hash")}, false); err != nil {
		t.Fatal(err)
	}
	e, err := s.Patch(ctx, "users", "ann", decodePatch(t, `[{"op":"replace","path":"/Description","value":"x"}]`), false)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(e.Raw, []byte("PasswordHash")) {
		t.Errorf("shown: %s", e.Raw)
	}
	if got := string(e.Clone().(*models.User).PasswordHash); got != "hash" {
		t.Errorf("kept %q, want hash", got)
	}
}

func TestUniqueNamesAreUnique(t *testing.T) {
	s, ctx := open(t, newMemory())
	a, err := s.Create(ctx, &models.Machine{Name: "alpha"}, false)
	if err != nil {
		t.Fatal(err)
	}
	class(t, errOf(s.Create(ctx, &models.Machine{Name: "alpha"}, false)), models.Conflict)
	b, err := s.Create(ctx, &models.Machine{Name: "beta"}, false)
	if err != nil {
		t.Fatal(err)
	}
	rename := decodePatch(t, `[{"op":"replace","path":"/Name","value":"alpha"}]`)
	class(t, errOf(s.Patch(ctx, "machines", b.Object.Key(), rename, false)), models.Conflict)
	if _, err := s.Delete(ctx, "machines", "Name:alpha"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Patch(ctx, "machines", b.Object.Key(), rename, false); err != nil {
		t.Errorf("the name is free again: %v", err)
	}
	if e, err := s.Get(ctx, "machines", "Name:alpha"); err != nil || e.Object.Key() != b.Object.Key() {
		t.Errorf("by its new name: %v", err)
	}
	_ = a
}

func TestOfConcurrentCreationsOfOneNameOneHolds(t *testing.T) {
	s, ctx := open(t, newMemory())
	var won atomic.Int32
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := s.Create(ctx, &models.Machine{Name: "same"}, false); err == nil {
				won.Add(1)
			}
		})
	}
	wg.Wait()
	if won.Load() != 1 || s.View().Len("machines") != 1 {
		t.Errorf("%d creations succeeded, %d machines; want 1 and 1", won.Load(), s.View().Len("machines"))
	}
}

func TestClaimsDecideMemberByMember(t *testing.T) {
	s, ctx := open(t, newMemory())
	if _, err := s.Create(ctx, sample(t, "profiles", "shared"), false); err != nil {
		t.Fatal(err)
	}
	as := func(claims ...models.Claim) context.Context {
		return WithActor(t.Context(), Actor{Name: "user:x", Claims: claims})
	}
	get := models.Claim{Scope: "profiles", Action: "get", Specific: "shared"}
	desc := models.Claim{Scope: "profiles", Action: "update:/Description", Specific: "shared"}
	p := decodePatch(t, `[{"op":"replace","path":"/Description","value":"x"}]`)
	both := decodePatch(t, `[{"op":"replace","path":"/Description","value":"y"},{"op":"add","path":"/Meta/a","value":"b"}]`)

	class(t, errOf(s.Patch(as(desc), "profiles", "shared", p, false)), models.NotFound)
	class(t, errOf(s.Patch(as(get), "profiles", "shared", p, false)), models.Forbidden)
	class(t, errOf(s.Patch(as(get, desc), "profiles", "shared", both, false)), models.Forbidden)
	if _, err := s.Patch(as(get, desc), "profiles", "shared", p, false); err != nil {
		t.Errorf("allowed member: %v", err)
	}
	class(t, errOf(s.Delete(as(get, desc), "profiles", "shared")), models.Forbidden)
	class(t, errOf(s.Create(as(get), sample(t, "profiles", "new"), false)), models.Forbidden)
	if list, _, err := s.List(as(), "profiles", models.Query{Limit: -1}); err != nil || len(list) != 0 {
		t.Errorf("nobody sees %d profiles, %v; want none", len(list), err)
	}
}

func TestListsFilterSortAndPage(t *testing.T) {
	s, ctx := open(t, newMemory())
	for i := range 10 {
		m := &models.Machine{Name: fmt.Sprintf("m%d", i), Runnable: i%2 == 0, CurrentTask: i, Address: fmt.Sprintf("10.0.0.%d", i)}
		if _, err := s.Create(ctx, m, false); err != nil {
			t.Fatal(err)
		}
	}
	k, _ := models.KindOf("machines")
	for query, want := range map[string]string{
		"Runnable=true&sort=Name":                   "m0 m2 m4 m6 m8",
		"CurrentTask=Lt(3)&sort=Name&reverse=true":  "m2 m1 m0",
		"CurrentTask=Between(3,5)&sort=CurrentTask": "m3 m4 m5",
		"CurrentTask=Except(1,8)&sort=Name":         "m0 m9",
		"Name=In(m1,m7,nope)&sort=Name":             "m1 m7",
		"Name=Nin(m1,m7)&sort=Name&limit=2":         "m0 m2",
		"Name=Re(^m[89]$)&sort=Name":                "m8 m9",
		"Name=Ne(m0)&sort=Name&offset=7":            "m8 m9",
		"Address=Gte(10.0.0.8)&sort=Address":        "m8 m9",
		"limit=0":                                   "",
		"offset=50":                                 "",
		"Context=Eq()&limit=1&sort=Name":            "m0",
	} {
		v, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		q, err := models.ParseQuery(k, v)
		if err != nil {
			t.Errorf("%s: %v", query, err)
			continue
		}
		list, _, err := s.List(ctx, "machines", q)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, e := range list {
			names = append(names, e.Object.(*models.Machine).Name)
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	for _, query := range []string{"limit=-1", "offset=-1", "limit=x", "Runnable=fred", "Uuid=false", "Address=fred", "CurrentTask=x", "Name=Re(()", "CurrentTask=Between(1)"} {
		v, _ := url.ParseQuery(query)
		_, err := models.ParseQuery(k, v)
		class(t, err, models.NotAcceptable)
	}
	k, _ = models.KindOf("tasks") // which have no params to sort by
	_, err := models.ParseQuery(k, url.Values{"sort": {"Nope"}})
	class(t, err, models.NotAcceptable)
}

func TestAwaitEndsWithTheChangeAndNotBefore(t *testing.T) {
	s, ctx := open(t, newMemory())
	e, err := s.Create(ctx, sample(t, "profiles", "shared"), false)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
	defer cancel()
	if got, err := s.Await(short, "profiles", "shared", e.Rev); !errors.Is(err, context.DeadlineExceeded) || got != e {
		t.Errorf("nothing changed: %v %v", got, err)
	}
	type answer struct {
		e   *Entry
		err error
	}
	answers := make(chan answer, 2)
	wait := func(rev uint64) {
		got, err := s.Await(ctx, "profiles", "shared", rev)
		answers <- answer{got, err}
	}
	go wait(e.Rev)
	after, err := s.Patch(ctx, "profiles", "shared", decodePatch(t, `[{"op":"replace","path":"/Description","value":"x"}]`), false)
	if err != nil {
		t.Fatal(err)
	}
	if a := <-answers; a.err != nil || a.e.Rev != after.Rev {
		t.Errorf("after the patch: %+v", a)
	}
	go wait(after.Rev)
	if _, err := s.Delete(ctx, "profiles", "shared"); err != nil {
		t.Fatal(err)
	}
	if a := <-answers; a.err != nil || a.e != nil {
		t.Errorf("after the deletion: %+v", a)
	}
	nothingLeft(t, s)
}

func TestBaseObjectsShowThroughAndCanBeOverridden(t *testing.T) {
	m := newMemory()
	base := &models.Stage{Name: "none", Description: "built in"}
	base.Bundle = "BasicStore"
	s, err := New(m, []models.Object{base}, now, discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := WithActor(t.Context(), System)
	describe := func() string {
		e, err := s.Get(ctx, "stages", "none")
		if err != nil {
			t.Fatal(err)
		}
		return e.Object.(*models.Stage).Description
	}
	class(t, errOf(s.Delete(ctx, "stages", "none")), models.Forbidden)
	class(t, errOf(s.Patch(ctx, "stages", "none", decodePatch(t, `[{"op":"replace","path":"/Description","value":"x"}]`), false)), models.Forbidden)
	if _, err := s.Create(ctx, &models.Stage{Name: "none", Description: "mine"}, false); err != nil {
		t.Fatal(err)
	}
	if got := describe(); got != "mine" {
		t.Errorf("overridden: %q", got)
	}
	if _, err := s.Do(ctx, false, func(tx *Tx) error {
		if err := tx.Delete("stages", "none"); err != nil {
			return err
		}
		if e, ok := tx.Get("stages", "none"); !ok || e.Object.(*models.Stage).Description != "built in" {
			t.Error("inside the change that deletes the override, what it hid does not show")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := describe(); got != "built in" {
		t.Errorf("revealed again: %q", got)
	}
}

func TestAPanicInAChangeIsItsErrorOnly(t *testing.T) {
	s, ctx := open(t, newMemory())
	_, err := s.Do(ctx, false, func(*Tx) error { panic("boom") })
	class(t, err, models.Internal)
	if _, err := s.Create(ctx, sample(t, "profiles", "after"), false); err != nil {
		t.Errorf("after a panic: %v", err)
	}
}

func TestTooLargeObjectsAreRefused(t *testing.T) {
	s, ctx := open(t, newMemory())
	class(t, errOf(s.Create(ctx, &models.Template{ID: "huge", Contents: strings.Repeat("x", 1<<20)}, false)), models.TooLarge)
}

// TestARequestOfOneNameIsCarriedOutOnce: asked again, after a restart too, the winner of a
// compare-and-set is told that it has won, and nobody else is.
func TestARequestOfOneNameIsCarriedOutOnce(t *testing.T) {
	m := newMemory()
	s, ctx := open(t, m)
	if _, err := s.Create(ctx, &models.Profile{Name: "lock", Description: "free"}, false); err != nil {
		t.Fatal(err)
	}
	swap := decodePatch(t, `[{"op":"test","path":"/Description","value":"free"},{"op":"replace","path":"/Description","value":"taken"}]`)
	first, err := s.Patch(WithOnce(ctx, "one"), "profiles", "lock", swap, false)
	if err != nil {
		t.Fatal(err)
	}
	ann := WithActor(t.Context(), Actor{Name: "user:ann", Claims: System.Claims})
	for range 2 {
		again, err := s.Patch(WithOnce(ctx, "one"), "profiles", "lock", swap, false)
		if err != nil || again.Rev != first.Rev {
			t.Errorf("asked again: %v, %v", again, err)
		}
		class(t, errOf(s.Patch(WithOnce(ctx, "two"), "profiles", "lock", swap, false)), models.Conflict)
		class(t, errOf(s.Patch(WithOnce(ann, "one"), "profiles", "lock", swap, false)), models.Conflict)
		class(t, errOf(s.Patch(ctx, "profiles", "lock", swap, false)), models.Conflict)
		s, ctx = open(t, m) // as after a crash: only the engine remembers
	}
	gone, err := s.Delete(WithOnce(ctx, "three"), "profiles", "lock")
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Delete(WithOnce(ctx, "three"), "profiles", "lock")
	if err != nil || !bytes.Equal(again.Raw, gone.Raw) {
		t.Errorf("deleted again: %v", err)
	}
	if m.rev() != 3 {
		t.Errorf("%d changes, want 3", m.rev())
	}
}

// TestACommitNamesWhatItRestsOn: the revisions of all that the change has read, the absence of
// what it looked for in vain included, so that no engine can take it on another state.
func TestACommitNamesWhatItRestsOn(t *testing.T) {
	m := newMemory()
	s, ctx := open(t, m)
	read, err := s.Create(ctx, sample(t, "profiles", "read"), false)
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Do(ctx, false, func(tx *Tx) error {
		tx.Get("profiles", "read")
		tx.Get("profiles", "absent")
		return tx.Create(&models.Profile{Name: "written"})
	})
	if err != nil {
		t.Fatal(err)
	}
	got := map[store.Key]uint64{}
	for _, r := range m.history[len(m.history)-1].Reads {
		got[r.Key] = r.Rev
	}
	want := map[store.Key]uint64{{Kind: "profiles", ID: "read"}: read.Rev, {Kind: "profiles", ID: "absent"}: 0}
	if !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
