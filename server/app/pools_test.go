package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"drp/models"
)

// fleet creates machines m0, m1 and so on.
func fleet(t *testing.T, admin client, n int, members string) []string {
	t.Helper()
	uuids := make([]string, n)
	for i := range uuids {
		var m models.Machine
		admin.must("POST", "/machines", fmt.Sprintf(`{"Name":"m%d"%s}`, i, members), &m)
		uuids[i] = m.Uuid
	}
	return uuids
}

// move moves machines; the text is "" when that was done, or else the first message.
func (c client) move(path, body string) ([]models.PoolResult, string) {
	c.t.Helper()
	a := c.do("POST", path, body)
	var moved []models.PoolResult
	var e models.Error
	if a.status != http.StatusOK {
		envelope(c.t, a)
		if err := json.Unmarshal(a.body, &e); err != nil || len(e.Messages) == 0 {
			c.t.Errorf("%s: %d %s", path, a.status, a.body)
			return nil, "?"
		}
		return nil, fmt.Sprint(a.status, " ", strings.Join(e.Messages, "; "))
	}
	if err := json.Unmarshal(a.body, &moved); err != nil || moved == nil {
		c.t.Errorf("%s: %s", path, a.body)
	}
	return moved, ""
}

// TestNoMachineIsAllocatedTwice: many ask for machines at the same time, for one or more and some
// with patience; each machine has one owner, and whoever is refused could not have been served.
func TestNoMachineIsAllocatedTwice(t *testing.T) {
	_, admin, _ := start(t, config(t))
	const machines, callers = 25, 60
	fleet(t, admin, machines, "")
	var mu sync.Mutex
	owner, refused := map[string]int{}, 0
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			got, problem := admin.move("/pools/default/allocateMachines", fmt.Sprintf(`{"pool/count":%d,"pool/minimum":1}`, 1+i%3))
			mu.Lock()
			defer mu.Unlock()
			if problem != "" {
				if refused++; !strings.HasPrefix(problem, "409 1 machines of the pool default are needed, and 0 can be moved") {
					t.Error(problem)
				}
				return
			}
			if len(got) == 0 || len(got) > 1+i%3 {
				t.Errorf("caller %d got %d machines", i, len(got))
			}
			for _, m := range got {
				if before, taken := owner[m.Uuid]; taken {
					t.Errorf("machine %s is that of %d and %d", m.Name, before, i)
				}
				if owner[m.Uuid] = i; !m.Allocated || m.Status != "InUse" {
					t.Errorf("result %+v", m)
				}
			}
		})
	}
	all.Wait()
	if len(owner) != machines || refused == 0 {
		t.Errorf("%d of %d machines were allocated, %d callers refused", len(owner), machines, refused)
	}
	var status map[string][]models.PoolResult
	if admin.must("GET", "/pools/default/status", nil, &status); len(status) != 1 || len(status["InUse"]) != machines {
		t.Errorf("status: %v", status)
	}
	if moved, problem := admin.move("/pools/default/releaseMachines", `{"pool/all-machines":true}`); len(moved) != machines || moved[0].Status != "Free" || moved[0].Allocated {
		t.Errorf("released %d, %s", len(moved), problem)
	}
}

// poolWorld is a pool whose every move runs a workflow of one task.
func poolWorld(t *testing.T, admin client) {
	t.Helper()
	for _, name := range []string{"enter", "exit", "allocate", "release", "other"} {
		admin.must("POST", "/tasks", fmt.Sprintf(`{"Name":"t-%s","Templates":[{"Name":"t","Contents":"#!/bin/sh\n"}]}`, name), nil)
		admin.must("POST", "/stages", fmt.Sprintf(`{"Name":"s-%s","Tasks":["t-%s"]}`, name, name), nil)
		admin.must("POST", "/workflows", fmt.Sprintf(`{"Name":"w-%s","Stages":["s-%s"]}`, name, name), nil)
		admin.must("POST", "/profiles", fmt.Sprintf(`{"Name":"p-%s"}`, name), nil)
	}
	actions := func(name, gone string) string {
		return fmt.Sprintf(`"%sActions":{"Workflow":"w-%s","AddProfiles":["p-%s"],"RemoveProfiles":["p-%s"],"AddParameters":{"at/%s":true},"RemoveParameters":["at/%s"]}`,
			strings.ToUpper(name[:1])+name[1:], name, name, gone, name, gone)
	}
	admin.must("POST", "/pools", `{"Id":"work",`+strings.Join([]string{actions("enter", "other"), actions("allocate", "enter"), actions("release", "allocate"), actions("exit", "release")}, ",")+`}`, nil)
}

