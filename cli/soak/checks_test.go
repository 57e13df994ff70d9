package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"drp/models"
)

func TestEveryUnfairElectionIsFound(t *testing.T) {
	fair := func() []vote {
		return []vote{{name: "x", won: true}, {name: "y", found: `"x"`}, {name: "z", lost: true}}
	}
	if fault := tally(fair(), "x"); fault != "" {
		t.Fatalf("a fair election: %s", fault)
	}
	if fault := tally([]vote{{name: "x", lost: true}, {name: "y", found: `"x"`}}, "x"); fault != "" {
		t.Fatalf("a winner without an answer: %s", fault)
	}
	if fault := tally([]vote{{name: "x", lost: true}, {name: "y", lost: true}}, nobody); fault != "" {
		t.Fatalf("nobody was heard: %s", fault)
	}
	for name, c := range map[string]struct {
		votes   []vote
		elected string
	}{
		"two winners":                {append(fair(), vote{name: "w", won: true}), "x"},
		"the winner is not elected":  {fair(), "z"},
		"nobody is elected":          {fair(), nobody},
		"all have lost":              {[]vote{{name: "x", found: `"y"`}, {name: "y", found: `"x"`}}, nobody},
		"a loser is elected":         {[]vote{{name: "x", found: `"x"`}, {name: "y", found: `"x"`}}, "x"},
		"a stranger is elected":      {[]vote{{name: "x", lost: true}, {name: "y", lost: true}}, "w"},
		"a loser is told of another": {append(fair(), vote{name: "w", found: `"z"`}), "x"},
		"a loser is told nothing":    {append(fair(), vote{name: "w"}), "x"},
	} {
		if tally(c.votes, c.elected) == "" {
			t.Errorf("%s goes unnoticed", name)
		}
	}
}

func TestEveryFaultOfTheLedgerIsFound(t *testing.T) {
	sound := func() (map[string]entry, []models.Profile) {
		grown := params(0)
		for k, v := range params(members) {
			grown[k] = v
		}
		return map[string]entry{
			"made": {made: true}, "grown": {made: true, grown: true}, "unknown": {}, "never": {},
		}, []models.Profile{{Name: "made", Params: params(0)}, {Name: "grown", Params: grown}, {Name: "unknown", Params: params(0)}}
	}
	if faults := audit(sound()); len(faults) > 0 {
		t.Fatalf("a sound ledger: %v", faults)
	}
	for name, spoil := range map[string]func([]models.Profile) []models.Profile{
		"a lost acknowledged write":      func(l []models.Profile) []models.Profile { return l[1:] },
		"a lost acknowledged change":     func(l []models.Profile) []models.Profile { l[1].Params = params(0); return l },
		"half of an acknowledged change": func(l []models.Profile) []models.Profile { delete(l[1].Params, "soak-1"); return l },
		"half of a change nobody knows":  func(l []models.Profile) []models.Profile { delete(l[2].Params, "soak-1"); return l },
		"something that nobody has made": func(l []models.Profile) []models.Profile { return append(l, models.Profile{Name: "ghost"}) },
		"everything is lost":             func([]models.Profile) []models.Profile { return nil },
	} {
		entries, list := sound()
		if len(audit(entries, spoil(list))) == 0 {
			t.Errorf("%s goes unnoticed", name)
		}
	}
}

