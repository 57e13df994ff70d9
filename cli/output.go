package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	packs "drp/content"

	"github.com/jedib0t/go-pretty/v6/table"
	"sigs.k8s.io/yaml"
)

// formats are the ways to print a value.
var formats = map[string]func(*app, any) ([]byte, error){
	"json":  (*app).asJSON,
	"yaml":  (*app).asYAML,
	"table": (*app).asTable,
	"text":  (*app).asText,
}

// print is the only way for a value to stdout. v is anything that encodes as JSON.
func (a *app) print(v any) error { return a.printOf("", v) }

// printOf prints one or many objects of a kind, which decides on the columns of tables.
func (a *app) printOf(kind string, v any) error {
	plain, err := generic(v)
	if err != nil {
		return err
	}
	if a.flags.jq != "" {
		return a.printThrough(plain)
	}
	if a.flags.fields == "" {
		a.flags.fields = strings.Join(columns[kind], ",")
	}
	out, err := formats[a.flags.format](a, plain)
	if err != nil {
		return err
	}
	if _, err := a.Out.Write(append(bytes.TrimRight(out, "\n"), '\n')); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	if a.flags.exitEarly {
		return faulty(plain)
	}
	return nil
}

// generic is v as plain JSON data; numbers keep their digits.
func generic(v any) (any, error) {
	raw, ok := v.(json.RawMessage)
	if !ok {
		raw = must(v)
	}
	if len(raw) == 0 {
		return nil, nil
	}
	var plain any
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if err := d.Decode(&plain); err != nil {
		return nil, fmt.Errorf("print: %w", err)
	}
	return plain, nil
}

// faulty reports the errors of an object that was shown.
func faulty(v any) error {
	doc, _ := v.(document)
	list, _ := doc["Errors"].([]any)
	var errs []error
	for _, e := range list {
		errs = append(errs, errors.New(fmt.Sprint(e)))
	}
	return errors.Join(errs...)
}

func (a *app) asJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(v)
	if a.colourful() {
		return a.palette.colourJSON(b.Bytes()), err
	}
	return b.Bytes(), err
}

func (a *app) asYAML(v any) ([]byte, error) { return yaml.JSONToYAML(must(v)) }

// columns are the fields of a table by kind; others show what their objects have.
var columns = map[string][]string{
	"bootenvs":  {"Name", "Available", "OnlyUnknown", "OS.Name", "Description"},
	"jobs":      {"Uuid", "Machine", "Task", "Stage", "State", "ExitState", "StartTime", "EndTime"},
	"machines":  {"Name", "Uuid", "Workflow", "Stage", "CurrentTask", "Runnable", "Available", "Address"},
	"params":    {"Name", "Secure", "Schema", "Description"},
	"profiles":  {"Name", "Available", "Params", "Profiles", "Description"},
	"roles":     {"Name", "Claims", "Description"},
	"stages":    {"Name", "Available", "BootEnv", "Tasks", "Description"},
	"tasks":     {"Name", "Available", "Templates", "Prerequisites", "Description"},
	"templates": {"ID", "Available", "Description"},
	"users":     {"Name", "Roles", "Description"},
	"workflows": {"Name", "Available", "Stages", "Description"},

	"catalog_items": {"Id", "Name", "Version", "ContentType", "Tip", "Source"},
	"contexts":      {"Name", "Available", "Engine", "Image", "Description"},
	"endpoints":     {"Id", "Available", "ConnectionStatus", "DRPVersion", "VersionSets", "Description"},
	"pools":         {"Id", "Available", "ParentPool", "Description"},
	"version_sets":  {"Id", "Available", "Apply", "DRPVersion", "Description"},

	"interfaces":   {"Name", "Index", "ActiveAddress", "Addresses", "Gateway", "DnsServers"},
	"leases":       {"Addr", "Token", "State", "ExpireTime", "Via", "SkipBoot"},
	"reservations": {"Addr", "Token", "Subnet", "Scoped", "Available", "Description"},
	"subnets":      {"Name", "Subnet", "Enabled", "ActiveStart", "ActiveEnd", "NextServer", "Description"},

	"plugin_providers": {"Name", "Version", "AutoStart", "HasPublish", "AvailableActions"},
	"plugins":          {"Name", "Available", "Provider", "Description"},
	"tenants":          {"Name", "Users", "Members", "Description"},

	"contents": {"meta.Name", "meta.Version", "meta.Type", "Counts", "Warnings"},
}