// step does what a machine has to do next, and lets its task end in the state; then the machine's
// agent asks for more, as it does.
func step(t *testing.T, admin client, uuid, task, state string) {
	t.Helper()
	for {
		var j models.Job
		a := admin.do("POST", "/jobs", `{"Machine":"`+uuid+`"}`)
		if a.status != http.StatusCreated {
			t.Fatalf("no job %s: %d %s", task, a.status, a.body)
		}
		if err := json.Unmarshal(a.body, &j); err != nil {
			t.Fatal(err)
		}
		if j.State == models.Finished { // the server's own entries
			continue
		}
		if j.Task != task {
			t.Fatalf("task %s, want %s", j.Task, task)
		}
		admin.must("PATCH", "/jobs/"+j.Uuid, `[{"op":"replace","path":"/State","value":"running"}]`, nil)
		admin.must("PATCH", "/jobs/"+j.Uuid, `[{"op":"replace","path":"/State","value":"`+state+`"}]`, nil)
		if state == "failed" {
			admin.must("PATCH", "/machines/"+uuid, `[{"op":"replace","path":"/Runnable","value":false}]`, nil)
		} else {
			admin.do("POST", "/jobs", `{"Machine":"`+uuid+`"}`)
		}
		return
	}
}

func pooled(t *testing.T, admin client, uuid string) string {
	t.Helper()
	var m models.Machine
	admin.must("GET", "/machines/"+uuid, nil, &m)
	params, _ := json.Marshal(m.Params)
	return fmt.Sprint(m.Pool, " ", m.PoolStatus, " ", m.PoolAllocated, " ", m.Workflow, " ", m.Profiles, " ", string(params))
}

// TestWorkflowsMoveMachinesThroughAPool goes the whole way with one machine; on each part of it the
// task fails first, which holds the machine until it has been done.
func TestWorkflowsMoveMachinesThroughAPool(t *testing.T) {
	_, admin, _ := start(t, config(t))
	poolWorld(t, admin)
	id := fleet(t, admin, 1, `,"Profiles":["p-other"],"Params":{"at/other":1}`)[0]
	want := func(when, state string) {
		t.Helper()
		if got := pooled(t, admin, id); got != state {
			t.Errorf("%s: got %s, want %s", when, got, state)
		}
	}
	for _, move := range []struct{ path, name, during, hold, end, after string }{
		{"/pools/work/addMachines", "enter", "work Joining false", "work HoldJoin false", "work Free false", ""},
		{"/pools/work/allocateMachines", "allocate", "work Building true", "work HoldBuild true", "work InUse true", ""},
		{"/machines/Name:m0/releaseToPool", "release", "work Destroying false", "work HoldDestroy false", "work Free false", ""},
		{"/pools/work/removeMachines", "exit", "work Leaving false", "work HoldLeave false", "default Free false", ""},
	} {
		if moved, problem := admin.move(move.path, `{}`); problem != "" || len(moved) != 1 || moved[0].Name != "m0" || !strings.Contains(move.during, moved[0].Status) {
			t.Fatalf("%s: %v %s", move.path, moved, problem)
		}
		rest := fmt.Sprintf(` w-%s [p-%s] {"at/%s":true}`, move.name, move.name, move.name)
		want(move.name, move.during+rest)
		if _, problem := admin.move("/pools/work/allocateMachines", `{"pool/machine-list":["`+id+`"]}`); problem != "409 Machine m0 is "+strings.Fields(move.during)[1]+", not Free" {
			t.Errorf("while it is under way: %s", problem)
		}
		step(t, admin, id, "t-"+move.name, "failed")
		want(move.name+" failed", move.hold+rest)
		admin.must("PATCH", "/machines/"+id, `[{"op":"replace","path":"/Runnable","value":true}]`, nil)
		want(move.name+" again", move.during+rest)
		step(t, admin, id, "t-"+move.name, "finished")
		want(move.name+" done", move.end+rest)
	}
}

