// Package store defines what drp asks of a storage engine. An engine keeps records (the
// objects), and for every change a row of history; it knows nothing of what they mean.
// storetest is the suite that each engine must pass.
package store

import (
	"context"
	"errors"
	"iter"
	"strconv"
	"time"
)

// MaxRecord is the largest record any engine accepts, in bytes. It is the same everywhere, so
// that moving to another engine never makes an object too large.
const MaxRecord = 1 << 20

// Key names one record.
type Key struct {
	Kind string // the kind's prefix, such as "machines"
	ID   string // the object's key within its kind
}

// Record is the newest version of one object.
type Record struct {
	Key
	Rev uint64 // revision of the change that wrote it
	Raw []byte // canonical JSON
}

// Change is one atomic change: all of its writes are durable, or none is.
type Change struct {
	// Rev is the revision the change makes. Revisions belong to the whole store: each change
	// takes the next one, without gaps.
	Rev  uint64
	Time time.Time // when it was made; UTC, kept to the nanosecond
	Who  string    // the principal that asked for it, such as "user:rocketskates"
	// Once is the name the caller gave its request, or "". It is kept in history, so that a
	// request that is sent again because its answer was lost can be told from a new one.
	Once string
	// Job is the UUID of the job whose script or runner asked for it, or "".
	Job string
	// Undoes says what the change takes back, or "".
	Undoes string
	// Reads are further records the change was computed from, at the revisions seen.
	Reads  []Cond
	Writes []Write
}

// Cond demands that a record is at a revision; 0 demands that there is none.
type Cond struct {
	Key
	Rev uint64
}

// Write stores or deletes one record.
type Write struct {
	Key
	Prev   uint64 // revision of the record it replaces; 0: there must be none
	Raw    []byte // canonical JSON; nil deletes the record
	Action string // "create", "update", "save" or "delete", kept for history and events
	// Patch is the RFC 6902 patch (a JSON array) that leads from the old record to the new
	// one, with a test before every operation that loses a value, so that it can be inverted.
	// The old document of a creation and the new one of a deletion is null.
	Patch []byte
}

// Query selects writes of history. What is "" or 0 does not matter.
type Query struct {
	Kind, ID string // of the record
	Who, Job string // of the change
	Named    bool   // only changes whose request had a name
	// From and To are the lowest and the highest revision looked at. From 0 is the oldest that
	// is kept, To 0 the newest.
	From, To uint64
	Oldest   bool // the oldest come first
}

// Engine is a durable, ordered store of records. Its methods are safe for concurrent use.
type Engine interface {
	// Load yields every record of one consistent snapshot, ordered by kind and then id
	// (bytewise), and returns the revision of that snapshot. An error from fn ends it and is
	// returned.
	Load(ctx context.Context, fn func(Record) error) (uint64, error)

	// Commit makes all the changes durable in one transaction, in order, or none of them.
	// When it returns nil they survive the loss of the process and of power. The changes must
	// carry the revisions that follow the newest one, and every Prev and Cond must hold, where
	// an earlier change of the same batch counts; else the error is a *ConflictError. A context
	// that ends before the transaction has begun stops it; after that it is carried through.
	Commit(ctx context.Context, batch []Change) error

	// History yields the committed changes with revisions above from, in order and without
	// gaps, up to the newest at the time of the call. When retention has removed some of them,
	// the only thing it yields is ErrCompacted. What was read (Reads) and the records themselves
	// (Raw) are not part of history.
	History(ctx context.Context, from uint64) iter.Seq2[Change, error]

	// Search yields the changes that a query selects, each with those of its writes that it
	// selects, newest first unless it says otherwise. They come from one snapshot; the caller
	// bounds how many revisions are looked at with From and To. Where the query starts at a
	// revision that retention has removed, ErrCompacted takes the place of what is gone: it is
	// the last thing yielded, or the only one when the oldest come first.
	Search(ctx context.Context, q Query) iter.Seq2[Change, error]

	// Compact forgets the history up to and including rev, in steps that others can commit
	// between. Records stay.
	Compact(ctx context.Context, rev uint64) error

	// Size is how many bytes records and history take now, what can be used again not counted.
	Size(ctx context.Context) (int64, error)

	// Backup writes a consistent copy of the whole store to a new file.
	Backup(ctx context.Context, path string) error

	// Close ends it. A commit under way is finished first.
	Close() error
}

var (
	// ErrCompacted says that history before the revision asked for is no longer kept. What
	// engines return is a *CompactedError, which errors.Is takes for this one.
	ErrCompacted = errors.New("store: history is no longer kept back to that revision")
	// ErrLocked says that another process has the store open.
	ErrLocked = errors.New("store: in use by another process")
	// ErrTooLarge says that a record exceeds MaxRecord.
	ErrTooLarge = errors.New("store: record is larger than 1 MiB")
	// ErrFull says that there is no room for a change. Nothing was written; once there is room the
	// engine goes on by itself.
	ErrFull = errors.New("store: no room left on the disk")
	// ErrClosed says that the engine has been closed.
	ErrClosed = errors.New("store: closed")
)

// CompactedError is ErrCompacted with the oldest revision that is still kept.
type CompactedError struct{ Oldest uint64 }

func (e *CompactedError) Error() string {
	return ErrCompacted.Error() + "; the oldest one is " + strconv.FormatUint(e.Oldest, 10)
}

func (e *CompactedError) Is(target error) bool { return target == ErrCompacted }

// ConflictError says which expectation of a batch did not hold. Nothing was written.
type ConflictError struct {
	Key  Key    // empty when the revision of the change itself was not the next one
	Want uint64 // the revision expected, or that of the change
	Have uint64 // the revision found, or the next free one
}

func (e *ConflictError) Error() string {
	if e.Key == (Key{}) {
		return "store: revision " + strconv.FormatUint(e.Want, 10) + " is not the next one, " + strconv.FormatUint(e.Have, 10) + " is"
	}
	return "store: conflict on " + e.Key.Kind + "/" + e.Key.ID + ": expected revision " +
		strconv.FormatUint(e.Want, 10) + ", found " + strconv.FormatUint(e.Have, 10)
}
