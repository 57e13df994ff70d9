//go:build linux

package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/cli/client"
	"drp/models"
)

// drpcli is as much of the command line as the helper functions need.
func drpcli(args []string) int {
	c := client.New(client.Config{Endpoint: os.Getenv("RS_ENDPOINT"), Token: os.Getenv("RS_TOKEN"), Socket: os.Getenv("RS_LOCAL_PROXY")})
	if len(args) < 5 || args[0] != "machines" || args[2] != os.Getenv("RS_UUID") || args[3] != "param" {
		fmt.Fprintln(os.Stderr, "unexpected arguments", args)
		return 1
	}
	path := "machines/" + args[2] + "/params/" + args[4]
	var out json.RawMessage
	err := errors.New("unexpected verb")
	switch {
	case args[1] == "get" && args[5] == "--aggregate":
		err = c.Do(context.Background(), "GET", path, nil, &out, client.WithFlag("aggregate", "true"))
	case args[1] == "set" && args[5] == "to":
		value := []byte(args[6])
		if args[6] == "-" {
			value, _ = io.ReadAll(os.Stdin)
		}
		err = c.Do(context.Background(), "POST", path, json.RawMessage(value), &out)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(string(out))
	return 0
}

// drpjq is "drpjq -r .".
func drpjq() int {
	raw, _ := io.ReadAll(os.Stdin)
	var s string
	if json.Unmarshal(raw, &s) == nil && strings.HasPrefix(strings.TrimSpace(string(raw)), `"`) {
		raw = []byte(s + "\n")
	}
	os.Stdout.Write(raw)
	return 0
}

// runScript runs one script as a task and returns its log and job.
func runScript(t *testing.T, f *fake, script string) (string, *models.Job) {
	t.Helper()
	f.script("task1", script)
	o := options(t, f)
	o.OneShot, o.SkipPower = true, true
	if err := once(t, o); err != nil {
		t.Fatal(err)
	}
	return f.logOf(f.order[0]), f.newest("task1")
}

func wantInLog(t *testing.T, log string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(log, "\n"+w+"\n") {
			t.Errorf("no line %q in\n%s", w, log)
		}
	}
}

func TestHelperReadsAndWritesParams(t *testing.T) {
	f := newFake(t, "task1")
	f.params["my/leader"] = `"none"`
	f.params["count"] = "3"
	f.params["list"] = `["a","b c"]`
	log, j := runScript(t, f, `. ./helper
cl=$(get_param "my/leader")
while [[ $cl = "none" ]]; do echo "it is none"; cl=other; done
[[ $(get_param count) -eq 3 ]] && echo "it is three"
echo "list $(get_param list)"
echo "absent $(get_param absent)"
set_param one '"x y"'
echo '{"a":1}' | set_param two
false | true
echo "not reached"`)
	wantInLog(t, log, "it is none", "it is three", `list ["a","b c"]`, "absent null")
	if strings.Contains(log, "not reached") || j.State != models.Failed {
		t.Errorf("the script went on after an error in a pipe: %s\n%s", j.State, log)
	}
	if f.params["one"] != `"x y"` || strings.TrimSpace(f.params["two"]) != `{"a":1}` {
		t.Errorf("set: %v", f.params)
	}
}

func TestHelperKnowsTheSystem(t *testing.T) {
	f := newFake(t, "task1")
	log, j := runScript(t, f, `set -u
. ./helper
for v in OS_TYPE OS_VER OS_NAME OS_FAMILY INITSTYLE; do [ -n "${!v}" ] || { echo "no $v"; exit 1; }; done
[ "$OS_NAME" = "$OS_TYPE-$OS_VER" ]
addr_port 10.0.0.1 80
addr_port fe80::1 80
systemctl() { echo "systemctl $*"; }
INITSTYLE=systemd service nginx restart
apt-get() { echo "apt-get $*"; }
if_update_needed apt-get update
if_update_needed apt-get update
install a b
exit_incomplete_reboot`)
	wantInLog(t, log, "10.0.0.1:80", "[fe80::1]:80", "systemctl restart nginx.service", "apt-get update", "apt-get -y install a b")
	if strings.Count(log, "apt-get update") != 1 {
		t.Errorf("package lists were updated more than once:\n%s", log)
	}
	if j.State != models.Incomplete || j.ExitState != "reboot" {
		t.Errorf("job is %s (%s)", j.State, j.ExitState)
	}
}

