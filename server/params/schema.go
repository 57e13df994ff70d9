package params

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"drp/models"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// schemas compiles JSON Schemas and keeps the compiled ones. It is safe for concurrent use.
type schemas struct {
	mu       sync.Mutex
	compiled map[string]*schema // by the text of the schema
}

// maxSchemas bounds how many compiled schemas are kept; beyond it all are forgotten, which costs
// no more than compiling those in use again.
const maxSchemas = 4096

func newSchemas() *schemas { return &schemas{compiled: map[string]*schema{}} }

// schema is a compiled JSON Schema that validates one value at a time.
type schema struct {
	mu           sync.Mutex
	is           *jsonschema.Schema
	work         int   // spent on the value at hand
	instructions int   // of its regular expressions
	refused      error // why an expression was not taken
}

// maxWork bounds what may be spent on one value: with references to references a short schema can
// ask for more than a lifetime's work.
const maxWork = 1_000_000

var errWork = errors.New("validation takes too long: fewer constants, simpler expressions, or a smaller value")

// get compiles a schema, or finds it compiled.
func (c *schemas) get(raw json.RawMessage) (*schema, error) {
	c.mu.Lock()
	s, ok := c.compiled[string(raw)]
	c.mu.Unlock()
	if ok {
		return s, nil
	}
	s, err := compile(raw)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.compiled) >= maxSchemas {
		clear(c.compiled)
	}
	c.compiled[string(raw)] = s
	return s, nil
}

// compile reads a schema as draft 7, and if it is none as draft 4, unless it says itself what it
// is. References may lead to the schema itself and to the published meta-schemas, nowhere else.
func compile(raw json.RawMessage) (*schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		return nil, err
	}
	if err := sound(doc); err != nil {
		return nil, err
	}
	s, err := compileAs(jsonschema.Draft7, doc)
	if err == nil {
		return s, nil
	}
	if old, oldErr := compileAs(jsonschema.Draft4, doc); oldErr == nil {
		return old, nil
	}
	return nil, err
}

const schemaURL = "param:///schema"

func compileAs(draft *jsonschema.Draft, doc any) (s *schema, err error) {
	defer recovered(&err)
	s = &schema{}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(draft)
	c.UseLoader(nowhere{})
	c.UseRegexpEngine(s.expression)
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, err
	}
	if s.is, err = c.Compile(schemaURL); err != nil {
		if s.refused != nil { // the library says only that it is no expression
			return nil, s.refused
		}
		return nil, errors.New(plain(err))
	}
	s.account(s.is)
	return s, nil
}

// nowhere refuses to load anything for a schema.
type nowhere struct{}

func (nowhere) Load(url string) (any, error) {
	return nil, fmt.Errorf("%s: a schema may only refer to itself", url)
}

// recovered turns a panic into an error.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%v", p)
	}
}

// problems returns what is wrong with a value, as one text; "" when it is valid.
func (s *schema) problems(value json.RawMessage) string {
	v, err := jsonschema.UnmarshalJSON(bytes.NewReader(value))
	if err == nil {
		err = sound(v)
	}
	if err == nil {
		err = s.validate(v)
	}
	if err == nil {
		return ""
	}
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		return describe(invalid)
	}
	return "(root): " + err.Error()
}

func (s *schema) validate(v any) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer recovered(&err)
	s.work = 0
	return s.is.Validate(v)
}

// Shown is how a value stands in a message: text without quotes, everything else as JSON, and not
// too much of either.
func shown(value json.RawMessage) string {
	text := string(value)
	var s string
	if json.Unmarshal(value, &s) == nil {
		text = s
	} else if raw, err := models.Marshal(value); err == nil {
		text = string(raw)
	}
	const enough = 200
	if r := []rune(text); len(r) > enough {
		text = string(r[:enough]) + "…"
	}
	return text
}
