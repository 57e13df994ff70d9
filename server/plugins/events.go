package plugins

import (
	"context"
	"sync"

	"drp/models"
)

// How far a plugin may be behind with its events.
const (
	queueLength = 4096
	queueBytes  = 16 << 20
)

// queue are events that wait for a plugin. Who puts one in never waits: what a plugin cannot keep
// up with it does not get.
type queue struct {
	mu      sync.Mutex
	waiting [][]byte
	bytes   int
	dropped int
	more    chan struct{}
}

func newQueue() *queue { return &queue{more: make(chan struct{}, 1)} }

func (q *queue) put(text []byte) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) >= queueLength || q.bytes+len(text) > queueBytes {
		q.dropped++
		return
	}
	q.waiting, q.bytes = append(q.waiting, text), q.bytes+len(text)
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// take returns the event that has waited longest; nil: there is none. Dropped is how many were
// dropped since it was asked last.
func (q *queue) take() (text []byte, dropped int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if dropped, q.dropped = q.dropped, 0; len(q.waiting) == 0 {
		return nil, dropped
	}
	text, q.waiting = q.waiting[0], q.waiting[1:]
	q.bytes -= len(text)
	return text, dropped
}

// Publish hands an event to all plugins that are told of events; text is its JSON. It does not
// wait for any of them. Plugins may see everything, but are not told of the log, into which
// they write themselves, nor of what they have posted.
func (s *Service) Publish(e *models.Event, text func() []byte) {
	if e.Type == "log" || e.Type == "websocket" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, r := range s.runners {
		if r.publish && (e.Rev > 0 || e.Principal != "plugin:"+name) {
			r.events.put(text())
		}
	}
}

// tellEvents tells a process of events, one after the other.
func (r *runner) tellEvents(ctx context.Context, p *process) {
	for ctx.Err() == nil {
		text, dropped := r.events.take()
		if dropped > 0 {
			r.s.cfg.Log.Warn("plugin is too slow for its events", "plugin", r.plugin, "dropped", dropped)
		}
		if text == nil {
			select {
			case <-ctx.Done():
			case <-r.events.more:
			}
			continue
		}
		if _, err := p.tell(ctx, "publish", text, r.s.cfg.Config); err != nil && ctx.Err() == nil {
			r.s.cfg.Log.Warn("plugin does not take an event", "plugin", r.plugin, "error", err)
		}
	}
}
