package render

import (
	"encoding/hex"
	"net"
	"net/netip"
	"slices"
	"strings"

	"drp/models"
	"drp/server/objects"
)

// The models under other names, so that templates get their fields but none of their methods.
type (
	machineFields models.Machine
	taskFields    models.Task
	stageFields   models.Stage
)

// Machine is the machine as templates see it: the fields of the model, and what is made of them.
// It is a copy; nothing that a template does to it is seen by anyone else.
type Machine struct {
	machineFields
	x   *run
	raw []byte
}

// Machine is the machine that is rendered for; nil when it is not known yet.
func (d *Data) Machine() *Machine {
	if d.x.machine == nil {
		return nil
	}
	if d.x.dot.machine == nil {
		d.x.dot.machine = &Machine{machineFields(*d.x.machine.Clone().(*models.Machine)), d.x, d.x.machine.Raw}
	}
	return d.x.dot.machine
}

// MarshalJSON writes the machine as the API shows it.
func (m *Machine) MarshalJSON() ([]byte, error) { return m.raw, nil }

func (m *Machine) String() string { return m.Uuid }

// Params are the machine's own params, in Go's types.
func (m *Machine) Params() (map[string]any, error) {
	out := map[string]any{}
	d := Data{m.x}
	for key, raw := range m.machineFields.Params {
		v, err := d.decode(key, raw)
		if err != nil {
			return nil, err
		}
		out[key] = v
	}
	return out, nil
}

// UUID is the machine's key.
func (m *Machine) UUID() string { return m.Uuid }

// ShortName is the name up to the first dot.
func (m *Machine) ShortName() string {
	name, _, _ := strings.Cut(m.Name, ".")
	return name
}

// Path is where the machine's files are on the file server.
func (m *Machine) Path() string { return "machines/" + m.Uuid }

// Url is Path with the file server in front.
func (m *Machine) Url() string { return (&Data{m.x}).ProvisionerURL() + "/" + m.Path() }

// HexAddress is the IPv4 address in the notation of pxelinux: 8 upper-case hex digits; "" when
// the machine has none.
func (m *Machine) HexAddress() string {
	a, err := netip.ParseAddr(m.Address)
	if err != nil || !a.Unmap().Is4() {
		return ""
	}
	b := a.Unmap().As4()
	return strings.ToUpper(hex.EncodeToString(b[:]))
}

var macFormats = map[string]func(mac string) string{
	"pxelinux": func(mac string) string { return "01-" + hyphens(mac) },
	"rpi4":     hyphens,
	"rpi":      hyphens, // what packs wrote before there was more than one model
}

func hyphens(mac string) string { return strings.ReplaceAll(mac, ":", "-") }

// MacAddr is a hardware address as a boot loader asks for it: "pxelinux", "rpi4", or with colons
// for all others; "" when the machine has none. It is the first, but in a file whose path names
// another: that one.
func (m *Machine) MacAddr(format ...string) string {
	if m.x.mac >= len(m.HardwareAddrs) {
		return ""
	}
	mac := macOf(m.HardwareAddrs[m.x.mac])
	if len(format) > 0 && macFormats[format[0]] != nil {
		return macFormats[format[0]](mac)
	}
	return mac
}

// macOf is a hardware address in lower case with colons.
func macOf(addr string) string {
	if a, err := net.ParseMAC(addr); err == nil {
		return a.String()
	}
	return strings.ToLower(addr)
}

// HasProfile tells whether the machine itself names a profile.
func (m *Machine) HasProfile(name string) bool { return slices.Contains(m.Profiles, name) }

// HasTask tells whether a task is in the machine's list.
func (m *Machine) HasTask(name string) bool { return slices.Contains(m.Tasks, name) }

// Task is the task that is rendered.
type Task struct {
	taskFields
	TargetOS string // the operating system that was asked for; "" for all
}

func (t *Task) String() string { return t.Name }

// Task is the task that is rendered; nil when it is something else.
func (d *Data) Task() *Task {
	if d.x.dot.task == nil && d.x.task != nil {
		d.x.dot.task = &Task{taskFields(*models.Clone(d.x.task)), d.x.os}
	}
	return d.x.dot.task
}

// Stage is a stage as templates see it.
type Stage struct{ stageFields }

func (s *Stage) String() string { return s.Name }

// Stage is the stage that is rendered, or the one the machine is in; nil when there is none.
func (d *Data) Stage() *Stage {
	if d.x.dot.stage != nil {
		return d.x.dot.stage
	}
	s := d.x.stage
	if s == nil && d.x.machine != nil {
		s, _ = objects.Get[*models.Stage](d.x.view, d.x.machine.Object.(*models.Machine).Stage)
	}
	if s == nil {
		return nil
	}
	d.x.dot.stage = &Stage{stageFields(*models.Clone(s))}
	return d.x.dot.stage
}
