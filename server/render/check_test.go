package render

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"drp/models"
	"drp/server/objects"
)

// TestObjectsWithBrokenTemplatesAreKeptButNotAvailable, over every place that a template stands.
func TestObjectsWithBrokenTemplatesAreKeptButNotAvailable(t *testing.T) {
	s, err := objects.New(memory{}, nil, time.Now, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	Register(s)
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	info := func(contents, path, link string) []models.TemplateInfo {
		return []models.TemplateInfo{{Name: "one", Contents: contents, Path: path, Link: link}}
	}
	const bad = "\n{{nofunction}}"
	for _, c := range []struct {
		o    models.Object
		want string
	}{
		{shared("object", bad), `object: template object, line 2: function "nofunction" not defined`},
		{&models.Task{Name: "task", Templates: info(bad, "", "")}, `task: template one, line 2: function "nofunction" not defined`},
		{&models.Task{Name: "path", Templates: info("x", "/{{if}}", "")}, `path: template one (path), line 1: missing value for if`},
		{&models.Stage{Name: "stage", Templates: info(bad, "/x", "")}, `stage: template one, line 2: function "nofunction" not defined`},
		{&models.Stage{Name: "link", Templates: info("", "/x", "{{")}, `link: template one (link), line 1: unclosed action`},
		{&models.BootEnv{Name: "env", BootParams: "{{end}}"}, `env: template BootParams, line 1: unexpected {{end}}`},
		{&models.BootEnv{Name: "arch", OS: models.OSInfo{SupportedArchitectures: map[string]models.ArchInfo{"arm64": {BootParams: "{{end}}"}}}}, `arch: template BootParams of arm64, line 1: unexpected {{end}}`},
		{&models.Task{Name: "good", Templates: info(`{{template "later" .}}{{.Whatever | upper}}`, "/{{.Machine.Name}}", "")}, ``},
	} {
		t.Run(c.o.Kind()+" "+c.o.Key(), func(t *testing.T) {
			if _, err := s.Do(ctx, false, func(tx *objects.Tx) error { return tx.Create(models.Clone(c.o)) }); err != nil {
				t.Fatal(err)
			}
			e, _ := s.View().Get(c.o.Kind(), c.o.Key())
			b := e.Object.Base()
			if got := strings.Join(b.Errors, "; "); got != c.want || b.Available != (c.want == "") {
				t.Errorf("got %q, available %v; want %q", got, b.Available, c.want)
			}
		})
	}
}
