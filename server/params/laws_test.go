package params

import (
	"encoding/json"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"
	"testing"

	"drp/models"
	"drp/models/patch"
	"drp/server/objects"

	"pgregory.net/rapid"
)

// layout is a machine with whatever may stand around it.
type layout struct {
	state map[string]map[string]models.Object
	m     *models.Machine
}

func (l *layout) Get(kind, key string) (*objects.Entry, bool) {
	o, ok := l.state[kind][key]
	if !ok {
		return nil, false
	}
	return &objects.Entry{Object: o}, true
}

// reader makes a layout a Reader; the params need no more than Get.
type reader struct {
	objects.Reader
	*layout
}

func (r reader) Get(kind, key string) (*objects.Entry, bool) { return r.layout.Get(kind, key) }

func (r reader) All(kind string) iter.Seq[*objects.Entry] {
	return func(yield func(*objects.Entry) bool) {
		for _, o := range r.state[kind] {
			if !yield(&objects.Entry{Object: o}) {
				return
			}
		}
	}
}

var keys = []string{"k0", "k1", "k2"}

func draw(t *rapid.T) *layout {
	names := []string{"p0", "p1", "p2", "p3", models.GlobalProfile, "missing"}
	some := func(label string) []string {
		return rapid.SliceOfNDistinct(rapid.SampledFrom(names), 0, 3, rapid.ID).Draw(t, label)
	}
	values := func(label string) models.Params {
		p := models.Params{}
		for _, k := range rapid.SliceOfNDistinct(rapid.SampledFrom(keys), 0, 2, rapid.ID).Draw(t, label) {
			p[k] = json.RawMessage(fmt.Sprintf("[%q]", label)) // so that a value tells where it is from
		}
		return p
	}
	l := &layout{state: map[string]map[string]models.Object{"profiles": {}, "stages": {}, "params": {}}}
	for _, n := range names[:5] {
		if n != models.GlobalProfile || rapid.Bool().Draw(t, "has global") {
			l.state["profiles"][n] = &models.Profile{Name: n, Params: values("profile " + n), Profiles: some("profiles of " + n)}
		}
	}
	if rapid.Bool().Draw(t, "has stage") {
		l.state["stages"]["stage"] = &models.Stage{Name: "stage", Params: values("stage"), Profiles: some("profiles of the stage")}
	}
	for _, k := range keys {
		schema := rapid.SampledFrom([]string{"null", `{"type":"array"}`, `{"type":"array","default":["default"]}`}).Draw(t, "schema of "+k)
		l.state["params"][k] = &models.Param{Name: k, Schema: json.RawMessage(schema)}
	}
	l.m = &models.Machine{Uuid: "u", Stage: "stage", Profiles: some("profiles of the machine"), Params: values("machine")}
	return l
}

// order is the order of precedence, written down naively: all paths to all profiles, of which
// only the first to each counts.
func (l *layout) order() []models.ParamHolder {
	var path func(name string, trail []string) []models.ParamHolder
	visited := map[string]bool{}
	path = func(name string, trail []string) []models.ParamHolder {
		p, ok := l.state["profiles"][name].(*models.Profile)
		if !ok || visited[name] {
			return nil
		}
		visited[name] = true
		all := []models.ParamHolder{p}
		for _, n := range p.Profiles {
			all = append(all, path(n, append(trail, name))...)
		}
		return all
	}
	all := []models.ParamHolder{l.m}
	for _, n := range l.m.Profiles {
		all = append(all, path(n, nil)...)
	}
	if s, ok := l.state["stages"]["stage"].(*models.Stage); ok {
		all = append(all, s)
		for _, n := range s.Profiles {
			all = append(all, path(n, nil)...)
		}
	}
	return append(all, path(models.GlobalProfile, nil)...)
}

