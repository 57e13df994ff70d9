// Package migrations holds the SQL that makes and changes the database of the SQLite engine: one
// change a file, numbered, and never edited once it has been released.
package migrations

import "embed"

// FS holds the migrations as goose reads them.
//
//go:embed *.sql
var FS embed.FS
