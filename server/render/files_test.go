package render

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"drp/models"
	"drp/server/objects"
	"drp/server/params"

	"pgregory.net/rapid"
)

// site is a service with the files that it serves.
type site struct {
	*Files
	log *bytes.Buffer
}

// newSite is a site with the objects given. On its disk are files/real and the folder of an ISO.
func newSite(t testing.TB, list ...models.Object) *site {
	t.Helper()
	s, err := objects.New(memory{}, nil, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	params.Register(s)
	paths := NewPaths()
	s.Follow(paths.Follow)
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	paths.Load(s)
	disk := fstest.MapFS{"files/real": {Data: []byte("from the disk")}, "real-first": {Data: []byte("from the disk")}}
	log := &bytes.Buffer{}
	w := &site{log: log, Files: renderer(Limits{}).Files(FilesConfig{
		Objects: s, Paths: paths, Tree: http.FileServerFS(disk), Log: slog.New(slog.NewTextHandler(log, nil)),
		Exists:         func(name string) bool { _, ok := disk[strings.TrimPrefix(name, "/")]; return ok },
		UnknownBootEnv: func(objects.Reader) string { return "discovery" },
	})}
	for some := range slices.Chunk(list, 200) {
		w.do(t, func(tx *objects.Tx) error {
			for _, o := range some {
				if err := tx.Create(models.Clone(o)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return w
}

func (w *site) do(t testing.TB, fn func(*objects.Tx) error) {
	t.Helper()
	if _, err := w.Objects.Do(ctx, false, fn); err != nil {
		t.Fatal(err)
	}
}

// edit changes an object.
func edit[T models.Object](t testing.TB, w *site, key string, fn func(T)) {
	t.Helper()
	w.do(t, func(tx *objects.Tx) error {
		var zero T
		e, _ := tx.Get(zero.Kind(), key)
		o := e.Clone().(T)
		fn(o)
		return tx.Update(o)
	})
}

const stranger = "203.0.113.9"

// ask is what somebody at an address is answered.
func (w *site) ask(method, path, from string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://ignored.example.com/", nil)
	r.URL.Path, r.RemoteAddr = path, net.JoinHostPort(from, "4711")
	r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, &net.TCPAddr{IP: net.ParseIP("10.0.0.1"), Port: 8091}))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r)
	return rec
}

// get is the text that a stranger gets, or the status if that is not 200.
func (w *site) get(path string) string { return w.getFrom(stranger, path) }

func (w *site) getFrom(from, path string) string {
	rec := w.ask("GET", path, from)
	if rec.Code != http.StatusOK {
		return fmt.Sprint(rec.Code)
	}
	return rec.Body.String()
}

func placed(name, path, text string) models.TemplateInfo {
	return models.TemplateInfo{Name: name, Path: path, Contents: text}
}

func linked(name, path, link string) models.TemplateInfo {
	return models.TemplateInfo{Name: name, Path: path, Link: link}
}

const second = "22222222-2222-4333-8444-555555555555"

// rack is two machines in one boot environment, the second one in a stage of its own, and a boot
// environment for hosts that are not known.
func rack() []models.Object {
	first := machine(`{"dir":"private","key":"value"}`)
	first.HardwareAddrs = append(first.HardwareAddrs, "52-54-00-AA-BB-02")
	other := &models.Machine{Name: "node2", Uuid: second, Address: "192.168.124.12", HardwareAddrs: []string{"5254.00aa.bb03"}, BootEnv: "centos-7-install", Stage: "other"}
	return []models.Object{
		first, other,
		&models.Profile{Name: "cluster"},
		&models.Param{Name: "dir", Schema: json.RawMessage(`{"type":"string","default":"common"}`)},
		&models.BootEnv{
			Name: "centos-7-install", Kernel: "vmlinuz", Initrds: []string{"i1", "i2"}, BootParams: "ks={{.Machine.Url}}/ks\nquiet", OS: models.OSInfo{Name: "centos-7"},
			Templates: []models.TemplateInfo{
				placed("ks", "{{.Machine.Path}}/ks", "ks of {{.Machine.Name}} {{.GenerateToken}}"),
				placed("pxe", "pxelinux.cfg/{{.Machine.HexAddress}}", "hex {{.Machine.Name}}"),
				placed("pxe-mac", `pxelinux.cfg/{{.Machine.MacAddr "pxelinux"}}`, `mac {{.Machine.Name}} {{.Machine.MacAddr "ipxe"}}`),
				placed("ipxe", "{{.Machine.Address}}.ipxe", "address {{.Machine.Name}}"),
				placed("ipxe-mac", `{{$.Machine.MacAddr "ipxe"}}.ipxe`, "ipxe {{.Machine.Name}}"),
				placed("name", "by-name/{{.Machine.ShortName}}.cfg", "name {{.Machine.Name}}"),
				placed("own", `{{.Param "dir"}}/file`, "own {{.Machine.Name}} {{.Param \"dir\"}}"),
				placed("same", "boot.cfg", "same {{.Machine.Name}}"),
				placed("default", "default.ipxe", "known {{.Machine.Name}}"),
				placed("real", "real-first", "rendered for {{.Machine.Name}}"),
				placed("folder", `{{.Env.PathFor "tftp" "isolinux.cfg"}}`, "folder {{.Machine.Name}}"),
				placed("broken", "{{.Machine.Path}}/broken", "line\n{{.Param \"missing\"}}"),
				placed("pathless", "{{.Param \"missing\"}}/x", "never"),
				placed("outside", "../{{.Machine.Path}}/up", "never"),
				{Name: "shared", Path: "{{.Machine.Path}}/shared", ID: "shared.tmpl"},
				linked("link", "{{.Machine.Path}}/link", "files/real"),
				linked("link-on", "{{.Machine.Path}}/link-on", "{{.Machine.Path}}/ks"),
				linked("loop", "{{.Machine.Path}}/loop", "/{{.Machine.Path}}/loop"),
				linked("link-up", "{{.Machine.Path}}/link-up", "../../etc/passwd"),
				linked("link-gone", "{{.Machine.Path}}/link-gone", "files/gone"),
			},
		},
		&models.Stage{Name: "stage", Templates: []models.TemplateInfo{placed("seed", "{{.Machine.Path}}/seed", "{{.Stage.Name}} {{.Env.Name}} {{.ParamExists \"late\"}}")}},
		&models.Stage{Name: "other"},
		&models.BootEnv{Name: "discovery", OnlyUnknown: true, Templates: []models.TemplateInfo{
			placed("ipxe", "default.ipxe", "{{if .Machine}}bad{{end}}{{.Env.Name}} {{.ApiURL}} {{.GenerateToken}}"),
			placed("join", "machines/join-up.sh", "join {{.ProvisionerURL}}"),
			placed("infinite", "machines/infinite.sh", "{{.GenerateInfiniteToken}}"),
		}},
		shared("shared.tmpl", "shared {{.Machine.Name}}"),
	}
}

// TestFilesAreThoseOfTheMachine is the table of what a stranger, and a machine, are answered.
func TestFilesAreThoseOfTheMachine(t *testing.T) {
	w := newSite(t, rack()...)
	m1, m2 := "/machines/"+uuid, "/machines/"+second
	for _, c := range []struct{ from, path, want string }{
		{stranger, m1 + "/ks", "ks of node1.example.com machine:" + uuid + ":1h0m0s"},
		{stranger, m2 + "/ks", "ks of node2 machine:" + second + ":1h0m0s"},
		{stranger, "//machines/./" + uuid + "//ks", "ks of node1.example.com machine:" + uuid + ":1h0m0s"},
		{stranger, "/x/../" + uuid + "/ks", "404"},
		{stranger, m1 + "/ks/", "ks of node1.example.com machine:" + uuid + ":1h0m0s"},
		{stranger, m1, "404"},
		{stranger, m1 + "/nothing", "404"},
		{stranger, "/machines/99999999-2222-4333-8444-555555555555/ks", "404"},
		{stranger, "/pxelinux.cfg/C0A87C0B", "hex node1.example.com"},
		{stranger, "/pxelinux.cfg/C0A87C0C", "hex node2"},
		{stranger, "/pxelinux.cfg/C0A87C0D", "404"},
		{stranger, "/pxelinux.cfg/c0a87c0b", "404"},
		{stranger, "/pxelinux.cfg/01-52-54-00-aa-bb-01", "mac node1.example.com 52:54:00:aa:bb:01"},
		{stranger, "/pxelinux.cfg/01-52-54-00-aa-bb-02", "mac node1.example.com 52:54:00:aa:bb:02"},
		{stranger, "/pxelinux.cfg/01-52-54-00-aa-bb-03", "mac node2 52:54:00:aa:bb:03"},
		{stranger, "/52:54:00:aa:bb:03.ipxe", "ipxe node2"},
		{stranger, "/192.168.124.12.ipxe", "address node2"},
		{stranger, "/192.168.124.1.ipxe", "404"},
		{stranger, "/by-name/node1.cfg", "name node1.example.com"},
		{stranger, "/by-name/node2.cfg", "name node2"},
		{stranger, "/by-name/node3.cfg", "404"},
		{stranger, "/private/file", "own node1.example.com private"},
		{stranger, "/common/file", "own node2 common"},
		{"192.168.124.12", "/private/file", "own node1.example.com private"},
		{stranger, "/boot.cfg", "same node1.example.com"},
		{"192.168.124.12", "/boot.cfg", "same node2"},
		{"192.168.124.12", "/centos-7/install/isolinux.cfg", "folder node2"},
		{stranger, "/centos-7/install/isolinux.cfg", "folder node1.example.com"},
		{stranger, "/default.ipxe", "discovery https://10.0.0.1:8092 unknown:10m0s"},
		{"192.168.124.11", "/default.ipxe", "known node1.example.com"},
		{stranger, "/machines/join-up.sh", "join http://10.0.0.1:8091"},
		{stranger, "/machines/infinite.sh", "500"},
		{stranger, "/files/real", "from the disk"},
		{stranger, "/files/gone", "404"},
		{stranger, "/real-first", "from the disk"},
		{"192.168.124.11", "/real-first", "rendered for node1.example.com"},
		{stranger, m1 + "/seed", "stage centos-7-install false"},
		{stranger, m2 + "/seed", "404"},
		{stranger, m1 + "/shared", "shared node1.example.com"},
		{stranger, m1 + "/link", "from the disk"},
		{stranger, m1 + "/link-on", "ks of node1.example.com machine:" + uuid + ":1h0m0s"},
		{stranger, m1 + "/link-gone", "404"},
		{stranger, m1 + "/link-up", "500"},
		{stranger, m1 + "/loop", "500"},
		{stranger, m1 + "/broken", "500"},
		{stranger, m1 + "/up", "404"},
		{stranger, "/../machines/" + uuid + "/up", "404"},
		{stranger, m1 + "/kexec", "kernel http://10.0.0.1:8091/centos-7/install/vmlinuz\ninitrd http://10.0.0.1:8091/centos-7/install/i1\n" +
			"initrd http://10.0.0.1:8091/centos-7/install/i2\nparams ks=http://10.0.0.1:8091/machines/" + uuid + "/ks quiet\n"},
		{stranger, "/" + strings.Repeat("x/", maxPath), "404"},
	} {
		if got := w.getFrom(c.from, c.path); got != c.want {
			t.Errorf("%s from %s: got %q, want %q", c.path, c.from, got, c.want)
		}
	}
}

// TestWhyAFileFailsIsInTheLogOnly: strangers learn nothing of params and templates.
func TestWhyAFileFailsIsInTheLogOnly(t *testing.T) {
	w := newSite(t, rack()...)
	for path, want := range map[string]string{
		"/broken":  "bootenv centos-7-install, template broken, line 2: param missing: not set anywhere and has no default",
		"/link-up": "bootenv centos-7-install, template link-up: the link leads to no file",
		"/loop":    "more than 8 links lead on from each other",
	} {
		w.log.Reset()
		rec := w.ask("GET", "/machines/"+uuid+path, stranger)
		if rec.Code != 500 || rec.Body.String() != "this file cannot be rendered; the log of the server says why\n" {
			t.Errorf("%s: got %d %q", path, rec.Code, rec.Body)
		}
		if got := w.log.String(); !strings.Contains(got, want) || !strings.Contains(got, "path=/machines/"+uuid+path) || !strings.Contains(got, stranger) {
			t.Errorf("%s: the log says %q, want %q", path, got, want)
		}
	}
	w.log.Reset()
	w.get("/machines/" + uuid + "/ks")
	w.get("/nothing")
	if got := w.log.String(); got != "" {
		t.Errorf("the log says %q of what went well", got)
	}
}

// TestFilesAreReadOnlyAndNotKept: whoever caches one would hold a token that ends.
func TestFilesAreReadOnlyAndNotKept(t *testing.T) {
	w := newSite(t, rack()...)
	path := "/machines/" + uuid + "/seed"
	rec := w.ask("GET", path, stranger)
	if h := rec.Header(); h.Get("Cache-Control") != "no-store" || h.Get("X-Content-Type-Options") != "nosniff" || !strings.HasPrefix(h.Get("Content-Type"), "text/plain") {
		t.Errorf("got headers %v", h)
	}
	if head := w.ask("HEAD", path, stranger); head.Code != 200 || head.Body.Len() != 0 || head.Header().Get("Content-Length") != fmt.Sprint(rec.Body.Len()) {
		t.Errorf("HEAD: got %d %v %q", head.Code, head.Header(), head.Body)
	}
	if part := w.ask("GET", path, stranger, "Range", "bytes=0-4"); part.Code != 206 || part.Body.String() != "stage" {
		t.Errorf("a range: got %d %q", part.Code, part.Body)
	}
	for _, method := range []string{"POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"} {
		for _, p := range []string{path, "/files/real"} {
			if rec := w.ask(method, p, stranger); rec.Code != 405 || rec.Header().Get("Allow") != "GET, HEAD" {
				t.Errorf("%s %s: got %d %v", method, p, rec.Code, rec.Header())
			}
		}
	}
}

// TestFilesFollowTheObjects: each is as things are when it is asked for.
func TestFilesFollowTheObjects(t *testing.T) {
	w := newSite(t, rack()...)
	check := func(after string, want map[string]string) {
		t.Helper()
		for path, text := range want {
			if got := w.get(path); got != text {
				t.Errorf("after %s: %s: got %q, want %q", after, path, got, text)
			}
		}
	}
	seed := "/machines/" + uuid + "/seed"
	edit(t, w, "cluster", func(p *models.Profile) { p.Params = models.Params{"late": json.RawMessage(`1`)} })
	check("a profile got a param", map[string]string{seed: "stage centos-7-install true"})

	edit(t, w, uuid, func(m *models.Machine) {
		m.Name, m.Address, m.HardwareAddrs = "node9.example.com", "192.168.124.19", []string{"52:54:00:aa:bb:09"}
	})
	check("the machine has other addresses", map[string]string{
		"/pxelinux.cfg/C0A87C0B": "404", "/pxelinux.cfg/C0A87C13": "hex node9.example.com", "/192.168.124.11.ipxe": "404", "/192.168.124.19.ipxe": "address node9.example.com",
		"/pxelinux.cfg/01-52-54-00-aa-bb-01": "404", "/52:54:00:aa:bb:09.ipxe": "ipxe node9.example.com", "/by-name/node1.cfg": "404", "/by-name/node9.cfg": "name node9.example.com",
	})
	edit(t, w, uuid, func(m *models.Machine) { m.Params = models.Params{"dir": json.RawMessage(`"moved"`)} })
	check("a param of a path is another", map[string]string{"/private/file": "404", "/moved/file": "own node9.example.com moved"})

	edit(t, w, uuid, func(m *models.Machine) { m.Stage = "other" })
	check("the machine is in another stage", map[string]string{seed: "404"})
	edit(t, w, "other", func(s *models.Stage) {
		s.Templates = []models.TemplateInfo{placed("new", "{{.Machine.Path}}/seed", "new")}
	})
	check("the stage got a template", map[string]string{seed: "new", "/machines/" + second + "/seed": "new"})
	edit(t, w, "shared.tmpl", func(s *models.Template) { s.Contents = "other" })
	check("a shared template is another", map[string]string{"/machines/" + uuid + "/shared": "other"})
	edit(t, w, uuid, func(m *models.Machine) { m.BootEnv = "local" })
	check("the machine has another boot environment", map[string]string{"/machines/" + uuid + "/ks": "404", "/machines/" + uuid + "/kexec": "404", "/boot.cfg": "same node2"})
	edit(t, w, "discovery", func(b *models.BootEnv) { b.OnlyUnknown = false })
	check("nothing is for unknown hosts", map[string]string{"/machines/join-up.sh": "404", "/default.ipxe": "known node2"})
	w.do(t, func(tx *objects.Tx) error { return tx.Delete("machines", second) })
	check("the machine is gone", map[string]string{"/machines/" + second + "/ks": "404", "/pxelinux.cfg/C0A87C0C": "404", "/boot.cfg": "404"})
}

// TestEveryPathLeadsToItsMachine: whatever the templates and machines, a stranger gets at each
// path what is rendered for a machine that has it, and 404 where none has.
func TestEveryPathLeadsToItsMachine(t *testing.T) {
	pieces := []string{"a", "/", "/", ".", "-", "..", "{{.Machine.UUID}}", "{{.Machine.Path}}", "{{.Machine.HexAddress}}", `{{.Machine.MacAddr "ipxe"}}`, `{{.Machine.MacAddr "pxelinux"}}`,
		"{{.Machine.Name}}", "{{.Machine.ShortName}}", "{{.Machine.Address}}", "{{$.Machine.Name}}", `{{.Param "own"}}`, `{{if .Machine.Address}}b{{end}}`, "{{/* c */}}", "{{- \"\" -}}", "{{.Machine.Name | upper}}"}
	names := []string{"n1", "n1.x", "n2.x.y", "n1-a", "10.0.0.3", "m.10", "aa"}
	addresses := []string{"", "10.0.0.3", "10.0.0.4", "fe80::1", "FE80::2"}
	macs := [][]string{nil, {"52:54:00:aa:bb:01"}, {"52-54-00-AA-BB-02", "52:54:00:aa:bb:03"}, {"5254.00aa.bb04"}, {"00:00:00:00:fe:80:00:00:00:00:00:00:02:00:5e:10:00:00:00:01"}}
	rapid.Check(t, func(rt *rapid.T) {
		list := []models.Object{&models.BootEnv{Name: "env"}, &models.Profile{Name: "global", Params: models.Params{"own": json.RawMessage(`"a"`)}}}
		var templates []models.TemplateInfo
		for i := range rapid.IntRange(1, 4).Draw(rt, "templates") {
			path := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 1, 5).Draw(rt, "path"), "")
			templates = append(templates, placed(fmt.Sprint("t", i), path, fmt.Sprint("t", i, ` {{.Machine.UUID}}`)))
		}
		list = append(list, &models.Stage{Name: "stage", Templates: templates})
		var machines []*models.Machine
		for i, name := range rapid.SliceOfNDistinct(rapid.SampledFrom(names), 1, 4, rapid.ID).Draw(rt, "names") {
			m := &models.Machine{Name: name, Uuid: fmt.Sprintf("%08d-2222-4333-8444-555555555555", i), Stage: "stage", BootEnv: "env",
				Address: rapid.SampledFrom(addresses).Draw(rt, "address"), HardwareAddrs: rapid.SampledFrom(macs).Draw(rt, "macs")}
			machines, list = append(machines, m), append(list, m)
		}
		w := newSite(t, list...)
		view := w.Objects.View()
		base, done, err := w.r.begin(ctx, view, "10.0.0.1")
		if err != nil {
			rt.Fatal(err)
		}
		have := map[string][]string{} // path -> texts
		for _, m := range machines {
			e, _ := view.Get("machines", m.Uuid)
			s, _ := objects.Get[*models.Stage](view, "stage")
			for i := range s.Templates {
				for mac := range max(1, len(m.HardwareAddrs)) {
					x := base.about(e, s)
					x.mac = mac
					if text, err := x.path(&s.Templates[i], s.Templates[i].Path); err == nil {
						if path, ok := clean(text); ok {
							have[path] = append(have[path], s.Templates[i].Name+" "+m.Uuid)
						}
					}
				}
			}
		}
		done()
		for path, texts := range have {
			if strings.HasPrefix(path, "/files/") || path == "/real-first" {
				continue
			}
			// An identity that a machine lacks leaves a path behind that leads nowhere.
			got := w.get(path)
			if got == "404" && lacking(machines) {
				continue
			}
			if !strings.Contains(strings.Join(texts, "\n"), got) {
				rt.Fatalf("%s: got %q, want one of %q", path, got, texts)
			}
			if got := w.get(path + "x"); have[path+"x"] == nil && got != "404" {
				rt.Fatalf("%sx: got %q, want 404", path, got)
			}
		}
	})
}

func lacking(machines []*models.Machine) bool {
	for _, m := range machines {
		if !strings.Contains(m.Address, ".") || len(m.HardwareAddrs) == 0 {
			return true
		}
	}
	return false
}

// TestTheIndexIsThatOfTheMachines: kept up change by change it is as if it were loaded anew.
func TestTheIndexIsThatOfTheMachines(t *testing.T) {
	w := newSite(t)
	ids := []string{uuid, second, "33333333-2222-4333-8444-555555555555"}
	rapid.Check(t, func(rt *rapid.T) {
		key := rapid.SampledFrom(ids).Draw(rt, "machine")
		m := &models.Machine{Uuid: key, Name: key[:4] + rapid.SampledFrom([]string{"", ".a", ".b.c"}).Draw(rt, "domain"), Address: rapid.SampledFrom([]string{"", "10.0.0.1", "FE80::1"}).Draw(rt, "address"),
			HardwareAddrs: rapid.SampledFrom([][]string{nil, {"52:54:00:aa:bb:01"}, {"52:54:00:aa:bb:01", "52:54:00:aa:bb:02"}}).Draw(rt, "macs")}
		w.do(t, func(tx *objects.Tx) error {
			_, there := tx.Get("machines", key)
			switch {
			case there && rapid.Bool().Draw(rt, "delete"):
				return tx.Delete("machines", key)
			case there:
				return tx.Update(m)
			}
			return tx.Create(m)
		})
		fresh := NewPaths()
		fresh.Load(w.Objects)
		if !reflect.DeepEqual(fresh.by, w.Paths.by) {
			rt.Fatalf("got %v, want %v", w.Paths.by, fresh.by)
		}
	})
}

// TestNothingIsRenderedBeforeItIsAskedFor: three hundred machines enter a stage, and only those whose
// paths are asked for have anything rendered.
func TestNothingIsRenderedBeforeItIsAskedFor(t *testing.T) {
	made := 0
	list := []models.Object{&models.BootEnv{Name: "env"}, &models.Stage{Name: "stage", Templates: []models.TemplateInfo{
		placed("a", `{{.Machine.Path}}/{{.ApiHostURL | trunc 0}}a`, "{{.GenerateToken}}"), placed("b", `{{.Param "xx"}}{{.ApiHostURL | trunc 0}}/b`, "b")}}}
	w := newSite(t, list...)
	w.r.cfg.Info = func() models.Info { made++; return models.Info{ServerHostname: "h"} }
	w.do(t, func(tx *objects.Tx) error {
		for i := range 300 {
			if err := tx.Create(&models.Machine{Name: fmt.Sprintf("m%d", i), Uuid: id(i), Stage: "stage", BootEnv: "env", Params: models.Params{"xx": json.RawMessage(fmt.Sprintf(`"x%d"`, i))}}); err != nil {
				return err
			}
		}
		return nil
	})
	if made != 0 {
		t.Fatalf("%d paths were rendered before any was asked for", made)
	}
	for i := range 10 {
		if got := w.get("/machines/" + id(i) + "/a"); !strings.HasPrefix(got, "machine:"+id(i)) {
			t.Fatalf("got %q", got)
		}
	}
	if made != 10 {
		t.Errorf("%d paths were rendered for 10 questions", made)
	}
	for _, path := range []string{"/machines/" + id(2000) + "/a", "/machines/" + id(1) + "/x", "/files/real"} {
		w.get(path)
	}
	if made != 10 {
		t.Errorf("paths were rendered that cannot be the one asked for: %d", made-10)
	}
	if got := w.get("/x299/b"); got != "b" || made > 10+300 {
		t.Errorf("got %q with %d paths rendered; want b, once a machine at most", got, made-10)
	}
}

func id(i int) string { return fmt.Sprintf("%08d-2222-4333-8444-555555555555", i) }

// TestFilesUnderChangeAreOldOrNew: machines move between two stages while their files are read.
func TestFilesUnderChangeAreOldOrNew(t *testing.T) {
	stage := func(name string) *models.Stage {
		return &models.Stage{Name: name, Templates: []models.TemplateInfo{placed("f", "{{.Machine.Path}}/"+name, "{{.Stage.Name}} {{.Machine.Stage}} {{.Machine.UUID}}"), placed("g", `{{.Param "pp"}}`, "g")}}
	}
	list := []models.Object{&models.BootEnv{Name: "env"}, stage("one"), stage("two")}
	const n = 8
	for i := range n {
		list = append(list, &models.Machine{Name: fmt.Sprintf("m%d", i), Uuid: id(i), Stage: "one", BootEnv: "env", Address: "10.0.0.1"})
	}
	w := newSite(t, list...)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			for round := range 20 {
				edit(t, w, id(i), func(m *models.Machine) {
					m.Stage = []string{"two", "one"}[round%2]
					m.Address = fmt.Sprintf("10.0.0.%d", round%3)
				})
			}
		})
		all.Go(func() {
			for range 20 {
				for _, s := range []string{"one", "two"} {
					if got := w.get("/machines/" + id(i) + "/" + s); got != "404" && got != s+" "+s+" "+id(i) {
						t.Errorf("got %q", got)
					}
				}
				w.getFrom("10.0.0.1", "/nowhere")
			}
		})
	}
	all.Wait()
}

