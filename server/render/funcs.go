package render

import (
	"fmt"
	"reflect"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"text/template"

	library "drp/models/functions"
)

// function is one that templates may call.
type function struct {
	fn      reflect.Value
	wrapped reflect.Type // the same, but for an error as second result
	shallow bool         // looks at its arguments no deeper than their own elements
	charge  charge
	guard   guard // may be nil
	slow    bool
}

// slowFuncs may take a good part of a second each: the clock is looked at before every one of them.
var slowFuncs = []string{
	"bcrypt", "htpasswd", "derivePassword", "genPrivateKey", "buildCustomCert",
	"genCA", "genCAWithKey", "genSelfSignedCert", "genSelfSignedCertWithKey", "genSignedCert", "genSignedCertWithKey",
}

// charge is what a result costs, given what the arguments weigh.
type charge func(m *meter, args int, result reflect.Value) error

func chargeFor(name string) charge {
	switch {
	case slices.Contains(handOver, name):
		return func(*meter, int, reflect.Value) error { return nil }
	case name == "set":
		return func(m *meter, _ int, _ reflect.Value) error { return m.charge(entryCost) }
	case name == "fromJson" || name == "mustFromJson":
		return func(m *meter, args int, _ reflect.Value) error { return m.charge(parseCost * args) }
	}
	return func(m *meter, args int, result reflect.Value) error {
		if k := result.Kind(); k == reflect.Slice || k == reflect.Map || k == reflect.Interface {
			if err := m.charge(copyCost * args); err != nil {
				return err
			}
		}
		return m.spend(shallow(result))
	}
}

// guard refuses a call that would take too much before it is made.
type guard func(args []any) error

// shallowFuncs neither copy, compare nor print what their arguments hold, so they may be given
// values of any weight. All others have their arguments weighed; those that take numbers too,
// since they print what is none.
var shallowFuncs = []string{
	"get", "set", "unset", "hasKey", "pluck", "values", "pick", "omit", "dig",
	"list", "tuple", "append", "push", "mustAppend", "mustPush", "prepend", "mustPrepend", "first", "mustFirst",
	"last", "mustLast", "rest", "mustRest", "initial", "mustInitial", "reverse", "mustReverse",
	"default", "empty", "coalesce", "all", "any", "ternary", "compact", "mustCompact",
	"typeOf", "typeIs", "typeIsLike", "kindOf", "kindIs",
	"contains", "hasPrefix", "hasSuffix", "trimPrefix", "trimSuffix", "trim",
}

// handOver return one of their arguments, or a part of it, and so cost nothing but the step.
var handOver = []string{
	"get", "unset", "dig", "first", "mustFirst", "last", "mustLast", "default", "coalesce", "ternary",
	"trimPrefix", "trimSuffix", "trim", "slice", "mustSlice", "trunc", "substr",
}

const (
	copyCost  = 4  // a copy of a value, for each byte of its text
	parseCost = 16 // a value made of text, for each byte of that
	entryCost = 128
)

var guards = map[string]guard{
	"repeat":    func(a []any) error { return fits(times(num(a, 0), len(str(a, 1)))) },
	"indent":    indentGuard,
	"nindent":   indentGuard,
	"replace":   replaceGuard,
	"until":     func(a []any) error { return countable(0, num(a, 0), 1) },
	"untilStep": func(a []any) error { return countable(num(a, 0), num(a, 1), num(a, 2)) },
	"seq":       seqGuard,

	"randAlphaNum": randGuard, "randAlpha": randGuard, "randAscii": randGuard, "randNumeric": randGuard, "randBytes": randGuard,

	"join":      func(a []any) error { return fits(times(len(str(a, 0)), length(a, 1))) },
	"wrapWith":  func(a []any) error { return fits(times(len(str(a, 1))+1, len(str(a, 2)))) },
	"splitList": func(a []any) error { return fits(times(24, strings.Count(str(a, 1), str(a, 0)))) },
	"split":     func(a []any) error { return fits(times(96, strings.Count(str(a, 1), str(a, 0)))) },
	"splitn":    func(a []any) error { return fits(times(96, strings.Count(str(a, 2), str(a, 0)))) },
	"uniq":      uniqGuard, "mustUniq": uniqGuard, "without": withoutGuard, "mustWithout": withoutGuard,
	"fromJson": fromJSONGuard, "mustFromJson": fromJSONGuard,
	"toPrettyJson": prettyGuard, "mustToPrettyJson": prettyGuard,
	"chunk": chunkGuard, "mustChunk": chunkGuard,
	"printf": printfGuard, "genPrivateKey": keyGuard,
	"addf": floatGuard, "subf": floatGuard, "mulf": floatGuard, "divf": floatGuard,

	"regexMatch": regexGuard, "mustRegexMatch": regexGuard, "regexFind": regexGuard, "mustRegexFind": regexGuard,
	"regexFindAll": regexListGuard, "mustRegexFindAll": regexListGuard, "regexSplit": regexListGuard, "mustRegexSplit": regexListGuard,
	"regexReplaceAll": regexReplaceGuard, "mustRegexReplaceAll": regexReplaceGuard,
	"regexReplaceAllLiteral": regexReplaceGuard, "mustRegexReplaceAllLiteral": regexReplaceGuard,
}

