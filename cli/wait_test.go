package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/models"

	"github.com/coder/websocket"
)

// world is a server with one object that changes while someone waits.
type world struct {
	*server
	mu         sync.Mutex
	object     string
	param      string
	registered chan string
	conn       chan *websocket.Conn
}

func newWorld(t *testing.T, object, param string) *world {
	w := &world{server: newServer(t, nil), object: object, param: param, registered: make(chan string, 16), conn: make(chan *websocket.Conn, 1)}
	serve := func(what *string) http.HandlerFunc {
		return func(rw http.ResponseWriter, _ *http.Request) {
			w.mu.Lock()
			defer w.mu.Unlock()
			fmt.Fprint(rw, *what)
		}
	}
	for _, id := range []string{"Name:x", "k.1"} {
		w.handle["profiles/"+id] = serve(&w.object)
	}
	w.handle["profiles/k.1/params/p/q"] = serve(&w.param)
	w.handle["ws"] = func(rw http.ResponseWriter, r *http.Request) {
		conn, err := websocket.Accept(rw, r, nil)
		if err != nil {
			return
		}
		for {
			_, raw, err := conn.Read(context.Background())
			if err != nil {
				return
			}
			w.registered <- string(raw)
			w.tell(conn, models.Event{Type: "websocket"})
			if strings.HasPrefix(string(raw), "register profiles.delete") {
				w.conn <- conn
			}
		}
	}
	return w
}

func (w *world) tell(conn *websocket.Conn, e models.Event) {
	raw, _ := json.Marshal(e)
	conn.Write(context.Background(), websocket.MessageText, raw)
}

// becomes changes the object and sends the event of it.
func (w *world) becomes(conn *websocket.Conn, object, param string) {
	w.mu.Lock()
	w.object, w.param = object, param
	w.mu.Unlock()
	w.tell(conn, models.Event{Type: "profiles", Action: "save", Key: "k.1"})
}

func TestWaitEndsWhenTheEventComes(t *testing.T) {
	for _, c := range []struct {
		args                  string
		before, during, after string // "object|param"
	}{
		{"Description done", `{"Name":"k.1","Description":""}|`, `{"Name":"k.1","Description":"do"}|`, `{"Name":"k.1","Description":"done"}|`},
		{"description done 3600", `{"Name":"k.1","Description":""}|`, `{"Name":"k.1","Description":"do"}|`, `{"Name":"k.1","Description":"done"}|`},
		{"Count gte 10", `{"Name":"k.1","Count":9}|`, `{"Name":"k.1","Count":"11"}|`, `{"Name":"k.1","Count":10.0}|`},
		{"Count 10", `{"Name":"k.1","Count":9}|`, `{"Name":"k.1","Count":"10"}|`, `{"Name":"k.1","Count":1e1}|`},
		{"List [a,b] 60s", `{"Name":"k.1","List":[]}|`, `{"Name":"k.1","List":["b","a"]}|`, `{"Name":"k.1","List":["a","b"]}|`},
		{"param p/q x", `{"Name":"k.1"}|null`, `{"Name":"k.1"}|"y"`, `{"Name":"k.1"}|"x"`},
		{"param p/q ne none 60s", `{"Name":"k.1"}|"none"`, `{"Name":"k.1"}|"none"`, `{"Name":"k.1"}|"node1"`},
		{"param p/q eq eq 60s", `{"Name":"k.1"}|"none"`, `{"Name":"k.1"}|60`, `{"Name":"k.1"}|"eq"`},
		{"param p/q {a: 1}", `{"Name":"k.1"}|{}`, `{"Name":"k.1"}|{"a":"1"}`, `{"Name":"k.1"}|{"a":1}`},
		{"param p/q null --aggregate", `{"Name":"k.1"}|1`, `{"Name":"k.1"}|2`, `{"Name":"k.1"}|null`},
	} {
		object, param, _ := strings.Cut(c.before, "|")
		w := newWorld(t, object, param)
		done := make(chan result, 1)
		args := append([]string{"profiles", "wait", "Name:x"}, strings.Fields(strings.ReplaceAll(c.args, "a: 1", "a:~1"))...)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "~", " ")
		}
		go func() { done <- w.call(t, args...) }()
		conn := <-w.conn
		for _, want := range []string{"register profiles.update.k\\11", "register profiles.save.k\\11", "register profiles.delete.k\\11"} {
			if got := <-w.registered; got != want {
				t.Errorf("%s: got %s, want %s", c.args, got, want)
			}
		}
		object, param, _ = strings.Cut(c.during, "|")
		w.becomes(conn, object, param)
		select {
		case r := <-done:
			t.Errorf("%s: has ended too early: %v", c.args, r)
			continue
		default:
		}
		object, param, _ = strings.Cut(c.after, "|")
		w.becomes(conn, object, param)
		want(t, c.args, <-done, result{"complete\n", "", 0})
	}
}

