package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"time"

	"drp/cli/client"
	"drp/models"

	"golang.org/x/term"
)

// watch follows the machines and their jobs by events, and shows them.
type watch struct {
	*world
	stream *client.Stream
	rows   map[string]*row
	seen   map[string]bool // finished jobs of tasks
	kills  []kill          // to come
	table  *table
}

// row is what is shown of a machine.
type row struct {
	machine models.Machine
	job     models.Job // the newest
	shown   line
}

// kill is due when so many jobs are finished.
type kill struct {
	at     int
	server bool
	victim int // which member's runner
}

func newWatch(ctx context.Context, w *world) (*watch, error) {
	x := &watch{world: w, rows: map[string]*row{}, seen: map[string]bool{}, table: &table{out: w.out}}
	x.table.live = isTerminal(w.out)
	var err error
	if x.stream, err = w.client.Watch(ctx, "machines.*.*", "jobs.*.*"); err != nil {
		return nil, err
	}
	if w.chaos() {
		w.say("chaos     %d kills of the server, %d of runners, seed %d", w.chaosServer, w.chaosRunner, w.seed)
	}
	return x, nil
}

func isTerminal(out io.Writer) bool {
	f, ok := out.(interface{ Fd() uintptr })
	return ok && term.IsTerminal(int(f.Fd()))
}

func (x *watch) close() { x.stream.Close() }

// untilComplete returns when all machines have gone through the workflow, and all kills are done.
func (x *watch) untilComplete(ctx context.Context) error {
	if err := x.refresh(ctx); err != nil {
		return err
	}
	x.kills = x.plan()
	events, errs := make(chan models.Event), make(chan error, 1)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		for {
			e, err := x.stream.Next(ctx)
			if err != nil {
				errs <- err
				return
			}
			select {
			case events <- e:
			case <-ctx.Done():
				errs <- ctx.Err()
				return
			}
		}
	}()
	for !x.complete() {
		select {
		case e := <-events:
			if err := x.take(ctx, e); err != nil {
				return err
			}
		case p := <-x.died:
			return fmt.Errorf("%s has ended by itself", p.Name)
		case err := <-errs:
			return err
		}
	}
	x.table.show(x.lines())
	return nil
}

// plan draws when to kill whom: after which finished job of the run, so that every kill falls
// into it however fast it is.
func (x *watch) plan() []kill {
	jobs := 0
	for _, r := range x.rows {
		jobs += len(tasksOf(&r.machine))
	}
	dice := rand.New(rand.NewPCG(x.seed, 0))
	var list []kill
	for i := range x.chaosServer + x.chaosRunner {
		list = append(list, kill{at: 1 + dice.IntN(max(jobs-1, 1)), server: i < x.chaosServer, victim: dice.IntN(len(x.members))})
	}
	slices.SortStableFunc(list, func(a, b kill) int { return a.at - b.at })
	return list
}

// tasksOf is the entries of the task list that runners work on.
func tasksOf(m *models.Machine) []int {
	var list []int
	for i, e := range m.Tasks {
		if verb, _ := models.SplitEntry(e); verb == "" {
			list = append(list, i)
		}
	}
	return list
}

func (x *watch) complete() bool {
	for _, r := range x.rows {
		if r.machine.Workflow != x.workflow || !r.machine.WorkflowComplete {
			return false
		}
	}
	return len(x.kills) == 0
}

// refresh looks at everything, as after events may have been missed.
func (x *watch) refresh(ctx context.Context) error {
	machines, err := client.Get[[]models.Machine](ctx, x.client, "machines")
	if err != nil {
		return err
	}
	jobs, err := client.Get[[]models.Job](ctx, x.client, "jobs")
	if err != nil {
		return err
	}
	for i := range machines {
		if err := x.machine(ctx, &machines[i]); err != nil {
			return err
		}
	}
	for i := range jobs {
		if err := x.job(ctx, &jobs[i]); err != nil {
			return err
		}
	}
	x.table.show(x.lines())
	return nil
}

// take takes in one event.
func (x *watch) take(ctx context.Context, e models.Event) error {
	var err error
	switch {
	case e.Type == client.Resumed:
		return x.refresh(ctx)
	case e.Action == "delete":
		return nil
	case e.Type == "machines":
		var m models.Machine
		if err = json.Unmarshal(e.Object, &m); err == nil {
			err = x.machine(ctx, &m)
		}
	case e.Type == "jobs":
		var j models.Job
		if err = json.Unmarshal(e.Object, &j); err == nil {
			err = x.job(ctx, &j)
		}
	}
	if err == nil {
		x.table.show(x.lines())
	}
	return err
}

func (x *watch) machine(ctx context.Context, m *models.Machine) error {
	if x.member(m.Uuid) == nil {
		return nil
	}
	r := x.row(m.Uuid)
	r.machine = *m
	if !m.Runnable && x.chaos() && m.Workflow != "" && !m.WorkflowComplete {
		return x.operate(ctx, m.Uuid)
	}
	return nil
}

