package access

import (
	"bytes"
	"fmt"
	"slices"

	"drp/models"
	"drp/server/objects"
)

// gifts is the Rule that nobody gives away what he does not have: else who may change users, roles or
// tasks could do everything, by way of a user, a role or a job of his making. Packs are not held to it:
// who may load them brings the scripts that machines run.
func gifts(tx *objects.Tx, c *objects.Change) error {
	if c.New == nil || c.New.Base().Bundle != "" || tx.ByServer() {
		return nil
	}
	for _, claim := range given(tx, c) {
		if !tx.Actor.Claims.Contain(models.Claims{claim}) {
			return models.Problem(models.Forbidden, c.New.Kind(), c.New.Key(), fmt.Sprintf("it would let others do %s %s %s, and only who may do that can give it to them",
				claim.Scope, claim.Action, claim.Specific)).Typed("AUTH")
		}
	}
	return nil
}

// given are the claims that a change lets somebody have: all of a user for whoever gives it another
// password, since he can log in as that user.
func given(tx *objects.Tx, c *objects.Change) models.Claims {
	switch is := c.New.(type) {
	case *models.Role:
		was, _ := c.Old.(*models.Role)
		if was == nil {
			return is.Claims
		}
		return without(is.Claims, was.Claims)
	case *models.Task:
		was, _ := c.Old.(*models.Task)
		if was == nil {
			return append(claimsOf(tx, is.ExtraRoles, nil), is.ExtraClaims...)
		}
		return append(claimsOf(tx, is.ExtraRoles, was.ExtraRoles), without(is.ExtraClaims, was.ExtraClaims)...)
	case *models.User:
		was, _ := c.Old.(*models.User)
		if was == nil || !bytes.Equal(was.PasswordHash, is.PasswordHash) && tx.Actor.Name != "user:"+is.Name {
			return claimsOf(tx, is.Roles, nil)
		}
		return claimsOf(tx, is.Roles, was.Roles)
	}
	return nil
}

// claimsOf are the claims of the roles that are not known yet. One that is not there may come to allow
// anything.
func claimsOf(r objects.Reader, roles, known []string) (claims models.Claims) {
	for _, name := range roles {
		if slices.Contains(known, name) {
			continue
		}
		if role, ok := objects.Get[*models.Role](r, name); ok {
			claims = append(claims, role.Claims...)
		} else {
			claims = append(claims, everything...)
		}
	}
	return claims
}

func without(claims, known []models.Claim) (rest models.Claims) {
	for _, c := range claims {
		if !slices.Contains(known, c) {
			rest = append(rest, c)
		}
	}
	return rest
}
