package main

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

const api = "/api/v3/"

// drp is a drp-server under measurement. Durable settings are the only ones it has.
type drp struct {
	process
	ctx     context.Context
	bin     string
	dir     string
	addr    string
	headers string // with the token, once logged in
	conns   []*lean

	hasContent bool // the workflows that machines go through are there
}

// The server's certificate is its own. Sessions are not resumed: each client is a new one.
var trusting = &tls.Config{InsecureSkipVerify: true}

// startDRP runs a server on an empty folder below dir.
func startDRP(ctx context.Context, bin, dir string) (*drp, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	d := &drp{ctx: ctx, bin: filepath.Join(bin, "drp-server"), dir: dir, addr: loopback(port)}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if _, err := d.start(20*time.Second, d.login); err != nil {
		return nil, err
	}
	return d, nil
}

// start runs the server on what is in its folder, and returns after how long it gave the first
// good answer to a question.
func (d *drp) start(limit time.Duration, ask func() error) (time.Duration, error) {
	_, port, err := net.SplitHostPort(d.addr)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	p, err := launch(d.ctx, "drp-server", d.dir, d.bin, "--base-root", filepath.Join(d.dir, "data"), "--api-port", port,
		"--static-port", "0", "--static-secure-port", "0", "--log-level", "warn")
	if err != nil {
		return 0, err
	}
	d.process = p
	took, err := p.ready(began, limit, ask)
	if err != nil {
		_ = p.halt() // the reason is err
	}
	return took, err
}

// stop ends the server and closes all connections to it.
func (d *drp) stop() error {
	for _, c := range d.conns {
		c.close()
	}
	d.conns = nil
	return d.process.halt()
}

func (d *drp) login() error {
	c, err := dial(d.addr, trusting, "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("rocketskates:r0cketsk8ts"))+"\r\n")
	if err != nil {
		return err
	}
	defer c.close()
	a, err := c.do("GET", api+"users/rocketskates/token?ttl=1d", "", nil)
	if err != nil {
		return err
	}
	var t struct{ Token string }
	if err := json.Unmarshal(a.body, &t); err != nil || t.Token == "" {
		return fmt.Errorf("login: status %d", a.status)
	}
	d.headers = bearer(t.Token)
	return nil
}

func bearer(token string) string { return "Authorization: Bearer " + token + "\r\n" }

// dial opens one more connection, logged in.
func (d *drp) dial() (*lean, error) { return dial(d.addr, trusting, d.headers) }

// clients is the first n of the connections that are kept open; missing ones are opened.
func (d *drp) clients(n int) ([]*lean, error) { return keep(&d.conns, n, d.dial) }

func keep(conns *[]*lean, n int, dial func() (*lean, error)) ([]*lean, error) {
	for len(*conns) < n {
		c, err := dial()
		if err != nil {
			return nil, err
		}
		*conns = append(*conns, c)
	}
	for _, c := range (*conns)[:n] {
		if err := c.allow(2 * time.Minute); err != nil {
			return nil, err
		}
	}
	return (*conns)[:n], nil
}

// call sends a request, expects a status and decodes the answer into out, if that is not nil.
func call(c *lean, method, path string, body, out any, want int) error {
	var raw []byte
	switch b := body.(type) {
	case nil:
	case []byte:
		raw = b
	default:
		var err error
		if raw, err = json.Marshal(body); err != nil {
			return err
		}
	}
	a, err := c.do(method, path, "", raw)
	if err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	if a.status != want {
		return unexpected(method, path, a)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		return fmt.Errorf("%s %s: %w", method, path, err)
	}
	return nil
}

func unexpected(method, path string, a answer) error {
	return fmt.Errorf("%s %s: status %d: %.300s", method, path, a.status, a.body)
}
