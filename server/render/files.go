package render

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net"
	"net/http"
	"strconv"
	"strings"
	"text/template/parse"
	"time"

	"drp/models"
	"drp/server/objects"
)

// FilesConfig is what Files works with.
type FilesConfig struct {
	Objects *objects.Service
	Paths   *Paths
	// Tree serves the files that lie on the disk, and says 404 where there is none.
	Tree http.Handler
	// Exists tells whether Tree has a file of this name, which begins with a slash.
	Exists func(name string) bool
	// UnknownBootEnv is the boot environment of hosts that are no machine yet.
	UnknownBootEnv func(objects.Reader) string
	// Admit lets somebody have one more file rendered (0), or says how long to wait; nil always does.
	Admit func(*http.Request) time.Duration
	Log   *slog.Logger
}

// Files is what the file ports serve: the templates of boot environments and stages, each at its
// Path for each machine that is in them, and below those the files on the disk. A template is
// rendered when it is asked for, as things are then, and written nowhere.
//
// Who asks needs no token, as boot loaders and installers have none. So whoever reaches the port
// reads what machines read that boot, tokens included where a template makes one.
//
// What counts, in this order: the machines that a path names, by UUID, address, hardware address
// or name; the machine at the address that asks; the boot environment of hosts that are not known;
// a file on the disk; and the first machine, by UUID, for which a template has that path. A
// machine's boot environment comes before its stage.
type Files struct {
	FilesConfig
	r      *Renderer
	search chan struct{} // holds a value while all machines are gone through
}

// Files makes the handler. It renders with room of its own: files that are asked for do not make
// jobs wait.
func (r *Renderer) Files(cfg FilesConfig) *Files {
	own := *r
	own.slots = make(chan struct{}, r.cfg.Limits.AtOnce)
	return &Files{FilesConfig: cfg, r: &own, search: make(chan struct{}, 1)}
}

const (
	maxPath  = 1024
	maxLinks = 8
)

func (f *Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "files can be read only", http.StatusMethodNotAllowed)
		return
	}
	name := r.URL.Path
	for links := 0; ; links++ {
		path, ok := clean(name)
		if !ok || len(path) > maxPath {
			break
		}
		q := &question{Files: f, r: r, view: f.Objects.View(), path: path}
		found, err := q.answer()
		if found.link != "" && links == maxLinks {
			err = models.Problem(models.Invalid, "", "", fmt.Sprintf("more than %d links lead on from each other", maxLinks))
		}
		switch {
		case err != nil:
			q.fail(w, err)
			return
		case found.text != nil:
			send(w, r, *found.text)
			return
		}
		if found.link == "" {
			break
		}
		name = found.link
	}
	f.tree(w, r, name)
}

// tree hands the request on to the files on the disk, for the name that links have led to.
func (f *Files) tree(w http.ResponseWriter, r *http.Request, name string) {
	if name != r.URL.Path {
		r = r.Clone(r.Context())
		r.URL.Path, r.URL.RawPath = name, ""
	}
	f.Tree.ServeHTTP(w, r)
}

func send(w http.ResponseWriter, r *http.Request, text string) {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store") // made anew each time, and there may be tokens in it
	http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
}

// question is one path that is asked for. It belongs to one goroutine.
type question struct {
	*Files
	r    *http.Request
	view *objects.View
	path string
	x    *run // nil until something is rendered
	done func()

	probe *run // renders paths, for one machine after the other
}

// found is what a path leads to: a text, a link to another path, or with neither nothing that is
// rendered.
type found struct {
	text *string
	link string
}

// hit is a template, and the run that renders it for whom it is.
type hit struct {
	x *run
	t *models.TemplateInfo
}

// answer finds and renders what the path leads to.
func (q *question) answer() (found, error) {
	defer q.end()
	h, err := q.find()
	if h == nil || err != nil {
		return found{}, err
	}
	if err := q.admit(); err != nil {
		return found{}, err
	}
	if h.t.Link == "" {
		text, err := h.x.contents(h.t)
		return found{text: &text}, err
	}
	link, err := h.x.path(h.t, h.t.Link)
	if err != nil {
		return found{}, err
	}
	if link, ok := clean(link); ok {
		return found{link: link}, nil
	}
	return found{}, h.x.problem(h.t, because("the link leads to no file"))
}

