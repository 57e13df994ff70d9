package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/models"
	"drp/server/auth"
	"drp/server/objects"
)

// need is the claim that a route demands, beside "get" on the object that it names.
type need struct{ scope, action, specific string }

// Routes that demand no claim of their own: they tell anybody they know, or show and change what the
// caller may see and change anyway.
var unclaimed = []string{"/info", "/objects", "/indexes", "/indexes/:type", "/indexes/:type/*key", "/wait", "/waits", "/ws", "/ws/:endpoint", "/pools-active", "/history", "/undo"}

// endsItself is the route that whoever has a token may ask for, about that token.
const endsItself = "DELETE/users/:id/token"

// single are the routes that are not about an object of a kind.
var single = map[string]need{
	"POST /whoami":   {"machines", "whoami", ""},
	"DELETE /jobs":   {"jobs", "delete", ""},
	"GET /prefs":     {"preferences", "list", ""},
	"POST /prefs":    {"preferences", "post", ""},
	"POST /events":   {"events", "post", ""},
	"GET /logs":      {"logs", "get", ""},
	"GET /metrics":   {"metrics", "get", ""},
	"POST /contents": {"contents", "create", "pack"},

	"GET /system/cert":  {"system", "cert", ""},
	"POST /system/cert": {"system", "cert", ""},
	"GET /static/cert":  {"system", "cert", ""},
	"POST /static/cert": {"system", "cert", ""},

	"GET /system/actions":                 {"system", "actions", ""},
	"GET /system/actions/:action":         {"system", "actions", ""},
	"POST /system/actions/:action":        {"system", "action:reboot", ""},
	"POST /system/upgrade":                {"system", "upgrade", ""},
	"POST /system/active":                 {"system", "active", ""},
	"POST /system/passive":                {"system", "passive", ""},
	"GET /system/consensus/:key":          {"system", "replicate", ""},
	"POST /system/consensus/enroll":       {"system", "replicate", ""},
	"POST /system/consensus/failOverSafe": {"system", "replicate", ""},
	"DELETE /system/consensus/node/:key":  {"system", "replicate", ""},
	"GET /drp_debug/index":                {"system", "debug", ""},
	"GET /drp_debug/index/:type":          {"system", "debug", ""},
	"GET /debug/*key":                     {"system", "debug", ""},
	"GET /debug/pprof/*key":               {"system", "debug", ""},
}

// ofObject are the routes below an object, by what stands behind it.
var ofObject = map[string]string{
	"GET ": "get", "HEAD ": "get", "PUT ": "update:/Meta/color", "PATCH ": "update:/Meta/color", "DELETE ": "delete",
	"GET /meta": "get", "PATCH /meta": "update:/Meta/color",
	"GET /history": "get",
	"GET /actions": "actions", "GET /actions/:action": "actions", "POST /actions/:action": "action:reboot",
	"GET /plugin_actions": "actions", "GET /plugin_actions/:action": "actions", "POST /plugin_actions/:action": "action:reboot",
	"GET /params": "get", "POST /params": "update:/Params/my~1leader", "PUT /params": "update:/Params/my~1leader", "PATCH /params": "update:/Params/my~1leader",
	"GET /params/*key": "get", "POST /params/*key": "update:/Params/my~1leader", "PUT /params/*key": "update:/Params/my~1leader", "DELETE /params/*key": "update:/Params/my~1leader",
	"GET /pubkey": "updateSecure", "GET /token": "token", "PUT /password": "password",
	"POST ": "create", "GET /binary": "get",
	"GET /status": "get", "POST /addMachines": "action:addMachines", "POST /removeMachines": "action:removeMachines",
	"POST /allocateMachines": "action:allocateMachines", "POST /releaseMachines": "action:releaseMachines",
	"POST /preview":       "get",
	"POST /releaseToPool": "update:/PoolStatus", "DELETE /purgeLocal": "update",
	"GET /log": "log", "HEAD /log": "log", "PUT /log": "log", // and "update"
}

