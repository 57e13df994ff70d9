package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/itchyny/gojq"
)

// The exit statuses of jq.
const (
	jqFalse   = 1 // with -e: the last output was false or null
	jqUsage   = 2 // a wrong call, or input that is not JSON
	jqCompile = 3
	jqNothing = 4 // with -e: there was no output
	jqFailed  = 5 // the filter failed
)

// jqOptions is one call of jq.
type jqOptions struct {
	raw, compact, status, null, slurp, join, rawInput, help bool

	indent    string
	fromFile  string
	variables map[string]any
	words     []string // the filter, unless it is in a file, and the names of the input files
}

const jqHelp = `Usage: %s [options] FILTER [file...]

Runs a jq filter over the JSON values in files, or on stdin.
  -r, --raw-output     print strings without quotes    -c, --compact-output  one value a line
  -j, --join-output    like -r, without line ends      -e, --exit-status     1 for false and null, 4 for nothing
  -n, --null-input     run once, with null             -s, --slurp           run once, with all values in a list
  -R, --raw-input      lines of text as strings        -f, --from-file FILE  read the filter from a file
  --tab, --indent N    indentation                     -S, -M, -a            accepted: keys are always sorted, output is plain
  --arg NAME TEXT, --argjson NAME JSON, --slurpfile NAME FILE, --rawfile NAME FILE: set $NAME
`

// jq runs the jq language as a program of that name would.
func jq(name string, args []string, s IO) int {
	o, err := parseJQ(args)
	if err == nil && o.help {
		fmt.Fprintf(s.Out, jqHelp, name)
		return 0
	}
	if err != nil {
		fmt.Fprintf(s.Err, "%s: %v\n", name, err)
		return jqUsage
	}
	in := &feed{}
	code, err := o.compile(in)
	if err != nil {
		fmt.Fprintf(s.Err, "%s: error: %v\n", name, err)
		return jqCompile
	}
	if err := o.open(in, s.In); err != nil {
		fmt.Fprintf(s.Err, "%s: error: %v\n", name, err)
		return jqUsage
	}
	return o.run(name, code, in, s)
}

// flags are the options without a value.
func (o *jqOptions) flags() map[string]*bool {
	var ignored bool
	return map[string]*bool{
		"r": &o.raw, "raw-output": &o.raw, "c": &o.compact, "compact-output": &o.compact,
		"e": &o.status, "exit-status": &o.status, "n": &o.null, "null-input": &o.null,
		"s": &o.slurp, "slurp": &o.slurp, "j": &o.join, "join-output": &o.join,
		"R": &o.rawInput, "raw-input": &o.rawInput, "h": &o.help, "help": &o.help,
		"S": &ignored, "sort-keys": &ignored, "M": &ignored, "monochrome-output": &ignored,
		"a": &ignored, "ascii-output": &ignored,
	}
}

// valued are the options with values, and how many.
var valued = map[string]int{"arg": 2, "argjson": 2, "slurpfile": 2, "rawfile": 2, "f": 1, "from-file": 1, "indent": 1, "tab": 0}

func parseJQ(args []string) (*jqOptions, error) {
	o := &jqOptions{indent: "  ", variables: map[string]any{}}
	flags := o.flags()
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		long, isLong := strings.CutPrefix(arg, "--")
		switch {
		case arg == "--":
			o.words, args = append(o.words, args...), nil
		case isLong:
			rest, err := o.option(flags, long, args)
			if err != nil {
				return nil, err
			}
			args = rest
		case len(arg) > 1 && arg[0] == '-':
			for _, letter := range arg[1:] {
				rest, err := o.option(flags, string(letter), args)
				if err != nil {
					return nil, err
				}
				args = rest
			}
		default:
			o.words = append(o.words, arg)
		}
	}
	if !o.help && o.fromFile == "" && len(o.words) == 0 {
		return nil, errors.New("a filter is needed; see --help")
	}
	return o, nil
}

func (o *jqOptions) option(flags map[string]*bool, name string, args []string) ([]string, error) {
	if flag, ok := flags[name]; ok {
		*flag = true
		return args, nil
	}
	n, ok := valued[name]
	if !ok {
		return nil, fmt.Errorf("unknown option %s; see --help", name)
	}
	if len(args) < n {
		return nil, fmt.Errorf("option %s takes %s", name, plural(n, "value"))
	}
	return args[n:], o.valued(name, args[:n])
}

func (o *jqOptions) valued(name string, v []string) (err error) {
	switch name {
	case "arg":
		o.variables["$"+v[0]] = v[1]
	case "argjson":
		o.variables["$"+v[0]], err = one(v[1])
	case "slurpfile", "rawfile":
		o.variables["$"+v[0]], err = fileValue(v[1], name == "slurpfile")
	case "f", "from-file":
		o.fromFile = v[0]
	case "tab":
		o.indent = "\t"
	case "indent":
		var n int
		if _, err = fmt.Sscan(v[0], &n); err == nil && (n < 0 || n > 8) {
			err = errors.New("indent must be from 0 to 8")
		}
		o.indent, o.compact = strings.Repeat(" ", max(n, 0)), n == 0
	}
	return err
}

func one(text string) (any, error) {
	all, err := values(strings.NewReader(text))
	if err == nil && len(all) != 1 {
		err = errors.New("expected one JSON value")
	}
	if err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	return all[0], nil
}

func fileValue(name string, slurp bool) (any, error) {
	raw, err := os.ReadFile(name)
	if err != nil || !slurp {
		return string(raw), err
	}
	return values(bytes.NewReader(raw))
}

