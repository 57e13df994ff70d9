// Package storetest is the suite that every engine must pass: it holds an engine to each promise
// that package store makes, but for those that only killing the process can test.
package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"drp/server/store"
)

// Open opens the store that lives in a directory, and makes one in an empty directory. It fails
// the test when it cannot. What it returns is closed by the suite, sometimes twice.
type Open = func(t *testing.T, dir string) store.Engine

// Run holds the engine to the suite. Each test has a directory of its own.
func Run(t *testing.T, open Open) {
	for _, c := range []struct {
		claim string
		test  func(*testing.T, Open)
	}{
		{"EmptyStoreIsAtRevisionZero", testEmpty},
		{"BatchIsAllOrNothing", testAtomic},
		{"EveryExpectationIsChecked", testConflicts},
		{"RefusedBatchLeavesNoTrace", testRefusals},
		{"OneOfManyRivalsWins", testRivals},
		{"HistoryTellsEveryWriteInOrder", testHistory},
		{"HistoryStopsWhenToldTo", testHistoryStops},
		{"CompactedHistoryIsRefused", testCompact},
		{"SearchStopsWhenToldTo", testSearchStops},
		{"SizeIsWhatIsInUse", testSize},
		{"LoadSeesOneSnapshot", testSnapshot},
		{"LoadIsOrderedBytewise", testLoadOrder},
		{"LoadReturnsTheErrorOfItsFunction", testLoadStops},
		{"HistoryOutlivesCompactionMeanwhile", testHistorySnapshot},
		{"LargeRecordsAndBatchesFit", testLarge},
		{"EndedContextStopsEverything", testContext},
		{"ClosedEngineRefuses", testClosed},
		{"BackupNeverOverwrites", testBackup},
		{"EngineFollowsTheModel", testModel},
	} {
		t.Run(c.claim, func(t *testing.T) { c.test(t, open) })
	}
}

// Patch is what the suite uses for a patch: it leads to raw, nil being no record. The label must
// hold no "=".
func Patch(label string, raw []byte) []byte {
	if raw == nil {
		return []byte(label)
	}
	return append(append([]byte(label), '='), raw...)
}

// Advance applies patches that Patch has made.
func Advance(_ string, _ []byte, patches [][]byte) ([]byte, error) {
	_, raw, ok := bytes.Cut(patches[len(patches)-1], []byte("="))
	if !ok {
		return nil, nil
	}
	return append([]byte{}, raw...), nil
}

// start opens a store in a directory of its own and closes it with the test.
func start(t *testing.T, open Open) store.Engine {
	t.Helper()
	e := open(t, t.TempDir())
	t.Cleanup(func() { e.Close() })
	return e
}

// noon is when changes are made whose time does not matter.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 123456789, time.UTC)

func change(rev uint64, writes ...store.Write) store.Change {
	return store.Change{Rev: rev, Time: noon, Who: "user:rocketskates", Once: "7f3a", Job: "92541bc9", Undoes: "revision 1", Writes: writes}
}

func key(id string) store.Key { return store.Key{Kind: "machines", ID: id} }

// put writes a record; prev 0 creates it.
func put(id string, prev uint64, raw string) store.Write {
	w := store.Write{Key: key(id), Prev: prev, Raw: []byte(raw), Action: "save", Patch: Patch("add", []byte(raw))}
	if prev == 0 {
		w.Action = "create"
	}
	return w
}

func drop(id string, prev uint64) store.Write {
	return store.Write{Key: key(id), Prev: prev, Action: "delete", Patch: Patch("remove", nil)}
}

func commit(t *testing.T, e store.Engine, batch ...store.Change) {
	t.Helper()
	if err := e.Commit(t.Context(), batch); err != nil {
		t.Fatalf("commit: got %v, want nil", err)
	}
}

// state is all that a store holds.
type state struct {
	Rev     uint64
	Records []store.Record
}

