package api

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"drp/models"
	"drp/models/docs"

	"github.com/gin-gonic/gin"
)

// The parts of an OpenAPI 3.0 document (https://spec.openapis.org/oas/v3.0.3) that this one has.
type (
	openAPI struct {
		OpenAPI    string                          `json:"openapi"`
		Info       map[string]string               `json:"info"`
		Servers    []map[string]string             `json:"servers"`
		Security   []map[string][]string           `json:"security"`
		Tags       []map[string]string             `json:"tags"`
		Paths      map[string]map[string]operation `json:"paths"`
		Components components                      `json:"components"`
	}
	components struct {
		Schemas         map[string]*schema           `json:"schemas"`
		SecuritySchemes map[string]map[string]string `json:"securitySchemes"`
	}
	operation struct {
		ID          string                 `json:"operationId"`
		Tags        []string               `json:"tags"`
		Summary     string                 `json:"summary"`
		Description string                 `json:"description,omitempty"`
		Parameters  []parameter            `json:"parameters,omitempty"`
		RequestBody *payload               `json:"requestBody,omitempty"`
		Responses   map[string]payload     `json:"responses"`
		Security    *[]map[string][]string `json:"security,omitempty"`
	}
	parameter struct {
		Name        string  `json:"name"`
		In          string  `json:"in"`
		Required    bool    `json:"required,omitempty"`
		Description string  `json:"description"`
		Style       string  `json:"style,omitempty"`
		Explode     *bool   `json:"explode,omitempty"`
		Schema      *schema `json:"schema"`
	}
	payload struct {
		Description string               `json:"description"`
		Content     map[string]mediaType `json:"content,omitempty"`
	}
	mediaType struct {
		Schema *schema `json:"schema"`
	}
	schema struct {
		Ref                  string             `json:"$ref,omitempty"`
		Type                 string             `json:"type,omitempty"`
		Format               string             `json:"format,omitempty"`
		Description          string             `json:"description,omitempty"`
		Properties           map[string]*schema `json:"properties,omitempty"`
		Required             []string           `json:"required,omitempty"`
		Items                *schema            `json:"items,omitempty"`
		AdditionalProperties any                `json:"additionalProperties,omitempty"` // a schema, or false
		Enum                 []string           `json:"enum,omitempty"`
		ReadOnly             bool               `json:"readOnly,omitempty"`
		Nullable             bool               `json:"nullable,omitempty"`
	}
)

// route is what the document tells of one route.
type route struct {
	summary string
	more    string   // what else a caller must know
	in, out any      // a value of the type of the body; nil: none
	status  int      // of success; 0: 200
	query   []string // names of queryParams
	open    bool     // without a token
}

// Bodies that are no JSON document of a type.
type (
	anyJSON struct{} // any JSON value
	blob    struct{} // bytes
	text    struct{} // text
	// anything is of the type that its header tells.
	anything struct{}
	patchOf  struct{} // an RFC 6902 patch
	upgrade  struct{} // the connection becomes a websocket
	input    struct { // an object of a kind as it is sent: sparse
		object any
	}
)

// undescribed is the summary of a route that is not in operations.go.
const undescribed = "Not described"

