package app

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/models"
	"drp/server/objects"
)

// entries is an answer of history.
func (c client) entries(path string) []models.HistoryEntry {
	c.t.Helper()
	var list []models.HistoryEntry
	c.must("GET", path, nil, &list)
	return list
}

// TestEveryObjectCanBeSeenAsItWas over HTTP: each version of an object of each kind equals what
// was answered then, alone and in lists.
func TestEveryObjectCanBeSeenAsItWas(t *testing.T) {
	a, admin, _ := start(t, config(t))
	type version struct{ one, list, etag string }
	then := map[uint64]map[string]version{}
	paths := []string{}
	look := func() {
		rev := a.objects.View().Rev
		then[rev] = map[string]version{}
		for _, p := range paths {
			kind, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
			one := admin.do("GET", p, nil)
			v := version{list: string(admin.do("GET", "/"+kind, nil).body)}
			if one.status == http.StatusOK {
				v.one, v.etag = string(one.body), one.header.Get("ETag")
			}
			then[rev][p] = v
		}
	}
	ids := populate(t, admin)
	for _, kind := range slices.Sorted(maps.Keys(ids)) {
		if kind != "contents" {
			paths = append(paths, "/"+kind+"/"+ids[kind])
		}
	}
	look()
	for _, p := range paths {
		admin.must("PATCH", p, `[{"op":"add","path":"/Meta/color","value":"red"}]`, nil)
		look()
	}
	admin.must("PUT", "/users/rocketskates/password", `{"Password":"r0cketsk8ts"}`, nil)
	admin.token = "rocketskates:r0cketsk8ts"
	look()
	admin.must("DELETE", "/profiles/other", nil, nil)
	look()
	admin.must("POST", "/profiles", `{"Name":"other","Description":"another"}`, nil)
	look()
	for rev, versions := range then {
		for p, want := range versions {
			kind, _, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
			one := admin.do("GET", fmt.Sprint(p, "?at=", rev), nil)
			if want.one == "" && one.status != http.StatusNotFound {
				t.Errorf("%s at %d: got %d %s, want 404", p, rev, one.status, one.body)
			}
			if want.one != "" && (string(one.body) != want.one || one.header.Get("ETag") != want.etag) {
				t.Errorf("%s at %d: got %s %s\nwant %s %s", p, rev, one.header.Get("ETag"), one.body, want.etag, want.one)
			}
			if list := admin.do("GET", fmt.Sprint("/", kind, "?at=", rev), nil); string(list.body) != want.list {
				t.Errorf("%s at %d: got %s\nwant %s", kind, rev, list.body, want.list)
			}
		}
	}
	newest := a.objects.View().Rev
	for path, want := range map[string]int{
		fmt.Sprint("/profiles/other?at=", newest+1):      400,
		"/profiles/other?at=soon":                        400,
		"/profiles?at=soon":                              400,
		"/profiles/other?at=1&aggregate=true":            400,
		"/profiles/other?at=1":                           404,
		"/profiles/never?at=1":                           404,
		"/profiles/other?at=1990-01-01T00:00:00Z":        404,
		"/profiles/other?at=0s":                          200,
		"/profiles/global?at=1":                          200,
		"/stages/local?at=0":                             200,
		"/history?from=0&to=3":                           200,
		fmt.Sprint("/history?to=", newest+1):             400,
		"/history?form=1":                                400,
		"/history?limit=0":                               400,
		"/history?kind=nothing":                          400,
		"/history?key=other":                             400,
		"/history?from=1&since=1":                        400,
		"/history?kind=profiles&key=never":               404,
		"/history?to=1990-01-01T00:00:00Z":               200,
		"/profiles/never/history":                        404,
		"/profiles/other/history?limit=x":                400,
		"/machines/Name:m1/history":                      200,
		"/machines/Name:m1?at=" + fmt.Sprint(newest-1):   200,
		"/machines/" + strings.ToUpper(ids["machines"]):  200,
		"/machines/Uuid:" + ids["machines"] + "/history": 200,
	} {
		if got := admin.do("GET", path, nil); got.status != want {
			t.Errorf("%s: got %d %s, want %d", path, got.status, got.body, want)
		}
	}
	if got := admin.do("HEAD", "/profiles?at=1", nil); got.status != 400 {
		t.Errorf("a count of the past: got %d, want 400", got.status)
	}
	for _, p := range paths {
		kind, id, _ := strings.Cut(strings.TrimPrefix(p, "/"), "/")
		path := p + "/history"
		if kind == "params" { // their names hold slashes
			path = "/history?kind=params&key=" + id
		}
		list := admin.entries(path)
		if len(list) == 0 || list[len(list)-1].Action != "create" || list[0].Kind != kind || list[0].Key != id {
			t.Errorf("%s: %+v", path, list)
		}
	}
	// What the first user's hash was stands nowhere.
	hash := a.objects.View()
	u, _ := objects.Get[*models.User](hash, "rocketskates")
	all := string(admin.do("GET", "/history?limit=10000", nil).body)
	raw, _ := json.Marshal(u.PasswordHash)
	if strings.Contains(all, strings.Trim(string(raw), `"`)) || !strings.Contains(all, models.Hidden) {
		t.Error("history shows the hash of a password")
	}
	for _, name := range []string{"baseTokenSecret", "systemGrantorSecret"} {
		if p, _ := objects.Get[*models.Pref](hash, name); p.Val == "" || strings.Contains(all, p.Val) {
			t.Errorf("history shows the preference %s", name)
		}
	}
}