// run is where everything that the request renders is counted.
func (q *question) run() (*run, error) {
	if q.x != nil {
		return q.x, nil
	}
	addr := ""
	if a, ok := q.r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr); ok {
		addr = a.IP.String()
	}
	var err error
	q.x, q.done, err = q.Files.r.begin(q.r.Context(), q.view, addr)
	return q.x, err
}

// end gives back the room to render in.
func (q *question) end() {
	if q.done != nil {
		q.done()
	}
	q.x, q.probe, q.done = nil, nil, nil
}

// find is the template that the path leads to, or nil.
func (q *question) find() (*hit, error) {
	for _, uuid := range q.Paths.find(q.view, q.path, host(q.r.RemoteAddr)) {
		if e, ok := q.view.Get("machines", uuid); ok {
			if h, err := q.of(e); h != nil || err != nil {
				return h, err
			}
		}
	}
	if b, ok := objects.Get[*models.BootEnv](q.view, q.UnknownBootEnv(q.view)); ok && b.OnlyUnknown {
		if h, err := q.in(nil, b); h != nil || err != nil {
			return h, err
		}
	}
	if q.Exists != nil && q.Exists(q.path) {
		return nil, nil
	}
	return q.among()
}

// of is the template of a machine that the path leads to, or nil.
func (q *question) of(e *objects.Entry) (*hit, error) {
	m := e.Object.(*models.Machine)
	if b, ok := objects.Get[*models.BootEnv](q.view, m.BootEnv); ok {
		if h, err := q.in(e, b); h != nil || err != nil {
			return h, err
		}
	}
	if s, ok := objects.Get[*models.Stage](q.view, m.Stage); ok {
		return q.in(e, s)
	}
	return nil, nil
}

// kexec is what each boot environment with a kernel has beside its own templates: how an agent
// boots it without the firmware.
var kexec = models.TemplateInfo{
	Name: "kexec", Path: "{{.Machine.Path}}/kexec",
	Contents: `kernel {{.Env.PathFor "http" .Env.Kernel}}
{{range .Env.Initrds}}initrd {{$.Env.PathFor "http" .}}
{{end}}params {{.BootParams | replace "\n" " "}}
`,
}

// in is the template of a boot environment or stage that the path leads to for a machine, or for
// one that is not known (nil); nil when there is none.
func (q *question) in(machine *objects.Entry, owner models.Object) (*hit, error) {
	list := models.TemplatesOf(owner)
	for i := range list {
		if h, err := q.at(machine, owner, &list[i]); h != nil || err != nil {
			return h, err
		}
	}
	if b, ok := owner.(*models.BootEnv); ok && machine != nil {
		h, err := q.at(machine, owner, &kexec)
		if h != nil && (&Env{envFields: envFields(*b), OS: OS{osFields(b.OS)}}).KernelFor(machine.Object.(*models.Machine).Arch) == "" {
			h = nil
		}
		return h, err
	}
	return nil, nil
}

// at compares the path with that of a template. A template whose path cannot be rendered has none.
func (q *question) at(machine *objects.Entry, owner models.Object, t *models.TemplateInfo) (*hit, error) {
	if !q.Files.r.shape(t).may(q.path) {
		return nil, nil
	}
	base, err := q.run()
	if err != nil {
		return nil, err
	}
	macs := 1
	if machine != nil && strings.Contains(t.Path, "MacAddr") {
		macs = max(1, len(machine.Object.(*models.Machine).HardwareAddrs))
	}
	if q.probe == nil || q.probe.owner != owner {
		q.probe = base.about(machine, owner)
	}
	for mac := range macs {
		q.probe.turn(base, machine, mac)
		text, err := q.probe.path(t, t.Path)
		if gone := q.r.Context().Err(); gone != nil {
			return nil, err
		}
		if path, ok := clean(text); err == nil && ok && path == q.path {
			x := base.about(machine, owner)
			x.mac = mac
			return &hit{x, t}, nil
		}
	}
	return nil, nil
}

