package files

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/iotest"

	"drp/models"
)

func open(t testing.TB) *Store {
	t.Helper()
	s, err := Open(filepath.Join(t.TempDir(), "tftpboot"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func put(t testing.TB, s *Store, area, name, text string) Info {
	t.Helper()
	info, err := s.Put(t.Context(), area, name, strings.NewReader(text), false)
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func list(t testing.TB, s *Store, area, dir string, all bool) string {
	t.Helper()
	names, err := s.List(area, dir, all)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, " ")
}

func read(t testing.TB, s *Store, area, name string) string {
	t.Helper()
	f, err := s.Open(t.Context(), area, name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	raw, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// everything is all that lies in the tree, what is on its way included, but for checksums.
func everything(t testing.TB, s *Store) []string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(s.dir), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && !strings.HasPrefix(name, sums) {
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestWhatIsUploadedIsListedReadAndRemoved(t *testing.T) {
	s := open(t)
	if got, want := put(t, s, Files, "/foo/bar", "eighteen characters"[:18]), (Info{Path: "/foo/bar", Size: 18}); got.Path != want.Path || got.Size != want.Size {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if got := put(t, s, Isos, "foo", "x"); got.Path != "foo" {
		t.Errorf("the path of an ISO is %q", got.Path)
	}
	put(t, s, Files, "foo/deep/er", "1")
	put(t, s, Files, "a", "2")
	for _, want := range []struct {
		area, dir string
		all       bool
		names     string
	}{
		{Files, "", false, "a foo/"}, {Files, "foo", false, "bar deep/"}, {Files, "/foo/", true, "bar deep/er"},
		{Files, "", true, "a foo/bar foo/deep/er"}, {Isos, "", false, "foo"},
	} {
		if got := list(t, s, want.area, want.dir, want.all); got != want.names {
			t.Errorf("%+v: got %q", want, got)
		}
	}
	put(t, s, Files, "a", "again")
	if got := read(t, s, Files, "a"); got != "again" {
		t.Errorf("an upload in place of another one: got %q", got)
	}
	for _, name := range []string{"foo", "none", "", ".", "../isos/foo"} {
		if err := s.Delete(Files, name); models.ClassOf(err) != models.NotFound {
			t.Errorf("removing %q: %v", name, err)
		}
	}
	for _, name := range []string{"foo/deep/er", "foo/deep", "foo/bar", "foo", "a"} {
		if err := s.Delete(Files, name); err != nil {
			t.Errorf("removing %q: %v", name, err)
		}
	}
	if got := list(t, s, Files, "", false); got != "" {
		t.Errorf("left: %q", got)
	}
}

func TestAFileInTheWayOfAFolderIsAConflict(t *testing.T) {
	s := open(t)
	put(t, s, Files, "foo", "x")
	_, err := s.Put(t.Context(), Files, "foo/bar", iotest.ErrReader(errors.New("nothing is to be read")), false)
	if want := "files/foo/bar: Failed to ensure final directory for bar exists"; models.ClassOf(err) != models.Conflict || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	put(t, s, Files, "dir/x", "x")
	if _, err := s.Put(t.Context(), Files, "dir", strings.NewReader(""), false); models.ClassOf(err) != models.Conflict {
		t.Errorf("a file in place of a folder: %v", err)
	}
}

// odd are names that lead elsewhere, or are none.
var odd = []string{
	"", "/", ".", "..", "../x", "a/../../x", "a/..", "a/./b", "a//b", "./a", "a/../../isos/x", "/../../etc/passwd", "a\x00b", "a\nb", "\x7f",
	`a\b`, `..\x`, strings.Repeat("n", 256), strings.Repeat("a/", 2500) + "b", "\xff\xfe", "a/",
}

func TestOddNamesAreRefusedByEveryVerb(t *testing.T) {
	s := open(t)
	put(t, s, Isos, "x", "secret")
	for _, area := range []string{Files, Isos} {
		for _, name := range odd {
			if _, err := s.Put(t.Context(), area, name, strings.NewReader("x"), false); models.ClassOf(err) != models.BadRequest {
				t.Errorf("put %q: %v", name, err)
			}
			if strings.Trim(name, "/") == "a" {
				continue
			}
			if f, err := s.Open(t.Context(), area, name); models.ClassOf(err) != models.NotFound {
				t.Errorf("open %q: %v %v", name, f, err)
			}
			if err := s.Delete(area, name); models.ClassOf(err) != models.NotFound {
				t.Errorf("delete %q: %v", name, err)
			}
			if _, err := s.Served(area + "/" + name); err == nil {
				t.Errorf("served %q", name)
			}
			if strings.Trim(name, "/") == "" {
				continue
			}
			if names, err := s.List(area, name, false); models.ClassOf(err) != models.NotFound {
				t.Errorf("list %q: %v %v", name, names, err)
			}
		}
	}
	if got := everything(t, s); !slices.Equal(got, []string{"isos/x"}) {
		t.Errorf("there is %q", got)
	}
}

// FuzzNames: whatever the name, nothing outside of the area is read or written.
func FuzzNames(f *testing.F) {
	for _, name := range odd {
		f.Add(name)
	}
	f.Add("ok/link/x")
	f.Add("up/secret")
	s := open(f)
	outside := filepath.Join(filepath.Dir(s.dir), "secret")
	for _, err := range []error{
		os.WriteFile(outside, []byte("secret"), 0o600), os.MkdirAll(filepath.Join(s.dir, "files/ok"), 0o755),
		os.Symlink("../../..", filepath.Join(s.dir, "files/ok/link")), os.Symlink("../..", filepath.Join(s.dir, "files/up")),
		os.Symlink("../isos", filepath.Join(s.dir, "files/isos")),
	} {
		if err != nil {
			f.Fatal(err)
		}
	}
	put(f, s, Isos, "secret", "secret")
	f.Fuzz(func(t *testing.T, name string) {
		for _, open := range []func() (*File, error){
			func() (*File, error) { return s.Open(t.Context(), Files, name) },
			func() (*File, error) { return s.Served("files/" + name) },
		} {
			file, err := open()
			if err != nil {
				continue
			}
			raw, _ := io.ReadAll(file)
			file.Close()
			if string(raw) == "secret" {
				t.Fatalf("%q leads outside", name)
			}
		}
		if _, err := s.Put(t.Context(), Files, name, strings.NewReader("new"), false); err == nil {
			if got := read(t, s, Files, name); got != "new" {
				t.Fatalf("%q: got %q", name, got)
			}
			if err := s.Delete(Files, name); err != nil {
				t.Fatal(err)
			}
		}
		if raw, err := os.ReadFile(outside); err != nil || string(raw) != "secret" || read(t, s, Isos, "secret") != "secret" {
			t.Fatalf("%q has written outside", name)
		}
	})
}

func TestNothingIsWrittenThroughALink(t *testing.T) {
	s := open(t)
	if err := os.Symlink("../isos", filepath.Join(s.dir, "files/link")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link/x", "link"} {
		if _, err := s.Put(t.Context(), Files, name, strings.NewReader("x"), false); models.ClassOf(err) != models.Conflict {
			t.Errorf("%s: %v", name, err)
		}
	}
	put(t, s, Isos, "x", "x")
	if _, err := s.Open(t.Context(), Files, "link/x"); models.ClassOf(err) != models.NotFound {
		t.Errorf("a link out of the area is followed: %v", err)
	}
}

func TestAnUploadThatIsCutOffLeavesNothing(t *testing.T) {
	s := open(t)
	put(t, s, Files, "a", "old")
	before := everything(t, s)
	broken := errors.New("broken")
	if _, err := s.Put(t.Context(), Files, "a", io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken)), false); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Put(ctx, Files, "b/c", strings.NewReader("x"), false); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if got := everything(t, s); !slices.Equal(got, before) || read(t, s, Files, "a") != "old" {
		t.Errorf("left: %q", got)
	}
	// What a killed process has left goes at the next start.
	if err := os.WriteFile(filepath.Join(s.dir, tmp, "half"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := Open(s.dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if got := everything(t, s); !slices.Equal(got, before) {
		t.Errorf("after a restart: %q", got)
	}
}

func TestAFullDiskIsFull(t *testing.T) {
	s := open(t)
	s.limits.Reserve = 1 << 62
	total := s.limits
	defer func() { s.limits = total }()
	// A twentieth of the disk may be free all the same; then this proves nothing.
	if err := s.room(); err == nil {
		t.Skip("the disk has more room than is ever kept free")
	}
	if _, err := s.Put(t.Context(), Files, "a", strings.NewReader("x"), false); models.ClassOf(err) != models.Full {
		t.Errorf("got %v", err)
	}
}

func TestRacingUploadsDownloadsAndRemovalsShowWholeFiles(t *testing.T) {
	s := open(t)
	text := func(i int) string { return strings.Repeat(fmt.Sprint(i), 100_000) }
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			for range 5 {
				if _, err := s.Put(t.Context(), Files, "d/a", strings.NewReader(text(i)), false); err != nil {
					t.Error(err)
				}
			}
		})
		all.Go(func() {
			for range 5 {
				s.Delete(Files, "d/a")
				s.Delete(Files, "d")
			}
		})
		all.Go(func() {
			for range 10 {
				f, err := s.Open(t.Context(), Files, "d/a")
				if err != nil {
					continue
				}
				raw, err := io.ReadAll(f)
				f.Close()
				if err != nil || len(raw) != 100_000 || strings.Trim(string(raw), string(raw[:1])) != "" {
					t.Errorf("a file in parts: %d bytes, %v", len(raw), err)
				}
			}
		})
	}
	all.Wait()
	if got := everything(t, s); len(got) > 1 {
		t.Errorf("left: %q", got)
	}
}

func TestAChecksumIsTakenOnceAndIsThatOfTheFile(t *testing.T) {
	s := open(t)
	const foo = "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae"
	if got := put(t, s, Files, "a", "foo").Sum; got != foo {
		t.Errorf("got %s", got)
	}
	// The one that is kept is used, also by the next process, as long as the file stays.
	at := filepath.Join(s.dir, sumFile("files/a"))
	raw, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(at, bytes.Replace(raw, []byte(foo), []byte("kept"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	reopened := func() string {
		t.Helper()
		next, err := Open(s.dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer next.Close()
		f, err := next.Open(t.Context(), Files, "a")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		return f.Sum
	}
	if got := reopened(); got != "kept" {
		t.Errorf("a file that stays: got %s", got)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "files/a"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := reopened(); got != "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881" {
		t.Errorf("a file that was written to: got %s", got)
	}
}

func TestLentFilesAreShownUntilAnUploadHidesThem(t *testing.T) {
	at := filepath.Join(t.TempDir(), "drp")
	if err := os.WriteFile(at, []byte("program"), 0o755); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.TempDir(), map[string]string{"jq": at, "gone": at + "x"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if got := list(t, s, Files, "", false); got != "jq" {
		t.Errorf("listed %q", got)
	}
	if got := read(t, s, Files, "jq"); got != "program" {
		t.Errorf("got %q", got)
	}
	if err := s.Delete(Files, "jq"); models.ClassOf(err) != models.NotFound {
		t.Errorf("removed: %v", err)
	}
	put(t, s, Files, "jq", "mine")
	if got := read(t, s, Files, "jq"); got != "mine" || list(t, s, Files, "", true) != "jq" {
		t.Errorf("got %q", got)
	}
}

// member is something in an archive.
type member struct {
	name, text string
	kind       byte // of tar; 0: a file
}

func tarOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Mode: 0o755, Typeflag: m.kind}
		switch m.kind {
		case 0:
			h.Typeflag, h.Size = tar.TypeReg, int64(len(m.text))
		case tar.TypeSymlink, tar.TypeLink:
			h.Linkname = m.text
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if m.kind == 0 {
			io.WriteString(w, m.text)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate}
		h.SetMode(0o644)
		if m.kind == tar.TypeSymlink {
			h.SetMode(0o777 | fs.ModeSymlink)
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(f, m.text)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func gzipOf(t testing.TB, raw []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	w.Write(raw)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func explode(t testing.TB, s *Store, name string, archive []byte) error {
	t.Helper()
	_, err := s.Put(t.Context(), Files, name, bytes.NewReader(archive), true)
	return err
}

func TestArchivesUnfoldBesideThemselves(t *testing.T) {
	members := []member{{name: "top", text: "1"}, {name: "sub/deep/er", text: "2"}}
	linked := append(members, member{"sub/again", "deep/er", tar.TypeSymlink}, member{"sub/up", "../top", tar.TypeSymlink}, member{"dir/", "", tar.TypeDir}, member{"sub/same", "top", tar.TypeLink})
	for name, c := range map[string]struct {
		archive []byte
		want    string
	}{
		"zip":     {zipOf(t, members...), "sub/deep/er top x/a"},
		"tar":     {tarOf(t, linked...), "sub/again sub/deep/er sub/same sub/up top x/a"},
		"tar.gz":  {gzipOf(t, tarOf(t, linked...)), "sub/again sub/deep/er sub/same sub/up top x/a"},
		"tar.xz":  {testdata(t, "tar.xz"), "sub/deep/er top x/a"},
		"tar.zst": {testdata(t, "tar.zst"), "sub/deep/er top x/a"},
		"tar.bz2": {testdata(t, "tar.bz2"), "sub/deep/er top x/a"},
	} {
		s := open(t)
		put(t, s, Files, "in/x/a", "stays")
		put(t, s, Files, "in/top", "is replaced")
		if err := explode(t, s, "in/the."+name, c.archive); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := list(t, s, Files, "in", true); strings.Replace(got, "the."+name+" ", "", 1) != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
		if got := read(t, s, Files, "in/top") + read(t, s, Files, "in/sub/deep/er"); got != "12" {
			t.Errorf("%s: got %q", name, got)
		}
	}
}

func testdata(t testing.TB, name string) []byte {
	raw, err := os.ReadFile("testdata/archive." + name)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestHostileArchivesLeaveNothing: an archive that reaches outside, contradicts itself, is broken
// or is too large is refused as a whole, and so is its upload.
func TestHostileArchivesLeaveNothing(t *testing.T) {
	good := member{name: "good", text: "x"}
	many := make([]member, 60)
	for i := range many {
		many[i] = member{name: fmt.Sprint("n", i)}
	}
	folders := []member{good, {name: strings.Repeat("a/", 30) + "f"}, {name: strings.Repeat("b/", 30) + "f"}}
	whole := gzipOf(t, tarOf(t, good, member{name: "big", text: strings.Repeat("x", 4000)}))
	for name, archive := range map[string][]byte{
		"up":                 tarOf(t, good, member{name: "../../evil", text: "x"}),
		"up within":          tarOf(t, good, member{name: "a/../../../evil", text: "x"}),
		"absolute":           tarOf(t, good, member{name: "/evil", text: "x"}),
		"zip up":             zipOf(t, good, member{name: "../evil", text: "x"}),
		"zip absolute":       zipOf(t, good, member{name: "/evil", text: "x"}),
		"zip backslash":      zipOf(t, good, member{name: `..\evil`, text: "x"}),
		"link absolute":      tarOf(t, good, member{"l", "/etc", tar.TypeSymlink}),
		"link up":            tarOf(t, good, member{"a/l", "../../x", tar.TypeSymlink}),
		"link down and up":   tarOf(t, good, member{"l", "a/../../x", tar.TypeSymlink}),
		"link by link":       tarOf(t, member{"p/q/l", "../..", tar.TypeSymlink}, member{"p/q/l/m", "../evil", tar.TypeSymlink}),
		"through a link":     tarOf(t, member{name: "d/x"}, member{"l", "d", tar.TypeSymlink}, member{name: "l/evil", text: "x"}),
		"hard link up":       tarOf(t, good, member{"l", "../../../outside", tar.TypeLink}),
		"hard link to none":  tarOf(t, good, member{"l", "none", tar.TypeLink}),
		"zip link":           zipOf(t, good, member{"l", "/etc/passwd", tar.TypeSymlink}),
		"a device":           tarOf(t, good, member{"dev", "", tar.TypeChar}),
		"a pipe":             tarOf(t, good, member{"pipe", "", tar.TypeFifo}),
		"file below file":    tarOf(t, good, member{name: "good/evil", text: "x"}),
		"too many":           tarOf(t, many...),
		"too many folders":   tarOf(t, folders...),
		"too deep":           tarOf(t, good, member{name: strings.Repeat("a/", 101) + "f"}),
		"too large":          gzipOf(t, tarOf(t, member{name: "bomb", text: strings.Repeat("0", 2<<20)})),
		"cut off":            whole[:len(whole)/2],
		"text":               []byte("hello"),
		"nothing":            {},
		"gzip of text":       gzipOf(t, []byte("hello")),
		"its own name":       tarOf(t, member{name: "a.tar", text: "x"}),
		"a folder in place":  tarOf(t, member{name: "folder", text: "x"}),
		"a file in place":    tarOf(t, member{name: "file/x", text: "x"}),
		"a name too long":    tarOf(t, member{name: strings.Repeat("n", 300), text: "x"}),
		"a link in the way":  tarOf(t, member{name: "link/x", text: "x"}),
		"a folder and a dot": tarOf(t, member{name: "a/./../..//evil", text: "x"}),
	} {
		s := open(t)
		s.limits.Entries, s.limits.Unpacked = 50, 1<<20
		put(t, s, Files, "in/folder/x", "x")
		put(t, s, Files, "in/file", "x")
		if err := os.Symlink("folder", filepath.Join(s.dir, "files/in/link")); err != nil {
			t.Fatal(err)
		}
		before := everything(t, s)
		if c := models.ClassOf(explode(t, s, "in/a.tar", archive)); c != models.Invalid && c != models.Conflict {
			t.Errorf("%s: class %v, %v", name, c, explode(t, s, "in/a.tar", archive))
		}
		if got := everything(t, s); !slices.Equal(got, before) {
			t.Errorf("%s: there is %q, want %q", name, got, before)
		}
		if entries, err := os.ReadDir(filepath.Join(s.dir, tmp)); err != nil || len(entries) > 0 {
			t.Errorf("%s: left on the way: %v %v", name, entries, err)
		}
	}
}

// TestAnArchiveOfManyFoldersTakesItsPlaceAtOnce: while it does so nobody else can upload, so what is
// new is moved as a whole, however much there is in it, and only what is there is gone through.
func TestAnArchiveOfManyFoldersTakesItsPlaceAtOnce(t *testing.T) {
	s := open(t)
	put(t, s, Files, "in/old/x/a", "stays")
	stage := tmp + "/stage"
	for _, dir := range []string{"old/x/y", "new/x/y", "old/new"} {
		if err := s.root.MkdirAll(stage+"/"+dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := s.root.WriteFile(stage+"/"+dir+"/f", []byte(dir), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	same := func(name string) fs.FileInfo {
		t.Helper()
		st, err := s.root.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		return st
	}
	before := []fs.FileInfo{same(stage + "/new"), same(stage + "/old/x/y"), same(stage + "/old/new")}
	if err := s.merge(stage, Files+"/in"); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"new", "old/x/y", "old/new"} {
		if got := same(Files + "/in/" + name); !os.SameFile(got, before[i]) {
			t.Errorf("%s was made anew", name)
		}
	}
	if got := list(t, s, Files, "in", true); got != "new/x/y/f old/new/f old/x/a old/x/y/f" {
		t.Errorf("got %q", got)
	}
}
