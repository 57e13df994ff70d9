package render

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"text/template"

	"drp/models"
	"drp/server/objects"
)

// run is the rendering of one object's templates for one request. It belongs to one goroutine.
type run struct {
	*Renderer
	request context.Context // ends when nobody waits any more
	meter   meter
	view    objects.Reader
	addr    string // of the server

	owner   models.Object // whose templates these are
	inline  []models.TemplateInfo
	machine *objects.Entry // nil when rendering for an unknown machine
	task    *models.Task   // nil, as for the rest, when it is not what is rendered
	stage   *models.Stage
	bootenv *models.BootEnv // nil: that of the machine
	os, job string
	mac     int // which of the machine's hardware addresses is meant

	bodies, paths *template.Template // the templates in use so far
	current       *template.Template // the one of both that is being rendered

	dot     dot
	defines map[string]string // name -> ID of the Template that defines it
}

// dot is what templates have been handed: made once, and a copy of their own.
type dot struct {
	machine *Machine
	task    *Task
	stage   *Stage
	env     *Env
	info    *models.Info
}

// contents renders the body of a template.
func (x *run) contents(t *models.TemplateInfo) (string, error) {
	out, err := x.body(t)
	if err != nil {
		return "", x.problem(t, err)
	}
	return out, nil
}

func (x *run) body(t *models.TemplateInfo) (string, error) {
	name, text := t.Name, t.Contents
	if t.ID != "" {
		shared, ok := objects.Get[*models.Template](x.view, t.ID)
		if !ok {
			return "", because("No common template for %s", t.ID)
		}
		name, text = t.ID, shared.Contents
	}
	if x.bodies == nil {
		x.bodies = template.New("")
	}
	return x.render(x.bodies, name, text)
}

const (
	pathSuffix = " (path)"
	linkSuffix = " (link)"
)

// path renders a path. In a path a member that a map does not have is an error.
func (x *run) path(t *models.TemplateInfo, text string) (string, error) {
	out, err := x.pathAs(t.Name+pathSuffix, text)
	if err != nil {
		return "", x.problem(t, err)
	}
	return out, nil
}

func (x *run) pathAs(name, text string) (string, error) {
	if x.paths == nil {
		x.paths = template.New("").Option("missingkey=error")
	}
	return x.render(x.paths, name, text)
}

// render parses and executes a text in a set, with the data object.
func (x *run) render(set *template.Template, name, text string) (string, error) {
	if !strings.Contains(text, "{{") {
		if len(text) > x.meter.limits.Output {
			return "", stop("writes more than %d MiB", x.meter.limits.Output>>20)
		}
		return text, x.meter.tick()
	}
	x.current = set
	units, err := x.parser.get(name, text)
	if err != nil {
		return "", err
	}
	for n, u := range units { // definitions of its own come before those of others
		if n != name && set.Lookup(n) == nil {
			if err := x.add(set, n, u); err != nil {
				return "", err
			}
		}
	}
	u := units[name]
	t := set.Lookup(name)
	if t == nil || t.Tree != u.tree {
		if err := x.link(set, u); err != nil {
			return "", err
		}
		t = set.New(name)
		t.Tree = u.tree
	}
	return x.execute(t, &Data{x})
}

// execute runs a template; it returns an error whatever the template does.
func (x *run) execute(t *template.Template, data any) (text string, err error) {
	depth := x.meter.depth
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("template: %s: panic: %v", t.Name(), p)
		}
		x.meter.depth = depth
	}()
	if err := x.meter.expired(); err != nil {
		return "", err
	}
	out := output{meter: &x.meter}
	if err := t.Execute(&out, data); err != nil {
		return "", err
	}
	return string(out.text), nil
}

// add puts a parsed template into a set, and all that it includes.
func (x *run) add(set *template.Template, name string, u *unit) error {
	if _, err := set.AddParseTree(name, u.tree); err != nil {
		return err
	}
	return x.link(set, u)
}

// link gives a set the functions and templates that a template needs. A template nobody has is
// missed only when it is reached.
func (x *run) link(set *template.Template, u *unit) error {
	funcs := template.FuncMap{}
	for _, name := range u.uses {
		if f, ok := x.funcs[name]; ok {
			funcs[name] = f.metered(&x.meter)
		}
		if f := x.inner(name); f != nil {
			funcs[name] = f
		}
	}
	set.Funcs(funcs)
	for _, ref := range u.refs {
		if set.Lookup(ref) != nil {
			continue
		}
		found, err := x.lookup(ref)
		if err != nil {
			return err
		}
		if found == nil {
			continue
		}
		if err := x.add(set, ref, found); err != nil {
			return err
		}
	}
	return nil
}

// inner are the functions that the parser put into the template.
func (x *run) inner(name string) any {
	switch name {
	case fnEnter:
		return func() (bool, error) { return false, x.meter.enter() }
	case fnLeave:
		return func() bool { x.meter.depth--; return false }
	case fnTick:
		return func() (bool, error) { return false, x.meter.tick() }
	case fnPrint:
		return x.printable
	}
	return nil
}

