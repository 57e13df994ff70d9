package events

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/models"

	"github.com/coder/websocket"
)

func all(*Message) bool { return true }

// past is what a server has committed, for replays.
type past struct {
	mu   sync.Mutex
	list []*Message
}

func (p *past) add(h *Hub, typ, action, key string) *Message {
	p.mu.Lock()
	m := &Message{Event: models.Event{Type: typ, Action: action, Key: key, Rev: uint64(len(p.list) + 1), Object: json.RawMessage(`{}`)}, AuthKey: key}
	p.list = append(p.list, m)
	p.mu.Unlock()
	h.Publish(m)
	return m
}

func (p *past) replay(_ context.Context, from, to uint64) iter.Seq2[*Message, error] {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.list[from:to]
	return func(yield func(*Message, error) bool) {
		for _, m := range list {
			if !yield(m, nil) {
				return
			}
		}
	}
}

func serve(t *testing.T, h *Hub, sees func(*Message) bool, expires time.Time) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { h.Serve(w, r, Viewer{Sees: sees, Expires: expires}) }))
	t.Cleanup(srv.Close)
	t.Cleanup(h.Close)
	return srv.URL
}

func dial(t *testing.T, url string) *websocket.Conn {
	t.Helper()
	c, _, err := websocket.Dial(t.Context(), url, nil)
	if err != nil {
		t.Fatal(err)
	}
	c.SetReadLimit(1 << 20)
	t.Cleanup(func() { c.CloseNow() })
	return c
}

func say(t *testing.T, c *websocket.Conn, msg string) {
	t.Helper()
	if err := c.Write(t.Context(), websocket.MessageText, []byte(msg)); err != nil {
		t.Fatal(err)
	}
}

func next(t *testing.T, c *websocket.Conn) models.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, data, err := c.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	var e models.Event
	if err := json.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func text(e models.Event) string { return fmt.Sprintf("%s.%s.%s@%d", e.Type, e.Action, e.Key, e.Rev) }

func TestEachRegisterAndDeregisterIsAcknowledgedOnce(t *testing.T) {
	p := &past{}
	h := New(p.replay)
	c := dial(t, serve(t, h, all, time.Time{}))
	for i, msg := range []string{"register machines.update.u1", "register machines.save.u1", "deregister machines.update.u1", "deregister machines.save.u1", "deregister never.was.there"} {
		say(t, c, msg)
		verb, spec, _ := strings.Cut(msg, " ")
		if e := next(t, c); e.Type != "websocket" || e.Action != verb || e.Key != spec {
			t.Errorf("message %d: got %s, want the acknowledgement of %s", i, text(e), msg)
		}
	}
}

