package metrics

import (
	"runtime/debug"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"drp/models"
	"drp/server/objects"
)

// Sources are asked whenever somebody reads the metrics. All are required but Store.
type Sources struct {
	Version     string // of the server
	Objects     *objects.Service
	Subscribers func() int
	Events      func() Events
	Logins      func() map[string]uint64 // ended so far, by result
	Refused     func() map[string]uint64 // tokens so far, by reason
	Ready       func() bool
	// Store tells the sizes of the store's files in bytes: the database and its write-ahead log.
	Store func() (database, log int64)
}

// Events is what the hub has done so far.
type Events struct{ Published, Queued, Dropped, CutOff uint64 }

// gathered is what is known only when somebody asks.
type gathered struct {
	src   Sources
	build []string
}

func newGathered(src Sources) gathered {
	revision, goVersion := "unknown", "unknown"
	if info, ok := debug.ReadBuildInfo(); ok {
		goVersion = info.GoVersion
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				revision = s.Value
			}
		}
	}
	return gathered{src, []string{src.Version, revision, goVersion}}
}

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc(name, help, labels, nil)
}

var (
	buildInfo   = desc("drp_build_info", "1, with the version of the server, its source's revision, and that of Go.", "version", "revision", "goversion")
	ready       = desc("drp_ready", "1 when /readyz says so, else 0.")
	revision    = desc("drp_revision", "Revision of the newest change.")
	stored      = desc("drp_objects", "Objects there are, by kind.", "kind")
	jobs        = desc("drp_jobs", "Jobs there are, by state.", "state")
	machines    = desc("drp_machines", "Machines there are, by whether they may be given jobs (runnable) and their objects are sound (available).", "runnable", "available")
	waiters     = desc("drp_waiters", "Requests that wait for an object to change.")
	subscribers = desc("drp_websocket_subscribers", "Open event websockets.")
	published   = desc("drp_events_published_total", "Events handed to the hub.")
	queued      = desc("drp_events_queued_total", "Events queued for subscribers, acknowledgements among them; one event may go to many, or to none.")
	dropped     = desc("drp_events_dropped_total", "Events not queued, because the subscriber was too far behind.")
	cutOff      = desc("drp_websocket_cut_off_total", "Subscribers cut off because they were too far behind; they may resume.")
	logins      = desc("drp_logins_total", "Logins with a password, by result: ok, failed or busy.", "result")
	refused     = desc("drp_tokens_refused_total", "Tokens refused, by reason.", "reason")
	database    = desc("drp_store_database_bytes", "Size of the store's database.")
	storeLog    = desc("drp_store_wal_bytes", "Size of the store's write-ahead log, which keeps its size when it is begun anew.")
)

func (g gathered) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		buildInfo, ready, revision, stored, jobs, machines, waiters, subscribers, published, queued, dropped, cutOff, logins, refused, database, storeLog,
	} {
		ch <- d
	}
}

func (g gathered) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, value int, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(value), labels...)
	}
	counter := func(d *prometheus.Desc, value uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(value), labels...)
	}
	gauge(buildInfo, 1, g.build...)
	isReady := 0
	if g.src.Ready() {
		isReady = 1
	}
	gauge(ready, isReady)
	g.world(g.src.Objects.View(), gauge)
	gauge(waiters, g.src.Objects.Waiters())
	gauge(subscribers, g.src.Subscribers())
	e := g.src.Events()
	counter(published, e.Published)
	counter(queued, e.Queued)
	counter(dropped, e.Dropped)
	counter(cutOff, e.CutOff)
	for result, n := range g.src.Logins() {
		counter(logins, n, result)
	}
	for reason, n := range g.src.Refused() {
		counter(refused, n, reason)
	}
	if g.src.Store != nil {
		size, log := g.src.Store()
		gauge(database, int(size))
		gauge(storeLog, int(log))
	}
}

// world counts the objects of one view. It looks at every job and machine, which costs
// milliseconds where there are hundreds of thousands, and the writer nothing.
func (g gathered) world(v *objects.View, gauge func(*prometheus.Desc, int, ...string)) {
	gauge(revision, int(v.Rev))
	for _, k := range models.Kinds {
		gauge(stored, v.Len(k.Name), k.Name)
	}
	states := map[models.State]int{}
	for j := range objects.All[*models.Job](v) {
		states[j.State]++
	}
	for _, s := range models.States {
		gauge(jobs, states[s], string(s))
	}
	type traits struct{ runnable, available bool }
	have := map[traits]int{}
	for m := range objects.All[*models.Machine](v) {
		have[traits{m.Runnable, m.Available}]++
	}
	for _, runnable := range []bool{true, false} {
		for _, available := range []bool{true, false} {
			gauge(machines, have[traits{runnable, available}], strconv.FormatBool(runnable), strconv.FormatBool(available))
		}
	}
}
