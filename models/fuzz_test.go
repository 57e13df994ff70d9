package models

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// FuzzQuery: any query is one or is NotAcceptable; one that is can be written out and read again,
// and both match the same objects; a negative operator matches what the positive one does not; and
// an order is one.
func FuzzQuery(f *testing.F) {
	for i, q := range []string{
		"", "limit=5&offset=2&sort=Name&reverse=true", "Name=Re(^m.*[0-9]$)", "Runnable=true&Available=Ne(false)", "Uuid=In(a,b)",
		"Address=Between(10.0.0.1,10.0.0.9)", "Meta.color=red&Meta.x=Gt(5)", "cluster/leader=Nin(true,false,null)", "Profiles=a", "StartTime=Gt(2026-01-02T03:04:05Z)",
		"limit=-1", "sort=nothing", "Name=Re(", "Name=Except(1)", "Name=Eq()", "Name=In(,)", "Address=", "a=%22true%22&a=1e400&a=Eq(%22)", "RetryTaskAttempt=Lte(-0)",
		"Machine=Eq(Foo()", "Key= x ", "%ff=%fe&=", "Workflow=Between(%22a%22,%22b%22)",
	} {
		f.Add(i, q, `{"Name":"m1","Uuid":"11111111-1111-4111-8111-111111111111","Address":"10.0.0.5","Profiles":["a","b"],"Runnable":true,"Meta":{"color":"red","x":"7"},"Params":{"a":[1,"true",null],"cluster/leader":false}}`,
			`{"Name":"m2","Meta":{}}`)
	}
	f.Fuzz(func(t *testing.T, kind int, query, one, other string) {
		k := Kinds[uint(kind)%uint(len(Kinds))]
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Skip()
		}
		q, err := ParseQuery(k, values)
		if err != nil {
			if ClassOf(err) != NotAcceptable {
				t.Fatalf("%v is no NotAcceptable", err)
			}
			return
		}
		var list []Object
		for _, raw := range []string{one, other, "{}"} {
			if o, err := Unmarshal(k.Name, []byte(raw)); err == nil {
				list = append(list, o)
			}
		}
		for _, a := range list {
			for _, b := range list {
				by, err := k.About(q.Sort)
				if q.Sort == "" || err != nil {
					continue
				}
				va, vb := by.Values(a, ownParam(a)), by.Values(b, ownParam(b))
				if CompareValues(va, vb) != -CompareValues(vb, va) {
					t.Fatalf("by %s the order of two depends on which comes first: %v %v", q.Sort, va, vb)
				}
			}
		}
		for i := range q.Filters {
			for _, o := range list {
				lawOfFilter(t, k, &q.Filters[i], o)
			}
		}
	})
}

func ownParam(o Object) func(name string) (json.RawMessage, bool) {
	return func(name string) (json.RawMessage, bool) {
		h, ok := o.(ParamHolder)
		if !ok {
			return nil, false
		}
		raw, ok := (*h.ParamMap())[name]
		return raw, ok
	}
}

func lawOfFilter(t *testing.T, k *KindInfo, f *Filter, o Object) {
	t.Helper()
	param := ownParam(o)
	got := f.Match(o, param)
	for yes, no := range map[string]string{"Eq": "Ne", "In": "Nin"} {
		if f.op == yes || f.op == no {
			twin := *f
			twin.op = map[string]string{yes: no, no: yes}[f.op]
			if twin.Match(o, param) == got {
				t.Fatalf("%s and %s of %s %v are both %v", yes, no, f.Name, f.args, got)
			}
		}
	}
	if f.op == "Re" {
		return
	}
	text := written(f)
	again, err := k.filter(f.Name, text)
	if err != nil {
		t.Fatalf("%s=%s, written from %v: %v", f.Name, text, f.args, err)
	}
	if again.op != f.op || !slices.Equal(again.args, f.args) || again.Match(o, param) != got {
		t.Fatalf("%s=%s: got %s %#v, want %s %#v", f.Name, text, again.op, again.args, f.op, f.args)
	}
}