// describe makes the document of the routes.
func describe(version string, routes gin.RoutesInfo) *openAPI {
	d := &openAPI{
		OpenAPI: "3.0.3",
		Info: map[string]string{"title": "drp", "version": version, "description": "The API of a drp server. Wherever an id is asked for, the key of the object or INDEX:VALUE of " +
			"a unique index will do, such as Name:web1. Every change may carry an Idempotency-Key. Errors are always an Error."},
		Servers:  []map[string]string{{"url": "/"}},
		Security: []map[string][]string{{"token": {}}, {"password": {}}},
		Tags:     []map[string]string{},
		Paths:    map[string]map[string]operation{},
		Components: components{Schemas: map[string]*schema{}, SecuritySchemes: map[string]map[string]string{
			"token":    {"type": "http", "scheme": "bearer", "description": "from GET /users/{name}/token"},
			"password": {"type": "http", "scheme": "basic"},
		}},
	}
	tags := map[string]bool{}
	for _, r := range routes {
		if r.Method == http.MethodHead {
			continue // as GET, without a body
		}
		about, ok := routeOf(r.Method, r.Path)
		if !ok { // the tests see it
			about = route{summary: undescribed, out: anyJSON{}}
		}
		path := oasPath(r.Path)
		if d.Paths[path] == nil {
			d.Paths[path] = map[string]operation{}
		}
		op := d.operation(r.Method, r.Path, about)
		d.Paths[path][strings.ToLower(r.Method)] = op
		tags[op.Tags[0]] = true
	}
	d.schemaOf(reflect.TypeFor[models.Error](), false)
	for tag := range tags {
		about := map[string]string{"name": tag}
		if k, ok := models.KindOf(tag); ok {
			about["description"] = docs.Kind(k)
		}
		d.Tags = append(d.Tags, about)
	}
	slices.SortFunc(d.Tags, func(a, b map[string]string) int { return strings.Compare(a["name"], b["name"]) })
	return d
}

var wildcard = regexp.MustCompile(`[:*](\w+)`)

// oasPath is a path of gin in the notation of OpenAPI.
func oasPath(path string) string { return wildcard.ReplaceAllString(path, "{$1}") }

func (d *openAPI) operation(method, path string, about route) operation {
	o := operation{
		ID:   strings.Trim(regexp.MustCompile(`\W+`).ReplaceAllString(strings.ToLower(method)+strings.TrimPrefix(path, "/api/v3"), "_"), "_"),
		Tags: []string{tagOf(path)}, Summary: about.summary, Description: about.more, Responses: map[string]payload{},
	}
	for _, m := range wildcard.FindAllStringSubmatch(path, -1) {
		p := parameter{Name: m[1], In: "path", Required: true, Description: pathParams[m[1]], Schema: &schema{Type: "string"}}
		if m[0][0] == '*' {
			p.Description += "; may hold slashes"
		}
		o.Parameters = append(o.Parameters, p)
	}
	for _, name := range about.query {
		p := queryParams[name]
		p.Name, p.In = name, "query"
		if p.Schema == nil {
			p.Schema = &schema{Type: "string"}
		}
		o.Parameters = append(o.Parameters, p)
	}
	if about.in != nil {
		c := d.content(about.in, true)
		o.RequestBody = &c
	}
	if about.status == 0 {
		about.status = http.StatusOK
	}
	ok := payload{Description: http.StatusText(about.status)}
	if about.out != nil {
		ok = d.content(about.out, false)
	}
	ok.Description = http.StatusText(about.status)
	o.Responses[strconv.Itoa(about.status)] = ok
	failed := d.content(models.Error{}, false)
	failed.Description = "what was wrong"
	o.Responses["default"] = failed
	if about.open {
		o.Security = &[]map[string][]string{}
	}
	return o
}

// tagOf groups routes by the kind, or the first word of the path.
func tagOf(path string) string {
	words := strings.Split(strings.TrimPrefix(strings.TrimPrefix(path, "/api/v3"), "/"), "/")
	if words[0] == "meta" && len(words) > 1 {
		words = words[1:]
	}
	if strings.HasPrefix(words[0], ":") {
		return "kinds of plugins"
	}
	return words[0]
}

func (d *openAPI) content(v any, in bool) payload {
	media := "application/json"
	s := &schema{}
	switch v := v.(type) {
	case blob:
		media, s = "application/octet-stream", &schema{Type: "string", Format: "binary"}
	case anything:
		media, s = "*/*", &schema{Type: "string", Format: "binary"}
	case text:
		media, s = "text/plain", &schema{Type: "string"}
	case anyJSON:
		s = &schema{Description: "any JSON value", Nullable: true}
	case patchOf:
		s = d.patch()
	case upgrade:
		return payload{Description: "websocket"}
	case input:
		s = d.schemaOf(reflect.TypeOf(v.object), true)
	default:
		s = d.schemaOf(reflect.TypeOf(v), in)
	}
	return payload{Content: map[string]mediaType{media: {s}}}
}

