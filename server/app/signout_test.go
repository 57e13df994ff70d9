package app

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/models"
	"drp/server/auth"

	"github.com/coder/websocket"
)

// TestASessionThatIsEndedOpensNothing: no route takes the token any more, its event streams are cut,
// and so it stays after a kill -9; the others of the user, and those it has granted, live on.
func TestASessionThatIsEndedOpensNothing(t *testing.T) {
	cfg := config(t)
	a, admin, _ := start(t, cfg)
	ids := populate(t, admin)
	grant := func(by client, path string) string {
		t.Helper()
		var token models.UserToken
		by.must("GET", path, nil, &token)
		return token.Token
	}
	session := client{t, admin.url, grant(admin, "/users/rocketskates/token")}
	twin := client{t, admin.url, grant(admin, "/users/rocketskates/token")}
	child := client{t, admin.url, grant(session, "/users/rocketskates/token")}
	machine := client{t, admin.url, grant(session, "/machines/"+ids["machines"]+"/token")}
	streams := map[string]*websocket.Conn{}
	for name, c := range map[string]client{"session": session, "twin": twin, "child": child} {
		conn, _, err := websocket.Dial(t.Context(), admin.url+"/api/v3/ws", &websocket.DialOptions{
			HTTPClient: &http.Client{Transport: transport}, Subprotocols: []string{"drp.events", "bearer." + c.token}})
		if err != nil {
			t.Fatal(err)
		}
		c.tells(conn, "register profiles.*.*")
		streams[name] = conn
	}
	before := len(history(t, admin))

	if got := session.do("DELETE", "/users/rocketskates/token", nil); got.status != 204 {
		t.Fatalf("sign out: %d %s", got.status, got.body)
	}
	if _, _, err := streams["session"].Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusPolicyViolation {
		t.Errorf("its event stream: %v, want to be cut off", err)
	}
	admin.must("POST", "/profiles", `{"Name":"later"}`, nil)
	for _, name := range []string{"twin", "child"} {
		if e := admin.event(streams[name]); e.Key != "later" {
			t.Errorf("the event stream of the %s: %+v", name, e)
		}
	}
	if now := history(t, admin); len(now) != before+1 {
		t.Errorf("history tells of it: %v", now)
	}
	check := func(when string, a *App, url string) {
		t.Helper()
		for _, r := range routes(t, a, ids) {
			if slices.Contains(everybodys, r[1]) {
				continue
			}
			if got := (client{t, url, session.token}).do(r[0], r[1], sensible(r)); got.status != http.StatusForbidden {
				t.Errorf("%s: %s %s: %d, want 403", when, r[0], r[1], got.status)
			}
		}
		for _, disguise := range []string{session.token, session.token + "%0A", "%20" + session.token, session.token[:len(session.token)-2] + "%0A" + session.token[len(session.token)-2:]} {
			if got := (client{t, url, ""}).do("GET", "/ws?token="+disguise, nil); got.status != http.StatusForbidden {
				t.Errorf("%s: a websocket: %d, want 403", when, got.status)
			}
		}
		for name, c := range map[string]client{"twin": twin, "child": child, "machine": machine} {
			c.url = url
			if got := c.do("GET", "/machines/"+ids["machines"], nil); got.status != 200 {
				t.Errorf("%s: the token of the %s: %d %s", when, name, got.status, got.body)
			}
		}
	}
	check("at once", a, admin.url)

	cfg.BaseRoot = copyOf(t, cfg.BaseRoot) // as a kill -9 would leave it
	b, again, _ := start(t, cfg)
	check("after a crash", b, again.url)
}

// TestWhoMayEndWhichToken: everybody the one that the request carries, and no other.
func TestWhoMayEndWhichToken(t *testing.T) {
	a, admin, _ := start(t, config(t))
	ids := populate(t, admin)
	grant := func(user string, r auth.Request) client {
		token, err := a.auth.UserToken(auth.System(), user, r)
		if err != nil {
			t.Fatal(err)
		}
		return client{t, admin.url, token}
	}
	machine, err := a.auth.MachineToken(auth.System(), ids["machines"], time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		client
		user string
		want int
	}{
		"one's own":             {grant("ann", auth.Request{}), "ann", 204},
		"one for something":     {grant("ann", auth.Request{Scope: "isos", Action: "list"}), "ann", 204},
		"one by another name":   {grant("ann", auth.Request{}), "Name:ann", 204},
		"of an unseen user":     {grant("ann", auth.Request{}), "rocketskates", 404},
		"of no user":            {grant("ann", auth.Request{}), "nobody", 404},
		"of another user":       {grant("rocketskates", auth.Request{}), "ann", 403},
		"a machine's":           {client{t, admin.url, machine}, "rocketskates", 404},
		"a password":            {client{t, admin.url, "rocketskates:r0cketsk8ts"}, "rocketskates", 400},
		"none":                  {client{t, admin.url, ""}, "rocketskates", 401},
		"one without an answer": {grant("rocketskates", auth.Request{TTL: time.Millisecond}), "rocketskates", 204},
	} {
		got := c.do("DELETE", "/users/"+c.user+"/token", nil)
		if got.status != c.want {
			t.Errorf("%s: %d %s, want %d", name, got.status, got.body, c.want)
		}
		after := c.do("GET", "/info", nil).status
		if ended := after == 403; ended != (c.want == 204) && c.token != "" {
			t.Errorf("%s: afterwards %d", name, after)
		}
	}
}

// TestEndedTokensAreForgottenInTime: not before they would have expired.
func TestEndedTokensAreForgottenInTime(t *testing.T) {
	a, admin, _ := start(t, config(t))
	now := time.Now()
	a.api.Now = func() time.Time { return now }
	for i, hours := range []int{1, 3, 5} {
		token, err := a.auth.UserToken(auth.System(), auth.BootstrapUser, auth.Request{TTL: time.Duration(hours) * time.Hour})
		if err != nil {
			t.Fatal(err)
		}
		client{t, admin.url, token}.must("DELETE", "/users/rocketskates/token", nil, nil)
		if want, got := []int{1, 1, 1}[i], a.objects.View().Len("ended_tokens"); got != want {
			t.Errorf("%d are kept, want %d", got, want)
		}
		now = now.Add(time.Duration(hours)*time.Hour + time.Minute)
	}
}

// copyOf is a folder with what is on the disk now.
func copyOf(t *testing.T, root string) string {
	t.Helper()
	to := t.TempDir()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		rel := strings.TrimPrefix(path, root)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			return os.MkdirAll(to+rel, 0o700)
		case !d.Type().IsRegular():
			return nil
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(to+rel, raw, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return to
}

func history(t *testing.T, c client) []models.HistoryEntry {
	t.Helper()
	var list []models.HistoryEntry
	c.must("GET", "/history", nil, &list)
	for _, e := range list {
		if strings.Contains(fmt.Sprint(e), "ended_tokens") {
			t.Errorf("history tells %v", e)
		}
	}
	return list
}
