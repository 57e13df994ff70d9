package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

const records = "/api/collections/objects/records"

// pocketbase is PocketBase under measurement: over the same SQLite, each commit synced, no log of
// requests. It speaks plain HTTP and asks for no token, which both is in its favour.
type pocketbase struct {
	process
	addr  string
	conns []*lean
}

func startPocketBase(ctx context.Context, bin, dir string) (*pocketbase, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	b := &pocketbase{addr: loopback(port)}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	b.process, err = launch(ctx, "pocketbase", dir, filepath.Join(bin, "bench-pocketbase"), "serve", "--http", b.addr, "--dir", filepath.Join(dir, "data"))
	if err != nil {
		return nil, err
	}
	_, err = b.ready(time.Now(), 20*time.Second, func() error {
		c, err := b.dial()
		if err != nil {
			return err
		}
		defer c.close()
		return call(c, "GET", records, nil, nil, 200)
	})
	if err != nil {
		return nil, errors.Join(err, b.process.halt())
	}
	return b, nil
}

func (b *pocketbase) stop() error {
	for _, c := range b.conns {
		c.close()
	}
	return b.process.halt()
}

func (b *pocketbase) dial() (*lean, error) { return dial(b.addr, nil, "") }

func (b *pocketbase) clients(n int) ([]*lean, error) { return keep(&b.conns, n, b.dial) }

// recordID is the id of the i-th record of a set; PocketBase wants 15 characters.
func recordID(set string, i int) string { return fmt.Sprintf("%s%0*d", set, 15-len(set), i) }
