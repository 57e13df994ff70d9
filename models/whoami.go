package models

import (
	"net"
	"strings"
)

// Whoami is what a host knows of itself when it asks which machine it is, and the answer.
type Whoami struct {
	Result      WhoamiResult
	Fingerprint Fingerprint
	MacAddrs    []string
	OnDiskUUID  string // the machine's key as it was once noted on the host, or ""
}

// WhoamiResult is the machine that a host most resembles; it is empty when there is none.
type WhoamiResult struct {
	Score int    `json:",omitempty"` // see Likeness
	Uuid  string `json:",omitempty"`
	Token string `json:",omitempty"` // of the machine
}

// Normalize brings it to its canonical form.
func (w *Whoami) Normalize() {
	w.Fingerprint.normalize()
	fill(&w.MacAddrs)
}

func (f *Fingerprint) normalize() {
	fill(&f.SSNHash)
	fill(&f.CSNHash)
	fill(&f.MemoryIds)
}

// What each likeness between a host and a machine counts, and how much is enough. Each value alone
// may change with a repair, or be one of many: that of the memory and that of the network cards
// count by the share of the machine's that the host has.
const (
	scoreOnDisk   = 1000
	scoreInstance = 500
	scoreMemory   = 100
	scoreCards    = 100
	scoreSystem   = 50
	scoreSerial   = 25
	scoreEnough   = 100
)

// Likeness is a host prepared for being compared with many machines.
type Likeness struct {
	host   *Whoami
	cards  map[string]bool
	memory map[string]bool
}

// Likeness prepares the host for comparisons.
func (w *Whoami) Likeness() Likeness {
	l := Likeness{w, map[string]bool{}, map[string]bool{}}
	for _, a := range w.MacAddrs {
		l.cards[hardware(a)] = true
	}
	for _, id := range w.Fingerprint.MemoryIds {
		l.memory[string(id)] = true
	}
	return l
}

// hardware is a MAC address in the one form it is compared in.
func hardware(a string) string {
	if m, err := net.ParseMAC(a); err == nil {
		return m.String()
	}
	return a
}

// Score is how much a machine resembles the host, 0 when not enough. What the machine does not have
// is not compared.
func (l Likeness) Score(m *Machine) int {
	f, is, sum := &m.Fingerprint, &l.host.Fingerprint, 0
	for _, c := range []struct {
		machine, host string
		score         int
	}{
		{string(f.SSNHash), string(is.SSNHash), scoreSerial},
		{string(f.CSNHash), string(is.CSNHash), scoreSerial},
		{f.SystemUUID, is.SystemUUID, scoreSystem},
		{f.CloudInstanceID, is.CloudInstanceID, scoreInstance},
		{m.Uuid, l.host.OnDiskUUID, scoreOnDisk},
	} {
		if c.machine != "" && (c.machine == c.host || len(c.machine) == 36 && strings.EqualFold(c.machine, c.host)) {
			sum += c.score
		}
	}
	sum += share(f.MemoryIds, scoreMemory, func(id []byte) bool { return l.memory[string(id)] })
	sum += share(m.HardwareAddrs, scoreCards, func(a string) bool { return l.cards[hardware(a)] })
	if sum < scoreEnough {
		return 0
	}
	return sum
}

// share is the part of full that the members found in a list are of it.
func share[T any](list []T, full int, found func(T) bool) int {
	n := 0
	for _, v := range list {
		if found(v) {
			n++
		}
	}
	if n == 0 {
		return 0
	}
	return full * n / len(list)
}
