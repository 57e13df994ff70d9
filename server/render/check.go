package render

import (
	"fmt"

	"drp/models"
	"drp/server/objects"
)

// Register makes the service parse every template that is stored. An object with one that does
// not parse, or that calls a function nobody knows, is kept but not available, and its Errors
// name the line. Register it before the Rules that look at whether others are available.
func Register(s *objects.Service) {
	c := checker{newParser(known(functions()))}
	for _, kind := range []string{"bootenvs", "stages", "tasks", "templates"} {
		s.AddRule(kind, c.rule)
	}
}

type checker struct{ parser *parser }

func (c checker) rule(_ *objects.Tx, ch *objects.Change) error {
	if ch.New == nil {
		return nil
	}
	var bad []string
	for _, t := range texts(ch.New) {
		if _, err := c.parser.get(t.name, t.text); err != nil {
			f := locate(err)
			bad = append(bad, fmt.Sprintf("%s: template %s, line %s: %s", ch.New.Key(), t.name, f.line, f.why))
		}
	}
	if len(bad) > 0 {
		b := ch.New.Base()
		b.Available, b.Errors = false, append(b.Errors, bad...)
	}
	return nil
}

// texts are the templates that stand in an object itself.
func texts(o models.Object) []source {
	switch o := o.(type) {
	case *models.Template:
		return []source{{o.ID, o.Contents}}
	case *models.Task:
		return inlineTexts(o.Templates)
	case *models.Stage:
		return inlineTexts(o.Templates)
	case *models.BootEnv:
		list := append(inlineTexts(o.Templates), source{"BootParams", o.BootParams})
		for arch, a := range o.OS.SupportedArchitectures {
			list = append(list, source{"BootParams of " + arch, a.BootParams})
		}
		return list
	}
	return nil
}

func inlineTexts(list []models.TemplateInfo) []source {
	var all []source
	for _, t := range list {
		all = append(all, source{t.Name, t.Contents}, source{t.Name + pathSuffix, t.Path}, source{t.Name + linkSuffix, t.Link})
	}
	return all
}
