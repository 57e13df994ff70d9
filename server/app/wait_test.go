package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"drp/models"
)

// outcome is what the server answers to a wait.
func (c client) wait(body string) models.Outcome {
	c.t.Helper()
	var o models.Outcome
	c.must("POST", "/wait", body, &o)
	return o
}

// waiters returns when so many wait.
func waiters(a *App, n int) {
	for a.objects.Waiters() < n {
		time.Sleep(time.Millisecond)
	}
}

func TestWaitOverHTTP(t *testing.T) {
	a, admin, stop := start(t, config(t))
	admin.must("POST", "/profiles", `{"Name":"pp","Params":{"my/ready":false}}`, nil)
	answers := make(chan models.Outcome)
	ask := func(body string) { go func() { answers <- admin.wait(body) }(); waiters(a, 1) }
	ready := `"For":{"Kind":"profiles","Key":"pp","Tests":[{"op":"test","path":"/Params/my~1ready","value":true}]}`

	if o := admin.wait(`{` + ready + `,"Timeout":"20ms"}`); o.Result != "timeout" || string(o.Missing[0].Found) != "false" || o.Rev == 0 {
		t.Errorf("after its time: %+v", o)
	}
	ask(`{` + ready + `}`)
	admin.must("POST", "/profiles/pp/params/my/ready", `true`, nil)
	if o := <-answers; o.Result != "holds" || !strings.Contains(string(o.Object), `"my/ready":true`) {
		t.Errorf("once it is so: %+v", o)
	}
	ask(`{"For":{"Kind":"machines","AtLeast":2},"Unless":[{"Kind":"profiles","Filter":"my/failed=true"}],"Timeout":"9m"}`)
	admin.must("POST", "/profiles/pp/params/my/failed", `true`, nil)
	if o := <-answers; o.Result != "never" || *o.Unless != 0 || o.Keys[0] != "pp" {
		t.Errorf("once somebody has failed: %+v", o)
	}
	ask(`{"For":{"Kind":"machines","AtLeast":2}}`)
	for i := range 2 {
		admin.must("POST", "/machines", fmt.Sprintf(`{"Name":"m%d"}`, i), nil)
	}
	if o := <-answers; o.Result != "holds" || *o.Count != 2 {
		t.Errorf("once there are two: %+v", o)
	}
	ask(`{"For":{"Kind":"profiles","Key":"pp","Tests":[{"op":"defined","path":"/Params/none"}]}}`)
	admin.must("DELETE", "/profiles/pp", nil, nil)
	if o := <-answers; o.Result != "never" {
		t.Errorf("once it is gone: %+v", o)
	}
	ask(`{"For":{"Kind":"machines","AtLeast":3}}`)
	go stop()
	if o := <-answers; o.Result != "again" {
		t.Errorf("once the server stops: %+v", o)
	}
	stop()
}

func TestSenselessWaitsAreRefused(t *testing.T) {
	_, admin, _ := start(t, config(t))
	for body, status := range map[string]int{
		``: 400, `{`: 400, `null`: 400, `[]`: 400, `{}`: 400, `{"for":5}`: 400,
		`{"For":{"Kind":"profiles"}} {}`:                                             400,
		`{"For":{"Kind":"profiles","Key":"pp","Test":[]}}`:                           400, // misspelt: it would hold at once
		`{"For":{"Kind":"profiles","Key":"pp","Tests":[{"op":"x"}]}}`:                400,
		`{"For":{"Kind":"profiles","Key":"pp"},"Timeout":"soon"}`:                    400,
		`{"For":{"Kind":"profiles","Filter":"limit=3"}}`:                             406,
		`{"For":{"Kind":"freds"}}`:                                                   404,
		`{"For":{"Kind":"preferences","Key":"baseTokenSecret"}}`:                     404,
		`{"For":{"Kind":"profiles"},"Unless":[` + strings.Repeat(`{},`, 20) + `{}]}`: 400,
	} {
		got := admin.do("POST", "/wait", body)
		if got.status != status {
			t.Errorf("%s: got %d %s, want %d", body, got.status, got.body, status)
		}
		envelope(t, got)
	}
}

