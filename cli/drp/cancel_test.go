package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/models"
)

// TestARunningJobIsFollowedCancelledAndRetried with a real server, runner, script and follower.
func TestARunningJobIsFollowedCancelledAndRetried(t *testing.T) {
	drp, server := programs(t)
	c := serve(t, server, drp)
	c.env = append(c.env, "TMPDIR="+t.TempDir())
	again := filepath.Join(t.TempDir(), "again")
	script := "#!/usr/bin/env bash\n[ -e " + again + " ] && exit 0\n: >" + again + "\ntrap 'echo leaving; exit 0' TERM\nsleep 1000 & echo ready $!\nwait\n"
	task, err := json.Marshal(models.Task{Name: "long", Templates: []models.TemplateInfo{{Name: "long.sh", Contents: script}}})
	if err != nil {
		t.Fatal(err)
	}
	c.must("tasks", "create", string(task))
	c.must("machines", "create", `{"Name":"m1","Tasks":["long"]}`)
	start := func(args ...string) (*exec.Cmd, *bufio.Scanner) {
		t.Helper()
		cmd := exec.Command(drp, args...)
		cmd.Env = c.env
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { cmd.Process.Kill() })
		return cmd, bufio.NewScanner(out)
	}
	reads := func(lines *bufio.Scanner, text string) (line string) {
		t.Helper()
		for lines.Scan() {
			if line = lines.Text(); strings.Contains(line, text) {
				return line
			}
		}
		t.Fatalf("%q never came", text)
		return ""
	}
	runner, says := start("machines", "processjobs", "Name:m1", "--skip-power", "--state-dir", t.TempDir())
	job := strings.TrimSuffix(strings.Fields(reads(says, "long begins"))[1], ":")
	follower, log := start("jobs", "log", job, "--follow")
	child := strings.Fields(reads(log, "ready"))[1]
	c.must("jobs", "cancel", job, "--why", "wrong disk")
	reads(log, "it was cancelled: wrong disk")
	reads(log, "leaving")
	for log.Scan() { // to its end
	}
	if err := follower.Wait(); err != nil {
		t.Errorf("the follower: %v", err)
	}
	for begun := time.Now(); running(child); time.Sleep(10 * time.Millisecond) { // the log may end before the last of the group
		if time.Since(begun) > 20*time.Second {
			t.Fatal("the script's child runs on")
		}
	}
	if got := strings.TrimSpace(c.must("machines", "show", "Name:m1", "--jq", ".Runnable")); got != "false" {
		t.Errorf("runnable: %s", got)
	}
	if _, errs, status := c.run("jobs", "cancel", job); status == 0 || !strings.Contains(errs, "failed already") {
		t.Errorf("cancelled twice: %s", errs)
	}
	c.must("jobs", "retry", job)
	reads(says, "long is finished")
	if _, errs, status := c.run("jobs", "retry", job); status == 0 || !strings.Contains(errs, "gone on to another job") {
		t.Errorf("retried twice: %s", errs)
	}
	runner.Process.Signal(os.Interrupt)
	for says.Scan() {
	}
	runner.Wait()
}

// running tells whether there is a process of the number that has not ended.
func running(pid string) bool {
	stat, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return false
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	return !strings.HasPrefix(rest, "Z")
}
