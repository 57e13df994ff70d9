package storetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"drp/server/store"
)

// testModel does random things to an engine and to a map, and compares them after each.
func testModel(t *testing.T, open Open) {
	base := t.TempDir()
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(base, "")
		if err != nil {
			rt.Fatal(err)
		}
		m := &model{engine: open(t, dir), records: map[store.Key]store.Record{}}
		defer func() { m.engine.Close() }()
		rt.Repeat(map[string]func(*rapid.T){
			"":           m.check,
			"commit":     m.commit,
			"contradict": m.contradict,
			"compact":    m.compact,
			"reopen": func(rt *rapid.T) {
				if err := m.engine.Close(); err != nil {
					rt.Fatalf("close: got %v, want nil", err)
				}
				m.engine = open(t, dir)
			},
		})
	})
}

type model struct {
	engine    store.Engine
	records   map[store.Key]store.Record
	history   []store.Change // all of it; that of revision r at r-1
	compacted uint64
}

func (m *model) rev() uint64 { return uint64(len(m.history)) }

// Few names, so that they meet again; some of them awkward.
var (
	keys = rapid.Custom(func(t *rapid.T) store.Key {
		return store.Key{
			Kind: rapid.SampledFrom([]string{"machines", "jobs", "machine"}).Draw(t, "kind"),
			ID:   rapid.SampledFrom([]string{"a", "b", "c", "", "a/b", "A", "é\x00", "\xff'\"%"}).Draw(t, "id"),
		}
	})
	principals = rapid.OneOf(rapid.SampledFrom([]string{"user:a", "user:b", "system"}), rapid.StringN(0, 20, -1))
	jobs       = rapid.SampledFrom([]string{"", "3e7031fe", "92541bc9"})

	raws    = blobs(0, 9000)
	patches = blobs(1, 3000)
	times   = rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "s"), rapid.Int64Range(0, 999999999).Draw(t, "ns")).UTC()
	})
)

// blobs are bytes of random length, cheap to draw.
func blobs(from, to int) *rapid.Generator[[]byte] {
	return rapid.Custom(func(t *rapid.T) []byte {
		n := rapid.IntRange(from, to).Draw(t, "length")
		return bytes.Repeat([]byte{rapid.Byte().Draw(t, "byte")}, n)
	})
}

// batch draws changes that hold after the model's state, and returns the records they leave.
func (m *model) batch(t *rapid.T) ([]store.Change, map[store.Key]store.Record) {
	records := map[store.Key]store.Record{}
	for k, r := range m.records {
		records[k] = r
	}
	batch := make([]store.Change, rapid.IntRange(1, 5).Draw(t, "changes"))
	for i := range batch {
		c := store.Change{Rev: m.rev() + uint64(i) + 1, Time: times.Draw(t, "time"), Who: principals.Draw(t, "who"), Once: rapid.StringN(0, 20, -1).Draw(t, "once"),
			Job: jobs.Draw(t, "job"), Undoes: rapid.StringN(0, 20, -1).Draw(t, "undoes")}
		for _, k := range rapid.SliceOfN(keys, 0, 2).Draw(t, "reads") {
			c.Reads = append(c.Reads, store.Cond{Key: k, Rev: records[k].Rev})
		}
		for _, k := range rapid.SliceOfNDistinct(keys, 1, 4, rapid.ID).Draw(t, "writes") {
			w := store.Write{Key: k, Prev: records[k].Rev, Action: "save"}
			delete(records, k)
			if w.Prev == 0 || rapid.Bool().Draw(t, "keep") {
				w.Raw = raws.Draw(t, "raw")
				records[k] = store.Record{Key: k, Rev: c.Rev, Raw: w.Raw}
			}
			w.Patch = Patch(strings.ReplaceAll(string(patches.Draw(t, "patch")), "=", "-"), w.Raw)
			c.Writes = append(c.Writes, w)
		}
		batch[i] = c
	}
	return batch, records
}

func (m *model) commit(t *rapid.T) {
	batch, records := m.batch(t)
	if err := m.engine.Commit(t.Context(), batch); err != nil {
		t.Fatalf("commit: got %v, want nil", err)
	}
	m.records = records
	for _, c := range batch {
		m.history = append(m.history, kept(c))
	}
}

