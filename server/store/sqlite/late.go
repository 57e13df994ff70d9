package sqlite

import (
	"context"
	"fmt"
	"time"

	"drp/server/store"
)

// A commit must be on the disk, but it need not be there twice. History holds the patch that each
// change made, which is much smaller than the record it changed; so a commit writes history, and
// the record follows later: once for all the changes it has seen meanwhile. What is late is kept in
// memory, and made again from history when the database is opened after a crash. How late a record
// may be is bounded, so that this takes a moment only.

// Advance applies patches as they stand in history, one after the other, to a record. Raw is nil
// where there was none, and so is the answer where none is left; else it must be, byte for byte,
// what the last of the commits gave as the record's Raw.
type Advance func(kind string, raw []byte, patches [][]byte) ([]byte, error)

// slack bounds how far a record may be behind.
type slack struct {
	revisions uint64 // how many there may be since
	bytes     int64  // size of their patches
	// step is how many records beyond twice the changes of a batch may be written with it, and
	// how many are written at once when there is nothing else to do.
	step int
}

var usual = slack{revisions: 16 << 10, bytes: 16 << 20, step: 128}

// idle is how long nothing must have been committed for late records to be written by themselves.
const idle = time.Second

// late is a record whose newest version is in history only.
type late struct {
	final
	since uint64 // the first of the revisions that it lacks
	after int64  // bytes of patches that had been committed before that one
}

// lag is which records are late.
type lag struct {
	records map[store.Key]*late
	queue   []store.Key // those of records, the latest first
	bytes   int64       // of patches that were committed since the start
	slack   slack
	upTo    uint64 // what stands on the disk: every record has seen the revisions up to here
}

// oldest is the record that lacks most.
func (l *lag) oldest() *late { return l.records[l.queue[0]] }

// due is how many records are to be written with a batch that ends at a revision.
func (l *lag) due(rev uint64, batch int) int {
	most := min(len(l.queue), 2*batch+l.slack.step)
	for i := range most {
		r := l.records[l.queue[i]]
		if r.since+l.slack.revisions > rev && r.after+l.slack.bytes > l.bytes {
			return i
		}
	}
	return most
}

// note makes what a batch has left of a record late.
func (l *lag) note(k store.Key, f *final, since uint64, before int64) {
	if r, ok := l.records[k]; ok {
		r.final = *f
		return
	}
	l.records[k] = &late{final: *f, since: since, after: before}
	l.queue = append(l.queue, k)
}

// write writes the first n of the queue, within a transaction, and what upTo is then. The lag
// itself stays as it is until done is called, after the transaction.
func (l *lag) write(ctx context.Context, w *writer, n int, rev uint64) (done func(), err error) {
	if n == 0 {
		return func() {}, nil
	}
	rows := make([]int64, n)
	for i, k := range l.queue[:n] {
		f := l.records[k].final
		if err := w.put(ctx, k, &f); err != nil {
			return nil, fmt.Errorf("write %s/%s: %w", k.Kind, k.ID, err)
		}
		rows[i] = f.row
	}
	upTo := rev
	if n < len(l.queue) {
		upTo = l.records[l.queue[n]].since - 1
	}
	if _, err := w.behind.ExecContext(ctx, upTo); err != nil {
		return nil, fmt.Errorf("write how late records are: %w", err)
	}
	return func() {
		for i, k := range l.queue[:n] {
			if s, ok := w.index[k]; ok {
				s.row = rows[i]
				w.index[k] = s
			}
			delete(l.records, k)
		}
		if l.queue, l.upTo = l.queue[n:], upTo; len(l.queue) == 0 {
			l.queue = nil
		}
	}, nil
}

// catchUp writes up to n late records in a transaction of its own.
func (w *writer) catchUp(ctx context.Context, n int) (err error) {
	if err := w.settle(ctx); err != nil {
		return err
	}
	if n = min(n, len(w.lag.queue)); n == 0 {
		return nil
	}
	var done func()
	err = w.transaction(ctx, func(ctx context.Context) error {
		done, err = w.lag.write(ctx, w, n, w.rev)
		return err
	})
	if err != nil {
		w.doubt, w.torn = true, true
		return err
	}
	done()
	return nil
}

