package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"drp/cli/client"
	"drp/models"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// bootEnvVerbs are the verbs of boot environments alone.
func (k *kind) bootEnvVerbs() []*cobra.Command {
	purge := k.purgeLocal()
	purge.Aliases = []string{"purgelocal", "purgelocalinstall"}
	return []*cobra.Command{k.install(), k.uploadBootEnvIso(), purge, k.fromAppleNBI(), k.preview()}
}

// iso is one that a boot environment names.
type iso struct{ file, sum, url string }

// isosOf are the ISOs of a boot environment for some architectures.
func isosOf(b *models.BootEnv, arches []string) []iso {
	var list []iso
	add := func(arch string, i iso) {
		wanted := slices.ContainsFunc(arches, func(a string) bool { return a == "all" || models.ArchOf(a) == models.ArchOf(arch) })
		if i.file != "" && wanted && !slices.ContainsFunc(list, func(j iso) bool { return i.file == j.file }) {
			list = append(list, i)
		}
	}
	add("amd64", iso{b.OS.IsoFile, b.OS.IsoSha256, b.OS.IsoUrl})
	for _, arch := range slices.Sorted(maps.Keys(b.OS.SupportedArchitectures)) {
		a := b.OS.SupportedArchitectures[arch]
		add(arch, iso{a.IsoFile, a.Sha256, a.IsoUrl})
	}
	return list
}

func archFlag(arch *string) func(*pflag.FlagSet) {
	return func(f *pflag.FlagSet) {
		f.StringVar(arch, "arch", "amd64", "architectures, separated by commas, or all")
	}
}

func (k *kind) uploadBootEnvIso() *cobra.Command {
	var arch string
	return k.verb(verb{
		use: "uploadiso [id]", short: "Upload the ISOs of a boot environment from where it says they are",
		long: "Fetch each ISO that a boot environment needs and the server lacks from its IsoUrl, and upload it without\n" +
			"keeping a copy here. The boot environment becomes available once it is unpacked.",
		example: "drp bootenvs uploadiso ubuntu-22.04-install --arch all", args: exactly(1), flags: archFlag(&arch),
		run: func(ctx context.Context, args []string) error {
			b, err := client.Get[models.BootEnv](ctx, k.client, k.at(args[0]))
			if err != nil {
				return err
			}
			list := isosOf(&b, strings.Split(arch, ","))
			if len(list) == 0 {
				return verbatim("BootEnv %s does not require an iso", b.Name)
			}
			return k.uploadIsos(ctx, "BootEnv "+b.Name, list)
		},
	})
}

// uploadIsos uploads those that are not on the server.
func (a *app) uploadIsos(ctx context.Context, of string, list []iso) error {
	there, err := client.Get[[]string](ctx, a.client, "isos")
	if err != nil {
		return err
	}
	for _, i := range list {
		if slices.Contains(there, i.file) {
			fmt.Fprintf(a.Err, "%s is on the server already\n", i.file)
			continue
		}
		if i.url == "" {
			return verbatim("Unable to automatically download iso for %s", strings.TrimPrefix(of, "BootEnv "))
		}
		r, size, err := a.openSource(ctx, i.url)
		if err != nil {
			return verbatim("Unable to connect to %s: %w", i.url, err)
		}
		raw, err := a.sendBlob(ctx, r, size, "isos", i.file, i.sum)
		r.Close()
		if err := a.prints(raw, err); err != nil {
			return err
		}
	}
	return nil
}

func (k *kind) purgeLocal() *cobra.Command {
	var again bool
	return k.verb(verb{
		use: "purgeLocalInstall [id] [arches...]", short: "Remove what was unpacked of a boot environment's ISOs",
		long: "Remove what was unpacked for some architectures of a boot environment (all: for every one), and their ISOs.\n" +
			"With --reexplodeIsos the ISOs stay, and are unpacked anew.",
		example: "drp bootenvs purgeLocalInstall ubuntu-22.04-install amd64 --reexplodeIsos", args: atLeast(2),
		flags: func(f *pflag.FlagSet) {
			f.BoolVar(&again, "reexplodeIsos", false, "keep the ISOs and unpack them anew")
		},
		run: func(ctx context.Context, args []string) error {
			flag := ""
			if again {
				flag = "true"
			}
			_, err := k.do(ctx, http.MethodDelete, k.at(args[0], "purgeLocal"), args[1:], client.WithFlag("reexplodeIsos", flag))
			return err
		},
	})
}

// install uploads a boot environment from a file, and what it needs.
func (k *kind) install() *cobra.Command {
	var arch string
	var skip bool
	return k.verb(verb{
		use: "install [bootenvFile] [isoPath]", short: "Install a boot environment and everything it requires",
		long: "Store a boot environment from a file in the folder bootenvs, and the templates it refers to from the folder\n" +
			"templates beside it, unless they are on the server. ISOs that the server lacks are uploaded from the folder\n" +
			"ISOPATH (default isos), or else from where the boot environment says they are.",
		example: "drp bootenvs install bootenvs/my-linux.yml",
		args: func(c *cobra.Command, args []string) string {
			switch {
			case len(args) < 1:
				return c.UseLine() + " needs at least 1 arg"
			case len(args) > 2:
				return c.UseLine() + " has Too many args"
			}
			return ""
		},
		flags: func(f *pflag.FlagSet) {
			archFlag(&arch)(f)
			f.BoolVar(&skip, "skip-download", false, "upload only ISOs that lie in the folder")
		},
		run: func(ctx context.Context, args []string) error {
			folder := "isos"
			if len(args) == 2 {
				folder = args[1]
			}
			b, err := k.installFrom(ctx, args[0])
			if err != nil {
				return err
			}
			if err := k.installIsos(ctx, b, folder, strings.Split(arch, ","), skip); err != nil {
				return err
			}
			return k.shows(k.do(ctx, http.MethodGet, k.at(b.Name), nil))
		},
	})
}

