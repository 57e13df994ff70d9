package main

import (
	"testing"

	"github.com/anishathalye/porcupine"
)

// at is an operation of a client, called and answered at these times.
func at(client int, call, ret int64, o operation, out outcome) porcupine.Operation {
	return porcupine.Operation{ClientId: client, Input: o, Call: call, Output: out, Return: ret}
}

func ok(rev uint64) outcome { return outcome{verdict: done, rev: rev} }

func shows(desc string, rev uint64) outcome {
	return outcome{verdict: done, shown: true, desc: desc, rev: rev}
}

func creates(desc string) operation     { return operation{verb: create, desc: desc} }
func swaps(want, d string) operation    { return operation{verb: cas, want: want, desc: d} }
func puts(desc, param string) operation { return operation{verb: put, desc: desc, param: param} }

var (
	gets    = operation{verb: get}
	lists   = operation{verb: list}
	deletes = operation{verb: del}
	unknown = outcome{verdict: lost}
	absent  = outcome{verdict: missing}
)

// histories that a sound server can have.
var possible = map[string][]porcupine.Operation{
	"one after the other": {
		at(0, 0, 1, gets, absent), at(0, 2, 3, creates("a"), shows("a", 1)), at(0, 4, 5, swaps("a", "b"), shows("b", 2)),
		at(0, 6, 7, swaps("a", "c"), outcome{verdict: failed, found: `"b"`}), at(0, 8, 9, gets, shows("b", 2)),
		at(0, 10, 11, deletes, shows("b", 0)), at(0, 12, 13, lists, ok(0)), at(0, 14, 15, creates("c"), shows("c", 4)),
	},
	"side by side, in another order than they began": {
		at(0, 0, 1, creates("a"), ok(1)), at(1, 2, 9, swaps("b", "c"), ok(3)), at(2, 3, 8, swaps("a", "b"), ok(2)), at(0, 10, 11, gets, shows("c", 3)),
	},
	"a lost answer to what was carried out": {
		at(0, 0, 1, creates("a"), ok(1)), at(1, 2, 9, swaps("a", "b"), unknown), at(0, 3, 4, gets, shows("a", 1)), at(0, 10, 11, gets, shows("b", 2)),
	},
	"a lost answer to what was not": {
		at(0, 0, 1, creates("a"), ok(1)), at(1, 2, 9, swaps("a", "b"), unknown), at(0, 10, 11, gets, shows("a", 1)),
	},
	"a lost answer, and another change on top": {
		at(0, 0, 1, creates("a"), ok(1)), at(1, 2, 9, swaps("a", "b"), unknown), at(0, 3, 8, swaps("b", "c"), ok(3)), at(0, 10, 11, gets, shows("c", 3)),
	},
	"a repetition that was carried out long before its answer": {
		at(0, 0, 1, creates("a"), ok(1)), at(1, 2, 20, swaps("a", "b"), outcome{verdict: before}), at(0, 3, 4, swaps("b", "c"), ok(3)),
		at(1, 15, 20, gets, shows("c", 3)),
	},
}

