package runner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// Service is the agent as a systemd unit.
type Service struct {
	Name    string   // "": drp-agent
	Dir     string   // of units; "": /etc/systemd/system
	Command []string // that runs the agent: program and arguments

	// Control runs systemctl; nil runs the host's.
	Control func(ctx context.Context, args ...string) (output string, err error)
}

// unit is the text of the service. Scripts outlive a runner that is killed or replaced, so
// systemd must leave them alone; a runner that ends by itself is not started again before the
// next boot.
const unit = `[Unit]
Description=drp agent: runs the jobs of this machine
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=%s
Restart=on-failure
RestartSec=2
KillMode=process
TimeoutStopSec=60

[Install]
WantedBy=multi-user.target
`

func (s Service) name() string {
	if s.Name == "" {
		return "drp-agent"
	}
	return s.Name
}

func (s Service) file() string {
	dir := s.Dir
	if dir == "" {
		dir = "/etc/systemd/system"
	}
	return filepath.Join(dir, s.name()+".service")
}

// ErrNoSystemd is returned where there is nothing that could run a Service.
var ErrNoSystemd = errors.New("systemd does not run this host, and services need it")

// Check finds out whether services of this host can be managed, ErrNoSystemd or another error if
// not. It changes nothing.
func (s Service) Check(ctx context.Context) error {
	out, err := s.systemctl(ctx, "show", "--property=Version")
	if err == nil || errors.Is(err, ErrNoSystemd) {
		return err
	}
	return fmt.Errorf("ask systemd: %w: %s", err, strings.TrimSpace(out))
}

// Install writes the unit and has it started at each boot; Start starts it now.
func (s Service) Install(ctx context.Context) error {
	if len(s.Command) == 0 || !filepath.IsAbs(s.Command[0]) {
		return fmt.Errorf("install service %s: the program must be an absolute path: %q", s.name(), s.Command)
	}
	var words []string
	for _, w := range s.Command {
		words = append(words, quote(w))
	}
	text := fmt.Sprintf(unit, strings.Join(words, " "))
	if err := os.WriteFile(s.file(), []byte(text), 0o644); err != nil {
		return fmt.Errorf("install service %s: %w", s.name(), err)
	}
	return s.control(ctx, []string{"daemon-reload"}, []string{"enable", s.name()})
}

// quote makes a word safe for a unit file.
func quote(w string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `%`, `%%`, `$`, `$$`, "\n", `\n`).Replace(w) + `"`
}

// Uninstall stops the service and removes its unit.
func (s Service) Uninstall(ctx context.Context) error {
	if err := s.control(ctx, []string{"disable", "--now", s.name()}); err != nil {
		return err
	}
	if err := os.Remove(s.file()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("uninstall service %s: %w", s.name(), err)
	}
	return s.control(ctx, []string{"daemon-reload"})
}

// Start starts the service.
func (s Service) Start(ctx context.Context) error {
	return s.control(ctx, []string{"start", s.name()})
}

// Stop stops the service; the runner ends its script first.
func (s Service) Stop(ctx context.Context) error { return s.control(ctx, []string{"stop", s.name()}) }

// Restart stops and starts the service.
func (s Service) Restart(ctx context.Context) error {
	return s.control(ctx, []string{"restart", s.name()})
}

// NotInstalled is the Status of a service that has no unit.
const NotInstalled = "not installed"

// Status is one word: active, inactive, failed or another of systemd's, or NotInstalled.
func (s Service) Status(ctx context.Context) (string, error) {
	if _, err := os.Stat(s.file()); errors.Is(err, fs.ErrNotExist) {
		return NotInstalled, nil
	}
	out, err := s.systemctl(ctx, "is-active", s.name())
	if word := strings.TrimSpace(out); word != "" {
		return word, nil // the exit code says the same
	}
	return "", err
}

func (s Service) control(ctx context.Context, calls ...[]string) error {
	for _, args := range calls {
		if out, err := s.systemctl(ctx, args...); err != nil {
			return fmt.Errorf("systemctl %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(out))
		}
	}
	return nil
}

func (s Service) systemctl(ctx context.Context, args ...string) (string, error) {
	if s.Control != nil {
		return s.Control(ctx, args...)
	}
	if info, err := os.Stat(booted); err != nil || !info.IsDir() {
		return "", ErrNoSystemd
	}
	out, err := exec.CommandContext(ctx, "systemctl", args...).CombinedOutput()
	return string(out), err
}

// booted is there when systemd has started the host; a systemctl alone means nothing.
const booted = "/run/systemd/system"
