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
	share    int                  // clients to a connection
	values   map[string]*[]object // by set
	watchers map[string]*watchers // by set
}

// object is what the load knows of one key: only one client writes it.
type object struct {
	key string
	rev int64
	n   int
}

// Clients share connections, for gRPC carries many requests at a time on one: 16 clients each, and
// a crowd 16 connections in all. Of 1, 4, 16 and 64 clients to a connection this did best.
const (
	perConn  = 16
	maxConns = 16
)

var verbs = map[string]func(*load, order) (sample, error){
	"ready": (*load).ready, "fill": (*load).fill, "cas": (*load).cas, "get": (*load).get, "compact": (*load).compact,
	"list": (*load).list, "elect": (*load).elect, "watch": (*load).watch,
}

func (l *load) do(o order) (sample, error) {
	verb, ok := verbs[o.Do]
	if !ok {
		return sample{}, fmt.Errorf("unknown order %q", o.Do)
	}
	return verb(l, o)
}

// conn is the connection of a client; connect has opened it.
func (l *load) conn(client int) *clientv3.Client { return l.conns[client/l.share] }

// connect opens the connections of so many clients.
func (l *load) connect(clients int) error {
	l.share = max(perConn, (clients+maxConns-1)/maxConns)
	for len(l.conns)*l.share < clients {
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
	const at = 16 // a time
	if err := l.connect(at); err != nil {
		return sample{}, err
	}
	objects := make([]object, o.Keys)
	err := all(at, func(c int) error {
		for i := c; i < len(objects); i += at {
			key := keyOf(o.Set, i)
			r, err := l.conn(c).Put(context.Background(), key, value(0, o.Size))
			if err != nil {
				return err
			}
			objects[i] = object{key: key, rev: r.Header.Revision}
		}
		return nil
	})
	if err != nil {
		return sample{}, err
	}
	if l.values == nil {
		l.values = map[string]*[]object{}
	}
	l.values[o.Set] = &objects
	return sample{Ops: o.Keys}, nil
}

func keyOf(set string, i int) string { return fmt.Sprintf("%s/%06d", set, i) }

// all does n things at once and returns their errors.
func all(n int, work func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = work(i) })
	}
	wg.Wait()
	return worst(errs)
}

