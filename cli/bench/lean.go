package main

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// lean is an HTTP/1.1 client of one keep-alive connection, for one goroutine. Like wrk it does
// next to nothing: a request is one Write from a buffer that is used again, of the answer's header
// it reads what it needs to find the end of the body. Clients share the cores with the servers, and
// net/http's would be half of what is measured.
type lean struct {
	conn   net.Conn
	common string // header lines of every request
	out    []byte // the request
	in     []byte // what was read; in[r:w] is yet to be understood
	r, w   int
	joined []byte // a body that came in chunks
	ended  bool   // the server closes the connection
}

// answer is what came back. Its slices are good until the next request.
type answer struct {
	status int
	etag   []byte
	body   []byte
}

// dial connects to a server; secure is nil for plain HTTP. headers are whole lines, each with its
// line end, that every request carries.
func dial(addr string, secure *tls.Config, headers string) (*lean, error) {
	conn, err := net.DialTimeout("tcp", addr, 30*time.Second)
	if err != nil {
		return nil, err
	}
	if secure != nil {
		t := tls.Client(conn, secure)
		_ = t.SetDeadline(time.Now().Add(60 * time.Second)) // a dead connection shows in the handshake
		if err := t.Handshake(); err != nil {
			conn.Close()
			return nil, err
		}
		conn = t
	}
	c := &lean{conn: conn, common: "Host: " + addr + "\r\n" + headers, in: make([]byte, 4<<10)}
	return c, c.allow(time.Minute)
}

func (c *lean) close() { c.conn.Close() }

// allow gives everything until the next allow that long, so that nothing hangs for ever. It is
// not set for each request: that would be work.
func (c *lean) allow(d time.Duration) error { return c.conn.SetDeadline(time.Now().Add(d)) }

// do sends a request and reads its answer. headers are more header lines, with their line ends.
func (c *lean) do(method, path, headers string, body []byte) (answer, error) {
	if err := c.send(method, path, headers, body); err != nil {
		return answer{}, err
	}
	return c.receive()
}

// send writes a request in one piece.
func (c *lean) send(method, path, headers string, body []byte) error {
	if c.ended {
		return errors.New("the server has closed the connection")
	}
	b := append(c.out[:0], method...)
	b = append(b, ' ')
	b = append(b, path...)
	b = append(b, " HTTP/1.1\r\n"...)
	b = append(b, c.common...)
	b = append(b, headers...)
	if len(body) > 0 || method == "POST" || method == "PUT" || method == "PATCH" {
		b = append(b, "Content-Type: application/json\r\nContent-Length: "...)
		b = strconv.AppendInt(b, int64(len(body)), 10)
		b = append(b, "\r\n"...)
	}
	b = append(b, "\r\n"...)
	c.out = append(b, body...)
	_, err := c.conn.Write(c.out)
	return err
}

// receive reads the answer to what was sent. Interim answers are passed over; 101 is final.
func (c *lean) receive() (answer, error) {
	for {
		a, length, chunked, err := c.header()
		if err != nil {
			return answer{}, err
		}
		switch {
		case a.status == 101:
			return a, nil
		case a.status < 200:
			continue
		case a.status == 204 || a.status == 304:
			return a, nil
		case chunked:
			a.body, err = c.chunks()
		case length >= 0:
			a.body, err = c.bytes(length)
		default:
			return answer{}, errors.New("malformed answer: neither Content-Length nor chunks")
		}
		return a, err
	}
}