// TestRenderingHasItsBounds: who asks too often is told, and who asks while all is in use.
func TestRenderingHasItsBounds(t *testing.T) {
	w := newSite(t, rack()...)
	path := "/machines/" + uuid + "/seed"
	w.Admit = func(*http.Request) time.Duration { return 1500 * time.Millisecond }
	if rec := w.ask("GET", path, stranger); rec.Code != 429 || rec.Header().Get("Retry-After") != "2" {
		t.Errorf("got %d %v, want 429 and to wait 2 s", rec.Code, rec.Header())
	}
	if got := w.get("/files/real"); got != "from the disk" {
		t.Errorf("a file on the disk: got %q", got)
	}
	w.Admit = nil
	for range cap(w.r.slots) {
		w.r.slots <- struct{}{}
	}
	r := httptest.NewRequest("GET", path, nil)
	gone, cancel := context.WithCancel(r.Context())
	cancel()
	rec := httptest.NewRecorder()
	w.ServeHTTP(rec, r.WithContext(gone))
	if rec.Code != 503 || rec.Header().Get("Retry-After") == "" {
		t.Errorf("got %d %v, want 503", rec.Code, rec.Header())
	}
	if got := w.get("/files/real"); got != "from the disk" {
		t.Errorf("a file on the disk waits for templates: got %q", got)
	}
}

