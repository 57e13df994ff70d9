package render

import (
	"encoding/json"
	"errors"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	packs "drp/content"
	"drp/models"
	"drp/server/content"
	"drp/server/objects"
)

// shippedObjects are those that every server has, and those of the packs that come with drp, with
// a task for each Template that renders it alone.
func shippedObjects(t *testing.T) []models.Object {
	t.Helper()
	layers, err := content.Layers("v4.8.0", "", "")
	if err != nil {
		t.Fatal(err)
	}
	list := content.Base(layers)
	for _, name := range packs.Names() {
		pack, err := packs.Shipped(name)
		if err != nil {
			t.Fatal(err)
		}
		for kind, section := range pack.Sections {
			for _, raw := range section {
				o, err := models.Unmarshal(kind, raw)
				if err != nil {
					t.Fatal(err)
				}
				list = append(list, o)
				if tmpl, ok := o.(*models.Template); ok {
					list = append(list, &models.Task{Name: "alone-" + tmpl.ID, Templates: []models.TemplateInfo{{Name: "main", ID: tmpl.ID}}})
				}
			}
		}
	}
	return list
}

// states are machines as they may be when a template is rendered for them.
var states = map[string]func(*models.Machine){
	"bare": func(m *models.Machine) {
		*m = models.Machine{Name: "m1", Uuid: uuid, Stage: "none", BootEnv: "local"}
	},
	"in a cluster": func(m *models.Machine) {
		m.Params = set(`{"cluster/profile":"cluster","cluster-profile":"cluster"}`)
	},
	"debugged": func(m *models.Machine) { m.Params = set(`{"rs-debug-enable":true}`) },
	"not to be debugged": func(m *models.Machine) {
		m.Params = set(`{"rs-debug-enable":true,"security/debug-block":true}`)
	},
	"behind a proxy":     func(m *models.Machine) { m.Params = set(`{"proxy-servers":["http://proxy:3128"]}`) },
	"to start over":      func(m *models.Machine) { m.Params = set(`{"start-over":true}`) },
	"of an odd name":     func(m *models.Machine) { m.Name = "a.b-c_d" },
	"without an address": func(m *models.Machine) { m.Address, m.HardwareAddrs = "", nil },
	"at an IPv6 address": func(m *models.Machine) { m.Address = "fe80::1" },
	"in no profile":      func(m *models.Machine) { m.Profiles = nil },
	"of another arch":    func(m *models.Machine) { m.Arch = "arm64" },
}

func set(text string) (p models.Params) {
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		panic(err)
	}
	return p
}

// named is where an error says it is: the owner, the template, and the line of it or of another.
var named = regexp.MustCompile(`^(task|stage|bootenv) \S+, template \S+(, line \d+|: in \S+, line \d+): `)

// sound fails the test unless rendering gave a text without holes, or an error that names its place
// and, where a param is the reason, the param. It tells whether there is a text.
func sound(t *testing.T, text string, err error) bool {
	t.Helper()
	if err == nil {
		if strings.Contains(text, "<no value>") || strings.Contains(text, "%!") || strings.Contains(text, "<nil>") {
			t.Errorf("a hole in\n%s", text)
		}
		return true
	}
	var e *models.Error
	if !errors.As(err, &e) || e.Class != models.Invalid || !named.MatchString(e.Messages[0]) {
		t.Errorf("got %v; want an error that names template and line", err)
	} else if strings.Contains(e.Messages[0], "not set anywhere") && !regexp.MustCompile(`: param \S+: not set anywhere`).MatchString(e.Messages[0]) {
		t.Errorf("got %v; want the name of the param", err)
	}
	return false
}

// TestShippedTemplatesRenderForEveryMachine, and their scripts are ones that bash can read.
func TestShippedTemplatesRenderForEveryMachine(t *testing.T) {
	list := shippedObjects(t)
	rendered, failed := 0, 0
	for name, change := range states {
		t.Run(name, func(t *testing.T) {
			m := machine(`{}`)
			m.Stage, m.BootEnv = "none", "local"
			change(m)
			v := view(t, append(list, m, &models.Profile{Name: "cluster", Params: set(`{"cluster-profile":"cluster","cluster/leader-count":1}`)})...)
			r := renderer(Limits{})
			for tsk := range objects.All[*models.Task](v) {
				j := job()
				j.Task = tsk.Name
				actions, err := r.Job(ctx, v, j, "linux", "10.0.0.1")
				if !sound(t, "", err) {
					failed++
				}
				for _, a := range actions {
					sound(t, a.Content, nil)
					if a.Path == "" {
						readable(t, tsk.Name, a.Content)
					}
					rendered++
				}
			}
			e, _ := v.Get("machines", uuid)
			for _, kind := range []string{"bootenvs", "stages"} {
				for o := range v.All(kind) {
					of := e
					if b, ok := o.Object.(*models.BootEnv); ok && b.OnlyUnknown {
						of = nil
					}
					for _, c := range rendering(t, r, v, of, o.Object) {
						sound(t, c.path+c.text, c.err)
						rendered++
					}
				}
			}
		})
	}
	if rendered < 200 || failed > 0 {
		t.Errorf("%d templates were rendered, %d tasks failed; want many, and none", rendered, failed)
	}
}

type outcome struct {
	path, text string
	err        error
}

// rendering is what the templates of a boot environment or a stage come to.
func rendering(t *testing.T, r *Renderer, v objects.Reader, machine *objects.Entry, owner models.Object) (list []outcome) {
	t.Helper()
	base, done, err := r.begin(ctx, v, "10.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	defer done()
	for i, tmpl := range models.TemplatesOf(owner) {
		x := base.about(machine, owner)
		var c outcome
		if c.path, c.err = x.path(&models.TemplatesOf(owner)[i], tmpl.Path); c.err == nil {
			c.text, c.err = x.contents(&models.TemplatesOf(owner)[i])
		}
		list = append(list, c)
	}
	return list
}

func readable(t *testing.T, name, script string) {
	t.Helper()
	bash := exec.Command("bash", "-n")
	bash.Stdin = strings.NewReader(script)
	if out, err := bash.CombinedOutput(); err != nil {
		t.Errorf("%s: %v: %s in\n%s", name, err, out, script)
	}
}

// TestSharedTemplatesForHostsThatAreNotKnown: a Template may be included for a host without a
// machine; then it renders, or says what it needs a machine for.
func TestSharedTemplatesForHostsThatAreNotKnown(t *testing.T) {
	list := shippedObjects(t)
	env := &models.BootEnv{Name: "unknown", OnlyUnknown: true}
	for _, o := range list {
		if tmpl, ok := o.(*models.Template); ok {
			env.Templates = append(env.Templates, models.TemplateInfo{Name: tmpl.ID, Path: "shared/" + tmpl.ID, ID: tmpl.ID})
		}
	}
	v := view(t, append(list, env)...)
	texts := 0
	for _, c := range rendering(t, renderer(Limits{}), v, nil, env) {
		if sound(t, c.text, c.err) {
			readable(t, c.path, c.text)
			texts++
			if strings.Contains(c.text, "machine:") {
				t.Errorf("%s has a machine's token for a host that is none", c.path)
			}
		}
	}
	if texts < 2 {
		t.Errorf("%d of %d templates rendered", texts, len(env.Templates))
	}
}
