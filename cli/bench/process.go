package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// process is a program under measurement, in a folder of its own. It ends with the context it was
// started with, at the latest.
type process struct {
	name string
	cmd  *exec.Cmd
	log  string        // file that gets what it prints
	done chan struct{} // closed when it has ended
}

// launch starts a program that prints into a log in dir.
func launch(ctx context.Context, name, dir string, argv ...string) (*process, error) {
	p := &process{name: name, log: filepath.Join(dir, name+".log"), done: make(chan struct{})}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.cmd = exec.CommandContext(ctx, argv[0], argv[1:]...)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is for us, who ends it
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = 10 * time.Second
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() {
		_ = p.cmd.Wait() // how it ended is in its log
		close(p.done)
	}()
	return p, nil
}

// ready repeats a question until the program answers it, and returns how long after the
// program's start that was.
func (p *process) ready(began time.Time, limit time.Duration, ask func() error) (time.Duration, error) {
	for {
		err := ask()
		took := time.Since(began)
		if err == nil {
			return took, nil
		}
		select {
		case <-p.done:
			return 0, fmt.Errorf("%s has ended: %s", p.name, p.tail())
		default:
		}
		if took > limit {
			return 0, fmt.Errorf("%s did not answer within %s: %w: %s", p.name, limit, err, p.tail())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// stop asks the program to end and waits until it has.
func (p *process) stop() error {
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("end %s: %w", p.name, err)
	}
	select {
	case <-p.done:
		return nil
	case <-time.After(30 * time.Second):
	}
	_ = p.cmd.Process.Kill() // that it has just ended is as good
	<-p.done
	return fmt.Errorf("%s did not end when asked to", p.name)
}

// tail is the end of what the program has printed.
func (p *process) tail() string {
	raw, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(raw[max(0, len(raw)-2000):])
}

// memory is the resident memory of a process in bytes, now and at its highest; ok is false where
// the system does not tell.
func (p *process) memory() (now, peak int, ok bool) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, 0, false
	}
	field := func(name string) int {
		_, rest, _ := bytes.Cut(raw, []byte("\n"+name+":"))
		digits, _, _ := bytes.Cut(bytes.TrimSpace(rest), []byte(" "))
		kb, _ := strconv.Atoi(string(digits)) // 0 when it is not there
		return kb << 10
	}
	now, peak = field("VmRSS"), field("VmHWM")
	return now, peak, now > 0
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }
