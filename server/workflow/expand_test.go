package workflow

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"

	"drp/models"
	"drp/server/objects"

	"pgregory.net/rapid"
)

// library is a Reader of a few objects.
type library map[string]models.Object

func (l library) add(o models.Object) { l[o.Kind()+"/"+o.Key()] = o }

func (l library) Get(kind, key string) (*objects.Entry, bool) {
	o, ok := l[kind+"/"+key]
	return &objects.Entry{Object: o}, ok
}
func (l library) Find(kind, id string) (*objects.Entry, bool) { return l.Get(kind, id) }
func (l library) All(string) iter.Seq[*objects.Entry]         { panic("not used") }

// worked is the example that Digital Rebar's own tests pin down.
func worked() library {
	l := library{}
	for i := 1; i <= 9; i++ {
		l.add(&models.Task{Name: fmt.Sprint("foo", i)})
	}
	for name, needs := range map[string]string{
		"bar1": "foo1 foo2 foo3", "bar2": "foo3 foo2 foo1", "bar3": "foo4 foo5 foo6", "bar4": "bar3 foo1 foo5 foo7",
	} {
		l.add(&models.Task{Name: name, Prerequisites: strings.Fields(needs)})
	}
	flat := strings.Fields("foo1 foo4 bar1 bar2 bar4")
	l.add(&models.Stage{Name: "flat1", Tasks: flat})
	l.add(&models.Stage{Name: "flat2", Tasks: flat, BootEnv: "two"})
	l.add(&models.Stage{Name: "flat3", Tasks: flat, BootEnv: "three"})
	l.add(&models.Stage{Name: "again", Tasks: []string{"bar1"}, BootEnv: "three"})
	return l
}

const full = "foo1 foo4 foo2 foo3 bar1 bar2 foo5 foo6 bar3 foo7 bar4"

func TestPrerequisitesComeFirstAndOnceInEachBootEnv(t *testing.T) {
	l := worked()
	for _, c := range []struct{ stages, want string }{
		{"", ""},
		{"flat1", "stage:flat1 " + full},
		{"flat2", "stage:flat2 bootenv:two " + full},
		{"flat2 flat1 flat3", "stage:flat2 bootenv:two " + full + " stage:flat1 foo1 foo4 bar1 bar2 bar4 stage:flat3 bootenv:three " + full},
		{"flat3 again", "stage:flat3 bootenv:three " + full + " stage:again bar1"},
		{"flat3 flat2 again", "stage:flat3 bootenv:three " + full + " stage:flat2 bootenv:two " + full + " stage:again bootenv:three foo1 foo2 foo3 bar1"},
	} {
		got, err := Expand(l, &models.Workflow{Name: "w", Stages: strings.Fields(c.stages)})
		if err != nil {
			t.Fatal(err)
		}
		same(t, c.stages, strings.Join(got, " "), c.want)
	}
}

func TestListsThatCannotBeMadeSayWhy(t *testing.T) {
	l := worked()
	delete(l, "tasks/foo2")
	for list, want := range map[string]string{
		"bar1": "Task bar1 missing prerequisite foo2", "foo1 gone": "Task gone (at 1) does not exist", "foo2": "Task foo2 (at 0) does not exist",
	} {
		_, err := Place(l, strings.Fields(list))
		same(t, list, err, want)
	}
	_, err := Expand(l, &models.Workflow{Stages: []string{"nowhere"}})
	same(t, "workflow", err, "Stage nowhere does not exist")
}

