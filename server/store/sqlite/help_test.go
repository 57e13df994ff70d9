package sqlite

import (
	"path/filepath"
	"testing"
)

// must opens the store of a directory.
func must(t testing.TB, dir string) *Engine {
	t.Helper()
	e, err := Open(t.Context(), filepath.Join(dir, "drp.db"))
	if err != nil {
		t.Fatal(err)
	}
	return e
}
