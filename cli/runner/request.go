package runner

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"time"

	"drp/cli/client"
	"drp/models"
	"drp/models/patch"
)

const (
	shortest = 200 * time.Millisecond
	longest  = 10 * time.Second
)

// backoff spaces repeated tries: longer each time, and never in step with others.
type backoff struct{ next time.Duration }

func (b *backoff) wait(ctx context.Context) error { return b.waitOr(ctx, nil) }

// waitOr ends early when something comes from wake.
func (b *backoff) waitOr(ctx context.Context, wake <-chan struct{}) error {
	b.next = min(max(2*b.next, shortest), longest)
	t := time.NewTimer(b.next/2 + rand.N(b.next/2))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// after waits before a request is repeated that has failed so: as long as the server has asked for,
// if it has.
func (b *backoff) after(ctx context.Context, failure error) error {
	var e *models.Error
	if !errors.As(failure, &e) || e.RetryAfter <= 0 {
		return b.wait(ctx)
	}
	t := time.NewTimer(e.RetryAfter + rand.N(shortest))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// temporary tells whether a request is worth repeating: the server is away or in trouble.
func temporary(err error) bool {
	var e *models.Error
	if errors.As(err, &e) {
		return e.Class == models.Busy || e.Class == models.TooSlow || e.Code >= 500 || e.Code == http.StatusTooManyRequests
	}
	var cert *tls.CertificateVerificationError
	var transport *url.Error
	var network net.Error
	switch {
	case errors.As(err, &cert):
		return false
	case errors.As(err, &transport), errors.As(err, &network):
		return true
	}
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
}

// get fetches a value, however long the server is away.
func (r *runner) get(ctx context.Context, path string, out any, opts ...client.Option) error {
	for b := (backoff{}); ; {
		err := r.Client.Do(ctx, http.MethodGet, path, nil, out, opts...)
		if err == nil || !temporary(err) || ctx.Err() != nil {
			return err
		}
		r.Logger.Warn("server does not answer", "path", path, "error", err)
		if err := b.after(ctx, err); err != nil {
			return err
		}
	}
}

// send changes something, however long the server is away. unsure tells that an earlier try may
// have been carried out though no answer came: a Conflict may then be our own doing.
func (r *runner) send(ctx context.Context, method, path string, in, out any) (unsure bool, err error) {
	body, err := models.Marshal(in)
	if err != nil {
		return false, fmt.Errorf("encode body: %w", err)
	}
	loggedIn := false
	for b := (backoff{}); ; {
		err := r.once(ctx, method, path, body, out)
		if err == nil || ctx.Err() != nil {
			return unsure, err
		}
		if models.ClassOf(err) == models.Unauthorized && !loggedIn {
			loggedIn = true
			if r.Client.Do(ctx, http.MethodGet, "machines/"+r.Machine, nil, nil) == nil { // with a new token
				continue
			}
		}
		if !temporary(err) {
			return unsure, err
		}
		unsure = true
		r.Logger.Warn("server does not answer", "path", path, "error", err)
		if err := b.after(ctx, err); err != nil {
			return unsure, err
		}
	}
}

// once sends a JSON body a single time: the client repeats nothing that comes from a reader.
func (r *runner) once(ctx context.Context, method, path string, body []byte, out any) error {
	opts := []client.Option{client.WithHeader("Content-Type", "application/json")}
	if r.state != nil && r.state.Work != nil {
		opts = append(opts, client.WithHeader(client.JobHeader, r.state.Work.Job))
	}
	return r.Client.Do(ctx, method, path, bytes.NewReader(body), out, opts...)
}

// ops is a patch being written.
type ops patch.Patch

func (o ops) test(path string, value any) ops    { return o.add("test", path, value) }
func (o ops) replace(path string, value any) ops { return o.add("replace", path, value) }

func (o ops) add(op, path string, value any) ops {
	raw, err := models.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("runner: patch value %v: %v", value, err)) // strings, bools and string maps only
	}
	return append(o, patch.Op{Op: op, Path: path, Value: raw})
}

// MarshalJSON writes the patch as package patch does.
func (o ops) MarshalJSON() ([]byte, error) { return patch.Patch(o).MarshalJSON() }
