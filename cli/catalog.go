package cli

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"drp/cli/client"
	"drp/models"

	"github.com/Masterminds/semver/v3"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sync/errgroup"
)

// catalog are the commands on a list of what can be installed, which somebody publishes as a content
// pack with catalog_items. There is no catalog unless one is named: none belongs to drp.
func (a *app) catalog() *cobra.Command {
	show := a.command(verb{
		use: "show", short: "Show the catalog", long: "Show the catalog as it is: a content pack with catalog_items.",
		example: "drp catalog show -c https://repo.example.com/catalog.json", args: none,
		run: func(ctx context.Context, _ []string) error {
			_, raw, err := a.readCatalog(ctx)
			return a.prints(raw, err)
		},
	})
	items := a.command(verb{
		use: "items", short: "List what the catalog offers", long: "Print a map of what the catalog offers, by name: of what type it is, and in which versions it is there.",
		example: "drp catalog items -c catalog.yaml", args: none,
		run: func(ctx context.Context, _ []string) error {
			all, _, err := a.readCatalog(ctx)
			if err != nil {
				return err
			}
			return a.print(all.offers())
		},
	})
	return a.group("catalog", "Work with a catalog of things to install",
		"Show what a catalog offers, download it, and install it on the server. A catalog is a content pack (JSON or\n"+
			"YAML) with catalog_items, named by -c or RS_CATALOG as a file or URL. drp comes with none, and asks no\nvendor for one.",
		"drp catalog items -c https://repo.example.com/catalog.json\ndrp catalog item install task-library -c catalog.yaml",
		show, items, a.catalogItem(), a.updateLocal(), a.createCatalog())
}

// catalog is what a catalog offers.
type catalog []*models.CatalogItem

// offer is all versions of one thing.
type offer struct {
	Type     string
	Versions []string
}

func (c catalog) offers() map[string]*offer {
	all := map[string]*offer{}
	for _, i := range c {
		if all[i.Name] == nil {
			all[i.Name] = &offer{Type: i.ContentType}
		}
		all[i.Name].Versions = append(all[i.Name].Versions, i.Version)
	}
	for _, o := range all {
		slices.Sort(o.Versions)
	}
	return all
}

// find is one thing in one version; that is a name such as stable, or a number.
func (c catalog) find(name, version string) (*models.CatalogItem, error) {
	at := slices.IndexFunc(c, func(i *models.CatalogItem) bool { return i.Name == name && i.Version == version })
	if at < 0 {
		at = slices.IndexFunc(c, func(i *models.CatalogItem) bool { return i.Name == name && i.ActualVersion == version })
	}
	if at < 0 {
		return nil, verbatim("%s version %s not in catalog", name, version)
	}
	return c[at], nil
}

// readCatalog reads the catalog that -c names, as it is and decoded, in the order of its keys.
func (a *app) readCatalog(ctx context.Context) (catalog, []byte, error) {
	if a.flags.catalog == "" {
		return nil, nil, errors.New("which catalog? Name its file or URL with -c (--catalog) or RS_CATALOG; drp comes with none")
	}
	text, err := a.source(ctx, a.flags.catalog)
	if err != nil {
		return nil, nil, verbatim("Error fetching catalog: %w", err)
	}
	pack, raw, err := parsePack(text)
	if err != nil {
		return nil, nil, verbatim("Error fetching catalog: %w", err)
	}
	section := pack.Sections["catalog_items"]
	var all catalog
	for _, key := range slices.Sorted(maps.Keys(section)) {
		var i models.CatalogItem
		if err := decode(must(section[key]), &i); err != nil {
			return nil, nil, verbatim("Error fetching catalog: %s: %w", key, err)
		}
		i.Id = cmp.Or(i.Id, key)
		all = append(all, &i)
	}
	return all, raw, nil
}

// choice is which version of a thing is meant, and for which system.
type choice struct{ arch, os, version string }

func (c *choice) add(f *pflag.FlagSet) {
	f.StringVar(&c.arch, "arch", runtime.GOARCH, "architecture of the program to download")
	f.StringVar(&c.os, "os", runtime.GOOS, "operating system of the program to download")
	f.StringVar(&c.version, "version", "stable", "version, as the catalog names it")
}

