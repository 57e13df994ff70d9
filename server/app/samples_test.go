package app

// sample is what the laws over all kinds have to know of one. A # stands for a digit that makes one
// object another.
type sample struct {
	// setup are requests made before, each "METHOD /path body", for every digit where a # stands.
	setup []string
	// bare is a body with what is required, full one with everything that a caller may send.
	bare, full string
	// other is, by member, a value that the full sample may be changed to, as JSON. Bools, numbers
	// and plain texts need none.
	other map[string]string
	// server are the members that only the server sets: what a caller sends is ignored.
	server []string
	// fixed are the members, besides the key, that cannot change.
	fixed []string
	// forced are the members that change only when that is forced.
	forced []string
	// anew are the members for which the server takes another value than was sent.
	anew []string
	// end is a patch that an object needs before it may be deleted.
	end string
	// gone is a request made once an object is deleted, as setup has it.
	gone string
	// one: objects are made by other means than the common one, and differ in what they refuse.
	special bool
}

const templateInfo = `{"Name":"t","Path":"/t","Contents":"x","Link":"","ID":"","Meta":{}}`

var samples = map[string]sample{
	"bootenvs": {
		bare: `{"Name":"env-#"}`,
		full: `{"Name":"env-#","Description":"d#","Documentation":"doc","OS":{"Name":"os-#","Family":"f","Codename":"c","Version":"#","IsoFile":"","IsoSha256":"","IsoUrl":"","SupportedArchitectures":{}},` +
			`"Templates":[` + templateInfo + `],"Kernel":"vmlinuz","Initrds":["i#"],"BootParams":"quiet","RequiredParams":["rp"],"OptionalParams":["op"],"OnlyUnknown":true,"Loaders":{"amd64-uefi":"x.efi"}}`,
		other: map[string]string{"OS": `{"Name":"else","Family":"","Codename":"","Version":"","IsoFile":"","IsoSha256":"","IsoUrl":"","SupportedArchitectures":{}}`, "Templates": `[]`,
			"Initrds": `["a","b"]`, "RequiredParams": `[]`, "OptionalParams": `["x/y"]`, "Loaders": `{}`},
	},
	"catalog_items": {
		bare: `{"Id":"item-#"}`,
		full: `{"Id":"item-#","Type":"catalog_items","Name":"item","ActualVersion":"v1.#","Version":"tip","ContentType":"DRPCLI","Source":"https://example.com","Shasum256":{"any/any":"ab"},"NOJQSource":"n","Tip":true,"HotFix":true}`,

		other:  map[string]string{"Shasum256": `{}`},
		server: []string{"Type"},
	},
	"contexts": {
		bare: `{"Name":"context-#"}`,
		full: `{"Name":"context-#","Image":"img:#","Engine":"docker","Description":"d","Documentation":"doc"}`,
	},
	"endpoints": {
		bare: `{"Id":"site:#"}`,
		full: `{"Id":"site:#","Description":"d#","Documentation":"doc","Params":{"a/b":[1]},"ConnectionStatus":"up","VersionSet":"v","VersionSets":["v#"],"Apply":true,"HaId":"h","Arch":"amd64","Os":"linux",` +
			`"DRPVersion":"v4.8.0","DRPUXVersion":"v4","Components":[{"Type":"ContentPackage","Version":"v1","Name":"c","ActualVersion":"v1.0.0"}],"Plugins":[` + pluginInfo + `],"Prefs":{"p":"q"},` +
			`"Global":{"g":{"h":1}},"Actions":[{"Type":"t","Version":"v","Name":"n","ActualVersion":"a","Action":"Set","Value":{"x":[1]}}]}`,
		other: map[string]string{"Params": `{"c1":1}`, "VersionSets": `["w","x"]`, "Components": `[{"Type":"","Version":"","Name":"","ActualVersion":""}]`, "Plugins": `[]`, "Prefs": `{"r":"s"}`, "Global": `{"i":null}`, "Actions": `[]`},
	},
	"jobs": {
		setup: []string{`POST /tasks {"Name":"job-task"}`, `POST /machines {"Uuid":"00000000-0000-4000-8000-00000000000#","Name":"job-machine-#","Tasks":["job-task"]}`},
		bare:  `{"Machine":"00000000-0000-4000-8000-00000000000#","Uuid":"00000000-0000-4000-9000-00000000000#"}`,
		full:  `{"Machine":"00000000-0000-4000-8000-00000000000#","Uuid":"00000000-0000-4000-9000-00000000000#"}`,
		other: map[string]string{"State": `"running"`, "ExitState": `"complete"`},
		server: []string{"Previous", "Machine", "Task", "Stage", "Workflow", "BootEnv", "Context", "StartTime", "EndTime", "Archived", "Current", "CurrentIndex", "NextIndex",
			"ExtraClaims", "Token"},
		end:     `[{"op":"replace","path":"/State","value":"failed"}]`,
		gone:    `PATCH /machines/00000000-0000-4000-8000-00000000000# [{"op":"replace","path":"/Runnable","value":true}]`, // a failed job has stopped it
		special: true,
	},
	"leases": {
		bare: `{"Addr":"10.9.8.#","Token":"52:54:00:00:01:0#","State":"FAKE"}`,
		full: `{"Addr":"10.9.8.#","Token":"52:54:00:00:01:0#","State":"FAKE","NextServer":"10.9.8.250","Via":"10.9.8.251","Strategy":"MAC","Duration":60#,"ExpireTime":"2030-01-02T03:04:0#Z",` +
			`"Options":[{"Code":3,"Value":"10.9.8.1"}],"ProvidedOptions":[{"Code":12,"Value":"h"}],"SkipBoot":true}`,
		other: map[string]string{"NextServer": `"10.9.8.252"`, "Via": `"10.9.8.253"`, "State": `"INVALID"`, "ExpireTime": `"2031-01-02T03:04:05Z"`, "Options": `[]`, "ProvidedOptions": `[]`},
	},
	"machines": {
		setup: []string{`POST /profiles {"Name":"machine-profile"}`, `POST /tasks {"Name":"machine-task"}`, `POST /stages {"Name":"machine-stage"}`, `POST /bootenvs {"Name":"machine-env"}`, `POST /workflows {"Name":"machine-wf"}`},
		bare:  `{"Uuid":"00000000-0000-4000-a000-00000000000#","Name":"m#.example.com"}`,
		full: `{"Uuid":"00000000-0000-4000-a000-00000000000#","Name":"m#.example.com","Description":"d#","Address":"10.0.0.#","Stage":"none","BootEnv":"local","Profiles":["machine-profile"],"Params":{"a/b":#},` +
			`"Tasks":["machine-task"],"Secret":"secret-#","OS":"debian","HardwareAddrs":["52:54:00:00:00:0#"],"Arch":"arm64","Locked":false,"Context":"c#",` +
			`"Fingerprint":{"SSNHash":"YQ==","CSNHash":"Yg==","CloudInstanceID":"i","SystemUUID":"s","MemoryIds":["Yw=="]},"Pool":"pool#"}`,
		other: map[string]string{"Address": `"fe80::1"`, "Stage": `"machine-stage"`, "BootEnv": `"machine-env"`, "Workflow": `"machine-wf"`, "Profiles": `[]`, "Params": `{"c1":null}`, "Tasks": `["machine-task","context:x"]`,
			"TaskErrorStacks": `[{"CurrentTask":1,"TaskList":[]}]`, "HardwareAddrs": `[]`, "Arch": `"386"`, "Fingerprint": `{"SSNHash":"","CSNHash":"","CloudInstanceID":"","SystemUUID":"","MemoryIds":[]}`},
		server: []string{"CurrentJob", "RetryTaskAttempt", "TaskErrorStacks", "PoolAllocated", "PoolStatus", "WorkflowComplete"},
		fixed:  []string{"CurrentTask"}, // it goes forward through jobs only
		forced: []string{"Stage"},       // since tasks are left to be done
		end:    `[{"op":"replace","path":"/Locked","value":false}]`,
	},
	"params": {
		bare:  `{"Name":"law/param-#"}`,
		full:  `{"Name":"law/param-#","Description":"d#","Documentation":"doc","Secure":false,"Schema":{"type":"integer","default":#}}`,
		other: map[string]string{"Schema": `{"type":"string"}`},
	},
	"plugins": {
		bare:   `{"Name":"plugin-#","Provider":"herd"}`,
		full:   `{"Name":"plugin-#","Description":"d#","Documentation":"doc","Params":{"a/b":1},"Provider":"herd"}`,
		other:  map[string]string{"Params": `{}`},
		server: []string{"PluginErrors"},
	},
	"pools": {
		setup: []string{`POST /workflows {"Name":"pool-wf"}`, `POST /profiles {"Name":"pool-profile"}`},
		bare:  `{"Id":"pool-#"}`,
		full: `{"Id":"pool-#","Description":"d#","Documentation":"doc","ParentPool":"up",` +
			`"EnterActions":{"Workflow":"pool-wf","AddProfiles":["pool-profile"],"AddParameters":{"a1":1},"RemoveProfiles":["gone"],"RemoveParameters":["b1"]},"ExitActions":{"Workflow":"pool-wf"},` +
			`"AllocateActions":{"AddParameters":{"a1":null}},"ReleaseActions":{},"AutoFill":{"UseAutoFill":true,"MinFree":1,"MaxFree":2,"CreateParameters":{"a":1},"AcquirePool":"x","ReturnPool":"y"}}`,
		other: map[string]string{"EnterActions": `{}`, "ExitActions": `{"RemoveProfiles":["x1"]}`, "AllocateActions": `{"Workflow":"pool-wf"}`, "ReleaseActions": `{"RemoveParameters":["x1"]}`, "AutoFill": `{}`},
	},
	"profiles": {
		setup: []string{`POST /profiles {"Name":"inner"}`},
		bare:  `{"Name":"profile-#"}`,
		full:  `{"Name":"profile-#","Description":"d#","Documentation":"doc","Params":{"a/b":{"c":[#]}},"Profiles":["inner"]}`,
		other: map[string]string{"Params": `{"d1":1.50}`, "Profiles": `[]`},
	},
	"reservations": {
		bare:   `{"Addr":"10.9.7.#","Token":"52:54:00:00:02:0#"}`,
		full:   `{"Addr":"10.9.7.#","Token":"52:54:00:00:02:0#","Description":"d#","Documentation":"doc","NextServer":"10.9.7.250","Options":[{"Code":3,"Value":"10.9.7.1"}],"Strategy":"MAC","Scoped":false,"Duration":60#}`,
		other:  map[string]string{"NextServer": `""`, "Options": `[]`, "Scoped": ``, "Strategy": `"other"`},
		server: []string{"Subnet"},
	},
	"roles": {
		bare:  `{"Name":"role-#"}`,
		full:  `{"Name":"role-#","Description":"d#","Documentation":"doc","Claims":[{"scope":"machines","action":"get","specific":"x#"}]}`,
		other: map[string]string{"Claims": `[]`},
	},
	"stages": {
		setup: []string{`POST /profiles {"Name":"stage-profile"}`, `POST /tasks {"Name":"stage-task"}`, `POST /bootenvs {"Name":"stage-env"}`},
		bare:  `{"Name":"stage-#"}`,
		full: `{"Name":"stage-#","Description":"d#","Documentation":"doc","Templates":[` + templateInfo + `],"RequiredParams":["rp"],"OptionalParams":["op"],"Params":{"a/b":#},"BootEnv":"stage-env","Tasks":["stage-task"],` +
			`"Profiles":["stage-profile"],"Reboot":true,"RunnerWait":true}`,
		other:  map[string]string{"Templates": `[]`, "RequiredParams": `[]`, "OptionalParams": `["x1"]`, "Params": `{}`, "BootEnv": `"local"`, "Tasks": `["chroot:/x"]`, "Profiles": `[]`},
		server: []string{"RunnerWait"},
	},
	"subnets": {
		bare: `{"Name":"net-#","Subnet":"10.1.#.0/24","ActiveStart":"10.1.#.10","ActiveEnd":"10.1.#.20"}`,
		full: `{"Name":"net-#","Description":"d#","Documentation":"doc","Enabled":true,"Proxy":false,"Unmanaged":true,"Subnet":"10.1.#.0/24","NextServer":"10.1.#.2","ActiveStart":"10.1.#.10","ActiveEnd":"10.1.#.20",` +
			`"ActiveLeaseTime":120,"ReservedLeaseTime":7300,"OnlyReservations":false,"Options":[{"Code":1,"Value":"255.255.255.0"},{"Code":28,"Value":"10.1.#.255"}],"Strategy":"MAC","Pickers":["hint"]}`,
		other: map[string]string{"Proxy": ``, "Unmanaged": `false`, "NextServer": `"10.1.9.3"`, "ActiveStart": `"10.1.9.11"`, "ActiveEnd": `"10.1.9.30"`, "Pickers": `["none"]`,
			"Options": `[{"Code":1,"Value":"255.255.255.0"},{"Code":3,"Value":"10.1.9.1"},{"Code":28,"Value":"10.1.9.255"}]`},
		fixed: []string{"Subnet", "Strategy"},
	},
	"tasks": {
		setup: []string{`POST /tasks {"Name":"prerequisite"}`},
		bare:  `{"Name":"task-#"}`,
		full: `{"Name":"task-#","Description":"d#","Documentation":"doc","Templates":[` + templateInfo + `],"RequiredParams":["rp"],"OptionalParams":["op"],"Prerequisites":["prerequisite"],"ExtraRoles":["superuser"],` +
			`"ExtraClaims":[{"scope":"machines","action":"get","specific":"x"}]}`,
		other: map[string]string{"Templates": `[]`, "RequiredParams": `[]`, "OptionalParams": `["x1"]`, "Prerequisites": `[]`, "ExtraRoles": `["r1","r2"]`, "ExtraClaims": `[{"scope":"*","action":"*","specific":"*"}]`},
	},
	"templates": {
		bare: `{"ID":"template-#"}`,
		full: `{"ID":"template-#","Description":"d#","Contents":"{{.Machine.Name}} #"}`,
	},
	"tenants": {
		setup: []string{`POST /users {"Name":"tenant-user-#"}`},
		bare:  `{"Name":"tenant-#"}`,
		full:  `{"Name":"tenant-#","Description":"d#","Documentation":"doc","Members":{"machines":["00000000-0000-4000-a000-000000000001"]},"Users":["tenant-user-#"]}`,
		other: map[string]string{"Members": `{}`, "Users": `[]`},
		end:   `[{"op":"replace","path":"/Users","value":[]}]`,
	},
	"users": {
		bare:  `{"Name":"user-#"}`,
		full:  `{"Name":"user-#","Description":"d#","Secret":"secret#","Roles":["superuser"]}`,
		other: map[string]string{"Roles": `[]`},
		anew:  []string{"Secret"},
	},
	"version_sets": {
		bare: `{"Id":"set-#"}`,
		full: `{"Id":"set-#","Documentation":"doc","Description":"d#","Apply":true,"DRPVersion":"v4","DRPUXVersion":"v4","Components":[{"Type":"t","Version":"v","Name":"n","ActualVersion":"a"}],"Plugins":[` + pluginInfo + `],` +
			`"Prefs":{"a":"b"},"Files":[{"Path":"p","Sha256Sum":"s","Source":"u","Explode":true}],"Global":{"g":[1]}}`,
		other: map[string]string{"Components": `[]`, "Plugins": `[]`, "Prefs": `{}`, "Files": `[]`, "Global": `{"x":null}`},
	},
	"workflows": {
		setup: []string{`POST /stages {"Name":"wf-stage"}`},
		bare:  `{"Name":"wf-#"}`,
		full:  `{"Name":"wf-#","Description":"d#","Documentation":"doc","Stages":["wf-stage"]}`,
		other: map[string]string{"Stages": `["none","wf-stage"]`},
	},
}

const pluginInfo = `{"Validated":true,"Available":true,"Errors":[],"ReadOnly":false,"Meta":{},"Endpoint":"","Bundle":"","Partial":false,"Name":"pp","Description":"","Documentation":"","Params":{"a":1},"Provider":"pp","PluginErrors":[]}`
