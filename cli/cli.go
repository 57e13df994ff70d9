// Package cli is the command line of drp. Every verb that all kinds share is written once, and
// what is read, sent and printed goes through one place each. It holds no state outside the
// command that New returns.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"drp/cli/client"
	"drp/cli/runner"
	"drp/models"

	"github.com/itchyny/gojq"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// IO are the streams of one run.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
}

// Deps is what the command line takes from its surroundings.
type Deps struct {
	Version string                                      // of this program
	Run     func(context.Context, runner.Options) error // works on a machine's jobs
	Agent   func(context.Context, runner.Options) error // does so as the config file in the state dir says
	Getenv  func(string) string                         // the environment
	Home    string                                      // directory of ~/.drpclirc and the token cache; "": none

	StateDir string         // of runners that are told no other
	Service  runner.Service // the agent as a service of this host; its Command is this program alone
	Root     bool           // this process may manage services
}

// app is one run of the program.
type app struct {
	IO
	Deps
	name   string // that it was called by
	flags  flags
	client *client.Client // nil until it is needed
	jq     *gojq.Code     // of --jq; nil: none

	palette palette
}

// Main runs the program under the name in args[0] and returns its exit status: 0 when all went
// well, 1 when not, or what the verb says of itself; then "Error: " and the reason stand on stderr.
// A name that ends in jq runs jq.
func Main(ctx context.Context, args []string, s IO, d Deps) int {
	name := strings.TrimSuffix(filepath.Base(args[0]), ".exe")
	if strings.HasSuffix(name, "jq") {
		return jq(name, args[1:], s)
	}
	root := New(name, s, d)
	custom, called := ofPlugins(root, args[1:])
	root.SetArgs(called)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return 0
	}
	say := explain
	if cmd.HasParent() && cmd.Parent().Name() == "extended" {
		say = error.Error // that there is no such kind is for the server to say
	}
	if custom != "" {
		err = noSuchKind(name, custom, err)
	}
	usage := (*usageError)(nil)
	wrongUse := errors.As(err, &usage)
	if wrongUse && name == "drp" && !isTerminal(s.Err) {
		err = &usageError{underOldName(usage.message)}
	}
	fmt.Fprintf(s.Err, "Error: %s\n", say(err))
	if wrongUse {
		fmt.Fprintln(s.Err, cmd.UsageString())
	}
	if with := (*statusError)(nil); errors.As(err, &with) {
		return with.status
	}
	return 1
}

// underOldName is a complaint about the use of drp in the words of drpcli: programs that read it, as
// against people, were mostly written for that.
func underOldName(complaint string) string {
	if rest, ok := strings.CutPrefix(complaint, "drp "); ok {
		return "drpcli " + rest
	}
	return strings.Replace(complaint, ` for "drp`, ` for "drpcli`, 1)
}

// statusError is a failure that scripts tell from others by the exit status.
type statusError struct {
	status int
	error
}

// explain is the text of an error for a person.
func explain(err error) string {
	if login := (*client.LoginError)(nil); errors.As(err, &login) {
		return "Error creating session: CLIENT_ERROR\n  " + strings.ReplaceAll(login.Error(), "\n", "\n  ")
	}
	if e := (*models.Error)(nil); errors.As(err, &e) && slices.Equal(e.Messages, []string{"No route"}) {
		return "the server does not offer this: " + err.Error()
	}
	return err.Error()
}

// New builds the whole command line under a name; messages and help show that name.
func New(name string, s IO, d Deps) *cobra.Command {
	a := &app{IO: s, Deps: d, name: name}
	root := &cobra.Command{
		Use:   name,
		Short: "Talk to a drp server",
		Long: "Manage the machines, workflows, params and content of a drp server, and run the tasks\n" +
			"of a machine.\n\n" + environment,
		Example:       a.examples("drp machines list Runnable=true\ndrp profiles set global param ntp-servers to '[\"time.example.com\"]'"),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(s.In)
	root.SetOut(s.Out)
	root.SetErr(s.Err)
	root.SetGlobalNormalizationFunc(normalize)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return &usageError{err.Error()} })
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return a.configure(root.PersistentFlags()) }
	a.flags.add(root.PersistentFlags())
	for _, k := range a.kinds() {
		root.AddCommand(k.command())
	}
	root.AddCommand(a.contents(), a.blobs("files"), a.blobs("isos"), a.prefs(), a.events(), a.logs(), a.waits(), a.history(), a.undo())
	root.AddCommand(a.info(), a.objects(), a.extended(), a.system(), a.debug())
	root.AddCommand(a.explain(), a.edit(), a.diff(), a.apply(), a.servers(), a.completion(), a.autocomplete())
	root.AddCommand(a.agent(), a.fingerprint(), a.gohai(), a.version(), a.proxy())
	root.AddCommand(a.catalog(), a.requests(), a.support(), a.network())
	root.CompletionOptions.DisableDefaultCmd = true
	return root
}

