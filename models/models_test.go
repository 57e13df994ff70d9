package models

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
)

const common = "Available Bundle Endpoint Errors Meta ReadOnly Validated"

// fields is the contract: exactly these members are on the wire, no more and no fewer, since
// clients compare whole documents.
var fields = map[string]string{
	"machines": "Address Arch BootEnv Context CurrentJob CurrentTask Description Fingerprint HardwareAddrs Locked Name OS Params Partial Pool " +
		"PoolAllocated PoolStatus Profiles RetryTaskAttempt Runnable Secret Stage TaskErrorStacks Tasks Uuid Workflow WorkflowComplete",
	"profiles":    "Description Documentation Name Params Partial Profiles",
	"params":      "Description Documentation Name Schema Secure",
	"tasks":       "Description Documentation Name OptionalParams Prerequisites RequiredParams Templates",
	"stages":      "BootEnv Description Documentation Name OptionalParams Params Partial Profiles Reboot RequiredParams RunnerWait Tasks Templates",
	"workflows":   "Description Documentation Name Stages",
	"jobs":        "Archived BootEnv Context Current CurrentIndex EndTime ExitState Machine NextIndex Previous Stage StartTime State Task Uuid Workflow",
	"templates":   "Contents Description ID",
	"bootenvs":    "BootParams Description Documentation Initrds Kernel Loaders Name OS OnlyUnknown OptionalParams RequiredParams Templates",
	"tenants":     "Description Documentation Members Name Users",
	"users":       "Description Name Roles Secret",
	"roles":       "Claims Description Documentation Name",
	"preferences": "Name Val",
	"plugins":     "Description Documentation Name Params Partial PluginErrors Provider",
	"subnets": "ActiveEnd ActiveLeaseTime ActiveStart Description Documentation Enabled Name NextServer OnlyReservations Options Pickers Proxy " +
		"ReservedLeaseTime Strategy Subnet Unmanaged",
	"reservations": "Addr Description Documentation Duration NextServer Options Scoped Strategy Subnet Token",
	"leases":       "Addr Duration ExpireTime NextServer Options ProvidedOptions SkipBoot State Strategy Token Via",

	"contexts":     "Description Documentation Engine Image Name",
	"pools":        "Id",
	"endpoints":    "Id",
	"version_sets": "Apply Components DRPUXVersion DRPVersion Description Documentation Files Global Id Plugins Prefs",
}

// uncommon are the kinds that do without what others have in common.
var uncommon = map[string]string{
	"plugin_providers": "AutoStart AvailableActions Content Documentation HasPublish Meta Name OptionalParams PluginVersion RequiredParams StoreObjects Version",
	"catalog_items":    "ActualVersion Available ContentType Endpoint Errors HotFix Id Meta NOJQSource Name ReadOnly Shasum256 Source Tip Type Validated Version",
}

func TestEveryKindHasExactlyItsFields(t *testing.T) {
	for _, k := range Kinds {
		if k.Internal {
			continue
		}
		o := k.New()
		o.Normalize()
		raw, err := Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal(raw, &doc); err != nil {
			t.Fatal(err)
		}
		want := strings.Fields(fields[k.Name] + " " + common)
		if alone, ok := uncommon[k.Name]; ok {
			want = strings.Fields(alone)
		}
		slices.Sort(want)
		if got := slices.Sorted(maps.Keys(doc)); !slices.Equal(got, want) {
			t.Errorf("%s: got fields\n%v, want\n%v", k.Name, got, want)
		}
		for name, v := range doc {
			if v == nil && k.Name+"."+name != "params.Schema" {
				t.Errorf("%s.%s is null", k.Name, name)
			}
		}
		if o.Kind() != k.Name {
			t.Errorf("%s calls itself %s", k.Name, o.Kind())
		}
		if _, ok := k.Indexes()[k.KeyField]; !ok || !k.Indexes()["Key"].Unique {
			t.Errorf("%s has no unique index on its key field %s", k.Name, k.KeyField)
		}
	}
}

