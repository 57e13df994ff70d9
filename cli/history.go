package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"drp/cli/client"
	"drp/models"
	"drp/models/patch"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"
)

// span are the flags that select history.
type span struct {
	limit                     int
	from, to, since, who, job string
	oldest                    bool
}

func (s *span) add(f *pflag.FlagSet) {
	f.IntVar(&s.limit, "limit", 20, "at most this many changes of objects; 0: all")
	f.StringVar(&s.since, "since", "", "since a revision, a time, or how long ago: 17, 2026-11-21T15:00:00Z, 1h, 2d")
	f.StringVar(&s.from, "from", "", "the same as --since")
	f.StringVar(&s.to, "to", "", "up to a revision, a time, or how long ago")
	f.StringVar(&s.who, "who", "", "only what a user did, or another principal such as machine:UUID")
	f.StringVar(&s.job, "job", "", "only what a job's script or runner did")
	f.BoolVar(&s.oldest, "oldest", false, "oldest first")
}

func (s *span) query() url.Values {
	q := url.Values{}
	for name, v := range map[string]string{"from": s.from, "to": s.to, "since": s.since, "who": s.who, "job": s.job} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if s.oldest {
		q.Set("oldest", "true")
	}
	return q
}

// history is what was changed on the server.
func (a *app) history() *cobra.Command {
	var s span
	c := a.command(verb{
		use:   "history [kind] [id]",
		short: "Tell who changed what, and when",
		long: "List the changes of one object, or those of all that you may see, the newest first: revision, time,\n" +
			"who, for which job, and what. On a terminal that is a table, else JSON with the patches; -F says\n" +
			"otherwise. What is as old as the server's preferences historyDays and historyMegabytes say is\n" +
			"no longer there. See an object as it was with show --at, and take changes back with undo.",
		example: "drp history profiles global\ndrp history --who rocketskates --since 1h -F table\ndrp history profiles global --job 3e7031fe-3062-45f1-835c-92541bc9cbd3 --limit 0",
		args: func(c *cobra.Command, args []string) string {
			if len(args) == 1 {
				return c.UseLine() + " requires both a kind and an id, or neither"
			}
			return between(0, 2, " requires at most 2 arguments")(c, args)
		},
		flags: s.add,
		run: func(ctx context.Context, args []string) error {
			list, err := a.entries(ctx, args, s)
			if err != nil {
				return err
			}
			return a.changes(list)
		},
	})
	c.AddCommand(a.historyDiff())
	return c
}

// entries fetches history page by page.
func (a *app) entries(ctx context.Context, args []string, s span) ([]models.HistoryEntry, error) {
	path, q := "history", s.query()
	if len(args) == 2 {
		if info, ok := models.KindOf(args[0]); !ok {
			return nil, &usageError{"there is no kind " + args[0]}
		} else if info.Internal || info.Name == "params" || info.Name == "preferences" { // have no route of their own
			q.Set("kind", args[0])
			q.Set("key", args[1])
		} else {
			path = a.kind(info).at(args[1], "history")
		}
	}
	list := []models.HistoryEntry{}
	for {
		n := 1000
		if s.limit > 0 {
			n = min(n, s.limit-len(list))
		}
		q.Set("limit", strconv.Itoa(n))
		var h http.Header
		raw, err := a.do(ctx, http.MethodGet, path, nil, client.WithQuery(q), client.WithAnswerHeader(&h))
		if err != nil {
			return nil, err
		}
		var page []models.HistoryEntry
		if err := decode(raw, &page); err != nil {
			return nil, err
		}
		list = append(list, page...)
		next := h.Get("X-DRP-HISTORY-NEXT")
		if next == "" || s.limit > 0 && len(list) >= s.limit {
			return list, nil
		}
		if s.oldest {
			q.Del("since")
			q.Set("from", next)
		} else {
			q.Set("to", next)
		}
	}
}

// terminal tells whether people read the output, and have not said how they want it.
func (a *app) terminal() bool {
	f, ok := a.Out.(*os.File)
	return ok && !a.flags.formatGiven && term.IsTerminal(int(f.Fd()))
}

// changes prints history: as it is, or in words where it is for people.
func (a *app) changes(list []models.HistoryEntry) error {
	if a.terminal() {
		a.flags.format = "table"
	}
	if a.flags.format != "table" && a.flags.format != "text" {
		return a.print(list)
	}
	if !a.flags.truncateGiven {
		a.flags.truncate = 0
	}
	if a.flags.fields == "" {
		a.flags.fields = "Rev,Time,Who,Object,Change"
		if slices.ContainsFunc(list, func(e models.HistoryEntry) bool { return e.Job != "" }) {
			a.flags.fields = "Rev,Time,Who,Job,Object,Change"
		}
	}
	rows := []document{}
	for _, e := range list {
		what := strings.Join(inWords(e.Patch), "; ")
		if e.Undoes != "" {
			what += " (undoes " + e.Undoes + ")"
		}
		rows = append(rows, document{
			"Rev": json.Number(strconv.FormatUint(e.Rev, 10)), "Time": e.Time.Local().Format(time.DateTime), "Who": e.Who, "Job": e.Job,
			"Object": e.Kind + "/" + e.Key, "Change": what, "Undoes": e.Undoes, "Action": e.Action, "Kind": e.Kind, "Key": e.Key,
		})
	}
	return a.print(rows)
}

