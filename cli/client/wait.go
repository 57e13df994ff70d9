package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"drp/models"
)

// Waiting is how to wait. The zero Waiting never gives up.
type Waiting struct {
	Until    time.Time            // when to give up; zero: never
	Every    time.Duration        // how often Progress is told, at least; zero: hardly ever
	Progress func(models.Outcome) // is shown how things are after a question that was not decided
}

// longest is how long the server lets one question take.
const longest = 10 * time.Minute

// Wait asks the server to say when w.For holds, and asks again, as often as it must, until that
// or an Unless of w decides or the time is over. It goes on when the connection breaks, the
// server stops or is away for long. The outcome is that it holds, never will, or that the time is
// over. The Timeout of w is not used.
//
// An error is one that asking again does not mend, such as a missing right, or that of ctx. When
// the time is over, it is that of a server which could never be asked.
func (c *Client) Wait(ctx context.Context, w models.Wait, how Waiting) (models.Outcome, error) {
	last := models.Outcome{Result: models.WaitTimeout, Reason: "the server has been stopping all the time"}
	var lost error // why the server was never asked
	for asked := false; ; {
		left := longest
		if !how.Until.IsZero() {
			left = max(0, min(left, time.Until(how.Until)))
		}
		if how.Every > 0 {
			left = min(left, how.Every)
		}
		o, err := c.waitOnce(ctx, &w, left)
		switch {
		case err != nil && (ctx.Err() != nil || !passing(err)):
			return models.Outcome{}, err
		case err == nil && (o.Result == models.WaitHolds || o.Result == models.WaitNever):
			return o, nil
		case err == nil && o.Result == models.WaitTimeout:
			last, asked, lost = o, true, nil
			if how.Progress != nil {
				how.Progress(o)
			}
		case !asked:
			lost = err
		}
		if !how.Until.IsZero() && !time.Now().Before(how.Until) {
			return last, lost
		}
		if err != nil || o.Result == models.WaitAgain {
			if err := sleep(ctx, c.pauses[0]); err != nil {
				return models.Outcome{}, err
			}
		}
	}
}

// patience is how much longer than asked for an answer may take before the connection counts as
// dead.
const patience = 10 * time.Second

// waitOnce asks once, for an answer within the time given.
func (c *Client) waitOnce(ctx context.Context, w *models.Wait, limit time.Duration) (o models.Outcome, err error) {
	ask := *w
	ask.Timeout = strconv.FormatFloat(limit.Seconds(), 'f', 3, 64)
	short, cancel := context.WithTimeout(ctx, limit+patience)
	defer cancel()
	err = c.Do(short, http.MethodPost, "wait", &ask, &o)
	if err != nil && ctx.Err() == nil && short.Err() != nil {
		err = &url.Error{Op: "Post", URL: c.cfg.Endpoint, Err: err} // the connection is as good as broken
	}
	return o, err
}

// passing are failures that may be over soon: the server cannot be reached, broke off, or is busy.
func passing(err error) bool {
	if e := (*models.Error)(nil); errors.As(err, &e) {
		return e.Code == http.StatusServiceUnavailable || e.Code == http.StatusBadGateway || e.Code == http.StatusGatewayTimeout
	}
	var broken *url.Error
	return !hopeless(err) && (errors.As(err, &broken) || errors.Is(err, io.ErrUnexpectedEOF))
}
