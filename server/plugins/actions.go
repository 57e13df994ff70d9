package plugins

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"drp/models"
	"drp/server/objects"
)

// On is what an action is about: an object, or the server as a whole.
type On struct {
	Kind  string         // or models.System
	Entry *objects.Entry // nil: the server as a whole
}

// missing is what an action is about in an error, when it is asked for or run.
func (o On) problem(class models.Class, invoke bool, format string, args ...any) *models.Error {
	e := models.Errorf(class, nil, format, args...)
	switch {
	case o.Entry != nil:
		e.Model, e.Key = o.Kind, o.Entry.Object.Key()
	case invoke:
		e.Model, e.Key = o.Kind, "global"
	default:
		e.Model, e.Key = "profiles", models.GlobalProfile
	}
	if invoke {
		e.Type = "INVOKE"
	}
	return e
}

// offer is an action that a plugin offers.
type offer struct {
	models.AvailableAction
	plugin *models.Plugin
}

// offers are the actions that plugins offer for an object, by their names; those of one name in the
// order of the plugins. Only, if given, is the one plugin that counts.
func offers(v *objects.View, on On, only string) []offer {
	var list []offer
	for p := range objects.All[*models.Plugin](v) {
		provider, ok := objects.Get[*models.PluginProvider](v, p.Provider)
		if !ok || !p.Available || only != "" && p.Name != only {
			continue
		}
		if on.Kind == "plugins" && on.Entry.Object.Key() != p.Name {
			continue
		}
		for _, a := range provider.AvailableActions {
			if a.Model == on.Kind || a.Model == "" && on.Kind == models.System {
				list = append(list, offer{a, p})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b offer) int {
		if a.Command < b.Command {
			return -1
		}
		if a.Command > b.Command {
			return 1
		}
		return 0
	})
	return list
}

// value is the value that an action gets for a param: what is in force for the object, or for the
// server as a whole, or for the plugin.
func (s *Service) value(v *objects.View, on On, o *offer, name string) (json.RawMessage, bool) {
	var holders []models.Object
	if on.Entry != nil {
		holders = append(holders, on.Entry.Object)
	}
	if e, ok := v.Get("profiles", models.GlobalProfile); ok {
		holders = append(holders, e.Object)
	}
	for _, h := range append(holders, o.plugin) {
		if _, ok := h.(models.ParamHolder); !ok {
			continue
		}
		if value, ok := s.cfg.Value(v, h, name); ok {
			return value, true
		}
	}
	return nil, false
}

// gather is what a call of an action gets for its params; else the one it needs and that is nowhere.
func (s *Service) gather(v *objects.View, on On, o *offer, given models.Params) (all models.Params, missing string) {
	all = models.Params{}
	for name, value := range given {
		all[name] = value
	}
	for i, names := range [][]string{o.RequiredParams, o.OptionalParams} {
		for _, name := range names {
			if _, ok := all[name]; ok {
				continue
			}
			if value, ok := s.value(v, on, o, name); ok {
				all[name] = value
			} else if i == 0 {
				return nil, name
			}
		}
	}
	return all, ""
}

// Actions are those that plugins offer for an object and that have all the params they need; plugin,
// if given, is the one whose actions they are.
func (s *Service) Actions(on On, plugin string) []models.AvailableAction {
	v, list := s.objects.View(), []models.AvailableAction{}
	for _, o := range offers(v, on, plugin) {
		if _, missing := s.gather(v, on, &o, nil); missing != "" {
			continue
		}
		again := func(a models.AvailableAction) bool { return a.Command == o.Command && a.Provider == o.Provider }
		if !slices.ContainsFunc(list, again) {
			list = append(list, o.AvailableAction)
		}
	}
	return list
}

// Action is one of Actions by its name.
func (s *Service) Action(on On, name, plugin string) (models.AvailableAction, error) {
	v := s.objects.View()
	o, _, err := s.choose(v, on, name, plugin, nil, false)
	if err != nil {
		return models.AvailableAction{}, err
	}
	return o.AvailableAction, nil
}

// choose finds the first plugin that offers an action and has all the params it needs.
func (s *Service) choose(v *objects.View, on On, name, plugin string, given models.Params, invoke bool) (*offer, models.Params, error) {
	var lacks error
	for _, o := range offers(v, on, plugin) {
		if o.Command != name {
			continue
		}
		all, missing := s.gather(v, on, &o, given)
		if missing == "" {
			return &o, all, nil
		}
		if lacks == nil {
			lacks = on.problem(models.BadRequest, invoke, "Action %s Missing Parameter %s", name, missing)
		}
	}
	switch {
	case lacks != nil:
		return nil, nil, lacks
	case invoke:
		return nil, nil, on.problem(models.NotFound, true, "Action %s on %s: Not Found", name, on.Kind)
	}
	return nil, nil, on.problem(models.NotFound, false, "%s: Not Found", name)
}

// Invoke has a plugin act on an object, and returns its answer. It may take long.
func (s *Service) Invoke(ctx context.Context, on On, name, plugin string, given models.Params) (json.RawMessage, error) {
	v := s.objects.View()
	o, all, err := s.choose(v, on, name, plugin, given, true)
	if err != nil {
		return nil, err
	}
	for _, key := range models.ChangedParams(nil, all) {
		if bad := s.invalid(v, key, all[key]); bad != "" {
			return nil, on.problem(models.BadRequest, true, "Action %s: Invalid Parameter: %s: : %s", name, key, bad)
		}
	}
	call := models.Action{Model: json.RawMessage("null"), Plugin: o.plugin.Name, Command: name, Params: all}
	if on.Entry != nil {
		call.Model = on.Entry.Raw
	}
	body, err := models.Marshal(call)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	r := s.runners[o.plugin.Name]
	s.mu.Unlock()
	why, proc := "it is about to start", (*process)(nil)
	if r != nil {
		proc, why = r.at()
	}
	if proc == nil {
		return nil, on.problem(models.Conflict, true, "Action %s: the plugin %s does not run: %s", name, o.plugin.Name, why)
	}
	answer, err := proc.tell(ctx, "action", body, s.cfg.Action)
	var no *refusal
	switch {
	case errors.As(err, &no):
		e := no.is
		if e.Type == "" {
			e.Type = "INVOKE"
		}
		return nil, &e
	case err != nil:
		return nil, on.problem(models.Internal, true, "Action %s: the plugin %s fails: %v", name, o.plugin.Name, err)
	case len(answer) == 0:
		answer = json.RawMessage("null")
	}
	return answer, nil
}

// invalid is what a Param says is wrong with a value; "" when it is nothing.
func (s *Service) invalid(v *objects.View, name string, value json.RawMessage) string {
	p, ok := objects.Get[*models.Param](v, name)
	if !ok || string(p.Schema) == "null" {
		return ""
	}
	is, err := s.schemas.Get(p.Schema)
	if err != nil {
		return fmt.Sprintf("the schema of the param is unusable: %v", err)
	}
	bad := is.Problems(value)
	if bad != "" && p.Secure {
		return "(root): the value is not valid" // and what it is stays a secret
	}
	return bad
}

// RunTask carries out the action of an entry in a machine's task list, [PLUGIN:]ACTION.
func (s *Service) RunTask(ctx context.Context, machine *objects.Entry, plugin, action string) (json.RawMessage, error) {
	return s.Invoke(ctx, On{"machines", machine}, action, plugin, nil)
}
