package objects

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
	"time"

	"drp/models"
	"drp/models/patch"
	"drp/server/store"

	"github.com/tidwall/btree"
)

// History has no index, so that a write pays for nothing but its own row. What one object was is
// found by following the revisions that its rows name, back from the newest; all else by looking
// at every row between two revisions.

type jobKey struct{}

// WithJob names the job whose script or runner asks, for history.
func WithJob(ctx context.Context, job string) context.Context {
	return context.WithValue(ctx, jobKey{}, job)
}

// JobOf is the job that WithJob has named, or "".
func JobOf(ctx context.Context) string {
	job, _ := ctx.Value(jobKey{}).(string)
	return job
}

const (
	// window is how many revisions are read for one link of an object's chain: an object that
	// changes often has many of them there.
	window = 256
	// stretch is how many revisions one transaction of the store looks at in a search.
	stretch = 20_000
	// maxScans is how many searches go on at once.
	maxScans = 2
)

// search yields what a query selects in the order of q, a stretch at a time: so a long search
// holds nothing up in the store. Others wait when too many go on.
func (s *Service) search(ctx context.Context, q store.Query) iter.Seq2[store.Change, error] {
	return func(yield func(store.Change, error) bool) {
		select {
		case s.scans <- struct{}{}:
			defer func() { <-s.scans }()
		case <-ctx.Done():
			yield(store.Change{}, ctx.Err())
			return
		}
		newest := s.View().Rev
		low, high := max(q.From, 1), newest
		if q.To > 0 {
			high = min(high, q.To)
		}
		for low <= high {
			part := q
			if part.From, part.To = low, min(high, low+stretch-1); !q.Oldest {
				part.From, part.To = max(low, high-min(high, stretch)+1), high
			}
			for c, err := range s.engine.Search(ctx, part) {
				var gone *store.CompactedError
				if errors.As(err, &gone) && q.From == 0 && q.Oldest { // from the oldest there is
					part.To = gone.Oldest - 1
					break
				}
				if errors.As(err, &gone) && q.From == 0 {
					return
				}
				if !yield(c, err) || err != nil {
					return
				}
			}
			if low = part.To + 1; !q.Oldest {
				low, high = max(q.From, 1), part.From-1
			}
		}
	}
}

// chain yields the changes of one object above a revision, newest first, each with the write of
// that object alone. Rev is the revision of the object's newest version, 0 when it is not there.
// When history is no longer kept so far back, the last error is a *store.CompactedError.
func (s *Service) chain(ctx context.Context, k store.Key, rev, above uint64) iter.Seq2[store.Change, error] {
	return func(yield func(store.Change, error) bool) {
		top := s.View().Rev
		for top > above {
			if rev == 0 { // it was made and deleted before: the deletion is somewhere below
				for c, err := range s.search(ctx, store.Query{Kind: k.Kind, ID: k.ID, From: above + 1, To: top}) {
					if err != nil {
						yield(c, err)
						return
					}
					rev = c.Rev
					break
				}
			}
			if rev <= above {
				return
			}
			from, found := max(above+1, rev-min(rev, window)+1), false
			for c, err := range s.engine.Search(ctx, store.Query{Kind: k.Kind, ID: k.ID, From: from, To: rev}) {
				if gone := (*store.CompactedError)(nil); found && errors.As(err, &gone) {
					break // it may be that no more is asked for
				}
				if !yield(c, err) || err != nil {
					return
				}
				found = true
				top, rev = c.Rev-1, c.Writes[0].Prev
			}
			if !found {
				yield(store.Change{}, fmt.Errorf("history of %s/%s: revision %d is missing", k.Kind, k.ID, rev))
				return
			}
		}
	}
}

// gone is the answer to those who ask for what is no longer kept.
func gone(err error, kind, key string) error {
	var c *store.CompactedError
	if !errors.As(err, &c) {
		return err
	}
	return models.Problem(models.Gone, kind, key, fmt.Sprintf("history is no longer kept back to there: the oldest revision kept is %d", c.Oldest))
}

