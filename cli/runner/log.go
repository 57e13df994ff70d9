package runner

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"sync/atomic"
	"time"

	"drp/cli/client"
)

const (
	chunkSize = 64 << 10
	quiet     = time.Second // what is written is sent within this time
)

// joblog carries the log of a job to the server. The script writes straight into a file, so that
// it never waits for a server and never loses its reader; the pump sends what the file has grown
// by, in order. When the answer to a part is lost, the pump asks how much has arrived.
type joblog struct {
	client    *client.Client
	path      string // of the job's log on the server
	opening   string
	heartbeat time.Duration
	log       *slog.Logger

	write *os.File // shared with scripts; appends
	read  *os.File
	sent  int64 // bytes the server has
	last  time.Time
	lost  error // why the server will not take the log

	beating atomic.Bool // signs of life are wanted
	flush   chan struct{}
	cancel  context.CancelFunc
	ended   chan struct{}
}

// openLog opens the log file of a job, new or left by another runner, and starts the pump.
func (r *runner) openLog(ctx context.Context, rec *record, resumed bool) (*joblog, error) {
	w, err := os.OpenFile(rec.Log, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	rd, err := os.Open(rec.Log)
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("open log: %w", err)
	}
	l := &joblog{
		client: r.Client, path: "jobs/" + rec.Job + "/log", opening: rec.Opening, heartbeat: r.Heartbeat, log: r.Logger,
		write: w, read: rd, last: time.Now(), flush: make(chan struct{}), ended: make(chan struct{}),
	}
	if err := l.open(); err != nil {
		return nil, errors.Join(err, l.closeFiles())
	}
	ctx, l.cancel = context.WithCancel(context.WithoutCancel(ctx))
	go l.run(ctx, resumed)
	return l, nil
}

// open writes the first line, unless it is there.
func (l *joblog) open() error {
	info, err := l.write.Stat()
	if err != nil {
		return fmt.Errorf("open log: %w", err)
	}
	if info.Size() > 0 {
		return nil
	}
	if _, err := io.WriteString(l.write, l.opening); err != nil {
		return fmt.Errorf("write log: %w", err)
	}
	return nil
}

// note adds a line of the runner's own.
func (l *joblog) note(format string, args ...any) {
	if _, err := fmt.Fprintf(l.write, format+"\n", args...); err != nil {
		l.log.Error("write job log", "path", l.path, "error", err)
	}
}

// beat starts or ends the signs of life that stand for a script which says nothing.
func (l *joblog) beat(on bool) { l.beating.Store(on) }

// close sends the rest and ends the pump. When ctx ends before, the rest stays in the file.
func (l *joblog) close(ctx context.Context) error {
	close(l.flush)
	select {
	case <-l.ended:
	case <-ctx.Done():
		l.cancel()
		<-l.ended
	}
	l.cancel()
	err := errors.Join(l.lost, l.closeFiles())
	if err != nil {
		return fmt.Errorf("job log: %w", err)
	}
	return ctx.Err()
}

func (l *joblog) closeFiles() error { return errors.Join(l.write.Close(), l.read.Close()) }

func (l *joblog) run(ctx context.Context, resumed bool) {
	defer close(l.ended)
	if resumed {
		l.resync(ctx)
	}
	tick := time.NewTicker(min(quiet, l.heartbeat))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			l.drain(ctx)
			if l.beating.Load() && l.lost == nil && time.Since(l.last) >= l.heartbeat {
				l.life(ctx)
			}
		case <-l.flush:
			l.drain(ctx)
			return
		}
	}
}

// life tells the server that the job is being worked on. A lost one matters not.
func (l *joblog) life(ctx context.Context) {
	if err := l.put(ctx, []byte{}); err != nil && ctx.Err() == nil {
		l.log.Warn("send heartbeat", "path", l.path, "error", err)
	}
}

// drain sends all there is, however long the server is away.
func (l *joblog) drain(ctx context.Context) {
	buf := make([]byte, chunkSize)
	var b backoff
	for l.lost == nil && ctx.Err() == nil {
		n, err := l.read.ReadAt(buf, l.sent)
		if err != nil && err != io.EOF {
			l.lost = err
		}
		if n == 0 {
			return
		}
		err = l.put(ctx, buf[:n])
		switch {
		case err == nil:
			l.sent += int64(n)
			b = backoff{}
		case ctx.Err() != nil:
			return
		case !temporary(err):
			l.lost = err
		case b.wait(ctx) == nil:
			l.resync(ctx)
		}
	}
}

// put appends to the log on the server, once.
func (l *joblog) put(ctx context.Context, part []byte) error {
	err := l.client.Do(ctx, http.MethodPut, l.path, bytes.NewReader(part), nil)
	if err == nil {
		l.last = time.Now()
	}
	return err
}

// resync finds out how much of the file the server has. Where it cannot tell, what it may have
// is sent again: better twice than never.
func (l *joblog) resync(ctx context.Context) {
	f := &finder{needle: []byte(l.opening), at: -1}
	var b backoff
	for {
		err := l.client.Do(ctx, http.MethodGet, l.path, nil, f)
		if err == nil {
			break
		}
		if ctx.Err() != nil || !temporary(err) || b.wait(ctx) != nil {
			return
		}
		*f = finder{needle: f.needle, at: -1}
	}
	if f.at < 0 {
		return
	}
	have := f.total - f.at
	tail := make([]byte, min(have, int64(len(f.tail))))
	if n, _ := l.read.ReadAt(tail, have-int64(len(tail))); n == len(tail) && bytes.HasSuffix(f.tail, tail) {
		l.sent = have
	}
}

// finder is written a log: it remembers where the needle is, how long the log is and how it ends.
type finder struct {
	needle []byte
	at     int64 // -1: not found
	total  int64
	tail   []byte
}

const tailSize = 4 << 10

func (f *finder) Write(p []byte) (int, error) {
	window := append(f.tail, p...)
	if f.at < 0 {
		if i := bytes.LastIndex(window, f.needle); i >= 0 {
			f.at = f.total - int64(len(f.tail)) + int64(i)
		}
	}
	f.total += int64(len(p))
	f.tail = bytes.Clone(window[max(0, len(window)-tailSize):])
	return len(p), nil
}
