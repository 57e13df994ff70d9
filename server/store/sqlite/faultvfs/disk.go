// Package faultvfs is a disk for tests that fails on demand and can lose its power. Below SQLite
// it is a VFS that passes everything on to that of the system, so that locks, shared memory and
// the write-ahead log are those of real use. It notes every write, cut, sync, creation, deletion
// and renaming in a watched folder; from these it rebuilds what a disk may hold after the power
// has failed at any moment, and it lets any of these operations fail. Programs must not import it.
package faultvfs

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Kind is what an operation does.
type Kind string

// The operations of a watched folder. All can fail; those up to Rename change what a loss of
// power leaves.
const (
	Create   Kind = "create" // of a file that was not there
	Write    Kind = "write"
	Truncate Kind = "truncate"
	Sync     Kind = "sync"
	SyncDir  Kind = "sync directory"
	Delete   Kind = "delete"
	Rename   Kind = "rename"
	Open     Kind = "open" // of a file that is there
	Read     Kind = "read"
	Size     Kind = "size"
	Shared   Kind = "shared memory"
)

// Op is an operation that is about to happen.
type Op struct {
	Kind Kind
	Name string // of the file within the folder
	N    int    // how many there were before it
}

// Fault is how an operation fails.
type Fault struct {
	Full  bool // the disk is full; else it is an error of the device
	Short bool // of a write: half of it is carried out
	// Evict, of a failed sync: what was not written is forgotten at once, so that it can no longer
	// be read. Else it can be read until the power fails; but no later sync writes it, for the
	// system takes it for written.
	Evict bool
}

// Disk is a watched folder. Its methods are safe for concurrent use.
type Disk struct {
	dir string

	mu     sync.Mutex
	log    []op
	files  map[string]int // the number of each file by its name now
	made   int            // numbers given to files
	ops    int            // operations tried
	decide func(Op) *Fault
	deaf   func(Kind, string) bool
	random *rand.Rand
}

// op is an operation that was carried out.
type op struct {
	kind   Kind
	file   int    // its number
	name   string // Create, Delete, Rename, Sync
	to     string // Rename
	off    int64  // Write; Truncate: the size
	data   []byte // Write
	failed uint64 // Sync: 0, or the seed that decides what reached the disk nevertheless
}

// Watch makes a folder a Disk until the test ends. What is there is on the disk. Seed decides what
// a failed sync has written.
func Watch(t testing.TB, dir string, seed uint64) *Disk {
	t.Helper()
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	d := &Disk{dir: dir, files: map[string]int{}, random: rand.New(rand.NewPCG(seed, 1))}
	found, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if !f.Type().IsRegular() || passing(f.Name()) {
			continue
		}
		data, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		n := d.number(f.Name())
		d.log = append(d.log, op{kind: Create, file: n, name: f.Name()}, op{kind: Write, file: n, data: data}, op{kind: Sync, file: n})
	}
	d.log = append(d.log, op{kind: SyncDir})
	if err := register(); err != nil {
		t.Fatal(err)
	}
	disks.Store(dir, d)
	t.Cleanup(func() { disks.Delete(dir) })
	return d
}

// End forgets the disk before its test ends. Nothing may have a file of it open any more.
func (d *Disk) End() {
	disks.Delete(d.dir)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.log = nil
}

// passing files do not outlive their process, whatever they hold.
func passing(name string) bool {
	return strings.HasSuffix(name, "-shm") || strings.HasSuffix(name, ".lock")
}

// disks are the watched folders by path.
var disks sync.Map

// diskOf finds the Disk that a file is on, or nil.
func diskOf(path string) (*Disk, string) {
	d, ok := disks.Load(filepath.Dir(path))
	if name := filepath.Base(path); ok && !passing(name) {
		return d.(*Disk), name
	}
	return nil, ""
}

// Fail lets decide choose which operations fail from now on; a nil Fault lets one pass, a nil
// function all. It must not call the Disk.
func (d *Disk) Fail(decide func(Op) *Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.decide = decide
}

// Ignore makes the disk a liar from now on: a sync of what deaf chooses, a file or the folder, is
// acknowledged and not done. Tests that look for losses show with it that they find them.
func (d *Disk) Ignore(deaf func(kind Kind, name string) bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.deaf = deaf
}

// Ops is how many operations were tried.
func (d *Disk) Ops() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.ops
}

// Now is a moment: what has happened before it is that of all later ones.
func (d *Disk) Now() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.log)
}

// begin locks the Disk for an operation and decides whether it fails. Whoever begins ends with
// d.mu.Unlock.
func (d *Disk) begin(kind Kind, name string) *Fault {
	d.mu.Lock()
	o := Op{Kind: kind, Name: name, N: d.ops}
	d.ops++
	if d.decide == nil {
		return nil
	}
	return d.decide(o)
}

