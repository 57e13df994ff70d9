package cli

import (
	"crypto/sha256"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestUploadsAndListsAreThoseOfDrpcli(t *testing.T) {
	file := filepath.Join(t.TempDir(), "some.txt")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := newServer(t, map[string]string{
		"POST files/a/b": `201 {"Path":"/a/b","Size":4}`, "POST isos/some.txt": `201 {"Path":"some.txt","Size":4}`, "POST files/in": `201 {"Path":"/in","Size":2}`,
		"GET files": `["a/"]`, "DELETE files/a/b": `204 `, "DELETE bootenvs/env/purgeLocal": `204 `,
	})
	for _, c := range []struct{ args, out, asked string }{
		{"files upload " + file + " as a/b --explode", "{\n  \"Path\": \"/a/b\",\n  \"Size\": 4\n}\n", "POST files/a/b?explode=true text"},
		{"isos upload " + file, "{\n  \"Path\": \"some.txt\",\n  \"Size\": 4\n}\n", "POST isos/some.txt text"},
		{"files upload - as in", "{\n  \"Path\": \"/in\",\n  \"Size\": 2\n}\n", "POST files/in in"},
		{"files list", "[\n  \"a/\"\n]\n", "GET files"},
		{"files list x/y --recurse", "[\n  \"a/\"\n]\n", "GET files?all=true&path=x%2Fy"},
		{"files destroy a/b", "Deleted a/b\n", "DELETE files/a/b"},
		{"bootenvs purgeLocalInstall env amd64 arm64 --reexplodeIsos", "", `DELETE bootenvs/env/purgeLocal?reexplodeIsos=true ["amd64","arm64"]`},
	} {
		got := s.feed(t, "in", strings.Fields(c.args)...)
		want(t, c.args, got, result{out: c.out})
		want(t, c.args, strings.Join(s.requests(), "; "), c.asked)
	}
	got := s.call(t, "files", "upload", "asg")
	want(t, "no source", got, result{err: "Error: Error opening src file asg: Must specify a file or url\n", status: 1})
}

func TestAnUploadThatArrivesDamagedFails(t *testing.T) {
	s := newServer(t, map[string]string{"POST files/x": `201 {"Path":"/x","Size":2}`})
	s.headers["X-DRP-SHA256SUM"] = "other"
	if got := s.feed(t, "in", "files", "upload", "-", "as", "x"); got.status != 1 || !strings.Contains(got.err, "has arrived damaged") {
		t.Errorf("got %+v", got)
	}
}

// TestADownloadGoesOnWhereItEnded: through lines that break, in one call and over several, and the
// file is replaced only by a whole one that has the right checksum.
func TestADownloadGoesOnWhereItEnded(t *testing.T) {
	text := strings.Repeat("0123456789", 50_000)
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
	s := newServer(t, nil)
	var ranges []string
	cut := int64(100_000) // how much of each answer arrives
	s.handle["files/big"] = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"SHA256:`+sum+`"`)
		w.Header().Set("X-DRP-SHA256SUM", sum)
		if r.Method == http.MethodGet {
			ranges = append(ranges, r.Header.Get("Range"))
			w = &breaking{w, cut}
		}
		http.ServeContent(w, r, "", time.Time{}, strings.NewReader(text))
	}
	dest := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(dest, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	download := func() result { return s.call(t, "files", "download", "big", "to", dest) }
	want(t, "a line that breaks", download(), result{})
	if got, err := os.ReadFile(dest); err != nil || string(got) != text || len(ranges) < 4 {
		t.Errorf("%d bytes in %d requests, %v", len(got), len(ranges), err)
	}
	ranges = nil
	want(t, "the same again", download(), result{})
	want(t, "asked for what is there", len(ranges), 0)

	text = strings.Repeat("abcdefghij", 50_000)
	sum = fmt.Sprintf("%x", sha256.Sum256([]byte(text)))
	cut = 0
	part := fmt.Sprintf("%s.%.16s.part", dest, sum)
	if err := os.WriteFile(part, []byte(text[:300_000]), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := download(); got.status != 1 || !strings.Contains(got.err, part) {
		t.Errorf("a line that is down: %+v", got)
	}
	cut = 1 << 30
	ranges = nil
	want(t, "what an earlier call has left", download(), result{})
	want(t, "asked for the rest", ranges, []string{"bytes=300000-"})
	if got, _ := os.ReadFile(dest); string(got) != text {
		t.Errorf("got %d bytes", len(got))
	}

	os.Remove(dest)
	if err := os.WriteFile(part, []byte(strings.Repeat("x", 300_000)), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := download(); got.status != 1 || !strings.Contains(got.err, "arrived damaged") {
		t.Errorf("a part that is not of this file: %+v", got)
	}
	want(t, "tried once more", download(), result{})
	if left, _ := filepath.Glob(dest + "*"); len(left) != 1 {
		t.Errorf("left: %q", left)
	}
	want(t, "what is not there", s.call(t, "files", "download", "none", "to", dest), result{err: "Error: GET: files/none: Not a regular file\n", status: 1})
}

// breaking ends an answer after so many bytes.
type breaking struct {
	http.ResponseWriter
	left int64
}

func (b *breaking) Write(p []byte) (int, error) {
	n, err := b.ResponseWriter.Write(p[:min(int64(len(p)), b.left)])
	if b.left -= int64(n); b.left == 0 {
		http.NewResponseController(b.ResponseWriter).Flush()
		panic(http.ErrAbortHandler)
	}
	return n, err
}

func TestIsosOfABootEnvAreUploadedFromWhereItSays(t *testing.T) {
	s := newServer(t, map[string]string{
		"GET bootenvs/env":    `{"Name":"env","OS":{"IsoFile":"there.iso","SupportedArchitectures":{"aarch64":{"IsoFile":"arm.iso","Sha256":"%s","IsoUrl":"URL"}}}}`,
		"GET bootenvs/ignore": `{"Name":"ignore"}`, "GET isos": `["there.iso"]`, "POST isos/arm.iso": `201 {"Path":"arm.iso","Size":3}`,
	})
	source := newPlain(t, "iso")
	for _, of := range []string{"bootenvs/env", "machines/m1/params/bootenv-customize"} {
		env := strings.Replace(s.answers["GET bootenvs/env"], "URL", source, 1)
		if strings.HasPrefix(of, "machines") {
			env = `{"x":` + env + `}`
		}
		for sum, status := range map[string]int{fmt.Sprintf("%x", sha256.Sum256([]byte("iso"))): 0, strings.Repeat("0", 64): 1} {
			s.answers["GET "+of] = strings.Replace(env, "%s", sum, 1)
			kind, rest, _ := strings.Cut(of, "/")
			id, _, _ := strings.Cut(rest, "/")
			got := s.call(t, kind, "uploadiso", id, "--arch", "all")
			asked := s.requests()
			if got.status != status || asked[len(asked)-1] != "POST isos/arm.iso iso" {
				t.Errorf("%s with the checksum %s: %+v, asked %q", of, sum, got, asked)
			}
		}
		s.answers["GET bootenvs/env"] = `{"Name":"env","OS":{"IsoFile":"there.iso","SupportedArchitectures":{"aarch64":{"IsoFile":"arm.iso","Sha256":"%s","IsoUrl":"URL"}}}}`
	}
	want(t, "without an ISO", s.call(t, "bootenvs", "uploadiso", "ignore"), result{err: "Error: BootEnv ignore does not require an iso\n", status: 1})
}

// newPlain is an HTTP server that answers everything with a text.
func newPlain(t *testing.T, text string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, text) }))
	t.Cleanup(s.Close)
	return s.URL
}

func TestProgressIsForTerminals(t *testing.T) {
	a := &app{IO: IO{Err: io.Discard}}
	if b := a.progress("x", 10, 0); b != nil {
		t.Error("a bar for nobody")
	}
	var none *bar
	none.add(1)
	none.end(true)
	if r := strings.NewReader("x"); none.reader(r) != r {
		t.Error("reads through a bar that is not there")
	}
}
