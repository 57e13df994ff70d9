package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// keysOf is how many objects a set has: enough for each client to have some of its own, so that
// every patch applies.
const keysOf = 256

// filler makes params that lengthen a JSON object by n bytes; 0 to 30 bytes are left out.
func filler(n int) map[string]string {
	const each = 92 // ,"bench/filler-000":"…70…"
	params := map[string]string{}
	for i := 0; n > each-70; i++ {
		text := min(70, n-(each-70))
		params[fmt.Sprintf("bench/filler-%03d", i)] = strings.Repeat("x", text)
		n -= each - 70 + text
	}
	return params
}

// counter is the value that patches replace; its length is always the same.
func counter(n int) string { return fmt.Sprintf("%08d", n) }

// profiles is a set of objects of drp, all of about one size.
type profiles struct {
	*drp
	set    string
	size   int
	counts []int
}

func (d *drp) profiles(set string, size int) (*profiles, error) {
	conns, err := d.clients(16)
	if err != nil {
		return nil, err
	}
	p := &profiles{drp: d, set: set, size: size, counts: make([]int, keysOf)}
	var bare json.RawMessage
	profile := func(name string, extra int) map[string]any {
		params := map[string]any{"bench/value": counter(0)}
		for k, v := range filler(extra) {
			params[k] = v
		}
		return map[string]any{"Name": name, "Params": params}
	}
	if err := call(conns[0], "POST", api+"profiles", profile(p.name(999), 0), &bare, 201); err != nil {
		return nil, err
	}
	return p, all(len(conns), func(c int) error {
		for i := c; i < keysOf; i += len(conns) {
			if err := call(conns[c], "POST", api+"profiles", profile(p.name(i), size-len(bare)), nil, 201); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *profiles) name(i int) string { return fmt.Sprintf("%s-%03d", p.set, i) }

// patch is a round of patches: a test of the old value and a replace by the next one. In the end
// each object must hold what was acknowledged last.
func (p *profiles) patch(clients int, length time.Duration) (sample, error) {
	conns, err := p.clients(clients)
	if err != nil {
		return sample{}, err
	}
	mine := keysOf / clients
	s, err := drive(clients, length, func(c, i int) error {
		k := c*mine + i%mine
		was, now := counter(p.counts[k]), counter(p.counts[k]+1)
		patch := `[{"op":"test","path":"/Params/bench~1value","value":"` + was + `"},{"op":"replace","path":"/Params/bench~1value","value":"` + now + `"}]`
		a, err := conns[c].do("PATCH", api+"profiles/"+p.name(k), "", []byte(patch))
		if err != nil {
			return err
		}
		if a.status != 200 || !bytes.Contains(a.body, []byte(`"bench/value":"`+now)) {
			return unexpected("PATCH", "profiles/"+p.name(k), a)
		}
		p.counts[k]++
		return nil
	})
	if err != nil {
		return s, err
	}
	return s, p.check(conns[0])
}

// check reads every object back.
func (p *profiles) check(c *lean) error {
	for k, n := range p.counts {
		a, err := c.do("GET", api+"profiles/"+p.name(k), "", nil)
		if err != nil {
			return err
		}
		if a.status != 200 || !bytes.Contains(a.body, []byte(`"bench/value":"`+counter(n)+`"`)) || !near(len(a.body), p.size) {
			return fmt.Errorf("expected %s of %d bytes: %w", counter(n), p.size, unexpected("GET", "profiles/"+p.name(k), a))
		}
	}
	return nil
}

// near allows for what params cannot be cut to.
func near(got, want int) bool { return got >= want-64 && got <= want+64 }

// get is a round of reads by name.
func (p *profiles) get(clients int, length time.Duration) (sample, error) {
	conns, err := p.clients(clients)
	if err != nil {
		return sample{}, err
	}
	return drive(clients, length, func(c, i int) error {
		k := (c*31 + i) % keysOf
		a, err := conns[c].do("GET", api+"profiles/"+p.name(k), "", nil)
		if err != nil {
			return err
		}
		if a.status != 200 || !near(len(a.body), p.size) {
			return unexpected("GET", "profiles/"+p.name(k), a)
		}
		return nil
	})
}

// recordSet is the same in PocketBase.
type recordSet struct {
	*pocketbase
	set    string
	size   int
	counts []int
}

func (b *pocketbase) records(set string, size int) (*recordSet, error) {
	conns, err := b.clients(16)
	if err != nil {
		return nil, err
	}
	s := &recordSet{pocketbase: b, set: set, size: size, counts: make([]int, keysOf)}
	record := func(i, extra int) map[string]any {
		return map[string]any{"id": recordID(set, i), "value": counter(0), "params": filler(extra)}
	}
	var bare json.RawMessage
	if err := call(conns[0], "POST", records, record(999, 0), &bare, 200); err != nil {
		return nil, err
	}
	return s, all(len(conns), func(c int) error {
		for i := c; i < keysOf; i += len(conns) {
			if err := call(conns[c], "POST", records, record(i, size-len(bare)), nil, 200); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *recordSet) patch(clients int, length time.Duration) (sample, error) {
	conns, err := s.clients(clients)
	if err != nil {
		return sample{}, err
	}
	mine := keysOf / clients
	m, err := drive(clients, length, func(c, i int) error {
		k := c*mine + i%mine
		now := counter(s.counts[k] + 1)
		a, err := conns[c].do("PATCH", records+"/"+recordID(s.set, k), "", []byte(`{"value":"`+now+`"}`))
		if err != nil {
			return err
		}
		if a.status != 200 || !bytes.Contains(a.body, []byte(`"value":"`+now)) {
			return unexpected("PATCH", recordID(s.set, k), a)
		}
		s.counts[k]++
		return nil
	})
	if err != nil {
		return m, err
	}
	for k, n := range s.counts {
		a, err := conns[0].do("GET", records+"/"+recordID(s.set, k), "", nil)
		if err != nil {
			return m, err
		}
		if a.status != 200 || !bytes.Contains(a.body, []byte(`"value":"`+counter(n)+`"`)) || !near(len(a.body), s.size) {
			return m, fmt.Errorf("expected %s of %d bytes: %w", counter(n), s.size, unexpected("GET", recordID(s.set, k), a))
		}
	}
	return m, nil
}

func (s *recordSet) get(clients int, length time.Duration) (sample, error) {
	conns, err := s.clients(clients)
	if err != nil {
		return sample{}, err
	}
	return drive(clients, length, func(c, i int) error {
		k := (c*31 + i) % keysOf
		a, err := conns[c].do("GET", records+"/"+recordID(s.set, k), "", nil)
		if err != nil {
			return err
		}
		if a.status != 200 || !near(len(a.body), s.size) {
			return unexpected("GET", recordID(s.set, k), a)
		}
		return nil
	})
}
