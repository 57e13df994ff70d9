package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"

	"drp/models"
	"drp/models/patch"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"
)

// edit opens an object in an editor.
func (a *app) edit() *cobra.Command {
	c := a.command(verb{
		use:   "edit [kind] [id]",
		short: "Edit an object in your editor",
		long: "Open an object as YAML in $VISUAL or $EDITOR (else vi), and send what was changed as a patch that tests the\n" +
			"old values. If the server refuses it, or somebody has changed the same field meanwhile, the editor\n" +
			"opens again with your text and the reason on top. Leave the text as it was, or empty, to give up.",
		example: "drp edit profiles global\nEDITOR='code --wait' drp edit machines Name:web1.example.com",
		args:    exactly(2),
		run:     a.editObject,
	})
	c.ValidArgsFunction = a.completeKindAndKey
	return c
}

// completeKindAndKey offers kinds, then the keys of the one chosen.
func (a *app) completeKindAndKey(c *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) == 0 {
		var names []string
		for _, k := range a.kinds() {
			if strings.HasPrefix(k.name, begun) {
				names = append(names, k.name)
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	if info, ok := kindNamed(args[0]); ok && len(args) == 1 {
		return a.kind(info).complete(c, begun)
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}

func (a *app) editObject(ctx context.Context, args []string) error {
	info, ok := kindNamed(args[0])
	if !ok {
		return fmt.Errorf("there is no kind %s; drp objects list tells which the server has", args[0])
	}
	k := a.kind(info)
	base, err := k.do(ctx, "GET", k.at(args[1]), nil)
	if err != nil {
		return err
	}
	shown, err := yaml.JSONToYAML(base)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp("", "drp-*.yaml") // mode 0600: secrets may stand in it
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	f.Close()
	text, complaint := shown, ""
	for {
		before := append(note(k, args[1], complaint), text...)
		if err := os.WriteFile(f.Name(), before, 0o600); err != nil {
			return err
		}
		if err := a.editor(ctx, f.Name()); err != nil {
			return err
		}
		after, err := os.ReadFile(f.Name())
		if err != nil {
			return err
		}
		text = withoutNote(after)
		switch {
		case len(bytes.TrimSpace(text)) == 0, bytes.Equal(text, shown):
			return a.say("%s/%s stays as it was", k.name, args[1])
		case complaint != "" && bytes.Equal(after, before):
			return errors.New(complaint)
		}
		raw, err := k.send(ctx, base, text)
		if err == nil {
			return k.shows(raw, nil)
		}
		if refused := (*models.Error)(nil); !errors.As(err, &refused) && !errors.Is(err, errUnreadable) {
			return err
		}
		complaint = err.Error()
		if models.ClassOf(err) == models.Conflict { // the next patch is made against what is there now
			if now, err := k.do(ctx, "GET", k.at(args[1]), nil); err == nil {
				base = now
			}
		}
	}
}

var errUnreadable = errors.New("the text cannot be read")

// send sends the difference between an object and its edited text.
func (k *kind) send(ctx context.Context, base json.RawMessage, text []byte) (json.RawMessage, error) {
	edited, err := toJSON(text)
	if err == nil {
		_, err = toDocument(edited)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errUnreadable, err)
	}
	ops, err := patch.Diff(base, edited, patch.Tests)
	if err != nil {
		return nil, err
	}
	doc, err := toDocument(base)
	if err != nil {
		return nil, err
	}
	return k.do(ctx, "PATCH", k.at(fmt.Sprint(doc[k.info.KeyField])), ops, k.forced())
}

const noteMark = "## "

func note(k *kind, id, complaint string) []byte {
	lines := []string{fmt.Sprintf("%s/%s. Save and leave to send what you change; drp explain %s tells what the fields mean.", k.name, id, k.name)}
	if complaint != "" {
		lines = append(append(lines, "It was refused:"), strings.Split(complaint, "\n")...)
		lines = append(lines, "Mend it, or leave without a change to give up.")
	}
	var b bytes.Buffer
	for _, l := range lines {
		b.WriteString(noteMark + l + "\n")
	}
	return b.Bytes()
}

func withoutNote(text []byte) []byte {
	for bytes.HasPrefix(text, []byte(strings.TrimSpace(noteMark))) {
		_, text, _ = bytes.Cut(text, []byte("\n"))
	}
	return text
}

// editor runs the person's editor on a file. What the variable holds may have arguments.
func (a *app) editor(ctx context.Context, file string) error {
	command := "vi"
	for _, name := range []string{"EDITOR", "VISUAL"} {
		if v := a.Getenv(name); v != "" {
			command = v
		}
	}
	c := exec.CommandContext(ctx, "sh", "-c", command+` "$1"`, "sh", file)
	c.Stdin, c.Stdout, c.Stderr = a.In, a.Err, a.Err
	if f, ok := a.Out.(*os.File); ok {
		c.Stdout = f // editors draw on it
	}
	if err := c.Run(); err != nil {
		return fmt.Errorf("editor %s: %w; set EDITOR to another", command, err)
	}
	return nil
}
