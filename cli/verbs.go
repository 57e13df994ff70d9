package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"drp/cli/client"
	"drp/models"
	"drp/models/patch"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// shape are the flags that say how much of objects to fetch.
type shape struct {
	slim, params      string
	decode, aggregate bool
}

func (s *shape) add(p *pflag.FlagSet) {
	p.StringVar(&s.slim, "slim", "", "leave these fields empty: Params, Meta or both, separated by a comma")
	p.StringVar(&s.params, "params", "", "only these params, separated by commas")
	p.BoolVar(&s.decode, "decode", false, "show secure params in the clear")
}

func (s *shape) query() url.Values {
	q := url.Values{}
	for name, v := range map[string]string{"slim": s.slim, "params": s.params} {
		if v != "" {
			q.Set(name, v)
		}
	}
	for name, v := range map[string]bool{"decode": s.decode, "aggregate": s.aggregate} {
		if v {
			q.Set(name, "true")
		}
	}
	return q
}

func (k *kind) list() *cobra.Command {
	var s shape
	var page page
	var at string
	return k.verb(verb{
		use:   "list [filters...]",
		short: "List " + k.name,
		long: fmt.Sprintf("List the %s that match every filter. A filter is FIELD=VALUE, or the three words FIELD OP VALUE\n"+
			"with one of the operators eq, ne, lt, lte, gt, gte, re, in, nin, between and except; the last four\n"+
			"take values separated by commas, and the last two also two words. Instead of a field the name of a param will\n"+
			"do, and Meta.KEY.", k.name),
		example: fmt.Sprintf("drp %s list\ndrp %s list %s=true --sort %s --limit 10\ndrp %s list Key re '^w.*1$' -F table", k.name, k.name, k.aFlag(), k.info.KeyField, k.name),
		args:    atLeast(0),
		flags: func(p *pflag.FlagSet) {
			s.add(p)
			page.add(p)
			p.StringVar(&at, "at", "", "as they were at a revision, a time, or some time ago: 17, 2026-11-21T15:00:00Z, 1h")
		},
		run: func(ctx context.Context, args []string) error {
			q := s.query()
			page.fill(q)
			if err := addFilters(q, args); err != nil {
				return err
			}
			return k.shows(k.do(ctx, http.MethodGet, k.name, nil, client.WithQuery(q), client.WithFlag("at", at)))
		},
	})
}

// page are the flags that order and cut a list.
type page struct {
	limit, offset int
	sort          string
	reverse       bool
}

// unset stands for a number that was not given: the server refuses negative ones itself.
const unset = -1 << 31

func (p *page) add(f *pflag.FlagSet) {
	f.IntVar(&p.limit, "limit", unset, "at most this many")
	f.IntVar(&p.offset, "offset", unset, "leave out this many at the start")
	f.StringVar(&p.sort, "sort", "", "order by this field, param or Meta.KEY instead of the key")
	f.BoolVar(&p.reverse, "reverse", false, "last first")
	f.Lookup("limit").DefValue, f.Lookup("offset").DefValue = "0", "0"
}

func (p *page) fill(q url.Values) {
	if p.limit != unset {
		q.Set("limit", strconv.Itoa(p.limit))
	}
	if p.offset != unset {
		q.Set("offset", strconv.Itoa(p.offset))
	}
	if p.sort != "" {
		q.Set("sort", p.sort)
	}
	if p.reverse {
		q.Set("reverse", "true")
	}
}

// operators by what may be typed.
var operators = map[string]string{
	"eq": "Eq", "ne": "Ne", "lt": "Lt", "lte": "Lte", "gt": "Gt", "gte": "Gte", "re": "Re",
	"in": "In", "nin": "Nin", "between": "Between", "except": "Except",
}

// listWords may stand before a value instead of as a flag.
var listWords = []string{"sort", "limit", "offset", "slim", "params"}

// switches may stand there alone.
var switches = []string{"reverse", "decode", "aggregate"}

