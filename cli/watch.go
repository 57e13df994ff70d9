package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"drp/cli/client"
	"drp/cli/lint"
	packs "drp/content"
	"drp/models"

	"github.com/fsnotify/fsnotify"
)

// quiet is how long a folder must be still before it is looked at: editors write a file in steps.
const quiet = 200 * time.Millisecond

// watchContent uploads the pack in a folder, and again whenever its files have changed, until ctx
// ends. What is wrong is told, and does not end it.
func (a *app) watchContent(ctx context.Context, dir string, opt client.Option) error {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	defer w.Close()
	author := &author{app: a, dir: dir, opt: opt}
	if err := watchFolders(w, dir); err != nil {
		return err
	}
	if err := author.round(ctx); err != nil {
		return err
	}
	still := time.NewTimer(0)
	<-still.C
	for {
		select {
		case <-ctx.Done():
			return nil
		case e, ok := <-w.Events:
			if !ok {
				return fmt.Errorf("watch %s: the system tells no more", dir)
			}
			if e.Op != fsnotify.Chmod {
				still.Reset(quiet)
			}
		case err := <-w.Errors: // some changes may have been missed, so all is looked at
			if err != nil && !errors.Is(err, fsnotify.ErrEventOverflow) {
				return fmt.Errorf("watch %s: %w", dir, err)
			}
			still.Reset(quiet)
		case <-still.C:
			if err := watchFolders(w, dir); err != nil {
				return err
			}
			if err := author.round(ctx); err != nil {
				return err
			}
		}
	}
}

// watchFolders watches the folder of a pack and those of its sections, new ones too.
func watchFolders(w *fsnotify.Watcher, dir string) error {
	entries, err := os.ReadDir(dir)
	if err == nil {
		err = w.Add(dir)
	}
	if err != nil {
		return fmt.Errorf("watch %s: %w", dir, err)
	}
	for _, e := range entries {
		if !e.IsDir() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		if err := w.Add(filepath.Join(dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("watch %s: %w", filepath.Join(dir, e.Name()), err)
		}
	}
	return nil
}

// author is what a watch knows of the pack between its rounds.
type author struct {
	*app
	dir  string
	opt  client.Option
	was  *models.Content // as last uploaded; nil: not yet
	told []lint.Finding  // what was last found wrong
}

// round looks at the pack once and uploads it if it differs from what was last uploaded. The
// error is that of stdout.
func (w *author) round(ctx context.Context) error {
	before := stamps(w.dir)
	found, err := lint.Check(w.dir)
	if err != nil {
		return w.say("error: %v", err)
	}
	c, unreadable := packs.Read(os.DirFS(w.dir))
	if stamps(w.dir) != before {
		return nil // changed between two looks; the next round sees it whole
	}
	news := fmt.Sprint(found) != fmt.Sprint(w.told)
	w.told = found
	if news {
		for _, f := range found {
			if err := w.say("%s", f); err != nil {
				return err
			}
		}
	}
	if unreadable != nil {
		if verdict(found) != nil { // which has told it, with its line
			return nil
		}
		return w.say("error: %v", unreadable)
	}
	changes := packChanges(w.was, c)
	if len(changes) == 0 {
		return nil
	}
	for _, line := range changes {
		if err := w.say("%s", line); err != nil {
			return err
		}
	}
	raw, err := w.send(ctx, c, must(c), w.opt)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return w.say("not uploaded: %v", err)
	}
	w.was = c
	var sum models.ContentSummary
	if err := decode(raw, &sum); err != nil {
		return w.say("uploaded %s, but the answer is odd: %v", c.Meta.Name, err)
	}
	for _, text := range sum.Warnings {
		if err := w.say("warning: %s", text); err != nil {
			return err
		}
	}
	return w.say("uploaded %s %s: %s", c.Meta.Name, c.Meta.Version, counted(c))
}

// stamps tell whether any file below a folder has changed.
func stamps(dir string) string {
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		fmt.Fprintln(&b, path, info.Size(), info.ModTime().UnixNano())
		return nil
	})
	fmt.Fprint(&b, err)
	return b.String()
}

func counted(c *models.Content) string {
	n := 0
	for _, section := range c.Sections {
		n += len(section)
	}
	return plural(n, "object")
}

// packChanges are the differences between two versions of a pack, a line each: + is new, - is gone,
// ~ differs. Of the first version only that it is there.
func packChanges(was, is *models.Content) []string {
	if was == nil {
		return []string{"+ " + is.Meta.Name}
	}
	var lines []string
	if was.Meta != is.Meta {
		lines = append(lines, "~ meta")
	}
	kinds := map[string]bool{}
	for kind := range was.Sections {
		kinds[kind] = true
	}
	for kind := range is.Sections {
		kinds[kind] = true
	}
	for _, kind := range sortedKeys(kinds) {
		keys := map[string]bool{}
		for key := range was.Sections[kind] {
			keys[key] = true
		}
		for key := range is.Sections[kind] {
			keys[key] = true
		}
		for _, key := range sortedKeys(keys) {
			before, had := was.Sections[kind][key]
			now, has := is.Sections[kind][key]
			switch {
			case !had:
				lines = append(lines, "+ "+kind+"/"+key)
			case !has:
				lines = append(lines, "- "+kind+"/"+key)
			case !bytes.Equal(before, now):
				lines = append(lines, "~ "+kind+"/"+key)
			}
		}
	}
	return lines
}
