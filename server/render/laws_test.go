package render

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"text/template"
	"time"

	"drp/models"

	"pgregory.net/rapid"
)

// TestParamExistsTellsWhetherParamSucceeds over whatever levels set the param.
func TestParamExistsTellsWhetherParamSucceeds(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		set := func(label string) models.Params {
			if rapid.Bool().Draw(rt, label) {
				return models.Params{"key": json.RawMessage(rapid.SampledFrom([]string{`null`, `false`, `""`, `"v"`, `[]`}).Draw(rt, "value"))}
			}
			return nil
		}
		m := machine(`{}`)
		m.Params = set("machine")
		list := []models.Object{m, &models.Profile{Name: "cluster", Params: set("profile"), Profiles: []string{"nested"}}, &models.Profile{Name: "nested", Params: set("nested")},
			&models.Stage{Name: "stage", Params: set("stage")}, &models.Profile{Name: "global", Params: set("global")}}
		if rapid.Bool().Draw(rt, "has a Param") {
			list = append(list, &models.Param{Name: "key", Schema: json.RawMessage(rapid.SampledFrom([]string{`null`, `{}`, `{"default":false}`, `{"default":null}`}).Draw(rt, "schema"))})
		}
		r := renderer(Limits{})
		exists, err := one(t, r, `{{.ParamExists "key"}}`, list...)
		if err != nil {
			rt.Fatal(err)
		}
		_, err = one(t, r, `{{.Param "key"}}`, list...)
		if (exists == "true") != (err == nil) {
			rt.Fatalf("ParamExists is %s, but Param: %v", exists, err)
		}
	})
}

// TestValuesSurviveTheirWayThroughTemplates: what is read as JSON prints as the same JSON.
func TestValuesSurviveTheirWayThroughTemplates(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		v := value(3).Draw(rt, "value")
		raw, err := models.Marshal(v)
		if err != nil {
			rt.Fatal(err)
		}
		got, err := decodeJSON(raw)
		if err != nil || !reflect.DeepEqual(got, v) {
			rt.Fatalf("%s: got %#v, %v; want %#v", raw, got, err, v)
		}
	})
}

func value(depth int) *rapid.Generator[any] {
	gens := []*rapid.Generator[any]{
		rapid.Just[any](nil), rapid.Bool().AsAny(), rapid.Int64().AsAny(), rapid.StringMatching(`[a-zé<&"\\\n]*`).AsAny(),
		rapid.Custom(func(t *rapid.T) any { return float64(rapid.Int32().Draw(t, "n")) + 0.5 }),
	}
	if depth > 0 {
		gens = append(gens,
			rapid.Custom(func(t *rapid.T) any { return rapid.SliceOfN(value(depth-1), 0, 4).Draw(t, "list") }),
			rapid.Custom(func(t *rapid.T) any {
				return rapid.MapOfN(rapid.StringMatching(`[a-c]`), value(depth-1), 0, 3).Draw(t, "map")
			}))
	}
	return rapid.OneOf(gens...)
}

// TestEqualIsTheLanguagesOwn holds eq and ne against the functions they stand in for.
func TestEqualIsTheLanguagesOwn(t *testing.T) {
	values := []any{nil, true, false, 0, 1, -1, int64(1), uint8(1), uint64(1 << 63), 1.0, 1.5, "", "1", models.Created, "created", []any{}, []any(nil), map[string]any{}, map[string]any(nil), struct{ A int }{1}, &struct{}{}, [1]int{1}, complex(1, 0)}
	for _, a := range values {
		for _, b := range values {
			got, err := equal(a, b)
			var want strings.Builder
			werr := builtin(t, `{{eq .a .b}}`, map[string]any{"a": a, "b": b}, &want)
			if (err == nil) != (werr == nil) || err == nil && fmt.Sprint(got) != want.String() {
				t.Errorf("eq %#v %#v: got %v, %v; want %v, %v", a, b, got, err, want.String(), werr)
			}
			if ne, nerr := notEqual(a, b); (nerr == nil) != (err == nil) || nerr == nil && ne == got {
				t.Errorf("ne %#v %#v: got %v, %v; eq is %v, %v", a, b, ne, nerr, got, err)
			}
		}
	}
}

// FuzzRender: whatever a template is, rendering it returns, soon, with no more than the limits
// allow, or an error that names the template and, but for what has no line, the line; and rendered
// again while nothing has changed it ends the same way.
func FuzzRender(f *testing.F) {
	for _, a := range attacks {
		f.Add(a.text)
	}
	f.Add(`{{range $k, $v := .Machine.Params}}{{$k}}={{$v}}{{else}}none{{end}}{{with .Env}}{{.Name}}{{end}}{{define "x"}}{{.}}{{end}}{{template "x" 1}}`)
	f.Add(`{{.Param "list" | toJson}}{{block "b" .}}{{break}}{{end}}{{- /* c */ -}}`)
	v := view(f, world()...)
	m, _ := v.Get("machines", uuid)
	limits := Limits{Time: 200 * time.Millisecond, Output: 1 << 20, Work: 16 << 20}
	f.Fuzz(func(t *testing.T, text string) {
		r := renderer(limits)
		render := func() (string, meter, error) {
			x, done, err := r.begin(ctx, v, "10.0.0.1")
			if err != nil {
				t.Fatal(err)
			}
			defer done()
			x.machine, x.task = m, task(inline("main.sh", text))
			x.owner, x.inline = x.task, x.task.Templates
			out, err := x.contents(&x.inline[0])
			return out, x.meter, err
		}
		out, used, err := render()
		if err == nil && (len(out) > limits.Output || used.work > limits.Work || used.depth != 0) {
			t.Fatalf("wrote %d bytes, worked with %d, and is %d deep at the end", len(out), used.work, used.depth)
		}
		_, _, again := render()
		late := func(err error) bool { return err != nil && strings.Contains(err.Error(), "takes longer") }
		if !late(err) && !late(again) && !random(text) && (err == nil) != (again == nil) {
			t.Fatalf("first %v, then %v", err, again)
		}
		if err == nil {
			return
		}
		var e *models.Error
		if !errors.As(err, &e) || e.Class != models.Invalid || out != "" || !strings.Contains(e.Messages[0], "main.sh") {
			t.Fatalf("got %q, %v; want Invalid that names main.sh", out, err)
		}
		if !late(err) && len(e.Messages) > 1 && !strings.Contains(e.Messages[0], ", line ") {
			t.Fatalf("%q names no line", e.Messages)
		}
	})
}

// random tells whether a template may end otherwise the next time: it draws lots, or looks at the
// clock.
func random(text string) bool {
	for _, word := range []string{"rand", "shuffle", "now", "ago", "date", "gen", "uuid", "bcrypt", "htpasswd", "ncrypt", "derive", "Time"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

func builtin(t *testing.T, text string, data any, out *strings.Builder) error {
	t.Helper()
	return template.Must(template.New("").Parse(text)).Execute(out, data)
}
