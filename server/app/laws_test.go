package app

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"drp/models"

	"github.com/coder/websocket"
)

// law is the law of all kinds, applied to one.
type law struct {
	t     *testing.T
	admin client
	kind  *models.KindInfo
	sample
	sent  []string // the events that there must be, each "ACTION KEY"
	shown chan string
	keys  map[string]bool // of objects that were made
}

// TestEveryKindObeysTheLaw: objects of every kind are made, found, altered and removed over HTTP, and
// each of that is told by an event and a row of history.
func TestEveryKindObeysTheLaw(t *testing.T) {
	_, admin, _ := start(t, config(t))
	for _, k := range models.Kinds {
		if k.Internal || k.Given || k.Name == "preferences" {
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			s, ok := samples[k.Name]
			if !ok {
				t.Fatalf("there is no sample of %s: add one to samples", k.Name)
			}
			c := admin
			c.t = t
			l := &law{t: t, admin: c, kind: k, sample: s, keys: map[string]bool{}}
			for _, r := range s.setup {
				l.prepare(r)
			}
			l.listen()
			l.made()
			l.found()
			l.altered()
			l.refused()
			l.removed()
			l.told()
		})
	}
}

// number is the digit that stands where a # does in a sample.
func number(s string, i int) string { return strings.ReplaceAll(s, "#", strconv.Itoa(i)) }

func (l *law) prepare(request string) {
	l.t.Helper()
	for i := 1; i <= 9; i++ {
		method, rest, _ := strings.Cut(number(request, i), " ")
		path, body, _ := strings.Cut(rest, " ")
		if a := l.admin.do(method, path, body); a.status >= 300 {
			l.t.Fatalf("%s: %d %s", request, a.status, a.body)
		}
		if !strings.Contains(request, "#") {
			return
		}
	}
}

// object is a decoded object.
type object map[string]json.RawMessage

func (l *law) path(key string) string { return "/" + l.kind.Name + "/" + key }

func (l *law) decode(raw []byte) object {
	l.t.Helper()
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		l.t.Fatalf("%v in %s", err, raw)
	}
	return o
}

// key is what the object is known by in URLs.
func (l *law) key(o object) string {
	s := unquoted(o[l.kind.KeyField])
	if a, err := netip.ParseAddr(s); err == nil && a.Is4() {
		b := a.As4()
		return fmt.Sprintf("%X", b[:])
	}
	return s
}

func unquoted(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return string(raw)
	}
	return s
}

func (l *law) create(body string) object {
	l.t.Helper()
	a := l.admin.do("POST", "/"+l.kind.Name, body)
	if a.status != http.StatusCreated {
		l.t.Fatalf("create %s: %d %s", body, a.status, a.body)
	}
	o := l.decode(a.body)
	l.keys[l.key(o)] = true
	l.expect("create", o)
	return o
}

func (l *law) get(key string) object {
	l.t.Helper()
	a := l.admin.do("GET", l.path(key), nil)
	if a.status != http.StatusOK || a.header.Get("ETag") == "" {
		l.t.Fatalf("GET %s: %d %s", key, a.status, a.body)
	}
	return l.decode(a.body)
}

// delete removes an object, after it was brought into a state in which it can go.
func (l *law) delete(key string) {
	l.t.Helper()
	if l.end != "" {
		before := l.get(key)
		l.admin.must("PATCH", l.path(key), l.end, nil)
		if after := l.get(key); !l.same(before, after) {
			l.expect("update", after)
		}
	}
	last := l.get(key)
	a := l.admin.do("DELETE", l.path(key), nil)
	if a.status != http.StatusOK || !l.same(l.decode(a.body), last) {
		l.t.Errorf("DELETE %s: %d %s, want the object as it was", key, a.status, a.body)
	}
	l.expect("delete", last)
	if l.gone != "" {
		l.prepare(l.gone)
	}
}

func (l *law) same(a, b object) bool { return string(encoded(l.t, a)) == string(encoded(l.t, b)) }

