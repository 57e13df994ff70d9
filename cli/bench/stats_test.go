package main

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestMedian(t *testing.T) {
	for _, test := range []struct {
		of   []float64
		want float64
	}{{nil, 0}, {[]float64{3}, 3}, {[]float64{9, 1}, 5}, {[]float64{9, 1, 2}, 2}, {[]float64{4, 1, 3, 2}, 2.5}} {
		if got := median(test.of); got != test.want {
			t.Errorf("median of %v: got %v, want %v", test.of, got, test.want)
		}
	}
}

// TestPercentileIsTheNearestRank: the part p of the values does not exceed it, and no smaller value
// has that property.
func TestPercentileIsTheNearestRank(t *testing.T) {
	if got := percentile(nil, 0.5); got != 0 {
		t.Errorf("of nothing: got %d, want 0", got)
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 1000 {
		of := make([]int, 1+r.IntN(200))
		for i := range of {
			of[i] = r.IntN(50)
		}
		slices.Sort(of)
		p := float64(1+r.IntN(100)) / 100
		got := percentile(of, p)
		upTo := func(v int) float64 {
			n := 0
			for _, x := range of {
				if x <= v {
					n++
				}
			}
			return float64(n)
		}
		need := p * float64(len(of))
		if !slices.Contains(of, got) || upTo(got) < need || upTo(got-1) >= need {
			t.Fatalf("percentile %v of %v: got %d", p, of, got)
		}
	}
}

func TestMediansAreThoseOfRounds(t *testing.T) {
	rounds := []summary{
		summarise(sample{Ops: 4, Seconds: 1, Micros: []int{1000, 2000, 3000, 4000}}),
		summarise(sample{Ops: 4, Seconds: 2, Micros: []int{2000, 3000, 4000, 5000}}),
		summarise(sample{Ops: 4, Seconds: 4, Micros: []int{10, 20, 30, 90_000}}), // a bad moment counts once
	}
	want := summary{Ops: 12, PerSecond: 2, P50: 2, P99: 5, Last: 5}
	if d := cmp.Diff(want, medians(rounds)); d != "" {
		t.Error(d)
	}
}

func TestCollectSortsWhatClientsTook(t *testing.T) {
	got := collect([][]time.Duration{{3 * time.Millisecond, time.Millisecond}, nil, {2 * time.Millisecond}}, time.Second)
	want := sample{Ops: 3, Seconds: 1, Micros: []int{1000, 2000, 3000}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}
