package client

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/models"
)

// fake is a server that notes what is asked of it.
type fake struct {
	*httptest.Server
	mu    sync.Mutex
	lines []string // "METHOD path auth", in order
	good  map[string]bool
	n     int
}

// newFake logs user u with password p in, and leaves all else to h.
func newFake(t *testing.T, h http.HandlerFunc) *fake {
	t.Helper()
	f := &fake{good: map[string]bool{}}
	f.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		auth := r.Header.Get("Authorization")
		f.lines = append(f.lines, r.Method+" "+strings.TrimPrefix(r.URL.RequestURI(), "/api/v3/")+" "+auth)
		user, password, basic := r.BasicAuth()
		token, bearer := strings.CutPrefix(auth, "Bearer ")
		ok := basic && user == "u" && password == "p" || bearer && (f.good[token] || token == "fixed")
		if ok && strings.HasSuffix(r.URL.Path, "/users/u/token") {
			f.n++
			token = fmt.Sprintf("token%d", f.n)
			f.good[token] = true
			f.mu.Unlock()
			json.NewEncoder(w).Encode(models.UserToken{Token: token})
			return
		}
		f.mu.Unlock()
		if !ok {
			w.WriteHeader(http.StatusForbidden)
			io.WriteString(w, `{"Model":"","Key":"","Type":"system","Messages":["Invalid token: nobody knows it"],"Code":403}`)
			return
		}
		h(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *fake) asked() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	lines := f.lines
	f.lines = nil
	return lines
}

func (f *fake) revokeAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.good)
}

