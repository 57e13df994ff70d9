package app

import "testing"

// TestMachinesKeepTheContract is §3.3: defaults, checks, and what changes bring about.
func TestMachinesKeepTheContract(t *testing.T) {
	_, admin, _ := start(t, config(t))
	for _, o := range [][2]string{
		{"tasks", `{"Name":"t1"}`}, {"tasks", `{"Name":"t2"}`}, {"tasks", `{"Name":"foo2"}`}, {"tasks", `{"Name":"bar1","Prerequisites":["foo2"]}`},
		{"bootenvs", `{"Name":"sledge","OS":{"Name":"sledge"}}`}, {"bootenvs", `{"Name":"broken","OS":{"Name":"broken","IsoFile":"none.iso"},"Kernel":"k","Initrds":["i"]}`},
		{"stages", `{"Name":"s1","Tasks":["t1","t2"]}`}, {"stages", `{"Name":"s2","BootEnv":"sledge","Tasks":["t2"]}`}, {"stages", `{"Name":"empty"}`}, {"stages", `{"Name":"pre","Tasks":["bar1"]}`},
		{"stages", `{"Name":"nowhere","BootEnv":"fredhammer"}`},
		{"workflows", `{"Name":"wf","Stages":["s1","s2"]}`}, {"workflows", `{"Name":"bad","Stages":["nothing"]}`},
		{"profiles", `{"Name":"p1"}`}, {"profiles", `{"Name":"jill"}`}, {"contexts", `{"Name":"ctx"}`},
	} {
		admin.must("POST", "/"+o[0], o[1], nil)
	}
	set := func(member, value string) string {
		return `[{"op":"replace","path":"/` + member + `","from":"","value":` + value + `}]`
	}
	const u = "3e7031fe-3062-45f1-835c-92541bc9cbd3"
	invalid := func(messages ...string) string { return refusal(422, "ValidationError", "machines", u, messages...) }
	create := func(members string) string { return zero("machines", `{"Uuid":"`+u+`",`+members+`}`) }
	kept := map[string]string{"U": u}
	admin.holds(kept, []statement{
		{says: "3.3 no name", call: "POST /machines", body: create(`"Name":""`), status: 422, want: invalid(u + ": Invalid Name ``")},
		{says: "3.2 a bad name", call: "POST /machines", body: create(`"Name":"[asdgasdg]"`), status: 422, want: invalid(u + ": Invalid Name `[asdgasdg]`")},
		{says: "3.2 one character", call: "POST /machines", body: create(`"Name":"a"`), status: 422, want: invalid(u + ": Invalid Name `a`")},
		{says: "1.5 stage and bootenv", call: "POST /machines", body: create(`"Name":"bob","Stage":"baz","BootEnv":"bar"`), status: 422, want: invalid("Stage baz does not exist", "Bootenv bar does not exist")},
		{says: "1.5 profile", call: "POST /machines", body: create(`"Name":"bob","Profiles":["foo"]`), status: 422, want: invalid(u + ": Profile foo (at 0) does not exist")},
		{says: "1.5 profile twice", call: "POST /machines", body: create(`"Name":"bob","Profiles":["jill","jill"]`), status: 422, want: invalid(u + ": Duplicate profile jill: at 0 and 1")},
		{says: "1.5 task", call: "POST /machines", body: create(`"Name":"bob","Tasks":["foo"]`), status: 422, want: invalid(u + ": Task foo (at 0) does not exist")},
		{says: "1.5 bootenv not usable", call: "POST /machines", body: create(`"Name":"bob","BootEnv":"broken"`), status: 422, want: invalid("BootEnv broken is not available")},
		{says: "1.5 OnlyUnknown", call: "POST /machines", body: create(`"Name":"bob","BootEnv":"ignore"`), status: 422, want: invalid("BootEnv ignore does not allow Machine assignments, it has the OnlyUnknown flag.")},
		{says: "3.3 arch by another name", call: "POST /machines", body: create(`"Name":"bob","Arch":"x86_64"`), status: 422, want: invalid(u + ": Please use amd64 for Arch instead of x86_64")},
		{says: "3.3 arch", call: "POST /machines", body: create(`"Name":"bob","Arch":"foo"`), status: 422, want: invalid(u + ": Unsupported arch foo")},
		{says: "3.3 MAC", call: "POST /machines", body: create(`"Name":"bob","HardwareAddrs":["zz"]`), status: 422, want: invalid(u + ": Invalid Hardware Address `zz`: address zz: invalid MAC address")},
		{says: "3.3 unavailable workflow", call: "POST /machines", body: create(`"Name":"bob","Workflow":"bad"`), status: 422, want: invalid("Machine " + u + " wants Workflow bad, which is not available")},
		{says: "3.3 prerequisites", call: "POST /machines", body: create(`"Name":"bob","Tasks":["bar1"]`), status: 422, want: invalid("Task bar1 missing prerequisite foo2")},
		{says: "3.3 the defaults", call: "POST /machines", body: create(`"Name":"bob"`), status: 201, want: `{"Uuid":"{U}","Name":"bob","Description":"","CurrentJob":"","Address":"","Stage":"none","BootEnv":"local","Profiles":[],"Params":{},"Tasks":[],"CurrentTask":0,"RetryTaskAttempt":0,"TaskErrorStacks":[],"Runnable":true,"OS":"","HardwareAddrs":[],"Workflow":"","Arch":"amd64","Locked":false,"Context":"","Fingerprint":{"SSNHash":"","CSNHash":"","CloudInstanceID":"","SystemUUID":"","MemoryIds":[]},"Pool":"default","PoolAllocated":false,"PoolStatus":"Free","WorkflowComplete":true,"Meta":{"feature-flags":"change-stage-v2"},"Partial":false}`, keep: "S=Secret"},
		{says: "3.3 the key stays", call: "PATCH /machines/{U}", body: set("Uuid", `"3e7031fe-3062-45f1-835c-92541bc9cbd4"`), status: 422},
		{says: "3.3 the server's members", call: "PATCH /machines/{U}", body: `[{"op":"replace","path":"/CurrentJob","from":"","value":"3e7031fe-3062-45f1-835c-92541bc9cbd4"},{"op":"replace","path":"/WorkflowComplete","from":"","value":false},{"op":"replace","path":"/PoolAllocated","from":"","value":true}]`, status: 200, want: `{"CurrentJob":"","WorkflowComplete":true,"PoolAllocated":false}`},
		{says: "3.3 tasks", call: "PATCH /machines/{U}", body: set("Tasks", `["t1","t2"]`), status: 200, want: `{"Tasks":["t1","t2"],"CurrentTask":-1,"WorkflowComplete":false}`},
		{says: "3.3 tasks of which none has run", call: "PATCH /machines/{U}", body: set("Tasks", `[]`), status: 200, want: `{"Tasks":[],"CurrentTask":0,"WorkflowComplete":true}`},
		{says: "3.3 tasks again", call: "PATCH /machines/{U}", body: set("Tasks", `["t1"]`), status: 200, want: `{"CurrentTask":-1,"WorkflowComplete":false}`},
		{says: "3.3 CurrentTask", call: "PATCH /machines/{U}", body: set("CurrentTask", `0`), status: 422, want: invalid("Cannot advance CurrentTask from -1 to 0 without running jobs")},
		{says: "3.3 pending tasks", call: "PATCH /machines/{U}", body: set("Stage", `"s1"`), status: 422, want: invalid("Can not change stages with pending tasks unless forced")},
		{says: "3.3 forced", call: "PATCH /machines/{U}?force=true", body: set("Stage", `"s1"`), status: 200, want: `{"Stage":"s1","Tasks":["t1","t2"],"CurrentTask":-1,"WorkflowComplete":false,"Runnable":true,"BootEnv":"local"}`},
		{says: "3.3 a stage with a bootenv", call: "PATCH /machines/{U}?force=true", body: set("Stage", `"s2"`), status: 200, want: `{"Stage":"s2","Tasks":["t2"],"CurrentTask":-1,"BootEnv":"sledge","Runnable":false}`},
		{says: "3.3 a stage without tasks", call: "PATCH /machines/{U}?force=true", body: set("Stage", `"empty"`), status: 200, want: `{"Stage":"empty","Tasks":[],"CurrentTask":0,"WorkflowComplete":true,"BootEnv":"sledge"}`},
		{says: "3.3 no stage", call: "PATCH /machines/{U}?force=true", body: set("Stage", `""`), status: 200, want: `{"Stage":"none"}`},
		{says: "3.3 stage's prerequisites", call: "PATCH /machines/{U}?force=true", body: set("Stage", `"pre"`), status: 200, want: `{"Tasks":["foo2","bar1"]}`},
		{says: "3.3 stage missing", call: "PATCH /machines/{U}?force=true", body: set("Stage", `"john2"`), status: 422, want: invalid("Stage john2 does not exist")},
		{says: "3.3 bootenv missing", call: "PATCH /machines/{U}", body: set("BootEnv", `"john2"`), status: 422, want: invalid("Bootenv john2 does not exist")},
		{says: "3.3 unavailable workflow", call: "PATCH /machines/{U}", body: set("Workflow", `"bad"`), status: 422, want: invalid("Machine " + u + " wants Workflow bad, which is not available")},
		{says: "3.3 workflow", call: "PATCH /machines/{U}", body: `[{"op":"test","path":"/Workflow","from":"","value":""},{"op":"replace","path":"/Workflow","from":"","value":"wf"}]`, status: 200, want: `{"Workflow":"wf","Stage":"s1","Tasks":["stage:s1","t1","t2","stage:s2","bootenv:sledge","t2"],"CurrentTask":-1,"WorkflowComplete":false}`},
		{says: "3.3 stage under a workflow", call: "PATCH /machines/{U}?force=true", body: set("Stage", `"s2"`), status: 422},
		{says: "3.3 bootenv under a workflow", call: "PATCH /machines/{U}?force=true", body: set("BootEnv", `"local"`), status: 422},
		{says: "3.3 context", call: "PATCH /machines/{U}", body: `[{"op":"replace","path":"/Context","from":"","value":"ctx"},{"op":"add","path":"/Meta/BaseContext","from":"","value":"base"}]`, status: 200, want: `{"Context":"ctx"}`},
		{says: "3.3 no workflow", call: "PATCH /machines/{U}", body: set("Workflow", `""`), status: 200, want: `{"Workflow":"","Stage":"none","Tasks":[],"CurrentTask":0,"WorkflowComplete":true,"Context":"base"}`},
		{says: "3.3 profile missing", call: "PATCH /machines/{U}", body: set("Profiles", `["p1","foo"]`), status: 422, want: invalid(u + ": Profile foo (at 1) does not exist")},
		{says: "3.3 profile twice", call: "PATCH /machines/{U}", body: set("Profiles", `["jill","p1","jill"]`), status: 422, want: invalid(u + ": Duplicate profile jill: at 0 and 2")},
		{says: "3.3 locked", call: "PATCH /machines/{U}", body: set("Locked", `true`), status: 200, want: `{"Locked":true}`},
		{says: "3.3 locked", call: "PATCH /machines/{U}", body: set("Description", `"x"`), status: 403, want: refusal(403, "PATCH", "machines", u, "Locked")},
		{says: "3.3 locked", call: "PUT /machines/{U}", body: create(`"Name":"bob","Locked":true,"Description":"x"`), status: 403, want: refusal(403, "PUT", "machines", u, "Locked")},
		{says: "3.3 locked", call: "POST /machines/{U}/params/aa", body: `1`, status: 403, want: refusal(403, "POST", "machines", u, "Locked")},
		{says: "3.3 locked", call: "DELETE /machines/Name:bob", status: 403, want: refusal(403, "DELETE", "machines", u, "Locked")},
		{says: "3.3 unlocked together with a change", call: "PATCH /machines/{U}", body: `[{"op":"replace","path":"/Locked","from":"","value":false},{"op":"replace","path":"/Description","from":"","value":"y"}]`, status: 200, want: `{"Locked":false,"Description":"y","Secret":"{S}"}`},
		{says: "3.3 renamed", call: "PATCH /machines/{U}", body: set("Name", `"bobby"`), status: 200, want: `{"Name":"bobby"}`},
		{says: "3.3 found by the new name", call: "GET /machines/Name:bobby", status: 200},
		{says: "3.3 not by the old", call: "GET /machines/Name:bob", status: 404},
		{says: "3.3 a stage at the creation", call: "POST /machines", body: zero("machines", `{"Name":"bill","Stage":"s2"}`), status: 201, want: `{"Stage":"s2","BootEnv":"sledge","Tasks":["t2"],"CurrentTask":-1,"Runnable":true,"WorkflowComplete":false}`},
		{says: "3.3 a workflow at the creation", call: "POST /machines", body: zero("machines", `{"Name":"wilma","Workflow":"wf"}`), status: 201, want: `{"Stage":"s1","Workflow":"wf","CurrentTask":-1}`},
		{says: "3.3 the zero UUID is none", call: "POST /machines", body: zero("machines", `{"Name":"pebbles","Uuid":"00000000-0000-0000-0000-000000000000"}`), status: 201, keep: "Z=Uuid"},
		{says: "3.3 the zero UUID is none", call: "GET /machines/00000000-0000-0000-0000-000000000000", status: 404},
		{says: "3.3 a random one is given", call: "GET /machines/{Z}", status: 200, want: `{"Name":"pebbles"}`},
		{says: "3.3 BaseContext at the creation", call: "POST /machines", body: zero("machines", `{"Name":"ctx","Meta":{"BaseContext":"ctx"}}`), status: 201, want: `{"Context":"ctx","Meta":{"BaseContext":"ctx","feature-flags":"change-stage-v2"}}`},
		{says: "8.4 the preferences", call: "POST /prefs", body: `{"defaultStage":"s1","defaultWorkflow":"wf","defaultBootEnv":"sledge"}`, status: 201},
		{says: "8.4 the preferences", call: "POST /machines", body: zero("machines", `{"Name":"betty"}`), status: 201, want: `{"Workflow":"wf","Stage":"s1","BootEnv":"sledge"}`},
		{says: "8.4 the preferences", call: "POST /prefs", body: `{"defaultWorkflow":""}`, status: 201},
		{says: "8.4 the preferences", call: "POST /machines", body: zero("machines", `{"Name":"barney"}`), status: 201, want: `{"Workflow":"","Stage":"s1","BootEnv":"sledge","Tasks":["t1","t2"]}`},
	})
}