// inWords tells what a patch with tests does, a line each: Params/my~1leader: "none" -> "abc".
func inWords(raw json.RawMessage) []string {
	ops, err := patch.Decode(raw)
	if err != nil {
		return []string{string(raw)}
	}
	lines := []string{}
	was := map[string]json.RawMessage{}
	for _, op := range ops {
		path := strings.TrimPrefix(op.Path, "/")
		before, tested := was[op.Path]
		switch {
		case op.Op == "test":
			was[op.Path] = op.Value
		case op.Op == "add" && op.Path == "":
			lines = append(lines, "created")
		case op.Op == "remove" && op.Path == "":
			lines = append(lines, "deleted")
		case op.Path == "":
			lines = append(lines, "replaced as a whole")
		case op.Op == "remove" && tested:
			lines = append(lines, path+": "+brief(before)+" removed")
		case op.Op == "replace" && tested:
			lines = append(lines, path+": "+brief(before)+" -> "+brief(op.Value))
		case op.Op == "add":
			lines = append(lines, path+": set to "+brief(op.Value))
		default:
			lines = append(lines, op.Op+" "+path)
		}
	}
	if len(lines) == 0 {
		lines = []string{"stored again as it was"}
	}
	return lines
}

// longestValue is how much of a value is shown in words.
const longestValue = 60

func brief(value json.RawMessage) string {
	var line bytes.Buffer
	if json.Compact(&line, value) != nil {
		return string(value)
	}
	if r := []rune(line.String()); len(r) > longestValue {
		return string(r[:longestValue-1]) + "…"
	}
	return line.String()
}

func (a *app) historyDiff() *cobra.Command {
	return a.command(verb{
		use:   "diff [kind] [id] [from] [to]",
		short: "Compare an object at two places in its history",
		long: "Print how an object at one revision differs from itself at another. Instead of a revision a time or\n" +
			"how long ago will do. On a terminal that is in words, else a JSON patch that leads from one to\n" +
			"the other; -F says otherwise.",
		example: "drp history diff profiles global 17 23\ndrp history diff machines Name:web1.example.com 1h 0s -F text",
		args:    exactly(4),
		run: func(ctx context.Context, args []string) error {
			info, ok := models.KindOf(args[0])
			if !ok {
				return &usageError{"there is no kind " + args[0]}
			}
			at := [2]json.RawMessage{}
			for i, rev := range args[2:] {
				var err error
				if at[i], err = a.do(ctx, http.MethodGet, a.kind(info).at(args[1]), nil, client.WithFlag("at", rev)); err != nil {
					return fmt.Errorf("at %s: %w", rev, err)
				}
			}
			ops, err := patch.Diff(at[0], at[1], patch.Tests)
			if err != nil {
				return err
			}
			if f := a.flags.format; !a.terminal() && f != "table" && f != "text" {
				return a.print(ops)
			}
			lines := inWords(must(ops))
			if len(ops) == 0 {
				lines = []string{"no difference"}
			}
			return a.say("%s", strings.Join(lines, "\n"))
		},
	})
}

// undo takes changes back.
func (a *app) undo() *cobra.Command {
	var ask models.Undo
	var except []string
	return a.command(verb{
		use:   "undo [revision]",
		short: "Take changes back",
		long: "Take back one change, or all of a job, or of somebody since a revision, a time or some time ago: all\n" +
			"or none, in one change, which can be undone as well. What others have written since is a conflict\n" +
			"that names their change. Work that jobs did, content packs and changes of passwords stay.\n" +
			"With --dry-run nothing is changed.",
		example: "drp undo 17 --dry-run\ndrp undo 17\ndrp undo --job 3e7031fe-3062-45f1-835c-92541bc9cbd3\ndrp undo --who rocketskates --since 10m --except 23",
		args:    between(0, 1, " requires at most 1 argument"),
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&ask.Job, "job", "", "all that this job's script or runner changed")
			f.StringVar(&ask.Who, "who", "", "all that this user changed, or another principal such as machine:UUID")
			f.StringVar(&ask.Since, "since", "", "since a revision, a time, or how long ago: 17, 2026-11-21T15:00:00Z, 1h, 2d")
			f.StringSliceVar(&except, "except", nil, "revisions that stay, separated by commas")
			f.BoolVar(&ask.DryRun, "dry-run", false, "show what would be changed")
		},
		run: func(ctx context.Context, args []string) error {
			var err error
			if len(args) == 1 {
				if ask.Rev, err = revision(args[0]); err != nil {
					return err
				}
			}
			for _, text := range except {
				rev, err := revision(text)
				if err != nil {
					return err
				}
				ask.Except = append(ask.Except, rev)
			}
			if len(args) == 0 && ask.Job == "" && ask.Who == "" {
				return &usageError{"what is to be taken back? Give a revision, --job, or --who with --since"}
			}
			raw, err := a.do(ctx, http.MethodPost, "undo", ask, a.forced())
			if err != nil {
				return err
			}
			if f := a.flags.format; !a.terminal() && f != "table" && f != "text" {
				return a.print(raw)
			}
			var done models.Undone
			if err := decode(raw, &done); err != nil {
				return err
			}
			return a.tellUndone(&done, ask.DryRun)
		},
	})
}

func revision(text string) (uint64, error) {
	rev, err := strconv.ParseUint(text, 10, 64)
	if err != nil || rev == 0 {
		return 0, &usageError{text + " is no revision: those of history are numbers from 1"}
	}
	return rev, nil
}

// tellUndone says in words what an undo did.
func (a *app) tellUndone(done *models.Undone, dry bool) error {
	for _, k := range done.Kept {
		if err := a.say("revision %d stays: %s", k.Rev, k.Reason); err != nil {
			return err
		}
	}
	verb := fmt.Sprintf("revision %d takes back", done.Rev)
	switch {
	case len(done.Changes) == 0:
		return a.say("there is nothing left to take back of %s", done.Undoes)
	case dry:
		verb = "would take back"
	}
	if err := a.say("%s %s: %s", verb, done.Undoes, plural(len(done.Undone), "change")); err != nil {
		return err
	}
	return a.changes(done.Changes)
}
