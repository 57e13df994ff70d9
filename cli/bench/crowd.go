package main

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// crowd is how many clients race, wait or listen.
const crowd = 1000

// elections is group c.
func (b *bench) elections() error {
	e := &election{drp: b.drp}
	if err := e.prepare(); err != nil {
		return err
	}
	list := []contender{{"drp", e.round}}
	if b.etcd != nil {
		list = append(list, b.etcd.contender("etcd", order{Do: "elect", Clients: crowd}))
	}
	return b.race("c", "all know who leads", crowd, list...)
}

// election is a param that a thousand clients want to set.
type election struct {
	*drp
	ballots [][]byte
}

func (e *election) prepare() error {
	for i := range crowd {
		e.ballots = append(e.ballots, []byte(`[{"op":"test","path":"/Params/bench~1leader","value":"none"},`+
			`{"op":"replace","path":"/Params/bench~1leader","value":"`+racer(i)+`"}]`))
	}
	conns, err := e.clients(crowd)
	if err != nil {
		return err
	}
	return call(conns[0], "POST", api+"profiles", map[string]any{"Name": "election", "Params": map[string]string{"bench/leader": "none"}}, nil, 201)
}

func racer(i int) string { return fmt.Sprintf("racer-%04d", i) }

// round starts all at once. Each patches under the test that nobody leads yet: one gets its patch
// applied, the others are told who was faster. Exactly that is checked.
func (e *election) round(time.Duration) (sample, error) {
	conns, err := e.clients(crowd)
	if err != nil {
		return sample{}, err
	}
	took, statuses, bodies := make([]time.Duration, crowd), make([]int, crowd), make([][]byte, crowd)
	start := newBarrier(crowd)
	err = all(crowd, func(i int) error {
		start.wait()
		a, err := conns[i].do("PATCH", api+"profiles/election", "", e.ballots[i])
		took[i] = time.Since(start.fell)
		statuses[i], bodies[i] = a.status, a.body // which stays as it is until the next request
		return err
	})
	if err != nil {
		return sample{}, err
	}
	winner := slices.Index(statuses, 200)
	if winner < 0 {
		return sample{}, errors.New("nobody was elected")
	}
	for i, status := range statuses {
		won := status == 200 && i == winner
		told := status == 409 && bytes.Contains(bodies[i], []byte(`found \"`+racer(winner)))
		if !won && !told {
			return sample{}, fmt.Errorf("%s was elected, and %s was answered %d: %s", racer(winner), racer(i), status, bodies[i])
		}
	}
	back := `[{"op":"test","path":"/Params/bench~1leader","value":"` + racer(winner) + `"},{"op":"replace","path":"/Params/bench~1leader","value":"none"}]`
	if err := call(conns[0], "PATCH", api+"profiles/election", []byte(back), nil, 200); err != nil {
		return sample{}, err
	}
	return collect([][]time.Duration{took}, slices.Max(took)), nil
}

