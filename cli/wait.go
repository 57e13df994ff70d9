package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"time"

	"drp/cli/client"
	packs "drp/content"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const waitLimit = 24 * time.Hour

func (k *kind) wait() *cobra.Command {
	var aggregate bool
	var p predicates
	c := k.verb(verb{
		use:   "wait [id] [field] [value] [timeout]",
		short: fmt.Sprintf("Wait until a %s, or how many there are, has come to a state", k.single),
		long:  k.waitHelp(),
		example: fmt.Sprintf("drp %s wait %s --field Available=true --timeout 10m\ndrp %s wait --filter Available=true --count 5\n"+
			"drp %s wait --filter Available=true --all --unless 'ReadOnly=true'\n"+
			"drp %s wait %s Available true 60\ndrp profiles wait cluster --param 'my/leader!=none' --aggregate\n"+
			"drp profiles wait cluster --param-count 'cluster/machines>=5' --timeout 1h\n"+
			"drp machines wait --filter WorkflowComplete=true --all --of Profiles=cluster --count 5 --unless Runnable=false",
			k.name, k.sample(), k.name, k.name, k.name, k.sample()),
		args: func(c *cobra.Command, args []string) string {
			if p.given(c.Flags()) {
				return between(0, 1, " takes an ID and no further words beside its flags")(c, args)
			}
			return between(3, 6, " requires 3 or 4 arguments")(c, args)
		},
		flags: func(f *pflag.FlagSet) {
			f.BoolVar(&aggregate, "aggregate", false, "params as they are in force, wherever they are set, defaults included")
			p.add(f)
		},
		run: func(ctx context.Context, args []string) error {
			if len(args) < 2 {
				return k.waitFor(ctx, args, &p, aggregate)
			}
			w := &waiter{kind: k, id: args[0], aggregate: aggregate}
			if err := w.parse(ctx, args[1:]); err != nil {
				return err
			}
			return w.report(ctx, w.run(ctx))
		},
	})
	p.complete(k, c)
	return c
}

// waiter is one condition to wait for.
type waiter struct {
	*kind
	id        string
	field     string // or
	param     string
	aggregate bool
	op        string
	value     json.RawMessage
	limit     time.Duration
}

// parse reads FIELD [OP] VALUE [TIMEOUT] or param KEY [OP] VALUE [TIMEOUT].
func (w *waiter) parse(ctx context.Context, args []string) (err error) {
	w.op, w.limit = "eq", waitLimit
	w.field, args = args[0], args[1:]
	if w.field == "param" {
		w.field, w.param, args = "", args[0], args[1:]
	}
	if _, isOp := relations[args[0]]; isOp && len(args) > 1 {
		w.op, args = args[0], args[1:]
	}
	if len(args) == 0 || len(args) > 2 {
		return &usageError{"wait: expected a value and perhaps a timeout"}
	}
	if w.value, err = w.kind.value(ctx, args[0]); err != nil {
		return err
	}
	if len(args) == 2 {
		w.limit, err = seconds(args[1])
	}
	return err
}

// seconds reads a number of seconds or a duration with a unit.
func seconds(s string) (time.Duration, error) {
	if n, err := strconv.ParseInt(s, 10, 32); err == nil {
		return time.Duration(n) * time.Second, nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%s is no timeout: write seconds, or a number with a unit such as 5m", s)
	}
	return d, nil
}

// errTimeout ends a wait whose time is over.
var errTimeout = errors.New("timeout")

// run looks, and looks again whenever something has happened, until the condition holds. The
// subscription stands before the first look, so no change is missed.
func (w *waiter) run(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, w.limit, errTimeout)
	defer cancel()
	doc, err := w.fetch(ctx)
	if err != nil {
		return w.cause(ctx, err)
	}
	key := w.info.CanonicalKey(fmt.Sprint(doc[w.info.KeyField]))
	events, err := w.client.Watch(ctx, w.filters(key)...)
	if err != nil {
		return w.cause(ctx, err)
	}
	defer events.Close()
	for {
		ok, err := w.look(ctx, key)
		if ok || err != nil {
			return w.cause(ctx, err)
		}
		if _, err := events.Next(ctx); err != nil {
			return w.cause(ctx, err)
		}
	}
}