func TestWaitIsOverAtOnceWhenNothingIsMissing(t *testing.T) {
	w := newWorld(t, `{"Name":"k.1","Available":true}`, "")
	want(t, "result", w.call(t, "profiles", "wait", "Name:x", "Available", "true"), result{"complete\n", "", 0})
}

func TestWaitThatTimesOutFails(t *testing.T) {
	w := newWorld(t, `{"Name":"k.1","Available":false}`, "")
	r := w.call(t, "profiles", "wait", "Name:x", "Available", "true", "50ms")
	want(t, "result", r, result{"timeout\n", "Error: after 50ms the field Available of profiles/Name:x is still not as awaited\n", 1})
}

func TestWaitCanBeInterrupted(t *testing.T) {
	w := newWorld(t, `{"Name":"k.1","Available":false}`, "")
	ctx, interrupt := context.WithCancel(t.Context())
	var out, errs bytes.Buffer
	done := make(chan int, 1)
	go func() {
		done <- Main(ctx, []string{"drp", "-E", w.URL, "-T", "t", "profiles", "wait", "Name:x", "Available", "true"},
			IO{In: strings.NewReader(""), Out: &out, Err: &errs}, Deps{Getenv: func(string) string { return "" }})
	}()
	<-w.conn
	interrupt()
	want(t, "status", <-done, 1)
	want(t, "output", out.String()+errs.String(), "interrupt\nError: interrupted\n")
}

func TestWaitForAFieldThatIsNotThereFails(t *testing.T) {
	w := newWorld(t, `{"Name":"k.1"}`, "")
	r := w.call(t, "profiles", "wait", "Name:x", "Availible", "true")
	want(t, "result", r, result{"", "Error: profiles have no field Availible\n", 1})
}

func TestEventsArePrintedUntilTheInterrupt(t *testing.T) {
	w := newWorld(t, "", "")
	ctx, interrupt := context.WithCancel(t.Context())
	lines := make(chan string, 8)
	done := make(chan int, 1)
	go func() {
		done <- Main(ctx, []string{"drp", "-E", w.URL, "-T", "t", "-F", "text", "-H", "-J", "Key", "events", "watch", "profiles.delete.*"},
			IO{In: strings.NewReader(""), Out: chanWriter(lines), Err: &bytes.Buffer{}}, Deps{Getenv: func(string) string { return "" }})
	}()
	conn := <-w.conn
	want(t, "filter", <-w.registered, "register profiles.delete.*")
	w.tell(conn, models.Event{Type: "profiles", Key: "one"})
	want(t, "event", <-lines, "one\n")
	interrupt()
	select {
	case status := <-done:
		want(t, "status", status, 0)
	case <-time.After(10 * time.Second):
		t.Fatal("the interrupt does not end it")
	}
}

type chanWriter chan string

func (c chanWriter) Write(p []byte) (int, error) {
	c <- string(p)
	return len(p), nil
}

func TestOrderIsThatOfNumbersAndOfText(t *testing.T) {
	for _, c := range []struct {
		op, have, want string
		holds          bool
	}{
		{"lt", "9", "10", true}, {"lt", `"9"`, `"10"`, false}, {"gt", "12345678901234567890", "12345678901234567889", true},
		{"lte", "1.0", "1", true}, {"gt", `"b"`, `"a"`, true}, {"lt", `"a"`, "1", false}, {"gte", "null", "null", false},
		{"eq", `{"a":1,"b":2}`, `{"b":2.0,"a":1}`, true}, {"eq", "null", "null", true}, {"ne", "null", "null", false}, {"ne", "null", "0", true},
		{"eq", "null", "0", false}, {"eq", "1", "null", false},
	} {
		got, err := holds(c.op, json.RawMessage(c.have), json.RawMessage(c.want))
		if err != nil || got != c.holds {
			t.Errorf("%s %s %s: got %v, %v; want %v", c.have, c.op, c.want, got, err, c.holds)
		}
	}
}