// recall makes the lag again from history, when the index has been read from the records.
func (w *writer) recall(ctx context.Context, index map[store.Key]slot, rev uint64) (lag, error) {
	l := lag{records: map[store.Key]*late{}, slack: w.lag.slack}
	if err := w.conn.QueryRowContext(ctx, `SELECT up_to FROM lag`).Scan(&l.upTo); err != nil {
		return l, fmt.Errorf("read how late records are: %w", err)
	}
	if l.upTo >= rev {
		return l, nil
	}
	missed, err := w.missed(ctx, &l, index, rev)
	if err != nil {
		return l, err
	}
	for _, k := range l.queue {
		r := l.records[k]
		var raw []byte
		if r.row != 0 {
			if err := w.conn.QueryRowContext(ctx, `SELECT raw FROM records WHERE row = ?`, r.row).Scan(&raw); err != nil {
				return l, fmt.Errorf("read %s/%s: %w", k.Kind, k.ID, err)
			}
		}
		if r.raw, err = w.advance(k.Kind, raw, missed[k]); err != nil {
			return l, fmt.Errorf("damaged: the history of %s/%s after revision %d does not lead on from the record: %w", k.Kind, k.ID, r.since-1, err)
		}
		if r.raw == nil {
			r.rev = 0
			delete(index, k)
			continue
		}
		index[k] = slot{row: r.row, rev: r.rev}
	}
	return l, nil
}

// missed gathers the patches that records have not seen, and makes the queue.
func (w *writer) missed(ctx context.Context, l *lag, index map[store.Key]slot, rev uint64) (map[store.Key][][]byte, error) {
	missed := map[store.Key][][]byte{}
	rows, err := w.conn.QueryContext(ctx, `SELECT rev, kind, id, prev, patch FROM history WHERE rev > ? AND rev <= ? ORDER BY rev, n`, l.upTo, rev)
	if err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var k store.Key
		var at, prev uint64
		var patch []byte
		if err := rows.Scan(&at, &k.Kind, &k.ID, &prev, &patch); err != nil {
			return nil, fmt.Errorf("read history: %w", err)
		}
		before := l.bytes
		l.bytes += int64(len(patch))
		r, have := l.records[k], index[k].rev
		switch {
		case r == nil && have >= at, r == nil && have == 0 && prev != 0:
			continue // written before, with what came later: a newer version, or none any more
		case r == nil && have == prev:
			r = &late{final: final{slot: index[k]}, since: at, after: before}
			l.records[k], l.queue = r, append(l.queue, k)
		case r == nil, prev != 0 && prev != r.rev:
			return nil, fmt.Errorf("damaged: revision %d changes %s/%s at %d, which is at %d", at, k.Kind, k.ID, prev, have)
		}
		r.rev = at
		missed[k] = append(missed[k], patch)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read history: %w", err)
	}
	return missed, nil
}

// tidy writes late records whenever nothing else has been committed for a while, until the engine
// closes.
func (e *Engine) tidy() {
	defer close(e.tidied)
	wait := time.NewTimer(idle)
	defer wait.Stop()
	last := e.newest.Load()
	for {
		select {
		case <-wait.C:
		case <-e.closing.Done():
			return
		}
		next := idle
		if now := e.newest.Load(); now != last {
			last = now
		} else if more, err := e.catchUp(); err == nil && more {
			next = 0
		}
		wait.Reset(next)
	}
}

// catchUp writes some late records; more tells whether others are left. An error is not lost: the
// next commit meets it as well.
func (e *Engine) catchUp() (more bool, err error) {
	if err := e.acquire(e.closing); err != nil {
		return false, err
	}
	defer e.release()
	err = e.writer.catchUp(e.closing, e.writer.lag.slack.step)
	return len(e.writer.lag.queue) > 0, err
}

// level writes all late records, for those who read them: Load, Backup and Compact. The caller has
// acquired the writer.
func (e *Engine) level(ctx context.Context) error {
	for len(e.writer.lag.queue) > 0 || e.writer.doubt {
		if err := e.writer.catchUp(ctx, 8*e.writer.lag.slack.step); err != nil {
			return err
		}
	}
	return nil
}

// lacks tells whether a record may not have seen all revisions up to one.
func (w *writer) lacks(rev uint64) bool {
	return w.doubt || len(w.lag.queue) > 0 && w.lag.oldest().since <= rev
}

// levelled begins a read once no record is late.
func (e *Engine) levelled(ctx context.Context, begin func() error) error {
	if err := e.acquire(ctx); err != nil {
		return err
	}
	defer e.release()
	if err := e.level(ctx); err != nil {
		return err
	}
	return begin()
}
