package workflow

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/models"
	"drp/models/patch"
	"drp/server/objects"
	"drp/server/params"
	"drp/server/store"
	"drp/server/store/sqlite"
)

// memory is an engine that forgets everything: for tests that need very many worlds.
type memory struct{ store.Engine }

func (memory) Load(context.Context, func(store.Record) error) (uint64, error) { return 0, nil }
func (memory) Commit(context.Context, []store.Change) error                   { return nil }
func (memory) History(context.Context, uint64) iter.Seq2[store.Change, error] {
	return func(func(store.Change, error) bool) {}
}
func (memory) Compact(context.Context, uint64) error { return nil }
func (memory) Backup(context.Context, string) error  { return nil }
func (memory) Close() error                          { return nil }

// memoryLogs keeps logs in memory.
type memoryLogs struct {
	sync.Mutex
	text map[string]string
	sync map[string]int
}

func (l *memoryLogs) Create(job, header string) error {
	l.Lock()
	defer l.Unlock()
	if l.text[job] == "" {
		l.text[job] = header + "\n"
	}
	return nil
}

func (l *memoryLogs) Append(job string, r io.Reader) (int64, error) {
	b, err := io.ReadAll(r)
	l.Lock()
	defer l.Unlock()
	l.text[job] += string(b)
	return int64(len(b)), err
}

func (l *memoryLogs) Sync(job string) error {
	l.Lock()
	defer l.Unlock()
	l.sync[job]++
	return nil
}

func (l *memoryLogs) Remove(job string) error {
	l.Lock()
	defer l.Unlock()
	delete(l.text, job)
	return nil
}

func (l *memoryLogs) of(job string) string {
	l.Lock()
	defer l.Unlock()
	return l.text[job]
}

// world is a server with the rooms that workflows need, and a clock that is turned by hand.
type world struct {
	*objects.Service
	t    testing.TB
	jobs *Jobs
	logs *memoryLogs
	mu   sync.Mutex
	time time.Time
}

const machineID = "3e7031fe-3062-45f1-835c-92541bc9cbd3"

func newWorld(t testing.TB) *world {
	t.Helper()
	w, end := storedWorld(t, filepath.Join(t.TempDir(), "drp.db"))
	t.Cleanup(end)
	return w
}

// storedWorld starts a world on a file, and returns what ends it.
func storedWorld(t testing.TB, path string) (*world, func()) {
	t.Helper()
	engine, err := sqlite.Open(t.Context(), path, objects.Advance)
	if err != nil {
		t.Fatal(err)
	}
	w := openWorld(t, engine)
	return w, func() {
		w.Close()
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	}
}

// openWorld starts a world that the caller closes.
func openWorld(t testing.TB, engine store.Engine) *world {
	t.Helper()
	w := &world{t: t, logs: &memoryLogs{text: map[string]string{}, sync: map[string]int{}}, time: time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)}
	base := []models.Object{
		&models.BootEnv{Name: "local"}, &models.BootEnv{Name: "ignore", OnlyUnknown: true},
		&models.Stage{Name: "none"}, &models.Stage{Name: "local", BootEnv: "local"},
	}
	var err error
	if w.Service, err = objects.New(engine, base, w.now, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	params.Register(w.Service)
	Register(w.Service)
	w.jobs = New(w.Service, w.logs, w.now, slog.New(slog.DiscardHandler))
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.time
}

func (w *world) wait(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.time = w.time.Add(d)
}

var all = models.Claims{{Scope: "*", Action: "*", Specific: "*"}}

// operator is someone at a keyboard, agent the machine itself.
func (w *world) operator() context.Context {
	return objects.WithActor(w.t.Context(), objects.Actor{Name: "user:rocketskates", Claims: all})
}

func (w *world) agent() context.Context {
	return objects.WithActor(w.t.Context(), objects.Actor{Name: "machine:" + machineID, Claims: all})
}

func (w *world) create(list ...models.Object) {
	w.t.Helper()
	for _, o := range list {
		if _, err := w.Create(w.operator(), o, false); err != nil {
			w.t.Fatalf("create %s/%s: %v", o.Kind(), o.Key(), err)
		}
	}
}

func (w *world) delete(kind, key string) {
	w.t.Helper()
	if _, err := w.Delete(w.operator(), kind, key); err != nil {
		w.t.Fatalf("delete %s/%s: %v", kind, key, err)
	}
}

