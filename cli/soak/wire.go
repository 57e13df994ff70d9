package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"regexp"
	"strconv"
	"strings"
	"time"

	"drp/models"
)

// caller is one client. It does one thing at a time.
type caller struct {
	*world
	id   int
	dice *rand.Rand
	n    int // values it has made up
}

// answer is what a request came to.
type answer struct {
	status int
	etag   uint64 // the revision of the object, 0 if none was told
	body   []byte

	call int64 // when it was sent
	last int64 // when it was sent for the last time
	ret  int64 // when it was answered
	// lost: there is no answer. It was carried out before ret or will never be, for at ret the
	// server that it was sent to was dead.
	lost bool
	// again: it was sent more than once, under one name. The answer may be that of a server that
	// has carried it out before, and shows the object as it is at the time of the answer.
	again bool
}

// manner is how a client asks.
type manner int

const (
	once    manner = iota // whatever becomes of it
	named                 // with an Idempotency-Key, again and again until there is an answer
	jittery               // named, and the first time the client hangs up before the answer
)

// errAlive is what a server is accused of that broke a connection and lives on.
var errAlive = errors.New("the server broke the connection and lives on")

const (
	jitter      = 10 * time.Millisecond
	answerLimit = time.Minute      // for an answer
	deathLimit  = 30 * time.Second // from a broken connection to the end of the server
)

// ask sends a request, again if need be and the manner allows. The error is that of ctx, or says
// that the server neither answers nor dies.
func (c *caller) ask(ctx context.Context, m manner, method, path string, body any) (answer, error) {
	return c.askWith(ctx, m, method, path, body, nil)
}

func (c *caller) askWith(ctx context.Context, m manner, method, path string, body any, header http.Header) (answer, error) {
	text, err := encode(body)
	if err != nil {
		return answer{}, err
	}
	head := header.Clone()
	if head == nil {
		head = http.Header{}
	}
	if m != once && method != http.MethodGet && method != http.MethodHead {
		head.Set("Idempotency-Key", models.NewUUID())
	}
	a := answer{call: c.now()}
	for arrived := false; ; {
		l, err := c.server.await(ctx)
		if err != nil {
			return a, err
		}
		try, hangup := ctx, func() {}
		if m == jittery && !arrived {
			try, hangup = context.WithTimeout(ctx, time.Duration(c.dice.Int64N(int64(jitter))))
		}
		a.last, a.again = c.now(), arrived
		went, err := c.send(try, l, method, path, text, head, &a)
		hungUp := try.Err() != nil
		hangup()
		switch {
		case err == nil && a.status != http.StatusServiceUnavailable:
			return a, nil
		case ctx.Err() != nil:
			return a, context.Cause(ctx)
		}
		arrived = arrived || went && err != nil // a server that stops has refused, and that is all
		if hungUp {
			continue
		}
		if dead := l.end(ctx, err); dead != nil {
			return a, fmt.Errorf("%s %s: %w", method, path, dead)
		}
		if went && err != nil && m == once {
			a.lost, a.ret = true, c.now()
			c.lost.Add(1)
			return a, nil
		}
	}
}

// end waits for the death that explains why there was no answer.
func (l *life) end(ctx context.Context, why error) error {
	late := time.NewTimer(deathLimit)
	defer late.Stop()
	select {
	case <-l.dead:
		return nil
	case <-late.C:
		return fmt.Errorf("%w: %v", errAlive, why)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func encode(body any) ([]byte, error) {
	if s, ok := body.(string); ok || body == nil {
		return []byte(s), nil
	}
	return models.Marshal(body)
}

// send sends it once. Went tells whether it can have arrived.
func (c *caller) send(ctx context.Context, l *life, method, path string, body []byte, head http.Header, a *answer) (went bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	connections := 0
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connections++ }})
	req, err := http.NewRequestWithContext(ctx, method, l.url+"/api/v3/"+path, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header = head.Clone()
	req.Header.Set("Authorization", "Bearer "+c.token)
	c.count(l)
	a.status, a.etag, a.body = 0, 0, nil
	res, err := c.http.Do(req)
	// net/http repeats what has a name by itself.
	a.again = a.again || connections > 1
	if err != nil {
		return connections > 0, err
	}
	defer res.Body.Close()
	if a.body, err = io.ReadAll(res.Body); err != nil {
		return true, err
	}
	a.ret, a.status = c.now(), res.StatusCode
	if tag := res.Header.Get("ETag"); tag != "" {
		if a.etag, err = strconv.ParseUint(strings.Trim(tag, `"`), 10, 64); err != nil {
			return true, fmt.Errorf("ETag %s is no revision", tag)
		}
	}
	return true, nil
}

// problem is the error that the server answered with.
func (a *answer) problem() (e models.Error) {
	_ = json.Unmarshal(a.body, &e) // what is none has no message
	return e
}

// repeated tells whether the server says that it has carried the request out before; then the
// object is gone by now, or it would have been shown.
func (a *answer) repeated() bool { return a.says("has been carried out before") }

// refused tells whether the server says that it will not carry out the request, since it was
// refused already when it came for the first time.
func (a *answer) refused() bool { return a.says("was answered before, and has changed nothing") }

func (a *answer) says(text string) bool {
	return a.status == http.StatusConflict && bytes.Contains(a.body, []byte(text))
}

var foundText = regexp.MustCompile(`expected .* at [^ ]*, found (.*?)(?:: Test op failed\.)?$`)

// found is what the server says it has found in the place of what a failed test expected.
func (a *answer) found() string {
	for _, m := range a.problem().Messages {
		if sub := foundText.FindStringSubmatch(m); sub != nil {
			return sub[1]
		}
	}
	return ""
}

// must asks under a name, and takes one of the statuses for an answer only.
func (c *caller) must(ctx context.Context, method, path string, body any, statuses ...int) (answer, error) {
	a, err := c.ask(ctx, named, method, path, body)
	if err != nil {
		return a, err
	}
	for _, s := range statuses {
		if a.status == s {
			return a, nil
		}
	}
	if a.again && a.repeated() {
		return a, nil
	}
	return a, fmt.Errorf("%s %s: status %d: %s", method, path, a.status, a.body)
}

// breath is the most that those pause who would else only read, and leave nothing for writers.
const breath = 10 * time.Millisecond

func (c *caller) breathe(ctx context.Context) error {
	return pause(ctx, time.Duration(c.dice.Int64N(int64(breath))))
}
