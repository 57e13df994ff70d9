package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// process is a program that we run, in a process group of its own so that a Ctrl-C meant for us
// does not reach it. It can be started again after its end.
type process struct {
	name string
	argv []string
	env  []string
	dir  string
	log  string          // file that gets what it prints
	died chan<- *process // is told when it ends unasked

	mu    sync.Mutex
	cmd   *exec.Cmd
	ended chan struct{} // closed when cmd has ended
	asked bool          // to end
}

func (p *process) start() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(p.argv[0], p.argv[1:]...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = append(os.Environ(), p.env...), p.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", p.name, err)
	}
	ended := make(chan struct{})
	p.cmd, p.ended, p.asked = cmd, ended, false
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		p.mu.Lock()
		unasked := !p.asked
		p.mu.Unlock()
		close(ended)
		if unasked {
			p.died <- p
		}
	}()
	return nil
}

// ask notes that the process is meant to end, and returns its id and what tells of its end; the
// id is 0 when it does not run.
func (p *process) ask() (int, <-chan struct{}) {
	pid := p.pid()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked = true
	return pid, p.ended
}

// pid is the id of the running process, 0 when it does not run.
func (p *process) pid() int {
	cmd, ended := p.current()
	select {
	case <-ended:
		return 0
	default:
		return cmd.Process.Pid
	}
}

func (p *process) current() (*exec.Cmd, chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		never := make(chan struct{})
		close(never)
		return nil, never
	}
	return p.cmd, p.ended
}

// kill ends it as a crash would (kill -9).
func (p *process) kill() {
	if pid, ended := p.ask(); pid != 0 {
		_ = syscall.Kill(pid, syscall.SIGKILL) // that it has just ended is as good
		<-ended
	}
}

// stop asks it to end, and after a grace kills it and what is left of its group.
func (p *process) stop(grace time.Duration) error {
	pid, ended := p.ask()
	if pid == 0 {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end %s: %w", p.name, err)
	}
	select {
	case <-ended:
		return nil
	case <-time.After(grace):
	}
	_ = syscall.Kill(-pid, syscall.SIGKILL) // its group; that it has just ended is as good
	<-ended
	return fmt.Errorf("%s did not end within %s and was killed", p.name, grace)
}

// tail copies the last lines of the log.
func (p *process) tail(out io.Writer, lines int) {
	raw, err := os.ReadFile(p.log)
	if err != nil {
		fmt.Fprintf(out, "--- %s: %v\n", p.name, err)
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
	fmt.Fprintf(out, "--- the end of the log of %s\n%s\n", p.name, raw[at:])
}
