package params

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/models"
	"drp/models/patch"
	"drp/models/schema"
	"drp/server/objects"
	"drp/server/store/sqlite"
)

// ctx asks as the server itself.
var ctx = objects.WithActor(context.Background(), objects.System)

func service(t *testing.T, base ...models.Object) *objects.Service {
	t.Helper()
	s, _ := serviceWith(t, newKeys(t), base...)
	return s
}

func serviceWith(t *testing.T, keys Keys, base ...models.Object) (*objects.Service, *Vault) {
	t.Helper()
	engine, err := sqlite.Open(ctx, filepath.Join(t.TempDir(), "drp.db"), objects.Advance)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { engine.Close() })
	s, err := objects.New(engine, base, time.Now, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	v := Register(s)
	v.Keys = keys
	if err := s.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, v
}

func create(t *testing.T, s *objects.Service, list ...models.Object) {
	t.Helper()
	for _, o := range list {
		if err := tryCreate(s, o); err != nil {
			t.Fatal(err)
		}
	}
}

func tryCreate(s *objects.Service, o models.Object) error {
	_, err := s.Do(ctx, false, func(tx *objects.Tx) error { return tx.Create(models.Clone(o)) })
	return err
}

func param(name, schema string) *models.Param {
	return &models.Param{Name: name, Schema: json.RawMessage(schema)}
}

func profile(name string, params map[string]string, nested ...string) *models.Profile {
	return &models.Profile{Name: name, Params: raw(params), Profiles: nested}
}

func raw(m map[string]string) models.Params {
	p := models.Params{}
	for k, v := range m {
		p[k] = json.RawMessage(v)
	}
	return p
}