func (k *kind) installFrom(ctx context.Context, file string) (*models.BootEnv, error) {
	switch st, err := os.Stat("bootenvs"); {
	case err != nil:
		return nil, verbatim("Error determining whether bootenvs dir exists: %w", err)
	case !st.IsDir():
		return nil, verbatim("bootenvs is not a directory")
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, verbatim("No bootenv %s", file)
	}
	var b models.BootEnv
	raw, err := toJSON(text)
	if err == nil {
		err = decode(raw, &b)
	}
	if err != nil {
		return nil, verbatim("Invalid bootenv object: %w", err)
	}
	for _, t := range b.Templates {
		if t.ID == "" {
			continue
		}
		if err := k.installTemplate(ctx, t.ID); err != nil {
			return nil, err
		}
	}
	_, err = k.do(ctx, http.MethodGet, k.at(b.Name), nil)
	if models.ClassOf(err) == models.NotFound {
		_, err = k.do(ctx, http.MethodPost, k.name, json.RawMessage(raw))
	}
	return &b, err
}

func (k *kind) installTemplate(ctx context.Context, id string) error {
	_, err := k.do(ctx, http.MethodGet, "templates/"+id, nil)
	if models.ClassOf(err) != models.NotFound {
		return err
	}
	text, err := os.ReadFile(filepath.Join("templates", id))
	if err != nil {
		return verbatim("Unable to find template: %s: %w", id, err)
	}
	_, err = k.do(ctx, http.MethodPost, "templates", document{"ID": id, "Contents": string(text)})
	return err
}

func (k *kind) installIsos(ctx context.Context, b *models.BootEnv, folder string, arches []string, skip bool) error {
	var rest []iso
	for _, i := range isosOf(b, arches) {
		at := filepath.Join(folder, i.file)
		if _, err := os.Stat(at); errors.Is(err, fs.ErrNotExist) {
			if i.url != "" && !skip {
				rest = append(rest, i)
			}
			continue
		}
		there, err := client.Get[[]string](ctx, k.client, "isos", client.WithQuery(url.Values{}))
		if err != nil {
			return err
		}
		if slices.Contains(there, i.file) {
			continue
		}
		r, size, err := k.openSource(ctx, at)
		if err != nil {
			return verbatim("Error uploading %s: %w", at, err)
		}
		_, err = k.sendBlob(ctx, r, size, "isos", i.file, i.sum)
		if err := errors.Join(err, r.Close()); err != nil {
			return verbatim("Error uploading %s: %w", at, err)
		}
	}
	for _, i := range rest {
		r, size, err := k.openSource(ctx, i.url)
		if err != nil { // the boot environment waits for it, and says so
			fmt.Fprintf(k.Err, "%s cannot be had: %v\n", i.url, err)
			continue
		}
		_, err = k.sendBlob(ctx, r, size, "isos", i.file, i.sum)
		if err := errors.Join(err, r.Close()); err != nil {
			return verbatim("Error uploading %s: %w", i.file, err)
		}
	}
	return nil
}

// uploadIso uploads the ISOs of the boot environments that a param of the object gives.
func (k *kind) uploadIso() *cobra.Command {
	const param = "bootenv-customize"
	var arch string
	return k.verb(verb{
		use: "uploadiso [id]", short: "Upload the ISOs that the param " + param + " speaks of",
		long: fmt.Sprintf("Fetch each ISO that the server lacks of those that the boot environments name which the param\n"+
			"%s of a %s holds, from its IsoUrl, and upload it without keeping a copy here.", param, k.single),
		example: fmt.Sprintf("drp %s uploadiso %s", k.name, k.sample()), args: exactly(1), flags: archFlag(&arch),
		run: func(ctx context.Context, args []string) error {
			q := url.Values{"aggregate": {"true"}, "compose": {"true"}, "decode": {"true"}}
			raw, err := k.do(ctx, http.MethodGet, k.at(args[0], "params", param), nil, client.WithQuery(q))
			if err != nil {
				return err
			}
			envs := map[string]*models.BootEnv{}
			if err := decode(raw, &envs); err != nil {
				return fmt.Errorf("param %s: %w", param, err)
			}
			var list []iso
			for _, name := range slices.Sorted(maps.Keys(envs)) {
				if envs[name] != nil {
					list = append(list, isosOf(envs[name], strings.Split(arch, ","))...)
				}
			}
			if len(list) == 0 {
				return verbatim("%s %s does not require an iso, parameter not set", k.single, args[0])
			}
			return k.uploadIsos(ctx, args[0], list)
		},
	})
}
