package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"

	"drp/cli/client"
	"drp/models"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// jobVerbs are the verbs of jobs alone.
func (k *kind) jobVerbs() []*cobra.Command {
	return []*cobra.Command{k.jobLog(), k.jobActions(), k.purgeJobs(), k.cancelJob(), k.retryJob()}
}

// createJob does not create what it is given: the server decides on the next job of a machine.
func (k *kind) createJob() *cobra.Command {
	return k.verb(verb{
		use:   "create [json]",
		short: "Create the next job of a machine",
		long: "Ask the server for the next job of a machine, and print it; its State is empty if there is nothing to do. The\n" +
			"argument is the UUID or name of the machine, or a job with Machine set (JSON or YAML; text, file, URL or -).",
		example: "drp jobs create web1.example.com",
		args:    exactly(1),
		run: func(ctx context.Context, args []string) error {
			job, err := k.newJob(ctx, args[0])
			if err != nil {
				return err
			}
			return k.nextJob(ctx, job)
		},
	})
}

// nextJob prints the job that the server makes. If there is nothing to do, it prints what was
// asked for, with an empty State.
func (k *kind) nextJob(ctx context.Context, ask document) error {
	raw, err := k.do(ctx, http.MethodPost, "jobs", ask)
	if err == nil && len(raw) == 0 {
		o, err := models.Unmarshal("jobs", must(ask))
		if err != nil {
			return err
		}
		raw = must(o)
	}
	return k.shows(raw, err)
}

func (k *kind) newJob(ctx context.Context, arg string) (document, error) {
	if doc, err := k.object(ctx, arg); err == nil && len(doc) > 0 {
		return doc, nil
	}
	for _, id := range []string{arg, "Name:" + arg} {
		m, err := client.Get[*models.Machine](ctx, k.client, "machines/"+id)
		if err == nil {
			return document{"Machine": m.Uuid, "Context": m.Context}, nil
		}
		if models.ClassOf(err) != models.NotFound {
			return nil, err
		}
	}
	return nil, verbatim("Unable to create new Job: Invalid machine %s", arg)
}

func (k *kind) jobLog() *cobra.Command {
	var follow bool
	return k.verb(verb{
		use:   "log [id] [- or string]",
		short: "Print the log of a job, or add to it",
		long: "Print the log of a job. With a second argument, add that text to the log; - adds what stdin has.\n" +
			"With --follow, print what is added, until the job has ended.",
		example: "drp jobs log " + k.sample() + "\ndrp jobs log " + k.sample() + " --follow\necho checked by hand | " + k.app.name + " jobs log " + k.sample() + " -",
		args:    all(atLeast(1), between(1, 2, " requires at most 2 arguments")),
		flags: func(f *pflag.FlagSet) {
			f.BoolVar(&follow, "follow", false, "go on printing what is added, until the job has ended")
		},
		run: func(ctx context.Context, args []string) error {
			at := k.at(args[0], "log")
			if follow && len(args) > 1 {
				return &usageError{"--follow prints a log, it adds nothing"}
			}
			if follow {
				return k.followLog(ctx, at)
			}
			if len(args) == 1 {
				return k.client.Do(ctx, http.MethodGet, at, nil, k.Out)
			}
			if args[1] == "-" {
				return k.client.Do(ctx, http.MethodPut, at, k.In, nil)
			}
			return k.client.Do(ctx, http.MethodPut, at, []byte(args[1]), nil)
		},
	})
}

// followLog prints a log until its job has ended. The tail of a log may come a little later.
func (k *kind) followLog(ctx context.Context, at string) error {
	out := &tally{Writer: k.Out}
	for late := ""; ; {
		wait := "5m"
		if late != "" {
			wait = "1s"
		}
		var h http.Header
		err := k.client.Do(ctx, http.MethodGet, at, nil, out, client.WithHeader("Range", fmt.Sprintf("bytes=%d-", out.n)),
			client.WithHeader("Prefer", "wait="+wait), client.WithFlag("late", late), client.WithAnswerHeader(&h))
		if err != nil {
			return err
		}
		state := models.State(h.Get("X-DRP-JOB-STATE"))
		nothing := strings.HasPrefix(h.Get("Content-Range"), "bytes */")
		switch {
		case state == "":
			return errors.New("this server cannot follow a log: leave --follow out")
		case !state.Final() || !nothing:
		case late != "":
			return nil
		default:
			late = "true"
		}
	}
}

// tally counts what is written.
type tally struct {
	io.Writer
	n int64
}

func (t *tally) Write(p []byte) (int, error) {
	n, err := t.Writer.Write(p)
	t.n += int64(n)
	return n, err
}

func (k *kind) jobActions() *cobra.Command {
	var system string
	return k.verb(verb{
		use:     "actions [id]",
		short:   "Show the scripts of a job",
		long:    "Show the templates of a job, rendered as they are now: files to write, and scripts to run.",
		example: "drp jobs actions " + k.sample() + " --os linux",
		args:    exactly(1),
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&system, "os", runtime.GOOS, "only those meant for this operating system; any: all of them")
		},
		run: func(ctx context.Context, args []string) error {
			if system == "any" {
				system = ""
			}
			raw, err := k.do(ctx, http.MethodGet, k.at(args[0], "actions"), nil, client.WithFlag("os", system))
			if err == nil && string(raw) == "null" {
				raw = json.RawMessage("[]")
			}
			return k.prints(raw, err)
		},
	})
}
