package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"drp/cli/client"
	"drp/models"
)

// report is what the run came to. Wrong are the promises that did not hold.
type report struct {
	leader                     string
	machines, finished, failed int
	won                        int
	wrong                      []string
}

func (r *report) wrongf(format string, args ...any) {
	r.wrong = append(r.wrong, fmt.Sprintf(format, args...))
}

// print writes what was wrong, and the line that sums the run up as the last.
func (r *report) print(out io.Writer) error {
	fmt.Fprintln(out)
	for _, w := range r.wrong {
		fmt.Fprintln(out, "WRONG:", w)
	}
	fmt.Fprintf(out, "leader: %s  machines: %d  jobs: %d finished, %d failed  elections won: %d\n",
		r.leader, r.machines, r.finished, r.failed, r.won)
	if n := len(r.wrong); n > 0 {
		return fmt.Errorf("%d promises did not hold", n)
	}
	return nil
}

// check compares what the server holds at the end with what must be.
func (w *world) check(ctx context.Context, r *report) error {
	profile, err := client.Get[models.Profile](ctx, w.client, "profiles/"+shared)
	if err != nil {
		return err
	}
	machines, err := client.Get[[]models.Machine](ctx, w.client, "machines")
	if err != nil {
		return err
	}
	jobs, err := client.Get[[]models.Job](ctx, w.client, "jobs")
	if err != nil {
		return err
	}
	w.checkLeader(&profile, machines, r)
	w.checkOrder(&profile, r)
	w.checkJobs(machines, jobs, r)
	w.checkData(ctx, r)
	return nil
}

// checkData: the server's data and the whole history of it are sound, as drp-server check finds
// them beside the running server.
func (w *world) checkData(ctx context.Context, r *report) {
	out, err := exec.CommandContext(ctx, w.server.Argv[0], "check", "--base-root", filepath.Join(w.root, "server")).CombinedOutput()
	if err != nil {
		r.wrongf("drp-server check: %v: %s", err, out)
	}
}

// checkLeader: the profile names one leader, which is the one machine that says it won and the
// one machine that looks like a leader.
func (w *world) checkLeader(profile *models.Profile, machines []models.Machine, r *report) {
	winner := "cluster-demo/won"
	if w.workflow == documented {
		r.leader = text(profile.Params["my/leader"])
	} else {
		winner = "cluster/leader"
		leaders := list(profile.Params["cluster/leaders"])
		if r.leader = strings.Join(leaders, ","); len(leaders) != 1 {
			r.wrongf("the profile names %d leaders: %v", len(leaders), leaders)
		}
	}
	if w.member(r.leader) == nil {
		r.wrongf("the profile names %q as leader, which is none of the machines", r.leader)
	}
	r.machines = len(machines)
	if len(machines) != len(w.members) {
		r.wrongf("there are %d machines instead of %d", len(machines), len(w.members))
	}
	for _, m := range machines {
		won := string(m.Params[winner]) == "true"
		if won {
			r.won++
		}
		anchor := m.Meta["icon"] == "anchor" && m.Meta["color"] == "purple"
		if leads := m.Uuid == r.leader; won != leads || anchor != leads {
			r.wrongf("%s: leader %v, says it won: %v, shows the anchor: %v", m.Name, leads, won, anchor)
		}
		if !m.WorkflowComplete || m.CurrentTask != len(m.Tasks) {
			r.wrongf("%s stands at entry %d of %d", m.Name, m.CurrentTask, len(m.Tasks))
		}
	}
	if r.won != 1 {
		r.wrongf("%d machines won the election", r.won)
	}
}

// checkOrder: all machines joined, and worked and finished in the order in which they joined.
func (w *world) checkOrder(profile *models.Profile, r *report) {
	joined := list(profile.Params["cluster/machines"])
	known := map[string]bool{}
	for _, uuid := range joined {
		known[uuid] = w.member(uuid) != nil
	}
	if len(joined) != len(w.members) || len(known) != len(joined) || slices.Contains(slices.Collect(maps.Values(known)), false) {
		r.wrongf("these joined: %v", joined)
	}
	for _, key := range []string{"cluster-demo/order", "cluster/finished"} {
		if got := list(profile.Params[key]); !slices.Equal(got, joined) {
			r.wrongf("%s is %v, but they joined as %v", key, got, joined)
		}
	}
}

