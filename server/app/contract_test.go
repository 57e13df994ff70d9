package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"

	"drp/models"
)

// statement is a sentence of the contract: what it says, a call, and the answer that it promises.
type statement struct {
	says   string
	call   string // METHOD and path; {name} stands for what an earlier statement kept
	body   string // "": none
	status int
	// want is JSON: of an object the members named here, of a list all elements, else the very value.
	// An error has the five members of the envelope. "": whatever it is; "-": no body.
	want string
	keep string // name=Member of the answer, or name=@Header
	with string // Header: value, a line each
}

// refusal is the error envelope (§1.5).
func refusal(status int, typ, model, key string, messages ...string) string {
	text, _ := models.Marshal(map[string]any{"Model": model, "Key": key, "Type": typ, "Messages": messages, "Code": status})
	return string(text)
}

// holds makes the calls in turn, and fails the test for each that is answered otherwise.
func (c client) holds(kept map[string]string, list []statement) {
	c.t.Helper()
	for _, s := range list {
		method, path, _ := strings.Cut(filled(kept, s.call), " ")
		var header []string
		for line := range strings.Lines(filled(kept, s.with)) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			header = append(header, name, value)
		}
		var body any
		if s.body != "" {
			body = filled(kept, s.body)
		}
		got := c.do(method, path, body, header...)
		if problem := s.check(method, filled(kept, s.want), got); problem != "" {
			c.t.Errorf("%s: %s %s: %d %.1200s\n\t%s", s.says, method, path, got.status, got.body, problem)
		}
		if name, member, ok := strings.Cut(s.keep, "="); ok {
			kept[name] = member
			if header, ok := strings.CutPrefix(member, "@"); ok {
				kept[name] = got.header.Get(header)
				continue
			}
			var o map[string]any
			json.Unmarshal(got.body, &o)
			kept[name] = fmt.Sprint(o[member])
		}
	}
}

func filled(kept map[string]string, s string) string {
	for name, value := range kept {
		s = strings.ReplaceAll(s, "{"+name+"}", value)
	}
	return s
}

// check says what is wrong with an answer, or nothing.
func (s statement) check(method, want string, got answer) string {
	if got.status != s.status {
		return fmt.Sprintf("want status %d", s.status)
	}
	if method == "HEAD" || got.status == http.StatusNotModified {
		want = "-"
	} else if problem := transported(got); problem != "" {
		return problem
	}
	if want == "-" && len(got.body) > 0 {
		return "want no body"
	}
	if want == "-" || want == "" {
		return ""
	}
	var w, g any
	if err := json.Unmarshal([]byte(want), &w); err != nil {
		panic("contract: " + err.Error() + " in " + want)
	}
	if err := json.Unmarshal(got.body, &g); err != nil {
		return "no JSON: " + err.Error()
	}
	return without("", w, g)
}

// transported holds an answer with a body, or that might have one, to §1.3.
func transported(got answer) string {
	switch ct := got.header.Get("Content-Type"); {
	case !strings.HasPrefix(ct, "application/json"):
		return fmt.Sprintf("the content type is %q", ct)
	case len(got.body) == 0 && got.status != http.StatusNoContent && got.header.Get("Content-Length") != "0":
		return "the body is empty, and no Content-Length says so"
	case got.status < 400:
		return ""
	}
	var e map[string]json.RawMessage
	if err := json.Unmarshal(got.body, &e); err != nil || len(e) != 5 {
		return "no error envelope"
	}
	return ""
}

// without names the first thing that is wanted and not there.
func without(at string, want, got any) string {
	w, object := want.(map[string]any)
	g, same := got.(map[string]any)
	if !object || !same {
		if reflect.DeepEqual(want, got) {
			return ""
		}
		return fmt.Sprintf("want %s = %s, got %s", at, asJSON(want), asJSON(got))
	}
	for name, value := range w {
		if _, ok := g[name]; !ok {
			return fmt.Sprintf("want %s/%s", at, name)
		}
		if problem := without(at+"/"+name, value, g[name]); problem != "" {
			return problem
		}
	}
	return ""
}

