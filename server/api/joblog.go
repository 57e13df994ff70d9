package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"drp/models"
	"drp/server/auth"
	"drp/server/objects"
)

// jobState is the header of each answer with a job's log that says how the job stood before the log
// was looked at: when it had ended, the log has all that came before its end.
const jobState = "X-DRP-JOB-STATE"

// jobLog answers with a job's log as it is, or the part that the header Range asks for. With Prefer:
// wait=30s and Range: bytes=N- the answer comes when there is more than N bytes; it is 204 when that
// time is over, or the job has ended and there is no more. With late=true the end of the job ends no
// wait: the tail of a log may come after it.
func (a *API) jobLog(r *request) (int, any, error) {
	job, err := a.job(r, "log")
	if err != nil {
		return 0, nil, err
	}
	from := startOf(r.Request)
	wait, waits := preferredWait(r.Request.Header)
	if waits {
		limit, err := auth.ParseTTL(wait)
		if err != nil {
			return 0, nil, models.Problem(models.BadRequest, "jobs", job.Uuid, "Prefer: wait: "+err.Error())
		}
		same, err := a.follow(r, job, from, limit)
		if err != nil {
			return 0, nil, err
		}
		if !same { // the next request is judged by the new rights
			r.Header(jobState, string(job.State))
			return http.StatusNoContent, nil, nil
		}
		if job, err = a.job(r, "log"); err != nil { // the state before the log
			return 0, nil, err
		}
	}
	r.Header(jobState, string(job.State))
	r.Header("Cache-Control", "no-store")
	log, size, err := a.Logs.Reader(job.Uuid)
	if err != nil {
		return 0, nil, err
	}
	defer log.Close()
	if from > 0 && from >= size {
		r.Header("Content-Range", fmt.Sprintf("bytes */%d", size))
		if waits && from == size {
			return http.StatusNoContent, nil, nil
		}
		return 0, nil, models.Problem(models.OutOfRange, "jobs", job.Uuid, fmt.Sprintf("the log has %d bytes", size))
	}
	r.Header("Content-Type", "application/octet-stream")
	http.ServeContent(r.Writer, r.Request, "", time.Time{}, log)
	r.Writer.WriteHeaderNow()
	return http.StatusOK, nil, nil
}

// follow returns when a job's log is longer than from, the job has ended, or the time is over; and
// whether the token still allows what it did.
func (a *API) follow(r *request, job *models.Job, from int64, limit time.Duration) (same bool, err error) {
	ctx, cancel := r.until(min(limit, maxWait))
	defer cancel()
	end := models.Predicate{Kind: "jobs", Key: job.Uuid, Filter: "State=In(finished,failed)"}
	if r.flag("late") {
		end.Filter = "Archived=true" // or when the job is deleted
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer cancel()
		if _, err := a.Objects.Wait(objects.WithActor(ctx, objects.System), &models.Wait{For: end}); err != nil && ctx.Err() == nil {
			a.Log.Error("waiting for the end of a job", "job", job.Uuid, "error", err)
		}
	}()
	err = a.Logs.Grown(ctx, job.Uuid, from)
	cancel()
	<-over
	switch {
	case r.ctx.Err() != nil:
		return false, r.ctx.Err()
	case err != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded):
		return false, err
	}
	return a.still(r)
}

// ranges are those that are heeded: one part. Others are answered with the whole, as RFC 9110 allows.
var ranges = regexp.MustCompile(`^bytes=(\d{0,18})-(\d{0,18})$`)

// startOf is the byte that the part asked for begins at; 0 too if that is not known yet.
func startOf(r *http.Request) int64 {
	m := ranges.FindStringSubmatch(r.Header.Get("Range"))
	if m == nil {
		r.Header.Del("Range")
		return 0
	}
	first, err := strconv.ParseInt(m[1], 10, 64) // none: the end is asked for
	last, lerr := strconv.ParseInt(m[2], 10, 64)
	if err != nil && lerr != nil || err == nil && lerr == nil && last < first {
		r.Header.Del("Range")
	}
	return first
}