func TestEveryFaultOfTheJobsIsFound(t *testing.T) {
	type scene struct {
		m     models.Machine
		jobs  []models.Job
		given map[string]string
	}
	sound := func() *scene {
		return &scene{
			models.Machine{Tasks: []string{"stage:s", "a", "b"}, CurrentTask: 3, CurrentJob: "2"},
			[]models.Job{{Uuid: "1", Task: "a", CurrentIndex: 1, State: models.Finished}, {Uuid: "2", Task: "b", CurrentIndex: 2, State: models.Finished, Current: true}},
			map[string]string{"1": "a", "2": "b"},
		}
	}
	if s := sound(); settled(&s.m, s.jobs, s.given) != nil {
		t.Fatalf("a sound machine: %v", settled(&s.m, s.jobs, s.given))
	}
	for name, spoil := range map[string]func(*scene){
		"a lost job":                     func(s *scene) { s.jobs = s.jobs[1:] },
		"a job that was given to nobody": func(s *scene) { delete(s.given, "1") },
		"a job that was never made":      func(s *scene) { s.given["3"] = "a" },
		"a task finished twice": func(s *scene) {
			s.jobs = append(s.jobs, models.Job{Uuid: "3", Task: "a", CurrentIndex: 1, State: models.Finished})
			s.given["3"] = "a"
		},
		"a job left open":         func(s *scene) { s.jobs[0].State = models.Running },
		"a job of another task":   func(s *scene) { s.given["1"] = "b" },
		"two newest jobs":         func(s *scene) { s.jobs[0].Current = true },
		"the newest is not known": func(s *scene) { s.m.CurrentJob = "1" },
		"no newest":               func(s *scene) { s.jobs[1].Current = false },
	} {
		s := sound()
		if spoil(s); settled(&s.m, s.jobs, s.given) == nil {
			t.Errorf("%s goes unnoticed", name)
		}
	}
	open := []models.Job{{Uuid: "1", State: models.Created}, {Uuid: "2", State: models.Running, Current: true}}
	if coherent(&models.Machine{CurrentJob: "2"}, open) == nil {
		t.Error("two open jobs go unnoticed")
	}
	g := &given{jobs: map[string]string{}}
	if g.add("1", "a") != nil || g.add("1", "a") == nil {
		t.Error("a job that was given out twice goes unnoticed")
	}
}

func TestHalfOfAChangeIsFound(t *testing.T) {
	m := models.Machine{Uuid: planMachines[0], Workflow: "soak-boots", Stage: "soak-local", BootEnv: "local", Tasks: allPlans[6].tasks, CurrentTask: -1}
	if err := planned(&m); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*models.Machine){
		"workflow without its stage": func(m *models.Machine) { m.Stage = "soak-one" },
		"stage without its tasks":    func(m *models.Machine) { m.Tasks = allPlans[1].tasks },
		"tasks, but in their midst":  func(m *models.Machine) { m.CurrentTask = 2 },
		"stage without its BootEnv":  func(m *models.Machine) { m.BootEnv = "soak-env" },
		"complete, with work to do":  func(m *models.Machine) { m.WorkflowComplete = true },
		"beyond the last entry":      func(m *models.Machine) { m.CurrentTask, m.WorkflowComplete = 99, true },
	} {
		half := m
		if spoil(&half); planned(&half) == nil {
			t.Errorf("%s goes unnoticed", name)
		}
	}
	if sums(models.Params{account(0): json.RawMessage("1000")}) != nil || sums(models.Params{account(0): json.RawMessage("999")}) == nil {
		t.Error("the accounts are not summed up")
	}
	listing := func(versions ...string) string {
		var l []map[string]string
		for _, v := range versions {
			l = append(l, map[string]string{"Name": "x", "Description": v})
		}
		raw, _ := json.Marshal(l)
		return string(raw)
	}
	for text, fine := range map[string]bool{
		listing("1", "1", "1", "1", "1"): true, "[]": true,
		listing("1", "1", "2", "1", "1"): false, listing("1", "1", "1", "1"): false,
	} {
		if _, err := readPack(lists, &answer{status: 200, body: []byte(text)}); (err == nil) != fine {
			t.Errorf("pack %s: %v", text, err)
		}
	}
}

