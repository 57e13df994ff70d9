package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"drp/cli/client"
	"drp/models"

	"github.com/spf13/cobra"
)

// subnetVerbs are the verbs of subnets alone.
func (k *kind) subnetVerbs() []*cobra.Command {
	return []*cobra.Command{
		k.subnetRange(), k.subnetCIDR(), k.subnetStrategy(), k.nextServer(), k.leaseTimes(), k.pickers(), k.setOption(), k.getOption(),
	}
}

// editSubnet sends what an edit changes of a subnet; it fails if someone else changes the same
// fields meanwhile.
func (k *kind) editSubnet(ctx context.Context, id string, edit func(document)) error {
	return k.shows(k.change(ctx, id, false, func(doc document) error {
		edit(doc)
		return nil
	}))
}

func isIPv4(s string) bool {
	a, err := netip.ParseAddr(s)
	return err == nil && a.Is4()
}

func notIPv4(s string) error { return verbatim("%s is not a valid IPv4", s) }

func (k *kind) subnetRange() *cobra.Command {
	return k.verb(verb{
		use:     "range [subnetName] [startIP] [endIP]",
		short:   "Set the range of addresses that a subnet hands out",
		long:    "Set the first and the last address that hosts without a reservation get. Both must lie in the subnet.",
		example: "drp subnets range lan 192.168.124.10 192.168.124.200",
		args:    exactly(3),
		run: func(ctx context.Context, args []string) error {
			start, end := args[1], args[2]
			switch {
			case !isIPv4(start):
				return notIPv4(start)
			case !isIPv4(end) && k.app.name == "drpcli":
				return notIPv4(start) // so says drpcli, whichever of the two it is
			case !isIPv4(end):
				return notIPv4(end)
			}
			return k.editSubnet(ctx, args[0], func(doc document) { doc["ActiveStart"], doc["ActiveEnd"] = start, end })
		},
	})
}

func (k *kind) subnetCIDR() *cobra.Command {
	c := k.verb(verb{
		use:     "subnet [subnetName] [subnet CIDR]",
		short:   "Set the range of a subnet, which servers refuse",
		long:    "Set the range of a subnet. The range of a subnet that is there cannot change: make another one.",
		example: "drp subnets subnet lan 192.168.124.0/24",
		args:    exactly(2),
		run: func(ctx context.Context, args []string) error {
			if _, _, err := net.ParseCIDR(args[1]); err != nil {
				return verbatim("%s is not a valid subnet CIDR", args[1])
			}
			return k.editSubnet(ctx, args[0], func(doc document) { doc["Subnet"] = args[1] })
		},
	})
	c.Deprecated = "Changing the subnet CIDR address is not supported."
	c.SetOut(k.Err) // where that is told
	return c
}

func (k *kind) subnetStrategy() *cobra.Command {
	return k.verb(verb{
		use:     "strategy [subnetName] [MAC]",
		short:   "Set the strategy of a subnet, which servers refuse",
		long:    "Set what tells one host of a subnet from another. MAC is all there is, and the strategy of a subnet that is\nthere cannot change.",
		example: "drp subnets strategy lan MAC",
		args:    exactly(2),
		run: func(ctx context.Context, args []string) error {
			return k.editSubnet(ctx, args[0], func(doc document) { doc["Strategy"] = args[1] })
		},
	})
}

func (k *kind) nextServer() *cobra.Command {
	return k.verb(verb{
		use:     "nextserver [subnetName] [IP]",
		short:   "Set the server that the hosts of a subnet boot from",
		long:    "Set the address of the server that hosts boot from; 0.0.0.0 is the server itself.",
		example: "drp subnets nextserver lan 192.168.124.1",
		args:    exactly(2),
		run: func(ctx context.Context, args []string) error {
			if !isIPv4(args[1]) {
				return notIPv4(args[1])
			}
			return k.editSubnet(ctx, args[0], func(doc document) { doc["NextServer"] = args[1] })
		},
	})
}