func load(t rapid.TB, e store.Engine) state {
	t.Helper()
	var s state
	var err error
	s.Rev, err = e.Load(context.Background(), func(r store.Record) error {
		s.Records = append(s.Records, r)
		return nil
	})
	if err != nil {
		t.Fatalf("load: got %v, want nil", err)
	}
	return s
}

func history(t rapid.TB, e store.Engine, from uint64) []store.Change {
	t.Helper()
	changes, err := follow(e, from)
	if err != nil {
		t.Fatalf("history above %d: got %v, want nil", from, err)
	}
	return changes
}

// follow returns what History yields, and the error that ends it.
func follow(e store.Engine, from uint64) ([]store.Change, error) {
	return gather(e.History(context.Background(), from))
}

func gather(told iter.Seq2[store.Change, error]) (changes []store.Change, err error) {
	for c, err := range told {
		if err != nil {
			return changes, err
		}
		changes = append(changes, c)
	}
	return changes, nil
}

// kept is a change as History tells it.
func kept(c store.Change) store.Change {
	c.Time, c.Reads = c.Time.UTC(), nil
	writes := make([]store.Write, len(c.Writes))
	for i, w := range c.Writes {
		w.Raw = nil
		writes[i] = w
	}
	c.Writes = writes
	return c
}

func equal[T any](t rapid.TB, what string, got, want T) {
	t.Helper()
	if !reflect.DeepEqual(got, want) { // much quicker than to look for differences
		t.Fatalf("%s differs (-want +got):\n%s", what, cmp.Diff(want, got))
	}
}

func testEmpty(t *testing.T, open Open) {
	e := start(t, open)
	equal(t, "empty store", load(t, e), state{})
	equal(t, "history of an empty store", len(history(t, e, 0)), 0)
	commit(t, e) // a batch of no changes is no change
	equal(t, "store after nothing", load(t, e), state{})
	if err := e.Compact(t.Context(), 7); err != nil {
		t.Fatalf("compact an empty store: got %v, want nil", err)
	}
	commit(t, e, change(1, put("a", 0, "{}")))
	equal(t, "first history", history(t, e, 0), []store.Change{kept(change(1, put("a", 0, "{}")))})
}

// testAtomic lets the last of many changes fail, in one batch and in one change.
func testAtomic(t *testing.T, open Open) {
	e := start(t, open)
	commit(t, e, change(1, put("a", 0, `1`), put("b", 0, `1`)))
	before, told := load(t, e), history(t, e, 0)
	for name, batch := range map[string][]store.Change{
		"last change of a batch": {change(2, put("a", 1, `2`)), change(3, drop("b", 1)), change(4, put("a", 1, `4`))},
		"last write of a change": {change(2, put("a", 1, `2`), drop("b", 1), put("c", 9, `2`))},
	} {
		var conflict *store.ConflictError
		if err := e.Commit(t.Context(), batch); !errors.As(err, &conflict) {
			t.Fatalf("%s: got %v, want a conflict", name, err)
		}
		equal(t, "store after a conflict in the "+name, load(t, e), before)
		equal(t, "history after a conflict in the "+name, history(t, e, 0), told)
	}
	commit(t, e, change(2, put("a", 1, `2`)), change(3, drop("b", 1)), change(4, put("a", 2, `4`), put("b", 0, `4`)))
	equal(t, "store after the batch", load(t, e), state{4, []store.Record{
		{Key: key("a"), Rev: 4, Raw: []byte(`4`)}, {Key: key("b"), Rev: 4, Raw: []byte(`4`)},
	}})
}