// At is an object as it was at a revision, when the caller may see it. For one that is not there
// any more, id must be its key.
func (s *Service) At(ctx context.Context, kind, id string, rev uint64) (*Entry, error) {
	v, actor := s.View(), ActorOf(ctx)
	k, known := v.shownKind(kind)
	if !known {
		return nil, models.MissingError(kind, id)
	}
	if err := inTime(v, rev); err != nil {
		return nil, err
	}
	is, ok := v.Find(kind, id)
	if ok && !actor.Visible(is.Object) {
		return nil, models.MissingError(kind, id)
	}
	var raw []byte
	at := uint64(0)
	key := store.Key{Kind: kind, ID: keyOf(k, id)}
	if ok {
		key.ID = is.Object.Key()
		if at = is.Rev; at > 0 {
			raw = is.stored
		}
	}
	if !ok && !actor.mayKnow(kind, key.ID) {
		return nil, models.MissingError(kind, id)
	}
	if at > rev || at == 0 {
		for c, err := range s.chain(ctx, key, at, rev) {
			if err != nil {
				return nil, gone(err, kind, id)
			}
			if raw, err = before(raw, c.Writes[0].Patch); err != nil {
				return nil, fmt.Errorf("history of revision %d: %w", c.Rev, err)
			}
			if at = c.Writes[0].Prev; at != 0 && at <= rev {
				break
			}
		}
	}
	was := v.base(kind, key.ID)
	if raw != nil {
		var err error
		if was, err = entryOf(kind, raw, at); err != nil {
			return nil, err
		}
		was = v.Conceal(was)
	}
	if was == nil || !actor.Visible(was.Object) {
		return nil, models.MissingError(kind, id)
	}
	return was, nil
}

// keyOf is the key that an id names, for an object that may not be there.
func keyOf(k *models.KindInfo, id string) string {
	if field, key, ok := strings.Cut(id, ":"); ok && (field == "Key" || field == k.KeyField) {
		id = key
	}
	return k.CanonicalKey(id)
}

// mayKnow tells whether the actor may see an object that is not there; of one that claims know by
// another name than its key, such as a job, only the object itself says so.
func (a Actor) mayKnow(kind, key string) bool {
	if k, ok := models.KindOf(kind); ok {
		if _, other := k.New().(interface{ AuthKey() string }); other {
			return true
		}
	}
	return a.Within(kind, key, key) && (a.May(kind, "get", key) || a.lists(kind))
}

// inTime refuses revisions that are yet to come.
func inTime(v *View, rev uint64) error {
	if rev > v.Rev {
		return models.Problem(models.BadRequest, "", "", fmt.Sprintf("revision %d is yet to come: the newest is %d", rev, v.Rev))
	}
	return nil
}

// maxBack is how many changes ViewAt takes back at most.
const maxBack = 50_000

// ViewAt is the state of all objects at a revision.
func (s *Service) ViewAt(ctx context.Context, rev uint64) (*View, error) {
	v := s.View()
	if err := inTime(v, rev); err != nil {
		return nil, err
	}
	if v.Rev-rev > maxBack {
		return nil, models.Problem(models.BadRequest, "", "", fmt.Sprintf(
			"revision %d is more than %d changes ago, too far back for all objects at once; ask for single ones", rev, maxBack))
	}
	past := past{view: v, raw: map[store.Key][]byte{}}
	at := map[store.Key]uint64{}
	if v.Rev > rev {
		for c, err := range s.search(ctx, store.Query{From: rev + 1, To: v.Rev}) {
			if err != nil {
				return nil, gone(err, "", "")
			}
			for i := range c.Writes {
				w := &c.Writes[i]
				if past.raw[w.Key], err = before(past.get(w.Key), w.Patch); err != nil {
					return nil, fmt.Errorf("history of revision %d: %w", c.Rev, err)
				}
				at[w.Key] = w.Prev
			}
		}
	}
	then := v.next()
	then.Rev = rev
	for k, raw := range past.raw {
		if _, known := then.KindOf(k.Kind); !known {
			continue
		}
		if t, ok := then.kinds.of(k.Kind); ok && !then.own[k.Kind] { // what others read is not even copied
			then.kinds.set(k.Kind, t.rebuild())
			then.own[k.Kind] = true
		}
		e, err := entryOf(k.Kind, raw, at[k])
		if err != nil {
			return nil, err
		}
		then.put(k.Kind, k.ID, v.Conceal(e))
	}
	return then, nil
}

