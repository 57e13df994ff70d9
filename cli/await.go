package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"drp/cli/client"
	packs "drp/content"
	"drp/models"
	"drp/models/patch"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// The exit status of a wait that has not come to what was waited for. Task scripts of either
// scheme of exit codes fail by them, and mean nothing else.
const (
	exitTimeout = 4
	exitNever   = 5
)

// waitHelp explains wait. Much of it is the same for all kinds.
func (k *kind) waitHelp() string {
	return fmt.Sprintf("Have the server say when something holds, and print its answer. Nothing is polled, and a restart of\n"+
		"the server or a broken connection goes unnoticed until the time is over (default: one day).\n\n"+
		"With an ID the flags are conditions on that %s that must all hold; without any it must exist.\n"+
		"  --field NAME=VALUE   a field, also one inside another (Meta.color) or at a JSON pointer (/Meta/color);\n"+
		"  --param KEY=VALUE    a param, for kinds that have params. Instead of = there are != > and <. VALUE is JSON\n"+
		"                       or YAML, or - for stdin. Without VALUE, and with !=, there must be a value that\n"+
		"                       is not null.\n"+
		"  --param-count, --field-count 'NAME>=N'   how many elements a list, or members an object, has; or = or <=.\n"+
		"  --filter FILTER      a filter as list takes it, such as 'Name re ^w' (see list).\n"+
		"  --since ETAG         it has changed since (see etag).\n"+
		"Without an ID, --filter selects %s and --count says how many there must be:\n"+
		"N or more, or =N, <=N; default is one. With --all, all that --of selects must match,\nand at least --count of them.\n\n"+
		"--unless ends the wait when a filter matches too: that same %s, or one of those that\n"+
		"--of selects, or with KIND/ID before it another object, as in --unless 'profiles/cluster my/failed=true'.\n\n"+
		"A state that came and went may be missed: wait for what stays. The exit status is 0 when it holds, %d when\n"+
		"the time is over, %d when it can no longer hold (the object is gone, or --unless), 1 for other failures.\n"+
		"On a terminal, and with --progress, stderr shows what is missing.\n\n"+
		"The form of Digital Rebar waits until a field has a value (JSON or YAML) and prints complete; after the\n"+
		"timeout, in seconds or like 5m, default one day, it prints timeout, on an interrupt interrupt, and fails\n"+
		"with 1. An operator (eq, ne, lt, lte, gt, gte) may stand before the value, and instead of FIELD the two\n"+
		"words param KEY; there a param that is not set counts as null.", k.single, k.name, k.single, exitTimeout, exitNever)
}

// predicates are the flags that say what to wait for.
type predicates struct {
	params, fields, filters, of, unless []string
	paramCount, fieldCount, count       string
	since, timeout                      string
	all, appear, progress               bool
}

// selecting are the flags by which the form with an ID or a filter is known.
var selecting = []string{"param", "field", "filter", "of", "unless", "param-count", "field-count", "count", "since", "timeout", "all", "appear", "progress"}

func (p *predicates) add(f *pflag.FlagSet) {
	f.StringArrayVar(&p.params, "param", nil, "KEY=VALUE: a param has this value")
	f.StringArrayVar(&p.fields, "field", nil, "NAME=VALUE: a field has this value")
	f.StringArrayVar(&p.filters, "filter", nil, "what must match, as in list")
	f.StringArrayVar(&p.of, "of", nil, "with --all: of what must all match, as in list")
	f.StringArrayVar(&p.unless, "unless", nil, "end the wait when this matches, as in list; KIND/ID may stand before it")
	f.StringVar(&p.paramCount, "param-count", "", "KEY>=N: a param has so many elements")
	f.StringVar(&p.fieldCount, "field-count", "", "NAME>=N: a field has so many elements")
	f.StringVar(&p.count, "count", "", "how many must match: N or more, =N or <=N")
	f.StringVar(&p.since, "since", "", "the version is no longer that with this etag")
	f.StringVar(&p.timeout, "timeout", "", "how long to wait, in seconds or like 10m; default one day")
	f.BoolVar(&p.all, "all", false, "all must match that --of selects, and at least one")
	f.BoolVar(&p.appear, "appear", false, "go on while the object does not exist")
	f.BoolVar(&p.progress, "progress", false, "show on stderr what is missing, even if that is no terminal")
}

func (p *predicates) given(f *pflag.FlagSet) bool { return slices.ContainsFunc(selecting, f.Changed) }

