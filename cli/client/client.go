// Package client speaks the drp API: one function for requests, one stream for events.
package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"drp/models"
)

// Config says which server to speak to, and as whom. With a Token there is no login; else
// Username and Password are exchanged for a token at the first request.
type Config struct {
	Endpoint   string // https://HOST:PORT; https:// may be left out
	Token      string // used as it is
	Username   string
	Password   string
	NoToken    bool   // send the password with every request instead of a token
	Socket     string // unix socket of an agent's local proxy; event streams do not use it
	TokenCache string // directory for tokens between runs; "": none are kept
	Trace      string // level at which the server logs the requests; "": its own
	TraceToken string // word the server logs with them
	Forward    string // ID of the server that requests are meant for, when that of Endpoint passes them on; "": itself
	Job        string // UUID of the job that changes are made for, for history; "": none

	// CA is a file of PEM certificates that the server's certificate must be signed by. Without
	// one any certificate is accepted, as Digital Rebar's client does: a new server makes its
	// own. Verify then asks for one that the system trusts.
	CA     string
	Verify bool
}

// Client sends requests to one server. Its methods may be called concurrently.
type Client struct {
	cfg   Config
	base  *url.URL     // of requests
	http  *http.Client // through the socket, if there is one
	ws    *http.Client // always direct
	wsURL *url.URL
	err   error // why the configuration is of no use; every call returns it

	pauses []time.Duration // between the tries to reach the server

	mu     sync.Mutex // guards the login
	token  string
	expiry time.Time // of a token this client asked for
}

// New makes a client. It sends nothing: what is wrong with cfg shows at the first request.
func New(cfg Config) *Client {
	c := &Client{cfg: cfg, pauses: pauses}
	c.cfg.Token = strings.TrimSpace(cfg.Token)
	if !strings.Contains(c.cfg.Endpoint, "://") {
		c.cfg.Endpoint = "https://" + c.cfg.Endpoint
	}
	c.cfg.Endpoint = strings.TrimRight(c.cfg.Endpoint, "/")
	u, err := url.Parse(c.cfg.Endpoint)
	if err == nil && (u.Host == "" || u.Scheme != "https" && u.Scheme != "http") {
		err = errors.New("want https://HOST:PORT")
	}
	if err != nil {
		c.err = fmt.Errorf("endpoint %q: %w", cfg.Endpoint, err)
		return c
	}
	trust, err := trustOf(cfg)
	if err != nil {
		c.err = err
		return c
	}
	c.wsURL, c.base = u, u
	c.ws = &http.Client{Transport: transport(trust, "")}
	c.http = c.ws
	if cfg.Socket != "" {
		c.base = &url.URL{Scheme: "http", Host: "unix"}
		c.http = &http.Client{Transport: transport(trust, cfg.Socket)}
	}
	return c
}

func trustOf(cfg Config) (*tls.Config, error) {
	if cfg.CA == "" {
		return &tls.Config{InsecureSkipVerify: !cfg.Verify}, nil
	}
	pem, err := os.ReadFile(cfg.CA)
	if err != nil {
		return nil, fmt.Errorf("read CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("read CA: %s holds no PEM certificate", cfg.CA)
	}
	return &tls.Config{RootCAs: pool}, nil
}

// transport keeps connections alive between requests. It speaks HTTP/1.1 only, which event
// streams need.
func transport(trust *tls.Config, socket string) *http.Transport {
	dialer := &net.Dialer{Timeout: 30 * time.Second}
	t := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSClientConfig:     trust,
		TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 10,
		IdleConnTimeout:     90 * time.Second,
		DialContext:         dialer.DialContext,
	}
	if socket != "" {
		t.Proxy = nil
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "unix", socket)
		}
	}
	return t
}

// Endpoint is the URL of the server.
func (c *Client) Endpoint() string { return c.cfg.Endpoint }

// ErrNotModified is the answer to a conditional request when nothing has changed.
var ErrNotModified = errors.New("not modified")

// request is one request being built.
type request struct {
	method, path string
	query        url.Values
	header       http.Header
	body         []byte
	stream       io.Reader // sent once and never again
	answer       *http.Header
	auth         string // "": that of the client
	ours         bool   // for the server of Endpoint, whoever the others are for
}

// Option adds something to a request.
type Option func(*request)

// WithQuery adds parameters to the URL.
func WithQuery(q url.Values) Option {
	return func(r *request) {
		for k, v := range q {
			r.query[k] = append(r.query[k], v...)
		}
	}
}

