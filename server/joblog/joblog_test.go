package joblog

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/models"
)

const job = "01234567-89ab-4cde-8f01-23456789abcd"

func open(t *testing.T) (*Logs, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "logs")
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return l, dir
}

func text(t *testing.T, l *Logs, job string) string {
	t.Helper()
	r, size, err := l.Reader(job)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(b)) != size {
		t.Fatalf("size is %d, read %d", size, len(b))
	}
	return string(b)
}

func add(t *testing.T, l *Logs, s string) {
	t.Helper()
	if n, err := l.Append(job, strings.NewReader(s)); err != nil || n != int64(len(s)) {
		t.Fatalf("append %q: %d, %v", s, n, err)
	}
}

func TestLogIsItsHeaderAndWhatWasAppendedInOrder(t *testing.T) {
	l, _ := open(t)
	for range 2 { // the second Create changes nothing
		if err := l.Create(job, "Log for Job: "+job); err != nil {
			t.Fatal(err)
		}
	}
	add(t, l, "Fred")
	add(t, l, "")
	add(t, l, "dy\n")
	if err := l.Create(job, "again"); err != nil {
		t.Fatal(err)
	}
	if got, want := text(t, l, job), "Log for Job: "+job+"\nFreddy\n"; got != want {
		t.Errorf("log is %q, want %q", got, want)
	}
}

func TestAppendBeginsALogThatIsNotThere(t *testing.T) {
	l, _ := open(t)
	add(t, l, "first\n")
	if got, want := text(t, l, job), "Log for Job: "+job+"\nfirst\n"; got != want {
		t.Errorf("log is %q, want %q", got, want)
	}
}

func TestTornLineOfACrashDoesNotSwallowTheNext(t *testing.T) {
	l, dir := open(t)
	add(t, l, "whole\ntor")
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, job[:2], job+".log"), past, past); err != nil {
		t.Fatal(err)
	}
	l, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	add(t, l, "next ")
	add(t, l, "line\n")
	if got, want := text(t, l, job), "Log for Job: "+job+"\nwhole\ntor\nnext line\n"; got != want {
		t.Errorf("log is %q, want %q", got, want)
	}
}

