package models

import (
	"encoding/json"
	"reflect"
)

// KindInfo describes a kind of object.
type KindInfo struct {
	Name string        // the prefix on the wire
	New  func() Object // an empty object
	// Type are the indexes whose type is not that of the Go field.
	Types map[string]IndexType
	// Unique are the fields, besides the key, that no two objects of the kind share.
	Unique []string
	// Inner are the indexes on fields of a field, by the path to it.
	Inner map[string][]string
	// KeyField is the name of the field that holds the key.
	KeyField string
	// Internal kinds are stored but have no routes of their own.
	Internal bool
	// Given kinds are only read through the common routes: their objects come and go with
	// something else.
	Given bool
	// Custom kinds are defined by a plugin provider; their objects are *Custom.
	Custom  bool
	Schema  json.RawMessage // of a Custom kind: what StoreObjects says of it
	indexes map[string]Index
	shape   *shape
}

// Kinds is every kind, in alphabetical order. To add one, write its file and a line here.
var Kinds = []*KindInfo{
	{Name: "bootenvs", KeyField: "Name", New: func() Object { return &BootEnv{} }, Inner: map[string][]string{"OsName": {"OS", "Name"}}},
	{Name: "catalog_items", KeyField: "Id", New: func() Object { return &CatalogItem{} }},
	{Name: "contents", KeyField: "Name", New: func() Object { return &Pack{} }, Internal: true},
	{Name: "contexts", KeyField: "Name", New: func() Object { return &Context{} }},
	{Name: "endpoints", KeyField: "Id", New: func() Object { return &Endpoint{} }},
	{Name: "jobs", KeyField: "Uuid", New: func() Object { return &Job{} }, Types: map[string]IndexType{"Uuid": IndexUUID, "Machine": IndexUUID, "Previous": IndexUUID}},
	{Name: "machines", KeyField: "Uuid", New: func() Object { return &Machine{} }, Types: map[string]IndexType{"Uuid": IndexUUID, "CurrentJob": IndexUUID, "Address": IndexIP}, Unique: []string{"Name"}},
	{Name: "params", KeyField: "Name", New: func() Object { return &Param{} }},
	{Name: "plugin_providers", KeyField: "Name", New: func() Object { return &PluginProvider{} }, Given: true},
	{Name: "plugins", KeyField: "Name", New: func() Object { return &Plugin{} }},
	{Name: "pools", KeyField: "Id", New: func() Object { return &Pool{} }},
	{Name: "preferences", KeyField: "Name", New: func() Object { return &Pref{} }},
	{Name: "profiles", KeyField: "Name", New: func() Object { return &Profile{} }},
	{Name: "roles", KeyField: "Name", New: func() Object { return &Role{} }},
	{Name: "stages", KeyField: "Name", New: func() Object { return &Stage{} }},
	{Name: "tasks", KeyField: "Name", New: func() Object { return &Task{} }},
	{Name: "templates", KeyField: "ID", New: func() Object { return &Template{} }},
	{Name: "tenants", KeyField: "Name", New: func() Object { return &Tenant{} }},
	{Name: "users", KeyField: "Name", New: func() Object { return &User{} }},
	{Name: "version_sets", KeyField: "Id", New: func() Object { return &VersionSet{} }},
	{Name: "workflows", KeyField: "Name", New: func() Object { return &Workflow{} }},
}

var byName = func() map[string]*KindInfo {
	m := map[string]*KindInfo{}
	for _, k := range Kinds {
		k.buildIndexes()
		k.shape = shapeOf(reflect.TypeOf(k.New()).Elem())
		m[k.Name] = k
	}
	return m
}()

// KindOf finds a kind by its prefix. Those that plugin providers define are not among them: which
// there are depends on the state of a server.
func KindOf(name string) (*KindInfo, bool) {
	k, ok := byName[name]
	return k, ok
}
