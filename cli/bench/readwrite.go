package main

import (
	"fmt"
	"time"
)

var crowds = []int{1, 16, 128}

// sets are objects of one size in every server.
type sets struct {
	drp     *profiles
	records *recordSet // nil without PocketBase
	name    string
	size    int
}

// fill makes objects in every server, once.
func (b *bench) fill(name string, size int) (*sets, error) {
	if s := b.made[name]; s != nil {
		return s, nil
	}
	b.progress("making %d objects of %d KB in each server", keysOf, size>>10)
	s := &sets{name: name, size: size}
	var err error
	if s.drp, err = b.drp.profiles(name, size); err != nil {
		return nil, fmt.Errorf("fill drp: %w", err)
	}
	if b.etcd != nil {
		if _, err = b.etcd.do(order{Do: "fill", Set: name, Keys: keysOf, Size: size}); err != nil {
			return nil, err
		}
	}
	if b.pb != nil {
		if s.records, err = b.pb.records(name, size); err != nil {
			return nil, fmt.Errorf("fill PocketBase: %w", err)
		}
	}
	if b.made == nil {
		b.made = map[string]*sets{}
	}
	b.made[name] = s
	return s, nil
}

var sizes = []struct {
	name string
	size int
}{{"small", 1 << 10}, {"large", 16 << 10}}

// writes is group a.
func (b *bench) writes() error {
	for _, size := range sizes {
		s, err := b.fill(size.name, size.size)
		if err != nil {
			return err
		}
		for _, n := range crowds {
			list := []contender{{"drp", func(d time.Duration) (sample, error) { return s.drp.patch(n, d) }}}
			if b.etcd != nil {
				cas := b.etcd.contender("etcd", order{Do: "cas", Set: s.name, Size: s.size, Clients: n})
				list = append(list, contender{"etcd", func(d time.Duration) (sample, error) {
					m, err := cas.round(d)
					if err != nil {
						return m, err
					}
					_, err = b.etcd.do(order{Do: "compact"})
					return m, err
				}})
			}
			if b.pb != nil {
				list = append(list, contender{"PocketBase", func(d time.Duration) (sample, error) { return s.records.patch(n, d) }})
			}
			if err := b.row("a", fmt.Sprintf("PATCH, %d KB", s.size>>10), n, list...); err != nil {
				return err
			}
		}
	}
	return nil
}

// reads is group b.
func (b *bench) reads() error {
	for _, size := range sizes {
		s, err := b.fill(size.name, size.size)
		if err != nil {
			return err
		}
		for _, n := range crowds {
			if b.quick && n != 16 && size.name == "large" {
				continue
			}
			list := []contender{{"drp", func(d time.Duration) (sample, error) { return s.drp.get(n, d) }}}
			if b.etcd != nil {
				get := order{Do: "get", Set: s.name, Size: s.size, Clients: n}
				list = append(list, b.etcd.contender("etcd", get))
				if !b.quick {
					get.Serializable = true
					list = append(list, b.etcd.contender("etcd, serializable", get))
				}
			}
			if b.pb != nil {
				list = append(list, contender{"PocketBase", func(d time.Duration) (sample, error) { return s.records.get(n, d) }})
			}
			if err := b.row("b", fmt.Sprintf("GET by id, %d KB", s.size>>10), n, list...); err != nil {
				return err
			}
		}
	}
	return b.lists()
}