// number is that of the file with a name, a new one where there is none.
func (d *Disk) number(name string) int {
	n, ok := d.files[name]
	if !ok {
		d.made++
		n = d.made
		d.files[name] = n
	}
	return n
}

func (d *Disk) exists(name string) bool {
	_, ok := d.files[name]
	return ok
}

// note adds an operation that was carried out.
func (d *Disk) note(o op) {
	if (o.kind == Sync || o.kind == SyncDir) && d.deaf != nil && d.deaf(o.kind, o.name) {
		return
	}
	switch o.kind {
	case Create:
		o.file = d.number(o.name)
	case Delete:
		delete(d.files, o.name)
	case Rename:
		o.file = d.files[o.name]
		d.files[o.to] = o.file
		delete(d.files, o.name)
	}
	d.log = append(d.log, o)
}

// noteFailed notes a sync that failed, and forgets what did not reach the disk if the fault says so.
func (d *Disk) noteFailed(n int, name string, f *Fault) error {
	d.note(op{kind: Sync, file: n, name: name, failed: d.random.Uint64() | 1})
	if !f.Evict || d.files[name] != n {
		return nil
	}
	return os.WriteFile(filepath.Join(d.dir, name), d.at(len(d.log)).files[n].durable, 0o600)
}

// err is the fault as the system would tell it.
func (f *Fault) err(kind Kind, name string) error {
	return &fs.PathError{Op: string(kind), Path: name, Err: f.errno()}
}

// The rest are the operations of Go code on a watched folder.

// OpenFile is os.OpenFile.
func (d *Disk) OpenFile(path string, flag int, perm fs.FileMode) (*os.File, error) {
	name := filepath.Base(path)
	d.mu.Lock()
	kind := Open
	if flag&os.O_CREATE != 0 && !d.exists(name) && path != d.dir {
		kind = Create
	}
	d.mu.Unlock()
	f := d.begin(kind, name)
	defer d.mu.Unlock()
	if f != nil {
		return nil, f.err(kind, path)
	}
	file, err := os.OpenFile(path, flag, perm)
	if err == nil && kind == Create {
		d.note(op{kind: Create, name: name})
	}
	if err == nil && kind == Open && flag&os.O_TRUNC != 0 {
		d.note(op{kind: Truncate, file: d.number(name)})
	}
	return file, err
}

// WriteAt is File.WriteAt.
func (d *Disk) WriteAt(file *os.File, b []byte, off int64) error {
	name := filepath.Base(file.Name())
	f := d.begin(Write, name)
	defer d.mu.Unlock()
	if f != nil && !f.Short {
		return f.err(Write, file.Name())
	}
	if f != nil {
		b = b[:len(b)/2]
	}
	if _, err := file.WriteAt(b, off); err != nil {
		return err
	}
	d.note(op{kind: Write, file: d.number(name), off: off, data: slices.Clone(b)})
	if f != nil {
		return f.err(Write, file.Name())
	}
	return nil
}

// Sync is File.Sync, of a file or of the folder itself.
func (d *Disk) Sync(file *os.File) error {
	name, kind := filepath.Base(file.Name()), Sync
	if file.Name() == d.dir {
		kind = SyncDir
	}
	f := d.begin(kind, name)
	defer d.mu.Unlock()
	switch {
	case f != nil && kind == Sync:
		if err := d.noteFailed(d.number(name), name, f); err != nil {
			return err
		}
		return f.err(kind, file.Name())
	case f != nil:
		return f.err(kind, file.Name())
	case kind == SyncDir:
		d.note(op{kind: SyncDir})
	default:
		d.note(op{kind: Sync, file: d.number(name), name: name})
	}
	return nil
}

// Rename is os.Rename within the folder.
func (d *Disk) Rename(from, to string) error {
	f := d.begin(Rename, filepath.Base(from))
	defer d.mu.Unlock()
	if f != nil {
		return f.err(Rename, from)
	}
	if err := os.Rename(from, to); err != nil {
		return err
	}
	d.note(op{kind: Rename, name: filepath.Base(from), to: filepath.Base(to)})
	return nil
}

// Remove is os.Remove.
func (d *Disk) Remove(path string) error {
	f := d.begin(Delete, filepath.Base(path))
	defer d.mu.Unlock()
	if f != nil {
		return f.err(Delete, path)
	}
	if err := os.Remove(path); err != nil {
		return err
	}
	d.note(op{kind: Delete, name: filepath.Base(path)})
	return nil
}

// String tells an operation, for messages of tests.
func (o Op) String() string { return fmt.Sprintf("operation %d, %s of %s", o.N, o.Kind, o.Name) }
