package plugins

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"drp/models"
	"drp/server/objects"
)

// spec is what a process is to be for a plugin.
type spec struct {
	plugin   string
	provider string
	rev      uint64 // of the provider; another one may be another program
	publish  bool
	config   json.RawMessage
}

func (s *Service) specOf(r objects.Reader, p *models.Plugin, e *objects.Entry) spec {
	provider := e.Object.(*models.PluginProvider)
	return spec{plugin: p.Name, provider: provider.Name, rev: e.Rev, publish: provider.HasPublish, config: s.configOf(r, p, provider)}
}

// same tells whether one process will do for both.
func (a spec) same(b spec) bool { return a.provider == b.provider && a.rev == b.rev }

// runner keeps the process of a plugin running.
type runner struct {
	s *Service
	spec
	end    context.CancelFunc
	ended  chan struct{} // closed when the process is gone
	events *queue
	fresh  chan struct{} // the configuration has changed

	mu     sync.Mutex
	config json.RawMessage
	proc   *process // that has taken its configuration; nil: none has
	why    string   // there is none, or it is not as it should be
}

// last is closed when the runner that a plugin had before is gone. The caller holds s.mu.
func (s *Service) last(plugin string) <-chan struct{} {
	if r, ok := s.leaving[plugin]; ok {
		return r.ended
	}
	gone := make(chan struct{})
	close(gone)
	return gone
}

// configure has the process take a configuration, unless it is the one it has.
func (r *runner) configure(config json.RawMessage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if string(config) == string(r.config) {
		return
	}
	r.config = config
	select {
	case r.fresh <- struct{}{}:
	default:
	}
}

// run starts the process, and starts it again whenever it ends, until ctx does.
func (r *runner) run(ctx context.Context) {
	for pause := firstPause; ; {
		began := r.s.cfg.Now()
		err := r.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if r.s.cfg.Now().Sub(began) >= settled {
			pause = firstPause
		}
		r.s.cfg.Log.Warn("plugin does not run", "plugin", r.plugin, "again-in", pause, "error", err)
		r.say(ctx, err)
		select {
		case <-ctx.Done():
			return
		case <-r.s.cfg.After(pause):
		}
		pause = min(2*pause, longestPause)
	}
}

// say notes why the process does not run as it should; nil: it does.
func (r *runner) say(ctx context.Context, err error) {
	text := ""
	if err != nil {
		text = short(err.Error())
	}
	r.mu.Lock()
	r.why = text
	r.mu.Unlock()
	r.s.trouble(ctx, r.plugin, text)
}

// once runs the process to its end, and returns why it has ended.
func (r *runner) once(ctx context.Context) error {
	p, err := r.s.start(r.plugin, filepath.Join(r.s.cfg.Dir, r.provider))
	if err != nil {
		return err
	}
	defer func() {
		p.kill()
		<-p.ended
	}()
	late := time.NewTimer(r.s.cfg.Ready)
	defer late.Stop()
	select {
	case <-p.ready:
	case <-p.ended:
		return p.err
	case <-ctx.Done():
		return nil
	case <-late.C:
		return fmt.Errorf("the process is not ready within %s: it must print READY!", r.s.cfg.Ready)
	}
	if err := r.give(ctx, p); err != nil {
		return err
	}
	telling, stop := context.WithCancel(ctx)
	var told sync.WaitGroup
	if r.publish {
		told.Go(func() { r.tellEvents(telling, p) })
	}
	defer told.Wait()
	defer stop()
	defer r.serve(nil)
	r.serve(p)
	r.say(ctx, nil)
	r.s.cfg.Log.Info("plugin runs", "plugin", r.plugin, "provider", r.provider)
	for {
		select {
		case <-ctx.Done():
			r.serve(nil)
			r.halt(p)
			return nil
		case <-p.ended:
			return p.err
		case <-r.fresh:
			r.say(ctx, r.give(ctx, p))
		}
	}
}

// serve makes a process the one that actions are for; nil: none.
func (r *runner) serve(p *process) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.proc = p
}

// at is the process that actions are for, or why there is none.
func (r *runner) at() (*process, string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.proc == nil && r.why == "" {
		return nil, "it is about to start"
	}
	return r.proc, r.why
}

// give configures the process.
func (r *runner) give(ctx context.Context, p *process) error {
	r.mu.Lock()
	config := r.config
	r.mu.Unlock()
	_, err := p.tell(ctx, "config", config, r.s.cfg.Config)
	if err == nil {
		return nil
	}
	select {
	case <-p.ended:
		return p.err
	default:
		return fmt.Errorf("the configuration is refused: %w", err)
	}
}

// halt tells the process to stop, and waits some time for its end.
func (r *runner) halt(p *process) {
	late := time.NewTimer(r.s.cfg.Stop)
	defer late.Stop()
	ctx, cancel := context.WithCancel(context.Background())
	var told sync.WaitGroup
	told.Go(func() { _, _ = p.tell(ctx, "stop", []byte("{}"), r.s.cfg.Stop) }) // it may end without an answer
	defer told.Wait()
	defer cancel()
	select {
	case <-p.ended:
	case <-late.C:
		r.s.cfg.Log.Warn("plugin does not stop and is killed", "plugin", r.plugin)
	}
}

// level reads the level of a line of log.
func level(name string) slog.Level {
	switch name = strings.ToUpper(name); name {
	case "TRACE":
		return slog.LevelDebug
	case "FATAL", "PANIC", "AUDIT":
		return slog.LevelError
	}
	var l slog.Level
	if l.UnmarshalText([]byte(name)) != nil {
		return slog.LevelInfo
	}
	return l
}