// rebuild is a copy that leaves the table untouched altogether.
func (t *table) rebuild() *table {
	n := &table{unique: map[string]*btree.Map[string, string]{}, base: t.base}
	t.byKey.Scan(func(key string, e *Entry) bool {
		n.byKey.Load(key, e)
		return true
	})
	for field, m := range t.unique {
		u := &btree.Map[string, string]{}
		m.Scan(func(value, key string) bool {
			u.Load(value, key)
			return true
		})
		n.unique[field] = u
	}
	return n
}

// RevAt is the newest revision that was made at a time or before it; 0 when none was yet. It
// takes for granted that the clock of the server has not gone back.
func (s *Service) RevAt(ctx context.Context, t time.Time) (uint64, error) {
	oldest, high := uint64(0), s.View().Rev
	for c, err := range s.engine.Search(ctx, store.Query{Oldest: true}) {
		if err != nil {
			return 0, err
		}
		if oldest = c.Rev; c.Time.After(t) {
			if oldest > 1 {
				return 0, &store.CompactedError{Oldest: oldest}
			}
			return 0, nil
		}
		break
	}
	if oldest == 0 { // nothing is kept
		return high, nil
	}
	low := oldest // made at t or before
	for low < high {
		mid := low + (high-low+1)/2
		at, err := s.timeOf(ctx, mid)
		switch {
		case err != nil:
			return 0, err
		case at.After(t):
			high = mid - 1
		default:
			low = mid
		}
	}
	return low, nil
}

func (s *Service) timeOf(ctx context.Context, rev uint64) (time.Time, error) {
	for c, err := range s.engine.Search(ctx, store.Query{From: rev, To: rev}) {
		return c.Time, err
	}
	return time.Time{}, fmt.Errorf("history of revision %d is missing", rev)
}

// Moment reads what names a place in history: a revision, a time (RFC 3339), or how long ago,
// such as 1h. It returns the newest revision at that time or before it.
func (s *Service) Moment(ctx context.Context, text string) (uint64, error) {
	if rev, err := strconv.ParseUint(text, 10, 64); err == nil {
		return rev, inTime(s.View(), rev)
	}
	t, err := time.Parse(time.RFC3339, text)
	if ago, aerr := time.ParseDuration(days(text)); err != nil && aerr == nil && ago >= 0 {
		t, err = s.now().Add(-ago), nil
	}
	if err != nil {
		return 0, models.Problem(models.BadRequest, "", "", fmt.Sprintf("%q is no place in history: give a revision, a time such as 2026-11-21T15:00:00Z, or how long ago, such as 1h", text))
	}
	if now := s.now(); t.After(now) {
		return 0, models.Problem(models.BadRequest, "", "", fmt.Sprintf("%s is yet to come: it is %s", text, now.UTC().Format(time.RFC3339)))
	}
	rev, err := s.RevAt(ctx, t)
	return rev, gone(err, "", "")
}

// days lets durations be days too: 2d is 48h.
func days(text string) string {
	if n, err := strconv.Atoi(strings.TrimSuffix(text, "d")); err == nil && strings.HasSuffix(text, "d") {
		return strconv.Itoa(n*24) + "h"
	}
	return text
}

