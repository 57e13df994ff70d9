package events

import "sync/atomic"

// Counts is what a hub has done since it was made.
type Counts struct {
	Published uint64 // events handed to it
	Queued    uint64 // handed on, acknowledgements among them: one event may go to many, or to none
	Dropped   uint64 // not handed on, because the subscriber was too far behind
	CutOff    uint64 // subscribers cut off for that
}

type counts struct{ published, queued, dropped, cutOff atomic.Uint64 }

// Counts is what the hub has done so far.
func (h *Hub) Counts() Counts {
	c := &h.counts
	return Counts{c.published.Load(), c.queued.Load(), c.dropped.Load(), c.cutOff.Load()}
}