// values reads JSON values until the end. Numbers keep their digits.
func values(r io.Reader) ([]any, error) {
	d := json.NewDecoder(r)
	d.UseNumber()
	all := []any{}
	for {
		var v any
		switch err := d.Decode(&v); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, err
		}
		all = append(all, v)
	}
}

// feed gives the input values one by one as they arrive, to the filter's runs and to its input
// and inputs alike.
type feed struct {
	next func() (any, error) // io.EOF at the end
	err  error               // of the input; nothing comes after it
}

func (f *feed) Next() (any, bool) {
	if f.err != nil {
		return nil, false
	}
	v, err := f.next()
	if errors.Is(err, io.EOF) {
		f.err = err
		return nil, false
	}
	if err != nil {
		f.err = err
		return err, true
	}
	return v, true
}

func (o *jqOptions) compile(in gojq.Iter) (*gojq.Code, error) {
	var text string
	if o.fromFile != "" {
		raw, err := os.ReadFile(o.fromFile)
		if err != nil {
			return nil, err
		}
		text = string(raw)
	} else {
		text, o.words = o.words[0], o.words[1:]
	}
	query, err := gojq.Parse(text)
	if err != nil {
		return nil, err
	}
	return gojq.Compile(query, gojq.WithVariables(slices.Sorted(maps.Keys(o.variables))), gojq.WithEnvironLoader(os.Environ), gojq.WithInputIter(in))
}

// open sets the feed on the files that were named, or on stdin.
func (o *jqOptions) open(f *feed, in io.Reader) error {
	var readers []io.Reader
	for _, name := range o.words {
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		readers = append(readers, bytes.NewReader(raw))
	}
	if len(readers) > 0 {
		in = io.MultiReader(readers...)
	}
	f.next = o.reader(in)
	return nil
}

// reader reads one input value after the other.
func (o *jqOptions) reader(r io.Reader) func() (any, error) {
	switch {
	case o.rawInput && o.slurp:
		return once(func() (any, error) {
			text, err := io.ReadAll(r)
			return string(text), err
		})
	case o.slurp:
		return once(func() (any, error) { return values(r) })
	case o.rawInput:
		lines := bufio.NewReader(r)
		return func() (any, error) {
			line, err := lines.ReadString('\n')
			if line != "" && errors.Is(err, io.EOF) {
				err = nil
			}
			return strings.TrimSuffix(line, "\n"), err
		}
	}
	d := json.NewDecoder(r)
	d.UseNumber()
	return func() (v any, err error) {
		err = d.Decode(&v)
		return v, err
	}
}

func once(read func() (any, error)) func() (any, error) {
	done := false
	return func() (any, error) {
		if done {
			return nil, io.EOF
		}
		done = true
		return read()
	}
}

// run runs the filter over every input; a failure of one does not keep the others from running.
func (o *jqOptions) run(name string, code *gojq.Code, in gojq.Iter, s IO) int {
	if o.null {
		in = gojq.NewIter[any](nil)
	}
	j := jqRun{jqOptions: o, IO: s, name: name, verdict: jqNothing}
	for _, k := range slices.Sorted(maps.Keys(o.variables)) {
		j.vars = append(j.vars, o.variables[k])
	}
	for v, ok := in.Next(); ok; v, ok = in.Next() {
		if err, failed := v.(error); failed {
			fmt.Fprintf(s.Err, "%s: error: %v\n", name, err)
			return jqUsage
		}
		if j.outputs(code.Run(v, j.vars...)) {
			return j.status
		}
	}
	if j.status == 0 && o.status {
		return j.verdict
	}
	return j.status
}

// jqRun is what has come of a call so far.
type jqRun struct {
	*jqOptions
	IO
	name    string
	vars    []any
	status  int
	verdict int // on the last output, for -e
}

// outputs prints what the filter makes of one input; true: the program ends now.
func (j *jqRun) outputs(out gojq.Iter) (end bool) {
	for v, ok := out.Next(); ok; v, ok = out.Next() {
		err, failed := v.(error)
		if halt := (*gojq.HaltError)(nil); failed && errors.As(err, &halt) {
			j.status = halted(halt, j.IO)
			return true
		}
		if failed {
			fmt.Fprintf(j.Err, "%s: error: %v\n", j.name, err)
			j.status = jqFailed
			return false
		}
		j.verdict = 0
		if v == nil || v == false {
			j.verdict = jqFalse
		}
		if err := j.print(j.Out, v); err != nil {
			fmt.Fprintf(j.Err, "%s: error: %v\n", j.name, err)
			j.status = jqUsage
			return true
		}
	}
	return false
}

// halted is what halt and halt_error ask for.
func halted(h *gojq.HaltError, s IO) int {
	switch v := h.Value().(type) {
	case nil:
	case string:
		fmt.Fprint(s.Err, v)
	default:
		raw, err := gojq.Marshal(v)
		if err == nil {
			fmt.Fprintf(s.Err, "%s\n", raw)
		}
	}
	return h.ExitCode()
}

func (o *jqOptions) print(w io.Writer, v any) error {
	end := "\n"
	if o.join {
		end = ""
	}
	if text, ok := v.(string); ok && (o.raw || o.join) {
		_, err := io.WriteString(w, text+end)
		return err
	}
	raw, err := gojq.Marshal(v)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if o.compact {
		b.Write(raw)
	} else if err := json.Indent(&b, raw, "", o.indent); err != nil {
		return err
	}
	b.WriteString(end)
	_, err = w.Write(b.Bytes())
	return err
}
