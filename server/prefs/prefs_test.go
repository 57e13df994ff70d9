package prefs

import (
	"context"
	"log/slog"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/models"
	"drp/server/objects"
	"drp/server/store/sqlite"
)

func service(t *testing.T) (*Service, context.Context) {
	t.Helper()
	engine, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "drp.db"), objects.Advance)
	if err != nil {
		t.Fatal(err)
	}
	unknown := &models.BootEnv{Name: "ignore", OnlyUnknown: true}
	base := []models.Object{unknown, &models.BootEnv{Name: "local"}, &models.Stage{Name: "none"}}
	objs, err := objects.New(engine, base, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := New(objs)
	if err := objs.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		objs.Close()
		engine.Close()
	})
	return s, objects.WithActor(t.Context(), objects.System)
}

// TestEveryDefaultIsAValueThatCanBeSet: but for the secrets, which are made at the first start.
func TestEveryDefaultIsAValueThatCanBeSet(t *testing.T) {
	s, ctx := service(t)
	before := s.All(objects.System)
	for name, value := range before {
		if strings.HasSuffix(name, "Secret") {
			continue
		}
		if err := s.Set(ctx, map[string]string{name: value}); err != nil {
			t.Errorf("%s=%q: %v", name, value, err)
		}
	}
	if after := s.All(objects.System); !maps.Equal(before, after) {
		t.Errorf("got %v, want %v", after, before)
	}
}

func TestValuesAreChecked(t *testing.T) {
	s, ctx := service(t)
	before := s.All(objects.System)
	for _, c := range []struct{ name, value, want string }{
		{"greg", "x", "Unknown Preference greg"},
		{DefaultBootEnv, "illegal", "defaultBootEnv: Bootenv illegal does not exist"},
		{DefaultStage, "nope", "defaultStage: Stage nope does not exist"},
		{DefaultStage, "", "defaultStage: Stage  does not exist"},
		{DefaultWorkflow, "foo", "defaultWorkflow: Workflow foo does not exist"},
		{UnknownBootEnv, "local", "unknownBootEnv: Bootenv local does not have the OnlyUnknown flag"},
		{KnownTokenTimeout, "illegal", `knownTokenTimeout: strconv.Atoi: parsing "illegal": invalid syntax`},
		{UnknownTokenTimeout, "-1", "unknownTokenTimeout: Must not be negative"},
		{BaseTokenSecret, "short", "baseTokenSecret: Must be 32 bytes long"},
		{"manager", "yes", "manager: Must be true or false"},
		{"logLevel", "loud", "logLevel: Invalid level loud"},
	} {
		// Together with a good one: nothing of it is taken.
		err := s.Set(ctx, map[string]string{c.name: c.value, "debugDhcp": "error"})
		if models.ClassOf(err) != models.Invalid || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s=%q: got %v, want %s", c.name, c.value, err, c.want)
		}
	}
	if after := s.All(objects.System); !maps.Equal(before, after) {
		t.Errorf("a refused change left %v, want %v", after, before)
	}
}

func TestLevelsAreStoredByName(t *testing.T) {
	s, ctx := service(t)
	for value, want := range map[string]string{"0": "warn", "1": "info", "2": "debug", "trace": "trace"} {
		if err := s.Set(ctx, map[string]string{"debugRenderer": value, KnownTokenTimeout: "2"}); err != nil {
			t.Fatal(err)
		}
		if got := s.Get("debugRenderer"); got != want {
			t.Errorf("%s: got %s, want %s", value, got, want)
		}
	}
	if got := s.Get(KnownTokenTimeout); got != "2" {
		t.Errorf("a number that is no level became %s", got)
	}
}