func (a *app) catalogItem() *cobra.Command {
	var c choice
	var replace packFlags
	item := a.group("item", "Work with one thing of the catalog", "Show, download or install one thing that the catalog offers.", "drp catalog item show task-library -c catalog.yaml",
		a.command(verb{
			use: "show [item]", short: "Show in which versions something is there", long: "Show of what type something is, and in which versions the catalog offers it.",
			example: "drp catalog item show task-library -c catalog.yaml", args: says(1, 1, "item show requires 1 argument"),
			run: func(ctx context.Context, args []string) error {
				all, _, err := a.readCatalog(ctx)
				if err != nil {
					return err
				}
				found := all.offers()[args[0]]
				if found == nil {
					return verbatim("No item named %s in the catalog", args[0])
				}
				return a.print(found)
			},
		}),
		a.command(verb{
			use: "download [item] (to [file])", short: "Download something",
			long: "Download something that the catalog offers, to a file or to one of its own name in this directory. It is\n" +
				"compared with the checksum in the catalog, if there is one.",
			example: "drp catalog item download task-library to task-library.json -c catalog.yaml",
			args: all(func(_ *cobra.Command, args []string) string {
				if len(args) != 1 && len(args) != 3 {
					return "item download requires 1 or 2 arguments"
				}
				return ""
			}, word(1, "to")),
			run: func(ctx context.Context, args []string) error { return a.downloadItem(ctx, c, args) },
		}),
		a.command(verb{
			use: "install [item]", short: "Install something on the server",
			long: "Install something that the catalog offers on the server: a content pack with the packs it requires, unless\n" +
				"they are there, a plugin provider for the system of the server, or what is for the server itself.",
			example: "drp catalog item install task-library --version v4.8.0 -c catalog.yaml", args: says(1, 1, "item install requires 1 argument"),
			flags: replace.writable,
			run: func(ctx context.Context, args []string) error {
				all, _, err := a.readCatalog(ctx)
				if err != nil {
					return err
				}
				info, err := client.Get[models.Info](ctx, a.client, "info")
				if err != nil {
					return err
				}
				c.arch, c.os = info.Arch, info.Os
				return a.installItem(ctx, all, args[0], c, replace.option(), map[string]bool{})
			},
		}))
	c.add(item.PersistentFlags())
	return item
}

// says is between with a text of its own, without the usage line.
func says(low, high int, complaint string) arity {
	return func(_ *cobra.Command, args []string) string {
		if len(args) < low || len(args) > high {
			return complaint
		}
		return ""
	}
}

// endings of the files of a type.
var endings = map[string]string{"ContentPackage": ".json", "DRP": ".zip", "DRPUX": ".zip"}

// part is one file of a thing.
type part struct {
	url string
	sum string // in hex; "": not told
}

// partFor is the file for one system.
func partFor(i *models.CatalogItem, arch, os string) part {
	system := arch + "/" + os
	sum, special := i.Shasum256[system]
	switch {
	case i.ContentType == "PluginProvider" || i.ContentType == "DRPCLI":
		return part{i.Source + "/" + system + "/" + i.Name, sum}
	case i.ContentType == "DRP" && special:
		return part{strings.TrimSuffix(i.Source, ".zip") + "." + arch + "." + os + ".zip", sum}
	}
	return part{i.Source, i.Shasum256["any/any"]}
}

// partsOf are the files for all systems.
func partsOf(i *models.CatalogItem) []part {
	var all []part
	for _, system := range slices.Sorted(maps.Keys(i.Shasum256)) {
		arch, os, _ := strings.Cut(system, "/")
		if p := partFor(i, arch, os); !slices.Contains(all, p) {
			all = append(all, p)
		}
	}
	if len(all) == 0 {
		all = append(all, partFor(i, "any", "any"))
	}
	return all
}

// openPart opens a file that the catalog names, by URL or path; a path that is not absolute begins at the catalog.
func (a *app) openPart(ctx context.Context, p part) (io.ReadCloser, int64, error) {
	from := p.url
	if !strings.Contains(from, "://") && !filepath.IsAbs(from) {
		if base, err := url.Parse(a.flags.catalog); err == nil && base.Host != "" {
			from = base.JoinPath("..", from).String()
		} else {
			from = filepath.Join(filepath.Dir(a.flags.catalog), from)
		}
	}
	r, size, err := a.openSource(ctx, from)
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", from, err)
	}
	return r, size, nil
}

