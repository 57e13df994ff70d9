package packs

import (
	"slices"

	"drp/models"
)

// leading are the kinds that others refer to, each after those its own objects refer to.
var leading = []string{"params", "templates", "profiles", "bootenvs", "tasks", "stages", "workflows"}

// stateful kinds are the state of one server: machines and what happens to them, people and their
// passwords. No pack brings them, nor what a server finds out by itself.
var stateful = []string{"machines", "jobs", "leases", "users", "preferences"}

// Kinds are the kinds that packs carry, each after those its objects refer to.
func Kinds() []string {
	kinds := slices.Clone(leading)
	for _, k := range models.Kinds {
		if !k.Internal && !k.Given && !slices.Contains(stateful, k.Name) && !slices.Contains(kinds, k.Name) {
			kinds = append(kinds, k.Name)
		}
	}
	return kinds
}

// Builtin are the keys of the objects that every server has, by kind: content may refer to them
// without a prerequisite.
func Builtin() map[string][]string {
	return map[string][]string{
		"bootenvs": {"ignore", "local"}, "stages": {"local", "none"}, "roles": {models.Superuser},
		"params": {"pxelinux-local-boot"}, "profiles": {models.GlobalProfile},
	}
}
