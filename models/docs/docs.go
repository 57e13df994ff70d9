// Package docs is the documentation of the contract for programs: what each kind and each of its
// fields is, in the words of the comments in package models, so that there is one text only.
package docs

import (
	"encoding"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"strings"
	"sync"
	"time"

	"drp/models"
)

// Field is one member of an object.
type Field struct {
	Name     string       // on the wire
	Doc      string       // what it means; "" where the name says it all
	Type     reflect.Type // of the Go field
	Optional bool         // left out while it is empty
	ReadOnly bool         // the server sets it
}

// serverSet are the members of every object that callers cannot set.
var serverSet = map[string]bool{"Validated": true, "Available": true, "Errors": true, "ReadOnly": true, "Endpoint": true, "Bundle": true, "Partial": true}

// Kind is the sentence that tells what objects of a kind are.
func Kind(k *models.KindInfo) string { return Type(reflect.TypeOf(k.New()).Elem()) }

// Type is the comment on a type of package models, "" for others.
func Type(t reflect.Type) string { return texts()[t.Name()] }

// Fields are the members of a struct in the order of its source, embedded ones included.
func Fields(t reflect.Type) []Field {
	var all []Field
	for i := range t.NumField() {
		f := t.Field(i)
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case f.Anonymous && name == "":
			for _, inner := range Fields(f.Type) {
				if own, ok := t.FieldByName(inner.Name); !ok || len(own.Index) > 1 { // else it is hidden
					all = append(all, inner)
				}
			}
			continue
		case !f.IsExported() || name == "-":
			continue
		case name == "":
			name = f.Name
		}
		all = append(all, Field{
			Name: name, Doc: texts()[t.Name()+"."+f.Name], Type: f.Type,
			Optional: strings.Contains(rest, "omitempty") || strings.Contains(rest, "omitzero"),
			ReadOnly: t == reflect.TypeFor[models.Common]() && serverSet[name] || name == "Partial",
		})
	}
	return all
}

// Struct is the struct that the members below a field are those of: that of a list's elements or a
// map's values too. False: there are none, or they are free.
func Struct(t reflect.Type) (reflect.Type, bool) {
	for t.Kind() == reflect.Slice || t.Kind() == reflect.Map || t.Kind() == reflect.Pointer {
		if scalar(t) {
			return nil, false
		}
		t = t.Elem()
	}
	return t, t.Kind() == reflect.Struct && !scalar(t)
}

// scalar types write themselves.
func scalar(t reflect.Type) bool {
	return t == reflect.TypeFor[time.Time]() || t == reflect.TypeFor[json.RawMessage]() ||
		t.Implements(reflect.TypeFor[json.Marshaler]()) || reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextMarshaler]())
}

// Word is the type of a field in a word or two: "string", "list of strings", "map of TemplateInfo".
func Word(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return "time (RFC 3339)"
	case t == reflect.TypeFor[[]byte]():
		return "bytes (base64)"
	case t == reflect.TypeFor[json.RawMessage]():
		return "any JSON"
	case t == reflect.TypeFor[models.Params]():
		return "map of any JSON"
	case scalar(t):
		return "string"
	}
	switch t.Kind() {
	case reflect.Pointer:
		return Word(t.Elem())
	case reflect.Slice:
		return "list of " + plural(Word(t.Elem()))
	case reflect.Map:
		return "map of " + plural(Word(t.Elem()))
	case reflect.Struct:
		return "object"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return "integer"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Interface:
		return "any JSON"
	}
	return "string"
}

func plural(word string) string {
	if word == "any JSON" || strings.HasSuffix(word, ")") {
		return word
	}
	if rest, ok := strings.CutPrefix(word, "list of "); ok {
		return "lists of " + rest
	}
	if rest, ok := strings.CutPrefix(word, "map of "); ok {
		return "maps of " + rest
	}
	return word + "s"
}

// texts are the comments of package models by "Type" and "Type.Field".
var texts = sync.OnceValue(func() map[string]string {
	all := map[string]string{}
	entries, err := models.Source.ReadDir(".")
	if err != nil {
		panic(err) // it is part of the program
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		source, err := models.Source.ReadFile(e.Name())
		if err != nil {
			panic(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), e.Name(), source, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			panic(err) // it has been compiled
		}
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
				for _, s := range g.Specs {
					read(all, g, s.(*ast.TypeSpec))
				}
			}
		}
	}
	return all
})

func read(all map[string]string, g *ast.GenDecl, s *ast.TypeSpec) {
	doc := s.Doc
	if doc == nil {
		doc = g.Doc
	}
	all[s.Name.Name] = text(doc)
	st, ok := s.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range st.Fields.List {
		about := text(f.Doc)
		if about == "" {
			about = text(f.Comment)
		}
		for _, n := range f.Names {
			all[s.Name.Name+"."+n.Name] = about
		}
	}
}

// text is a comment as one paragraph a blank line.
func text(c *ast.CommentGroup) string {
	if c == nil {
		return ""
	}
	paragraphs := strings.Split(strings.TrimSpace(c.Text()), "\n\n")
	for i, p := range paragraphs {
		paragraphs[i] = strings.ReplaceAll(p, "\n", " ")
	}
	return strings.Join(paragraphs, "\n\n")
}
