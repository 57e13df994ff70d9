package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"drp/models"

	"github.com/coder/websocket"
)

// Stream delivers events. Its methods may be called concurrently.
//
// When its connection breaks it connects again by itself and asks for what has happened since the
// last revision it has seen. What was posted in between without a revision is lost, and so is
// everything when the server keeps no revisions; of a change to several objects, which broke off
// in its midst, some events may come twice: therefore Next then returns an event of type
// Resumed, before any other, and who waits for a state should look again.
type Stream struct {
	c      *Client
	events chan models.Event
	done   chan struct{} // closed when the stream has ended
	cancel context.CancelFunc
	err    error         // why; to be read after done
	turn   chan struct{} // one Add or Remove at a time
	nudge  chan struct{} // an Add or Remove has begun

	mu      sync.Mutex
	conn    *websocket.Conn
	filters []string
	rev     uint64    // the newest seen in full
	pending []message // sent, but not acknowledged yet, in order
}

// message is an Add or a Remove on its way.
type message struct {
	verb, filter string
	acked        chan error
}

// Resumed is the type of the event that tells of a new connection.
const Resumed = "resumed"

// ErrClosed is returned by a stream that was closed.
var ErrClosed = errors.New("the event stream is closed")

// backlog is how many events may wait for a slow reader before the server sees it as slow.
const backlog = 256

// eventLimit is the largest event taken: it holds an object before and after its change.
const eventLimit = 32 << 20

// ackLimit is how long the server may take to acknowledge a filter.
const ackLimit = 30 * time.Second

// Watch opens a stream of the events that match one of the filters, "TYPE.ACTION.KEY" each, where
// a part may be "*" or a comma list. When it returns, the filters are active: no later change is
// missed. ctx bounds the opening only.
func (c *Client) Watch(ctx context.Context, filters ...string) (*Stream, error) {
	s := &Stream{
		c: c, filters: slices.Clone(filters), events: make(chan models.Event, backlog),
		done: make(chan struct{}), turn: make(chan struct{}, 1), nudge: make(chan struct{}, 1),
	}
	early, err := s.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("watch events: %w", err)
	}
	run, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go s.run(run, early)
	return s, nil
}

// Next waits for the next event.
func (s *Stream) Next(ctx context.Context) (models.Event, error) {
	select {
	case e := <-s.events:
		return e, nil
	default:
	}
	select {
	case e := <-s.events:
		return e, nil
	case <-s.done:
		return models.Event{}, s.err
	case <-ctx.Done():
		return models.Event{}, ctx.Err()
	}
}

// Add adds a filter and waits until it is active.
func (s *Stream) Add(ctx context.Context, filter string) error {
	return s.change(ctx, "register", filter, func() { s.filters = append(s.filters, filter) })
}

// Remove removes a filter; events that it let through may still be on their way.
func (s *Stream) Remove(ctx context.Context, filter string) error {
	return s.change(ctx, "deregister", filter, func() { s.drop(filter) })
}

func (s *Stream) drop(filter string) {
	if i := slices.Index(s.filters, filter); i >= 0 {
		s.filters = slices.Delete(s.filters, i, i+1)
	}
}

// Close ends the stream and returns when nothing of it is left.
func (s *Stream) Close() error {
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	s.cancel()
	<-s.done
	conn.CloseNow()
	return nil
}

