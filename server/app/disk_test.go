package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"drp/models"
	"drp/server/store/sqlite/faultvfs"
)

// TestServerSurvivesItsDisk takes the disk away from a running server in several ways. Writes are
// refused with the right status and leave nothing, reads go on, and once the disk works again so
// do writes, without a restart.
func TestServerSurvivesItsDisk(t *testing.T) {
	for name, c := range map[string]struct {
		fails  func(faultvfs.Op) *faultvfs.Fault
		status int
	}{
		"full": {func(o faultvfs.Op) *faultvfs.Fault {
			if o.Kind != faultvfs.Write {
				return nil
			}
			return &faultvfs.Fault{Full: true, Short: o.N%2 == 0}
		}, http.StatusInsufficientStorage},
		"write errors": {func(o faultvfs.Op) *faultvfs.Fault {
			if o.Kind != faultvfs.Write {
				return nil
			}
			return &faultvfs.Fault{}
		}, http.StatusInternalServerError},
		"sync errors": {func(o faultvfs.Op) *faultvfs.Fault {
			if o.Kind != faultvfs.Sync {
				return nil
			}
			return &faultvfs.Fault{Evict: o.N%2 == 0}
		}, http.StatusInternalServerError},
		"gone": {func(faultvfs.Op) *faultvfs.Fault { return &faultvfs.Fault{} }, http.StatusInternalServerError},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			disk := faultvfs.Watch(t, cfg.BaseRoot, 1)
			_, admin, stop := start(t, cfg)
			admin.must("POST", "/profiles", `{"Name":"before"}`, nil)

			disk.Fail(c.fails)
			var asking sync.WaitGroup
			for i := range 8 { // several at once, so that batches fail too
				asking.Go(func() {
					for _, a := range []answer{
						admin.do("POST", "/profiles", fmt.Sprintf(`{"Name":"during%d"}`, i)),
						admin.do("PATCH", "/profiles/before", `[{"op":"add","path":"/Description","value":"changed"}]`),
						admin.do("DELETE", "/profiles/before", nil),
					} {
						if a.status != c.status {
							t.Errorf("write: got %d %s, want %d", a.status, a.body, c.status)
						}
						envelope(t, a)
					}
					if a := admin.do("GET", "/profiles/before", nil); a.status != http.StatusOK {
						t.Errorf("read: got %d, want 200", a.status)
					}
				})
			}
			asking.Wait()
			if a := admin.do("POST", "/profiles", `{"Name":""}`); a.status < 400 || a.status >= 500 {
				t.Errorf("a request that is refused anyhow: got %d, want 4xx", a.status)
			}

			disk.Fail(nil)
			admin.must("POST", "/profiles", `{"Name":"after"}`, nil)
			admin.must("PATCH", "/profiles/before", `[{"op":"add","path":"/Description","value":"changed"}]`, nil)
			want := names(t, admin)
			transport.CloseIdleConnections() // a server waits for those that have never been used
			stop()
			_, admin, _ = start(t, cfg)
			if got := names(t, admin); got != want || got != `["after","before","global"]` {
				t.Errorf("profiles after a restart: got %s, want %s", got, want)
			}
		})
	}
}

// TestUnfinishedRestoreIsNotServed: half of a backup is not taken for a server's data.
func TestUnfinishedRestoreIsNotServed(t *testing.T) {
	cfg := config(t)
	marker := filepath.Join(cfg.BaseRoot, "RESTORE-UNFINISHED")
	if err := os.WriteFile(marker, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if a, err := New(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "restore") {
		a.Close()
		t.Errorf("start: got %v, want an error that names the restore", err)
	}
	if err := os.Remove(marker); err != nil {
		t.Fatal(err)
	}
	start(t, cfg)
}

func names(t *testing.T, admin client) string {
	t.Helper()
	var list []models.Profile
	admin.must("GET", "/profiles", nil, &list)
	var all []string
	for _, p := range list {
		all = append(all, p.Name)
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
