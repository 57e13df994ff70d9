package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"

	"drp/cli/client"
	"drp/models"

	"github.com/spf13/pflag"
	"golang.org/x/crypto/nacl/box"
)

// packKey is what the secure params of a pack in a file are sealed with and opened: a file beside
// the pack, for those who may see them.
type packKey struct{ Public, Private []byte }

// keyFlag names the file of a packKey.
type keyFlag struct{ file string }

func (k *keyFlag) toSave(p *pflag.FlagSet) {
	p.StringVar(&k.file, "key", "", "file of the key that opens the secure params of the pack; made if it is not there")
}

func (k *keyFlag) toRead(p *pflag.FlagSet) {
	p.StringVar(&k.file, "key", "", "file of the key that opens the secure params of the pack")
}

// sealPack seals the values of secure params that stand in clear. A pack without any needs no key. It
// tells whether there were any.
func (a *app) sealPack(ctx context.Context, c *models.Content, k keyFlag) (bool, error) {
	secure, err := a.secureNames(ctx, c)
	if err != nil {
		return false, err
	}
	return k.seal(c, secure)
}

// seal seals the values of the params named, with the key in the file; where there is no file it makes
// one with a new key.
func (k *keyFlag) seal(c *models.Content, secure map[string]bool) (bool, error) {
	inClear := func(name string, value json.RawMessage) bool { return secure[name] && !models.IsSecureData(value) }
	any := false
	note := func(name string, value json.RawMessage) (json.RawMessage, error) {
		any = any || inClear(name, value)
		return value, nil
	}
	if err := eachValue(c, note); err != nil || !any {
		return false, err
	}
	if k.file == "" {
		return false, verbatim("Content has secure parameters, but cannot save key!  Use --key=path/to/keyfile.json")
	}
	key, err := k.read()
	if errors.Is(err, fs.ErrNotExist) {
		key, err = k.make()
	}
	if err != nil {
		return false, err
	}
	err = eachValue(c, func(name string, value json.RawMessage) (json.RawMessage, error) {
		if !inClear(name, value) {
			return value, nil
		}
		return seal(key.Public, value)
	})
	return err == nil, err
}

func (k *keyFlag) read() (*packKey, error) {
	raw, err := os.ReadFile(k.file)
	if err != nil {
		return nil, fmt.Errorf("--key: %w", err)
	}
	var key packKey
	if json.Unmarshal(raw, &key) != nil || len(key.Private) != models.SecureKeyLen || len(key.Public) != models.SecureKeyLen {
		return nil, fmt.Errorf("--key %s: it holds no key of a pack", k.file)
	}
	return &key, nil
}

// make saves a new key for its owner only. It never takes the place of one, which other packs need.
func (k *keyFlag) make() (*packKey, error) {
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a key: %w", err)
	}
	f, err := os.OpenFile(k.file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("--key: %w", err)
	}
	key := &packKey{public[:], private[:]}
	_, err = f.Write(must(key))
	return key, errors.Join(err, f.Sync(), f.Close())
}

// openPack opens the values that are sealed with a key; without one the pack stays as it is.
func openPack(c *models.Content, k keyFlag) error {
	if k.file == "" {
		return nil
	}
	key, err := k.read()
	if err != nil {
		return err
	}
	return eachValue(c, func(name string, value json.RawMessage) (json.RawMessage, error) {
		sealed, err := models.ReadSecureData(value)
		if sealed == nil || err != nil {
			return value, err
		}
		clear, ok := box.Open(nil, sealed.Payload, (*[models.SecureNonceLen]byte)(sealed.Nonce), (*[models.SecureKeyLen]byte)(sealed.Key), (*[models.SecureKeyLen]byte)(key.Private))
		if !ok {
			return nil, fmt.Errorf("--key %s: it does not open the param %s", k.file, name)
		}
		return clear, nil
	})
}

// ownSecure are the params that a pack declares, and whether they are secure.
func ownSecure(c *models.Content) (map[string]bool, error) {
	secure := map[string]bool{}
	for name, raw := range c.Sections["params"] {
		var p models.Param
		if err := json.Unmarshal(raw, &p); err != nil {
			return nil, err
		}
		secure[name] = p.Secure
	}
	return secure, nil
}

// secureNames are the params that are secure, by the pack itself and by the server.
func (a *app) secureNames(ctx context.Context, c *models.Content) (map[string]bool, error) {
	secure, err := ownSecure(c)
	if err != nil {
		return nil, err
	}
	others := false
	err = eachValue(c, func(name string, value json.RawMessage) (json.RawMessage, error) {
		_, declared := secure[name]
		others = others || !declared
		return value, nil
	})
	if err != nil || !others {
		return secure, err
	}
	raw, err := a.do(ctx, http.MethodGet, "params", nil, client.WithFlag("Secure", "true"))
	if refused := (*models.Error)(nil); errors.As(err, &refused) {
		return secure, nil // who may not read params has been given no values of secure ones
	}
	var list []models.Param
	if err == nil {
		err = decode(raw, &list)
	}
	for _, p := range list {
		if _, declared := secure[p.Name]; !declared {
			secure[p.Name] = true
		}
	}
	return secure, err
}

// eachValue replaces the value of each param that objects of a pack hold.
func eachValue(c *models.Content, with func(name string, value json.RawMessage) (json.RawMessage, error)) error {
	for _, kind := range sortedKeys(c.Sections) {
		info, ok := models.KindOf(kind)
		if !ok {
			continue
		}
		if _, holds := info.New().(models.ParamHolder); !holds {
			continue
		}
		for key, raw := range c.Sections[kind] {
			var doc, params map[string]json.RawMessage
			if err := json.Unmarshal(raw, &doc); err != nil {
				return err
			}
			at := "Params"
			for name := range doc {
				if strings.EqualFold(name, at) {
					at = name
				}
			}
			if json.Unmarshal(doc[at], &params) != nil || len(params) == 0 {
				continue
			}
			for name, value := range params {
				now, err := with(name, value)
				if err != nil {
					return fmt.Errorf("%s/%s: %w", kind, key, err)
				}
				params[name] = now
			}
			doc[at] = must(params)
			c.Sections[kind][key] = must(doc)
		}
	}
	return nil
}
