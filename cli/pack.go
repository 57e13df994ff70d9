package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"drp/models"

	"sigs.k8s.io/yaml"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

func newPack() *models.Content {
	return &models.Content{
		Meta:     models.ContentMeta{Name: "Unspecified", Version: "v0.0.0", Type: "dynamic"},
		Sections: map[string]map[string]json.RawMessage{},
	}
}

// metaField is one of the texts that describe a pack.
func metaField(c *models.Content, name string) (*string, bool) {
	f := reflect.ValueOf(&c.Meta).Elem().FieldByName(name)
	if !f.IsValid() || f.Kind() != reflect.String {
		return nil, false
	}
	return f.Addr().Interface().(*string), true
}

func setMetaField(c *models.Content, name, value string) error {
	f, ok := metaField(c, name)
	if !ok {
		return fmt.Errorf("a content pack has no meta field %s", name)
	}
	*f = value
	return nil
}

// metaFields are the names of all texts that describe a pack.
func metaFields() []string {
	var names []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[models.ContentMeta]()) {
		if f.Type.Kind() == reflect.String {
			names = append(names, f.Name)
		}
	}
	return names
}

// readPack makes a pack of a directory. Fields are NAME=VALUE; files in the directory beat them.
func readPack(dir string, fields []string) (*models.Content, error) {
	c := newPack()
	for _, field := range fields {
		name, value, _ := strings.Cut(field, "=")
		if err := setMetaField(c, name, value); err != nil {
			return nil, err
		}
	}
	if err := readMeta(dir, c); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("bundle: %w", err)
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := readSection(dir, e.Name(), c); err != nil {
			return nil, fmt.Errorf("bundle: %w", err)
		}
	}
	return c, nil
}

func readMeta(dir string, c *models.Content) error {
	for _, name := range metaFields() {
		raw, err := os.ReadFile(filepath.Join(dir, "._"+name+".meta"))
		if os.IsNotExist(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("bundle: %w", err)
		}
		if err := setMetaField(c, name, strings.TrimSpace(string(raw))); err != nil {
			return err
		}
	}
	return nil
}

func readSection(dir, section string, c *models.Content) error {
	files, err := os.ReadDir(filepath.Join(dir, section))
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.IsDir() || strings.HasPrefix(f.Name(), ".") {
			continue
		}
		if err := readObject(filepath.Join(dir, section, f.Name()), section, c); err != nil {
			return err
		}
	}
	return nil
}

