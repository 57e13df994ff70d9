package models

import (
	"encoding/json"
	"time"
)

// Event tells what happened to an object, or what somebody posted.
type Event struct {
	Time      time.Time
	Type      string // the kind, or "websocket", "log", or anything posted
	Action    string // create, update, save, delete, or anything posted
	Key       string
	Principal string
	Object    json.RawMessage // after the change; for a deletion, what was deleted
	Original  json.RawMessage // before an update or save; else null
	Rev       uint64          `json:",omitempty"` // of the change, or the newest one when a filter is acknowledged; 0 for posted events
	// More is true when further events of the same revision follow.
	More bool `json:",omitempty"`
}

// Complete is the newest revision of which nothing is outstanding once this event has arrived,
// the place to resume from: some events of the revision before may then come once more.
func (e *Event) Complete() uint64 {
	if e.More && e.Rev > 0 {
		return e.Rev - 1
	}
	return e.Rev
}
