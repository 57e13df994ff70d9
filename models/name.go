package models

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// nameRule is the grammar of a class of names: at least two characters, the first a letter (or
// a digit where that is allowed), the rest letters, digits and some punctuation.
type nameRule struct {
	digitFirst bool
	extra      string
	slash      bool // stands in extra
}

var (
	nameGeneral  = nameRule{extra: "- _."}
	nameMachine  = nameRule{digitFirst: true, extra: "- _."}
	nameEndpoint = nameRule{digitFirst: true, extra: "- _.:"}
	nameUser     = nameRule{extra: "- _.@"}
	nameParam    = nameRule{extra: "- _./", slash: true}
)

func (r nameRule) match(s string) bool {
	return r.plain(s) || r.general(s)
}

func (r nameRule) general(s string) bool {
	n := 0
	for i, c := range s {
		switch {
		case unicode.IsLetter(c):
		case unicode.IsDigit(c):
			if i == 0 && !r.digitFirst {
				return false
			}
		case i > 0 && strings.ContainsRune(r.extra, c):
		default:
			return false
		}
		n++
	}
	return n >= 2
}

// plain tells at once that a name is good, as nearly all are: a small letter, then more of them,
// digits, and what is allowed everywhere.
func (r nameRule) plain(s string) bool {
	if len(s) < 2 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '.':
		case c == '/' && r.slash:
		default:
			return false
		}
	}
	return true
}

// problems collects what is wrong with an object, a line each.
type problems []string

func (p *problems) addf(format string, args ...any) { *p = append(*p, fmt.Sprintf(format, args...)) }

func (p *problems) name(r nameRule, what, value string) {
	if !r.match(value) {
		p.addf("Invalid %s `%s`", what, value)
	}
}

// optional checks a reference by name that may be empty.
func (p *problems) optional(what, value string) {
	if value != "" {
		p.name(nameGeneral, what, value)
	}
}

func (p *problems) names(r nameRule, what string, values []string) {
	for _, v := range values {
		p.name(r, what, v)
	}
}

func (p *problems) params(m Params) {
	var bad []string
	for k := range m {
		if !nameParam.match(k) {
			bad = append(bad, k)
		}
	}
	slices.Sort(bad)
	for _, k := range bad {
		p.name(nameParam, "Param Name", k)
	}
}

func (p *problems) unique(what string, values []string) {
	at := map[string]int{}
	for i, v := range values {
		if j, ok := at[v]; ok {
			p.addf("Duplicate %s %s: at %d and %d", what, v, j, i)
		}
		at[v] = i
	}
}

// NewUUID returns a random UUID (RFC 9562 version 4).
func NewUUID() string {
	var b [16]byte
	rand.Read(b[:]) // never fails: crypto/rand aborts the process instead
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// ZeroUUID stands for "no object" where the wire demands a UUID.
const ZeroUUID = "00000000-0000-0000-0000-000000000000"

// IsUUID tells whether s is a UUID in its usual form, in lower case.
func IsUUID(s string) bool {
	if len(s) != 36 || s[8] != '-' || s[13] != '-' || s[18] != '-' || s[23] != '-' || s != strings.ToLower(s) {
		return false
	}
	_, err := hex.DecodeString(strings.ReplaceAll(s, "-", ""))
	return err == nil && strings.Count(s, "-") == 4
}

// NewSecret returns n random characters that are safe in URLs and shells.
func NewSecret(n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	b := make([]byte, n)
	rand.Read(b)
	for i := range b {
		b[i] = alphabet[b[i]&63]
	}
	return string(b)
}
