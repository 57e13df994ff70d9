// Package joblog keeps the log of each job as a plain text file that is only ever appended to.
// Since there is no framing, nothing that a crash leaves behind can hide what was written
// before or comes later.
package joblog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"drp/models"
)

const (
	// MaxAppend is the most that one Append takes, in bytes.
	MaxAppend = 64 << 20
	// ahead is how much of an appended text is received before the job's log is taken hold of,
	// so that a slow client does not hold up the others. Agents send less at a time.
	ahead = 1 << 20
)

// Logs are the logs of all jobs below one folder: DIR/01/0123….log for the job 0123….
//
// What Append has returned for survives the loss of the process, but the loss of power only
// after Sync, which the server calls once a job has ended.
type Logs struct {
	dir    string
	opened time.Time

	mu    sync.Mutex
	held  map[string]*hold
	heeds map[string]map[chan struct{}]bool // by job: those who wait for it to grow
}

// hold is the right to write one job's log, and how many want it.
type hold struct {
	sync.Mutex
	users int
}

// Open makes the folder when it is not there.
func Open(dir string) (*Logs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("job logs: %w", err)
	}
	now, err := diskTime(dir)
	if err != nil {
		return nil, fmt.Errorf("job logs: %w", err)
	}
	return &Logs{dir: dir, opened: now, held: map[string]*hold{}, heeds: map[string]map[chan struct{}]bool{}}, nil
}

// diskTime is the time as the file system tells it, which lags behind the clock.
func diskTime(dir string) (time.Time, error) {
	f, err := os.CreateTemp(dir, ".opened-")
	if err != nil {
		return time.Time{}, err
	}
	st, err := f.Stat()
	if err := errors.Join(err, f.Close(), os.Remove(f.Name())); err != nil {
		return time.Time{}, err
	}
	return st.ModTime(), nil
}

// Create starts the log of a job with a line. A log that has begun stays as it is.
func (l *Logs) Create(job, header string) error {
	return l.write(job, func(f *os.File) error { return begin(f, header) })
}

// Append adds all that r yields to the end of a job's log, and returns how much that was. A log
// that is not there is begun. Texts appended at the same time follow each other and never mix;
// when r fails midway, what it has yielded is kept. More than MaxAppend is TooLarge, and what
// exceeds it is lost.
func (l *Logs) Append(job string, r io.Reader) (int64, error) {
	var first bytes.Buffer
	_, rerr := first.ReadFrom(io.LimitReader(r, ahead))
	var n int64
	err := l.write(job, func(f *os.File) error {
		if err := begin(f, "Log for Job: "+job); err != nil {
			return err
		}
		more := int64(first.Len()) == ahead && rerr == nil
		if first.Len() > 0 {
			if err := l.mend(f); err != nil {
				return err
			}
		}
		m, err := f.Write(first.Bytes())
		n = int64(m)
		if err != nil || !more {
			return err
		}
		copied, err := io.Copy(f, io.LimitReader(r, MaxAppend-ahead))
		n += copied
		return err
	})
	switch {
	case err != nil:
		return n, err
	case rerr != nil:
		return n, fmt.Errorf("receive log of job %s: %w", job, rerr)
	case n < MaxAppend:
		return n, nil
	}
	if m, err := io.ReadFull(r, make([]byte, 1)); m == 0 && errors.Is(err, io.EOF) {
		return n, nil
	}
	return n, models.Problem(models.TooLarge, "jobs", job, "a log takes at most 64 MiB at a time")
}

// Reader opens a job's log for reading, as long as it is now.
func (l *Logs) Reader(job string) (io.ReadSeekCloser, int64, error) {
	path, err := l.path(job)
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, 0, models.Problem(models.NotFound, "jobs", job, "the log is no longer there")
	}
	if err != nil {
		return nil, 0, fmt.Errorf("log of job %s: %w", job, err)
	}
	st, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("log of job %s: %w", job, err)
	}
	return section{io.NewSectionReader(f, 0, st.Size()), f}, st.Size(), nil
}

