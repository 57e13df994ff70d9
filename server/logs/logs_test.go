package logs

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"drp/models"
)

func logger(level slog.Level, keep int) (*slog.Logger, *Buffer, *bytes.Buffer) {
	out := &bytes.Buffer{}
	b := New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level, ReplaceAttr: Rename}), keep)
	return slog.New(b), b, out
}

func TestTheNewestLinesAreKeptInOrder(t *testing.T) {
	log, b, _ := logger(slog.LevelInfo, 100)
	var told []int64
	b.Publish(func(l models.LogLine) { told = append(told, l.Seq) })
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			for n := range 50 {
				log.Info("line", "of", i, "n", n)
			}
		})
	}
	wg.Wait()
	lines := b.Lines()
	if len(lines) != 100 || len(told) != 500 {
		t.Fatalf("got %d lines and told of %d, want 100 and 500", len(lines), len(told))
	}
	for i, l := range lines {
		if l.Seq != int64(401+i) {
			t.Fatalf("line %d has Seq %d, want %d", i, l.Seq, 401+i)
		}
	}
	for i, seq := range told {
		if seq != int64(i+1) {
			t.Fatalf("told of %d at %d: out of order", seq, i)
		}
	}
}

func TestALineTellsWhereItComesFromAndWhatItKnows(t *testing.T) {
	log, b, out := logger(slog.LevelWarn, 10)
	log.Info("too low")
	log.With("a", 1).Warn("with", "b", "two words", "who", "user:x")
	log.Log(t.Context(), Audit, "always", "service", "frontend")
	lines := b.Lines()
	if len(lines) != 2 {
		t.Fatalf("got %d lines, want 2", len(lines))
	}
	one, two := lines[0], lines[1]
	if one.Level != "warn" || one.Service != "logs" || one.Principal != "user:x" || fmt.Sprint(one.Data) != "[a=1 b=two words]" ||
		!strings.HasSuffix(one.File, "server/logs/logs_test.go") || one.Line == 0 || one.Time.IsZero() {
		t.Errorf("got %+v", one)
	}
	if two.Level != "audit" || two.Service != "frontend" || two.Seq != 2 {
		t.Errorf("got %+v", two)
	}
	if !strings.Contains(out.String(), "level=AUDIT msg=always") || strings.Contains(out.String(), "too low") {
		t.Errorf("the handler behind has written %q", out)
	}
}

func TestEveryLevelHasItsName(t *testing.T) {
	for _, name := range models.LogLevels {
		level, ok := Level(name)
		if want := map[string]string{"fatal": "error", "panic": "error"}[name]; !ok || Name(level) != name && Name(level) != want {
			t.Errorf("%s is %v, %v, which is called %s", name, level, ok, Name(level))
		}
	}
	if _, ok := Level("loud"); ok {
		t.Error("loud is a level")
	}
	if got := Name(slog.LevelInfo + 1); got != "info" {
		t.Errorf("info+1 is %s", got)
	}
}
