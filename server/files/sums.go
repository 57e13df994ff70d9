package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"io/fs"
	"syscall"
	"time"

	"sync"
)

// sum is a checksum, and what tells that the file is still the one it was taken of.
type sum struct {
	Sum   string
	Size  int64
	Time  int64 // when it was written, in ns
	Inode uint64
}

func sumOf(st fs.FileInfo, hex string) sum {
	s := sum{Sum: hex, Size: st.Size(), Time: st.ModTime().UnixNano()}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		s.Inode = sys.Ino
	}
	return s
}

// holds tells whether it is the checksum of the file.
func (s sum) holds(st fs.FileInfo) bool { return s.Sum != "" && s == sumOf(st, s.Sum) }

// sum is the checksum of an open file: a known one, or one that is computed now. Many who ask for
// the same one wait for one computation.
func (s *Store) sum(ctx context.Context, full string, f *File) (string, error) {
	if known := s.recall(full); known.holds(f.Info) {
		return known.Sum, nil
	}
	one := s.summer(full)
	one.Lock()
	defer one.Unlock()
	if known := s.recall(full); known.holds(f.Info) {
		return known.Sum, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, reader{ctx, io.NewSectionReader(f, 0, f.Info.Size())}); err != nil {
		return "", err
	}
	hex := hex.EncodeToString(h.Sum(nil))
	// A file that was just written may be written to again within the resolution of its time.
	if st, err := f.Stat(); err == nil && sumOf(st, hex) == sumOf(f.Info, hex) && time.Since(st.ModTime()) > time.Second {
		s.remember(full, st, hex)
	}
	return hex, nil
}

// summer is held by who computes the checksum of a file.
func (s *Store) summer(full string) *sync.Mutex {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.summing[full] == nil {
		s.summing[full] = &sync.Mutex{}
	}
	return s.summing[full]
}

// reader ends with its context.
type reader struct {
	ctx context.Context
	io.Reader
}

func (r reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.Reader.Read(p)
}

// sumFile is where the checksum of a file is kept.
func sumFile(full string) string {
	h := sha256.Sum256([]byte(full))
	return sums + "/" + hex.EncodeToString(h[:16])
}

func (s *Store) recall(full string) sum {
	s.mu.Lock()
	known, ok := s.known[full]
	s.mu.Unlock()
	if ok {
		return known
	}
	raw, err := s.root.ReadFile(sumFile(full))
	if err != nil || json.Unmarshal(raw, &known) != nil {
		return sum{} // computed again
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if later, ok := s.known[full]; ok {
		return later
	}
	s.known[full] = known
	return known
}

// remember keeps a checksum. That it is lost in a crash does no harm.
func (s *Store) remember(full string, st fs.FileInfo, hex string) {
	known := sumOf(st, hex)
	s.mu.Lock()
	s.known[full] = known
	s.mu.Unlock()
	raw, _ := json.Marshal(known) // strings and numbers only
	_ = s.root.WriteFile(sumFile(full), raw, 0o600)
}

func (s *Store) forget(full string) {
	s.mu.Lock()
	delete(s.known, full)
	delete(s.summing, full)
	s.mu.Unlock()
	_ = s.root.Remove(sumFile(full)) // one that stays is not that of another file
}
