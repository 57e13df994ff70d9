// Package content keeps the content packs of a server: objects of many kinds that are uploaded,
// replaced and removed as one. What a pack brings are ordinary records, read-only and marked
// with the pack's name; the pack itself is a record that describes it.
//
// The layers of content, the first to have an object wins: what callers create (BackingStore),
// what the operator has put on the server's disk (LocalStore), the packs, more from the disk
// (DefaultStore), what plugin providers bring, and what the server cannot work without
// (BasicStore). A pack overrides what comes below it and is overwritable, and nothing else.
package content

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"drp/models"
	"drp/server/objects"
)

// Service lists, shows, and changes content packs.
type Service struct {
	objects  *objects.Service
	features []string
	layers   []Layer // beside packs and what callers create; the one that wins first

	// Clear, if set, is what an object has for params, the secure ones in clear; it is asked for
	// those who may see them.
	Clear func(models.ParamHolder) models.Params
}

// New makes a service. Features are those of the server, which packs may require. The layers must
// be those the objects were given as their base.
func New(objs *objects.Service, features []string, layers []Layer) *Service {
	return &Service{objects: objs, features: features, layers: layers}
}

// abovePacks tells whether a layer hides what packs bring.
func (l Layer) abovePacks() bool { return l.Meta.Type == "local" }

// Check tells whether what is in the store fits the layers: they may have changed since it was
// stored.
func (s *Service) Check() error {
	v := s.objects.View()
	for _, l := range s.layers {
		for _, o := range l.Objects {
			e, ok := v.Get(o.Kind(), o.Key())
			if b := e.Object.Base(); ok && l.abovePacks() && b.ReadOnly && b.Bundle != l.Meta.Name {
				return fmt.Errorf("%s:%s in layer local-%s would override layer dynamic-%s: take it out of one of them", o.Kind(), o.Key(), l.Meta.Name, b.Bundle)
			}
		}
	}
	return nil
}

// List is a summary of each layer that the caller may see, the one that wins first.
func (s *Service) List(ctx context.Context) ([]models.ContentSummary, error) {
	v, actor := s.objects.View(), objects.ActorOf(ctx)
	all := actor.May("contents", "list", "")
	counts := packCounts(v, actor)
	list := []models.ContentSummary{}
	add := func(meta models.ContentMeta, counts map[string]int) {
		if actor.Within("contents", meta.Name, meta.Name) && (all || actor.May("contents", "get", meta.Name)) {
			list = append(list, models.ContentSummary{Meta: meta, Counts: counts, Warnings: []string{}})
		}
	}
	add(writableMeta, writableCounts(v, actor))
	for p := range objects.All[*models.Pack](v) {
		add(p.ContentMeta, nonNil(counts[p.Name]))
	}
	for _, l := range s.layers {
		add(l.Meta, count(existing(actor, l.Objects)))
	}
	slices.SortStableFunc(list, func(a, b models.ContentSummary) int { return rank(a.Meta.Type) - rank(b.Meta.Type) })
	return list, nil
}

// rank is the place of a type of layer: the one that wins first.
func rank(typ string) int {
	return slices.Index([]string{"writable", "local", "dynamic", "default", "plugin", "basic"}, typ)
}

var writableMeta = models.ContentMeta{
	Name: backingStore, Version: "0.0.0", Type: "writable", Writable: true, Description: "Writable backing store",
}

// Show is a layer with all of its objects. Of the writable layer, what the caller may not see is
// left out, and so are the preferences: among them are the keys that tokens are signed with.
func (s *Service) Show(ctx context.Context, name string) (*models.Content, error) {
	v, actor := s.objects.View(), objects.ActorOf(ctx)
	if !actor.May("contents", "get", name) || !actor.Within("contents", name, name) {
		return nil, missing(name)
	}
	if name == backingStore {
		return s.writable(v, actor)
	}
	for _, l := range s.layers {
		if l.Meta.Name == name {
			return s.export(actor, l.Meta, existing(actor, l.Objects))
		}
	}
	p, ok := objects.Get[*models.Pack](v, name)
	if !ok {
		return nil, missing(name)
	}
	var list []models.Object
	for _, kind := range order {
		for e := range v.All(kind) {
			if ofPack(e, name) && actor.Exists(e.Object) {
				list = append(list, e.Object)
			}
		}
	}
	return s.export(actor, p.ContentMeta, list)
}

