package patch

import (
	"bytes"
	"strconv"
)

// Equal reports whether a and b hold the same JSON value, by the rules of test. The
// error is that of the one that is not JSON; nothing at all counts as null.
func Equal(a, b []byte) (bool, error) {
	x, err := parse(a, 0)
	if err != nil {
		return false, err
	}
	y, err := parse(b, 0)
	if err != nil {
		return false, err
	}
	return equal(&x, &y), nil
}

func equal(a, b *node) bool {
	if a.raw != nil && bytes.Equal(a.raw, b.raw) {
		return true
	}
	if a.class() != b.class() {
		return false
	}
	switch a.class() {
	case '{':
		return equalObjects(a.open(), b.open())
	case '[':
		return equalLists(a.open(), b.open())
	case '"':
		return equalStrings(a.raw, b.raw)
	case '0':
		return equalNumbers(a.raw, b.raw)
	}
	return true // null, true and false have one spelling
}

func equalLists(a, b *inside) bool {
	if len(a.members) != len(b.members) {
		return false
	}
	for i := range a.members {
		if !equal(&a.members[i].node, &b.members[i].node) {
			return false
		}
	}
	return true
}

func equalObjects(a, b *inside) bool {
	if len(a.byName()) != len(b.byName()) {
		return false
	}
	for name, i := range a.byName() {
		j, found := b.byName()[name]
		if !found || !equal(&a.members[i].node, &b.members[j].node) {
			return false
		}
	}
	return true
}

func equalStrings(a, b []byte) bool {
	if bytes.IndexByte(a, '\\') < 0 && bytes.IndexByte(b, '\\') < 0 {
		return false // they differ as bytes
	}
	return unquote(a) == unquote(b)
}

// equalNumbers compares values without computing them, so that 1e999999999 costs
// nothing. An exponent of more than 18 digits equals only its own spelling.
func equalNumbers(a, b []byte) bool {
	x, xok := parseDecimal(a)
	y, yok := parseDecimal(b)
	if !xok || !yok {
		return xok == yok && bytes.Equal(a, b)
	}
	return x.negative == y.negative && x.exponent == y.exponent && bytes.Equal(x.digits, y.digits)
}

// decimal is ±0.digits × 10^exponent; digits neither start nor end with 0, and zero
// has none, no sign and no exponent.
type decimal struct {
	negative bool
	digits   []byte
	exponent int64
}

// parseDecimal reads a number that was checked; false if its exponent is too long.
func parseDecimal(b []byte) (decimal, bool) {
	var d decimal
	if b[0] == '-' {
		d.negative, b = true, b[1:]
	}
	mantissa, exponent := b, []byte(nil)
	if i := bytes.IndexAny(b, "eE"); i >= 0 {
		mantissa, exponent = b[:i], b[i+1:]
	}
	whole, fraction, _ := bytes.Cut(mantissa, []byte("."))
	all := append(append(make([]byte, 0, len(mantissa)), whole...), fraction...)
	d.digits = bytes.TrimLeft(all, "0")
	d.exponent = int64(len(whole)) - int64(len(all)-len(d.digits))
	d.digits = bytes.TrimRight(d.digits, "0")
	if len(d.digits) == 0 {
		return decimal{}, true
	}
	e, ok := parseExponent(exponent)
	d.exponent += e
	return d, ok
}

func parseExponent(b []byte) (int64, bool) {
	if len(b) == 0 {
		return 0, true
	}
	negative := b[0] == '-'
	b = bytes.TrimLeft(bytes.TrimLeft(b, "+-"), "0")
	if len(b) == 0 {
		return 0, true
	}
	if len(b) > 18 {
		return 0, false
	}
	e, err := strconv.ParseInt(string(b), 10, 64)
	if negative {
		e = -e
	}
	return e, err == nil
}
