// Package fingerprint reads what the host that it runs on can be recognised by.
package fingerprint

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"drp/models"
)

// Read collects what the files below a root say: "/" but in tests. It needs no rights, though without
// those of root it finds less; unread says what it could not read, a line each.
//
//   - SSNHash is the SHA-256 of manufacturer, product and serial number of the system; CSNHash that
//     of manufacturer and serial number of the chassis or, without one, of manufacturer, product and
//     serial number of the board; MemoryIds those of manufacturer, part number and serial number of
//     each memory module. The words stand one right behind the other. A virtual host has none of
//     these: its serial numbers are made up.
//   - SystemUUID is the firmware's.
//   - CloudInstanceID is "CLOUD:ID" where cloud-init knows a cloud.
//   - MacAddrs are the permanent addresses of the network cards, those without hardware left out.
//   - OnDiskUUID is in /etc/rs-uuid or, in another form, in /etc/machine-id.
func Read(root string) (w *models.Whoami, unread []string) {
	h := &host{root: root}
	w = &models.Whoami{MacAddrs: h.cards(), OnDiskUUID: h.onDisk()}
	f := &w.Fingerprint
	f.CloudInstanceID = h.instance()
	f.SystemUUID = strings.ToLower(h.dmi("product_uuid"))
	if !sane(f.SystemUUID) {
		f.SystemUUID = ""
	}
	if !h.virtual() {
		f.SSNHash = h.serial("sys_vendor", "product_name", "product_serial")
		if f.CSNHash = h.serial("chassis_vendor", "chassis_serial"); f.CSNHash == nil {
			f.CSNHash = h.serial("board_vendor", "board_name", "board_serial")
		}
		f.MemoryIds = h.memory()
	}
	w.Normalize()
	return w, h.unread
}

type host struct {
	root   string
	unread []string
}

// read is the text of a file, "" when there is none. One that cannot be read is noted.
func (h *host) read(path ...string) string {
	name := filepath.Join(path...)
	raw, err := os.ReadFile(filepath.Join(h.root, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		h.unread = append(h.unread, fmt.Sprintf("/%s: %v", name, reason(err)))
	}
	return strings.TrimSpace(string(raw))
}

func reason(err error) error {
	var in *fs.PathError
	if errors.As(err, &in) {
		err = in.Err
	}
	if errors.Is(err, fs.ErrPermission) {
		return errors.New("only root may read it")
	}
	return err
}

func (h *host) dmi(name string) string { return h.read("sys/class/dmi/id", name) }

// virtual tells whether the host runs on another one.
func (h *host) virtual() bool {
	if h.read("sys/hypervisor/type") != "" {
		return true
	}
	for line := range strings.Lines(h.read("proc/cpuinfo")) {
		if name, flags, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "flags" {
			return slices.Contains(strings.Fields(flags), "hypervisor")
		}
	}
	return false
}

// placeholder is what stands in place of serial numbers that nobody has set.
var placeholder = regexp.MustCompile(`(?i)^(0x)?(0*|x*|0*1234567890*|(sernum|none)\d*|n/?a|\[?empty\]?|<.*>|unknown?|(not |default|to be |tbd ).*|notsupport.*|.*\bo\.?e\.?m\b.*|(system|chassis|base ?board) serial.*|[mn]b-0?1234567890?)$`)

// serial is the hash of some words of the firmware, the last of which is a serial number; nil when
// there is none.
func (h *host) serial(names ...string) []byte {
	words := make([]string, len(names))
	for i, name := range names {
		words[i] = h.dmi(name)
	}
	return hash(words...)
}

func hash(words ...string) []byte {
	if placeholder.MatchString(strings.TrimSpace(words[len(words)-1])) {
		return nil
	}
	sum := sha256.Sum256([]byte(strings.Join(words, "")))
	return sum[:]
}

// sane tells whether a UUID is one of its own, and not one that many hosts have.
func sane(uuid string) bool {
	return models.IsUUID(uuid) && !strings.HasSuffix(uuid, "-000000000000") && strings.Trim(uuid, uuid[:2]+"-") != ""
}

// memory are the hashes of the memory modules, sorted. When two are alike, serial numbers are none
// here.
func (h *host) memory() [][]byte {
	entries, _ := filepath.Glob(filepath.Join(h.root, "sys/firmware/dmi/entries/17-*"))
	var ids [][]byte
	for _, e := range entries {
		name, err := filepath.Rel(h.root, e)
		if err != nil {
			continue
		}
		before := len(h.unread)
		raw := h.read(name, "raw")
		if len(h.unread) > before && len(ids) == 0 { // all of them are closed alike
			return nil
		}
		if id := module([]byte(raw)); id != nil {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, bytes.Compare)
	for i := 1; i < len(ids); i++ {
		if bytes.Equal(ids[i-1], ids[i]) {
			return nil
		}
	}
	return ids
}

// Where a memory device of SMBIOS (type 17) says which of its strings is what.
const (
	manufacturerAt = 0x17
	serialAt       = 0x18
	partAt         = 0x1a
)

// module is the hash of a memory module, nil when there is none or it has no serial number.
func module(raw []byte) []byte {
	if len(raw) < 2 || int(raw[1]) <= partAt || len(raw) < int(raw[1]) {
		return nil
	}
	words := bytes.Split(raw[raw[1]:], []byte{0})
	word := func(at int) string {
		i := int(raw[at])
		if i == 0 || i > len(words) {
			return ""
		}
		return strings.TrimSpace(string(words[i-1]))
	}
	return hash(word(manufacturerAt), word(partAt), word(serialAt))
}

// instance is what the cloud calls the host.
func (h *host) instance() string {
	var data struct {
		V1 struct {
			Cloud    string `json:"cloud_name"`
			Instance string `json:"instance_id"`
		} `json:"v1"`
	}
	if json.Unmarshal([]byte(h.read("run/cloud-init/instance-data.json")), &data) != nil || data.V1.Instance == "" ||
		slices.Contains([]string{"", "none", "nocloud", "unknown"}, strings.ToLower(data.V1.Cloud)) {
		return ""
	}
	return data.V1.Cloud + ":" + data.V1.Instance
}

// cards are the addresses of the network cards, sorted. A card that is part of a bond goes by
// another address than its own.
func (h *host) cards() []string {
	found, _ := filepath.Glob(filepath.Join(h.root, "sys/class/net/*/device"))
	var list []string
	for _, device := range found {
		card := filepath.Join("sys/class/net", filepath.Base(filepath.Dir(device)))
		address := h.read(card, "bonding_slave/perm_hwaddr")
		if address == "" {
			address = h.read(card, "address")
		}
		if mac, err := net.ParseMAC(address); err == nil && len(mac) == 6 && !slices.Contains(list, mac.String()) {
			list = append(list, mac.String())
		}
	}
	slices.Sort(list)
	return list
}

// onDisk is the UUID that was once noted on the host.
func (h *host) onDisk() string {
	if noted := strings.ToLower(h.read("etc/rs-uuid")); models.IsUUID(noted) {
		return noted
	}
	id := strings.ToLower(h.read("etc/machine-id"))
	if len(id) != 32 {
		return ""
	}
	if id = strings.Join([]string{id[:8], id[8:12], id[12:16], id[16:20], id[20:]}, "-"); !models.IsUUID(id) {
		return ""
	}
	return id
}
