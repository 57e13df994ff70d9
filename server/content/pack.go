package content

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	packs "drp/content"
	"drp/models"

	"sigs.k8s.io/yaml"
)

// order is the kinds that packs carry, each after those its objects refer to.
var order = packs.Kinds()

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
				o.Normalize() // some kinds keep these elsewhere
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
