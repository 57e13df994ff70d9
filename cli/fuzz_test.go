package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// FuzzJQ: values pass the filter that changes nothing as they are, up to the first that is none,
// which is told; and no options or program make it fail before it runs.
func FuzzJQ(f *testing.F) {
	for _, s := range []string{`{"b":1,"a":[]}`, `1 2 "x"`, `[1.50,1e400,-0]`, `{"a":1,"a":2}`, `"\ud800"`, `{`, ``, "\xff", `nan`, strings.Repeat("[", 300), `[12345678901234567890]`} {
		f.Add([]byte(s), "-c\n.a")
	}
	f.Add([]byte(`[1,2]`), "-r\n--arg\nx\ny\n.[]|$x")
	f.Add([]byte(`{"a":null}`), "-e\n-s\n--tab\n.a?")
	f.Fuzz(func(t *testing.T, in []byte, words string) {
		var out, errs bytes.Buffer
		status := jq("jq", []string{"-c", "."}, IO{bytes.NewReader(in), &out, &errs})
		if (status == 0) != (errs.Len() == 0) {
			t.Fatalf("status %d with %q", status, errs.String())
		}
		given, got := json.NewDecoder(bytes.NewReader(in)), json.NewDecoder(&out)
		for {
			var want, have any
			given.UseNumber()
			got.UseNumber()
			gerr := given.Decode(&want)
			herr := got.Decode(&have)
			if gerr == io.EOF && status != 0 || gerr == nil && herr == io.EOF && status == 0 {
				t.Fatalf("status %d, but the input ends with %v and the output with %v", status, gerr, herr)
			}
			if gerr != nil || herr != nil {
				break
			}
			w, _ := json.Marshal(want)
			h, _ := json.Marshal(have)
			if !bytes.Equal(w, h) {
				t.Fatalf("%s came out as %s", w, h)
			}
		}
		// Whatever else is asked is understood or not; it is not run, as a program may run for ever.
		if o, err := parseJQ(strings.Split(words, "\n")); err == nil && o.fromFile == "" {
			if _, err := o.compile(&feed{}); err != nil && err.Error() == "" {
				t.Fatalf("%q is refused without a reason", words)
			}
		}
	})
}