func encoded(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func (l *law) expect(action string, o object) { l.sent = append(l.sent, action+" "+l.key(o)) }

// listen subscribes to the events of the kind.
func (l *law) listen() {
	c, _, err := websocket.Dial(l.t.Context(), "wss"+strings.TrimPrefix(l.admin.url, "https")+"/api/v3/ws?token="+l.admin.token,
		&websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		l.t.Fatal(err)
	}
	c.SetReadLimit(1 << 20)
	l.t.Cleanup(func() { c.CloseNow() })
	if err := c.Write(l.t.Context(), websocket.MessageText, []byte("register "+l.kind.Name+".*.*")); err != nil {
		l.t.Fatal(err)
	}
	l.shown = make(chan string, 10_000)
	ready := make(chan struct{})
	go func() {
		defer close(l.shown)
		for {
			_, raw, err := c.Read(context.Background())
			if err != nil {
				return
			}
			var e models.Event
			if json.Unmarshal(raw, &e) != nil || e.Type == "websocket" {
				close(ready)
				continue
			}
			l.shown <- e.Action + " " + e.Key
		}
	}()
	<-ready
}

// made: an object is created of little or much, and shows what it was given.
func (l *law) made() {
	members := l.members()
	bare := l.create(number(l.bare, 1))
	if got := l.get(l.key(bare)); !l.same(got, bare) {
		l.t.Errorf("created %s, shown %s", encoded(l.t, bare), encoded(l.t, got))
	}
	if !l.special {
		nulls := l.decode(encoded(l.t, bare))
		for name, v := range nulls {
			if s := string(v); s == "[]" || s == "{}" {
				nulls[name] = json.RawMessage("null")
			}
		}
		maps.Copy(nulls, l.decode([]byte(number(l.bare, 2))))
		o := l.create(string(encoded(l.t, nulls)))
		for name, v := range o {
			if string(v) == "null" && string(bare[name]) != "null" {
				l.t.Errorf("%s is null", name)
			}
		}
		for _, again := range []string{number(l.bare, 1), number(l.full, 1)} {
			if a := l.admin.do("POST", "/"+l.kind.Name, again); a.status != http.StatusConflict || !strings.Contains(string(a.body), `"Type":"CREATE","Messages":["already exists"`) {
				l.t.Errorf("created twice: %d %s", a.status, a.body)
			}
		}
	}
	seen := map[string]bool{}
	for i := 3; i <= 6; i++ {
		body := number(l.full, i)
		o := l.create(body)
		if got := l.get(l.key(o)); !l.same(got, o) {
			l.t.Errorf("created %s, shown %s", encoded(l.t, o), encoded(l.t, got))
		}
		for name, v := range l.decode([]byte(body)) {
			if !slices.Contains(l.server, name) && !sameJSON(o[name], v) {
				l.t.Errorf("%s: got %s, want %s", name, o[name], v)
			}
		}
		for name := range o {
			seen[name] = true
		}
	}
	for _, name := range members {
		if !seen[name] && !l.special {
			l.t.Errorf("the full sample does not show %s", name)
		}
	}
	for name := range seen {
		if !slices.Contains(members, name) {
			l.t.Errorf("%s is shown, and is no field", name)
		}
	}
}

// members are the fields of the kind that are ever shown.
func (l *law) members() (names []string) {
	o := l.kind.New()
	for _, f := range reflect.VisibleFields(reflect.TypeOf(o).Elem()) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.Anonymous || !f.IsExported() || name == "-" {
			continue
		}
		h, hides := o.(models.Hider)
		if hides && slices.Contains(h.Hidden(), "/"+f.Name) || f.Name == "Bundle" && options == "omitempty" {
			continue
		}
		names = append(names, cmp.Or(name, f.Name))
	}
	return names
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	return json.Unmarshal(a, &x) == nil && json.Unmarshal(b, &y) == nil && reflect.DeepEqual(x, y)
}

// list is the keys that a query finds.
func (l *law) list(query url.Values) (keys []string, all []object) {
	l.t.Helper()
	a := l.admin.do("GET", "/"+l.kind.Name+"?"+query.Encode(), nil)
	if a.status != http.StatusOK {
		l.t.Fatalf("list %v: %d %s", query, a.status, a.body)
	}
	if err := json.Unmarshal(a.body, &all); err != nil || all == nil {
		l.t.Fatalf("list %v: %s", query, a.body)
	}
	for _, o := range all {
		keys = append(keys, l.key(o))
	}
	if n := a.header.Get("X-DRP-LIST-COUNT"); n != strconv.Itoa(len(keys)) {
		l.t.Errorf("list %v: the header counts %s, there are %d", query, n, len(keys))
	}
	return keys, all
}

