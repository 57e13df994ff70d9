package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"drp/cli/client"
	"drp/cli/spawn"
	packs "drp/content"
	"drp/models"
)

const (
	user       = "rocketskates"
	password   = "r0cketsk8ts"  // the default; the server takes it on loopback only
	shared     = "cluster-name" // the profile of the description of the pattern
	documented = "cluster-demo"
	fromCore   = "cluster-demo-core"
	packFolder = "cluster-demo"
	corePack   = "drp-core"
)

// world is the server, the machines and their runners.
type world struct {
	*options
	out      io.Writer
	root     string // folder of everything
	temp     bool   // it is ours to remove
	endpoint string
	server   *spawn.Process
	client   *client.Client
	members  []*member
	died     chan *spawn.Process // processes that have ended unasked
}

// member is a machine and its runner.
type member struct {
	name, uuid string
	runner     *spawn.Process
	kills      int // how often the runner was killed
}

func newWorld(o *options, out io.Writer) (*world, error) {
	w := &world{options: o, out: out, root: o.dir, died: make(chan *spawn.Process, o.machines+1)}
	var err error
	if w.temp = o.dir == ""; w.temp {
		w.root, err = os.MkdirTemp("", "drp-demo-")
	} else if w.root, err = filepath.Abs(o.dir); err == nil {
		err = os.MkdirAll(w.root, 0o700)
	}
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	w.endpoint = fmt.Sprintf("https://127.0.0.1:%d", ports[0])
	w.server = &spawn.Process{
		Name: "drp-server", Died: w.died, Dir: w.root, Log: filepath.Join(w.root, "server.log"),
		Argv: []string{filepath.Join(o.bin, "drp-server"), "--base-root", filepath.Join(w.root, "server"), "--listen", "127.0.0.1",
			"--api-port", fmt.Sprint(ports[0]), "--static-port", fmt.Sprint(ports[1]), "--static-secure-port", "0"},
	}
	w.client = client.New(client.Config{Endpoint: w.endpoint, Username: user, Password: password})
	return w, nil
}

// Ports are looked for below those that systems hand out to outgoing connections: one of these
// could take the port of a server while it is being started again.
const lowest, highest = 10_000, 32_000

