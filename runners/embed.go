// Package runners holds the manifests that ship with Vexa, one directory for
// each: runner.json, a README and goldens of its stream, and where its image is
// not built in image.json, the lock of it. It is data; packages runner and
// runner/image read it.
package runners

import "embed"

// FS holds NAME/runner.json of every shipped runner, and NAME/image.json.
//
//go:embed */runner.json */image.json
var FS embed.FS
