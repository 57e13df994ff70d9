package cli

import (
	"archive/zip"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRequestForACertificateIsSignedByItsKey(t *testing.T) {
	r := call{}.drp(t, "certs", "csr", "root", "web1", "web1.example.com", "10.0.0.1", "::1")
	var made struct{ CSR, Key string }
	if err := json.Unmarshal([]byte(r.out), &made); err != nil {
		t.Fatal(err, r)
	}
	block, _ := pem.Decode([]byte(made.CSR))
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil || request.CheckSignature() != nil {
		t.Fatal(err)
	}
	want(t, "name and hosts", []any{request.Subject.CommonName, request.DNSNames, request.IPAddresses}, []any{"web1", []string{"web1.example.com"}, []net.IP{net.ParseIP("10.0.0.1"), net.ParseIP("::1")}})
	block, _ = pem.Decode([]byte(made.Key))
	key, err := x509.ParseECPrivateKey(block.Bytes)
	if err != nil || !key.PublicKey.Equal(request.PublicKey) {
		t.Error("the key is another one:", err)
	}
	want(t, "stderr", r.err, "")
}

func TestProxyLendsItsToken(t *testing.T) {
	auth := make(chan string, 1)
	s := newServer(t, nil)
	s.handle["info"] = func(w http.ResponseWriter, r *http.Request) {
		auth <- r.Header.Get("Authorization")
		io.WriteString(w, `{"id":"x"}`)
	}
	dir, err := os.MkdirTemp("", "drp") // short enough for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket := filepath.Join(dir, "s")
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	said, say := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		args := []string{"drpcli", "-E", s.URL, "-T", "lent", "proxy", socket}
		ended <- Main(ctx, args, IO{In: strings.NewReader(""), Out: io.Discard, Err: say}, Deps{Getenv: func(string) string { return "" }})
	}()
	if _, err := said.Read(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	go io.Copy(io.Discard, said)
	through := &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}}
	resp, err := through.Get("http://unix/api/v3/info")
	if err != nil {
		t.Fatal(err)
	}
	raw, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	want(t, "answer", string(raw), `{"id":"x"}`)
	want(t, "without credentials", <-auth, "Bearer lent")
	r := call{env: map[string]string{"RS_LOCAL_PROXY": socket}}.drp(t, "-E", "https://127.0.0.1:1", "-T", "own", "info", "get")
	want(t, "drpcli through it: "+r.err, r.status, 0)
	want(t, "with credentials", <-auth, "Bearer own")
	second := s.call(t, "proxy", socket)
	if second.status != 1 || !strings.Contains(second.err, "somebody listens at") {
		t.Error("two at one socket:", second)
	}
	file := filepath.Join(dir, "f")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, "a file in the way", strings.Contains(s.call(t, "proxy", file).err, "is there and is no socket"), true)
	stop()
	want(t, "status at the end", <-ended, 0)
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Error("the socket is left:", err)
	}
}

