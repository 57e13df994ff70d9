package objects

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"drp/models"
	"drp/models/patch"
	"drp/server/store"
)

// Source is a stored state with its history, as Check reads it.
type Source interface {
	// Records yields every record.
	Records(ctx context.Context, fn func(store.Record) error) error
	// Back yields the changes of history from the newest to the oldest that is kept. What is wrong
	// with a revision itself it tells report.
	Back(ctx context.Context, report func(rev uint64, problem string), fn func(store.Change) error) error
}

// Check looks for what no server would have stored, and reports each problem by the name of the
// object or the revision: objects that do not decode, are not valid or not canonical, or lie under
// a wrong key; values that should be unique and are not; revisions that are missing; and patches
// of history that do not lead from the newest state back to the oldest that is kept. Compacted is
// the revision up to which none is. The error is one of reading; then Check is not complete.
func Check(ctx context.Context, src Source, rev, compacted uint64, report func(where, problem string)) error {
	c := &checker{report: report, rev: rev, compacted: compacted, state: map[store.Key]*version{}, missing: map[uint64]bool{}, unique: map[string]string{}}
	if err := src.Records(ctx, c.record); err != nil {
		return fmt.Errorf("read the records: %w", err)
	}
	if err := src.Back(ctx, c.lost, c.undo); err != nil {
		return fmt.Errorf("read the history: %w", err)
	}
	c.end()
	return nil
}

// checker is a state that moves backwards while it is checked.
type checker struct {
	report         func(where, problem string)
	rev, compacted uint64
	state          map[store.Key]*version // nil raw: absent
	missing        map[uint64]bool        // revisions that history has lost
	unique         map[string]string      // kind, field and value -> key
}

// version is one of an object's. Once it is broken its past cannot be told, which is no further
// problem.
type version struct {
	raw    []byte
	rev    uint64
	broken bool
}

func (c *checker) record(r store.Record) error {
	name := r.Kind + "/" + r.ID
	c.state[r.Key] = &version{raw: bytes.Clone(r.Raw), rev: r.Rev}
	if r.Rev == 0 || r.Rev > c.rev {
		c.report(name, fmt.Sprintf("is at revision %d, the store at %d", r.Rev, c.rev))
	}
	if len(r.Raw) > store.MaxRecord {
		c.report(name, "is larger than 1 MiB")
	}
	k, ok := models.KindOf(r.Kind)
	if !ok && isCustom(r.Kind, r.Raw) {
		k, ok = models.CustomKind(r.Kind, []byte("{}")), true
	}
	if !ok {
		c.report(name, "is of an unknown kind")
		return nil
	}
	o, err := models.Unmarshal(r.Kind, r.Raw)
	if err != nil {
		c.report(name, "cannot be decoded: "+err.Error())
		return nil
	}
	if o.Key() != r.ID {
		c.report(name, fmt.Sprintf("holds the object %q", o.Key()))
	}
	for _, problem := range problemsOf(o, func(string) bool { return true }) {
		c.report(name, "is not valid: "+problem)
	}
	if canonical, err := models.Marshal(o); err != nil || !bytes.Equal(canonical, r.Raw) && !older(r.Raw, canonical) {
		c.report(name, "is not in its canonical form")
	}
	for _, field := range k.Unique {
		value := k.Indexes()[field].Text(o)
		at := strings.Join([]string{r.Kind, field, value}, "\x00")
		if other, taken := c.unique[at]; taken {
			c.report(name, fmt.Sprintf("has the %s %q, which is that of %s/%s", field, value, r.Kind, other))
		}
		c.unique[at] = r.ID
	}
	return nil
}

// older tells whether a record is in the form of an earlier version of drp: it lacks members that
// its kind has got since, or has kept one that only answers have. It is brought up to date with
// the next change of the object.
func older(raw, canonical []byte) bool {
	p, err := patch.Diff(canonical, raw, patch.Plain)
	if err != nil || len(p) == 0 {
		return false
	}
	for _, op := range p {
		if op.Op != "remove" && op.Path != "/Partial" {
			return false
		}
	}
	was, err := p.Apply(canonical)
	return err == nil && bytes.Equal(was, raw)
}

// lost notes what is wrong with a revision of history.
func (c *checker) lost(rev uint64, problem string) {
	c.missing[rev] = true
	c.report(revision(rev), problem)
}

func revision(rev uint64) string { return fmt.Sprintf("history of revision %d", rev) }

var actions = []Op{Create, Update, Save, Delete}

// undo takes one change back.
func (c *checker) undo(sc store.Change) error {
	for _, w := range slices.Backward(sc.Writes) {
		if problem := c.undoWrite(sc.Rev, &w); problem != "" {
			c.state[w.Key] = &version{broken: true}
			if !c.missing[sc.Rev] {
				c.report(revision(sc.Rev), w.Kind+"/"+w.ID+" "+problem)
			}
		}
	}
	return nil
}

// undoWrite takes back what a change did to one object, and says what is wrong with it.
func (c *checker) undoWrite(rev uint64, w *store.Write) string {
	now := c.state[w.Key]
	if now == nil {
		now = &version{}
		c.state[w.Key] = now
	}
	deleted := Op(w.Action) == Delete
	switch {
	case now.broken:
		return ""
	case c.missing[now.rev] && now.raw != nil, now.raw == nil && !deleted && len(c.missing) > 0:
		now.broken = true // what happened to it since is lost, which has been told
		return ""
	case !slices.Contains(actions, Op(w.Action)):
		return fmt.Sprintf("has the unknown action %q", w.Action)
	case deleted && now.raw != nil:
		return fmt.Sprintf("was deleted, yet it is there at revision %d", now.rev)
	case !deleted && now.raw == nil:
		return "was written, yet it is not there and was never deleted"
	case !deleted && now.rev != rev:
		return fmt.Sprintf("was written, yet it is at revision %d next", now.rev)
	}
	was, err := before(now.raw, w.Patch)
	switch {
	case err != nil:
		return "cannot be taken back to what it was: " + err.Error()
	case w.Prev >= rev:
		return fmt.Sprintf("is said to be at revision %d before", w.Prev)
	case was == nil && w.Prev != 0, was != nil && Op(w.Action) == Create, was == nil && Op(w.Action) != Create:
		return fmt.Sprintf("does not agree with its patch: action %s, revision %d before", w.Action, w.Prev)
	}
	if w.Prev == 0 { // there was none, or one that comes with the server and is not stored
		was = nil
	}
	c.state[w.Key] = &version{raw: was, rev: w.Prev}
	return ""
}

// end checks what is left once all of history is taken back.
func (c *checker) end() {
	var left []string
	for k, v := range c.state {
		if v.raw != nil && !v.broken && v.rev > c.compacted && v.rev <= c.rev && !c.missing[v.rev] {
			left = append(left, fmt.Sprintf("%s/%s\x00was written by revision %d, whose history does not say so", k.Kind, k.ID, v.rev))
		}
	}
	slices.Sort(left)
	for _, l := range left {
		where, problem, _ := strings.Cut(l, "\x00")
		c.report(where, problem)
	}
}