func TestOnlyWhatWasAskedForAndMayBeSeenArrivesOnce(t *testing.T) {
	p := &past{}
	h := New(p.replay)
	sees := func(m *Message) bool { return m.AuthKey != "hidden" }
	c := dial(t, serve(t, h, sees, time.Time{}))
	for _, f := range []string{"machines.*.*", "machines.update.u1,u2", `profiles.save.a\1b\2c\3`} {
		say(t, c, "register "+f)
		next(t, c)
	}
	p.add(h, "machines", "update", "hidden")
	p.add(h, "stages", "update", "u1")
	p.add(h, "profiles", "save", "a.b,c*")
	p.add(h, "profiles", "save", "a")
	p.add(h, "machines", "update", "u1")
	h.Publish(&Message{Event: models.Event{Type: "mine", Action: "post", Key: "x"}})
	p.add(h, "machines", "delete", "u3")
	for _, want := range []string{"profiles.save.a.b,c*@3", "machines.update.u1@5", "machines.delete.u3@6"} {
		if got := text(next(t, c)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	say(t, c, "deregister machines.*.*")
	next(t, c)
	p.add(h, "machines", "delete", "u4")
	p.add(h, "machines", "update", "u2")
	if got, want := text(next(t, c)), "machines.update.u2@8"; got != want {
		t.Errorf("after deregister: got %s, want %s", got, want)
	}
}

// TestAcknowledgementTellsWhereToResume: with its revision nothing is missed even if the
// connection breaks before the first event. The one that resumes has its past still to come.
func TestAcknowledgementTellsWhereToResume(t *testing.T) {
	p := &past{}
	h := New(p.replay)
	url := serve(t, h, all, time.Time{})
	p.add(h, "machines", "update", "before")
	h.Start(uint64(len(p.list)))
	c := dial(t, url)
	say(t, c, "register machines.*.*")
	ack := next(t, c)
	if ack.Rev != 1 {
		t.Errorf("the acknowledgement has revision %d, want 1, the newest", ack.Rev)
	}
	say(t, c, "deregister machines.*.*")
	if e := next(t, c); e.Rev != 0 {
		t.Errorf("deregister is acknowledged with revision %d, want none", e.Rev)
	}
	c.CloseNow()
	p.add(h, "machines", "update", "missed")
	c = dial(t, fmt.Sprintf("%s?rev=%d", url, ack.Rev))
	for _, spec := range []string{"machines.*.*", "machines.*.*", "stages.*.*"} {
		say(t, c, "register "+spec)
	}
	p.add(h, "stages", "update", "live")
	var got []string
	for range 5 {
		got = append(got, text(next(t, c)))
	}
	want := []string{"websocket.register.machines.*.*@0", "machines.update.missed@2", "websocket.register.machines.*.*@0",
		"websocket.register.stages.*.*@0", "stages.update.live@3"}
	if !slices.Equal(got, want) {
		t.Errorf("resumed:\n got %q\nwant %q", got, want)
	}
}

// TestEventsOfOneRevisionStayTogether: who registers while a revision passes sees all of its
// events, if need be by resuming from the acknowledgement, and not a part.
func TestEventsOfOneRevisionStayTogether(t *testing.T) {
	h := New((&past{}).replay)
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for rev := uint64(1); ; rev++ {
			select {
			case <-stop:
				return
			default:
			}
			h.Publish(&Message{Event: models.Event{Type: "machines", Action: "update", Key: "a", Rev: rev}},
				&Message{Event: models.Event{Type: "machines", Action: "update", Key: "b", Rev: rev}})
		}
	}()
	defer func() { close(stop); <-done }()
	for range 200 {
		s := h.Subscribe(all)
		if err := s.register("machines.*.*", 0, false); err != nil {
			t.Fatal(err)
		}
		told, e := (<-s.queue).msg.Event.Rev, (<-s.queue).msg.Event
		s.Leave()
		if e.Key != "a" || e.Rev != told+1 {
			t.Fatalf("acknowledged at revision %d, then came %s", told, text(e))
		}
	}
}

// TestResumingMissesNothingAndRepeatsNothing drops the connection again and again while events
// pass; what arrives is every event once, in order.
func TestResumingMissesNothingAndRepeatsNothing(t *testing.T) {
	p := &past{}
	h := New(p.replay)
	url := serve(t, h, all, time.Time{})
	const n = 400
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range n {
			p.add(h, "machines", "update", fmt.Sprint("k", i%7))
		}
	}()
	last := uint64(0)
	for last < n {
		c := dial(t, fmt.Sprintf("%s?rev=%d", url, last))
		// Overlapping filters, so that a repetition would show.
		say(t, c, "register machines.update.k1,k2,k3")
		say(t, c, "register machines.*.*")
		seen := map[uint64]bool{}
		for start := last; last < min(start+37, n); {
			e := next(t, c)
			if e.Type == "websocket" {
				continue
			}
			if seen[e.Rev] {
				t.Fatalf("revision %d came twice", e.Rev)
			}
			seen[e.Rev] = true
			for seen[last+1] {
				last++
			}
		}
		c.CloseNow()
	}
	<-done
}

func TestSlowSubscriberIsCutOff(t *testing.T) {
	p := &past{}
	h := New(p.replay)
	c := dial(t, serve(t, h, all, time.Time{}))
	say(t, c, "register *.*.*")
	next(t, c)
	big := json.RawMessage(`"` + strings.Repeat("x", 64<<10) + `"`)
	for h.Subscribers() == 1 { // it reads nothing: buffers fill, then the queue
		h.Publish(&Message{Event: models.Event{Type: "machines", Action: "update", Key: "k", Rev: 1, Object: big}})
	}
	for {
		if _, _, err := c.Read(t.Context()); err != nil {
			break
		}
	}
}

