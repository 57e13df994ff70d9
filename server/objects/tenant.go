package objects

import (
	"slices"

	"drp/models"
)

// A tenant draws a line around what its users can see at all. Claims are looked at only within it,
// so that an object beyond is as good as absent: it is not found, listed, counted or told of.

// Actor is somebody of this server, who sees no more than all of the tenants named let him.
func (s *Service) Actor(name string, claims models.Claims, tenants []string) Actor {
	a := Actor{Name: name, Claims: claims, Tenants: tenants}
	if len(tenants) > 0 {
		a.state = func() Reader { return s.View() }
	}
	return a
}

// from is the actor as one who looks at a state of objects rather than at the newest.
func (a Actor) from(r Reader) Actor {
	if len(a.Tenants) > 0 {
		a.state = func() Reader { return r }
	}
	return a
}

// Exists tells whether an object is there for the actor at all, whatever its claims are.
func (a Actor) Exists(o models.Object) bool {
	return len(a.Tenants) == 0 || a.Within(o.Kind(), o.Key(), AuthKey(o))
}

// Within is Exists for an object that is known by its key and by what claims call it.
func (a Actor) Within(kind, key, authKey string) bool {
	if len(a.Tenants) == 0 || kind == "users" && a.Name == "user:"+key { // everybody may be himself
		return true
	}
	return a.each(func(t *models.Tenant) bool {
		return (!t.Limits(kind) || t.Lists(kind, key)) && (kind != "jobs" || !t.Limits("machines") || t.Lists("machines", authKey))
	})
}

// In tells whether the actor is in tenants, and in those named only.
func (a Actor) In(tenants []string) bool {
	return len(a.Tenants) > 0 && !slices.ContainsFunc(a.Tenants, func(t string) bool { return !slices.Contains(tenants, t) })
}

// Limited tells whether there may be objects of a kind that do not exist for the actor.
func (a Actor) Limited(kind string) bool {
	return len(a.Tenants) > 0 && !a.each(func(t *models.Tenant) bool {
		return !t.Limits(kind) && (kind != "jobs" || !t.Limits("machines"))
	})
}

// each tells whether something holds for each tenant of the actor; it does not for one that is gone.
func (a Actor) each(holds func(*models.Tenant) bool) bool {
	if a.state == nil {
		return len(a.Tenants) == 0
	}
	r := a.state()
	return !slices.ContainsFunc(a.Tenants, func(name string) bool {
		t, ok := Get[*models.Tenant](r, name)
		return !ok || !holds(t)
	})
}

// lists tells whether the actor may list all objects of a kind that exist for it.
func (a Actor) lists(kind string) bool { return a.May(kind, "list", "") }

// sees tells whether the actor finds an object in a list; all is what lists says of the kind. That
// everybody may get himself is no reason to list him.
func (a Actor) sees(all bool, o models.Object) bool {
	if !all && o.Kind() == "users" && a.Name == "user:"+o.Key() {
		return a.May("users", "get", "*")
	}
	return a.Exists(o) && (all || a.Visible(o))
}

// Count is how many objects of a kind the actor finds in a list.
func (s *Service) Count(a Actor, kind string) int {
	v, all := s.View(), a.lists(kind)
	if all && !a.Limited(kind) {
		return v.Len(kind)
	}
	n := 0
	for e := range v.All(kind) {
		if a.sees(all, e.Object) {
			n++
		}
	}
	return n
}

// tenantIndex says which tenant a user is in.
type tenantIndex struct {
	moved uint64 // of the kind, when it was made
	of    map[string]string
}

// TenantOf is the tenant that a user is in, or "". It is as quick as a look at a map.
func (s *Service) TenantOf(user string) string {
	t, _ := s.View().kinds.of("tenants")
	if t.byKey.Len() == 0 {
		return ""
	}
	ix := s.tenants.Load()
	if ix == nil || ix.moved != t.moved {
		ix = &tenantIndex{t.moved, map[string]string{}}
		t.byKey.Scan(func(name string, e *Entry) bool {
			for _, u := range e.Object.(*models.Tenant).Users {
				ix.of[u] = name
			}
			return true
		})
		s.tenants.Store(ix)
	}
	return ix.of[user]
}

// keepTenants is what a change of any object means for the lists of tenants: what a user of a
// tenant makes belongs to it, where the tenant says which objects of the kind there are; and
// nothing that is gone stays listed, lest a later one of the same name be taken for it.
func (tx *Tx) keepTenants(c *Change) error {
	kind, key := c.Object().Kind(), c.Object().Key()
	switch {
	case c.Old == nil && c.New != nil:
		for _, name := range tx.Actor.Tenants {
			e, ok := tx.Get("tenants", name)
			if !ok || !e.Object.(*models.Tenant).Limits(kind) || e.Object.(*models.Tenant).Lists(kind, key) {
				continue
			}
			t := e.Clone().(*models.Tenant)
			t.Members[kind] = append(t.Members[kind], key)
			if err := tx.Save(t); err != nil {
				return err
			}
		}
	case c.New == nil:
		if _, still := tx.Get(kind, key); still { // what comes with the server shows again
			return nil
		}
		return tx.strike(kind, key)
	}
	return nil
}

// strike takes an object out of the lists of all tenants.
func (tx *Tx) strike(kind, key string) error {
	var listed []*Entry
	for e := range tx.All("tenants") {
		t := e.Object.(*models.Tenant)
		if t.Lists(kind, key) || kind == "users" && slices.Contains(t.Users, key) {
			listed = append(listed, e)
		}
	}
	for _, e := range listed {
		if kind == "tenants" && e.Object.Key() == key {
			continue
		}
		t := e.Clone().(*models.Tenant)
		gone := func(s string) bool { return s == key }
		if t.Limits(kind) {
			t.Members[kind] = slices.DeleteFunc(t.Members[kind], gone)
		}
		if kind == "users" {
			t.Users = slices.DeleteFunc(t.Users, gone)
		}
		if err := tx.Save(t); err != nil {
			return err
		}
	}
	return nil
}