// found: lists hold what a look at each object says they should.
func (l *law) found() {
	_, all := l.list(nil)
	for _, o := range all {
		if !l.same(o, l.get(l.key(o))) {
			l.t.Errorf("%s is another in the list", l.key(o))
		}
	}
	if !slices.IsSortedFunc(all, func(a, b object) int { return cmp.Compare(l.key(a), l.key(b)) }) {
		l.t.Errorf("the list is not in the order of keys")
	}
	var indexes map[string]models.Index
	l.admin.must("GET", "/indexes/"+l.kind.Name, nil, &indexes)
	tried := 0
	for name, ix := range indexes {
		values, ok := l.values(all, name, ix)
		if !ok {
			continue // no field: has tests of its own
		}
		l.sorted(all, name, ix, values)
		for _, text := range probes(values) {
			tried += l.filtered(all, name, ix, values, text)
		}
		if ix.Unique {
			for i, o := range all {
				if got := l.get(name + ":" + fmt.Sprint(values[i][0])); !l.same(got, o) {
					l.t.Errorf("%s:%v is %s, want %s", name, values[i][0], l.key(got), l.key(o))
				}
			}
		}
	}
	if tried < 100 {
		l.t.Errorf("%d filters were tried; want more", tried)
	}
	for query, message := range map[string]string{"limit=-1": "Limit cannot be negative", "offset=-1": "Offset cannot be negative", "Available=x": "Available must be true or false"} {
		a := l.admin.do("GET", "/"+l.kind.Name+"?"+query, nil)
		want := fmt.Sprintf(`{"Model":%q,"Key":"","Type":"GET","Messages":[%q],"Code":406}`, l.kind.Name, message)
		if string(a.body) != want {
			l.t.Errorf("%s: got %s, want %s", query, a.body, want)
		}
	}
	_, slim := l.list(url.Values{"slim": {"Params,Meta"}})
	for i, o := range slim {
		want := maps.Clone(all[i])
		for name, v := range map[string]string{"Meta": "{}", "Params": "{}", "Partial": "true"} {
			if _, ok := want[name]; ok {
				want[name] = json.RawMessage(v)
			}
		}
		if !l.same(o, want) {
			l.t.Errorf("slim: got %s, want %s", encoded(l.t, o), encoded(l.t, want))
		}
	}
}

// values are those of an index, for each object, as they can be compared; false for an index that
// is no field.
func (l *law) values(all []object, name string, ix models.Index) (values [][]any, ok bool) {
	field := map[string]string{"Valid": "Validated"}[name]
	if field == "" {
		field = name
	}
	members := l.members()
	if name != "Key" && !slices.Contains(members, field) && name != "Bundle" {
		return nil, false
	}
	for _, o := range all {
		raw, shown := o[field]
		var of []any
		switch {
		case name == "Key":
			of = []any{l.key(o)}
		case ix.Unordered:
			var list []string
			if shown && json.Unmarshal(raw, &list) != nil {
				l.t.Fatalf("%s is no list: %s", name, raw)
			}
			for _, s := range list {
				of = append(of, s)
			}
		default:
			of = []any{l.value(ix, raw)}
		}
		values = append(values, of)
	}
	return values, true
}

// value is a single value; what is left out is empty.
func (l *law) value(ix models.Index, raw json.RawMessage) any {
	s := unquoted(raw)
	switch ix.Type {
	case models.IndexBool:
		return s == "true"
	case models.IndexInt:
		n, _ := strconv.ParseInt(cmp.Or(s, "0"), 10, 64)
		return n
	case models.IndexTime, models.IndexStamp:
		at, _ := time.Parse(time.RFC3339Nano, s)
		return at
	case models.IndexIP:
		a, _ := netip.ParseAddr(s)
		return a
	case models.IndexCIDR:
		p, _ := netip.ParsePrefix(s)
		return p
	}
	return s
}

func text(v any) string {
	switch v := v.(type) {
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case netip.Addr:
		if !v.IsValid() {
			return ""
		}
	case netip.Prefix:
		if !v.IsValid() {
			return ""
		}
	}
	return fmt.Sprint(v)
}

func compare(a, b any) int {
	switch a := a.(type) {
	case bool:
		return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) // false comes before true
	case int64:
		return cmp.Compare(a, b.(int64))
	case time.Time:
		return a.Compare(b.(time.Time))
	case netip.Addr:
		return a.Compare(b.(netip.Addr))
	case netip.Prefix:
		return cmp.Or(a.Addr().Compare(b.(netip.Prefix).Addr()), cmp.Compare(a.Bits(), b.(netip.Prefix).Bits()))
	}
	return cmp.Compare(a.(string), b.(string))
}

