package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"drp/models"
)

// tasksOfASet is how many tasks a machine does in a set.
const tasksOfASet = 4

// published is what the field has published: a thousand sets in five minutes, on six cores
// (Digital Rebar Provision, doc/operations/scaling.rst).
const (
	published      = 1000.0 / (5 * 60)
	publishedCores = 6
)

// renders is group f.
func (b *bench) renders() error {
	if err := b.drp.content(); err != nil {
		return err
	}
	job, err := b.drp.scriptJob()
	if err != nil {
		return err
	}
	for _, n := range []int{1, 16} {
		err := b.row("f", fmt.Sprintf("script of %d lines", scriptLines), n, contender{"drp", func(length time.Duration) (sample, error) {
			conns, err := b.drp.clients(n)
			if err != nil {
				return sample{}, err
			}
			return drive(n, length, func(c, _ int) error {
				path := api + "jobs/" + job + "/actions?os=linux"
				a, err := conns[c].do("GET", path, "", nil)
				if err != nil {
					return err
				}
				if a.status != 200 || !strings.Contains(string(a.body), "echo end of render-0001 on bench-000001.example.com") {
					return unexpected("GET", path, a)
				}
				return nil
			})
		}})
		if err != nil {
			return err
		}
	}
	return nil
}

const scriptLines = 100

// script is a task's template of a hundred lines, as they are: mostly shell, some params, some
// conditions.
func script() string {
	lines := []string{"#!/usr/bin/env bash", "set -euo pipefail", `{{ $name := .Machine.Name -}}`}
	for len(lines) < scriptLines-1 {
		i := len(lines)
		switch i % 10 {
		case 0:
			lines = append(lines, fmt.Sprintf(`value_%d={{ .Param "bench/filler-%03d" | quote }}`, i, i%10))
		case 3:
			lines = append(lines, fmt.Sprintf(`{{ if .ParamExists "bench/filler-%03d" }}echo "{{ $name }} has it"{{ else }}exit 1{{ end }}`, i%7))
		case 6:
			lines = append(lines, `printf '%s %s\n' "{{ .Machine.Uuid }}" "{{ .Machine.Name | upper | replace "." "-" }}"`)
		default:
			lines = append(lines, fmt.Sprintf(`test -d "/var/tmp/step-%d" || mkdir -p "/var/tmp/step-%d"  # a line as any other`, i, i))
		}
	}
	lines = append(lines, `echo end of {{ .Param "bench/value" }} on {{ $name }}`)
	return strings.Join(lines, "\n") + "\n"
}

// content makes the workflows that machines go through.
func (d *drp) content() error {
	if d.hasContent {
		return nil
	}
	conns, err := d.clients(1)
	if err != nil {
		return err
	}
	create := func(kind string, o map[string]any) error { return call(conns[0], "POST", api+kind, o, nil, 201) }
	var errs []error
	tasks := []string{}
	for i := range tasksOfASet {
		tasks = append(tasks, fmt.Sprintf("bench-task-%d", i+1))
		errs = append(errs, create("tasks", map[string]any{"Name": tasks[i], "Templates": []any{
			map[string]string{"Name": "nothing.sh", "Contents": "#!/bin/sh\n# task " + tasks[i] + " of {{ .Machine.Name }}\nexit 0\n"},
		}}))
	}
	errs = append(errs,
		create("tasks", map[string]any{"Name": "bench-script", "Templates": []any{map[string]string{"Name": "script.sh", "Contents": script()}}}),
		create("stages", map[string]any{"Name": "bench-set", "Tasks": tasks}),
		create("stages", map[string]any{"Name": "bench-script", "Tasks": []string{"bench-script"}}),
		create("workflows", map[string]any{"Name": "bench-set", "Stages": []string{"bench-set"}}),
		create("workflows", map[string]any{"Name": "bench-script", "Stages": []string{"bench-script"}}),
	)
	d.hasContent = true
	return errors.Join(errs...)
}

// scriptJob is a job whose script is to be rendered.
func (d *drp) scriptJob() (string, error) {
	conns, err := d.clients(1)
	if err != nil {
		return "", err
	}
	c, uuid := conns[0], machineUUID(2, 1)
	params := filler(1000)
	params["bench/value"] = "render-0001"
	m := map[string]any{"Name": machineName("bench", 1), "Uuid": uuid, "Workflow": "bench-script", "Params": params}
	if err := call(c, "POST", api+"machines", m, nil, 201); err != nil {
		return "", err
	}
	if err := call(c, "PATCH", api+"machines/"+uuid, []byte(`[{"op":"replace","path":"/Runnable","value":true}]`), nil, 200); err != nil {
		return "", err
	}
	for range 5 { // the entry of the stage is a job too
		var j models.Job
		if err := call(c, "POST", api+"jobs", map[string]any{"Machine": uuid}, &j, 201); err != nil {
			return "", err
		}
		if j.Task == "bench-script" {
			return j.Uuid, nil
		}
	}
	return "", errors.New("the machine is not given the task whose script is to be rendered")
}

// sets is group g.
func (b *bench) sets() error {
	if err := b.drp.content(); err != nil {
		return err
	}
	var machines atomic.Int64
	for _, n := range []int{1, 16, 128} {
		round := func(length time.Duration) (sample, error) {
			conns, err := b.drp.clients(n)
			if err != nil {
				return sample{}, err
			}
			return drive(n, 2*length, func(c, _ int) error {
				return b.drp.set(conns[c], int(machines.Add(1)))
			})
		}
		if err := b.row("g", "machine set", n, contender{"drp", round}); err != nil {
			return err
		}
	}
	best := 0.0
	for _, r := range b.results {
		if r.Group == "g" {
			best = max(best, r.Summary.PerSecond)
		}
	}
	fmt.Fprintf(b.out, "the published bar of the field is %.1f sets a second on %d cores (not measured here): %.0fx\n", published, publishedCores, best/published)
	return nil
}

