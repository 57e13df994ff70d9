package objects

import (
	"cmp"
	"slices"
)

// tables are those of a view, in the order of their kinds. Every batch of changes copies them twice:
// of a slice that costs a tenth of what it does of a map.
type tables []tableOf

type tableOf struct {
	kind string
	*table
}

// at is where the table of a kind is, or would be.
func (ts tables) at(kind string) (int, bool) {
	return slices.BinarySearchFunc(ts, kind, func(t tableOf, kind string) int { return cmp.Compare(t.kind, kind) })
}

// of is the table of a kind.
func (ts tables) of(kind string) (*table, bool) {
	i, ok := ts.at(kind)
	if !ok {
		return nil, false
	}
	return ts[i].table, true
}

// set puts a table in the place of that of a kind, or adds it.
func (ts *tables) set(kind string, t *table) {
	i, ok := ts.at(kind)
	if !ok {
		*ts = slices.Insert(*ts, i, tableOf{kind: kind})
	}
	(*ts)[i].table = t
}

// names are the kinds.
func (ts tables) names() []string {
	names := make([]string, len(ts))
	for i, t := range ts {
		names[i] = t.kind
	}
	return names
}
