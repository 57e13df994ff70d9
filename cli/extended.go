package cli

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"drp/cli/client"
	"drp/models"

	"github.com/spf13/cobra"
)

// extended works with the kinds that plugin providers define: which there are only the server knows.
func (a *app) extended() *cobra.Command {
	k := a.kind(models.CustomKind("extended", []byte("{}")))
	k.single = "extended"
	c := k.command()
	c.Short = "Work with objects of kinds that plugins define"
	c.Long = "List, show, change and watch objects of a kind that a plugin provider defines, which -l names. The name of\n" +
		"the kind alone will do in its place: drp cows list is drp extended -l cows list."
	for _, sub := range below(c) {
		sub.Example = strings.ReplaceAll(sub.Example, " extended ", " extended -l cows ")
	}
	c.Example = a.examples("drp extended -l cows list\ndrp extended -l cows show bessie")
	// The flag has the last word on the name, when all texts are written.
	c.PersistentFlags().StringVarP(&k.name, "ldata", "l", "", "the kind of the objects")
	c.PersistentPreRunE = func(c *cobra.Command, _ []string) error {
		if k.name == "" {
			return &usageError{"objects of which kind? Name it with -l; drp objects list shows the kinds"}
		}
		return a.configure(c.Root().PersistentFlags())
	}
	return c
}

// below are the commands of a group, and of the groups in it.
func below(c *cobra.Command) []*cobra.Command {
	list := c.Commands()
	for _, sub := range list {
		list = append(list, below(sub)...)
	}
	return list
}

var customName = regexp.MustCompile(`^[a-z][a-z0-9_-]+$`)

// ofPlugins takes a first word that is no command for the name of a kind that plugins define, when a
// verb follows that such kinds have. It is "" when it is not.
func ofPlugins(root *cobra.Command, args []string) (kind string, called []string) {
	if len(args) < 2 || !customName.MatchString(args[0]) {
		return "", args
	}
	if c, _, err := root.Find(args[:1]); err == nil && c != root {
		return "", args
	}
	if c, _, err := root.Find([]string{"extended", args[1]}); err != nil || c.Name() == "extended" {
		return "", args
	}
	return args[0], slices.Concat([]string{"extended", "--ldata", args[0]}, args[1:])
}

// noSuchKind is what a command that does not exist is told as, once the server has said that it
// has no kind of the name either.
func noSuchKind(program, kind string, err error) error {
	if e, ok := err.(*models.Error); ok && slices.Equal(e.Messages, []string{"No route"}) { //nolint:errorlint // as the server has said it
		return fmt.Errorf("unknown command %q for %q, and the server has no objects of that kind", kind, program)
	}
	return err
}

// systemActions are the verbs for actions that are about the server as a whole.
func (a *app) systemActions() []*cobra.Command {
	var plugin string
	list := a.command(verb{
		use: "actions", short: "List the plugin actions for the server as a whole",
		long: "List the actions that plugins offer for the server as a whole.", example: "drp system actions",
		args: none, flags: pluginFlag(&plugin),
		run: func(ctx context.Context, _ []string) error {
			return a.prints(a.do(ctx, http.MethodGet, "system/actions", nil, client.WithFlag("plugin", plugin)))
		},
	})
	show := a.command(verb{
		use: "action [action]", short: "Show one plugin action for the server as a whole",
		long: "Show what an action that a plugin offers for the server as a whole needs.", example: "drp system action report",
		args: exactly(1), flags: pluginFlag(&plugin),
		run: func(ctx context.Context, args []string) error {
			return a.prints(a.do(ctx, http.MethodGet, "system/actions/"+args[0], nil, client.WithFlag("plugin", plugin)))
		},
	})
	run := a.command(verb{
		use: "runaction [command] [- | JSON or YAML Map of objects | pairs of string objects]", short: "Run a plugin action on the server as a whole",
		long: "Run an action that a plugin offers for the server as a whole, with params from a map (JSON or YAML; text,\n" +
			"file, URL or -) or as pairs of names and values, and print what it answers.",
		example: "drp system runaction report days 30",
		args: func(_ *cobra.Command, args []string) string {
			if n := len(args); n < 1 || n > 2 && n%2 != 1 {
				return fmt.Sprintf("runaction either takes two arguments or one plus a multiple of two, not %d", n)
			}
			return ""
		},
		flags: pluginFlag(&plugin),
		run: func(ctx context.Context, args []string) error {
			in, err := a.pairs(ctx, args[1:])
			if err != nil {
				return err
			}
			return a.prints(a.do(ctx, http.MethodPost, "system/actions/"+args[0], in, client.WithFlag("plugin", plugin)))
		},
	})
	return []*cobra.Command{list, show, run}
}
