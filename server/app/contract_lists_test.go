package app

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"

	"drp/models"
)

// ask is a list request, with the query percent-encoded as drpcli does.
func (c client) ask(method, kind, query string) answer {
	c.t.Helper()
	v := url.Values{}
	for part := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(part, "=")
		v.Add(name, value)
	}
	return c.do(method, "/"+kind+"?"+v.Encode(), nil)
}

// listed are the names of what a list request finds, in its order.
func (c client) listed(kind, query string) string {
	c.t.Helper()
	got := c.ask("GET", kind, query)
	var list []struct{ Name, ID, Id, Addr, Task string }
	if err := json.Unmarshal(got.body, &list); err != nil {
		return string(got.body)
	}
	names := []string{}
	for _, o := range list {
		names = append(names, o.Name+o.ID+o.Id+o.Addr+o.Task)
	}
	return strings.Join(names, " ")
}

// TestFiltersKeepTheContract is §4.3: each operator on each type of index, and what is no index.
func TestFiltersKeepTheContract(t *testing.T) {
	_, admin, _ := start(t, config(t))
	for _, o := range [][2]string{
		{"params", `{"Name":"cluster/manager","Schema":{"type":"boolean","default":false}}`},
		{"params", `{"Name":"cluster/size","Schema":{"type":"integer","default":3}}`},
		{"profiles", `{"Name":"boss","Params":{"cluster/manager":true,"rank":"b"},"Meta":{"color":"red"}}`},
		{"profiles", `{"Name":"big","Params":{"cluster/size":7}}`},
		{"machines", `{"Uuid":"3e7031fe-3062-45f1-835c-92541bc9cbd3","Name":"m1","Address":"10.0.0.9","Profiles":["boss","big"],"Description":"one","Meta":{"color":"red"}}`},
		{"machines", `{"Uuid":"3e7031fe-3062-45f1-835c-92541bc9cbd4","Name":"m2","Address":"10.0.0.10","Profiles":["big"],"Runnable":false,"Pool":"other","Params":{"cluster/size":5}}`},
		{"machines", `{"Uuid":"3e7031fe-3062-45f1-835c-92541bc9cbd5","Name":"m3","Address":"","Locked":true,"Arch":"arm64","Params":{"rank":"c","tags":["x","y"]},"RetryTaskAttempt":2}`},
		{"bootenvs", `{"Name":"env","OS":{"Name":"debian"}}`},
		{"bootenvs", `{"Name":"two","OS":{"Name":"centos"},"OnlyUnknown":true}`},
		{"subnets", `{"Name":"lan","Subnet":"192.168.124.0/24","ActiveStart":"192.168.124.10","ActiveEnd":"192.168.124.20"}`},
		{"subnets", `{"Name":"net","Subnet":"10.1.0.0/16","OnlyReservations":true,"Enabled":true}`},
		{"reservations", `{"Addr":"192.168.124.5","Token":"ab","Strategy":"MAC"}`},
		{"leases", `{"Addr":"192.168.124.6","Token":"cd","Strategy":"MAC","State":"FAKE","ExpireTime":"2031-01-02T03:04:05Z"}`},
		{"tasks", `{"Name":"task1"}`},
		{"stages", `{"Name":"stage1","Tasks":["task1"],"Reboot":true}`},
		{"workflows", `{"Name":"wf","Stages":["stage1"]}`},
		{"contexts", `{"Name":"ctx","Engine":"docker"}`},
	} {
		admin.must("POST", "/"+o[0], o[1], nil)
	}
	admin.must("PATCH", "/machines/Name:m2", `[{"op":"replace","path":"/Runnable","value":false}]`, nil)
	for _, s := range []struct{ kind, query, want string }{
		// strings
		{"machines", "Name=m1", "m1"}, {"machines", "Name=Eq(m1)", "m1"}, {"machines", "Name=Ne(m1)", "m2 m3"},
		{"machines", "Name=Lt(m2)", "m1"}, {"machines", "Name=Lte(m2)", "m1 m2"}, {"machines", "Name=Gt(m2)", "m3"},
		{"machines", "Name=Gte(m2)", "m2 m3"}, {"machines", "Name=Between(m1,m2)", "m1 m2"}, {"machines", "Name=Except(m1,m2)", "m3"},
		{"machines", "Name=In(m1,m3,m9)", "m1 m3"}, {"machines", "Name=Nin(m1,m3,m9)", "m2"}, {"machines", "Name=Re(^m[12]$)", "m1 m2"},
		{"machines", "Description=", "m2 m3"}, {"machines", "Description=Eq()", "m2 m3"}, {"machines", "Workflow=", "m1 m2 m3"},
		{"machines", "Stage=none", "m1 m2 m3"}, {"machines", "BootEnv=local", "m1 m2 m3"}, {"machines", "Pool=other", "m2"},
		{"machines", "PoolStatus=Free&Arch=amd64", "m1 m2"}, {"machines", "Context=", "m1 m2 m3"}, {"machines", "Bundle=", "m1 m2 m3"}, {"machines", "Endpoint=", "m1 m2 m3"},
		// booleans
		{"machines", "Runnable=true", "m1 m3"}, {"machines", "Runnable=Eq(false)", "m2"}, {"machines", "Runnable=Ne(false)", "m1 m3"},
		{"machines", "Runnable=Lt(true)", "m2"}, {"machines", "Runnable=Gte(false)", "m1 m2 m3"}, {"machines", "Runnable=In(true,false)", "m1 m2 m3"},
		{"machines", "Runnable=Nin(true)", "m2"}, {"machines", "Runnable=Between(false,true)", "m1 m2 m3"}, {"machines", "Runnable=Except(false,false)", "m1 m3"},
		{"machines", "Locked=true", "m3"}, {"machines", "WorkflowComplete=true", "m1 m2 m3"}, {"machines", "PoolAllocated=true", ""},
		{"machines", "Available=true", "m1 m2 m3"}, {"machines", "Valid=true", "m1 m2 m3"}, {"machines", "Validated=true", "m1 m2 m3"}, {"machines", "ReadOnly=true", ""},
		// UUIDs
		{"machines", "Uuid=3e7031fe-3062-45f1-835c-92541bc9cbd4", "m2"}, {"machines", "Uuid=3E7031FE-3062-45F1-835C-92541BC9CBD4", "m2"},
		{"machines", "Key=3e7031fe-3062-45f1-835c-92541bc9cbd4", "m2"}, {"machines", "Uuid=Gt(3e7031fe-3062-45f1-835c-92541bc9cbd3)", "m2 m3"},
		{"machines", "Uuid=In(3e7031fe-3062-45f1-835c-92541bc9cbd3,3e7031fe-3062-45f1-835c-92541bc9cbd5)", "m1 m3"}, {"machines", "CurrentJob=", "m1 m2 m3"},
		// addresses, by number
		{"machines", "Address=10.0.0.9", "m1"}, {"machines", "Address=Lt(10.0.0.10)", "m1 m3"}, {"machines", "Address=Between(10.0.0.9,10.0.0.10)", "m1 m2"},
		{"machines", "Address=Ne(10.0.0.9)", "m2 m3"}, {"machines", "Address=", "m3"}, {"machines", "sort=Address", "m3 m1 m2"},
		// numbers
		{"machines", "RetryTaskAttempt=Gt(0)", ""}, {"machines", "CurrentTask=0", "m1 m2 m3"}, {"machines", "CurrentTask=Between(-1,0)", "m1 m2 m3"},
		{"machines", "CurrentTask=Nin(0)", ""}, {"machines", "CurrentTask=Except(5,6)", "m1 m2 m3"},
		// lists
		{"machines", "Profiles=big", "m1 m2"}, {"machines", "Profiles=Eq(boss)", "m1"}, {"machines", "Profiles=Ne(boss)", "m2 m3"},
		{"machines", "Profiles=In(boss,none)", "m1"}, {"machines", "Profiles=Nin(boss,big)", "m3"}, {"stages", "Tasks=task1", "stage1"}, {"workflows", "Stages=stage1", "wf"},
		// params: of the machine, of its profiles, and by default
		{"machines", "cluster/manager=Eq(true)", "m1"}, {"machines", "cluster/manager=false", "m2 m3"}, {"machines", "cluster/size=7", "m1"},
		{"machines", "cluster/size=Lt(7)", "m2 m3"}, {"machines", "cluster/size=Between(3,5)", "m2 m3"}, {"machines", "cluster/size=In(3,7)", "m1 m3"},
		{"machines", "rank=b", "m1"}, {"machines", "rank=Gte(b)", "m1 m3"}, {"machines", "rank=Ne(b)", "m2 m3"}, {"machines", "rank=Re(^[bc]$)", "m1 m3"},
		{"machines", "tags=y", "m3"}, {"machines", "no/such=x", ""}, {"profiles", "cluster/size=7", "big"},
		{"machines", "sort=cluster/size", "m3 m2 m1"}, {"machines", "sort=cluster/size&reverse=true", "m1 m2 m3"}, {"machines", "sort=rank", "m2 m1 m3"}, {"profiles", "sort=Meta.color&reverse=true&limit=1", "boss"},
		// Meta
		{"machines", "Meta.color=red", "m1"}, {"machines", "Meta.color=Ne(red)", "m2 m3"}, {"profiles", "Meta.color=Eq(red)", "boss"},
		// all filters hold; order and paging
		{"machines", "Runnable=true&Locked=false", "m1"}, {"machines", "limit=1", "m1"}, {"machines", "offset=1", "m2 m3"}, {"machines", "limit=1&offset=1", "m2"},
		{"machines", "limit=0", ""}, {"machines", "offset=9", ""}, {"machines", "reverse=true", "m3 m2 m1"}, {"machines", "sort=Name&reverse=true&limit=2", "m3 m2"},
		{"machines", "sort=Runnable", "m2 m1 m3"}, {"machines", "sort=Pool", "m1 m3 m2"}, {"machines", "sort=Key", "m1 m2 m3"},
		// other kinds
		{"bootenvs", "OnlyUnknown=true", "ignore two"}, {"bootenvs", "OsName=debian", "env"}, {"bootenvs", "sort=OsName&OnlyUnknown=false&Name=In(env,local)", "env local"},
		{"stages", "Reboot=true", "stage1"}, {"stages", "BootEnv=", "none stage1"}, {"subnets", "Subnet=192.168.124.0/24", "lan"}, {"subnets", "Enabled=true", "net"},
		{"subnets", "Address=192.168.124.77", "lan"}, {"subnets", "ActiveAddress=192.168.124.77", ""}, {"subnets", "Strategy=MAC", "lan net"}, {"subnets", "Proxy=false", "lan net"},
		{"reservations", "Addr=192.168.124.5", "192.168.124.5"}, {"reservations", "Key=C0A87C05", "192.168.124.5"}, {"reservations", "Token=ab", "192.168.124.5"},
		{"leases", "ExpireTime=2031-01-02T03:04:05Z", "192.168.124.6"}, {"leases", "ExpireTime=Gt(2030-01-02T03:04:05Z)", "192.168.124.6"}, {"leases", "ExpireTime=Lt(2030-01-02T03:04:05Z)", ""},
		{"leases", "State=FAKE", "192.168.124.6"}, {"params", "Secure=false&sort=Name&reverse=true", "cluster/size cluster/manager"}, {"contexts", "Engine=docker", "ctx"},
		{"templates", "ID=x", ""},
	} {
		if s.kind == "params" {
			s.query += "&Name=Re(^cluster/)"
		}
		if s.kind == "stages" {
			s.query += "&Name=Ne(local)"
		}
		if got := admin.listed(s.kind, s.query); got != s.want {
			t.Errorf("GET /%s?%s: got %.400q, want %q", s.kind, s.query, got, s.want)
		}
		if strings.Contains(s.query, "limit") || strings.Contains(s.query, "offset") {
			continue
		}
		n := len(strings.Fields(s.want))
		head := admin.ask("HEAD", s.kind, s.query)
		if got := head.header.Get("X-DRP-LIST-FILTER-COUNT"); head.status != 200 || len(head.body) > 0 || got != asJSON(n) {
			t.Errorf("HEAD /%s?%s: %d, count %q, want %d", s.kind, s.query, head.status, got, n)
		}
	}
	if got := admin.ask("HEAD", "machines", "limit=1").header.Get("X-DRP-LIST-FILTER-COUNT"); got != "3" {
		t.Errorf("a limited count: %s, want 3", got)
	}
	for _, s := range []struct{ kind, query, message string }{
		{"bootenvs", "limit=-1", "Limit cannot be negative"}, {"bootenvs", "offset=-1", "Offset cannot be negative"},
		{"bootenvs", "Available=fred", "Available must be true or false"}, {"bootenvs", "Valid=fred", "Valid must be true or false"},
		{"bootenvs", "ReadOnly=fred", "ReadOnly must be true or false"}, {"machines", "Runnable=fred", "Runnable must be true or false"},
		{"stages", "Reboot=fred", "Reboot must be true or false"}, {"subnets", "Enabled=fred", "Enabled must be true or false"},
		{"subnets", "Proxy=fred", "Proxy must be true or false"}, {"jobs", "Uuid=false", "Invalid UUID: false"}, {"machines", "Uuid=false", "Invalid UUID: false"},
		{"machines", "Address=fred", "Invalid address: fred"}, {"subnets", "NextServer=fred", "Invalid Address: fred"},
		{"subnets", "Address=fred", "Invalid Address: fred"}, {"reservations", "Addr=false", "Invalid Address: false"}, {"leases", "Addr=fred", "Addr must be an IP address"},
		{"subnets", "Subnet=false", "Invalid subnet CIDR: false"},
		{"jobs", "StartTime=fred", `parsing time "fred" as "2006-01-02T15:04:05Z07:00": cannot parse "fred" as "2006"`},
		{"leases", "ExpireTime=fred", `ExpireTime is not valid: parsing time "fred" as "2006-01-02T15:04:05Z07:00": cannot parse "fred" as "2006"`},
	} {
		got := admin.ask("GET", s.kind, s.query)
		if want := refusal(406, "GET", s.kind, "", s.message); got.status != 406 || without("", decoded(want), decoded(string(got.body))) != "" {
			t.Errorf("GET /%s?%s: %d %s, want %s", s.kind, s.query, got.status, got.body, want)
		}
		if got := admin.ask("HEAD", s.kind, s.query); got.status != 406 || len(got.body) > 0 {
			t.Errorf("HEAD /%s?%s: %d, want 406", s.kind, s.query, got.status)
		}
	}
	for _, query := range []string{"slim=Params,Meta", "slim=params,meta", "slim=Params", "params=rank", "params=no/such"} {
		var list []models.Machine
		if err := json.Unmarshal(admin.ask("GET", "machines", query).body, &list); err != nil {
			t.Fatal(err)
		}
		for _, m := range list {
			if !m.Partial || len(m.Params) > 1 || strings.Contains(strings.ToLower(query), "meta") != (len(m.Meta) == 0) {
				t.Errorf("?%s: Partial %v, Params %v, Meta %v", query, m.Partial, m.Params, m.Meta)
			}
		}
	}
}

