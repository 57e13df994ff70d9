package lint

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	packs "drp/content"
	"drp/models"

	"go.yaml.in/yaml/v3"
)

// read takes in the pack at a path.
func (l *linter) read(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	l.root = filepath.Clean(path)
	if info.IsDir() {
		return l.readFolder()
	}
	return l.readBundle()
}

func (l *linter) readFolder() error {
	entries, err := os.ReadDir(l.root)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := filepath.Join(l.root, e.Name())
		switch {
		case !e.IsDir() && strings.HasPrefix(e.Name(), "._") && strings.HasSuffix(e.Name(), ".meta"):
			err = l.readField(name)
		case e.IsDir() && !strings.HasPrefix(e.Name(), "."):
			err = l.readSection(name, e.Name())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (l *linter) readField(file string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	field := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(file), "._"), ".meta")
	l.setField(field, strings.TrimSpace(string(raw)), place{file, 1})
	return nil
}

func (l *linter) setField(field, value string, at place) {
	if err := packs.SetField(&l.meta, field, value); err != nil {
		l.add(at, Error, "%v%s", err, hint(field, packs.Fields()))
		return
	}
	l.metaAt[field] = at
}

func (l *linter) readSection(dir, kind string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	if !l.checkKind(kind, place{dir, 1}) {
		return nil
	}
	for _, e := range entries {
		file := filepath.Join(dir, e.Name())
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if e.IsDir() {
			l.add(place{file, 1}, Warning, "a folder in a folder of objects is no part of the pack")
			continue
		}
		if err := l.readFile(file, kind); err != nil {
			return err
		}
	}
	return nil
}

// checkKind tells whether packs may have a section.
func (l *linter) checkKind(kind string, at place) bool {
	kinds := packs.Kinds()
	if slices.Contains(kinds, kind) {
		return true
	}
	l.add(at, Error, "packs have no section %s%s", kind, hint(kind, kinds))
	return false
}

func (l *linter) readFile(file, kind string) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	switch ext := filepath.Ext(file); {
	case ext == ".json" || ext == ".yaml" || ext == ".yml":
		l.yaml[file] = !json.Valid(raw)
		doc, asJSON := l.parse(file, raw, kindOf(kind).New())
		if doc == nil {
			l.broken[kind] = true
			return nil
		}
		l.addObject(file, kind, "", doc, asJSON)
	case kind == "templates":
		name := filepath.Base(file)
		o := &object{place: place{file, 1}, kind: kind, key: name, info: kindOf(kind), value: &models.Template{ID: name, Contents: string(raw)}}
		l.keep(o)
		l.texts = append(l.texts, &text{place: o.place, owner: o, text: string(raw)})
	default:
		l.add(place{file, 1}, Error, "only templates may be other than .json, .yaml and .yml")
	}
	return nil
}

func kindOf(kind string) *models.KindInfo {
	info, _ := models.KindOf(kind)
	return info
}

func (l *linter) keep(o *object) {
	l.list = append(l.list, o)
	if id := [2]string{o.kind, o.key}; l.objects[id] == nil {
		l.objects[id] = o
	}
}

// parse reads a file as YAML, of which JSON is a part: its nodes, and the JSON that the server
// gets. Into is as packs.ToJSON has it. Of what is wrong with it both are nil.
func (l *linter) parse(file string, raw []byte, into any) (*yaml.Node, []byte) {
	var doc yaml.Node
	if err := yaml.Unmarshal(raw, &doc); err != nil {
		l.unreadable(file, err, raw)
		return nil, nil
	}
	if len(doc.Content) == 0 {
		l.add(place{file, 1}, Error, "the file is empty")
		return nil, nil
	}
	l.checkTwins(file, doc.Content[0])
	asJSON, err := packs.ToJSON(raw, into)
	if err != nil {
		l.unreadable(file, err, raw)
		return nil, nil
	}
	return doc.Content[0], asJSON
}

var lineIn = regexp.MustCompile(`line (\d+): *`)

