package app

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"drp/models"
	"drp/models/patch"
	"drp/server/auth"

	"github.com/coder/websocket"
)

// endless is a body without an end: spaces, after a start.
type endless struct {
	start string
	n     int64
}

var blank = strings.Repeat(" ", 64<<10)

func (e *endless) Read(p []byte) (int, error) {
	n := copy(p, e.start)
	e.start = e.start[n:]
	n += copy(p[n:], blank)
	e.n += int64(n)
	return n, nil
}

// direct sends a request past the network.
func direct(a *App, token, method, path string, body io.Reader) *httptest.ResponseRecorder {
	req := httptest.NewRequest(method, full(path), body)
	req.Header.Set("Authorization", "Bearer "+token)
	res := httptest.NewRecorder()
	a.servers[0].Handler.ServeHTTP(res, req)
	return res
}

// TestNoRouteTakesABodyWithoutAnEnd: each reads so much and no more, and says how much that is.
func TestNoRouteTakesABodyWithoutAnEnd(t *testing.T) {
	cfg := config(t)
	cfg.Limits.Upload = 1 << 20
	a, admin, _ := start(t, cfg)
	ids := populate(t, admin)
	refused := 0
	for _, r := range routes(t, a, ids) {
		if r[0] == "GET" || r[0] == "HEAD" || r[0] == "DELETE" {
			continue
		}
		body := &endless{start: `{"Name":"xx"}`}
		res := direct(a, admin.token, r[0], r[1], body)
		const most = 64<<20 + 64<<10 // the largest limit, and a buffer
		if body.n > most {
			t.Errorf("%s %s has read %d bytes", r[0], r[1], body.n)
		}
		if body.n == 0 {
			continue // actions do not look at it
		}
		refused++
		if res.Code != http.StatusRequestEntityTooLarge || !strings.Contains(res.Body.String(), " MiB") {
			t.Errorf("%s %s: got %d %s, want 413 that names the limit", r[0], r[1], res.Code, res.Body)
		}
		envelope(t, answer{res.Code, res.Header(), res.Body.Bytes()})
	}
	if refused < 50 {
		t.Errorf("%d routes read a body; want more", refused)
	}
	t.Logf("%d routes refused", refused)
}

// blob tells of a route whose body may be anything.
func blob(path string) bool {
	return strings.HasPrefix(path, "/files/") || strings.HasPrefix(path, "/isos/")
}

// TestNoRouteTakesADocumentThatCannotBePatchedLater: what is nested deeper than a patch can reach.
func TestNoRouteTakesADocumentThatCannotBePatchedLater(t *testing.T) {
	a, admin, _ := start(t, config(t))
	ids := populate(t, admin)
	nest := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	rev := a.objects.View().Rev
	for _, r := range routes(t, a, ids) {
		if r[0] == "GET" || r[0] == "HEAD" || r[0] == "DELETE" || strings.HasSuffix(r[1], "/log") || blob(r[1]) {
			continue
		}
		for name, body := range map[string]string{
			"deep":          `{"Name":"xx","ID":"xx","Params":{"xx":` + nest(patch.MaxDepth) + `}}`,
			"deep value":    nest(patch.MaxDepth + 1),
			"deep operand":  `[{"op":"add","path":"/Params/xx","value":` + nest(patch.MaxDepth) + `},{"op":"add","path":"/x","value":` + nest(patch.MaxDepth+1) + `}]`,
			"deep in pack":  `{"meta":{"Name":"xx"},"sections":{"profiles":{"xx":{"Params":{"xx":` + nest(patch.MaxDepth) + `}}}}}`,
			"unclosed":      strings.Repeat(`{"a":[`, 100_000),
			"deep in quote": `"` + strings.Repeat("[", 1000),
		} {
			res := direct(a, admin.token, r[0], r[1], strings.NewReader(body))
			if res.Code < 400 || res.Code >= 500 {
				t.Errorf("%s %s with %s: got %d %s, want 4xx", r[0], r[1], name, res.Code, res.Body)
			}
		}
	}
	if now := a.objects.View().Rev; now != rev {
		t.Errorf("something was written: revision %d, was %d", now, rev)
	}
	admin.must("POST", "/profiles", `{"Name":"deepest","Params":{"xx":`+nest(patch.MaxDepth-2)+`}}`, nil)
	admin.must("PATCH", "/profiles/deepest", `[{"op":"replace","path":"/Description","value":"can be patched"}]`, nil)
	admin.must("POST", "/profiles/deepest/params/yy", `"`+strings.Repeat("[", 1000)+`"`, nil)
}

