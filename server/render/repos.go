package render

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"drp/models"
)

// repositories is the param that lists package repositories.
const repositories = "package-repositories"

// Repo is a package repository.
type Repo struct {
	Tag            string   `json:"tag"`
	OS             []string `json:"os"`
	Arch           string   `json:"arch"` // "": any
	URL            string   `json:"url"`
	PackageType    string   `json:"packageType"`
	RepoType       string   `json:"repoType"`
	InstallSource  bool     `json:"installSource"`
	SecuritySource bool     `json:"securitySource"`
	BootLoc        string   `json:"bootloc"`
	Distribution   string   `json:"distribution"`
	Components     []string `json:"components"`

	R  *Data  `json:"-"` // the dot
	os string // the system it was chosen for
}

func (r *Repo) String() string { return r.Tag }

// repos are all repositories; none where the param is not set.
func (d *Data) repos() ([]*Repo, error) {
	raw, ok := d.find(repositories)
	if !ok {
		return nil, nil
	}
	if err := d.x.meter.spend(4 * len(raw)); err != nil {
		return nil, err
	}
	var list []*Repo
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, because("param %s: %v", repositories, err)
	}
	list = slices.DeleteFunc(list, func(r *Repo) bool { return r == nil })
	for _, r := range list {
		r.R = d
		if len(r.OS) > 0 {
			r.os = r.OS[0]
		}
	}
	return list, nil
}

// serves tells whether machines of a system and an architecture use the repository, which may name
// the architecture as its distribution does.
func (r *Repo) serves(os, arch string) bool {
	return os != "" && slices.Contains(r.OS, os) && (r.Arch == "" || r.Arch == "any" || models.ArchOf(r.Arch) == models.ArchOf(arch))
}

// MachineRepos are the repositories for the operating system the machine runs.
func (d *Data) MachineRepos() ([]*Repo, error) {
	if d.x.machine == nil {
		return nil, nil
	}
	m := d.x.machine.Object.(*models.Machine)
	return d.reposFor(m.OS, m.Arch)
}

func (d *Data) reposFor(os, arch string) ([]*Repo, error) {
	list, err := d.repos()
	list = slices.DeleteFunc(list, func(r *Repo) bool { return !r.serves(os, arch) })
	for _, r := range list {
		r.os = os
	}
	return list, err
}

// InstallRepos are those an installer of the boot environment needs: one install source and one
// for security updates, as far as there are. An ISO on the file server is the install source.
func (d *Data) InstallRepos() ([]*Repo, error) {
	e := d.Env()
	if e == nil {
		return nil, nil
	}
	list, err := d.reposFor(e.OS.Name, e.arch)
	if err != nil {
		return nil, err
	}
	var install, security *Repo
	if e.exploded() {
		if install, err = e.local(); err != nil {
			return nil, err
		}
	}
	for _, r := range list {
		if r.InstallSource && install == nil {
			install = r
		}
		if r.SecuritySource && security == nil {
			security = r
		}
	}
	chosen := []*Repo{install, security}
	return slices.Compact(slices.DeleteFunc(chosen, func(r *Repo) bool { return r == nil })), nil
}

// Repos are the repositories with one of the tags.
func (d *Data) Repos(tags ...string) ([]*Repo, error) {
	list, err := d.repos()
	return slices.DeleteFunc(list, func(r *Repo) bool { return !slices.Contains(tags, r.Tag) }), err
}

// JoinedComponents are the components, separated by blanks.
func (r *Repo) JoinedComponents() string { return strings.Join(r.Components, " ") }

// family is the operating system without its version.
func (r *Repo) family() string {
	name, _, _ := strings.Cut(r.os, "-")
	return name
}

func (r *Repo) debian() bool { return families[r.family()] == "debian" || r.PackageType == "deb" }

// UrlFor is where a component lies.
func (r *Repo) UrlFor(component string) string {
	if r.family() == "scientificlinux" {
		return r.URL + "/" + r.Distribution + "/$basearch/" + component
	}
	u := r.URL + "/" + r.Distribution + "/" + component + "/$basearch"
	if major, err := strconv.Atoi(r.Distribution); r.family() == "centos" && err == nil && major >= 8 {
		u += "/os" // beside the sources and the debuginfo, which mirrors kept elsewhere before
	}
	return u
}

// Install is what an installer's answers say of the repository: a kickstart or a preseed.
func (r *Repo) Install() (string, error) {
	if !r.debian() {
		return r.kickstart(), nil
	}
	u, err := url.Parse(r.URL)
	if err != nil {
		return "", because("repository %s: %v", r.Tag, err)
	}
	if r.SecuritySource && !r.InstallSource {
		return "d-i apt-setup/security_host string " + u.Host + "\n" + "d-i apt-setup/security_path string " + u.Path, nil
	}
	return "d-i mirror/protocol string " + u.Scheme + "\n" +
		"d-i mirror/http/hostname string " + u.Host + "\n" +
		"d-i mirror/http/directory string " + u.Path, nil
}

func (r *Repo) kickstart() string {
	line := func(cost int) string {
		return fmt.Sprintf("repo --name=%q --baseurl=%s --cost=%d", r.Tag, r.URL, cost)
	}
	if r.InstallSource {
		return "install\nurl --url " + r.URL + "\n" + line(100)
	}
	return line(200)
}

// Lines is what the package manager's configuration says of the repository.
func (r *Repo) Lines() string {
	if r.debian() {
		return strings.TrimSpace("deb " + r.URL + " " + r.Distribution + " " + r.JoinedComponents())
	}
	if r.Distribution == "" || len(r.Components) == 0 {
		return section(r.Tag, r.os+" - "+r.Tag, r.URL)
	}
	blocks := make([]string, len(r.Components))
	for i, c := range r.Components {
		blocks[i] = section(r.Tag+"-"+c, r.Tag+" - "+c, r.UrlFor(c))
	}
	return strings.Join(blocks, "\n")
}

func section(id, name, base string) string {
	return "[" + id + "]\nname=" + name + "\nbaseurl=" + base + "\ngpgcheck=0\n"
}
