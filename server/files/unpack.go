package files

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/bzip2"
	"compress/gzip"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"drp/models"
	"drp/server/files/iso9660"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// archiveError says what is wrong with an archive.
type archiveError struct{ reason string }

func (e *archiveError) Error() string { return e.reason }

func bad(format string, args ...any) error { return &archiveError{fmt.Sprintf(format, args...)} }

// formats are the archives that can be unpacked, by how they begin.
var formats = []struct {
	magic  string
	unpack func(*unpacker, *os.File, int64) error
}{
	{"PK\x03\x04", (*unpacker).zip},
	{"PK\x05\x06", (*unpacker).zip},
	{"\x1f\x8b", stream(func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) })},
	{"BZh", stream(func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil })},
	{"\xfd7zXZ\x00", stream(func(r io.Reader) (io.Reader, error) { return xz.NewReader(r) })},
	{"\x28\xb5\x2f\xfd", stream(func(r io.Reader) (io.Reader, error) {
		d, err := zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(128<<20))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	})},
}

// stream unpacks a tar that is compressed.
func stream(open func(io.Reader) (io.Reader, error)) func(*unpacker, *os.File, int64) error {
	return func(u *unpacker, f *os.File, _ int64) error {
		r, err := open(bufio.NewReaderSize(f, 1<<20))
		if err != nil {
			return bad("%v", err)
		}
		if c, ok := r.(io.Closer); ok {
			defer c.Close()
		}
		return u.tar(r)
	}
}