// Since is the first revision of those that are meant by "since": the one named, or the first
// after a time. A time before all that is kept means the oldest that is.
func (s *Service) Since(ctx context.Context, text string) (uint64, error) {
	rev, err := s.Moment(ctx, text)
	if models.ClassOf(err) == models.Gone {
		return 0, nil
	}
	if _, number := strconv.ParseUint(text, 10, 64); number != nil && err == nil {
		rev++
	}
	return rev, err
}

// HistoryQuery selects entries of history. What is "" or 0 does not matter.
type HistoryQuery struct {
	Kind, Key string // with both, the history of one object
	Who, Job  string
	From, To  uint64 // the lowest and the highest revision
	Limit     int    // most entries; a revision is not cut in two
	Oldest    bool   // the oldest come first
}

// maxPatches bounds the patches of one answer, in bytes.
const maxPatches = 16 << 20

// History returns the entries that a query selects and the caller may see, and the revision to
// go on from when there may be more: as To, or as From when the oldest come first; 0: that is all.
func (s *Service) History(ctx context.Context, q HistoryQuery) (list []models.HistoryEntry, next uint64, err error) {
	changes := s.search(ctx, store.Query{Kind: q.Kind, ID: q.Key, Who: q.Who, Job: q.Job, From: q.From, To: q.To, Oldest: q.Oldest})
	if q.Kind != "" && q.Key != "" && !q.Oldest {
		changes = s.ofObject(ctx, q)
	}
	v, actor, size := s.View(), ActorOf(ctx), 0
	list = []models.HistoryEntry{}
	for c, err := range changes {
		if err != nil {
			return nil, 0, gone(err, q.Kind, q.Key)
		}
		if len(list) >= q.Limit || size > maxPatches {
			return list, c.Rev, nil
		}
		for i := range c.Writes {
			e, ok, err := told(v, actor, &c, &c.Writes[i])
			if err != nil {
				return nil, 0, err
			}
			if ok {
				list, size = append(list, e), size+len(e.Patch)
			}
		}
	}
	return list, 0, nil
}

// ofObject follows the chain of one object, and leaves out what is not asked for.
func (s *Service) ofObject(ctx context.Context, q HistoryQuery) iter.Seq2[store.Change, error] {
	rev := uint64(0)
	if e, ok := s.View().Get(q.Kind, q.Key); ok {
		rev = e.Rev
	}
	return func(yield func(store.Change, error) bool) {
		for c, err := range s.chain(ctx, store.Key{Kind: q.Kind, ID: q.Key}, rev, max(q.From, 1)-1) {
			if gone := (*store.CompactedError)(nil); errors.As(err, &gone) && q.From == 0 {
				return
			}
			if err == nil && (q.To > 0 && c.Rev > q.To || q.Who != "" && c.Who != q.Who || q.Job != "" && c.Job != q.Job) {
				continue
			}
			if !yield(c, err) {
				return
			}
		}
	}
}

// ObjectHistory is the history of one object that the caller may see, named as in a URL; what is
// not there any more, by its key.
func (s *Service) ObjectHistory(ctx context.Context, kind, id string, q HistoryQuery) ([]models.HistoryEntry, uint64, error) {
	k, known := s.View().shownKind(kind)
	if !known {
		return nil, 0, models.MissingError(kind, id)
	}
	q.Kind, q.Key = kind, keyOf(k, id)
	e, ok := s.View().Find(kind, id)
	if ok {
		q.Key = e.Object.Key()
	}
	if actor := ActorOf(ctx); ok && !actor.Visible(e.Object) || !ok && !actor.mayKnow(kind, q.Key) {
		return nil, 0, models.MissingError(kind, id)
	}
	list, next, err := s.History(ctx, q)
	if err == nil && !ok && len(list) == 0 && q.Who == "" && q.Job == "" && q.From == 0 && q.To == 0 {
		return nil, 0, models.MissingError(kind, id) // and there never was, or it is forgotten
	}
	return list, next, err
}

