package cli

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const told = `[
 {"Rev":18,"Time":"2026-11-21T15:00:00Z","Who":"machine:m1","Job":"j1","Action":"save","Kind":"profiles","Key":"cluster",
  "Patch":[{"op":"test","path":"/Params/my~1leader","from":"","value":"none"},{"op":"replace","path":"/Params/my~1leader","from":"","value":"abc"},
           {"op":"add","path":"/Meta/color","from":"","value":"red"},
           {"op":"test","path":"/Params/x","from":"","value":{"a": [1]}},{"op":"remove","path":"/Params/x","from":"","value":null}]},
 {"Rev":17,"Time":"2026-11-21T14:00:00Z","Who":"user:ann","Undoes":"revision 16","Action":"create","Kind":"profiles","Key":"cluster",
  "Patch":[{"op":"add","path":"","from":"","value":{}}]}]`

func TestHistoryIsToldInWords(t *testing.T) {
	s := newServer(t, map[string]string{"GET profiles/cluster/history": told})
	r := s.call(t, "history", "profiles", "cluster", "-F", "text", "-H", "-J", "Rev,Who,Job,Object,Change")
	want(t, "text", r.out, "18\tmachine:m1\tj1\tprofiles/cluster\tParams/my~1leader: \"none\" -> \"abc\"; Meta/color: set to \"red\"; Params/x: {\"a\":[1]} removed\n"+
		"17\tuser:ann\t\tprofiles/cluster\tcreated (undoes revision 16)\n")
	var list []any
	if err := json.Unmarshal([]byte(s.call(t, "history", "profiles", "cluster").out), &list); err != nil || len(list) != 2 {
		t.Errorf("as JSON: %v, %d entries", err, len(list))
	}
}

// TestHistoryAsksPageByPage until it has what was asked for.
func TestHistoryAsksPageByPage(t *testing.T) {
	entries := func(from, n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf(`{"Rev":%d,"Patch":[]}`, from-i))
		}
		return "[" + strings.Join(list, ",") + "]"
	}
	s := newServer(t, nil)
	var asked []string
	s.handle["history"] = func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		asked = append(asked, q.Encode())
		switch q.Get("to") {
		case "":
			w.Header().Set("X-DRP-HISTORY-NEXT", "97")
			fmt.Fprint(w, entries(100, 3))
		case "97":
			w.Header().Set("X-DRP-HISTORY-NEXT", "95")
			fmt.Fprint(w, entries(97, 2))
		default:
			fmt.Fprint(w, entries(95, 1))
		}
	}
	for args, c := range map[string]struct {
		n     int
		asked string
	}{
		"--who ann --since 1h --limit 0":               {6, "limit=1000&since=1h&who=ann limit=1000&since=1h&to=97&who=ann limit=1000&since=1h&to=95&who=ann"},
		"--limit 5 --job j1":                           {5, "job=j1&limit=5 job=j1&limit=2&to=97"},
		"params my/leader --limit 3":                   {3, "key=my%2Fleader&kind=params&limit=3"},
		"preferences defaultStage --from 17 --limit 3": {3, "from=17&key=defaultStage&kind=preferences&limit=3"},
	} {
		asked = nil
		r := s.call(t, append([]string{"history"}, strings.Fields(args)...)...)
		var list []any
		if err := json.Unmarshal([]byte(r.out), &list); err != nil || len(list) != c.n {
			t.Errorf("%s: %v, %d entries, want %d; %s", args, err, len(list), c.n, r.err)
		}
		want(t, args, strings.Join(asked, " "), c.asked)
	}
}

func TestUndoSaysWhatItTakesBack(t *testing.T) {
	s := newServer(t, map[string]string{"POST undo": `{"Rev":24,"Undoes":"job j1","Undone":[18,12],"Kept":[{"Rev":11,"Reason":"it records what job j1 has done"}],"Changes":` + told + `}`})
	for args, body := range map[string]string{
		"17":                                 `{"DryRun":false,"Except":null,"Job":"","Rev":17,"Since":"","Who":""}`,
		"--job j1 --dry-run":                 `{"DryRun":true,"Except":null,"Job":"j1","Rev":0,"Since":"","Who":""}`,
		"--who ann --since 1h --except 3,4 ": `{"DryRun":false,"Except":[3,4],"Job":"","Rev":0,"Since":"1h","Who":"ann"}`,
		"--who ann --since 1h --except 3 --except 4 -F yaml": `{"DryRun":false,"Except":[3,4],"Job":"","Rev":0,"Since":"1h","Who":"ann"}`,
	} {
		r := s.call(t, append([]string{"undo"}, strings.Fields(args)...)...)
		want(t, args+": status", fmt.Sprint(r.status, r.err), "0")
		want(t, args, compacted(t, s.requests()), "POST undo "+body)
	}
	r := s.call(t, "undo", "--job", "j1", "-F", "text", "-J", "Rev,Change", "-H")
	want(t, "in words", r.out, "revision 11 stays: it records what job j1 has done\nrevision 24 takes back job j1: 2 changes\n"+
		"18\tParams/my~1leader: \"none\" -> \"abc\"; Meta/color: set to \"red\"; Params/x: {\"a\":[1]} removed\n17\tcreated (undoes revision 16)\n")
	s.requests()
	for _, bad := range []string{"undo", "undo x", "undo 0", "undo --who a --since 1 --except x", "undo 1 2", "history profiles", "history cows c", "history a b c", "machines show x --at 1 --wait 5m"} {
		if r := s.call(t, strings.Fields(bad)...); r.status != 1 || len(s.requests()) > 0 {
			t.Errorf("drp %s: status %d, want 1 and no request", bad, r.status)
		}
	}
}

func TestThePastIsAskedForByItsPlace(t *testing.T) {
	s := newServer(t, map[string]string{
		"GET profiles/p?at=1h": `{"Name":"p","Params":{"a/b":1},"Description":""}`,
		"GET profiles/p?at=9":  `{"Name":"p","Params":{"a/b":2},"Description":"x"}`,
		"GET profiles?at=9":    `[]`,
	})
	want(t, "show", s.call(t, "profiles", "show", "p", "--at", "9", "-F", "text", "-H", "-J", "Description").out, "x\n")
	want(t, "list", s.call(t, "profiles", "list", "--at", "9").out, "[]\n")
	want(t, "diff", s.call(t, "history", "diff", "profiles", "p", "1h", "9", "-F", "text").out, "Description: \"\" -> \"x\"\nParams/a~1b: 1 -> 2\n")
	want(t, "no diff", s.call(t, "history", "diff", "profiles", "p", "9", "9", "-F", "text").out, "no difference\n")
	if out := s.call(t, "history", "diff", "profiles", "p", "1h", "9").out; !strings.Contains(out, `"path": "/Params/a~1b"`) {
		t.Errorf("as JSON: %s", out)
	}
}

func TestATasksChangesNameItsJob(t *testing.T) {
	s := newServer(t, nil)
	var job []string
	s.handle["profiles/p"] = func(w http.ResponseWriter, r *http.Request) {
		job = r.Header["X-Drp-Job"]
		fmt.Fprint(w, `{"Name":"p"}`)
	}
	for given, wanted := range map[string]string{"": "[]", "3e7031fe": "[3e7031fe]"} {
		call{env: map[string]string{"RS_JOB_UUID": given}}.drp(t, "-E", s.URL, "-T", "secret", "profiles", "show", "p")
		want(t, "job of "+given, job, wanted)
	}
}