// TestHistoryTellsWhoAndForWhichJob: users, machines and profiles by their tokens; and the job,
// where that is true.
func TestHistoryTellsWhoAndForWhichJob(t *testing.T) {
	a, admin, _ := start(t, config(t))
	ids := populate(t, admin)
	job, machine := ids["jobs"], ids["machines"]
	var other models.Machine
	admin.must("POST", "/machines", `{"Name":"m2","Workflow":"wf"}`, &other)
	var j2 models.Job
	admin.must("POST", "/jobs", map[string]any{"Machine": other.Uuid}, &j2)
	profile, err := a.auth.ProfileToken("cluster", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	extra := models.Clone(objectOf[*models.Job](t, a, job))
	extra.ExtraClaims = []models.Claim{{Scope: "*", Action: "*", Specific: "*"}}
	ofJob, err := a.auth.JobToken(extra)
	if err != nil {
		t.Fatal(err)
	}
	var m models.UserToken
	admin.must("GET", "/machines/"+machine+"/token", nil, &m)
	cases := []struct{ token, header, who, job string }{
		{admin.token, "", "user:rocketskates", ""},
		{admin.token, job, "user:rocketskates", job},
		{admin.token, strings.ToUpper(job), "user:rocketskates", job},
		{admin.token, "nonsense", "user:rocketskates", ""},
		{m.Token, job, "machine:" + machine, job},
		{m.Token, j2.Uuid, "machine:" + machine, ""}, // another machine's
		{profile, job, "profile:cluster", job},
		{ofJob, "", "job:" + job, job},
		{ofJob, j2.Uuid, "job:" + job, job},
	}
	path := func(token string) string {
		if token == profile || token == ofJob {
			return "/profiles/cluster"
		}
		return "/machines/" + machine
	}
	check := func(token, header, who, job string) {
		t.Helper()
		patch := fmt.Sprintf(`[{"op":"add","path":"/Meta/color","value":"%d"}]`, a.objects.View().Rev)
		if token == profile {
			patch = fmt.Sprintf(`[{"op":"add","path":"/Params/color","value":"%d"}]`, a.objects.View().Rev)
		}
		if got := (client{t, admin.url, token}).do("PATCH", path(token), patch, "X-DRP-Job", header); got.status != 200 {
			t.Fatalf("%s: %d %s", who, got.status, got.body)
		}
		if e := admin.entries("/history?limit=1")[0]; e.Who != who || e.Job != job {
			t.Errorf("with job %q: got %s for job %q, want %s for %q", header, e.Who, e.Job, who, job)
		}
	}
	for _, c := range cases {
		check(c.token, c.header, c.who, c.job)
	}
	// The agent's own reports are those of the job, though it does not say so.
	mine := client{t, admin.url, m.Token}
	mine.must("PATCH", "/jobs/"+job, `[{"op":"replace","path":"/State","value":"running"}]`, nil)
	mine.must("PATCH", "/jobs/"+job, `[{"op":"replace","path":"/State","value":"finished"}]`, nil)
	for _, e := range admin.entries("/jobs/" + job + "/history") {
		if e.Job != job {
			t.Errorf("revision %d of the job is told as that of job %q", e.Rev, e.Job)
		}
	}
	check(m.Token, job, "machine:"+machine, "") // it has ended
	list := admin.entries("/history?job=" + job + "&oldest=true")
	if len(list) < 8 || list[0].Kind != "machines" && list[0].Kind != "jobs" {
		t.Errorf("history of the job: %+v", list)
	}
	for _, e := range append(list, admin.entries("/history?who=profile:cluster")...) {
		if e.Job != job {
			t.Errorf("history of the job has %+v", e)
		}
	}
	if list := admin.entries("/history?who=rocketskates&kind=machines&since=1h"); len(list) == 0 || list[0].Who != "user:rocketskates" {
		t.Errorf("history of rocketskates: %+v", list)
	}
}

func objectOf[T models.Object](t *testing.T, a *App, key string) T {
	t.Helper()
	o, ok := objects.Get[T](a.objects.View(), key)
	if !ok {
		t.Fatalf("%s is not there", key)
	}
	return o
}

// TestTokensOfProfilesSeeTheirOwnPastOnly.
func TestTokensOfProfilesSeeTheirOwnPastOnly(t *testing.T) {
	a, admin, _ := start(t, config(t))
	populate(t, admin)
	token, err := a.auth.ProfileToken("cluster", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	c := client{t, admin.url, token}
	for path, want := range map[string]int{
		"/profiles/cluster/history": 200, "/profiles/cluster/history?limit=1&since=1h": 200, "/profiles/cluster?at=0s": 200,
		"/profiles/other/history": 404, "/profiles/other?at=0s": 404, "/profiles/global/history": 404,
		"/history": 403, "/history?kind=profiles&key=cluster": 403, "/profiles?at=0s": 403,
	} {
		if got := c.do("GET", path, nil); got.status != want {
			t.Errorf("%s: got %d %s, want %d", path, got.status, got.body, want)
		}
	}
	if got := c.do("POST", "/undo", `{"Rev":1}`); got.status != 403 {
		t.Errorf("undo: got %d, want 403", got.status)
	}
}

// TestUndoRestoresEveryKind on a whole server, with all Rules: what was patched, deleted or
// created is as it was, byte for byte, but for its revision.
func TestUndoRestoresEveryKind(t *testing.T) {
	a, admin, _ := start(t, config(t))
	ids := populate(t, admin)
	admin.must("PATCH", "/machines/"+ids["machines"], `[{"op":"replace","path":"/Description","value":"x"},{"op":"add","path":"/Params/my~1leader","value":"m1"}]`, nil)
	admin.must("PATCH", "/jobs/"+ids["jobs"], `[{"op":"replace","path":"/State","value":"running"}]`, nil)
	admin.must("PATCH", "/jobs/"+ids["jobs"], `[{"op":"replace","path":"/State","value":"finished"}]`, nil)
	admin.must("POST", "/workflows", `{"Name":"wf2","Stages":["stage1","stage1"]}`, nil)
	undo := func(rev uint64) models.Undone {
		t.Helper()
		var done models.Undone
		admin.must("POST", "/undo", models.Undo{Rev: rev}, &done)
		return done
	}
	all := func() string {
		var b strings.Builder
		for _, k := range models.Kinds {
			if !k.Internal && k.Name != "preferences" {
				b.WriteString(string(admin.do("GET", "/"+k.Name, nil).body) + "\n")
			}
		}
		return b.String()
	}
	before := all()
	tried := 0
	for _, change := range [][3]string{
		{"PATCH", "/machines/" + ids["machines"], `[{"op":"replace","path":"/Workflow","value":"wf2"}]`},
		{"PATCH", "/machines/" + ids["machines"], `[{"op":"replace","path":"/Name","value":"new.name"},{"op":"remove","path":"/Params/my~1leader"}]`},
		{"DELETE", "/machines/" + ids["machines"], ``},
		{"PATCH", "/tasks/task1", `[{"op":"replace","path":"/Templates","value":[]}]`},
		{"PATCH", "/stages/stage1", `[{"op":"replace","path":"/Tasks","value":[]}]`},
		{"DELETE", "/stages/stage1", ``}, // the workflows turn unavailable
		{"DELETE", "/workflows/wf", ``},
		{"PUT", "/profiles/cluster", `{"Name":"cluster","Params":{"x/y":[1,{"a":null}]}}`},
		{"DELETE", "/profiles/other", ``},
		{"DELETE", "/params/my/leader", ``},
		{"DELETE", "/templates/tt", ``},
		{"DELETE", "/bootenvs/env", ``},
		{"DELETE", "/users/ann", ``},
		{"DELETE", "/leases/C0A87C06", ``},
		{"PATCH", "/reservations/C0A87C05", `[{"op":"replace","path":"/Scoped","value":false}]`},
		{"PUT", "/subnets/lan", `{"Name":"lan","Subnet":"192.168.124.0/24","OnlyReservations":true,"Options":[{"Code":3,"Value":"192.168.124.1"}]}`},
		{"POST", "/subnets", `{"Name":"lan2","Subnet":"192.168.125.0/24","OnlyReservations":true}`},
		{"PATCH", "/roles/reader", `[{"op":"add","path":"/Claims/-","value":{"scope":"*","action":"*","specific":"*"}}]`},
		{"POST", "/profiles/cluster/params/a/b", `{"c":1}`},
		{"POST", "/prefs", `{"defaultStage":"stage1"}`},
		{"POST", "/machines", `{"Name":"m3"}`},
		{"POST", "/users", `{"Name":"joe"}`},
		{"POST", "/templates", `{"ID":"t2","Contents":"x"}`},
		{"POST", "/stages", `{"Name":"local","Description":"over what comes with the server"}`},
	} {
		got := admin.do(change[0], change[1], change[2])
		if got.status >= 300 {
			t.Errorf("%v: %d %s", change, got.status, got.body)
			continue
		}
		tried++
		rev := a.objects.View().Rev
		changed := all()
		done := undo(rev)
		if after := all(); after != before {
			t.Errorf("%v is taken back as\n%s\nwant\n%s", change, differing(after, before), differing(before, after))
		}
		if done.Rev != rev+1 || done.Undoes != fmt.Sprint("revision ", rev) || len(done.Changes) == 0 {
			t.Errorf("%v: %+v", change, done)
		}
		if undo(done.Rev); all() != changed {
			t.Errorf("%v is done again as\n%s\nwant\n%s", change, differing(all(), changed), differing(changed, all()))
		}
		undo(a.objects.View().Rev)
	}
	if tried < 20 {
		t.Errorf("%d changes were tried", tried)
	}
	if v := admin.do("GET", "/prefs", nil); !strings.Contains(string(v.body), `"defaultStage":"none"`) {
		t.Errorf("preferences: %s", v.body)
	}
}

// differing are the lines of a that b has not.
func differing(a, b string) string {
	var out []string
	for _, l := range strings.Split(a, "\n") {
		if !slices.Contains(strings.Split(b, "\n"), l) {
			out = append(out, l)
		}
	}
	return strings.Join(out, "\n")
}

// TestUndoOverHTTPRefusesWithReasons.
func TestUndoOverHTTPRefusesWithReasons(t *testing.T) {
	a, admin, _ := start(t, config(t))
	ids := populate(t, admin)
	rev := func() uint64 { return a.objects.View().Rev }
	admin.must("PATCH", "/profiles/cluster", `[{"op":"add","path":"/Params/a~1b","value":1}]`, nil)
	first := rev()
	admin.must("PATCH", "/profiles/cluster", `[{"op":"replace","path":"/Params/a~1b","value":2}]`, nil)
	admin.must("POST", "/contents", `{"meta":{"Name":"pack"},"sections":{"profiles":{"pp":{"Name":"pp"}}}}`, nil)
	pack := rev()
	created := admin.entries("/jobs/" + ids["jobs"] + "/history")[0].Rev
	for _, c := range []struct {
		body   string
		status int
		want   []string
	}{
		{fmt.Sprintf(`{"Rev":%d}`, first), 409, []string{"/Params/a~1b", "user:rocketskates", fmt.Sprint("revision ", first+1)}},
		{fmt.Sprintf(`{"Rev":%d}`, pack), 422, []string{"content pack pack", "upload"}},
		{fmt.Sprintf(`{"Rev":%d}`, created), 422, []string{"job " + ids["jobs"]}},
		{`{"Rev":99999}`, 400, []string{"yet to come"}},
		{`{"Revision":1}`, 400, []string{"Revision"}},
		{`{"Rev":1,"Who":"x"}`, 400, []string{"one of"}},
		{`{"Who":"nobody","Since":"1h"}`, 404, []string{"user:nobody"}},
	} {
		got := admin.do("POST", "/undo", c.body)
		if got.status != c.status {
			t.Errorf("%s: got %d %s, want %d", c.body, got.status, got.body, c.status)
		}
		for _, want := range c.want {
			if !strings.Contains(string(got.body), want) {
				t.Errorf("%s: %s does not say %q", c.body, got.body, want)
			}
		}
	}
	if rev() != pack {
		t.Error("something was changed")
	}
	admin.must("PATCH", "/profiles/other", `[{"op":"replace","path":"/Description","value":"x"}]`, nil)
	one := admin.do("POST", "/undo", fmt.Sprintf(`{"Rev":%d}`, rev()), "Idempotency-Key", "k1")
	two := admin.do("POST", "/undo", fmt.Sprintf(`{"Rev":%d}`, rev()-1), "Idempotency-Key", "k1")
	if one.status != 200 || string(one.body) != string(two.body) || rev() != pack+2 {
		t.Errorf("a repeated undo: %d %s\nand %d %s", one.status, one.body, two.status, two.body)
	}
}

// TestPreferencesBoundHistory: the oldest goes, those who ask for it are told, and the server
// starts again on what is left.
func TestPreferencesBoundHistory(t *testing.T) {
	cfg := config(t)
	a, admin, stop := start(t, cfg)
	populate(t, admin)
	if k := a.keep(); k.Age != 30*24*time.Hour || k.Bytes != 1<<30 {
		t.Errorf("as long as nobody says otherwise %+v is kept", k)
	}
	admin.must("POST", "/prefs", `{"historyDays":"7","historyMegabytes":"0"}`, nil)
	if k := a.keep(); k.Age != 7*24*time.Hour || k.Bytes != 0 {
		t.Errorf("kept is %+v", k)
	}
	if got := admin.do("POST", "/prefs", `{"historyDays":"-1"}`); got.status != 422 {
		t.Errorf("a negative age: %d %s", got.status, got.body)
	}
	admin.must("PATCH", "/profiles/cluster", `[{"op":"replace","path":"/Description","value":"x"}]`, nil)
	if err := a.engine.Compact(t.Context(), 10); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/profiles/cluster?at=2", "/profiles?at=9", "/history?from=9", "/history?kind=profiles&key=cluster&from=1"} {
		if got := admin.do("GET", path, nil); got.status != 410 || !strings.Contains(string(got.body), "kept is 11") {
			t.Errorf("%s: got %d %s, want 410 that names 11", path, got.status, got.body)
		}
	}
	if got := admin.do("POST", "/undo", `{"Rev":10}`); got.status != 410 {
		t.Errorf("undo: got %d %s, want 410", got.status, got.body)
	}
	list := admin.entries("/history?oldest=true")
	if list[0].Rev != 11 {
		t.Errorf("the oldest is %d, want 11", list[0].Rev)
	}
	want := string(admin.do("GET", "/history", nil).body)
	stop()
	_, again, _ := start(t, cfg)
	again.token = admin.token
	if got := string(again.do("GET", "/history", nil).body); got != want {
		t.Errorf("history after a restart:\n%s\nwant\n%s", got, want)
	}
}
