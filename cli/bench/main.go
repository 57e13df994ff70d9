// Command drp-bench measures a drp-server beside its peers, a single etcd and PocketBase, in one
// run on one machine: each row is measured in several rounds, in which the servers take turns, so
// that the machine's moods hit all of them. An operation that fails, or whose answer is wrong, is
// no figure: the run fails.
package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"time"

	"drp/cli/spawn"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "drp-bench:", err)
		os.Exit(1)
	}
}

// bench is one run.
type bench struct {
	options
	ctx context.Context
	dir string // of all data, removed at the end
	out io.Writer
	err io.Writer // gets the progress

	drp  *drp
	etcd *etcd       // nil: not asked for
	pb   *pocketbase // nil: not asked for

	made         map[string]*sets // objects, by the name of their set
	results      []result
	footprintsOf []footprint
	head         [3]string // of the table, as printed last in this group
}

type options struct {
	only   []string
	peers  []string
	bin    string
	home   string // of the data
	json   string
	prof   string // folder for profiles
	quick  bool
	rounds int
	length time.Duration // of a round
}

// groups are the rows that can be asked for, in the order they are measured.
var groups = []struct {
	name, title string
	run         func(*bench) error
}{
	{"a", "durable writes: test + replace (etcd: compare-and-swap; PocketBase: replace, no test)", (*bench).writes},
	{"b", "reads: an object by its id, a page of a list without params", (*bench).reads},
	{"c", "leader election: a thousand clients set one param at once, one wins, the others are told who", (*bench).elections},
	{"d", "wake-up: from the sending of a change until those who wait for it know", (*bench).wakeUps},
	{"e", "events: from the sending of a change until all subscribers have it", (*bench).fanOut},
	{"f", "rendering: the actions of a job, over the API", (*bench).renders},
	{"g", "machine sets: create a machine with a workflow of 4 tasks; its runner claims, renders, logs and ends each", (*bench).sets},
	{"h", "footprint of drp-server: filled with machines, and started again on them", (*bench).footprints},
}

func parse(args []string, errOut io.Writer) (options, error) {
	o := options{}
	f := flag.NewFlagSet("drp-bench", flag.ContinueOnError)
	f.SetOutput(errOut)
	only := f.String("only", "", "comma list of the groups to measure (default: all)")
	peers := f.String("peers", "etcd,pocketbase", "comma list of the peers to measure; \"\" for none")
	f.StringVar(&o.bin, "bin", "", "folder of drp-server and the peers (default: that of this program, or ./bin)")
	f.StringVar(&o.home, "dir", "", "folder for the data, on the disk to measure (default: that of the programs)")
	f.StringVar(&o.json, "json", "", "file that gets the figures of every round")
	f.StringVar(&o.prof, "profile", "", "folder for CPU profiles of drp-server, one a row, taken in a round of their own (go tool pprof FILE)")
	f.BoolVar(&o.quick, "quick", false, "short rounds, fewer rows and no 100,000 machines: under two minutes")
	f.IntVar(&o.rounds, "rounds", 0, "rounds of each row (default 5; 3 when quick)")
	f.DurationVar(&o.length, "length", 0, "of a round (default 1.5s; 250ms when quick)")
	f.Usage = func() {
		fmt.Fprint(errOut, "usage: drp-bench [flags]\n\nMeasures drp-server beside etcd and PocketBase on this machine, and prints a table.\n\ngroups:\n")
		for _, g := range groups {
			fmt.Fprintf(errOut, "  %s  %s\n", g.name, g.title)
		}
		fmt.Fprint(errOut, "\nflags:\n")
		f.PrintDefaults()
		fmt.Fprint(errOut, "\nexample: drp-bench --only a,b --peers etcd --rounds 7 --json figures.json\n")
	}
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	if o.rounds == 0 {
		o.rounds = map[bool]int{false: 5, true: 3}[o.quick]
	}
	if o.length == 0 {
		o.length = map[bool]time.Duration{false: 1500 * time.Millisecond, true: 250 * time.Millisecond}[o.quick]
	}
	if o.rounds < 1 || o.length <= 0 {
		return o, errors.New("--rounds and --length must be above 0")
	}
	var err error
	if o.only, err = choice("group", *only, groupNames()); err != nil {
		return o, err
	}
	if len(o.only) == 0 {
		o.only = groupNames()
	}
	if o.peers, err = choice("peer", *peers, slices.Sorted(maps.Keys(peerPrograms))); err != nil {
		return o, err
	}
	programs := []string{"drp-server"}
	for _, peer := range o.peers {
		programs = append(programs, peerPrograms[peer]...)
	}
	if o.bin, err = spawn.Find(o.bin, programs...); err != nil {
		return o, fmt.Errorf("%w, or make bench for the peers", err)
	}
	o.home = cmp.Or(o.home, o.bin)
	return o, nil
}