// Every text is longer than what is received ahead, so that it is written in pieces.
func TestConcurrentAppendsFollowEachOtherAndNeverMix(t *testing.T) {
	l, _ := open(t)
	const writers, rounds, size = 6, 3, ahead + 4321
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := range rounds {
				body := strings.Repeat(string(rune('a'+w)), size) + fmt.Sprintf("%d\n", i)
				if _, err := l.Append(job, iotestReader(body)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	lines := strings.Split(strings.TrimSuffix(text(t, l, job), "\n"), "\n")[1:]
	if len(lines) != writers*rounds {
		t.Fatalf("%d lines, want %d", len(lines), writers*rounds)
	}
	next := map[byte]int{}
	for _, s := range lines {
		w := s[0]
		if want := strings.Repeat(string(rune(w)), size) + fmt.Sprint(next[w]); s != want {
			t.Fatalf("the line of writer %c, %d bytes, is not its text %d", w, len(s), next[w])
		}
		next[w]++
	}
	if len(l.held) != 0 {
		t.Errorf("%d holds are left", len(l.held))
	}
}

// iotestReader yields its text in small pieces, as a network does.
func iotestReader(s string) io.Reader {
	return readerFunc(func(p []byte) (int, error) {
		if s == "" {
			return 0, io.EOF
		}
		n := copy(p[:min(len(p), 64<<10)], s)
		s = s[n:]
		return n, nil
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestWhatAClientSentBeforeItHungUpIsKept(t *testing.T) {
	for _, size := range []int{10, ahead, ahead + 10} {
		l, _ := open(t)
		hungUp := errors.New("hung up")
		body := strings.Repeat("x", size)
		n, err := l.Append(job, io.MultiReader(strings.NewReader(body), readerFunc(func([]byte) (int, error) { return 0, hungUp })))
		if !errors.Is(err, hungUp) || n != int64(size) {
			t.Errorf("%d bytes: %d, %v", size, n, err)
		}
		add(t, l, "later\n")
		if got := text(t, l, job); !strings.HasSuffix(got, "\n"+body+"later\n") {
			t.Errorf("%d bytes: the log has %d", size, len(got))
		}
	}
}

func TestAppendIsBounded(t *testing.T) {
	l, _ := open(t)
	endless := readerFunc(func(p []byte) (int, error) { return len(p), nil })
	n, err := l.Append(job, endless)
	if models.ClassOf(err) != models.TooLarge || n != MaxAppend {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := l.Append(job, io.LimitReader(endless, MaxAppend)); err != nil || n != MaxAppend {
		t.Errorf("the largest text: %d, %v", n, err)
	}
}

func TestNoNameLeadsOutOfTheFolder(t *testing.T) {
	l, dir := open(t)
	for _, name := range []string{"", "..", "../../etc/passwd", "/etc/passwd", strings.ToUpper(job), job + "/..", job + "\x00", job[:35] + "/"} {
		_, aerr := l.Append(name, strings.NewReader("x"))
		_, _, rerr := l.Reader(name)
		for what, err := range map[string]error{"create": l.Create(name, "h"), "append": aerr, "read": rerr, "sync": l.Sync(name), "remove": l.Remove(name)} {
			if models.ClassOf(err) != models.Invalid {
				t.Errorf("%s %q: %v", what, name, err)
			}
		}
	}
	if list, err := os.ReadDir(dir); err != nil || len(list) != 0 {
		t.Errorf("the folder holds %v, %v", list, err)
	}
}

func TestLogsArePrivate(t *testing.T) {
	l, dir := open(t)
	add(t, l, "x")
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, job[:2]): 0o700, filepath.Join(dir, job[:2], job+".log"): 0o600} {
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", path, st.Mode(), err, want)
		}
	}
}

func TestReaderSeesTheLogAsLongAsItWas(t *testing.T) {
	l, _ := open(t)
	add(t, l, "one\n")
	r, size, err := l.Reader(job)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	add(t, l, "two\n")
	b, err := io.ReadAll(r)
	if err != nil || int64(len(b)) != size || bytes.Contains(b, []byte("two")) {
		t.Errorf("read %q, %v; size was %d", b, err, size)
	}
}

func TestRemovedLogIsGoneAndMayBeRemovedAgain(t *testing.T) {
	l, _ := open(t)
	add(t, l, "x")
	if err := l.Sync(job); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Remove(job); err != nil {
			t.Fatal(err)
		}
	}
	if _, _, err := l.Reader(job); models.ClassOf(err) != models.NotFound {
		t.Errorf("read after removal: %v", err)
	}
	if err := l.Sync(job); err != nil {
		t.Errorf("sync after removal: %v", err)
	}
}

func TestNoFilesStayOpen(t *testing.T) {
	l, _ := open(t)
	before := openFiles(t)
	for range 50 {
		add(t, l, "x\n")
		text(t, l, job)
		if err := l.Sync(job); err != nil {
			t.Fatal(err)
		}
	}
	if after := openFiles(t); after > before {
		t.Errorf("%d files are open, before there were %d", after, before)
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("needs /proc: ", err)
	}
	return len(list)
}

// TestGrownTellsEveryoneOfEverything: several wait for the next byte of a log, and see all of them.
func TestGrownTellsEveryoneOfEverything(t *testing.T) {
	l, _ := open(t)
	const last = 200
	var followers sync.WaitGroup
	for range 4 {
		followers.Go(func() {
			for n := int64(0); n < last; {
				if err := l.Grown(t.Context(), job, n); err != nil {
					t.Error(err)
					return
				}
				size := int64(len(text(t, l, job)))
				if size <= n {
					t.Errorf("told of more than %d, but there are %d", n, size)
					return
				}
				n = size
			}
		})
	}
	for range last {
		add(t, l, "x")
	}
	followers.Wait()
	if len(l.heeds) != 0 {
		t.Errorf("%d are kept", len(l.heeds))
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Grown(gone, job, 1<<40); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
