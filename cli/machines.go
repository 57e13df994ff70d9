package cli

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"drp/cli/client"
	"drp/cli/runner"
	"drp/models"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// machineVerbs are the verbs of machines alone.
func (k *kind) machineVerbs() []*cobra.Command {
	return []*cobra.Command{
		k.setField("workflow", "Workflow", false), k.setField("stage", "Stage", false), k.setField("bootenv", "BootEnv", true),
		k.setRunnable("run", true, "Let a machine work on its tasks"), k.setRunnable("pause", false, "Stop a machine before its next task"),
		k.addTask(), k.removeTask(), k.insertTask(), k.tasks(), k.machineJobs(), k.inspect(), k.currentLog(), k.deleteJobs(),
		k.machineToken(), k.whoami(), k.releaseToPool(), k.processJobs(),
	}
}

// setField is a verb that sets one field to a name.
func (k *kind) setField(use, field string, paranoid bool) *cobra.Command {
	return k.verb(verb{
		use:     fmt.Sprintf("%s [id] [%s]", use, use),
		short:   fmt.Sprintf("Set the %s of a %s", use, k.single),
		long:    fmt.Sprintf("Set the %s of a %s; \"\" takes it away. It fails if someone else changes it meanwhile; with -r REF\nit must be as in REF. -f asks the server to relax its checks.", use, k.single),
		example: fmt.Sprintf("drp %s %s %s example", k.name, use, k.sample()),
		args:    exactly(2),
		run: func(ctx context.Context, args []string) error {
			return k.shows(k.change(ctx, args[0], paranoid, func(doc document) error {
				doc[field] = args[1]
				return nil
			}))
		},
	})
}

func (k *kind) setRunnable(use string, to bool, short string) *cobra.Command {
	return k.verb(verb{
		use:     use + " [id]",
		short:   short,
		long:    fmt.Sprintf("%s: set Runnable to %v. A task that runs is not touched.", short, to),
		example: fmt.Sprintf("drp machines %s %s", use, k.sample()),
		args:    exactly(1),
		run: func(ctx context.Context, args []string) error {
			return k.shows(k.change(ctx, args[0], false, func(doc document) error {
				doc["Runnable"] = to
				return nil
			}))
		},
	})
}

func (k *kind) insertTask() *cobra.Command {
	return k.verb(verb{
		use:   "inserttask [id] [task] [offset]",
		short: "Insert a task behind the one that runs",
		long: "Insert a task into the task list of a machine, right behind the task that runs, or the given number\n" +
			"of tasks further on. With -r REF the machine must be exactly REF.",
		example: "drp machines inserttask " + k.sample() + " check-disks",
		args:    between(2, 3, " requires 2 or 3 arguments"),
		run: func(ctx context.Context, args []string) error {
			offset := 0
			if len(args) == 3 {
				var err error
				if offset, err = readOffset(args[2]); err != nil {
					return err
				}
			}
			return k.editList(ctx, args[0], "Tasks", true, func(doc document, list []string) ([]string, error) {
				return insertComing(doc, list, args[1:2], offset)
			})
		},
	})
}

func readOffset(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("%s could not be read as a number", s)
	}
	return n, nil
}

func (k *kind) tasks() *cobra.Command {
	add := k.verb(verb{
		use:     "add [id] [at [offset]] [task...]",
		short:   "Add tasks to a machine",
		long:    "Append tasks to the task list of a machine, or insert them: at 0 is right behind the task that runs.",
		example: "drp machines tasks add " + k.sample() + " at 0 check-disks check-memory",
		args:    atLeast(2),
		run: func(ctx context.Context, args []string) error {
			offset, tasks := -1, args[1:]
			if tasks[0] == "at" {
				if len(tasks) < 3 {
					return &usageError{"tasks add: expected an offset and tasks after at"}
				}
				var err error
				if offset, err = readOffset(tasks[1]); err != nil {
					return err
				}
				tasks = tasks[2:]
			}
			return k.editList(ctx, args[0], "Tasks", false, func(doc document, list []string) ([]string, error) {
				return insertComing(doc, list, tasks, offset)
			})
		},
	})
	del := k.verb(verb{
		use:     "del [id] [task...]",
		short:   "Take tasks from a machine",
		long:    "Take tasks that are still to come out of the task list of a machine.",
		example: "drp machines tasks del " + k.sample() + " check-disks",
		args:    atLeast(2),
		run: func(ctx context.Context, args []string) error {
			return k.editList(ctx, args[0], "Tasks", false, func(doc document, list []string) ([]string, error) {
				return removeComing(doc, list, args[1:]), nil
			})
		},
	})
	return k.group("tasks", "Change the task list of a machine", "Change the part of a machine's task list that has not been run yet.",
		"drp machines tasks add "+k.sample()+" check-disks", add, del)
}

