package models

import "time"

// Job is one run of one entry of a machine's task list.
type Job struct {
	Common
	Uuid         string
	Previous     string // the machine's job before this one, or the zero UUID
	Machine      string
	Task         string // the entry: a task, or stage:S, bootenv:B, context:C, action:A, chroot:D
	Stage        string // where the machine was when the job was created
	Workflow     string
	BootEnv      string
	Context      string
	State        State
	ExitState    string // "", complete, failed, reboot, poweroff, stop
	StartTime    time.Time
	EndTime      time.Time
	Archived     bool // the log is no longer there
	Current      bool // the newest job of its machine
	CurrentIndex int
	NextIndex    int
	// ExtraClaims and Token are given to the runner when the task asks for more rights; the
	// token is made for each answer and never stored.
	ExtraClaims []Claim `json:",omitempty"`
	Token       string  `json:",omitempty"`
}

// State is where a job stands.
type State string

const (
	Created    State = "created"    // waits for a runner
	Running    State = "running"    // a runner works on it
	Incomplete State = "incomplete" // stopped midway; runs again when the machine is runnable
	Finished   State = "finished"
	Failed     State = "failed"
)

// Final tells whether the job has ended for good.
func (s State) Final() bool { return s == Finished || s == Failed }

// States is every state of a job.
var States = []State{Created, Running, Incomplete, Finished, Failed}

var exitStates = []string{"", "complete", "failed", "reboot", "poweroff", "stop"}

func (*Job) Kind() string  { return "jobs" }
func (j *Job) Key() string { return j.Uuid }

func (j *Job) Normalize() {
	j.normalize()
	if len(j.ExtraClaims) == 0 {
		j.ExtraClaims = nil
	}
}

func (j *Job) Validate() []string {
	var p problems
	if !IsUUID(j.Uuid) {
		p.addf("Invalid UUID: %s", j.Uuid)
	}
	if !contains(States, j.State) {
		p.addf("Invalid State `%s`", j.State)
	}
	if !contains(exitStates, j.ExitState) {
		p.addf("Invalid ExitState `%s`", j.ExitState)
	}
	return p
}

// JobAction is one rendered template of a job: a file to write, or a script to run when Path
// is empty.
type JobAction struct {
	Name    string
	Path    string
	Content string
	Meta    map[string]string
}

// AuthKey is what claims on a job name: its machine.
func (j *Job) AuthKey() string { return j.Machine }

// Generate fills in the key.
func (j *Job) Generate() {
	if j.Uuid == "" {
		j.Uuid = NewUUID()
	}
}
