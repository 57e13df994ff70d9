package cli

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
)

// watched is a run of upload --watch on a folder, and the lines it prints.
type watched struct {
	t     *testing.T
	dir   string
	lines *bufio.Scanner
	stop  context.CancelFunc
	ended chan int
	errs  *strings.Builder
}

func (s *server) watch(t *testing.T, files map[string]string) *watched {
	t.Helper()
	w := &watched{t: t, dir: t.TempDir(), ended: make(chan int, 1), errs: &strings.Builder{}}
	for name, text := range files {
		w.write(name, text)
	}
	r, out := io.Pipe()
	w.lines = bufio.NewScanner(r)
	ctx, stop := context.WithCancel(t.Context())
	w.stop = stop
	t.Cleanup(func() {
		stop()
		r.Close()
	})
	go func() {
		w.ended <- Main(ctx, []string{"drp", "-E", s.URL, "-T", "token", "contents", "upload", w.dir, "--watch"},
			IO{In: strings.NewReader(""), Out: out, Err: w.errs}, Deps{Version: "v0", Getenv: func(string) string { return "" }})
		out.Close()
	}()
	return w
}

func (w *watched) write(name, text string) {
	w.t.Helper()
	file := filepath.Join(w.dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// says demands the next lines, in which DIR stands for the folder.
func (w *watched) says(lines ...string) {
	w.t.Helper()
	for _, line := range lines {
		if !w.lines.Scan() {
			w.t.Fatalf("it ended; want %q", line)
		}
		if got := strings.ReplaceAll(w.lines.Text(), w.dir+"/", ""); got != line {
			w.t.Fatalf("got  %q\nwant %q", got, line)
		}
	}
}

func TestAFolderIsUploadedWheneverItChanges(t *testing.T) {
	s := newServer(t, nil)
	var refuse atomic.Bool
	there := `[]`
	s.handle["contents"] = func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		if r.Method == http.MethodGet {
			io.WriteString(rw, there)
			return
		}
		there = `[{"meta":{"Name":"mine"}}]`
		io.WriteString(rw, `{"meta":{"Name":"mine"},"Counts":{},"Warnings":[]}`)
	}
	s.handle["contents/mine"] = func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/json")
		if refuse.Load() {
			rw.WriteHeader(http.StatusUnprocessableEntity)
			io.WriteString(rw, `{"Model":"contents","Key":"mine","Type":"PUT","Messages":["no"],"Code":422}`)
			return
		}
		io.WriteString(rw, `{"meta":{"Name":"mine"},"Counts":{},"Warnings":["Profile gone (at 0) does not exist"]}`)
	}
	w := s.watch(t, map[string]string{"._Name.meta": "mine", "._Version.meta": "v1.0.0", "._Description.meta": "d", "tasks/one.yaml": "Name: one\nDescription: d\n"})
	w.says("+ mine", "uploaded mine v1.0.0: 1 object")

	w.write("stages/new.yaml", "Name: new\nDescription: d\nTasks: [one]\n") // a new folder is watched too
	w.says("+ stages/new", "warning: Profile gone (at 0) does not exist", "uploaded mine v1.0.0: 2 objects")

	w.write("stages/new.yaml", "Name: new\nTasks: [\n")
	w.says("stages/new.yaml:2: error: yaml: did not find expected node content")

	refuse.Store(true)
	w.write("stages/new.yaml", "Name: new\nDescription: e\nTasks: [two]\n")
	w.says("stages/new.yaml:3: warning: task two is not in this pack, which has no Prerequisites that may bring it", "~ stages/new", "not uploaded: PUT: contents/mine: no")

	refuse.Store(false)
	w.write("stages/new.yaml", "Name: new\nDescription: e\nTasks: [one]\n")
	w.says("~ stages/new", "warning: Profile gone (at 0) does not exist", "uploaded mine v1.0.0: 2 objects")

	if err := os.RemoveAll(filepath.Join(w.dir, "stages")); err != nil {
		t.Fatal(err)
	}
	w.says("- stages/new", "warning: Profile gone (at 0) does not exist", "uploaded mine v1.0.0: 1 object")

	w.stop()
	if status := <-w.ended; status != 0 || w.errs.String() != "" {
		t.Errorf("stopped with status %d: %s", status, w.errs)
	}
}

func TestOnlyAFolderIsWatched(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pack.yaml")
	if err := os.WriteFile(file, []byte("meta: {Name: x}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{file, file + ".gone"} {
		r := call{}.drp(t, "contents", "upload", path, "--watch")
		if r.status != 1 || !strings.Contains(r.err, "--watch takes the folder of a pack") {
			t.Errorf("%s: %+v", path, r)
		}
	}
}
