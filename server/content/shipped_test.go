package content

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"text/template"
	"text/template/parse"

	packs "drp/content"
	"drp/models"

	"github.com/Masterminds/sprig/v3"
)

// shipped is every pack that comes with drp, drp-core first.
func shipped(t *testing.T) []*models.Content {
	t.Helper()
	var list []*models.Content
	for _, name := range packs.Names() {
		pack, err := packs.Shipped(name)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if pack.Meta.Name != name {
			t.Errorf("the folder %s holds the pack %s", name, pack.Meta.Name)
		}
		if name == "drp-core" {
			list = slices.Insert(list, 0, pack)
		} else {
			list = append(list, pack)
		}
	}
	if len(list) < 2 || list[0].Meta.Name != "drp-core" {
		t.Fatalf("%d packs are shipped", len(list))
	}
	return list
}

func TestEveryShippedObjectIsSoundAndAvailable(t *testing.T) {
	s := start(t, t.TempDir())
	for _, pack := range shipped(t) {
		sum, err := s.Create(s.ctx, pack, false)
		if err != nil {
			t.Fatalf("%s: %v", pack.Meta.Name, err)
		}
		if len(sum.Warnings) > 0 {
			t.Errorf("%s: %q", pack.Meta.Name, sum.Warnings)
		}
	}
}

func TestEveryShippedObjectIsExplained(t *testing.T) {
	for _, pack := range shipped(t) {
		m := pack.Meta
		for field, v := range map[string]string{"Version": m.Version, "Description": m.Description, "Documentation": m.Documentation, "License": m.License, "Icon": m.Icon} {
			if v == "" {
				t.Errorf("%s has no %s", m.Name, field)
			}
		}
		list, err := decode(pack)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range list {
			if o.Kind() == "templates" {
				continue // files of bare text, which explain themselves
			}
			if !strings.Contains(text(t, o), `"Description":"`) || strings.Contains(text(t, o), `"Description":""`) {
				t.Errorf("%s/%s has no description", o.Kind(), o.Key())
			}
			if o.Base().Meta["icon"] == "" || o.Base().Meta["color"] == "" {
				t.Errorf("%s/%s has no icon or color", o.Kind(), o.Key())
			}
		}
	}
}

// machine stands in for what scripts are rendered against.
type machine struct {
	values  map[string]any
	Machine *struct{ UUID string }
}

func (m machine) Param(key string) any                            { return m.values[key] }
func (m machine) ParamExists(key string) bool                     { _, ok := m.values[key]; return ok }
func (m machine) GenerateInfiniteToken() string                   { return "infinite" }
func (m machine) GenerateToken() string                           { return "token" }
func (m machine) GenerateProfileToken(_ string, _ int) string     { return "profile" }
func (m machine) ApiURL() string                                  { return "https://127.0.0.1:8092" }
func (m machine) ProvisionerURL() string                          { return "http://127.0.0.1:8091" }
func (m machine) CallTemplate(name string, _ any) (string, error) { return name, nil }

