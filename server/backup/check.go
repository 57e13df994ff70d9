package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"drp/server/objects"
	"drp/server/store"
)

// Report is what a check has seen.
type Report struct {
	Revision uint64
	Made     time.Time // of a backup
	Files    int       // of a backup
	Problems Problems
}

// CheckRoot checks the data of a server, running or not. It changes nothing.
func CheckRoot(ctx context.Context, root string, tell Progress) (*Report, error) {
	if err := Finished(root); err != nil {
		return nil, err
	}
	rev, found, err := checkDatabase(ctx, filepath.Join(root, database), tell)
	return &Report{Revision: rev, Problems: found}, err
}

// CheckFile checks a backup, or a database by itself.
func CheckFile(ctx context.Context, name string, tell Progress) (*Report, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 1<<20)
	if head, _ := in.Peek(16); bytes.Equal(head, []byte("SQLite format 3\x00")) {
		rev, found, err := checkDatabase(ctx, name, tell)
		return &Report{Revision: rev, Problems: found}, err
	}
	return Check(ctx, in, tell)
}

// Check checks a backup. It unpacks the database into the folder for temporary files.
func Check(ctx context.Context, r io.Reader, tell Progress) (*Report, error) {
	scratch, err := os.MkdirTemp("", "drp-check-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(scratch)
	copied := filepath.Join(scratch, database)
	m, err := unpack(ctx, r, tell, func(h *tar.Header) (io.WriteCloser, error) {
		if h.Name != database {
			return nil, nil
		}
		return os.OpenFile(copied, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	})
	found, differs := err.(Problems)
	if err != nil && !differs {
		return nil, err
	}
	report := &Report{Revision: m.Revision, Made: m.Made, Files: len(m.Files), Problems: found}
	if _, err := os.Stat(copied); err != nil {
		report.Problems = append(report.Problems, database+": is missing from the backup")
		return report, nil
	}
	rev, problems, err := checkDatabase(ctx, copied, tell)
	report.Problems = append(report.Problems, problems...)
	if err == nil && rev != m.Revision {
		report.Problems = append(report.Problems, fmt.Sprintf("%s: is at revision %d, the manifest says %d", database, rev, m.Revision))
	}
	return report, err
}

// counted tells how much of a store has been read.
type counted struct {
	objects.Source
	tell        Progress
	done, total int64
}

func (c *counted) Back(ctx context.Context, report func(uint64, string), fn func(store.Change) error) error {
	return c.Source.Back(ctx, report, func(ch store.Change) error {
		c.done++
		c.tell.tell("checking the history", c.done, c.total)
		return fn(ch)
	})
}
