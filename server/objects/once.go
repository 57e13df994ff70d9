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

type onceKey struct{}

// WithOnce names the request of a context: of all of that name by one actor, within
// the time that names are remembered, one is carried out.
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

// How many names are remembered, and for how long after a restart of the server. Clients ask
// again within seconds.
const (
	namesKept    = 50_000
	namesKeptFor = 15 * time.Minute
)

// names are those of the requests carried out lately. They belong to the service's mutex.
type names struct {
	done  map[string]*Repeated
	order []string
}

// full is the name together with who uses it, so that nobody meets the names of others.
func full(who, name string) string { return who + "\x00" + name }

// note remembers a request that is durable now.
func (n *names) note(c *store.Change) {
	if c.Once == "" {
		return
	}
	if n.done == nil {
		n.done = map[string]*Repeated{}
	}
	name := full(c.Who, c.Once)
	n.done[name] = &Repeated{Rev: c.Rev, Kind: c.Writes[0].Kind, Key: c.Writes[0].ID}
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
	from := uint64(0)
	if rev > namesKept {
		from = rev - namesKept
	}
	for c, err := range s.engine.History(ctx, from) {
		if errors.Is(err, store.ErrCompacted) {
			return nil
		}
		if err != nil {
			return err
		}
		if s.now().Sub(c.Time) < namesKeptFor {
			s.names.note(&c)
		}
	}
	return nil
}

// repeated is the earlier request of that name by the same actor, or nil.
func (s *Service) repeated(ctx context.Context) *Repeated {
	name := onceOf(ctx)
	if name == "" {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.names.done[full(ActorOf(ctx).Name, name)]
}

// repeatedIn also looks among changes of the batch that is being made.
func (s *Service) repeatedIn(ctx context.Context, batch []store.Change) error {
	if before := s.repeated(ctx); before != nil {
		return before
	}
	who, name := ActorOf(ctx).Name, onceOf(ctx)
	for i := range batch {
		if c := &batch[i]; name != "" && c.Once == name && c.Who == who {
			return &Repeated{Rev: c.Rev, Kind: c.Writes[0].Kind, Key: c.Writes[0].ID}
		}
	}
	return nil
}

// show makes a batch readable and its requests known as carried out, in one step: else who sees
// the one without the other would hold the outcome of his own request against it.
func (s *Service) show(v *View, batch []store.Change) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.view.Store(v)
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

// deleted is the object that a repeated request has deleted, as it was.
func (s *Service) deleted(ctx context.Context, r *Repeated) (*Entry, error) {
	commits, err := s.Commits(ctx, r.Rev-1, r.Rev)
	if err != nil {
		return nil, err
	}
	for _, c := range commits {
		for _, w := range c.Changes {
			if w.Kind == r.Kind && w.Key == r.Key && w.Old != nil {
				return w.Old, nil
			}
		}
	}
	return nil, models.MissingError(r.Kind, r.Key)
}
