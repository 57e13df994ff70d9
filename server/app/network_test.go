package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"drp/models"
	"drp/server/auth"
)

// TestAddressesInURLsAreTakenInEveryForm: each route about one reservation or lease knows it by its
// key, in any letter case, and by its address.
func TestAddressesInURLsAreTakenInEveryForm(t *testing.T) {
	a, admin, _ := start(t, config(t))
	populate(t, admin)
	for kind, forms := range map[string][]string{
		"reservations": {"C0A87C05", "c0a87c05", "192.168.124.5", "Key:C0A87C05", "Key:192.168.124.5", "Addr:192.168.124.5", "Addr:C0A87C05"},
		"leases":       {"C0A87C06", "192.168.124.6", "Addr:192.168.124.6"},
	} {
		tried := 0
		for _, r := range routes(t, a, map[string]string{kind: "ID"}) {
			if !strings.Contains(r[1], "/"+kind+"/ID") || r[0] == "DELETE" || r[0] == "PUT" {
				continue
			}
			want := admin.do(r[0], strings.Replace(r[1], "ID", forms[0], 1), sensible(r))
			for _, form := range forms[1:] {
				got := admin.do(r[0], strings.Replace(r[1], "ID", form, 1), sensible(r))
				if got.status != want.status || !strings.Contains(r[1], "history") && string(got.body) != string(want.body) {
					t.Errorf("%s %s as %s: %d %s, want %d %s", r[0], r[1], form, got.status, got.body, want.status, want.body)
				}
			}
			tried++
		}
		if tried < 8 {
			t.Errorf("%s: %d routes tried", kind, tried)
		}
		for _, r := range [][3]string{{"GET", "192.168.100.103", "C0A86467"}, {"PATCH", "192.168.100.103", "C0A86467"}, {"DELETE", "c0a86467", "C0A86467"}, {"GET", "john", "john"}} {
			want := fmt.Sprintf(`{"Model":%q,"Key":%q,"Type":%q,"Messages":["Not Found"],"Code":404}`, kind, r[2], r[0])
			if got := admin.do(r[0], "/"+kind+"/"+r[1], "[]"); string(got.body) != want {
				t.Errorf("%s %s: got %s, want %s", r[0], r[1], got.body, want)
			}
		}
		for i, form := range forms[:2] {
			got := admin.do("DELETE", "/"+kind+"/"+form, nil)
			if want := []int{200, 404}[i]; got.status != want {
				t.Errorf("DELETE %s: got %d %s, want %d", form, got.status, got.body, want)
			}
		}
	}
}

// TestEventsOfReservationsBearTheirKey: in hexadecimal digits, as clients subscribe to it.
func TestEventsOfReservationsBearTheirKey(t *testing.T) {
	a, admin, _ := start(t, config(t))
	populate(t, admin)
	rev := a.objects.View().Rev
	admin.must("PATCH", "/reservations/192.168.124.5", `[{"op":"replace","path":"/Description","value":"x"}]`, nil)
	commits, err := a.objects.Commits(t.Context(), rev, rev+1)
	if err != nil || len(commits) != 1 {
		t.Fatalf("%d commits: %v", len(commits), err)
	}
	if e := messages(a.objects.View(), commits[0]); len(e) != 1 || e[0].Event.Key != "C0A87C05" || e[0].Event.Type != "reservations" || e[0].Event.Action != "update" {
		t.Errorf("got %+v", e)
	}
}