// unreadable adds what a parser says, at the line it names: that of YAML names the one where the
// block begins that it could not read.
func (l *linter) unreadable(file string, err error, raw []byte) {
	if syntax := (*json.SyntaxError)(nil); filepath.Ext(file) == ".json" && errors.As(json.Unmarshal(raw, new(any)), &syntax) {
		l.add(place{file, 1 + bytes.Count(raw[:syntax.Offset], []byte("\n"))}, Error, "%v", syntax)
		return
	}
	msg, line := err.Error(), 1
	if m := lineIn.FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1])
		msg = strings.Replace(msg, m[0], "", 1)
	}
	l.add(place{file, line}, Error, "%s", strings.Join(strings.Fields(msg), " "))
}

// checkTwins finds members that stand twice in one mapping.
func (l *linter) checkTwins(file string, n *yaml.Node) {
	if n.Kind == yaml.MappingNode {
		first := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if line, twice := first[key.Value]; twice {
				l.add(place{file, key.Line}, Warning, "%s is there twice, and this one counts: see line %d", key.Value, line)
			}
			first[key.Value] = key.Line
		}
	}
	if n.Kind != yaml.AliasNode {
		for _, c := range n.Content {
			l.checkTwins(file, c)
		}
	}
}

// addObject takes in an object. Key is that under which it stands in a bundle; "" in a file.
func (l *linter) addObject(file, kind, key string, n *yaml.Node, raw []byte) {
	o := &object{place: place{file, n.Line}, kind: kind, info: kindOf(kind), node: n, raw: raw}
	if n.Kind != yaml.MappingNode {
		l.broken[kind] = true
		l.add(o.place, Error, "an object is a mapping of its fields, not %s", shape(n))
		return
	}
	own := text1(n, o.info.KeyField)
	switch {
	case own == "" && key == "":
		l.broken[kind] = true
		near := nearest(o.info.KeyField, namesIn(n))
		if near != "" {
			near = " (is it " + near + "?)"
		}
		l.add(o.place, Error, "%s is missing%s", o.info.KeyField, near)
		return
	case own != "" && key != "" && own != key:
		l.add(place{file, member(n, o.info.KeyField).Line}, Error, "it stands under the key %s and calls itself %s", key, own)
	}
	o.key = own
	if key != "" {
		o.key = key
	}
	v := o.info.New()
	err := json.Unmarshal(raw, v)
	if err == nil && own == "" {
		err = json.Unmarshal(fmt.Appendf(nil, "{%q:%q}", o.info.KeyField, key), v)
	}
	if err == nil {
		v.Normalize()
		o.value = v
	}
	l.keep(o)
	l.addTexts(o)
}

func (l *linter) readBundle() error {
	raw, err := os.ReadFile(l.root)
	if err != nil {
		return err
	}
	doc, asJSON := l.parse(l.root, raw, nil)
	if doc == nil {
		return nil
	}
	var sections struct {
		Sections map[string]map[string]json.RawMessage
	}
	if err := json.Unmarshal(asJSON, &sections); err != nil {
		l.add(place{l.root, doc.Line}, Error, "it is no content pack: %v", err)
		return nil
	}
	for name := range pairs(doc) {
		if !strings.EqualFold(name.Value, "meta") && !strings.EqualFold(name.Value, "sections") {
			l.add(place{l.root, name.Line}, Error, "packs have no member %s%s", name.Value, hint(name.Value, []string{"meta", "sections"}))
		}
	}
	for name, value := range pairs(member(doc, "meta")) {
		field := name.Value
		for _, f := range packs.Fields() {
			if strings.EqualFold(f, field) {
				field = f
			}
		}
		if field != "Writable" && field != "Overwritable" { // the server sets these
			l.setField(field, strings.TrimSpace(value.Value), place{l.root, name.Line})
		}
	}
	for kind, section := range pairs(member(doc, "sections")) {
		if !l.checkKind(kind.Value, place{l.root, kind.Line}) {
			continue
		}
		for key, node := range pairs(section) {
			l.addObject(l.root, kind.Value, key.Value, node, sections.Sections[kind.Value][key.Value])
		}
	}
	return nil
}
