package docs

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"drp/models"
)

func TestEveryKindAndEveryStructBelowIsDescribed(t *testing.T) {
	for _, k := range models.Kinds {
		if Kind(k) == "" {
			t.Errorf("%s: the type has no comment", k.Name)
		}
		var below func(path string, of reflect.Type)
		below = func(path string, of reflect.Type) {
			for _, f := range Fields(of) {
				if Word(f.Type) == "" {
					t.Errorf("%s.%s has no type", path, f.Name)
				}
				if in, ok := Struct(f.Type); ok {
					if Type(in) == "" {
						t.Errorf("%s.%s: %s has no comment", path, f.Name, in.Name())
					}
					below(path+"."+f.Name, in)
				}
			}
		}
		below(k.Name, reflect.TypeOf(k.New()).Elem())
	}
}

func TestFieldsAreThoseOnTheWire(t *testing.T) {
	for _, k := range models.Kinds {
		o := k.New()
		if _, free := o.(json.Marshaler); free {
			continue
		}
		o.Normalize()
		raw, err := models.Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var have map[string]any
		if err := json.Unmarshal(raw, &have); err != nil {
			t.Fatal(err)
		}
		var want []string
		for _, f := range Fields(reflect.TypeOf(o).Elem()) {
			if _, there := have[f.Name]; there || !f.Optional {
				want = append(want, f.Name)
			}
		}
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(have)); !slices.Equal(got, want) {
			t.Errorf("%s has %v on the wire, its fields are %v", k.Name, got, want)
		}
	}
}

func TestCommentsAreRead(t *testing.T) {
	for name, want := range map[string]string{"Machine": "Machine is a host", "Machine.Tasks": "Tasks are task names", "Machine.Name": "unique; usually", "Common.Bundle": "the content pack"} {
		if !strings.HasPrefix(texts()[name], want) {
			t.Errorf("%s: got %q", name, texts()[name])
		}
	}
}