// printable refuses to print what would fill the memory before it is written.
func (x *run) printable(v any) (any, error) {
	switch v.(type) {
	case string, nil, bool, int, int64, float64:
		return v, nil
	}
	_, err := weigh(v)
	return v, err
}

// lookup finds a template by name: one of the owner's own, a Template object, or what a Template
// object defines. It is nil when there is none.
func (x *run) lookup(name string) (*unit, error) {
	for i := range x.inline {
		if t := &x.inline[i]; t.Name == name && t.Contents != "" {
			return x.unit(name, t.Contents)
		}
	}
	if t, ok := objects.Get[*models.Template](x.view, name); ok {
		return x.unit(name, t.Contents)
	}
	return x.defined(name)
}

func (x *run) unit(name, text string) (*unit, error) {
	units, err := x.parser.get(name, text)
	if err != nil {
		return nil, err
	}
	return units[name], nil
}

// defined finds a template that lies inside another. Those that do not parse have none.
func (x *run) defined(name string) (*unit, error) {
	if x.defines == nil {
		x.defines = map[string]string{}
		for t := range objects.All[*models.Template](x.view) {
			if !strings.Contains(t.Contents, "define") && !strings.Contains(t.Contents, "block") {
				continue
			}
			units, err := x.parser.get(t.ID, t.Contents)
			if err != nil {
				continue
			}
			for n := range units {
				if n != t.ID {
					x.defines[n] = t.ID
				}
			}
		}
	}
	id, ok := x.defines[name]
	if !ok {
		return nil, nil
	}
	t, _ := objects.Get[*models.Template](x.view, id)
	units, err := x.parser.get(id, t.Contents)
	return units[name], err
}

// problem is the error a request answers with: what is rendered, where it failed and why; and
// then the whole of what Go says of it.
func (x *run) problem(t *models.TemplateInfo, err error) error {
	what := strings.TrimSuffix(x.owner.Kind(), "s") + " " + x.owner.Key() + ", template " + t.Name
	f := locate(err)
	switch {
	case f.line == "":
		what += ": "
	case f.name == t.Name || f.name == t.ID:
		what += ", line " + f.line + ": "
	default:
		what += ": in " + f.name + ", line " + f.line + ": "
	}
	messages := []string{what + f.why}
	if f.line != "" {
		messages = append(messages, clip(err.Error()))
	}
	if gone := x.request.Err(); gone != nil { // not the template's doing
		return models.Problem(models.Busy, x.owner.Kind(), x.owner.Key(), "rendering was given up: "+gone.Error())
	}
	return models.Problem(models.Invalid, x.owner.Kind(), x.owner.Key(), messages...).Typed("ValidationError")
}

// place is a line of a template. The column counts bytes from 0; it is "" when it is not known.
type place struct{ name, line, column string }

// failure is an error reduced to what a person needs. Errors that pass from one template into
// another become failures, so that they do not grow with each.
type failure struct {
	place // where; no line: at the place that the template around it finds
	why   string
}

func (f *failure) Error() string { return f.why }

// because is an error of one of the data object's methods.
func because(format string, args ...any) error {
	return &failure{why: clip(fmt.Sprintf(format, args...))}
}

// locate splits an error of text/template into place and reason. Of templates that called each
// other through functions it is the innermost that counts.
func locate(err error) *failure {
	f := split(err.Error())
	var inner *failure
	var s *stopped
	switch {
	case errors.As(err, &inner) && inner.line != "":
		return inner
	case inner != nil:
		f.why = inner.why
	case errors.As(err, &s):
		f.why = s.why
	}
	return f
}

// How the language says where it was when it ran a template, and when it parsed one.
var (
	runPlace   = regexp.MustCompile(`(?s)^(.*):(\d+):(\d+)$`)
	parsePlace = regexp.MustCompile(`(?s)^(.*?):(\d+): (.*)$`)
)

// split reads "template: NAME:LINE:COLUMN: executing "NAME" at <CODE>: REASON" and what the
// parser says: "template: NAME:LINE: REASON". The code may be as long as a template.
func split(text string) *failure {
	rest, ok := strings.CutPrefix(text, "template: ")
	if !ok {
		return &failure{why: clip(text)}
	}
	if at, running, ok := strings.Cut(rest, ": executing "); ok {
		if _, why, ok := strings.Cut(running, ">: "); ok {
			if m := runPlace.FindStringSubmatch(at); m != nil {
				return &failure{place{m[1], m[2], m[3]}, clip(why)}
			}
		}
	}
	if m := parsePlace.FindStringSubmatch(clip(rest)); m != nil {
		return &failure{place{m[1], m[2], ""}, m[3]}
	}
	return &failure{why: clip(rest)}
}

// clip keeps messages readable: Go quotes whole loops in them.
func clip(s string) string {
	const enough = 600
	if r := []rune(s); len(r) > enough {
		return string(r[:enough]) + "…"
	}
	return s
}
