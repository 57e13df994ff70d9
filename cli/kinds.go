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
	"tasks":            (*kind).taskVerbs,
	"templates":        (*kind).templateVerbs,
	"users":            (*kind).userVerbs,
}

func (k *kind) command() *cobra.Command {
	c := k.verbs()
	if strings.ContainsAny(k.single[:1], "aeio") { // but a user
		articles(c, strings.NewReplacer(" a "+k.single, " an "+k.single, "A "+k.single, "An "+k.single))
	}
	return c
}

// articles puts "an" before the name of a kind, which begins with a vowel.
func articles(c *cobra.Command, an *strings.Replacer) {
	c.Short, c.Long = an.Replace(c.Short), an.Replace(c.Long)
	for _, sub := range c.Commands() {
		articles(sub, an)
	}
}

func (k *kind) verbs() *cobra.Command {
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
	"extended": "r1", "interfaces": "eth0", "leases": "192.168.124.10", "reservations": "192.168.124.5", "subnets": "lan",
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
func (k *kind) complete(c *cobra.Command, begun string) ([]string, cobra.ShellCompDirective) {
	return k.offer(c, begun, k.name, k.info.KeyField)
}

// offer completes what is begun by a field of what the server lists at a path.
func (a *app) offer(c *cobra.Command, begun, at, field string) ([]string, cobra.ShellCompDirective) {
	if a.configure(c.Root().PersistentFlags()) != nil {
		return nil, cobra.ShellCompDirectiveDefault
	}
	ctx := c.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	raw, err := a.do(ctx, "GET", at, nil, client.WithFlag("slim", "Params,Meta"))
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var list []any
	if decode(raw, &list) != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var keys []string
	for _, o := range list {
		if isDocument(o) {
			o = member(o, field)
		}
		if key := fmt.Sprint(o); strings.HasPrefix(key, begun) {
			keys = append(keys, key)
		}
	}
	return keys, cobra.ShellCompDirectiveNoFileComp
}

// keyed are the words in usage lines that stand for keys of a kind.
var keyed = map[string]string{
	"[bootenv]": "bootenvs", "[pool]": "pools", "[profile]": "profiles", "[stage]": "stages", "[subnetName]": "subnets",
	"[task]": "tasks", "[Task": "tasks", "[workflow]": "workflows", "[Machine]": "machines", "param [key]": "params",
}

// completeWord offers what can stand at a place of a command, as its usage line tells: a fixed word, or
// keys that are on the server. Of the kind that the command belongs to are those at the start.
func (v verb) completeWord(a *app, c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	words := strings.Fields(strings.Replace(v.use, "[at [offset]] ", "", 1))[1:]
	at := min(len(args), len(words)-1)
	if at < 0 || len(args) > at && !strings.HasSuffix(words[at], "...]") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	word := strings.Replace(words[at], "...", "", 1)
	if at == 0 && v.keys != nil {
		return v.keys.complete(c, begun)
	}
	if at > 0 && word == "[key]" {
		word = words[at-1] + " " + word
	}
	if info, ok := models.KindOf(keyed[word]); ok {
		return a.kind(info).complete(c, begun)
	}
	if strings.Trim(word, "[]()") == word && !strings.ContainsAny(word, "|-") {
		return []string{word}, cobra.ShellCompDirectiveNoFileComp
	}
	switch group := c.Parent().Name(); {
	case word == "[id]" && group == "contents":
		return a.offer(c, begun, "contents", "meta.Name")
	case word == "[item]" && (group == "files" || group == "isos" || group == "plugin_providers"):
		return a.offer(c, begun, group, "Name")
	}
	return nil, cobra.ShellCompDirectiveDefault
}
