package patch

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Escape returns key as one token of a pointer: "my/leader" gives "my~1leader".
func Escape(key string) string {
	if !strings.ContainsAny(key, "~/") {
		return key
	}
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}

// Pointer returns the RFC 6901 pointer that leads through keys from the root of a
// document; without keys it is "", the whole document.
func Pointer(keys ...string) string {
	var b strings.Builder
	for _, key := range keys {
		b.WriteByte('/')
		b.WriteString(Escape(key))
	}
	return b.String()
}

// Split returns the keys that pointer leads through, unescaped; none for "". The
// error says what makes a text no pointer: no leading "/", a "~" that is followed
// by neither 0 nor 1, or bytes that are not UTF-8.
func Split(pointer string) ([]string, error) {
	if pointer == "" {
		return nil, nil
	}
	if pointer[0] != '/' {
		return nil, fmt.Errorf("pointer %q does not start with /", pointer)
	}
	if !utf8.ValidString(pointer) {
		return nil, fmt.Errorf("pointer %q is not UTF-8", pointer)
	}
	keys := strings.Split(pointer[1:], "/")
	if !strings.Contains(pointer, "~") {
		return keys, nil
	}
	for i, key := range keys {
		plain, ok := unescape(key)
		if !ok {
			return nil, fmt.Errorf("pointer %q has a ~ that is followed by neither 0 nor 1", pointer)
		}
		keys[i] = plain
	}
	return keys, nil
}

// unescape is one pass from left to right, so that ~01 is ~1 and not /.
func unescape(key string) (string, bool) {
	var b strings.Builder
	for {
		before, after, found := strings.Cut(key, "~")
		b.WriteString(before)
		switch {
		case !found:
			return b.String(), true
		case strings.HasPrefix(after, "0"):
			b.WriteByte('~')
		case strings.HasPrefix(after, "1"):
			b.WriteByte('/')
		default:
			return "", false
		}
		key = after[1:]
	}
}

// Pointers returns the pointers whose values p changes, each once, in the order of
// their first change. Tests change nothing; a move changes where it takes from and
// where it puts to. What lies above or below such a pointer changes with it.
func Pointers(p Patch) []string {
	var changed []string
	seen := make(map[string]bool, len(p))
	note := func(pointer string) {
		if !seen[pointer] {
			seen[pointer] = true
			changed = append(changed, pointer)
		}
	}
	for _, op := range p {
		if op.Op == opTest {
			continue
		}
		if op.Op == opMove {
			note(op.From)
		}
		note(op.Path)
	}
	return slices.Clip(changed)
}
