package models

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"time"
)

// Class says what kind of failure an Error is; the HTTP status is chosen from it at the door.
type Class int

const (
	Internal      Class = iota // a defect or a failing disk, not the caller's doing
	BadRequest                 // the body or the query cannot be read
	Unauthorized               // nobody, or a wrong password
	Forbidden                  // known, but not allowed
	NotFound                   // there is none, or the caller may not see it
	NotAcceptable              // a filter that makes no sense
	Conflict                   // it contradicts the present state: lost race, duplicate, in use
	Invalid                    // the object would not be sound
	TooLarge                   // larger than the server takes
	Busy                       // try again later
	TooOften                   // more often than the server allows; try again after RetryAfter
	TooSlow                    // the request has not arrived in time
	LongURL                    // longer than the server takes
	LongHeader                 // larger than the server takes
	Full                       // the server's disk is full; try again when there is room
	Gone                       // it was there, but is no longer kept
	OutOfRange                 // a part of something that it does not have
)

// Error is what every failing request answers with.
type Error struct {
	Class    Class `json:"-"`
	Model    string
	Key      string
	Type     string // the HTTP method, or a word such as ValidationError; "" until at the door
	Messages []string
	Code     int // the HTTP status

	RetryAfter time.Duration `json:"-"` // how long to wait before another try; 0: nothing is known
}

// Errorf makes an Error about an object; o may be nil.
func Errorf(class Class, o Object, format string, args ...any) *Error {
	e := &Error{Class: class, Messages: []string{fmt.Sprintf(format, args...)}}
	if o != nil {
		e.Model, e.Key = o.Kind(), o.Key()
	}
	return e
}

// Problem makes an Error about an object that is known by kind and key only.
func Problem(class Class, kind, key string, messages ...string) *Error {
	return &Error{Class: class, Model: kind, Key: key, Messages: messages}
}

// Typed gives the error a type word, such as "CREATE", and returns it.
func (e *Error) Typed(typ string) *Error {
	e.Type = typ
	return e
}

// Invalidf is a ValidationError about an object, a message a line.
func Invalidf(o Object, messages ...string) *Error {
	return Problem(Invalid, o.Kind(), o.Key(), messages...).Typed("ValidationError")
}

// MissingError says that there is no such object. What is known by its address is named by its key,
// anything else as the caller has it.
func MissingError(kind, key string) *Error {
	if k, ok := KindOf(kind); ok && k.Types[k.KeyField] == IndexIP {
		key = k.CanonicalKey(key)
	}
	return Problem(NotFound, kind, key, "Not Found")
}

// Error renders as Digital Rebar's client does: "Type: Model/Key: message", or the messages
// below each other when there are several.
func (e *Error) Error() string {
	head := e.Type
	switch {
	case e.Key != "":
		head += ": " + strings.TrimPrefix(path.Join(e.Model, e.Key), "/")
		if e.Model == "" {
			head = e.Type + ": " + e.Key
		}
	case e.Model != "":
		head += ": " + e.Model
	}
	head = strings.TrimPrefix(head, ": ")
	switch len(e.Messages) {
	case 0:
		return head
	case 1:
		return strings.TrimPrefix(head+": "+e.Messages[0], ": ")
	}
	return head + "\n  " + strings.Join(e.Messages, "\n  ")
}

// ClassOf is the class of an error, Internal when it is not an *Error.
func ClassOf(err error) Class {
	var e *Error
	if errors.As(err, &e) {
		return e.Class
	}
	return Internal
}
