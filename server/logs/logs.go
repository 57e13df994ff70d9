// Package logs keeps the newest lines of the server's log in memory, for those who ask for them
// and those who watch them come.
package logs

import (
	"context"
	"log/slog"
	"path"
	"runtime"
	"slices"
	"strings"
	"sync"

	"drp/models"
)

// Levels beside those of slog.
const (
	Trace = slog.LevelDebug - 4
	Audit = slog.LevelError + 4 // who has logged in, and such: logged whatever the level is
)

var names = map[slog.Level]string{Trace: "trace", slog.LevelDebug: "debug", slog.LevelInfo: "info", slog.LevelWarn: "warn", slog.LevelError: "error", Audit: "audit"}

// Level is a level by its name in the API: fatal and panic end programs, here they are errors.
func Level(name string) (slog.Level, bool) {
	if name == "fatal" || name == "panic" {
		return slog.LevelError, true
	}
	for level, n := range names {
		if n == name {
			return level, true
		}
	}
	return 0, false
}

// Name is the name of a level; one between two has that of the lower.
func Name(level slog.Level) string {
	best := Trace
	for l := range names {
		if l <= level && l > best {
			best = l
		}
	}
	return names[best]
}

// Rename writes the levels of this package by their names; for slog.HandlerOptions.
func Rename(groups []string, a slog.Attr) slog.Attr {
	if level, ok := a.Value.Any().(slog.Level); ok && a.Key == slog.LevelKey && len(groups) == 0 {
		return slog.String(slog.LevelKey, strings.ToUpper(Name(level)))
	}
	return a
}

// ServiceKey is the attribute that names the part of the server that speaks, when that is not the
// package the line stands in; PrincipalKey the one that tells who caused it.
const (
	ServiceKey   = "service"
	PrincipalKey = "who"
)

// Buffer holds the newest lines. It is a slog.Handler that hands every line on as well.
type Buffer struct {
	next slog.Handler
	data []string // of WithAttrs
	*ring
}

type ring struct {
	mu      sync.Mutex
	lines   []models.LogLine
	keep    int
	seq     int64
	publish func(models.LogLine)
}

// New makes a buffer of the newest lines that next lets through.
func New(next slog.Handler, keep int) *Buffer {
	return &Buffer{next: next, ring: &ring{keep: keep}}
}

// Publish has fn told of every line from now on. It must not log itself.
func (b *Buffer) Publish(fn func(models.LogLine)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.publish = fn
}

// Lines are those that are kept, the oldest first.
func (b *Buffer) Lines() []models.LogLine {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]models.LogLine{}, b.lines[max(0, len(b.lines)-b.keep):]...)
}

// Enabled is that of the handler behind.
func (b *Buffer) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= Audit || b.next.Enabled(ctx, level)
}

// WithAttrs keeps the attributes for each later line.
func (b *Buffer) WithAttrs(attrs []slog.Attr) slog.Handler {
	data := slices.Clone(b.data)
	for _, a := range attrs {
		data = append(data, a.String())
	}
	return &Buffer{next: b.next.WithAttrs(attrs), data: data, ring: b.ring}
}

// WithGroup names the group in the handler behind.
func (b *Buffer) WithGroup(name string) slog.Handler {
	return &Buffer{next: b.next.WithGroup(name), data: b.data, ring: b.ring}
}

// Handle keeps a line and hands it on.
func (b *Buffer) Handle(ctx context.Context, r slog.Record) error {
	line := models.LogLine{Time: r.Time, Level: Name(r.Level), Message: r.Message, Data: []any{}}
	for _, d := range b.data {
		line.Data = append(line.Data, d)
	}
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case ServiceKey:
			line.Service = a.Value.String()
		case PrincipalKey:
			line.Principal = a.Value.String()
		default:
			line.Data = append(line.Data, a.String())
		}
		return true
	})
	if r.PC != 0 {
		frame, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
		pkg, _, _ := strings.Cut(path.Base(frame.Function), ".")
		line.File, line.Line = path.Join(path.Dir(frame.Function), pkg, path.Base(frame.File)), frame.Line
		if line.Service == "" {
			line.Service = pkg
		}
	}
	b.add(line)
	return b.next.Handle(ctx, r)
}

func (r *ring) add(line models.LogLine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.seq++
	line.Seq = r.seq
	if len(r.lines) >= 2*r.keep { // seldom, so that a line costs little
		r.lines = append(make([]models.LogLine, 0, 2*r.keep), r.lines[r.keep:]...)
	}
	r.lines = append(r.lines, line)
	if r.publish != nil {
		r.publish(line) // in the order of Seq
	}
}
