package app

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"drp/models"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

// described is the description that the server gives of itself.
func described(t *testing.T, c client) *openapi3.T {
	t.Helper()
	res, err := transport.RoundTrip(must(http.NewRequestWithContext(t.Context(), "GET", c.url+"/swagger.json", nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData(raw)
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return doc
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestEveryRouteIsDescribed(t *testing.T) {
	a, admin, _ := start(t, config(t))
	doc := described(t, admin)
	for _, r := range a.api.Router().Routes() {
		if r.Method == "HEAD" {
			continue
		}
		item := doc.Paths.Value(oas(r.Path))
		if item == nil || item.GetOperation(r.Method) == nil {
			t.Errorf("%s %s: no operation", r.Method, r.Path)
			continue
		}
		op := item.GetOperation(r.Method)
		if op.Summary == "" || op.Summary == "Not described" {
			t.Errorf("%s %s: write a summary in server/api/operations.go", r.Method, r.Path)
		}
		public := slices.Contains(everybodys, r.Path)
		if public != (op.Security != nil && len(*op.Security) == 0) {
			t.Errorf("%s %s: open to everybody: %v, described as %v", r.Method, r.Path, public, op.Security)
		}
		for _, p := range op.Parameters {
			if p.Value.Description == "" {
				t.Errorf("%s %s: parameter %s has no description", r.Method, r.Path, p.Value.Name)
			}
		}
	}
}

// checked is a client whose every answer is held against the description.
type checked struct {
	client
	doc  *openapi3.T
	seen map[string]bool // "METHOD pattern"
}

func (c checked) ask(method, path string, body any, statuses ...int) answer {
	c.t.Helper()
	got := c.client.do(method, path, body)
	if len(statuses) > 0 && !slices.Contains(statuses, got.status) {
		c.t.Errorf("%s %s: %d %s, want %v", method, path, got.status, got.body, statuses)
	}
	u := must(url.Parse(full(path)))
	pattern, params := c.match(method, u.Path)
	if pattern == "" {
		c.t.Errorf("%s %s is not described", method, path)
		return got
	}
	c.seen[method+" "+pattern] = true
	in := &openapi3filter.RequestValidationInput{
		Request:    must(http.NewRequestWithContext(c.t.Context(), method, c.url+u.String(), bytes.NewReader(nil))),
		PathParams: params,
	}
	in.Route = &routers.Route{Spec: c.doc, Path: pattern, PathItem: c.doc.Paths.Value(pattern), Method: method, Operation: c.doc.Paths.Value(pattern).GetOperation(method)}
	err := openapi3filter.ValidateResponse(c.t.Context(), &openapi3filter.ResponseValidationInput{
		RequestValidationInput: in, Status: got.status, Header: got.header, Body: io.NopCloser(bytes.NewReader(got.body)),
		Options: &openapi3filter.Options{IncludeResponseStatus: true},
	})
	if err != nil {
		c.t.Errorf("%s %s: %d %.500s is not as described: %v", method, path, got.status, got.body, err)
	}
	return got
}

// match finds the most literal path that is described.
func (c checked) match(method, path string) (string, map[string]string) {
	best, params := "", map[string]string{}
	words := strings.Split(path, "/")
	for pattern, item := range c.doc.Paths.Map() {
		if item.GetOperation(method) == nil {
			continue
		}
		parts, found := strings.Split(pattern, "/"), map[string]string{}
		rest := strings.Contains(pattern, "{key}") || strings.HasSuffix(pattern, "/params/{id}") || strings.Contains(pattern, "{path}")
		if len(parts) > len(words) || len(parts) < len(words) && !rest {
			continue
		}
		ok := true
		for i, p := range parts {
			if name, is := strings.CutPrefix(p, "{"); is {
				found[strings.TrimSuffix(name, "}")] = words[i]
			} else if p != words[i] {
				ok = false
			}
		}
		if ok && (best == "" || literal(pattern) > literal(best)) {
			best, params = pattern, found
		}
	}
	return best, params
}

// literal ranks patterns: the earlier a word is given, the better.
func literal(pattern string) string {
	var b strings.Builder
	for _, p := range strings.Split(pattern, "/") {
		if strings.HasPrefix(p, "{") {
			b.WriteByte('0')
		} else {
			b.WriteByte('1')
		}
	}
	return b.String()
}

func TestAnswersAreAsDescribed(t *testing.T) {
	a, admin, _ := start(t, config(t))
	c := checked{admin, described(t, admin), map[string]bool{}}
	var keys = map[string]string{}
	for _, sample := range describedSamples {
		kind := sample[0]
		var o map[string]any
		got := c.ask("POST", "/"+kind, sample[1], 201)
		if err := json.Unmarshal(got.body, &o); err != nil {
			t.Fatal(err)
		}
		k, _ := models.KindOf(kind)
		keys[kind], _ = o[k.KeyField].(string)
		if o["Addr"] != nil {
			keys[kind] = o["Addr"].(string)
		}
	}
	c.ask("POST", "/jobs", map[string]string{"Machine": keys["machines"]}, 201)
	var jobs []models.Job
	if err := json.Unmarshal(c.ask("GET", "/jobs", nil, 200).body, &jobs); err != nil || len(jobs) != 1 {
		t.Fatalf("%v: %v", jobs, err)
	}
	keys["jobs"] = jobs[0].Uuid
	for _, k := range models.Kinds {
		one := "/" + k.Name + "/" + keys[k.Name]
		if k.Internal || keys[k.Name] == "" {
			continue
		}
		c.ask("GET", "/"+k.Name, nil, 200)
		c.ask("GET", one, nil, 200)
		c.ask("PATCH", one, "[]", 200)
		c.ask("PATCH", one, `[{"op":"test","path":"/Available","value":"x"}]`, 409)
		c.ask("GET", "/meta"+one, nil, 200)
		c.ask("PATCH", "/meta"+one, `[{"op":"add","path":"/icon","value":"cow"}]`, 200)
		if k.Name != "params" {
			c.ask("GET", one+"/history", nil, 200)
			actions := one + "/actions"
			if k.Name == "jobs" {
				actions = one + "/plugin_actions"
			}
			c.ask("GET", actions, nil, 200)
			c.ask("GET", actions+"/none", nil, 404)
			c.ask("POST", actions+"/none", "{}", 404)
		}
		if _, ok := k.New().(models.ParamHolder); ok {
			c.ask("POST", one+"/params", `{"some/param":1}`, 200)
			c.ask("PUT", one+"/params", `{"some/param":1}`, 200)
			c.ask("PATCH", one+"/params", `[{"op":"replace","path":"/some~1param","value":[2]}]`, 200)
			c.ask("GET", one+"/params", nil, 200)
			c.ask("POST", one+"/params/some/param", `"text"`, 200)
			c.ask("PUT", one+"/params/some/param", `null`, 200)
			c.ask("GET", one+"/params?origins=true", nil, 200)
			c.ask("GET", one+"/params/some/param", nil, 200)
			c.ask("GET", one+"/params/some/param?origins=true", nil, 200)
			c.ask("DELETE", one+"/params/some/param", nil, 200)
			c.ask("GET", one+"/pubkey", nil)
		}
		c.ask("PUT", one, string(c.ask("GET", one, nil, 200).body), 200, 422)
	}
	for _, call := range strings.Split(strings.TrimSpace(describedCalls), "\n") {
		method, rest, _ := strings.Cut(call, " ")
		path, body, _ := strings.Cut(rest, " ")
		for kind, key := range keys {
			path = strings.ReplaceAll(path, "{"+kind+"}", key)
			body = strings.ReplaceAll(body, "{"+kind+"}", key)
		}
		c.ask(method, path, body)
	}
	token := c.token
	var mine models.UserToken
	c.must("GET", "/users/rocketskates/token", nil, &mine)
	c.token = mine.Token
	c.ask("DELETE", "/users/rocketskates/token", nil, 204)
	c.ask("DELETE", "/users/rocketskates/token", nil, 403)
	c.token = token
	c.ask("POST", "/plugin_providers/herd", herdProgram(t), 201)
	keys["plugin_providers"] = "herd"
	c.ask("GET", "/plugin_providers/herd/binary", nil, 200)
	c.ask("GET", "/plugin_providers", nil, 200)
	c.ask("GET", "/plugin_providers/herd", nil, 200)
	c.ask("GET", "/system/actions", nil, 200)
	c.ask("GET", "/system/actions/count", nil, 200)
	herding(t, admin)
	c.ask("POST", "/system/actions/count", `{}`, 200)
	for _, k := range models.Kinds {
		if !k.Internal {
			c.ask("DELETE", "/"+k.Name+"/"+keys[k.Name], nil)
		}
	}
	for _, r := range a.api.Router().Routes() {
		pattern := oas(r.Path)
		if r.Method != "HEAD" && !c.seen[r.Method+" "+pattern] && !slices.Contains(notAsked, r.Method+" "+pattern) && !strings.Contains(pattern, "{kind}") {
			t.Errorf("%s %s: no answer was held against the description", r.Method, pattern)
		}
	}
}

func oas(path string) string {
	words := strings.Split(path, "/")
	for i, w := range words {
		if w != "" && (w[0] == ':' || w[0] == '*') {
			words[i] = "{" + w[1:] + "}"
		}
	}
	return strings.Join(words, "/")
}

// describedSamples are one object of each kind that can be created.
var describedSamples = [][2]string{
	{"params", `{"Name":"some/param"}`}, {"templates", `{"ID":"tmpl","Contents":"x"}`}, {"tasks", `{"Name":"tt"}`}, {"bootenvs", `{"Name":"bb","OS":{"Name":"bb"}}`},
	{"profiles", `{"Name":"pp"}`}, {"stages", `{"Name":"ss","Tasks":["tt"]}`}, {"workflows", `{"Name":"ww","Stages":["ss"]}`}, {"machines", `{"Name":"mm","Tasks":["tt"]}`},
	{"roles", `{"Name":"rr","Claims":[{"scope":"machines","action":"get","specific":"*"}]}`}, {"users", `{"Name":"uu","Roles":["rr"]}`}, {"tenants", `{"Name":"nn"}`},
	{"plugins", `{"Name":"gg","Provider":"none"}`}, {"contexts", `{"Name":"cc"}`}, {"endpoints", `{"Id":"ee"}`}, {"pools", `{"Id":"ll","EnterActions":{"AddProfiles":["pp"]}}`}, {"version_sets", `{"Id":"vv"}`}, {"catalog_items", `{"Id":"ii"}`},
	{"subnets", `{"Name":"net","Subnet":"192.168.100.1/24","ActiveStart":"192.168.100.20","ActiveEnd":"192.168.100.200","ActiveLeaseTime":60,"ReservedLeaseTime":7200,"Strategy":"MAC"}`},
	{"reservations", `{"Addr":"192.168.100.5","Token":"52:54:00:00:00:01","Strategy":"MAC"}`},
	{"leases", `{"Addr":"192.168.100.21","Token":"52:54:00:00:00:02","Strategy":"MAC","State":"EXPIRED"}`},
}

// describedCalls are calls of the routes that are not those of every kind.
const describedCalls = `
GET /machines/{machines}/token
POST /machines/{machines}/preview {"Kind":"tasks","Key":"tt"}
POST /machines/{machines}/preview {"Templates":[{"Name":"one","Contents":"{{"},{"Name":"two","Contents":"{{.Machine.Name}}"}]}
POST /whoami {"OnDiskUUID":"{machines}"}
GET /users/{users}/token
PUT /users/{users}/password {"Password":"secret"}
GET /jobs/{jobs}/actions
GET /jobs/{jobs}/log
PUT /jobs/{jobs}/log a line
PATCH /jobs/{jobs} [{"op":"replace","path":"/State","value":"failed"}]
DELETE /jobs
GET /pools/default/status
GET /pools-active
POST /pools/ll/addMachines {"pool/machine-list":["{machines}"]}
POST /pools/ll/allocateMachines {"pool/count":1}
POST /pools/ll/releaseMachines {"pool/all-machines":true}
POST /pools/ll/removeMachines {"pool/all-machines":true}
POST /machines/{machines}/releaseToPool {}
POST /files/some/file bytes
GET /files
GET /files?all=true
GET /files/some/file
DELETE /files/some/file
POST /isos/some.iso bytes
GET /isos
GET /isos/some.iso
DELETE /isos/some.iso
DELETE /bootenvs/{bootenvs}/purgeLocal []
GET /plugin_providers
GET /plugin_providers/none
GET /plugin_providers/none/history
GET /meta/plugin_providers/none
GET /contents
POST /contents {"meta":{"Name":"kk"},"sections":{"profiles":{"of-kk":{"Name":"of-kk"}}}}
GET /contents/kk
PUT /contents/kk {"meta":{"Name":"kk"},"sections":{}}
DELETE /contents/kk
GET /prefs
POST /prefs {}
GET /history
GET /history?kind=machines&key={machines}
POST /undo {"Rev":1,"DryRun":true}
GET /info
GET /objects
GET /indexes
GET /indexes/machines
GET /indexes/machines/Name
POST /events {"Type":"a","Action":"b","Key":"c"}
POST /wait {"Until":[{"Kind":"machines","Key":"{machines}","Tests":[{"op":"test","path":"/Name","value":"mm"}]}]}
GET /waits
GET /interfaces
GET /interfaces/lo
GET /logs
POST /system/upgrade
GET /system/cert
POST /system/cert {}
GET /static/cert
POST /static/cert {}
POST /system/active
POST /system/passive
GET /system/consensus/peers
GET /system/consensus/id
POST /system/consensus/enroll
POST /system/consensus/failOverSafe
DELETE /system/consensus/node/x
GET /drp_debug/index
GET /drp_debug/index/machines
GET /debug/goroutine
GET /debug/pprof/heap
GET /healthz
GET /readyz
GET /metrics
GET /swagger.json
GET /swagger-ui
GET /swagger-ui/page.js
GET /
GET /ui
GET /ui/
`

// notAsked are the routes whose answers are no HTTP answers.
var notAsked = []string{"GET /api/v3/ws", "GET /api/v3/ws/{endpoint}"}
