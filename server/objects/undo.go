package objects

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"drp/models"
	"drp/models/patch"
	"drp/server/store"
)

// maxUndo is how many changes are taken back at once at most.
const maxUndo = 1000

// Undo takes changes back, all of them or none, as one change that the caller must be allowed to
// make: each patch is inverted, the newest first, and the results pass through the Rules. What
// others have written since is a Conflict that names their change.
func (s *Service) Undo(ctx context.Context, ask models.Undo, force bool) (*models.Undone, error) {
	u, err := s.plan(ctx, ask, s.View().Rev)
	if err != nil {
		return nil, err
	}
	var tx *Tx
	fn := func(t *Tx) error { tx = t; return u.apply(t) }
	if ask.DryRun {
		r := &request{ctx: ctx, force: force, fn: fn}
		if err := s.compute(r, s.View()); err != nil {
			return nil, s.name(ctx, u, err)
		}
		return u.answer(s.View(), tx, 0)
	}
	rev, err := s.Do(ctx, force, fn)
	var again *Repeated
	switch {
	case errors.As(err, &again):
		return s.undone(ctx, ask, again.Rev)
	case err != nil:
		return nil, s.name(ctx, u, err)
	case len(tx.order) == 0:
		rev = 0
	}
	return u.answer(s.View(), tx, rev)
}

// undo is what an Undo has come down to.
type undo struct {
	undoes  string
	changes []store.Change // to take back, newest first
	kept    []models.Kept
}

// plan finds the changes that are meant, among those up to a revision.
func (s *Service) plan(ctx context.Context, ask models.Undo, to uint64) (*undo, error) {
	q, u, err := s.meant(ctx, &ask, to)
	if err != nil {
		return nil, err
	}
	v, actor := s.View(), ActorOf(ctx)
	for c, err := range s.search(ctx, q) {
		if err != nil {
			return nil, gone(err, "", "")
		}
		if slices.Contains(ask.Except, c.Rev) {
			u.kept = append(u.kept, models.Kept{Rev: c.Rev, Reason: "as asked"})
			continue
		}
		if err := actor.seesAll(v, &c); err != nil {
			return nil, err
		}
		reason, final := lasting(v, &c)
		switch {
		case reason != "" && !final && ask.Rev == 0:
			u.kept = append(u.kept, models.Kept{Rev: c.Rev, Reason: reason})
			continue
		case reason != "" && ask.Rev == 0:
			reason += fmt.Sprintf("; leave it out (Except, --except %d)", c.Rev)
			fallthrough
		case reason != "":
			return nil, models.Problem(models.Invalid, c.Writes[0].Kind, c.Writes[0].ID, fmt.Sprintf("revision %d cannot be taken back: %s", c.Rev, reason))
		}
		if u.changes = append(u.changes, c); len(u.changes) > maxUndo {
			return nil, models.Problem(models.Invalid, "", "", fmt.Sprintf("these are more than %d changes; take them back in parts, the newest first (Since)", maxUndo))
		}
	}
	switch {
	case len(u.changes) == 0 && ask.Rev > 0:
		return nil, models.Problem(models.NotFound, "history", fmt.Sprint(ask.Rev), "Not Found")
	case len(u.changes) == 0:
		return nil, models.Problem(models.NotFound, "history", "", u.nothing())
	}
	return u, nil
}

func (u *undo) nothing() string {
	text := "there is nothing to take back: no changes of " + u.undoes
	for i, k := range u.kept {
		if i == 0 {
			text += ", but"
		}
		if i == 5 {
			return text + " and others"
		}
		text += fmt.Sprintf(" revision %d (%s)", k.Rev, k.Reason)
	}
	return text
}