func TestWhatIsTooLongToReadIsRefusedWithItsLimit(t *testing.T) {
	_, admin, _ := start(t, config(t))
	for _, c := range []struct {
		name, path, header string
		status             int
		want               string
	}{
		{"URL", "/machines?Name=" + strings.Repeat("x", 33<<10), "", 414, "longer than 32 KiB"},
		{"header", "/machines", strings.Repeat("x", 65<<10), 431, "larger than 64 KiB"},
		{"beyond what net/http reads", "/machines", strings.Repeat("x", 300<<10), 431, ""},
		{"fine", "/machines?Name=" + strings.Repeat("x", 31<<10), strings.Repeat("x", 20<<10), 200, ""},
		{"filters", "/machines?" + strings.Repeat("Name=x&", 65), "", 406, "64"},
		{"expression", "/machines?Name=Re(" + strings.Repeat("x", 1025) + ")", "", 406, "1024"},
	} {
		got := admin.do("GET", c.path, nil, "X-Long", c.header)
		if got.status != c.status || !strings.Contains(string(got.body), c.want) {
			t.Errorf("%s: got %d %.300s, want %d with %q", c.name, got.status, got.body, c.status, c.want)
		}
		if c.want != "" {
			envelope(t, got)
		}
	}
}

// TestEachPrincipalHasABudgetOfItsOwn: one machine that asks too often is told to wait; others,
// users, and other profiles' holders are not.
func TestEachPrincipalHasABudgetOfItsOwn(t *testing.T) {
	cfg := config(t)
	cfg.Limits.MachineRate, cfg.Limits.RefusedRate = 0.001, 0
	a, admin, _ := start(t, cfg)
	ids := populate(t, admin)
	a.api.Guard.MachineRate = cfg.Limits.MachineRate
	var other models.Machine
	admin.must("POST", "/machines", `{"Name":"m2"}`, &other)
	for i, id := range []string{ids["machines"], other.Uuid} {
		var token models.UserToken
		admin.must("GET", "/machines/"+id+"/token", nil, &token)
		c := client{t, admin.url, token.Token}
		if got := c.do("GET", "/machines/"+id, nil); got.status != 200 {
			t.Errorf("machine %d, first request: got %d %s", i, got.status, got.body)
		}
		got := c.do("GET", "/machines/"+id, nil)
		after, err := strconv.Atoi(got.header.Get("Retry-After"))
		if got.status != 429 || err != nil || after < 1 || !strings.Contains(string(got.body), "machine:"+id) || !strings.Contains(string(got.body), "--limit-machine-rate") {
			t.Errorf("machine %d: got %d %s, Retry-After %q; want 429 that names the machine and the option", i, got.status, got.body, got.header.Get("Retry-After"))
		}
		envelope(t, got)
	}
	for range 100 {
		admin.must("GET", "/info", nil, nil)
	}
}

// TestRefusalsFromAnAddressAreCounted: tokens and passwords that are good are taken from there all
// the same.
func TestRefusalsFromAnAddressAreCounted(t *testing.T) {
	cfg := config(t)
	cfg.Limits.RefusedRate, cfg.Limits.UserRate = 0.3, 1e6
	_, admin, _ := start(t, cfg)
	seen := map[int]int{}
	for i := range 50 {
		bad := client{t, admin.url, []string{"", "abc"}[i%2]}
		got := bad.do("GET", []string{"/info", "/no/such/route"}[i/2%2], nil)
		seen[got.status]++
		if got.status == 429 && (got.header.Get("Retry-After") == "" || !strings.Contains(string(got.body), "--limit-refused-rate")) {
			t.Errorf("got %s, Retry-After %q; want both", got.body, got.header.Get("Retry-After"))
		}
		admin.must("GET", "/info", nil, nil)
	}
	if seen[429] < 40 || seen[401]+seen[403]+seen[404] == 0 {
		t.Errorf("got %v; want a few refusals and then 429", seen)
	}
}