func readObject(file, section string, c *models.Content) error {
	raw, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	switch ext := filepath.Ext(file); {
	case ext == ".json" || ext == ".yaml" || ext == ".yml":
		if raw, err = toJSON(raw); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	case section == "templates":
		raw = must(document{"ID": filepath.Base(file), "Contents": string(raw)})
	default:
		return fmt.Errorf("%s: only templates may be other than .json, .yaml and .yml", file)
	}
	if err := addObject(c, section, raw); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// transient are the fields that belong to an object on a server, not in a pack.
var transient = []string{"Validated", "Available", "Errors", "ReadOnly", "Bundle", "Endpoint", "Partial"}

// addObject puts an object under its own key. Two with the same key are a mistake.
func addObject(c *models.Content, section string, raw json.RawMessage) error {
	doc, err := toDocument(raw)
	if err != nil {
		return err
	}
	key, err := objectKey(section, doc)
	if err != nil {
		return err
	}
	if info, ok := models.KindOf(section); ok {
		if err := json.Unmarshal(raw, info.New()); err != nil {
			return err
		}
		for _, field := range transient {
			delete(doc, fieldName(doc, field))
		}
	}
	if c.Sections[section] == nil {
		c.Sections[section] = map[string]json.RawMessage{}
	}
	if _, twice := c.Sections[section][key]; twice {
		return fmt.Errorf("%s/%s is in the pack twice", section, key)
	}
	c.Sections[section][key] = must(doc)
	return nil
}

// objectKey is the key of an object of a kind we know, or the Id, Name or ID of another.
func objectKey(section string, doc document) (string, error) {
	fields := []string{"Id", "Name"}
	if info, ok := models.KindOf(section); ok {
		fields = []string{info.KeyField}
	}
	for _, f := range fields {
		if key, ok := doc[fieldName(doc, f)].(string); ok && key != "" {
			return key, nil
		}
	}
	return "", fmt.Errorf("an object in %s has no %s", section, strings.Join(fields, " and no "))
}

// writePack writes a pack the way readPack reads it.
func writePack(dir string, c *models.Content, ext string) error {
	for _, name := range metaFields() {
		if value, _ := metaField(c, name); *value != "" {
			if err := writeFile(filepath.Join(dir, "._"+name+".meta"), []byte(*value)); err != nil {
				return err
			}
		}
	}
	for _, section := range sortedKeys(c.Sections) {
		for _, key := range sortedKeys(c.Sections[section]) {
			if err := writeObject(dir, section, key, c.Sections[section][key], ext); err != nil {
				return fmt.Errorf("unbundle %s/%s: %w", section, key, err)
			}
		}
	}
	return nil
}

// writeObject writes one file. Its name cannot lead out of the section's folder: slashes become
// dots.
func writeObject(dir, section, key string, raw json.RawMessage, ext string) error {
	if strings.ContainsAny(section, "/\\") || strings.HasPrefix(section, ".") {
		return fmt.Errorf("%q cannot be the name of a folder", section)
	}
	name := strings.NewReplacer("/", ".", "\\", ".").Replace(key)
	file := filepath.Join(dir, section, name+ext)
	if section == "templates" {
		return writeTemplate(filepath.Join(dir, section, name), file, raw)
	}
	return writeJSON(file, raw)
}

// writeTemplate writes the bare text if that is all there is to say, and if the name does not
// read as that of an object.
func writeTemplate(bare, file string, raw json.RawMessage) error {
	doc, err := toDocument(raw)
	if err != nil {
		return err
	}
	text, ok := doc[fieldName(doc, "Contents")].(string)
	for field, v := range doc {
		known := strings.EqualFold(field, "ID") || strings.EqualFold(field, "Contents")
		ok = ok && (known || reflect.ValueOf(v).IsZero())
	}
	if ext := filepath.Ext(bare); !ok || ext == ".json" || ext == ".yaml" || ext == ".yml" {
		return writeJSON(file, raw)
	}
	return writeFile(bare, []byte(text))
}

func writeJSON(file string, raw json.RawMessage) error {
	var b bytes.Buffer
	if filepath.Ext(file) == ".yaml" {
		text, err := yaml.JSONToYAML(raw)
		if err != nil {
			return err
		}
		return writeFile(file, text)
	}
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return err
	}
	return writeFile(file, append(b.Bytes(), '\n'))
}

func writeFile(file string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o644)
}

// documentation is a page about a pack: its own text, then that of each object.
func documentation(c *models.Content) ([]byte, error) {
	var b bytes.Buffer
	title := c.Meta.DisplayName
	if title == "" {
		title = c.Meta.Name
	}
	heading(&b, title, '=')
	paragraph(&b, c.Meta.Description)
	paragraph(&b, c.Meta.Documentation)
	for _, section := range sections(c) {
		heading(&b, section, '-')
		for _, key := range sortedKeys(c.Sections[section]) {
			doc, err := toDocument(c.Sections[section][key])
			if err != nil {
				return nil, fmt.Errorf("%s/%s: %w", section, key, err)
			}
			heading(&b, key, '~')
			paragraph(&b, doc[fieldName(doc, "Description")])
			paragraph(&b, doc[fieldName(doc, "Documentation")])
		}
	}
	return b.Bytes(), nil
}

func heading(b *bytes.Buffer, text string, line byte) {
	fmt.Fprintf(b, "%s\n%s\n\n", text, bytes.Repeat([]byte{line}, len([]rune(text))))
}

func paragraph(b *bytes.Buffer, text any) {
	if s, _ := text.(string); strings.TrimSpace(s) != "" {
		fmt.Fprintf(b, "%s\n\n", strings.TrimSpace(s))
	}
}