// differs tells that what came is not what the catalog promised.
func (p part) differs(sum []byte) error {
	if got := hex.EncodeToString(sum); p.sum != "" && !strings.EqualFold(p.sum, got) {
		return fmt.Errorf("%s: its SHA-256 is %s, and should be %s", p.url, got, p.sum)
	}
	return nil
}

// fetchPart reads a file that the catalog names into w, and compares its checksum.
func (a *app) fetchPart(ctx context.Context, i *models.CatalogItem, p part, w io.Writer) error {
	r, size, err := a.openPart(ctx, p)
	if err != nil {
		return verbatim("Unable to contact source URL for %s: %w", i.Name, err)
	}
	defer r.Close()
	sum := sha256.New()
	bar := a.progress(i.Name, size, 0)
	_, err = io.Copy(io.MultiWriter(w, sum), bar.reader(r))
	bar.end(err == nil)
	if err != nil {
		return fmt.Errorf("download %s: %w", p.url, err)
	}
	return p.differs(sum.Sum(nil))
}

func (a *app) downloadItem(ctx context.Context, c choice, args []string) error {
	all, _, err := a.readCatalog(ctx)
	if err != nil {
		return err
	}
	item, err := all.find(args[0], c.version)
	if err != nil {
		return err
	}
	target := path.Base(item.Name) + endings[item.ContentType]
	if len(args) == 3 {
		target = args[2]
	}
	err = a.save(target, func(w io.Writer) error { return a.fetchPart(ctx, item, partFor(item, c.arch, c.os), w) })
	if err != nil || target == "-" {
		return err
	}
	mode := os.FileMode(0o644)
	if item.ContentType == "PluginProvider" || item.ContentType == "DRPCLI" {
		mode = 0o755
	}
	return os.Chmod(target, mode)
}

// installItem installs a thing and first what it requires; begun are those that are under way.
func (a *app) installItem(ctx context.Context, all catalog, name string, c choice, opt client.Option, begun map[string]bool) error {
	if begun[name] || name == "BasicStore" { // the server's own objects
		return nil
	}
	begun[name] = true
	item, err := all.find(name, c.version)
	if err != nil {
		return err
	}
	p := partFor(item, c.arch, c.os)
	switch item.ContentType {
	case "ContentPackage":
		return a.installPack(ctx, all, item, c, opt, begun)
	case "PluginProvider":
		return a.hand(ctx, item, p, "plugin_providers/"+item.Name, opt)
	case "DRP":
		return a.hand(ctx, item, p, "system/upgrade")
	case "DRPUX":
		return a.hand(ctx, item, p, "files/ux/drp-ux.zip", client.WithFlag("explode", "true"))
	}
	return verbatim("Don't know how to install %s of type %s yet", item.Name, item.ContentType)
}

// hand gives a file to the server once it is here and right.
func (a *app) hand(ctx context.Context, item *models.CatalogItem, p part, to string, opts ...client.Option) error {
	tmp, err := os.CreateTemp("", "drp-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	if err := a.fetchPart(ctx, item, p, tmp); err != nil {
		return err
	}
	if _, err := tmp.Seek(0, io.SeekStart); err != nil {
		return err
	}
	return a.prints(a.do(ctx, http.MethodPost, to, io.Reader(tmp), opts...))
}

func (a *app) installPack(ctx context.Context, all catalog, item *models.CatalogItem, c choice, opt client.Option, begun map[string]bool) error {
	var text strings.Builder
	if err := a.fetchPart(ctx, item, partFor(item, c.arch, c.os), &text); err != nil {
		return err
	}
	pack, raw, err := parsePack([]byte(text.String()))
	if err != nil {
		return verbatim("Error downloading content bundle %s: %w", item.Name, err)
	}
	required := c
	if c.version != "tip" {
		required.version = "stable"
	}
	for _, want := range strings.Split(pack.Meta.Prerequisites, ",") {
		name, _, _ := strings.Cut(want, ":")
		if name = strings.TrimSpace(name); name == "" {
			continue
		}
		_, err := a.do(ctx, http.MethodGet, contentAt(name), nil)
		if models.ClassOf(err) == models.NotFound {
			err = a.installItem(ctx, all, name, required, opt, begun)
		}
		if err != nil {
			return fmt.Errorf("%s requires %s: %w", item.Name, name, err)
		}
	}
	return a.summary(a.send(ctx, pack, raw, opt))
}

// mostAtOnce is how many downloads may be asked for at once.
const mostAtOnce = 20