// TestTheFirstLevelThatHasTheKeyWins also holds Aggregate and Compose against the same order.
func TestTheFirstLevelThatHasTheKeyWins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := draw(t)
		r := reader{layout: l}
		aggregate := Aggregate(r, l.m)
		for _, k := range keys {
			var want, all []string
			var origin Origin
			for _, h := range l.order() {
				if v, ok := (*h.ParamMap())[k]; ok {
					var list []string
					if err := json.Unmarshal(v, &list); err != nil {
						t.Fatal(err)
					}
					if want == nil {
						want, origin = list, Origin{h.Kind(), h.Key()}
					}
					all = append(all, list...)
				}
			}
			p := l.state["params"][k].(*models.Param)
			if d, ok := p.Default(); ok && want == nil {
				if err := json.Unmarshal(d, &want); err != nil {
					t.Fatal(err)
				}
				origin, all = Origin{"params", k}, want
			}
			got, from, ok := Effective(r, l.m, k)
			if ok != (want != nil) || ok && (list(t, got) != fmt.Sprint(want) || from != origin) {
				t.Fatalf("%s: got %s from %v, %v; want %v from %v", k, got, from, ok, want, origin)
			}
			if a, ok := aggregate[k]; ok != (want != nil && origin.Kind != "params") || ok && list(t, a) != fmt.Sprint(want) {
				t.Fatalf("%s: aggregate is %s, %v; want %v from %v", k, a, ok, want, origin)
			}
			composed, err := Compose(r, l.m, k)
			switch {
			case string(p.Schema) == "null":
				if models.ClassOf(err) != models.Invalid {
					t.Fatalf("%s: composed a param without type to %s, %v", k, composed, err)
				}
			case err != nil || (composed != nil) != (all != nil) || composed != nil && list(t, composed) != fmt.Sprint(all):
				t.Fatalf("%s: composed %s, %v; want %v", k, composed, err, all)
			}
		}
	})
}

func list(t *rapid.T, raw json.RawMessage) string {
	var l []string
	if err := json.Unmarshal(raw, &l); err != nil {
		t.Fatalf("%s: %v", raw, err)
	}
	return fmt.Sprint(l)
}

// TestOriginsAreTrue: the first origin of a param is that of Effective, with its value; each origin
// has in itself the value that it is told with; and none is left out.
func TestOriginsAreTrue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := draw(t)
		r := reader{layout: l}
		all := Origins(r, l.m)
		for _, k := range keys {
			got, ok := all[k]
			if one, found := OriginsOf(r, l.m, k); found != ok || !reflect.DeepEqual(one, got) {
				t.Fatalf("%s: alone %+v, among all %+v", k, one, got)
			}
			value, from, effective := Effective(r, l.m, k)
			if effective != ok || string(value) != string(got.Value) || from != (Origin{got.Kind, got.Key}) {
				t.Fatalf("%s: got %+v; effective is %s from %v", k, got, value, from)
			}
			var want []Origin
			for _, h := range l.order() {
				if _, ok := (*h.ParamMap())[k]; ok {
					want = append(want, Origin{h.Kind(), h.Key()})
				}
			}
			if _, ok := l.state["params"][k].(*models.Param).Default(); ok {
				want = append(want, Origin{"params", k})
			}
			var told []Origin
			for _, o := range append([]models.ParamOrigin{got.ParamOrigin}, got.Overrides...) {
				if !ok {
					break
				}
				told = append(told, Origin{o.Kind, o.Key})
				if own := l.own(o, k); string(own) != string(o.Value) {
					t.Fatalf("%s: %v has %s, told is %s", k, told, own, o.Value)
				}
				l.leadsTo(t, o)
			}
			if !slices.Equal(told, want) {
				t.Fatalf("%s: got %v, want %v", k, told, want)
			}
		}
	})
}

// own is the value that an origin has by itself.
func (l *layout) own(o models.ParamOrigin, key string) json.RawMessage {
	switch h := l.object(o.Kind, o.Key).(type) {
	case *models.Param:
		v, _ := h.Default()
		return v
	case models.ParamHolder:
		return (*h.ParamMap())[key]
	}
	return nil
}

func (l *layout) object(kind, key string) models.Object {
	if kind == "machines" {
		return l.m
	}
	return l.state[kind][key]
}

// leadsTo checks that each object on the way to an origin names the next.
func (l *layout) leadsTo(t *rapid.T, o models.ParamOrigin) {
	at := models.Object(l.m)
	for _, next := range append(slices.Clone(o.Via), o.Kind+"/"+o.Key) {
		kind, key, _ := strings.Cut(next, "/")
		names := append([]string{}, at.(models.ProfileHolder).ProfileNames()...)
		_, machine := at.(*models.Machine)
		switch {
		case machine && (kind != "profiles" || key == models.GlobalProfile): // by itself
		case !slices.Contains(names, key):
			t.Fatalf("%+v: %s/%s does not name %s", o, at.Kind(), at.Key(), key)
		}
		at = l.object(kind, key)
	}
}

