package objects

import (
	"context"

	"drp/models"
)

// Actor is who asks: the name that history keeps, and what it may do.
type Actor struct {
	Name    string // such as "user:rocketskates" or "machine:UUID"
	Claims  models.Claims
	Tenants []string // which limit what it can see; see Service.Actor

	state func() Reader // where the tenants are looked up
}

// System is the server itself.
var System = Actor{Name: "system", Claims: models.Claims{{Scope: "*", Action: "*", Specific: "*"}}}

// May tells whether the actor may do the action on an object ("" for what concerns no single
// object).
func (a Actor) May(scope, action, specific string) bool {
	return a.Claims.Allow(scope, action, specific)
}

// Unlimited tells whether the actor may do everything, and no tenant limits what it can see.
func (a Actor) Unlimited() bool { return a.Claims.Contain(System.Claims) && len(a.Tenants) == 0 }

// Require is nil when the actor may, and else the AUTH error that names what is missing.
func (a Actor) Require(scope, action, specific string) error {
	if a.May(scope, action, specific) {
		return nil
	}
	return models.Problem(models.Forbidden, "", "", "Requires: "+scope+" "+action+" "+specific).Typed("AUTH")
}

type actorKey struct{}

// WithActor returns a context in which the actor asks.
func WithActor(ctx context.Context, a Actor) context.Context {
	return context.WithValue(ctx, actorKey{}, a)
}

type byServer struct{}

// AsServer marks changes that the server makes of its own accord, whoever has given the reason: no
// field is off limits to them.
func AsServer(ctx context.Context) context.Context {
	return context.WithValue(ctx, byServer{}, true)
}

// ByServer tells whether the change is one that the server makes of its own accord.
func (tx *Tx) ByServer() bool { return tx.Ctx.Value(byServer{}) != nil }

// ActorOf is who asks; without one it is nobody, who may do nothing.
func ActorOf(ctx context.Context) Actor {
	a, _ := ctx.Value(actorKey{}).(Actor)
	return a
}

// AuthKey is what claims call the object: its key, but for a job that of its machine.
func AuthKey(o models.Object) string {
	if k, ok := o.(interface{ AuthKey() string }); ok {
		return k.AuthKey()
	}
	return o.Key()
}

// Visible tells whether the actor may see the object.
func (a Actor) Visible(o models.Object) bool {
	return a.May(o.Kind(), "get", AuthKey(o)) && a.Exists(o)
}
