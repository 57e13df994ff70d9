package runner

import (
	"context"
	"log/slog"

	"drp/cli/client"
)

// watch wakes its runner when the machine may have changed.
type watch struct {
	wake  chan struct{} // holds at most one: several events are one reason to look
	stop  context.CancelFunc
	ended chan struct{}
}

// follow listens to events about a machine until closed. Whenever it has connected it wakes the
// runner, for what has happened before is not told.
func follow(ctx context.Context, c *client.Client, machine string, log *slog.Logger) *watch {
	ctx, stop := context.WithCancel(ctx)
	w := &watch{wake: make(chan struct{}, 1), stop: stop, ended: make(chan struct{})}
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
	defer s.Close()
	for {
		select {
		case w.wake <- struct{}{}:
		default:
		}
		if _, err := s.Next(ctx); err != nil {
			return err
		}
	}
}