// histories that break a promise.
var impossible = map[string][]porcupine.Operation{
	"a lost update": {
		at(0, 0, 1, creates("a"), ok(1)), at(0, 2, 5, puts("b", ""), ok(2)), at(1, 3, 6, operation{verb: add, param: "p"}, ok(3)),
		at(0, 7, 8, gets, outcome{verdict: done, shown: true, desc: "a", param: "p", rev: 3}),
	},
	"two winners": {
		at(0, 0, 1, creates("none"), ok(1)), at(0, 2, 5, swaps("none", "x"), ok(2)), at(1, 2, 5, swaps("none", "y"), ok(3)),
	},
	"two winners, one of whom was answered late": {
		at(0, 0, 1, creates("none"), ok(1)), at(0, 2, 90, swaps("none", "x"), outcome{verdict: before}), at(1, 2, 5, swaps("none", "y"), ok(3)),
		at(0, 91, 92, gets, shows("y", 3)),
	},
	"no winner": {
		at(0, 0, 1, creates("none"), ok(1)), at(0, 2, 5, swaps("none", "x"), outcome{verdict: failed, found: `"y"`}),
		at(1, 2, 5, swaps("none", "y"), outcome{verdict: failed, found: `"x"`}), at(0, 6, 7, gets, shows("none", 1)),
	},
	"a change that was refused and is made all the same": {
		at(0, 0, 1, creates("a"), ok(1)), at(0, 2, 3, deletes, shows("a", 0)), at(1, 2, 5, operation{verb: set, param: "late"}, absent),
		at(1, 6, 7, creates("b"), ok(3)), at(1, 8, 9, gets, outcome{verdict: done, shown: true, desc: "b", param: "late", rev: 4}),
	},
	"a change that was refused at its first sending, and is made by the second": {
		at(0, 0, 1, creates("a"), ok(1)), at(1, 2, 5, puts("b", ""), outcome{verdict: never}), at(1, 6, 7, gets, shows("b", 2)),
	},
	"a lost acknowledged write": {
		at(0, 0, 1, creates("a"), ok(1)), at(0, 2, 3, swaps("a", "b"), ok(2)), at(0, 100, 101, gets, shows("a", 1)),
	},
	"a lost acknowledged creation": {at(0, 0, 1, creates("a"), ok(1)), at(1, 100, 101, gets, absent)},
	"a lost acknowledged deletion": {
		at(0, 0, 1, creates("a"), ok(1)), at(0, 2, 3, deletes, shows("a", 0)), at(1, 100, 101, gets, shows("a", 1)),
	},
	"a stale read": {
		at(0, 0, 1, creates("a"), ok(1)), at(0, 2, 9, swaps("a", "b"), ok(2)), at(1, 3, 4, gets, shows("b", 2)), at(2, 5, 6, gets, shows("a", 1)),
	},
	"a stale list": {
		at(0, 0, 1, creates("a"), ok(1)), at(0, 2, 3, swaps("a", "b"), ok(2)), at(1, 4, 5, lists, shows("a", 0)),
	},
	"a list that leaves it out":   {at(0, 0, 1, creates("a"), ok(1)), at(1, 2, 3, lists, ok(0))},
	"a read of what nobody wrote": {at(0, 0, 1, creates("a"), ok(1)), at(1, 2, 3, gets, shows("z", 1))},
	"a read of what was refused": {
		at(0, 0, 1, creates("a"), ok(1)), at(0, 2, 3, swaps("z", "b"), outcome{verdict: failed, found: `"a"`}), at(1, 4, 5, gets, shows("b", 2)),
	},
	"half of a change without an answer": {
		at(0, 0, 1, creates("a"), ok(1)), at(1, 2, 9, puts("b", "q"), unknown), at(0, 10, 11, gets, shows("b", 2)),
	},
	"a change after the death of the server that was asked for it": {
		at(0, 0, 1, creates("a"), ok(1)), at(1, 2, 9, swaps("a", "b"), unknown), at(0, 10, 11, gets, shows("a", 1)), at(0, 12, 13, gets, shows("b", 2)),
	},
	"a change without an answer that comes and goes": {
		at(0, 0, 1, creates("a"), ok(1)), at(1, 2, 9, swaps("a", "b"), unknown), at(0, 3, 4, gets, shows("b", 2)), at(0, 10, 11, gets, shows("a", 1)),
	},
	"a change that is carried out twice": {
		at(0, 0, 1, creates("a"), ok(1)), at(1, 2, 30, deletes, shows("a", 0)), at(0, 3, 4, creates("b"), ok(3)), at(0, 31, 32, gets, absent),
	},
	"a revision that is used again": {
		at(0, 0, 1, creates("a"), ok(7)), at(0, 2, 3, swaps("a", "b"), ok(8)), at(0, 4, 5, swaps("b", "c"), ok(8)),
	},
	"a revision below that of the change before": {at(0, 0, 1, creates("a"), ok(7)), at(0, 2, 3, swaps("a", "b"), ok(6))},
	"a new object below the revision of the old": {at(0, 0, 1, creates("a"), ok(7)), at(0, 2, 3, deletes, shows("a", 0)), at(0, 4, 5, creates("b"), ok(7))},
	"a read at a revision that is not its own":   {at(0, 0, 1, creates("a"), ok(1)), at(0, 2, 3, gets, shows("a", 2))},
	"unchanged, though it has changed": {
		at(0, 0, 1, creates("a"), ok(1)), at(0, 2, 3, swaps("a", "b"), ok(2)), at(0, 4, 5, operation{verb: fresh}, ok(1)),
	},
	"a second creation":                       {at(0, 0, 1, creates("a"), ok(1)), at(0, 2, 3, creates("b"), ok(2))},
	"a refused creation of what is not there": {at(0, 0, 1, creates("a"), outcome{verdict: exists})},
	"a failed test that tells what was not there": {
		at(0, 0, 1, creates("a"), ok(1)), at(0, 2, 3, swaps("z", "b"), outcome{verdict: failed, found: `"q"`}),
	},
	"a deletion that shows something else": {at(0, 0, 1, creates("a"), ok(1)), at(0, 2, 3, deletes, shows("b", 0))},
	"a removed param that was not set": {
		at(0, 0, 1, creates("a"), ok(1)), at(0, 2, 3, operation{verb: unset}, outcome{verdict: done, value: true, param: "p"}),
	},
}

func TestPossibleHistoriesPass(t *testing.T) {
	for name, h := range possible {
		if result, _ := linearizable(state{}, h); result != porcupine.Ok {
			t.Errorf("%s: %s", name, result)
		}
	}
}

func TestEveryBrokenPromiseIsFoundInAHistory(t *testing.T) {
	for name, h := range impossible {
		if result, _ := linearizable(state{}, h); result != porcupine.Illegal {
			t.Errorf("%s: %s", name, result)
		}
	}
}

// TestARoundGoesOnWhereTheLastHasEnded: what a round has left must be there in the next.
func TestARoundGoesOnWhereTheLastHasEnded(t *testing.T) {
	s := left(state{}, shows("a", 5))
	for _, c := range []struct {
		name string
		from state
		ops  []porcupine.Operation
		want porcupine.CheckResult
	}{
		{"still there", s, []porcupine.Operation{at(0, 0, 1, gets, shows("a", 5))}, porcupine.Ok},
		{"lost", s, []porcupine.Operation{at(0, 0, 1, gets, absent)}, porcupine.Illegal},
		{"at another revision", s, []porcupine.Operation{at(0, 0, 1, gets, shows("a", 6))}, porcupine.Illegal},
		{"still absent", left(s, absent), []porcupine.Operation{at(0, 0, 1, gets, absent)}, porcupine.Ok},
		{"back again", left(s, absent), []porcupine.Operation{at(0, 0, 1, gets, shows("a", 5))}, porcupine.Illegal},
		{"new at an old revision", left(s, absent), []porcupine.Operation{at(0, 0, 1, creates("b"), ok(5))}, porcupine.Illegal},
	} {
		if got, _ := linearizable(c.from, c.ops); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