// meant is the query for the changes that are to be taken back.
func (s *Service) meant(ctx context.Context, ask *models.Undo, to uint64) (store.Query, *undo, error) {
	q, u := store.Query{To: to}, &undo{kept: []models.Kept{}}
	bad := func(text string) (store.Query, *undo, error) {
		return q, u, models.Problem(models.BadRequest, "", "", text)
	}
	named := 0
	for _, given := range []bool{ask.Rev != 0, ask.Job != "", ask.Who != ""} {
		if given {
			named++
		}
	}
	if named != 1 {
		return bad("say what to take back: one of Rev, Job and Who")
	}
	if ask.Rev != 0 {
		if err := inTime(s.View(), ask.Rev); err != nil {
			return q, u, err
		}
		if ask.Since != "" || len(ask.Except) > 0 {
			return bad("Since and Except go with Job or Who, not with Rev")
		}
		u.undoes = fmt.Sprintf("revision %d", ask.Rev)
		q.From, q.To = ask.Rev, ask.Rev
		return q, u, nil
	}
	since := ask.Since
	switch {
	case ask.Job != "":
		q.Job, u.undoes = ask.Job, "job "+ask.Job
		if job, ok := Get[*models.Job](s.View(), ask.Job); ok && since == "" {
			since = job.StartTime.Format(time.RFC3339Nano)
		} else if since == "" {
			return bad("job " + ask.Job + " is not there: say Since when its changes are to be taken back")
		}
	case since == "":
		return bad("say Since when the changes of " + ask.Who + " are to be taken back")
	default:
		q.Who = Principal(ask.Who)
		u.undoes = q.Who
	}
	if ask.Since != "" {
		u.undoes += " since " + ask.Since
	}
	if len(ask.Except) > 0 {
		u.undoes += " except " + strings.Trim(fmt.Sprint(ask.Except), "[]")
	}
	var err error
	if q.From, err = s.Since(ctx, since); err != nil {
		return q, u, err
	}
	return q, u, nil
}

// Principal is the full name of one that may have been called by his user name only.
func Principal(name string) string {
	if name == "" || strings.Contains(name, ":") || name == System.Name || name == "unknown" {
		return name
	}
	return "user:" + name
}

// seesAll refuses changes of objects that the actor may not see.
func (a Actor) seesAll(v *View, c *store.Change) error {
	seen, all := 0, 0
	for i := range c.Writes {
		k, known := v.KindOf(c.Writes[i].Kind)
		if known && k.Hidden {
			continue // goes with the others
		}
		if all++; known && a.seesPast(v, k, &c.Writes[i]) {
			seen++
		}
	}
	switch {
	case seen == 0:
		return models.Problem(models.NotFound, "history", fmt.Sprint(c.Rev), "Not Found")
	case seen < all:
		return models.Problem(models.Forbidden, "history", fmt.Sprint(c.Rev), fmt.Sprintf("revision %d also concerns objects that you may not see", c.Rev)).Typed("AUTH")
	}
	return nil
}

// derived are the members that the server works out by itself; they follow from the others.
var derived = []string{"/Validated", "/Available", "/Errors"}

// secrets are members that must not come back: tokens that have ended would be good again, and a
// password that was given up for a better one.
var secrets = map[string][]string{"users": {"/PasswordHash", "/Secret"}, "machines": {"/Secret"}}

// lasting says why a change must stay as it is, or "". What is not final only stays out of an undo
// of many changes: the work that was done is not undone by forgetting it.
func lasting(v *View, c *store.Change) (reason string, final bool) {
	for i := range c.Writes {
		w := &c.Writes[i]
		pointers := touched(w)
		whole := slices.Contains(pointers, "")
		switch {
		case w.Kind == "contents":
			return "it has changed the content pack " + w.ID + "; upload the version that you want, or remove it", true
		case w.Kind == "plugin_providers":
			return "it concerns the plugin provider " + w.ID + "; upload the program that you want, or remove it", true
		case w.Kind == "preferences" && (&models.Pref{Name: w.ID}).Secret():
			return "the secret " + w.ID + " signs tokens, and those that have ended stay so", true
		case !whole && slices.ContainsFunc(secrets[w.Kind], func(p string) bool { return slices.Contains(pointers, p) }):
			return "it has changed the secrets of " + w.Kind + "/" + w.ID + ", with which passwords and tokens end for good; set new ones instead", true
		case w.Kind == "jobs" && slices.ContainsFunc(pointers, func(p string) bool { return p != "/Current" }):
			return "it records what job " + w.ID + " has done, which stays so", false
		}
		if _, known := v.KindOf(w.Kind); !known {
			return "it concerns " + w.Kind + "/" + w.ID + ", of which this server knows nothing", true
		}
	}
	return "", false
}

