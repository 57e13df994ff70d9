package app

import (
	"fmt"
	"strings"
	"testing"

	"drp/models"
)

// runningJob is a job that runs on a machine of its own.
func runningJob(t *testing.T, admin client) models.Job {
	t.Helper()
	admin.must("POST", "/tasks", `{"Name":"long","Templates":[{"Name":"s","Contents":"x"}]}`, nil)
	var m models.Machine
	admin.must("POST", "/machines", `{"Name":"m1","Tasks":["long"]}`, &m)
	var j models.Job
	admin.must("POST", "/jobs", `{"Machine":"`+m.Uuid+`"}`, &j)
	admin.must("PATCH", "/jobs/"+j.Uuid, `[{"op":"replace","path":"/State","value":"running"}]`, &j)
	return j
}

// tail asks for what a log has from byte n on.
func (c client) tail(job string, n int, query string, header ...string) answer {
	c.t.Helper()
	return c.do("GET", "/jobs/"+job+"/log"+query, nil, append(header, "Range", fmt.Sprintf("bytes=%d-", n))...)
}

// TestAFollowedLogIsTheLog: whoever asks for what comes next, again and again, ends up with all of it,
// and knows when that is.
func TestAFollowedLogIsTheLog(t *testing.T) {
	a, admin, _ := start(t, config(t))
	j := runningJob(t, admin)
	followed := make(chan string)
	for range 3 {
		go func() {
			seen := ""
			for {
				got := admin.tail(j.Uuid, len(seen), "", "Prefer", "wait=5m")
				switch state := models.State(got.header.Get("X-DRP-JOB-STATE")); {
				case got.status == 206:
					want := fmt.Sprintf("bytes %d-%d/%d", len(seen), len(seen)+len(got.body)-1, len(seen)+len(got.body))
					if r := got.header.Get("Content-Range"); r != want {
						t.Errorf("Content-Range %q, want %q", r, want)
					}
					seen += string(got.body)
				case got.status == 204 && state == models.Finished:
					followed <- seen
					return
				default:
					t.Errorf("%d %q %s", got.status, state, got.body)
					followed <- seen
					return
				}
			}
		}()
	}
	for i := range 40 {
		if i == 20 {
			waiters(a, 3) // nobody polls: they wait in the middle
		}
		admin.do("PUT", "/jobs/"+j.Uuid+"/log", strings.Repeat(fmt.Sprintf("line %d é\n", i), 1+i*i), "Content-Type", "application/octet-stream")
	}
	admin.must("PATCH", "/jobs/"+j.Uuid, `[{"op":"replace","path":"/State","value":"finished"}]`, nil)
	whole := string(admin.do("GET", "/jobs/"+j.Uuid+"/log", nil).body)
	for range 3 {
		if seen := <-followed; seen != whole {
			t.Errorf("followed %d bytes, the log has %d", len(seen), len(whole))
		}
	}
	late := make(chan answer)
	go func() { late <- admin.tail(j.Uuid, len(whole), "?late=true", "Prefer", "wait=5m") }()
	waiters(a, 1)
	admin.do("PUT", "/jobs/"+j.Uuid+"/log", "the tail", "Content-Type", "application/octet-stream")
	if got := <-late; got.status != 206 || string(got.body) != "the tail" || got.header.Get("X-DRP-JOB-STATE") != "finished" {
		t.Errorf("after the end: %d %s", got.status, got.body)
	}
	if n := a.objects.Waiters(); n != 0 {
		t.Errorf("%d still wait", n)
	}
}

func TestPartsOfALog(t *testing.T) {
	_, admin, _ := start(t, config(t))
	j := runningJob(t, admin)
	admin.do("PUT", "/jobs/"+j.Uuid+"/log", "0123456789", "Content-Type", "application/octet-stream")
	whole := "Log for Job: " + j.Uuid + "\n0123456789"
	n := len(whole)
	for _, c := range []struct {
		says, ask string
		header    []string
		status    int
		body      string
		part      string
	}{
		{says: "all of it", status: 200, body: whole},
		{says: "from a byte on", ask: fmt.Sprintf("bytes=%d-", n-3), status: 206, body: "789", part: fmt.Sprintf("bytes %d-%d/%d", n-3, n-1, n)},
		{says: "the middle", ask: fmt.Sprintf("bytes=%d-%d", n-10, n-9), status: 206, body: "01", part: fmt.Sprintf("bytes %d-%d/%d", n-10, n-9, n)},
		{says: "the end", ask: "bytes=-4", status: 206, body: "6789", part: fmt.Sprintf("bytes %d-%d/%d", n-4, n-1, n)},
		{says: "a longer end", ask: "bytes=-4000", status: 206, body: whole, part: fmt.Sprintf("bytes 0-%d/%d", n-1, n)},
		{says: "several parts are too many", ask: "bytes=1-2,4-5", status: 200, body: whole},
		{says: "backwards", ask: "bytes=5-3", status: 200, body: whole},
		{says: "in other units", ask: "lines=1-2", status: 200, body: whole},
		{says: "no more", ask: fmt.Sprintf("bytes=%d-", n), status: 416, part: fmt.Sprintf("bytes */%d", n)},
		{says: "no more in time", ask: fmt.Sprintf("bytes=%d-", n), header: []string{"Prefer", "wait=20ms"}, status: 204, part: fmt.Sprintf("bytes */%d", n)},
		{says: "of another log", ask: fmt.Sprintf("bytes=%d-", n+1), status: 416, part: fmt.Sprintf("bytes */%d", n)},
		{says: "a wait that is none", header: []string{"Prefer", "wait=often"}, status: 400},
	} {
		header := c.header
		if c.ask != "" {
			header = append(header, "Range", c.ask)
		}
		got := admin.do("GET", "/jobs/"+j.Uuid+"/log", nil, header...)
		if got.status != c.status || c.body != "" && string(got.body) != c.body || got.header.Get("Content-Range") != c.part {
			t.Errorf("%s: %d %q %q", c.says, got.status, got.body, got.header.Get("Content-Range"))
		}
		if c.status < 300 && (got.header.Get("X-DRP-JOB-STATE") != "running" || got.header.Get("Cache-Control") != "no-store") {
			t.Errorf("%s: %v", c.says, got.header)
		}
		if c.status > 400 && !strings.Contains(string(got.body), fmt.Sprintf(`"the log has %d bytes"`, n)) {
			t.Errorf("%s: %s", c.says, got.body)
		}
	}
	admin.must("PATCH", "/jobs/"+j.Uuid, `[{"op":"replace","path":"/State","value":"failed"}]`, nil)
	if got := admin.tail(j.Uuid, n, "", "Prefer", "wait=9m"); got.status != 204 || got.header.Get("X-DRP-JOB-STATE") != "failed" {
		t.Errorf("after the end: %d %v", got.status, got.header)
	}
}
