package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"drp/cli/runner"
)

// server is an HTTPS server that answers as it is told and notes what it is asked.
type server struct {
	*httptest.Server
	mu      sync.Mutex
	asked   []string          // "METHOD path?query body"
	answers map[string]string // by "METHOD path?query", or "METHOD path": "STATUS body", or the body of a 200
	headers map[string]string // of every answer
	handle  map[string]http.HandlerFunc
}

func newServer(t *testing.T, answers map[string]string) *server {
	t.Helper()
	s := &server{answers: answers, headers: map[string]string{}, handle: map[string]http.HandlerFunc{}}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // probes that hang up
	s.StartTLS()
	t.Cleanup(s.Close)
	return s
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/api/v3/")
	if h := s.handle[path]; h != nil {
		h(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body)
	full := path
	if r.URL.RawQuery != "" {
		full += "?" + r.URL.RawQuery
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, strings.TrimSpace(r.Method+" "+full+" "+string(body)))
	answer, ok := s.answers[r.Method+" "+full]
	if !ok {
		answer, ok = s.answers[r.Method+" "+path]
	}
	if !ok {
		answer = fmt.Sprintf(`404 {"Model":"x","Key":"y","Type":%q,"Messages":["Not Found"],"Code":404}`, r.Method)
	}
	for k, v := range s.headers {
		w.Header().Set(k, v)
	}
	w.Header().Set("Content-Type", "application/json")
	status := http.StatusOK
	if m := statusLine.FindStringSubmatch(answer); m != nil {
		status, _ = strconv.Atoi(m[1])
		answer = m[2]
	}
	w.WriteHeader(status)
	io.WriteString(w, answer)
}

var statusLine = regexp.MustCompile(`(?s)^(\d{3}) (.*)$`)

func (s *server) requests() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	asked := s.asked
	s.asked = nil
	return asked
}

// result is what one run has left.
type result struct {
	out, err string
	status   int
}

// call is one run of the program.
type call struct {
	name  string // "": drpcli
	stdin string
	env   map[string]string
	home  string
	run   func(context.Context, runner.Options) error
	deps  Deps // the rest of them
}

func (c call) drp(t *testing.T, args ...string) result {
	t.Helper()
	if c.name == "" {
		c.name = "drpcli"
	}
	var out, err bytes.Buffer
	d := c.deps
	d.Version, d.Run, d.Getenv, d.Home = "v0", c.run, func(k string) string { return c.env[k] }, c.home
	status := Main(t.Context(), append([]string{c.name}, args...), IO{In: strings.NewReader(c.stdin), Out: &out, Err: &err}, d)
	return result{out.String(), err.String(), status}
}

// call runs the program against the server, with a token.
func (s *server) call(t *testing.T, args ...string) result {
	t.Helper()
	return s.feed(t, "", args...)
}

func (s *server) feed(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	return call{stdin: stdin}.drp(t, append([]string{"-E", s.URL, "-T", "secret"}, args...)...)
}

// want checks that two values print the same.
func want(t *testing.T, what string, got, want any) {
	t.Helper()
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%s:\n got %v\nwant %v", what, got, want)
	}
}

// compact makes JSON comparable: the body of a request keeps its verb and path.
func compact(t *testing.T, line string) string {
	t.Helper()
	verb, rest, _ := strings.Cut(line, " ")
	path, body, _ := strings.Cut(rest, " ")
	if body == "" {
		return line
	}
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		return line
	}
	return verb + " " + path + " " + string(must(v))
}

func compacted(t *testing.T, lines []string) string {
	t.Helper()
	var out []string
	for _, l := range lines {
		out = append(out, compact(t, l))
	}
	return strings.Join(out, "\n")
}
