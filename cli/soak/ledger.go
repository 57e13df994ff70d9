package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"drp/models"
)

// ledger is objects that are made once, changed once and then left alone. What was acknowledged
// must be there, also after all crashes of the next round; what was not must be there as a whole
// or not at all.
type ledger struct {
	mu      sync.Mutex
	round   int
	entries map[string]entry
}

// entry is what is known of one object.
type entry struct {
	round int
	made  bool // acknowledged
	grown bool // the change, acknowledged
}

const (
	ledgerPrefix = "soak-ledger-"
	members      = 3  // params of a new entry; the change adds as many
	maxEntries   = 60 // of a client in a round
)

func (*ledger) name() string { return "ledger" }
func (*ledger) clients() int { return 2 }

func (l *ledger) setup(context.Context, *caller) error {
	l.entries = map[string]entry{}
	return nil
}

func (l *ledger) client(ctx context.Context, c *caller, _ int) error {
	var mine []string
	for !c.enough() {
		if len(mine) > 0 && (len(mine) == maxEntries || c.dice.IntN(4) > 0) {
			if err := errors.Join(visit(ctx, c, mine[c.dice.IntN(len(mine))]), c.breathe(ctx)); err != nil {
				return err
			}
			continue
		}
		name := fmt.Sprintf("%s%d-%d-%d", ledgerPrefix, l.round, c.id, len(mine))
		mine = append(mine, name)
		e := entry{round: l.round}
		a, err := c.ask(ctx, c.manner(), http.MethodPost, "profiles", &models.Profile{Name: name, Params: params(0)})
		if err != nil {
			return err
		}
		if e.made = !a.lost; e.made && a.status != http.StatusCreated {
			return fmt.Errorf("%s: status %d: %s", name, a.status, a.body)
		}
		if e.made && c.dice.IntN(2) == 0 {
			if e.grown, err = grow(ctx, c, name); err != nil {
				return err
			}
		}
		l.mu.Lock()
		l.entries[name] = e
		l.mu.Unlock()
	}
	return nil
}

// visit looks at an entry; what it shows is held against the tale.
func visit(ctx context.Context, c *caller, name string) error {
	a, err := c.must(ctx, http.MethodGet, "profiles/"+name, nil, http.StatusOK, http.StatusNotFound)
	if err != nil {
		return err
	}
	out := outcome{verdict: done, rev: a.etag, shown: true}
	if a.status == http.StatusNotFound {
		out = outcome{verdict: missing}
	}
	c.witness(get, place{"profiles", name}, &a, out)
	return nil
}

// grow adds params by one patch.
func grow(ctx context.Context, c *caller, name string) (bool, error) {
	var ops []op
	for key, value := range params(members) {
		ops = append(ops, op{"add", "/Params/" + key, value})
	}
	a, err := c.ask(ctx, c.manner(), http.MethodPatch, "profiles/"+name, ops)
	if err != nil || a.lost {
		return false, err
	}
	if a.status != http.StatusOK {
		return false, fmt.Errorf("%s: status %d: %s", name, a.status, a.body)
	}
	return true, nil
}

func params(from int) models.Params {
	m := models.Params{}
	for i := from; i < from+members; i++ {
		m[fmt.Sprintf("soak-%d", i)] = json.RawMessage(fmt.Sprint(i))
	}
	return m
}

// check looks for all entries, and removes those that have lived through a whole round.
func (l *ledger) check(ctx context.Context, c *caller) error {
	a, err := c.must(ctx, http.MethodGet, "profiles?Name="+url.QueryEscape("Re(^"+ledgerPrefix+")"), nil, http.StatusOK)
	if err != nil {
		return err
	}
	var list []models.Profile
	if err := json.Unmarshal(a.body, &list); err != nil {
		return err
	}
	for _, fault := range audit(l.entries, list) {
		c.violate("ledger: %s", fault)
	}
	for i := range list {
		name := list[i].Name
		if e := l.entries[name]; e.round < l.round {
			if _, err := c.must(ctx, http.MethodDelete, "profiles/"+name, nil, http.StatusOK); err != nil {
				return err
			}
			delete(l.entries, name)
		}
	}
	for name, e := range l.entries {
		if e.round < l.round { // never made
			delete(l.entries, name)
		}
	}
	l.round++
	return nil
}

// audit tells which entries are not as they must be.
func audit(entries map[string]entry, list []models.Profile) (faults []string) {
	found := map[string]bool{}
	for i := range list {
		p := &list[i]
		found[p.Name] = true
		e, known := entries[p.Name]
		grown := len(p.Params) == 2*members
		switch {
		case !known:
			faults = append(faults, p.Name+" is there, and nobody has made it")
		case len(p.Params) != members && !grown:
			faults = append(faults, fmt.Sprintf("half of a change of %s is there: %d params", p.Name, len(p.Params)))
		case e.grown && !grown:
			faults = append(faults, "the acknowledged change of "+p.Name+" is lost")
		}
	}
	for name, e := range entries {
		if e.made && !found[name] {
			faults = append(faults, "the acknowledged "+strings.TrimPrefix(name, ledgerPrefix)+" is lost")
		}
	}
	slices.Sort(faults)
	return faults
}