func (f *fake) client(cfg Config) *Client {
	cfg.Endpoint = f.URL
	if cfg.Username == "" {
		cfg.Username, cfg.Password = "u", "p"
	}
	c := New(cfg)
	c.pauses = []time.Duration{0, 0, 0}
	return c
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

func TestLoginHappensOnceAndIsRemembered(t *testing.T) {
	f := newFake(t, answer(200, `{}`))
	cache := filepath.Join(t.TempDir(), "tokens")
	ctx := t.Context()
	c := f.client(Config{TokenCache: cache})
	for range 2 {
		if err := c.Do(ctx, "GET", "machines/x", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	const basic = "Basic dTpw"
	same(t, "first run", f.asked(), []string{"GET users/u/token?ttl=7200 " + basic, "GET machines/x Bearer token1", "GET machines/x Bearer token1"})

	if err := f.client(Config{TokenCache: cache}).Do(ctx, "GET", "machines/x", nil, nil); err != nil {
		t.Fatal(err)
	}
	same(t, "second run", f.asked(), []string{"GET info Bearer token1", "GET machines/x Bearer token1"})

	info, err := os.Stat(filepath.Join(cache, ".u.token"))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "mode of the cache", info.Mode().Perm(), os.FileMode(0o600))

	f.revokeAll()
	if err := f.client(Config{TokenCache: cache}).Do(ctx, "GET", "machines/x", nil, nil); err != nil {
		t.Fatal(err)
	}
	same(t, "after a reinstallation", f.asked(), []string{"GET info Bearer token1", "GET users/u/token?ttl=7200 " + basic, "GET machines/x Bearer token2"})
}

func TestRememberedTokenIsNotShownToAnotherServer(t *testing.T) {
	cache := t.TempDir()
	one, two := newFake(t, answer(200, `{}`)), newFake(t, answer(200, `{}`))
	for _, f := range []*fake{one, two} {
		if err := f.client(Config{TokenCache: cache}).Do(t.Context(), "GET", "x", nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "second server", two.asked(), []string{"GET users/u/token?ttl=7200 Basic dTpw", "GET x Bearer token1"})
}

func TestRefusedTokenIsReplacedOnce(t *testing.T) {
	f := newFake(t, answer(200, `{}`))
	c := f.client(Config{})
	if err := c.Do(t.Context(), "GET", "x", nil, nil); err != nil {
		t.Fatal(err)
	}
	f.revokeAll()
	f.asked()
	if err := c.Do(t.Context(), "PATCH", "x", []int{1}, nil); err != nil {
		t.Fatal(err)
	}
	same(t, "requests", f.asked(), []string{"PATCH x Bearer token1", "GET users/u/token?ttl=7200 Basic dTpw", "PATCH x Bearer token2"})

	fixed := f.client(Config{Token: "gone"})
	err := fixed.Do(t.Context(), "GET", "x", nil, nil)
	if models.ClassOf(err) != models.Forbidden {
		t.Errorf("a fixed token that is refused: got %v, want Forbidden", err)
	}
	same(t, "requests with a fixed token", f.asked(), []string{"GET x Bearer gone"})
}

func TestMissingRightDoesNotLogInAgain(t *testing.T) {
	f := newFake(t, answer(403, `{"Model":"","Key":"","Type":"AUTH","Messages":["Requires: machines list"],"Code":403}`))
	err := f.client(Config{}).Do(t.Context(), "GET", "x", nil, nil)
	same(t, "error", err, "AUTH: Requires: machines list")
	same(t, "requests", len(f.asked()), 2)
}

func TestNoTokenSendsThePassword(t *testing.T) {
	f := newFake(t, answer(200, `{}`))
	if err := f.client(Config{NoToken: true}).Do(t.Context(), "GET", "x", nil, nil); err != nil {
		t.Fatal(err)
	}
	same(t, "requests", f.asked(), []string{"GET x Basic dTpw"})
}

func TestErrorsOfTheServerAreModelsErrors(t *testing.T) {
	for _, c := range []struct {
		method string
		status int
		body   string
		class  models.Class
		text   string
	}{
		{"GET", 404, `{"Model":"machines","Key":"foo","Type":"GET","Messages":["Not Found"],"Code":404}`, models.NotFound, "GET: machines/foo: Not Found"},
		{"PATCH", 409, `{"Model":"m","Key":"k","Type":"PATCH","Messages":["a","b"],"Code":409}`, models.Conflict, "PATCH: m/k\n  a\n  b"},
		{"GET", 422, `{"Model":"m","Key":"k","Type":"ValidationError","Messages":["a"],"Code":422}`, models.Invalid, "ValidationError: m/k: a"},
		{"GET", 502, `<html>`, models.Internal, "CLIENT_ERROR: machines/foo\n  Bad Gateway\n  Raw response: <html>"},
		{"HEAD", 404, ``, models.NotFound, "CLIENT_ERROR: Not Found"},
		{"GET", 200, `[1]`, models.Internal, "CLIENT_ERROR: machines/foo: the answer is not what was expected: json: cannot unmarshal array into Go value of type models.Machine"},
	} {
		f := newFake(t, answer(c.status, c.body))
		err := f.client(Config{}).Do(t.Context(), c.method, "machines/foo", nil, &models.Machine{})
		var e *models.Error
		if !errors.As(err, &e) {
			t.Errorf("%s %d: got %v, want a *models.Error", c.method, c.status, err)
			continue
		}
		same(t, "text", e.Error(), c.text)
		same(t, "class", e.Class, c.class)
	}
	f := newFake(t, answer(304, ``))
	if err := f.client(Config{}).Do(t.Context(), "GET", "x", nil, nil); !errors.Is(err, ErrNotModified) {
		t.Errorf("304: got %v, want ErrNotModified", err)
	}
}

func TestBodiesAndAnswersTravelAsTheirTypesSay(t *testing.T) {
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		json.NewEncoder(w).Encode([]string{r.Header.Get("Content-Type"), string(body), strings.Join(r.Header["Accept"], ","), r.URL.EscapedPath(), r.URL.RawQuery})
	})
	c := f.client(Config{})
	for _, k := range []struct {
		in   any
		want []string
	}{
		{nil, []string{"application/json", ""}},
		{map[string]any{"a": "<"}, []string{"application/json", `{"a":"<"}`}},
		{json.RawMessage(`{"a": 1}`), []string{"application/json", `{"a":1}`}},
		{[]byte("raw"), []string{"application/octet-stream", "raw"}},
		{strings.NewReader("stream"), []string{"application/octet-stream", "stream"}},
	} {
		var got []string
		if err := c.Do(t.Context(), "POST", "x", k.in, &got); err != nil {
			t.Fatal(err)
		}
		same(t, fmt.Sprintf("%T", k.in), got[:2], k.want)
	}
	var raw []byte
	if err := c.Do(t.Context(), "GET", "params/a b/c?d#e%2f", nil, &raw, WithQuery(url.Values{"x": {"Eq(1)"}})); err != nil {
		t.Fatal(err)
	}
	var got []string
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	same(t, "stream", got[2:], []string{"application/json,application/octet-stream", "/api/v3/params/a%20b/c%3Fd%23e%252f", "x=Eq%281%29"})
	var sb strings.Builder
	if err := c.Do(t.Context(), "GET", "x", nil, &sb); err != nil || !strings.HasPrefix(sb.String(), "[") {
		t.Errorf("io.Writer: got %q, %v", sb.String(), err)
	}
}

// breaking closes the first n connections without an answer.
func breaking(n int, then http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		broken := n > 0
		n--
		mu.Unlock()
		if broken {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close()
			}
			return
		}
		then(w, r)
	}
}

func TestShortAbsenceOfTheServerGoesUnnoticed(t *testing.T) {
	f := newFake(t, breaking(3, answer(200, `{}`)))
	if err := f.client(Config{Token: "fixed"}).Do(t.Context(), "POST", "x", []int{1}, nil); err != nil {
		t.Errorf("three broken connections, then an answer: got %v", err)
	}
	f = newFake(t, breaking(4, answer(200, `{}`)))
	if err := f.client(Config{Token: "fixed"}).Do(t.Context(), "POST", "x", []int{1}, nil); err == nil {
		t.Error("the patience has no end")
	}
}

