package models

import (
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// sound is a body of each kind to which the tests below lay others.
var sound = map[string]string{
	"subnets":      `{"Name":"lan","Subnet":"192.168.124.0/24","ActiveStart":"192.168.124.10","ActiveEnd":"192.168.124.20"`,
	"reservations": `{"Addr":"192.168.124.5","Token":"t"`,
	"leases":       `{"Addr":"192.168.124.5","Token":"t","State":"ACK","ExpireTime":"2026-01-01T00:00:00Z"`,
}

func TestNetworkObjectsSayWhatIsWrong(t *testing.T) {
	for _, c := range []struct{ kind, change, want string }{
		{"subnets", ``, ""},
		{"subnets", `,"Name":"x"`, "Invalid Name `x`"},
		{"subnets", `,"Subnet":""`, "Invalid subnet : invalid CIDR address: "},
		{"subnets", `,"Subnet":"1.2.3.4"`, "Invalid subnet 1.2.3.4: invalid CIDR address: 1.2.3.4"},
		{"subnets", `,"Subnet":"127.0.0.0/8","OnlyReservations":true`, "127.0.0.0 is not a valid IP address for dr-provision"},
		{"subnets", `,"Subnet":"fd00::/64","OnlyReservations":true`, "fd00:: is not a valid IP address for dr-provision"},
		{"subnets", `,"Subnet":"192.168.124.0/024"`, "Invalid subnet 192.168.124.0/024: write it like 192.168.124.0/24"},
		{"subnets", `,"Subnet":"::ffff:192.168.124.0/120"`, "Invalid subnet ::ffff:192.168.124.0/120: write it like 192.168.124.0/24"},
		{"subnets", `,"NextServer":"0.0.0.0"`, ""},
		{"subnets", `,"NextServer":"C0A87C01"`, "invalid IP address: C0A87C01"},
		{"subnets", `,"NextServer":"fred"`, "invalid IP address: fred"},
		{"subnets", `,"NextServer":"224.0.0.1"`, "224.0.0.1 is not a valid IP address for dr-provision"},
		{"subnets", `,"Proxy":true,"Unmanaged":true`, "Unmanaged and Proxy cannot both be true"},
		{"subnets", `,"ActiveStart":""`, "IP Address is nil\nActiveStart <nil> not in subnet range 192.168.124.0/24"},
		{"subnets", `,"ActiveStart":"","ActiveEnd":"","OnlyReservations":true`, ""},
		{"subnets", `,"ActiveStart":"","ActiveEnd":"","Proxy":true`, ""},
		{"subnets", `,"ActiveStart":"192.168.123.255"`, "ActiveStart 192.168.123.255 not in subnet range 192.168.124.0/24"},
		{"subnets", `,"ActiveEnd":"192.168.125.0"`, "ActiveEnd 192.168.125.0 not in subnet range 192.168.124.0/24"},
		{"subnets", `,"ActiveEnd":"192.168.124.9"`, "ActiveStart 192.168.124.10 must be less than or equal to ActiveEnd 192.168.124.9"},
		{"subnets", `,"ActiveEnd":"192.168.124.10"`, ""},
		{"subnets", `,"ActiveLeaseTime":59`, "ActiveLeaseTime must be greater than or equal to 60 seconds, not 59"},
		{"subnets", `,"ActiveLeaseTime":60`, ""},
		{"subnets", `,"ReservedLeaseTime":7199`, "ReservedLeaseTime must be greater than or equal to 7200 seconds, not 7199"},
		{"subnets", `,"ReservedLeaseTime":7200`, ""},
		{"subnets", `,"Pickers":["none","hint","nextFree","mostExpired"]`, ""},
		{"subnets", `,"Pickers":["first"]`, "Invalid Picker `first`"},
		{"reservations", ``, ""},
		{"reservations", `,"Addr":""`, "IP Address is nil"},
		{"reservations", `,"Addr":"fred"`, "invalid IP address: fred"},
		{"reservations", `,"Addr":"fd00::1"`, "fd00::1 is not a valid IP address for dr-provision"},
		{"reservations", `,"Addr":"255.255.255.255"`, "255.255.255.255 is not a valid IP address for dr-provision"},
		{"reservations", `,"NextServer":"::1"`, "::1 is not a valid IP address for dr-provision"},
		{"reservations", `,"Token":""`, "Token must have a value"},
		{"reservations", `,"Duration":-1`, "Duration cannot be negative, it is -1"},
		{"leases", ``, ""},
		{"leases", `,"Addr":"0.0.0.0"`, "0.0.0.0 is not a valid IP address for dr-provision"},
		{"leases", `,"Via":"fred"`, "invalid IP address: fred"},
		{"leases", `,"State":""`, "Invalid State ``"},
		{"leases", `,"State":"fred"`, "Invalid State `fred`"},
		{"leases", `,"ExpireTime":"0001-01-01T00:00:00Z"`, "ExpireTime must have a value when State is ACK"},
		{"leases", `,"State":"FAKE","ExpireTime":"0001-01-01T00:00:00Z"`, ""},
		{"leases", `,"Token":""`, "Token must have a value"},
		{"leases", `,"Token":"","State":"INVALID"`, ""},
		{"leases", `,"Duration":-1`, "Duration cannot be negative, it is -1"},
	} {
		o, err := Unmarshal(c.kind, []byte(sound[c.kind]+c.change+"}"))
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(o.Validate(), "\n"); got != c.want {
			t.Errorf("%s with %s: got %q, want %q", c.kind, c.change, got, c.want)
		}
	}
}

// TestNumbersThatClientsCannotReadAreRefused: the clients hold codes in a byte and times in 32 bits.
func TestNumbersThatClientsCannotReadAreRefused(t *testing.T) {
	for _, body := range []string{`{"Options":[{"Code":256}]}`, `{"Options":[{"Code":-1}]}`, `{"ActiveLeaseTime":2147483648}`} {
		if _, err := Unmarshal("subnets", []byte(body)); err == nil {
			t.Errorf("%s was read", body)
		}
	}
}

// TestSubnetsTellNetmaskAndBroadcast for networks of every size.
func TestSubnetsTellNetmaskAndBroadcast(t *testing.T) {
	for bits := 0; bits <= 32; bits++ {
		net := netip.PrefixFrom(netip.MustParseAddr("203.0.113.77"), bits)
		s := &Subnet{Subnet: net.String()}
		s.Normalize()
		mask, last := netip.MustParseAddr(s.Options[0].Value).As4(), netip.MustParseAddr(s.Options[1].Value)
		ones := 0
		for i := range 32 {
			if mask[i/8]>>(7-i%8)&1 == 1 {
				ones++
				if ones != i+1 {
					t.Fatalf("/%d: the mask %v has a hole", bits, mask)
				}
			}
		}
		if ones != bits || !net.Contains(last) || net.Contains(last.Next()) && last.Next().IsValid() {
			t.Errorf("/%d: mask %s, broadcast %s", bits, s.Options[0].Value, last)
		}
		if got := s.Special(last.String()) && s.Special(net.Masked().Addr().String()); got != (bits < 31) {
			t.Errorf("/%d: the first and the last address are special: %v", bits, got)
		}
	}
	for options, want := range map[string]string{
		`[]`:                         "1 28",
		`[{"Code":3,"Value":"x"}]`:   "3 1 28",
		`[{"Code":28,"Value":"x"}]`:  "28 1",
		`[{"Code":1},{"Code":28}]`:   "1 28",
		`[{"Code":28},{"Code":255}]`: "28 255 1",
	} {
		o, err := Unmarshal("subnets", []byte(sound["subnets"]+`,"Options":`+options+"}"))
		if err != nil {
			t.Fatal(err)
		}
		var codes []string
		for _, o := range o.(*Subnet).Options {
			codes = append(codes, string(marshal(t, int(o.Code))))
		}
		if got := strings.Join(codes, " "); got != want {
			t.Errorf("%s: got the options %s, want %s", options, got, want)
		}
	}
}

func TestDefaultsOfSubnets(t *testing.T) {
	for body, want := range map[string]string{
		`{}`:                          "MAC 60 7200 hint,nextFree,mostExpired",
		`{"OnlyReservations":true}`:   "MAC 60 7200 none",
		`{"Pickers":["none","hint"]}`: "MAC 60 7200 none,hint",
		`{"Strategy":"x","ActiveLeaseTime":5,"ReservedLeaseTime":6}`: "x 5 6 hint,nextFree,mostExpired",
	} {
		o, err := Unmarshal("subnets", []byte(body))
		if err != nil {
			t.Fatal(err)
		}
		s := o.(*Subnet)
		got := strings.Join([]string{s.Strategy, string(marshal(t, s.ActiveLeaseTime)), string(marshal(t, s.ReservedLeaseTime)), strings.Join(s.Pickers, ",")}, " ")
		if got != want {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
}

// TestKeysOfAddresses: however an address is written, the key is one, and so is the address.
func TestKeysOfAddresses(t *testing.T) {
	for _, kind := range []string{"reservations", "leases"} {
		k, _ := KindOf(kind)
		for _, id := range []string{"192.168.100.100", "C0A86464", "c0a86464", "::ffff:192.168.100.100"} {
			if got := k.CanonicalKey(id); got != "C0A86464" {
				t.Errorf("%s: the key of %s is %s", kind, id, got)
			}
			o, err := Unmarshal(kind, []byte(`{"Addr":"`+id+`"}`))
			if err != nil {
				t.Fatal(err)
			}
			if got := k.Indexes()["Addr"].values(o)[0]; o.Key() != "C0A86464" || got != netip.MustParseAddr("192.168.100.100") {
				t.Errorf("%s: %s has the key %s and the address %v", kind, id, o.Key(), got)
			}
		}
		for _, id := range []string{"", "john", "1.2.3", "C0A8646", "fd00::1"} {
			if got := k.CanonicalKey(id); got != id {
				t.Errorf("%s: %q became %q", kind, id, got)
			}
		}
		if got := MissingError(kind, "192.168.100.103").Key; got != "C0A86467" {
			t.Errorf("%s: what is missing is called %s", kind, got)
		}
	}
}

// TestOperatorsOnAddressesNetworksAndTimes holds every operator on the indexes of such types to the
// values below and above.
func TestOperatorsOnAddressesNetworksAndTimes(t *testing.T) {
	for _, c := range []struct {
		kind, index, body string
		below, is, above  string // another way to write the value is one too
	}{
		{"reservations", "Addr", `{"Addr":"9.0.0.10"}`, "9.0.0.9", "::ffff:9.0.0.10", "10.0.0.1"},
		{"reservations", "Key", `{"Addr":"9.0.0.10"}`, "9.0.0.9", "0900000a", "10.0.0.1"},
		{"reservations", "NextServer", `{"NextServer":"9.0.0.10"}`, "", "9.0.0.10", "100.0.0.1"},
		{"leases", "Via", `{"Via":"9.0.0.10"}`, "2.0.0.1", "9.0.0.10", "10.0.0.1"},
		{"leases", "ExpireTime", `{"ExpireTime":"2026-01-01T10:00:00Z"}`, "2026-01-01T09:59:59.9Z", "2026-01-01T11:00:00+01:00", "2026-01-01T10:00:00.1Z"},
		{"subnets", "Subnet", `{"Subnet":"9.0.0.0/24"}`, "9.0.0.0/23", "9.0.0.7/24", "10.0.0.0/8"},
		{"subnets", "Address", `{"Subnet":"9.0.0.0/24"}`, "9.0.0.0", "9.0.0.77", "9.0.0.255"},
		{"subnets", "ActiveAddress", `{"ActiveStart":"9.0.0.10","ActiveEnd":"9.0.0.20"}`, "9.0.0.9", "9.0.0.20", "9.0.0.21"},
	} {
		k, _ := KindOf(c.kind)
		o, err := Unmarshal(c.kind, []byte(c.body))
		if err != nil {
			t.Fatal(err)
		}
		b, is, a := c.below, c.is, c.above
		for text, want := range map[string]bool{
			is: true, b: false, a: false,
			"Eq(" + is + ")": true, "Eq(" + b + ")": false, "Ne(" + is + ")": false, "Ne(" + a + ")": true,
			"Lt(" + a + ")": true, "Lt(" + is + ")": false, "Lt(" + b + ")": false, "Lte(" + is + ")": true, "Lte(" + b + ")": false,
			"Gt(" + b + ")": true, "Gt(" + is + ")": false, "Gt(" + a + ")": false, "Gte(" + is + ")": true, "Gte(" + a + ")": false,
			"Between(" + b + "," + a + ")": true, "Between(" + is + "," + is + ")": true, "Between(" + a + "," + a + ")": false, "Between(" + b + "," + b + ")": false,
			"Except(" + b + "," + a + ")": false, "Except(" + a + "," + a + ")": true, "Except(" + b + "," + b + ")": true,
			"In(" + b + "," + is + ")": true, "In(" + b + "," + a + ")": false, "Nin(" + b + "," + is + ")": false, "Nin(" + b + "," + a + ")": true,
		} {
			q, err := ParseQuery(k, url.Values{c.index: {text}})
			if err != nil {
				t.Errorf("%s %s=%s: %v", c.kind, c.index, text, err)
			} else if got := q.Filters[0].Match(o, nil); got != want {
				t.Errorf("%s %s=%s on %s: got %v, want %v", c.kind, c.index, text, c.body, got, want)
			}
		}
	}
}

func TestValuesThatAreNoneAreRefusedInTheWordsOfTheKind(t *testing.T) {
	for _, c := range []struct{ kind, query, want string }{
		{"machines", "Address=fred", "Invalid address: fred"},
		{"reservations", "Addr=fred", "Invalid Address: fred"},
		{"reservations", "NextServer=false", "Invalid Address: false"},
		{"subnets", "NextServer=fred", "Invalid Address: fred"},
		{"subnets", "Address=Between(1.2.3.4,fred)", "Invalid Address: fred"},
		{"subnets", "ActiveAddress=fred", "Invalid Address: fred"},
		{"subnets", "ActiveStart=fred", "Invalid Address: fred"},
		{"subnets", "Subnet=false", "Invalid subnet CIDR: false"},
		{"subnets", "Enabled=george", "Enabled must be true or false"},
		{"subnets", "Proxy=george", "Proxy must be true or false"},
		{"leases", "Addr=fred", "Addr must be an IP address"},
		{"leases", "Via=In(1.2.3.4,fred)", "Via must be an IP address"},
		{"leases", "ExpireTime=fred", `ExpireTime is not valid: parsing time "fred" as "2006-01-02T15:04:05Z07:00": cannot parse "fred" as "2006"`},
		{"interfaces", "Gateway=fred", "Invalid Address: fred"},
		{"interfaces", "ActiveAddress=fred", "Invalid subnet CIDR: fred"},
	} {
		k, ok := KindOf(c.kind)
		if !ok {
			k = InterfaceKind
		}
		v, err := url.ParseQuery(c.query)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseQuery(k, v); ClassOf(err) != NotAcceptable || !strings.HasSuffix(err.Error(), ": "+c.want) {
			t.Errorf("%s?%s: got %v, want %s", c.kind, c.query, err, c.want)
		}
	}
}

// TestIndexesOfNetworkKinds are those of the contract.
func TestIndexesOfNetworkKinds(t *testing.T) {
	for kind, want := range map[string]map[string]IndexType{
		"leases":       {"Key": IndexString, "Addr": "IP Address", "Token": IndexString, "Strategy": IndexString, "State": IndexString, "ExpireTime": "Date/Time string"},
		"reservations": {"Key": IndexString, "Addr": "IP Address", "NextServer": "IP Address", "Token": IndexString, "Strategy": IndexString},
		"subnets": {"Name": IndexString, "Subnet": "CIDR Address", "NextServer": "IP Address", "Address": "IP Address", "ActiveAddress": "IP Address",
			"Strategy": IndexString, "Enabled": IndexBool, "Proxy": IndexBool, "ActiveLeaseTime": IndexInt, "Pickers": IndexString},
	} {
		k, _ := KindOf(kind)
		for name, typ := range want {
			if got := k.Indexes()[name]; got.Type != typ {
				t.Errorf("%s.%s: got the type %q, want %q", kind, name, got.Type, typ)
			}
		}
		for _, name := range []string{"Key", k.KeyField} {
			if !k.Indexes()[name].Unique {
				t.Errorf("%s.%s is not unique", kind, name)
			}
		}
	}
}

// order is how a list sorted by an index has two objects.
func order(k *KindInfo, index string, a, b Object) int {
	by, err := k.About(index)
	if err != nil {
		panic(err)
	}
	return CompareValues(by.Values(a, nil), by.Values(b, nil))
}

func TestAddressesAreSortedAsNumbers(t *testing.T) {
	k, _ := KindOf("reservations")
	list := []*Reservation{{Addr: "10.0.0.1"}, {Addr: "9.0.0.10"}, {Addr: "9.0.0.9"}}
	slices.SortFunc(list, func(a, b *Reservation) int {
		return order(k, "Addr", a, b)
	})
	if list[0].Addr != "9.0.0.9" || list[2].Addr != "10.0.0.1" {
		t.Errorf("got %s, %s, %s", list[0].Addr, list[1].Addr, list[2].Addr)
	}
	s, _ := KindOf("subnets")
	a, b := &Subnet{Subnet: "9.0.0.0/24"}, &Subnet{Subnet: "10.0.0.0/24"}
	for _, index := range []string{"Subnet", "Address"} {
		if order(s, index, a, b) >= 0 || order(s, index, b, a) <= 0 {
			t.Errorf("by %s %s does not come before %s", index, a.Subnet, b.Subnet)
		}
	}
}