// change sends one message and waits for its acknowledgement. If the connection breaks meanwhile,
// the new one starts with the changed filters, which serves as one.
func (s *Stream) change(ctx context.Context, verb, filter string, edit func()) error {
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return ctx.Err()
	}
	acked := make(chan error, 1)
	s.mu.Lock()
	edit()
	s.pending = append(s.pending, message{verb, filter, acked})
	conn := s.conn
	s.mu.Unlock()
	select {
	case s.nudge <- struct{}{}:
	default:
	}
	_ = write(conn, verb, filter) // a broken connection shows in run, which replaces it
	select {
	case err := <-acked:
		if err != nil {
			return fmt.Errorf("%s %s: %w", verb, filter, err)
		}
		return nil
	case <-s.done:
		return s.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write has a deadline of its own: a context that ends would take the connection with it.
func write(conn *websocket.Conn, verb, filter string) error {
	ctx, cancel := context.WithTimeout(context.Background(), ackLimit)
	defer cancel()
	return conn.Write(ctx, websocket.MessageText, []byte(verb+" "+filter))
}

// run reads the connection and replaces it when it breaks, until the stream is closed or the
// server stays away.
func (s *Stream) run(ctx context.Context, early []models.Event) {
	defer close(s.done)
	s.err = ErrClosed
	for s.deliver(ctx, early...) {
		broken := s.follow(ctx)
		if ctx.Err() != nil {
			return
		}
		s.refused(broken)
		var err error
		if early, err = s.reconnect(ctx); err != nil {
			if ctx.Err() == nil {
				s.err = fmt.Errorf("event stream: %w", err)
			}
			return
		}
		early = slices.Insert(early, 0, models.Event{Time: time.Now(), Type: Resumed})
	}
}

// follow delivers what arrives until the connection breaks. Events that nobody has taken by then
// come again after the resumption.
func (s *Stream) follow(ctx context.Context) error {
	s.mu.Lock()
	conn := s.conn
	s.mu.Unlock()
	defer conn.CloseNow()
	var queue []models.Event
	for {
		e, err := read(ctx, conn)
		if err != nil {
			return err
		}
		if e.Type == "websocket" {
			if len(queue) == 0 {
				s.saw(e.Complete())
			}
			s.acknowledge(nil)
		} else {
			queue = append(queue, e)
		}
		queue = s.hand(ctx, queue)
	}
}

// hand delivers as much of the queue as it can and returns the rest. It waits for a slow reader,
// but not while that reader waits for an acknowledgement: then that must be read first.
func (s *Stream) hand(ctx context.Context, queue []models.Event) []models.Event {
	for len(queue) > 0 {
		select {
		case s.events <- queue[0]:
			s.saw(queue[0].Complete())
			queue = queue[1:]
			continue
		default:
		}
		if s.awaited() {
			return queue
		}
		select {
		case s.events <- queue[0]:
			s.saw(queue[0].Complete())
			queue = queue[1:]
		case <-s.nudge:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// awaited tells whether someone waits for an acknowledgement.
func (s *Stream) awaited() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.pending) > 0
}

func read(ctx context.Context, conn *websocket.Conn) (models.Event, error) {
	var e models.Event
	_, raw, err := conn.Read(ctx)
	if err == nil {
		err = json.Unmarshal(raw, &e)
	}
	return e, err
}

// deliver hands events to Next, false when the stream is closed first.
func (s *Stream) deliver(ctx context.Context, events ...models.Event) bool {
	for _, e := range events {
		select {
		case s.events <- e:
		case <-ctx.Done():
			return false
		}
		s.saw(e.Complete())
	}
	return true
}

// saw notes how far the stream has come.
func (s *Stream) saw(rev uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rev = max(s.rev, rev)
}

// acknowledge answers the oldest message.
func (s *Stream) acknowledge(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) > 0 {
		s.pending[0].acked <- err
		s.pending = s.pending[1:]
	}
}

// refused takes back a filter that the server has closed the connection over.
func (s *Stream) refused(broken error) {
	var closed websocket.CloseError
	if !errors.As(broken, &closed) || closed.Code != websocket.StatusPolicyViolation || strings.Contains(closed.Reason, "token") {
		return
	}
	s.mu.Lock()
	if len(s.pending) > 0 {
		s.drop(s.pending[0].filter)
	}
	s.mu.Unlock()
	s.acknowledge(errors.New(closed.Reason))
}

// reconnect tries as long as a request would.
func (s *Stream) reconnect(ctx context.Context) (early []models.Event, err error) {
	for try := 0; ; try++ {
		if early, err = s.connect(ctx); err == nil || ctx.Err() != nil || try == len(s.c.pauses) || hopeless(err) {
			return early, err
		}
		if class := models.ClassOf(err); class != models.Internal && class != models.Busy {
			return nil, err
		}
		if err := sleep(ctx, s.c.pauses[try]); err != nil {
			return nil, err
		}
	}
}

// connect opens a connection, registers all filters and returns what arrived meanwhile. The
// messages that were on their way count as acknowledged: their filters are among them.
func (s *Stream) connect(ctx context.Context) ([]models.Event, error) {
	s.mu.Lock()
	filters, rev, pending := slices.Clone(s.filters), s.rev, len(s.pending)
	s.mu.Unlock()
	conn, err := s.c.dial(ctx, rev)
	if err != nil {
		return nil, err
	}
	if rev > 0 && len(filters) > 0 {
		// What a filter has missed comes behind its acknowledgement. The last one once more makes
		// us wait for all of it: else an event of one filter could stand for revisions of which
		// another still has something to tell.
		filters = append(filters, filters[len(filters)-1])
	}
	early, newest, err := registerAll(ctx, conn, filters)
	if err != nil {
		conn.CloseNow()
		return nil, err
	}
	s.saw(newest)
	for range pending {
		s.acknowledge(nil)
	}
	s.mu.Lock()
	s.conn = conn
	late := slices.Clone(s.pending) // sent to the old connection since
	s.mu.Unlock()
	for _, m := range late {
		_ = write(conn, m.verb, m.filter) // a broken connection shows in follow
	}
	return early, nil
}

// registerAll registers filters one after the other. It returns the events that came meanwhile,
// and the newest revision of an acknowledgement: those up to it are not missed any more, for they
// are returned or were no business of these filters.
func registerAll(ctx context.Context, conn *websocket.Conn, filters []string) (early []models.Event, newest uint64, err error) {
	ctx, cancel := context.WithTimeout(ctx, ackLimit)
	defer cancel()
	for _, f := range filters {
		if err := write(conn, "register", f); err != nil {
			return nil, 0, fmt.Errorf("register %s: %w", f, err)
		}
		for {
			e, err := read(ctx, conn)
			if err != nil {
				return nil, 0, fmt.Errorf("register %s: %w", f, err)
			}
			if e.Type == "websocket" {
				newest = max(newest, e.Rev)
				break
			}
			early = append(early, e)
		}
	}
	return early, newest, nil
}

// dial opens the websocket. A token that is refused is replaced once.
func (c *Client) dial(ctx context.Context, rev uint64) (*websocket.Conn, error) {
	for again := false; ; again = true {
		auth, renewable, err := c.credentials(ctx)
		if err != nil {
			return nil, err
		}
		header := http.Header{"Authorization": {auth}}
		c.trace(header)
		conn, resp, err := websocket.Dial(ctx, c.eventsURL(rev), &websocket.DialOptions{HTTPClient: c.ws, HTTPHeader: header})
		if err == nil {
			conn.SetReadLimit(eventLimit)
			return conn, nil
		}
		if resp == nil || resp.StatusCode < 400 {
			return nil, err
		}
		if renewable && !again && refuses(resp) {
			c.forget(auth)
			continue
		}
		return nil, failure(&request{method: http.MethodGet, path: "ws"}, resp)
	}
}
