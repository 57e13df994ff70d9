package models

import (
	"slices"
	"strings"
)

// Claim allows actions on objects: each part is "*" or a comma list. The action "update:/A/B"
// is limited to the member at that JSON pointer and all below it, "action:NAME" to one plugin
// action.
type Claim struct {
	Scope    string `json:"scope"`
	Action   string `json:"action"`
	Specific string `json:"specific"`
}

// Claims are what a principal may do: the union of all.
type Claims []Claim

// Allow tells whether one of the claims covers the request. Action is a single action, such as
// "get" or "update:/Meta"; specific is the key of the object, or "" for what concerns no
// single object, such as list and create, which only "*" covers.
func (cs Claims) Allow(scope, action, specific string) bool {
	for _, c := range cs {
		if c.covers(scope, action, specific) {
			return true
		}
	}
	return false
}

// Contain tells whether everything that other allows is allowed: each scope, action and
// specific of each claim of other must be covered by one claim.
func (cs Claims) Contain(other Claims) bool {
	for _, o := range other {
		for _, scope := range items(o.Scope) {
			for _, action := range items(o.Action) {
				for _, specific := range items(o.Specific) {
					if !cs.Allow(scope, action, specific) {
						return false
					}
				}
			}
		}
	}
	return true
}

func (c Claim) covers(scope, action, specific string) bool {
	return c != Claim{} && inList(c.Scope, scope) && coversAction(c.Action, action) && inList(c.Specific, specific)
}

func items(list string) []string {
	var l []string
	for _, s := range strings.Split(list, ",") {
		l = append(l, strings.TrimSpace(s))
	}
	return l
}

func inList(list, one string) bool {
	if list == "*" {
		return true
	}
	return one != "" && one != "*" && slices.Contains(items(list), one)
}

func coversAction(list, one string) bool {
	if list == "*" {
		return true
	}
	if one == "" || one == "*" {
		return false
	}
	return slices.ContainsFunc(items(list), func(have string) bool { return actionCovers(have, one) })
}

// actionCovers: "action" covers "action:x", "update" covers "update:/a", "update:/a" covers
// "update:/a/b".
func actionCovers(have, want string) bool {
	have, want = strings.TrimSuffix(have, ":"), strings.TrimSuffix(want, ":")
	if have == want {
		return true
	}
	verb, rest, limited := strings.Cut(have, ":")
	wantVerb, wantRest, _ := strings.Cut(want, ":")
	if verb != wantVerb {
		return false
	}
	if !limited {
		return verb == "update" || verb == "action"
	}
	return verb == "update" && strings.HasPrefix(wantRest, rest+"/") && rest != "/"
}

// objectActions are the actions every kind has.
var objectActions = []string{"list", "get", "create", "delete", "actions", "update", "action"}

var extraActions = map[string][]string{
	"users":       {"token", "password"},
	"jobs":        {"log"},
	"machines":    {"getSecure", "updateSecure", "updateTaskList", "token", "whoami"},
	"plugins":     {"getSecure", "updateSecure"},
	"profiles":    {"getSecure", "updateSecure"},
	"stages":      {"getSecure", "updateSecure"},
	"endpoints":   {"getSecure", "updateSecure"},
	"preferences": {"list", "post"},
	"events":      {"post"},
	"contents":    {"list", "get", "create", "update", "delete"},
	"files":       {"list", "get", "post", "delete"},
	"isos":        {"list", "get", "post", "delete"},
	"info":        {"get"},
	"objects":     {"list"},
	"metrics":     {"get"},
	"logs":        {"get"},
	"system":      {"upgrade", "replicate", "active", "passive", "debug", "cert", "actions", "action"},
}

// otherScopes are the prefixes that claims may name beside the kinds of this server: what the
// roles of existing content packs speak of.
var otherScopes = []string{"interfaces"}

// Scopes is every scope with its actions, as published by /info.
func Scopes() map[string][]string {
	s := map[string][]string{}
	for scope, actions := range extraActions {
		s[scope] = actions
	}
	add := func(name string) {
		if name != "preferences" {
			s[name] = append(slices.Clone(objectActions), extraActions[name]...)
		}
	}
	for _, k := range Kinds {
		if !k.Internal {
			add(k.Name)
		}
	}
	for _, name := range otherScopes {
		add(name)
	}
	return s
}

// CustomScope are the actions on objects of a kind that a plugin provider defines.
func CustomScope() []string { return append(slices.Clone(objectActions), "getSecure", "updateSecure") }

// Validate returns what is wrong with the claim, a line each.
func (c Claim) Validate() []string { return c.validate(func(string) bool { return false }) }

func (c Claim) validate(custom func(kind string) bool) []string {
	var p problems
	all := Scopes()
	for _, scope := range items(c.Scope) {
		if _, own := all[scope]; !own && custom(scope) {
			all[scope] = CustomScope()
		}
	}
	for _, scope := range items(c.Scope) {
		if _, ok := all[scope]; !ok && scope != "*" {
			p.addf("No such scope '%s'", scope)
			continue
		}
		for _, action := range items(c.Action) {
			if action != "*" && !knownAction(all, scope, action) {
				p.addf("No such action '%s'", action)
			}
		}
	}
	return p
}

func knownAction(all map[string][]string, scope, action string) bool {
	verb, _, limited := strings.Cut(action, ":")
	if limited && verb != "update" && verb != "action" {
		return false
	}
	if scope != "*" {
		return slices.Contains(all[scope], verb)
	}
	for _, actions := range all {
		if slices.Contains(actions, verb) {
			return true
		}
	}
	return false
}
