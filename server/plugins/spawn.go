package plugins

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"drp/server/objects"
)

// spawner starts programs on one thread that lives as long as they do: on Linux their kernel kills
// them when the thread that started them ends, and so when the server is killed.
type spawner struct {
	ask  chan func()
	quit chan struct{}
	once sync.Once
}

func newSpawner() *spawner {
	s := &spawner{ask: make(chan func()), quit: make(chan struct{})}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for {
			select {
			case f := <-s.ask:
				f()
			case <-s.quit:
				return
			}
		}
	}()
	return s
}

// close ends the thread; all programs have ended by then.
func (s *spawner) close() { s.once.Do(func() { close(s.quit) }) }

// start starts a program as the leader of a process group of its own. One that was written a
// moment ago is busy for as long as another program that starts holds a copy of its file: then it
// is tried again.
func (s *spawner) start(command func() *exec.Cmd) (cmd *exec.Cmd, err error) {
	for range 100 {
		done := make(chan struct{})
		select {
		case s.ask <- func() {
			defer close(done)
			cmd = command()
			cmd.SysProcAttr = group()
			err = cmd.Start()
		}:
			<-done
		case <-s.quit:
			return nil, objects.ErrStopping
		}
		if !errors.Is(err, syscall.ETXTBSY) {
			return cmd, err
		}
		time.Sleep(10 * time.Millisecond)
	}
	return cmd, err
}

// maxAnswer bounds what a program or a process may answer, in bytes.
const maxAnswer = 16 << 20

// limited keeps what is written up to a bound; beyond it over is called, and nothing is kept.
type limited struct {
	text bytes.Buffer
	most int
	over func()
}

func (l *limited) Write(b []byte) (int, error) {
	if l.text.Len()+len(b) > l.most {
		l.over()
		return len(b), nil
	}
	return l.text.Write(b)
}

// tail keeps the end of what is written.
type tail struct{ text []byte }

func (t *tail) Write(b []byte) (int, error) {
	t.text = append(t.text, b...)
	if n := len(t.text); n > 4096 {
		t.text = append([]byte(nil), t.text[n-2048:]...)
	}
	return len(b), nil
}

func (t *tail) String() string { return strings.TrimSpace(strings.ToValidUTF8(string(t.text), "?")) }

// ask runs a program to its end, within bounds of time and output, and returns what it prints.
func (s *Service) ask(ctx context.Context, program string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(s.cfg.Define, func() { cancel(fmt.Errorf("it takes longer than %s", s.cfg.Define)) })
	defer timer.Stop()
	out := &limited{most: maxAnswer, over: func() { cancel(fmt.Errorf("it prints more than %d MiB", maxAnswer>>20)) }}
	words := &tail{}
	cmd, err := s.spawn.start(func() *exec.Cmd {
		cmd := exec.Command(program, args...)
		// The word catalog for a token asks a provider for what it knows without a server.
		cmd.Env = append(plainEnv(), "RS_TOKEN=catalog")
		cmd.Dir, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = "/", out, words, time.Second
		return cmd
	})
	if err != nil {
		return nil, fmt.Errorf("%s cannot be run: %w", args[0], err)
	}
	stop := context.AfterFunc(ctx, func() { kill(cmd) })
	err = cmd.Wait()
	stop()
	kill(cmd) // what it has left behind
	if why := context.Cause(ctx); why != nil {
		return nil, fmt.Errorf("%s was ended: %w", args[0], why)
	}
	if errors.Is(err, exec.ErrWaitDelay) {
		err = nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s fails: %w: %s", args[0], err, words)
	}
	return out.text.Bytes(), nil
}

// lines calls fn for each line, of which no more than a bound is kept.
func lines(r io.Reader, fn func(string)) {
	const most = 8 << 10
	buf, line, cut := make([]byte, 32<<10), []byte{}, false
	flush := func() {
		if text := strings.TrimRight(strings.ToValidUTF8(string(line), "?"), "\r"); text != "" {
			if cut {
				text += " …"
			}
			fn(text)
		}
		line, cut = line[:0], false
	}
	for {
		n, err := r.Read(buf)
		for part := buf[:n]; len(part) > 0; {
			i := bytes.IndexByte(part, '\n')
			end := i
			if i < 0 {
				end = len(part)
			}
			room := min(most-len(line), end)
			line, cut = append(line, part[:room]...), cut || room < end
			if i < 0 {
				break
			}
			flush()
			part = part[i+1:]
		}
		if err != nil {
			flush()
			return
		}
	}
}