func ops(t *testing.T, text string) patch.Patch {
	t.Helper()
	p, err := patch.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestViolationsReadAsClientsKnowThem compares whole messages.
func TestViolationsReadAsClientsKnowThem(t *testing.T) {
	for _, c := range []struct{ schema, value, want string }{
		{`{"type":"string"}`, `[5]`, `Key 'kk': invalid val '[5]': : (root): Invalid type. Expected: string, given: array`},
		{`{"type":["string","null"]}`, `true`, `Key 'kk': invalid val 'true': : (root): Invalid type. Expected: [null,string], given: boolean`},
		{`{"enum":["a",1]}`, `"b"`, `Key 'kk': invalid val 'b': : (root): (root) must be one of the following: "a", 1`},
		{`{"const":3}`, `4`, `Key 'kk': invalid val '4': : (root): (root) does not match: 3`},
		{`{"required":["x","y"]}`, `{}`, `Key 'kk': invalid val '{}': : (root): x is required; (root): y is required`},
		{`{"properties":{"a":{"type":"object","properties":{"b":{"type":"integer"}}}}}`, `{"a":{"b":"x"}}`, `Key 'kk': invalid val '{"a":{"b":"x"}}': : a.b: Invalid type. Expected: integer, given: string`},
		{`{"additionalProperties":false}`, `{"z":1}`, `Key 'kk': invalid val '{"z":1}': : (root): Additional property z is not allowed`},
		{`{"minimum":2}`, `1`, `Key 'kk': invalid val '1': : (root): Must be greater than or equal to 2`},
		{`{"maximum":2.5}`, `3`, `Key 'kk': invalid val '3': : (root): Must be less than or equal to 2.5`},
		{`{"exclusiveMinimum":2}`, `2`, `Key 'kk': invalid val '2': : (root): Must be greater than 2`},
		{`{"exclusiveMaximum":2}`, `2`, `Key 'kk': invalid val '2': : (root): Must be less than 2`},
		{`{"minimum":2,"exclusiveMinimum":true}`, `2`, `Key 'kk': invalid val '2': : (root): Must be greater than 2`},
		{`{"multipleOf":2}`, `3`, `Key 'kk': invalid val '3': : (root): Must be a multiple of 2`},
		{`{"minLength":2}`, `"a"`, `Key 'kk': invalid val 'a': : (root): String length must be greater than or equal to 2`},
		{`{"maxLength":2}`, `"abc"`, `Key 'kk': invalid val 'abc': : (root): String length must be less than or equal to 2`},
		{`{"pattern":"^x"}`, `"a"`, `Key 'kk': invalid val 'a': : (root): Does not match pattern '^x'`},
		{`{"format":"ipv4"}`, `"a"`, `Key 'kk': invalid val 'a': : (root): Does not match format 'ipv4'`},
		{`{"minItems":1}`, `[]`, `Key 'kk': invalid val '[]': : (root): Array must have at least 1 items`},
		{`{"maxItems":1}`, `[1,2]`, `Key 'kk': invalid val '[1,2]': : (root): Array must have at most 1 items`},
		{`{"uniqueItems":true}`, `[1,1]`, `Key 'kk': invalid val '[1,1]': : (root): array items[0,1] must be unique`},
		{`{"minProperties":1}`, `{}`, `Key 'kk': invalid val '{}': : (root): Must have at least 1 properties`},
		{`{"maxProperties":0}`, `{"a":1}`, `Key 'kk': invalid val '{"a":1}': : (root): Must have at most 0 properties`},
		{`{"items":{"type":"string"}}`, `["a",2]`, `Key 'kk': invalid val '["a",2]': : 1: Invalid type. Expected: string, given: number`},
		{`{"anyOf":[{"type":"string"},{"type":"null"}]}`, `1`, `Key 'kk': invalid val '1': : (root): Must validate at least one schema (anyOf)`},
		{`{"oneOf":[{},{}]}`, `1`, `Key 'kk': invalid val '1': : (root): Must validate one and only one schema (oneOf)`},
		{`{"not":{}}`, `1`, `Key 'kk': invalid val '1': : (root): Must not validate the schema (not)`},
		{`{"allOf":[{"type":"string"},{"minLength":1}]}`, `1`, `Key 'kk': invalid val '1': : (root): Invalid type. Expected: string, given: number`},
		{`{"contains":{"type":"string"}}`, `[1]`, `Key 'kk': invalid val '[1]': : (root): At least one of the items must match`},
		{`{"dependencies":{"a":["b"]}}`, `{"a":1}`, `Key 'kk': invalid val '{"a":1}': : (root): Has a dependency on b`},
		{`{"propertyNames":{"maxLength":1}}`, `{"ab":1}`, `Key 'kk': invalid val '{"ab":1}': : (root): Property name of "ab" does not match`},
		{`{"definitions":{"s":{"type":"string"}},"$ref":"#/definitions/s"}`, `1`, `Key 'kk': invalid val '1': : (root): Invalid type. Expected: string, given: number`},
	} {
		t.Run(c.schema, func(t *testing.T) {
			got := checker{schemas: schema.NewCache()}.value(param("kk", c.schema), []byte(c.value))
			if len(got) != 1 || got[0] != c.want {
				t.Errorf("got  %q\nwant %q", got, c.want)
			}
		})
	}
}

// TestSchemasReachNothingOutside: neither files nor hosts, and not in endless work.
func TestSchemasReachNothingOutside(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret.json")
	bomb := `{"$ref":"#/definitions/a0","definitions":{`
	for i := range 60 {
		bomb += fmt.Sprintf(`"a%d":{"allOf":[{"$ref":"#/definitions/a%d"},{"$ref":"#/definitions/a%d"}]},`, i, i+1, i+1)
	}
	bomb += `"a60":{}}}`
	s := service(t)
	for name, c := range map[string]struct{ schema, want string }{
		"file":    {`{"$ref":"file://` + file + `"}`, "only refer to itself"},
		"host":    {`{"$ref":"http://127.0.0.1:1/x"}`, "only refer to itself"},
		"dialect": {`{"$schema":"http://127.0.0.1:1/x"}`, "only refer to itself"},
		"no type": {`{"type":"strin"}`, "Invalid Schema"},
		"text":    {`"string"`, "Invalid Schema"},
		"default": {`{"type":"string","default":true}`, "Error in default value: (root): Invalid type. Expected: string, given: boolean"},
		"bomb":    {bomb[:len(bomb)-1] + `,"default":1}`, "takes too long"},
		"number":  {`{"multipleOf":3,"default":1e999999999}`, "a number is too large"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tryCreate(s, param("p-"+strings.ReplaceAll(name, " ", ""), c.schema))
			if models.ClassOf(err) != models.Invalid || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want Invalid with %q", err, c.want)
			}
		})
	}
	for _, ok := range []string{`null`, `true`, `{}`, `{"$schema":"http://json-schema.org/draft-04/schema#","type":"string","default":"x"}`, `{"$schema":"https://json-schema.org/draft/2020-12/schema","prefixItems":[{}]}`, `{"$ref":"#"}`} {
		if err := tryCreate(s, param("ok-"+models.NewUUID(), ok)); err != nil {
			t.Errorf("%s: %v", ok, err)
		}
	}
}

