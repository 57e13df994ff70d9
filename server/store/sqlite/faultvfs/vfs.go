package faultvfs

import (
	"fmt"
	"sync"
	"syscall"
	"unsafe"

	"modernc.org/libc"
	sqlite3 "modernc.org/sqlite/lib"
)

// The VFS becomes the default of the process, so that whatever opens a database in a watched
// folder uses it; files elsewhere go straight to the VFS of the system. It has no memory mapping
// (xFetch), which drp does not use.

// file is a sqlite3_file of ours; that of the system lies behind it.
type file struct {
	methods uintptr
	disk    uintptr // the number of an *opened
}

const head = unsafe.Sizeof(file{})

// opened is a file that is open.
type opened struct {
	disk *Disk
	name string
	file int // its number, which stays when the name goes
	// synced is set once the system has synced the file: SQLite's VFS then syncs the folder of a new
	// log as well. Later syncs are noted only, for nobody pulls the plug of the machine under test.
	synced bool
}

var (
	system  *sqlite3.Tsqlite3_vfs // the VFS of the system
	ours    sqlite3.Tsqlite3_vfs
	methods sqlite3.Tsqlite3_io_methods

	handles struct {
		sync.RWMutex
		open map[uintptr]*opened
		last uintptr
	}

	openDirectory uintptr  // SQLite calls it just before it syncs a folder
	syncedDir     sync.Map // *libc.TLS -> true: a folder was synced in the call under way
)

// register makes ours the default VFS, once.
var register = sync.OnceValue(func() error {
	tls := libc.NewTLS()
	found := sqlite3.Xsqlite3_vfs_find(tls, 0)
	if found == 0 {
		return fmt.Errorf("SQLite has no VFS")
	}
	system = (*sqlite3.Tsqlite3_vfs)(at(found))
	name, err := libc.CString("openDirectory")
	if err != nil {
		return err
	}
	openDirectory = as[func(*libc.TLS, uintptr, uintptr) uintptr](system.FxGetSystemCall)(tls, found, name)
	if rc := as[func(*libc.TLS, uintptr, uintptr, uintptr) int32](system.FxSetSystemCall)(tls, found, name, pointer(openDir)); rc != sqlite3.SQLITE_OK {
		return fmt.Errorf("replace openDirectory: %d", rc)
	}
	handles.open = map[uintptr]*opened{}
	methods = sqlite3.Tsqlite3_io_methods{
		FiVersion: 2, FxClose: pointer(xClose), FxRead: pointer(xRead), FxWrite: pointer(xWrite),
		FxTruncate: pointer(xTruncate), FxSync: pointer(xSync), FxFileSize: pointer(xFileSize),
		FxLock: pointer(xLock), FxUnlock: pointer(xUnlock), FxCheckReservedLock: pointer(xCheckReservedLock),
		FxFileControl: pointer(xFileControl), FxSectorSize: pointer(xSectorSize),
		FxDeviceCharacteristics: pointer(xDeviceCharacteristics), FxShmMap: pointer(xShmMap),
		FxShmLock: pointer(xShmLock), FxShmBarrier: pointer(xShmBarrier), FxShmUnmap: pointer(xShmUnmap),
	}
	ours = *system
	if ours.FzName, err = libc.CString("drp-fault"); err != nil {
		return err
	}
	ours.FszOsFile += int32(head)
	ours.FxOpen, ours.FxDelete = pointer(xOpen), pointer(xDelete)
	if rc := sqlite3.Xsqlite3_vfs_register(tls, address(&ours), 1); rc != sqlite3.SQLITE_OK {
		return fmt.Errorf("register: %d", rc)
	}
	return nil
})

// as makes a C function pointer a Go function.
func as[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&p)) }

// pointer makes a top-level Go function a C function pointer.
func pointer(f any) uintptr { return (*[2]uintptr)(unsafe.Pointer(&f))[1] }

