package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Commits go to the write-ahead log, and what is in the log is written to the database from time to
// time (a checkpoint), after which the log is written from its beginning again. A commit is as
// durable as the log, until then; so what was written to the database must be on the disk before
// the log is given up. SQLite makes sure of that unless a sync fails: where readers let it write
// only a part of the log, it does not sync that part before it counts it as written. Should the
// sync that comes later fail and the one after that succeed, the system has forgotten the part, and
// SQLite does not know. Therefore checkpoints are made here: a part is synced at once, and when
// any sync fails, all of the log counts as not written yet.

// journal is what the engine knows of the log.
type journal struct {
	db      *os.File // the database, to sync it
	shm     *os.File // what SQLite's processes share about the log
	files   files
	turns   int  // uses of the writer since the log was looked at
	suspect bool // what was written to the database may not be on the disk
}

const (
	// look is after how many uses of the writer the log is looked at.
	look = 16
	// large is how many bytes of a commit count as one more use.
	large = 64 << 10
	// enough is how many pages of the log are written to the database at a time, as with SQLite.
	enough = 1000
	// headers is the size of the two copies of the header that begin the shared memory; SQLite
	// documents it as part of its file format.
	headers = 96
)

// renewLog writes the log that an earlier process has left once more, as it can be read. What that
// process wrote and could not sync can be read and may not be on the disk for all that, and no
// later sync would write it, for the system takes it for written. But nothing may be written to
// the database that is not on the disk in the log.
func renewLog(sys files, path string) error {
	f, err := sys.OpenFile(path+"-wal", os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	b := make([]byte, 1<<20)
	for off := int64(0); ; {
		n, err := f.ReadAt(b, off)
		if n > 0 {
			if werr := sys.WriteAt(f, b[:n], off); werr != nil {
				return fmt.Errorf("write the log again: %w", werr)
			}
		}
		if off += int64(n); errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read the log: %w", err)
		}
	}
	if err := sys.Sync(f); err != nil {
		return fmt.Errorf("sync the log: %w", err)
	}
	return nil
}

// beginLog makes ready what is needed to write the log to the database. How much of it an earlier
// process has written counts for nothing: its syncs may have failed.
func (e *Engine) beginLog(ctx context.Context, db *sql.DB) error {
	var n int
	if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&n); err != nil { // makes the shared memory
		return fmt.Errorf("read the log: %w", err)
	}
	if err := e.log.begin(e.files, e.path); err != nil {
		return err
	}
	return e.log.forget()
}

// begin opens the files. They stay open: the system drops all locks that a process has on a file when
// it closes one descriptor of it.
func (j *journal) begin(sys files, path string) (err error) {
	j.files = sys
	if j.db, err = os.OpenFile(path, os.O_RDWR, 0); err != nil {
		return err
	}
	j.shm, err = os.OpenFile(path+"-shm", os.O_RDWR, 0)
	return err
}

// end closes the files, once SQLite has closed them.
func (j *journal) end() error {
	var errs []error
	for _, f := range []*os.File{j.shm, j.db} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}

// tendLog writes the log to the database when there is enough of it. Whoever has the writer calls it
// when done. What fails is tried again; commits do not depend on it.
func (e *Engine) tendLog() {
	if e.log.turns++; e.log.turns < look && !e.log.suspect {
		return
	}
	e.log.turns = 0
	var busy, frames, written int
	err := e.writer.conn.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(NOOP)").Scan(&busy, &frames, &written)
	if err == nil && frames >= enough || e.log.suspect {
		_ = e.checkpoint("PASSIVE")
	}
}

// checkpoint writes the log to the database, as far as readers let it. The caller has the writer.
func (e *Engine) checkpoint(mode string) error {
	if err := e.distrust(); err != nil {
		return err
	}
	var busy, frames, written int
	err := e.writer.conn.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &frames, &written)
	if err == nil && written != frames {
		err = e.files.Sync(e.log.db)
	}
	if err != nil {
		e.log.suspect = true
		return errors.Join(fmt.Errorf("write the log to the database: %w", err), e.distrust())
	}
	return nil
}

// distrust makes SQLite forget how much of the log it has written, if that is to be doubted. A commit
// that has failed may still stand at the end of the log, and must not come to light so; therefore
// something that means nothing is committed over it first.
func (e *Engine) distrust() error {
	if !e.log.suspect {
		return nil
	}
	if err := e.writer.probe(context.Background()); err != nil {
		return fmt.Errorf("begin the log again: %w", err)
	}
	return e.log.forget()
}

// forget makes SQLite read all about the log off the log itself again: it finds the headers in the
// shared memory spoiled, as after a crash in the middle of a change. Nothing of the log counts as
// written then.
func (j *journal) forget() error {
	if _, err := j.shm.WriteAt(make([]byte, headers), 0); err != nil {
		return fmt.Errorf("begin the log again: %w", err)
	}
	j.suspect = false
	return nil
}
