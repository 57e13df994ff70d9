package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"drp/models"
)

// TestWaitEndsInTimeWhenTheServerIsNotThere: with what hindered it, or with what was found last.
func TestWaitEndsInTimeWhenTheServerIsNotThere(t *testing.T) {
	f := newFake(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	c := f.client(Config{Token: "fixed"})
	c.pauses = []time.Duration{time.Millisecond}
	w := models.Wait{For: models.Predicate{Kind: "machines"}}
	if _, err := c.Wait(t.Context(), w, Waiting{Until: time.Now().Add(50 * time.Millisecond)}); err == nil || !passing(err) {
		t.Errorf("a server that was never reached: got %v", err)
	}
	answered := false
	f = newFake(t, func(rw http.ResponseWriter, r *http.Request) {
		if answered {
			panic(http.ErrAbortHandler)
		}
		answered = true
		answer(200, `{"Result":"timeout","Reason":"one is missing"}`)(rw, r)
	})
	c = f.client(Config{Token: "fixed"})
	c.pauses = []time.Duration{time.Millisecond}
	o, err := c.Wait(t.Context(), w, Waiting{Until: time.Now().Add(50 * time.Millisecond)})
	if err != nil || o.Result != models.WaitTimeout || o.Reason != "one is missing" {
		t.Errorf("got %+v, %v; want what was known last", o, err)
	}
}

func TestWaitEndsWithItsContext(t *testing.T) {
	asked := make(chan struct{})
	f := newFake(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body) // until then the server does not see that the client is gone
		close(asked)
		<-r.Context().Done()
	})
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-asked; cancel() }()
	_, err := f.client(Config{Token: "fixed"}).Wait(ctx, models.Wait{}, Waiting{})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
}

func TestWaitDoesNotRepeatWhatIsRefused(t *testing.T) {
	f := newFake(t, answer(400, `{"Type":"POST","Messages":["For: no such kind"],"Code":400}`))
	_, err := f.client(Config{Token: "fixed"}).Wait(t.Context(), models.Wait{}, Waiting{})
	if err == nil || !strings.Contains(err.Error(), "no such kind") || len(f.asked()) != 1 {
		t.Errorf("got %v after %d requests", err, len(f.asked()))
	}
}
