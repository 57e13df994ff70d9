package app

import (
	"runtime"
	"runtime/debug"
	"testing"
)

func TestTheCollectorsPaceFollowsWhatIsAlive(t *testing.T) {
	for live, want := range map[uint64]int{0: mostPercent, 1 << 20: mostPercent, 16 << 20: 400, 64 << 20: 100, 1 << 30: leastPercent, 1 << 40: leastPercent} {
		if got := pace(live); got != want {
			t.Errorf("%d bytes alive: got %d percent, want %d", live, got, want)
		}
	}
	for live, last := uint64(1), mostPercent; live < 1<<40; live *= 2 {
		got := pace(live)
		if got > last {
			t.Errorf("%d bytes alive: got %d percent, more than %d for less", live, got, last)
		}
		last = got
	}
}

func TestTheCollectorIsLeftAsItWas(t *testing.T) {
	t.Setenv("GOGC", "")
	before := debug.SetGCPercent(123)
	defer debug.SetGCPercent(before)
	end := Collect()
	for debug.SetGCPercent(400) == 400 { // until it has looked: some 16 times as much as is alive
		runtime.GC()
		runtime.Gosched()
	}
	end()
	if got := debug.SetGCPercent(before); got != 123 {
		t.Errorf("afterwards: got %d percent, want 123", got)
	}
}
