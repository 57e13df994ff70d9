package packs

import (
	"testing"

	"drp/models"
)

func TestPrerequisites(t *testing.T) {
	cases := []struct {
		need string
		have map[string]string
		ok   bool
	}{
		{"", nil, true},
		{"a", map[string]string{"a": ""}, true},
		{"a, b", map[string]string{"a": ""}, false},
		{"a, b", map[string]string{"a": "", "b": "v9"}, true},
		{"a: >=1.2.3", map[string]string{"a": "v1.2.3"}, true},
		{"a: >=1.2.3", map[string]string{"a": "v1.2.3-alpha-7"}, true},
		{"a: >=1.2.3", map[string]string{"a": "1.2.2"}, false},
		{"a: >=0.0.0", map[string]string{"a": ""}, true},
		{"a: >0.0.0", map[string]string{"a": ""}, false},
		{"a: >1.0.0 <2.0.0", map[string]string{"a": "1.5"}, true},
		{"a: >1.0.0 <2.0.0", map[string]string{"a": "2.5"}, false},
		{"a: <1.0.0 || >2.0.0", map[string]string{"a": "2.5"}, true},
		{"a: <1.0.0 || >2.0.0", map[string]string{"a": "1.5"}, false},
		{"a: 3.12.x", map[string]string{"a": "v3.12.7"}, true},
		{"a: 3.12.x", map[string]string{"a": "v3.13.0"}, false},
		{"a: ==1.0.0", map[string]string{"a": "1.0.0"}, true},
		{"a: =1.0.0", map[string]string{"a": "1.0.1"}, false},
		{"a: !=1.0.0", map[string]string{"a": "1.0.0"}, false},
		{"a: !1.0.0", map[string]string{"a": "1.0.0"}, false},
		{"a: !1.0.0", map[string]string{"a": "1.0.1"}, true},
		{"a: nonsense", map[string]string{"a": "1.0.1"}, false},
		{"a: >1", map[string]string{"a": "rubbish"}, false},
	}
	for _, c := range cases {
		bad := Unmet(models.ContentMeta{Name: "me", Prerequisites: c.need}, c.have)
		if (len(bad) == 0) != c.ok {
			t.Errorf("%q with %v: %q", c.need, c.have, bad)
		}
	}
}
