package workflow

import (
	"context"
	"slices"
	"time"

	"drp/models"
	"drp/server/objects"
)

// purgeBatch is how many jobs go in one change, so that others are let in between.
const purgeBatch = 100

// toldPurged is how many UUIDs a summary names.
const toldPurged = 1000

// Purge deletes the jobs that p chooses, with their logs, as far as the actor in ctx may delete
// them. Those it may not delete, or not see, count as kept.
func (j *Jobs) Purge(ctx context.Context, p models.Purge) (models.Purged, error) {
	done := models.Purged{DryRun: p.DryRun, Jobs: []string{}}
	gone, kept := j.outdated(p, objects.ActorOf(ctx))
	done.Kept = kept
	for batch := range slices.Chunk(gone, purgeBatch) {
		n := len(batch)
		if !p.DryRun {
			var err error
			if n, err = j.purge(ctx, batch); err != nil {
				return done, err
			}
		}
		done.Purged += n
		done.Kept += len(batch) - n
		done.Jobs = append(done.Jobs, batch[:min(n, toldPurged-len(done.Jobs))]...)
	}
	if !p.DryRun && len(gone) > 0 {
		j.keepLogs()
	}
	return done, nil
}

// outdated are the jobs that p chooses, the oldest first, and the number of the others.
func (j *Jobs) outdated(p models.Purge, who objects.Actor) (gone []string, kept int) {
	by := map[string][]*models.Job{}
	for job := range objects.All[*models.Job](j.objects.View()) {
		if p.Machine != "" && job.Machine != p.Machine || !who.Visible(job) {
			continue
		}
		if job.Current || !job.State.Final() || !who.May("jobs", "delete", objects.AuthKey(job)) {
			kept++
			continue
		}
		by[job.Machine] = append(by[job.Machine], job)
	}
	var chosen []*models.Job
	for _, jobs := range by {
		slices.SortFunc(jobs, func(a, b *models.Job) int { return b.EndTime.Compare(a.EndTime) })
		for i, job := range jobs {
			if tooMany := p.Keep > 0 && i >= p.Keep; tooMany || j.tooOld(job, p) {
				chosen = append(chosen, job)
			} else {
				kept++
			}
		}
	}
	slices.SortFunc(chosen, func(a, b *models.Job) int { return a.EndTime.Compare(b.EndTime) })
	for _, job := range chosen {
		gone = append(gone, job.Uuid)
	}
	return gone, kept
}

func (j *Jobs) tooOld(job *models.Job, p models.Purge) bool {
	after := p.Complete
	if job.State == models.Failed {
		after = p.Failed
	}
	return after > 0 && j.now().Sub(job.EndTime) > time.Duration(after)*time.Second
}

// purge deletes jobs in one change, but those that have become the current one of a machine.
func (j *Jobs) purge(ctx context.Context, uuids []string) (n int, err error) {
	_, err = j.objects.Do(ctx, false, func(tx *objects.Tx) error {
		n = 0
		for _, uuid := range uuids {
			job, ok := objects.Get[*models.Job](tx, uuid)
			if !ok || job.Current || !job.State.Final() {
				continue
			}
			if err := tx.Delete("jobs", uuid); err != nil {
				return err
			}
			n++
		}
		return nil
	})
	return n, err
}

// RunPurge purges now and again, as want says then, until ctx ends.
func (j *Jobs) RunPurge(ctx context.Context, interval time.Duration, want func() models.Purge) {
	ctx = objects.WithActor(ctx, objects.System)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if p := want(); p.Keep > 0 || p.Failed > 0 || p.Complete > 0 {
			done, err := j.Purge(ctx, p)
			if err != nil && ctx.Err() == nil {
				j.log.Error("purging jobs", "error", err)
			} else if done.Purged > 0 {
				j.log.Info("jobs purged as the preferences say", "purged", done.Purged, "kept", done.Kept)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
