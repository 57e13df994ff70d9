package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"drp/cli/client"
	packs "drp/content"
	"drp/models"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"sigs.k8s.io/yaml"
)

// contents are the content packs of the server.
func (a *app) contents() *cobra.Command {
	c := a.group("contents", "Work with content packs",
		"Upload, show and remove content packs: objects of many kinds that come and go as one, and that nobody\nchanges one by one. bundle, unbundle, lint and document need no server.",
		"drp contents bundle pack.yaml Version=v1.0.0\ndrp contents upload pack.yaml")
	c.AddCommand(a.listContents(), a.showContent(), a.contentExists(), a.createContent(), a.updateContent(), a.uploadContent(),
		a.destroyContent(), a.bundle(), a.unbundle(), a.document(), a.documentMarkdown(), a.bundlize(), a.convert(), a.shippedContents(), a.installContent(), a.lintContent())
	return c
}

// pack reads an argument as a content pack.
func (a *app) pack(ctx context.Context, arg string) (*models.Content, json.RawMessage, error) {
	text, err := a.text(ctx, arg)
	if err != nil {
		return nil, nil, verbatim("Error parsing layer: %w", err)
	}
	return parsePack(text)
}

// packAt reads a pack from a folder, or as pack does.
func (a *app) packAt(ctx context.Context, arg string) (*models.Content, json.RawMessage, error) {
	if info, err := os.Stat(arg); err != nil || !info.IsDir() {
		return a.pack(ctx, arg)
	}
	c, err := packs.Read(os.DirFS(arg))
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", arg, err)
	}
	return c, must(c), nil
}

// parsePack returns a pack decoded, and as the JSON it came in.
func parsePack(text []byte) (*models.Content, json.RawMessage, error) {
	raw, err := toJSON(text)
	var c models.Content
	if err == nil {
		err = decode(raw, &c)
	}
	if err != nil {
		return nil, nil, verbatim("Error parsing layer: %w", err)
	}
	return &c, raw, nil
}

// packFlags belong to what uploads a pack.
type packFlags struct {
	replace bool
	key     keyFlag
}

func (f *packFlags) add(p *pflag.FlagSet) {
	f.key.toRead(p)
	f.writable(p)
}

func (f *packFlags) writable(p *pflag.FlagSet) {
	p.BoolVar(&f.replace, "replace-writable", false, "let the pack's objects take the place of writable ones with the same keys")
}

func (f *packFlags) option() client.Option {
	if f.replace {
		return client.WithFlag("replaceWritable", "true")
	}
	return client.WithFlag("replaceWritable", "")
}

// opened is a pack with its secure params in clear, if there is a key to them.
func (f *packFlags) opened(c *models.Content, raw json.RawMessage) (json.RawMessage, error) {
	if f.key.file == "" {
		return raw, nil
	}
	if err := openPack(c, f.key); err != nil {
		return nil, err
	}
	return must(c), nil
}

func contentAt(name string) string { return "contents/" + name }

func (a *app) summary(raw json.RawMessage, err error) error {
	if err != nil {
		return err
	}
	return a.printOf("contents", raw)
}

func (a *app) listContents() *cobra.Command {
	return a.command(verb{
		use: "list", short: "List the content packs", long: "List the content packs of the server, with the numbers of their objects.",
		example: "drp contents list -F table", args: between(0, 0, " does not support filtering"),
		run: func(ctx context.Context, _ []string) error {
			return a.summary(a.do(ctx, http.MethodGet, "contents", nil))
		},
	})
}

func (a *app) showContent() *cobra.Command {
	var key keyFlag
	return a.command(verb{
		use: "show [id]", short: "Show a content pack",
		long: "Show a content pack with all its objects, as it could be uploaded again. Values of secure params are\n" +
			"sealed with the key in the file of --key, which is made if it is not there, and which upload needs.",
		example: "drp contents show my-pack -F yaml > my-pack.yaml", args: exactly(1), flags: key.toSave,
		run: func(ctx context.Context, args []string) error {
			raw, err := a.do(ctx, http.MethodGet, contentAt(args[0]), nil)
			if err != nil {
				return err
			}
			var c models.Content
			if err := decode(raw, &c); err != nil {
				return err
			}
			sealed, err := a.sealPack(ctx, &c, key)
			if err != nil {
				return err
			}
			if sealed {
				raw = must(c)
			}
			return a.print(raw)
		},
	})
}

func (a *app) contentExists() *cobra.Command {
	return a.command(verb{
		use: "exists [id]", short: "Tell by the exit status whether a content pack is there",
		long:    "Succeed without a word when the content pack is on the server, else fail.",
		example: "drp contents exists my-pack && echo yes", args: exactly(1),
		run: func(ctx context.Context, args []string) error {
			_, err := a.do(ctx, http.MethodGet, contentAt(args[0]), nil)
			if models.ClassOf(err) == models.NotFound {
				return fmt.Errorf("content:%s does not exist", args[0])
			}
			return err
		},
	})
}

