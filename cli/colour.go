package cli

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
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

// palette are the colours that -C gives, by their place; those it does not name stay as they are.
type palette map[int]string

// Places in a palette.
const (
	ofText = iota
	ofWord
	ofNumber
	ofNull
	ofName
	ofHeader
	ofBorder
	ofRow
	ofNextRow
	places
)

// or is the colour of a place, or another when the palette has none.
func (p palette) or(place int, other string) string {
	if c, ok := p[place]; ok {
		return c
	}
	return other
}

// readPalette reads "0=32;4=34,1": places, each with the numbers that a terminal takes for its colour.
func readPalette(list string) (palette, error) {
	p := palette{}
	for _, part := range strings.FieldsFunc(list, func(r rune) bool { return r == ';' }) {
		place, numbers, ok := strings.Cut(part, "=")
		at, err := strconv.Atoi(strings.TrimSpace(place))
		if !ok || err != nil || at < 0 || at >= places || !sgr.MatchString(numbers) {
			return nil, &usageError{fmt.Sprintf("--colors: %q is no colour: write PLACE=NUMBER,... such as 4=34,1; places are 0 to %d", part, places-1)}
		}
		p[at] = "\x1b[" + strings.ReplaceAll(numbers, ",", ";") + "m"
	}
	return p, nil
}

var sgr = regexp.MustCompile(`^[0-9]{1,3}(,[0-9]{1,3})*$`)

var jsonPart = regexp.MustCompile(`"(?:[^"\\]|\\.)*"(\s*:)?|-?[0-9][0-9.eE+-]*|true|false|null`)

// colourJSON colours names, texts, numbers and words; the text is the same without the colours.
func (p palette) colourJSON(raw []byte) []byte {
	return jsonPart.ReplaceAllFunc(raw, func(part []byte) []byte {
		c := p.or(ofNumber, yellow)
		switch {
		case part[len(part)-1] == ':':
			c = p.or(ofName, blue)
		case part[0] == '"':
			c = p.or(ofText, green)
		case bytes.Equal(part, []byte("null")):
			c = p.or(ofNull, faint)
		case part[0] == 't' || part[0] == 'f':
			c = p.or(ofWord, cyan)
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

// painted are cells in the colour of a place, where there is one and they have none of their own.
func (p palette) painted(place int, cells []string, colourful bool) []string {
	c, ok := p[place]
	if !ok || !colourful {
		return cells
	}
	out := make([]string, len(cells))
	for i, cell := range cells {
		if out[i] = cell; !strings.Contains(cell, "\x1b[") && cell != "" {
			out[i] = c + cell + plain
		}
	}
	return out
}

// numbers are the colour of a place as the table library wants it; nil: none.
func (p palette) numbers(place int) text.Colors {
	var all text.Colors
	for _, n := range strings.FieldsFunc(p[place], func(r rune) bool { return r < '0' || r > '9' }) {
		c, err := strconv.Atoi(n)
		if err == nil {
			all = append(all, text.Color(c))
		}
	}
	return all
}
