package plugins

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"drp/models"
	"drp/server/objects"
	"drp/server/params"
	"drp/server/store/sqlite"
)

// noContent is the seam to the packs, for tests that need none.
type noContent struct{ s *objects.Service }

func (n noContent) LoadPlugin(ctx context.Context, _, _ string, _ bool, also func(*objects.Tx) error) error {
	_, err := n.s.Do(ctx, false, also)
	return err
}

// world is a server with the room of plugins and one fake provider, the ways of which a test sets.
type world struct {
	*objects.Service
	t      testing.TB
	room   *Service
	ways   string // folder of the fake provider
	cfg    Config
	log    safeBuffer
	mu     sync.Mutex
	pauses []time.Duration    // asked for between starts
	pass   chan time.Time     // ends a pause
	posted chan models.Event  // by plugins
	end    context.CancelFunc // of Run
	ended  chan struct{}
}

type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(b)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

var admin = objects.Actor{Name: "user:admin", Claims: objects.System.Claims}

func newWorld(t testing.TB, ways ...string) *world {
	t.Helper()
	root := t.TempDir()
	engine, err := sqlite.Open(t.Context(), filepath.Join(root, "drp.db"), objects.Advance)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, ways: filepath.Join(root, "ways"), pass: make(chan time.Time), posted: make(chan models.Event, 16), ended: make(chan struct{})}
	if err := os.Mkdir(w.ways, 0o700); err != nil {
		t.Fatal(err)
	}
	w.set(ways...)
	if w.Service, err = objects.New(engine, []models.Object{&models.Profile{Name: "global"}}, time.Now, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	params.Register(w.Service)
	w.cfg = Config{
		Dir: filepath.Join(root, "plugins"), Assets: filepath.Join(root, "assets"), Uploads: true,
		Environment: func(plugin string) ([]string, error) { return []string{"RS_TOKEN=token-of-" + plugin}, nil },
		Post:        func(e models.Event) { w.posted <- e },
		Content:     noContent{w.Service}, Now: time.Now,
		After: func(d time.Duration) <-chan time.Time {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.pauses = append(w.pauses, d)
			return w.pass
		},
		Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	}
	if w.room, err = New(w.Service, w.cfg); err != nil {
		t.Fatal(err)
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.Background())
	w.end = end
	go func() {
		defer close(w.ended)
		w.room.Run(ctx)
	}()
	t.Cleanup(func() {
		end()
		<-w.ended
		w.room.Close()
		w.Close()
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

func (w *world) set(ways ...string) {
	w.t.Helper()
	for _, way := range ways {
		if err := os.WriteFile(filepath.Join(w.ways, way), nil, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
}

func (w *world) unset(way string) {
	if err := os.Remove(filepath.Join(w.ways, way)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) ctx() context.Context { return objects.WithActor(w.t.Context(), admin) }

func (w *world) upload() error {
	_, err := w.room.Upload(w.ctx(), "incrementer", strings.NewReader(script(w.t, "incrementer", w.ways)), false)
	return err
}

func (w *world) mustUpload() {
	w.t.Helper()
	if err := w.upload(); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) create(o models.Object) {
	w.t.Helper()
	if _, err := w.Create(w.ctx(), o, false); err != nil {
		w.t.Fatal(err)
	}
}

// until waits for a state of the objects.
func (w *world) until(what string, holds func(v *objects.View) bool) {
	w.t.Helper()
	for rev := uint64(0); !holds(w.View()); {
		if w.t.Context().Err() != nil {
			w.t.Fatalf("%s did not come about", what)
		}
		ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
		e, err := w.Await(ctx, "plugins", "incr", rev)
		cancel()
		if err != nil {
			w.t.Fatalf("%s did not come about: %v\n%s", what, err, w.log.String())
		}
		if e != nil {
			rev = e.Rev
		}
	}
}

func errorsOf(v *objects.View) string {
	p, ok := objects.Get[*models.Plugin](v, "incr")
	if !ok {
		return "gone"
	}
	return strings.Join(p.PluginErrors, "\n")
}

// invoke calls an action once the plugin runs.
func (w *world) invoke(on On, action string, given models.Params) (json.RawMessage, error) {
	w.t.Helper()
	w.running()
	return w.room.Invoke(w.ctx(), on, action, "", given)
}

// running waits until the process of the plugin has its configuration.
func (w *world) running() {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		w.room.mu.Lock()
		r := w.room.runners["incr"]
		w.room.mu.Unlock()
		if r != nil {
			if p, _ := r.at(); p != nil {
				return
			}
		}
	}
	w.t.Fatalf("the plugin does not run:\n%s", w.log.String())
}

// paused waits until so many pauses were asked for.
func (w *world) paused(n int) {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		w.mu.Lock()
		is := len(w.pauses)
		w.mu.Unlock()
		if is >= n {
			return
		}
	}
	w.t.Fatalf("there were no %d pauses:\n%s", n, w.log.String())
}

// noted waits for what the fake provider notes.
func (w *world) noted(what, text string) string {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if raw, err := os.ReadFile(filepath.Join(w.ways, what)); err == nil && strings.Contains(string(raw), text) {
			return string(raw)
		}
	}
	w.t.Fatalf("%s was not noted in %s:\n%s", text, what, w.log.String())
	return ""
}

func (w *world) plugin(p models.Params) {
	w.create(&models.Plugin{Name: "incr", Provider: "incrementer", Params: p})
}

const machineID = "3e7031fe-3062-45f1-835c-92541bc9cbd3"

func (w *world) machine() On {
	w.t.Helper()
	if _, ok := w.View().Get("machines", machineID); !ok {
		w.create(&models.Machine{Name: "m1", Uuid: machineID})
	}
	e, _ := w.View().Get("machines", machineID)
	return On{"machines", e}
}

// TestABadProgramIsRefusedAndChangesNothing, whatever is wrong with it.
func TestABadProgramIsRefusedAndChangesNothing(t *testing.T) {
	for way, want := range map[string]string{
		"define-garbage": "is not the JSON", "define-hangs": "takes longer than", "define-huge": "prints more than",
		"define-fails": "nobody taught me that", "unpack-fails": "no room for it",
	} {
		t.Run(way, func(t *testing.T) {
			w := newWorld(t)
			w.mustUpload()
			before := w.View().Rev
			w.set(way)
			if way == "define-hangs" {
				w.room.cfg.Define = 50 * time.Millisecond
			}
			err := w.upload()
			if models.ClassOf(err) != models.Invalid || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want it to be invalid: %s", err, want)
			}
			files, _ := filepath.Glob(filepath.Join(w.cfg.Dir, "*"))
			hidden, _ := filepath.Glob(filepath.Join(w.cfg.Dir, ".*"))
			if w.View().Rev != before || len(files) != 1 || len(hidden) != 0 {
				t.Errorf("revision %d, was %d; files %v %v", w.View().Rev, before, files, hidden)
			}
			if text, err := os.ReadFile(files[0]); err != nil || string(text) != script(t, "incrementer", w.ways) {
				t.Errorf("the program is %s, %v", text, err)
			}
		})
	}
	w := newWorld(t)
	for name, body := range map[string]string{"incrementer": "", "other": script(t, "incrementer", w.ways), "../x": "x", "a/b": "x", ".upload-": "x", "nothing": "no program"} {
		_, err := w.room.Upload(w.ctx(), name, strings.NewReader(body), false)
		if c := models.ClassOf(err); c != models.Invalid && c != models.BadRequest {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// TestOnlyWhoMayDoEverythingUploads.
func TestOnlyWhoMayDoEverythingUploads(t *testing.T) {
	w := newWorld(t)
	for name, a := range map[string]objects.Actor{
		"all of a scope": {Claims: models.Claims{{Scope: "plugin_providers", Action: "*", Specific: "*"}}},
		"all but one":    {Claims: models.Claims{{Scope: "*", Action: "get,create,update,delete", Specific: "*"}}},
		"of a tenant":    {Claims: objects.System.Claims, Tenants: []string{"one"}},
		"nobody":         {},
	} {
		_, err := w.room.Upload(objects.WithActor(t.Context(), a), "incrementer", strings.NewReader(script(t, "incrementer", w.ways)), false)
		if models.ClassOf(err) != models.Forbidden {
			t.Errorf("%s: got %v, want Forbidden", name, err)
		}
	}
	w.room.cfg.Uploads = false
	if err := w.upload(); models.ClassOf(err) != models.Forbidden || !strings.Contains(err.Error(), "--plugin-uploads") {
		t.Errorf("uploads are switched off: %v", err)
	}
}

// TestAPluginRunsWithItsParams and with nothing else of the server's.
func TestAPluginRunsWithItsParams(t *testing.T) {
	t.Setenv("DRP_TEST_SECRET", "do-not-tell")
	w := newWorld(t, "required", "noise")
	w.mustUpload()
	w.plugin(models.Params{"other": json.RawMessage(`1`)})
	p, _ := objects.Get[*models.Plugin](w.View(), "incr")
	if p.Available || fmt.Sprint(p.Errors) != "[incr: Missing Required Param incrementer/needed]" {
		t.Errorf("without a param it needs: %v %v", p.Available, p.Errors)
	}
	w.create(&models.Param{Name: "incrementer/needed", Schema: json.RawMessage(`{"type":"string","default":"said"}`)})
	if _, err := params.Set(w.ctx(), w.Service, "plugins", "incr", "say-hello", json.RawMessage(`true`)); err != nil {
		t.Fatal(err)
	}
	w.noted("config", `{"incrementer/needed":"said","other":1,"say-hello":true}`)
	e := <-w.posted
	if e.Type != "greetings" || e.Principal != "plugin:incr" || e.Time.IsZero() {
		t.Errorf("it has posted %+v", e)
	}
	env := w.noted("environment", "RS_TOKEN=token-of-incr")
	if strings.Contains(env, "do-not-tell") {
		t.Errorf("the server's own environment has leaked: %s", env)
	}
	w.running()
	if _, err := params.Set(w.ctx(), w.Service, "plugins", "incr", "other", json.RawMessage(`2`)); err != nil {
		t.Fatal(err)
	}
	w.noted("config", `"other":2`)
	if started := w.noted("started", "\n"); strings.Count(started, "\n") != 1 {
		t.Errorf("a new configuration has started another process: %s", started)
	}
	w.set("config-fails")
	if _, err := params.Set(w.ctx(), w.Service, "plugins", "incr", "other", json.RawMessage(`3`)); err != nil {
		t.Fatal(err)
	}
	w.until("the error of the configuration", func(v *objects.View) bool { return strings.Contains(errorsOf(v), "no such place") })
	w.unset("config-fails")
	if _, err := params.Set(w.ctx(), w.Service, "plugins", "incr", "other", json.RawMessage(`4`)); err != nil {
		t.Fatal(err)
	}
	w.until("no error", func(v *objects.View) bool { return errorsOf(v) == "" })
	if log := w.log.String(); !strings.Contains(log, "hello log") || len(log) > 60_000 {
		t.Errorf("the log has %d bytes: %.500s", len(log), log)
	}
	w.running()
	for _, e := range []models.Event{
		{Type: "log", Key: "never"}, {Type: "own", Key: "never", Principal: "plugin:incr"},
		{Type: "profiles", Key: "global", Rev: 7, Principal: "plugin:incr"}, {Type: "posted", Key: "by-others"},
	} {
		w.room.Publish(&e, func() []byte { raw, _ := json.Marshal(e); return raw })
	}
	if told := w.noted("publish", `"Key":"by-others"`); !strings.Contains(told, `"Key":"global"`) || strings.Contains(told, "never") {
		t.Errorf("it was told of %s", told)
	}
}

// TestACrashedPluginIsStartedAgainEverLater, and its errors come and go with that.
func TestACrashedPluginIsStartedAgainEverLater(t *testing.T) {
	w := newWorld(t, "crash")
	w.mustUpload()
	w.plugin(nil)
	for range 8 {
		w.pass <- time.Time{}
	}
	w.until("an error", func(v *objects.View) bool { return errorsOf(v) == "the process has ended: exit status 7" })
	if _, err := w.room.Invoke(w.ctx(), w.machine(), "increment", "", nil); models.ClassOf(err) != models.Conflict || !strings.Contains(err.Error(), "does not run: the process has ended: exit status 7") {
		t.Errorf("an action meanwhile: %v", err)
	}
	w.paused(9)
	w.unset("crash")
	w.pass <- time.Time{}
	w.until("no error", func(v *objects.View) bool { return errorsOf(v) == "" })
	w.running()
	w.mu.Lock()
	defer w.mu.Unlock()
	if got, want := fmt.Sprint(w.pauses[:9]), "[1s 2s 4s 8s 16s 32s 1m0s 1m0s 1m0s]"; got != want {
		t.Errorf("got pauses %s, want %s", got, want)
	}
	if !strings.Contains(w.log.String(), "I cannot go on") {
		t.Errorf("what it has printed is not in the log:\n%s", w.log.String())
	}
}

// TestActions: what they are given, and what happens to what they answer.
func TestActions(t *testing.T) {
	w := newWorld(t)
	w.mustUpload()
	w.plugin(nil)
	m := w.machine()
	names := func(on On, plugin string) string {
		var list []string
		for _, a := range w.room.Actions(on, plugin) {
			list = append(list, a.Provider+":"+a.Command)
		}
		return strings.Join(list, " ")
	}
	if got := names(m, ""); got != "incrementer:increment" {
		t.Errorf("actions of a machine: %s", got)
	}
	if got := names(m, "nobody"); got != "" {
		t.Errorf("actions of a plugin that is not there: %s", got)
	}
	if got := names(On{Kind: models.System}, ""); got != "incrementer:incrstatus" {
		t.Errorf("actions of the system: %s", got)
	}
	for want, err := range map[string]error{
		"machines/" + machineID + ": command: Not Found":                                               second(w.room.Action(m, "command", "")),
		"machines/" + machineID + ": Action reset_count Missing Parameter incrementer/touched":         second(w.room.Action(m, "reset_count", "")),
		"profiles/global: command: Not Found":                                                          second(w.room.Action(On{Kind: models.System}, "command", "")),
		"INVOKE: system/global: Action command on system: Not Found":                                   second(w.invoke(On{Kind: models.System}, "command", nil)),
		"INVOKE: machines/" + machineID + ": Action command on machines: Not Found":                    second(w.invoke(m, "command", nil)),
		"INVOKE: machines/" + machineID + ": Action reset_count Missing Parameter incrementer/touched": second(w.invoke(m, "reset_count", nil)),
		"INVOKE: machines/" + machineID + ": Action increment on machines: Not Found":                  second(w.room.Invoke(w.ctx(), m, "increment", "nobody", nil)),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	w.create(&models.Param{Name: "incrementer/step", Schema: json.RawMessage(`{"type":"integer"}`)})
	_, err := w.invoke(m, "increment", models.Params{"incrementer/step": json.RawMessage(`"asgda"`)})
	want := "INVOKE: machines/" + machineID + ": Action increment: Invalid Parameter: incrementer/step: : (root): Invalid type. Expected: integer, given: string"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if got, err := w.invoke(m, "increment", models.Params{"incrementer/step": json.RawMessage(`10`)}); err != nil || string(got) != "10" {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := w.invoke(On{Kind: models.System}, "incrstatus", nil); err != nil || string(got) != `"Running"` {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := params.Set(w.ctx(), w.Service, "machines", machineID, "incrementer/touched", json.RawMessage(`3`)); err != nil {
		t.Fatal(err)
	}
	m = w.machine()
	if got := names(m, ""); got != "incrementer:increment incrementer:reset_count" {
		t.Errorf("actions with what they need: %s", got)
	}
	got, err := w.invoke(m, "reset_count", models.Params{"extra": json.RawMessage(`[1]`)})
	var a models.Action
	if err != nil || json.Unmarshal(got, &a) != nil {
		t.Fatalf("got %s, %v", got, err)
	}
	if a.Plugin != "incr" || a.Command != "reset_count" || string(a.Model) != string(m.Entry.Raw) || fmt.Sprintf("%s", a.Params) != "map[extra:[1] incrementer/touched:3]" {
		t.Errorf("the plugin was told %s", got)
	}
	self, _ := w.View().Get("plugins", "incr")
	if got := names(On{"plugins", self}, ""); got != "incrementer:self" {
		t.Errorf("actions of the plugin itself: %s", got)
	}
	for way, want := range map[string]struct {
		class models.Class
		text  string
	}{
		"action-fails":   {models.Conflict, "plugin: plugin/incrementer: the cow has left"},
		"action-garbage": {models.Internal, "its answer is no JSON: this is no JSON"},
		"action-huge":    {models.Internal, "its answer is larger than 16 MiB"},
		"action-hangs":   {models.Internal, "it does not answer within 50ms"},
	} {
		w.set(way)
		if way == "action-hangs" {
			w.room.cfg.Action = 50 * time.Millisecond
		}
		if _, err := w.invoke(m, "increment", nil); models.ClassOf(err) != want.class || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: got %v, want %s", way, err, want.text)
		}
		w.room.cfg.Action = time.Minute
		w.unset(way)
	}
	pauses := 0
	for way, want := range map[string]string{"action-crashes": "the process has ended: exit status 1", "action-leaves": "the plugin has left: the lease is over"} {
		w.set(way)
		if _, err := w.invoke(m, "increment", nil); models.ClassOf(err) != models.Internal {
			t.Errorf("%s: got %v", way, err)
		}
		w.until(want, func(v *objects.View) bool { return errorsOf(v) == want })
		pauses++
		w.paused(pauses)
		w.unset(way)
		w.pass <- time.Time{}
		w.until("no error", func(v *objects.View) bool { return errorsOf(v) == "" })
	}
}

func second[T any](_ T, err error) error { return err }

// TestProcessesEnd with their plugin, with their provider and with the server; one that will not is
// killed.
func TestProcessesEnd(t *testing.T) {
	w := newWorld(t)
	w.mustUpload()
	pid := func() int {
		w.running()
		all := strings.Fields(w.noted("started", "\n"))
		n, err := strconv.Atoi(all[len(all)-1])
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	gone := func(pid int) {
		t.Helper()
		for deadline := time.Now().Add(30 * time.Second); syscall.Kill(pid, 0) == nil; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Fatalf("process %d goes on", pid)
			}
		}
	}
	w.plugin(nil)
	first := pid()
	if _, err := w.Delete(w.ctx(), "plugins", "incr"); err != nil {
		t.Fatal(err)
	}
	gone(first)
	w.plugin(nil)
	again := pid()
	w.mustUpload() // the same words, another program
	gone(again)
	third := pid()
	w.room.cfg.Stop = 20 * time.Millisecond
	w.set("stop-hangs")
	if _, err := w.room.Remove(w.ctx(), "incrementer"); err != nil {
		t.Fatal(err)
	}
	gone(third)
	p, _ := objects.Get[*models.Plugin](w.View(), "incr")
	if p.Available || fmt.Sprint(p.Errors) != "[incr: Provider incrementer does not exist]" {
		t.Errorf("without its provider: %v %v", p.Available, p.Errors)
	}
	w.mustUpload()
	last := pid()
	w.end()
	<-w.ended
	gone(last)
}

// TestProvidersAreWhatLiesInTheFolder when the room starts.
func TestProvidersAreWhatLiesInTheFolder(t *testing.T) {
	w := newWorld(t, "auto-start")
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(w.cfg.Dir, name), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	ctx := objects.WithActor(t.Context(), objects.System)
	put("incrementer", script(t, "incrementer", w.ways))
	put("broken", "#!/bin/sh\nexit 1\n")
	put(".upload-1", "half a program")
	w.room.Scan(ctx)
	if _, ok := w.View().Get("plugin_providers", "incrementer"); !ok {
		t.Fatalf("the provider was not found:\n%s", w.log.String())
	}
	if _, ok := w.View().Get("plugin_providers", "broken"); ok || !strings.Contains(w.log.String(), "provider=broken") {
		t.Errorf("a broken one: %v\n%s", ok, w.log.String())
	}
	if p, ok := objects.Get[*models.Plugin](w.View(), "incrementer"); !ok || !p.Available {
		t.Errorf("no plugin of one that starts by itself: %+v", p)
	}
	if b, err := os.ReadFile(filepath.Join(w.cfg.Assets, "incrementer", "testFile")); err != nil || string(b) != "ImaFile" {
		t.Errorf("its files: %s, %v", b, err)
	}
	rev := w.View().Rev
	w.room.Scan(ctx)
	if now := w.View().Rev; now != rev {
		t.Errorf("looking again has changed something: revision %d, was %d", now, rev)
	}
	if err := os.Remove(filepath.Join(w.cfg.Dir, "incrementer")); err != nil {
		t.Fatal(err)
	}
	w.room.Scan(ctx)
	if _, ok := w.View().Get("plugin_providers", "incrementer"); ok {
		t.Error("the provider is known without its program")
	}
	if left, _ := filepath.Glob(filepath.Join(w.cfg.Assets, "*")); len(left) != 0 {
		t.Errorf("its files stay: %v", left)
	}
}

// TestASlowPluginHoldsNobodyUp: what it cannot keep up with it does not get, and that is told.
func TestASlowPluginHoldsNobodyUp(t *testing.T) {
	q := newQueue()
	for range queueLength + 5 {
		q.put([]byte("x"))
	}
	if text, dropped := q.take(); string(text) != "x" || dropped != 5 {
		t.Errorf("got %s, %d dropped; want x, 5", text, dropped)
	}
	q = newQueue()
	q.put(make([]byte, queueBytes))
	q.put([]byte("x"))
	if _, dropped := q.take(); dropped != 1 {
		t.Errorf("%d dropped, want 1", dropped)
	}
	if text, dropped := q.take(); text != nil || dropped != 0 {
		t.Errorf("got %d bytes, %d dropped", len(text), dropped)
	}
}