// written is a filter as it stands in a query.
func written(f *Filter) string {
	args := make([]string, len(f.args))
	for i, a := range f.args {
		switch a := a.(type) {
		case string:
			args[i] = a
			if v := scalar(a); f.index.Type == "" && (v != a || strings.TrimSpace(a) != a) {
				quoted, _ := json.Marshal(a)
				args[i] = string(quoted)
			}
		case time.Time:
			args[i] = a.Format(time.RFC3339Nano)
		case netip.Addr:
			if a.IsValid() {
				args[i] = a.String()
			}
		case float64:
			args[i] = strconv.FormatFloat(a, 'g', -1, 64)
		default:
			args[i] = fmt.Sprint(a)
		}
	}
	return f.op + "(" + strings.Join(args, ",") + ")"
}

// allows is what claims mean, said otherwise than Claims.Allow says it: lists are sets of trimmed
// words, actions are paths.
func allows(cs Claims, scope, action, specific string) bool {
	word := func(list, one string) bool {
		if list == "*" {
			return true
		}
		for _, w := range strings.Split(list, ",") {
			if one != "" && one != "*" && strings.TrimSpace(w) == one {
				return true
			}
		}
		return false
	}
	path := func(action string) []string {
		verb, rest, _ := strings.Cut(strings.TrimSuffix(action, ":"), ":")
		if rest == "" {
			return []string{verb}
		}
		return append([]string{verb}, strings.Split(rest, "/")...)
	}
	does := func(list string) bool {
		if list == "*" {
			return true
		}
		want := path(action)
		for _, w := range strings.Split(list, ",") {
			have := path(strings.TrimSpace(w))
			below := (have[0] == "update" || have[0] == "action" && len(have) == 1) && len(have) < len(want) && slices.Equal(have, want[:len(have)])
			if action != "" && action != "*" && (slices.Equal(have, want) || below) {
				return true
			}
		}
		return false
	}
	for _, c := range cs {
		if word(c.Scope, scope) && does(c.Action) && word(c.Specific, specific) && c != (Claim{}) {
			return true
		}
	}
	return false
}

// FuzzClaims: claims allow nothing that they do not mean; nobody who contains claims is without
// something they allow; and checking them never fails.
func FuzzClaims(f *testing.F) {
	f.Add("machines", "update:/Meta", "*", "*", "get,update", "a, b", "machines", "update:/Meta/icon", "a")
	f.Add("*", "action", "x", "users,machines", "action:reboot", "x", "users", "action:reboot", "x")
	f.Add("", "", "", "*,*", "update:", " ", "", "", "")
	f.Add(",", "update:/", "*", "a", "update:/a/", "*", "a", "update:/a//b", "")
	f.Fuzz(func(t *testing.T, s1, a1, p1, s2, a2, p2, scope, action, specific string) {
		one, two := Claims{{s1, a1, p1}}, Claims{{s2, a2, p2}}
		both := append(slices.Clone(one), two...)
		for _, cs := range []Claims{one, two, both} {
			if got := cs.Allow(scope, action, specific); got && !allows(cs, scope, action, specific) {
				t.Fatalf("%v allow %q %q %q", cs, scope, action, specific)
			}
			for _, c := range cs {
				c.Validate()
			}
		}
		if one.Allow(scope, action, specific) != (Claims{{s1, a1, p1}, {}}).Allow(scope, action, specific) {
			t.Fatalf("an empty claim makes a difference to %v", one)
		}
		if both.Allow(scope, action, specific) != (one.Allow(scope, action, specific) || two.Allow(scope, action, specific)) {
			t.Fatalf("%v together allow something else than each", both)
		}
		if one.Contain(two) && two.Allow(scope, action, specific) && !one.Allow(scope, action, specific) {
			t.Fatalf("%v contain %v, but do not allow %q %q %q", one, two, scope, action, specific)
		}
	})
}