// functions is what templates may call beside the language's own and the methods of the data.
func functions() map[string]function {
	all := library.Library()
	all["eq"], all["ne"] = equal, notEqual
	// The language's own that write text are called as functions of ours, so that they are bounded.
	all["print"], all["println"], all["printf"] = fmt.Sprint, fmt.Sprintln, fmt.Sprintf
	all["html"], all["js"], all["urlquery"] = template.HTMLEscaper, template.JSEscaper, template.URLQueryEscaper
	table := make(map[string]function, len(all))
	for name, fn := range all {
		table[name] = newFunction(name, fn)
	}
	return table
}

// known is what the parser accepts as a function.
func known(table map[string]function) map[string]any {
	names := map[string]any{}
	for name, f := range table {
		names[name] = f.fn.Interface()
	}
	for _, name := range []string{"and", "or", "not", "len", "index", "call", "lt", "le", "gt", "ge"} {
		names[name] = name // the language's own; the parser only asks whether there is one
	}
	return names
}

var errorType = reflect.TypeFor[error]()

func newFunction(name string, fn any) function {
	v := reflect.ValueOf(fn)
	t := v.Type()
	in := make([]reflect.Type, t.NumIn())
	for i := range in {
		in[i] = t.In(i)
	}
	return function{
		fn: v, wrapped: reflect.FuncOf(in, []reflect.Type{t.Out(0), errorType}, t.IsVariadic()),
		shallow: slices.Contains(shallowFuncs, name), charge: chargeFor(name), guard: guards[name],
		slow: slices.Contains(slowFuncs, name),
	}
}

// metered is the function as one run may call it. A panic inside is an error of the template,
// which text/template sees to.
func (f function) metered(m *meter) any {
	out := f.wrapped.Out(0)
	return reflect.MakeFunc(f.wrapped, func(args []reflect.Value) []reflect.Value {
		fail := func(err error) []reflect.Value {
			return []reflect.Value{reflect.Zero(out), reflect.ValueOf(&err).Elem()}
		}
		weight, err := f.admit(m, args)
		if err != nil {
			return fail(err)
		}
		var res []reflect.Value
		if f.wrapped.IsVariadic() {
			res = f.fn.CallSlice(args)
		} else {
			res = f.fn.Call(args)
		}
		if len(res) == 2 && !res[1].IsNil() {
			return fail(res[1].Interface().(error))
		}
		if err := f.charge(m, weight, res[0]); err != nil {
			return fail(err)
		}
		return []reflect.Value{res[0], reflect.Zero(errorType)}
	}).Interface()
}

// admit counts the call, and returns what the arguments weigh where that matters.
func (f function) admit(m *meter, args []reflect.Value) (weight int, err error) {
	if err := m.tick(); err != nil {
		return 0, err
	}
	if f.slow {
		if err := m.expired(); err != nil {
			return 0, err
		}
	}
	if f.shallow && f.guard == nil {
		return 0, nil
	}
	flat := flatten(args, f.wrapped.IsVariadic())
	if !f.shallow {
		w, err := weigh(flat...)
		if err != nil {
			return 0, err
		}
		weight = w.bytes
	}
	if f.guard == nil {
		return weight, nil
	}
	return weight, f.guard(flat)
}

// flatten is the arguments one by one, as the template gave them.
func flatten(args []reflect.Value, variadic bool) []any {
	flat := make([]any, 0, len(args)+4)
	for i, a := range args {
		if !variadic || i < len(args)-1 {
			flat = append(flat, plain(a))
			continue
		}
		for j := range a.Len() {
			flat = append(flat, plain(a.Index(j)))
		}
	}
	return flat
}

func plain(v reflect.Value) any {
	if !v.IsValid() || !v.CanInterface() {
		return nil
	}
	return v.Interface()
}

func num(args []any, i int) int {
	if i < len(args) {
		if n, ok := args[i].(int); ok {
			return n
		}
	}
	return 0
}

func str(args []any, i int) string {
	if i < len(args) {
		if s, ok := args[i].(string); ok {
			return s
		}
	}
	return ""
}

func length(args []any, i int) int {
	if i >= len(args) || args[i] == nil {
		return 0
	}
	switch v := reflect.ValueOf(args[i]); v.Kind() {
	case reflect.Slice, reflect.Array, reflect.Map, reflect.String:
		return v.Len()
	}
	return 0
}

// times multiplies sizes without overflow; what is negative is nothing.
func times(a, b int) int {
	if a <= 0 || b <= 0 {
		return 0
	}
	if a > 1<<40/b {
		return 1 << 40
	}
	return a * b
}

func fits(bytes int) error {
	if bytes > maxValue {
		return stop("a value would be larger than %d MiB", maxValue>>20)
	}
	return nil
}

func indentGuard(a []any) error {
	return fits(times(num(a, 0), strings.Count(str(a, 1), "\n")+1))
}

