package cli

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"drp/cli/client"
	"drp/models"
	"drp/models/patch"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (k *kind) cancelJob() *cobra.Command {
	why := "by hand"
	return k.verb(verb{
		use:   "cancel [id]",
		short: "End a job that waits or runs",
		long: "End a job that waits or runs: it is failed, and its machine is no longer runnable. The runner ends the script\n" +
			"and sends the rest of its log. The task is not repeated by itself; see retry.",
		example: "drp jobs cancel " + k.sample() + " --why 'wrong disk'",
		args:    exactly(1),
		flags:   func(f *pflag.FlagSet) { f.StringVar(&why, "why", why, "told in the job's Meta") },
		run: func(ctx context.Context, args []string) error {
			j, err := client.Get[*models.Job](ctx, k.client, k.at(args[0]))
			if err != nil {
				return err
			}
			if j.State.Final() {
				return models.Errorf(models.Conflict, j, "the job is %s already", j.State).Typed("Conflict")
			}
			if strings.TrimSpace(why) == "" {
				return &usageError{"--why must not be empty"}
			}
			p := patch.Patch{
				{Op: "test", Path: "/State", Value: must(j.State)}, {Op: "replace", Path: "/State", Value: must(models.Failed)},
				{Op: "replace", Path: "/ExitState", Value: json.RawMessage(`"failed"`)}, {Op: "add", Path: "/Meta/cancelled", Value: must(why)},
			}
			return k.shows(k.do(ctx, http.MethodPatch, k.at(j.Uuid), p))
		},
	})
}

func (k *kind) retryJob() *cobra.Command {
	return k.verb(verb{
		use:   "retry [id]",
		short: "Let a machine do again what has failed",
		long: "Make the machine of a failed job runnable, so that its runner does the task again, as a new job; one that is\n" +
			"incomplete goes on. It must be the newest job of its machine.",
		example: "drp jobs retry " + k.sample(),
		args:    exactly(1),
		run: func(ctx context.Context, args []string) error {
			j, err := client.Get[*models.Job](ctx, k.client, k.at(args[0]))
			if err != nil {
				return err
			}
			if j.State != models.Failed && j.State != models.Incomplete {
				return models.Errorf(models.Conflict, j, "the job is %s: only what failed or is incomplete can be done again", j.State).Typed("Conflict")
			}
			if !j.Current {
				return models.Errorf(models.Conflict, j, "its machine has gone on to another job").Typed("Conflict")
			}
			p := patch.Patch{{Op: "test", Path: "/CurrentJob", Value: must(j.Uuid)}, {Op: "replace", Path: "/Runnable", Value: json.RawMessage("true")}}
			return k.shows(k.do(ctx, http.MethodPatch, "machines/"+j.Machine, p))
		},
	})
}
