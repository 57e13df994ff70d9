package app

import (
	"context"
	"encoding/hex"
	"fmt"
	"iter"
	"log/slog"
	"net"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"drp/models"
	"drp/server/auth"
	"drp/server/events"
	"drp/server/logs"
	"drp/server/objects"
	"drp/server/prefs"
)

var logLevels = map[string]slog.Level{"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError}

// keptLines is how many lines of the log can be asked for.
const keptLines = 1000

func logger(cfg Config) (*logs.Buffer, *slog.LevelVar) {
	level := &slog.LevelVar{}
	level.Set(logLevels[cfg.LogLevel])
	opts := &slog.HandlerOptions{Level: level, ReplaceAttr: logs.Rename}
	if cfg.LogFormat == "json" {
		return logs.New(slog.NewJSONHandler(os.Stderr, opts), keptLines), level
	}
	return logs.New(slog.NewTextHandler(os.Stderr, opts), keptLines), level
}

// tell makes an event of a line of the log.
func (a *App) tell(line models.LogLine) {
	raw, err := models.Marshal(line)
	if err != nil {
		return // it has been written where lines go
	}
	e := models.Event{Time: line.Time, Type: "log", Action: line.Level, Key: line.Service, Principal: line.Principal, Object: raw}
	a.hub.Publish(&events.Message{Event: e, Scope: "logs"})
}

// follow sets the level of the log when the preference changes.
func (a *App) follow(c *objects.Commit) {
	for _, w := range c.Changes {
		if w.Kind == "preferences" && w.Key == prefs.LogLevel && w.New != nil {
			a.setLevel(w.New.Object.(*models.Pref).Val)
		}
	}
}

func (a *App) setLevel(name string) {
	if level, ok := logs.Level(name); ok {
		a.level.Set(level)
	}
}

// purge is which jobs go by themselves, as the preferences say.
func (a *App) purge() models.Purge {
	return models.Purge{Keep: int(a.number("jobsToKeep")), Failed: int(a.number("failedJobsPurgedAfter")), Complete: int(a.number("completeJobsPurgedAfter"))}
}

// number is the value of a preference that is checked to be one when it is set.
func (a *App) number(name string) int64 {
	n, _ := strconv.ParseInt(prefs.Get(a.objects.View(), name), 10, 64)
	return n
}

// source is what auth reads of the objects.
type source struct{ objects *objects.Service }

func (s source) User(name string) (*models.User, bool) {
	return objects.Get[*models.User](s.objects.View(), name)
}
func (s source) Role(name string) (*models.Role, bool) {
	return objects.Get[*models.Role](s.objects.View(), name)
}
func (s source) Machine(uuid string) (*models.Machine, bool) {
	return objects.Get[*models.Machine](s.objects.View(), uuid)
}
func (s source) Job(uuid string) (*models.Job, bool) {
	return objects.Get[*models.Job](s.objects.View(), uuid)
}
func (s source) Ended(sum [32]byte) bool {
	v := s.objects.View()
	if v.Len("ended_tokens") == 0 {
		return false
	}
	_, ok := v.Find("ended_tokens", hex.EncodeToString(sum[:]))
	return ok
}
func (s source) Tenant(user string) string { return s.objects.TenantOf(user) }
func (s source) Pref(name string) string   { return prefs.Get(s.objects.View(), name) }

// tokens are those that templates ask for.
type tokens struct{ auth *auth.Auth }

func (t tokens) Machine(uuid string, ttl time.Duration) (string, error) {
	return t.auth.MachineToken(auth.System(), uuid, ttl)
}
func (t tokens) Profile(name string, ttl time.Duration) (string, error) {
	return t.auth.ProfileToken(name, ttl)
}
func (t tokens) Unknown(ttl time.Duration) (string, error) { return t.auth.UnknownToken(ttl) }

// publish turns a commit into events.
func (a *App) publish(c *objects.Commit) {
	a.hub.Publish(messages(a.objects.View(), c)...)
}

// messages are the events of a commit. They show nothing that history would not show now.
func messages(v *objects.View, c *objects.Commit) []*events.Message {
	list := make([]*events.Message, 0, len(c.Changes))
	for _, w := range c.Changes {
		if k, ok := models.KindOf(w.Kind); ok && k.Hidden {
			continue
		}
		e := models.Event{Time: c.Time, Type: w.Kind, Action: string(w.Op), Key: w.Key, Principal: c.Who, Rev: c.Rev, More: true}
		old, shown := v.Conceal(w.Old), v.Conceal(w.New)
		if shown == nil {
			shown = old
		} else if old != nil {
			e.Original = old.Raw
		}
		e.Object = shown.Raw
		m := &events.Message{Event: e, AuthKey: objects.AuthKey(shown.Object)}
		if w.Op == objects.Delete {
			m.Left = left(c, shown.Object)
		}
		list = append(list, m)
	}
	if len(list) > 0 {
		list[len(list)-1].Event.More = false
	}
	return list
}

// left are the tenants that have lost an object by the commit that deleted it.
func left(c *objects.Commit, o models.Object) (names []string) {
	for _, w := range c.Changes {
		if w.Kind != "tenants" || w.Old == nil {
			continue
		}
		t := w.Old.Object.(*models.Tenant)
		if t.Lists(o.Kind(), o.Key()) || o.Kind() == "jobs" && t.Lists("machines", objects.AuthKey(o)) {
			names = append(names, t.Name)
		}
	}
	return names
}

// replay yields past events for subscribers that resume.
func (a *App) replay(ctx context.Context, from, to uint64) iter.Seq2[*events.Message, error] {
	return func(yield func(*events.Message, error) bool) {
		commits, err := a.objects.Commits(ctx, from, to)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, c := range commits {
			for _, m := range messages(a.objects.View(), c) {
				if !yield(m, nil) {
					return
				}
			}
		}
	}
}

// retainEvery is how often history is looked at for what is too old or too much.
const retainEvery = 10 * time.Minute

// keep is how much history the preferences say is kept.
func (a *App) keep() objects.Keep {
	return objects.Keep{
		Age:   time.Duration(min(a.number(prefs.HistoryDays), 36500)) * 24 * time.Hour,
		Bytes: min(a.number(prefs.HistoryMegabytes), 1<<40) << 20,
	}
}

// firstStart makes what every server has: the first user, its secrets and the global profile.
func (a *App) firstStart(ctx context.Context) error {
	ctx = objects.WithActor(ctx, objects.System)
	password := a.cfg.Password
	if password == "" {
		password = auth.DefaultPassword
	}
	var hash []byte
	if a.objects.View().Len("users") == 0 {
		var err error
		if hash, err = a.auth.Hash(ctx, password); err != nil {
			return err
		}
	}
	_, err := a.objects.Do(ctx, false, func(tx *objects.Tx) error {
		if hash != nil {
			u := &models.User{Name: auth.BootstrapUser, PasswordHash: hash, Roles: []string{models.Superuser}}
			if err := tx.Create(u); err != nil {
				return err
			}
		}
		for name, given := range map[string]string{prefs.BaseTokenSecret: a.cfg.BaseTokenSecret, prefs.SystemGrantorSecret: a.cfg.SystemGrantorSecret} {
			e, ok := tx.Get("preferences", name)
			switch {
			case !ok && given == "":
				given = models.NewSecret(32)
				fallthrough
			case !ok:
				if err := tx.Create(&models.Pref{Name: name, Val: given}); err != nil {
					return err
				}
			case given != "" && e.Object.(*models.Pref).Val != given:
				p := e.Clone().(*models.Pref)
				p.Val = given
				if err := tx.Update(p); err != nil {
					return err
				}
			}
		}
		if _, ok := tx.Get("profiles", models.GlobalProfile); !ok {
			p := &models.Profile{Name: models.GlobalProfile, Description: "What every machine sees, after all of its own"}
			p.Meta = map[string]string{"icon": "world", "color": "blue", "title": "Digital Rebar Provision"}
			return tx.Create(p)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("first start: %w", err)
	}
	return nil
}

// Features are what clients and content packs may count on.
var Features = []string{
	"api-v3", "sane-exit-codes", "common-blob-size", "change-stage-map", "job-exit-states", "profileless-machine",
	"package-repository-handling", "workflows", "default-workflow", "roles", "separate-meta-api", "slim-objects",
	"sprig", "multiarch", "actions-in-task-list", "fsm-runner", "plugin-v2", "plugin-v2-safe-config", "bundle-objects", "task-prerequisites",
	"content-prerequisite-version-checking", "stage-paramer", "threaded-log-levels", "elevated-tasks", "auto-boot-target", "selective-job-purge",
	"drp-event-resume", "drp-wait", "drp-history",
	"secure-params", "secure-param-upgrade", "secure-params-in-content-packs", "tenants", "http-range-header", "log-has-head-method",
	// What public packs require of boot environments and of the functions of templates.
	"centos-8", "overridable-bootloaders", "virtual-media-boot",
}

// info is what the server says of itself to a client that has reached it at the address.
func (a *App) info(local net.Addr) models.Info {
	v := a.objects.View()
	address := a.cfg.StaticIP
	if t, ok := local.(*net.TCPAddr); ok && address == "" {
		address = t.IP.String()
	}
	hostname, _ := os.Hostname() // "" is a fair answer
	mac := lowestMAC()
	id := a.cfg.ID
	if id == "" {
		id = mac
	}
	return models.Info{
		Arch: runtime.GOARCH, Os: runtime.GOOS, Version: Version, Id: id, LocalId: mac, HaId: id,
		ApiPort: a.ports.api, FilePort: a.ports.static, SecureFilePort: a.ports.secure,
		ProvisionerEnabled: a.ports.static != 0, SecureProvisioner: a.ports.secure != 0,
		Address: address, ServerHostname: hostname,
		Stats:    []models.Stat{{Name: "machines.count", Count: v.Len("machines")}, {Name: "subnets.count", Count: v.Len("subnets")}, {Name: "contexts.count", Count: v.Len("contexts")}},
		Features: Features, Scopes: scopes(v), License: models.License{Licenses: []struct{}{}}, Errors: []string{},
		HaIsActive: true, HaStatus: "Up", HaActiveId: id, HaPassiveState: []struct{}{},
		ClusterState: models.ClusterState{Roots: []struct{}{}, Nodes: []struct{}{}},
	}
}

func scopes(v *objects.View) map[string]map[string]struct{} {
	out, all := map[string]map[string]struct{}{}, models.Scopes()
	for _, k := range v.Kinds() {
		if k.Custom {
			all[k.Name] = models.CustomScope()
		}
	}
	for scope, actions := range all {
		out[scope] = map[string]struct{}{}
		for _, action := range actions {
			out[scope][action] = struct{}{}
		}
	}
	return out
}

func lowestMAC() string {
	cards, err := net.Interfaces()
	if err != nil {
		return "00:00:00:00:00:00"
	}
	macs := []string{}
	for _, c := range cards {
		if len(c.HardwareAddr) == 6 {
			macs = append(macs, c.HardwareAddr.String())
		}
	}
	if len(macs) == 0 {
		return "00:00:00:00:00:00"
	}
	return slices.Min(macs)
}

// certHosts are the names and addresses that a certificate of our own stands for.
func certHosts(cfg Config) []string {
	hosts := []string{"localhost", "127.0.0.1", "::1"}
	if name, err := os.Hostname(); err == nil {
		hosts = append(hosts, name)
	}
	for _, a := range []string{cfg.Listen, cfg.StaticIP} {
		if a != "" {
			hosts = append(hosts, a)
		}
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return hosts
	}
	for _, a := range addrs {
		ip, _, _ := strings.Cut(a.String(), "/")
		if !slices.Contains(hosts, ip) {
			hosts = append(hosts, ip)
		}
	}
	return hosts
}