// checkJobs: each task of each machine has finished exactly once, nothing is left over, and a
// job failed only if its runner was killed.
func (w *world) checkJobs(machines []models.Machine, jobs []models.Job, r *report) {
	type entry struct {
		machine string
		index   int
	}
	finished, failed := map[entry]int{}, map[string]int{}
	for _, j := range jobs {
		switch j.State {
		case models.Finished:
			r.finished++
			finished[entry{j.Machine, j.CurrentIndex}]++
		case models.Failed:
			r.failed++
			failed[j.Machine]++
		default:
			r.wrongf("job %s (%s of %s) is %s", j.Uuid, j.Task, w.name(j.Machine), j.State)
		}
	}
	for e, n := range finished {
		if n > 1 {
			r.wrongf("entry %d of %s has %d finished jobs", e.index, w.name(e.machine), n)
		}
	}
	for _, m := range machines {
		for _, i := range tasksOf(&m) {
			if finished[entry{m.Uuid, i}] == 0 {
				r.wrongf("task %s of %s has no finished job", m.Tasks[i], m.Name)
			}
		}
	}
	for _, m := range w.members {
		if n := failed[m.uuid]; n > m.kills {
			r.wrongf("%d jobs of %s failed, but its runner was killed %d times", n, m.name, m.kills)
		}
	}
}

func (w *world) name(uuid string) string {
	if m := w.member(uuid); m != nil {
		return m.name
	}
	return uuid
}

func text(raw json.RawMessage) string {
	var s string
	_ = json.Unmarshal(raw, &s) // anything but a string is no leader
	return s
}

func list(raw json.RawMessage) []string {
	var l []string
	_ = json.Unmarshal(raw, &l) // anything but a list of strings holds nobody
	return l
}

// ledger is writes that we make all the time, to see whether one that was acknowledged is lost.
type ledger struct {
	w     *world
	stop  context.CancelFunc
	ended chan struct{}
	acked []string
	err   error
}

const ledgerProfile = "drp-demo-ledger"

// startLedger writes one param after the other until the check.
func (w *world) startLedger(ctx context.Context) *ledger {
	ctx, stop := context.WithCancel(ctx)
	l := &ledger{w: w, stop: stop, ended: make(chan struct{})}
	go func() {
		defer close(l.ended)
		l.err = l.write(ctx)
	}()
	return l
}

// maxLedger bounds the profile: each write carries all of it through the server.
const maxLedger = 4000

func (l *ledger) write(ctx context.Context) error {
	p := &models.Profile{Name: ledgerProfile, Description: "Writes that the demonstration counts"}
	if err := l.w.client.Do(ctx, http.MethodPut, "profiles/"+ledgerProfile, p, nil); models.ClassOf(err) == models.NotFound {
		err = l.w.client.Do(ctx, http.MethodPost, "profiles", p, nil)
		if err != nil && models.ClassOf(err) != models.Conflict { // a lost answer makes the second try a duplicate
			return err
		}
	} else if err != nil {
		return err
	}
	for n := 1; n <= maxLedger; n++ {
		key := fmt.Sprintf("write/%d", n)
		err := l.w.client.Do(ctx, http.MethodPost, "profiles/"+ledgerProfile+"/params/"+key, n, nil)
		if ctx.Err() != nil {
			return nil // whether this one arrived is not known
		}
		if err != nil {
			return err
		}
		l.acked = append(l.acked, key)
	}
	return nil
}

// check stops the writing and looks for every acknowledged write.
func (l *ledger) check(ctx context.Context, r *report) error {
	l.stop()
	<-l.ended
	if l.err != nil {
		return fmt.Errorf("ledger: %w", l.err)
	}
	p, err := client.Get[models.Profile](ctx, l.w.client, "profiles/"+ledgerProfile)
	if err != nil {
		return err
	}
	lost := 0
	for i, key := range l.acked {
		if string(p.Params[key]) != fmt.Sprint(i+1) {
			lost++
		}
	}
	if lost > 0 {
		r.wrongf("%d of %d acknowledged writes are lost", lost, len(l.acked))
	}
	l.w.say("\nledger    %d writes acknowledged, %d lost", len(l.acked), lost)
	return nil
}