// worst is the first error that is not the consequence of another.
func worst(errs []error) error {
	errs = slices.DeleteFunc(slices.Clone(errs), func(err error) bool { return err == nil })
	for _, err := range errs {
		if !errors.Is(err, context.Canceled) {
			return err
		}
	}
	return errors.Join(errs...)
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

// list reads pages of a set, each with the number of all keys.
func (l *load) list(o order) (sample, error) {
	n := len(*l.values[o.Set])
	return l.drive(o, func(ctx context.Context, client, i int) error {
		from := keyOf(o.Set, (client*37+i)%(n/o.Count)*o.Count)
		r, err := l.conn(client).Get(ctx, from, clientv3.WithRange(clientv3.GetPrefixRangeEnd(o.Set+"/")), clientv3.WithLimit(int64(o.Count)))
		if err != nil {
			return err
		}
		if len(r.Kvs) != o.Count || len(r.Kvs[0].Value) != o.Size {
			return fmt.Errorf("a page from %s has %d keys", from, len(r.Kvs))
		}
		return nil
	})
}

const leaderKey = "election/leader"

// elect has all clients put their name on condition that nobody has; those who are late get the
// winner's in the same transaction.
func (l *load) elect(o order) (sample, error) {
	if err := l.connect(o.Clients); err != nil {
		return sample{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if _, err := l.conn(0).Put(ctx, leaderKey, "none"); err != nil {
		return sample{}, err
	}
	took, known, won := make([]int, o.Clients), make([]string, o.Clients), make([]bool, o.Clients)
	start := newBarrier(o.Clients)
	err := all(o.Clients, func(i int) error {
		name := fmt.Sprintf("racer-%04d", i)
		start.wait()
		r, err := l.conn(i).Txn(ctx).If(clientv3.Compare(clientv3.Value(leaderKey), "=", "none")).
			Then(clientv3.OpPut(leaderKey, name)).Else(clientv3.OpGet(leaderKey)).Commit()
		took[i] = int(time.Since(start.fell).Microseconds())
		if err != nil {
			return err
		}
		if won[i] = r.Succeeded; won[i] {
			known[i] = name
		} else {
			known[i] = string(r.Responses[0].GetResponseRange().Kvs[0].Value)
		}
		return nil
	})
	if err != nil {
		return sample{}, err
	}
	winner := slices.Index(won, true)
	for i := range won {
		if won[i] != (i == winner) || known[i] != known[winner] {
			return sample{}, errors.New("there was not exactly one winner whom all know")
		}
	}
	slices.Sort(took)
	return sample{Ops: o.Clients, Seconds: float64(took[len(took)-1]) / 1e6, Micros: took}, nil
}

// barrier lets all go when the last has come.
type barrier struct {
	come, open chan struct{}
	fell       time.Time // when it opened
}

func newBarrier(n int) *barrier {
	b := &barrier{come: make(chan struct{}), open: make(chan struct{})}
	go func() {
		for range n {
			<-b.come
		}
		b.fell = time.Now()
		close(b.open)
	}()
	return b
}

func (b *barrier) wait() { b.come <- struct{}{}; <-b.open }

// watchers all watch one key.
type watchers struct {
	channels []clientv3.WatchChan
	n        int // changes so far
}

// watch makes changes of one key, one right after the other, which all watchers must be told. The
// watchers are opened by the first order for their set.
func (l *load) watch(o order) (sample, error) {
	if err := l.connect(o.Clients); err != nil {
		return sample{}, err
	}
	w := l.watchers[o.Set]
	if w == nil {
		w = &watchers{channels: make([]clientv3.WatchChan, o.Clients)}
		for i := range w.channels {
			w.channels[i] = l.conn(i).Watch(clientv3.WithRequireLeader(context.Background()), keyOf(o.Set, 0), clientv3.WithCreatedNotify())
			if r := <-w.channels[i]; !r.Created {
				return sample{}, fmt.Errorf("watch %s: %v", o.Set, r.Err())
			}
		}
		if l.watchers == nil {
			l.watchers = map[string]*watchers{}
		}
		l.watchers[o.Set] = w
	}
	sent, got := make([]time.Time, o.Count), make([][]time.Time, o.Clients)
	start := newBarrier(o.Clients + 1)
	err := all(o.Clients+1, func(i int) error {
		start.wait()
		if i == o.Clients {
			for k := range o.Count {
				sent[k] = time.Now()
				if _, err := l.conn(0).Put(context.Background(), keyOf(o.Set, 0), value(w.n+1+k, o.Size)); err != nil {
					return err
				}
			}
			return nil
		}
		for k := 0; k < o.Count; {
			select {
			case r := <-w.channels[i]:
				for _, e := range r.Events {
					if want := value(w.n+1+k, o.Size); string(e.Kv.Value) != want {
						return fmt.Errorf("a watcher of %s was told %.8s instead of %.8s", o.Set, e.Kv.Value, want)
					}
					got[i] = append(got[i], time.Now())
					k++
				}
				if r.Err() != nil {
					return r.Err()
				}
			case <-time.After(time.Minute):
				return fmt.Errorf("a watcher of %s was not told", o.Set)
			}
		}
		return nil
	})
	if err != nil {
		return sample{}, err
	}
	w.n += o.Count
	s, last := sample{Ops: o.Count * o.Clients}, sent[0]
	for _, one := range got {
		for k, at := range one {
			s.Micros = append(s.Micros, int(at.Sub(sent[k]).Microseconds()))
			if at.After(last) {
				last = at
			}
		}
	}
	slices.Sort(s.Micros)
	s.Seconds = last.Sub(sent[0]).Seconds()
	return s, nil
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
	return s, worst(errs)
}
