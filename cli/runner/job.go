package runner

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"drp/cli/client"
	"drp/models"
)

// claim asks the server for a job; nil: there is nothing to do. Answers may get lost, and the
// server then speaks of a job that waits for us: that one is it. Whether it is really ours is
// settled when it is set running, which only one runner can do.
func (r *runner) claim(ctx context.Context) (*models.Job, error) {
	j := &models.Job{}
	_, err := r.send(ctx, http.MethodPost, "jobs", &models.Job{Machine: r.Machine, Context: r.Context}, j)
	if models.ClassOf(err) == models.Conflict {
		waiting, werr := r.waiting(ctx)
		if werr != nil || waiting == nil {
			return nil, errors.Join(err, werr)
		}
		return waiting, nil
	}
	if err != nil || j.State == "" {
		return nil, err
	}
	return j, nil
}

// waiting is the machine's job if it was created for us and not begun.
func (r *runner) waiting(ctx context.Context) (*models.Job, error) {
	m, err := r.machine(ctx)
	if err != nil || !m.Runnable {
		return nil, err
	}
	j, err := r.current(ctx, m)
	if err != nil || j == nil || j.State != models.Created || j.Context != r.Context {
		return nil, err
	}
	return j, nil
}

// current is the newest job of a machine, nil if there is none.
func (r *runner) current(ctx context.Context, m *models.Machine) (*models.Job, error) {
	if m.CurrentJob == "" || strings.Trim(m.CurrentJob, "0-") == "" {
		return nil, nil
	}
	j := &models.Job{}
	err := r.get(ctx, "jobs/"+m.CurrentJob, j)
	if models.ClassOf(err) == models.NotFound {
		return nil, nil
	}
	return j, err
}

// errLost says that the job is no longer ours: somebody else has ended it or works on it.
var errLost = errors.New("the job is no longer ours")

// run is one job being run.
type run struct {
	*runner
	job   *models.Job
	rec   *record
	log   *joblog
	token string
}

// perform runs a job to its end and reports it. rec is what an earlier runner has left of the
// job, or nil. It returns true when the runner is to end.
func (r *runner) perform(ctx context.Context, j *models.Job, rec *record) (end bool, err error) {
	resumed := rec != nil
	if !resumed {
		if rec, err = r.begin(j); err != nil {
			return true, fmt.Errorf("job %s: %w", j.Uuid, err)
		}
	}
	w := &run{runner: r, job: j, rec: rec}
	if w.log, err = r.openLog(ctx, rec, resumed); err != nil {
		return true, fmt.Errorf("job %s: %w", j.Uuid, err)
	}
	r.say("job %s: %s begins", j.Uuid, j.Task)
	err = w.toOutcome(ctx)
	r.watch.attend("")
	if ctx.Err() != nil {
		if err := w.abandon(ctx); err != nil {
			return true, err
		}
		return true, ctx.Err()
	}
	if err != nil {
		return w.lose(ctx, err)
	}
	return w.report(ctx)
}

// begin takes down that a job is ours and makes its task dir.
func (r *runner) begin(j *models.Job) (*record, error) {
	if err := r.drop(); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(r.room.dir, fileName(j.Task)+"-")
	if err != nil {
		return nil, fmt.Errorf("make task dir: %w", err)
	}
	host, err := os.Hostname()
	if err != nil {
		return nil, fmt.Errorf("name this host: %w", err)
	}
	rec := &record{
		Job: j.Uuid, Task: j.Task, Token: j.Token, Boot: r.state.Boot, Dir: dir, Log: strings.TrimSuffix(r.state.path, ".json") + ".log",
		Opening: fmt.Sprintf("%s runner on %s begins %s (pid %d)\n", time.Now().UTC().Format(time.RFC3339Nano), host, j.Task, os.Getpid()),
	}
	// A runner that was killed between forgetting a job and cleaning up has left its log.
	if err := os.RemoveAll(rec.Log); err != nil {
		return nil, fmt.Errorf("clean up: %w", err)
	}
	r.state.Work = rec
	return rec, r.state.save()
}

// drop forgets the record of a job and removes its files.
func (r *runner) drop() error {
	rec := r.state.Work
	if rec == nil {
		return nil
	}
	r.state.Work = nil
	if err := r.state.save(); err != nil {
		return err
	}
	err := errors.Join(os.RemoveAll(rec.Dir), os.RemoveAll(rec.Log))
	if err != nil {
		return fmt.Errorf("clean up after job %s: %w", rec.Job, err)
	}
	return nil
}