// operate does what an operator does about a machine that stands still after a crash: lets it
// go on.
func (x *watch) operate(ctx context.Context, uuid string) error {
	patch := []map[string]any{{"op": "replace", "path": "/Runnable", "value": true}}
	return x.client.Do(ctx, http.MethodPatch, "machines/"+uuid, patch, nil)
}

func (x *watch) row(uuid string) *row {
	if x.rows[uuid] == nil {
		x.rows[uuid] = &row{}
	}
	return x.rows[uuid]
}

func (x *watch) job(ctx context.Context, j *models.Job) error {
	m := x.member(j.Machine)
	if m == nil {
		return nil
	}
	if j.Current {
		x.row(j.Machine).job = *j
	}
	if j.State == models.Failed && !x.chaos() {
		var log []byte
		if err := x.client.Do(ctx, http.MethodGet, "jobs/"+j.Uuid+"/log", nil, &log); err != nil {
			log = []byte(err.Error())
		}
		return fmt.Errorf("task %s of %s failed:\n%s", j.Task, m.name, log)
	}
	if verb, _ := models.SplitEntry(j.Task); j.State == models.Finished && verb == "" && !x.seen[j.Uuid] {
		x.seen[j.Uuid] = true
		return x.strike()
	}
	return nil
}

// strike carries out the kills that are due, and starts again what it has killed.
func (x *watch) strike() error {
	for len(x.kills) > 0 && x.kills[0].at <= len(x.seen) {
		k := x.kills[0]
		x.kills = x.kills[1:]
		victim := x.server
		if !k.server {
			m := x.members[k.victim]
			m.kills++
			victim = m.runner
		}
		x.table.note("kill -9 %d: %s, after %d jobs", victim.PID(), victim.Name, len(x.seen))
		victim.Kill()
		if err := victim.Start(); err != nil {
			return err
		}
	}
	return nil
}

// lines is the table: a line for each machine.
func (x *watch) lines() []line {
	list := make([]line, len(x.members))
	for i, m := range x.members {
		list[i] = x.row(m.uuid).line(m.name)
	}
	return list
}

// line is the newest that can be told of a machine. Between two tasks, when machine and job do
// not fit together yet, it is what was told before.
func (r *row) line(name string) line {
	l := line{machine: name, icon: r.machine.Meta["icon"], color: r.machine.Meta["color"], stage: r.machine.Stage}
	entry := r.machine.EntryAt(r.machine.CurrentTask)
	switch {
	case r.machine.Workflow == "" || r.machine.CurrentTask < 0:
		l.state = "idle"
	case r.machine.WorkflowComplete:
		l.state = "complete"
	case r.job.Uuid == r.machine.CurrentJob && r.job.Task == entry && r.job.State != models.Created && !strings.Contains(entry, ":"):
		l.task, l.state = entry, string(r.job.State)
	case r.shown.machine != "":
		return r.shown
	}
	r.shown = l
	return l
}

// line is what is shown of a machine.
type line struct{ machine, icon, color, stage, task, state string }

// table shows lines: in a terminal in place, else a line anew whenever it changes.
type table struct {
	out   io.Writer
	live  bool
	shown []line
	began time.Time
}

// ansi are the colours that a terminal has for those of machines.
var ansi = map[string]string{"purple": "35", "blue": "34", "yellow": "33", "green": "32", "red": "31", "grey": "90"}

const format = "%-10s %-8s %-8s %-22s %-22s %s"

func (t *table) show(lines []line) {
	if slices.Equal(lines, t.shown) {
		return
	}
	if t.began.IsZero() {
		t.began = time.Now()
		fmt.Fprintf(t.out, "%8s  "+format+"\n", "", "machine", "icon", "color", "stage", "task", "state")
	}
	var b strings.Builder
	if t.live && t.shown != nil {
		fmt.Fprintf(&b, "\x1b[%dA", len(lines))
	}
	for i, l := range lines {
		if !t.live && t.shown != nil && t.shown[i] == l {
			continue
		}
		b.WriteString(t.text(l))
	}
	t.shown = slices.Clone(lines)
	io.WriteString(t.out, b.String())
}

func (t *table) text(l line) string {
	s := fmt.Sprintf("%7.2fs  "+format, time.Since(t.began).Seconds(), l.machine, l.icon, l.color, l.stage, l.task, l.state)
	if code := ansi[l.color]; t.live && code != "" {
		s = "\x1b[" + code + "m" + s + "\x1b[0m"
	}
	if t.live {
		s += "\x1b[K"
	}
	return s + "\n"
}

// note writes a line of its own; a table in place goes on below it.
func (t *table) note(format string, args ...any) {
	fmt.Fprintf(t.out, format+"\n", args...)
	t.shown = nil
}
