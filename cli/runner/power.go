package runner

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"slices"

	"drp/models"
)

// powerDown reboots the host or powers it off, and leaves the machine to whoever runs then. Where
// power is not ours, the runner just ends.
func (r *runner) powerDown(ctx context.Context, verb string) error {
	if r.Context != "" || r.SkipPower {
		r.say("%s is left to others", verb)
		return nil
	}
	if verb == "reboot" {
		r.bootNetwork(ctx)
	}
	p := ops{}.test("/Context", "").replace("/Runnable", false)
	if _, err := r.send(ctx, http.MethodPatch, "machines/"+r.Machine, p, nil); err != nil && models.ClassOf(err) != models.Conflict {
		return fmt.Errorf("before %s: %w", verb, err)
	}
	r.say("%s", verb)
	if err := r.Power(ctx, verb); err != nil {
		return fmt.Errorf("%s: %w", verb, err)
	}
	return nil
}

// bootNetwork asks for a boot from the network next, if the machine can be asked and does not do
// so by itself. Without it the machine boots as it is set to.
func (r *runner) bootNetwork(ctx context.Context) {
	var info struct{ Features []string }
	if err := r.get(ctx, "info", &info); err != nil || slices.Contains(info.Features, "auto-boot-target") {
		return
	}
	action := "machines/" + r.Machine + "/actions/nextbootpxe"
	if r.get(ctx, action, nil) != nil { // no plugin offers it
		return
	}
	if _, err := r.send(ctx, http.MethodPost, action, struct{}{}, nil); err != nil {
		r.Logger.Warn("set next boot", "machine", r.Machine, "error", err)
	}
}

// power runs the host's own command.
func power(ctx context.Context, verb string) error {
	out, err := exec.CommandContext(ctx, verb).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	return nil
}
