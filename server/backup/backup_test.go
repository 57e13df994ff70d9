package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/models"
	"drp/server/objects"
	"drp/server/store"
	"drp/server/store/sqlite"
)

// crashEnv makes the test binary restore a backup and end without a word before the step it names.
const crashEnv = "DRP_TEST_RESTORE_STEP"

func TestMain(m *testing.M) {
	step, err := strconv.Atoi(os.Getenv(crashEnv))
	if err != nil {
		os.Exit(m.Run())
	}
	f, err := os.Open(os.Args[1])
	if err != nil {
		panic(err)
	}
	r := &restoration{root: os.Args[2], force: true, step: func() {
		if step--; step < 0 {
			os.Exit(7)
		}
	}}
	if _, err := r.run(context.Background(), f); err != nil {
		panic(err)
	}
}

// site is the data of a server at work, without the server around it.
type site struct {
	t      *testing.T
	root   string
	engine *sqlite.Engine
	*objects.Service
}

func open(t *testing.T, root string) *site {
	t.Helper()
	e, err := sqlite.Open(t.Context(), filepath.Join(root, database), objects.Advance)
	if err != nil {
		t.Fatal(err)
	}
	s, err := objects.New(e, nil, time.Now, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return &site{t, root, e, s}
}

func (s *site) close() {
	s.t.Helper()
	s.Service.Close()
	if err := s.engine.Close(); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) do(fn func(*objects.Tx) error) {
	if _, err := s.Do(objects.WithActor(context.Background(), objects.System), false, fn); err != nil {
		s.t.Error(err)
	}
}

func machine(n int) *models.Machine {
	m := &models.Machine{Name: fmt.Sprint("m", n), Uuid: fmt.Sprintf("00000000-0000-4000-8000-%012d", n)}
	m.Secret = "0123456789abcdef"
	return m
}

// describe changes the descriptions of two profiles at once, so that they never differ.
func describe(tx *objects.Tx, text string) error {
	for _, name := range []string{"left", "right"} {
		p := &models.Profile{Name: name, Description: text}
		err := tx.Update(p)
		if models.ClassOf(err) == models.NotFound {
			err = tx.Create(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// fill makes data with all that history can hold: creations, changes, deletions, new creations.
// It makes the revisions 1 to 12.
func fill(t *testing.T, root string) {
	t.Helper()
	s := open(t, root)
	for n := range 4 {
		s.do(func(tx *objects.Tx) error { return tx.Create(machine(n)) }) // 1 to 4
	}
	for n := range 3 {
		s.do(func(tx *objects.Tx) error { return describe(tx, fmt.Sprint("text ", n)) }) // 5 to 7
	}
	key := machine(3).Uuid
	s.do(func(tx *objects.Tx) error { return tx.Delete("machines", key) })              // 8
	s.do(func(tx *objects.Tx) error { return tx.Create(machine(3)) })                   // 9
	s.do(func(tx *objects.Tx) error { return tx.Delete("machines", key) })              // 10
	s.do(func(tx *objects.Tx) error { return describe(tx, "the last text") })           // 11
	s.do(func(tx *objects.Tx) error { return tx.Create(&models.Role{Name: "reader"}) }) // 12
	if rev := s.View().Rev; rev != 12 {
		t.Fatalf("the data is at revision %d, want 12", rev)
	}
	s.close()
	for name, text := range map[string]string{"job-logs/ab/abc.log": "a log\n", "server.key": "a key\n", "tftpboot/boot.img": "an image\n"} {
		name = filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
}

// contents is all that a folder holds, the database record by record.
func contents(t *testing.T, root string) map[string]string {
	t.Helper()
	all := map[string]string{}
	r, err := sqlite.OpenReader(t.Context(), filepath.Join(root, database), objects.Advance)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	err = r.Records(t.Context(), func(c store.Record) error {
		all[c.Kind+"/"+c.ID] = fmt.Sprint(c.Rev, " ", string(c.Raw))
		return nil
	})
	back := r.Back(t.Context(), func(rev uint64, problem string) { t.Error(rev, problem) }, func(c store.Change) error {
		all[fmt.Sprint("history ", c.Rev)] = fmt.Sprintf("%+v", c)
		return nil
	})
	if err := errors.Join(err, back); err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(root, func(p string, d os.DirEntry, err error) error {
		name, _ := filepath.Rel(root, p)
		if err != nil || d.IsDir() && !strings.HasPrefix(name, aside) {
			return err
		}
		if strings.HasPrefix(name, aside) {
			return filepath.SkipDir
		}
		if strings.HasPrefix(name, database) {
			return nil
		}
		b, err := os.ReadFile(p)
		all[name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// made is a backup of filled data, and what it holds.
func made(t *testing.T) (file string, want map[string]string) {
	t.Helper()
	root := t.TempDir()
	fill(t, root)
	file = filepath.Join(t.TempDir(), "backup.tar")
	m, err := ToFile(t.Context(), root, file, Options{Server: "test"})
	if err != nil {
		t.Fatal(err)
	}
	if m.Revision != 12 || len(m.Files) != 4 {
		t.Fatalf("backup: got revision %d and %d files, want 12 and 4", m.Revision, len(m.Files))
	}
	return file, contents(t, root)
}

func restore(t *testing.T, file, root string, force bool) (string, error) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, old, err := Restore(t.Context(), f, root, force, nil)
	return old, err
}

func TestRestoreBringsBackAll(t *testing.T) {
	file, want := made(t)
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the backup has mode %v and %v, want 0600", st.Mode(), err)
	}
	root := filepath.Join(t.TempDir(), "new", "root")
	if old, err := restore(t, file, root, false); err != nil || old != "" {
		t.Fatalf("restore: got %q and %v", old, err)
	}
	if got := contents(t, root); !reflect.DeepEqual(got, want) {
		t.Errorf("restored: got %v, want %v", got, want)
	}
	s := open(t, root) // and it goes on from there
	s.do(func(tx *objects.Tx) error { return tx.Create(machine(9)) })
	s.close()
	clean(t, root)

	// A folder with data is left alone without force, and put aside with it.
	later := contents(t, root)
	if _, err := restore(t, file, root, false); err == nil || !strings.Contains(err.Error(), "--force") {
		t.Errorf("restore over data: got %v, want an error that names --force", err)
	}
	old, err := restore(t, file, root, true)
	if err != nil {
		t.Fatal(err)
	}
	if got := contents(t, root); !reflect.DeepEqual(got, want) {
		t.Errorf("restored with force: got %v, want %v", got, want)
	}
	if got := contents(t, old); !reflect.DeepEqual(got, later) {
		t.Errorf("put aside: got %v, want %v", got, later)
	}
}

// clean checks that the data of a folder has no problems.
func clean(t *testing.T, root string) {
	t.Helper()
	report, err := CheckRoot(t.Context(), root, nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Problems) > 0 {
		t.Error(report.Problems)
	}
}

// TestBackupUnderLoadIsOneRevision copies while several write, and compares each copy with what
// the server held at its revision.
func TestBackupUnderLoadIsOneRevision(t *testing.T) {
	root := t.TempDir()
	s := open(t, root)
	var mu sync.Mutex
	states := map[uint64]map[string]string{0: {}}
	s.Follow(func(c *objects.Commit) {
		mu.Lock()
		defer mu.Unlock()
		now := maps.Clone(states[c.Rev-1])
		for _, w := range c.Changes {
			if delete(now, w.Kind+"/"+w.Key); w.New != nil {
				now[w.Kind+"/"+w.Key] = string(w.New.Raw)
			}
		}
		states[c.Rev] = now
	})
	stop := make(chan struct{})
	var busy sync.WaitGroup
	s.do(func(tx *objects.Tx) error { return describe(tx, "first") })
	for n := range 3 {
		busy.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				s.do(func(tx *objects.Tx) error { return describe(tx, fmt.Sprint(n, i)) })
				s.do(func(tx *objects.Tx) error { return tx.Create(&models.Profile{Name: fmt.Sprint("p", n, "-", i)}) })
			}
		})
	}
	type copied struct {
		file   string
		m      *Manifest
		before uint64
	}
	var copies []copied
	for i := range 5 {
		file, before := filepath.Join(t.TempDir(), fmt.Sprint(i)), s.View().Rev
		m, err := ToFile(t.Context(), root, file, Options{})
		if err != nil {
			t.Error(err)
			break
		}
		copies = append(copies, copied{file, m, before})
		clean(t, root) // a check of data in use finds nothing either
	}
	close(stop)
	busy.Wait()
	newest := s.View().Rev
	s.close()
	for _, c := range copies {
		if c.m.Revision < c.before || c.m.Revision > newest {
			t.Errorf("backup: got revision %d, want one from %d to %d", c.m.Revision, c.before, newest)
		}
		dir := t.TempDir()
		if _, err := restore(t, c.file, dir, false); err != nil {
			t.Fatal(err)
		}
		back := open(t, dir)
		got := map[string]string{}
		for e := range back.View().All("profiles") {
			got["profiles/"+e.Object.Key()] = string(e.Raw)
		}
		if back.View().Rev != c.m.Revision || !reflect.DeepEqual(got, states[c.m.Revision]) {
			t.Errorf("restored: got revision %d with %d objects, want %d with %d", back.View().Rev, len(got), c.m.Revision, len(states[c.m.Revision]))
		}
		back.close()
	}
}

// TestDataOfAKilledServerIsWhole: what kill -9 leaves, with all of it in the log and no record up to
// date, is checked and copied as it is, and not changed by that.
func TestDataOfAKilledServerIsWhole(t *testing.T) {
	root, killed := t.TempDir(), t.TempDir()
	s := open(t, root)
	for n := range 9 {
		s.do(func(tx *objects.Tx) error { return describe(tx, fmt.Sprint("text ", n)) })
	}
	s.do(func(tx *objects.Tx) error { return tx.Create(machine(1)) })
	s.do(func(tx *objects.Tx) error { return tx.Delete("profiles", "right") })
	for _, name := range []string{database, database + "-wal"} {
		b, err := os.ReadFile(filepath.Join(root, name))
		if err = errors.Join(err, os.WriteFile(filepath.Join(killed, name), b, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	s.close()
	hold := func() string {
		var all string
		for _, name := range []string{database, database + "-wal"} {
			b, err := os.ReadFile(filepath.Join(killed, name))
			if err != nil {
				t.Fatal(err)
			}
			all += fmt.Sprintf("%x", sha256.Sum256(b))
		}
		return all
	}
	before := hold()
	clean(t, killed)
	file, into := filepath.Join(t.TempDir(), "b"), t.TempDir()
	if _, err := ToFile(t.Context(), killed, file, Options{}); err != nil {
		t.Fatal(err)
	}
	if hold() != before {
		t.Error("check or backup have changed the data")
	}
	if _, err := restore(t, file, into, false); err != nil {
		t.Fatal(err)
	}
	if got, want := contents(t, into), contents(t, root); !reflect.DeepEqual(got, want) {
		t.Errorf("restored: got %v, want %v", got, want)
	}
	// History that a late record needs is missed too.
	damage(t, killed, `DELETE FROM history WHERE rev = 4`)
	if report, err := CheckRoot(t.Context(), killed, nil); err != nil || len(report.Problems) == 0 {
		t.Errorf("a revision lost before it reached the records: got %v and %v, want a problem", report, err)
	}
}

func TestDataOfANewerServerIsRefused(t *testing.T) {
	root := t.TempDir()
	fill(t, root)
	damage(t, root, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99999, 1)`)
	if _, err := CheckRoot(t.Context(), root, nil); err == nil || !strings.Contains(err.Error(), "newer drp") {
		t.Errorf("got %v, want that a newer drp has changed it", err)
	}
}

// damage changes a database behind everybody's back.
func damage(t *testing.T, root string, stmts ...string) {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(root, database))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, stmt := range stmts {
		done, err := db.Exec(stmt)
		if err != nil {
			t.Fatalf("%s: %v", stmt, err)
		}
		if n, err := done.RowsAffected(); err == nil && n == 0 && !strings.HasPrefix(stmt, "PRAGMA") {
			t.Fatalf("%s: changed nothing", stmt)
		}
	}
}

// TestCheckFindsEachKindOfDamage plants damages, each into its own copy of sound data. Each is found
// by its name, and none is told twice.
func TestCheckFindsEachKindOfDamage(t *testing.T) {
	sound := t.TempDir()
	fill(t, sound)
	clean(t, sound)
	m0, m1 := "machines/"+machine(0).Uuid, "machines/"+machine(1).Uuid
	of := func(m string) string {
		return " WHERE kind = 'machines' AND id = '" + strings.TrimPrefix(m, "machines/") + "'"
	}
	for name, c := range map[string]struct {
		stmts []string
		want  []string // the problems; each line holds its want
	}{
		"a text of an object changed": {[]string{`UPDATE records SET raw = CAST(replace(CAST(raw AS TEXT), '"m0"', '"mX"') AS BLOB)` + of(m0)},
			[]string{"history of revision 1: " + m0 + " cannot be taken back"}},
		"a byte of an object flipped": {[]string{`UPDATE records SET raw = CAST('[' || substr(CAST(raw AS TEXT), 2) AS BLOB)` + of(m0)},
			[]string{m0 + ": cannot be decoded", "history of revision 1: " + m0 + " cannot be taken back"}},
		"not canonical": {[]string{`UPDATE records SET raw = CAST(' ' || CAST(raw AS TEXT) AS BLOB)` + of(m0)},
			[]string{m0 + ": is not in its canonical form"}},
		"not valid": {[]string{`UPDATE records SET raw = CAST(replace(CAST(raw AS TEXT), '"m0"', '"m/0"') AS BLOB)` + of(m0)},
			[]string{m0 + ": is not valid", "history of revision 1"}},
		"the wrong key": {[]string{`UPDATE records SET id = 'other'` + of(m0)},
			[]string{`machines/other: holds the object "` + machine(0).Uuid, "history of revision 1: " + m0 + " was written, yet it is not there", "machines/other: was written by revision 1, whose history does not say so"}},
		"an unknown kind": {[]string{`UPDATE records SET kind = 'engines'` + of(m0)},
			[]string{"engines/" + machine(0).Uuid + ": is of an unknown kind", "history of revision 1: " + m0 + " was written, yet", "engines/" + machine(0).Uuid + ": was written by revision 1"}},
		"the wrong kind": {[]string{`UPDATE records SET kind = 'profiles'` + of(m0)},
			[]string{"profiles/" + machine(0).Uuid + `: holds the object "m0"`, "profiles/" + machine(0).Uuid + ": is not in its canonical form",
				"history of revision 1: " + m0 + " was written, yet", "profiles/" + machine(0).Uuid + ": was written by revision 1"}},
		"a name twice": {[]string{`UPDATE records SET raw = CAST(replace(CAST(raw AS TEXT), '"m1"', '"m0"') AS BLOB)` + of(m1)},
			[]string{m1 + `: has the Name "m0", which is that of ` + m0, "history of revision 2: " + m1}},
		"an object lost": {[]string{`DELETE FROM records` + of(m0)},
			[]string{"history of revision 1: " + m0 + " was written, yet it is not there"}},
		"an object without history": {[]string{`INSERT INTO records (kind, id, rev, raw) SELECT 'roles', 'writer', 5, CAST(replace(CAST(raw AS TEXT), '"reader"', '"writer"') AS BLOB) FROM records WHERE id = 'reader'`},
			[]string{"roles/writer: was written by revision 5, whose history does not say so"}},
		"a revision from the future": {[]string{`UPDATE records SET rev = 99` + of(m0)},
			[]string{m0 + ": is at revision 99, the store at 12", "history of revision 1: " + m0 + " was written, yet it is at revision 99"}},
		"the wrong revision": {[]string{`UPDATE records SET rev = 3` + of(m0)},
			[]string{"history of revision 1: " + m0 + " was written, yet it is at revision 3"}},
		"a revision lost":        {[]string{`DELETE FROM history WHERE rev = 6`}, []string{"history of revision 6: is missing"}},
		"the first lost":         {[]string{`DELETE FROM history WHERE rev = 1`}, []string{"history of revision 1: is missing"}},
		"several lost":           {[]string{`DELETE FROM history WHERE rev IN (3, 8, 9)`}, []string{"history of revision 9: is missing", "history of revision 8: is missing", "history of revision 3: is missing"}},
		"a write of many lost":   {[]string{`DELETE FROM history WHERE rev = 6 AND n = 0`}, []string{"history of revision 6: has lost a write"}},
		"the newest lost":        {[]string{`DELETE FROM history WHERE rev = 12`}, []string{"roles/reader: is at revision 12, the store at 11"}},
		"a patch is no patch":    {[]string{`UPDATE history SET patch = CAST('nonsense' AS BLOB) WHERE rev = 2`}, []string{"history of revision 2: " + m1 + " cannot be taken back"}},
		"a patch is gone":        {[]string{`UPDATE history SET patch = NULL WHERE rev = 2`}, []string{"history of revision 2: " + m1 + " cannot be taken back"}},
		"a patch does not apply": {[]string{`UPDATE history SET patch = CAST(replace(CAST(patch AS TEXT), 'text 1', 'text 7') AS BLOB) WHERE rev = 6 AND n = 0`}, []string{"history of revision 6: profiles/left cannot be taken back"}},
		"the wrong object before": {[]string{`UPDATE history SET prev = 4 WHERE rev = 7 AND n = 0`},
			[]string{"history of revision 6: profiles/left was written, yet it is at revision 4"}},
		"prev of a creation":   {[]string{`UPDATE history SET prev = 1 WHERE rev = 2`}, []string{"history of revision 2: " + m1 + " does not agree with its patch"}},
		"prev from the future": {[]string{`UPDATE history SET prev = 10 WHERE rev = 7 AND n = 0`}, []string{"history of revision 7: profiles/left is said to be at revision 10"}},
		"an unknown action":    {[]string{`UPDATE history SET action = 'bend' WHERE rev = 2`}, []string{`history of revision 2: ` + m1 + ` has the unknown action "bend"`}},
		"the wrong action":     {[]string{`UPDATE history SET action = 'create' WHERE rev = 6 AND n = 1`}, []string{"history of revision 6: profiles/right does not agree"}},
		"a deletion undone": {[]string{`UPDATE history SET action = 'update' WHERE rev = 10`},
			[]string{"history of revision 10: machines/" + machine(3).Uuid + " was written, yet it is not there"}},
		"no time": {[]string{`UPDATE history SET time = 'noon' WHERE rev = 2`}, []string{"history of revision 2: has a time that cannot be read: noon"}},
	} {
		t.Run(name, func(t *testing.T) {
			root := t.TempDir()
			if err := os.CopyFS(root, os.DirFS(sound)); err != nil {
				t.Fatal(err)
			}
			damage(t, root, c.stmts...)
			report, err := CheckRoot(t.Context(), root, nil)
			if err != nil {
				t.Fatal(err)
			}
			match := len(report.Problems) == len(c.want)
			for i, w := range c.want {
				match = match && strings.Contains(report.Problems[i], w)
			}
			if !match {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(report.Problems, "\n  "), strings.Join(c.want, "\n  "))
			}
			// Such data can be copied, and the copy says what it is; but it is not restored.
			file := filepath.Join(t.TempDir(), "backup")
			var found Problems
			if m, err := ToFile(t.Context(), root, file, Options{}); !errors.As(err, &found) || m == nil || len(found) != len(c.want) {
				t.Errorf("backup: got %v, want the %d problems", err, len(c.want))
			}
			into := t.TempDir()
			if _, err := restore(t, file, into, false); !errors.As(err, &found) {
				t.Errorf("restore: got %v, want the problems", err)
			}
			if left, err := os.ReadDir(into); err != nil || len(left) != 1 { // the lock
				t.Errorf("a refused restore leaves %v, %v", left, err)
			}
		})
	}
}

// TestCheckAfterCompactionFindsNothing: history that is not kept is not missing.
func TestCheckAfterCompactionFindsNothing(t *testing.T) {
	for _, rev := range []uint64{1, 6, 8, 11, 12} {
		root := t.TempDir()
		fill(t, root)
		s := open(t, root)
		if err := s.engine.Compact(t.Context(), rev); err != nil {
			t.Fatal(err)
		}
		s.close()
		clean(t, root)
	}
}

// TestDamagedPagesAreFound overwrites parts of the file itself.
func TestDamagedPagesAreFound(t *testing.T) {
	sound := t.TempDir()
	fill(t, sound)
	raw, err := os.ReadFile(filepath.Join(sound, database))
	if err != nil {
		t.Fatal(err)
	}
	for page := 1; page < len(raw)/4096; page++ {
		root := t.TempDir()
		spoiled := bytes.Clone(raw)
		copy(spoiled[page*4096:], bytes.Repeat([]byte{0xA5}, 4096))
		if err := os.WriteFile(filepath.Join(root, database), spoiled, 0o600); err != nil {
			t.Fatal(err)
		}
		if report, err := CheckRoot(t.Context(), root, nil); err == nil && len(report.Problems) == 0 {
			t.Errorf("page %d of %d is lost and nothing is found", page, len(raw)/4096)
		}
	}
}

func seeded(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if s := os.Getenv("DRP_TEST_SEED"); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("DRP_TEST_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// TestSpoiledBackupIsRefusedOrTheSame flips bytes of a backup and cuts it short, anywhere: either
// that is found and nothing is restored, or it had no meaning and all is there.
func TestSpoiledBackupIsRefusedOrTheSame(t *testing.T) {
	file, want := made(t)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	random, refused := seeded(t), 0
	for i := range 60 {
		spoiled := bytes.Clone(whole)
		at := random.IntN(len(whole))
		if i%2 == 0 {
			spoiled = spoiled[:at]
		} else {
			spoiled[at] ^= byte(1 + random.IntN(255))
		}
		bad, root := filepath.Join(t.TempDir(), "bad"), t.TempDir()
		if err := os.WriteFile(bad, spoiled, 0o600); err != nil {
			t.Fatal(err)
		}
		report, cerr := CheckFile(t.Context(), bad, nil)
		found := cerr != nil || len(report.Problems) > 0
		_, err := restore(t, bad, root, false)
		if found != (err != nil) {
			t.Errorf("byte %d: check found %v, %v; restore says %v", at, cerr, report, err)
		}
		if err == nil {
			if got := contents(t, root); !reflect.DeepEqual(got, want) {
				t.Errorf("byte %d of %d: the backup is spoiled, and was restored to something else", at, len(whole))
			}
			continue
		}
		refused++
		if left, err := os.ReadDir(root); err != nil || len(left) != 1 {
			t.Errorf("a refused restore leaves %v, %v", left, err)
		}
	}
	if refused < 20 {
		t.Errorf("only %d of 60 spoiled backups were refused", refused)
	}
}

// TestInterruptedRestoreIsNeverTakenForAWhole ends a restore before each of its steps. Either all
// is as it was, or all is restored, or no server starts; and the restore can be repeated.
func TestInterruptedRestoreIsNeverTakenForAWhole(t *testing.T) {
	file, want := made(t)
	sound := t.TempDir()
	s := open(t, sound)
	s.do(func(tx *objects.Tx) error { return describe(tx, "other data") })
	s.close()
	if err := os.WriteFile(filepath.Join(sound, "server.key"), []byte("other key"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := contents(t, sound)
	for name, full := range map[string]bool{"empty folder": false, "folder with data": true} {
		t.Run(name, func(t *testing.T) {
			refused := 0
			for step := 0; ; step++ {
				root := t.TempDir()
				if full {
					if err := os.CopyFS(root, os.DirFS(sound)); err != nil {
						t.Fatal(err)
					}
				}
				cmd := exec.Command(os.Args[0], file, root)
				cmd.Env = append(os.Environ(), crashEnv+"="+strconv.Itoa(step))
				out, err := cmd.CombinedOutput()
				if err != nil && cmd.ProcessState.ExitCode() != 7 {
					t.Fatalf("step %d: %v %s", step, err, out)
				}
				done := err == nil
				switch {
				case Finished(root) != nil:
					refused++
					for what, err := range map[string]error{"check": second(CheckRoot(t.Context(), root, nil)), "backup": second(Write(t.Context(), root, io.Discard, t.TempDir(), Options{}))} {
						if err == nil {
							t.Errorf("step %d: %s takes a half restore", step, what)
						}
					}
				case done:
					if got := contents(t, root); !reflect.DeepEqual(got, want) {
						t.Errorf("restored: got %v, want %v", got, want)
					}
				case full:
					if got := contents(t, root); !reflect.DeepEqual(got, other) && !reflect.DeepEqual(got, want) {
						t.Errorf("step %d leaves %v", step, got)
					}
				default:
					if _, err := os.Stat(filepath.Join(root, database)); err == nil && !reflect.DeepEqual(contents(t, root), want) {
						t.Errorf("step %d leaves a database", step)
					}
				}
				if _, err := restore(t, file, root, true); err != nil {
					t.Fatalf("step %d: restore again: %v", step, err)
				}
				if got := contents(t, root); !reflect.DeepEqual(got, want) {
					t.Errorf("step %d, restored again: got %v, want %v", step, got, want)
				}
				if done {
					break
				}
			}
			if refused < 5 {
				t.Errorf("only %d steps left a restore unfinished", refused)
			}
		})
	}
}

func second[T any](_ T, err error) error { return err }

func TestWhatCannotBeDoneIsRefused(t *testing.T) {
	file, _ := made(t)
	root := t.TempDir()
	fill(t, root)
	for name, to := range map[string]string{"within the data": filepath.Join(root, "backup"), "a file that is there": file} {
		if _, err := ToFile(t.Context(), root, to, Options{}); err == nil {
			t.Errorf("backup to %s succeeds", name)
		}
	}
	if _, err := ToFile(t.Context(), t.TempDir(), filepath.Join(t.TempDir(), "b"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("backup of nothing: got %v, want %v", err, os.ErrNotExist)
	}
	s := open(t, root)
	defer s.close()
	if _, err := restore(t, file, root, true); !errors.Is(err, store.ErrLocked) {
		t.Errorf("restore under a running server: got %v, want %v", err, store.ErrLocked)
	}
	if err := Finished(root); err != nil {
		t.Errorf("after a refused restore: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	dir := t.TempDir()
	if _, err := ToFile(ended, root, filepath.Join(dir, "b"), Options{}); err == nil {
		t.Error("a backup that was given up succeeds")
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("a backup that was given up leaves %v, %v", left, err)
	}
}

func TestFilesCanBeLeftOut(t *testing.T) {
	root, into := t.TempDir(), t.TempDir()
	fill(t, root)
	file := filepath.Join(t.TempDir(), "b")
	if _, err := ToFile(t.Context(), root, file, Options{Without: []string{"tftpboot"}}); err != nil {
		t.Fatal(err)
	}
	if _, err := restore(t, file, into, false); err != nil {
		t.Fatal(err)
	}
	want := contents(t, root)
	delete(want, "tftpboot/boot.img")
	if got := contents(t, into); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
