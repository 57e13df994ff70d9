package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"
)

// waitForInterface waits by looking again and again: nothing tells when an interface of the server's
// host changes.
func (k *kind) waitForInterface() *cobra.Command {
	return k.verb(verb{
		use:   "wait [id] [field] [value] [timeout]",
		short: "Wait until a field of an interface has a value",
		long: "Look at an interface once a second until a field has a value, and print complete; or timeout after so\n" +
			"many seconds, a day if none are given. Between field and value there may be one of the operators eq, ne,\n" +
			"lt, lte, gt and gte.",
		example: "drp interfaces wait eth0 ActiveAddress ne '\"\"' 60",
		args:    between(3, 5, " requires 3 or 4 arguments"),
		run: func(ctx context.Context, args []string) error {
			w := &waiter{kind: k, id: args[0]}
			if err := w.parse(ctx, args[1:]); err != nil {
				return err
			}
			return w.report(ctx, w.poll(ctx))
		},
	})
}

// poll looks every second until the condition holds.
func (w *waiter) poll(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, w.limit, errTimeout)
	defer cancel()
	again := time.NewTicker(time.Second)
	defer again.Stop()
	for {
		ok, err := w.look(ctx, w.id)
		if ok || err != nil {
			return w.cause(ctx, err)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
