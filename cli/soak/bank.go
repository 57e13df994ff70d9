package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"drp/models"
	"drp/models/patch"
)

// bank is a profile whose params are accounts. Clients move amounts between them, by patches that
// test both. The sum stays the same, whoever looks and whenever.
type bank struct{}

const (
	bankName = "soak-bank"
	accounts = 4
	total    = 1000
)

func (*bank) name() string { return "bank" }
func (*bank) clients() int { return 4 }

func account(i int) string { return fmt.Sprintf("soak/account-%d", i) }

func (*bank) setup(ctx context.Context, c *caller) error {
	p := &models.Profile{Name: bankName, Params: models.Params{}}
	for i := range accounts {
		p.Params[account(i)] = json.RawMessage("0")
	}
	p.Params[account(0)] = json.RawMessage(fmt.Sprint(total))
	_, err := c.must(ctx, http.MethodPost, "profiles", p, http.StatusCreated)
	return err
}

func (b *bank) client(ctx context.Context, c *caller, i int) error {
	for !c.enough() {
		p, err := b.look(ctx, c)
		if err != nil {
			return err
		}
		if i == 0 { // this one only looks
			err = c.breathe(ctx)
		} else {
			err = b.move(ctx, c, p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *bank) check(ctx context.Context, c *caller) error {
	_, err := b.look(ctx, c)
	return err
}

// look reads the accounts in one of the ways there are.
func (b *bank) look(ctx context.Context, c *caller) (models.Params, error) {
	switch c.dice.IntN(3) {
	case 0:
		a, err := c.must(ctx, http.MethodGet, "profiles/"+bankName+"/params", nil, http.StatusOK)
		if err != nil {
			return nil, err
		}
		return balance(a.body)
	case 1:
		a, err := c.must(ctx, http.MethodGet, "profiles?Name="+bankName, nil, http.StatusOK)
		if err != nil {
			return nil, err
		}
		var list []models.Profile
		if err := json.Unmarshal(a.body, &list); err != nil || len(list) != 1 {
			return nil, fmt.Errorf("list of %s: %s", bankName, a.body)
		}
		return list[0].Params, sums(list[0].Params)
	}
	a, err := c.must(ctx, http.MethodGet, "profiles/"+bankName, nil, http.StatusOK)
	if err != nil {
		return nil, err
	}
	c.witness(get, place{"profiles", bankName}, &a, outcome{verdict: done, rev: a.etag, shown: true})
	var p models.Profile
	if err := json.Unmarshal(a.body, &p); err != nil {
		return nil, err
	}
	return p.Params, balanced(&p)
}

// move moves an amount, if the accounts still are as they were seen; now and then by a patch whose
// last test cannot hold, of which nothing may stay.
func (b *bank) move(ctx context.Context, c *caller, p models.Params) error {
	from, to := c.dice.IntN(accounts), c.dice.IntN(accounts-1)
	if to >= from {
		to++
	}
	n, doomed := c.dice.IntN(50), c.dice.IntN(8) == 0
	ops := []op{
		{"test", patch.Pointer(account(from)), p[account(from)]},
		{"replace", patch.Pointer(account(from)), number(p[account(from)]) - n},
		{"test", patch.Pointer(account(to)), p[account(to)]},
		{"replace", patch.Pointer(account(to)), number(p[account(to)]) + n},
	}
	if doomed {
		ops = append(ops, op{"test", patch.Pointer(account(to)), "nothing of the kind"})
	}
	a, err := c.ask(ctx, c.manner(), http.MethodPatch, "profiles/"+bankName+"/params", ops)
	switch {
	case err != nil:
		return err
	case a.lost, a.status == http.StatusConflict:
		return nil
	case a.status == http.StatusOK && doomed:
		return fmt.Errorf("a patch was taken whose last test fails: %s", a.body)
	case a.status == http.StatusOK:
		_, err := balance(a.body)
		return err
	}
	return fmt.Errorf("move: status %d: %s", a.status, a.body)
}

func number(raw json.RawMessage) int {
	var n int
	_ = json.Unmarshal(raw, &n) // anything else spoils the sum
	return n
}

func balance(body []byte) (models.Params, error) {
	var m models.Params
	if err := json.Unmarshal(body, &m); err != nil {
		return nil, err
	}
	return m, sums(m)
}

func sums(m models.Params) error {
	sum := 0
	for i := range accounts {
		sum += number(m[account(i)])
	}
	if sum != total {
		return fmt.Errorf("the accounts sum to %d instead of %d: %v", sum, total, m)
	}
	return nil
}

// balanced tells what is wrong with a profile if it is the bank.
func balanced(p *models.Profile) error {
	if p.Name != bankName {
		return nil
	}
	return sums(p.Params)
}
