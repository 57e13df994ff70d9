package models

import (
	"maps"
	"slices"
)

func contains[T comparable](l []T, v T) bool { return slices.Contains(l, v) }

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
