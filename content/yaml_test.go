package packs

import (
	"testing"
	"testing/fstest"

	"drp/models"
)

func TestScalarsBecomeTheTextsThatFieldsAre(t *testing.T) {
	cases := []struct {
		kind, yaml, want string
	}{
		{"bootenvs", "Name: env\nDescription: 5\nMeta: {order: 12, quiet: yes}\nOS: {Version: 8}\nOnlyUnknown: no\n", `{"Description":"5","Meta":{"order":"12","quiet":"true"},"Name":"env","OS":{"Version":"8"},"OnlyUnknown":false}`},
		{"tasks", "name: task\nOptionalParams: [1, two]\nTemplates:\n- Contents: 7\n", `{"OptionalParams":["1","two"],"Templates":[{"Contents":"7"}],"name":"task"}`},
		{"tasks", "Name: [task]\n", `{"Name":["task"]}`},
		{"tasks", `{"Name": "task", "Description": 5}`, `{"Name": "task", "Description": 5}`}, // JSON says what it means
		{"profiles", "Name: me\nParams: {size: 5, quiet: yes}\n", `{"Name":"me","Params":{"quiet":true,"size":5}}`},
		{"params", "Name: me\nSchema: {default: 8}\n", `{"Name":"me","Schema":{"default":8}}`},
		{"", "Version: 8\n", `{"Version":8}`},
	}
	for _, c := range cases {
		var into any
		if info, ok := models.KindOf(c.kind); ok {
			into = info.New()
		}
		if got, err := ToJSON([]byte(c.yaml), into); err != nil || string(got) != c.want {
			t.Errorf("%s: %s, %v; want %s", c.yaml, got, err, c.want)
		}
		if got, err := ToJSON([]byte("a: [\n"), into); err == nil {
			t.Errorf("no YAML: %s", got)
		}
	}
}

// Of two objects with one key, the later file's counts: a public pack has such.
func TestTheLaterOfTwoFilesCounts(t *testing.T) {
	pack, err := Read(fstest.MapFS{
		"params/a.yaml": &fstest.MapFile{Data: []byte("Name: size\nDescription: first\n")},
		"params/b.yaml": &fstest.MapFile{Data: []byte("Name: size\nDescription: second\n")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := string(pack.Sections["params"]["size"]); got != `{"Description":"second","Name":"size"}` {
		t.Error(got)
	}
}
