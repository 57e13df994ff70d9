package packs

import (
	"fmt"
	"strings"

	"drp/models"

	"github.com/Masterminds/semver/v3"
)

// Prerequisite is a layer that a pack needs, in a version that meets the constraint, if any.
type Prerequisite struct{ Layer, Constraint string }

// Prerequisites are the layers that a pack needs.
func Prerequisites(meta models.ContentMeta) []Prerequisite {
	var list []Prerequisite
	for _, item := range strings.Split(meta.Prerequisites, ",") {
		name, constraint, _ := strings.Cut(item, ":")
		if name = strings.TrimSpace(name); name != "" {
			list = append(list, Prerequisite{name, strings.TrimSpace(constraint)})
		}
	}
	return list
}

// Features are those that a pack needs of the server.
func Features(meta models.ContentMeta) []string {
	return strings.FieldsFunc(meta.RequiredFeatures, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\t' })
}

// Unmet returns what keeps a layer from working with the others: a line for each prerequisite
// that is missing or has the wrong version. Versions is that of every layer by name.
func Unmet(meta models.ContentMeta, versions map[string]string) []string {
	var bad []string
	for _, need := range Prerequisites(meta) {
		text, ok := versions[need.Layer]
		if !ok {
			bad = append(bad, fmt.Sprintf("Layer %s has %s as a prerequisite, but %s does not exist!", meta.Name, need.Layer, need.Layer))
			continue
		}
		if need.Constraint == "" {
			continue
		}
		wants, err := Constraint(need.Constraint)
		if err != nil {
			bad = append(bad, fmt.Sprintf("Layer %s: error parsing prerequisites %s: %s: %v", meta.Name, need.Layer, need.Constraint, err))
			continue
		}
		v, err := Version(text)
		if err != nil {
			bad = append(bad, fmt.Sprintf("Layer %s: invalid version %s: %v", need.Layer, text, err))
		}
		if err != nil || !wants.Check(v) {
			bad = append(bad, fmt.Sprintf("Layer %s prerequisite test on %s failed", meta.Name, need.Layer))
		}
	}
	return bad
}

// Version reads that of a layer: a leading v is optional, what follows the first "-" says which
// build it is and does not count, and none at all is 0.0.0.
func Version(s string) (*semver.Version, error) {
	s, _, _ = strings.Cut(strings.TrimSpace(s), "-")
	if s == "" || s == "v" {
		s = "0.0.0"
	}
	return semver.NewVersion(s)
}

// Constraint reads what a prerequisite asks of a version. "==1" is "=1", and "!1" is "!=1".
func Constraint(c string) (*semver.Constraints, error) {
	c = strings.ReplaceAll(c, "==", "=")
	for i := len(c) - 1; i >= 0; i-- {
		if c[i] == '!' && !strings.HasPrefix(c[i+1:], "=") {
			c = c[:i+1] + "=" + c[i+1:]
		}
	}
	return semver.NewConstraint(c)
}
