//go:build noui

// Package ui holds the web UI; with the build tag noui it is empty.
package ui

import (
	"embed"
	"io/fs"
)

// Files has no file.
func Files() fs.FS { return embed.FS{} }
