package main

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"time"
)

// moment is when the server is killed.
type moment string

const (
	afterTime     moment = "after a time"
	afterRequests moment = "with a request"  // the Nth of its life, while it is under way
	starting      moment = "while it starts" // before it serves, or as soon as it does
	checkpointing moment = "in a checkpoint"
	stopping      moment = "while it stops" // it was asked to, and finishes what is under way
)

var moments = []moment{afterTime, afterTime, afterRequests, afterRequests, starting, checkpointing, stopping}

// fault is one kill to come.
type fault struct {
	when     moment
	wait     time.Duration // under load before anything
	grace    time.Duration // between start or SIGTERM and the kill
	requests int64
}

const (
	maxWait     = time.Second
	maxRequests = 1500
	maxStarting = 250 * time.Millisecond
	maxStopping = 40 * time.Millisecond
	maxPatience = 3 * time.Second // for what may not come: a checkpoint, that many requests
)

// draw draws the next fault. What is drawn depends on the dice only, so that a seed repeats it.
func draw(dice *rand.Rand) fault {
	f := fault{when: moments[dice.IntN(len(moments))]}
	wait, grace := dice.Float64(), dice.Float64()
	f.wait = time.Duration(wait * float64(maxWait))
	f.requests = int64(math.Exp(wait * math.Log(maxRequests))) // the first few requests are worth as much as all others
	switch f.when {
	case starting:
		f.grace = time.Duration(grace * float64(maxStarting))
	case stopping:
		f.grace = time.Duration(grace * float64(maxStopping))
	}
	return f
}

func (f fault) String() string {
	switch f.when {
	case afterRequests:
		return fmt.Sprintf("%s, the %dth", f.when, f.requests)
	case starting, stopping:
		return fmt.Sprintf("%s, after %s", f.when, f.grace.Round(time.Millisecond))
	case checkpointing:
		return string(f.when)
	}
	return fmt.Sprintf("%s, %s", f.when, f.wait.Round(time.Millisecond))
}

// strike kills the server, which serves, as the fault demands. It leaves it dead.
func (f fault) strike(ctx context.Context, s *server) error {
	l, _ := s.present()
	defer s.kill()
	switch f.when {
	case afterRequests:
		l.limit.Store(l.sent.Load() + f.requests)
		return either(ctx, maxPatience, l.full)
	case checkpointing:
		return f.untilCheckpoint(ctx, s)
	case starting:
		s.kill()
		if _, err := s.begin(); err != nil {
			return err
		}
		return pause(ctx, f.grace)
	case stopping:
		if err := pause(ctx, f.wait); err != nil {
			return err
		}
		if err := s.proc.Terminate(); err != nil {
			return err
		}
		return either(ctx, f.grace, l.dead)
	}
	return pause(ctx, f.wait)
}

// untilCheckpoint looks at the database until it is being written. Nothing tells us of that.
func (f fault) untilCheckpoint(ctx context.Context, s *server) error {
	before := s.written()
	look := time.NewTicker(200 * time.Microsecond)
	defer look.Stop()
	late := time.After(maxPatience)
	for s.written().Equal(before) {
		select {
		case <-look.C:
		case <-late:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

func pause(ctx context.Context, d time.Duration) error { return either(ctx, d, nil) }

// either returns after a time, or when done is closed.
func either(ctx context.Context, d time.Duration, done <-chan struct{}) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