// toOutcome does all that comes before the report. Its errors are ctx's, those of a server that
// refuses, and errLost; what goes wrong on this host is an outcome.
func (w *run) toOutcome(ctx context.Context) error {
	if w.rec.Outcome != nil {
		return nil
	}
	if w.rec.Codes == "" {
		w.rec.Codes = w.scheme(ctx)
	}
	if err := w.setRunning(ctx); err != nil {
		return err
	}
	if strings.Contains(w.job.Task, ":") {
		w.log.note("%s needs nothing to be done here", w.job.Task)
		return w.end(finished)
	}
	actions, err := w.actions(ctx)
	if err != nil {
		return err
	}
	w.token = w.rec.Token
	if w.token == "" {
		if w.token, err = w.Client.Token(ctx); err != nil {
			return err
		}
	}
	return w.runAll(ctx, actions)
}

// scheme tells how the task's exit codes are read. A task that cannot be had is met again when
// its actions are asked for.
func (w *run) scheme(ctx context.Context) scheme {
	if strings.Contains(w.job.Task, ":") {
		return original
	}
	t := &models.Task{}
	if err := w.get(ctx, "tasks/"+w.job.Task, t); err != nil {
		w.log.note("task %s: %v", w.job.Task, err)
	}
	if slices.Contains(flagsOf(t.Meta), string(sane)) {
		return sane
	}
	return original
}

// setRunning takes the job: from then on nobody else runs it. The server is told how often to
// expect a sign of life.
func (w *run) setRunning(ctx context.Context) error {
	if w.job.State == models.Running {
		return nil
	}
	p := ops{}.test("/State", w.job.State).replace("/State", models.Running)
	beat := fmt.Sprint(max(1, int(w.Heartbeat.Seconds())))
	if w.job.Meta == nil {
		p = p.add("add", "/Meta", map[string]string{"heartbeat": beat})
	} else {
		p = p.add("add", "/Meta/heartbeat", beat)
	}
	unsure, err := w.send(ctx, http.MethodPatch, "jobs/"+w.job.Uuid, p, nil)
	if models.ClassOf(err) == models.Conflict {
		now := &models.Job{}
		if err := w.get(ctx, "jobs/"+w.job.Uuid, now); err != nil {
			return err
		}
		switch {
		case now.State == w.job.State: // it is something else that the server minds
			return err
		case !unsure || now.State != models.Running:
			return fmt.Errorf("%w: it is %s", errLost, now.State)
		}
		err = nil
	}
	if err != nil {
		return err
	}
	w.job.State = models.Running
	return nil
}

// errRender says that the server cannot render the task's templates. It has failed the job then.
var errRender = errors.New("the task's templates cannot be rendered")

// actions fetches what the task consists of on this operating system.
func (w *run) actions(ctx context.Context) ([]models.JobAction, error) {
	var list []models.JobAction
	err := w.get(ctx, "jobs/"+w.job.Uuid+"/actions", &list, client.WithFlag("os", runtime.GOOS))
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("%w: %w", errRender, err)
	}
	return forSystem(list, runtime.GOOS), err
}

// forSystem drops actions meant for other systems; if the first names none, none does.
func forSystem(list []models.JobAction, system string) []models.JobAction {
	if len(list) == 0 || list[0].Meta["OS"] == "" {
		return list
	}
	return slices.DeleteFunc(list, func(a models.JobAction) bool {
		meant := strings.FieldsFunc(a.Meta["OS"], func(c rune) bool { return c == ',' || c == ' ' })
		return !slices.Contains(meant, system) && !slices.Contains(meant, "any")
	})
}

// runAll does the actions that are left.
func (w *run) runAll(ctx context.Context, actions []models.JobAction) error {
	for i := w.rec.Action; i < len(actions); i++ {
		v, err := w.act(ctx, &actions[i])
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if errors.Is(err, errLost) {
			return err
		}
		if err != nil {
			w.log.note("%s: %v", actions[i].Name, err)
			v = verdict{exit: "failed"}
		}
		o, over := v.settle(i == len(actions)-1)
		if over {
			return w.end(o)
		}
		w.rec.Action, w.rec.Script = i+1, nil
	}
	return w.end(finished)
}

// end takes down the outcome, before anybody is told.
func (w *run) end(o outcome) error {
	w.rec.Outcome, w.rec.Script = &o, nil
	return w.state.save()
}

// act does one action: it writes a file, or runs a script.
func (w *run) act(ctx context.Context, a *models.JobAction) (verdict, error) {
	if a.Path != "" {
		return verdict{}, w.writeFile(a)
	}
	code, err := w.script(ctx, a)
	if err != nil {
		return verdict{}, err
	}
	w.log.note("%s exits with %d", a.Name, code)
	by := w.rec.Codes
	if f, err := os.Lstat(filepath.Join(w.rec.Dir, ".sane-exit-codes")); err == nil && f.Mode().IsRegular() {
		by = sane
	}
	return read(code, by), nil
}

