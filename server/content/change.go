package content

import (
	"context"
	"errors"
	"fmt"
	"slices"

	packs "drp/content"
	"drp/models"
	"drp/server/objects"
)

// Create uploads a pack that is not there yet. With replaceWritable, objects of the writable
// layer under the same keys are dropped; else they are a reason to refuse. On any error nothing
// has changed.
func (s *Service) Create(ctx context.Context, pack *models.Content, replaceWritable bool) (*models.ContentSummary, error) {
	return s.put(ctx, pack, replaceWritable, func(tx *objects.Tx, name string) error {
		if !tx.Actor.May("contents", "create", "") {
			if err := tx.Actor.Require("contents", "create", name); err != nil {
				return err
			}
		}
		if _, exists := tx.Get("contents", name); exists || s.comesWithServer(name) {
			return models.Problem(models.Conflict, "contents", name, "Content "+name+" already exists")
		}
		return nil
	})
}

// Replace uploads a new version of a pack. Objects that it no longer has are removed.
func (s *Service) Replace(ctx context.Context, name string, pack *models.Content, replaceWritable bool) (*models.ContentSummary, error) {
	if pack.Meta.Name != "" && pack.Meta.Name != name {
		return nil, models.Problem(models.Invalid, "contents", name, "the pack calls itself "+pack.Meta.Name)
	}
	return s.put(ctx, pack, replaceWritable, func(tx *objects.Tx, _ string) error {
		return s.mayChange(tx, name, "update")
	})
}

// Destroy removes a pack and its objects.
func (s *Service) Destroy(ctx context.Context, name string) error {
	_, err := s.objects.Do(ctx, false, func(tx *objects.Tx) error {
		if err := s.mayChange(tx, name, "delete"); err != nil {
			return err
		}
		now, then := s.versions(tx), s.versions(tx)
		delete(then, name)
		if bad := deprived(tx, name, now, then); len(bad) > 0 {
			return models.Problem(models.Invalid, "contents", name, bad...)
		}
		if err := uninstall(tx, name, nil); err != nil {
			return err
		}
		return tx.Uninstall("contents", name)
	})
	return err
}

// mayChange checks that there is such a pack, and that the caller may do this to it.
func (s *Service) mayChange(tx *objects.Tx, name, action string) error {
	if !tx.Actor.May("contents", "get", name) || !tx.Actor.Within("contents", name, name) {
		return missing(name)
	}
	if err := tx.Actor.Require("contents", action, name); err != nil {
		return err
	}
	if s.comesWithServer(name) {
		return models.Problem(models.Forbidden, "contents", name, "is read-only: it comes with the server")
	}
	p, ok := objects.Get[*models.Pack](tx, name)
	if !ok {
		return missing(name)
	}
	if p.Type == pluginType {
		return models.Problem(models.Forbidden, "contents", name, "is read-only: it comes and goes with the plugin provider "+name)
	}
	return nil
}

func (s *Service) comesWithServer(name string) bool {
	return name == backingStore || slices.ContainsFunc(s.layers, func(l Layer) bool { return l.Meta.Name == name })
}

