package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
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
			w.violate("%s %s: its history of %d operations is not linearizable (%s): the first answer that does not fit is\n  %s\n  see %s and %s",
				h.what, key, len(ops), result, tell(culprit(h.initial[key], ops)), picture, text)
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

// culprit is the operation whose answer is the first that does not fit: up to the moment before it
// came the history is possible.
func culprit(initial state, ops []porcupine.Operation) porcupine.Operation {
	ops = slices.Clone(ops)
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Return, b.Return) })
	i := sort.Search(len(ops)-1, func(i int) bool {
		result, _ := linearizable(initial, until(ops, ops[i].Return))
		return result != porcupine.Ok
	})
	return ops[i]
}

// until is what is known of a history at a time: of what is not answered yet, only that it may be
// carried out.
func until(ops []porcupine.Operation, now int64) (known []porcupine.Operation) {
	for _, o := range ops {
		switch in := o.Input.(operation); {
		case o.Return <= now:
			known = append(known, o)
		case o.Call <= now && in.writes():
			o.Output, o.Return = outcome{verdict: lost}, math.MaxInt64
			known = append(known, o)
		}
	}
	return known
}

func tell(o porcupine.Operation) string {
	return fmt.Sprintf("%12d - %12d client %2d %s", o.Call, o.Return, o.ClientId, describe(o.Input, o.Output))
}

func (h *histories) print(out io.Writer, key string) error {
	fmt.Fprintf(out, "begins as %s\n", h.initial[key])
	ops := slices.Clone(h.ops[key])
	slices.SortFunc(ops, func(a, b porcupine.Operation) int { return cmp.Compare(a.Call, b.Call) })
	for _, o := range ops {
		if _, err := fmt.Fprintln(out, tell(o)); err != nil {
			return err
		}
	}
	return nil
}
