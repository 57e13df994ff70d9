package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// shop is a folder with a catalog of two packs, one of which requires the other, and a program.
func shop(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		sum := sha256.Sum256([]byte(text))
		return hex.EncodeToString(sum[:])
	}
	base := write("base.json", `{"meta":{"Name":"base"},"sections":{}}`)
	top := write("top.yaml", "meta: {Name: top, Prerequisites: 'BasicStore, base:>1.0'}\nsections: {}\n")
	write("p/amd64/linux/prog", "#!/bin/sh\n")
	write("catalog.yaml", `
meta: {Name: shop}
sections:
  catalog_items:
    base-stable: {Name: base, Version: stable, ActualVersion: v1.1.0, ContentType: ContentPackage, Source: base.json, Shasum256: {any/any: `+base+`}}
    base-tip: {Name: base, Version: tip, ActualVersion: v1.2.0, Tip: true, ContentType: ContentPackage, Source: base.json}
    top-stable: {Name: top, Version: stable, ActualVersion: v2.0.0, ContentType: ContentPackage, Source: top.yaml, Shasum256: {any/any: `+top+`}}
    top-2: {Name: top, Version: v2.0.0, ActualVersion: v2.0.0, ContentType: ContentPackage, Source: top.yaml, Shasum256: {any/any: `+top+`}}
    bad: {Name: bad, Version: stable, ContentType: ContentPackage, Source: base.json, Shasum256: {any/any: "00"}}
    prog: {Name: prog, Version: stable, ActualVersion: v0.1.0, ContentType: PluginProvider, Source: p, Shasum256: {amd64/linux: ""}}
    odd: {Name: odd, Version: stable, ContentType: Other, Source: p}
`)
	return filepath.Join(dir, "catalog.yaml")
}

func TestCatalogIsShown(t *testing.T) {
	c := shop(t)
	s := newServer(t, nil)
	want(t, "show", s.call(t, "catalog", "show", "-c", c, "--jq", ".meta.Name").out, "shop\n")
	want(t, "items", s.call(t, "catalog", "items", "-c", c, "--jq", ".top|tojson").out, `{"Type":"ContentPackage","Versions":["stable","v2.0.0"]}`+"\n")
	want(t, "item", s.call(t, "catalog", "item", "show", "base", "-c", c, "--jq", ".Versions|tojson").out, `["stable","tip"]`+"\n")
	want(t, "from the environment", call{env: map[string]string{"RS_CATALOG": c}}.drp(t, "catalog", "item", "show", "prog", "--jq", ".Type").out, "PluginProvider\n")
	want(t, "one version", s.call(t, "catalog", "create", "--pkg-version", "tip", "-c", c, "--jq", ".sections.catalog_items|keys|join(\",\")").out, "base-tip\n")
	want(t, "what is not there", s.call(t, "catalog", "item", "show", "x", "-c", c).err, "Error: No item named x in the catalog\n")
	want(t, "no catalog", s.call(t, "catalog", "show", "-c", c+".x").err, "Error: Error fetching catalog: Must specify a file or url\n")
	want(t, "requests", len(s.requests()), 0)
}

func TestCatalogItemsAreDownloadedWhole(t *testing.T) {
	c := shop(t)
	s := newServer(t, nil)
	t.Chdir(t.TempDir())
	want(t, "named", s.call(t, "catalog", "item", "download", "top", "to", "t.yaml", "--version", "v2.0.0", "-c", c), result{})
	want(t, "own name", s.call(t, "catalog", "item", "download", "base", "-c", c), result{})
	want(t, "program", s.call(t, "catalog", "item", "download", "prog", "--arch", "amd64", "--os", "linux", "-c", c), result{})
	if st, err := os.Stat("prog"); err != nil || st.Mode().Perm() != 0o755 {
		t.Error("a program is to be run:", st, err)
	}
	r := s.call(t, "catalog", "item", "download", "bad", "-c", c)
	if r.status != 1 || !strings.Contains(r.err, "its SHA-256 is") {
		t.Error("a damaged file:", r)
	}
	left, err := filepath.Glob("*")
	want(t, "files", left, []any{"base.json", "prog", "t.yaml"})
	want(t, "files", err, nil)
	want(t, "a version that is not there", s.call(t, "catalog", "item", "download", "top", "--version", "v9", "-c", c).err, "Error: top version v9 not in catalog\n")
}

func TestCatalogItemsAreInstalledWithWhatTheyRequire(t *testing.T) {
	c := shop(t)
	s := newServer(t, map[string]string{
		"GET info": `{"arch":"amd64","os":"linux"}`, "GET contents": `[]`, "POST contents": `201 {"meta":{"Name":"x"}}`, "POST plugin_providers/prog": `201 {"path":"prog"}`,
	})
	want(t, "pack", s.call(t, "catalog", "item", "install", "top", "--replaceWritable", "-c", c).status, 0)
	want(t, "requests", compacted(t, s.requests()), strings.Join([]string{
		"GET info", "GET contents/BasicStore", "GET contents/base", "GET contents", `POST contents?replaceWritable=true {"meta":{"Name":"base"},"sections":{}}`,
		"GET contents", `POST contents?replaceWritable=true {"meta":{"Name":"top","Prerequisites":"BasicStore, base:>1.0"},"sections":{}}`,
	}, "\n"))
	want(t, "program", s.call(t, "catalog", "item", "install", "prog", "-c", c).status, 0)
	want(t, "requests", s.requests(), []string{"GET info", "POST plugin_providers/prog #!/bin/sh"})
	want(t, "a type of its own", s.call(t, "catalog", "item", "install", "odd", "-c", c).err, "Error: Don't know how to install odd of type Other yet\n")
	r := s.call(t, "catalog", "item", "install", "bad", "-c", c)
	want(t, "damaged", r.status, 1)
	want(t, "nothing is uploaded", s.requests(), []string{"GET info", "GET info"})
}

func TestCatalogIsCopiedOnce(t *testing.T) {
	c := shop(t)
	have := map[string]string{}
	s := newServer(t, nil)
	for _, name := range []string{"base/v1.1.0/base.json", "top/v2.0.0/top.yaml"} {
		s.handle["files/rebar-catalog/"+name] = func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPost {
				raw, _ := io.ReadAll(r.Body)
				sum := sha256.Sum256(raw)
				have[name] = hex.EncodeToString(sum[:])
				json.NewEncoder(w).Encode("sent")
			} else if have[name] == "" {
				http.NotFound(w, r)
			}
			w.Header().Set("X-DRP-SHA256SUM", have[name])
		}
	}
	first := s.call(t, "catalog", "updateLocal", "--version", "v1.0.0", "-c", c)
	want(t, "first: "+first.err, strings.Count(first.err, "Downloading"), 1) // of the numbered versions only one is neither stable nor tip
	want(t, "again", s.call(t, "catalog", "updateLocal", "--version", "v1.0.0", "-c", c), result{})
	want(t, "too many", s.call(t, "catalog", "updateLocal", "--concurrency", "21", "-c", c).err, "Error: Invalid value for concurrency: 21. Max allowed is 20\n")
}
