package cli

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module is a memory device in a table of SMBIOS.
func module(handle byte, size uint16, extended uint32) string {
	s := make([]byte, 0x28)
	s[0], s[1], s[2] = memoryDevice, byte(len(s)), handle
	binary.LittleEndian.PutUint16(s[0x0c:], size)
	binary.LittleEndian.PutUint32(s[0x1c:], extended)
	return string(s) + "DIMM\x00\x00"
}

// What the inventory task of the public packs asks of every host has an answer on one that tells
// nothing.
func TestInventoryFiltersWorkOnAnyHost(t *testing.T) {
	raw := must(hostFiles(t.TempDir()).inventory())
	for filter, want := range map[string]string{
		".System.Memory.Total / 1048576 | floor": "0",
		".DMI.Memory.PopulatedSlots":             "0",
		"[.DMI.Memory.Devices|.?|map(select(.Size != 0)) | map(.Size / 1048576 | floor) | .[]] | length":                                     "0",
		".Networking.Interfaces | map(select(.Sys.BusAddress == \"virtual\")) | length":                                                      "0",
		".Networking.Interfaces | map((.Speed|tostring)+(.Duplex|tostring)+.Vendor+.Model+.HardwareAddr+.Name+.Sys.BusAddress) | length > 0": "true",
		".System.ProcessorCount":      "0",
		".System.Processors[0].Model": "null",
		".DMI.System.Manufacturer":    "null",
		".DMI.Hypervisor":             `""`,
		".Storage.Disks | length":     "0",
	} {
		var out, errs bytes.Buffer
		if status := jq("jq", []string{"-c", filter}, IO{In: bytes.NewReader(raw), Out: &out, Err: &errs}); status != 0 || out.String() != want+"\n" {
			t.Errorf("%s: %s, status %d, %s; want %s", filter, &out, status, &errs, want)
		}
	}
}

func TestInventoryTellsWhatTheSystemTells(t *testing.T) {
	dir := t.TempDir()
	for path, text := range map[string]string{
		"proc/meminfo":                   "MemTotal:       2048 kB\nMemAvailable: 1024 kB\n",
		"proc/cpuinfo":                   "processor\t: 0\nmodel name\t: Model X\nphysical id\t: 0\ncpu cores\t: 2\nflags\t: sse hypervisor avx\n\nprocessor\t: 1\nphysical id\t: 0\n",
		"sys/class/dmi/id/product_uuid":  "4C4C4544\n",
		"sys/class/dmi/id/chassis_type":  "1\n",
		"sys/block/vda/size":             "100\n",
		"sys/block/vda/device/model":     "disk\n",
		"sys/block/vda/queue/rotational": "1\n",
		"sys/block/loop0/size":           "5\n",
		"sys/firmware/dmi/tables/DMI":    module(0x0a, 4096, 0) + "\x01\x05\x00\x00xtext\x00more\x00\x00" + module(0x1f, 0, 0) + module(0x28, 0x7fff, 65536) + "\x11",
		"etc/os-release":                 "ID=debian\nPRETTY_NAME=\"Debian 13\"\n",
	} {
		at := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(at, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got := string(must(hostFiles(dir).inventory()))
	for _, want := range []string{`"Total":2097152`, `"ProcessorCount":2`, `"PhysID":0`, `"Model":"Model X"`, `"Cores":2`, `"Hypervisor":"unknown"`,
		`"Devices":[{"Size":4294967296},{"Size":0},{"Size":68719476736}],"PopulatedSlots":2,"Size":73014444032,"TotalSlots":3`,
		`"UUID":"4C4C4544"`, `"Chassis":{"Type":"1"}`, `"Name":"vda","Removable":false,"Rotational":true`, `"Size":51200`, `"Distribution":"debian"`, `"Name":"Debian 13"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s is not in %s", want, got)
		}
	}
	if strings.Contains(got, "loop0") {
		t.Error("a loop device is told as a disk")
	}
	empty := string(must(hostFiles(t.TempDir()).inventory()))
	if !strings.Contains(empty, `"Disks":[]`) || !strings.Contains(empty, `"Memory":{"Available":0,"Free":0,"Total":0}`) {
		t.Errorf("of a host that tells nothing: %s", empty)
	}
	if r := (call{}).drp(t, "gohai", "--jq", ".Networking.Interfaces | length > 0"); r.out != "true\n" {
		t.Errorf("got %+v", r)
	}
}

func TestTheServerAsAWhole(t *testing.T) {
	s := newServer(t, map[string]string{
		"GET system/consensus/id": `"north"`, "POST system/active": `{}`, "GET debug/profile?seconds=2": "profile", "GET drp_debug/index/machines": "{}",
		"POST system/upgrade": `409 {"Model":"system","Key":"","Type":"POST","Messages":["no"],"Code":409}`,
	})
	c := func(args ...string) result {
		return call{}.drp(t, append([]string{"-E", s.URL, "-T", "t"}, args...)...)
	}
	dir := t.TempDir()
	want(t, "id", c("system", "ha", "id").out, "\"north\"\n")
	want(t, "active", c("system", "active").out, "{}\n")
	want(t, "upgrade", c("system", "upgrade", "cows").err, "Error: Error opening cows: Must specify a file or url\n")
	file := filepath.Join(dir, "zip")
	if err := os.WriteFile(file, []byte("zip"), 0o644); err != nil {
		t.Fatal(err)
	}
	want(t, "upgrade", c("system", "upgrade", file).err, "Error: POST: system: no\n")
	out := filepath.Join(dir, "cpu")
	want(t, "debug", c("debug", "profile", out, "--seconds", "2").err, "Gathering profile debug data for 2 seconds to "+out+"\n")
	if raw, err := os.ReadFile(out); string(raw) != "profile" || err != nil {
		t.Errorf("got %q, %v", raw, err)
	}
	want(t, "index", c("debug", "index", "-", "--prefix", "machines").out, "{}")
	want(t, "no such type", c("debug", "cow", out).err, "Error: Unknown debug type cow\n")
	if r := c("debug", "heap", filepath.Join(dir, "none")); r.status != 1 {
		t.Errorf("got %+v", r)
	}
	if _, err := os.Stat(filepath.Join(dir, "none")); err == nil {
		t.Error("a failed download has left a file")
	}
	if r := c("autocomplete", filepath.Join(dir, "bash")); r.status != 0 {
		t.Errorf("got %+v", r)
	}
}