// normalize takes the spellings of older versions of drpcli.
func normalize(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	old := map[string]string{
		"noToken": "no-token", "traceToken": "trace-token", "tracetoken": "trace-token", "stateDir": "state-dir",
		"stateLoc": "state-dir", "exitEarly": "exit-early", "noHeader": "no-header", "printFields": "print-fields",
		"replaceWritable": "replace-writable", "for-os": "os", "bindMac": "bind-mac", "urlProxy": "url-proxy", "downloadProxy": "download-proxy",
	}
	if now, ok := old[name]; ok {
		name = now
	}
	return pflag.NormalizedName(name)
}

// usageError is a call that cannot be meant; the usage is shown with it.
type usageError struct{ message string }

func (e *usageError) Error() string { return e.message }

// verbatim makes an error with a text of drpcli's own, capital letters and all: scripts look for it.
func verbatim(format string, args ...any) error { return fmt.Errorf(format, args...) }

// verb is one command that does something.
type verb struct {
	use, short, long, example string

	args  arity
	flags func(*pflag.FlagSet)
	run   func(ctx context.Context, args []string) error
	keys  *kind // the first argument is a key of this kind
}

// command makes a cobra command of a verb.
func (a *app) command(v verb) *cobra.Command {
	c := &cobra.Command{Use: v.use, Short: v.short, Long: v.long, Example: a.examples(v.example)}
	c.Args = func(c *cobra.Command, args []string) error {
		if complaint := v.args(c, args); complaint != "" {
			return &usageError{complaint}
		}
		return nil
	}
	c.RunE = func(c *cobra.Command, args []string) error { return v.run(c.Context(), args) }
	if v.flags != nil {
		v.flags(c.Flags())
	}
	c.ValidArgsFunction = func(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		return v.completeWord(a, c, args, begun)
	}
	return c
}

// group makes a command that only holds others.
func (a *app) group(use, short, long, example string, members ...*cobra.Command) *cobra.Command {
	c := &cobra.Command{Use: use, Short: short, Long: long, Example: a.examples(example)}
	c.RunE = func(c *cobra.Command, args []string) error {
		if len(args) > 0 {
			return &usageError{fmt.Sprintf("unknown command %q for %q", args[0], c.CommandPath())}
		}
		return c.Help()
	}
	c.Args = cobra.ArbitraryArgs
	c.AddCommand(members...)
	return c
}

// examples shows each line under the name the program has now.
func (a *app) examples(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if rest, ok := strings.CutPrefix(l, "drp "); ok {
			l = a.name + " " + rest
		}
		lines[i] = "  " + l
	}
	return strings.Join(lines, "\n")
}

// arity judges the arguments of a command; it returns what is wrong, "" if nothing is.
type arity func(c *cobra.Command, args []string) string

// none takes no arguments: what stands there was probably meant as a command.
func none(c *cobra.Command, args []string) string {
	if len(args) == 0 {
		return ""
	}
	return fmt.Sprintf("unknown command %q for %q", args[0], c.CommandPath())
}

func exactly(n int) arity { return between(n, n, " requires "+plural(n, "argument")) }

// between has a text of its own, which is put after the usage line: some verbs do not count their
// fixed words.
func between(low, high int, complaint string) arity {
	return func(c *cobra.Command, args []string) string {
		if len(args) < low || len(args) > high {
			return c.UseLine() + complaint
		}
		return ""
	}
}

func atLeast(n int) arity {
	return between(n, math.MaxInt, " requires at least "+plural(n, "argument"))
}

// all is the first complaint of several.
func all(arities ...arity) arity {
	return func(c *cobra.Command, args []string) string {
		for _, judge := range arities {
			if complaint := judge(c, args); complaint != "" {
				return complaint
			}
		}
		return ""
	}
}

// word demands a fixed word at an index; the first alternative is the one to be told.
func word(at int, alternatives ...string) arity {
	return func(c *cobra.Command, args []string) string {
		if at < len(args) && !slices.Contains(alternatives, args[at]) {
			return fmt.Sprintf("%s expects %q where %q stands", c.UseLine(), alternatives[0], args[at])
		}
		return ""
	}
}

func plural(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