// needed is the claim for a route; ok is false when the table does not say.
func needed(method, pattern string, ids map[string]string) (n need, ok bool) {
	if n, ok := single[method+" "+pattern]; ok {
		return n, true
	}
	path, meta := strings.CutPrefix(pattern, "/meta")
	kind, below, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	id, rest, _ := strings.Cut(below, "/")
	key := ids[kind]
	if kind == "jobs" {
		key = ids["machines"]
	}
	if kind == "files" || kind == "isos" {
		action := map[string]string{"GET": "get", "HEAD": "get", "POST": "post", "DELETE": "delete"}[method]
		if id == "" {
			return need{kind, "list", ""}, method == "GET"
		}
		return need{kind, action, "my/leader"}, action != ""
	}
	switch _, known := models.KindOf(kind); {
	case !known && kind != models.InterfaceKind.Name:
		return n, false
	case id == "":
		action, ok := map[string]string{"GET": "list", "HEAD": "list", "POST": "create"}[method]
		return need{kind, action, ""}, ok
	case kind == "jobs" && rest == "actions":
		return need{kind, "actions", key}, true
	case kind == "contents":
		action, ok := map[string]string{"GET": "get", "PUT": "update", "DELETE": "delete"}[method]
		return need{kind, action, key}, ok
	}
	if rest != "" {
		rest = "/" + rest
	}
	if meta {
		rest = "/meta"
	}
	action, ok := ofObject[method+" "+rest]
	return need{kind, action, key}, ok
}

