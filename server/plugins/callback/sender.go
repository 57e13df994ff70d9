package main

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"
)

// config is what the params say.
type config struct {
	URL     string   `json:"callback/url"`
	Filters []string `json:"callback/filters"`
	Secret  string   `json:"callback/secret"`
	Tries   int      `json:"callback/tries"`
	Timeout int      `json:"callback/timeout"`
}

// How much is kept of what waits and of what could not be delivered; then the oldest goes.
const (
	maxWaiting     = 10_000
	maxUndelivered = 1000
)

// letter is an event on its way.
type letter struct {
	ID    int             // of this process
	Event json.RawMessage // as the server has told of it
	Tries int             // so far
	Error string          // of the last one
	Since time.Time       // it is undelivered
}

// sender sends events one after the other, so that they arrive in order.
type sender struct {
	pause func(try int) time.Duration // before the next try
	now   func() time.Time

	mu      sync.Mutex
	is      config
	waiting []*letter
	failed  []*letter
	sent    int
	dropped int // for want of room
	last    int
	more    chan struct{}
}

func newSender() *sender {
	s := &sender{
		pause: func(try int) time.Duration { return min(time.Second<<min(try, 6), time.Minute) },
		now:   time.Now, more: make(chan struct{}, 1),
	}
	go s.run()
	return s
}

func (s *sender) configure(body json.RawMessage) error {
	c := config{Tries: 5, Timeout: 10}
	if err := json.Unmarshal(body, &c); err != nil {
		return err
	}
	if !strings.HasPrefix(c.URL, "http://") && !strings.HasPrefix(c.URL, "https://") {
		return errors.New("callback/url must begin with http:// or https://")
	}
	for _, f := range c.Filters {
		if strings.Count(f, ".") < 2 {
			return fmt.Errorf("callback/filters: %q is not TYPE.ACTION.KEY", f)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.is = c
	return nil
}

// wants tells whether a filter selects an event.
func (c *config) wants(typ, action, key string) bool {
	for _, f := range c.Filters {
		parts := strings.SplitN(f, ".", 3)
		matches := true
		for i, v := range []string{typ, action, key} {
			matches = matches && (parts[i] == "*" || strings.Contains(","+parts[i]+",", ","+v+","))
		}
		if matches {
			return true
		}
	}
	return false
}

// offer takes an event if it is wanted. It does not wait for anything.
func (s *sender) offer(body json.RawMessage) error {
	var e struct{ Type, Action, Key string }
	if err := json.Unmarshal(body, &e); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.is.wants(e.Type, e.Action, e.Key) {
		return nil
	}
	s.last++
	s.put(&letter{ID: s.last, Event: body})
	return nil
}

// put makes a letter wait; the caller holds s.mu.
func (s *sender) put(l *letter) {
	if s.waiting = append(s.waiting, l); len(s.waiting) > maxWaiting {
		s.waiting = s.waiting[1:]
		s.dropped++
	}
	select {
	case s.more <- struct{}{}:
	default:
	}
}

// run sends what waits.
func (s *sender) run() {
	for range s.more {
		for {
			s.mu.Lock()
			if len(s.waiting) == 0 {
				s.mu.Unlock()
				break
			}
			l := s.waiting[0]
			s.waiting = s.waiting[1:]
			s.mu.Unlock()
			s.deliver(l)
		}
	}
}

// deliver tries to send a letter, and keeps it when it cannot be sent.
func (s *sender) deliver(l *letter) {
	for l.Tries = 1; ; l.Tries++ {
		s.mu.Lock()
		c := s.is
		s.mu.Unlock()
		err := c.send(l)
		s.mu.Lock()
		if err == nil {
			s.sent++
			s.mu.Unlock()
			return
		}
		l.Error = err.Error()
		if l.Tries >= c.Tries {
			l.Since = s.now().UTC()
			if s.failed = append(s.failed, l); len(s.failed) > maxUndelivered {
				s.failed = s.failed[1:]
				s.dropped++
			}
			s.mu.Unlock()
			fmt.Printf("event %d is undelivered after %d tries: %s\n", l.ID, l.Tries, l.Error)
			return
		}
		s.mu.Unlock()
		time.Sleep(s.pause(l.Tries - 1))
	}
}

// send sends a letter once. The receiver recognises a letter that comes twice by X-DRP-Delivery,
// and one of ours by X-DRP-Signature: sha256=HMAC of the body under callback/secret.
func (c *config) send(l *letter) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(c.Timeout)*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(l.Event))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-DRP-Delivery", fmt.Sprint(l.ID))
	if c.Secret != "" {
		mac := hmac.New(sha256.New, []byte(c.Secret))
		mac.Write(l.Event)
		req.Header.Set("X-DRP-Signature", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	res.Body.Close()
	if res.StatusCode >= 300 {
		return fmt.Errorf("the receiver answers %s", res.Status)
	}
	return nil
}

// act carries out an action.
func (s *sender) act(body json.RawMessage) (any, error) {
	var call struct{ Command string }
	if err := json.Unmarshal(body, &call); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.failed)
	switch call.Command {
	case "status":
		return map[string]int{"Sent": s.sent, "Waiting": len(s.waiting), "Undelivered": n, "Dropped": s.dropped}, nil
	case "undelivered":
		return append([]*letter{}, s.failed...), nil
	case "resend":
		for _, l := range s.failed {
			s.put(l)
		}
		s.failed = nil
		return n, nil
	case "forget":
		s.failed = nil
		return n, nil
	}
	return nil, fmt.Errorf("there is no action %s", call.Command)
}