// TestEveryHolderIsChecked runs over all kinds that carry params, and all ways to write them.
func TestEveryHolderIsChecked(t *testing.T) {
	s := service(t)
	create(t, s, param("nn", `{"type":"integer"}`), &models.Param{Name: "sealed", Secure: true, Schema: json.RawMessage(`{"type":"integer"}`)})
	for _, k := range models.Kinds {
		o, ok := k.New().(models.ParamHolder)
		if !ok {
			continue
		}
		t.Run(k.Name, func(t *testing.T) {
			id := "11111111-1111-4111-8111-111111111111"
			body := fmt.Sprintf(`{"Name":"one","Id":"one","Provider":"pp","Uuid":%q,"Params":{"free":[1]}}`, id)
			if err := json.Unmarshal([]byte(body), o); err != nil {
				t.Fatal(err)
			}
			o.Normalize()
			key := o.Key()
			bad := models.Clone[models.Object](o).(models.ParamHolder)
			(*bad.ParamMap())["nn"] = json.RawMessage(`"x"`)
			if err := tryCreate(s, bad); models.ClassOf(err) != models.Invalid {
				t.Errorf("create: got %v, want Invalid", err)
			}
			create(t, s, o)
			for _, name := range []string{"nn", "sealed"} {
				ways := map[string]func() error{
					"set": func() error { return set(s, k.Name, key, name, `"x"`) },
					"patch": func() error {
						_, err := Patch(ctx, s, k.Name, key, ops(t, `[{"op":"add","path":"/`+name+`","value":"x"}]`))
						return err
					},
					"replace": func() error { _, err := Replace(ctx, s, k.Name, key, raw(map[string]string{name: `"x"`})); return err },
					"patch all": func() error {
						_, err := s.Patch(ctx, k.Name, key, ops(t, `[{"op":"add","path":"/Params/`+name+`","value":"x"}]`), false)
						return err
					},
				}
				for way, do := range ways {
					if err := do(); models.ClassOf(err) != models.Invalid {
						t.Errorf("%s %s: got %v, want Invalid", way, name, err)
					}
				}
			}
			if err := set(s, k.Name, key, "nn", `7`); err != nil {
				t.Error(err)
			}
			e, _ := s.View().Get(k.Name, key)
			if got, _ := models.Marshal(*e.Object.(models.ParamHolder).ParamMap()); string(got) != `{"free":[1],"nn":7}` {
				t.Errorf("got params %s, want those that were valid", got)
			}
		})
	}
}

// TestOldValuesDoNotBlockNewOnes: only what changes is checked.
func TestOldValuesDoNotBlockNewOnes(t *testing.T) {
	s := service(t)
	create(t, s, profile("pp", map[string]string{"late": `"x"`}))
	create(t, s, param("late", `{"type":"integer"}`))
	if err := set(s, "profiles", "pp", "other", `1`); err != nil {
		t.Error(err)
	}
	if err := set(s, "profiles", "pp", "late", `"y"`); models.ClassOf(err) != models.Invalid {
		t.Errorf("got %v, want Invalid", err)
	}
}

