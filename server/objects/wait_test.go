package objects

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"drp/models"
)

// nothingLeft checks that nobody who has waited has left a trace.
func nothingLeft(t *testing.T, s *Service) {
	t.Helper()
	s.board.settle(s.View().Rev)
	s.board.mu.Lock()
	defer s.board.mu.Unlock()
	b := s.board
	if len(b.questions)+len(b.starting)+len(b.subs) != 0 || b.waiting.Load() != 0 {
		t.Errorf("left behind: %d questions, %d starting, %d subscriptions, %d waiters", len(b.questions), len(b.starting), len(b.subs), b.waiting.Load())
	}
}

// withParams makes own params the effective ones.
func withParams(s *Service) {
	s.EffectiveParam = func(_ Reader, o models.Object, name string) ([]byte, bool) {
		h, ok := o.(models.ParamHolder)
		if !ok {
			return nil, false
		}
		v, ok := (*h.ParamMap())[name]
		return v, ok
	}
}

func profile(name string, params ...string) *models.Profile {
	p := &models.Profile{Name: name, Params: models.Params{}}
	for i := 0; i < len(params); i += 2 {
		p.Params[params[i]] = json.RawMessage(params[i+1])
	}
	return p
}

func mustCreate(t testing.TB, s *Service, list ...models.Object) {
	t.Helper()
	for _, o := range list {
		if _, err := s.Create(WithActor(context.Background(), System), o, false); err != nil {
			t.Fatal(err)
		}
	}
}

