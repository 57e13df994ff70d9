package render

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"drp/models"
)

// station is the machine that the idioms are rendered for, with all that they ask for.
func station() []models.Object {
	m := machine(`{"scheme":"raid","fruits":["apple","pear"],"sizes":{"small":1,"large":9},"count":3,"counts":[3,4],"million":1000000,"half":0.5,"large":1e21,
		"nothing-in-it":[],"flag":false,"of/null":null,"expands":"on {{ .Machine.ShortName }}","leaders":[{"Name":"n1","Uuid":"u1"},{"Name":"n2","Uuid":"u2"}],
		"nested":{"sizes":{"large":9,"small":1},"deep":{"er":"down"},"mask":"255.255.0.0"}}`)
	m.CurrentTask = 1
	return []models.Object{
		m,
		&models.Profile{Name: "cluster", Params: set(`{"of/profile":"cluster","scheme":"hidden","fruits":["pear","plum"],"sizes":{"small":2,"{{k}}":"{{ .Machine.Arch }}"}}`)},
		&models.Stage{Name: "stage", Params: set(`{"of/stage":"s","of/profile":"hidden"}`)},
		&models.Profile{Name: "global", Params: set(`{"of/global":"g","of/stage":"hidden","package-repositories":[
			{"tag":"base","os":["centos-7"],"arch":"x86_64","url":"http://r/base","installSource":true,"packageType":"rpm","repoType":"yum"},
			{"tag":"later","os":["centos-7"],"url":"http://r/later","installSource":true},
			{"tag":"security","os":["centos-7"],"url":"http://r/security","securitySource":true},
			{"tag":"arm","os":["centos-7"],"url":"http://r/arm","arch":"arm64"},
			{"tag":"components","os":["centos-8"],"url":"http://r/8","distribution":"8","components":["BaseOS","AppStream"]},
			{"tag":"scientific","os":["scientificlinux-7"],"url":"http://r/sl","distribution":"7x","components":["os"]},
			{"tag":"ubuntu","os":["ubuntu-20.04"],"url":"http://u.example.com/ubuntu","distribution":"focal","components":["main","universe"],"installSource":true},
			{"tag":"ubuntu-security","os":["ubuntu-20.04"],"url":"http://s.example.com/ubuntu","distribution":"focal-security","components":["main"],"securitySource":true},
			{"tag":"deb-of-no-system","url":"http://d.example.com/x","packageType":"deb","distribution":"stable","components":["main"]}]}`)},
		&models.Param{Name: "of/default", Schema: json.RawMessage(`{"type":"string","default":"d"}`)},
		&models.Param{Name: "of/global", Schema: json.RawMessage(`{"type":"string","default":"hidden"}`)},
		&models.Param{Name: "fruits", Schema: json.RawMessage(`{"type":"array"}`)},
		&models.Param{Name: "sizes", Schema: json.RawMessage(`{"type":"object"}`)},
		&models.BootEnv{
			Name: "centos-7-install", Kernel: "top", Initrds: []string{"i1", "i2"}, BootParams: "ks={{ .Machine.Url }}/ks",
			OS: models.OSInfo{Name: "centos-7", Family: "redhat", Codename: "core", Version: "7.9", SupportedArchitectures: map[string]models.ArchInfo{
				"amd64": {Kernel: "vmlinuz", IsoFile: "c7.iso"}, "arm64": {Kernel: "Image", Initrds: []string{"arm-i"}, BootParams: "console=ttyAMA0", IsoFile: "c7-arm.iso"}}},
		},
		shared("greeting.tmpl", `{{ define "greeting-inner" }}<{{ . }}>{{ end }}hello {{ .Machine.ShortName }}`),
		shared("part-scheme-raid.tmpl", `raid of {{ .Machine.Name }}`),
		shared("item.tmpl", `[{{ . }}]`),
	}
}

// TestIdiomsOfPacks renders what packs do, by their functions in order of frequency, against
// golden text; in a task, where they mostly stand.
func TestIdiomsOfPacks(t *testing.T) {
	for name, text := range idioms(t) {
		t.Run(name, func(t *testing.T) {
			tsk := task(inline("main", text), inline("sibling", "sibling of {{ .Machine.Arch }}"))
			actions, err := renderer(Limits{}).Job(ctx, view(t, append(station(), tsk)...), job(), "", "10.0.0.1")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, filepath.Join("idioms", name+".txt"), actions[0].Content)
		})
	}
}