// rows lays a value out as a table: a line per object, or a line per member of a plain map.
func (a *app) rows(v any) (header []string, rows [][]string) {
	list, isList := v.([]any)
	doc, isDoc := v.(document)
	if isDoc && a.flags.fields == "" {
		for _, k := range slices.Sorted(maps.Keys(doc)) {
			rows = append(rows, []string{k, a.cell(doc[k])})
		}
		return []string{"Field", "Value"}, rows
	}
	if !isList {
		list = []any{v}
	}
	header = a.fields(list)
	for _, one := range list {
		if len(header) == 0 {
			rows = append(rows, []string{a.cell(one)})
			continue
		}
		var row []string
		for _, f := range header {
			row = append(row, a.cell(member(one, f)))
		}
		rows = append(rows, row)
	}
	return header, rows
}

// fields are the columns asked for, or all scalars that the objects have; none if they are none.
func (a *app) fields(list []any) []string {
	if a.flags.fields != "" && (len(list) == 0 || isDocument(list[0])) {
		return strings.Split(a.flags.fields, ",")
	}
	names := map[string]bool{}
	for _, one := range list {
		doc, _ := one.(document)
		for k := range doc {
			names[k] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func isDocument(v any) bool {
	_, ok := v.(document)
	return ok
}

// member finds a field; a dot leads into it, unless a field has the whole name.
func member(v any, path string) any {
	doc, _ := v.(document)
	if found, ok := doc[path]; ok {
		return found
	}
	head, rest, deeper := strings.Cut(path, ".")
	if !deeper {
		return doc[packs.FieldName(doc, path)]
	}
	return member(doc[packs.FieldName(doc, head)], rest)
}

// cell is a value on one line, cut to the length asked for.
func (a *app) cell(v any) string {
	var s string
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		s = v
	default:
		s = string(must(v))
	}
	s = strings.NewReplacer("\n", " ", "\t", " ").Replace(s)
	if r := []rune(s); a.flags.truncate > 0 && len(r) > a.flags.truncate {
		s = string(r[:a.flags.truncate-1]) + "…"
	}
	return s
}

func (a *app) asTable(v any) ([]byte, error) {
	header, rows := a.rows(v)
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.Style().Format.Header = 0
	if border := a.palette.numbers(ofBorder); border != nil && a.colourful() {
		t.Style().Color.Border, t.Style().Color.Separator = border, border
	}
	if !a.flags.noHeader && len(header) > 0 {
		t.AppendHeader(row(a.palette.painted(ofHeader, header, a.colourful())))
	}
	for n, r := range rows {
		if a.colourful() {
			for i := range r {
				if i < len(header) {
					r[i] = marked(header[i], r[i])
				}
			}
		}
		t.AppendRow(row(a.palette.painted(ofRow+n%2, r, a.colourful())))
	}
	return []byte(t.Render()), nil
}

func row(cells []string) table.Row {
	var r table.Row
	for _, c := range cells {
		r = append(r, c)
	}
	return r
}

// asText separates fields by tabs, so that other programs can cut them.
func (a *app) asText(v any) ([]byte, error) {
	header, rows := a.rows(v)
	if !a.flags.noHeader && len(header) > 0 {
		rows = slices.Insert(rows, 0, header)
	}
	var b bytes.Buffer
	for _, r := range rows {
		b.WriteString(strings.Join(r, "\t") + "\n")
	}
	return b.Bytes(), nil
}

// say prints a line for people.
func (a *app) say(format string, args ...any) error {
	_, err := fmt.Fprintf(a.Out, format+"\n", args...)
	return err
}
