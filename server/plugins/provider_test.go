package plugins

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/models"
)

// The test binary is the provider of the tests too: a script of two lines calls it so.
func TestMain(m *testing.M) {
	if len(os.Args) > 3 && os.Args[1] == "-provider" {
		fake{name: os.Args[2], dir: os.Args[3]}.main(os.Args[4:])
		return
	}
	os.Exit(m.Run())
}

// script is the program of a provider that behaves as the files in a folder say, by their names.
func script(t testing.TB, name, dir string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("#!/bin/sh\nexec '%s' -provider '%s' '%s' \"$@\"\n", self, name, dir)
}

// fake is a provider of tests.
type fake struct{ name, dir string }

// is tells whether the provider is to behave in some way.
func (f fake) is(way string) bool {
	_, err := os.Stat(filepath.Join(f.dir, way))
	return err == nil
}

// note tells the test what has happened.
func (f fake) note(what string, text []byte) {
	file, err := os.OpenFile(filepath.Join(f.dir, what), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err == nil {
		fmt.Fprintf(file, "%s\n", text)
		file.Close()
	}
}

const contentOfFake = `
meta: {Name: whatever, Version: v1.0.0, Description: For tests}
sections:
  params:
    incrementer/step: {Name: incrementer/step, Schema: {type: integer}}
  typed-cows:
    bessie: {Id: bessie, Spotted: true}
`

func (f fake) main(args []string) {
	switch args[0] {
	case "define":
		f.define()
	case "unpack":
		if f.is("unpack-fails") {
			fmt.Fprintln(os.Stderr, "no room for it")
			os.Exit(3)
		}
		_ = os.WriteFile(filepath.Join(args[1], "testFile"), []byte("ImaFile"), 0o644)
	case "listen":
		f.listen(args[1], args[2])
	}
}

func (f fake) define() {
	switch {
	case f.is("define-garbage"):
		fmt.Println("hello, I am no JSON")
		return
	case f.is("define-hangs"):
		time.Sleep(time.Hour)
	case f.is("define-huge"):
		for {
			fmt.Print(strings.Repeat("x", 1<<20))
		}
	case f.is("define-fails"):
		fmt.Fprintln(os.Stderr, "nobody taught me that")
		os.Exit(1)
	}
	p := models.PluginProvider{
		Name: f.name, Version: "v1.2.3", PluginVersion: 4, HasPublish: true, AutoStart: f.is("auto-start"), Content: contentOfFake,
		AvailableActions: []models.AvailableAction{
			{Model: "machines", Command: "increment", OptionalParams: []string{"incrementer/step"}},
			{Model: "machines", Command: "reset_count", RequiredParams: []string{"incrementer/touched"}},
			{Command: "incrstatus"},
			{Model: "plugins", Command: "self"},
			{Model: "typed-cows", Command: "milk"},
		},
		StoreObjects: map[string]json.RawMessage{
			"cows":       json.RawMessage(`{}`),
			"typed-cows": json.RawMessage(`{"Spotted":{"type":"boolean","isrequired":true},"Weight":{"type":"number"}}`),
		},
	}
	if f.is("required") {
		p.RequiredParams = []string{"incrementer/needed"}
	}
	if f.is("no-content") {
		p.Content = ""
	}
	_ = json.NewEncoder(os.Stdout).Encode(p)
}

func (f fake) listen(in, out string) {
	f.note("started", []byte(fmt.Sprint(os.Getpid())))
	if f.is("crash") {
		fmt.Println("I cannot go on")
		os.Exit(7)
	}
	if f.is("noise") {
		fmt.Println(strings.Repeat("y", 100_000))
	}
	env, _ := json.Marshal(os.Environ())
	f.note("environment", env)
	l, err := net.Listen("unix", in)
	if err != nil {
		panic(err)
	}
	call := func(what string, v any) {
		raw, _ := json.Marshal(v)
		c := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", out)
		}}}
		if res, err := c.Post("http://server/api-plugin-server/v4/"+what, "application/json", strings.NewReader(string(raw))); err == nil {
			res.Body.Close()
		}
	}
	mux := http.NewServeMux()
	take := func(what string, answer func(w http.ResponseWriter, body []byte)) {
		mux.HandleFunc("POST /api-plugin/v4/"+what, func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			f.note(what, body)
			answer(w, body)
		})
	}
	take("config", func(w http.ResponseWriter, body []byte) {
		if f.is("config-fails") {
			w.WriteHeader(409)
			fmt.Fprint(w, `{"Code":409,"Messages":["no such place"]}`)
			return
		}
		fmt.Fprint(w, `{"Code":200}`)
		if strings.Contains(string(body), "say-hello") {
			call("publish", map[string]any{"Type": "greetings", "Action": "hello", "Key": f.name})
			call("log", map[string]any{"Level": "warn", "Message": "hello log"})
		}
	})
	take("publish", func(w http.ResponseWriter, _ []byte) { fmt.Fprint(w, `{"Code":200}`) })
	take("stop", func(w http.ResponseWriter, _ []byte) {
		if !f.is("stop-hangs") {
			os.Exit(0)
		}
	})
	take("action", func(w http.ResponseWriter, body []byte) {
		var a models.Action
		if err := json.Unmarshal(body, &a); err != nil {
			w.WriteHeader(400)
			return
		}
		switch {
		case f.is("action-crashes"):
			os.Exit(1)
		case f.is("action-hangs"):
			time.Sleep(time.Hour)
		case f.is("action-garbage"):
			fmt.Fprint(w, "this is no JSON")
		case f.is("action-huge"):
			fmt.Fprint(w, `"`+strings.Repeat("z", 20<<20)+`"`)
		case f.is("action-fails"):
			w.WriteHeader(409)
			fmt.Fprint(w, `{"Model":"plugin","Key":"incrementer","Type":"plugin","Code":409,"Messages":["the cow has left"]}`)
		case f.is("action-leaves"):
			call("leaving", models.Error{Messages: []string{"the lease is over"}})
			os.Exit(1)
		case a.Command == "incrstatus":
			fmt.Fprint(w, `"Running"`)
		case a.Command == "increment":
			step := a.Params["incrementer/step"]
			if step == nil {
				step = json.RawMessage("1")
			}
			w.Write(step)
		default:
			raw, _ := json.Marshal(a)
			w.Write(raw)
		}
	})
	if f.is("never-ready") {
		time.Sleep(time.Hour)
	}
	fmt.Println("READY!")
	_ = http.Serve(l, mux)
}
