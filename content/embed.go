// Package packs holds the content packs that are shipped with drp, and the directory form that
// packs have for their authors.
package packs

import (
	"embed"
	"fmt"
	"io/fs"

	"drp/models"
)

// all has a folder for each pack, named as the pack.
//
//go:embed all:cluster-demo all:drp-core
var all embed.FS

// Names are those of the shipped packs, in alphabetical order.
func Names() []string {
	entries, err := all.ReadDir(".")
	if err != nil {
		panic("packs: what is embedded cannot be read: " + err.Error())
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// Folder is the directory form of a shipped pack.
func Folder(name string) (fs.FS, error) {
	if !fs.ValidPath(name) || name == "." {
		return nil, fmt.Errorf("no pack %q is shipped with drp", name)
	}
	if _, err := fs.Stat(all, name); err != nil {
		return nil, fmt.Errorf("no pack %q is shipped with drp", name)
	}
	return fs.Sub(all, name)
}

// Shipped is a shipped pack as it can be uploaded.
func Shipped(name string) (*models.Content, error) {
	dir, err := Folder(name)
	if err != nil {
		return nil, err
	}
	return Read(dir)
}