func decoded(text string) (v any) {
	json.Unmarshal([]byte(text), &v)
	return v
}

// TestIndexesKeepTheContract is §8.7.
func TestIndexesKeepTheContract(t *testing.T) {
	_, admin, _ := start(t, config(t))
	var objects []string
	admin.must("GET", "/objects", nil, &objects)
	want := strings.Fields("bootenvs catalog_items contexts endpoints jobs leases machines params plugins pools preferences profiles reservations roles stages subnets tasks templates tenants users version_sets workflows")
	if !slices.Equal(objects, want) {
		t.Errorf("/objects: %q, want %q", objects, want)
	}
	var all map[string]map[string]models.Index
	admin.must("GET", "/indexes", nil, &all)
	for _, kind := range want {
		for name, typ := range map[string]models.IndexType{"Key": "string", "Valid": "boolean", "Available": "boolean", "ReadOnly": "boolean", "Bundle": "string"} {
			if kind == "catalog_items" && name == "Bundle" {
				continue
			}
			ix, ok := all[kind][name]
			if !ok || ix.Type != typ && name != "Key" || ix.Unique != (name == "Key") {
				t.Errorf("index %s of %s: %+v", name, kind, ix)
			}
		}
		for _, secret := range []string{"Secret", "PasswordHash", "Fingerprint"} {
			if _, ok := all[kind][secret]; ok {
				t.Errorf("%s can be filtered by %s", kind, secret)
			}
		}
		var own map[string]models.Index
		admin.must("GET", "/indexes/"+kind, nil, &own)
		if asJSON(own) != asJSON(all[kind]) {
			t.Errorf("/indexes/%s: %v, want %v", kind, own, all[kind])
		}
	}
	admin.holds(map[string]string{}, []statement{
		{says: "8.7 machines", call: "GET /indexes/machines", status: 200, want: `{"Uuid":{"Type":"UUID string","Unique":true},"Name":{"Type":"string","Unique":true},"Stage":{"Type":"string","Unique":false},"Address":{"Type":"IP Address"},"Runnable":{"Type":"boolean"}}`},
		{says: "8.7 jobs", call: "GET /indexes/jobs", status: 200, want: `{"Uuid":{"Type":"UUID string"},"Machine":{"Type":"UUID string"},"Previous":{"Type":"UUID string"},"StartTime":{"Type":"dateTime"},"EndTime":{"Type":"dateTime"},"Archived":{"Type":"boolean"},"Current":{"Type":"boolean"},"Task":{"Type":"string"}}`},
		{says: "8.7 leases", call: "GET /indexes/leases", status: 200, want: `{"Addr":{"Type":"IP Address"},"ExpireTime":{"Type":"Date/Time string"}}`},
		{says: "8.7 subnets", call: "GET /indexes/subnets", status: 200, want: `{"Subnet":{"Type":"CIDR Address"},"NextServer":{"Type":"IP Address"},"Address":{"Type":"IP Address"},"ActiveAddress":{"Type":"IP Address"},"Enabled":{"Type":"boolean"}}`},
		{says: "8.7 bootenvs", call: "GET /indexes/bootenvs", status: 200, want: `{"Name":{"Unique":true},"OsName":{"Type":"string"},"OnlyUnknown":{"Type":"boolean"}}`},
		{says: "8.7 templates", call: "GET /indexes/templates/ID", status: 200, want: `{"Type":"string","Unique":true,"Unordered":false,"Regex":true}`},
		{says: "8.7 an index that is none", call: "GET /indexes/machines/nonsense", status: 200, want: `{"Type":"","Unique":false,"Unordered":false,"Regex":false}`},
		{says: "8.7 a kind that is none", call: "GET /indexes/unknown", status: 200, want: `{"Key":{"Type":"string","Unique":true},"Valid":{"Type":"boolean"},"Available":{"Type":"boolean"},"ReadOnly":{"Type":"boolean"},"Bundle":{"Type":"string"}}`},
	})
}
