package patch

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"unicode/utf8"
)

// MaxDepth is how many objects and lists may lie inside each other.
const MaxDepth = 256

// problem tells why bytes are not taken as JSON; none when they are.
type problem string

const (
	none    problem = ""
	syntax  problem = "invalid JSON"
	tooDeep problem = "JSON nested deeper than 256 levels"
)

// parse returns b, one JSON text with or without white space around it, as a node
// whose first level is split. depth is how many containers b will lie in. Nothing
// at all is taken for null. The node shares memory with b.
func parse(b []byte, depth int) (node, error) { return parseLike(b, depth, nil) }

// parseLike is parse, faster when b begins with the members of like.
func parseLike(b []byte, depth int, like *inside) (node, error) {
	if !utf8.Valid(b) {
		return node{}, errors.New("JSON is not UTF-8")
	}
	start := space(b, 0)
	if start == len(b) {
		return node{raw: []byte("null")}, nil
	}
	var in *inside
	var end int
	var bad problem
	if c := b[start]; c == '{' || c == '[' {
		in = newInside(b[start:])
		end, bad = container(b, start, depth, in, like)
	} else {
		end, bad = scalar(b, start)
	}
	if bad == none && space(b, end) != len(b) {
		bad, end = syntax, space(b, end)
	}
	if bad != none {
		return node{}, fmt.Errorf("%s at byte %d", bad, end)
	}
	return node{raw: b[start:end:end], in: in}, nil
}

// container reads the object or list at b[i] and returns its end; with keep, it
// puts the members or elements there. It is both the check and the splitter, so that
// a document is read once. Members that repeat those of like, an object from the same
// depth, are compared instead of read.
func container(b []byte, i, depth int, keep, like *inside) (int, problem) {
	if depth >= MaxDepth {
		return i, tooDeep
	}
	object, closing := b[i] == '{', b[i]+2 // in ASCII { and }, [ and ] are two apart
	i = space(b, i+1)
	if i < len(b) && b[i] == closing {
		return i + 1, none
	}
	for {
		if end := repeated(b, i, keep, like); end > 0 {
			i = end
		} else {
			var key span
			var bad problem
			if object {
				if key, i, bad = memberKey(b, i); bad != none {
					return i, bad
				}
			}
			start := i
			if i, bad = value(b, i, depth+1); bad != none {
				return i, bad
			}
			if keep != nil {
				keep.members = append(keep.members, member{key: b[key.start:key.end:key.end], escaped: key.escaped, node: node{raw: b[start:i:i]}})
			}
		}
		i = space(b, i)
		if i == len(b) {
			return i, syntax
		}
		switch b[i] {
		case closing:
			return i + 1, none
		case ',':
			i = space(b, i+1)
		default:
			return i, syntax
		}
	}
}

// repeated returns the end of the member at b[i] if it is, byte for byte, the one
// that like has in its place, and keeps that one; else 0. What follows must end a
// value, or 12 would pass for 1.
func repeated(b []byte, i int, keep, like *inside) int {
	if like == nil || len(keep.members) >= len(like.members) {
		return 0
	}
	m := &like.members[len(keep.members)]
	if !bytes.HasPrefix(b[i:], m.key) {
		return 0
	}
	i += len(m.key)
	if i == len(b) || b[i] != ':' || !bytes.HasPrefix(b[i+1:], m.raw) {
		return 0
	}
	i += 1 + len(m.raw)
	if i == len(b) || b[i] != ',' && b[i] != '}' {
		return 0
	}
	keep.members = append(keep.members, member{key: m.key, escaped: m.escaped, node: node{raw: m.raw}})
	return i
}

// span is where a key lies, with its quotes.
type span struct {
	start, end int
	escaped    bool
}

// memberKey reads a key and its colon and returns where the value starts.
func memberKey(b []byte, i int) (span, int, problem) {
	if i == len(b) || b[i] != '"' {
		return span{}, i, syntax
	}
	end, escaped, bad := text(b, i)
	if bad != none {
		return span{}, end, bad
	}
	colon := space(b, end)
	if colon == len(b) || b[colon] != ':' {
		return span{}, colon, syntax
	}
	return span{i, end, escaped}, space(b, colon+1), none
}

func value(b []byte, i, depth int) (int, problem) {
	if i < len(b) && (b[i] == '{' || b[i] == '[') {
		return container(b, i, depth, nil, nil)
	}
	return scalar(b, i)
}

func scalar(b []byte, i int) (int, problem) {
	if i == len(b) {
		return i, syntax
	}
	switch b[i] {
	case '"':
		end, _, bad := text(b, i)
		return end, bad
	case 't':
		return literal(b, i, "true")
	case 'f':
		return literal(b, i, "false")
	case 'n':
		return literal(b, i, "null")
	}
	return number(b, i)
}

func literal(b []byte, i int, word string) (int, problem) {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return i, syntax
	}
	return i + len(word), none
}

// text reads the string at b[i] and tells whether it has escapes.
func text(b []byte, i int) (end int, escaped bool, bad problem) {
	for i = plain(b, i+1); i < len(b); i = plain(b, i) {
		if b[i] == '"' {
			return i + 1, escaped, none
		}
		escaped = true
		n := 0
		if b[i] == '\\' {
			n = escape(b[i+1:])
		}
		if n == 0 {
			return i, escaped, syntax
		}
		i += 1 + n
	}
	return i, escaped, syntax
}

// plain returns where the next quote, backslash or control character is. It takes
// eight bytes at a time: most of a document is text, and this loop is most of the
// time a patch takes. Borrows may mark a byte too many, but only above one that is
// marked rightly, and the lowest is what is asked for.
func plain(b []byte, i int) int {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	for ; i+8 <= len(b); i += 8 {
		word := binary.LittleEndian.Uint64(b[i:])
		quote, slash := word^ones*'"', word^ones*'\\'
		found := (quote-ones)&^quote | (slash-ones)&^slash | (word-ones*' ')&^word
		if found &= highs; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
		i++
	}
	return i
}

// escape returns how many bytes follow the backslash of the escape, 0 if it is none.
func escape(b []byte) int {
	if len(b) == 0 {
		return 0
	}
	switch b[0] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 1
	case 'u':
		if len(b) < 5 || !hex(b[1]) || !hex(b[2]) || !hex(b[3]) || !hex(b[4]) {
			return 0
		}
		return 5
	}
	return 0
}

func hex(c byte) bool {
	return digit(c) || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// number reads -?(0|[1-9][0-9]*)(.[0-9]+)?([eE][+-]?[0-9]+)?
func number(b []byte, i int) (int, problem) {
	if b[i] == '-' {
		i++
	}
	whole := i
	i = digits(b, i)
	if i == whole || b[whole] == '0' && i > whole+1 {
		return whole, syntax
	}
	if i < len(b) && b[i] == '.' {
		fraction := i + 1
		if i = digits(b, fraction); i == fraction {
			return i, syntax
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		exponent := i
		if i = digits(b, exponent); i == exponent {
			return i, syntax
		}
	}
	return i, none
}

func digits(b []byte, i int) int {
	for i < len(b) && digit(b[i]) {
		i++
	}
	return i
}

// space returns where the next byte is that is no white space.
func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// unquote decodes a string that was read by text.
func unquote(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 {
		return string(quoted[1 : len(quoted)-1])
	}
	var s string
	if err := json.Unmarshal(quoted, &s); err != nil {
		panic("patch: string was checked and does not decode: " + err.Error())
	}
	return s
}
