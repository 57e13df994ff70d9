package cli

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestJq(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"a.json": `{"n":1}`, "b.json": `{"n":2} {"n":3}`, "f.jq": `.n + 1`, "bad.json": `{"n":`} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	for _, c := range []struct {
		args   []string
		in     string
		out    string
		status int
	}{
		{[]string{"."}, `{"b":1,"a":[]}`, "{\n  \"a\": [],\n  \"b\": 1\n}\n", 0},
		{[]string{"-c", ".a, .b"}, `{"a":{"x": 1},"b":"<"}`, "{\"x\":1}\n\"<\"\n", 0},
		{[]string{"-r", ".[]"}, `["a", 1.50, null]`, "a\n1.50\nnull\n", 0},
		{[]string{"-j", ".[]"}, `["a", 1, "b"]`, "a1b", 0},
		{[]string{"-rc", ".a"}, `{"a":"x"}`, "x\n", 0},
		{[]string{"-n", "1+1"}, `ignored`, "2\n", 0},
		{[]string{"-n", "[inputs]", "-c"}, `1 2 3`, "[1,2,3]\n", 0},
		{[]string{"-c", "[., input]"}, `1 2 3 4`, "[1,2]\n[3,4]\n", 0},
		{[]string{"-s", "-c", "."}, `1 2`, "[1,2]\n", 0},
		{[]string{"-s", "-c", "."}, ``, "[]\n", 0},
		{[]string{"-R", "."}, "a\nb", "\"a\"\n\"b\"\n", 0},
		{[]string{"-Rs", "."}, "a\nb\n", "\"a\\nb\\n\"\n", 0},
		{[]string{"-e", ".a"}, `{"a":false}`, "false\n", 1},
		{[]string{"-e", ".a"}, `{"a":1}`, "1\n", 0},
		{[]string{"-e", "empty"}, `1`, "", 4},
		{[]string{"-e", ".[]"}, `[null, 1]`, "null\n1\n", 0},
		{[]string{"--arg", "x", "1", "--argjson", "y", "2", "-c", "[$x, $y]"}, `null`, "[\"1\",2]\n", 0},
		{[]string{"--slurpfile", "s", "b.json", "--rawfile", "r", "a.json", "-c", "[$s[1].n, ($r|length)]"}, `null`, "[3,7]\n", 0},
		{[]string{".n", "a.json", "b.json"}, ``, "1\n2\n3\n", 0},
		{[]string{"-f", "f.jq", "a.json"}, ``, "2\n", 0},
		{[]string{"--tab", "."}, `[1]`, "[\n\t1\n]\n", 0},
		{[]string{"--indent", "1", "."}, `[1]`, "[\n 1\n]\n", 0},
		{[]string{"-S", "-M", "-c", "."}, `{"b":1,"a":2}`, "{\"a\":2,\"b\":1}\n", 0},
		{[]string{"-c", "."}, `[12345678901234567890, 1.000]`, "[12345678901234567890,1.000]\n", 0},
		{[]string{".a"}, `[1] {"a":2}`, "2\n", 5},
		{[]string{"."}, `1 {`, "1\n", 2},
		{[]string{".", "bad.json"}, ``, "", 2},
		{[]string{".", "gone.json"}, ``, "", 2},
		{[]string{"{"}, ``, "", 3},
		{[]string{"$nope"}, ``, "", 3},
		{[]string{}, ``, "", 2},
		{[]string{"--bogus", "."}, ``, "", 2},
		{[]string{"--arg", "x"}, ``, "", 2},
		{[]string{"--argjson", "x", "{", "."}, ``, "", 2},
		{[]string{"1, halt_error, 2"}, `"bye"`, "1\n", 5},
		{[]string{"--", "-1"}, `null`, "-1\n", 0},
	} {
		r := call{name: "drpjq", stdin: c.in}.drp(t, c.args...)
		want(t, strings.Join(c.args, " ")+" < "+c.in+": "+r.err, []any{r.out, r.status}, []any{c.out, c.status})
		if (r.err != "") != (c.status == 2 || c.status == 3 || c.status == 5) {
			t.Errorf("%v: status %d and stderr %q", c.args, r.status, r.err)
		}
	}
	if r := (call{name: "jq"}).drp(t, "--help"); r.status != 0 || !strings.HasPrefix(r.out, "Usage: jq ") {
		t.Errorf("--help: %v", r)
	}
}

func TestJqPrintsBeforeTheInputEnds(t *testing.T) {
	in, feed := io.Pipe()
	lines := make(chan string, 4)
	done := make(chan int, 1)
	go func() {
		done <- Main(t.Context(), []string{"jq", "-c", "."}, IO{In: in, Out: chanWriter(lines), Err: &bytes.Buffer{}}, Deps{})
	}()
	io.WriteString(feed, "{\"a\":1}\n")
	want(t, "first", <-lines, "{\"a\":1}\n")
	feed.Close()
	want(t, "status", <-done, 0)
}
