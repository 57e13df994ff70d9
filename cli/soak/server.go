package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"drp/cli/spawn"
)

// server is the program under test. It lives many lives, each on a port of its own.
type server struct {
	proc *spawn.Process
	data string       // its folder
	now  func() int64 // the clock of all histories
	// alarm is told when the server panics; it must not, not even while it is being killed.
	alarm func(line string)

	mu      sync.Mutex
	life    *life         // the newest
	another chan struct{} // closed when there is a newer one
	crashes int
}

// life is the server from a start to its end.
type life struct {
	up   chan struct{} // closed when it serves
	url  string        // where; known once up
	dead chan struct{} // closed when it has ended
	died int64         // when that was, or a little later; known once dead

	sent  atomic.Int64 // requests
	limit atomic.Int64 // so many requests, and full is closed; 0: never
	full  chan struct{}
	once  sync.Once
}

func newServer(bin, root string, died chan<- *spawn.Process, now func() int64) *server {
	s := &server{data: filepath.Join(root, "data"), now: now, another: make(chan struct{})}
	s.proc = &spawn.Process{
		Name: "drp-server", Died: died, Dir: root, Log: filepath.Join(root, "server.log"), Line: s.line,
		Argv: []string{filepath.Join(bin, "drp-server"), "--base-root", s.data, "--listen", "127.0.0.1",
			"--api-port", "0", "--static-port", "0", "--static-secure-port", "0", "--log-format", "json"},
	}
	return s
}

// line reads the log of the server, which tells the port that it has got.
func (s *server) line(text []byte) {
	for _, alarm := range []string{"panic:", "fatal error:", "WARNING: DATA RACE"} {
		if bytes.HasPrefix(text, []byte(alarm)) {
			s.alarm(string(bytes.TrimSpace(text)))
		}
	}
	var entry struct{ Msg, API string }
	if json.Unmarshal(text, &entry) != nil || entry.Msg != "serving" {
		return
	}
	l, _ := s.present()
	l.url = entry.API
	close(l.up)
}

// begin starts the server; the life before has ended.
func (s *server) begin() (*life, error) {
	l := &life{up: make(chan struct{}), dead: make(chan struct{}), full: make(chan struct{})}
	s.mu.Lock()
	s.life = l
	close(s.another)
	s.another = make(chan struct{})
	s.mu.Unlock()
	if err := s.proc.Start(); err != nil {
		return nil, err
	}
	ended := s.proc.Ended()
	go func() {
		<-ended
		l.died = s.now()
		close(l.dead)
	}()
	return l, nil
}

func (s *server) present() (l *life, another <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.life, s.another
}

// await returns a life that serves, or has only just ended.
func (s *server) await(ctx context.Context) (*life, error) {
	for {
		l, another := s.present()
		select {
		case <-l.dead:
			select {
			case <-another:
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
			continue
		default:
		}
		select {
		case <-l.up:
			return l, nil
		case <-l.dead:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// startLimit is how long a start, recovery included, may take.
const startLimit = 2 * time.Minute

// ready waits until the life serves.
func (l *life) ready(ctx context.Context) error {
	late := time.NewTimer(startLimit)
	defer late.Stop()
	select {
	case <-l.up:
		return nil
	case <-l.dead:
		return errors.New("the server ended before it served")
	case <-late.C:
		return fmt.Errorf("the server does not serve %s after its start", startLimit)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// note counts a request that is being sent.
func (l *life) note() {
	if n, limit := l.sent.Add(1), l.limit.Load(); limit > 0 && n >= limit {
		l.once.Do(func() { close(l.full) })
	}
}

// kill ends the present life as a crash would, if it has not ended yet.
func (s *server) kill() {
	l, _ := s.present()
	if s.proc.PID() != 0 {
		s.mu.Lock()
		s.crashes++
		s.mu.Unlock()
	}
	s.proc.Kill()
	<-l.dead
}

func (s *server) survived() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.crashes
}

// written is when the database itself was written last, which happens in checkpoints only: commits
// go to the log beside it.
func (s *server) written() time.Time {
	st, err := os.Stat(filepath.Join(s.data, "drp.db"))
	if err != nil {
		return time.Time{}
	}
	return st.ModTime()
}
