package main

import (
	"slices"
	"time"
)

// sample is what one round of one row has measured.
type sample struct {
	Ops     int     `json:"ops"`     // operations that were done, each with the right answer
	Seconds float64 `json:"seconds"` // from the start of the first to the end of the last
	Micros  []int   `json:"micros"`  // what each took, ascending
}

func (s sample) perSecond() float64 { return float64(s.Ops) / s.Seconds }

// summary is what a round has come to, or several.
type summary struct {
	Ops       int     `json:"ops"`
	PerSecond float64 `json:"perSecond"`
	P50       float64 `json:"p50ms"`
	P99       float64 `json:"p99ms"`
	Last      float64 `json:"lastms"` // the slowest
}

func summarise(s sample) summary {
	at := func(p float64) float64 { return float64(percentile(s.Micros, p)) / 1000 }
	return summary{Ops: s.Ops, PerSecond: s.perSecond(), P50: at(0.5), P99: at(0.99), Last: at(1)}
}

// medians is the median of the rounds in each figure, and the sum of their operations.
func medians(rounds []summary) summary {
	of := func(f func(summary) float64) float64 {
		var all []float64
		for _, r := range rounds {
			all = append(all, f(r))
		}
		return median(all)
	}
	ops := 0
	for _, r := range rounds {
		ops += r.Ops
	}
	return summary{
		Ops:       ops,
		PerSecond: of(func(r summary) float64 { return r.PerSecond }),
		P50:       of(func(r summary) float64 { return r.P50 }),
		P99:       of(func(r summary) float64 { return r.P99 }),
		Last:      of(func(r summary) float64 { return r.Last }),
	}
}

// median of no numbers is 0; of an even number of them it is the mean of the middle two.
func median(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	of = slices.Sorted(slices.Values(of))
	if m := len(of) / 2; len(of)%2 == 0 {
		return (of[m-1] + of[m]) / 2
	} else {
		return of[m]
	}
}

// percentile is the smallest of ascending values that at least the part p of them does not
// exceed (nearest rank); 0 when there are none.
func percentile(of []int, p float64) int {
	if len(of) == 0 {
		return 0
	}
	rank := int(p * float64(len(of)))
	if float64(rank) < p*float64(len(of)) {
		rank++
	}
	return of[min(max(rank, 1), len(of))-1]
}

// collect makes a sample of what several clients took.
func collect(took [][]time.Duration, elapsed time.Duration) sample {
	s := sample{Seconds: elapsed.Seconds(), Micros: []int{}}
	for _, one := range took {
		for _, d := range one {
			s.Micros = append(s.Micros, int(d.Microseconds()))
		}
	}
	slices.Sort(s.Micros)
	s.Ops = len(s.Micros)
	return s
}