func TestSupportBundleHoldsWhatHelpsAndNoSecret(t *testing.T) {
	now := time.Now()
	line := func(age time.Duration, what string) string {
		return string(must(document{"Time": now.Add(-age).Format(time.RFC3339Nano), "Message": what}))
	}
	s := newServer(t, map[string]string{
		"GET info": `{"version":"v1"}`, "GET contents": `[]`, "GET objects": `["machines","preferences"]`,
		"GET prefs":    `{"baseTokenSecret":"hidden","systemGrantorSecret":"hidden","knownTokenTimeout":"3600"}`,
		"GET machines": `[{"Uuid":"u1","Errors":["no disk"]}]`, "GET logs": "[" + line(time.Minute, "recent") + "," + line(3*time.Hour, "old") + "]",
	})
	s.headers["X-DRP-LIST-FILTER-COUNT"] = "7"
	s.answers["HEAD machines"] = "200 "
	base := t.TempDir()
	for name, text := range map[string]string{"logs/a.log": "of a", "logs/secret.key": "hidden", "logs/my.key": "hidden"} {
		os.MkdirAll(filepath.Dir(filepath.Join(base, name)), 0o755)
		if err := os.WriteFile(filepath.Join(base, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(t.TempDir(), "b.zip")
	r := s.call(t, "support", "bundle", "--since", "2h", "--drp-basedir", base, "--extra-dirs", "logs", "--output", file)
	want(t, "status: "+r.err, r.status, 0)
	z, err := zip.OpenReader(file)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	held := map[string]string{}
	for _, f := range z.File {
		in, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, _ := io.ReadAll(in)
		held[strings.TrimPrefix(f.Name, "drp-support/")] = string(raw)
	}
	for name, part := range map[string]string{
		"info.json": `"v1"`, "prefs.json": `"3600"`, "counts.json": `"machines": "7"`, "errors.json": "no disk", "log.json": "recent", "files/logs/a.log": "of a",
		"client.json": `"v0"`, "README.txt": "prefs.json", "contents.json": "[]",
	} {
		if !strings.Contains(held[name], part) {
			t.Errorf("%s lacks %s: %q", name, part, held[name])
		}
		if !strings.HasPrefix(name, "files/") && !strings.Contains(r.out, name) && name != "README.txt" {
			t.Errorf("%s is not told of in %s", name, r.out)
		}
	}
	for name, text := range held {
		if strings.Contains(text, "hidden") || strings.Contains(text, `"old"`) {
			t.Errorf("%s holds what it should not: %s", name, text)
		}
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Error("others may read it:", st.Mode(), err)
	}
	want(t, "no time", s.call(t, "support", "bundle", "--since", "soon").status, 1)
}

func TestSettingsOfDrpcliAreHonoured(t *testing.T) {
	s := newServer(t, map[string]string{"GET users": `[{"Name":"alphabet","Errors":["e"]}]`, "GET users/x": `{"Name":"x","Errors":["broken"]}`})
	rows := map[string]string{"RS_FORMAT": "text", "RS_PRINT_FIELDS": "Name", "RS_NO_HEADER": "true", "RS_TRUNCATE_LENGTH": "4"}
	args := []string{"-E", s.URL, "-T", "t"}
	want(t, "environment", call{env: rows}.drp(t, append(args, "users", "list")...).out, "alp…\n")
	home := t.TempDir()
	var rc strings.Builder
	for name, v := range rows {
		rc.WriteString(name + "=" + v + "\n")
	}
	if err := os.WriteFile(filepath.Join(home, ".drpclirc"), []byte(rc.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	want(t, "file", call{home: home}.drp(t, append(args, "users", "list")...).out, "alp…\n")
	want(t, "flags first", call{home: home}.drp(t, append(args, "users", "list", "-j", "5", "-F", "text", "--no-header=false")...).out, "Name\nalph…\n")
	fatal := call{env: map[string]string{"RS_OBJECT_ERRORS_ARE_FATAL": "true"}}.drp(t, append(args, "users", "show", "x")...)
	want(t, "errors are fatal", []any{fatal.status, fatal.err}, []any{1, "Error: broken\n"})
	bad := call{env: map[string]string{"RS_TRUNCATE_LENGTH": "long"}}.drp(t, append(args, "users", "list")...)
	want(t, "what is no number", []any{bad.status, strings.HasPrefix(bad.err, "Error: RS_TRUNCATE_LENGTH: ")}, []any{1, true})
}

func TestRequestsAreMeantForTheServerOfUrlProxy(t *testing.T) {
	s := newServer(t, map[string]string{"GET users/fred/token": `{"Token":"t"}`, "GET /other/api/v3/info": `{"id":"other"}`})
	for _, c := range []struct {
		env  map[string]string
		args []string
	}{{nil, []string{"-u", "other"}}, {map[string]string{"RS_URL_PROXY": "other"}, nil}} {
		r := call{env: c.env}.drp(t, append(c.args, "-E", s.URL, "-U", "fred", "-P", "p", "info", "get", "--jq", ".id")...)
		want(t, "answer: "+r.err, r.out, "other\n")
		want(t, "requests", s.requests(), []string{"GET users/fred/token?ttl=7200", "GET /other/api/v3/info"})
	}
}

func TestDownloadsGoThroughTheirProxy(t *testing.T) {
	var asked string
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = r.RequestURI
		io.WriteString(w, `{"meta":{"Name":"far"},"sections":{}}`)
	}))
	t.Cleanup(proxy.Close)
	s := newServer(t, nil)
	want(t, "answer", s.call(t, "catalog", "show", "-c", "http://repo.example.com/c.json", "-D", proxy.URL, "--jq", ".meta.Name").out, "far\n")
	want(t, "asked", asked, "http://repo.example.com/c.json")
	want(t, "no URL", s.call(t, "catalog", "show", "-c", "http://repo.example.com/c.json", "-D", "proxy").status, 1)
}

func TestColoursAreThoseAskedFor(t *testing.T) {
	p, err := readPalette("0=35;4=34,1;1=36")
	if err != nil {
		t.Fatal(err)
	}
	want(t, "coloured", string(p.colourJSON([]byte(`{"a":"b","c":true,"d":1}`))), "{\x1b[34;1m\"a\":\x1b[0m\x1b[35m\"b\"\x1b[0m,\x1b[34;1m\"c\":\x1b[0m\x1b[36mtrue\x1b[0m,\x1b[34;1m\"d\":\x1b[0m"+yellow+"1\x1b[0m}")
	for _, bad := range []string{"9=1", "x=1", "1", "1=", "1=red", "1=1;;2"} {
		if _, err := readPalette(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestInspectShowsLogsAndScripts(t *testing.T) {
	s := newServer(t, map[string]string{
		"GET machines/Name:m": `{"Uuid":"u1"}`, "GET jobs": `[{"Uuid":"j1","Task":"t"}]`, "GET jobs/j1/log": "a line", "GET jobs/j1/actions": `[{"Content":"echo"}]`,
	})
	want(t, "jobs", s.call(t, "machines", "inspect", "jobs", "Name:m", "--jq", ".[0].Uuid").out, "j1\n")
	want(t, "asked", s.requests(), []string{"GET machines/Name:m", "GET jobs?Machine=u1&reverse=true&sort=StartTime"})
	want(t, "one of a task", s.call(t, "machines", "inspect", "tasks", "Name:m", "t", "2", "-A", "--jq", ".[0].Meta|tojson").out, `{"action.0":"echo","actionCount":"1","log":"a line"}`+"\n")
	want(t, "asked", s.requests()[1], "GET jobs?Machine=u1&Task=t&limit=1&offset=2&reverse=true&sort=StartTime")
	want(t, "no number", s.call(t, "machines", "inspect", "jobs", "Name:m", "x").err, "Error: x is not a valid number\n")
}