func (a *app) createContent() *cobra.Command {
	var f packFlags
	return a.command(verb{
		use: "create [json]", short: "Upload a new content pack",
		long:    "Upload a content pack (JSON or YAML; text, file, URL or -) that is not on the server yet.",
		example: "drp contents create pack.yaml", args: exactly(1), flags: f.add,
		run: func(ctx context.Context, args []string) error {
			c, raw, err := a.pack(ctx, args[0])
			if err != nil {
				return err
			}
			if raw, err = f.opened(c, raw); err != nil {
				return err
			}
			return a.summary(a.do(ctx, http.MethodPost, "contents", raw, f.option()))
		},
	})
}

func (a *app) updateContent() *cobra.Command {
	var f packFlags
	return a.command(verb{
		use: "update [id] [json]", short: "Replace a content pack",
		long:    "Replace a content pack as a whole by another version of it (JSON or YAML; text, file, URL or -).",
		example: "drp contents update my-pack pack.yaml", args: exactly(2), flags: f.add,
		run: func(ctx context.Context, args []string) error {
			c, raw, err := a.pack(ctx, args[1])
			if err != nil {
				return err
			}
			if c.Meta.Name != args[0] {
				return verbatim("Passed ID %s does not match layer ID %s", args[0], c.Meta.Name)
			}
			if raw, err = f.opened(c, raw); err != nil {
				return err
			}
			return a.summary(a.do(ctx, http.MethodPut, contentAt(args[0]), raw, f.option()))
		},
	})
}

func (a *app) uploadContent() *cobra.Command {
	var f packFlags
	var watch bool
	return a.command(verb{
		use: "upload [json]", short: "Upload a content pack, new or not",
		long: "Upload a content pack (JSON or YAML; text, file, URL or -; or a folder as bundle reads it), in place of\n" +
			"the version that is there, if any. With --watch a folder is uploaded again whenever its files change,\n" +
			"until a signal ends it: it tells what has changed and what is wrong, as lint does, and goes on.",
		example: "drp contents upload https://example.com/pack.yaml\ndrp contents upload ./my-pack --watch",
		args:    between(1, 1, " requires 1 arguments"),
		flags: func(p *pflag.FlagSet) {
			f.add(p)
			p.BoolVar(&watch, "watch", false, "keep watching a folder and upload it whenever it changes")
		},
		run: func(ctx context.Context, args []string) error {
			if watch {
				if info, err := os.Stat(args[0]); err != nil || !info.IsDir() {
					return fmt.Errorf("--watch takes the folder of a pack, and %s is none", args[0])
				}
				return a.watchContent(ctx, args[0], f.option())
			}
			c, raw, err := a.packAt(ctx, args[0])
			if err != nil {
				return err
			}
			if raw, err = f.opened(c, raw); err != nil {
				return err
			}
			return a.summary(a.send(ctx, c, raw, f.option()))
		},
	})
}

// send uploads a pack in place of the version that is there; people are told what is under way.
func (a *app) send(ctx context.Context, c *models.Content, raw json.RawMessage, opts ...client.Option) (json.RawMessage, error) {
	there, err := client.Get[[]models.ContentSummary](ctx, a.client, "contents")
	if err != nil {
		return nil, err
	}
	if isTerminal(a.Err) {
		fmt.Fprintf(a.Err, "uploading %s %s: %s, %d KiB\n", c.Meta.Name, c.Meta.Version, counted(c), (len(raw)+1023)/1024)
	}
	if slices.ContainsFunc(there, func(s models.ContentSummary) bool { return s.Meta.Name == c.Meta.Name }) {
		return a.do(ctx, http.MethodPut, contentAt(c.Meta.Name), raw, opts...)
	}
	return a.do(ctx, http.MethodPost, "contents", raw, opts...)
}

func (a *app) destroyContent() *cobra.Command {
	return a.command(verb{
		use: "destroy [id]", short: "Remove a content pack", long: "Remove a content pack and all its objects from the server.",
		example: "drp contents destroy my-pack", args: between(1, 1, " requires 1 arguments"),
		run: func(ctx context.Context, args []string) error {
			if _, err := a.do(ctx, http.MethodDelete, contentAt(args[0]), nil); err != nil {
				return err
			}
			return a.say("Deleted content %s", args[0])
		},
	})
}

