package fingerprint

import (
	"crypto/sha256"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"drp/models"
)

// tree writes files below a new root.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// dimm is a memory device as the firmware describes it.
func dimm(manufacturer, serial, part string) string {
	raw := make([]byte, 0x22)
	raw[0], raw[1] = 17, byte(len(raw))
	raw[manufacturerAt], raw[serialAt], raw[partAt] = 1, 2, 3
	return string(raw) + manufacturer + "\x00" + serial + "\x00" + part + "\x00\x00"
}

var server = map[string]string{
	"sys/class/dmi/id/sys_vendor":                  "Acme\n",
	"sys/class/dmi/id/product_name":                "Anvil 9\n",
	"sys/class/dmi/id/product_serial":              "S-77\n",
	"sys/class/dmi/id/product_uuid":                "4C4C4544-0042-3510-8051-B4C04F4A3132\n",
	"sys/class/dmi/id/chassis_vendor":              "Acme\n",
	"sys/class/dmi/id/chassis_serial":              "C-78\n",
	"sys/class/net/lo/address":                     "00:00:00:00:00:00\n",
	"sys/class/net/br0/address":                    "52:54:00:00:00:01\n",
	"sys/class/net/eth1/address":                   "52:54:00:AA:BB:02\n",
	"sys/class/net/eth1/device/vendor":             "0x8086\n",
	"sys/class/net/eth0/address":                   "52:54:00:aa:bb:02\n",
	"sys/class/net/eth0/device/vendor":             "0x8086\n",
	"sys/class/net/eth0/bonding_slave/perm_hwaddr": "52:54:00:aa:bb:01\n",
	"sys/firmware/dmi/entries/17-0/raw":            dimm("Mem", "M-1", "P"),
	"sys/firmware/dmi/entries/17-1/raw":            dimm("Mem", "M-2 ", "P"),
	"sys/firmware/dmi/entries/17-2/raw":            dimm("NO DIMM", "", ""),
	"run/cloud-init/instance-data.json":            `{"v1":{"cloud_name":"aws","instance_id":"i-1"}}`,
	"etc/machine-id":                               "3d1219c7c4c5404aaa1f6d2a48adfda4\n",
	"proc/cpuinfo":                                 "processor : 0\nflags : fpu vme\n",
}

func with(changes map[string]string) map[string]string {
	files := map[string]string{}
	for name, text := range server {
		files[name] = text
	}
	for name, text := range changes {
		files[name] = text
	}
	return files
}

func sum(s string) string { h := sha256.Sum256([]byte(s)); return string(h[:]) }

func TestAHostIsKnownByItsHardware(t *testing.T) {
	w, unread := Read(tree(t, server))
	f := w.Fingerprint
	if string(f.SSNHash) != sum("AcmeAnvil 9S-77") || string(f.CSNHash) != sum("AcmeC-78") {
		t.Errorf("the hashes of the serial numbers are not of vendor, product and number: %x, %x", f.SSNHash, f.CSNHash)
	}
	if f.SystemUUID != "4c4c4544-0042-3510-8051-b4c04f4a3132" || f.CloudInstanceID != "aws:i-1" || w.OnDiskUUID != "3d1219c7-c4c5-404a-aa1f-6d2a48adfda4" {
		t.Errorf("got UUID %s, instance %s, on disk %s", f.SystemUUID, f.CloudInstanceID, w.OnDiskUUID)
	}
	want := []string{sum("MemPM-1"), sum("MemPM-2")}
	slices.Sort(want)
	if len(f.MemoryIds) != 2 || string(f.MemoryIds[0]) != want[0] || string(f.MemoryIds[1]) != want[1] {
		t.Errorf("got memory %x, want that of two modules, sorted", f.MemoryIds)
	}
	if !slices.Equal(w.MacAddrs, []string{"52:54:00:aa:bb:01", "52:54:00:aa:bb:02"}) {
		t.Errorf("got cards %v, want the permanent addresses of both that are real", w.MacAddrs)
	}
	if len(unread) > 0 {
		t.Errorf("unread: %v", unread)
	}
	m := &models.Machine{Uuid: models.NewUUID(), Fingerprint: f, HardwareAddrs: w.MacAddrs}
	if got := w.Likeness().Score(m); got != 25+25+50+500+100+100 {
		t.Errorf("the host is %d like itself", got)
	}
}

