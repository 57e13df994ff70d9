package cli

import (
	"slices"
	"strings"
	"testing"

	"drp/models"
)

const lan = `{"Name":"lan","Subnet":"192.168.124.0/24","NextServer":"","ActiveStart":"192.168.124.10","ActiveEnd":"192.168.124.20",` +
	`"ActiveLeaseTime":60,"ReservedLeaseTime":7200,"Strategy":"MAC","Pickers":["none"],"Options":[{"Code":3,"Value":"a"},{"Code":6,"Value":"b"}]}`

// TestSubnetVerbsSendWhatDrpcliSends: the old value of each field that changes, and the new one.
func TestSubnetVerbsSendWhatDrpcliSends(t *testing.T) {
	answers := map[string]string{"GET subnets/lan": lan, "PATCH subnets/lan": lan}
	for _, c := range []struct{ args, want string }{
		{"range lan 192.168.124.30 192.168.124.40", changed("ActiveEnd", `"192.168.124.20"`, `"192.168.124.40"`) + changed("ActiveStart", `"192.168.124.10"`, `"192.168.124.30"`)},
		{"subnet lan 192.168.100.0/10", changed("Subnet", `"192.168.124.0/24"`, `"192.168.100.0/10"`)},
		{"strategy lan other", changed("Strategy", `"MAC"`, `"other"`)},
		{"nextserver lan 1.24.36.16", changed("NextServer", `""`, `"1.24.36.16"`)},
		{"leasetimes lan 65 7300", changed("ActiveLeaseTime", "60", "65") + changed("ReservedLeaseTime", "7200", "7300")},
		{"pickers lan hint,nextFree", changed("Pickers", `["none"]`, `["hint","nextFree"]`)},
		{"pickers lan none", `[]`},
		{"set lan option 3 to x", changed("Options", `[{"Code":3,"Value":"a"},{"Code":6,"Value":"b"}]`, `[{"Code":3,"Value":"x"},{"Code":6,"Value":"b"}]`)},
		{"set lan option 7 to x", changed("Options", `[{"Code":3,"Value":"a"},{"Code":6,"Value":"b"}]`, `[{"Code":3,"Value":"a"},{"Code":6,"Value":"b"},{"Code":7,"Value":"x"}]`)},
		{"set lan option 3 to null", changed("Options", `[{"Code":3,"Value":"a"},{"Code":6,"Value":"b"}]`, `[{"Code":6,"Value":"b"}]`)},
		{"set lan option 7 to null", `[]`},
	} {
		s := newServer(t, answers)
		r := s.call(t, append([]string{"subnets"}, strings.Fields(c.args)...)...)
		want(t, c.args+": status", r.status, 0)
		want(t, c.args, compacted(t, s.requests()), "GET subnets/lan\nPATCH subnets/lan "+strings.ReplaceAll(c.want, "][", ","))
		if !strings.Contains(r.out, `"Subnet": "192.168.124.0/24"`) {
			t.Errorf("%s: the answer is not shown: %s", c.args, r.out)
		}
	}
	s := newServer(t, answers)
	want(t, "get", s.call(t, "subnets", "get", "lan", "option", "6"), result{"Option 6: b\n", "", 0})
	r := s.call(t, "subnets", "subnet", "lan", "192.168.124.0/24")
	want(t, "what is deprecated", r.err, "Command \"subnet\" is deprecated, Changing the subnet CIDR address is not supported.\n")
}

