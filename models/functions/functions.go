// Package functions names what templates may call beside the language's own functions and the
// methods of their data. The server renders with these, and the linter of content packs knows them.
package functions

import "github.com/Masterminds/sprig/v3"

// leftOut are the functions of sprig that templates do not have: they look into the server's
// environment or ask the network, or tell a time that is not the machine's.
var leftOut = []string{"env", "expandenv", "getHostByName", "ago", "now"}

// Own are the language's own.
var Own = []string{
	"and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print", "printf", "println", "slice", "urlquery",
}

// Library is the functions of sprig that templates have, by their names.
func Library() map[string]any {
	all := sprig.GenericFuncMap()
	for _, name := range leftOut {
		delete(all, name)
	}
	return all
}
