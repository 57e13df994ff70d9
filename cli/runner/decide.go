package runner

import (
	"slices"
	"strings"

	"drp/models"
)

// step is what a runner does next.
type step int

const (
	stay   step = iota // wait for an event
	job                // ask for a job and run it
	leave              // end
	reboot             // reboot into the new boot environment
)

// situation is what a runner knows besides the machine.
type situation struct {
	context string          // of the runner
	bootEnv string          // what the host has booted
	mark    *models.Machine // as it was when the server had nothing to do; nil: unknown
}

// rules are tried in order; the first that holds decides.
var rules = []struct {
	step step
	when func(m *models.Machine, s situation) bool
}{
	{stay, func(m *models.Machine, s situation) bool { return !m.Available }},
	{leave, func(m *models.Machine, s situation) bool {
		return bootChanged(m, s) && strings.HasSuffix(s.bootEnv, "-install")
	}},
	{reboot, bootChanged}, // even while another context works: it may wait for just that
	{stay, func(m *models.Machine, s situation) bool { return !m.Runnable || m.Context != s.context }},
	{stay, func(m *models.Machine, s situation) bool { return s.mark != nil && alike(m, s.mark) }},
	{job, func(*models.Machine, situation) bool { return true }},
}

func decide(m *models.Machine, s situation) step {
	for _, r := range rules {
		if r.when(m, s) {
			return r.step
		}
	}
	return stay
}

// bootChanged tells whether the host must boot something else; runners of other contexts live
// elsewhere and do not care.
func bootChanged(m *models.Machine, s situation) bool {
	return s.context == "" && m.BootEnv != s.bootEnv
}

// alike tells whether a machine that had nothing to do still has nothing to do.
func alike(a, b *models.Machine) bool {
	return a.CurrentTask == b.CurrentTask && a.CurrentJob == b.CurrentJob && slices.Equal(a.Tasks, b.Tasks) &&
		a.Runnable == b.Runnable && a.BootEnv == b.BootEnv && a.Stage == b.Stage && a.Workflow == b.Workflow
}
