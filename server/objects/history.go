package objects

import (
	"context"
	"fmt"

	"drp/models"
	"drp/models/patch"
	"drp/server/store"
)

// Commits returns what was committed with revisions above from and up to to, as Follow showed
// it then. It walks back from the newest state through the patches of history; when these are
// no longer kept the error is store.ErrCompacted.
func (s *Service) Commits(ctx context.Context, from, to uint64) ([]*Commit, error) {
	v := s.View()
	var changes []store.Change
	for c, err := range s.engine.History(ctx, from) {
		if err != nil {
			return nil, err
		}
		if c.Rev > v.Rev {
			break
		}
		changes = append(changes, c)
	}
	back := past{view: v, raw: map[store.Key][]byte{}}
	commits := make([]*Commit, len(changes))
	for i := len(changes) - 1; i >= 0; i-- {
		c, err := back.undo(&changes[i])
		if err != nil {
			return nil, fmt.Errorf("history of revision %d: %w", changes[i].Rev, err)
		}
		commits[i] = c
	}
	for len(commits) > 0 && commits[len(commits)-1].Rev > to {
		commits = commits[:len(commits)-1]
	}
	return commits, nil
}

// past is a state that moves backwards.
type past struct {
	view *View
	raw  map[store.Key][]byte // objects that differ from the view; nil: absent
}

func (p *past) get(k store.Key) []byte {
	if raw, ok := p.raw[k]; ok {
		return raw
	}
	if e, ok := p.view.Get(k.Kind, k.ID); ok && e.Rev > 0 {
		return e.stored
	}
	return nil
}

// undo moves the state back by one change, and returns that change.
func (p *past) undo(sc *store.Change) (*Commit, error) {
	c := &Commit{Rev: sc.Rev, Time: sc.Time, Who: sc.Who, Changes: make([]Committed, len(sc.Writes))}
	for i := len(sc.Writes) - 1; i >= 0; i-- {
		w := sc.Writes[i]
		is := p.get(w.Key)
		was, err := before(is, w.Patch)
		if err != nil {
			return nil, err
		}
		p.raw[w.Key] = was
		out := Committed{Kind: w.Kind, Key: w.ID, Op: Op(w.Action)}
		if out.Old, err = entryOf(w.Kind, was, w.Prev); err == nil {
			out.New, err = entryOf(w.Kind, is, sc.Rev)
		}
		if err != nil {
			return nil, err
		}
		c.Changes[i] = out
	}
	return c, nil
}

// before takes a patch back. An absent document is null on its way through patches.
func before(is, forward []byte) ([]byte, error) {
	p, err := patch.Decode(forward)
	if err != nil {
		return nil, err
	}
	back, err := p.Invert()
	if err != nil {
		return nil, err
	}
	if is == nil {
		is = []byte("null")
	}
	was, err := back.Apply(is)
	if err != nil || len(was) == 0 || string(was) == "null" {
		return nil, err
	}
	return was, nil
}

// entryOf is the entry of what patches have led to: a member that was put back stands last in it,
// so it is written anew. Nothing is nil.
func entryOf(kind string, raw []byte, rev uint64) (*Entry, error) {
	if raw == nil {
		return nil, nil
	}
	o, err := models.Unmarshal(kind, raw)
	if err != nil {
		return nil, err
	}
	e, _, err := newEntry(o, nil)
	if err == nil {
		e.Rev = rev
	}
	return e, err
}
