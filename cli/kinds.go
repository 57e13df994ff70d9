package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"drp/cli/client"
	"drp/models"

	"github.com/spf13/cobra"
)

// kind is the command line of one kind of object.
type kind struct {
	*app
	info   *models.KindInfo
	name   string // "machines"
	single string // "machine"
}

// kinds is every kind that has routes of its own. Preferences are shown as one map, by prefs.
func (a *app) kinds() []*kind {
	var all []*kind
	for _, info := range models.Kinds {
		if !info.Internal && info.Name != "preferences" {
			all = append(all, a.kind(info))
		}
	}
	return append(all, a.kind(models.InterfaceKind))
}

func (a *app) kind(info *models.KindInfo) *kind {
	return &kind{app: a, info: info, name: info.Name, single: strings.TrimSuffix(info.Name, "s")}
}

// more are the verbs that one kind has beyond the common ones.
var more = map[string]func(*kind) []*cobra.Command{
	"bootenvs":         (*kind).bootEnvVerbs,
	"jobs":             (*kind).jobVerbs,
	"machines":         (*kind).machineVerbs,
	"plugin_providers": (*kind).providerVerbs,
	"pools":            (*kind).poolVerbs,
	"stages":           (*kind).stageVerbs,
	"subnets":          (*kind).subnetVerbs,
	"templates":        (*kind).templateVerbs,
	"users":            (*kind).userVerbs,
}

func (k *kind) command() *cobra.Command {
	c := k.group(k.name, "Work with "+k.name,
		fmt.Sprintf("List, show, change and watch %s. Wherever an ID is asked for, the key of the %s or\nINDEX:VALUE of a unique index will do, such as %s.", k.name, k.single, k.sample()),
		fmt.Sprintf("drp %s list\ndrp %s show %s", k.name, k.name, k.sample()))
	if k.info.Given {
		c.AddCommand(k.list(), k.count(), k.show(), k.exists(), k.indexes(), k.etag(), k.wait(), k.showMeta())
		c.AddCommand(more[k.name](k)...)
		return c
	}
	c.AddCommand(k.list(), k.count(), k.show(), k.exists(), k.indexes(), k.etag())
	if k.info == models.InterfaceKind { // nothing of it is stored
		c.AddCommand(k.waitForInterface())
		return c
	}
	c.AddCommand(k.wait())
	if k.name != "leases" { // those are for the DHCP server to write
		c.AddCommand(k.create(), k.update(), k.patch())
	}
	c.AddCommand(k.destroy(), k.meta(), k.actions(), k.action(), k.runaction())
	o := k.info.New()
	if _, ok := o.(models.ParamHolder); ok {
		c.AddCommand(k.params(), k.getParam(), k.setParam(), k.addParam(), k.removeParam(), k.uploadIso())
	}
	if _, ok := o.(models.ProfileHolder); ok {
		c.AddCommand(k.addProfile(), k.removeProfile())
	}
	if verbs := more[k.name]; verbs != nil {
		c.AddCommand(verbs(k)...)
	}
	return c
}

// samples are the IDs in examples.
var samples = map[string]string{
	"bootenvs": "local", "jobs": "Uuid:3e7031fe-3062-45f1-835c-92541bc9cbd3", "machines": "Name:web1.example.com",
	"params": "ntp-servers", "plugin_providers": "callback", "plugins": "callback", "profiles": "global", "roles": "superuser", "stages": "none", "tasks": "install-nginx",
	"catalog_items": "drp-v4.8.0", "contexts": "docker-runner", "endpoints": "site-b", "pools": "workers", "version_sets": "production",
	"interfaces": "eth0", "leases": "192.168.124.10", "reservations": "192.168.124.5", "subnets": "lan",
	"templates": "motd.tmpl", "tenants": "acme", "users": "rocketskates", "workflows": "provision",
}

func (k *kind) sample() string {
	if s, ok := samples[k.name]; ok {
		return s
	}
	return "Key:example"
}

// bodies are the objects in examples of kinds that need more than their key.
var bodies = map[string]string{
	"machines":     `{"Name": "web1.example.com"}`,
	"reservations": `{"Addr": "192.168.124.5", "Token": "52:54:00:12:34:56"}`,
	"subnets":      `{"Name": "lan", "Subnet": "192.168.124.0/24", "ActiveStart": "192.168.124.10", "ActiveEnd": "192.168.124.99"}`,
}

func (k *kind) body() string {
	if b, ok := bodies[k.name]; ok {
		return b
	}
	return fmt.Sprintf(`{"%s": "example"}`, k.info.KeyField)
}

// aFlag is a field to filter by in examples.
func (k *kind) aFlag() string {
	if k.info == models.InterfaceKind {
		return "ReadOnly"
	}
	return "Available"
}

// at is the path of an object, or of something below it.
func (k *kind) at(id string, below ...string) string {
	return strings.Join(append([]string{k.name, id}, below...), "/")
}

// command makes a verb whose first argument is a key of the kind.
func (k *kind) verb(v verb) *cobra.Command {
	v.keys = k
	return k.app.command(v)
}

// shows prints the answer to a request about objects of the kind.
func (k *kind) shows(raw json.RawMessage, err error) error {
	if err != nil {
		return err
	}
	return k.printOf(k.name, raw)
}

// complete offers the keys that are on the server.
func (k *kind) complete(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || k.configure(c.Root().PersistentFlags()) != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	ctx := c.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	raw, err := k.do(ctx, "GET", k.name, nil, client.WithFlag("slim", "Params,Meta"))
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var list []document
	if decode(raw, &list) != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var keys []string
	for _, o := range list {
		if key := fmt.Sprint(o[k.info.KeyField]); strings.HasPrefix(key, begun) {
			keys = append(keys, key)
		}
	}
	return keys, cobra.ShellCompDirectiveNoFileComp
}