// contradict makes one expectation of a good batch wrong.
func (m *model) contradict(t *rapid.T) {
	batch, _ := m.batch(t)
	c := &batch[rapid.IntRange(0, len(batch)-1).Draw(t, "change")]
	off := rapid.Uint64Range(1, 3).Draw(t, "off")
	var key store.Key
	switch which := rapid.IntRange(0, 2).Draw(t, "which"); {
	case which == 0:
		c.Rev += off
	case which == 1 && len(c.Reads) > 0:
		key = c.Reads[0].Key
		c.Reads[0].Rev += off
	default:
		key = c.Writes[0].Key
		c.Writes[0].Prev += off
	}
	var conflict *store.ConflictError
	if err := m.engine.Commit(t.Context(), batch); !errors.As(err, &conflict) {
		t.Fatalf("wrong expectation: got %v, want a conflict", err)
	}
	if conflict.Key != key || conflict.Want != conflict.Have+off {
		t.Fatalf("conflict: got %+v, want one on %v by %d", conflict, key, off)
	}
}

func (m *model) compact(t *rapid.T) {
	rev := rapid.Uint64Range(0, m.rev()+2).Draw(t, "rev")
	if err := m.engine.Compact(t.Context(), rev); err != nil {
		t.Fatalf("compact: got %v, want nil", err)
	}
	m.compacted = max(m.compacted, min(rev, m.rev()))
}

// check compares all that can be read.
func (m *model) check(t *rapid.T) {
	m.search(t)
	want := state{Rev: m.rev()}
	for _, r := range m.records {
		want.Records = append(want.Records, r)
	}
	slices.SortFunc(want.Records, func(a, b store.Record) int {
		return cmp.Or(strings.Compare(a.Kind, b.Kind), strings.Compare(a.ID, b.ID))
	})
	equal(t, "store", load(t, m.engine), want)
	from := rapid.Uint64Range(0, m.rev()+1).Draw(t, "from")
	told, err := follow(m.engine, from)
	if from < m.compacted {
		if !errors.Is(err, store.ErrCompacted) || len(told) > 0 {
			t.Fatalf("history above %d: got %d changes and %v, want %v alone", from, len(told), err, store.ErrCompacted)
		}
		return
	}
	if err != nil {
		t.Fatalf("history above %d: got %v, want nil", from, err)
	}
	equal(t, fmt.Sprint("history above ", from), told, append([]store.Change(nil), m.history[min(from, m.rev()):]...))
}

// search compares a random query.
func (m *model) search(t *rapid.T) {
	q := store.Query{
		From: rapid.Uint64Range(0, m.rev()+1).Draw(t, "lowest"), To: rapid.Uint64Range(0, m.rev()+1).Draw(t, "highest"),
		Oldest: rapid.Bool().Draw(t, "oldest first"), Job: jobs.Draw(t, "of job"),
	}
	if rapid.Bool().Draw(t, "of a record") {
		k := keys.Draw(t, "record")
		q.Kind, q.ID = k.Kind, k.ID
	}
	if rapid.Bool().Draw(t, "of somebody") {
		q.Who = principals.Draw(t, "of")
	}
	q.Named = rapid.Bool().Draw(t, "named")
	m.searched(t, q)
}

func (m *model) searched(t rapid.TB, q store.Query) {
	t.Helper()
	told, err := gather(m.engine.Search(context.Background(), q))
	to := m.rev()
	if q.To > 0 {
		to = min(to, q.To)
	}
	var want []store.Change
	gone := q.From > 0 && q.From <= m.compacted && q.From <= to
	for rev := max(q.From, m.compacted+1); rev <= to && !(gone && q.Oldest); rev++ {
		c := m.history[rev-1]
		c.Writes = nil
		for _, w := range m.history[rev-1].Writes {
			if (q.Kind == "" || q.Kind == w.Kind) && (q.ID == "" || q.ID == w.ID) {
				c.Writes = append(c.Writes, w)
			}
		}
		if len(c.Writes) > 0 && (q.Who == "" || q.Who == c.Who) && (q.Job == "" || q.Job == c.Job) && !(q.Named && c.Once == "") {
			want = append(want, c)
		}
	}
	if !q.Oldest {
		slices.Reverse(want)
	}
	var oldest *store.CompactedError
	if errors.As(err, &oldest) != gone || gone && (oldest.Oldest != m.compacted+1 || !errors.Is(err, store.ErrCompacted)) || err != nil && !gone {
		t.Fatalf("search %+v, compacted to %d: got %v; want that it is gone: %v", q, m.compacted, err, gone)
	}
	equal(t, fmt.Sprintf("search %+v", q), told, want)
}