// TestBothPoolsHaveTheirWayWithAMachine: one that changes pools does what the old one demands first,
// and what the caller demands of the new one last.
func TestBothPoolsHaveTheirWayWithAMachine(t *testing.T) {
	_, admin, _ := start(t, config(t))
	poolWorld(t, admin)
	admin.must("POST", "/pools", `{"Id":"next","ParentPool":"work","EnterActions":{"AddProfiles":["p-enter"],"RemoveProfiles":["p-exit"]}}`, nil)
	ids := fleet(t, admin, 2, `,"Pool":"work"`)
	if moved, problem := admin.move("/pools/next/addMachines", `{"pool/machine-list":["Name:m1"],"pool/workflow":"w-other","pool/add-parameters":{"mine":1}}`); problem != "" || len(moved) != 1 {
		t.Fatal(moved, problem)
	}
	if got, want := pooled(t, admin, ids[1]), `work Leaving false w-exit [p-exit] {"at/exit":true,"mine":1}`; got != want {
		t.Errorf("leaving: got %s, want %s", got, want)
	}
	step(t, admin, ids[1], "t-exit", "finished")
	if got, want := pooled(t, admin, ids[1]), `next Joining false w-other [p-enter] {"at/exit":true,"mine":1}`; got != want {
		t.Errorf("joining: got %s, want %s", got, want)
	}
	step(t, admin, ids[1], "t-other", "finished")
	if got, want := pooled(t, admin, ids[1]), `next Free false w-other [p-enter] {"at/exit":true,"mine":1}`; got != want {
		t.Errorf("there: got %s, want %s", got, want)
	}
	var active []string
	if admin.must("GET", "/pools-active", nil, &active); fmt.Sprint(active) != "[next work]" {
		t.Errorf("active: %v", active)
	}
	// A workflow that has gone meanwhile holds the machine where it was to be used.
	admin.must("PATCH", "/pools/next", `[{"op":"add","path":"/EnterActions/Workflow","value":"w-other"}]`, nil)
	if _, problem := admin.move("/pools/next/addMachines?source-pool=work", `{}`); problem != "" {
		t.Fatal(problem)
	}
	admin.must("DELETE", "/workflows/w-other", nil, nil)
	var p models.Pool
	if admin.must("GET", "/pools/next", nil, &p); p.Available || fmt.Sprint(p.Errors) != "[next: EnterActions: Workflow w-other does not exist]" {
		t.Errorf("the pool: %v %v", p.Available, p.Errors)
	}
	step(t, admin, ids[0], "t-exit", "finished")
	var m models.Machine
	admin.must("GET", "/machines/"+ids[0], nil, &m)
	if m.Pool != "next" || m.PoolStatus != "HoldJoin" || !strings.Contains(m.Meta["pool-problem"], "wants Workflow w-other, which is not available") {
		t.Errorf("held: %s %s %v", m.Pool, m.PoolStatus, m.Meta)
	}
	admin.must("PATCH", "/machines/"+ids[0], `[{"op":"replace","path":"/Workflow","value":"w-enter"}]`, nil)
	step(t, admin, ids[0], "t-enter", "finished")
	if got := pooled(t, admin, ids[0]); !strings.HasPrefix(got, "next Free") {
		t.Errorf("mended: %s", got)
	}
}