// header reads a status line and the header lines. length is -1 when none is given. What it returns
// stays good while the body is read: an ETag is copied aside.
func (c *lean) header() (a answer, length int, chunked bool, err error) {
	end, seen := 0, 0
	for {
		if i := bytes.Index(c.in[c.r+seen:c.w], []byte("\r\n\r\n")); i >= 0 {
			end = c.r + seen + i
			break
		}
		seen = max(0, c.w-c.r-3)
		if c.w-c.r > 64<<10 {
			return a, 0, false, errors.New("malformed answer: the header does not end")
		}
		if err := c.more(1); err != nil {
			return a, 0, false, err
		}
	}
	head := c.in[c.r:end]
	c.r = end + 4
	line, head := cutLine(head)
	if len(line) < 12 || string(line[:7]) != "HTTP/1." || line[8] != ' ' {
		return a, 0, false, fmt.Errorf("malformed answer: %.60q", line)
	}
	if a.status, err = strconv.Atoi(string(line[9:12])); err != nil || a.status < 100 {
		return a, 0, false, fmt.Errorf("malformed answer: %.60q", line)
	}
	length = -1
	for len(head) > 0 {
		line, head = cutLine(head)
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return a, 0, false, fmt.Errorf("malformed answer: header line %.60q", line)
		}
		switch value = bytes.TrimSpace(value); {
		case is(name, "content-length"):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 || length > 1<<30 {
				return a, 0, false, fmt.Errorf("malformed answer: Content-Length %.60q", value)
			}
		case is(name, "transfer-encoding"):
			if !is(value, "chunked") {
				return a, 0, false, fmt.Errorf("malformed answer: Transfer-Encoding %.60q", value)
			}
			chunked = true
		case is(name, "connection"):
			c.ended = c.ended || is(value, "close")
		case is(name, "etag"):
			a.etag = bytes.Clone(value)
		}
	}
	return a, length, chunked, nil
}

// is tells whether a header's name or value is a word, which is in lower case.
func is(b []byte, word string) bool {
	return len(b) == len(word) && bytes.EqualFold(b, []byte(word))
}

func cutLine(b []byte) (line, rest []byte) {
	if i := bytes.Index(b, []byte("\r\n")); i >= 0 {
		return b[:i], b[i+2:]
	}
	return b, nil
}

// chunks reads a body that comes in chunks, and its trailer.
func (c *lean) chunks() ([]byte, error) {
	c.joined = c.joined[:0]
	for {
		part, err := c.chunk()
		if err != nil {
			return nil, err
		}
		if len(part) == 0 {
			break
		}
		c.joined = append(c.joined, part...)
	}
	for {
		if line, err := c.line(); err != nil || len(line) == 0 {
			return c.joined, err
		}
	}
}

// chunk reads one chunk; that of length 0 is the last.
func (c *lean) chunk() ([]byte, error) {
	line, err := c.line()
	if err != nil {
		return nil, err
	}
	digits, _, _ := bytes.Cut(line, []byte(";"))
	n, err := strconv.ParseUint(string(bytes.TrimSpace(digits)), 16, 30)
	if err != nil {
		return nil, fmt.Errorf("malformed answer: chunk of size %.20q", line)
	}
	if n == 0 {
		return nil, nil
	}
	part, err := c.bytes(int(n) + 2)
	if err != nil {
		return nil, err
	}
	part, end := part[:n], part[n:]
	if string(end) != "\r\n" {
		return nil, fmt.Errorf("malformed answer: %q after a chunk", end)
	}
	return part, nil
}

// line reads up to a line end, and returns what stands before it.
func (c *lean) line() ([]byte, error) {
	for {
		if i := bytes.Index(c.in[c.r:c.w], []byte("\r\n")); i >= 0 {
			line := c.in[c.r : c.r+i]
			c.r += i + 2
			return line, nil
		}
		if c.w-c.r > 8<<10 {
			return nil, errors.New("malformed answer: a line does not end")
		}
		if err := c.more(1); err != nil {
			return nil, err
		}
	}
}

// bytes reads n bytes.
func (c *lean) bytes(n int) ([]byte, error) {
	for c.w-c.r < n {
		if err := c.more(n - (c.w - c.r)); err != nil {
			return nil, err
		}
	}
	part := c.in[c.r : c.r+n]
	c.r += n
	return part, nil
}

// more reads at least one byte, with room for n. It is io.ErrUnexpectedEOF that the server ends
// the connection: an answer is owed.
func (c *lean) more(n int) error {
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	if len(c.in)-c.w < n {
		if have := c.w - c.r; have+n > len(c.in) {
			bigger := make([]byte, max(2*len(c.in), have+n))
			copy(bigger, c.in[c.r:c.w])
			c.in = bigger
		} else {
			copy(c.in, c.in[c.r:c.w])
		}
		c.r, c.w = 0, c.w-c.r
	}
	got, err := c.conn.Read(c.in[c.w:])
	c.w += got
	if got > 0 {
		return nil
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}
