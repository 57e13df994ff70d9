package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"drp/cli/client"
	"drp/models"
	"drp/models/patch"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/crypto/nacl/box"
)

// source are the flags that say which values of params to fetch.
type source struct{ aggregate, origins, decode, compose bool }

func (s *source) add(f *pflag.FlagSet) {
	f.BoolVar(&s.aggregate, "aggregate", false, "the value in force: also from profiles, stage, global and default")
	f.BoolVar(&s.origins, "origins", false, "the value in force, where it comes from and what it overrides")
	f.BoolVar(&s.decode, "decode", false, "show secure params in the clear")
}

func (s *source) options() []client.Option {
	var opts []client.Option
	for name, on := range map[string]bool{"aggregate": s.aggregate, "origins": s.origins, "decode": s.decode, "compose": s.compose} {
		if on {
			opts = append(opts, client.WithFlag(name, "true"))
		}
	}
	return opts
}

func (k *kind) params() *cobra.Command {
	var s source
	return k.verb(verb{
		use:   "params [id] [json]",
		short: fmt.Sprintf("Show or replace all params of a %s", k.single),
		long: fmt.Sprintf("Show the params of a %s, or replace them all by a map (JSON or YAML; text, file, URL or -).\n"+
			"With -r OLD they are replaced only if they are OLD now.", k.single),
		example: fmt.Sprintf("drp %s params %s --aggregate\ndrp %s params %s --origins -F table\ndrp %s params %s '{\"color\": \"blue\"}'", k.name, k.sample(), k.name, k.sample(), k.name, k.sample()),
		args:    between(1, 2, " requires 1 or 2 arguments"),
		flags:   s.add,
		run: func(ctx context.Context, args []string) error {
			if len(args) == 1 {
				raw, err := k.do(ctx, http.MethodGet, k.at(args[0], "params"), nil, s.options()...)
				if err == nil && s.origins {
					return k.app.printOrigins(raw)
				}
				return k.prints(raw, err)
			}
			all, err := k.app.object(ctx, args[1])
			if err != nil {
				return err
			}
			if !k.flags.refGiven {
				return k.prints(k.do(ctx, http.MethodPost, k.at(args[0], "params"), all))
			}
			old, err := k.reference(ctx)
			if err != nil {
				return err
			}
			ops, err := difference(old, must(all), true)
			if err != nil {
				return err
			}
			return k.prints(k.do(ctx, http.MethodPatch, k.at(args[0], "params"), ops))
		},
	})
}

// printOrigins prints where params come from: a table has a line for each.
func (a *app) printOrigins(raw json.RawMessage) error {
	if a.flags.format != "table" && a.flags.format != "text" || a.flags.jq != "" {
		return a.print(raw)
	}
	var all map[string]models.EffectiveParam
	if err := decode(raw, &all); err != nil {
		return err
	}
	rows := []document{}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		p := all[name]
		over := []string{}
		for _, o := range p.Overrides {
			over = append(over, origin(o)+": "+string(o.Value))
		}
		rows = append(rows, document{"Param": name, "Value": p.Value, "From": origin(p.ParamOrigin), "Overrides": strings.Join(over, "; ")})
	}
	if a.flags.fields == "" {
		a.flags.fields = "Param,Value,From,Overrides"
	}
	return a.print(rows)
}

// origin names the object that has a value, and how it comes into it.
func origin(o models.ParamOrigin) string {
	if o.Kind == "params" {
		return "default"
	}
	if len(o.Via) == 0 {
		return o.Kind + "/" + o.Key
	}
	return fmt.Sprintf("%s/%s (by %s)", o.Kind, o.Key, strings.Join(o.Via, ", "))
}

// prints prints the answer to a request that is not about objects.
func (a *app) prints(raw json.RawMessage, err error) error {
	if err != nil {
		return err
	}
	return a.print(raw)
}

func (k *kind) getParam() *cobra.Command {
	var s source
	return k.verb(verb{
		use:   "get [id] param [key]",
		short: fmt.Sprintf("Show one param of a %s", k.single),
		long: fmt.Sprintf("Show the value that a %s has for a param, null if it has none. --aggregate shows the value in\n"+
			"force; --compose merges the maps and joins the lists of all places that set it.", k.single),
		example: fmt.Sprintf("drp %s get %s param ntp-servers --aggregate", k.name, k.sample()),
		args:    all(between(3, 3, " requires 2 arguments"), word(1, "param")),
		flags: func(f *pflag.FlagSet) {
			s.add(f)
			f.BoolVar(&s.compose, "compose", false, "merge the values of all places")
		},
		run: func(ctx context.Context, args []string) error {
			return k.prints(k.do(ctx, http.MethodGet, k.at(args[0], "params", args[2]), nil, s.options()...))
		},
	})
}

