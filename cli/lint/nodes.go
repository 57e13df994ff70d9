package lint

import (
	"encoding"
	"encoding/json"
	"iter"
	"reflect"
	"regexp"
	"strconv"
	"strings"

	"drp/models"

	"go.yaml.in/yaml/v3"
)

// resolved is what an alias stands for, or the node itself.
func resolved(n *yaml.Node) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	return n
}

// pairs are the members of a mapping, of others none, those that it merges in among them.
func pairs(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(*yaml.Node, *yaml.Node) bool) {
		n := resolved(n)
		if n == nil || n.Kind != yaml.MappingNode {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			if key.Tag != "!!merge" {
				if !yield(key, value) {
					return
				}
				continue
			}
			for k, v := range pairs(value) {
				if !yield(k, v) {
					return
				}
			}
			for _, one := range items(value) {
				for k, v := range pairs(one) {
					if !yield(k, v) {
						return
					}
				}
			}
		}
	}
}

// items are the elements of a sequence, of others none.
func items(n *yaml.Node) []*yaml.Node {
	if n = resolved(n); n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	return n.Content
}

// member is a field of an object, in any letter case; nil: there is none.
func member(n *yaml.Node, name string) *yaml.Node {
	for k, v := range pairs(n) {
		if strings.EqualFold(k.Value, name) {
			return resolved(v)
		}
	}
	return nil
}

func namesIn(n *yaml.Node) []string {
	var names []string
	for k := range pairs(n) {
		names = append(names, k.Value)
	}
	return names
}

// text1 is a field that is a scalar.
func text1(n *yaml.Node, name string) string {
	if v := member(n, name); v != nil && v.Kind == yaml.ScalarNode && v.Tag != "!!null" {
		return v.Value
	}
	return ""
}

// inside follows names and indexes from a node as far as they lead.
func inside(n *yaml.Node, path []string) *yaml.Node {
	for _, step := range path {
		next := (*yaml.Node)(nil)
		if list := items(n); list != nil {
			if i, err := strconv.Atoi(step); err == nil && i < len(list) {
				next = resolved(list[i])
			}
		} else {
			for k, v := range pairs(n) {
				if k.Value == step {
					next = resolved(v)
				}
			}
		}
		if next == nil {
			break
		}
		n = next
	}
	return n
}

var templateIn = regexp.MustCompile(`Template\[(\d+)\]`)

// lineOf is where a problem of an object lies, as far as its text tells.
func (o *object) lineOf(problem string) place {
	if m := templateIn.FindStringSubmatch(problem); m != nil && o.node != nil {
		return place{o.file, inside(o.node, []string{"Templates", m[1]}).Line}
	}
	return o.place
}

func shape(n *yaml.Node) string {
	switch n := resolved(n); {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case n.Tag == "!!null":
		return "nothing"
	case n.Tag == "!!int" || n.Tag == "!!float":
		return "a number"
	case n.Tag == "!!bool":
		return "true or false"
	}
	return "a text"
}

func typeOf(info *models.KindInfo) reflect.Type { return reflect.TypeOf(info.New()).Elem() }

func has(o models.Object, field string) bool {
	return reflect.ValueOf(o).Elem().FieldByName(field).IsValid()
}

var (
	fromJSON = reflect.TypeFor[json.Unmarshaler]()
	fromText = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// checkFields holds a node against the type that it becomes. Of is what the fields belong to.
func (l *linter) checkFields(file string, n *yaml.Node, t reflect.Type, of string) {
	n = resolved(n)
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n.Tag == "!!null" || reflect.PointerTo(t).Implements(fromJSON) || reflect.PointerTo(t).Implements(fromText) {
		return
	}
	want := ""
	switch t.Kind() {
	case reflect.Struct:
		if want = "a mapping"; n.Kind == yaml.MappingNode {
			l.checkStruct(file, n, t, of)
		}
	case reflect.Map:
		want = "a mapping"
		for _, v := range pairs(n) {
			l.checkFields(file, v, t.Elem(), of)
		}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return
		}
		want = "a list"
		for _, v := range items(n) {
			l.checkFields(file, v, t.Elem(), of)
		}
	case reflect.String:
		want = "a text"
		if n.Kind != yaml.ScalarNode || n.Style != 0 {
			break
		}
		if old := oldBool(n.Value); old || l.yaml[file] && shape(n) != want {
			s := Error
			if l.yaml[file] { // it becomes a text, maybe not the one that was meant
				s = Warning
			}
			was := shape(n)
			if old {
				was = "true or false"
			}
			l.add(place{file, n.Line}, s, "%s is %s here, where a text must stand: put it in quotes", n.Value, was)
			return
		}
	case reflect.Bool:
		if want = "true or false"; n.Kind == yaml.ScalarNode && n.Style == 0 && oldBool(n.Value) {
			return
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Float64:
		want = "a number"
	}
	if got := shape(n); want != "" && got != want {
		l.add(place{file, n.Line}, Error, "%s stands where %s must", got, want)
	}
}

// oldBool tells whether YAML 1.1 takes a word for true or false.
func oldBool(word string) bool {
	switch word {
	case "y", "Y", "n", "N":
		return true
	}
	lower := strings.ToLower(word)
	known := lower == "yes" || lower == "no" || lower == "on" || lower == "off"
	return known && (word == lower || word == strings.ToUpper(word) || word[1:] == lower[1:])
}

func (l *linter) checkStruct(file string, n *yaml.Node, t reflect.Type, of string) {
	fields := map[string]reflect.Type{}
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous && name == "" || !f.IsExported() || name == "-" {
			continue
		}
		if name == "" {
			name = f.Name
		}
		fields[strings.ToLower(name)] = f.Type
		names = append(names, name)
	}
	first := map[string]string{}
	for k, v := range pairs(n) {
		lower := strings.ToLower(k.Value)
		ft, ok := fields[lower]
		if !ok {
			l.add(place{file, k.Line}, Warning, "a %s has no field %s, and the server drops it%s", of, k.Value, hint(k.Value, names))
			continue
		}
		if was := first[lower]; was != "" && was != k.Value {
			l.add(place{file, k.Line}, Error, "%s is the same field as %s, which is there too", k.Value, was)
		}
		first[lower] = k.Value
		l.checkFields(file, v, ft, inner(of, k.Value, ft))
	}
}

// inner names what the fields of a field belong to.
func inner(of, field string, t reflect.Type) string {
	if t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		return of + "'s " + strings.TrimSuffix(field, "s")
	}
	return of + "'s " + field
}
