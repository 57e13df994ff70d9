package network

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/models"
	"drp/models/patch"
	"drp/server/objects"
	"drp/server/store/sqlite"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// world is a server with nothing but the Rules of this package.
type world struct {
	*objects.Service
	t   *testing.T
	ctx context.Context
}

func newWorld(t *testing.T) *world {
	t.Helper()
	engine, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "drp.db"), objects.Advance)
	if err != nil {
		t.Fatal(err)
	}
	s, err := objects.New(engine, nil, func() time.Time { return noon }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	Register(s)
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		engine.Close()
	})
	return &world{s, t, objects.WithActor(t.Context(), objects.System)}
}

// do makes a change: + KIND BODY creates, - KIND KEY deletes, KIND KEY PATCH patches.
func (w *world) do(verb, kind, what string) error {
	switch verb {
	case "+":
		o, err := models.Unmarshal(kind, []byte(what))
		if err != nil {
			w.t.Fatal(err)
		}
		_, err = w.Create(w.ctx, o, false)
		return err
	case "-":
		_, err := w.Delete(w.ctx, kind, what)
		return err
	}
	p, err := patch.Decode([]byte(what))
	if err != nil {
		w.t.Fatal(err)
	}
	_, err = w.Patch(w.ctx, kind, verb, p, false)
	return err
}

// subnetBody and others make bodies that are sound but for what a test is about.
func subnetBody(name, cidr string) string {
	return fmt.Sprintf(`{"Name":%q,"Subnet":%q,"OnlyReservations":true}`, name, cidr)
}

func reservationBody(addr, token string, scoped bool) string {
	return fmt.Sprintf(`{"Addr":%q,"Token":%q,"Scoped":%v}`, addr, token, scoped)
}

