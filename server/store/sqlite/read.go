package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"

	"drp/server/store"
)

// Load yields every record of one snapshot; see store.Engine. Commits go on meanwhile.
func (e *Engine) Load(ctx context.Context, fn func(store.Record) error) (uint64, error) {
	var rev uint64
	var stop error // what fn said
	err := e.snapshotIn(ctx, e.levelled, func(ctx context.Context, tx *sql.Tx) (err error) {
		if rev, _, err = newest(ctx, tx); err != nil {
			return err
		}
		e.raise(rev)
		const records = `SELECT kind, id, rev, raw FROM records ORDER BY kind, id`
		return e.each(ctx, tx, records, nil, func(scan func(...any) error) (bool, error) {
			r := store.Record{}
			if err := scan(&r.Kind, &r.ID, &r.Rev, &r.Raw); err != nil {
				return false, err
			}
			if r.Raw == nil {
				r.Raw = []byte{}
			}
			stop = fn(r)
			return stop == nil, nil
		})
	})
	switch {
	case stop != nil:
		return 0, stop
	case err != nil:
		return 0, e.reason(ctx, "load", err)
	}
	return rev, nil
}

// raise notes that a revision is durable: SQLite shows one only after its flush, but then shows it
// before the commit has returned, and whoever has loaded it must find it in History.
func (e *Engine) raise(rev uint64) {
	for {
		known := e.newest.Load()
		if rev <= known || e.newest.CompareAndSwap(known, rev) {
			return
		}
	}
}

// Backup writes a consistent copy to a new file, private to its owner, which Open can open. The
// copy is durable when it returns; when it fails there is no file.
func (e *Engine) Backup(ctx context.Context, path string) error {
	if err := e.usable(ctx); err != nil {
		return err
	}
	if err := e.backup(ctx, path); err != nil {
		return e.reason(ctx, "backup to "+path, err)
	}
	return nil
}

func (e *Engine) backup(ctx context.Context, path string) error {
	if err := e.levelled(ctx, func() error { return nil }); err != nil {
		return err
	}
	within, cancel := e.within(ctx)
	defer cancel()
	return copyTo(within, e.readers, e.files, path)
}

// execer is a database, or a connection to one.
type execer interface {
	ExecContext(ctx context.Context, stmt string, args ...any) (sql.Result, error)
}

// copyTo copies beside the name and renames, so that a half copy never has it.
func copyTo(ctx context.Context, db execer, sys files, path string) (err error) {
	switch _, err := os.Lstat(path); {
	case err == nil:
		return &fs.PathError{Op: "copy to", Path: path, Err: fs.ErrExist}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	part := fmt.Sprintf("%s.part-%d", path, rand.Uint64())
	f, err := sys.OpenFile(part, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	defer func() {
		if err != nil {
			_ = sys.Remove(part) // err has told what the trouble is
		}
	}()
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", part); err != nil {
		return err
	}
	if err := sys.Sync(f); err != nil { // VACUUM INTO leaves that to its caller
		return err
	}
	if err := sys.Rename(part, path); err != nil {
		return err
	}
	if err := syncDir(sys, path); err != nil {
		_ = sys.Remove(path)
		return err
	}
	return nil
}

// snapshot calls fn with a transaction that sees one state of the store. It ends early when the
// engine closes.
func (e *Engine) snapshot(ctx context.Context, fn func(context.Context, *sql.Tx) error) error {
	return e.snapshotIn(ctx, func(_ context.Context, begin func() error) error { return begin() }, fn)
}

// snapshotIn is snapshot, where the state is that of the moment at which around calls begin.
func (e *Engine) snapshotIn(ctx context.Context, around func(ctx context.Context, begin func() error) error, fn func(context.Context, *sql.Tx) error) error {
	if err := e.usable(ctx); err != nil {
		return err
	}
	within, cancel := e.within(ctx)
	defer cancel()
	var tx *sql.Tx
	err := around(ctx, func() (err error) {
		if tx, err = e.readers.BeginTx(within, &sql.TxOptions{ReadOnly: true}); err != nil {
			return err
		}
		var one int
		return tx.QueryRowContext(within, `SELECT one FROM retention`).Scan(&one) // the state is that of the first read
	})
	if tx != nil {
		// There is nothing to undo; it fails only where the end of the context came first.
		defer func() { _ = tx.Rollback() }()
	}
	if err != nil {
		return err
	}
	return fn(within, tx)
}

// within is a context that ends with the engine too.
func (e *Engine) within(ctx context.Context) (context.Context, context.CancelFunc) {
	within, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(e.closing, cancel)
	return within, func() { stop(); cancel() }
}

// reason says why a read ended: the caller no longer wants it, the engine closes, or err.
func (e *Engine) reason(ctx context.Context, doing string, err error) error {
	switch {
	case errors.Is(err, store.ErrCompacted):
		return err
	case ctx.Err() != nil:
		err = ctx.Err()
	case e.closing.Err() != nil:
		err = store.ErrClosed
	}
	return fmt.Errorf("%s of %s: %w", doing, e.path, err)
}

// newest tells the revision of a snapshot and that up to which its history is gone.
func newest(ctx context.Context, tx *sql.Tx) (rev, compacted uint64, err error) {
	err = tx.QueryRowContext(ctx, newestSQL).Scan(&rev, &compacted)
	return rev, compacted, err
}

// each calls fn for every row, until fn no longer wants more or the caller or the engine ends.
func (e *Engine) each(ctx context.Context, tx *sql.Tx, query string, args []any, fn func(scan func(...any) error) (bool, error)) error {
	rows, err := tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := e.usable(ctx); err != nil {
			return err
		}
		if more, err := fn(rows.Scan); err != nil || !more {
			return err
		}
	}
	return rows.Err()
}
