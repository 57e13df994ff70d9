// Package app wires the rooms of a server into one. Everything is made here, in order, and
// ended in the opposite order.
package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"drp/models"
	"drp/server/access"
	"drp/server/api"
	"drp/server/auth"
	"drp/server/backup"
	"drp/server/content"
	"drp/server/events"
	"drp/server/files"
	"drp/server/joblog"
	"drp/server/keyring"
	"drp/server/metrics"
	"drp/server/network"
	"drp/server/objects"
	"drp/server/params"
	"drp/server/plugins"
	"drp/server/prefs"
	"drp/server/render"
	"drp/server/store"
	"drp/server/store/sqlite"
	"drp/server/traces"
	"drp/server/workflow"
	"drp/ui"
)

// Version is that of this server. Content packs may demand one of Digital Rebar, so it never
// falls below 4.8.
const Version = "v4.8.0"

// App is a running server.
type App struct {
	cfg     Config
	log     *slog.Logger
	level   *slog.LevelVar
	engine  store.Engine
	objects *objects.Service
	auth    *auth.Auth
	hub     *events.Hub
	secrets secrets
	jobs    *workflow.Jobs
	files   *files.Store
	trees   *files.Trees
	plugins *plugins.Service
	api     *api.API
	static  http.Handler // of the file ports
	cert    *auth.KeyPair
	// staticCert is that of the file port: the same one, until it is replaced.
	staticCert *auth.KeyPair
	ready      readiness
	metrics    *metrics.Metrics
	traces     *traces.Traces // nil: nobody wants any
	after      func(time.Duration) <-chan time.Time

	servers     []*http.Server
	listeners   []net.Listener
	connections atomic.Int64 // open on all ports
	ports       struct{ api, static, secure int }
	loopback    bool // nobody else is let in while the default password is in use
	working     sync.WaitGroup
	stop        context.CancelFunc
	closed      sync.Once
}

// New opens the data, starts the rooms and listens. The server answers from Run on.
func New(ctx context.Context, cfg Config) (*App, error) { return open(ctx, cfg, openSQLite) }

func openSQLite(ctx context.Context, path string) (store.Engine, error) {
	e, err := sqlite.Open(ctx, path, objects.Advance)
	if err != nil {
		return nil, err // and no engine, rather than a nil one
	}
	return e, nil
}

