package cli

import (
	"context"
	"fmt"
	"net/http"
	"runtime"
	"strings"

	"drp/cli/client"
	"drp/models"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// taskVerbs are the verbs of tasks alone.
func (k *kind) taskVerbs() []*cobra.Command { return []*cobra.Command{k.preview()} }

// preview shows what a machine would get of an object's templates, or of a text.
func (k *kind) preview() *cobra.Command {
	system, decode := runtime.GOOS, false
	v := verb{
		use:   "preview [id] [Machine]",
		short: fmt.Sprintf("Show what a machine would get of a %s", k.single),
		long: fmt.Sprintf("Render the templates of a %s for a machine (UUID or name). No job is made, and nothing changes.\n"+
			"What cannot be rendered fails with the line that is at fault. Where a token would be there is a word about it.", k.single),
		example: fmt.Sprintf("drp %s preview %s web1.example.com\ndrp %s preview %s web1.example.com --jq '.[].Content'", k.name, k.sample(), k.name, k.sample()),
		args:    exactly(2),
		flags: func(f *pflag.FlagSet) {
			f.StringVar(&system, "os", system, "only those meant for this operating system; any: all of them")
			f.BoolVar(&decode, "decode", false, "show secure params in the clear")
		},
		run: func(ctx context.Context, args []string) error {
			p := models.Preview{Kind: k.name, Key: args[0]}
			if k.name == "templates" {
				text, err := k.text(ctx, args[0])
				if err != nil {
					return err
				}
				p = models.Preview{Templates: []models.TemplateInfo{{Name: "text", Contents: string(text)}}}
			}
			if p.OS = system; system == "any" {
				p.OS = ""
			}
			return k.previews(ctx, args[1], &p, decode)
		},
	}
	if k.name == "templates" {
		v.use, v.short = "preview [text] [Machine]", "Show what a machine would get of a text"
		v.long = "Render a text as a template for a machine (UUID or name). It is not stored, and nothing changes. The text is\n" +
			"given as such, as file, URL or - for stdin. If it cannot be rendered, the line that is at fault is told."
		v.example = "drp templates preview motd.tmpl web1.example.com\necho 'I am {{.Machine.Name}}' | drp templates preview - web1.example.com"
	}
	return k.verb(v)
}

func (k *kind) previews(ctx context.Context, machine string, p *models.Preview, decode bool) error {
	flag := ""
	if decode {
		flag = "true"
	}
	id := machine
	if !models.IsUUID(id) && !strings.Contains(id, ":") {
		id = "Name:" + id
	}
	var list []models.Previewed
	if err := k.client.Do(ctx, http.MethodPost, "machines/"+id+"/preview", p, &list, client.WithFlag("decode", flag)); err != nil {
		return err
	}
	for _, t := range list {
		if e := t.Error; e != nil {
			return fmt.Errorf("template %s: %s%s", t.Name, placeOf(t.Name, e), e.Why)
		}
	}
	return k.print(must(list))
}

// placeOf is where what is wrong with a template is.
func placeOf(template string, e *models.PreviewError) string {
	place := "in " + e.Key + ", "
	switch {
	case e.Line == 0:
		return ""
	case e.Part == template:
		place = ""
	case e.Part != "":
		place = "in " + e.Part + ", "
	}
	switch {
	case e.Column == 0:
		return fmt.Sprintf("%sline %d: ", place, e.Line)
	}
	return fmt.Sprintf("%sline %d, column %d: ", place, e.Line, e.Column)
}