// WithFlag adds one parameter to the URL; an empty value adds nothing.
func WithFlag(name, value string) Option {
	return func(r *request) {
		if value != "" {
			r.query.Set(name, value)
		}
	}
}

// JobHeader names the job that a change is made for. The server believes it of a job that runs.
const JobHeader = "X-DRP-Job"

// WithHeader sets a header of the request.
func WithHeader(name, value string) Option {
	return func(r *request) { r.header.Set(name, value) }
}

// WithAnswerHeader stores the headers of the answer in h.
func WithAnswerHeader(h *http.Header) Option {
	return func(r *request) { r.answer = h }
}

// Do sends one request for a path below /api/v3, such as "machines/Name:bob".
//
// in is the body: nil for none; []byte and io.Reader are sent as they are, as octets; anything
// else as JSON (json.RawMessage is JSON already). out takes the answer: nil drops it, an
// io.Writer and a *[]byte get its bytes, anything else is decoded from JSON.
//
// An error of the server is a *models.Error; a 304 is ErrNotModified. When the server cannot be
// reached, Do tries for 20 seconds, so that a restart of it goes unnoticed, and when it answers 429
// or 503 with Retry-After, Do waits that long between its tries, unless the body is an
// io.Reader. All tries carry one Idempotency-Key, by which the server knows that it has
// carried the request out; POST /jobs and other servers do not look at it.
func (c *Client) Do(ctx context.Context, method, path string, in, out any, opts ...Option) error {
	r := &request{method: method, path: path, query: url.Values{}, header: http.Header{}}
	if err := r.setBody(in); err != nil {
		return fmt.Errorf("%s %s: encode body: %w", method, path, err)
	}
	if streams(out) {
		r.header.Add("Accept", "application/octet-stream")
	}
	// One name for all tries, so that the request is carried out once. What is never tried again
	// must have none: net/http itself repeats what has one.
	if r.stream == nil && method != http.MethodGet && method != http.MethodHead {
		r.header.Set("Idempotency-Key", models.NewUUID())
	}
	for _, o := range opts {
		o(r)
	}
	resp, err := c.authorized(ctx, r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if r.answer != nil {
		*r.answer = resp.Header
	}
	return receive(r, resp, out)
}

// Get fetches one value.
func Get[T any](ctx context.Context, c *Client, path string, opts ...Option) (T, error) {
	var v T
	err := c.Do(ctx, http.MethodGet, path, nil, &v, opts...)
	return v, err
}

const octets = "application/octet-stream"

func streams(out any) bool {
	switch out.(type) {
	case *[]byte, io.Writer:
		return true
	}
	return false
}

func (r *request) setBody(in any) (err error) {
	r.header.Set("Accept", "application/json")
	switch v := in.(type) {
	case nil:
		if r.method != http.MethodGet && r.method != http.MethodHead {
			r.header.Set("Content-Type", "application/json")
		}
	case []byte:
		r.body = v
		r.header.Set("Content-Type", octets)
	case io.Reader:
		r.stream = v
		r.header.Set("Content-Type", octets)
	default:
		r.header.Set("Content-Type", "application/json")
		r.body, err = models.Marshal(v)
	}
	return err
}

// pauses are the usual ones: 20 seconds in all.
var pauses = []time.Duration{1 * time.Second, 1 * time.Second, 2 * time.Second, 3 * time.Second, 5 * time.Second, 8 * time.Second}

// reach sends r until the server takes it or the patience ends.
func (c *Client) reach(ctx context.Context, r *request) (*http.Response, error) {
	for try := 0; ; try++ {
		resp, err := c.send(ctx, r)
		if err != nil && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if r.stream != nil || try == len(c.pauses) || err != nil && hopeless(err) {
			return resp, err
		}
		pause := c.pauses[try]
		if err == nil {
			after, ok := retryAfter(resp)
			if !ok {
				return resp, nil
			}
			resp.Body.Close()
			pause = after
		}
		if err := sleep(ctx, pause); err != nil {
			return nil, err
		}
	}
}

// longestPause bounds what a server can make its clients wait for.
const longestPause = time.Minute

// retryAfter is when a server that has not looked at a request wants to see it again.
func retryAfter(resp *http.Response) (time.Duration, bool) {
	if resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusServiceUnavailable {
		return 0, false
	}
	seconds, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 31)
	if err != nil { // none, or a date, which drp does not send
		return 0, false
	}
	return min(time.Duration(seconds)*time.Second, longestPause), true
}

