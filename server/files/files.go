// Package files keeps what machines download: the files and ISOs that are uploaded, and the trees
// that are unpacked from them. All of it lies below one folder, the tree that the file ports
// serve:
//
//	files/   uploads, in folders
//	isos/    images of installers
//	NAME/    what was unpacked from the ISO of a boot environment whose OS has the NAME
//	.drp/    what is on its way here, checksums; never shown
//
// A file appears there as a whole or not at all, and durably. Nothing leads out of the tree, and
// nothing is written through a symbolic link.
package files

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"

	"drp/models"
)

// The areas that clients may upload to.
const (
	Files = "files"
	Isos  = "isos"
)

const (
	hidden = ".drp" // the folder of the store itself
	tmp    = hidden + "/tmp"
	sums   = hidden + "/sums"
	trees  = hidden + "/trees"
)

// Limits bound what an archive may unfold into, and what the disk is filled to.
type Limits struct {
	Unpacked int64 // bytes of one archive's files together
	Entries  int   // files, folders and links of one archive
	Reserve  int64 // bytes of the disk that are left for others, such as the database
}

// DefaultLimits are enough for the largest installers.
var defaultLimits = Limits{Unpacked: 256 << 30, Entries: 2 << 20, Reserve: 256 << 20}

// Store is the tree. It is safe for concurrent use.
type Store struct {
	dir    string
	root   *os.Root
	limits Limits
	lent   map[string]string // files of the area files that lie elsewhere, by name

	placing   sync.Mutex // held while something takes its place in the tree, or leaves it
	unpacking chan struct{}

	mu      sync.Mutex
	known   map[string]sum
	summing map[string]*sync.Mutex
	changed func(area, name string) // after an upload or a removal
}

// Open makes the folders that are not there and clears away what was cut off. Lent are files that
// the area "files" shows under a name although they lie elsewhere; an upload of the name hides
// them.
func Open(dir string, lent map[string]string) (*Store, error) {
	for _, d := range []string{Files, Isos, hidden} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, fmt.Errorf("file store: %w", err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("file store: %w", err)
	}
	s := &Store{
		dir: dir, root: root, limits: defaultLimits, lent: lent, unpacking: make(chan struct{}, 2),
		known: map[string]sum{}, summing: map[string]*sync.Mutex{}, changed: func(string, string) {},
	}
	if err := errors.Join(root.RemoveAll(tmp), root.MkdirAll(tmp, 0o700), root.MkdirAll(sums, 0o700), root.MkdirAll(trees, 0o700)); err != nil {
		root.Close()
		return nil, fmt.Errorf("file store: %w", err)
	}
	return s, nil
}

// Close ends the use of the folder.
func (s *Store) Close() error { return s.root.Close() }

// OnChange makes fn hear of each file that was uploaded or removed. It is set while wiring.
func (s *Store) OnChange(fn func(area, name string)) { s.changed = fn }

// Info is what is told of an upload.
type Info struct {
	Path string
	Size int64
	Sum  string `json:"-"` // SHA-256 in hexadecimal
}

// clean returns a path of a client as one below an area, without slashes at its ends; false when
// it leads elsewhere or is not a path.
func clean(name string) (string, bool) {
	name = strings.Trim(name, "/")
	if len(name) > 4000 || strings.ContainsAny(name, "\x00\\") {
		return "", false
	}
	for part := range strings.SplitSeq(name, "/") {
		if len(part) > 255 || hasControl(part) || part == "." || part == ".." || part == "" {
			return "", false
		}
	}
	return name, fs.ValidPath(name) && name != "."
}

func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// area opens one of the areas: links in it lead nowhere else.
func (s *Store) area(name string) (*os.Root, error) {
	if name != Files && name != Isos {
		return nil, fmt.Errorf("no area %q", name)
	}
	return s.root.OpenRoot(name)
}

// problem is an error about a file of an area, as clients are told it.
func problem(class models.Class, area, name, message string) error {
	return models.Problem(class, area, "/"+strings.Trim(name, "/"), message)
}

