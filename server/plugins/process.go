package plugins

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"drp/models"
)

// process is a program of a plugin that listens.
type process struct {
	plugin string
	client *http.Client
	ready  chan struct{} // closed once it says so
	ended  chan struct{} // closed once it has ended, and err is set
	err    error
	kill   func()

	mu      sync.Mutex
	leaving string // why it says that it will end
}

// The paths of the protocol, below which the two sides serve each other over Unix sockets.
const (
	toPlugin = "http://plugin/api-plugin/v4/"
	toServer = "/api-plugin-server/v4/"
)

// plainEnv is what every program finds in its environment; nothing of the server's own gets there.
func plainEnv() []string {
	env := []string{"HOME=/", "LANG=C.UTF-8"}
	for _, name := range []string{"PATH", "TMPDIR", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"} {
		if v := os.Getenv(name); v != "" {
			env = append(env, name+"="+v)
		}
	}
	return env
}

// sockets makes a folder that only we may enter. It lies beside the programs, where the next server
// clears up after one that was killed, unless that path is too long for a socket.
func (s *Service) sockets() (string, error) {
	const most = 70 // of the 104 bytes that the path of a socket may have on some systems
	if len(s.cfg.Dir) > most {
		return os.MkdirTemp("", "drp-plugin-") // 0700
	}
	return os.MkdirTemp(s.cfg.Dir, ".run-")
}

// start starts the program of a plugin. Who has the process kills it in the end, and waits until
// ended is closed.
func (s *Service) start(plugin, program string) (*process, error) {
	env, err := s.cfg.Environment(plugin)
	if err != nil {
		return nil, err
	}
	dir, err := s.sockets()
	if err != nil {
		return nil, err
	}
	p := &process{plugin: plugin, ready: make(chan struct{}), ended: make(chan struct{})}
	in, out := filepath.Join(dir, "plugin"), filepath.Join(dir, "server")
	l, err := net.Listen("unix", out)
	if err != nil {
		os.RemoveAll(dir)
		return nil, err
	}
	server, served := &http.Server{Handler: s.serverSide(p), ReadHeaderTimeout: s.cfg.Config}, make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(l) // until it is closed
	}()
	clear := func() {
		server.Close()
		<-served
		os.RemoveAll(dir)
	}
	r, w, err := os.Pipe()
	if err != nil {
		clear()
		return nil, err
	}
	cmd, err := s.spawn.start(func() *exec.Cmd {
		cmd := exec.Command(program, "listen", in, out)
		cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = append(plainEnv(), env...), dir, w, w
		return cmd
	})
	w.Close()
	if err != nil {
		r.Close()
		clear()
		return nil, fmt.Errorf("the program of the provider cannot be run: %w", err)
	}
	dialer := &net.Dialer{}
	transport := &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return dialer.DialContext(ctx, "unix", in) },
		DisableCompression: true,
	}
	p.client, p.kill = &http.Client{Transport: transport}, func() { kill(cmd) }
	read := make(chan struct{})
	go func() {
		defer close(read)
		p.listen(s, r)
	}()
	go func() {
		err := cmd.Wait()
		kill(cmd) // what it has left behind, which may hold the pipe
		<-read
		r.Close()
		transport.CloseIdleConnections()
		clear()
		p.err = p.reason(err)
		close(p.ended)
	}()
	return p, nil
}

// listen puts what the program prints into the log, line by line.
func (p *process) listen(s *Service, r io.Reader) {
	ready := false
	lines(r, func(line string) {
		if !ready && strings.TrimSpace(line) == "READY!" {
			ready = true
			close(p.ready)
			return
		}
		s.cfg.Log.Info("plugin", "plugin", p.plugin, "line", line)
	})
}

// reason is why the process has ended.
func (p *process) reason(err error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.leaving != "":
		return errors.New("the plugin has left: " + p.leaving)
	case err == nil:
		return errors.New("the process has ended by itself")
	}
	return fmt.Errorf("the process has ended: %w", err)
}