// set changes one param of a profile.
func set(t testing.TB, s *Service, name, param, value string) *Entry {
	t.Helper()
	ops := decodePatch(t, fmt.Sprintf(`[{"op":"add","path":"/Params/%s","value":%s}]`, param, value))
	e, err := s.Patch(WithActor(context.Background(), System), "profiles", name, ops, false)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func test(op, path, value string) models.Test {
	tt := models.Test{Op: op, Path: path}
	if value != "" {
		tt.Value = json.RawMessage(value)
	}
	return tt
}

func not(tests ...models.Test) models.Test { return models.Test{Op: "not", Apply: tests} }

// now asks how things are at this moment.
func ask(t *testing.T, ctx context.Context, s *Service, w models.Wait) *models.Outcome {
	t.Helper()
	ctx, cancel := context.WithDeadline(ctx, time.Now())
	defer cancel()
	o, err := s.Wait(ctx, &w)
	if err != nil {
		t.Fatalf("%+v: %v", w, err)
	}
	return o
}

// waiting starts a wait and returns when its predicates have been looked at.
func waiting(t *testing.T, ctx context.Context, s *Service, w models.Wait) <-chan *models.Outcome {
	t.Helper()
	before := s.links()
	answer := make(chan *models.Outcome, 1)
	go func() {
		o, err := s.Wait(ctx, &w)
		if err != nil {
			t.Errorf("%+v: %v", w, err)
		}
		answer <- o
	}()
	for s.links() != before+1+len(w.Unless) {
		time.Sleep(time.Millisecond)
	}
	return answer
}

func one(kind, key string, tests ...models.Test) models.Predicate {
	return models.Predicate{Kind: kind, Key: key, Tests: tests}
}

func text(o *models.Outcome) string {
	b, _ := models.Marshal(o)
	return string(b)
}

func TestPredicatesOfOneObject(t *testing.T) {
	s, ctx := open(t, newMemory(), withParams)
	mustCreate(t, s, profile("pp", "nn", "5", "ss", `"b"`, "ll", `[1,{"a":[]},"x"]`, "mm", `{"k/~":true}`, "zz", "null", "ee", `""`))
	for _, c := range []struct {
		p     models.Predicate
		holds bool
	}{
		{one("profiles", "pp"), true},
		{one("profiles", "Name:pp"), true},
		{one("profiles", "Key:pp", test("test", "/Name", `"pp"`)), true},
		{one("profiles", "pp", test("test", "/Params/nn", "5.0")), true},
		{one("profiles", "pp", test("test", "/Params/nn", `"5"`)), false},
		{one("profiles", "pp", test("test", "/Params/nn", "5"), test("test", "/Params/ss", `"a"`)), false},
		{one("profiles", "pp", test("test", "/Params/mm/k~1~0", "true")), true},
		{one("profiles", "pp", test("test", "/Params/ll/1/a", "[]")), true},
		{one("profiles", "pp", test("test", "/Params/ll/7", "1")), false},
		{one("profiles", "pp", test("test", "/Params/zz", "null")), true},
		{one("profiles", "pp", test("test", "/Params/none", "null")), false}, // RFC 6902: it must exist
		{one("profiles", "pp", test("test", "/Params/none/deeper", "null")), false},
		{one("profiles", "pp", test("defined", "/Params/zz", "")), true},
		{one("profiles", "pp", test("defined", "/Params/none", "")), false},
		{one("profiles", "pp", test("undefined", "/Params/none", "")), true},
		{one("profiles", "pp", test("undefined", "/Params/zz", "")), false},
		{one("profiles", "pp", not(test("test", "/Params/ss", `"a"`), test("test", "/Params/ss", `"c"`))), true},
		{one("profiles", "pp", not(test("test", "/Params/ss", `"a"`), test("test", "/Params/ss", `"b"`))), false},
		{one("profiles", "pp", test("less", "/Params/nn", "5.5")), true},
		{one("profiles", "pp", test("less", "/Params/nn", "5")), false},
		{one("profiles", "pp", test("more", "/Params/nn", "1e0")), true},
		{one("profiles", "pp", test("more", "/Params/ss", `"a"`)), true},
		{one("profiles", "pp", test("more", "/Params/ss", "1")), false},
		{one("profiles", "pp", test("less", "/Params/zz", "1")), false},
		{one("profiles", "pp", test("less", "/Params/zz", `"x"`)), false},
		{one("profiles", "pp", test("less", "/Params/ee", `"x"`)), true},
		{models.Predicate{Kind: "profiles", Key: "pp", Path: "/Params/ll"}, true},
		{models.Predicate{Kind: "profiles", Key: "pp", Path: "/Params/ll", AtLeast: new(3), AtMost: new(3)}, true},
		{models.Predicate{Kind: "profiles", Key: "pp", Path: "/Params/ll", AtLeast: new(4)}, false},
		{models.Predicate{Kind: "profiles", Key: "pp", Path: "/Params/mm", Exactly: new(1)}, true},
		{models.Predicate{Kind: "profiles", Key: "pp", Path: "/Params/none", Exactly: new(0)}, true},
		{models.Predicate{Kind: "profiles", Key: "pp", Path: "/Params/nn", AtMost: new(0)}, true},
		{models.Predicate{Kind: "profiles", Key: "pp", Path: "/Params"}, true},
		{models.Predicate{Kind: "profiles", Key: "pp", Filter: "nn=Gt(4)&ss=Ne(a)&Available=true"}, true},
		{models.Predicate{Kind: "profiles", Key: "pp", Filter: "nn=Gt(4)&ss=Ne(b)"}, false},
		{models.Predicate{Kind: "profiles", Key: "pp", Filter: "nn=Gt(4)", Tests: []models.Test{test("test", "/Name", `"qq"`)}}, false},
	} {
		o := ask(t, ctx, s, models.Wait{For: c.p})
		if (o.Result == models.WaitHolds) != c.holds || o.Result != models.WaitHolds && o.Result != models.WaitTimeout || o.Rev == 0 {
			t.Errorf("%+v: got %s; holds should be %v", c.p, text(o), c.holds)
		}
		if c.holds && string(o.Object) != string(must(s.Get(ctx, "profiles", "pp")).Raw) || !c.holds && (o.Reason == "" || o.Object != nil) {
			t.Errorf("%+v: got %s", c.p, text(o))
		}
	}
	e := must(s.Get(ctx, "profiles", "pp"))
	for since, want := range map[string]string{fmt.Sprintf(`"%d"`, e.Rev): models.WaitTimeout, `"0"`: models.WaitHolds} {
		if o := ask(t, ctx, s, models.Wait{For: models.Predicate{Kind: "profiles", Key: "pp", Since: since}}); o.Result != want {
			t.Errorf("since %s: got %s, want %s", since, text(o), want)
		}
	}
	nothingLeft(t, s)
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestPredicatesOfManyObjects(t *testing.T) {
	s, ctx := open(t, newMemory(), withParams)
	mustCreate(t, s, profile("aa", "ready", "true", "group", "1"), profile("bb", "ready", "false", "group", "1"), profile("cc", "group", "1"), profile("dd", "ready", "true"))
	for _, c := range []struct {
		p     models.Predicate
		holds bool
		count int
		of    int // -1: none
		keys  string
	}{
		{models.Predicate{Kind: "profiles"}, true, 4, -1, "aa bb cc dd"},
		{models.Predicate{Kind: "profiles", Filter: "ready=true"}, true, 2, -1, "aa dd"},
		{models.Predicate{Kind: "profiles", Filter: "ready=nonsense"}, false, 0, -1, ""},
		{models.Predicate{Kind: "profiles", Filter: "ready=true", AtLeast: new(2)}, true, 2, -1, "aa dd"},
		{models.Predicate{Kind: "profiles", Filter: "ready=true", AtLeast: new(3)}, false, 2, -1, "aa dd"},
		{models.Predicate{Kind: "profiles", Filter: "ready=true", AtMost: new(1)}, false, 2, -1, "aa dd"},
		{models.Predicate{Kind: "profiles", Filter: "ready=true", Exactly: new(2)}, true, 2, -1, "aa dd"},
		{models.Predicate{Kind: "profiles", Filter: "Name=nobody", Exactly: new(0)}, true, 0, -1, ""},
		{models.Predicate{Kind: "profiles", Filter: "ready=true", All: true}, false, 2, 4, "bb cc"},
		{models.Predicate{Kind: "profiles", Filter: "ready=true", All: true, Of: "Name=In(aa,dd)"}, true, 2, 2, ""},
		{models.Predicate{Kind: "profiles", Filter: "ready=true", All: true, Of: "Name=In(aa,dd)", AtLeast: new(3)}, false, 2, 2, ""},
		{models.Predicate{Kind: "profiles", Filter: "ready=true", All: true, Of: "Name=nobody"}, false, 0, 0, ""},
		{models.Predicate{Kind: "profiles", Filter: "ready=true", All: true, Of: "Name=nobody", AtLeast: new(0)}, true, 0, 0, ""},
		{models.Predicate{Kind: "profiles", Filter: "ready=Nin(true)", Of: "group=1", All: true}, false, 2, 3, "aa"},
		{models.Predicate{Kind: "machines"}, false, 0, -1, ""},
	} {
		o := ask(t, ctx, s, models.Wait{For: c.p})
		of := -1
		if o.Of != nil {
			of = *o.Of
		}
		if (o.Result == models.WaitHolds) != c.holds || *o.Count != c.count || of != c.of || strings.Join(o.Keys, " ") != c.keys || c.holds == (o.Reason != "") {
			t.Errorf("%+v: got %s; want holds %v, %d of %d, keys %s", c.p, text(o), c.holds, c.count, c.of, c.keys)
		}
	}
	nothingLeft(t, s)
}

func TestAnswersSayWhatIsMissing(t *testing.T) {
	s, ctx := open(t, newMemory(), withParams)
	mustCreate(t, s, profile("pp", "nn", "5", "ll", "[1]"))
	rev := must(s.Get(ctx, "profiles", "pp")).Rev
	for _, c := range []struct {
		p      models.Predicate
		reason string
		has    string // in the answer
	}{
		{one("profiles", "pp", test("test", "/Params/nn", "6"), test("test", "/Params/my~1x", "1"), test("defined", "/Name", "")),
			"profiles/pp: /Params/nn: expected 6, found 5; /Params/my~1x: expected 1, found nothing",
			`"Missing":[{"Test":{"op":"test","path":"/Params/nn","value":6},"Found":5},{"Test":{"op":"test","path":"/Params/my~1x","value":1}}]`},
		{one("profiles", "pp", not(test("test", "/Name", `"qq"`), test("test", "/Params/nn", "5"))),
			"profiles/pp: /Params/nn: expected anything but 5, found 5", `{"op":"not","path":"","apply":[{"op":"test","path":"/Params/nn","value":5}]}`},
		{one("profiles", "pp", test("undefined", "/Params/nn", "")), "profiles/pp: /Params/nn: expected nothing, found 5", `"Found":5`},
		{one("profiles", "pp", test("more", "/Params/nn", "5")), "profiles/pp: /Params/nn: expected more than 5, found 5", `"Found":5`},
		{models.Predicate{Kind: "profiles", Key: "pp", Filter: "nn=Gt(4)&nn=Lt(5)&Available=false"},
			"profiles/pp: Available=false does not match true; nn=Lt(5) does not match 5", `{"Filter":"nn=Lt(5)","Found":5}`},
		{models.Predicate{Kind: "profiles", Key: "pp", Path: "/Params/ll", AtLeast: new(2)},
			"profiles/pp: /Params/ll has 1, and is to have at least 2", `"Count":1`},
		{models.Predicate{Kind: "profiles", Key: "pp", Since: fmt.Sprint(rev)}, "profiles/pp: has not changed", fmt.Sprintf(`"Missing":[{"Since":"\"%d\""}]`, rev)},
		{models.Predicate{Kind: "profiles", Key: "qq", MayAppear: true}, "profiles/qq does not exist", `"Result":"timeout"`},
		{models.Predicate{Kind: "profiles", Filter: "nn=5", Exactly: new(0)}, "profiles: 1 profiles match, and there are to be exactly 0", `"Keys":["pp"]`},
		{models.Predicate{Kind: "profiles", Filter: "nn=6", All: true}, "profiles: 0 of 1 profiles match; these do not: pp", `"Of":1`},
	} {
		o := ask(t, ctx, s, models.Wait{For: c.p})
		if o.Result != models.WaitTimeout || o.Reason != c.reason || !strings.Contains(text(o), c.has) {
			t.Errorf("%+v:\n got %s\nwant %s\n and %s", c.p, text(o), c.reason, c.has)
		}
	}
}

func TestSenselessPredicatesAreRefused(t *testing.T) {
	s, ctx := open(t, newMemory())
	for _, c := range []struct {
		p    models.Predicate
		want models.Class
	}{
		{models.Predicate{}, models.NotFound},
		{models.Predicate{Kind: "freds"}, models.NotFound},
		{models.Predicate{Kind: "preferences", Key: "baseTokenSecret"}, models.NotFound},
		{models.Predicate{Kind: "contents"}, models.NotFound},
		{one("profiles", "pp", test("add", "/Name", "1")), models.BadRequest},
		{one("profiles", "pp", test("test", "/Name", "")), models.BadRequest},
		{one("profiles", "pp", test("test", "/Name", "{")), models.BadRequest},
		{one("profiles", "pp", test("test", "Name", "1")), models.BadRequest},
		{one("profiles", "pp", test("test", "/a~2", "1")), models.BadRequest},
		{one("profiles", "pp", test("defined", "/Name", "1")), models.BadRequest},
		{one("profiles", "pp", not()), models.BadRequest},
		{one("profiles", "pp", not(not(test("defined", "/Name", "")))), models.BadRequest},
		{one("profiles", "pp", models.Test{Op: "test", Path: "/Name", Value: json.RawMessage("1"), Apply: []models.Test{test("defined", "/a", "")}}), models.BadRequest},
		{models.Predicate{Kind: "profiles", Key: "pp", AtLeast: new(1)}, models.BadRequest},
		{models.Predicate{Kind: "profiles", Key: "pp", Path: "x"}, models.BadRequest},
		{models.Predicate{Kind: "profiles", Key: "pp", Since: "yesterday"}, models.BadRequest},
		{models.Predicate{Kind: "profiles", Key: "pp", All: true}, models.BadRequest},
		{models.Predicate{Kind: "profiles", Key: "pp", Of: "Name=a"}, models.BadRequest},
		{models.Predicate{Kind: "profiles", Key: "pp", Aggregate: true, Path: "/Params"}, models.BadRequest},
		{models.Predicate{Kind: "tasks", Key: "pp", Aggregate: true}, models.BadRequest},
		{models.Predicate{Kind: "profiles", Key: "pp", Filter: "limit=1"}, models.NotAcceptable},
		{models.Predicate{Kind: "profiles", Filter: "Available=fred"}, models.NotAcceptable},
		{models.Predicate{Kind: "profiles", Filter: "a;b"}, models.NotAcceptable},
		{models.Predicate{Kind: "tasks", Filter: "my/param=1"}, models.NotAcceptable},
		{models.Predicate{Kind: "profiles", Of: "slim=Meta", All: true}, models.NotAcceptable},
		{models.Predicate{Kind: "profiles", Of: "Name=a"}, models.BadRequest},
		{models.Predicate{Kind: "profiles", AtMost: new(-1)}, models.BadRequest},
		{models.Predicate{Kind: "profiles", Tests: []models.Test{test("defined", "/Name", "")}}, models.BadRequest},
		{models.Predicate{Kind: "profiles", Since: "1"}, models.BadRequest},
		{models.Predicate{Kind: "profiles", Path: "/Name"}, models.BadRequest},
		{models.Predicate{Kind: "profiles", MayAppear: true}, models.BadRequest},
		{models.Predicate{Kind: "profiles", Aggregate: true}, models.BadRequest},
	} {
		_, err := s.Wait(ctx, &models.Wait{For: c.p})
		class(t, err, c.want)
		_, err = s.Wait(ctx, &models.Wait{For: one("profiles", "x"), Unless: []models.Predicate{c.p}})
		if e := class(t, err, c.want); !strings.HasPrefix(e.Messages[0], "Unless 0: ") {
			t.Errorf("%+v: %v does not say where it is", c.p, e)
		}
	}
	nothingLeft(t, s)
}

// TestAWaitEndsAtOnceWhenItIsDecided: each way, while it waits.
func TestAWaitEndsAtOnceWhenItIsDecided(t *testing.T) {
	s, ctx := open(t, newMemory(), withParams)
	change := func(name, param, value string) func() { return func() { set(t, s, name, param, value) } }
	remove := func(name string) func() { return func() { must(s.Delete(ctx, "profiles", name)) } }
	waitFor := one("profiles", "pp", test("test", "/Params/nn", "2"))
	failed := one("profiles", "qq", test("test", "/Params/failed", "true"))
	anyFailed := models.Predicate{Kind: "profiles", Filter: "failed=true"}
	appears := waitFor
	appears.MayAppear = true
	for name, c := range map[string]struct {
		w      models.Wait
		first  func() // is not to end it
		then   func()
		result string
		has    string
	}{
		"holds":           {models.Wait{For: waitFor}, change("pp", "nn", "1"), change("pp", "nn", "2"), models.WaitHolds, `"nn":2`},
		"is deleted":      {models.Wait{For: waitFor}, change("pp", "nn", "1"), remove("pp"), models.WaitNever, "profiles/pp does not exist"},
		"unless holds":    {models.Wait{For: waitFor, Unless: []models.Predicate{one("profiles", "none"), failed}}, change("qq", "failed", "false"), change("qq", "failed", "true"), models.WaitNever, `"Unless":1,"Object":{`},
		"unless of many":  {models.Wait{For: waitFor, Unless: []models.Predicate{anyFailed}}, change("qq", "failed", "false"), change("qq", "failed", "true"), models.WaitNever, `"Unless":0,"Count":1,"Keys":["qq"]`},
		"unless appears":  {models.Wait{For: waitFor, Unless: []models.Predicate{one("profiles", "new")}}, change("qq", "nn", "2"), func() { mustCreate(t, s, profile("new")) }, models.WaitNever, `"Unless":0`},
		"unless is gone":  {models.Wait{For: waitFor, Unless: []models.Predicate{failed}}, remove("qq"), change("pp", "nn", "2"), models.WaitHolds, `"nn":2`},
		"may reappear":    {models.Wait{For: appears}, remove("pp"), func() { mustCreate(t, s, profile("pp", "nn", "2")) }, models.WaitHolds, `"nn":2`},
		"many are enough": {models.Wait{For: models.Predicate{Kind: "profiles", Filter: "nn=2", AtLeast: new(2)}}, change("pp", "nn", "2"), change("qq", "nn", "2"), models.WaitHolds, `"Count":2`},
		"few are left":    {models.Wait{For: models.Predicate{Kind: "profiles", AtMost: new(0)}}, remove("pp"), remove("qq"), models.WaitHolds, `"Count":0`},
		"it has changed":  {models.Wait{For: models.Predicate{Kind: "profiles", Key: "pp", Path: "/Params/ll", Exactly: new(1)}}, change("pp", "ll", "[1,2]"), change("pp", "ll", "[1]"), models.WaitHolds, `"Count":1`},
	} {
		t.Run(name, func(t *testing.T) {
			mustCreate(t, s, profile("pp"), profile("qq"))
			answer := waiting(t, ctx, s, c.w)
			c.first()
			s.board.settle(s.View().Rev)
			select {
			case o := <-answer:
				t.Fatalf("too early: %s", text(o))
			default:
			}
			c.then()
			if o := <-answer; o.Result != c.result || !strings.Contains(text(o), c.has) {
				t.Errorf("got %s; want %s with %s", text(o), c.result, c.has)
			}
			for _, n := range []string{"pp", "qq", "new"} {
				_, _ = s.Delete(ctx, "profiles", n)
			}
			nothingLeft(t, s)
		})
	}
}

func TestForCountsBeforeUnless(t *testing.T) {
	s, ctx := open(t, newMemory(), withParams)
	w := models.Wait{For: models.Predicate{Kind: "profiles", Filter: "nn=1"}, Unless: []models.Predicate{one("profiles", "pp", test("test", "/Params/nn", "1"))}}
	for i := range 200 {
		mustCreate(t, s, profile("pp", "nn", "0"))
		answer := make(chan *models.Outcome, 1)
		go func() { answer <- must(s.Wait(ctx, &w)) }()
		for range i % 5 {
			s.View()
		}
		set(t, s, "pp", "nn", "1")
		if o := <-answer; o.Result != models.WaitHolds {
			t.Fatalf("got %s, want holds", text(o))
		}
		must(s.Delete(ctx, "profiles", "pp"))
	}
	nothingLeft(t, s)
}

// TestAWaiterSeesItsOwnWrites: others ask the same meanwhile, so that the answer might be one
// that was found before.
func TestAWaiterSeesItsOwnWrites(t *testing.T) {
	s, ctx := open(t, newMemory(), withParams)
	mustCreate(t, s, profile("pp", "nn", "0"))
	stop, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	for n := range 2 {
		wg.Go(func() {
			for stop.Err() == nil {
				short, done := context.WithTimeout(stop, time.Millisecond)
				_, _ = s.Wait(short, &models.Wait{For: one("profiles", "pp", test("test", "/Params/nn", fmt.Sprint(n)))})
				done()
			}
		})
	}
	for i := range 500 {
		e := set(t, s, "pp", "nn", fmt.Sprint(i%2))
		for n := range 2 {
			o := ask(t, ctx, s, models.Wait{For: one("profiles", "pp", test("test", "/Params/nn", fmt.Sprint(n)))})
			if (o.Result == models.WaitHolds) != (n == i%2) {
				t.Fatalf("round %d: nn is %d at revision %d, and that it is %d is answered with %s", i, i%2, e.Rev, n, text(o))
			}
		}
	}
	cancel()
	wg.Wait()
	nothingLeft(t, s)
}

// TestNoChangeIsMissedBetweenAskingAndWaiting: the change comes at any moment of the asking.
func TestNoChangeIsMissedBetweenAskingAndWaiting(t *testing.T) {
	s, ctx := open(t, newMemory(), withParams)
	predicates := []models.Predicate{
		one("profiles", "pp", test("test", "/Params/nn", "1")),
		{Kind: "profiles", Key: "pp", Filter: "nn=1"},
		{Kind: "profiles", Filter: "nn=1"},
		{Kind: "profiles", Filter: "nn=1", All: true},
		{Kind: "profiles", Key: "pp", Path: "/Params/nn", AtMost: new(0), Tests: []models.Test{test("more", "/Params/nn", "0")}},
	}
	for i := range 1000 {
		mustCreate(t, s, profile("pp", "nn", "0"))
		var wg sync.WaitGroup
		for j := range 4 {
			wg.Go(func() {
				if o, err := s.Wait(ctx, &models.Wait{For: predicates[(i+j/2)%len(predicates)]}); err != nil || o.Result != models.WaitHolds {
					t.Errorf("got %+v, %v", o, err)
				}
			})
		}
		if i%3 == 0 {
			for s.Waiters() < i%5 {
				time.Sleep(time.Microsecond)
			}
		}
		set(t, s, "pp", "nn", "1")
		wg.Wait()
		must(s.Delete(ctx, "profiles", "pp"))
	}
	nothingLeft(t, s)
}

// TestWhatIsHiddenDoesNotExist: for each kind, who may not see an object is answered as if it
// were not there, and counts what a list would show.
func TestWhatIsHiddenDoesNotExist(t *testing.T) {
	s, admin := open(t, newMemory(), withParams)
	for _, k := range kinds(s) {
		if k.Internal || k.Name == "preferences" {
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			seen := must(s.Create(admin, sample(t, k.Name, "seen"), false))
			hidden := must(s.Create(admin, sample(t, k.Name, "hidden"), false))
			ctx := WithActor(t.Context(), Actor{Name: "ann", Claims: models.Claims{{Scope: k.Name, Action: "get", Specific: AuthKey(seen.Object)}}})
			id := hidden.Object.Key()
			absent := models.NewUUID()
			for _, p := range []models.Predicate{
				{Tests: []models.Test{test("defined", "/Meta", "")}}, {Filter: "Available=true"}, {Since: "0"}, {Path: "/Meta", Exactly: new(0)}, {},
				{Tests: []models.Test{test("test", "/Meta", "1")}},
			} {
				for _, may := range []bool{false, true} {
					p.Kind, p.MayAppear = k.Name, may
					answers := map[string]string{}
					for _, key := range []string{id, absent} {
						p.Key = key
						o := ask(t, ctx, s, models.Wait{For: p})
						o.Rev = 0
						answers[key] = strings.ReplaceAll(text(o), key, "KEY")
						want := models.WaitNever
						if may {
							want = models.WaitTimeout
						}
						if o.Result != want || !strings.Contains(o.Reason, "does not exist") {
							t.Errorf("%+v: got %s, want %s", p, text(o), want)
						}
						o = ask(t, ctx, s, models.Wait{For: models.Predicate{Kind: k.Name, Key: seen.Object.Key(), Tests: []models.Test{test("test", "/Meta", "1")}}, Unless: []models.Predicate{p}})
						if o.Result != models.WaitTimeout {
							t.Errorf("Unless %+v: got %s, want timeout", p, text(o))
						}
					}
					if answers[id] != answers[absent] {
						t.Errorf("what is hidden is told:\n%s\n%s", answers[id], answers[absent])
					}
				}
			}
			o := ask(t, ctx, s, models.Wait{For: one(k.Name, seen.Object.Key())})
			if o.Result != models.WaitHolds || string(o.Object) != string(seen.Raw) {
				t.Errorf("the visible one: %s", text(o))
			}
			_, n, err := s.List(ctx, k.Name, models.Query{Limit: -1})
			if o := ask(t, ctx, s, models.Wait{For: models.Predicate{Kind: k.Name}}); err != nil || n != 1 || *o.Count != n || o.Keys[0] != seen.Object.Key() {
				t.Errorf("a list shows %d, got %s", n, text(o))
			}
			if o := ask(t, WithActor(t.Context(), Actor{}), s, models.Wait{For: models.Predicate{Kind: k.Name}}); *o.Count != 0 {
				t.Errorf("nobody sees %s", text(o))
			}
			if o := ask(t, admin, s, models.Wait{For: models.Predicate{Kind: k.Name}}); *o.Count < 2 {
				t.Errorf("who sees all sees %s", text(o))
			}
		})
	}
	nothingLeft(t, s)
}

// TestHiddenFieldsCannotBeTested: a wait shows what GET shows.
func TestHiddenFieldsCannotBeTested(t *testing.T) {
	s, ctx := open(t, newMemory())
	mustCreate(t, s, &models.User{Name: "ann", PasswordHash: []byte("hash")})
	o := ask(t, ctx, s, models.Wait{For: one("users", "ann", test("test", "/PasswordHash", `"aGFzaA=="`))})
	if o.Result != models.WaitTimeout || o.Missing[0].Found != nil && string(o.Missing[0].Found) != "null" {
		t.Errorf("got %s", text(o))
	}
}

func TestAnObjectIsFoundByItsName(t *testing.T) {
	s, ctx := open(t, newMemory(), withParams)
	p := models.Predicate{Kind: "machines", Key: "Name:m1", Filter: "Stage=done", MayAppear: true}
	answer := waiting(t, ctx, s, models.Wait{For: p})
	mustCreate(t, s, &models.Machine{Name: "m2"}, &models.Machine{Name: "m1"})
	e, _ := s.View().Find("machines", "Name:m1")
	other, _ := s.View().Find("machines", "Name:m2")
	for _, id := range []string{other.Object.Key(), e.Object.Key()} {
		s.board.settle(s.View().Rev)
		select {
		case o := <-answer:
			t.Fatalf("too early: %s", text(o))
		default:
		}
		must(s.Patch(ctx, "machines", id, decodePatch(t, `[{"op":"replace","path":"/Stage","value":"done"}]`), false))
	}
	if o := <-answer; o.Result != models.WaitHolds || !strings.Contains(string(o.Object), e.Object.Key()) {
		t.Errorf("got %s", text(o))
	}
	upper := strings.ToUpper(e.Object.Key())
	if o := ask(t, ctx, s, models.Wait{For: one("machines", upper)}); o.Result != models.WaitHolds {
		t.Errorf("UUID in capitals: %s", text(o))
	}
	p.MayAppear = false
	p.Filter = "Stage=again"
	answer = waiting(t, ctx, s, models.Wait{For: p})
	must(s.Patch(ctx, "machines", e.Object.Key(), decodePatch(t, `[{"op":"replace","path":"/Name","value":"m3"}]`), false))
	if o := <-answer; o.Result != models.WaitNever {
		t.Errorf("nobody has the name any more: %s", text(o))
	}
	nothingLeft(t, s)
}

// counted makes a service that counts how often params are asked for.
func counted(looks *atomic.Int32) func(*Service) {
	return func(s *Service) {
		withParams(s)
		own := s.EffectiveParam
		s.EffectiveParam = func(r Reader, o models.Object, name string) ([]byte, bool) {
			looks.Add(1)
			return own(r, o, name)
		}
	}
}

// TestEqualPredicatesAreEvaluatedOnce: however many wait, and only when something has moved that
// they depend on.
func TestEqualPredicatesAreEvaluatedOnce(t *testing.T) {
	for name, p := range map[string]models.Predicate{
		"of an object": {Kind: "profiles", Key: "pp", Aggregate: true, Tests: []models.Test{test("test", "/Params/nn", "2")}},
		"of a kind":    {Kind: "profiles", Filter: "nn=2", AtLeast: new(1)},
	} {
		t.Run(name, func(t *testing.T) {
			var looks atomic.Int32
			s, ctx := open(t, newMemory(), counted(&looks))
			mustCreate(t, s, profile("pp"), sample(t, "tasks", "tt"))
			var answers []<-chan *models.Outcome
			for range 200 {
				answers = append(answers, waiting(t, ctx, s, models.Wait{For: p}))
			}
			s.board.settle(s.View().Rev)
			if n := looks.Load(); n != 1 {
				t.Errorf("%d looks for 200 who ask, want 1", n)
			}
			must(s.Patch(ctx, "tasks", "tt", decodePatch(t, `[{"op":"replace","path":"/Description","value":"x"}]`), false))
			s.board.settle(s.View().Rev)
			if n := looks.Load(); n != 1 {
				t.Errorf("%d looks after a change of something else, want 1", n)
			}
			set(t, s, "pp", "nn", "1")
			s.board.settle(s.View().Rev)
			set(t, s, "pp", "nn", "2")
			for _, a := range answers {
				if o := <-a; o.Result != models.WaitHolds {
					t.Fatalf("got %s", text(o))
				}
			}
			if n := looks.Load(); n != 3 {
				t.Errorf("%d looks after two changes, want 3", n)
			}
			for s.Waiters() > 0 {
				time.Sleep(time.Millisecond)
			}
			nothingLeft(t, s)
		})
	}
}

// TestAListCostsWhatHasChanged: of a thousand objects one changes, and one is looked at.
func TestAListCostsWhatHasChanged(t *testing.T) {
	var looks atomic.Int32
	s, ctx := open(t, newMemory(), counted(&looks))
	for i := range 1000 {
		mustCreate(t, s, profile(fmt.Sprintf("p%03d", i), "nn", "1"))
	}
	answer := waiting(t, ctx, s, models.Wait{For: models.Predicate{Kind: "profiles", Filter: "nn=2", AtLeast: new(2)}})
	s.board.settle(s.View().Rev)
	before := looks.Load()
	set(t, s, "p500", "nn", "2")
	set(t, s, "p501", "nn", "2")
	if o := <-answer; *o.Count != 2 || strings.Join(o.Keys, " ") != "p500 p501" {
		t.Errorf("got %s", text(o))
	}
	if n := looks.Load() - before; before != 1000 || n > 3 {
		t.Errorf("%d looks at the start and %d after two changes, want 1000 and at most 3", before, n)
	}
}

// TestASlowEvaluationHoldsUpNoCommit: it stands still, and changes go on.
func TestASlowEvaluationHoldsUpNoCommit(t *testing.T) {
	gate, entered := make(chan struct{}), make(chan struct{}, 100)
	var slow atomic.Bool
	s, ctx := open(t, newMemory(), func(s *Service) {
		withParams(s)
		own := s.EffectiveParam
		s.EffectiveParam = func(r Reader, o models.Object, name string) ([]byte, bool) {
			if slow.Load() {
				entered <- struct{}{}
				<-gate
			}
			return own(r, o, name)
		}
	})
	mustCreate(t, s, profile("pp"))
	answer := waiting(t, ctx, s, models.Wait{For: models.Predicate{Kind: "profiles", Filter: "nn=3"}})
	s.board.settle(s.View().Rev)
	slow.Store(true)
	set(t, s, "pp", "nn", "0")
	<-entered
	for n := range 4 {
		set(t, s, "pp", "nn", fmt.Sprint(n)) // returns while the evaluation stands
	}
	slow.Store(false)
	close(gate)
	if o := <-answer; o.Result != models.WaitHolds {
		t.Errorf("got %s", text(o))
	}
}

// ending is a context whose deadline comes when the test says so.
type ending struct {
	context.Context
	over chan struct{}
}

func (e ending) Done() <-chan struct{} { return e.over }

func (e ending) Err() error {
	select {
	case <-e.over:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

// TestTheDeadlineCountsWhatWasAcknowledgedBefore: also what has not been looked at yet.
func TestTheDeadlineCountsWhatWasAcknowledgedBefore(t *testing.T) {
	for name, w := range map[string]models.Wait{
		"For":             {For: models.Predicate{Kind: "profiles", Filter: "nn=3"}},
		"For over Unless": {For: models.Predicate{Kind: "profiles", Filter: "nn=3"}, Unless: []models.Predicate{one("profiles", "qq")}},
	} {
		gate, entered := make(chan struct{}), make(chan struct{}, 100)
		var slow atomic.Bool
		s, ctx := open(t, newMemory(), func(s *Service) {
			withParams(s)
			own := s.EffectiveParam
			s.EffectiveParam = func(r Reader, o models.Object, name string) ([]byte, bool) {
				if slow.Load() {
					entered <- struct{}{}
					<-gate
				}
				return own(r, o, name)
			}
		})
		mustCreate(t, s, profile("pp"))
		end := ending{ctx, make(chan struct{})}
		answer := waiting(t, end, s, w)
		slow.Store(true)
		set(t, s, "pp", "nn", "0")
		<-entered
		if len(w.Unless) > 0 {
			mustCreate(t, s, profile("qq"))
		}
		set(t, s, "pp", "nn", "3")
		close(end.over)
		slow.Store(false)
		close(gate)
		if o := <-answer; o.Result != models.WaitHolds {
			t.Errorf("%s: got %s; it held before the deadline", name, text(o))
		}
	}
}

func TestAPanicInAnEvaluationIsAnError(t *testing.T) {
	var bad atomic.Bool
	s, ctx := open(t, newMemory(), func(s *Service) {
		s.EffectiveParam = func(Reader, models.Object, string) ([]byte, bool) {
			if bad.Load() {
				panic("broken")
			}
			return nil, false
		}
	})
	mustCreate(t, s, profile("pp"))
	failed := make(chan error, 1)
	go func() {
		_, err := s.Wait(ctx, &models.Wait{For: models.Predicate{Kind: "profiles", Filter: "nn=3"}})
		failed <- err
	}()
	for s.Waiters() == 0 {
		time.Sleep(time.Millisecond)
	}
	s.board.settle(s.View().Rev)
	bad.Store(true)
	set(t, s, "pp", "nn", "1")
	class(t, <-failed, models.Internal)
	_, err := s.Wait(ctx, &models.Wait{For: models.Predicate{Kind: "profiles", Key: "pp", Filter: "nn=3"}})
	class(t, err, models.Internal)
	bad.Store(false)
	if o := ask(t, ctx, s, models.Wait{For: one("profiles", "pp")}); o.Result != models.WaitHolds {
		t.Errorf("afterwards: %s", text(o))
	}
	nothingLeft(t, s)
}

func TestWhoWaitsIsToldThatTheServerStops(t *testing.T) {
	for name, stop := range map[string]func(*Service){"end": (*Service).EndWaits, "close": (*Service).Close} {
		t.Run(name, func(t *testing.T) {
			s, err := New(newMemory(), nil, now, discard)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if name != "close" {
				defer s.Close()
			}
			ctx := WithActor(t.Context(), System)
			mustCreate(t, s, profile("pp"))
			w := models.Wait{For: one("profiles", "pp", test("test", "/Params/nn", "1"))}
			answer := waiting(t, ctx, s, w)
			polled := make(chan error, 1)
			go func() {
				_, err := s.Await(ctx, "profiles", "pp", s.View().Rev)
				polled <- err
			}()
			for s.Waiters() < 2 {
				time.Sleep(time.Millisecond)
			}
			stop(s)
			if o := <-answer; o.Result != models.WaitAgain || o.Reason == "" {
				t.Errorf("got %s, want again", text(o))
			}
			if err := <-polled; !errors.Is(err, ErrStopping) {
				t.Errorf("the long poll: got %v", err)
			}
			if o := must(s.Wait(ctx, &w)); o.Result != models.WaitAgain {
				t.Errorf("who comes later: got %s, want again", text(o))
			}
			if o := must(s.Wait(ctx, &models.Wait{For: one("profiles", "pp")})); o.Result != models.WaitHolds {
				t.Errorf("what holds already: got %s", text(o))
			}
		})
	}
}

func TestWhoGivesUpIsForgotten(t *testing.T) {
	s, ctx := open(t, newMemory(), withParams)
	mustCreate(t, s, profile("pp"))
	ctx, cancel := context.WithCancel(ctx)
	failed := make(chan error, 10)
	for i := range 10 {
		go func() {
			_, err := s.Wait(ctx, &models.Wait{For: models.Predicate{Kind: "profiles", Filter: fmt.Sprintf("nn=%d", i/2)}, Unless: []models.Predicate{one("profiles", "qq")}})
			failed <- err
		}()
	}
	for s.Waiters() < 10 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	for range 10 {
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	}
	nothingLeft(t, s)
}

// TestEveryAnswerIsTrueOfItsRevision: random changes meet random waits. Whoever is told that
// something holds is told a revision at which it does; whoever is told that it does not, one at
// which it does not; and who waits for what holds in the end is answered.
func TestEveryAnswerIsTrueOfItsRevision(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var views sync.Map // revision -> *View
	s, ctx := open(t, newMemory(), withParams, func(s *Service) {
		s.Follow(func(c *Commit) {
			if v := s.View(); v.Rev == c.Rev {
				views.Store(c.Rev, v)
			}
		})
	})
	mustCreate(t, s, profile("p0"))
	const names, values = 4, 3
	predicate := func(r *rand.Rand) models.Predicate {
		name, value := fmt.Sprintf("p%d", r.IntN(names)), fmt.Sprint(r.IntN(values))
		n, m := r.IntN(names+1), r.IntN(names+1)
		p := []models.Predicate{
			one("profiles", name, test("test", "/Params/nn", value)),
			one("profiles", name, not(test("test", "/Params/nn", value)), test("defined", "/Params/nn", "")),
			one("profiles", name, test("less", "/Params/nn", value)),
			{Kind: "profiles", Key: name, Filter: "nn=" + value},
			{Kind: "profiles", Key: name, Path: "/Params", Exactly: &n},
			{Kind: "profiles", Filter: "nn=" + value, AtLeast: &n, AtMost: &m},
			{Kind: "profiles", Filter: "nn=Gt(0)", Of: "mm=" + value, All: true},
			{Kind: "profiles", Filter: "nn=Ne(" + value + ")", Exactly: &n},
		}[r.IntN(8)]
		if p.Key != "" {
			p.MayAppear = r.IntN(2) == 0
		}
		return p
	}
	check := func(v *View, p models.Predicate) (holds, exists bool) {
		param := func(o models.Object, name string) (int, bool) {
			raw, ok := (*o.(models.ParamHolder).ParamMap())[name]
			var n int
			_ = json.Unmarshal(raw, &n)
			return n, ok
		}
		number := func(s string) (n int) { _, _ = fmt.Sscan(strings.Trim(s, "GtNe()"), &n); return n }
		matches := func(o models.Object, filter string) bool {
			if filter == "" {
				return true
			}
			name, want, _ := strings.Cut(filter, "=")
			n, ok := param(o, name)
			switch {
			case strings.HasPrefix(want, "Gt"):
				return ok && n > number(want)
			case strings.HasPrefix(want, "Ne"):
				return !ok || n != number(want)
			}
			return ok && n == number(want)
		}
		within := func(n int) bool {
			return (p.AtLeast == nil || n >= *p.AtLeast) && (p.AtMost == nil || n <= *p.AtMost) && (p.Exactly == nil || n == *p.Exactly)
		}
		if p.Key == "" {
			n, of := 0, 0
			for e := range v.All("profiles") {
				if matches(e.Object, p.Of) {
					of++
					if matches(e.Object, p.Filter) {
						n++
					}
				}
			}
			return within(n) && (!p.All || n == of && n > 0), true
		}
		e, ok := v.Get("profiles", p.Key)
		if !ok {
			return false, false
		}
		n, set := param(e.Object, "nn")
		for _, tt := range p.Tests {
			switch tt.Op {
			case "test":
				ok = ok && set && n == number(string(tt.Value))
			case "not":
				ok = ok && !(set && n == number(string(tt.Apply[0].Value)))
			case "defined":
				ok = ok && set
			case "less":
				ok = ok && set && n < number(string(tt.Value))
			}
		}
		if p.Path != "" {
			ok = ok && within(len(*e.Object.(models.ParamHolder).ParamMap()))
		}
		return ok && matches(e.Object, p.Filter), true
	}

	var waiters, writers sync.WaitGroup
	var decided, over atomic.Int32
	final, stop := context.WithCancel(context.Background()) // the end of those whose wish is not fulfilled
	deadline := func(ctx context.Context) (context.Context, context.CancelFunc) {
		return context.WithDeadline(ctx, time.Now().Add(time.Hour))
	}
	judge := func(w models.Wait, asked uint64, o *models.Outcome) {
		p := w.For
		if o.Unless != nil {
			p = w.Unless[*o.Unless]
		}
		for _, rev := range []uint64{o.Rev, max(asked, o.Rev)} {
			v, ok := views.Load(rev)
			for tries := 0; !ok && tries < 1_000_000; tries++ { // it is seen a moment before those who follow are told
				runtime.Gosched()
				v, ok = views.Load(rev)
			}
			if !ok {
				t.Errorf("seed %d: %s names a revision that was never to be seen", seed, text(o))
				return
			}
			holds, exists := check(v.(*View), p)
			want := map[string]bool{models.WaitHolds: holds, models.WaitTimeout: !holds, models.WaitNever: o.Unless != nil && holds || o.Unless == nil && !exists && !p.MayAppear}
			if !want[o.Result] {
				t.Errorf("seed %d: %+v asked at %d: got %s, which is not so at %d", seed, w, asked, text(o), rev)
			}
		}
	}
	for i := range 4 {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		writers.Go(func() {
			for range 300 {
				name := fmt.Sprintf("p%d", r.IntN(names))
				_, err := s.Do(ctx, false, func(tx *Tx) error {
					e, ok := tx.Get("profiles", name)
					switch {
					case !ok:
						return tx.Create(profile(name, "nn", fmt.Sprint(r.IntN(values))))
					case r.IntN(5) == 0:
						return tx.Delete("profiles", name)
					}
					o := e.Clone().(*models.Profile)
					o.Params[[]string{"nn", "mm"}[r.IntN(2)]] = json.RawMessage(fmt.Sprint(r.IntN(values)))
					return tx.Update(o)
				})
				if err != nil && models.ClassOf(err) != models.NotFound && models.ClassOf(err) != models.Conflict {
					t.Error(err)
				}
			}
		})
	}
	type held struct {
		w     models.Wait
		asked uint64
		done  *atomic.Bool
	}
	var mu sync.Mutex
	var all []held
	for i := range 8 {
		r := rand.New(rand.NewPCG(seed, 100+uint64(i)))
		waiters.Go(func() {
			for range 60 {
				w := models.Wait{For: predicate(r)}
				for range r.IntN(3) {
					w.Unless = append(w.Unless, predicate(r))
				}
				patient := r.IntN(2) == 0
				one := func() {
					h := held{w, s.View().Rev, &atomic.Bool{}}
					ctx, cancel := deadline(ctx)
					if !patient {
						ctx, cancel = context.WithTimeout(ctx, time.Duration(r.IntN(3000))*time.Microsecond)
					} else {
						mu.Lock()
						all = append(all, h)
						mu.Unlock()
						end := context.AfterFunc(final, cancel)
						defer end()
					}
					defer cancel()
					o, err := s.Wait(ctx, &w)
					h.done.Store(true)
					if err != nil {
						if !errors.Is(err, context.Canceled) || final.Err() == nil {
							t.Error(err)
						}
						return
					}
					if o.Result == models.WaitTimeout {
						over.Add(1)
					} else {
						decided.Add(1)
					}
					judge(w, h.asked, o)
				}
				if patient {
					waiters.Go(one)
				} else {
					one()
				}
			}
		})
	}
	writers.Wait()
	// Nothing changes any more: whoever waits for what is so now must be answered.
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		v := s.View()
		mu.Lock()
		left := slices.DeleteFunc(slices.Clone(all), func(h held) bool {
			holds, exists := check(v, h.w.For)
			for _, u := range h.w.Unless {
				h, _ := check(v, u)
				holds = holds || h
			}
			return h.done.Load() || !holds && (exists || h.w.For.MayAppear)
		})
		asked := len(all)
		mu.Unlock()
		if len(left) == 0 && asked > 0 {
			break
		}
		if time.Since(begin) > 20*time.Second {
			t.Fatalf("seed %d: %d are not answered, as %+v", seed, len(left), left[0].w)
		}
	}
	for s.board.waiting.Load() > 0 {
		stop()
		time.Sleep(time.Millisecond)
	}
	waiters.Wait()
	stop()
	t.Logf("%d revisions, %d decided, %d timed out", s.View().Rev, decided.Load(), over.Load())
	if decided.Load() < 50 || over.Load() < 20 {
		t.Errorf("%d were decided and %d ran out of time: too few to tell", decided.Load(), over.Load())
	}
	nothingLeft(t, s)
}

// TestWhatWasReadIsWatched: a question that reads other objects is asked again when these change,
// appear or go, and lists are when anything changes that they have searched.
func TestWhatWasReadIsWatched(t *testing.T) {
	for name, reads := range map[string]func(Reader) (*Entry, bool){
		"get":  func(r Reader) (*Entry, bool) { return r.Get("stages", "other") },
		"find": func(r Reader) (*Entry, bool) { return r.Find("stages", "Name:other") },
		"all": func(r Reader) (*Entry, bool) {
			for e := range r.All("stages") {
				return e, true
			}
			return nil, false
		},
	} {
		for _, p := range []models.Predicate{{Kind: "profiles", Key: "pp", Filter: "nn=1"}, {Kind: "profiles", Filter: "nn=1"}, {Kind: "profiles", Key: "pp", Aggregate: true, Tests: []models.Test{test("test", "/Params/nn", "1")}}} {
			s, ctx := open(t, newMemory(), func(s *Service) {
				s.EffectiveParam = func(r Reader, _ models.Object, key string) ([]byte, bool) {
					e, ok := reads(r)
					if !ok {
						return nil, false
					}
					v, ok := e.Object.(*models.Stage).Params[key]
					return v, ok
				}
			})
			mustCreate(t, s, profile("pp"))
			answer := waiting(t, ctx, s, models.Wait{For: p})
			mustCreate(t, s, &models.Stage{Name: "other"})
			must(s.Patch(ctx, "stages", "other", decodePatch(t, `[{"op":"add","path":"/Params/nn","value":1}]`), false))
			if o := <-answer; o.Result != models.WaitHolds {
				t.Errorf("%s: got %s", name, text(o))
			}
			w := models.Wait{For: one("profiles", "pp", test("defined", "/none", "")), Unless: []models.Predicate{{Kind: "profiles", Filter: "nn=Ne(1)"}}}
			answer = waiting(t, ctx, s, w)
			must(s.Delete(ctx, "stages", "other"))
			if o := <-answer; o.Unless == nil {
				t.Errorf("%s: got %s", name, text(o))
			}
		}
	}
}

// TestWaitsLeaveNoGoroutine: neither those that were answered nor those that were cut short.
func TestWaitsLeaveNoGoroutine(t *testing.T) {
	before := runtime.NumGoroutine()
	s, err := New(newMemory(), nil, now, discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx := WithActor(t.Context(), System)
	mustCreate(t, s, profile("pp", "nn", "0"))
	var done sync.WaitGroup
	for i := range 300 {
		ctx, cancel := context.WithCancel(ctx)
		done.Go(func() {
			defer cancel()
			_, _ = s.Wait(ctx, &models.Wait{For: one("profiles", "pp", test("test", "/Params/nn", fmt.Sprint(i%3)))})
		})
		if i%3 == 2 {
			cancel()
		}
	}
	ended := make(chan struct{})
	go func() { done.Wait(); close(ended) }()
	for i, over := 0, false; !over; i++ {
		set(t, s, "pp", "nn", fmt.Sprint(i%3))
		s.board.settle(s.View().Rev)
		select {
		case <-ended:
			over = true
		default:
		}
	}
	nothingLeft(t, s)
	s.Close()
	for begin := time.Now(); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Since(begin) > 10*time.Second {
			stacks := make([]byte, 1<<16)
			t.Fatalf("%d goroutines, %d before:\n%s", runtime.NumGoroutine(), before, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
