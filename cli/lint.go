package cli

import (
	"context"
	"fmt"
	"slices"

	"drp/cli/lint"
	"drp/models"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

func (a *app) lintContent() *cobra.Command {
	var with []string
	return a.command(verb{
		use: "lint [path]", short: "Check a content pack without a server",
		long: "Check a content pack, a folder or a file, without a server: syntax, unknown fields, references, templates,\n" +
			"params that are used but not declared, values against their schemas, and what describes the pack. Each\n" +
			"finding stands on a line with its file and line number; -F json prints them as data. An error cannot work on a\n" +
			"server; a field that is dropped, or what another pack may bring, is a warning. The exit status is 1 when there\n" +
			"are errors, and 0 when there are none or only warnings. What the pack requires is looked for\n" +
			"among the packs that come with drp and those that --with names.",
		example: "drp contents lint .\ndrp contents lint pack.yaml --with ../base --with other.yaml -F json", args: between(0, 1, " requires at most 1 argument"),
		flags: func(f *pflag.FlagSet) {
			f.StringArrayVar(&with, "with", nil, "folder or file of another pack that will be there (more than once)")
		},
		run: func(ctx context.Context, args []string) error {
			path := "."
			if len(args) > 0 {
				path = args[0]
			}
			found, err := a.lint(ctx, path, with)
			if err != nil {
				return fmt.Errorf("lint: %w", err)
			}
			if err := a.printFindings(found); err != nil {
				return err
			}
			return verdict(found)
		},
	})
}

// lint checks the pack at a path, with the packs that come with drp and those at other paths.
func (a *app) lint(ctx context.Context, path string, with []string) ([]lint.Finding, error) {
	var known []*models.Content
	for _, name := range with {
		c, _, err := a.packAt(ctx, name)
		if err != nil {
			return nil, fmt.Errorf("--with %s: %w", name, err)
		}
		known = append(known, c)
	}
	return lint.Check(path, known...)
}

// printFindings prints a finding a line, or all as data where that was asked for.
func (a *app) printFindings(found []lint.Finding) error {
	if a.flags.formatGiven && a.flags.format != "text" {
		return a.printOf("findings", slices.Concat([]lint.Finding{}, found))
	}
	for _, f := range found {
		if err := a.say("%s", f); err != nil {
			return err
		}
	}
	return nil
}

// verdict is an error when a finding is one.
func verdict(found []lint.Finding) error {
	n := 0
	for _, f := range found {
		if f.Severity == lint.Error {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%s in the pack", plural(n, "error"))
}
