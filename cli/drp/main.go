// Command drp is the command line of drp, and the agent of a machine. Called by a name that ends
// in jq it is jq; called drpcli it is the same as drp, under that name.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"drp/cli"
	"drp/cli/runner"
)

// version is set by the build.
var version = "v4.8.0-dev"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	home, err := os.UserHomeDir()
	if err != nil {
		home = "" // then there are no settings and no token cache
	}
	program, err := os.Executable()
	if err != nil {
		program = "" // then no service can be installed, which says so
	}
	status := cli.Main(ctx, os.Args, cli.IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, cli.Deps{
		Version: version,
		Run:     runner.Run,
		Agent:   runner.Agent,
		Getenv:  os.Getenv,
		Home:    home,

		StateDir: runner.StateDir(),
		Service:  runner.Service{Command: []string{program}},
		Root:     os.Geteuid() == 0,
	})
	stop()
	os.Exit(status)
}
