package cli

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// gohai tells what this host is made of, in the sections that inventory tasks read.
func (a *app) gohai() *cobra.Command {
	return a.command(verb{
		use:   "gohai",
		short: "Get basic system information as a JSON blob",
		long: "Print what this host is made of: DMI, processors, memory, network cards, disks and operating system. No server\n" +
			"is asked. What cannot be read, since the system does not tell it or only tells root, is left out.",
		example: "drp gohai --jq .Memory.Total",
		args:    none,
		run:     func(context.Context, []string) error { return a.print(hostFiles("/").inventory()) },
	})
}

// hostFiles is the root of the file system that tells about it.
type hostFiles string

func (h hostFiles) inventory() document {
	return document{
		"DMI": h.dmi(), "CPU": h.cpu(), "Memory": h.memory(), "Networking": document{"Interfaces": h.cards()},
		"Storage": document{"Disks": h.disks()}, "System": h.system(),
	}
}

// line is the text of a file of one line, "" if it cannot be read.
func (h hostFiles) line(path string) string {
	raw, err := os.ReadFile(filepath.Join(string(h), path))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(raw))
}

func (h hostFiles) dmi() document {
	d := document{}
	for section, fields := range map[string]map[string]string{
		"System":    {"Manufacturer": "sys_vendor", "ProductName": "product_name", "Version": "product_version", "SerialNumber": "product_serial", "UUID": "product_uuid", "Family": "product_family", "SKU": "product_sku"},
		"Baseboard": {"Manufacturer": "board_vendor", "ProductName": "board_name", "Version": "board_version", "SerialNumber": "board_serial", "AssetTag": "board_asset_tag"},
		"Chassis":   {"Manufacturer": "chassis_vendor", "Type": "chassis_type", "SerialNumber": "chassis_serial", "AssetTag": "chassis_asset_tag"},
		"BIOS":      {"Vendor": "bios_vendor", "Version": "bios_version", "ReleaseDate": "bios_date"},
	} {
		s := document{}
		for name, file := range fields {
			if v := h.line("sys/class/dmi/id/" + file); v != "" {
				s[name] = v
			}
		}
		d[section] = s
	}
	hypervisor := ""
	for _, l := range strings.Split(h.line("proc/cpuinfo"), "\n") {
		if name, flags, _ := strings.Cut(l, ":"); strings.TrimSpace(name) == "flags" && strings.Contains(flags+" ", " hypervisor ") {
			hypervisor = "unknown"
		}
	}
	d["Hypervisor"] = hypervisor
	return d
}

func (h hostFiles) cpu() document {
	c := document{"Architecture": runtime.GOARCH}
	threads, sockets := 0, map[string]bool{}
	for _, l := range strings.Split(h.line("proc/cpuinfo"), "\n") {
		name, value, _ := strings.Cut(l, ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(name) {
		case "processor":
			threads++
		case "physical id":
			sockets[value] = true
		case "model name":
			c["Model"] = value
		case "cpu cores":
			c["CoresPerSocket"], _ = strconv.Atoi(value)
		}
	}
	c["Threads"], c["Sockets"] = threads, max(len(sockets), 1)
	return c
}

func (h hostFiles) memory() document {
	m := document{}
	names := map[string]string{"MemTotal": "Total", "MemAvailable": "Available", "SwapTotal": "Swap"}
	for _, l := range strings.Split(h.line("proc/meminfo"), "\n") {
		name, value, _ := strings.Cut(l, ":")
		if to, ok := names[name]; ok {
			if kib, err := strconv.ParseInt(strings.Fields(value + " 0")[0], 10, 64); err == nil {
				m[to] = kib << 10 // bytes
			}
		}
	}
	return m
}

func (h hostFiles) cards() []document {
	all := []document{}
	cards, err := net.Interfaces()
	if err != nil {
		return all
	}
	for _, c := range cards {
		d := document{"Name": c.Name, "Index": c.Index, "MTU": c.MTU, "HardwareAddr": c.HardwareAddr.String(), "Up": c.Flags&net.FlagUp != 0, "Addrs": []string{}}
		if addrs, err := c.Addrs(); err == nil {
			list := []string{}
			for _, a := range addrs {
				list = append(list, a.String())
			}
			d["Addrs"] = list
		}
		at := "sys/class/net/" + c.Name
		if n, err := strconv.Atoi(h.line(at + "/speed")); err == nil && n > 0 {
			d["Speed"] = n // Mbit/s
		}
		if driver, err := os.Readlink(filepath.Join(string(h), at, "device/driver")); err == nil {
			d["Driver"] = filepath.Base(driver)
		}
		_, err := os.Stat(filepath.Join(string(h), at, "device"))
		d["Physical"] = err == nil
		all = append(all, d)
	}
	return all
}

func (h hostFiles) disks() []document {
	all := []document{}
	entries, err := os.ReadDir(filepath.Join(string(h), "sys/block"))
	if err != nil {
		return all
	}
	for _, e := range entries {
		at := "sys/block/" + e.Name()
		sectors, err := strconv.ParseInt(h.line(at+"/size"), 10, 64)
		if _, device := os.Stat(filepath.Join(string(h), at, "device")); err != nil || device != nil {
			continue // a loop or a RAM disk
		}
		all = append(all, document{
			"Name": e.Name(), "Size": sectors * 512, "Rotational": h.line(at+"/queue/rotational") == "1", "Removable": h.line(at+"/removable") == "1",
			"Vendor": h.line(at + "/device/vendor"), "Model": h.line(at + "/device/model"), "Serial": h.line(at + "/device/serial"),
		})
	}
	return all
}

func (h hostFiles) system() document {
	d := document{"OS": runtime.GOOS, "Kernel": h.line("proc/sys/kernel/osrelease"), "MachineID": h.line("etc/machine-id")}
	d["Hostname"], _ = os.Hostname()
	for _, l := range strings.Split(h.line("etc/os-release"), "\n") {
		name, value, _ := strings.Cut(l, "=")
		if to, ok := map[string]string{"ID": "Distribution", "VERSION_ID": "Version", "PRETTY_NAME": "Name"}[name]; ok {
			d[to] = strings.Trim(value, `"`)
		}
	}
	return d
}
