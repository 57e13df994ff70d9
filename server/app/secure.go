package app

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"drp/models"
	"drp/server/keyring"
	"drp/server/params"
)

// KeyFile is the file of the keys that secrets are sealed with.
func (c Config) KeyFile() string {
	if c.SecretKey != "" {
		return c.SecretKey
	}
	return filepath.Join(c.BaseRoot, keyring.FileName)
}

// secrets are the secure params of a server and the keys that they need.
type secrets struct {
	ring   *keyring.Ring
	vault  *params.Vault
	rotate chan struct{} // holds a value when there may be a new key
}

// unlock makes sure that the keys are those of the data. Where there is nothing sealed yet, it makes
// them.
func (a *App) unlock(ctx context.Context) error {
	ring, file := a.secrets.ring, a.cfg.KeyFile()
	if n := a.objects.View().Len("key_pairs"); ring.Empty() && n > 0 {
		return fmt.Errorf("%s is missing, with which the secure params of %d objects are sealed: put it back in place from where a copy of it is kept "+
			"(or name it with --secret-key); nothing has been changed", file, n)
	}
	if ring.Empty() {
		if err := ring.Create(); err != nil {
			return fmt.Errorf("--secret-key: %w", err)
		}
	}
	if err := a.secrets.vault.Check(); err != nil {
		return fmt.Errorf("%s is not the file of this data: %w; put the right one in place (or name it with --secret-key); nothing has been changed", file, err)
	}
	if st, err := os.Stat(file); err == nil && st.Mode().Perm()&0o077 != 0 {
		a.log.Warn("others than the server's user may read its keys: chmod 600", "file", file, "mode", st.Mode().Perm())
	}
	return a.secrets.vault.Start(ctx)
}

// readKeys reads the keys again; what older ones have sealed is then sealed anew.
func (a *App) readKeys() error {
	if err := a.secrets.ring.Reload(); err != nil {
		return err
	}
	select {
	case a.secrets.rotate <- struct{}{}:
	default: // it is on its way
	}
	return nil
}

// rewrap keeps what is sealed sealed with the newest key. It goes on with what an earlier process
// has left.
func (a *App) rewrap(ctx context.Context) {
	for {
		n, err := a.secrets.vault.Rewrap(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			a.log.Error("sealing with the new key has stopped: it goes on at the next start or SIGHUP; the older keys are still needed", "sealed", n, "error", err)
		case n > 0:
			a.log.Info("sealed with the new key", "key-pairs", n, "key", a.secrets.ring.Newest())
		}
		select {
		case <-a.secrets.rotate:
		case <-ctx.Done():
			return
		}
	}
}

// clear is what an object has for params, the secure ones in clear.
func (a *App) clear(h models.ParamHolder) models.Params {
	return params.Own(a.secrets.vault.Reader(a.objects.View()), h)
}
