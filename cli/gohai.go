package cli

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// gohai tells what this host is made of, in the sections and under the names that the inventory
// tasks of public packs read: those are always there, so that a filter over them does not fail.
func (a *app) gohai() *cobra.Command {
	return a.command(verb{
		use:   "gohai",
		short: "Get basic system information as a JSON blob",
		long: "Print what this host is made of: DMI, processors, memory, network cards, disks and operating system. No server\n" +
			"is asked. What cannot be read, since the system does not tell it or only tells root, is left out.",
		example: "drp gohai --jq .System.Memory.Total",
		args:    none,
		run:     func(context.Context, []string) error { return a.print(hostFiles("/").inventory()) },
	})
}

// hostFiles is the root of the file system that tells about it.
type hostFiles string

func (h hostFiles) inventory() document {
	return document{
		"DMI": h.dmi(), "Networking": document{"Interfaces": h.cards()},
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
	d["Hypervisor"], d["Memory"] = h.hypervisor(), h.slots()
	return d
}

// hypervisors are how vendors and products of virtual machines begin.
var hypervisors = [][2]string{
	{"KVM", "KVM"}, {"QEMU", "QEMU"}, {"VMware", "VMware"}, {"VMW", "VMware"}, {"innotek GmbH", "VirtualBox"}, {"VirtualBox", "VirtualBox"},
	{"Oracle Corporation", "VirtualBox"}, {"Xen", "Xen"}, {"Bochs", "Bochs"}, {"Parallels", "Parallels"}, {"BHYVE", "BHYVE"},
}

// hypervisor is what this host runs on; "" is the bare metal.
func (h hostFiles) hypervisor() string {
	for _, file := range []string{"product_name", "sys_vendor", "board_vendor", "bios_vendor"} {
		for _, v := range hypervisors {
			if strings.HasPrefix(h.line("sys/class/dmi/id/"+file), v[0]) {
				return v[1]
			}
		}
	}
	for _, l := range strings.Split(h.line("proc/cpuinfo"), "\n") {
		if name, flags, _ := strings.Cut(l, ":"); strings.TrimSpace(name) == "flags" && strings.Contains(flags+" ", " hypervisor ") {
			return "unknown"
		}
	}
	return ""
}

// slots are the places for memory modules, as the firmware tells root of them.
func (h hostFiles) slots() document {
	raw, _ := os.ReadFile(filepath.Join(string(h), "sys/firmware/dmi/tables/DMI")) // no table has no slots
	devices, total, populated := []document{}, uint64(0), 0
	for len(raw) >= 4 {
		kind, length := raw[0], int(raw[1])
		if length < 4 || length > len(raw) {
			break
		}
		if kind == memoryDevice {
			if size, ok := moduleSize(raw[:length]); ok {
				devices = append(devices, document{"Size": size})
				if total += size; size != 0 {
					populated++
				}
			}
		}
		end := bytes.Index(raw[length:], []byte{0, 0}) // of the texts that follow
		if end < 0 {
			break
		}
		raw = raw[length+end+2:]
	}
	return document{"Devices": devices, "TotalSlots": len(devices), "PopulatedSlots": populated, "Size": total}
}

const memoryDevice = 17 // SMBIOS 3.7, section 7.18

// moduleSize is the size of a memory module in bytes, 0 for an empty slot.
func moduleSize(s []byte) (uint64, bool) {
	if len(s) < 0x0e {
		return 0, false
	}
	switch size := binary.LittleEndian.Uint16(s[0x0c:]); {
	case size == 0xffff: // unknown
		return 0, true
	case size == 0x7fff && len(s) >= 0x20:
		return uint64(binary.LittleEndian.Uint32(s[0x1c:])&0x7fffffff) << 20, true
	case size&0x8000 != 0:
		return uint64(size&0x7fff) << 10, true
	default:
		return uint64(size) << 20, true
	}
}

// processors are those that the kernel schedules on, threads of one core each for itself.
func (h hostFiles) processors() []document {
	all := []document{}
	for _, l := range strings.Split(h.line("proc/cpuinfo"), "\n") {
		name, value, _ := strings.Cut(l, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if name == "processor" {
			all = append(all, document{"Model": "", "Speed": "", "Cores": int64(0)})
		}
		if len(all) == 0 {
			continue
		}
		p := all[len(all)-1]
		if to, ok := map[string]string{"model name": "Model", "vendor_id": "Vendor", "cpu MHz": "Speed"}[name]; ok {
			p[to] = value
		}
		if to, ok := map[string]string{"processor": "ID", "physical id": "PhysID", "core id": "CoreID", "cpu cores": "Cores"}[name]; ok {
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				p[to] = n
			}
		}
	}
	return all
}

func (h hostFiles) memory() document {
	m := document{"Total": int64(0), "Free": int64(0), "Available": int64(0)}
	names := map[string]string{"MemTotal": "Total", "MemFree": "Free", "MemAvailable": "Available", "SwapTotal": "Swap"}
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
		d := document{"Name": c.Name, "Index": c.Index, "MTU": c.MTU, "HardwareAddr": c.HardwareAddr.String(), "Up": c.Flags&net.FlagUp != 0, "Addrs": []string{},
			"Flags": c.Flags.String(), "Vendor": "", "Model": "", "Speed": 0}
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
		d["Physical"], d["Duplex"] = err == nil, h.line(at+"/duplex") == "full"
		link, _ := os.Readlink(filepath.Join(string(h), at)) // what is no link has no bus
		bus := strings.TrimSuffix(strings.TrimPrefix(link, "../../devices/"), "/net/"+c.Name)
		d["Sys"] = document{"BusAddress": bus, "IsPhysical": bus != "" && !strings.HasPrefix(bus, "virtual"), "IfIndex": c.Index, "OperState": h.line(at + "/operstate")}
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
	processors := h.processors()
	d := document{
		"OS": runtime.GOOS, "Arch": runtime.GOARCH, "Kernel": h.line("proc/sys/kernel/osrelease"), "MachineID": h.line("etc/machine-id"),
		"Memory": h.memory(), "Processors": processors, "ProcessorCount": len(processors),
	}
	d["Hostname"], _ = os.Hostname()
	for _, l := range strings.Split(h.line("etc/os-release"), "\n") {
		name, value, _ := strings.Cut(l, "=")
		if to, ok := map[string]string{"ID": "Distribution", "VERSION_ID": "Version", "PRETTY_NAME": "Name"}[name]; ok {
			d[to] = strings.Trim(value, `"`)
		}
	}
	return d
}
