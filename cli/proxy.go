package cli

import (
	"context"
	"fmt"
	"log/slog"

	"drp/cli/runner"

	"github.com/spf13/cobra"
)

// proxy lets other programs of this user share the connections, and the login, of one.
func (a *app) proxy() *cobra.Command {
	return a.command(verb{
		use: "proxy [socket]", short: "Pass requests at a local socket on to the server",
		long: "Serve a Unix socket that nobody else may use, and pass what is asked there on to the server over connections\n" +
			"that stay open, until a signal ends it. Calls with RS_LOCAL_PROXY=SOCKET go through it, which spares each its\n" +
			"own TLS handshake; event streams do not. A request without credentials gets those of the proxy.",
		example: "drp proxy /run/user/1000/drp.sock",
		args:    says(1, 1, "No location for the local proxy socket"),
		run: func(ctx context.Context, args []string) error {
			if other := a.Getenv("RS_LOCAL_PROXY"); other != "" {
				return verbatim("Local proxy already running at %s", other)
			}
			return runner.Proxy(ctx, a.client, args[0], slog.New(slog.NewTextHandler(a.Err, nil)), func() {
				fmt.Fprintf(a.Err, "passing on to %s what is asked at %s\n", a.client.Endpoint(), args[0])
			})
		},
	})
}
