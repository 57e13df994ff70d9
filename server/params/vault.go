package params

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"

	"drp/models"
	"drp/models/schema"
	"drp/server/objects"

	"golang.org/x/crypto/nacl/box"
)

// Vault seals the values of secure params before they are stored, and opens them for those who may
// see them. Each object that carries params has a key pair of its own, made when it is first
// needed; the pair lies in the store beside the object, its private half sealed with a key of the
// server, and goes when the object goes.
//
// What is promised: from the moment a param is secure no value of it is stored, told in events or
// shown in history in clear. What was stored in clear before is sealed in the change that makes
// the param secure, and history no longer shows it; the rows of history on the disk keep it until
// they are forgotten. A param that is secure no more leaves its values sealed until they are set
// anew.
type Vault struct {
	// Keys are those of the server. Without them there are no secure params.
	Keys Keys

	service *objects.Service
	done    sync.Map // context of a request -> sealings
}

// Keys seal the private halves of key pairs.
type Keys interface {
	// Seal seals with the newest key, and names that.
	Seal(about string, secret []byte) (id string, sealed []byte, err error)
	Open(about, id string, sealed []byte) ([]byte, error)
	Newest() string
	Has(id string) bool
}

// Reader is a state in which secure params stand in clear: what Effective, Aggregate, Compose and
// Own find there is opened with the key of the object it comes from.
func (v *Vault) Reader(r objects.Reader) objects.Reader { return &opened{r, v} }

// Masked is a state in which a word stands where secure params would.
func Masked(r objects.Reader) objects.Reader { return &opened{r, nil} }

type opened struct {
	objects.Reader
	vault *Vault // nil: masked
}

// reveal is the value that an origin has of a param, as a reader shows it. What cannot be opened is
// no secret of that origin, and stays as it is; so does what stands in a param that never was secure,
// lest somebody who sees only what is sealed copies it to where a template shows it to everybody.
func reveal(r objects.Reader, from Origin, param string, value json.RawMessage) json.RawMessage {
	o, ok := r.(*opened)
	if !ok {
		return value
	}
	if _, secret := o.Get("secure_names", param); !secret {
		return value
	}
	if o.vault == nil {
		return json.RawMessage(masked)
	}
	if data, err := models.ReadSecureData(value); data != nil && err == nil {
		if plain, err := o.vault.open(o.Reader, from.Kind, from.Key, data); err == nil {
			return plain
		}
	}
	return value
}

const masked = `"` + models.Hidden + `"`

// unreadable tells whether a value is a secret that the reader does not show.
func unreadable(value json.RawMessage) bool {
	return models.IsSecureData(value) || string(value) == masked
}

// Own is an object's own params as a reader shows them.
func Own(r objects.Reader, h models.ParamHolder) models.Params {
	m := *h.ParamMap()
	if _, ok := r.(*opened); !ok {
		return m
	}
	out := make(models.Params, len(m))
	for k, value := range m {
		out[k] = reveal(r, Origin{h.Kind(), h.Key()}, k, value)
	}
	return out
}

// OwnValue is an object's own value of one param as a reader shows it.
func OwnValue(r objects.Reader, h models.ParamHolder, key string) (json.RawMessage, bool) {
	value, ok := (*h.ParamMap())[key]
	return reveal(r, Origin{h.Kind(), h.Key()}, key, value), ok
}

// PublicKey is what values for an object are sealed with; who asks must have made sure that he may.
// The pair is made where there is none yet.
func (v *Vault) PublicKey(ctx context.Context, h models.ParamHolder) ([]byte, error) {
	name := models.KeyPairName(h.Kind(), h.Key())
	if p, ok := objects.Get[*models.KeyPair](v.service.View(), name); ok {
		return p.Public, nil
	}
	var public []byte
	_, err := v.service.Do(ctx, false, func(tx *objects.Tx) error {
		if _, ok := tx.Get(h.Kind(), h.Key()); !ok {
			return models.MissingError(h.Kind(), h.Key())
		}
		p, err := v.pair(tx, h)
		if err == nil {
			public = p.Public
		}
		return err
	})
	return public, err
}

// pair is the key pair of an object, made where there is none.
func (v *Vault) pair(tx *objects.Tx, o models.Object) (*models.KeyPair, error) {
	name := models.KeyPairName(o.Kind(), o.Key())
	if p, ok := objects.Get[*models.KeyPair](tx, name); ok {
		return p, nil
	}
	if v.Keys == nil {
		return nil, models.Errorf(models.Internal, o, "this server has no key to keep secure params with")
	}
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("key pair of %s: %w", name, err)
	}
	id, sealed, err := v.Keys.Seal(name, private[:])
	if err != nil {
		return nil, fmt.Errorf("key pair of %s: %w", name, err)
	}
	p := &models.KeyPair{Name: name, Public: public[:], Private: sealed, Seal: id}
	return p, tx.Create(p)
}

