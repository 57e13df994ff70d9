package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Probe makes a write that means nothing durable. When it returns nil there was room and the
// disk worked, so that commits may be tried again.
func (e *Engine) Probe(ctx context.Context) error {
	if err := e.acquire(ctx); err != nil {
		return err
	}
	defer e.release()
	if err := e.writer.probe(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("probe %s: %w", e.path, err)
	}
	return nil
}

// probe writes a number that SQLite keeps for applications, and that this one has no use for. It
// must change: what stays the same is not written.
func (w *writer) probe(ctx context.Context) error {
	var n uint16
	if err := w.conn.QueryRowContext(ctx, "PRAGMA user_version").Scan(&n); err != nil {
		return err
	}
	_, err := w.conn.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", n+1))
	return err
}

// Sizes is how large the database and its write-ahead log are, in bytes.
func (e *Engine) Sizes() (database, log int64, err error) {
	size := func(path string) int64 {
		st, serr := os.Stat(path)
		if serr != nil {
			if !errors.Is(serr, fs.ErrNotExist) {
				err = serr
			}
			return 0
		}
		return st.Size()
	}
	return size(e.path), size(e.path + "-wal"), err
}
