package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"drp/cli/client"
	"drp/models"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// logs are the lines of the server's log.
func (a *app) logs() *cobra.Command {
	get := a.command(verb{
		use: "get", short: "Get the currently buffered log entries from the server",
		long:    "Print the newest lines of the server's log, up to a thousand, the oldest first.",
		example: "drp logs get -F table -J Time,Level,Service,Message", args: none,
		run: func(ctx context.Context, _ []string) error { return a.prints(a.do(ctx, http.MethodGet, "logs", nil)) },
	})
	watch := a.command(verb{
		use: "watch", short: "Watch log entries as they come in real time",
		long:    "Print each line of the server's log when it comes, until it is interrupted.",
		example: "drp logs watch", args: none,
		run: func(ctx context.Context, _ []string) error {
			return a.follow(ctx, []string{"log.*.*"}, func(e models.Event) error {
				var line any
				if err := json.Unmarshal(e.Object, &line); err != nil {
					return fmt.Errorf("a line of the log: %w", err)
				}
				return a.print(line)
			})
		},
	})
	return a.group("logs", "Access commands relating to logs", "Read the log of the server: what it has, or what comes.", "drp logs watch", get, watch)
}

// purgeJobs deletes jobs that have ended long ago.
func (k *kind) purgeJobs() *cobra.Command {
	var keep, failed, complete, machine string
	var dry bool
	return k.verb(verb{
		use:   "purge",
		short: "Delete old jobs and their logs",
		long: "Delete jobs that have ended, with their logs. Without flags the preferences jobsToKeep,\n" +
			"failedJobsPurgedAfter and completeJobsPurgedAfter say which. The current job of a machine always stays.",
		example: "drp jobs purge --complete-jobs-purged-after 30d --dry-run\ndrp jobs purge --jobs-to-keep 100 --machine Name:web1.example.com",
		args:    none,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&keep, "jobs-to-keep", "", "how many jobs of each machine stay")
			f.StringVar(&failed, "failed-jobs-purged-after", "", "failed jobs go after this time, such as 90d")
			f.StringVar(&complete, "complete-jobs-purged-after", "", "finished jobs go after this time, such as 30d")
			f.StringVar(&machine, "machine", "", "only jobs of this machine")
			f.BoolVar(&dry, "dry-run", false, "only tell what would go")
		},
		run: func(ctx context.Context, _ []string) error {
			opts := []client.Option{client.WithFlag("jobsToKeep", keep), client.WithFlag("failedJobsPurgedAfter", failed),
				client.WithFlag("completeJobsPurgedAfter", complete), client.WithFlag("machine", machine)}
			if dry {
				opts = append(opts, client.WithFlag("dryrun", "true"))
			}
			return k.prints(k.do(ctx, http.MethodDelete, "jobs", nil, opts...))
		},
	})
}
