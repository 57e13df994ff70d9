package models

// Interface is a network interface of the host that the server runs on, to make subnets of. It is
// not stored: the host tells of it.
type Interface struct {
	ReadOnly      bool
	Meta          map[string]string
	Name          string
	Index         int
	Addresses     []string // CIDR
	ActiveAddress string   // CIDR: the one by which hosts would reach this server; "" if there is none
	Gateway       string   // of the host's default route, if it leads through this interface
	DnsServers    []string // of the host
	DnsDomain     string   // of the host
}

// InterfaceKind is the kind of network interfaces. It is not among Kinds, since nothing of it is
// stored.
var InterfaceKind = func() *KindInfo {
	k := &KindInfo{Name: "interfaces", KeyField: "Name", New: func() Object { return &Interface{} }, Types: map[string]IndexType{"ActiveAddress": IndexCIDR, "Gateway": IndexIP}, BadIP: "Invalid Address: %[2]s"}
	k.buildIndexes()
	return k
}()

func (*Interface) Kind() string       { return "interfaces" }
func (i *Interface) Key() string      { return i.Name }
func (*Interface) Validate() []string { return nil }

// Base is made for each call: of what all kinds share, interfaces have but two members.
func (i *Interface) Base() *Common {
	return &Common{Validated: true, Available: true, Errors: []string{}, ReadOnly: i.ReadOnly, Meta: i.Meta}
}

func (i *Interface) Normalize() {
	i.ReadOnly = true
	if i.Meta == nil {
		i.Meta = map[string]string{}
	}
	fill(&i.Addresses)
	fill(&i.DnsServers)
}
