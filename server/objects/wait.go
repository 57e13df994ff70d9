package objects

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"drp/models"
	"drp/server/store"
)

// Wait waits until the predicate w.For holds, one of w.Unless does, it is certain that For never
// will, or ctx ends. Then the deadline of ctx has passed and the outcome tells what is missing,
// or ctx was cancelled and the error is its own. Other errors say what is wrong with a predicate.
// The Timeout of w is the caller's to heed.
//
// Nothing is polled: a commit has those predicates looked at that depend on what has changed,
// each once however many wait for it, in a goroutine that no write waits for.
func (s *Service) Wait(ctx context.Context, w *models.Wait) (*models.Outcome, error) {
	actor := ActorOf(ctx)
	list := make([]asked, 1+len(w.Unless))
	for i := range list {
		p, word := &w.For, "For"
		if i > 0 {
			p, word = &w.Unless[i-1], fmt.Sprintf("Unless %d", i-1)
		}
		var err error
		if list[i], err = s.ask(p, actor); err != nil {
			return nil, within(err, word)
		}
	}
	a, err := s.await(ctx, actor, list)
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		if errors.Is(err, ErrStopping) {
			return &models.Outcome{Result: models.WaitAgain, Reason: "the server is stopping; ask again"}, nil
		}
		return nil, err
	}
	return outcome(w, a, actor, err == nil), nil
}

// within says which part of a question an error is about.
func within(err error, part string) error {
	var e *models.Error
	if !errors.As(err, &e) || len(e.Messages) == 0 {
		return err
	}
	out := *e
	out.Messages = slices.Clone(e.Messages)
	out.Messages[0] = part + ": " + out.Messages[0]
	return &out
}

// outcome words an answer; a wait that was not decided has run out of time.
func outcome(w *models.Wait, a answer, actor Actor, decided bool) *models.Outcome {
	v := a.verdict
	p := &w.For
	if a.part > 0 {
		p = &w.Unless[a.part-1]
	}
	o := &models.Outcome{Rev: v.rev, Count: v.count, Of: v.of, Keys: v.keys, Missing: v.missing}
	gone := v.single && (v.entry == nil || !actor.Visible(v.entry.Object))
	if gone {
		o.Count, o.Missing = nil, nil // not to tell what is hidden
	}
	what := strings.TrimSuffix(p.Kind+"/"+p.Key, "/")
	switch {
	case !decided:
		o.Result, o.Reason = models.WaitTimeout, what+" does not exist"
		if !gone {
			o.Reason = lacks(what, v)
		}
	case a.part > 0:
		i := a.part - 1
		o.Result, o.Unless = models.WaitNever, &i
		o.Reason = "what was to end the wait has happened: " + what
		if filter, err := url.QueryUnescape(p.Filter); err == nil && filter != "" {
			o.Reason += " with " + filter
		}
		if len(v.keys) > 0 {
			o.Reason += ": " + strings.Join(v.keys, ", ")
		}
	case gone:
		o.Result, o.Reason = models.WaitNever, what+" does not exist"
	default:
		o.Result = models.WaitHolds
	}
	if o.Result != models.WaitTimeout && !gone && v.entry != nil {
		o.Object = v.entry.Raw
	}
	return o
}

// lacks is what is missing, in one line.
func lacks(what string, v *verdict) string {
	var l []string
	for _, m := range v.missing {
		found := string(m.Found)
		if m.Found == nil {
			found = "nothing"
		}
		if len(found) > shownBytes {
			found = strings.ToValidUTF8(found[:shownBytes], "") + "…"
		}
		switch {
		case m.Since != "":
			l = append(l, "has not changed")
		case m.Test == nil:
			l = append(l, m.Filter+" does not match "+found)
		default:
			l = append(l, fmt.Sprintf("%s, found %s", wanted(m.Test, ""), found))
		}
	}
	if v.short != "" {
		l = append(l, v.short)
	}
	return what + ": " + strings.Join(l, "; ")
}

const shownBytes = 200

// wanted is what a test expects; but stands before what not forbids.
func wanted(t *models.Test, but string) string {
	switch t.Op {
	case "not":
		return wanted(&t.Apply[0], "anything but ")
	case "defined":
		return t.Path + ": expected " + but + "a value"
	case "undefined":
		return t.Path + ": expected " + but + "nothing"
	case "test":
		return fmt.Sprintf("%s: expected %s%s", t.Path, but, t.Value)
	}
	return fmt.Sprintf("%s: expected %s%s than %s", t.Path, but, t.Op, t.Value)
}

