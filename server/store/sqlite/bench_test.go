package sqlite

import (
	"context"
	"fmt"
	"testing"

	"drp/server/store"
)

// BenchmarkCommit replaces random records of a thousand, each with its row of history. One
// operation is one batch; changes/s counts what is durable.
func BenchmarkCommit(b *testing.B) {
	for _, size := range []int{1, 16} {
		for _, batch := range []int{1, 16, 128} {
			b.Run(fmt.Sprintf("record=%dKB/batch=%d", size, batch), func(b *testing.B) {
				benchmarkCommit(b, size<<10, batch)
			})
		}
	}
}

func benchmarkCommit(b *testing.B, size, batch int) {
	const records = 1000
	e := must(b, b.TempDir())
	defer e.Close()
	raw, patch := make([]byte, size), make([]byte, 200)
	prev := make([]uint64, records)
	rev := uint64(0)
	next := func(i int) store.Change {
		rev++
		c := save(rev, fmt.Sprintf("machine-%04d", i), prev[i], raw)
		c.Writes[0].Patch, prev[i] = patch, rev // what advance would make of it is not asked
		return c
	}
	var fill []store.Change
	for i := range records {
		fill = append(fill, next(i))
	}
	if err := e.Commit(context.Background(), fill); err != nil {
		b.Fatal(err)
	}
	changes := make([]store.Change, batch)
	for b.Loop() {
		for i := range changes {
			changes[i] = next(int(rev * 7919 % records))
		}
		if err := e.Commit(context.Background(), changes); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(batch*b.N)/b.Elapsed().Seconds(), "changes/s")
}
