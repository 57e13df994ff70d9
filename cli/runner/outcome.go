package runner

import "drp/models"

// verdict is what an exit code says.
type verdict struct {
	incomplete bool   // run the task again later
	exit       string // "", or the ExitState it asks for: reboot, poweroff, stop, failed
}

// scheme is a way to read exit codes.
type scheme string

const (
	sane     scheme = "sane-exit-codes"
	original scheme = "original-exit-codes"
)

// codes are the exit codes that mean something; all others are failures.
var codes = map[scheme]map[int]verdict{
	sane: {
		0: {}, 16: {exit: "stop"}, 32: {exit: "poweroff"}, 64: {exit: "reboot"}, 128: {incomplete: true},
		144: {incomplete: true, exit: "stop"}, 160: {incomplete: true, exit: "poweroff"}, 192: {incomplete: true, exit: "reboot"},
	},
	original: {
		0: {}, 1: {exit: "reboot"}, 2: {incomplete: true}, 3: {incomplete: true, exit: "reboot"},
	},
}

func read(code int, by scheme) verdict {
	if v, ok := codes[by][code]; ok {
		return v
	}
	return verdict{exit: "failed"}
}

// outcome is how a job ended.
type outcome struct {
	State     models.State
	ExitState string
}

var (
	finished = outcome{models.Finished, "complete"}
	failed   = outcome{models.Failed, "failed"}
)

// settle says how the job stands after an action; over tells that no further action is run.
// final is true for the last action.
func (v verdict) settle(final bool) (o outcome, over bool) {
	switch {
	case v.exit == "failed":
		return failed, true
	case v.exit != "" && final && !v.incomplete:
		return outcome{models.Finished, v.exit}, true
	case v.exit != "": // there is more to do after the host is back
		return outcome{models.Incomplete, v.exit}, true
	case v.incomplete && final:
		return outcome{models.Incomplete, "complete"}, true
	case v.incomplete: // the script has found that the rest is not needed
		return finished, true
	}
	return finished, final
}

// holds tells whether the machine must not go on to another job by itself.
func (o outcome) holds() bool { return o != finished }

// down is the power verb that follows, or "".
func (o outcome) down() string {
	if o.ExitState == "reboot" || o.ExitState == "poweroff" {
		return o.ExitState
	}
	return ""
}
