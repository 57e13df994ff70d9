package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
)

// These commands of drpcli need what is no part of drp. They are here so that whoever calls them is told.

// lacking is a command that says what to do instead, and fails.
func (a *app) lacking(use, path, short, instead string, args arity, example string) *cobra.Command {
	return a.command(verb{
		use: use, short: short, long: short + ".\n" + strings.ToUpper(instead[:1]) + instead[1:], example: example, args: args,
		run: func(context.Context, []string) error { return verbatim("%s: %s", path, instead) },
	})
}

func (a *app) signURL() *cobra.Command {
	return a.lacking("signurl [URL]", "system signurl", "Sign a URL of RackN's catalog: not here",
		"only RackN's service signs such URLs, and drp asks it nothing.", exactly(1), "drp system signurl https://repo.example.com/pack.json")
}

func (k *kind) fromAppleNBI() *cobra.Command {
	return k.lacking("fromAppleNBI [path]", "bootenvs fromAppleNBI", "Make a boot environment of an Apple NetBoot image: not here",
		"drp does not know NetBoot; write the boot environment by hand and use bootenvs install.", exactly(1), "drp bootenvs fromAppleNBI ./Install.nbi")
}

// network are the commands that write the network configuration of the host they run on.
func (a *app) network() *cobra.Command {
	const instead = "the program netwrangler does this, and is no part of drp; drp gohai shows the network of this host."
	one := func(use, name, short string, args arity, example string) *cobra.Command {
		return a.lacking(use, "net "+name, short+": not here", instead, args, example)
	}
	compile := one("compile [plan] to [format] at [dest]", "compile", "Write the network configuration that a plan describes",
		all(between(5, 5, " requires 3 arguments"), word(1, "to"), word(3, "at")), "drp net compile plan.yaml to systemd at /etc/systemd/network")
	generate := one("generate [format] for [machine-id] at [dest]", "generate", "Write the network configuration that the params of a machine describe",
		atLeast(0), "drp net generate systemd for $RS_UUID at /etc/systemd/network")
	autogen := one("autogen [args...]", "autogen", "Write the network configuration that the params of this machine describe", atLeast(0), "drp net autogen")
	for _, c := range []*cobra.Command{compile, generate, autogen} {
		c.Flags().String("phys", "", "file of the network interfaces")
		c.Flags().Bool("bind-mac", true, "bind interfaces by MAC address")
	}
	return a.group("net", "Write the network configuration of this host: not here", "Commands of drpcli on the network of the host they run on, which "+
		"drp leaves to a program of\ntheir own: "+instead, "drp gohai",
		one("phys", "phys", "Show the network interfaces of this host", none, "drp net phys"), compile, generate, autogen)
}
