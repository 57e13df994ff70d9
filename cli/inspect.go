package cli

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"drp/cli/client"
	"drp/models"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// inspect shows what a machine has done, the newest first.
func (k *kind) inspect() *cobra.Command {
	var full bool
	jobs := k.verb(verb{
		use: "jobs [Machine] ([job index of previous jobs])", short: "Show the jobs of a machine",
		long: "Show the jobs of a machine, the newest first; or only the one that so many others followed: 0 is the newest.\n" +
			"With --full, Meta also holds the log of each as log, and its scripts as action.0 and so on.",
		example: "drp machines inspect jobs " + k.sample() + " 0 --full",
		args:    says(1, 2, "inspect task requires 1 or 2 arguments"),
		run: func(ctx context.Context, args []string) error {
			return k.inspected(ctx, args[0], "", args[1:], full)
		},
	})
	tasks := k.verb(verb{
		use: "tasks [Machine] [Task Name] ([task index of previous tasks])", short: "Show the jobs of one task of a machine",
		long: "Show the jobs of one task of a machine, the newest first; or only the one that so many others followed: 0 is\n" +
			"the newest. With --full, Meta also holds the log of each as log, and its scripts as action.0 and so on.",
		example: "drp machines inspect tasks " + k.sample() + " install-nginx",
		args:    says(2, 3, "inspect tasks requires 2 or 3 arguments"),
		run: func(ctx context.Context, args []string) error {
			return k.inspected(ctx, args[0], args[1], args[2:], full)
		},
	})
	c := k.group("inspect", "Show what a machine has done", "Show the jobs of a machine, all or those of one task, with their logs and scripts.",
		"drp machines inspect jobs "+k.sample(), jobs, tasks)
	c.PersistentFlags().AddFlag(fullFlag(&full))
	return c
}

func fullFlag(to *bool) *pflag.Flag {
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	f.BoolVarP(to, "full", "A", false, "with logs and scripts")
	return f.Lookup("full")
}

func (k *kind) inspected(ctx context.Context, id, task string, index []string, full bool) error {
	m, err := k.machine(ctx, id)
	if err != nil {
		return err
	}
	opts := []client.Option{
		client.WithFlag("Machine", m.Uuid), client.WithFlag("Task", task), client.WithFlag("sort", "StartTime"), client.WithFlag("reverse", "true"),
	}
	if len(index) > 0 {
		if n, err := strconv.Atoi(index[0]); err != nil || n < 0 {
			return verbatim("%s is not a valid number", index[0])
		}
		opts = append(opts, client.WithFlag("offset", index[0]), client.WithFlag("limit", "1"))
	}
	raw, err := k.do(ctx, http.MethodGet, "jobs", nil, opts...)
	if err != nil || !full {
		return k.jobs().shows(raw, err)
	}
	var jobs []document
	if err := decode(raw, &jobs); err != nil {
		return err
	}
	for _, job := range jobs {
		if err := k.addLog(ctx, job); err != nil {
			return err
		}
	}
	return k.jobs().shows(must(jobs), nil)
}

// addLog adds log and scripts to the Meta of a job; what cannot be had says so in its place.
func (k *kind) addLog(ctx context.Context, job document) error {
	meta, ok := job["Meta"].(document)
	if !ok {
		meta = document{}
		job["Meta"] = meta
	}
	at := "jobs/" + fmt.Sprint(job["Uuid"])
	var log []byte
	err := k.client.Do(ctx, http.MethodGet, at+"/log", nil, &log)
	if ctx.Err() != nil {
		return err
	}
	if meta["log"] = string(log); err != nil {
		meta["log"] = "Failed to get log: " + err.Error()
	}
	actions, err := client.Get[[]models.JobAction](ctx, k.client, at+"/actions")
	if ctx.Err() != nil {
		return err
	}
	if err != nil {
		meta["actions"] = "Failed to get actions for job: " + err.Error()
		return nil
	}
	meta["actionCount"] = strconv.Itoa(len(actions))
	for i, a := range actions {
		meta[fmt.Sprintf("action.%d", i)] = a.Content
	}
	return nil
}
