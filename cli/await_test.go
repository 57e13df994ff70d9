package cli

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

func TestFlagsBecomeAQuestion(t *testing.T) {
	for _, c := range []struct{ args, body string }{
		{"profiles wait k1 --timeout 10m", `{"Kind":"profiles","Key":"k1"}`},
		{"profiles wait k1 --appear", `{"Kind":"profiles","Key":"k1","MayAppear":true}`},
		{"profiles wait k1 --param my/ready=true", `{"Kind":"profiles","Key":"k1","Tests":[{"op":"test","path":"/Params/my~1ready","value":true}]}`},
		{"profiles wait k1 --param a=1.50 --param b=x --aggregate", `{"Kind":"profiles","Key":"k1","Tests":[{"op":"test","path":"/Params/a","value":1.50},{"op":"test","path":"/Params/b","value":"x"}],"Aggregate":true}`},
		{"profiles wait k1 --param my/leader", `{"Kind":"profiles","Key":"k1","Tests":[{"op":"defined","path":"/Params/my~1leader"},{"op":"not","path":"","apply":[{"op":"test","path":"/Params/my~1leader","value":null}]}]}`},
		{"profiles wait k1 --param my/leader!=none", `{"Kind":"profiles","Key":"k1","Tests":[{"op":"defined","path":"/Params/my~1leader"},{"op":"not","path":"","apply":[{"op":"test","path":"/Params/my~1leader","value":null}]},{"op":"not","path":"","apply":[{"op":"test","path":"/Params/my~1leader","value":"none"}]}]}`},
		{"profiles wait k1 --param l=[1,2] --param n>5", `{"Kind":"profiles","Key":"k1","Tests":[{"op":"test","path":"/Params/l","value":[1,2]},{"op":"more","path":"/Params/n","value":5}]}`},
		{"profiles wait k1 --field description=a=b --field Meta.color=red --field /Meta/x.y<z", `{"Kind":"profiles","Key":"k1","Tests":[{"op":"test","path":"/Description","value":"a=b"},{"op":"test","path":"/Meta/color","value":"red"},{"op":"less","path":"/Meta/x.y","value":"z"}]}`},
		{"profiles wait k1 --param-count cluster/machines>=5", `{"Kind":"profiles","Key":"k1","Path":"/Params/cluster~1machines","AtLeast":5}`},
		{"machines wait Name:m1 --field-count Profiles=2", `{"Kind":"machines","Key":"Name:m1","Path":"/Profiles","Exactly":2}`},
		{"machines wait Name:m1 --filter Stage=done", `{"Kind":"machines","Key":"Name:m1","Filter":"Stage=done"}`},
		{"machines wait --filter Stage~eq~done --filter my/x=1 --count 5", `{"Kind":"machines","Filter":"Stage=Eq%28done%29\u0026my%2Fx=1","AtLeast":5}`},
		{"machines wait --filter Stage=done --count <=0", `{"Kind":"machines","Filter":"Stage=done","AtMost":0}`},
		{"machines wait --filter Stage=done --all --of Profiles=c --count 5", `{"Kind":"machines","Filter":"Stage=done","All":true,"Of":"Profiles=c","AtLeast":5}`},
		{`tasks wait k1 --since "7"`, `{"Kind":"tasks","Key":"k1","Since":"\"7\""}`},
		{"machines wait --count 1 --aggregate", `{"Kind":"machines","AtLeast":1}`},
		{"machines wait Name:m1 --field Stage=done --unless Runnable=false --unless profiles/c~my/failed=true",
			`{"Kind":"machines","Key":"Name:m1","Tests":[{"op":"test","path":"/Stage","value":"done"}]},"Unless":[{"Kind":"machines","Key":"Name:m1","Filter":"Runnable=false"},{"Kind":"profiles","Key":"c","Filter":"my%2Ffailed=true"}]`},
		{"machines wait --filter Stage=done --all --of Profiles=c --unless Runnable~eq~false",
			`{"Kind":"machines","Filter":"Stage=done","All":true,"Of":"Profiles=c"},"Unless":[{"Kind":"machines","Filter":"Profiles=c\u0026Runnable=Eq%28false%29"}]`},
	} {
		s := newServer(t, map[string]string{"POST wait": `{"Result":"holds","Rev":3}`})
		args := strings.Fields(c.args)
		for i := range args {
			args[i] = strings.ReplaceAll(args[i], "~", " ")
		}
		want(t, c.args, s.call(t, args...), result{"{\n  \"Result\": \"holds\",\n  \"Rev\": 3\n}\n", "", 0})
		got := s.requests()
		if len(got) != 1 {
			t.Fatalf("%s: asked %q", c.args, got)
		}
		body, _, _ := strings.Cut(strings.ReplaceAll(got[0], "&", `\u0026`), `,"Timeout"`)
		want(t, c.args, body, `POST wait {"For":`+c.body)
	}
}