// cause is why the wait has ended, when it was not for its own reason.
func (w *waiter) cause(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// filters are the events after which to look again.
func (w *waiter) filters(key string) []string {
	k := escapeKey.Replace(key)
	f := []string{w.name + ".update." + k, w.name + ".save." + k, w.name + ".delete." + k}
	if w.aggregate {
		f = append(f, "profiles,stages,params.*.*")
	}
	return f
}

// escapeKey is how a key is written in a filter.
var escapeKey = strings.NewReplacer(".", `\1`, ",", `\2`, "*", `\3`)

func (w *waiter) fetch(ctx context.Context) (document, error) {
	raw, err := w.do(ctx, http.MethodGet, w.at(w.id), nil)
	if err != nil {
		return nil, err
	}
	return toDocument(raw)
}

func (w *waiter) look(ctx context.Context, key string) (bool, error) {
	have, err := w.have(ctx, key)
	if err != nil {
		return false, err
	}
	return holds(w.op, have, w.value)
}

// have is the present value, null where there is none.
func (w *waiter) have(ctx context.Context, key string) (json.RawMessage, error) {
	if w.param != "" {
		var opts []client.Option
		if w.aggregate {
			opts = append(opts, client.WithFlag("aggregate", "true"))
		}
		return w.do(ctx, http.MethodGet, w.at(key, "params", w.param), nil, opts...)
	}
	raw, err := w.do(ctx, http.MethodGet, w.at(key), nil)
	if err != nil {
		return nil, err
	}
	doc, err := toDocument(raw)
	if err != nil {
		return nil, err
	}
	name := packs.FieldName(doc, w.field)
	if _, ok := doc[name]; !ok {
		return nil, fmt.Errorf("%s have no field %s", w.name, w.field)
	}
	return must(doc[name]), nil
}

// report prints how the wait has ended.
func (w *waiter) report(ctx context.Context, err error) error {
	what := "the field " + w.field
	if w.param != "" {
		what = "the param " + w.param
	}
	word := "complete"
	switch {
	case err == nil:
	case errors.Is(err, errTimeout):
		word, err = "timeout", fmt.Errorf("after %s %s of %s/%s is still not as awaited", w.limit, what, w.name, w.id)
	case ctx.Err() != nil:
		word, err = "interrupt", errors.New("interrupted")
	default:
		return err
	}
	if printed := w.say("%s", word); printed != nil {
		return printed
	}
	return err
}

// relations tell from the order of two values whether a condition holds.
var relations = map[string]func(order int, comparable bool) bool{
	"eq":  func(o int, c bool) bool { return c && o == 0 },
	"ne":  func(o int, c bool) bool { return !c || o != 0 },
	"lt":  func(o int, c bool) bool { return c && o < 0 },
	"lte": func(o int, c bool) bool { return c && o <= 0 },
	"gt":  func(o int, c bool) bool { return c && o > 0 },
	"gte": func(o int, c bool) bool { return c && o >= 0 },
}

// holds compares two values. Numbers and strings have an order; others are equal or different.
func holds(op string, have, want json.RawMessage) (bool, error) {
	if op == "eq" || op == "ne" {
		same, err := equal(have, want)
		return same == (op == "eq"), err
	}
	var a, b any
	if err := errors.Join(number(have, &a), number(want, &b)); err != nil {
		return false, err
	}
	order, ok := compare(a, b)
	return relations[op](order, ok), nil
}

func number(raw json.RawMessage, into *any) error {
	v, err := generic(raw)
	*into = v
	return err
}

func equal(a, b json.RawMessage) (bool, error) {
	ops, err := difference(a, b, false)
	return len(ops) == 0, err
}

func compare(a, b any) (int, bool) {
	switch x := a.(type) {
	case json.Number:
		if y, ok := b.(json.Number); ok {
			p, _, perr := big.ParseFloat(x.String(), 10, 256, big.ToNearestEven)
			q, _, qerr := big.ParseFloat(y.String(), 10, 256, big.ToNearestEven)
			return order(p, q), perr == nil && qerr == nil
		}
	case string:
		y, ok := b.(string)
		return strings.Compare(x, y), ok
	}
	return 0, false
}

func order(p, q *big.Float) int {
	if p == nil || q == nil {
		return 0
	}
	return p.Cmp(q)
}