// seal makes SecureData of a value.
func (v *Vault) seal(tx *objects.Tx, o models.Object, plain json.RawMessage) (json.RawMessage, error) {
	p, err := v.pair(tx, o)
	if err != nil {
		return nil, err
	}
	sender, secret, err := box.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	var nonce [models.SecureNonceLen]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, err
	}
	payload := box.Seal(nil, plain, &nonce, (*[models.SecureKeyLen]byte)(p.Public), secret)
	return models.Marshal(models.SecureData{Key: sender[:], Nonce: nonce[:], Payload: payload})
}

var errForeign = errors.New("it is not sealed for this object")

// open is the JSON that SecureData of an object holds, in its compact form.
func (v *Vault) open(r objects.Reader, kind, key string, data *models.SecureData) (json.RawMessage, error) {
	name := models.KeyPairName(kind, key)
	p, ok := objects.Get[*models.KeyPair](r, name)
	if !ok || v.Keys == nil {
		return nil, errForeign
	}
	private, err := v.Keys.Open(name, p.Seal, p.Private)
	if err != nil {
		return nil, err
	}
	plain, ok := box.Open(nil, data.Payload, (*[models.SecureNonceLen]byte)(data.Nonce), (*[models.SecureKeyLen]byte)(data.Key), (*[models.SecureKeyLen]byte)(private))
	if !ok {
		return nil, errForeign
	}
	var b bytes.Buffer
	if json.Compact(&b, plain) != nil {
		return nil, errors.New("what it holds is no JSON")
	}
	return b.Bytes(), nil
}

// settle is the form in which a new value of a secure param is stored; bad says what is wrong with
// it, and tells nothing of a value.
func (v *Vault) settle(tx *objects.Tx, s *schema.Cache, h models.Object, p *models.Param, was, is json.RawMessage) (sealed json.RawMessage, bad string, err error) {
	if v.sealedBy(tx.Ctx, h, p.Name, is) {
		return is, "", nil
	}
	data, err := models.ReadSecureData(is)
	if err != nil {
		return nil, fmt.Sprintf("Key '%s': invalid SecureData: %v", p.Name, err), nil
	}
	plain := is
	if data != nil {
		if plain, err = v.open(tx, h.Kind(), h.Key(), data); err != nil {
			return nil, fmt.Sprintf("Key '%s': invalid SecureData: %v; seal the value with the key that GET /%s/%s/pubkey answers", p.Name, err, h.Kind(), h.Key()), nil
		}
	}
	before := v.before(tx, h, p.Name, was)
	// Who may not see the value must not learn either, from what stays as it is, that he has guessed it.
	same := before != nil && tx.Actor.May(h.Kind(), "getSecure", objects.AuthKey(h)) && sameJSON(before, plain)
	if !same {
		if bad := secretly(s, p, plain); bad != "" {
			return nil, bad, nil
		}
	}
	switch {
	case data != nil: // without what else may have stood between its members
		sealed, err = models.Marshal(data)
	case same && models.IsSecureData(was):
		sealed = was
	default:
		sealed, err = v.seal(tx, h, plain)
	}
	return sealed, "", err
}

// before is in clear what an object had; nil: nothing, or nothing that can be told.
func (v *Vault) before(tx *objects.Tx, h models.Object, param string, was json.RawMessage) json.RawMessage {
	if was == nil {
		return nil
	}
	return reveal(&opened{tx, v}, Origin{h.Kind(), h.Key()}, param, was)
}

func sameJSON(a, b json.RawMessage) bool {
	var x, y bytes.Buffer
	return json.Compact(&x, a) == nil && json.Compact(&y, b) == nil && bytes.Equal(x.Bytes(), y.Bytes())
}

// forget removes the key pair of an object that is removed.
func (v *Vault) forget(tx *objects.Tx, o models.Object) error {
	name := models.KeyPairName(o.Kind(), o.Key())
	if _, ok := tx.Get("key_pairs", name); !ok {
		return nil
	}
	return tx.Delete("key_pairs", name)
}

// secure notes that a param is secure, and seals what objects hold of it in clear.
func (v *Vault) secure(tx *objects.Tx, p *models.Param) error {
	if _, ok := tx.Get("secure_names", p.Name); !ok {
		if err := tx.Create(&models.SecureName{Name: p.Name}); err != nil {
			return err
		}
	}
	m := v.remember(tx.Ctx)
	for _, kind := range tx.StoredKinds() {
		var clear []*objects.Entry // found before any is written
		for e := range tx.All(kind) {
			h, ok := e.Object.(models.ParamHolder)
			if !ok {
				break
			}
			value, ok := (*h.ParamMap())[p.Name]
			if ok && tx.Builtin(e) && !models.IsSecureData(value) {
				return inFile(p, h)
			}
			if ok && !tx.Builtin(e) && !v.sealed(tx, e.Object, value) {
				clear = append(clear, e)
			}
		}
		for _, e := range clear {
			o := models.CopyButParams(e.Object).(models.ParamHolder)
			all := maps.Clone(*o.ParamMap())
			var err error
			if all[p.Name], err = v.sealOnce(tx, m, o, p.Name, all[p.Name]); err != nil {
				return err
			}
			*o.ParamMap() = all
			if err := tx.Rewrite(o); err != nil {
				return err
			}
		}
	}
	return nil
}