// Await returns when the object is no longer at the revision (0: absent), with its entry or
// nil when it is gone; or when ctx ends, with its error and the entry as it then is.
func (s *Service) Await(ctx context.Context, kind, key string, rev uint64) (*Entry, error) {
	k, ok := s.View().shownKind(kind)
	if !ok {
		return nil, models.MissingError(kind, key)
	}
	j := &objectJudge{s: s, kind: k, id: key, changed: true, orGone: true, since: rev}
	text := fmt.Sprintf("revision of %s/%s is not %d", kind, key, rev)
	a, err := s.await(ctx, System, []asked{{judge: j, id: sha256.Sum256([]byte(text)), mayAppear: true}})
	if err != nil {
		e, _ := s.View().Get(kind, key)
		return e, err
	}
	return a.verdict.entry, a.verdict.err
}

// Waiters is how many wait for something to become true, or for an object to change.
func (s *Service) Waiters() int { return int(s.board.waiting.Load()) }

// EndWaits makes every Wait and Await return, those to come too, so that the server can stop.
func (s *Service) EndWaits() { close(s.hurry) }

// wake hands the board what has moved.
func (s *Service) wake(commits []*Commit) { s.board.publish(commits, s.View()) }

// asked is one predicate of a wait.
type asked struct {
	judge     judge // used if nobody has asked the same before
	id        [sha256.Size]byte
	mayAppear bool
}

// ask compiles a predicate. Equal ones have equal ids, whoever asks: but lists are seen with
// the eyes of their caller.
func (s *Service) ask(p *models.Predicate, actor Actor) (asked, error) {
	j, err := s.judgeOf(p, actor)
	if err != nil {
		return asked{}, err
	}
	same := struct {
		models.Predicate
		Eyes    models.Claims
		Tenants []string
		Name    string
	}{Predicate: *p}
	same.MayAppear = false
	if p.Key == "" && !actor.lists(p.Kind) {
		same.Eyes = actor.Claims
	}
	if len(actor.Tenants) > 0 { // what they let through may change while we wait
		same.Tenants, same.Name = actor.Tenants, actor.Name
	}
	text, err := models.Marshal(same)
	if err != nil { // a value is no JSON
		return asked{}, senseless(p, "%v", err)
	}
	return asked{judge: j, id: sha256.Sum256(text), mayAppear: p.MayAppear}, nil
}

// answer is the verdict that decided a wait, and which of its predicates it is about: 0 is For.
type answer struct {
	part    int
	verdict *verdict
}

// await asks the predicates and returns the answer of the first that decides. At the deadline it
// returns the verdict on For, as it is when all commits before have been looked at.
func (s *Service) await(ctx context.Context, actor Actor, list []asked) (answer, error) {
	b := s.board
	b.waiting.Add(1) // before the view is taken, so that every later commit is published here
	defer b.waiting.Add(-1)
	w := &waiter{actor: actor, since: s.View().Rev, told: make(chan struct{}, 1), links: make([]link, len(list))}
	defer b.leave(w)
	for i := range list {
		b.join(w, i, list[i])
	}
	b.settle(w.since)
	b.tell(w)
	err := s.linger(ctx, w)
	if errors.Is(err, context.Canceled) {
		return answer{}, err
	}
	if a, _ := b.answerTo(w); err == nil && a.part == 0 {
		return a, a.verdict.err
	}
	b.settle(s.View().Rev) // For may hold by now, and counts before Unless
	a, decided := b.answerTo(w)
	if decided {
		return a, a.verdict.err
	}
	return a, err
}

// linger returns nil when w has been told an answer, or else why there is none.
func (s *Service) linger(ctx context.Context, w *waiter) error {
	select {
	case <-w.told: // even if the time is over too
		return nil
	default:
	}
	select {
	case <-w.told:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.hurry:
	case <-s.board.ended:
	}
	return ErrStopping
}

// board is where those who wait find out. Questions that several ask are evaluated once.
//
// A goroutine of its own looks at them whenever something they depend on has moved: it takes
// what has moved since its last round, and the state that came of it. The first look of a
// question is made by who asks it, at the newest state; what moves meanwhile is looked at after.
type board struct {
	view    func() *View
	waiting atomic.Int64 // how many wait: while nobody does, nothing is published

	inbox     sync.Mutex // held for moments only: the writer takes it
	moved     map[store.Key]struct{}
	published *View         // the state that has come of all that was published
	busy      bool          // a round is under way
	settled   chan struct{} // closed at the end of the next round, if somebody wants to know
	bell      chan struct{}

	quit, ended chan struct{}
	started     bool

	mu        sync.Mutex // guards all below, and the questions but for their judges
	questions map[[sha256.Size]byte]*question
	starting  map[*question]struct{}
	subs      map[store.Key][]*question // what depends on an object, or without an ID on a kind
}

