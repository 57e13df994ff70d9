package render

import (
	"context"
	"iter"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"drp/models"
	"drp/server/objects"
	"drp/server/params"
)

// Ask says what is previewed, and for whose eyes.
type Ask struct {
	Machine   *objects.Entry
	Owner     models.Object         // a task, stage or boot environment; nil: there are only the Templates
	Templates []models.TemplateInfo // nil: those of the owner
	OS        string                // as for Job
	Addr      string                // at which the server was reached
	Clear     bool                  // secure params stand in clear
	// Sees tells whether whoever asks may see a template; nil: all.
	Sees func(models.Object) bool
}

// Preview renders templates as Job does, each for itself, and changes nothing: instead of tokens there
// is a word about them, and secure params are hidden unless they are to stand in clear. The error is
// Busy; what is wrong with a template is told with it.
func (r *Renderer) Preview(ctx context.Context, view objects.Reader, ask Ask) ([]models.Previewed, error) {
	powerless := *r
	powerless.cfg.Tokens = words{}
	x, done, err := powerless.begin(ctx, view, ask.Addr)
	if err != nil {
		return nil, err
	}
	defer done()
	if ask.Sees != nil {
		view = blinkers{view, ask.Sees}
	}
	switch {
	case !ask.Clear:
		view = params.Masked(view)
	case r.cfg.Clear != nil:
		view = r.cfg.Clear(view)
	}
	x.view, x.os = view, ask.OS
	x = x.about(ask.Machine, ask.Owner)
	if task, ok := ask.Owner.(*models.Task); ok {
		x.task = task
	}
	if ask.Templates != nil {
		x.inline = ask.Templates
	}
	list := []models.Previewed{}
	for i := range x.inline {
		if t := &x.inline[i]; matches(t.Meta["OS"], x.os) {
			list = append(list, x.preview(t))
		}
	}
	if gone := ctx.Err(); gone != nil { // not the templates' doing
		return nil, models.Problem(models.Busy, "", "", "rendering was given up: "+gone.Error())
	}
	return list, nil
}

func (x *run) preview(t *models.TemplateInfo) models.Previewed {
	p := models.Previewed{Name: t.Name, Meta: t.Meta}
	if p.Meta == nil {
		p.Meta = map[string]string{}
	}
	for _, part := range []struct {
		name   string
		into   *string
		render func(name string) (string, error)
	}{
		{t.Name + pathSuffix, &p.Path, func(name string) (string, error) { return x.pathAs(name, t.Path) }},
		{t.Name + linkSuffix, &p.Link, func(name string) (string, error) { return x.pathAs(name, t.Link) }},
		{t.Name, &p.Content, func(string) (string, error) { return x.body(t) }},
	} {
		var err error
		if *part.into, err = part.render(part.name); err != nil {
			p.Error = x.fault(part.name, err)
			return p
		}
	}
	return p
}

// fault tells what is wrong, and in which line of which text.
func (x *run) fault(part string, err error) *models.PreviewError {
	f := locate(err)
	e := &models.PreviewError{Why: f.why, Full: clip(err.Error())}
	if f.line == "" {
		f.name = part
	}
	x.name(e, f.name)
	e.Line, _ = strconv.Atoi(f.line)
	if at, err := strconv.Atoi(f.column); err == nil && e.Line > 0 {
		e.Column = column(e.Source, e.Line, at)
	}
	return e
}

// name finds out what the text of a name belongs to.
func (x *run) name(e *models.PreviewError, name string) {
	for i := range x.inline {
		t := &x.inline[i]
		for _, text := range []source{{t.Name, t.Contents}, {t.Name + pathSuffix, t.Path}, {t.Name + linkSuffix, t.Link}} {
			if text.name == name && (text.text != "" || t.ID != name) {
				e.Part, e.Source = name, text.text
				if x.owner != nil {
					e.Kind, e.Key = x.owner.Kind(), x.owner.Key()
				}
				return
			}
		}
	}
	e.Key = name
	if t, ok := objects.Get[*models.Template](x.view, name); ok {
		e.Kind, e.Source = t.Kind(), t.Contents
	}
}

// column turns bytes of a line into the place of a character.
func column(text string, line, bytes int) int {
	lines := strings.SplitN(text, "\n", line+1)
	if line > len(lines) || bytes > len(lines[line-1]) {
		return bytes + 1
	}
	return utf8.RuneCountInString(lines[line-1][:bytes]) + 1
}

// words stand where tokens would.
type words struct{}

func (words) Machine(uuid string, _ time.Duration) (string, error) {
	return "(token of machine " + uuid + ")", nil
}
func (words) Profile(name string, _ time.Duration) (string, error) {
	return "(token of profile " + name + ")", nil
}
func (words) Unknown(time.Duration) (string, error) { return "(token of unknown machines)", nil }

// blinkers hide what is not for whoever asks among what templates can show of their own accord.
// Params come from where they come from: who sees a machine sees what it inherits.
type blinkers struct {
	objects.Reader
	sees func(models.Object) bool
}

func (b blinkers) Get(kind, key string) (*objects.Entry, bool) {
	return b.look(b.Reader.Get(kind, key))
}
func (b blinkers) Find(kind, id string) (*objects.Entry, bool) {
	return b.look(b.Reader.Find(kind, id))
}

func (b blinkers) look(e *objects.Entry, ok bool) (*objects.Entry, bool) {
	if ok && b.hides(e) {
		return nil, false
	}
	return e, ok
}

func (b blinkers) All(kind string) iter.Seq[*objects.Entry] {
	return func(yield func(*objects.Entry) bool) {
		for e := range b.Reader.All(kind) {
			if !b.hides(e) && !yield(e) {
				return
			}
		}
	}
}

func (b blinkers) hides(e *objects.Entry) bool {
	switch e.Object.Kind() {
	case "templates", "tasks", "stages", "bootenvs":
		return !b.sees(e.Object)
	}
	return false
}
