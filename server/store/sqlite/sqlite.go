// Package sqlite is the engine that comes embedded: one SQLite database with a write-ahead log,
// one connection that writes, and others that read snapshots beside it.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the driver "sqlite"

	"drp/migrations"
	"drp/server/store"
)

// Engine is a store in one SQLite database. While it is open no other process may write to the
// database, for the engine remembers the revision of every record.
type Engine struct {
	path    string
	files   files
	lock    *os.File
	readers *sql.DB
	writer  *writer
	turn    chan struct{} // holds a value while somebody uses the writer
	newest  atomic.Uint64 // revision that is durable
	log     journal

	closing context.Context // ends when Close begins
	close   context.CancelFunc
	tidied  chan struct{} // closed when tidy has ended; nil: it never began
	once    sync.Once
	closed  error // what the one Close found
}

var _ store.Engine = (*Engine)(nil)

// Open opens the database at path, and makes it where there is none; its directory must exist.
// Its files are readable by their owner only. The error is store.ErrLocked while another Engine,
// of this or another process, has the database open.
func Open(ctx context.Context, path string, advance Advance) (*Engine, error) {
	e, err := open(ctx, path, advance, system{})
	if err != nil {
		return nil, fmt.Errorf("open store %s: %w", path, err)
	}
	return e, nil
}

func open(ctx context.Context, path string, advance Advance, sys files) (_ *Engine, err error) {
	if path, err = resolve(path); err != nil {
		return nil, err
	}
	e := &Engine{path: path, files: sys, turn: make(chan struct{}, 1)}
	e.closing, e.close = context.WithCancel(context.Background())
	if e.lock, err = lock(path); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			e.Close()
		}
	}()
	if err := create(sys, path); err != nil {
		return nil, err
	}
	if err := renewLog(sys, path); err != nil {
		return nil, err
	}
	db, err := connect(path)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	e.writer = &writer{db: db, advance: advance, lag: lag{slack: usual}}
	if err := e.beginLog(ctx, db); err != nil {
		return nil, err
	}
	if err := migrate(ctx, db); err != nil {
		return nil, err
	}
	if err := e.writer.start(ctx); err != nil {
		return nil, err
	}
	e.raise(e.writer.rev)
	if e.readers, err = connect(path); err != nil {
		return nil, err
	}
	if err := syncDir(sys, path); err != nil {
		return nil, err
	}
	e.tidied = make(chan struct{})
	go e.tidy()
	return e, nil
}

// connect prepares connections to the database. FULL is what makes a commit wait for the disk; what
// becomes of the log is for tendLog to decide.
func connect(path string) (*sql.DB, error) {
	dsn := url.URL{Scheme: "file", Path: path, RawQuery: url.Values{"_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "wal_autocheckpoint(0)",
	}}.Encode()}
	return sql.Open("sqlite", dsn.String())
}

// migrate brings the database to the newest form. One that a newer drp has changed is refused.
func migrate(ctx context.Context, db *sql.DB) error {
	p, err := goose.NewProvider(goose.DialectSQLite3, db, migrations.FS)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	have, known, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the version of the database: %w", err)
	}
	if have > known {
		return fmt.Errorf("a newer drp has changed the database: it has version %d, this drp knows up to %d", have, known)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the database from version %d to %d: %w", have, known, err)
	}
	return nil
}

// acquire waits for the writer. Whoever got it gives it back with release.
func (e *Engine) acquire(ctx context.Context) error {
	if err := e.usable(ctx); err != nil {
		return err
	}
	select {
	case e.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	case <-e.closing.Done():
		return store.ErrClosed
	}
	if err := e.usable(ctx); err != nil {
		<-e.turn
		return err
	}
	return nil
}

func (e *Engine) release() {
	e.tendLog()
	<-e.turn
}

// usable tells why nothing can be begun, if so.
func (e *Engine) usable(ctx context.Context) error {
	if e.closing.Err() != nil {
		return store.ErrClosed
	}
	return ctx.Err()
}

// Close ends the engine. A commit under way is finished first; reads under way end with
// store.ErrClosed. Further calls return what the first one did.
func (e *Engine) Close() error {
	e.once.Do(func() {
		e.close()
		if e.tidied != nil {
			<-e.tidied
		}
		e.turn <- struct{}{} // for good
		if e.tidied != nil {
			_ = e.level(context.Background()) // what stays late is made again from history
		}
		e.closed = e.end()
	})
	return e.closed
}

// end closes what open has opened, the lock last.
func (e *Engine) end() error {
	var errs []error
	if err := e.distrust(); err != nil {
		// To close SQLite now would write what can no longer be trusted; the end of the process will
		// not, and the next begins with the log.
		return fmt.Errorf("close store %s: %w", e.path, err)
	}
	if e.readers != nil {
		errs = append(errs, e.readers.Close())
	}
	if e.writer != nil {
		errs = append(errs, e.writer.close())
	}
	if err := errors.Join(append(errs, e.log.end(), e.lock.Close())...); err != nil {
		return fmt.Errorf("close store %s: %w", e.path, err)
	}
	return nil
}
