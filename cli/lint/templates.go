package lint

import (
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/template/parse"

	"drp/models/functions"

	"go.yaml.in/yaml/v3"
)

// text is a template, and where its first line stands.
type text struct {
	place
	owner *object
	text  string
	flat  bool // all of it stands on one line of the file

	trees map[string]*parse.Tree
	tests map[string]bool // params that it asks for before it uses them
}

// at is the line of an offset.
func (t *text) at(pos parse.Pos) place {
	if t.flat {
		return t.place
	}
	return place{t.file, t.line + strings.Count(t.text[:min(int(pos), len(t.text))], "\n")}
}

// addTexts takes in the templates of an object.
func (l *linter) addTexts(o *object) {
	if o.kind == "templates" {
		l.addText(o, member(o.node, "Contents"))
		return
	}
	l.addText(o, member(o.node, "BootParams"))
	for _, t := range items(member(o.node, "Templates")) {
		for _, field := range []string{"Contents", "Path", "Link"} {
			l.addText(o, member(t, field))
		}
	}
}

func (l *linter) addText(o *object, n *yaml.Node) {
	if n == nil || n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		return
	}
	t := &text{place: place{o.file, n.Line}, owner: o, text: n.Value, flat: true}
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 { // its text begins below the | that says so
		t.line, t.flat = n.Line+1, false
	}
	l.texts = append(l.texts, t)
}

// checkTemplates parses every template and looks at all it calls.
func (l *linter) checkTemplates() {
	for _, t := range l.texts {
		l.parseText(t)
		for name := range t.trees {
			l.defines[name] = true
		}
	}
	known := slices.Sorted(maps.Keys(functions.Library()))
	known = append(known, functions.Own...)
	for _, t := range l.texts {
		for _, name := range slices.Sorted(maps.Keys(t.trees)) {
			l.checkTree(t, t.trees[name], known)
		}
	}
}

var parseError = regexp.MustCompile(`(?s)^template: [^:]*:(\d+):(?:\d+:)? (.*)$`)

// parseText parses one template; the first mistake in its syntax ends that.
func (l *linter) parseText(t *text) {
	tree := parse.New("template")
	tree.Mode = parse.SkipFuncCheck // one unknown function must not hide the next
	t.trees, t.tests = map[string]*parse.Tree{}, map[string]bool{}
	_, err := tree.Parse(t.text, "", "", t.trees)
	if err == nil {
		t.trees[""] = tree
		delete(t.trees, "template")
		for _, tree := range t.trees {
			each(tree.Root, false, func(n parse.Node, _ bool) {
				if method, name, _ := call(n); strings.HasPrefix(method, "ParamExists") {
					t.tests[name] = true
				}
			})
		}
		return
	}
	clear(t.trees)
	at, msg := t.place, err.Error()
	if m := parseError.FindStringSubmatch(msg); m != nil {
		if line, _ := strconv.Atoi(m[1]); !t.flat {
			at.line += line - 1
		}
		msg = m[2]
	}
	l.add(at, Error, "%s: template: %s", t.owner, msg)
}

// paramCalls are the methods of a template's data that take the name of a param.
var paramCalls = []string{"Param", "ParamExists", "ParamExpand", "ParamCompose", "ComposeParam", "ParamComposeExpand", "ParamAsJSON", "ParamAsYAML"}

func (l *linter) checkTree(t *text, tree *parse.Tree, known []string) {
	each(tree.Root, false, func(n parse.Node, maybe bool) {
		severity := Error
		if maybe { // there are templates that choose among those of packs that need not be there
			severity = Warning
		}
		switch n := n.(type) {
		case *parse.IdentifierNode:
			if !slices.Contains(known, n.Ident) {
				l.add(t.at(n.Pos), Error, "%s: template: function %q is not defined%s", t.owner, n.Ident, hint(n.Ident, known))
			}
		case *parse.TemplateNode:
			l.checkInclude(t, severity, n.Name, n.Pos)
		}
		switch method, name, pos := call(n); {
		case method == "CallTemplate":
			l.checkInclude(t, severity, name, pos)
		case slices.Contains(paramCalls, method):
			if severity = Error; t.tests[name] {
				severity = Warning
			}
			l.checkParam(t.at(pos), severity, name)
		}
	})
}

func (l *linter) checkInclude(t *text, s Severity, name string, pos parse.Pos) {
	if l.defines[name] {
		return
	}
	l.missing(t.at(pos), s, "templates", name)
}

// checkParam asks that a param that a template uses is declared, so that it has a type and maybe a
// default. Others than slips of the pen may be set by an operator, and a param whose presence the
// template tests need not be set at all.
func (l *linter) checkParam(at place, s Severity, name string) {
	if _, ok := l.find("params", name); ok || l.broken["params"] {
		return
	}
	near := hint(name, l.keysOf("params"))
	if len(l.unseen) > 0 && near == "" {
		l.missing(at, Warning, "params", name)
		return
	}
	if near == "" {
		s = Warning
	}
	l.add(at, s, "param %s is used and not declared%s", name, near)
}

// call is the method that a node calls with a constant name, if it is such a call.
func call(n parse.Node) (method, name string, pos parse.Pos) {
	c, ok := n.(*parse.CommandNode)
	if !ok || len(c.Args) < 2 {
		return "", "", 0
	}
	constant, ok := c.Args[1].(*parse.StringNode)
	if !ok {
		return "", "", 0
	}
	switch f := c.Args[0].(type) {
	case *parse.FieldNode:
		method = f.Ident[len(f.Ident)-1]
	case *parse.VariableNode:
		method = f.Ident[len(f.Ident)-1]
	case *parse.ChainNode:
		method = f.Field[len(f.Field)-1]
	}
	return method, constant.Text, constant.Pos
}

// each visits a node and all below it, and tells of each whether it runs only on a condition.
func each(n parse.Node, maybe bool, visit func(n parse.Node, maybe bool)) {
	if n == nil || reflect.ValueOf(n).IsNil() {
		return
	}
	visit(n, maybe)
	branch := func(b *parse.BranchNode) {
		each(b.Pipe, maybe, visit)
		each(b.List, true, visit)
		each(b.ElseList, true, visit)
	}
	switch n := n.(type) {
	case *parse.ListNode:
		for _, c := range n.Nodes {
			each(c, maybe, visit)
		}
	case *parse.ActionNode:
		each(n.Pipe, maybe, visit)
	case *parse.PipeNode:
		for _, c := range n.Cmds {
			each(c, maybe, visit)
		}
	case *parse.CommandNode:
		for _, c := range n.Args {
			each(c, maybe, visit)
		}
	case *parse.ChainNode:
		each(n.Node, maybe, visit)
	case *parse.TemplateNode:
		each(n.Pipe, maybe, visit)
	case *parse.IfNode:
		branch(&n.BranchNode)
	case *parse.RangeNode:
		branch(&n.BranchNode)
	case *parse.WithNode:
		branch(&n.BranchNode)
	}
}