// TestOtherKindsKeepTheContract is §3.4 to §3.12: defaults, checks and availability.
func TestOtherKindsKeepTheContract(t *testing.T) {
	_, admin, _ := start(t, config(t))
	invalid := func(kind, key string, messages ...string) string {
		for i := range messages {
			messages[i] = key + ": " + messages[i]
		}
		return refusal(422, "ValidationError", kind, key, messages...)
	}
	template := func(members string) string { return `{"Name":"tk","Templates":[` + members + `]}` }
	onStage := func(members string) string { return `{"Name":"st","Templates":[` + members + `]}` }
	const none = "Invalid Name `[asdgasdg]`"
	admin.holds(map[string]string{}, []statement{
		{says: "3.4 global", call: "GET /profiles/global", status: 200, want: `{"Name":"global","ReadOnly":false,"Bundle":"","Params":{},"Profiles":[]}`},
		{says: "3.4 the default", call: "POST /profiles", body: zero("profiles", `{"Name":"foo"}`), status: 201, want: `{"Params":{},"Profiles":[],"Description":"","Documentation":"","Partial":false,"Meta":{}}`},
		{says: "3.4 a bad name", call: "POST /profiles", body: `{"Name":"[asdgasdg]"}`, status: 422, want: invalid("profiles", "[asdgasdg]", none)},
		{says: "3.4 a bad key", call: "POST /profiles", body: `{"Name":"bar","Params":{"[x]":1}}`, status: 422, want: invalid("profiles", "bar", "Invalid Param Name `[x]`")},
		{says: "3.5 the default", call: "POST /params", body: zero("params", `{"Name":"a/b"}`), status: 201, want: `{"Schema":null,"Secure":false}`},
		{says: "3.5 a bad default", call: "POST /params", body: `{"Name":"badDefault","Schema":{"type":"string","default":true}}`, status: 422, want: `{"Type":"ValidationError","Model":"params","Key":"badDefault"}`},
		{says: "3.5 a bad name", call: "POST /params", body: `{"Name":"[asdgasdg]"}`, status: 422, want: invalid("params", "[asdgasdg]", none)},
		{says: "3.6 the default", call: "POST /tasks", body: zero("tasks", `{"Name":"task"}`), status: 201, want: `{"Templates":[],"RequiredParams":[],"OptionalParams":[],"Prerequisites":[]}`},
		{says: "3.6 cycles", call: "POST /tasks", body: `{"Name":"badfoo","Prerequisites":["badfoo"]}`, status: 422, want: `{"Type":"ValidationError","Key":"badfoo"}`},
		{says: "3.6 mixed systems", call: "POST /tasks", body: `{"Name":"mixedOSes","Templates":[{"Name":"t1","Contents":"x"},{"Name":"t2","Contents":"x","Meta":{"OS":"any"}}]}`, status: 422, want: invalid("tasks", "mixedOSes", "Cannot mix templates with OS metadata and templates without OS metadata", "Template[0] t1 is missing OS metadata", "Template[1] t2 has OS metadata any")},
		{says: "3.6 a bad system", call: "POST /tasks", body: `{"Name":"badOS","Templates":[{"Name":"t1","Contents":"x","Meta":{"OS":"sithisOS"}}]}`, status: 422, want: invalid("tasks", "badOS", "Template[0]: Invalid OS value sithisOS", "Valid values are: any,darwin,esxi,freebsd,linux,netbsd,openbsd,solaris,windows")},
		{says: "3.7 no name", call: "POST /tasks", body: template(`{"Contents":"x"}`), status: 422, want: invalid("tasks", "tk", "Template[0] is missing a Name")},
		{says: "3.7 nothing", call: "POST /tasks", body: template(`{"Name":"a"}`), status: 422, want: invalid("tasks", "tk", "Template[0] must have either an ID, a Link, or Contents set")},
		{says: "3.7 both", call: "POST /tasks", body: template(`{"Name":"a","ID":"x","Contents":"x"}`), status: 422, want: `{"Type":"ValidationError"}`},
		{says: "3.7 twice", call: "POST /tasks", body: template(`{"Name":"a","Contents":"x"},{"Name":"a","Contents":"y"}`), status: 422, want: invalid("tasks", "tk", "Template 0 and 1 have the same name a")},
		{says: "3.7 Meta", call: "POST /tasks", body: template(`{"Name":"a","Contents":"x","Meta":null}`), status: 201, want: `{"Templates":[{"Name":"a","Path":"","Link":"","ID":"","Contents":"x","Meta":{}}]}`},
		{says: "3.7 no path", call: "POST /stages", body: onStage(`{"Name":"a","Contents":"x"}`), status: 422, want: invalid("stages", "st", "Template[0] is missing a Path")},
		{says: "3.8 the default", call: "POST /stages", body: zero("stages", `{"Name":"stage","RunnerWait":false}`), status: 201, want: `{"RunnerWait":true,"Reboot":false,"BootEnv":"","Tasks":[],"Profiles":[],"Params":{},"Templates":[],"RequiredParams":[],"OptionalParams":[],"Partial":false}`},
		{says: "3.8 bootenv missing", call: "POST /stages", body: zero("stages", `{"Name":"fred","BootEnv":"fredhammer"}`), status: 201, want: `{"Available":false,"Validated":true,"Errors":["fred: BootEnv fredhammer does not exist"]}`},
		{says: "3.8 it appears", call: "POST /bootenvs", body: zero("bootenvs", `{"Name":"fredhammer"}`), status: 201, want: `{"Available":true,"Loaders":{},"Initrds":[],"OS":{"SupportedArchitectures":{},"Name":""},"OnlyUnknown":false,"Kernel":"","BootParams":""}`},
		{says: "3.8 it appears", call: "GET /stages/fred", status: 200, want: `{"Available":true,"Errors":[]}`},
		{says: "3.8 it goes", call: "DELETE /bootenvs/fredhammer", status: 200},
		{says: "3.8 it goes", call: "GET /stages/fred", status: 200, want: `{"Available":false,"Errors":["fred: BootEnv fredhammer does not exist"]}`},
		{says: "3.8 action needs a plugin", call: "POST /stages", body: `{"Name":"act","Tasks":["action:foo"]}`, status: 422, want: invalid("stages", "act", "Invalid action specifier foo")},
		{says: "3.8 entries", call: "POST /stages", body: `{"Name":"entries","Tasks":["chroot:/tmp","bootenv:local","stage:none","context:ctx","action:ipmi:on"]}`, status: 201},
		{says: "3.8 none", call: "GET /stages/none", status: 200, want: `{"ReadOnly":true,"Bundle":"BasicStore","BootEnv":""}`},
		{says: "3.8 local", call: "GET /stages/local", status: 200, want: `{"ReadOnly":true,"Bundle":"BasicStore","BootEnv":"local"}`},
		{says: "3.9 ignore", call: "GET /bootenvs/ignore", status: 200, want: `{"ReadOnly":true,"Bundle":"BasicStore","OnlyUnknown":true,"Available":true}`},
		{says: "3.9 local", call: "GET /bootenvs/local", status: 200, want: `{"ReadOnly":true,"Bundle":"BasicStore","OnlyUnknown":false,"Available":true}`},
		{says: "3.9 loaders", call: "POST /bootenvs", body: `{"Name":"env","Loaders":{"sparc":"x"}}`, status: 422, want: invalid("bootenvs", "env", "sparc is not a supported loader type")},
		{says: "3.9 architectures", call: "POST /bootenvs", body: `{"Name":"env","OS":{"Name":"env","SupportedArchitectures":{"sparc":{}}}}`, status: 422, want: invalid("bootenvs", "env", "sparc is not a supported architecture")},
		{says: "3.9 ArchInfo", call: "POST /bootenvs", body: `{"Name":"env","OS":{"Name":"env","SupportedArchitectures":{"amd64":{}}}}`, status: 201, want: `{"OS":{"SupportedArchitectures":{"amd64":{"IsoFile":"","Sha256":"","IsoUrl":"","Kernel":"","Initrds":[],"BootParams":"","Loader":""}}}}`},
		{says: "3.9 the default", call: "POST /prefs", body: `{"defaultBootEnv":"env"}`, status: 201},
		{says: "3.9 the default", call: "DELETE /bootenvs/env", status: 409, want: refusal(409, "StillInUseError", "bootenvs", "env", "BootEnv env is the active defaultBootEnv, cannot remove it")},
		{says: "3.10 a bad ID", call: "POST /templates", body: `{"ID":"[x]"}`, status: 422, want: invalid("templates", "[x]", "Invalid ID `[x]`")},
		{says: "3.10 digits first", call: "POST /templates", body: `{"ID":"0x.tmpl","Contents":"{{.Machine.Name}}"}`, status: 201},
		{says: "3.11 stage missing", call: "POST /workflows", body: zero("workflows", `{"Name":"wf","Stages":["missing"]}`), status: 201, want: `{"Available":false,"Errors":["Stage missing does not exist"]}`},
		{says: "3.11 it appears", call: "POST /stages", body: `{"Name":"missing"}`, status: 201},
		{says: "3.11 it appears", call: "GET /workflows/wf", status: 200, want: `{"Available":true,"Errors":[]}`},
		{says: "3.16 the user", call: "POST /users", body: zero("users", `{"Name":"ann@home","PasswordHash":"eA=="}`), status: 201, want: `{"Name":"ann@home","Roles":[],"Description":""}`},
		{says: "3.16 a bad name", call: "POST /users", body: `{"Name":"[asdgasdg]"}`, status: 422, want: invalid("users", "[asdgasdg]", none)},
		{says: "3.17 scope", call: "POST /roles", body: `{"Name":"badScope","Claims":[{"scope":"bar","action":"list","specific":"*"}]}`, status: 422, want: `{"Type":"ValidationError","Model":"roles"}`},
		{says: "9.3 read-only", call: "PATCH /stages/none", body: `[{"op":"replace","path":"/Description","value":"x"}]`, status: 403, want: `{"Type":"PATCH","Code":403}`},
		{says: "B a pack's key", call: "POST /roles", body: `{"Name":"superuser"}`, status: 409, want: refusal(409, "CREATE", "roles", "superuser", "already exists")},
	})
}