// addFilters turns the words of a list call into query parameters.
func addFilters(q url.Values, args []string) error {
	for len(args) > 0 {
		name, value, isPair := strings.Cut(args[0], "=")
		op, known := "", false
		if len(args) > 2 {
			op, known = operators[strings.ToLower(args[1])]
		}
		switch {
		case known && (op == "Between" || op == "Except") && len(args) > 3 && !strings.Contains(args[2], ","):
			q.Add(args[0], op+"("+args[2]+","+args[3]+")")
			args = args[4:]
		case known:
			q.Add(args[0], op+"("+args[2]+")")
			args = args[3:]
		case isPair:
			q.Add(name, value)
			args = args[1:]
		case slices.Contains(switches, args[0]):
			q.Set(args[0], "true")
			args = args[1:]
			if len(args) > 0 && (args[0] == "true" || args[0] == "false") {
				q.Set(name, args[0])
				args = args[1:]
			}
		case len(args) > 1 && slices.Contains(listWords, args[0]):
			q.Set(args[0], args[1])
			args = args[2:]
		default:
			return &usageError{fmt.Sprintf("%s is no filter: write FIELD=VALUE or FIELD OP VALUE", args[0])}
		}
	}
	return nil
}

func (k *kind) count() *cobra.Command {
	return k.verb(verb{
		use:     "count [filters...]",
		short:   "Count " + k.name,
		long:    fmt.Sprintf("Print how many %s match every filter; see list for how filters are written.", k.name),
		example: fmt.Sprintf("drp %s count\ndrp %s count %s=false", k.name, k.name, k.aFlag()),
		args:    atLeast(0),
		run: func(ctx context.Context, args []string) error {
			q := url.Values{}
			if err := addFilters(q, args); err != nil {
				return err
			}
			var h http.Header
			if _, err := k.do(ctx, http.MethodHead, k.name, nil, client.WithQuery(q), client.WithAnswerHeader(&h)); err != nil {
				return err
			}
			n := h.Get("X-DRP-LIST-FILTER-COUNT")
			if n == "" {
				return fmt.Errorf("count %s: the server does not tell", k.name)
			}
			return k.say("%s", n)
		},
	})
}

// poll are the flags that hold a request until something has changed.
type poll struct{ wait, etag string }

func (p *poll) add(f *pflag.FlagSet) {
	f.StringVar(&p.wait, "wait", "", "wait for a change this long, such as 30s or 5m")
	f.StringVar(&p.etag, "etag", "", "wait for a change since the version with this etag; default: the present one")
}

// options asks for the present version if none was named.
func (p *poll) options(ctx context.Context, k *kind, id string) ([]client.Option, error) {
	if p.wait == "" {
		return nil, nil
	}
	if p.etag == "" {
		var err error
		if p.etag, err = k.etagOf(ctx, id); err != nil {
			return nil, err
		}
	}
	return []client.Option{client.WithHeader("If-None-Match", p.etag), client.WithHeader("Prefer", "wait="+p.wait)}, nil
}

const noChange = "Timeout: no change"

func (k *kind) show() *cobra.Command {
	var s shape
	var p poll
	var at string
	return k.verb(verb{
		use:   "show [id]",
		short: "Show a " + k.single,
		long: fmt.Sprintf("Show one %s.\nWith --wait, show it when it has changed; after that time %q is printed.\n"+
			"With --at, show it as it was at a revision, a time, or some time ago.", k.single, noChange),
		example: k.showExamples(),
		args:    exactly(1),
		flags: func(f *pflag.FlagSet) {
			s.add(f)
			p.add(f)
			f.StringVar(&at, "at", "", "as it was at a revision, a time, or some time ago: 17, 2026-11-21T15:00:00Z, 1h")
			f.BoolVar(&s.aggregate, "aggregate", false, "with the params of all its profiles and of its stage")
		},
		run: func(ctx context.Context, args []string) error {
			if at != "" && p.wait != "" {
				return &usageError{"--at is the past: it does not go with --wait"}
			}
			opts, err := p.options(ctx, k, args[0])
			if err != nil {
				return err
			}
			raw, err := k.do(ctx, http.MethodGet, k.at(args[0]), nil, append(opts, client.WithQuery(s.query()), client.WithFlag("at", at))...)
			if errors.Is(err, client.ErrNotModified) {
				return k.say(noChange)
			}
			return k.shows(raw, err)
		},
	})
}

func (k *kind) showExamples() string {
	call := "drp " + k.name + " show " + k.sample()
	if k.info == models.InterfaceKind {
		return call
	}
	return call + "\n" + call + " --wait 5m\n" + call + " --at 1h"
}