func replaceGuard(a []any) error {
	old, with, src := str(a, 0), str(a, 1), str(a, 2)
	return fits(len(src) + times(strings.Count(src, old), len(with)))
}

// countable bounds lists of numbers. Counting near the largest number would never end.
func countable(from, to, step int) error {
	const far = 1 << 40
	for _, n := range []int{from, to, step} {
		if n > far || n < -far {
			return stop("counts too far")
		}
	}
	span, stride := max(to-from, from-to), max(step, -step, 1)
	return fits(times(span/stride, 8))
}

func seqGuard(a []any) error {
	from, to, step := 1, 0, 1
	switch len(a) {
	case 1:
		to = num(a, 0)
	case 2:
		from, to = num(a, 0), num(a, 1)
	case 3:
		from, step, to = num(a, 0), num(a, 1), num(a, 2)
	}
	return countable(from, to, step)
}

func randGuard(a []any) error {
	if num(a, 0) > 1<<16 {
		return stop("asks for more than 65536 random characters")
	}
	return nil
}

// maxMatched bounds the text that regular expressions look at; each match costs far more than
// the bytes it has.
const (
	maxMatched = 1 << 20
	maxMatches = 100_000 // that are replaced
)

// maxCompares bounds what compares or matches everything with everything.
const maxCompares = 50_000_000

func uniqGuard(a []any) error {
	w, err := weigh(a...)
	if err == nil && times(length(a, 0), w.bytes/16) > maxCompares {
		err = stop("has too much to compare")
	}
	return err
}

func withoutGuard(a []any) error {
	w, err := weigh(a...)
	if err == nil && times(len(a), w.bytes/16) > maxCompares {
		err = stop("has too much to compare")
	}
	return err
}

func fromJSONGuard(a []any) error { return fits(times(len(str(a, 0)), 8)) }

func prettyGuard(a []any) error {
	w, err := weigh(a...)
	if err != nil {
		return err
	}
	return fits(w.bytes + times(w.nodes, 2*(w.deepest+1)))
}

func chunkGuard(a []any) error {
	if num(a, 0) <= 0 {
		return stop("chunk of no size")
	}
	return nil
}

// printfGuard adds up what each verb may print: its width, its precision, and the heaviest of
// the arguments.
func printfGuard(a []any) error {
	format := str(a, 0)
	heaviest := 0
	for _, v := range a[min(1, len(a)):] {
		w, err := weigh(v)
		if err != nil {
			return err
		}
		heaviest = max(heaviest, 6*w.bytes, starWidth(v))
	}
	verbs, digits, widths := 0, 0, 0
	for i := range len(format) {
		switch c := format[i]; {
		case c >= '0' && c <= '9':
			digits = min(digits*10+int(c-'0'), 1<<20)
			continue
		case c == '%':
			verbs++
		}
		widths, digits = widths+digits, 0
	}
	return fits(len(format) + widths + times(verbs, heaviest))
}

// starWidth is what an argument may mean as the width of "%*d".
func starWidth(v any) int {
	switch n := reflect.ValueOf(v); {
	case n.CanInt():
		if i := n.Int(); i > -1<<20 && i < 1<<20 {
			return int(max(i, -i))
		}
	case n.CanUint():
		if i := n.Uint(); i < 1<<20 {
			return int(i)
		}
	}
	return 64
}

func regexGuard(a []any) error {
	re, err := syntax.Parse(str(a, 0), syntax.Perl)
	if err != nil {
		return fmt.Errorf("regular expression: %w", err)
	}
	prog, err := syntax.Compile(re.Simplify())
	if err != nil {
		return fmt.Errorf("regular expression: %w", err)
	}
	if n := len(str(a, 1)); n > maxMatched || times(len(prog.Inst), n) > maxCompares {
		return stop("has too much to match")
	}
	return nil
}

func regexListGuard(a []any) error {
	if err := regexGuard(a); err != nil {
		return err
	}
	return fits(times(len(str(a, 1)), 8))
}

// regexReplaceGuard counts the matches, since each is replaced, and may stand in its own
// replacement several times.
func regexReplaceGuard(a []any) error {
	if err := regexGuard(a); err != nil {
		return err
	}
	src, with := str(a, 1), str(a, 2)
	re, err := regexp.Compile(str(a, 0))
	if err != nil {
		return fmt.Errorf("regular expression: %w", err)
	}
	matches := len(re.FindAllStringIndex(src, maxMatches+1))
	if matches > maxMatches {
		return stop("has too much to match")
	}
	return fits(len(src) + times(matches, len(with)) + times(strings.Count(with, "$"), len(src)))
}

// keyGuard refuses what takes longer than a request may.
func keyGuard(a []any) error {
	if str(a, 0) == "dsa" {
		return stop("dsa keys take too long to make")
	}
	return nil
}

// floatGuard: each factor adds 300 digits.
func floatGuard(a []any) error {
	if len(a) > 64 {
		return stop("calculates with more than 64 numbers at once")
	}
	return nil
}