// about is a run for templates of a boot environment or stage. It has the time that is left of x.
func (x *run) about(machine *objects.Entry, owner models.Object) *run {
	y := *x
	y.machine, y.owner, y.inline = machine, owner, models.TemplatesOf(owner)
	switch o := owner.(type) {
	case *models.BootEnv:
		y.bootenv = o
	case *models.Stage:
		y.stage = o
	}
	return &y
}

// turn makes a run that has rendered for one machine one for another; what was parsed stays.
func (x *run) turn(base *run, machine *objects.Entry, mac int) {
	x.meter = base.meter
	x.machine, x.mac, x.dot = machine, mac, dot{}
}

func (r *Renderer) shape(t *models.TemplateInfo) shape {
	if !strings.Contains(t.Path, "{{") {
		return shapeOf([]parse.Node{&parse.TextNode{NodeType: parse.NodeText, Text: []byte(t.Path)}})
	}
	units, err := r.parser.get(t.Name+pathSuffix, t.Path)
	if err != nil {
		return shape{suffix: "//"} // no path at all
	}
	return units[t.Name+pathSuffix].shape
}

// among goes through all machines, if there are templates whose paths do not tell the machine.
func (q *question) among() (*hit, error) {
	owners := map[models.Object]bool{}
	collect := func(o models.Object) {
		list := models.TemplatesOf(o)
		for i := range list {
			if s := q.Files.r.shape(&list[i]); !s.identified && s.may(q.path) {
				owners[o] = true
			}
		}
	}
	for b := range objects.All[*models.BootEnv](q.view) {
		collect(b)
	}
	for s := range objects.All[*models.Stage](q.view) {
		collect(s)
	}
	if len(owners) == 0 {
		return nil, nil
	}
	if err := q.admit(); err != nil {
		return nil, err
	}
	q.end() // who waits for a turn keeps nobody from rendering
	wait, cancel := context.WithTimeout(q.r.Context(), q.Files.r.cfg.Limits.Time)
	defer cancel()
	select {
	case q.search <- struct{}{}:
		defer func() { <-q.search }()
	case <-wait.Done():
		return nil, models.Problem(models.Busy, "", "", "too many files are searched for")
	}
	x, err := q.run()
	if err != nil {
		return nil, err
	}
	for e := range q.view.All("machines") {
		m := e.Object.(*models.Machine)
		if b, ok := objects.Get[*models.BootEnv](q.view, m.BootEnv); ok && owners[b] {
			if h, err := q.in(e, b); h != nil || err != nil {
				return h, err
			}
		}
		if s, ok := objects.Get[*models.Stage](q.view, m.Stage); ok && owners[s] {
			if h, err := q.in(e, s); h != nil || err != nil {
				return h, err
			}
		}
		if err := x.meter.expired(); err != nil {
			return nil, models.Problem(models.Busy, "", "", err.Error())
		}
	}
	return nil, nil
}

// admit asks whether the request may have something rendered.
func (q *question) admit() error {
	if q.Admit == nil {
		return nil
	}
	wait := q.Admit(q.r)
	if wait == 0 {
		return nil
	}
	e := models.Problem(models.TooOften, "", "", "too many files are asked for")
	e.RetryAfter = wait
	return e
}

// fail answers without the reason, which is for the operator.
func (q *question) fail(w http.ResponseWriter, err error) {
	e := &models.Error{}
	if !errors.As(err, &e) {
		e = models.Problem(models.Internal, "", "", err.Error())
	}
	w.Header().Set("Cache-Control", "no-store")
	status := map[models.Class]int{models.Busy: http.StatusServiceUnavailable, models.TooOften: http.StatusTooManyRequests}[e.Class]
	if status != 0 {
		w.Header().Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(e.RetryAfter.Seconds())))))
		http.Error(w, "the server has much to render now; ask again", status)
		return
	}
	q.Log.Error("a file cannot be rendered", "path", q.path, "for", host(q.r.RemoteAddr), "error", e.Messages[0])
	http.Error(w, "this file cannot be rendered; the log of the server says why", http.StatusInternalServerError)
}

// host is an address without its port.
func host(addr string) string {
	h, _, _ := net.SplitHostPort(addr)
	return h
}