// peerPrograms are what a peer consists of.
var peerPrograms = map[string][]string{
	"etcd":       {"bench-etcd", "bench-etcd-load"},
	"pocketbase": {"bench-pocketbase"},
}

func groupNames() []string {
	var names []string
	for _, g := range groups {
		names = append(names, g.name)
	}
	return names
}

// choice splits a comma list of known names.
func choice(what, list string, known []string) ([]string, error) {
	names := strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
	for _, name := range names {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no %s %q; there are %s", what, name, strings.Join(known, ", "))
		}
	}
	return names, nil
}

func run(ctx context.Context, args []string, out, errOut io.Writer) error {
	o, err := parse(args, errOut)
	if err != nil {
		return err
	}
	debug.SetGCPercent(400) // our own garbage shall not be measured
	b := &bench{options: o, ctx: ctx, out: out, err: errOut}
	if b.dir, err = os.MkdirTemp(b.home, "bench-data-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	err = b.measure()
	err = errors.Join(err, b.stop())
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if err == nil && b.json != "" {
		err = b.save()
	}
	return err
}

func (b *bench) measure() error {
	began := time.Now()
	b.header()
	if err := b.start(); err != nil {
		return err
	}
	for _, g := range groups {
		if !slices.Contains(b.only, g.name) {
			continue
		}
		fmt.Fprintf(b.out, "\n%s. %s\n", g.name, g.title)
		b.head = [3]string{}
		if err := g.run(b); err != nil {
			return fmt.Errorf("group %s: %w", g.name, err)
		}
	}
	fmt.Fprintf(b.out, "\nevery operation was carried out and answered rightly; %.0f s in all\n", time.Since(began).Seconds())
	return nil
}

func (b *bench) header() {
	fmt.Fprintf(b.out, `machine: %s/%s, %d cores; server, peers and clients share the cores
rounds: %d of %s each for every row, after one to warm up; the servers take turns in each. Figures
  are medians of the rounds; "drp is" 2.00x: twice as many a second, or done in half the time
drp-server: HTTPS, HTTP/1.1 keep-alive, JWT; nothing is answered before it is on disk
etcd 3.7, one server: gRPC, no TLS, no token; fsync as by default; reads linearizable if not marked
PocketBase 0.40: HTTP, no TLS, no token; SQLite with synchronous=FULL; no log of requests
clients: of drp and PocketBase one lean HTTP/1.1 client, each on a connection of its own; of etcd
  its own Go client, 16 on a connection (a thousand on 16 in all), which suits it best; all in
  processes apart from the servers
`, runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), b.rounds, b.length)
}

// start runs the servers.
func (b *bench) start() (err error) {
	b.progress("starting drp-server")
	if b.drp, err = startDRP(b.ctx, b.bin, filepath.Join(b.dir, "drp")); err != nil {
		return err
	}
	if slices.Contains(b.peers, "etcd") {
		b.progress("starting etcd")
		if b.etcd, err = startEtcd(b.ctx, b.bin, filepath.Join(b.dir, "etcd")); err != nil {
			return err
		}
	}
	if slices.Contains(b.peers, "pocketbase") {
		b.progress("starting PocketBase")
		if b.pb, err = startPocketBase(b.ctx, b.bin, filepath.Join(b.dir, "pocketbase")); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) stop() error {
	var errs []error
	if b.drp != nil {
		errs = append(errs, b.drp.stop())
	}
	if b.etcd != nil {
		errs = append(errs, b.etcd.stop())
	}
	if b.pb != nil {
		errs = append(errs, b.pb.stop())
	}
	return errors.Join(errs...)
}

func (b *bench) progress(format string, args ...any) {
	fmt.Fprintf(b.err, "... "+format+"\n", args...)
}

// save writes the figures of every round.
func (b *bench) save() error {
	raw, err := json.MarshalIndent(map[string]any{
		"machine": map[string]any{"os": runtime.GOOS, "arch": runtime.GOARCH, "cores": runtime.NumCPU()},
		"results": b.results, "footprints": b.footprintsOf,
	}, "", " ")
	if err != nil {
		return err
	}
	return os.WriteFile(b.json, append(raw, '\n'), 0o644)
}
