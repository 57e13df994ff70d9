//go:build linux

package runner

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/models"
	"drp/models/patch"

	"github.com/coder/websocket"
)

const machineID = "3e7031fe-5555-45f1-835c-92541bc9cbd3"

// fake is a server with one machine. It can be killed and started again at the same address, and
// it can lose requests and answers.
type fake struct {
	t        *testing.T
	addr     string
	tls      *tls.Config
	http     *http.Server
	listener net.Listener
	gone     context.CancelFunc // ends the websockets

	mu       sync.Mutex
	changed  *sync.Cond
	machine  *models.Machine
	tasks    map[string]*fakeTask
	jobs     map[string]*models.Job
	order    []string
	logs     map[string]string
	params   map[string]string
	seen     []string // requests, but for GETs of the machine
	sockets  map[chan []byte]bool
	fault    func(method, path string) fault
	kind     bool // a render failure is left to the runner, as with Digital Rebar
	upgrades int
}

type fakeTask struct {
	flags   string
	actions []models.JobAction
	broken  bool // does not render
}

// fault is what happens to a request.
type fault int

const (
	none       fault = iota
	dropped          // never arrives
	unanswered       // is carried out, and the answer gets lost
	refused          // 503
	forbidden        // 403
)

func newFake(t *testing.T, tasks ...string) *fake {
	t.Helper()
	f := &fake{
		t: t, tasks: map[string]*fakeTask{}, jobs: map[string]*models.Job{}, logs: map[string]string{}, params: map[string]string{},
		sockets: map[chan []byte]bool{}, fault: func(string, string) fault { return none },
		machine: &models.Machine{Uuid: machineID, Name: "bob", Tasks: tasks, CurrentTask: -1, Runnable: true, BootEnv: "local", Stage: "none"},
	}
	f.machine.Available = true
	f.machine.Meta = map[string]string{"feature-flags": "change-stage-v2"}
	f.machine.Normalize()
	f.changed = sync.NewCond(&f.mu)
	cert := httptest.NewUnstartedServer(nil)
	cert.StartTLS()
	f.tls = cert.TLS
	cert.Close()
	f.addr = "127.0.0.2:0" // no outgoing connection takes this port while the server is away
	f.start()
	t.Cleanup(f.kill)
	return f
}

func (f *fake) url() string { return "https://" + f.addr }

// start opens the server at its address.
func (f *fake) start() {
	f.t.Helper()
	l, err := net.Listen("tcp", f.addr)
	if err != nil {
		f.t.Fatal(err)
	}
	f.addr, f.listener = l.Addr().String(), l
	ctx, cancel := context.WithCancel(context.Background())
	f.gone = cancel
	f.http = &http.Server{Handler: f, BaseContext: func(net.Listener) context.Context { return ctx }, ErrorLog: log.New(io.Discard, "", 0)}
	cfg := f.tls.Clone()
	cfg.NextProtos = []string{"http/1.1"}
	go f.http.Serve(tls.NewListener(l, cfg))
}

// kill ends the server as SIGKILL would: all connections break.
func (f *fake) kill() {
	f.listener.Close()
	f.http.Close()
	f.gone()
}

// until waits until something holds; it is checked after each request.
func (f *fake) until(what string, holds func() bool) {
	f.t.Helper()
	late := false
	timer := time.AfterFunc(60*time.Second, func() { f.mu.Lock(); late = true; f.mu.Unlock(); f.changed.Broadcast() })
	defer timer.Stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	for !holds() {
		if late {
			f.t.Fatalf("never came true: %s\n%s", what, strings.Join(f.seen, "\n"))
		}
		f.changed.Wait()
	}
}

// edit changes the machine as an operator would.
func (f *fake) edit(change func(m *models.Machine)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f.machine)
	f.tell()
}

