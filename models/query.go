package models

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Query selects, orders and pages the objects of one kind.
type Query struct {
	Filters []Filter
	Sort    string // name of an index; "": by key
	Reverse bool
	Limit   int // -1: all
	Offset  int
}

// Filter is one condition on an index, on a param or on a member of Meta. All filters of a
// query must hold.
type Filter struct {
	Name  string
	Param bool // Name is that of a param
	op    string
	args  []any
	re    *regexp.Regexp
	index Index
}

// queryFlags are the keys of a query that are no filters.
var queryFlags = map[string]bool{
	"force": true, "slim": true, "params": true, "decode": true, "aggregate": true, "compose": true, "plugin": true,
	"limit": true, "offset": true, "sort": true, "reverse": true, "token": true, "wait": true, "at": true,
}

// What one list request may ask for: each object of the kind is held against all of it.
const (
	maxFilters    = 64
	maxExpression = 1024 // bytes of the regular expression of a Re
)

// ParseQuery reads the filters, order and paging of a list request. What makes no sense is a
// NotAcceptable error that names the key.
func ParseQuery(k *KindInfo, values url.Values) (Query, error) {
	q := Query{Limit: -1}
	bad := func(msg string) (Query, error) {
		return Query{}, Problem(NotAcceptable, k.Name, "", msg)
	}
	for name, set := range map[string]*int{"Limit": &q.Limit, "Offset": &q.Offset} {
		s := values.Get(strings.ToLower(name))
		if s == "" {
			continue
		}
		n, err := strconv.Atoi(s)
		if err != nil {
			return bad(fmt.Sprintf("%s must be a number, not %s", name, s))
		}
		if n < 0 {
			return bad(name + " cannot be negative")
		}
		*set = n
	}
	q.Reverse = values.Get("reverse") == "true"
	if q.Sort = values.Get("sort"); q.Sort != "" {
		if _, err := k.About(q.Sort); err != nil {
			return bad("No such index to sort by: " + q.Sort)
		}
	}
	for _, name := range sortedKeys(values) {
		if queryFlags[name] {
			continue
		}
		for _, text := range values[name] {
			f, err := k.filter(name, text)
			if err != nil {
				return bad(err.Error())
			}
			if q.Filters = append(q.Filters, f); len(q.Filters) > maxFilters {
				return bad(fmt.Sprintf("more than %d filters; use In(a,b,...) for many values", maxFilters))
			}
		}
	}
	return q, nil
}

// operators and the number of their arguments; -1: any number.
var operators = map[string]int{"Eq": 1, "Ne": 1, "Lt": 1, "Lte": 1, "Gt": 1, "Gte": 1, "Between": 2, "Except": 2, "In": -1, "Nin": -1, "Re": 1}

// About is a filter on an index, a member of Meta or a param that has no condition yet. Its Values
// are what lists are sorted by.
func (k *KindInfo) About(name string) (Filter, error) {
	f := Filter{Name: name, op: "Eq"}
	var isIndex bool
	f.index, isIndex = k.indexes[name]
	if _, holdsParams := k.New().(ParamHolder); !isIndex && !strings.HasPrefix(name, "Meta.") {
		if !holdsParams {
			return f, fmt.Errorf("No such index: %s", name) //nolint:staticcheck // shown as it is
		}
		f.Param = true
	}
	return f, nil
}

func (k *KindInfo) filter(name, text string) (Filter, error) {
	f, err := k.About(name)
	if err != nil {
		return f, err
	}
	raw := []string{text}
	if op, rest, ok := strings.Cut(text, "("); ok && strings.HasSuffix(rest, ")") {
		if n, known := operators[op]; known {
			f.op, rest = op, strings.TrimSuffix(rest, ")")
			raw = []string{rest}
			if n != 1 {
				raw = strings.Split(rest, ",")
			}
			if n == 2 && len(raw) != 2 {
				return f, fmt.Errorf("%s on %s needs two values, separated by a comma", op, name)
			}
		}
	}
	if f.op == "Re" {
		if len(raw[0]) > maxExpression {
			return f, fmt.Errorf("%s: the expression is longer than %d bytes", name, maxExpression)
		}
		if f.re, err = regexp.Compile(raw[0]); err != nil {
			return f, fmt.Errorf("%s: %w", name, err)
		}
		return f, nil
	}
	for _, s := range raw {
		s = strings.TrimSpace(s)
		if name == "Key" {
			s = k.CanonicalKey(s)
		}
		v, err := f.parse(s)
		if err != nil {
			return f, err
		}
		f.args = append(f.args, v)
	}
	return f, nil
}

