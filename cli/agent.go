package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"drp/cli/client"
	"drp/cli/runner"
	"drp/models"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// agent works on the jobs of the machine it runs on, for as long as the host is up.
func (a *app) agent() *cobra.Command {
	info, _ := models.KindOf("machines")
	k := a.kind(info)
	c := k.runAgent("agent [machine]", "Be the agent of this machine, or manage it as a service",
		"drp agent 3e7031fe-3062-45f1-835c-92541bc9cbd3 -T $TOKEN\ndrp agent status")
	uninstall := a.uninstallAgent()
	uninstall.Aliases = []string{"remove"} // as drpcli calls it
	c.AddCommand(k.runAgent("run [machine]", "Be the agent of this machine", "drp agent run --state-dir /var/lib/drp-agent"),
		k.installAgent(), uninstall,
		a.steer("start", "Start the agent", "Start the service of the agent now. After install it also starts at each boot.", runner.Service.Start),
		a.steer("stop", "Stop the agent", "Stop the service of the agent. The script that runs is ended, and its job fails.", runner.Service.Stop),
		a.steer("restart", "Stop and start the agent", "Stop and start the service of the agent, as it must be when its config has changed.", runner.Service.Restart),
		a.agentStatus())
	return c
}

// elsewhere are the flags that say what the config file of an agent says too.
var elsewhere = []string{"endpoint", "token", "username", "password", "ca", "context"}

func (k *kind) runAgent(use, short, example string) *cobra.Command {
	var o runner.Options
	var given *pflag.FlagSet
	return k.verb(verb{
		use:   use,
		short: short,
		long: "Make the machine runnable, as after a boot, and work on its jobs until the host goes down or this process is\n" +
			"told to end. Whose jobs, and on which server, says " + runner.ConfigFile + " in the state dir, which install writes.\n" +
			"For the machine in the argument, or in RS_UUID when there is no such file, flags and environment say it.",
		example: example,
		args:    machineOnly,
		flags: func(f *pflag.FlagSet) {
			k.runnerFlags(&o)(f)
			given = f
		},
		run: func(ctx context.Context, args []string) error {
			o.Service, o.Stdout = true, k.Out
			o.StateDir = cmp.Or(o.StateDir, k.StateDir)
			file := filepath.Join(o.StateDir, runner.ConfigFile)
			if len(args) > 0 {
				return k.work(ctx, args, o)
			}
			_, err := runner.ReadAgentConfig(file)
			switch {
			case errors.Is(err, fs.ErrNotExist) && k.Getenv("RS_UUID") == "":
				return &usageError{fmt.Sprintf("which machine? There is no %s: give the machine's ID, or set RS_UUID", file)}
			case errors.Is(err, fs.ErrNotExist):
				return k.work(ctx, nil, o)
			case err != nil:
				return err
			}
			if i := slices.IndexFunc(elsewhere, given.Changed); i >= 0 {
				return &usageError{fmt.Sprintf("--%s: %s says it; change that, or name the machine here", elsewhere[i], file)}
			}
			return k.Agent(ctx, o)
		},
	})
}

// machineOnly takes the key of a machine, or none; any other word was probably meant as a command.
func machineOnly(c *cobra.Command, args []string) string {
	if len(args) == 1 && !models.IsUUID(args[0]) && !strings.Contains(args[0], ":") {
		return none(c, args) + "; a machine is its UUID, or INDEX:VALUE such as Name:web1"
	}
	return between(0, 1, " requires at most 1 argument")(c, args)
}

// installation is what install is told.
type installation struct {
	*kind
	given *pflag.FlagSet
	cfg   runner.AgentConfig
	o     runner.Options // of the service
}

