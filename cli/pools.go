package cli

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"drp/cli/client"
	"drp/models"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// poolVerbs are the verbs of pools alone.
func (k *kind) poolVerbs() []*cobra.Command {
	status := k.verb(verb{
		use:     "status [pool]",
		short:   "Show the machines of a pool by their status",
		long:    "Show the machines of a pool by their status. The pool need not be an object: it is there when machines\nname it.",
		example: "drp pools status workers",
		args: func(_ *cobra.Command, args []string) string {
			if len(args) != 1 {
				return "Must provide a pool"
			}
			return ""
		},
		run: func(ctx context.Context, args []string) error {
			raw, err := k.do(ctx, http.MethodGet, k.at(args[0], "status"), nil)
			if err != nil {
				return fmt.Errorf("Failed to get pool status for %s: %w", args[0], err) //nolint:staticcheck // drpcli's words
			}
			return k.print(raw)
		},
	})
	active := k.verb(verb{
		use:     "active",
		short:   "List the pools that have machines",
		long:    "List the pools that have machines, whether they are objects or not.",
		example: "drp pools active",
		args: func(_ *cobra.Command, args []string) string {
			if len(args) != 0 {
				return "Does not take parameters"
			}
			return ""
		},
		run: func(ctx context.Context, _ []string) error {
			raw, err := k.do(ctx, http.MethodGet, "pools-active", nil)
			if err != nil {
				return fmt.Errorf("Failed to list active pools: %w", err) //nolint:staticcheck // drpcli's words
			}
			return k.print(raw)
		},
	})
	return []*cobra.Command{status, active, k.manage()}
}

// poolMoves are the ways to move machines: what they take, and what becomes of it.
var poolMoves = [][2]string{
	{"add", "Take machines into a pool, out of its parent pool or the one that --source-pool names. They must be\nFree."},
	{"remove", "Give machines of a pool to its parent pool, which is the default pool if it names none. They must be\nFree."},
	{"allocate", "Take machines of a pool into use. They must be Free, and are InUse when its workflow has ended."},
	{"release", "Give machines of a pool back. They must be InUse, and are Free when its workflow has ended."},
}

// moveFlags say which machines are moved, and what is done to them.
type moveFlags struct {
	models.PoolRequest
	list, addProfiles, removeProfiles, addParameters, removeParameters, source string
}

func (m *moveFlags) add(f *pflag.FlagSet) {
	f.BoolVar(&m.All, "all-machines", false, "all machines that can be moved")
	f.IntVar(&m.Count, "count", 0, "how many machines (default: one)")
	f.IntVar(&m.Minimum, "minimum", 0, "be content with so many (default: count)")
	f.StringVar(&m.list, "machine-list", "", "these machines: UUIDs or Field:Value, separated by commas")
	f.StringVar(&m.WaitTimeout, "wait-timeout", "", "wait so long for machines and their workflows: seconds, or such as 30m")
	f.StringVar(&m.Workflow, "new-workflow", "", "run this workflow instead of the pool's")
	f.StringVar(&m.addProfiles, "add-profiles", "", "profiles to add, separated by commas")
	f.StringVar(&m.removeProfiles, "remove-profiles", "", "profiles to take away, separated by commas")
	f.StringVar(&m.addParameters, "add-parameters", "", "params to set: JSON or YAML; text, file, URL or -")
	f.StringVar(&m.removeParameters, "remove-parameters", "", "params to take away, separated by commas")
}

// arity also brings the numbers in order, as drpcli does.
func (m *moveFlags) arity(_ *cobra.Command, args []string) string {
	switch {
	case len(args) == 0:
		return "Must specify a pool id"
	case m.All && m.Count > 0:
		return "Must choose count or all-machines, but not both"
	case m.list != "" && (m.Count > 0 || m.All):
		return "machine-list must not be specified with count or all-machines"
	}
	if !m.All && m.Count == 0 && m.list == "" {
		m.Count = 1
	}
	if m.Minimum > m.Count {
		return "count must be greater than minimum"
	}
	if m.Minimum == 0 {
		m.Minimum = m.Count
	}
	return ""
}

func (k *kind) manage() *cobra.Command {
	var m moveFlags
	c := k.group("manage", "Move machines between pools, and into and out of use",
		"Move machines between pools, and into and out of use in them: those named, or a number of those that\nmatch the filters. Either enough can be moved, or none is.",
		"drp pools manage allocate workers --count 2 --wait-timeout 30m Arch=amd64")
	for _, move := range poolMoves {
		c.AddCommand(k.move(move[0], move[1], &m))
	}
	m.add(c.PersistentFlags())
	return c
}

func (k *kind) move(name, long string, m *moveFlags) *cobra.Command {
	example := "drp pools manage " + name + " workers --count 3 --minimum 1 Arch=amd64"
	if name == "add" {
		example += "\ndrp pools manage add workers --source-pool spare --all-machines"
	}
	return k.verb(verb{
		use:   name + " [id] [filters...]",
		short: strings.ToUpper(name[:1]) + name[1:] + " machines",
		long:  long + "\nWith -f their status does not matter. Filters are written as for machines list.",

		example: example,
		args:    m.arity,
		flags: func(f *pflag.FlagSet) {
			if name == "add" {
				f.StringVar(&m.source, "source-pool", "", "the pool to take machines from (default: the parent of the pool)")
			}
		},
		run: func(ctx context.Context, args []string) error {
			if err := k.fill(ctx, m, args[1:]); err != nil {
				return err
			}
			return k.prints(k.do(ctx, http.MethodPost, k.at(args[0], name+"Machines"), m.PoolRequest, k.forced(), client.WithFlag("source-pool", m.source)))
		},
	})
}

// fill reads what the flags give as text, and the filters.
func (k *kind) fill(ctx context.Context, m *moveFlags, filters []string) error {
	for to, text := range map[*[]string]string{&m.List: m.list, &m.AddProfiles: m.addProfiles, &m.RemoveProfiles: m.removeProfiles, &m.RemoveParameters: m.removeParameters} {
		if text == "" {
			continue
		}
		for one := range strings.SplitSeq(text, ",") {
			*to = append(*to, strings.TrimSpace(one))
		}
	}
	if m.addParameters != "" {
		raw, err := k.value(ctx, m.addParameters)
		if err == nil {
			err = decode(raw, &m.AddParameters)
		}
		if err != nil {
			return verbatim("add-parameters is not a valid JSON or YAML string or file")
		}
	}
	q := url.Values{}
	if err := addFilters(q, filters); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(q)) {
		for _, value := range q[name] {
			m.Filter = append(m.Filter, name+"="+value)
		}
	}
	return nil
}

func (k *kind) releaseToPool() *cobra.Command {
	return k.verb(verb{
		use:     "releaseToPool [id]",
		short:   "Give a machine back to its pool",
		long:    "Give a machine that is in use back to its pool, which may run a workflow on it before it is free again.",
		example: "drp machines releaseToPool " + k.sample(),
		args:    exactly(1),
		run: func(ctx context.Context, args []string) error {
			return k.prints(k.do(ctx, http.MethodPost, k.at(args[0], "releaseToPool"), document{}, k.forced()))
		},
	})
}
