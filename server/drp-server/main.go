// Command drp-server is the provisioning server: see drp-server --help.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"drp/server/app"

	"github.com/spf13/pflag"
)

const help = `drp-server stores the objects of a site and drives its machines through their work.

Usage:
  drp-server [options]
  drp-server backup FILE        copy the data of a server, running or not, into one file
  drp-server restore FILE       put such a copy in place
  drp-server check [FILE]       look for damage in the data, or in a copy
  drp-server rotate-key         add a new key for secure params

Each command has its own --help.

Examples:
  drp-server --base-root ./data                              on the default ports
  drp-server --base-root ./data --api-port 9092 --static-port 9091
  RS_PASSWORD=secret drp-server --base-root /var/lib/drp     first start, open to the network

Every option may stand in the environment too (RS_API_PORT for --api-port) and in the file that
--config names (api-port: 9092). Flags win over the environment, the environment over the file.

SIGTERM and SIGINT finish the requests under way and stop; SIGHUP reads the certificate, the
keys of secure params and the log level again.

`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "drp-server: "+err.Error())
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) > 0 {
		if c, ok := commands[args[0]]; ok {
			return c.run(args[0], args[1:])
		}
	}
	groups := app.Flags()
	flags := app.FlagSet(groups)
	version := flags.Bool("version", false, "print the version and end")
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	switch {
	case errors.Is(err, pflag.ErrHelp):
		fmt.Print(help + app.Usage(groups) + "Other:\n      --help      print this text\n      --version   print the version and end\n")
		return nil
	case err != nil:
		return fmt.Errorf("%w; see drp-server --help", err)
	case flags.NArg() > 0:
		return fmt.Errorf("unknown command %q; see drp-server --help", flags.Arg(0))
	case *version:
		fmt.Println("drp-server " + app.Version)
		return nil
	}
	cfg, err := app.Load(flags, os.Environ())
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer stop()
	defer app.Collect()()
	a, err := app.New(ctx, cfg)
	if err != nil {
		return err
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	go func() {
		for range hup {
			if now, err := app.Load(flags, os.Environ()); err != nil {
				fmt.Fprintln(os.Stderr, "drp-server: the configuration stays as it was: "+err.Error())
			} else {
				a.Reload(now)
			}
		}
	}()
	return a.Run(ctx)
}