func (k *kind) installAgent() *cobra.Command {
	i := &installation{kind: k}
	return k.app.command(verb{
		use:   "install",
		short: "Make the agent a service of this host",
		long: "Write " + runner.ConfigFile + " to the state dir, for root alone, and a systemd unit, drp-agent, that runs the\n" +
			"agent from the next boot on; start runs it now. A config file that is there is kept, unless a flag is given\n" +
			"that says something else about the machine or the server: then it is replaced as a whole.\n\n" +
			"The agent uses the token given by --token. Without that, RS_TOKEN or the password serve to ask the server\n" +
			"for a token that may do what the machine may do, and lasts three years.",
		example: "drp agent install --machine-id Name:web1.example.com --endpoints https://10.0.0.1:8092,https://10.0.0.2:8092",
		args:    none,
		flags:   i.declare,
		run:     func(ctx context.Context, _ []string) error { return i.install(ctx) },
	})
}

// configFlags say what stands in a config file.
var configFlags = []string{"machine-id", "endpoints", "context", "skip-runnable", "endpoint", "token", "username", "password", "ca"}

func (i *installation) declare(f *pflag.FlagSet) {
	i.given = f
	f.StringVar(&i.cfg.MachineID, "machine-id", i.Getenv("RS_UUID"), "machine that this host is, by UUID or INDEX:VALUE (default: that in RS_UUID)")
	f.StringVar(&i.cfg.Endpoints, "endpoints", "", "servers, separated by commas; the first that answers is used (default: that of -E)")
	f.StringVar(&i.cfg.Context, "context", i.Getenv("RS_CONTEXT"), "work on the tasks meant for this context")
	f.BoolVar(&i.cfg.SkipRunnable, "skip-runnable", false, "never make the machine runnable")
	f.BoolVar(&i.o.SkipPower, "skip-power", false, "end instead of rebooting or powering off")
	f.StringVar(&i.o.StateDir, "state-dir", i.StateDir, "directory that survives reboots")
	f.StringVar(&i.o.TempDir, "temp-dir", "", "directory for scripts (default: param runner-tmpdir)")
}

// install writes nothing before all is known that is to be written.
func (i *installation) install(ctx context.Context) error {
	if err := i.mayManage(ctx); err != nil {
		return err
	}
	service, err := i.service()
	if err != nil {
		return err
	}
	if err := i.settle(ctx, filepath.Join(i.o.StateDir, runner.ConfigFile)); err != nil {
		return err
	}
	if err := service.Install(ctx); err != nil {
		return err
	}
	return i.say("The agent is installed and starts at each boot. Start it now with: %s agent restart", i.app.name)
}

// service is the service with its whole command; its paths must not depend on where we are.
func (i *installation) service() (runner.Service, error) {
	s := i.Service
	var err error
	if i.o.StateDir, err = filepath.Abs(cmp.Or(i.o.StateDir, i.StateDir)); err != nil {
		return s, fmt.Errorf("install agent: %w", err)
	}
	s.Command = append(slices.Clone(s.Command), "agent", "run", "--state-dir", i.o.StateDir)
	if i.o.TempDir != "" {
		if i.o.TempDir, err = filepath.Abs(i.o.TempDir); err != nil {
			return s, fmt.Errorf("install agent: %w", err)
		}
		s.Command = append(s.Command, "--temp-dir", i.o.TempDir)
	}
	if i.o.SkipPower {
		s.Command = append(s.Command, "--skip-power")
	}
	return s, nil
}

