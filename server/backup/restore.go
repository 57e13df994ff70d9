package backup

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"drp/server/store"
	"drp/server/store/sqlite"
)

// Finished refuses a base root in which a restore is under way or was interrupted: what is there
// may be half of it.
func Finished(root string) error {
	_, err := os.Lstat(filepath.Join(root, marker))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return errors.Join(err, fmt.Errorf("a restore into %s is under way, or was interrupted: run drp-server restore --force again; "+
		"what was there before is kept, in folders named %s… once it has been moved", root, aside))
}

// Restore unpacks a backup into root, which is made where there is none, and returns where it put
// what was there before, or "". Without force it refuses a folder that is not empty. Nothing there
// is touched before the backup has been unpacked beside it and found sound; from then on until all
// is in place Finished fails, and so does every server.
func Restore(ctx context.Context, in io.Reader, root string, force bool, tell Progress) (m *Manifest, old string, err error) {
	r := &restoration{root: root, force: force, tell: tell, step: func() {}}
	m, err = r.run(ctx, in)
	return m, r.aside, err
}

// restoration is a Restore under way.
type restoration struct {
	root  string
	force bool
	tell  Progress
	aside string
	step  func() // called between any two changes of the disk
}

func (r *restoration) path(name string) string { return filepath.Join(r.root, name) }

func (r *restoration) run(ctx context.Context, in io.Reader) (*Manifest, error) {
	if err := os.MkdirAll(r.root, 0o700); err != nil {
		return nil, err
	}
	before, err := r.present()
	if err != nil {
		return nil, err
	}
	_, err = os.Lstat(r.path(marker))
	interrupted := err == nil
	if len(before) > 0 && !r.force {
		return nil, fmt.Errorf("%s is not empty; with --force what is there is put aside first", r.root)
	}
	held, err := sqlite.Lock(r.path(database))
	if errors.Is(err, store.ErrLocked) {
		return nil, fmt.Errorf("stop the server first: %w", err)
	}
	if err != nil {
		return nil, err
	}
	defer held.Close()
	r.step()
	if err := r.mark(); err != nil {
		return nil, err
	}
	r.step()
	m, err := r.unpack(ctx, in)
	if err != nil { // nothing has been moved: all is as it was
		os.RemoveAll(r.path(staging))
		if !interrupted {
			err = errors.Join(err, os.Remove(r.path(marker)))
		}
		return nil, err
	}
	r.step()
	if err := r.swap(before); err != nil {
		return nil, fmt.Errorf("%w; run the restore again", err)
	}
	return m, nil
}

// present lists what is in the folder, but for what restores leave and the lock.
func (r *restoration) present() ([]string, error) {
	entries, err := os.ReadDir(r.root)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		switch name := e.Name(); {
		case name == staging, name == marker, name == database+".lock", strings.HasPrefix(name, aside), name == "lost+found":
		default:
			names = append(names, name)
		}
	}
	return names, nil
}

// mark makes Finished fail, from now on and after a loss of power.
func (r *restoration) mark() error {
	f, err := os.OpenFile(r.path(marker), os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close(), syncDir(r.root))
}

// unpack unpacks into the staging folder and checks what it finds.
func (r *restoration) unpack(ctx context.Context, in io.Reader) (*Manifest, error) {
	if err := os.RemoveAll(r.path(staging)); err != nil {
		return nil, err
	}
	if err := os.Mkdir(r.path(staging), 0o700); err != nil {
		return nil, err
	}
	m, err := unpack(ctx, in, r.tell, func(h *tar.Header) (io.WriteCloser, error) {
		r.step()
		return create(filepath.Join(r.path(staging), filepath.FromSlash(h.Name)), h)
	})
	if err != nil {
		return nil, err
	}
	if err := syncDirs(r.path(staging)); err != nil {
		return nil, err
	}
	rev, found, err := checkDatabase(ctx, filepath.Join(r.path(staging), database), r.tell)
	for _, name := range []string{"-wal", "-shm"} { // what reading has made; nothing is in there
		if rerr := os.Remove(filepath.Join(r.path(staging), database+name)); !errors.Is(rerr, fs.ErrNotExist) {
			err = errors.Join(err, rerr)
		}
	}
	switch {
	case err != nil:
		return nil, err
	case len(found) > 0:
		return nil, found
	case rev != m.Revision:
		return nil, fmt.Errorf("the database is at revision %d, the manifest says %d", rev, m.Revision)
	}
	return m, nil
}

// create makes a file that is on the disk once it is closed.
func create(name string, h *tar.Header) (io.WriteCloser, error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, fs.FileMode(h.Mode).Perm())
	if err != nil {
		return nil, err
	}
	return &restored{f, h.ModTime}, nil
}

// restored is a file with the time it had.
type restored struct {
	*os.File
	at time.Time
}

func (f *restored) Close() error {
	return errors.Join(f.File.Sync(), f.File.Close(), os.Chtimes(f.Name(), f.at, f.at))
}

// swap puts aside what was there and moves what was unpacked in its place.
func (r *restoration) swap(before []string) error {
	if len(before) > 0 {
		dir, err := os.MkdirTemp(r.root, aside+time.Now().UTC().Format("20060102-150405-")+"*")
		if err != nil {
			return err
		}
		r.aside = dir
		r.step()
		if err := r.move(r.root, dir, before); err != nil {
			return err
		}
	}
	entries, err := os.ReadDir(r.path(staging))
	if err != nil {
		return err
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if err := r.move(r.path(staging), r.root, names); err != nil {
		return err
	}
	if err := errors.Join(os.RemoveAll(r.path(staging)), syncDir(r.root)); err != nil {
		return err
	}
	r.step()
	if err := os.Remove(r.path(marker)); err != nil {
		return err
	}
	return syncDir(r.root)
}

func (r *restoration) move(from, to string, names []string) error {
	for _, name := range names {
		if err := os.Rename(filepath.Join(from, name), filepath.Join(to, name)); err != nil {
			return err
		}
		r.step()
	}
	return errors.Join(syncDir(from), syncDir(to))
}

// syncDirs makes the names of all files below a folder durable.
func syncDirs(root string) error {
	return filepath.WalkDir(root, func(p string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		return syncDir(p)
	})
}

func syncDir(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
