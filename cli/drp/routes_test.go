package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/cli"
	"drp/cli/runner"

	"github.com/spf13/cobra"
)

// TestNoVerbAsksForARouteThatIsNotThere calls every command as its example does. Most of what the
// examples name is not there, which is an answer; that there is no such route is none.
func TestNoVerbAsksForARouteThatIsNotThere(t *testing.T) {
	drp, server := programs(t)
	c := serve(t, server, drp)
	dir := filepath.Join(t.TempDir(), "work")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	nothing := func(context.Context, runner.Options) error { return nil }
	d := cli.Deps{
		Run: nothing, Agent: nothing, StateDir: dir, Root: true, Home: t.TempDir(),
		Service: runner.Service{Dir: dir, Command: []string{"/drp"}, Control: func(context.Context, ...string) (string, error) { return "", nil }},
		Getenv: func(name string) string {
			value := ""
			for _, set := range c.env {
				if v, ok := strings.CutPrefix(set, name+"="); ok {
					value = v
				}
			}
			return value
		},
	}
	call := func(args ...string) string {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // some wait for what does not come
		defer cancel()
		var errs bytes.Buffer
		cli.Main(ctx, append([]string{"drp"}, args...), cli.IO{In: strings.NewReader("{}"), Out: io.Discard, Err: &errs}, d)
		return errs.String()
	}
	call("machines", "create", `{"Name":"web1.example.com"}`)
	lines := examples(cli.New("drp", cli.IO{Out: io.Discard, Err: io.Discard}, d))
	if len(lines) < 500 {
		t.Errorf("only %d examples were found", len(lines))
	}
	next := make(chan string)
	var callers sync.WaitGroup
	for range 4 {
		callers.Go(func() {
			for line := range next {
				errs := call(words(line)...)
				if strings.HasPrefix(line, "params ") && strings.Contains(line, "action") {
					if !strings.Contains(errs, "the server offers no actions for params") {
						t.Errorf("drp %s: got %q, want a word on actions", line, errs)
					}
				} else if strings.Contains(errs, "No route") || strings.Contains(errs, "unknown command") {
					t.Errorf("drp %s: %s", line, errs)
				}
			}
		})
	}
	for _, line := range lines {
		if strings.Contains(line, "://") || strings.Contains(line, "wait ") {
			continue // leads elsewhere, or takes its time
		}
		next <- strings.Replace(line, "-l cows ", "-l profiles ", 1) // plugins here define no kind
	}
	close(next)
	callers.Wait()
}

// examples are the calls that the help shows, without the name of the program.
func examples(c *cobra.Command) (lines []string) {
	for line := range strings.SplitSeq(c.Example, "\n") {
		if _, rest, ok := strings.Cut(" "+strings.TrimSpace(line), " drp "); ok {
			lines = append(lines, rest)
		}
	}
	for _, sub := range c.Commands() {
		lines = append(lines, examples(sub)...)
	}
	return lines
}

// words splits a line up to what a shell would take for itself.
func words(line string) (list []string) {
	for _, end := range []string{" | ", " > ", " && "} {
		line, _, _ = strings.Cut(line, end)
	}
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			list = append(list, part)
			continue
		}
		for _, w := range strings.Fields(part) {
			list = append(list, strings.Trim(w, `"`))
		}
	}
	return list
}
