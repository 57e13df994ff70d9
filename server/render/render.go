// Package render expands the templates of tasks: Go's text/template with the functions of sprig
// and a data object that knows the machine, its params and the server.
//
// Left out of sprig are env, expandenv and getHostByName, which would look into the server's
// surroundings, and ago and now, which tell the time of rendering rather than that of running.
//
// Templates are written by many hands. Whatever they do, rendering ends within Limits: loops,
// templates within templates, the values functions make and the text that is written are
// counted, and functions that could take much at once are asked to fit before they run.
package render

import (
	"context"
	"slices"
	"strings"
	"time"

	"drp/models"
	"drp/server/objects"
)

// Tokens makes the tokens that templates ask for.
type Tokens interface {
	// Machine is for an agent on the machine.
	Machine(uuid string, ttl time.Duration) (string, error)
	// Profile may change the params of one profile.
	Profile(name string, ttl time.Duration) (string, error)
	// Unknown may register a machine that drp does not know yet.
	Unknown(ttl time.Duration) (string, error)
}

// Config is what a Renderer works with.
type Config struct {
	Tokens Tokens
	Info   func() models.Info // what .Info shows

	APIPort, FilePort, SecureFilePort int
	// Address is what machines reach the server at, where it is not the address their request
	// came in on.
	Address string

	// Observe, if set, is called before what a task needs is rendered; what it returns is called
	// with the outcome.
	Observe func(ctx context.Context, task string) (rendered func(error))

	// Clear, if set, makes of a state one in which secure params stand in clear.
	Clear func(objects.Reader) objects.Reader

	// Exploded tells whether the file server has what an ISO held, in a folder below its root; nil
	// is never.
	Exploded func(folder string) bool

	Limits Limits
}

// Renderer renders templates. It is safe for concurrent use.
type Renderer struct {
	cfg    Config
	funcs  map[string]function
	parser *parser
	slots  chan struct{}
}

// New makes a Renderer.
func New(cfg Config) *Renderer {
	cfg.Limits = cfg.Limits.filled()
	r := &Renderer{cfg: cfg, funcs: functions(), slots: make(chan struct{}, cfg.Limits.AtOnce)}
	r.parser = newParser(known(r.funcs))
	return r
}

// Job renders the templates of a job's task as they are at this moment: those for the operating
// system os, or all when it is "". Addr is the address at which the server was reached; URLs lead
// there. A job of an entry that is no task, such as stage:S, has none.
//
// What a template does wrong is Invalid, with the place as the first message; when ctx ends
// before it is rendered the error is Busy, and says nothing of the template.
func (r *Renderer) Job(ctx context.Context, view objects.Reader, job *models.Job, os, addr string) (actions []models.JobAction, err error) {
	if verb, _ := models.SplitEntry(job.Task); verb != "" {
		return []models.JobAction{}, nil
	}
	if r.cfg.Observe != nil {
		rendered := r.cfg.Observe(ctx, job.Task)
		defer func() { rendered(err) }()
	}
	task, ok := objects.Get[*models.Task](view, job.Task)
	if !ok {
		return nil, missing("Task", job.Task)
	}
	machine, ok := view.Get("machines", job.Machine)
	if !ok {
		return nil, missing("Machine", job.Machine)
	}
	x, done, err := r.begin(ctx, view, addr)
	if err != nil {
		return nil, err
	}
	defer done()
	x.owner, x.machine, x.task, x.os, x.job = task, machine, task, os, job.Uuid
	x.inline = task.Templates
	return x.actions(task)
}

func missing(what, key string) error {
	return models.Problem(models.Invalid, "", "", what+" "+key+" does not exist").Typed("ValidationError")
}

// begin waits until there is room to render, and starts the clock.
func (r *Renderer) begin(ctx context.Context, view objects.Reader, addr string) (*run, func(), error) {
	select {
	case r.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, nil, models.Problem(models.Busy, "", "", "too many templates are being rendered: "+ctx.Err().Error())
	}
	limited, cancel := context.WithTimeout(ctx, r.cfg.Limits.Time)
	if r.cfg.Address != "" {
		addr = r.cfg.Address
	}
	if addr == "" {
		addr = "127.0.0.1"
	}
	if r.cfg.Clear != nil {
		view = r.cfg.Clear(view)
	}
	x := &run{Renderer: r, request: ctx, view: view, addr: addr, meter: meter{ctx: limited, limits: r.cfg.Limits}}
	return x, func() { cancel(); <-r.slots }, nil
}

// actions renders the templates of a task that match the run's operating system.
func (x *run) actions(task *models.Task) ([]models.JobAction, error) {
	list := []models.JobAction{}
	for i := range task.Templates {
		t := &task.Templates[i]
		if !matches(t.Meta["OS"], x.os) {
			continue
		}
		a := models.JobAction{Name: t.Name, Meta: map[string]string{}}
		for k, v := range t.Meta {
			a.Meta[k] = v
		}
		var err error
		if a.Path, err = x.path(t, t.Path); err != nil {
			return nil, err
		}
		if a.Content, err = x.contents(t); err != nil {
			return nil, err
		}
		list = append(list, a)
	}
	return list, nil
}

// matches tells whether a template's comma list of operating systems has the one asked for.
func matches(list, os string) bool {
	if list == "" || os == "" {
		return true
	}
	names := strings.Split(list, ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	return slices.Contains(names, os) || slices.Contains(names, "any")
}
