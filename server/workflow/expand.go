package workflow

import (
	"fmt"
	"slices"
	"strings"

	"drp/models"
	"drp/server/objects"
)

// problem is why a task list cannot be made, in the words that callers are answered with.
type problem string

func (p problem) Error() string { return string(p) }

func problemf(format string, args ...any) error { return problem(fmt.Sprintf(format, args...)) }

// Expand is the task list of a workflow: for each stage its stage: entry, its bootenv: entry if
// it has a boot environment, and its tasks, each after its prerequisites.
func Expand(r objects.Reader, w *models.Workflow) ([]string, error) {
	b := newBuilder(r)
	for _, name := range w.Stages {
		s, ok := objects.Get[*models.Stage](r, name)
		if !ok {
			return nil, problemf("Stage %s does not exist", name)
		}
		b.entry("stage", name)
		if s.BootEnv != "" {
			b.entry("bootenv", s.BootEnv)
		}
		if err := b.all(s.Tasks); err != nil {
			return nil, err
		}
	}
	return b.list, nil
}

// Place is a list of entries with the prerequisites of its tasks put directly before them.
// Placing a list that was placed changes nothing.
func Place(r objects.Reader, entries []string) ([]string, error) {
	b := newBuilder(r)
	if err := b.all(entries); err != nil {
		return nil, err
	}
	return b.list, nil
}

// builder makes a task list. A run is what follows a bootenv: entry up to the next one: a
// prerequisite counts as met when it stands earlier in the same run, because a machine that
// has booted into something else has lost what the task did.
type builder struct {
	r    objects.Reader
	list []string
	run  map[string]bool
	env  string // of the last bootenv: entry
}

func newBuilder(r objects.Reader) *builder {
	return &builder{r: r, list: []string{}, run: map[string]bool{}}
}

func (b *builder) all(entries []string) error {
	for i, e := range entries {
		verb, arg := models.SplitEntry(e)
		if verb != "" {
			b.entry(verb, arg)
			continue
		}
		if _, ok := b.r.Get("tasks", e); !ok {
			return problemf("Task %s (at %d) does not exist", e, i)
		}
		if err := b.task(e, nil); err != nil {
			return err
		}
	}
	return nil
}

// entry appends what is no task. A bootenv: that repeats the last one is left out.
func (b *builder) entry(verb, arg string) {
	if verb == "bootenv" {
		if arg == b.env {
			return
		}
		b.env, b.run = arg, map[string]bool{}
	}
	b.list = append(b.list, verb+":"+arg)
}

// task appends a task behind those of its prerequisites that the run does not hold yet. Path
// are the tasks that asked for it.
func (b *builder) task(name string, path []string) error {
	if slices.Contains(path, name) {
		return problemf("Task %s depends on itself!", name)
	}
	t, ok := objects.Get[*models.Task](b.r, name)
	if !ok {
		return problemf("Task %s missing prerequisite %s", path[len(path)-1], name)
	}
	path = append(path, name)
	for _, p := range t.Prerequisites {
		if b.run[p] {
			continue
		}
		if err := b.task(p, path); err != nil {
			return err
		}
	}
	b.run[name] = true
	b.list = append(b.list, name)
	return nil
}

// CheckPlaced finds the first task at or behind an index whose prerequisites do not all stand
// before it in its run. It returns the task and the prerequisite, or "" when all is well.
func CheckPlaced(r objects.Reader, list []string, from int) (task, missing string) {
	run, env := map[string]bool{}, ""
	for i, e := range list {
		verb, arg := models.SplitEntry(e)
		if verb == "bootenv" && arg != env {
			run, env = map[string]bool{}, arg
		}
		if verb != "" {
			continue
		}
		if t, ok := objects.Get[*models.Task](r, e); ok && i >= from {
			for _, p := range t.Prerequisites {
				if !run[p] {
					return e, p
				}
			}
		}
		run[e] = true
	}
	return "", ""
}

// Cycles tells in what ways a task depends on a circle of prerequisites; none: it does not.
// Prerequisites yields those of a task. Each circle is two lines: what is wrong, and the way
// round. From each of the task's own prerequisites every other task is entered once.
func Cycles(task string, prerequisites func(string) []string) []string {
	var found []string
	for _, first := range prerequisites(task) {
		entered := map[string]bool{}
		var walk func(name string, path []string)
		walk = func(name string, path []string) {
			if at := slices.Index(path, name); at >= 0 {
				found = append(found, cycleText(name, append(slices.Clone(path), name), at)...)
				return
			}
			if entered[name] {
				return
			}
			entered[name] = true
			for _, next := range prerequisites(name) {
				walk(next, append(path, name))
			}
		}
		walk(first, []string{task})
	}
	return found
}

func cycleText(name string, path []string, at int) []string {
	head := "Task " + name + " depends on itself!"
	if at > 0 {
		head = "Task " + name + " depends on a task with a circular dependency"
	}
	return []string{head, fmt.Sprintf("%s (cycle at %d)", strings.Join(path, ": "), at)}
}