func (a *app) bundle() *cobra.Command {
	var dir string
	var key keyFlag
	return a.command(verb{
		use: "bundle [file] [meta fields]", short: "Make a content pack of a directory",
		long: "Write the pack that the current directory holds to a .json, .yaml or .yml file: a folder per kind with a\n" +
			"JSON or YAML file per object, raw files under templates, and ._FIELD.meta files for the description,\n" +
			"which FIELD=VALUE arguments fill in where there is no file. With --key, values of the secure params that\n" +
			"the pack declares are sealed.",
		example: "drp contents bundle ../pack.yaml Name=my-pack Version=v1.2.0\ndrp contents bundle ../pack.yaml --key ../pack.key.json",
		args:    all(atLeast(1), metaWords),
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&dir, "directory", ".", "directory of the pack")
			key.toSave(f)
		},
		run: func(_ context.Context, args []string) error {
			c, err := packs.Read(os.DirFS(dir), args[1:]...)
			if err != nil {
				return fmt.Errorf("bundle: %w", err)
			}
			if key.file != "" {
				secure, err := ownSecure(c)
				if err == nil {
					_, err = key.seal(c, secure)
				}
				if err != nil {
					return fmt.Errorf("bundle: %w", err)
				}
			}
			return writeValue(args[0], c)
		},
	})
}

func metaWords(_ *cobra.Command, args []string) string {
	for _, arg := range args[1:] {
		if !strings.Contains(arg, "=") {
			return "Meta fields must have '=' in them"
		}
	}
	return ""
}

// writeValue writes JSON or YAML, as the name of the file says.
func writeValue(file string, v any) error {
	var raw []byte
	switch filepath.Ext(file) {
	case ".json":
		var b bytes.Buffer
		if err := json.Indent(&b, must(v), "", "  "); err != nil {
			return err
		}
		raw = append(b.Bytes(), '\n')
	case ".yaml", ".yml", ".go": // drpcli writes YAML into the last, too
		var err error
		if raw, err = yaml.JSONToYAML(must(v)); err != nil {
			return err
		}
	default:
		return fmt.Errorf("write %s: the name must end in .json, .yaml or .yml", file)
	}
	return os.WriteFile(file, raw, 0o644)
}

func (a *app) unbundle() *cobra.Command {
	var dir string
	var key keyFlag
	return a.command(verb{
		use: "unbundle [file]", short: "Make a directory of a content pack",
		long:    "Write the objects of a content pack (JSON or YAML; file, URL or -) into folders of the current directory,\nas bundle reads them: JSON files, or YAML with -F yaml. With --key, sealed values are written in clear.",
		example: "drp contents unbundle pack.yaml -F yaml\ndrp contents unbundle pack.yaml --key pack.key.json", args: exactly(1),
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&dir, "directory", ".", "directory to write to")
			key.toRead(f)
		},
		run: func(ctx context.Context, args []string) error {
			c, _, err := a.pack(ctx, args[0])
			if err != nil {
				return err
			}
			if err := openPack(c, key); err != nil {
				return fmt.Errorf("unbundle: %w", err)
			}
			ext := ".json"
			if a.flags.format == "yaml" {
				ext = ".yaml"
			}
			return packs.Write(dir, c, ext)
		},
	})
}

func (a *app) document() *cobra.Command {
	return a.pageVerb("document", "reStructuredText", "rst", rst{})
}

func (a *app) documentMarkdown() *cobra.Command {
	return a.pageVerb("document-md", "Markdown", "md", markdown{})
}

func (a *app) pageVerb(name, language, ext string, m markup) *cobra.Command {
	return a.command(verb{
		use: name + " [file]", short: "Print the documentation of a content pack in " + language,
		long: "Print a page in " + language + " with the documentation of a content pack (JSON or YAML; file, URL, - or a\n" +
			"folder) and of its objects.",
		example: "drp contents " + name + " pack.yaml > pack." + ext, args: exactly(1),
		run: func(ctx context.Context, args []string) error {
			c, _, err := a.packAt(ctx, args[0])
			if err != nil {
				return err
			}
			page, err := documentation(c, m)
			if err != nil {
				return err
			}
			_, err = a.Out.Write(page)
			return err
		},
	})
}

func (a *app) bundlize() *cobra.Command {
	var remove, reload bool
	var f packFlags
	return a.command(verb{
		use: "bundlize [file] [meta fields] [objects]", short: "Make a content pack of objects on the server",
		long: "Write objects of the server, each KIND:KEY or all of KIND:FIELD=VALUE, to a pack file. FIELD=VALUE\n" +
			"arguments describe the pack. --delete removes the objects from the server afterwards; with --reload the\n" +
			"pack takes their place, at once or not at all. --key saves the key of the secure params in the file.",
		example: "drp contents bundlize pack.yaml Name=my-pack profiles:web params:color --delete --reload",
		args:    bundlizeWords,
		flags: func(p *pflag.FlagSet) {
			p.BoolVar(&remove, "delete", false, "remove the objects from the server")
			p.BoolVar(&reload, "reload", false, "upload the pack")
			f.key.toSave(p)
			f.writable(p)
		},
		run: func(ctx context.Context, args []string) error {
			c, err := a.gather(ctx, args[1:])
			if err != nil {
				return err
			}
			inClear := must(c)
			if _, err := a.sealPack(ctx, c, f.key); err != nil {
				return err
			}
			if err := writeValue(args[0], c); err != nil {
				return err
			}
			switch {
			case reload:
				f.replace = f.replace || remove
				return a.summary(a.send(ctx, c, inClear, f.option()))
			case remove:
				return a.removeAll(ctx, c)
			}
			return nil
		},
	})
}

