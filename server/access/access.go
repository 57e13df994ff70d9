// Package access keeps the objects that say who may do what in order: users, their roles, and the
// tenants that limit what users can see.
package access

import (
	"fmt"
	"slices"

	"drp/models"
	"drp/server/objects"
)

// Register adds the Rules. It comes before those that derive something from references to other
// objects.
func Register(s *objects.Service) {
	for kind := range references {
		s.AddRule(kind, visible)
	}
	for _, kind := range []string{"users", "roles", "tasks"} {
		s.AddRule(kind, gifts)
	}
	s.AddRule("tenants", tenant)
	s.AddRule("users", freshSecret)
	s.AddRule("users", lastMaster)
	s.AddRule("roles", lastMaster)
}

// freshSecret is the Rule that nobody chooses the secret of a user: who changes it gets another, and
// the tokens of before end with the old one.
func freshSecret(_ *objects.Tx, c *objects.Change) error {
	if c.Op != objects.Update || c.Old == nil || c.New.(*models.User).Secret == c.Old.(*models.User).Secret {
		return nil
	}
	c.New.(*models.User).Secret = models.NewSecret(16)
	return nil
}

// tenant is the Rule of tenants.
func tenant(tx *objects.Tx, c *objects.Change) error {
	t, ok := c.New.(*models.Tenant)
	if !ok {
		if t = c.Old.(*models.Tenant); len(t.Users) > 0 {
			return models.Errorf(models.Conflict, t, "Constraining Users: %v", t.Users).Typed("StillInUseError")
		}
		return nil
	}
	var bad []string
	was, _ := c.Old.(*models.Tenant)
	for kind := range t.Members {
		if _, known := tx.KindOf(kind); !known && kind != models.InterfaceKind.Name && (was == nil || !was.Limits(kind)) { // its provider may have gone since
			bad = append(bad, fmt.Sprintf("%s: No such object type '%s'", t.Name, kind))
		}
	}
	slices.Sort(bad)
	for _, u := range t.Users {
		if was != nil && slices.Contains(was.Users, u) {
			continue
		}
		if _, there := tx.Get("users", u); !there {
			bad = append(bad, fmt.Sprintf("%s: User %s does not exist", t.Name, u))
		}
		for e := range tx.All("tenants") {
			if other := e.Object.(*models.Tenant); other.Name != t.Name && slices.Contains(other.Users, u) {
				bad = append(bad, fmt.Sprintf("%s: User %s is in tenant %s already", t.Name, u, other.Name))
			}
		}
	}
	if len(bad) > 0 {
		return models.Invalidf(t, bad...)
	}
	return nil
}

// lastMaster is the Rule that leaves somebody who may do everything: nobody else could give others
// that right again.
func lastMaster(tx *objects.Tx, c *objects.Change) error {
	if c.Old == nil || !gaveAll(tx, c) || hasMaster(tx) {
		return nil
	}
	what := fmt.Sprintf("%s %s", map[string]string{"users": "User", "roles": "Role"}[c.Old.Kind()], c.Old.Key())
	if c.New == nil {
		return models.Errorf(models.Conflict, c.Old, "%s is what lets the last user do everything, cannot remove it; give another user the role %s first",
			what, models.Superuser).Typed("StillInUseError")
	}
	return models.Invalidf(c.Old, fmt.Sprintf("%s: %s is what lets the last user do everything; give another user the role %s first",
		c.Old.Key(), what, models.Superuser))
}

// gaveAll tells whether somebody could do everything by the old version of a user or a role.
func gaveAll(r objects.Reader, c *objects.Change) bool {
	switch old := c.Old.(type) {
	case *models.User:
		return slices.ContainsFunc(old.Roles, func(role string) bool { return allowsAll(r, role) })
	case *models.Role:
		return models.Claims(old.Claims).Contain(everything)
	}
	return false
}

func hasMaster(r objects.Reader) bool {
	for u := range objects.All[*models.User](r) {
		if slices.ContainsFunc(u.Roles, func(role string) bool { return allowsAll(r, role) }) {
			return true
		}
	}
	return false
}

func allowsAll(r objects.Reader, role string) bool {
	o, ok := objects.Get[*models.Role](r, role)
	return ok && models.Claims(o.Claims).Contain(everything)
}

var everything = models.Claims{{Scope: "*", Action: "*", Specific: "*"}}
