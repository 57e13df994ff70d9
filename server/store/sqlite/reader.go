package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"

	"drp/server/store"
)

// Lock takes the lock that an Engine holds on its database, until it is closed. The error is
// store.ErrLocked while somebody else has it. The directory must exist, the database need not.
func Lock(path string) (io.Closer, error) {
	path, err := resolve(path)
	if err != nil {
		return nil, err
	}
	return lock(path)
}

// Reader reads one state of a database and never changes it, whether an Engine of this or another
// process has it open or not: what it began with it sees to its end. Meanwhile the write-ahead
// log of a database in use cannot be reused, so do not dwell.
type Reader struct {
	path string
	db   *sql.DB
	tx   *sql.Tx

	Rev       uint64 // of the store
	Compacted uint64 // history up to and including it is no longer kept
}

// OpenReader opens the database at path, which must be there.
func OpenReader(ctx context.Context, path string) (*Reader, error) {
	r, err := openReader(ctx, path)
	if err != nil {
		return nil, fmt.Errorf("read store %s: %w", path, err)
	}
	return r, nil
}

func openReader(ctx context.Context, path string) (_ *Reader, err error) {
	if path, err = resolve(path); err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(10000)"}}.Encode()}
	r := &Reader{path: path}
	if r.db, err = sql.Open("sqlite", dsn.String()); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	r.db.SetMaxOpenConns(1)
	if r.tx, err = r.db.BeginTx(context.WithoutCancel(ctx), &sql.TxOptions{ReadOnly: true}); err != nil {
		return nil, err
	}
	// The first read is what fixes the state.
	if r.Rev, r.Compacted, err = newest(ctx, r.tx); err != nil {
		return nil, err
	}
	return r, nil
}

// Close ends the Reader.
func (r *Reader) Close() error {
	if r.tx != nil {
		_ = r.tx.Rollback() // there is nothing to undo
	}
	return r.db.Close()
}

// Copy writes a consistent copy of a database, in use or not, to a new file, as Engine.Backup does.
// The copy may be of a newer state than that of any Reader.
func Copy(ctx context.Context, from, to string) error {
	r, err := OpenReader(ctx, from)
	if err != nil {
		return err
	}
	defer r.Close()
	if err := r.tx.Rollback(); err != nil { // VACUUM takes no part in a transaction
		return err
	}
	r.tx = nil
	if err := copyTo(ctx, r.db, system{}, to); err != nil {
		return fmt.Errorf("copy %s to %s: %w", from, to, err)
	}
	return nil
}

// Damage lets SQLite check the database, and returns what it finds, a line each.
func (r *Reader) Damage(ctx context.Context) ([]string, error) {
	var found []string
	err := r.each(ctx, `PRAGMA integrity_check`, func(scan func(...any) error) error {
		var line string
		err := scan(&line)
		if err == nil && line != "ok" {
			found = append(found, line)
		}
		return err
	})
	return found, err
}

// Records yields every record, ordered by kind and then id.
func (r *Reader) Records(ctx context.Context, fn func(store.Record) error) error {
	return r.each(ctx, `SELECT kind, id, rev, raw FROM records ORDER BY kind, id`, func(scan func(...any) error) error {
		var c store.Record
		if err := scan(&c.Kind, &c.ID, &c.Rev, &c.Raw); err != nil {
			return err
		}
		return fn(c)
	})
}

// Back yields the changes of history from the newest to the oldest that is kept, as they are: what
// is missing or strange in between is told to report, and passed over.
func (r *Reader) Back(ctx context.Context, report func(rev uint64, problem string), fn func(store.Change) error) error {
	const rows = `SELECT rev, n, time, who, once, kind, id, action, prev, patch FROM history
		WHERE rev > ? ORDER BY rev DESC, n`
	var c store.Change
	next := r.Rev // the revision that should come
	gone := func(down uint64) {
		for ; next > down; next-- {
			report(next, "is missing")
		}
	}
	flush := func() error {
		if c.Rev == 0 {
			return nil
		}
		return fn(c)
	}
	err := r.each(ctx, rows, func(scan func(...any) error) error {
		var rev uint64
		var n int
		var at, who, once string
		var w store.Write
		if err := scan(&rev, &n, &at, &who, &once, &w.Kind, &w.ID, &w.Action, &w.Prev, &w.Patch); err != nil {
			return err
		}
		if rev != c.Rev {
			if err := flush(); err != nil {
				return err
			}
			gone(rev)
			next = rev - 1
			t, err := parseTime(at)
			if err != nil {
				report(rev, "has a time that cannot be read: "+at)
			}
			c = store.Change{Rev: rev, Time: t, Who: who, Once: once}
		}
		if n != len(c.Writes) {
			report(rev, fmt.Sprintf("has lost a write: number %d follows %d others", n, len(c.Writes)))
		}
		c.Writes = append(c.Writes, w)
		return nil
	}, r.Compacted)
	if err = errors.Join(err, flush()); err != nil {
		return err
	}
	gone(r.Compacted)
	return nil
}

func (r *Reader) each(ctx context.Context, query string, fn func(scan func(...any) error) error, args ...any) error {
	rows, err := r.tx.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := fn(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