// complete offers the names that may stand in the flags.
func (p *predicates) complete(k *kind, c *cobra.Command) {
	names := func(more ...string) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return func(_ *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
			var l []string
			for name := range k.info.Indexes() {
				if strings.HasPrefix(name, begun) {
					l = append(l, name+"=")
				}
			}
			slices.Sort(l)
			return append(l, more...), cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
		}
	}
	info, _ := models.KindOf("params")
	params := k.app.kind(info)
	keys := func(c *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		l, _ := params.complete(c, begun)
		for i := range l {
			l[i] += "="
		}
		return l, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
	}
	for flag, offer := range map[string]func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective){
		"field": names(), "filter": names(), "of": names(), "unless": names(), "param": keys,
	} {
		if err := c.RegisterFlagCompletionFunc(flag, offer); err != nil {
			panic(err) // two offers for one flag
		}
	}
}

// waitFor carries out the forms of wait with flags.
func (k *kind) waitFor(ctx context.Context, args []string, p *predicates, aggregate bool) error {
	w, err := k.question(ctx, args, p, aggregate)
	if err != nil {
		return err
	}
	limit := waitLimit
	if p.timeout != "" {
		if limit, err = seconds(p.timeout); err != nil {
			return err
		}
	}
	show := progress{out: k.Err, live: isTerminal(k.Err)}
	how := client.Waiting{Until: time.Now().Add(limit)}
	if show.live || p.progress {
		how.Every, how.Progress = 2*time.Second, show.line
	}
	o, err := k.client.Wait(ctx, *w, how)
	show.end()
	switch {
	case err != nil && ctx.Err() != nil:
		return errors.New("interrupted")
	case err != nil:
		return err
	}
	if err := k.print(o); err != nil {
		return err
	}
	switch o.Result {
	case models.WaitTimeout:
		return &statusError{exitTimeout, fmt.Errorf("timeout after %s: %s", limit, o.Reason)}
	case models.WaitNever:
		return &statusError{exitNever, errors.New(o.Reason)}
	}
	return nil
}

// question makes a question of the words and flags of a call.
func (k *kind) question(ctx context.Context, args []string, p *predicates, aggregate bool) (*models.Wait, error) {
	filter, err := query(p.filters)
	if err != nil {
		return nil, err
	}
	of, err := query(p.of)
	if err != nil {
		return nil, err
	}
	w := &models.Wait{For: models.Predicate{Kind: k.name, Filter: filter.Encode(), Since: p.since, MayAppear: p.appear, All: p.all, Of: of.Encode()}}
	if len(args) > 0 {
		w.For.Key = args[0]
	}
	if err := k.conditions(ctx, &w.For, p); err != nil {
		return nil, err
	}
	w.For.Aggregate = aggregate && w.For.Key != "" // filters see such values anyway
	for _, u := range p.unless {
		one, err := k.unless(u, w.For.Key, of)
		if err != nil {
			return nil, err
		}
		w.Unless = append(w.Unless, one)
	}
	return w, nil
}

