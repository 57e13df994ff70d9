package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
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
	p.StringVar(&k.file, "key", "", "file to save the key in that opens the secure params of the pack")
}

func (k *keyFlag) toRead(p *pflag.FlagSet) {
	p.StringVar(&k.file, "key", "", "file of the key that opens the secure params of the pack")
}

// sealPack seals the values of secure params that stand in clear, with a new key, and saves that. A
// pack without any needs no key. It tells whether there were any.
func (a *app) sealPack(ctx context.Context, c *models.Content, k keyFlag) (bool, error) {
	secure, err := a.secureNames(ctx, c)
	if err != nil {
		return false, err
	}
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
	public, private, err := box.GenerateKey(rand.Reader)
	if err != nil {
		return false, fmt.Errorf("seal the secure params: %w", err)
	}
	err = eachValue(c, func(name string, value json.RawMessage) (json.RawMessage, error) {
		if !inClear(name, value) {
			return value, nil
		}
		return seal(public[:], value)
	})
	if err != nil {
		return false, err
	}
	return true, os.WriteFile(k.file, must(packKey{public[:], private[:]}), 0o600)
}

// openPack opens the values that are sealed with a key; without one the pack stays as it is.
func openPack(c *models.Content, k keyFlag) error {
	if k.file == "" {
		return nil
	}
	raw, err := os.ReadFile(k.file)
	if err != nil {
		return fmt.Errorf("--key: %w", err)
	}
	var key packKey
	if json.Unmarshal(raw, &key) != nil || len(key.Private) != models.SecureKeyLen {
		return fmt.Errorf("--key %s: it holds no key of a pack", k.file)
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

// secureNames are the params that are secure, by the pack itself and by the server.
func (a *app) secureNames(ctx context.Context, c *models.Content) (map[string]bool, error) {
	secure, others := map[string]bool{}, false
	for name, raw := range c.Sections["params"] {
		var p models.Param
		if err := json.Unmarshal(raw, &p); err != nil {
			return nil, err
		}
		secure[name] = p.Secure
	}
	err := eachValue(c, func(name string, value json.RawMessage) (json.RawMessage, error) {
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
