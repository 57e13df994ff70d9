package content

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"slices"
	"strings"

	"drp/models"

	"sigs.k8s.io/yaml"
)

// order is the kinds that packs carry, each after those its objects refer to. Machines, jobs,
// users and preferences are the state of one server, so no pack brings them.
var order = []string{"params", "templates", "profiles", "bootenvs", "tasks", "stages", "workflows", "roles"}

// Parse reads a pack from JSON or YAML. Members match in any letter case. A YAML mapping that
// names a key twice is an error.
func Parse(body []byte) (*models.Content, error) {
	raw := body
	if !json.Valid(body) {
		var err error
		if raw, err = yaml.YAMLToJSONStrict(body); err != nil {
			return nil, unreadable(fmt.Errorf("error converting YAML to JSON: %w", err))
		}
	}
	if strings.TrimSpace(string(raw)) == "null" {
		return nil, unreadable(fmt.Errorf("the body is empty, not a content pack"))
	}
	pack := &models.Content{}
	if err := json.Unmarshal(raw, pack); err != nil {
		return nil, unreadable(fmt.Errorf("error unmarshaling JSON: while decoding JSON: %w", err))
	}
	return pack, nil
}

func unreadable(err error) error {
	return models.Problem(models.BadRequest, "contents", "", err.Error())
}

// FromDir reads a pack from its directory form: a file "._Field.meta" for each field that
// describes it, and a folder for each kind with an object in each file. In the folder
// "templates", a file that is neither YAML nor JSON is a template of that name as it stands.
func FromDir(dir fs.FS) (*models.Content, error) {
	pack := &models.Content{Sections: map[string]map[string]json.RawMessage{}}
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		switch name := e.Name(); {
		case e.IsDir() && !strings.HasPrefix(name, "."):
			err = readSection(pack, dir, name)
		case strings.HasPrefix(name, "._") && strings.HasSuffix(name, ".meta"):
			err = readMeta(&pack.Meta, dir, name)
		}
		if err != nil {
			return nil, err
		}
	}
	return pack, nil
}

func readMeta(meta *models.ContentMeta, dir fs.FS, name string) error {
	text, err := fs.ReadFile(dir, name)
	if err != nil {
		return err
	}
	field := strings.TrimSuffix(strings.TrimPrefix(name, "._"), ".meta")
	f := reflect.ValueOf(meta).Elem().FieldByName(field)
	if !f.IsValid() || f.Kind() != reflect.String {
		return fmt.Errorf("%s: packs have no field %s", name, field)
	}
	f.SetString(strings.TrimSpace(string(text)))
	return nil
}

func readSection(pack *models.Content, dir fs.FS, kind string) error {
	k, ok := models.KindOf(kind)
	if !ok {
		return fmt.Errorf("%s: no such kind of object", kind)
	}
	files, err := fs.ReadDir(dir, kind)
	if err != nil {
		return err
	}
	section := map[string]json.RawMessage{}
	for _, f := range files {
		if f.IsDir() {
			continue
		}
		name := path.Join(kind, f.Name())
		raw, err := readObject(dir, name)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		key, err := keyOf(k, raw)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if _, twice := section[key]; twice {
			return fmt.Errorf("%s: there is another object with the key %s", name, key)
		}
		section[key] = raw
	}
	pack.Sections[kind] = section
	return nil
}

func readObject(dir fs.FS, name string) (json.RawMessage, error) {
	text, err := fs.ReadFile(dir, name)
	if err != nil {
		return nil, err
	}
	switch path.Ext(name) {
	case ".yaml", ".yml", ".json":
		return yaml.YAMLToJSONStrict(text)
	}
	if path.Dir(name) != "templates" {
		return nil, fmt.Errorf("objects are files that end in .yaml, .yml or .json")
	}
	return models.Marshal(map[string]string{"ID": path.Base(name), "Contents": string(text)})
}

