package events

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"drp/models"

	"github.com/coder/websocket"
)

// TestASubscriberAsksForSoMuchAndNoMore: in number and in bytes; who gives filters back may take
// others.
func TestASubscriberAsksForSoMuchAndNoMore(t *testing.T) {
	h := New((&past{}).replay)
	url := serve(t, h, all, time.Time{})
	long := strings.Repeat("x", filterBytes/4)
	for name, filters := range map[string]func(i int) string{
		"many":  func(i int) string { return fmt.Sprintf("machines.update.%d", i) },
		"large": func(i int) string { return fmt.Sprintf("machines.update.%d%s", i, long[:filterBytes/8]) },
	} {
		c := dial(t, url)
		for i := range 50 {
			say(t, c, "register "+filters(i%5))
			next(t, c)
			say(t, c, "deregister "+filters(i%5))
			next(t, c)
		}
		most := map[string]int{"many": maxFilters, "large": 7}[name]
		for i := range most {
			say(t, c, "register "+filters(i))
			if e := next(t, c); e.Action != "register" {
				t.Fatalf("%s: filter %d: got %s", name, i, text(e))
			}
		}
		say(t, c, "register "+filters(0)) // known: costs nothing
		next(t, c)
		say(t, c, "register "+filters(most))
		_, _, err := c.Read(t.Context())
		if websocket.CloseStatus(err) != websocket.StatusPolicyViolation || !strings.Contains(err.Error(), "filters") {
			t.Errorf("%s: got %v after %d, want the end, for that reason", name, err, most)
		}
	}
}

// TestABacklogOfLargeEventsIsBounded: by its bytes, long before there are too many events.
func TestABacklogOfLargeEventsIsBounded(t *testing.T) {
	h := New((&past{}).replay)
	s := h.Subscribe(all)
	if err := s.register("machines.*.*", 0, false); err != nil {
		t.Fatal(err)
	}
	large := json.RawMessage(`"` + string(bytes.Repeat([]byte("x"), 1<<20)) + `"`)
	for i := range queueBytes>>20 + 1 {
		h.Publish(&Message{Event: models.Event{Type: "machines", Action: "update", Key: "k", Rev: uint64(i + 1), Object: large}})
	}
	select {
	case <-s.gone:
	default:
		t.Error("a subscriber that is 64 MiB behind is not cut off")
	}
}

// FuzzSocket: whatever a client says, line by line, it gets one acknowledgement for each register
// and deregister, or a close frame at the first that makes no sense; a subscriber beside it misses
// nothing; and the server is as it was when the client has gone.
func FuzzSocket(f *testing.F) {
	for _, s := range []string{
		"register machines.*.*\nderegister machines.*.*", "register a.b", "register ...\nregister *.*.*", "deregister", "",
		"register \x00.\xff.\\1\\2\\3", "register a,b,,c.*,x.y.z\nregister a,b,,c.*,x.y.z", "unregister x.y.z", "REGISTER *.*.*",
		"register *.*.*\nregister profiles.save.*\nderegister *.*.*\nhello", "  register   *.*.* ", "register\t*.*.*",
	} {
		f.Add([]byte(s), uint64(0), true)
		f.Add([]byte(s), uint64(3), false)
	}
	var hub atomic.Pointer[Hub]
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { hub.Load().Serve(w, r, Viewer{Sees: all}) }))
	f.Cleanup(srv.Close)
	f.Fuzz(func(t *testing.T, script []byte, rev uint64, binary bool) {
		p := &past{}
		h := New(p.replay)
		hub.Store(h)
		for i := range 5 {
			p.add(h, "profiles", "save", fmt.Sprint(i))
		}
		good := h.Subscribe(all)
		if err := good.register("fuzz.*.*", 0, false); err != nil {
			t.Fatal(err)
		}
		<-good.queue
		c, _, err := websocket.Dial(t.Context(), fmt.Sprintf("%s?rev=%d", srv.URL, rev), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		kind := websocket.MessageText
		if binary {
			kind = websocket.MessageBinary
		}
		lines := bytes.Split(script, []byte("\n"))
		lines = lines[:min(len(lines), 50)]
		for _, line := range lines {
			if c.Write(t.Context(), kind, line) != nil {
				break
			}
		}
		want := understood(lines)
		for acks := 0; want < len(lines) || acks < want; {
			_, raw, err := c.Read(t.Context())
			if err != nil {
				if s := websocket.CloseStatus(err); want == len(lines) || s != websocket.StatusPolicyViolation && s != websocket.StatusMessageTooBig {
					t.Fatalf("ended with %v after %d of %d acknowledgements", err, acks, want)
				}
				break
			}
			var e models.Event
			if err := json.Unmarshal(raw, &e); err != nil {
				t.Fatalf("got %q: %v", raw, err)
			}
			if e.Type == "websocket" {
				acks++
			}
			if acks > want {
				t.Fatalf("got %d acknowledgements, want %d", acks, want)
			}
		}
		c.CloseNow()
		m := p.add(h, "fuzz", "save", "key")
		if it := <-good.queue; it.msg != m {
			t.Fatalf("the subscriber beside it got %s, want %s", text(it.msg.Event), text(m.Event))
		}
		for h.Subscribers() > 1 {
			time.Sleep(time.Millisecond)
		}
	})
}

// understood is how many of a client's messages are acknowledged: those up to the first that
// makes no sense.
func understood(lines [][]byte) int {
	for i, line := range lines {
		verb, spec, _ := strings.Cut(strings.TrimSpace(string(line)), " ")
		parts := strings.SplitN(spec, ".", 3)
		sound := len(parts) == 3 && parts[0] != "" && parts[1] != "" && parts[2] != ""
		if len(line) > readLimit || verb != "deregister" && !(verb == "register" && sound) {
			return i
		}
	}
	return len(lines)
}
