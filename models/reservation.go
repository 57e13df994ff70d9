package models

// Reservation keeps an address for one host, for good.
type Reservation struct {
	Common
	Addr          string
	Description   string
	Documentation string
	Token         string // what the host is known by under the strategy, such as its MAC address
	Subnet        string // set by the server: the subnet that the address lies in, or ""
	NextServer    string // where to boot from; "": as the subnet says
	Options       []DhcpOption
	Strategy      string // what tells one host from another: MAC
	Scoped        bool   // it holds in its subnet only, so that the host can have one in each
	Duration      int32  // seconds; 0: as the subnet says
}

func (*Reservation) Kind() string  { return "reservations" }
func (r *Reservation) Key() string { return addrKey(r.Addr) }

func (r *Reservation) Normalize() {
	r.normalize()
	tidyKey(&r.Addr)
	tidyAddr(&r.NextServer)
	fill(&r.Options)
	if r.Strategy == "" {
		r.Strategy = "MAC"
	}
}

func (r *Reservation) Validate() []string {
	var p problems
	p.address(r.Addr)
	p.maybeAddress(r.NextServer)
	if r.Token == "" {
		p.addf("Token must have a value")
	}
	p.notNegative("Duration", r.Duration)
	return p
}

func (p *problems) notNegative(what string, n int32) {
	if n < 0 {
		p.addf("%s cannot be negative, it is %d", what, n)
	}
}
