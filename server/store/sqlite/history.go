package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"math"
	"slices"

	"drp/server/store"
)

// columns are those of history that make a change.
const columns = `rev, time, who, job, undoes, once, kind, id, action, prev, patch`

// History yields the changes above from; see store.Engine. They come from one snapshot, so that
// neither commits nor a compaction meanwhile change what is yielded; a reader that dwells
// between two of them keeps the write-ahead log from being reused. Raw and Reads are not kept.
func (e *Engine) History(ctx context.Context, from uint64) iter.Seq2[store.Change, error] {
	to := e.newest.Load()
	return e.told(ctx, "read history", func(ctx context.Context, tx *sql.Tx, yield func(store.Change) bool) error {
		if _, compacted, err := newest(ctx, tx); err != nil {
			return err
		} else if from < compacted && from < to {
			return &store.CompactedError{Oldest: compacted + 1}
		}
		last, more := min(from, to), true
		missing := func() error { return fmt.Errorf("damaged: revision %d is missing", last+1) }
		const rows = `SELECT ` + columns + ` FROM history WHERE rev > ? AND rev <= ? ORDER BY rev, n`
		err := e.gather(ctx, tx, rows, []any{last, to}, func(c store.Change) (bool, error) {
			if c.Rev != last+1 {
				return false, missing()
			}
			last, more = c.Rev, yield(c)
			return more, nil
		})
		if err == nil && more && last != to {
			return missing()
		}
		return err
	})
}

// Search yields what a query selects; see store.Engine. Revisions are found by the primary key,
// the rest by looking at each row.
func (e *Engine) Search(ctx context.Context, q store.Query) iter.Seq2[store.Change, error] {
	to := e.newest.Load()
	if q.To > 0 {
		to = min(to, q.To)
	}
	return e.told(ctx, "search history", func(ctx context.Context, tx *sql.Tx, yield func(store.Change) bool) error {
		_, compacted, err := newest(ctx, tx)
		if err != nil {
			return err
		}
		var gone error
		if q.From > 0 && q.From <= compacted && q.From <= to {
			gone = &store.CompactedError{Oldest: compacted + 1}
		}
		if gone != nil && q.Oldest {
			return gone
		}
		rows, args := `SELECT `+columns+` FROM history WHERE rev >= ? AND rev <= ?`, []any{max(q.From, compacted+1), to}
		for _, f := range []struct{ column, value string }{{"kind", q.Kind}, {"id", q.ID}, {"who", q.Who}, {"job", q.Job}} {
			if f.value != "" {
				rows, args = rows+` AND `+f.column+` = ?`, append(args, f.value)
			}
		}
		if q.Named {
			rows += ` AND once != ''`
		}
		order := ` ORDER BY rev DESC, n DESC` // as the primary key has it, so that nothing is sorted
		if q.Oldest {
			order = ` ORDER BY rev, n`
		}
		more := true
		err = e.gather(ctx, tx, rows+order, args, func(c store.Change) (bool, error) {
			if !q.Oldest {
				slices.Reverse(c.Writes)
			}
			more = yield(c)
			return more, nil
		})
		if err == nil && more {
			return gone
		}
		return err
	})
}

// told makes an iterator of a reader that works on one snapshot.
func (e *Engine) told(ctx context.Context, doing string, read func(context.Context, *sql.Tx, func(store.Change) bool) error) iter.Seq2[store.Change, error] {
	return func(yield func(store.Change, error) bool) {
		more := true
		err := e.snapshot(ctx, func(ctx context.Context, tx *sql.Tx) error {
			return read(ctx, tx, func(c store.Change) bool {
				more = yield(c, nil)
				return more
			})
		})
		if err != nil && more {
			yield(store.Change{}, e.reason(ctx, doing, err))
		}
	}
}

// gather calls fn with the rows of each revision as one change, until it no longer wants more.
func (e *Engine) gather(ctx context.Context, tx *sql.Tx, query string, args []any, fn func(store.Change) (bool, error)) error {
	for i, a := range args {
		if n, ok := a.(uint64); ok { // the highest revisions are beyond what SQLite counts to
			args[i] = int64(min(n, math.MaxInt64))
		}
	}
	var c store.Change // the one being gathered
	more := true
	err := e.each(ctx, tx, query, args, func(scan func(...any) error) (ok bool, err error) {
		var next store.Change
		var at string
		var w store.Write
		if err := scan(&next.Rev, &at, &next.Who, &next.Job, &next.Undoes, &next.Once, &w.Kind, &w.ID, &w.Action, &w.Prev, &w.Patch); err != nil {
			return false, err
		}
		if next.Rev != c.Rev {
			if next.Time, err = parseTime(at); err != nil {
				return false, fmt.Errorf("damaged: time of revision %d: %w", next.Rev, err)
			}
			if c.Rev != 0 {
				if more, err = fn(c); err != nil || !more {
					return false, err
				}
			}
			c = next
		}
		c.Writes = append(c.Writes, w)
		return true, nil
	})
	if err != nil || !more || c.Rev == 0 {
		return err
	}
	if err := e.usable(ctx); err != nil {
		return err
	}
	_, err = fn(c)
	return err
}

// Size counts the pages in use.
func (e *Engine) Size(ctx context.Context) (size int64, err error) {
	if err := e.usable(ctx); err != nil {
		return 0, err
	}
	const used = `SELECT (page_count - freelist_count) * page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size`
	if err := e.readers.QueryRowContext(ctx, used).Scan(&size); err != nil {
		return 0, e.reason(ctx, "measure the size", err)
	}
	return size, nil
}
