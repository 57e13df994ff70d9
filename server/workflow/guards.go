package workflow

import (
	"slices"

	"drp/models"
	"drp/server/objects"
	"drp/server/prefs"
)

// task is the Rule of tasks: exit codes have their sane meaning unless the task says otherwise,
// and no task may need itself.
func task(tx *objects.Tx, c *objects.Change) error {
	t, ok := c.New.(*models.Task)
	if !ok {
		return nil
	}
	given := c.Old == nil || t.ReadOnly // a content pack gives its tasks anew each time
	if given && t.Meta[models.FeatureFlags] == "" {
		t.Meta[models.FeatureFlags] = "sane-exit-codes"
	}
	circles := Cycles(t.Name, func(name string) []string {
		if t, ok := objects.Get[*models.Task](tx, name); ok {
			return t.Prerequisites
		}
		return nil
	})
	if len(circles) > 0 {
		return models.Invalidf(t, circles...)
	}
	return nil
}

// holders yield, for each kind whose objects cannot go while they are needed, what holds one of
// them, a line each.
var holders = map[string]func(r objects.Reader, key string) []string{
	"bootenvs":  activePref("BootEnv", prefs.DefaultBootEnv, prefs.UnknownBootEnv),
	"stages":    activePref("Stage", prefs.DefaultStage),
	"workflows": activePref("Workflow", prefs.DefaultWorkflow),
	"tasks":     machinesWithTask,
	"profiles":  globalProfile,
	"roles":     usersWithRole,
}

// inUse is the Rule that refuses to delete what is still needed. What a content pack brought
// goes with its pack; its users turn unavailable.
func inUse(tx *objects.Tx, c *objects.Change) error {
	if b := c.Object().Base(); c.New != nil || b.ReadOnly && b.Bundle != builtIn {
		return nil
	}
	if lines := holders[c.Old.Kind()](tx, c.Old.Key()); len(lines) > 0 {
		return models.Problem(models.Conflict, c.Old.Kind(), c.Old.Key(), lines...).Typed("StillInUseError")
	}
	return nil
}

// builtIn is the layer of what a server must have; it never goes.
const builtIn = "BasicStore"

func activePref(what string, names ...string) func(objects.Reader, string) []string {
	return func(r objects.Reader, key string) (lines []string) {
		for _, name := range names {
			if prefs.Get(r, name) == key {
				lines = append(lines, what+" "+key+" is the active "+name+", cannot remove it")
			}
		}
		return lines
	}
}

// machinesWithTask: an agent that is handed a job whose task is gone cannot go on.
func machinesWithTask(r objects.Reader, key string) (lines []string) {
	for m := range objects.All[*models.Machine](r) {
		has := slices.Contains(m.Tasks, key)
		for _, s := range m.TaskErrorStacks {
			has = has || slices.Contains(s.TaskList, key)
		}
		if has {
			lines = append(lines, "In use by Machine "+m.Name)
		}
	}
	slices.Sort(lines)
	return lines
}

func globalProfile(_ objects.Reader, key string) []string {
	if key == models.GlobalProfile {
		return []string{"Profile " + key + " is that of every machine, cannot remove it"}
	}
	return nil
}

func usersWithRole(r objects.Reader, key string) (lines []string) {
	for u := range objects.All[*models.User](r) {
		if slices.Contains(u.Roles, key) {
			lines = append(lines, "In use by User "+u.Name)
		}
	}
	slices.Sort(lines)
	if key == models.Superuser && len(lines) == 0 {
		lines = []string{"Role " + key + " is built in, cannot remove it"}
	}
	return lines
}
