package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
)

// serve runs a handler over TLS and connects to it.
func serve(t *testing.T, h http.HandlerFunc) *lean {
	t.Helper()
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	c, err := dial(s.Listener.Addr().String(), &tls.Config{InsecureSkipVerify: true}, "Authorization: Bearer secret\r\n")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

// TestLeanReadsWhatNetHTTPSends: answers of every length and form come whole, on one connection.
func TestLeanReadsWhatNetHTTPSends(t *testing.T) {
	var mu sync.Mutex
	conns := map[string]bool{}
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		conns[r.RemoteAddr] = true
		mu.Unlock()
		var size int
		if _, err := fmt.Sscan(r.URL.Query().Get("size"), &size); err != nil {
			t.Error(err)
		}
		w.Header().Set("ETag", fmt.Sprintf("%q", fmt.Sprint(size)))
		if r.URL.Path == "/length" {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			w.Write(pattern(size))
			return
		}
		for body := pattern(size); ; {
			n := min(len(body), 1+size/3)
			w.Write(body[:n])
			w.(http.Flusher).Flush() // makes a chunk
			if body = body[n:]; len(body) == 0 {
				return
			}
		}
	})
	for _, size := range []int{0, 1, 100, 4095, 4096, 4097, 16 << 10, 300_000, 7} {
		for _, form := range []string{"/length", "/chunks"} {
			a, err := c.do("GET", fmt.Sprintf("%s?size=%d", form, size), "", nil)
			if err != nil {
				t.Fatalf("%s of %d: %v", form, size, err)
			}
			if a.status != 200 || !bytes.Equal(a.body, pattern(size)) || string(a.etag) != fmt.Sprintf("%q", fmt.Sprint(size)) {
				t.Errorf("%s of %d: got status %d, %d bytes, ETag %s", form, size, a.status, len(a.body), a.etag)
			}
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if len(conns) != 1 {
		t.Errorf("%d connections; want one that is kept", len(conns))
	}
}

func pattern(n int) []byte {
	return []byte(strings.Repeat("0123456789\r\n\r\nabcdef", n/20+1)[:n])
}

func TestLeanSendsWhatItIsGiven(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(w, "%s %s %s %s %d %s", r.Method, r.URL, r.Header.Get("Authorization"), r.Header.Get("If-None-Match"), r.ContentLength, body)
	})
	for _, test := range []struct{ method, body, want string }{
		{"GET", "", `GET /a?b=c Bearer secret "7" 0 `},
		{"PATCH", "[]", `PATCH /a?b=c Bearer secret "7" 2 []`},
		{"POST", "", `POST /a?b=c Bearer secret "7" 0 `},
	} {
		a, err := c.do(test.method, "/a?b=c", "If-None-Match: \"7\"\r\n", []byte(test.body))
		if err != nil {
			t.Fatal(err)
		}
		if string(a.body) != test.want {
			t.Errorf("the server got %q; want %q", a.body, test.want)
		}
	}
}

// TestLeanGoesOnAfterAnswersWithoutBody: what follows 204, 304 and errors is read from its start.
func TestLeanGoesOnAfterAnswersWithoutBody(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		var status int
		if _, err := fmt.Sscan(r.URL.Path[1:], &status); err != nil {
			t.Error(err)
		}
		w.Header().Set("ETag", `"9"`)
		w.WriteHeader(status)
		if status != 204 && status != 304 {
			fmt.Fprintf(w, "this is %d", status)
		}
	})
	for range 2 {
		for _, status := range []int{304, 200, 204, 404, 409, 500, 304, 304} {
			a, err := c.do("GET", fmt.Sprintf("/%d", status), "", nil)
			if err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf("this is %d", status)
			if status == 204 || status == 304 {
				want = ""
			}
			if a.status != status || string(a.body) != want || string(a.etag) != `"9"` {
				t.Errorf("got %d %q, ETag %s; want %d %q", a.status, a.body, a.etag, status, want)
			}
		}
	}
}

// TestLeanRefusesAConnectionThatTheServerCloses tells at the next request, not by a wrong answer.
func TestLeanRefusesAConnectionThatTheServerCloses(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		fmt.Fprint(w, "bye")
	})
	if a, err := c.do("GET", "/", "", nil); err != nil || string(a.body) != "bye" {
		t.Fatalf("got %q, %v; want the answer", a.body, err)
	}
	if _, err := c.do("GET", "/", "", nil); err == nil {
		t.Error("a request went out on a connection that the server has closed")
	}
}

// say answers one request with a text, byte by byte, and closes the connection.
func say(t *testing.T, text string) *lean {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-ended })
	go func() {
		defer close(ended)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err != nil {
			t.Error(err)
		}
		for i := range len(text) {
			if _, err := conn.Write([]byte{text[i]}); err != nil {
				return // the client has had enough
			}
		}
	}()
	c, err := dial(l.Addr().String(), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.close)
	return c
}

func TestLeanReadsAnswersThatComeInBits(t *testing.T) {
	for _, text := range []string{
		"HTTP/1.1 200 OK\r\ncontent-LENGTH:5\r\n\r\nhello",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2\r\nhe\r\n3;name=value\r\nllo\r\n0\r\nTrailer: x\r\n\r\n",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 \r\nContent-Length: 5\r\n\r\nhello",
	} {
		if a, err := say(t, text).do("GET", "/", "", nil); err != nil || a.status != 200 || string(a.body) != "hello" {
			t.Errorf("%q: got %d %q, %v; want 200 hello", text, a.status, a.body, err)
		}
	}
}

func TestLeanTellsBrokenAnswers(t *testing.T) {
	for _, text := range []string{
		"",
		"HTTP/1.1 200",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
	} {
		if _, err := say(t, text).do("GET", "/", "", nil); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%q: got %v; want an unexpected end", text, err)
		}
	}
	for _, text := range []string{
		"SPDY/9 200 OK\r\n\r\n",
		"HTTP/1.1 abc OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\nno length",
		"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
		"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhello\r\n0\r\n\r\n",
	} {
		if a, err := say(t, text).do("GET", "/", "", nil); err == nil || !strings.Contains(err.Error(), "malformed") {
			t.Errorf("%q: got %d %q, %v; want a malformed answer", text, a.status, a.body, err)
		}
	}
}

// TestLeanAllocatesNextToNothing: what the client does must not be what is measured.
func TestLeanAllocatesNextToNothing(t *testing.T) {
	c := &lean{in: make([]byte, 4<<10), common: "Host: x\r\n"}
	text := []byte("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n" + strings.Repeat("x", 1000))
	c.conn = &canned{text: text}
	got := testing.AllocsPerRun(100, func() {
		if a, err := c.do("GET", "/some/path", "", nil); err != nil || len(a.body) != 1000 {
			t.Fatal(len(a.body), err)
		}
	})
	if got > 0 {
		t.Errorf("%.0f allocations a request; want none", got)
	}
}

// canned is a connection that answers each request with a text.
type canned struct {
	net.Conn
	text []byte
}

func (c *canned) Write(p []byte) (int, error) { return len(p), nil }
func (c *canned) Read(p []byte) (int, error)  { return copy(p, c.text), nil }