// touched are the pointers that a write has changed, but for what the server works out.
func touched(w *store.Write) []string {
	p, err := patch.Decode(w.Patch)
	if err != nil {
		return []string{""} // damaged: all of it
	}
	return meaningful(patch.Pointers(p))
}

func meaningful(pointers []string) []string {
	return slices.DeleteFunc(pointers, func(p string) bool { return p != "" && overlapsAny(p, derived) })
}

// apply takes the changes back, the newest first.
func (u *undo) apply(tx *Tx) error {
	tx.undoes = u.undoes
	for i := range u.changes {
		c := &u.changes[i]
		for j := len(c.Writes) - 1; j >= 0; j-- {
			w := &c.Writes[j]
			err := tx.takeBack(w)
			var over *overwritten
			if errors.As(err, &over) {
				over.rev, over.key = c.Rev, w.Key
				return over
			}
			if err != nil {
				return during(c.Rev, err)
			}
		}
	}
	return nil
}

// during says with an error which revision could not be taken back.
func during(rev uint64, err error) error {
	var e *models.Error
	if !errors.As(err, &e) {
		return fmt.Errorf("take back revision %d: %w", rev, err)
	}
	out := *e
	out.Messages = append([]string{fmt.Sprintf("revision %d cannot be taken back:", rev)}, e.Messages...)
	return &out
}

// overwritten says that others have changed since what is to be taken back.
type overwritten struct {
	rev      uint64
	key      store.Key
	pointers []string
}

func (o *overwritten) Error() string { return "overwritten since" }

// takeBack reverses one write.
func (tx *Tx) takeBack(w *store.Write) error {
	if k, ok := models.KindOf(w.Kind); ok && k.Hidden {
		return tx.takeBackHidden(w)
	}
	is, ok := tx.Get(w.Kind, w.ID)
	if ok && tx.service.overridable(is) {
		is, ok = nil, false
	}
	p, err := patch.Decode(w.Patch)
	if err != nil {
		return err
	}
	switch whole := len(p) > 0 && p[0].Path == ""; {
	case len(p) == 0:
		return nil
	case whole && p[0].Op == "add":
		return tx.unmake(w, is, p[0].Value)
	case whole && len(p) == 2 && p[1].Op == "remove":
		return tx.remake(w, ok, p[0].Value)
	}
	back, err := p.Invert()
	if err != nil {
		return err
	}
	back = slices.DeleteFunc(back, func(op patch.Op) bool { return op.Path != "" && overlapsAny(op.Path, derived) })
	if len(back) == 0 {
		return nil
	}
	if !ok {
		return &overwritten{pointers: []string{""}}
	}
	raw, err := back.Apply(is.stored)
	var failed *patch.FailedError
	switch {
	case errors.As(err, &failed) && isAsBefore(p, is.stored):
		return nil
	case errors.As(err, &failed):
		return &overwritten{pointers: []string{failed.Op.Path}}
	case err != nil:
		return err
	}
	o, err := models.Unmarshal(w.Kind, raw)
	if err != nil {
		return err
	}
	if err := tx.mayUndo(is, o); err != nil {
		return err
	}
	if w.Kind == "jobs" { // only which one is the newest; callers cannot say that
		return tx.exactly(o)
	}
	want := models.Clone(o)
	if err := tx.Update(o); err != nil {
		return err
	}
	return tx.exactly(want)
}

// takeBackHidden brings back what went with a removed object. What was made or changed stays: later
// versions of objects rest on it, and it says nothing by itself.
func (tx *Tx) takeBackHidden(w *store.Write) error {
	raw, whole := wholeOf(w.Patch)
	if _, there := tx.Get(w.Kind, w.ID); Op(w.Action) != Delete || !whole || there {
		return nil
	}
	o, err := models.Unmarshal(w.Kind, raw)
	if err != nil {
		return err
	}
	return tx.Create(o)
}

