package runner

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/windows"
)

// start runs a script at once: there is no keeper, and so it does not outlive the knowledge of
// its runner.
func start(c command) (*process, error) {
	cmd := exec.Command(c.argv[0], c.argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = c.dir, c.env, c.out, c.out
	cmd.SysProcAttr = &syscall.SysProcAttr{CreationFlags: windows.CREATE_NEW_PROCESS_GROUP}
	if err := os.WriteFile(c.exit, nil, 0o600); err != nil {
		return nil, startError(c, err)
	}
	if err := cmd.Start(); err != nil {
		return nil, startError(c, err)
	}
	ended := make(chan int, 1)
	go func() {
		_ = cmd.Wait() // the state says more
		ended <- cmd.ProcessState.ExitCode()
	}()
	return &process{Pid: cmd.Process.Pid, Exit: c.exit, Mark: c.mark, ended: ended}, nil
}

func groupAlive(p *process) bool {
	h, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, uint32(p.Pid))
	if err != nil {
		return false
	}
	defer windows.CloseHandle(h)
	var code uint32
	return windows.GetExitCodeProcess(h, &code) == nil && code == 259 // STILL_ACTIVE
}

func signalGroup(p *process, kill bool) bool {
	if kill {
		h, err := windows.OpenProcess(windows.PROCESS_TERMINATE, false, uint32(p.Pid))
		if err != nil {
			return false
		}
		defer windows.CloseHandle(h)
		return windows.TerminateProcess(h, 1) == nil
	}
	return windows.GenerateConsoleCtrlEvent(windows.CTRL_BREAK_EVENT, uint32(p.Pid)) == nil && groupAlive(p)
}

func writeScript(path string, content []byte) error { return os.WriteFile(path, content, 0o700) }

func tryLock(f *os.File) error {
	return windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, &windows.Overlapped{})
}

// syncDir has no meaning here: renames are in the journal of the file system.
func syncDir(string) error { return nil }
