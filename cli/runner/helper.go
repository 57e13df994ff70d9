package runner

import _ "embed"

// helper is the shell library that lies beside every script.
//
//go:embed helper.sh
var helper string
