package runner

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"
)

// process is a script that was started. Its fields are enough for another runner to find it.
type process struct {
	Pid   int    // also of its process group
	Start string // when the pid was given out; with it no other process is mistaken for this one
	Exit  string // file for the exit code: absent before the script starts, empty while it runs
	Mark  string // text in the environment of all processes of the script

	hold  *os.File   // while it is open and silent, the script does not start
	ended <-chan int // yields the exit code the system saw, -1 when it saw none
}

// command is a script to run.
type command struct {
	argv []string
	dir  string
	env  []string
	out  *os.File
	exit string
	mark string
}

// free lets the script start.
func (p *process) free() error {
	if p.hold == nil {
		return nil
	}
	_, err := io.WriteString(p.hold, "go\n")
	return errors.Join(err, p.hold.Close())
}

// fate is what has become of a script whose runner was killed.
type fate int

const (
	unstarted fate = iota // it never ran, and never will
	running               // it runs
	over                  // it has ended, and its exit code is known
	vanished              // it was killed: nobody knows how far it came
)

func (p *process) fate() fate {
	if p == nil {
		return unstarted
	}
	_, known, begun := p.code()
	switch {
	case known:
		return over
	case alive(p):
		return running
	case begun:
		return vanished
	}
	return unstarted
}

// code reads the exit code that was written down.
func (p *process) code() (code int, known, begun bool) {
	raw, err := os.ReadFile(p.Exit)
	if err != nil {
		return 0, false, false
	}
	code, err = strconv.Atoi(strings.TrimSpace(string(raw)))
	return code, err == nil, true
}

// errKilled says that a script's end was seen by nobody.
var errKilled = errors.New("the script was killed")

// wait returns the exit code of a script when it and all that it has left running in its process
// group have ended. Daemons that have made a session of their own are left alone. When ctx ends
// first, told is called, the group is asked to end, and killed after the grace; then the error is
// ctx's.
func (p *process) wait(ctx context.Context, grace time.Duration, told func()) (int, error) {
	seen := -1
	select {
	case seen = <-p.ended:
	case <-ctx.Done():
		told()
		endGroup(p, grace)
		<-p.ended
		return 0, ctx.Err()
	}
	endGroup(p, grace)
	if code, known, _ := p.code(); known {
		return code, nil
	}
	if seen < 0 {
		return 0, errKilled
	}
	return seen, nil
}

// endGroup ends what is alive of a process group: it is asked to, and killed after the grace.
func endGroup(p *process, grace time.Duration) {
	if !signalGroup(p, false) {
		return
	}
	give := time.NewTimer(grace)
	defer give.Stop()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for groupAlive(p) {
		select {
		case <-look.C:
		case <-give.C:
			signalGroup(p, true)
			return
		}
	}
}

// startError explains a failed start.
func startError(c command, err error) error { return fmt.Errorf("start %s: %w", c.argv[0], err) }