// TestChangesAreRefusedForWhatIsThere tells a story; each line is a change, and the error it ends in.
func TestChangesAreRefusedForWhatIsThere(t *testing.T) {
	w := newWorld(t)
	replace := func(field, value string) string {
		return fmt.Sprintf(`[{"op":"replace","path":"/%s","value":%s}]`, field, value)
	}
	for _, c := range []struct{ verb, kind, what, want string }{
		{"+", "reservations", reservationBody("192.168.124.1", "foo", true), "ValidationError: reservations/C0A87C01: C0A87C01: Address 192.168.124.1 is not in a defined Subnet, and Scoped is true."},
		{"+", "subnets", subnetBody("aa", "192.168.124.0/24"), ""},
		{"+", "subnets", subnetBody("bb", "192.168.125.0/24"), ""},
		{"+", "subnets", subnetBody("aa", "192.168.126.0/24"), "CREATE: subnets/aa: already exists"},
		{"+", "subnets", subnetBody("cc", "192.168.124.0/23"), "ValidationError: subnets/cc\n  cc: Subnet range 192.168.124.0/23 overlaps 192.168.124.0/24 of subnet aa\n  cc: Subnet range 192.168.124.0/23 overlaps 192.168.125.0/24 of subnet bb"},
		{"+", "subnets", subnetBody("cc", "192.168.125.128/30"), "ValidationError: subnets/cc: cc: Subnet range 192.168.125.128/30 overlaps 192.168.125.0/24 of subnet bb"},
		{"aa", "subnets", replace("Subnet", `"192.168.126.0/24"`), "ValidationError: subnets/aa: aa: Subnet range cannot change"},
		{"aa", "subnets", replace("Subnet", `"192.168.124.0/25"`), "ValidationError: subnets/aa: aa: Subnet range cannot change"},
		{"aa", "subnets", replace("Strategy", `"fred"`), "ValidationError: subnets/aa: aa: Strategy cannot change"},
		{"aa", "subnets", replace("Enabled", `true`), ""},
		{"+", "reservations", reservationBody("192.168.124.0", "x", true), "ValidationError: reservations/C0A87C00: C0A87C00: Address 192.168.124.0 is a network or broadcast address for subnet aa"},
		{"+", "reservations", reservationBody("192.168.125.255", "x", false), "ValidationError: reservations/C0A87DFF: C0A87DFF: Address 192.168.125.255 is a network or broadcast address for subnet bb"},
		{"+", "reservations", reservationBody("192.168.124.1", "foo", true), ""},
		{"+", "reservations", reservationBody("192.168.124.1", "other", true), "CREATE: reservations/C0A87C01: already exists"},
		{"+", "reservations", reservationBody("192.168.124.2", "foo", true), "ValidationError: reservations/C0A87C02: C0A87C02: Reservation C0A87C01 in subnet aa already has Strategy MAC: Token foo"},
		{"+", "reservations", reservationBody("192.168.125.1", "foo", true), ""}, // another subnet
		{"+", "reservations", reservationBody("192.168.123.30", "baz", false), ""},
		{"+", "reservations", reservationBody("192.168.124.3", "baz", true), "ValidationError: reservations/C0A87C03: C0A87C03: Unscoped reservation C0A87B1E already has Strategy MAC: Token baz"},
		{"+", "reservations", reservationBody("192.168.123.31", "baz", false), "ValidationError: reservations/C0A87B1F: C0A87B1F: Unscoped reservation C0A87B1E already has Strategy MAC: Token baz"},
		{"+", "reservations", reservationBody("192.168.123.31", "foo", false), "ValidationError: reservations/C0A87B1F: C0A87B1F: Reservation C0A87C01 in subnet aa already has Strategy MAC: Token foo"},
		{"+", "reservations", `{"Addr":"192.168.124.4","Token":"foo","Strategy":"other","Scoped":true}`, ""},
		{"192.168.124.4", "reservations", replace("Strategy", `"MAC"`), "ValidationError: reservations/C0A87C04: C0A87C04: Reservation C0A87C01 in subnet aa already has Strategy MAC: Token foo"},
		{"192.168.124.4", "reservations", replace("Token", `"bar"`), ""},
		{"C0A87B1E", "reservations", replace("Scoped", `true`), "ValidationError: reservations/C0A87B1E: C0A87B1E: Address 192.168.123.30 is not in a defined Subnet, and Scoped is true."},
		{"Addr:192.168.124.1", "reservations", replace("Scoped", `false`), "ValidationError: reservations/C0A87C01: C0A87C01: Reservation C0A87D01 in subnet bb already has Strategy MAC: Token foo"},
		{"C0A87C01", "reservations", replace("Addr", `"192.168.124.9"`), "ValidationError: reservations/C0A87C01: the key cannot change from C0A87C01 to C0A87C09"},
		{"-", "reservations", "192.168.100.103", "reservations/C0A86467: Not Found"},
		{"-", "subnets", "aa", "StillInUseError: subnets/aa\n  Reservation 192.168.124.1 is scoped for Subnet aa, cannot delete.\n  Reservation 192.168.124.4 is scoped for Subnet aa, cannot delete."},
		{"-", "reservations", "Key:192.168.124.4", ""},
		{"-", "subnets", "aa", "StillInUseError: subnets/aa: Reservation 192.168.124.1 is scoped for Subnet aa, cannot delete."},
		{"-", "reservations", "c0a87c01", ""},
		{"-", "subnets", "aa", ""},
		{"+", "leases", `{"Addr":"192.168.125.0","State":"FAKE","Token":"x"}`, "ValidationError: leases/C0A87D00: C0A87D00: Address 192.168.125.0 is a network or broadcast address for subnet bb"},
		{"+", "leases", `{"Addr":"192.168.125.7","State":"EXPIRED","Token":"x","ExpireTime":"2026-01-01T12:00:01Z"}`, "ValidationError: leases/C0A87D07: C0A87D07: State is EXPIRED, but ExpireTime 2026-01-01T12:00:01Z is still to come"},
		{"+", "leases", `{"Addr":"192.168.125.7","State":"ACK","Token":"x","ExpireTime":"2026-01-01T12:00:01Z"}`, ""},
		{"192.168.125.7", "leases", replace("State", `"EXPIRED"`), "ValidationError: leases/C0A87D07: C0A87D07: State is EXPIRED, but ExpireTime 2026-01-01T12:00:01Z is still to come"},
		{"192.168.125.7", "leases", `[{"op":"replace","path":"/State","value":"EXPIRED"},{"op":"replace","path":"/ExpireTime","value":"2026-01-01T12:00:00Z"}]`, ""},
		{"-", "leases", "192.168.125.7", ""},
		{"+", "leases", `{"Addr":"10.9.0.0","State":"ACK","Token":"x","ExpireTime":"2026-01-01T12:00:00Z"}`, ""},
		{"+", "subnets", subnetBody("cc", "10.9.0.0/24"), ""},
		{"10.9.0.0", "leases", replace("State", `"EXPIRED"`), ""}, // what is there must be able to end
	} {
		got := ""
		if err := w.do(c.verb, c.kind, c.what); err != nil {
			got = strings.TrimPrefix(err.Error(), ": ")
		}
		if got != c.want {
			t.Errorf("%s %s %s: got\n%s\nwant\n%s", c.verb, c.kind, c.what, got, c.want)
		}
	}
}

