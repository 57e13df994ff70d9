package render

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/models"
	"drp/server/objects"
	"drp/server/params"
	"drp/server/store"
)

var update = flag.Bool("update", false, "write the golden files anew")

var ctx = objects.WithActor(context.Background(), objects.System)

const uuid = "11111111-2222-4333-8444-555555555555"

// memory is an engine that keeps nothing: the view of the service is all these tests need.
type memory struct{ store.Engine }

func (memory) Load(context.Context, func(store.Record) error) (uint64, error) { return 0, nil }
func (memory) Commit(context.Context, []store.Change) error                   { return nil }
func (memory) History(context.Context, uint64) iter.Seq2[store.Change, error] {
	return func(func(store.Change, error) bool) {}
}

// view is a state with the objects given.
func view(t testing.TB, list ...models.Object) *objects.View {
	t.Helper()
	s, err := objects.New(memory{}, nil, time.Now, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	params.Register(s)
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Do(ctx, false, func(tx *objects.Tx) error {
		for _, o := range list {
			if err := tx.Create(models.Clone(o)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.View()
}

// tokens are readable ones.
type tokens struct{}

func (tokens) Machine(uuid string, ttl time.Duration) (string, error) {
	return fmt.Sprintf("machine:%s:%v", uuid, ttl), nil
}
func (tokens) Profile(name string, ttl time.Duration) (string, error) {
	if name == "none" {
		return "", errors.New("there is no profile none")
	}
	return fmt.Sprintf("profile:%s:%v", name, ttl), nil
}
func (tokens) Unknown(ttl time.Duration) (string, error) { return fmt.Sprintf("unknown:%v", ttl), nil }

func renderer(limits Limits) *Renderer {
	return New(Config{
		Tokens: tokens{}, APIPort: 8092, FilePort: 8091, SecureFilePort: 8090, Limits: limits,
		Info: func() models.Info {
			return models.Info{Version: "v4.8.0", ServerHostname: "drp.example.com", Features: []string{"b", "a"}}
		},
	})
}

func machine(params string) *models.Machine {
	m := &models.Machine{
		Name: "node1.example.com", Uuid: uuid, Address: "192.168.124.11", HardwareAddrs: []string{"52:54:00:AA:bb:01"},
		Profiles: []string{"cluster"}, Tasks: []string{"task2", "task1"}, OS: "centos-7", BootEnv: "centos-7-install", Stage: "stage", Secret: "s",
	}
	m.Meta = map[string]string{"color": "blue"}
	if err := json.Unmarshal([]byte(params), &m.Params); err != nil {
		panic(err)
	}
	return m
}

func task(templates ...models.TemplateInfo) *models.Task {
	return &models.Task{Name: "task", Templates: templates}
}

func inline(name, text string) models.TemplateInfo {
	return models.TemplateInfo{Name: name, Contents: text}
}

func shared(id, text string) *models.Template { return &models.Template{ID: id, Contents: text} }

func job() *models.Job { return &models.Job{Uuid: models.NewUUID(), Machine: uuid, Task: "task"} }

// one renders a text as the only template of a task.
func one(t testing.TB, r *Renderer, text string, list ...models.Object) (string, error) {
	t.Helper()
	list = append(list, task(inline("main.sh", text)))
	actions, err := r.Job(ctx, view(t, list...), job(), "", "10.0.0.1")
	if err != nil {
		return "", err
	}
	return actions[0].Content, nil
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestClusterPatternRendersAsWritten takes the published stanzas of the pattern as they stand.
func TestClusterPatternRendersAsWritten(t *testing.T) {
	script := read(t, "cluster.sh.tmpl")
	setup := shared("setup.tmpl", "export RS_UUID={{.Machine.UUID}}\nget_param() { drpcli machines get $RS_UUID param \"$1\" --aggregate | jq -r .; }\n")
	cluster := &models.Profile{Name: "cluster", Params: models.Params{"cluster-profile": json.RawMessage(`"cluster"`)}}
	with, err := one(t, renderer(Limits{}), script, machine(`{}`), setup, cluster)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "cluster.sh", with)
	without, err := one(t, renderer(Limits{}), script, machine(`{}`), setup)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "nocluster.sh", without)
}

// world is a machine with everything around it.
func world() []models.Object {
	return []models.Object{
		machine(`{"own":"m","int":1000000,"big":1.5,"whole":2e6,"list":["a"],"map":{"a":1},"null":null,"text":"{{.Machine.Name}}","nested":["{{.Param \"own\"}}",{"{{k}}":"{{.ProvisionerAddress}}"}],"package-repositories":[{"tag":"base","os":["centos-7"],"url":"http://r/base","installSource":true},{"tag":"sec","os":["centos-7"],"url":"http://r/sec","securitySource":true},{"tag":"deb","os":["ubuntu-20.04"],"url":"http://u/ubuntu","distribution":"focal","components":["main","universe"],"installSource":true}]}`),
		&models.Profile{Name: "cluster", Params: models.Params{"own": json.RawMessage(`"p"`), "list": json.RawMessage(`["b"]`), "map": json.RawMessage(`{"a":2,"b":2}`), "shared": json.RawMessage(`"p"`)}},
		&models.Stage{Name: "stage", Description: "the stage", Params: models.Params{"list": json.RawMessage(`["c"]`)}},
		&models.Param{Name: "list", Schema: json.RawMessage(`{"type":"array","default":["d"]}`)},
		&models.Param{Name: "map", Schema: json.RawMessage(`{"type":"object"}`)},
		&models.Param{Name: "bare/default", Schema: json.RawMessage(`{"type":"boolean","default":false}`)},
		&models.BootEnv{
			Name: "centos-7-install", Kernel: "top", Initrds: []string{"i1", "i2"}, BootParams: "ks={{.Machine.Url}}/ks",
			OS: models.OSInfo{Name: "centos-7.3", SupportedArchitectures: map[string]models.ArchInfo{"amd64": {Kernel: "vmlinuz"}, "arm64": {Kernel: "arm", BootParams: "arm"}}},
		},
		shared("callee", `[{{.}}]`),
		shared("defs", `{{define "inner"}}<{{.}}>{{end}}`),
	}
}

// TestDataObject is the table of what templates can ask.
func TestDataObject(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`{{.Param "own"}}`, `m`},
		{`{{.Param "int"}} {{.Param "big"}} {{.Param "whole"}} {{printf "%T" (.Param "int")}}`, `1000000 1.5 2000000 int64`},
		{`{{range .Param "list"}}{{.}}{{end}}`, `a`},
		{`{{get (.Param "map") "a"}}`, `1`},
		{`{{.Param "null"}}`, `<no value>`},
		{`{{.ParamExists "null"}} {{.ParamExists "nothing"}} {{.ParamExists "bare/default"}} {{eq (.ParamExists "own") false}}`, `true false true false`},
		{`{{if .Param "bare/default"}}yes{{else}}no{{end}}`, `no`},
		{`{{.ComposeParam "list"}} {{.ParamCompose "map" | toJson}}`, `[a b c] {"a":1,"b":2}`},
		{`{{.ParamAsJSON "map"}} {{.ParamAsYAML "map"}}`, "{\"a\":1} a: 1\n"},
		{`{{.ParamExpand "text"}} {{.Param "text"}}`, `node1.example.com {{.Machine.Name}}`},
		{`{{.ParamExpand "nested" | toJson}}`, `["m",{"{{k}}":"10.0.0.1"}]`},
		{`{{.StringExpand "{{.Param \"own\"}}!"}} {{.ObjectExpand (list "{{1}}" 2)}}`, `m! [1 2]`},
		{`{{.ParamComposeExpand "list"}}`, `[a b c]`},
		{`{{.CallTemplate "callee" 7}} {{.CallTemplate (printf "call%s" "ee") "x"}}`, `[7] [x]`},
		{`{{template "callee" .Machine.Name}}{{template "inner" 1}}`, `[node1.example.com]<1>`},
		{`{{.GenerateToken}}`, `machine:` + uuid + `:1h0m0s`},
		{`{{.GenerateInfiniteToken}}`, `machine:` + uuid + `:26280h0m0s`},
		{`{{.GenerateProfileToken "cluster" 7200}} {{.GenerateProfileToken "cluster" "60"}}`, `profile:cluster:2h0m0s profile:cluster:1m0s`},
		{`{{.ApiURL}} {{.ProvisionerURL}} {{.SecureProvisionerURL}} {{.ProvisionerAddress}}`, `https://10.0.0.1:8092 http://10.0.0.1:8091 https://10.0.0.1:8090 10.0.0.1`},
		{`{{.ApiHostURL}} {{.ProvisionerHostURL}} {{.SecureProvisionerHostURL}}`, `https://drp.example.com:8092 http://drp.example.com:8091 https://drp.example.com:8090`},
		{`{{.ParseURL "scheme" .ApiURL}} {{.ParseUrl "host" .ApiURL}} {{.ParseURL "path" "http://a/b?c"}}`, `https 10.0.0.1:8092 /b`},
		{`{{.Info.Version}}`, `v4.8.0`},
		{`{{.NetmaskToCIDR "255.255.255.0"}} {{.NetmaskToCIDR (get (dict "m" "255.255.0.0") "m")}}`, `24 16`},
		{`{{.Machine.Name}} {{.Machine.ShortName}} {{.Machine.UUID}} {{.Machine.Uuid}}`, `node1.example.com node1 ` + uuid + ` ` + uuid},
		{`{{.Machine.Path}} {{.Machine.Url}}`, `machines/` + uuid + ` http://10.0.0.1:8091/machines/` + uuid},
		{`{{.Machine.HexAddress}}`, `C0A87C0B`},
		{`{{.Machine.MacAddr "pxelinux"}} {{.Machine.MacAddr "ipxe"}} {{.Machine.MacAddr "grub"}} {{.Machine.MacAddr "rpi4"}} {{.Machine.MacAddr "rpi"}}`, `01-52-54-00-aa-bb-01 52:54:00:aa:bb:01 52:54:00:aa:bb:01 52-54-00-aa-bb-01 52-54-00-aa-bb-01`},
		{`{{len .Machine.Tasks}} {{.Machine.CurrentTask}} {{.Machine.Meta.color}} {{index .Machine.Profiles 0}}`, `2 0 blue cluster`},
		{`{{get .Machine.Params "own"}}`, `m`},
		{`{{get (.Machine | toJson | fromJson) "Name"}}`, `node1.example.com`},
		{`{{sortAlpha .Machine.Tasks}} {{.Machine}}`, `[task1 task2] ` + uuid},
		{`{{.Env.Name}} {{.Env.Kernel}} {{.Env.KernelFor "arm64"}} {{.Env.Initrds}} {{.Env.BootParams}}`, `centos-7-install vmlinuz arm [i1 i2] ks=http://10.0.0.1:8091/machines/` + uuid + `/ks`},
		{`{{.BootParams}} {{.BootParamsFor "arm64"}}`, `ks=http://10.0.0.1:8091/machines/` + uuid + `/ks arm`},
		{`{{.Env.OS.Name}} {{.Env.OS.FamilyName}} {{.Env.OS.FamilyType}} {{.Env.OS.FamilyVersion}} {{.Env.OS.VersionEq "7"}} {{.Env.OS.VersionEq "7.03"}} {{.Env.OS.VersionEq "7.3.1"}}`, `centos-7.3 centos rhel 7.3 true true false`},
		{`{{.Env.PathFor "tftp" "vmlinuz"}} {{.Env.PathFor "http" ""}} {{.Env.PathForArch "tftp" "x" "arm64"}}`, `centos-7.3/install/vmlinuz http://10.0.0.1:8091/centos-7.3/install centos-7.3/arm64/install/x`},
		{`{{.Env.JoinInitrds "tftp"}}`, `centos-7.3/install/i1 centos-7.3/install/i2`},
		{`{{.Env.InstallUrl}}`, `http://10.0.0.1:8091/centos-7.3/install`},
		{`{{range .MachineRepos}}{{.Tag}} {{.Install}}|{{.Lines}}{{end}}`, "base install\nurl --url http://r/base\nrepo --name=\"base\" --baseurl=http://r/base --cost=100|[base]\nname=centos-7 - base\nbaseurl=http://r/base\ngpgcheck=0\nsec repo --name=\"sec\" --baseurl=http://r/sec --cost=200|[sec]\nname=centos-7 - sec\nbaseurl=http://r/sec\ngpgcheck=0\n"},
		{`{{range .Repos "deb"}}{{.Install}}|{{.Lines}}|{{.JoinedComponents}}|{{.UrlFor "main"}}{{end}}`, "d-i mirror/protocol string http\nd-i mirror/http/hostname string u\nd-i mirror/http/directory string /ubuntu|deb http://u/ubuntu focal main universe|main universe|http://u/ubuntu/focal/main/$basearch"},
		{`{{len .InstallRepos}}`, `0`},
		{`{{.Task.Name}} {{.Task.TargetOS}} {{.Stage.Description}}`, `task  the stage`},
		{`{{len .CurrentJob}}`, `36`},
		{`{{slice (list 1 2 3) 1}} {{("a,b" | split ",")._1}}`, `[2 3] b`},
		{`{{and true (or false "x")}} {{not true}} {{"{{"}} literal {{"}}"}}`, `x false {{ literal }}`},
		{`{{range $i := until 3}}{{if eq $i 1}}{{continue}}{{end}}{{$i}}{{end}}{{range 2}}.{{end}}`, `02..`},
		{`{{printf "%05.2f|%-4s|%*d" 3.14159 "a" 5 7}}`, `03.14|a   |    7`},
		{`{{html "<a>"}} {{js "x"}} {{urlquery "a b"}} {{print 1 2}} {{println "x"}}`, "&lt;a&gt; x a+b 1 2 x\n"},
		{`{{regexReplaceAll "a(x*)b" "-ab-axxb-" "${1}W"}} {{regexFindAll "[2,4]" "1234" -1}}`, `-W-xxW- [2 4]`},
		{"no template at all }} \n", "no template at all }} \n"},
		{``, ``},
	} {
		t.Run(c.text, func(t *testing.T) {
			r := renderer(Limits{})
			text := c.text
			if text == "" {
				text = "{{/* nothing */}}"
			}
			got, err := one(t, r, text, world()...)
			if err != nil || got != c.want {
				t.Errorf("got  %q, %v\nwant %q", got, err, c.want)
			}
		})
	}
}

// TestErrorsNameTheirPlace is the table of messages a person gets.
func TestErrorsNameTheirPlace(t *testing.T) {
	lib := shared("lib.tmpl", "line 1\n{{.Param \"nothing\"}}")
	for _, c := range []struct{ text, want string }{
		{"a\nb\n{{.Param \"my/leader\"}}", "task task, template main.sh, line 3: param my/leader: not set anywhere and has no default"},
		{"\n{{nofunction}}", `task task, template main.sh, line 2: function "nofunction" not defined`},
		{"{{env \"HOME\"}}", `task task, template main.sh, line 1: function "env" not defined`},
		{"{{__tick}}", `task task, template main.sh, line 1: function "__tick" not defined`},
		{"{{if}}", "task task, template main.sh, line 1: missing value for if"},
		{"\n\n{{template \"nowhere\"}}", `task task, template main.sh, line 3: template "nowhere" not defined`},
		{"{{template \"lib.tmpl\" .}}", "task task, template main.sh: in lib.tmpl, line 2: param nothing: not set anywhere and has no default"},
		{"{{.CallTemplate \"lib.tmpl\" .}}", "task task, template main.sh: in lib.tmpl, line 2: param nothing: not set anywhere and has no default"},
		{"{{.CallTemplate \"nowhere\" .}}", `task task, template main.sh, line 1: template "nowhere" is not defined`},
		{"{{.ParamExpand \"text\"}}", "task task, template main.sh: in param text, line 1: param nothing: not set anywhere and has no default"},
		{"{{.ComposeParam \"text\"}}", "task task, template main.sh, line 1: Cannot compose freeform param text"},
		{"{{fail \"out of luck\"}}", "task task, template main.sh, line 1: error calling fail: out of luck"},
		{"{{.GenerateProfileToken \"none\" 1}}", "task task, template main.sh, line 1: make a token: there is no profile none"},
		{"{{.GenerateProfileToken \"x\" \"soon\"}}", "task task, template main.sh, line 1: GenerateProfileToken: soon is no number of seconds up to three years"},
		{"{{first 1}}", "task task, template main.sh, line 1: error calling first: Cannot find first on type int"},
		{"{{.Nothing}}", "task task, template main.sh, line 1: can't evaluate field Nothing in type *render.Data"},
	} {
		t.Run(c.text, func(t *testing.T) {
			_, err := one(t, renderer(Limits{}), c.text, machine(`{"text":"{{.Param \"nothing\"}}"}`), lib)
			e, ok := err.(*models.Error)
			if !ok || e.Class != models.Invalid || e.Type != "ValidationError" || e.Model != "tasks" || e.Key != "task" || e.Messages[0] != c.want {
				t.Errorf("got  %#v\nwant %q", err, c.want)
			}
		})
	}
}

// TestMissingThingsAreNamed: what a job refers to may be gone.
func TestMissingThingsAreNamed(t *testing.T) {
	r := renderer(Limits{})
	v := view(t, machine(`{}`), task(models.TemplateInfo{Name: "gone", ID: "gone.tmpl"}))
	for _, c := range []struct {
		job  models.Job
		want string
	}{
		{models.Job{Machine: "nobody", Task: "task"}, "ValidationError: Machine nobody does not exist"},
		{models.Job{Machine: uuid, Task: "nothing"}, "ValidationError: Task nothing does not exist"},
		{models.Job{Machine: uuid, Task: "task"}, "ValidationError: tasks/task: task task, template gone: No common template for gone.tmpl"},
		{models.Job{Machine: uuid, Task: "stage:x"}, ""},
	} {
		actions, err := r.Job(ctx, v, &c.job, "", "")
		if got := fmt.Sprint(err); c.want != "" && got != c.want || c.want == "" && (err != nil || actions == nil || len(actions) != 0) {
			t.Errorf("%s: got %v, %v; want %s", c.job.Task, actions, err, c.want)
		}
	}
}

// TestOnlyTheTemplatesOfTheSystemAreRendered: those for others may well fail.
func TestOnlyTheTemplatesOfTheSystemAreRendered(t *testing.T) {
	fails := models.TemplateInfo{Name: "b", Contents: `{{.Param "nothing"}}`, Meta: map[string]string{"OS": "windows, esxi"}}
	v := view(t, machine(`{}`), task(
		models.TemplateInfo{Name: "aa", Path: "/tmp/{{.Machine.ShortName}}", Contents: "{{.Task.TargetOS}}", Meta: map[string]string{"OS": "linux,darwin", "Interpreter": "sh"}}, fails,
		models.TemplateInfo{Name: "cc", Contents: "c", Meta: map[string]string{"OS": "any"}}))
	got, err := renderer(Limits{}).Job(ctx, v, job(), "linux", "10.0.0.1")
	want := `[{"Name":"aa","Path":"/tmp/node1","Content":"linux","Meta":{"Interpreter":"sh","OS":"linux,darwin"}},{"Name":"cc","Path":"","Content":"c","Meta":{"OS":"any"}}]`
	if text, _ := models.Marshal(got); err != nil || string(text) != want {
		t.Errorf("got %s, %v; want %s", text, err, want)
	}
	if _, err := renderer(Limits{}).Job(ctx, v, job(), "", "10.0.0.1"); err == nil {
		t.Error("rendering for all systems left out those that fail")
	}
}

// TestNamesAreResolvedNearestFirst: a sibling hides a Template object, for this task only.
func TestNamesAreResolvedNearestFirst(t *testing.T) {
	v := view(t, machine(`{}`), shared("lib", "global"), shared("user", `{{template "lib"}}`),
		task(inline("main", `{{template "lib"}} {{template "user"}} {{template "self" 2}}`), inline("lib", "own"), inline("self", `{{if eq (printf "%v" .) "2"}}2{{template "self" 0}}{{else}}end{{end}}`)),
		&models.Task{Name: "other", Templates: []models.TemplateInfo{inline("main", `{{template "lib"}}`), {Name: "x", ID: "user"}}})
	r := renderer(Limits{})
	for name, want := range map[string]string{"task": "own own 2end|own|end", "other": "global|global"} {
		j := job()
		j.Task = name
		actions, err := r.Job(ctx, v, j, "", "")
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range actions {
			got = append(got, a.Content)
		}
		if s := strings.Join(got, "|"); s != want {
			t.Errorf("%s: got %q, want %q", name, s, want)
		}
	}
}

func TestPathsDemandTheirMembers(t *testing.T) {
	v := view(t, machine(`{"mm":{}}`), task(models.TemplateInfo{Name: "f", Path: `/x/{{(.Param "mm").gone}}`, Contents: "x"}))
	if a, err := renderer(Limits{}).Job(ctx, v, job(), "", ""); models.ClassOf(err) != models.Invalid {
		t.Errorf("got %v, %v; want Invalid", a, err)
	}
}

// TestTemplatesCannotChangeObjects: what they sort or set is their own.
func TestTemplatesCannotChangeObjects(t *testing.T) {
	v := view(t, append(world(), task(inline("x", `{{sortAlpha .Machine.Tasks}}{{set (.Param "map") "z" 1}}{{sortAlpha .Info.Features}}`)))...)
	r := renderer(Limits{})
	before, _ := v.Get("machines", uuid)
	was := string(before.Raw)
	if _, err := r.Job(ctx, v, job(), "", ""); err != nil {
		t.Fatal(err)
	}
	after, _ := v.Get("machines", uuid)
	is, _ := models.Marshal(after.Object)
	if string(is) != was {
		t.Errorf("got %s, want %s", is, was)
	}
}

// empty is a state without objects.
type empty struct{ objects.Reader }

func (empty) Get(kind, key string) (*objects.Entry, bool) { return nil, false }
func (empty) All(kind string) iter.Seq[*objects.Entry]    { return func(func(*objects.Entry) bool) {} }
