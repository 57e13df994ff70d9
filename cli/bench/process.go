package main

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"drp/cli/spawn"
)

// process is a program under measurement.
type process struct{ *spawn.Process }

// launch starts a program that prints into a log in dir. It is asked to end when ctx ends, so that
// whoever talks to it gets an error.
func launch(ctx context.Context, name, dir string, argv ...string) (process, error) {
	p := process{&spawn.Process{Name: name, Argv: argv, Log: filepath.Join(dir, name+".log")}}
	if err := p.Start(); err != nil {
		return p, err
	}
	context.AfterFunc(ctx, func() { _ = p.Terminate() }) // that it cannot be asked shows when it is stopped
	return p, nil
}

// ready repeats a question until the program answers it, and returns how long after began that was.
func (p process) ready(began time.Time, limit time.Duration, ask func() error) (time.Duration, error) {
	for {
		err := ask()
		took := time.Since(began)
		if err == nil {
			return took, nil
		}
		select {
		case <-p.Ended():
			return 0, fmt.Errorf("%s has ended: %s", p.Name, p.printed())
		default:
		}
		if took > limit {
			return 0, fmt.Errorf("%s did not answer within %s: %w\n%s", p.Name, limit, err, p.printed())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// halt asks the program to end and waits until it has.
func (p process) halt() error { return p.Stop(30 * time.Second) }

// printed is the end of what the program has printed.
func (p process) printed() string {
	var b strings.Builder
	p.Tail(&b, 20)
	return b.String()
}

// memory is the resident memory of a process in bytes, now and at its highest; ok is false where
// the system does not tell.
func (p process) memory() (now, peak int, ok bool) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.PID()))
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
