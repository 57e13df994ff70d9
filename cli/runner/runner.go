// Package runner is the agent of a machine: it claims the machine's jobs, runs their scripts and
// reports how they ended. It waits for events and never polls the server.
//
// Server and runner may be killed at any moment. A request is repeated until the server has
// answered it. A script goes on without its runner, and the next runner on this host takes it up
// where it is: its log is in a file and its exit code is written down by a shell of its own, so
// that no task is run to success twice.
package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"drp/cli/client"
	"drp/models"
)

// Options say whose jobs to run, and how.
type Options struct {
	Client  *client.Client
	Machine string // UUID, or Index:Value such as Name:bob
	Context string // run the tasks meant for this context; "": for the machine itself

	OneShot       bool // end as soon as there is nothing to do
	ExitOnFailure bool // end with an error when a job fails
	SkipPower     bool // end instead of rebooting or powering off
	Service       bool // make the machine runnable at the start, as after a boot
	SkipRunnable  bool // never make the machine runnable

	StateDir string // survives reboots; "": /var/lib/drp-agent, or the user's cache
	TempDir  string // for scripts; "": param runner-tmpdir, or the system's

	Stdout    io.Writer     // one line for each thing done; nil: none
	Logger    *slog.Logger  // nil: slog.Default()
	Heartbeat time.Duration // a sign of life at least this often while a script runs; 0: 15 s
	Grace     time.Duration // between the request to a script to end and its killing; 0: 10 s

	// Power reboots or powers off the host; nil runs the command of that name.
	Power func(ctx context.Context, verb string) error
	// Env is the environment scripts inherit; nil is that of the process.
	Env []string
}

// Run works on the jobs of one machine. It returns nil when it has ended by itself: nothing left
// to do (OneShot), a task asked to stop, or the host goes down. When ctx is cancelled the script
// that runs is ended, its job is reported failed, the machine is left runnable, and Run returns
// nil too. A second Run for the same machine and context on one host is refused.
func Run(ctx context.Context, o Options) error {
	r := &runner{Options: o.defaults()}
	err := r.open(ctx)
	if err == nil {
		err = r.work(ctx)
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		err = nil // that is what was asked for
	}
	return errors.Join(err, r.close())
}

