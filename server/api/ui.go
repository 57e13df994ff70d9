package api

import (
	"bytes"
	"compress/gzip"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"drp/models"

	"github.com/gin-gonic/gin"
)

// web serves the files of the web UI. Each is read, compressed and summed once, when it is first
// asked for; beside what is worth it the build has put a file that Brotli has compressed.
type web struct {
	api   *API
	files fs.FS
	made  sync.Map // name -> func() (*asset, error)
}

// asset is a file of the web UI as it is sent.
type asset struct {
	raw   []byte
	coded []coded // the best first; none if it would not be smaller
	sum   string  // of raw, in hex
}

// coded is a body in a content coding.
type coded struct {
	name string
	body []byte
}

func (a *API) webRoutes(g *gin.Engine) {
	w := &web{api: a, files: a.UI}
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		g.Handle(method, "/", toUI)
		g.Handle(method, "/ui", toUI)
		g.Handle(method, "/ui/*key", w.serve)
	}
}

// toUI redirects from / and /ui, by a relative address: a proxy may have put the server below a
// path of its own.
func toUI(c *gin.Context) {
	c.Header("Location", "ui/")
	c.Status(http.StatusFound)
	c.Writer.WriteHeaderNow()
}

const (
	indexFile = "index.html"
	// noncePlace is what stands for the nonce in index.html as it was built.
	noncePlace = `nonce="NONCE"`
	// hashedFolder has the files whose names change with their content.
	hashedFolder = "assets/"
)

// serve answers with a file. What the UI shows lies behind #, so that every page is index.html.
func (w *web) serve(c *gin.Context) {
	name := strings.TrimPrefix(c.Param("key"), "/")
	if name == "" {
		name = indexFile
	}
	media, known := webTypes[path.Ext(name)]
	file, err := w.asset(name, known && !strings.HasPrefix(path.Base(name), "."))
	switch {
	case err != nil && name == indexFile:
		c.Data(http.StatusOK, "text/plain; charset=utf-8", []byte(notBuilt))
		return
	case err != nil:
		w.api.fail(c, models.Problem(models.NotFound, "", c.Request.URL.Path, "No route"))
		return
	}
	h := c.Writer.Header()
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-cache")
	for name, value := range webHeaders {
		h.Set(name, value)
	}
	body, nonce := file.raw, ""
	if name == indexFile { // without an ETag: a page that is kept would have an old nonce
		nonce = rand.Text()
		body = bytes.Replace(body, []byte(noncePlace), []byte(`nonce="`+nonce+`"`), 1)
	} else {
		body = file.choose(h, c.Request.Header.Values("Accept-Encoding"))
	}
	h.Set("Content-Security-Policy", policy(nonce))
	if strings.HasPrefix(name, hashedFolder) {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(c.Writer, c.Request, "", time.Time{}, bytes.NewReader(body))
}

// choose finds the body to send, compressed if that helps and may be.
func (f *asset) choose(h http.Header, accept []string) []byte {
	h.Set("ETag", `"`+f.sum+`"`)
	if len(f.coded) == 0 {
		return f.raw
	}
	h.Set("Vary", "Accept-Encoding")
	for _, c := range f.coded {
		if takes(accept, c.name) {
			h.Set("Content-Encoding", c.name)
			h.Set("ETag", `"`+f.sum+"-"+c.name+`"`)
			return c.body
		}
	}
	return f.raw
}

// asset is the file of the name, as it was made once.
func (w *web) asset(name string, may bool) (*asset, error) {
	if !may || w.files == nil {
		return nil, fs.ErrNotExist
	}
	if f, ok := w.made.Load(name); ok {
		return f.(func() (*asset, error))()
	}
	raw, err := fs.ReadFile(w.files, name)
	if err != nil {
		return nil, err // and nothing is kept of names that are none
	}
	brotli, _ := fs.ReadFile(w.files, name+".br") // nil if there is none
	f, _ := w.made.LoadOrStore(name, sync.OnceValues(func() (*asset, error) { return newAsset(raw, brotli) }))
	return f.(func() (*asset, error))()
}

func newAsset(raw, brotli []byte) (*asset, error) {
	sum := sha256.Sum256(raw)
	f := &asset{raw: raw, sum: hex.EncodeToString(sum[:16])}
	var b bytes.Buffer
	zip, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		return nil, fmt.Errorf("compress a file of the web UI: %w", err)
	}
	_, err = zip.Write(raw)
	if err = errors.Join(err, zip.Close()); err != nil {
		return nil, fmt.Errorf("compress a file of the web UI: %w", err)
	}
	for _, c := range []coded{{"br", brotli}, {"gzip", b.Bytes()}} {
		if len(c.body) > 0 && len(c.body) < len(raw)*9/10 {
			f.coded = append(f.coded, c)
		}
	}
	return f, nil
}

// takes reads Accept-Encoding (RFC 9110, 12.5.3): what it says of the coding by name, or else of *.
func takes(accept []string, coding string) bool {
	named, any := -1.0, -1.0
	for _, one := range strings.Split(strings.Join(accept, ","), ",") {
		name, params, _ := strings.Cut(one, ";")
		weight := 1.0
		if q, ok := strings.CutPrefix(strings.ToLower(strings.TrimSpace(params)), "q="); ok {
			var err error
			if weight, err = strconv.ParseFloat(q, 64); err != nil {
				weight = 0
			}
		}
		switch strings.TrimPrefix(strings.ToLower(strings.TrimSpace(name)), "x-") {
		case coding:
			named = max(named, weight)
		case "*":
			any = max(any, weight)
		}
	}
	if named >= 0 {
		return named > 0
	}
	return any > 0
}

// policy is the Content-Security-Policy: nothing from elsewhere, nothing inline but the styles that
// carry the nonce.
func policy(nonce string) string {
	style := "'self'"
	if nonce != "" {
		style += " 'nonce-" + nonce + "'"
	}
	return "default-src 'none'; script-src 'self'; style-src " + style + "; img-src 'self'; font-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}

var webHeaders = map[string]string{
	"X-Content-Type-Options":       "nosniff",
	"Referrer-Policy":              "no-referrer",
	"Permissions-Policy":           "accelerometer=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), midi=(), payment=(), usb=()",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
}

// webTypes are those of the files that are served; others are not there.
var webTypes = map[string]string{
	".html":  "text/html; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".css":   "text/css; charset=utf-8",
	".json":  "application/json",
	".map":   "application/json",
	".svg":   "image/svg+xml",
	".png":   "image/png",
	".ico":   "image/x-icon",
	".woff2": "font/woff2",
	".txt":   "text/plain; charset=utf-8",
}

const notBuilt = `This drp-server was built without its web UI.

To have it, run "make build" in the source of drp, which needs Node.js and npm, and start the
new bin/drp-server. (NOUI=1 or the build tag noui leaves the web UI out.)

The API is here, as the command drp uses it; /swagger-ui describes it.
`
