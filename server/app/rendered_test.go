package app

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/models"
	"drp/server/auth"
	"drp/server/objects"
)

// fetch is what the file ports answer to somebody without a token, and the port of the API for them:
// the status and the text, which must agree but for tokens and for what is not there.
func fetch(t *testing.T, a *App, path string) (int, string) {
	t.Helper()
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	var status int
	var text []byte
	for i, base := range []string{fmt.Sprintf("https://127.0.0.1:%d", a.ports.api), fmt.Sprintf("https://127.0.0.1:%d", a.ports.secure), fmt.Sprintf("http://127.0.0.1:%d", a.ports.static)} {
		res, err := client.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		text, err = io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && res.StatusCode != status {
			t.Errorf("%s: %s answers %d, the port before it %d", path, base, res.StatusCode, status)
		}
		status = res.StatusCode
	}
	return status, string(text)
}

// startWithFiles is start with both file ports.
func startWithFiles(t *testing.T) (*App, client) {
	t.Helper()
	cfg := config(t)
	cfg.StaticPort, cfg.StaticSecurePort, cfg.SecurePortChosen = free(t), free(t), true
	a, admin, _ := start(t, cfg)
	return a, admin
}

// TestBootFilesAreServedToMachines, from the API to both file ports, without a token; nothing of
// it is written to the disk.
func TestBootFilesAreServedToMachines(t *testing.T) {
	a, admin := startWithFiles(t)
	image, err := os.ReadFile("../files/testdata/archive.tar.xz")
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range [][2]string{
		{"/params", `{"Name":"package-repositories","Schema":{"type":"array","default":[{"tag":"far","os":["env-os"],"url":"http://far/","installSource":true}]}}`},
		{"/bootenvs", `{"Name":"env-install","OS":{"Name":"env-os","IsoFile":"env.iso"},"Kernel":"sub/deep/er","Templates":[{"Name":"ipxe","Path":"{{.Machine.Path}}/boot.ipxe","Contents":"#!ipxe"},{"Name":"ks","Path":"{{.Machine.Path}}/ks","Contents":"{{.Env.InstallUrl}} {{.Param \"who\"}}"},{"Name":"ln","Path":"{{.Machine.Path}}/vmlinuz","Link":"{{.Env.PathFor \"tftp\" .Env.Kernel}}"}]}`},
		{"/bootenvs", `{"Name":"unknown","OnlyUnknown":true,"OS":{"Name":"unknown"},"Templates":[{"Name":"i","Path":"default.ipxe","Contents":"{{.Env.Name}}"}]}`},
		{"/stages", `{"Name":"install","BootEnv":"env-install","Templates":[{"Name":"s","Path":"{{.Machine.Path}}/stage","Contents":"{{.Stage.Name}}"}]}`},
		{"/prefs", `{"unknownBootEnv":"unknown"}`},
	} {
		admin.must("POST", o[0], o[1], nil)
	}
	admin.must("POST", "/isos/env.iso", string(image), nil)
	ready := models.Predicate{Kind: "stages", Key: "install", Tests: []models.Test{{Op: "test", Path: "/Available", Value: json.RawMessage("true")}}}
	soon, cancel := context.WithTimeout(objects.WithActor(t.Context(), objects.System), time.Minute)
	defer cancel()
	if got, err := a.objects.Wait(soon, &models.Wait{For: ready}); err != nil || got.Result != models.WaitHolds {
		t.Fatal(got, err)
	}
	var m models.Machine
	admin.must("POST", "/machines", `{"Name":"m1","Stage":"install","BootEnv":"env-install","Params":{"who":"me"}}`, &m)
	check := func(want map[string]string) {
		t.Helper()
		for path, text := range want {
			if _, got := fetch(t, a, path); got != text {
				t.Errorf("%s: got %q, want %q", path, got, text)
			}
		}
	}
	files := "/machines/" + m.Uuid
	check(map[string]string{
		"/default.ipxe": "unknown", "/env-os/install/sub/deep/er": "2", files + "/vmlinuz": "2", files + "/stage": "install",
		files + "/kexec": fmt.Sprintf("kernel http://127.0.0.1:%d/env-os/install/sub/deep/er\nparams \n", a.ports.static),
	})
	if status, got := fetch(t, a, files+"/ks"); status != 200 || !strings.HasSuffix(got, "/env-os/install me") {
		t.Errorf("ks: got %d %q, want the ISO that lies there and the param", status, got)
	}
	admin.must("POST", files+"/params/who", `"you"`, nil)
	if _, got := fetch(t, a, files+"/ks"); !strings.HasSuffix(got, " you") {
		t.Errorf("ks: got %q, want the param as it is now", got)
	}
	admin.must("DELETE", "/bootenvs/env-install/purgeLocal", `["all"]`, nil)
	check(map[string]string{files + "/ks": "http://far/ you"})
	admin.must("DELETE", files, nil, nil)
	if status, got := fetch(t, a, files+"/ks"); status != 404 {
		t.Errorf("after the machine: got %d %q, want 404", status, got)
	}
	if _, err := os.Stat(filepath.Join(a.cfg.BaseRoot, "tftpboot", "machines")); !os.IsNotExist(err) {
		t.Errorf("something was written to the disk: %v", err)
	}
}

// TestTokensInFilesGrantWhatTheyAreFor: a file asks for each token there is; each allows exactly
// what that of a machine, a profile or an unknown host does.
func TestTokensInFilesGrantWhatTheyAreFor(t *testing.T) {
	a, admin := startWithFiles(t)
	for _, o := range [][2]string{
		{"/profiles", `{"Name":"cluster"}`},
		{"/bootenvs", `{"Name":"unknown","OnlyUnknown":true,"OS":{"Name":"u"},"Templates":[{"Name":"t","Path":"t","Contents":"{{.GenerateToken}}"},{"Name":"i","Path":"i","Contents":"{{.GenerateInfiniteToken}}"}]}`},
		{"/stages", `{"Name":"tokens","Templates":[{"Name":"t","Path":"{{.Machine.Path}}/t","Contents":"{{.GenerateToken}}"},{"Name":"i","Path":"{{.Machine.Path}}/i","Contents":"{{.GenerateInfiniteToken}}"},{"Name":"p","Path":"{{.Machine.Path}}/p","Contents":"{{.GenerateProfileToken \"cluster\" 60}}"},{"Name":"star","Path":"{{.Machine.Path}}/star","Contents":"{{.GenerateProfileToken \"*\" 60}}"}]}`},
		{"/prefs", `{"unknownBootEnv":"unknown"}`},
	} {
		admin.must("POST", o[0], o[1], nil)
	}
	var m models.Machine
	admin.must("POST", "/machines", `{"Name":"m1","Stage":"tokens"}`, &m)
	files := "/machines/" + m.Uuid
	for path, want := range map[string]models.Claims{
		files + "/t": auth.MachineClaims(&m), files + "/i": auth.MachineClaims(&m), files + "/p": auth.ProfileClaims("cluster"), "/t": auth.UnknownClaims(),
	} {
		status, token := fetch(t, a, path)
		p, err := a.auth.Token(token)
		if status != 200 || err != nil || !slices.Equal(p.Claims, want) {
			got, _ := json.Marshal(p.Claims)
			t.Errorf("%s: got %d, %v with the claims %s", path, status, err, got)
		}
	}
	for _, path := range []string{files + "/star", "/i"} {
		if status, text := fetch(t, a, path); status != 500 {
			t.Errorf("%s: got %d %q, want 500: there is no such token", path, status, text)
		}
	}
}
