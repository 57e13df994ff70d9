package models

import (
	"net"
	"net/netip"
	"strings"
)

// Machine is a host, physical or not, that drp drives through a list of tasks.
type Machine struct {
	Common
	Partial     bool   // true when an answer left fields out on request
	Name        string // unique; usually the host's full name
	Description string
	Uuid        string // the key: random unless given at creation, and never changed
	CurrentJob  string // the newest job, or ""; kept by the server
	Address     string // IPv4 or IPv6 address, or ""
	Stage       string // read-only while Workflow is set
	BootEnv     string // what it should boot next; read-only while Workflow is set
	Profiles    []string
	Params      Params
	// Tasks are task names and the entries stage:S, bootenv:B, context:C, chroot:DIR and
	// action:[plugin:]NAME.
	Tasks []string
	// CurrentTask is the index of the entry the newest job was made for: -1 before the first,
	// len(Tasks) after the last.
	CurrentTask      int
	RetryTaskAttempt int
	TaskErrorStacks  []TaskStack
	Runnable         bool   // jobs may be created
	Secret           string // part of every token of this machine: a new one ends them all
	OS               string
	HardwareAddrs    []string // MAC addresses
	Workflow         string
	Arch             string
	Locked           bool // refuses all changes but the one that unlocks
	Context          string
	Fingerprint      Fingerprint
	Pool             string
	PoolAllocated    bool
	PoolStatus       string
	WorkflowComplete bool // nothing is left to do; kept by the server
}

// TaskStack is a task list put aside while an error handler runs.
type TaskStack struct {
	CurrentTask int
	TaskList    []string
}

// Fingerprint is what a machine can be recognised by; the hashes are base64 on the wire.
type Fingerprint struct {
	SSNHash         []byte
	CSNHash         []byte
	CloudInstanceID string
	SystemUUID      string
	MemoryIds       [][]byte
}

// BaseContext is the key in a machine's Meta that names the context to return to whenever its
// task list is replaced.
const BaseContext = "BaseContext"

func (*Machine) Kind() string             { return "machines" }
func (m *Machine) Key() string            { return m.Uuid }
func (m *Machine) ParamMap() *Params      { return &m.Params }
func (m *Machine) ProfileNames() []string { return m.Profiles }
func (m *Machine) Done() bool             { return m.CurrentTask >= len(m.Tasks) }
func (m *Machine) EntryAt(i int) (s string) {
	if i >= 0 && i < len(m.Tasks) {
		s = m.Tasks[i]
	}
	return s
}

func (m *Machine) Normalize() {
	m.normalize()
	m.Partial = false // objects are kept whole
	fill(&m.Profiles)
	fillMap(&m.Params)
	fill(&m.Tasks)
	fill(&m.TaskErrorStacks)
	fill(&m.HardwareAddrs)
	for i := range m.TaskErrorStacks {
		fill(&m.TaskErrorStacks[i].TaskList)
	}
	m.Fingerprint.normalize()
	m.Uuid = strings.ToLower(m.Uuid)
	if m.Arch == "" {
		m.Arch = "amd64"
	}
	if m.Pool == "" {
		m.Pool = DefaultPool
	}
	if m.PoolStatus == "" {
		m.PoolStatus = PoolFree
	}
}

// archAlias are names others use for the architectures of Go.
var archAlias = map[string]string{
	"x86_64": "amd64", "i386": "386", "i486": "386", "i686": "386", "486": "386", "686": "386",
	"aarch64": "arm64", "armel": "arm", "armhfp": "arm", "power9": "ppc64",
	"mips64el": "mips64le", "mipsel": "mipsle",
}

// ArchOf is Go's name of an architecture that may go by another name.
func ArchOf(name string) string {
	if a, ok := archAlias[name]; ok {
		return a
	}
	return name
}

var arches = map[string]bool{
	"amd64": true, "386": true, "arm": true, "arm64": true, "ppc64": true, "ppc64le": true, "mips": true,
	"mipsle": true, "mips64": true, "mips64le": true, "s390x": true, "rpi4": true,
}

func (m *Machine) Validate() []string {
	var p problems
	p.name(nameMachine, "Name", m.Name)
	if !IsUUID(m.Uuid) {
		p.addf("Invalid UUID: %s", m.Uuid)
	}
	if m.Address != "" {
		if _, err := netip.ParseAddr(m.Address); err != nil {
			p.addf("Invalid address: %s", m.Address)
		}
	}
	p.optional("Stage", m.Stage)
	p.optional("BootEnv", m.BootEnv)
	p.optional("Workflow", m.Workflow)
	p.name(nameGeneral, "Pool", m.Pool)
	p.names(nameGeneral, "Profile", m.Profiles)
	p.unique("profile", m.Profiles)
	p.params(m.Params)
	p.tasks(m.Tasks, true)
	for _, a := range m.HardwareAddrs {
		if _, err := net.ParseMAC(a); err != nil {
			p.addf("Invalid Hardware Address `%s`: %v", a, err)
		}
	}
	switch alias := archAlias[m.Arch]; {
	case alias != "":
		p.addf("Please use %s for Arch instead of %s", alias, m.Arch)
	case !arches[m.Arch]:
		p.addf("Unsupported arch %s", m.Arch)
	}
	return p
}

// SplitEntry splits an entry of a task list: "stage:foo" into "stage" and "foo", and the name
// of a task into "" and the name.
func SplitEntry(entry string) (verb, arg string) {
	if v, a, ok := strings.Cut(entry, ":"); ok {
		return v, a
	}
	return "", entry
}

var entryVerbs = map[string]bool{"stage": true, "bootenv": true, "context": true, "chroot": true, "action": true}

// tasks checks the entries of a task list; only a machine may leave out an action's plugin.
func (p *problems) tasks(entries []string, machine bool) {
	for _, e := range entries {
		verb, arg := SplitEntry(e)
		switch {
		case verb == "":
			p.name(nameGeneral, "Task", e)
		case !entryVerbs[verb], arg == "" && verb != "context":
			p.addf("Invalid Task: %s", e)
		case verb == "stage":
			p.name(nameGeneral, "Stage", arg)
		case verb == "bootenv":
			p.name(nameGeneral, "BootEnv", arg)
		case verb == "action" && !machine && !strings.Contains(arg, ":"):
			p.addf("Invalid action specifier %s", arg)
		}
	}
}

// Generate fills in the key and the secret. The zero UUID is that of no machine.
func (m *Machine) Generate() {
	if m.Uuid == "" || m.Uuid == ZeroUUID {
		m.Uuid = NewUUID()
	}
	if m.Secret == "" {
		m.Secret = NewSecret(16)
	}
}