// TestGuessingPasswordsStopsNobodyElse: a flood of wrong passwords is answered without work, while
// who holds a token, or has just logged in, goes on.
func TestGuessingPasswordsStopsNobodyElse(t *testing.T) {
	cfg := config(t)
	cfg.Limits.LoginRate = 0.05 // one, and then one in 20 seconds
	_, admin, _ := start(t, cfg)
	logged := client{t, admin.url, auth.BootstrapUser + ":" + auth.DefaultPassword}
	logged.must("GET", "/info", nil, nil)
	stop := make(chan struct{})
	var slowed atomic.Int32
	var guessers sync.WaitGroup
	for i := range 20 {
		guessers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				got := client{t, admin.url, fmt.Sprintf("rocketskates:wrong%d.%d", i, n)}.do("GET", "/info", nil)
				switch got.status {
				case 429:
					slowed.Add(1)
					if got.header.Get("Retry-After") == "" {
						t.Error("429 without Retry-After")
					}
				case 401:
				default:
					t.Errorf("got %d %s", got.status, got.body)
				}
			}
		})
	}
	for range 200 {
		admin.must("GET", "/info", nil, nil)
		logged.must("GET", "/info", nil, nil)
	}
	for slowed.Load() == 0 {
		admin.must("GET", "/info", nil, nil)
	}
	close(stop)
	guessers.Wait()
}

