package models

// BootEnv is what a machine boots: a kernel and initial ramdisks, a local disk, an installer.
type BootEnv struct {
	Common
	Name           string // an installer's name ends in "-install"
	Description    string
	Documentation  string
	OS             OSInfo
	Templates      []TemplateInfo
	Kernel         string
	Initrds        []string
	BootParams     string // template of the kernel's command line
	RequiredParams []string
	OptionalParams []string
	OnlyUnknown    bool // for machines drp does not know
	Loaders        map[string]string
}

// OSInfo is the operating system that a boot environment brings.
type OSInfo struct {
	Name                   string
	Family                 string
	Codename               string
	Version                string
	IsoFile                string
	IsoSha256              string
	IsoUrl                 string
	SupportedArchitectures map[string]ArchInfo
}

// ArchInfo is what differs between the architectures of one boot environment.
type ArchInfo struct {
	IsoFile    string
	Sha256     string
	IsoUrl     string
	Kernel     string
	Initrds    []string
	BootParams string
	Loader     string
}

func (*BootEnv) Kind() string  { return "bootenvs" }
func (b *BootEnv) Key() string { return b.Name }

func (b *BootEnv) Normalize() {
	b.normalize()
	normalizeTemplates(&b.Templates)
	fill(&b.Initrds)
	fill(&b.RequiredParams)
	fill(&b.OptionalParams)
	if b.Loaders == nil {
		b.Loaders = map[string]string{}
	}
	if b.OS.SupportedArchitectures == nil {
		b.OS.SupportedArchitectures = map[string]ArchInfo{}
	}
	for k, a := range b.OS.SupportedArchitectures {
		fill(&a.Initrds)
		b.OS.SupportedArchitectures[k] = a
	}
}

var loaders = []string{"386-pcbios", "amd64-uefi", "arm64-uefi"}

func (b *BootEnv) Validate() []string {
	var p problems
	p.name(nameGeneral, "Name", b.Name)
	p.names(nameParam, "Required Param", b.RequiredParams)
	p.names(nameParam, "Optional Param", b.OptionalParams)
	p.templates(b.Templates, true)
	for _, k := range sortedKeys(b.Loaders) {
		if !contains(loaders, k) {
			p.addf("%s is not a supported loader type", k)
		}
	}
	for _, k := range sortedKeys(b.OS.SupportedArchitectures) {
		if !arches[k] && archAlias[k] == "" {
			p.addf("%s is not a supported architecture", k)
		}
	}
	return p
}
