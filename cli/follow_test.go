package cli

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestFollowedLogIsPrintedOnce: each part once, the late tail too, and then it is over.
func TestFollowedLogIsPrintedOnce(t *testing.T) {
	s := newServer(t, nil)
	log := "one\ntwo\n"
	var asked []string
	s.handle["jobs/j1/log"] = func(w http.ResponseWriter, r *http.Request) {
		var n int
		fmt.Sscanf(r.Header.Get("Range"), "bytes=%d-", &n)
		late := r.URL.Query().Get("late")
		asked = append(asked, fmt.Sprintf("%d %s %s", n, r.Header.Get("Prefer"), late))
		state := "running"
		switch len(asked) {
		case 3:
			log += "three\n"
		case 4:
			state = "failed"
		}
		if late != "" {
			state = "failed"
			if len(asked) == 5 {
				log += "the tail\n"
			}
		}
		w.Header().Set("X-DRP-JOB-STATE", state)
		if n == len(log) {
			w.Header().Set("Content-Range", fmt.Sprintf("bytes */%d", n))
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", n, len(log)-1, len(log)))
		w.WriteHeader(http.StatusPartialContent)
		fmt.Fprint(w, log[n:])
	}
	got := s.call(t, "jobs", "log", "j1", "--follow")
	if got.out != "one\ntwo\nthree\nthe tail\n" || got.status != 0 {
		t.Errorf("%d %q %q", got.status, got.out, got.err)
	}
	want := "0 wait=5m , 8 wait=5m , 8 wait=5m , 14 wait=5m , 14 wait=1s true, 23 wait=1s true"
	if text := strings.Join(asked, ", "); text != want {
		t.Errorf("asked\n%s, want\n%s", text, want)
	}
}