// barrier lets all go when the last has come.
type barrier struct {
	come chan struct{}
	open chan struct{}
	fell time.Time // when it opened
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

// wakeUps is group d.
func (b *bench) wakeUps() error {
	w := &beacon{drp: b.drp, name: "wake-up"}
	if err := w.prepare(); err != nil {
		return err
	}
	for _, way := range []struct {
		title, name string
		round       func(time.Duration) (sample, error)
	}{
		{"one change, GET If-None-Match", "drp, long poll", w.poll},
		{"one change, POST /wait", "drp, predicate", w.predicate},
	} {
		list := []contender{{way.name, way.round}}
		if b.etcd != nil {
			list = append(list, b.etcd.contender("etcd, watch", order{Do: "watch", Set: "wake-up", Clients: crowd, Count: 1, Size: 1 << 10}))
		}
		if err := b.race("d", way.title, crowd, list...); err != nil {
			return err
		}
	}
	return nil
}

// fanOut is group e.
func (b *bench) fanOut() error {
	w := &beacon{drp: b.drp, name: "fan-out"}
	if err := w.prepare(); err != nil {
		return err
	}
	if err := w.subscribe(crowd); err != nil {
		return err
	}
	defer w.leave()
	var pb *listeners
	if b.pb != nil {
		pb = &listeners{pocketbase: b.pb}
		if err := pb.subscribe(crowd); err != nil {
			return fmt.Errorf("PocketBase: %w", err)
		}
		defer pb.leave()
	}
	contenders := func(events int) []contender {
		list := []contender{{"drp, websocket", func(time.Duration) (sample, error) { return w.events(events) }}}
		if b.etcd != nil {
			list = append(list, b.etcd.contender("etcd, watch", order{Do: "watch", Set: "fan-out", Clients: crowd, Count: events, Size: 1 << 10}))
		}
		if b.pb != nil {
			list = append(list, contender{"PocketBase, SSE", func(time.Duration) (sample, error) { return pb.events(events) }})
		}
		return list
	}
	if err := b.race("e", "one event to all subscribers", crowd, contenders(1)...); err != nil {
		return err
	}
	return b.row("e", fmt.Sprintf("%d events, deliveries", burst), crowd, contenders(burst)...)
}

// burst is how many events are sent one right after the other.
const burst = 30

// beacon is an object of 1 KB in drp whose changes many are to be told.
type beacon struct {
	*drp
	name  string
	n     int
	etag  string // of the n-th version
	socks []*socket
}

func (w *beacon) path() string { return api + "profiles/" + w.name }

func (w *beacon) prepare() error {
	conns, err := w.clients(1)
	if err != nil {
		return err
	}
	params := filler(800)
	params["bench/value"] = counter(0)
	if err := call(conns[0], "POST", api+"profiles", map[string]any{"Name": w.name, "Params": params}, nil, 201); err != nil {
		return err
	}
	return w.look(conns[0])
}

func (w *beacon) look(c *lean) error {
	a, err := c.do("GET", w.path(), "", nil)
	if err == nil && a.status != 200 {
		err = unexpected("GET", w.path(), a)
	}
	w.etag = string(a.etag)
	return err
}

// change makes the next version.
func (w *beacon) change(c *lean) error {
	w.n++
	return call(c, "PATCH", w.path(), []byte(`[{"op":"test","path":"/Params/bench~1value","value":"`+counter(w.n-1)+`"},`+
		`{"op":"replace","path":"/Params/bench~1value","value":"`+counter(w.n)+`"}]`), nil, 200)
}

// settle is how long servers get to reach the state that is to be measured. A waiter that is late
// all the same is answered at once, and counts.
const settle = 500 * time.Millisecond

// poll has a crowd wait for the next version.
func (w *beacon) poll(time.Duration) (sample, error) {
	wait := "If-None-Match: " + w.etag + "\r\nPrefer: wait=60s\r\n"
	return w.wake(
		func(c *lean) error { return c.send("GET", w.path(), wait, nil) },
		`"bench/value":"`+counter(w.n+1)+`"`,
	)
}

// predicate has a crowd wait until the value is that of the next version.
func (w *beacon) predicate(time.Duration) (sample, error) {
	question := []byte(`{"For":{"Kind":"profiles","Key":"` + w.name + `","Tests":[{"op":"test","path":"/Params/bench~1value","value":"` +
		counter(w.n+1) + `"}]},"Timeout":"60s"}`)
	return w.wake(
		func(c *lean) error { return c.send("POST", api+"wait", "", question) },
		`"Result":"holds"`,
	)
}

// wake has a crowd ask a question that the next version answers with a text. What is measured
// begins when the patch is sent.
func (w *beacon) wake(ask func(c *lean) error, good string) (sample, error) {
	conns, err := w.clients(crowd + 1)
	if err != nil {
		return sample{}, err
	}
	waiting, patcher := conns[:crowd], conns[crowd]
	if err := all(crowd, func(i int) error { return ask(waiting[i]) }); err != nil {
		return sample{}, err
	}
	took := make([]time.Duration, crowd)
	start := newBarrier(crowd + 1)
	err = all(crowd+1, func(i int) error {
		if i == crowd {
			time.Sleep(settle)
			start.wait()
			return w.change(patcher)
		}
		start.wait()
		a, err := waiting[i].receive()
		if err != nil {
			return err
		}
		took[i] = time.Since(start.fell)
		if a.status != 200 || !bytes.Contains(a.body, []byte(good)) {
			return unexpected("waiting for", w.name, a)
		}
		return nil
	})
	if err != nil {
		return sample{}, err
	}
	return collect([][]time.Duration{took}, slices.Max(took)), w.look(patcher)
}

// subscribe opens websockets that are told of every change.
func (w *beacon) subscribe(n int) error {
	w.socks = make([]*socket, n)
	conns := make([]*lean, n)
	return many(make([]*lean, 16), n, func(_ *lean, i int) error {
		var err error
		if conns[i], err = w.dial(); err != nil {
			return err
		}
		w.socks[i], err = openSocket(conns[i], api+"ws", "profiles.update."+w.name)
		return err
	})
}

func (w *beacon) leave() {
	for _, s := range w.socks {
		if s != nil {
			s.close()
		}
	}
}

// events makes changes that every subscriber must be told, in order.
func (w *beacon) events(count int) (sample, error) {
	conns, err := w.clients(1)
	if err != nil {
		return sample{}, err
	}
	before := w.n
	return tellAll(count, func() error { return w.change(conns[0]) }, len(w.socks), func(i, k int) (int, error) {
		return k, w.socks[i].expect([]byte(`"bench/value":"` + counter(before+1+k) + `"`))
	})
}

// tellAll makes changes, one right after the other, of which every listener must be told each once.
// expect takes in the k-th message to listener i and says which change it was about. A change
// begins when it is sent.
func tellAll(changes int, change func() error, listeners int, expect func(i, k int) (int, error)) (sample, error) {
	sent, got := make([]time.Time, changes), make([][]time.Time, listeners)
	start := newBarrier(listeners + 1)
	err := all(listeners+1, func(i int) error {
		start.wait()
		if i == listeners {
			for k := range sent {
				sent[k] = time.Now()
				if err := change(); err != nil {
					return err
				}
			}
			return nil
		}
		got[i] = make([]time.Time, changes)
		for k := range changes {
			of, err := expect(i, k)
			if err != nil {
				return err
			}
			if of < 0 || of >= changes || !got[i][of].IsZero() {
				return fmt.Errorf("listener %d was told of change %d of %d, unasked or again", i, of, changes)
			}
			got[i][of] = time.Now()
		}
		return nil
	})
	if err != nil {
		return sample{}, err
	}
	took, last := make([][]time.Duration, listeners), sent[0]
	for i := range got {
		for k, at := range got[i] {
			took[i] = append(took[i], at.Sub(sent[k]))
			if at.After(last) {
				last = at
			}
		}
	}
	return collect(took, last.Sub(sent[0])), nil
}

// listeners listen to PocketBase's server-sent events.
type listeners struct {
	*pocketbase
	n       int
	streams []*lean
}

func (l *listeners) subscribe(n int) error {
	conns, err := l.clients(17)
	if err != nil {
		return err
	}
	id := recordID("listen", 0)
	if err := call(conns[16], "POST", records, map[string]any{"id": id, "value": counter(0), "params": filler(800)}, nil, 200); err != nil {
		return err
	}
	l.streams = make([]*lean, n)
	return many(conns[:16], n, func(c *lean, i int) error {
		s, err := l.dial()
		if err != nil {
			return err
		}
		l.streams[i] = s
		if err := s.send("GET", "/api/realtime", "", nil); err != nil {
			return err
		}
		if a, _, chunked, err := s.header(); err != nil || a.status != 200 || !chunked {
			return errors.Join(err, fmt.Errorf("GET /api/realtime: status %d", a.status))
		}
		hello, err := s.chunk()
		if err != nil {
			return err
		}
		_, rest, _ := bytes.Cut(hello, []byte(`"clientId":"`))
		client, _, ok := bytes.Cut(rest, []byte(`"`))
		if !ok {
			return fmt.Errorf("GET /api/realtime: no client id in %.200q", hello)
		}
		body := map[string]any{"clientId": string(client), "subscriptions": []string{"objects/" + id}}
		return call(c, "POST", "/api/realtime", body, nil, 204)
	})
}

func (l *listeners) leave() {
	for _, s := range l.streams {
		if s != nil {
			s.close()
		}
	}
}

func (l *listeners) events(count int) (sample, error) {
	conns, err := l.clients(1)
	if err != nil {
		return sample{}, err
	}
	for _, s := range l.streams {
		if err := s.allow(time.Minute); err != nil {
			return sample{}, err
		}
	}
	before := l.n
	change := func() error {
		l.n++
		return call(conns[0], "PATCH", records+"/"+recordID("listen", 0), []byte(`{"value":"`+counter(l.n)+`"}`), nil, 200)
	}
	return tellAll(count, change, len(l.streams), func(i, _ int) (int, error) { // they come in any order
		part, err := l.streams[i].chunk()
		if err != nil {
			return 0, err
		}
		_, rest, _ := bytes.Cut(part, []byte(`"value":"`))
		digits, _, _ := bytes.Cut(rest, []byte(`"`))
		n, err := strconv.Atoi(string(digits))
		if err != nil {
			return 0, fmt.Errorf("GET /api/realtime: got %.300q; want an event", part)
		}
		return n - before - 1, nil
	})
}