func (o Options) defaults() Options {
	if o.Stdout == nil {
		o.Stdout = io.Discard
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Heartbeat <= 0 {
		o.Heartbeat = 15 * time.Second
	}
	if o.Grace <= 0 {
		o.Grace = 10 * time.Second
	}
	if o.Power == nil {
		o.Power = power
	}
	if o.Env == nil {
		o.Env = os.Environ()
	}
	if o.StateDir == "" {
		o.StateDir = StateDir()
	}
	return o
}

// StateDir is the default of Options.StateDir: ordinary users cannot write to /var/lib.
func StateDir() string {
	cache, err := os.UserCacheDir()
	if os.Geteuid() <= 0 || err != nil {
		return "/var/lib/drp-agent"
	}
	return filepath.Join(cache, "drp-agent")
}

type runner struct {
	Options
	state *state
	room  *room
	watch *watch
	pause backoff         // between questions that the server is not ready for
	mark  *models.Machine // as it was when the server had nothing to do
}

// open gets hold of all that a runner needs, with the machine as the server knows it.
func (r *runner) open(ctx context.Context) error {
	m, err := r.machine(ctx)
	if err != nil {
		return err
	}
	r.Machine = m.Uuid
	if r.state, err = openState(r.StateDir, m.Uuid, r.Context); err != nil {
		return err
	}
	if err := r.state.booted(m.BootEnv); err != nil {
		return err
	}
	if r.TempDir, err = r.tempDir(ctx); err != nil {
		return err
	}
	if r.room, err = r.openRoom(); err != nil {
		return err
	}
	r.watch = follow(ctx, r.Client, m.Uuid, r.Logger)
	return nil
}

func (r *runner) close() error {
	var errs []error
	if r.watch != nil {
		r.watch.close()
	}
	if r.room != nil {
		errs = append(errs, r.room.close(r.state.Work != nil))
	}
	if r.state != nil {
		errs = append(errs, r.state.close())
	}
	return errors.Join(errs...)
}

// work takes up what an earlier runner left, and then does one step after the other.
func (r *runner) work(ctx context.Context) error {
	end, err := r.resume(ctx)
	if err != nil || end {
		return err
	}
	if err := r.makeRunnable(ctx); err != nil {
		return err
	}
	for {
		m, err := r.machine(ctx)
		if err != nil {
			return err
		}
		end, err := steps[decide(m, r.situation())](r, ctx, m)
		if err != nil || end {
			return err
		}
	}
}

func (r *runner) situation() situation {
	return situation{context: r.Context, bootEnv: r.state.BootEnv, mark: r.mark}
}

// steps are what a runner does, by what it has decided. They return true when it is to end.
var steps = map[step]func(*runner, context.Context, *models.Machine) (end bool, err error){
	stay:   (*runner).stay,
	job:    (*runner).oneJob,
	leave:  (*runner).leave,
	reboot: (*runner).bootOther,
}

// stay waits until something happens to the machine.
func (r *runner) stay(ctx context.Context, m *models.Machine) (bool, error) {
	if r.OneShot {
		r.say("nothing to do")
		return true, nil
	}
	if !m.Runnable || m.Context != r.Context {
		r.mark = nil
	}
	return false, r.watch.wait(ctx)
}

// oneJob asks for a job and runs it.
func (r *runner) oneJob(ctx context.Context, m *models.Machine) (bool, error) {
	j, err := r.claim(ctx)
	if models.ClassOf(err) == models.Conflict {
		// The machine has changed since we looked, or another runner is at work. When that one
		// ends its job, nothing happens to the machine: we must ask again.
		r.say("no job: %v", err)
		if r.OneShot {
			return true, nil
		}
		return false, r.pause.waitOr(ctx, r.watch.wake)
	}
	if err != nil {
		return true, fmt.Errorf("ask for a job: %w", err)
	}
	if j == nil {
		r.mark = m
		return false, nil
	}
	r.mark = nil
	if j.State.Final() { // the server has done it by itself
		r.say("job %s: %s is %s", j.Uuid, j.Task, j.State)
		return false, nil
	}
	return r.perform(ctx, j, nil)
}

// leave ends the runner: the installer that runs it goes on to boot what it has installed.
func (r *runner) leave(_ context.Context, m *models.Machine) (bool, error) {
	r.say("boot environment changed from %s to %s: done here", r.state.BootEnv, m.BootEnv)
	return true, nil
}

// bootOther reboots into the boot environment that the machine has got.
func (r *runner) bootOther(ctx context.Context, m *models.Machine) (bool, error) {
	r.say("boot environment changed from %s to %s", r.state.BootEnv, m.BootEnv)
	if r.SkipPower {
		// The next start of the runner counts as the boot.
		if err := r.state.setBootEnv(m.BootEnv); err != nil {
			return true, err
		}
	}
	return true, r.powerDown(ctx, "reboot")
}

// makeRunnable does what a boot means for a machine of this server.
func (r *runner) makeRunnable(ctx context.Context) error {
	if r.Context != "" || r.SkipRunnable {
		return nil
	}
	if !r.Service {
		m, err := r.machine(ctx)
		if err != nil || !oldStages(m) {
			return err
		}
	}
	_, err := r.send(ctx, http.MethodPatch, "machines/"+r.Machine, ops{}.replace("/Runnable", true), nil)
	if err != nil {
		return fmt.Errorf("make machine %s runnable: %w", r.Machine, err)
	}
	return nil
}

// oldStages tells whether a machine relies on its runner to become runnable.
func oldStages(m *models.Machine) bool {
	flags := flagsOf(m.Meta)
	return !slices.Contains(flags, "change-stage-v2") || slices.Contains(flags, "original-change-stage")
}

// flagsOf splits the feature flags of an object.
func flagsOf(meta map[string]string) []string {
	return strings.FieldsFunc(meta["feature-flags"], func(c rune) bool { return c == ',' || c == ' ' })
}

func (r *runner) machine(ctx context.Context) (*models.Machine, error) {
	m := &models.Machine{}
	if err := r.get(ctx, "machines/"+r.Machine, m); err != nil {
		return nil, fmt.Errorf("machine %s: %w", r.Machine, err)
	}
	return m, nil
}

// say tells the person who watches.
func (r *runner) say(format string, args ...any) {
	fmt.Fprintf(r.Stdout, format+"\n", args...)
}
