package content

import (
	"fmt"
	"slices"

	packs "drp/content"
	"drp/models"
)

// missingFeatures returns a line for each feature that the pack needs and the server lacks.
func missingFeatures(meta models.ContentMeta, have []string) []string {
	var bad []string
	for _, f := range packs.Features(meta) {
		if !slices.Contains(have, f) {
			bad = append(bad, fmt.Sprintf("Content layer %s requires feature %s, but dr-provision does not provide it", meta.Name, f))
		}
	}
	return bad
}
