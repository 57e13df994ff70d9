package models

import (
	"net"
	"net/netip"
	"slices"
)

// Subnet is a network whose hosts get their addresses by DHCP.
type Subnet struct {
	Common
	Name              string
	Description       string
	Documentation     string
	Enabled           bool // leases are handed out
	Proxy             bool // only boot options are given: another server hands out the addresses
	Unmanaged         bool // only addresses are given, never boot options
	Subnet            string
	NextServer        string // where to boot from; "" or 0.0.0.0: from this server
	ActiveStart       string // the first and the last address that hosts without a reservation get
	ActiveEnd         string
	ActiveLeaseTime   int32 // seconds
	ReservedLeaseTime int32 // seconds, for hosts with a reservation
	OnlyReservations  bool  // hosts without a reservation get none
	Options           []DhcpOption
	Strategy          string   // what tells one host from another: MAC
	Pickers           []string // how an address is chosen, tried in order
}

// What every DHCP client must be told: a subnet has these options, given or not.
const (
	optionNetmask   = 1
	optionBroadcast = 28
)

var pickers = []string{"none", "hint", "nextFree", "mostExpired"}

func (*Subnet) Kind() string  { return "subnets" }
func (s *Subnet) Key() string { return s.Name }

func (s *Subnet) Normalize() {
	s.normalize()
	for _, a := range []*string{&s.NextServer, &s.ActiveStart, &s.ActiveEnd} {
		tidyAddr(a)
	}
	fill(&s.Options)
	if s.Strategy == "" {
		s.Strategy = "MAC"
	}
	if s.ActiveLeaseTime == 0 {
		s.ActiveLeaseTime = 60
	}
	if s.ReservedLeaseTime == 0 {
		s.ReservedLeaseTime = 7200
	}
	if len(s.Pickers) == 0 {
		s.Pickers = []string{"hint", "nextFree", "mostExpired"}
		if s.OnlyReservations {
			s.Pickers = []string{"none"}
		}
	}
	if p, ok := s.Network(); ok {
		s.option(optionNetmask, netmask(p))
		s.option(optionBroadcast, lastAddr(p).String())
	}
}

// option adds an option unless it is there.
func (s *Subnet) option(code byte, value string) {
	if !slices.ContainsFunc(s.Options, func(o DhcpOption) bool { return o.Code == code }) {
		s.Options = append(s.Options, DhcpOption{code, value})
	}
}

func (s *Subnet) Validate() []string {
	var p problems
	p.name(nameGeneral, "Name", s.Name)
	_, network, err := net.ParseCIDR(s.Subnet)
	if err != nil {
		p.addf("Invalid subnet %s: %v", s.Subnet, err)
		return p
	}
	p.address(network.IP.String())
	if _, ok := s.Network(); !ok && network.IP.To4() != nil {
		p.addf("Invalid subnet %s: write it like %s", s.Subnet, network)
	}
	p.maybeAddress(s.NextServer)
	if s.Proxy && s.Unmanaged {
		p.addf("Unmanaged and Proxy cannot both be true")
	}
	for _, name := range s.Pickers {
		if !contains(pickers, name) {
			p.addf("Invalid Picker `%s`", name)
		}
	}
	if !s.OnlyReservations && !s.Proxy {
		s.active(&p, network)
	}
	if s.ReservedLeaseTime < 7200 {
		p.addf("ReservedLeaseTime must be greater than or equal to 7200 seconds, not %d", s.ReservedLeaseTime)
	}
	return p
}

// active checks the range of addresses that are handed out.
func (s *Subnet) active(p *problems, network *net.IPNet) {
	p.address(s.ActiveStart)
	p.address(s.ActiveEnd)
	start, end := net.ParseIP(s.ActiveStart), net.ParseIP(s.ActiveEnd)
	if !network.Contains(start) {
		p.addf("ActiveStart %s not in subnet range %s", start, network)
	}
	if !network.Contains(end) {
		p.addf("ActiveEnd %s not in subnet range %s", end, network)
	}
	if r, ok := s.activeSpan(); ok && r.to.Less(r.from) {
		p.addf("ActiveStart %s must be less than or equal to ActiveEnd %s", start, end)
	}
	if s.ActiveLeaseTime < 60 {
		p.addf("ActiveLeaseTime must be greater than or equal to 60 seconds, not %d", s.ActiveLeaseTime)
	}
}

// Network is the range of the subnet, without the bits of a host; false when there is none.
func (s *Subnet) Network() (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(s.Subnet)
	return p.Masked(), err == nil && p.Addr().Is4()
}

// Contains tells whether an address lies in the range of the subnet.
func (s *Subnet) Contains(addr string) bool {
	a, ok := ipv4(addr)
	p, sound := s.Network()
	return ok && sound && p.Contains(a)
}

// Special tells whether an address stands for the network itself, or for all its hosts.
func (s *Subnet) Special(addr string) bool {
	a, ok := ipv4(addr)
	h, sound := s.hosts()
	return ok && sound && s.Contains(addr) && h.compare(a) != 0
}

// hosts are the addresses that hosts may have.
func (s *Subnet) hosts() (span, bool) {
	p, ok := s.Network()
	if !ok {
		return span{}, false
	}
	from, to := p.Addr(), lastAddr(p)
	if p.Bits() < 31 { // smaller networks have neither a name nor a broadcast address
		from, to = from.Next(), to.Prev()
	}
	return span{from, to}, true
}

// activeSpan are the addresses that are handed out to hosts without a reservation.
func (s *Subnet) activeSpan() (span, bool) {
	from, ok := ipv4(s.ActiveStart)
	to, ok2 := ipv4(s.ActiveEnd)
	return span{from, to}, ok && ok2
}

// spanIndex makes an index by the addresses of a subnet: those that equal an address are the ones
// that contain it.
func spanIndex(of func(*Subnet) (span, bool)) Index {
	return Index{Type: IndexIP, computed: func(o Object) []any {
		if r, ok := of(o.(*Subnet)); ok {
			return []any{r}
		}
		return nil
	}}
}