func asJSON(v any) string {
	text, _ := models.Marshal(v)
	return string(text)
}

// zero is what drpcli sends for an object of which only some members are given: every field, lists
// and maps null (§4.5).
func zero(kind, members string) string {
	k, _ := models.KindOf(kind)
	all, given := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	text, _ := models.Marshal(k.New())
	json.Unmarshal(text, &all)
	if err := json.Unmarshal([]byte(members), &given); err != nil {
		panic("contract: " + err.Error() + " in " + members)
	}
	for name, value := range given {
		all[name] = value
	}
	return asJSON(all)
}

// kindFields are the fields of every kind (§3); those that are left out when empty are not among them.
var kindFields = map[string]string{
	"bootenvs":      "Name Description Documentation OS Templates Kernel Initrds BootParams RequiredParams OptionalParams OnlyUnknown Loaders",
	"catalog_items": "Id Type Name ActualVersion Version ContentType Source Shasum256 NOJQSource Tip HotFix",
	"contexts":      "Name Image Engine Description Documentation",
	"endpoints":     "Id",
	"jobs": "Uuid Previous Machine Task Stage Workflow BootEnv Context State ExitState StartTime EndTime Archived Current " +
		"CurrentIndex NextIndex",
	"leases": "Addr NextServer Via Token Strategy State Duration ExpireTime Options ProvidedOptions SkipBoot",
	"machines": "Partial Name Description Uuid CurrentJob Address Stage BootEnv Profiles Params Tasks CurrentTask RetryTaskAttempt " +
		"TaskErrorStacks Runnable Secret OS HardwareAddrs Workflow Arch Locked Context Fingerprint Pool PoolAllocated PoolStatus WorkflowComplete",
	"params":       "Name Description Documentation Secure Schema",
	"plugins":      "Partial Name Description Documentation Params Provider PluginErrors",
	"pools":        "Id",
	"profiles":     "Partial Name Description Documentation Params Profiles",
	"reservations": "Addr Description Documentation Token Subnet NextServer Options Strategy Scoped Duration",
	"roles":        "Name Description Documentation Claims",
	"stages": "Partial Name Description Documentation Templates RequiredParams OptionalParams Params BootEnv Tasks Profiles Reboot " +
		"RunnerWait",
	"subnets": "Name Description Documentation Enabled Proxy Unmanaged Subnet NextServer ActiveStart ActiveEnd ActiveLeaseTime " +
		"ReservedLeaseTime OnlyReservations Options Strategy Pickers",
	"tasks":        "Name Description Documentation Templates RequiredParams OptionalParams Prerequisites",
	"templates":    "ID Description Contents",
	"tenants":      "Name Description Documentation Members Users",
	"users":        "Name Description Secret Roles",
	"version_sets": "Id Documentation Description Apply DRPVersion DRPUXVersion Components Plugins Prefs Files Global",
	"workflows":    "Name Description Documentation Stages",
}

// newOnes are objects with hardly anything given.
var newOnes = map[string]string{
	"bootenvs": `{"Name":"env","OS":{"Name":"env","SupportedArchitectures":null}}`, "catalog_items": `{"Id":"item"}`, "contexts": `{"Name":"ctx"}`,
	"endpoints": `{"Id":"site"}`, "leases": `{"Addr":"192.168.124.6","Token":"x","Strategy":"MAC","State":"FAKE"}`, "machines": `{"Name":"m1"}`,
	"params": `{"Name":"some/param"}`, "pools": `{"Id":"pool"}`, "profiles": `{"Name":"pp"}`,
	"reservations": `{"Addr":"192.168.124.5","Token":"x","Strategy":"MAC"}`, "roles": `{"Name":"role"}`, "stages": `{"Name":"stage"}`,
	"subnets": `{"Name":"lan","Subnet":"192.168.124.0/24","OnlyReservations":true,"Strategy":"MAC","ActiveLeaseTime":60,"ReservedLeaseTime":7200}`, "tasks": `{"Name":"task"}`,
	"templates": `{"ID":"tmpl"}`, "tenants": `{"Name":"tenant"}`, "users": `{"Name":"ann"}`, "version_sets": `{"Id":"versions"}`, "workflows": `{"Name":"wf"}`,
}

