package auth

import (
	"testing"

	"pgregory.net/rapid"

	"drp/models"
)

// The items are few, so that they meet, and odd, so that they trip.
var (
	someScopes    = []string{"machines", "users", "jobs"}
	someActions   = []string{"get", "token", "password", "update", "update:", "update:/", "update:/A", "update:/A/", "update:/A/B", "update:/AB", "action", "action:x", "action:y", "get:/A"}
	someSpecifics = []string{"alice", "bob", machine1}
)

// lists is what a part of a claim may be, of some items.
func lists(items []string) []string {
	return append([]string{"", "*", " " + items[0], items[0] + "," + items[1], "*,*", "*," + items[1], items[2] + ", " + items[0]}, items...)
}

func list(items []string) *rapid.Generator[string] {
	return rapid.OneOf(rapid.Just("*"), rapid.SampledFrom(lists(items)))
}

func claims() *rapid.Generator[models.Claims] {
	one := rapid.Custom(func(t *rapid.T) models.Claim {
		return claim(list(someScopes).Draw(t, "scope"), list(someActions).Draw(t, "action"), list(someSpecifics).Draw(t, "specific"))
	})
	return rapid.Map(rapid.SliceOfN(one, 0, 4), func(cs []models.Claim) models.Claims { return cs })
}

// everyRequest calls f with every request that claims of the generator could make a
// difference to.
func everyRequest(f func(scope, action, specific string)) {
	for _, scope := range append([]string{"", "*", "roles"}, someScopes...) {
		for _, action := range append([]string{"", "*", "list", "update:/A/B/C"}, someActions...) {
			for _, specific := range append([]string{"", "*", "eve"}, someSpecifics...) {
				f(scope, action, specific)
			}
		}
	}
}

func TestIntersectionAllowsExactlyWhatBothAllow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := claims().Draw(t, "a"), claims().Draw(t, "b")
		exact(t, a, b)
	})
}

func TestIntersectionOfAnyTwoListsIsExact(t *testing.T) {
	for _, part := range []struct {
		items []string
		claim func(list string) models.Claim
	}{
		{someScopes, func(l string) models.Claim { return claim(l, "get", "alice") }},
		{someActions, func(l string) models.Claim { return claim("users", l, "alice") }},
		{someSpecifics, func(l string) models.Claim { return claim("users", "get", l) }},
	} {
		for _, a := range lists(part.items) {
			for _, b := range lists(part.items) {
				exact(t, models.Claims{part.claim(a)}, models.Claims{part.claim(b)})
			}
		}
	}
}

func exact(t interface{ Fatalf(string, ...any) }, a, b models.Claims) {
	both := intersect(a, b)
	everyRequest(func(scope, action, specific string) {
		want := a.Allow(scope, action, specific) && b.Allow(scope, action, specific)
		if got := both.Allow(scope, action, specific); got != want {
			t.Fatalf("%v and %v: %s %s %q: got %v, want %v (%v)", a, b, scope, action, specific, got, want, both)
		}
	})
}

func TestShippedClaimsNameWhatExists(t *testing.T) {
	for name, cs := range map[string]models.Claims{
		"machine": MachineClaims(&models.Machine{Uuid: machine1, Address: "192.168.100.100"}), "profile": ProfileClaims("p1"), "unknown": UnknownClaims(), "self": selfClaims("alice"),
	} {
		for _, c := range cs {
			if bad := c.Validate(); len(bad) > 0 {
				t.Errorf("%s: %v: %v", name, c, bad)
			}
		}
	}
}
