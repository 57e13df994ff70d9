package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"drp/models"

	"github.com/coder/websocket"
)

// waitsOf is what GET /waits shows.
func (c client) waitsOf() (list []models.Waiting) {
	c.t.Helper()
	c.must("GET", "/waits", nil, &list)
	return list
}

func TestWhoWaitsForWhat(t *testing.T) {
	a, admin, _ := start(t, config(t))
	admin.must("POST", "/profiles", `{"Name":"pp"}`, nil)
	var m models.Machine
	admin.must("POST", "/machines", `{"Name":"m1","Profiles":["pp"]}`, &m)
	var token models.UserToken
	admin.must("GET", "/machines/"+m.Uuid+"/token", nil, &token)
	answers := make(chan models.Outcome)
	go func() {
		body := `{"For":{"Kind":"machines","Key":"` + m.Uuid + `","Path":"/Params/my~1members","AtLeast":3,"Aggregate":true}}`
		answers <- client{t, admin.url, token.Token}.wait(body)
	}()
	waiters(a, 1)

	list := admin.waitsOf()
	if len(list) != 1 || list[0].Machine != m.Uuid || list[0].Who != "machine:"+m.Uuid || list[0].Wait.For.Key != m.Uuid || list[0].Since.IsZero() {
		t.Fatalf("one waits: %+v", list)
	}
	if !strings.Contains(list[0].Reason, "machines/"+m.Uuid) || !strings.Contains(list[0].Reason, "3") {
		t.Errorf("what is missing: %q", list[0].Reason)
	}
	for scope, sees := range map[string]int{"profiles": 0, "machines": 1} {
		if got := reader(t, admin, "one", scope).waitsOf(); len(got) != sees {
			t.Errorf("who may see %s alone sees %d waits, want %d", scope, len(got), sees)
		}
	}
	members, _ := json.Marshal([]string{"a", "b", "c"})
	admin.must("POST", "/profiles/pp/params/my/members", string(members), nil)
	if o := <-answers; o.Result != "holds" {
		t.Errorf("the wait ends with %+v", o)
	}
	if left := admin.waitsOf(); len(left) != 0 {
		t.Errorf("nobody waits any more: %+v", left)
	}
}

// TestALongPollIsAWaitForAnyChange: it stands in the list and in the events, for its job, with the
// same rules about who may see it; and does not when it is answered at once.
func TestALongPollIsAWaitForAnyChange(t *testing.T) {
	a, admin, _ := start(t, config(t))
	ids := populate(t, admin)
	token, err := a.auth.ProfileToken("cluster", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	conn, _, err := websocket.Dial(t.Context(), admin.url+"/api/v3/ws?token="+admin.token, &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	admin.tells(conn, "register waits.*.*")
	told := func(action, key string) {
		t.Helper()
		if e := admin.event(conn); e.Type != "waits" || e.Action != action || key != "" && e.Key != key || e.Principal != "" || string(e.Object) != "null" {
			t.Errorf("the event %+v, want %s %s", e, action, key)
		}
	}

	script := client{t, admin.url, token}
	etag := script.do("GET", "/profiles/cluster", nil).header.Get("ETag")
	for _, prefer := range []string{"", "wait=0"} { // nobody waits, and no event comes before those below
		script.do("GET", "/profiles/cluster", nil, "If-None-Match", etag, "Prefer", prefer)
	}
	script.do("GET", "/profiles/cluster", nil, "If-None-Match", `"0"`, "Prefer", "wait=5m")
	for _, method := range []string{"GET", "HEAD"} {
		etag = script.do("HEAD", "/profiles/cluster", nil).header.Get("ETag")
		answers := make(chan answer)
		go func() {
			answers <- script.do(method, "/profiles/Name:cluster", nil, "If-None-Match", "W/"+etag, "Prefer", "wait=5m", "X-DRP-Job", ids["jobs"])
		}()
		waiters(a, 1)
		told("create", "")
		list := admin.waitsOf()
		if len(list) != 1 {
			t.Fatalf("one waits: %+v", list)
		}
		w := list[0]
		if want := (models.Predicate{Kind: "profiles", Key: "cluster", Since: etag}); !reflect.DeepEqual(w.Wait.For, want) || w.Wait.Timeout != "5m" {
			t.Errorf("waits for %+v", w.Wait)
		}
		if w.Who != "profile:cluster" || w.Machine != ids["machines"] || w.Job != ids["jobs"] || w.Reason != "profiles/cluster: has not changed" {
			t.Errorf("who waits: %+v", w)
		}
		for scopes, sees := range map[string]int{"profiles": 0, "machines": 0, "profiles,machines": 1} {
			if got := reader(t, admin, method, scopes).waitsOf(); len(got) != sees {
				t.Errorf("who may see %s sees %d waits, want %d", scopes, len(got), sees)
			}
		}
		admin.must("PATCH", "/profiles/cluster", `[{"op":"add","path":"/Description","value":"`+method+`"}]`, nil)
		if got := <-answers; got.status != http.StatusOK || got.header.Get("ETag") == etag {
			t.Errorf("%s after the change: %d", method, got.status)
		}
		told("delete", w.Id)
		if left := admin.waitsOf(); len(left) != 0 {
			t.Errorf("nobody waits any more: %+v", left)
		}
	}
}

// reader is a client of a new user who may get what lies in the scopes.
func reader(t *testing.T, admin client, name, scopes string) client {
	t.Helper()
	name = strings.ReplaceAll(name+"-"+scopes, ",", "-")
	admin.must("POST", "/roles", fmt.Sprintf(`{"Name":"r-%s","Claims":[{"scope":%q,"action":"get","specific":"*"}]}`, name, scopes), nil)
	admin.must("POST", "/users", fmt.Sprintf(`{"Name":"u-%s","Roles":["r-%s"]}`, name, name), nil)
	var u models.UserToken
	admin.must("GET", "/users/u-"+name+"/token", nil, &u)
	return client{t, admin.url, u.Token}
}

// TestWhoWaitsIsNotToldToOthers: an event of a wait names nobody, since it goes to all who may see the kind.
func TestWhoWaitsIsNotToldToOthers(t *testing.T) {
	a, admin, _ := start(t, config(t))
	var m models.Machine
	admin.must("POST", "/machines", `{"Name":"m1"}`, &m)
	tina := tenantOf(t, a, admin, "limited", "tina")[0]
	conn := tina.listen("/api/v3/ws", "waits.*.*")
	var token models.UserToken
	admin.must("GET", "/machines/"+m.Uuid+"/token", nil, &token)
	answers := make(chan models.Outcome)
	go func() {
		answers <- client{t, admin.url, token.Token}.wait(`{"For":{"Kind":"machines","Key":"` + m.Uuid + `","Filter":"Description=x"}}`)
	}()
	for _, action := range []string{"create", "delete"} {
		e := tina.event(conn)
		if text, _ := json.Marshal(e); e.Action != action || strings.Contains(string(text), m.Uuid) {
			t.Errorf("told to somebody who does not see the machine: %s", text)
		}
		if got := tina.waitsOf(); len(got) != 0 {
			t.Errorf("and shown: %+v", got)
		}
		if action == "create" {
			admin.must("PATCH", "/machines/"+m.Uuid, `[{"op":"replace","path":"/Description","value":"x"}]`, nil)
		}
	}
	<-answers
}