// TestPatchSeesDefaults is the table of the documented extension.
func TestPatchSeesDefaults(t *testing.T) {
	for _, c := range []struct{ name, before, patch, after, fails string }{
		{"claim", `{}`, `[{"op":"test","path":"/my~1leader","value":"none"},{"op":"replace","path":"/my~1leader","value":"u1"}]`, `{"my/leader":"u1"}`, ``},
		{"replace alone", `{}`, `[{"op":"replace","path":"/my~1leader","value":"u1"}]`, `{"my/leader":"u1"}`, ``},
		{"test alone is not stored", `{}`, `[{"op":"test","path":"/my~1leader","value":"none"}]`, `{}`, ``},
		{"test for another", `{"aa":1}`, `[{"op":"add","path":"/bb","value":1},{"op":"test","path":"/my~1leader","value":"u2"}]`, ``, `Patch failed to apply at line 1|expected "u2" at /my~1leader, found "none": Test op failed.`},
		{"stored value hides the default", `{"my/leader":"u9"}`, `[{"op":"test","path":"/my~1leader","value":"none"}]`, ``, `Patch failed to apply at line 0|expected "none" at /my~1leader, found "u9": Test op failed.`},
		{"no default", `{}`, `[{"op":"test","path":"/bare","value":null}]`, ``, `Patch failed to apply at line 0|Selector bare not a member of map[string]interface {}{}: expected null at /bare, found nothing`},
		{"no Param", `{}`, `[{"op":"replace","path":"/free","value":1}]`, ``, `Patch failed to apply at line 0`},
		{"remove sees what is stored", `{}`, `[{"op":"test","path":"/my~1leader","value":"none"},{"op":"remove","path":"/my~1leader"}]`, ``, `Patch failed to apply at line 1`},
		{"whole document sees what is stored", `{}`, `[{"op":"test","path":"","value":{}},{"op":"test","path":"/my~1leader","value":"none"},{"op":"test","path":"","value":{}}]`, `{}`, ``},
		{"whole document with a default", `{}`, `[{"op":"test","path":"","value":{"my/leader":"none"}}]`, ``, `Patch failed to apply at line 0`},
		{"removed shows the default again", `{"my/leader":"u9"}`, `[{"op":"remove","path":"/my~1leader"},{"op":"test","path":"/my~1leader","value":"none"}]`, `{}`, ``},
		{"moved away", `{"my/leader":"u9"}`, `[{"op":"move","from":"/my~1leader","path":"/was"},{"op":"replace","path":"/my~1leader","value":"u1"}]`, `{"my/leader":"u1","was":"u9"}`, ``},
		{"new document", `{"my/leader":"u9"}`, `[{"op":"replace","path":"","value":{"aa":1}},{"op":"replace","path":"/my~1leader","value":"u1"}]`, `{"aa":1,"my/leader":"u1"}`, ``},
		{"inside a default", `{}`, `[{"op":"test","path":"/map/a","value":1},{"op":"replace","path":"/map/a","value":2}]`, `{"map":{"a":2,"b":1}}`, ``},
		{"set twice", `{}`, `[{"op":"replace","path":"/my~1leader","value":"u1"},{"op":"test","path":"/my~1leader","value":"none"}]`, ``, `Patch failed to apply at line 1|expected "none" at /my~1leader, found "u1": Test op failed.`},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := service(t)
			create(t, s, param("my/leader", `{"type":"string","default":"none"}`), param("bare", `{"type":"string"}`), param("map", `{"default":{"a":1,"b":1}}`))
			p := profile("pp", nil)
			if err := json.Unmarshal([]byte(c.before), &p.Params); err != nil {
				t.Fatal(err)
			}
			create(t, s, p)
			got, err := Patch(ctx, s, "profiles", "pp", ops(t, c.patch))
			want := c.after
			if c.fails != "" {
				want = c.before
				e, ok := err.(*models.Error)
				if !ok || e.Class != models.Conflict || e.Model != "profiles" || e.Key != "pp" || !strings.HasPrefix(strings.Join(e.Messages, "|"), c.fails) {
					t.Errorf("got error %#v, want Conflict %q", err, c.fails)
				}
			} else if text, _ := models.Marshal(got); err != nil || string(text) != want {
				t.Errorf("got %s, %v; want %s", text, err, want)
			}
			now, _ := objects.Get[*models.Profile](s.View(), "pp")
			if text, _ := models.Marshal(now.Params); string(text) != want {
				t.Errorf("stored %s, want %s", text, want)
			}
		})
	}
}

// TestOneOfManyWinsTheLeadership: whoever comes second is told so.
func TestOneOfManyWinsTheLeadership(t *testing.T) {
	s := service(t)
	create(t, s, param("my/leader", `{"type":"string","default":"none"}`), profile("pp", nil))
	const n = 16
	results := make(chan error, n)
	for i := range n {
		p := ops(t, fmt.Sprintf(`[{"op":"test","path":"/my~1leader","value":"none"},{"op":"replace","path":"/my~1leader","value":"u%d"}]`, i))
		go func() { _, err := Patch(ctx, s, "profiles", "pp", p); results <- err }()
	}
	won := 0
	for range n {
		switch err := <-results; {
		case err == nil:
			won++
		case models.ClassOf(err) != models.Conflict:
			t.Errorf("a loser got %v, want Conflict", err)
		}
	}
	if won != 1 {
		t.Errorf("%d won, want 1", won)
	}
}

