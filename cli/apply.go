package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"

	packs "drp/content"
	"drp/models"
	"drp/models/docs"
	"drp/models/patch"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// wish is what a file says an object should be.
type wish struct {
	kind *kind
	key  string
	doc  document // the fields that matter; others stay as they are
	from string   // the file
}

const wishForms = "A directory has a folder for each kind with a file for each object, as content packs have\n" +
	"(profiles/web.yaml, templates/motd.tmpl). A file has YAML or JSON documents, each with the member Kind\n" +
	"that names its kind, or is a bundled content pack. - is stdin.\n" +
	"Members of objects are laid over what is there: a field that is left out or empty stays, a null removes the\n" +
	"member of a map, and lists are replaced."

// apply makes the objects on the server what files say.
func (a *app) apply() *cobra.Command {
	var dry bool
	return a.command(verb{
		use:   "apply [-f] [path...]",
		short: "Create or change objects to match files",
		long: "Make objects on the server what files say: those that are missing are created, others get a patch that\n" +
			"tests the old values. A line for each tells what was done; what fails does not keep the rest from\n" +
			"being done, and makes the exit status 1.\n" + wishForms,
		example: "drp apply -f site/ --dry-run\ndrp apply -f site/\ndrp profiles show web --jq '. + {Kind: \"profiles\"}' | drp apply -",
		args:    atLeast(1),
		flags:   func(f *pflag.FlagSet) { f.BoolVar(&dry, "dry-run", false, "only show what would be sent") },
		run: func(ctx context.Context, args []string) error {
			return a.eachWish(ctx, args, func(w *wish) error { return w.fulfil(ctx, dry) })
		},
	})
}

// diff shows how files differ from the server.
func (a *app) diff() *cobra.Command {
	return a.command(verb{
		use:   "diff [-f] [path...]",
		short: "Show how objects differ from files",
		long: "Show what apply would change, a line for each field: + is added, - removed, and ~ changed. The exit status\n" +
			"is 1 if something differs.\n" + wishForms,
		example: "drp diff -f site/\ndrp diff profiles.yaml",
		args:    atLeast(1),
		run: func(ctx context.Context, args []string) error {
			same := true
			err := a.eachWish(ctx, args, func(w *wish) error {
				_, ops, err := w.compare(ctx)
				if err == nil && len(ops) > 0 {
					same = false
					err = w.tellDifferences(ops)
				}
				return err
			})
			if err == nil && !same {
				err = &statusError{1, errors.New("the server differs from the files")}
			}
			return err
		},
	})
}

// eachWish does something for every object that files speak of, in an order in which one finds
// what it refers to.
func (a *app) eachWish(ctx context.Context, paths []string, do func(*wish) error) error {
	var all []*wish
	for _, p := range paths {
		list, err := a.wishes(ctx, p)
		if err != nil {
			return err
		}
		if len(list) == 0 {
			return fmt.Errorf("%s speaks of no object", p)
		}
		all = append(all, list...)
	}
	slices.SortStableFunc(all, func(a, b *wish) int { return rank(a.kind.name) - rank(b.kind.name) })
	failed := 0
	for _, w := range all {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := do(w); err != nil {
			failed++
			fmt.Fprintf(a.Err, "%s: %v\n", w.from, err)
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d of %s failed", failed, plural(len(all), "object"))
	}
	return nil
}

// byNeed are the kinds that others refer to, before those.
var byNeed = []string{"params", "templates", "roles", "tenants", "users", "contexts", "tasks", "bootenvs", "profiles", "stages", "workflows", "pools", "subnets", "reservations"}

func rank(kind string) int {
	if i := slices.Index(byNeed, kind); i >= 0 {
		return i
	}
	return len(byNeed)
}

// wishes reads a path.
func (a *app) wishes(ctx context.Context, path string) ([]*wish, error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return a.wishesOfDir(path)
	}
	raw, err := a.source(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return a.wishesOfFile(path, raw)
}

func (a *app) wishesOfDir(dir string) ([]*wish, error) {
	var all []*wish
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, ok := kindNamed(filepath.Base(filepath.Dir(path)))
		ext := filepath.Ext(path)
		isDoc := slices.Contains([]string{".yaml", ".yml", ".json"}, ext)
		switch {
		case ok && info.Name == "templates" && !isDoc:
			all = append(all, &wish{kind: a.kind(info), key: d.Name(), doc: document{"ID": d.Name(), "Contents": string(raw)}, from: path})
		case ok && isDoc:
			doc, err := readDocument(raw)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			w, err := a.wish(info, doc, path)
			if err != nil {
				return err
			}
			all = append(all, w)
		case isDoc:
			list, err := a.wishesOfFile(path, raw)
			if err != nil {
				return err
			}
			all = append(all, list...)
		}
		return nil
	})
	return all, err
}

func readDocument(raw []byte) (document, error) {
	converted, err := toJSON(raw)
	if err != nil {
		return nil, err
	}
	return toDocument(converted)
}

// documentEnd divides the YAML documents of a file.
var documentEnd = regexp.MustCompile(`(?m)^---[ \t]*(?:#.*)?\r?$\n?`)

