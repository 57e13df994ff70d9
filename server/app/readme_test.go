package app

import (
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// section is what the README says below a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, below, found := strings.Cut(string(raw), "\n## "+heading+"\n")
	if !found {
		t.Fatalf("the README has no section %q", heading)
	}
	text, _, _ := strings.Cut(below, "\n## ")
	return text
}

// TestTheREADMEHasEveryOption in one of its tables, with its variable and its true default.
func TestTheREADMEHasEveryOption(t *testing.T) {
	rows := map[string]string{} // by flag; of Limits only that the flag is there
	for _, row := range strings.Split(section(t, "Configuration of drp-server"), "\n") {
		for _, m := range regexp.MustCompile("`--([a-z-]+)`").FindAllStringSubmatch(row, -1) {
			if strings.HasPrefix(row, "| `--") && rows[m[1]] == "" {
				rows[m[1]] = row
			}
		}
	}
	limits := map[string]bool{}
	for _, m := range regexp.MustCompile("`--(limit-[a-z-]+)`").FindAllStringSubmatch(section(t, "Limits"), -1) {
		limits[m[1]] = true
	}
	FlagSet(Flags()).VisitAll(func(f *pflag.Flag) {
		if limits[f.Name] {
			delete(limits, f.Name)
			return
		}
		row := rows[f.Name]
		delete(rows, f.Name)
		env := "`RS_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_")) + "`"
		if row == "" || !strings.Contains(row, env) {
			t.Errorf("--%s and its variable %s are in no table of the README", f.Name, env)
		}
		if f.DefValue != "" && !strings.Contains(row, "`"+f.DefValue+"`") {
			t.Errorf("the README does not say that the default of --%s is %s: %s", f.Name, f.DefValue, row)
		}
	})
	for name := range maps.Keys(limits) {
		rows[name] = "Limits"
	}
	for name, row := range rows {
		t.Errorf("the README has --%s, and drp-server does not: %s", name, row)
	}
}

// TestTheREADMEMapsTheHouse: each folder that holds a package is on the map, and nothing else.
func TestTheREADMEMapsTheHouse(t *testing.T) {
	_, block, _ := strings.Cut(section(t, "The house"), "```\n")
	plan, _, _ := strings.Cut(block, "```\n")
	folders := map[string]bool{}
	for _, p := range packages(t) {
		for name := strings.TrimPrefix(p.ImportPath, "drp/"); name != "."; name = path.Dir(name) {
			folders[path.Base(name)] = true
		}
	}
	var mapped []string
	for _, m := range regexp.MustCompile(`(?m)(?:^|[\s(/])([a-z0-9-]+)/`).FindAllStringSubmatch(plan, -1) {
		mapped = append(mapped, m[1])
	}
	for name := range folders {
		if !slices.Contains(mapped, name) {
			t.Errorf("%s/ is missing from the map of the house in the README", name)
		}
	}
	for _, name := range mapped {
		if !folders[name] {
			t.Errorf("the map of the house in the README has %s/, which is not there", name)
		}
	}
}
