package workflow

import (
	"fmt"
	"slices"
	"testing"

	"drp/models"
	"drp/server/objects"
)

func TestWhatRefersInVainIsStoredAndSaysSo(t *testing.T) {
	w := newWorld(t)
	w.create(
		&models.Stage{Name: "fred", BootEnv: "fredhammer", Tasks: []string{"tt", "stage:ss", "bootenv:bb"}, Profiles: []string{"none-such"},
			Templates: []models.TemplateInfo{{Name: "a", Path: "/a", ID: "a.tmpl"}}},
		&models.Workflow{Name: "wf", Stages: []string{"missing", "fred", "none"}},
		&models.Task{Name: "task", Prerequisites: []string{"other"}, Templates: []models.TemplateInfo{{Name: "b", Contents: "x"}, {Name: "a", ID: "a.tmpl"}}},
		&models.BootEnv{Name: "env", Templates: []models.TemplateInfo{{Name: "a", Path: "/a", ID: "a.tmpl"}}},
		&models.Profile{Name: "pp", Profiles: []string{"qq"}},
		&models.Stage{Name: "indirect", BootEnv: "env", Tasks: []string{"task"}, Profiles: []string{"pp"}},
	)
	for key, want := range map[[2]string]string{
		{"stages", "fred"}: "[fred: BootEnv fredhammer does not exist fred: Templates[0]: No common template for a.tmpl " +
			"fred: Profile none-such (at 0) does not exist fred: Task tt (at 0) does not exist fred: Stage ss does not exist fred: BootEnv bb does not exist]",
		{"workflows", "wf"}: "[Stage missing does not exist Stage fred is not available]",
		{"tasks", "task"}:   "[task: Templates[1]: No common template for a.tmpl task: Task task missing prerequisite other]",
		{"bootenvs", "env"}: "[env: Templates[0]: No common template for a.tmpl]",
		{"profiles", "pp"}:  "[pp: Profile qq (at 0) does not exist]",
		{"stages", "indirect"}: "[indirect: BootEnv env is not available indirect: Profile pp (at 0) is not available " +
			"indirect: Task task (at 0) is not available indirect: Task task missing prerequisite other]",
	} {
		e, _ := w.View().Get(key[0], key[1])
		if e.Object.Base().Available || !e.Object.Base().Validated {
			t.Errorf("%v: %+v", key, e.Object.Base())
		}
		same(t, fmt.Sprint(key), errorsOf(w.View(), key[0], key[1]), want)
	}
}

// chain is one object of each kind, each needed by the next.
func chain() []models.Object {
	return []models.Object{
		&models.Template{ID: "tmpl"},
		&models.Task{Name: "first", Templates: []models.TemplateInfo{{Name: "a", ID: "tmpl"}}},
		&models.Task{Name: "second", Prerequisites: []string{"first"}},
		&models.BootEnv{Name: "env"},
		&models.Profile{Name: "inner"},
		&models.Profile{Name: "prof", Profiles: []string{"inner"}},
		&models.Stage{Name: "stage", BootEnv: "env", Tasks: []string{"second"}, Profiles: []string{"prof"}},
		&models.Workflow{Name: "wf", Stages: []string{"stage"}},
		&models.Pool{Id: "pool", AllocateActions: &models.PoolActions{Workflow: "wf", AddProfiles: []string{"prof"}}},
	}
}

func allAvailable(v *objects.View) (bad []string) {
	for _, k := range models.Kinds {
		for e := range v.All(k.Name) {
			if b := e.Object.Base(); !b.Available || len(b.Errors) > 0 {
				bad = append(bad, k.Name+"/"+e.Object.Key())
			}
		}
	}
	slices.Sort(bad)
	return bad
}

