package main

import (
	"fmt"
	"hash/maphash"
	"strconv"
	"time"

	"github.com/anishathalye/porcupine"
)

// What a server with one object may do, for porcupine, which looks for an order of all operations
// in which each has the effect and the answer that it would have alone. Revisions count: each
// change makes a higher one, and who looks sees that of the last change.

// state is the object.
type state struct {
	exists      bool
	desc, param string // param "" is not set
	rev         uint64 // 0: of a change whose answer did not tell
	floor       uint64 // below rev, and below every one to come
}

// verb is what an operation does.
type verb string

const (
	create verb = "create"
	cas    verb = "cas"   // a patch that tests and replaces desc
	probe  verb = "probe" // a patch that only tests desc
	add    verb = "add"   // a patch that sets param
	drop   verb = "drop"  // a patch that removes param
	put    verb = "put"
	del    verb = "delete"
	set    verb = "set"   // param, by its own route
	unset  verb = "unset" // param, by its own route
	get    verb = "get"
	head   verb = "head"
	list   verb = "list"
	fresh  verb = "fresh" // a get under a condition: is it still what I have?
)

// operation is one request. Want is what desc must be.
type operation struct {
	verb              verb
	want, desc, param string
}

// verdict is how an operation ended.
type verdict string

const (
	done    verdict = "done"
	before  verdict = "done before" // so the server says of a repetition; when it was, and what came of it, is open
	missing verdict = "missing"     // no such object
	exists  verdict = "exists"      // already
	failed  verdict = "failed"      // the test
	nopath  verdict = "no path"     // the param is not set
	lost    verdict = "lost"        // carried out before the end, or never
	never   verdict = "never"       // carried out, so the server says of a repetition
)

// outcome is what the client learned.
type outcome struct {
	verdict     verdict
	found       string // by the failed test
	rev         uint64 // 0: was not told
	shown       bool   // desc and param, of the object after the operation, or of what was deleted
	desc, param string
	value       bool // param alone
}

// effect is what an operation does to the object, and how it ends.
func effect(s state, o operation) (state, verdict) {
	if o.verb == create {
		if s.exists {
			return s, exists
		}
		return s.change(o.desc, o.param), done
	}
	if o.verb == list {
		return s, done
	}
	if !s.exists {
		return s, missing
	}
	switch o.verb {
	case cas, probe:
		if s.desc != o.want {
			return s, failed
		}
		if o.verb == cas {
			return s.change(o.desc, s.param), done
		}
	case add, set:
		return s.change(s.desc, o.param), done
	case drop, unset:
		if s.param == "" {
			return s, nopath
		}
		return s.change(s.desc, ""), done
	case put:
		return s.change(o.desc, o.param), done
	case del:
		return state{floor: s.newest()}, done
	}
	return s, done
}

func (s state) newest() uint64 { return max(s.rev, s.floor) }

func (s state) change(desc, param string) state {
	return state{exists: true, desc: desc, param: param, floor: s.newest()}
}

// at is the state once its revision is known; false when that contradicts what is known.
func (s state) at(rev uint64) (state, bool) {
	if s.rev != 0 {
		return s, s.rev == rev
	}
	s.rev = rev
	return s, rev > s.floor
}

// step is the states that an operation with this outcome may lead to.
func step(s state, o operation, out outcome) []state {
	next, v := effect(s, o)
	switch {
	case out.verdict == lost && next == s:
		return []state{s}
	case out.verdict == lost:
		return []state{s, next}
	case out.verdict == before && v == done:
		return []state{next}
	case out.verdict == never:
		return []state{s}
	case out.verdict != v:
		return nil
	case v == failed && out.found != strconv.Quote(s.desc):
		return nil
	case v != done:
		return []state{s}
	}
	seen := next
	if o.verb == del || o.verb == unset {
		seen = s
	}
	if o.verb == list && out.shown != s.exists {
		return nil
	}
	if out.shown && (seen.desc != out.desc || seen.param != out.param) || out.value && seen.param != out.param {
		return nil
	}
	if out.rev == 0 {
		return []state{next}
	}
	next, ok := next.at(out.rev)
	if !ok {
		return nil
	}
	return []state{next}
}

var seed = maphash.MakeSeed()

// model is that of an object in a state.
func model(initial state) porcupine.Model {
	m := porcupine.NondeterministicModel{
		Init: func() []any { return []any{initial} },
		Step: func(s, in, out any) []any {
			var next []any
			for _, n := range step(s.(state), in.(operation), out.(outcome)) {
				next = append(next, n)
			}
			return next
		},
		Hash:              func(s any) uint64 { return maphash.Comparable(seed, s.(state)) },
		DescribeOperation: describe,
		DescribeState:     func(s any) string { return s.(state).String() },
	}
	return m.ToModel()
}

func describe(in, out any) string {
	o, r := in.(operation), out.(outcome)
	return fmt.Sprintf("%s %s: %s", o.verb, args(o.want, o.desc, o.param), r.text())
}

func (s state) String() string {
	if !s.exists {
		return fmt.Sprintf("absent >%d", s.floor)
	}
	return fmt.Sprintf("%s %s @%d >%d", s.desc, s.param, s.rev, s.floor)
}

func (r outcome) text() string {
	t := string(r.verdict)
	if r.found != "" {
		t += " found " + r.found
	}
	if r.shown || r.value {
		t += " " + args(r.desc, r.param)
	}
	if r.rev != 0 {
		t += fmt.Sprintf(" @%d", r.rev)
	}
	return t
}

func args(list ...string) string {
	t := ""
	for _, s := range list {
		if s != "" {
			t += " " + s
		}
	}
	return "(" + t + " )"
}

// checkLimit is how long porcupine may take for the history of one object in one round.
const checkLimit = 2 * time.Minute

// linearizable tells whether a history is that of an object which began in a state; the
// information is for a picture of it.
func linearizable(initial state, history []porcupine.Operation) (porcupine.CheckResult, porcupine.LinearizationInfo) {
	return porcupine.CheckOperationsVerbose(model(initial), history, checkLimit)
}
