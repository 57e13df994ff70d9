package cli

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"drp/models"

	"github.com/spf13/cobra"
)

func tree(name string) *cobra.Command {
	return New(name, IO{In: strings.NewReader(""), Out: &bytes.Buffer{}, Err: &bytes.Buffer{}}, Deps{Getenv: func(string) string { return "" }})
}

func walk(c *cobra.Command, visit func(*cobra.Command)) {
	visit(c)
	for _, sub := range c.Commands() {
		walk(sub, visit)
	}
}

func TestEveryKindHasEveryCommonVerb(t *testing.T) {
	root := tree("drp")
	check := func(kind, verb string) {
		c, rest, err := root.Find(append([]string{kind}, strings.Fields(verb)...))
		if err != nil || len(rest) > 0 || c.Name() == kind {
			t.Errorf("drp %s %s is not there: %v", kind, verb, err)
		}
	}
	for _, k := range models.Kinds {
		if k.Internal || k.Name == "preferences" {
			continue
		}
		if k.Given {
			for _, v := range []string{"list", "count", "show", "exists", "indexes", "etag", "wait", "meta"} {
				check(k.Name, v)
			}
			continue
		}
		if k.Name == "leases" {
			continue // see TestWhatIsNotForCallersToWriteHasNoVerbs
		}
		for _, v := range []string{"list", "count", "show", "exists", "create", "update", "patch", "destroy", "indexes", "etag", "wait",
			"meta", "meta get", "meta set", "meta add", "meta remove", "action", "runaction"} {
			check(k.Name, v)
		}
		if _, ok := k.New().(models.ParamHolder); ok {
			for _, v := range []string{"params", "get", "set", "add", "remove"} {
				check(k.Name, v)
			}
		}
		if _, ok := k.New().(models.ProfileHolder); ok {
			check(k.Name, "addprofile")
			check(k.Name, "removeprofile")
		}
	}
	for _, v := range []string{"list", "set"} {
		check("prefs", v)
	}
}

func TestEveryCommandIsExplained(t *testing.T) {
	walk(tree("drp"), func(c *cobra.Command) {
		if c.Short == "" || c.Long == "" || c.Example == "" {
			t.Errorf("%s lacks something: Short %q, Long %q, Example %q", c.CommandPath(), c.Short, c.Long, c.Example)
		}
		for _, line := range strings.Split(c.Long+"\n"+c.Example, "\n") {
			if len(line) > 110 && !strings.HasPrefix(line, "  ") {
				t.Errorf("%s: a line of %d characters: %s", c.CommandPath(), len(line), line)
			}
		}
		if strings.HasSuffix(c.Short, ".") {
			t.Errorf("%s: Short ends in a full stop", c.CommandPath())
		}
	})
}

// shellWords splits an example the way a shell would, up to a comment or to what joins commands.
func shellWords(line string) []string {
	var words []string
	var word strings.Builder
	var quote rune
	open := false
	flush := func() {
		if open {
			words = append(words, word.String())
			word.Reset()
			open = false
		}
	}
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, open = r, true
		case quote == 0 && r == ' ':
			flush()
		default:
			word.WriteRune(r)
			open = true
		}
	}
	flush()
	end := slices.IndexFunc(words, func(w string) bool { return slices.Contains([]string{"#", "|", "<", ">", "&", "&&", "||"}, w) })
	if end < 0 {
		return words
	}
	return words[:end]
}

func TestEveryExampleIsAPossibleCall(t *testing.T) {
	var p parser
	walk(tree("drp"), func(c *cobra.Command) {
		for _, line := range strings.Split(c.Example, "\n") {
			_, rest, found := strings.Cut(" "+strings.TrimSpace(line), " drp ")
			if !found {
				t.Errorf("%s: no call in %q", c.CommandPath(), line)
				continue
			}
			if err := p.possible(rest); err != nil {
				t.Errorf("%s: %q: %v", c.CommandPath(), line, err)
			}
		}
	})
}

