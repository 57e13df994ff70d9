package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"drp/models"

	"github.com/coder/websocket"
)

// everything is the filter that selects all events.
const everything = "*.*.*"

// follower reads the event stream with one filter. When its connection breaks it connects again
// and resumes from the last revision of which it has seen everything. It notes what is told twice,
// out of order or differently, and what is left out.
type follower struct {
	*world
	filter string
	from   uint64
	quiet  bool          // it tells the world nothing new
	ended  chan struct{} // closed when run has ended

	mu    sync.Mutex
	rev   uint64 // everything up to here is told
	part  []told // the change that is being told
	old   []told // what was told of it before the connection broke
	list  []line
	moved chan struct{} // closed when rev has risen
}

// line is what is kept of an event.
type line struct {
	rev    uint64
	kind   string
	action string
	at     place
	sum    uint64
}

// brokenTale is what is wrong with what was told.
type brokenTale string

func (b brokenTale) Error() string { return string(b) }

// run follows the server through its lives until ctx ends.
func (f *follower) run(ctx context.Context) {
	defer close(f.ended)
	for {
		l, err := f.server.await(ctx)
		if err != nil {
			return
		}
		err = f.follow(ctx, l, 0)
		if ctx.Err() != nil {
			return
		}
		if broken := brokenTale(""); errors.As(err, &broken) {
			f.violate("events %s, %v", f.filter, err)
			return // what follows is as wrong
		}
		if websocket.CloseStatus(err) == websocket.StatusTryAgainLater {
			if strings.Contains(err.Error(), "the newest is") {
				f.violate("events %s: the server has forgotten what it told: %v", f.filter, err)
				return
			}
			continue // too slow: it is to come again, and has
		}
		if err := l.end(ctx, err); err != nil && ctx.Err() == nil {
			f.violate("events %s: %v", f.filter, err)
			return
		}
	}
}

// replay reads what the server tells of the past up to a revision.
func (f *follower) replay(ctx context.Context, upTo uint64) error {
	l, err := f.server.await(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, reachLimit)
	defer cancel()
	return f.follow(ctx, l, upTo)
}

// follow reads one connection until it breaks, or until it has come to a revision.
func (f *follower) follow(ctx context.Context, l *life, upTo uint64) error {
	f.mu.Lock()
	from := f.rev
	if len(f.part) > 0 {
		f.old, f.part = f.part, nil
	}
	f.mu.Unlock()
	url := strings.Replace(l.url, "https", "wss", 1) + fmt.Sprintf("/api/v3/ws?rev=%d", from)
	conn, _, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPClient: f.http, HTTPHeader: http.Header{"Authorization": {"Bearer " + f.token}}})
	if err != nil {
		return err
	}
	defer conn.CloseNow()
	conn.SetReadLimit(32 << 20) // an event holds an object before and after its change
	if err := conn.Write(ctx, websocket.MessageText, []byte("register "+f.filter)); err != nil {
		return err
	}
	for upTo == 0 || f.told() < upTo {
		_, text, err := conn.Read(ctx)
		if err != nil {
			return err
		}
		var e models.Event
		if err := json.Unmarshal(text, &e); err != nil {
			return err
		}
		if e.Type == "websocket" {
			continue
		}
		if fault := f.hear(told{e, digest(text)}); fault != "" {
			return brokenTale(fmt.Sprintf("resumed from revision %d: %s of %s/%s at revision %d: %s", from, e.Action, e.Type, e.Key, e.Rev, fault))
		}
	}
	return nil
}

func (f *follower) told() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rev
}

// hear takes in one event, and says what is wrong with it or "".
func (f *follower) hear(e told) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := f.filter == everything
	switch {
	case e.Type == "log", e.Type == "waits":
		return "" // a line of the server's log, or somebody who waits: no change, and no revision
	case e.Rev == 0:
		return "it has no revision"
	case e.Rev <= f.rev:
		return "it was told before"
	case len(f.part) > 0 && f.part[0].Rev != e.Rev && all:
		return fmt.Sprintf("revision %d is not told to its end", f.part[0].Rev)
	case all && e.Rev != f.rev+1:
		return fmt.Sprintf("revision %d is left out", f.rev+1)
	case len(f.part) > 0 && f.part[0].Rev != e.Rev:
		f.close() // its end was no business of this filter
	}
	i := len(f.part)
	f.part = append(f.part, e)
	fault := ""
	if len(f.old) > 0 && f.old[0].Rev == e.Rev && (i >= len(f.old) && !f.old[len(f.old)-1].More || i < len(f.old) && f.old[i].sum != e.sum) {
		fault = "before the connection broke it was told otherwise"
	}
	if e.More {
		f.rise(e.Rev - 1)
		return fault
	}
	f.close()
	f.rise(e.Rev)
	return fault
}

// close ends the change that is being told. f.mu is held.
func (f *follower) close() {
	for i := range f.part {
		e := &f.part[i]
		f.list = append(f.list, line{e.Rev, e.Type, e.Action, place{e.Type, e.Key}, e.sum})
	}
	if f.filter == everything && !f.quiet {
		f.tale.add(f.part)
	}
	f.part, f.old = nil, nil
}

// rise notes how far the tale has come. f.mu is held.
func (f *follower) rise(rev uint64) {
	if rev > f.rev {
		f.rev = rev
		close(f.moved)
		f.moved = make(chan struct{})
	}
}

// reachLimit is how long the stream may need to catch up when nothing happens any more.
const reachLimit = time.Minute

// reach waits until everything up to a revision is told.
func (f *follower) reach(ctx context.Context, rev uint64) error {
	ctx, cancel := context.WithTimeoutCause(ctx, reachLimit, errors.New("nothing comes any more"))
	defer cancel()
	for {
		f.mu.Lock()
		at, moved := f.rev, f.moved
		f.mu.Unlock()
		if at >= rev {
			return nil
		}
		select {
		case <-moved:
		case <-f.ended:
			return fmt.Errorf("events %s: revision %d is told, %d is there, and the stream has ended", f.filter, at, rev)
		case <-ctx.Done():
			return fmt.Errorf("events %s: revision %d is told, %d is there: %w", f.filter, at, rev, context.Cause(ctx))
		}
	}
}

// take returns what was told since it was called last.
func (f *follower) take() []line {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := f.list
	f.list = nil
	return list
}
