// Command bench-etcd-load makes the load on etcd for drp-bench, with etcd's own client library. It
// reads orders from standard input, one JSON object a line, and answers each with a line.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: bench-etcd-load ENDPOINT, as drp-bench does")
	}
	debug.SetGCPercent(400)
	l := &load{endpoint: os.Args[1]}
	in, out := json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)
	for {
		var o order
		switch err := in.Decode(&o); {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			log.Fatal("bench-etcd-load: ", err)
		}
		s, err := l.do(o)
		if err != nil {
			s = sample{Error: err.Error()}
		}
		if err := out.Encode(s); err != nil {
			log.Fatal("bench-etcd-load: ", err)
		}
	}
}

// order and sample are as drp-bench has them.
type order struct {
	Do, Set                            string
	Keys, Size, Clients, Millis, Count int
	Serializable                       bool
}

type sample struct {
	Ops     int     `json:"ops"`
	Seconds float64 `json:"seconds"`
	Micros  []int   `json:"micros"`
	Error   string  `json:"error,omitempty"`
}

type load struct {
	endpoint string
	conns    []*clientv3.Client
	values   map[string]*[]object // by set
}

// object is what the load knows of one key: only one client writes it.
type object struct {
	key string
	rev int64
	n   int
}

// clientsPerConn is how many clients share a connection. gRPC carries many requests at a time on
// one; more connections cost more than they bring.
const clientsPerConn = 16

var verbs = map[string]func(*load, order) (sample, error){
	"ready": (*load).ready, "fill": (*load).fill, "cas": (*load).cas, "get": (*load).get, "compact": (*load).compact,
}

func (l *load) do(o order) (sample, error) {
	verb, ok := verbs[o.Do]
	if !ok {
		return sample{}, fmt.Errorf("unknown order %q", o.Do)
	}
	return verb(l, o)
}

// conn is the connection of a client.
func (l *load) conn(client int) *clientv3.Client { return l.conns[client/clientsPerConn] }

// connect opens the connections of so many clients.
func (l *load) connect(clients int) error {
	for len(l.conns)*clientsPerConn < clients {
		c, err := clientv3.New(clientv3.Config{Endpoints: []string{l.endpoint}, DialTimeout: 10 * time.Second, Logger: zap.NewNop()})
		if err != nil {
			return err
		}
		l.conns = append(l.conns, c)
	}
	return nil
}

func (l *load) ready(order) (sample, error) {
	if err := l.connect(1); err != nil {
		return sample{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_, err := l.conn(0).Get(ctx, "ready")
	return sample{}, err
}

// fill writes the keys of a set.
func (l *load) fill(o order) (sample, error) {
	if err := l.connect(1); err != nil {
		return sample{}, err
	}
	objects := make([]object, o.Keys)
	for i := range objects {
		key := fmt.Sprintf("%s/%06d", o.Set, i)
		r, err := l.conn(0).Put(context.Background(), key, value(0, o.Size))
		if err != nil {
			return sample{}, err
		}
		objects[i] = object{key: key, rev: r.Header.Revision}
	}
	if l.values == nil {
		l.values = map[string]*[]object{}
	}
	l.values[o.Set] = &objects
	return sample{Ops: o.Keys}, nil
}

var filler = strings.Repeat("x", 1<<20)

// value is the n-th value of a key.
func value(n, size int) string { return fmt.Sprintf("%08d", n) + filler[:size-8] }

// cas replaces values on condition that they are as they were when last seen.
func (l *load) cas(o order) (sample, error) {
	objects := *l.values[o.Set]
	mine := len(objects) / o.Clients
	s, err := l.drive(o, func(ctx context.Context, client, i int) error {
		it := &objects[client*mine+i%mine]
		r, err := l.conn(client).Txn(ctx).
			If(clientv3.Compare(clientv3.ModRevision(it.key), "=", it.rev)).
			Then(clientv3.OpPut(it.key, value(it.n+1, o.Size))).Commit()
		if err != nil {
			return err
		}
		if !r.Succeeded {
			return fmt.Errorf("%s has changed by itself", it.key)
		}
		it.rev, it.n = r.Header.Revision, it.n+1
		return nil
	})
	if err != nil {
		return s, err
	}
	for _, it := range objects {
		r, err := l.conn(0).Get(context.Background(), it.key)
		if err != nil {
			return s, err
		}
		if len(r.Kvs) != 1 || string(r.Kvs[0].Value) != value(it.n, o.Size) {
			return s, fmt.Errorf("%s does not hold its last value", it.key)
		}
	}
	return s, nil
}

// get reads values, by default linearizably.
func (l *load) get(o order) (sample, error) {
	var opts []clientv3.OpOption
	if o.Serializable {
		opts = append(opts, clientv3.WithSerializable())
	}
	objects := *l.values[o.Set]
	return l.drive(o, func(ctx context.Context, client, i int) error {
		it := objects[(client*31+i)%len(objects)]
		r, err := l.conn(client).Get(ctx, it.key, opts...)
		if err != nil {
			return err
		}
		if len(r.Kvs) != 1 || len(r.Kvs[0].Value) != o.Size {
			return fmt.Errorf("%s is not what it was", it.key)
		}
		return nil
	})
}

// compact drops old versions, so that the rounds to come find the store as the first one did.
func (l *load) compact(order) (sample, error) {
	r, err := l.conn(0).Get(context.Background(), "ready")
	if err != nil {
		return sample{}, err
	}
	_, err = l.conn(0).Compact(context.Background(), r.Header.Revision, clientv3.WithCompactPhysical())
	return sample{}, err
}

// drive has the clients do one thing after the other for the time ordered.
func (l *load) drive(o order, work func(ctx context.Context, client, i int) error) (sample, error) {
	if err := l.connect(o.Clients); err != nil {
		return sample{}, err
	}
	length := time.Duration(o.Millis) * time.Millisecond
	ctx, cancel := context.WithTimeout(context.Background(), length+time.Minute)
	defer cancel()
	took, errs := make([][]int, o.Clients), make([]error, o.Clients)
	var wg sync.WaitGroup
	start := time.Now()
	for c := range o.Clients {
		wg.Go(func() {
			for i := 0; errs[c] == nil; i++ {
				began := time.Now()
				if began.Sub(start) >= length {
					return
				}
				if errs[c] = work(ctx, c, i); errs[c] != nil {
					cancel()
				}
				took[c] = append(took[c], int(time.Since(began).Microseconds()))
			}
		})
	}
	wg.Wait()
	s := sample{Seconds: time.Since(start).Seconds(), Micros: slices.Concat(took...)}
	slices.Sort(s.Micros)
	s.Ops = len(s.Micros)
	return s, errors.Join(errs...)
}
