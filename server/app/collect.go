package app

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync/atomic"
)

const (
	// garbage is how much garbage may lie about before the collector runs. A server with few objects
	// would else collect after every few megabytes, many times a second under load.
	garbage = 64 << 20
	// leastPercent is what a server with many objects gives the collector instead, in percent of
	// what is alive: its objects are mostly text, which costs the collector little, so it collects
	// earlier than Go would and needs less memory.
	leastPercent = 30
	mostPercent  = 1600
)

// pacer keeps the pace of the garbage collector right for what is in memory. It looks after
// each collection.
type pacer struct {
	percent int
	before  int // what was set before it began
	ended   atomic.Bool
}

// Collect begins to do so for the whole process; the returned func ends it. Who sets GOGC knows
// better.
func Collect() (end func()) {
	if os.Getenv("GOGC") != "" {
		return func() {}
	}
	c := &pacer{percent: 4 * 100}
	c.before = debug.SetGCPercent(c.percent)
	c.watch()
	return func() {
		c.ended.Store(true)
		debug.SetGCPercent(c.before)
	}
}

// watch has look called after the next collection: a value that nobody holds is found then.
func (c *pacer) watch() {
	type sentinel struct{ _ [16]byte }
	runtime.SetFinalizer(&sentinel{}, func(*sentinel) {
		if !c.ended.Load() {
			c.look()
			c.watch()
		}
	})
}

func (c *pacer) look() {
	live := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(live)
	percent := pace(live[0].Value.Uint64())
	if change := percent - c.percent; change*change*100 > c.percent*c.percent { // by a tenth
		c.percent = percent
		debug.SetGCPercent(percent)
	}
}

// pace is the percentage for so many bytes alive.
func pace(live uint64) int {
	return int(min(max(garbage*100/max(live, 1), leastPercent), mostPercent))
}
