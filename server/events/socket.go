package events

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"drp/models"

	"github.com/coder/websocket"
)

// ack is the one event of type "websocket" that answers each register and deregister. Clients
// count them. Rev, if not 0, is the revision up to which nothing more will come.
func ack(action, spec string, rev uint64) *Message {
	return &Message{Event: models.Event{Time: time.Now().UTC(), Type: "websocket", Action: action, Key: spec, Rev: rev}}
}

// Protocol is the subprotocol of the websocket. A client that offers it may offer bearer.TOKEN beside
// it, and needs no other credentials.
const Protocol = "drp.events"

// TokenOf is the token that stands among the subprotocols that a client offers.
func TokenOf(r *http.Request) (token string, ok bool) {
	for _, line := range r.Header.Values("Sec-WebSocket-Protocol") {
		for _, offer := range strings.Split(line, ",") {
			if token, ok = strings.CutPrefix(strings.TrimSpace(offer), "bearer."); ok {
				return token, true
			}
		}
	}
	return "", false
}

const (
	readLimit    = 64 << 10
	writeTimeout = 15 * time.Second
	pingEvery    = 30 * time.Second
)

// Viewer is somebody who has been let in.
type Viewer struct {
	Sees    func(*Message) bool // at the moment of the event
	Expires time.Time           // when to end; zero: never
	// Token is what Hub.End calls it by, and Good tells whether it is still let in; nil: yes.
	Token string
	Good  func() bool
}

// Serve speaks the websocket protocol on a request that has been authenticated, until the
// client leaves, is too slow, or its token expires or is ended. The query's rev=N makes every
// register deliver first what it selects of the changes after revision N; a client that knows a later one than
// the server is cut off, and has to begin anew.
func (h *Hub) Serve(w http.ResponseWriter, r *http.Request, viewer Viewer) {
	from, resume, err := resumeFrom(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	// A browser adds a password it knows to requests that other sites' pages make, but no token:
	// with a password, a page must be of this server.
	anyOrigin := !strings.HasPrefix(r.Header.Get("Authorization"), "Basic ")
	conn, err := websocket.Accept(w, r, &websocket.AcceptOptions{InsecureSkipVerify: anyOrigin, Subprotocols: []string{Protocol}})
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(readLimit)
	if newest := h.newest(); from > newest { // restored to an earlier state: what the client knows is another past
		conn.Close(websocket.StatusTryAgainLater, fmt.Sprintf("cannot resume from revision %d: the newest is %d", from, newest))
		return
	}
	sub := h.subscribe(viewer)
	if sub == nil {
		conn.Close(websocket.StatusGoingAway, "the server is stopping")
		return
	}
	if viewer.Good != nil && !viewer.Good() { // ended just before End could find it
		sub.cut(ended)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(r.Context()))
	written := make(chan struct{})
	go func() {
		defer close(written)
		sub.write(ctx, conn, viewer.Expires)
		cancel() // ends the read below
	}()
	sub.read(ctx, conn, from, resume)
	sub.Leave()
	cancel()
	<-written
}

func resumeFrom(r *http.Request) (rev uint64, ok bool, err error) {
	s := r.URL.Query().Get("rev")
	if s == "" {
		return 0, false, nil
	}
	if rev, err = strconv.ParseUint(s, 10, 64); err != nil {
		return 0, false, fmt.Errorf("rev must be a revision, not %q", s)
	}
	return rev, true, nil
}

// read takes the client's messages until the connection ends.
func (s *Sub) read(ctx context.Context, conn *websocket.Conn, from uint64, resume bool) {
	for {
		_, data, err := conn.Read(ctx)
		if err != nil {
			return
		}
		verb, spec, _ := strings.Cut(strings.TrimSpace(string(data)), " ")
		switch verb {
		case "register":
			err = s.register(spec, from, resume)
		case "deregister":
			s.deregister(spec)
		default:
			err = fmt.Errorf("unknown message %.40q: expected register or deregister", verb)
		}
		if err != nil {
			conn.Close(websocket.StatusPolicyViolation, short(err.Error()))
			return
		}
	}
}

// write sends what is queued until the subscription ends.
func (s *Sub) write(ctx context.Context, conn *websocket.Conn, expires time.Time) {
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	var expired <-chan time.Time // nil: never
	if !expires.IsZero() {
		t := time.NewTimer(time.Until(expires))
		defer t.Stop()
		expired = t.C
	}
	for {
		var err error
		select {
		case it := <-s.queue:
			s.queued.Add(-it.size())
			err = s.send(ctx, conn, it)
		case <-ping.C:
			err = within(ctx, conn.Ping)
		case <-s.gone:
			code := websocket.StatusTryAgainLater
			if s.reason == ended {
				code = websocket.StatusPolicyViolation
			}
			conn.Close(code, short(s.farewell()))
			return
		case <-expired:
			conn.Close(websocket.StatusPolicyViolation, "the token has expired")
			return
		case <-ctx.Done():
			return
		}
		if err != nil {
			conn.Close(websocket.StatusTryAgainLater, short(err.Error()))
			return
		}
	}
}

func (s *Sub) farewell() string {
	if s.reason == tooSlow {
		return fmt.Sprintf("too slow: more than %d events or %d MiB behind; resume with ?rev=%d", queueLength, queueBytes>>20, s.sent)
	}
	return s.reason
}

func (s *Sub) send(ctx context.Context, conn *websocket.Conn, it item) error {
	write := func(m *Message) error {
		err := within(ctx, func(ctx context.Context) error { return conn.Write(ctx, websocket.MessageText, m.Text()) })
		if err == nil && m.Event.Rev > 0 {
			s.sent = m.Event.Complete()
		}
		return err
	}
	if it.msg != nil {
		return write(it.msg)
	}
	for m, err := range s.hub.replay(ctx, it.from, it.to) {
		if err != nil {
			return fmt.Errorf("cannot resume from revision %d: %w", it.from, err)
		}
		if it.selects(m) && s.sees(m) {
			if err := write(m); err != nil {
				return err
			}
		}
	}
	return nil
}

// selects: what an earlier filter selects too was told on its behalf.
func (it *item) selects(m *Message) bool {
	e := &m.Event
	for _, f := range it.earlier {
		if f.Match(e.Type, e.Action, e.Key) {
			return false
		}
	}
	return it.filter.Match(e.Type, e.Action, e.Key)
}

func within(ctx context.Context, fn func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	return fn(ctx)
}

// short fits a reason into a close frame, which holds 123 bytes.
func short(s string) string {
	if len(s) > 120 {
		return s[:117] + "..."
	}
	return s
}
