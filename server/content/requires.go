package content

import (
	"fmt"
	"slices"
	"strings"

	"drp/models"

	"github.com/Masterminds/semver/v3"
)

// missingFeatures returns a line for each feature that the pack needs and the server lacks.
func missingFeatures(meta models.ContentMeta, have []string) []string {
	var bad []string
	words := strings.FieldsFunc(meta.RequiredFeatures, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' })
	for _, f := range words {
		if !slices.Contains(have, f) {
			bad = append(bad, fmt.Sprintf("Content layer %s requires feature %s, but dr-provision does not provide it", meta.Name, f))
		}
	}
	return bad
}

// prerequisite is a layer that another one needs, in a version that meets the constraint.
type prerequisite struct{ layer, constraint string }

func prerequisites(meta models.ContentMeta) []prerequisite {
	var list []prerequisite
	for _, item := range strings.Split(meta.Prerequisites, ",") {
		name, constraint, _ := strings.Cut(item, ":")
		if name = strings.TrimSpace(name); name != "" {
			list = append(list, prerequisite{name, strings.TrimSpace(constraint)})
		}
	}
	return list
}

// unmet returns what keeps a layer from working with the others: a line for each prerequisite
// that is missing or has the wrong version. Versions is that of every layer by name.
func unmet(meta models.ContentMeta, versions map[string]string) []string {
	var bad []string
	for _, need := range prerequisites(meta) {
		text, ok := versions[need.layer]
		if !ok {
			bad = append(bad, fmt.Sprintf("Layer %s has %s as a prerequisite, but %s does not exist!", meta.Name, need.layer, need.layer))
			continue
		}
		if need.constraint == "" {
			continue
		}
		wants, err := semver.NewConstraint(masterminds(need.constraint))
		if err != nil {
			bad = append(bad, fmt.Sprintf("Layer %s: error parsing prerequisites %s: %s: %v", meta.Name, need.layer, need.constraint, err))
			continue
		}
		v, err := version(text)
		if err != nil {
			bad = append(bad, fmt.Sprintf("Layer %s: invalid version %s: %v", need.layer, text, err))
		}
		if err != nil || !wants.Check(v) {
			bad = append(bad, fmt.Sprintf("Layer %s prerequisite test on %s failed", meta.Name, need.layer))
		}
	}
	return bad
}

// version reads that of a layer: a leading v is optional, what follows the first "-" says which
// build it is and does not count, and none at all is 0.0.0.
func version(s string) (*semver.Version, error) {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "-")
	if s == "" || s == "v" {
		s = "0.0.0"
	}
	return semver.NewVersion(s)
}

// masterminds writes a constraint as the library reads it: "==1" as "=1" and "!1" as "!=1".
func masterminds(c string) string {
	c = strings.ReplaceAll(c, "==", "=")
	for i := len(c) - 1; i >= 0; i-- {
		if c[i] == '!' && !strings.HasPrefix(c[i+1:], "=") {
			c = c[:i+1] + "=" + c[i+1:]
		}
	}
	return c
}
