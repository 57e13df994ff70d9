package cli

import (
	"context"
	"fmt"

	packs "drp/content"
	"drp/models"

	"github.com/spf13/cobra"
)

// shippedContents are the packs that this program carries; the server need not be there.
func (a *app) shippedContents() *cobra.Command {
	return a.command(verb{
		use: "shipped", short: "List the content packs that come with drp",
		long:    "List the content packs that come with drp, which install puts on a server. No server is asked.",
		example: "drp contents shipped -F table", args: none,
		run: func(context.Context, []string) error {
			var list []models.ContentSummary
			for _, name := range packs.Names() {
				c, err := packs.Shipped(name)
				if err != nil {
					return err
				}
				counts := map[string]int{}
				for section, objects := range c.Sections {
					counts[section] = len(objects)
				}
				list = append(list, models.ContentSummary{Meta: c.Meta, Counts: counts, Warnings: []string{}})
			}
			return a.summary(must(list), nil)
		},
	})
}

func (a *app) installContent() *cobra.Command {
	var f packFlags
	c := a.command(verb{
		use: "install [id]", short: "Upload a content pack that comes with drp",
		long: "Upload a content pack that comes with drp, in place of the version that is there, if any.\n" +
			"drp contents shipped lists them.",
		example: "drp contents install drp-core", args: exactly(1), flags: f.add,
		run: func(ctx context.Context, args []string) error {
			c, err := packs.Shipped(args[0])
			if err != nil {
				return fmt.Errorf("install: %w; drp contents shipped lists those that are", err)
			}
			return a.summary(a.send(ctx, c, must(c), f.option()))
		},
	})
	c.ValidArgsFunction = cobra.FixedCompletions(packs.Names(), cobra.ShellCompDirectiveNoFileComp)
	return c
}