// open is New on an engine of the caller's choice.
func open(ctx context.Context, cfg Config, engineAt func(ctx context.Context, path string) (store.Engine, error)) (_ *App, err error) {
	a := &App{cfg: cfg, after: time.After, ready: readiness{now: time.Now}}
	lines, level := logger(cfg)
	a.log, a.level = slog.New(lines), level
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	if err := os.MkdirAll(cfg.BaseRoot, 0o700); err != nil {
		return nil, fmt.Errorf("--base-root: %w", err)
	}
	if err := backup.Finished(cfg.BaseRoot); err != nil {
		return nil, err
	}
	engine, err := engineAt(ctx, filepath.Join(cfg.BaseRoot, "drp.db"))
	if err != nil {
		return nil, err
	}
	a.engine = engine

	layers, err := content.Layers(Version, cfg.LocalContent, cfg.DefaultContent)
	if err != nil {
		return nil, err
	}
	if a.objects, err = objects.New(engine, content.Base(layers), time.Now, a.log); err != nil {
		return nil, err
	}
	preferences := prefs.New(a.objects)
	access.Register(a.objects)
	a.secrets = secrets{vault: params.Register(a.objects), rotate: make(chan struct{}, 1)}
	if a.secrets.ring, err = keyring.Open(cfg.KeyFile()); err != nil {
		return nil, fmt.Errorf("--secret-key: %w", err)
	}
	a.secrets.vault.Keys = a.secrets.ring
	render.Register(a.objects)
	if err := a.openFiles(); err != nil {
		return nil, err
	}
	workflow.Register(a.objects)
	network.Register(a.objects)
	logs, err := joblog.Open(filepath.Join(cfg.BaseRoot, "job-logs"))
	if err != nil {
		return nil, err
	}
	a.jobs = workflow.New(a.objects, logs, time.Now, a.log)
	packs := content.New(a.objects, Features, layers)
	packs.Clear = a.clear
	a.hub = events.New(a.replay)
	paths := render.NewPaths()
	a.objects.Follow(paths.Follow)
	if err := a.openPlugins(packs); err != nil {
		return nil, err
	}
	a.objects.Follow(a.publish)
	a.objects.Follow(a.follow)
	lines.Publish(a.tell)
	if err := a.observe(ctx, engine); err != nil {
		return nil, err
	}
	if err := a.objects.Start(ctx); err != nil {
		return nil, err
	}
	if err := a.unlock(ctx); err != nil {
		return nil, err
	}
	if err := packs.Check(); err != nil {
		return nil, err
	}
	paths.Load(a.objects)
	a.hub.Start(a.objects.View().Rev)
	if p, ok := objects.Get[*models.Pref](a.objects.View(), prefs.LogLevel); ok {
		a.setLevel(p.Val)
	}
	a.auth = auth.New(source{a.objects}, time.Now)
	if err := a.firstStart(ctx); err != nil {
		return nil, err
	}
	a.loopback = a.auth.DefaultPasswordInUse()
	if err := a.listen(); err != nil {
		return nil, err
	}
	renderer := render.New(render.Config{
		Tokens: tokens{a.auth}, Info: func() models.Info { return a.info(nil) },
		APIPort: a.ports.api, FilePort: a.ports.static, SecureFilePort: a.ports.secure, Address: cfg.StaticIP,
		Observe: a.rendering, Clear: a.secrets.vault.Reader, Exploded: a.trees.Unpacked,
	})
	a.static = a.rendered(renderer, paths)
	a.api = &api.API{
		Objects: a.objects, Auth: a.auth, Prefs: preferences, Jobs: a.jobs, Pools: workflow.NewPools(a.objects), Logs: logs, Render: renderer,
		Content: packs, Params: a.secrets.vault, Files: a.files, Trees: a.trees, Cert: a.cert, StaticCert: a.staticCert,
		Plugins: a.plugins, Events: a.hub, Guard: api.NewGuard(cfg.Limits, time.Now), Info: a.info,
		Interfaces: network.Interfaces, Now: time.Now, Log: a.log,
		Meter: a.metrics.Route, Metrics: a.metrics.Handler(), MetricsOpen: cfg.MetricsOpen, Ready: a.ready.reasons,
		Lines: lines.Lines, Purge: a.purge, Version: Version, UI: ui.Files(),
	}
	if a.ports.static != 0 || a.ports.secure != 0 {
		a.api.Static = a.static
	}
	return a, nil
}

// providersHave is how long a start waits for plugin providers.
const providersHave = 5 * time.Second

// Run serves until ctx ends. Then it says that it is not ready, serves on for the drain delay,
// lets requests under way finish, and closes.
func (a *App) Run(ctx context.Context) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	a.stop = stop
	a.working.Go(func() { a.jobs.Run(work) })
	a.working.Go(func() { a.trees.Run(work) })
	a.working.Go(func() { a.plugins.Run(work) })
	a.working.Go(func() { a.objects.Retain(work, retainEvery, a.keep) })
	a.working.Go(func() { a.jobs.RunPurge(work, retainEvery, a.purge) })
	a.working.Go(func() { a.rewrap(work) })
	select { // what providers bring is there from the first answer on, unless they take their time
	case <-a.plugins.Scanned():
	case <-time.After(providersHave):
		a.log.Warn("plugin providers take long to say what they are; their objects come later")
	case <-ctx.Done():
	}
	failed := make(chan error, len(a.servers))
	a.servers[0].Handler = a.handler()
	for i, s := range a.servers {
		l := a.listeners[i] // Close may come before this one serves
		a.working.Go(func() {
			if err := s.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				failed <- err
			}
		})
	}
	a.announce()
	var err error
	select {
	case <-ctx.Done():
		a.ready.stopping.Store(true)
		a.log.Info("stopping: requests under way are finished", "drain-delay", a.cfg.DrainDelay)
		select {
		case <-a.after(a.cfg.DrainDelay):
		case err = <-failed:
		}
	case err = <-failed:
	}
	a.Close()
	return err
}

// drain is how long requests under way may take once the server stops.
const drain = 10 * time.Second

// Close ends the server. It may be called more than once.
func (a *App) Close() { a.closed.Do(a.end) }

// end stops the rooms in order. They stay where they are: requests under way still use them.
func (a *App) end() {
	a.ready.stopping.Store(true)
	if a.hub != nil {
		a.hub.Close()
		a.objects.EndWaits()
	}
	ctx, cancel := context.WithTimeout(context.Background(), drain)
	defer cancel()
	for _, s := range a.servers {
		if s.Shutdown(ctx) != nil {
			s.Close()
		}
	}
	for _, l := range a.listeners {
		l.Close()
	}
	if a.stop != nil {
		a.stop()
	}
	a.working.Wait()
	if a.plugins != nil {
		a.plugins.Close()
	}
	if a.traces != nil {
		if err := a.traces.Close(); err != nil {
			a.log.Warn("closing the traces", "error", err)
		}
	}
	if a.objects != nil {
		a.objects.Close()
	}
	if a.files != nil {
		a.files.Close()
	}
	if a.engine != nil {
		if err := a.engine.Close(); err != nil {
			a.log.Error("closing the store", "error", err)
		}
	}
}

