package app

import (
	"encoding/json"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

// room says what a package may import: packages of this module, and libraries.
type room struct {
	pkg  string   // a pattern; the first that matches counts
	may  []string // packages of this module; "*": all
	libs []string // libraries beside the standard one; nil: any
}

// allowed is the plan of the house. A package that is not on it has no place.
var allowed = []room{
	{"models", nil, []string{}},
	{"models/patch", nil, []string{"github.com/evanphx/json-patch/v5"}},
	{"models/schema", []string{"models"}, nil},
	{"models/docs", []string{"models"}, []string{}},
	{"models/functions", nil, []string{"github.com/Masterminds/sprig/v3"}},
	{"migrations", nil, []string{}},
	{"ui", nil, []string{}},                                                                           // the built pages, embedded
	{"content", []string{"models"}, []string{"sigs.k8s.io/yaml", "github.com/Masterminds/semver/v3"}}, // the packs we ship, and their directory form
	{"server/store", nil, []string{}},
	{"server/store/storetest", []string{"server/store"}, nil},
	{"server/store/sqlite/faultvfs", []string{}, nil}, // for tests: nobody may import it
	{"server/store/*", []string{"server/store", "migrations"}, nil},
	{"server/objects", []string{"models", "models/patch", "server/store"}, nil},
	{"server/access", []string{"models", "server/objects"}, nil},
	{"server/auth", []string{"models"}, nil},
	{"server/events", []string{"models"}, nil},
	{"server/joblog", []string{"models"}, nil},
	{"server/logs", []string{"models"}, nil},
	{"server/files", []string{"models", "server/objects", "server/files/iso9660"}, nil},
	{"server/files/iso9660", []string{}, []string{}},
	{"server/metrics", []string{"models", "server/objects"}, nil},
	{"server/traces", []string{"models", "server/objects"}, nil},
	{"server/keyring", []string{}, []string{"golang.org/x/crypto/chacha20poly1305"}},
	{"server/throttle", []string{}, nil},
	{"server/prefs", []string{"models", "server/objects"}, nil},
	{"server/network", []string{"models", "server/objects"}, nil},
	{"server/params", []string{"models", "models/patch", "models/schema", "server/objects"}, nil},
	{"server/render", []string{"models", "models/functions", "server/objects", "server/params"}, nil},
	{"server/workflow", []string{"models", "server/objects", "server/params", "server/prefs"}, nil},
	{"server/content", []string{"models", "content", "server/objects"}, nil},
	{"server/plugins/callback", nil, []string{}}, // an example for others: the standard library only
	{"server/plugins", []string{"models", "models/schema", "server/objects", "server/params"}, nil},
	{"server/api", []string{"models", "models/docs", "models/patch", "server/objects", "server/auth", "server/events", "server/joblog", "server/logs", "server/throttle",
		"server/prefs", "server/params", "server/render", "server/workflow", "server/content", "server/files", "server/plugins"}, nil},
	{"server/backup", []string{"server/objects", "server/store", "server/store/sqlite"}, nil},
	{"server/app", []string{"*"}, nil},
	{"ui", nil, []string{}},
	{"server/drp-server", []string{"server/app", "server/backup", "server/keyring"}, nil},
	{"cli/client", []string{"models"}, nil},
	{"cli/fingerprint", []string{"models"}, nil},
	{"cli/lint", []string{"models", "models/functions", "models/schema", "content"}, nil},
	{"cli/runner", []string{"models", "models/patch", "cli/client"}, nil},
	{"cli", []string{"models", "models/docs", "models/patch", "cli/client", "cli/fingerprint", "cli/runner", "cli/lint", "content"}, nil},
	{"cli/drp", []string{"cli", "cli/client", "cli/runner", "models"}, nil},
	{"cli/spawn", nil, []string{}},
	{"cli/demo", []string{"cli/client", "cli/spawn", "models", "content"}, nil},
	{"cli/bench", []string{"cli/spawn", "models"}, nil},
	{"cli/soak", []string{"cli/spawn", "models", "models/patch"}, nil},
}

// only are libraries that one package alone may import.
var only = map[string]string{
	"github.com/gin-gonic/gin":                 "drp/server/api",
	"github.com/evanphx/json-patch/v5":         "drp/models/patch",
	"modernc.org/sqlite":                       "drp/server/store/sqlite",
	"github.com/golang-jwt/jwt/v5":             "drp/server/auth",
	"github.com/Masterminds/sprig/v3":          "drp/models/functions",
	"github.com/santhosh-tekuri/jsonschema/v6": "drp/models/schema",

	"github.com/prometheus/client_golang/prometheus":                  "drp/server/metrics",
	"go.opentelemetry.io/otel/trace":                                  "drp/server/traces",
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp":   "drp/server/traces",
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp": "drp/server/traces",
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []pkg {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "drp/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	var list []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p pkg
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		list = append(list, p)
	}
	return list
}

// TestRoomsImportOnlyWhatTheyMay keeps the walls of the house where they are drawn.
func TestRoomsImportOnlyWhatTheyMay(t *testing.T) {
	list := packages(t)
	if len(list) < 15 {
		t.Fatalf("go list found %d packages; want the whole module", len(list))
	}
	for _, p := range list {
		name := strings.TrimPrefix(p.ImportPath, "drp/")
		i := slices.IndexFunc(allowed, func(r room) bool {
			ok, _ := path.Match(r.pkg, name)
			return ok
		})
		if i < 0 {
			t.Errorf("%s has no place in the house: add it to the table with what it may import", p.ImportPath)
			continue
		}
		rule := allowed[i]
		for _, imp := range p.Imports {
			inner, ours := strings.CutPrefix(imp, "drp/")
			switch {
			case ours && !slices.Contains(rule.may, inner) && !slices.Contains(rule.may, "*"):
				t.Errorf("%s imports %s; it may import only %v", p.ImportPath, imp, rule.may)
			case !ours && strings.Contains(imp, ".") && rule.libs != nil && !slices.Contains(rule.libs, imp):
				t.Errorf("%s imports %s; beside the standard library it may import only %v", p.ImportPath, imp, rule.libs)
			case only[imp] != "" && only[imp] != p.ImportPath:
				t.Errorf("%s imports %s, which is for %s alone", p.ImportPath, imp, only[imp])
			}
		}
	}
}
