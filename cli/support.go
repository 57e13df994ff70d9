package cli

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"drp/cli/client"
	"drp/models"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// support is what one gives to those who are to help.
func (a *app) support() *cobra.Command {
	b := &supportBundle{app: a}
	bundle := a.command(verb{
		use: "bundle", short: "Save what helps others to help",
		long: "Write a zip file with what others need to understand what a server does: its version, info, preferences but\n" +
			"for secrets, content packs, how many objects of each kind there are and what is wrong with which, and its\n" +
			"log. Names of machines and addresses are in it; params are not. On the server's host, --dr-user adds the\n" +
			"journal of a systemd unit and --extra-dirs files. Nothing is sent to anybody.",
		example: "drp support bundle --since 2h", args: none,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&b.since, "since", "yesterday", "lines of the log from then on: yesterday, today, a time, or some time ago such as 2h")
			f.StringVar(&b.unit, "dr-user", "", "add the journal of this systemd unit of this host, such as drp-server")
			f.StringVar(&b.base, "drp-basedir", "/var/lib/drp", "folder that --extra-dirs are in")
			f.StringVar(&b.extra, "extra-dirs", "", "add the files of these folders, separated by commas, such as job-logs; keys of the server are left out")
			f.StringVar(&b.file, "output", "", "file to write (default: drp-support-bundle-TIME.zip)")
		},
		run: func(ctx context.Context, _ []string) error { return b.write(ctx) },
	})
	return a.group("support", "Gather what helps others to help", "Gather what others need to understand what a server does.", "drp support bundle", bundle)
}

// supportBundle is one zip file that is being made.
type supportBundle struct {
	*app
	since, unit, base, extra, file string
	from                           time.Time
	zip                            *zip.Writer
	contents                       []string // a line about each file
}

func (b *supportBundle) write(ctx context.Context) error {
	now := time.Now()
	var err error
	if b.from, err = sinceTime(b.since, now); err != nil {
		return err
	}
	if b.file == "" {
		b.file = "drp-support-bundle-" + now.Format("2006-01-02-15-04-05") + ".zip"
	}
	err = b.save(b.file, func(w io.Writer) error {
		b.zip = zip.NewWriter(w)
		for _, add := range []func(context.Context) error{b.answers, b.counts, b.log, b.journal, b.files} {
			if err := add(ctx); err != nil {
				return err
			}
		}
		if err := b.add("README.txt", "this list", []byte(strings.Join(b.contents, "\n")+"\n")); err != nil {
			return err
		}
		return b.zip.Close()
	})
	if err != nil {
		return fmt.Errorf("support bundle: %w", err)
	}
	return b.say("%s:\n  %s", b.file, strings.Join(b.contents, "\n  "))
}

// sinceTime reads a time as journalctl does, or how long ago it was.
func sinceTime(s string, now time.Time) (time.Time, error) {
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch s {
	case "today":
		return midnight, nil
	case "yesterday":
		return midnight.AddDate(0, 0, -1), nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d.Abs()), nil
	}
	for _, form := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.ParseInLocation(form, s, now.Location()); err == nil {
			return t, nil
		}
	}
	return now, &usageError{fmt.Sprintf("--since: %q is no time: write yesterday, today, 2026-11-21, 2026-11-21T15:00:00Z or 2h", s)}
}

func (b *supportBundle) add(name, what string, content []byte) error {
	w, err := b.zip.CreateHeader(&zip.FileHeader{Name: "drp-support/" + name, Method: zip.Deflate, Modified: time.Now()})
	if err == nil {
		_, err = w.Write(content)
	}
	b.contents = append(b.contents, fmt.Sprintf("%-20s %s", name, what))
	return err
}

// addJSON adds a value, or why it could not be had: a bundle of a sick server is the one that is needed.
func (b *supportBundle) addJSON(name, what string, v any, err error) error {
	if err != nil {
		return b.add(name+".error.txt", what+": could not be had", []byte(err.Error()+"\n"))
	}
	var out bytes.Buffer
	if err := json.Indent(&out, must(v), "", "  "); err != nil {
		return err
	}
	return b.add(name, what, append(out.Bytes(), '\n'))
}

