package api

import (
	"bytes"
	"compress/gzip"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"drp/ui"

	"github.com/gin-gonic/gin"
)

const page1 = `<!doctype html><head><meta property="csp-nonce" nonce="NONCE" /><script type="module" src="./assets/main-1.js"></script></head>`

func built() fstest.MapFS {
	return fstest.MapFS{
		"index.html":            {Data: []byte(page1)},
		".keep":                 {},
		"favicon.svg":           {Data: []byte(strings.Repeat("<svg></svg>", 300))},
		"assets/main-1.js":      {Data: []byte(strings.Repeat("console.log(1);", 4000))},
		"assets/main-1.css":     {Data: []byte("a{}")},
		"assets/font-1.woff2":   {Data: []byte("\x00\x01\x02")},
		"assets/deep/part-1.js": {Data: []byte(strings.Repeat("export {};", 1000))},
		"assets/both-1.js":      {Data: bytes.Repeat([]byte("br"), 30_000)},
		"assets/both-1.js.br":   {Data: []byte("by Brotli")},
		"assets/.hidden.js":     {Data: []byte("secret")},
		"assets/program.exe":    {Data: []byte("secret")},
	}
}

// asked is a way to ask for files of the UI.
func asked(files fs.FS) func(method, path string, header ...string) *http.Response {
	g := gin.New()
	a := &API{UI: files, Log: slog.New(slog.DiscardHandler)}
	a.webRoutes(g)
	g.NoRoute(func(c *gin.Context) { c.Status(http.StatusTeapot) })
	return func(method, path string, header ...string) *http.Response {
		r := httptest.NewRequest(method, "https://drp.example"+path, nil)
		for i := 0; i < len(header); i += 2 {
			r.Header.Add(header[i], header[i+1])
		}
		w := httptest.NewRecorder()
		g.ServeHTTP(w, r)
		return w.Result()
	}
}

