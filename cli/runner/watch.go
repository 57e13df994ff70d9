package runner

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"

	"drp/cli/client"
	"drp/models"
)

// watch wakes its runner when the machine may have changed, and tells when the job that it works on may
// have been ended by somebody else.
type watch struct {
	wake  chan struct{} // holds at most one: several events are one reason to look
	look  chan struct{} // the same, for the job
	stop  context.CancelFunc
	ended chan struct{}

	mu     sync.Mutex
	job    string        // "": none is attended to
	turned chan struct{} // holds one when job is another
}

// follow listens to events about a machine until closed. Whenever it has connected it wakes the
// runner, for what has happened before is not told.
func follow(ctx context.Context, c *client.Client, machine string, log *slog.Logger) *watch {
	ctx, stop := context.WithCancel(ctx)
	w := &watch{wake: make(chan struct{}, 1), look: make(chan struct{}, 1), turned: make(chan struct{}, 1), stop: stop, ended: make(chan struct{})}
	go w.run(ctx, c, machine, log)
	return w
}

func (w *watch) close() {
	w.stop()
	<-w.ended
}

// wait returns when there is a reason to look at the machine again.
func (w *watch) wait(ctx context.Context) error {
	select {
	case <-w.wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// attend makes look speak of a job; "" is none.
func (w *watch) attend(job string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.job == job {
		return
	}
	w.job = job
	select {
	case <-w.look: // that was about another
	default:
	}
	poke(w.turned)
}

func (w *watch) attended() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.job
}

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (w *watch) run(ctx context.Context, c *client.Client, machine string, log *slog.Logger) {
	defer close(w.ended)
	var b backoff
	for ctx.Err() == nil {
		s, err := c.Watch(ctx, "machines.update."+machine, "machines.save."+machine, "machines.delete."+machine)
		if err == nil {
			b = backoff{}
			err = w.pass(ctx, s)
		}
		if ctx.Err() != nil {
			return
		}
		log.Warn("event stream broke", "machine", machine, "error", err)
		if b.wait(ctx) != nil {
			return
		}
	}
}

func (w *watch) pass(ctx context.Context, s *client.Stream) error {
	ctx, cancel := context.WithCancel(ctx)
	kept := make(chan struct{})
	go func() {
		defer close(kept)
		w.filter(ctx, s)
	}()
	defer func() { cancel(); s.Close(); <-kept }()
	poke(w.wake)
	for {
		e, err := s.Next(ctx)
		switch {
		case err != nil:
			return err
		case e.Type == client.Resumed:
			poke(w.wake)
			poke(w.look)
		case e.Type != "jobs":
			poke(w.wake)
		case endOf(e, w.attended()):
			poke(w.look)
		}
	}
}

// endOf tells whether an event says that a job no longer runs.
func endOf(e models.Event, job string) bool {
	var now models.Job
	return e.Key == job && (json.Unmarshal(e.Object, &now) != nil || now.State != models.Running && now.State != models.Created)
}

// filter keeps the stream asking for the job that is attended to. What has become of the job before is
// not told: so there is a reason to look.
func (w *watch) filter(ctx context.Context, s *client.Stream) {
	const filter = "jobs.*."
	for asked := ""; ; {
		job := w.attended()
		if job == asked {
			select {
			case <-w.turned:
				continue
			case <-ctx.Done():
				return
			}
		}
		if asked != "" && s.Remove(ctx, filter+asked) != nil {
			return // the stream has ended, and another will follow
		}
		asked = ""
		if job != "" {
			if s.Add(ctx, filter+job) != nil {
				return
			}
			asked = job
			poke(w.look)
		}
	}
}
