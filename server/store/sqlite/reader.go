package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"strconv"
	"strings"

	"drp/migrations"
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
	path    string
	db      *sql.DB
	conn    *sql.Conn // in a transaction
	advance Advance

	Rev       uint64 // of the store
	Compacted uint64 // history up to and including it is no longer kept
}

// OpenReader opens the database at path, which must be there; it may be of an older drp.
func OpenReader(ctx context.Context, path string, advance Advance) (*Reader, error) {
	r, err := openReader(ctx, path, advance)
	if err != nil {
		return nil, fmt.Errorf("read store %s: %w", path, err)
	}
	return r, nil
}

func openReader(ctx context.Context, path string, advance Advance) (_ *Reader, err error) {
	if path, err = resolve(path); err != nil {
		return nil, err
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"mode": {"ro"}, "_pragma": {"busy_timeout(10000)"}}.Encode()}
	r := &Reader{path: path, advance: advance}
	if r.db, err = sql.Open("sqlite", dsn.String()); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			r.Close()
		}
	}()
	r.db.SetMaxOpenConns(1)
	if r.conn, err = r.db.Conn(context.WithoutCancel(ctx)); err != nil {
		return nil, err
	}
	if _, err := r.conn.ExecContext(ctx, "BEGIN"); err != nil {
		return nil, err
	}
	// The first read is what fixes the state.
	if err := r.conn.QueryRowContext(ctx, newestSQL).Scan(&r.Rev, &r.Compacted); err != nil {
		return nil, err
	}
	return r, r.known(ctx)
}

// known refuses a database that a newer drp has changed.
func (r *Reader) known(ctx context.Context) error {
	var have int
	if err := r.conn.QueryRowContext(ctx, `SELECT coalesce(max(version_id), 0) FROM goose_db_version WHERE is_applied`).Scan(&have); err != nil {
		return err
	}
	all, err := fs.Glob(migrations.FS, "*.sql") // sorted
	if err != nil {
		return err
	}
	number, _, _ := strings.Cut(all[len(all)-1], "_")
	last, err := strconv.Atoi(number)
	if err == nil && have > last {
		err = fmt.Errorf("a newer drp has changed the database: it has version %d, this drp knows up to %d", have, last)
	}
	return err
}

// Close ends the Reader.
func (r *Reader) Close() error {
	if r.conn != nil {
		r.conn.Close()
	}
	return r.db.Close()
}

// Copy writes a consistent copy of a database, in use or not, to a new file, as Engine.Backup does.
// The copy may be of a newer state than that of any Reader.
func Copy(ctx context.Context, from, to string) error {
	r, err := OpenReader(ctx, from, nil)
	if err != nil {
		return err
	}
	defer r.Close()
	if _, err := r.conn.ExecContext(ctx, "ROLLBACK"); err != nil { // VACUUM takes no part in a transaction
		return err
	}
	if err := copyTo(ctx, r.conn, system{}, to); err != nil {
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

// Records yields every record, as new as the state is: those that are late on the disk are made
// again from history, as an Engine does.
func (r *Reader) Records(ctx context.Context, fn func(store.Record) error) error {
	newer, err := r.late(ctx)
	if err != nil {
		return err
	}
	err = r.each(ctx, `SELECT kind, id, rev, raw FROM records ORDER BY kind, id`, func(scan func(...any) error) error {
		var c store.Record
		if err := scan(&c.Kind, &c.ID, &c.Rev, &c.Raw); err != nil {
			return err
		}
		if _, ok := newer[c.Key]; ok {
			return nil
		}
		return fn(c)
	})
	if err != nil {
		return err
	}
	for k, l := range newer {
		if l.raw == nil {
			continue
		}
		if err := fn(store.Record{Key: k, Rev: l.rev, Raw: l.raw}); err != nil {
			return err
		}
	}
	return nil
}

// late are the records that are newer than those on the disk.
func (r *Reader) late(ctx context.Context) (map[store.Key]*late, error) {
	var there int
	if err := r.conn.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema WHERE name = 'lag'`).Scan(&there); err != nil || there == 0 {
		return nil, err
	}
	var upTo uint64
	if err := r.conn.QueryRowContext(ctx, `SELECT up_to FROM lag`).Scan(&upTo); err != nil || upTo >= r.Rev {
		return nil, err
	}
	w := &writer{conn: r.conn, advance: r.advance}
	if err := w.load(ctx); err != nil {
		return nil, err
	}
	return w.lag.records, nil
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
	rows, err := r.conn.QueryContext(ctx, query, args...)
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