// settle makes the config file what it is to be.
func (i *installation) settle(ctx context.Context, file string) error {
	if !slices.ContainsFunc(configFlags, i.given.Changed) {
		_, err := runner.ReadAgentConfig(file)
		if err == nil {
			err = os.Chmod(file, 0o600) // whoever wrote it may have forgotten the token
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	if i.cfg.MachineID == "" {
		return &usageError{fmt.Sprintf("which machine? There is no %s: give --machine-id, or set RS_UUID", file)}
	}
	if err := i.trust(); err != nil {
		return err
	}
	if i.given.Changed("token") {
		i.cfg.Token = i.app.flags.token
	}
	if err := i.ask(ctx); err != nil {
		return err
	}
	return i.cfg.Write(file)
}

// trust hands on to the agent which servers we trust.
func (i *installation) trust() (err error) {
	s, err := i.settings()
	if err != nil {
		return err
	}
	i.cfg.Verify = s.get("RS_TLS_VERIFY") == "true"
	if i.app.flags.ca != "" {
		i.cfg.CA, err = filepath.Abs(i.app.flags.ca)
	}
	return err
}

// ask fills in what we are not told. A server that need not be asked need not be there.
func (i *installation) ask(ctx context.Context) error {
	if i.cfg.Endpoints == "" {
		i.cfg.Endpoints = i.client.Endpoint()
	}
	if models.IsUUID(i.cfg.MachineID) && i.cfg.Token != "" {
		return nil
	}
	if !i.given.Changed("endpoint") {
		i.app.flags.endpoint = reachable(strings.ReplaceAll(i.cfg.Endpoints, ",", " "))
		if err := i.configure(i.given); err != nil {
			return err
		}
	}
	m, err := i.machine(ctx, i.cfg.MachineID)
	if err != nil {
		return fmt.Errorf("ask for machine %s: %w", i.cfg.MachineID, err)
	}
	i.cfg.MachineID = m.Uuid
	if i.cfg.Token != "" {
		return nil
	}
	t, err := client.Get[models.UserToken](ctx, i.client, i.at(m.Uuid, "token"), client.WithFlag("ttl", "3y"))
	if err != nil {
		return fmt.Errorf("ask for the token of machine %s: %w", m.Uuid, err)
	}
	i.cfg.Token = t.Token
	return nil
}

// mayManage tells why services of this host cannot be managed by us.
func (a *app) mayManage(ctx context.Context) error {
	err := a.Service.Check(ctx)
	if errors.Is(err, runner.ErrNoSystemd) {
		return fmt.Errorf("%w: have this host call %s agent run at its boot in another way", err, a.name)
	}
	if err == nil && !a.Root {
		return errors.New("only root may manage the service of the agent")
	}
	return err
}

// installed is mayManage for what must be there already.
func (a *app) installed(ctx context.Context) error {
	if err := a.mayManage(ctx); err != nil {
		return err
	}
	state, err := a.Service.Status(ctx)
	if err == nil && state == runner.NotInstalled {
		return fmt.Errorf("the agent is not installed as a service: see %s agent install --help", a.name)
	}
	return err
}

func (a *app) uninstallAgent() *cobra.Command {
	return a.command(verb{
		use:   "uninstall",
		short: "Stop the agent and remove its service",
		long: "Stop the service of the agent and remove its unit. What is in the state dir stays, " + runner.ConfigFile + " with\n" +
			"its token too.",
		example: "drp agent uninstall",
		args:    none,
		run: func(ctx context.Context, _ []string) error {
			if err := a.installed(ctx); err != nil {
				return err
			}
			if err := a.Service.Uninstall(ctx); err != nil {
				return err
			}
			return a.say("The agent is a service no more. Its state dir, with its token, is left as it was.")
		},
	})
}

// steer is a verb that does one thing with the service, and prints the state it is in then.
func (a *app) steer(use, short, long string, do func(runner.Service, context.Context) error) *cobra.Command {
	return a.command(verb{
		use: use, short: short, long: long + "\nPrint the state it is in then, as status does.",
		example: "drp agent " + use, args: none,
		run: func(ctx context.Context, _ []string) error {
			if err := a.installed(ctx); err != nil {
				return err
			}
			if err := do(a.Service, ctx); err != nil {
				return err
			}
			return a.sayState(ctx)
		},
	})
}

func (a *app) agentStatus() *cobra.Command {
	return a.command(verb{
		use:   "status",
		short: "Print the state of the agent",
		long: "Print one word on the service of the agent: active, inactive, failed or another of systemd's, or\n\"" +
			runner.NotInstalled + "\". An agent that is inactive has ended by itself, or was stopped.",
		example: "drp agent status",
		args:    none,
		run:     func(ctx context.Context, _ []string) error { return a.sayState(ctx) },
	})
}

func (a *app) sayState(ctx context.Context) error {
	state, err := a.Service.Status(ctx)
	if err != nil {
		return fmt.Errorf("state of the agent: %w", err)
	}
	return a.say("%s", state)
}
