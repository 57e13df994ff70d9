// Package plugins runs plugin providers: programs that give a server actions, kinds of objects,
// content and eyes for its events. A provider is an executable below the base root; each Plugin
// object of it is one process, which is configured with the plugin's params, told of events, asked
// to act, started again when it ends, and ended with the server.
//
// Whoever uploads a provider has it run with the rights of the server. So only those may who may do
// everything, and uploads can be switched off.
//
// README.md in this folder tells authors what a provider is asked, and what it may ask.
package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"drp/models"
	"drp/models/schema"
	"drp/server/objects"
	"drp/server/params"
)

// Content loads what a provider brings along as a layer of content.
type Content interface {
	// LoadPlugin puts the layer of a provider, a content pack as text, in the place of an earlier
	// one; "" is none. Also is staged in the same change.
	LoadPlugin(ctx context.Context, provider, text string, replaceWritable bool, also func(*objects.Tx) error) error
}

// Config is what the room works with. All fields but the timeouts are required.
type Config struct {
	Dir     string // folder of the providers' programs
	Assets  string // folder that each provider has a folder of files in
	Uploads bool   // programs may be uploaded

	// Environment is what a process of a plugin finds in its environment, as NAME=VALUE.
	Environment func(plugin string) ([]string, error)
	// Value is the value of a param that holds for an object, in clear.
	Value func(r objects.Reader, h models.Object, key string) (json.RawMessage, bool)
	// Post hands on what a plugin posts as an event.
	Post    func(e models.Event)
	Content Content
	Now     func() time.Time
	After   func(time.Duration) <-chan time.Time
	Log     *slog.Logger

	Timeouts
}

// Timeouts bound how long a provider's program may take; a zero is the default.
type Timeouts struct {
	Define time.Duration // to say what it is, or to unpack
	Ready  time.Duration // to be ready
	Config time.Duration // to take its params, or an event
	Action time.Duration
	Stop   time.Duration // to end when told to
}

// The pauses before a process that has ended is started again grow from the first to the longest.
// One that has run for some time begins anew with the first.
const (
	firstPause   = time.Second
	longestPause = time.Minute
	settled      = time.Minute
)

func (t *Timeouts) fill() {
	for _, d := range []struct {
		of  *time.Duration
		def time.Duration
	}{{&t.Define, 30 * time.Second}, {&t.Ready, 30 * time.Second}, {&t.Config, 30 * time.Second}, {&t.Action, 10 * time.Minute}, {&t.Stop, 5 * time.Second}} {
		if *d.of == 0 {
			*d.of = d.def
		}
	}
}

// Service is the room.
type Service struct {
	cfg     Config
	objects *objects.Service
	schemas *schema.Cache
	spawn   *spawner
	kick    chan struct{} // plugins or providers have changed
	scanned chan struct{} // closed when the programs that lie in Dir are known
	loading sync.Mutex    // held while a provider comes or goes

	mu      sync.Mutex
	runners map[string]*runner // by plugin
	leaving map[string]*runner // that were told to end, the newest of each plugin
}

// New makes the room and adds its Rules; it must be called before the service is started.
func New(s *objects.Service, cfg Config) (*Service, error) {
	cfg.fill()
	if cfg.Value == nil {
		cfg.Value = func(r objects.Reader, o models.Object, key string) (json.RawMessage, bool) {
			v, _, ok := params.Effective(r, o, key)
			return v, ok
		}
	}
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("plugin providers: %w", err)
	}
	for _, left := range []string{filepath.Join(cfg.Dir, ".upload-*"), filepath.Join(cfg.Dir, ".before-*"), filepath.Join(cfg.Dir, ".run-*"), filepath.Join(cfg.Assets, ".unpack-*")} {
		names, err := filepath.Glob(left) // of uploads that were cut short
		for _, name := range names {
			err = errors.Join(err, os.RemoveAll(name))
		}
		if err != nil {
			return nil, fmt.Errorf("plugin providers: %w", err)
		}
	}
	p := &Service{
		cfg: cfg, objects: s, schemas: schema.NewCache(), spawn: newSpawner(), kick: make(chan struct{}, 1), scanned: make(chan struct{}), runners: map[string]*runner{}, leaving: map[string]*runner{},
	}
	p.rules()
	s.Follow(p.watch)
	return p, nil
}

// watch follows commits.
func (s *Service) watch(c *objects.Commit) {
	for i := range c.Changes {
		if kind := c.Changes[i].Kind; kind == "plugins" || kind == "plugin_providers" {
			s.wake()
			return
		}
	}
}

func (s *Service) wake() {
	select {
	case s.kick <- struct{}{}:
	default:
	}
}

// Run looks what providers there are, and keeps a process for each plugin that can have one, until
// ctx ends. Then all processes are told to stop, and killed when they do not.
func (s *Service) Run(ctx context.Context) {
	ctx = objects.WithActor(ctx, objects.System)
	var running sync.WaitGroup
	defer running.Wait()
	s.Scan(ctx)
	close(s.scanned)
	for {
		s.reconcile(ctx, &running)
		select {
		case <-ctx.Done():
			return
		case <-s.kick:
		}
	}
}

// Scanned is closed when Run has asked the programs in the folder of providers what they are.
func (s *Service) Scanned() <-chan struct{} { return s.scanned }

// Close ends what New has begun; Run has ended by then.
func (s *Service) Close() { s.spawn.close() }

// reconcile starts, configures and ends processes, so that they are those that the plugins ask for.
func (s *Service) reconcile(ctx context.Context, running *sync.WaitGroup) {
	v := s.objects.View()
	want := map[string]spec{}
	for p := range objects.All[*models.Plugin](v) {
		if e, ok := v.Get("plugin_providers", p.Provider); ok && p.Available {
			want[p.Name] = s.specOf(v, p, e)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, r := range maps.Clone(s.runners) {
		if w, ok := want[name]; !ok || !w.same(r.spec) {
			r.end()
			delete(s.runners, name)
			s.leaving[name] = r
		}
	}
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if r, ok := s.runners[name]; ok {
			r.configure(want[name].config)
			continue
		}
		ctx, end := context.WithCancel(ctx)
		r := &runner{
			s: s, spec: want[name], end: end, ended: make(chan struct{}), events: newQueue(), fresh: make(chan struct{}, 1), config: want[name].config,
		}
		after := s.last(name)
		s.runners[name] = r
		running.Go(func() {
			defer close(r.ended)
			<-after
			r.run(ctx)
		})
	}
}