// inFile refuses a secret that comes in clear with the server: from a file on its disk, where nobody can
// seal it.
func inFile(p *models.Param, h models.ParamHolder) error {
	return models.Errorf(models.Conflict, p, "%s/%s of %s, which lies on the disk of the server, holds a value of it in clear; take that out there, "+
		"or bring the object with a pack", h.Kind(), h.Key(), h.Base().Bundle)
}

// noneInFiles refuses the values of secure params that come in clear with the server.
func (v *Vault) noneInFiles(tx *objects.Tx) error {
	for _, kind := range tx.StoredKinds() {
		for e := range tx.All(kind) {
			h, ok := e.Object.(models.ParamHolder)
			if !ok {
				break
			}
			if len(*h.ParamMap()) == 0 || !tx.Builtin(e) {
				continue
			}
			for name, value := range *h.ParamMap() {
				if p, ok := objects.Get[*models.Param](tx, name); ok && p.Secure && !models.IsSecureData(value) {
					return inFile(p, h)
				}
			}
		}
	}
	return nil
}

// sealed tells whether a value is SecureData that is the object's own.
func (v *Vault) sealed(r objects.Reader, o models.Object, value json.RawMessage) bool {
	data, err := models.ReadSecureData(value)
	if data == nil || err != nil {
		return false
	}
	_, err = v.open(r, o.Kind(), o.Key(), data)
	return err == nil
}

// Check tells whether the server's keys open every key pair there is. Call it before anything is
// served: with other keys, nothing that is written then could be read with the right ones.
func (v *Vault) Check() error {
	missing := map[string]int{}
	for p := range objects.All[*models.KeyPair](v.service.View()) {
		if !v.Keys.Has(p.Seal) {
			missing[p.Seal]++
			continue
		}
		if _, err := v.Keys.Open(p.Name, p.Seal, p.Private); err != nil {
			return err
		}
	}
	for id, n := range missing {
		return fmt.Errorf("the private keys of %d objects are sealed with the key %s", n, id)
	}
	return nil
}

// Start seals what secure params have in clear, should there be any: a param that comes with a newer
// server is secure without anybody having made it so. What cannot be sealed, since it lies in a file
// of the server, is an error.
func (v *Vault) Start(ctx context.Context) error {
	ctx = objects.WithActor(ctx, objects.System)
	_, err := v.service.Do(ctx, false, func(tx *objects.Tx) error {
		for p := range objects.All[*models.Param](v.service.View()) {
			if _, known := tx.Get("secure_names", p.Name); !p.Secure || known {
				continue
			}
			if err := v.secure(tx, p); err != nil {
				return err
			}
		}
		return v.noneInFiles(tx)
	})
	return err
}

// perRewrap is how many key pairs are sealed anew in one change.
const perRewrap = 200

// Rewrap seals with the newest key what an older one has sealed, and tells how many key pairs that
// were. Others may write meanwhile. It may end at any time and be begun again.
func (v *Vault) Rewrap(ctx context.Context) (n int, err error) {
	ctx = objects.WithActor(ctx, objects.System)
	for {
		var old []string
		newest := v.Keys.Newest()
		for p := range objects.All[*models.KeyPair](v.service.View()) {
			if p.Seal != newest {
				if old = append(old, p.Name); len(old) == perRewrap {
					break
				}
			}
		}
		if len(old) == 0 {
			return n, nil
		}
		if _, err := v.service.Do(ctx, false, func(tx *objects.Tx) error { return v.rewrap(tx, old) }); err != nil {
			return n, err
		}
		n += len(old)
	}
}

func (v *Vault) rewrap(tx *objects.Tx, names []string) error {
	for _, name := range names {
		p, ok := objects.Get[*models.KeyPair](tx, name)
		if !ok || p.Seal == v.Keys.Newest() {
			continue
		}
		private, err := v.Keys.Open(name, p.Seal, p.Private)
		if err != nil {
			return err
		}
		p = models.Clone(p)
		if p.Seal, p.Private, err = v.Keys.Seal(name, private); err != nil {
			return err
		}
		if err := tx.Save(p); err != nil {
			return err
		}
	}
	return nil
}
