package objects

import (
	"context"
	"errors"
	"time"

	"drp/models"
	"drp/server/store"
)

// A client whose connection breaks cannot know whether its request was carried out, and asks
// again. A compare-and-set that has been carried out then fails its own test: the winner of an
// election would believe that it has lost. So a request may carry a name. It is stored with what
// the request changed, survives a crash with it, and a second request of that name changes
// nothing and is answered as the first.
//
// The first may even come late: the client has hung up, asked again and been refused, and then the
// first arrives. Requests of one name therefore go one after the other, and once one of them was
// answered none changes anything. That one was refused need not survive a crash: what was under
// way then is gone with it.

type onceKey struct{}

// WithOnce names the request of a context: of all of that name by one actor, within the time that
// names are remembered, the first that is answered decides, and one at most is carried out.
func WithOnce(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, onceKey{}, name)
}

func onceOf(ctx context.Context) string {
	name, _ := ctx.Value(onceKey{}).(string)
	return name
}

// Repeated is the error of a change whose request has been carried out before.
type Repeated struct {
	Rev       uint64 // the revision it made
	Kind, Key string // the object that it was about
}

func (*Repeated) Error() string { return "the request has been carried out before" }

// errAnswered is for a request that was refused before, or had nothing to change, and now would.
var errAnswered = models.Problem(models.Conflict, "", "", "a request with this Idempotency-Key was answered before, and has changed nothing")

// How many names are remembered, and for how long after a restart of the server. Clients ask
// again within seconds.
const (
	namesKept    = 50_000
	namesKeptFor = 15 * time.Minute
)

// names are those of requests under way, and of those that were answered lately. They belong to
// the service's mutex.
type names struct {
	open  map[string]chan struct{} // closed when the request has ended
	done  map[string]*Repeated     // nil: answered, and nothing was changed
	order []string
}

// full is the name together with who uses it, so that nobody meets the names of others.
func full(who, name string) string { return who + "\x00" + name }

// note remembers a request that is durable now.
func (n *names) note(c *store.Change) {
	if c.Once != "" {
		n.add(full(c.Who, c.Once), &Repeated{Rev: c.Rev, Kind: c.Writes[0].Kind, Key: c.Writes[0].ID})
	}
}

func (n *names) add(name string, r *Repeated) {
	if n.done == nil {
		n.done = map[string]*Repeated{}
	}
	n.done[name] = r
	if n.order = append(n.order, name); len(n.order) > namesKept {
		delete(n.done, n.order[0])
		n.order = n.order[1:]
	}
}

// remember reads the names of the last requests from history.
func (s *Service) remember(ctx context.Context, rev uint64) error {
	if rev == 0 {
		return nil
	}
	from := uint64(1)
	if rev > namesKept {
		from = rev - namesKept + 1
	}
	var named []store.Change
	for c, err := range s.engine.Search(ctx, store.Query{From: from, Named: true}) {
		if err != nil && !errors.Is(err, store.ErrCompacted) { // what is no longer kept is old
			return err
		}
		if err != nil || s.now().Sub(c.Time) >= namesKeptFor {
			break
		}
		named = append(named, c)
	}
	for i := len(named) - 1; i >= 0; i-- {
		s.names.note(&named[i])
	}
	return nil
}

// nameOf is the name of a request, "" when it has none.
func nameOf(ctx context.Context) string {
	if name := onceOf(ctx); name != "" {
		return full(ActorOf(ctx).Name, name)
	}
	return ""
}

// enter waits until no other request of the same name is under way. The error is a *Repeated when
// one was carried out; without an error leave must follow.
func (s *Service) enter(r *request) error {
	name := nameOf(r.ctx)
	if name == "" {
		return nil
	}
	for {
		other, err := s.claim(r, name)
		if err != nil || other == nil {
			return err
		}
		select {
		case <-other:
		case <-r.ctx.Done():
			return r.ctx.Err()
		}
	}
}

// claim makes the request the one of its name that is under way, or returns what tells when the
// one that is has ended.
func (s *Service) claim(r *request, name string) (other <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, answered := s.names.done[name]
	if before != nil {
		return nil, before
	}
	if other, taken := s.names.open[name]; taken {
		return other, nil
	}
	if s.names.open == nil {
		s.names.open = map[string]chan struct{}{}
	}
	s.names.open[name], r.answered = make(chan struct{}), answered
	return nil, nil
}

// leave lets the next request of the name in. One that was told to try again was not answered.
func (s *Service) leave(r *request, err error) {
	name := nameOf(r.ctx)
	if name == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	class := models.ClassOf(err)
	if _, known := s.names.done[name]; !known && (err == nil || class != models.Internal && class != models.Busy) {
		s.names.add(name, nil)
	}
	close(s.names.open[name])
	delete(s.names.open, name)
}

func (s *Service) noteAll(batch []store.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range batch {
		s.names.note(&batch[i])
	}
}

// again is the object that a repeated request was about, as it now is.
func (s *Service) again(err error) (*Entry, bool) {
	var r *Repeated
	if !errors.As(err, &r) {
		return nil, false
	}
	return s.View().Get(r.Kind, r.Key)
}

// deleted is the object that a repeated request has deleted, as it was: its patch tells.
func (s *Service) deleted(ctx context.Context, r *Repeated) (*Entry, error) {
	for c, err := range s.engine.Search(ctx, store.Query{Kind: r.Kind, ID: r.Key, From: r.Rev, To: r.Rev}) {
		if err != nil {
			return nil, err
		}
		was, err := before(nil, c.Writes[0].Patch)
		if err != nil || was == nil {
			return nil, errors.Join(err, models.MissingError(r.Kind, r.Key))
		}
		return entryOf(r.Kind, was, c.Writes[0].Prev)
	}
	return nil, models.MissingError(r.Kind, r.Key)
}