// isAsBefore tells whether a document already is as it was before a patch, where that has changed
// it: somebody has set it back, or it follows from what has been taken back already.
func isAsBefore(p patch.Patch, doc []byte) bool {
	for i, op := range p {
		switch {
		case op.Path != "" && overlapsAny(op.Path, derived):
			continue
		case op.Op == "add": // there was nothing
			op = patch.Op{Op: "remove", Path: op.Path}
		case op.Op != "test":
			continue
		}
		_, err := patch.Patch{op}.Apply(doc)
		if failed := (*patch.FailedError)(nil); err != nil && !errors.As(err, &failed) || (err == nil) != (p[i].Op == "test") {
			return false
		}
	}
	return true
}

// mayUndo checks that the actor may change an object so.
func (tx *Tx) mayUndo(is *Entry, o models.Object) error {
	if o.Kind() == "preferences" {
		return tx.Actor.Require("preferences", "post", "")
	}
	if !tx.Actor.Visible(is.Object) {
		return models.MissingError(o.Kind(), o.Key())
	}
	if o.Kind() == "jobs" { // goes with its machine
		return nil
	}
	return tx.mayChange(is, o)
}

// unmake takes back a creation.
func (tx *Tx) unmake(w *store.Write, is *Entry, made []byte) error {
	if is == nil {
		return &overwritten{pointers: []string{""}}
	}
	since, err := patch.Diff(made, is.stored, patch.Plain)
	if err != nil {
		return err
	}
	if changed := meaningful(patch.Pointers(since)); len(changed) > 0 {
		return &overwritten{pointers: changed}
	}
	action, key := "delete", AuthKey(is.Object)
	if w.Kind == "preferences" {
		action, key = "post", ""
	}
	if err := tx.Actor.Require(w.Kind, action, key); err != nil {
		return err
	}
	return tx.Delete(w.Kind, w.ID)
}

// remake takes back a deletion.
func (tx *Tx) remake(w *store.Write, there bool, raw []byte) error {
	if there {
		return &overwritten{pointers: []string{""}}
	}
	o, err := models.Unmarshal(w.Kind, raw)
	if err != nil {
		return err
	}
	action, key := "create", AuthKey(o)
	if w.Kind == "preferences" {
		action = "post"
	}
	if !tx.Actor.May(w.Kind, action, "") {
		if err := tx.Actor.Require(w.Kind, action, key); err != nil {
			return err
		}
	}
	want := models.Clone(o)
	if err := tx.Create(o); err != nil {
		return err
	}
	return tx.exactly(want)
}

// exactly gives an object back what Rules make of a new one or of an edit, such as a machine's
// place in its list: it has been so before, and nobody has changed it since.
func (tx *Tx) exactly(want models.Object) error {
	kind, key := want.Kind(), want.Key()
	differs := func() (*Entry, []string, error) {
		is, ok := tx.Get(kind, key)
		if !ok {
			return nil, nil, models.MissingError(kind, key)
		}
		raw, err := models.Marshal(want)
		if err != nil {
			return nil, nil, err
		}
		p, err := patch.Diff(is.stored, raw, patch.Plain)
		left := slices.DeleteFunc(meaningful(patch.Pointers(p)), func(p string) bool { return tx.sealedSince(is, p) })
		return is, left, err
	}
	is, left, err := differs()
	if err != nil || len(left) == 0 {
		return err
	}
	o := models.Clone(want)
	tx.derived++
	err = tx.change(&Change{Op: Save, Old: is.Object, New: o}, is)
	tx.derived--
	if err != nil {
		return err
	}
	if _, left, err = differs(); err == nil && len(left) > 0 {
		err = models.Errorf(models.Conflict, want, "what follows from other objects does not let it be as it was: %s", strings.Join(left, ", "))
	}
	return err
}

