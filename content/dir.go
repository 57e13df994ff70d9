package packs

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"drp/models"

	"sigs.k8s.io/yaml"
)

// New is a pack with nothing in it, described as one that nobody has described.
func New() *models.Content {
	return &models.Content{
		Meta:     models.ContentMeta{Name: "Unspecified", Version: "v0.0.0", Type: "dynamic"},
		Sections: map[string]map[string]json.RawMessage{},
	}
}

// Fields are the names of the texts that describe a pack.
func Fields() []string {
	var names []string
	for _, f := range reflect.VisibleFields(reflect.TypeFor[models.ContentMeta]()) {
		if f.Type.Kind() == reflect.String {
			names = append(names, f.Name)
		}
	}
	return names
}

// Field is one of the texts that describe a pack; there may be none of that name.
func Field(meta *models.ContentMeta, name string) (*string, bool) {
	f := reflect.ValueOf(meta).Elem().FieldByName(name)
	if !f.IsValid() || f.Kind() != reflect.String {
		return nil, false
	}
	return f.Addr().Interface().(*string), true
}

// SetField sets one of the texts that describe a pack.
func SetField(meta *models.ContentMeta, name, value string) error {
	f, ok := Field(meta, name)
	if !ok {
		return fmt.Errorf("a content pack has no meta field %s", name)
	}
	*f = value
	return nil
}

// Read makes a pack of its directory form: a file "._FIELD.meta" for each text that describes it,
// and a folder for each kind with an object in each file, JSON or YAML. In the folder "templates" a
// file that is neither is a template of that name as it stands. Given are FIELD=VALUE where there
// is no such file. The errors name the file.
func Read(dir fs.FS, given ...string) (*models.Content, error) {
	c := New()
	for _, field := range given {
		name, value, _ := strings.Cut(field, "=")
		if err := SetField(&c.Meta, name, value); err != nil {
			return nil, err
		}
	}
	if err := readMeta(dir, &c.Meta); err != nil {
		return nil, err
	}
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := readSection(dir, e.Name(), c); err != nil {
			return nil, err
		}
	}
	return c, nil
}

func readMeta(dir fs.FS, meta *models.ContentMeta) error {
	for _, name := range Fields() {
		raw, err := fs.ReadFile(dir, "._"+name+".meta")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := SetField(meta, name, strings.TrimSpace(string(raw))); err != nil {
			return err
		}
	}
	return nil
}

func readSection(dir fs.FS, section string, c *models.Content) error {
	files, err := fs.ReadDir(dir, section)
	if err != nil {
		return err
	}
	for _, f := range files {
		if f.IsDir() || strings.HasPrefix(f.Name(), ".") {
			continue
		}
		file := path.Join(section, f.Name())
		raw, err := readObject(dir, file)
		if err == nil {
			err = put(c, section, raw) // of two with the same key, the later file counts
		}
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func readObject(dir fs.FS, file string) (json.RawMessage, error) {
	raw, err := fs.ReadFile(dir, file)
	if err != nil {
		return nil, err
	}
	switch ext := path.Ext(file); {
	case ext == ".json" || ext == ".yaml" || ext == ".yml":
		if info, ok := models.KindOf(path.Dir(file)); ok {
			return ToJSON(raw, info.New())
		}
		return ToJSON(raw, nil)
	case path.Dir(file) == "templates":
		return models.Marshal(map[string]string{"ID": path.Base(file), "Contents": string(raw)})
	}
	return nil, fmt.Errorf("only templates may be other than .json, .yaml and .yml")
}

// transient are the fields that belong to an object on a server, not in a pack.
var transient = []string{"Validated", "Available", "Errors", "ReadOnly", "Bundle", "Endpoint", "Partial"}

// Add puts an object into a pack, under its own key. Two with the same key are a mistake.
func Add(c *models.Content, section string, raw json.RawMessage) error {
	_, key, err := object(section, raw)
	if err != nil {
		return err
	}
	if _, twice := c.Sections[section][key]; twice {
		return fmt.Errorf("%s/%s is in the pack twice", section, key)
	}
	return put(c, section, raw)
}

// put is Add that replaces an object of the same key.
func put(c *models.Content, section string, raw json.RawMessage) error {
	doc, key, err := object(section, raw)
	if err != nil {
		return err
	}
	if c.Sections[section] == nil {
		c.Sections[section] = map[string]json.RawMessage{}
	}
	c.Sections[section][key], err = models.Marshal(doc)
	return err
}

// object is an object as a pack holds it, and its key.
func object(section string, raw json.RawMessage) (doc map[string]any, key string, err error) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&doc); err != nil {
		return nil, "", fmt.Errorf("error unmarshaling JSON: while decoding JSON: %w", err)
	}
	if key, err = keyOf(section, doc); err != nil {
		return nil, "", err
	}
	if info, ok := models.KindOf(section); ok {
		if err := json.Unmarshal(raw, info.New()); err != nil {
			return nil, "", err
		}
		for _, field := range transient {
			delete(doc, FieldName(doc, field))
		}
	}
	return doc, key, nil
}