func (a *app) updateLocal() *cobra.Command {
	var lowest string
	var tip bool
	var atOnce int
	return a.command(verb{
		use: "updateLocal", short: "Copy what the catalog offers to the server's files",
		long: "Copy what the catalog offers to the files of the server below rebar-catalog, so that machines and servers\n" +
			"without a way out can be served from there. Files that the server has with the right checksum are left out.",
		example: "drp catalog updateLocal --version v4.8.0 -c https://repo.example.com/catalog.json", args: none,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&lowest, "version", "", "only from this version on; stable: only what the catalog calls so")
			f.BoolVar(&tip, "tip", false, "what is called tip too")
			f.IntVar(&atOnce, "concurrency", 1, fmt.Sprintf("downloads at once, at most %d", mostAtOnce))
		},
		run: func(ctx context.Context, _ []string) error {
			if atOnce > mostAtOnce || atOnce < 1 {
				return verbatim("Invalid value for concurrency: %d. Max allowed is %d", atOnce, mostAtOnce)
			}
			wanted, err := wantedFrom(lowest, tip)
			if err != nil {
				return err
			}
			all, _, err := a.readCatalog(ctx)
			if err != nil {
				return err
			}
			g, ctx := errgroup.WithContext(ctx)
			g.SetLimit(atOnce)
			for _, i := range all {
				if !wanted(i) {
					continue
				}
				for _, p := range partsOf(i) {
					g.Go(func() error { return a.copyPart(ctx, i, p) })
				}
			}
			return g.Wait()
		},
	})
}

// wantedFrom is the choice that --version and --tip make.
func wantedFrom(lowest string, tip bool) (func(*models.CatalogItem) bool, error) {
	switch lowest {
	case "":
		return func(i *models.CatalogItem) bool { return tip || !i.Tip }, nil
	case "stable":
		return func(i *models.CatalogItem) bool { return i.Version == "stable" || tip && i.Tip }, nil
	}
	low, err := semver.NewVersion(lowest)
	if err != nil {
		return nil, verbatim("Invalid version: %s, %w", lowest, err)
	}
	return func(i *models.CatalogItem) bool {
		v, err := semver.NewVersion(i.ActualVersion)
		return i.Version != "stable" && err == nil && !v.LessThan(low) && (tip || !i.Tip)
	}, nil
}

// localName is where a file of the catalog lies on the server.
func localName(i *models.CatalogItem, p part) string {
	_, below, found := strings.Cut(p.url, "/rebar-catalog/")
	if !found {
		return path.Join("rebar-catalog", i.Name, cmp.Or(i.ActualVersion, i.Version), path.Base(p.url))
	}
	if plain, err := url.QueryUnescape(below); err == nil {
		below = plain
	}
	return path.Join("rebar-catalog", path.Join("/", below))
}

func (a *app) copyPart(ctx context.Context, i *models.CatalogItem, p part) error {
	name := localName(i, p)
	if p.sum != "" {
		if have, _, err := a.sumOf(ctx, "files/"+name); err == nil && strings.EqualFold(have, p.sum) {
			return nil
		}
	}
	fmt.Fprintf(a.Err, "Downloading %s to store at %s\n", p.url, name)
	r, size, err := a.openPart(ctx, p)
	if err != nil {
		return verbatim("Error opening src file %w", err)
	}
	defer r.Close()
	_, err = a.sendBlob(ctx, r, size, "files", name, p.sum)
	return err
}

func (a *app) createCatalog() *cobra.Command {
	var version string
	c := a.command(verb{
		use: "create", short: "Print the catalog with one version of everything", long: "Print the catalog with only those items that are called by one version, such as stable or tip.",
		example: "drp catalog create --pkg-version stable -c catalog.yaml > stable.json", args: none,
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&version, "pkg-version", "", "version, as the catalog names it: stable, tip or another")
		},
		run: func(ctx context.Context, _ []string) error {
			if version == "" {
				return &usageError{`required flag(s) "pkg-version" not set`}
			}
			_, raw, err := a.readCatalog(ctx)
			if err != nil {
				return err
			}
			doc, err := toDocument(raw)
			if err != nil {
				return err
			}
			items, _ := member(doc, "sections.catalog_items").(document)
			maps.DeleteFunc(items, func(_ string, i any) bool { return member(i, "Version") != version })
			return a.print(doc)
		},
	})
	return c
}