func TestCyclesAreNamed(t *testing.T) {
	for _, c := range []struct{ graph, task, want string }{
		{"a:b b:c c:", "a", ""},
		{"a:a", "a", "Task a depends on itself!|a: a (cycle at 0)"},
		{"badfoo:badbaz badbar:badfoo badbaz:badbar", "badfoo", "Task badfoo depends on itself!|badfoo: badbaz: badbar: badfoo (cycle at 0)"},
		{"badfoo: badbar:badfoo,badbaz badbaz:badbar", "badbar", "Task badbar depends on itself!|badbar: badbaz: badbar (cycle at 0)"},
		{"t1:t2,t3,t4 t2:t3 t3:t2 t4:t4", "t1", "Task t2 depends on a task with a circular dependency|t1: t2: t3: t2 (cycle at 1)|" +
			"Task t3 depends on a task with a circular dependency|t1: t3: t2: t3 (cycle at 1)|" +
			"Task t4 depends on a task with a circular dependency|t1: t4: t4 (cycle at 1)"},
		{"t1:t2,t3,t4 t2:t3 t3:t2 t4:t4", "t2", "Task t2 depends on itself!|t2: t3: t2 (cycle at 0)"},
	} {
		graph := map[string][]string{}
		for _, s := range strings.Fields(c.graph) {
			name, needs, _ := strings.Cut(s, ":")
			graph[name] = strings.FieldsFunc(needs, func(r rune) bool { return r == ',' })
		}
		got := Cycles(c.task, func(name string) []string { return graph[name] })
		same(t, c.graph+" from "+c.task, strings.Join(got, "|"), c.want)
	}
}

// TestCyclesEndOnAnyGraph: a complete graph has more ways round than could ever be walked.
func TestCyclesEndOnAnyGraph(t *testing.T) {
	var names []string
	for i := range 60 {
		names = append(names, fmt.Sprint("t", i))
	}
	if got := Cycles("t0", func(string) []string { return names }); len(got) == 0 {
		t.Error("no cycle found where there are only cycles")
	}
}

// randomLibrary has tasks whose prerequisites are tasks of lower number, and stages of them.
func randomLibrary(t *rapid.T) library {
	l := library{}
	n := rapid.IntRange(1, 12).Draw(t, "tasks")
	for i := range n {
		task := &models.Task{Name: fmt.Sprint("t", i)}
		for _, p := range rapid.SliceOfNDistinct(rapid.IntRange(0, max(i-1, 0)), 0, min(i, 3), rapid.ID).Draw(t, "needs") {
			if p < i {
				task.Prerequisites = append(task.Prerequisites, fmt.Sprint("t", p))
			}
		}
		l.add(task)
	}
	return l
}

func randomList(t *rapid.T, l library) []string {
	var pick []string
	for key := range l {
		pick = append(pick, strings.TrimPrefix(key, "tasks/"))
	}
	slices.Sort(pick)
	pick = append(pick, "bootenv:one", "bootenv:two", "stage:s", "context:c", "action:p:a")
	return rapid.SliceOfN(rapid.SampledFrom(pick), 0, 20).Draw(t, "list")
}

func TestPlacedListsObeyTheirLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := randomLibrary(t)
		given := randomList(t, l)
		list, err := Place(l, given)
		if err != nil {
			t.Fatal(err)
		}
		if task, missing := CheckPlaced(l, list, 0); task != "" {
			t.Fatalf("%v: %s stands before its prerequisite %s", list, task, missing)
		}
		again, err := Place(l, list)
		if err != nil || !slices.Equal(again, list) {
			t.Fatalf("placed %v, placed again %v, %v", list, again, err)
		}
		// Nothing that was asked for is lost or moved; what was added is new to its run.
		run, env, rest := map[string]bool{}, "", given
		for _, e := range list {
			for len(rest) > 0 && rest[0] == "bootenv:"+env && rest[0] != e {
				rest = rest[1:] // repeats the boot environment in force
			}
			if verb, arg := models.SplitEntry(e); verb == "bootenv" {
				run, env = map[string]bool{}, arg
			}
			if len(rest) > 0 && rest[0] == e {
				rest = rest[1:]
			} else if run[e] {
				t.Fatalf("%v: %s was added where its run had it", list, e)
			}
			run[e] = true
		}
		for len(rest) > 0 && rest[0] == "bootenv:"+env {
			rest = rest[1:]
		}
		if len(rest) > 0 {
			t.Fatalf("%v of %v is lost in %v", rest, given, list)
		}
	})
}