func testConflicts(t *testing.T, open Open) {
	e := start(t, open)
	// a is at 2, b is gone, c was never there; the next revision is 4.
	commit(t, e, change(1, put("a", 0, `1`), put("b", 0, `1`)), change(2, put("a", 1, `2`)), change(3, drop("b", 1)))
	reads := func(c store.Change, id string, rev uint64) store.Change {
		c.Reads = append(c.Reads, store.Cond{Key: key(id), Rev: rev})
		return c
	}
	x := put("x", 0, `4`)
	for _, c := range []struct {
		name  string
		batch []store.Change
		want  *store.ConflictError // nil: no conflict
	}{
		{"revision in the past", []store.Change{change(3, x)}, &store.ConflictError{Want: 3, Have: 4}},
		{"revision with a gap", []store.Change{change(5, x)}, &store.ConflictError{Want: 5, Have: 4}},
		{"gap within the batch", []store.Change{change(4, x), change(6, drop("a", 2))}, &store.ConflictError{Want: 6, Have: 5}},
		{"repetition within the batch", []store.Change{change(4, x), change(4, drop("a", 2))}, &store.ConflictError{Want: 4, Have: 5}},
		{"create what exists", []store.Change{change(4, put("a", 0, `4`))}, &store.ConflictError{Key: key("a"), Want: 0, Have: 2}},
		{"replace an old version", []store.Change{change(4, put("a", 1, `4`))}, &store.ConflictError{Key: key("a"), Want: 1, Have: 2}},
		{"replace a later version", []store.Change{change(4, put("a", 3, `4`))}, &store.ConflictError{Key: key("a"), Want: 3, Have: 2}},
		{"replace what is gone", []store.Change{change(4, put("b", 1, `4`))}, &store.ConflictError{Key: key("b"), Want: 1, Have: 0}},
		{"replace what never was", []store.Change{change(4, put("c", 1, `4`))}, &store.ConflictError{Key: key("c"), Want: 1, Have: 0}},
		{"delete an old version", []store.Change{change(4, drop("a", 1))}, &store.ConflictError{Key: key("a"), Want: 1, Have: 2}},
		{"delete what is gone", []store.Change{change(4, drop("b", 1))}, &store.ConflictError{Key: key("b"), Want: 1, Have: 0}},
		{"read an old version", []store.Change{reads(change(4, x), "a", 1)}, &store.ConflictError{Key: key("a"), Want: 1, Have: 2}},
		{"read what is gone", []store.Change{reads(change(4, x), "b", 1)}, &store.ConflictError{Key: key("b"), Want: 1, Have: 0}},
		{"read the absence of what exists", []store.Change{reads(change(4, x), "a", 0)}, &store.ConflictError{Key: key("a"), Want: 0, Have: 2}},
		{"second read fails", []store.Change{reads(reads(change(4, x), "a", 2), "c", 1)}, &store.ConflictError{Key: key("c"), Want: 1, Have: 0}},
		{"replace what the batch deletes", []store.Change{change(4, drop("a", 2)), change(5, put("a", 2, `5`))},
			&store.ConflictError{Key: key("a"), Want: 2, Have: 0}},
		{"create what the batch creates", []store.Change{change(4, x), change(5, x)}, &store.ConflictError{Key: key("x"), Want: 0, Have: 4}},
		{"read what the batch replaces", []store.Change{change(4, put("a", 2, `4`)), reads(change(5, x), "a", 2)},
			&store.ConflictError{Key: key("a"), Want: 2, Have: 4}},
		{"same name in another kind", []store.Change{change(4, store.Write{Key: store.Key{Kind: "jobs", ID: "a"}, Prev: 2, Raw: []byte(`4`)})},
			&store.ConflictError{Key: store.Key{Kind: "jobs", ID: "a"}, Want: 2, Have: 0}},
	} {
		before, told := load(t, e), history(t, e, 0)
		err := e.Commit(t.Context(), c.batch)
		var got *store.ConflictError
		if !errors.As(err, &got) {
			t.Errorf("%s: got %v, want %v", c.name, err, c.want)
			continue
		}
		equal(t, "conflict when batch means to "+c.name, got, c.want)
		equal(t, "store after "+c.name, load(t, e), before)
		equal(t, "history after "+c.name, history(t, e, 0), told)
	}
	// What holds is not refused: conditions on the present, on absence, and on what the batch does.
	commit(t, e,
		reads(reads(reads(change(4, put("a", 2, `4`)), "a", 2), "b", 0), "c", 0),
		reads(reads(change(5, drop("a", 4), x), "a", 4), "x", 0),
		reads(reads(change(6, put("a", 0, `6`), put("x", 5, `6`)), "a", 0), "x", 5))
}