// TestEveryFaultOfTheOrderIsFound holds answers against a tale of two objects.
func TestEveryFaultOfTheOrderIsFound(t *testing.T) {
	x, y := place{"profiles", "x"}, place{"profiles", "y"}
	tell := func() *tale {
		l := newTale(nil)
		l.base, l.versions = 2, map[place][]version{x: {{2, 20, false}, {5, 50, false}, {8, 0, true}}, y: {{6, 60, false}}}
		return l
	}
	sound := []record{
		{1, 2, x, 2, 20, false}, {3, 5, x, 5, 50, true}, {4, 8, x, 2, 20, false}, {6, 9, y, 6, 60, true}, {10, 11, x, 5, 50, false},
		{10, 11, y, 6, 0, false}, {12, 13, x, 0, 0, false}, {1, 2, y, 0, 0, false},
	}
	if faults := tell().hold(sound); len(faults) > 0 {
		t.Fatalf("sound answers: %v", faults)
	}
	for name, more := range map[string][]record{
		"a revision that nobody tells of":           {{3, 4, x, 4, 0, false}},
		"a lost acknowledged write":                 {{3, 4, x, 7, 70, true}},
		"another object than the event":             {{7, 8, x, 5, 51, false}},
		"a stale read":                              {{3, 4, x, 5, 50, true}, {7, 8, x, 2, 20, false}},
		"a stale read after news of another object": {{7, 8, y, 6, 60, false}, {10, 11, x, 2, 20, false}},
		"a write in the past":                       {{1, 2, y, 6, 60, false}, {3, 4, x, 5, 50, true}},
		"absent, though it is there":                {{3, 4, y, 6, 60, false}, {20, 21, y, 0, 0, false}},
		"absent before it was made":                 {{7, 8, y, 6, 60, true}, {9, 10, y, 0, 0, false}},
	} {
		if len(tell().hold(more)) == 0 {
			t.Errorf("%s goes unnoticed", name)
		}
	}
}

// listener is a follower that has come to revision 10.
func listener(filter string) *follower {
	return &follower{filter: filter, quiet: true, rev: 10, moved: make(chan struct{})}
}

func event(rev uint64, more bool, sum uint64) told {
	return told{models.Event{Rev: rev, More: more, Type: "profiles", Key: fmt.Sprint(sum)}, sum}
}

// breakOff is a connection that breaks and is resumed.
var breakOff = told{}

func listen(f *follower, events []told) (faults []string) {
	for _, e := range events {
		if e.Rev == 0 && e.sum == 0 {
			if len(f.part) > 0 { // as follow does
				f.old, f.part = f.part, nil
			}
			continue
		}
		if fault := f.hear(e); fault != "" {
			faults = append(faults, fault)
		}
	}
	return faults
}

func TestEveryFaultOfAStreamIsFound(t *testing.T) {
	for name, events := range map[string][]told{
		"one after the other":            {event(11, false, 1), event(12, true, 2), event(12, false, 3), event(13, false, 4)},
		"broken between two revisions":   {event(11, false, 1), breakOff, event(12, false, 2)},
		"broken in the midst of one":     {event(11, true, 1), breakOff, event(11, true, 1), event(11, false, 2), event(12, false, 3)},
		"broken in its midst, and again": {event(11, true, 1), breakOff, breakOff, event(11, true, 1), breakOff, event(11, true, 1), event(11, false, 2)},
	} {
		if faults := listen(listener(everything), events); len(faults) > 0 {
			t.Errorf("%s: %v", name, faults)
		}
	}
	for name, events := range map[string][]told{
		"a gap":                        {event(12, false, 1)},
		"a gap after a break":          {event(11, false, 1), breakOff, event(13, false, 2)},
		"told twice":                   {event(11, false, 1), event(11, false, 1)},
		"told twice after a break":     {event(11, false, 1), breakOff, event(11, false, 1)},
		"out of order":                 {event(11, false, 1), event(13, false, 2), event(12, false, 3)},
		"half of a revision":           {event(11, true, 1), event(12, false, 2)},
		"told otherwise after a break": {event(11, true, 1), breakOff, event(11, true, 9), event(11, false, 2)},
		"without a revision":           {{sum: 1}},
	} {
		if len(listen(listener(everything), events)) == 0 {
			t.Errorf("%s goes unnoticed", name)
		}
	}
	filtered := []told{event(11, true, 1), event(15, false, 2), breakOff, event(17, true, 3), breakOff, event(17, true, 3), event(20, false, 4)}
	if faults := listen(listener("profiles.*.*"), filtered); len(faults) > 0 {
		t.Errorf("a filter leaves things out: %v", faults)
	}
	if len(listen(listener("profiles.*.*"), []told{event(15, false, 1), event(12, false, 2)})) == 0 {
		t.Error("a filtered stream out of order goes unnoticed")
	}
}