func TestStreamsAreSentOnce(t *testing.T) {
	f := newFake(t, breaking(1, answer(200, `{}`)))
	if err := f.client(Config{Token: "fixed"}).Do(t.Context(), "PUT", "x", strings.NewReader("a"), nil); err == nil {
		t.Error("got no error, want that of the broken connection")
	}
	same(t, "requests", len(f.asked()), 1)
}

func TestPausesEndWithTheContext(t *testing.T) {
	f := newFake(t, breaking(100, answer(200, `{}`)))
	c := f.client(Config{Token: "fixed"})
	c.pauses = []time.Duration{time.Hour}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- c.Do(ctx, "GET", "x", nil, nil) }()
	for len(f.asked()) == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestRequestsGoThroughTheSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	hosts := make(chan string, 1)
	proxy := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hosts <- r.Host + r.URL.Path
		io.WriteString(w, `{}`)
	})}
	go proxy.Serve(l)
	t.Cleanup(func() { proxy.Close() })
	c := New(Config{Endpoint: "https://127.0.0.1:1", Token: "t", Socket: socket})
	if err := c.Do(t.Context(), "GET", "info", nil, nil); err != nil {
		t.Fatal(err)
	}
	same(t, "request", <-hosts, "unix/api/v3/info")
}

func TestCertificateIsCheckedWhenAskedTo(t *testing.T) {
	f := newFake(t, answer(200, `{}`))
	ask := func(cfg Config) error {
		cfg.Token = "fixed"
		return f.client(cfg).Do(t.Context(), "GET", "x", nil, nil)
	}
	if err := ask(Config{Verify: true}); err == nil {
		t.Error("Verify accepts a certificate of nobody")
	}
	ca := filepath.Join(t.TempDir(), "ca.pem")
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})
	if err := os.WriteFile(ca, block, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ask(Config{CA: ca}); err != nil {
		t.Errorf("signed by the CA: %v", err)
	}
	other := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(other, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := ask(Config{CA: other}); err == nil {
		t.Error("an empty CA file is accepted")
	}
	if err := ask(Config{}); err != nil {
		t.Errorf("by default any certificate: %v", err)
	}
}

func TestBadEndpointIsAnErrorOfEveryCall(t *testing.T) {
	for _, e := range []string{"ftp://x", "https://", "https://[::1"} {
		c := New(Config{Endpoint: e, Token: "t"})
		if err := c.Do(t.Context(), "GET", "x", nil, nil); err == nil {
			t.Errorf("%s: Do succeeds", e)
		}
		if _, err := c.Watch(t.Context(), "*.*.*"); err == nil {
			t.Errorf("%s: Watch succeeds", e)
		}
		if _, err := c.Token(t.Context()); err == nil {
			t.Errorf("%s: Token succeeds", e)
		}
	}
}

func TestWrongPasswordIsALoginError(t *testing.T) {
	f := newFake(t, answer(200, `{}`))
	err := f.client(Config{Username: "x", Password: "y"}).Do(t.Context(), "GET", "x", nil, nil)
	var login *LoginError
	if !errors.As(err, &login) || login.User != "x" {
		t.Errorf("got %v, want a LoginError of x", err)
	}
}

// TestAServerThatAsksForPatienceGetsIt: the request comes again after the time that was asked for,
// whatever its method, and what goes on is handed to the caller with that time.
func TestAServerThatAsksForPatienceGetsIt(t *testing.T) {
	for _, status := range []int{429, 503} {
		for _, method := range []string{"GET", "HEAD", "POST", "PATCH", "DELETE"} {
			refusals := 2
			names := map[string]bool{}
			f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
				names[r.Header.Get("Idempotency-Key")] = true
				if refusals--; refusals >= 0 {
					w.Header().Set("Retry-After", "0")
					w.WriteHeader(status)
					return
				}
				io.WriteString(w, `{}`)
			})
			c := f.client(Config{Token: "fixed"})
			if err := c.Do(t.Context(), method, "profiles", nil, nil); err != nil || refusals != -1 || len(names) != 1 {
				t.Errorf("%s after %d: got %v with %d refusals left and %d names of the request, want success at the third try under one name", method, status, err, refusals, len(names))
			}
		}
		f := newFake(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "7")
			w.WriteHeader(status)
			io.WriteString(w, `{"Type":"GET","Messages":["slower"],"Code":429}`)
		})
		var e *models.Error
		err := f.client(Config{Token: "fixed"}).Do(t.Context(), "POST", "profiles", strings.NewReader("x"), nil)
		if !errors.As(err, &e) || e.RetryAfter != 7*time.Second {
			t.Errorf("a stream, which cannot be sent again: got %v, want an error that says 7s", err)
		}
	}
	f := newFake(t, func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) })
	if err := f.client(Config{Token: "fixed"}).Do(t.Context(), "GET", "profiles", nil, nil); err == nil || len(f.asked()) != 1 {
		t.Errorf("503 without Retry-After: got %v, want an error at once", err)
	}
}
