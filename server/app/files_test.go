package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/models"
	"drp/server/auth"
	"drp/server/objects"
)

// free is a port that nobody has.
func free(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestUploadsOverTheWire(t *testing.T) {
	_, admin, _ := start(t, config(t))
	text := "eighteen character"
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	w.WriteField("other", "x")
	part, _ := w.CreateFormFile("file", "name.bin")
	io.WriteString(part, text)
	w.Close()
	for _, c := range []struct {
		method, path, body string
		header             []string
		status             int
		want               string
	}{
		{"GET", "/isos", "", nil, 200, `[]`},
		{"POST", "/files/foo/bar", text, nil, 201, `{"Path":"/foo/bar","Size":18}`},
		{"POST", "/isos/foo", text, nil, 201, `{"Path":"foo","Size":18}`},
		{"POST", "/files/form", form.String(), []string{"Content-Type", w.FormDataContentType()}, 201, `{"Path":"/form","Size":18}`},
		{"GET", "/files?all=true", "", nil, 200, `["foo/bar","form"]`},
		{"GET", "/files?path=foo", "", nil, 200, `["bar"]`},
		{"GET", "/files/form", "", nil, 200, text},
		{"GET", "/files/foo/bar", "", []string{"If-None-Match", `"SHA256:` + sum + `"`}, 304, ""},
		{"GET", "/files/foo/bar", "", []string{"Range", "bytes=9-12"}, 206, text[9:13]},
		{"GET", "/files/foo/bar", "", []string{"Range", "bytes=9-", "If-Range", `"SHA256:` + sum + `"`}, 206, text[9:]},
		{"GET", "/files/foo/bar", "", []string{"Range", "bytes=9-", "If-Range", `"SHA256:other"`}, 200, text},
		{"HEAD", "/isos/foo", "", nil, 200, ""},
		{"GET", "/isos/none", "", nil, 404, `{"Model":"isos","Key":"/none","Type":"GET","Messages":["Not a regular file"],"Code":404}`},
		{"GET", "/files/foo", "", nil, 404, `{"Model":"files","Key":"/foo","Type":"GET","Messages":["Not a regular file"],"Code":404}`},
		{"GET", "/files/..%2f..%2fdrp.db", "", nil, 404, `{"Model":"files","Key":"/../../drp.db","Type":"GET","Messages":["Not a regular file"],"Code":404}`},
		{"POST", "/files/form/bar", text, nil, 409, `{"Model":"files","Key":"/form/bar","Type":"POST","Messages":["Failed to ensure final directory for bar exists"],"Code":409}`},
		{"POST", "/files/..%2fx", text, nil, 400, ``},
		{"POST", "/files/a.zip?explode=true", text, nil, 422, ``},
		{"DELETE", "/files/foo", "", nil, 404, `{"Model":"files","Key":"/foo","Type":"DELETE","Messages":["Unable to delete"],"Code":404}`},
		{"DELETE", "/isos/none", "", nil, 404, `{"Model":"isos","Key":"/none","Type":"DELETE","Messages":["Unable to delete"],"Code":404}`},
		{"DELETE", "/isos/foo", "", nil, 204, ""},
	} {
		a := admin.do(c.method, c.path, c.body, c.header...)
		if a.status != c.status || c.want != "" && string(a.body) != c.want {
			t.Errorf("%s %s %v: got %d %s\nwant %d %s", c.method, c.path, c.header, a.status, a.body, c.status, c.want)
		}
		if c.method == "HEAD" && (a.header.Get("X-DRP-SHA256SUM") != sum || a.header.Get("ETag") != `"SHA256:`+sum+`"` || a.header.Get("Content-Length") != "18") {
			t.Errorf("HEAD: %v", a.header)
		}
		if ct := a.header.Get("Content-Type"); c.status >= 300 && c.status != 304 && ct != "application/json" || c.status == 204 && ct != "application/json" {
			t.Errorf("%s %s: %d of the type %q", c.method, c.path, a.status, ct)
		}
	}
}

// TestBlobsNeedTheirClaim: each verb on files and ISOs needs its own claim, for its own path.
func TestBlobsNeedTheirClaim(t *testing.T) {
	_, admin, _ := start(t, config(t))
	admin.must("POST", "/files/mine", "x", nil)
	admin.must("POST", "/isos/mine", "x", nil)
	verbs := map[string]string{"GET /files": "files list", "GET /files/mine": "files get", "HEAD /files/mine": "files get", "POST /files/mine": "files post", "DELETE /files/mine": "files delete",
		"GET /isos": "isos list", "GET /isos/mine": "isos get", "HEAD /isos/mine": "isos get", "POST /isos/mine": "isos post", "DELETE /isos/mine": "isos delete"}
	i := 0
	for _, granted := range []string{"files list", "files get", "files post", "isos list", "isos get", "isos post", "files delete", "isos delete"} {
		i++
		scope, action, _ := strings.Cut(granted, " ")
		specific := "mine"
		if action == "list" {
			specific = "*"
		}
		name := fmt.Sprint("u", i)
		admin.must("POST", "/roles", models.Role{Name: name, Claims: models.Claims{{Scope: scope, Action: action, Specific: specific}}}, nil)
		admin.must("POST", "/users", models.User{Name: name, Roles: []string{name}}, nil)
		admin.must("PUT", "/users/"+name+"/password", map[string]string{"Password": "long enough 1"}, nil)
		who := client{t, admin.url, name + ":long enough 1"}
		var token models.UserToken
		who.must("GET", "/users/"+name+"/token", nil, &token)
		who.token = token.Token
		for verb, needs := range verbs {
			method, path, _ := strings.Cut(verb, " ")
			if got, want := who.do(method, path, "x").status == http.StatusForbidden, needs != granted; got != want {
				t.Errorf("%s with %s: refused %v", verb, granted, got)
			}
		}
	}
}

// TestTheFilePortsServeTheTree: whole files and ranges, no folders, nothing of the server's own.
func TestTheFilePortsServeTheTree(t *testing.T) {
	cfg := config(t)
	cfg.StaticPort = free(t)
	a, admin, _ := start(t, cfg)
	admin.must("POST", "/files/dir/x", "content", nil)
	if err := os.WriteFile(filepath.Join(cfg.BaseRoot, "tftpboot", "boot.img"), []byte("image"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path, ranged string
		status               int
		want                 string
	}{
		{"GET", "/files/dir/x", "", 200, "content"}, {"GET", "/files/dir/x", "bytes=3-", 206, "tent"}, {"GET", "/boot.img", "", 200, "image"},
		{"GET", "/", "", 404, ""}, {"GET", "/files", "", 404, ""}, {"GET", "/files/", "", 404, ""}, {"GET", "/files/dir/", "", 404, ""}, {"GET", "/.drp/tmp", "", 404, ""},
		{"GET", "/..%2fdrp.db", "", 404, ""}, {"GET", "/files/..%2f..%2f..%2fdrp.db", "", 404, ""}, {"POST", "/files/dir/x", "", 405, ""},
	} {
		req, err := http.NewRequestWithContext(t.Context(), c.method, fmt.Sprintf("http://127.0.0.1:%d%s", a.ports.static, c.path), nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.ranged != "" {
			req.Header.Set("Range", c.ranged)
		}
		res, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != c.status || c.want != "" && string(body) != c.want {
			t.Errorf("%s %s: got %d %q", c.method, c.path, res.StatusCode, body)
		}
	}
}

// TestAnIsoMakesItsBootEnvAvailable goes from the missing ISO to the stage that becomes available
// by itself, through a restart, to the purge.
func TestAnIsoMakesItsBootEnvAvailable(t *testing.T) {
	cfg := config(t)
	a, admin, stop := start(t, cfg)
	image, err := os.ReadFile("../files/testdata/archive.tar.xz")
	if err != nil {
		t.Fatal(err)
	}
	admin.must("POST", "/bootenvs", `{"Name":"linux-install","OS":{"Name":"linux/9","SupportedArchitectures":{
		"x86_64":{"IsoFile":"linux.iso","Kernel":"top","IsoUrl":"http://example.com/linux.iso"},"aarch64":{"IsoFile":"arm.iso"}}}}`, nil)
	admin.must("POST", "/stages", `{"Name":"st","BootEnv":"linux-install"}`, nil)
	check := func(kind, key string, errors ...string) {
		t.Helper()
		ctx, cancel := context.WithTimeout(objects.WithActor(t.Context(), objects.System), time.Minute)
		defer cancel()
		want, _ := json.Marshal(append([]string{}, errors...))
		it := models.Predicate{Kind: kind, Key: key, Tests: []models.Test{
			{Op: "test", Path: "/Available", Value: json.RawMessage(fmt.Sprint(len(errors) == 0))}, {Op: "test", Path: "/Errors", Value: want}}}
		if got, err := a.objects.Wait(ctx, &models.Wait{For: it}); err != nil || got.Result != models.WaitHolds {
			e, _ := a.objects.View().Get(kind, key)
			t.Fatalf("%s/%s: got %q, want %q (%v)", kind, key, e.Object.Base().Errors, errors, err)
		}
	}
	missing := []string{"linux-install: ISO arm.iso for arm64 is missing; upload it as isos/arm.iso",
		"linux-install: ISO linux.iso for amd64 is missing; upload it as isos/linux.iso, from http://example.com/linux.iso"}
	check("bootenvs", "linux-install", missing...)
	check("stages", "st", "st: BootEnv linux-install is not available")
	admin.must("POST", "/isos/linux.iso", string(image), nil)
	check("bootenvs", "linux-install")
	check("stages", "st")
	tree := filepath.Join(cfg.BaseRoot, "tftpboot/linux/9/install/sub/deep/er")
	if raw, err := os.ReadFile(tree); err != nil || string(raw) != "2" {
		t.Errorf("%q %v", raw, err)
	}
	stop()
	a, admin, _ = start(t, cfg)
	check("bootenvs", "linux-install")
	admin.must("DELETE", "/bootenvs/linux-install/purgeLocal?reexplodeIsos=true", `["amd64"]`, nil)
	check("bootenvs", "linux-install")
	if got := admin.do("DELETE", "/bootenvs/linux-install/purgeLocal", `["s390x"]`).status; got != http.StatusUnprocessableEntity {
		t.Errorf("purge of another architecture: %d", got)
	}
	admin.must("DELETE", "/bootenvs/linux-install/purgeLocal", `["all"]`, nil)
	check("bootenvs", "linux-install", missing...)
	check("stages", "st", "st: BootEnv linux-install is not available")
	if _, err := os.Stat(tree); !os.IsNotExist(err) {
		t.Errorf("the tree is there: %v", err)
	}
}

// TestACertificateIsReplacedLive: each of the two for itself, and still after a restart; one that
// does not fit is refused.
func TestACertificateIsReplacedLive(t *testing.T) {
	cfg := config(t)
	cfg.StaticSecurePort = free(t)
	a, admin, stop := start(t, cfg)
	type pair struct{ Cert, Key []byte }
	other := func() (p pair) {
		made, err := auth.Certificate(filepath.Join(t.TempDir(), "c"), filepath.Join(t.TempDir(), "k"), "", nil, time.Now)
		if err == nil {
			p.Cert, p.Key, err = made.PEM()
		}
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	shown := func(a *App, port int) []byte {
		t.Helper()
		c, err := tls.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.ConnectionState().PeerCertificates[0].Raw})
	}
	api, static, wrong := other(), other(), other()
	wrong.Key = api.Key
	for _, body := range []any{wrong, pair{}, pair{Cert: api.Cert}, "[]", `{"Cert":"x"}`} {
		for _, path := range []string{"/system/cert", "/static/cert"} {
			if got := admin.do("POST", path, body); got.status != 422 && got.status != 400 {
				t.Errorf("%s %.40v: %d %s", path, body, got.status, got.body)
			}
		}
	}
	admin.must("POST", "/system/cert", api, nil)
	admin.must("POST", "/static/cert", static, nil)
	for range 2 {
		var got pair
		if admin.must("GET", "/static/cert", nil, &got); !bytes.Equal(got.Cert, static.Cert) || !bytes.Equal(got.Key, static.Key) {
			t.Errorf("GET shows another: %s", got.Cert)
		}
		if !bytes.Equal(shown(a, a.ports.api), api.Cert) || !bytes.Equal(shown(a, a.ports.secure), static.Cert) {
			t.Error("a port shows another certificate")
		}
		stop()
		a, admin, stop = start(t, cfg)
	}
}
