package sqlite

import (
	"context"
	"errors"
	"fmt"

	"drp/server/store"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Commit makes the batch durable in one transaction; see store.Engine. A change without writes,
// with two writes of one record, or with a year of more than four digits is refused as a mistake
// of the caller.
func (e *Engine) Commit(ctx context.Context, batch []store.Change) error {
	if err := fit(batch); err != nil {
		return err
	}
	if err := e.acquire(ctx); err != nil {
		return err
	}
	defer e.release()
	if err := e.writer.commit(ctx, batch); err != nil {
		return fmt.Errorf("commit to %s: %w", e.path, named(err))
	}
	e.raise(e.writer.rev)
	for i := range batch {
		for j := range batch[i].Writes {
			e.log.turns += len(batch[i].Writes[j].Patch) / large
		}
	}
	return nil
}

// named gives an error of SQLite the name that store has for it, if it has one.
func named(err error) error {
	var s *sqlite.Error
	if errors.As(err, &s) && s.Code() == sqlite3.SQLITE_FULL {
		return fmt.Errorf("%w: %w", store.ErrFull, err)
	}
	return err
}

// fit refuses changes that no state of the store could take.
func fit(batch []store.Change) error {
	for i := range batch {
		c := &batch[i]
		if len(c.Writes) == 0 {
			return fmt.Errorf("commit of revision %d: the change writes nothing", c.Rev)
		}
		if year := c.Time.UTC().Year(); year < 0 || year > 9999 {
			return fmt.Errorf("commit of revision %d: its time is in the year %d", c.Rev, year)
		}
		for j := range c.Writes {
			if w := &c.Writes[j]; len(w.Raw) > store.MaxRecord {
				return fmt.Errorf("commit of %s/%s with %d bytes: %w", w.Kind, w.ID, len(w.Raw), store.ErrTooLarge)
			}
		}
	}
	return nil
}

// compactStep bounds how many revisions are removed in one transaction, so that commits do not
// wait long for a compaction.
const compactStep = 256

// Compact forgets the history up to and including rev, or all there is if rev is yet to come. It
// is forgotten at once; the space is freed in steps, and commits go on between them. When it is
// interrupted the next Compact frees the rest.
func (e *Engine) Compact(ctx context.Context, rev uint64) error {
	if err := e.forget(ctx, min(rev, e.newest.Load())); err != nil {
		return fmt.Errorf("compact %s: %w", e.path, err)
	}
	for {
		n, err := e.exec(ctx, `DELETE FROM history WHERE rev <= (SELECT compacted FROM retention)
			AND rev < (SELECT min(rev) FROM history) + ?`, compactStep)
		if err != nil {
			return fmt.Errorf("compact %s: %w", e.path, err)
		}
		if n == 0 {
			return nil
		}
	}
}

// forget makes history up to a revision unreadable. No record may need it then.
func (e *Engine) forget(ctx context.Context, rev uint64) error {
	if err := e.acquire(ctx); err != nil {
		return err
	}
	defer e.release()
	if e.writer.lacks(rev) {
		if err := e.level(ctx); err != nil {
			return err
		}
	}
	_, err := e.writer.conn.ExecContext(context.WithoutCancel(ctx), `UPDATE retention SET compacted = max(compacted, ?)`, rev)
	return err
}

// exec carries out one statement in a transaction of its own, and returns how many rows it
// changed.
func (e *Engine) exec(ctx context.Context, stmt string, args ...any) (int64, error) {
	if err := e.acquire(ctx); err != nil {
		return 0, err
	}
	defer e.release()
	done, err := e.writer.conn.ExecContext(context.WithoutCancel(ctx), stmt, args...)
	if err != nil {
		return 0, err
	}
	return done.RowsAffected()
}
