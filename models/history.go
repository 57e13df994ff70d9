package models

import (
	"encoding/json"
	"time"
)

// HistoryEntry is what one change did to one object.
type HistoryEntry struct {
	Rev    uint64 // of the change; others of the same revision belong to the same change
	Time   time.Time
	Who    string // the principal that asked for it, such as "user:ann"
	Job    string `json:",omitempty"` // whose script or runner asked for it
	Undoes string `json:",omitempty"` // what the change took back, such as "revision 17"
	Action string // create, update, save or delete
	Kind   string
	Key    string
	// Patch is the RFC 6902 patch from the object before to the object after, with a test
	// before all that loses a value; an object that is not there is null. What is never shown
	// has the value Hidden.
	Patch json.RawMessage
}

// Hidden stands in the patches of history for values that are never shown.
const Hidden = "(hidden)"

// Undo asks to take changes back: that of Rev, or all since Since by Job or by Who.
type Undo struct {
	Rev    uint64
	Job    string
	Who    string
	Since  string   // a revision, a time, or how long ago; a job's changes are found without
	Except []uint64 // revisions that are to stay
	DryRun bool     // tell only what would be done
}

// Undone tells what was taken back.
type Undone struct {
	Rev     uint64 // of the change that took it back; 0: nothing has changed
	Undoes  string
	Undone  []uint64 // the changes taken back, newest first
	Kept    []Kept   // those that were asked for too, and stay
	Changes []HistoryEntry
}

// Kept is a change that an undo of many leaves as it is.
type Kept struct {
	Rev    uint64
	Reason string
}
