package faultvfs

import (
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// state is what is known of a disk at a moment: what must be there, and what may be.
type state struct {
	files map[int]*content
	names map[string]int // durable
	loose []op           // changes of names since the folder was synced
}

// content is a file's.
type content struct {
	durable []byte
	loose   []op // writes and cuts since it was synced
}

// at is the state after the first n operations of the log.
func (d *Disk) at(n int) *state {
	s := &state{files: map[int]*content{}, names: map[string]int{}}
	for _, o := range d.log[:n] {
		s.apply(o)
	}
	return s
}

func (s *state) apply(o op) {
	switch o.kind {
	case Create:
		s.files[o.file] = &content{}
		s.loose = append(s.loose, o)
	case Delete, Rename:
		s.loose = append(s.loose, o)
	case SyncDir:
		for _, o := range s.loose {
			o.rename(s.names)
		}
		s.loose = nil
	case Write, Truncate:
		c := s.files[o.file]
		c.loose = append(c.loose, o)
	case Sync:
		c := s.files[o.file]
		if o.failed != 0 {
			c.durable = survivors(c, rand.New(rand.NewPCG(o.failed, 2)))
		} else {
			for _, o := range c.loose {
				c.durable = o.change(c.durable, 0)
			}
		}
		c.loose = nil
	}
}

// rename carries out a change of names.
func (o op) rename(names map[string]int) {
	switch o.kind {
	case Create:
		names[o.name] = o.file
	case Delete:
		delete(names, o.name)
	case Rename:
		if names[o.name] == o.file {
			delete(names, o.name)
		}
		names[o.to] = o.file
	}
}

// change carries out a write or a cut; what a write beyond the end leaves out is filled.
func (o op) change(b []byte, fill byte) []byte {
	end := o.off + int64(len(o.data))
	if o.kind == Truncate && o.off < int64(len(b)) {
		return b[:o.off:o.off]
	}
	for int64(len(b)) < end {
		b = append(b, fill)
	}
	copy(b[o.off:], o.data)
	return b
}

const (
	sector = 512
	page   = 4096
)

// survivors is what a file may hold after the power has failed: all that was synced; of the rest
// any part, in any order, torn anywhere or nowhere.
func survivors(c *content, random *rand.Rand) []byte {
	piece := []int64{sector, page, 1 << 40}[random.IntN(3)]
	chance := []float64{0, 0.5, 0.9, 1, random.Float64()}[random.IntN(5)]
	fill := []byte{0, 0, 0xA5}[random.IntN(3)]
	var pieces []op
	for _, o := range c.loose {
		if o.kind == Truncate {
			pieces = append(pieces, o)
			continue
		}
		for data, off := o.data, o.off; len(data) > 0; {
			n := min(piece-off%piece, int64(len(data)))
			pieces = append(pieces, op{kind: Write, off: off, data: data[:n]})
			data, off = data[n:], off+n
		}
	}
	if random.IntN(2) == 0 {
		random.Shuffle(len(pieces), func(i, j int) { pieces[i], pieces[j] = pieces[j], pieces[i] })
	}
	b := slices.Clone(c.durable)
	for _, o := range pieces {
		switch {
		case random.Float64() < chance:
			b = o.change(b, fill)
		case o.kind == Write && random.IntN(4) == 0: // the file has grown, its content did not make it
			b = op{kind: Write, off: o.off + int64(len(o.data))}.change(b, fill)
		}
	}
	return b
}

// Cut writes to an empty folder what the disk may hold when the power fails at a moment. Random
// decides what survives of that which was not synced. Beside it lies rubbish where SQLite keeps
// its shared memory, as no one clears that away.
func (d *Disk) Cut(at int, random *rand.Rand, into string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.at(at)
	keep := random.Float64()
	for _, o := range s.loose {
		if random.Float64() < keep {
			o.rename(s.names)
		}
	}
	var errs []error
	for _, name := range sorted(s.names) {
		errs = append(errs, os.WriteFile(filepath.Join(into, name), survivors(s.files[s.names[name]], random), 0o600))
		if random.IntN(4) == 0 && !passing(name) {
			rubbish := make([]byte, 32<<10)
			for i := range rubbish {
				rubbish[i] = byte(random.Uint32())
			}
			errs = append(errs, os.WriteFile(filepath.Join(into, name+"-shm"), rubbish, 0o600))
		}
	}
	return errors.Join(errs...)
}

func sorted(names map[string]int) []string {
	list := make([]string, 0, len(names))
	for name := range names {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}