// freePorts finds ports of the loopback that nobody listens on.
func freePorts(n int) ([]int, error) {
	var ports []int
	var last error
	for tries := 0; len(ports) < n; tries++ {
		if tries == 1000 {
			return nil, fmt.Errorf("no free port from %d to %d: %w", lowest, highest, last)
		}
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", lowest+rand.N(highest-lowest)))
		if err != nil {
			last = err
			continue
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

func (w *world) chaos() bool { return w.chaosServer+w.chaosRunner > 0 }

func (w *world) say(format string, args ...any) { fmt.Fprintf(w.out, format+"\n", args...) }

// startServer starts the server and returns when it answers.
func (w *world) startServer(ctx context.Context) error {
	if err := w.server.Start(); err != nil {
		return err
	}
	began := time.Now()
	if err := w.awaitServer(ctx); err != nil {
		return err
	}
	w.say("server    %s  (ready after %d ms, data in %s)", w.endpoint, time.Since(began).Milliseconds(), w.root)
	w.say("web UI    %s/ui/  (user %s, password %s)", w.endpoint, user, password)
	return nil
}

func (w *world) awaitServer(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	ended := w.server.Ended()
	go func() {
		select {
		case <-ended:
			cancel(errors.New("the server ended before it answered"))
		case <-ctx.Done():
		}
	}()
	if err := awaitPort(ctx, strings.TrimPrefix(w.endpoint, "https://")); err != nil {
		return err
	}
	_, err := client.Get[models.Info](ctx, w.client, "info")
	return err
}

// awaitPort returns when somebody listens there. No other process tells us when that is so.
func awaitPort(ctx context.Context, address string) error {
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// drp runs the command line client as the user of the server.
func (w *world) drp(ctx context.Context, dir string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(w.bin, "drp"), args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), w.env("RS_KEY="+user+":"+password)...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("drp %s: %w\n%s", strings.Join(args, " "), err, bytes.TrimSpace(out))
	}
	return nil
}

// env is the environment of our clients: ours may name another server.
func (w *world) env(more ...string) []string {
	return append([]string{"RS_ENDPOINT=" + w.endpoint, "RS_ENDPOINTS=", "RS_TOKEN=", "RS_KEY=", "RS_USERNAME=", "RS_PASSWORD=",
		"RS_LOCAL_PROXY=", "RS_CONTEXT=", "RS_UUID=", "HOME=" + w.root}, more...)
}

// uploadPack installs the pack that the demonstration's rests on, bundles that one as its author
// would, and uploads it.
func (w *world) uploadPack(ctx context.Context) error {
	if err := w.drp(ctx, w.root, "contents", "install", corePack); err != nil {
		return err
	}
	dir, err := packs.Folder(packFolder)
	if err != nil {
		return err
	}
	source, bundle := filepath.Join(w.root, "pack"), filepath.Join(w.root, packFolder+".yaml")
	if err := os.RemoveAll(source); err != nil {
		return err
	}
	if err := os.CopyFS(source, dir); err != nil {
		return err
	}
	if err := w.drp(ctx, source, "contents", "bundle", bundle); err != nil {
		return err
	}
	if err := w.drp(ctx, w.root, "contents", "upload", bundle); err != nil {
		return err
	}
	w.say("content   packs %s and %s uploaded", corePack, packFolder)
	return nil
}

// createMachines makes the shared profile and the machines, which have nothing to do yet.
func (w *world) createMachines(ctx context.Context) error {
	p := &models.Profile{Name: shared, Description: "What the machines of the demonstration share", Params: models.Params{
		"cluster-profile": quoted(shared), "cluster/profile": quoted(shared), "cluster/size": json.RawMessage(fmt.Sprint(w.machines)),
	}}
	if err := w.client.Do(ctx, http.MethodPost, "profiles", p, nil); err != nil {
		return err
	}
	for i := range w.machines {
		m := &models.Machine{Name: fmt.Sprintf("node-%d", i+1), Profiles: []string{shared}}
		m.Meta = map[string]string{"icon": "server", "color": "grey"}
		if err := w.client.Do(ctx, http.MethodPost, "machines", m, m); err != nil {
			return err
		}
		w.members = append(w.members, &member{name: m.Name, uuid: m.Uuid})
	}
	w.say("machines  %d, with the shared profile %s", w.machines, shared)
	return nil
}

func quoted(s string) json.RawMessage {
	raw, err := models.Marshal(s)
	if err != nil {
		panic("demo: a string does not marshal: " + err.Error())
	}
	return raw
}

// startRunners starts a runner for each machine, with a folder, a log and a token of its own.
func (w *world) startRunners(ctx context.Context) error {
	for _, m := range w.members {
		token, err := client.Get[models.UserToken](ctx, w.client, "machines/"+m.uuid+"/token")
		if err != nil {
			return fmt.Errorf("token of %s: %w", m.name, err)
		}
		dir := filepath.Join(w.root, m.name)
		for _, d := range []string{"tmp", "state"} {
			if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
				return err
			}
		}
		m.runner = &spawn.Process{
			Name: "the runner of " + m.name, Died: w.died, Dir: dir, Log: filepath.Join(dir, "runner.log"),
			Argv: []string{filepath.Join(w.bin, "drp"), "machines", "processjobs", m.uuid, "--state-dir", filepath.Join(dir, "state"), "--skip-power"},
			Env:  w.env("RS_TOKEN="+token.Token, "TMPDIR="+filepath.Join(dir, "tmp")),
		}
		if err := m.runner.Start(); err != nil {
			return err
		}
	}
	w.say("runners   %d processes", len(w.members))
	return nil
}

func (w *world) setWorkflow(ctx context.Context) error {
	patch := []map[string]string{{"op": "replace", "path": "/Workflow", "value": w.workflow}}
	for _, m := range w.members {
		if err := w.client.Do(ctx, http.MethodPatch, "machines/"+m.uuid, patch, nil); err != nil {
			return fmt.Errorf("set the workflow of %s: %w", m.name, err)
		}
	}
	w.say("workflow  %s\n", w.workflow)
	return nil
}

func (w *world) member(uuid string) *member {
	for _, m := range w.members {
		if m.uuid == uuid {
			return m
		}
	}
	return nil
}

// showLogs helps to find out what went wrong.
func (w *world) showLogs() {
	for _, m := range w.members {
		if m.runner != nil {
			m.runner.Tail(w.out, 8)
		}
	}
	w.server.Tail(w.out, 20)
}

// grace is how long a process may take to end.
const grace = 15 * time.Second

// close ends all processes and removes what is ours.
func (w *world) close() error {
	var errs []error
	done := make(chan error)
	for _, m := range w.members {
		go func() {
			if m.runner == nil {
				done <- nil
				return
			}
			done <- m.runner.Stop(grace)
		}()
	}
	for range w.members {
		errs = append(errs, <-done)
	}
	errs = append(errs, w.server.Stop(grace))
	if w.temp {
		errs = append(errs, os.RemoveAll(w.root))
	}
	return errors.Join(errs...)
}

// leaveRunning tells how to go on with what runs.
func (w *world) leaveRunning() {
	drp := filepath.Join(w.bin, "drp")
	pids := []string{}
	for _, m := range w.members {
		pids = append(pids, fmt.Sprint(m.runner.PID()))
	}
	pids = append(pids, fmt.Sprint(w.server.PID()))
	fmt.Fprintf(w.out, `
Everything is left running.
  to see    %[1]s/ui/  (user %[2]s, password %[3]s; a browser asks about the server's own certificate)
  to try    export RS_ENDPOINT=%[1]s
            %[4]s machines list
            %[4]s profiles show %[5]s
            %[4]s profiles set %[5]s param my/leader to none     # the next election
            %[4]s machines workflow Name:%[6]s "" && %[4]s machines workflow Name:%[6]s %[7]s
            %[4]s events watch
  to end    kill %[8]s; rm -rf %[9]s
`, w.endpoint, user, password, drp, shared, w.members[0].name, w.workflow, strings.Join(pids, " "), w.root)
}
