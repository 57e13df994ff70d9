package packs

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"drp/models"

	"sigs.k8s.io/yaml"
)

// ToJSON turns YAML into JSON; JSON keeps its digits. Into is a pointer to what the text describes,
// or nil where that is not known: where that has a text, a number, true and false become one, for
// people write Version: 8.
func ToJSON(raw []byte, into any) (json.RawMessage, error) {
	if json.Valid(raw) {
		return raw, nil
	}
	out, err := yaml.YAMLToJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("error converting YAML to JSON: %w", err)
	}
	if into == nil {
		return out, nil
	}
	var doc any
	d := json.NewDecoder(bytes.NewReader(out))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return nil, fmt.Errorf("error converting YAML to JSON: %w", err)
	}
	return models.Marshal(texts(doc, reflect.TypeOf(into)))
}

var fromJSON = reflect.TypeFor[json.Unmarshaler]()

// texts is a decoded value whose scalars are texts where the type has texts.
func texts(v any, t reflect.Type) any {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if reflect.PointerTo(t).Implements(fromJSON) {
		return v
	}
	switch v := v.(type) {
	case json.Number:
		if t.Kind() == reflect.String {
			return v.String()
		}
	case bool:
		if t.Kind() == reflect.String {
			return strconv.FormatBool(v)
		}
	case []any:
		if t.Kind() == reflect.Slice {
			for i := range v {
				v[i] = texts(v[i], t.Elem())
			}
		}
	case map[string]any:
		for name := range v {
			if t.Kind() == reflect.Map {
				v[name] = texts(v[name], t.Elem())
			} else if t.Kind() != reflect.Struct {
				break
			} else if f, ok := t.FieldByNameFunc(func(s string) bool { return strings.EqualFold(s, name) }); ok {
				v[name] = texts(v[name], f.Type)
			}
		}
	}
	return v
}