// TestEveryRouteDemandsItsClaim and nothing else: with no more than "get" on the object it is refused
// in words that name the claim, without even that the object is not there, and with the claim it is
// let in. What a route demands stands in the table above.
func TestEveryRouteDemandsItsClaim(t *testing.T) {
	a, admin, _ := start(t, config(t))
	ids := populate(t, admin)
	ids["users"] = "ann"
	token := func(n need, actions string) client {
		t.Helper()
		specific := n.specific
		if specific == "" {
			specific = "*"
		}
		text, err := a.auth.UserToken(auth.System(), auth.BootstrapUser, auth.Request{Scope: n.scope, Action: actions, Specific: specific})
		if err != nil {
			t.Fatal(err)
		}
		return client{t, admin.url, text}
	}
	patterns, paths := a.api.Router().Routes(), routes(t, a, ids)
	order := make([]int, len(paths)) // what deletes comes last
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		last := func(i int) int {
			whole := strings.HasSuffix(patterns[i].Path, "/:id") || strings.HasSuffix(patterns[i].Path, "/*id")
			return strings.Count(paths[i][0], "DELETE") * map[bool]int{true: 2, false: 1}[whole]
		}
		return last(i) - last(j)
	})
	values, checked := 0, 0
	for _, i := range order {
		method, path, pattern := paths[i][0], paths[i][1], strings.TrimPrefix(patterns[i].Path, "/api/v3")
		if slices.Contains(unclaimed, pattern) || slices.Contains(everybodys, pattern) || strings.Contains(pattern, ":kind") || method+pattern == endsItself { // kinds of providers share the handlers of others
			continue
		}
		n, ok := needed(method, pattern, ids)
		if !ok {
			t.Errorf("%s %s: which claim it demands is not in the table", method, pattern)
			continue
		}
		blob := n.scope == "files" || n.scope == "isos"
		object := strings.Contains(pattern, "/:id") || strings.Contains(pattern, "/*id")
		if object && ids[strings.Split(strings.TrimPrefix(strings.TrimPrefix(pattern, "/meta"), "/"), "/")[0]] == "" {
			continue // nothing of the kind is there
		}
		body := func() string {
			values++
			value := fmt.Sprint("v", values)
			switch {
			case method == "PATCH" && strings.HasSuffix(pattern, "/params"):
				return `[{"op":"add","path":"/my~1leader","value":"` + value + `"}]`
			case strings.HasSuffix(pattern, "/params"):
				return `{"my/leader":"` + value + `"}`
			case strings.Contains(pattern, "/params/*key"):
				return `"` + value + `"`
			case method == "PATCH" && strings.HasPrefix(pattern, "/meta"):
				return `[{"op":"add","path":"/color","value":"` + value + `"}]`
			case method == "PATCH":
				return `[{"op":"add","path":"/Meta/color","value":"` + value + `"}]`
			case method == "PUT" && strings.HasSuffix(pattern, "id") && n.scope != "contents":
				var doc map[string]any
				admin.must("GET", path, nil, &doc)
				doc["Meta"].(map[string]any)["color"] = value
				text, _ := json.Marshal(doc)
				return string(text)
			case pattern == "/prefs":
				return `{"historyDays":"30"}`
			case pattern == "/jobs":
				return `{"Machine":"` + ids["machines"] + `"}`
			}
			return sensible(paths[i])
		}
		if strings.Contains(pattern, ":id/params") {
			admin.must("POST", strings.TrimSuffix(strings.TrimSuffix(path, "/my/leader"), "/params")+"/params/my/leader", `"base"`, nil)
		}
		if n.action == "create" && n.scope != "contents" { // the claim may name the new object
			o, err := models.Unmarshal(n.scope, []byte(body()))
			if err != nil {
				t.Fatal(err)
			}
			n.specific = objects.AuthKey(o)
		}
		checked++
		what := fmt.Sprintf("%s %s", method, path)

		// Without any claim that matters.
		blind := token(need{"profiles", "get", "someone-elses"}, "get").do(method, path, body())
		switch {
		case n.action == "list" && method == "GET" && n.scope != "preferences" && !blob:
			if blind.status != http.StatusOK || string(blind.body) != "[]" {
				t.Errorf("%s to somebody who sees nothing: got %d %s, want an empty list", what, blind.status, blind.body)
			}
		case n.action == "list" && method == "HEAD":
			if blind.status != http.StatusOK || blind.header.Get("X-Drp-List-Total-Count") != "0" || blind.header.Get("X-Drp-List-Filter-Count") != "0" {
				t.Errorf("%s to somebody who sees nothing: got %d %v, want a count of 0", what, blind.status, blind.header)
			}
		case object && method != "HEAD":
			gone := http.StatusNotFound
			if strings.HasPrefix(pattern, "/jobs/:id/") && (strings.HasSuffix(pattern, "/log") || strings.HasSuffix(pattern, "id/actions")) {
				gone = http.StatusUnprocessableEntity // does not exist
			}
			if blind.status != gone {
				t.Errorf("%s to somebody who sees nothing: got %d %s, want %d", what, blind.status, blind.body, gone)
			}
		case method != "HEAD":
			refused(t, what+" without a claim", blind, n, path)
		case blind.status != http.StatusNotFound && blind.status != http.StatusUnprocessableEntity && (!blob || blind.status != http.StatusForbidden):
			t.Errorf("%s to somebody who sees nothing: got %d", what, blind.status)
		}

		// With "get" on the object and no more.
		if object && n.action != "get" && method != "HEAD" {
			refused(t, what+" with get only", token(n, "get").do(method, path, body()), n, path)
		}

		// With the claim.
		actions := n.action
		if object {
			actions = "get," + actions
		}
		if method == "PUT" && strings.HasSuffix(pattern, "/log") {
			actions += ",update"
		}
		if strings.HasSuffix(pattern, "/purgeLocal") {
			path += "?reexplodeIsos=true" // else the ISOs go too, for which there is a claim of its own
		}
		got := token(n, actions).do(method, path, body())
		if got.status == http.StatusUnauthorized || strings.Contains(string(got.body), "Requires: ") ||
			object && method != "HEAD" && strings.Contains(string(got.body), `"Key":"`+n.specific+`"`) && strings.Contains(string(got.body), `["Not Found"]`) {
			t.Errorf("%s with the claim %v: got %d %s", what, n, got.status, got.body)
		}
		if !blob && (n.action == "get" || n.action == "list" || strings.HasPrefix(n.action, "update:/Meta") || strings.HasPrefix(n.action, "update:/Params")) {
			if got.status != http.StatusOK {
				t.Errorf("%s with the claim %v: got %d %s, want 200", what, n, got.status, got.body)
			}
		}
	}
	if checked < 150 {
		t.Errorf("%d routes checked; want nearly all", checked)
	}
	t.Logf("%d routes checked", checked)
}

// refused checks that an answer is the AUTH error that names the missing claim.
func refused(t *testing.T, what string, got answer, n need, path string) {
	t.Helper()
	var e models.Error
	if err := json.Unmarshal(got.body, &e); err != nil || got.status != http.StatusForbidden || e.Type != "AUTH" || e.Model != "" || e.Key != "" ||
		!slices.Equal(e.Messages, []string{"Cannot access " + full(path), "Requires: " + n.scope + " " + n.action + " " + n.specific}) {
		t.Errorf("%s: got %d %s, want 403 AUTH that requires %s %s %s", what, got.status, got.body, n.scope, n.action, n.specific)
	}
}

