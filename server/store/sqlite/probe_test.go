package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"drp/server/store"
	"drp/server/store/storetest"
)

// probing probes a store again and again: while there is no room for anything, and with room.
func probing(path string) error {
	ctx := context.Background()
	e, err := Open(ctx, path, storetest.Advance)
	if err != nil {
		return err
	}
	defer e.Close()
	if err := e.Commit(ctx, []store.Change{save(1, "a", 0, []byte("1"))}); err != nil {
		return err
	}
	_, log, err := e.Sizes()
	if err != nil || log == 0 {
		return fmt.Errorf("the log has %d bytes: %v", log, err)
	}
	signal.Ignore(syscall.SIGXFSZ)
	var free syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &free); err != nil {
		return err
	}
	limit := func(to syscall.Rlimit) error { return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &to) }
	for range 3 {
		if err := limit(syscall.Rlimit{Cur: uint64(log), Max: free.Max}); err != nil {
			return err
		}
		for range 2 {
			if err := e.Probe(ctx); err == nil || !strings.Contains(err.Error(), path) {
				return fmt.Errorf("probe without room: got %v, want an error that names the file", err)
			}
		}
		if err := limit(free); err != nil {
			return err
		}
		if err := e.Probe(ctx); err != nil {
			return fmt.Errorf("probe with room again: %w", err)
		}
		if _, log, err = e.Sizes(); err != nil {
			return err
		}
	}
	if err := e.Commit(ctx, []store.Change{save(2, "a", 1, []byte("2"))}); err != nil {
		return err
	}
	fmt.Println("probed")
	return nil
}

// TestAProbeFailsAsACommitWould: and changes nothing that anybody sees.
func TestAProbeFailsAsACommitWould(t *testing.T) {
	dir := t.TempDir()
	a := spawn(t, "probing", filepath.Join(dir, "drp.db"))
	if got := a.line(t); got != "probed" {
		t.Fatalf("the probing process says %q", got)
	}
	if err := a.Wait(); err != nil {
		t.Fatal(err)
	}
	e := must(t, dir)
	if err := holds(e, 2, map[string]string{"a": "2"}); err != nil {
		t.Error(err)
	}
	healthy(t, e)
	if database, _, err := e.Sizes(); err != nil {
		t.Error(err)
	} else if st, err := os.Stat(e.path); err != nil || st.Size() != database {
		t.Errorf("the database has %d bytes, want %v, %v", database, st, err)
	}
	e.Close()
	if err := e.Probe(t.Context()); !errors.Is(err, store.ErrClosed) {
		t.Errorf("probe of a closed store: got %v, want ErrClosed", err)
	}
}