func (k *kind) setParam() *cobra.Command {
	return k.verb(verb{
		use:   "set [id] param [key] to [json blob]",
		short: fmt.Sprintf("Set one param of a %s", k.single),
		long: fmt.Sprintf("Set a param of a %s to a value (JSON or YAML; text, file, URL or -) and print the value.\n"+
			"With -r OLD it is set only if it is OLD now, in one step: of several who try the same OLD, one\n"+
			"succeeds. A param that is not set is no OLD, not even null; see add.", k.single),
		example: fmt.Sprintf("drp %s set %s param cluster/leader to $UUID -r none\ndrp %s set %s param ntp-servers to '[time.example.com]'", k.name, k.sample(), k.name, k.sample()),
		args:    all(exactly(5), word(1, "param"), word(3, "to")),
		run: func(ctx context.Context, args []string) error {
			id, key := args[0], args[2]
			value, err := k.sealed(ctx, id, key, args[4])
			if err != nil {
				return err
			}
			if !k.flags.refGiven {
				_, err = k.do(ctx, http.MethodPost, k.at(id, "params", key), value)
				return k.prints(value, err)
			}
			old, err := k.reference(ctx)
			if err != nil {
				return err
			}
			_, err = k.do(ctx, http.MethodPatch, k.at(id, "params"), patch.Patch{
				{Op: "test", Path: patch.Pointer(key), Value: old},
				{Op: "replace", Path: patch.Pointer(key), Value: value},
			})
			return k.prints(value, err)
		},
	})
}

func (k *kind) addParam() *cobra.Command {
	return k.verb(verb{
		use:   "add [id] param [key] to [json blob]",
		short: fmt.Sprintf("Set a param of a %s that is not set yet", k.single),
		long: fmt.Sprintf("Add a param to a %s and print the value. It fails if the param is there already, or if any\n"+
			"param of the %s changes meanwhile. With -r MAP the params must be exactly MAP now.", k.single, k.single),
		example: fmt.Sprintf("drp %s add %s param cluster/leader to none", k.name, k.sample()),
		args:    all(exactly(5), word(1, "param"), word(3, "to")),
		run: func(ctx context.Context, args []string) error {
			id, key := args[0], args[2]
			value, err := k.sealed(ctx, id, key, args[4])
			if err != nil {
				return err
			}
			all, err := k.paramsWithout(ctx, id, key)
			if err != nil {
				return err
			}
			_, err = k.do(ctx, http.MethodPatch, k.at(id, "params"), patch.Patch{
				{Op: "test", Path: "", Value: all},
				{Op: "add", Path: patch.Pointer(key), Value: value},
			})
			return k.prints(value, err)
		},
	})
}

// paramsWithout is the map of params that a new key is added to: the reference, or the present
// one, in which the key must not be.
func (k *kind) paramsWithout(ctx context.Context, id, key string) (json.RawMessage, error) {
	if k.flags.refGiven {
		return k.reference(ctx)
	}
	raw, err := k.do(ctx, http.MethodGet, k.at(id, "params"), nil)
	if err != nil {
		return nil, err
	}
	return raw, k.absent(raw, id, key)
}

func (k *kind) absent(raw json.RawMessage, id, key string) error {
	var all map[string]json.RawMessage
	if err := decode(raw, &all); err != nil {
		return err
	}
	if _, ok := all[key]; ok {
		return verbatim("Key, %s, already present on %s %s", key, k.single, id)
	}
	return nil
}

func (k *kind) removeParam() *cobra.Command {
	return k.verb(verb{
		use:   "remove [id] param [key]",
		short: fmt.Sprintf("Remove one param of a %s", k.single),
		long: fmt.Sprintf("Remove a param of a %s and print the value it had. With -r OLD it is removed only if it is OLD\n"+
			"now, and the params that remain are printed.", k.single),
		example: fmt.Sprintf("drp %s remove %s param cluster/leader -r $UUID", k.name, k.sample()),
		args:    all(between(3, 3, " requires 2 arguments"), word(1, "param")),
		run: func(ctx context.Context, args []string) error {
			id, key := args[0], args[2]
			if !k.flags.refGiven {
				return k.prints(k.do(ctx, http.MethodDelete, k.at(id, "params", key), nil))
			}
			old, err := k.reference(ctx)
			if err != nil {
				return err
			}
			return k.prints(k.do(ctx, http.MethodPatch, k.at(id, "params"), patch.Patch{
				{Op: "test", Path: patch.Pointer(key), Value: old},
				{Op: "remove", Path: patch.Pointer(key)},
			}))
		},
	})
}

// sealed reads the value for a param. If the param is known to be secure, the value is encrypted
// for the object, so that it is never seen in the clear.
func (k *kind) sealed(ctx context.Context, id, key, arg string) (json.RawMessage, error) {
	value, err := k.value(ctx, arg)
	if err != nil {
		return nil, err
	}
	var def struct{ Secure bool }
	raw, err := k.do(ctx, http.MethodGet, "params/"+key, nil)
	if refused := (*models.Error)(nil); errors.As(err, &refused) {
		return value, nil // who may not read the definition may still set the value; the server seals it
	}
	if err == nil {
		err = decode(raw, &def)
	}
	if err != nil || !def.Secure {
		return value, err
	}
	raw, err = k.do(ctx, http.MethodGet, k.at(id, "pubkey"), nil)
	if err != nil {
		return nil, err
	}
	var public []byte
	if err := decode(raw, &public); err != nil {
		return nil, err
	}
	return seal(public, value)
}

// sealedValue is a secure value on the wire.
type sealedValue struct{ Key, Nonce, Payload []byte }

func seal(public []byte, value json.RawMessage) (json.RawMessage, error) {
	if len(public) != 32 {
		return nil, fmt.Errorf("seal a secure param: the public key has %d bytes, not 32", len(public))
	}
	ours, secret, err := box.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("seal a secure param: %w", err)
	}
	var nonce [24]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, fmt.Errorf("seal a secure param: %w", err)
	}
	payload := box.Seal(nil, value, &nonce, (*[32]byte)(public), secret)
	return must(sealedValue{Key: ours[:], Nonce: nonce[:], Payload: payload}), nil
}
