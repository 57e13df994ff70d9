package objects

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"drp/models"
	"drp/server/store"
)

// contents is everything without revisions, which go on.
func contents(v *View) map[store.Key]string {
	all := map[store.Key]string{}
	for _, kind := range v.kinds.names() {
		for e := range v.All(kind) {
			all[store.Key{Kind: kind, ID: e.Object.Key()}] = string(e.stored)
		}
	}
	return all
}

// lasts are the kinds some of whose changes are never taken back.
var lasts = []string{"jobs", "contents"}

// TestUndoLeadsBackToEveryState: one change after the other, all at once, and back again.
func TestUndoLeadsBackToEveryState(t *testing.T) {
	s, ctx := open(t, newMemory())
	r := dice(t)
	play(t, s, ctx, r, 20, lasts...)
	began := s.View().Rev
	states := []map[store.Key]string{contents(s.View())}
	for s.View().Rev < began+60 {
		before := s.View().Rev
		play(t, s, ctx, r, int(before)+1, lasts...)
		if s.View().Rev > before {
			states = append(states, contents(s.View()))
		}
	}
	last := s.View().Rev
	same := func(what string, want map[store.Key]string) {
		t.Helper()
		if got := contents(s.View()); !maps.Equal(got, want) {
			for k := range want {
				if got[k] != want[k] {
					t.Errorf("%s: %v is\n%s\nwant\n%s", what, k, got[k], want[k])
				}
			}
			t.Fatalf("%s: %d objects, want %d", what, len(got), len(want))
		}
	}
	for i := len(states) - 1; i > 0; i-- {
		rev := began + uint64(i)
		dry, err := s.Undo(ctx, models.Undo{Rev: rev, DryRun: true}, false)
		if err != nil || dry.Rev != 0 {
			t.Fatalf("dry run for %d: %+v %v", rev, dry, err)
		}
		same("after a dry run", states[i])
		done, err := s.Undo(ctx, models.Undo{Rev: rev}, false)
		if err != nil {
			t.Fatalf("undo %d: %v", rev, err)
		}
		same(fmt.Sprint("without ", rev), states[i-1])
		if len(done.Undone) != 1 || done.Undone[0] != rev || len(done.Changes) != len(dry.Changes) {
			t.Errorf("undo %d answers %+v, the dry run said %+v", rev, done, dry)
		}
		if done.Rev == 0 {
			continue // its change has changed nothing but the text of numbers
		}
		told, _, err := s.History(ctx, HistoryQuery{From: done.Rev, To: done.Rev, Limit: 100})
		if err != nil || len(told) != len(done.Changes) || told[0].Undoes != fmt.Sprint("revision ", rev) {
			t.Errorf("history of the undo of %d: %+v %v", rev, told, err)
		}
	}
	// All the undos were made by the system: taken back together they lead to the end again.
	if _, err := s.Undo(ctx, models.Undo{Who: "system", Since: fmt.Sprint(last + 1)}, false); err != nil {
		t.Fatal(err)
	}
	same("all undos taken back", states[len(states)-1])
	if _, err := s.Undo(ctx, models.Undo{Who: "system", Since: fmt.Sprint(began + 1)}, false); err != nil {
		t.Fatal(err)
	}
	same("everything taken back", states[0])
}

