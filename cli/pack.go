package cli

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	packs "drp/content"
	"drp/models"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// markup is how a page marks its headings; the first level is that of the page.
type markup interface {
	heading(b *bytes.Buffer, level int, text string)
}

type rst struct{}

func (rst) heading(b *bytes.Buffer, level int, text string) {
	fmt.Fprintf(b, "%s\n%s\n\n", text, strings.Repeat("=-~"[level-1:level], len([]rune(text))))
}

type markdown struct{}

func (markdown) heading(b *bytes.Buffer, level int, text string) {
	fmt.Fprintf(b, "%s %s\n\n", strings.Repeat("#", level), text)
}

// documentation is a page about a pack: its own text, then that of each object.
func documentation(c *models.Content, m markup) ([]byte, error) {
	var b bytes.Buffer
	title := c.Meta.DisplayName
	if title == "" {
		title = c.Meta.Name
	}
	m.heading(&b, 1, title)
	paragraph(&b, c.Meta.Description)
	paragraph(&b, c.Meta.Documentation)
	for _, section := range sections(c) {
		m.heading(&b, 2, section)
		for _, key := range sortedKeys(c.Sections[section]) {
			doc, err := toDocument(c.Sections[section][key])
			if err != nil {
				return nil, fmt.Errorf("%s/%s: %w", section, key, err)
			}
			m.heading(&b, 3, key)
			paragraph(&b, doc[packs.FieldName(doc, "Description")])
			paragraph(&b, doc[packs.FieldName(doc, "Documentation")])
		}
	}
	return b.Bytes(), nil
}

func paragraph(b *bytes.Buffer, text any) {
	if s, _ := text.(string); strings.TrimSpace(s) != "" {
		fmt.Fprintf(b, "%s\n\n", strings.TrimSpace(s))
	}
}
