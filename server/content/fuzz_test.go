package content

import (
	"testing"

	"drp/models"

	"github.com/google/go-cmp/cmp"
)

// FuzzPack: a text is no pack, or one that is refused and leaves everything as it was, or one that
// is installed, shows itself so that it can be installed again with the same result, and can be
// taken away without a trace.
func FuzzPack(f *testing.F) {
	for _, s := range []string{
		first, `{"meta":{"Name":"over"},"sections":{"stages":{"none":{"Description":"ours"}},"templates":{"over.tmpl":{"Contents":"x"}}}}`,
		"meta: {Name: a}\nsections: {profiles: {p1: {Name: p1, Params: {xx: [1, 1.50, null]}}}}", `{"meta":{"Name":"a/b"}}`, `null`, ``, `[]`, `{"meta":5}`,
		"a: &a [*a]", "meta: {Name: a}\nsections: {tasks: {x: {}, x: {}}}", "meta: {Name: b, Version: v1.2.3-rc.1+5, Prerequisites: 'BasicStore: >= 0.0.1'}\nsections: {}",
		"meta: {Name: c}\nsections: {params: {pp: {Schema: {type: string, default: x}}}, profiles: {prof: {Params: {pp: x}}}, roles: {rr: {Claims: [{scope: machines, action: get, specific: '*'}]}}}",
		"meta: {Name: d}\nsections: {tasks: {t1: {Prerequisites: [t2], Templates: [{Name: a, Contents: '{{.'}]}, t2: {}}, workflows: {w: {Stages: [s]}}, stages: {s: {Tasks: [t1, 'stage:s']}}}",
		"meta: {Name: BasicStore}\nsections: {}", "meta: {Name: e}\nsections: {machines: {m: {}}}", "meta: {Name: e}\nsections: {profiles: {global: {}}}", "meta: {Name: \"\\0\"}\nsections: {bootenvs: {local: {OS: {Name: 5}}}}",
		"meta: {Name: g}\nsections: {params: {<<: {x: y}, ? [a] : b}}", "meta: {Name: h}\nsections: {profiles: {'\\xff': {}, 'ä/b': {}, ' ': {}}}",
	} {
		f.Add([]byte(s))
	}
	s := start(f, f.TempDir())
	was := s.state()
	f.Fuzz(func(t *testing.T, body []byte) {
		pack, err := Parse(body)
		if err != nil {
			if models.ClassOf(err) != models.BadRequest {
				t.Fatalf("%v is no BadRequest", err)
			}
			return
		}
		rev := s.objects.View().Rev
		if _, err := s.Create(s.ctx, pack, false); err != nil {
			if c := models.ClassOf(err); c != models.Invalid && c != models.Conflict && c != models.TooLarge {
				t.Fatalf("refused with class %v: %v", c, err)
			}
			if now := s.objects.View().Rev; now != rev {
				t.Fatalf("refused (%v), but the revision is %d, was %d", err, now, rev)
			}
			return
		}
		name := pack.Meta.Name
		shown, err := s.Show(s.ctx, name)
		if err != nil {
			t.Fatal(err)
		}
		installed := s.state()
		raw, err := models.Marshal(shown)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Parse(raw)
		if err != nil {
			t.Fatalf("%s, as shown: %v", raw, err)
		}
		if _, err := s.Replace(s.ctx, name, again, false); err != nil {
			t.Fatalf("%s, as shown: %v", raw, err)
		}
		if diff := cmp.Diff(installed, s.state()); diff != "" {
			t.Fatalf("installed again as shown: %s", diff)
		}
		if err := s.Destroy(s.ctx, name); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(was, s.state()); diff != "" {
			t.Fatalf("left behind: %s", diff)
		}
	})
}