func (d *openAPI) patch() *schema {
	d.Components.Schemas["Patch"] = &schema{
		Type: "array", Description: "RFC 6902: all of it is done or nothing. A test that fails answers 409 and tells what was found.",
		Items: &schema{Type: "object", Required: []string{"op", "path"}, Properties: map[string]*schema{
			"op":   {Type: "string", Enum: []string{"add", "remove", "replace", "move", "copy", "test"}},
			"path": {Type: "string", Description: "a JSON pointer"}, "from": {Type: "string"}, "value": {Nullable: true, Description: "any JSON value"},
		}},
	}
	return &schema{Ref: "#/components/schemas/Patch"}
}

// schemaOf describes a type. Structs of package models stand among the components under their
// name; those that are sent are sparse and have names of their own.
func (d *openAPI) schemaOf(t reflect.Type, in bool) *schema {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return &schema{Type: "string", Format: "date-time"}
	case t == reflect.TypeFor[json.RawMessage](), t.Kind() == reflect.Interface:
		return &schema{Description: "any JSON value", Nullable: true}
	case t == reflect.TypeFor[[]byte]():
		return &schema{Type: "string", Format: "byte"}
	case t == reflect.TypeFor[models.Custom]():
		return d.named("Custom", in, func() *schema {
			s := d.structure(t, in)
			delete(s.Properties, "Fields") // its members stand beside the others
			s.Required = slices.DeleteFunc(s.Required, func(name string) bool { return name == "Fields" })
			s.AdditionalProperties = nil
			return s
		})
	}
	switch t.Kind() {
	case reflect.Pointer:
		return d.schemaOf(t.Elem(), in)
	case reflect.Slice:
		return &schema{Type: "array", Items: d.schemaOf(t.Elem(), in)}
	case reflect.Map:
		if t.Elem() == reflect.TypeFor[struct{}]() {
			return &schema{Type: "object"}
		}
		return &schema{Type: "object", AdditionalProperties: d.schemaOf(t.Elem(), in)}
	case reflect.Bool:
		return &schema{Type: "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return &schema{Type: "integer"}
	case reflect.Float32, reflect.Float64:
		return &schema{Type: "number"}
	case reflect.Struct:
		if t.Name() == "" || t.NumField() == 0 {
			return d.structure(t, in)
		}
		return d.named(t.Name(), in, func() *schema { return d.structure(t, in) })
	}
	return &schema{Type: "string"}
}

func (d *openAPI) named(name string, in bool, make func() *schema) *schema {
	if in {
		name += "Input"
	}
	if _, ok := d.Components.Schemas[name]; !ok {
		d.Components.Schemas[name] = &schema{} // so that types may hold themselves
		*d.Components.Schemas[name] = *make()
	}
	return &schema{Ref: "#/components/schemas/" + name}
}

func (d *openAPI) structure(t reflect.Type, in bool) *schema {
	s := &schema{Type: "object", Description: docs.Type(t), Properties: map[string]*schema{}}
	for _, f := range docs.Fields(t) {
		p := d.schemaOf(f.Type, in)
		if p.Ref == "" {
			p.ReadOnly = f.ReadOnly
			if f.Doc != "" {
				p.Description = f.Doc
			}
		}
		s.Properties[f.Name] = p
		switch {
		case in: // sparse: the server fills in what is missing, and drops what it does not know
			p.Nullable = p.Ref == ""
		case !f.Optional:
			s.Required = append(s.Required, f.Name)
		}
	}
	if !in && len(s.Properties) > 0 {
		s.AdditionalProperties = false
	}
	return s
}
