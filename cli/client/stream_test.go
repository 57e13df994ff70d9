package client

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"drp/models"

	"github.com/coder/websocket"
)

// hub is the server's end of event streams, driven by the test.
type hub struct {
	*fake
	conns chan *end
}

// end is the server's end of one connection.
type end struct {
	*websocket.Conn
	query string
	t     *testing.T
}

func newHub(t *testing.T) *hub {
	h := &hub{conns: make(chan *end, 8)}
	h.fake = newFake(t, func(w http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		h.conns <- &end{conn, r.URL.RawQuery, t}
		<-t.Context().Done()
	})
	return h
}

func (e *end) expect(want string) {
	e.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, raw, err := e.Read(ctx)
	if err != nil || string(raw) != want {
		e.t.Errorf("server received %q, %v; want %q", raw, err, want)
	}
}

func (e *end) send(ev models.Event) {
	e.t.Helper()
	raw, err := json.Marshal(ev)
	if err == nil {
		err = e.Write(context.Background(), websocket.MessageText, raw)
	}
	if err != nil {
		e.t.Error(err)
	}
}

func (e *end) ack() { e.send(models.Event{Type: "websocket", Action: "register"}) }

// watch opens a stream of two filters and hands over the server's end.
func (h *hub) watch(t *testing.T) (*Stream, *end) {
	t.Helper()
	type result struct {
		*Stream
		error
	}
	opened := make(chan result, 1)
	c := h.client(Config{})
	go func() {
		s, err := c.Watch(context.Background(), "machines.*.*", "jobs.*.*")
		opened <- result{s, err}
	}()
	e := <-h.conns
	e.expect("register machines.*.*")
	select {
	case <-opened:
		t.Fatal("Watch has returned before the filters were acknowledged")
	default:
	}
	e.send(models.Event{Type: "machines", Key: "early", Rev: 5})
	e.ack()
	e.expect("register jobs.*.*")
	e.ack()
	r := <-opened
	if r.error != nil {
		t.Fatal(r.error)
	}
	t.Cleanup(func() { r.Close() })
	return r.Stream, e
}

func next(t *testing.T, s *Stream) models.Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	e, err := s.Next(ctx)
	if err != nil {
		t.Fatalf("Next: %v", err)
	}
	return e
}

func TestEventsArriveInOrderAndAcksDoNot(t *testing.T) {
	h := newHub(t)
	s, e := h.watch(t)
	e.send(models.Event{Type: "jobs", Key: "later", Rev: 6})
	same(t, "first", next(t, s).Key, "early")
	same(t, "second", next(t, s).Key, "later")
}

