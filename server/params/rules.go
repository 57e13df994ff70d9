package params

import (
	"bytes"
	"encoding/json"
	"fmt"

	"drp/models"
	"drp/models/schema"
	"drp/server/objects"
)

// Register makes the service check params: their schemas when a Param is stored, and their
// values when any object that carries params is. Filters see effective values from then on.
func Register(s *objects.Service) {
	c := checker{schema.NewCache()}
	for _, k := range models.Kinds {
		if _, ok := k.New().(models.ParamHolder); ok {
			s.AddRule(k.Name, c.values)
		}
	}
	s.AddRule(objects.CustomKinds, c.values)
	s.AddRule("params", c.param)
	s.EffectiveParam = EffectiveRaw
}

type checker struct{ schemas *schema.Cache }

// values checks the params of an object that differ from what they were.
func (c checker) values(tx *objects.Tx, ch *objects.Change) error {
	if ch.New == nil {
		return nil
	}
	var was models.Params
	if ch.Old != nil {
		was = *ch.Old.(models.ParamHolder).ParamMap()
	}
	is := *ch.New.(models.ParamHolder).ParamMap()
	var bad []string
	for _, key := range models.ChangedParams(was, is) {
		if p, ok := objects.Get[*models.Param](tx, key); ok {
			bad = append(bad, c.value(p, is[key])...)
		}
	}
	if len(bad) > 0 {
		return models.Invalidf(ch.New, bad...)
	}
	return nil
}

// value returns what is wrong with one value.
func (c checker) value(p *models.Param, value []byte) []string {
	if p.Secure {
		return []string{fmt.Sprintf("Key '%s': %s", p.Name, noSecure)}
	}
	if string(p.Schema) == "null" {
		return nil
	}
	s, err := c.schemas.Get(p.Schema)
	if err != nil {
		return []string{fmt.Sprintf("Key '%s': the schema of the param is unusable: %v", p.Name, err)}
	}
	if text := s.Problems(value); text != "" {
		return []string{fmt.Sprintf("Key '%s': invalid val '%s': : %s", p.Name, shown(value), text)}
	}
	return nil
}

// shown is how a value stands in a message: text without quotes, everything else as JSON, and not
// too much of either.
func shown(value json.RawMessage) string {
	text := string(value)
	var s string
	if json.Unmarshal(value, &s) == nil {
		text = s
	} else if raw, err := models.Marshal(value); err == nil {
		text = string(raw)
	}
	const enough = 200
	if r := []rune(text); len(r) > enough {
		text = string(r[:enough]) + "…"
	}
	return text
}

// noSecure is why a secure param has no value: to keep it in clear would break its promise.
const noSecure = "the param is secure, and this version of the server takes no values of secure params"

// param checks a Param: its schema must be one, and accept its own default.
func (c checker) param(tx *objects.Tx, ch *objects.Change) error {
	p, ok := ch.New.(*models.Param)
	if !ok {
		return nil
	}
	old, _ := ch.Old.(*models.Param)
	if p.Secure && (old == nil || !old.Secure) {
		if err := noneInClear(tx, p); err != nil {
			return err
		}
	}
	if string(p.Schema) == "null" || old != nil && bytes.Equal(old.Schema, p.Schema) {
		return nil
	}
	s, err := c.schemas.Get(p.Schema)
	if err != nil {
		return models.Invalidf(p, "Invalid Schema: "+err.Error())
	}
	if v, ok := p.Default(); ok {
		if text := s.Problems(v); text != "" {
			return models.Invalidf(p, "Error in default value: "+text)
		}
	}
	return nil
}

// noneInClear refuses to make a param secure while an object holds a value of it.
func noneInClear(tx *objects.Tx, p *models.Param) error {
	for _, k := range models.Kinds {
		if _, ok := k.New().(models.ParamHolder); !ok {
			continue
		}
		for e := range tx.All(k.Name) {
			if _, ok := (*e.Object.(models.ParamHolder).ParamMap())[p.Name]; ok {
				return models.Errorf(models.Conflict, p, "%s/%s holds a value in clear; remove it before the param becomes secure", k.Name, e.Object.Key())
			}
		}
	}
	return nil
}
