package app

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/models"
	"drp/server/objects"
)

// BenchmarkWaitersOverHTTP has many connections, over TLS as all are, wait for one param. Memory
// is that of both ends, which are one process here.
func BenchmarkWaitersOverHTTP(b *testing.B) {
	const n = 4000
	a, err := New(b.Context(), Config{BaseRoot: b.TempDir(), LogLevel: "error", LogFormat: "text"})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	defer func() {
		stop()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}()
	admin := objects.WithActor(ctx, objects.System)
	if _, err := a.objects.Create(admin, &models.Profile{Name: "pp"}, false); err != nil {
		b.Fatal(err)
	}
	token, err := a.auth.ProfileToken("pp", time.Hour)
	if err != nil {
		b.Fatal(err)
	}
	describe := func(text string) {
		_, err := a.objects.Do(admin, false, func(tx *objects.Tx) error {
			e, _ := tx.Get("profiles", "pp")
			o := e.Clone().(*models.Profile)
			o.Description = text
			return tx.Update(o)
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	var memory int64
	var last time.Duration
	rounds := 0
	for b.Loop() {
		rounds++
		describe("no")
		before := inUse()
		body := `{"For":{"Kind":"profiles","Key":"pp","Tests":[{"op":"test","path":"/Description","value":"yes"}]}}`
		request := fmt.Sprintf("POST /api/v3/wait HTTP/1.1\r\nHost: drp\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", token, len(body), body)
		var done sync.WaitGroup
		slots := make(chan struct{}, 32)
		for range n {
			slots <- struct{}{}
			c, err := tls.Dial("tcp", strings.TrimPrefix(a.Endpoint(), "https://"), &tls.Config{InsecureSkipVerify: true})
			if err != nil {
				b.Fatal(err)
			}
			done.Go(func() {
				defer c.Close()
				_, err := c.Write([]byte(request))
				<-slots
				if err == nil {
					var res *http.Response
					if res, err = http.ReadResponse(bufio.NewReaderSize(c, 1024), nil); err == nil && res.StatusCode != http.StatusOK {
						err = fmt.Errorf("status %s", res.Status)
					}
				}
				if err != nil {
					b.Error(err)
				}
			})
		}
		waiters(a, n)
		memory += inUse() - before
		describe("yes")
		start := time.Now()
		done.Wait()
		last += time.Since(start)
	}
	b.ReportMetric(float64(memory)/float64(rounds*n), "bytes/waiter")
	b.ReportMetric(float64(last.Microseconds())/1000/float64(rounds), "ms/last-informed")
}

func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc + m.StackInuse)
}