// TestObjectsHaveTheirFieldsAndNoOthers: drpcli drops fields that it does not know and adds those
// that it misses, so that its test of a whole object holds only when there are neither (§3.2).
func TestObjectsHaveTheirFieldsAndNoOthers(t *testing.T) {
	_, admin, _ := start(t, config(t))
	for _, k := range models.Kinds {
		body, ok := newOnes[k.Name]
		if !ok {
			continue
		}
		created := admin.do("POST", "/"+k.Name, zero(k.Name, body))
		if created.status != http.StatusCreated {
			t.Errorf("%s as drpcli sends it: %d %s", k.Name, created.status, created.body)
			continue
		}
		o, _ := models.Unmarshal(k.Name, created.body)
		path := "/" + k.Name + "/" + o.Key()
		got := admin.do("GET", path, nil)
		if string(got.body) != string(created.body) {
			t.Errorf("%s: created as\n%s, shown as\n%s", path, created.body, got.body)
		}
		var doc map[string]any
		json.Unmarshal(got.body, &doc)
		want := strings.Fields(kindFields[k.Name] + " Validated Available Errors ReadOnly Meta Endpoint Bundle")
		if k.Name == "catalog_items" {
			want = slices.DeleteFunc(want, func(s string) bool { return s == "Bundle" })
		}
		for name, value := range doc {
			if !slices.Contains(want, name) {
				t.Errorf("%s has %s, which the kind has not", path, name)
			}
			if value == nil && !(k.Name == "params" && name == "Schema") {
				t.Errorf("%s: %s is null", path, name)
			}
		}
		for _, name := range want {
			if _, ok := doc[name]; !ok {
				t.Errorf("%s has no %s", path, name)
			}
		}
		tested := fmt.Sprintf(`[{"op":"test","path":"","from":"","value":%s}]`, asJSON(doc))
		if got := admin.do("PATCH", path, tested); got.status != 200 || string(got.body) != string(created.body) {
			t.Errorf("%s tested against what it is: %d %s", path, got.status, got.body)
		}
		head := admin.do("HEAD", path, nil)
		if etag := got.header.Get("ETag"); !strings.HasPrefix(etag, `"`) || head.header.Get("ETag") != etag || created.header.Get("ETag") != etag {
			t.Errorf("%s: ETags %q %q %q", path, created.header, got.header, head.header)
		}
		if k.Name != "machines" && k.Name != "users" { // which have a key or a secret that is random
			if got := admin.do("PUT", path, zero(k.Name, body)); got.status != 200 || strings.Contains(string(got.body), "null") && k.Name != "params" {
				t.Errorf("%s put as drpcli sends it: %d %s", path, got.status, got.body)
			}
			admin.must("PUT", path, string(created.body), nil)
		}
		if got := admin.do("PUT", path, string(created.body)); got.status != 200 || string(got.body) != string(created.body) {
			t.Errorf("%s put as it is: %d\n%s, want\n%s", path, got.status, got.body, created.body)
		}
		for name := range doc { // a document of which one member differs does not match
			other := map[string]any{}
			for n, v := range doc {
				other[n] = v
			}
			delete(other, name)
			tested := fmt.Sprintf(`[{"op":"test","path":"","from":"","value":%s}]`, asJSON(other))
			if got := admin.do("PATCH", path, tested); got.status != 409 {
				t.Errorf("%s tested without %s: %d %s", path, name, got.status, got.body)
			}
		}
	}
}
