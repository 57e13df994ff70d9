package auth

import (
	"testing"
	"time"

	"drp/models"
)

func TestDurationsAreRead(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"":                      0,
		"0":                     0,
		"600":                   10 * time.Minute,
		"5ns":                   5,
		"5us":                   5 * time.Microsecond,
		"5ms":                   5 * time.Millisecond,
		"5s":                    5 * time.Second,
		"5m":                    5 * time.Minute,
		"1h":                    time.Hour,
		"1 h":                   time.Hour,
		" 7200\n":               2 * time.Hour,
		"1.5h":                  90 * time.Minute,
		"2d":                    48 * time.Hour,
		"1w":                    7 * 24 * time.Hour,
		"1mo":                   30 * 24 * time.Hour,
		"3y":                    3 * 365 * 24 * time.Hour,
		"100y":                  100 * 365 * 24 * time.Hour,
		"never":                 100 * 365 * 24 * time.Hour,
		"1234567890123456789ns": 1234567890123456789,
	} {
		if got, err := ParseTTL(text); err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestBadDurationsAreBadRequests(t *testing.T) {
	for text, want := range map[string]string{
		"cow":                  `strconv.ParseInt: parsing "cow": invalid syntax`,
		"h":                    `strconv.ParseInt: parsing "h": invalid syntax`,
		"-5":                   `strconv.ParseInt: parsing "-5": invalid syntax`,
		"+5":                   `strconv.ParseInt: parsing "+5": invalid syntax`,
		"5x":                   `strconv.ParseInt: parsing "5x": invalid syntax`,
		"5H":                   `strconv.ParseInt: parsing "5H": invalid syntax`,
		"1h30m":                `strconv.ParseInt: parsing "1h30m": invalid syntax`,
		"1.2.3":                `strconv.ParseInt: parsing "1.2.3": invalid syntax`,
		".":                    `strconv.ParseInt: parsing ".": invalid syntax`,
		"1e5":                  `strconv.ParseInt: parsing "1e5": invalid syntax`,
		"Never":                `strconv.ParseInt: parsing "Never": invalid syntax`,
		"101y":                 `strconv.ParseInt: parsing "101y": value out of range`,
		"99999999999999999999": `strconv.ParseInt: parsing "99999999999999999999": value out of range`,
	} {
		_, err := ParseTTL(text)
		if err == nil || err.Error() != want || models.ClassOf(err) != models.BadRequest {
			t.Errorf("%q: got %v (class %v), want %s", text, err, models.ClassOf(err), want)
		}
	}
}

func FuzzDurationIsWithinBounds(f *testing.F) {
	f.Add("9223372036854775807ns")
	f.Add("0.1y")
	f.Fuzz(func(t *testing.T, s string) {
		if d, err := ParseTTL(s); d < 0 || d > never || err != nil && d != 0 {
			t.Errorf("%q: got %v, %v", s, d, err)
		}
	})
}
