package sqlite

import (
	"bytes"
	"testing"

	"drp/server/store"
	"drp/server/store/storetest"
)

// TestLogStaysSmall: many times what the log may hold is committed, in small and in large changes,
// and it is used again and again.
func TestLogStaysSmall(t *testing.T) {
	const most = 16 << 20
	for name, size := range map[string]int{"small": 10_000, "large": 500_000} {
		e := must(t, t.TempDir())
		raw := bytes.Repeat([]byte("x"), size)
		for rev := range uint64(4 * most / size) {
			c := save(rev+1, "a", rev, raw)
			c.Writes[0].Patch = storetest.Patch("p", raw)
			if err := e.Commit(t.Context(), []store.Change{c}); err != nil {
				t.Fatal(err)
			}
		}
		if _, log, err := e.Sizes(); err != nil || log > most {
			t.Errorf("%s changes: the log has %d bytes, want at most %d; %v", name, log, most, err)
		}
	}
}