func TestMistakesAboutSubnetsAreToldAsDrpcliTellsThem(t *testing.T) {
	for _, c := range []struct{ args, want string }{
		{"range lan", "drpcli subnets range [subnetName] [startIP] [endIP] [flags] requires 3 arguments"},
		{"range lan cq.98.42.1234 1.24.36.16", "cq.98.42.1234 is not a valid IPv4"},
		{"range lan 192.168.100.10 192.168.100.500", "192.168.100.10 is not a valid IPv4"},
		{"nextserver lan", "drpcli subnets nextserver [subnetName] [IP] [flags] requires 2 arguments"},
		{"nextserver lan fd00::1", "fd00::1 is not a valid IPv4"},
		{"strategy lan", "drpcli subnets strategy [subnetName] [MAC] [flags] requires 2 arguments"},
		{"pickers lan a b", "drpcli subnets pickers [subnetName] [list] [flags] requires 2 arguments"},
		{"leasetimes lan 1", "drpcli subnets leasetimes [subnetName] [active] [reserved] [flags] requires 3 arguments"},
		{"leasetimes lan 4x5 55", "4x5 could not be read as a number"},
		{"leasetimes lan 55 2147483648", "2147483648 could not be read as a number"},
		{"set lan option 6", "drpcli subnets set [subnetName] option [number] to [value] [flags] requires 5 arguments"},
		{"set lan option 6tl to 66", "6tl could not be read as a number"},
		{"set lan option 256 to 66", "256 is not the number of a DHCP option: they go from 0 to 255"},
		{"set lan option -- -1 to 66", "-1 is not the number of a DHCP option: they go from 0 to 255"},
		{"set lan opt 6 to 66", `drpcli subnets set [subnetName] option [number] to [value] [flags] expects "option" where "opt" stands`},
		{"get lan option 45 77", "drpcli subnets get [subnetName] option [number] [flags] requires 3 arguments"},
		{"get lan option 7", "option 7 does not exist"},
		{"get nowhere option 7", "GET: x/y: Not Found"},
	} {
		s := newServer(t, map[string]string{"GET subnets/lan": lan})
		r := s.call(t, append([]string{"subnets"}, strings.Fields(c.args)...)...)
		want(t, c.args, strings.SplitN(r.err, "\n", 2)[0], "Error: "+c.want)
		want(t, c.args+": status", r.status, 1)
		if asked := s.requests(); len(asked) > 0 && !strings.HasPrefix(c.args, "get ") {
			t.Errorf("%s: the server was asked: %v", c.args, asked)
		}
	}
	r := call{}.drp(t, "subnets", "subnet", "lan", "1111.11.2223.544/66666")
	want(t, "no CIDR", strings.Contains(r.err, "Error: 1111.11.2223.544/66666 is not a valid subnet CIDR\n"), true)
	r = call{name: "drp"}.drp(t, "subnets", "range", "lan", "192.168.100.10", "192.168.100.500")
	want(t, "under its own name it tells the wrong one", r.err, "Error: 192.168.100.500 is not a valid IPv4\n")
	for _, single := range []string{"reservation", "subnet"} {
		r = call{}.drp(t, single+"s", "create", "asdgasdg")
		want(t, "by name", r.err, "Error: Unable to create a new "+single+" by name\n")
	}
}

// TestReservationsArePatchedUnderTheirKey: what is shown is the address, what the server calls it by
// is the key.
func TestReservationsArePatchedUnderTheirKey(t *testing.T) {
	s := newServer(t, map[string]string{"GET reservations/192.168.100.100": `{"Addr":"192.168.100.100","Token":"a"}`, "PATCH reservations/C0A86464": `{}`})
	r := s.call(t, "reservations", "update", "192.168.100.100", `{"Token":"b"}`)
	want(t, "status", r.status, 0)
	want(t, "requests", compacted(t, s.requests()), "GET reservations/192.168.100.100\nPATCH reservations/C0A86464 "+changed("Token", `"a"`, `"b"`))
}

// TestWhatIsNotForCallersToWriteHasNoVerbs: leases are for the DHCP server to write, interfaces are
// the host's.
func TestWhatIsNotForCallersToWriteHasNoVerbs(t *testing.T) {
	for kind, verbs := range map[string]string{
		"leases":     "action actions count destroy etag exists indexes list meta runaction show wait",
		"interfaces": "count etag exists indexes list show wait",
	} {
		c, _, err := tree("drp").Find([]string{kind})
		if err != nil {
			t.Fatal(err)
		}
		var have []string
		for _, sub := range c.Commands() {
			have = append(have, sub.Name())
		}
		for _, v := range strings.Fields(verbs) {
			if !slices.Contains(have, v) {
				t.Errorf("%s has no %s", kind, v)
			}
		}
		for _, v := range []string{"create", "update", "patch"} {
			if slices.Contains(have, v) {
				t.Errorf("%s has %s", kind, v)
			}
		}
	}
}

func TestWaitingForAnInterfaceLooksAtIt(t *testing.T) {
	s := newServer(t, map[string]string{"GET interfaces/eth0": `{"Name":"eth0","ActiveAddress":"192.0.2.2/24"}`})
	want(t, "as it is", s.call(t, "interfaces", "wait", "eth0", "ActiveAddress", "192.0.2.2/24", "5"), result{"complete\n", "", 0})
	r := s.call(t, "interfaces", "wait", "eth0", "ActiveAddress", "10.0.0.1/8", "0")
	want(t, "never", r, result{"timeout\n", "Error: after 0s the field ActiveAddress of interfaces/eth0 is still not as awaited\n", 1})
	r = s.call(t, "interfaces", "wait", "eth0", "NoSuchField", "1", "5")
	want(t, "no field", r, result{"", "Error: interfaces have no field NoSuchField\n", 1})
}

// TestSamplesAreBodiesThatAServerTakes: what help shows for a kind can be created.
func TestSamplesAreBodiesThatAServerTakes(t *testing.T) {
	for name, body := range bodies {
		o, err := models.Unmarshal(name, []byte(body))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if g, ok := o.(models.Generator); ok {
			g.Generate()
		}
		if bad := o.Validate(); len(bad) > 0 {
			t.Errorf("%s: %s: %v", name, body, bad)
		}
	}
}
