//go:build linux

package runner

import (
	"testing"

	"drp/models"
)

// TestExitCodes goes through every code, in both schemes, as a last action and as another.
func TestExitCodes(t *testing.T) {
	type key struct {
		code  int
		by    scheme
		final bool
	}
	fin, inc := models.Finished, models.Incomplete
	special := map[key]outcome{
		{0, sane, true}: {fin, "complete"}, {0, sane, false}: {fin, "complete"},
		{16, sane, true}: {fin, "stop"}, {16, sane, false}: {inc, "stop"},
		{32, sane, true}: {fin, "poweroff"}, {32, sane, false}: {inc, "poweroff"},
		{64, sane, true}: {fin, "reboot"}, {64, sane, false}: {inc, "reboot"},
		{128, sane, true}: {inc, "complete"}, {128, sane, false}: {fin, "complete"},
		{144, sane, true}: {inc, "stop"}, {144, sane, false}: {inc, "stop"},
		{160, sane, true}: {inc, "poweroff"}, {160, sane, false}: {inc, "poweroff"},
		{192, sane, true}: {inc, "reboot"}, {192, sane, false}: {inc, "reboot"},
		{0, original, true}: {fin, "complete"}, {0, original, false}: {fin, "complete"},
		{1, original, true}: {fin, "reboot"}, {1, original, false}: {inc, "reboot"},
		{2, original, true}: {inc, "complete"}, {2, original, false}: {fin, "complete"},
		{3, original, true}: {inc, "reboot"}, {3, original, false}: {inc, "reboot"},
	}
	for code := range 256 {
		for _, by := range []scheme{sane, original} {
			for _, final := range []bool{true, false} {
				want, ok := special[key{code, by, final}]
				if !ok {
					want = outcome{models.Failed, "failed"}
				}
				got, over := read(code, by).settle(final)
				if got != want {
					t.Errorf("%d %s final=%v: got %v, want %v", code, by, final, got, want)
				}
				if goesOn := code == 0 && !final; over == goesOn {
					t.Errorf("%d %s final=%v: over=%v", code, by, final, over)
				}
				if holds := want.State != models.Finished || want.ExitState != "complete"; got.holds() != holds {
					t.Errorf("%d %s final=%v: holds=%v", code, by, final, got.holds())
				}
			}
		}
	}
}

// TestSchemeOfATask runs real scripts: the flag of the task decides, or a file left by the script.
func TestSchemeOfATask(t *testing.T) {
	for _, c := range []struct{ flags, script, exit string }{
		{"sane-exit-codes", "exit 16", "stop"},
		{"original-exit-codes", "exit 16", "failed"},
		{"", "exit 16", "failed"},
		{"", ". ./helper; exit_stop", "stop"},
		{"original-exit-codes", ". ./helper; __sane_exit; __exit 16", "stop"},
		{"original-exit-codes", "mkdir .sane-exit-codes; exit 16", "failed"},
	} {
		f := newFake(t, "task1")
		f.script("task1", c.script).flags = c.flags
		o := options(t, f)
		o.OneShot = true
		if err := once(t, o); err != nil {
			t.Fatal(err)
		}
		if got := f.newest("task1").ExitState; got != c.exit {
			t.Errorf("flags %q, %s: got %s, want %s", c.flags, c.script, got, c.exit)
		}
	}
}

// TestDecisions are all combinations of what a decision rests on.
func TestDecisions(t *testing.T) {
	bools := []bool{false, true}
	for _, available := range bools {
		for _, runnable := range bools {
			for _, mine := range bools {
				for _, booted := range []string{"local", "other", "other-install"} {
					for _, own := range bools {
						for _, idle := range bools {
							m := &models.Machine{Runnable: runnable, BootEnv: "local", Context: "x"}
							m.Available = available
							s := situation{bootEnv: booted, context: "x"}
							if own {
								s.context, m.Context = "", ""
							}
							if !mine {
								m.Context = "theirs"
							}
							if idle {
								s.mark = m
							}
							if got, want := decide(m, s), expected(available, runnable, mine, booted, own, idle); got != want {
								t.Errorf("available=%v runnable=%v mine=%v booted=%s own=%v idle=%v: got %d, want %d",
									available, runnable, mine, booted, own, idle, got, want)
							}
						}
					}
				}
			}
		}
	}
}

func expected(available, runnable, mine bool, booted string, own, idle bool) step {
	switch {
	case available && own && booted == "other-install":
		return leave
	case available && own && booted == "other":
		return reboot
	case available && runnable && mine && !idle:
		return job
	}
	return stay
}