func (b *supportBundle) answers(ctx context.Context) error {
	client := map[string]string{"Version": b.Version, "OS": runtime.GOOS, "Arch": runtime.GOARCH, "Endpoint": b.client.Endpoint()}
	if err := b.addJSON("client.json", "the program that made this", client, nil); err != nil {
		return err
	}
	info, err := b.do(ctx, http.MethodGet, "info", nil)
	if err := b.addJSON("info.json", "what the server says of itself, its version first", info, err); err != nil {
		return err
	}
	packs, err := b.do(ctx, http.MethodGet, "contents", nil)
	if err := b.addJSON("contents.json", "its content packs", packs, err); err != nil {
		return err
	}
	raw, err := b.do(ctx, http.MethodGet, "prefs", nil)
	prefs := map[string]string{}
	if err == nil {
		err = decode(raw, &prefs)
	}
	for name := range prefs {
		if isSecret(name) {
			prefs[name] = "(left out)"
		}
	}
	return b.addJSON("prefs.json", "its preferences, but for secrets", prefs, err)
}

// isSecret tells by the name of a preference that its value is for nobody else.
func isSecret(name string) bool {
	name = strings.ToLower(name)
	return strings.Contains(name, "secret") || strings.Contains(name, "password") || strings.HasSuffix(name, "key")
}

// ailing is an object that something is wrong with.
type ailing struct {
	Kind, Key string
	Errors    []string
}

func (b *supportBundle) counts(ctx context.Context) error {
	kinds, err := client.Get[[]string](ctx, b.client, "objects")
	counts, sick := map[string]any{}, []ailing{}
	for _, kind := range kinds {
		if kind == "preferences" {
			continue
		}
		var h http.Header
		if _, err := b.do(ctx, http.MethodHead, kind, nil, client.WithAnswerHeader(&h)); err != nil {
			counts[kind] = err.Error()
			continue
		}
		counts[kind] = h.Get("X-DRP-LIST-FILTER-COUNT")
		found, err := b.ailing(ctx, kind)
		if err != nil {
			counts[kind+" with errors"] = err.Error()
		}
		sick = append(sick, found...)
	}
	if err := b.addJSON("counts.json", "how many objects of each kind there are", counts, err); err != nil {
		return err
	}
	return b.addJSON("errors.json", "what is wrong with which objects", sick, err)
}

func (b *supportBundle) ailing(ctx context.Context, kind string) ([]ailing, error) {
	list, err := client.Get[[]document](ctx, b.client, kind, client.WithFlag("Available", "false"), client.WithFlag("slim", "Params,Meta"))
	if err != nil {
		return nil, err
	}
	field := "Id"
	if info, ok := models.KindOf(kind); ok {
		field = info.KeyField
	}
	var all []ailing
	for _, o := range list {
		all = append(all, ailing{kind, fmt.Sprint(o[field]), names(o, "Errors")})
	}
	return all, nil
}

func (b *supportBundle) log(ctx context.Context) error {
	lines, err := client.Get[[]document](ctx, b.client, "logs")
	lines = slices.DeleteFunc(lines, func(l document) bool {
		t, err := time.Parse(time.RFC3339Nano, fmt.Sprint(l["Time"]))
		return err == nil && t.Before(b.from)
	})
	return b.addJSON("log.json", "the newest lines of its log since "+b.since, lines, err)
}

func (b *supportBundle) journal(ctx context.Context) error {
	if b.unit == "" {
		return nil
	}
	out, err := exec.CommandContext(ctx, "journalctl", "--no-pager", "-u", b.unit, "--since", b.from.Format("2006-01-02 15:04:05")).CombinedOutput()
	if err != nil {
		return b.add("journal.error.txt", "the journal of "+b.unit+": could not be had", fmt.Appendf(out, "%v\n", err))
	}
	return b.add("journal.txt", "the journal of "+b.unit, out)
}

// files adds folders of the server's data, but for what ends in .key and whatever else only the server may read.
func (b *supportBundle) files(context.Context) error {
	if b.extra == "" {
		return nil
	}
	root, err := os.OpenRoot(b.base)
	if err != nil {
		return err
	}
	defer root.Close()
	n := 0
	for _, dir := range strings.Split(b.extra, ",") {
		err := fs.WalkDir(root.FS(), path.Clean(strings.TrimSpace(dir)), func(name string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() || filepath.Ext(name) == ".key" || isSecret(d.Name()) {
				return err
			}
			in, err := root.Open(name)
			if err != nil {
				return err
			}
			defer in.Close()
			header := &zip.FileHeader{Name: "drp-support/files/" + name, Method: zip.Deflate}
			if st, err := in.Stat(); err == nil {
				header.Modified = st.ModTime()
			}
			out, err := b.zip.CreateHeader(header)
			if err == nil {
				_, err = io.Copy(out, in)
			}
			n++
			return err
		})
		if err != nil {
			return err
		}
	}
	b.contents = append(b.contents, fmt.Sprintf("%-20s %s", "files/", plural(n, "file")+" of "+b.base+": "+b.extra))
	return nil
}
