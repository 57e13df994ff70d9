package content

import (
	"context"
	"encoding/json"
	"maps"
	"slices"

	"drp/models"
	"drp/server/objects"
)

// pluginType is that of layers that plugin providers bring along.
const pluginType = "plugin"

// LoadPlugin puts the layer of a plugin provider, a content pack as text, in the place of an earlier
// one; "" is none. Unlike other packs it may carry objects of the kinds that the provider defines.
// Also is staged in the same change; on any error nothing has changed.
func (s *Service) LoadPlugin(ctx context.Context, provider, text string, replaceWritable bool, also func(*objects.Tx) error) error {
	pack := &models.Content{}
	if text != "" {
		var err error
		if pack, err = Parse([]byte(text)); err != nil {
			return err
		}
	}
	meta := pack.Meta
	meta.Name, meta.Type, meta.Writable, meta.Overwritable = provider, pluginType, false, false
	pack.Meta = meta
	custom, err := takeCustom(pack)
	if err != nil {
		return err
	}
	list, err := decode(pack)
	if err != nil {
		return err
	}
	_, err = s.objects.Do(ctx, false, func(tx *objects.Tx) error {
		if p, ok := objects.Get[*models.Pack](tx, provider); ok && p.Type != pluginType || s.comesWithServer(provider) {
			return models.Problem(models.Conflict, "contents", provider, "Content "+provider+" already exists")
		}
		if text == "" {
			return s.unloadPlugin(tx, provider, also)
		}
		if err := s.fits(tx, meta); err != nil {
			return err
		}
		list, custom := clones(list), clones(custom)
		if err := clashes(tx, provider, slices.Concat(list, custom), replaceWritable); err != nil {
			return err
		}
		if err := uninstallCustom(tx, provider, custom); err != nil {
			return err
		}
		if err := install(tx, meta, list); err != nil {
			return err
		}
		if err := also(tx); err != nil {
			return err
		}
		return installAll(tx, custom)
	})
	return err
}

func (s *Service) unloadPlugin(tx *objects.Tx, provider string, also func(*objects.Tx) error) error {
	if _, loaded := tx.Get("contents", provider); loaded {
		now, then := s.versions(tx), s.versions(tx)
		delete(then, provider)
		if bad := deprived(tx, provider, now, then); len(bad) > 0 {
			return models.Problem(models.Invalid, "contents", provider, bad...)
		}
		if err := uninstallCustom(tx, provider, nil); err != nil {
			return err
		}
		if err := uninstall(tx, provider, nil); err != nil {
			return err
		}
		if err := tx.Uninstall("contents", provider); err != nil {
			return err
		}
	}
	return also(tx)
}

// takeCustom takes the sections out of a pack that are of no kind of the server's own.
func takeCustom(pack *models.Content) ([]models.Object, error) {
	var list []models.Object
	var bad []string
	for _, kind := range slices.Sorted(maps.Keys(pack.Sections)) {
		if _, own := models.KindOf(kind); own {
			continue
		}
		section := pack.Sections[kind]
		delete(pack.Sections, kind)
		for _, key := range slices.Sorted(maps.Keys(section)) {
			o, err := customObject(kind, key, section[key])
			if err != nil {
				bad = append(bad, itemProblem(pack.Meta.Name, kind, key, err.Error()))
				continue
			}
			b := o.Base()
			b.ReadOnly, b.Bundle, b.Endpoint = true, pack.Meta.Name, ""
			list = append(list, o)
		}
	}
	if len(bad) > 0 {
		return nil, models.Problem(models.Invalid, "contents", pack.Meta.Name, bad...)
	}
	return list, nil
}

func customObject(kind, key string, raw json.RawMessage) (models.Object, error) {
	o, err := models.Unmarshal(kind, raw)
	if err != nil {
		return nil, err
	}
	if c := o.(*models.Custom); c.Id == "" {
		c.Id = key
	}
	return o, nil
}

// installAll stages objects as they stand, the kinds of which are known by now.
func installAll(tx *objects.Tx, list []models.Object) error {
	for _, o := range list {
		if err := tx.Install(o); err != nil {
			return err
		}
	}
	return nil
}

// uninstallCustom removes the objects of a pack that are of kinds of providers, but those to keep.
func uninstallCustom(tx *objects.Tx, pack string, keep []models.Object) error {
	for _, k := range tx.CustomKinds() {
		var gone []string
		for e := range tx.All(k) {
			kept := slices.ContainsFunc(keep, func(o models.Object) bool { return o.Kind() == k && o.Key() == e.Object.Key() })
			if ofPack(e, pack) && !kept {
				gone = append(gone, e.Object.Key())
			}
		}
		for _, key := range gone {
			if err := tx.Uninstall(k, key); err != nil {
				return err
			}
		}
	}
	return nil
}
