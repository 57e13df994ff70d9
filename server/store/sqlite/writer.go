package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"drp/server/store"
)

// writer is the one connection that writes, with what it knows of the disk. It is used by one
// goroutine at a time.
type writer struct {
	db   *sql.DB
	conn *sql.Conn

	insert, update, remove, log, behind *sql.Stmt
	begin, flush                        *sql.Stmt

	advance Advance
	lag     lag

	index map[store.Key]slot // every record, so that expectations are checked without the disk
	rev   uint64             // newest revision
	doubt bool               // a commit failed: the disk has to be asked again before the next
	torn  bool               // it was to write late records too
}

// slot is where a record is and at which revision.
type slot struct {
	row int64
	rev uint64
}

// final is what a batch leaves of one key.
type final struct {
	slot         // rev 0: no record
	raw   []byte // nil: no record
	maker uint64 // revision of the change that left it so
}

// timeFormat keeps nanoseconds and a year of four digits, and sorts as time does.
const timeFormat = "2006-01-02T15:04:05.000000000Z"

// newestSQL tells the revision of the store and that up to which history is gone. Compaction
// never passes the newest revision, so one of the two is it.
const newestSQL = `SELECT max(compacted, coalesce((SELECT max(rev) FROM history), 0)), compacted FROM retention`

// start takes the connection and learns what is on disk.
func (w *writer) start(ctx context.Context) (err error) {
	// Statements outlive the context that opens the engine.
	lasting := context.WithoutCancel(ctx)
	if w.conn, err = w.db.Conn(lasting); err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	if err := w.durable(lasting); err != nil {
		return err
	}
	for _, p := range []struct {
		stmt **sql.Stmt
		sql  string
	}{
		{&w.insert, `INSERT INTO records (kind, id, rev, raw) VALUES (?, ?, ?, ?)`},
		{&w.update, `UPDATE records SET rev = ?, raw = ? WHERE row = ?`},
		{&w.remove, `DELETE FROM records WHERE row = ?`},
		{&w.behind, `UPDATE lag SET up_to = ?`},
		{&w.begin, `BEGIN IMMEDIATE`},
		{&w.flush, `COMMIT`},
		{&w.log, `INSERT INTO history (rev, n, time, who, once, job, undoes, kind, id, action, prev, patch) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`},
	} {
		if *p.stmt, err = w.conn.PrepareContext(lasting, p.sql); err != nil {
			return fmt.Errorf("prepare: %w", err)
		}
	}
	return w.load(ctx)
}

// durable makes sure that SQLite took the settings that commits rely on. It takes what it can
// without an error: where a file system has no shared memory it stays without the log.
func (w *writer) durable(ctx context.Context) error {
	for _, p := range []struct{ pragma, want string }{{"journal_mode", "wal"}, {"synchronous", "2"}} {
		var got string
		if err := w.conn.QueryRowContext(ctx, "PRAGMA "+p.pragma).Scan(&got); err != nil {
			return fmt.Errorf("read %s: %w", p.pragma, err)
		}
		if got != p.want {
			return fmt.Errorf("%s is %q, not %q: does the file system lack shared memory or locks?", p.pragma, got, p.want)
		}
	}
	return nil
}

