// Package schemas holds the contracts of Vexa as data: for each one a JSON
// Schema (draft 2020-12), a README, goldens that satisfy it and examples that
// break one rule each, and the seal over them. Package contract reads it.
package schemas

import "embed"

// FS holds the directory of each contract and seal.json.
//
//go:embed *.v1 *.v2 seal.json
var FS embed.FS