// probes are two values to look for, where there are two.
func probes(values [][]any) [][2]any {
	var flat []any
	for _, of := range values {
		for _, v := range of {
			if !strings.ContainsAny(text(v), ",()") && !slices.Contains(flat, v) {
				flat = append(flat, v)
			}
		}
	}
	slices.SortFunc(flat, compare)
	switch len(flat) {
	case 0:
		return nil
	case 1:
		return [][2]any{{flat[0], flat[0]}}
	}
	return [][2]any{{flat[0], flat[len(flat)/2]}, {flat[len(flat)/2], flat[len(flat)-1]}}
}

// filtered tries all operators on an index, and returns how many.
func (l *law) filtered(all []object, name string, ix models.Index, values [][]any, probe [2]any) int {
	v, w := probe[0], probe[1]
	some := func(of []any, holds func(any) bool) bool { return slices.ContainsFunc(of, holds) }
	eq := func(x any) bool { return compare(x, v) == 0 }
	in := func(x any) bool { return compare(x, v) == 0 || compare(x, w) == 0 }
	between := func(x any) bool { return compare(x, v) >= 0 && compare(x, w) <= 0 }
	ops := map[string]func(of []any) bool{
		"%[1]s":             func(of []any) bool { return some(of, eq) },
		"Eq(%[1]s)":         func(of []any) bool { return some(of, eq) },
		"Ne(%[1]s)":         func(of []any) bool { return !some(of, eq) },
		"Lt(%[1]s)":         func(of []any) bool { return some(of, func(x any) bool { return compare(x, v) < 0 }) },
		"Lte(%[1]s)":        func(of []any) bool { return some(of, func(x any) bool { return compare(x, v) <= 0 }) },
		"Gt(%[1]s)":         func(of []any) bool { return some(of, func(x any) bool { return compare(x, v) > 0 }) },
		"Gte(%[1]s)":        func(of []any) bool { return some(of, func(x any) bool { return compare(x, v) >= 0 }) },
		"Between(%[1]s,%s)": func(of []any) bool { return some(of, between) },
		"Except(%[1]s,%s)":  func(of []any) bool { return some(of, func(x any) bool { return !between(x) }) },
		"In(%[1]s,%s)":      func(of []any) bool { return some(of, in) },
		"Nin(%[1]s,%s)":     func(of []any) bool { return !some(of, in) },
	}
	for form, holds := range ops {
		l.query(all, name, strings.NewReplacer("%[1]s", text(v), "%s", text(w)).Replace(form), values, holds)
	}
	if !ix.Regex {
		return len(ops)
	}
	expr := "^" + regexp.QuoteMeta(text(v)) + ".?$"
	l.query(all, name, "Re("+expr+")", values, func(of []any) bool {
		return some(of, func(x any) bool { return regexp.MustCompile(expr).MatchString(text(x)) })
	})
	return len(ops) + 1
}

// query compares what a filter finds, and counts, with what it should.
func (l *law) query(all []object, name, form string, values [][]any, holds func([]any) bool) {
	l.t.Helper()
	var want []string
	for i, o := range all {
		if holds(values[i]) {
			want = append(want, l.key(o))
		}
	}
	q := url.Values{name: {form}}
	if got, _ := l.list(q); !slices.Equal(got, want) {
		l.t.Errorf("%s=%s: got %v, want %v", name, form, got, want)
	}
	q.Set("limit", "1")
	a := l.admin.do("HEAD", "/"+l.kind.Name+"?"+q.Encode(), nil)
	if n := a.header.Get("X-DRP-LIST-FILTER-COUNT"); a.status != http.StatusOK || n != strconv.Itoa(len(want)) || len(a.body) > 0 {
		l.t.Errorf("HEAD %s=%s: %d, counts %s, want %d", name, form, a.status, n, len(want))
	}
}