// machine fetches a machine.
func (k *kind) machine(ctx context.Context, id string) (*models.Machine, error) {
	return client.Get[*models.Machine](ctx, k.client, k.at(id))
}

// currentJob is the newest job of a machine.
func (k *kind) currentJob(ctx context.Context, id string) (string, error) {
	m, err := k.machine(ctx, id)
	if err != nil {
		return "", err
	}
	if m.CurrentJob == "" {
		return "", fmt.Errorf("machine %s has no job yet", id)
	}
	return m.CurrentJob, nil
}

func (k *kind) machineJobs() *cobra.Command {
	create := k.verb(verb{
		use:     "create [id]",
		short:   "Create the next job of a machine",
		long:    "Ask the server for the next job of a machine and print it; its State is empty if there is nothing to do.",
		example: "drp machines jobs create " + k.sample(),
		args:    exactly(1),
		run: func(ctx context.Context, args []string) error {
			m, err := k.machine(ctx, args[0])
			if err != nil {
				return err
			}
			return k.jobs().nextJob(ctx, document{"Machine": m.Uuid, "Context": m.Context})
		},
	})
	current := k.verb(verb{
		use:     "current [id]",
		short:   "Show the newest job of a machine",
		long:    "Show the job that a machine works on, or the last one it has worked on.",
		example: "drp machines jobs current " + k.sample(),
		args:    exactly(1),
		run: func(ctx context.Context, args []string) error {
			job, err := k.currentJob(ctx, args[0])
			if err != nil {
				return err
			}
			return k.jobs().shows(k.do(ctx, http.MethodGet, "jobs/"+job, nil))
		},
	})
	state := k.verb(verb{
		use:     "state [id] to [state]",
		short:   "Set the state of the newest job of a machine",
		long:    "Set the state of the newest job of a machine: created, running, incomplete, finished or failed.",
		example: "drp machines jobs state " + k.sample() + " to failed",
		args:    all(between(3, 3, " requires 2 arguments"), word(1, "to")),
		run: func(ctx context.Context, args []string) error {
			job, err := k.currentJob(ctx, args[0])
			if err != nil {
				return err
			}
			return k.jobs().shows(k.jobs().change(ctx, job, false, func(doc document) error {
				doc["State"] = args[2]
				return nil
			}))
		},
	})
	return k.group("jobs", "Work with the jobs of a machine", "Create, show and judge the jobs of a machine by hand, as its agent does.",
		"drp machines jobs current "+k.sample(), create, current, state)
}

func (a *app) jobs() *kind {
	info, _ := models.KindOf("jobs")
	return a.kind(info)
}

func (k *kind) currentLog() *cobra.Command {
	return k.verb(verb{
		use:     "currentlog [id]",
		short:   "Print the log of the newest job of a machine",
		long:    "Print the log of the job that a machine works on, or of the last one.",
		example: "drp machines currentlog " + k.sample(),
		args:    exactly(1),
		run: func(ctx context.Context, args []string) error {
			job, err := k.currentJob(ctx, args[0])
			if err != nil {
				return err
			}
			return k.client.Do(ctx, http.MethodGet, "jobs/"+job+"/log", nil, k.Out)
		},
	})
}