// TestSocketsAreCounted: one principal has so many, another its own, and one that is closed makes
// room.
func TestSocketsAreCounted(t *testing.T) {
	cfg := config(t)
	cfg.Limits.UserSockets, cfg.Limits.MachineSockets = 3, 2
	a, admin, _ := start(t, cfg)
	ids := populate(t, admin)
	var token models.UserToken
	admin.must("GET", "/machines/"+ids["machines"]+"/token", nil, &token)
	dial := func(token string) (*websocket.Conn, int, string) {
		c, res, err := websocket.Dial(t.Context(), "wss"+strings.TrimPrefix(admin.url, "https")+"/api/v3/ws?token="+token,
			&websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
		if err == nil {
			t.Cleanup(func() { c.CloseNow() })
			return c, res.StatusCode, ""
		}
		text, _ := io.ReadAll(res.Body)
		return nil, res.StatusCode, string(text)
	}
	for token, most := range map[string]int{admin.token: 3, token.Token: 2} {
		var first *websocket.Conn
		for range most {
			c, status, text := dial(token)
			if c == nil {
				t.Fatalf("got %d %s", status, text)
			}
			first = c
		}
		if _, status, text := dial(token); status != 429 || !strings.Contains(text, "streams") {
			t.Errorf("one more: got %d %s, want 429", status, text)
		}
		before := a.hub.Subscribers()
		first.CloseNow()
		for a.hub.Subscribers() == before {
			time.Sleep(time.Millisecond)
		}
		for {
			if c, _, _ := dial(token); c != nil {
				break
			}
		}
	}
}

// raw is a TLS connection to the API.
func raw(t *testing.T, a *App) *tls.Conn {
	t.Helper()
	c, err := tls.Dial("tcp", strings.TrimPrefix(a.Endpoint(), "https://"), &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// impatient is a configuration in which everything ends soon.
func impatient(t *testing.T) Config {
	cfg := config(t)
	cfg.Limits.Stall, cfg.Idle = 250*time.Millisecond, 250*time.Millisecond
	cfg.StaticPort = 0
	return cfg
}

// TestWhoHoldsAConnectionForNothingLosesIt: whatever he sends of a request, without an end.
func TestWhoHoldsAConnectionForNothingLosesIt(t *testing.T) {
	a, admin, _ := start(t, impatient(t))
	head := "Host: x\r\nAuthorization: Bearer " + admin.token + "\r\n"
	for name, c := range map[string]struct {
		send    string
		trickle bool
		status  int // of the answer, if there must be one
	}{
		"nothing":                   {},
		"half a line":               {send: "GET /api/v3/in"},
		"half a header":             {send: "GET /api/v3/info HTTP/1.1\r\n" + head},
		"a header in trickles":      {send: "GET /api/v3/info HTTP/1.1\r\n" + head + "X-A: ", trickle: true},
		"half a body":               {send: "POST /api/v3/profiles HTTP/1.1\r\n" + head + "Content-Length: 100\r\n\r\n{", status: 408},
		"a body in trickles":        {send: "POST /api/v3/profiles HTTP/1.1\r\n" + head + "Content-Length: 100000000\r\n\r\n{", trickle: true, status: 408},
		"a log in trickles":         {send: "PUT /api/v3/jobs/x/log HTTP/1.1\r\n" + head + "Transfer-Encoding: chunked\r\n\r\n", trickle: false},
		"a body nobody reads":       {send: "POST /api/v3/profiles HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"},
		"no body for what needs it": {send: "PATCH /api/v3/profiles/global HTTP/1.1\r\n" + head + "Content-Length: 1\r\n\r\n", status: 408},
		"a request and silence":     {send: "GET /api/v3/info HTTP/1.1\r\n" + head + "\r\n", status: 200},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := raw(t, a)
			if _, err := io.WriteString(conn, c.send); err != nil {
				t.Fatal(err)
			}
			ended := make(chan struct{})
			if c.trickle {
				go func() {
					for tick := time.NewTicker(20 * time.Millisecond); ; <-tick.C {
						if _, err := io.WriteString(conn, " "); err != nil {
							tick.Stop()
							return
						}
					}
				}()
			}
			r := bufio.NewReader(conn)
			res, err := http.ReadResponse(r, nil)
			if c.status != 0 && (err != nil || res.StatusCode != c.status) {
				t.Errorf("got %v, %v, want status %d", res, err, c.status)
			}
			close(ended)
			io.Copy(io.Discard, r) // returns when the server has closed
		})
	}
}

// TestWhatTakesLongButIsAliveIsLeftAlone: long polls, websockets and answers that are waited for
// outlast the timeouts.
func TestWhatTakesLongButIsAliveIsLeftAlone(t *testing.T) {
	a, admin, _ := start(t, impatient(t))
	admin.must("POST", "/profiles", `{"Name":"pp"}`, nil)
	c, _, err := websocket.Dial(t.Context(), "wss"+strings.TrimPrefix(admin.url, "https")+"/api/v3/ws?token="+admin.token,
		&websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	if err := c.Write(t.Context(), websocket.MessageText, []byte("register profiles.*.*")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(t.Context()); err != nil {
		t.Fatal(err)
	}
	etag := admin.do("GET", "/profiles/pp", nil).header.Get("ETag")
	if got := admin.do("GET", "/profiles/pp", nil, "If-None-Match", etag, "Prefer", "wait=1"); got.status != 304 {
		t.Errorf("a long poll: got %d %s, want 304", got.status, got.body)
	}
	if a.hub.Subscribers() != 1 {
		t.Error("the websocket is gone")
	}
	admin.must("DELETE", "/profiles/pp", nil, nil)
	if _, _, err := c.Read(t.Context()); err != nil {
		t.Errorf("the websocket: %v", err)
	}
}

// TestWhoDoesNotReadHisAnswersIsCutOff: and everybody else is served meanwhile and after.
func TestWhoDoesNotReadHisAnswersIsCutOff(t *testing.T) {
	a, admin, _ := start(t, impatient(t))
	large := `"` + strings.Repeat("x", 900_000) + `"`
	admin.must("POST", "/profiles", `{"Name":"large","Params":{"xx":`+large+`}}`, nil)
	conn := raw(t, a)
	ask := strings.Repeat("GET /api/v3/profiles/large HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+admin.token+"\r\n\r\n", 50)
	for { // blocks once the server waits for us to read, and fails once it does no more
		if _, err := io.WriteString(conn, ask); err != nil {
			break
		}
		admin.must("GET", "/info", nil, nil)
	}
	admin.must("GET", "/info", nil, nil)
}

// TestProgressIsWhatCounts, in made-up time: a write may take for ever as long as each piece of it
// is taken in time.
func TestProgressIsWhatCounts(t *testing.T) {
	for name, c := range map[string]struct {
		every time.Duration
		fails bool
	}{"slow": {900 * time.Millisecond, false}, "too slow": {1100 * time.Millisecond, true}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, peer := net.Pipe()
				defer peer.Close()
				p := &patience{stall: time.Second, open: new(atomic.Int64)}
				done := make(chan struct{})
				go func() {
					defer close(done)
					for buf := make([]byte, piece); ; {
						time.Sleep(c.every)
						if _, err := io.ReadFull(peer, buf); err != nil {
							return
						}
					}
				}()
				w := &conn{Conn: server, of: p}
				n, err := w.Write(make([]byte, 100*piece))
				if failed := err != nil; failed != c.fails || !failed && n != 100*piece {
					t.Errorf("wrote %d, %v after %v", n, err, c.every)
				}
				w.Close()
				<-done
			})
		})
	}
}

