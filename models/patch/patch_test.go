package patch

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// sketch is a patch as written in a test.
func sketch(t testing.TB, text string) Patch {
	t.Helper()
	p, err := Decode([]byte(text))
	if err != nil {
		t.Fatalf("decode %s: %v", text, err)
	}
	return p
}

func same(t testing.TB, got, want []byte) bool {
	t.Helper()
	equal, err := Equal(got, want)
	if err != nil {
		t.Fatalf("compare %s with %s: %v", got, want, err)
	}
	return equal
}

// The examples of RFC 6902, appendix A, and what the text of the RFC says besides.
// want "" is a failure.
func TestApplyDoesWhatTheRFCSays(t *testing.T) {
	for _, tt := range []struct{ name, doc, patch, want string }{
		{"A.1 adding an object member", `{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux"}]`, `{"foo":"bar","baz":"qux"}`},
		{"A.2 adding an array element", `{"foo":["bar","baz"]}`, `[{"op":"add","path":"/foo/1","value":"qux"}]`, `{"foo":["bar","qux","baz"]}`},
		{"A.3 removing an object member", `{"baz":"qux","foo":"bar"}`, `[{"op":"remove","path":"/baz"}]`, `{"foo":"bar"}`},
		{"A.4 removing an array element", `{"foo":["bar","qux","baz"]}`, `[{"op":"remove","path":"/foo/1"}]`, `{"foo":["bar","baz"]}`},
		{"A.5 replacing a value", `{"baz":"qux","foo":"bar"}`, `[{"op":"replace","path":"/baz","value":"boo"}]`, `{"baz":"boo","foo":"bar"}`},
		{"A.6 moving a value", `{"foo":{"bar":"baz","waldo":"fred"},"qux":{"corge":"grault"}}`, `[{"op":"move","from":"/foo/waldo","path":"/qux/thud"}]`, `{"foo":{"bar":"baz"},"qux":{"corge":"grault","thud":"fred"}}`},
		{"A.7 moving an array element", `{"foo":["all","grass","cows","eat"]}`, `[{"op":"move","from":"/foo/1","path":"/foo/3"}]`, `{"foo":["all","cows","eat","grass"]}`},
		{"A.8 testing a value: success", `{"baz":"qux","foo":["a",2,"c"]}`, `[{"op":"test","path":"/baz","value":"qux"},{"op":"test","path":"/foo/1","value":2}]`, `{"baz":"qux","foo":["a",2,"c"]}`},
		{"A.9 testing a value: error", `{"baz":"qux"}`, `[{"op":"test","path":"/baz","value":"bar"}]`, ``},
		{"A.10 adding a nested member object", `{"foo":"bar"}`, `[{"op":"add","path":"/child","value":{"grandchild":{}}}]`, `{"foo":"bar","child":{"grandchild":{}}}`},
		{"A.11 ignoring unrecognized elements", `{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux","xyz":123}]`, `{"foo":"bar","baz":"qux"}`},
		{"A.12 adding to a nonexistent target", `{"foo":"bar"}`, `[{"op":"add","path":"/baz/bat","value":"qux"}]`, ``},
		{"A.13 an op given twice is never the first", `{"foo":"bar"}`, `[{"op":"add","path":"/baz","value":"qux","op":"remove"}]`, ``},
		{"A.14 ~ escape ordering", `{"/":9,"~1":10}`, `[{"op":"test","path":"/~01","value":10}]`, `{"/":9,"~1":10}`},
		{"A.15 comparing strings and numbers", `{"/":9,"~1":10}`, `[{"op":"test","path":"/~01","value":"10"}]`, ``},
		{"A.16 adding an array value", `{"foo":["bar"]}`, `[{"op":"add","path":"/foo/-","value":["abc","def"]}]`, `{"foo":["bar",["abc","def"]]}`},

		{"add replaces a member", `{"a":1,"b":2}`, `[{"op":"add","path":"/a","value":null}]`, `{"a":null,"b":2}`},
		{"add at the length appends", `[1]`, `[{"op":"add","path":"/1","value":2}]`, `[1,2]`},
		{"add in an empty list", `[]`, `[{"op":"add","path":"/0","value":2}]`, `[2]`},
		{"add beyond the length", `[1]`, `[{"op":"add","path":"/2","value":2}]`, ``},
		{"add to a scalar", `{"a":1}`, `[{"op":"add","path":"/a/b","value":2}]`, ``},
		{"add the document", `{"a":1}`, `[{"op":"add","path":"","value":7}]`, `7`},
		{"add a document that is not there", ``, `[{"op":"add","path":"","value":{"a":1}},{"op":"add","path":"/b","value":2}]`, `{"a":1,"b":2}`},
		{"replace the document", `[1]`, `[{"op":"replace","path":"","value":{"b":[]}}]`, `{"b":[]}`},
		{"remove the document", `{"a":1}`, `[{"op":"remove","path":""}]`, `null`},
		{"test the document", `{"a":1,"b":2}`, `[{"op":"test","path":"","value":{"b":2,"a":1}}]`, `{"a":1,"b":2}`},
		{"test the document: more is there", `{"a":1,"b":2}`, `[{"op":"test","path":"","value":{"a":1}}]`, ``},
		{"test what the operation before made", `{"a":{"b":1}}`, `[{"op":"add","path":"/a/c","value":[1]},{"op":"test","path":"","value":{"a":{"c":[1],"b":1}}}]`, `{"a":{"b":1,"c":[1]}}`},
		{"the key that is empty", `{"":{"":1},"a":2}`, `[{"op":"test","path":"//","value":1},{"op":"replace","path":"//","value":3},{"op":"add","path":"/","value":4}]`, `{"":4,"a":2}`},
		{"keys that look like indexes", `{"0":{"-":1}}`, `[{"op":"remove","path":"/0/-"},{"op":"add","path":"/0/01","value":2}]`, `{"0":{"01":2}}`},
		{"replace what is missing", `{"a":1}`, `[{"op":"replace","path":"/b","value":2}]`, ``},
		{"replace beyond the list", `[1]`, `[{"op":"replace","path":"/1","value":2}]`, ``},
		{"replace the end of a list", `[1]`, `[{"op":"replace","path":"/-","value":2}]`, ``},
		{"remove what is missing", `{"a":1}`, `[{"op":"remove","path":"/b"}]`, ``},
		{"remove the end of a list", `[1]`, `[{"op":"remove","path":"/-"}]`, ``},
		{"remove, then test", `{"a":1}`, `[{"op":"remove","path":"/a"},{"op":"test","path":"/a","value":1}]`, ``},
		{"remove, then add again", `{"a":1,"b":2}`, `[{"op":"remove","path":"/a"},{"op":"add","path":"/a","value":3}]`, `{"b":2,"a":3}`},
		{"negative index", `[1,2]`, `[{"op":"remove","path":"/-1"}]`, ``},
		{"leading zero", `[1,2]`, `[{"op":"remove","path":"/01"}]`, ``},
		{"index with a sign", `[1,2]`, `[{"op":"test","path":"/+1","value":2}]`, ``},
		{"index beyond all lists", `[1,2]`, `[{"op":"remove","path":"/99999999999999999999999"}]`, ``},
		{"nulls in a list", `[null,1,null]`, `[{"op":"remove","path":"/1"},{"op":"add","path":"/0","value":null},{"op":"replace","path":"/1","value":5}]`, `[null,5,null]`},
		{"move onto itself", `{"a":1,"b":2}`, `[{"op":"move","from":"/a","path":"/a"}]`, `{"a":1,"b":2}`},
		{"move what is missing onto itself", `{}`, `[{"op":"move","from":"/a","path":"/a"}]`, ``},
		{"move into itself", `{"a":{"b":1}}`, `[{"op":"move","from":"/a","path":"/a/c"}]`, ``},
		{"move beside a longer name", `{"a":1}`, `[{"op":"move","from":"/a","path":"/ab"}]`, `{"ab":1}`},
		{"move to the top", `{"a":{"b":1}}`, `[{"op":"move","from":"/a","path":""}]`, `{"b":1}`},
		{"move the document down", `{"a":1}`, `[{"op":"move","from":"","path":"/a"}]`, ``},
		{"copy the document down", `{"a":1}`, `[{"op":"copy","from":"","path":"/a"}]`, `{"a":{"a":1}}`},
		{"copy is no alias", `{"a":{"x":1}}`, `[{"op":"copy","from":"/a","path":"/b"},{"op":"add","path":"/a/x","value":2}]`, `{"a":{"x":2},"b":{"x":1}}`},
		{"copy what is missing", `{}`, `[{"op":"copy","from":"/a","path":"/b"}]`, ``},
		{"below a list element", `{"a":[{"b":1},{"b":2}]}`, `[{"op":"replace","path":"/a/1/b","value":3},{"op":"add","path":"/a/0","value":0},{"op":"remove","path":"/a/2/b"}]`, `{"a":[0,{"b":1},{}]}`},
		{"no operations", `{"a":1}`, `[]`, `{"a":1}`},

		{"test null on null", `{"a":null}`, `[{"op":"test","path":"/a","value":null}]`, `{"a":null}`},
		{"test null on nothing", `{}`, `[{"op":"test","path":"/a","value":null}]`, ``},
		{"test below nothing", `{}`, `[{"op":"test","path":"/a/b","value":1}]`, ``},
		{"duplicate keys: the last counts", `{"a":1,"a":2}`, `[{"op":"test","path":"/a","value":2},{"op":"test","path":"","value":{"a":2}},{"op":"remove","path":"/a"}]`, `{}`},
		{"duplicate keys in the value", `{"a":2}`, `[{"op":"test","path":"","value":{"a":1,"\u0061":2}}]`, `{"a":2}`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := sketch(t, tt.patch).Apply([]byte(tt.doc))
			if (err != nil) != (tt.want == "") {
				t.Fatalf("got %s, %v, want %q", got, err, tt.want)
			}
			if err == nil && string(got) != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestNumbersCompareByValue(t *testing.T) {
	huge := strings.Repeat("9", 400)
	for _, tt := range []struct {
		a, b  string
		equal bool
	}{
		{"1", "1.0", true}, {"1", "1e0", true}, {"100", "1e2", true}, {"100", "1E+2", true}, {"0.01", "1e-2", true},
		{"10", "1", false}, {"0.1", "1", false}, {"1", "-1", false}, {"-1.50", "-15e-1", true},
		{"0", "-0", true}, {"0", "0e99999999999999999999999", true}, {"0.000", "0", true},
		{"9007199254740993", "9007199254740992", false}, {"9007199254740993", "9007199254740993.0", true},
		{"1e999999999", "1e999999998", false}, {"1e999999999", "10e999999998", true},
		{"1e-999999999", "0", false}, {"1e999999999999999999999", "1e999999999999999999999", true},
		{"1e999999999999999999999", "1e999999999999999999998", false},
		{huge, huge + ".0", true}, {huge, huge[1:] + "8", false},
		{"1", `"1"`, false}, {"0", "false", false}, {"0", "null", false},
	} {
		for _, pair := range [][2]string{{tt.a, tt.b}, {tt.b, tt.a}} {
			if got := same(t, []byte(pair[0]), []byte(pair[1])); got != tt.equal {
				t.Errorf("%s == %s: got %v, want %v", pair[0], pair[1], got, tt.equal)
			}
		}
	}
}

func TestStringsAndKeysCompareUnescaped(t *testing.T) {
	for _, tt := range []struct {
		a, b  string
		equal bool
	}{
		{`"a/<\u0026"`, `"\u0061\/\u003c&"`, true},
		{`"\ud83d\ude00"`, `"😀"`, true},
		{`"a"`, `"A"`, false}, {`"\\n"`, `"\n"`, false},
		{`{"a":1,"b":{"c":2,"d":[]}}`, ` { "b" : {"d":[ ],"\u0063":2.0}, "a":1}`, true},
		{`[1,2]`, `[2,1]`, false}, {`[]`, `{}`, false}, {`{"a":null}`, `{"b":null}`, false},
	} {
		if got := same(t, []byte(tt.a), []byte(tt.b)); got != tt.equal {
			t.Errorf("%s == %s: got %v, want %v", tt.a, tt.b, got, tt.equal)
		}
	}
}

func TestUntouchedBytesStay(t *testing.T) {
	doc := `{"z":1.10,"big":12345678901234567890123,"\u003ck\u003e":"a<b>&\u2028","a":[1.0, 2e5 ,{"\/":"<"}],"m":1}`
	got, err := sketch(t, `[{"op":"replace","path":"/m","value":"<&>"},{"op":"add","path":"/<n>","value":1e2},{"op":"add","path":"/a/0","value":1.50},{"op":"test","path":"/big","value":12345678901234567890123}]`).Apply([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"z":1.10,"big":12345678901234567890123,"\u003ck\u003e":"a<b>&\u2028","a":[1.50,1.0,2e5,{"\/":"<"}],"m":"<&>","<n>":1e2}`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestFailureNamesOperationExpectedAndFound(t *testing.T) {
	long := strings.Repeat("ä", 300)
	doc := []byte(`{"my/leader":"node-7","l":[1],"s":5,"long":"` + long + `"}`)
	for _, tt := range []struct{ op, reason, detail, have string }{
		{`{"op":"test","path":"/my~1leader","value":"none"}`, "Test op failed.", `expected "none" at /my~1leader, found "node-7"`, `"node-7"`},
		{`{"op":"test","path":"/gone","value":{"a": 1}}`, "Selector gone not a member of map[string]interface {}{…}", `expected {"a":1} at /gone, found nothing`, ``},
		{`{"op":"test","path":"/a\nb","value":"c\nd"}`, "Selector a\nb not a member of map[string]interface {}{…}", `expected "c\nd" at /a b, found nothing`, ``},
		{`{"op":"test","path":"/l/0/x","value":null}`, "Selector x not a member of /l/0", `expected null at /l/0/x, found nothing`, ``},
		{`{"op":"test","path":"/l/1","value":1}`, "Index out of bounds: 1 of /l", `expected 1 at /l/1, found nothing`, ``},
		{`{"op":"test","path":"/long","value":1}`, "Test op failed.", `expected 1 at /long, found "` + strings.Repeat("ä", 99) + `…`, `"` + long + `"`},
		{`{"op":"test","path":"","value":null}`, "Test op failed.", `expected null at the root, found {"my/leader":"node-7","l":[1],"s":5,"long":"` + strings.Repeat("ä", 77), string(doc)},
		{`{"op":"remove","path":"/gone"}`, "`/gone` does not point to an existing location", "/gone: `/gone` does not point to an existing location", ``},
		{`{"op":"replace","path":"/gone","value":1}`, "/gone does not refer to an existing location", "/gone: /gone does not refer to an existing location", ``},
		{`{"op":"replace","path":"/l/3","value":1}`, "Index out of bounds: 3 of /l", "/l/3: Index out of bounds: 3 of /l", ``},
		{`{"op":"add","path":"/l/x","value":1}`, "Selector x not a member of /l", "/l/x: Selector x not a member of /l", ``},
		{`{"op":"add","path":"/s/x","value":1}`, "Selector x not a member of /s", "/s/x: Selector x not a member of /s", ``},
	} {
		_, err := sketch(t, `[{"op":"add","path":"/new","value":1},`+tt.op+`]`).Apply(doc)
		var failed *FailedError
		if !errors.As(err, &failed) {
			t.Errorf("%s: got %v, want a FailedError", tt.op, err)
			continue
		}
		if got, want := failed.Error(), "Patch error at line 1: "+tt.reason; got != want {
			t.Errorf("%s: got %q, want %q", tt.op, got, want)
		}
		if got := failed.Detail(); !strings.HasPrefix(got, tt.detail) || len(got) > len(tt.detail)+shown {
			t.Errorf("%s: detail\n got %q\nwant %q", tt.op, got, tt.detail)
		}
		if tt.op[7:11] == "test" && tt.detail[0] == '/' && string(failed.Have) != tt.have {
			t.Errorf("%s: have %s, want %s", tt.op, failed.Have, tt.have)
		}
		if failed.Op.Path != sketch(t, `[`+tt.op+`]`)[0].Path || failed.Index != 1 {
			t.Errorf("%s: blamed %d %+v", tt.op, failed.Index, failed.Op)
		}
	}
}

func TestDecodeRefusesWhatIsNoPatch(t *testing.T) {
	for _, tt := range []struct {
		text  string
		index int
	}{
		{``, -1}, {` `, -1}, {`null`, -1}, {`{}`, -1}, {`"[]"`, -1}, {`[]x`, -1}, {`[] []`, -1}, {`[`, -1}, {`[{]`, -1}, {"[\"\xff\"]", -1},
		{`[null]`, 0}, {`[[]]`, 0}, {`[{}]`, 0},
		{`[{"op":"test","path":"","value":1},{"op":"frob","path":"/a"}]`, 1},
		{`[{"op":"Add","path":"/a","value":1}]`, 0}, {`[{"Op":"add","path":"/a","value":1}]`, 0},
		{`[{"op":1,"path":"/a"}]`, 0}, {`[{"op":"remove"}]`, 0}, {`[{"op":"remove","path":null}]`, 0},
		{`[{"op":"remove","path":"a"}]`, 0}, {`[{"op":"remove","path":"/a~"}]`, 0}, {`[{"op":"remove","path":"/a~2"}]`, 0},
		{`[{"op":"add","path":"/a"}]`, 0}, {`[{"op":"replace","path":"/a","from":""}]`, 0}, {`[{"op":"test","path":"/a"}]`, 0},
		{`[{"op":"move","path":"/a"}]`, 0}, {`[{"op":"copy","path":"/a","from":null}]`, 0}, {`[{"op":"copy","path":"/a","from":"b"}]`, 0},
		{"[" + strings.Repeat(`{"op":"remove","path":"/a"},`, MaxOps) + `{"op":"remove","path":"/a"}]`, -1},
	} {
		p, err := Decode([]byte(tt.text))
		var malformed *MalformedError
		if !errors.As(err, &malformed) || p != nil {
			t.Errorf("%.80s: got %v, %v, want a MalformedError", tt.text, p, err)
		} else if malformed.Index != tt.index {
			t.Errorf("%.80s: got index %d, want %d: %v", tt.text, malformed.Index, tt.index, err)
		}
	}
}

func TestDecodeToleratesWhatAnOperationDoesNotUse(t *testing.T) {
	p := sketch(t, ` [ {"op":"add","path":"/a","from":"","value":null}, {"op":"remove","path":"","from":"no pointer","value":[ 1 ]},
		{"op":"remove","path":"/a","from":null},{"op":"copy","path":"/a","from":"","value":null,"x":{}} ] `)
	got, err := p.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	want := `[{"op":"add","path":"/a","from":"","value":null},{"op":"remove","path":"","from":"","value":[1]},` +
		`{"op":"remove","path":"/a","from":"","value":null},{"op":"copy","path":"/a","from":"","value":null}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got, err := json.Marshal(p); err != nil || string(got) != want {
		t.Errorf("marshalled\n got %s, %v\nwant %s", got, err, want)
	}
}

func TestPatchInAnotherDocument(t *testing.T) {
	var row struct{ Patch Patch }
	for _, tt := range []struct{ in, out string }{
		{`{"Patch":[{"op":"remove","path":"/a"}]}`, `{"Patch":[{"op":"remove","path":"/a","from":"","value":null}]}`},
		{`{"Patch":[]}`, `{"Patch":[]}`},
		{`{}`, `{"Patch":[]}`},
		{`{"Patch":null}`, `{"Patch":[]}`},
	} {
		row.Patch = nil
		if err := json.Unmarshal([]byte(tt.in), &row); err != nil {
			t.Fatal(err)
		}
		if got, err := json.Marshal(row); err != nil || string(got) != tt.out {
			t.Errorf("got %s, %v, want %s", got, err, tt.out)
		}
	}
	if err := json.Unmarshal([]byte(`{"Patch":[{"op":"frob","path":""}]}`), &row); err == nil {
		t.Error("unknown operation was taken")
	}
}

func TestHandMadeNonsenseIsAnError(t *testing.T) {
	for _, op := range []Op{
		{Op: "frob"}, {Op: "add", Path: "a"}, {Op: "remove", Path: "a"}, {Op: "test", Path: "a"}, {Op: "replace", Path: "~"},
		{Op: "add", Path: "/a", Value: []byte("{")}, {Op: "replace", Path: "/a", Value: []byte("1 2")}, {Op: "test", Path: "/a", Value: []byte("\"\xff\"")},
		{Op: "copy", From: "a", Path: "/b"}, {Op: "move", From: "/a", Path: "b"}, {Op: "add", Path: "/\xff"}, {Op: "add", Path: "/a", Value: []byte("01")},
	} {
		_, err := Patch{{Op: "add", Path: "/n"}, op}.Apply([]byte(`{"a":1}`))
		var malformed *MalformedError
		if !errors.As(err, &malformed) || malformed.Index != 1 {
			t.Errorf("%+v: got %v, want a MalformedError of operation 1", op, err)
		}
	}
	for _, doc := range []string{"{", "{}{}", `{"a"}`, `{"a":}`, `{a:1}`, "[1,]", "nul", "-", "1.", "1e", "01", `"\x"`, "\"\n\"", "\"\xff\"", `"\ud8"`} {
		if got, err := (Patch{}).Apply([]byte(doc)); err == nil {
			t.Errorf("%s: got %s, want an error", doc, got)
		}
	}
}

func TestLimitsAreErrors(t *testing.T) {
	nest := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	deepKeys := strings.Repeat("/0", MaxDepth-1)
	grow := `[{"op":"add","path":"/a","value":"` + strings.Repeat("x", 1000) + `"}`
	for i := range 100 {
		grow += fmt.Sprintf(`,{"op":"copy","from":"","path":"/b%d"}`, i)
	}
	grow += `]`
	busy := `[{"op":"add","path":"/0","value":"` + strings.Repeat("x", 1<<20) + `"}` + strings.Repeat(`,{"op":"add","path":"/0","value":0}`, 100) + `]`
	for _, tt := range []struct {
		name, doc, patch string
		fails            bool
	}{
		{"document at the limit", nest(MaxDepth), `[]`, false},
		{"document beyond the limit", nest(MaxDepth + 1), `[]`, true},
		{"document far beyond the limit", nest(100_000), `[]`, true},
		{"unclosed", strings.Repeat(`{"a":`, 1_000_000), `[]`, true},
		{"value at the limit", `{}`, `[{"op":"add","path":"/a","value":` + nest(MaxDepth-1) + `}]`, false},
		{"value beyond the limit", `{}`, `[{"op":"add","path":"/a","value":` + nest(MaxDepth) + `}]`, true},
		{"value beyond the limit because of its place", nest(MaxDepth), `[{"op":"add","path":"` + deepKeys + `/-","value":[]}]`, true},
		{"scalar in the deepest place", nest(MaxDepth), `[{"op":"add","path":"` + deepKeys + `/-","value":1}]`, false},
		{"copy that nests", nest(MaxDepth), `[{"op":"copy","from":"","path":"/-"}]`, true},
		{"copies that double", `{}`, grow, true},
		{"copies that stay small", `{}`, strings.ReplaceAll(grow, `"from":""`, `"from":"/a"`), false},
		{"edits of a large list", `[]`, busy, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := sketch(t, tt.patch).Apply([]byte(tt.doc))
			if (err != nil) != tt.fails {
				t.Errorf("got %.100s, %v, want failure %v", got, err, tt.fails)
			}
		})
	}
	if _, err := Diff([]byte(nest(MaxDepth+1)), []byte("1"), Plain); err == nil {
		t.Error("Diff took a document beyond the limit")
	}
	if _, err := Decode([]byte(nest(100_000))); err == nil {
		t.Error("Decode took a patch beyond the limit")
	}
}

func TestDiffHasTheShapeOfDigitalRebarsClient(t *testing.T) {
	for _, tt := range []struct{ name, old, new, plain, tests string }{
		{"scalar", `{"D":"","K":1}`, `{"D":"x","K":1}`, `replace /D "x"`, `test /D "", replace /D "x"`},
		{"number that starts like the old one", `{"a":1}`, `{"a":12}`, `replace /a 12`, `test /a 1, replace /a 12`},
		{"list is replaced whole", `{"P":[]}`, `{"P":["p1"]}`, `replace /P ["p1"]`, `test /P [], replace /P ["p1"]`},
		{"other type", `{"P":{"a":1}}`, `{"P":[1]}`, `replace /P [1]`, `test /P {"a":1}, replace /P [1]`},
		{"null member", `{"P":null}`, `{"P":{}}`, `replace /P {}`, `test /P null, replace /P {}`},
		{"removed", `{"P":{"a/b":1,"c":2}}`, `{"P":{"c":2}}`, `remove /P/a~1b null`, `test /P/a~1b 1, remove /P/a~1b null`},
		{"added", `{"P":{"c":2}}`, `{"P":{"a":1,"c":2}}`, `add /P/a 1`, `add /P/a 1`},
		{"sorted", `{"c":1,"b":1,"e":1}`, `{"e":2,"d":2,"a":2,"c":2}`, `add /a 2, remove /b null, replace /c 2, add /d 2, replace /e 2`, `add /a 2, test /b 1, remove /b null, test /c 1, replace /c 2, add /d 2, test /e 1, replace /e 2`},
		{"order and spelling are no change", `{"a":1,"b":[1.0,"\u003c"]}`, ` {"b":[1,"<"], "a":1e0}`, ``, ``},
		{"created", ``, `{"a":1}`, `add  {"a":1}`, `add  {"a":1}`},
		{"created from null", `null`, `{"a":1}`, `add  {"a":1}`, `add  {"a":1}`},
		{"deleted", `{"a":1}`, `null`, `remove  null`, `test  {"a":1}, remove  null`},
		{"nothing from nothing", ``, `null`, ``, ``},
		{"other document", `5`, `{"a":1}`, `replace  {"a":1}`, `test  5, replace  {"a":1}`},
		{"dead duplicates do not count", `{"a":1,"a":2}`, `{"a":3,"a":2}`, ``, ``},
		{"live duplicates count", `{"a":1,"a":2}`, `{"a":1,"a":3}`, `replace /a 3`, `test /a 2, replace /a 3`},
	} {
		for mode, want := range []string{Plain: tt.plain, Tests: tt.tests} {
			p, err := Diff([]byte(tt.old), []byte(tt.new), Mode(mode))
			if err != nil {
				t.Fatal(err)
			}
			ops := make([]string, len(p))
			for i, op := range p {
				value := op.Value
				if value == nil {
					value = []byte("null")
				}
				ops[i] = op.Op + " " + op.Path + " " + string(value)
			}
			if got := strings.Join(ops, ", "); got != want {
				t.Errorf("%s, mode %d:\n got %s\nwant %s", tt.name, mode, got, want)
			}
			if p == nil {
				t.Errorf("%s: patch is nil", tt.name)
			}
		}
	}
	for _, pair := range [][2]string{{"{", "{}"}, {"{}", "{"}} {
		if p, err := Diff([]byte(pair[0]), []byte(pair[1]), Plain); err == nil {
			t.Errorf("Diff(%s, %s): got %v, want an error", pair[0], pair[1], p)
		}
	}
}

func TestHugeDifferenceFitsInAPatch(t *testing.T) {
	old, new := map[string]int{}, map[string]int{}
	for i := range MaxOps {
		key := strings.Repeat("k", i%7) + string(rune('a'+i%26)) + json.Number(strings.Repeat("1", 1+i%3)).String() + string(rune(0x4e00+i))
		old[key], new[key] = i, i+1
	}
	a, b := marshal(t, old), marshal(t, new)
	p, err := Diff(a, b, Tests)
	if err != nil {
		t.Fatal(err)
	}
	text, err := p.AppendJSON(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := sketch(t, string(text)).Apply(a)
	if err != nil || !same(t, got, b) {
		t.Errorf("patch of %d operations does not lead to the new document: %v", len(p), err)
	}
}

func marshal(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestInvertRefusesWhatItCannotTakeBack(t *testing.T) {
	for _, text := range []string{
		`[{"op":"replace","path":"/a","value":1}]`, `[{"op":"remove","path":"/a"}]`, `[{"op":"test","path":"/a","value":1}]`,
		`[{"op":"test","path":"/b","value":1},{"op":"remove","path":"/a"}]`,
		`[{"op":"copy","from":"/b","path":"/a"}]`, `[{"op":"test","path":"/a","value":1},{"op":"move","from":"/b","path":"/a"}]`,
	} {
		if p, err := sketch(t, text).Invert(); err == nil {
			t.Errorf("%s: got %v, want an error", text, p)
		}
	}
}

func TestPointersAreWhatChanges(t *testing.T) {
	p := sketch(t, `[{"op":"test","path":"/t","value":1},{"op":"add","path":"/b","value":1},{"op":"move","from":"/m","path":"/n"},
		{"op":"copy","from":"/c","path":"/d"},{"op":"replace","path":"/b","value":1},{"op":"remove","path":""}]`)
	if got, want := strings.Join(Pointers(p), " "), "/b /m /n /d "; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