func notRegular(area, name string) error {
	return problem(models.NotFound, area, name, "Not a regular file")
}

// List returns what is in a folder of an area ("" for the area itself), sorted: names of files,
// and of folders with a slash at the end. With all it is the files in the folders below too, and
// no folders.
func (s *Store) List(area, dir string, all bool) ([]string, error) {
	root, err := s.area(area)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	from := "."
	if strings.Trim(dir, "/") != "" {
		var ok bool
		if from, ok = clean(dir); !ok {
			return nil, problem(models.NotFound, area, dir, "Not a folder")
		}
	}
	names := []string{}
	switch st, err := root.Stat(from); {
	case err != nil || !st.IsDir():
		return nil, problem(models.NotFound, area, dir, "Not a folder")
	case all:
		err = fs.WalkDir(root.FS(), from, func(name string, e fs.DirEntry, err error) error {
			if err == nil && regular(root, name, e) {
				names = append(names, strings.TrimPrefix(name, from+"/"))
			}
			if errors.Is(err, fs.ErrNotExist) { // removed meanwhile
				err = nil
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("list %s/%s: %w", area, dir, err)
		}
	default:
		entries, err := fs.ReadDir(root.FS(), from)
		if err != nil {
			return nil, fmt.Errorf("list %s/%s: %w", area, dir, err)
		}
		for _, e := range entries {
			name := path.Join(from, e.Name())
			if st, err := root.Stat(name); err == nil && st.IsDir() {
				names = append(names, e.Name()+"/")
			} else if err == nil && st.Mode().IsRegular() {
				names = append(names, e.Name())
			}
		}
	}
	if area == Files && from == "." {
		for name, at := range s.lent {
			if _, err := os.Stat(at); err == nil && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return names, nil
}

func regular(root *os.Root, name string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.Type().IsRegular()
	}
	st, err := root.Stat(name)
	return err == nil && st.Mode().IsRegular()
}

// File is a file of an area, open for reading.
type File struct {
	*os.File
	Info fs.FileInfo
	Sum  string // SHA-256 in hexadecimal
}

// Open opens a file of an area. Its checksum is computed when it is not known; that of a file
// that stays as it is only once.
func (s *Store) Open(ctx context.Context, area, name string) (*File, error) {
	clean, ok := clean(name)
	if !ok {
		return nil, notRegular(area, name)
	}
	f, err := s.open(area, clean)
	if err != nil {
		return nil, err
	}
	if f.Sum, err = s.sum(ctx, area+"/"+clean, f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// open is without the checksum.
func (s *Store) open(area, name string) (*File, error) {
	root, err := s.area(area)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := openRegular(root.Stat, root.Open, name)
	if at, ok := s.lent[name]; err != nil && ok && area == Files {
		f, err = openRegular(os.Stat, os.Open, at)
	}
	if err != nil {
		return nil, notRegular(area, name)
	}
	return f, nil
}

// openRegular opens no pipe, which would wait for a writer.
func openRegular(stat func(string) (fs.FileInfo, error), open func(string) (*os.File, error), name string) (*File, error) {
	if st, err := stat(name); err != nil || !st.Mode().IsRegular() {
		return nil, errors.Join(err, fs.ErrInvalid)
	}
	f, err := open(name)
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		f.Close()
		return nil, errors.Join(err, fs.ErrInvalid)
	}
	return &File{File: f, Info: st}, nil
}

// Has tells whether there is a file in an area.
func (s *Store) Has(area, name string) bool {
	name, ok := clean(name)
	if !ok {
		return false
	}
	f, err := s.open(area, name)
	if err != nil {
		return false
	}
	f.Close()
	return true
}

// Put stores all that r yields as a file, in place of the one that is there. With explode it is an
// archive that is also unpacked into its folder: both take their place, or neither.
func (s *Store) Put(ctx context.Context, area, name string, r io.Reader, explode bool) (Info, error) {
	given := name
	name, ok := clean(name)
	if !ok || strings.HasSuffix(given, "/") {
		return Info{}, problem(models.BadRequest, area, given, "Not a path of a file: it must have a name, and no part of it may be empty, . or ..")
	}
	s.placing.Lock()
	err := s.fits(area, name)
	s.placing.Unlock()
	if err != nil {
		return Info{}, err // before all of it is received
	}
	got, err := s.receive(ctx, r)
	if err != nil {
		return Info{}, err
	}
	defer s.root.RemoveAll(got.at) // is gone when all went well
	stage := ""
	if explode {
		if stage, err = s.explodeUpload(ctx, area, name, got.at); err != nil {
			return Info{}, err
		}
		defer s.root.RemoveAll(stage)
	}
	if err := s.place(area, name, got, stage); err != nil {
		return Info{}, err
	}
	s.changed(area, name)
	info := Info{Path: "/" + name, Size: got.size, Sum: got.sum}
	if area == Isos {
		info.Path = name
	}
	return info, nil
}

func (s *Store) explodeUpload(ctx context.Context, area, name, at string) (string, error) {
	stage, err := s.unpack(ctx, at)
	var bad *archiveError
	if errors.As(err, &bad) {
		return "", problem(models.Invalid, area, name, "Cannot be unpacked: "+bad.Error())
	}
	return stage, err
}

// received is a file on its way.
type received struct {
	at, sum string
	size    int64
}

func (s *Store) receive(ctx context.Context, r io.Reader) (_ *received, err error) {
	at := tmp + "/" + rand.Text()
	f, err := s.root.OpenFile(at, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("receive a file: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), s.root.Remove(at))
		}
	}()
	h := sha256.New()
	n, err := s.copy(ctx, io.MultiWriter(f, h), r)
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return nil, err
	}
	if err := f.Close(); err != nil {
		return nil, err
	}
	return &received{at, hex.EncodeToString(h.Sum(nil)), n}, nil
}

// checkEvery is how much is written between two looks at the room on the disk, in bytes.
const checkEvery = 16 << 20

// copy is io.Copy that ends with ctx, and before the disk is full.
func (s *Store) copy(ctx context.Context, w io.Writer, r io.Reader) (n int64, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		if err := s.room(); err != nil {
			return n, err
		}
		m, err := io.CopyN(w, r, checkEvery)
		n += m
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

func (s *Store) room() error {
	var st syscall.Statfs_t
	if err := syscall.Statfs(s.dir, &st); err != nil {
		return fmt.Errorf("room on the disk: %w", err)
	}
	free, total := int64(st.Bavail)*int64(st.Bsize), int64(st.Blocks)*int64(st.Bsize)
	if free < min(s.limits.Reserve, total/20) {
		return models.Problem(models.Full, "", "", fmt.Sprintf("the disk of the server is full but for %d MiB, which its database needs: make room, then send it again", free>>20))
	}
	return nil
}

// fits tells whether a file of the name can take its place: its folders are folders, and the name
// is not that of one.
func (s *Store) fits(area, name string) error {
	for dir := range parents(path.Join(area, name)) {
		st, err := s.root.Lstat(dir)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || !st.IsDir() {
			return problem(models.Conflict, area, name, "Failed to ensure final directory for "+path.Base(name)+" exists")
		}
	}
	if st, err := s.root.Lstat(path.Join(area, name)); err == nil && !st.Mode().IsRegular() {
		what := "a folder"
		if !st.IsDir() {
			what = "a link or a device"
		}
		return problem(models.Conflict, area, name, path.Base(name)+" is "+what+"; remove it first")
	}
	return nil
}

// parents yields the folders above a path, the outermost first.
func parents(name string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for i, c := range name {
			if c == '/' && !yield(name[:i]) {
				return
			}
		}
	}
}

// place puts a received file, and what was unpacked of it, where they belong.
func (s *Store) place(area, name string, got *received, stage string) error {
	s.placing.Lock()
	defer s.placing.Unlock()
	if err := s.fits(area, name); err != nil {
		return err
	}
	full := path.Join(area, name)
	if stage != "" {
		if err := s.mergeFits(area, name, stage); err != nil {
			return err
		}
	}
	if err := s.makeDirs(path.Dir(full)); err != nil {
		return err
	}
	if err := s.root.Rename(got.at, full); err != nil {
		return fmt.Errorf("place %s: %w", full, err)
	}
	if stage != "" {
		if err := s.merge(stage, path.Dir(full)); err != nil {
			return err
		}
	}
	if err := s.syncDir(path.Dir(full)); err != nil {
		return err
	}
	if st, err := s.root.Stat(full); err == nil {
		s.remember(full, st, got.sum)
	}
	return nil
}

// makeDirs makes a folder and those above it, each durably.
func (s *Store) makeDirs(dir string) error {
	for d := range parents(dir + "/") {
		err := s.root.Mkdir(d, 0o755)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err == nil {
			err = s.syncDir(path.Dir(d))
		}
		if err != nil {
			return fmt.Errorf("make folder %s: %w", d, err)
		}
	}
	return nil
}

func (s *Store) syncDir(dir string) error {
	f, err := s.root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// mergeFits looks for what is in the way of an unpacked archive.
func (s *Store) mergeFits(area, name, stage string) error {
	into := path.Dir(path.Join(area, name))
	return s.walk(stage, func(rel string, e fs.DirEntry) error {
		at := path.Join(into, rel)
		if at == path.Join(area, name) {
			return problem(models.Conflict, area, name, "the archive holds a "+rel+" of its own; upload it by another name")
		}
		st, err := s.root.Lstat(at)
		if errors.Is(err, fs.ErrNotExist) && e.IsDir() {
			return fs.SkipDir // nothing is in the way of what it holds either
		}
		if errors.Is(err, fs.ErrNotExist) || err == nil && st.IsDir() == e.IsDir() && (e.IsDir() || st.Mode()&fs.ModeSymlink == 0) {
			return nil
		}
		return problem(models.Conflict, area, name, "Cannot be unpacked: "+strings.TrimPrefix(at, area+"/")+" is in the way")
	})
}

// merge moves all of a stage into a folder: what is new there as a whole, since others wait.
func (s *Store) merge(stage, into string) error {
	err := s.walk(stage, func(rel string, e fs.DirEntry) error {
		at := path.Join(into, rel)
		if e.IsDir() {
			if _, err := s.root.Lstat(at); !errors.Is(err, fs.ErrNotExist) {
				return err // what it holds follows
			}
		}
		if err := s.root.Rename(path.Join(stage, rel), at); err != nil || !e.IsDir() {
			return err
		}
		return fs.SkipDir
	})
	if err != nil {
		return err
	}
	d, err := s.root.Open(into)
	if err != nil {
		return err
	}
	return errors.Join(syncAll(d), d.Close())
}

// walk calls fn for all in a folder, by its path from there.
func (s *Store) walk(dir string, fn func(rel string, e fs.DirEntry) error) error {
	return fs.WalkDir(s.root.FS(), dir, func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == dir {
			return err
		}
		return fn(strings.TrimPrefix(name, dir+"/"), e)
	})
}

// Delete removes a file, or a folder that is empty.
func (s *Store) Delete(area, name string) error {
	given := name
	name, ok := clean(name)
	if !ok {
		return problem(models.NotFound, area, given, "Unable to delete")
	}
	root, err := s.area(area)
	if err != nil {
		return err
	}
	defer root.Close()
	s.placing.Lock()
	err = root.Remove(name)
	if err == nil {
		s.forget(area + "/" + name)
		err = s.syncDir(area)
		if dir := path.Dir(name); dir != "." && err == nil {
			err = s.syncDir(path.Join(area, dir))
		}
		s.placing.Unlock()
		s.changed(area, name)
		return err
	}
	s.placing.Unlock()
	return problem(models.NotFound, area, name, "Unable to delete")
}
