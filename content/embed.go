// Package packs holds the content packs that are shipped with drp, in their directory form.
package packs

import "embed"

// FS has a folder for each pack: core, which every server has as drp-core, and cluster-demo,
// which the demonstration uploads.
//
//go:embed all:core all:cluster-demo
var FS embed.FS