// TestPatienceIsRewarded: who gives a timeout gets the machines that come, and is answered when
// their workflows have ended.
func TestPatienceIsRewarded(t *testing.T) {
	a, admin, _ := start(t, config(t))
	poolWorld(t, admin)
	got := make(chan string)
	ask := func(body string) {
		go func() {
			moved, problem := admin.move("/pools/work/allocateMachines", body)
			got <- fmt.Sprint(moved, problem)
		}()
		waiters(a, 1)
	}
	ask(`{"pool/count":2,"pool/filter":["Description=Re(^good)"],"pool/wait-timeout":"10m","pool/workflow":"w-other"}`)
	ids := fleet(t, admin, 3, `,"Pool":"work"`)
	admin.must("PATCH", "/machines/"+ids[0], `[{"op":"replace","path":"/Description","value":"good one"}]`, nil)
	admin.must("PATCH", "/machines/"+ids[2], `[{"op":"replace","path":"/Description","value":"good too"}]`, nil)
	for _, i := range []int{0, 2} {
		admin.wait(`{"For":{"Kind":"machines","Key":"` + ids[i] + `","Filter":"PoolStatus=Building"}}`)
		step(t, admin, ids[i], "t-other", map[int]string{0: "finished", 2: "failed"}[i])
	}
	want := fmt.Sprintf("[{m0 %s true InUse} {m2 %s true HoldBuild}]", ids[0], ids[2])
	if ids[2] < ids[0] { // in the order of their keys
		want = fmt.Sprintf("[{m2 %s true HoldBuild} {m0 %s true InUse}]", ids[2], ids[0])
	}
	if text := <-got; text != want {
		t.Errorf("got %s, want %s", text, want)
	}
	ask(`{"pool/machine-list":["Name:m0"],"pool/wait-timeout":"1h"}`)
	if moved, problem := admin.move("/pools/work/releaseMachines?force=true", `{"pool/machine-list":["Name:m0"]}`); problem != "" || moved[0].Status != "Destroying" {
		t.Error(moved, problem)
	}
	step(t, admin, ids[0], "t-release", "finished")
	admin.wait(`{"For":{"Kind":"machines","Key":"` + ids[0] + `","Filter":"PoolStatus=Building"}}`)
	step(t, admin, ids[0], "t-allocate", "finished")
	if text := <-got; !strings.HasSuffix(text, "true InUse}]") {
		t.Errorf("the one by name: %s", text)
	}
	if _, problem := admin.move("/pools/work/allocateMachines", `{"pool/count":5,"pool/wait-timeout":"30ms"}`); !strings.HasPrefix(problem, "409 5 machines of the pool work are needed, and 1") {
		t.Errorf("in vain: %s", problem)
	}
}