func TestEveryDifferenceOfHistoriesIsFound(t *testing.T) {
	all := []line{{11, "profiles", "create", place{"profiles", "x"}, 1}, {12, "jobs", "save", place{"jobs", "y"}, 2}, {13, "profiles", "delete", place{"profiles", "x"}, 3}}
	differs := func(got []line, kind string) bool {
		w := &world{out: &bytes.Buffer{}, shown: map[string]int{}}
		w.compare("it", got, func(l *line) bool { return kind == "" || l.kind == kind }, all)
		return w.broken() > 0
	}
	if differs(all, "") || differs([]line{all[0], all[2]}, "profiles") {
		t.Error("what is the same differs")
	}
	other := append([]line{}, all...)
	other[1].sum = 9
	for name, got := range map[string][]line{"nothing": nil, "an end": all[:2], "a gap": {all[0], all[2]}, "another text": other, "another order": {all[1], all[0], all[2]}, "more": append(all, all[0])} {
		if !differs(got, "") {
			t.Errorf("%s goes unnoticed", name)
		}
	}
}

func TestEveryBreakInTheChainOfVersionsIsFound(t *testing.T) {
	tell := func(action, original, object string) *told {
		return &told{Event: models.Event{Action: action, Original: json.RawMessage(original), Object: json.RawMessage(object)}}
	}
	for _, c := range []struct {
		e     *told
		was   string
		sound bool
	}{
		{tell("create", "null", "1"), "", true}, {tell("create", "null", "1"), "0", false}, {tell("create", "0", "1"), "", false},
		{tell("update", "0", "1"), "0", true}, {tell("update", "9", "1"), "0", false},
		{tell("delete", "null", "0"), "0", true}, {tell("delete", "null", "9"), "0", false},
	} {
		if fault := continues(c.e, json.RawMessage(c.was), c.was != ""); (fault == "") != c.sound {
			t.Errorf("%s of %s to %s: %q", c.e.Action, c.was, c.e.Object, fault)
		}
	}
}

func TestTheSeedDecidesTheFaults(t *testing.T) {
	plan := func(seed uint64) string {
		var list []fault
		dice := rand.New(rand.NewPCG(seed, 0))
		for range 100 {
			list = append(list, draw(dice))
		}
		return fmt.Sprint(list)
	}
	if once, again := plan(7), plan(7); once != again || once == plan(8) {
		t.Error("the same seed must make the same plan, and another one another")
	}
	for _, m := range moments {
		if !strings.Contains(plan(7), string(m)) {
			t.Errorf("no fault %s in a hundred", m)
		}
	}
	// What a client asks for depends on the seed, the round and the client alone.
	w := &world{options: &options{seed: 7}}
	a, b := w.caller(2, 3), w.caller(2, 3)
	for range 50 {
		if a.verb() != b.verb() || a.manner() != b.manner() {
			t.Fatal("a client that is made again asks for other things")
		}
	}
}

func TestAServerThatPanicsIsNoticed(t *testing.T) {
	alarms := 0
	s := &server{alarm: func(string) { alarms++ }}
	for _, line := range []string{"panic: assignment to entry in nil map\n", "fatal error: concurrent map writes", `{"msg":"panic: not at all"}`} {
		s.line([]byte(line))
	}
	if alarms != 2 {
		t.Errorf("%d alarms, want 2", alarms)
	}
}

func TestAViolationEndsTheRound(t *testing.T) {
	var out strings.Builder
	w := &world{out: &out, shown: map[string]int{}}
	w.violate("%v", errors.New("something is lost"))
	if !w.enough() || w.broken() != 1 || !strings.Contains(out.String(), "something is lost") {
		t.Errorf("%v, %d, %q", w.enough(), w.broken(), out.String())
	}
}