// TestReservationsFollowTheirSubnet: the subnet of a reservation is told and forgotten as it comes
// and goes, also by an undo; one that turns out to be none for a host is not available meanwhile.
func TestReservationsFollowTheirSubnet(t *testing.T) {
	w := newWorld(t)
	state := func() string {
		var all []string
		for r := range objects.All[*models.Reservation](w.View()) {
			all = append(all, fmt.Sprintf("%s %q %v %v", r.Key(), r.Subnet, r.Available, r.Errors))
		}
		return strings.Join(all, ", ")
	}
	check := func(when, want string) {
		t.Helper()
		if got := state(); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", when, got, want)
		}
	}
	for i, addr := range []string{"10.0.0.0", "10.0.0.1", "10.0.1.1"} {
		if err := w.do("+", "reservations", reservationBody(addr, fmt.Sprint(i), false)); err != nil {
			t.Fatal(err)
		}
	}
	none := `0A000000 "" true [], 0A000001 "" true [], 0A000101 "" true []`
	with := `0A000000 "aa" false [0A000000: Address 10.0.0.0 is a network or broadcast address for subnet aa], 0A000001 "aa" true [], 0A000101 "" true []`
	check("without a subnet", none)
	rev := w.View().Rev
	if err := w.do("+", "subnets", subnetBody("aa", "10.0.0.0/24")); err != nil {
		t.Fatal(err)
	}
	if now := w.View().Rev; now != rev+1 {
		t.Errorf("the subnet and what follows of it are %d changes, want one", now-rev)
	}
	check("with a subnet", with)
	if err := w.do("0A000000", "reservations", `[{"op":"replace","path":"/Description","value":"x"},{"op":"replace","path":"/Subnet","value":"nonsense"}]`); err != nil {
		t.Fatal(err)
	}
	check("after a patch of what the server sets", with)
	if err := w.do("-", "subnets", "aa"); err != nil {
		t.Fatal(err)
	}
	check("when the subnet has gone", none)
}

// TestInvariantsHoldWhateverIsDone makes random changes, most of which are refused.
func TestInvariantsHoldWhateverIsDone(t *testing.T) {
	w := newWorld(t)
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	made, refused := 0, 0
	for range 600 {
		name, addr := fmt.Sprintf("net%d", r.IntN(4)), fmt.Sprintf("10.0.%d.%d", r.IntN(4), r.IntN(4)+r.IntN(2)*252)
		changes := [][3]string{
			{"+", "subnets", subnetBody(name, fmt.Sprintf("10.0.%d.0/%d", r.IntN(4), 23+r.IntN(3)))},
			{"-", "subnets", name},
			{name, "subnets", fmt.Sprintf(`[{"op":"replace","path":"/Subnet","value":"10.0.%d.1/24"}]`, r.IntN(4))},
			{"+", "reservations", reservationBody(addr, fmt.Sprint(r.IntN(5)), r.IntN(2) == 0)},
			{"-", "reservations", addr},
			{addr, "reservations", fmt.Sprintf(`[{"op":"replace","path":"/Scoped","value":%v}]`, r.IntN(2) == 0)},
			{addr, "reservations", fmt.Sprintf(`[{"op":"replace","path":"/Token","value":"%d"}]`, r.IntN(5))},
		}
		c := changes[r.IntN(len(changes))]
		err := w.do(c[0], c[1], c[2])
		var known *models.Error
		switch {
		case err == nil:
			made++
		case errors.As(err, &known) && known.Class != models.Internal:
			refused++
		default:
			t.Fatalf("%v: %v", c, err)
		}
		if broken := w.broken(); broken != "" {
			t.Fatalf("seed %d: after %v: %s", seed, c, broken)
		}
	}
	if made < 50 || refused < 50 {
		t.Errorf("seed %d: %d changes made, %d refused: the test tries too little", seed, made, refused)
	}
}