// TestATokenWaitsForWhatItMaySee: that of a profile for this one, that of a machine for itself;
// all else is as if it were not there, or refused.
func TestATokenWaitsForWhatItMaySee(t *testing.T) {
	a, admin, _ := start(t, config(t))
	ids := populate(t, admin)
	narrow, err := a.auth.ProfileToken("cluster", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for body, status := range map[string]int{
		`{"For":{"Kind":"profiles","Key":"cluster"}}`:                                                    200,
		`{"For":{"Kind":"profiles","Key":"Name:cluster"}}`:                                               200,
		`{"For":{"Kind":"profiles","Key":"cluster"},"Unless":[{"Kind":"profiles","Key":"Key:cluster"}]}`: 200,
		`{"For":{"Kind":"profiles","Key":"other"}}`:                                                      403,
		`{"For":{"Kind":"profiles","Key":"nothing","MayAppear":true}}`:                                   403,
		`{"For":{"Kind":"profiles"}}`:                                                                    403,
		`{"For":{"Kind":"profiles","Filter":"Name=cluster"}}`:                                            403,
		`{"For":{"Kind":"params","Key":"my/leader"}}`:                                                    403,
		`{"For":{"Kind":"profiles","Key":"cluster"},"Unless":[{"Kind":"machines"}]}`:                     403,
	} {
		if got := (client{t, admin.url, narrow}).do("POST", "/wait", body); got.status != status {
			t.Errorf("profile token, %s: got %d %s, want %d", body, got.status, got.body, status)
		}
	}
	var m2 models.Machine
	admin.must("POST", "/machines", `{"Name":"m2"}`, &m2)
	var token models.UserToken
	admin.must("GET", "/machines/"+ids["machines"]+"/token", nil, &token)
	machine := client{t, admin.url, token.Token}
	for _, id := range []string{ids["machines"], m2.Uuid, models.NewUUID(), "Name:m1", "Name:m2"} {
		o := machine.wait(`{"For":{"Kind":"machines","Key":"` + id + `"}}`)
		if seen := machine.do("GET", "/machines/"+id, nil).status == http.StatusOK; seen != (o.Result == "holds") || !seen && o.Result != "never" {
			t.Errorf("machine token, %s: GET shows it: %v; the wait says %+v", id, seen, o)
		}
	}
	if o := machine.wait(`{"For":{"Kind":"machines","AtLeast":2},"Timeout":"0"}`); *o.Count != 1 || o.Keys[0] != ids["machines"] {
		t.Errorf("a machine counts %+v", o)
	}
}

// TestAWaitEndsWithItsToken: when it expires, and when it is taken back.
func TestAWaitEndsWithItsToken(t *testing.T) {
	a, admin, _ := start(t, config(t))
	ids := populate(t, admin)
	never := `{"For":{"Kind":"machines","Key":"` + ids["machines"] + `","Tests":[{"op":"test","path":"/Description","value":"x"}]}}`
	var short models.UserToken
	admin.must("GET", "/machines/"+ids["machines"]+"/token?ttl=1", nil, &short)
	if got := (client{t, admin.url, short.Token}).do("POST", "/wait", never); got.status != 403 || !strings.Contains(string(got.body), "expired") {
		t.Errorf("expired: got %d %s", got.status, got.body)
	}
	var token models.UserToken
	admin.must("PUT", "/users/ann/password", `{"Password":"x"}`, nil)
	admin.must("GET", "/users/ann/token", nil, &token)
	answers := make(chan answer, 2)
	etag := admin.do("GET", "/machines/"+ids["machines"], nil).header.Get("ETag")
	go func() { answers <- client{t, admin.url, token.Token}.do("POST", "/wait", never) }()
	go func() {
		answers <- client{t, admin.url, token.Token}.do("GET", "/machines/"+ids["machines"], nil, "If-None-Match", etag, "Prefer", "wait=5m")
	}()
	waiters(a, 2)
	admin.must("PUT", "/users/ann/password", `{"Password":"y"}`, nil)
	admin.must("PATCH", "/machines/"+ids["machines"], `[{"op":"replace","path":"/Description","value":"x"}]`, nil)
	for range 2 {
		if got := <-answers; got.status != 403 || !strings.Contains(string(got.body), "revoked") {
			t.Errorf("revoked: got %d %s", got.status, got.body)
		}
	}
	admin.must("GET", "/users/ann/token", nil, &token)
	go func() {
		answers <- client{t, admin.url, token.Token}.do("POST", "/wait", strings.Replace(never, `"x"`, `"z"`, 1))
	}()
	waiters(a, 1)
	admin.must("PATCH", "/roles/reader", `[{"op":"replace","path":"/Claims/0/scope","value":"machines,tasks"}]`, nil)
	admin.must("PATCH", "/machines/"+ids["machines"], `[{"op":"replace","path":"/Description","value":"z"}]`, nil)
	var o models.Outcome
	if got := <-answers; json.Unmarshal(got.body, &o) != nil || o.Result != "again" || o.Object != nil {
		t.Errorf("with other rights: got %d %s", got.status, got.body)
	}
}

func TestLongPollsTakeTheHeadersOfTheStandards(t *testing.T) {
	_, admin, _ := start(t, config(t))
	admin.must("POST", "/profiles", `{"Name":"pp"}`, nil)
	etag := admin.do("GET", "/profiles/pp", nil).header.Get("ETag")
	for _, have := range []string{etag, "W/" + etag, `"0", ` + etag, "*"} {
		for _, prefer := range []string{"", "wait=20ms", `WAIT="20ms"`, "respond-async, wait=20ms", "handling=lenient; wait=0"} {
			got := admin.do("GET", "/profiles/pp", nil, "If-None-Match", have, "Prefer", prefer)
			if got.status != http.StatusNotModified || got.header.Get("ETag") != etag {
				t.Errorf("If-None-Match %s, Prefer %s: got %d with ETag %s", have, prefer, got.status, got.header.Get("ETag"))
			}
		}
		if got := admin.do("GET", "/profiles/pp", nil, "If-None-Match", have, "Prefer", "wait=long"); got.status != http.StatusBadRequest {
			t.Errorf("Prefer: wait=long: got %d", got.status)
		}
	}
	for _, have := range []string{`"0"`, "", etag + "x"} {
		if got := admin.do("GET", "/profiles/pp", nil, "If-None-Match", have, "Prefer", "wait=5m"); got.status != http.StatusOK || got.header.Get("ETag") != etag {
			t.Errorf("If-None-Match %s: got %d", have, got.status)
		}
	}
}
