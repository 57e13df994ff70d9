package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"drp/cli/client"
	"drp/models"

	"github.com/spf13/cobra"
)

// templateVerbs are the verbs of templates alone.
func (k *kind) templateVerbs() []*cobra.Command {
	return []*cobra.Command{k.verb(verb{
		use:     "upload [file] as [id]",
		short:   "Make a template of a file",
		long:    "Store the content of a file (or URL, or - for stdin) as a template, in place of the one that has the ID now.",
		example: "drp templates upload motd.txt as motd.tmpl",
		args:    all(between(3, 3, ": expected 3 argument"), word(1, "as")),
		run: func(ctx context.Context, args []string) error {
			file, id := args[0], args[2]
			raw, err := k.source(ctx, file)
			if err != nil {
				return models.Problem(models.BadRequest, "templates", id, "Unable to import template "+file).Typed("CLIENT_ERROR")
			}
			return k.shows(k.upload(ctx, id, string(raw)))
		},
	}), k.preview()}
}

func (k *kind) upload(ctx context.Context, id, contents string) (json.RawMessage, error) {
	old, err := k.do(ctx, http.MethodGet, k.at(id), nil)
	if models.ClassOf(err) == models.NotFound {
		return k.do(ctx, http.MethodPost, k.name, document{"ID": id, "Contents": contents})
	}
	if err != nil {
		return nil, err
	}
	doc, err := toDocument(old)
	if err != nil {
		return nil, err
	}
	doc["Contents"] = contents
	return k.do(ctx, http.MethodPut, k.at(id), doc)
}

// prefs are the preferences of the server, one map of strings.
func (a *app) prefs() *cobra.Command {
	list := a.command(verb{
		use: "list", short: "List the preferences", long: "List all preferences of the server and their values.",
		example: "drp prefs list", args: none,
		run: func(ctx context.Context, _ []string) error { return a.prints(a.do(ctx, http.MethodGet, "prefs", nil)) },
	})
	set := a.command(verb{
		use:   "set [- | JSON or YAML Map of strings | pairs of string args]",
		short: "Set preferences",
		long: "Set preferences from a map of strings (JSON or YAML; text, file, URL or -), or from pairs of names and\n" +
			"values, all or none, and list them all.",
		example: "drp prefs set defaultWorkflow discover defaultStage none",
		args:    atLeast(0),
		run: func(ctx context.Context, args []string) error {
			changes, err := a.preferences(ctx, args)
			if err != nil {
				return err
			}
			return a.prints(a.do(ctx, http.MethodPost, "prefs", changes))
		},
	})
	return a.group("prefs", "List and set the preferences of the server",
		"List and set the preferences of the server, such as the stage and workflow that new machines get.", "drp prefs list", list, set)
}

func (a *app) preferences(ctx context.Context, args []string) (map[string]string, error) {
	changes := map[string]string{}
	if len(args) == 1 {
		raw, err := a.value(ctx, args[0])
		if err == nil {
			err = decode(raw, &changes)
		}
		if err != nil {
			return nil, &usageError{"Invalid prefs: " + err.Error()}
		}
		return changes, nil
	}
	if len(args) == 0 || len(args)%2 != 0 {
		return nil, &usageError{fmt.Sprintf("prefs set either takes a single argument or a multiple of two, not %d", len(args))}
	}
	for ; len(args) > 0; args = args[2:] {
		changes[args[0]] = args[1]
	}
	return changes, nil
}

// events are what happens on the server.
func (a *app) events() *cobra.Command {
	watch := a.command(verb{
		use:   "watch [filter...]",
		short: "Print events as they happen",
		long: "Print each event that matches a filter TYPE.ACTION.KEY, where a part may be * or a list with commas;\n" +
			"default *.*.*. It goes on until it is interrupted.",
		example: "drp events watch machines.create,delete.* jobs.*.*",
		args:    atLeast(0),
		run:     a.watch,
	})
	post := a.command(verb{
		use:     "post [- | JSON or YAML Event]",
		short:   "Send an event to all who watch",
		long:    "Send an event (JSON or YAML; text, file, URL or -) to everyone whose filters match it. It is not stored.",
		example: "drp events post '{\"Type\": \"deploy\", \"Action\": \"begin\", \"Key\": \"web\"}'",
		args:    exactly(1),
		run: func(ctx context.Context, args []string) error {
			raw, err := a.value(ctx, args[0])
			var e models.Event
			if err == nil {
				err = decode(raw, &e)
			}
			if err != nil {
				return verbatim("Invalid event: %w", err)
			}
			_, err = a.do(ctx, http.MethodPost, "events", e)
			return err
		},
	})
	return a.group("events", "Watch and post events", "Watch what happens on the server, or tell it to others.", "drp events watch", watch, post)
}