func bundlizeWords(_ *cobra.Command, args []string) string {
	if len(args) == 0 {
		return "Must provide a file"
	}
	for _, arg := range args[1:] {
		if !strings.ContainsAny(arg, "=:") {
			return "Meta fields must have '=' in them.  Objects must have a :."
		}
	}
	return ""
}

// gather makes a pack of the objects named KIND:KEY, and of all that KIND:FIELD=VALUE finds.
func (a *app) gather(ctx context.Context, args []string) (*models.Content, error) {
	c := packs.New()
	for _, arg := range args {
		section, key, isObject := strings.Cut(arg, ":")
		if field, value, isMeta := strings.Cut(arg, "="); isMeta && (!isObject || len(field) < len(section)) {
			if err := packs.SetField(&c.Meta, field, value); err != nil {
				return nil, err
			}
			continue
		}
		list, err := a.lookUp(ctx, section, key)
		if err != nil {
			return nil, err
		}
		for _, raw := range list {
			if err := packs.Add(c, section, raw); err != nil {
				return nil, err
			}
		}
	}
	if len(c.Sections) == 0 {
		return nil, verbatim("No object specified")
	}
	return c, nil
}

// lookUp is an object by its key, or all that have a value in a field.
func (a *app) lookUp(ctx context.Context, section, key string) ([]json.RawMessage, error) {
	clear := client.WithFlag("decode", "true")
	field, value, many := strings.Cut(key, "=")
	if !many {
		raw, err := a.do(ctx, http.MethodGet, section+"/"+key, nil, clear)
		if err != nil {
			return nil, verbatim("Failed to get: %s: %w", key, err)
		}
		return []json.RawMessage{raw}, nil
	}
	var list []json.RawMessage
	raw, err := a.do(ctx, http.MethodGet, section, nil, client.WithFlag(field, value), clear)
	if err == nil {
		err = decode(raw, &list)
	}
	if err != nil {
		return nil, verbatim("Failed to list: %s: %w", key, err)
	}
	return list, nil
}

// removeAll removes the objects of a pack one by one, each before what it refers to.
func (a *app) removeAll(ctx context.Context, c *models.Content) error {
	for _, section := range slices.Backward(sections(c)) {
		for _, key := range sortedKeys(c.Sections[section]) {
			if _, err := a.do(ctx, http.MethodDelete, section+"/"+key, nil); err != nil {
				return verbatim("Failed to delete %s:%s: %w", section, key, err)
			}
		}
	}
	return nil
}

func (a *app) convert() *cobra.Command {
	return a.command(verb{
		use: "convert [file]", short: "Create the objects of a content pack one by one",
		long:    "Create each object of a content pack (JSON or YAML; file, URL or -) on the server as a writable one.\nObjects that are there already are reported; the others are created.",
		example: "drp contents convert pack.yaml",
		args: func(_ *cobra.Command, args []string) string {
			if len(args) != 1 {
				return "Must provide a file or stdin"
			}
			return ""
		},
		run: func(ctx context.Context, args []string) error {
			text, err := a.source(ctx, args[0])
			if errors.Is(err, errNoSource) {
				_, err = os.ReadFile(args[0]) // says why it is no file
			}
			if err != nil {
				return verbatim("Failed to open store %s: %w", args[0], err)
			}
			c, _, err := parsePack(text)
			if err != nil {
				return err
			}
			return a.createAll(ctx, c)
		},
	})
}

func (a *app) createAll(ctx context.Context, c *models.Content) error {
	var errs []error
	for _, section := range sections(c) {
		for _, key := range sortedKeys(c.Sections[section]) {
			if _, err := a.do(ctx, http.MethodPost, section, c.Sections[section][key]); err != nil {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// sections are those of a pack, what others refer to first; the rest follows by name.
func sections(c *models.Content) []string {
	order := packs.Kinds()
	rank := func(s string) int {
		if i := slices.Index(order, s); i >= 0 {
			return i
		}
		return len(order)
	}
	all := sortedKeys(c.Sections)
	slices.SortStableFunc(all, func(x, y string) int { return rank(x) - rank(y) })
	return all
}