// library is all shipped templates, by the names that scripts use.
func library(t *testing.T) *template.Template {
	t.Helper()
	core, err := decode(shipped(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	root := template.New("").Funcs(sprig.GenericFuncMap())
	for _, o := range core {
		if tmpl, ok := o.(*models.Template); ok {
			if _, err := root.New(tmpl.ID).Parse(tmpl.Contents); err != nil {
				t.Errorf("%s: %v", tmpl.ID, err)
			}
		}
	}
	return root
}

// scripts is every shipped script and template, parsed.
func scripts(t *testing.T) map[string]*template.Template {
	t.Helper()
	lib := library(t)
	all := map[string]*template.Template{}
	for _, tmpl := range lib.Templates() {
		all[tmpl.Name()] = tmpl
	}
	for _, pack := range shipped(t) {
		list, err := decode(pack)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range list {
			for _, info := range models.TemplatesOf(o) {
				root, err := lib.Clone()
				if err != nil {
					t.Fatal(err)
				}
				if all[info.Name], err = root.New(info.Name).Parse(info.Contents); err != nil {
					t.Errorf("%s: %v", info.Name, err)
				}
			}
		}
	}
	if len(all) < 10 {
		t.Fatalf("only %d scripts", len(all))
	}
	return all
}

func TestEveryIncludedTemplateExists(t *testing.T) {
	for name, tmpl := range scripts(t) {
		eachNode(tmpl.Root, func(n parse.Node) {
			if inc, ok := n.(*parse.TemplateNode); ok && tmpl.Lookup(inc.Name) == nil {
				t.Errorf("%s includes %s, which is not there", name, inc.Name)
			}
		})
	}
}

func eachNode(n parse.Node, fn func(parse.Node)) {
	fn(n)
	switch n := n.(type) {
	case *parse.ListNode:
		if n == nil {
			return
		}
		for _, c := range n.Nodes {
			eachNode(c, fn)
		}
	case *parse.IfNode:
		eachNode(n.List, fn)
		if n.ElseList != nil {
			eachNode(n.ElseList, fn)
		}
	case *parse.RangeNode:
		eachNode(n.List, fn)
	}
}

// Whatever params a machine has, what is rendered must be a script that bash can read.
func TestEveryRenderedScriptIsBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Fatal(err)
	}
	known := &struct{ UUID string }{"5a0a7d6c-3f0e-4d0b-9d0c-0f2f7c1f9a11"}
	all := map[string]any{}
	for _, pack := range shipped(t) {
		list, err := decode(pack)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range list {
			if p, ok := o.(*models.Param); ok {
				all[p.Name] = "odd name"
			}
		}
	}
	all["start-over"], all["rs-debug-enable"], all["security/debug-block"] = false, true, false
	all["cluster/leader-count"], all["cluster/size"], all["cluster/timeout"] = 1, 5, 600
	all["proxy-servers"] = []string{"http://proxy:3128"}
	few := map[string]any{"cluster/leader-count": 1, "cluster/size": 5, "my/leader": "none"}
	for what, data := range map[string]machine{"all params": {all, known}, "few params": {few, known}, "no machine": {few, nil}} {
		for name, tmpl := range scripts(t) {
			var b strings.Builder
			if err := tmpl.Execute(&b, data); err != nil {
				t.Errorf("%s with %s: %v", name, what, err)
				continue
			}
			if name == "elect-as-documented.sh" && what == "all params" {
				continue // the description quotes nothing, so its profile must have a plain name
			}
			cmd := exec.Command(bash, "-n")
			cmd.Stdin = strings.NewReader(b.String())
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s with %s: %v\n%s", name, what, err, out)
			}
		}
	}
}

// The demonstration runs what the description of the cluster pattern shows, to the letter.
func TestDocumentedLinesStandAsWritten(t *testing.T) {
	raw, err := os.ReadFile("testdata/cluster-pattern.txt")
	if err != nil {
		t.Fatal(err)
	}
	script := ""
	for _, pack := range shipped(t) {
		list, err := decode(pack)
		if err != nil {
			t.Fatal(err)
		}
		for _, o := range list {
			if task, ok := o.(*models.Task); ok && task.Name == "elect-as-documented" {
				script = task.Templates[0].Contents
			}
		}
	}
	for _, lines := range strings.Split(string(raw), "=====\n") {
		at := strings.Index(unindented(script), unindented(lines))
		if at < 0 {
			t.Errorf("not in elect-as-documented:\n%s", lines)
		}
	}
}

// unindented drops the space before each line: a line may stand inside another's if.
func unindented(s string) string {
	var b strings.Builder
	for _, l := range strings.Split(strings.TrimSpace(s), "\n") {
		b.WriteString(strings.TrimLeft(l, " ") + "\n")
	}
	return b.String()
}
