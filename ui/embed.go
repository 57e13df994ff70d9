//go:build !noui

// Package ui holds the web UI as it was built: the files that Vite has written to dist.
package ui

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files are those of the built UI, index.html among them. Without it the UI was not built.
func Files() fs.FS {
	files, _ := fs.Sub(dist, "dist") // the name is valid
	return files
}
