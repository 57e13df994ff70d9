package params

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"

	"drp/models"
	"drp/models/schema"
	"drp/server/objects"
)

// Register makes the service check params: their schemas when a Param is stored, and their
// values when any object that carries params is. Filters see effective values from then on. The
// Vault it returns needs the keys of the server before the service starts.
func Register(s *objects.Service) *Vault {
	v := &Vault{service: s}
	c := checker{schema.NewCache(), v}
	for _, k := range models.Kinds {
		if _, ok := k.New().(models.ParamHolder); ok {
			s.AddRule(k.Name, c.values)
		}
	}
	s.AddRule(objects.CustomKinds, c.values)
	s.AddRule("params", c.param)
	s.EffectiveParam = EffectiveRaw
	return v
}

type checker struct {
	schemas *schema.Cache
	vault   *Vault
}

// secretly is what is wrong with the value of a secure param, without a word of the value; "" when it
// is valid.
func secretly(c *schema.Cache, p *models.Param, value []byte) string {
	if string(p.Schema) == "null" {
		return ""
	}
	s, err := c.Get(p.Schema)
	if err != nil {
		return fmt.Sprintf("Key '%s': the schema of the param is unusable: %v", p.Name, err)
	}
	if text := s.Discreet(value); text != "" {
		return fmt.Sprintf("Key '%s': invalid val '%s': : %s", p.Name, models.Hidden, text)
	}
	return ""
}

// values checks the params of an object that differ from what they were, and seals the secure ones.
func (c checker) values(tx *objects.Tx, ch *objects.Change) error {
	if ch.New == nil {
		return c.vault.forget(tx, ch.Old)
	}
	var was models.Params
	if ch.Old != nil {
		was = *ch.Old.(models.ParamHolder).ParamMap()
	}
	is := *ch.New.(models.ParamHolder).ParamMap()
	var bad []string
	sealed := models.Params{}
	for _, key := range models.ChangedParams(was, is) {
		p, ok := objects.Get[*models.Param](tx, key)
		if !ok {
			continue
		}
		if !p.Secure {
			bad = append(bad, c.value(p, is[key])...)
			continue
		}
		value, problem, err := c.vault.settle(tx, c.schemas, ch.New, p, was[key], is[key])
		if err != nil {
			return err
		}
		if sealed[key] = value; problem != "" {
			bad = append(bad, problem)
		}
	}
	if len(bad) > 0 {
		return models.Invalidf(ch.New, bad...)
	}
	if len(sealed) > 0 { // the map may be that of others too
		m := maps.Clone(is)
		maps.Copy(m, sealed)
		*ch.New.(models.ParamHolder).ParamMap() = m
	}
	return nil
}

// value returns what is wrong with one value.
func (c checker) value(p *models.Param, value []byte) []string {
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

// param checks a Param: its schema must be one, and accept its own default.
func (c checker) param(tx *objects.Tx, ch *objects.Change) error {
	p, ok := ch.New.(*models.Param)
	if !ok {
		return nil
	}
	old, _ := ch.Old.(*models.Param)
	if p.Secure && (old == nil || !old.Secure) {
		if err := c.vault.secure(tx, p); err != nil {
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