// TestUndoOfOneLeavesTheOthers: several write side by side to members of their own of the same
// objects; the changes of one of them, or of one job, go, and all else stays.
func TestUndoOfOneLeavesTheOthers(t *testing.T) {
	s, ctx := open(t, newMemory())
	r := dice(t)
	job := models.NewUUID()
	users := []string{"ann", "bob"}
	for _, p := range []string{"p1", "p2"} {
		if _, err := s.Create(ctx, &models.Profile{Name: p}, false); err != nil {
			t.Fatal(err)
		}
	}
	since := s.View().Rev + 1
	for range 80 {
		i := r.IntN(2)
		who := WithActor(ctx, Actor{Name: "user:" + users[i], Claims: System.Claims})
		if i == 1 {
			who = WithJob(who, job)
		}
		p := fmt.Sprintf(`[{"op":"add","path":"/Params/%s~1%d","value":%d}]`, users[i], r.IntN(3), r.IntN(9))
		if _, err := s.Patch(who, "profiles", fmt.Sprint("p", 1+r.IntN(2)), decodePatch(t, p), false); err != nil {
			t.Fatal(err)
		}
	}
	params := func(user string) (n int) {
		for p := range All[*models.Profile](s.View()) {
			for name := range p.Params {
				if strings.HasPrefix(name, user) {
					n++
				}
			}
		}
		return n
	}
	had := params("bob")
	if _, err := s.Undo(ctx, models.Undo{Who: "ann", Since: fmt.Sprint(since)}, false); err != nil {
		t.Fatal(err)
	}
	if params("ann") != 0 || params("bob") != had || had == 0 {
		t.Errorf("of ann's params %d are left, of bob's %d of %d", params("ann"), params("bob"), had)
	}
	done, err := s.Undo(ctx, models.Undo{Job: job, Since: fmt.Sprint(since)}, false)
	if err != nil || params("bob") != 0 {
		t.Errorf("of the job's params %d are left: %v", params("bob"), err)
	}
	if want := fmt.Sprintf("job %s since %d", job, since); done.Undoes != want {
		t.Errorf("undoes %q, want %q", done.Undoes, want)
	}
}

// TestUndoNamesWhatCameAfter: whoever has written the same since is named with revision and path,
// and nothing changes.
func TestUndoNamesWhatCameAfter(t *testing.T) {
	for name, c := range map[string]struct {
		before, change, after string // patches of profiles/pp; "create" and "delete"
		path                  string
	}{
		"the same member":        {"create", `[{"op":"add","path":"/Params/a~1b","value":1}]`, `[{"op":"replace","path":"/Params/a~1b","value":2}]`, "/Params/a~1b"},
		"a member of it":         {"create", `[{"op":"add","path":"/Params/aa","value":{"x":1}}]`, `[{"op":"replace","path":"/Params/aa/x","value":2}]`, "/Params/aa"},
		"gone since":             {"create", `[{"op":"add","path":"/Params/aa","value":1}]`, "delete", "the object"},
		"a creation":             {"", "create", `[{"op":"replace","path":"/Description","value":"x"}]`, "/Description"},
		"a creation, gone":       {"", "create", "delete", "the object"},
		"a deletion, made again": {"create", "delete", "create", "the object"},
		"a list":                 {"create", `[{"op":"replace","path":"/Profiles","value":["aa"]}]`, `[{"op":"add","path":"/Profiles/-","value":"bb"}]`, "/Profiles"},
	} {
		t.Run(name, func(t *testing.T) {
			s, ctx := open(t, newMemory())
			step := func(who, what string) uint64 {
				t.Helper()
				as := WithActor(ctx, Actor{Name: "user:" + who, Claims: System.Claims})
				var err error
				switch what {
				case "":
					return 0
				case "create":
					_, err = s.Create(as, &models.Profile{Name: "pp", Description: who}, false)
				case "delete":
					_, err = s.Delete(as, "profiles", "pp")
				default:
					_, err = s.Patch(as, "profiles", "pp", decodePatch(t, what), false)
				}
				if err != nil {
					t.Fatal(err)
				}
				return s.View().Rev
			}
			step("root", c.before)
			rev := step("ann", c.change)
			after := step("bob", c.after)
			before := contents(s.View())
			for _, ask := range []models.Undo{{Rev: rev}, {Who: "user:ann", Since: "1"}, {Rev: rev, DryRun: true}} {
				_, err := s.Undo(ctx, ask, false)
				e := class(t, err, models.Conflict)
				for _, want := range []string{fmt.Sprint("revision ", rev, " cannot"), "profiles/pp", c.path, "user:bob", fmt.Sprint("revision ", after, " at 2")} {
					if !strings.Contains(e.Messages[0], want) {
						t.Errorf("%+v: %q does not name %q", ask, e.Messages[0], want)
					}
				}
			}
			if !maps.Equal(contents(s.View()), before) || s.View().Rev != after {
				t.Error("a refused undo has changed something")
			}
			if _, err := s.Undo(ctx, models.Undo{Rev: after}, false); err != nil {
				t.Fatalf("the later change: %v", err)
			}
			if _, err := s.Undo(ctx, models.Undo{Rev: rev}, false); err != nil {
				t.Errorf("once the later change is taken back: %v", err)
			}
		})
	}
}

