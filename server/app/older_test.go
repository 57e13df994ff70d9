package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/models"
	"drp/models/patch"
	"drp/server/objects"
	"drp/server/store"
	"drp/server/store/sqlite"
)

// TestRecordsOfEarlierVersionsAreServedInFull takes members away from stored objects of every kind, as
// if later versions had added them: the objects are shown with all of them, can be changed, are as they
// were in history, and a check finds no damage.
func TestRecordsOfEarlierVersionsAreServedInFull(t *testing.T) {
	cfg := config(t)
	_, admin, stop := start(t, cfg)
	for _, k := range models.Kinds {
		l := &law{t: t, admin: admin, kind: k, sample: samples[k.Name], keys: map[string]bool{}}
		if l.full == "" {
			continue
		}
		for _, r := range l.setup {
			l.prepare(r)
		}
		for i := 3; i <= 4; i++ {
			l.create(number(l.full, i))
		}
	}
	stop()
	old := config(t)
	reduced := rewrite(t, cfg.BaseRoot, old.BaseRoot)
	sound(t, old.BaseRoot)
	_, admin, stop = start(t, old)
	client := admin
	shown := map[string]string{}
	for path, want := range reduced {
		a := client.do("GET", path, nil)
		if a.status != 200 || !bytes.Equal(a.body, want) {
			t.Errorf("%s: %d\n%s, want\n%s", path, a.status, a.body, want)
			continue
		}
		var o struct{ Meta map[string]string }
		client.must("PATCH", path, `[{"op":"add","path":"/Meta/color","value":"red"}]`, &o)
		if o.Meta["color"] != "red" {
			t.Errorf("%s patched: %v", path, o)
		}
		rev := strings.Trim(a.header.Get("ETag"), `"`)
		if past := client.do("GET", path+"?at="+rev, nil); !bytes.Equal(past.body, want) {
			t.Errorf("%s as it was: %s, want\n%s", path, past.body, want)
		}
		shown[path] = string(client.do("GET", path, nil).body)
	}
	if len(reduced) < 40 {
		t.Errorf("%d objects were reduced; want two of every kind", len(reduced))
	}
	stop() // and its data is checked
	_, admin, _ = start(t, old)
	for path, want := range shown {
		if got := admin.do("GET", path, nil); string(got.body) != want {
			t.Errorf("%s after a restart: %s, want\n%s", path, got.body, want)
		}
	}
}

// rewrite copies the records of a stopped server to the data of another, but for members of those
// that the samples have made. It returns the full form of those, by their path.
func rewrite(t *testing.T, from, to string) map[string][]byte {
	t.Helper()
	open := func(dir string) *sqlite.Engine {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		e, err := sqlite.Open(t.Context(), filepath.Join(dir, "drp.db"), objects.Advance)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	src, dst := open(from), open(to)
	defer src.Close()
	defer dst.Close()
	reduced := map[string][]byte{}
	var changes []store.Change
	_, err := src.Load(t.Context(), func(r store.Record) error {
		raw := bytes.Clone(r.Raw)
		if s, ok := samples[r.Kind]; ok && s.full != "" {
			if less, full := lessen(t, s, r.Kind, raw, len(reduced)%2); less != nil {
				raw, reduced["/"+r.Kind+"/"+r.ID] = less, full
			}
		}
		p, err := patch.Diff(nil, raw, patch.Tests)
		if err != nil {
			return err
		}
		text, err := json.Marshal(p)
		changes = append(changes, store.Change{Rev: uint64(len(changes) + 1), Time: time.Now().UTC(), Who: "system",
			Writes: []store.Write{{Key: r.Key, Raw: raw, Action: "create", Patch: text}}})
		return err
	})
	if err == nil {
		err = dst.Commit(t.Context(), changes)
	}
	if err != nil {
		t.Fatal(err)
	}
	return reduced
}

// lessen takes every other member from an object that a sample has made, but for what is required,
// and returns what is left and its full form.
func lessen(t *testing.T, s sample, kind string, raw []byte, odd int) (less, full []byte) {
	t.Helper()
	var keep, is map[string]json.RawMessage
	if err := json.Unmarshal(raw, &is); err != nil {
		t.Fatal(err)
	}
	k, _ := models.KindOf(kind)
	made := false
	for i := 3; i <= 4; i++ {
		if err := json.Unmarshal([]byte(number(s.bare, i)), &keep); err != nil {
			t.Fatal(err)
		}
		made = made || string(keep[k.KeyField]) == string(is[k.KeyField])
	}
	if !made {
		return nil, nil
	}
	for _, name := range []string{"State", "Schema", "Stage", "BootEnv"} { // which are never empty
		keep[name] = nil
	}
	i, less := 0, []byte("{")
	d := json.NewDecoder(bytes.NewReader(raw))
	if _, err := d.Token(); err != nil {
		t.Fatal(err)
	}
	for d.More() {
		name, err := d.Token()
		var value json.RawMessage
		if err == nil {
			err = d.Decode(&value)
		}
		if err != nil {
			t.Fatal(err)
		}
		if i++; i%2 == odd {
			if _, required := keep[name.(string)]; !required && !slices.Contains([]string{"Validated", "Available"}, name.(string)) {
				continue
			}
		}
		less = fmt.Appendf(less, "%q:%s,", name, value)
	}
	less = append(bytes.TrimSuffix(less, []byte(",")), '}')
	o, err := models.Unmarshal(kind, less)
	if err != nil {
		t.Fatal(err)
	}
	if h, ok := o.(models.Hider); ok {
		h.Hide()
	}
	if full, err = models.Marshal(o); err != nil {
		t.Fatal(err)
	}
	return less, full
}