func bodyOf(t *testing.T, r *http.Response) []byte {
	t.Helper()
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if r.Header.Get("Content-Encoding") == "gzip" && len(raw) > 0 {
		z, err := gzip.NewReader(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if raw, err = io.ReadAll(z); err != nil {
			t.Fatal(err)
		}
	}
	return raw
}

// TestEveryFileOfTheUIIsServedWell: of a made-up UI and of the one that is built in, every file comes
// as it is, with its type, its headers, and its body by every coding; and nothing else is there.
func TestEveryFileOfTheUIIsServedWell(t *testing.T) {
	for name, files := range map[string]fs.FS{"made up": built(), "built in": ui.Files()} {
		ask, served := asked(files), 0
		err := fs.WalkDir(files, ".", func(file string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() {
				for _, path := range []string{"/ui/" + file + "/", "/ui/" + file} {
					if got := ask("GET", path); file != "." && got.StatusCode != 404 {
						t.Errorf("%s: folder %s: got %d, want 404", name, path, got.StatusCode)
					}
				}
				return nil
			}
			if strings.HasPrefix(d.Name(), ".") || strings.HasSuffix(file, ".exe") || strings.HasSuffix(file, ".br") {
				if got := ask("GET", "/ui/"+file); got.StatusCode != 404 {
					t.Errorf("%s: %s: got %d, want 404", name, file, got.StatusCode)
				}
				return nil
			}
			served++
			want, err := fs.ReadFile(files, file)
			if err == nil {
				checkFile(t, ask, file, want)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
		if name == "made up" && served != 7 {
			t.Errorf("%d files served, want 7", served)
		}
	}
}

var anyNonce = regexp.MustCompile(`nonce="[^"]*"`)

func checkFile(t *testing.T, ask func(string, string, ...string) *http.Response, file string, want []byte) {
	t.Helper()
	path := "/ui/" + file
	plain, zipped, head := ask("GET", path), ask("GET", path, "Accept-Encoding", "zstd, gzip;q=0.5"), ask("HEAD", path)
	for how, got := range map[string]*http.Response{"plain": plain, "zipped": zipped, "HEAD": head} {
		h := got.Header
		if got.StatusCode != 200 || h.Get("Content-Type") == "" || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" ||
			h.Get("Permissions-Policy") == "" || h.Get("Cross-Origin-Opener-Policy") != "same-origin" {
			t.Errorf("%s %s: got %d %v", how, file, got.StatusCode, h)
		}
		if p := h.Get("Content-Security-Policy"); !strings.HasPrefix(p, "default-src 'none'; script-src 'self'; ") || strings.Contains(p, "unsafe") || strings.Contains(p, "data:") {
			t.Errorf("%s %s: policy %q", how, file, p)
		}
		body := bodyOf(t, got)
		switch {
		case how == "HEAD" && len(body) > 0:
			t.Errorf("HEAD %s: a body of %d bytes", file, len(body))
		case how != "HEAD" && !bytes.Equal(anyNonce.ReplaceAll(body, []byte(noncePlace)), want):
			t.Errorf("%s %s: another body, %d bytes, want %d", how, file, len(body), len(want))
		}
	}
	if file == indexFile {
		if plain.Header.Get("Cache-Control") != "no-cache" || plain.Header.Get("ETag") != "" {
			t.Errorf("%s: headers %v; kept together with an old nonce it would be refused", file, plain.Header)
		}
		return
	}
	forever := strings.Contains(plain.Header.Get("Cache-Control"), "immutable")
	if forever != strings.HasPrefix(file, "assets/") {
		t.Errorf("%s: Cache-Control %q", file, plain.Header.Get("Cache-Control"))
	}
	tag, other := plain.Header.Get("ETag"), zipped.Header.Get("ETag")
	if coded := zipped.Header.Get("Content-Encoding") == "gzip"; tag == "" || coded != (tag != other) || coded != (plain.Header.Get("Vary") == "Accept-Encoding") {
		t.Errorf("%s: ETags %s and %s, Vary %q, coded: %v", file, tag, other, plain.Header.Get("Vary"), coded)
	}
	if got := ask("GET", path, "If-None-Match", `"x", `+tag); got.StatusCode != 304 || len(bodyOf(t, got)) > 0 {
		t.Errorf("%s with its own ETag: got %d, want 304", file, got.StatusCode)
	}
	if got := ask("GET", path, "If-None-Match", `"x"`); got.StatusCode != 200 {
		t.Errorf("%s with another ETag: got %d, want 200", file, got.StatusCode)
	}
}

func TestAcceptEncodingIsObeyed(t *testing.T) {
	for accept, want := range map[string]bool{
		"": false, "gzip": true, "GZIP": true, "gzip, br": true, "gzip;q=0": false, "gzip; q=0.0": false, "*": true, "*;q=0": false, "*, gzip;q=0": false,
		"identity": false, "br;q=1, gzip;q=0.001": true, "gzip;q=x": false, "gzipped": false, "x-gzip": true, ",,": false, "*;q=0, gzip": true,
	} {
		got := asked(built())("GET", "/ui/assets/main-1.js", "Accept-Encoding", accept)
		if coded := got.Header.Get("Content-Encoding") == "gzip"; coded != want {
			t.Errorf("Accept-Encoding %q: coded %v, want %v", accept, coded, want)
		}
		bodyOf(t, got)
	}
}

// TestBrotliGoesFirst, where the build has made it and the client takes it.
func TestBrotliGoesFirst(t *testing.T) {
	for accept, want := range map[string]string{"gzip, deflate, br, zstd": "br", "br": "br", "*": "br", "gzip": "gzip", "br;q=0, gzip": "gzip", "": ""} {
		got := asked(built())("GET", "/ui/assets/both-1.js", "Accept-Encoding", accept)
		if coding := got.Header.Get("Content-Encoding"); coding != want || got.Header.Get("Vary") != "Accept-Encoding" || strings.Contains(got.Header.Get("ETag"), "-") != (want != "") {
			t.Errorf("Accept-Encoding %q: coding %q, want %q; %v", accept, coding, want, got.Header)
		}
		if want == "br" {
			if raw, err := io.ReadAll(got.Body); err != nil || string(raw) != "by Brotli" {
				t.Errorf("Accept-Encoding %q: body %.20q, %v", accept, raw, err)
			}
		}
	}
}

// TestEveryPageHasItsOwnNonce, in the page and in the policy.
func TestEveryPageHasItsOwnNonce(t *testing.T) {
	ask, seen := asked(built()), map[string]bool{}
	for range 50 {
		got := ask("GET", "/ui/")
		in := regexp.MustCompile(`nonce="([^"]+)"`).FindStringSubmatch(string(bodyOf(t, got)))
		if in == nil || len(in[1]) < 20 || seen[in[1]] || !strings.Contains(got.Header.Get("Content-Security-Policy"), "style-src 'self' 'nonce-"+in[1]+"';") {
			t.Fatalf("nonce %v, policy %q", in, got.Header.Get("Content-Security-Policy"))
		}
		seen[in[1]] = true
	}
}

// TestTheUIRedirectsBelowAnyPath: the address it names is right whatever a proxy puts before the path.
func TestTheUIRedirectsBelowAnyPath(t *testing.T) {
	ask := asked(built())
	for _, method := range []string{"GET", "HEAD"} {
		for path, want := range map[string]string{"/": "/site/drp/ui/", "/ui": "/site/drp/ui/"} {
			got := ask(method, path)
			to, err := (&url.URL{Path: "/site/drp" + path}).Parse(got.Header.Get("Location"))
			if err != nil || got.StatusCode != 302 || to.String() != want {
				t.Errorf("%s %s: %d to %v, %v; want 302 to %s", method, path, got.StatusCode, to, err, want)
			}
		}
	}
	for _, path := range []string{"/ui/nothing.js", "/ui/../secret.js", "/ui/%2e%2e/api.js", "/ui//etc/passwd.txt", "/ui/assets/none", "/ui/ui/", "/ui/index.html/x.js"} {
		if got := ask("GET", path); got.StatusCode != 404 {
			t.Errorf("%s: got %d, want 404", path, got.StatusCode)
		}
	}
}

// TestWithoutAUIThereIsAnExplanation, and not a broken page.
func TestWithoutAUIThereIsAnExplanation(t *testing.T) {
	for name, files := range map[string]fs.FS{"none": nil, "not built": fstest.MapFS{".keep": {}}} {
		got := asked(files)("GET", "/ui/")
		if body := string(bodyOf(t, got)); got.StatusCode != 200 || !strings.Contains(body, "make build") || got.Header.Get("Content-Type") != "text/plain; charset=utf-8" {
			t.Errorf("%s: %d %q", name, got.StatusCode, body)
		}
		if got := asked(files)("GET", "/ui/assets/x.js"); got.StatusCode != 404 {
			t.Errorf("%s: a file: %d, want 404", name, got.StatusCode)
		}
	}
}
