package runner

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"time"

	"drp/cli/client"
	"drp/models"
)

// proxy lets scripts speak plain HTTP on a unix socket; it forwards over the runner's pooled
// connections, so that a script's many small calls need no TLS handshake each. Whoever may enter
// the folder may use it, with a token of his own: the proxy adds none.
type proxy struct {
	path   string
	folder string // made for the socket alone; "": it is in the runner dir
	server *http.Server
	ended  chan struct{}
}

// Proxy serves a local proxy at a socket, which only we may use, until ctx ends. A request that comes
// without credentials goes out with those of the client. Ready is called once the socket takes requests.
func Proxy(ctx context.Context, c *client.Client, socket string, log *slog.Logger, ready func()) error {
	if len(socket) > socketLimit {
		return fmt.Errorf("%s: the name of a socket has at most %d bytes", socket, socketLimit)
	}
	st, err := os.Lstat(socket)
	if err == nil && st.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("%s is there and is no socket", socket)
	}
	if conn, err := net.Dial("unix", socket); err == nil {
		conn.Close()
		return fmt.Errorf("somebody listens at %s already", socket)
	}
	p, err := serveProxy(lend(c, forward(c, log)), filepath.Dir(socket), filepath.Base(socket), log)
	if err != nil {
		return err
	}
	ready()
	<-ctx.Done()
	return p.close()
}

// socketLimit is what fits into the address of a unix socket everywhere.
const socketLimit = 100

// serveProxy opens the socket, which only we may use.
func serveProxy(h http.Handler, dir, name string, log *slog.Logger) (*proxy, error) {
	p := &proxy{path: filepath.Join(dir, name), ended: make(chan struct{})}
	if len(p.path) > socketLimit {
		folder, err := os.MkdirTemp("", "drp-")
		if err != nil {
			return nil, err
		}
		p.folder, p.path = folder, filepath.Join(folder, ".sock")
	}
	if err := os.Remove(p.path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	l, err := net.Listen("unix", p.path)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(p.path, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	p.server = &http.Server{
		Handler: h, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn), ReadHeaderTimeout: time.Minute,
	}
	go func() {
		defer close(p.ended)
		if err := p.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			log.Error("local proxy", "socket", p.path, "error", err)
		}
	}()
	return p, nil
}

func (p *proxy) close() error {
	err := p.server.Close()
	<-p.ended
	if p.folder != "" {
		err = errors.Join(err, os.RemoveAll(p.folder))
	}
	return err
}

func forward(c *client.Client, log *slog.Logger) http.Handler {
	to := &httputil.ReverseProxy{
		Transport:     c,
		Rewrite:       func(r *httputil.ProxyRequest) { r.Out.Host = "unix" },
		FlushInterval: -1,
		ErrorLog:      slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		// A broken connection is what the caller would see without us, and knows to repeat.
		ErrorHandler: func(_ http.ResponseWriter, r *http.Request, err error) {
			if !errors.Is(err, context.Canceled) {
				log.Warn("forward request", "method", r.Method, "path", r.URL.Path, "error", err)
			}
			panic(http.ErrAbortHandler)
		},
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			refuse(w, r)
			return
		}
		to.ServeHTTP(w, r)
	})
}

// lend gives the client's token to requests that come with none.
func lend(c *client.Client, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" {
			token, err := c.Token(r.Context())
			if err != nil {
				answer(w, models.Problem(models.BadRequest, "", r.URL.Path, err.Error()).Typed(r.Method), http.StatusBadGateway)
				return
			}
			r.Header.Set("Authorization", "Bearer "+token)
		}
		next.ServeHTTP(w, r)
	})
}

// refuse turns away websockets: they go to the server directly.
func refuse(w http.ResponseWriter, r *http.Request) {
	answer(w, models.Problem(models.BadRequest, "", r.URL.Path, "websockets do not pass the local proxy: connect to the server itself").Typed(r.Method), http.StatusBadRequest)
}

// answer sends an error of the proxy's own.
func answer(w http.ResponseWriter, e *models.Error, status int) {
	e.Code = status
	raw, err := models.Marshal(e)
	if err != nil {
		raw = fmt.Appendf(nil, "%q", err)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(raw) // whoever is gone does not miss it
}
