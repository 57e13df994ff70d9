package auth

import (
	"slices"
	"strings"

	"drp/models"
)

func claim(scope, action, specific string) models.Claim {
	return models.Claim{Scope: scope, Action: action, Specific: specific}
}

func everything() models.Claims { return models.Claims{claim("*", "*", "*")} }

// MachineClaims is what a machine may do: drive itself and its jobs, and read what its tasks
// are made of, and reserve its own address. Profiles are not among it: a task that needs one asks
// for more rights.
func MachineClaims(m *models.Machine) models.Claims {
	uuid := m.Uuid
	claims := models.Claims{
		claim("machines", "get,update,actions,action,updateTaskList,getSecure,updateSecure,token", uuid),
		claim("jobs", "create,get,list,update,actions,log", uuid),
		claim("stages,tasks,params,bootenvs,workflows", "get,list", "*"),
		claim("events", "post", "*"),
		claim("info", "get", "*"),
	}
	if m.Address != "" {
		key := (&models.Reservation{Addr: m.Address}).Key()
		claims = append(claims, claim("reservations", "create,get,update,delete,actions,action", key))
	}
	return claims
}

// ProfileClaims is what the holder of a profile's token may do: read and write that profile.
func ProfileClaims(name string) models.Claims {
	return models.Claims{
		claim("profiles", "get,update,getSecure,updateSecure", name),
		claim("params", "get", "*"),
	}
}

// UnknownClaims is what a host may do that no machine stands for yet: find out which one it
// is, and create it.
func UnknownClaims() models.Claims {
	return models.Claims{
		claim("machines", "create,get,whoami", "*"),
		claim("info", "get", "*"),
	}
}

// selfClaims is what every user may do without any role.
func selfClaims(user string) models.Claims {
	return models.Claims{claim("users", "get,password,token", user)}
}

// intersect returns the claims that allow exactly what both allow.
func intersect(as, bs models.Claims) models.Claims {
	switch {
	case slices.Contains(as, everything()[0]):
		return bs
	case slices.Contains(bs, everything()[0]):
		return as
	}
	both := models.Claims{}
	for _, a := range as {
		for _, b := range bs {
			c, ok := meet(a, b)
			if ok && !both.Contain(models.Claims{c}) {
				both = append(both, c)
			}
		}
	}
	return both
}

// meet is what two claims both allow, if that is anything.
func meet(a, b models.Claim) (c models.Claim, ok bool) {
	if c.Scope = common(a.Scope, b.Scope, same); c.Scope == "" {
		return c, false
	}
	if c.Specific = common(a.Specific, b.Specific, same); c.Specific == "" {
		return c, false
	}
	c.Action = common(a.Action, b.Action, narrower)
	return c, c.Action != ""
}

// common is the list of what two lists both cover, given what two items have in common.
func common(a, b string, meet func(a, b string) string) string {
	if a == "*" && b == "*" {
		return "*"
	}
	var found []string
	for _, x := range split(a) {
		for _, y := range split(b) {
			z := meet(x, y)
			if a == "*" {
				z = y
			} else if b == "*" {
				z = x
			}
			if z != "" && z != "*" && !slices.Contains(found, z) {
				found = append(found, z)
			}
		}
	}
	return strings.Join(found, ",")
}

func split(list string) []string {
	items := strings.Split(list, ",")
	for i := range items {
		items[i] = strings.TrimSpace(items[i])
	}
	return items
}

func same(a, b string) string {
	if a == b {
		return a
	}
	return ""
}

// narrower is the action that the other one covers. Actions form trees, so that two of them
// have nothing in common unless one covers the other.
func narrower(a, b string) string {
	switch {
	case coversAction(a, b):
		return b
	case coversAction(b, a):
		return a
	}
	return ""
}

func coversAction(have, want string) bool {
	return have != "*" && models.Claims{claim("*", have, "*")}.Allow("any", want, "any")
}