// TestVerbsDemandTheirClaims tries every verb with every kind of claim.
func TestVerbsDemandTheirClaims(t *testing.T) {
	s := service(t)
	sees := models.Claim{Scope: "profiles", Action: "get", Specific: "pp"}
	verbs := map[string]func(context.Context) error{
		"set": func(ctx context.Context) error {
			_, err := Set(ctx, s, "profiles", "pp", "a/b", json.RawMessage(`2`))
			return err
		},
		"remove": func(ctx context.Context) error { _, err := Remove(ctx, s, "profiles", "pp", "a/b"); return err },
		"replace": func(ctx context.Context) error {
			_, err := Replace(ctx, s, "profiles", "pp", raw(map[string]string{"a/b": "3", "cc": "1"}))
			return err
		},
		"patch": func(ctx context.Context) error {
			_, err := Patch(ctx, s, "profiles", "pp", ops(t, `[{"op":"add","path":"/a~1b","value":4}]`))
			return err
		},
	}
	for _, c := range []struct {
		name   string
		claims models.Claims
		want   models.Class
		ok     bool
	}{
		{"nothing", nil, models.NotFound, false},
		{"get", models.Claims{sees}, models.Forbidden, false},
		{"another key", models.Claims{sees, {Scope: "profiles", Action: "update:/Params/cc", Specific: "pp"}}, models.Forbidden, false},
		{"another profile", models.Claims{sees, {Scope: "profiles", Action: "update", Specific: "q"}}, models.Forbidden, false},
		{"this key", models.Claims{sees, {Scope: "profiles", Action: "update:/Params/a~1b", Specific: "pp"}}, 0, true},
		{"all", models.Claims{sees, {Scope: "profiles", Action: "update", Specific: "pp"}}, 0, true},
	} {
		for verb, do := range verbs {
			t.Run(verb+" with "+c.name, func(t *testing.T) {
				s.Do(ctx, false, func(tx *objects.Tx) error { return tx.Delete("profiles", "pp") }) // absent the first time
				create(t, s, profile("pp", map[string]string{"a/b": "1", "cc": "1"}))
				err := do(objects.WithActor(context.Background(), objects.Actor{Name: "u", Claims: c.claims}))
				if c.ok && err != nil || !c.ok && (err == nil || models.ClassOf(err) != c.want) {
					t.Errorf("got %v, want ok %v, class %v", err, c.ok, c.want)
				}
			})
		}
	}
}

func TestReadOnlyObjectsKeepTheirParams(t *testing.T) {
	s := service(t, profile("builtin", map[string]string{"aa": "1"}))
	err := set(s, "profiles", "builtin", "aa", `2`)
	e, ok := err.(*models.Error)
	if !ok || e.Class != models.Forbidden || len(e.Messages) != 1 || e.Messages[0] != "builtin" {
		t.Errorf("got %#v, want Forbidden with the key as its message", err)
	}
}

func TestRemoveOfWhatIsNotSetNamesTheParam(t *testing.T) {
	s := service(t)
	create(t, s, profile("pp", map[string]string{"null": "null"}))
	_, err := Remove(ctx, s, "profiles", "pp", "gone")
	if err == nil || err.Error() != "params/gone: Not Found" {
		t.Errorf("got %v, want params/gone: Not Found", err)
	}
	if was, err := Remove(ctx, s, "profiles", "pp", "null"); err != nil || string(was) != "null" {
		t.Errorf("got %s, %v; want null, which is not absent", was, err)
	}
}

// TestWhoWonAndAsksAgainHasWon: the answer to a compare-and-set may get lost, but not its outcome.
func TestWhoWonAndAsksAgainHasWon(t *testing.T) {
	s := service(t)
	create(t, s, param("my/leader", `{"default":"none"}`), profile("pp", nil), profile("other", nil), &models.Template{ID: "tt"})
	named := objects.WithOnce(ctx, "one")
	claim := ops(t, `[{"op":"test","path":"/my~1leader","value":"none"},{"op":"replace","path":"/my~1leader","value":"u1"}]`)
	for range 2 {
		got, err := Patch(named, s, "profiles", "pp", claim)
		if text, _ := models.Marshal(got); err != nil || string(text) != `{"my/leader":"u1"}` {
			t.Errorf("got %s, %v; want that it won", text, err)
		}
	}
	if _, err := Patch(ctx, s, "profiles", "pp", claim); models.ClassOf(err) != models.Conflict {
		t.Errorf("got %v, want Conflict for who did not win", err)
	}
	for kind, id := range map[string]string{"profiles": "other", "templates": "tt"} {
		if got, err := Patch(named, s, kind, id, claim); err == nil {
			t.Errorf("%s/%s: got %v under a name that was used for another object", kind, id, got)
		}
	}
}
