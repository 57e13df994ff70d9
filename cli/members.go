package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"

	"drp/cli/client"
	"drp/models"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// names reads a list of names out of a document.
func names(doc document, field string) []string {
	list, _ := doc[field].([]any)
	out := make([]string, 0, len(list))
	for _, v := range list {
		out = append(out, fmt.Sprint(v))
	}
	return out
}

// editList changes one list of names of an object.
func (k *kind) editList(ctx context.Context, id, field string, paranoid bool, edit func(document, []string) ([]string, error)) error {
	return k.shows(k.change(ctx, id, paranoid, func(doc document) error {
		list, err := edit(doc, names(doc, field))
		doc[field] = list
		return err
	}))
}

func (k *kind) addProfile() *cobra.Command {
	return k.verb(verb{
		use:     "addprofile [id] [profile...]",
		short:   fmt.Sprintf("Append profiles to a %s", k.single),
		long:    fmt.Sprintf("Append profiles to the list of a %s, unless they are in it. With -r REF the %s must be exactly REF.", k.single, k.single),
		example: fmt.Sprintf("drp %s addprofile %s cluster", k.name, k.sample()),
		args:    atLeast(2),
		run: func(ctx context.Context, args []string) error {
			return k.editList(ctx, args[0], "Profiles", true, func(_ document, list []string) ([]string, error) {
				for _, p := range args[1:] {
					if !slices.Contains(list, p) {
						list = append(list, p)
					}
				}
				return list, nil
			})
		},
	})
}

func (k *kind) removeProfile() *cobra.Command {
	return k.verb(verb{
		use:     "removeprofile [id] [profile...]",
		short:   fmt.Sprintf("Take profiles from a %s", k.single),
		long:    fmt.Sprintf("Take profiles out of the list of a %s. With -r REF the %s must be exactly REF.", k.single, k.single),
		example: fmt.Sprintf("drp %s removeprofile %s cluster", k.name, k.sample()),
		args:    atLeast(2),
		run: func(ctx context.Context, args []string) error {
			return k.editList(ctx, args[0], "Profiles", true, func(_ document, list []string) ([]string, error) {
				return without(list, args[1:]), nil
			})
		},
	})
}

func without(list, gone []string) []string {
	return slices.DeleteFunc(list, func(s string) bool { return slices.Contains(gone, s) })
}

// stageVerbs are the verbs of stages alone.
func (k *kind) stageVerbs() []*cobra.Command {
	return []*cobra.Command{k.setField("bootenv", "BootEnv", true), k.addTask(), k.removeTask(), k.preview()}
}

func (k *kind) addTask() *cobra.Command {
	return k.verb(verb{
		use:     "addtask [id] [task...]",
		short:   fmt.Sprintf("Append tasks to a %s", k.single),
		long:    fmt.Sprintf("Append tasks to the end of the task list of a %s. With -r REF the %s must be exactly REF.", k.single, k.single),
		example: fmt.Sprintf("drp %s addtask %s install-nginx", k.name, k.sample()),
		args:    atLeast(2),
		run: func(ctx context.Context, args []string) error {
			return k.editList(ctx, args[0], "Tasks", true, func(_ document, list []string) ([]string, error) {
				return append(list, args[1:]...), nil
			})
		},
	})
}

func (k *kind) removeTask() *cobra.Command {
	return k.verb(verb{
		use:   "removetask [id] [task...]",
		short: fmt.Sprintf("Take tasks from a %s", k.single),
		long: fmt.Sprintf("Take tasks out of the task list of a %s; of a machine, only those that are still to come.\n"+
			"With -r REF the %s must be exactly REF.", k.single, k.single),
		example: fmt.Sprintf("drp %s removetask %s install-nginx", k.name, k.sample()),
		args:    atLeast(2),
		run: func(ctx context.Context, args []string) error {
			return k.editList(ctx, args[0], "Tasks", true, func(doc document, list []string) ([]string, error) {
				return removeComing(doc, list, args[1:]), nil
			})
		},
	})
}

// coming is the index of the first task that has not been begun.
func coming(doc document, list []string) int {
	n, err := strconv.Atoi(fmt.Sprint(doc["CurrentTask"]))
	if err != nil {
		return 0
	}
	return min(max(n+1, 0), len(list))
}

func removeComing(doc document, list, gone []string) []string {
	i := coming(doc, list)
	return append(list[:i:i], without(slices.Clone(list[i:]), gone)...)
}

