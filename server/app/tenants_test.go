package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"drp/models"
	"drp/server/auth"

	"github.com/coder/websocket"
)

// routed are the kinds with lists of their own.
func routed() (names []string) {
	for _, k := range models.Kinds {
		if !k.Internal && k.Name != "preferences" {
			names = append(names, k.Name)
		}
	}
	return names
}

// tenantOf makes a tenant that lists nothing of any kind, with users who may do everything, and
// returns a client for each of them.
func tenantOf(t *testing.T, a *App, admin client, name string, users ...string) []client {
	t.Helper()
	members := map[string][]string{"contents": {}, "preferences": {}}
	for _, kind := range routed() {
		members[kind] = []string{}
	}
	var clients []client
	for _, u := range users {
		admin.must("POST", "/users", models.User{Name: u, Roles: []string{models.Superuser}}, nil)
		token, err := a.auth.UserToken(auth.System(), u, auth.Request{})
		if err != nil {
			t.Fatal(err)
		}
		clients = append(clients, client{t, admin.url, token})
	}
	admin.must("POST", "/tenants", models.Tenant{Name: name, Members: members, Users: users}, nil)
	return clients
}

// TestWhatATenantDoesNotListIsAsGoodAsAbsent: every route of the router, with an object that the
// caller's tenant does not list and with one that is not there, to somebody who may do everything.
func TestWhatATenantDoesNotListIsAsGoodAsAbsent(t *testing.T) {
	a, admin, _ := start(t, config(t))
	hidden := populate(t, admin)
	tina := tenantOf(t, a, admin, "limited", "tina")[0]
	hidden["tenants"] = "limited"
	absent := map[string]string{}
	for kind, id := range hidden {
		if absent[kind] = "absent-" + kind; models.IsUUID(id) {
			absent[kind] = models.NewUUID()
		}
	}
	mask := func(text []byte, ids map[string]string, kind string) string {
		if models.IsUUID(ids[kind]) {
			return strings.ReplaceAll(string(text), ids[kind], "IT")
		}
		return strings.ReplaceAll(string(text), `"`+ids[kind]+`"`, "IT")
	}
	rev, compared := a.objects.View().Rev, 0
	there := routes(t, a, hidden)
	for i, gone := range routes(t, a, absent) {
		r := there[i]
		if r == gone {
			continue
		}
		kind := strings.Split(strings.TrimPrefix(strings.TrimPrefix(r[1], "/meta"), "/"), "/")[0]
		body := sensible(r)
		if r[1] == "/contents/BasicStore" {
			body = `{"meta":{},"sections":{}}`
		}
		for _, query := range []string{"", "?aggregate=true", "?decode=true", "?at=1"} {
			if query != "" && r[0] != "GET" {
				continue
			}
			got, want := tina.do(r[0], r[1]+query, body), tina.do(r[0], gone[1]+query, body)
			if got.status != want.status || mask(got.body, hidden, kind) != mask(want.body, absent, kind) {
				t.Errorf("%s %s%s: got %d %s; want, as for %s, %d %s", r[0], r[1], query, got.status, got.body, gone[1], want.status, want.body)
			}
			compared++
		}
		if got := admin.do("GET", "/"+kind+"/"+hidden[kind], nil); got.status != http.StatusOK {
			t.Fatalf("%s %s has done something to %s: %d %s", r[0], r[1], hidden[kind], got.status, got.body)
		}
	}
	if compared < 150 {
		t.Errorf("%d requests compared; want all routes that name an object", compared)
	}
	for _, kind := range routed() {
		for _, query := range []string{"", "?Available=true", "?sort=Key", "?at=" + strconv.FormatUint(rev, 10)} {
			var list []map[string]any
			tina.must("GET", "/"+kind+query, nil, &list)
			if want := map[bool]int{true: 1}[kind == "users"]; len(list) != want {
				t.Errorf("GET /%s%s: got %d objects, want %d", kind, query, len(list), want)
			}
		}
		head := tina.do("HEAD", "/"+kind, nil).header
		for _, name := range []string{"X-Drp-List-Count", "X-Drp-List-Filter-Count", "X-Drp-List-Total-Count"} {
			if n := head.Get(name); n != "0" && (kind != "users" || n != "1") {
				t.Errorf("HEAD /%s: %s is %s", kind, name, n)
			}
		}
		for _, key := range []string{hidden[kind], absent[kind]} {
			if key == "" {
				continue
			}
			for _, appear := range []bool{false, true} {
				ask := models.Wait{For: models.Predicate{Kind: kind, Key: key, MayAppear: appear}, Timeout: "1ms"}
				text, _ := json.Marshal(ask)
				if o := tina.wait(string(text)); o.Object != nil || o.Reason != kind+"/"+key+" does not exist" {
					t.Errorf("wait for %s/%s: %+v", kind, key, o)
				}
			}
		}
		one := 1
		if o := tina.wait(fmt.Sprintf(`{"For":{"Kind":%q,"AtLeast":%d},"Timeout":"1ms"}`, kind, one)); len(o.Keys) > 0 && kind != "users" {
			t.Errorf("wait for a list of %s tells of %v", kind, o.Keys)
		}
	}
	for _, path := range []string{"/contents", "/prefs"} {
		if got := tina.do("GET", path, nil); len(strings.TrimSpace(string(got.body))) > 2 {
			t.Errorf("GET %s: %s", path, got.body)
		}
	}
	var info models.Info
	tina.must("GET", "/info", nil, &info)
	if info.Stats[0] != (models.Stat{Name: "machines.count"}) {
		t.Errorf("/info counts %+v", info.Stats[0])
	}
	for _, e := range tina.entries("/history?limit=1000") {
		if e.Kind != "users" || e.Key != "tina" {
			t.Errorf("history tells of %s/%s", e.Kind, e.Key)
		}
	}
	for kind, key := range hidden {
		if kind == "contents" || kind == "jobs" {
			continue
		}
		k, _ := models.KindOf(kind)
		body := map[string]any{"Name": "another"}
		body[k.KeyField] = key
		got := tina.do("POST", "/"+kind, body)
		if got.status != http.StatusConflict || !strings.Contains(string(got.body), `"already exists"`) {
			t.Errorf("creating %s/%s, which is there unseen: got %d %s, want 409", kind, key, got.status, got.body)
		}
	}
	if got := tina.do("POST", "/machines", `{"Name":"m1"}`); got.status != http.StatusConflict || strings.Contains(string(got.body), hidden["machines"]) {
		t.Errorf("a machine by the name of an unseen one: got %d %s, want 409 and nothing about it", got.status, got.body)
	}
	if got := tina.do("POST", "/jobs", map[string]any{"Machine": hidden["machines"]}); got.status != http.StatusUnprocessableEntity || !strings.Contains(string(got.body), "does not exist") {
		t.Errorf("a job for an unseen machine: got %d %s", got.status, got.body)
	}
	if now := a.objects.View().Rev; now != rev {
		commits, _ := a.objects.Commits(t.Context(), rev, now)
		for _, c := range commits {
			t.Errorf("something was written: %s %s", c.Who, show(c))
		}
	}
}

