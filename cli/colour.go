package cli

import (
	"bytes"
	"os"
	"regexp"
	"strings"

	"golang.org/x/term"
)

// The colours of the terminal's own palette: they fit light and dark ones.
const (
	plain  = "\x1b[0m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	blue   = "\x1b[34m"
	cyan   = "\x1b[36m"
	faint  = "\x1b[2m"
)

// colourful tells whether stdout is a terminal whose owner wants colours (https://no-color.org).
func (a *app) colourful() bool {
	f, ok := a.Out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) && !a.flags.noColor && a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb"
}

var jsonPart = regexp.MustCompile(`"(?:[^"\\]|\\.)*"(\s*:)?|-?[0-9][0-9.eE+-]*|true|false|null`)

// colourJSON colours names, texts, numbers and words; the text is the same without the colours.
func colourJSON(raw []byte) []byte {
	return jsonPart.ReplaceAllFunc(raw, func(part []byte) []byte {
		c := yellow
		switch {
		case part[len(part)-1] == ':':
			c = blue
		case part[0] == '"':
			c = green
		case bytes.Equal(part, []byte("null")):
			c = faint
		case part[0] == 't' || part[0] == 'f':
			c = cyan
		}
		return []byte(c + string(part) + plain)
	})
}

// cellColours are what a value says of an object at a glance.
var cellColours = map[string]map[string]string{
	"Available": {"false": red},
	"Runnable":  {"false": yellow, "true": green},
	"Locked":    {"true": yellow},
	"State":     {"failed": red, "finished": green, "running": cyan, "incomplete": yellow},
	"ExitState": {"failed": red},
}

// marked is a cell of a column in its colour.
func marked(column, cell string) string {
	if c := cellColours[column][cell]; c != "" && cell != "" {
		return c + cell + plain
	}
	return cell
}

// bare is a text without colours.
func bare(s string) string {
	return strings.NewReplacer(plain, "", red, "", green, "", yellow, "", blue, "", cyan, "", faint, "").Replace(s)
}
