package render

import (
	"strconv"
	"strings"

	"drp/models"
	"drp/server/objects"
)

type (
	envFields models.BootEnv
	osFields  models.OSInfo
)

// Env is a boot environment as templates see it, for one architecture.
type Env struct {
	envFields
	OS   OS
	x    *run
	arch string
}

// OS is the operating system of a boot environment.
type OS struct{ osFields }

const defaultArch = "amd64"

// Env is the boot environment that is rendered, or the one the machine is in; nil when there is
// none.
func (d *Data) Env() *Env {
	if d.x.dot.env != nil {
		return d.x.dot.env
	}
	b, arch := d.x.bootenv, ""
	if d.x.machine != nil {
		m := d.x.machine.Object.(*models.Machine)
		arch = m.Arch
		if b == nil {
			b, _ = objects.Get[*models.BootEnv](d.x.view, m.BootEnv)
		}
	}
	if b == nil {
		return nil
	}
	if arch == "" {
		arch = defaultArch
	}
	c := models.Clone(b)
	d.x.dot.env = &Env{envFields(*c), OS{osFields(c.OS)}, d.x, arch}
	return d.x.dot.env
}

func (e *Env) String() string { return e.Name }

// of is what the boot environment has for an architecture, under whichever name.
func (e *Env) of(arch string) models.ArchInfo {
	arch = models.ArchOf(arch)
	if a, ok := e.OS.SupportedArchitectures[arch]; ok {
		return a
	}
	for name, a := range e.OS.SupportedArchitectures {
		if models.ArchOf(name) == arch {
			return a
		}
	}
	return models.ArchInfo{}
}

// Kernel is the kernel for the machine's architecture.
func (e *Env) Kernel() string { return e.KernelFor(e.arch) }

// KernelFor is the kernel for an architecture.
func (e *Env) KernelFor(arch string) string {
	if k := e.of(arch).Kernel; k != "" {
		return k
	}
	return e.envFields.Kernel
}

// Initrds are the initial ramdisks for the machine's architecture.
func (e *Env) Initrds() []string { return e.InitrdsFor(e.arch) }

// InitrdsFor are the initial ramdisks for an architecture.
func (e *Env) InitrdsFor(arch string) []string {
	if l := e.of(arch).Initrds; len(l) > 0 {
		return l
	}
	return e.envFields.Initrds
}

// JoinInitrds are the paths of the initial ramdisks, separated by blanks.
func (e *Env) JoinInitrds(proto string) (string, error) { return e.JoinInitrdsFor(proto, e.arch) }

// JoinInitrdsFor is JoinInitrds for an architecture.
func (e *Env) JoinInitrdsFor(proto, arch string) (string, error) {
	var paths []string
	for _, f := range e.InitrdsFor(arch) {
		p, err := e.PathForArch(proto, f, arch)
		if err != nil {
			return "", err
		}
		paths = append(paths, p)
	}
	return strings.Join(paths, " "), nil
}

// BootParams is the kernel's command line for the machine's architecture, rendered.
func (e *Env) BootParams() (string, error) { return e.bootParams(e.arch) }

func (e *Env) bootParams(arch string) (string, error) {
	text := e.of(arch).BootParams
	if text == "" {
		text = e.envFields.BootParams
	}
	return (&Data{e.x}).text("BootParams of "+e.Name, text)
}

// BootParams is that of Env, "" when there is none.
func (d *Data) BootParams() (string, error) {
	if e := d.Env(); e != nil {
		return e.BootParams()
	}
	return "", nil
}

// BootParamsFor is BootParams for an architecture.
func (d *Data) BootParamsFor(arch string) (string, error) {
	if e := d.Env(); e != nil {
		return e.bootParams(arch)
	}
	return "", nil
}

// PathFor is where a file of the boot environment is: below the root of the TFTP server for
// "tftp", a URL for "http". Without a file it is the folder.
func (e *Env) PathFor(proto, file string) (string, error) { return e.PathForArch(proto, file, e.arch) }

// PathForArch is PathFor for an architecture.
func (e *Env) PathForArch(proto, file, arch string) (string, error) {
	path := e.folder(arch)
	if file != "" {
		path += "/" + file
	}
	switch proto {
	case "tftp":
		return path, nil
	case "http":
		return (&Data{e.x}).ProvisionerURL() + "/" + path, nil
	}
	return "", because("PathFor: %q is neither tftp nor http", proto)
}

func (e *Env) folder(arch string) string {
	path := e.OS.Name
	if arch = models.ArchOf(arch); arch != defaultArch {
		path += "/" + arch
	}
	if strings.HasSuffix(e.Name, "-install") {
		path += "/install"
	}
	return path
}

// InstallUrl is where an installer finds its packages: the folder of the boot environment on the
// file server if its ISO lies there, or the install source among the package repositories; and
// without either that folder, where the ISO is to be.
func (e *Env) InstallUrl() (string, error) {
	if e.exploded() {
		return e.PathFor("http", "")
	}
	repos, err := (&Data{e.x}).repos()
	if err != nil {
		return "", err
	}
	for _, r := range repos {
		if r.InstallSource && r.serves(e.OS.Name, e.arch) {
			return r.URL, nil
		}
	}
	return e.PathFor("http", "")
}

func (e *Env) exploded() bool {
	return e.OS.Name != "" && e.x.cfg.Exploded != nil && e.x.cfg.Exploded(e.folder(e.arch))
}

// local is the ISO on the file server as a package repository.
func (e *Env) local() (*Repo, error) {
	u, err := e.PathFor("http", "")
	r := &Repo{Tag: e.OS.Name, OS: []string{e.OS.Name}, Arch: e.arch, URL: u, InstallSource: true, R: &Data{e.x}, os: e.OS.Name}
	if r.debian() {
		r.Distribution, r.Components = e.OS.Codename, []string{"main"}
	}
	return r, err
}

// FamilyName is the family, or the first part of the name.
func (o OS) FamilyName() string {
	if o.Family != "" {
		return o.Family
	}
	name, _, _ := strings.Cut(o.Name, "-")
	return name
}

// families are the systems that are built like another.
var families = map[string]string{
	"redhat": "rhel", "rhel": "rhel", "centos": "rhel", "scientificlinux": "rhel", "fedora": "rhel", "rocky": "rhel",
	"almalinux": "rhel", "oraclelinux": "rhel", "debian": "debian", "ubuntu": "debian",
}

// FamilyType is "rhel" or "debian" for what descends from these, and else the family's name.
func (o OS) FamilyType() string {
	if t := families[strings.ToLower(o.FamilyName())]; t != "" {
		return t
	}
	return o.FamilyName()
}

// FamilyVersion is the version, or the second part of the name.
func (o OS) FamilyVersion() string {
	if o.Version != "" {
		return o.Version
	}
	_, rest, _ := strings.Cut(o.Name, "-")
	version, _, _ := strings.Cut(rest, "-")
	return version
}

// VersionEq tells whether FamilyVersion is the version, as far as that goes: 7.3 is a 7.
func (o OS) VersionEq(version string) bool {
	have, want := strings.Split(o.FamilyVersion(), "."), strings.Split(version, ".")
	if len(want) > len(have) {
		return false
	}
	for i, w := range want {
		a, aerr := strconv.Atoi(have[i])
		b, berr := strconv.Atoi(w)
		if numbers := aerr == nil && berr == nil; numbers && a != b || !numbers && have[i] != w {
			return false
		}
	}
	return true
}
