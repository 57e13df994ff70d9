package render

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"

	"drp/models"
	"drp/server/objects"
)

// Paths leads from what stands in a path to the machines it may belong to. It holds a few texts a
// machine and no rendered paths: what it finds is a guess, which rendering confirms. It is safe for
// concurrent use. Follow the service's commits with it, and Load it once the service has started.
type Paths struct {
	mu     sync.RWMutex
	loaded bool
	by     map[string][]string // address, hardware address or short name -> UUIDs, in order
}

// NewPaths makes an empty index.
func NewPaths() *Paths { return &Paths{} }

// Load fills the index with the machines there are.
func (p *Paths) Load(s *objects.Service) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.by = map[string][]string{}
	for m := range objects.All[*models.Machine](s.View()) {
		p.add(m.Uuid, keys(m))
	}
	p.loaded = true
}

// Follow keeps the index up with a commit.
func (p *Paths) Follow(c *objects.Commit) {
	for _, ch := range c.Changes {
		if ch.Kind != "machines" {
			continue
		}
		was, is := machineOf(ch.Old), machineOf(ch.New)
		if was != nil && is != nil && was.Name == is.Name && was.Address == is.Address && slices.Equal(was.HardwareAddrs, is.HardwareAddrs) {
			continue
		}
		p.mu.Lock()
		if p.loaded {
			p.remove(ch.Key, keys(was))
			p.add(ch.Key, keys(is))
		}
		p.mu.Unlock()
	}
}

func machineOf(e *objects.Entry) *models.Machine {
	if e == nil {
		return nil
	}
	return e.Object.(*models.Machine)
}

func (p *Paths) add(uuid string, keys []string) {
	for _, k := range keys {
		if i, ok := slices.BinarySearch(p.by[k], uuid); !ok {
			p.by[k] = slices.Insert(p.by[k], i, uuid)
		}
	}
}

func (p *Paths) remove(uuid string, keys []string) {
	for _, k := range keys {
		if i, ok := slices.BinarySearch(p.by[k], uuid); ok {
			p.by[k] = slices.Delete(p.by[k], i, i+1)
		}
		if len(p.by[k]) == 0 {
			delete(p.by, k)
		}
	}
}

// keys are what the index knows a machine by, beside its UUID and its name.
func keys(m *models.Machine) []string {
	if m == nil {
		return nil
	}
	var list []string
	if a := canonical(m.Address); a != "" {
		if list = append(list, a); a != m.Address { // templates write it as it is
			list = append(list, m.Address)
		}
	}
	for _, mac := range m.HardwareAddrs {
		mac = macOf(mac)
		list = append(list, mac[:min(len(mac), macLength)])
	}
	if short, _, dotted := strings.Cut(m.Name, "."); dotted {
		list = append(list, short)
	}
	return list
}

// canonical is an IP address as all write it, or "".
func canonical(text string) string {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return ""
	}
	return a.Unmap().String()
}

const (
	macLength  = len("aa:bb:cc:dd:ee:ff")
	uuidLength = 36
	hexLength  = 8
)

// find is the UUIDs of the machines that a path names, and then of those at the address that asks.
func (p *Paths) find(r objects.Reader, path string, asking string) []string {
	var found []string
	seen := map[string]bool{}
	add := func(uuids ...string) {
		for _, u := range uuids {
			if !seen[u] {
				seen[u], found = true, append(found, u)
			}
		}
	}
	p.mu.RLock()
	defer p.mu.RUnlock()
	for i := range path {
		if s := window(path, i, uuidLength); s != "" && s[8] == '-' && models.IsUUID(s) {
			add(s)
		}
		if s := window(path, i, macLength); isMAC(s) {
			add(p.by[strings.ReplaceAll(s, "-", ":")]...)
		}
		if s := window(path, i, hexLength); isHex(s) {
			add(p.by[ofHex(s)]...)
		}
	}
	for step := range strings.SplitSeq(path, "/") {
		for name := step; name != ""; name = name[:max(0, strings.LastIndexByte(name, '.'))] {
			if e, ok := r.Find("machines", "Name:"+name); ok {
				add(e.Object.Key())
			}
			add(p.by[name]...)
		}
	}
	// Where many share an address it tells nothing of who asks.
	if l := p.by[canonical(asking)]; len(l) <= maxShared {
		add(l...)
	}
	return found
}

const maxShared = 16

func window(s string, at, n int) string {
	if at+n > len(s) {
		return ""
	}
	return s[at : at+n]
}

func isMAC(s string) bool {
	for i := range s {
		switch c := s[i]; {
		case i%3 == 2:
			if c != ':' && c != '-' {
				return false
			}
		case (c < '0' || c > '9') && (c < 'a' || c > 'f'):
			return false
		}
	}
	return s != ""
}

func isHex(s string) bool {
	for i := range s {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'F') {
			return false
		}
	}
	return s != ""
}

// ofHex is the address that pxelinux writes so.
func ofHex(s string) string {
	n, _ := strconv.ParseUint(s, 16, 32) // isHex
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}).String()
}
