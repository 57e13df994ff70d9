package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"drp/models"
)

// TestWhatATaskDidIsToldAndTakenBack: a job's script and its runner change things through drp,
// with the tokens of the machine and of a profile; history tells it, and undo takes it back.
func TestWhatATaskDidIsToldAndTakenBack(t *testing.T) {
	drp, server := programs(t)
	c := serve(t, server, drp)
	c.env = append(c.env, "TMPDIR="+t.TempDir())
	c.must("params", "create", `{"Name":"my/leader","Schema":{"type":"string","default":"none"}}`)
	c.must("profiles", "create", `{"Name":"cluster"}`)
	script := `#!/bin/sh
set -e
drp machines set "$RS_UUID" param my/leader to mine
drp -T {{.GenerateProfileToken "cluster" 600}} profiles set cluster param my/leader to won
(unset RS_JOB_UUID; drp machines set "$RS_UUID" param other/one to unnamed)
`
	task, err := json.Marshal(map[string]any{"Name": "elect", "Templates": []any{map[string]string{"Name": "elect.sh", "Contents": script}}})
	if err != nil {
		t.Fatal(err)
	}
	c.must("tasks", "create", string(task))
	c.must("stages", "create", `{"Name":"elect","Tasks":["elect"]}`)
	c.must("workflows", "create", `{"Name":"elect","Stages":["elect"]}`)
	c.must("machines", "create", `{"Name":"m1","Workflow":"elect"}`)
	// An agent has the token of its machine.
	var token models.UserToken
	if err := json.Unmarshal([]byte(c.must("machines", "token", "Name:m1")), &token); err != nil {
		t.Fatal(err)
	}
	agent := command{t, c.path, append(c.env, "RS_TOKEN="+token.Token)}
	out := agent.must("machines", "processjobs", "Name:m1", "--oneshot", "--skip-power")
	if !strings.Contains(out, "elect is finished") {
		t.Fatalf("the runner says:\n%s", out)
	}
	entries := func(args ...string) (list []models.HistoryEntry) {
		t.Helper()
		if err := json.Unmarshal([]byte(c.must(append([]string{"history", "--limit", "0"}, args...)...)), &list); err != nil {
			t.Fatal(err)
		}
		return list
	}
	last := entries("machines", "Name:m1", "--since", "1h")
	var m models.Machine
	if err := json.Unmarshal([]byte(c.must("machines", "show", "Name:m1")), &m); err != nil {
		t.Fatal(err)
	}
	job := m.CurrentJob
	text := c.must("history", "--job", job, "--limit", "0", "-F", "text", "-H", "-J", "Who,Job,Object,Change")
	for _, want := range []string{
		fmt.Sprintf("machine:%s\t%s\tmachines/%s\tParams/my~1leader: set to \"mine\"", m.Uuid, job, m.Uuid),
		"profile:cluster\t" + job + "\tprofiles/cluster\tParams/my~1leader: set to \"won\"",
		"State: \"created\" -> \"running\"", "State: \"running\" -> \"finished\"", "jobs/" + job + "\tcreated",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("history of the job does not tell %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "unnamed") || len(last) < 5 {
		t.Errorf("history of the job:\n%s", text)
	}

	dry := c.must("undo", "--job", job, "--dry-run", "-F", "text")
	if !strings.Contains(dry, "would take back job "+job+": 2 changes") || !strings.Contains(dry, "stays: it records what job "+job+" has done") {
		t.Errorf("dry run:\n%s", dry)
	}
	c.must("undo", "--job", job)
	if got := c.must("profiles", "show", "cluster"); strings.Contains(got, "won") {
		t.Errorf("the profile is %s", got)
	}
	for param, want := range map[string]string{"my/leader": "null", "other/one": `"unnamed"`} {
		if got := strings.TrimSpace(c.must("machines", "get", "Name:m1", "param", param)); got != want {
			t.Errorf("%s of the machine: got %s, want %s", param, got, want)
		}
	}
	undo := entries("profiles", "cluster")[0]
	if undo.Undoes != "job "+job || undo.Who != "user:rocketskates" {
		t.Errorf("the undo is told as %+v", undo)
	}
	if got := c.must("profiles", "show", "cluster", "--at", fmt.Sprint(undo.Rev-1)); !strings.Contains(got, `"won"`) {
		t.Errorf("the profile before the undo: %s", got)
	}
	if got := c.must("history", "diff", "profiles", "cluster", fmt.Sprint(undo.Rev-1), fmt.Sprint(undo.Rev), "-F", "text"); got != "Params/my~1leader: \"won\" removed\n" {
		t.Errorf("diff: %q", got)
	}
	c.must("undo", fmt.Sprint(undo.Rev))
	if got := strings.TrimSpace(c.must("profiles", "get", "cluster", "param", "my/leader")); got != `"won"` {
		t.Errorf("done again: got %s", got)
	}
	c.must("profiles", "set", "cluster", "param", "my/leader", "to", "other")
	_, errs, status := c.run("undo", "--job", job)
	for _, want := range []string{"profiles/cluster", "/Params/my~1leader", "user:rocketskates in revision "} {
		if status == 0 || !strings.Contains(errs, want) {
			t.Errorf("a conflict: exit %d: %s does not name %s", status, errs, want)
		}
	}
}
