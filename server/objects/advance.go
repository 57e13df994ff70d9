package objects

import (
	"fmt"

	"drp/models"
	"drp/models/patch"
)

// Advance applies patches as history keeps them, one after the other, to the stored JSON of an
// object; nil stands for none. The answer is, byte for byte, what the store was given when the
// last of them was made. That a patch does not apply means that it belongs to another version.
func Advance(kind string, raw []byte, patches [][]byte) ([]byte, error) {
	if _, known := models.KindOf(kind); !known { // of a plugin provider, or of a later version of drp
		raw, err := advanceRaw(raw, patches)
		if err != nil || raw == nil || !isCustom(kind, raw) {
			return raw, err
		}
		o, err := models.Unmarshal(kind, raw)
		if err != nil {
			return nil, err
		}
		return models.Marshal(o)
	}
	var o models.Object
	if raw != nil {
		e, err := readEntry(kind, raw, 0)
		if err != nil {
			return nil, err
		}
		o = e.Object
	}
	for _, text := range patches {
		p, err := patch.Decode(text)
		if err != nil {
			return nil, err
		}
		if o, err = advance(kind, o, p); err != nil {
			return nil, err
		}
	}
	if o == nil {
		return nil, nil
	}
	return models.Marshal(o)
}

// advance applies one patch to an object that nobody else has; nil is none.
func advance(kind string, o models.Object, p patch.Patch) (models.Object, error) {
	if o != nil {
		part, ok, err := partOf(kind, p)
		if err != nil {
			return nil, err
		}
		if ok {
			return o, advancePart(o, part, p)
		}
	}
	doc := []byte("null")
	if o != nil {
		var err error
		if doc, err = models.Marshal(o); err != nil {
			return nil, err
		}
	}
	doc, err := p.Apply(doc)
	if err != nil || string(doc) == "null" {
		return nil, err
	}
	return models.Unmarshal(kind, doc)
}

func advancePart(o models.Object, part models.Part, p patch.Patch) error {
	doc, err := part.Marshal(o)
	if err != nil {
		return err
	}
	if doc, err = p.Apply(doc); err != nil {
		return err
	}
	if err := part.Set(o, doc); err != nil {
		return err
	}
	o.Normalize()
	return nil
}

// partOf is the part of an object of a kind that a patch names; false when that is all of it.
func partOf(kind string, p patch.Patch) (part models.Part, ok bool, err error) {
	paths := make([][]string, 0, 2*len(p))
	for _, op := range p {
		keys, err := patch.Split(op.Path)
		if err != nil {
			return part, false, err
		}
		paths = append(paths, keys)
		if op.Op == "move" || op.Op == "copy" {
			if keys, err = patch.Split(op.From); err != nil {
				return part, false, err
			}
			paths = append(paths, keys)
		}
	}
	part, ok = models.PartAt(kind, paths...)
	return part, ok, nil
}

func advanceRaw(raw []byte, patches [][]byte) ([]byte, error) {
	for i, text := range patches {
		p, err := patch.Decode(text)
		if err != nil {
			return nil, err
		}
		if raw, err = p.Apply(raw); err != nil {
			return nil, fmt.Errorf("patch %d of %d: %w", i+1, len(patches), err)
		}
	}
	if string(raw) == "null" {
		return nil, nil
	}
	return raw, nil
}
