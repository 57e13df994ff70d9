package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"drp/cli/fingerprint"
	"drp/models"

	"github.com/spf13/cobra"
)

// whoami asks the server which machine this host is.
func (k *kind) whoami() *cobra.Command {
	return k.app.command(verb{
		use:   "whoami",
		short: "Find out which machine this host is",
		long: "Tell the server what this host can be recognised by, and print which machine resembles it most: its Uuid,\n" +
			"a Token of that machine, and a Score of at least 100; {} if there is none. What is sent, and what could\n" +
			"not be read, shows drp fingerprint. Root is recognised by more: serial numbers are for root to read.",
		example: "drp machines whoami",
		args:    none,
		run: func(ctx context.Context, _ []string) error {
			raw, err := k.do(ctx, http.MethodPost, "whoami", k.fingerprinted())
			if err != nil {
				return err
			}
			var w models.Whoami
			if err := json.Unmarshal(raw, &w); err != nil {
				return fmt.Errorf("the answer to whoami: %w", err)
			}
			return k.print(w.Result)
		},
	})
}

// fingerprint shows what this host can be recognised by.
func (a *app) fingerprint() *cobra.Command {
	return a.command(verb{
		use:   "fingerprint",
		short: "Show what this host can be recognised by",
		long: "Show what machines whoami tells the server of this host: hashes of serial numbers, the UUID of the firmware,\n" +
			"the addresses of the network cards and the UUID noted on the disk. The server is not asked.",
		example: "drp fingerprint",
		args:    none,
		run:     func(context.Context, []string) error { return a.print(a.fingerprinted()) },
	})
}

// fingerprinted reads this host, and says on stderr what it could not read.
func (a *app) fingerprinted() *models.Whoami {
	w, unread := fingerprint.Read("/")
	for _, line := range unread {
		fmt.Fprintln(a.Err, "not read: "+line)
	}
	return w
}
