package patch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MalformedError says that a patch is refused for what it is, not for what it met:
// it is no JSON, no list of operations, has an unknown operation, a text that is no
// pointer, lacks a member its operation needs, or goes beyond a limit.
type MalformedError struct {
	Index  int // of the operation, from zero; -1: the patch as a whole
	Reason string
}

func (e *MalformedError) Error() string {
	if e.Index < 0 {
		return "Malformed patch: " + e.Reason
	}
	return fmt.Sprintf("Malformed patch at line %d: %s", e.Index, e.Reason)
}

// FailedError says that an operation does not apply to the document it met; the
// document is as it was. Callers who lose a compare-and-set get this one.
type FailedError struct {
	Index  int    // of the operation, from zero
	Op     Op     // the operation
	Reason string // "Test op failed.", or what is missing
	Want   json.RawMessage
	Have   json.RawMessage // what the document has at Op.Path; nil: nothing
}

// invalidOp is the refusal of an operation nobody knows.
func invalidOp(op string) error {
	return &MalformedError{Reason: "Invalid op " + op}
}

func (e *FailedError) Error() string {
	return fmt.Sprintf("Patch error at line %d: %s", e.Index, e.Reason)
}

// shown is how many bytes of a value Detail shows.
const shown = 200

// Detail returns one line for a person: the path, the value that was expected and
// the value that was found, long values cut. Unlike Error it shows values of the
// document, so it is for those who may read it.
//
//	expected "none" at /my~1leader, found "node-7"
//	expected "none" at /my~1leader, found nothing
func (e *FailedError) Detail() string {
	path := e.Op.Path
	if path == "" {
		path = "the root"
	}
	if e.Op.Op != opTest {
		return oneLine(path + ": " + e.Reason)
	}
	return oneLine(fmt.Sprintf("expected %s at %s, found %s", excerpt(e.Want), path, excerpt(e.Have)))
}

// oneLine is for keys: a key may have anything in it, a value here has no controls.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

func excerpt(value json.RawMessage) string {
	if value == nil {
		return "nothing"
	}
	var line bytes.Buffer
	if json.Compact(&line, value) != nil {
		return "invalid JSON"
	}
	b := line.Bytes()
	if len(b) <= shown {
		return string(b)
	}
	end := shown
	for !utf8.RuneStart(b[end]) {
		end--
	}
	return string(b[:end]) + "…"
}