// TestNullsAndLetterCaseAreTakenAsSent: clients post whole structs, with null for every list and
// map, and packs spell names in lower case.
func TestNullsAndLetterCaseAreTakenAsSent(t *testing.T) {
	for _, k := range Kinds {
		empty := k.New()
		empty.Normalize()
		raw, err := Marshal(empty)
		if err != nil {
			t.Fatal(err)
		}
		var doc map[string]json.RawMessage
		if err := json.Unmarshal(raw, &doc); err != nil {
			t.Fatal(err)
		}
		posted := map[string]json.RawMessage{"NoSuchMember": json.RawMessage("1")}
		for name, v := range doc {
			if s := string(v); s == "[]" || s == "{}" || s == `""` {
				v = json.RawMessage("null")
			}
			posted[strings.ToLower(name)] = v
		}
		body, err := Marshal(posted)
		if err != nil {
			t.Fatal(err)
		}
		o, err := Unmarshal(k.Name, body)
		if err != nil {
			t.Fatalf("%s: %v", k.Name, err)
		}
		again, err := Marshal(o)
		if err != nil {
			t.Fatal(err)
		}
		if string(again) != string(raw) {
			t.Errorf("%s: got\n%s, want\n%s", k.Name, again, raw)
		}
	}
}

func TestParamsKeepTheirText(t *testing.T) {
	body := `{"Name":"pp","Params":{"a":1.10,"b":9007199254740993,"c":"<&>","d":null,"e":1e3}}`
	o, err := Unmarshal("profiles", []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	if want := `"Params":{"a":1.10,"b":9007199254740993,"c":"<&>","d":null,"e":1e3}`; !strings.Contains(string(raw), want) {
		t.Errorf("got %s, want it to hold %s", raw, want)
	}
}

func TestNames(t *testing.T) {
	for _, c := range []struct {
		rule nameRule
		name string
		ok   bool
	}{
		{nameGeneral, "a", false}, {nameGeneral, "ab", true}, {nameGeneral, "1b", false}, {nameMachine, "1b", true},
		{nameGeneral, "äö", true}, {nameGeneral, "a b-c_d.e", true}, {nameGeneral, "a/b", false}, {nameParam, "a/b", true},
		{nameUser, "me@host", true}, {nameGeneral, "me@host", false}, {nameGeneral, "", false}, {nameMachine, "-a", false},
		{nameGeneral, "[asdgasdg]", false}, {nameParam, "/a", false}, {nameMachine, "a\n", false},
	} {
		if got := c.rule.match(c.name); got != c.ok {
			t.Errorf("%q: got %v, want %v", c.name, got, c.ok)
		}
	}
}

func TestMachinesSayWhatIsWrong(t *testing.T) {
	for body, want := range map[string]string{
		`{"Name":"x"}`:                                   "Invalid Name `x`",
		`{"Name":"ok","Uuid":"zz"}`:                      "Invalid UUID: zz",
		`{"Name":"ok","Arch":"x86_64"}`:                  "Please use amd64 for Arch instead of x86_64",
		`{"Name":"ok","Arch":"foo"}`:                     "Unsupported arch foo",
		`{"Name":"ok","Address":"1.2.3"}`:                "Invalid address: 1.2.3",
		`{"Name":"ok","Profiles":["jill","joe","jill"]}`: "Duplicate profile jill: at 0 and 2",
		`{"Name":"ok","Tasks":["nope:x"]}`:               "Invalid Task: nope:x",
		`{"Name":"ok","Tasks":["stage:"]}`:               "Invalid Task: stage:",
		`{"Name":"ok","Params":{"1":2}}`:                 "Invalid Param Name `1`",
		`{"Name":"ok","HardwareAddrs":["xx"]}`:           "Invalid Hardware Address `xx`",
		`{"Name":"ok","Tasks":["context:","action:a"]}`:  "",
	} {
		o, err := Unmarshal("machines", []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		m := o.(*Machine)
		m.Generate()
		got := strings.Join(m.Validate(), "\n")
		if want == "" && got != "" || !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", body, got, want)
		}
	}
}

func TestTaskTemplatesNameAllSystemsOrNone(t *testing.T) {
	info := func(name, os string) TemplateInfo {
		return TemplateInfo{Name: name, Contents: "x", Meta: map[string]string{"OS": os}}
	}
	for _, c := range []struct {
		list []TemplateInfo
		want string
	}{
		{[]TemplateInfo{info("t1", "any"), info("t2", "linux, esxi")}, ""},
		{[]TemplateInfo{info("t1", ""), info("t2", "")}, ""},
		{[]TemplateInfo{info("t1", ""), info("t2", "any")}, "Cannot mix templates with OS metadata and templates without OS metadata\nTemplate[0] t1 is missing OS metadata\nTemplate[1] t2 has OS metadata any"},
		{[]TemplateInfo{info("t1", "sithisOS")}, "Template[0]: Invalid OS value sithisOS\nValid values are: any,darwin,esxi,freebsd,linux,netbsd,openbsd,solaris,windows"},
		{[]TemplateInfo{{Name: "t1"}}, "Template[0] must have either an ID, a Link, or Contents set"},
		{[]TemplateInfo{{Name: "t1", ID: "x", Contents: "y"}}, "Template[0] has both an ID and Contents"},
		{[]TemplateInfo{{Contents: "y"}}, "Template[0] is missing a Name"},
		{[]TemplateInfo{{Name: "t1", Contents: "y"}, {Name: "t1", Contents: "y"}}, "Template 0 and 1 have the same name t1"},
	} {
		task := &Task{Name: "task", Templates: c.list}
		if got := strings.Join(task.Validate(), "\n"); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}

func TestClaimsCover(t *testing.T) {
	for _, c := range []struct {
		have                    Claim
		scope, action, specific string
		want                    bool
	}{
		{Claim{"*", "*", "*"}, "machines", "get", "x", true},
		{Claim{"*", "*", "*"}, "machines", "list", "", true},
		{Claim{"machines", "get,list", "*"}, "machines", "list", "", true},
		{Claim{"machines", "get", "a,b"}, "machines", "get", "b", true},
		{Claim{"machines", "get", "a,b"}, "machines", "get", "c", false},
		{Claim{"machines", "get", "a,b"}, "machines", "get", "", false},
		{Claim{"machines", "get", "a"}, "machines", "get", "*", false},
		{Claim{"machines", "update", "*"}, "machines", "update:/Meta/a", "x", true},
		{Claim{"machines", "update:", "*"}, "machines", "update:/Meta/a", "x", true},
		{Claim{"machines", "update:/Meta", "*"}, "machines", "update:/Meta/a", "x", true},
		{Claim{"machines", "update:/Meta", "*"}, "machines", "update:/Metal", "x", false},
		{Claim{"machines", "update:/Meta/a", "*"}, "machines", "update:/Meta", "x", false},
		{Claim{"machines", "update:/", "*"}, "machines", "update:/Meta", "x", false},
		{Claim{"machines", "update:/Meta", "*"}, "machines", "update", "x", false},
		{Claim{"machines", "action", "*"}, "machines", "action:reboot", "x", true},
		{Claim{"machines", "action:reboot", "*"}, "machines", "action:off", "x", false},
		{Claim{"machines", "actions", "*"}, "machines", "action:reboot", "x", false},
		{Claim{}, "", "", "", false},
		{Claim{"machines", "*", "*"}, "profiles", "get", "x", false},
	} {
		if got := (Claims{c.have}).Allow(c.scope, c.action, c.specific); got != c.want {
			t.Errorf("%v on %s %s %s: got %v, want %v", c.have, c.scope, c.action, c.specific, got, c.want)
		}
	}
}

func TestRolesNameKnownScopesAndActions(t *testing.T) {
	for _, c := range []struct {
		claim Claim
		want  string
	}{
		{Claim{"*", "*", "*"}, ""}, {Claim{"machines,profiles", "get, update:/Meta", "x"}, ""},
		{Claim{"bar", "get", "*"}, "No such scope 'bar'"}, {Claim{"machines", "bar", "*"}, "No such action 'bar'"},
		{Claim{"", "*", "*"}, "No such scope ''"}, {Claim{"machines", "", "*"}, "No such action ''"},
		{Claim{"subnets", "create", "*"}, ""}, {Claim{"preferences", "post", "*"}, ""}, {Claim{"*", "getSecure", "*"}, ""},
	} {
		if got := strings.Join(c.claim.Validate(), "\n"); got != c.want {
			t.Errorf("%v: got %q, want %q", c.claim, got, c.want)
		}
	}
}

func TestErrorsReadAsTheClientPrintsThem(t *testing.T) {
	for want, e := range map[string]*Error{
		"GET: machines/foo: Not Found":                   {Type: "GET", Model: "machines", Key: "foo", Messages: []string{"Not Found"}},
		"DELETE: files/foo: Unable to delete":            {Type: "DELETE", Model: "files", Key: "/foo", Messages: []string{"Unable to delete"}},
		"POST: prefs: Unknown Preference greg":           {Type: "POST", Model: "prefs", Messages: []string{"Unknown Preference greg"}},
		"AUTH\n  Cannot access x\n  Requires: a b c":     {Type: "AUTH", Messages: []string{"Cannot access x", "Requires: a b c"}},
		"GET: /api/v3/freds/john: No route":              {Type: "GET", Key: "/api/v3/freds/john", Messages: []string{"No route"}},
		"Conflict: Machine U already has running or job": {Type: "Conflict", Messages: []string{"Machine U already has running or job"}},
	} {
		if got := e.Error(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// TestNamesThatAreGoodAtOnceAreGood: the short way takes nothing that the long one refuses.
func TestNamesThatAreGoodAtOnceAreGood(t *testing.T) {
	const letters = "aZ09-_. /@é\x00"
	for _, r := range []nameRule{nameGeneral, nameMachine, nameUser, nameParam} {
		var grow func(s string, n int)
		grow = func(s string, n int) {
			if r.plain(s) && !r.general(s) {
				t.Errorf("%+v: %q is good at once, and is not", r, s)
			}
			for i := 0; n > 0 && i < len(letters); i++ {
				grow(s+letters[i:i+1], n-1)
			}
		}
		grow("", 4)
	}
	if !nameParam.plain("my/leader") || nameGeneral.plain("my/leader") {
		t.Error("the short way is never, or always, taken")
	}
}

// TestContainmentIsThatOfEachItem: of all claims made of a few words, those contain others whose every
// scope, action and specific one claim of theirs allows.
func TestContainmentIsThatOfEachItem(t *testing.T) {
	var all []Claim
	for _, scope := range []string{"*", "a", "a,b", ""} {
		for _, action := range []string{"*", "get", "get, update", "update:", "update:/A", "update:/A/B,get", "update:/", "action", "action:x", ""} {
			for _, specific := range []string{"*", "k", "k,l", ""} {
				all = append(all, Claim{scope, action, specific})
			}
		}
	}
	naive := func(have Claims, want Claim) bool {
		for _, scope := range strings.Split(want.Scope, ",") {
			for _, action := range strings.Split(want.Action, ",") {
				for _, specific := range strings.Split(want.Specific, ",") {
					if !allows(have, scope, strings.TrimSpace(action), specific) {
						return false
					}
				}
			}
		}
		return true
	}
	contained := 0
	for i, a := range all {
		for j, b := range all {
			other := all[(i*31+j*17)%len(all)]
			for _, have := range []Claims{{a}, {a, other}} {
				got, want := have.Contain(Claims{b}), naive(have, b)
				if got != want {
					t.Fatalf("%v contain %v: got %v, want %v", have, b, got, want)
				}
				if got {
					contained++
				}
			}
		}
	}
	if contained < len(all) {
		t.Errorf("only %d of the pairs are contained", contained)
	}
}