// sealedSince tells whether a pointer is that of a secure param: what was in clear comes back sealed.
func (tx *Tx) sealedSince(e *Entry, pointer string) bool {
	h, ok := e.Object.(models.ParamHolder)
	keys, err := patch.Split(pointer)
	if !ok || err != nil || len(keys) < 2 || keys[0] != "Params" {
		return false
	}
	_, secret := tx.Get("secure_names", keys[1])
	return secret && models.IsSecureData((*h.ParamMap())[keys[1]])
}

// name turns an overwritten into the Conflict that names the change that came after.
func (s *Service) name(ctx context.Context, u *undo, err error) error {
	var over *overwritten
	if !errors.As(err, &over) {
		return err
	}
	path := strings.Join(over.pointers[:min(3, len(over.pointers))], ", ")
	if over.pointers[0] == "" {
		path = "the object"
	}
	later := "since"
	rev := uint64(0)
	if e, ok := s.View().Get(over.key.Kind, over.key.ID); ok {
		rev = e.Rev
	}
	ours := func(rev uint64) bool {
		return slices.ContainsFunc(u.changes, func(c store.Change) bool { return c.Rev == rev })
	}
	for c, cerr := range s.chain(ctx, over.key, rev, over.rev) {
		if cerr != nil {
			return gone(cerr, over.key.Kind, over.key.ID)
		}
		pointers := touched(&c.Writes[0])
		if ours(c.Rev) || !slices.ContainsFunc(over.pointers, func(p string) bool { return overlapsAny(p, pointers) }) {
			continue
		}
		what := c.Writes[0].Action + "d" // created, updated, saved, deleted
		if over.pointers[0] == "" && len(pointers) > 0 && pointers[0] != "" {
			path = strings.Join(pointers[:min(3, len(pointers))], ", ")
		}
		later = fmt.Sprintf("since: %s by %s in revision %d at %s", what, c.Who, c.Rev, c.Time.UTC().Format(time.RFC3339))
		if c.Job != "" {
			later += " for job " + c.Job
		}
		break
	}
	return models.Problem(models.Conflict, over.key.Kind, over.key.ID,
		fmt.Sprintf("revision %d cannot be taken back: %s of %s/%s was changed %s", over.rev, path, over.key.Kind, over.key.ID, later)).Typed("UNDO")
}

// answer tells what a computed undo does; rev is that of its change.
func (u *undo) answer(v *View, tx *Tx, rev uint64) (*models.Undone, error) {
	c := store.Change{Rev: rev, Time: tx.Now, Who: tx.Actor.Name, Job: tx.Job, Undoes: tx.undoes}
	for _, w := range tx.order {
		c.Writes = append(c.Writes, store.Write{Key: w.key, Action: string(w.op), Patch: w.patch})
	}
	return u.tell(v, tx.Actor, &c)
}

func (u *undo) tell(v *View, a Actor, c *store.Change) (*models.Undone, error) {
	out := &models.Undone{Rev: c.Rev, Undoes: u.undoes, Undone: []uint64{}, Kept: u.kept, Changes: []models.HistoryEntry{}}
	for i := range u.changes {
		out.Undone = append(out.Undone, u.changes[i].Rev)
	}
	for i := range c.Writes {
		e, ok, err := told(v, a, c, &c.Writes[i])
		if err != nil {
			return nil, err
		}
		if ok {
			out.Changes = append(out.Changes, e)
		}
	}
	return out, nil
}

// undone answers an undo that has been carried out before as it was answered then.
func (s *Service) undone(ctx context.Context, ask models.Undo, rev uint64) (*models.Undone, error) {
	u, err := s.plan(ctx, ask, rev-1)
	if err != nil {
		return nil, err
	}
	for c, err := range s.engine.Search(ctx, store.Query{From: rev, To: rev}) {
		if err != nil {
			return nil, gone(err, "", "")
		}
		return u.tell(s.View(), ActorOf(ctx), &c)
	}
	return nil, models.Problem(models.NotFound, "history", fmt.Sprint(rev), "Not Found")
}
