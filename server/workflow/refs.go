package workflow

import (
	"fmt"
	"slices"

	"drp/models"
	"drp/server/objects"
)

// relation says which objects of a kind an object of another kind is used by.
type relation struct {
	used, by string
	// existence: the user asks only whether the object is there, not whether it is available.
	existence bool
	uses      func(r objects.Reader, user models.Object, key string) bool
}

var relations = []relation{
	{"templates", "bootenvs", false, usesTemplate},
	{"templates", "stages", false, usesTemplate},
	{"templates", "tasks", false, usesTemplate},
	{"bootenvs", "stages", false, func(_ objects.Reader, o models.Object, key string) bool {
		s := o.(*models.Stage)
		return s.BootEnv == key || slices.Contains(s.Tasks, "bootenv:"+key)
	}},
	{"tasks", "tasks", true, func(_ objects.Reader, o models.Object, key string) bool {
		return slices.Contains(o.(*models.Task).Prerequisites, key)
	}},
	{"tasks", "stages", false, func(r objects.Reader, o models.Object, key string) bool {
		found := false
		eachTask(r, o.(*models.Stage).Tasks, func(name, _ string) { found = found || name == key })
		return found
	}},
	{"profiles", "profiles", true, usesProfile},
	{"profiles", "stages", false, usesProfile},
	{"profiles", "machines", false, usesProfile},
	{"stages", "stages", true, func(_ objects.Reader, o models.Object, key string) bool {
		return slices.Contains(o.(*models.Stage).Tasks, "stage:"+key)
	}},
	{"stages", "workflows", false, func(_ objects.Reader, o models.Object, key string) bool {
		return slices.Contains(o.(*models.Workflow).Stages, key)
	}},
	{"workflows", "pools", false, func(_ objects.Reader, o models.Object, key string) (uses bool) {
		o.(*models.Pool).EachActions(func(_ string, a *models.PoolActions) { uses = uses || a.Workflow == key })
		return uses
	}},
	{"profiles", "pools", true, func(_ objects.Reader, o models.Object, key string) (uses bool) {
		o.(*models.Pool).EachActions(func(_ string, a *models.PoolActions) { uses = uses || slices.Contains(a.AddProfiles, key) })
		return uses
	}},
	{"stages", "machines", false, func(_ objects.Reader, o models.Object, key string) bool {
		return o.(*models.Machine).Stage == key
	}},
	{"bootenvs", "machines", false, func(_ objects.Reader, o models.Object, key string) bool {
		return o.(*models.Machine).BootEnv == key
	}},
}

func usesProfile(_ objects.Reader, o models.Object, key string) bool {
	return slices.Contains(o.(models.ProfileHolder).ProfileNames(), key)
}

func usesTemplate(_ objects.Reader, o models.Object, key string) bool {
	return slices.ContainsFunc(models.TemplatesOf(o), func(t models.TemplateInfo) bool { return t.ID == key })
}

// eachTask calls fn once for every task of a list and of their prerequisites, with the task
// that asked for it ("" for those of the list itself).
func eachTask(r objects.Reader, list []string, fn func(name, asker string)) {
	seen := map[string]bool{}
	var visit func(name, asker string)
	visit = func(name, asker string) {
		if seen[name] {
			return
		}
		seen[name] = true
		fn(name, asker)
		if t, ok := objects.Get[*models.Task](r, name); ok {
			for _, p := range t.Prerequisites {
				visit(p, name)
			}
		}
	}
	for _, e := range list {
		if verb, name := models.SplitEntry(e); verb == "" {
			visit(name, "")
		}
	}
}

// missing collects what an object refers to in vain, a line each.
type missing struct {
	r     objects.Reader
	lines []string
}

func (m *missing) addf(format string, args ...any) {
	m.lines = append(m.lines, fmt.Sprintf(format, args...))
}

// ref checks that an object is there and available; what is how the line names it.
func (m *missing) ref(what, kind, key string) {
	switch e, ok := m.r.Get(kind, key); {
	case !ok:
		m.addf("%s does not exist", what)
	case !e.Object.Base().Available:
		m.addf("%s is not available", what)
	}
}

// present checks only that an object is there.
func (m *missing) present(what, kind, key string) {
	if _, ok := m.r.Get(kind, key); !ok {
		m.addf("%s does not exist", what)
	}
}

func (m *missing) profile(i int, name string) {
	m.ref(fmt.Sprintf("Profile %s (at %d)", name, i), "profiles", name)
}

func (m *missing) profiles(names []string) {
	for i, name := range names {
		m.profile(i, name)
	}
}

func (m *missing) templates(list []models.TemplateInfo) {
	for i, t := range list {
		if _, ok := m.r.Get("templates", t.ID); t.ID != "" && !ok {
			m.addf("Templates[%d]: No common template for %s", i, t.ID)
		}
	}
}

