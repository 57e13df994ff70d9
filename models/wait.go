package models

import (
	"encoding/json"
	"time"
)

// Wait is the body of POST /wait: the server answers with an Outcome when For holds, when one of
// Unless does, or when the time is over.
//
// What counts is the state, not the way there: a state that came and went may be missed, so wait
// for what stays. Therefore nothing is lost between two questions, and who is told that the time
// is over, or to ask again, asks the same again.
type Wait struct {
	For Predicate
	// Unless are reasons to wait no longer, such as that somebody has failed. When For holds as
	// well, For counts.
	Unless []Predicate `json:",omitempty"`
	// Timeout is in seconds, or has a unit as in "90s" or "5m"; "0" asks how things are now. ""
	// is ten minutes, and so is whatever is longer.
	Timeout string `json:",omitempty"`
}

// Predicate is something that can be true of the objects: of one, when Key is given, or else of
// how many objects of a kind there are. It sees what the caller may see; what is hidden from the
// caller does not exist.
type Predicate struct {
	Kind string

	// Key is the key of the object, or Index:Value of a unique index. The object must meet all of
	// Tests, Filter, Since and Path that are given; when none is, it must exist.
	Key string `json:",omitempty"`
	// Tests are conditions on the object as GET shows it.
	Tests []Test `json:",omitempty"`
	// Aggregate makes Tests and Path see params as they are in force: those that the object
	// inherits, and defaults, as well as its own.
	Aggregate bool `json:",omitempty"`
	// Since is an ETag: the object must have another.
	Since string `json:",omitempty"`
	// Path is a JSON pointer to a list or an object in the object. AtLeast, AtMost and Exactly
	// then speak of how many elements or members it has; what is not there has none.
	Path string `json:",omitempty"`
	// MayAppear makes the wait go on while the object does not exist.
	MayAppear bool `json:",omitempty"`

	// Filter selects objects as the query of a list does: "Stage=Eq(done)&my/ready=true". With a
	// Key, that object must be among them.
	Filter string `json:",omitempty"`
	// All demands Filter of every object that the query Of selects, "" being all of the kind.
	All bool   `json:",omitempty"`
	Of  string `json:",omitempty"`

	// Bounds of how many match, all inclusive. Without any it is at least one, with All too: that
	// nobody is there yet does not mean that all are ready.
	AtLeast *int `json:",omitempty"`
	AtMost  *int `json:",omitempty"`
	Exactly *int `json:",omitempty"`
}

// Test is one condition on an object: the operation test of RFC 6902, or one of the JSON
// predicates (draft-snell-json-test) defined, undefined, less, more and not.
type Test struct {
	Op   string `json:"op"`
	Path string `json:"path"`
	// Value is what is compared with. Less and more hold for two numbers or two strings.
	Value json.RawMessage `json:"value,omitempty"`
	// Apply are the conditions of which, for not, none may hold.
	Apply []Test `json:"apply,omitempty"`
}

// The results of a Wait.
const (
	WaitHolds   = "holds"   // For is true
	WaitTimeout = "timeout" // the time is over
	WaitNever   = "never"   // there is no point in waiting: the object is gone, or an Unless holds
	WaitAgain   = "again"   // the server stops, or the caller's rights have changed: ask again
)

// Outcome answers a Wait. Object, Count, Of and Keys are about the Unless that ended the wait, if
// one did, and else about For.
type Outcome struct {
	Result string
	// Rev is a revision of the store at which it is as the answer says. What the answer is about
	// has not changed since.
	Rev uint64 `json:",omitempty"`
	// Reason is one line for people: what is missing, or why the wait has ended.
	Reason string `json:",omitempty"`
	// Unless is the index of the predicate that ended the wait.
	Unless *int `json:",omitempty"`
	// Object is the one object that was asked for, when the predicate holds.
	Object json.RawMessage `json:",omitempty"`
	// Count is how many objects match, or how many elements there are at Path.
	Count *int `json:",omitempty"`
	// Of is how many objects were to match, with All.
	Of *int `json:",omitempty"`
	// Keys are the first ten keys, in order: of the objects that do not match, if All wants them
	// to, else of those that do.
	Keys []string `json:",omitempty"`
	// Missing are the conditions that the object does not meet.
	Missing []Missing `json:",omitempty"`
}

// Missing is a condition that is not met.
type Missing struct {
	Test   *Test           `json:",omitempty"` // the test that failed, or
	Filter string          `json:",omitempty"` // the filter, or
	Since  string          `json:",omitempty"` // the ETag that the object still has
	Found  json.RawMessage `json:",omitempty"` // what is there instead; absent: nothing is
}

// Waiting is somebody who waits just now, and for what. A long poll waits for another version than
// Since, which is any change.
type Waiting struct {
	Id      string    // of the request; who asks again gets another
	Since   time.Time // when the request began
	Who     string    // such as "machine:UUID", or "profile:NAME" for the token of a profile
	Machine string    `json:",omitempty"` // whose agent or script waits
	Job     string    `json:",omitempty"` // whose script waits
	Wait    Wait
	Reason  string `json:",omitempty"` // one line for people: what is missing at present
}