// TestWhatLastsIsNotUndone: with a reason and a way out.
func TestWhatLastsIsNotUndone(t *testing.T) {
	s, ctx := open(t, newMemory())
	ann := WithActor(ctx, Actor{Name: "user:ann", Claims: System.Claims})
	revs := map[string]uint64{}
	note := func(what string, _ *Entry, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		revs[what] = s.View().Rev
	}
	do := func(what string, fn func(*Tx) error) {
		t.Helper()
		_, err := s.Do(ann, false, fn)
		note(what, nil, err)
	}
	e, err := s.Create(ann, &models.User{Name: "joe", PasswordHash: []byte("old")}, false)
	note("", e, err)
	do("secrets of users/joe", func(tx *Tx) error {
		e, _ := tx.Get("users", "joe")
		u := e.Clone().(*models.User)
		u.PasswordHash = []byte("new")
		return tx.Update(u)
	})
	e, err = s.Create(ann, &models.Machine{Name: "m1", Uuid: models.NewUUID()}, false)
	note("", e, err)
	uuid := e.Object.Key()
	do("secrets of machines/"+uuid, func(tx *Tx) error {
		e, _ := tx.Get("machines", uuid)
		m := e.Clone().(*models.Machine)
		m.Secret = "changed"
		return tx.Update(m)
	})
	e, err = s.Create(ann, sample(t, "jobs", "j"), false)
	note("job "+e.Object.Key(), e, err)
	do("content pack pack", func(tx *Tx) error { return tx.Install(sample(t, "contents", "pack")) })
	e, err = s.Create(ann, &models.Pref{Name: "baseTokenSecret", Val: strings.Repeat("x", 32)}, false)
	note("baseTokenSecret signs tokens", e, err)
	before := contents(s.View())
	except := []uint64{}
	for what, rev := range revs {
		if what == "" {
			continue
		}
		_, err := s.Undo(ctx, models.Undo{Rev: rev}, false)
		if e := class(t, err, models.Invalid); !strings.Contains(e.Messages[0], what) || !strings.Contains(e.Messages[0], fmt.Sprint("revision ", rev)) {
			t.Errorf("%v does not say %q", err, what)
		}
		if !strings.HasPrefix(what, "job") {
			except = append(except, rev)
		}
	}
	_, err = s.Undo(ctx, models.Undo{Who: "ann", Since: "1"}, false)
	if class(t, err, models.Invalid); !strings.Contains(err.Error(), "--except") {
		t.Errorf("%v names no way out", err)
	}
	if !maps.Equal(contents(s.View()), before) {
		t.Fatal("something was taken back")
	}
	// With those left out the rest goes; but not the user and the machine, whose secrets have
	// changed since they were made.
	_, err = s.Undo(ctx, models.Undo{Who: "ann", Since: "1", Except: except}, false)
	class(t, err, models.Conflict)
	note("", nil, errOf2(s.Create(ann, &models.Profile{Name: "pp"}, false)))
	done, err := s.Undo(ctx, models.Undo{Who: "ann", Since: fmt.Sprint(revs["secrets of machines/"+uuid]), Except: except}, false)
	if err != nil || len(done.Undone) != 1 || len(done.Kept) != 4 {
		t.Errorf("the rest: %+v %v", done, err)
	}
	// A user who was deleted comes back with his password.
	if _, err := s.Delete(ann, "users", "joe"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Undo(ctx, models.Undo{Rev: s.View().Rev}, false); err != nil {
		t.Fatal(err)
	}
	if u, ok := Get[*models.User](s.View(), "joe"); !ok || string(u.PasswordHash) != "new" {
		t.Errorf("joe is back as %+v", u)
	}
}

func errOf2(_ *Entry, err error) error { return err }

// TestUndoNeedsTheRightToDoWhatItDoes, and every other refusal.
func TestUndoNeedsTheRightToDoWhatItDoes(t *testing.T) {
	s, ctx := open(t, newMemory())
	create := errOf2(s.Create(ctx, &models.Profile{Name: "pp"}, false))
	_, update := s.Patch(ctx, "profiles", "pp", decodePatch(t, `[{"op":"add","path":"/Params/aa","value":1}]`), false)
	_, remove := s.Delete(ctx, "profiles", "pp")
	if create != nil || update != nil || remove != nil {
		t.Fatal(create, update, remove)
	}
	undo := func(rev uint64, actions string) error {
		claims := models.Claims{{Scope: "profiles", Action: actions, Specific: "*"}}
		_, err := s.Undo(WithActor(ctx, Actor{Name: "user:ann", Claims: claims}), models.Undo{Rev: rev}, false)
		return err
	}
	for _, c := range []struct {
		rev             uint64
		lacking, having string
	}{
		{3, "get,list,update,delete", "get,create"},
		{2, "get,create,delete,update:/Description", "get,update:/Params/aa"},
		{1, "get,create,update", "get,delete"},
	} {
		class(t, undo(c.rev, c.lacking), models.Forbidden)
		if err := undo(c.rev, c.having); err != nil {
			t.Errorf("undo of %d with %s: %v", c.rev, c.having, err)
		}
	}
	for _, ask := range []models.Undo{
		{}, {Rev: 1, Job: "x"}, {Job: "x"}, {Who: "ann"}, {Who: "ann", Since: "soon"}, {Rev: 99}, {Rev: 1, Since: "1"}, {Rev: 1, Except: []uint64{2}},
	} {
		_, err := s.Undo(ctx, ask, false)
		class(t, err, models.BadRequest)
	}
	for _, ask := range []models.Undo{{Who: "nobody", Since: "1"}, {Job: "x", Since: "1"}, {Who: "ann", Since: "1", Except: []uint64{4, 5, 6}}} {
		_, err := s.Undo(ctx, ask, false)
		class(t, err, models.NotFound)
	}
	if err := s.engine.Compact(ctx, 2); err != nil {
		t.Fatal(err)
	}
	_, err := s.Undo(ctx, models.Undo{Rev: 2}, false)
	class(t, err, models.Gone)
}

// TestARepeatedUndoIsCarriedOutOnce and answered as before.
func TestARepeatedUndoIsCarriedOutOnce(t *testing.T) {
	s, ctx := open(t, newMemory())
	if _, err := s.Create(ctx, &models.Profile{Name: "pp"}, false); err != nil {
		t.Fatal(err)
	}
	once := WithOnce(ctx, "n1")
	first, err := s.Undo(once, models.Undo{Who: "system", Since: "1"}, false)
	if err != nil {
		t.Fatal(err)
	}
	again, err := s.Undo(once, models.Undo{Who: "system", Since: "1"}, false)
	if a, b := fmt.Sprintf("%+v", first.Undone), fmt.Sprintf("%+v", again.Undone); err != nil || a != b || again.Rev != first.Rev || len(again.Changes) != 1 {
		t.Errorf("again: %+v %v, want %+v", again, err, first)
	}
	if s.View().Rev != 2 {
		t.Errorf("revision %d, want 2", s.View().Rev)
	}
}
