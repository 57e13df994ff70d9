package network

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"drp/models"
)

// Interfaces are the network interfaces of this host that are up and lead to others, by name.
// Gateway is told on Linux only, and name servers where /etc/resolv.conf has them.
func Interfaces() ([]*models.Interface, error) {
	all, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("list the network interfaces: %w", err)
	}
	gateways, dns := read("/proc/net/route", gatewaysIn), read("/etc/resolv.conf", resolverIn)
	list := []*models.Interface{}
	for _, one := range all {
		if !useful(one.Flags) {
			continue
		}
		addrs, err := one.Addrs()
		if err != nil {
			continue // it has gone since it was listed
		}
		i := &models.Interface{Name: one.Name, Index: one.Index, Gateway: gateways[one.Name], DnsServers: slices.Clone(dns.servers), DnsDomain: dns.domain}
		for _, a := range addrs {
			i.Addresses = append(i.Addresses, a.String())
		}
		i.ActiveAddress = active(i.Addresses)
		i.Normalize()
		list = append(list, i)
	}
	slices.SortFunc(list, func(a, b *models.Interface) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// useful: it is up and leads to others.
func useful(f net.Flags) bool { return f&net.FlagUp != 0 && f&net.FlagLoopback == 0 }

// active is the first address that hosts can boot from: an IPv4 one that is known beyond its link.
func active(cidrs []string) string {
	for _, c := range cidrs {
		if p, err := netip.ParsePrefix(c); err == nil && p.Addr().Is4() && p.Addr().IsGlobalUnicast() {
			return c
		}
	}
	return ""
}

// read reads a file that says more about the host; without one there is nothing to say.
func read[T any](path string, fn func(io.Reader) T) T {
	f, err := os.Open(path)
	if err != nil {
		return fn(strings.NewReader(""))
	}
	defer f.Close()
	return fn(f)
}

// gatewaysIn are the gateways of the default routes by interface, as Linux lists its routes: a line
// each, with the interface, the destination and the gateway, the addresses as hexadecimal numbers in
// the order of the machine.
func gatewaysIn(r io.Reader) map[string]string {
	found := map[string]string{}
	for _, f := range fields(r) {
		if len(f) < 3 || f[1] != "00000000" {
			continue
		}
		if b, err := hex.DecodeString(f[2]); err == nil && len(b) == 4 && found[f[0]] == "" {
			var a [4]byte
			binary.NativeEndian.PutUint32(a[:], binary.BigEndian.Uint32(b))
			if gateway := netip.AddrFrom4(a); !gateway.IsUnspecified() {
				found[f[0]] = gateway.String()
			}
		}
	}
	return found
}

// resolver is how the host finds names.
type resolver struct {
	servers []string
	domain  string
}

// resolverIn reads resolv.conf(5). The first domain of a search list stands for the host's own
// where none is given.
func resolverIn(r io.Reader) resolver {
	var found resolver
	for _, f := range fields(r) {
		if len(f) < 2 {
			continue
		}
		switch {
		case f[0] == "nameserver":
			found.servers = append(found.servers, f[1])
		case f[0] == "domain", f[0] == "search" && found.domain == "":
			found.domain = f[1]
		}
	}
	return found
}

// fields are the words of each line.
func fields(r io.Reader) [][]string {
	var lines [][]string
	for s := bufio.NewScanner(r); s.Scan(); {
		lines = append(lines, strings.Fields(s.Text()))
	}
	return lines
}
