package events

import (
	"testing"

	"drp/models"
)

// TestEveryEventIsCounted: what was published was queued or dropped for each subscriber that
// wanted it, and who lost one is cut off once.
func TestEveryEventIsCounted(t *testing.T) {
	h := New((&past{}).replay)
	wanting, other, blind := h.Subscribe(all), h.Subscribe(all), h.Subscribe(func(*Message) bool { return false })
	for s, spec := range map[*Sub]string{wanting: "machines.*.*", other: "profiles.*.*", blind: "machines.*.*"} {
		if err := s.register(spec, 0, false); err != nil {
			t.Fatal(err)
		}
	}
	const n, beyond = queueLength - 1, 10 // the acknowledgement is in the queue, too
	for range n + beyond {
		h.Publish(&Message{Event: models.Event{Type: "machines", Action: "update", Key: "k", Rev: 1}})
	}
	want := Counts{Published: n + beyond, Queued: 3 + n, Dropped: beyond, CutOff: 1}
	if got := h.Counts(); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	h.Close()
	if got := h.Counts(); got != want {
		t.Errorf("after the end: got %+v, want %+v: nobody was too slow", got, want)
	}
}