func (w *run) writeFile(a *models.JobAction) error {
	path := a.Path
	if !filepath.IsAbs(path) {
		if !filepath.IsLocal(path) {
			return fmt.Errorf("path %s leads out of the task's folder", path)
		}
		path = filepath.Join(w.rec.Dir, path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	w.log.note("%s: write %s", a.Name, path)
	return os.WriteFile(path, []byte(a.Content), 0o644)
}

// script runs a script, or waits for the one that an earlier runner has started. When somebody else
// ends the job meanwhile the script is ended, and the error is errLost.
func (w *run) script(ctx context.Context, a *models.JobAction) (int, error) {
	guarded, done := w.guard(ctx)
	defer done()
	code, err := w.toExit(guarded, a)
	if lost := context.Cause(guarded); errors.Is(lost, errLost) && ctx.Err() == nil {
		return 0, lost
	}
	return code, err
}

// guard is a context that ends when the job is no longer ours; done must be called.
func (w *run) guard(ctx context.Context) (guarded context.Context, done func()) {
	guarded, cancel := context.WithCancelCause(ctx)
	w.watch.attend(w.job.Uuid)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-w.watch.look:
			case <-guarded.Done():
				return
			}
			if err := w.ours(guarded); err != nil {
				w.log.note("%v: its script is ended", err)
				cancel(err)
				return
			}
		}
	}()
	return guarded, func() {
		cancel(nil)
		<-ended
	}
}

// ours is errLost when the server says that we no longer run the job. What it does not say changes
// nothing.
func (w *run) ours(ctx context.Context) error {
	now := &models.Job{}
	err := w.get(ctx, "jobs/"+w.job.Uuid, now)
	switch {
	case models.ClassOf(err) == models.NotFound:
		return fmt.Errorf("%w: it was deleted", errLost)
	case err != nil || now.State == models.Running:
		return nil
	case now.Meta["cancelled"] != "":
		return fmt.Errorf("%w: it was cancelled: %s", errLost, now.Meta["cancelled"])
	}
	return fmt.Errorf("%w: it was set %s", errLost, now.State)
}

func (w *run) toExit(ctx context.Context, a *models.JobAction) (int, error) {
	w.log.beat(true)
	defer w.log.beat(false)
	p := w.rec.Script
	if p.fate() == running && attach(p) {
		w.say("job %s: %s still runs", w.job.Uuid, a.Name)
		if code, err := p.wait(ctx, w.Grace, w.stopped); err == nil || ctx.Err() != nil {
			return code, err
		}
	}
	switch p.fate() {
	case over:
		code, _, _ := p.code()
		return code, nil
	case running, vanished:
		return 0, errKilled
	}
	p, err := w.start(a)
	if err != nil {
		return 0, err
	}
	return p.wait(ctx, w.Grace, w.stopped)
}

// stopped takes down that it is us who end the script: its exit code then says nothing.
func (w *run) stopped() {
	w.rec.Stopped = true
	if err := w.state.save(); err != nil {
		w.Logger.Error("record the end of a script", "job", w.job.Uuid, "error", err)
	}
}

// start starts a script; its process is on record before the script does anything.
func (w *run) start(a *models.JobAction) (*process, error) {
	if err := os.WriteFile(filepath.Join(w.rec.Dir, "helper"), []byte(helper), 0o600); err != nil {
		return nil, err
	}
	path := filepath.Join(w.rec.Dir, fileName(w.job.Task)+"-"+fileName(a.Name))
	if err := writeScript(path, []byte(a.Content)); err != nil {
		return nil, err
	}
	exit := filepath.Join(w.rec.Dir, fmt.Sprintf(".exit-%d", w.rec.Action))
	if err := os.RemoveAll(exit); err != nil {
		return nil, err
	}
	w.log.note("%s: run", a.Name)
	p, err := start(command{
		argv: append(interpreter(a, path), path), dir: w.rec.Dir, env: w.environment(w.rec, w.token),
		out: w.log.write, exit: exit, mark: "RS_TASK_DIR=" + w.rec.Dir,
	})
	if err != nil {
		return nil, err
	}
	w.rec.Script = p
	if err := w.state.save(); err != nil {
		endGroup(p, 0)
		return nil, err
	}
	return p, p.free()
}

// interpreter is what runs a script, by its Meta or its name; nothing: the script says it itself.
func interpreter(a *models.JobAction, path string) []string {
	if given := strings.Fields(a.Meta["Interpreter"]); len(given) > 0 {
		return given
	}
	switch strings.ToLower(filepath.Ext(path)) {
	case ".ps1":
		return []string{"powershell.exe", "-ExecutionPolicy", "Bypass", "-File"}
	case ".cmd", ".bat":
		return []string{os.Getenv("ComSpec"), "/c"}
	}
	return nil
}

// fileName makes a name fit for a file.
func fileName(name string) string {
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune("._-", c) || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			return c
		}
		return '_'
	}, name)
}