// serverSide is what a plugin may ask of the server over its socket.
func (s *Service) serverSide(p *process) http.Handler {
	mux := http.NewServeMux()
	take := func(path string, fn func(body []byte) error) {
		mux.HandleFunc("POST "+toServer+path, func(w http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxAnswer))
			if err == nil {
				err = fn(body)
			}
			answer := models.Error{Type: http.MethodPost, Model: "plugins", Key: p.plugin, Messages: []string{}, Code: http.StatusOK}
			if err != nil {
				answer.Code, answer.Messages = http.StatusBadRequest, []string{err.Error()}
			}
			raw, _ := models.Marshal(answer) // strings and numbers only
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(answer.Code)
			_, _ = w.Write(raw)
		})
	}
	take("publish", func(body []byte) error {
		var e models.Event
		if err := json.Unmarshal(body, &e); err != nil {
			return err
		}
		if e.Type == "" || e.Action == "" || e.Type == "websocket" {
			return errors.New("an event needs a Type, other than websocket, and an Action")
		}
		if e.Time.IsZero() {
			e.Time = s.cfg.Now().UTC()
		}
		e.Rev, e.More, e.Principal = 0, false, "plugin:"+p.plugin
		s.cfg.Post(e)
		return nil
	})
	take("leaving", func(body []byte) error {
		var e models.Error
		if err := json.Unmarshal(body, &e); err != nil {
			return err
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.leaving = short(strings.Join(e.Messages, "; ")); p.leaving == "" {
			p.leaving = "it does not say why"
		}
		return nil
	})
	take("log", func(body []byte) error {
		var line struct{ Level, Message string }
		if err := json.Unmarshal(body, &line); err != nil {
			return err
		}
		s.cfg.Log.Log(context.Background(), level(line.Level), "plugin", "plugin", p.plugin, "line", short(line.Message))
		return nil
	})
	return mux
}

// tell sends a request of the protocol and returns the answer, which is JSON or nothing. An error
// of the plugin is a *refusal.
func (p *process) tell(ctx context.Context, what string, body []byte, most time.Duration) ([]byte, error) {
	late := fmt.Errorf("it does not answer within %s", most)
	ctx, cancel := context.WithTimeoutCause(ctx, most, late)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, toPlugin+what, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := p.client.Do(req)
	if err != nil {
		if context.Cause(ctx) == late {
			return nil, late
		}
		return nil, fmt.Errorf("it does not answer: %w", err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case context.Cause(ctx) == late:
		return nil, late
	case err != nil:
		return nil, fmt.Errorf("its answer breaks off: %w", err)
	case len(raw) > maxAnswer:
		return nil, fmt.Errorf("its answer is larger than %d MiB", maxAnswer>>20)
	case res.StatusCode >= 400:
		return nil, refused(res.StatusCode, raw)
	}
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && !json.Valid(raw) {
		return nil, fmt.Errorf("its answer is no JSON: %s", short(string(raw)))
	}
	return raw, nil
}

// refusal is an error that a plugin answers with.
type refusal struct{ is models.Error }

func (r *refusal) Error() string { return strings.Join(r.is.Messages, "; ") }

// refused reads the answer of a plugin that refuses.
func refused(status int, raw []byte) *refusal {
	var e models.Error
	if err := json.Unmarshal(raw, &e); err != nil || len(e.Messages) == 0 {
		text := http.StatusText(status)
		if err != nil && len(raw) > 0 {
			text = short(string(raw))
		}
		e.Messages = []string{text}
	}
	for i := range e.Messages {
		e.Messages[i] = short(e.Messages[i])
	}
	e.Code, e.Class = status, classOf(status)
	return &refusal{e}
}

var classes = map[int]models.Class{
	400: models.BadRequest, 401: models.Forbidden, 403: models.Forbidden, 404: models.NotFound, 406: models.NotAcceptable,
	409: models.Conflict, 413: models.TooLarge, 422: models.Invalid,
}

// classOf is the class of a status that a plugin answers with.
func classOf(status int) models.Class {
	if c, ok := classes[status]; ok {
		return c
	}
	if status < 500 {
		return models.BadRequest
	}
	return models.Internal
}

// short is text of others that is to be shown, and not too much of it.
func short(text string) string {
	const most = 1000
	text = strings.TrimSpace(strings.ToValidUTF8(text, "?"))
	if r := []rune(text); len(r) > most {
		text = string(r[:most]) + " …"
	}
	return text
}