// question is a predicate that somebody waits for.
type question struct {
	id      [sha256.Size]byte
	judge   judge
	known   map[store.Key]struct{} // what it depends on; the judge's
	subs    []store.Key            // the same, as far as it is subscribed
	links   []*link                // those who ask
	verdict *verdict               // nil before the first look
	looked  chan struct{}          // closed after the first look
	missed  []store.Key            // moved during the first look
	dead    bool                   // nobody asks any more
}

// waiter is one who waits.
type waiter struct {
	actor  Actor
	since  uint64 // the revision at which it asked; how it was before is no answer
	links  []link
	answer *answer // guarded by board.mu
	told   chan struct{}
}

// link is one predicate of a waiter.
type link struct {
	waiter    *waiter
	question  *question
	part      int
	mayAppear bool
	at        int // index among the question's links
}

func newBoard(view func() *View) *board {
	return &board{
		view: view, moved: map[store.Key]struct{}{}, bell: make(chan struct{}, 1), quit: make(chan struct{}), ended: make(chan struct{}),
		questions: map[[sha256.Size]byte]*question{}, starting: map[*question]struct{}{}, subs: map[store.Key][]*question{},
	}
}

func (b *board) start() {
	b.started, b.published = true, b.view()
	go b.run()
}

// close ends the goroutine; who still waits is told that the server is stopping.
func (b *board) close() {
	if b.started {
		close(b.quit)
		<-b.ended
	}
}

// publish notes what has moved, and how things are now. That view must be the newest already:
// then who begins to wait either sees the change or is counted here.
func (b *board) publish(commits []*Commit, now *View) {
	b.inbox.Lock()
	b.published = now
	if b.waiting.Load() == 0 {
		b.inbox.Unlock()
		return
	}
	for _, c := range commits {
		for _, w := range c.Changes {
			b.moved[store.Key{Kind: w.Kind, ID: w.Key}] = struct{}{}
		}
	}
	b.inbox.Unlock()
	b.ring()
}

func (b *board) ring() {
	select {
	case b.bell <- struct{}{}:
	default:
	}
}

// settle returns when all verdicts hold at the revision or a later one.
func (b *board) settle(rev uint64) {
	for {
		b.inbox.Lock()
		if b.published.Rev >= rev && len(b.moved) == 0 && !b.busy {
			b.inbox.Unlock()
			return
		}
		if b.settled == nil {
			b.settled = make(chan struct{})
		}
		done, enough := b.settled, b.published.Rev >= rev
		b.inbox.Unlock()
		b.ring()
		select {
		case <-done:
		case <-b.ended:
			return
		}
		if enough {
			return
		}
	}
}

func (b *board) run() {
	defer close(b.ended)
	for {
		select {
		case <-b.bell:
		case <-b.quit:
			return
		}
		b.inbox.Lock()
		moved, settled, now := b.moved, b.settled, b.published
		b.moved, b.settled, b.busy = map[store.Key]struct{}{}, nil, true
		b.inbox.Unlock()
		b.round(moved, now)
		b.inbox.Lock()
		b.busy = false
		b.inbox.Unlock()
		if settled != nil {
			close(settled)
		}
	}
}

