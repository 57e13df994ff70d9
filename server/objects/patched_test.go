package objects

import (
	"encoding/json"
	"slices"
	"testing"

	"drp/models"
	"drp/models/patch"
)

// wholePatched is what patched promises, done the long way: the whole document is patched and
// decoded.
func wholePatched(e *Entry, p patch.Patch) (models.Object, error) {
	raw, err := p.Apply(e.Raw)
	if err != nil {
		return nil, patchError(newView(), e.Object, p, err)
	}
	return decode(e, raw)
}

// FuzzPatchingAPartIsPatchingTheWhole: whatever the patch, the object or the error is the same,
// whether the members that it names are looked at or all of them.
func FuzzPatchingAPartIsPatchingTheWhole(f *testing.F) {
	docs := []models.Object{
		&models.Profile{Name: "pp", Description: "é\"", Params: models.Params{"a": json.RawMessage(`1`), "b/c": json.RawMessage(`{"x":[1,2],"y":null}`), "": json.RawMessage(`"e"`)}, Profiles: []string{"p1", "p2"}},
		&models.Machine{Name: "m1", Uuid: "3e7031fe-5555-45f1-835c-92541bc9cbd3", Params: models.Params{"p": json.RawMessage(`[]`)}, Tasks: []string{"t"}, CurrentTask: -1},
		&models.Job{Uuid: "3e7031fe-6666-45f1-835c-92541bc9cbd3", State: models.Created},
		&models.Task{Name: "tt", Templates: []models.TemplateInfo{{Name: "x", Contents: "y"}}},
		&models.BootEnv{Name: "bb"},
		&models.User{Name: "uu", PasswordHash: []byte("hash")},
	}
	for i := range docs {
		for _, p := range []string{
			`[{"op":"test","path":"/Description","value":"0"},{"op":"replace","path":"/Description","value":"1"}]`,
			`[{"op":"test","path":"/Params/a","value":1},{"op":"replace","path":"/Params/a","value":{"z":1.0,"a":2}}]`,
			`[{"op":"add","path":"/Params/b~1c/x/0","value":0},{"op":"remove","path":"/Params/"}]`,
			`[{"op":"move","from":"/Params/a","path":"/Params/q"},{"op":"copy","from":"/Params","path":"/Meta"}]`,
			`[{"op":"replace","path":"/Params","value":{}},{"op":"add","path":"/Params/n","value":null}]`,
			`[{"op":"remove","path":"/Profiles"},{"op":"remove","path":"/Params/a"}]`, `[{"op":"replace","path":"/Meta","value":null}]`, `[{"op":"remove","path":"/Name"}]`, `[{"op":"remove","path":"/Uuid"}]`, `[{"op":"add","path":"/name","value":"x"}]`,
			`[{"op":"replace","path":"","value":{"Name":"pp"}}]`, `[]`, `[{"op":"add","path":"/Profiles/-","value":"p3"}]`,
			`[{"op":"replace","path":"/Name","value":7}]`, `[{"op":"add","path":"/Meta/icon","value":"home"},{"op":"test","path":"/Meta/none","value":null}]`,
			`[{"op":"add","path":"/Meta/icon","value":5}]`, `[{"op":"add","path":"/Nonsense","value":5}]`, `[{"op":"test","path":"/PasswordHash","value":null}]`,
			`[{"op":"add","path":"/Token","value":"t"},{"op":"test","path":"/ExtraClaims","value":null}]`, `[{"op":"remove","path":"/Params/zz"}]`,
			`[{"op":"replace","path":"/Tasks/0","value":"u"},{"op":"test","path":"/Templates/0/Name","value":"x"}]`, `[{"op":"remove","path":"/Params"},{"op":"add","path":"/Params/x","value":1}]`,
		} {
			f.Add(uint8(i), p)
		}
	}
	f.Fuzz(func(t *testing.T, which uint8, text string) {
		p, err := patch.Decode([]byte(text))
		if err != nil {
			return
		}
		o := models.Copy(docs[int(which)%len(docs)])
		o.Normalize()
		e, _, err := newEntry(o, nil)
		if err != nil {
			t.Fatal(err)
		}
		before := string(e.stored)
		want, wantErr := wholePatched(e, p)
		got, gotErr := patched(newView(), e, p)
		if (gotErr == nil) != (wantErr == nil) || gotErr != nil && gotErr.Error() != wantErr.Error() {
			t.Fatalf("%s of %s: got the error\n%v, want\n%v", p, before, gotErr, wantErr)
		}
		if gotErr == nil && string(mustMarshal(t, got)) != string(mustMarshal(t, want)) {
			t.Fatalf("%s of %s: got\n%s, want\n%s", p, before, mustMarshal(t, got), mustMarshal(t, want))
		}
		if is := string(mustMarshal(t, e.Object)); is != before || string(e.stored) != before {
			t.Fatalf("%s changed the object that it was applied to: got\n%s, want\n%s", p, is, before)
		}
	})
}

func mustMarshal(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := models.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestPagesArePiecesOfTheList: what is taken from the middle of the tree is what a walk over all
// of it finds.
func TestPagesArePiecesOfTheList(t *testing.T) {
	s, err := New(newMemory(), nil, now, discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ctx := WithActor(t.Context(), System)
	const n = 7
	for _, name := range []string{"dd", "aa", "gg", "cc", "ff", "bb", "ee"} {
		if _, err := s.Create(ctx, &models.Profile{Name: name}, false); err != nil {
			t.Fatal(err)
		}
	}
	for offset := range n + 2 {
		for limit := -1; limit < n+2; limit++ {
			for _, reverse := range []bool{false, true} {
				q := models.Query{Offset: offset, Limit: limit, Reverse: reverse}
				got, total, err := s.List(ctx, "profiles", q)
				q.Sort = "Key"
				want, all, err2 := s.List(ctx, "profiles", q)
				if err != nil || err2 != nil || total != all || !slices.Equal(got, want) {
					t.Errorf("%+v: got %d of %d, %v; want %d of %d, %v", q, len(got), total, err, len(want), all, err2)
				}
			}
		}
	}
}