// TestProfilesAndStagesSeeTheirOwn: no stage, no global; but defaults.
func TestProfilesAndStagesSeeTheirOwn(t *testing.T) {
	s := service(t)
	create(t, s, profile("global", map[string]string{"gg": "1"}), profile("inner", map[string]string{"ii": "2", "own": "2"}), profile("outer", map[string]string{"own": "1"}, "inner"),
		&models.Stage{Name: "stage", Params: raw(map[string]string{"ss": "1"}), Profiles: []string{"outer"}}, param("dd", `{"default":7}`))
	for _, c := range []struct{ kind, key, want string }{
		{"profiles", "outer", `{"ii":2,"own":1}`}, {"profiles", "inner", `{"ii":2,"own":2}`}, {"stages", "stage", `{"ii":2,"own":1,"ss":1}`},
	} {
		e, _ := s.View().Get(c.kind, c.key)
		if got, _ := models.Marshal(Aggregate(s.View(), e.Object)); string(got) != c.want {
			t.Errorf("%s: got %s, want %s", c.key, got, c.want)
		}
		if v, from, _ := Effective(s.View(), e.Object, "dd"); string(v) != "7" || from != (Origin{"params", "dd"}) {
			t.Errorf("%s: default is %s from %v, want 7 from the Param", c.key, v, from)
		}
	}
}

// TestMapsAreComposedByTheirMembers: the most specific member wins, whole.
func TestMapsAreComposedByTheirMembers(t *testing.T) {
	s := service(t)
	create(t, s, param("mm", `{"type":"object","default":{"z":1}}`), profile("low", map[string]string{"mm": `{"a":{"x":1},"b":2}`}), profile("high", map[string]string{"mm": `{"a":{"y":1}}`}, "low"), profile("none", nil))
	for name, want := range map[string]string{"high": `{"a":{"y":1},"b":2}`, "low": `{"a":{"x":1},"b":2}`, "none": `{"z":1}`} {
		p, _ := objects.Get[*models.Profile](s.View(), name)
		if got, err := Compose(s.View(), p, "mm"); err != nil || string(got) != want {
			t.Errorf("%s: got %s, %v; want %s", name, got, err, want)
		}
	}
}

// TestPatchesEndAsIfDefaultsWereSet: with every default written out beforehand the same patch
// has the same outcome, except for what is left unset.
func TestPatchesEndAsIfDefaultsWereSet(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := reader{layout: &layout{state: map[string]map[string]models.Object{"params": {}}}}
		defaults := models.Params{}
		for _, k := range keys[:2] {
			defaults[k] = json.RawMessage(`"none"`)
			r.state["params"][k] = &models.Param{Name: k, Schema: json.RawMessage(`{"default":"none"}`)}
		}
		stored, full := models.Params{}, models.Params{}
		for _, k := range keys {
			if d, ok := defaults[k]; ok {
				full[k] = d
			}
			if rapid.Bool().Draw(t, k+" is set") {
				stored[k] = json.RawMessage(`"u1"`)
				full[k] = stored[k]
			}
		}
		p := drawPatch(t)
		doc, _ := models.Marshal(stored)
		fullDoc, _ := models.Marshal(full)
		got, gotErr := apply(r, p, doc, stored)
		want, wantErr := p.Apply(fullDoc)
		if (gotErr == nil) != (wantErr == nil) {
			t.Fatalf("%s with %v: got %v, want %v", doc, p, gotErr, wantErr)
		}
		if gotErr != nil {
			// That there are other members is not told of defaults.
			if strings.ReplaceAll(gotErr.Error(), "{…}", "{}") != strings.ReplaceAll(wantErr.Error(), "{…}", "{}") {
				t.Fatalf("%s with %v: got %v, want %v", doc, p, gotErr, wantErr)
			}
			return
		}
		var is, all models.Params
		if json.Unmarshal(got, &is) != nil || json.Unmarshal(want, &all) != nil {
			t.Fatalf("got %s, want %s", got, want)
		}
		for _, k := range keys {
			v, ok := is[k]
			if !ok && slices.Contains(keys[:2], k) {
				v = defaults[k]
			}
			if string(v) != string(all[k]) {
				t.Fatalf("%s with %v: %s is %s, want %s", doc, p, k, v, all[k])
			}
			if _, was := stored[k]; ok && !was && !slices.ContainsFunc(p, func(o patchOp) bool { return o.Op != "test" && o.Path == "/"+k }) {
				t.Fatalf("%s with %v: %s was only tested, but is stored", doc, p, k)
			}
		}
	})
}

type patchOp = patch.Op

// drawPatch draws tests and replaces, and adds; these have the same meaning with defaults set.
func drawPatch(t *rapid.T) patch.Patch {
	var p patch.Patch
	for range rapid.IntRange(1, 6).Draw(t, "operations") {
		p = append(p, patch.Op{
			Op:    rapid.SampledFrom([]string{"test", "replace", "add"}).Draw(t, "op"),
			Path:  "/" + rapid.SampledFrom(keys).Draw(t, "path"),
			Value: json.RawMessage(rapid.SampledFrom([]string{`"none"`, `"u1"`, `"u2"`}).Draw(t, "value")),
		})
	}
	return p
}
