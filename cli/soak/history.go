package main

import (
	"fmt"
	"io"
	"sync"

	"github.com/anishathalye/porcupine"
)

// histories are the operations of a round, of each object by itself.
type histories struct {
	what string

	mu      sync.Mutex
	ops     map[string][]porcupine.Operation
	initial map[string]state
}

func newHistories(what string) *histories {
	return &histories{what: what, ops: map[string][]porcupine.Operation{}, initial: map[string]state{}}
}

// note adds an operation and what the client learned by it. Under one name an operation can have
// been carried out long before the answer, which shows the object as it then is: that is two
// operations, the second of which is a get.
func (h *histories) note(c *caller, key string, o operation, a *answer, out outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	one := porcupine.Operation{ClientId: c.id, Input: o, Call: a.call, Output: out, Return: a.ret}
	if !o.writes() {
		one.Call = a.last
	} else if a.again && out.verdict == done {
		bare := outcome{verdict: before}
		if o.verb == del {
			bare = outcome{verdict: done, shown: out.shown, desc: out.desc, param: out.param} // always what was deleted
		}
		if o.verb != del && out.shown {
			look := porcupine.Operation{ClientId: c.id, Input: operation{verb: get}, Call: a.last, Output: out, Return: a.ret}
			h.ops[key] = append(h.ops[key], look)
		}
		one.Output = bare
	}
	h.ops[key] = append(h.ops[key], one)
}

func (o operation) writes() bool {
	switch o.verb {
	case get, head, list, fresh, probe:
		return false
	}
	return true
}

// check tells which histories no server with the promises of ours can have. Then each of them
// starts anew, from the state that its last operation, a get, has shown.
func (h *histories) check(w *world) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for key, ops := range h.ops {
		if result, info := linearizable(h.initial[key], ops); result != porcupine.Ok {
			name := h.what + " " + key
			picture := w.save(name+".html", func(out io.Writer) error { return porcupine.Visualize(model(h.initial[key]), info, out) })
			text := w.save(name+".txt", func(out io.Writer) error { return h.print(out, key) })
			w.violate("%s %s: its history of %d operations is not linearizable (%s); see %s and %s", h.what, key, len(ops), result, picture, text)
		}
		h.initial[key] = left(h.initial[key], ops[len(ops)-1].Output.(outcome))
		delete(h.ops, key)
	}
}

// left is the state that a get has shown.
func left(before state, o outcome) state {
	if !o.shown {
		return state{floor: before.newest()}
	}
	return state{exists: true, desc: o.desc, param: o.param, rev: o.rev}
}

func (h *histories) print(out io.Writer, key string) error {
	m := model(h.initial[key])
	fmt.Fprintf(out, "begins as %s\n", h.initial[key])
	for _, o := range h.ops[key] {
		if _, err := fmt.Fprintf(out, "%12d - %12d client %2d %s\n", o.Call, o.Return, o.ClientId, m.DescribeOperation(o.Input, o.Output)); err != nil {
			return err
		}
	}
	return nil
}