// put installs a pack as one atomic change.
func (s *Service) put(ctx context.Context, pack *models.Content, replaceWritable bool, may func(*objects.Tx, string) error) (*models.ContentSummary, error) {
	meta := pack.Meta
	if meta.Name == "" {
		return nil, models.Problem(models.Invalid, "contents", "", "Store at content- has no Name metadata")
	}
	meta.Type, meta.Writable, meta.Overwritable = "dynamic", false, false
	decoded, err := decode(pack)
	if err != nil {
		return nil, err
	}
	sum := &models.ContentSummary{Meta: meta, Counts: count(decoded)}
	_, err = s.objects.Do(ctx, false, func(tx *objects.Tx) error {
		if err := may(tx, meta.Name); err != nil {
			return err
		}
		if err := s.fits(tx, meta); err != nil {
			return err
		}
		list := clones(decoded)
		if err := clashes(tx, meta.Name, list, replaceWritable); err != nil {
			return err
		}
		before := troubles(tx)
		if err := install(tx, meta, list); err != nil {
			return err
		}
		sum.Warnings = newTroubles(before, troubles(tx))
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sum, nil
}

// clones: the change may be computed more than once, and Rules alter what they are given.
func clones(list []models.Object) []models.Object {
	out := make([]models.Object, len(list))
	for i, o := range list {
		out[i] = models.Clone(o)
	}
	return out
}

// fits checks the features and layers that the pack needs, and what other packs need of it.
func (s *Service) fits(tx *objects.Tx, meta models.ContentMeta) error {
	bad := missingFeatures(meta, s.features)
	if _, err := packs.Version(meta.Version); err != nil {
		bad = append(bad, fmt.Sprintf("Layer %s: invalid version %s: %v", meta.Name, meta.Version, err))
	}
	now, then := s.versions(tx), s.versions(tx)
	then[meta.Name] = meta.Version
	bad = append(bad, packs.Unmet(meta, then)...)
	bad = append(bad, deprived(tx, meta.Name, now, then)...)
	if len(bad) > 0 {
		return models.Problem(models.Invalid, "contents", meta.Name, bad...)
	}
	return nil
}

// deprived returns what the other packs would miss that they have now, a line each.
func deprived(tx *objects.Tx, name string, now, then map[string]string) []string {
	var bad []string
	for p := range objects.All[*models.Pack](tx) {
		if p.Name != name && len(packs.Unmet(p.ContentMeta, now)) == 0 {
			bad = append(bad, packs.Unmet(p.ContentMeta, then)...)
		}
	}
	return bad
}

// versions is the version of every layer.
func (s *Service) versions(tx *objects.Tx) map[string]string {
	m := map[string]string{backingStore: writableMeta.Version}
	for _, l := range s.layers {
		m[l.Meta.Name] = l.Meta.Version
	}
	for p := range objects.All[*models.Pack](tx) {
		m[p.Name] = p.Version
	}
	return m
}

// clashes refuses objects whose keys another pack has, or the writable layer unless they are to
// be replaced.
func clashes(tx *objects.Tx, pack string, list []models.Object, replaceWritable bool) error {
	var bad []string
	for _, o := range list {
		e, ok := tx.Get(o.Kind(), o.Key())
		if !ok {
			continue
		}
		b, other := e.Object.Base(), ""
		switch {
		case !b.ReadOnly && !replaceWritable:
			other = "writable-" + backingStore
		case b.ReadOnly && b.Bundle != pack && isPack(tx, b.Bundle):
			other = "dynamic-" + b.Bundle
		case b.ReadOnly && b.Bundle == localStore:
			bad = append(bad, fmt.Sprintf("%s:%s in layer local-%s would override layer dynamic-%s", o.Kind(), o.Key(), localStore, pack))
		}
		if other != "" {
			bad = append(bad, fmt.Sprintf("%s:%s in layer dynamic-%s would override layer %s", o.Kind(), o.Key(), pack, other))
		}
	}
	if len(bad) > 0 {
		return models.Problem(models.Invalid, "contents", pack, bad...)
	}
	return nil
}

func isPack(tx *objects.Tx, name string) bool {
	_, ok := tx.Get("contents", name)
	return ok
}

// install stages the pack's record and objects, and the removal of those it no longer has.
func install(tx *objects.Tx, meta models.ContentMeta, list []models.Object) error {
	var bad []string
	keep := map[[2]string]bool{}
	for _, o := range list {
		keep[[2]string{o.Kind(), o.Key()}] = true
		err := tx.Install(o)
		var problem *models.Error
		switch {
		case errors.As(err, &problem) && problem.Class != models.Internal:
			for _, m := range problem.Messages {
				bad = append(bad, itemProblem(meta.Name, o.Kind(), o.Key(), m))
			}
		case err != nil:
			return err
		}
	}
	if len(bad) > 0 {
		return models.Problem(models.Invalid, "contents", meta.Name, append(bad, "Try manually replacing content layer "+meta.Name)...)
	}
	if err := uninstall(tx, meta.Name, keep); err != nil {
		return err
	}
	if err := dangling(tx, list); err != nil {
		return err
	}
	return tx.Install(&models.Pack{Common: models.Common{ReadOnly: true}, ContentMeta: meta})
}

// uninstall removes the objects of a pack but those to keep, each before what it refers to.
func uninstall(tx *objects.Tx, pack string, keep map[[2]string]bool) error {
	for _, kind := range slices.Backward(order) {
		var gone []string
		for e := range tx.All(kind) {
			if key := e.Object.Key(); ofPack(e, pack) && !keep[[2]string{kind, key}] {
				gone = append(gone, key)
			}
		}
		for _, key := range gone {
			if err := tx.Uninstall(kind, key); err != nil {
				return err
			}
		}
	}
	return nil
}

// dangling refuses objects of a pack without which they could never be used: templates that are
// nowhere, and tasks that are prerequisites. Whatever else is missing makes them unavailable.
func dangling(tx *objects.Tx, list []models.Object) error {
	var bad []string
	for _, o := range list {
		for i, t := range models.TemplatesOf(o) {
			if _, ok := tx.Get("templates", t.ID); t.ID != "" && !ok {
				bad = append(bad, fmt.Sprintf("%s: Templates[%d]: No common template for %s", o.Key(), i, t.ID))
			}
		}
		task, _ := o.(*models.Task)
		if task == nil {
			continue
		}
		for _, p := range task.Prerequisites {
			if _, ok := tx.Get("tasks", p); !ok {
				bad = append(bad, fmt.Sprintf("Task %s missing prerequisite %s", task.Name, p))
			}
		}
	}
	if len(bad) > 0 {
		return models.Problem(models.Invalid, "", "", bad...).Typed("Failed to load backing objects from cache")
	}
	return nil
}

// trouble is why an object is not available.
type trouble struct{ kind, key, text string }

func troubles(r objects.Reader) []trouble {
	var list []trouble
	for _, kind := range append(slices.Clone(order), "machines") {
		for e := range r.All(kind) {
			for _, text := range e.Object.Base().Errors {
				list = append(list, trouble{kind, e.Object.Key(), text})
			}
		}
	}
	return list
}

// newTroubles are those that were not there before.
func newTroubles(before, after []trouble) []string {
	old := map[trouble]bool{}
	for _, t := range before {
		old[t] = true
	}
	fresh := []string{}
	for _, t := range after {
		if !old[t] {
			fresh = append(fresh, t.text)
		}
	}
	return fresh
}