func TestPoolsRefuseWhatMakesNoSense(t *testing.T) {
	_, admin, _ := start(t, config(t))
	ids := fleet(t, admin, 3, "")
	admin.must("PATCH", "/machines/"+ids[1], `[{"op":"replace","path":"/Locked","value":true}]`, nil)
	for _, c := range [][3]string{
		{"/pools/default/allocateMachines", `{"pool/count":"x"}`, "422 json: cannot unmarshal"},
		{"/pools/default/allocateMachines", `[`, "400 "},
		{"/pools/default/allocateMachines", `{"pool/cuont":2}`, `400 json: unknown field "pool/cuont"`},
		{"/pools/default/allocateMachines", `{"pool/count":-1}`, "422 pool/count and pool/minimum cannot be negative"},
		{"/pools/default/allocateMachines", `{"pool/count":1,"pool/minimum":2}`, "422 pool/count must not be less"},
		{"/pools/default/allocateMachines", `{"pool/count":1,"pool/all-machines":true}`, "422 Must choose"},
		{"/pools/default/allocateMachines", `{"pool/count":1,"pool/machine-list":["x"]}`, "422 pool/machine-list must not"},
		{"/pools/default/allocateMachines", `{"pool/machine-list":["Name:nobody"]}`, "422 Machine Name:nobody does not exist"},
		{"/pools/default/allocateMachines", `{"pool/machine-list":["Name:m0","` + ids[0] + `"]}`, "422 Machine " + ids[0] + " is listed twice"},
		{"/pools/default/allocateMachines", `{"pool/machine-list":["Name:m1"]}`, "409 Machine m1 is Locked"},
		{"/pools/other/allocateMachines", `{"pool/machine-list":["Name:m0"]}`, "409 Machine m0 is in the pool default, not in other"},
		{"/pools/default/allocateMachines", `{"pool/filter":["Runnable"]}`, "422 pool/filter: Runnable is not of the form"},
		{"/pools/default/allocateMachines", `{"pool/filter":["limit=3"]}`, "406 pool/filter: only filters"},
		{"/pools/default/allocateMachines", `{"pool/filter":["Runnable=x"]}`, "406 pool/filter: Runnable must be true or false"},
		{"/pools/default/allocateMachines", `{"pool/machine-list":["Name:m0"],"pool/filter":["Name=m2"]}`, "409 Machine m0 does not match the filter on Name"},
		{"/pools/default/allocateMachines", `{"pool/wait-timeout":"soon"}`, "4"},
		{"/pools/default/allocateMachines", `{"pool/workflow":"nope"}`, "422 Machine "},
		{"/pools/default/allocateMachines", `{"pool/add-profiles":["nope"]}`, "422 "},
		{"/pools/default/allocateMachines", `{"pool/add-profiles":["!"]}`, "422 Invalid Add Profile `!`"},
		{"/pools/default/allocateMachines", `{"pool/count":3}`, "409 3 machines of the pool default are needed, and 2"},
		{"/pools/default/addMachines", `{}`, "422 machines cannot be added to the pool that they are in"},
		{"/pools/default/removeMachines", `{}`, "422 machines cannot be removed"},
		{"/pools/default/releaseMachines", `{}`, "409 1 machines of the pool default are needed, and 0 can be moved: those that are InUse"},
		{"/machines/Name:m0/releaseToPool", `{}`, "409 Machine m0 is Free, not InUse"},
		{"/machines/Name:nobody/releaseToPool", `{}`, "404 Not Found"},
	} {
		if moved, problem := admin.move(c[0], c[1]); c[2] == "" || !strings.HasPrefix(problem, c[2]) {
			t.Errorf("%s %s: got %v %q, want %q", c[0], c[1], moved, problem, c[2])
		}
	}
	var status map[string][]models.PoolResult
	if admin.must("GET", "/pools/Id:nowhere/status", nil, &status); len(status) != 0 {
		t.Errorf("status of a pool without machines: %v", status)
	}
	if moved, problem := admin.move("/pools/nowhere/allocateMachines", `{"pool/all-machines":true}`); problem != "" || len(moved) != 0 {
		t.Errorf("all of none: %v %s", moved, problem)
	}
	admin.must("PATCH", "/machines/"+ids[0], `[{"op":"replace","path":"/PoolStatus","value":"InUse"},{"op":"replace","path":"/PoolAllocated","value":true}]`, nil)
	if got := pooled(t, admin, ids[0]); !strings.HasPrefix(got, "default Free false") {
		t.Errorf("the state is the server's: %s", got)
	}
	if moved, problem := admin.move("/pools/default/allocateMachines", `{}`); len(moved) != 1 {
		t.Fatal(problem)
	}
}

