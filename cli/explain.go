package cli

import (
	"context"
	"fmt"
	"reflect"
	"strings"

	"drp/models"
	"drp/models/docs"

	"github.com/spf13/cobra"
)

// explain tells what a kind or a field is.
func (a *app) explain() *cobra.Command {
	c := a.command(verb{
		use:   "explain [kind[.field...]]",
		short: "Tell what a kind of object or a field is",
		long: "Tell what the objects of a kind are and what fields they have, or what one field means. A dot leads\n" +
			"into a field. This program knows it by itself: no server is asked.",
		example: "drp explain machines\ndrp explain machines.CurrentTask\ndrp explain tasks.Templates.Meta",
		args:    exactly(1),
		run:     func(_ context.Context, args []string) error { return a.explained(args[0]) },
	})
	c.ValidArgsFunction = func(_ *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return explainable(begun), cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
	}
	return c
}

func (a *app) explained(path string) error {
	words := strings.Split(path, ".")
	k, ok := kindNamed(words[0])
	if !ok {
		return fmt.Errorf("there is no kind %s; drp objects list tells which the server has", words[0])
	}
	t, about, title := reflect.TypeOf(k.New()).Elem(), docs.Kind(k), k.Name
	field := docs.Field{}
	for i, w := range words[1:] {
		in, ok := docs.Struct(t)
		if !ok {
			return fmt.Errorf("%s is a %s: nothing can be said of what is in it", strings.Join(words[:i+1], "."), docs.Word(t))
		}
		if field, ok = fieldNamed(in, w); !ok {
			return fmt.Errorf("%s has no field %s; it has %s", strings.Join(words[:i+1], "."), w, strings.Join(fieldNames(in), ", "))
		}
		t, about, title = field.Type, field.Doc, title+"."+field.Name
	}
	head := title
	if field.Name != "" {
		head += "  " + docs.Word(t) + remark(field)
	} else {
		head += "  key " + k.KeyField
	}
	if err := a.say("%s\n", head); err != nil {
		return err
	}
	in, deeper := docs.Struct(t)
	if about == "" && deeper {
		about = docs.Type(in)
	}
	if about != "" {
		if err := a.say("%s\n", wrap(about, "  ")); err != nil {
			return err
		}
	}
	if !deeper {
		return nil
	}
	for _, f := range docs.Fields(in) {
		if err := a.say("  %s  %s%s", f.Name, docs.Word(f.Type), remark(f)); err != nil {
			return err
		}
		if f.Doc != "" {
			if err := a.say("%s", wrap(f.Doc, "      ")); err != nil {
				return err
			}
		}
	}
	return nil
}

func remark(f docs.Field) string {
	switch {
	case f.ReadOnly:
		return ", set by the server"
	case f.Optional:
		return ", left out while empty"
	}
	return ""
}

// kindNamed finds a kind by its name, or by that of one object of it.
func kindNamed(name string) (*models.KindInfo, bool) {
	for _, k := range models.Kinds {
		if !k.Internal && (strings.EqualFold(k.Name, name) || strings.EqualFold(strings.TrimSuffix(k.Name, "s"), name)) {
			return k, true
		}
	}
	return nil, false
}

func fieldNamed(t reflect.Type, name string) (docs.Field, bool) {
	for _, f := range docs.Fields(t) {
		if strings.EqualFold(f.Name, name) {
			return f, true
		}
	}
	return docs.Field{}, false
}

func fieldNames(t reflect.Type) (names []string) {
	for _, f := range docs.Fields(t) {
		names = append(names, f.Name)
	}
	return names
}

// explainable are the kinds that begin like that, or the fields of the one that is named.
func explainable(begun string) (words []string) {
	name, _, inside := strings.Cut(begun, ".")
	for _, k := range models.Kinds {
		switch {
		case k.Internal:
		case !inside && strings.HasPrefix(k.Name, begun):
			words = append(words, k.Name)
		case inside && k.Name == name:
			for _, f := range fieldNames(reflect.TypeOf(k.New()).Elem()) {
				if w := k.Name + "." + f; strings.HasPrefix(w, begun) {
					words = append(words, w)
				}
			}
		}
	}
	return words
}

// wrap breaks a text into lines that a terminal shows whole.
func wrap(text, indent string) string {
	const width = 96
	var b strings.Builder
	for i, paragraph := range strings.Split(text, "\n\n") {
		if i > 0 {
			b.WriteString("\n\n")
		}
		b.WriteString(indent)
		at := len(indent)
		for j, w := range strings.Fields(paragraph) {
			switch {
			case j == 0:
			case at+1+len(w) > width:
				b.WriteString("\n" + indent)
				at = len(indent)
			default:
				b.WriteByte(' ')
				at++
			}
			b.WriteString(w)
			at += len(w)
		}
	}
	return b.String()
}