// unpack unfolds an archive of the tree into a new folder below tmp, and returns that. Nothing is
// left of one that fails; what is wrong with the archive itself is an *archiveError.
func (s *Store) unpack(ctx context.Context, archive string) (_ string, err error) {
	select {
	case s.unpacking <- struct{}{}:
		defer func() { <-s.unpacking }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	f, err := s.root.Open(archive)
	if err != nil {
		return "", err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return "", err
	}
	stage := tmp + "/" + rand.Text()
	if err := s.root.Mkdir(stage, 0o755); err != nil {
		return "", err
	}
	defer func() {
		if p := recover(); p != nil { // of a library, about an archive nobody has thought of
			err = bad("it cannot be read: %v", p)
		}
		if err != nil {
			err = errors.Join(err, s.root.RemoveAll(stage))
		}
	}()
	into, err := s.root.OpenRoot(stage)
	if err != nil {
		return "", err
	}
	defer into.Close()
	u := &unpacker{store: s, ctx: ctx, into: into, left: s.limits.Unpacked, entries: s.limits.Entries}
	if err := u.all(f, st.Size()); err != nil {
		return "", err
	}
	return stage, u.finish()
}

// unpacker is one archive being unpacked.
type unpacker struct {
	store   *Store
	ctx     context.Context
	into    *os.Root
	left    int64  // bytes it may have yet
	entries int    // that it may have yet, with the folders that only its names speak of
	inside  string // the folder that was needed last
	links   []link
}

// link is made last, so that nothing is written through it.
type link struct{ name, to string }

func (u *unpacker) all(f *os.File, size int64) error {
	head := make([]byte, 512)
	n, err := io.ReadFull(f, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	head = head[:n]
	for _, one := range formats {
		if strings.HasPrefix(string(head), one.magic) {
			return one.unpack(u, f, size)
		}
	}
	if iso9660.Is(f) {
		return u.iso(f, size)
	}
	if len(head) == 512 && string(head[257:262]) == "ustar" {
		return u.tar(bufio.NewReaderSize(f, 1<<20))
	}
	return bad("it is neither zip, tar (also with gzip, bzip2, xz or zstd) nor ISO 9660")
}

// source tells whether an error is the archive's fault, or else that of the disk.
func source(err error) error {
	var e *models.Error
	var sys syscall.Errno
	var mine *archiveError
	if err == nil || errors.As(err, &e) || errors.As(err, &sys) || errors.As(err, &mine) ||
		errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return bad("%v", err)
}

func (u *unpacker) zip(f *os.File, size int64) error {
	z, err := zip.NewReader(f, size)
	if err != nil {
		return bad("%v", err)
	}
	for _, e := range z.File {
		r, err := e.Open()
		if err != nil {
			return bad("%s: %v", e.Name, err)
		}
		switch mode := e.Mode(); {
		case mode.IsDir():
			err = u.folder(e.Name)
		case mode&fs.ModeSymlink != 0:
			var to []byte
			if to, err = io.ReadAll(io.LimitReader(r, maxLink+1)); err == nil {
				err = u.link(e.Name, string(to))
			}
		case mode.IsRegular():
			err = u.file(e.Name, mode, r)
		default:
			err = bad("%s is neither a file, a folder nor a link", e.Name)
		}
		r.Close()
		if err != nil {
			return source(err)
		}
	}
	return nil
}

func (u *unpacker) tar(r io.Reader) error {
	t := tar.NewReader(r)
	for {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return bad("not a sound tar: %v", err)
		}
		switch h.Typeflag {
		case tar.TypeDir:
			err = u.folder(h.Name)
		case tar.TypeReg, tar.TypeGNUSparse:
			err = u.file(h.Name, h.FileInfo().Mode(), t)
		case tar.TypeSymlink:
			err = u.link(h.Name, h.Linkname)
		case tar.TypeLink:
			err = u.same(h.Name, h.Linkname)
		case tar.TypeXGlobalHeader:
		default:
			err = bad("%s is neither a file, a folder nor a link", h.Name)
		}
		if err != nil {
			return source(err)
		}
	}
}

func (u *unpacker) iso(f *os.File, size int64) error {
	image, err := iso9660.Open(f, size)
	if err != nil {
		return source(err)
	}
	return source(image.Walk(func(e *iso9660.Entry) error {
		switch {
		case e.Mode.IsDir():
			return u.folder(e.Path)
		case e.Mode&fs.ModeSymlink != 0:
			return u.link(e.Path, e.Link)
		case e.Mode.IsRegular():
			return u.file(e.Path, e.Mode, e.Open())
		}
		return bad("%s is neither a file, a folder nor a link", e.Path)
	}))
}

const (
	maxLink  = 4096
	maxDepth = 100 // folders in each other
)

// name checks and counts a name of the archive; "." is the folder itself.
func (u *unpacker) name(name string) (string, error) {
	if u.entries--; u.entries < 0 {
		return "", u.tooMany()
	}
	if err := u.ctx.Err(); err != nil {
		return "", err
	}
	inside := path.Clean(strings.TrimRight(name, "/"))
	if strings.HasPrefix(name, "/") || strings.ContainsAny(name, "\x00\\") || !fs.ValidPath(inside) && !validBytes(inside) || len(name) > maxLink {
		return "", bad("the name %q leads outside, or is none", name)
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", bad("the name %q leads outside", name)
		}
	}
	if strings.Count(inside, "/") > maxDepth {
		return "", bad("a name leads through more than %d folders: %.100q", maxDepth, name)
	}
	return inside, nil
}

// validBytes tells of a cleaned path that is not UTF-8 whether it stays inside.
func validBytes(p string) bool { return p != "" && p != ".." && !strings.HasPrefix(p, "../") }

func (u *unpacker) folder(name string) error {
	name, err := u.name(name)
	if err != nil || name == "." {
		return err
	}
	return u.conflict(name, u.dir(name))
}

// dir makes a folder and those above it, each of which counts: one short name could be thousands.
func (u *unpacker) dir(name string) error {
	if name == "." || name == u.inside {
		return nil
	}
	err := u.into.Mkdir(name, 0o755)
	if errors.Is(err, fs.ErrNotExist) {
		if err := u.dir(path.Dir(name)); err != nil {
			return err
		}
		err = u.into.Mkdir(name, 0o755)
	}
	if errors.Is(err, fs.ErrExist) {
		st, gone := u.into.Lstat(name)
		if err = gone; err == nil && !st.IsDir() {
			err = syscall.ENOTDIR
		}
	} else if u.entries--; err == nil && u.entries < 0 {
		return u.tooMany()
	}
	if err == nil {
		u.inside = name
	}
	return err
}