func TestHelperExits(t *testing.T) {
	for name, want := range map[string]outcome{
		"exit_stop": {models.Finished, "stop"}, "exit_shutdown": {models.Finished, "poweroff"}, "exit_reboot": {models.Finished, "reboot"},
		"exit_incomplete": {models.Incomplete, "complete"}, "exit_incomplete_reboot": {models.Incomplete, "reboot"},
		"exit_incomplete_shutdown": {models.Incomplete, "poweroff"}, "__exit 0": {models.Finished, "complete"}, "__exit 5": {models.Failed, "failed"},
	} {
		f := newFake(t, "task1")
		f.script("task1", ". ./helper\n"+name+"\nexit 0").flags = "original-exit-codes"
		o := options(t, f)
		o.OneShot, o.SkipPower = true, true
		if err := once(t, o); err != nil {
			t.Fatal(err)
		}
		if j := f.newest("task1"); (outcome{j.State, j.ExitState}) != want {
			t.Errorf("%s: got %s (%s), want %v", name, j.State, j.ExitState, want)
		}
	}
}

func TestEnvironmentOfScripts(t *testing.T) {
	t.Setenv("INHERITED", "yes")
	f := newFake(t, "task1")
	f.params["runner-tmpdir"] = fmt.Sprintf("%q", filepath.Join(t.TempDir(), "new"))
	f.script("task1", `echo "$RS_UUID $RS_ENDPOINT $RS_TOKEN $INHERITED"
[ "$PWD" = "$RS_TASK_DIR" ] && [ "$TMPDIR" = "$TMP" ] && [ "$(dirname "$RS_RUNNER_DIR")" = "$TMP" ] && echo "dirs are well"
[ -S "$RS_LOCAL_PROXY" ] && [ "$(stat -c %a "$RS_RUNNER_DIR")" = 700 ] && echo "socket is private"
[ "$(stat -c %a "$TMP")" = 1777 ] && echo "tmp is for all"
for tool in drp drpcli drpjq; do [ "$(command -v $tool)" = "$RS_RUNNER_DIR/bin/$tool" ] || echo "no $tool"; done
[ "$(stat -c %a helper)" = 600 ] && [ "$(stat -c %a "$0")" = 700 ] && echo "modes are well"
echo "home $HOME"`)
	o := options(t, f)
	o.OneShot, o.TempDir = true, ""
	o.Env = []string{"PATH=" + os.Getenv("PATH"), "INHERITED=yes"}
	if err := once(t, o); err != nil {
		t.Fatal(err)
	}
	log := f.logOf(f.order[0])
	wantInLog(t, log, machineID+" "+f.url()+" extra yes", "dirs are well", "socket is private", "tmp is for all", "modes are well")
	if strings.Contains(log, "no drp") || !strings.Contains(log, "home "+filepath.Dir(strings.Trim(f.params["runner-tmpdir"], `"`))) {
		t.Error(log)
	}
}

func TestJqIsOnlyGivenWhereThereIsNone(t *testing.T) {
	bin := t.TempDir()
	for _, there := range []bool{false, true} {
		if there {
			if err := os.WriteFile(filepath.Join(bin, "jq"), []byte("#!/bin/sh\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		m := &room{dir: t.TempDir()}
		if err := m.tools([]string{"PATH=" + bin}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(filepath.Join(m.bin(), "jq")); (err == nil) == there {
			t.Errorf("jq there: %v, given: %v", there, err == nil)
		}
	}
}

func TestProxyRefusesWebsocketsAndBreaksWithItsServer(t *testing.T) {
	f := newFake(t)
	c := client.New(client.Config{Endpoint: f.url(), Token: "not sent"})
	p, err := serveProxy(forward(c, options(t, f).Logger), filepath.Join(t.TempDir(), strings.Repeat("d", 90)+"/.."), ".sock", options(t, f).Logger)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	through := client.New(client.Config{Endpoint: f.url(), Token: "secret", Socket: p.path})
	m, err := client.Get[*models.Machine](context.Background(), through, "machines/"+machineID)
	if err != nil || m.Name != "bob" {
		t.Fatalf("through the proxy: %v", err)
	}
	err = through.Do(context.Background(), http.MethodGet, "ws", nil, nil, client.WithHeader("Upgrade", "websocket"))
	if models.ClassOf(err) != models.BadRequest {
		t.Errorf("websocket: got %v", err)
	}
	f.kill()
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	err = through.Do(ctx, http.MethodGet, "info", nil, nil)
	var e *models.Error
	if err == nil || errors.As(err, &e) {
		t.Errorf("server away: got %v, want a broken connection", err)
	}
}