func (k *kind) exists() *cobra.Command {
	var p poll
	return k.verb(verb{
		use:     "exists [id]",
		short:   fmt.Sprintf("Tell by the exit status whether a %s exists", k.single),
		long:    fmt.Sprintf("Succeed without a word when the %s exists, else fail. With --wait, answer when it has changed.", k.single),
		example: fmt.Sprintf("drp %s exists %s && echo yes", k.name, k.sample()),
		args:    exactly(1),
		flags:   p.add,
		run: func(ctx context.Context, args []string) error {
			opts, err := p.options(ctx, k, args[0])
			if err == nil {
				_, err = k.do(ctx, http.MethodHead, k.at(args[0]), nil, opts...)
			}
			switch {
			case errors.Is(err, client.ErrNotModified):
				return k.say(noChange)
			case models.ClassOf(err) == models.NotFound:
				return fmt.Errorf("%s:%s does not exist", k.name, args[0])
			}
			return err
		},
	})
}

func (k *kind) etagOf(ctx context.Context, id string) (string, error) {
	var h http.Header
	_, err := k.do(ctx, http.MethodHead, k.at(id), nil, client.WithAnswerHeader(&h))
	return h.Get("ETag"), err
}

func (k *kind) etag() *cobra.Command {
	return k.verb(verb{
		use:     "etag [id]",
		short:   "Print the version of a " + k.single,
		long:    fmt.Sprintf("Print the etag of a %s, which changes whenever the %s does.", k.single, k.single),
		example: fmt.Sprintf("drp %s etag %s", k.name, k.sample()),
		args:    exactly(1),
		run: func(ctx context.Context, args []string) error {
			etag, err := k.etagOf(ctx, args[0])
			if err != nil {
				return err
			}
			return k.say("%s", etag)
		},
	})
}

func (k *kind) indexes() *cobra.Command {
	return k.verb(verb{
		use:     "indexes",
		short:   fmt.Sprintf("List what %s can be found by", k.name),
		long:    fmt.Sprintf("List the indexes that filters and --sort can use for %s.\nThose that are unique also serve as IDs.", k.name),
		example: fmt.Sprintf("drp %s indexes", k.name),
		args:    none,
		run: func(ctx context.Context, _ []string) error {
			raw, err := k.do(ctx, http.MethodGet, "indexes/"+k.name, nil)
			if err != nil {
				return err
			}
			return k.print(raw)
		},
	})
}

// unnamed are the kinds that need more than a name to be created.
var unnamed = map[string]bool{"reservations": true, "roles": true, "subnets": true, "templates": true, "workflows": true}

func (k *kind) create() *cobra.Command {
	if k.name == "jobs" {
		return k.createJob()
	}
	return k.verb(verb{
		use:   "create [json]",
		short: "Create a " + k.single,
		long: fmt.Sprintf("Create a %s from JSON or YAML, given as text, file, URL or - for stdin. Where only a name is\n"+
			"needed, the name alone will do for most kinds. -f asks the server to relax its checks.", k.single),
		example: fmt.Sprintf("drp %s create '%s'\ndrp %s create - < %s.yaml", k.name, k.body(), k.name, k.single),
		args:    exactly(1),
		run: func(ctx context.Context, args []string) error {
			doc, err := k.object(ctx, args[0])
			if err != nil || isText(doc, args[0]) {
				if unnamed[k.name] {
					return verbatim("Unable to create a new %s by name", k.single)
				}
				doc = document{k.nameField(): args[0]}
			}
			return k.shows(k.do(ctx, http.MethodPost, k.name, doc, k.forced()))
		},
	})
}

// isText tells whether a document came of nothing, as the empty text does.
func isText(doc document, arg string) bool { return len(doc) == 0 && strings.TrimSpace(arg) == "" }

// nameField is the field that a bare name fills: a machine's key is made by the server.
func (k *kind) nameField() string {
	if len(k.info.Unique) > 0 {
		return k.info.Unique[0]
	}
	return k.info.KeyField
}

// forced passes -f on.
func (a *app) forced() client.Option {
	if a.flags.force {
		return client.WithFlag("force", "true")
	}
	return client.WithFlag("force", "")
}

