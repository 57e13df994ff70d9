package objects

import (
	"encoding/json"
	"maps"
	"slices"

	"drp/models"

	"github.com/tidwall/btree"
)

// Plugin providers define kinds of their own. Which there are follows from the providers of a
// state; their objects stay stored when the provider goes, and show again when it returns.

// CustomKinds stands for all of them where Rules are added.
const CustomKinds = "custom kinds"

// KindOf finds a kind by its prefix, those that plugin providers define included.
func (v *View) KindOf(name string) (*models.KindInfo, bool) {
	if k, ok := models.KindOf(name); ok {
		return k, true
	}
	k, ok := v.custom[name]
	return k, ok
}

// Kinds are all kinds of the state, those that plugin providers define last.
func (v *View) Kinds() []*models.KindInfo {
	all := slices.Clone(models.Kinds)
	for _, name := range slices.Sorted(maps.Keys(v.custom)) {
		all = append(all, v.custom[name])
	}
	return all
}

// StoredKinds are the names of all kinds of which there may be objects, those too whose provider is
// not there.
func (tx *Tx) StoredKinds() []string { return tx.state.kinds.names() }

// KindOf finds a kind by its prefix, as the change began.
func (tx *Tx) KindOf(name string) (*models.KindInfo, bool) { return tx.state.KindOf(name) }

// CustomKinds are the prefixes of the kinds of plugin providers of which there are objects, or were.
func (tx *Tx) CustomKinds() []string {
	var names []string
	for _, name := range tx.state.kinds.names() {
		if _, own := models.KindOf(name); !own {
			names = append(names, name)
		}
	}
	return names
}

// defined is what the providers of a state define. Of two that define the same kind, the one whose
// name comes first is believed.
func (v *View) defined() map[string]*models.KindInfo {
	kinds := map[string]*models.KindInfo{}
	for p := range All[*models.PluginProvider](v) {
		for name, schema := range p.StoreObjects {
			if _, taken := kinds[name]; taken {
				continue
			}
			if was, ok := v.custom[name]; ok && string(was.Schema) == string(schema) {
				kinds[name] = was
			} else {
				kinds[name] = models.CustomKind(name, schema)
			}
		}
	}
	return kinds
}

// infoOf describes the kind of an object, whether or not its provider is there.
func infoOf(v *View, o models.Object) *models.KindInfo {
	if k, ok := v.KindOf(o.Kind()); ok {
		return k
	}
	return models.CustomKind(o.Kind(), json.RawMessage("{}"))
}

// problemsOf is what is wrong with an object by itself, where some kinds of plugin providers are known.
func problemsOf(o models.Object, custom func(kind string) bool) []string {
	if r, ok := o.(interface {
		ValidateAmong(func(string) bool) []string
	}); ok {
		return r.ValidateAmong(custom)
	}
	return o.Validate()
}

// isCustom tells whether a stored object of a kind that is not among the server's own is one of a
// plugin provider's, and not one that only a later server understands.
func isCustom(kind string, raw []byte) bool {
	if _, own := models.KindOf(kind); own {
		return false
	}
	var o struct{ Type, Id string }
	return json.Unmarshal(raw, &o) == nil && o.Type == kind && o.Id != ""
}

// rulesOf are the Rules for a kind.
func (s *Service) rulesOf(kind string) []Rule {
	if _, own := models.KindOf(kind); !own {
		kind = CustomKinds
	}
	return s.rules[kind]
}

// newTable is an empty table.
func newTable() *table {
	return &table{unique: map[string]*btree.Map[string, string]{}, base: map[string]*Entry{}}
}

// base is what comes with the server under a key, or nil.
func (v *View) base(kind, key string) *Entry {
	if t, ok := v.kinds.of(kind); ok {
		return t.base[key]
	}
	return nil
}

// moved counts the changes to a kind.
func (v *View) moved(kind string) uint64 {
	if t, ok := v.kinds.of(kind); ok {
		return t.moved
	}
	return 0
}
