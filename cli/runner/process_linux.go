package runner

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// bootID is different after each boot of the host.
func bootID() (string, error) {
	raw, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(raw)), err
}

// stat is what /proc says of a process.
type stat struct {
	state string
	group int
	start string // in ticks since the boot
}

func statOf(pid int) (stat, error) {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return stat{}, err
	}
	// The name is in parentheses and may hold anything.
	f := strings.Fields(string(raw[bytes.LastIndexByte(raw, ')')+1:]))
	if len(f) < 20 {
		return stat{}, fmt.Errorf("/proc/%d/stat: %d fields", pid, len(f))
	}
	group, err := strconv.Atoi(f[2])
	return stat{state: f[0], group: group, start: f[19]}, err
}

func (s stat) dead() bool { return s.state == "Z" || s.state == "X" }

func startOf(pid int) (string, error) {
	s, err := statOf(pid)
	return s.start, err
}

// alive tells whether the very process that was started still runs.
func alive(p *process) bool {
	s, err := statOf(p.Pid)
	return err == nil && p.Start != "" && s.start == p.Start && !s.dead()
}

func groupAlive(p *process) bool { return len(group(p.Pid)) > 0 }

// group lists the living members of a process group.
func group(id int) []int {
	if errors.Is(syscall.Kill(-id, 0), syscall.ESRCH) {
		return nil
	}
	dirs, _ := filepath.Glob("/proc/[0-9]*") // the pattern is sound
	var pids []int
	for _, d := range dirs {
		pid, _ := strconv.Atoi(filepath.Base(d))
		if s, err := statOf(pid); err == nil && s.group == id && !s.dead() {
			pids = append(pids, pid)
		}
	}
	return pids
}

// attach makes a running script of another runner waitable; false when it has ended meanwhile.
func attach(p *process) bool {
	fd, err := unix.PidfdOpen(p.Pid, 0)
	if err != nil {
		return false
	}
	if !alive(p) {
		unix.Close(fd)
		return false
	}
	ended := make(chan int, 1)
	p.ended = ended
	go func() {
		defer unix.Close(fd)
		for poll := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}; ; {
			if n, err := unix.Poll(poll, -1); n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
				ended <- -1
				return
			}
		}
	}()
	return true
}

// endLeftovers kills what a killed script has left in its process group. Each process is held by
// a descriptor and proven to be of the script before it is touched.
func endLeftovers(p *process) {
	for _, pid := range group(p.Pid) {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			continue
		}
		if p.owns(pid) {
			_ = unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) // it has ended by itself otherwise
		}
		unix.Close(fd)
	}
}

func (p *process) owns(pid int) bool {
	if pid == p.Pid && alive(p) {
		return true
	}
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	return err == nil && bytes.Contains(append([]byte{0}, env...), []byte("\x00"+p.Mark+"\x00"))
}
