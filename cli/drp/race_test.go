package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"drp/cli/spawn"
)

// programs builds drp and drp-server as a user has them.
func programs(t *testing.T) (drp, server string) {
	t.Helper()
	dir := t.TempDir()
	if err := spawn.Build(t.Context(), dir, "drp/cli/drp", "drp/server/drp-server"); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "drp"), filepath.Join(dir, "drp-server")
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr().(*net.TCPAddr).Port)
}

// command runs drp against a server, with a home of its own.
type command struct {
	t    *testing.T
	path string
	env  []string
}

func (c command) run(args ...string) (out, errs string, status int) {
	c.t.Helper()
	cmd := exec.Command(c.path, args...)
	cmd.Env = c.env
	var o, e bytes.Buffer
	cmd.Stdout, cmd.Stderr = &o, &e
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		c.t.Error(err)
		return "", "", -1
	}
	return o.String(), e.String(), cmd.ProcessState.ExitCode()
}

func (c command) must(args ...string) string {
	c.t.Helper()
	out, errs, status := c.run(args...)
	if status != 0 {
		c.t.Fatalf("drp %s: exit %d: %s", strings.Join(args, " "), status, errs)
	}
	return out
}

func serve(t *testing.T, server, drp string) command {
	t.Helper()
	dir, port := t.TempDir(), freePort(t)
	cmd := exec.Command(server, "--base-root", filepath.Join(dir, "data"), "--api-port", port, "--static-port", "0", "--static-secure-port", "0", "--log-level", "warn")
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Errorf("drp-server ended with %v", err)
		}
	})
	c := command{t, drp, []string{"HOME=" + dir, "PATH=" + os.Getenv("PATH"), "RS_ENDPOINT=https://127.0.0.1:" + port}}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			conn.Close()
			return c
		}
		if time.Now().After(deadline) {
			t.Fatal("the server does not answer: ", err)
		}
	}
}

// TestOfTwoHundredProcessesOneWins is the promise that everything else is built on: once with
// the param set to "none", once with "none" only as the default of its schema.
func TestOfTwoHundredProcessesOneWins(t *testing.T) {
	drp, server := programs(t)
	c := serve(t, server, drp)
	c.must("params", "create", `{"Name":"my/leader","Schema":{"type":"string","default":"none"}}`)
	for name, profile := range map[string]string{
		"stored":  `{"Name":"stored","Params":{"my/leader":"none"}}`,
		"default": `{"Name":"default"}`,
	} {
		t.Run(name, func(t *testing.T) {
			c.must("profiles", "create", profile)
			const racers = 200
			var mu sync.Mutex
			var winners []string
			var wg sync.WaitGroup
			start := make(chan struct{})
			for i := range racers {
				uuid := fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
				wg.Go(func() {
					<-start
					_, errs, status := c.run("profiles", "set", name, "param", "my/leader", "to", uuid, "-r", "none")
					mu.Lock()
					defer mu.Unlock()
					if status == 0 {
						winners = append(winners, uuid)
					} else if !strings.Contains(errs, `expected "none" at /my~1leader, found "00000000-`) {
						t.Errorf("a loser was told: %s", errs)
					}
				})
			}
			close(start)
			wg.Wait()
			stored := strings.TrimSpace(c.must("profiles", "get", name, "param", "my/leader"))
			if len(winners) != 1 || stored != `"`+winners[0]+`"` {
				t.Errorf("%d processes won: %v; stored %s", len(winners), winners, stored)
			}
		})
	}
}