// told is a write as history shows it; false when the actor may not see the object.
func told(v *View, a Actor, c *store.Change, w *store.Write) (models.HistoryEntry, bool, error) {
	k, known := v.shownKind(w.Kind)
	if !known || !a.seesPast(v, k, w) {
		return models.HistoryEntry{}, false, nil
	}
	shown, err := redact(v, k, w.ID, w.Patch)
	if err != nil {
		return models.HistoryEntry{}, false, fmt.Errorf("history of revision %d: %w", c.Rev, err)
	}
	return models.HistoryEntry{
		Rev: c.Rev, Time: c.Time, Who: c.Who, Job: c.Job, Undoes: c.Undoes,
		Action: w.Action, Kind: w.Kind, Key: w.ID, Patch: shown,
	}, true, nil
}

// seesPast tells whether the actor may see an object that history tells of: as it is, or when it
// is not there, by its key, or as it was when it was made or deleted.
func (a Actor) seesPast(v *View, k *models.KindInfo, w *store.Write) bool {
	all := a.lists(k.Name)
	if (all || a.May(k.Name, "get", w.ID)) && !a.Limited(k.Name) {
		return true
	}
	if e, ok := v.Get(k.Name, w.ID); ok {
		return a.sees(all, e.Object)
	}
	if raw, whole := wholeOf(w.Patch); whole {
		o, err := models.Unmarshal(k.Name, raw)
		return err == nil && a.sees(all, o)
	}
	return false
}

// wholeOf is the object that a patch makes or removes.
func wholeOf(raw []byte) ([]byte, bool) {
	p, err := patch.Decode(raw)
	if err != nil || len(p) == 0 || p[0].Path != "" {
		return nil, false
	}
	return p[0].Value, true
}

// shownKind is a kind that history tells of.
func (v *View) shownKind(name string) (*models.KindInfo, bool) {
	k, known := v.KindOf(name)
	return k, known && !k.Hidden
}

// redact takes out of a patch what is never shown.
func redact(v *View, k *models.KindInfo, key string, raw []byte) (json.RawMessage, error) {
	o := k.New()
	if _, ok := o.(models.ParamHolder); ok && v.Len("secure_names") > 0 {
		p, err := patch.Decode(raw)
		if err != nil {
			return nil, err
		}
		if raw, err = conceal(v, p, "").AppendJSON(nil); err != nil {
			return nil, err
		}
	}
	h, ok := o.(models.Hider)
	if !ok {
		return json.RawMessage(raw), nil
	}
	p, err := patch.Decode(raw)
	if err != nil {
		return nil, err
	}
	// What is hidden may depend on the key.
	if err := json.Unmarshal(jsonOf(map[string]string{k.KeyField: key}), o); err != nil {
		return nil, err
	}
	hidden, mark := h.Hidden(), jsonOf(models.Hidden)
	for i := range p {
		op := &p[i]
		if op.Value == nil {
			continue
		}
		for _, pointer := range hidden {
			switch rest, above := strings.CutPrefix(pointer, op.Path+"/"); {
			case op.Path == pointer || strings.HasPrefix(op.Path, pointer+"/"):
				op.Value = mark
			case above:
				if masked, err := (patch.Patch{{Op: "replace", Path: "/" + rest, Value: mark}}).Apply(op.Value); err == nil {
					op.Value = masked // else it has no such member
				}
			}
		}
	}
	return p.AppendJSON(nil)
}

// jsonOf marshals a string or a map of them.
func jsonOf(v any) json.RawMessage {
	raw, err := models.Marshal(v)
	if err != nil {
		panic("objects: " + err.Error())
	}
	return raw
}

// overlap tells whether a change of one pointer may change what is at another.
func overlap(a, b string) bool {
	return a == b || strings.HasPrefix(a, b+"/") || strings.HasPrefix(b, a+"/")
}

func overlapsAny(pointer string, list []string) bool {
	return slices.ContainsFunc(list, func(p string) bool { return overlap(p, pointer) })
}