// address is that of a variable that never moves.
func address[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// at is C memory.
func at(p uintptr) unsafe.Pointer { return *(*unsafe.Pointer)(unsafe.Pointer(&p)) }

// below is the system's file of one of ours, and its methods.
func below(f uintptr) (uintptr, *sqlite3.Tsqlite3_io_methods) {
	f += head
	return f, (*sqlite3.Tsqlite3_io_methods)(at((*sqlite3.Tsqlite3_file)(at(f)).FpMethods))
}

func of(f uintptr) *opened {
	handles.RLock()
	defer handles.RUnlock()
	return handles.open[(*file)(at(f)).disk]
}

func (f *Fault) errno() error {
	if f.Full {
		return syscall.ENOSPC
	}
	return syscall.EIO
}

// code is SQLite's for a fault: full, where that can be told, or the error of the operation.
func (f *Fault) code(ioerr int32) int32 {
	if f.Full && (ioerr == sqlite3.SQLITE_IOERR_WRITE || ioerr == sqlite3.SQLITE_IOERR_TRUNCATE) {
		return sqlite3.SQLITE_FULL
	}
	return ioerr
}

// openDir notes that the call under way syncs a folder.
func openDir(tls *libc.TLS, path, fd uintptr) int32 {
	if d, _ := diskOf(libc.GoString(path)); d != nil {
		syncedDir.Store(tls, true)
	}
	return as[func(*libc.TLS, uintptr, uintptr) int32](openDirectory)(tls, path, fd)
}

func (d *Disk) noteDir(tls *libc.TLS) {
	if _, synced := syncedDir.LoadAndDelete(tls); synced {
		d.note(op{kind: SyncDir})
	}
}

func xOpen(tls *libc.TLS, _, name, f uintptr, flags int32, out uintptr) int32 {
	open := as[func(*libc.TLS, uintptr, uintptr, uintptr, int32, uintptr) int32](system.FxOpen)
	var d *Disk
	var base string
	if name != 0 {
		d, base = diskOf(libc.GoString(name))
	}
	if d == nil {
		return open(tls, address(system), name, f, flags, out)
	}
	*(*file)(at(f)) = file{}
	d.mu.Lock()
	kind := Open
	if flags&sqlite3.SQLITE_OPEN_CREATE != 0 && !d.exists(base) {
		kind = Create
	}
	d.mu.Unlock()
	fault := d.begin(kind, base)
	defer d.mu.Unlock()
	if fault != nil {
		return sqlite3.SQLITE_CANTOPEN
	}
	if rc := open(tls, address(system), name, f+head, flags, out); rc != sqlite3.SQLITE_OK {
		return rc
	}
	if !d.exists(base) {
		d.note(op{kind: Create, name: base})
	}
	handles.Lock()
	defer handles.Unlock()
	handles.last++
	handles.open[handles.last] = &opened{disk: d, name: base, file: d.number(base)}
	*(*file)(at(f)) = file{methods: address(&methods), disk: handles.last}
	return sqlite3.SQLITE_OK
}

func xDelete(tls *libc.TLS, _, name uintptr, sync int32) int32 {
	remove := as[func(*libc.TLS, uintptr, uintptr, int32) int32](system.FxDelete)
	d, base := diskOf(libc.GoString(name))
	if d == nil {
		return remove(tls, address(system), name, sync)
	}
	fault := d.begin(Delete, base)
	defer d.mu.Unlock()
	if fault != nil {
		return sqlite3.SQLITE_IOERR_DELETE
	}
	rc := remove(tls, address(system), name, sync)
	if rc == sqlite3.SQLITE_OK {
		d.note(op{kind: Delete, name: base})
	}
	d.noteDir(tls)
	return rc
}

func xClose(tls *libc.TLS, f uintptr) int32 {
	handles.Lock()
	delete(handles.open, (*file)(at(f)).disk)
	handles.Unlock()
	low, m := below(f)
	return as[func(*libc.TLS, uintptr) int32](m.FxClose)(tls, low)
}

func xRead(tls *libc.TLS, f, buf uintptr, n int32, off int64) int32 {
	o := of(f)
	fault := o.disk.begin(Read, o.name)
	defer o.disk.mu.Unlock()
	if fault != nil {
		return sqlite3.SQLITE_IOERR_READ
	}
	low, m := below(f)
	return as[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](m.FxRead)(tls, low, buf, n, off)
}

func xWrite(tls *libc.TLS, f, buf uintptr, n int32, off int64) int32 {
	o := of(f)
	fault := o.disk.begin(Write, o.name)
	defer o.disk.mu.Unlock()
	if fault != nil && !fault.Short {
		return fault.code(sqlite3.SQLITE_IOERR_WRITE)
	}
	if fault != nil {
		n /= 2
	}
	low, m := below(f)
	if rc := as[func(*libc.TLS, uintptr, uintptr, int32, int64) int32](m.FxWrite)(tls, low, buf, n, off); rc != sqlite3.SQLITE_OK {
		return rc
	}
	data := append([]byte{}, unsafe.Slice((*byte)(at(buf)), n)...)
	o.disk.note(op{kind: Write, file: o.file, off: off, data: data})
	if fault != nil {
		return fault.code(sqlite3.SQLITE_IOERR_WRITE)
	}
	return sqlite3.SQLITE_OK
}

func xTruncate(tls *libc.TLS, f uintptr, size int64) int32 {
	o := of(f)
	fault := o.disk.begin(Truncate, o.name)
	defer o.disk.mu.Unlock()
	if fault != nil {
		return fault.code(sqlite3.SQLITE_IOERR_TRUNCATE)
	}
	low, m := below(f)
	rc := as[func(*libc.TLS, uintptr, int64) int32](m.FxTruncate)(tls, low, size)
	if rc == sqlite3.SQLITE_OK {
		o.disk.note(op{kind: Truncate, file: o.file, off: size})
	}
	return rc
}

func xSync(tls *libc.TLS, f uintptr, flags int32) int32 {
	o := of(f)
	fault := o.disk.begin(Sync, o.name)
	defer o.disk.mu.Unlock()
	if fault != nil {
		_ = o.disk.noteFailed(o.file, o.name, fault) // what cannot be evicted stays
		return sqlite3.SQLITE_IOERR_FSYNC
	}
	if !o.synced {
		low, m := below(f)
		if rc := as[func(*libc.TLS, uintptr, int32) int32](m.FxSync)(tls, low, flags); rc != sqlite3.SQLITE_OK {
			return rc
		}
		o.synced = true
	}
	o.disk.note(op{kind: Sync, file: o.file, name: o.name})
	o.disk.noteDir(tls)
	return sqlite3.SQLITE_OK
}

func xFileSize(tls *libc.TLS, f, size uintptr) int32 {
	o := of(f)
	fault := o.disk.begin(Size, o.name)
	defer o.disk.mu.Unlock()
	if fault != nil {
		return sqlite3.SQLITE_IOERR_FSTAT
	}
	low, m := below(f)
	return as[func(*libc.TLS, uintptr, uintptr) int32](m.FxFileSize)(tls, low, size)
}

func xShmMap(tls *libc.TLS, f uintptr, region, size, extend int32, out uintptr) int32 {
	o := of(f)
	fault := o.disk.begin(Shared, o.name)
	defer o.disk.mu.Unlock()
	if fault != nil {
		*(*uintptr)(at(out)) = 0
		return sqlite3.SQLITE_IOERR_SHMSIZE
	}
	low, m := below(f)
	return as[func(*libc.TLS, uintptr, int32, int32, int32, uintptr) int32](m.FxShmMap)(tls, low, region, size, extend, out)
}

// The rest changes nothing on the disk.

func xLock(tls *libc.TLS, f uintptr, level int32) int32 {
	low, m := below(f)
	return as[func(*libc.TLS, uintptr, int32) int32](m.FxLock)(tls, low, level)
}

func xUnlock(tls *libc.TLS, f uintptr, level int32) int32 {
	low, m := below(f)
	return as[func(*libc.TLS, uintptr, int32) int32](m.FxUnlock)(tls, low, level)
}

func xCheckReservedLock(tls *libc.TLS, f, out uintptr) int32 {
	low, m := below(f)
	return as[func(*libc.TLS, uintptr, uintptr) int32](m.FxCheckReservedLock)(tls, low, out)
}

func xFileControl(tls *libc.TLS, f uintptr, verb int32, arg uintptr) int32 {
	low, m := below(f)
	return as[func(*libc.TLS, uintptr, int32, uintptr) int32](m.FxFileControl)(tls, low, verb, arg)
}

func xSectorSize(tls *libc.TLS, f uintptr) int32 {
	low, m := below(f)
	return as[func(*libc.TLS, uintptr) int32](m.FxSectorSize)(tls, low)
}

func xDeviceCharacteristics(tls *libc.TLS, f uintptr) int32 {
	low, m := below(f)
	return as[func(*libc.TLS, uintptr) int32](m.FxDeviceCharacteristics)(tls, low)
}

func xShmLock(tls *libc.TLS, f uintptr, offset, n, flags int32) int32 {
	low, m := below(f)
	return as[func(*libc.TLS, uintptr, int32, int32, int32) int32](m.FxShmLock)(tls, low, offset, n, flags)
}

func xShmBarrier(tls *libc.TLS, f uintptr) {
	low, m := below(f)
	as[func(*libc.TLS, uintptr)](m.FxShmBarrier)(tls, low)
}

func xShmUnmap(tls *libc.TLS, f uintptr, remove int32) int32 {
	low, m := below(f)
	return as[func(*libc.TLS, uintptr, int32) int32](m.FxShmUnmap)(tls, low, remove)
}
