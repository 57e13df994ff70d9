package params

import (
	"encoding/json"

	"drp/models"
	"drp/server/objects"
)

// Origins tells of every param that has a value for an object, by default too, where that comes
// from and what it overrides. The values are those of Effective.
func Origins(r objects.Reader, o models.Object) map[string]models.EffectiveParam {
	found := map[string][]models.ParamOrigin{}
	if h, ok := o.(models.ParamHolder); ok {
		for l := range levels(r, h) {
			for k, v := range l.params {
				found[k] = append(found[k], l.tell(r, k, v))
			}
		}
		for p := range objects.All[*models.Param](r) {
			found[p.Name] = append(found[p.Name], byDefault(p)...)
		}
	}
	all := make(map[string]models.EffectiveParam, len(found))
	for k, f := range found {
		if len(f) > 0 {
			all[k] = models.EffectiveParam{ParamOrigin: f[0], Overrides: f[1:]}
		}
	}
	return all
}

// OriginsOf is what Origins tells of one param; false when it has no value.
func OriginsOf(r objects.Reader, o models.Object, key string) (models.EffectiveParam, bool) {
	h, ok := o.(models.ParamHolder)
	if !ok {
		return models.EffectiveParam{}, false
	}
	var found []models.ParamOrigin
	for l := range levels(r, h) {
		if v, ok := l.params[key]; ok {
			found = append(found, l.tell(r, key, v))
		}
	}
	if p, ok := objects.Get[*models.Param](r, key); ok {
		found = append(found, byDefault(p)...)
	}
	if len(found) == 0 {
		return models.EffectiveParam{}, false
	}
	return models.EffectiveParam{ParamOrigin: found[0], Overrides: found[1:]}, true
}

func (l level) tell(r objects.Reader, key string, value json.RawMessage) models.ParamOrigin {
	return models.ParamOrigin{Value: reveal(r, l.origin, key, value), Kind: l.origin.Kind, Key: l.origin.Key, Via: append([]string{}, l.via...)}
}

// byDefault is the last level: the default of the Param, if it has one.
func byDefault(p *models.Param) []models.ParamOrigin {
	v, ok := p.Default()
	if !ok {
		return nil
	}
	return []models.ParamOrigin{{Value: v, Kind: p.Kind(), Key: p.Name, Via: []string{}}}
}
