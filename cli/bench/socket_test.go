package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// TestSocketSpeaksWebsocket: what a library of the other end sends is read, whatever its length,
// pings between messages are answered, and the end is told.
func TestSocketSpeaksWebsocket(t *testing.T) {
	lengths := []int{0, 1, 125, 126, 5000, 65535, 65536, 200_000}
	served := make(chan error, 1)
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { served <- tell(w, r, lengths) })
	s, err := openSocket(c, "/ws", "a.b.c", "d.*.*")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range lengths {
		got, err := s.read()
		if err != nil {
			t.Fatalf("message of %d bytes: %v", n, err)
		}
		if string(got) != string(pattern(n)) {
			t.Errorf("message of %d bytes: got %d others", n, len(got))
		}
	}
	if _, err := s.read(); err == nil || !strings.Contains(err.Error(), "that was all") {
		t.Errorf("got %v; want the reason of the end", err)
	}
	s.close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// tell acknowledges what is registered, and sends messages and pings.
func tell(w http.ResponseWriter, r *http.Request, lengths []int) error {
	ctx := r.Context()
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return err
	}
	defer ws.CloseNow()
	for _, want := range []string{"register a.b.c", "register d.*.*"} {
		_, got, err := ws.Read(ctx)
		if err != nil {
			return err
		}
		if string(got) != want {
			return fmt.Errorf("got %q; want %q", got, want)
		}
		if err := ws.Write(ctx, websocket.MessageText, []byte(`{"Type":"websocket"}`)); err != nil {
			return err
		}
	}
	reading := ws.CloseRead(context.WithoutCancel(ctx)) // takes in the pongs
	for _, n := range lengths {
		if err := ws.Ping(reading); err != nil {
			return fmt.Errorf("ping: %w", err)
		}
		if err := ws.Write(ctx, websocket.MessageText, pattern(n)); err != nil {
			return err
		}
	}
	err = ws.Close(websocket.StatusNormalClosure, "that was all")
	if err != nil && !errors.As(err, new(websocket.CloseError)) && reading.Err() == nil {
		return err
	}
	return nil
}

func TestSocketIsRefused(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Error(w, "no sockets here", http.StatusForbidden) })
	if _, err := openSocket(c, "/ws"); err == nil || !strings.Contains(err.Error(), "no sockets here") {
		t.Errorf("got %v; want the server's answer", err)
	}
}

func TestExpectTellsWhatCameInstead(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) { _ = tell(w, r, []int{30}) })
	s, err := openSocket(c, "/ws", "a.b.c", "d.*.*")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.expect([]byte("something else")); err == nil || !strings.Contains(err.Error(), "0123456789") {
		t.Errorf("got %v; want what came", err)
	}
}
