// Package runners holds the manifests that ship with Vexa, one directory for
// each: runner.json, a README and goldens of its stream. It is data; package
// runner reads it.
package runners

import "embed"

// FS holds NAME/runner.json of every shipped runner.
//
//go:embed */runner.json
var FS embed.FS
