package render

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"drp/models"
)

// TestEveryRenderingIsObservedWithItsOutcome: entries without templates are none.
func TestEveryRenderingIsObservedWithItsOutcome(t *testing.T) {
	var seen []string
	r := New(Config{Tokens: tokens{}, Observe: func(_ context.Context, task string) func(error) {
		seen = append(seen, "begin "+task)
		return func(err error) { seen = append(seen, fmt.Sprintf("end %s %v", task, err == nil)) }
	}})
	bad := &models.Task{Name: "bad", Templates: []models.TemplateInfo{inline("a", "{{fail \"x\"}}")}}
	v := view(t, machine(`{}`), task(inline("a", "b")), bad)
	for _, entry := range []string{"task", "stage:s", "bad", "gone"} {
		_, _ = r.Job(ctx, v, &models.Job{Machine: uuid, Task: entry}, "", "")
	}
	want := []string{"begin task", "end task true", "begin bad", "end bad false", "begin gone", "end gone false"}
	if !slices.Equal(seen, want) {
		t.Errorf("got %q\nwant %q", seen, want)
	}
}
