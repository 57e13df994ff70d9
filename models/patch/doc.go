// Package patch changes JSON documents with RFC 6902 patches, and makes the
// patch that leads from one document to another.
//
// A patch is a list of operations. They run in order on the document, each on
// what the one before left, and either all of them take effect or none does:
//
//	[{"op":"test",   "path":"/my~1leader", "value":"none"},
//	 {"op":"replace","path":"/my~1leader", "value":"node-7"}]
//
// This is the compare-and-set that scripts lock with. Of any number of callers
// who send it at once exactly one finds "none"; every other one is told what it
// found instead (see FailedError). What a caller may rely on:
//
//   - test compares values, not text. 1, 1.0 and 1e0 are the same number, however
//     many digits it has; the order of the keys of an object and the way a string
//     is escaped do not matter; the order of a list does.
//   - test fails on a member that is not there, also when it tests for null: a
//     member that is null and a member that is absent are different things. To
//     ask for absence, test the parent as a whole.
//   - add sets a member of an object, whether or not it was there. In a list it
//     inserts before the index; the length of the list, or "-", appends.
//   - replace and remove fail on what is not there. Nothing creates a parent.
//   - move is remove followed by add, copy is add of what is found at from.
//   - the path "" is the whole document; remove "" leaves null.
//   - a list index is plain decimal: no sign, no leading zero.
//   - members that no operation touches keep their bytes: numbers stay as they
//     were written (1.10 remains 1.10, large integers remain exact), keys keep
//     their order and their escapes, nothing is escaped for HTML. A new member goes
//     last. White space between the members of a changed object is dropped.
//   - of duplicate keys the last one counts.
//
// # Pointers
//
// A path is an RFC 6901 pointer: "" is the document, "/a" its member a, "/a/0" the
// first element of the list a. In a key, "/" is written ~1 and "~" is written ~0:
// the param my/leader is at /my~1leader. Pointer and Split convert both ways.
//
// # Limits
//
// What one caller may make another wait for is bounded: MaxDepth for documents and
// values, MaxOps, MaxCopied and MaxHandled for patches. Beyond them stands an error.
//
// # How it works
//
// The document is split only where a pointer leads, and whole members are replaced
// in place; the rest is never decoded. Elements of lists are edited by
// github.com/evanphx/json-patch, which is also the reference the tests compare with.
package patch