func TestNextGivesUpWithoutHarm(t *testing.T) {
	h := newHub(t)
	s, e := h.watch(t)
	next(t, s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	e.send(models.Event{Type: "jobs", Key: "still here"})
	same(t, "after giving up", next(t, s).Key, "still here")
}

func TestAddWaitsForItsAcknowledgement(t *testing.T) {
	h := newHub(t)
	s, e := h.watch(t)
	next(t, s)
	added := make(chan error, 1)
	go func() { added <- s.Add(context.Background(), "tasks.*.*") }()
	e.expect("register tasks.*.*")
	select {
	case err := <-added:
		t.Fatalf("Add has returned before its acknowledgement: %v", err)
	default:
	}
	e.ack()
	if err := <-added; err != nil {
		t.Error(err)
	}
	go func() { added <- s.Remove(context.Background(), "tasks.*.*") }()
	e.expect("deregister tasks.*.*")
	e.ack()
	if err := <-added; err != nil {
		t.Error(err)
	}
}

func TestAddGetsThroughABacklog(t *testing.T) {
	h := newHub(t)
	s, e := h.watch(t)
	next(t, s)
	const many = 3 * backlog
	for i := range many {
		e.send(models.Event{Type: "jobs", Rev: uint64(10 + i)})
	}
	added := make(chan error, 1)
	go func() { added <- s.Add(context.Background(), "tasks.*.*") }()
	e.expect("register tasks.*.*")
	e.ack()
	if err := <-added; err != nil {
		t.Error(err)
	}
	for i := range many {
		if got := next(t, s).Rev; got != uint64(10+i) {
			t.Fatalf("event %d: got revision %d, want %d", i, got, 10+i)
		}
	}
}

func TestAbandonedAddDoesNotTakeTheNextAcknowledgement(t *testing.T) {
	h := newHub(t)
	s, e := h.watch(t)
	ctx, cancel := context.WithCancel(t.Context())
	added := make(chan error, 1)
	go func() { added <- s.Add(ctx, "a.*.*") }()
	e.expect("register a.*.*")
	cancel()
	<-added
	go func() { added <- s.Add(context.Background(), "b.*.*") }()
	e.expect("register b.*.*")
	e.ack() // that of a
	e.send(models.Event{Type: "jobs", Key: "between"})
	next(t, s) // early
	same(t, "event", next(t, s).Key, "between")
	select {
	case err := <-added:
		t.Fatalf("the second Add took the first one's acknowledgement: %v", err)
	default:
	}
	e.ack()
	if err := <-added; err != nil {
		t.Error(err)
	}
}

func TestBrokenStreamResumesFromItsRevision(t *testing.T) {
	h := newHub(t)
	s, e := h.watch(t)
	next(t, s)
	e.send(models.Event{Type: "jobs", Key: "seen", Rev: 9})
	next(t, s)
	e.CloseNow()
	e = <-h.conns
	same(t, "query of the new connection", e.query, "rev=9")
	e.expect("register machines.*.*")
	e.send(models.Event{Type: "jobs", Key: "missed", Rev: 10})
	e.ack()
	e.expect("register jobs.*.*")
	e.ack()
	e.expect("register jobs.*.*")
	e.ack()
	same(t, "first", next(t, s).Type, Resumed)
	same(t, "second", next(t, s).Key, "missed")
}

func TestStreamThatHasSeenNoEventResumesFromItsAcknowledgement(t *testing.T) {
	h := newHub(t)
	c := h.client(Config{})
	go func() {
		e := <-h.conns
		e.expect("register jobs.*.*")
		e.send(models.Event{Type: "websocket", Action: "register", Rev: 7})
		e.expect("register tasks.*.*")
		e.send(models.Event{Type: "websocket", Action: "register", Rev: 8})
		e.CloseNow()
	}()
	s, err := c.Watch(t.Context(), "jobs.*.*", "tasks.*.*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	e := <-h.conns
	same(t, "query of the new connection", e.query, "rev=8")
}

// TestResumptionThatBreaksIsRepeatedFromTheStart: the first filter's past is told in full, the
// second one's is not, and both are asked for again.
func TestResumptionThatBreaksIsRepeatedFromTheStart(t *testing.T) {
	h := newHub(t)
	s, e := h.watch(t)
	next(t, s)
	e.CloseNow()
	e = <-h.conns
	e.expect("register machines.*.*")
	e.ack()
	e.send(models.Event{Type: "machines", Key: "one", Rev: 20})
	e.expect("register jobs.*.*")
	e.ack()
	e.send(models.Event{Type: "jobs", Key: "two", Rev: 10})
	e.expect("register jobs.*.*")
	e.CloseNow()
	e = <-h.conns
	same(t, "query of the next connection", e.query, "rev=5")
}

func TestAddSurvivesABreak(t *testing.T) {
	h := newHub(t)
	s, e := h.watch(t)
	added := make(chan error, 1)
	go func() { added <- s.Add(context.Background(), "tasks.*.*") }()
	e.expect("register tasks.*.*")
	e.CloseNow()
	e = <-h.conns
	for _, f := range []string{"machines.*.*", "jobs.*.*", "tasks.*.*", "tasks.*.*"} {
		e.expect("register " + f)
		e.ack()
	}
	if err := <-added; err != nil {
		t.Errorf("Add: %v", err)
	}
}

func TestRefusedFilterIsAnErrorAndTheStreamGoesOn(t *testing.T) {
	h := newHub(t)
	s, e := h.watch(t)
	next(t, s)
	added := make(chan error, 1)
	go func() { added <- s.Add(context.Background(), "nonsense") }()
	e.expect("register nonsense")
	go e.Close(websocket.StatusPolicyViolation, "nonsense is not TYPE.ACTION.KEY")
	if err := <-added; err == nil || !strings.Contains(err.Error(), "is not TYPE.ACTION.KEY") {
		t.Errorf("Add: got %v, want the reason", err)
	}
	e = <-h.conns
	for _, f := range []string{"machines.*.*", "jobs.*.*", "jobs.*.*"} {
		e.expect("register " + f)
		e.ack()
	}
	same(t, "event", next(t, s).Type, Resumed)
}

func TestStreamLogsInAgain(t *testing.T) {
	h := newHub(t)
	s, e := h.watch(t)
	next(t, s)
	h.revokeAll()
	go e.Close(websocket.StatusPolicyViolation, "the token has expired")
	e = <-h.conns
	for _, f := range []string{"machines.*.*", "jobs.*.*", "jobs.*.*"} {
		e.expect("register " + f)
		e.ack()
	}
	same(t, "event", next(t, s).Type, Resumed)
	lines := h.asked()
	same(t, "last request", lines[len(lines)-1], "GET ws?rev=5 Bearer token2")
}

func TestStreamEndsWhenTheServerStaysAway(t *testing.T) {
	h := newHub(t)
	s, e := h.watch(t)
	next(t, s)
	h.Listener.Close()
	e.CloseNow()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := s.Next(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("Next: got %v, want the reason", err)
	}
	if err := s.Add(ctx, "x.*.*"); err == nil {
		t.Error("Add to a stream that has ended succeeds")
	}
}

func TestClosedStreamSaysSo(t *testing.T) {
	h := newHub(t)
	s, _ := h.watch(t)
	next(t, s)
	s.Close()
	if _, err := s.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("Next: got %v, want ErrClosed", err)
	}
	if err := s.Add(t.Context(), "x.*.*"); !errors.Is(err, ErrClosed) {
		t.Errorf("Add: got %v, want ErrClosed", err)
	}
	s.Close() // twice is no harm
}

func TestRefusedWatchIsAnError(t *testing.T) {
	f := newFake(t, answer(403, `{"Type":"AUTH","Messages":["no events for you"],"Code":403}`))
	_, err := f.client(Config{}).Watch(t.Context(), "*.*.*")
	if models.ClassOf(err) != models.Forbidden || !strings.Contains(err.Error(), "no events for you") {
		t.Errorf("got %v, want Forbidden with the reason", err)
	}
}