// TestEveryCallInTheREADMEIsPossible: what the README shows is there under that name, with those flags.
func TestEveryCallInTheREADMEIsPossible(t *testing.T) {
	raw, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var p parser
	calls := 0
	for i, block := range strings.Split(string(raw), "\n```") {
		if i%2 == 0 {
			continue // between two blocks
		}
		for _, line := range strings.Split(strings.ReplaceAll(block, "\\\n", " "), "\n") {
			rest, found := strings.CutPrefix(strings.TrimPrefix(strings.TrimSpace(line), "$ "), "drp ")
			if !found {
				continue
			}
			calls++
			if err := p.possible(rest); err != nil {
				t.Errorf("%q: %v", line, err)
			}
		}
	}
	if calls < 40 {
		t.Errorf("found %d calls; want all of the README", calls)
	}
}

// parser tells which calls are possible. Making all commands is slow, so a tree serves until flags
// are asked for that a call has set already.
type parser struct {
	root *cobra.Command
	used map[*cobra.Command]bool // those that have such flags, for themselves or for what is below them
}

func (p *parser) possible(line string) error {
	words := shellWords(line)
	c, args, err := p.find(words)
	if err == nil && slices.ContainsFunc(owners(c), func(o *cobra.Command) bool { return p.used[o] }) {
		p.root = nil
		c, args, err = p.find(words)
	}
	if err != nil {
		return err
	}
	for _, o := range owners(c) {
		p.used[o] = true
	}
	if err := c.ParseFlags(args); err != nil {
		return err
	}
	if err := c.ValidateArgs(c.Flags().Args()); err != nil {
		return err
	}
	if !c.Runnable() || !c.HasParent() {
		return fmt.Errorf("it calls %s", c.CommandPath())
	}
	return nil
}

// owners are the commands that own the flags of one, but for the common flags of all.
func owners(c *cobra.Command) []*cobra.Command {
	list := []*cobra.Command{c}
	c.VisitParents(func(above *cobra.Command) {
		if above.HasParent() && above.HasPersistentFlags() {
			list = append(list, above)
		}
	})
	return list
}

func (p *parser) find(words []string) (*cobra.Command, []string, error) {
	if p.root == nil {
		p.root, p.used = tree("drp"), map[*cobra.Command]bool{}
	}
	_, words = ofPlugins(p.root, words)
	return p.root.Find(words)
}

func TestNoVerbTakesAShorthandOfTheCommonFlags(t *testing.T) {
	root := tree("drp")
	walk(root, func(c *cobra.Command) {
		c.InheritedFlags() // panics where two flags share a letter
	})
}

// Programs that read the complaint were mostly written for drpcli; the usage is for people.
func TestCallersNameIsShown(t *testing.T) {
	for _, name := range []string{"drp", "drpcli"} {
		r := call{name: "/usr/bin/" + name}.drp(t, "users", "create")
		complaint, usage, _ := strings.Cut(r.err, "\n")
		want(t, "first line", complaint, "Error: drpcli users create [json] [flags] requires 1 argument")
		if other := map[string]string{"drp": "drpcli", "drpcli": "drp"}[name]; strings.Contains(usage, " "+other+" ") {
			t.Errorf("called %s, the usage says %s:\n%s", name, other, usage)
		}
	}
}

// TestKindsOfPluginsAreCommands: a first word that is no command is taken for a kind, when a verb of
// kinds follows.
func TestKindsOfPluginsAreCommands(t *testing.T) {
	for call, want := range map[string]string{
		"cows list": "extended --ldata cows list", "typed-cows show bessie -F yaml": "extended --ldata typed-cows show bessie -F yaml",
		"machines list": "machines list", "cows fly": "cows fly", "cows": "cows", "-T x cows list": "-T x cows list",
	} {
		if _, got := ofPlugins(tree("drp"), strings.Fields(call)); strings.Join(got, " ") != want {
			t.Errorf("%s: got %s, want %s", call, strings.Join(got, " "), want)
		}
	}
}
