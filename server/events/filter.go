package events

import (
	"fmt"
	"slices"
	"strings"
)

// Filter selects events by type, action and key; each part is any, or a list.
type Filter [3][]string // nil: any

// ParseFilter reads "TYPE.ACTION.KEY". Each part is "*" or a comma list; only the first two dots
// divide, and inside an item \1 stands for a dot, \2 for a comma and \3 for an asterisk.
func ParseFilter(s string) (Filter, error) {
	parts := strings.SplitN(s, ".", 3)
	var f Filter
	if len(parts) != 3 {
		return f, fmt.Errorf("%q is not TYPE.ACTION.KEY", s)
	}
	for i, p := range parts {
		if p == "" {
			return f, fmt.Errorf("%q has an empty part; write * for any", s)
		}
		if p == "*" {
			continue
		}
		for _, item := range strings.Split(p, ",") {
			f[i] = append(f[i], unescape.Replace(item))
		}
	}
	return f, nil
}

var unescape = strings.NewReplacer(`\1`, ".", `\2`, ",", `\3`, "*")

// Match tells whether the filter selects an event.
func (f Filter) Match(typ, action, key string) bool {
	for i, v := range [3]string{typ, action, key} {
		if f[i] != nil && !slices.Contains(f[i], v) && !slices.Contains(f[i], "*") {
			return false
		}
	}
	return true
}