// TestListsAreOpenToEverybody: who may not list sees what he may get, a profile's token its profile.
func TestListsAreOpenToEverybody(t *testing.T) {
	a, admin, _ := start(t, config(t))
	populate(t, admin)
	profile, err := a.auth.ProfileToken("cluster", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c := client{t, admin.url, profile}
	for _, kind := range append(routed(), "contents", "interfaces") {
		var list []map[string]any
		c.must("GET", "/"+kind, nil, &list)
		names := []string{}
		for _, o := range list {
			names = append(names, fmt.Sprint(o["Name"]))
		}
		switch {
		case kind == "profiles" && slices.Equal(names, []string{"cluster"}), kind == "params" && len(list) > 0, len(list) == 0:
		default:
			t.Errorf("the token of a profile lists %v of %s", names, kind)
		}
	}
}

// TestAListOfClaimsCoversNoMoreThanItSays over HTTP: what is limited to members, objects or actions.
func TestAListOfClaimsCoversNoMoreThanItSays(t *testing.T) {
	a, admin, _ := start(t, config(t))
	ids := populate(t, admin)
	id := ids["machines"]
	for _, c := range []struct {
		claim              models.Claim
		method, path, body string
		status             int
		missing            string // the claim that is asked for
	}{
		{models.Claim{Scope: "machines", Action: "get,update:/Meta", Specific: id}, "PATCH", "/machines/Name:m1", `[{"op":"add","path":"/Meta/a","value":"b"}]`, 200, ""},
		{models.Claim{Scope: "machines", Action: "get,update:/Meta", Specific: id}, "PATCH", "/machines/Name:m1", `[{"op":"add","path":"/Meta/a","value":"c"},{"op":"add","path":"/Description","value":"x"}]`, 403, "machines update:/Description " + id},
		{models.Claim{Scope: "machines", Action: "get,update:/Meta/a", Specific: "*"}, "PATCH", "/machines/" + id, `[{"op":"replace","path":"/Meta","value":{"a":"d"}}]`, 403, "machines update:/Meta/feature-flags " + id},
		{models.Claim{Scope: "machines", Action: "get,update:/Params/my~1leader", Specific: "*"}, "POST", "/machines/" + id + "/params/my/leader", `"x"`, 200, ""},
		{models.Claim{Scope: "machines", Action: "get,update:/Params/my~1leader", Specific: "*"}, "POST", "/machines/" + id + "/params/other", `"x"`, 403, "machines update:/Params/other " + id},
		{models.Claim{Scope: "machines", Action: "get,updateTaskList", Specific: id}, "PATCH", "/machines/" + id, `[{"op":"add","path":"/Tasks/-","value":"task1"}]`, 200, ""},
		{models.Claim{Scope: "machines", Action: "get,updateTaskList", Specific: id}, "PATCH", "/machines/" + id, `[{"op":"add","path":"/Runnable","value":false}]`, 403, "machines update:/Runnable " + id},
		{models.Claim{Scope: "machines", Action: "get", Specific: id}, "GET", "/machines/Name:m1?decode=true", ``, 403, "machines getSecure Name:m1"},
		{models.Claim{Scope: "machines", Action: "list,getSecure", Specific: id}, "GET", "/machines?decode=true", ``, 403, "machines getSecure "},
		{models.Claim{Scope: "machines", Action: "get,create", Specific: id}, "POST", "/machines", `{"Name":"m9"}`, 403, "machines create "},
		{models.Claim{Scope: "profiles", Action: "create", Specific: "mine"}, "POST", "/profiles", `{"Name":"mine"}`, 201, ""},
		{models.Claim{Scope: "profiles", Action: "create", Specific: "mine"}, "POST", "/profiles", `{"Name":"yours"}`, 403, "profiles create yours"},
		{models.Claim{Scope: "users", Action: "token", Specific: "ann"}, "GET", "/users/ann/token", ``, 200, ""},
		{models.Claim{Scope: "users", Action: "token", Specific: "ann"}, "GET", "/users/rocketskates/token", ``, 404, ""},
		{models.Claim{Scope: "users", Action: "get", Specific: "ann"}, "GET", "/users/ann/token", ``, 403, "users token ann"},
		{models.Claim{Scope: "jobs", Action: "get", Specific: id}, "GET", "/jobs/" + ids["jobs"], ``, 200, ""},
		{models.Claim{Scope: "jobs", Action: "get", Specific: ids["jobs"]}, "GET", "/jobs/" + ids["jobs"], ``, 404, ""},
		{models.Claim{Scope: "jobs", Action: "log", Specific: id}, "GET", "/jobs/" + ids["jobs"] + "/log", ``, 200, ""},
	} {
		text, err := a.auth.UserToken(auth.System(), auth.BootstrapUser, auth.Request{Scope: c.claim.Scope, Action: c.claim.Action, Specific: c.claim.Specific})
		if err != nil {
			t.Fatal(err)
		}
		got := (client{t, admin.url, text}).do(c.method, c.path, c.body)
		if got.status != c.status || c.missing != "" && !strings.Contains(string(got.body), `"Requires: `+c.missing+`"`) {
			t.Errorf("%s %s %s with %+v: got %d %s, want %d %s", c.method, c.path, c.body, c.claim, got.status, got.body, c.status, c.missing)
		}
	}
}

// TestNobodyIsListedForBeingHimself: a user may get himself, and his token and password, without any
// role; lists are for those who may list, or get others.
func TestNobodyIsListedForBeingHimself(t *testing.T) {
	a, admin, _ := start(t, config(t))
	admin.must("POST", "/users", `{"Name":"plain"}`, nil)
	admin.must("POST", "/roles", `{"Name":"looker","Claims":[{"scope":"users","action":"get","specific":"*"}]}`, nil)
	text, err := a.auth.UserToken(auth.System(), "plain", auth.Request{})
	if err != nil {
		t.Fatal(err)
	}
	plain := client{t, admin.url, text}
	plain.must("GET", "/users/plain", nil, nil)
	plain.must("GET", "/users/plain/token", nil, nil)
	if got := plain.do("GET", "/users", nil); string(got.body) != "[]" || plain.do("HEAD", "/users", nil).header.Get("X-Drp-List-Total-Count") != "0" {
		t.Errorf("who may not list gets %s, want []", got.body)
	}
	if got := plain.do("GET", "/users/rocketskates", nil).status; got != http.StatusNotFound {
		t.Errorf("another user: got %d, want 404", got)
	}
	admin.must("PATCH", "/users/plain", `[{"op":"add","path":"/Roles/-","value":"looker"}]`, nil)
	var list []models.User
	if plain.must("GET", "/users", nil, &list); len(list) != 2 {
		t.Errorf("who may get everybody gets %d users in a list, want 2", len(list))
	}
}

// TestNobodyGivesAwayWhatHeDoesNotHave: by a role, a user, a password or a task, in whatever verb; what
// he has he may give, and he may change the rest of what others have given more to.
func TestNobodyGivesAwayWhatHeDoesNotHave(t *testing.T) {
	a, admin, _ := start(t, config(t))
	admin.must("POST", "/roles", `{"Name":"reader","Claims":[{"scope":"machines","action":"get","specific":"*"}]}`, nil)
	admin.must("POST", "/roles", `{"Name":"keeper","Claims":[{"scope":"users,roles,tasks","action":"*","specific":"*"},{"scope":"machines","action":"get","specific":"*"}]}`, nil)
	admin.must("POST", "/users", `{"Name":"kim","Roles":["keeper"]}`, nil)
	admin.must("POST", "/users", `{"Name":"ann","Roles":["superuser"]}`, nil)
	admin.must("POST", "/users", `{"Name":"bob"}`, nil)
	admin.must("POST", "/tasks", `{"Name":"mighty","ExtraRoles":["superuser"],"ExtraClaims":[{"scope":"*","action":"*","specific":"*"}]}`, nil)
	text, err := a.auth.UserToken(auth.System(), "kim", auth.Request{})
	if err != nil {
		t.Fatal(err)
	}
	kim := client{t, admin.url, text}
	const all, some = `{"scope":"*","action":"*","specific":"*"}`, `{"scope":"machines","action":"get","specific":"*"}`
	for _, c := range []struct {
		method, path, body string
		status             int
	}{
		{"POST", "/roles", `{"Name":"r1","Claims":[` + all + `]}`, 403},
		{"POST", "/roles", `{"Name":"r1","Claims":[` + some + `,{"scope":"machines","action":"getSecure","specific":"*"}]}`, 403},
		{"POST", "/roles", `{"Name":"r1","Claims":[` + some + `]}`, 201},
		{"PUT", "/roles/r1", `{"Name":"r1","Claims":[` + all + `]}`, 403},
		{"PATCH", "/roles/keeper", `[{"op":"add","path":"/Claims/-","value":` + all + `}]`, 403},
		{"POST", "/users", `{"Name":"u1","Roles":["superuser"]}`, 403},
		{"POST", "/users", `{"Name":"u1","Roles":["reader"]}`, 201},
		{"PUT", "/users/u1", `{"Name":"u1","Roles":["superuser"]}`, 403},
		{"PATCH", "/users/kim", `[{"op":"add","path":"/Roles/-","value":"superuser"}]`, 403},
		{"PATCH", "/users/kim", `[{"op":"add","path":"/Roles/-","value":"to-come"}]`, 403},
		{"PATCH", "/users/ann", `[{"op":"add","path":"/Description","value":"x"}]`, 200},
		{"PUT", "/users/ann/password", `{"Password":"x"}`, 403},
		{"PUT", "/users/bob/password", `{"Password":"x"}`, 200},
		{"POST", "/tasks", `{"Name":"t1","ExtraClaims":[` + all + `]}`, 403},
		{"POST", "/tasks", `{"Name":"t1","ExtraRoles":["superuser"]}`, 403},
		{"POST", "/tasks", `{"Name":"t1","ExtraRoles":["reader"],"ExtraClaims":[` + some + `]}`, 201},
		{"PATCH", "/tasks/t1", `[{"op":"add","path":"/ExtraRoles/-","value":"superuser"}]`, 403},
		{"PATCH", "/tasks/mighty", `[{"op":"add","path":"/Description","value":"x"}]`, 200},
		{"PUT", "/users/kim/password", `{"Password":"x"}`, 200}, // ends the token too
	} {
		if got := kim.do(c.method, c.path, c.body); got.status != c.status {
			t.Errorf("%s %s %s: got %d %s, want %d", c.method, c.path, c.body, got.status, got.body, c.status)
		}
	}
}

// TestWhatSignsTokensIsForThoseWhoMayDoEverything: who knows or chooses it can make a token that allows
// anything, so neither a reader of all there is nor a setter of preferences may, nor a master of a tenant.
func TestWhatSignsTokensIsForThoseWhoMayDoEverything(t *testing.T) {
	a, admin, _ := start(t, config(t))
	var clear map[string]string
	admin.must("GET", "/prefs", nil, &clear)
	const mine = "0123456789abcdef0123456789abcdef"
	admin.must("POST", "/roles", `{"Name":"reader","Claims":[{"scope":"*","action":"get,list","specific":"*"},{"scope":"preferences","action":"*","specific":"*"}]}`, nil)
	admin.must("POST", "/users", `{"Name":"reader","Roles":["reader"]}`, nil)
	admin.must("POST", "/users", `{"Name":"tenant","Roles":["superuser"]}`, nil)
	admin.must("POST", "/tenants", `{"Name":"t1","Members":{"machines":[]},"Users":["tenant"]}`, nil)
	for _, name := range []string{"reader", "tenant"} {
		text, err := a.auth.UserToken(auth.System(), name, auth.Request{})
		if err != nil {
			t.Fatal(err)
		}
		who := client{t, admin.url, text}
		var shown map[string]string
		who.must("GET", "/prefs", nil, &shown)
		for _, secret := range []string{"baseTokenSecret", "systemGrantorSecret"} {
			if len(clear[secret]) < 32 || shown[secret] != models.Hidden {
				t.Errorf("%s sees %s: %q", name, secret, shown[secret])
			}
			if got := who.do("POST", "/prefs", `{"`+secret+`":"`+mine+`"}`); got.status != http.StatusForbidden {
				t.Errorf("%s sets %s: %d %s, want 403", name, secret, got.status, got.body)
			}
		}
		who.must("POST", "/prefs", `{"unknownTokenTimeout":"700"}`, nil)
	}
	admin.must("POST", "/prefs", `{"systemGrantorSecret":"`+mine+`"}`, nil)
}