// hopeless are failures that no waiting mends.
func hopeless(err error) bool {
	var cert *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	return errors.As(err, &cert) || errors.As(err, &record)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Client) send(ctx context.Context, r *request) (*http.Response, error) {
	u := *c.base
	u.Path = path.Join("/", u.Path, c.prefix(r), "/api/v3", r.path)
	u.RawQuery = r.query.Encode()
	body := r.stream
	if body == nil && r.body != nil {
		body = bytes.NewReader(r.body)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header = r.header.Clone()
	req.Header.Set("Authorization", r.auth)
	req.Header.Set("Cache-Control", "no-store")
	c.trace(req.Header)
	return c.http.Do(req)
}

// prefix says whom a request is meant for. One logs in at the server that passes the others on.
func (c *Client) prefix(r *request) string {
	if r.ours {
		return ""
	}
	return c.cfg.Forward
}

func (c *Client) trace(h http.Header) {
	if c.cfg.Job != "" && h.Get(JobHeader) == "" {
		h.Set(JobHeader, c.cfg.Job)
	}
	if c.cfg.Trace != "" {
		h.Set("X-Log-Request", c.cfg.Trace)
	}
	if c.cfg.TraceToken != "" {
		h.Set("X-Log-Token", c.cfg.TraceToken)
	}
}

// receive turns a response into out, or into an error.
func receive(r *request, resp *http.Response, out any) error {
	switch {
	case resp.StatusCode == http.StatusNotModified:
		return ErrNotModified
	case resp.StatusCode >= 400:
		err := failure(r, resp)
		var e *models.Error
		if after, ok := retryAfter(resp); ok && errors.As(err, &e) {
			e.RetryAfter = after
		}
		return err
	case r.method == http.MethodHead:
		return nil
	}
	switch v := out.(type) {
	case nil:
		_, err := io.Copy(io.Discard, resp.Body)
		return err
	case io.Writer:
		_, err := io.Copy(v, resp.Body)
		return err
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return fmt.Errorf("%s %s: read the answer: %w", r.method, r.path, err)
	}
	if b, ok := out.(*[]byte); ok {
		*b = raw
		return nil
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return nil
	}
	if err := json.Unmarshal(raw, out); err != nil {
		return clientError(r, resp.StatusCode, fmt.Sprintf("the answer is not what was expected: %v", err))
	}
	return nil
}

// classes are the classes of errors by HTTP status; others are Internal.
var classes = map[int]models.Class{
	http.StatusBadRequest:            models.BadRequest,
	http.StatusUnauthorized:          models.Unauthorized,
	http.StatusForbidden:             models.Forbidden,
	http.StatusNotFound:              models.NotFound,
	http.StatusNotAcceptable:         models.NotAcceptable,
	http.StatusConflict:              models.Conflict,
	http.StatusUnprocessableEntity:   models.Invalid,
	http.StatusRequestEntityTooLarge: models.TooLarge,
	http.StatusServiceUnavailable:    models.Busy,

	http.StatusTooManyRequests:              models.TooOften,
	http.StatusRequestTimeout:               models.TooSlow,
	http.StatusRequestURITooLong:            models.LongURL,
	http.StatusRequestHeaderFieldsTooLarge:  models.LongHeader,
	http.StatusInsufficientStorage:          models.Full,
	http.StatusGone:                         models.Gone,
	http.StatusRequestedRangeNotSatisfiable: models.OutOfRange,
}

// failure reads the error envelope; an answer without one is a CLIENT_ERROR.
func failure(r *request, resp *http.Response) error {
	if r.method == http.MethodHead {
		return clientError(r, resp.StatusCode, http.StatusText(resp.StatusCode))
	}
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return clientError(r, resp.StatusCode, err.Error())
	}
	e := &models.Error{}
	if json.Unmarshal(raw, e) != nil || e.Code == 0 && e.Type == "" {
		return clientError(r, resp.StatusCode, http.StatusText(resp.StatusCode), "Raw response: "+string(raw))
	}
	e.Code, e.Class = resp.StatusCode, classes[resp.StatusCode]
	return e
}

// clientError is a failure the server has not explained.
func clientError(r *request, code int, messages ...string) error {
	e := &models.Error{Class: classes[code], Type: "CLIENT_ERROR", Code: code, Messages: messages}
	if r.method != http.MethodHead {
		e.Model, e.Key, _ = strings.Cut(r.path, "/")
	}
	return e
}
