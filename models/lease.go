package models

import "time"

// Lease is an address that a host has got, for some time. The DHCP server writes them.
type Lease struct {
	Common
	Addr            string
	NextServer      string
	Via             string // the address of this server, or of the relay, that the host was heard through
	Token           string // what the host is known by under the strategy
	Strategy        string
	State           string
	Duration        int32 // seconds
	ExpireTime      time.Time
	Options         []DhcpOption // those the host was sent
	ProvidedOptions []DhcpOption // those the host sent
	SkipBoot        bool         // no boot options are given to the host
}

// The states of a lease.
const (
	LeaseProbe   = "PROBE"   // the address is being tried for somebody else's use
	LeaseOffer   = "OFFER"   // the host has been offered the address
	LeaseAck     = "ACK"     // the host has it
	LeaseExpired = "EXPIRED" // the host has had it
	LeaseInvalid = "INVALID" // somebody else uses the address: nobody gets it for a while
	LeaseFake    = "FAKE"    // another server hands out the address; nothing is kept free by this
)

// LeaseStates is every state of a lease.
var LeaseStates = []string{LeaseProbe, LeaseOffer, LeaseAck, LeaseExpired, LeaseInvalid, LeaseFake}

// Holds tells whether the state keeps the address for the host, so that it must end some time.
func (l *Lease) Holds() bool {
	return l.State == LeaseProbe || l.State == LeaseOffer || l.State == LeaseAck
}

func (*Lease) Kind() string  { return "leases" }
func (l *Lease) Key() string { return addrKey(l.Addr) }

func (l *Lease) Normalize() {
	l.normalize()
	tidyKey(&l.Addr)
	tidyAddr(&l.NextServer)
	tidyAddr(&l.Via)
	fill(&l.Options)
	fill(&l.ProvidedOptions)
	if l.Strategy == "" {
		l.Strategy = "MAC"
	}
}

func (l *Lease) Validate() []string {
	var p problems
	p.address(l.Addr)
	p.maybeAddress(l.NextServer)
	p.maybeAddress(l.Via)
	if !contains(LeaseStates, l.State) {
		p.addf("Invalid State `%s`", l.State)
	}
	if l.Token == "" && l.State != LeaseInvalid {
		p.addf("Token must have a value")
	}
	if l.Holds() && l.ExpireTime.IsZero() {
		p.addf("ExpireTime must have a value when State is %s", l.State)
	}
	p.notNegative("Duration", l.Duration)
	return p
}