func TestExpiredTokenEndsTheConnection(t *testing.T) {
	h := New((&past{}).replay)
	c := dial(t, serve(t, h, all, time.Now().Add(50*time.Millisecond)))
	say(t, c, "register *.*.*")
	next(t, c)
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("got %v, want a policy violation", err)
	}
}

func TestNonsenseIsAnswered(t *testing.T) {
	h := New((&past{}).replay)
	url := serve(t, h, all, time.Time{})
	for _, msg := range []string{"hello", "register", "register a.b", "register .b.c", "register a..c"} {
		c := dial(t, url)
		say(t, c, msg)
		if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
			t.Errorf("%q: got %v, want a policy violation", msg, err)
		}
	}
	res, err := http.Get(url + "?rev=x")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusBadRequest {
		t.Errorf("rev=x: got %d, want 400", res.StatusCode)
	}
}

func TestClosingTheHubEndsEverybody(t *testing.T) {
	h := New((&past{}).replay)
	c := dial(t, serve(t, h, all, time.Time{}))
	say(t, c, "register *.*.*")
	next(t, c)
	h.Close()
	if _, _, err := c.Read(t.Context()); err == nil {
		t.Error("the connection stays")
	}
	if h.Subscribe(all) != nil {
		t.Error("a closed hub takes subscribers")
	}
}

// TestABreakWithinARevisionLosesNothing: who resumes after the first of two events of a revision
// gets the second.
func TestABreakWithinARevisionLosesNothing(t *testing.T) {
	first := &Message{Event: models.Event{Type: "jobs", Action: "create", Key: "j", Rev: 1, More: true}}
	second := &Message{Event: models.Event{Type: "machines", Action: "save", Key: "m", Rev: 1}}
	h := New(func(context.Context, uint64, uint64) iter.Seq2[*Message, error] {
		return func(yield func(*Message, error) bool) { _ = yield(first, nil) && yield(second, nil) }
	})
	h.Start(1)
	c := dial(t, fmt.Sprintf("%s?rev=%d", serve(t, h, all, time.Time{}), first.Event.Complete()))
	say(t, c, "register *.*.*")
	next(t, c)
	for _, want := range []string{"jobs.create.j@1", "machines.save.m@1"} {
		if got := text(next(t, c)); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := second.Event.Complete(); got != 1 {
		t.Errorf("after the last event of revision 1, %d is complete", got)
	}
}

// TestOtherSitesCannotUseAPasswordTheBrowserKnows: a page of another origin needs a token.
func TestOtherSitesCannotUseAPasswordTheBrowserKnows(t *testing.T) {
	url := serve(t, New((&past{}).replay), all, time.Time{})
	for auth, ok := range map[string]bool{"Basic cm9jazpldA==": false, "Bearer abc": true, "": true} {
		_, res, err := websocket.Dial(t.Context(), url, &websocket.DialOptions{HTTPHeader: http.Header{"Origin": {"https://elsewhere.example"}, "Authorization": {auth}}})
		if (err == nil) != ok || !ok && res.StatusCode != http.StatusForbidden {
			t.Errorf("%q: %v", auth, err)
		}
	}
}

// TestNobodyResumesFromTheFuture: the server was restored to an earlier state, and what the client
// knows never was.
func TestNobodyResumesFromTheFuture(t *testing.T) {
	p := &past{}
	h := New(p.replay)
	url := serve(t, h, all, time.Time{})
	p.add(h, "machines", "update", "a")
	for rev, ok := range map[int]bool{0: true, 1: true, 2: false} {
		c := dial(t, fmt.Sprintf("%s?rev=%d", url, rev))
		say(t, c, "register machines.*.*")
		_, _, err := c.Read(t.Context())
		if ok != (err == nil) || !ok && !strings.Contains(err.Error(), "cannot resume from revision 2: the newest is 1") {
			t.Errorf("rev=%d: %v", rev, err)
		}
	}
}
