package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"time"
)

// footprint is what a server with many machines takes.
type footprint struct {
	Machines int     `json:"machines"`
	Size     int     `json:"size"`           // of each in bytes, as it is answered
	Load     float64 `json:"loadSeconds"`    // until all were created
	RSS      int     `json:"rss"`            // bytes, after a rest
	Peak     int     `json:"peak"`           // bytes, ever
	Start    float64 `json:"startSeconds"`   // from exec to the first good answer
	AfterRSS int     `json:"rssAfterStart"`  // bytes, after a rest
	AfterTop int     `json:"peakAfterStart"` // bytes, ever
	Rates    float64 `json:"createsPerSecond"`
}

// rest is how long a server gets to free what it does not need.
const rest = 4 * time.Second

// footprints is group h.
func (b *bench) footprints() error {
	loads := []struct{ machines, size int }{{10_000, 20 << 10}, {100_000, 2 << 10}}
	if b.quick {
		loads = loads[:1]
	}
	fmt.Fprintf(b.out, "%-24s %15s %24s %10s %24s\n", "", "created, a sec.", "resident / highest MiB", "start ms", "resident / highest MiB")
	for _, l := range loads {
		f, err := b.footprint(l.machines, l.size)
		if err != nil {
			return err
		}
		b.footprintsOf = append(b.footprintsOf, f)
		fmt.Fprintf(b.out, "%-24s %15.0f %24s %10.0f %24s\n", fmt.Sprintf("%d of %.1f KB", f.Machines, float64(f.Size)/1024),
			f.Rates, mib(f.RSS, f.Peak), f.Start*1000, mib(f.AfterRSS, f.AfterTop))
	}
	return nil
}

func mib(now, peak int) string {
	if now == 0 {
		return "not told here"
	}
	return fmt.Sprintf("%d / %d", now>>20, peak>>20)
}

// footprint fills a server of its own, looks at it, and starts it again on what it holds.
func (b *bench) footprint(n, size int) (f footprint, err error) {
	b.progress("h. creating %d machines of %d KB", n, size>>10)
	d, err := startDRP(b.ctx, b.bin, filepath.Join(b.dir, fmt.Sprintf("drp-%d", n)))
	if err != nil {
		return f, err
	}
	running := true
	defer func() {
		if running {
			_ = d.stop() // what went wrong is err
		}
	}()
	began := time.Now()
	if err := d.loadMachines("load", 4, n, size); err != nil {
		return f, err
	}
	f.Machines, f.Load = n, time.Since(began).Seconds()
	f.Rates = float64(n) / f.Load
	if f.Size, err = d.machineSize(4, n-1); err != nil {
		return f, err
	}
	if f.Size < size*95/100 || f.Size > size*105/100 {
		return f, fmt.Errorf("machines of %d bytes were to be made, and have %d", size, f.Size)
	}
	time.Sleep(rest)
	f.RSS, f.Peak, _ = d.memory() // 0 where the system does not tell
	if err := d.stop(); err != nil {
		return f, err
	}
	running = false
	b.progress("h. starting on %d machines", n)
	took, err := d.start(2*time.Minute, func() error {
		_, err := d.machineSize(4, n-1)
		return err
	})
	if err != nil {
		return f, err
	}
	running = true
	f.Start = took.Seconds()
	time.Sleep(rest)
	f.AfterRSS, f.AfterTop, _ = d.memory()
	running = false
	return f, d.stop()
}

// machineSize fetches a machine over a new connection.
func (d *drp) machineSize(set, i int) (int, error) {
	c, err := d.dial()
	if err != nil {
		return 0, err
	}
	defer c.close()
	var raw json.RawMessage
	err = call(c, "GET", api+"machines/"+machineUUID(set, i), nil, &raw, 200)
	return len(raw), err
}