// sorted tries order and paging by an index.
func (l *law) sorted(all []object, name string, ix models.Index, values [][]any) {
	l.t.Helper()
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return slices.CompareFunc(values[i], values[j], compare) })
	var want []string
	for _, i := range order {
		want = append(want, l.key(all[i]))
	}
	for _, reverse := range []string{"false", "true"} {
		if reverse == "true" {
			slices.Reverse(want)
		}
		for _, page := range [][2]int{{-1, 0}, {2, 1}, {0, 0}, {3, 100}, {100, 2}} {
			q := url.Values{"sort": {name}, "reverse": {reverse}, "offset": {strconv.Itoa(page[1])}}
			part := want[min(page[1], len(want)):]
			if page[0] >= 0 {
				q.Set("limit", strconv.Itoa(page[0]))
				part = part[:min(page[0], len(part))]
			}
			if got, _ := l.list(q); !slices.Equal(got, part) {
				l.t.Errorf("%s: got %v, want %v", q.Encode(), got, part)
			}
		}
	}
}

// change is another value for a member, as JSON; "" for one that is not changed by itself.
func (l *law) change(name string, now json.RawMessage) string {
	if v, ok := l.other[name]; ok {
		return v
	}
	if _, err := time.Parse(time.RFC3339Nano, unquoted(now)); err == nil {
		return `"2031-02-03T04:05:06Z"`
	}
	switch s := string(now); {
	case strings.HasPrefix(s, "["):
		return `["forged"]`
	case s == "null": // not shown
		return string(encoded(l.t, reflect.New(l.field(name)).Elem().Interface()))
	case s == "true":
		return "false"
	case s == "false":
		return "true"
	case strings.HasPrefix(s, `"`):
		return string(encoded(l.t, unquoted(now)+"x"))
	case len(s) > 0 && strings.ContainsAny(s[:1], "-0123456789"):
		n, err := strconv.Atoi(s)
		if err == nil {
			return strconv.Itoa(n + 1)
		}
	}
	if name == "Meta" {
		return `{"color":"blue <&>","x/~y":""}`
	}
	l.t.Errorf("the sample has no other value for %s, which is %s", name, now)
	return ""
}

// field is the type of a member.
func (l *law) field(name string) reflect.Type {
	f, _ := reflect.TypeOf(l.kind.New()).Elem().FieldByName(name)
	return f.Type
}

// ofServer are the members that callers cannot set, in all kinds.
var ofServer = []string{"Validated", "Available", "Errors", "ReadOnly", "Endpoint", "Bundle", "Partial"}

// altered: each member is changed on an object of its own, by a patch that tests it first.
func (l *law) altered() {
	for _, name := range l.members() {
		o := l.create(number(l.full, 9))
		key := l.key(o)
		was, shown := o[name]
		if !shown {
			was = json.RawMessage("null")
		}
		ours := slices.Contains(ofServer, name) || slices.Contains(l.server, name)
		to := l.change(name, was)
		if to == "" {
			l.delete(key)
			continue
		}
		patch := fmt.Sprintf(`[{"op":"test","path":"/%s","from":"","value":%s},{"op":"replace","path":"/%s","from":"","value":%s}]`, name, was, name, to)
		if !shown {
			patch = fmt.Sprintf(`[{"op":"add","path":"/%s","value":%s}]`, name, to)
		}
		path := l.path(key)
		if slices.Contains(l.forced, name) {
			if a := l.admin.do("PATCH", path, patch); a.status != http.StatusUnprocessableEntity {
				l.t.Errorf("%s unforced: %d %s", name, a.status, a.body)
			}
			path += "?force=true"
		}
		a := l.admin.do("PATCH", path, patch)
		after := l.get(key)
		switch {
		case name == l.kind.KeyField || slices.Contains(l.fixed, name):
			if a.status != http.StatusUnprocessableEntity || !l.same(o, after) {
				l.t.Errorf("%s can be changed: %d %s", name, a.status, a.body)
			}
			envelope(l.t, a)
		case a.status != http.StatusOK || !l.same(l.decode(a.body), after):
			l.t.Errorf("%s to %s: %d %s, then shown %s", name, to, a.status, a.body, encoded(l.t, after))
		case ours:
			if !l.same(o, after) {
				l.t.Errorf("%s, which the server sets, was changed to %s", name, after[name])
			}
		default:
			now, still := after[name]
			same := sameJSON(now, json.RawMessage(to)) || !still && slices.Contains([]string{"false", "[]", "{}", `""`}, to)
			if anew := slices.Contains(l.anew, name); anew == same || l.same(o, after) {
				l.t.Errorf("%s: got %s, want %s, anew: %v", name, after[name], to, anew)
			}
			l.expect("update", after)
			if again := l.admin.do("PATCH", l.path(key), patch); again.status != http.StatusConflict || !strings.Contains(string(again.body), "Patch error at line 0: ") {
				l.t.Errorf("%s: the test of an old value: %d %s", name, again.status, again.body)
			}
		}
		l.delete(key)
	}
}