func (k *kind) update() *cobra.Command {
	return k.verb(verb{
		use:   "update [id] [json]",
		short: "Change fields of a " + k.single,
		long: fmt.Sprintf("Lay JSON or YAML (text, file, URL or - for stdin) over a %s. Objects are merged member by\n"+
			"member, lists and the rest replaced, null changes nothing. What is sent is a patch that tests the\n"+
			"old value of each field, so a change by someone else in between makes the update fail.\n"+
			"With -r REF, the %s must be exactly REF, and is not fetched. -f asks the server to relax its checks.", k.single, k.single),
		example: fmt.Sprintf("drp %s update %s '{\"Description\": \"for tests\"}'\ndrp %s update %s changes.yaml -r before.json", k.name, k.sample(), k.name, k.sample()),
		args:    exactly(2),
		run: func(ctx context.Context, args []string) error {
			return k.shows(k.change(ctx, args[0], true, func(doc document) error {
				changes, err := k.object(ctx, args[1])
				if err != nil {
					return verbatim("Failed to generate changed %s:%s object: Unable to unmarshal reference object: %w", k.name, args[0], err)
				}
				merge(doc, changes, keep)
				return nil
			}))
		},
	})
}

// change edits a copy of an object and sends the difference as a patch. The object is fetched, or
// is the reference of -r. Each field that changes is tested for its old value, but with paranoid
// and a reference the whole object is tested to be the reference instead.
func (k *kind) change(ctx context.Context, id string, paranoid bool, edit func(document) error) (json.RawMessage, error) {
	base, err := k.base(ctx, id)
	if err != nil {
		return nil, err
	}
	doc, err := toDocument(base)
	if err != nil {
		return nil, fmt.Errorf("%s/%s: %w", k.name, id, err)
	}
	key, _ := doc[k.info.KeyField].(string)
	if key == "" {
		return nil, fmt.Errorf("the reference has no %s, so it is not a whole %s", k.info.KeyField, k.single)
	}
	if err := edit(doc); err != nil {
		return nil, err
	}
	ops, err := difference(base, must(doc), paranoid && k.flags.refGiven)
	if err != nil {
		return nil, err
	}
	return k.do(ctx, http.MethodPatch, k.at(k.info.CanonicalKey(key)), ops, k.forced())
}

func (k *kind) base(ctx context.Context, id string) (json.RawMessage, error) {
	if k.flags.refGiven {
		return k.reference(ctx)
	}
	return k.do(ctx, http.MethodGet, k.at(id), nil)
}

// difference is the patch from one document to another. Whole tests the old document as one,
// else each operation has its own test.
func difference(old, new json.RawMessage, whole bool) (patch.Patch, error) {
	if !whole {
		return patch.Diff(old, new, patch.Tests)
	}
	ops, err := patch.Diff(old, new, patch.Plain)
	return append(patch.Patch{{Op: "test", Path: "", Value: old}}, ops...), err
}

func (k *kind) patch() *cobra.Command {
	return k.verb(verb{
		use:   "patch [id] [json]",
		short: "Apply a JSON patch to a " + k.single,
		long: fmt.Sprintf("Send a list of RFC 6902 operations (JSON or YAML; text, file, URL or -) for a %s. All of them\n"+
			"apply or none does.", k.single),
		example: fmt.Sprintf("drp %s patch %s '[{\"op\": \"replace\", \"path\": \"/Description\", \"value\": \"new\"}]'", k.name, k.sample()),
		args:    exactly(2),
		run: func(ctx context.Context, args []string) error {
			raw, err := k.value(ctx, args[1])
			if err != nil {
				return err
			}
			ops, err := patch.Decode(raw)
			if err != nil {
				return err
			}
			return k.shows(k.do(ctx, http.MethodPatch, k.at(args[0]), ops, k.forced()))
		},
	})
}

func (k *kind) destroy() *cobra.Command {
	return k.verb(verb{
		use:     "destroy [id]",
		short:   "Remove a " + k.single,
		long:    fmt.Sprintf("Remove a %s from the server. What is in use or comes from a content pack is refused.", k.single),
		example: fmt.Sprintf("drp %s destroy %s", k.name, k.sample()),
		args:    exactly(1),
		run: func(ctx context.Context, args []string) error {
			if _, err := k.do(ctx, http.MethodDelete, k.at(args[0]), nil, k.forced()); err != nil {
				return err
			}
			return k.say("Deleted %s %s", k.single, args[0])
		},
	})
}
