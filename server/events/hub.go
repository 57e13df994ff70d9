// Package events carries committed changes, and what people post, to those who subscribe. One
// that reads too slowly is cut off; it can come back and resume from the revision it saw last.
package events

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"sync/atomic"

	"drp/models"
)

// Message is one event on its way. It is encoded once, whoever gets it.
type Message struct {
	Event   models.Event
	AuthKey string // what claims call the object
	Scope   string // only for those whose claims allow "get" in this scope; "": as Event says
	// Left are the tenants that had the object until this event, of its deletion.
	Left []string
	once sync.Once
	text []byte
}

// Text is the event as JSON.
func (m *Message) Text() []byte {
	m.once.Do(func() {
		text, err := models.Marshal(m.Event)
		if err != nil { // only a posted object that is no JSON
			text = []byte(`{"Type":"websocket","Action":"error","Key":"an event could not be encoded"}`)
		}
		m.text = text
	})
	return m.text
}

// Replay yields the events with revisions above from and up to to, in order.
type Replay func(ctx context.Context, from, to uint64) iter.Seq2[*Message, error]

// Hub hands events to subscribers.
type Hub struct {
	replay Replay
	counts counts

	mu   sync.RWMutex
	rev  uint64
	subs map[*Sub]bool
	shut bool

	follow []func(*Message)
}

// New makes a hub that resumes subscribers through replay.
func New(replay Replay) *Hub { return &Hub{replay: replay, subs: map[*Sub]bool{}} }

// Publish hands events to all who want them and may see them. It never waits for any of them.
// The events of one revision belong into one call: who registers gets all of them or none.
func (h *Hub) Publish(list ...*Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.counts.published.Add(uint64(len(list)))
	for _, m := range list {
		h.rev = max(h.rev, m.Event.Rev)
		for _, fn := range h.follow {
			fn(m)
		}
		for s := range h.subs {
			s.offer(m)
		}
	}
}

// Follow makes fn see every event, in their order. It must be quick, and neither publish nor log.
func (h *Hub) Follow(fn func(*Message)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.follow = append(h.follow, fn)
}

// Subscribers is how many there are.
func (h *Hub) Subscribers() int {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.subs)
}

func (h *Hub) newest() uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.rev
}

// Start tells the hub the newest revision before any event.
func (h *Hub) Start(rev uint64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rev = rev
}

// End cuts off those who came with a token that has been ended.
func (h *Hub) End(token string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.subs {
		if s.token == token {
			s.cut(ended)
		}
	}
}

const ended = "the token has been ended"

// Close cuts everybody off; the server is stopping.
func (h *Hub) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.shut = true
	for s := range h.subs {
		s.cut("the server is stopping")
	}
}

// How far a subscriber may be behind.
const (
	queueLength = 4096     // events
	queueBytes  = 64 << 20 // of their objects
)

// How much one subscriber may ask for: every event is held against all of it.
const (
	maxFilters  = 1024
	filterBytes = 256 << 10
)

// Sub is one subscriber.
type Sub struct {
	hub   *Hub
	sees  func(*Message) bool
	token string // that it came with

	mu      sync.RWMutex
	filters map[string]Filter
	asked   int // bytes of filters
	queue   chan item
	queued  atomic.Int64 // bytes in queue
	gone    chan struct{}
	once    sync.Once
	reason  string
	sent    uint64 // newest revision written in full; belongs to the writer
}

// item is an event, or a stretch of the past to be told first.
type item struct {
	msg      *Message
	from, to uint64
	filter   Filter
	earlier  []Filter // what these select was told before
}

// Subscribe adds a subscriber, or returns nil when the hub is closed. Sees tells what it is
// allowed to see, at the moment of the event.
func (h *Hub) Subscribe(sees func(*Message) bool) *Sub { return h.subscribe(Viewer{Sees: sees}) }

func (h *Hub) subscribe(v Viewer) *Sub {
	s := &Sub{hub: h, sees: v.Sees, token: v.Token, filters: map[string]Filter{}, queue: make(chan item, queueLength), gone: make(chan struct{})}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.shut {
		return nil
	}
	h.subs[s] = true
	return s
}

// Leave ends the subscription.
func (s *Sub) Leave() {
	s.hub.mu.Lock()
	delete(s.hub.subs, s)
	s.hub.mu.Unlock()
	s.cut("")
}

// cut ends the subscription with a reason. What is queued is not delivered.
func (s *Sub) cut(reason string) {
	s.once.Do(func() {
		s.reason = reason
		if reason == tooSlow {
			s.hub.counts.cutOff.Add(1)
		}
		close(s.gone)
	})
}

func (s *Sub) offer(m *Message) {
	if !s.wants(m) {
		return
	}
	s.push(item{msg: m})
}

func (s *Sub) push(it item) {
	if s.queued.Add(it.size()) > queueBytes {
		s.hub.counts.dropped.Add(1)
		s.cut(tooSlow)
		return
	}
	select {
	case s.queue <- it:
		s.hub.counts.queued.Add(1)
	default:
		s.hub.counts.dropped.Add(1)
		s.cut(tooSlow)
	}
}

const tooSlow = "too slow"

// size is about what an item keeps in memory; stretches of the past are read when it is their turn.
func (it *item) size() int64 {
	if it.msg == nil {
		return 0
	}
	return int64(len(it.msg.Event.Object) + len(it.msg.Event.Original))
}

func (s *Sub) wants(m *Message) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, f := range s.filters {
		if f.Match(m.Event.Type, m.Event.Action, m.Event.Key) {
			return s.sees(m)
		}
	}
	return false
}

// register adds a filter and queues its acknowledgement. That tells the newest revision, from
// which a client that loses its connection before any event can resume. When resuming, what was
// missed comes right behind the acknowledgement, which therefore must not tell more than from.
func (s *Sub) register(spec string, from uint64, resume bool) error {
	f, err := ParseFilter(spec)
	if err != nil {
		return err
	}
	s.hub.mu.RLock() // no event passes between the note of the revision and the filter
	defer s.hub.mu.RUnlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	earlier := make([]Filter, 0, len(s.filters))
	for _, e := range s.filters {
		earlier = append(earlier, e)
	}
	_, known := s.filters[spec]
	if !known && (len(s.filters) >= maxFilters || s.asked+len(spec) > filterBytes) {
		return fmt.Errorf("more than %d filters, or %d KiB of them; use lists and * in fewer", maxFilters, filterBytes>>10)
	}
	if !known {
		s.asked += len(spec)
	}
	s.filters[spec] = f
	newest := s.hub.rev
	if resume {
		newest = 0
	}
	s.push(item{msg: ack("register", spec, newest)})
	if resume && !known && from < s.hub.rev {
		s.push(item{from: from, to: s.hub.rev, filter: f, earlier: earlier})
	}
	return nil
}

func (s *Sub) deregister(spec string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, known := s.filters[spec]; known {
		s.asked -= len(spec)
		delete(s.filters, spec)
	}
	s.push(item{msg: ack("deregister", spec, 0)})
}
