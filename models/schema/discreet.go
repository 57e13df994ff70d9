package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
)

// Discreet is Problems for a secret: it repeats what the schema demands and nothing of the value, not
// even the names of its members.
func (s *Schema) Discreet(value json.RawMessage) string {
	err := s.check(value)
	if err == nil {
		return ""
	}
	var lines []string
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		collectDiscreet(invalid, &lines)
	}
	if len(lines) == 0 {
		return "(root): it does not match the schema"
	}
	return strings.Join(lines, "; ")
}

func (s *Schema) check(value json.RawMessage) error {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err == nil {
		err = sound(v)
	}
	if err == nil {
		err = s.validate(v)
	}
	return err
}

func collectDiscreet(e *jsonschema.ValidationError, lines *[]string) {
	if len(*lines) > maxLines {
		return
	}
	where := "(root)"
	if len(e.InstanceLocation) > 0 {
		where = "(inside)"
	}
	texts := discreet(e)
	for _, t := range texts {
		if line := where + ": " + t; !slices.Contains(*lines, line) {
			*lines = append(*lines, line)
		}
	}
	if len(texts) > 0 {
		return
	}
	for _, c := range e.Causes {
		collectDiscreet(c, lines)
	}
}

// discreet are the lines of one violation that come from the schema alone.
func discreet(e *jsonschema.ValidationError) []string {
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		return each(k.Missing, "%s is required")
	case *kind.AdditionalProperties:
		return []string{"Additional properties are not allowed"}
	case *kind.Type:
		return []string{"Invalid type. Expected: " + typeList(k.Want) + ", given: " + k.Got}
	case *kind.Enum:
		return []string{"Must be one of the following: " + jsonList(k.Want)}
	case *kind.Pattern:
		return []string{"Does not match pattern '" + k.Want + "'"}
	case *kind.Format:
		return []string{"Does not match format '" + k.Want + "'"}
	case *kind.UniqueItems:
		return []string{"array items must be unique"}
	}
	if t := limit(e.ErrorKind); t != "" {
		return []string{t}
	}
	return nil
}