// Reload reads again what can change in a running server: the keys of secure params, the certificate
// and the log level.
func (a *App) Reload(cfg Config) {
	a.level.Set(logLevels[cfg.LogLevel])
	if err := a.readKeys(); err != nil {
		a.log.Error("the keys of secure params stay as they were", "error", err)
	}
	if err := errors.Join(a.cert.Reload(), a.staticCert.Reload()); err != nil {
		a.log.Error("the certificate stays as it was", "error", err)
		return
	}
	a.log.Info("read again: certificate and log level", "level", cfg.LogLevel)
}

// Endpoint is the URL of the API on this machine.
func (a *App) Endpoint() string {
	host := "127.0.0.1"
	if a.cfg.Listen != "" {
		host = a.cfg.Listen
	}
	return "https://" + net.JoinHostPort(host, strconv.Itoa(a.ports.api))
}

// listen takes the ports.
func (a *App) listen() error {
	certFile, keyFile := a.cfg.TLSCert, a.cfg.TLSKey
	if _, err := os.Stat(certFile); certFile != "" && err != nil {
		return fmt.Errorf("--tls-cert: %w", err)
	}
	if certFile == "" {
		certFile, keyFile = filepath.Join(a.cfg.BaseRoot, "server.crt"), filepath.Join(a.cfg.BaseRoot, "server.key")
	}
	var err error
	if a.cert, err = auth.Certificate(certFile, keyFile, a.replaced("server.pem"), certHosts(a.cfg), time.Now); err != nil {
		return err
	}
	if a.staticCert, err = auth.Certificate(certFile, keyFile, a.replaced("static.pem"), certHosts(a.cfg), time.Now); err != nil {
		return err
	}
	files := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { a.static.ServeHTTP(w, r) }) // it is made later
	if a.ports.api, err = a.serve("api-port", a.cfg.APIPort, true, nil); err != nil {
		return err
	}
	if a.cfg.StaticPort != 0 {
		if a.ports.static, err = a.serve("static-port", a.cfg.StaticPort, false, files); err != nil {
			return err
		}
	}
	if a.cfg.StaticSecurePort != 0 {
		a.ports.secure, err = a.serve("static-secure-port", a.cfg.StaticSecurePort, true, files)
		if err != nil && a.cfg.SecurePortChosen {
			return err
		}
		if err != nil {
			a.log.Warn("no HTTPS file server: its default port is taken; choose one with --static-secure-port", "error", err)
		}
	}
	return nil
}

func (a *App) serve(flag string, port int, secure bool, h http.Handler) (int, error) {
	host := a.cfg.Listen
	if a.loopback {
		host = "127.0.0.1"
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
	if err != nil {
		return 0, fmt.Errorf("--%s %d: %w", flag, port, err)
	}
	port = l.Addr().(*net.TCPAddr).Port
	l = patient(l, a.cfg.Limits.Stall, &a.connections, a.cfg.Connections, a.log)
	s := &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout(a.cfg.Limits.Stall), IdleTimeout: a.cfg.Idle, MaxHeaderBytes: api.HeaderBytes,
		ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelDebug),
	}
	if h != nil { // files: what is sent to them is small
		s.ReadTimeout = a.cfg.Limits.Stall
	}
	if secure {
		cert := a.cert
		if h != nil {
			cert = a.staticCert
		}
		l = tls.NewListener(l, &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: cert.GetCertificate, NextProtos: []string{"http/1.1"}})
	}
	a.servers, a.listeners = append(a.servers, s), append(a.listeners, l)
	return port, nil
}

func (a *App) announce() {
	a.log.Info("serving", "api", a.Endpoint(), "files", a.ports.static, "files-https", a.ports.secure, "data", a.cfg.BaseRoot, "revision", a.objects.View().Rev)
	if a.loopback {
		a.log.Warn("the user " + auth.BootstrapUser + " has the default password, so only this machine is let in; " +
			"change it (drp users password " + auth.BootstrapUser + " NEW) and restart, or give RS_PASSWORD at the first start")
	}
}
