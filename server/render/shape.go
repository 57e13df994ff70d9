package render

import (
	"path"
	"strings"
	"text/template/parse"
)

// shape is what is known of a Path before it is rendered. It lets a path that is asked for be
// compared with thousands of templates without rendering them.
type shape struct {
	prefix, suffix string // how each rendered path begins and ends; "" where that is not known
	constant       bool   // the path is the same for all
	// identified: the path has something of its machine in it that an index leads back from.
	identified bool
}

// may tells whether a path can come from a template of this shape.
func (s shape) may(path string) bool {
	return strings.HasPrefix(path, s.prefix) && strings.HasSuffix(path, s.suffix)
}

// clean is the form in which paths are compared: from the root, without empty steps. A path that
// leads up is none.
func clean(p string) (string, bool) {
	for step := range strings.SplitSeq(p, "/") {
		if step == ".." {
			return "", false
		}
	}
	p = path.Clean("/" + p)
	return p, p != "/"
}

// shapeOf reads the shape off a parsed path.
func shapeOf(nodes []parse.Node) shape {
	s := shape{constant: true}
	text := func(i int) string {
		if i >= 0 && i < len(nodes) && nodes[i].Type() == parse.NodeText {
			return string(nodes[i].(*parse.TextNode).Text)
		}
		return ""
	}
	for i, n := range nodes {
		switch n := n.(type) {
		case *parse.TextNode, *parse.CommentNode:
			continue
		case *parse.ActionNode:
			s.identified = s.identified || identifies(n, i == 0, i == len(nodes)-1, text(i-1), text(i+1))
		}
		s.constant = false
	}
	s.prefix, s.suffix = prefixOf(text(0)), suffixOf(text(len(nodes)-1))
	return s
}

// prefixOf is how a clean path begins if the path begins with the text.
func prefixOf(text string) string {
	text = strings.TrimLeft(text, "/")
	if text == "" || text[0] == '.' || strings.Contains(text, "//") || strings.Contains(text, "/.") {
		return "/"
	}
	return "/" + strings.TrimSuffix(text, "/")
}

// suffixOf is how a clean path ends if the path ends with the text.
func suffixOf(text string) string {
	if strings.Contains(text, "//") || strings.Contains(text, "/.") || strings.Contains(text, "./") ||
		strings.HasSuffix(text, "/") || strings.HasSuffix(text, ".") {
		return ""
	}
	return text
}

// marks are the members of a machine that are found wherever they stand in a path; names are those
// that are found where they are a step of it, or its beginning up to a dot.
var (
	marks = map[string]bool{"Path": true, "Uuid": true, "UUID": true, "HexAddress": true, "MacAddr": true}
	names = map[string]bool{"Name": true, "ShortName": true, "Address": true}
)

// identifies tells whether an action prints, whatever happens, what an index leads back from.
func identifies(n *parse.ActionNode, first, last bool, before, after string) bool {
	if len(n.Pipe.Decl) > 0 || len(n.Pipe.Cmds) != 1 {
		return false
	}
	var member []string
	switch a := n.Pipe.Cmds[0].Args[0].(type) {
	case *parse.FieldNode:
		member = a.Ident
	case *parse.VariableNode:
		if a.Ident[0] == "$" {
			member = a.Ident[1:]
		}
	}
	if len(member) != 2 || member[0] != "Machine" {
		return false
	}
	begins := first || strings.HasSuffix(before, "/")
	ends := last || strings.HasPrefix(after, "/") || strings.HasPrefix(after, ".")
	return marks[member[1]] || names[member[1]] && begins && ends
}
