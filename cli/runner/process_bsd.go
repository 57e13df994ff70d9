//go:build unix && !linux

package runner

import "syscall"

func groupAlive(p *process) bool { return syscall.Kill(-p.Pid, 0) == nil }