// round looks at each question that depends on what has moved, once, and tells the verdicts.
// Those that have begun with a newer state know of it.
func (b *board) round(moved map[store.Key]struct{}, now *View) {
	type look struct {
		question *question
		moved    []store.Key
		verdict  *verdict
		fresh    []store.Key
	}
	var looks []*look
	mine := map[*question]*look{}
	b.mu.Lock()
	for k := range moved {
		for q := range b.starting {
			q.missed = append(q.missed, k)
		}
		for _, of := range []store.Key{k, {Kind: k.Kind}} {
			for _, q := range b.subs[of] {
				if q.verdict == nil || q.verdict.rev >= now.Rev {
					continue
				}
				if mine[q] == nil {
					mine[q] = &look{question: q}
					looks = append(looks, mine[q])
				}
				mine[q].moved = append(mine[q].moved, k)
			}
		}
	}
	b.mu.Unlock()
	for _, l := range looks {
		l.verdict, l.fresh = l.question.look(now, l.moved)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range looks {
		b.conclude(l.question, l.verdict, l.fresh)
	}
}

// look has the judge evaluate. A defect of a judge is told to those who ask, not to the server.
func (q *question) look(v *View, moved []store.Key) (found *verdict, fresh []store.Key) {
	r := &recorder{View: v, known: q.known}
	defer func() {
		if p := recover(); p != nil {
			err := models.Problem(models.Internal, "", "", fmt.Sprintf("panic while a predicate was evaluated: %v\n%s", p, debug.Stack()))
			found = &verdict{rev: v.Rev, err: err}
		}
	}()
	return q.judge.look(r, moved), r.fresh
}

// conclude publishes a verdict. b.mu is held.
func (b *board) conclude(q *question, v *verdict, fresh []store.Key) {
	if q.dead {
		return
	}
	b.subscribe(q, fresh)
	if q.verdict == v {
		return
	}
	q.verdict = v
	for _, l := range q.links {
		if v.rev >= l.waiter.since {
			l.tell(v)
		}
	}
}

func (b *board) subscribe(q *question, keys []store.Key) {
	for _, k := range keys {
		b.subs[k] = append(b.subs[k], q)
	}
	q.subs = append(q.subs, keys...)
}

// tell gives the verdicts that are there to w.
func (b *board) tell(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range w.links {
		w.links[i].tell(w.links[i].question.verdict)
	}
}

// tell gives a verdict to one who asks, if it decides. b.mu is held.
func (l *link) tell(v *verdict) {
	w := l.waiter
	absent := v.single && (v.entry == nil || !w.actor.Visible(v.entry.Object))
	decides := v.err != nil || v.holds && (!absent || v.entry == nil) || l.part == 0 && absent && !l.mayAppear
	if !decides || w.answer != nil && (w.answer.part == 0 || l.part > 0) {
		return
	}
	w.answer = &answer{l.part, v}
	select {
	case w.told <- struct{}{}:
	default:
	}
}

// answerTo is what w was told, or where nothing has decided the verdict on For.
func (b *board) answerTo(w *waiter) (a answer, decided bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if w.answer != nil {
		return *w.answer, true
	}
	return answer{0, w.links[0].question.verdict}, false
}

// join makes w one who asks, and returns when the first verdict is there.
func (b *board) join(w *waiter, part int, ask asked) {
	l := &w.links[part]
	*l = link{waiter: w, part: part, mayAppear: ask.mayAppear}
	b.mu.Lock()
	q, known := b.questions[ask.id]
	if !known {
		topic := ask.judge.topic()
		q = &question{id: ask.id, judge: ask.judge, known: map[store.Key]struct{}{topic: {}}, looked: make(chan struct{})}
		b.questions[q.id] = q
		b.starting[q] = struct{}{}
		b.subscribe(q, []store.Key{topic})
	}
	l.question, l.at = q, len(q.links)
	q.links = append(q.links, l)
	b.mu.Unlock()
	if !known {
		b.begin(q)
	}
	<-q.looked
}

// begin makes the first look of a question. While it looks, everything that moves is kept for
// it, since only the look shows what it depends on; what matters comes up in the next round.
func (b *board) begin(q *question) {
	v, fresh := q.look(b.view(), nil)
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.starting, q)
	b.conclude(q, v, fresh)
	b.inbox.Lock()
	for _, k := range q.missed {
		if slices.Contains(q.subs, k) || slices.Contains(q.subs, store.Key{Kind: k.Kind}) {
			b.moved[k] = struct{}{}
		}
	}
	q.missed = nil
	b.inbox.Unlock()
	b.ring()
	close(q.looked) // after all this, so that who settles then waits for that round
}

// leave forgets w, and the questions that only w has asked.
func (b *board) leave(w *waiter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := range w.links {
		l := &w.links[i]
		q := l.question
		last := len(q.links) - 1
		q.links[l.at], q.links[last] = q.links[last], nil
		if l.at < last {
			q.links[l.at].at = l.at
		}
		if q.links = q.links[:last]; last == 0 {
			b.drop(q)
		}
	}
}

func (b *board) drop(q *question) {
	q.dead = true
	delete(b.questions, q.id)
	for _, k := range q.subs {
		list := b.subs[k]
		i := slices.Index(list, q)
		last := len(list) - 1
		list[i], list[last] = list[last], nil
		if b.subs[k] = list[:last]; last == 0 {
			delete(b.subs, k)
		}
	}
}
