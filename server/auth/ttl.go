package auth

import (
	"strconv"
	"strings"
	"time"

	"drp/models"
)

// How long tokens live that are not told.
const (
	DefaultTTL  = time.Hour
	InfiniteTTL = 3 * year // what templates call infinite
)

const (
	day   = 24 * time.Hour
	year  = 365 * day
	never = 100 * year
)

var units = map[string]time.Duration{
	"ns": time.Nanosecond, "us": time.Microsecond, "ms": time.Millisecond,
	"": time.Second, "s": time.Second, "m": time.Minute, "h": time.Hour,
	"d": day, "w": 7 * day, "mo": 30 * day, "y": year,
}

// ParseTTL reads a duration: a decimal number, in seconds or followed by one of the units ns,
// us, ms, s, m, h, d, w, mo and y, or "never", which is 100 years and the most
// there is. The empty text is 0: not given. The error is a BadRequest.
func ParseTTL(s string) (time.Duration, error) {
	text := strings.TrimSpace(s)
	switch text {
	case "":
		return 0, nil
	case "never":
		return never, nil
	}
	digits := len(text) - len(strings.TrimLeft(text, "0123456789."))
	unit, known := units[strings.TrimSpace(text[digits:])]
	n, err := strconv.ParseFloat(text[:digits], 64)
	if !known || err != nil && n == 0 {
		return 0, badNumber(s, strconv.ErrSyntax)
	}
	if n*float64(unit) > float64(never) {
		return 0, badNumber(s, strconv.ErrRange)
	}
	if whole, err := strconv.ParseInt(text[:digits], 10, 64); err == nil {
		return time.Duration(whole) * unit, nil // exact, as a float is not
	}
	return time.Duration(n * float64(unit)), nil
}

// badNumber words it as clients expect it of a server that took whole seconds only.
func badNumber(s string, why error) error {
	return models.Errorf(models.BadRequest, nil, "%v", &strconv.NumError{Func: "ParseInt", Num: s, Err: why})
}
