package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"
)

// savedServer is how to reach one server.
type savedServer struct {
	Endpoint string `json:"endpoint"`
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	Token    string `json:"token,omitempty"`
	CA       string `json:"ca,omitempty"`
}

// servers are those in the configuration file.
type servers struct {
	Current string                 `json:"current,omitempty"`
	Servers map[string]savedServer `json:"servers"`
}

func (a *app) serversFile() string {
	if dir := a.Getenv("XDG_CONFIG_HOME"); dir != "" {
		return filepath.Join(dir, "drp", "servers.yaml")
	}
	return filepath.Join(a.Home, ".config", "drp", "servers.yaml")
}

func (a *app) readServers() (servers, error) {
	all := servers{Servers: map[string]savedServer{}}
	if a.Home == "" && a.Getenv("XDG_CONFIG_HOME") == "" {
		return all, nil
	}
	raw, err := os.ReadFile(a.serversFile())
	if errors.Is(err, os.ErrNotExist) {
		return all, nil
	}
	if err == nil {
		err = yaml.UnmarshalStrict(raw, &all)
	}
	if err != nil {
		return all, fmt.Errorf("servers in %s: %w", a.serversFile(), err)
	}
	return all, nil
}

// writeServers replaces the file as a whole; it may hold passwords, so nobody else can read it.
func (a *app) writeServers(all servers) error {
	if a.Home == "" && a.Getenv("XDG_CONFIG_HOME") == "" {
		return errors.New("servers: there is no home directory to keep them in; set XDG_CONFIG_HOME")
	}
	raw, err := yaml.Marshal(all)
	if err != nil {
		return err
	}
	path := a.serversFile()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return a.save(path, func(w io.Writer) error {
		_, err := w.Write(raw)
		return err
	})
}

// chosen is the server that --server or DRP_SERVER names, else the current one unless the settings
// name another. One that was named must be there.
func (a *app) chosen(s settings) (savedServer, error) {
	name := a.flags.server
	if name == "" {
		name = a.Getenv("DRP_SERVER")
	}
	named := name != ""
	if !named && (s.getenv("RS_ENDPOINT") != "" || s.getenv("RS_ENDPOINTS") != "" || a.flags.endpoint != "") {
		return savedServer{}, nil
	}
	all, err := a.readServers()
	if err != nil {
		return savedServer{}, err
	}
	if !named {
		name = all.Current
	}
	one, ok := all.Servers[name]
	if !ok && named {
		return one, fmt.Errorf("there is no server %s in %s; it has %s", name, a.serversFile(), list(slices.Sorted(maps.Keys(all.Servers))))
	}
	return one, nil
}

func list(names []string) string {
	if len(names) == 0 {
		return "none; see servers add"
	}
	return strings.Join(names, ", ")
}

// servers are the commands for the servers that this person works with.
func (a *app) servers() *cobra.Command {
	var add savedServer
	var use bool
	show := a.command(verb{
		use: "list", short: "List the servers", long: "List the servers in the configuration file; the current one is marked. Passwords and tokens are not shown.",
		example: "drp servers list -F table", args: none,
		run: func(context.Context, []string) error {
			all, err := a.readServers()
			if err != nil {
				return err
			}
			rows := []document{}
			for _, name := range slices.Sorted(maps.Keys(all.Servers)) {
				s := all.Servers[name]
				rows = append(rows, document{"Name": name, "Current": name == all.Current, "Endpoint": s.Endpoint, "Username": s.Username, "Token": s.Token != ""})
			}
			return a.printOf("servers", rows)
		},
	})
	adds := a.command(verb{
		use:   "add [name] [url]",
		short: "Add a server, or change one",
		long: "Keep a server in the configuration file under a name. The first one becomes the current one, which is\n" +
			"used when neither flags nor the environment name another. The file is for you alone (mode 0600).",
		example: "drp servers add north https://north.example.com:8092 --user operator --secret-token \"$TOKEN\"",
		args:    exactly(2),
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&add.Username, "user", "", "user to log in as")
			f.StringVar(&add.Password, "secret", "", "password of the user")
			f.StringVar(&add.Token, "secret-token", "", "token to use instead of logging in")
			f.StringVar(&add.CA, "accept-ca", "", "accept only a certificate signed by one in this PEM file")
			f.BoolVar(&use, "use", false, "make it the current one")
		},
		run: func(_ context.Context, args []string) error {
			add.Endpoint = args[1]
			if !strings.HasPrefix(add.Endpoint, "https://") && !strings.HasPrefix(add.Endpoint, "http://") {
				return &usageError{fmt.Sprintf("%s is no URL such as https://north.example.com:8092", args[1])}
			}
			return a.editServers(func(all *servers) error {
				all.Servers[args[0]] = add
				if use || len(all.Servers) == 1 {
					all.Current = args[0]
				}
				return nil
			})
		},
	})
	uses := a.command(verb{
		use: "use [name]", short: "Make a server the current one", long: "Make a server the one that is used when nothing names another.",
		example: "drp servers use north", args: exactly(1),
		run: func(_ context.Context, args []string) error {
			return a.editServers(func(all *servers) error {
				if _, ok := all.Servers[args[0]]; !ok {
					return fmt.Errorf("there is no server %s; there is %s", args[0], list(slices.Sorted(maps.Keys(all.Servers))))
				}
				all.Current = args[0]
				return nil
			})
		},
	})
	remove := a.command(verb{
		use: "remove [name]", short: "Forget a server", long: "Take a server out of the configuration file. The server itself does not notice.",
		example: "drp servers remove north", args: exactly(1),
		run: func(_ context.Context, args []string) error {
			return a.editServers(func(all *servers) error {
				if _, ok := all.Servers[args[0]]; !ok {
					return fmt.Errorf("there is no server %s; there is %s", args[0], list(slices.Sorted(maps.Keys(all.Servers))))
				}
				delete(all.Servers, args[0])
				if all.Current == args[0] {
					all.Current = ""
				}
				return nil
			})
		},
	})
	for _, c := range []*cobra.Command{uses, remove} {
		c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			all, err := a.readServers()
			if err != nil {
				return nil, cobra.ShellCompDirectiveError
			}
			return slices.Sorted(maps.Keys(all.Servers)), cobra.ShellCompDirectiveNoFileComp
		}
	}
	return a.group("servers", "Keep several servers under names", "Keep the servers you work with under names, and switch between them.\nOne call talks to another with --server NAME.",
		"drp servers add north https://north.example.com:8092\ndrp servers use north", show, adds, uses, remove)
}

func (a *app) editServers(edit func(*servers) error) error {
	all, err := a.readServers()
	if err != nil {
		return err
	}
	if err := edit(&all); err != nil {
		return err
	}
	return a.writeServers(all)
}
