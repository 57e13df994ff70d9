// Package templates holds the shipped template text: what scripts of content packs include by
// name. The server offers each file as a template of that name, in its pack drp-core.
package templates

import "embed"

// FS holds a file for each template, named as the template.
//
//go:embed *.tmpl
var FS embed.FS
