// Package backup copies the data of a server, running or not, into one file, checks data and
// backups, and restores. A backup is a tar file: the database as it was at one moment, then what
// else lies in the base root (job logs, certificate, files), each file as it was when its turn
// came, and last the manifest, which says what must be there.
package backup

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"drp/server/objects"
	"drp/server/store/sqlite"
)

const (
	database     = "drp.db"
	manifestName = "MANIFEST.json"
	format       = 1
	// staging is where a restore unpacks, marker what stands in the folder until it is complete, and
	// aside how the folders begin that it puts what was there into.
	staging = ".restore"
	marker  = "RESTORE-UNFINISHED"
	aside   = "before-restore-"
)

// Manifest is the last file of a backup. A file without one is not a whole backup.
type Manifest struct {
	Format   int
	Made     time.Time
	Server   string // version of the server that made it
	Revision uint64 // of the database
	Files    []File
}

// File is one file of a backup.
type File struct {
	Name   string // slashes, relative to the base root
	Size   int64
	SHA256 string
}

// Progress is told what is being done and how far it is; total is 0 where that is not known. It
// may be nil.
type Progress func(doing string, done, total int64)

func (p Progress) tell(doing string, done, total int64) {
	if p != nil {
		p(doing, done, total)
	}
}

// Problems are what a check has found, a line each.
type Problems []string

func (p Problems) Error() string {
	return fmt.Sprintf("%d problems found:\n  %s", len(p), strings.Join(p, "\n  "))
}

// Options say what a backup leaves out and how it tells of itself.
type Options struct {
	Server  string // version of this server
	Without []string
	Tell    Progress
}

// Write writes a backup of the data in root to w. Scratch is a folder with room for a copy of the
// database. When the error is of type Problems the backup is complete, and carries them.
func Write(ctx context.Context, root string, w io.Writer, scratch string, o Options) (*Manifest, error) {
	root, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, err
	}
	if err := Finished(root); err != nil {
		return nil, err
	}
	copied := filepath.Join(scratch, database)
	o.Tell.tell("copying the database", 0, 0)
	if err := sqlite.Copy(ctx, filepath.Join(root, database), copied); err != nil {
		return nil, err
	}
	rev, problems, err := checkDatabase(ctx, copied, o.Tell)
	if err != nil {
		return nil, err
	}
	a := &archive{tar: tar.NewWriter(w), m: &Manifest{Format: format, Made: time.Now().UTC(), Server: o.Server, Revision: rev}, tell: o.Tell}
	if err := a.add(ctx, copied, database); err != nil {
		return nil, err
	}
	if err := a.addAll(ctx, root, o.Without); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(a.m, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := a.tar.WriteHeader(&tar.Header{Name: manifestName, Mode: 0o600, Size: int64(len(text)), ModTime: a.m.Made}); err != nil {
		return nil, err
	}
	if _, err := a.tar.Write(text); err != nil {
		return nil, err
	}
	if err := a.tar.Close(); err != nil {
		return nil, err
	}
	if len(problems) > 0 {
		return a.m, problems
	}
	return a.m, nil
}

// ToFile writes a backup to a new file, which must not lie within root. It has its name only when
// it is complete and on the disk, and is readable by its owner only: it holds all secrets.
func ToFile(ctx context.Context, root, name string, o Options) (*Manifest, error) {
	dir, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err != nil {
		return nil, err
	}
	if root, err = filepath.EvalSymlinks(root); err != nil {
		return nil, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	name = filepath.Join(dir, filepath.Base(name))
	if rel, err := filepath.Rel(root, name); err == nil && filepath.IsLocal(rel) {
		return nil, fmt.Errorf("%s lies within the data that is to be copied: choose a place outside of %s", name, root)
	}
	if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
		return nil, errors.Join(err, fmt.Errorf("%s exists: choose another name, or remove it", name))
	}
	scratch, err := os.MkdirTemp(filepath.Dir(name), filepath.Base(name)+".part-*") // with mode 0700
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	part := filepath.Join(scratch, "backup")
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	m, err := Write(ctx, root, f, scratch, o)
	problems, damaged := err.(Problems)
	if err != nil && !damaged {
		f.Close()
		return nil, err
	}
	if err := errors.Join(f.Sync(), f.Close(), os.Rename(part, name), syncDir(filepath.Dir(name))); err != nil {
		return nil, err
	}
	if damaged {
		return m, problems
	}
	return m, nil
}

// archive is a backup being written.
type archive struct {
	tar  *tar.Writer
	m    *Manifest
	tell Progress
	done int64
}

// skipped are files at the top of the base root that are no part of a backup: the database, which
// is copied by itself, and what a restore leaves.
func skipped(name string) bool {
	return name == database || strings.HasPrefix(name, database+"-") || strings.HasPrefix(name, database+".") ||
		name == staging || name == marker || name == manifestName || strings.HasPrefix(name, aside)
}

// addAll adds what else lies in the base root.
func (a *archive) addAll(ctx context.Context, root string, without []string) error {
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // it was removed meanwhile
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, p)
		if err != nil || name == "." {
			return err
		}
		leave := skipped(name)
		for _, w := range without {
			leave = leave || name == w
		}
		switch {
		case leave && d.IsDir():
			return fs.SkipDir
		case leave || !d.Type().IsRegular():
			return nil
		}
		return a.add(ctx, p, filepath.ToSlash(name))
	})
}

