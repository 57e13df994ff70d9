// Package schema holds values against JSON Schemas, in bounded time whatever the two are. The
// server checks params with it, and the linter of content packs does so offline.
package schema

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// Cache compiles JSON Schemas and keeps the compiled ones. It is safe for concurrent use.
type Cache struct {
	mu       sync.Mutex
	compiled map[string]*Schema // by the text of the schema
}

// maxSchemas bounds how many compiled schemas are kept; beyond it all are forgotten, which costs
// no more than compiling those in use again.
const maxSchemas = 4096

func NewCache() *Cache { return &Cache{compiled: map[string]*Schema{}} }

// Schema is a compiled JSON Schema that validates one value at a time.
type Schema struct {
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

// Get compiles a schema, or finds it compiled.
func (c *Cache) Get(raw json.RawMessage) (*Schema, error) {
	c.mu.Lock()
	s, ok := c.compiled[string(raw)]
	c.mu.Unlock()
	if ok {
		return s, nil
	}
	s, err := Compile(raw)
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

// Compile reads a schema as draft 7, and if it is none as draft 4, unless it says itself what it
// is. References may lead to the schema itself and to the published meta-schemas, nowhere else.
func Compile(raw json.RawMessage) (*Schema, error) {
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

func compileAs(draft *jsonschema.Draft, doc any) (s *Schema, err error) {
	defer recovered(&err)
	s = &Schema{}
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

// Problems returns what is wrong with a value, as one text; "" when it is valid.
func (s *Schema) Problems(value json.RawMessage) string {
	return describe(s.Violations(value))
}

// Violation is one way in which a value is not valid.
type Violation struct {
	At   []string // names of members and indexes of elements that lead there; none: the value itself
	Text string
}

// Violations returns what is wrong with a value, in its order and not more of it than anybody
// reads; none when it is valid.
func (s *Schema) Violations(value json.RawMessage) []Violation {
	err := s.check(value)
	if err == nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(err, &invalid) {
		return []Violation{{Text: err.Error()}}
	}
	var all []Violation
	collect(invalid, &all)
	return all
}

func (s *Schema) validate(v any) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	defer recovered(&err)
	s.work = 0
	return s.is.Validate(v)
}
