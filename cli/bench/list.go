package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"
)

// What is listed: pages of so many of so many machines, each with params that the page leaves out.
const (
	listed   = 10_000
	page     = 100
	listSize = 2 << 10
)

// machineName is the name of the i-th machine of a set, and machineUUID its id.
func machineName(set string, i int) string { return fmt.Sprintf("%s-%06d.example.com", set, i) }
func machineUUID(set, i int) string        { return fmt.Sprintf("%08x-0000-4000-8000-%012x", set, i) }

// newMachine is a machine with params of so many bytes.
func newMachine(set string, id, i, params int) map[string]any {
	return map[string]any{"Name": machineName(set, i), "Uuid": machineUUID(id, i), "Params": filler(params)}
}

// many does n things over several connections at once.
func many(conns []*lean, n int, work func(c *lean, i int) error) error {
	return all(len(conns), func(k int) error {
		for i := k; i < n; i += len(conns) {
			if err := work(conns[k], i); err != nil {
				return err
			}
		}
		return nil
	})
}

// loadMachines creates n machines of about a size in drp.
func (d *drp) loadMachines(set string, id, n, size int) error {
	conns, err := d.clients(32)
	if err != nil {
		return err
	}
	var bare json.RawMessage
	if err := call(conns[0], "POST", api+"machines", newMachine(set, id, 0, 0), &bare, 201); err != nil {
		return err
	}
	return many(conns, n-1, func(c *lean, i int) error {
		return call(c, "POST", api+"machines", newMachine(set, id, i+1, size-len(bare)), nil, 201)
	})
}

// lists is the second part of group b.
func (b *bench) lists() error {
	b.progress("making %d machines in each server", listed)
	if err := b.drp.loadMachines("list", 1, listed, listSize); err != nil {
		return fmt.Errorf("fill drp: %w", err)
	}
	one := contender{"drp", b.drp.pages(1)}
	row, err := b.drp.slimSize()
	if err != nil {
		return err
	}
	if b.etcd != nil { // which has no slim answers: its values are as large as those
		if _, err := b.etcd.do(order{Do: "fill", Set: "list", Keys: listed, Size: row}); err != nil {
			return err
		}
	}
	if b.pb != nil {
		if err := b.pb.loadRecords("list", listed, listSize, row); err != nil {
			return fmt.Errorf("fill PocketBase: %w", err)
		}
	}
	for _, n := range []int{1, 16} {
		one.round = b.drp.pages(n)
		list := []contender{one}
		if b.etcd != nil {
			list = append(list, b.etcd.contender("etcd", order{Do: "list", Set: "list", Size: row, Count: page, Clients: n}))
		}
		if b.pb != nil {
			list = append(list, contender{"PocketBase", b.pb.pages(n)})
		}
		if err := b.row("b", fmt.Sprintf("page of %d of %d machines", page, listed), n, list...); err != nil {
			return err
		}
	}
	return nil
}

// pages is a round of slim pages, each with the number of all machines in a header.
func (d *drp) pages(clients int) func(time.Duration) (sample, error) {
	return func(length time.Duration) (sample, error) {
		conns, err := d.clients(clients)
		if err != nil {
			return sample{}, err
		}
		return drive(clients, length, func(c, i int) error {
			path := slimPage((c*37 + i) % (listed / page) * page)
			a, err := conns[c].do("GET", path, "", nil)
			if err != nil {
				return err
			}
			if a.status != 200 || bytes.Count(a.body, []byte(`"Uuid":"`)) != page || bytes.Contains(a.body, []byte("filler")) {
				return unexpected("GET", path, a)
			}
			return nil
		})
	}
}

func slimPage(offset int) string {
	return api + "machines?slim=Params,Meta&limit=" + strconv.Itoa(page) + "&offset=" + strconv.Itoa(offset)
}

// slimSize is how long a slim machine is.
func (d *drp) slimSize() (int, error) {
	conns, err := d.clients(1)
	if err != nil {
		return 0, err
	}
	a, err := conns[0].do("GET", slimPage(0), "", nil)
	if err != nil {
		return 0, err
	}
	if a.status != 200 {
		return 0, unexpected("GET", slimPage(0), a)
	}
	return len(a.body) / page, nil
}

// loadRecords creates records of a size, of which a part is what a list shows.
func (b *pocketbase) loadRecords(set string, n, size, shown int) error {
	conns, err := b.clients(32)
	if err != nil {
		return err
	}
	note := string(bytes.Repeat([]byte("x"), shown-100))
	return many(conns, n, func(c *lean, i int) error {
		body := map[string]any{"id": recordID(set, i), "value": counter(i), "note": note, "params": filler(size - shown)}
		return call(c, "POST", records, body, nil, 200)
	})
}

// pages is a round of pages without params, each with the number of all records.
func (b *pocketbase) pages(clients int) func(time.Duration) (sample, error) {
	return func(length time.Duration) (sample, error) {
		conns, err := b.clients(clients)
		if err != nil {
			return sample{}, err
		}
		return drive(clients, length, func(c, i int) error {
			path := fmt.Sprintf("%s?fields=id,value,note&perPage=%d&page=%d", records, page, 1+(c*37+i)%(listed/page))
			a, err := conns[c].do("GET", path, "", nil)
			if err != nil {
				return err
			}
			if a.status != 200 || bytes.Count(a.body, []byte(`"id":"`)) != page || bytes.Contains(a.body, []byte("filler")) {
				return unexpected("GET", path, a)
			}
			return nil
		})
	}
}