// load reads the newest revision and the index from disk.
func (w *writer) load(ctx context.Context) error {
	rev, err := w.newest(ctx)
	if err != nil {
		return err
	}
	index := map[store.Key]slot{}
	rows, err := w.conn.QueryContext(ctx, `SELECT kind, id, row, rev FROM records`)
	if err != nil {
		return fmt.Errorf("read the index: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var k store.Key
		var s slot
		if err := rows.Scan(&k.Kind, &k.ID, &s.row, &s.rev); err != nil {
			return fmt.Errorf("read the index: %w", err)
		}
		if s.rev == 0 || s.rev > rev {
			return fmt.Errorf("damaged: %s/%s is at revision %d, the store at %d", k.Kind, k.ID, s.rev, rev)
		}
		index[k] = s
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read the index: %w", err)
	}
	if err := rows.Close(); err != nil {
		return fmt.Errorf("read the index: %w", err)
	}
	l, err := w.recall(ctx, index, rev)
	if err != nil {
		return err
	}
	w.rev, w.index, w.lag, w.doubt, w.torn = rev, index, l, false, false
	return nil
}

func (w *writer) newest(ctx context.Context) (rev uint64, err error) {
	var compacted uint64
	if err := w.conn.QueryRowContext(ctx, newestSQL).Scan(&rev, &compacted); err != nil {
		return 0, fmt.Errorf("read the newest revision: %w", err)
	}
	return rev, nil
}

// settle makes sure that the writer knows what is on disk, where a failed commit left doubt.
func (w *writer) settle(ctx context.Context) error {
	if !w.doubt {
		return nil
	}
	rev, err := w.newest(ctx)
	if err != nil {
		return err
	}
	if rev != w.rev || w.torn {
		return w.load(ctx)
	}
	w.doubt = false
	return nil
}

// plan checks every expectation of a batch and returns what it leaves of each key, and the keys
// in the order they are first written.
func (w *writer) plan(batch []store.Change) (map[store.Key]*final, []store.Key, error) {
	next, order := map[store.Key]*final{}, []store.Key{}
	expect := func(k store.Key, want uint64) error {
		have := w.index[k].rev
		if f, ok := next[k]; ok {
			have = f.rev
		}
		if have != want {
			return &store.ConflictError{Key: k, Want: want, Have: have}
		}
		return nil
	}
	for i := range batch {
		c := &batch[i]
		if free := w.rev + 1 + uint64(i); c.Rev != free {
			return nil, nil, &store.ConflictError{Want: c.Rev, Have: free}
		}
		for _, r := range c.Reads {
			if err := expect(r.Key, r.Rev); err != nil {
				return nil, nil, err
			}
		}
		for j := range c.Writes {
			wr := &c.Writes[j]
			f, again := next[wr.Key]
			if again && f.maker == c.Rev {
				return nil, nil, fmt.Errorf("change %d writes %s/%s twice", c.Rev, wr.Kind, wr.ID)
			}
			if err := expect(wr.Key, wr.Prev); err != nil {
				return nil, nil, err
			}
			if !again {
				f = &final{slot: slot{row: w.index[wr.Key].row}}
				if r, ok := w.lag.records[wr.Key]; ok {
					f.row = r.row // also where the record is no longer in the index
				}
				next[wr.Key], order = f, append(order, wr.Key)
			}
			f.rev, f.raw, f.maker = c.Rev, wr.Raw, c.Rev
			if wr.Raw == nil {
				f.rev = 0
			}
		}
	}
	return next, order, nil
}

// commit carries out a batch in one transaction. After an error the writer knows what it knew
// before, and doubts it.
func (w *writer) commit(ctx context.Context, batch []store.Change) error {
	if err := w.settle(ctx); err != nil {
		return err
	}
	next, order, err := w.plan(batch)
	if err != nil {
		return err
	}
	rev, before := w.rev+uint64(len(batch)), w.lag.bytes
	for i := range batch {
		for j := range batch[i].Writes {
			w.lag.bytes += int64(len(batch[i].Writes[j].Patch))
		}
	}
	var written func()
	due := 0
	err = w.transaction(ctx, func(ctx context.Context) error {
		for i := range batch {
			if err := w.record(ctx, &batch[i]); err != nil {
				return fmt.Errorf("write history of revision %d: %w", batch[i].Rev, err)
			}
		}
		var err error
		due = w.lag.due(rev, len(batch))
		written, err = w.lag.write(ctx, w, due, w.rev)
		return err
	})
	if err != nil {
		w.doubt, w.torn = true, w.torn || due > 0
		return err
	}
	written()
	first := w.rev + 1
	w.rev = rev
	for _, k := range order {
		f := next[k]
		if r, ok := w.lag.records[k]; ok {
			f.row = r.row
		} else {
			f.row = w.index[k].row // the record may just have been written
		}
		w.lag.note(k, f, first, before)
		if f.rev == 0 {
			delete(w.index, k)
		} else {
			w.index[k] = f.slot
		}
	}
	return nil
}

// transaction makes what fn does durable, or none of it. Once it has begun, the end of ctx no
// longer stops it.
func (w *writer) transaction(ctx context.Context, fn func(context.Context) error) (err error) {
	lasting := context.WithoutCancel(ctx)
	defer func() {
		if err != nil {
			// SQLite has rolled back by itself after some errors; then this one says so.
			_, _ = w.conn.ExecContext(lasting, "ROLLBACK")
		}
	}()
	if _, err := w.begin.ExecContext(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("begin: %w", err)
	}
	if err := fn(lasting); err != nil {
		return err
	}
	if _, err := w.flush.ExecContext(lasting); err != nil {
		return fmt.Errorf("flush: %w", err)
	}
	return nil
}

// put writes what a batch leaves of one key, and notes the row of a new record.
func (w *writer) put(ctx context.Context, k store.Key, f *final) error {
	switch {
	case f.raw == nil && f.row == 0:
		return nil // made and deleted within the batch
	case f.raw == nil:
		return one(w.remove.ExecContext(ctx, f.row))
	case f.row != 0:
		return one(w.update.ExecContext(ctx, f.rev, f.raw, f.row))
	}
	done, err := w.insert.ExecContext(ctx, k.Kind, k.ID, f.rev, f.raw)
	if err != nil {
		return err
	}
	f.row, err = done.LastInsertId()
	return err
}

// one demands that exactly one row was changed.
func one(done sql.Result, err error) error {
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n != 1 {
		return errors.Join(fmt.Errorf("damaged: %d rows instead of one", n), err)
	}
	return nil
}

func (w *writer) record(ctx context.Context, c *store.Change) error {
	at := c.Time.UTC().Format(timeFormat)
	for n := range c.Writes {
		wr := &c.Writes[n]
		_, err := w.log.ExecContext(ctx, c.Rev, n, at, c.Who, c.Once, c.Job, c.Undoes, wr.Kind, wr.ID, wr.Action, wr.Prev, wr.Patch)
		if err != nil {
			return err
		}
	}
	return nil
}

// parseTime reads what record wrote.
func parseTime(s string) (time.Time, error) { return time.Parse(timeFormat, s) }

func (w *writer) close() error {
	var errs []error
	for _, s := range []*sql.Stmt{w.insert, w.update, w.remove, w.log, w.behind, w.begin, w.flush} {
		if s != nil {
			errs = append(errs, s.Close())
		}
	}
	if w.conn != nil {
		errs = append(errs, w.conn.Close())
	}
	return errors.Join(append(errs, w.db.Close())...)
}