// refused: what is of the wrong type, and what nobody knows.
func (l *law) refused() {
	o := l.create(number(l.full, 8))
	key := l.key(o)
	for _, name := range l.members() {
		wrong := `{"a":{"b":1}}`
		switch s := string(o[name]); {
		case s == "" || s == "null" || name == "Params", name == "Schema", name == "Value": // any value will do in there
			continue
		case strings.HasPrefix(s, "{"):
			wrong = `[1]`
		}
		patch := fmt.Sprintf(`[{"op":"replace","path":"/%s","value":%s}]`, name, wrong)
		a := l.admin.do("PATCH", l.path(key), patch)
		if a.status != http.StatusUnprocessableEntity && a.status != http.StatusBadRequest {
			l.t.Errorf("%s of the wrong type: %d %s", name, a.status, a.body)
		}
		envelope(l.t, a)
		body := l.decode([]byte(number(l.full, 7)))
		body[name] = json.RawMessage(wrong)
		if a := l.admin.do("POST", "/"+l.kind.Name, string(encoded(l.t, body))); a.status != http.StatusUnprocessableEntity && a.status != http.StatusBadRequest {
			l.t.Errorf("created with %s of the wrong type: %d %s", name, a.status, a.body)
		}
	}
	for _, body := range []string{`null`, `[]`, `5`, `"x"`, `{`, ``} {
		for _, r := range [][2]string{{"POST", "/" + l.kind.Name}, {"PUT", l.path(key)}} {
			a := l.admin.do(r[0], r[1], body)
			if a.status != http.StatusUnprocessableEntity && a.status != http.StatusBadRequest && !(l.special && r[0] == "POST") {
				l.t.Errorf("%s %s with %q: %d %s", r[0], r[1], body, a.status, a.body)
			}
		}
	}
	l.admin.must("PATCH", l.path(key), `[{"op":"add","path":"/NoSuchMember","value":1}]`, nil)
	l.admin.must("PATCH", l.path(key), `[]`, nil)
	l.admin.must("PUT", l.path(key), string(encoded(l.t, o)), nil)
	if after := l.get(key); !l.same(o, after) {
		l.t.Errorf("after all that: %s, want %s", encoded(l.t, after), encoded(l.t, o))
	}
}

// removed: what is deleted is gone, and what has never been is not there.
func (l *law) removed() {
	_, all := l.list(nil)
	for _, o := range all {
		key := l.key(o)
		if !l.keys[key] {
			continue
		}
		l.delete(key)
		for _, method := range []string{"GET", "HEAD", "PUT", "PATCH", "DELETE"} {
			body := "[]"
			if method == "PUT" {
				body = string(encoded(l.t, o))
			}
			a := l.admin.do(method, l.path(key), body)
			if a.status != http.StatusNotFound || method != "HEAD" && !bytes.Contains(a.body, []byte(fmt.Sprintf(`"Type":%q,"Messages":["Not Found"],"Code":404`, method))) {
				l.t.Errorf("%s of what is gone: %d %s", method, a.status, a.body)
			}
		}
	}
}

// told: there was an event for each change and no other, and so there is in history.
func (l *law) told() {
	for i, want := range l.sent {
		got, ok := <-l.shown
		for ok && !l.keys[strings.SplitN(got, " ", 2)[1]] {
			got, ok = <-l.shown
		}
		if got != want {
			l.t.Fatalf("event %d of %d: got %s, want %s", i, len(l.sent), got, want)
		}
	}
	by := map[string][]string{}
	for _, s := range l.sent {
		action, key, _ := strings.Cut(s, " ")
		by[key] = append(by[key], action)
	}
	for key, want := range by {
		var rows []models.HistoryEntry
		l.admin.must("GET", "/history?limit=1000&oldest=true&kind="+l.kind.Name+"&key="+url.QueryEscape(key), nil, &rows)
		var got []string
		for _, r := range rows {
			if got = append(got, r.Action); r.Who != "user:rocketskates" {
				l.t.Errorf("history of %s: by %s", key, r.Who)
			}
		}
		if !slices.Equal(got, want) {
			l.t.Errorf("history of %s: got %v, want %v", key, got, want)
		}
	}
}