// testRefusals are mistakes rather than conflicts: no state of the store could take them.
func testRefusals(t *testing.T, open Open) {
	e := start(t, open)
	commit(t, e, change(1, put("a", 0, `1`)))
	before, told := load(t, e), history(t, e, 0)
	huge := string(make([]byte, store.MaxRecord+1))
	for _, c := range []struct {
		name  string
		batch []store.Change
		want  error // nil: any
	}{
		{"change without writes", []store.Change{change(2)}, nil},
		{"change without writes after another", []store.Change{change(2, put("b", 0, `2`)), change(3)}, nil},
		{"two writes of one record", []store.Change{change(2, put("b", 0, `2`), put("b", 2, `2`))}, nil},
		{"deletion and creation in one change", []store.Change{change(2, drop("a", 1), put("a", 0, `2`))}, nil},
		{"record that is too large", []store.Change{change(2, put("b", 0, huge))}, store.ErrTooLarge},
		{"one that is too large among others", []store.Change{change(2, put("b", 0, `2`)), change(3, put("a", 1, huge))}, store.ErrTooLarge},
	} {
		err := e.Commit(t.Context(), c.batch)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want an error (%v)", c.name, err, c.want)
		}
		equal(t, "store after a "+c.name, load(t, e), before)
		equal(t, "history after a "+c.name, history(t, e, 0), told)
	}
}

func testHistory(t *testing.T, open Open) {
	dir := t.TempDir()
	e := open(t, dir)
	defer func() { e.Close() }()
	var told []store.Change
	check := func() {
		t.Helper()
		for from := range uint64(len(told)) + 2 {
			equal(t, fmt.Sprint("history above ", from), history(t, e, from), append([]store.Change(nil), told[min(int(from), len(told)):]...))
		}
	}
	times := []time.Time{noon, {}, noon.In(time.FixedZone("", 3600)), time.Unix(0, 1), time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)}
	for i, at := range times {
		rev := uint64(i)*2 + 1
		one, two := change(rev, put("a", told2(rev), `{}`), put(fmt.Sprint("n", i), 0, `{}`)), change(rev+1, put("a", rev, `{}`))
		one.Time, two.Time, two.Who = at, at.Add(time.Nanosecond).UTC(), ""
		if at.Year() == 9999 {
			two.Time = at
		}
		one.Reads = []store.Cond{{Key: key("none")}}
		commit(t, e, one, two)
		told = append(told, kept(one), kept(two))
		check()
	}
	if got := history(t, e, ^uint64(0)); len(got) != 0 {
		t.Errorf("history above the highest number: got %d changes, want none", len(got))
	}
	if err := e.Close(); err != nil {
		t.Fatalf("close: got %v, want nil", err)
	}
	e = open(t, dir)
	check()
}

// told2 is the revision of the record that is written at every revision.
func told2(rev uint64) uint64 {
	if rev == 1 {
		return 0
	}
	return rev - 1
}

// testHistoryStops leaves the loop early and goes on with the engine.
func testHistoryStops(t *testing.T, open Open) {
	e := start(t, open)
	for rev := uint64(1); rev <= 5; rev++ {
		commit(t, e, change(rev, put(fmt.Sprint(rev), 0, `{}`)))
	}
	for n := 1; n <= 5; n++ {
		seen := 0
		for _, err := range e.History(t.Context(), 0) {
			if err != nil {
				t.Fatalf("history: got %v, want nil", err)
			}
			if seen++; seen == n {
				break
			}
		}
		equal(t, "changes before the end of the loop", seen, n)
	}
	later := e.History(t.Context(), 0)
	commit(t, e, change(6, put("6", 0, `{}`)))
	for range 2 { // an iterator can be used again
		var last uint64
		for c, err := range later {
			if err != nil {
				t.Fatalf("history: got %v, want nil", err)
			}
			last = c.Rev
		}
		equal(t, "newest revision at the time of the call", last, 5)
	}
}

