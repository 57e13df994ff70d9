package files

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/models"
	"drp/server/objects"
	"drp/server/store/sqlite"
)

// world is a store of files and one of objects, with the boot environments that are in it.
type world struct {
	*Trees
	t    *testing.T
	root string
}

func newWorld(t *testing.T, root string) *world {
	t.Helper()
	engine, err := sqlite.Open(t.Context(), filepath.Join(root, "drp.db"), objects.Advance)
	if err != nil {
		t.Fatal(err)
	}
	svc, err := objects.New(engine, nil, time.Now, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(filepath.Join(root, "tftpboot"), nil)
	if err != nil {
		t.Fatal(err)
	}
	trees, err := NewTrees(s, svc, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if err := svc.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { svc.Close(); engine.Close(); s.Close() })
	return &world{trees, t, root}
}

func (w *world) save(list ...*models.BootEnv) {
	w.t.Helper()
	_, err := w.objects.Do(objects.WithActor(w.t.Context(), objects.System), false, func(tx *objects.Tx) error {
		for _, b := range list {
			c := *b
			if _, ok := tx.Get("bootenvs", b.Name); ok {
				if err := tx.Update(&c); err != nil {
					return err
				}
			} else if err := tx.Create(&c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// settle is what the errors of a boot environment are once all is unpacked.
func (w *world) settle(name string) string {
	w.t.Helper()
	if err := w.Settle(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	e, ok := w.objects.View().Get("bootenvs", name)
	if !ok {
		w.t.Fatalf("no %s", name)
	}
	if b := e.Object.Base(); b.Available != (len(b.Errors) == 0) {
		w.t.Errorf("%s is available: %v, with errors %v", name, b.Available, b.Errors)
	}
	return strings.Join(e.Object.Base().Errors, "; ")
}

func (w *world) tree() string {
	return strings.Join(slices.DeleteFunc(everything(w.t, w.store), func(n string) bool {
		return strings.HasPrefix(n, hidden) || strings.HasPrefix(n, Isos+"/")
	}), " ")
}

func env(name, os, iso, sum string, files ...string) *models.BootEnv {
	b := &models.BootEnv{Name: name, OS: models.OSInfo{Name: os, SupportedArchitectures: map[string]models.ArchInfo{"amd64": {IsoFile: iso, Sha256: sum, Initrds: files}}}}
	b.Normalize()
	return b
}

func TestTheIsoOfABootEnvIsCheckedAndUnpacked(t *testing.T) {
	w := newWorld(t, t.TempDir())
	first, second := string(tarOf(t, member{name: "v", text: "1"})), string(tarOf(t, member{name: "v", text: "2"}))
	sum := put(t, w.store, Isos, "probe", first).Sum
	w.save(env("a-install", "a", "a.iso", ""), env("bb", "b/9", "b.iso", strings.ToUpper(sum), "v"), env("cc", "c", "a.iso", "", "v", "gone"),
		env("dd", "../d", "a.iso", ""), env("ee", "files/x", "a.iso", ""), env("ff", "f", "../a", ""), env("gg", "", "a.iso", ""), env("hh", "c", "b.iso", ""))
	for name, want := range map[string]string{
		"a-install": "a-install: ISO a.iso is missing; upload it as isos/a.iso", "bb": "bb: ISO b.iso is missing; upload it as isos/b.iso",
		"dd": `dd: OS.Name "../d" cannot be the folder that the ISO is unpacked to`, "ee": `ee: OS.Name "files/x" cannot be the folder that the ISO is unpacked to`,
		"ff": `ff: IsoFile "../a" cannot be the name of an ISO`, "gg": "gg: bootenv: Missing OS.Name",
		"hh": "hh: its folder c holds the ISO a.iso of the boot environment cc; give it another OS.Name",
	} {
		if got := w.settle(name); got != want {
			t.Errorf("without ISOs, %s: got %q, want %q", name, got, want)
		}
	}
	put(t, w.store, Isos, "a.iso", first)
	put(t, w.store, Isos, "b.iso", second)
	for name, want := range map[string]string{
		"a-install": "", "bb": fmt.Sprintf("bb: ISO b.iso has the SHA-256 %s, and must have %s; upload the right one", put(t, w.store, Isos, "probe", second).Sum, sum),
		"cc": "cc: gone is not in the ISO a.iso",
	} {
		if got := w.settle(name); got != want {
			t.Errorf("with ISOs, %s: got %q, want %q", name, got, want)
		}
	}
	put(t, w.store, Isos, "b.iso", first)
	if got := w.settle("bb"); got != "" {
		t.Errorf("with the right ISO: %q", got)
	}
	if got, want := w.tree(), "a/install/v b/9/v c/v"; got != want {
		t.Errorf("unpacked: %q, want %q", got, want)
	}
	// Another ISO of the name takes the place of the first; one that is removed leaves its tree.
	put(t, w.store, Isos, "a.iso", second)
	w.settle("a-install")
	if raw, err := os.ReadFile(filepath.Join(w.store.dir, "a/install/v")); err != nil || string(raw) != "2" {
		t.Errorf("after another upload: %q %v", raw, err)
	}
	if err := w.store.Delete(Isos, "a.iso"); err != nil {
		t.Fatal(err)
	}
	if got := w.settle("a-install"); got != "" {
		t.Errorf("without the ISO, but with its tree: %q", got)
	}
	put(t, w.store, Isos, "a.iso", "no archive at all")
	if got := w.settle("a-install"); !strings.HasPrefix(got, "a-install: ISO a.iso cannot be unpacked: it is neither zip") {
		t.Errorf("with a broken ISO: %q", got)
	}
}

func TestATreeInsideAnotherOutlivesIt(t *testing.T) {
	w := newWorld(t, t.TempDir())
	put(t, w.store, Isos, "x.iso", string(tarOf(t, member{name: "x", text: "1"})))
	w.save(env("os-install", "os", "x.iso", ""))
	w.settle("os-install")
	put(t, w.store, Isos, "y.iso", string(tarOf(t, member{name: "y", text: "1"})))
	w.save(env("os", "os", "y.iso", ""))
	w.settle("os")
	if got, want := w.tree(), "os/install/x os/y"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	e, _ := w.objects.View().Get("bootenvs", "os")
	if err := w.Purge(e.Object.(*models.BootEnv), []string{"x86_64"}, false); err != nil {
		t.Fatal(err)
	}
	if got, want := w.settle("os"), "os: ISO y.iso is missing; upload it as isos/y.iso"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := w.settle("os-install") + w.tree(); got != "os/install/x" {
		t.Errorf("after the purge of the outer one: %q", got)
	}
}

// TestWhatACrashHasCutOffIsUnpackedAgain: at each step that is seen on the disk.
func TestWhatACrashHasCutOffIsUnpackedAgain(t *testing.T) {
	for name, crash := range map[string]func(*world) error{
		"while it was unpacked": func(w *world) error {
			ctx, cancel := context.WithCancel(w.t.Context())
			cancel()
			if _, err := w.store.unpack(ctx, "isos/x.iso"); err == nil {
				return fmt.Errorf("it was unpacked all the same")
			}
			return os.MkdirAll(filepath.Join(w.store.dir, tmp, "half/x"), 0o755)
		},
		"before the mark": func(w *world) error {
			w.settle("os")
			return os.Remove(filepath.Join(w.store.dir, markFile("os")))
		},
		"in the mark": func(w *world) error {
			w.settle("os")
			return os.WriteFile(filepath.Join(w.store.dir, markFile("os")), []byte(`{"Folder":"os","Iso":"x.is`), 0o600)
		},
		"between the trees": func(w *world) error {
			w.settle("os")
			return os.Rename(filepath.Join(w.store.dir, "os"), filepath.Join(w.store.dir, tmp, "x.old"))
		},
		"after all": func(w *world) error { w.settle("os"); return nil },
	} {
		root := t.TempDir()
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, root)
			put(t, w.store, Isos, "x.iso", string(tarOf(t, member{name: "x", text: "whole"})))
			w.save(env("os", "os", "x.iso", "", "x"))
			if err := crash(w); err != nil {
				t.Fatal(err)
			}
		})
		w := newWorld(t, root)
		if got := w.settle("os") + w.tree(); got != "os/x" {
			t.Errorf("%s: %q", name, got)
		}
		if entries, _ := os.ReadDir(filepath.Join(w.store.dir, tmp)); len(entries) > 0 {
			t.Errorf("%s: left %v", name, entries)
		}
	}
}
