package iso9660

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/backend/file"
	other "github.com/diskfs/go-diskfs/filesystem/iso9660"
)

// contents is all of an image, a line each.
func contents(r io.ReaderAt, size int64) (string, error) {
	i, err := Open(r, size)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	err = i.Walk(func(e *Entry) error {
		text, err := io.ReadAll(e.Open())
		if e.Mode.IsDir() || e.Link != "" {
			text = nil
		} else if int64(len(text)) != e.Size {
			return fmt.Errorf("%s: %d bytes, said to be %d", e.Path, len(text), e.Size)
		}
		fmt.Fprintf(&b, "%s %s %s%.20s\n", e.Path, e.Mode.Type(), e.Link, text)
		return err
	})
	return b.String(), err
}

// image is one that another program has made of files in a folder.
func image(t testing.TB, rockRidge, joliet bool) []byte {
	t.Helper()
	work := t.TempDir()
	for name, text := range map[string]string{"vmlinuz-5.10_Long.Name": "kernel", "sub/deep/a file": strings.Repeat("x", 5000), "sub/empty": ""} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(work, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(work, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if rockRidge {
		if err := os.Symlink("sub/deep", filepath.Join(work, "link")); err != nil {
			t.Fatal(err)
		}
	}
	at := filepath.Join(t.TempDir(), "x.iso")
	b, err := file.CreateFromPath(at, 4<<20)
	if err != nil {
		t.Fatal(err)
	}
	fs, err := other.Create(b, 0, 0, 2048, work)
	if err != nil {
		t.Fatal(err)
	}
	if err := fs.Finalize(other.FinalizeOptions{RockRidge: rockRidge, Joliet: joliet}); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(at)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestImagesOfAnotherProgramAreReadAsTheyWereMade(t *testing.T) {
	x := strings.Repeat("x", 20)
	for _, c := range []struct {
		rock, joliet bool
		want         []string
	}{
		{true, false, []string{"link L--------- sub/deep\n", "sub d--------- \n", "sub/deep d--------- \n", "sub/deep/a file ---------- " + x, "sub/empty ---------- \n", "vmlinuz-5.10_Long.Name ---------- kernel\n"}},
		{false, true, []string{"sub d--------- \n", "vmlinuz-5.10_Long.Name ---------- kernel\n"}},
		{true, true, []string{"link L--------- sub/deep\n", "vmlinuz-5.10_Long.Name ---------- kernel\n"}},
		{false, false, []string{"SUB d--------- \n", "---------- kernel\n"}},
	} {
		raw := image(t, c.rock, c.joliet)
		got, err := contents(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			t.Errorf("%+v: %v", c, err)
		}
		for _, line := range c.want {
			if !strings.Contains(got, line) {
				t.Errorf("rock ridge %v, joliet %v: got\n%s\nwant %q in it", c.rock, c.joliet, got, line)
			}
		}
	}
}

// record is one of a folder.
func record(name string, block, size int, flags byte, use ...byte) []byte {
	n := 33 + len(name)
	if len(name)%2 == 0 {
		n++
	}
	r := make([]byte, n+len(use)+(n+len(use))%2)
	r[0], r[25], r[32] = byte(len(r)), flags, byte(len(name))
	binary.LittleEndian.PutUint32(r[2:], uint32(block))
	binary.LittleEndian.PutUint32(r[10:], uint32(size))
	copy(r[33:], name)
	copy(r[n:], use)
	return r
}

// byHand is an image with a root folder at block 18 of the given records, and blocks of text from
// block 19 on.
func byHand(records ...[]byte) []byte {
	b := make([]byte, 24*sector)
	d := b[16*sector:]
	d[0] = 1
	copy(d[1:], "CD001")
	binary.LittleEndian.PutUint16(d[128:], sector)
	copy(d[156:], record("\x00", 18, sector, 2))
	d[sector] = 255
	copy(d[sector+1:], "CD001")
	at := 18 * sector
	for _, r := range append([][]byte{record("\x00", 18, sector, 2, 'S', 'P', 7, 1, 0xbe, 0xef, 0), record("\x01", 18, sector, 2)}, records...) {
		at += copy(b[at:], r)
	}
	for i := range 5 {
		copy(b[(19+i)*sector:], strings.Repeat(fmt.Sprint(i), sector))
	}
	return b
}

func nm(name string) []byte { return append([]byte{'N', 'M', byte(5 + len(name)), 1, 0}, name...) }

func sl(flags byte, part string) []byte {
	return append([]byte{'S', 'L', byte(7 + len(part)), 1, 0, flags, byte(len(part))}, part...)
}

func px(mode uint32) []byte {
	e := make([]byte, 36)
	copy(e, []byte{'P', 'X', 36, 1})
	binary.LittleEndian.PutUint32(e[4:], mode)
	return e
}

func TestAFileMayHaveSeveralExtents(t *testing.T) {
	raw := byHand(record("BIG.;1", 19, sector, 0x80), record("BIG.;1", 21, 3, 0), record("NEXT.;1", 20, 2, 0, nm("next")...))
	got, err := contents(bytes.NewReader(raw), int64(len(raw)))
	if want := "BIG ---------- " + strings.Repeat("0", 20) + "\nnext ---------- 11\n"; err != nil || got != want {
		t.Errorf("got %q %v, want %q", got, err, want)
	}
}

// TestBrokenImagesAreRefused: none makes the reader panic, loop or take what is not there.
func TestBrokenImagesAreRefused(t *testing.T) {
	link := func(parts ...[]byte) []byte {
		return record("L", 19, 0, 0, append(px(0o120777), bytes.Join(parts, nil)...)...)
	}
	for name, raw := range map[string][]byte{
		"nothing":            nil,
		"zeros":              make([]byte, 20*sector),
		"content beyond":     byHand(record("A", 23, 2*sector, 0)),
		"far beyond":         byHand(record("A", 1<<32-1, 1<<32-1, 0)),
		"folder in itself":   byHand(record("A", 18, sector, 2)),
		"name with a slash":  byHand(record("A/B", 19, 1, 0)),
		"name of two dots":   byHand(record("A", 19, 1, 0, nm("..")...)),
		"slash by extension": byHand(record("A", 19, 1, 0, nm("../../x")...)),
		"no name":            byHand(record(";1", 19, 1, 0)),
		"half a file":        byHand(record("A", 19, 1, 0x80)),
		"an empty link":      byHand(link()),
		"a compressed file":  byHand(record("A", 19, 1, 0, 'Z', 'F', 16, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)),
		"goes on for ever":   byHand(record("A", 19, 1, 0, append([]byte{'C', 'E', 28, 1, 19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0, 0, 0}, nm("x")...)...)),
		"a record too long":  byHand(append(record("A", 19, 1, 0)[:32], 200, 'A')),
	} {
		if name == "goes on for ever" { // the continuation holds itself
			copy(raw[19*sector:], append([]byte{'C', 'E', 28, 1, 19}, make([]byte, 23)...))
			raw[19*sector+21] = 8
		}
		got, err := contents(bytes.NewReader(raw), int64(len(raw)))
		if err == nil {
			t.Errorf("%s: read as %q", name, got)
		}
		t.Log(name, ": ", err)
	}
	raw := byHand(link(sl(4, ""), sl(1, "a"), sl(0, "b"), sl(0, "c")))
	if got, err := contents(bytes.NewReader(raw), int64(len(raw))); err != nil || got != "L L--------- ../ab/c\n" {
		t.Errorf("a link in parts: %q %v", got, err)
	}
}

// FuzzImage: whatever the bytes, reading ends, and no name leads outside.
func FuzzImage(f *testing.F) {
	f.Add(byHand(record("BIG.;1", 19, sector, 0x80), record("BIG.;1", 21, 3, 0)))
	f.Add(byHand(record("A", 20, sector, 2, append(px(0o040755), nm("dir")...)...)))
	f.Fuzz(func(t *testing.T, raw []byte) {
		i, err := Open(bytes.NewReader(raw), int64(len(raw)))
		if err != nil {
			return
		}
		n := 0
		_ = i.Walk(func(e *Entry) error {
			if !filepath.IsLocal(e.Path) {
				t.Fatalf("the name %q", e.Path)
			}
			if n++; n > 100_000 {
				return io.EOF
			}
			return nil
		})
	})
}
