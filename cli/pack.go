package cli

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"drp/models"
)

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// documentation is a page about a pack: its own text, then that of each object.
func documentation(c *models.Content) ([]byte, error) {
	var b bytes.Buffer
	title := c.Meta.DisplayName
	if title == "" {
		title = c.Meta.Name
	}
	heading(&b, title, '=')
	paragraph(&b, c.Meta.Description)
	paragraph(&b, c.Meta.Documentation)
	for _, section := range sections(c) {
		heading(&b, section, '-')
		for _, key := range sortedKeys(c.Sections[section]) {
			doc, err := toDocument(c.Sections[section][key])
			if err != nil {
				return nil, fmt.Errorf("%s/%s: %w", section, key, err)
			}
			heading(&b, key, '~')
			paragraph(&b, doc[fieldName(doc, "Description")])
			paragraph(&b, doc[fieldName(doc, "Documentation")])
		}
	}
	return b.Bytes(), nil
}

func heading(b *bytes.Buffer, text string, line byte) {
	fmt.Fprintf(b, "%s\n%s\n\n", text, bytes.Repeat([]byte{line}, len([]rune(text))))
}

func paragraph(b *bytes.Buffer, text any) {
	if s, _ := text.(string); strings.TrimSpace(s) != "" {
		fmt.Fprintf(b, "%s\n\n", strings.TrimSpace(s))
	}
}