func TestWhatManyHostsHaveIsNotTakenForOne(t *testing.T) {
	for _, serial := range []string{"", "0", "0000000000", "To Be Filled By O.E.M.", "Not Specified", "None", "N/A", "System Serial Number", "0123456789", "XXXXX", "Default string", "[Empty]", "OEM_Define1x OEM"} {
		w, _ := Read(tree(t, with(map[string]string{"sys/class/dmi/id/product_serial": serial, "sys/class/dmi/id/chassis_serial": serial})))
		if len(w.Fingerprint.SSNHash) > 0 || len(w.Fingerprint.CSNHash) > 0 {
			t.Errorf("the serial number %q is taken for one", serial)
		}
	}
	w, _ := Read(tree(t, with(map[string]string{"sys/class/dmi/id/chassis_serial": "None", "sys/class/dmi/id/board_vendor": "B", "sys/class/dmi/id/board_name": "N", "sys/class/dmi/id/board_serial": "7"})))
	if string(w.Fingerprint.CSNHash) != sum("BN7") {
		t.Error("without a number of the chassis that of the board is not taken")
	}
	for _, uuid := range []string{"", "x", "00000000-0000-0000-0000-000000000000", "03000200-0400-0500-0006-000000000000", "0A0A0A0A-0A0A-0A0A-0A0A-0A0A0A0A0A0A"} {
		if w, _ := Read(tree(t, with(map[string]string{"sys/class/dmi/id/product_uuid": uuid}))); w.Fingerprint.SystemUUID != "" {
			t.Errorf("the UUID %q is taken for one", uuid)
		}
	}
	if w, _ := Read(tree(t, with(map[string]string{"sys/firmware/dmi/entries/17-1/raw": dimm("Mem", "M-1", "P")}))); len(w.Fingerprint.MemoryIds) > 0 {
		t.Error("modules with the same number are told apart")
	}
	for _, raw := range []string{"", "\x11", "\x11\xff", "\x11\x17" + strings.Repeat("\x01", 30), dimm("a", "b", "c")[:0x22]} {
		if module([]byte(raw)) != nil {
			t.Errorf("a broken description makes a module: %q", raw)
		}
	}
	virtual := with(map[string]string{"proc/cpuinfo": "flags : fpu hypervisor\n"})
	if w, _ := Read(tree(t, virtual)); len(w.Fingerprint.SSNHash)+len(w.Fingerprint.CSNHash)+len(w.Fingerprint.MemoryIds) > 0 || w.Fingerprint.SystemUUID == "" {
		t.Errorf("a virtual host is known by %+v", w.Fingerprint)
	}
}

func TestWhatCannotBeReadIsSaid(t *testing.T) {
	root := tree(t, server)
	closed := filepath.Join(root, "sys/class/dmi/id/product_serial")
	if err := os.Remove(closed); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(closed, 0o755); err != nil { // what even root cannot read
		t.Fatal(err)
	}
	w, unread := Read(root)
	if len(unread) != 1 || !strings.HasPrefix(unread[0], "/sys/class/dmi/id/product_serial: ") || len(w.Fingerprint.SSNHash) > 0 {
		t.Errorf("unread: %q", unread)
	}
	empty, unread := Read(t.TempDir())
	if len(unread) > 0 || empty.MacAddrs == nil || empty.Fingerprint.MemoryIds == nil {
		t.Errorf("a host that has nothing: %+v, unread %v", empty, unread)
	}
	noted, _ := Read(tree(t, with(map[string]string{"etc/rs-uuid": "3E7031FE-3062-45f1-835c-92541bc9cbd3"})))
	if noted.OnDiskUUID != "3e7031fe-3062-45f1-835c-92541bc9cbd3" {
		t.Errorf("got %q, want what stands in /etc/rs-uuid", noted.OnDiskUUID)
	}
}
