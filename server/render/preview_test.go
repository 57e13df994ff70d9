package render

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"drp/models"
	"drp/server/objects"

	"github.com/google/go-cmp/cmp"
)

// shown previews templates of a task for the machine.
func shown(t *testing.T, ask Ask, list ...models.Object) []models.Previewed {
	t.Helper()
	v := view(t, append(list, machine(`{"word":"hi","list":["a","b"]}`))...)
	ask.Machine, _ = v.Get("machines", uuid)
	r := renderer(Limits{Output: 1 << 20})
	got, err := r.Preview(ctx, v, ask)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestAPreviewIsWhatTheJobGets, but for tokens.
func TestAPreviewIsWhatTheJobGets(t *testing.T) {
	owner := task(
		models.TemplateInfo{Name: "conf", Path: "/etc/{{.Machine.Name}}", ID: "shared", Meta: map[string]string{"OS": "any"}},
		models.TemplateInfo{Name: "run.sh", Contents: "{{.Task.Name}} {{.Param \"word\"}} {{.ApiURL}}{{template \"part\"}}\n", Meta: map[string]string{"OS": "linux"}},
		models.TemplateInfo{Name: "run.ps1", Contents: "x", Meta: map[string]string{"OS": "windows"}},
		models.TemplateInfo{Name: "plain", Contents: "no template", Meta: map[string]string{"OS": "linux,darwin"}},
	)
	list := []models.Object{owner, shared("shared", "{{range .Param \"list\"}}{{.}} {{end}}"), shared("part", "{{.}}"), machine(`{"word":"hi","list":["a","b"]}`)}
	v := view(t, list...)
	e, _ := v.Get("machines", uuid)
	for _, os := range []string{"", "linux", "darwin"} {
		actions, err := renderer(Limits{}).Job(ctx, v, job(), os, "10.0.0.1")
		if err != nil {
			t.Fatal(err)
		}
		got, err := renderer(Limits{}).Preview(ctx, v, Ask{Machine: e, Owner: owner, OS: os, Addr: "10.0.0.1"})
		if err != nil {
			t.Fatal(err)
		}
		var same []models.JobAction
		for _, p := range got {
			if p.Error != nil {
				t.Errorf("%s: %+v", p.Name, p.Error)
			}
			same = append(same, models.JobAction{Name: p.Name, Path: p.Path, Content: p.Content, Meta: p.Meta})
		}
		if d := cmp.Diff(actions, same); d != "" {
			t.Error(d)
		}
	}
}

// TestFaultsAreToldWithTheirPlace puts each fault below any number of lines, into a text of each sort.
func TestFaultsAreToldWithTheirPlace(t *testing.T) {
	for _, fault := range []struct {
		text, why string
		parse     bool
	}{
		{"{{.Param \"nope\"}}", "param nope: not set anywhere and has no default", false},
		{"{{template \"nowhere\" .}}", `template "nowhere" not defined`, false},
		{"{{.CallTemplate \"nowhere\" .}}", `template "nowhere" is not defined`, false},
		{"{{.Machine.Nonsense}}", "can't evaluate field Nonsense", false},
		{"{{index (.Param \"list\") 7}}", "index out of range: 7", false},
		{"{{fail \"on purpose\"}}", "on purpose", false},
		{"{{.GenerateProfileToken \"p\" \"x\"}}", "x is no number of seconds", false},
		{"{{unknown 1}}", `function "unknown" not defined`, true},
		{"{{.Machine.Name)}}", "unexpected right paren", true},
		{"{{end}}", "unexpected {{end}}", true},
		{"{{if true}}", "unexpected EOF", true},
	} {
		for _, lines := range []int{0, 1, 7} {
			before := strings.Repeat("é {{.Machine.Name}}\n", lines)
			text := before + "ünd " + fault.text
			if fault.why != "unexpected EOF" {
				text += "\nafter\n"
			}
			for _, c := range []struct {
				says            string
				list            []models.Object
				templates       []models.TemplateInfo
				kind, key, part string
			}{
				{"inline", nil, []models.TemplateInfo{inline("a.sh", text)}, "tasks", "task", "a.sh"},
				{"path", nil, []models.TemplateInfo{{Name: "a.sh", Path: text, Contents: "x"}}, "tasks", "task", "a.sh (path)"},
				{"link", nil, []models.TemplateInfo{{Name: "a.sh", Path: "x", Link: text}}, "tasks", "task", "a.sh (link)"},
				{"shared", []models.Object{shared("common", text)}, []models.TemplateInfo{{Name: "a.sh", ID: "common"}}, "templates", "common", ""},
				{"included", []models.Object{shared("common", text)}, []models.TemplateInfo{inline("a.sh", "\n\n\n{{template \"common\" .}}")}, "templates", "common", ""},
				{"called", []models.Object{shared("common", text)}, []models.TemplateInfo{inline("a.sh", "\n\n\n{{.CallTemplate \"common\" .}}")}, "templates", "common", ""},
			} {
				owner := task(append(c.templates, inline("after", "fine"))...)
				got := shown(t, Ask{Owner: owner}, append(c.list, owner)...)
				e := got[0].Error
				what := fmt.Sprintf("%s, %s below %d lines", fault.text, c.says, lines)
				if e == nil {
					t.Fatalf("%s: no error: %+v", what, got[0])
				}
				if got[1].Content != "fine" || got[1].Error != nil {
					t.Errorf("%s: what is sound is not rendered: %+v", what, got[1])
				}
				if e.Kind != c.kind || e.Key != c.key || e.Part != c.part || e.Source != text || !strings.Contains(e.Why, fault.why) {
					t.Errorf("%s: %+v", what, *e)
				}
				if e.Line != lines+1 {
					t.Errorf("%s: told of line %d (%s)", what, e.Line, e.Full)
				}
				first, last := len([]rune("ünd "))+1, len([]rune("ünd "+fault.text))
				if fault.parse && e.Column != 0 || !fault.parse && (e.Column < first || e.Column > last) {
					t.Errorf("%s: told of column %d (%s)", what, e.Column, e.Full)
				}
			}
		}
	}
}

func TestFaultsWithoutAPlace(t *testing.T) {
	owner := task(models.TemplateInfo{Name: "a.sh", ID: "nowhere"})
	got := shown(t, Ask{Owner: owner}, owner)[0].Error
	want := &models.PreviewError{Kind: "tasks", Key: "task", Part: "a.sh", Why: "No common template for nowhere", Full: "No common template for nowhere"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	long := `{{range until 1000}}{{repeat 10000 "x"}}{{end}}`
	owner = task(inline("a.sh", long))
	got = shown(t, Ask{Owner: owner}, owner)[0].Error
	want = &models.PreviewError{Kind: "tasks", Key: "task", Part: "a.sh", Why: "writes more than 1 MiB", Full: "writes more than 1 MiB", Source: long}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	owner = task(inline("a.sh", "\n{{.StringExpand \"x\\n{{.None}}\"}}"))
	if got := shown(t, Ask{Owner: owner}, owner)[0].Error; got.Kind != "" || got.Key != "StringExpand" || got.Line != 2 || got.Source != "" {
		t.Errorf("a text in a text: %+v", got)
	}
}

// TestAPreviewHasNoPowers: no token leaves it, and texts of one's own see what their author sees.
func TestAPreviewHasNoPowers(t *testing.T) {
	text := inline("a", `{{.GenerateToken}}, {{.GenerateInfiniteToken}}, {{.GenerateProfileToken "p" 60}}`)
	got := shown(t, Ask{Templates: []models.TemplateInfo{text}})[0]
	want := "(token of machine " + uuid + "), (token of machine " + uuid + "), (token of profile p)"
	if got.Content != want || got.Error != nil {
		t.Errorf("%q %+v", got.Content, got.Error)
	}
	stored := []models.Object{shared("mine", "my own"), shared("theirs", "top secret {{define \"inner\"}}top secret{{end}}"), &models.Stage{Name: "stage", Description: "top secret"}}
	sees := func(o models.Object) bool { return o.Key() == "mine" }
	for _, text := range []string{
		`{{template "theirs"}}`, `{{template "inner"}}`, `{{.CallTemplate "theirs" .}}`, `{{.StringExpand "{{template \"theirs\"}}"}}`, `{{.Stage.Description}}`,
	} {
		for _, blind := range []bool{false, true} {
			ask := Ask{Templates: []models.TemplateInfo{inline("a", `{{template "mine"}}`+text)}}
			if blind {
				ask.Sees = sees
			}
			got := shown(t, ask, stored...)[0]
			if secret := strings.Contains(fmt.Sprintf("%+v %+v", got, got.Error), "top secret"); secret == blind {
				t.Errorf("%s, blind %v: %+v %+v", text, blind, got, got.Error)
			}
		}
	}
	if got := shown(t, Ask{Templates: []models.TemplateInfo{inline("a", `{{template "mine"}}`)}, Sees: sees}, stored...)[0]; got.Content != "my own" {
		t.Errorf("%+v", got)
	}
}

func TestAPreviewEndsWithItsCaller(t *testing.T) {
	v := view(t, machine(`{}`))
	e, _ := v.Get("machines", uuid)
	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err := renderer(Limits{}).Preview(gone, objects.Reader(v), Ask{Machine: e, Templates: []models.TemplateInfo{inline("a", "{{.ApiURL}}")}})
	if models.ClassOf(err) != models.Busy {
		t.Errorf("got %v", err)
	}
}
