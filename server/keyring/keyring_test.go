package keyring

import (
	"bytes"
	"encoding/base64"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// rotateEnv makes the test binary add keys to the file it names until somebody kills it.
const rotateEnv = "DRP_TEST_ROTATE"

func TestMain(m *testing.M) {
	if file := os.Getenv(rotateEnv); file != "" {
		os.Stdout.WriteString("ready\n")
		for {
			if _, err := Rotate(file); err != nil {
				panic(err)
			}
			os.Stdout.WriteString(".")
		}
	}
	os.Exit(m.Run())
}

func fresh(t *testing.T) *Ring {
	t.Helper()
	r, err := Open(filepath.Join(t.TempDir(), FileName))
	if err != nil {
		t.Fatal(err)
	}
	if !r.Empty() || r.Newest() != "" {
		t.Error("a ring without a file holds a key")
	}
	if err := r.Create(); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhatIsSealedOpensForNothingElse(t *testing.T) {
	r, other := fresh(t), fresh(t)
	if st, err := os.Stat(r.Path()); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %v, %v; want 0600", st.Mode(), err)
	}
	id, sealed, err := r.Seal("profiles/pp", []byte("secret"))
	if err != nil || id != r.Newest() || bytes.Contains(sealed, []byte("secret")) {
		t.Fatalf("seal: %v", err)
	}
	if got, err := r.Open("profiles/pp", id, sealed); err != nil || string(got) != "secret" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := r.Open("profiles/other", id, sealed); err == nil {
		t.Error("it opens for another object")
	}
	if _, err := other.Open("profiles/pp", id, sealed); err == nil || !strings.Contains(err.Error(), id) {
		t.Errorf("another ring: got %v, want an error that names the key", err)
	}
	for i := range sealed {
		bad := bytes.Clone(sealed)
		bad[i] ^= 1
		if _, err := r.Open("profiles/pp", id, bad); err == nil {
			t.Fatalf("it opens with byte %d changed", i)
		}
		if _, err := r.Open("profiles/pp", id, sealed[:i]); err == nil {
			t.Fatalf("%d bytes of it open", i)
		}
	}
}

// TestKeysAreOnlyAdded: by many at once, and with what older ones have sealed still open.
func TestKeysAreOnlyAdded(t *testing.T) {
	r := fresh(t)
	id, sealed, err := r.Seal("x", []byte("old"))
	if err != nil {
		t.Fatal(err)
	}
	var busy sync.WaitGroup
	ids := make([]string, 8)
	for i := range ids {
		busy.Go(func() {
			var err error
			if ids[i], err = Rotate(r.Path()); err != nil {
				t.Error(err)
			}
		})
	}
	busy.Wait()
	if err := r.Reload(); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if !r.Has(id) {
			t.Errorf("the key %s is lost", id)
		}
	}
	if got, err := r.Open("x", id, sealed); err != nil || string(got) != "old" || r.Newest() == id {
		t.Errorf("got %q, %v with the newest key %s", got, err, r.Newest())
	}
	text, _ := os.ReadFile(r.Path())
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if err := os.WriteFile(r.Path(), []byte(strings.Join(lines[:len(lines)-1], "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	newest := r.Newest()
	if err := r.Reload(); err == nil || !strings.Contains(err.Error(), newest) || r.Newest() != newest {
		t.Errorf("a file that lost a key: got %v and the key %s", err, r.Newest())
	}
}

// TestAKilledRotationLosesNoKey kills one at work, again and again.
func TestAKilledRotationLosesNoKey(t *testing.T) {
	r := fresh(t)
	for range 5 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), rotateEnv+"="+r.Path())
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var b [16]byte
		if _, err := out.Read(b[:]); err != nil { // it is at work
			t.Fatal(err)
		}
		if _, err := out.Read(b[:]); err != nil { // and has added some
			t.Fatal(err)
		}
		cmd.Process.Kill()
		cmd.Wait()
		before := r.Newest()
		if err := r.Reload(); err != nil {
			t.Fatal(err)
		}
		if r.Newest() == before {
			t.Error("no key was added")
		}
	}
	if _, err := Rotate(r.Path()); err != nil {
		t.Error(err)
	}
}

func TestAFileThatHoldsNoKeysSaysWhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), FileName)
	for text, want := range map[string]string{
		"":                     "holds no key",
		"# only words\n":       "holds no key",
		"# words\nnot a key\n": "line 2",
		base64.StdEncoding.EncodeToString(make([]byte, 31)): "line 1",
	} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, do := range []func() error{
			func() error { _, err := Open(file); return err },
			func() error { _, err := Rotate(file); return err },
		} {
			if err := do(); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "not a key") {
				t.Errorf("%q: got %v, want %q", text, err, want)
			}
		}
		if now, _ := os.ReadFile(file); string(now) != text {
			t.Errorf("%q was changed", text)
		}
	}
}
