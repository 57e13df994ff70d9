package app

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"drp/models"
	"drp/server/auth"
)

// FuzzRoutes: every route, with any ids, any query and any body, gives an answer: JSON, and if an
// error the envelope with its own status, never one of the server's own making; and to a token that
// may nothing it gives nothing away and changes nothing.
func FuzzRoutes(f *testing.F) {
	cfg := Config{BaseRoot: f.TempDir(), LogLevel: "error", LogFormat: "text"}
	a, err := New(f.Context(), cfg)
	if err != nil {
		f.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	f.Cleanup(func() { cancel(); <-ended })
	token := func(r auth.Request) string {
		token, err := a.auth.UserToken(auth.System(), auth.BootstrapUser, r)
		if err != nil {
			f.Fatal(err)
		}
		return token
	}
	// The bootstrap user stays, else all would be refused from then on.
	mighty := token(auth.Request{})
	nobody := token(auth.Request{Scope: "isos", Action: "list"})
	router := a.api.Router()
	list := router.Routes()
	ids := []string{
		"global", "Name:m1", "..", "../../etc/passwd", "%2e%2e%2f", "%00", "%", "a%2Fb", "Key:", ":", "Uuid:x", "Secret:x", "11111111-1111-4111-8111-111111111111",
		strings.Repeat("x", 5000), "ä", "%ff%fe", "a b", "*", "Meta.a:b", "Params", "",
	}
	for i := range list {
		if i%2 == 0 {
			f.Add(i, ids[i/2%len(ids)], ids[(i/7)%len(ids)], "slim=Params&decode=true&aggregate=true", `{"Name":"xx"}`)
		} else {
			f.Add(i, "global", "my/leader", "force=true&limit=1&wait=1ns", `[{"op":"add","path":"/Description","value":"x"}]`)
		}
	}
	f.Fuzz(func(t *testing.T, n int, id, key, query, body string) {
		r := list[uint(n)%uint(len(list))]
		if strings.HasPrefix(r.Path, "/debug/pprof") || strings.HasSuffix(r.Path, "/ws") || r.Method != "GET" && strings.Contains(r.Path, "/users") {
			return // a profile takes as long as was asked for; the others are tested elsewhere
		}
		path := strings.NewReplacer(":id", id, "*id", id, "*key", key, ":action", key, ":type", id).Replace(r.Path)
		u, err := url.ParseRequestURI(path)
		if err != nil {
			return // net/http answers that
		}
		u.RawQuery = query
		ask := func(token string) (int, http.Header, string) {
			req, err := http.NewRequest(r.Method, "https://127.0.0.1", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			short, cancel := context.WithCancel(t.Context())
			cancel() // nobody waits: long polls end at once
			if r.Method != "GET" && !strings.HasSuffix(r.Path, "/wait") {
				short = t.Context()
			}
			req = req.WithContext(short)
			req.URL, req.RequestURI = u, u.RequestURI()
			req.Header.Set("Authorization", "Bearer "+token)
			res := httptest.NewRecorder()
			router.ServeHTTP(res, req)
			return res.Code, res.Header(), res.Body.String()
		}
		rev := a.objects.View().Rev
		if status, _, text := ask(nobody); status == 200 && !strings.HasSuffix(r.Path, "/wait") && strings.Contains(text, `"Validated":true`) {
			t.Fatalf("%s %s tells nobody %.300s", r.Method, u, text)
		}
		if now := a.objects.View().Rev; now != rev && !machineWork(r.Path) {
			t.Fatalf("%s %s: nobody has changed something", r.Method, u)
		}
		status, header, text := ask(mighty)
		if status >= 500 && status != 503 || status < 200 {
			t.Fatalf("%s %s with %q: %d %s", r.Method, u, body, status, text)
		}
		if r.Method == "HEAD" || status == 204 || status == 304 || strings.HasSuffix(r.Path, "/log") && status == 200 || (r.Path == "/metrics" || strings.HasPrefix(r.Path, "/swagger-ui") || strings.HasPrefix(r.Path, "/ui")) && status == 200 || status == 302 {
			return
		}
		if !json.Valid([]byte(text)) || !strings.HasPrefix(header.Get("Content-Type"), "application/json") {
			t.Fatalf("%s %s with %q: %d, %s: %s", r.Method, u, body, status, header.Get("Content-Type"), text)
		}
		if status >= 400 {
			var e models.Error
			if err := json.Unmarshal([]byte(text), &e); err != nil || e.Code != status || e.Type == "" || e.Messages == nil {
				t.Fatalf("%s %s: %d %s is no error envelope", r.Method, u, status, text)
			}
		}
	})
}

// machineWork: what the server does by itself may fall into any moment.
func machineWork(path string) bool { return strings.Contains(path, "/jobs") }
