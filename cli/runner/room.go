package runner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"drp/cli/client"
)

// room is the runner dir: the socket of the local proxy, the tools for scripts and the task dirs.
type room struct {
	dir   string
	made  bool // by us, and so ours to remove
	proxy *proxy
}

// tempDir is where runner dirs are made.
func (r *runner) tempDir(ctx context.Context) (string, error) {
	if r.TempDir != "" {
		return r.TempDir, os.MkdirAll(r.TempDir, 0o755)
	}
	var param *string
	err := r.get(ctx, "machines/"+r.Machine+"/params/runner-tmpdir", &param, client.WithFlag("aggregate", "true"))
	if err != nil {
		return "", fmt.Errorf("param runner-tmpdir: %w", err)
	}
	if param == nil || *param == "" {
		return os.TempDir(), nil
	}
	if err := os.MkdirAll(*param, 0o777); err != nil {
		return "", fmt.Errorf("param runner-tmpdir: %w", err)
	}
	if err := os.Chmod(*param, 0o777|os.ModeSticky); err != nil && os.Geteuid() == 0 {
		return "", fmt.Errorf("param runner-tmpdir: %w", err)
	}
	return *param, nil
}

// openRoom makes the runner dir, or takes over the one in which a script still works.
func (r *runner) openRoom() (*room, error) {
	m, err := r.chooseRoom()
	if err != nil {
		return nil, fmt.Errorf("make runner dir: %w", err)
	}
	r.state.Room = m.dir
	if err := r.state.save(); err != nil {
		return nil, err
	}
	if err := m.tools(r.Env); err != nil {
		return nil, fmt.Errorf("make runner dir: %w", err)
	}
	if m.proxy, err = serveProxy(forward(r.Client, r.Logger), m.dir, ".sock", r.Logger); err != nil {
		return nil, fmt.Errorf("open local proxy: %w", err)
	}
	return m, nil
}

func (r *runner) chooseRoom() (*room, error) {
	if left := r.state.Room; left != "" {
		if r.state.Work != nil && os.Chmod(left, 0o700) == nil {
			return &room{dir: left, made: left != r.lookup("RS_RUNNER_DIR")}, nil
		}
		if left != r.lookup("RS_RUNNER_DIR") {
			os.RemoveAll(left) // what cannot be removed is only in the way of nobody
		}
	}
	// A runner started by a script inherits the dir of the runner above, which uses it.
	if dir := r.lookup("RS_RUNNER_DIR"); dir != "" && r.lookup("RS_TASK_DIR") == "" {
		return &room{dir: dir}, errors.Join(os.MkdirAll(dir, 0o700), os.Chmod(dir, 0o700))
	}
	dir, err := os.MkdirTemp(r.TempDir, "runner-")
	return &room{dir: dir, made: true}, err
}

// close ends the proxy and removes the dir, unless there is still work in it.
func (m *room) close(working bool) error {
	var err error
	if m.proxy != nil {
		err = m.proxy.close()
	}
	if m.made && !working {
		err = errors.Join(err, os.RemoveAll(m.dir))
	}
	return err
}

func (m *room) bin() string { return filepath.Join(m.dir, "bin") }

// tools puts links to this program where scripts find them: it answers to several names.
func (m *room) tools(env []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(m.bin(), 0o700); err != nil {
		return err
	}
	names := []string{"drp", "drpcli", "drpjq"}
	if !onPath("jq", env, m.bin()) {
		names = append(names, "jq")
	}
	for _, name := range names {
		link := filepath.Join(m.bin(), name)
		if err := os.Remove(link); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		if err := os.Symlink(self, link); err != nil {
			return err
		}
	}
	return nil
}

// onPath tells whether env's PATH has a program, in another folder than one.
func onPath(program string, env []string, except string) bool {
	for _, dir := range filepath.SplitList(lookup(env, "PATH")) {
		if dir == except || dir == "" {
			continue
		}
		if _, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return true
		}
	}
	return false
}

func (r *runner) lookup(name string) string { return lookup(r.Env, name) }

// lookup is the value of a variable; the last one counts.
func lookup(env []string, name string) (value string) {
	for _, e := range env {
		if k, v, ok := strings.Cut(e, "="); ok && k == name {
			value = v
		}
	}
	return value
}

// environment is what scripts of a job see.
func (r *runner) environment(rec *record, token string) []string {
	env := append([]string{}, r.Env...)
	set := func(name, value string) { env = append(env, name+"="+value) }
	set("RS_UUID", r.Machine)
	set("RS_ENDPOINT", r.Client.Endpoint())
	set("RS_ENDPOINTS", r.Client.Endpoint())
	set("RS_TOKEN", token)
	set("RS_CONTEXT", r.Context)
	set("RS_JOB_UUID", rec.Job)
	set("RS_RUNNER_DIR", r.room.dir)
	set("RS_TASK_DIR", rec.Dir)
	set("RS_LOCAL_PROXY", r.room.proxy.path)
	set("TMPDIR", filepath.Dir(r.room.dir))
	set("TMP", filepath.Dir(r.room.dir))
	set("PATH", r.room.bin()+string(os.PathListSeparator)+r.lookup("PATH"))
	if r.lookup("HOME") == "" {
		set("HOME", r.room.dir)
	}
	return env
}