// TestWhatAUserOfATenantMakesBelongsToIt, and to nobody else's; and what is deleted is listed no more.
func TestWhatAUserOfATenantMakesBelongsToIt(t *testing.T) {
	a, admin, _ := start(t, config(t))
	both := tenantOf(t, a, admin, "limited", "tina", "tom")
	other := tenantOf(t, a, admin, "another", "ole")[0]
	socket, _, err := websocket.Dial(t.Context(), "wss"+strings.TrimPrefix(admin.url, "https")+"/api/v3/ws?token="+both[1].token,
		&websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.CloseNow()
	event := func() (e models.Event) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, text, err := socket.Read(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(text, &e); err != nil {
			t.Fatal(err)
		}
		return e
	}
	if err := socket.Write(t.Context(), websocket.MessageText, []byte("register *.*.*")); err != nil {
		t.Fatal(err)
	}
	event() // the acknowledgement
	waited := make(chan models.Outcome)
	go func() {
		waited <- both[1].wait(`{"For":{"Kind":"profiles","Key":"ours","MayAppear":true},"Timeout":"1m"}`)
	}()
	waiters(a, 1)
	for _, o := range []struct{ kind, key, body string }{
		{"params", "ours/it", `{"Name":"ours/it"}`},
		{"profiles", "ours", `{"Name":"ours"}`},
		{"tasks", "ours", `{"Name":"ours"}`},
		{"stages", "ours", `{"Name":"ours","Tasks":["ours"]}`},
		{"workflows", "ours", `{"Name":"ours","Stages":["ours"]}`},
		{"templates", "ours", `{"ID":"ours","Contents":"x"}`},
		{"roles", "ours", `{"Name":"ours","Claims":[]}`},
		{"users", "ours", `{"Name":"ours","Roles":["ours"]}`},
		{"tenants", "ours", `{"Name":"ours","Users":["ours"]}`},
		{"machines", "11111111-1111-4111-8111-111111111111", `{"Name":"ours","Uuid":"11111111-1111-4111-8111-111111111111","Profiles":["ours"]}`},
	} {
		admin.must("POST", "/"+o.kind, strings.ReplaceAll(strings.Replace(o.body, "1111", "2222", -1), "ours", "theirs"), nil) // nobody hears of it
		both[0].must("POST", "/"+o.kind, o.body, nil)
		e := event()
		for e.Type == "waits" { // somebody begins or ends to wait
			e = event()
		}
		if e.Type != o.kind || e.Action != "create" || e.Key != o.key {
			t.Fatalf("the fellow hears %s %s %s, want that %s/%s was made", e.Type, e.Action, e.Key, o.kind, o.key)
		}
		var limited models.Tenant
		admin.must("GET", "/tenants/limited", nil, &limited)
		if !slices.Contains(limited.Members[o.kind], o.key) {
			t.Errorf("the tenant lists %v of %s, not %s", limited.Members[o.kind], o.kind, o.key)
		}
		both[1].must("GET", "/"+o.kind+"/"+o.key, nil, nil)
		if got := other.do("GET", "/"+o.kind+"/"+o.key, nil); got.status != http.StatusNotFound {
			t.Errorf("a user of another tenant gets %s/%s: %d", o.kind, o.key, got.status)
		}
		if o.kind == "profiles" {
			if got := <-waited; got.Result != "holds" || got.Object == nil {
				t.Errorf("who has waited for it is told %+v", got)
			}
		}
	}
	machine := "/machines/11111111-1111-4111-8111-111111111111"
	for _, named := range []struct{ path, field, unseen, absent string }{
		{machine, "/Profiles/-", "theirs", "nothing"},
		{machine, "/Tasks/-", "theirs", "nothing"},
		{machine, "/Workflow", "theirs", "nothing"},
		{machine, "/Stage", "theirs", "nothing"},
		{"/stages/ours", "/Tasks/-", "theirs", "nothing"},
		{"/workflows/ours", "/Stages/-", "theirs", "nothing"},
		{"/users/ours", "/Roles/-", models.Superuser, "nothing"},
		{"/tenants/ours", "/Users/-", "theirs", "nothing"},
		{"/tenants/ours", "/Members/machines", "22222222-2222-4222-8222-222222222222", "33333333-3333-4333-8333-333333333333"},
	} {
		add := func(key string) answer {
			value := any(key)
			if strings.HasPrefix(named.field, "/Members") {
				value = []string{key}
			}
			got := both[0].do("PATCH", named.path, []map[string]any{{"op": "add", "path": named.field, "value": value}})
			got.body = []byte(strings.ReplaceAll(string(got.body), key, "IT"))
			return got
		}
		got, want := add(named.unseen), add(named.absent)
		if got.status != want.status || got.status != http.StatusUnprocessableEntity || string(got.body) != string(want.body) {
			t.Errorf("%s%s to an object that is not theirs: got %d %s; want, as for one that is not there, %d %s", named.path, named.field, got.status, got.body, want.status, want.body)
		}
	}
	var job models.Job
	both[0].must("POST", "/tasks", `{"Name":"job-task","Templates":[{"Name":"x","Contents":"#!/bin/sh\n"}]}`, nil)
	event()
	both[0].must("PATCH", machine, `[{"op":"add","path":"/Tasks/-","value":"job-task"}]`, nil)
	event()
	both[0].must("POST", "/jobs", map[string]any{"Machine": "11111111-1111-4111-8111-111111111111"}, &job)
	both[1].must("GET", "/jobs/"+job.Uuid+"/log", nil, nil)
	if got := other.do("GET", "/jobs/"+job.Uuid, nil); got.status != http.StatusNotFound {
		t.Errorf("a user of another tenant gets the job: %d", got.status)
	}
	for e := event(); e.Type != "jobs"; e = event() {
	}
	admin.must("DELETE", "/templates/theirs", nil, nil)
	admin.must("DELETE", "/templates/ours", nil, nil)
	for e := event(); e.Type != "templates" || e.Action != "delete" || e.Key != "ours"; e = event() {
		if e.Type != "machines" && e.Type != "jobs" {
			t.Errorf("the fellow hears %s %s %s, and is to hear that templates/ours is deleted", e.Type, e.Action, e.Key)
		}
	}
	var limited models.Tenant
	admin.must("GET", "/tenants/limited", nil, &limited)
	if len(limited.Members["templates"]) != 0 {
		t.Errorf("what is deleted is still listed: %v", limited.Members["templates"])
	}
	admin.must("POST", "/templates", `{"ID":"ours","Contents":"mine"}`, nil)
	if got := both[0].do("GET", "/templates/ours", nil); got.status != http.StatusNotFound {
		t.Errorf("a later object of the same name is seen: %d", got.status)
	}
}

// TestTenantsKeepTheirUsersApart: one tenant for a user, none that goes while it has users, and the
// limits hold from the next request on, whatever the token or password.
func TestTenantsKeepTheirUsersApart(t *testing.T) {
	a, admin, _ := start(t, config(t))
	admin.must("POST", "/users", `{"Name":"bo","Roles":["superuser"]}`, nil)
	admin.must("PUT", "/users/bo/password", `{"Password":"pw"}`, nil)
	admin.must("POST", "/profiles", `{"Name":"seen"}`, nil)
	token, err := a.auth.UserToken(auth.System(), "bo", auth.Request{})
	if err != nil {
		t.Fatal(err)
	}
	handed := models.UserToken{}
	client{t, admin.url, token}.must("GET", "/users/rocketskates/token", nil, &handed)
	eyes := map[string]client{"token": {t, admin.url, token}, "password": {t, admin.url, "bo:pw"}, "handed on": {t, admin.url, handed.Token}}
	check := func(when string, global, seen int) {
		t.Helper()
		for how, c := range eyes {
			if got := c.do("GET", "/profiles/global", nil).status; got != global {
				t.Errorf("%s, with a %s: GET of what is not listed: %d, want %d", when, how, got, global)
			}
			if got := c.do("GET", "/profiles/seen", nil).status; got != seen {
				t.Errorf("%s, with a %s: GET of what is listed: %d, want %d", when, how, got, seen)
			}
		}
	}
	check("without a tenant", 200, 200)
	admin.must("POST", "/tenants", `{"Name":"t1","Members":{"profiles":["seen"]},"Users":["bo"]}`, nil)
	check("in a tenant", 404, 200)
	for body, want := range map[string]string{
		`{"Name":"t2","Users":["bo"]}`:           "t2: User bo is in tenant t1 already",
		`{"Name":"t2","Users":["nobody"]}`:       "t2: User nobody does not exist",
		`{"Name":"t2","Members":{"machine":[]}}`: "t2: No such object type 'machine'",
		`{"Name":"t2","Users":["{x"]}`:           "t2: Invalid User `{x`",
	} {
		if got := admin.do("POST", "/tenants", body); got.status != http.StatusUnprocessableEntity || !strings.Contains(string(got.body), want) {
			t.Errorf("POST %s: got %d %s, want 422 %s", body, got.status, got.body, want)
		}
	}
	if got := admin.do("DELETE", "/tenants/t1", nil); got.status != http.StatusConflict ||
		!strings.Contains(string(got.body), `"Type":"StillInUseError","Messages":["Constraining Users: [bo]"]`) {
		t.Errorf("deleting a tenant with users: got %d %s", got.status, got.body)
	}
	admin.must("PATCH", "/tenants/t1", `[{"op":"replace","path":"/Members/profiles","value":["global"]}]`, nil)
	check("after the lists have changed", 200, 404)
	admin.must("PATCH", "/tenants/t1", `[{"op":"replace","path":"/Users","value":[]}]`, nil)
	check("out of the tenant", 200, 200)
	admin.must("PATCH", "/tenants/t1", `[{"op":"replace","path":"/Users","value":["bo"]}]`, nil)
	admin.must("DELETE", "/users/bo", nil, nil)
	admin.must("DELETE", "/tenants/t1", nil, nil) // it has no users any more
}

// TestTheLastWhoMayDoEverythingStays: user and role, by deletion and by change.
func TestTheLastWhoMayDoEverythingStays(t *testing.T) {
	_, admin, _ := start(t, config(t))
	refuse := func(method, path, body string, status int) {
		t.Helper()
		if got := admin.do(method, path, body); got.status != status || !strings.Contains(string(got.body), "the last user") {
			t.Errorf("%s %s: got %d %s, want %d", method, path, got.status, got.body, status)
		}
	}
	refuse("DELETE", "/users/rocketskates", "", http.StatusConflict)
	refuse("PATCH", "/users/rocketskates", `[{"op":"replace","path":"/Roles","value":[]}]`, http.StatusUnprocessableEntity)
	refuse("PUT", "/users/rocketskates", `{"Name":"rocketskates"}`, http.StatusUnprocessableEntity)
	admin.must("POST", "/roles", `{"Name":"boss","Claims":[{"scope":"*","action":"*","specific":"*"}]}`, nil)
	admin.must("PATCH", "/users/rocketskates", `[{"op":"replace","path":"/Roles","value":["boss"]}]`, nil)
	refuse("PATCH", "/roles/boss", `[{"op":"replace","path":"/Claims","value":[]}]`, http.StatusUnprocessableEntity)
	admin.must("POST", "/users", `{"Name":"second","Roles":["superuser"]}`, nil)
	admin.must("PATCH", "/roles/boss", `[{"op":"replace","path":"/Claims/0/specific","value":"rocketskates"}]`, nil)
}
