package models

import (
	"encoding/json"
	"reflect"
	"strings"
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
	// Computed are indexes that are no fields.
	Computed map[string]Index
	// BadIP refuses what is no address in a filter, in words of the kind's own: a format of the
	// index's name and the value.
	BadIP string
	// KeyField is the name of the field that holds the key. One that holds an IPv4 address is the
	// key in hexadecimal digits.
	KeyField string
	// Internal kinds are stored but have no routes of their own.
	Internal bool
	// Given kinds are only read through the common routes: their objects come and go with
	// something else.
	Given bool
	// Custom kinds are defined by a plugin provider; their objects are *Custom.
	Custom bool
	Schema json.RawMessage // of a Custom kind: what StoreObjects says of it
	// Hidden kinds are Internal, and neither history nor events tell of them.
	Hidden  bool
	indexes map[string]Index
	shape   *shape
}

// Kinds is every kind, in alphabetical order. To add one, write its file and a line here.
var Kinds = []*KindInfo{
	{Name: "bootenvs", KeyField: "Name", New: func() Object { return &BootEnv{} }, Inner: map[string][]string{"OsName": {"OS", "Name"}}},
	{Name: "catalog_items", KeyField: "Id", New: func() Object { return &CatalogItem{} }},
	{Name: "contents", KeyField: "Name", New: func() Object { return &Pack{} }, Internal: true},
	{Name: "contexts", KeyField: "Name", New: func() Object { return &Context{} }},
	{Name: "ended_tokens", KeyField: "Sum", New: func() Object { return &EndedToken{} }, Internal: true, Hidden: true},
	{Name: "endpoints", KeyField: "Id", New: func() Object { return &Endpoint{} }},
	{Name: "jobs", KeyField: "Uuid", New: func() Object { return &Job{} }, Types: map[string]IndexType{"Uuid": IndexUUID, "Machine": IndexUUID, "Previous": IndexUUID}},
	{Name: "key_pairs", KeyField: "Name", New: func() Object { return &KeyPair{} }, Internal: true, Hidden: true},
	{Name: "leases", KeyField: "Addr", New: func() Object { return &Lease{} }, Types: map[string]IndexType{"Addr": IndexIP, "NextServer": IndexIP, "Via": IndexIP, "Token": IndexString, "ExpireTime": IndexStamp}, BadIP: "%[1]s must be an IP address"},
	{Name: "machines", KeyField: "Uuid", New: func() Object { return &Machine{} }, Types: map[string]IndexType{"Uuid": IndexUUID, "CurrentJob": IndexUUID, "Address": IndexIP}, Unique: []string{"Name"}},
	{Name: "params", KeyField: "Name", New: func() Object { return &Param{} }},
	{Name: "plugin_providers", KeyField: "Name", New: func() Object { return &PluginProvider{} }, Given: true},
	{Name: "plugins", KeyField: "Name", New: func() Object { return &Plugin{} }},
	{Name: "pools", KeyField: "Id", New: func() Object { return &Pool{} }},
	{Name: "preferences", KeyField: "Name", New: func() Object { return &Pref{} }},
	{Name: "profiles", KeyField: "Name", New: func() Object { return &Profile{} }},
	{Name: "reservations", KeyField: "Addr", New: func() Object { return &Reservation{} }, Types: map[string]IndexType{"Addr": IndexIP, "NextServer": IndexIP, "Token": IndexString}, BadIP: "Invalid Address: %[2]s"},
	{Name: "roles", KeyField: "Name", New: func() Object { return &Role{} }},
	{Name: "secure_names", KeyField: "Name", New: func() Object { return &SecureName{} }, Internal: true, Hidden: true},
	{Name: "stages", KeyField: "Name", New: func() Object { return &Stage{} }},
	{Name: "subnets", KeyField: "Name", New: func() Object { return &Subnet{} }, Types: map[string]IndexType{"Subnet": IndexCIDR, "NextServer": IndexIP, "ActiveStart": IndexIP, "ActiveEnd": IndexIP}, BadIP: "Invalid Address: %[2]s",
		Computed: map[string]Index{"Address": spanIndex((*Subnet).hosts), "ActiveAddress": spanIndex((*Subnet).activeSpan)}},
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

// CanonicalKey is the key that is meant by what a caller has written for one: UUIDs may be in any
// letter case, and what is known by its IPv4 address also in the dotted form.
func (k *KindInfo) CanonicalKey(id string) string {
	switch k.Types[k.KeyField] {
	case IndexUUID:
		return strings.ToLower(id)
	case IndexIP:
		return addrKey(id)
	}
	return id
}

// KindOf finds a kind by its prefix. Those that plugin providers define are not among them: which
// there are depends on the state of a server.
func KindOf(name string) (*KindInfo, bool) {
	k, ok := byName[name]
	return k, ok
}
