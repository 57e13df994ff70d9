package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"drp/server/objects"
	"drp/server/store"

	"golang.org/x/sys/unix"
)

// readiness tells whether the server can do its work, to balancers and monitors.
type readiness struct {
	stopping atomic.Bool
	failed   atomic.Bool // the store refused the newest batch, and has taken nothing since
	now      func() time.Time
	free     func() (bytes uint64, err error) // room on the disk
	probe    func(context.Context) error      // makes a write that means nothing durable

	mu     sync.Mutex // held while the store is probed
	probed time.Time
}

const (
	// leastFree is the room on the disk below which new work should go elsewhere.
	leastFree = 64 << 20
	// probeEvery bounds how often a store that has failed is tried: anybody may ask.
	probeEvery = time.Second
)

// batch notes how the newest batch ended. That another server wrote first is no failure.
func (r *readiness) batch(b *objects.Batch) {
	var conflict *store.ConflictError
	if b.Changes > 0 && !errors.As(b.Err, &conflict) {
		r.failed.Store(b.Err != nil)
	}
}

// reasons is why the server is not ready, in words for everybody. A store that has failed is
// tried again, for without requests nobody else would.
func (r *readiness) reasons(ctx context.Context) []string {
	var list []string
	if r.stopping.Load() {
		list = append(list, "the server is stopping")
	}
	switch free, err := r.free(); {
	case err != nil:
		list = append(list, "the disk does not tell how much room is left")
	case free < leastFree:
		list = append(list, fmt.Sprintf("less than %d MiB are left on the disk", leastFree>>20))
	}
	if r.failed.Load() && !r.recovered(ctx) {
		list = append(list, "the newest changes could not be made durable")
	}
	return list
}

func (r *readiness) recovered(ctx context.Context) bool {
	if !r.mu.TryLock() {
		return false // somebody tries right now
	}
	defer r.mu.Unlock()
	if r.now().Sub(r.probed) < probeEvery {
		return false
	}
	r.probed = r.now()
	if r.probe(ctx) != nil {
		return false
	}
	r.failed.Store(false)
	return true
}

// still tells, without trying anything, whether the server is ready.
func (r *readiness) still() bool {
	free, err := r.free()
	return !r.stopping.Load() && !r.failed.Load() && err == nil && free >= leastFree
}

// freeBytes is how many bytes are left for data in a folder.
func freeBytes(folder string) (uint64, error) {
	var st unix.Statfs_t
	if err := unix.Statfs(folder, &st); err != nil {
		return 0, fmt.Errorf("room in %s: %w", folder, err)
	}
	return st.Bavail * uint64(st.Bsize), nil
}
