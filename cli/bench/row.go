package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
)

// contender is one of the servers in a row, with what one round of it does.
type contender struct {
	name  string
	round func(length time.Duration) (sample, error)
}

// result is a row of one server, as it goes into the file of figures.
type result struct {
	Group   string    `json:"group"`
	Row     string    `json:"row"`
	Clients int       `json:"clients"`
	Server  string    `json:"server"`
	Summary summary   `json:"summary"`
	Rounds  []summary `json:"rounds"`
}

// row measures the contenders in turns and prints a line for each; the first is drp. What counts
// is how much is done in a second.
func (b *bench) row(group, title string, clients int, contenders ...contender) error {
	return b.compete(group, title, clients, false, contenders)
}

// race is row for a thing that happens once a round: what counts is how long it takes until it has
// reached the last one.
func (b *bench) race(group, title string, clients int, contenders ...contender) error {
	return b.compete(group, title, clients, true, contenders)
}

func (b *bench) compete(group, title string, clients int, once bool, contenders []contender) error {
	contenders = slices.DeleteFunc(contenders, func(c contender) bool { return c.round == nil })
	b.progress("%s. %s, %d clients", group, title, clients)
	rounds := make([][]summary, len(contenders))
	for r := -1; r < b.rounds; r++ { // the first one warms up
		length := b.length
		if r < 0 {
			length /= 4
		}
		for turn := range contenders {
			i := (turn + max(r, 0)) % len(contenders)
			runtime.GC() // of our own, before the clock runs
			s, err := contenders[i].round(length)
			if err != nil {
				return fmt.Errorf("%s: %s: %w", contenders[i].name, title, err)
			}
			if r >= 0 {
				rounds[i] = append(rounds[i], summarise(s))
			}
		}
	}
	first := medians(rounds[0])
	for i, c := range contenders {
		s := medians(rounds[i])
		b.results = append(b.results, result{group, title, clients, c.name, s, rounds[i]})
		b.line(i, title, clients, c.name, s, ratio(first, s, once), once)
	}
	return b.profile(group, title, clients, contenders[0])
}

// profile takes a CPU profile of drp-server in one more round, which does not count.
func (b *bench) profile(group, title string, clients int, c contender) error {
	if b.prof == "" {
		return nil
	}
	if err := os.MkdirAll(b.prof, 0o755); err != nil {
		return err
	}
	conn, err := b.drp.dial()
	if err != nil {
		return err
	}
	defer conn.close()
	const seconds = 3
	taken := make(chan error, 1)
	var a answer
	began := time.Now()
	go func() {
		var err error
		a, err = conn.do("GET", fmt.Sprintf("/debug/pprof/profile?seconds=%d", seconds), "", nil)
		taken <- err
	}()
	for time.Since(began) < seconds*time.Second {
		if _, err = c.round(max(0, seconds*time.Second-time.Since(began))); err != nil {
			break
		}
	}
	if err := errors.Join(err, <-taken); err != nil {
		return err
	}
	if a.status != 200 {
		return unexpected("GET", "/debug/pprof/profile", a)
	}
	name := strings.Join(strings.FieldsFunc(title, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), "-")
	return os.WriteFile(filepath.Join(b.prof, fmt.Sprintf("%s-%s-%d.pprof", group, name, clients)), a.body, 0o644)
}

// ratio is how many times better the first is.
func ratio(first, other summary, once bool) float64 {
	if once {
		return other.Last / first.Last
	}
	return first.PerSecond / other.PerSecond
}

// line prints the i-th server of a row. The head of the table stands once in a group.
func (b *bench) line(i int, title string, clients int, server string, s summary, ratio float64, once bool) {
	columns, figures := [3]string{"a second", "p50 ms", "p99 ms"}, [3]string{fmt.Sprintf("%.0f", s.PerSecond), ms(s.P50), ms(s.P99)}
	if once {
		columns, figures = [3]string{"p50 ms", "p99 ms", "last ms"}, [3]string{ms(s.P50), ms(s.P99), ms(s.Last)}
	}
	write := func(row, clients, server string, figures [3]string, than string) {
		line := fmt.Sprintf("%-30s %7s  %-18s %9s %9s %9s  %s", row, clients, server, figures[0], figures[1], figures[2], than)
		fmt.Fprintln(b.out, strings.TrimRight(line, " "))
	}
	if b.head != columns {
		write("", "clients", "server", columns, "drp is")
		b.head = columns
	}
	if i == 0 {
		write(title, fmt.Sprint(clients), server, figures, "")
	} else {
		write("", "", server, figures, fmt.Sprintf("%.2fx", ratio))
	}
}

func ms(f float64) string { return fmt.Sprintf("%.2f", f) }

// drive has clients do one thing after the other for a time. At the first error all end.
func drive(clients int, length time.Duration, work func(client, i int) error) (sample, error) {
	took, errs := make([][]time.Duration, clients), make([]error, clients)
	for c := range took {
		took[c] = make([]time.Duration, 0, 1024)
	}
	var wg sync.WaitGroup
	var failed atomic.Bool
	start := time.Now()
	for c := range clients {
		wg.Go(func() {
			for i := 0; !failed.Load(); i++ {
				began := time.Now()
				if began.Sub(start) >= length {
					return
				}
				if errs[c] = work(c, i); errs[c] != nil {
					failed.Store(true)
					return
				}
				took[c] = append(took[c], time.Since(began))
			}
		})
	}
	wg.Wait()
	return collect(took, time.Since(start)), first(errs)
}

// all runs n things at once and returns the first error.
func all(n int, work func(i int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = work(i) })
	}
	wg.Wait()
	return first(errs)
}

func first(errs []error) error {
	if i := slices.IndexFunc(errs, func(err error) bool { return err != nil }); i >= 0 {
		return errs[i]
	}
	return nil
}
