package app

import (
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// headerTimeout is how long the headers of a request may take, and the handshake before.
func headerTimeout(stall time.Duration) time.Duration {
	if stall <= 0 {
		return 10 * time.Second
	}
	return min(10*time.Second, stall)
}

// patience is a listener whose connections may not stand still while something is sent to them:
// one that takes nothing for so long is closed. A server's own timeout would count from the
// request, and so end long polls and large answers over slow lines. It also bounds how many there
// are, so that the server has files left to open for its own work.
type patience struct {
	net.Listener
	stall time.Duration // 0: for ever
	most  int
	open  *atomic.Int64 // of all ports together
	log   *slog.Logger
	told  atomic.Int64 // when the log was told that there are too many, in Unix seconds
}

// spare is how many files the server keeps for itself: the database, logs, uploads.
const spare = 256

// patient wraps a listener. Open counts the connections, of other listeners too; a most of 0 is
// what the limit of open files allows.
func patient(l net.Listener, stall time.Duration, open *atomic.Int64, most int, log *slog.Logger) *patience {
	if most == 0 {
		most = filesLimit() - spare
	}
	return &patience{Listener: l, stall: stall, open: open, most: most, log: log}
}

// filesLimit is how many files this process may have open. Go raises that at the start as far as
// it may.
func filesLimit() int {
	var r syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &r); err != nil || r.Cur > 1<<20 {
		return 1 << 20
	}
	return max(int(r.Cur), 2*spare)
}

// Accept closes who comes while there are too many: to let them wait would look like a server
// that is down, for as long as it lasts.
func (p *patience) Accept() (net.Conn, error) {
	for {
		c, err := p.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if p.open.Add(1) <= int64(p.most) {
			return &conn{Conn: c, of: p}, nil
		}
		p.open.Add(-1)
		c.Close()
		if now := time.Now().Unix(); now > p.told.Load()+60 {
			p.told.Store(now)
			p.log.Warn("too many connections: new ones are closed at once; see --limit-connections, and ulimit -n", "open", p.most, "from", c.RemoteAddr())
		}
	}
}

// conn is one connection of a patience.
type conn struct {
	net.Conn
	of   *patience
	once sync.Once
}

func (c *conn) Close() error {
	c.once.Do(func() { c.of.open.Add(-1) })
	return c.Conn.Close()
}

// CloseWrite is what net/http asks of a connection that it closes while more comes in.
func (c *conn) CloseWrite() error {
	if w, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return w.CloseWrite()
	}
	return nil
}

func (c *conn) wait() {
	if c.of.stall > 0 {
		c.Conn.SetWriteDeadline(time.Now().Add(c.of.stall)) // an error shows in the write
	}
}

// piece is how much of something large is sent within one stall, at least.
const piece = 64 << 10

func (c *conn) Write(b []byte) (int, error) {
	n := 0
	for {
		c.wait()
		m, err := c.Conn.Write(b[n:min(len(b), n+piece)])
		if n += m; err != nil || n == len(b) {
			return n, err
		}
	}
}

// ReadFrom lets the kernel send files by itself, as it does for connections that are not wrapped.
func (c *conn) ReadFrom(r io.Reader) (n int64, err error) {
	to, ok := c.Conn.(io.ReaderFrom)
	if !ok {
		return io.Copy(struct{ io.Writer }{c}, r)
	}
	left := int64(1<<63 - 1)
	if l, ok := r.(*io.LimitedReader); ok { // unwrapped, since the kernel is asked for one layer only
		defer func() { l.N -= n }()
		r, left = l.R, l.N
	}
	for n < left {
		c.wait()
		m, err := to.ReadFrom(io.LimitReader(r, min(piece, left-n)))
		if n += m; err != nil || m == 0 {
			return n, err
		}
	}
	return n, nil
}
