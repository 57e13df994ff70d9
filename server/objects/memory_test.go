package objects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"drp/server/store"
)

// memory is an engine whose disk can be made to fail. It holds every promise of the interface
// but durability.
type memory struct {
	mu      sync.Mutex
	records map[store.Key]store.Record
	history []store.Change
	fail    error         // what commits answer, if not nil
	gate    chan struct{} // commits wait for a value from it, if not nil,
	entered chan struct{} // after they have said so here
	batches []int         // sizes of the batches committed
	quick   bool          // patches are not checked
}

func newMemory() *memory { return &memory{records: map[store.Key]store.Record{}} }

func (m *memory) Load(_ context.Context, fn func(store.Record) error) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := []store.Key{}
	for k := range m.records {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b store.Key) int { return strings.Compare(a.Kind+"\x00"+a.ID, b.Kind+"\x00"+b.ID) })
	for _, k := range keys {
		if err := fn(m.records[k]); err != nil {
			return 0, err
		}
	}
	return m.rev(), nil
}

func (m *memory) rev() uint64 {
	if len(m.history) == 0 {
		return 0
	}
	return m.history[len(m.history)-1].Rev
}

func (m *memory) Commit(_ context.Context, batch []store.Change) error {
	if m.gate != nil {
		m.entered <- struct{}{}
		<-m.gate
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	next := map[store.Key]store.Record{}
	current := func(k store.Key) uint64 {
		if r, ok := next[k]; ok {
			return r.Rev
		}
		return m.records[k].Rev
	}
	for i, c := range batch {
		if c.Rev != m.rev()+uint64(i)+1 {
			return &store.ConflictError{Want: c.Rev, Have: m.rev() + uint64(i) + 1}
		}
		for _, r := range c.Reads {
			if current(r.Key) != r.Rev {
				return &store.ConflictError{Key: r.Key, Want: r.Rev, Have: current(r.Key)}
			}
		}
		for _, w := range c.Writes {
			if current(w.Key) != w.Prev {
				return &store.ConflictError{Key: w.Key, Want: w.Prev, Have: current(w.Key)}
			}
			was := m.records[w.Key].Raw
			if r, ok := next[w.Key]; ok {
				was = r.Raw
			}
			if !m.quick {
				if is, err := Advance(w.Kind, was, [][]byte{w.Patch}); err != nil || !bytes.Equal(is, w.Raw) {
					return fmt.Errorf("the patch %s of %s leads to %s, %v, not to %s", w.Patch, was, is, err, w.Raw)
				}
			}
			r := store.Record{Key: w.Key, Rev: c.Rev, Raw: w.Raw}
			if w.Raw == nil {
				r.Rev = 0
			}
			next[w.Key] = r
		}
	}
	for k, r := range next {
		if r.Raw == nil {
			delete(m.records, k)
		} else {
			m.records[k] = r
		}
	}
	m.history = append(m.history, batch...)
	m.batches = append(m.batches, len(batch))
	return nil
}

func (m *memory) History(_ context.Context, from uint64) iter.Seq2[store.Change, error] {
	m.mu.Lock()
	h := slices.Clone(m.history)
	m.mu.Unlock()
	return func(yield func(store.Change, error) bool) {
		if len(h) > 0 && from+1 < h[0].Rev {
			yield(store.Change{}, &store.CompactedError{Oldest: h[0].Rev})
			return
		}
		for _, c := range h {
			if c.Rev > from && !yield(c, nil) {
				return
			}
		}
	}
}

func (m *memory) Search(_ context.Context, q store.Query) iter.Seq2[store.Change, error] {
	m.mu.Lock()
	h := slices.Clone(m.history)
	m.mu.Unlock()
	oldest, newest := uint64(1), uint64(0)
	if len(h) > 0 {
		oldest, newest = h[0].Rev, h[len(h)-1].Rev
	}
	to := newest
	if q.To > 0 {
		to = min(to, q.To)
	}
	gone := q.From > 0 && q.From < oldest && q.From <= to
	if !q.Oldest {
		slices.Reverse(h)
	}
	return func(yield func(store.Change, error) bool) {
		for _, c := range h {
			c.Writes = slices.DeleteFunc(slices.Clone(c.Writes), func(w store.Write) bool {
				return q.Kind != "" && q.Kind != w.Kind || q.ID != "" && q.ID != w.ID
			})
			if gone && q.Oldest || c.Rev < q.From || c.Rev > to || len(c.Writes) == 0 ||
				q.Who != "" && q.Who != c.Who || q.Job != "" && q.Job != c.Job || q.Named && c.Once == "" {
				continue
			}
			if !yield(c, nil) {
				return
			}
		}
		if gone {
			yield(store.Change{}, &store.CompactedError{Oldest: oldest})
		}
	}
}

// Compact keeps the newest change, from which memory knows its revision.
func (m *memory) Compact(_ context.Context, rev uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.history) > 1 && m.history[0].Rev <= rev {
		m.history = slices.Clone(m.history[1:])
	}
	return nil
}

func (m *memory) Size(context.Context) (size int64, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.records {
		size += int64(len(r.Raw))
	}
	for _, c := range m.history {
		for _, w := range c.Writes {
			size += int64(len(w.Patch)) + 100
		}
	}
	return size, nil
}

func (m *memory) Backup(context.Context, string) error { return errors.ErrUnsupported }
func (m *memory) Close() error                         { return nil }

var (
	now     = time.Now
	discard = slog.New(slog.DiscardHandler)
)