// TestInterfacesAreThoseOfTheHost: listed, counted, filtered, ordered and shown by the rules of all
// lists, and never to those who may not see them.
func TestInterfacesAreThoseOfTheHost(t *testing.T) {
	a, admin, _ := start(t, config(t))
	host := []*models.Interface{
		{Name: "eth0", Index: 7, Addresses: []string{"192.0.2.2/24", "fd00::2/64"}, ActiveAddress: "192.0.2.2/24", Gateway: "192.0.2.1", DnsServers: []string{"192.0.2.3"}, DnsDomain: "a.example"},
		{Name: "eth1", Index: 3},
		{Name: "wlan0", Index: 5, Addresses: []string{"10.0.0.2/8"}, ActiveAddress: "10.0.0.2/8"},
	}
	for _, i := range host {
		i.Normalize()
	}
	a.api.Interfaces = func() ([]*models.Interface, error) { return host, nil }
	names := func(c client, query string) string {
		t.Helper()
		var list []models.Interface
		c.must("GET", "/interfaces"+query, nil, &list)
		var names []string
		for _, i := range list {
			names = append(names, i.Name)
		}
		if h := c.do("HEAD", "/interfaces"+query, nil); !strings.Contains(query, "limit") && h.header.Get("X-DRP-LIST-FILTER-COUNT") != fmt.Sprint(len(list)) {
			t.Errorf("%s: %d are listed, and %s are counted", query, len(list), h.header.Get("X-DRP-LIST-FILTER-COUNT"))
		}
		return strings.Join(names, " ")
	}
	for query, want := range map[string]string{
		"": "eth0 eth1 wlan0", "?Name=eth1": "eth1", "?Key=eth1": "eth1", "?Name=Re(^eth)": "eth0 eth1", "?sort=Index": "eth1 wlan0 eth0", "?reverse=true&limit=1": "wlan0",
		"?offset=1&limit=1": "eth1", "?limit=0": "", "?Addresses=192.0.2.2/24": "eth0", "?ActiveAddress=192.0.2.0/24": "eth0", "?Gateway=192.0.2.1": "eth0",
		"?Index=Between(3,5)": "eth1 wlan0", "?ReadOnly=true": "eth0 eth1 wlan0", "?Meta.color=blue": "",
	} {
		if got := names(admin, query); got != want {
			t.Errorf("%s: got %q, want %q", query, got, want)
		}
	}
	for query, want := range map[string]string{"?limit=-1": "Limit cannot be negative", "?Gateway=fred": "Invalid Address: fred", "?Available=true": "No such index: Available"} {
		if got := admin.do("GET", "/interfaces"+query, nil); got.status != http.StatusNotAcceptable || !strings.Contains(string(got.body), want) {
			t.Errorf("%s: %d %s, want 406 %s", query, got.status, got.body, want)
		}
	}
	want := `{"ReadOnly":true,"Meta":{},"Name":"eth0","Index":7,"Addresses":["192.0.2.2/24","fd00::2/64"],"ActiveAddress":"192.0.2.2/24","Gateway":"192.0.2.1","DnsServers":["192.0.2.3"],"DnsDomain":"a.example"}`
	for _, id := range []string{"eth0", "Name:eth0", "Key:eth0"} {
		got := admin.do("GET", "/interfaces/"+id, nil)
		tag := got.header.Get("ETag")
		if string(got.body) != want || tag == "" {
			t.Errorf("%s: ETag %s, %s\nwant %s", id, tag, got.body, want)
		}
		if again := admin.do("HEAD", "/interfaces/"+id, nil, "If-None-Match", tag, "Prefer", "wait=10m"); again.status != http.StatusNotModified {
			t.Errorf("%s, not modified: %d", id, again.status)
		}
	}
	before := admin.do("HEAD", "/interfaces/eth1", nil).header.Get("ETag")
	host[1].Gateway = "10.0.0.1"
	if after := admin.do("HEAD", "/interfaces/eth1", nil).header.Get("ETag"); after == before {
		t.Error("an interface that has changed has the same ETag")
	}
	for _, id := range []string{"missing", "Index:7"} {
		want := fmt.Sprintf(`{"Model":"interfaces","Key":%q,"Type":"GET","Messages":["No interface"],"Code":404}`, id)
		if got := admin.do("GET", "/interfaces/"+id, nil); string(got.body) != want {
			t.Errorf("%s: %s, want %s", id, got.body, want)
		}
	}
	if got := admin.do("GET", "/interfaces/eth0?at=1", nil); got.status != http.StatusBadRequest {
		t.Errorf("the past of an interface: %d %s", got.status, got.body)
	}
	for _, r := range []string{"POST /interfaces", "PUT /interfaces/eth0", "PATCH /interfaces/eth0", "DELETE /interfaces/eth0"} {
		method, path, _ := strings.Cut(r, " ")
		if got := admin.do(method, path, "{}"); got.status != http.StatusNotFound || !strings.Contains(string(got.body), "No route") {
			t.Errorf("%s: %d %s", r, got.status, got.body)
		}
	}
	for _, c := range []struct {
		ask  auth.Request
		list string
		show int
	}{
		{auth.Request{Scope: "interfaces", Action: "get", Specific: "eth0"}, "eth0", 200},
		{auth.Request{Scope: "interfaces", Action: "get", Specific: "eth1"}, "eth1", 404},
		{auth.Request{Scope: "interfaces", Action: "list"}, "eth0 eth1 wlan0", 404},
		{auth.Request{Scope: "machines", Action: "*"}, "", 404},
	} {
		token, err := a.auth.UserToken(auth.System(), auth.BootstrapUser, c.ask)
		if err != nil {
			t.Fatal(err)
		}
		narrow := client{t, admin.url, token}
		if got := names(narrow, ""); got != c.list {
			t.Errorf("%+v lists %q, want %q", c.ask, got, c.list)
		}
		if got := narrow.do("GET", "/interfaces/eth0", nil); got.status != c.show {
			t.Errorf("%+v: eth0 is answered with %d, want %d", c.ask, got.status, c.show)
		}
	}
	a.api.Interfaces = func() ([]*models.Interface, error) { return nil, errors.New("no such thing here") }
	if got := admin.do("GET", "/interfaces", nil); got.status != http.StatusInternalServerError {
		t.Errorf("a host that tells nothing: %d %s", got.status, got.body)
	}
}

