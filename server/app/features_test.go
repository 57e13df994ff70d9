package app

import (
	"slices"
	"testing"
)

// Packs are refused whole where a feature that they require is missing: these are what public packs
// of v4.8 require.
func TestFeaturesThatPublicPacksRequireAreTold(t *testing.T) {
	for _, f := range []string{
		"sane-exit-codes", "job-exit-states", "fsm-runner", "workflows", "default-workflow", "http-range-header", "roles", "tenants",
		"sprig", "multiarch", "overridable-bootloaders", "centos-8", "virtual-media-boot", "log-has-head-method", "elevated-tasks",
	} {
		if !slices.Contains(Features, f) {
			t.Errorf("%s is not told", f)
		}
	}
}
