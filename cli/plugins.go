package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path"

	"github.com/spf13/cobra"
)

// providerVerbs are those of plugin providers, which are programs.
func (k *kind) providerVerbs() []*cobra.Command {
	return []*cobra.Command{k.uploadProvider(), k.downloadProvider(), k.destroy()}
}

func (k *kind) uploadProvider() *cobra.Command {
	var f packFlags
	return k.app.command(verb{
		use:   "upload [name] (from [file])",
		short: "Upload a program as a plugin provider",
		long: "Upload an executable (file, URL or - for stdin) that the server is to run as a plugin provider, in place of\n" +
			"the one of that name. The name alone will do where it is that of the file. The program runs on the server\n" +
			"with the server's rights, so only those may upload one who may do everything.",
		example: "drp plugin_providers upload callback from bin/callback",
		args: func(c *cobra.Command, args []string) string {
			if len(args) != 1 && len(args) != 3 {
				return c.UseLine() + " requires 1 or 2 arguments"
			}
			return ""
		},
		flags: f.add,
		run: func(ctx context.Context, args []string) error {
			name, file := path.Base(args[0]), args[0]
			if len(args) == 3 {
				name, file = args[0], args[2]
			}
			program, err := k.stream(ctx, file)
			if err != nil {
				return verbatim("Error opening %s: %w", file, err)
			}
			defer program.Close()
			return k.prints(k.do(ctx, http.MethodPost, k.at(name), program, f.option()))
		},
	})
}

// stream opens a file, URL or stdin for reading.
func (a *app) stream(ctx context.Context, arg string) (io.ReadCloser, error) {
	f, err := os.Open(arg)
	if err == nil {
		return f, nil
	}
	if arg != "-" && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	raw, err := a.source(ctx, arg)
	return io.NopCloser(bytes.NewReader(raw)), err
}

func (k *kind) downloadProvider() *cobra.Command {
	return k.verb(verb{
		use:     "download [item] to [dest]",
		short:   "Download the program of a plugin provider",
		long:    "Download the program of a plugin provider to a file, or to stdout when none is named or it is -.",
		example: "drp plugin_providers download callback to ./callback",
		args: all(func(c *cobra.Command, args []string) string {
			if len(args) != 1 && len(args) != 3 {
				return c.UseLine() + " requires 1 or 2 arguments"
			}
			return ""
		}, word(1, "to")),
		run: func(ctx context.Context, args []string) error {
			out := io.Writer(k.Out)
			var file *os.File
			if len(args) == 3 && args[2] != "-" {
				var err error
				if file, err = os.OpenFile(args[2], os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o755); err != nil {
					return verbatim("Error opening dest file %s: %w", args[2], err)
				}
				out = file
			}
			err := k.client.Do(ctx, http.MethodGet, k.at(args[0], "binary"), nil, out)
			if file != nil {
				err = errors.Join(err, file.Close())
			}
			if err != nil {
				return verbatim("Failed to fetch plugin_providers: %s: %w", args[0], err)
			}
			return nil
		},
	})
}
