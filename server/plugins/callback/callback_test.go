package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"drp/models"
)

// TestTheDefinitionIsTakenByAServer.
func TestTheDefinitionIsTakenByAServer(t *testing.T) {
	p := &models.PluginProvider{}
	if err := json.Unmarshal([]byte(definition), p); err != nil {
		t.Fatal(err)
	}
	p.Normalize()
	if bad := p.Validate(); len(bad) > 0 {
		t.Error(bad)
	}
}

// receiver takes events, or refuses them as often as it is told to.
type receiver struct {
	refuse chan bool // one for each request
	got    chan string
	url    string
}

func newReceiver(t *testing.T) *receiver {
	r := &receiver{refuse: make(chan bool, 100), got: make(chan string, 100)}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		if len(r.refuse) > 0 && <-r.refuse {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		r.got <- fmt.Sprint(q.Header.Get("X-DRP-Delivery"), " ", q.Header.Get("X-DRP-Signature"), " ", string(body))
	}))
	t.Cleanup(s.Close)
	r.url = s.URL
	return r
}

// call asks a plugin as the server does.
func call(t *testing.T, h http.Handler, what, body string, status int) string {
	t.Helper()
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("POST", "/api-plugin/v4/"+what, strings.NewReader(body)))
	if w.Code != status || !json.Valid(w.Body.Bytes()) {
		t.Fatalf("%s %s: got %d %s, want %d", what, body, w.Code, w.Body, status)
	}
	return strings.TrimSpace(w.Body.String())
}

func TestEventsArriveInOrderOrAreKept(t *testing.T) {
	r, s := newReceiver(t), newSender()
	s.pause = func(int) time.Duration { return 0 }
	h := s.handler()
	config := fmt.Sprintf(`{"callback/url":%q,"callback/filters":["machines.create,delete.*","*.hello.*"],"callback/secret":"key","callback/tries":3}`, r.url)
	for _, bad := range []string{`{}`, `{"callback/url":"ftp://x"}`, `{"callback/url":"http://x","callback/filters":["machines"]}`, `7`} {
		call(t, h, "config", bad, 422)
	}
	call(t, h, "config", config, 200)
	for _, e := range []string{
		`{"Type":"machines","Action":"update","Key":"m1"}`, `{"Type":"machines","Action":"create","Key":"m1"}`, `{"Type":"a","Action":"hello","Key":"b.c"}`,
	} {
		call(t, h, "publish", e, 200)
	}
	want := `1 sha256=` // of the body, under the key
	if got := <-r.got; !strings.HasPrefix(got, want) || !strings.HasSuffix(got, ` {"Type":"machines","Action":"create","Key":"m1"}`) || len(strings.Fields(got)[1]) != 7+64 {
		t.Errorf("got %s", got)
	}
	if got := <-r.got; !strings.HasPrefix(got, "2 ") || !strings.Contains(got, "b.c") {
		t.Errorf("got %s", got)
	}
	// Two refusals are overcome; three are not.
	for _, no := range []bool{true, true, false, true, true, true, false} {
		r.refuse <- no
	}
	for _, key := range []string{"late", "lost", "next"} {
		call(t, h, "publish", `{"Type":"machines","Action":"create","Key":"`+key+`"}`, 200)
	}
	for _, key := range []string{"late", "next"} {
		if got := <-r.got; !strings.Contains(got, key) {
			t.Errorf("got %s, want %s", got, key)
		}
	}
	var kept []letter
	if err := json.Unmarshal([]byte(call(t, h, "action", `{"Command":"undelivered"}`, 200)), &kept); err != nil || len(kept) != 1 {
		t.Fatalf("%v %v", kept, err)
	}
	if l := kept[0]; l.Tries != 3 || !strings.Contains(l.Error, "502") || !strings.Contains(string(l.Event), "lost") || l.Since.IsZero() {
		t.Errorf("kept: %+v", l)
	}
	if n := call(t, h, "action", `{"Command":"resend"}`, 200); n != "1" {
		t.Errorf("sent once more: %s", n)
	}
	if got := <-r.got; !strings.HasPrefix(got, "4 ") || !strings.Contains(got, "lost") {
		t.Errorf("got %s, want the lost one under its number", got)
	}
	if kept := call(t, h, "action", `{"Command":"undelivered"}`, 200); kept != "[]" {
		t.Errorf("still kept: %s", kept)
	}
	call(t, h, "action", `{"Command":"dance"}`, 422)
	if status := call(t, h, "action", `{"Command":"status"}`, 200); !strings.Contains(status, `"Dropped":0`) {
		t.Errorf("status: %s", status)
	}
}
