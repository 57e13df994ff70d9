package render

import (
	"fmt"
	"slices"
	"sync"
	"text/template/parse"
)

// maxSource bounds the text of one template. It is the most an object can hold, and shallow
// enough for the parser's recursion.
const maxSource = 1 << 20

// unit is a parsed template, made safe to run: every loop and every template reports to the run
// that executes it. It is never modified again and shared between runs.
type unit struct {
	tree *parse.Tree
	uses []string // functions that it calls
	refs []string // templates that it includes
	shape
}

// Names of functions that only this package puts into templates; no text can call them, since
// the parser does not know them.
const (
	fnEnter = "__enter" // a template begins
	fnLeave = "__leave" // and ends
	fnTick  = "__tick"  // one more round of a loop
	fnPrint = "__print" // a value is about to be printed
)

// source is what a parsed template is known by.
type source struct{ name, text string }

// parser parses templates and keeps what it has parsed. It is safe for concurrent use.
type parser struct {
	known map[string]any // the functions templates may call
	mu    sync.Mutex
	kept  map[source]map[string]*unit
	bytes int
}

// maxKept bounds the text of the templates that are kept parsed; beyond it all are forgotten,
// which costs no more than parsing again those in use.
const maxKept = 32 << 20

func newParser(known map[string]any) *parser {
	return &parser{known: known, kept: map[source]map[string]*unit{}}
}

// get parses a text, or finds it parsed. The result holds the template under its own name, and
// those that it defines under theirs.
func (p *parser) get(name, text string) (map[string]*unit, error) {
	key := source{name, text}
	p.mu.Lock()
	units, ok := p.kept[key]
	p.mu.Unlock()
	if ok {
		return units, nil
	}
	units, err := p.parse(name, text)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bytes += len(text); p.bytes > maxKept {
		clear(p.kept)
		p.bytes = len(text)
	}
	p.kept[key] = units
	return units, nil
}

func (p *parser) parse(name, text string) (map[string]*unit, error) {
	if len(text) > maxSource {
		return nil, fmt.Errorf("template: %s:1: text is larger than 1 MiB", name)
	}
	trees, err := parse.Parse(name, text, "", "", p.known)
	if err != nil {
		return nil, err
	}
	if trees[name] == nil { // nothing but definitions, or nothing at all
		trees[name] = &parse.Tree{Name: name, ParseName: name, Root: &parse.ListNode{NodeType: parse.NodeList}}
	}
	units := make(map[string]*unit, len(trees))
	for n, tree := range trees {
		u := &unit{tree: tree, shape: shapeOf(tree.Root.Nodes)}
		u.list(tree.Root)
		root := tree.Root
		root.Nodes = slices.Concat([]parse.Node{call(fnEnter, 0)}, root.Nodes, []parse.Node{call(fnLeave, 0)})
		u.use(fnEnter, fnLeave)
		units[n] = u
	}
	return units, nil
}

// call makes {{if NAME}}{{end}}: it calls and prints nothing.
func call(name string, pos parse.Pos) parse.Node {
	return &parse.IfNode{BranchNode: parse.BranchNode{
		NodeType: parse.NodeIf, Pos: pos,
		Pipe: &parse.PipeNode{NodeType: parse.NodePipe, Pos: pos, Cmds: []*parse.CommandNode{command(name, pos)}},
		List: &parse.ListNode{NodeType: parse.NodeList, Pos: pos},
	}}
}

func command(name string, pos parse.Pos) *parse.CommandNode {
	return &parse.CommandNode{NodeType: parse.NodeCommand, Pos: pos, Args: []parse.Node{parse.NewIdentifier(name).SetPos(pos)}}
}

func (u *unit) use(names ...string) {
	for _, n := range names {
		if !slices.Contains(u.uses, n) {
			u.uses = append(u.uses, n)
		}
	}
}

func (u *unit) list(l *parse.ListNode) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		u.node(n)
	}
}

func (u *unit) node(n parse.Node) {
	switch n := n.(type) {
	case *parse.ActionNode:
		u.pipe(n.Pipe)
		if len(n.Pipe.Decl) == 0 {
			n.Pipe.Cmds = append(n.Pipe.Cmds, command(fnPrint, n.Pos))
			u.use(fnPrint)
		}
	case *parse.IfNode:
		u.branch(&n.BranchNode)
	case *parse.WithNode:
		u.branch(&n.BranchNode)
	case *parse.RangeNode:
		u.branch(&n.BranchNode)
		n.List.Nodes = append([]parse.Node{call(fnTick, n.Pos)}, n.List.Nodes...)
		u.use(fnTick)
	case *parse.TemplateNode:
		u.pipe(n.Pipe)
		if !slices.Contains(u.refs, n.Name) {
			u.refs = append(u.refs, n.Name)
		}
	}
}

func (u *unit) branch(b *parse.BranchNode) {
	u.pipe(b.Pipe)
	u.list(b.List)
	u.list(b.ElseList)
}

func (u *unit) pipe(p *parse.PipeNode) {
	if p == nil {
		return
	}
	for _, c := range p.Cmds {
		for _, a := range c.Args {
			u.arg(a)
		}
	}
}

func (u *unit) arg(n parse.Node) {
	switch n := n.(type) {
	case *parse.IdentifierNode:
		u.use(n.Ident)
	case *parse.PipeNode:
		u.pipe(n)
	case *parse.ChainNode:
		u.arg(n.Node)
	}
}
