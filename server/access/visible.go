package access

import (
	"fmt"
	"slices"

	"drp/models"
	"drp/server/objects"
)

// ref is an object that another one names, and the line that says it is not there.
type ref struct{ kind, key, missing string }

// references are what an object of a kind names.
var references = map[string]func(o models.Object) []ref{
	"machines": func(o models.Object) []ref {
		m := o.(*models.Machine)
		return slices.Concat(
			one("stages", "Stage", m.Stage), one("bootenvs", "Bootenv", m.BootEnv), one("workflows", "Workflow", m.Workflow),
			profiles(m.Profiles), entries(m.Tasks))
	},
	"stages": func(o models.Object) []ref {
		s := o.(*models.Stage)
		return slices.Concat(one("bootenvs", "BootEnv", s.BootEnv), profiles(s.Profiles), entries(s.Tasks), templates(o))
	},
	"workflows": func(o models.Object) []ref { return many("stages", "Stage", o.(*models.Workflow).Stages) },
	"profiles":  func(o models.Object) []ref { return profiles(o.(*models.Profile).Profiles) },
	"tasks": func(o models.Object) []ref {
		t := o.(*models.Task)
		return slices.Concat(many("tasks", "Task", t.Prerequisites), many("roles", "Role", t.ExtraRoles), templates(o))
	},
	"bootenvs": templates,
	"users":    func(o models.Object) []ref { return many("roles", "Role", o.(*models.User).Roles) },
	"tenants": func(o models.Object) []ref {
		t := o.(*models.Tenant)
		refs := many("users", "User", t.Users)
		for kind, keys := range t.Members {
			refs = append(refs, many(kind, kind, keys)...)
		}
		return refs
	},
}

func one(kind, what, key string) []ref {
	if key == "" {
		return nil
	}
	return []ref{{kind, key, what + " " + key + " does not exist"}}
}

func many(kind, what string, keys []string) (refs []ref) {
	for _, key := range keys {
		refs = append(refs, one(kind, what, key)...)
	}
	return refs
}

func profiles(names []string) (refs []ref) {
	for i, name := range names {
		refs = append(refs, ref{"profiles", name, fmt.Sprintf("Profile %s (at %d) does not exist", name, i)})
	}
	return refs
}

func templates(o models.Object) (refs []ref) {
	for i, t := range models.TemplatesOf(o) {
		if t.ID != "" {
			refs = append(refs, ref{"templates", t.ID, fmt.Sprintf("Templates[%d]: No common template for %s", i, t.ID)})
		}
	}
	return refs
}

func entries(list []string) (refs []ref) {
	for i, entry := range list {
		switch verb, arg := models.SplitEntry(entry); verb {
		case "":
			refs = append(refs, ref{"tasks", arg, fmt.Sprintf("Task %s (at %d) does not exist", arg, i)})
		case "stage":
			refs = append(refs, one("stages", "Stage", arg)...)
		case "bootenv":
			refs = append(refs, one("bootenvs", "BootEnv", arg)...)
		}
	}
	return refs
}

// visible is the Rule that what a caller comes to name must exist for him: else a user of a tenant
// could find out what there is beyond it, and have his machines read its params and run its tasks.
func visible(tx *objects.Tx, c *objects.Change) error {
	if len(tx.Actor.Tenants) == 0 || c.New == nil || c.Derived || tx.ByServer() {
		return nil
	}
	refs := references[c.New.Kind()]
	var was []ref
	if c.Old != nil {
		was = refs(c.Old)
	}
	var bad []string
	for _, r := range refs(c.New) {
		known := slices.ContainsFunc(was, func(w ref) bool { return w.kind == r.kind && w.key == r.key })
		if known || within(tx, r) {
			continue
		}
		bad = append(bad, r.missing)
	}
	if len(bad) > 0 {
		return models.Invalidf(c.New, bad...)
	}
	return nil
}

func within(tx *objects.Tx, r ref) bool {
	if e, ok := tx.Get(r.kind, r.key); ok {
		return tx.Actor.Exists(e.Object)
	}
	return tx.Actor.Within(r.kind, r.key, r.key)
}
