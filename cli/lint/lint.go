// Package lint checks content packs offline: what a server would refuse, what it would take and
// never work, and what is probably a slip. Each finding names its file and line.
package lint

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	packs "drp/content"
	"drp/models"

	"go.yaml.in/yaml/v3"
)

// Severity is how bad a finding is.
type Severity string

// An Error is refused by the server, or cannot work. A Warning may be meant: public packs that work
// drop a field, rely on what another pack brings, or leave a param to the operator.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Finding is one thing that is wrong with a pack.
type Finding struct {
	File     string
	Line     int // from 1
	Severity Severity
	Text     string
}

func (f Finding) String() string {
	return fmt.Sprintf("%s:%d: %s: %s", f.File, f.Line, f.Severity, f.Text)
}

// Check looks over the pack at a path: a folder in the form that packs.Read reads, or a file, JSON
// or YAML. With are other packs that will be on the server. The findings stand in the order of
// files and lines; the error says why nothing could be checked.
func Check(path string, with ...*models.Content) ([]Finding, error) {
	l := &linter{
		objects: map[[2]string]*object{}, known: map[[2]string]models.Object{}, from: map[[2]string]string{},
		defines: map[string]bool{}, broken: map[string]bool{}, yaml: map[string]bool{}, metaAt: map[string]place{},
	}
	if err := l.read(path); err != nil {
		return nil, err
	}
	with, err := l.requiredOfShipped(with)
	if err != nil {
		return nil, err
	}
	l.addKnown(with)
	l.checkMeta(with)
	for _, o := range l.list {
		l.checkObject(o)
	}
	l.checkReferences()
	l.checkCycles()
	l.checkTemplates()
	l.checkValues()
	slices.SortStableFunc(l.found, func(a, b Finding) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		return a.Line - b.Line
	})
	return slices.Compact(l.found), nil
}

// linter is one run.
type linter struct {
	found   []Finding
	root    string // how the pack as a whole is named
	meta    models.ContentMeta
	metaAt  map[string]place // of its fields
	list    []*object        // of the pack, as they stand in its files
	objects map[[2]string]*object

	known  map[[2]string]models.Object // objects of other packs, by kind and key; nil: all that is known is the key
	from   map[[2]string]string        // the packs they are from
	unseen []string                    // prerequisites that nobody gave
	texts  []*text                     // all templates
	broken map[string]bool             // kinds of which an object could not be read, and so may be any
	yaml   map[string]bool             // files whose numbers become texts where fields are texts
	// defines are the names that templates of the pack define within themselves.
	defines map[string]bool
}

// place is a line of a file.
type place struct {
	file string
	line int
}

// object is one of the pack's.
type object struct {
	place
	kind, key string
	info      *models.KindInfo
	node      *yaml.Node    // nil: a bare template
	raw       []byte        // as JSON
	value     models.Object // nil: it does not decode
}

func (l *linter) add(at place, s Severity, format string, args ...any) {
	l.found = append(l.found, Finding{at.file, max(at.line, 1), s, fmt.Sprintf(format, args...)})
}

// requiredOfShipped adds the packs that come with drp and that the pack requires.
func (l *linter) requiredOfShipped(with []*models.Content) ([]*models.Content, error) {
	with = slices.Clone(with)
	for _, p := range packs.Prerequisites(l.meta) {
		given := slices.ContainsFunc(with, func(c *models.Content) bool { return c.Meta.Name == p.Layer })
		if given || p.Layer == l.meta.Name || !slices.Contains(packs.Names(), p.Layer) {
			continue
		}
		c, err := packs.Shipped(p.Layer)
		if err != nil {
			return nil, err
		}
		with = append(with, c)
	}
	return with, nil
}

// addKnown takes in what the pack may refer to beside itself.
func (l *linter) addKnown(with []*models.Content) {
	for kind, keys := range packs.Builtin() {
		for _, key := range keys {
			l.known[[2]string{kind, key}] = nil
		}
	}
	names := []string{"BasicStore", l.meta.Name}
	for _, c := range with {
		names = append(names, c.Meta.Name)
		for kind, section := range c.Sections {
			for key, raw := range section {
				id := [2]string{kind, key}
				l.known[id], l.from[id] = decoded(kind, raw), c.Meta.Name
			}
		}
	}
	for _, p := range packs.Prerequisites(l.meta) {
		if !slices.Contains(names, p.Layer) {
			l.unseen = append(l.unseen, p.Layer)
		}
	}
}

func decoded(kind string, raw []byte) models.Object {
	info, ok := models.KindOf(kind)
	if !ok {
		return nil
	}
	o := info.New()
	if json.Unmarshal(raw, o) != nil {
		return nil
	}
	o.Normalize()
	return o
}

// find returns an object by kind and key, of the pack or one that is known.
func (l *linter) find(kind, key string) (models.Object, bool) {
	id := [2]string{kind, key}
	if o := l.objects[id]; o != nil {
		return o.value, true
	}
	o, ok := l.known[id]
	return o, ok
}

// checkObject looks at one object by itself.
func (l *linter) checkObject(o *object) {
	if first := l.objects[[2]string{o.kind, o.key}]; first != o {
		l.add(o.place, Warning, "%s %s is there twice, and this one counts: see %s:%d", single(o.kind), o.key, first.file, first.line)
	}
	if from, twice := l.from[[2]string{o.kind, o.key}]; twice {
		l.add(o.place, Error, "%s %s is also in the pack %s, and packs do not override each other", single(o.kind), o.key, from)
	}
	if o.info == nil || o.node == nil && o.value == nil {
		return
	}
	before := len(l.found)
	if o.node != nil {
		l.checkFields(o.file, o.node, typeOf(o.info), single(o.kind))
	}
	if o.value == nil {
		if len(l.found) == before {
			l.add(o.place, Error, "%s %s does not decode: %v", single(o.kind), o.key, json.Unmarshal(o.raw, o.info.New()))
		}
		return
	}
	for _, problem := range o.value.Validate() {
		l.add(o.lineOf(problem), Error, "%s", problem)
	}
	if o.node != nil && has(o.value, "Description") && text1(o.node, "Description") == "" {
		l.add(o.place, Warning, "%s %s has no Description", single(o.kind), o.key)
	}
}

// single is the name of one object of a kind.
func single(kind string) string { return strings.ReplaceAll(strings.TrimSuffix(kind, "s"), "_", " ") }

// nearest is what was probably meant; "" when nothing is near.
func nearest(word string, choices []string) string {
	best, least := "", (len(word)+2)/3
	for _, c := range choices {
		if d := distance(strings.ToLower(word), strings.ToLower(c)); d <= least && (best == "" || d < least) {
			best, least = c, d
		}
	}
	return best
}

// hint is what was probably meant, as the end of a sentence; "" when nothing is near.
func hint(word string, choices []string) string {
	if near := nearest(word, choices); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// distance is how many letters must change, come or go to make one word of another.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// keysOf are the keys of a kind that there are, in the pack and beside it, in order.
func (l *linter) keysOf(kind string) []string {
	keys := map[string]bool{}
	for id := range l.objects {
		if id[0] == kind {
			keys[id[1]] = true
		}
	}
	for id := range l.known {
		if id[0] == kind {
			keys[id[1]] = true
		}
	}
	return slices.Sorted(maps.Keys(keys))
}
