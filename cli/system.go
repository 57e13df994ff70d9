package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"drp/cli/client"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// system are the commands about the server as a whole.
func (a *app) system() *cobra.Command {
	upgrade := a.command(verb{
		use:   "upgrade [zip file]",
		short: "Upgrade the server with the provided file",
		long: "Send a file or what a URL names to the server as its next version. drp-server answers how it is upgraded\n" +
			"instead: it does not replace itself.",
		example: "drp system upgrade dr-provision.zip",
		args:    exactly(1),
		run: func(ctx context.Context, args []string) error {
			raw, err := a.source(ctx, args[0])
			if err != nil {
				return verbatim("Error opening %s: %w", args[0], err)
			}
			return a.prints(a.do(ctx, http.MethodPost, "system/upgrade", raw))
		},
	})
	post := func(use, short, long string) *cobra.Command {
		return a.command(verb{
			use: use, short: short, long: long, example: "drp system " + use, args: none,
			run: func(ctx context.Context, _ []string) error {
				return a.prints(a.do(ctx, http.MethodPost, "system/"+use, nil))
			},
		})
	}
	c := a.group("system", "Access CLI commands relating to system", "Commands about the server as a whole.", "drp system ha id",
		upgrade, post("active", "Switch the server to HA active state", "Make the server the one that works. One that stands alone is."),
		post("passive", "Switch the server to HA passive state", "Let another server work instead of this one."), a.availability(), a.certs("system", "the API"), a.signURL())
	c.AddCommand(a.systemActions()...)
	return c
}

// availability is what the server tells about those that stand together with it.
func (a *app) availability() *cobra.Command {
	var all []*cobra.Command
	for _, one := range []struct{ use, path, short string }{
		{"id", "id", "Get the ID of this server among those that stand together"}, {"leader", "leader", "Get the ID of the one that leads"},
		{"active", "active", "Get the ID of the one that works"}, {"peers", "peers", "List the others"},
		{"state", "state", "Show the state in short"}, {"dump", "fullstate", "Show the state in full"}, {"introduction", "introduction", "Show what others need to join"},
	} {
		all = append(all, a.command(verb{
			use: one.use, short: one.short, long: one.short + ". A server that stands alone speaks of itself.", example: "drp system ha " + one.use, args: none,
			run: func(ctx context.Context, _ []string) error {
				return a.prints(a.do(ctx, http.MethodGet, "system/consensus/"+one.path, nil))
			},
		}))
	}
	all = append(all, a.enroll(), a.failOverSafe(), a.removeNode())
	return a.group("ha", "Access CLI commands to get the state of high availability", "Show the state of the servers that stand together.", "drp system ha leader", all...)
}

func (a *app) enroll() *cobra.Command {
	return a.command(verb{
		use: "enroll [json]", short: "Make the server stand together with others",
		long: "Tell the server the state (JSON or YAML; text, file, URL or -) that others introduce it with.\n" +
			"drp-server stands alone, and says so.",
		example: "drp system ha introduction > state.json && drp system ha enroll state.json", args: atLeast(1),
		run: func(ctx context.Context, args []string) error {
			state, err := a.object(ctx, args[0])
			if err != nil {
				return err
			}
			return a.prints(a.do(ctx, http.MethodPost, "system/consensus/enroll", state))
		},
	})
}

func (a *app) failOverSafe() *cobra.Command {
	return a.command(verb{
		use: "failOverSafe [timeout]", short: "Wait until another server could take over",
		long:    "Wait until another server has all that this one has, or the time is over.\ndrp-server stands alone, and says so.",
		example: "drp system ha failOverSafe 30s", args: between(0, 1, " requires at most 1 argument"),
		run: func(ctx context.Context, args []string) error {
			return a.prints(a.do(ctx, http.MethodPost, "system/consensus/failOverSafe", nil, client.WithFlag("waitFor", strings.Join(args, ""))))
		},
	})
}

func (a *app) removeNode() *cobra.Command {
	return a.command(verb{
		use: "remove [id]", short: "Remove one of those that stand together",
		long:    "Remove a server, by the ID that peers shows, from those that stand together.\ndrp-server stands alone, and says so.",
		example: "drp system ha remove 3e7031fe-3062-45f1-835c-92541bc9cbd3", args: exactly(1),
		run: func(ctx context.Context, args []string) error {
			return a.prints(a.do(ctx, http.MethodDelete, "system/consensus/node/"+args[0], nil))
		},
	})
}

// debugs are the kinds of measurements; those that take time come first.
var debugs = []string{"profile", "trace", "heap", "allocs", "block", "mutex", "threadcreate", "goroutine", "index"}

// debug saves a measurement of the server.
func (a *app) debug() *cobra.Command {
	var seconds int
	var prefix string
	c := a.command(verb{
		use:   "debug [type] [target]",
		short: "Gather [type] of debug information and save it to [target]",
		long: "Save how the server spends time and memory to a file. The types are " + strings.Join(debugs[:5], ", ") + ",\n" +
			strings.Join(debugs[5:], ", ") + ".\nprofile and trace take some time; go tool pprof and go tool trace read the files. index is JSON about the\n" +
			"kinds of objects. - as the target is stdout. It needs the claim system debug.",
		example: "drp debug profile cpu.pprof --seconds 10\ndrp debug index - --prefix machines",
		args:    exactly(2),
		flags: func(f *pflag.FlagSet) {
			f.IntVar(&seconds, "seconds", 0, "how long to gather (default: 30 for profile, 1 for trace)")
			f.StringVar(&prefix, "prefix", "", "index of this kind only")
		},
		run: func(ctx context.Context, args []string) error {
			at := slices.Index(debugs, args[0])
			if at < 0 {
				return verbatim("Unknown debug type %s", args[0])
			}
			path, opts := "debug/"+args[0], []client.Option{}
			if at < 2 {
				if seconds == 0 {
					seconds = []int{30, 1}[at]
				}
				opts = append(opts, client.WithFlag("seconds", fmt.Sprint(seconds)))
				fmt.Fprintf(a.Err, "Gathering %s debug data for %d seconds to %s\n", args[0], seconds, args[1])
			}
			if args[0] == "index" {
				path = strings.TrimSuffix("drp_debug/index/"+prefix, "/")
			}
			return a.save(args[1], func(w io.Writer) error {
				return a.client.Do(ctx, http.MethodGet, path, nil, w, opts...)
			})
		},
	})
	c.ValidArgs = debugs
	return c
}

// save writes a file that appears only when it is whole, for nobody else to read; - is stdout.
func (a *app) save(target string, write func(io.Writer) error) error {
	if target == "-" {
		return write(a.Out)
	}
	f, err := os.CreateTemp(filepath.Dir(target), ".drp-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), target)
}

// autocomplete writes the completion of bash to a file, as drpcli did before it had completion.
func (a *app) autocomplete() *cobra.Command {
	var self *cobra.Command
	self = a.command(verb{
		use: "autocomplete [filename]", short: "Write the bash completion to a file", long: "Write the bash completion to a file; completion prints it for this and other shells.",
		example: "drp autocomplete /etc/bash_completion.d/drp", args: exactly(1),
		run: func(_ context.Context, args []string) error {
			return a.save(args[0], func(w io.Writer) error { return self.Root().GenBashCompletionV2(w, true) })
		},
	})
	return self
}