func (a *app) watch(ctx context.Context, filters []string) error {
	if len(filters) == 0 {
		filters = []string{"*.*.*"}
	}
	return a.follow(ctx, filters, func(e models.Event) error { return a.print(e) })
}

// follow hands on each event that one of the filters selects, until ctx ends.
func (a *app) follow(ctx context.Context, filters []string, each func(models.Event) error) error {
	stream, err := a.client.Watch(ctx, filters...)
	if err != nil {
		return err
	}
	defer stream.Close()
	for {
		e, err := stream.Next(ctx)
		switch {
		case ctx.Err() != nil:
			return nil // interrupting is how it is meant to end
		case err != nil:
			return err
		case e.Type == client.Resumed:
			fmt.Fprintln(a.Err, "connected again")
			continue
		}
		if err := each(e); err != nil {
			return err
		}
	}
}

// info is what the server says of itself.
func (a *app) info() *cobra.Command {
	get := a.command(verb{
		use: "get", short: "Show what the server says of itself", long: "Show version, addresses, ports, features and counts of the server.",
		example: "drp info get", args: none,
		run: func(ctx context.Context, _ []string) error { return a.prints(a.do(ctx, http.MethodGet, "info", nil)) },
	})
	status := a.command(verb{
		use:   "status",
		short: "Show which services of the server are alive",
		long: "Show the ports of the services of the server, whether they are switched on, and for those that speak HTTP\n" +
			"whether they answer.",
		example: "drp info status", args: none,
		run: a.status,
	})
	return a.group("info", "Show what the server says of itself", "Show what the server says of itself, and whether its services answer.", "drp info get", get, status)
}

// service is one line of the status.
type service struct {
	Enabled bool
	Port    int
	Alive   *bool `json:",omitempty"` // not told of services that do not speak HTTP
}

func (a *app) status(ctx context.Context, _ []string) error {
	info, err := client.Get[models.Info](ctx, a.client, "info")
	if err != nil {
		return err
	}
	alive := true
	all := map[string]service{
		"API":    {true, info.ApiPort, &alive},
		"Static": {info.ProvisionerEnabled, info.FilePort, nil},
		"TFTP":   {info.TftpEnabled, info.TftpPort, nil},
		"DHCP":   {info.DhcpEnabled, info.DhcpPort, nil},
		"BINL":   {info.BinlEnabled, info.BinlPort, nil},
	}
	if s := all["Static"]; s.Enabled {
		answers := a.answers(ctx, s.Port)
		s.Alive = &answers
		all["Static"] = s
	}
	return a.print(all)
}

// answers tells whether the static file server says anything.
func (a *app) answers(ctx context.Context, port int) bool {
	u, err := url.Parse(a.client.Endpoint())
	if err != nil || port == 0 {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	host := u.Hostname()
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://%s:%d/", host, port), nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	resp.Body.Close()
	return true
}

// objects are the kinds that the server knows.
func (a *app) objects() *cobra.Command {
	list := a.command(verb{
		use: "list", short: "List the kinds of objects", long: "List the kinds of objects that the server knows.",
		example: "drp objects list", args: none,
		run: func(ctx context.Context, _ []string) error {
			return a.prints(a.do(ctx, http.MethodGet, "objects", nil))
		},
	})
	return a.group("objects", "List the kinds of objects", "List the kinds of objects that the server knows.", "drp objects list", list)
}

// version tells about this program; the server's version is in info.
func (a *app) version() *cobra.Command {
	return a.command(verb{
		use: "version", short: "Print the version of this program", long: "Print the version of this program. That of the server is in info get.",
		example: "drp version", args: none,
		run: func(context.Context, []string) error { return a.say("Version: %s", a.Version) },
	})
}

// completion writes the script that makes a shell complete commands, flags and keys.
func (a *app) completion() *cobra.Command {
	var self *cobra.Command
	self = a.command(verb{
		use:   "completion [shell]",
		short: "Print a completion script for bash, zsh, fish or powershell",
		long: "Print a script that makes a shell complete commands, flags and, by asking the server, the IDs of objects.\n" +
			"Load it with: source <(" + a.name + " completion bash)",
		example: "drp completion bash > /etc/bash_completion.d/drp",
		args:    exactly(1),
		run: func(_ context.Context, args []string) error {
			root := self.Root()
			scripts := map[string]func() error{
				"bash":       func() error { return root.GenBashCompletionV2(a.Out, true) },
				"zsh":        func() error { return root.GenZshCompletion(a.Out) },
				"fish":       func() error { return root.GenFishCompletion(a.Out, true) },
				"powershell": func() error { return root.GenPowerShellCompletionWithDesc(a.Out) },
			}
			write := scripts[args[0]]
			if write == nil {
				return errors.New("completion is there for bash, zsh, fish and powershell")
			}
			return write()
		},
	})
	self.ValidArgs = []string{"bash", "zsh", "fish", "powershell"}
	return self
}
