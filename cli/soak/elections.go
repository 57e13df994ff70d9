package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"

	"drp/models"
	"drp/models/patch"
)

// elections are races for a param that is "none": as documented for `drp ... set ... -r none`,
// exactly one wins, and each loser is told who.
type elections struct {
	race int
}

const (
	candidates = 5
	nobody     = "none"
	leader     = "my/leader"
)

func (*elections) name() string { return "election" }
func (*elections) clients() int { return 1 }

func (*elections) setup(ctx context.Context, c *caller) error {
	p := &models.Param{Name: leader, Schema: json.RawMessage(`{"type":"string","default":"none"}`)}
	_, err := c.must(ctx, http.MethodPost, "params", p, http.StatusCreated)
	return err
}

func (e *elections) client(ctx context.Context, c *caller, _ int) error {
	for !c.enough() {
		if err := e.hold(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (*elections) check(context.Context, *caller) error { return nil }

// vote is what became of one candidate.
type vote struct {
	name  string
	won   bool
	lost  bool   // its answer
	found string // whom it was told of instead
}

// hold holds one election.
func (e *elections) hold(ctx context.Context, c *caller) error {
	e.race++
	path := fmt.Sprintf("profiles/soak-election-%d", e.race)
	p := &models.Profile{Name: strings.TrimPrefix(path, "profiles/")}
	if c.dice.IntN(2) == 0 { // else it is the default
		p.Params = models.Params{leader: json.RawMessage(`"none"`)}
	}
	if _, err := c.must(ctx, http.MethodPost, "profiles", p, http.StatusCreated); err != nil {
		return err
	}
	votes, errs := make([]vote, candidates), make([]error, candidates)
	var all sync.WaitGroup
	for i := range candidates {
		one := &caller{world: c.world, id: c.id, dice: rand.New(rand.NewPCG(c.dice.Uint64(), 0))}
		all.Go(func() {
			votes[i], errs[i] = one.run(ctx, path, fmt.Sprintf("candidate-%d-%d", e.race, i))
		})
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	a, err := c.must(ctx, http.MethodGet, path+"/params/"+leader+"?aggregate=true", nil, http.StatusOK)
	if err != nil {
		return err
	}
	var elected string
	if err := json.Unmarshal(a.body, &elected); err != nil {
		return err
	}
	if fault := tally(votes, elected); fault != "" {
		return fmt.Errorf("%s: %s", path, fault)
	}
	_, err = c.must(ctx, http.MethodDelete, path, nil, http.StatusOK)
	return err
}

// run is one candidate's try.
func (c *caller) run(ctx context.Context, path, name string) (vote, error) {
	v := vote{name: name}
	at := patch.Pointer(leader)
	a, err := c.ask(ctx, c.manner(), http.MethodPatch, path+"/params", []op{{"test", at, nobody}, {"replace", at, name}})
	switch {
	case err != nil:
		return v, err
	case a.lost:
		v.lost = true
	case a.status == http.StatusOK:
		v.won = true
		if !bytes.Contains(a.body, []byte(name)) {
			return v, fmt.Errorf("%s is told that it has won: %s", name, a.body)
		}
	case a.status == http.StatusConflict:
		v.found = a.found()
	default:
		return v, fmt.Errorf("%s: status %d: %s", name, a.status, a.body)
	}
	return v, nil
}

// tally tells what is wrong with an election that has left somebody elected, or "".
func tally(votes []vote, elected string) string {
	known, possible := "", elected == nobody
	for _, v := range votes {
		if v.won && known != "" {
			return fmt.Sprintf("%s and %s have won", known, v.name)
		}
		if v.won {
			known = v.name
		}
		possible = possible || v.name == elected && (v.won || v.lost)
	}
	switch {
	case known != "" && known != elected:
		return fmt.Sprintf("%s has won, but %s is elected", known, elected)
	case !possible:
		return fmt.Sprintf("%s is elected, who is no candidate or was told otherwise", elected)
	}
	answered := true
	for _, v := range votes {
		answered = answered && !v.lost
		if v.found != "" && v.found != fmt.Sprintf("%q", elected) {
			return fmt.Sprintf("%s has lost to %s, but %s is elected", v.name, v.found, elected)
		}
		if !v.won && !v.lost && v.found == "" {
			return fmt.Sprintf("%s has lost and was not told to whom", v.name)
		}
	}
	if answered && known == "" {
		return "all have lost"
	}
	return ""
}
