package lint

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"drp/models"
	"drp/models/schema"

	"go.yaml.in/yaml/v3"
)

// checkValues holds params against their schemas: defaults, and the values that objects set.
func (l *linter) checkValues() {
	cache := schema.NewCache()
	for _, o := range l.list {
		if o.node == nil || o.value == nil {
			continue
		}
		if p, ok := o.value.(*models.Param); ok {
			l.checkSchema(cache, o, p)
		}
		if holder, ok := o.value.(models.ParamHolder); ok {
			values := *holder.ParamMap()
			for _, name := range slices.Sorted(maps.Keys(values)) {
				l.checkValue(cache, o, name, values[name])
			}
		}
	}
}

func (l *linter) checkSchema(cache *schema.Cache, o *object, p *models.Param) {
	n := member(o.node, "Schema")
	if n == nil || n.Tag == "!!null" {
		return
	}
	s, err := cache.Get(p.Schema)
	if err != nil {
		l.add(place{o.file, n.Line}, Error, "%s: the schema is none: %v", o, err)
		return
	}
	if v, ok := p.Default(); ok {
		if at := member(n, "default"); at != nil {
			l.hold(s, v, o, at, "the default of "+p.Name)
		}
	}
}

func (l *linter) checkValue(cache *schema.Cache, o *object, name string, value json.RawMessage) {
	at, key := entry(member(o.node, "Params"), name)
	if at == nil {
		return
	}
	found, ok := l.find("params", name)
	if !ok {
		l.checkParam(place{o.file, key.Line}, Warning, name)
		return
	}
	p, _ := found.(*models.Param)
	switch {
	case p == nil:
	case p.Secure && !sealed(value):
		l.add(place{o.file, key.Line}, Warning, "the value of the secure param %s stands in clear text", name)
	case !p.Secure && string(p.Schema) != "null":
		if s, err := cache.Get(p.Schema); err == nil { // where it is wrong is told there
			l.hold(s, value, o, at, "the value of "+name)
		}
	}
}

// hold adds what is wrong with a value, at the line where that stands.
func (l *linter) hold(s *schema.Schema, value json.RawMessage, o *object, at *yaml.Node, what string) {
	for _, v := range s.Violations(value) {
		where := ""
		if len(v.At) > 0 {
			where = " at " + strings.Join(v.At, ".")
		}
		l.add(place{o.file, inside(at, v.At).Line}, Error, "%s%s: %s", what, where, v.Text)
	}
}

// entry is a member of a map, and its key.
func entry(n *yaml.Node, name string) (value, key *yaml.Node) {
	for k, v := range pairs(n) {
		if k.Value == name {
			return resolved(v), k
		}
	}
	return nil, nil
}

// sealed tells whether a value is one that only its object's key can open.
func sealed(value json.RawMessage) bool {
	var box map[string]json.RawMessage
	return json.Unmarshal(value, &box) == nil && box["Key"] != nil && box["Nonce"] != nil && box["Payload"] != nil
}