// TestAvailabilityFollowsWhatIsThere creates the chain in the worst order, and takes each part
// of it away and back.
func TestAvailabilityFollowsWhatIsThere(t *testing.T) {
	w := newWorld(t)
	list := chain()
	for _, o := range slices.Backward(list) {
		w.create(o)
	}
	same(t, "unavailable when all is there", allAvailable(w.View()), "[]")
	w.create(&models.Machine{Name: "m1", Uuid: machineID, Stage: "stage", Profiles: []string{"prof"}})
	w.edit(`{"Tasks":[]}`)
	users := map[string]string{
		"templates/tmpl": "[machines/M pools/pool stages/stage tasks/first workflows/wf]", "tasks/first": "[machines/M pools/pool stages/stage tasks/second workflows/wf]",
		"tasks/second": "[machines/M pools/pool stages/stage workflows/wf]", "bootenvs/env": "[machines/M pools/pool stages/stage workflows/wf]",
		"profiles/inner": "[machines/M pools/pool profiles/prof stages/stage workflows/wf]", "profiles/prof": "[machines/M pools/pool stages/stage workflows/wf]",
		"stages/stage": "[machines/M pools/pool workflows/wf]", "workflows/wf": "[pools/pool]", "pools/pool": "[]",
	}
	for _, o := range list {
		key := o.Kind() + "/" + o.Key()
		w.delete(o.Kind(), o.Key())
		bad := allAvailable(w.View())
		for i := range bad {
			if bad[i] == "machines/"+machineID {
				bad[i] = "machines/M"
			}
		}
		same(t, "without "+key, bad, users[key])
		w.create(models.Clone(o))
		same(t, "with "+key+" again", allAvailable(w.View()), "[]")
	}
}

func TestLongChainsOfPrerequisitesComeAndGo(t *testing.T) {
	w := newWorld(t)
	const n = 100
	for i := n; i > 0; i-- {
		w.create(&models.Task{Name: fmt.Sprintf("t%03d", i), Prerequisites: []string{fmt.Sprintf("t%03d", i-1)}})
	}
	w.stage("stage", "t100")
	w.tasks("t000")
	same(t, "unavailable", allAvailable(w.View()), "[]")
	w.delete("tasks", "t000")
	same(t, "unavailable", allAvailable(w.View()), "[stages/stage tasks/t001]")
}

func TestRingsOfProfilesDoNotStayUnavailable(t *testing.T) {
	w := newWorld(t)
	w.create(&models.Profile{Name: "aa", Profiles: []string{"bb", "cc"}}, &models.Profile{Name: "bb", Profiles: []string{"aa"}})
	same(t, "without cc", allAvailable(w.View()), "[profiles/aa]")
	w.create(&models.Profile{Name: "cc"})
	same(t, "with cc", allAvailable(w.View()), "[]")
}

func TestMachinesAreUnavailableInABootEnvThatIsNotForThem(t *testing.T) {
	w := newWorld(t)
	w.create(&models.BootEnv{Name: "arm", OS: models.OSInfo{SupportedArchitectures: map[string]models.ArchInfo{"aarch64": {}}}})
	m := w.machine(`{"BootEnv":"arm"}`)
	same(t, "amd64", m.Errors, "["+machineID+": BootEnv arm does not support the architecture amd64]")
	if _, _, err := w.post(""); models.ClassOf(err) != models.Conflict || err.Error() != "Conflict: Machine "+machineID+" is not available" {
		t.Errorf("job for an unavailable machine: %v", err)
	}
	if err := w.merge(w.operator(), "bootenvs", "arm", `{"Kernel":"vmlinuz"}`, false); err != nil {
		t.Fatal(err)
	}
	same(t, "with a kernel for amd64", w.m().Available, true)
	same(t, "arm64", w.edit(`{"Arch":"arm64"}`).Available, true)
}

