package params

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"drp/models"
	"drp/server/objects"
)

// TestAWaitSeesValuesInForce: wherever a value comes from, its coming there ends the wait: the
// machine itself, a profile, a profile of a profile, the stage, global, the default; and so does
// a reference to what has it, or the end of what hid it.
func TestAWaitSeesValuesInForce(t *testing.T) {
	set := func(kind, key, value string) func(*objects.Service) error {
		return func(s *objects.Service) error { return set(s, kind, key, "p/x", value) }
	}
	edit := func(kind, key, patch string) func(*objects.Service) error {
		return func(s *objects.Service) error {
			_, err := s.Patch(ctx, kind, key, ops(t, patch), false)
			return err
		}
	}
	id := models.NewUUID()
	for name, change := range map[string]func(*objects.Service) error{
		"own":             set("machines", id, "1"),
		"profile":         set("profiles", "outer", "1"),
		"nested profile":  set("profiles", "inner", "1"),
		"stage":           set("stages", "stage", "1"),
		"global":          set("profiles", models.GlobalProfile, "1"),
		"default":         func(s *objects.Service) error { return tryCreate(s, param("p/x", `{"default":1}`)) },
		"new profile":     func(s *objects.Service) error { return tryCreate(s, profile("missing", map[string]string{"p/x": "1"})) },
		"other profile":   edit("machines", id, `[{"op":"add","path":"/Profiles/-","value":"full"}]`),
		"other stage":     edit("machines", id, `[{"op":"replace","path":"/Stage","value":"other"}]`),
		"nested in outer": edit("profiles", "outer", `[{"op":"add","path":"/Profiles/0","value":"full"}]`),
	} {
		for form, p := range map[string]models.Predicate{
			"tests":  {Kind: "machines", Key: id, Aggregate: true, Tests: []models.Test{{Op: "test", Path: "/Params/p~1x", Value: json.RawMessage("1")}}},
			"filter": {Kind: "machines", Key: id, Filter: "p/x=1"},
			"list":   {Kind: "machines", Filter: "p/x=Eq(1)", All: true},
		} {
			s := service(t)
			create(t, s, profile("inner", nil), profile("outer", nil, "inner"), profile("full", map[string]string{"p/x": "1"}),
				profile(models.GlobalProfile, nil), &models.Stage{Name: "stage"}, &models.Stage{Name: "other", Params: raw(map[string]string{"p/x": "1"})},
				&models.Machine{Name: "mm", Uuid: id, Profiles: []string{"outer", "missing"}, Stage: "stage"})
			answer := make(chan string, 1)
			go func() {
				o, err := s.Wait(ctx, &models.Wait{For: p})
				answer <- fmt.Sprint(o.Result, err)
			}()
			for s.Waiters() == 0 {
				time.Sleep(time.Millisecond)
			}
			if err := change(s); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			select {
			case got := <-answer:
				if got != "holds<nil>" {
					t.Errorf("%s by %s: got %s", name, form, got)
				}
			case <-time.After(20 * time.Second):
				t.Errorf("%s by %s: the wait does not end", name, form)
			}
		}
	}
}
