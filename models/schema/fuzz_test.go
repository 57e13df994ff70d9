package schema

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"drp/models/patch"
)

// FuzzSchema: any schema compiles or is refused with a reason; a value it is held against is valid
// or not, the same each time and without more than the allowed work; and a value that is the only
// one a schema names is valid.
func FuzzSchema(f *testing.F) {
	for _, s := range []string{
		`{}`, `true`, `false`, `null`, `[]`, `{"type":"string","default":"x"}`, `{"$ref":"#"}`, `{"allOf":[{"$ref":"#"}]}`,
		`{"definitions":{"a":{"anyOf":[{"$ref":"#/definitions/b"},{"$ref":"#/definitions/b"}]},"b":{"anyOf":[{"$ref":"#/definitions/a"},{"type":"null"}]}},"$ref":"#/definitions/a"}`,
		`{"$ref":"http://127.0.0.1:1/x"}`, `{"$ref":"file:///etc/passwd"}`, `{"$schema":"http://json-schema.org/draft-04/schema#","minimum":1,"exclusiveMinimum":true}`,
		`{"pattern":"(a+)+$"}`, `{"pattern":"("}`, `{"uniqueItems":true}`, `{"items":{"$ref":"#"},"properties":{"a":{"$ref":"#"}},"minItems":1e999}`,
		`{"patternProperties":{"^(":{}}}`, `{"enum":[1,1.0,"1",null,{"a":[]}]}`, `{"multipleOf":1e-400}`, `{"multipleOf":0}`, `{"format":"regex"}`, `{"contentEncoding":"base64"}`,
		`{"$id":"param:///schema","$ref":"#foo"}`, `{"$schema":"https://json-schema.org/draft/2020-12/schema","$dynamicRef":"#x","$dynamicAnchor":"x"}`,
		`{"if":{"type":"string"},"then":{"minLength":99999999999},"else":{"not":{}}}`, `{"dependencies":{"a":["b"]},"propertyNames":{"$ref":"#"}}`,
	} {
		for _, v := range []string{`null`, `"aaaaaaaaaaaaaaaaaaaaaaaaaa!"`, `{"a":{"a":{"a":[1,2,[3]]}}}`, `[1,1.0,"1",1e400]`, `0.1`} {
			f.Add(s, v)
		}
	}
	c := NewCache()
	f.Fuzz(func(t *testing.T, schema, value string) {
		if !json.Valid([]byte(schema)) || !json.Valid([]byte(value)) || tooDeep(schema) || tooDeep(value) {
			t.Skip() // is refused before it comes here
		}
		s, err := c.Get(json.RawMessage(schema))
		if err != nil {
			if err.Error() == "" {
				t.Fatalf("%s is refused without a reason", schema)
			}
			return
		}
		first, work := s.Problems(json.RawMessage(value)), s.work
		if second := s.Problems(json.RawMessage(value)); (first == "") != (second == "") {
			t.Fatalf("%s against %s: first %q, then %q", value, schema, first, second)
		}
		if work > maxWork+1 {
			t.Fatalf("%s against %s took %d steps", value, schema, work)
		}
		if first == "" {
			return
		}
		only := `{"enum":[` + value + `]}`
		if e, err := Compile(json.RawMessage(only)); err == nil {
			if text := e.Problems(json.RawMessage(value)); text != "" {
				t.Fatalf("%s against %s: %s", value, only, text)
			}
		}
	})
}

func tooDeep(s string) bool {
	return strings.Count(s, "[")+strings.Count(s, "{") > patch.MaxDepth
}

