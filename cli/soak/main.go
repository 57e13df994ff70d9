// Command drp-soak puts a server under load from many clients, ends it with kill -9 again and
// again, and checks that no promise was broken: what was acknowledged is there, what was not is
// there as a whole or not at all, every history is linearizable, and the event stream tells each
// change once and in order. It ends only processes that it has started.
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
	seconds int
	kills   int // in a round, under load
	seed    uint64
	bin     string // folder of drp-server
	dir     string // folder for everything; "": a temporary one

	// sabotage, if set, is done to the data of the server after each crash. It is how the tests
	// make sure that a server that loses something is caught.
	sabotage func(data string) error
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "drp-soak:", err)
		os.Exit(1)
	}
}

// run is the whole soak. It returns nil only when every promise held.
func run(ctx context.Context, args []string, out io.Writer) error {
	o, err := parse(args)
	if err != nil {
		return err
	}
	return soak(ctx, o, out)
}

func parse(args []string) (*options, error) {
	o := &options{}
	f := flag.NewFlagSet("drp-soak", flag.ContinueOnError)
	f.IntVar(&o.seconds, "seconds", 60, "for how long; the round that is under way then is finished")
	f.IntVar(&o.kills, "kills", 6, "how often the server is killed under load before everything is checked")
	f.Uint64Var(&o.seed, "seed", 0, "decides the faults and what the clients ask for (default: from the clock)")
	f.StringVar(&o.bin, "bin", "", "folder of drp-server (default: that of this program, or ./bin)")
	f.StringVar(&o.dir, "dir", "", "folder for data and logs, which stays (default: a temporary one, which stays after a violation)")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	switch {
	case f.NArg() > 0:
		return nil, fmt.Errorf("unexpected argument %s", f.Arg(0))
	case o.seconds < 1:
		return nil, fmt.Errorf("--seconds must be at least 1")
	case o.kills < 1:
		return nil, fmt.Errorf("--kills must be at least 1")
	}
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixNano()) % 1_000_000 // short, to be typed again
	}
	var err error
	o.bin, err = spawn.Find(o.bin, "drp-server")
	return o, err
}
