package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"drp/models"
)

// packs is one content pack of several objects that is uploaded, replaced and removed by several
// clients. Each upload changes all of the objects at once: who lists them sees one version of all
// or none at all, and the history of versions must be linearizable.
type packs struct {
	*histories
}

const (
	packName = "soak-pack"
	packed   = 5 // objects of each kind in it
)

func (*packs) name() string { return "content pack" }
func (*packs) clients() int { return 3 }

func (w *packs) setup(context.Context, *caller) error {
	w.histories = newHistories("content pack")
	return nil
}

func (w *packs) client(ctx context.Context, c *caller, _ int) error {
	for !c.enough() {
		v := []verb{create, put, put, put, del, list, list, list, list, list}[c.dice.IntN(10)]
		if err := w.one(ctx, c, v); err != nil {
			return err
		}
	}
	return nil
}

func (w *packs) check(ctx context.Context, c *caller) error {
	if err := w.one(ctx, c, list); err != nil {
		return err
	}
	w.histories.check(c.world)
	return nil
}

func (w *packs) one(ctx context.Context, c *caller, v verb) error {
	o := operation{verb: v}
	if v == create || v == put {
		o.desc = c.value()
	}
	var a answer
	var err error
	switch v { // uploads have no names
	case create:
		a, err = c.ask(ctx, once, http.MethodPost, "contents", pack(o.desc))
	case put:
		a, err = c.ask(ctx, once, http.MethodPut, "contents/"+packName, pack(o.desc))
	case del:
		a, err = c.ask(ctx, once, http.MethodDelete, "contents/"+packName, nil)
	default:
		kind := []string{"profiles", "params"}[c.dice.IntN(2)]
		a, err = c.ask(ctx, once, http.MethodGet, kind+"?Bundle="+packName, nil)
	}
	if err != nil {
		return err
	}
	out, err := readPack(o, &a)
	if err != nil {
		return err
	}
	if o.verb == list && a.lost {
		return nil // nothing learned
	}
	w.note(c, packName, o, &a, out)
	return nil
}

// pack is a version of the pack: the version stands in each of its objects.
func pack(version string) *models.Content {
	p := &models.Content{Meta: models.ContentMeta{Name: packName}, Sections: map[string]map[string]json.RawMessage{}}
	for _, kind := range []string{"profiles", "params"} {
		p.Sections[kind] = map[string]json.RawMessage{}
		for i := range packed {
			name := fmt.Sprintf("soak-pack-%d", i)
			p.Sections[kind][name] = json.RawMessage(fmt.Sprintf(`{"Name":%q,"Description":%q}`, name, version))
		}
	}
	return p
}

func readPack(o operation, a *answer) (outcome, error) {
	switch {
	case a.lost:
		return outcome{verdict: lost}, nil
	case a.status == http.StatusNotFound:
		return outcome{verdict: missing}, nil
	case a.status == http.StatusConflict && o.verb == create:
		return outcome{verdict: exists}, nil
	case a.status >= 300:
		return outcome{}, fmt.Errorf("%s: status %d: %s", o.verb, a.status, a.body)
	case o.verb != list:
		return outcome{verdict: done}, nil
	}
	out := outcome{verdict: done}
	var all []struct{ Name, Description string }
	if err := json.Unmarshal(a.body, &all); err != nil || len(all) == 0 {
		return out, err
	}
	out.shown, out.desc = true, all[0].Description
	for _, one := range all {
		if one.Description != out.desc || len(all) != packed {
			return out, fmt.Errorf("half of a change is seen: %s", a.body)
		}
	}
	return out, nil
}