func testCompact(t *testing.T, open Open) {
	dir := t.TempDir()
	e := open(t, dir)
	defer func() { e.Close() }()
	const revs = 700
	for rev := uint64(1); rev <= revs; rev += 7 {
		var batch []store.Change
		for r := rev; r < rev+7; r++ {
			batch = append(batch, change(r, put("a", told2(r), `{}`)))
		}
		commit(t, e, batch...)
	}
	before := load(t, e)
	check := func(compacted, newest uint64) {
		t.Helper()
		for _, from := range []uint64{0, compacted / 2, max(compacted, 1) - 1, compacted, compacted + 1, newest - 1, newest, newest + 1} {
			changes, err := follow(e, from)
			if from < compacted && from < newest {
				if !errors.Is(err, store.ErrCompacted) || len(changes) > 0 {
					t.Fatalf("history above %d, compacted to %d: got %d changes and %v, want %v alone", from, compacted, len(changes), err, store.ErrCompacted)
				}
				continue
			}
			if want := int(newest) - int(min(from, newest)); err != nil || len(changes) != want {
				t.Fatalf("history above %d, compacted to %d: got %d changes and %v, want %d", from, compacted, len(changes), err, want)
			}
			for i, c := range changes {
				equal(t, "revision", c.Rev, from+1+uint64(i))
			}
		}
	}
	check(0, revs)
	for _, step := range []struct{ ask, want uint64 }{{0, 0}, {3, 3}, {2, 3}, {600, 600}, {revs - 1, revs - 1}, {revs + 50, revs}, {1, revs}} {
		if err := e.Compact(t.Context(), step.ask); err != nil {
			t.Fatalf("compact to %d: got %v, want nil", step.ask, err)
		}
		check(step.want, revs)
		equal(t, "store after compaction", load(t, e), before)
		if err := e.Close(); err != nil {
			t.Fatalf("close: got %v, want nil", err)
		}
		e = open(t, dir)
		check(step.want, revs)
		equal(t, "store opened after compaction", load(t, e), before)
	}
	commit(t, e, change(revs+1, drop("a", revs))) // revisions go on after all history is gone
	check(revs, revs+1)
	equal(t, "emptied store", load(t, e), state{Rev: revs + 1})
}

func testSearchStops(t *testing.T, open Open) {
	e := start(t, open)
	for rev := uint64(1); rev <= 5; rev++ {
		commit(t, e, change(rev, put(fmt.Sprint(rev), 0, `{}`), put("o"+fmt.Sprint(rev), 0, `{}`)))
	}
	later := e.Search(t.Context(), store.Query{})
	commit(t, e, change(6, put("6", 0, `{}`)))
	for n := 1; n <= 5; n++ {
		seen := 0
		for c, err := range later {
			if err != nil || c.Rev != uint64(5-seen) || len(c.Writes) != 2 || c.Writes[0].ID != fmt.Sprint(c.Rev) {
				t.Fatalf("change %d: got %+v and %v", seen, c, err)
			}
			if seen++; seen == n {
				break
			}
		}
		equal(t, "changes before the end of the loop", seen, n)
	}
}

// testSize: what a compaction removes no longer counts.
func testSize(t *testing.T, open Open) {
	e := start(t, open)
	size := func() int64 {
		t.Helper()
		n, err := e.Size(t.Context())
		if err != nil || n < 0 {
			t.Fatalf("size: got %d and %v", n, err)
		}
		return n
	}
	empty := size()
	const revs, each = 50, 20_000
	for rev := uint64(1); rev <= revs; rev++ {
		w := put("a", told2(rev), `{}`)
		w.Patch = bytes.Repeat([]byte{byte(rev)}, each)
		commit(t, e, change(rev, w))
	}
	full := size()
	if full-empty < revs*each {
		t.Errorf("%d changes of %d bytes: the size went from %d to %d", revs, each, empty, full)
	}
	if err := e.Compact(t.Context(), revs-5); err != nil {
		t.Fatalf("compact: got %v, want nil", err)
	}
	if now := size(); full-now < (revs-10)*each {
		t.Errorf("%d changes are compacted: the size went from %d to %d", revs-5, full, now)
	}
}