// TestTenantsListAddressesAndInterfaces: a tenant may name an address as people write it, and what it
// does not list of the host's interfaces is not there for its users.
func TestTenantsListAddressesAndInterfaces(t *testing.T) {
	a, admin, _ := start(t, config(t))
	populate(t, admin)
	admin.must("POST", "/reservations", `{"Addr":"192.168.124.6","Token":"other"}`, nil)
	host := []*models.Interface{{Name: "eth0"}, {Name: "eth1"}}
	for _, i := range host {
		i.Normalize()
	}
	a.api.Interfaces = func() ([]*models.Interface, error) { return host, nil }
	tina := tenantOf(t, a, admin, "limited", "tina")[0]
	admin.must("PATCH", "/tenants/limited", `[{"op":"add","path":"/Members/interfaces","value":["eth1"]},{"op":"add","path":"/Members/reservations","value":["192.168.124.5"]}]`, nil)
	for path, want := range map[string]int{
		"/interfaces/eth0": 404, "/interfaces/eth1": 200,
		"/reservations/192.168.124.5": 200, "/reservations/C0A87C05": 200, "/reservations/192.168.124.6": 404,
	} {
		if got := tina.do("GET", path, nil); got.status != want {
			t.Errorf("%s: got %d %s, want %d", path, got.status, got.body, want)
		}
	}
	for _, kind := range []string{"interfaces", "reservations"} {
		h := tina.do("HEAD", "/"+kind, nil).header
		for _, name := range []string{"X-DRP-LIST-COUNT", "X-DRP-LIST-FILTER-COUNT", "X-DRP-LIST-TOTAL-COUNT"} {
			if h.Get(name) != "1" {
				t.Errorf("%s: %s is %q, want 1", kind, name, h.Get(name))
			}
		}
	}
}

// TestIndexesOfNetworkKindsAreShown with the type strings of the contract; objects names no
// interfaces, since none is stored.
func TestIndexesOfNetworkKindsAreShown(t *testing.T) {
	_, admin, _ := start(t, config(t))
	for path, want := range map[string]string{
		"/indexes/leases/ExpireTime":       `{"Type":"Date/Time string","Unique":false,"Unordered":false,"Regex":false}`,
		"/indexes/subnets/Subnet":          `{"Type":"CIDR Address","Unique":false,"Unordered":false,"Regex":false}`,
		"/indexes/subnets/ActiveAddress":   `{"Type":"IP Address","Unique":false,"Unordered":false,"Regex":false}`,
		"/indexes/reservations/Addr":       `{"Type":"IP Address","Unique":true,"Unordered":false,"Regex":false}`,
		"/indexes/reservations/Key":        `{"Type":"string","Unique":true,"Unordered":false,"Regex":true}`,
		"/indexes/interfaces/Name":         `{"Type":"string","Unique":true,"Unordered":false,"Regex":true}`,
		"/indexes/interfaces/NoSuchMember": `{"Type":"","Unique":false,"Unordered":false,"Regex":false}`,
	} {
		if got := admin.do("GET", path, nil); string(got.body) != want {
			t.Errorf("%s: got %s, want %s", path, got.body, want)
		}
	}
	var kinds []string
	if err := json.Unmarshal(admin.do("GET", "/objects", nil).body, &kinds); err != nil {
		t.Fatal(err)
	}
	for _, k := range []string{"leases", "reservations", "subnets"} {
		if !slices.Contains(kinds, k) || slices.Contains(kinds, "interfaces") {
			t.Errorf("/objects: %v", kinds)
		}
	}
}

