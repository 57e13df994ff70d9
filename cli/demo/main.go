// Command drp-demo shows machines that elect a leader among themselves: it starts a server and
// a runner for each machine, all on this host, lets them work through the workflow of the pack
// cluster-demo, and checks what they did. It ends only processes that it has started.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"drp/cli/spawn"
)

// options are the flags.
type options struct {
	machines    int
	workflow    string
	keep        bool
	chaosServer int // how often the server is killed
	chaosRunner int // how often a runner is killed
	seed        uint64
	timeout     time.Duration
	bin         string // folder of drp and drp-server
	dir         string // folder for everything; "": a temporary one
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "drp-demo:", err)
		os.Exit(1)
	}
}

// run is the whole demonstration. It returns nil only when everything that was promised held.
func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("not done after %s", o.timeout))
	defer cancel()
	w, err := newWorld(o, out)
	if err != nil {
		return err
	}
	err = play(ctx, w)
	switch {
	case err != nil && errors.Is(ctx.Err(), context.Canceled):
		err = errors.New("interrupted")
	case err != nil && ctx.Err() != nil:
		err = context.Cause(ctx)
		w.showLogs()
	case err != nil:
		w.showLogs()
	}
	if o.keep && err == nil {
		w.leaveRunning()
		return nil
	}
	return errors.Join(err, w.close())
}

func parse(args []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("drp-demo", flag.ContinueOnError)
	f.IntVar(&o.machines, "machines", 5, "how many machines")
	f.StringVar(&o.workflow, "workflow", "cluster-demo", "cluster-demo (the election as documented) or cluster-demo-core (that of the stages of drp-core)")
	f.BoolVar(&o.keep, "keep", false, "leave server and runners running at the end")
	f.IntVar(&o.chaosServer, "chaos-server", 0, "kill -9 the server so many times on the way, and start it again")
	f.IntVar(&o.chaosRunner, "chaos-runner", 0, "kill -9 a runner so many times on the way, and start it again")
	f.Uint64Var(&o.seed, "seed", 0, "decides the moments of the kills and their victims (default: from the clock)")
	f.DurationVar(&o.timeout, "timeout", 5*time.Minute, "give up after so long")
	f.StringVar(&o.bin, "bin", "", "folder of drp and drp-server (default: that of this program, or ./bin)")
	f.StringVar(&o.dir, "dir", "", "folder for data and logs, which stays (default: a temporary one)")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %s", f.Arg(0))
	case o.machines < 1:
		return nil, fmt.Errorf("--machines must be at least 1")
	case o.workflow != documented && o.workflow != fromCore:
		return nil, fmt.Errorf("--workflow must be %s or %s", documented, fromCore)
	case o.chaosServer < 0 || o.chaosRunner < 0:
		return nil, fmt.Errorf("nothing can be killed less than 0 times")
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano())
	}
	var err error
	o.bin, err = spawn.Find(o.bin, "drp", "drp-server")
	return o, err
}

// play is the demonstration itself.
func play(ctx context.Context, w *world) error {
	for _, step := range []func(context.Context) error{w.startServer, w.uploadPack, w.createMachines, w.startRunners} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	watch, err := newWatch(ctx, w)
	if err != nil {
		return err
	}
	defer watch.close()
	if err := w.setWorkflow(ctx); err != nil {
		return err
	}
	var ledger *ledger
	if w.chaos() {
		ledger = w.startLedger(ctx)
	}
	if err := watch.untilComplete(ctx); err != nil {
		return err
	}
	var r report
	if err := w.check(ctx, &r); err != nil {
		return err
	}
	if ledger != nil {
		if err := ledger.check(ctx, &r); err != nil {
			return err
		}
	}
	return r.print(w.out)
}
