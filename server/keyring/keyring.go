// Package keyring keeps the keys of a server that its secrets are sealed with before they are
// stored. They lie in a file of their own: a copy of the data without it tells nothing.
//
// Keys are only ever added. The last one of the file seals, the others open what was sealed
// before; so there is no moment, and no older backup, at which a key that is needed is gone.
package keyring

import (
	"bytes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"golang.org/x/crypto/chacha20poly1305"
)

// FileName is what the file is called in the folder of the data.
const FileName = "secret.key"

// Ring is the keys of one file. It is safe for concurrent use.
type Ring struct {
	path string
	keys atomic.Pointer[[]key]
}

type key struct {
	id   string
	aead cipher.AEAD
}

// Open reads the keys of a file. One that is not there is an empty ring, which Create fills.
func Open(path string) (*Ring, error) {
	r := &Ring{path: path}
	keys, _, err := read(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	r.keys.Store(&keys)
	return r, err
}

// Path is the file.
func (r *Ring) Path() string { return r.path }

// Empty tells whether there is no key yet.
func (r *Ring) Empty() bool { return len(*r.keys.Load()) == 0 }

// Create makes the file with a first key, readable by its owner only. It never replaces one.
func (r *Ring) Create() error {
	if _, err := Rotate(r.path); err != nil {
		return err
	}
	return r.Reload()
}

// Reload reads the file again. One that lacks a key that was there before is refused, and the ring
// stays as it was.
func (r *Ring) Reload() error {
	keys, _, err := read(r.path)
	if err != nil {
		return err
	}
	for _, k := range *r.keys.Load() {
		if find(keys, k.id) == nil {
			return fmt.Errorf("%s no longer holds the key %s, which the data needs: keys are only added", r.path, k.id)
		}
	}
	r.keys.Store(&keys)
	return nil
}

// Newest is the name of the key that seals; "" in an empty ring.
func (r *Ring) Newest() string {
	keys := *r.keys.Load()
	if len(keys) == 0 {
		return ""
	}
	return keys[len(keys)-1].id
}

// Has tells whether the ring holds a key.
func (r *Ring) Has(id string) bool { return find(*r.keys.Load(), id) != nil }

// Seal seals a secret with the newest key, and names that. About is what the secret belongs to: it
// opens for nothing else.
func (r *Ring) Seal(about string, secret []byte) (id string, sealed []byte, err error) {
	keys := *r.keys.Load()
	if len(keys) == 0 {
		return "", nil, fmt.Errorf("there is no key in %s", r.path)
	}
	k := keys[len(keys)-1]
	sealed = make([]byte, chacha20poly1305.NonceSizeX, chacha20poly1305.NonceSizeX+len(secret)+chacha20poly1305.Overhead)
	if _, err := rand.Read(sealed); err != nil {
		return "", nil, err
	}
	return k.id, k.aead.Seal(sealed, sealed, secret, []byte(about)), nil
}

// Open opens what Seal has sealed.
func (r *Ring) Open(about, id string, sealed []byte) ([]byte, error) {
	k := find(*r.keys.Load(), id)
	switch {
	case k == nil:
		return nil, fmt.Errorf("the key %s is not in %s", id, r.path)
	case len(sealed) < chacha20poly1305.NonceSizeX:
		return nil, fmt.Errorf("the secret of %s is damaged", about)
	}
	n := chacha20poly1305.NonceSizeX
	secret, err := k.aead.Open(nil, sealed[:n], sealed[n:], []byte(about))
	if err != nil {
		return nil, fmt.Errorf("the secret of %s is damaged", about)
	}
	return secret, nil
}

func find(keys []key, id string) *key {
	for i := range keys {
		if keys[i].id == id {
			return &keys[i]
		}
	}
	return nil
}

const heading = `# Keys that drp-server seals the secrets of secure params with: the last one seals, the others open
# what is older. Without this file no secure param can be read again. Add keys with
# "drp-server rotate-key", remove none, and keep a copy apart from the backups.
`

// Rotate adds a new key to a file, which then seals; where there is no file it makes one. The file
// is replaced as a whole: whenever the process ends, all keys of before are there.
func Rotate(path string) (id string, err error) {
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	defer dir.Close()
	// Two at a time would each leave out the other's key. The lock ends with the process.
	if err := syscall.Flock(int(dir.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("lock %s: %w", dir.Name(), err)
	}
	_, text, err := read(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		text = []byte(heading)
	case err != nil:
		return "", err
	}
	var secret [chacha20poly1305.KeySize]byte
	if _, err := rand.Read(secret[:]); err != nil {
		return "", err
	}
	if !bytes.HasSuffix(text, []byte("\n")) {
		text = append(text, '\n')
	}
	text = append(text, base64.StdEncoding.EncodeToString(secret[:])+"\n"...)
	if err := replace(path, text); err != nil {
		return "", err
	}
	return name(secret[:]), dir.Sync()
}

// replace puts a file in place that is on the disk before it has its name.
func replace(path string, text []byte) error {
	next := path + ".new" // what an earlier try left there is of no use
	if err := os.Remove(next); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(next, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(next, path)
}

// read reads a file of keys; an error never tells what stands in it.
func read(path string) (keys []key, text []byte, err error) {
	if text, err = os.ReadFile(path); err != nil {
		return nil, nil, err
	}
	for i, line := range strings.Split(string(text), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		secret, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(secret) != chacha20poly1305.KeySize {
			return nil, nil, fmt.Errorf("%s, line %d: this is no key (32 bytes as base64)", path, i+1)
		}
		aead, err := chacha20poly1305.NewX(secret)
		if err != nil {
			return nil, nil, err
		}
		keys = append(keys, key{name(secret), aead})
	}
	if len(keys) == 0 {
		return nil, nil, fmt.Errorf("%s holds no key", path)
	}
	return keys, text, nil
}

// name tells keys apart, and tells nothing of them.
func name(secret []byte) string {
	sum := sha256.Sum256(append([]byte("drp key name\x00"), secret...))
	return hex.EncodeToString(sum[:6])
}