func (k *kind) leaseTimes() *cobra.Command {
	return k.verb(verb{
		use:     "leasetimes [subnetName] [active] [reserved]",
		short:   "Set how long leases of a subnet last",
		long:    "Set for how many seconds hosts get their address: those without a reservation, 60 at least, and those\nwith one, 7200 at least.",
		example: "drp subnets leasetimes lan 600 7200",
		args:    exactly(3),
		run: func(ctx context.Context, args []string) error {
			var seconds [2]int64
			for i, s := range args[1:] {
				n, err := strconv.ParseInt(s, 10, 32)
				if err != nil {
					return notNumber(s)
				}
				seconds[i] = n
			}
			return k.editSubnet(ctx, args[0], func(doc document) { doc["ActiveLeaseTime"], doc["ReservedLeaseTime"] = seconds[0], seconds[1] })
		},
	})
}

func notNumber(s string) error { return verbatim("%s could not be read as a number", s) }

func (k *kind) pickers() *cobra.Command {
	return k.verb(verb{
		use:     "pickers [subnetName] [list]",
		short:   "Set how a subnet chooses addresses",
		long:    "Set the ways to choose an address, in the order they are tried, separated by commas: none, hint, nextFree\nand mostExpired.",
		example: "drp subnets pickers lan hint,nextFree,mostExpired",
		args:    exactly(2),
		run: func(ctx context.Context, args []string) error {
			list := strings.Split(args[1], ",")
			for i := range list {
				list[i] = strings.TrimSpace(list[i])
			}
			return k.editSubnet(ctx, args[0], func(doc document) { doc["Pickers"] = list })
		},
	})
}

// optionCode reads the number of a DHCP option.
func optionCode(s string) (byte, error) {
	if _, err := strconv.Atoi(s); err != nil {
		return 0, notNumber(s)
	}
	n, err := strconv.ParseUint(s, 10, 8)
	if err != nil {
		return 0, fmt.Errorf("%s is not the number of a DHCP option: they go from 0 to 255", s)
	}
	return byte(n), nil
}

// subnet fetches a subnet.
func (k *kind) subnet(ctx context.Context, id string) (*models.Subnet, error) {
	return client.Get[*models.Subnet](ctx, k.client, k.at(id))
}

func (k *kind) setOption() *cobra.Command {
	return k.verb(verb{
		use:   "set [subnetName] option [number] to [value]",
		short: "Set a DHCP option of a subnet",
		long: "Set a DHCP option by its number, or add it; null takes it away. The value may be a template. The server\n" +
			"puts back netmask (1) and broadcast (28), which clients cannot do without.",
		example: "drp subnets set lan option 3 to 192.168.124.1",
		args:    all(exactly(5), word(1, "option"), word(3, "to")),
		run: func(ctx context.Context, args []string) error {
			code, err := optionCode(args[2])
			if err != nil {
				return err
			}
			return k.shows(k.change(ctx, args[0], false, func(doc document) error {
				var list []models.DhcpOption
				if err := json.Unmarshal(must(doc["Options"]), &list); err != nil {
					return fmt.Errorf("options of %s/%s: %w", k.name, args[0], err)
				}
				doc["Options"] = withOption(list, code, args[4])
				return nil
			}))
		},
	})
}

// withOption is a list with one option set; the value null takes it away.
func withOption(list []models.DhcpOption, code byte, value string) []models.DhcpOption {
	i := slices.IndexFunc(list, func(o models.DhcpOption) bool { return o.Code == code })
	switch {
	case i >= 0 && value == "null":
		return slices.Delete(list, i, i+1)
	case i >= 0:
		list[i].Value = value
	case value != "null":
		list = append(list, models.DhcpOption{Code: code, Value: value})
	}
	return list
}

func (k *kind) getOption() *cobra.Command {
	return k.verb(verb{
		use:     "get [subnetName] option [number]",
		short:   "Print a DHCP option of a subnet",
		long:    "Print the value of a DHCP option, by its number.",
		example: "drp subnets get lan option 3",
		args:    all(exactly(3), word(1, "option")),
		run: func(ctx context.Context, args []string) error {
			code, err := optionCode(args[2])
			if err != nil {
				return err
			}
			s, err := k.subnet(ctx, args[0])
			if err != nil {
				return err
			}
			for _, o := range s.Options {
				if o.Code == code {
					return k.say("Option %d: %s", code, o.Value)
				}
			}
			return fmt.Errorf("option %d does not exist", code)
		},
	})
}