// insertComing puts tasks at an offset behind the task that runs; at the end if the offset is -1.
func insertComing(doc document, list, tasks []string, offset int) ([]string, error) {
	i := coming(doc, list) + offset
	if offset < 0 {
		i = len(list)
	}
	if i > len(list) {
		return nil, fmt.Errorf("offset %d is beyond the end of the task list", offset)
	}
	return slices.Insert(list, i, tasks...), nil
}

// actions are what plugins of a server offer for an object.
func (k *kind) actions() *cobra.Command {
	var plugin string
	return k.verb(verb{
		use:     k.actionsName(),
		short:   fmt.Sprintf("List the plugin actions for a %s", k.single),
		long:    fmt.Sprintf("List the actions that plugins of the server offer for a %s.", k.single),
		example: fmt.Sprintf("drp %s %s %s", k.name, k.actionsWord(), k.sample()),
		args:    exactly(1),
		flags:   pluginFlag(&plugin),
		run: func(ctx context.Context, args []string) error {
			return k.offered(k.do(ctx, http.MethodGet, k.actionsAt(args[0]), nil, client.WithFlag("plugin", plugin)))
		},
	})
}

func pluginFlag(to *string) func(*pflag.FlagSet) {
	return func(f *pflag.FlagSet) { f.StringVar(to, "plugin", "", "of this plugin only") }
}

// Of jobs, actions are the rendered scripts; plugin actions have another name there.
func (k *kind) actionsWord() string {
	if k.name == "jobs" {
		return "plugin_actions"
	}
	return "actions"
}

func (k *kind) actionsName() string { return k.actionsWord() + " [id]" }

func (k *kind) actionsAt(id string, more ...string) string {
	return k.at(id, append([]string{k.actionsWord()}, more...)...)
}

// offered prints an answer about actions. Names of params hold slashes, so that servers may have
// no actions below them and take the whole path for a name.
func (k *kind) offered(raw json.RawMessage, err error) error {
	if k.name == "params" && models.ClassOf(err) == models.NotFound {
		return fmt.Errorf("the server offers no actions for params: %w", err)
	}
	return k.prints(raw, err)
}

func (k *kind) action() *cobra.Command {
	var plugin string
	return k.verb(verb{
		use:     "action [id] [action]",
		short:   fmt.Sprintf("Show one plugin action for a %s", k.single),
		long:    fmt.Sprintf("Show what an action that a plugin offers for a %s needs.", k.single),
		example: fmt.Sprintf("drp %s action %s identify", k.name, k.sample()),
		args:    exactly(2),
		flags:   pluginFlag(&plugin),
		run: func(ctx context.Context, args []string) error {
			return k.offered(k.do(ctx, http.MethodGet, k.actionsAt(args[0], args[1]), nil, client.WithFlag("plugin", plugin)))
		},
	})
}

func (k *kind) runaction() *cobra.Command {
	var plugin string
	return k.verb(verb{
		use:   "runaction [id] [command] [- | JSON or YAML Map of objects | pairs of string objects]",
		short: fmt.Sprintf("Run a plugin action on a %s", k.single),
		long: fmt.Sprintf("Run an action that a plugin offers for a %s, with params from a map (JSON or YAML; text, file, URL\n"+
			"or -) or as pairs of names and values, and print what it answers.", k.single),
		example: fmt.Sprintf("drp %s runaction %s identify seconds 30", k.name, k.sample()),
		args: func(_ *cobra.Command, args []string) string {
			if n := len(args); n < 2 || n > 3 && n%2 != 0 {
				return fmt.Sprintf("runaction takes an id, a command and either a map or pairs, not %s", plural(n, "argument"))
			}
			return ""
		},
		flags: pluginFlag(&plugin),
		run: func(ctx context.Context, args []string) error {
			in, err := k.pairs(ctx, args[2:])
			if err != nil {
				return err
			}
			return k.offered(k.do(ctx, http.MethodPost, k.actionsAt(args[0], args[1]), in, client.WithFlag("plugin", plugin)))
		},
	})
}

// pairs reads a map from one argument, or from names and values by turns.
func (a *app) pairs(ctx context.Context, args []string) (document, error) {
	if len(args) == 1 {
		return a.object(ctx, args[0])
	}
	doc := document{}
	for ; len(args) > 1; args = args[2:] {
		v, err := a.value(ctx, args[1])
		if err != nil {
			return nil, err
		}
		doc[args[0]] = v
	}
	return doc, nil
}
