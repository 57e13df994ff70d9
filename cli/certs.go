package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"

	"drp/cli/client"

	"github.com/spf13/cobra"
)

// certificate is a certificate and its key, both as PEM.
type certificate struct{ Cert, Key []byte }

// certs are the commands of one of the server's certificates.
func (a *app) certs(scope, of string) *cobra.Command {
	at := scope + "/cert"
	name := "files"
	if scope != "static" {
		name = scope
	}
	get := a.command(verb{
		use: "get [certFile] [keyFile]", short: "Save the certificate and its key",
		long:    fmt.Sprintf("Write the certificate of %s and its key to two files, as PEM; nobody else may read\nthe key.", of),
		example: fmt.Sprintf("drp %s certs get server.crt server.key", name), args: exactly(2),
		run: func(ctx context.Context, args []string) error {
			c, err := client.Get[certificate](ctx, a.client, at)
			if err != nil {
				return err
			}
			if err := os.WriteFile(args[0], c.Cert, 0o644); err != nil {
				return err
			}
			if err := os.WriteFile(args[1], c.Key, 0o600); err != nil {
				return err
			}
			return os.Chmod(args[1], 0o600) // of a file that was there
		},
	})
	set := a.command(verb{
		use: "set [certFile] [keyFile]", short: "Replace the certificate and its key",
		long:    fmt.Sprintf("Replace the certificate of %s and its key by those of two PEM files, at once and for good.", of),
		example: fmt.Sprintf("drp %s certs set server.crt server.key", name), args: exactly(2),
		run: func(ctx context.Context, args []string) error {
			var c certificate
			var err error
			if c.Cert, err = os.ReadFile(args[0]); err != nil {
				return err
			}
			if c.Key, err = os.ReadFile(args[1]); err != nil {
				return err
			}
			if _, err := tls.X509KeyPair(c.Cert, c.Key); err != nil {
				return fmt.Errorf("%s and %s do not go together: %w", args[0], args[1], err)
			}
			_, err = a.do(ctx, http.MethodPost, at, c)
			return err
		},
	})
	return a.group("certs", "Work with the certificate of "+of, "Save or replace the certificate of "+of+" and its key.", fmt.Sprintf("drp %s certs get server.crt server.key", name), get, set)
}