// TestPoolsAreForThoseWhoMayMoveTheirMachines tries roles that lack one claim each.
func TestPoolsAreForThoseWhoMayMoveTheirMachines(t *testing.T) {
	_, admin, _ := start(t, config(t))
	ids := fleet(t, admin, 2, "")
	for i, c := range []struct{ claims, body, want string }{
		{`{"scope":"pools","action":"action:allocateMachines","specific":"default"},{"scope":"machines","action":"get","specific":"*"}`, `{}`, "403 Cannot access"},
		{`{"scope":"machines","action":"get,update","specific":"*"}`, `{}`, "403 Cannot access"},
		{`{"scope":"pools","action":"action","specific":"other"},{"scope":"machines","action":"get,update","specific":"*"}`, `{}`, "403 Cannot access"},
		{`{"scope":"pools","action":"*","specific":"*"}`, `{}`, "409 1 machines of the pool default are needed, and 0"},
		{`{"scope":"pools","action":"*","specific":"*"}`, `{"pool/machine-list":["` + ids[0] + `"]}`, "422 Machine " + ids[0] + " does not exist"},
		{`{"scope":"pools","action":"action:allocateMachines","specific":"default"},{"scope":"machines","action":"get,update:/PoolStatus","specific":"` + ids[1] + `"}`, `{"pool/add-parameters":{"a/b":1}}`, "403 Cannot access"},
		{`{"scope":"pools","action":"action:allocateMachines","specific":"default"},{"scope":"machines","action":"get,update:/PoolStatus","specific":"` + ids[1] + `"}`, `{}`, ""},
	} {
		name := fmt.Sprintf("user%d", i)
		admin.must("POST", "/roles", fmt.Sprintf(`{"Name":"%s","Claims":[%s]}`, name, c.claims), nil)
		admin.must("POST", "/users", fmt.Sprintf(`{"Name":"%s","Roles":["%s"]}`, name, name), nil)
		admin.must("PUT", "/users/"+name+"/password", `{"Password":"secret"}`, nil)
		user := client{t, admin.url, name + ":secret"}
		moved, problem := user.move("/pools/default/allocateMachines", c.body)
		if !strings.HasPrefix(problem, c.want) || c.want == "" && (problem != "" || len(moved) != 1 || moved[0].Uuid != ids[1]) {
			t.Errorf("%s: got %v %q, want %q", c.claims, moved, problem, c.want)
		}
	}
	var status map[string][]models.PoolResult
	if admin.must("GET", "/pools/default/status", nil, &status); len(status["Free"]) != 1 || len(status["InUse"]) != 1 {
		t.Errorf("status: %v", status)
	}
	user := client{t, admin.url, "user1:secret"}
	if a := user.do("GET", "/pools/default/status", nil); a.status != http.StatusNotFound {
		t.Errorf("status without the claim: %d", a.status)
	}
	var active []string
	if user.must("GET", "/pools-active", nil, &active); len(active) != 0 {
		t.Errorf("active without the claim: %v", active)
	}
}

// TestWhatAPoolCannotGiveHoldsTheMachine: a value that its param does not take is refused when it
// would be given at once; later, when nobody is there to be told, the machine says it.
func TestWhatAPoolCannotGiveHoldsTheMachine(t *testing.T) {
	_, admin, _ := start(t, config(t))
	poolWorld(t, admin)
	admin.must("POST", "/params", `{"Name":"my/number","Schema":{"type":"integer"}}`, nil)
	admin.must("POST", "/pools", `{"Id":"picky","EnterActions":{"AddParameters":{"my/number":"x"}}}`, nil)
	id := fleet(t, admin, 1, "")[0]
	if _, problem := admin.move("/pools/picky/addMachines", `{}`); !strings.HasPrefix(problem, "422 ") || !strings.Contains(problem, "my/number") {
		t.Errorf("at once: %s", problem)
	}
	if got, want := pooled(t, admin, id), "default Free false  [] {}"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	admin.must("PATCH", "/machines/"+id, `[{"op":"replace","path":"/Pool","value":"work"}]`, nil)
	if _, problem := admin.move("/pools/picky/addMachines?source-pool=work", `{}`); problem != "" {
		t.Fatal(problem)
	}
	step(t, admin, id, "t-exit", "finished")
	var m models.Machine
	admin.must("GET", "/machines/"+id, nil, &m)
	if m.Pool != "picky" || m.PoolStatus != "HoldJoin" || !strings.Contains(m.Meta["pool-problem"], "my/number") || m.Params["my/number"] != nil {
		t.Errorf("later: %s %s %v %v", m.Pool, m.PoolStatus, m.Meta, m.Params)
	}
	if _, problem := admin.move("/pools/picky/removeMachines?force=true", `{}`); problem != "" {
		t.Errorf("out again: %s", problem)
	}
	if got := pooled(t, admin, id); !strings.HasPrefix(got, "default Free false") {
		t.Errorf("out again: %s", got)
	}
}
