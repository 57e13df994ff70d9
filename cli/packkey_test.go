package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// secretPack is a pack as a server shows it to somebody who may see its secrets.
const secretPack = `{"meta":{"Name":"pack","Version":"v1.0.0"},"sections":{` +
	`"params":{"pw":{"Name":"pw","Secure":true}},` +
	`"profiles":{"web":{"Name":"web","Params":{"free":1.0,"other":["hush"],"pw":"hush"}}}}}`

// TestPacksLeaveTheServerSealed: shown, bundled and bundlized packs hold no secret, and come back with
// the key alone.
func TestPacksLeaveTheServerSealed(t *testing.T) {
	s := newServer(t, map[string]string{
		"GET contents/pack": secretPack, "GET params?Secure=true": `[{"Name":"other","Secure":true}]`, "GET contents": `[]`, "POST contents": `{}`, "PUT contents/pack": `{}`,
		"GET profiles/web?decode=true": `{"Name":"web","Params":{"other":"hush"}}`,
	})
	dir := t.TempDir()
	file, key, other := filepath.Join(dir, "pack.json"), filepath.Join(dir, "key.json"), filepath.Join(dir, "other.json")
	r := s.call(t, "contents", "show", "pack")
	want(t, "without a key", r, result{"", "Error: Content has secure parameters, but cannot save key!  Use --key=path/to/keyfile.json\n", 1})
	r = s.call(t, "contents", "show", "pack", "--key", key)
	if r.status != 0 || strings.Contains(r.out, "hush") || !strings.Contains(r.out, "1.0") || strings.Count(r.out, `"Nonce"`) != 2 {
		t.Fatalf("shown: %v", r)
	}
	if st, err := os.Stat(key); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the key: %v, %v", st, err)
	}
	if err := os.WriteFile(file, []byte(r.out), 0o600); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(key)
	for _, way := range [][]string{{"create", file}, {"update", "pack", file}, {"upload", file}} {
		s.requests()
		r := s.call(t, append(append([]string{"contents"}, way...), "--key", key)...)
		asked := s.requests()
		last := asked[len(asked)-1]
		if r.status != 0 || !strings.Contains(last, `{"free":1.0,"other":["hush"],"pw":"hush"}`) {
			t.Errorf("%v: %v sends %s", way, r, last)
		}
		r = s.call(t, append(append([]string{"contents"}, way...), "--key", filepath.Join(dir, "none"))...)
		if r.status == 0 || !strings.Contains(r.err, "no such file") {
			t.Errorf("%v without the key: %v", way, r)
		}
	}
	// On the disk: opened into a directory, and sealed again with the same key.
	open := filepath.Join(dir, "open")
	want(t, "unbundle", call{}.drp(t, "contents", "unbundle", file, "--directory", open, "--key", key), result{"", "", 0})
	text, err := os.ReadFile(filepath.Join(open, "profiles", "web.json"))
	if err != nil || strings.Count(string(text), "hush") != 2 {
		t.Errorf("unbundled: %s, %v", text, err)
	}
	want(t, "bundle", call{}.drp(t, "contents", "bundle", file, "--directory", open, "--key", key), result{"", "", 0})
	text, err = os.ReadFile(file)
	if err != nil || strings.Count(string(text), "hush") != 1 || strings.Count(string(text), "Nonce") != 1 {
		t.Errorf("bundled: %s, %v", text, err) // the pack itself does not say that other is secure
	}
	if after, _ := os.ReadFile(key); string(after) != string(before) {
		t.Error("the key was replaced")
	}
	want(t, "another key", call{}.drp(t, "contents", "bundle", filepath.Join(dir, "x.json"), "--directory", open, "--key", other).status, 0)
	r = call{}.drp(t, "contents", "unbundle", file, "--directory", filepath.Join(dir, "closed"), "--key", other)
	if r.status == 0 || !strings.Contains(r.err, "it does not open the param pw") {
		t.Errorf("unbundle with another key: %v", r)
	}
	r = s.call(t, "contents", "bundlize", file, "profiles:web")
	if r.status == 0 || !strings.Contains(r.err, "Use --key=") {
		t.Errorf("bundlize without a key: %v", r)
	}
	want(t, "bundlize", s.call(t, "contents", "bundlize", file, "profiles:web", "--key", key).status, 0)
	if text, err := os.ReadFile(file); err != nil || strings.Contains(string(text), "hush") {
		t.Errorf("bundlized: %s, %v", text, err)
	}
	if err := os.WriteFile(key, []byte(`"AAAA"`), 0o600); err != nil {
		t.Fatal(err)
	}
	if r := s.call(t, "contents", "show", "pack", "--key", key); r.status == 0 || !strings.Contains(r.err, "holds no key") {
		t.Errorf("a file that is no key: %v", r)
	}
}