// addTemplates adds each file as a template to the pack.
func addTemplates(pack *models.Content, dir fs.FS) error {
	names, err := fs.Glob(dir, "*.tmpl")
	if err != nil {
		return err
	}
	section := map[string]json.RawMessage{}
	maps.Copy(section, pack.Sections["templates"])
	for _, name := range names {
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return err
		}
		if section[name], err = models.Marshal(map[string]string{"ID": name, "Contents": string(text)}); err != nil {
			return err
		}
	}
	pack.Sections["templates"] = section
	return nil
}

func keyOf(k *models.KindInfo, raw []byte) (string, error) {
	o := k.New()
	if err := json.Unmarshal(raw, o); err != nil {
		return "", err
	}
	if o.Key() == "" {
		return "", fmt.Errorf("%s is missing", k.KeyField)
	}
	return o.Key(), nil
}

// decode turns the sections of a pack into its objects, in the order they are to be installed,
// each marked as the pack's. The error names every object that is not sound.
func decode(pack *models.Content) ([]models.Object, error) {
	var list []models.Object
	var bad []string
	for _, kind := range slices.Sorted(maps.Keys(pack.Sections)) {
		if !slices.Contains(order, kind) {
			bad = append(bad, fmt.Sprintf("Content layer %s has the section %s, and packs here carry only %s",
				pack.Meta.Name, kind, strings.Join(slices.Sorted(slices.Values(order)), ", ")))
		}
	}
	broken := false
	for _, kind := range order {
		for _, key := range slices.Sorted(maps.Keys(pack.Sections[kind])) {
			o, problems := decodeObject(kind, key, pack.Sections[kind][key])
			for _, p := range problems {
				broken = true
				bad = append(bad, itemProblem(pack.Meta.Name, kind, key, p))
			}
			if len(problems) == 0 {
				b := o.Base()
				b.ReadOnly, b.Bundle, b.Endpoint = true, pack.Meta.Name, ""
				list = append(list, o)
			}
		}
	}
	if broken {
		bad = append(bad, "Try manually replacing content layer "+pack.Meta.Name)
	}
	if len(bad) > 0 {
		return nil, models.Problem(models.Invalid, "contents", pack.Meta.Name, bad...)
	}
	return byPrerequisites(list), nil
}

func itemProblem(pack, kind, key, problem string) string {
	return fmt.Sprintf("Store %s item %s failed to load from layer content-%s: %s", kind, key, pack, problem)
}

func decodeObject(kind, key string, raw []byte) (models.Object, []string) {
	k, _ := models.KindOf(kind)
	o := k.New()
	if err := json.Unmarshal(raw, o); err != nil {
		return nil, []string{"error unmarshaling JSON: while decoding JSON: " + err.Error()}
	}
	if o.Key() == "" { // objects of packs are sparse: the key stands before them
		member, err := models.Marshal(map[string]string{k.KeyField: key})
		if err == nil {
			err = json.Unmarshal(member, o)
		}
		if err != nil {
			return nil, []string{err.Error()}
		}
	}
	if o.Key() != key {
		return nil, []string{fmt.Sprintf("it calls itself %s", o.Key())}
	}
	o.Normalize()
	return o, o.Validate()
}

// byPrerequisites puts each task after those of the list that it needs; all else stays.
func byPrerequisites(list []models.Object) []models.Object {
	tasks := map[string]*models.Task{}
	for _, o := range list {
		if t, ok := o.(*models.Task); ok {
			tasks[t.Name] = t
		}
	}
	out := make([]models.Object, 0, len(list))
	placed := map[string]bool{}
	var place func(t *models.Task)
	place = func(t *models.Task) {
		if placed[t.Name] {
			return
		}
		placed[t.Name] = true
		for _, p := range t.Prerequisites {
			if need := tasks[p]; need != nil {
				place(need)
			}
		}
		out = append(out, t)
	}
	for _, o := range list {
		if t, ok := o.(*models.Task); ok {
			place(t)
		} else {
			out = append(out, o)
		}
	}
	return out
}
