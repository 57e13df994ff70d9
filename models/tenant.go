package models

import (
	"slices"
)

// Tenant draws a line around what its users can see at all, whatever their roles allow: of each
// kind that is a key of Members only the listed objects exist for them. Kinds that are not
// listed are not limited.
type Tenant struct {
	Common
	Name          string
	Description   string
	Documentation string
	Members       map[string][]string // kind -> keys, sorted
	Users         []string            // sorted; a user is in one tenant at most
}

func (*Tenant) Kind() string  { return "tenants" }
func (t *Tenant) Key() string { return t.Name }

// Limits tells whether the tenant says which objects of a kind there are.
func (t *Tenant) Limits(kind string) bool {
	_, limits := t.Members[kind]
	return limits
}

// Lists tells whether an object is one that the tenant names.
func (t *Tenant) Lists(kind, key string) bool {
	_, found := slices.BinarySearch(t.Members[kind], key)
	return found
}

// Normalize puts the lists in order, each name once, so that a name is found quickly in a long one.
func (t *Tenant) Normalize() {
	t.normalize()
	if t.Members == nil {
		t.Members = map[string][]string{}
	}
	for kind, keys := range t.Members {
		if k, known := KindOf(kind); known && slices.ContainsFunc(keys, func(s string) bool { return k.CanonicalKey(s) != s }) {
			keys = k.canonicalKeys(keys)
			t.Members[kind] = keys
		}
		if in, changed := sorted(keys); changed {
			t.Members[kind] = in
		}
	}
	t.Users, _ = sorted(t.Users)
}

func (k *KindInfo) canonicalKeys(list []string) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = k.CanonicalKey(s)
	}
	return out
}

// sorted is a list in order without duplicates; one that is so already is left as it is, since
// others may be reading it.
func sorted(list []string) (in []string, changed bool) {
	if list == nil {
		return []string{}, true
	}
	for i := 1; i < len(list); i++ {
		if list[i-1] >= list[i] {
			list = slices.Clone(list)
			slices.Sort(list)
			return slices.Compact(list), true
		}
	}
	return list, false
}

func (t *Tenant) Validate() []string {
	var p problems
	p.name(nameGeneral, "Name", t.Name)
	for _, u := range t.Users {
		p.name(nameUser, "User", u)
	}
	return p
}