func idioms(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("testdata/idioms/*.tmpl")
	if err != nil || len(files) == 0 {
		t.Fatalf("found %v, %v", files, err)
	}
	texts := map[string]string{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		texts[strings.TrimSuffix(filepath.Base(f), ".tmpl")] = string(text)
	}
	return texts
}

// packFunctions are those that the public packs call, the most frequent first.
const packFunctions = `range eq get hasKey not index set printf and ne join slice add toString trim toJson int len concat first cat hasPrefix
	or split contains empty has list lower replace regexFind regexMatch toPrettyJson trimSuffix uniq append coalesce squote le lt add1 deepEqual
	dict float64 ge mul trimPrefix values`

// TestIdiomsHaveEverything: each function of the packs, and each member that templates can ask
// for, stands in one of the idioms at least; so it is seen at work before somebody relies on it.
func TestIdiomsHaveEverything(t *testing.T) {
	var all strings.Builder
	for _, text := range idioms(t) {
		all.WriteString(text)
	}
	has := func(word string) bool {
		return regexp.MustCompile(word + `([^A-Za-z0-9]|$)`).MatchString(all.String())
	}
	for _, f := range strings.Fields(packFunctions) {
		if !has(`[^A-Za-z.$]` + f) {
			t.Errorf("no idiom has the function %s", f)
		}
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[*Data](), reflect.TypeFor[*Machine](), reflect.TypeFor[*Env](), reflect.TypeFor[OS](), reflect.TypeFor[*Repo]()} {
		for i := range typ.NumMethod() {
			if m := typ.Method(i).Name; m != "String" && m != "MarshalJSON" && m != "Base" && !has(`\.`+m) {
				t.Errorf("no idiom has %v.%s", typ, m)
			}
		}
	}
}

// TestAnISOOnTheDiskIsTheInstallSource, in the place of one that is far.
func TestAnISOOnTheDiskIsTheInstallSource(t *testing.T) {
	for _, c := range []struct{ os, folder, want string }{
		{"centos-7", "", "http://r/base http://r/base http://r/security "},
		{"centos-7", "centos-7/install", "http://10.0.0.1:8091/centos-7/install http://10.0.0.1:8091/centos-7/install http://r/security "},
		{"ubuntu-20.04", "ubuntu-20.04/install", "http://10.0.0.1:8091/ubuntu-20.04/install http://10.0.0.1:8091/ubuntu-20.04/install http://s.example.com/ubuntu "},
		{"none-1", "", "http://10.0.0.1:8091/none-1/install "},
	} {
		r := renderer(Limits{})
		r.cfg.Exploded = func(folder string) bool { return folder == c.folder }
		list := station()
		for _, o := range list {
			if b, ok := o.(*models.BootEnv); ok {
				b.OS.Name = c.os
			}
		}
		got, err := one(t, r, `{{ .Env.InstallUrl }} {{ range .InstallRepos }}{{ .URL }} {{ end }}`, list...)
		if err != nil || got != c.want {
			t.Errorf("%s with %q on the disk: got %q, %v; want %q", c.os, c.folder, got, err, c.want)
		}
	}
}

// TestArchitecturesGoByAllTheirNames: packs say x86_64 where machines say amd64.
func TestArchitecturesGoByAllTheirNames(t *testing.T) {
	m := machine(`{}`)
	b := &models.BootEnv{Name: "centos-7-install", Kernel: "top", OS: models.OSInfo{Name: "os", SupportedArchitectures: map[string]models.ArchInfo{
		"x86_64": {Kernel: "k64", Initrds: []string{"i64"}, BootParams: "b64"}, "aarch64": {Kernel: "arm"}}}}
	got, err := one(t, renderer(Limits{}), `{{.Env.Kernel}} {{.Env.Initrds}} {{.BootParams}} {{.Env.KernelFor "arm64"}} {{.Env.KernelFor "aarch64"}} {{.Env.KernelFor "ppc64le"}} {{.Env.PathForArch "tftp" "x" "aarch64"}}`, m, b)
	if want := "k64 [i64] b64 arm arm top os/arm64/install/x"; err != nil || got != want {
		t.Errorf("got %q, %v; want %q", got, err, want)
	}
}