// broken is the first thing that must never be.
func (w *world) broken() string {
	here, everywhere := map[string]int{}, map[string]int{} // reservations by host, and by subnet for those that are scoped
	for r := range objects.All[*models.Reservation](w.View()) {
		in := ""
		special := false
		for s := range objects.All[*models.Subnet](w.View()) {
			if s.Contains(r.Addr) {
				in += s.Name
				special = s.Special(r.Addr)
			}
		}
		place := r.Token
		if r.Scoped {
			place += " in " + in
		}
		switch {
		case r.Subnet != in:
			return fmt.Sprintf("reservation %s is said to be in %q, and is in %q", r.Addr, r.Subnet, in)
		case r.Scoped && in == "":
			return fmt.Sprintf("reservation %s is scoped, and in no subnet", r.Addr)
		case r.Available == special:
			return fmt.Sprintf("reservation %s: available %v, an address of no host %v", r.Addr, r.Available, special)
		}
		here[place]++
		everywhere[r.Token]++
		if here[place] > 1 || everywhere[r.Token] > 1 && here[r.Token] > 0 {
			return fmt.Sprintf("reservation %s is a second one for %s", r.Addr, place)
		}
	}
	return ""
}

// TestTheHostTellsOfItsInterfaces in the form of the contract, in order, without the loopback.
func TestTheHostTellsOfItsInterfaces(t *testing.T) {
	list, err := Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for i, one := range list {
		if one.Name == "lo" || one.Index == 0 || !one.ReadOnly || one.Addresses == nil || i > 0 && list[i-1].Name >= one.Name {
			t.Errorf("%+v", one)
		}
	}
}

func TestInterfacesThatAreDownOrLeadNowhereAreLeftOut(t *testing.T) {
	for flags, want := range map[net.Flags]bool{
		0: false, net.FlagUp: true, net.FlagUp | net.FlagBroadcast | net.FlagRunning: true,
		net.FlagBroadcast: false, net.FlagLoopback: false, net.FlagUp | net.FlagLoopback: false,
	} {
		if got := useful(flags); got != want {
			t.Errorf("%v: got %v, want %v", flags, got, want)
		}
	}
}

func TestGatewaysAndResolversAreRead(t *testing.T) {
	routes := "Iface\tDestination\tGateway \tFlags\n" +
		"eth0\t00000000\t010200C0\t0003\n" + "eth0\t00000000\t020200C0\t0003\n" + "eth1\t000200C0\t030200C0\t0001\n" +
		"eth2\t00000000\t00000000\t0001\n" + "eth3\t00000000\tnonsense\t0001\n" + "\n" + "eth4\n"
	if got := fmt.Sprint(gatewaysIn(strings.NewReader(routes))); got != "map[eth0:192.0.2.1]" && got != "map[eth0:1.2.0.192]" {
		t.Errorf("gateways: %s", got)
	}
	for text, want := range map[string]resolver{
		"":                              {},
		"# nameserver 1.1.1.1\noptions": {},
		"nameserver 192.0.2.3\nnameserver 192.0.2.4\nsearch a.example b.example": {[]string{"192.0.2.3", "192.0.2.4"}, "a.example"},
		"domain c.example\nsearch a.example":                                     {nil, "c.example"},
		"search a.example\ndomain c.example":                                     {nil, "c.example"},
	} {
		if got := resolverIn(strings.NewReader(text)); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q: got %v, want %v", text, got, want)
		}
	}
	for _, c := range []struct {
		cidrs []string
		want  string
	}{
		{nil, ""}, {[]string{"fe80::1/64", "fd00::2/64"}, ""}, {[]string{"169.254.1.1/16", "192.0.2.2/24", "10.0.0.1/8"}, "192.0.2.2/24"},
	} {
		if got := active(c.cidrs); got != c.want {
			t.Errorf("%v: got %q, want %q", c.cidrs, got, c.want)
		}
	}
}
