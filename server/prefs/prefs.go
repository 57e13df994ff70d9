// Package prefs holds the preferences of the server: which there are, their defaults, and what
// values they take.
package prefs

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"drp/models"
	"drp/server/objects"
)

// The preferences of Digital Rebar.
const (
	DefaultBootEnv      = "defaultBootEnv"
	UnknownBootEnv      = "unknownBootEnv"
	DefaultStage        = "defaultStage"
	DefaultWorkflow     = "defaultWorkflow"
	KnownTokenTimeout   = "knownTokenTimeout"   // seconds
	UnknownTokenTimeout = "unknownTokenTimeout" // seconds
	BaseTokenSecret     = "baseTokenSecret"
	SystemGrantorSecret = "systemGrantorSecret"
	LogLevel            = "logLevel" // of the whole server; as started until it is set
)

// Those of this server alone.
const (
	HistoryDays      = "historyDays"      // how old history becomes; 0: any age
	HistoryMegabytes = "historyMegabytes" // how large, in MiB; 0: any size
)

// check refuses a value that a preference does not take.
type check func(r objects.Reader, name, value string) error

type pref struct {
	initial string
	check   check
}

var known = map[string]pref{
	DefaultBootEnv:          {"local", exists("bootenvs", "Bootenv")},
	UnknownBootEnv:          {"ignore", onlyUnknown},
	DefaultStage:            {"none", exists("stages", "Stage")},
	DefaultWorkflow:         {"", exists("workflows", "Workflow")},
	KnownTokenTimeout:       {"3600", number},
	UnknownTokenTimeout:     {"600", number},
	BaseTokenSecret:         {"", secret},
	SystemGrantorSecret:     {"", notEmpty},
	"debugBootEnv":          {"warn", level},
	"debugDhcp":             {"warn", level},
	"debugFrontend":         {"warn", level},
	"debugPlugins":          {"warn", level},
	"debugRenderer":         {"warn", level},
	LogLevel:                {"warn", level},
	"jobsToKeep":            {"0", number},
	"failedJobsPurgedAfter": {"0", number}, "completeJobsPurgedAfter": {"0", number},
	"manager":        {"false", boolean},
	HistoryDays:      {"30", number},
	HistoryMegabytes: {"1024", number},
}

// Service reads and sets preferences.
type Service struct{ objects *objects.Service }

// New makes it, and has every stored preference checked.
func New(s *objects.Service) *Service {
	s.AddRule("preferences", rule)
	return &Service{objects: s}
}

// Get is the value of a preference.
func Get(r objects.Reader, name string) string {
	if p, ok := objects.Get[*models.Pref](r, name); ok {
		return p.Val
	}
	return known[name].initial
}

// secrets sign tokens: who knows or chooses one can make a token that allows anything.
var secrets = []string{BaseTokenSecret, SystemGrantorSecret}

// Get is the value of a preference now.
func (s *Service) Get(name string) string { return Get(s.objects.View(), name) }

// All is every preference with its value, as an actor may see it: the secrets are for those who may
// do everything anyway.
func (s *Service) All(a objects.Actor) map[string]string {
	v, all := s.objects.View(), map[string]string{}
	for name := range known {
		all[name] = Get(v, name)
		if slices.Contains(secrets, name) && !a.Unlimited() {
			all[name] = models.Hidden
		}
	}
	return all
}

// Set changes the given preferences, all of them or none.
func (s *Service) Set(ctx context.Context, values map[string]string) error {
	_, err := s.objects.Do(ctx, false, func(tx *objects.Tx) error {
		for name, value := range values {
			if _, ok := known[name]; !ok {
				return refuse("Unknown Preference " + name)
			}
			if err := set(tx, name, value); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

func set(tx *objects.Tx, name, value string) error {
	e, ok := tx.Get("preferences", name)
	if !ok {
		return tx.Create(&models.Pref{Name: name, Val: value})
	}
	p := e.Clone().(*models.Pref)
	p.Val = value
	return tx.Update(p)
}

func rule(tx *objects.Tx, c *objects.Change) error {
	p, ok := c.New.(*models.Pref)
	if !ok {
		return nil
	}
	k, ok := known[p.Name]
	if !ok {
		return refuse("Unknown Preference " + p.Name)
	}
	if slices.Contains(secrets, p.Name) && !tx.Actor.Unlimited() {
		return models.Problem(models.Forbidden, "", "", "Requires: * * *", p.Name+" signs tokens, so only who may do everything sees and sets it").Typed("AUTH")
	}
	if name, ok := levels[p.Val]; ok && levelNames[p.Name] {
		p.Val = name
	}
	return k.check(tx, p.Name, p.Val)
}

func refuse(message string) error { return models.Problem(models.Invalid, "prefs", "", message) }

func exists(kind, what string) check {
	return func(r objects.Reader, name, value string) error {
		if _, ok := r.Get(kind, value); !ok && !(value == "" && name == DefaultWorkflow) {
			return refuse(fmt.Sprintf("%s: %s %s does not exist", name, what, value))
		}
		return nil
	}
}

func onlyUnknown(r objects.Reader, name, value string) error {
	b, ok := objects.Get[*models.BootEnv](r, value)
	switch {
	case !ok:
		return refuse(fmt.Sprintf("%s: Bootenv %s does not exist", name, value))
	case !b.OnlyUnknown:
		return refuse(fmt.Sprintf("%s: Bootenv %s does not have the OnlyUnknown flag", name, value))
	}
	return nil
}

func number(_ objects.Reader, name, value string) error {
	if n, err := strconv.Atoi(value); err != nil {
		return refuse(name + ": " + err.Error())
	} else if n < 0 {
		return refuse(name + ": Must not be negative")
	}
	return nil
}

func secret(_ objects.Reader, name, value string) error {
	if len(value) != 32 {
		return refuse(name + ": Must be 32 bytes long")
	}
	return nil
}

func notEmpty(_ objects.Reader, name, value string) error {
	if value == "" {
		return refuse(name + ": Must not be empty")
	}
	return nil
}

func boolean(_ objects.Reader, name, value string) error {
	if value != "true" && value != "false" {
		return refuse(name + ": Must be true or false")
	}
	return nil
}

// levels maps what is accepted as a level to its name.
var levels = map[string]string{
	"0": "warn", "1": "info", "2": "debug", "trace": "trace", "debug": "debug", "info": "info",
	"warn": "warn", "error": "error", "fatal": "fatal", "panic": "panic", "audit": "audit",
}

var levelNames = map[string]bool{"debugBootEnv": true, "debugDhcp": true, "debugFrontend": true, "debugPlugins": true, "debugRenderer": true, "logLevel": true}

func level(_ objects.Reader, name, value string) error {
	if _, ok := levels[value]; !ok {
		return refuse(name + ": Invalid level " + value)
	}
	return nil
}