// TestNetworkObjectsComeBackAsTheyWereSent: each field of each kind, sent whole, patched one by one,
// and put back whole; what the server sets, and what never changes, stays.
func TestNetworkObjectsComeBackAsTheyWereSent(t *testing.T) {
	_, admin, _ := start(t, config(t))
	option := `[{"Code":1,"Value":"255.255.255.0"},{"Code":28,"Value":"10.1.1.255"},{"Code":67,"Value":"{{.Machine.Name}}"}]`
	for _, c := range []struct {
		kind, key string
		first     map[string]string // by field
		then      map[string]string
		fixed     map[string]string // what a patch of them changes nothing of
	}{
		{"subnets", "lan", map[string]string{
			"Name": `"lan"`, "Description": `"d"`, "Documentation": `"x"`, "Enabled": `true`, "Proxy": `true`, "Unmanaged": `false`, "Subnet": `"10.1.1.0/24"`,
			"NextServer": `"10.1.1.1"`, "ActiveStart": `"10.1.1.2"`, "ActiveEnd": `"10.1.1.3"`, "ActiveLeaseTime": `61`, "ReservedLeaseTime": `7201`,
			"OnlyReservations": `true`, "Options": option, "Strategy": `"MAC"`, "Pickers": `["none"]`,
		}, map[string]string{
			"Description": `"e"`, "Documentation": `"y"`, "Enabled": `false`, "Proxy": `false`, "NextServer": `""`, "ActiveStart": `"10.1.1.3"`, "ActiveEnd": `"10.1.1.9"`,
			"ActiveLeaseTime": `2147483647`, "ReservedLeaseTime": `7200`, "OnlyReservations": `false`, "Unmanaged": `true`, "Pickers": `["mostExpired","hint"]`,
			"Options": `[{"Code":1,"Value":"x"},{"Code":28,"Value":"y"}]`, "Subnet": `"10.1.1.7/24"`,
		}, nil},
		{"reservations", "0A010105", map[string]string{
			"Addr": `"10.1.1.5"`, "Description": `"d"`, "Documentation": `"x"`, "Token": `"t"`, "NextServer": `"10.1.1.1"`, "Options": option, "Strategy": `"MAC"`,
			"Scoped": `true`, "Duration": `7`,
		}, map[string]string{
			"Description": `"e"`, "Documentation": `"y"`, "Token": `"u"`, "NextServer": `"0.0.0.0"`, "Options": `[]`, "Strategy": `"other"`, "Scoped": `false`, "Duration": `0`,
		}, map[string]string{"Subnet": `"another"`}},
		{"leases", "0A010106", map[string]string{
			"Addr": `"10.1.1.6"`, "NextServer": `"10.1.1.1"`, "Via": `"10.1.1.2"`, "Token": `"t"`, "Strategy": `"MAC"`, "State": `"ACK"`, "Duration": `7`,
			"ExpireTime": `"2026-01-01T00:00:00.123456789Z"`, "Options": option, "ProvidedOptions": option, "SkipBoot": `true`,
		}, map[string]string{
			"NextServer": `""`, "Via": `"10.1.1.3"`, "Token": `"u"`, "Strategy": `"other"`, "State": `"INVALID"`, "Duration": `0`, "ExpireTime": `"2036-01-01T00:00:00+01:00"`,
			"Options": `[]`, "ProvidedOptions": `[]`, "SkipBoot": `false`,
		}, nil},
	} {
		t.Run(c.kind, func(t *testing.T) {
			is := func(when string, want map[string]string) map[string]json.RawMessage {
				t.Helper()
				var doc map[string]json.RawMessage
				admin.must("GET", "/"+c.kind+"/"+c.key, nil, &doc)
				for field, value := range want {
					if string(doc[field]) != value {
						t.Errorf("%s: %s is %s, want %s", when, field, doc[field], value)
					}
				}
				return doc
			}
			body := map[string]json.RawMessage{}
			for field, value := range c.first {
				body[field] = json.RawMessage(value)
			}
			admin.must("POST", "/"+c.kind, body, nil)
			whole := is("created", c.first)
			now := map[string]string{}
			for field, value := range c.first {
				now[field] = value
			}
			fixed := map[string]string{"Validated": `false`, "Available": `false`, "Errors": `["x"]`, "ReadOnly": `true`, "Endpoint": `"x"`, "Bundle": `"x"`}
			for field, value := range c.fixed {
				fixed[field] = value
			}
			for field, value := range fixed {
				now[field] = string(whole[field])
				admin.must("PATCH", "/"+c.kind+"/"+c.key, fmt.Sprintf(`[{"op":"replace","path":"/%s","value":%s}]`, field, value), nil)
				is("after a patch of "+field, now)
			}
			for _, field := range slices.Sorted(maps.Keys(c.then)) {
				admin.must("PATCH", "/"+c.kind+"/"+c.key, fmt.Sprintf(`[{"op":"replace","path":"/%s","value":%s}]`, field, c.then[field]), nil)
				now[field] = c.then[field]
				is("after a patch of "+field, now)
			}
			admin.must("PUT", "/"+c.kind+"/"+c.key, whole, nil)
			for field, value := range is("put back", nil) {
				if string(value) != string(whole[field]) {
					t.Errorf("put back: %s is %s, want %s", field, value, whole[field])
				}
			}
			if len(whole) != len(c.first)+len(fixed)+1 { // and Meta
				t.Errorf("not every field is tried: there are %d", len(whole))
			}
		})
	}
}