func (s *Service) writable(v *objects.View, actor objects.Actor) (*models.Content, error) {
	c := &models.Content{Meta: writableMeta, Sections: map[string]map[string]json.RawMessage{}}
	for _, k := range models.Kinds {
		if k.Internal || k.Name == "preferences" {
			continue
		}
		section := map[string]json.RawMessage{}
		for e := range v.All(k.Name) {
			if !e.Object.Base().ReadOnly && actor.Visible(e.Object) {
				raw, err := s.raw(actor, e)
				if err != nil {
					return nil, err
				}
				section[e.Object.Key()] = raw
			}
		}
		c.Sections[k.Name] = section
	}
	return c, nil
}

// existing are the objects that exist for an actor.
func existing(actor objects.Actor, list []models.Object) []models.Object {
	return slices.DeleteFunc(slices.Clone(list), func(o models.Object) bool { return !actor.Exists(o) })
}

// export writes objects as a pack. What only a server sets is as in a pack that was never
// loaded; Bundle still names the pack.
func (s *Service) export(actor objects.Actor, meta models.ContentMeta, list []models.Object) (*models.Content, error) {
	c := &models.Content{Meta: meta, Sections: map[string]map[string]json.RawMessage{}}
	for _, o := range list {
		o = models.Clone(o)
		s.reveal(actor, o)
		b := o.Base()
		b.Validated, b.Available, b.ReadOnly, b.Errors = false, false, false, []string{}
		raw, err := models.Marshal(o)
		if err != nil {
			return nil, err
		}
		if c.Sections[o.Kind()] == nil {
			c.Sections[o.Kind()] = map[string]json.RawMessage{}
		}
		c.Sections[o.Kind()][o.Key()] = raw
	}
	return c, nil
}

// ofPack tells whether an object came with an uploaded pack.
func ofPack(e *objects.Entry, name string) bool {
	b := e.Object.Base()
	return b.ReadOnly && b.Bundle == name && e.Object.Kind() != "contents"
}

func missing(name string) error {
	return models.Problem(models.NotFound, "contents", name, "No such content store")
}

func count(list []models.Object) map[string]int {
	n := map[string]int{}
	for _, o := range list {
		n[o.Kind()]++
	}
	return n
}

// packCounts is the number of objects by pack and kind.
func packCounts(r objects.Reader, actor objects.Actor) map[string]map[string]int {
	n := map[string]map[string]int{}
	for _, kind := range order {
		for e := range r.All(kind) {
			b := e.Object.Base()
			if !b.ReadOnly || !actor.Exists(e.Object) {
				continue
			}
			if n[b.Bundle] == nil {
				n[b.Bundle] = map[string]int{}
			}
			n[b.Bundle][kind]++
		}
	}
	return n
}

func writableCounts(v *objects.View, actor objects.Actor) map[string]int {
	n := map[string]int{}
	for _, k := range models.Kinds {
		switch {
		case slices.Contains(order, k.Name):
			n[k.Name] = writableLen(v, actor, k.Name)
		case !k.Internal && actor.Limited(k.Name):
			n[k.Name] = writableLen(v, actor, k.Name)
		case !k.Internal:
			n[k.Name] = v.Len(k.Name)
		}
	}
	return n
}

func writableLen(v *objects.View, actor objects.Actor, kind string) int {
	n := 0
	for e := range v.All(kind) {
		if !e.Object.Base().ReadOnly && actor.Exists(e.Object) {
			n++
		}
	}
	return n
}

func nonNil(m map[string]int) map[string]int {
	if m == nil {
		return map[string]int{}
	}
	return m
}