// tasks creates tasks, each given as "name" or "name: prerequisite prerequisite".
func (w *world) tasks(list ...string) {
	w.t.Helper()
	for _, s := range list {
		name, prerequisites, _ := strings.Cut(s, ":")
		w.create(&models.Task{Name: name, Prerequisites: strings.Fields(prerequisites)})
	}
}

// stage creates a stage; a word of the form bootenv=B is its boot environment.
func (w *world) stage(name string, words ...string) {
	w.t.Helper()
	s := &models.Stage{Name: name}
	for _, word := range words {
		if env, ok := strings.CutPrefix(word, "bootenv="); ok {
			s.BootEnv = env
			continue
		}
		s.Tasks = append(s.Tasks, word)
	}
	w.create(s)
}

func (w *world) workflow(name string, stages ...string) {
	w.t.Helper()
	w.create(&models.Workflow{Name: name, Stages: stages})
}

// machine creates the machine of a test.
func (w *world) machine(members string) *models.Machine {
	w.t.Helper()
	m := &models.Machine{}
	if err := json.Unmarshal([]byte(members), m); err != nil {
		w.t.Fatal(err)
	}
	m.Uuid, m.Name = machineID, "m1"
	w.create(m)
	return w.m()
}

func (w *world) m() *models.Machine {
	w.t.Helper()
	m, ok := objects.Get[*models.Machine](w.View(), machineID)
	if !ok {
		w.t.Fatal("the machine is gone")
	}
	return m
}

func (w *world) job(uuid string) *models.Job {
	w.t.Helper()
	j, ok := objects.Get[*models.Job](w.View(), uuid)
	if !ok {
		w.t.Fatalf("there is no job %q", uuid)
	}
	return j
}

// merge sets members of an object as a caller's patch does.
func (w *world) merge(ctx context.Context, kind, key, members string, force bool) error {
	w.t.Helper()
	var set map[string]json.RawMessage
	if err := json.Unmarshal([]byte(members), &set); err != nil {
		w.t.Fatal(err)
	}
	p := patch.Patch{}
	for name, value := range set {
		p = append(p, patch.Op{Op: "add", Path: patch.Pointer(name), Value: value})
	}
	_, err := w.Patch(ctx, kind, key, p, force)
	return err
}

// edit changes the machine as an operator does.
func (w *world) edit(members string) *models.Machine {
	w.t.Helper()
	if err := w.merge(w.operator(), "machines", machineID, members, false); err != nil {
		w.t.Fatalf("edit %s: %v", members, err)
	}
	return w.m()
}

// refuse demands that an edit of the machine fails with a text and changes nothing.
func (w *world) refuse(members, text string) {
	w.t.Helper()
	before := w.View().Rev
	err := w.merge(w.operator(), "machines", machineID, members, false)
	if err == nil || !strings.HasSuffix(err.Error(), text) {
		w.t.Errorf("edit %s: %v, want %q", members, err, text)
	}
	if w.View().Rev != before {
		w.t.Errorf("edit %s was refused and still changed something", members)
	}
}

// post asks for the next job as the agent of a context.
func (w *world) post(context string) (Status, *models.Job, error) {
	return w.jobs.Next(w.agent(), &models.Job{Machine: machineID, Context: context})
}

// next demands a status and returns the job.
func (w *world) next(want Status) *models.Job {
	w.t.Helper()
	s, j, err := w.post(w.m().Context)
	if err != nil || s != want {
		w.t.Fatalf("next job: %d, %v; want %d", s, err, want)
	}
	return j
}

// end sets a job's state as its agent does.
func (w *world) end(j *models.Job, s models.State) {
	w.t.Helper()
	if err := w.merge(w.agent(), "jobs", j.Uuid, fmt.Sprintf(`{"State":%q}`, s), false); err != nil {
		w.t.Fatalf("job %s to %s: %v", j.Task, s, err)
	}
}

// do runs the next task to the end.
func (w *world) do(task string) *models.Job {
	w.t.Helper()
	j := w.next(Made)
	if j.Task != task {
		w.t.Fatalf("next is %s, want %s", j.Task, task)
	}
	w.end(j, models.Running)
	w.end(j, models.Finished)
	return w.job(j.Uuid)
}

func same(t testing.TB, what string, got, want any) {
	t.Helper()
	g, w := fmt.Sprint(got), fmt.Sprint(want)
	if g != w {
		t.Errorf("%s: got %s, want %s", what, g, w)
	}
}

func errorsOf(v *objects.View, kind, key string) []string {
	e, ok := v.Get(kind, key)
	if !ok {
		return []string{"missing"}
	}
	return slices.Clone(e.Object.Base().Errors)
}
