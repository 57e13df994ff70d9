//go:build unix

package runner

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// keeper is the shell that runs a script. It outlives its runner, and writes down the exit code
// of the script for whoever comes to read it. It does not begin before it is told to on fd 3, and
// that is after its pid was saved; if the runner is killed before, the script never runs.
const keeper = `IFS= read -r go <&3 && [ "$go" = go ] || exit 125
exec 3<&-
out=$1
shift
: >"$out" || exit 125
trap : HUP INT TERM
"$@"
code=$?
echo "$code" >"$out"
exit "$code"
`

// start makes a process for a script in a group of its own. The script waits for free.
func start(c command) (*process, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, startError(c, err)
	}
	cmd := exec.Command("/bin/sh", append([]string{"-c", keeper, filepath.Base(c.argv[0]), c.exit}, c.argv...)...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = c.dir, c.env, c.out, c.out, []*os.File{r}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	err = cmd.Start()
	r.Close()
	if err != nil {
		w.Close()
		return nil, startError(c, err)
	}
	p := &process{Pid: cmd.Process.Pid, Exit: c.exit, Mark: c.mark, hold: w, ended: reap(cmd)}
	p.Start, _ = startOf(p.Pid) // none: it has ended already, and is never looked for
	return p, nil
}

func reap(cmd *exec.Cmd) <-chan int {
	ended := make(chan int, 1)
	go func() {
		_ = cmd.Wait() // the state says more
		ended <- cmd.ProcessState.ExitCode()
	}()
	return ended
}

// signalGroup signals a group and tells whether anything is left of it. The group cannot be
// another's: its id is not given out again while a member lives, and the first signal comes at
// once after its leader was seen.
func signalGroup(p *process, kill bool) bool {
	sig := syscall.SIGTERM
	if kill {
		sig = syscall.SIGKILL
	}
	return syscall.Kill(-p.Pid, sig) == nil && groupAlive(p)
}

// writeScript writes an executable file. Nothing is forked meanwhile: a child would inherit the
// file open for writing, and the system refuses to execute such a file.
func writeScript(path string, content []byte) error {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	return os.WriteFile(path, content, 0o700)
}

func tryLock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