// tell sends an event about the machine. f.mu is held.
func (f *fake) tell() {
	raw, _ := models.Marshal(models.Event{Time: time.Now(), Type: "machines", Action: "update", Key: machineID})
	for s := range f.sockets {
		s <- raw
	}
	f.changed.Broadcast()
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.Path, "/api/v3/")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if r.Header.Get("Authorization") != "Bearer secret" && r.Header.Get("Authorization") != "Bearer extra" {
		w.WriteHeader(http.StatusForbidden)
		return
	}
	if path == "ws" {
		f.socket(w, r)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	defer f.changed.Broadcast()
	what := f.fault(r.Method, path)
	if what == dropped {
		panic(http.ErrAbortHandler)
	}
	status, answer := http.StatusServiceUnavailable, any(models.Problem(models.Busy, "", "", "later"))
	switch what {
	case refused:
	case forbidden:
		status, answer = http.StatusForbidden, models.Problem(models.Forbidden, "", "", "no")
	default:
		status, answer = f.answer(r, path, body)
		f.record(r, path, body, status)
	}
	if what == unanswered {
		panic(http.ErrAbortHandler)
	}
	if e, ok := answer.(*models.Error); ok {
		e.Code = status
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if text, ok := answer.(string); ok {
		io.WriteString(w, text)
	} else if answer != nil {
		json.NewEncoder(w).Encode(answer)
	}
}

// record takes a request down in one line; J1, J2 ... are the jobs in the order they were made.
func (f *fake) record(r *http.Request, path string, body []byte, status int) {
	if path == "machines/"+machineID && r.Method == "GET" {
		return
	}
	line := fmt.Sprintf("%s %s %d", r.Method, path, status)
	var p patch.Patch
	if r.Method == "PATCH" && json.Unmarshal(body, &p) == nil {
		for _, op := range p {
			line += fmt.Sprintf(" %s %s=%s", op.Op, strings.TrimPrefix(op.Path, "/"), strings.Trim(string(op.Value), `"`))
		}
	}
	if r.Method == "PUT" && len(body) == 0 {
		line += " empty"
	}
	for i, id := range f.order {
		line = strings.ReplaceAll(line, id, fmt.Sprintf("J%d", i+1))
	}
	f.seen = append(f.seen, strings.ReplaceAll(line, machineID, "M"))
}

func (f *fake) answer(r *http.Request, path string, body []byte) (int, any) {
	parts := strings.Split(path, "/")
	switch route := r.Method + " " + parts[0]; {
	case route == "GET info":
		return 200, map[string]any{"features": []string{"auto-boot-target"}}
	case route == "GET tasks":
		t := f.tasks[parts[1]]
		if t == nil {
			return 404, models.MissingError("tasks", parts[1])
		}
		return 200, &models.Task{Name: parts[1], Common: models.Common{Meta: map[string]string{"feature-flags": t.flags}}}
	case parts[0] == "machines":
		return f.machines(r.Method, parts[1:], body)
	case route == "POST jobs":
		return f.nextJob(body)
	case parts[0] == "jobs" && f.jobs[parts[1]] != nil:
		return f.oneJob(r.Method, f.jobs[parts[1]], strings.Join(parts[2:], "/"), body)
	}
	return 404, models.Problem(models.NotFound, "", path, "No route")
}

func (f *fake) machines(method string, parts []string, body []byte) (int, any) {
	switch {
	case len(parts) > 1 && parts[1] == "params" && method == "POST":
		f.params[strings.Join(parts[2:], "/")] = string(body)
		return 200, json.RawMessage(body)
	case len(parts) > 1 && parts[1] == "params":
		if v, ok := f.params[strings.Join(parts[2:], "/")]; ok {
			return 200, json.RawMessage(v)
		}
		return 200, json.RawMessage("null")
	case len(parts) > 1:
		return 404, models.MissingError("actions", parts[1])
	case parts[0] != f.machine.Uuid:
		return 404, models.MissingError("machines", parts[0])
	case method == "GET":
		return 200, f.machine
	}
	m, status, err := apply(f.machine, body)
	if err != nil {
		return status, err
	}
	f.machine = m
	f.tell()
	return 200, m
}

func apply[T models.Object](old T, body []byte) (T, int, *models.Error) {
	doc, _ := models.Marshal(old)
	p, err := patch.Decode(body)
	if err != nil {
		return old, 400, models.Problem(models.BadRequest, "", "", err.Error())
	}
	out, err := p.Apply(doc)
	if err != nil {
		return old, 409, models.Problem(models.Conflict, old.Kind(), old.Key(), err.Error())
	}
	o, err := models.Unmarshal(old.Kind(), out)
	if err != nil {
		return old, 400, models.Problem(models.BadRequest, "", "", err.Error())
	}
	return o.(T), 200, nil
}

func conflict(text string) (int, any) {
	return 409, models.Problem(models.Conflict, "", "", text).Typed("Conflict")
}

// nextJob decides as the spec of POST /jobs says.
func (f *fake) nextJob(body []byte) (int, any) {
	var ask models.Job
	if err := json.Unmarshal(body, &ask); err != nil {
		return 400, models.Problem(models.BadRequest, "", "", err.Error())
	}
	m, now := f.machine, f.jobs[f.machine.CurrentJob]
	switch {
	case !m.Runnable || !m.Available:
		return conflict("machine is not runnable")
	case m.Done() || ask.Context != m.Context:
		return 204, nil
	case now != nil && (now.State == models.Created || now.State == models.Running):
		return conflict("Machine " + machineID + " already has running or created job")
	case now != nil && now.State == models.Incomplete && m.CurrentTask >= 0:
		return 202, now
	case m.CurrentTask < 0 || now == nil || now.State == models.Finished:
		m.CurrentTask++
	}
	moved := ""
	for ; !m.Done(); m.CurrentTask++ {
		verb, arg := models.SplitEntry(m.EntryAt(m.CurrentTask))
		if verb != "stage" && verb != "bootenv" && verb != "context" {
			break
		}
		switch verb {
		case "stage":
			m.Stage = arg
		case "context":
			m.Context = arg
		case "bootenv":
			if m.BootEnv != arg {
				m.BootEnv, m.Runnable = arg, false
			}
		}
		moved = m.EntryAt(m.CurrentTask)
	}
	if moved != "" && (m.Context != ask.Context || !m.Runnable) {
		m.CurrentTask--
		f.newJob(moved, models.Finished)
		f.tell()
		return 204, nil
	}
	if m.Done() {
		m.WorkflowComplete = true
		f.tell()
		return 204, nil
	}
	j := f.newJob(m.EntryAt(m.CurrentTask), models.Created)
	j.Token = "extra"
	f.tell()
	return 201, j
}

func (f *fake) newJob(task string, state models.State) *models.Job {
	j := &models.Job{Uuid: models.NewUUID(), Machine: machineID, Task: task, State: state, Context: f.machine.Context, CurrentIndex: f.machine.CurrentTask}
	j.Normalize()
	f.jobs[j.Uuid], f.machine.CurrentJob = j, j.Uuid
	f.order = append(f.order, j.Uuid)
	f.logs[j.Uuid] = "Log for Job: " + j.Uuid + "\n"
	return j
}

func (f *fake) oneJob(method string, j *models.Job, sub string, body []byte) (int, any) {
	switch {
	case method == "PUT" && sub == "log":
		f.logs[j.Uuid] += string(body)
		return 204, nil
	case method == "GET" && sub == "log":
		return 200, f.logs[j.Uuid]
	case method == "GET" && sub == "actions":
		return f.actions(j)
	case method == "GET":
		bare := models.Clone(j)
		bare.Token = ""
		return 200, bare
	}
	n, status, err := apply(j, body)
	if err != nil {
		return status, err
	}
	f.jobs[j.Uuid] = n
	if n.State == models.Failed { // by the machine's own token: it is the machine that has failed
		f.machine.Runnable = false
		f.tell()
	}
	return 200, n
}

func (f *fake) actions(j *models.Job) (int, any) {
	t := f.tasks[j.Task]
	if t == nil {
		return 422, models.Problem(models.Invalid, "", "", "Task "+j.Task+" does not exist")
	}
	if !t.broken {
		return 200, t.actions
	}
	if !f.kind {
		j.State, j.ExitState, f.machine.Runnable = models.Failed, "failed", false
		f.tell()
	}
	return 422, models.Problem(models.Invalid, "", "", "cannot render").Typed("ValidationError")
}

// socket answers each message with an event, and sends the machine's.
func (f *fake) socket(w http.ResponseWriter, r *http.Request) {
	c, err := websocket.Accept(w, r, nil)
	if err != nil {
		return
	}
	defer c.CloseNow()
	events := make(chan []byte, 1000)
	f.mu.Lock()
	f.sockets[events] = true
	f.upgrades++
	f.changed.Broadcast()
	f.mu.Unlock()
	defer func() { f.mu.Lock(); delete(f.sockets, events); f.changed.Broadcast(); f.mu.Unlock() }()
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	go func() {
		defer cancel()
		for {
			_, msg, err := c.Read(ctx)
			if err != nil {
				return
			}
			verb, what, _ := strings.Cut(string(msg), " ")
			raw, _ := models.Marshal(models.Event{Time: time.Now(), Type: "websocket", Action: verb, Key: what})
			events <- raw
		}
	}()
	for {
		select {
		case e := <-events:
			if c.Write(ctx, websocket.MessageText, e) != nil {
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

// script defines a task of bash scripts.
func (f *fake) script(name string, scripts ...string) *fakeTask {
	t := &fakeTask{flags: "sane-exit-codes"}
	for i, s := range scripts {
		t.actions = append(t.actions, models.JobAction{Name: fmt.Sprintf("part%d.sh", i+1), Content: "#!/usr/bin/env bash\n" + s + "\n"})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tasks[name] = t
	return t
}

// newest is the newest job of a task. f.mu is held.
func (f *fake) newest(task string) *models.Job {
	for _, id := range slices.Backward(f.order) {
		if f.jobs[id].Task == task {
			return f.jobs[id]
		}
	}
	return &models.Job{}
}

// requests are those seen, without what is not the subject of a test.
func (f *fake) requests() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(f.seen), func(s string) bool {
		return strings.Contains(s, "/log ") || strings.Contains(s, "runner-tmpdir") || wholeJob.MatchString(s)
	})
}

// wholeJob is a look at a job, of which there are as many as reasons.
var wholeJob = regexp.MustCompile(`^GET jobs/J\d+ 200$`)

// setFailed ends a job as an operator would, with the machine.
func (f *fake) setFailed(id, why string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	j := models.Clone(f.jobs[id])
	j.State, j.ExitState = models.Failed, "failed"
	if why != "" {
		j.Meta["cancelled"] = why
	}
	f.jobs[id], f.machine.Runnable = j, false
	raw, _ := models.Marshal(j)
	event, _ := models.Marshal(models.Event{Time: time.Now(), Type: "jobs", Action: "update", Key: id, Object: raw})
	for s := range f.sockets {
		s <- event
	}
	f.tell()
}

// logOf is a job's log.
func (f *fake) logOf(id string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.logs[id]
}