func (u *unpacker) tooMany() error {
	return bad("it holds more than %d files and folders", u.store.limits.Entries)
}

// above makes the folders that a file lies in, and removes an earlier file of the same name.
func (u *unpacker) above(name string) error {
	if name == "." {
		return bad("a file without a name")
	}
	if err := u.dir(path.Dir(name)); err != nil {
		return u.conflict(name, err)
	}
	switch err := u.into.Remove(name); {
	case err == nil:
		u.inside = "" // it may have been a folder
	case !errors.Is(err, fs.ErrNotExist):
		return u.conflict(name, err)
	}
	return nil
}

// conflict blames the archive for names that contradict each other, or are longer than names can
// be.
func (u *unpacker) conflict(name string, err error) error {
	for _, e := range []error{syscall.ENOTDIR, syscall.EISDIR, syscall.EEXIST, syscall.ENOTEMPTY, syscall.ENAMETOOLONG, syscall.EILSEQ, syscall.EINVAL} {
		if errors.Is(err, e) {
			return bad("%s: %v", name, e)
		}
	}
	return err
}

func (u *unpacker) file(name string, mode fs.FileMode, r io.Reader) error {
	name, err := u.name(name)
	if err != nil {
		return err
	}
	if err := u.above(name); err != nil {
		return err
	}
	perm := fs.FileMode(0o644)
	if mode&0o111 != 0 {
		perm = 0o755
	}
	f, err := u.into.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, perm)
	if err != nil {
		return u.conflict(name, err)
	}
	n, err := u.store.copy(u.ctx, f, io.LimitReader(reader{u.ctx, r}, u.left+1))
	if err := errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if u.left -= n; u.left < 0 {
		return bad("it unfolds into more than %d MiB", u.store.limits.Unpacked>>20)
	}
	return nil
}

// same is a second name of a file.
func (u *unpacker) same(name, old string) error {
	name, err := u.name(name)
	if err != nil {
		return err
	}
	if old, err = u.name(old); err != nil {
		return err
	}
	if name == old {
		return nil
	}
	if err := u.above(name); err != nil {
		return err
	}
	if err := u.into.Link(old, name); err != nil {
		return bad("%s is to be the same as %s, which is not there", name, old)
	}
	return nil
}

func (u *unpacker) link(name, to string) error {
	name, err := u.name(name)
	if err != nil {
		return err
	}
	if !staysInside(name, to) {
		return bad("the link %s leads outside, to %q", name, to)
	}
	u.links = append(u.links, link{name, to})
	return nil
}

// staysInside tells whether a link leads to something in the archive, whatever the links on its
// way are: it may go up only at its beginning.
func staysInside(name, to string) bool {
	if to == "" || len(to) > maxLink || strings.HasPrefix(to, "/") || strings.ContainsAny(to, "\x00\\") {
		return false
	}
	depth, down := strings.Count(name, "/"), false
	for part := range strings.SplitSeq(to, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; down || depth < 0 {
				return false
			}
		default:
			down = true
		}
	}
	return true
}

// finish makes the links and brings all of it to the disk.
func (u *unpacker) finish() error {
	for _, l := range u.links {
		if err := u.plain(path.Dir(l.name)); err != nil {
			return err
		}
		if err := u.above(l.name); err != nil {
			return err
		}
		if err := u.into.Symlink(l.to, l.name); err != nil {
			return u.conflict(l.name, err)
		}
	}
	d, err := u.into.Open(".")
	if err != nil {
		return err
	}
	return errors.Join(syncAll(d), d.Close())
}

// plain refuses folders that are links: a link that lies elsewhere than its name says may lead
// elsewhere too.
func (u *unpacker) plain(dir string) error {
	for d := range parents(dir + "/") {
		if st, err := u.into.Lstat(d); err == nil && st.Mode()&fs.ModeSymlink != 0 {
			return bad("%s is a link, and there is something in it", d)
		}
	}
	return nil
}