// entry checks one entry of a task list.
func (m *missing) entry(i int, entry string) {
	switch verb, arg := models.SplitEntry(entry); verb {
	case "":
		m.ref(fmt.Sprintf("Task %s (at %d)", arg, i), "tasks", arg)
	case "stage":
		m.present("Stage "+arg, "stages", arg)
	case "bootenv":
		m.ref("BootEnv "+arg, "bootenvs", arg)
	}
}

// entries checks a task list and the prerequisites of its tasks.
func (m *missing) entries(list []string) {
	for i, e := range list {
		m.entry(i, e)
	}
	eachTask(m.r, list, func(name, asker string) {
		if asker == "" {
			return
		}
		switch e, ok := m.r.Get("tasks", name); {
		case !ok:
			m.addf("Task %s missing prerequisite %s", asker, name)
		case !e.Object.Base().Available:
			m.addf("Task %s, which %s needs, is not available", name, asker)
		}
	})
}

// lacks is what keeps an object from being available.
func lacks(r objects.Reader, o models.Object) []string {
	m := &missing{r: r}
	switch o := o.(type) {
	case *models.Profile:
		for i, p := range o.Profiles {
			m.present(fmt.Sprintf("Profile %s (at %d)", p, i), "profiles", p)
		}
	case *models.BootEnv:
		m.templates(o.Templates)
	case *models.Task:
		m.templates(o.Templates)
		for _, p := range o.Prerequisites {
			if _, ok := r.Get("tasks", p); !ok {
				m.addf("Task %s missing prerequisite %s", o.Name, p)
			}
		}
	case *models.Stage:
		if o.BootEnv != "" {
			m.ref("BootEnv "+o.BootEnv, "bootenvs", o.BootEnv)
		}
		m.templates(o.Templates)
		m.profiles(o.Profiles)
		m.entries(o.Tasks)
	case *models.Workflow:
		for _, s := range o.Stages {
			m.ref("Stage "+s, "stages", s)
		}
		return m.lines // a workflow's lines do not name the workflow
	case *models.Pool:
		o.EachActions(func(field string, a *models.PoolActions) {
			if a.Workflow != "" {
				m.ref(field+": Workflow "+a.Workflow, "workflows", a.Workflow)
			}
			for _, p := range a.AddProfiles {
				m.present(field+": Profile "+p, "profiles", p)
			}
		})
	case *models.Machine:
		m.machine(o)
	}
	for i := range m.lines {
		m.lines[i] = o.Key() + ": " + m.lines[i]
	}
	return m.lines
}

func (m *missing) machine(o *models.Machine) {
	m.ref("Stage "+o.Stage, "stages", o.Stage)
	m.ref("BootEnv "+o.BootEnv, "bootenvs", o.BootEnv)
	m.profiles(o.Profiles)
	if b, ok := objects.Get[*models.BootEnv](m.r, o.BootEnv); ok && !supports(b, o.Arch) {
		m.addf("BootEnv %s does not support the architecture %s", b.Name, o.Arch)
	}
}

// supports tells whether a boot environment is for an architecture. One that names none is for
// all of them; its top-level kernel is for amd64.
func supports(b *models.BootEnv, arch string) bool {
	if len(b.OS.SupportedArchitectures) == 0 || arch == "amd64" && b.Kernel != "" {
		return true
	}
	for name := range b.OS.SupportedArchitectures {
		if name == arch || models.ArchOf(name) == arch {
			return true
		}
	}
	return false
}

// refer is the Rule that keeps Available and Errors true: for the object itself, and for those
// that use it when it appears, goes, or becomes or ceases to be available.
func refer(tx *objects.Tx, c *objects.Change) error {
	if c.New != nil {
		if lines := lacks(tx, c.New); len(lines) > 0 {
			b := c.New.Base()
			b.Available, b.Errors = false, append(b.Errors, lines...)
		}
	}
	moved := c.Old == nil || c.New == nil
	if !moved && c.Old.Base().Available == c.New.Base().Available && !archesChanged(c) {
		return nil
	}
	kind, key := c.Object().Kind(), c.Object().Key()
	for _, rel := range relations {
		if rel.used != kind || rel.existence && !moved {
			continue
		}
		if err := recheckUsers(tx, rel, key); err != nil {
			return err
		}
	}
	return nil
}

func recheckUsers(tx *objects.Tx, rel relation, key string) error {
	var users []string
	for e := range tx.All(rel.by) {
		if rel.uses(tx, e.Object, key) {
			users = append(users, e.Object.Key())
		}
	}
	for _, user := range users {
		if err := tx.Recheck(rel.by, user); err != nil {
			return err
		}
	}
	return nil
}

func archesChanged(c *objects.Change) bool {
	was, ok := c.Old.(*models.BootEnv)
	if !ok {
		return false
	}
	is := c.New.(*models.BootEnv)
	if (was.Kernel == "") != (is.Kernel == "") || len(was.OS.SupportedArchitectures) != len(is.OS.SupportedArchitectures) {
		return true
	}
	for name := range was.OS.SupportedArchitectures {
		if _, ok := is.OS.SupportedArchitectures[name]; !ok {
			return true
		}
	}
	return false
}