func TestWaitReadsAValueFromStdin(t *testing.T) {
	s := newServer(t, map[string]string{"POST wait": `{"Result":"holds"}`})
	r := s.feed(t, `["a", "b"]`, "profiles", "wait", "k1", "--param", "l=-")
	want(t, "status", r.status, 0)
	if got := s.requests()[0]; !strings.Contains(got, `"value":["a","b"]`) {
		t.Errorf("asked %s", got)
	}
}

func TestAWaitTellsItsEndByTheStatus(t *testing.T) {
	for _, c := range []struct {
		answer, err string
		status      int
	}{
		{`{"Result":"holds","Rev":3,"Object":{"Name":"k1"}}`, "", 0},
		{`{"Result":"timeout","Rev":3,"Reason":"profiles/k1: /Params/a: expected 1, found 2"}`, "Error: timeout after 0s: profiles/k1: /Params/a: expected 1, found 2\n", 4},
		{`{"Result":"never","Reason":"profiles/k1 does not exist"}`, "Error: profiles/k1 does not exist\n", 5},
		{`403 {"Model":"","Key":"","Type":"AUTH","Messages":["the token is for one profile only"],"Code":403}`, "Error: AUTH: the token is for one profile only\n", 1},
		{`404 {"Model":"","Key":"","Type":"POST","Messages":["No route"],"Code":404}`, "Error: the server does not offer this: POST: No route\n", 1},
	} {
		s := newServer(t, map[string]string{"POST wait": c.answer})
		r := s.call(t, "profiles", "wait", "k1", "--param", "a=1", "--timeout", "0")
		want(t, c.answer, fmt.Sprint(r.status, " ", r.err), fmt.Sprint(c.status, " ", c.err))
		if (r.out != "") != (c.status != 1) {
			t.Errorf("%s: stdout is %q", c.answer, r.out)
		}
	}
}

// TestAWaitOutlastsTheServer: broken connections, answers that say that nothing is decided, and a
// server that stops; it is told of once.
func TestAWaitOutlastsTheServer(t *testing.T) {
	var asked atomic.Int32
	s := newServer(t, nil)
	steps := []string{"", `{"Result":"timeout","Reason":"one is missing"}`, "busy", `{"Result":"timeout","Reason":"one is missing"}`, `{"Result":"timeout","Reason":"two are missing"}`,
		`{"Result":"again","Reason":"the server is stopping"}`, `{"Result":"holds"}`}
	s.handle["wait"] = func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.ReadAll(r.Body)
		step := steps[min(int(asked.Add(1))-1, len(steps)-1)]
		switch step {
		case "":
			panic(http.ErrAbortHandler)
		case "busy":
			w.WriteHeader(http.StatusServiceUnavailable)
			step = `{"Type":"POST","Messages":["stopping"],"Code":503}`
		}
		io.WriteString(w, step)
	}
	r := s.call(t, "machines", "wait", "--count", "3", "--progress")
	want(t, "result", r, result{"{\n  \"Result\": \"holds\"\n}\n", "waiting: one is missing\nwaiting: two are missing\n", 0})
	if n := asked.Load(); int(n) < len(steps) {
		t.Errorf("asked %d times", n)
	}
}

func TestMisusedFlagsOfWaitAreTold(t *testing.T) {
	for args, complaint := range map[string]string{
		"profiles wait a b --param x=1":                         "takes an ID and no further words",
		"profiles wait a":                                       "requires 3 or 4 arguments",
		"profiles wait a --count x":                             "x is no count",
		"profiles wait a --param-count x>5":                     "x>5 is no count",
		"profiles wait a --param-count x=1 --count 2":           "only one of",
		"profiles wait a --param x>=1":                          "there is no >= for a value",
		"profiles wait a --field Availible=true":                "profiles have no field Availible",
		"profiles wait a --filter x":                            "x is no filter",
		"profiles wait a --unless x":                            "x is no filter",
		"profiles wait a --field Available=true --timeout soon": "soon is no timeout",
	} {
		s := newServer(t, nil)
		r := s.call(t, strings.Fields(args)...)
		if r.status != 1 || !strings.Contains(r.err, complaint) || len(s.requests()) > 0 {
			t.Errorf("%s: %v; want %q", args, r, complaint)
		}
	}
}

func TestConditionsComplete(t *testing.T) {
	s := newServer(t, map[string]string{"GET params": `[{"Name":"my/leader"},{"Name":"my/ready"},{"Name":"other"}]`})
	r := s.call(t, "__complete", "machines", "wait", "--param", "my/")
	want(t, "params", strings.SplitN(r.out, ":", 2)[0], "my/leader=\nmy/ready=\n")
	for _, flag := range []string{"--filter", "--of", "--unless", "--field"} {
		r := s.call(t, "__complete", "machines", "wait", flag, "Stag")
		want(t, flag, strings.SplitN(r.out, ":", 2)[0], "Stage=\n")
	}
}