// add adds a file as long as it is now: logs grow meanwhile.
func (a *archive) add(ctx context.Context, p, name string) error {
	f, err := os.Open(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return err
	}
	h := &tar.Header{Name: name, Mode: int64(st.Mode().Perm()), Size: st.Size(), ModTime: st.ModTime(), Format: tar.FormatPAX}
	if err := a.tar.WriteHeader(h); err != nil {
		return err
	}
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(a.tar, sum, a.counter(ctx)), io.LimitReader(f, st.Size()))
	if err != nil {
		return fmt.Errorf("copy %s: %w", p, err)
	}
	if n != st.Size() {
		return fmt.Errorf("copy %s: it became shorter meanwhile; try again", p)
	}
	a.m.Files = append(a.m.Files, File{name, n, hex.EncodeToString(sum.Sum(nil))})
	return nil
}

func (a *archive) counter(ctx context.Context) io.Writer {
	return writerFunc(func(b []byte) (int, error) {
		a.done += int64(len(b))
		a.tell.tell("writing", a.done, 0)
		return len(b), ctx.Err()
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// unpack reads a whole backup and calls create for each of its files; where that returns nil the
// file is only read. What is not as the manifest says is Problems.
func unpack(ctx context.Context, r io.Reader, tell Progress, create func(h *tar.Header) (io.WriteCloser, error)) (*Manifest, error) {
	var m *Manifest
	var found []File
	var done int64
	for tr := tar.NewReader(r); ; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("this is no backup, or only a part of one: %w", err)
		}
		if m != nil {
			return nil, fmt.Errorf("this is no backup of drp: something follows its manifest")
		}
		if h.Name == manifestName {
			if err := json.NewDecoder(tr).Decode(&m); err != nil {
				return nil, fmt.Errorf("the manifest cannot be read: %w", err)
			}
			continue
		}
		if h.Typeflag != tar.TypeReg || !filepath.IsLocal(h.Name) || path.Clean(h.Name) != h.Name {
			return nil, fmt.Errorf("this is no backup of drp: it holds %q", h.Name)
		}
		f, err := unpackOne(tr, h, create, func(n int) error { done += int64(n); tell.tell("reading", done, 0); return ctx.Err() })
		if err != nil {
			return nil, fmt.Errorf("unpack %s: %w", h.Name, err)
		}
		found = append(found, f)
	}
	if m == nil {
		return nil, fmt.Errorf("this is no whole backup: it has no manifest at its end")
	}
	if m.Format != format {
		return nil, fmt.Errorf("a newer drp has made the backup: its format is %d, this drp knows %d", m.Format, format)
	}
	if p := compare(m.Files, found); len(p) > 0 {
		return m, p
	}
	return m, nil
}

func unpackOne(r io.Reader, h *tar.Header, create func(*tar.Header) (io.WriteCloser, error), count func(int) error) (File, error) {
	sum := sha256.New()
	counter := writerFunc(func(b []byte) (int, error) { return len(b), count(len(b)) })
	out := []io.Writer{sum, counter}
	w, err := create(h)
	if err != nil {
		return File{}, err
	}
	if w != nil {
		out = append(out, w)
	}
	n, err := io.Copy(io.MultiWriter(out...), r)
	if w != nil {
		err = errors.Join(err, w.Close())
	}
	return File{h.Name, n, digest(sum)}, err
}

func digest(h hash.Hash) string { return hex.EncodeToString(h.Sum(nil)) }

// compare tells what differs from the manifest.
func compare(want, got []File) (p Problems) {
	have := map[string]File{}
	for _, f := range got {
		if _, twice := have[f.Name]; twice {
			p = append(p, f.Name+": is in the backup twice")
		}
		have[f.Name] = f
	}
	for _, f := range want {
		switch h, ok := have[f.Name]; {
		case !ok:
			p = append(p, f.Name+": is missing from the backup")
		case h != f:
			p = append(p, f.Name+": is damaged: its content is not what was written")
		}
		delete(have, f.Name)
	}
	for _, f := range got {
		if _, extra := have[f.Name]; extra {
			p = append(p, f.Name+": is not on the manifest")
			delete(have, f.Name)
		}
	}
	return p
}

// checkDatabase looks for damage in a database, and tells its revision. The error is one of
// reading.
func checkDatabase(ctx context.Context, file string, tell Progress) (uint64, Problems, error) {
	r, err := sqlite.OpenReader(ctx, file, objects.Advance)
	if err != nil {
		return 0, nil, err
	}
	defer r.Close()
	tell.tell("checking the database", 0, 0)
	var found Problems
	damage, err := r.Damage(ctx)
	for _, d := range damage {
		found = append(found, "database: "+d)
	}
	if err == nil {
		src := counted{r, tell, 0, int64(r.Rev - r.Compacted)}
		err = objects.Check(ctx, &src, r.Rev, r.Compacted, func(where, problem string) {
			found = append(found, where+": "+problem)
		})
	}
	if err != nil && ctx.Err() == nil { // what cannot be read is damaged too
		found, err = append(found, "database: "+err.Error()), nil
	}
	return r.Rev, found, err
}