// keyOf is the key of an object of a kind we know, or the Id or Name of another.
func keyOf(section string, doc map[string]any) (string, error) {
	fields := []string{"Id", "Name"}
	if info, ok := models.KindOf(section); ok {
		fields = []string{info.KeyField}
	}
	for _, f := range fields {
		if key, _ := doc[FieldName(doc, f)].(string); key != "" {
			return key, nil
		}
	}
	return "", fmt.Errorf("an object in %s has no %s", section, strings.Join(fields, " and no "))
}

// FieldName is the name that a member has in a document, whatever its letter case.
func FieldName(doc map[string]any, name string) string {
	if _, ok := doc[name]; ok {
		return name
	}
	for have := range doc {
		if strings.EqualFold(have, name) {
			return have
		}
	}
	return name
}

// Write writes a pack into a directory in the form that Read reads, its objects as files with the
// extension ".json" or ".yaml". Slashes in keys become dots in the names of files; of keys that
// differ in nothing else the later get a number.
func Write(dir string, c *models.Content, ext string) error {
	for _, name := range Fields() {
		if value, _ := Field(&c.Meta, name); *value != "" {
			if err := writeFile(filepath.Join(dir, "._"+name+".meta"), []byte(*value)); err != nil {
				return err
			}
		}
	}
	for _, section := range slices.Sorted(maps.Keys(c.Sections)) {
		used := map[string]bool{}
		for _, key := range slices.Sorted(maps.Keys(c.Sections[section])) {
			plain := strings.NewReplacer("/", ".", "\\", ".").Replace(key)
			if strings.HasPrefix(plain, ".") { // Read passes by what is hidden
				plain = "_" + plain
			}
			name := plain
			for n := 2; used[name]; n++ {
				name = fmt.Sprintf("%s-%d", plain, n)
			}
			used[name] = true
			if err := writeObject(dir, section, name, c.Sections[section][key], ext); err != nil {
				return fmt.Errorf("unbundle %s/%s: %w", section, key, err)
			}
		}
	}
	return nil
}

// writeObject writes one file. Its name cannot lead out of the section's folder.
func writeObject(dir, section, name string, raw json.RawMessage, ext string) error {
	if strings.ContainsAny(section, "/\\") || strings.HasPrefix(section, ".") {
		return fmt.Errorf("%q cannot be the name of a folder", section)
	}
	file := filepath.Join(dir, section, name+ext)
	if section == "templates" {
		return writeTemplate(filepath.Join(dir, section, name), file, raw)
	}
	return writeJSON(file, raw)
}

// writeTemplate writes the bare text if that is all there is to say, and if the name does not
// read as that of an object.
func writeTemplate(bare, file string, raw json.RawMessage) error {
	var doc map[string]any
	if err := json.Unmarshal(raw, &doc); err != nil {
		return err
	}
	id, text, only := "", "", true
	for field, v := range doc {
		switch s, _ := v.(string); {
		case strings.EqualFold(field, "ID"):
			id = s
		case strings.EqualFold(field, "Contents"):
			text = s
		default:
			only = only && (v == nil || reflect.ValueOf(v).IsZero())
		}
	}
	ext := filepath.Ext(bare)
	if !only || id != filepath.Base(bare) || strings.HasPrefix(id, ".") || ext == ".json" || ext == ".yaml" || ext == ".yml" {
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