// TestNoSchemaOutlastsItsLimits: each of these would take minutes, or more memory than there is.
// That the test returns is the point.
func TestNoSchemaOutlastsItsLimits(t *testing.T) {
	many := func(n int, sep string) string {
		list := make([]string, n)
		for i := range list {
			list[i] = fmt.Sprint(i)
		}
		return strings.Join(list, sep)
	}
	for _, c := range []struct{ name, schema, value, want string }{
		{"each element against each constant", `{"items":{"enum":[` + many(20_000, ",") + `]}}`, `[` + many(20_000, ",") + `]`, "takes too long"},
		{"each element against a large constant", `{"items":{"const":[` + many(20_000, ",") + `]}}`, `[` + strings.Repeat(`[`+many(100, ",")+`],`, 1000) + `0]`, "takes too long"},
		{"each element against each name", `{"items":{"required":["` + many(20_000, `","`) + `"]}}`, `[` + strings.Repeat(`{},`, 20_000) + `{}]`, "takes too long"},
		{"each element against other constants", `{"items":{"enum":["` + many(20_000, `","`) + `"]}}`, `["x` + strings.Repeat(`","x`, 20_000) + `"]`, "takes too long"},
		{"constants that nothing is", `{"not":{"items":{"enum":["` + many(20_000, `","`) + `"]},"contains":{"enum":["` + many(20_000, `","`) + `"]}}}`, `["x` + strings.Repeat(`","x`, 20_000) + `"]`, "takes too long"},
		{"failures that double at each level", `{"not":{"$ref":"#/definitions/p"},"definitions":{"p":{"type":"array","items":{"$ref":"#/definitions/p"},"contains":{"$ref":"#/definitions/p"}}}}`,
			strings.Repeat("[", 200) + "1" + strings.Repeat("]", 200), "takes too long"},
		{"dependencies that double", doubled(40), `{"a":1,"b":1}`, "takes too long"},
		{"a wide value that is deep", `{"items":{"type":"string"}}`, strings.Repeat("[", 200) + many(100_000, ",") + strings.Repeat("]", 200), "so deep"},
		{"an expression that unfolds", `{"pattern":"` + strings.Repeat("(a{0,900}b?)", 20) + `$"}`, `"` + strings.Repeat("a", 500_000) + `"`, "takes too long"},
		{"many expressions", `{"patternProperties":{"^a{900}` + many(50, `":{},"^a{900}b`) + `":{}}}`, `{"` + strings.Repeat("a", 100_000) + `":1}`, "takes too long"},
		{"expressions that unfold too much", `{"pattern":"` + strings.Repeat("a{900}", 300) + `"}`, `""`, "too large"},
		{"many expressions that unfold too much", `{"patternProperties":{"a{900}` + many(500, `":{},"a{900}b`) + `":{}}}`, `{}`, "too large"},
		{"a long expression", `{"pattern":"` + strings.Repeat("a", 5000) + `"}`, `""`, "longer than"},
		{"values that are expressions", `{"items":{"format":"regex"}}`, `["` + many(20_000, `a{900}","`) + `"]`, "takes too long"},
		{"a large number", `{"minimum":1}`, `1e999999`, "too large"},
		{"a small number", `{"multipleOf":1}`, `1e-999999`, "too small"},
		{"a long number", `{"multipleOf":3}`, strings.Repeat("9", 100_000), "too long"},
		{"a large number deep inside", `{"enum":[1]}`, `{"a":[{"b":1e999999}]}`, "too large"},
		{"a large number in the schema", `{"minimum":1e999999}`, `1`, "too large"},
		{"a small step in the schema", `{"multipleOf":1e-999999}`, `1`, "too small"},
	} {
		var got string
		s, err := NewCache().Get(json.RawMessage(c.schema))
		if err != nil {
			got = err.Error()
		} else {
			got = s.Problems(json.RawMessage(c.value))
		}
		if !strings.Contains(got, c.want) {
			t.Errorf("%s: got %.200q, want that it %s", c.name, got, c.want)
		}
	}
	s, err := Compile(json.RawMessage(`{"items":{"enum":["` + many(1000, `","`) + `"]}}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Problems(json.RawMessage(`["x` + strings.Repeat(`","x`, 1000) + `"]`)); len(got) > 300_000 || !strings.HasSuffix(got, "and more") {
		t.Errorf("a thousand violations: %d bytes that end with %.20q", len(got), got[max(0, len(got)-20):])
	}
	fine := `{"type":"array","items":{"enum":["a","b","c"]}}`
	s, err = Compile(json.RawMessage(fine))
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Problems(json.RawMessage(`["a"` + strings.Repeat(`,"b"`, 50_000) + `]`)); got != "" {
		t.Errorf("50,000 elements against three constants: %.200s", got)
	}
}

// doubled is a schema that asks for the next twice, and so on, and that fails in the end.
func doubled(n int) string {
	s := `{"not":{"$ref":"#/definitions/p0"},"definitions":{`
	for i := range n {
		s += fmt.Sprintf(`"p%d":{"dependencies":{"a":{"$ref":"#/definitions/p%d"},"b":{"$ref":"#/definitions/p%d"}}},`, i, i+1, i+1)
	}
	return s + fmt.Sprintf(`"p%d":{"type":"null"}}}`, n)
}
