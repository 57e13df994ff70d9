package params

import (
	"encoding/json"
	"errors"
	"maps"

	"drp/models"
	"drp/models/patch"
	"drp/server/objects"
)

// apply applies a patch to params, where a param that is not set but has a default is seen by
// test and replace as if it were set. It is what makes "none" in
//
//	[{"op":"test","path":"/my~1leader","value":"none"},
//	 {"op":"replace","path":"/my~1leader","value":"node-7"}]
//
// elect a leader in a profile that nobody prepared.
func apply(r objects.Reader, p patch.Patch, doc []byte, stored models.Params) ([]byte, error) {
	after, err := p.Apply(doc)
	var failed *patch.FailedError
	if err == nil || !errors.As(err, &failed) {
		return after, err // what applies has no need of defaults
	}
	full, line := withDefaults(r, p, stored)
	if len(full) == len(p) {
		return nil, err
	}
	after, err = full.Apply(doc)
	if errors.As(err, &failed) {
		failed.Index = line[failed.Index]
	}
	return after, err
}

// withDefaults returns the patch with operations added that put defaults where test and replace
// look for them, and take away again those that were only tested; and for each operation the
// index of the one it stems from.
func withDefaults(r objects.Reader, p patch.Patch, stored models.Params) (full patch.Patch, line []int) {
	add := func(i int, op patch.Op) { full, line = append(full, op), append(line, i) }
	set, defaults := presence(stored), memo{r: r, known: map[string]json.RawMessage{}}
	for i, op := range p {
		key, deep := split(op.Path)
		value, seen := json.RawMessage(nil), false
		if (op.Op == "test" || op.Op == "replace") && op.Path != "" && set != nil && !set[key] {
			value, seen = defaults.of(key)
		}
		if seen {
			add(i, patch.Op{Op: "add", Path: patch.Pointer(key), Value: value})
			set[key] = true
		}
		add(i, op)
		if seen && op.Op == "test" {
			add(i, patch.Op{Op: "remove", Path: patch.Pointer(key)})
			delete(set, key)
		}
		set = set.follow(op, key, deep)
	}
	return full, line
}

// memo reads the schema of each param once, however often a patch asks.
type memo struct {
	r     objects.Reader
	known map[string]json.RawMessage // nil: none
}

func (m memo) of(key string) (json.RawMessage, bool) {
	value, ok := m.known[key]
	if !ok {
		if p, found := objects.Get[*models.Param](m.r, key); found {
			value, _ = p.Default()
		}
		m.known[key] = value
	}
	return value, value != nil
}

// split returns the param a pointer leads to, and whether it leads further into its value.
func split(pointer string) (key string, deep bool) {
	keys, err := patch.Split(pointer)
	if err != nil || len(keys) == 0 {
		return "", false
	}
	return keys[0], len(keys) > 1
}

// present are the params that are set while a patch runs, as far as its operations succeed; nil
// when that is no longer known.
type present map[string]bool

func presence(m models.Params) present {
	set := make(present, len(m))
	for k := range maps.Keys(m) {
		set[k] = true
	}
	return set
}

// follow is what is set after an operation.
func (set present) follow(op patch.Op, key string, deep bool) present {
	if set == nil || op.Op == "test" {
		return set
	}
	if op.Path == "" {
		return rooted(op)
	}
	if op.Op == "move" {
		if op.From == "" {
			return nil
		}
		if from, within := split(op.From); !within {
			delete(set, from)
		}
	}
	switch {
	case deep:
	case op.Op == "remove":
		delete(set, key)
	default:
		set[key] = true
	}
	return set
}

// rooted is what is set after an operation on the document as a whole.
func rooted(op patch.Op) present {
	var m models.Params
	if (op.Op != "add" && op.Op != "replace") || json.Unmarshal(op.Value, &m) != nil {
		return nil
	}
	return presence(m)
}
