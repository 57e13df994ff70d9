package schema

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	"drp/models"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// describe says what a value violates, in the words that clients of Digital Rebar know:
// "(root): Invalid type. Expected: string, given: array". Several violations are separated by
// semicolons, in the order the value has them; "" when there is none.
func describe(all []Violation) string {
	var lines []string
	for i, v := range all {
		if i == maxLines {
			lines = append(lines, "and more")
			break
		}
		line := field(v.At) + ": " + v.Text
		if len(line) > maxLine {
			line = strings.ToValidUTF8(line[:maxLine], "") + "…"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "; ")
}

// How much is told of a value that violates much.
const (
	maxLines = 100
	maxLine  = 2000 // bytes
)

func collect(e *jsonschema.ValidationError, all *[]Violation) {
	if len(*all) > maxLines {
		return
	}
	texts := texts(e)
	if len(texts) == 0 {
		for _, c := range e.Causes {
			collect(c, all)
		}
		return
	}
	for _, t := range texts {
		*all = append(*all, Violation{At: e.InstanceLocation, Text: t})
	}
}

// field is where in the value the violation is.
func field(at []string) string {
	if len(at) == 0 {
		return "(root)"
	}
	return strings.Join(at, ".")
}

// texts are the lines of one violation; none when only its causes tell.
func texts(e *jsonschema.ValidationError) []string {
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		return each(k.Missing, "%s is required")
	case *kind.AdditionalProperties:
		return each(k.Properties, "Additional property %s is not allowed")
	case *kind.Dependency:
		return each(k.Missing, "Has a dependency on %s")
	case *kind.DependentRequired:
		return each(k.Missing, "Has a dependency on %s")
	}
	if t := text(e); t != "" {
		return []string{t}
	}
	if len(e.Causes) > 0 {
		return nil
	}
	return []string{e.ErrorKind.LocalizedString(message.NewPrinter(language.English))}
}

func each(names []string, format string) []string {
	lines := make([]string, len(names))
	for i, n := range names {
		lines[i] = fmt.Sprintf(format, n)
	}
	return lines
}

func text(e *jsonschema.ValidationError) string {
	switch k := e.ErrorKind.(type) {
	case *kind.Type:
		return "Invalid type. Expected: " + typeList(k.Want) + ", given: " + k.Got
	case *kind.Enum:
		return field(e.InstanceLocation) + " must be one of the following: " + jsonList(k.Want)
	case *kind.Const:
		return field(e.InstanceLocation) + " does not match: " + jsonList([]any{k.Want})
	case *kind.AnyOf:
		return "Must validate at least one schema (anyOf)"
	case *kind.OneOf:
		return "Must validate one and only one schema (oneOf)"
	case *kind.Not:
		return "Must not validate the schema (not)"
	case *kind.FalseSchema:
		return "False always fails validation"
	case *kind.Pattern:
		return "Does not match pattern '" + k.Want + "'"
	case *kind.Format:
		return "Does not match format '" + k.Want + "'"
	case *kind.PropertyNames:
		return fmt.Sprintf("Property name of %q does not match", k.Property)
	case *kind.UniqueItems:
		return fmt.Sprintf("array items[%d,%d] must be unique", k.Duplicates[0], k.Duplicates[1])
	case *kind.Contains:
		return "At least one of the items must match"
	case *kind.AdditionalItems:
		return "No additional items allowed on array"
	}
	return limit(e.ErrorKind)
}

// limit is the text for the keywords that bound a number.
func limit(k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Minimum:
		return "Must be greater than or equal to " + number(k.Want)
	case *kind.Maximum:
		return "Must be less than or equal to " + number(k.Want)
	case *kind.ExclusiveMinimum:
		return "Must be greater than " + number(k.Want)
	case *kind.ExclusiveMaximum:
		return "Must be less than " + number(k.Want)
	case *kind.MultipleOf:
		return "Must be a multiple of " + number(k.Want)
	case *kind.MinLength:
		return fmt.Sprint("String length must be greater than or equal to ", k.Want)
	case *kind.MaxLength:
		return fmt.Sprint("String length must be less than or equal to ", k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("Array must have at least %d items", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("Array must have at most %d items", k.Want)
	case *kind.MinProperties:
		return fmt.Sprintf("Must have at least %d properties", k.Want)
	case *kind.MaxProperties:
		return fmt.Sprintf("Must have at most %d properties", k.Want)
	}
	return ""
}

func typeList(want []string) string {
	if len(want) == 1 {
		return want[0]
	}
	return "[" + strings.Join(want, ",") + "]"
}

func jsonList(values []any) string {
	list := make([]string, len(values))
	for i, v := range values {
		raw, err := models.Marshal(v)
		if err != nil {
			raw = json.RawMessage(fmt.Sprint(v))
		}
		list[i] = string(raw)
	}
	return strings.Join(list, ", ")
}

func number(r *big.Rat) string {
	if r.IsInt() {
		return r.Num().String()
	}
	f, _ := r.Float64() // the nearest there is, for people
	return fmt.Sprint(f)
}

// plain is the text of an error of the compiler, on one line and without our own URL.
func plain(err error) string {
	var invalid *jsonschema.SchemaValidationError
	if errors.As(err, &invalid) {
		var v *jsonschema.ValidationError
		if errors.As(invalid.Err, &v) {
			var all []Violation
			collect(v, &all)
			return describe(all)
		}
	}
	return strings.ReplaceAll(strings.Join(strings.Fields(err.Error()), " "), schemaURL, "schema")
}