func (f *Filter) parse(s string) (any, error) {
	if f.index.Type != "" {
		return f.index.parse(f.Name, s)
	}
	return scalar(s), nil
}

// scalar reads a value for a param: a JSON scalar where it is one, else the text itself.
func scalar(s string) any {
	var v any
	if json.Unmarshal([]byte(s), &v) == nil {
		switch v.(type) {
		case bool, float64, string:
			return v
		}
	}
	return s
}

// Match tells whether the object passes. Param yields the effective value of a param.
func (f *Filter) Match(o Object, param func(name string) (json.RawMessage, bool)) bool {
	return f.any(f.Values(o, param))
}

// Values are what the object has of that which the filter is about: one, none, or the elements of
// a list.
func (f *Filter) Values(o Object, param func(name string) (json.RawMessage, bool)) []any {
	switch {
	case f.Param:
		return paramValues(param(f.Name))
	case f.index.Type == "":
		v, ok := o.Base().Meta[strings.TrimPrefix(f.Name, "Meta.")]
		if !ok {
			return nil
		}
		return []any{scalar(v)}
	}
	return f.index.values(o)
}

func paramValues(raw json.RawMessage, ok bool) []any {
	var v any
	if !ok || json.Unmarshal(raw, &v) != nil {
		return nil
	}
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{v}
}

// any tells whether one of the values passes. The negative operators hold when none has the
// value, so they hold for an absent value and an empty list.
func (f *Filter) any(values []any) bool {
	switch f.op {
	case "Ne":
		return !f.has(values, "Eq")
	case "Nin":
		return !f.has(values, "In")
	}
	return f.has(values, f.op)
}

func (f *Filter) has(values []any, op string) bool {
	for _, v := range values {
		if f.holds(op, v) {
			return true
		}
	}
	return false
}

func (f *Filter) holds(op string, v any) bool {
	if op == "Re" {
		s, ok := v.(string)
		if !ok {
			s = fmt.Sprint(v)
		}
		return f.re.MatchString(s)
	}
	c := make([]int, len(f.args))
	for i, a := range f.args {
		r, ok := compareValues(v, a)
		if !ok {
			if op != "In" {
				return false
			}
			r = 1
		}
		c[i] = r
	}
	switch op {
	case "Eq":
		return c[0] == 0
	case "Lt":
		return c[0] < 0
	case "Lte":
		return c[0] <= 0
	case "Gt":
		return c[0] > 0
	case "Gte":
		return c[0] >= 0
	case "Between":
		return c[0] >= 0 && c[1] <= 0
	case "Except":
		return c[0] < 0 || c[1] > 0
	}
	return contains(c, 0) // In
}

// compareValues orders two values of one type; false when their types differ.
func compareValues(a, b any) (int, bool) {
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return cmp.Compare(a, b), true
		}
		return cmp.Compare(a, fmt.Sprint(b)), true // a text compared with what looks like a number
	case bool:
		b, ok := b.(bool)
		return cmp.Compare(boolRank(a), boolRank(b)), ok
	case int64:
		b, ok := b.(int64)
		return cmp.Compare(a, b), ok
	case float64:
		b, ok := b.(float64)
		return cmp.Compare(a, b), ok
	case time.Time:
		b, ok := b.(time.Time)
		return a.Compare(b), ok
	case netip.Addr:
		b, ok := b.(netip.Addr)
		return a.Compare(b), ok
	case netip.Prefix:
		b, ok := b.(netip.Prefix)
		return a.Compare(b), ok
	case span:
		switch b := b.(type) {
		case netip.Addr:
			return a.compare(b), true
		case span: // to sort by
			return cmp.Or(a.from.Compare(b.from), a.to.Compare(b.to)), true
		}
	}
	return 0, false
}

func boolRank(b bool) int {
	if b {
		return 1
	}
	return 0
}

// CompareValues orders two objects by their Values: what has none comes first, and params of
// several types come type by type.
func CompareValues(a, b []any) int {
	for i := range min(len(a), len(b)) {
		c, same := compareValues(a[i], b[i])
		if ra, rb := typeRank(a[i]), typeRank(b[i]); !same || ra != rb {
			c = cmp.Compare(ra, rb)
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

func typeRank(v any) int {
	switch v.(type) {
	case nil:
		return 0
	case bool:
		return 1
	case int64, float64:
		return 2
	case string:
		return 3
	}
	return 4
}

// Has tells whether the object has the value, given as text, under the index.
func (ix Index) Has(o Object, text string) bool {
	want, err := ix.parse("", text)
	if err != nil {
		return false
	}
	for _, v := range ix.values(o) {
		if c, ok := compareValues(v, want); ok && c == 0 {
			return true
		}
	}
	return false
}
