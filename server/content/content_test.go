package content

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	packs "drp/content"
	"drp/models"
	"drp/server/objects"
	"drp/server/params"
	"drp/server/store/sqlite"
	"drp/server/workflow"

	"github.com/google/go-cmp/cmp"
)

var features = []string{"sane-exit-codes", "api-v3"}

// server is the objects and packs of a server whose data is in a folder.
type server struct {
	*Service
	ctx context.Context // of one who may do everything
}

func start(t testing.TB, dir string) *server {
	t.Helper()
	return startWith(t, dir, "", "")
}

// startWith is start with content on the server's disk.
func startWith(t testing.TB, dir, local, defaults string) *server {
	t.Helper()
	layers, err := Layers("v4.8.0", local, defaults)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := sqlite.Open(t.Context(), filepath.Join(dir, "drp.db"), objects.Advance)
	if err != nil {
		t.Fatal(err)
	}
	objs, err := objects.New(engine, Base(layers), time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	params.Register(objs)
	workflow.Register(objs)
	if err := objs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		objs.Close()
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return &server{New(objs, features, layers), objects.WithActor(context.Background(), objects.System)}
}

func (s *server) mustCreate(t *testing.T, o models.Object) {
	t.Helper()
	if _, err := s.objects.Create(s.ctx, o, false); err != nil {
		t.Fatal(err)
	}
}

func (s *server) mustUpload(t *testing.T, text string) *models.ContentSummary {
	t.Helper()
	pack := packOf(t, text)
	sum, err := s.Create(s.ctx, pack, false)
	if models.ClassOf(err) == models.Conflict {
		sum, err = s.Replace(s.ctx, pack.Meta.Name, pack, false)
	}
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

func packOf(t *testing.T, text string) *models.Content {
	t.Helper()
	pack, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return pack
}

// state is every object by kind and key, as clients see it.
func (s *server) state() map[string]string {
	m := map[string]string{}
	for _, k := range models.Kinds {
		for e := range s.objects.View().All(k.Name) {
			m[k.Name+"/"+e.Object.Key()] = string(e.Raw)
		}
	}
	return m
}

func (s *server) object(t *testing.T, kind, key string) models.Object {
	t.Helper()
	e, ok := s.objects.View().Get(kind, key)
	if !ok {
		t.Fatalf("%s/%s is not there", kind, key)
	}
	return e.Object
}

const first = `
meta: {Name: first, Version: v1.2.3}
sections:
  params:
    p/one: {Name: p/one, Schema: {type: integer, default: 3}}
  templates:
    one.tmpl: {ID: one.tmpl, Contents: "echo one"}
  profiles:
    prof: {name: prof, PARAMS: {p/one: 5}}
  tasks:
    base: {Name: base, Templates: [{Name: a, ID: one.tmpl}]}
    above: {Name: above, Prerequisites: [base], Templates: [{Name: a, Contents: "true"}]}
  stages:
    st: {Name: st, Tasks: [above], Profiles: [prof]}
  workflows:
    wf: {Stages: [st, none]}
  bootenvs:
    env: {Name: env, OnlyUnknown: false}
  roles:
    reader: {Name: reader, Claims: [{scope: machines, action: get, specific: "*"}]}
`

func TestObjectsOfAPackAreReadOnlyAndNameIt(t *testing.T) {
	s := start(t, t.TempDir())
	sum := s.mustUpload(t, first)
	want := map[string]int{"params": 1, "templates": 1, "profiles": 1, "tasks": 2, "stages": 1, "workflows": 1, "bootenvs": 1, "roles": 1}
	if diff := cmp.Diff(want, sum.Counts); diff != "" {
		t.Error(diff)
	}
	if sum.Meta.Type != "dynamic" || sum.Meta.Writable || sum.Meta.Overwritable || len(sum.Warnings) > 0 {
		t.Errorf("summary: %+v", sum)
	}
	for _, id := range []string{"params/p/one", "templates/one.tmpl", "profiles/prof", "tasks/above", "stages/st", "workflows/wf", "bootenvs/env", "roles/reader"} {
		kind, key, _ := strings.Cut(id, "/")
		b := s.object(t, kind, key).Base()
		if !b.ReadOnly || b.Bundle != "first" || !b.Available {
			t.Errorf("%s: %+v", id, b)
		}
		if _, err := s.objects.Delete(s.ctx, kind, key); models.ClassOf(err) != models.Forbidden {
			t.Errorf("%s can be deleted: %v", id, err)
		}
		o := models.Clone(s.object(t, kind, key))
		if _, err := s.objects.Create(s.ctx, o, false); models.ClassOf(err) != models.Conflict {
			t.Errorf("%s can be created again: %v", id, err)
		}
	}
}

func TestPacksSurviveARestart(t *testing.T) {
	dir := t.TempDir()
	var was map[string]string
	var list []models.ContentSummary
	t.Run("before", func(t *testing.T) {
		s := start(t, dir)
		s.mustUpload(t, first)
		was = s.state()
		list, _ = s.List(s.ctx)
	})
	s := start(t, dir)
	if diff := cmp.Diff(was, s.state()); diff != "" {
		t.Error(diff)
	}
	now, err := s.List(s.ctx)
	if diff := cmp.Diff(list, now); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestDestroyTakesEverythingBack(t *testing.T) {
	s := start(t, t.TempDir())
	s.mustCreate(t, &models.Profile{Name: "mine"})
	was := s.state()
	s.mustUpload(t, first)
	if err := s.Destroy(s.ctx, "first"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(was, s.state()); diff != "" {
		t.Error(diff)
	}
}

// What a replacement leaves must not depend on what was there before.
func TestReplaceEqualsAFreshUpload(t *testing.T) {
	second := strings.NewReplacer("v1.2.3", "v2", "above: {Name: above, Prerequisites: [base]", "above: {Name: above, Prerequisites: [other]",
		"base: {Name: base", "other: {Name: other", "5}", "7}", "reader", "writer").Replace(first)
	fresh := start(t, t.TempDir())
	fresh.mustUpload(t, second)
	s := start(t, t.TempDir())
	s.mustUpload(t, first)
	rev := s.objects.View().Rev
	s.mustUpload(t, second)
	if diff := cmp.Diff(fresh.state(), s.state()); diff != "" {
		t.Error(diff)
	}
	if got := s.objects.View().Rev; got != rev+1 {
		t.Errorf("the replacement took %d revisions; want one", got-rev)
	}
	s.mustUpload(t, second)
	if got := s.objects.View().Rev; got != rev+1 {
		t.Errorf("the same pack again makes %d revisions; want none", got-rev-1)
	}
}

func TestShownPackCanBeUploadedAgain(t *testing.T) {
	s := start(t, t.TempDir())
	s.mustUpload(t, first)
	for _, name := range []string{"first", basicStore} {
		shown, err := s.Show(s.ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		if len(shown.Sections) == 0 {
			t.Errorf("%s shows nothing", name)
		}
		other := start(t, t.TempDir())
		copied := *shown
		copied.Meta.Name = "copy"
		if _, err := other.Create(other.ctx, &copied, false); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, err := other.Show(other.ctx, "copy")
		if err != nil {
			t.Fatal(err)
		}
		want := strings.ReplaceAll(text(t, shown.Sections), `"Bundle":"`+name+`"`, `"Bundle":"copy"`)
		if got := text(t, again.Sections); got != want {
			t.Error(cmp.Diff(want, got))
		}
	}
}

func text(t *testing.T, v any) string {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// Each of these is refused, with words that say where the fault is, and nothing has changed.
func TestRefusedUploadChangesNothing(t *testing.T) {
	sections := func(s string) string { return "meta: {Name: bad}\nsections: " + s }
	cases := []struct {
		name, pack string
		want       []string
	}{
		{"no name", `{"meta":{}}`, []string{"Store at content- has no Name metadata"}},
		{"odd name", `{"meta":{"Name":"a/b"}}`, []string{"Invalid Name"}},
		{"feature", `{"meta":{"Name":"bad","RequiredFeatures":"api-v3, missing-feature"}}`,
			[]string{"Content layer bad requires feature missing-feature, but dr-provision does not provide it"}},
		{"prerequisite", `{"meta":{"Name":"bad","Prerequisites":"foo"}}`,
			[]string{"Layer bad has foo as a prerequisite, but foo does not exist!"}},
		{"version", `{"meta":{"Name":"bad","Prerequisites":"BasicStore: >= 99"}}`, []string{"Layer bad prerequisite test on BasicStore failed"}},
		{"own version", `{"meta":{"Name":"bad","Version":"1.2.foo"}}`, []string{"Layer bad: invalid version 1.2.foo"}},
		{"constraint", `{"meta":{"Name":"bad","Prerequisites":"BasicStore: >=3.12.foo"}}`, []string{"Layer bad: error parsing prerequisites BasicStore: >=3.12.foo"}},
		{"kind", sections(`{gadgets: {g: {}}}`), []string{"Content layer bad has the section gadgets"}},
		{"state", sections(`{machines: {m: {Name: mm}}}`), []string{"section machines"}},
		{"type", sections(`{profiles: {p1: {Name: p1, Params: 5}}}`),
			[]string{"Store profiles item p1 failed to load from layer content-bad: error unmarshaling JSON", "Try manually replacing content layer bad"}},
		{"key", sections(`{profiles: {p1: {Name: p2}}}`), []string{"Store profiles item p1 failed to load from layer content-bad: it calls itself p2"}},
		{"two faults", sections(`{tasks: {x: {}}, profiles: {"9": {}}}`), []string{"profiles item 9", "tasks item x"}},
		{"validation", sections(`{tasks: {tt: {Templates: [{Name: a}]}}}`), []string{"Store tasks item tt", "must have either an ID"}},
		{"schema", sections(`{params: {pp: {Schema: {type: string, default: 5}}}}`), []string{"Store params item pp", "default"}},
		{"value", sections(`{params: {pp: {Schema: {type: string}}}, profiles: {prof2: {Params: {pp: 5}}}}`), []string{"Store profiles item prof2", "Key 'pp'"}},
		{"cycle", sections(`{tasks: {t1: {Prerequisites: [t2]}, t2: {Prerequisites: [t1]}}}`), []string{"Store tasks item t", "depends on itself!"}},
		{"missing task", sections(`{tasks: {t1: {Prerequisites: [f1]}}}`), []string{"Failed to load backing objects from cache", "Task t1 missing prerequisite f1"}},
		{"missing template", sections(`{bootenvs: {be: {Templates: [{Name: a, Path: a, ID: gone.tmpl}]}}}`),
			[]string{"Failed to load backing objects from cache", "be: Templates[0]: No common template for gone.tmpl"}},
		{"writable twin", sections(`{profiles: {fine: {}, mine: {}}}`), []string{"profiles:mine in layer dynamic-bad would override layer writable-BackingStore"}},
		{"other pack's", sections(`{tasks: {above: {}}}`), []string{"tasks:above in layer dynamic-bad would override layer dynamic-first"}},
	}
	s := start(t, t.TempDir())
	s.mustUpload(t, first)
	s.mustCreate(t, &models.Profile{Name: "mine"})
	was, rev := s.state(), s.objects.View().Rev
	listed, err := s.List(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			pack := packOf(t, c.pack)
			_, err := s.Create(s.ctx, pack, false)
			if err == nil {
				t.Fatal("it was accepted")
			}
			if _, err := s.Replace(s.ctx, "first", pack, true); err == nil {
				t.Error("it was accepted in place of another")
			}
			if class := models.ClassOf(err); class != models.Invalid {
				t.Errorf("class %v; want Invalid", class)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("got  %v\nwant %s", err, w)
				}
			}
			if got := s.objects.View().Rev; got != rev {
				t.Errorf("%d revisions were made", got-rev)
			}
			if diff := cmp.Diff(was, s.state()); diff != "" {
				t.Error(diff)
			}
			now, err := s.List(s.ctx)
			if diff := cmp.Diff(listed, now); diff != "" || err != nil {
				t.Error(diff, err)
			}
		})
	}
}

func TestReplaceWritableDropsTheWritableTwin(t *testing.T) {
	s := start(t, t.TempDir())
	s.mustCreate(t, &models.Profile{Name: "prof", Description: "mine"})
	s.mustCreate(t, &models.Machine{Name: "mach", Profiles: []string{"prof"}})
	if _, err := s.Create(s.ctx, packOf(t, first), true); err != nil {
		t.Fatal(err)
	}
	if p := s.object(t, "profiles", "prof").(*models.Profile); p.Bundle != "first" || p.Description != "" {
		t.Errorf("profile: %+v", p)
	}
}

func TestPacksMayOverrideWhatComesWithTheServer(t *testing.T) {
	s := start(t, t.TempDir())
	was := s.state()
	s.mustUpload(t, `{"meta":{"Name":"over"},"sections":{"stages":{"none":{"Description":"ours"}},"params":{"pxelinux-local-boot":{"Description":"ours"}}}}`)
	if d := s.object(t, "stages", "none").(*models.Stage).Description; d != "ours" {
		t.Errorf("description %q", d)
	}
	if err := s.Destroy(s.ctx, "over"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(was, s.state()); diff != "" {
		t.Error(diff)
	}
}

func TestWarningsTellWhatTheChangeBroke(t *testing.T) {
	s := start(t, t.TempDir())
	s.mustUpload(t, first)
	s.mustCreate(t, &models.Machine{Name: "mach", Profiles: []string{"prof"}})
	without := strings.ReplaceAll(strings.ReplaceAll(first, "    prof: {name: prof, PARAMS: {p/one: 5}}\n", "    else: {Name: else}\n"), ", Profiles: [prof]", "")
	sum := s.mustUpload(t, without)
	if len(sum.Warnings) != 1 || !strings.Contains(sum.Warnings[0], "Profile prof (at 0) does not exist") {
		t.Errorf("warnings %q", sum.Warnings)
	}
	if again := s.mustUpload(t, strings.Replace(without, "v1.2.3", "v1.2.4", 1)); len(again.Warnings) != 0 {
		t.Errorf("old problems warned of again: %q", again.Warnings)
	}
	s.mustUpload(t, first)
	for e := range s.objects.View().All("machines") {
		if !e.Object.Base().Available {
			t.Errorf("the machine is not available again: %v", e.Object.Base().Errors)
		}
	}
}

// A pack that is in use may go: what used it is not available until it comes back.
func TestWhatUsedAPackWaitsForItsReturn(t *testing.T) {
	s := start(t, t.TempDir())
	s.mustUpload(t, first)
	s.mustCreate(t, &models.Machine{Name: "mach", Profiles: []string{"prof"}, Workflow: "wf"})
	s.mustCreate(t, &models.Stage{Name: "mine", Tasks: []string{"above"}, BootEnv: "env"})
	available := func(want bool) {
		t.Helper()
		for _, kind := range []string{"machines", "stages"} {
			for e := range s.objects.View().All(kind) {
				if b := e.Object.Base(); !b.ReadOnly && (b.Available != want || (len(b.Errors) == 0) != want) {
					t.Errorf("%s/%s: Available is %v with %q", kind, e.Object.Key(), b.Available, b.Errors)
				}
			}
		}
	}
	available(true)
	if err := s.Destroy(s.ctx, "first"); err != nil {
		t.Fatal(err)
	}
	available(false)
	s.mustUpload(t, first)
	available(true)
}

func TestAPackThatOthersNeedStays(t *testing.T) {
	s := start(t, t.TempDir())
	s.mustUpload(t, `{"meta":{"Name":"low","Version":"v2.0.0"}}`)
	s.mustUpload(t, `{"meta":{"Name":"high","Prerequisites":"low: >=2.0.0"}}`)
	if err := s.Destroy(s.ctx, "low"); err == nil || !strings.Contains(err.Error(), "Layer high has low as a prerequisite") {
		t.Errorf("destroyed: %v", err)
	}
	if _, err := s.Replace(s.ctx, "low", packOf(t, `{"meta":{"Name":"low","Version":"v1.9.0"}}`), false); err == nil ||
		!strings.Contains(err.Error(), "Layer high prerequisite test on low failed") {
		t.Errorf("replaced: %v", err)
	}
	for _, name := range []string{"high", "low"} {
		if err := s.Destroy(s.ctx, name); err != nil {
			t.Error(err)
		}
	}
}

func TestEachVerbNeedsItsClaim(t *testing.T) {
	s := start(t, t.TempDir())
	s.mustUpload(t, `{"meta":{"Name":"there"}}`)
	pack := func(name string) *models.Content { return &models.Content{Meta: models.ContentMeta{Name: name}} }
	verbs := []struct {
		claims models.Claims // enough
		do     func(ctx context.Context) error
	}{
		{models.Claims{{Scope: "contents", Action: "get", Specific: "there"}}, func(ctx context.Context) error { _, err := s.Show(ctx, "there"); return err }},
		{models.Claims{{Scope: "contents", Action: "get,update", Specific: "there"}}, func(ctx context.Context) error {
			_, err := s.Replace(ctx, "there", pack("there"), false)
			return err
		}},
		{models.Claims{{Scope: "contents", Action: "create", Specific: "*"}}, func(ctx context.Context) error {
			_, err := s.Create(ctx, pack("fresh"), false)
			return err
		}},
		{models.Claims{{Scope: "contents", Action: "get,delete", Specific: "there"}}, func(ctx context.Context) error { return s.Destroy(ctx, "there") }},
	}
	for i, v := range verbs {
		weak := models.Claims{{Scope: "contents", Action: "list", Specific: "*"}, {Scope: "profiles", Action: "*", Specific: "*"}}
		err := v.do(objects.WithActor(t.Context(), objects.Actor{Name: "weak", Claims: weak}))
		if c := models.ClassOf(err); err == nil || c != models.Forbidden && c != models.NotFound {
			t.Errorf("verb %d without its claim: %v", i, err)
		}
		if err := v.do(objects.WithActor(t.Context(), objects.Actor{Name: "able", Claims: v.claims})); err != nil {
			t.Errorf("verb %d with its claim: %v", i, err)
		}
	}
	list, err := s.List(t.Context())
	if err != nil || len(list) != 0 {
		t.Errorf("nobody sees %v, %v", list, err)
	}
}

func TestLayersOfTheServerStay(t *testing.T) {
	s := start(t, t.TempDir())
	for _, name := range []string{backingStore, basicStore} {
		pack := &models.Content{Meta: models.ContentMeta{Name: name}}
		if _, err := s.Create(s.ctx, pack, false); models.ClassOf(err) != models.Conflict || !strings.Contains(err.Error(), "Content "+name+" already exists") {
			t.Errorf("create %s: %v", name, err)
		}
		if _, err := s.Replace(s.ctx, name, pack, false); models.ClassOf(err) != models.Forbidden {
			t.Errorf("replace %s: %v", name, err)
		}
		if err := s.Destroy(s.ctx, name); models.ClassOf(err) != models.Forbidden {
			t.Errorf("destroy %s: %v", name, err)
		}
		if _, err := s.Show(s.ctx, name); err != nil {
			t.Errorf("show %s: %v", name, err)
		}
	}
	for _, err := range []error{
		func() error { _, err := s.Show(s.ctx, "gone"); return err }(),
		func() error {
			_, err := s.Replace(s.ctx, "gone", packOf(t, `{"meta":{"Name":"gone"}}`), false)
			return err
		}(),
		s.Destroy(s.ctx, "gone"),
	} {
		if models.ClassOf(err) != models.NotFound || !strings.Contains(err.Error(), "No such content store") {
			t.Errorf("a pack that is not there: %v", err)
		}
	}
}

func TestListShowsTheLayersThatWinFirst(t *testing.T) {
	s := start(t, t.TempDir())
	s.mustUpload(t, first)
	list, err := s.List(s.ctx)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range list {
		names = append(names, l.Meta.Type+" "+l.Meta.Name)
		if l.Warnings == nil || l.Counts == nil {
			t.Errorf("%s has a null member", l.Meta.Name)
		}
	}
	want := []string{"writable BackingStore", "dynamic first", "basic BasicStore"}
	if diff := cmp.Diff(want, names); diff != "" {
		t.Error(diff)
	}
	basics := map[string]int{"bootenvs": 2, "stages": 2, "roles": 1, "params": 1}
	if diff := cmp.Diff(basics, list[2].Counts); diff != "" {
		t.Error(diff)
	}
}

func TestTheWritableLayerShowsOnlyWhatTheCallerMaySee(t *testing.T) {
	s := start(t, t.TempDir())
	s.mustCreate(t, &models.Profile{Name: "seen"})
	s.mustCreate(t, &models.Profile{Name: "hidden"})
	ctx := objects.WithActor(t.Context(), objects.Actor{Claims: models.Claims{
		{Scope: "contents", Action: "get", Specific: "*"}, {Scope: "profiles", Action: "get", Specific: "seen"}}})
	shown, err := s.Show(ctx, backingStore)
	if err != nil {
		t.Fatal(err)
	}
	if got := slices.Collect(maps.Keys(shown.Sections["profiles"])); len(got) != 1 || got[0] != "seen" {
		t.Errorf("profiles shown: %v", got)
	}
	s.mustCreate(t, &models.Pref{Name: "signingKey", Val: "do not tell"})
	all, err := s.Show(s.ctx, backingStore)
	if err != nil || strings.Contains(text(t, all), "do not tell") || len(all.Sections["profiles"]) != 2 {
		t.Errorf("shown to one who may see everything: %s, %v", text(t, all), err)
	}
}

func TestParse(t *testing.T) {
	want := text(t, packOf(t, `{"meta":{"Name":"x","Version":"v1"},"sections":{"profiles":{"pp":{"Params":{"num":12345678901234567}}}}}`))
	for _, same := range []string{
		"meta:\n  Name: x\n  Version: v1\nsections:\n  profiles:\n    pp:\n      Params: {num: 12345678901234567}\n",
		`{"Meta":{"name":"x","VERSION":"v1"},"SECTIONS":{"profiles":{"pp":{"Params":{"num":12345678901234567}}}}}`,
	} {
		if got := text(t, packOf(t, same)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	for _, bad := range []string{"", "null", "[asdgasdg]", "asdgasdg", "{asdgasdg", "meta: {Name: a, Name: b}", `{"meta":5}`} {
		if _, err := Parse([]byte(bad)); models.ClassOf(err) != models.BadRequest {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// Uploads and other writes at the same moment leave the state of some order of them.
func TestUploadsRaceWithoutHalves(t *testing.T) {
	s := start(t, t.TempDir())
	errs := make(chan error)
	const n = 8
	for i := range n {
		go func() {
			pack := fmt.Sprintf(`{"meta":{"Name":"p%d"},"sections":{"profiles":{"shared":{},"own%d":{}}}}`, i, i)
			c, err := Parse([]byte(pack))
			if err == nil {
				_, err = s.Create(s.ctx, c, false)
			}
			errs <- err
		}()
	}
	won := 0
	for range n {
		err := <-errs
		if err == nil {
			won++
		} else if models.ClassOf(err) != models.Invalid {
			t.Error(err)
		}
	}
	winner := s.object(t, "profiles", "shared").Base().Bundle
	if won != 1 || s.objects.View().Len("contents") != 1 || s.objects.View().Len("profiles") != 2 {
		t.Errorf("%d packs hold the same key; the profile is that of %s; %v", won, winner, slices.Sorted(maps.Keys(s.state())))
	}
}

func TestMessagesAreProblems(t *testing.T) {
	s := start(t, t.TempDir())
	_, err := s.Create(s.ctx, packOf(t, `{"meta":{"Name":"two"},"sections":{"tasks":{"xx":{"Templates":[{"Name":"a"}]},"yy":{"Templates":[{}]}}}}`), false)
	var problem *models.Error
	if !errors.As(err, &problem) || problem.Model != "contents" || problem.Key != "two" || len(problem.Messages) < 3 {
		t.Errorf("got %#v", err)
	}
}

// sparse is what an object needs beside its key to be one, by kind; what is not here needs nothing.
var sparse = map[string]string{"plugins": `{"Provider":"some"}`}

func sparseOf(kind string) string {
	if raw := sparse[kind]; raw != "" {
		return raw
	}
	return "{}"
}

// A pack may bring objects of any kind that is not the state of one server.
func TestPacksBringObjectsOfEveryKind(t *testing.T) {
	s := start(t, t.TempDir())
	was := s.state()
	pack := &models.Content{Meta: models.ContentMeta{Name: "every"}, Sections: map[string]map[string]json.RawMessage{}}
	for _, kind := range order {
		raw := sparseOf(kind)
		if _, problems := decodeObject(kind, "a-key", []byte(raw)); len(problems) > 0 {
			t.Logf("not tested: %s needs a line in sparse: %q", kind, problems)
			continue
		}
		pack.Sections[kind] = map[string]json.RawMessage{"a-key": json.RawMessage(raw)}
	}
	if len(pack.Sections) < 10 {
		t.Fatalf("only %d kinds", len(pack.Sections))
	}
	sum, err := s.Create(s.ctx, pack, false)
	if err != nil {
		t.Fatal(err)
	}
	for kind := range pack.Sections {
		if b := s.object(t, kind, "a-key").Base(); !b.ReadOnly || b.Bundle != "every" || sum.Counts[kind] != 1 {
			t.Errorf("%s: %+v, %d counted", kind, b, sum.Counts[kind])
		}
		if _, err := s.objects.Delete(s.ctx, kind, "a-key"); models.ClassOf(err) != models.Forbidden {
			t.Errorf("%s can be deleted: %v", kind, err)
		}
	}
	shown, err := s.Show(s.ctx, "every")
	if err != nil {
		t.Fatal(err)
	}
	rev := s.objects.View().Rev
	if _, err := s.Replace(s.ctx, "every", shown, false); err != nil || s.objects.View().Rev != rev {
		t.Errorf("the same pack again, as it is shown: %v, %d revisions", err, s.objects.View().Rev-rev)
	}
	if err := s.Destroy(s.ctx, "every"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(was, s.state()); diff != "" {
		t.Error(diff)
	}
}

func TestBuiltinIsWhatTheBasicLayerHolds(t *testing.T) {
	have := packs.Builtin()
	for _, o := range basic("v4.8.0").Objects {
		if !slices.Contains(have[o.Kind()], o.Key()) {
			t.Errorf("%s/%s is not known to those who write content", o.Kind(), o.Key())
		}
	}
}

// Of one key in every set of layers, the object of the layer that wins is seen; where two layers
// may not have the same key, the pack is refused and nothing has changed.
func TestTheLayerThatWinsIsSeen(t *testing.T) {
	file := func(t *testing.T, name string) string {
		path := filepath.Join(t.TempDir(), name+".yaml")
		text := "meta: {Version: v1.2.3}\nsections: {params: {pxelinux-local-boot: {Description: " + name + "}}, profiles: {of-" + name + ": {}}}"
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for set := range 8 {
		local, pack, defaults := "", set&2 != 0, ""
		want := "The pxelinux command that boots from the local disk"
		var layers []string
		if set&4 != 0 {
			defaults, want = file(t, "defaults"), "defaults"
			layers = []string{"default DefaultStore"}
		}
		if pack && set&1 == 0 {
			want = "pack"
			layers = slices.Insert(layers, 0, "dynamic pack")
		}
		if set&1 != 0 {
			local, want = file(t, "local"), "local"
			layers = slices.Insert(layers, 0, "local LocalStore")
		}
		layers = append(append([]string{"writable BackingStore"}, layers...), "basic BasicStore")
		s := startWith(t, t.TempDir(), local, defaults)
		if pack {
			_, err := s.Create(s.ctx, packOf(t, `{"meta":{"Name":"pack"},"sections":{"params":{"pxelinux-local-boot":{"Description":"pack"}}}}`), true)
			if local == "" && err != nil {
				t.Fatal(err)
			}
			if local != "" && (err == nil || !strings.Contains(err.Error(), "params:pxelinux-local-boot in layer local-LocalStore would override layer dynamic-pack")) {
				t.Errorf("set %d: %v", set, err)
			}
		}
		if got := s.object(t, "params", "pxelinux-local-boot").(*models.Param).Description; got != want {
			t.Errorf("set %d: of %q is seen, want %q", set, got, want)
		}
		list, err := s.List(s.ctx)
		if err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, l := range list {
			names = append(names, l.Meta.Type+" "+l.Meta.Name)
			if l.Meta.Overwritable != slices.Contains([]string{"local", "default", "basic"}, l.Meta.Type) {
				t.Errorf("%s: Overwritable is %v", l.Meta.Name, l.Meta.Overwritable)
			}
		}
		if diff := cmp.Diff(layers, names); diff != "" {
			t.Errorf("set %d: %s", set, diff)
		}
		// The writable layer wins over layers that are overwritable, and never over a pack.
		_, err = s.objects.Create(s.ctx, &models.Param{Name: "pxelinux-local-boot", Description: "mine"}, false)
		if hides := err == nil; hides == (want == "pack") || !hides && models.ClassOf(err) != models.Conflict {
			t.Errorf("set %d: a writable object above that of %q: %v", set, want, err)
		}
		if err == nil {
			if _, err := s.objects.Delete(s.ctx, "params", "pxelinux-local-boot"); err != nil {
				t.Error(err)
			}
		}
		if got := s.object(t, "params", "pxelinux-local-boot").(*models.Param).Description; got != want {
			t.Errorf("set %d: of %q is seen in the end, want %q", set, got, want)
		}
		if err := s.Check(); err != nil {
			t.Errorf("set %d: %v", set, err)
		}
	}
}

// Content on the disk may change while a server is down: what then hides a pack is told.
func TestContentOnTheDiskMustFitThePacks(t *testing.T) {
	dir := t.TempDir()
	t.Run("before", func(t *testing.T) { start(t, dir).mustUpload(t, first) })
	local := filepath.Join(t.TempDir(), "local.json")
	if err := os.WriteFile(local, []byte(`{"sections":{"tasks":{"base":{}}}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := startWith(t, dir, local, "").Check(); err == nil || !strings.Contains(err.Error(), "tasks:base in layer local-LocalStore would override layer dynamic-first") {
		t.Errorf("got %v", err)
	}
	for _, text := range []string{`{`, `{"sections":{"machines":{"m":{}}}}`, `{"sections":{"tasks":{"9!":{}}}}`} {
		if err := os.WriteFile(local, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Layers("v4.8.0", local, ""); err == nil || !strings.Contains(err.Error(), local) {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := Layers("v4.8.0", "", local+".gone"); err == nil {
		t.Error("a file that is not there")
	}
}
