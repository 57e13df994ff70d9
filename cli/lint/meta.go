package lint

import (
	"path/filepath"
	"slices"
	"strings"

	packs "drp/content"
	"drp/models"
)

// checkMeta looks at what describes the pack, and at what it requires of others.
func (l *linter) checkMeta(with []*models.Content) {
	at := func(field string) place {
		if p, ok := l.metaAt[field]; ok {
			return p
		}
		if strings.EqualFold(filepath.Ext(l.root), ".yaml") || strings.EqualFold(filepath.Ext(l.root), ".json") || strings.EqualFold(filepath.Ext(l.root), ".yml") {
			return place{l.root, 1}
		}
		return place{filepath.Join(l.root, "._"+field+".meta"), 1}
	}
	m := l.meta
	if m.Name == "" {
		l.add(at("Name"), Error, "the pack has no Name")
	} else {
		for _, problem := range (&models.Pack{ContentMeta: m}).Validate() {
			l.add(at("Name"), Error, "%s", problem)
		}
	}
	if m.Version == "" {
		l.add(at("Version"), Warning, "the pack has no Version, so it is v0.0.0 and fails what others require of it")
	} else if _, err := packs.Version(m.Version); err != nil {
		l.add(at("Version"), Error, "invalid version %s: %v", m.Version, err)
	}
	if m.Description == "" {
		l.add(at("Description"), Warning, "the pack has no Description")
	}
	for _, item := range strings.Split(m.Prerequisites, ",") {
		l.checkPrerequisite(at("Prerequisites"), item)
	}
	l.checkLayers(at("Prerequisites"), with)
}

func (l *linter) checkPrerequisite(at place, item string) {
	if strings.TrimSpace(l.meta.Prerequisites) == "" {
		return
	}
	name, constraint, versioned := strings.Cut(item, ":")
	name, constraint = strings.TrimSpace(name), strings.TrimSpace(constraint)
	switch {
	case name == "" && versioned:
		l.add(at, Error, "prerequisite %q names no pack", strings.TrimSpace(item))
	case name == "":
		l.add(at, Warning, "there is a comma with no prerequisite beside it")
	case strings.ContainsAny(name, " \t\n<>="):
		l.add(at, Error, "prerequisite %q is not NAME or NAME: CONSTRAINT", strings.TrimSpace(item))
	case name == l.meta.Name:
		l.add(at, Error, "the pack is a prerequisite of itself")
	case versioned && constraint != "":
		if _, err := packs.Constraint(constraint); err != nil {
			l.add(at, Error, "prerequisite %s: %s is no constraint of a version: %v", name, constraint, err)
		}
	}
}

// checkLayers holds what the pack requires against the packs that were given.
func (l *linter) checkLayers(at place, with []*models.Content) {
	needs, versions := map[string][]string{}, map[string]string{}
	note := func(m models.ContentMeta) {
		versions[m.Name] = m.Version
		for _, p := range packs.Prerequisites(m) {
			needs[m.Name] = append(needs[m.Name], p.Layer)
		}
	}
	for _, c := range with {
		note(c.Meta)
	}
	note(l.meta)
	given := l.meta
	var list []string
	for _, item := range strings.Split(l.meta.Prerequisites, ",") {
		name, constraint, _ := strings.Cut(item, ":")
		if v, ok := versions[strings.TrimSpace(name)]; !ok || v == "" || v == packs.New().Meta.Version {
			continue // it may get its version when it is bundled
		}
		if _, err := packs.Constraint(strings.TrimSpace(constraint)); strings.TrimSpace(constraint) == "" || err == nil {
			list = append(list, item)
		}
	}
	given.Prerequisites = strings.Join(list, ",")
	for _, problem := range packs.Unmet(given, versions) {
		l.add(at, Error, "%s", problem)
	}
	var visit func(path []string)
	visit = func(path []string) {
		for _, next := range needs[path[len(path)-1]] {
			switch {
			case next == l.meta.Name && len(path) > 1:
				l.add(at, Error, "the prerequisites lead back to the pack: %s", strings.Join(append(path, next), " -> "))
			case !slices.Contains(path, next):
				visit(append(slices.Clone(path), next))
			}
		}
	}
	visit([]string{l.meta.Name})
}
