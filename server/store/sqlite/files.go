package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"drp/server/store"
)

// files is what the engine asks of the file system where SQLite does not do it. Tests note what it
// asks, and let it fail.
type files interface {
	OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error)
	WriteAt(f *os.File, b []byte, off int64) error
	Sync(f *os.File) error // of a file or a folder
	Rename(from, to string) error
	Remove(name string) error
}

// system is the file system.
type system struct{}

func (system) OpenFile(name string, flag int, perm fs.FileMode) (*os.File, error) {
	return os.OpenFile(name, flag, perm)
}
func (system) WriteAt(f *os.File, b []byte, off int64) error {
	_, err := f.WriteAt(b, off)
	return err
}
func (system) Sync(f *os.File) error        { return f.Sync() }
func (system) Rename(from, to string) error { return os.Rename(from, to) }
func (system) Remove(name string) error     { return os.Remove(name) }

// resolve gives the one name of a file that may have several, so that all lead to one lock.
func resolve(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	found, err := filepath.EvalSymlinks(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return found, err
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(path))
	return filepath.Join(dir, filepath.Base(path)), err
}

// lock takes the lock of a database, a file of its own: SQLite has its own locks on the database
// file, and loses them when any descriptor of that file is closed. The system drops the lock
// with the process, however that ends; the file stays.
func lock(path string) (*os.File, error) {
	f, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock: %w", err)
	}
	err = flock(f)
	if err == nil {
		return f, nil
	}
	f.Close()
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, fmt.Errorf("%w, which holds %s", store.ErrLocked, f.Name())
	}
	return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
}

func flock(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// create makes an empty database where there is none, private from its first moment and sure to
// be found after a loss of power; SQLite gives its further files the same mode. One that is there
// must be writable: SQLite itself would open it and fail at the first write.
func create(sys files, path string) error {
	f, err := sys.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		f, err = sys.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	}
	if err != nil {
		return err
	}
	if err := errors.Join(sys.Sync(f), f.Close()); err != nil {
		return fmt.Errorf("sync: %w", err)
	}
	return syncDir(sys, path)
}

// syncDir makes the names of the files beside path durable.
func syncDir(sys files, path string) error {
	d, err := sys.OpenFile(filepath.Dir(path), os.O_RDONLY, 0)
	if err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	if err := errors.Join(sys.Sync(d), d.Close()); err != nil {
		return fmt.Errorf("sync directory: %w", err)
	}
	return nil
}