// TestFilesAreSentWhole: through the kernel, in pieces.
func TestFilesAreSentWhole(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("0123456789"), 100_000)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "f", time.Time{}, bytes.NewReader(content))
	}))
	srv.Listener = patient(l, time.Minute, new(atomic.Int64), 0, slog.New(slog.DiscardHandler))
	srv.Start()
	defer srv.Close()
	for _, span := range []string{"", "bytes=5-999998"} {
		req, err := http.NewRequest("GET", srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		want := content
		if span != "" {
			req.Header.Set("Range", span)
			want = content[5:999_999]
		}
		res, err := srv.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q: got %d bytes, %v, want %d", span, len(got), err, len(want))
		}
	}
}

// TestTooManyConnectionsAreClosedAtOnce: and one that ends makes room.
func TestTooManyConnectionsAreClosedAtOnce(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := patient(l, time.Minute, new(atomic.Int64), 3, slog.New(slog.DiscardHandler))
	defer p.Close()
	accepted := make(chan net.Conn, 10)
	go func() {
		for {
			c, err := p.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	for range 3 {
		dial()
	}
	first := <-accepted
	if _, err := dial().Read(make([]byte, 1)); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the fourth of three: got %v, want the end of the connection", err)
	}
	first.Close()
	first.Close() // twice is once
	dial()
	for range 3 {
		<-accepted
	}
	if n := p.open.Load(); n != 3 {
		t.Errorf("%d are counted, want 3", n)
	}
}

// TestThousandsOfIdleConnectionsLeaveOthersServed: as many as this machine lets one process hold
// both ends of.
func TestThousandsOfIdleConnectionsLeaveOthersServed(t *testing.T) {
	a, admin, _ := start(t, config(t))
	n := min(2000, (filesLimit()-2*spare)/2)
	if testing.Short() {
		n = min(n, 200)
	}
	// Cheap handshakes: what is asked here is not how many of them there can be a second.
	cheap := &tls.Config{InsecureSkipVerify: true, CurvePreferences: []tls.CurveID{tls.X25519}}
	conns := make([]*tls.Conn, n)
	var all sync.WaitGroup
	next := make(chan int)
	for range 16 {
		all.Go(func() {
			for i := range next {
				c, err := tls.Dial("tcp", strings.TrimPrefix(a.Endpoint(), "https://"), cheap)
				if err != nil {
					t.Error(err)
					continue
				}
				conns[i] = c
			}
		})
	}
	for i := range n {
		next <- i
	}
	close(next)
	all.Wait()
	defer func() {
		for _, c := range conns {
			if c != nil {
				c.Close()
			}
		}
	}()
	for i := range 50 {
		admin.must("POST", "/profiles", fmt.Sprintf(`{"Name":"p%d"}`, i), nil)
	}
	var list []json.RawMessage
	admin.must("GET", "/profiles", nil, &list)
	if len(list) != 51 {
		t.Errorf("%d profiles, want 51", len(list))
	}
	t.Logf("%d idle connections", n)
}
