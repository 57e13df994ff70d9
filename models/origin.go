package models

import "encoding/json"

// ParamOrigin is a value of a param and the object that has it.
type ParamOrigin struct {
	Value json.RawMessage
	Kind  string // machines, profiles, stages or plugins; params: the default in the schema of the Param
	Key   string
	Via   []string // how that object comes into it, the outermost first: ["stages/install", "profiles/rack"]; empty for what the object asked for is, names itself, or the profile global
}

// EffectiveParam is the value of a param that is in force, where it comes from, and the values that
// it overrides, the next in precedence first.
type EffectiveParam struct {
	ParamOrigin
	Overrides []ParamOrigin
}
