package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// What a short schema can ask of a short value is far more than what their sizes tell: each of a
// thousand elements against each of a thousand constants, or long texts against expressions that
// unfold. All of it is charged to one account, of about a microsecond a piece.

// account makes a compiled schema, and all that it leads to, charge for being applied before it is.
// The library offers no such hook but the format, which it looks at before it goes any deeper; what
// it looks at before that are the type, which costs nothing, and constants, which are moved.
func (s *Schema) account(root *jsonschema.Schema) {
	seen := map[*jsonschema.Schema]bool{}
	reach(reflect.ValueOf(root), func(c *jsonschema.Schema) bool {
		if seen[c] {
			return false
		}
		seen[c] = true
		return true
	})
	for c := range seen {
		price := price(c)
		format := c.Format
		if format == nil {
			format = &jsonschema.Format{Name: "any", Validate: func(any) error { return nil }}
		}
		check, name := format.Validate, format.Name
		if name == "regex" { // the library would pass our hook by
			name, check = "regular expression", s.isExpression
		}
		c.Format = &jsonschema.Format{Name: name, Validate: func(v any) error {
			s.spend(price + members(v))
			return check(v)
		}}
		if c.Enum != nil || c.Const != nil {
			c.AllOf = append(slices.Clone(c.AllOf), &jsonschema.Schema{
				DraftVersion: c.DraftVersion, Location: c.Location + constants, Enum: c.Enum, Const: c.Const,
			})
			c.Enum, c.Const = nil, nil
		}
	}
}

// constants marks the place in a schema that we have moved its constants to.
const constants = "#constants"

func (s *Schema) isExpression(v any) error {
	text, ok := v.(string)
	if !ok {
		return nil
	}
	n, err := instructions(text)
	s.spend(n / 8)
	return err
}

// reach calls fn with every schema that a compiled one leads to, as long as fn wants to go on from
// there.
func reach(v reflect.Value, fn func(*jsonschema.Schema) bool) {
	switch v.Kind() {
	case reflect.Interface:
		reach(v.Elem(), fn)
	case reflect.Pointer:
		c, ok := v.Interface().(*jsonschema.Schema)
		_, ref := v.Interface().(*jsonschema.DynamicRef)
		if v.IsNil() || ok && !fn(c) || !ok && !ref {
			return
		}
		for i := range v.Elem().NumField() {
			if v.Elem().Type().Field(i).IsExported() {
				reach(v.Elem().Field(i), fn)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			reach(v.Index(i), fn)
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			reach(it.Value(), fn)
		}
	}
}

// price is what it takes to apply a schema to one value, without its subschemas.
func price(c *jsonschema.Schema) int {
	n := 1 + len(c.Required) + len(c.Properties) + len(c.PatternProperties) + len(c.Dependencies) + len(c.DependentRequired) +
		len(c.AllOf) + len(c.AnyOf) + len(c.OneOf)
	for _, d := range c.Dependencies {
		if names, ok := d.([]string); ok {
			n += len(names)
		}
	}
	for _, names := range c.DependentRequired {
		n += len(names)
	}
	if c.Enum != nil {
		n += nodes(c.Enum.Values) / 4
	}
	if c.Const != nil {
		n += nodes(*c.Const) / 4
	}
	return n
}

// members is what it takes to go through a value once.
func members(v any) int {
	switch v := v.(type) {
	case string:
		return len(v) / 64
	case []any:
		return len(v)
	case map[string]any:
		return len(v)
	}
	return 0
}

// nodes is how many values there are in one.
func nodes(v any) int {
	n := 1
	switch v := v.(type) {
	case string:
		n += len(v) / 64
	case []any:
		for _, e := range v {
			n += nodes(e)
		}
	case map[string]any:
		for _, e := range v {
			n += 1 + nodes(e)
		}
	}
	return n
}

// spend charges work to a schema that is being applied.
func (s *Schema) spend(n int) {
	if s.work += n; s.work > maxWork {
		panic(errWork)
	}
}

// expression charges for what it takes to match a text: up to each of its bytes against each
// instruction.
type expression struct {
	*regexp.Regexp
	schema *Schema
	size   int
}

// What the regular expressions of one schema may come to: a few letters unfold to thousands of
// instructions.
const (
	maxExpression   = 4096 // bytes of one
	maxInstructions = 100_000
)

// expression makes the regular expressions of a schema.
func (s *Schema) expression(text string) (jsonschema.Regexp, error) {
	n, err := instructions(text)
	if s.instructions += n; err == nil && s.instructions > maxInstructions {
		err = errors.New("the regular expressions of the schema are too large; repeat less often in them")
	}
	if err != nil {
		s.refused = err
		return nil, err
	}
	re, err := regexp.Compile(text)
	return expression{re, s, n}, err
}

// instructions is how large an expression is once it is unfolded.
func instructions(text string) (int, error) {
	if len(text) > maxExpression {
		return 0, fmt.Errorf("a regular expression is longer than %d bytes", maxExpression)
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return 0, err
	}
	prog, err := syntax.Compile(parsed.Simplify())
	if err != nil {
		return 0, err
	}
	return len(prog.Inst), nil
}

func (e expression) MatchString(text string) bool {
	e.schema.spend(1 + len(text)*e.size/256)
	return e.Regexp.MatchString(text)
}

// maxDigits bounds numbers, which are compared exactly: 1e400 is beyond all that programs
// calculate with, and one of a million digits takes a second to look at.
const maxDigits = 400

var errNumber = errors.New("a number is too large, too small or too long to be compared")

var errDeep = errors.New("a value is too large for being so deep")

// maxPlaces bounds the sum of the depths of all that is in a value: each may become an error that
// tells its way.
const maxPlaces = 10_000_000

// sound checks that a value can be compared and described.
func sound(v any) error {
	places := 0
	return inspect(v, 1, &places)
}

func inspect(v any, depth int, places *int) error {
	if *places += depth; *places > maxPlaces {
		return errDeep
	}
	switch v := v.(type) {
	case json.Number:
		mantissa, exponent, _ := strings.Cut(strings.ToLower(string(v)), "e")
		e, err := strconv.Atoi(exponent)
		if exponent != "" && err != nil || len(mantissa) > maxDigits || e > maxDigits || e < -maxDigits {
			return errNumber
		}
	case []any:
		for _, e := range v {
			if err := inspect(e, depth+1, places); err != nil {
				return err
			}
		}
	case map[string]any:
		for _, e := range v {
			if err := inspect(e, depth+1, places); err != nil {
				return err
			}
		}
	}
	return nil
}
