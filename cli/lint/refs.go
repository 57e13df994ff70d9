package lint

import (
	"fmt"
	"slices"
	"strings"

	packs "drp/content"

	"go.yaml.in/yaml/v3"
)

// references are the fields that name other objects.
var references = []struct {
	kinds []string // that have the field; nil: any
	field string
	to    string
}{
	{nil, "Profiles", "profiles"},
	{nil, "Tasks", "tasks"},
	{nil, "BootEnv", "bootenvs"},
	{nil, "Stage", "stages"},
	{nil, "Stages", "stages"},
	{nil, "Workflow", "workflows"},
	{[]string{"tasks"}, "Prerequisites", "tasks"},
	{nil, "ExtraRoles", "roles"},
	{nil, "RequiredParams", "params"},
	{nil, "OptionalParams", "params"},
}

// inTask are the kinds that an element of a task list may name with a word before a colon; other
// words are not about objects of packs.
var inTask = map[string]string{"stage": "stages", "bootenv": "bootenvs"}

// checkReferences looks for all that objects of the pack name.
func (l *linter) checkReferences() {
	for _, o := range l.list {
		if o.node == nil || o.value == nil {
			continue
		}
		for _, r := range references {
			if r.kinds != nil && !slices.Contains(r.kinds, o.kind) || !has(o.value, r.field) {
				continue
			}
			for _, n := range scalars(member(o.node, r.field)) {
				l.checkReference(o, n, r.field, r.to)
			}
		}
		for _, t := range items(member(o.node, "Templates")) {
			for _, n := range scalars(member(t, "ID")) {
				l.checkReference(o, n, "Templates", "templates")
			}
		}
	}
}

// scalars are the texts of a field that is one or a list of them.
func scalars(n *yaml.Node) []*yaml.Node {
	if n = resolved(n); n == nil || n.Tag == "!!null" {
		return nil
	}
	if n.Kind == yaml.ScalarNode {
		return []*yaml.Node{n}
	}
	var list []*yaml.Node
	for _, c := range items(n) {
		if c = resolved(c); c.Kind == yaml.ScalarNode {
			list = append(list, c)
		}
	}
	return list
}

func (l *linter) checkReference(o *object, n *yaml.Node, field, kind string) {
	key := n.Value
	if field == "Tasks" {
		if word, rest, has := strings.Cut(key, ":"); has {
			if kind, key = inTask[word], rest; kind == "" {
				return
			}
		}
	}
	if key == "" || strings.Contains(key, "{{") {
		return
	}
	if kind == "params" { // any name may be a param
		l.missing(place{o.file, n.Line}, Warning, kind, key)
		return
	}
	l.missing(place{o.file, n.Line}, Error, kind, key)
}

// missing adds a finding unless there is such an object. What may come with a prerequisite that
// nobody gave is no more than a warning.
func (l *linter) missing(at place, s Severity, kind, key string) {
	if _, ok := l.find(kind, key); ok || l.broken[kind] {
		return
	}
	near := hint(key, l.keysOf(kind))
	switch {
	case near != "" || len(l.unseen) == 0 && len(packs.Prerequisites(l.meta)) > 0:
		l.add(at, s, "%s %s does not exist%s", single(kind), key, near)
		return
	case len(l.unseen) == 0:
		l.add(at, Warning, "%s %s is not in this pack, which has no Prerequisites that may bring it", single(kind), key)
		return
	}
	l.add(at, Warning, "%s %s is not in this pack; if it comes with %s, give that with --with", single(kind), key, strings.Join(l.unseen, " or "))
}

// checkCycles finds tasks that must run before themselves, and profiles that hold themselves.
func (l *linter) checkCycles() {
	for _, c := range []struct{ kind, field string }{{"tasks", "Prerequisites"}, {"profiles", "Profiles"}} {
		done := map[string]bool{}
		var path []string
		var visit func(o *object)
		visit = func(o *object) {
			if done[o.key] || o.node == nil {
				return
			}
			path = append(path, o.key)
			for _, n := range scalars(member(o.node, c.field)) {
				if i := slices.Index(path, n.Value); i >= 0 {
					l.add(place{o.file, n.Line}, Error, "%s %s depends on itself: %s", single(c.kind), n.Value,
						strings.Join(append(slices.Clone(path[i:]), n.Value), " -> "))
				} else if next := l.objects[[2]string{c.kind, n.Value}]; next != nil {
					visit(next)
				}
			}
			path = path[:len(path)-1]
			done[o.key] = true
		}
		for _, o := range l.list {
			if o.kind == c.kind {
				visit(o)
			}
		}
	}
}

// String names an object in messages.
func (o *object) String() string { return fmt.Sprintf("%s %s", single(o.kind), o.key) }