// query is filters as a list request has them.
func query(filters []string) (url.Values, error) {
	q := url.Values{}
	for _, f := range filters {
		words := strings.SplitN(strings.TrimSpace(f), " ", 3)
		if len(words) < 3 || operators[strings.ToLower(words[1])] == "" {
			words = []string{f}
		}
		if err := addFilters(q, words); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// unless reads a filter that ends the wait, and what it is about.
func (k *kind) unless(text, key string, of url.Values) (models.Predicate, error) {
	p := models.Predicate{Kind: k.name, Key: key}
	if subject, rest, ok := strings.Cut(text, " "); ok {
		if kind, id, ok := strings.Cut(subject, "/"); ok {
			if _, known := models.KindOf(kind); known {
				p.Kind, p.Key, text, of = kind, id, rest, nil
			}
		}
	}
	q, err := query([]string{text})
	if err != nil {
		return p, err
	}
	if p.Key == "" {
		for name, values := range of {
			q[name] = append(q[name], values...)
		}
	}
	p.Filter = q.Encode()
	return p, nil
}

// conditions adds the tests and counts.
func (k *kind) conditions(ctx context.Context, p *models.Predicate, flags *predicates) error {
	for _, text := range flags.params {
		name, op, value := condition(text)
		if err := k.test(ctx, p, patch.Pointer("Params", name), op, value); err != nil {
			return err
		}
	}
	for _, text := range flags.fields {
		name, op, value := condition(text)
		path, err := k.path(name)
		if err != nil {
			return err
		}
		if err := k.test(ctx, p, path, op, value); err != nil {
			return err
		}
	}
	count := flags.count
	if flags.paramCount != "" || flags.fieldCount != "" {
		if count != "" || flags.paramCount != "" && flags.fieldCount != "" {
			return &usageError{"only one of --count, --param-count and --field-count can be given"}
		}
		name, op, n := condition(flags.paramCount + flags.fieldCount)
		if p.Path, count = patch.Pointer("Params", name), op+n; op == ">" || op == "<" || op == "!=" {
			count = name + count // to be complained about
		}
		if flags.fieldCount != "" {
			var err error
			if p.Path, err = k.path(name); err != nil {
				return err
			}
		}
	}
	if count == "" {
		return nil
	}
	return bound(p, count)
}

var conditionForm = regexp.MustCompile(`(?s)^([^=!<>]+?)\s*(!=|>=|<=|=|<|>)\s*(.*)$`)

// condition splits NAME OP VALUE; without an operator it is a name alone.
func condition(text string) (name, op, value string) {
	if m := conditionForm.FindStringSubmatch(text); m != nil {
		return m[1], m[2], m[3]
	}
	return text, "", ""
}

// bound reads a count: N or >=N, =N, <=N.
func bound(p *models.Predicate, text string) error {
	digits := strings.TrimLeft(text, "<>= ")
	n, err := strconv.Atoi(digits)
	into := map[string]**int{"": &p.AtLeast, ">=": &p.AtLeast, "=": &p.Exactly, "<=": &p.AtMost}[strings.TrimSpace(strings.TrimSuffix(text, digits))]
	if err != nil || into == nil {
		return &usageError{fmt.Sprintf("%s is no count: write N or >=N, =N or <=N", text)}
	}
	*into = &n
	return nil
}

// path leads to a field: given as a JSON pointer, or by names with dots between.
func (k *kind) path(name string) (string, error) {
	if strings.HasPrefix(name, "/") {
		return name, nil
	}
	fields, err := toDocument(must(k.info.New()))
	if err != nil {
		return "", err
	}
	keys := strings.Split(name, ".")
	keys[0] = packs.FieldName(fields, keys[0])
	if _, ok := fields[keys[0]]; !ok {
		return "", fmt.Errorf("%s have no field %s", k.name, keys[0])
	}
	return patch.Pointer(keys...), nil
}

// test adds a condition on what is at a path.
func (k *kind) test(ctx context.Context, p *models.Predicate, path, op, text string) error {
	there := func() {
		p.Tests = append(p.Tests, models.Test{Op: "defined", Path: path},
			models.Test{Op: "not", Apply: []models.Test{{Op: "test", Path: path, Value: []byte("null")}}})
	}
	if op == "" {
		there()
		return nil
	}
	if op == ">=" || op == "<=" {
		return &usageError{fmt.Sprintf("there is no %s for a value: write a --filter with gte or lte", op)}
	}
	value, err := k.value(ctx, text)
	if err != nil {
		return err
	}
	one := models.Test{Op: map[string]string{"=": "test", "!=": "test", ">": "more", "<": "less"}[op], Path: path, Value: value}
	if op == "!=" {
		there()
		one = models.Test{Op: "not", Apply: []models.Test{one}}
	}
	p.Tests = append(p.Tests, one)
	return nil
}

// progress shows on stderr what a wait lacks: on a terminal in one line that changes, else in a
// line for each change.
type progress struct {
	out  io.Writer
	live bool
	last string
}

func (p *progress) line(o models.Outcome) {
	line := "waiting: " + o.Reason
	if r := []rune(line); p.live && len(r) > 100 {
		line = string(r[:99]) + "…"
	}
	if line == p.last {
		return
	}
	p.last = line
	if p.live {
		fmt.Fprint(p.out, "\r\x1b[K"+line)
		return
	}
	fmt.Fprintln(p.out, line)
}

// end removes the line.
func (p *progress) end() {
	if p.live && p.last != "" {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// waits lists who waits at the server just now.
func (a *app) waits() *cobra.Command {
	list := a.command(verb{
		use: "list", short: "List who waits just now, for what, and what is missing",
		long: "Print everybody who waits at the server (wait, show --wait and exists --wait, and scripts of tasks that call\n" +
			"them), the longest first: since when, for which machine and job, for what, and what is missing at present.\n" +
			"For.Since is a wait for any change of an object. It shows waits for what you may see.",
		example: "drp waits list -F table -J Since,Machine,Job,Reason", args: none,
		run: func(ctx context.Context, _ []string) error { return a.prints(a.do(ctx, http.MethodGet, "waits", nil)) },
	})
	return a.group("waits", "Access commands relating to waits", "Tell who waits for what.", "drp waits list", list)
}