// Grown returns when a job's log is longer than n bytes, with nil, or when ctx ends, with its
// error. A log that is not there yet is empty.
func (l *Logs) Grown(ctx context.Context, job string, n int64) error {
	path, err := l.path(job)
	if err != nil {
		return err
	}
	news, leave := l.heed(job)
	defer leave()
	for {
		st, err := os.Stat(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("log of job %s: %w", job, err)
		}
		if err == nil && st.Size() > n {
			return nil
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// heed registers one who waits for a job's log; what the channel holds is a reason to look.
func (l *Logs) heed(job string) (news <-chan struct{}, leave func()) {
	c := make(chan struct{}, 1)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.heeds[job] == nil {
		l.heeds[job] = map[chan struct{}]bool{}
	}
	l.heeds[job][c] = true
	return c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.heeds[job], c)
		if len(l.heeds[job]) == 0 {
			delete(l.heeds, job)
		}
	}
}

// tell wakes those who wait for a job's log.
func (l *Logs) tell(job string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.heeds[job] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}

// section is a part of a file that closes the file.
type section struct {
	*io.SectionReader
	io.Closer
}

// Sync makes a job's log survive the loss of power. One that is not there is in order.
func (l *Logs) Sync(job string) error {
	path, err := l.path(job)
	if err != nil {
		return err
	}
	for _, p := range []string{path, filepath.Dir(path), l.dir} {
		if err := syncFile(p); errors.Is(err, fs.ErrNotExist) {
			return nil
		} else if err != nil {
			return fmt.Errorf("sync log of job %s: %w", job, err)
		}
	}
	return nil
}

func syncFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// Remove deletes a job's log. One that is not there is in order.
func (l *Logs) Remove(job string) error {
	path, err := l.path(job)
	if err != nil {
		return err
	}
	defer l.hold(job)()
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove log of job %s: %w", job, err)
	}
	return nil
}

// path is where a job's log lies. Only a UUID names a job, so no name leads elsewhere.
func (l *Logs) path(job string) (string, error) {
	if !models.IsUUID(job) {
		return "", models.Problem(models.Invalid, "jobs", job, "Invalid UUID: "+job).Typed("ValidationError")
	}
	return filepath.Join(l.dir, job[:2], job+".log"), nil
}

// hold waits for the right to write a job's log; the function it returns gives it back.
func (l *Logs) hold(job string) func() {
	l.mu.Lock()
	h := l.held[job]
	if h == nil {
		h = &hold{}
		l.held[job] = h
	}
	h.users++
	l.mu.Unlock()
	h.Lock()
	return func() {
		h.Unlock()
		l.mu.Lock()
		defer l.mu.Unlock()
		if h.users--; h.users == 0 {
			delete(l.held, job)
		}
	}
}

// write opens a job's log for appending while nobody else writes it.
func (l *Logs) write(job string, fn func(*os.File) error) error {
	path, err := l.path(job)
	if err != nil {
		return err
	}
	defer l.tell(job) // whatever has become of it
	defer l.hold(job)()
	f, err := openAppend(path)
	if err != nil {
		return fmt.Errorf("log of job %s: %w", job, err)
	}
	if err = fn(f); err != nil {
		f.Close()
		return fmt.Errorf("write log of job %s: %w", job, err)
	}
	if err := f.Close(); err != nil {
		return fmt.Errorf("write log of job %s: %w", job, err)
	}
	return nil
}

func openAppend(path string) (*os.File, error) {
	const flags = os.O_RDWR | os.O_APPEND | os.O_CREATE
	f, err := os.OpenFile(path, flags, 0o600)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(path, flags, 0o600)
}

// begin writes the first line of a log that is still empty.
func begin(f *os.File, header string) error {
	st, err := f.Stat()
	if err != nil || st.Size() > 0 {
		return err
	}
	_, err = f.WriteString(header + "\n")
	return err
}

// mend ends the line that an earlier process may have left torn, so that what follows starts a
// line of its own.
func (l *Logs) mend(f *os.File) error {
	st, err := f.Stat()
	if err != nil || st.Size() == 0 || !st.ModTime().Before(l.opened) {
		return err
	}
	end := make([]byte, 1)
	if _, err := f.ReadAt(end, st.Size()-1); err != nil || end[0] == '\n' {
		return err
	}
	_, err = f.WriteString("\n")
	return err
}
