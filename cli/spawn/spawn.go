// Package spawn runs programs of drp on this machine for those that put them to the test: it
// starts them, watches them, and ends them as politely or as rudely as is wanted. It ends only
// processes that it has started.
package spawn

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// Process is a program that we run, in a process group of its own so that a Ctrl-C meant for us
// does not reach it. It can be started again after its end.
type Process struct {
	Name string
	Argv []string
	Env  []string // beside our own
	Dir  string
	Log  string          // file that gets what it prints
	Died chan<- *Process // is told when it ends unasked
	// Line, if set, sees each line that it prints, in order and before the end is told.
	Line func(line []byte)

	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has ended
	asked bool          // to end
}

// Start starts the program.
func (p *Process) Start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(p.Log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	cmd := exec.Command(p.Argv[0], p.Argv[1:]...)
	cmd.Env, cmd.Dir = append(os.Environ(), p.Env...), p.Dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, printed := log, make(chan struct{})
	if p.Line == nil {
		close(printed)
	} else {
		var in *os.File
		if in, out, err = os.Pipe(); err != nil {
			log.Close()
			return err
		}
		go func() {
			defer close(printed)
			defer log.Close()
			defer in.Close()
			p.read(io.TeeReader(in, log))
		}()
	}
	cmd.Stdout, cmd.Stderr = out, out
	err = cmd.Start()
	out.Close()
	if err != nil {
		<-printed
		return fmt.Errorf("start %s: %w", p.Name, err)
	}
	ended := make(chan struct{})
	p.cmd, p.ended, p.asked = cmd, ended, false
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		<-printed
		p.mu.Lock()
		unasked := !p.asked
		p.mu.Unlock()
		close(ended)
		if unasked && p.Died != nil {
			p.Died <- p
		}
	}()
	return nil
}

// read hands out lines until everybody who could print is gone.
func (p *Process) read(r io.Reader) {
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			p.Line(line)
		}
		if err != nil {
			return
		}
	}
}

// ask notes that the process is meant to end, and returns its id and what tells of its end; the
// id is 0 when it does not run.
func (p *Process) ask() (int, <-chan struct{}) {
	pid := p.PID()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = true
	return pid, p.ended
}

// PID is the id of the running process, 0 when it does not run.
func (p *Process) PID() int {
	cmd, ended := p.current()
	select {
	case <-ended:
		return 0
	default:
		return cmd.Process.Pid
	}
}

// Ended is closed when the process last started has ended.
func (p *Process) Ended() <-chan struct{} {
	_, ended := p.current()
	return ended
}

func (p *Process) current() (*exec.Cmd, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		never := make(chan struct{})
		close(never)
		return nil, never
	}
	return p.cmd, p.ended
}

// Kill ends it as a crash would (kill -9), and returns when it has ended.
func (p *Process) Kill() {
	if pid, ended := p.ask(); pid != 0 {
		_ = syscall.Kill(pid, syscall.SIGKILL) // that it has just ended is as good
		<-ended
	}
}

// Terminate asks it to end (SIGTERM), and does not wait for that.
func (p *Process) Terminate() error {
	pid, _ := p.ask()
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end %s: %w", p.Name, err)
	}
	return nil
}

// Stop asks it to end, and after a grace kills it and what is left of its group.
func (p *Process) Stop(grace time.Duration) error {
	pid := p.PID()
	if pid == 0 {
		return nil
	}
	ended := p.Ended()
	if err := p.Terminate(); err != nil {
		return err
	}
	select {
	case <-ended:
		return nil
	case <-time.After(grace):
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL) // its group; that it has just ended is as good
	<-ended
	return fmt.Errorf("%s did not end within %s and was killed", p.Name, grace)
}

// Tail copies the last lines of the log.
func (p *Process) Tail(out io.Writer, lines int) {
	raw, err := os.ReadFile(p.Log)
	if err != nil {
		fmt.Fprintf(out, "--- %s: %v\n", p.Name, err)
		return
	}
	at := len(raw)
	for n := 0; at > 0 && n <= lines; at-- {
		if raw[at-1] == '\n' {
			n++
		}
		if n > lines {
			break
		}
	}
	fmt.Fprintf(out, "--- the end of the log of %s\n%s\n", p.Name, raw[at:])
}