func (a *app) wishesOfFile(path string, raw []byte) ([]*wish, error) {
	var all []*wish
	line := 1
	for len(raw) > 0 {
		text, rest := raw, []byte(nil)
		if at := documentEnd.FindIndex(raw); at != nil {
			text, rest = raw[:at[0]], raw[at[1]:]
		}
		from := fmt.Sprintf("%s:%d", path, line)
		doc, err := readDocument(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", from, err)
		}
		list, err := a.wishesOf(doc, from)
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
		line += bytes.Count(raw[:len(raw)-len(rest)], []byte("\n"))
		raw = rest
	}
	return all, nil
}

// wishesOf reads one document: an object that names its kind, or a pack.
func (a *app) wishesOf(doc document, from string) ([]*wish, error) {
	if len(doc) == 0 {
		return nil, nil
	}
	sections, isPack := doc[packs.FieldName(doc, "sections")].(document)
	if !isPack {
		name, _ := doc["Kind"].(string)
		info, ok := kindNamed(name)
		if !ok {
			return nil, fmt.Errorf("%s: the member Kind must name a kind of object, such as profiles, not %q", from, name)
		}
		delete(doc, "Kind")
		w, err := a.wish(info, doc, from)
		return []*wish{w}, err
	}
	var all []*wish
	for _, section := range slices.Sorted(maps.Keys(sections)) {
		info, ok := kindNamed(section)
		objects, _ := sections[section].(document)
		if !ok {
			return nil, fmt.Errorf("%s: there is no kind %s", from, section)
		}
		for _, key := range slices.Sorted(maps.Keys(objects)) {
			one, ok := objects[key].(document)
			if !ok {
				return nil, fmt.Errorf("%s: %s/%s is no object", from, section, key)
			}
			w, err := a.wish(info, one, from)
			if err != nil {
				return nil, err
			}
			all = append(all, w)
		}
	}
	return all, nil
}

// wish is about the object that the key in the document names, or the unique name.
func (a *app) wish(info *models.KindInfo, doc document, from string) (*wish, error) {
	k := a.kind(info)
	for _, field := range append([]string{info.KeyField}, info.Unique...) {
		if v, ok := doc[packs.FieldName(doc, field)].(string); ok && v != "" {
			key := v
			if field != info.KeyField {
				key = field + ":" + v
			}
			return &wish{kind: k, key: key, doc: doc, from: from}, nil
		}
	}
	return nil, fmt.Errorf("%s: the %s has no %s", from, k.single, info.KeyField)
}

// compare is the object as it is, nil if there is none, and the patch that makes it what is wished.
func (w *wish) compare(ctx context.Context) (json.RawMessage, patch.Patch, error) {
	for _, f := range docs.Fields(reflect.TypeOf(w.kind.info.New()).Elem()) {
		if f.ReadOnly { // what a file that was once shown says of it does not matter
			delete(w.doc, f.Name)
		}
	}
	is, err := w.kind.do(ctx, http.MethodGet, w.kind.at(w.key), nil)
	if models.ClassOf(err) == models.NotFound {
		return nil, patch.Patch{{Op: "add", Path: "", Value: must(w.doc)}}, nil
	}
	if err != nil {
		return nil, nil, err
	}
	doc, err := toDocument(is)
	if err != nil {
		return nil, nil, err
	}
	merge(doc, w.doc, remove)
	ops, err := patch.Diff(is, must(doc), patch.Tests)
	return is, ops, err
}

func (w *wish) fulfil(ctx context.Context, dry bool) error {
	is, ops, err := w.compare(ctx)
	k, name := w.kind, w.kind.name+"/"+w.key
	switch {
	case err != nil:
		return err
	case len(ops) == 0:
		return k.say("%s is as it should be", name)
	case dry && is == nil:
		return k.say("%s would be created: %s", name, must(w.doc))
	case dry:
		return k.say("%s would be patched: %s", name, must(ops))
	case is == nil:
		if _, err := k.do(ctx, http.MethodPost, k.name, w.doc); err != nil {
			return err
		}
		return k.say("%s created", name)
	}
	doc, err := toDocument(is)
	if err != nil {
		return err
	}
	if _, err := k.do(ctx, http.MethodPatch, k.at(fmt.Sprint(doc[k.info.KeyField])), ops); err != nil {
		return err
	}
	return k.say("%s changed", name)
}

// tellDifferences writes a line for each field that differs.
func (w *wish) tellDifferences(ops patch.Patch) error {
	k, old := w.kind, map[string]json.RawMessage{}
	if err := k.say("%s/%s", k.name, w.key); err != nil {
		return err
	}
	colour := func(c, line string) string {
		if k.colourful() {
			return c + line + plain
		}
		return line
	}
	for _, o := range ops {
		var line string
		switch {
		case o.Op == "test":
			old[o.Path] = o.Value
			continue
		case o.Path == "":
			line = colour(green, "  + the whole object")
		case o.Op == "add":
			line = colour(green, fmt.Sprintf("  + %s: %s", o.Path, o.Value))
		case o.Op == "remove":
			line = colour(red, fmt.Sprintf("  - %s: %s", o.Path, old[o.Path]))
		default:
			line = colour(yellow, fmt.Sprintf("  ~ %s: %s -> %s", o.Path, old[o.Path], o.Value))
		}
		if err := k.say("%s", line); err != nil {
			return err
		}
	}
	return nil
}
