package lint

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// FuzzBundle: whatever a file holds, each finding is about a line that it has.
func FuzzBundle(f *testing.F) {
	for _, s := range []string{
		"", "meta: {Name: a}\nsections: {tasks: {a: {Templates: [{Name: a, Contents: '{{if}}'}]}}}", `{"meta":5,"sections":[]}`, "a: &a [*a]", "<<: {a: b}",
		"meta:\n  Name: x\nsections:\n  params:\n    p: {Schema: {type: [string], default: 5}}\n  profiles:\n    q: {Params: {p: {a: [1]}}}\n",
		"sections: {stages: {s: &s {Tasks: [stage:, 'bootenv:x', s]}, t: *s, u: {<<: *s, Profiles: u}}}", "sections: {templates: {t: {Contents: |\n  {{define \"a\"}}{{end}}\n  {{template \"b\"}}{{nothing 1 | .Param \"x\"}}\n}}}",
		"sections: {tasks: {a: {Prerequisites: [b]}, b: {Prerequisites: [a, ~, {}]}}, profiles: ~, gadgets: {}}", "meta: {Prerequisites: ',a:>=x,: 1', Version: v1.x}", "- a\n- b", "sections: {params: {~: {}, 5: ~, true: []}}",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		file := filepath.Join(t.TempDir(), "p.yaml")
		if err := os.WriteFile(file, raw, 0o600); err != nil {
			t.Fatal(err)
		}
		found, err := Check(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := 2 + bytes.Count(raw, []byte("\n"))
		for _, one := range found {
			if one.File != file || one.Line < 1 || one.Line > lines+bytes.Count(raw, []byte("\r")) || one.Text == "" {
				t.Fatalf("of a file of %d lines: %v", lines, one)
			}
		}
	})
}
