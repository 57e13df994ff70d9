package models

import (
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
)

// ipv4 reads an IPv4 address, also one that is written as IPv6.
func ipv4(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	a = a.Unmap()
	return a, err == nil && a.Is4()
}

// addrKey is the key of what is known by its IPv4 address, such as C0A86464 for 192.168.100.100.
// It may be given as a key already, in any letter case; what is neither stays as it is.
func addrKey(s string) string {
	if a, ok := ipv4(s); ok {
		b := a.As4()
		return fmt.Sprintf("%X", b[:])
	}
	if b, err := hex.DecodeString(s); err == nil && len(b) == 4 {
		return strings.ToUpper(s)
	}
	return s
}

// tidyAddr brings an address to its usual form; what is none stays as it is.
func tidyAddr(s *string) {
	if a, err := netip.ParseAddr(*s); err == nil {
		*s = a.Unmap().String()
	}
}

// tidyKey is tidyAddr for the address that an object is known by, which may also be given as the
// key: objects of content packs may have nothing else to tell it.
func tidyKey(s *string) {
	if b, err := hex.DecodeString(*s); err == nil && len(b) == 4 {
		*s = netip.AddrFrom4([4]byte(b)).String()
		return
	}
	tidyAddr(s)
}

// address checks an address that must be that of one host.
func (p *problems) address(s string) {
	a, err := netip.ParseAddr(s)
	switch {
	case s == "":
		p.addf("IP Address is nil")
	case err != nil:
		p.addf("invalid IP address: %s", s)
	case !a.Is4(), !a.IsGlobalUnicast():
		p.addf("%s is not a valid IP address for dr-provision", s)
	}
}

// maybeAddress checks an address that may also be left open.
func (p *problems) maybeAddress(s string) {
	if s != "" && s != "0.0.0.0" {
		p.address(s)
	}
}

// DhcpOption is an option that is sent to DHCP clients. Value is a template.
type DhcpOption struct {
	Code  byte
	Value string
}

// span is the addresses from one to another, as the value of an index: it equals every address
// within, and is less or greater than those that all lie beyond its one end.
type span struct{ from, to netip.Addr }

func (s span) String() string { return s.from.String() + "-" + s.to.String() }

func (s span) compare(a netip.Addr) int {
	switch {
	case s.to.Less(a):
		return -1
	case a.Less(s.from):
		return 1
	}
	return 0
}

// lastAddr is the last address of an IPv4 network.
func lastAddr(p netip.Prefix) netip.Addr {
	b := p.Masked().Addr().As4()
	for i := range b {
		if keep := min(max(p.Bits()-8*i, 0), 8); keep < 8 {
			b[i] |= 0xff >> keep
		}
	}
	return netip.AddrFrom4(b)
}

// netmask is the mask of an IPv4 network in its dotted form.
func netmask(p netip.Prefix) string {
	var b [4]byte
	for i := range b {
		b[i] = ^byte(0xff >> min(max(p.Bits()-8*i, 0), 8))
	}
	return netip.AddrFrom4(b).String()
}
