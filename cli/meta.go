package cli

import (
	"context"
	"encoding/json"
	"net/http"

	"drp/models/patch"

	"github.com/spf13/cobra"
)

// meta is the map of hints that every object carries.
func (k *kind) meta() *cobra.Command {
	c := k.showMeta()
	c.Short = "Show or change the meta map of a " + k.single
	c.Long = "Show the hints that a " + k.single + " carries for people and UIs, such as icon and color, or change one of\nthem with the commands below. The values are strings."
	c.Example = k.examples("drp " + k.name + " meta " + k.sample() + "\ndrp " + k.name + " meta set " + k.sample() + " key color to blue")
	c.AddCommand(k.getMeta(), k.setMeta(), k.addMeta(), k.removeMeta())
	return c
}

func (k *kind) showMeta() *cobra.Command {
	return k.verb(verb{
		use:     "meta [id]",
		short:   "Show the meta map of a " + k.single,
		long:    "Show the hints that a " + k.single + " carries for people and UIs, such as icon and color.",
		example: "drp " + k.name + " meta " + k.sample(),
		args:    exactly(1),
		run: func(ctx context.Context, args []string) error {
			return k.prints(k.do(ctx, http.MethodGet, k.metaAt(args[0]), nil))
		},
	})
}

func (k *kind) metaAt(id string) string { return "meta/" + k.at(id) }

// metaMap is the present map, as it came and decoded.
func (k *kind) metaMap(ctx context.Context, id string) (json.RawMessage, map[string]json.RawMessage, error) {
	raw, err := k.do(ctx, http.MethodGet, k.metaAt(id), nil)
	if err != nil {
		return nil, nil, err
	}
	var all map[string]json.RawMessage
	return raw, all, decode(raw, &all)
}

// metaValue reads a value; what is no string otherwise is taken as it was typed.
func (k *kind) metaValue(ctx context.Context, arg string) (json.RawMessage, error) {
	text, err := k.text(ctx, arg)
	if err != nil {
		return nil, err
	}
	var s string
	if raw, err := toJSON(text); err != nil || json.Unmarshal(raw, &s) != nil {
		s = string(text)
	}
	return must(s), nil
}

func (k *kind) getMeta() *cobra.Command {
	return k.verb(verb{
		use:     "get [id] key [key]",
		short:   "Show one entry",
		long:    "Show one entry of the meta map of a " + k.single + ", null if there is none.",
		example: "drp " + k.name + " meta get " + k.sample() + " key color",
		args:    all(between(3, 3, " requires 2 arguments"), word(1, "key")),
		run: func(ctx context.Context, args []string) error {
			_, all, err := k.metaMap(ctx, args[0])
			return k.prints(all[args[2]], err)
		},
	})
}

func (k *kind) setMeta() *cobra.Command {
	return k.verb(verb{
		use:     "set [id] key [key] to [val]",
		short:   "Set one entry",
		long:    "Set an entry of the meta map of a " + k.single + " and print the value. It fails if the entry changes meanwhile;\nwith -r OLD it must be OLD now.",
		example: "drp " + k.name + " meta set " + k.sample() + " key color to blue",
		args:    all(exactly(5), word(1, "key"), word(3, "to", "val")),
		run: func(ctx context.Context, args []string) error {
			id, key := args[0], args[2]
			value, err := k.metaValue(ctx, args[4])
			if err != nil {
				return err
			}
			test, err := k.metaTest(ctx, id, key)
			if err != nil {
				return err
			}
			_, err = k.do(ctx, http.MethodPatch, k.metaAt(id), patch.Patch{test, {Op: "add", Path: patch.Pointer(key), Value: value}})
			return k.prints(value, err)
		},
	})
}

// metaTest guards the change of an entry: its old value, or the whole map if it is new.
func (k *kind) metaTest(ctx context.Context, id, key string) (patch.Op, error) {
	if k.flags.refGiven {
		old, err := k.metaValue(ctx, k.flags.ref)
		return patch.Op{Op: "test", Path: patch.Pointer(key), Value: old}, err
	}
	raw, all, err := k.metaMap(ctx, id)
	if old, ok := all[key]; ok {
		return patch.Op{Op: "test", Path: patch.Pointer(key), Value: old}, err
	}
	return patch.Op{Op: "test", Path: "", Value: raw}, err
}

func (k *kind) addMeta() *cobra.Command {
	return k.verb(verb{
		use:     "add [id] key [key] val [val]",
		short:   "Add one entry",
		long:    "Add an entry to the meta map of a " + k.single + " and print the value. It fails if the entry is there already\nor the map changes meanwhile.",
		example: "drp " + k.name + " meta add " + k.sample() + " key color val blue",
		args:    all(exactly(5), word(1, "key"), word(3, "val", "to")),
		run: func(ctx context.Context, args []string) error {
			id, key := args[0], args[2]
			value, err := k.metaValue(ctx, args[4])
			if err != nil {
				return err
			}
			raw, err := k.do(ctx, http.MethodGet, k.metaAt(id), nil)
			if err != nil {
				return err
			}
			if err := k.absent(raw, id, key); err != nil {
				return err
			}
			_, err = k.do(ctx, http.MethodPatch, k.metaAt(id), patch.Patch{
				{Op: "test", Path: "", Value: raw},
				{Op: "add", Path: patch.Pointer(key), Value: value},
			})
			return k.prints(value, err)
		},
	})
}

func (k *kind) removeMeta() *cobra.Command {
	return k.verb(verb{
		use:     "remove [id] key [key]",
		short:   "Remove one entry",
		long:    "Remove an entry of the meta map of a " + k.single + "; with -r OLD only if it is OLD now.",
		example: "drp " + k.name + " meta remove " + k.sample() + " key color",
		args:    all(between(3, 3, " requires 2 arguments"), word(1, "key")),
		run: func(ctx context.Context, args []string) error {
			id, key := args[0], args[2]
			var ops patch.Patch
			if k.flags.refGiven {
				old, err := k.metaValue(ctx, k.flags.ref)
				if err != nil {
					return err
				}
				ops = append(ops, patch.Op{Op: "test", Path: patch.Pointer(key), Value: old})
			}
			_, err := k.do(ctx, http.MethodPatch, k.metaAt(id), append(ops, patch.Op{Op: "remove", Path: patch.Pointer(key)}))
			return err
		},
	})
}
