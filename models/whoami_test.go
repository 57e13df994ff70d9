package models

import (
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
)

// TestAMachineIsRecognisedByWhatItHas: for random hosts and machines the score is the sum that the
// naive rules give.
func TestAMachineIsRecognisedByWhatItHas(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	some := func(list ...string) string { return list[r.IntN(len(list))] }
	macs := []string{"52:54:00:00:00:01", "52:54:00:00:00:0A", "52:54:00:00:00:0b"}
	uuids := []string{"11111111-1111-4111-8111-11111111111a", "22222222-2222-4222-8222-22222222222b"}
	print := func() Fingerprint {
		f := Fingerprint{SSNHash: []byte(some("", "a", "b")), CSNHash: []byte(some("", "c", "d")), SystemUUID: some("", uuids[0], uuids[1]), CloudInstanceID: some("", "", "x", "y")}
		for range r.IntN(4) {
			f.MemoryIds = append(f.MemoryIds, []byte(some("1", "2", "3")))
		}
		return f
	}
	scored := 0
	for range 20_000 {
		w := Whoami{Fingerprint: print(), OnDiskUUID: some("", "", "", strings.ToUpper(uuids[0]))}
		m := Machine{Uuid: some(uuids...), Fingerprint: print()}
		for range r.IntN(4) {
			w.MacAddrs = append(w.MacAddrs, strings.ToLower(some(macs...)))
		}
		for range r.IntN(4) {
			m.HardwareAddrs = append(m.HardwareAddrs, some(macs...))
		}
		want, f := 0, m.Fingerprint
		if len(f.SSNHash) > 0 && string(f.SSNHash) == string(w.Fingerprint.SSNHash) {
			want += 25
		}
		if len(f.CSNHash) > 0 && string(f.CSNHash) == string(w.Fingerprint.CSNHash) {
			want += 25
		}
		if f.SystemUUID != "" && f.SystemUUID == w.Fingerprint.SystemUUID {
			want += 50
		}
		if f.CloudInstanceID != "" && f.CloudInstanceID == w.Fingerprint.CloudInstanceID {
			want += 500
		}
		if m.Uuid == strings.ToLower(w.OnDiskUUID) {
			want += 1000
		}
		found := 0
		for _, id := range f.MemoryIds {
			for _, own := range w.Fingerprint.MemoryIds {
				if string(own) == string(id) {
					found++
					break
				}
			}
		}
		if found > 0 {
			want += 100 * found / len(f.MemoryIds)
		}
		found = 0
		for _, a := range m.HardwareAddrs {
			for _, own := range w.MacAddrs {
				if strings.EqualFold(own, a) {
					found++
					break
				}
			}
		}
		if found > 0 {
			want += 100 * found / len(m.HardwareAddrs)
		}
		if want < 100 {
			want = 0
		}
		if got := w.Likeness().Score(&m); got != want {
			h, _ := json.Marshal(w)
			o, _ := json.Marshal(m)
			t.Fatalf("seed %d: %s is %d like %s, want %d", seed, h, got, o, want)
		}
		if want > 0 {
			scored++
		}
	}
	if scored < 1000 {
		t.Errorf("seed %d: only %d pairs are alike at all", seed, scored)
	}
}
