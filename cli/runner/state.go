package runner

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
)

// state is what a runner must know after it, or the host, was killed. What save has written
// survives both.
type state struct {
	path string
	lock *os.File

	Boot    string // identity of the boot of the host in which this was written
	BootEnv string // what the host booted then
	Room    string // the runner dir
	Work    *record
}

// record is the job at hand.
type record struct {
	Job     string
	Token   string // that came with the job; "": the runner's own
	Boot    string // of the host, when the job was begun
	Task    string
	Dir     string   // the task dir
	Log     string   // file that holds the log
	Opening string   // the first line of that file, which no other log has
	Action  int      // index of the action that runs, or is next
	Script  *process // the script that was started for it
	Stopped bool     // the script was told to end because the runner had to
	Outcome *outcome // once it has ended
	Codes   scheme   // how exit codes are read
}

// openState locks and reads the state of a machine's runner. A second runner is refused as long
// as the first lives, however it ends.
func openState(dir, machine, context string) (*state, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make state dir: %w", err)
	}
	name := machine
	if context != "" {
		name += "." + url.PathEscape(context)
	}
	s := &state{path: filepath.Join(dir, name+".json")}
	var err error
	if s.lock, err = os.OpenFile(filepath.Join(dir, name+".lock"), os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return nil, fmt.Errorf("lock state: %w", err)
	}
	if err := tryLock(s.lock); err != nil {
		s.lock.Close()
		return nil, fmt.Errorf("another runner works for machine %s in context %q on this host (%s): %w", machine, context, s.lock.Name(), err)
	}
	if err := s.load(); err != nil {
		s.lock.Close()
		return nil, err
	}
	return s, nil
}

func (s *state) load() error {
	raw, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read state: %w", err)
	}
	if err := json.Unmarshal(raw, s); err != nil {
		return fmt.Errorf("read state %s: %w", s.path, err)
	}
	return nil
}

// close releases the lock.
func (s *state) close() error { return s.lock.Close() }

// booted takes down what the host runs, once for each boot.
func (s *state) booted(bootEnv string) error {
	boot, err := bootID()
	if err != nil {
		return fmt.Errorf("identify the boot: %w", err)
	}
	if s.Boot == boot && s.BootEnv != "" {
		return nil
	}
	s.Boot, s.Room = boot, ""
	return s.setBootEnv(bootEnv)
}

func (s *state) setBootEnv(bootEnv string) error {
	s.BootEnv = bootEnv
	return s.save()
}

// save writes the state to disk before it returns.
func (s *state) save() error {
	raw, err := json.MarshalIndent(s, "", "\t")
	if err != nil {
		return fmt.Errorf("encode state: %w", err)
	}
	if err := replaceFile(s.path, raw); err != nil {
		return fmt.Errorf("save state: %w", err)
	}
	return nil
}

// replaceFile puts content in the place of a file, whole and durably or not at all.
func replaceFile(path string, content []byte) error {
	tmp := path + ".new"
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}
