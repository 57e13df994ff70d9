package app

import (
	"strings"
	"testing"

	"drp/models"

	"github.com/google/go-cmp/cmp"
)

// What a fresh server holds is what one of Digital Rebar holds: all else is uploaded.
func TestAFreshServerHoldsOnlyWhatItNeeds(t *testing.T) {
	_, admin, _ := start(t, config(t))
	want := map[string]string{
		"bootenvs": "ignore local", "stages": "local none", "roles": "superuser", "params": "pxelinux-local-boot", "profiles": "global",
		"tasks": "", "templates": "", "workflows": "", "machines": "", "jobs": "",
	}
	for kind, keys := range want {
		var list []map[string]any
		admin.must("GET", "/"+kind, nil, &list)
		k, _ := models.KindOf(kind)
		var got []string
		for _, o := range list {
			key, _ := o[k.KeyField].(string)
			got = append(got, key)
			if readOnly := o["ReadOnly"] == true; readOnly != (kind != "profiles") {
				t.Errorf("%s/%s: ReadOnly is %v", kind, key, readOnly)
			}
		}
		if diff := cmp.Diff(keys, strings.Join(got, " ")); diff != "" {
			t.Errorf("%s: %s", kind, diff)
		}
	}
}
