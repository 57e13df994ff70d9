package plugins

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"drp/models"
	"drp/server/objects"
)

// asServer marks what the room itself changes.
func asServer(ctx context.Context) context.Context {
	return objects.AsServer(objects.WithActor(ctx, objects.System))
}

func (s *Service) rules() {
	s.objects.AddRule("plugins", s.plugin)
	s.objects.AddRule("plugin_providers", s.provider)
	s.objects.AddRule(objects.CustomKinds, s.custom)
}

// plugin makes a plugin unavailable that cannot run, and keeps its errors out of callers' hands.
func (s *Service) plugin(tx *objects.Tx, c *objects.Change) error {
	p, ok := c.New.(*models.Plugin)
	if !ok {
		return nil
	}
	if !tx.ByServer() {
		p.PluginErrors = []string{}
		if old, ok := c.Old.(*models.Plugin); ok {
			p.PluginErrors = slices.Clone(old.PluginErrors)
		}
	}
	provider, ok := objects.Get[*models.PluginProvider](tx, p.Provider)
	if !ok {
		p.Errors = append(p.Errors, fmt.Sprintf("%s: Provider %s does not exist", p.Name, p.Provider))
	} else {
		for _, name := range provider.RequiredParams {
			if _, ok := s.cfg.Value(tx, p, name); !ok {
				p.Errors = append(p.Errors, fmt.Sprintf("%s: Missing Required Param %s", p.Name, name))
			}
		}
	}
	p.Available = len(p.Errors) == 0
	return nil
}

// provider has the plugins of a provider looked at again when it comes, changes or goes.
func (s *Service) provider(tx *objects.Tx, c *objects.Change) error {
	var names []string
	for p := range objects.All[*models.Plugin](tx) {
		if p.Provider == c.Object().Key() {
			names = append(names, p.Name)
		}
	}
	for _, name := range names {
		if err := tx.Recheck("plugins", name); err != nil {
			return err
		}
	}
	return nil
}

// custom holds an object against the schema of its kind.
func (s *Service) custom(tx *objects.Tx, c *objects.Change) error {
	o, ok := c.New.(*models.Custom)
	if !ok {
		return nil
	}
	k, ok := tx.KindOf(o.Type)
	if !ok {
		return nil // it is there from before, and so is what it says
	}
	text, err := k.JSONSchema()
	if err != nil || text == nil {
		return err
	}
	is, err := s.schemas.Get(text)
	if err != nil {
		return models.Invalidf(o, fmt.Sprintf("the schema of %s is unusable: %v", o.Type, err))
	}
	raw, err := models.Marshal(o)
	if err != nil {
		return err
	}
	var bad []string
	for _, v := range is.Violations(raw) {
		at := strings.Join(v.At, ".")
		if name, missing := strings.CutSuffix(v.Text, " is required"); missing {
			at = strings.TrimPrefix(at+"."+name, ".")
		}
		bad = append(bad, "Error in value: "+at+": "+v.Text)
	}
	if len(bad) > 0 {
		return models.Invalidf(o, bad...)
	}
	return nil
}

// trouble notes why the process of a plugin does not run as it should; "" that it does.
func (s *Service) trouble(ctx context.Context, plugin, text string) {
	is := []string{}
	if text != "" {
		is = append(is, text)
	}
	_, err := s.objects.Do(asServer(ctx), false, func(tx *objects.Tx) error {
		e, ok := tx.Get("plugins", plugin)
		if !ok || slices.Equal(e.Object.(*models.Plugin).PluginErrors, is) {
			return nil
		}
		p := e.Clone().(*models.Plugin)
		p.PluginErrors = is
		return tx.Save(p)
	})
	if err != nil && ctx.Err() == nil {
		s.cfg.Log.Error("the errors of a plugin cannot be noted", "plugin", plugin, "error", err)
	}
}

// configOf is what a plugin is configured with: its own params, and those that its provider names.
func (s *Service) configOf(r objects.Reader, p *models.Plugin, provider *models.PluginProvider) json.RawMessage {
	names := slices.Concat(provider.RequiredParams, provider.OptionalParams)
	for name := range p.Params {
		names = append(names, name)
	}
	all := models.Params{}
	for _, name := range names {
		if v, ok := s.cfg.Value(r, p, name); ok {
			all[name] = v
		}
	}
	raw, err := models.Marshal(all)
	if err != nil { // what is stored is JSON
		return json.RawMessage("{}")
	}
	return raw
}