func (k *kind) deleteJobs() *cobra.Command {
	return k.verb(verb{
		use:     "deletejobs [id]",
		short:   "Remove all jobs of a machine",
		long:    "Remove the jobs of a machine with their logs. Jobs that are being worked on make it fail; the others are\nremoved all the same.",
		example: "drp machines deletejobs " + k.sample(),
		args:    exactly(1),
		run: func(ctx context.Context, args []string) error {
			m, err := k.machine(ctx, args[0])
			if err != nil {
				return err
			}
			jobs, err := client.Get[[]*models.Job](ctx, k.client, "jobs", client.WithFlag("Machine", m.Uuid))
			if err != nil {
				return err
			}
			var errs []error
			for _, j := range jobs {
				if _, err := k.do(ctx, http.MethodDelete, "jobs/"+j.Uuid, nil); err != nil {
					errs = append(errs, err)
				} else if err := k.say("Deleted Job %s", j.Uuid); err != nil {
					return err
				}
			}
			return errors.Join(errs...)
		},
	})
}

func (k *kind) machineToken() *cobra.Command {
	var ttl string
	return k.verb(verb{
		use:     "token [id]",
		short:   "Print a token for a machine",
		long:    "Ask for a token that may do what the machine itself may do, such as running its jobs.",
		example: "drp machines token " + k.sample() + " --ttl 3y",
		args:    exactly(1),
		flags:   func(f *pflag.FlagSet) { f.StringVar(&ttl, "ttl", "1h", "its life, such as 600, 1h or 3y") },
		run: func(ctx context.Context, args []string) error {
			return k.prints(k.do(ctx, http.MethodGet, k.at(args[0], "token"), nil, client.WithFlag("ttl", ttl)))
		},
	})
}

// runnerFlags say how a machine's jobs are worked on.
func (a *app) runnerFlags(o *runner.Options) func(*pflag.FlagSet) {
	return func(f *pflag.FlagSet) {
		f.BoolVar(&o.SkipPower, "skip-power", false, "end instead of rebooting or powering off")
		f.BoolVar(&o.SkipRunnable, "skip-runnable", false, "never make the machine runnable")
		f.StringVar(&o.Context, "context", a.Getenv("RS_CONTEXT"), "work on the tasks meant for this context")
		f.StringVar(&o.StateDir, "state-dir", a.StateDir, "directory that survives reboots")
		f.StringVar(&o.TempDir, "temp-dir", "", "directory for scripts (default: param runner-tmpdir)")
	}
}

func (k *kind) processJobs() *cobra.Command {
	var o runner.Options
	return k.verb(verb{
		use:   "processjobs [id]",
		short: "Work on the jobs of a machine, here",
		long: "Claim the jobs of a machine one after the other, run their scripts on this host and report how they end.\n" +
			"The machine is the one in RS_UUID if none is given. When there is nothing to do, wait for more; end when a\n" +
			"task says stop, when the host reboots or powers off, or when interrupted.\n\n" +
			"  --oneshot          end when there is nothing to do, as in the script of an installer\n" +
			"  --exit-on-failure  end with exit status 1 when a task fails, else wait until the machine is runnable again\n" +
			"  --skip-power       for machines that only stand for something: when a task, or a new boot environment,\n" +
			"                     asks for a reboot or poweroff, end and leave the host as it is\n" +
			"  --skip-runnable    leave Runnable as it is at the start\n" +
			"  --context          do only tasks meant for this context, and never reboot; default: that in RS_CONTEXT\n" +
			"  --state-dir        where notes are kept by which the next call goes on with a task that this one began",
		example: "drp machines processjobs " + k.sample() + " --oneshot --skip-power",
		args:    between(0, 1, " requires at most 1 argument"),
		flags: func(f *pflag.FlagSet) {
			k.runnerFlags(&o)(f)
			f.BoolVar(&o.OneShot, "oneshot", false, "end as soon as there is nothing to do")
			f.BoolVar(&o.ExitOnFailure, "exit-on-failure", false, "end with an error when a task fails")
		},
		run: func(ctx context.Context, args []string) error { return k.work(ctx, args, o) },
	})
}

func (a *app) work(ctx context.Context, args []string, o runner.Options) error {
	o.Client, o.Machine, o.Stdout = a.client, a.Getenv("RS_UUID"), a.Out
	if len(args) > 0 {
		o.Machine = args[0]
	}
	if o.Machine == "" {
		return &usageError{"which machine? Give its ID, or set RS_UUID"}
	}
	return a.Run(ctx, o)
}