func testLoadOrder(t *testing.T, open Open) {
	e := start(t, open)
	// In bytewise order, though not in that of any language.
	sorted := []store.Key{
		{Kind: "", ID: ""}, {Kind: "", ID: "a"}, {Kind: "A", ID: "z"}, {Kind: "a", ID: ""}, {Kind: "a", ID: "\x00"},
		{Kind: "a", ID: "\x00a"}, {Kind: "a", ID: " "}, {Kind: "a", ID: "10"}, {Kind: "a", ID: "9"}, {Kind: "a", ID: "B"},
		{Kind: "a", ID: "a"}, {Kind: "a", ID: "a\x00"}, {Kind: "a", ID: "a/b"}, {Kind: "a", ID: "é"}, {Kind: "a", ID: "\xff"},
		{Kind: "a\x00", ID: ""}, {Kind: "b", ID: "a"},
	}
	want := state{Rev: 1}
	c := change(1)
	for i := range sorted {
		k := sorted[(i*7)%len(sorted)]
		c.Writes = append(c.Writes, store.Write{Key: k, Raw: []byte(k.ID), Action: "create"})
		want.Records = append(want.Records, store.Record{Key: sorted[i], Rev: 1, Raw: []byte(sorted[i].ID)})
	}
	commit(t, e, c)
	equal(t, "order", load(t, e), want)
	equal(t, "history", history(t, e, 0), []store.Change{kept(c)})
}

func testLoadStops(t *testing.T, open Open) {
	e := start(t, open)
	commit(t, e, change(1, put("a", 0, `1`), put("b", 0, `1`), put("c", 0, `1`)))
	enough, seen := errors.New("enough"), 0
	_, err := e.Load(t.Context(), func(store.Record) error {
		if seen++; seen == 2 {
			return enough
		}
		return nil
	})
	if !errors.Is(err, enough) || seen != 2 {
		t.Errorf("got %v after %d records, want %v after 2", err, seen, enough)
	}
	commit(t, e, change(2, put("a", 1, `2`)))
}

func testLarge(t *testing.T, open Open) {
	dir := t.TempDir()
	e := open(t, dir)
	defer func() { e.Close() }()
	largest := bytes.Repeat([]byte{0xA5}, store.MaxRecord)
	w := store.Write{Key: key("largest"), Raw: largest, Patch: Patch(string(largest), largest), Action: "create"}
	wide, n := change(2), 10000
	batch := []store.Change{change(1, w), wide}
	for i := range n {
		id := fmt.Sprintf("%05d", i)
		batch[1].Writes = append(batch[1].Writes, put(id, 0, `{"made":2}`))
		batch = append(batch, change(uint64(3+i), put(id, 2, `{"saved":true}`)))
	}
	commit(t, e, batch...)
	if err := e.Close(); err != nil {
		t.Fatalf("close: got %v, want nil", err)
	}
	e = open(t, dir)
	s := load(t, e)
	equal(t, "revision", s.Rev, uint64(n+2))
	equal(t, "number of records", len(s.Records), n+1)
	if got := s.Records[n]; !bytes.Equal(got.Raw, largest) {
		t.Errorf("largest record: got %d bytes, want the %d that were written", len(got.Raw), len(largest))
	}
	for i, r := range s.Records[:n] {
		if r.Rev != uint64(3+i) || string(r.Raw) != `{"saved":true}` {
			t.Fatalf("record %s: got %s at %d, want the version of %d", r.ID, r.Raw, r.Rev, 3+i)
		}
	}
	told := history(t, e, 0)
	equal(t, "changes", len(told), n+2)
	equal(t, "writes of the wide change", len(told[1].Writes), n)
	if !bytes.Equal(told[0].Writes[0].Patch, w.Patch) {
		t.Error("the patch of the largest record is not the one that was written")
	}
}