func TestTasksGetSaneExitCodesUnlessTheySayOtherwise(t *testing.T) {
	w := newWorld(t)
	w.create(&models.Task{Name: "sane"}, &models.Task{Name: "old"})
	old := &models.Task{Name: "original"}
	old.Meta = map[string]string{"feature-flags": "original-exit-codes"}
	w.create(old)
	for name, want := range map[string]string{"sane": "sane-exit-codes", "original": "original-exit-codes"} {
		task, _ := objects.Get[*models.Task](w.View(), name)
		same(t, name, task.Meta["feature-flags"], want)
	}
	if err := w.merge(w.operator(), "tasks", "sane", `{"Meta":{}}`, false); err != nil {
		t.Fatal(err)
	}
	task, _ := objects.Get[*models.Task](w.View(), "sane")
	same(t, "taken away later", len(task.Meta), 0)
}

func TestTasksThatNeedThemselvesAreRefused(t *testing.T) {
	w := newWorld(t)
	w.tasks("badfoo", "badbar: badfoo", "badbaz: badbar")
	err := w.merge(w.operator(), "tasks", "badfoo", `{"Prerequisites":["badbaz"]}`, false)
	same(t, "badfoo", err, "ValidationError: tasks/badfoo\n  Task badfoo depends on itself!\n  badfoo: badbaz: badbar: badfoo (cycle at 0)")
	err = w.merge(w.operator(), "tasks", "badbar", `{"Prerequisites":["badfoo","badbaz"]}`, false)
	same(t, "badbar", err, "ValidationError: tasks/badbar\n  Task badbar depends on itself!\n  badbar: badbaz: badbar (cycle at 0)")
}

func TestWhatIsNeededCannotBeDeleted(t *testing.T) {
	w := newWorld(t)
	w.tasks("tt", "uu")
	w.machine(`{"Tasks":["tt"]}`)
	w.create(&models.Profile{Name: "global"}, &models.Role{Name: "stage"}, &models.Role{Name: "superuser"},
		&models.User{Name: "t1-1", Roles: []string{"stage"}}, &models.User{Name: "t1-0", Roles: []string{"stage"}})
	for _, c := range []struct{ kind, key, want string }{
		{"tasks", "tt", ": In use by Machine m1"},
		{"profiles", "global", ": Profile global is that of every machine, cannot remove it"},
		{"roles", "stage", "\n  In use by User t1-0\n  In use by User t1-1"},
		{"roles", "superuser", ": Role superuser is built in, cannot remove it"},
	} {
		_, err := w.Delete(w.operator(), c.kind, c.key)
		same(t, c.key, err, "StillInUseError: "+c.kind+"/"+c.key+c.want)
		if models.ClassOf(err) != models.Conflict {
			t.Errorf("%s: class %d", c.key, models.ClassOf(err))
		}
	}
	w.delete("tasks", "uu")
	w.edit(`{"Tasks":[]}`)
	w.delete("tasks", "tt")
	w.delete("users", "t1-0")
	w.delete("users", "t1-1")
	w.delete("roles", "stage")
}

func TestPacksGoEvenWhenTheirTasksAreInUse(t *testing.T) {
	w := newWorld(t)
	pack := func(fn func(tx *objects.Tx) error) {
		t.Helper()
		if _, err := w.Do(objects.WithActor(t.Context(), objects.System), false, fn); err != nil {
			t.Fatal(err)
		}
	}
	pack(func(tx *objects.Tx) error {
		task := &models.Task{Name: "packed"}
		task.ReadOnly, task.Bundle = true, "pack"
		return tx.Install(task)
	})
	w.machine(`{"Tasks":["packed"]}`)
	pack(func(tx *objects.Tx) error { return tx.Uninstall("tasks", "packed") })
	w.next(Nothing)
	j := w.job(w.m().CurrentJob)
	same(t, "job", fmt.Sprint(j.State, j.Task, w.m().Runnable), fmt.Sprint(models.Failed, "packed", false))
	same(t, "log", w.logs.of(j.Uuid), "Log for Job: "+j.Uuid+"\nTask packed does not exist\n")
}
