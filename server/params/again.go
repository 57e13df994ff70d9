package params

import (
	"bytes"
	"context"
	"encoding/json"

	"drp/models"
	"drp/server/objects"
)

// A param that turns secure may be set in very many objects, and the change is computed again, by the
// one writer, where others have written meanwhile. What was sealed the first time is then still good,
// so that nobody has to wait for it to be sealed again.

// sealings are what one request has sealed, by the name of the key pair and the param.
type sealings map[[2]string]fresh

type fresh struct {
	plain, sealed json.RawMessage
	pair          *models.KeyPair
}

// sealingsOf are those of a request; nil: none. They go when the request has ended.
func (v *Vault) sealingsOf(ctx context.Context) sealings {
	m, ok := v.done.Load(ctx)
	if !ok {
		return nil
	}
	return m.(sealings)
}

func (v *Vault) remember(ctx context.Context) sealings {
	if m := v.sealingsOf(ctx); m != nil {
		return m
	}
	m := sealings{}
	if ctx.Done() != nil { // else it would stay for good
		v.done.Store(ctx, m)
		context.AfterFunc(ctx, func() { v.done.Delete(ctx) })
	}
	return m
}

// sealOnce is seal, but for what the same request has sealed before.
func (v *Vault) sealOnce(tx *objects.Tx, m sealings, o models.Object, param string, plain json.RawMessage) (json.RawMessage, error) {
	name := models.KeyPairName(o.Kind(), o.Key())
	if f, ok := m[[2]string{name, param}]; ok && bytes.Equal(f.plain, plain) {
		p, there := objects.Get[*models.KeyPair](tx, name)
		if !there {
			return f.sealed, tx.Create(models.Clone(f.pair))
		}
		if bytes.Equal(p.Public, f.pair.Public) {
			return f.sealed, nil
		}
	}
	sealed, err := v.seal(tx, o, plain)
	if err != nil {
		return nil, err
	}
	p, _ := objects.Get[*models.KeyPair](tx, name)
	m[[2]string{name, param}] = fresh{plain, sealed, models.Clone(p)}
	return sealed, nil
}

// sealedBy tells whether a value is what the request itself has sealed for an object.
func (v *Vault) sealedBy(ctx context.Context, o models.Object, param string, value json.RawMessage) bool {
	f, ok := v.sealingsOf(ctx)[[2]string{models.KeyPairName(o.Kind(), o.Key()), param}]
	return ok && bytes.Equal(f.sealed, value)
}
