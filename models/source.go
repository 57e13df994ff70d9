package models

import "embed"

// Source is the text of this package: its comments are the documentation of the kinds and their
// fields, which package docs reads.
//
//go:embed *.go
var Source embed.FS