// set is all that happens between an operator who creates a machine and its last task being done:
// the very requests of the real runner, made with the token of the machine over connections of its
// own, without running anything. operator is the connection of who creates it.
func (d *drp) set(operator *lean, n int) error {
	uuid := machineUUID(3, n)
	at := api + "machines/" + uuid
	if err := call(operator, "POST", api+"machines", map[string]any{"Name": machineName("set", n), "Uuid": uuid, "Workflow": "bench-set"}, nil, 201); err != nil {
		return err
	}
	var t models.UserToken
	if err := call(operator, "GET", at+"/token?ttl=1h", nil, &t, 200); err != nil {
		return err
	}
	c, err := dial(d.addr, trusting, bearer(t.Token))
	if err != nil {
		return err
	}
	defer c.close()
	r := &simulated{c: c, at: at, uuid: uuid}
	events, err := r.begin(d.addr, t.Token)
	if err != nil {
		return err
	}
	defer events.close()
	return r.work()
}

// simulated is a runner that runs nothing.
type simulated struct {
	c        *lean
	at, uuid string
	m        models.Machine
}

// look reads the machine.
func (r *simulated) look() error {
	r.m = models.Machine{}
	return call(r.c, "GET", r.at, nil, &r.m, 200)
}

// begin is what a runner does first; it returns its event stream.
func (r *simulated) begin(addr, token string) (*socket, error) {
	if err := r.look(); err != nil {
		return nil, err
	}
	if err := call(r.c, "GET", r.at+"/params/runner-tmpdir?aggregate=true", nil, nil, 200); err != nil {
		return nil, err
	}
	c, err := dial(addr, trusting, bearer(token))
	if err != nil {
		return nil, err
	}
	events, err := openSocket(c, api+"ws", "machines.update."+r.uuid, "machines.save."+r.uuid, "machines.delete."+r.uuid)
	if err != nil {
		c.close()
		return nil, err
	}
	if err = r.look(); err == nil {
		err = call(r.c, "PATCH", r.at, []byte(`[{"op":"replace","path":"/Runnable","value":true}]`), nil, 200)
	}
	if err != nil {
		events.close()
	}
	return events, err
}

// work does job after job until there is none, and sees that the machine has done them all.
func (r *simulated) work() error {
	done := 0
	for {
		if err := r.look(); err != nil {
			return err
		}
		j, err := r.claim()
		if err != nil {
			return err
		}
		if j == nil { // it looks once more, and waits for an event
			if err := r.look(); err != nil {
				return err
			}
			break
		}
		if j.State.Final() { // the server has done it by itself
			continue
		}
		if err := r.perform(j); err != nil {
			return err
		}
		if !strings.Contains(j.Task, ":") {
			done++
		}
	}
	if !r.m.WorkflowComplete || done != tasksOfASet {
		return fmt.Errorf("machine %s has done %d of %d tasks, at %d of %v", r.uuid, done, tasksOfASet, r.m.CurrentTask, r.m.Tasks)
	}
	return nil
}

// claim is nil when there is nothing to do.
func (r *simulated) claim() (*models.Job, error) {
	a, err := r.c.do("POST", api+"jobs", "", []byte(`{"Machine":"`+r.uuid+`"}`))
	if err != nil || a.status == http.StatusNoContent {
		return nil, err
	}
	if a.status != http.StatusCreated {
		return nil, unexpected("POST", "jobs", a)
	}
	o, err := models.Unmarshal("jobs", a.body)
	if err != nil {
		return nil, err
	}
	return o.(*models.Job), nil
}

func (r *simulated) perform(j *models.Job) error {
	at := api + "jobs/" + j.Uuid
	entry := strings.Contains(j.Task, ":")
	if !entry { // how are its exit codes to be read?
		if err := call(r.c, "GET", api+"tasks/"+j.Task, nil, nil, 200); err != nil {
			return err
		}
	}
	running := `[{"op":"test","path":"/State","value":"` + string(j.State) + `"},{"op":"replace","path":"/State","value":"running"},` +
		`{"op":"add","path":"/Meta/heartbeat","value":"15"}]`
	if err := call(r.c, "PATCH", at, []byte(running), nil, 200); err != nil {
		return err
	}
	log := "runner on bench begins " + j.Task + "\n"
	if !entry {
		var actions []models.JobAction
		if err := call(r.c, "GET", at+"/actions?os=linux", nil, &actions, 200); err != nil {
			return err
		}
		if len(actions) != 1 || !strings.Contains(actions[0].Content, j.Task+" of set-") {
			return fmt.Errorf("job %s: unexpected actions %v", j.Uuid, actions)
		}
		log += "nothing.sh: run\nnothing.sh exits with 0\n"
	}
	if err := call(r.c, "PUT", at+"/log", []byte(log), nil, 204); err != nil {
		return err
	}
	finished := `[{"op":"test","path":"/State","value":"running"},{"op":"replace","path":"/State","value":"finished"},` +
		`{"op":"replace","path":"/ExitState","value":"complete"}]`
	return call(r.c, "PATCH", at, []byte(finished), nil, 200)
}