// BenchmarkFile asks for files where there are 10,000 machines in a boot environment and a stage.
func BenchmarkFile(b *testing.B) {
	templates := []models.TemplateInfo{placed("opaque", `{{.Param "dir"}}/file`, "x")}
	for i := range 10 {
		templates = append(templates, placed(fmt.Sprint("t", i), fmt.Sprintf("{{.Machine.Path}}/f%d", i), "{{.Machine.Name}}"), placed(fmt.Sprint("h", i), fmt.Sprintf("h%d/{{.Machine.HexAddress}}", i), "{{.Machine.Name}}"))
	}
	list := []models.Object{&models.BootEnv{Name: "env", Templates: templates}, &models.Stage{Name: "stage", Templates: templates[:5]}, &models.Profile{Name: "global", Params: models.Params{"dir": json.RawMessage(`"d"`)}}}
	for i := range 10000 {
		list = append(list, &models.Machine{Name: fmt.Sprintf("m%d.example.com", i), Uuid: id(i), BootEnv: "env", Stage: "stage", Address: fmt.Sprintf("10.1.%d.%d", i/250, i%250), HardwareAddrs: []string{fmt.Sprintf("52:54:00:00:%02x:%02x", i/256, i%256)}})
	}
	w := newSite(b, list...)
	for name, path := range map[string]string{
		"uuid": "/machines/" + id(5000) + "/f9", "hex": "/h9/0A010A0A", "disk": "/files/real", "none": "/machines/" + id(20000) + "/f9", "search": "/nowhere/file",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w.ask("GET", path, stranger)
			}
		})
	}
	b.Run("follow", func(b *testing.B) {
		e, _ := w.Objects.View().Get("machines", id(1))
		c := &objects.Commit{Changes: []objects.Committed{{Kind: "machines", Key: id(1), Old: e, New: e}}}
		b.ReportAllocs()
		for b.Loop() {
			w.Paths.Follow(c)
		}
	})
}

// TestSearchesDoNotHoldUpMachines: as many search all machines as may render at a time, and more;
// who asks by name is served meanwhile.
func TestSearchesDoNotHoldUpMachines(t *testing.T) {
	w := newSite(t, rack()...)
	w.search <- struct{}{} // somebody searches, without end
	r, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	for range 2 * cap(w.r.slots) {
		waiting.Go(func() {
			rec := httptest.NewRecorder()
			w.ServeHTTP(rec, httptest.NewRequest("GET", "/nowhere/file", nil).WithContext(r))
			if rec.Code != 503 {
				t.Errorf("who waited in vain got %d, want 503", rec.Code)
			}
		})
	}
	for range 20 {
		if got := w.get("/pxelinux.cfg/C0A87C0C"); got != "hex node2" {
			t.Errorf("got %q", got)
		}
	}
	cancel()
	waiting.Wait()
	<-w.search
	if got := w.get("/common/file"); got != "own node2 common" {
		t.Errorf("got %q", got)
	}
}
