package app

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"drp/models"
	"drp/server/auth"
)

// TestAHostFindsItsMachine and its token: the one it resembles most, and none that it does not.
func TestAHostFindsItsMachine(t *testing.T) {
	a, admin, _ := start(t, config(t))
	var near, far models.Machine
	admin.must("POST", "/machines", `{"Name":"far","HardwareAddrs":["52:54:00:00:00:01","52:54:00:00:00:02"]}`, &far)
	admin.must("POST", "/machines", `{"Name":"near","HardwareAddrs":["52:54:00:00:00:01"],"Fingerprint":{"SystemUUID":"4c4c4544-0042-3510-8051-b4c04f4a3132"}}`, &near)
	text, err := a.auth.UnknownToken(time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	unknown := client{t, admin.url, text}
	ask := func(c client, body string) (w models.Whoami) {
		t.Helper()
		c.must("POST", "/whoami", body, &w)
		return w
	}
	w := ask(unknown, `{"Result":{"Score":5000,"Uuid":"x","Token":"y"},"Fingerprint":{"SSNHash":null,"CSNHash":"","CloudInstanceID":"","SystemUUID":"4C4C4544-0042-3510-8051-B4C04F4A3132","MemoryIds":null},`+
		`"MacAddrs":["52:54:00:00:00:02","52:54:00:00:00:01"],"OnDiskUUID":""}`)
	if w.Result.Score != 150 || w.Result.Uuid != near.Uuid || len(w.MacAddrs) != 2 {
		t.Fatalf("got %+v, want machine near with 150", w)
	}
	machine := client{t, admin.url, w.Result.Token}
	machine.must("PATCH", "/machines/"+near.Uuid, `[{"op":"add","path":"/Description","value":"me"}]`, nil)
	if got := machine.do("GET", "/machines/"+far.Uuid, nil).status; got != http.StatusNotFound {
		t.Errorf("the token of near opens far: %d", got)
	}
	if w := ask(unknown, `{"OnDiskUUID":"`+strings.ToUpper(far.Uuid)+`"}`); w.Result.Score != 1000 || w.Result.Uuid != far.Uuid {
		t.Errorf("by the UUID on disk: %+v", w.Result)
	}
	got := unknown.do("POST", "/whoami", `{"MacAddrs":["52:54:00:00:00:02"]}`) // half of far's
	if got.status != http.StatusOK || !strings.HasPrefix(string(got.body), `{"Result":{},"Fingerprint":{"SSNHash":"","CSNHash":"","CloudInstanceID":"","SystemUUID":"","MemoryIds":[]},`) {
		t.Errorf("a host that is like no machine: %d %s", got.status, got.body)
	}

	admin.must("POST", "/roles", `{"Name":"asker","Claims":[{"scope":"machines","action":"whoami","specific":"*"}]}`, nil)
	admin.must("POST", "/users", `{"Name":"asker","Roles":["asker"]}`, nil)
	token, err := a.auth.UserToken(auth.System(), "asker", auth.Request{})
	if err != nil {
		t.Fatal(err)
	}
	asker := client{t, admin.url, token}
	w = ask(asker, `{"OnDiskUUID":"`+near.Uuid+`"}`)
	if got := (client{t, admin.url, w.Result.Token}).do("GET", "/machines/"+near.Uuid, nil).status; w.Result.Uuid != near.Uuid || got != http.StatusNotFound {
		t.Errorf("who may only ask has got a token that opens more: %d", got)
	}
	for name, c := range map[string]client{"a machine": machine, "another user": tenantlessReader(t, a, admin)} {
		if got := c.do("POST", "/whoami", `{}`); got.status != http.StatusForbidden || !strings.Contains(string(got.body), `"Requires: machines whoami "`) {
			t.Errorf("%s asks: %d %s, want 403", name, got.status, got.body)
		}
	}
}

func tenantlessReader(t *testing.T, a *App, admin client) client {
	t.Helper()
	admin.must("POST", "/users", `{"Name":"nobody"}`, nil)
	token, err := a.auth.UserToken(auth.System(), "nobody", auth.Request{})
	if err != nil {
		t.Fatal(err)
	}
	return client{t, admin.url, token}
}
